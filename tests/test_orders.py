"""Orders: what is refused before the wire, the preview's arithmetic, and what an answer is taken to mean."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kfut_analytics as kfut
from kfut_analytics import orders, schema
from kfut_analytics.contracts import MarginTier
from kfut_analytics.errors import OrderRefused
from kfut_analytics.orders import Market, Order, check, preview
from kfut_analytics.rest.order_events import cancel_all_result, cancel_result, order_result
from kfut_analytics.rest.signing import encode
from kfut_analytics.rest.venue import order_params


def instrument(**changes: Any) -> pd.Series[Any]:
    row = {
        "symbol": ["PF_XBTUSD"],
        "type": ["flexible_futures"],
        "tick_size": [1.0],
        "size_step": [0.0001],
        "max_position_size": [1200.0],
        "is_expired": [False],
        "post_only": [False],
    } | {name: [value] for name, value in changes.items()}
    return schema.INSTRUMENTS.frame(row).iloc[0]


def market(position: float = 0.0, **changes: Any) -> Market:
    levels = {
        "side": ["bid", "bid", "ask", "ask", "ask"],
        "price": [99.0, 98.0, 101.0, 102.0, 104.0],
        "size": [2.0, 5.0, 1.0, 2.0, 10.0],
        "cumulative_size": [2.0, 7.0, 1.0, 3.0, 13.0],
    }
    ticker = {"symbol": ["PF_XBTUSD"], "mark_price": [100.0], "bid": [99.0], "ask": [101.0], "suspended": [False]}
    return Market(
        instrument=instrument(**changes),
        ticker=schema.TICKERS.frame(ticker).iloc[0],
        book=schema.ORDER_BOOK.frame(levels),
        position=position,
        tiers=[MarginTier(0, 0.1, 0.05), MarginTier(500, 0.2, 0.1)],
        available_margin=1000.0,
        margin_currency="USD",
        env="paper",
        time=pd.Timestamp("2026-11-22", tz="UTC"),
    )


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
    ],
)
def test_senseless_fields_are_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(OrderRefused) as caught:
        Order(**({"symbol": "PF_XBTUSD", "side": "buy", "size": 1, "limit_price": 100} | fields))
    assert caught.value.field == field


def test_type_follows_the_limit_price() -> None:
    assert Order("pf_xbtusd", "BUY", 1).order_type == "mkt"
    assert Order("PF_XBTUSD", "buy", 1, limit_price=5).order_type == "lmt"
    assert str(Order("pf_xbtusd", "BUY", 0.1, 60000.0)) == "buy 0.1 PF_XBTUSD limit at 60000"


def test_off_the_grid_is_refused_with_both_neighbours() -> None:
    with pytest.raises(OrderRefused, match=r"not a multiple of the tick size 1: use 60000 or 60001") as caught:
        check(Order("PF_XBTUSD", "buy", 1, limit_price=60000.4), instrument())
    assert (caught.value.field, caught.value.suggestion) == ("limit_price", Decimal(60000))
    with pytest.raises(OrderRefused, match=r"use 0\.0001") as caught:
        check(Order("PF_XBTUSD", "buy", 0.00004), instrument())
    assert caught.value.suggestion == Decimal("0.0001")


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


def test_contract_states_are_checked() -> None:
    with pytest.raises(OrderRefused, match="expired"):
        check(Order("PF_XBTUSD", "buy", 1), instrument(is_expired=True))
    with pytest.raises(OrderRefused, match="post-only"):
        check(Order("PF_XBTUSD", "buy", 1), instrument(post_only=True))
    with pytest.raises(OrderRefused, match="largest position"):
        check(Order("PF_XBTUSD", "buy", 1201), instrument())


def test_preview_of_a_market_order_walks_the_book() -> None:
    seen = preview(Order("PF_XBTUSD", "buy", 4), market(position=-1))
    # 1 at 101, 2 at 102, 1 at 104
    assert seen.immediate_price == pytest.approx((101 + 204 + 104) / 4)
    assert (seen.immediate_size, seen.resting_size) == (4, 0)
    assert seen.slippage_bps == pytest.approx((102.25 / 100 - 1) * 1e4)
    assert seen.notional == pytest.approx(409)
    assert seen.fee == pytest.approx(409 * 0.0005)
    assert (seen.position_before, seen.position_after) == (-1, 3)
    assert (seen.initial_margin_before, seen.initial_margin_after) == pytest.approx((10, 30))
    assert not seen.warnings
    assert "buy 4 PF_XBTUSD market" in repr(seen)
    assert "buy 4 PF_XBTUSD market" in seen._repr_html_()


def test_preview_of_a_limit_order_splits_into_filled_and_resting() -> None:
    seen = preview(Order("PF_XBTUSD", "buy", 4, limit_price=102), market())
    assert (seen.immediate_size, seen.resting_size) == (3, 1)
    assert seen.fee == pytest.approx((101 + 204) * 0.0005 + 102 * 0.0002)


@pytest.mark.parametrize("kind", ["post", "stp", "take_profit"])
def test_some_types_fill_nothing_at_once(kind: str) -> None:
    stop = None if kind == "post" else 105
    seen = preview(Order("PF_XBTUSD", "buy", 2, limit_price=98, order_type=kind, stop_price=stop), market())
    assert seen.immediate_size == 0
    assert math.isnan(seen.immediate_price)
    assert seen.resting_size == 2


@pytest.mark.parametrize(
    ("order", "position", "warning"),
    [
        (Order("PF_XBTUSD", "buy", 20), 0, "fills only 13 of 20"),
        (Order("PF_XBTUSD", "buy", 20, 105, "fok"), 0, "cannot fill the whole"),
        (Order("PF_XBTUSD", "buy", 1, 101, "post"), 0, "would execute at once"),
        (Order("PF_XBTUSD", "sell", 1, 120), 0, r"\+20.0% from the mark"),
        (Order("PF_XBTUSD", "buy", 1, reduce_only=True), 1, "no position on the other side"),
        (Order("PF_XBTUSD", "sell", 100, 110), 0, "but only 1,000.00 USD is available"),
    ],
)
def test_warnings(order: Order, position: float, warning: str) -> None:
    found = preview(order, market(position=position)).warnings
    assert any(pd.Series([text]).str.contains(warning).iloc[0] for text in found), found


def test_inverse_previews_are_in_coin() -> None:
    seen = preview(Order("PF_XBTUSD", "sell", 2), market(type="futures_inverse"))
    assert seen.immediate_price == pytest.approx(99)
    assert seen.notional == 2
    assert seen.fee == pytest.approx(2 / 99 * 0.0005)
    assert seen.initial_margin_after == pytest.approx(2 * 0.1 / 100)


def test_prices_are_shown_with_the_decimals_of_the_tick() -> None:
    lines = dict(preview(Order("PF_XBTUSD", "buy", 4), market()).lines())
    assert lines["Quote"] == "bid 99, ask 101, mark 100"
    assert lines["At once"].startswith("4 at 102.2 on average")  # 102.25, between two ticks
    fine = dict(preview(Order("PF_XBTUSD", "buy", 1), market(tick_size=1e-05)).lines())
    assert fine["Quote"] == "bid 99.00000, ask 101.00000, mark 100.00000"


def answer(status: str, events: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {"result": "success", "sendStatus": {"status": status, "orderEvents": events} | fields}


EXECUTION = {"type": "EXECUTION", "executionId": "e", "price": 100.0, "amount": 1, "orderPriorExecution": {}}


@pytest.mark.parametrize(
    ("body", "status", "reason", "filled"),
    [
        (answer("placed", [{"type": "PLACE", "order": {"orderId": "o"}}], order_id="o"), "placed", "placed", 0),
        (answer("placed", [EXECUTION, EXECUTION]), "filled", "placed", 2),
        (answer("placed", [EXECUTION, {"type": "PLACE", "order": {}}]), "partially_filled", "placed", 1),
        (answer("insufficientAvailableFunds", []), "rejected", "insufficientAvailableFunds", 0),
        (answer("postWouldExecute", [{"type": "REJECT", "reason": "X"}]), "rejected", "postWouldExecute", 0),
        (answer("placed", [{"type": "REJECT", "reason": "POST_WOULD_EXECUTE"}]), "rejected", "POST_WOULD_EXECUTE", 0),
        (answer("somethingNew", []), "rejected", "somethingNew", 0),
        (answer("placed", [{"type": "PLACE", "order": {}}, {"type": "CANCEL", "uid": "o"}]), "cancelled", "placed", 0),
        (answer("placed", [EXECUTION, {"type": "CANCEL", "uid": "o"}]), "partially_filled", "placed", 1),
        (answer("cancelled", []), "cancelled", "cancelled", 0),
        (answer("filled", []), "filled", "filled", 2),
        ({"sendStatus": {"status": "placed", "orderEvents": None}}, "placed", "placed", 0),
    ],
)
def test_what_an_answer_means(body: dict[str, Any], status: str, reason: str, filled: float) -> None:
    result = order_result(body, Order("PF_XBTUSD", "buy", 2, limit_price=100))
    assert (result.status, result.reason, result.filled_size) == (status, reason, filled)
    assert result.message


def test_a_partial_fill_without_executions_does_not_guess_its_size() -> None:
    result = order_result(answer("partiallyFilled", []), Order("PF_XBTUSD", "buy", 2, limit_price=100))
    assert result.status == "partially_filled"
    assert math.isnan(result.filled_size)


def test_what_happens_to_the_rest_is_said() -> None:
    ioc = Order("PF_XBTUSD", "buy", 2, limit_price=100, order_type="IOC")
    assert "The rest is cancelled." in order_result(answer("placed", [EXECUTION]), ioc).message
    resting = Order("PF_XBTUSD", "buy", 2, limit_price=100)
    assert "The rest stays in the book." in order_result(answer("placed", [EXECUTION]), resting).message
    stop = Order("PF_XBTUSD", "sell", 2, order_type="stp", stop_price=90)
    assert "waits for its trigger price" in order_result(answer("placed", [{"type": "PLACE"}]), stop).message


def test_common_names_of_order_types_are_met_with_the_exchanges() -> None:
    with pytest.raises(OrderRefused, match="did you mean 'lmt'") as caught:
        Order("PF_XBTUSD", "buy", 1, 100, order_type="limit")
    assert caught.value.suggestion == "lmt"


def test_recorded_answers_to_orders(recordings: Path) -> None:
    """Executions in a recorded ``placed`` answer are a fill, with their sizes and prices."""
    files = sorted(recordings.glob("*/sendorder__*.json"))
    assert files
    statuses = set()
    for path in files:
        body = json.loads(path.read_text())
        event = body["sendStatus"]["orderEvents"][0]
        of = event.get("order") or event.get("orderPriorExecution") or event["orderTrigger"]
        result = order_result(body, Order(of["symbol"], of["side"], of["quantity"], limit_price=of["limitPrice"]))
        executed = [e for e in body["sendStatus"]["orderEvents"] if e["type"] == "EXECUTION"]
        assert result.status == ("filled" if executed else "placed")
        assert result.order_id == body["sendStatus"]["order_id"]
        assert result.filled_size == sum(e["amount"] for e in executed)
        if executed:
            assert result.average_price == pytest.approx(executed[0]["price"])
        statuses.add(result.status)
    assert statuses == {"filled", "placed"}


def test_recorded_answers_to_cancellations(recordings: Path) -> None:
    for path in recordings.glob("*/cancelorder__*.json"):
        body = json.loads(path.read_text())
        result = cancel_result(body)
        assert result.status == "cancelled"
        assert result.order_ids == (body["cancelStatus"]["order_id"],)
    for path in recordings.glob("*/cancelallorders__*.json"):
        body = json.loads(path.read_text())
        expected = tuple(item["order_id"] for item in body["cancelStatus"]["cancelledOrders"])
        assert cancel_all_result(body).order_ids == expected


@pytest.mark.parametrize(("word", "status"), [("filled", "filled"), ("notFound", "not_found"), ("new", "unknown")])
def test_cancellations_that_come_too_late(word: str, status: str) -> None:
    assert cancel_result({"cancelStatus": {"status": word, "order_id": "o"}}).status == status


def test_nothing_to_cancel() -> None:
    body = {"cancelStatus": {"status": "noOrdersToCancel", "cancelledOrders": []}}
    assert cancel_all_result(body).status == "nothing_to_cancel"


def test_unknown_words_are_shown_verbatim() -> None:
    assert "'brandNew'" in orders.explain("brandNew")
    assert kfut.Order is Order
