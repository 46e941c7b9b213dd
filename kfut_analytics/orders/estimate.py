"""From an order and the facts to a preview: sizing, every check, and the figures."""

from __future__ import annotations

import math
from dataclasses import replace

from .. import contracts
from ..limits import NO_LIMITS, NOTHING_SPENT, Limits, Spent
from ..risk.edges import liquidation_price
from ..risk.portfolio import Portfolio, over
from . import checks, effect
from .effect import Trade
from .market import Market
from .order import TRIGGER_TYPES, Order
from .preview import Preview
from .sizing import sized
from .warnings import warnings_of


def examine(order: Order, market: Market, limits: Limits = NO_LIMITS, spent: Spent = NOTHING_SPENT) -> Preview:
    """Size an order, hold it against every rule, and estimate what it would do.

    Parameters
    ----------
    order
        As a person states it.
    market
        The facts.
    limits, spent
        The user's own limits, and what was sent already.

    Raises
    ------
    OrderRefused
        Naming field, value, rule and a value that satisfies the rule, where there is one.
    """
    checks.check_state(order, market)
    exact = checks.check(sized(order, market), market.instrument)
    seen = preview(exact, market)
    checks.check_market(seen, market, limits, spent)
    return replace(seen, warnings=tuple(warnings_of(seen, market, limits)), limits=limits)


def preview(order: Order, market: Market) -> Preview:
    """Estimate what a sized order would do; nothing but the contract's grid is checked, and no warning is given.

    Raises
    ------
    OrderRefused
        If size or a price is not on the contract's grid.
    """
    order = checks.check(sized(order, market), market.instrument)
    leg, inverse = market.leg, market.inverse
    trades = effect.trades_at_once(order, leg, market.levels(order.side), market.fees.taker)
    left = effect.resting(order, leg, trades)
    accepted, _ = effect.carry_out(market.portfolio, order, leg, trades, left)
    price = effect.own_price(order, market.signal(order)) if left else math.nan
    rate = market.fees.taker if order.order_type in TRIGGER_TYPES else market.fees.maker
    whole = [*trades, Trade(left, price, rate)] if left else trades
    filled, _ = effect.carry_out(market.portfolio, order, leg, whole, 0.0)
    size = sum(trade.size for trade in trades)
    average = (
        effect.average_price(*zip(*((t.size, t.price) for t in trades), strict=True), inverse=inverse)
        if trades
        else math.nan
    )
    slippage = order.sign * (average - market.middle)
    before, after = (_margin(portfolio, market.wallet) for portfolio in (market.portfolio, filled))
    now, then = (_available(portfolio, market.wallet) for portfolio in (market.portfolio, accepted))
    worth = [float(contracts.notional(trade.size, trade.price, inverse=inverse)) for trade in whole]
    return Preview(
        order=order,
        env=market.env,
        time=market.time,
        bid=market.price("bid"),
        ask=market.price("ask"),
        mark_price=market.mark,
        tick_size=math.nan if market.tick is None else float(market.tick),
        immediate_size=size,
        immediate_price=average,
        resting_size=left,
        slippage_bps=slippage / market.middle * 1e4,
        notional=sum(worth),
        fee=_fees(whole, inverse=inverse),
        fee_currency=market.currency,
        position_before=market.position,
        position_after=_position(filled, leg.symbol),
        initial_margin_before=before[0],
        initial_margin_after=after[0],
        margin_currency=market.currency,
        available_margin=market.available_margin,
        fills=tuple(effect.Level(trade.size, trade.price) for trade in trades),
        worst_price=effect.worst_price(order, market.best(order.side), market.tick),
        trigger_price=effect.trigger_price(order, market.signal(order)),
        slippage=slippage,
        slippage_cost=_cost(trades, market.middle, order.sign, inverse=inverse),
        fee_maker=_fees(whole, market.fees.maker, inverse=inverse),
        fee_taker=_fees(whole, market.fees.taker, inverse=inverse),
        fee_source=market.fees.source,
        margin_usage_before=before[1],
        margin_usage_after=after[1],
        available_margin_after=market.available_margin + then - now,
        liquidation_price_before=liquidation_price(market.portfolio, leg.symbol),
        liquidation_price_after=liquidation_price(filled, leg.symbol),
        read_at=market.read_at,
        market=market,
    )


def _margin(portfolio: Portfolio, wallet: str) -> tuple[float, float]:
    """Initial margin of a wallet's positions, and the part of its equity that this is."""
    initial = float(portfolio.of_wallet(wallet, portfolio.initial))
    return initial, over(initial, float(portfolio.of_wallet(wallet, portfolio.equity)))


def _available(portfolio: Portfolio, wallet: str) -> float:
    equity = portfolio.of_wallet(wallet, portfolio.equity)
    return float(equity - portfolio.of_wallet(wallet, portfolio.initial_with_orders))


def _position(portfolio: Portfolio, symbol: str) -> float:
    return next(float(leg.size) for leg in portfolio.legs if leg.symbol == symbol) + 0.0


def _fees(trades: list[Trade], rate: float | None = None, *, inverse: bool) -> float:
    """Fees of trades, each at its own rate or all at one."""
    fees = (contracts.fee(t.size, t.price, t.rate if rate is None else rate, inverse=inverse) for t in trades)
    return float(sum(fees))


def _cost(trades: list[Trade], middle: float, sign: int, *, inverse: bool) -> float:
    """What trades cost against the middle of the market, in the contract's currency."""
    if not trades:
        return math.nan
    return -float(sum(contracts.pnl(sign * t.size, t.price, middle, inverse=inverse) for t in trades))
