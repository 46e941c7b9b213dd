"""What an account is worth and what its positions require, per margin wallet.

Sources: api-facts 6.7 (brackets), 6.8 (identities of the multi-collateral wallet, netting of contracts on the same
underlying) and 6.9 (trigger estimates).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from kfut_analytics.contracts import margin_requirement, notional, pnl
from kfut_analytics.paper.account import Account, Position
from kfut_analytics.paper.instruments import ASSETS, INVERSE_WALLETS, Contract
from kfut_analytics.paper.market import Market
from kfut_analytics.paper.orders import Order

HAIRCUTS = {"usd": 0.0, "xbt": 0.02, "eth": 0.03}
"""Share of a currency's value that does not count as collateral in the multi-collateral wallet."""

SINGLE_COLLATERAL_WALLETS = INVERSE_WALLETS


@dataclass(frozen=True, slots=True)
class Requirements:
    """Margin of a wallet in its currency, and the open P&L and funding of its positions."""

    initial: float
    initial_with_orders: float
    maintenance: float
    pnl: float
    funding: float


@dataclass(frozen=True, slots=True)
class Holding:
    """One currency in the multi-collateral wallet; ``value`` and ``collateral`` in USD."""

    quantity: float
    value: float
    collateral: float
    available: float


@dataclass(frozen=True, slots=True)
class FlexState:
    """The multi-collateral wallet in USD."""

    holdings: dict[str, Holding]
    required: Requirements
    balance_value: float
    portfolio_value: float
    collateral_value: float
    margin_equity: float
    available: float


@dataclass(frozen=True, slots=True)
class SingleState:
    """A single-collateral wallet in its coin; ``triggers`` are price levels, 0 where there is none."""

    currency: str
    balance: float
    required: Requirements
    portfolio_value: float
    available: float
    triggers: dict[str, float]


def unrealized_pnl(position: Position, market: Market, now: float) -> float:
    """Open P&L at the mark price, in the contract's currency."""
    mark = market.mark(position.contract, now)
    return float(pnl(position.size, position.entry_price, mark, inverse=position.contract.inverse))


def accrued_funding(account: Account, position: Position, market: Market, now: float) -> float:
    """Funding not yet settled, in the contract's currency."""
    if position.contract.expiry is not None:
        return 0.0
    return account.unrealized_funding(position, now, market.funding(position.contract, now))


def requirements(
    account: Account, wallet: str, market: Market, now: float, *, extra: Order | None = None
) -> Requirements:
    """What the wallet's positions require, and with its open orders (and ``extra``, if given).

    Contracts on the same underlying net: the larger of what all longs and what all shorts require; those with
    isolated margin stand alone, and require at least what their leverage says (api-facts 6.7 and 6.8). With orders,
    every contract counts once as if all its buys and once as if all its sells were filled.
    """
    positions = [p for p in account.positions.values() if p.contract.wallet == wallet]
    orders = [o for o in account.orders.values() if o.contract.wallet == wallet]
    if extra is not None:
        orders.append(extra)
    exposures: dict[Contract, list[float]] = {p.contract: [p.size, 0.0, 0.0] for p in positions}
    for order in orders:
        if not (order.reduce_only or order.is_trigger):
            exposures.setdefault(order.contract, [0.0, 0.0, 0.0])[1 if order.side == "buy" else 2] += order.remaining

    initial: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    with_orders: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    maintenance: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for contract, (size, buys, sells) in exposures.items():
        mark, leverage = market.mark(contract, now), account.preferences.leverage.get(contract.symbol)
        group = contract.asset.code if leverage is None else contract.symbol
        initial[group][size < 0] += _margin(contract, size, mark, leverage)
        maintenance[group][size < 0] += _margin(contract, size, mark, maintenance=True)
        with_orders[group][0] += _margin(contract, max(size + buys, 0.0), mark, leverage)
        with_orders[group][1] += _margin(contract, max(sells - size, 0.0), mark, leverage)
    return Requirements(
        initial=_netted(initial.values()),
        initial_with_orders=_netted(with_orders.values()),
        maintenance=_netted(maintenance.values()),
        pnl=sum(unrealized_pnl(p, market, now) for p in positions),
        funding=sum(accrued_funding(account, p, market, now) for p in positions),
    )


def flex_state(account: Account, market: Market, now: float, *, extra: Order | None = None) -> FlexState:
    """The multi-collateral wallet, as if ``extra`` were among its open orders."""
    required = requirements(account, "flex", market, now, extra=extra)
    prices = {
        currency: 1.0 if currency == "usd" else market.index(ASSETS[currency.upper()], now) for currency in HAIRCUTS
    }
    quantities = {currency: account.balances.get(("flex", currency), 0.0) for currency in HAIRCUTS}
    values = {currency: quantities[currency] * prices[currency] for currency in HAIRCUTS}
    collateral = {currency: values[currency] * (1 - haircut) for currency, haircut in HAIRCUTS.items()}
    collateral_value = sum(collateral.values())
    margin_equity = collateral_value + (required.pnl + required.funding)
    available = margin_equity - required.initial_with_orders
    holdings = {
        currency: Holding(
            quantities[currency],
            values[currency],
            collateral[currency],
            max(0.0, min(quantities[currency], available / (prices[currency] * (1 - haircut)))),
        )
        for currency, haircut in HAIRCUTS.items()
    }
    balance_value = sum(values.values())
    return FlexState(
        holdings, required, balance_value, balance_value + required.pnl, collateral_value, margin_equity, available
    )


def single_state(
    account: Account, wallet: str, market: Market, now: float, *, extra: Order | None = None
) -> SingleState:
    """A single-collateral wallet, as if ``extra`` were among its open orders."""
    currency = SINGLE_COLLATERAL_WALLETS[wallet]
    required = requirements(account, wallet, market, now, extra=extra)
    balance = account.balances.get((wallet, currency), 0.0)
    portfolio = balance + required.pnl + required.funding
    available = portfolio - required.initial_with_orders
    price = market.index(ASSETS[currency.upper()], now)
    held = [p for p in account.positions.values() if p.contract.wallet == wallet]
    exposure = sum(float(notional(p.size, price, inverse=True)) for p in held)
    levels = {"im": required.initial, "mm": required.maintenance, "lt": required.maintenance, "tt": 0.0}
    triggers = {name: _trigger_price(portfolio, exposure, level, price) for name, level in levels.items()}
    return SingleState(currency, balance, required, portfolio, available, triggers)


def _trigger_price(portfolio: float, exposure: float, level: float, price: float) -> float:
    """The price at which the wallet's value falls to a requirement, 0 if no price does.

    Value and requirement are both straight lines in the coins that one dollar buys: a net ``exposure`` of USD
    contracts changes the value by ``−exposure`` per unit of it, the requirement grows with ``level × price``.
    """
    slope = exposure + level * price
    if exposure == 0 or slope == 0:
        return 0.0
    coins_per_dollar = 1 / price + (portfolio - level) / slope
    return 1 / coins_per_dollar if coins_per_dollar > 0 else 0.0


def _margin(
    contract: Contract, size: float, mark: float, leverage: float | None = None, *, maintenance: bool = False
) -> float:
    if size == 0:
        return 0.0
    value = float(notional(size, mark, inverse=contract.inverse))
    required = margin_requirement(value, contract.tiers, maintenance=maintenance)
    if leverage is not None:
        required = max(required, abs(value) / leverage)
    return required / mark if contract.inverse else required


def _netted(sides: Iterable[list[float]]) -> float:
    return sum((max(longs, shorts) for longs, shorts in sides), 0.0)
