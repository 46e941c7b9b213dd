"""Orders, changes and cancellations as a person states them: what makes no sense by itself, and the words for it."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfut_analytics.errors import OrderRefused
from kfut_analytics.orders import ORDER_TYPES, Cancel, Edit, Order, check, check_edit
from kfut_analytics.rest.order_params import order_params
from kfut_analytics.rest.signing import encode

from .facts import instrument

TRAILING = {"order_type": "trailing_stop", "limit_price": None, "trailing_deviation": 1, "trailing_unit": "percent"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"side": "long"}, "side"),
        ({"size": 0}, "size"),
        ({"size": None}, "size"),
        ({"symbol": None}, "symbol"),
        ({"size": "many"}, "size"),
        ({"size": True}, "size"),
        ({"size": "1e999999"}, "size"),
        ({"size": "1e-999999"}, "size"),
        ({"size": "1_0"}, "size"),
        ({"size": float("nan")}, "size"),
        ({"limit_price": -1}, "limit_price"),
        ({"symbol": " "}, "symbol"),
        ({"order_type": "limit"}, "order_type"),
        ({"order_type": "post", "limit_price": None}, "limit_price"),
        ({"order_type": "mkt"}, "limit_price"),
        ({"order_type": "stp"}, "stop_price"),
        ({"stop_price": 5}, "stop_price"),
        ({"trigger_signal": "mark"}, "trigger_signal"),
        ({"order_type": "stp", "stop_price": 5, "trigger_signal": "spot"}, "trigger_signal"),
        ({"notional": 5}, "notional"),
        ({"size": None, "notional": 5, "margin_share": 1}, "margin_share"),
        ({"size": None, "notional": -5}, "notional"),
        ({"size": None, "margin_share": 1.5}, "margin_share"),
        ({"size": None, "margin_share": 0.5, "reduce_only": True}, "margin_share"),
        ({"reduce_only": "yes"}, "reduce_only"),
        ({"limit_offset": 1, "limit_offset_unit": "percent"}, "limit_offset"),
        ({"limit_offset_unit": "percent"}, "limit_offset_unit"),
        ({"order_type": "stp", "stop_price": 5, "limit_offset": 1, "limit_offset_unit": "quote"}, "limit_offset"),
        ({"order_type": "stp", "stop_price": 5, "limit_price": None, "limit_offset": 1}, "limit_offset_unit"),
        ({"trailing_deviation": 1, "trailing_unit": "percent"}, "trailing_deviation"),
        ({"order_type": "trailing_stop", "limit_price": None}, "trailing_deviation"),
        (TRAILING | {"limit_price": 100}, "limit_price"),
        (TRAILING | {"stop_price": 100}, "stop_price"),
        (TRAILING | {"trailing_unit": "ticks"}, "trailing_unit"),
        (TRAILING | {"trailing_unit": None}, "trailing_unit"),
        (TRAILING | {"trailing_deviation": 0.05}, "trailing_deviation"),
        (TRAILING | {"trailing_deviation": 51}, "trailing_deviation"),
        ({"cli_ord_id": ""}, "cli_ord_id"),
        ({"cli_ord_id": "x" * 101}, "cli_ord_id"),
        ({"cli_ord_id": "a\nb"}, "cli_ord_id"),
        ({"time_to_live": 0}, "time_to_live"),
        ({"time_to_live": "5"}, "time_to_live"),
        ({"time_to_live": math.inf}, "time_to_live"),
        ({"price_deviation": -1}, "price_deviation"),
        ({"price_deviation": math.nan}, "price_deviation"),
    ],
)
def test_senseless_fields_are_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(OrderRefused) as caught:
        Order(**({"symbol": "PF_XBTUSD", "side": "buy", "size": 1, "limit_price": 100} | fields))
    assert caught.value.field == field
    assert caught.value.rule


def test_type_follows_the_limit_price() -> None:
    assert Order("pf_xbtusd", "BUY", 1).order_type == "mkt"
    assert Order("PF_XBTUSD", "buy", 1, limit_price=5).order_type == "lmt"
    assert str(Order("pf_xbtusd", "BUY", 0.1, 60000.0)) == "buy 0.1 PF_XBTUSD limit at 60000"


def test_common_names_of_order_types_are_met_with_the_exchanges() -> None:
    with pytest.raises(OrderRefused, match="did you mean 'lmt'") as caught:
        Order("PF_XBTUSD", "buy", 1, 100, order_type="limit")
    assert caught.value.suggestion == "lmt"


def test_off_the_grid_is_refused_with_both_neighbours() -> None:
    with pytest.raises(OrderRefused, match=r"not a multiple of the tick size 1: use 60000 or 60001") as caught:
        check(Order("PF_XBTUSD", "buy", 1, limit_price=60000.4), instrument(tick_size=1.0))
    assert (caught.value.field, caught.value.rule, caught.value.suggestion) == ("limit_price", "tick", Decimal(60000))
    with pytest.raises(OrderRefused, match=r"use 0\.0001") as caught:
        check(Order("PF_XBTUSD", "buy", 0.00004), instrument())
    assert (caught.value.rule, caught.value.suggestion) == ("minimum", Decimal("0.0001"))


def test_binary_noise_is_removed() -> None:
    order = check(Order("PF_XBTUSD", "buy", 0.1 + 0.2, limit_price=60000), instrument())
    assert order.size == Decimal("0.3")
    assert order_params(order, "PF_XBTUSD")["size"] == "0.3"


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_every_point_of_the_grid_is_accepted_and_sent_exactly(size: int, price: int) -> None:
    rules = instrument(size_step=0.0001, tick_size=1e-05, max_position_size=1e9)
    order = check(Order("PF_XBTUSD", "sell", size * 0.0001, limit_price=price * 1e-05), rules)
    sent = dict(parse_qsl(encode(order_params(order, "PF_XBTUSD"))))
    assert Decimal(sent["size"]) == Decimal(size).scaleb(-4)
    assert Decimal(sent["limitPrice"]) == Decimal(price).scaleb(-5)
    assert "e" not in (sent["size"] + sent["limitPrice"]).lower()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order("PF_XBTUSD", "buy", notional="1000"), "buy 1000 USD of PF_XBTUSD market"),
        (Order("PI_XBTUSD", "sell", margin_share=0.25), "sell 25 % of what margin allows of PI_XBTUSD market"),
        (
            Order("PF_XBTUSD", "sell", 1, order_type="trailing_stop", trailing_deviation=2.5, trailing_unit="percent"),
            "sell 1 PF_XBTUSD trailing stop 2.5 % behind",
        ),
        (
            Order("PF_XBTUSD", "sell", 1, order_type="stp", stop_price=90, limit_offset=-1, limit_offset_unit="quote"),
            "sell 1 PF_XBTUSD stop triggered at 90 with its limit -1 USD from the trigger price",
        ),
    ],
)
def test_an_order_in_words(order: Order, words: str) -> None:
    assert str(order) == words


def test_a_repr_is_what_one_would_type() -> None:
    order = Order("pf_xbtusd", "buy", 0.1, 60000.0, reduce_only=True)
    assert repr(order) == "Order('PF_XBTUSD', 'buy', '0.1', limit_price='60000', order_type='lmt', reduce_only=True)"
    assert eval(repr(order), {"Order": Order}) == order
    assert repr(Edit("id", size=2)) == "Edit(order_id='id', size='2')"


def test_a_size_that_is_not_worked_out_is_not_used() -> None:
    with pytest.raises(OrderRefused, match="preview the order first") as caught:
        order_params(Order("PF_XBTUSD", "buy", notional=100), "PF_XBTUSD")
    assert (caught.value.field, caught.value.rule) == ("notional", "sized")


def test_every_field_has_its_parameter_on_the_wire() -> None:
    """The exchange's names and words of api-facts 3B, sendorder."""
    stop = Order("PF_XBTUSD", "sell", "1.50", order_type="stp", stop_price=90, trigger_signal="mark", reduce_only=True,
                 limit_offset="-0.50", limit_offset_unit="percent", cli_ord_id="mine")  # fmt: skip
    assert dict(parse_qsl(encode(order_params(stop, "PF_XBTUSD")))) == {
        "orderType": "stp", "symbol": "PF_XBTUSD", "side": "sell", "size": "1.5", "stopPrice": "90",
        "triggerSignal": "mark", "reduceOnly": "true", "limitPriceOffsetValue": "-0.5",
        "limitPriceOffsetUnit": "PERCENT", "cliOrdId": "mine",
    }  # fmt: skip
    trailing = Order("PF_XBTUSD", "buy", 1, order_type="trailing_stop", trailing_deviation=25, trailing_unit="quote")
    assert dict(parse_qsl(encode(order_params(trailing, "PF_XBTUSD")))) == {
        "orderType": "trailing_stop", "symbol": "PF_XBTUSD", "side": "buy", "size": "1",
        "trailingStopMaxDeviation": "25", "trailingStopDeviationUnit": "QUOTE_CURRENCY",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(ORDER_TYPES.values()))
def test_the_common_name_of_every_type_leads_to_its_code(name: str) -> None:
    if name in ORDER_TYPES:
        return
    with pytest.raises(OrderRefused) as caught:
        Order("PF_XBTUSD", "buy", 1, 100, order_type=name)
    assert ORDER_TYPES[str(caught.value.suggestion)] == name


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"size": 1}, "order_id"),
        ({"order_id": "a", "cli_ord_id": "b", "size": 1}, "order_id"),
        ({"order_id": 5, "size": 1}, "order_id"),
        ({"order_id": "a"}, "size"),
        ({"order_id": "a", "size": 0}, "size"),
        ({"order_id": "a", "trailing_deviation": 1}, "trailing_unit"),
        ({"order_id": "a", "trailing_deviation": 0.01, "trailing_unit": "percent"}, "trailing_deviation"),
        ({"order_id": "a", "size": 1, "trailing_unit": "percent"}, "trailing_unit"),
    ],
)
def test_senseless_changes_are_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(OrderRefused) as caught:
        Edit(**fields)
    assert caught.value.field == field


def test_changes_are_held_against_the_grid() -> None:
    exact = check_edit(Edit("a", size=0.1 + 0.2, limit_price=100.5), instrument())
    assert (exact.size, exact.limit_price) == (Decimal("0.3"), Decimal("100.5"))
    for change, field in (({"size": 0.00015}, "size"), ({"stop_price": 100.3}, "stop_price")):
        with pytest.raises(OrderRefused) as caught:
            check_edit(Edit("a", **change), instrument())
        assert caught.value.field == field
    assert str(Edit("a", size=2, limit_price=100)) == "change order a to size 2, limit 100"


def test_a_cancellation_names_one_order() -> None:
    assert str(Cancel(cli_ord_id="mine")) == "cancel order mine"
    with pytest.raises(OrderRefused, match="exactly one"):
        Cancel()
