"""What an order call's answer says about the order (api-facts 3B, orderEvents).

``result: "success"`` only means that the request was assessed; the outcome is in the status word and the events, and
an order that was filled at once still says ``placed``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..contracts import is_inverse
from ..orders import (
    IMMEDIATE_TYPES,
    TRIGGER_TYPES,
    CancelResult,
    Order,
    OrderResult,
    average_price,
    explain,
)
from .decode import Row, container, number, rows, text

_ACCEPTED = frozenset({"placed", "partiallyFilled", "filled", "cancelled", "edited"})


def order_result(body: Mapping[str, Any], order: Order) -> OrderResult:
    """The outcome of ``/sendorder``."""
    status = container(body, "sendStatus", dict)
    word = container(status, "status", str)
    events = rows(status, "orderEvents") if status.get("orderEvents") is not None else []
    executions = [event for event in events if event.get("type") == "EXECUTION"]
    rejections = [event for event in events if event.get("type") == "REJECT"]
    withdrawn = any(event.get("type") == "CANCEL" for event in events)
    sizes = [number(event.get("amount"), "amount") for event in executions]
    prices = [number(event.get("price"), "price") for event in executions]
    filled = math.fsum(sizes)
    average = average_price(sizes, prices, inverse=is_inverse(order.symbol)) if filled else math.nan
    outcome = partial(
        OrderResult,
        order_id=text(status.get("order_id")) or _order_id(events),
        cli_ord_id=text(status.get("cliOrdId")) or order.cli_ord_id or "",
    )
    size = float(order.contracts)
    if filled:
        whole = filled >= size * (1 - 1e-9)
        gone = withdrawn or order.order_type in IMMEDIATE_TYPES
        rest = "The rest is cancelled." if gone else "The rest stays in the book."
        amount = f"{filled:,.10g} of {size:,.10g} contracts at {average:,.10g}"
        return outcome(
            "filled" if whole else "partially_filled",
            word,
            f"Filled: {amount} on average." if whole else f"Partially filled: {amount} on average. {rest}",
            filled_size=filled,
            average_price=average,
        )
    if word not in _ACCEPTED or (rejections and len(rejections) == len(events)):
        reason = word if word not in _ACCEPTED else text(rejections[0].get("reason"))
        return outcome("rejected", reason, f"Rejected. {explain(reason)}")
    if word == "cancelled" or withdrawn:
        return outcome("cancelled", word, explain("cancelled"))
    if word == "partiallyFilled":
        message = "Partially filled; the answer carries no executions, see client.fills() for size and price."
        return outcome("partially_filled", word, message, filled_size=math.nan)
    if word == "filled":
        message = "Filled; the answer carries no executions, see client.fills() for the price."
        return outcome("filled", word, message, filled_size=size)
    if order.order_type in TRIGGER_TYPES:
        return outcome("placed", word, "Placed. The order waits for its trigger price.")
    return outcome("placed", word, f"Placed. {explain('placed')}")


def _order_id(events: list[Row]) -> str:
    for event in events:
        for name, field in (
            ("order", "orderId"),
            ("orderPriorExecution", "orderId"),
            ("orderTrigger", "uid"),
        ):
            part = event.get(name)
            if isinstance(part, dict) and part.get(field):
                return str(part[field])
    return ""


def cancel_result(body: Mapping[str, Any]) -> CancelResult:
    """The outcome of ``/cancelorder``."""
    status = container(body, "cancelStatus", dict)
    word = container(status, "status", str)
    order_id = text(status.get("order_id"))
    ids = (order_id,) if order_id and word == "cancelled" else ()
    match word:
        case "cancelled":
            return CancelResult("cancelled", word, "Cancelled: what was not filled before is withdrawn.", ids)
        case "filled":
            return CancelResult("filled", word, "Too late: the order was filled.")
        case "notFound":
            return CancelResult("not_found", word, "The exchange knows no such open order.")
        case _:
            return CancelResult("unknown", word, explain(word))


def cancel_all_result(body: Mapping[str, Any]) -> CancelResult:
    """The outcome of ``/cancelallorders``; the list of orders counts, whatever the status word."""
    status = container(body, "cancelStatus", dict)
    word = container(status, "status", str)
    cancelled = rows(status, "cancelledOrders") if status.get("cancelledOrders") is not None else []
    ids = tuple(text(item.get("order_id")) for item in cancelled)
    if ids or word == "cancelled":
        return CancelResult("cancelled", word, f"{len(ids)} orders cancelled.", ids)
    if word == "noOrdersToCancel":
        return CancelResult("nothing_to_cancel", word, "There were no open orders to cancel.")
    return CancelResult("unknown", word, explain(word))
