"""The limit order book of a contract: best price first, and at one price whoever came first.

Orders of accounts and quotes of the simulated participants stand in the same queue. An order keeps its place until it
is filled, withdrawn or changed; the participants renew their quotes with the market and keep their place at every
price that they go on quoting.
"""

from __future__ import annotations

import bisect
import heapq
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.account import Account
    from kfut_analytics.paper.engine.orders import Order
    from kfut_analytics.paper.market.protocol import Quotes

Side = Literal["buy", "sell"]
Levels = list[tuple[float, float]]

_RECOVERY_SECONDS = 8.0
"""In so many seconds participants bring back all but 1/e of the liquidity that was taken from them."""


def opposite(side: Side) -> Side:
    """The other side."""
    return "sell" if side == "buy" else "buy"


class Priorities:
    """Ascending numbers: whoever comes first has the lower one."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """A number above all before it."""
        self._last += 1
        return self._last

    def raise_to(self, number: int) -> None:
        """Go on above a number that was given out elsewhere."""
        self._last = max(self._last, number)


@dataclass(slots=True)
class Maker:
    """One place in the queue: an account's order, or a quote of the participants (no account, no order).

    Attributes
    ----------
    size
        What is offered; for an order what was open when it was looked at, see `remaining`.
    priority
        Whoever has the lower number came first.
    """

    price: float
    size: float
    priority: int
    account: Account | None = None
    order: Order | None = None

    @property
    def remaining(self) -> float:
        """Size that can still be taken."""
        return self.size if self.order is None else self.order.remaining


class Book:
    """The book of one contract.

    Parameters
    ----------
    precision
        Decimals of a size.
    priorities
        Gives the places in the queue.

    Attributes
    ----------
    quoted_at
        The moment whose quotes the participants show, ``None`` before the first ones.
    met_until
        The moment up to which market orders of the participants have been carried out.
    """

    def __init__(self, precision: int, priorities: Priorities) -> None:
        self._precision = precision
        self._priorities = priorities
        self._orders: dict[Side, list[Maker]] = {"buy": [], "sell": []}
        self._quotes: dict[Side, list[Maker]] = {"buy": [], "sell": []}
        self._taken: dict[Side, float] = {"buy": 0.0, "sell": 0.0}
        self.quoted_at: float | None = None
        self.met_until: float | None = None

    # Looking ----------------------------------------------------------------------------------------------------

    def makers(self, side: Side, limit: float) -> Iterator[Maker]:
        """Those with whom an order of ``side`` would trade at ``limit`` or better, in the order of their turn."""
        other = opposite(side)
        for maker in heapq.merge(self._orders[other], self._quotes[other], key=_turn(other)):
            if not _within(side, maker.price, limit):
                return
            yield maker

    def best(self, side: Side) -> float | None:
        """The best price at which an order of this side would trade, ``None`` when nobody is there."""
        return next((maker.price for maker in self.makers(side, math.inf if side == "buy" else 0.0)), None)

    def crossing(self, side: Side, limit: float) -> bool:
        """Whether an account's order waits for one of ``side`` at ``limit``."""
        waiting = self._orders[opposite(side)]
        return bool(waiting) and _within(side, waiting[0].price, limit)

    @property
    def bids(self) -> Levels:
        """Prices and sizes of those who buy, best first."""
        return self._levels("buy")

    @property
    def asks(self) -> Levels:
        """Prices and sizes of those who sell, best first."""
        return self._levels("sell")

    def _levels(self, side: Side) -> Levels:
        levels: dict[float, float] = {}
        for maker in heapq.merge(self._orders[side], self._quotes[side], key=_turn(side)):
            levels[maker.price] = round(levels.get(maker.price, 0.0) + maker.remaining, 10)
        return list(levels.items())

    # Orders of accounts -----------------------------------------------------------------------------------------

    def add(self, account: Account, order: Order) -> None:
        """Put an order at the end of the queue at its price."""
        assert order.limit_price is not None
        order.priority = self._priorities.next()
        maker = Maker(order.limit_price, order.remaining, order.priority, account, order)
        bisect.insort(self._orders[order.side], maker, key=_turn(order.side))

    def restore(self, account: Account, order: Order) -> None:
        """Put an order back at the place that it had."""
        assert order.limit_price is not None
        maker = Maker(order.limit_price, order.remaining, order.priority, account, order)
        bisect.insort(self._orders[order.side], maker, key=_turn(order.side))

    def remove(self, order: Order) -> None:
        """Take an order out of the queue, if it stands in it."""
        queue = self._orders[order.side]
        for place, maker in enumerate(queue):
            if maker.priority == order.priority:
                del queue[place]
                return

    # Quotes of the participants ---------------------------------------------------------------------------------

    def take_quote(self, side: Side, quote: Maker, size: float, *, is_missed: bool) -> None:
        """An order of ``side`` has taken a size from a quote.

        Parameters
        ----------
        is_missed
            Whether the participants need some time to renew it. They do not reckon with orders of accounts, while
            what they quote next tells of their own trades.
        """
        quote.size = round(quote.size - size, 10)
        if quote.size <= 0:
            self._quotes[opposite(side)].remove(quote)
        if is_missed:
            self._taken[side] += size

    def withdraw_quotes(self) -> dict[Side, dict[float, int]]:
        """Take all quotes off; gives the places that they had, by side and price."""
        places = {side: {quote.price: quote.priority for quote in quotes} for side, quotes in self._quotes.items()}
        for quotes in self._quotes.values():
            quotes.clear()
        return places

    def offered(self, quotes: Quotes, now: float) -> dict[Side, Levels]:
        """What the participants want to show now, less what was taken from them a short while ago."""
        if self.quoted_at is not None:
            fading = math.exp(-(now - self.quoted_at) / _RECOVERY_SECONDS)
            self._taken = {side: taken * fading for side, taken in self._taken.items()}
        self.quoted_at = now
        return {"buy": self._less(quotes.bids, "sell"), "sell": self._less(quotes.asks, "buy")}

    def _less(self, levels: Levels, taker: Side) -> Levels:
        """Levels without what is still missing from the top; the last one is always there."""
        missing = self._taken[taker]
        for place, (price, size) in enumerate(levels):
            left = round(size - missing, self._precision)
            if left > 0 or place == len(levels) - 1:
                return [(price, left if left > 0 else size), *levels[place + 1 :]]
            missing -= size
        return []

    def quote(self, side: Side, levels: Iterable[tuple[float, float]], places: dict[float, int]) -> None:
        """Show the participants' quotes of one side, best first."""
        self._quotes[side] = [
            Maker(price, size, places[price] if price in places else self._priorities.next()) for price, size in levels
        ]


def _turn(side: Side) -> Callable[[Maker], tuple[float, int]]:
    return _bid_turn if side == "buy" else _ask_turn


def _bid_turn(maker: Maker) -> tuple[float, int]:
    return -maker.price, maker.priority


def _ask_turn(maker: Maker) -> tuple[float, int]:
    return maker.price, maker.priority


def _within(side: Side, price: float, limit: float) -> bool:
    return price <= limit if side == "buy" else price >= limit
