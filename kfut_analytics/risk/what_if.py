"""What orders would change: the account before them and after them."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd

from .. import orders as order_checks
from ..contracts import FLEX, apply_fill, fee
from ..errors import ArgumentError
from ..orders import IMMEDIATE_TYPES, MAKER_FEE, TAKER_FEE, TRIGGER_TYPES, Order
from ..risk_tables import WHAT_IF, WHAT_IF_ORDERS, WHAT_IF_POSITIONS
from ..rules import row_of, unknown_symbol
from .liquidation import liquidation
from .picture import Picture
from .portfolio import Balance, Leg, Portfolio, currency_of
from .usage import figures_of, frame_of, over


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one order."""

    order: Order
    filled: float
    price: float
    resting: float
    realized_pnl: float
    fee: float
    currency: str


@dataclass(frozen=True, eq=False, repr=False)
class WhatIf:
    """An account before and after orders; made by `Margin.what_if`.

    Attributes
    ----------
    env, as_of
        Environment, and the exchange's time of the figures before.
    before, after
        The account as numbers.
    done
        What became of each order.
    wallets
        The table ``wallets`` of before.
    """

    env: str
    as_of: pd.Timestamp
    before: Portfolio
    after: Portfolio
    done: tuple[Done, ...]
    wallets: pd.DataFrame = field(default_factory=pd.DataFrame)

    def usage(self) -> pd.DataFrame:
        """Table ``what_if``: the figures of each wallet that the orders draw on, before and after."""
        rows = []
        for wallet in sorted({leg.wallet for leg in self._touched}, key=lambda name: (name != FLEX, name)):
            both = [_figures(portfolio, wallet) for portfolio in (self.before, self.after)]
            for name in both[0]:
                old, new = both[0][name], both[1][name]
                rows.append(
                    {
                        "account": wallet,
                        "currency": currency_of(wallet),
                        "figure": name,
                        "before": old,
                        "after": new,
                        "change": new - old,
                    }
                )
        return frame_of(WHAT_IF, rows)

    def positions(self) -> pd.DataFrame:
        """Table ``what_if_positions``: contracts of the orders and all that is held, with liquidation estimates."""
        rows: dict[str, dict[str, Any]] = {
            leg.symbol: {"symbol": leg.symbol}
            for portfolio in (self.before, self.after)
            for leg in portfolio.legs
            if leg.held or leg.symbol in {other.symbol for other in self._touched}
        }
        for when, portfolio in (("before", self.before), ("after", self.after)):
            legs = {leg.symbol: leg for leg in portfolio.legs}
            edges = liquidation(portfolio, self.wallets)
            for symbol, row in rows.items():
                leg = legs.get(symbol)
                held = leg is not None and leg.held
                row |= {
                    f"size_{when}": 0.0 if leg is None else leg.size,
                    f"entry_price_{when}": leg.entry_price if leg is not None and held else math.nan,
                    f"liquidation_price_{when}": edges["liquidation_price"][symbol] if held else math.nan,
                    f"market_distance_{when}": edges["market_distance"][symbol] if held else math.nan,
                }
        return frame_of(WHAT_IF_POSITIONS, list(rows.values()))

    def orders(self) -> pd.DataFrame:
        """Table ``what_if_orders``: what would become of each order."""
        return frame_of(
            WHAT_IF_ORDERS,
            [
                {
                    "order": str(done.order),
                    "symbol": done.order.symbol,
                    "filled_size": done.filled,
                    "average_price": done.price,
                    "resting_size": done.resting,
                    "realized_pnl": done.realized_pnl,
                    "fee": done.fee,
                    "currency": done.currency,
                }
                for done in self.done
            ],
        )

    def notes(self) -> list[str]:
        """What a reader must know, one sentence each."""
        notes = [
            f"Nothing would become of the order to {done.order}."
            for done in self.done
            if not (done.filled or done.resting)
        ]
        for wallet in sorted({leg.wallet for leg in self._touched}):
            before, after = (figures_of(portfolio, wallet) for portfolio in (self.before, self.after))
            needed = "initial_margin_with_orders"
            if after["available_margin"] < 0 and after[needed] > before[needed]:
                notes.append(f"Wallet {wallet}: the margin would not suffice; the exchange would refuse an order.")
            if over(after["maintenance_margin"], after["equity"]) >= 1 or after["equity"] <= 0 < after[needed]:
                notes.append(f"Wallet {wallet}: the positions would be liquidated at once.")
        return notes

    @cached_property
    def _touched(self) -> list[Leg]:
        symbols = {done.order.symbol for done in self.done}
        return [leg for leg in self.after.legs if leg.symbol in symbols]

    def _title(self) -> str:
        words = "; ".join(str(done.order) for done in self.done)
        return f"{self.env.upper()} what if, as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC: {words}"

    def __repr__(self) -> str:
        tables = (self.orders(), self.usage(), self.positions())
        return "\n".join([self._title(), *(table.to_string() for table in tables), *self.notes()])

    def _repr_html_(self) -> str:
        tables = "".join(table.to_html(border=0) for table in (self.orders(), self.usage(), self.positions()))
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        return f"<p><b>{html.escape(self._title())}</b></p>{tables}{notes}"


def what_if(
    picture: Picture,
    orders: Order | Iterable[Order],
    instruments: pd.DataFrame,
    book_of: Callable[[str], pd.DataFrame],
    *,
    filled: bool = False,
) -> WhatIf:
    """Carry out orders on a copy of the account.

    Parameters
    ----------
    picture
        The account now.
    orders
        One or several, one after the other.
    instruments
        The contracts' rules.
    book_of
        Gives a contract's order book.
    filled
        Whether what the book does not fill at once is taken as filled at the order's own price.

    Raises
    ------
    ArgumentError
        If something else than orders is given.
    OrderRefused
        If an order breaks a rule of its contract.
    NotFoundError
        If there is no such contract.
    """
    portfolio = picture.portfolio
    books: dict[str, pd.DataFrame] = {}
    done = []
    for order in _orders(orders):
        symbol = order.symbol
        if symbol not in instruments.index:
            raise unknown_symbol(symbol, instruments)
        exact = order_checks.check(order, row_of(instruments, symbol))
        if symbol not in books:
            books[symbol] = book_of(symbol)
        leg = next((leg for leg in portfolio.legs if leg.symbol == symbol), None) or picture.leg(symbol)
        trades, books[symbol] = _trades(exact, leg, books[symbol])
        resting = 0.0 if exact.order_type in IMMEDIATE_TYPES else _wanted(exact, leg) - sum(s for s, _, _ in trades)
        if filled and resting:
            rate = TAKER_FEE if exact.order_type in TRIGGER_TYPES else MAKER_FEE
            own = exact.stop_price if exact.limit_price is None else exact.limit_price
            trades.append((resting, float(own or math.nan), rate))
            resting = 0.0
        portfolio, outcome = _carried_out(portfolio, exact, leg, trades, resting)
        done.append(outcome)
    return WhatIf(picture.env, picture.as_of, picture.portfolio, portfolio, tuple(done), picture.balances.wallets)


Trade = tuple[float, float, float]
"""Size, price and fee rate."""


def _orders(given: Any) -> list[Order]:
    found = [given] if isinstance(given, Order) else list(given) if isinstance(given, Iterable) else []
    if not found or not all(isinstance(order, Order) for order in found):
        raise ArgumentError(f"{given!r} is neither an order nor a list of them: make one with kfut.Order(symbol, …)")
    return found


def _wanted(order: Order, leg: Leg) -> float:
    """Contracts that an order may trade: one that is reduce-only no more than there are to reduce."""
    size = float(order.contracts)
    opposing = max(0.0, -math.copysign(1.0, order.signed_size) * float(leg.size))
    return min(size, opposing) if order.reduce_only else size


def _trades(order: Order, leg: Leg, book: pd.DataFrame) -> tuple[list[Trade], pd.DataFrame]:
    """What the book would fill at once, level by level, and the book without it."""
    wanted = _wanted(order, leg)
    if not wanted:
        return [], book
    levels = order_checks.levels_taken(replace(order, size=wanted), book)
    left = book.assign(size=book["size"].sub(levels["size"], fill_value=0.0))
    left["cumulative_size"] = left.groupby("side")["size"].cumsum()
    return [(float(s), float(p), TAKER_FEE) for s, p in zip(levels["size"], levels["price"], strict=True)], left


def _carried_out(
    portfolio: Portfolio, order: Order, leg: Leg, trades: list[Trade], resting: float
) -> tuple[Portfolio, Done]:
    """The account after the trades of an order; what rests of it counts among the open orders."""
    sign = 1.0 if order.side == "buy" else -1.0
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
        order_checks.average_price((s for s, _, _ in trades), (p for _, p, _ in trades), inverse=leg.inverse)
        if trades
        else math.nan
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


def _figures(portfolio: Portfolio, wallet: str) -> dict[str, float]:
    figures = figures_of(portfolio, wallet)
    return figures | {
        "usage": over(figures["initial_margin"], figures["equity"]),
        "maintenance_usage": over(figures["maintenance_margin"], figures["equity"]),
        "equity_leverage": over(portfolio.position_value(wallet), figures["equity"]),
    }
