"""Exposure: sums by hand, the derivative of the account's value, and textbook portfolio risk."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kfut_analytics.contracts import MarginTier
from kfut_analytics.errors import ArgumentError
from kfut_analytics.risk.exposure import account_value, concentration, exposure, sensitivities, value_at_risk
from kfut_analytics.risk.portfolio import Balance, Leg, Portfolio

from .accounts import a_portfolio

LADDER = (MarginTier(0.0, 0.02, 0.01),)
ACCOUNT = Portfolio(
    (
        Leg("PF_XBTUSD", 0.5, 70_000.0, 80_000.0, LADDER),
        Leg("FF_XBTUSD_261225", -0.2, 80_000.0, 80_000.0, LADDER),
        Leg("PF_ETHUSD", -10.0, 3_000.0, 3_000.0, LADDER),
        Leg("PI_XBTUSD", 8_000.0, 100_000.0, 80_000.0, LADDER),
        Leg("PF_SOLUSD", 0.0, math.nan, 150.0, LADDER, buys=5.0),
    ),
    (
        Balance("flex", "USD", 20_000.0, 1.0),
        Balance("flex", "ETH", 2.0, 3_000.0, 0.1),
        Balance("fi_xbtusd", "XBT", 0.12, 80_000.0),
    ),
)


def test_by_underlying_by_hand():
    """An inverse wallet of 0.12 XBT has lost 0.02 of them: 0.1 XBT are 8,000 USD of coins beside its position."""
    frame = exposure(ACCOUNT)
    assert list(frame.index) == ["XBT", "ETH"]
    row = frame.loc["XBT"]
    assert row[["long", "short", "gross", "net"]].tolist() == [48_000, 16_000, 64_000, 32_000]
    assert row["collateral"] == pytest.approx(8_000)
    assert row["net_with_collateral"] == pytest.approx(40_000)
    assert frame["share"].tolist() == pytest.approx([64 / 94, 30 / 94])
    assert frame.loc["ETH", ["net", "collateral", "net_with_collateral"]].tolist() == [-30_000, 6_000, -24_000]
    # 20,000 and 6,000 of balances, 5,000 made, 8,000 of coins
    assert account_value(ACCOUNT) == pytest.approx(39_000)
    assert row["leverage"] == pytest.approx(64 / 39)


def test_by_kind_and_currency_by_hand():
    kinds = exposure(ACCOUNT, "kind")
    assert kinds["net"].to_dict() == {"linear perpetual": 10_000, "linear dated": -16_000, "inverse perpetual": 8_000}
    currencies = exposure(ACCOUNT, "currency")
    assert currencies["net"].to_dict() == {"USD": -6_000, "XBT": 8_000, "ETH": 0}
    assert currencies["collateral"].to_dict() == pytest.approx({"USD": 25_000, "XBT": 8_000, "ETH": 6_000})
    for frame in (kinds, currencies):
        assert frame["gross"].sum() == pytest.approx(94_000)
        assert frame["share"].sum() == pytest.approx(1)


def test_concentration_by_hand():
    frame = concentration(ACCOUNT)
    row = frame.loc["underlying"]
    assert row["herfindahl"] == pytest.approx((64**2 + 30**2) / 94**2)
    assert row["effective_groups"] == pytest.approx(94**2 / (64**2 + 30**2))
    assert (row["largest"], row["groups"]) == ("XBT", 2)
    assert row["largest_share"] == pytest.approx(64 / 94)
    nothing = concentration(Portfolio((), ()))
    assert nothing["herfindahl"].isna().all()
    assert nothing.dtypes.equals(frame.dtypes)


@pytest.mark.parametrize("seed", range(3))
def test_net_with_collateral_is_the_derivative_of_the_accounts_value(stage, seed):
    a_portfolio(stage, seed)
    stage.move(XBT=81_000, ETH=2_950, SOL=155)
    margin = stage.margin()
    portfolio, step = margin.picture.portfolio, 1e-5
    for underlying, amount in margin.exposure()["net_with_collateral"].items():

        def value(move, underlying=underlying):
            moved = portfolio.moved(
                {leg.symbol: 1 + move for leg in portfolio.legs if leg.underlying == underlying}, {underlying: 1 + move}
            )
            return account_value(moved)

        assert amount == pytest.approx((value(step) - value(-step)) / (2 * step), rel=1e-6), underlying


def test_no_exposure_has_its_columns():
    empty = exposure(Portfolio((), ()))
    assert empty.empty
    assert empty.dtypes.equals(exposure(ACCOUNT).dtypes)
    with pytest.raises(ArgumentError, match="by='side' is not a grouping: use one of underlying, kind, currency"):
        exposure(ACCOUNT, "side")


# Portfolio risk ---------------------------------------------------------------------------------------------------


def walks(*volatilities, correlation=0.0, rows=20_000, seed=7):
    """Prices whose returns have given volatilities and one correlation."""
    rng = np.random.default_rng(seed)
    n = len(volatilities)
    shared = np.full((n, n), correlation) + (1 - correlation) * np.eye(n)
    returns = rng.multivariate_normal(np.zeros(n), shared * np.outer(volatilities, volatilities), rows)
    return pd.DataFrame(100 * np.cumprod(1 + returns, axis=0), columns=[f"C{place}" for place in range(n)])


def test_one_asset_by_the_textbook():
    """1,000 USD at 1 % per step over 4 steps: volatility 20, and the normal distribution's quantiles."""
    frame = value_at_risk(pd.Series({"C0": 1_000.0}), walks(0.01), 4, (0.95, 0.99))
    assert frame["volatility"].tolist() == pytest.approx([20, 20], rel=0.02)
    assert frame["parametric_var"].tolist() == pytest.approx([32.9, 46.5], rel=0.02)
    assert frame["historical_var"].tolist() == pytest.approx([32.9, 46.5], rel=0.05)
    # Expected shortfall of a normal loss is the density at the quantile over the tail
    assert frame["expected_shortfall"].tolist() == pytest.approx([20 * 2.0627, 20 * 2.6652], rel=0.05)
    assert frame["undiversified_volatility"].tolist() == pytest.approx(frame["volatility"].tolist())
    assert frame["observations"].tolist() == [19_996] * 2


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_correlations_weigh(correlation):
    """Long 1,000 at 1 % and short 500 at 2 %: 10² + 10² − 2 · 0.8 · 100, and 20 undiversified."""
    amounts = pd.Series({"C0": 1_000.0, "C1": -500.0})
    frame = value_at_risk(amounts, walks(0.01, 0.02, correlation=correlation), 1, (0.95,))
    assert frame["volatility"].item() == pytest.approx(math.sqrt(200 - 200 * correlation), rel=0.03)
    assert frame["undiversified_volatility"].item() == pytest.approx(20, rel=0.02)


def test_volatility_is_that_of_the_portfolios_own_returns():
    prices, amounts = walks(0.01, 0.02, 0.03, correlation=0.4, rows=500), pd.Series({"C0": 5.0, "C2": -7.0, "C1": 2.0})
    made = (prices.pct_change().iloc[1:] * amounts).sum(axis=1)
    frame = value_at_risk(amounts, prices, 1, (0.9,))
    assert frame["volatility"].item() == pytest.approx(made.std(ddof=1))
    assert frame["historical_var"].item() == pytest.approx(-made.quantile(0.1))
    assert frame["expected_shortfall"].item() == pytest.approx(-made[made <= made.quantile(0.1)].mean())


def test_too_little_history_is_not_guessed():
    frame = value_at_risk(pd.Series({"C0": 1_000.0}), walks(0.01, rows=2), 4, (0.95,))
    assert frame[["volatility", "historical_var"]].isna().all(axis=None)
    flat = value_at_risk(pd.Series(dtype=float), pd.DataFrame(), 1, (0.95,))
    assert flat[["volatility", "historical_var", "expected_shortfall"]].to_numpy().tolist() == [[0, 0, 0]]
    with pytest.raises(ArgumentError, match=r"confidence=\(95,\): give levels between 0.5 and 1"):
        value_at_risk(pd.Series({"C0": 1.0}), walks(0.01, rows=9), 1, (95,))


def test_on_the_exchange(stage):
    """Window, horizon and assumption are told; collateral can be left out; correlations are the matrix behind."""
    a_portfolio(stage, 0)
    margin = stage.margin()
    frame = margin.value_at_risk("-5d", "1h", horizon="8h", confidence=[0.9])
    assert frame["volatility"].item() > 0
    assert frame["undiversified_volatility"].item() >= frame["volatility"].item()
    assert frame.attrs["window"].endswith("UTC")
    assert (frame.attrs["horizon"], frame.attrs["resolution"], frame.attrs["left_out"]) == ("8h", "1h", [])
    bare = margin.value_at_risk("-5d", horizon="8h", confidence=[0.9], collateral=False)
    assert bare["volatility"].item() != frame["volatility"].item()
    matrix = margin.correlations("-5d")
    assert set(matrix.columns) == set(margin.exposure().index)
    np.testing.assert_allclose(np.diag(matrix), 1)
    for horizon in ("90m", "soon", "0h"):
        with pytest.raises(ArgumentError, match=f"horizon='{horizon}' is no multiple of the resolution '1h'"):
            margin.value_at_risk(horizon=horizon)
    with pytest.raises(ArgumentError, match="there is no client here"):
        replace(margin, client=None).value_at_risk()


def test_sensitivities_leave_out_what_is_nothing():
    assert sensitivities(ACCOUNT).index.tolist() == ["XBT", "ETH"]
    assert sensitivities(ACCOUNT, collateral=False).to_dict() == {"XBT": 32_000, "ETH": -30_000}
