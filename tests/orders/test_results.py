"""What an answer to an order call is taken to mean."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from kfut_analytics import orders
from kfut_analytics.orders import Order
from kfut_analytics.rest.order_events import cancel_all_result, cancel_result, order_result
from tests.paper.specification import TRADING, specification


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


def test_every_word_of_the_specification_has_its_sentence() -> None:
    """Status words of orders and changes, and the errors of the matching engine."""
    schemas = specification(TRADING)["components"]["schemas"]
    words = {word for node in schemas.values() for word in enums(node)}
    assert {"outsidePriceCollar", "PRICE_COLLAR", "TRAILING_STOP_MAX_DEVIATION_TOO_SMALL"} <= words
    assert [word for word in sorted(words) if repr(word) in orders.explain(word)] == []


def enums(node: Any) -> set[str]:
    """The words of every list of words that holds a refusal."""
    if isinstance(node, list):
        return set().union(*map(enums, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(enums, node.values()))
    own = {word for word in node.get("enum", ()) if isinstance(word, str)}
    return found | (own if own & {"outsidePriceCollar", "PRICE_COLLAR"} else set())
