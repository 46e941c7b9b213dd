"""Figures of merit against closed forms, and against two libraries where their definitions are the same.

The libraries are not needed by the package: ``pip install quantstats empyrical-reloaded`` where these tests are to run.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfut_analytics import performance

SERIES = {
    "noisy": np.random.default_rng(1).normal(0.001, 0.02, 365),
    "falling": np.random.default_rng(2).normal(-0.003, 0.03, 200),
    "few": np.array([0.01, -0.02, 0.015, 0.0, -0.005]),
    "fat tails": np.random.default_rng(3).standard_t(3, 700) * 0.01,
}
series = pytest.mark.parametrize("returns", SERIES.values(), ids=list(SERIES))


# Closed forms --------------------------------------------------------------------------------------------------------


def test_constant_growth() -> None:
    returns = np.full(730, 0.001)
    assert performance.total_return(returns) == pytest.approx(1.001**730 - 1)
    assert performance.annual_return(returns) == pytest.approx(1.001**365 - 1)
    assert performance.volatility(returns) == pytest.approx(0, abs=1e-12)
    assert math.isnan(performance.sharpe(returns))  # nothing varies
    assert math.isnan(performance.sortino(returns))
    assert math.isnan(performance.calmar(returns))
    assert performance.max_drawdown(returns) == 0
    assert performance.win_rate(returns) == 1
    assert math.isnan(performance.profit_factor(returns))


def test_two_returns_that_alternate() -> None:
    """Mean 0.5 %, standard deviation of n 1.5 %, downside deviation 1 % / √2: everything follows by hand."""
    count = 100
    returns = np.tile([0.02, -0.01], count // 2)
    deviation = 0.015 * math.sqrt(count / (count - 1))
    assert performance.volatility(returns) == pytest.approx(deviation * math.sqrt(365))
    assert performance.sharpe(returns) == pytest.approx(0.005 / deviation * math.sqrt(365))
    assert performance.sortino(returns) == pytest.approx(0.005 / (0.01 / math.sqrt(2)) * math.sqrt(365))
    assert performance.max_drawdown(returns) == pytest.approx(-0.01)
    assert performance.calmar(returns) == pytest.approx(((1.02 * 0.99) ** (365 / 2) - 1) / 0.01)
    assert performance.win_rate(returns) == 0.5
    assert performance.profit_factor(returns) == pytest.approx(2)
    assert performance.expectancy(returns) == pytest.approx(0.005)
    daily_rate = 1.04 ** (1 / 365) - 1
    assert performance.sharpe(returns, risk_free=0.04) == pytest.approx(
        (0.005 - daily_rate) / deviation * math.sqrt(365)
    )


def test_a_total_loss_stays_lost() -> None:
    returns = [0.5, -1.2, 3.0]
    assert performance.total_return(returns) == -1
    assert performance.max_drawdown(returns) == -1


def test_known_drawdowns() -> None:
    days = pd.date_range("2026-01-01", periods=9, tz="UTC")
    growth = pd.Series([1.0, 1.2, 0.9, 1.2, 1.3, 1.04, 1.17, 1.3, 1.235], index=days)
    falls = performance.drawdowns(growth)
    assert falls["depth"].tolist() == pytest.approx([-0.25, -0.2, -0.05])
    assert falls["peak"].tolist() == [days[1], days[4], days[7]]
    assert falls["trough"].tolist() == [days[2], days[5], days[8]]
    assert falls["recovery"].tolist()[:2] == [days[3], days[7]]
    assert pd.isna(falls["recovery"][2])
    assert falls["length"].dt.days.tolist() == [2, 3, 1]
    assert falls["to_trough"].dt.days.tolist() == [1, 1, 1]


@pytest.mark.parametrize("growth", [[], [1.0], [1.0, 1.1, 1.1]])
def test_no_drawdown(growth: list[float]) -> None:
    days = pd.date_range("2026-01-01", periods=len(growth), tz="UTC")
    falls = performance.drawdowns(pd.Series(growth, index=days, dtype="float64"))
    assert falls.empty
    assert list(falls) == ["peak", "trough", "recovery", "depth", "length", "to_trough"]


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=40))
def test_drawdowns_cover_every_moment_below_the_peak(values: list[float]) -> None:
    growth = pd.Series(values, index=pd.date_range("2026-01-01", periods=len(values), tz="UTC"))
    under = growth / growth.cummax() - 1
    falls = performance.drawdowns(growth)
    inside = pd.Series(False, index=growth.index)
    for fall in falls.to_dict("records"):
        after = growth.index > fall["peak"]
        inside |= after & ((growth.index < fall["recovery"]) if pd.notna(fall["recovery"]) else after)
        assert under[fall["trough"]] == fall["depth"]
    assert inside.equals(under < 0)
    assert min([*falls["depth"], 0.0]) == under.min()


@pytest.mark.parametrize("figure", [
    performance.annual_return, performance.volatility, performance.sharpe, performance.sortino, performance.calmar,
    performance.win_rate, performance.profit_factor, performance.expectancy,
])  # fmt: skip
def test_nothing_is_defined_of_nothing(figure: Callable[[Any], float]) -> None:
    assert math.isnan(figure([]))
    assert math.isnan(figure([math.nan]))


def test_missing_returns_do_not_count() -> None:
    assert performance.sharpe([0.01, math.nan, -0.02, 0.03]) == performance.sharpe([0.01, -0.02, 0.03])


# Money-weighted ------------------------------------------------------------------------------------------------------


def test_money_weighted_return_without_flows_is_the_simple_one() -> None:
    assert performance.money_weighted_return([0, 90], [-100, 112]) == pytest.approx(0.12, rel=1e-14)
    assert performance.money_weighted_return([0, 90], [-100, 100]) == 0


def test_money_weighted_return_of_a_quadratic() -> None:
    """100 at the start, 100 half way, 231 at the end: x² + x = 2.31 with x the growth of half the time."""
    growth = (-1 + math.sqrt(1 + 4 * 2.31)) / 2
    assert performance.money_weighted_return([0, 1, 2], [-100, -100, 231]) == pytest.approx(growth**2 - 1, rel=1e-12)


def test_xirr_of_the_spreadsheets_example() -> None:
    """The example in the documentation of Excel's XIRR: 37.3362535 %."""
    dates = pd.to_datetime(["2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01"])
    days = (dates - dates[0]).days.to_numpy()
    found = performance.money_weighted_return(days, [-10_000, 2750, 4250, 3250, 2750])
    assert (1 + found) ** (365 / days[-1]) - 1 == pytest.approx(0.373362535, abs=1e-8)


@pytest.mark.parametrize(
    ("times", "amounts", "found"),
    [
        ([0, 1], [-100, 0.0], math.nan),  # the end is worth nothing: a single payment has no time
        ([0, 1, 2], [-100, -50, 0.0], -1.0),  # nothing came out
        ([0, 1, 2], [-100, 230, -132], math.nan),  # 10 % and 20 % both fit
        ([0, 1, 2], [0, 0, 0], math.nan),
        ([0, 0], [-1, 2], math.nan),
        ([0, 1], [100, 100], math.nan),
        ([0, 10, 20], [0, -100, 121], 0.21),  # time counts from the first payment
    ],
)
def test_money_weighted_return_where_it_is_special(times: list[float], amounts: list[float], found: float) -> None:
    assert performance.money_weighted_return(times, amounts) == pytest.approx(found, nan_ok=True)


@given(
    st.floats(-0.999, 50),
    st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 1e6)), max_size=30),
    st.floats(1, 1e6),
)
def test_money_that_grows_at_one_rate_returns_that_rate(
    rate: float, deposits: list[tuple[float, float]], start: float
) -> None:
    end = start * (1 + rate) + sum(amount * (1 + rate) ** (1 - when) for when, amount in deposits)
    times, amounts = [0.0, *(w for w, _ in deposits), 1.0], [-start, *(-a for _, a in deposits), end]
    assert performance.money_weighted_return(times, amounts) == pytest.approx(rate, rel=1e-7, abs=1e-9)


# Other libraries -----------------------------------------------------------------------------------------------------


def imported(name: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def empyrical() -> ModuleType:
    return imported("empyrical")


@pytest.fixture(scope="module")
def quantstats() -> ModuleType:
    return imported("quantstats.stats")


def dated(returns: np.ndarray[Any, Any]) -> pd.Series[float]:
    return pd.Series(returns, index=pd.date_range("2026-01-01", periods=len(returns)))


@series
def test_empyrical_agrees(empyrical: ModuleType, returns: np.ndarray[Any, Any]) -> None:
    values = dated(returns)
    pairs = {
        performance.total_return(values): empyrical.cum_returns_final(values),
        performance.annual_return(values): empyrical.annual_return(values, annualization=365),
        performance.volatility(values): empyrical.annual_volatility(values, annualization=365),
        performance.sharpe(values): empyrical.sharpe_ratio(values, annualization=365),
        performance.sortino(values): empyrical.sortino_ratio(values, annualization=365),
        performance.calmar(values): empyrical.calmar_ratio(values, annualization=365),
        performance.max_drawdown(values): empyrical.max_drawdown(values),
        # There the risk-free rate is that of a period.
        performance.sharpe(values, risk_free=0.05): empyrical.sharpe_ratio(
            values, risk_free=1.05 ** (1 / 365) - 1, annualization=365
        ),
    }
    for ours, theirs in pairs.items():
        assert ours == pytest.approx(theirs, rel=1e-9)


@series
def test_quantstats_agrees(quantstats: ModuleType, returns: np.ndarray[Any, Any]) -> None:
    """Its ``expected_return`` is the geometric mean and no expectancy, which is the mean."""
    values = dated(returns)
    pairs = {
        performance.total_return(values): quantstats.comp(values),
        performance.volatility(values): quantstats.volatility(values, periods=365),
        performance.sharpe(values): quantstats.sharpe(values, periods=365),
        performance.sharpe(values, risk_free=0.05): quantstats.sharpe(values, rf=0.05, periods=365),
        performance.sortino(values): quantstats.sortino(values, periods=365),
        performance.sortino(values, risk_free=0.05): quantstats.sortino(values, rf=0.05, periods=365),
        performance.max_drawdown(values): quantstats.max_drawdown(values),
        performance.win_rate(values): quantstats.win_rate(values),
        performance.profit_factor(values): quantstats.profit_factor(values),
        performance.annual_return(values): quantstats.cagr(values, periods=365),
        performance.calmar(values): quantstats.calmar(values, periods=365),
    }
    for ours, theirs in pairs.items():
        assert ours == pytest.approx(theirs, rel=1e-9)
