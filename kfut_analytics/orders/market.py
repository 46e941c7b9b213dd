"""The facts that an order is judged by: its contract, the market and the account at one moment."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

import pandas as pd

from .. import schema
from ..contracts import FLEX, is_inverse, quote_currency, to_decimal
from ..risk.portfolio import Leg, Portfolio, figures_of
from .effect import LOWEST_TIER, Fees, Level, levels_of
from .order import Order


def is_true(value: Any) -> bool:
    """Whether a cell of a frame holds a truth; a missing value is none."""
    return not pd.isna(value) and bool(value)


@dataclass(frozen=True, eq=False)
class Market:
    """What an order is judged by.

    Attributes
    ----------
    instrument, ticker
        The contract's rows of ``instruments`` and ``tickers``.
    book
        Its ``order_book``.
    portfolio
        The account as numbers; the contract is among its legs, held or not.
    env
        ``paper`` or ``live``.
    time
        The exchange's time of the account's figures, UTC.
    read_at
        When the first of the facts was asked for, on this machine's monotonic clock; NaN where they were not read.
    available_margin
        What the exchange gives as free in the wallet that carries the contract, in its currency; NaN where it does not.
    fees
        Rates of the account.
    minimum_size
        Smallest size of an order, where the exchange says one beside the size step.
    status
        The contract's row of ``instrument_status``; None where there is none.
    open_orders
        The account's ``open_orders`` in this contract.
    """

    instrument: pd.Series[Any]
    ticker: pd.Series[Any]
    book: pd.DataFrame
    portfolio: Portfolio
    env: str
    time: pd.Timestamp
    read_at: float = math.nan
    available_margin: float = math.nan
    fees: Fees = LOWEST_TIER
    minimum_size: float = 0.0
    status: pd.Series[Any] | None = None
    open_orders: pd.DataFrame = field(default_factory=lambda: schema.OPEN_ORDERS.frame({}))

    def __repr__(self) -> str:
        return f"<facts of {self.symbol}, {self.env}, {self.time:%Y-%m-%d %H:%M:%S} UTC>"

    @property
    def symbol(self) -> str:
        """The contract."""
        return str(self.ticker.name)

    @property
    def inverse(self) -> bool:
        """Whether the contract is inverse."""
        return is_inverse(str(self.instrument["type"]))

    @cached_property
    def leg(self) -> Leg:
        """The contract as it is held and ordered now."""
        return next(leg for leg in self.portfolio.legs if leg.symbol == self.symbol)

    @property
    def wallet(self) -> str:
        """The wallet that carries the contract."""
        return self.leg.wallet

    @property
    def position(self) -> float:
        """Signed contracts held."""
        return float(self.leg.size)

    @property
    def currency(self) -> str:
        """Currency of the contract's margin, fees and P&L."""
        return self.leg.currency

    @property
    def quote(self) -> str:
        """Currency of its prices and values."""
        return quote_currency(self.symbol)

    @cached_property
    def tick(self) -> Decimal | None:
        """Price step; None where it is not known."""
        return self._step("tick_size")

    @cached_property
    def step(self) -> Decimal | None:
        """Size step; None where it is not known."""
        return self._step("size_step")

    def _step(self, name: str) -> Decimal | None:
        value = self.instrument.get(name, math.nan)
        return None if pd.isna(value) else to_decimal(float(value))

    @property
    def max_position(self) -> float:
        """Largest position in contracts; infinite where the exchange gives none."""
        value = self.instrument.get("max_position_size", math.nan)
        return math.inf if pd.isna(value) else float(value)

    def price(self, name: str) -> float:
        """One of the ticker's prices; NaN where there is none."""
        value = self.ticker.get(name, math.nan)
        return math.nan if pd.isna(value) else float(value)

    @cached_property
    def mark(self) -> float:
        """Mark price."""
        return self.price("mark_price")

    @property
    def middle(self) -> float:
        """Between bid and ask; NaN if one of them is missing."""
        return (self.best("sell") + self.best("buy")) / 2

    def levels(self, side: str) -> list[Level]:
        """The levels of the book that an order of a side would meet, best first."""
        return self._levels[side]

    @cached_property
    def _levels(self) -> dict[str, list[Level]]:
        return {side: levels_of(self.book, side) for side in ("buy", "sell")}

    def best(self, side: str) -> float:
        """The best price that an order of a side would meet, by the book, or by the ticker where that is empty."""
        levels = self._levels[side]
        return levels[0].price if levels else self.price("ask" if side == "buy" else "bid")

    def signal(self, order: Order) -> float:
        """The price now of what the trigger of an order watches."""
        names = {"mark": "mark_price", "index": "index_price", "last": "last"}
        return self.price(names[order.trigger_signal or "last"])

    def is_post_only(self) -> bool:
        """Whether only post-only orders are accepted; the ticker is fresher than the contract's rules."""
        fresh = self.ticker.get("post_only")
        return is_true(self.instrument.get("post_only") if pd.isna(fresh) else fresh)

    @property
    def waiting(self) -> dict[str, float]:
        """Contracts in open orders that would add to a position, by side."""
        return {"buy": float(self.leg.buys), "sell": float(self.leg.sells)}

    @property
    def is_margin_sure(self) -> bool:
        """Whether the margin figures computed here agree with the exchange's own."""
        computed = figures_of(self.portfolio, self.wallet)
        slack = 1e-4 * abs(computed["equity"]) + (0.01 if self.wallet == FLEX else 1e-8)
        return abs(computed["available_margin"] - self.available_margin) <= slack
