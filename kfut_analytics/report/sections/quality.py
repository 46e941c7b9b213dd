"""Sections on the figures themselves: what is estimated, missing or does not fit, and what the names mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...errors import KfutError
from ..model import Notes, Part, Section, Table, Terms, Value, terms_of
from ..sources import Sources
from .parts import attempt, money, reason

_ESTIMATED = [
    "Margin per position, liquidation prices and the stress ladder are computed from the exchange's margin tiers and "
    "are estimates.",
    "Equity and margin usage through time are rebuilt from the account log, mark-price and spot candles; within a "
    "candle prices are a straight line. Margin tiers and haircuts of the past are those of now, and open orders of "
    "the past do not count.",
    "The funding forecast holds if rates stay as predicted.",
]


def quality(sources: Sources) -> Section:
    """What a reader must know of the figures."""
    notes = list(dict.fromkeys(_notes(sources)))
    fits = [] if sources.pnl.notes() else ["All balances reconcile, and no entry of the account log is missing."]
    parts: list[Part] = [Notes("defects", [*fits, *notes], "Findings")]
    if not sources.ended:
        parts += attempt("The comparison with the exchange", lambda: [_check(sources)])
    parts.append(Notes("estimates", _ESTIMATED, "Estimates"))
    return Section("quality", "Quality of the figures", parts)


def _notes(sources: Sources) -> Iterator[str]:
    yield from sources.pnl.notes()
    more: dict[str, Callable[[], list[str]]] = {
        "Margin": lambda: sources.margin.notes(),
        "Equity": lambda: sources.equity.notes(),
        "Margin through time": lambda: sources.history.attrs.get("notes", []),
    }
    for name, notes in more.items():
        try:
            yield from notes()
        except KfutError as error:
            yield f"{name}: n/a, because {reason(error)}."
    try:
        positions = sources.margin.positions
    except KfutError:
        return
    unpriced = [str(symbol) for symbol in positions.index[positions["mark_price"].isna()]]
    if unpriced:
        yield f"There is no mark price for {', '.join(unpriced)}: value and margin are n/a."


def _check(sources: Sources) -> Table:
    rows = [
        [
            Value(row["account"]),
            Value(str(row["figure"]).replace("_", " ").replace("pnl", "P&L").replace("unrealized", "unrealised")),
            Value(row["currency"]),
            money(row["computed"], row["currency"]),
            money(row["exchange"], row["currency"]),
            money(row["difference"], row["currency"], sign=True),
        ]
        for row in sources.equity.check().to_dict("records")
    ]
    heads = ["Wallet", "Figure", "Currency", "Computed", "Exchange", "Difference"]
    return Table("check", heads, rows, "The account log beside the exchange's own figures")


def definitions(sections: list[Section]) -> Section:
    """The meaning of every name in the sections before."""
    return Section("definitions", "Definitions", [Terms("definitions", terms_of(sections))])
