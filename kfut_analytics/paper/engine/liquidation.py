"""Equity protection: what happens when an account's equity falls to its maintenance margin (api-facts 6.9).

An inverse wallet loses its positions whole. The multi-collateral wallet loses them in parts, the one that requires
most first, until its equity is above its maintenance margin again; each part costs a liquidation fee. Every order is
limited at the price at which the wallet's equity is gone; what the book does not take there is assigned to the
simulated participants at that price. What a wallet then owes in USD is paid with its other currencies. So nobody ends
below zero, and nobody else pays for it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kfut_analytics.contracts import funding_payment, margin_requirement, pnl, round_to_step
from kfut_analytics.paper.clock import DAY, HOUR
from kfut_analytics.paper.engine import matching
from kfut_analytics.paper.engine.account import TAKER_FEE, Account, Position, Terms
from kfut_analytics.paper.engine.margin import COLLATERAL, FlexState
from kfut_analytics.paper.engine.orders import Order
from kfut_analytics.paper.market.instruments import Asset, wallet_currency
from kfut_analytics.paper.market.protocol import Floats, Market

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.exchange import Exchange

logger = logging.getLogger("kfut_analytics.paper")

LIQUIDATION_FEE = 0.0025
"""Share of the value that a liquidation in the multi-collateral wallet costs; the exchange publishes none."""
PART = 0.25
"""Share of a position that one partial liquidation closes."""
SMALLEST_PART_USD = 1000.0
CONVERSION_SPREAD = 0.005
"""Share of its value that it costs to turn collateral into USD."""

PARTIAL = Terms("futures partial liquidation", "partialLiquidation", TAKER_FEE, LIQUIDATION_FEE)
WHOLE = Terms("futures liquidation", "liquidation", TAKER_FEE, LIQUIDATION_FEE)
INVERSE = Terms("futures liquidation", "liquidation", TAKER_FEE)
ASSIGNOR = Terms("futures assignor", "assignor", 0.0)
ASSIGNEE = Terms("futures assignee", "assignee", 0.0)
_FAR = 10.0
"""No price is more than so many times the mark price."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Positions that stand in for one another: those of a wallet, or an isolated one alone.

    Attributes
    ----------
    locked
        The margin of an isolated position, which is all that it has; for a wallet what its isolated positions hold.
    """

    wallet: str
    positions: tuple[Position, ...]
    locked: float
    isolated: bool

    @property
    def name(self) -> str:
        """The wallet, or the contract of an isolated position."""
        return self.positions[0].contract.symbol if self.isolated else self.wallet


def pools(account: Account) -> list[Pool]:
    """The pools of an account: an isolated position has its value at entry over its leverage as margin."""
    chosen, found, shared, locked = account.preferences.leverage, [], defaultdict(list), 0.0
    for position in account.positions.values():
        leverage = chosen.get(position.contract.symbol)
        if leverage is None:
            shared[position.contract.wallet].append(position)
        else:
            margin = abs(position.size) * position.entry_price / leverage
            found.append(Pool(position.contract.wallet, (position,), margin, isolated=True))
            locked += margin
    for wallet, positions in shared.items():
        found.append(Pool(wallet, tuple(positions), locked if wallet == "flex" else 0.0, isolated=False))
    return found


# Foreseeing ------------------------------------------------------------------------------------------------------


def foresee(exchange: Exchange, account: Account, end: float) -> float | None:
    """When, before the next full hour and up to ``end``, the equity of a pool falls to its maintenance margin.

    How far nothing can happen at all is remembered, so that most calls cost nothing.
    """
    if not account.positions:
        return None
    revision, until = exchange.safe.get(account.name, (-1, 0.0))
    if revision == account.revision and until >= end:
        return None
    start, market = exchange.now, exchange.market
    horizon = min(start + DAY, market.known_until(start))
    safe, moments = max(horizon, end), []
    for pool in pools(account):
        hours, worst = _worst(market, account, pool, start, max(horizon, end))
        risky = hours[worst <= 0]
        if not len(risky):
            continue
        safe = min(safe, max(float(risky[0]), end))
        if risky[0] < end:
            moment = _first_in_pool(market, account, pool, start, end)
            moments += [] if moment is None else [moment]
    exchange.safe[account.name] = (account.revision, safe)
    return min(moments, default=None)


def _first_in_pool(market: Market, account: Account, pool: Pool, start: float, end: float) -> float | None:
    times = np.append(np.append(start, market.knots(start, end)), end)
    short = headroom(market, account, pool, times) <= 0
    if not short.any():
        return None
    place = int(np.argmax(short))
    return start if place == 0 else _narrowed(market, account, pool, times[place - 1], times[place])


def _narrowed(market: Market, account: Account, pool: Pool, before: float, after: float) -> float:
    """The millisecond, between two instants, from which the equity is too low."""
    while after - before > 0.0015:
        middle = round((before + after) / 2, 3)
        if headroom(market, account, pool, np.array([middle]))[0] <= 0:
            after = middle
        else:
            before = middle
    return float(after)


def headroom(market: Market, account: Account, pool: Pool, times: Floats) -> Floats:
    """Equity less maintenance margin of a pool at some times, if positions and balances stay as they are."""
    required: dict[str, list[Floats]] = defaultdict(lambda: [np.zeros(len(times)), np.zeros(len(times))])
    for position in pool.positions:
        sides, side = required[position.contract.asset.code], int(position.size < 0)
        sides[side] = sides[side] + _maintenance(position, market.mark(position.contract, times))
    total = sum((np.maximum(longs, shorts) for longs, shorts in required.values()), np.zeros(len(times)))
    return equity(market, account, pool, times) - total


def equity(market: Market, account: Account, pool: Pool, times: Floats) -> Floats:
    """Collateral and open P&L of a pool at some times, if positions and balances stay as they are."""
    total = _collateral(market, account, pool, lambda asset: market.index(asset, times)) + np.zeros(len(times))
    for position in pool.positions:
        contract = position.contract
        marks = market.mark(contract, times)
        total = total + pnl(position.size, position.entry_price, marks, inverse=contract.inverse)
        if contract.expiry is None:
            rate = market.funding(contract, float(times[0]))
            total = total + funding_payment(position.size, rate, (times - position.funding_from) / HOUR)
    return total


def _worst(market: Market, account: Account, pool: Pool, start: float, end: float) -> tuple[Floats, Floats]:
    """For every hour a figure that the headroom does not fall below, from the hour's extremes."""

    def lowest_index(asset: Asset) -> Floats:
        return market.hourly_index_bounds(asset, start, end)[1]

    hours = market.hourly_bounds(pool.positions[0].contract, start, end)[0]
    room = _collateral(market, account, pool, lowest_index) + 0 * hours
    for position in pool.positions:
        contract = position.contract
        _, lowest, highest = market.hourly_bounds(contract, start, end)
        against = lowest if position.size > 0 else highest
        room = room + pnl(position.size, position.entry_price, against, inverse=contract.inverse)
        room = room - np.maximum(_maintenance(position, lowest), _maintenance(position, highest))
        value = abs(position.size) / lowest if contract.inverse else abs(position.size) * highest
        # Funding of this hour and of those since it was settled last.
        room = room - contract.max_funding_rate * value * ((hours - start) / HOUR + 2)
    return hours, room


def _collateral(market: Market, account: Account, pool: Pool, index: Callable[[Asset], Floats]) -> float | Floats:
    if pool.isolated:
        return pool.locked
    if pool.wallet != "flex":
        return account.balances.get((pool.wallet, wallet_currency(pool.wallet)), 0.0)
    total: float | Floats = -pool.locked
    for currency, kind in COLLATERAL.items():
        amount = account.balances.get(("flex", currency), 0.0)
        if amount:
            price = kind.usd if kind.usd is not None else index(market.assets[currency.upper()])
            total = total + amount * price * (1 - kind.haircut)
    return total


def _maintenance(position: Position, marks: Floats) -> Floats:
    contract = position.contract
    if contract.inverse:
        return margin_requirement(abs(position.size), contract.tiers, maintenance=True) / marks
    return margin_requirement(abs(position.size) * marks, contract.tiers, maintenance=True)


# Liquidating -----------------------------------------------------------------------------------------------------


def protect(exchange: Exchange, account: Account) -> None:
    """Liquidate every pool of an account whose equity is not above its maintenance margin.

    While one of its markets is suspended a pool is left alone.
    """
    for pool in pools(account):
        if any(exchange.state(position.contract).suspended for position in pool.positions):
            continue
        if _room(exchange, account, pool) <= 0:
            logger.info("account %s is liquidated in wallet %s", account.name, pool.wallet)
            _withdraw_orders(exchange, account, pool)
            _liquidate(exchange, account, pool)
            if pool.wallet == "flex" and not any(p.contract.wallet == "flex" for p in account.positions.values()):
                _sell_collateral(exchange, account)


def falls_short(exchange: Exchange, account: Account) -> bool:
    """Whether the equity of any pool is not above its maintenance margin."""
    return any(_room(exchange, account, pool) <= 0 for pool in pools(account))


def withdraw_uncovered(exchange: Exchange, account: Account) -> None:
    """Withdraw the orders that add risk where the equity is below the initial margin of the positions alone."""
    for wallet in {order.contract.wallet for order in account.orders.values() if not order.is_trigger}:
        state = exchange.flex(account) if wallet == "flex" else exchange.single(account, wallet)
        equity = state.margin_equity if isinstance(state, FlexState) else state.portfolio_value
        if equity >= state.required.initial:
            continue
        for order in list(account.orders.values()):
            adds = order.sign * account.position_size(order.contract) >= 0
            if order.contract.wallet == wallet and adds and not (order.reduce_only or order.is_trigger):
                exchange.close_order(account, order, "CANCELLED", "NOT_ENOUGH_MARGIN")


def _room(exchange: Exchange, account: Account, pool: Pool) -> float:
    return float(headroom(exchange.market, account, pool, np.array([exchange.now]))[0])


def _withdraw_orders(exchange: Exchange, account: Account, pool: Pool) -> None:
    symbols = {position.contract.symbol for position in pool.positions}
    for order in list(account.orders.values()):
        if order.contract.symbol in symbols or (not pool.isolated and order.contract.wallet == pool.wallet):
            exchange.close_order(account, order, "CANCELLED", "NOT_ENOUGH_MARGIN")


def _liquidate(exchange: Exchange, account: Account, pool: Pool) -> None:
    """Close the positions of a pool, the one that requires most first, until the rest is covered."""
    in_parts = pool.wallet == "flex" and not pool.isolated
    started = {position.contract.symbol: abs(position.size) for position in pool.positions}
    left: Pool | None = pool
    while left is not None and _room(exchange, account, left) <= 0:
        position = max(left.positions, key=lambda held: _required(exchange, held))
        contract, size = position.contract, abs(position.size)
        if in_parts:
            part = max(PART * started[contract.symbol], SMALLEST_PART_USD / exchange.prices.mark(contract))
            size = min(size, float(round_to_step(part, contract.step, "up")))
        _close(exchange, account, left, position, size)
        left = next((other for other in pools(account) if other.name == pool.name), None)


def _sell_collateral(exchange: Exchange, account: Account) -> None:
    """Pay what a wallet without positions owes in USD with its other currencies, the largest amount first."""
    owned = {
        currency: account.balances.get(("flex", currency), 0.0) * exchange.prices.collateral(currency)
        for currency in COLLATERAL
        if currency != "usd"
    }
    for currency, value in sorted(owned.items(), key=lambda item: -item[1]):
        owed = -account.balances.get(("flex", "usd"), 0.0)
        if owed <= 0 or value <= 0:
            return
        price = exchange.prices.collateral(currency) * (1 - CONVERSION_SPREAD)
        sold, paid = account.convert(exchange.now, "flex", currency, owed / price, price, CONVERSION_SPREAD)
        exchange.house.collect("flex", currency, sold)
        exchange.house.collect("flex", "usd", -paid)


def _required(exchange: Exchange, position: Position) -> float:
    mark = exchange.prices.mark(position.contract)
    return float(_maintenance(position, np.array([mark]))[0]) * (mark if position.contract.inverse else 1.0)


def _close(exchange: Exchange, account: Account, pool: Pool, position: Position, size: float) -> None:
    """Trade a part of a position down to the bankruptcy price, and assign there what the book does not take."""
    contract = position.contract
    terms = INVERSE if contract.inverse else WHOLE if size == abs(position.size) else PARTIAL
    limit = bankruptcy_price(exchange, account, pool, position, terms.fee_rate + terms.liquidation_fee_rate)
    order = Order(
        order_id=exchange.new_id(),
        cli_ord_id=None,
        contract=contract,
        side="sell" if position.size > 0 else "buy",
        order_type="liquidation",
        size=size,
        limit_price=limit,
        stop_price=None,
        trigger_signal="mark",
        reduce_only=True,
        received=exchange.now,
        updated=exchange.now,
    )
    matching.carry_out(exchange, account, order, matching.plan(exchange, account, order), terms)
    if order.remaining:
        matching.assign(exchange, account, order, ASSIGNOR, ASSIGNEE)
    account.record("placed", exchange.now, order, "liquidation_order")
    exchange.close_order(account, order, "FULLY_EXECUTED", "LIQUIDATION_ORDER")


def bankruptcy_price(
    exchange: Exchange, account: Account, pool: Pool, position: Position, fee_rate: float = 0.0
) -> float:
    """The price, on the tick, at which closing a position and paying for it leaves its pool with nothing."""
    contract, size = position.contract, abs(position.size)
    mark = exchange.prices.mark(contract)
    left = float(equity(exchange.market, account, pool, np.array([exchange.now]))[0])
    long = position.size > 0
    if contract.inverse:
        coins = size / mark + (left if long else -left)
        # A short position that is worth less than the wallet cannot lose all of it.
        price = size * (1 + fee_rate if long else 1 - fee_rate) / coins if coins > 0 else mark * _FAR
    else:
        price = (mark - left / size) / (1 - fee_rate) if long else (mark + left / size) / (1 + fee_rate)
    price = min(max(price, float(contract.tick)), mark * _FAR)
    return float(round_to_step(price, contract.tick, "up" if long else "down"))
