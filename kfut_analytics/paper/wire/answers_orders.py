"""Answers of the operations that send, change and withdraw orders."""

from __future__ import annotations

from collections.abc import Callable

from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.engine.orders import Outcome
from kfut_analytics.paper.wire import shapes_orders as wire_orders
from kfut_analytics.paper.wire.call import Call, Json, RefusedError
from kfut_analytics.paper.wire.params import (
    BadArgumentError,
    Params,
    edit_request,
    instructions,
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
_TOO_LATE = Outcome("wouldProcessAfterSpecifiedTime")


def sendorder(call: Call) -> Json:
    """POST /sendorder."""
    _may_trade(call)
    request = order_request(call.params)
    outcome = call.exchange.submit(call.account, request)
    status = wire_orders.send_status(outcome, received=call.exchange.now, cli_ord_id=request.cli_ord_id)
    return {"sendStatus": status}


def editorder(call: Call) -> Json:
    """POST /editorder."""
    _may_trade(call)
    order_id, cli_ord_id = order_ids(call.params, "orderId")
    outcome = _edit(call, call.params, "orderId")
    status = wire_orders.edit_status(outcome, received=call.exchange.now, order_id=order_id, cli_ord_id=cli_ord_id)
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
            wire_orders.order_status(order, status, reason)
            for order, status, reason in rows
            if not wanted or wanted & {order.order_id, order.cli_ord_id}
        ]
    }


def cancelorder(call: Call) -> Json:
    """POST /cancelorder."""
    order_id, cli_ord_id = order_ids(call.params, "order_id")
    outcome = _cancel(call, call.params)
    status = wire_orders.cancel_status(outcome, received=call.exchange.now, order_id=order_id, cli_ord_id=cli_ord_id)
    return {"cancelStatus": status}


def cancelallorders(call: Call) -> Json:
    """POST /cancelallorders."""
    symbol = call.params.get("symbol")
    outcomes = call.exchange.cancel_all(call.account, symbol)
    return {"cancelStatus": wire_orders.cancel_all_status(outcomes, received=call.exchange.now, symbol=symbol)}


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
    prepared = [_prepared(call, params) for params in instructions(call.params)]
    return {"batchStatus": [carry_out() for carry_out in prepared]}


def _prepared(call: Call, params: Params) -> Callable[[], Json]:
    """An instruction, ready to be carried out."""
    exchange, account = call.exchange, call.account
    match params.choice("order", ("send", "edit", "cancel")):
        case "send":
            _may_trade(call)
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
                row = wire_orders.batch_status(outcome, _BATCH_WORDS.get(outcome.status, outcome.status), tag=tag)
                return row | ({"dateTimeReceived": iso(exchange.now)} if outcome.status == "placed" else {})

            return send
        case "edit":
            _may_trade(call)
            edit = edit_request(params, "order_id")
            return lambda: wire_orders.batch_status(
                _edit(call, params, "order_id"), order_id=edit.order_id, cli_ord_id=edit.cli_ord_id
            )
        case _:
            order_id, cli_ord_id = order_ids(params, "order_id")
            return lambda: wire_orders.batch_status(_cancel(call, params), order_id=order_id, cli_ord_id=cli_ord_id)


def _may_trade(call: Call) -> None:
    """An account whose trading is switched off sends and changes no orders; it may still withdraw them."""
    if not call.account.trading_enabled:
        raise RefusedError("accountInactive")


def _edit(call: Call, params: Params, name: str) -> Outcome:
    request = edit_request(params, name)
    return _TOO_LATE if _is_late(call, params) else call.exchange.edit(call.account, request)


def _cancel(call: Call, params: Params) -> Outcome:
    order_id, cli_ord_id = order_ids(params, "order_id")
    if _is_late(call, params):
        return _TOO_LATE
    return call.exchange.cancel(call.account, order_id=order_id, cli_ord_id=cli_ord_id)


def _is_late(call: Call, params: Params) -> bool:
    deadline = params.deadline()
    return deadline is not None and call.exchange.now > deadline
