"""Figures of merit of a series of returns: pure functions, each defined by its formula.

Returns are simple returns of periods of equal length, as fractions: 0.01 is one percent. A figure that is not defined
for the series is NaN. Annual figures count 365 days, because these markets never close.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

DAYS_PER_YEAR = 365

Floats = NDArray[np.float64]


def total_return(returns: ArrayLike) -> float:
    """All returns compounded: ``Π (1 + r) − 1``. A period that loses everything ends it at −1."""
    return float(np.prod(_factors(returns)) - 1.0)


def annual_return(returns: ArrayLike, per_year: float = DAYS_PER_YEAR) -> float:
    """Compound annual growth rate: ``(1 + total return) ^ (periods per year / periods) − 1``."""
    factors = _factors(returns)
    return float(np.prod(factors) ** (per_year / len(factors)) - 1.0) if len(factors) else math.nan


def volatility(returns: ArrayLike, per_year: float = DAYS_PER_YEAR) -> float:
    """Annual volatility: ``standard deviation × √(periods per year)``, with n − 1 in the denominator."""
    values = _values(returns)
    return float(np.std(values, ddof=1) * math.sqrt(per_year)) if len(values) > 1 else math.nan


def sharpe(returns: ArrayLike, per_year: float = DAYS_PER_YEAR, risk_free: float = 0.0) -> float:
    """Sharpe ratio: ``mean excess return / standard deviation × √(periods per year)``.

    Parameters
    ----------
    returns
        Returns of the periods.
    per_year
        Periods in a year.
    risk_free
        Annual risk-free rate, a fraction.
    """
    excess = _excess(returns, per_year, risk_free)
    return _ratio(excess, float(np.std(excess, ddof=1)) if len(excess) > 1 else math.nan, per_year)


def sortino(returns: ArrayLike, per_year: float = DAYS_PER_YEAR, risk_free: float = 0.0) -> float:
    """Sortino ratio: ``mean excess return / downside deviation × √(periods per year)``.

    The downside deviation is ``√(Σ min(excess return, 0)² / n)`` over all n periods. Parameters as in `sharpe`.
    """
    excess = _excess(returns, per_year, risk_free)
    if not len(excess):
        return math.nan
    return _ratio(excess, math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2))), per_year)


def calmar(returns: ArrayLike, per_year: float = DAYS_PER_YEAR) -> float:
    """Calmar ratio: `annual_return` over the size of `max_drawdown`."""
    deepest = max_drawdown(returns)
    return annual_return(returns, per_year) / -deepest if deepest < 0 else math.nan


def max_drawdown(returns: ArrayLike) -> float:
    """Largest loss from a peak, a fraction from −1 to 0; the value before the first period counts as a peak."""
    return float(np.min(drawdown(np.cumprod(np.append(1.0, _factors(returns))))))


def drawdown(growth: ArrayLike) -> Floats:
    """Loss from the highest value so far, at every point: ``value / highest so far − 1``."""
    values = np.asarray(growth, dtype=np.float64)
    fallen: Floats = values / np.maximum.accumulate(values) - 1.0
    return fallen


def drawdowns(growth: pd.Series[float]) -> pd.DataFrame:
    """Every fall from a peak until it is made up for, deepest first.

    Parameters
    ----------
    growth
        Value of one unit, indexed by time.

    Returns
    -------
    DataFrame
        peak, trough and recovery (times; the last one missing while it is not over), depth (a fraction, negative),
        length (from the peak to the recovery, or to the last point), and to_trough.
    """
    under = drawdown(growth)
    edges = np.diff(np.concatenate([[0], (under < 0).astype(np.int8), [0]]))
    first, after = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    trough = np.array([a + int(np.argmin(under[a:b])) for a, b in zip(first, after, strict=True)], dtype=np.intp)
    time = growth.index
    frame = pd.DataFrame(
        {
            "peak": time[first - 1],
            "trough": time[trough],
            "recovery": time[np.minimum(after, len(time) - 1)].where(after < len(time)),
            "depth": under[trough],
        }
    )
    frame["length"] = frame["recovery"].where(frame["recovery"].notna(), time.max()) - frame["peak"]
    frame["to_trough"] = frame["trough"] - frame["peak"]
    return frame.sort_values("depth", kind="stable", ignore_index=True)


def win_rate(results: ArrayLike) -> float:
    """Share of gains among all results that are not zero."""
    values = _values(results)
    decided = int(np.count_nonzero(values))
    return float(np.count_nonzero(values > 0) / decided) if decided else math.nan


def profit_factor(results: ArrayLike) -> float:
    """Sum of all gains over the sum of all losses."""
    values = _values(results)
    lost = -float(values[values < 0].sum())
    return float(values[values > 0].sum() / lost) if lost else math.nan


def expectancy(results: ArrayLike) -> float:
    """Mean result: ``win rate × mean gain − loss rate × mean loss``."""
    values = _values(results)
    return float(values.mean()) if len(values) else math.nan


def money_weighted_return(times: Sequence[float] | Floats, amounts: ArrayLike) -> float:
    """The return over the whole time at which all payments together are worth nothing.

    Parameters
    ----------
    times
        When each payment was made, in any unit, rising or not.
    amounts
        Negative what was paid in, the value at the start first; positive what was taken out, and the value at the
        end.

    Returns
    -------
    float
        The return ``R`` from the first to the last payment for which ``Σ amount × (1 + R) ^ (time left / whole time)``
        is zero; −1 where nothing came out of what was paid in. NaN where no rate fits, more than one does, or no
        time passes between them.

    Notes
    -----
    As an annual rate, ``(1 + R) ^ (1 / years) − 1``, it is the XIRR of spreadsheets. Solved for ``ln(1 + R)`` from
    −60 to 60 by bisection, which cannot run away as Newton's method does.
    """
    when, payments = np.asarray(times, dtype=np.float64), np.asarray(amounts, dtype=np.float64)
    when, payments = when[payments != 0], payments[payments != 0]
    span = float(np.ptp(when)) if len(when) else 0.0
    if span == 0:
        return math.nan
    left = (when.max() - when) / span
    if (payments < 0).all():
        return -1.0

    def worth(log_growth: float) -> float:
        # Scaled by its largest term: only the sign is looked at.
        exponents = log_growth * left
        return float(np.sum(payments * np.exp(exponents - exponents.max())))

    grid = np.linspace(-60.0, 60.0, 481)
    signs = np.sign([worth(point) for point in grid])
    turns = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    exact = np.flatnonzero(signs == 0)
    if len(turns) + len(exact) != 1:
        return math.nan
    if len(exact):
        return math.expm1(grid[exact[0]])
    low, high = float(grid[turns[0]]), float(grid[turns[0] + 1])
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if np.sign(worth(middle)) == signs[turns[0]] else (low, middle)
    return math.expm1(middle)


def _values(values: ArrayLike) -> Floats:
    """Numbers without the missing ones."""
    array: Floats = np.asarray(values, dtype=np.float64)
    return array[~np.isnan(array)]


def _factors(returns: ArrayLike) -> Floats:
    factors: Floats = np.maximum(1.0 + _values(returns), 0.0)
    return factors


def _excess(returns: ArrayLike, per_year: float, risk_free: float) -> Floats:
    of_period: float = (1.0 + risk_free) ** (1.0 / per_year) - 1.0
    return _values(returns) - of_period


def _ratio(excess: Floats, deviation: float, per_year: float) -> float:
    """The mean over a deviation, annual; missing where nothing deviates but for the noise of the numbers."""
    if math.isnan(deviation) or deviation <= 1e-14 * (1.0 + float(np.max(np.abs(excess)))):
        return math.nan
    return float(np.mean(excess) / deviation * math.sqrt(per_year))
