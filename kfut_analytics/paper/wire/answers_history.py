"""Answers of the history: events of the account and of the markets, and the account log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from starlette.responses import Response

from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.exchange import UnknownSymbolError
from kfut_analytics.paper.engine.orders import Record
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.wire import history
from kfut_analytics.paper.wire import shapes as wire
from kfut_analytics.paper.wire import shapes_history as wire_history
from kfut_analytics.paper.wire.call import Call, Json, NotFoundError, json_response
from kfut_analytics.paper.wire.history import Event, Page
from kfut_analytics.paper.wire.params import window

LOG_ROWS_DEFAULT, LOG_ROWS_LIMIT = 500, 100_000
CSV_ROWS = 500_000

T = TypeVar("T")

_CHANGES = {
    "opened": "open",
    "closed": "close",
    "increased": "increase",
    "decreased": "decrease",
    "reversed": "reverse",
    "no_change": "noChange",
}
_REASONS = {"trades": "trade", "funding_realization": "fundingRealisation", "settlement": "settlement"}


# One account -----------------------------------------------------------------------------------------------------


def executions(call: Call) -> Response:
    """GET /executions."""
    return _private(call, history.executions(call.account, _symbol(call)), wire_history.execution)


def orders(call: Call) -> Response:
    """GET /orders."""
    return _private(call, _records(call, triggers=False), wire_history.order_event)


def triggers(call: Call) -> Response:
    """GET /triggers."""
    return _private(call, _records(call, triggers=True), wire_history.trigger_event)


def positions(call: Call) -> Response:
    """GET /positions: filters of one group are alternatives, the groups hold together."""
    changes = {change for name, change in _CHANGES.items() if call.params.flag(name)}
    reasons = {reason for name, reason in _REASONS.items() if call.params.flag(name)}
    updates = (
        event
        for event in history.position_updates(call.account, _symbol(call))
        if (not changes or event.what.change in changes) and (not reasons or event.what.reason in reasons)
    )
    return _private(call, updates, wire_history.position_update)


def _records(call: Call, *, triggers: bool) -> Iterable[Event[Record]]:
    opened, closed = call.params.flag("opened"), call.params.flag("closed")
    return history.order_records(call.account, _symbol(call), triggers=triggers, opened=opened, closed=closed)


def _symbol(call: Call) -> str | None:
    name = call.params.get("tradeable")
    return None if name is None else name.upper()


def _private(call: Call, events: Iterable[Event[T]], render: Callable[[Account, Event[T]], Json]) -> Response:
    page = window(call.params).page(events)
    elements = [render(call.account, event) for event in page.events]
    return _answer(page, elements, {"accountUid": call.account.uid, "serverTime": iso(call.exchange.now)})


def _answer(page: Page[T], elements: list[Json], more: Json) -> Response:
    payload = more | {"len": len(elements), "elements": elements}
    headers = {"is-truncated": "false"}
    if page.token is not None:
        payload["continuationToken"] = page.token
        headers = {"is-truncated": "true", "Next-Continuation-Token": page.token}
    return json_response(payload, headers=headers)


def account_log(call: Call) -> Json:
    """GET /account-log: times in milliseconds, ids inclusive."""
    params = call.params
    since, before = params.integer("since"), params.integer("before")
    first, last = params.integer("from"), params.integer("to")
    infos = params.all("info")
    count = params.count(LOG_ROWS_DEFAULT, LOG_ROWS_LIMIT)
    chosen = [
        row
        for row in call.account.log
        if (since is None or round(row.date * 1000) >= since)
        and (before is None or round(row.date * 1000) < before)
        and (first is None or row.id >= first)
        and (last is None or row.id <= last)
        and (not infos or row.info in infos)
    ]
    if params.choice("sort", ("asc", "desc"), "desc") == "desc":
        chosen.reverse()
    details = bool(params.flag("conversion_details"))
    logs = [wire.log_row(row, conversion_details=details) for row in chosen[:count]]
    return {"accountUid": call.account.uid, "logs": logs}


def account_log_csv(call: Call) -> Response:
    """GET /accountlogcsv, newest first."""
    newest = call.account.log[: -CSV_ROWS - 1 : -1]
    details = bool(call.params.flag("conversion_details"))
    return Response(wire_history.account_log_csv(newest, conversion_details=details), media_type="text/csv")


# Markets ---------------------------------------------------------------------------------------------------------


def market_executions(call: Call) -> Response:
    """GET /market/{tradeable}/executions."""
    page = history.public_trades(call.exchange, _contract(call), window(call.params))
    return _answer(page, [wire_history.public_execution(event) for event in page.events], {})


def market_orders(call: Call) -> Response:
    """GET /market/{tradeable}/orders."""
    page = history.public_orders(call.exchange, _contract(call), window(call.params))
    return _answer(page, [wire_history.public_order_event(event) for event in page.events], {})


def market_prices(call: Call) -> Response:
    """GET /market/{tradeable}/price."""
    page = history.mark_prices(call.exchange.past, _contract(call), window(call.params), call.exchange.now)
    return _answer(page, [wire_history.mark_price(event) for event in page.events], {})


def _contract(call: Call) -> Contract:
    try:
        return call.exchange.contract(call.request.path_params["tradeable"])
    except UnknownSymbolError:
        raise NotFoundError from None
