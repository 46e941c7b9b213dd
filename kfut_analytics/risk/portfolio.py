"""An account as numbers: what it is worth and what it requires, at any prices.

Sizes and prices are numbers, or arrays with one element per scenario or per moment: a ladder of shocks and a year of
hours are one pass each. Amounts are in the currency of their wallet.

wallet
    Where money is: ``flex``, the multi-collateral wallet in USD, with linear contracts; or a single-collateral wallet
    of one coin (``fi_xbtusd``), with the inverse contracts on it.
pool
    What stands in for one another and is liquidated together: the cross-margined positions of a wallet with its
    money, or an isolated position with the margin that is set aside for it (its value at entry over its leverage).

Requirements: margin tiers bracket by bracket at the mark price (api-facts 6.7); of the cross-margined contracts on one
underlying only the larger side, long or short, needs margin (6.8). Equity: balances after haircuts, unrealised P&L and
funding accrued (6.8).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..accounting.amounts import MONEY
from ..contracts import (
    FLEX,
    MarginTier,
    is_inverse,
    margin_requirement,
    notional,
    pnl,
    pnl_currency,
    underlying_of,
    wallet_of,
)

Floats = NDArray[np.float64]
Numbers = Any
"""A number, or an array of them with one element per scenario or moment."""

CASH = frozenset(MONEY - {"FEE"})
"""Money and stablecoins: they stand still when the market moves."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One contract: the position in it, and the open orders.

    Attributes
    ----------
    size
        Signed contracts, 0 where only orders are open.
    entry_price, mark_price
        NaN where there is none.
    ladder
        Its margin tiers; without any its margin is NaN.
    funding
        Accrued and not yet paid, negative if it will be paid.
    leverage
        The fixed leverage of an isolated contract.
    multiplier
        Factor of the initial margin in extreme volatility.
    buys, sells
        Contracts that open orders would add or take, positive; those that cannot add risk are not in them.
    """

    symbol: str
    size: Numbers
    entry_price: Numbers
    mark_price: Numbers
    ladder: tuple[MarginTier, ...]
    funding: Numbers = 0.0
    leverage: float | None = None
    multiplier: float = 1.0
    buys: float = 0.0
    sells: float = 0.0
    inverse: bool = field(init=False)
    underlying: str = field(init=False)
    wallet: str = field(init=False)

    def __post_init__(self) -> None:
        for name, value in (
            ("inverse", is_inverse(self.symbol)),
            ("underlying", underlying_of(self.symbol)),
            ("wallet", wallet_of(self.symbol)),
        ):
            object.__setattr__(self, name, value)

    @property
    def currency(self) -> str:
        """Currency of its P&L and margin."""
        return pnl_currency(self.symbol)

    @property
    def held(self) -> bool:
        """Whether there is a position, at any moment."""
        return bool(np.any(np.not_equal(self.size, 0)))

    @property
    def notional(self) -> Numbers:
        """Value in USD, with the sign of the size."""
        return _unless_flat(self.size, notional(self.size, self.mark_price, inverse=self.inverse))

    @property
    def value(self) -> Numbers:
        """Value in its currency, positive."""
        return _unless_flat(self.size, self._worth(self.size, self.mark_price))

    @property
    def locked(self) -> Numbers:
        """What is set aside for an isolated position; nothing for a cross-margined one."""
        if self.leverage is None:
            return 0.0
        return _unless_flat(self.size, self._worth(self.size, self.entry_price) / self.leverage)

    @property
    def pnl(self) -> Numbers:
        """Unrealised P&L at the mark price, without funding."""
        with np.errstate(divide="ignore", invalid="ignore"):
            made = pnl(np.asarray(self.size), self.entry_price, self.mark_price, inverse=self.inverse)
        return _unless_flat(self.size, made)

    @property
    def open_value(self) -> Numbers:
        """Unrealised P&L and funding."""
        return self.pnl + self.funding

    def requirement(self, size: Numbers, *, maintenance: bool = False) -> Numbers:
        """Margin that so many of the contract require, by themselves."""
        if not self.ladder:
            return _unless_flat(size, np.nan)
        leverage = None if maintenance else self.leverage
        value = notional(abs(size), self.mark_price, inverse=self.inverse)
        required = margin_requirement(value, self.ladder, maintenance=maintenance, leverage=leverage)
        if self.inverse:
            required = required / self.mark_price
        return _unless_flat(size, required if maintenance else required * self.multiplier)

    def _worth(self, size: Numbers, price: Numbers) -> Numbers:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.divide(abs(size), price) if self.inverse else abs(size) * price


def _unless_flat(size: Numbers, amount: Numbers) -> Numbers:
    """An amount that is nothing without a position, even if there is no price then."""
    if isinstance(size, float):
        return amount if size else 0.0
    return np.where(np.equal(size, 0), 0.0, amount)


@dataclass(frozen=True, slots=True)
class Balance:
    """Money in a wallet.

    Attributes
    ----------
    currency
        In the spelling of symbols (``XBT``).
    quantity
        In the currency.
    price
        USD per unit.
    haircut
        Part of the value that does not count as margin.
    """

    wallet: str
    currency: str
    quantity: Numbers
    price: Numbers
    haircut: float = 0.0

    @property
    def counted(self) -> Numbers:
        """What it counts as margin, in the wallet's currency."""
        return self.quantity * self.price * (1 - self.haircut) if self.wallet == FLEX else self.quantity

    @property
    def worth(self) -> Numbers:
        """Its value without a haircut, in the wallet's currency."""
        return self.quantity * self.price if self.wallet == FLEX else self.quantity


@dataclass(frozen=True, slots=True)
class Pool:
    """Positions that are liquidated together; named after the wallet, or after the contract if isolated."""

    name: str
    wallet: str
    legs: tuple[Leg, ...]
    isolated: bool

    @property
    def currency(self) -> str:
        """Currency of its amounts."""
        return currency_of(self.wallet)


def currency_of(wallet: str) -> str:
    """Currency of a wallet's amounts."""
    return "USD" if wallet == FLEX else wallet.removeprefix("fi_").upper().removesuffix("USD")


@dataclass(frozen=True)
class Portfolio:
    """An account at a moment, or at many.

    Attributes
    ----------
    legs
        Each contract once.
    balances
        Money in the wallets.
    adjustments
        By wallet, what the exchange counts as margin beyond the figures here; taken as constant.
    """

    legs: tuple[Leg, ...]
    balances: tuple[Balance, ...]
    adjustments: Mapping[str, float] = field(default_factory=dict)

    @property
    def wallets(self) -> list[str]:
        """Names of the wallets with money or contracts, the multi-collateral one first."""
        names = {balance.wallet for balance in self.balances} | {leg.wallet for leg in self.legs}
        return sorted(names, key=lambda name: (name != FLEX, name))

    def pools(self, wallet: str | None = None) -> list[Pool]:
        """The pools of one wallet or of all, cross-margined ones first."""
        names = self.wallets if wallet is None else [wallet]
        cross = [
            Pool(name, name, tuple(leg for leg in self.legs if leg.wallet == name and leg.leverage is None), False)
            for name in names
        ]
        isolated = [
            Pool(leg.symbol, leg.wallet, (leg,), True)
            for leg in self.legs
            if leg.leverage is not None and leg.wallet in names
        ]
        return cross + isolated

    def equity(self, pool: Pool) -> Numbers:
        """What stands for a pool's positions."""
        if pool.isolated:
            return pool.legs[0].locked + pool.legs[0].open_value
        total: Numbers = self.adjustments.get(pool.wallet, 0.0)
        for balance in self.balances:
            if balance.wallet == pool.wallet:
                total = total + balance.counted
        for leg in pool.legs:
            total = total + leg.open_value
        for leg in self.legs:
            if leg.wallet == pool.wallet and leg.leverage is not None:
                total = total - leg.locked
        return total

    def maintenance(self, pool: Pool) -> Numbers:
        """Margin required to keep a pool's positions."""
        return _netted(pool, lambda leg: (np.maximum(leg.size, 0.0), np.maximum(-leg.size, 0.0)), maintenance=True)

    def initial(self, pool: Pool) -> Numbers:
        """Margin required to open a pool's positions."""
        return _netted(pool, lambda leg: (np.maximum(leg.size, 0.0), np.maximum(-leg.size, 0.0)))

    def initial_with_orders(self, pool: Pool) -> Numbers:
        """The same as if in every contract all buys were filled, and as if all sells were: the larger counts."""
        return _netted(pool, lambda leg: (np.maximum(leg.size + leg.buys, 0.0), np.maximum(leg.sells - leg.size, 0.0)))

    def headroom(self, pool: Pool) -> Numbers:
        """Equity less maintenance margin; at nothing the exchange liquidates."""
        return self.equity(pool) - self.maintenance(pool)

    def of_wallet(self, wallet: str, figure: Callable[[Pool], Numbers]) -> Numbers:
        """A figure of all pools of a wallet together."""
        total: Numbers = 0.0
        for pool in self.pools(wallet):
            total = total + figure(pool)
        return total

    def position_value(self, wallet: str) -> Numbers:
        """Value of a wallet's positions whatever their side."""
        total: Numbers = 0.0
        for leg in self.legs:
            if leg.wallet == wallet:
                total = total + leg.value
        return total

    def portfolio_value(self, wallet: str) -> Numbers:
        """Balances without haircuts and unrealised P&L; in a single-collateral wallet also funding accrued."""
        total: Numbers = 0.0
        for balance in self.balances:
            if balance.wallet == wallet:
                total = total + balance.worth
        for leg in self.legs:
            if leg.wallet == wallet:
                total = total + (leg.pnl if wallet == FLEX else leg.open_value)
        return total

    def price_of(self, wallet: str) -> Numbers:
        """USD per unit of a wallet's currency; NaN where it is not known."""
        if wallet == FLEX:
            return 1.0
        return next((balance.price for balance in self.balances if balance.wallet == wallet), np.nan)

    def moved(self, contracts: Mapping[str, Numbers], coins: Mapping[str, Numbers]) -> Portfolio:
        """The same account at other prices, given as multiples by symbol and by currency; others stand still."""
        legs = tuple(
            replace(leg, mark_price=leg.mark_price * contracts[leg.symbol]) if leg.symbol in contracts else leg
            for leg in self.legs
        )
        balances = tuple(
            replace(balance, price=balance.price * coins[balance.currency]) if balance.currency in coins else balance
            for balance in self.balances
        )
        return replace(self, legs=legs, balances=balances)


def _netted(pool: Pool, sides: Callable[[Leg], tuple[Numbers, Numbers]], *, maintenance: bool = False) -> Numbers:
    """Of all that is long and all that is short on an underlying, what requires more."""
    required: dict[str, tuple[Numbers, Numbers]] = {}
    for leg in pool.legs:
        longs, shorts = required.get(leg.underlying, (0.0, 0.0))
        long, short = sides(leg)
        required[leg.underlying] = (
            longs + leg.requirement(long, maintenance=maintenance),
            shorts + leg.requirement(short, maintenance=maintenance),
        )
    total: Numbers = 0.0
    for longs, shorts in required.values():
        total = total + np.maximum(longs, shorts)
    return total


FIGURES = ("equity", "initial_margin", "initial_margin_with_orders", "maintenance_margin", "available_margin")
"""The figures that the exchange gives and that are computed here as well."""


def figures_of(portfolio: Portfolio, wallet: str) -> dict[str, float]:
    """The figures of a wallet, as they follow from its parts."""
    equity, initial, with_orders, maintenance = (
        float(portfolio.of_wallet(wallet, figure))
        for figure in (portfolio.equity, portfolio.initial, portfolio.initial_with_orders, portfolio.maintenance)
    )
    return dict(zip(FIGURES, (equity, initial, with_orders, maintenance, equity - with_orders), strict=True))


def over(part: Numbers, whole: Numbers) -> float:
    """Part of the whole; not defined where there is nothing, or less."""
    return float(part / whole) if whole > 0 else math.nan
