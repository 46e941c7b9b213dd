"""How many contracts an order may have: by its value, by margin, by any rule that holds up to some size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from .. import contracts
from ..contracts import MarginTier, plain, round_to_step, to_decimal
from ..errors import OrderRefused
from ..risk.portfolio import Leg, Portfolio
from . import effect
from .market import Market
from .order import Order

_CENT = Decimal("0.01")
_SHARE_STEP = Decimal("0.0001")
_BOUND = 10**15
"""Steps beyond which no size is looked for."""


def sized(order: Order, market: Market) -> Order:
    """The order with its size in contracts, on the step.

    Raises
    ------
    OrderRefused
        If not one step of the contract fits the value or the share of margin.
    """
    if order.size is not None:
        return order
    size = _by_value(order, market) if order.notional is not None else _by_margin(order, market)
    return replace(order, size=size, notional=None, margin_share=None)


def corrected(order: Order, refused: OrderRefused) -> Order:
    """The order with what a refusal suggests; a size in contracts takes the place of a value or a share of margin.

    Raises
    ------
    OrderRefused
        The same refusal, if it suggests nothing.
    """
    if refused.suggestion is None:
        raise refused
    changes: dict[str, object] = {refused.field: refused.suggestion}
    if refused.field == "size":
        changes |= {"notional": None, "margin_share": None}
    return replace(order, **changes)  # type: ignore[arg-type]


def largest(market: Market, fits: Callable[[Decimal], bool], most: float = math.inf) -> Decimal:
    """The largest size on the step that fits; 0 if none does.

    Parameters
    ----------
    market
        Whose size step counts.
    fits
        Whether a size fits; if one does, every smaller one does.
    most
        A size that is not exceeded.
    """
    step = market.step or Decimal("1e-8")
    bound = _BOUND if math.isinf(most) else max(0, int(round_to_step(most, step, "down") / step))
    if bound and fits(bound * step):
        return bound * step
    low, high = 0, bound
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * step) else (low, middle)
    return low * step


def room(order: Order, market: Market) -> float:
    """Contracts that an order may have without exceeding the largest position, other open orders filled."""
    return market.max_position - order.sign * market.position - market.waiting[order.side]


def worth(order: Order, market: Market, size: Decimal) -> float:
    """Value in the quote currency if so many contracts are traded: through the book, then at the order's own price."""
    if market.inverse:
        return float(size)
    some = replace(order, size=size, notional=None, margin_share=None)
    trades = effect.levels_taken(some, market.levels(order.side))
    left = float(size) - sum(trade.size for trade in trades)
    price = effect.own_price(some, market.signal(some))
    if math.isnan(price):
        price = effect.worst_price(some, market.best(order.side))
    return sum(trade.size * trade.price for trade in trades) + (left * price if left > 0 else 0.0)


def margin_left(order: Order, market: Market, size: Decimal) -> float:
    """What is free after the exchange has taken an order of so many contracts; infinite if it needs no more margin.

    The margin with the order must be covered, its fee as a taker (at the worst price, if that is dearer), and what it
    loses against the mark price at once. NaN where the exchange gives no tiers or no available margin.
    """
    leg = market.leg
    many = float(size)
    ordered = replace(leg, buys=leg.buys + many) if order.side == "buy" else replace(leg, sells=leg.sells + many)
    needed = _required(market.portfolio, market.wallet, ordered) - _required(market.portfolio, market.wallet, leg)
    if math.isnan(needed) or math.isnan(market.available_margin):
        return math.nan
    if needed <= 0:
        return math.inf
    some = replace(order, size=size, notional=None, margin_share=None, reduce_only=False)
    price = effect.own_price(some, market.signal(some))
    if math.isnan(price):
        price = effect.worst_price(some, market.best(order.side), market.tick)
    price = market.mark if math.isnan(price) else price
    trades = effect.levels_taken(some, market.levels(order.side))
    rest = many - sum(trade.size for trade in trades)
    made = _sum(contracts.pnl(order.sign * t.size, t.price, market.mark, inverse=market.inverse) for t in trades)
    value = _sum(contracts.fee(t.size, t.price, 1.0, inverse=market.inverse) for t in trades)
    value += float(contracts.fee(rest, price, 1.0, inverse=market.inverse))
    dearest = float(contracts.fee(many, price, 1.0, inverse=market.inverse))
    return market.available_margin - needed - market.fees.taker * max(value, dearest) + min(0.0, made)


def _sum(amounts: Iterable[Any]) -> float:
    return float(sum(amounts))


def covered(order: Order, market: Market, size: Decimal, share: float = 1.0) -> bool:
    """Whether a share of the available margin covers so many contracts."""
    return margin_left(order, market, size) >= (1 - share) * market.available_margin


def is_leverage_allowed(order: Order, market: Market, size: Decimal) -> bool:
    """Whether the fixed leverage of an isolated contract is allowed for the position that so many contracts lead to."""
    leg = market.leg
    if leg.leverage is None or not leg.ladder:
        return True
    held = abs(market.position + order.sign * (float(size) + market.waiting[order.side]))
    value = float(contracts.notional(held, market.mark, inverse=market.inverse))
    return leg.leverage <= _tier(leg.ladder, value) * (1 + 1e-9)


def _tier(ladder: tuple[MarginTier, ...], value: float) -> float:
    """Largest leverage that a margin schedule allows for a position of a value."""
    rates = [tier.initial_margin for tier in sorted(ladder, key=lambda tier: tier.threshold) if tier.threshold <= value]
    return 1 / rates[-1] if rates and rates[-1] else math.inf


def _required(portfolio: Portfolio, wallet: str, leg: Leg) -> float:
    legs = tuple(leg if other.symbol == leg.symbol else other for other in portfolio.legs)
    changed = replace(portfolio, legs=legs)
    return float(changed.of_wallet(wallet, changed.initial_with_orders))


def _by_value(order: Order, market: Market) -> Decimal:
    asked = float(to_decimal(order.notional or 0))
    size = largest(market, lambda size: worth(order, market, size) <= asked * (1 + 1e-12))
    if size:
        return size
    least = worth(order, market, market.step or Decimal("1e-8"))
    if math.isnan(least):
        message = f"notional={order.notional}: there is no price of {order.symbol} now; give size in contracts"
        raise OrderRefused(message, field="notional", value=order.notional, rule="price_known")
    enough = round_to_step(least, _CENT, "up")
    raise OrderRefused(
        f"notional={plain(to_decimal(order.notional or 0))} buys not one size step of {order.symbol}: "
        f"that is worth {plain(enough)} {market.quote}",
        field="notional",
        value=order.notional,
        rule="minimum",
        suggestion=enough,
    )


def _by_margin(order: Order, market: Market) -> Decimal:
    share, step = float(to_decimal(order.margin_share or 0)), market.step or Decimal("1e-8")
    left = margin_left(order, market, step)
    if math.isnan(left):
        raise OrderRefused(
            f"margin_share={order.margin_share}: it is not known what margin {order.symbol} needs or how much there "
            "is; give size in contracts",
            field="margin_share",
            value=order.margin_share,
            rule="margin_known",
        )

    def fits(size: Decimal, share: float = share) -> bool:
        return covered(order, market, size, share) and is_leverage_allowed(order, market, size)

    size = largest(market, fits, room(order, market))
    if size:
        return size
    available = market.available_margin
    least = round_to_step(1 - left / available, _SHARE_STEP, "up") if math.isfinite(left) and available > 0 else None
    # One step of the share more where the rounding of the figures decides.
    enough = (candidate for candidate in ([] if least is None else [least, least + _SHARE_STEP]) if candidate <= 1)
    suggestion = next((c for c in enough if room(order, market) >= step and fits(step, float(c))), None)
    raise OrderRefused(
        f"margin_share={plain(to_decimal(order.margin_share or 0))} of {available:,.10g} {market.currency} is too "
        f"little for one size step of {order.symbol}",
        field="margin_share",
        value=order.margin_share,
        rule="margin",
        suggestion=suggestion,
    )
