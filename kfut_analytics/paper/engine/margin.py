"""What an account is worth and what its positions require, per margin wallet.

Sources: api-facts 6.7 (brackets), 6.8 (identities of the multi-collateral wallet, netting of contracts on the same
underlying) and 6.9 (trigger estimates).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kfut_analytics.contracts import margin_requirement, notional, pnl
from kfut_analytics.paper.engine.account import Account, Position
from kfut_analytics.paper.engine.orders import Order
from kfut_analytics.paper.market.instruments import INVERSE_WALLETS, Asset, Contract, wallet_currency
from kfut_analytics.paper.market.protocol import Market


@dataclass(frozen=True, slots=True)
class Collateral:
    """A currency of the multi-collateral wallet.

    Attributes
    ----------
    code
        As the exchange writes it in the wallet.
    haircut
        Share of its value that does not count as collateral.
    usd
        Its price for a currency of constant value here, ``None`` where the index of a coin gives it.
    """

    code: str
    haircut: float
    usd: float | None = None


COLLATERAL = {
    "usd": Collateral("USD", 0.0, 1.0),
    "usdc": Collateral("USDC", 0.0, 1.0),
    "usdt": Collateral("USDT", 0.005, 1.0),
    "eur": Collateral("EUR", 0.005, 1.16),
    "gbp": Collateral("GBP", 0.005, 1.32),
    "xbt": Collateral("BTC", 0.02),
    "eth": Collateral("ETH", 0.03),
    "sol": Collateral("SOL", 0.10),
    "xrp": Collateral("XRP", 0.10),
}
"""Currencies of the multi-collateral wallet, as the account log spells them."""

COINS = tuple(currency for currency, kind in COLLATERAL.items() if kind.usd is None)
"""Those of them whose price is an index."""

SINGLE_COLLATERAL_WALLETS = INVERSE_WALLETS
"""Wallets that every account has, and their currencies; see `Exchange.single_wallets` for all of them."""


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


class Prices:
    """The prices of one moment, each asked for once.

    Parameters
    ----------
    multipliers
        Factor of the initial margin by symbol, where a market's volatility is extreme.
    """

    def __init__(self, market: Market, now: float, multipliers: Mapping[str, float] | None = None) -> None:
        self.now = now
        self.multipliers = multipliers or {}
        self._market = market
        self._marks: dict[str, float] = {}
        self._indices: dict[str, float] = {}
        self._rates: dict[str, float] = {}

    def mark(self, contract: Contract) -> float:
        """Mark price."""
        if contract.symbol not in self._marks:
            self._marks[contract.symbol] = float(self._market.mark(contract, self.now))
        return self._marks[contract.symbol]

    def index(self, asset: Asset) -> float:
        """Index price in USD."""
        if asset.code not in self._indices:
            self._indices[asset.code] = float(self._market.index(asset, self.now))
        return self._indices[asset.code]

    def funding(self, contract: Contract) -> float:
        """Absolute funding rate of this hour, 0 for a dated contract."""
        if contract.expiry is not None:
            return 0.0
        if contract.symbol not in self._rates:
            self._rates[contract.symbol] = self._market.funding(contract, self.now)
        return self._rates[contract.symbol]

    def collateral(self, currency: str) -> float:
        """Price in USD of a currency of the multi-collateral wallet."""
        constant = COLLATERAL[currency].usd
        return self.coin(currency) if constant is None else constant

    def coin(self, currency: str) -> float:
        """Price in USD of a coin, as the account log spells it."""
        return self.index(self._market.assets[currency.upper()])


def unrealized_pnl(position: Position, prices: Prices) -> float:
    """Open P&L at the mark price, in the contract's currency."""
    contract = position.contract
    return float(pnl(position.size, position.entry_price, prices.mark(contract), inverse=contract.inverse))


def accrued_funding(account: Account, position: Position, prices: Prices) -> float:
    """Funding not yet settled, in the contract's currency."""
    return account.unrealized_funding(position, prices.now, prices.funding(position.contract))


def requirements(account: Account, wallet: str, prices: Prices, *, extra: Order | None = None) -> Requirements:
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
        mark, leverage = prices.mark(contract), account.preferences.leverage.get(contract.symbol)
        factor = prices.multipliers.get(contract.symbol, 1.0)
        group = contract.asset.code if leverage is None else contract.symbol
        initial[group][size < 0] += factor * _margin(contract, size, mark, leverage)
        maintenance[group][size < 0] += _margin(contract, size, mark, maintenance=True)
        with_orders[group][0] += factor * _margin(contract, max(size + buys, 0.0), mark, leverage)
        with_orders[group][1] += factor * _margin(contract, max(sells - size, 0.0), mark, leverage)
    return Requirements(
        initial=_netted(initial.values()),
        initial_with_orders=_netted(with_orders.values()),
        maintenance=_netted(maintenance.values()),
        pnl=sum(unrealized_pnl(p, prices) for p in positions),
        funding=sum(accrued_funding(account, p, prices) for p in positions),
    )


def flex_state(account: Account, prices: Prices, *, extra: Order | None = None) -> FlexState:
    """The multi-collateral wallet, as if ``extra`` were among its open orders."""
    required = requirements(account, "flex", prices, extra=extra)
    quantities = {currency: account.balances.get(("flex", currency), 0.0) for currency in COLLATERAL}
    held = {currency: amount for currency, amount in quantities.items() if amount or currency == "usd"}
    values = {currency: amount * prices.collateral(currency) for currency, amount in held.items()}
    counted = {currency: value * (1 - COLLATERAL[currency].haircut) for currency, value in values.items()}
    collateral_value = sum(counted.values())
    margin_equity = collateral_value + (required.pnl + required.funding)
    available = margin_equity - required.initial_with_orders
    holdings = {
        currency: Holding(
            amount,
            values[currency],
            counted[currency],
            max(0.0, min(amount, available / (prices.collateral(currency) * (1 - COLLATERAL[currency].haircut)))),
        )
        for currency, amount in held.items()
    }
    balance_value = sum(values.values())
    return FlexState(
        holdings, required, balance_value, balance_value + required.pnl, collateral_value, margin_equity, available
    )


def single_state(account: Account, wallet: str, prices: Prices, *, extra: Order | None = None) -> SingleState:
    """A single-collateral wallet, as if ``extra`` were among its open orders."""
    currency = wallet_currency(wallet)
    required = requirements(account, wallet, prices, extra=extra)
    balance = account.balances.get((wallet, currency), 0.0)
    portfolio = balance + required.pnl + required.funding
    available = portfolio - required.initial_with_orders
    price = prices.coin(currency)
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
