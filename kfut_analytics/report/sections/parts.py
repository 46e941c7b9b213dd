"""What the sections have in common: values of rows, figures with their reasons, parts that may not be there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from ...errors import KfutError
from ..model import Chart, Figure, Note, Part, Raw, Value
from ..sources import Sources

Row = dict[Any, Any]


def attempt(what: str, make: Callable[[], Iterable[Part]]) -> list[Part]:
    """Some parts, or the sentence that says why they are not there."""
    try:
        return list(make())
    except KfutError as error:
        return [Note(f"{what}: n/a, because {reason(error)}.", missing=True)]


def tried(find: Callable[[], Raw], unit: str, *, sign: bool = False) -> Value:
    """A value, or a missing one that says why."""
    try:
        return Value(find(), unit, sign)
    except KfutError as error:
        return Value(None, unit, sign, note=reason(error))


def reason(error: KfutError) -> str:
    """The words of an error, as a part of a sentence."""
    return " ".join(str(error).split()).rstrip(".")


def words(value: object) -> Value:
    """Text; empty text where the exchange gives none."""
    return Value(None if pd.isna(value) else str(value))  # type: ignore[call-overload]


def money(value: float, currency: str, *, sign: bool = False) -> Value:
    """An amount of its currency."""
    return Value(float(value), currency, sign)


def known(value: float, unit: str, otherwise: str = "") -> Value:
    """A number, or a word where it is known that there is none."""
    return Value(otherwise) if pd.isna(value) else Value(float(value), unit, sign=unit == "fraction")


def records(frame: pd.DataFrame) -> Iterator[tuple[Any, Row]]:
    """The rows of a frame with their index."""
    return zip(frame.index, frame.to_dict("records"), strict=True)


def chart(key: str, title: str, height: float, draw: Callable[[Axes], object]) -> Chart:
    """A drawing on one Axes."""

    def on(figure: Drawing) -> None:
        draw(figure.add_subplot())

    return Chart(key, title, height, on)


_MERITS = {
    "days": "Days with capital",
    "time_weighted_return": "Time-weighted return",
    "money_weighted_return": "Money-weighted return",
    "annual_return": "Annual return",
    "xirr": "XIRR",
    "volatility": "Volatility, annual",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "max_drawdown": "Maximum drawdown",
    "max_drawdown_days": "Days of it",
    "calmar": "Calmar ratio",
    "best_day": "Best day",
    "worst_day": "Worst day",
    "day_win_rate": "Days won",
    "day_profit_factor": "Profit factor of days",
    "day_expectancy": "Mean day",
    "round_trips": "Round trips ended",
    "trip_win_rate": "Round trips won",
    "trip_profit_factor": "Profit factor of trips",
    "trip_expectancy": "Mean round trip",
    "start_equity": "Equity at the start",
    "external_flow": "External flows",
    "pnl": "P&L of the period",
    "end_equity": "Equity at the end",
}
_UNITS = {"fraction": "return", "number": "number", "days": "days"}
_SIGNED = {"pnl", "external_flow", "trip_expectancy", "time_weighted_return", "money_weighted_return"}


def merit(sources: Sources, metric: str) -> Figure:
    """A figure of merit, as `Equity.summary` has it."""
    label = _MERITS[metric]
    try:
        row = dict(records(sources.merits))[metric]
    except KfutError as error:
        return Figure(label, Value(None, "number", note=reason(error)), "as `Equity.summary` defines it")
    unit = "count" if metric == "round_trips" else _UNITS.get(str(row["unit"]), str(row["unit"]))
    note = "" if pd.isna(row["note"]) else str(row["note"])
    return Figure(label, Value(float(row["value"]), unit, metric in _SIGNED, note), str(row["definition"]))
