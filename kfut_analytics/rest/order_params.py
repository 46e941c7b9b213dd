"""Orders, changes and cancellations as the parameters of their calls (api-facts 3B); numbers as plain decimal text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd

from ..contracts import plain, to_decimal
from ..errors import OrderRefused
from ..orders import UNITS, Cancel, Edit, Order
from ..venue import Instruction


def order_params(order: Order, symbol: str, before: pd.Timestamp | None = None) -> Mapping[str, object]:
    """An order as the parameters of ``/sendorder``."""
    return {
        "orderType": order.order_type,
        "symbol": symbol,
        "side": order.side,
        "size": _decimal(order.contracts),
        "limitPrice": _decimal(order.limit_price),
        "stopPrice": _decimal(order.stop_price),
        "triggerSignal": order.trigger_signal,
        "trailingStopMaxDeviation": _decimal(order.trailing_deviation),
        "trailingStopDeviationUnit": UNITS.get(order.trailing_unit or ""),
        "limitPriceOffsetValue": _decimal(order.limit_offset),
        "limitPriceOffsetUnit": UNITS.get(order.limit_offset_unit or ""),
        "reduceOnly": True if order.reduce_only else None,
        "cliOrdId": order.cli_ord_id,
        "processBefore": moment(before),
    }


def edit_params(edit: Edit, before: pd.Timestamp | None = None) -> Mapping[str, object]:
    """A change as the parameters of ``/editorder``; its size counts what is filled already."""
    return {
        "orderId": edit.order_id,
        "cliOrdId": edit.cli_ord_id,
        "size": _decimal(edit.size),
        "limitPrice": _decimal(edit.limit_price),
        "stopPrice": _decimal(edit.stop_price),
        "trailingStopMaxDeviation": _decimal(edit.trailing_deviation),
        "trailingStopDeviationUnit": UNITS.get(edit.trailing_unit or ""),
        "qtyMode": None if edit.size is None else "ABSOLUTE",
        "processBefore": moment(before),
    }


def batch_params(
    instructions: Sequence[Instruction], wire_symbol: Callable[[str], str], before: pd.Timestamp | None = None
) -> Mapping[str, object]:
    """Instructions as the parameters of ``/batchorder``: tagged with their place in the sequence.

    Raises
    ------
    OrderRefused
        If an order has a limit offset, which the call does not know.
    """
    items = [_item(instruction, str(tag), wire_symbol) for tag, instruction in enumerate(instructions)]
    text = msgspec.json.encode({"batchOrder": items}).decode()
    return {"json": text, "ProcessBefore": moment(before)}


def _item(instruction: Instruction, tag: str, wire_symbol: Callable[[str], str]) -> dict[str, object]:
    match instruction:
        case Order():
            if instruction.limit_offset is not None:
                message = "a limit_offset cannot be sent in a batch: place this order alone, or give a limit_price"
                raise OrderRefused(message, field="limit_offset", value=instruction.limit_offset, rule="batch")
            params = order_params(instruction, wire_symbol(instruction.symbol))
            item: dict[str, object] = {"order": "send", "order_tag": tag, **params}
        case Edit():
            item = {"order": "edit", "order_tag": tag, **edit_params(instruction)}
            item["order_id"] = item.pop("orderId")
        case Cancel():
            item = {
                "order": "cancel",
                "order_tag": tag,
                "order_id": instruction.order_id,
                "cliOrdId": instruction.cli_ord_id,
            }
    numbers = {name: msgspec.Raw(str(item[name]).encode()) for name in _NUMBERS if item.get(name) is not None}
    return {name: value for name, value in {**item, **numbers}.items() if value is not None}


_NUMBERS = ("size", "limitPrice", "stopPrice", "trailingStopMaxDeviation")


def moment(time: pd.Timestamp | None) -> str | None:
    """A time of the exchange's clock as the wire writes it."""
    return None if time is None else time.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _decimal(value: Any) -> str | None:
    return None if value is None else plain(to_decimal(value))
