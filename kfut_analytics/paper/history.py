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
from typing import Generic, Literal, TypeVar

import numpy as np

from kfut_analytics.paper.account import Account, Fill, LogRow
from kfut_analytics.paper.instruments import Contract
from kfut_analytics.paper.market import GRID, Market, Trades, stable_hash, uniform
from kfut_analytics.paper.orders import Record

T = TypeVar("T")
PositionChange = Literal["open", "close", "increase", "decrease", "reverse", "noChange"]
UpdateReason = Literal["trade", "fundingRealisation", "settlement"]

# An order that a public trade executes was placed at most so long before it.
_LONGEST_WAIT_MS = 900


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
        The log's row with fee, P&L and funding.
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
    cash: LogRow
    leg: LogRow | None


def position_updates(account: Account, symbol: str | None) -> Iterator[Event[PositionUpdate]]:
    """The account log as updates of positions, of one contract if given."""
    held: dict[str, tuple[float, float, float]] = {}
    leg: LogRow | None = None
    for row in account.log:
        if row.contract is None or (symbol is not None and row.contract.upper() != symbol):
            continue
        if row.asset == row.contract:
            leg = row
            continue
        size, entry, opened = held.get(row.contract, (0.0, 0.0, row.date))
        new_size, new_entry, reason = size, entry, "fundingRealisation"
        if row.execution is not None:
            assert leg is not None
            new_size, new_entry = leg.new_balance, leg.new_average_entry_price or 0.0
            reason = "settlement" if row.info == "settlement" else "trade"
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
            cash=row,
            leg=leg if row.execution is not None else None,
        )
        yield Event(row.id, milliseconds(row.date), update)
        if new_size:
            held[row.contract] = (new_size, new_entry, row.date if change in ("open", "reverse") else opened)
        else:
            held.pop(row.contract, None)


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


def public_trades(market: Market, contract: Contract, window: Window, now: float) -> Page[PublicTrade]:
    """The trades of a market, those of `Market.trades`."""
    numbers = _nearest(_numbers(market, contract, window, now), window, window.count + 1, window.resume)
    return window.page(_trades(market, contract, numbers))


def public_orders(market: Market, contract: Contract, window: Window, now: float) -> Page[PublicOrder]:
    """The orders behind the public trades: each trade's maker was placed before it, its taker with it."""
    resume = None if window.resume is None else window.resume // 2
    # The trade that an order in the window waits for, and the one whose second order is still to come.
    numbers = _numbers(market, contract, window, now, reach=1)
    numbers = _nearest(numbers, window, window.count + 3, resume, inclusive=True)

    def orders() -> Iterator[Event[PublicOrder]]:
        for event in _trades(market, contract, numbers):
            for side, maker in enumerate((True, False)):
                ms = event.ms - event.what.waited_ms if maker else event.ms
                if ms <= milliseconds(now):
                    yield Event(2 * event.position + side, ms, PublicOrder(event.what, maker))

    return window.page(orders())


def mark_prices(market: Market, contract: Contract, window: Window, now: float) -> Page[float]:
    """The mark price at every instant at which prices change."""
    start = market.begin if window.since is None else max(market.begin, window.since / 1000)
    end = now if window.before is None else min(now, window.before / 1000)
    instants = market.instants(max(start, contract.opening) - 1e-3, end)
    places = np.round(instants * 1000).astype(np.int64)
    if window.resume is not None:
        instants = instants[places < window.resume if window.newest_first else places > window.resume]
    wanted = window.count + 1
    instants = instants[-wanted:] if window.newest_first else instants[:wanted]
    if not len(instants):
        return Page([], None)
    prices = market.mark(contract, instants)
    return window.page(
        Event(milliseconds(t), milliseconds(t), float(price)) for t, price in zip(instants, prices, strict=True)
    )


def _numbers(market: Market, contract: Contract, window: Window, now: float, *, reach: int = 0) -> range:
    """Numbers of the trades in a window; with ``reach`` some more at its end."""
    begin = max(market.begin, contract.opening)
    first = math.ceil(max(begin, -math.inf if window.since is None else window.since / 1000) / GRID)
    last = math.floor(now / GRID)
    if window.before is not None:
        last = min(last, math.ceil(window.before / 1000 / GRID) - 1)
    return range(first, last + reach + 1)


def _nearest(numbers: range, window: Window, count: int, resume: int | None, *, inclusive: bool = False) -> range:
    """Those numbers from which the next page is taken."""
    if resume is not None:
        edge = 0 if inclusive else 1
        if window.newest_first:
            numbers = range(numbers.start, min(numbers.stop, resume - edge + 1))
        else:
            numbers = range(max(numbers.start, resume + edge), numbers.stop)
    return numbers[-count:] if window.newest_first else numbers[:count]


def _trades(market: Market, contract: Contract, numbers: Sequence[int]) -> Iterator[Event[PublicTrade]]:
    if not numbers:
        return
    table: Trades = market.numbered_trades(contract, numbers[0], numbers[-1])
    marks = market.mark(contract, table.time)
    waits = np.ceil(uniform(stable_hash(market.seed, "maker " + contract.symbol), table.number) * _LONGEST_WAIT_MS)
    for uid, number, time, price, size, buy, mark, wait in zip(*table, marks, waits, strict=True):
        ms = milliseconds(time)
        trade = PublicTrade(contract, uid, ms, float(price), float(size), bool(buy), float(mark), int(wait))
        yield Event(int(number), ms, trade)
