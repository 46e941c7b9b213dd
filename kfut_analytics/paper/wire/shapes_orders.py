"""The JSON of orders: those that are open, what became of a request, and the events of it (api-facts 3B)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.engine.orders import Cancelled, Edited, Event, Executed, Order, Outcome, Placed, Rejected

Json = dict[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SIGNALS = {"mark": "mark_price", "last": "last_price", "index": "spot_price"}


def open_order(order: Order) -> Json:
    """A row of ``openOrders``."""
    row: Json = {"order_id": order.order_id}
    if order.cli_ord_id is not None:
        row["cliOrdId"] = order.cli_ord_id
    row |= {"symbol": order.contract.symbol, "side": order.side}
    row["orderType"] = "lmt" if order.order_type == "post" else order.order_type
    if order.order_type == "stp":
        row["orderType"] = "stop"
    if order.limit_price is not None:
        row["limitPrice"] = order.limit_price
    if order.stop_price is not None:
        row["stopPrice"] = order.stop_price
    row |= {
        "unfilledSize": order.remaining,
        "receivedTime": iso(order.received),
        "status": "partiallyFilled" if order.filled else "untouched",
        "filledSize": order.filled,
        "reduceOnly": order.reduce_only,
    }
    if order.is_trigger:
        row["triggerSignal"] = "spot" if order.trigger_signal == "index" else order.trigger_signal
    row["lastUpdateTime"] = iso(order.updated)
    return row


def send_status(outcome: Outcome, *, received: float, cli_ord_id: str | None) -> Json:
    """``sendStatus``."""
    status: Json = {"status": outcome.status, "receivedTime": iso(received)}
    if outcome.order is not None:
        status["order_id"] = outcome.order.order_id
        status["orderEvents"] = [event(item) for item in outcome.events]
    if cli_ord_id is not None:
        status["cliOrdId"] = cli_ord_id
    return status


def cancel_status(outcome: Outcome, *, received: float, order_id: str | None, cli_ord_id: str | None) -> Json:
    """``cancelStatus`` of one order."""
    status: Json = {"status": outcome.status, "receivedTime": iso(received)}
    if outcome.order is not None:
        order_id, cli_ord_id = outcome.order.order_id, outcome.order.cli_ord_id
        status["orderEvents"] = [event(item) for item in outcome.events]
    return status | _ids(order_id=order_id, cliOrdId=cli_ord_id)


def cancel_all_status(outcomes: Iterable[Outcome], *, received: float, symbol: str | None) -> Json:
    """``cancelStatus`` of all orders."""
    outcomes = list(outcomes)
    cancelled = []
    for order in (outcome.order for outcome in outcomes):
        assert order is not None
        named = {} if order.cli_ord_id is None else {"cliOrdId": order.cli_ord_id}
        cancelled.append(named | {"order_id": order.order_id})
    return {
        "receivedTime": iso(received),
        "cancelOnly": symbol.upper() if symbol else "all",
        "status": "cancelled" if outcomes else "noOrdersToCancel",
        "cancelledOrders": cancelled,
        # Triggers are listed as cancelled but have no event, in the specification and in recordings.
        "orderEvents": [
            event(item)
            for outcome in outcomes
            if outcome.order and not outcome.order.is_trigger
            for item in outcome.events
        ],
    }


def edit_status(outcome: Outcome, *, received: float, order_id: str | None, cli_ord_id: str | None) -> Json:
    """``editStatus``; its ids are spelled unlike those of the other answers."""
    order = outcome.order
    if order is not None:
        order_id, cli_ord_id = order.order_id, order.cli_ord_id
    return {
        "status": outcome.status,
        "receivedTime": iso(received),
        "orderEvents": [event(item) for item in outcome.events],
    } | _ids(orderId=order_id, cliOrdId=cli_ord_id)


def batch_status(
    outcome: Outcome,
    status: str | None = None,
    *,
    tag: str | None = None,
    order_id: str | None = None,
    cli_ord_id: str | None = None,
) -> Json:
    """A row of ``batchStatus``; an order that was not placed is known by its tag only."""
    row: Json = {"status": status or outcome.status}
    order = outcome.order
    if order is not None and (tag is None or outcome.status == "placed"):
        order_id, cli_ord_id = order.order_id, order.cli_ord_id
    row |= _ids(order_tag=tag, order_id=order_id, cliOrdId=cli_ord_id)
    return row | {"orderEvents": [event(item) for item in outcome.events]}


def _ids(**named: str | None) -> Json:
    """Those ids that there are; an order's id that cannot be one is not repeated."""
    return {
        name: value
        for name, value in named.items()
        if value is not None and (name not in ("order_id", "orderId") or _UUID.fullmatch(value))
    }


def order_status(order: Order, status: str, reason: str | None) -> Json:
    """A row of ``orders/status``."""
    body = _order(order) | {"type": "TRIGGER_ORDER" if order.is_trigger else "ORDER"}
    body["priceTriggerOptions"] = (
        {
            "triggerPrice": order.stop_price,
            "triggerSide": "TRIGGER_ABOVE" if order.triggers_above else "TRIGGER_BELOW",
            "triggerSignal": _SIGNALS[order.trigger_signal].upper(),
        }
        if order.is_trigger
        else None
    )
    return {
        "order": body | {"triggerTime": None, "algoId": None},
        "status": status,
        "updateReason": reason,
        "error": None,
    }


def event(item: Event) -> Json:
    """One of ``orderEvents``."""
    match item:
        case Placed(order, reduced):
            if order.is_trigger:
                return {"orderTrigger": _trigger(order), "type": "PLACE"}
            return {"order": _order(order), "reducedQuantity": reduced, "type": "PLACE"}
        case Executed(execution_id, price, size, order):
            return {
                "executionId": execution_id,
                "price": price,
                "amount": size,
                "orderPriorEdit": None,
                "orderPriorExecution": _order(order),
                "takerReducedQuantity": None,
                "type": "EXECUTION",
            }
        case Rejected(order, reason):
            return {"uid": order.order_id} | _named(order) | {"reason": reason, "type": "REJECT"}
        case Cancelled(order):
            return {"uid": order.order_id} | _named(order) | {"type": "CANCEL"}
        case Edited(old, new):
            show = _trigger if new.is_trigger else _order
            return {"old": show(old), "new": show(new), "reducedQuantity": None, "type": "EDIT"}


def _named(order: Order) -> Json:
    return {"orderTrigger": _trigger(order)} if order.is_trigger else {"order": _order(order)}


def _order(order: Order) -> Json:
    return {
        "orderId": order.order_id,
        "cliOrdId": order.cli_ord_id,
        "type": order.order_type,
        "symbol": order.contract.symbol,
        "side": order.side,
        "quantity": order.size,
        "filled": order.filled,
        "limitPrice": order.limit_price,
        "reduceOnly": order.reduce_only,
        "timestamp": iso(order.received),
        "lastUpdateTimestamp": iso(order.updated),
    }


def _trigger(order: Order) -> Json:
    return {
        "uid": order.order_id,
        "clientId": order.cli_ord_id,
        "type": "lmt" if order.limit_price is not None else "ioc",
        "symbol": order.contract.symbol,
        "side": order.side,
        "quantity": order.size,
        "limitPrice": order.limit_price,
        "triggerPrice": order.stop_price,
        "triggerSide": "trigger_above" if order.triggers_above else "trigger_below",
        "triggerSignal": _SIGNALS[order.trigger_signal],
        "reduceOnly": order.reduce_only,
        "timestamp": iso(order.received),
        "lastUpdateTimestamp": iso(order.updated),
        "startTime": None,
    }
