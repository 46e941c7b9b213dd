"""Stress: what the paper exchange's account becomes when its market really moves by the shock, and algebra."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from kfut_analytics.contracts import MarginTier
from kfut_analytics.errors import ArgumentError
from kfut_analytics.risk.portfolio import Balance, Leg, Portfolio
from kfut_analytics.risk.stress import LADDER, stress

from .accounts import a_portfolio
from .stage import PRICES

ONE_PERCENT = (MarginTier(0.0, 0.02, 0.01),)
SMALL = {"XBT": -0.03, "ETH": 0.02, "SOL": -0.01}


@pytest.mark.parametrize("seed", range(4))
def test_a_shock_is_what_the_exchange_makes_of_the_move(stage, seed):
    """P&L, equity and requirements of both wallets after a move that nobody is liquidated by."""
    a_portfolio(stage, seed)
    exchange, account = stage.exchange, stage.account
    margin = stage.margin()
    frames = {wallet: margin.stress(SMALL, wallet=wallet).iloc[0] for wallet in ("flex", "fi_xbtusd")}
    whole = margin.stress(SMALL).iloc[0]
    flex_before, coin_before = exchange.flex(account), exchange.single(account, "fi_xbtusd")
    stage.move(**{code: PRICES[code] * (1 + shock) for code, shock in SMALL.items()})
    assert not stage.liquidated()
    flex, coin = exchange.flex(account), exchange.single(account, "fi_xbtusd")

    row = frames["flex"]
    assert row["pnl"] == pytest.approx(flex.required.pnl - flex_before.required.pnl, rel=1e-9)
    assert row["collateral_change"] == pytest.approx(flex.collateral_value - flex_before.collateral_value, rel=1e-9)
    assert row["equity"] == pytest.approx(flex.margin_equity, rel=1e-9)
    assert row["initial_margin"] == pytest.approx(flex.required.initial, rel=1e-9)
    assert row["maintenance_margin"] == pytest.approx(flex.required.maintenance, rel=1e-9)
    assert row["usage"] == pytest.approx(flex.required.initial / flex.margin_equity, rel=1e-9)
    assert pd.isna(row["first_liquidated"])

    row = frames["fi_xbtusd"]
    assert row["currency"] == "XBT"
    assert row["pnl"] == pytest.approx(coin.required.pnl - coin_before.required.pnl, rel=1e-9)
    assert row["equity"] == pytest.approx(coin.portfolio_value, rel=1e-9)
    assert row["collateral_change"] == 0

    price = PRICES["XBT"] * (1 + SMALL["XBT"])
    assert whole["currency"] == "USD"
    assert whole["equity"] == pytest.approx(flex.margin_equity + coin.portfolio_value * price, rel=1e-9)
    change = whole["equity"] - flex_before.margin_equity - coin_before.portfolio_value * PRICES["XBT"]
    assert whole["pnl"] + whole["collateral_change"] == pytest.approx(change, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_who_is_liquidated_first_and_when(stage, seed):
    """All prices go straight to the shock in a quarter of an hour: the exchange liquidates the one that is named."""
    a_portfolio(stage, seed)
    shock = -0.9 if stage.account.positions["PI_XBTUSD"].size > 0 else 3.0
    row = stage.margin().stress([shock]).iloc[0]
    start = stage.exchange.now
    stage.move(over=900, **{code: price * (1 + shock) for code, price in PRICES.items()})
    first = next(row for row in stage.account.log if row.info.endswith("liquidation"))
    assert row["first_liquidated"] == first.contract.upper()
    assert row["liquidated_at"] == pytest.approx((first.date - start) / 900, abs=1e-5)
    assert row["maintenance_usage"] >= 1


def test_nobody_is_named_where_nobody_falls_short(stage):
    a_portfolio(stage, 0)
    frame = stage.margin().stress([-0.01, 0.0, 0.01])
    assert frame["first_liquidated"].isna().all()
    assert frame["liquidated_at"].isna().all()
    assert frame.loc[0.0, ["pnl", "collateral_change"]].tolist() == [0.0, 0.0]


def book(**sizes):
    """Positions at today's prices, with 1,000 USD and 0.1 XBT at a haircut of half."""
    marks = {"PF_XBTUSD": 80_000.0, "FF_XBTUSD_261225": 81_000.0, "PF_ETHUSD": 3_000.0, "PI_XBTUSD": 80_000.0}
    legs = tuple(Leg(symbol, size, marks[symbol], marks[symbol], ONE_PERCENT) for symbol, size in sizes.items())
    balances = [Balance("flex", "USD", 1_000.0, 1.0), Balance("flex", "XBT", 0.1, 80_000.0, 0.5)]
    if "PI_XBTUSD" in sizes:
        balances.append(Balance("fi_xbtusd", "XBT", 1.0, 80_000.0))
    return Portfolio(legs, tuple(balances))


def test_the_narrowest_target_counts():
    account = book(PF_XBTUSD=1.0, FF_XBTUSD_261225=1.0, PF_ETHUSD=1.0)
    assert stress(account, {"market": -0.1})["pnl"].item() == pytest.approx(-8_000 - 8_100 - 300)
    assert stress(account, {"market": -0.1, "XBT": 0.1})["pnl"].item() == pytest.approx(8_000 + 8_100 - 300)
    assert stress(account, {"XBT": 0.1, "pf_xbtusd": -0.1})["pnl"].item() == pytest.approx(-8_000 + 8_100)


def test_coins_move_with_their_underlying_unless_collateral_is_a_target_of_its_own():
    account = book(PF_XBTUSD=1.0)
    assert stress(account, {"XBT": -0.1})["collateral_change"].item() == pytest.approx(-400)
    assert stress(account, {"btc": -0.1})["collateral_change"].item() == pytest.approx(-400)
    assert stress(account, [-0.1])["collateral_change"].item() == pytest.approx(-400)
    assert stress(account, {"market": -0.1, "XBT": 0.0})["collateral_change"].item() == 0
    assert stress(account, {"PF_XBTUSD": -0.1})["collateral_change"].item() == 0
    apart = stress(account, {"XBT": -0.1, "collateral": -0.5})
    assert apart["collateral_change"].item() == pytest.approx(-2_000)
    assert apart["pnl"].item() == pytest.approx(-8_000)


def test_a_two_way_table_is_square():
    account = book(PF_XBTUSD=0.05)
    frame = stress(account, {"XBT": [-0.2, 0.0, 0.2], "collateral": [-0.5, 0.0]})
    square = frame["equity"].unstack()  # noqa: PD010
    assert square.index.tolist() == [-0.2, 0.0, 0.2]
    assert square.columns.tolist() == [-0.5, 0.0]
    assert (square.index.name, square.columns.name) == ("XBT", "collateral")
    # 1,000 USD, half of 8,000 of coins, and 4,000 of positions
    expected = [[1_000 + 4_000 * (1 + c) + 4_000 * s for c in (-0.5, 0.0)] for s in (-0.2, 0.0, 0.2)]
    np.testing.assert_allclose(square.to_numpy(), expected)
    assert frame.attrs["units"]["pnl"] == "currency"


def test_a_coin_wallet_in_usd_by_hand():
    """80,000 contracts long at 80,000 are 1 XBT; at 100,000 they have made 0.2 XBT, 20,000 USD."""
    frame = stress(book(PI_XBTUSD=80_000.0), {"XBT": 0.25})
    row = frame.iloc[0]
    assert row["pnl"] == pytest.approx(20_000)
    # 1 XBT of the wallet and 0.05 XBT of collateral after its haircut have risen by 20,000 each
    assert row["collateral_change"] == pytest.approx(21_000)
    assert row["equity"] == pytest.approx(1_000 + 5_000 + 1.2 * 100_000)


def test_equity_that_is_gone_is_used_without_end():
    row = stress(book(PF_XBTUSD=1.0), [-0.5]).iloc[0]
    assert row["equity"] < 0
    assert row["usage"] == row["maintenance_usage"] == math.inf
    assert (row["first_liquidated"], row["liquidated_pool"]) == ("PF_XBTUSD", "flex")
    # 5,000 + 4,000 s + 80,000 s = 800 (1 + s)
    assert row["liquidated_at"] * -0.5 == pytest.approx(-4_200 / 83_200)


def test_without_positions_only_coins_move():
    frame = stress(book())
    assert frame.index.tolist() == list(LADDER)
    assert frame.index.name == "market"
    np.testing.assert_allclose(frame["collateral_change"], 4_000 * np.array(LADDER), atol=1e-9)
    assert (frame["maintenance_usage"] == 0).all()
    assert stress(Portfolio((), ())).dtypes.equals(frame.dtypes)


@pytest.mark.parametrize(
    ("shocks", "says"),
    [
        ([-1.0], "the shocks of market are [-1.0]: give fractions above -1"),
        ([], "the shocks of market are []"),
        ("-10%", "the shocks of market are '-10%'"),
        ([math.nan], "give fractions above -1"),
        (
            {"DOGE": [0.1]},
            "shocks names 'DOGE', which is nothing in this account: use 'market', 'collateral', an under",
        ),
        ({3: [0.1]}, "shocks names 3"),
        ({}, "shocks is empty"),
        ({"XBT": [0.1], "btc": [0.2]}, "shocks names XBT twice: join the two lists"),
        ({"XBT": np.zeros(1000), "market": np.zeros(1000)}, "1,000,000 scenarios: give at most 200,000"),
    ],
)
def test_bad_shocks_are_told(shocks, says):
    with pytest.raises(ArgumentError, match=re.escape(says)):
        stress(book(PF_XBTUSD=1.0), shocks)


def test_bad_wallet_is_told():
    with pytest.raises(ArgumentError, match="wallet='cash' has nothing in it: use one of flex"):
        stress(book(PF_XBTUSD=1.0), wallet="cash")
