"""From a client to a report: which sections there are, and in what order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from ..times import TimeLike
from .model import Chart, Report, Section
from .sections import comparison, now, quality, results
from .sources import Sources

if TYPE_CHECKING:
    from ..client import Client

SECTIONS: dict[str, Callable[[Sources], Section]] = {
    "account": now.account,
    "bridge": results.bridge,
    "equity": results.equity,
    "margin": now.margin,
    "positions": now.positions,
    "orders": now.orders,
    "contracts": results.contracts,
    "stress": now.stress,
    "funding": now.funding,
    "trips": results.trips,
    "days": results.days,
    "quality": quality.quality,
}
"""Of a report on an account as it is now, and a period until now."""

COMPARISON: dict[str, Callable[[Sources], Section]] = {
    "account": comparison.account,
    "bridge": results.bridge,
    "equity": results.equity,
    "holdings": comparison.holdings,
    "margin": comparison.margin,
    "contracts": results.contracts,
    "trips": results.trips,
    "days": results.days,
    "quality": quality.quality,
}
"""Of a comparison between two dates."""

DEFINITIONS = "definitions"
"""The last section of both."""


def build(
    client: Client,
    start: TimeLike = "-30d",
    *,
    compare: tuple[TimeLike, TimeLike] | None = None,
    sections: Sequence[str] | None = None,
    extra: Iterable[str] = (),
    unmask: bool = False,
) -> Report:
    """Gather everything in a report.

    Parameters
    ----------
    client, start, compare, sections, unmask
        As `kfut_analytics.report` takes them.
    extra
        Names of sections that templates bring: they have no parts of their own.

    Raises
    ------
    ArgumentError
        If an argument makes no sense.
    VenueError
        If the account log cannot be read.
    """
    known = SECTIONS if compare is None else COMPARISON
    wanted = _chosen(sections, known, extra)
    sources = Sources(client, *((start, None) if compare is None else _dates(compare)))
    named = [name for name in wanted if name != DEFINITIONS]
    made = [known[name](sources) if name in known else Section(name, name, []) for name in named]
    if DEFINITIONS in wanted:
        made.insert(wanted.index(DEFINITIONS), quality.definitions(made))
    found = Report(
        title="Position report" if compare is None else "Comparison of two dates",
        env=sources.env,
        account=sources.account_name,
        as_of=sources.as_of,
        start=sources.start,
        end=sources.end,
        sections=made,
    )
    return found if unmask else masked(found, sources.account_name)


def _dates(compare: object) -> tuple[TimeLike, TimeLike]:
    if not isinstance(compare, (tuple, list)) or len(compare) != 2:
        raise ArgumentError(f"compare={compare!r} is not two dates: give a pair such as ('-60d', '-30d')")
    first, second = compare
    return first, second


def _chosen(sections: Sequence[str] | None, known: Iterable[str], extra: Iterable[str]) -> list[str]:
    names = [*known, DEFINITIONS]
    if sections is None:
        return names
    if isinstance(sections, str) or not all(isinstance(name, str) for name in sections) or not sections:
        raise ArgumentError(f"sections={sections!r} is not a list of sections: choose from {', '.join(names)}")
    for name in sections:
        if name not in names and name not in extra:
            raise ArgumentError(f"sections: there is no section {name!r}: choose from {', '.join([*names, *extra])}")
    if len(set(sections)) < len(sections):
        raise ArgumentError(f"sections={list(sections)!r} names a section twice")
    return list(sections)


_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""As the exchange names accounts; paths of files have it, which reasons may mention."""


def mask(name: str) -> str:
    """An account's name as it may be sent on: the last four characters of its id, or of any name longer than eight.

    >>> mask("demo"), mask("f92fc7de-2fce-4265-b806-4f3c1efb37ee")
    ('demo', '…37ee')
    """
    found = _UID.search(name)
    name = found.group() if found else name
    return name if len(name) <= 8 else f"…{name[-4:]}"


def masked(report: Report, name: str) -> Report:
    """The report with the account's name, and whatever looks like one, masked in all texts."""

    def short(text: str) -> str:
        whole = text.replace(name, mask(name)) if mask(name) != name else text
        return _UID.sub(lambda found: mask(found.group()), whole)

    found: Report = _each_text(report, short)
    return found


def _each_text(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, str):
        return change(part)
    if isinstance(part, list):
        return [_each_text(one, change) for one in part]
    if isinstance(part, dict):
        return {key: _each_text(one, change) for key, one in part.items()}
    if is_dataclass(part) and not isinstance(part, (type, Chart)):
        return replace(part, **{f.name: _each_text(getattr(part, f.name), change) for f in fields(part) if f.init})
    return part
