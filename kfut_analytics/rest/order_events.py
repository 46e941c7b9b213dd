"""What an order call's answer says about the order (api-facts 3B, orderEvents).

``result: "success"`` only means that the request was assessed; the outcome is in the status word and the events, and
an order that was filled at once still says ``placed``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from ..contracts import is_inverse
from ..orders import (
    IMMEDIATE_TYPES,
    REASONS,
    TRIGGER_TYPES,
    Cancel,
    CancelResult,
    Edit,
    EditResult,
    Order,
    OrderResult,
    average_price,
    explain,
)
from ..venue import Instruction, InstructionResult
from .decode import Row, container, number, rows, text

_ACCEPTED = frozenset({"placed", "partiallyFilled", "filled", "cancelled", "edited"})


def order_result(body: Mapping[str, Any], order: Order) -> OrderResult:
    """The outcome of ``/sendorder``."""
    return _order_outcome(container(body, "sendStatus", dict), order)


def _order_outcome(status: Mapping[str, Any], order: Order) -> OrderResult:
    word = container(status, "status", str)
    events = rows(status, "orderEvents") if status.get("orderEvents") is not None else []
    rejections = [event for event in events if event.get("type") == "REJECT"]
    withdrawn = any(event.get("type") == "CANCEL" for event in events)
    filled, average = _executed(events, order.symbol)
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
    if word not in _ACCEPTED and word not in REASONS and any(event.get("type") == "PLACE" for event in events):
        return outcome("unknown", word, explain(word))
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


def _executed(events: list[Row], symbol: str) -> tuple[float, float]:
    """Contracts that were filled at once and their average price; no price where nothing was."""
    executions = [event for event in events if event.get("type") == "EXECUTION"]
    sizes = [number(event.get("amount"), "amount") for event in executions]
    prices = [number(event.get("price"), "price") for event in executions]
    filled = math.fsum(sizes)
    if not filled:
        return 0.0, math.nan
    order = executions[0].get("orderPriorExecution")
    told = text(order.get("symbol")) if isinstance(order, dict) else ""
    return filled, average_price(sizes, prices, inverse=is_inverse(symbol or told))


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
    return _cancel_outcome(container(body, "cancelStatus", dict))


def _cancel_outcome(status: Mapping[str, Any]) -> CancelResult:
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


def edit_result(body: Mapping[str, Any], edit: Edit) -> EditResult:
    """The outcome of ``/editorder``."""
    return _edit_outcome(container(body, "editStatus", dict), edit)


def _edit_outcome(status: Mapping[str, Any], edit: Edit) -> EditResult:
    word = container(status, "status", str)
    events = rows(status, "orderEvents") if status.get("orderEvents") is not None else []
    filled, average = _executed(events, "")
    outcome = partial(
        EditResult,
        reason=word,
        order_id=text(status.get("orderId") or status.get("order_id")) or edit.order_id or "",
        cli_ord_id=text(status.get("cliOrdId")) or edit.cli_ord_id or "",
        filled_size=filled,
        average_price=average,
    )
    if word in {"orderForEditNotFound", "notFound"}:
        return outcome("not_found", message="The exchange knows no such open order.")
    if word not in _ACCEPTED:
        return outcome("rejected", message=f"Not changed. {explain(word)}")
    if filled:
        message = f"Changed; at its new terms {filled:,.10g} contracts were filled at once."
        return outcome("edited", message=message)
    return outcome("edited", message="Changed.")


def batch_results(body: Mapping[str, Any], instructions: Sequence[Instruction]) -> list[InstructionResult]:
    """The outcomes of ``/batchorder``, in the order of the instructions.

    The answer may have another order (api-facts 3B): its rows are told by their tag, else by their ids. An instruction
    of which the answer says nothing is ``unknown``.
    """
    answers = rows(body, "batchStatus")
    return [_batch_outcome(_row_of(answers, str(tag), item), item) for tag, item in enumerate(instructions)]


def _row_of(answers: list[Row], tag: str, instruction: Instruction) -> Row | None:
    tagged = next((row for row in answers if text(row.get("order_tag")) == tag), None)
    if tagged is not None or isinstance(instruction, Order):
        return tagged
    untagged = (row for row in answers if not text(row.get("order_tag")))
    wanted = {instruction.order_id, instruction.cli_ord_id} - {None}
    words = _EDIT_WORDS if isinstance(instruction, Edit) else _CANCEL_WORDS
    named = [row for row in untagged if wanted & {text(row.get("order_id")), text(row.get("cliOrdId"))}]
    return next((row for row in named if row.get("status") in words), named[0] if named else None)


_EDIT_WORDS = frozenset({"edited", "orderForEditNotFound", "orderForEditNotAStop"})
_CANCEL_WORDS = frozenset({"cancelled", "filled", "notFound"})


def _batch_outcome(row: Row | None, instruction: Instruction) -> InstructionResult:
    message = "The answer says nothing of this instruction."
    match instruction:
        case Order():
            if row is None:
                return OrderResult("unknown", "", message, cli_ord_id=instruction.cli_ord_id or "")
            return _order_outcome(row, instruction)
        case Edit():
            return EditResult("unknown", "", message) if row is None else _edit_outcome(row, instruction)
        case Cancel():
            return CancelResult("unknown", "", message) if row is None else _cancel_outcome(row)


def trigger_time(body: Mapping[str, Any]) -> pd.Timestamp | None:
    """When the exchange will cancel all orders, by ``/cancelallordersafter``; None (``"0"``) where it will not."""
    when = text(container(body, "status", dict).get("triggerTime"))
    return None if when in {"", "0"} else pd.Timestamp(when).tz_convert("UTC")


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
