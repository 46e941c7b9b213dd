"""Events of the history API to canonical frames (api-facts 3C).

An event's payload sits under its kind (``{"event": {"OrderPlaced": {…}}}``), and three shapes of executions exist:
with a maker and a taker order, with one's own ``order``, and either under ``Execution`` or ``execution``. Each page
is first laid out into the parts that the tables' sources name, one object per event; then the columns are picked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from .. import schema
from ..errors import DecodeError
from . import typed
from .decode import Bulk, Columns, Row, columns, each, mapping, respelled, upper

Rows = Sequence[Row]
Parts = dict[str, Rows]
Layout = Callable[[Rows], tuple[Rows, Parts, Columns]]
"""The rows, the parts that sources name, and columns that are no fields."""

_SPELLINGS: dict[str, dict[str, str]] = {
    "side": {"buy": "buy", "sell": "sell"},
    "trigger_signal": {"markprice": "mark", "lastprice": "last", "spotprice": "spot"},
    "trigger_side": {"above": "above", "below": "below"},
}


def _page(table: schema.Table, lay_out: Layout, page: Rows) -> Columns:
    items, parts, computed = lay_out(page)
    data = columns(table, items, parts) | computed
    for name in data.keys() & _SPELLINGS.keys():
        data[name] = respelled(data[name], partial(_canonical, _SPELLINGS[name]))
    if "symbol" in data:
        data["symbol"] = upper(data["symbol"])
    # The history writes what is missing as an empty text.
    return {name: [None if v == "" else v for v in values] if "" in values else values for name, values in data.items()}


def _canonical(spellings: Mapping[str, str], value: str) -> str:
    return spellings.get(value.casefold(), value)


def _payloads(page: Rows) -> tuple[list[str], list[Row]]:
    """The kinds of the events and what is under them."""
    events = each(page, "event")
    if not all(events):
        empty = next(element for element, event in zip(page, events, strict=True) if not event)
        raise DecodeError(f"an event of {empty.get('uid')!r} is empty")
    kinds = [next(iter(event)) for event in events]
    payloads = [event[kind] for event, kind in zip(events, kinds, strict=True)]
    for kind, payload in zip(kinds, payloads, strict=True):
        if not isinstance(payload, dict):
            raise DecodeError(f"the event {kind!r} is {payload!r} instead of an object")
    return kinds, payloads


def _own_executions(page: Rows) -> tuple[Rows, Parts, Columns]:
    if typed.are_typed(page):
        return _typed_executions(page)
    _, payloads = _payloads(page)
    executions = each(payloads, "execution")  # under whatever kind: it is spelled in two ways
    orders, data = each(executions, "order"), each(executions, "orderData")
    kinds = [execution.get("executionType") for execution in executions]
    for i, order in enumerate(orders):
        if not order:
            orders[i], data[i], kinds[i] = _one_of_two(executions[i])
    return page, {"execution": executions, "order": orders, "data": data}, {"fill_type": kinds}


def _typed_executions(page: Sequence[Any]) -> tuple[Rows, Parts, Columns]:
    executions = [next(iter(element.event.values())).execution for element in page]
    parts: Parts = {
        "execution": executions,
        "order": [execution.order for execution in executions],
        "data": [execution.orderData for execution in executions],
    }
    return page, parts, {"fill_type": [execution.executionType for execution in executions]}


def _one_of_two(execution: Row) -> tuple[Row, Row, Any]:
    """One's own order, its figures and its role in the older shape, which names both orders.

    It is the one that comes with fee and position.
    """
    sides = [s for s in ("taker", "maker") if mapping(execution, f"{s}OrderData")] or ["taker", "maker"]
    own = next((s for s in sides if mapping(execution, f"{s}Order")), sides[0])
    order, data = mapping(execution, f"{own}Order"), mapping(execution, f"{own}OrderData")
    return order, data, execution.get("executionType") or own


def _trades(page: Rows, symbol: str) -> tuple[Rows, Parts, Columns]:
    """Rows of ``/history``, which do not name their contract, or public executions."""
    if not any("event" in row for row in page):
        return page, {}, {"symbol": [symbol] * len(page)}
    executions = each(_payloads(page)[1], "execution")
    takers = each(executions, "takerOrder")
    parts: Parts = {"execution": executions, "taker": takers}
    return [{}] * len(page), parts, {"symbol": [taker.get("tradeable", symbol) for taker in takers]}


def _order_events(page: Rows) -> tuple[Rows, Parts, Columns]:
    kinds, payloads = _payloads(page)
    names = ("order", "newOrder", "attemptedOrder", "oldOrder")
    parts: Parts = {"order": _first_of(payloads, names), "old": each(payloads, "oldOrder")}
    return _with_payloads(page, payloads), parts, {"event": kinds}


def _trigger_events(page: Rows) -> tuple[Rows, Parts, Columns]:
    kinds, payloads = _payloads(page)
    names = ("order", "newOrderTrigger", "attemptedOrderTrigger", "orderTrigger", "oldOrderTrigger")
    orders = _first_of(payloads, names)
    options = each(orders, "triggerOptions")
    parts: Parts = {
        "order": orders,
        "trigger": options,
        "trailing": each(options, "trailingStopOptions"),
        "offset": each(options, "limitPriceOffset"),
    }
    return _with_payloads(page, payloads), parts, {"event": kinds}


def _first_of(payloads: Rows, names: Sequence[str]) -> list[Row]:
    """The first object that is there, of several names."""
    return [next((part for name in names if (part := mapping(payload, name))), {}) for payload in payloads]


def _with_payloads(page: Rows, payloads: Rows) -> list[Row]:
    return [
        {**payload, "uid": element.get("uid"), "timestamp": element.get("timestamp")}
        for element, payload in zip(page, payloads, strict=True)
    ]


def _position_updates(page: Rows) -> tuple[Rows, Parts, Columns]:
    """Some sources put the fields into the element itself, others under ``event.PositionUpdate``."""
    updates = [_payloads([element])[1][0] if "event" in element else element for element in page]
    return page, {"update": updates}, {}


def _bulk(table: schema.Table, lay_out: Layout) -> Bulk:
    return Bulk(table, partial(_page, table, lay_out))


EXECUTIONS = _bulk(schema.EXECUTIONS, _own_executions)
ORDERS = _bulk(schema.ORDER_HISTORY, _order_events)
TRIGGERS = _bulk(schema.TRIGGER_HISTORY, _trigger_events)
POSITIONS = _bulk(schema.POSITION_HISTORY, _position_updates)


def trades(symbol: str) -> Bulk:
    """Trades of a market: public executions, or the rows of ``/history``, which do not name their contract."""
    return _bulk(schema.TRADES, partial(_trades, symbol=symbol))
