"""What an order does to an account: what the book fills at once, and the account afterwards. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

import pandas as pd

from ..contracts import FLEX, apply_fill, fee, round_to_step, to_decimal
from ..risk.portfolio import Balance, Leg, Portfolio
from .order import IMMEDIATE_TYPES, TRIGGER_TYPES, Order

MARKET_PROTECTION = Decimal("0.01")
"""A market order is an immediate-or-cancel order whose limit lies so far beyond the best price (api-facts 3B)."""


_DUST = 1e-12
"""Part of a size below which a difference is binary noise."""


class Fees(NamedTuple):
    """Fee rates as fractions, and where they come from."""

    maker: float
    taker: float
    source: str


LOWEST_TIER = Fees(0.0002, 0.0005, "the lowest volume tier")
"""For estimates where the account's own rates are not known (api-facts 6.6); the account log has what was charged."""
MAKER_FEE, TAKER_FEE, _ = LOWEST_TIER


class Trade(NamedTuple):
    """A fill: size in contracts, price, and the fee's rate."""

    size: float
    price: float
    rate: float


class Level(NamedTuple):
    """Contracts at one price of the book."""

    size: float
    price: float


@dataclass(frozen=True, slots=True)
class Done:
    """What becomes of one order; ``filled`` and ``resting`` have the sign of its side."""

    order: Order
    filled: float
    price: float
    resting: float
    realized_pnl: float
    fee: float
    currency: str


def levels_of(book: pd.DataFrame, side: str) -> list[Level]:
    """The levels that an order of a side would meet, best first."""
    other = book[book["side"] == ("ask" if side == "buy" else "bid")]
    return [Level(size, price) for size, price in zip(other["size"].tolist(), other["price"].tolist(), strict=True)]


def levels_taken(order: Order, levels: Sequence[Level], size: float | None = None) -> list[Level]:
    """The levels of the book that would fill an order at once, each with the size that it takes.

    Trigger and post orders take nothing at once; a limit price bounds the walk, and of a market order the exchange's
    protection; an order type that must fill whole (fok) takes nothing when the book is too thin.

    Parameters
    ----------
    order
        Of any type.
    levels
        What it would meet, best first (`levels_of`).
    size
        Contracts, where they are not those of the order.
    """
    if order.order_type in TRIGGER_TYPES or order.order_type == "post" or not levels:
        return []
    left = whole = float(order.contracts) if size is None else size
    limit = worst_price(order, levels[0].price)
    taken = []
    for level in levels:
        if left <= _DUST * whole or order.sign * (level.price - limit) > 0:
            break
        if level.size > 0:
            taken.append(Level(min(left, level.size), level.price))
            left -= level.size
    return [] if order.order_type == "fok" and left > _DUST * whole else taken


def worst_price(order: Order, best: float, tick: Decimal | None = None) -> float:
    """The worst price at which an order can fill at once: its limit, or that of the exchange for a market order.

    Parameters
    ----------
    order
        Of any type; NaN for one that waits for a trigger and has no limit.
    best
        The best price on the other side.
    tick
        Price step of the contract, to which the exchange rounds towards the market.
    """
    if order.limit_price is not None:
        return float(order.limit_price)
    if order.order_type in TRIGGER_TYPES or math.isnan(best):
        return math.nan
    price = to_decimal(best) * (1 + order.sign * MARKET_PROTECTION)
    return float(price if tick is None else round_to_step(price, tick, "down" if order.side == "buy" else "up"))


def own_price(order: Order, signal: float) -> float:
    """The price at which an order would fill after waiting.

    Its limit; that of a trigger order is its trigger price, unless its limit lies on the far side of that.

    Parameters
    ----------
    order
        Of any type; NaN for one that does not wait.
    signal
        The price now of what its trigger watches; a trailing stop follows it.
    """
    trigger, limit = trigger_price(order, signal), math.nan
    if order.limit_price is not None:
        limit = float(order.limit_price)
    elif order.limit_offset is not None:
        offset = float(order.limit_offset)
        limit = trigger * (1 + offset / 100) if order.limit_offset_unit == "percent" else trigger + offset
    if math.isnan(trigger) or math.isnan(limit):
        return trigger if math.isnan(limit) else limit
    return min(trigger, limit) if order.side == "buy" else max(trigger, limit)


def trigger_price(order: Order, signal: float) -> float:
    """Where the trigger of an order is, if it came to the exchange now; NaN for one without."""
    if order.stop_price is not None:
        return float(order.stop_price)
    if order.trailing_deviation is None:
        return math.nan
    distance = float(order.trailing_deviation) * (signal / 100 if order.trailing_unit == "percent" else 1)
    return signal + order.sign * distance


def walk_book(order: Order, book: pd.DataFrame, *, inverse: bool) -> tuple[float, float]:
    """Contracts the book would fill at once and their average price (harmonic for inverse contracts).

    No price where it fills nothing; see `levels_taken`.
    """
    taken = levels_taken(order, levels_of(book, order.side))
    if not taken:
        return 0.0, math.nan
    sizes, prices = zip(*taken, strict=True)
    return math.fsum(sizes), average_price(sizes, prices, inverse=inverse)


def average_price(sizes: Iterable[float], prices: Iterable[float], *, inverse: bool) -> float:
    """Average price of several fills, as it enters the P&L: arithmetic for linear, harmonic for inverse contracts."""
    pairs = [(float(size), float(price)) for size, price in zip(sizes, prices, strict=True)]
    total = sum(size for size, _ in pairs)
    if inverse:
        return total / sum(size / price for size, price in pairs)
    return sum(size * price for size, price in pairs) / total


def wanted(order: Order, leg: Leg) -> float:
    """Contracts that an order may trade: one that is reduce-only no more than there are to reduce."""
    size = float(order.contracts)
    return min(size, reducible(order, leg)) if order.reduce_only else size


def reducible(order: Order, leg: Leg) -> float:
    """Contracts by which an order of this side can reduce the position."""
    return max(0.0, -order.sign * float(leg.size))


def trades_at_once(order: Order, leg: Leg, levels: Sequence[Level], rate: float = TAKER_FEE) -> list[Trade]:
    """What the book would fill at once, level by level."""
    size = wanted(order, leg)
    return [Trade(level.size, level.price, rate) for level in levels_taken(order, levels, size)] if size else []


def resting(order: Order, leg: Leg, trades: Iterable[Trade]) -> float:
    """Contracts that stay in the book or wait for a trigger after the trades at once."""
    if order.order_type in IMMEDIATE_TYPES:
        return 0.0
    left = wanted(order, leg) - sum(trade.size for trade in trades)
    return left if left > _DUST * float(order.contracts) else 0.0


def carry_out(
    portfolio: Portfolio, order: Order, leg: Leg, trades: list[Trade], resting: float
) -> tuple[Portfolio, Done]:
    """The account after the trades of an order; what rests of it counts among the open orders."""
    sign = float(order.sign)
    size, entry = float(leg.size), float(leg.entry_price) if leg.held else 0.0
    realized, fees = 0.0, 0.0
    for traded, price, rate in trades:
        after = apply_fill(size, entry, sign * traded, price, inverse=leg.inverse)
        size, entry, realized = after.size, after.entry_price, realized + after.realized_pnl
        fees += float(fee(traded, price, rate, inverse=leg.inverse))
    total = sum(traded for traded, _, _ in trades)
    funding = float(leg.funding) if trades else 0.0  # paid with the trade
    adds = 0.0 if order.reduce_only or order.order_type in TRIGGER_TYPES else resting
    changed = replace(
        leg,
        size=size,
        entry_price=entry if size else math.nan,
        funding=leg.funding - funding,
        buys=leg.buys + (adds if sign > 0 else 0.0),
        sells=leg.sells + (adds if sign < 0 else 0.0),
    )
    legs = tuple(changed if other.symbol == leg.symbol else other for other in portfolio.legs)
    if leg.symbol not in {other.symbol for other in portfolio.legs}:
        legs = (*portfolio.legs, changed)
    balances = _with_cash(portfolio, leg, realized - fees + funding)
    average = (
        average_price((s for s, _, _ in trades), (p for _, p, _ in trades), inverse=leg.inverse) if trades else math.nan
    )
    outcome = Done(order, sign * total, average, sign * resting + 0.0, realized, fees, leg.currency)
    return replace(portfolio, legs=legs, balances=balances), outcome


def _with_cash(portfolio: Portfolio, leg: Leg, amount: float) -> tuple[Balance, ...]:
    """The balances after a payment in a contract's currency."""
    own = (leg.wallet, leg.currency)
    paid = tuple(
        replace(balance, quantity=balance.quantity + amount) if (balance.wallet, balance.currency) == own else balance
        for balance in portfolio.balances
    )
    if own in {(balance.wallet, balance.currency) for balance in paid}:
        return paid
    return (*paid, Balance(*own, amount, 1.0 if leg.wallet == FLEX else math.nan))
