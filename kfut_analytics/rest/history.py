"""Events of the history API to canonical frames (api-facts 3C).

An event's payload sits under its kind (``{"event": {"OrderPlaced": {…}}}``), and three shapes of executions exist:
with a maker and a taker order, with one's own ``order``, and either under ``Execution`` or ``execution``. Each event
is first laid out flat, its parts under the names that the tables' sources use; then the columns are picked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from .. import schema
from ..errors import DecodeError
from .decode import Bulk, Row, columns, mapping, upper

_SIDES = {"buy": "buy", "sell": "sell"}
_SIGNALS = {"markprice": "mark", "lastprice": "last", "spotprice": "spot"}
_TRIGGER_SIDES = {"above": "above", "below": "below"}


def _page(table: schema.Table, lay_out: Callable[[Row], Row], page: Sequence[Row]) -> dict[str, list[Any]]:
    flat = [lay_out(element) for element in page]
    known = {column.name for column in table.columns}
    data = {name: values for name, values in (columns(table, flat) | _computed(flat)).items() if name in known}
    for name, spellings in (("side", _SIDES), ("trigger_signal", _SIGNALS), ("trigger_side", _TRIGGER_SIDES)):
        if name in data:
            data[name] = [spellings.get(v.casefold(), v) if isinstance(v, str) else v for v in data[name]]
    if "symbol" in data:
        data["symbol"] = upper(data["symbol"])
    # The history writes what is missing as an empty text.
    return {name: [None if v == "" else v for v in values] for name, values in data.items()}


def _computed(flat: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in flat] for name in ("event", "symbol") if flat and name in flat[0]}


def _payload(element: Row) -> tuple[str, Row]:
    """The kind of an event and what is under it."""
    event = mapping(element, "event")
    for kind, payload in event.items():
        if not isinstance(payload, dict):
            raise DecodeError(f"the event {kind!r} is {payload!r} instead of an object")
        return kind, payload
    raise DecodeError(f"an event of {element.get('uid')!r} is empty")


def _execution(element: Row) -> tuple[Row, Row]:
    """The execution of an event and the event's other fields; the outer key is spelled in two ways."""
    _, payload = _payload(element)
    return mapping(payload, "execution"), payload


def _own_execution(element: Row) -> Row:
    execution, _ = _execution(element)
    kind = execution.get("executionType")
    order, data = mapping(execution, "order"), mapping(execution, "orderData")
    if not order:
        # The older shape names both orders; one's own is the one that comes with fee and position.
        sides = [s for s in ("taker", "maker") if mapping(execution, f"{s}OrderData")] or ["taker", "maker"]
        own = next((s for s in sides if mapping(execution, f"{s}Order")), sides[0])
        order, data = mapping(execution, f"{own}Order"), mapping(execution, f"{own}OrderData")
        kind = kind or own
    return {
        "uid": element.get("uid"),
        "timestamp": element.get("timestamp"),
        "execution": {**execution, "executionType": kind},
        "order": order,
        "data": data,
    }


def _trade(element: Row, symbol: str) -> Row:
    if "event" not in element:
        return {**element, "symbol": symbol}
    execution, _ = _execution(element)
    taker = mapping(execution, "takerOrder")
    return {"execution": execution, "taker": taker, "symbol": taker.get("tradeable", symbol)}


def _order_event(element: Row) -> Row:
    kind, payload = _payload(element)
    order = mapping(payload, "order") or mapping(payload, "newOrder") or mapping(payload, "attemptedOrder")
    return {
        **payload,
        "uid": element.get("uid"),
        "timestamp": element.get("timestamp"),
        "event": kind,
        "order": order or mapping(payload, "oldOrder"),
        "old": mapping(payload, "oldOrder"),
    }


def _trigger_event(element: Row) -> Row:
    kind, payload = _payload(element)
    names = ("order", "newOrderTrigger", "attemptedOrderTrigger", "orderTrigger", "oldOrderTrigger")
    order: Mapping[str, Any] = next((part for name in names if (part := mapping(payload, name))), {})
    options = mapping(order, "triggerOptions")
    return {
        **payload,
        "uid": element.get("uid"),
        "timestamp": element.get("timestamp"),
        "event": kind,
        "order": order,
        "trigger": options,
        "trailing": mapping(options, "trailingStopOptions"),
        "offset": mapping(options, "limitPriceOffset"),
    }


def _position_update(element: Row) -> Row:
    """Some sources put the fields into the element itself, others under ``event.PositionUpdate``."""
    update = _payload(element)[1] if "event" in element else element
    return {"uid": element.get("uid"), "timestamp": element.get("timestamp"), "update": update}


def _bulk(table: schema.Table, lay_out: Callable[[Row], Row]) -> Bulk:
    return Bulk(table, partial(_page, table, lay_out))


EXECUTIONS = _bulk(schema.EXECUTIONS, _own_execution)
ORDERS = _bulk(schema.ORDER_HISTORY, _order_event)
TRIGGERS = _bulk(schema.TRIGGER_HISTORY, _trigger_event)
POSITIONS = _bulk(schema.POSITION_HISTORY, _position_update)


def trades(symbol: str) -> Bulk:
    """Trades of a market: public executions, or the rows of ``/history``, which do not name their contract."""
    return _bulk(schema.TRADES, partial(_trade, symbol=symbol))
