"""Reading request parameters, wherever they travel: in the query, in a form body, or in both."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast
from urllib.parse import parse_qsl

from kfut_analytics.paper.engine.book import Side
from kfut_analytics.paper.engine.orders import (
    ORDER_TYPES,
    TRIGGER_TYPES,
    DeviationUnit,
    EditRequest,
    LimitOffset,
    OrderRequest,
    Signal,
    Trailing,
)
from kfut_analytics.paper.wire.history import Window, resume_position

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_MAX_DIGITS = 40
EVENTS_LIMIT = 1000
DEVIATION_UNITS = ("PERCENT", "QUOTE_CURRENCY")


# Answers call the index price the spot price, and clients in use send that word as well.
_SIGNALS: dict[str, Signal] = {"mark": "mark", "index": "index", "last": "last", "spot": "index"}


class BadArgumentError(Exception):
    """A parameter cannot be understood; the message is the exchange's."""


class MissingArgumentError(Exception):
    """A required parameter is not there; the message is its name."""


class BadRequestError(Exception):
    """The request as a whole is not what the operation takes."""


class JsonParseError(Exception):
    """A parameter that should hold JSON does not."""


class Params:
    """The parameters of one request; a name may occur several times, the first one counts where one is wanted."""

    def __init__(self, items: Sequence[tuple[str, str]]) -> None:
        self._items = list(items)

    @classmethod
    def parse(cls, query: bytes, body: bytes) -> Params:
        """From a raw query string and a raw form body.

        Raises
        ------
        BadRequestError
            If the bytes are not a form.
        """
        try:
            items = [pair for part in (query, body) for pair in parse_qsl(part.decode("utf-8"), keep_blank_values=True)]
        except ValueError:
            raise BadRequestError from None
        return cls(items)

    def get(self, name: str) -> str | None:
        """A value, ``None`` when absent or empty."""
        return next((value for key, value in self._items if key == name and value), None)

    def all(self, name: str) -> list[str]:
        """Every value of a repeated name."""
        return [value for key, value in self._items if key == name and value]

    def require(self, name: str) -> str:
        """A value that must be there."""
        value = self.get(name)
        if value is None:
            raise MissingArgumentError(name)
        return value

    def number(self, name: str) -> Decimal | None:
        """A finite decimal number."""
        text = self.get(name)
        if text is None:
            return None
        if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
            raise BadArgumentError(f"Argument invalid: {name}")
        return Decimal(text)

    def integer(self, name: str) -> int | None:
        """A whole number."""
        text = self.get(name)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text):
            raise BadArgumentError(f"Argument invalid: {name}")
        return int(text)

    def count(self, default: int, limit: int, *, least: int = 1) -> int:
        """How many rows are wanted; more than the limit gives the limit."""
        count = self.integer("count")
        if count is not None and count < least:
            raise BadArgumentError("Argument invalid: count")
        return min(default if count is None else count, limit)

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of several words."""
        value = self.get(name) or default
        if value is None:
            raise MissingArgumentError(name)
        if value not in choices:
            raise BadArgumentError(f"Argument invalid: {name}")
        return value

    def flag(self, name: str) -> bool | None:
        """A truth value in any case, ``None`` when absent."""
        value = self.get(name)
        if value is None:
            return None
        if value.lower() not in ("true", "false"):
            raise BadArgumentError(f"Argument invalid: {name}")
        return value.lower() == "true"

    def timestamp(self, name: str) -> float | None:
        """An ISO time as seconds since the epoch; without a zone it is UTC."""
        text = self.get(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise BadArgumentError(f"Argument invalid: {name}") from None

    def deadline(self) -> float | None:
        """``processBefore``, which batches spell with a capital."""
        return self.timestamp("processBefore" if self.get("processBefore") else "ProcessBefore")


def window(params: Params) -> Window:
    """What is wanted of a list of the history.

    Raises
    ------
    BadArgumentError
        Also if the continuation token is none of this list in this order.
    """
    newest_first = params.choice("sort", ("asc", "desc"), "desc") == "desc"
    token, resume = params.get("continuation_token"), None
    if token is not None:
        try:
            resume = resume_position(token, newest_first=newest_first)
        except ValueError:
            raise BadArgumentError("Argument invalid: continuation_token") from None
    count = params.count(EVENTS_LIMIT, EVENTS_LIMIT)
    return Window(params.integer("since"), params.integer("before"), newest_first, count, resume)


def instructions(params: Params) -> list[Params]:
    """The instructions of ``batchorder``, each as the parameters of a single call, under the deadline of them all.

    Raises
    ------
    MissingArgumentError
        If there is no batch.
    JsonParseError
        If it is not JSON.
    BadArgumentError
        If it is JSON of another form.
    """
    try:
        # Numbers stay the texts they are.
        batch = json.loads(params.require("json"), parse_float=str, parse_int=str, parse_constant=str)
    except (json.JSONDecodeError, RecursionError):
        raise JsonParseError from None
    items = batch.get("batchOrder") if isinstance(batch, dict) else None
    if not isinstance(items, list):
        raise BadArgumentError("Argument invalid: json")
    deadline = params.get("processBefore") or params.get("ProcessBefore")
    common = [("processBefore", deadline)] if deadline else []
    return [Params([*_texts(item), *common]) for item in items]


def _texts(item: Any) -> list[tuple[str, str]]:
    if not isinstance(item, dict):
        raise BadArgumentError("Argument invalid: batchOrder")
    texts = [(name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in item.items()]
    # Half of a surrogate pair is JSON and no text.
    return [(name, text.encode("utf-8", "replace").decode()) for name, text in texts if item[name] is not None]


def order_request(params: Params) -> OrderRequest:
    """The parameters of ``sendorder``.

    Raises
    ------
    MissingArgumentError
        If a parameter that this kind of order needs is absent.
    BadArgumentError
        If one cannot be understood.
    """
    order_type = params.require("orderType")
    if order_type not in ORDER_TYPES:
        raise BadArgumentError("invalid order type")
    symbol, side = params.require("symbol"), params.choice("side", ("buy", "sell"))
    size = params.number("size")
    if size is None:
        raise MissingArgumentError("size")
    limit, stop = params.number("limitPrice"), params.number("stopPrice")
    trailing = _trailing(params) if order_type == "trailing_stop" else None
    if trailing is not None and limit is not None:
        raise BadArgumentError("Argument invalid: limitPrice")
    if limit is None and order_type in ("lmt", "post", "ioc", "fok"):
        raise MissingArgumentError("limitPrice")
    if (stop is not None) != (order_type in TRIGGER_TYPES and trailing is None):
        raise MissingArgumentError("stopPrice") if stop is None else BadArgumentError("Argument invalid: stopPrice")
    return OrderRequest(
        symbol=symbol,
        side=cast(Side, side),
        order_type=order_type,
        size=size,
        limit_price=limit,
        stop_price=stop,
        cli_ord_id=params.get("cliOrdId"),
        trigger_signal=_SIGNALS[params.choice("triggerSignal", tuple(_SIGNALS), "last")],
        reduce_only=bool(params.flag("reduceOnly")),
        process_before=params.deadline(),
        trailing=trailing,
        offset=_offset(params) if order_type in TRIGGER_TYPES else None,
    )


def _offset(params: Params) -> LimitOffset | None:
    value, unit = params.number("limitPriceOffsetValue"), params.get("limitPriceOffsetUnit")
    if value is None and unit is None:
        return None
    if value is None:
        raise MissingArgumentError("limitPriceOffsetValue")
    return LimitOffset(value, cast(DeviationUnit, params.choice("limitPriceOffsetUnit", DEVIATION_UNITS)))


def _trailing(params: Params) -> Trailing:
    deviation = params.number("trailingStopMaxDeviation")
    if deviation is None:
        raise MissingArgumentError("trailingStopMaxDeviation")
    return Trailing(deviation, cast(DeviationUnit, params.choice("trailingStopDeviationUnit", DEVIATION_UNITS)))


def order_ids(params: Params, name: str) -> tuple[str | None, str | None]:
    """The exchange's id under ``name`` and the client's id of an order.

    Raises
    ------
    MissingArgumentError
        If there is neither.
    """
    order_id, cli_ord_id = params.get(name), params.get("cliOrdId")
    if order_id is None and cli_ord_id is None:
        raise MissingArgumentError(name)
    return order_id, cli_ord_id


def edit_request(params: Params, name: str) -> EditRequest:
    """The parameters of ``editorder``; the exchange's id is under ``name``."""
    order_id, cli_ord_id = order_ids(params, name)
    unit = params.get("trailingStopDeviationUnit")
    return EditRequest(
        order_id=order_id,
        cli_ord_id=cli_ord_id,
        size=params.number("size"),
        limit_price=params.number("limitPrice"),
        stop_price=params.number("stopPrice"),
        absolute=params.choice("qtyMode", ("ABSOLUTE", "RELATIVE"), "RELATIVE") == "ABSOLUTE",
        deviation=params.number("trailingStopMaxDeviation"),
        deviation_unit=cast(DeviationUnit, params.choice("trailingStopDeviationUnit", DEVIATION_UNITS))
        if unit
        else None,
        process_before=params.timestamp("processBefore"),
    )
