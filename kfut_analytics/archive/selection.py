"""Which funding rates and candles are kept: those of what was held, and those that were chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from .. import times
from ..contracts import currency_code
from ..errors import ArgumentError, NotArchived
from ..settings import one_of
from ..times import step_of
from . import layout, picture
from .ranges import micros, stamp
from .store import Store

if TYPE_CHECKING:
    from ..venue import Venue

RESOLUTION = "1h"
"""Of the mark and spot candles that are kept of what was held: the one that equity uses by default."""

STEPS = {text: step_of(text) for text in times.RESOLUTIONS} | {"1w": pd.Timedelta(days=7)}

_PERPETUAL = ("PF_", "PI_")
_FEE_CREDITS = "FEE"

_HOUR = pd.Timedelta(hours=1) // pd.Timedelta(microseconds=1)

AGAIN = pd.Timedelta(days=1) // pd.Timedelta(microseconds=1)
"""A series that the exchange said it has not is asked for again after so many microseconds."""


@dataclass(frozen=True)
class Chosen:
    """Series that somebody asked for.

    Attributes
    ----------
    series
        Their names.
    """

    series: tuple[str, ...] = ()

    @classmethod
    def of(cls, candles: Sequence[Sequence[str]] = (), funding: Sequence[str] = ()) -> Chosen:
        """Read the arguments of a sync.

        Raises
        ------
        ArgumentError
            If they name no candles or contracts.
        """
        found = []
        for one in candles:
            if isinstance(one, str) or not 2 <= len(one) <= 3 or not all(isinstance(part, str) for part in one):
                raise ArgumentError(
                    f"candles={one!r}: give a list of (symbol, resolution) or (symbol, resolution, tick type), such as "
                    "[('PF_XBTUSD', '1h'), ('PF_XBTUSD', '1d', 'mark')]"
                )
            symbol, resolution, tick_type = (*one, "trade")[:3]
            one_of("resolution", resolution, tuple(STEPS))
            one_of("tick_type", tick_type, ("trade", "mark", "spot"))
            found.append(layout.candles(_symbol(symbol), resolution, tick_type))
        names = [funding] if isinstance(funding, str) else funding
        return cls((*found, *(layout.funding(_symbol(name)) for name in names)))


def _symbol(symbol: str) -> str:
    if not isinstance(symbol, str) or not symbol.replace("_", "").isalnum():
        raise ArgumentError(f"symbol={symbol!r}: name a contract such as 'PF_XBTUSD'")
    return symbol


@dataclass(frozen=True)
class Wanted:
    """A series and the times that are wanted of it.

    Attributes
    ----------
    series
        Its name.
    symbol
        The contract.
    start, end
        In microseconds.
    step
        How long a candle takes; None for funding rates.
    """

    series: str
    symbol: str
    start: int
    end: int
    step: pd.Timedelta | None = field(default=None)


def wanted_series(store: Store, venue: Venue, chosen: Chosen, first: int, now: int) -> Iterator[Wanted]:
    """What is to be kept, each series once.

    Parameters
    ----------
    store
        Its account log says what was held.
    venue
        Knows which contracts there are, where the last picture does not.
    chosen
        What is asked for; remembered from then on.
    first, now
        The span of the sync, in microseconds.
    """
    remembered = store.manifest.chosen
    if new := [name for name in chosen.series if name not in remembered]:
        store.update(lambda found: replace(found, chosen=[*remembered, *new]))
    held = _held(store, now)
    begin = max(first, min((start for start, _ in held.values()), default=now - 90 * AGAIN))
    spans: dict[str, tuple[int, int]] = {}
    for name, (start, end) in held.items():
        if name.startswith(("PF_", "PI_", "FF_", "FI_", "PV_", "FV_")):
            spans[layout.candles(name, RESOLUTION, "mark")] = start, end
            if name.startswith(_PERPETUAL):
                spans[layout.funding(name)] = start, end
        elif (symbol := _quoted(store, venue, name)) is not None:
            spans[layout.candles(symbol, RESOLUTION, "spot")] = start, end
    for name in store.manifest.chosen:
        spans[name] = begin, now
    for name, (start, end) in spans.items():
        refused = store.manifest.of(name).refused
        if refused is None or now - refused > AGAIN:
            step = STEPS.get(layout.parts_of(name).get("resolution", ""))
            floor = micros(stamp(max(start, first)).floor(step)) if step and step < STEPS["1w"] else max(start, first)
            yield Wanted(name, layout.parts_of(name)["symbol"], floor, end, step)


def _held(store: Store, now: int) -> dict[str, tuple[int, int]]:
    """Contracts and currencies of the account log: from the hour before the first entry, until the last or now."""
    log = store.table("account_log", None, ["id", "time", "asset", "account", "contract", "new_balance"])
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    still: set[str] = set()
    for columns in (["contract"], ["asset", "account"]):
        groups = log.group_by(columns, use_threads=False)  # in one thread the last one is the last
        for row in groups.aggregate([("time", "min"), ("time", "max"), ("new_balance", "last")]).to_pylist():
            name = str(row[columns[0]] or "")
            if not name or name == _FEE_CREDITS or row["time_min"] is None:
                continue
            first[name] = min(first.get(name, now), micros(pd.Timestamp(row["time_min"])))
            last[name] = max(last.get(name, 0), micros(pd.Timestamp(row["time_max"])))
            if columns[0] == "asset" and row["new_balance_last"]:
                still.add(name)
    return {
        name: ((begun // _HOUR - 1) * _HOUR, now if name in still else min(now, last[name] + 2 * _HOUR))
        for name, begun in first.items()
    }


def _quoted(store: Store, venue: Venue, asset: str) -> str | None:
    """The perpetual whose index is the price of a currency in USD; None where there is none."""
    code = currency_code(asset)
    if code == "USD":
        return None
    try:
        listed = picture.table(store, "instruments").index
    except NotArchived:
        listed = venue.instruments().index
    return next((name for kind in _PERPETUAL if (name := f"{kind}{code}USD") in listed), None)
