"""Orders meet: an order that comes in trades with those that wait, price by price and in the order of their turn.

Every execution has a buyer and a seller. Where no account is on one side it is the simulated participants, whose
positions and money are kept like anybody's; fees go to the house.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kfut_analytics.paper.engine import checks
from kfut_analytics.paper.engine.account import (
    COUNTERPARTY,
    KFEE,
    KFEE_WALLET,
    MAKER,
    TAKER,
    Account,
    Execution,
    Terms,
)
from kfut_analytics.paper.engine.book import Maker, Side
from kfut_analytics.paper.engine.orders import Event, Executed, Order, Outcome, Placed, Rejected
from kfut_analytics.paper.engine.preferences import REJECT_TAKER
from kfut_analytics.paper.market.instruments import Contract

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.exchange import Exchange

TRIGGERED = "stop_order_triggered"
"""Why an order enters that was a trigger."""

Kind = Literal["fill", "liquidation", "assignment"]


@dataclass(frozen=True, slots=True)
class OwnTrade:
    """A trade of which at least one side was an account: part of the market's public history."""

    uid: str
    symbol: str
    time: float
    price: float
    size: float
    taker_buys: bool
    kind: Kind
    mark: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What an order would trade at once.

    Attributes
    ----------
    trades
        With whom, and how much.
    withdrawn
        Its owner's orders that stand in the way and give way to it.
    meets_itself
        Whether an order of its owner stands in the way that does not.
    """

    trades: list[tuple[Maker, float]]
    withdrawn: list[tuple[Account, Order]]
    meets_itself: bool

    @property
    def size(self) -> float:
        """Size it would trade."""
        return round(sum(size for _, size in self.trades), 10)

    @property
    def marketable(self) -> bool:
        """Whether anybody stands in its way."""
        return bool(self.trades or self.withdrawn or self.meets_itself)


def plan(exchange: Exchange, account: Account, order: Order) -> Plan:
    """Look through the book for whom an order would meet."""
    assert order.limit_price is not None
    trades: list[tuple[Maker, float]] = []
    withdrawn: list[tuple[Account, Order]] = []
    # Every trade changes what the maker's further reduce-only orders have left to reduce.
    moved: dict[str, float] = defaultdict(float)
    left = order.remaining
    for maker in exchange.book(order.contract).makers(order.side, order.limit_price):
        if left <= 0:
            break
        offered = maker.remaining
        if maker.order is not None and maker.account is not None:
            if exchange.is_own(account, maker.account):
                if account.preferences.self_trade == REJECT_TAKER:
                    return Plan(trades, withdrawn, meets_itself=True)
                withdrawn.append((maker.account, maker.order))
                continue
            offered = available(maker.account, maker.order, moved[maker.account.name])
        size = round(min(left, offered), 10)
        if size > 0:
            trades.append((maker, size))
            left = round(left - size, 10)
            if maker.account is not None:
                moved[maker.account.name] -= order.sign * size
    return Plan(trades, withdrawn, meets_itself=False)


def available(account: Account, order: Order, moved: float = 0.0) -> float:
    """What a waiting order can trade: a reduce-only one no more than reduces its account's position.

    ``moved`` is by how much the position will have changed before.
    """
    if not order.reduce_only:
        return order.remaining
    reducible = -order.sign * (account.position_size(order.contract) + moved)
    return min(order.remaining, max(0.0, round(reducible, 10)))


def enter(exchange: Exchange, account: Account, order: Order, reason: str = "new_user_order") -> Outcome:
    """Check an order against position, margin and book, then execute it and rest what is left.

    The journal shows it as it was after that: an order that was filled at once is placed with nothing open.
    """
    reduced: float | None = None
    if order.reduce_only:
        reducible = checks.opposed(account, order.contract, order.side)
        if reducible == 0:
            return reject(exchange, account, order, "wouldNotReducePosition", reason)
        reduced = round(max(order.remaining - reducible, 0.0), 10)
        order.size = round(order.size - reduced, 10)
    planned = plan(exchange, account, order)
    refused = checks.refusal(exchange, account, order, planned)
    if refused:
        return reject(exchange, account, order, refused, reason)
    events = carry_out(exchange, account, order, planned)
    account.record("placed", exchange.now, order, reason)
    if order.remaining == 0:
        exchange.close_order(account, order, "FULLY_EXECUTED", "FULL_FILL")
    elif order.order_type in ("lmt", "post"):
        account.orders[order.order_id] = order
        exchange.books[order.contract.symbol].add(account, order)
        events.append(Placed(order.snapshot(), reduced))
    else:
        exchange.close_order(account, order, "CANCELLED", "IOC_WOULD_NOT_EXECUTE_REASON")
    return Outcome("placed", order, tuple(events))


def reject(exchange: Exchange, account: Account, order: Order, status: str, cause: str) -> Outcome:
    """Refuse an order that the journal shall know of."""
    ended = "TRIGGER_ACTIVATION_FAILURE" if cause == TRIGGERED else "REJECTED"
    exchange.close_order(account, order, ended, checks.UPDATE_REASONS.get(status))
    account.record("rejected", exchange.now, order, cause, error=checks.ORDER_ERRORS[status])
    reason = checks.EVENT_REASONS.get(status)
    return Outcome(status, order, (Rejected(order.snapshot(), reason),)) if reason else Outcome(status)


def carry_out(exchange: Exchange, account: Account, order: Order, planned: Plan, terms: Terms = TAKER) -> list[Event]:
    """Do what was planned for an order that comes in."""
    for owner, own in planned.withdrawn:
        exchange.close_order(owner, own, "CANCELLED", "CANCELLED_BY_SELF_TRADE")
    book, contract = exchange.books[order.contract.symbol], order.contract
    kind: Kind = "fill" if terms is TAKER else "liquidation"
    events: list[Event] = []
    for maker, size in planned.trades:
        before = order.snapshot()
        execution = execute(exchange, contract, order.side, size, maker.price, kind)
        book_side(exchange, account, order, execution, terms)
        if maker.account is None or maker.order is None:
            exchange.participants.book(contract, -order.sign * size, execution, COUNTERPARTY)
            book.take_quote(order.side, maker, size, is_missed=True)
        else:
            fill_waiting(exchange, maker.account, maker.order, execution)
        events.append(Executed(execution.uid, maker.price, size, before))
    return events


def assign(exchange: Exchange, account: Account, order: Order, assignor: Terms, assignee: Terms) -> None:
    """The participants take over what is left of a liquidation, at its limit."""
    assert order.limit_price is not None
    size = order.remaining
    execution = execute(exchange, order.contract, order.side, size, order.limit_price, "assignment")
    book_side(exchange, account, order, execution, assignor)
    exchange.participants.book(order.contract, -order.sign * size, execution, assignee)


def execute(exchange: Exchange, contract: Contract, taker: Side, size: float, price: float, kind: Kind) -> Execution:
    """Note a trade in the market's public history; the books of both sides are still to be written."""
    mark = exchange.prices.mark(contract)
    rate = exchange.prices.funding(contract)
    execution = Execution(exchange.new_id(), size, price, exchange.now, mark, rate)
    exchange.note_trade(OwnTrade(execution.uid, contract.symbol, exchange.now, price, size, taker == "buy", kind, mark))
    return execution


def participants_take(
    exchange: Exchange, contract: Contract, side: Side, size: float, limit: float, *, quotes: bool
) -> float:
    """Simulated participants trade with those that wait; gives what is left of the size.

    Parameters
    ----------
    quotes
        Whether they meet one another, too.
    """
    book = exchange.books[contract.symbol]
    left = size
    for maker in list(book.makers(side, limit)):
        if left <= 0:
            break
        if maker.order is None or maker.account is None:
            if quotes:
                taken = round(min(left, maker.size), 10)
                book.take_quote(side, maker, taken, is_missed=False)
                left = round(left - taken, 10)
            continue
        offered = round(min(left, available(maker.account, maker.order)), 10)
        if offered <= 0:
            continue
        execution = execute(exchange, contract, side, offered, maker.price, "fill")
        exchange.participants.book(contract, offered if side == "buy" else -offered, execution, COUNTERPARTY)
        fill_waiting(exchange, maker.account, maker.order, execution)
        left = round(left - offered, 10)
    return left


def show_quotes(exchange: Exchange, contract: Contract) -> None:
    """Let the participants show what they quote now; where a quote reaches an order they trade with it."""
    book = exchange.books[contract.symbol]
    if book.quoted_at == exchange.now or exchange.is_expired(contract):
        return
    offered = book.offered(exchange.market.quotes(contract, exchange.now), exchange.now)
    places = book.withdraw_quotes()
    suspended = exchange.state(contract).suspended
    for side, levels in offered.items():
        shown = []
        for price, size in levels:
            left = size
            if book.crossing(side, price) and not suspended:
                left = participants_take(exchange, contract, side, size, price, quotes=False)
            if left > 0:
                shown.append((price, left))
        # An order that is still in the way (a reduce-only one that has nothing to reduce) is not quoted through.
        book.quote(side, [(p, s) for p, s in shown if not book.crossing(side, p)], places[side])


def book_side(exchange: Exchange, account: Account, order: Order, execution: Execution, terms: Terms) -> None:
    """Write an execution into the books of the account on one side of it, and its fees into those of the house."""
    contract = order.contract
    exchange.sequences[contract.symbol] += 1
    booked = account.trade(order, execution, terms, sequence=exchange.sequences[contract.symbol])
    exchange.house.collect(contract.wallet, contract.currency, booked.fee + booked.liquidation_fee)
    exchange.house.collect(KFEE_WALLET, KFEE, booked.credits)


def fill_waiting(exchange: Exchange, account: Account, order: Order, execution: Execution) -> None:
    """An order that waited in the book has traded."""
    before = order.snapshot()
    book_side(exchange, account, order, execution, MAKER)
    account.record("updated", exchange.now, order, "partial_fill" if order.remaining else "full_fill", old=before)
    if order.remaining == 0:
        exchange.close_order(account, order, "FULLY_EXECUTED", "FULL_FILL")
