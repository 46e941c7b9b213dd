"""Usage computed here equals the exchange's own, whatever is held and ordered; the account's own tiers are used."""

from __future__ import annotations

import math
import random
from dataclasses import fields, replace

import pandas as pd
import pytest

from kfut_analytics import schema
from kfut_analytics.account import Account, Balances
from kfut_analytics.paper.market.states import MarketState
from kfut_analytics.risk.picture import Picture
from kfut_analytics.risk.portfolio import FIGURES

from .accounts import a_portfolio, contract_like


@pytest.mark.parametrize("seed", range(4))
def test_every_figure_is_the_exchanges_own(stage, seed):
    """With netted, isolated, inverse and ordered contracts on several coins; NaN only where the exchange is silent."""
    a_portfolio(stage, seed)
    dice = random.Random(seed)
    for symbol, size, limit in (
        ("PF_XBTUSD", 0.02, 70_000), ("PF_XBTUSD", -0.5, 90_000), ("PF_ETHUSD", 0.5, 2_500),
        (contract_like(stage, "FF_ETHUSD"), 0.1, 2_500), ("PI_XBTUSD", -3_000, 90_000), ("PI_XBTUSD", 500, 70_000),
    ):  # fmt: skip
        if dice.random() < 0.8:
            stage.trade(symbol, size, "lmt", limit)
    position = stage.account.position_size(stage.exchange.contract("PF_XBTUSD"))
    stage.trade(
        "PF_XBTUSD", math.copysign(0.01, -position), "lmt", 95_000 if position > 0 else 65_000, reduce_only=True
    )
    stage.move(XBT=82_000, ETH=2_900)
    usage = stage.margin().usage().set_index("account")
    assert len(usage) == 2
    for wallet, row in usage.iterrows():
        for name in FIGURES:
            if wallet != "flex" and name == "initial_margin_with_orders":
                assert math.isnan(row[name])
                continue
            assert row[f"computed_{name}"] == pytest.approx(row[name], rel=1e-9), (wallet, name)
            assert row[f"{name}_difference"] == pytest.approx(0, abs=1e-6)
    assert usage["usage_with_orders"]["fi_xbtusd"] == pytest.approx(
        1 - usage["available_margin"]["fi_xbtusd"] / usage["equity"]["fi_xbtusd"]
    )


def test_trigger_and_reduce_only_orders_need_no_margin(stage):
    stage.give("flex", "usd", 10_000.0)
    stage.trade("PF_XBTUSD", 0.1)
    before = stage.margin().by_position().loc["PF_XBTUSD"]
    stage.trade("PF_XBTUSD", -0.1, "lmt", 90_000, reduce_only=True)
    stage.trade("PF_XBTUSD", 0.5, "stp", None, stop_price=90_000)
    row = stage.margin().by_position().loc["PF_XBTUSD"]
    assert row["initial_margin_with_orders"] == row["initial_margin"] == before["initial_margin"]
    stage.trade("PF_XBTUSD", -0.5, "lmt", 90_000)
    row = stage.margin().by_position().loc["PF_XBTUSD"]
    assert row["initial_margin_with_orders"] == pytest.approx(4 * row["initial_margin"])


def test_extreme_volatility_multiplies_the_initial_margin(stage):
    stage.give("flex", "usd", 10_000.0)
    stage.trade("PF_XBTUSD", 0.1)
    calm = stage.margin().usage().loc[0]
    stage.exchange.states["PF_XBTUSD"] = MarketState(margin_multiplier=3)
    wild = stage.margin().usage().loc[0]
    assert wild["computed_initial_margin"] == pytest.approx(3 * calm["computed_initial_margin"])
    assert wild["initial_margin_difference"] == pytest.approx(0, abs=1e-9)
    assert wild["computed_maintenance_margin"] == calm["computed_maintenance_margin"]


def test_the_accounts_own_tiers_come_first(stage):
    stage.give("flex", "usd", 10_000.0)
    stage.trade("PF_XBTUSD", 0.1)
    assert stage.margin().by_position()["schedule"].tolist() == ["account"]
    assert stage.margin(schedule="professional").by_position()["schedule"].tolist() == ["professional"]
    own = stage.client.account_margin_tiers()
    assert set(own["schedule"]) == {"account"}
    public = stage.client.margin_tiers()
    columns = ["symbol", "threshold", "unit", "initial_margin", "maintenance_margin"]
    listed = public[public["symbol"].isin(set(own["symbol"]))]
    assert own[columns].to_numpy().tolist() == listed[columns].to_numpy().tolist()


def test_leverage_by_both_definitions(stage):
    """8,000 USD of a position on 1,000 USD and 0.01 XBT with a haircut of 2 %."""
    stage.give("flex", "usd", 1_000.0)
    stage.give("flex", "xbt", 0.01)
    stage.trade("PF_XBTUSD", 0.1, "lmt", 80_001)
    row = stage.margin().usage().loc[0]
    worth = row["portfolio_value"]
    assert worth == pytest.approx(1_800, rel=3e-3)
    assert row["effective_leverage"] == pytest.approx(8_000 / worth)
    assert row["equity_leverage"] == pytest.approx(8_000 / (worth - 16), rel=1e-6)


def test_haircuts_of_the_published_example():
    """The documentation's wallet: 4,998.72 USD of bitcoin count 4,886.50, euros likewise, dollars in full (6.8)."""
    rows = {"BTC": (0.1185, 4998.72, 4886.50), "EUR": (4540.58, 4999.14, 4886.91), "USD": (5000.0, 5000.0, 5000.0)}
    accounts = schema.ACCOUNTS.frame(
        {
            "account": ["flex"] * 3, "currency": list(rows), "quantity": [row[0] for row in rows.values()],
            "value_usd": [row[1] for row in rows.values()], "collateral_usd": [row[2] for row in rows.values()],
        }
    )  # fmt: skip
    nothing = dict.fromkeys((f.name for f in fields(Account)), math.nan) | {"env": "live", "time": pd.Timestamp(0)}
    balances = Balances(Account(**nothing), accounts, schema.WALLETS.frame({}))
    picture = Picture(
        "live", "live", pd.Timestamp(0), balances, schema.POSITIONS.frame({}), schema.MARGIN_TIERS.frame({})
    )
    held = {balance.currency: balance for balance in picture.portfolio.balances}
    assert {name: round(100 * balance.haircut, 3) for name, balance in held.items()} == {
        "XBT": 2.245, "EUR": 2.245, "USD": 0.0,
    }  # fmt: skip
    assert sum(balance.counted for balance in held.values()) == pytest.approx(4886.50 + 4886.91 + 5000)


def test_an_account_that_owes_dollars(stage):
    """A negative balance has no haircut; what a coin lends against it is counted."""
    stage.give("flex", "xbt", 0.1)
    stage.trade("PF_XBTUSD", 0.2)
    stage.move(XBT=79_000)
    stage.trade("PF_XBTUSD", -0.2)
    row = stage.margin().usage().loc[0]
    assert stage.account.balances["flex", "usd"] < 0
    assert row["computed_equity"] == pytest.approx(row["equity"], rel=1e-12)


def test_what_the_exchange_counts_beyond_the_parts_stays_as_it_is(stage):
    """A difference in equity is shown, and estimates start from the exchange's own figure."""
    stage.give("flex", "usd", 10_000.0)
    stage.trade("PF_XBTUSD", 1)
    margin = stage.margin()
    account = margin.account
    richer = replace(account, margin_equity=account.margin_equity + 500.0)
    picture = replace(margin.picture, balances=margin.picture.balances._replace(account=richer))
    other = replace(margin, picture=picture)
    assert other.usage()["equity_difference"].item() == pytest.approx(500)
    assert any("equity is 500.00 USD above the sum of its parts" in note for note in other.notes())
    moved = other.liquidation()["liquidation_price"].item() - margin.liquidation()["liquidation_price"].item()
    assert moved == pytest.approx(-500 / (1 - 0.005))
