"""What orders would change: the account before them and after them."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from ..contracts import FLEX
from ..errors import ArgumentError
from ..orders import MAKER_FEE, TAKER_FEE, TRIGGER_TYPES, Order, check, effect
from ..orders.effect import Done, Trade
from ..risk_tables import WHAT_IF, WHAT_IF_ORDERS, WHAT_IF_POSITIONS
from ..rules import row_of, unknown_symbol
from .liquidation import liquidation
from .picture import Picture
from .portfolio import Leg, Portfolio, currency_of, figures_of, over
from .usage import frame_of


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
        exact = check(order, row_of(instruments, symbol))
        if symbol not in books:
            books[symbol] = book_of(symbol)
        leg = next((leg for leg in portfolio.legs if leg.symbol == symbol), None) or picture.leg(symbol)
        trades = effect.trades_at_once(exact, leg, effect.levels_of(books[symbol], exact.side))
        books[symbol] = _left_of(books[symbol], trades, exact.side)
        resting = effect.resting(exact, leg, trades)
        if filled and resting:
            rate = TAKER_FEE if exact.order_type in TRIGGER_TYPES else MAKER_FEE
            trades.append(Trade(resting, effect.own_price(exact, float(leg.mark_price)), rate))
            resting = 0.0
        portfolio, outcome = effect.carry_out(portfolio, exact, leg, trades, resting)
        done.append(outcome)
    return WhatIf(picture.env, picture.as_of, picture.portfolio, portfolio, tuple(done), picture.balances.wallets)


def _orders(given: Any) -> list[Order]:
    found = [given] if isinstance(given, Order) else list(given) if isinstance(given, Iterable) else []
    if not found or not all(isinstance(order, Order) for order in found):
        raise ArgumentError(f"{given!r} is neither an order nor a list of them: make one with kfut.Order(symbol, …)")
    return found


def _left_of(book: pd.DataFrame, trades: list[Trade], side: str) -> pd.DataFrame:
    """The book without what was traded."""
    taken = pd.Series({trade.price: trade.size for trade in trades}, dtype="float64")
    other = book["side"] == ("ask" if side == "buy" else "bid")
    left = book.assign(size=book["size"] - book["price"].map(taken).where(other).fillna(0.0))
    left["cumulative_size"] = left.groupby("side")["size"].cumsum()
    return left


def _figures(portfolio: Portfolio, wallet: str) -> dict[str, float]:
    figures = figures_of(portfolio, wallet)
    return figures | {
        "usage": over(figures["initial_margin"], figures["equity"]),
        "maintenance_usage": over(figures["maintenance_margin"], figures["equity"]),
        "equity_leverage": over(portfolio.position_value(wallet), figures["equity"]),
    }
