"""History: what happened, as events in the order of their time, a page at a time.

Nothing is recorded twice. The events of orders are the account's journal, executions its fills, and position updates
are read from the account log; the public events of a market follow from its prices.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import numpy as np

from kfut_analytics.paper.clock import HOUR
from kfut_analytics.paper.engine.account import FUNDING_INFO, Account, Fill, LogRow
from kfut_analytics.paper.engine.orders import Record
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.market.noise import stable_hash, uniform
from kfut_analytics.paper.market.protocol import DrawnMarket, Floats
from kfut_analytics.paper.wire import public

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.exchange import Exchange

T = TypeVar("T")
PositionChange = Literal["open", "close", "increase", "decrease", "reverse", "noChange"]
UpdateReason = Literal["trade", "fundingRealisation", "settlement"]

# An order that a public trade executes was placed at most so long before it.
_LONGEST_WAIT_MS = 900
_SPARE = 100


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """An event with its place in its list: positions grow with time and never change."""

    position: int
    ms: int
    what: T


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Events in the order asked for, and the token of what follows, ``None`` at the end."""

    events: list[Event[T]]
    token: str | None


@dataclass(frozen=True, slots=True)
class Window:
    """What a caller wants of a list of events.

    Attributes
    ----------
    since, before
        Milliseconds since the epoch, the first inclusive, the second exclusive.
    resume
        Position of the last event of the page before.
    """

    since: int | None
    before: int | None
    newest_first: bool
    count: int
    resume: int | None = None

    def holds(self, event: Event[T]) -> bool:
        """Whether an event lies in it and was not on an earlier page."""
        if self.resume is not None:
            come = event.position < self.resume if self.newest_first else event.position > self.resume
            if not come:
                return False
        return (self.since is None or event.ms >= self.since) and (self.before is None or event.ms < self.before)

    def page(self, events: Iterable[Event[T]]) -> Page[T]:
        """The first events of a list, given oldest first, that lie in the window."""
        chosen = [event for event in events if self.holds(event)]
        if self.newest_first:
            chosen.reverse()
        page = chosen[: self.count]
        return Page(page, self._token(page[-1]) if len(chosen) > self.count else None)

    def _token(self, last: Event[T]) -> str:
        return base64.b64encode(f"{last.ms}/{last.position}/{_order(self.newest_first)}".encode()).decode()


def resume_position(token: str, *, newest_first: bool) -> int:
    """The position that a continuation token names.

    Raises
    ------
    ValueError
        If it is no token, or one of a list sorted the other way.
    """
    try:
        ms, position, order = base64.b64decode(token, validate=True).decode("ascii").split("/")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("no continuation token") from error
    if order != _order(newest_first) or not (ms.isdigit() and position.isdigit()):
        raise ValueError("the continuation token belongs to another list")
    return int(position)


def _order(newest_first: bool) -> str:
    return "desc" if newest_first else "asc"


def milliseconds(when: float) -> int:
    """A time as the history writes it."""
    return round(when * 1000)


# One account -----------------------------------------------------------------------------------------------------


def executions(account: Account, symbol: str | None) -> Iterator[Event[Fill]]:
    """The account's executions, of one contract if given."""
    for number, fill in enumerate(account.fills):
        if symbol is None or fill.symbol == symbol:
            yield Event(number, milliseconds(fill.time), fill)


def order_records(
    account: Account, symbol: str | None, *, triggers: bool, opened: bool | None, closed: bool | None
) -> Iterator[Event[Record]]:
    """What happened to the account's orders, or to its triggers.

    Parameters
    ----------
    opened, closed
        True chooses events that open (close) an order, False leaves them out.
    """
    for number, record in enumerate(account.journal):
        if record.order.is_trigger != triggers or (symbol is not None and record.order.contract.symbol != symbol):
            continue
        opens, closes = record.change == "placed", _closes(record)
        if (opened is False and opens) or (closed is False and closes):
            continue
        if (opened or closed) and not ((opened and opens) or (closed and closes)):
            continue
        yield Event(number, milliseconds(record.time), record)


def _closes(record: Record) -> bool:
    if record.change in ("cancelled", "rejected", "activated"):
        return True
    return record.change in ("placed", "updated") and record.order.remaining == 0


@dataclass(frozen=True, slots=True)
class PositionUpdate:
    """A change of a position, or funding settled on it.

    Attributes
    ----------
    opened
        When the position that the update found was opened, or the one that it opens: the same for everything that
        happens to a position until it is closed or turned around.
    cash
        The log's row with fee, P&L and funding; ``None`` for a trade whose fee was paid in credits and that realised
        nothing.
    leg
        The log's row with the position, ``None`` for funding.
    """

    time: float
    symbol: str
    change: PositionChange
    reason: UpdateReason
    old_size: float
    old_entry: float
    new_size: float
    new_entry: float
    opened: float
    cash: LogRow | None
    leg: LogRow | None


def position_updates(account: Account, symbol: str | None) -> Iterator[Event[PositionUpdate]]:
    """The account log as updates of positions, of one contract if given."""
    held: dict[str, tuple[float, float, float]] = {}
    for place, row in enumerate(account.log):
        if row.contract is None or (symbol is not None and row.contract.upper() != symbol):
            continue
        traded = row.asset == row.contract
        if not traded and row.info != FUNDING_INFO:
            continue
        size, entry, opened = held.get(row.contract, (0.0, 0.0, row.date))
        new_size, new_entry, reason = size, entry, "fundingRealisation"
        cash: LogRow | None = row
        if traded:
            new_size, new_entry = row.new_balance, row.new_average_entry_price or 0.0
            reason = "settlement" if row.info == "settlement" else "trade"
            cash = _cash_leg(account.log, place)
        change = _change(size, new_size)
        update = PositionUpdate(
            time=row.date,
            symbol=row.contract.upper(),
            change=change,
            reason=reason,  # type: ignore[arg-type]
            old_size=size,
            old_entry=entry,
            new_size=new_size,
            new_entry=new_entry,
            opened=opened,
            cash=cash,
            leg=row if traded else None,
        )
        yield Event(row.id, milliseconds(row.date), update)
        if new_size:
            held[row.contract] = (new_size, new_entry, row.date if change in ("open", "reverse") else opened)
        else:
            held.pop(row.contract, None)


def _cash_leg(log: Sequence[LogRow], place: int) -> LogRow | None:
    """The cash leg of a position leg: it follows, at most behind the row of the credits that paid the fee."""
    return next((row for row in log[place + 1 : place + 3] if row.execution == log[place].execution), None)


def _change(old: float, new: float) -> PositionChange:
    if old == new:
        return "noChange"
    if old == 0:
        return "open"
    if new == 0:
        return "close"
    if old * new < 0:
        return "reverse"
    return "increase" if abs(new) > abs(old) else "decrease"


# A market --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """A trade between two simulated participants; ``waited_ms`` is how long the maker's order had rested."""

    contract: Contract
    uid: str
    ms: int
    price: float
    size: float
    taker_buys: bool
    mark_price: float
    waited_ms: int


@dataclass(frozen=True, slots=True)
class PublicOrder:
    """One of the two orders of a public trade."""

    trade: PublicTrade
    maker: bool


def public_trades(exchange: Exchange, contract: Contract, window: Window) -> Page[PublicTrade]:
    """The trades of a market."""
    return window.page(_trades(exchange, contract, window, window.count + 1, window.resume))


def public_orders(exchange: Exchange, contract: Contract, window: Window) -> Page[PublicOrder]:
    """The orders behind the public trades: each trade's maker was placed before it, its taker with it."""
    # The trade whose second order is still to come is looked at again.
    resume = None if window.resume is None else window.resume // 2 + (1 if window.newest_first else -1)
    # A maker in the window may wait for a trade behind its end; such trades may come with no order in it.
    events = _trades(exchange, contract, window, window.count + _SPARE, resume, wait=_LONGEST_WAIT_MS)

    def orders() -> Iterator[Event[PublicOrder]]:
        for event in events:
            for side, maker in enumerate((True, False)):
                ms = event.ms - event.what.waited_ms if maker else event.ms
                if ms <= milliseconds(exchange.now):
                    yield Event(2 * event.position + side, ms, PublicOrder(event.what, maker))

    return window.page(orders())


def mark_prices(market: DrawnMarket, contract: Contract, window: Window, now: float) -> Page[float]:
    """The mark price at every instant at which prices bend."""
    start = max(market.begin, contract.opening, -math.inf if window.since is None else window.since / 1000) - 1e-3
    end = now if window.before is None else min(now, window.before / 1000)
    if window.resume is not None and window.newest_first:
        end = min(end, (window.resume - 1) / 1000)
    elif window.resume is not None:
        start = max(start, window.resume / 1000)
    knots = _knots(market, start, end, window.count + 1, window.newest_first)
    if not len(knots):
        return Page([], None)
    prices = market.mark(contract, knots)
    return window.page(
        Event(milliseconds(t), milliseconds(t), float(price)) for t, price in zip(knots, prices, strict=True)
    )


def _knots(market: DrawnMarket, start: float, end: float, count: int, newest_first: bool) -> Floats:
    """The last (or first) knots of a span, looking as far as needed."""
    reach = HOUR
    while True:
        first, last = (max(start, end - reach), end) if newest_first else (start, min(end, start + reach))
        knots = market.knots(first, last)
        if len(knots) >= count or (first, last) == (start, end):
            return knots[-count:] if newest_first else knots[:count]
        reach *= 4


def _trades(
    exchange: Exchange, contract: Contract, window: Window, count: int, resume: int | None, *, wait: int = 0
) -> Iterator[Event[PublicTrade]]:
    """The trades from which the next page is taken; with ``wait`` also some behind the window's end."""
    market, now = exchange.market, exchange.now
    start = -math.inf if window.since is None else window.since / 1000
    last = milliseconds(now) + 1 if window.before is None else min(milliseconds(now) + 1, window.before)
    end = (last + wait) / 1000
    table = public.trades(exchange, contract, start, end, count, newest_first=window.newest_first, resume=resume)
    if not len(table.time):
        return
    marks = market.mark(contract, table.time)
    waits = np.ceil(uniform(stable_hash(0, f"maker {contract.symbol}"), table.number) * _LONGEST_WAIT_MS)
    # An order comes after the trade before the one it waits for.
    earlier = public.trades(exchange, contract, -math.inf, table.time[0], 1).time
    gaps = np.diff(table.time, prepend=earlier if len(earlier) else -math.inf) * 1000
    waits = np.clip(waits, 0, np.maximum(np.round(gaps) - 1, 0))
    for uid, number, time, price, size, buy, mark, waited in zip(*table, marks, waits, strict=True):
        ms = milliseconds(time)
        trade = PublicTrade(contract, uid, ms, float(price), float(size), bool(buy), float(mark), int(waited))
        yield Event(int(number), ms, trade)
