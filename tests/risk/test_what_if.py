"""What if: the account that is promised is the account after really placing the orders."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.errors import ArgumentError, NotFoundError, OrderRefused
from kfut_analytics.paper.market.simulated import SimulatedMarket

from .accounts import a_portfolio, contract_like
from .stage import START, Stage

CHECKED = ("equity", "initial_margin", "initial_margin_with_orders", "maintenance_margin", "available_margin")


@pytest.fixture
def crowd():
    """The simulated market, whose books have many levels and whose funding accrues."""
    made = Stage(SimulatedMarket(0), START)
    yield made
    made.close()


def place_and_compare(stage, orders):
    """Promise, place, look."""
    promised = stage.margin().what_if(orders)
    for order in orders:
        assert stage.client.place(order).status in ("placed", "filled", "partially_filled")
    after = stage.margin()
    usage = promised.usage().set_index(["account", "figure"])["after"]
    real = after.usage().set_index("account")
    for wallet in usage.index.unique("account"):
        booked = 1e-3 if wallet == "flex" else 1e-9  # the exchange rounds what it books
        for name in CHECKED:
            assert usage[wallet, name] == pytest.approx(real[f"computed_{name}"][wallet], rel=1e-9, abs=booked), name
    positions, held = promised.positions(), stage.client.positions()
    for symbol, row in positions.iterrows():
        size = held["signed_size"].get(symbol, 0.0)
        assert row["size_after"] == pytest.approx(size, abs=1e-9), symbol
        if size:
            assert row["entry_price_after"] == pytest.approx(held["entry_price"][symbol], rel=1e-9)
    edges = after.liquidation()["liquidation_price"]
    expected = positions["liquidation_price_after"].dropna()
    np.testing.assert_allclose(edges[expected.index], expected, rtol=1e-6)
    return promised


@pytest.mark.parametrize("seed", range(3))
def test_orders_of_every_kind(stage, seed):
    """At the market, resting, reducing, reversing and opening, linear and inverse, netted and isolated."""
    a_portfolio(stage, seed)
    held = {symbol: position.size for symbol, position in stage.account.positions.items()}
    side = {symbol: ("sell" if size > 0 else "buy") for symbol, size in held.items()}
    orders = [
        kfut.Order("PF_XBTUSD", side["PF_XBTUSD"], round(2 * abs(held["PF_XBTUSD"]), 2)),
        kfut.Order("PF_ETHUSD", "buy", 0.4, limit_price=2_500),
        kfut.Order("PF_SOLUSD", side["PF_SOLUSD"], round(abs(held["PF_SOLUSD"]) / 2, 2), reduce_only=True),
        kfut.Order(contract_like(stage, "FF_ETHUSD"), "buy", 0.5),
        kfut.Order("PI_XBTUSD", "sell", 7_000),
        kfut.Order("PF_XBTUSD", "sell", 0.01, limit_price=90_000),
        kfut.Order("PF_XBTUSD", "buy", 0.05, order_type="stp", stop_price=95_000),
    ]
    promised = place_and_compare(stage, orders)
    done = promised.orders()
    assert done["resting_size"].tolist() == [0, 0.4, 0, 0, 0, -0.01, 0.05]
    assert (done["fee"] > 0).tolist() == [True, False, True, True, True, False, False]


def test_a_reversal_through_many_levels_of_the_book(crowd):
    """Some hundred thousand USD through the book: the position is closed at the first levels and opened at the next."""
    crowd.give("flex", "usd", 200_000.0)
    crowd.trade("PF_ETHUSD", 40)
    crowd.exchange.advance(1000)  # funding accrues, and is paid with the next trade
    promised = place_and_compare(crowd, [kfut.Order("PF_ETHUSD", "sell", 150)])
    book = crowd.client.order_book("PF_ETHUSD")
    assert promised.orders()["filled_size"].item() == -150
    assert len(book) > 10


def test_a_limit_order_fills_in_part_and_rests(crowd):
    crowd.give("flex", "usd", 500_000.0)
    levels = crowd.client.order_book("PF_XBTUSD")
    asks = levels[levels["side"] == "ask"]
    limit, within = float(asks["price"].iloc[1]), float(asks["size"].iloc[:2].sum())
    promised = place_and_compare(crowd, [kfut.Order("PF_XBTUSD", "buy", round(within + 1, 4), limit_price=limit)])
    row = promised.orders().iloc[0]
    assert row["filled_size"] == pytest.approx(within)
    assert row["resting_size"] == pytest.approx(1)


def test_two_orders_do_not_take_the_same_level_twice(crowd):
    crowd.give("flex", "usd", 500_000.0)
    place_and_compare(crowd, [kfut.Order("PF_SOLUSD", "buy", 100), kfut.Order("PF_SOLUSD", "buy", 100)])


def test_taken_as_filled_a_resting_order_changes_the_position(stage):
    stage.give("flex", "usd", 10_000.0)
    margin, order = stage.margin(), kfut.Order("PF_XBTUSD", "buy", 0.1, limit_price=70_000)
    resting, filled = margin.what_if(order), margin.what_if(order, filled=True)
    assert resting.positions()["size_after"].item() == 0
    assert filled.positions().loc["PF_XBTUSD", ["size_after", "entry_price_after"]].tolist() == [0.1, 70_000]
    figures = filled.usage().set_index("figure")["after"]
    assert figures["equity"] == pytest.approx(10_000 + 1_000 - 0.1 * 70_000 * 0.0002)
    assert figures["initial_margin"] == pytest.approx(80)
    assert resting.usage().set_index("figure")["after"]["initial_margin_with_orders"] == pytest.approx(80)


def test_what_the_exchange_would_refuse_is_said(stage):
    stage.give("flex", "usd", 1_000.0)
    much = stage.margin().what_if(kfut.Order("PF_XBTUSD", "buy", 2))
    assert much.notes() == ["Wallet flex: the margin would not suffice; the exchange would refuse an order."]
    params = {"orderType": "mkt", "symbol": "PF_XBTUSD", "side": "buy", "size": 2}
    assert stage.client._venue.call("sendorder", **params)["sendStatus"]["status"] == "insufficientAvailableFunds"
    with pytest.raises(OrderRefused, match="more margin than there is"):
        stage.client.place(kfut.Order("PF_XBTUSD", "buy", 2))
    nothing = stage.margin().what_if(kfut.Order("PF_XBTUSD", "sell", 1, reduce_only=True))
    assert nothing.notes() == ["Nothing would become of the order to sell 1 PF_XBTUSD market reduce-only."]
    assert nothing.usage()["change"].abs().max() == 0


def test_in_words(stage):
    stage.give("flex", "usd", 10_000.0)
    seen = stage.margin().what_if([kfut.Order("PF_XBTUSD", "buy", 0.1), kfut.Order("PI_XBTUSD", "buy", 10)])
    assert repr(seen).startswith("PAPER what if, as of 2026-11-22 08:00:00 UTC: buy 0.1 PF_XBTUSD market; buy 10 PI_XB")
    assert "initial_margin_with_orders" in repr(seen)
    assert "<table" in seen._repr_html_()


def test_bad_orders_are_told(stage):
    margin = stage.margin()
    for nonsense in ("buy", [], ["buy"], None):
        with pytest.raises(ArgumentError, match=r"is neither an order nor a list of them: make one with kfut\.Order"):
            margin.what_if(nonsense)
    with pytest.raises(NotFoundError, match="did you mean PF_XBTUSD"):
        margin.what_if(kfut.Order("PF_XBTUS", "buy", 1))
    with pytest.raises(OrderRefused, match="not a multiple of the size step"):
        margin.what_if(kfut.Order("PF_XBTUSD", "buy", 0.00001))


def test_tables_without_positions_have_their_columns(stage):
    stage.give("flex", "usd", 10_000.0)
    empty = stage.margin().what_if(kfut.Order("PF_XBTUSD", "sell", 1, reduce_only=True)).positions()
    full = stage.margin().what_if(kfut.Order("PF_XBTUSD", "sell", 0.01)).positions()
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
    assert math.isnan(empty["liquidation_price_after"].item())
