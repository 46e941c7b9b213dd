"""Changes to open orders: those that cannot be meant are refused here, and what is suggested instead is taken."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics import errors
from kfut_analytics.limits import Limits
from tests.risk.stage import Stage

SYMBOL = "PF_XBTUSD"
MARK = 80_000


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage()
    stage.give("flex", "usd", 1_000_000.0)
    yield stage
    stage.close()


def refused(stage: Stage, order: kfut.Order, **change: Any) -> errors.OrderRefused:
    """The refusal of a change to an order that rests; what it suggests instead is taken."""
    placed = stage.client.place(order)
    assert placed.status == "placed"
    before = stage.client.open_orders().loc[placed.order_id]
    with pytest.raises(errors.OrderRefused) as caught:
        stage.client.edit(placed, **change)
    assert stage.client.open_orders().loc[placed.order_id].equals(before)
    error = caught.value
    if error.suggestion is not None:
        assert stage.client.edit(placed, **change | {error.field: error.suggestion}).status == "edited"
        assert placed.order_id in stage.client.open_orders().index, "it still waits"
    stage.client.cancel(placed)
    return error


@pytest.mark.parametrize("signal", ["mark", "index", "last"])
@pytest.mark.parametrize(
    ("side", "kind", "waits", "reached"),
    [
        ("sell", "stp", MARK - 2000, MARK + 1000),
        ("buy", "stp", MARK + 2000, MARK - 1000),
        ("sell", "take_profit", MARK + 2000, MARK - 1000),
        ("buy", "take_profit", MARK - 2000, MARK + 1000),
    ],
)
def test_a_trigger_is_not_moved_to_where_it_fires_at_once(
    stage: Stage, side: str, kind: str, waits: int, reached: int, signal: str
) -> None:
    order = kfut.Order(SYMBOL, side, "0.1", order_type=kind, stop_price=waits, trigger_signal=signal)
    error = refused(stage, order, stop_price=reached)
    assert (error.rule, error.field, error.value) == ("trigger_side", "stop_price", reached)
    assert error.suggestion is not None


@pytest.mark.parametrize(("side", "price", "far"), [("buy", 79_000, 90_000), ("sell", 81_000, 70_000)])
def test_a_limit_is_not_moved_to_where_it_costs_too_much(stage: Stage, side: str, price: int, far: int) -> None:
    placed = stage.client.place(kfut.Order(SYMBOL, side, "0.1", limit_price=price))
    with pytest.raises(errors.OrderRefused, match=r"10 % from the market on the side where it costs") as caught:
        stage.client.edit(placed, limit_price=far)
    assert caught.value.suggestion == (88_000 if side == "buy" else 72_000)
    stage.client.cancel(placed)


def test_the_limit_of_a_trigger_is_held_against_its_trigger_price(stage: Stage) -> None:
    order = kfut.Order(SYMBOL, "sell", "0.1", order_type="stp", stop_price=78_000, limit_price=77_900)
    error = refused(stage, order, limit_price=70_000)
    assert "from its trigger price" in str(error)
    assert error.suggestion == Decimal(70_200)


def test_a_change_that_changes_nothing_is_none(stage: Stage) -> None:
    error = refused(stage, kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000), limit_price=79_000)
    assert (error.rule, error.field) == ("no_change", "limit_price")


def test_an_order_does_not_grow_beyond_the_limit_of_one_order(stage: Stage) -> None:
    keys = {"api_key": stage.server.api_key, "api_secret": stage.server.api_secret}
    limits = Limits(order_notional=10_000)
    with kfut.connect("paper", base_url=stage.server.base_url, trading=True, limits=limits, **keys) as client:
        placed = client.place(kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000))
        with pytest.raises(errors.OrderRefused, match=r"15,800\.00 USD.*10,000\.00 USD") as caught:
            client.edit(placed, size="0.2")
        assert (caught.value.rule, caught.value.field) == ("order_notional", "size")
        client.cancel(placed)
