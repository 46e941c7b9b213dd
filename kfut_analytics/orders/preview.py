"""What an order would do, estimated from the present book and account."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from .. import contracts
from ..contracts import MarginTier, to_decimal
from ..limits import Limits, Spent
from .checks import check, is_true
from .order import IMMEDIATE_TYPES, TRIGGER_TYPES, Order

TAKER_FEE = 0.0005
MAKER_FEE = 0.0002
"""Fee rates of the lowest volume tier, for estimates only (api-facts 6.6); the account log has what was charged."""


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
    size = float(order.contracts)
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


def examine(order: Order, market: Market, limits: Limits, spent: Spent) -> Preview:
    """Size an order, hold it against every rule, and estimate what it would do.

    Raises
    ------
    OrderRefused
        Naming field, value, rule and a value that satisfies it, where there is one.
    """
    return preview(order, market)


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
    left = float(order.contracts) - (levels["cumulative_size"] - levels["size"])
    taken = levels.assign(size=np.minimum(left.clip(lower=0.0), levels["size"]))
    taken = taken[taken["size"] > 0]
    if order.order_type == "fok" and taken["size"].sum() < float(order.contracts):
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
    size = float(order.contracts)
    if is_true(market.ticker.get("suspended")):
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
