"""Margin usage: hand-worked tiers, netting, isolated leverage, inverse wallets, edge cases."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from kfut_analytics import schema
from kfut_analytics.account import Account, Balances
from kfut_analytics.errors import ArgumentError
from kfut_analytics.margin import margin, percent

TIME = pd.Timestamp("2026-11-22T08:00:00Z")

ACCOUNT = Account(
    env="paper", time=TIME, balance_value=41_000.0, portfolio_value=41_000.0, collateral_value=40_498.0,
    unrealized_pnl=0.0, unrealized_funding=0.0, total_unrealized=0.0, total_unrealized_as_margin=0.0,
    margin_equity=40_498.0, initial_margin=2_800.0, initial_margin_with_orders=3_000.0, maintenance_margin=1_400.0,
    available_margin=37_498.0,
)  # fmt: skip

# threshold, initial, maintenance: 2 % up to 100,000 of value, 4 % above; a retail schedule for ETH only
TIERS = [
    ("PF_XBTUSD", "professional", 0.0, 0.02, 0.01),
    ("PF_XBTUSD", "professional", 100_000.0, 0.04, 0.02),
    ("FF_XBTUSD_261225", "professional", 0.0, 0.02, 0.01),
    ("FF_XBTUSD_261225", "professional", 100_000.0, 0.04, 0.02),
    ("PF_ETHUSD", "professional", 0.0, 0.02, 0.01),
    ("PF_ETHUSD", "retail", 0.0, 0.10, 0.05),
    ("PI_XBTUSD", "professional", 0.0, 0.02, 0.01),
]


def tiers() -> pd.DataFrame:
    symbol, schedule, threshold, initial, maintenance = zip(*TIERS, strict=True)
    return schema.MARGIN_TIERS.frame(
        {"symbol": symbol, "schedule": schedule, "threshold": threshold, "unit": ["quote"] * len(TIERS),
         "initial_margin": initial, "maintenance_margin": maintenance}
    )  # fmt: skip


def positions(*rows) -> pd.DataFrame:
    """Rows of symbol, signed size, mark price, fixed leverage."""
    symbols = [row[0] for row in rows]
    notional = [abs(size) * (1 if symbol.startswith(("PI_", "FI_")) else mark) for symbol, size, mark, _ in rows]
    return schema.POSITIONS.frame(
        {
            "symbol": symbols,
            "side": ["long" if row[1] > 0 else "short" for row in rows],
            "size": [abs(row[1]) for row in rows],
            "signed_size": [row[1] for row in rows],
            "entry_price": [row[2] for row in rows],
            "mark_price": [row[2] for row in rows],
            "notional": notional,
            "unrealized_pnl": [0.0 for _ in rows],
            "pnl_currency": ["USD" for _ in rows],
            "margin_mode": ["cross" if row[3] is None else "isolated" for row in rows],
            "max_fixed_leverage": [row[3] for row in rows],
        }
    )


def wallets(**figures) -> pd.DataFrame:
    if not figures:
        return schema.WALLETS.frame({})
    base = {"account": "fi_xbtusd", "currency": "XBT", "portfolio_value": 1.0, "available_funds": 0.9,
            "initial_margin": 0.1, "maintenance_margin": 0.05}  # fmt: skip
    return schema.WALLETS.frame({name: [value] for name, value in (base | figures).items()})


def accounts(worth=41_000.0, collateral=40_498.0, **coins) -> pd.DataFrame:
    """The multi-collateral wallet holds USDT; balances of other wallets by name and (currency, quantity)."""
    rows = [("flex", "USDT", worth, worth, collateral), *((name, *held, None, None) for name, held in coins.items())]
    names = ("account", "currency", "quantity", "value_usd", "collateral_usd")
    return schema.ACCOUNTS.frame(dict(zip(names, zip(*rows, strict=True), strict=True)))


def orders(*rows) -> pd.DataFrame:
    """Rows of symbol, side, size, type, trigger price, reduce only."""
    names = ("symbol", "side", "unfilled_size", "order_type", "stop_price", "reduce_only")
    return schema.OPEN_ORDERS.frame({name: [row[place] for row in rows] for place, name in enumerate(names)})


def client(held, *, account=ACCOUNT, coin_wallets=None, balances=None, **frames):
    held_now = Balances(
        account, accounts() if balances is None else balances, wallets() if coin_wallets is None else coin_wallets
    )
    given = {
        "positions": held,
        "balances": held_now,
        "margin_tiers": tiers(),
        "account_margin_tiers": schema.MARGIN_TIERS.frame({}),
        "leverage_preferences": schema.LEVERAGE_PREFERENCES.frame({}),
        "instrument_status": schema.INSTRUMENT_STATUS.frame({}),
        "open_orders": schema.OPEN_ORDERS.frame({}),
        "tickers": schema.TICKERS.frame({}),
    } | frames
    asked = {name: lambda frame=frame: frame for name, frame in given.items()}
    return SimpleNamespace(env="paper", account_name="demo", **asked)


def test_by_position_by_hand():
    """3 XBT at 50,000 are 150,000: 100,000 x 2 % + 50,000 x 4 % = 4,000 initial, half of it maintenance."""
    result = margin(client(positions(("PF_XBTUSD", 3.0, 50_000.0, None))))
    row = result.by_position().loc["PF_XBTUSD"]
    assert (row["initial_margin"], row["maintenance_margin"]) == (4_000.0, 2_000.0)
    assert row["share_of_equity"] == pytest.approx(4_000 / 40_498)
    assert (row["wallet"], row["currency"], row["side"]) == ("flex", "USD", "long")


def test_usage_by_hand():
    usage = margin(client(positions(("PF_XBTUSD", 3.0, 50_000.0, None)))).usage()
    assert list(usage["account"]) == ["flex"]
    row = usage.iloc[0]
    assert row["usage"] == pytest.approx(2_800 / 40_498)
    assert row["maintenance_usage"] == pytest.approx(1_400 / 40_498)
    assert row["effective_leverage"] == pytest.approx(150_000 / 41_000)
    assert row["computed_initial_margin"] == 4_000
    assert row["initial_margin_difference"] == -1_200
    assert usage.attrs["units"]["usage"] == "fraction"


def test_perpetual_and_dated_positions_net():
    """Long 2 XBT need 2,000, short 1 XBT dated needs 1,000; the larger side counts. ETH has another underlying."""
    held = positions(
        ("PF_XBTUSD", 2.0, 50_000.0, None),
        ("FF_XBTUSD_261225", -1.0, 50_000.0, None),
        ("PF_ETHUSD", 1.0, 3_000.0, None),
    )  # fmt: skip
    result = margin(client(held))
    assert result.by_position()["initial_margin"].sum() == pytest.approx(2_000 + 1_000 + 300)
    assert result.usage().loc[0, "computed_initial_margin"] == pytest.approx(2_000 + 300)


def test_isolated_positions_do_not_net_and_respect_their_leverage():
    """Isolated at 10x: the rate is 10 % instead of 2 %; maintenance is untouched."""
    held = positions(("PF_XBTUSD", 1.0, 50_000.0, None), ("FF_XBTUSD_261225", -1.0, 50_000.0, 10.0))
    result = margin(client(held))
    row = result.by_position().loc["FF_XBTUSD_261225"]
    assert (row["initial_margin"], row["maintenance_margin"]) == (5_000.0, 500.0)
    assert result.usage().loc[0, "computed_initial_margin"] == 1_000 + 5_000


def test_schedule():
    held = positions(("PF_ETHUSD", 1.0, 3_000.0, None))
    assert margin(client(held)).by_position()["initial_margin"].item() == pytest.approx(300)
    assert margin(client(held), schedule="professional").by_position()["initial_margin"].item() == pytest.approx(60)
    with pytest.raises(ArgumentError, match=r"schedule='vip' .* use one of professional, retail"):
        margin(client(held), schedule="vip")


def test_inverse_positions_use_the_wallet_of_their_coin():
    """10,000 contracts at 50,000: 10,000 USD x 2 % / 50,000 = 0.004 XBT; value 0.2 XBT over 1 XBT is leverage 0.2."""
    held = positions(("PI_XBTUSD", 10_000.0, 50_000.0, None))
    coin = wallets(initial_margin=0.004, maintenance_margin=0.002)
    result = margin(client(held, coin_wallets=coin))
    row = result.by_position().loc["PI_XBTUSD"]
    assert (row["wallet"], row["currency"]) == ("fi_xbtusd", "XBT")
    assert row["initial_margin"] == pytest.approx(0.004)
    usage = result.usage().set_index("account")
    assert usage.loc["flex", "computed_initial_margin"] == 0
    assert usage.loc["fi_xbtusd", "effective_leverage"] == pytest.approx(0.2)
    assert usage.loc["fi_xbtusd", "initial_margin_difference"] == pytest.approx(0)
    assert math.isnan(usage.loc["fi_xbtusd", "initial_margin_with_orders"])


def test_empty_wallets_are_left_out():
    empty = wallets(portfolio_value=0.0, initial_margin=0.0)
    assert list(margin(client(positions(), coin_wallets=empty)).usage()["account"]) == ["flex"]


def test_no_positions_and_no_equity():
    broke = replace(ACCOUNT, margin_equity=-5.0, portfolio_value=0.0, initial_margin=0.0, maintenance_margin=0.0)
    result = margin(client(positions(), account=broke, balances=accounts(-5.0, -5.0)))
    full = margin(client(positions(("PF_XBTUSD", 1.0, 50_000.0, None)))).by_position()
    empty = result.by_position()
    assert empty.empty
    assert list(empty.dtypes) == list(full.dtypes)
    assert list(empty.columns) == list(full.columns)
    assert math.isnan(result.usage().loc[0, "usage"])
    assert "n/a" in repr(result)
    assert result.notes() == []


def test_contract_without_tiers_is_said():
    held = positions(("PF_ODDUSD", 1.0, 10.0, None), ("PF_XBTUSD", 1.0, 50_000.0, None))
    result = margin(client(held))
    assert list(result.by_position().index) == ["PF_XBTUSD", "PF_ODDUSD"]
    assert math.isnan(result.usage().loc[0, "computed_initial_margin"])
    assert "no margin tiers for PF_ODDUSD" in result.notes()[0]


def test_a_position_without_mark_price_is_not_guessed():
    result = margin(client(positions(("PF_XBTUSD", 1.0, math.nan, None))))
    assert math.isnan(result.by_position()["initial_margin"].item())
    assert result.notes() == []  # the report names the missing price


def test_difference_from_the_exchange_is_said():
    notes = margin(client(positions(("PF_XBTUSD", 3.0, 50_000.0, None)))).notes()
    assert notes[0] == "Wallet flex: the exchange's initial margin is 1,200.00 USD below the sum by tiers."


def test_reprs():
    result = margin(client(positions(("PF_XBTUSD", 3.0, 50_000.0, None))))
    assert repr(result).startswith("PAPER margin usage, as of 2026-11-22 08:00:00 UTC")
    assert "PF_XBTUSD" in repr(result)
    assert "<table" in result._repr_html_()
    assert "exchange&#x27;s initial margin" in result._repr_html_()


def test_every_table_says_where_it_comes_from():
    result = margin(client(positions(("PF_XBTUSD", 3.0, 50_000.0, None))))
    for table in (
        result.usage(), result.by_position(), result.liquidation(), result.liquidation_bounds(), result.stress(),
        result.funding_forecast(), result.exposure(), result.concentration(),
    ):  # fmt: skip
        assert (table.attrs["env"], pd.Timestamp(table.attrs["as_of"])) == ("paper", TIME)
        assert table.attrs["units"]


def test_percent():
    assert (percent(0.1234), percent(math.nan), percent(12.5, decimals=0)) == ("12.3 %", "n/a", "1,250 %")
