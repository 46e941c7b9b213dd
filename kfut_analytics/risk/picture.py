"""What an account looks like at one moment, as frames, and the same as numbers."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from .. import schema
from ..account import Balances
from ..contracts import FLEX, MarginTier, currency_code, preferred_schedule, underlying_of
from ..errors import ArgumentError
from ..rules import row_of
from ..side_by_side import at_once
from .portfolio import Balance, Leg, Portfolio, currency_of

if TYPE_CHECKING:
    from ..client import Client

OWN_SCHEDULE = "account"
"""Name of the margin schedule that the exchange gives as the account's own."""


@dataclass(frozen=True, eq=False)
class Picture:
    """The frames that risk figures come from.

    Attributes
    ----------
    env, account_name
        Where it comes from.
    as_of
        The exchange's time of the figures, UTC.
    balances
        All wallets.
    positions, open_orders, tickers, tiers, leverage, status
        The canonical tables; ``leverage`` and ``status`` are ``leverage_preferences`` and ``instrument_status``, and
        ``tiers`` has the account's own schedule too, where the exchange gives it.
    schedule
        The margin schedule that was asked for, or None.
    """

    env: str
    account_name: str
    as_of: pd.Timestamp
    balances: Balances
    positions: pd.DataFrame
    tiers: pd.DataFrame
    open_orders: pd.DataFrame = field(default_factory=lambda: schema.OPEN_ORDERS.frame({}))
    tickers: pd.DataFrame = field(default_factory=lambda: schema.TICKERS.frame({}))
    leverage: pd.DataFrame = field(default_factory=lambda: schema.LEVERAGE_PREFERENCES.frame({}))
    status: pd.DataFrame = field(default_factory=lambda: schema.INSTRUMENT_STATUS.frame({}))
    schedule: str | None = None

    @cached_property
    def ladders(self) -> dict[str, tuple[str, tuple[MarginTier, ...]]]:
        """By contract, the margin schedule that applies and its tiers."""
        ladders = {}
        for symbol, tiers in self.tiers.groupby("symbol"):
            given = set(tiers["schedule"])
            own = OWN_SCHEDULE if OWN_SCHEDULE in given else preferred_schedule(given)
            schedule = self.schedule or own
            if schedule in given:
                columns = ("threshold", "initial_margin", "maintenance_margin")
                rows = tiers.loc[tiers["schedule"] == schedule, list(columns)].itertuples(index=False)
                ladders[str(symbol)] = schedule, tuple(MarginTier(*map(float, values)) for values in rows)
        return ladders

    def tiers_of(self, symbol: str) -> tuple[MarginTier, ...]:
        """A contract's margin tiers; empty where the exchange gives none."""
        return self.ladders.get(symbol, ("", ()))[1]

    @cached_property
    def indices(self) -> dict[str, float]:
        """Index prices by underlying."""
        prices = self.tickers["index_price"].dropna()
        return {underlying_of(str(symbol)): float(price) for symbol, price in prices.items()}

    def mark_of(self, symbol: str) -> float:
        """Mark price of a contract, NaN where there is none."""
        found = [float(row_of(f, symbol)["mark_price"]) for f in (self.positions, self.tickers) if symbol in f.index]
        return next((price for price in found if not math.isnan(price)), math.nan)

    def leg(self, symbol: str) -> Leg:
        """A contract as it is held and ordered now."""
        position = row_of(self.positions, symbol) if symbol in self.positions.index else None
        buys, sells = self._ordered.get(symbol, (0.0, 0.0))
        isolated = self.leverage["max_leverage"].to_dict()
        if position is not None:
            isolated = {symbol: float(position["max_fixed_leverage"])}
        leverage = isolated.get(symbol, math.nan)
        return Leg(
            symbol=symbol,
            size=0.0 if position is None else float(position["signed_size"]),
            entry_price=math.nan if position is None else float(position["entry_price"]),
            mark_price=self.mark_of(symbol),
            ladder=self.tiers_of(symbol),
            funding=0.0 if position is None else _or_nothing(position["unrealized_funding"]),
            leverage=None if math.isnan(leverage) else leverage,
            multiplier=self._multipliers.get(symbol, 1.0),
            buys=buys,
            sells=sells,
        )

    @cached_property
    def portfolio(self) -> Portfolio:
        """The account as numbers, brought to the equity that the exchange gives."""
        plain = self.unadjusted
        adjustments = {}
        for wallet, figures in self.exchange_figures.items():
            missing = figures["equity"] - float(plain.of_wallet(wallet, plain.equity))
            if math.isfinite(missing):
                adjustments[wallet] = missing
        return Portfolio(plain.legs, plain.balances, adjustments)

    @cached_property
    def unadjusted(self) -> Portfolio:
        """The account as numbers, by the figures of its parts alone."""
        symbols = [str(symbol) for symbol in self.positions.index]
        symbols += [symbol for symbol in self._ordered if symbol not in symbols]
        return Portfolio(tuple(self.leg(symbol) for symbol in symbols), tuple(self._money()))

    def _money(self) -> list[Balance]:
        found = []
        for row in self.balances.accounts.to_dict("records"):
            wallet, currency = str(row["account"]), currency_code(str(row["currency"]))
            quantity, worth = float(row["quantity"]), float(row["value_usd"])
            if wallet == FLEX and quantity:
                price = worth / quantity
                haircut = 1 - _or_nothing(row["collateral_usd"]) / worth if worth else 0.0
                found.append(Balance(wallet, currency, quantity, price, haircut))
            elif wallet in self.balances.wallets.index and currency == currency_of(wallet):
                found.append(Balance(wallet, currency, quantity, self.indices.get(currency, math.nan)))
        return found

    @cached_property
    def _ordered(self) -> dict[str, tuple[float, float]]:
        """Contracts that open orders would add, bought and sold; neither reduce-only nor trigger orders are in it."""
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for row in self.open_orders.to_dict("records"):
            waits = row["order_type"] in _TRIGGERS or not math.isnan(row["stop_price"])
            if not (waits or row["reduce_only"] is True):
                sums[row["symbol"]][row["side"] == "sell"] += row["unfilled_size"]
        return {symbol: (buys, sells) for symbol, (buys, sells) in sums.items()}

    @cached_property
    def _multipliers(self) -> dict[str, float]:
        extreme = self.status[self.status["extreme_volatility"].fillna(False).astype(bool)]
        factors = extreme["initial_margin_multiplier"].fillna(1.0)
        return {str(symbol): float(factor) for symbol, factor in factors.items()}

    @cached_property
    def exchange_figures(self) -> dict[str, dict[str, float]]:
        """The exchange's own figures by wallet."""
        return self.balances.figures()


_TRIGGERS = ("stop", "stp", "take_profit", "trailing_stop")
"""Types of open orders that wait outside the book."""


def _or_nothing(value: float) -> float:
    return 0.0 if math.isnan(value) else float(value)


def take(client: Client, schedule: str | None = None) -> Picture:
    """Ask the exchange for everything, now.

    Raises
    ------
    ArgumentError
        If no contract has that margin schedule.
    """
    # Side by side, so that all figures are of about the same moment.
    balances, public, own, leverage, status, positions, orders, tickers = at_once(
        client.balances,
        client.margin_tiers,
        client.account_margin_tiers,
        client.leverage_preferences,
        client.instrument_status,
        client.positions,
        client.open_orders,
        client.tickers,
    )
    tiers = pd.concat([public, own], ignore_index=True)
    known = sorted(tiers["schedule"].dropna().unique())
    if schedule is not None and schedule not in known:
        raise ArgumentError(f"schedule={schedule!r} is not a margin schedule here: use one of {', '.join(known)}")
    return Picture(
        env=client.env,
        account_name=client.account_name,
        as_of=balances.account.time,
        balances=balances,
        positions=positions,
        tiers=tiers,
        open_orders=orders,
        tickers=tickers,
        leverage=leverage,
        status=status,
        schedule=schedule,
    )
