"""The figures of merit of an account's value through time, each with its definition and, where missing, the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import performance
from .accounting.amounts import amount
from .accounting.curve import Curve
from .accounting.labels import Floats

LEAST_DAYS = 30
"""Annual figures of a shorter history would be chance."""

_DAY = np.timedelta64(86_400_000_000, "us")
_YEAR = performance.DAYS_PER_YEAR
_NO_CAPITAL = "there was no capital"


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the summary; ``note`` says when it was, or why it is missing."""

    metric: str
    value: float
    unit: str
    definition: str
    note: str = ""

    def words(self) -> str:
        """The value for people."""
        match self.unit:
            case _ if np.isnan(self.value):
                return f"n/a ({self.note})"
            case "fraction":
                return f"{self.value:.2%}"
            case "number" | "days":
                return f"{self.value:,.2f}"
            case currency:
                return f"{amount(self.value, currency)} {currency}"


def figures(curve: Curve, daily: pd.DataFrame, trips: Floats, currency: str, risk_free: float) -> list[Figure]:
    """All figures.

    Parameters
    ----------
    curve
        The account through time.
    daily
        Its days, the ``equity_periods`` table.
    trips
        Net P&L of the round trips that ended.
    currency
        Of all amounts.
    risk_free
        Annual rate.
    """
    whole = daily.loc[daily["complete"].astype(bool) & daily["return"].notna(), "return"]
    return [
        *_amounts(curve, currency),
        *_growth(curve),
        *_risk(whole, risk_free),
        *_days(whole),
        *_trips(trips, currency),
    ]


def _amounts(curve: Curve, currency: str) -> Iterator[Figure]:
    flow = float(curve.external_flow.sum())
    yield Figure("days", _days_with_capital(curve), "days", "from the first to the last time with capital")
    yield Figure("start_equity", float(curve.equity[0]), currency, "balances, unrealised P&L and funding at the start")
    yield Figure("external_flow", flow, currency, "what came in from outside, less what went out")
    yield Figure("pnl", float(curve.pnl.sum()), currency, "end equity - start equity - external flow")
    yield Figure("end_equity", float(curve.equity[-1]), currency, "balances, unrealised P&L and funding at the end")


def _days_with_capital(curve: Curve) -> float:
    known = np.flatnonzero(~np.isnan(curve.returned))
    return float((curve.time[known[-1]] - curve.time[known[0] - 1]) / _DAY) if len(known) else 0.0


def _growth(curve: Curve) -> Iterator[Figure]:
    days = _days_with_capital(curve)
    short = "" if days >= LEAST_DAYS else f"needs {LEAST_DAYS} days with capital, there are {days:.1f}"
    total = float(curve.growth[-1]) - 1.0 if days else np.nan
    yield _figure(
        "time_weighted_return", total, "fraction", "returns from one external flow to the next, compounded", _NO_CAPITAL
    )
    annual = np.nan if short else (1.0 + total) ** (_YEAR / days) - 1.0
    yield _figure("annual_return", annual, "fraction", "(1 + time_weighted_return) ^ (365 / days) - 1", short)
    time = np.concatenate([curve.time[:1], curve.flow.time, curve.time[-1:]])
    paid = np.concatenate([-curve.equity[:1], -curve.flow.amount, curve.equity[-1:]])
    weighted = performance.money_weighted_return((time - time[0]) / _DAY, paid)
    unsolved = _NO_CAPITAL if not paid.any() else "no rate fits the flows, or more than one does"
    yield _figure(
        "money_weighted_return",
        weighted,
        "fraction",
        "return over the whole time at which start equity, external flows and end equity are worth the same",
        unsolved,
    )
    made = np.flatnonzero(paid)
    span = float((time[made[-1]] - time[made[0]]) / _DAY) if len(made) else 0.0
    yearly = np.nan if short or not span else (1.0 + weighted) ** (_YEAR / span) - 1.0
    yield _figure("xirr", yearly, "fraction", "money_weighted_return as an annual rate", short or unsolved)
    deepest = float(curve.drawdown.min())
    yield Figure(
        "max_drawdown", deepest, "fraction", "largest loss of time-weighted growth from its highest value so far"
    )
    yield _longest(curve)
    ratio = annual / -deepest if deepest < 0 else np.nan
    yield _figure("calmar", ratio, "number", "annual_return / size of max_drawdown", short or "there was no drawdown")


def _longest(curve: Curve) -> Figure:
    definition = "of max_drawdown, from the highest value until it was reached again"
    growth = pd.Series(curve.growth, index=pd.DatetimeIndex(curve.time, tz="UTC"))
    falls = performance.drawdowns(growth)
    if falls.empty:
        return Figure("max_drawdown_days", 0.0, "days", definition)
    worst = falls.iloc[0]
    over = f"until {worst['recovery']:%Y-%m-%d}" if pd.notna(worst["recovery"]) else "and not over"
    note = f"since {worst['peak']:%Y-%m-%d}, {over}"
    return Figure("max_drawdown_days", worst["length"] / pd.Timedelta("1D"), "days", definition, note)


def _risk(returns: pd.Series[float], risk_free: float) -> Iterator[Figure]:
    few = "" if len(returns) >= LEAST_DAYS else f"needs {LEAST_DAYS} whole days with capital, there are {len(returns)}"
    values = returns if not few else returns.iloc[:0]
    free = f", risk-free {risk_free:g} a year" if risk_free else ""
    yield _figure(
        "volatility",
        performance.volatility(values),
        "fraction",
        "standard deviation of daily returns (n - 1) x sqrt(365)",
        few,
    )
    yield _figure(
        "sharpe",
        performance.sharpe(values, risk_free=risk_free),
        "number",
        f"mean daily return / its standard deviation x sqrt(365){free}",
        few or "daily returns do not vary",
    )
    yield _figure(
        "sortino",
        performance.sortino(values, risk_free=risk_free),
        "number",
        f"mean daily return / sqrt(sum of squared losses / days) x sqrt(365){free}",
        few or "there was no losing day",
    )


def _days(returns: pd.Series[float]) -> Iterator[Figure]:
    none = "" if len(returns) else "there was no whole day with capital"
    for metric, place, what in (("best_day", "idxmax", "highest"), ("worst_day", "idxmin", "lowest")):
        day = None if none else getattr(returns, place)()
        value, note = (np.nan, none) if day is None else (float(returns[day]), f"{day:%Y-%m-%d}")
        yield Figure(metric, value, "fraction", f"{what} return of a whole day", note)
    yield from _results("day", np.array(returns, dtype=np.float64), "fraction", "returns of whole days", none)


def _trips(net: Floats, currency: str) -> Iterator[Figure]:
    none = "" if len(net) else "no round trip ended"
    yield Figure("round_trips", float(len(net)), "number", "positions that were opened and closed")
    yield from _results("trip", net, currency, "net P&L of round trips", none)


def _results(one: str, values: Floats, unit: str, what: str, none: str) -> Iterator[Figure]:
    yield _figure(
        f"{one}_win_rate",
        performance.win_rate(values),
        "fraction",
        f"share of gains among {what} that are not zero",
        none or "there was neither gain nor loss",
    )
    yield _figure(
        f"{one}_profit_factor",
        performance.profit_factor(values),
        "number",
        f"sum of gains / sum of losses of {what}",
        none or "there was no loss",
    )
    yield _figure(f"{one}_expectancy", performance.expectancy(values), unit, f"mean of {what}", none)


def _figure(metric: str, value: float, unit: str, definition: str, missing: str) -> Figure:
    """A figure, with the reason if it is missing."""
    return Figure(metric, value, unit, definition, missing if np.isnan(value) else "")
