"""An order, a change to one and a cancellation, as a person states them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from ..contracts import plain, quote_currency, to_decimal
from ..errors import OrderRefused

Number = Decimal | float | str
"""How a person may write a number; floats are read by their shortest text: 0.1 is exactly one tenth."""

ORDER_TYPES = {
    "lmt": "limit",
    "post": "post-only limit",
    "ioc": "immediate-or-cancel limit",
    "fok": "fill-or-kill limit",
    "mkt": "market",
    "stp": "stop",
    "take_profit": "take-profit",
    "trailing_stop": "trailing stop",
}
"""The exchange's order types and what people call them (api-facts 3B)."""

LIMIT_TYPES = frozenset({"lmt", "post", "ioc", "fok"})
TRIGGER_TYPES = frozenset({"stp", "take_profit", "trailing_stop"})
"""Types that wait for a trigger outside the book."""
STOP_PRICE_TYPES = frozenset({"stp", "take_profit"})
"""Those of them whose trigger price is given; that of a trailing stop moves."""
IMMEDIATE_TYPES = frozenset({"mkt", "ioc", "fok"})
"""Types that never rest in the book."""
SIGNALS = ("mark", "index", "last")
"""Prices that a trigger can watch; the exchange takes the last price where none is named."""
UNITS = {"percent": "PERCENT", "quote": "QUOTE_CURRENCY"}
"""Units of a distance between prices, and the exchange's words for them."""

TRAILING_PERCENT = (Decimal("0.1"), Decimal(50))
"""Smallest and largest trailing deviation in percent (api-facts 3B)."""
MAX_CLIENT_ID_LENGTH = 100
"""Characters of an id of one's own, by the exchange's specification."""

_SMALLEST, _LARGEST = Decimal("1e-15"), Decimal("1e15")
_NUMBERS = ("size", "notional", "margin_share", "limit_price", "stop_price", "trailing_deviation")


@dataclass(frozen=True, slots=True)
class Order:
    """An order as a person states it.

    Parameters
    ----------
    symbol
        Contract, any case.
    side
        ``buy`` or ``sell``.
    size
        Size in contracts, positive. Floats are read by their shortest text: 0.1 is exactly one tenth. Instead of it
        ``notional`` or ``margin_share``; it is None then until the order is previewed or placed.
    limit_price
        Limit price in the quote currency; required for ``lmt``, ``post``, ``ioc`` and ``fok``, and possible for
        ``stp`` and ``take_profit``, which are market orders without.
    order_type
        One of `ORDER_TYPES`; ``lmt`` with a limit price and ``mkt`` without, unless given.
    stop_price
        Trigger price of ``stp`` and ``take_profit``.
    trigger_signal
        ``mark``, ``index`` or ``last``, for trigger orders; the exchange takes ``last`` where none is given.
    reduce_only
        The order may only reduce a position.
    cli_ord_id
        Your own id; a fresh one is made on sending otherwise.
    notional
        Size as value in the quote currency; the largest size that is worth no more is ordered.
    margin_share
        Size as a share of what the available margin allows, above 0 and up to 1.
    limit_offset, limit_offset_unit
        For trigger orders instead of ``limit_price``: where the limit lies from the trigger price when it is reached,
        with its sign, in ``percent`` of it or in ``quote`` currency.
    trailing_deviation, trailing_unit
        How far a ``trailing_stop`` follows behind its signal, in ``percent`` (0.1 to 50) or in ``quote`` currency.
    time_to_live
        Seconds within which the exchange must take the order, else it refuses it.
    price_deviation
        How far the price may lie from the market on the side where it costs, as a fraction, for this order instead of
        what the user's limits say; ``math.inf`` lifts the check.

    Raises
    ------
    OrderRefused
        If a field makes no sense by itself; the contract's rules are checked on preview and sending.
    """

    symbol: str
    side: str
    size: Number | None = None
    limit_price: Number | None = None
    order_type: str = ""
    stop_price: Number | None = None
    trigger_signal: str | None = None
    reduce_only: bool = False
    cli_ord_id: str | None = None
    notional: Number | None = field(default=None, kw_only=True)
    margin_share: Number | None = field(default=None, kw_only=True)
    limit_offset: Number | None = field(default=None, kw_only=True)
    limit_offset_unit: str | None = field(default=None, kw_only=True)
    trailing_deviation: Number | None = field(default=None, kw_only=True)
    trailing_unit: str | None = field(default=None, kw_only=True)
    time_to_live: float | None = field(default=None, kw_only=True)
    price_deviation: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not isinstance(self.symbol, str) or not self.symbol.strip():
            fault = "is empty" if self.symbol is None or isinstance(self.symbol, str) else "is not text"
            message = f"symbol {fault}: name a contract such as 'PF_XBTUSD'"
            raise OrderRefused(message, field="symbol", value=self.symbol, rule="required")
        put(self, "symbol", self.symbol.strip().upper())
        put(self, "side", str(self.side).strip().lower())
        kind = str(self.order_type or ("mkt" if self.limit_price is None else "lmt")).strip().lower()
        put(self, "order_type", kind)
        for name in _NUMBERS:
            put(self, name, _positive(name, getattr(self, name)))
        put(self, "limit_offset", _finite("limit_offset", self.limit_offset))
        put(self, "reduce_only", _truth("reduce_only", self.reduce_only))
        if self.side not in {"buy", "sell"}:
            raise OrderRefused(f"side={self.side!r}: use 'buy' or 'sell'", field="side", value=self.side, rule="side")
        self._check_type()
        self._check_size()
        self._check_trigger()
        _check_identity(self.cli_ord_id)
        put(self, "time_to_live", _seconds(self.time_to_live))
        put(self, "price_deviation", _fraction(self.price_deviation))

    def _check_type(self) -> None:
        kind = self.order_type
        if kind not in ORDER_TYPES:
            meant = next((code for code, words in ORDER_TYPES.items() if kind in {words, *words.split()}), None)
            hint = f"did you mean {meant!r}? " if meant else ""
            raise OrderRefused(
                f"order_type={kind!r} is not an order type: {hint}use one of {', '.join(ORDER_TYPES)}",
                field="order_type",
                value=kind,
                rule="order_type",
                suggestion=meant,
            )
        if kind in LIMIT_TYPES and self.limit_price is None:
            raise _missing(f"a {kind} order needs a limit_price", "limit_price")
        if kind == "mkt" and self.limit_price is not None:
            remedy = "leave it out, or use order_type='ioc' for a price limit"
            raise _needless(f"a mkt order takes no limit_price: {remedy}", "limit_price", self.limit_price)
        if kind == "trailing_stop" and self.limit_price is not None:
            remedy = "leave it out, or give a limit_offset"
            raise _needless(f"a trailing_stop order takes no limit_price: {remedy}", "limit_price", self.limit_price)
        if kind in STOP_PRICE_TYPES and self.stop_price is None:
            raise _missing(f"a {kind} order needs a stop_price", "stop_price")
        if kind not in STOP_PRICE_TYPES and self.stop_price is not None:
            remedy = "; its trigger price follows the market" if kind == "trailing_stop" else ""
            raise _needless(f"a {kind} order takes no stop_price{remedy}", "stop_price", self.stop_price)

    def _check_size(self) -> None:
        given = [name for name in ("size", "notional", "margin_share") if getattr(self, name) is not None]
        if not given:
            raise _missing("size is missing: say how many contracts, or give notional or margin_share", "size")
        if len(given) > 1:
            first, second = given[:2]
            message = f"{first} and {second} both say how large the order is: give one of them"
            raise OrderRefused(message, field=second, value=getattr(self, second), rule="one_size")
        if self.margin_share is not None and self.reduce_only:
            message = "a reduce-only order needs no margin: give size or notional instead of margin_share"
            raise _needless(message, "margin_share", self.margin_share)
        if self.margin_share is not None and to_decimal(self.margin_share) > 1:
            message = f"margin_share={self.margin_share} is not a share: give 1 for all that margin allows"
            raise OrderRefused(
                message, field="margin_share", value=self.margin_share, rule="range", suggestion=Decimal(1)
            )

    def _check_trigger(self) -> None:
        kind = self.order_type
        if self.trigger_signal is not None and (kind not in TRIGGER_TYPES or self.trigger_signal not in SIGNALS):
            raise OrderRefused(
                f"trigger_signal={self.trigger_signal!r}: only {', '.join(sorted(TRIGGER_TYPES))} orders have one, "
                "and it is 'mark', 'index' or 'last'",
                field="trigger_signal",
                value=self.trigger_signal,
                rule="trigger_signal",
            )
        trailing = kind == "trailing_stop"
        if trailing and self.trailing_deviation is None:
            raise _missing("a trailing_stop order needs a trailing_deviation", "trailing_deviation")
        if not trailing and self.trailing_deviation is not None:
            message = f"a {kind} order takes no trailing_deviation: only a trailing_stop has one"
            raise _needless(message, "trailing_deviation", self.trailing_deviation)
        if self.limit_offset is not None and kind not in TRIGGER_TYPES:
            message = f"a {kind} order takes no limit_offset: only trigger orders have one"
            raise _needless(message, "limit_offset", self.limit_offset)
        if self.limit_offset is not None and self.limit_price is not None:
            message = "limit_price and limit_offset both say where the limit is: give one of them"
            raise _needless(message, "limit_offset", self.limit_offset)
        _check_unit("trailing_unit", self.trailing_unit, "trailing_deviation", self.trailing_deviation)
        _check_unit("limit_offset_unit", self.limit_offset_unit, "limit_offset", self.limit_offset)
        _check_trailing(self.trailing_deviation, self.trailing_unit)

    @property
    def contracts(self) -> Decimal:
        """Size in contracts.

        Raises
        ------
        OrderRefused
            If it is still to be worked out from ``notional`` or ``margin_share``.
        """
        if self.size is None:
            given = "notional" if self.notional is not None else "margin_share"
            message = "the size in contracts is not known yet: preview the order first, or give size"
            raise OrderRefused(message, field=given, value=getattr(self, given), rule="sized")
        return to_decimal(self.size)

    @property
    def sign(self) -> int:
        """+1 for a buy, −1 for a sell."""
        return 1 if self.side == "buy" else -1

    @property
    def signed_size(self) -> float:
        """Size in contracts, negative for a sell."""
        return self.sign * float(self.contracts)

    def __repr__(self) -> str:
        return _said(self, ("symbol", "side", "size"))

    def __str__(self) -> str:
        words = [self.side, self._amount(), self.symbol, ORDER_TYPES[self.order_type]]
        words += ["triggered at", _text(self.stop_price)] if self.stop_price is not None else []
        if self.limit_price is not None:
            words += ["with limit" if self.order_type in TRIGGER_TYPES else "at", _text(self.limit_price)]
        if self.trailing_deviation is not None:
            words += [_distance(self.trailing_deviation, self.trailing_unit, self.symbol), "behind"]
        if self.limit_offset is not None:
            distance = _distance(self.limit_offset, self.limit_offset_unit, self.symbol, sign=True)
            words += ["with its limit", distance, "from the trigger price"]
        words += ["reduce-only"] if self.reduce_only else []
        return " ".join(words)

    def _amount(self) -> str:
        if self.notional is not None:
            return f"{_text(self.notional)} {quote_currency(self.symbol)} of"
        if self.margin_share is not None:
            return f"{plain(100 * to_decimal(self.margin_share))} % of what margin allows of"
        return _text(self.size)


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to an open order, named by either id; what is None stays as it is.

    Parameters
    ----------
    order_id, cli_ord_id
        The exchange's id or your own: exactly one of them.
    size
        The new size in contracts, what is filled already included.
    limit_price, stop_price
        New prices.
    trailing_deviation, trailing_unit
        New distance of a trailing stop, in ``percent`` or ``quote`` currency.
    time_to_live
        Seconds within which the exchange must take the change, else it refuses it.

    Raises
    ------
    OrderRefused
        If a field makes no sense by itself, or nothing is changed.
    """

    order_id: str | None = None
    cli_ord_id: str | None = None
    size: Number | None = field(default=None, kw_only=True)
    limit_price: Number | None = field(default=None, kw_only=True)
    stop_price: Number | None = field(default=None, kw_only=True)
    trailing_deviation: Number | None = field(default=None, kw_only=True)
    trailing_unit: str | None = field(default=None, kw_only=True)
    time_to_live: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        put = object.__setattr__
        _check_one_id(self.order_id, self.cli_ord_id)
        changes = ("size", "limit_price", "stop_price", "trailing_deviation")
        for name in changes:
            put(self, name, _positive(name, getattr(self, name)))
        if all(getattr(self, name) is None for name in changes):
            raise _missing(f"the change changes nothing: give one of {', '.join(changes)}", "size")
        _check_unit("trailing_unit", self.trailing_unit, "trailing_deviation", self.trailing_deviation)
        _check_trailing(self.trailing_deviation, self.trailing_unit)
        put(self, "time_to_live", _seconds(self.time_to_live))

    def __repr__(self) -> str:
        return _said(self, ())

    def __str__(self) -> str:
        words = {
            "size": "size",
            "limit_price": "limit",
            "stop_price": "trigger",
            "trailing_deviation": "trailing deviation",
        }
        changes = [
            f"{word} {_text(value)}" for name, word in words.items() if (value := getattr(self, name)) is not None
        ]
        if self.trailing_deviation is not None and self.trailing_unit == "percent":
            changes[-1] += " %"
        return f"change order {self.order_id or self.cli_ord_id} to {', '.join(changes)}"


@dataclass(frozen=True, slots=True)
class Cancel:
    """The cancellation of an open order, named by the exchange's id or your own: exactly one of them.

    Parameters
    ----------
    order_id, cli_ord_id
        The exchange's id, or your own.

    Raises
    ------
    OrderRefused
        If neither or both are given.
    """

    order_id: str | None = None
    cli_ord_id: str | None = None

    def __post_init__(self) -> None:
        _check_one_id(self.order_id, self.cli_ord_id)

    def __str__(self) -> str:
        return f"cancel order {self.order_id or self.cli_ord_id}"


def _missing(message: str, name: str) -> OrderRefused:
    return OrderRefused(message, field=name, value=None, rule="required")


def _needless(message: str, name: str, value: object) -> OrderRefused:
    return OrderRefused(message, field=name, value=value, rule="not_allowed")


def _text(value: Any) -> str:
    return plain(to_decimal(value))


def _distance(value: Any, unit: str | None, symbol: str, *, sign: bool = False) -> str:
    number = to_decimal(value)
    text = f"+{plain(number)}" if sign and number >= 0 else plain(number)
    return f"{text} {'%' if unit == 'percent' else quote_currency(symbol)}"


def _said(stated: Any, plainly: tuple[str, ...]) -> str:
    """A repr with the fields that were given; those of ``plainly`` without their names."""
    words = []
    for each in fields(stated):
        value = getattr(stated, each.name)
        shown = repr(_text(value)) if isinstance(value, Decimal) else repr(value)
        if each.name in plainly and value is not None:
            words.append(shown)
        elif value is not None and value is not False:
            words.append(f"{each.name}={shown}")
    return f"{type(stated).__name__}({', '.join(words)})"


def _number(name: str, value: Any, what: str) -> Decimal:
    try:
        number = to_decimal(value)
    except (InvalidOperation, ValueError, TypeError):
        number = Decimal("NaN")
    if isinstance(value, bool) or "_" in str(value) or not number.is_finite():
        raise OrderRefused(f"{name}={value!r} is not {what}", field=name, value=value, rule="number")
    return number


def _positive(name: str, value: Any) -> Decimal | None:
    if value is None:
        return None
    number = _number(name, value, "a positive number")
    if number <= 0:
        raise OrderRefused(f"{name}={value!r} is not a positive number", field=name, value=value, rule="number")
    if not _SMALLEST <= number <= _LARGEST:
        raise OrderRefused(
            f"{name}={value!r} is out of range: no contract has a size or price below {_SMALLEST} or above {_LARGEST}",
            field=name,
            value=value,
            rule="range",
        )
    return number


def _finite(name: str, value: Any) -> Decimal | None:
    if value is None:
        return None
    number = _number(name, value, "a number")
    if abs(number) > _LARGEST or 0 < abs(number) < _SMALLEST:
        raise OrderRefused(f"{name}={value!r} is out of range", field=name, value=value, rule="range")
    return number


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool) and value not in (0, 1):
        raise OrderRefused(f"{name}={value!r} is neither True nor False", field=name, value=value, rule="truth")
    return bool(value)


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    seconds = math.nan if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) else float(value)
    if not 0 < seconds < math.inf:
        message = f"time_to_live={value!r} is not a time: give seconds, such as 5"
        raise OrderRefused(message, field="time_to_live", value=value, rule="number")
    return seconds


def _fraction(value: Any) -> float | None:
    if value is None:
        return None
    fraction = math.nan if isinstance(value, (bool, str)) else float(value)
    if not fraction > 0:
        message = f"price_deviation={value!r} is not a fraction: give 0.2 for 20 %, or math.inf for any price"
        raise OrderRefused(message, field="price_deviation", value=value, rule="number")
    return fraction


def _check_identity(cli_ord_id: Any) -> None:
    if cli_ord_id is None:
        return
    if not isinstance(cli_ord_id, str) or not cli_ord_id or not cli_ord_id.isprintable():
        message = f"cli_ord_id={cli_ord_id!r} is not an id: give printable text, or leave it out"
        raise OrderRefused(message, field="cli_ord_id", value=cli_ord_id, rule="text")
    if len(cli_ord_id) > MAX_CLIENT_ID_LENGTH:
        raise OrderRefused(
            f"cli_ord_id has {len(cli_ord_id)} characters: the exchange takes {MAX_CLIENT_ID_LENGTH}",
            field="cli_ord_id",
            value=cli_ord_id,
            rule="length",
            suggestion=cli_ord_id[:MAX_CLIENT_ID_LENGTH],
        )


def _check_one_id(order_id: Any, cli_ord_id: Any) -> None:
    for name, value in (("order_id", order_id), ("cli_ord_id", cli_ord_id)):
        if value is not None and not (isinstance(value, str) and value):
            message = f"{name}={value!r} is not an order's id: give its text"
            raise OrderRefused(message, field=name, value=value, rule="text")
    if (order_id is None) == (cli_ord_id is None):
        message = "an order is named by either order_id or cli_ord_id: give exactly one of them"
        raise OrderRefused(message, field="order_id", value=order_id, rule="one_id")


def _check_unit(name: str, unit: Any, of: str, value: Decimal | float | str | None) -> None:
    if value is None and unit is None:
        return
    if value is None:
        raise _needless(f"{name}={unit!r} is the unit of nothing: give {of} too, or leave it out", name, unit)
    if unit not in UNITS:
        message = f"{of} needs {name}='percent' or 'quote'" + ("" if unit is None else f", not {unit!r}")
        raise OrderRefused(message, field=name, value=unit, rule="unit")


def _check_trailing(deviation: Any, unit: str | None) -> None:
    if deviation is None or unit != "percent":
        return
    least, most = TRAILING_PERCENT
    if not least <= deviation <= most:
        raise OrderRefused(
            f"trailing_deviation={_text(deviation)} percent: the exchange takes {least} to {most}",
            field="trailing_deviation",
            value=deviation,
            rule="trailing_range",
            suggestion=min(max(deviation, least), most),
        )
