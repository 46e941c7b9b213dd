"""An order, its checks against the contract's rules, its preview, and what became of it. Pure: no I/O.

The venues below import the types from here; the client above drives them.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import numpy as np
import pandas as pd

from . import contracts
from .contracts import MarginTier, plain, round_to_step, to_decimal
from .errors import ExchangeError, InvalidRequestError, NotFoundError, OrderRefused

OrderStatus = Literal["placed", "filled", "partially_filled", "rejected", "cancelled", "unknown"]

ORDER_TYPES = {
    "lmt": "limit",
    "post": "post-only limit",
    "ioc": "immediate-or-cancel limit",
    "fok": "fill-or-kill limit",
    "mkt": "market",
    "stp": "stop",
    "take_profit": "take-profit",
}
"""The exchange's order types and what people call them (api-facts 3B)."""

LIMIT_TYPES = frozenset({"lmt", "post", "ioc", "fok"})
TRIGGER_TYPES = frozenset({"stp", "take_profit"})
IMMEDIATE_TYPES = frozenset({"mkt", "ioc", "fok"})
"""Types that never rest in the book."""

TAKER_FEE = 0.0005
MAKER_FEE = 0.0002
"""Fee rates of the lowest volume tier, for estimates only (api-facts 6.6); the account log has what was charged."""

_NOISE = Decimal("1e-9")
_SMALLEST, _LARGEST = Decimal("1e-15"), Decimal("1e15")


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
        Size in contracts, positive. Floats are read by their shortest text: 0.1 is exactly one tenth.
    limit_price
        Limit price in the quote currency; required for ``lmt``, ``post``, ``ioc`` and ``fok``.
    order_type
        One of `ORDER_TYPES`; ``lmt`` with a limit price and ``mkt`` without, unless given.
    stop_price
        Trigger price of ``stp`` and ``take_profit``.
    trigger_signal
        ``mark``, ``index`` or ``last``, for trigger orders.
    reduce_only
        The order may only reduce a position.
    cli_ord_id
        Your own id; a fresh one is made on sending otherwise.

    Raises
    ------
    OrderRefused
        If a field makes no sense by itself; the contract's rules are checked on preview and sending.
    """

    symbol: str
    side: str
    size: Decimal | float | str
    limit_price: Decimal | float | str | None = None
    order_type: str = ""
    stop_price: Decimal | float | str | None = None
    trigger_signal: str | None = None
    reduce_only: bool = False
    cli_ord_id: str | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not isinstance(self.symbol, str) or not self.symbol.strip():
            fault = "is empty" if self.symbol is None or isinstance(self.symbol, str) else "is not text"
            raise OrderRefused(
                f"symbol {fault}: name a contract such as 'PF_XBTUSD'", field="symbol", value=self.symbol
            )
        put(self, "symbol", self.symbol.strip().upper())
        put(self, "side", str(self.side).strip().lower())
        kind = str(self.order_type or ("mkt" if self.limit_price is None else "lmt")).strip().lower()
        put(self, "order_type", kind)
        if self.size is None:
            raise OrderRefused("size is missing: say how many contracts", field="size", value=None)
        for name in ("size", "limit_price", "stop_price"):
            put(self, name, _positive(name, getattr(self, name)))
        if self.side not in {"buy", "sell"}:
            raise OrderRefused(f"side={self.side!r}: use 'buy' or 'sell'", field="side", value=self.side)
        self._check_type()

    def _check_type(self) -> None:
        kind = self.order_type
        if kind not in ORDER_TYPES:
            meant = next((code for code, words in ORDER_TYPES.items() if kind in words.split()), None)
            hint = f"did you mean {meant!r}? " if meant else ""
            raise OrderRefused(
                f"order_type={kind!r} is not an order type: {hint}use one of {', '.join(ORDER_TYPES)}",
                field="order_type",
                value=kind,
                suggestion=meant,
            )
        if kind in LIMIT_TYPES and self.limit_price is None:
            raise OrderRefused(f"a {kind} order needs a limit_price", field="limit_price", value=None)
        if kind == "mkt" and self.limit_price is not None:
            raise OrderRefused(
                "a mkt order takes no limit_price: leave it out, or use order_type='ioc' for a price limit",
                field="limit_price",
                value=self.limit_price,
            )
        if (kind in TRIGGER_TYPES) != (self.stop_price is not None):
            rule = "needs a stop_price" if kind in TRIGGER_TYPES else "takes no stop_price"
            raise OrderRefused(f"a {kind} order {rule}", field="stop_price", value=self.stop_price)
        if self.trigger_signal is not None and (
            kind not in TRIGGER_TYPES or self.trigger_signal not in {"mark", "index", "last"}
        ):
            raise OrderRefused(
                f"trigger_signal={self.trigger_signal!r}: only stp and take_profit orders have one, "
                "and it is 'mark', 'index' or 'last'",
                field="trigger_signal",
                value=self.trigger_signal,
            )

    @property
    def signed_size(self) -> float:
        """Size in contracts, negative for a sell."""
        size = float(self.size)
        return size if self.side == "buy" else -size

    def __str__(self) -> str:
        words = [self.side, _text(self.size), self.symbol, ORDER_TYPES[self.order_type]]
        words += ["at", _text(self.limit_price)] if self.limit_price is not None else []
        words += ["triggered at", _text(self.stop_price)] if self.stop_price is not None else []
        words += ["reduce-only"] if self.reduce_only else []
        return " ".join(words)


def _text(value: Any) -> str:
    return plain(to_decimal(value))


def _positive(name: str, value: Any) -> Decimal | None:
    if value is None:
        return None
    try:
        number = to_decimal(value)
    except (InvalidOperation, ValueError, TypeError):
        number = Decimal("NaN")
    if isinstance(value, bool) or "_" in str(value) or not number.is_finite() or number <= 0:
        raise OrderRefused(f"{name}={value!r} is not a positive number", field=name, value=value)
    if not _SMALLEST <= number <= _LARGEST:
        raise OrderRefused(
            f"{name}={value!r} is out of range: no contract has a size or price below {_SMALLEST} or above {_LARGEST}",
            field=name,
            value=value,
        )
    return number


def check(order: Order, instrument: pd.Series[Any]) -> Order:
    """Hold an order against the contract's rules and make its numbers exact.

    Parameters
    ----------
    order
        As stated.
    instrument
        The contract's row of ``client.instruments()``.

    Returns
    -------
    Order
        The same order with size and prices as exact multiples of size step and tick. Only binary noise is removed
        (0.30000000000000004 becomes 0.3); any other value off the grid is refused, never rounded silently.

    Raises
    ------
    OrderRefused
        Naming field, value, rule and the nearest value that satisfies it.
    """
    if _is_true(instrument.get("is_expired")):
        raise OrderRefused(f"{order.symbol} has expired", field="symbol", value=order.symbol)
    if _is_true(instrument.get("post_only")) and order.order_type != "post":
        raise OrderRefused(
            f"{order.symbol} is in post-only mode: use order_type='post'",
            field="order_type",
            value=order.order_type,
            suggestion="post",
        )
    step = _grid(instrument, "size_step")
    tick = _grid(instrument, "tick_size")
    size = _on_grid("size", order.size, step, "the size step")
    largest = instrument.get("max_position_size", math.nan)
    if float(size) > float(largest):
        raise OrderRefused(
            f"size={_text(size)} exceeds the largest position of {order.symbol}, {largest:g} contracts",
            field="size",
            value=size,
            suggestion=to_decimal(float(largest)),
        )
    prices = {
        name: _on_grid(name, getattr(order, name), tick, "the tick size")
        for name in ("limit_price", "stop_price")
        if getattr(order, name) is not None
    }
    return replace(order, size=size, **prices)  # type: ignore[arg-type]


def _is_true(value: Any) -> bool:
    return not pd.isna(value) and bool(value)


def _grid(instrument: pd.Series[Any], name: str) -> Decimal | None:
    value = instrument.get(name, math.nan)
    return None if pd.isna(value) else to_decimal(float(value))


def _on_grid(name: str, value: Any, step: Decimal | None, what: str) -> Decimal:
    number = to_decimal(value)
    if step is None:
        return number
    nearest = round_to_step(number, step)
    if abs(number - nearest) <= _NOISE * abs(number) and nearest > 0:
        return nearest
    below, above = round_to_step(number, step, "down"), round_to_step(number, step, "up")
    choices = " or ".join(plain(v) for v in (below, above) if v > 0)
    raise OrderRefused(
        f"{name}={_text(number)} is not a multiple of {what} {plain(step)}: use {choices}",
        field=name,
        value=number,
        suggestion=nearest if nearest > 0 else above,
    )


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do, estimated from the present book and account. Nothing is sent.

    Attributes
    ----------
    order
        With exact size and prices.
    env, time
        Environment, and when the quote was taken (UTC).
    bid, ask, mark_price
        The quote, in the quote currency.
    tick_size
        The contract's price step; decides how many decimals a price is shown with.
    immediate_size, immediate_price
        Contracts that the book would fill at once, and their average price; NaN price where nothing fills.
    resting_size
        Contracts that would stay in the book, or wait for the trigger.
    slippage_bps
        Immediate price against the middle of bid and ask, in basis points; positive is worse.
    notional
        Value in USD.
    fee, fee_currency
        Estimated fee at the lowest volume tier's rates.
    position_before, position_after
        Signed contracts.
    initial_margin_before, initial_margin_after, margin_currency
        Requirement for this contract's position by its margin tiers, if the whole order fills.
    available_margin
        What is free now, in ``margin_currency``; NaN where unknown.
    warnings
        Sentences for a person.
    """

    order: Order
    env: str
    time: pd.Timestamp
    bid: float
    ask: float
    mark_price: float
    tick_size: float
    immediate_size: float
    immediate_price: float
    resting_size: float
    slippage_bps: float
    notional: float
    fee: float
    fee_currency: str
    position_before: float
    position_after: float
    initial_margin_before: float
    initial_margin_after: float
    margin_currency: str
    available_margin: float
    warnings: tuple[str, ...] = field(default=())

    def lines(self) -> list[tuple[str, str]]:
        """Label and text of each figure, for rendering."""
        at_once = "nothing fills at once"
        if self.immediate_size > 0:
            at_once = f"{self.immediate_size:,.10g} at {self._price(self.immediate_price)} on average"
            if not math.isnan(self.slippage_bps):
                at_once += f" ({self.slippage_bps:+.1f} bps from mid)"
        quote = {"bid": self.bid, "ask": self.ask, "mark": self.mark_price}
        margin = f"{_money(self.initial_margin_before)} → {_money(self.initial_margin_after)} {self.margin_currency}"
        return [
            ("Quote", ", ".join(f"{name} {self._price(value)}" for name, value in quote.items())),
            ("At once", at_once),
            ("Resting", f"{self.resting_size:,.10g} contracts"),
            ("Notional", f"{self.notional:,.2f} USD"),
            ("Fee (estimate)", f"{_money(self.fee)} {self.fee_currency}"),
            ("Position", f"{self.position_before:+,.10g} → {self.position_after:+,.10g} contracts"),
            ("Initial margin", margin),
            ("Available margin", f"{_money(self.available_margin)} {self.margin_currency}"),
        ]

    def margin_sentence(self) -> str:
        """How much initial margin the order needs, and how much is available."""
        needed = self.initial_margin_after - self.initial_margin_before
        return (
            f"It needs about {_money(needed)} {self.margin_currency} of initial margin; "
            f"{_money(self.available_margin)} {self.margin_currency} is available."
        )

    def _price(self, price: float) -> str:
        """A price with one decimal more than the tick has, where it is between two ticks."""
        if math.isnan(price):
            return "n/a"
        tick = to_decimal(self.tick_size) if self.tick_size > 0 else Decimal("1e-10")
        decimals = max(0, -int(tick.normalize().as_tuple().exponent))
        on_grid = abs(price - round(price, decimals)) < 1e-9 * abs(price)
        return f"{price:,.{decimals if on_grid else decimals + 1}f}"

    def __repr__(self) -> str:
        head = f"{self.env.upper()} preview, {self.time:%H:%M:%S} UTC: {self.order}"
        body = [f"  {label:<18}{text}" for label, text in self.lines()]
        return "\n".join([head, *body, *(f"  ! {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        head = html.escape(f"{self.env.upper()} preview, {self.time:%H:%M:%S} UTC: {self.order}")
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left;font-variant-numeric:tabular-nums'>{html.escape(text)}</td></tr>"
            for label, text in self.lines()
        )
        notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        return f"<div><b>{head}</b><table>{cells}</table>{f'<ul>{notes}</ul>' if notes else ''}</div>"


def _money(value: float) -> str:
    if math.isnan(value):
        return "n/a"
    if abs(value) >= 100 or value == 0:
        return f"{value:,.2f}"
    return f"{value:,.8f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Market:
    """What a preview needs to know of the market and the account.

    Attributes
    ----------
    instrument, ticker
        The contract's rows of ``instruments`` and ``tickers``.
    book
        Its ``order_book``.
    position
        Signed contracts held.
    tiers
        Its margin tiers, one schedule.
    available_margin, margin_currency
        Free margin of the wallet that carries the contract.
    env, time
        Environment, and when the quote was taken.
    """

    instrument: pd.Series[Any]
    ticker: pd.Series[Any]
    book: pd.DataFrame
    position: float
    tiers: Sequence[MarginTier]
    available_margin: float
    margin_currency: str
    env: str
    time: pd.Timestamp


def preview(order: Order, market: Market) -> Preview:
    """Estimate what an order would do.

    Raises
    ------
    OrderRefused
        If the order breaks a rule of the contract.
    """
    order = check(order, market.instrument)
    inverse = contracts.is_inverse(str(market.instrument["type"]))
    mark, bid, ask = (float(market.ticker[name]) for name in ("mark_price", "bid", "ask"))
    size = float(order.size)
    filled, price = walk_book(order, market.book, inverse=inverse)
    middle = (bid + ask) / 2
    sign = 1 if order.side == "buy" else -1
    own_price = order.limit_price if order.limit_price is not None else order.stop_price
    resting_price = mark if own_price is None else float(own_price)
    immediate_value = contracts.notional(filled, price, inverse=inverse) if filled else 0.0
    resting = 0.0 if order.order_type in IMMEDIATE_TYPES else size - filled
    fee = contracts.fee(filled, price, TAKER_FEE, inverse=inverse) if filled else 0.0
    resting_rate = TAKER_FEE if order.order_type in TRIGGER_TYPES else MAKER_FEE
    fee += contracts.fee(resting, resting_price, resting_rate, inverse=inverse)
    change = sign * (filled + resting)
    after = market.position + change
    margins = [_initial_margin(p, mark, market.tiers, inverse=inverse) for p in (market.position, after)]
    return Preview(
        order=order,
        env=market.env,
        time=market.time,
        bid=bid,
        ask=ask,
        mark_price=mark,
        tick_size=float(market.instrument.get("tick_size", math.nan)),
        immediate_size=filled,
        immediate_price=price,
        resting_size=resting,
        slippage_bps=sign * (price / middle - 1) * 1e4 if filled else math.nan,
        notional=immediate_value + contracts.notional(resting, resting_price, inverse=inverse),
        fee=fee,
        fee_currency=market.margin_currency,
        position_before=market.position,
        position_after=after,
        initial_margin_before=margins[0],
        initial_margin_after=margins[1],
        margin_currency=market.margin_currency,
        available_margin=market.available_margin,
        warnings=tuple(_warnings(order, market, filled, resting, margins[1] - margins[0], (bid, ask, mark))),
    )


def levels_taken(order: Order, book: pd.DataFrame) -> pd.DataFrame:
    """The levels of the book that would fill an order at once, best first: those rows with the size that it takes.

    Trigger and post orders take nothing at once; a limit price bounds the walk; an order type that must fill whole
    (fok) takes nothing when the book is too thin.
    """
    levels = book[book["side"] == ("ask" if order.side == "buy" else "bid")]
    if order.order_type in TRIGGER_TYPES or order.order_type == "post":
        return levels.iloc[:0]
    if order.limit_price is not None:
        limit = float(order.limit_price)
        levels = levels[levels["price"] <= limit] if order.side == "buy" else levels[levels["price"] >= limit]
    left = float(order.size) - (levels["cumulative_size"] - levels["size"])
    taken = levels.assign(size=np.minimum(left.clip(lower=0.0), levels["size"]))
    taken = taken[taken["size"] > 0]
    if order.order_type == "fok" and taken["size"].sum() < float(order.size):
        return taken.iloc[:0]
    return taken


def walk_book(order: Order, book: pd.DataFrame, *, inverse: bool) -> tuple[float, float]:
    """Contracts the book would fill at once and their average price (harmonic for inverse contracts).

    No price where it fills nothing; see `levels_taken`.
    """
    levels = levels_taken(order, book)
    if not len(levels):
        return 0.0, math.nan
    return float(levels["size"].sum()), average_price(levels["size"], levels["price"], inverse=inverse)


def average_price(sizes: Iterable[float], prices: Iterable[float], *, inverse: bool) -> float:
    """Average price of several fills, as it enters the P&L: arithmetic for linear, harmonic for inverse contracts."""
    pairs = [(float(size), float(price)) for size, price in zip(sizes, prices, strict=True)]
    total = sum(size for size, _ in pairs)
    if inverse:
        return total / sum(size / price for size, price in pairs)
    return sum(size * price for size, price in pairs) / total


def _initial_margin(position: float, mark: float, tiers: Sequence[MarginTier], *, inverse: bool) -> float:
    if not tiers or math.isnan(mark):
        return math.nan
    requirement = contracts.margin_requirement(float(contracts.notional(position, mark, inverse=inverse)), tiers)
    return requirement / mark if inverse else requirement


def _warnings(
    order: Order,
    market: Market,
    filled: float,
    resting: float,
    margin: float,
    quote: tuple[float, float, float],
) -> Iterable[str]:
    bid, ask, mark = quote
    size = float(order.size)
    if _is_true(market.ticker.get("suspended")):
        yield f"{order.symbol} is suspended: the exchange will refuse the order."
    if order.order_type in {"mkt", "ioc"} and filled < size:
        yield f"The book fills only {filled:,.10g} of {size:,.10g} contracts; the rest is cancelled."
    if order.order_type == "fok" and filled == 0:
        yield "The book cannot fill the whole order: it will be cancelled."
    limit = None if order.limit_price is None else float(order.limit_price)
    if order.order_type == "post" and limit is not None and (limit >= ask if order.side == "buy" else limit <= bid):
        yield "A post-only order at this price would execute at once: the exchange will refuse it."
    if limit is not None and abs(limit / mark - 1) > 0.1:
        yield f"The limit price is {limit / mark - 1:+.1%} from the mark price."
    if order.reduce_only and (market.position == 0 or market.position * order.signed_size > 0):
        yield "Reduce-only, but there is no position on the other side: the exchange will refuse the order."
    if not order.reduce_only and margin > market.available_margin:
        yield (
            f"Initial margin rises by {_money(margin)} {market.margin_currency}, "
            f"but only {_money(market.available_margin)} {market.margin_currency} is available."
        )


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What became of an order.

    Attributes
    ----------
    status
        ``placed`` (rests, nothing filled yet), ``filled``, ``partially_filled``, ``rejected``, ``cancelled`` or
        ``unknown`` (no clear answer arrived; it is not sent again).
    reason
        The exchange's own word.
    message
        A sentence for a person.
    order_id, cli_ord_id
        The exchange's id (empty where there is none) and the client's.
    filled_size, average_price
        Contracts filled so far and their average price; NaN price where nothing is filled.
    """

    status: OrderStatus
    reason: str
    message: str
    order_id: str = ""
    cli_ord_id: str = ""
    filled_size: float = 0.0
    average_price: float = math.nan

    def __repr__(self) -> str:
        shown = {f.name: getattr(self, f.name) for f in fields(self)}
        return f"OrderResult({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What became of a cancellation.

    Attributes
    ----------
    status
        ``cancelled``, ``filled`` (too late), ``not_found``, ``nothing_to_cancel`` or ``unknown``.
    reason
        The exchange's own word.
    message
        A sentence for a person.
    order_ids
        The orders that were cancelled.
    """

    status: Literal["cancelled", "filled", "not_found", "nothing_to_cancel", "unknown"]
    reason: str
    message: str
    order_ids: tuple[str, ...] = ()


REASONS = {
    "placed": "The order rests in the book.",
    "insufficientAvailableFunds": "There is not enough available margin for this order.",
    "invalidPrice": "The price is not a multiple of the tick size, or out of range.",
    "invalidSize": "The size is not a multiple of the size step, or out of range.",
    "tooManySmallOrders": "There are too many small orders open already.",
    "tooManyOrders": "There are too many orders open already.",
    "marketSuspended": "The market is suspended.",
    "marketInactive": "The market is not active.",
    "marketIsPostOnly": "The market accepts post-only orders only.",
    "wouldCauseLiquidation": "The order would bring the account below its maintenance margin.",
    "clientOrderIdAlreadyExist": "An order with the same client id exists already.",
    "clientOrderIdTooBig": "The client id is too long.",
    "clientOrderIdInvalid": "The client id is not acceptable.",
    "maxPositionViolation": "The position would exceed the largest allowed.",
    "outsidePriceCollar": "The price is too far from the market.",
    "wouldIncreasePriceDislocation": "The market is dislocated and the order would move it further.",
    "postWouldExecute": "A post-only order at this price would have executed at once.",
    "iocWouldNotExecute": "Nothing in the book matched the price, so nothing was filled.",
    "selfFill": "The order would have traded with another order of yours.",
    "wouldNotReducePosition": "The order is reduce-only, but would not reduce a position.",
    "fixedLeverageTooHigh": "The fixed leverage is too high for a position of this size.",
    "wouldProcessAfterSpecifiedTime": "The order reached the exchange after its deadline and was not processed.",
    "notFound": "The exchange does not know the order or contract.",
    "cancelled": "The order was cancelled.",
}
"""The exchange's status words in sentences (api-facts 4.2)."""


MARGIN_REASONS = ("insufficientAvailableFunds", "wouldCauseLiquidation", "INSUFFICIENT_MARGIN")
"""Words of the exchange that mean that margin lacked."""


_DOUBTFUL = ("server error", "unknownerror", "unavailable")


def is_refusal(error: ExchangeError) -> bool:
    """Whether an error answered to an order proves that the order was not taken.

    Some refusals come as HTTP 500 (a margin that lacks, a contract that does not exist), and some errors at HTTP 200
    leave open whether the order was processed before they arose.
    """
    if isinstance(error, (InvalidRequestError, NotFoundError)) or any(word in error.words for word in MARGIN_REASONS):
        return True
    doubtful = not error.words or error.words.casefold().startswith(_DOUBTFUL)
    return not doubtful and (error.http_status or 0) < 500


def explain(reason: str) -> str:
    """A sentence for one of the exchange's words; unknown words are shown verbatim."""
    return REASONS.get(reason, f"The exchange answered {reason!r}.")
