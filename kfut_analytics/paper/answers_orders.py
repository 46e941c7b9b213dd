"""Answers of the operations that send, change and withdraw orders."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from kfut_analytics.paper import wire
from kfut_analytics.paper.call import Call, Json, RefusedError
from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.params import (
    BadArgumentError,
    Params,
    edit_request,
    order_ids,
    order_request,
)

CLOSED_SECONDS = 5.0
LONGEST_TIMEOUT = 2**32 - 1

# What the batch says where a single order is refused as a whole, or with another word (api-facts 4.4).
_BATCH_ARGUMENTS = {
    "invalid order type": "invalidOrderType",
    "Argument invalid: side": "invalidSide",
    "Argument invalid: size": "invalidSize",
    "Argument invalid: limitPrice": "invalidPrice",
    "Argument invalid: stopPrice": "invalidPrice",
}
_BATCH_WORDS = {"clientOrderIdTooBig": "clientOrderIdTooLong"}


def sendorder(call: Call) -> Json:
    """POST /sendorder."""
    request = order_request(call.params)
    outcome = call.exchange.submit(call.account, request)
    status = wire.send_status(outcome, received=call.exchange.now, cli_ord_id=request.cli_ord_id)
    return {"sendStatus": status}


def editorder(call: Call) -> Json:
    """POST /editorder."""
    order_id, cli_ord_id = call.params.get("orderId"), call.params.get("cliOrdId")
    outcome = call.exchange.edit(call.account, edit_request(call.params, "orderId"))
    status = wire.edit_status(outcome, received=call.exchange.now, order_id=order_id, cli_ord_id=cli_ord_id)
    return {"editStatus": status}


def orders_status(call: Call) -> Json:
    """POST /orders/status: open orders and those closed in the last seconds."""
    wanted = {*call.params.all("orderIds"), *call.params.all("cliOrdIds")}
    rows = [
        (order, "TRIGGER_PLACED" if order.is_trigger else "ENTERED_BOOK", "NEW_USER_ORDER")
        for order in call.account.orders.values()
    ] + [
        (closed.order, closed.status, closed.reason)
        for closed in call.account.closed
        if closed.time >= call.exchange.now - CLOSED_SECONDS
    ]
    return {
        "orders": [
            wire.order_status(order, status, reason)
            for order, status, reason in rows
            if not wanted or wanted & {order.order_id, order.cli_ord_id}
        ]
    }


def cancelorder(call: Call) -> Json:
    """POST /cancelorder."""
    order_id, cli_ord_id = order_ids(call.params, "order_id")
    outcome = call.exchange.cancel(call.account, order_id=order_id, cli_ord_id=cli_ord_id)
    status = wire.cancel_status(outcome, received=call.exchange.now, order_id=order_id, cli_ord_id=cli_ord_id)
    return {"cancelStatus": status}


def cancelallorders(call: Call) -> Json:
    """POST /cancelallorders."""
    symbol = call.params.get("symbol")
    outcomes = call.exchange.cancel_all(call.account, symbol)
    return {"cancelStatus": wire.cancel_all_status(outcomes, received=call.exchange.now, symbol=symbol)}


def cancelallordersafter(call: Call) -> Json:
    """POST /cancelallordersafter: without a timeout nothing changes."""
    timeout = call.params.integer("timeout")
    if timeout is not None:
        if not 0 <= timeout <= LONGEST_TIMEOUT:
            raise BadArgumentError("Argument invalid: timeout")
        call.exchange.cancel_all_after(call.account, timeout)
    trigger = call.account.cancel_at
    return {"status": {"currentTime": iso(call.exchange.now), "triggerTime": "0" if trigger is None else iso(trigger)}}


def batchorder(call: Call) -> Json:
    """POST /batchorder: every instruction is understood before the first one is carried out."""
    try:
        # Numbers stay the texts they are.
        batch = json.loads(call.params.require("json"), parse_float=str, parse_int=str)
    except (json.JSONDecodeError, RecursionError):
        raise RefusedError("Json Parse Error") from None
    instructions = batch.get("batchOrder") if isinstance(batch, dict) else None
    if not isinstance(instructions, list):
        raise BadArgumentError("Argument invalid: json")
    deadline = call.params.get("ProcessBefore") or call.params.get("processBefore")
    prepared = [_prepared(call, _instruction(item, deadline)) for item in instructions]
    return {"batchStatus": [carry_out() for carry_out in prepared]}


def _instruction(item: Any, deadline: str | None) -> Params:
    """An instruction as the parameters of a single call."""
    if not isinstance(item, dict):
        raise BadArgumentError("Argument invalid: batchOrder")
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in item.items()
        if value is not None
    }
    return Params([*texts.items(), *([("processBefore", deadline)] if deadline else [])])


def _prepared(call: Call, params: Params) -> Callable[[], Json]:
    """An instruction, ready to be carried out."""
    exchange, account = call.exchange, call.account
    match params.choice("order", ("send", "edit", "cancel")):
        case "send":
            tag = params.require("order_tag")
            try:
                request = order_request(params)
            except BadArgumentError as error:
                if str(error) not in _BATCH_ARGUMENTS:
                    raise
                refused = {"status": _BATCH_ARGUMENTS[str(error)], "order_tag": tag, "orderEvents": []}
                return lambda: refused
            exchange.contract(request.symbol)

            def send() -> Json:
                outcome = exchange.submit(account, request)
                row = wire.batch_status(outcome, _BATCH_WORDS.get(outcome.status, outcome.status), tag=tag)
                return row | ({"dateTimeReceived": iso(exchange.now)} if outcome.status == "placed" else {})

            return send
        case "edit":
            edit = edit_request(params, "order_id")
            return lambda: wire.batch_status(
                exchange.edit(account, edit), order_id=edit.order_id, cli_ord_id=edit.cli_ord_id
            )
        case _:
            order_id, cli_ord_id = order_ids(params, "order_id")
            return lambda: wire.batch_status(
                exchange.cancel(account, order_id=order_id, cli_ord_id=cli_ord_id),
                order_id=order_id,
                cli_ord_id=cli_ord_id,
            )
