"""The engine: instruments, accounts, orders, and time moving on.

The engine's own time moves only forward and only in `Exchange.advance_to`: there resting orders meet the market,
triggers fire, funding is settled every full hour and dated contracts expire, each at its moment and in order. All
public methods may be called from any thread.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from kfut_analytics.contracts import to_decimal
from kfut_analytics.paper import checks, meeting
from kfut_analytics.paper.account import Account, Fill
from kfut_analytics.paper.book import Book
from kfut_analytics.paper.clock import HOUR, Clock, ManualClock, WallClock
from kfut_analytics.paper.instruments import Contract, listing
from kfut_analytics.paper.margin import FlexState, SingleState, flex_state, single_state
from kfut_analytics.paper.market import Market
from kfut_analytics.paper.orders import (
    Cancelled,
    Closed,
    Edited,
    EditRequest,
    Event,
    Executed,
    Order,
    OrderRequest,
    Outcome,
    Placed,
    Rejected,
)
from kfut_analytics.paper.simulated import SimulatedMarket
from kfut_analytics.paper.states import Downtime, MarketState

logger = logging.getLogger("kfut_analytics.paper")

MARKET_ORDER_PROTECTION = Decimal("0.01")


class UnknownSymbolError(Exception):
    """No contract has this symbol."""


class Exchange:
    """A futures exchange with simulated participants.

    Parameters
    ----------
    seed
        Determines the market and every id.
    clock
        Where the time comes from; the machine's clock unless given.
    history
        Seconds before now at which the engine's time begins. `advance_to` then walks through the past.

    Attributes
    ----------
    now
        The engine's time; `sync` moves it to the clock's.
    states
        Markets in a state out of the ordinary, by symbol.
    downtimes
        When the API is announced to be unavailable.
    transaction
        Gives the context in which a request or a tick happens, under the lock. An exchange that is kept in a file is
        given one that ends when all that happened in it is written, or with an error and as if nothing had happened.
    """

    def __init__(self, *, seed: int = 0, clock: Clock | None = None, history: float = 0.0) -> None:
        self.clock: Clock = clock or WallClock()
        self.opened = round(self.clock.now(), 3)
        self.now = self.opened - history
        self.seed = seed
        self.market: Market = SimulatedMarket(seed)
        self.contracts: dict[str, Contract] = listing(self.opened)
        self.books = {symbol: Book(contract, self.market) for symbol, contract in self.contracts.items()}
        self.accounts: dict[str, Account] = {}
        self.states: dict[str, MarketState] = {}
        self.downtimes: list[Downtime] = []
        self.lock = threading.RLock()
        self.transaction: Callable[[], AbstractContextManager[object]] = lambda: self.lock
        self._random = random.Random(seed)
        self._sequences: Counter[str] = Counter()

    def new_id(self) -> str:
        """A fresh uuid, reproducible from the seed."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def open_account(self, name: str, *, parent: str | None = None) -> Account:
        """Open an empty account, or a sub-account of the one named ``parent``."""
        with self.lock:
            if name in self.accounts:
                raise ValueError(f"account {name!r} exists already")
            if parent is not None and (parent not in self.accounts or self.accounts[parent].parent is not None):
                raise ValueError(f"parent is {parent!r}: name an account that is no sub-account itself")
            account = Account(name, self.new_id(), self.now, self.new_id, parent)
            self.accounts[name] = account
            return account

    # Looking ----------------------------------------------------------------------------------------------------

    def contract(self, symbol: str) -> Contract:
        """The contract of a symbol, in any case."""
        try:
            return self.contracts[symbol.upper()]
        except KeyError:
            raise UnknownSymbolError(symbol) from None

    def is_expired(self, contract: Contract) -> bool:
        """Whether trading in it has ended."""
        return contract.expiry is not None and self.now >= contract.expiry

    def book(self, contract: Contract) -> Book:
        """The book as it stands now."""
        book = self.books[contract.symbol]
        book.refresh(self.now)
        return book

    def funding_rate(self, contract: Contract) -> float:
        """Absolute funding rate of this hour, 0 for a dated contract."""
        return self.market.funding(contract, self.now) if contract.expiry is None else 0.0

    def flex(self, account: Account) -> FlexState:
        """The account's multi-collateral wallet now."""
        return flex_state(account, self.market, self.now)

    def single(self, account: Account, wallet: str) -> SingleState:
        """One of the account's single-collateral wallets now."""
        return single_state(account, wallet, self.market, self.now)

    # Time -------------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Move on to the clock's time."""
        self.advance_to(self.clock.now())

    def advance(self, seconds: float) -> None:
        """Move a manual clock and the engine forward."""
        if not isinstance(self.clock, ManualClock):
            raise TypeError("only an exchange with a ManualClock is advanced by hand")
        self.clock.advance(seconds)
        self.sync()

    def advance_to(self, when: float) -> None:
        """Let everything happen that is due until ``when``; a time in the past does nothing."""
        with self.lock:
            end = round(when, 3)
            if end <= self.now:
                return
            # An instant without an order is when the account's dead man's switch goes off.
            due: list[tuple[float, int, Account, Order | None]] = []
            ties = itertools.count()

            def watch(account: Account, order: Order) -> None:
                moment = meeting.first_meeting(self.market, self.books[order.contract.symbol], order, self.now, end)
                if moment is not None:
                    heapq.heappush(due, (moment, next(ties), account, order))

            for account in self.accounts.values():
                if account.cancel_at is not None and account.cancel_at <= end:
                    heapq.heappush(due, (account.cancel_at, next(ties), account, None))
                for resting in account.orders.values():
                    watch(account, resting)
            hour = (math.floor(self.now / HOUR) + 1) * HOUR
            while (due and due[0][0] <= end) or hour <= end:
                if due and due[0][0] < hour:
                    self.now, _, account, order = heapq.heappop(due)
                    if order is None:
                        self._withdraw_all(account)
                    elif account.orders.get(order.order_id) is order:
                        self._meet(account, order)
                        # It, or the limit order its trigger became, may meet the market again.
                        open_still = account.orders.get(order.order_id)
                        if open_still is not None:
                            watch(account, open_still)
                else:
                    self.now = hour
                    self._full_hour()
                    hour += HOUR
            self.now = end
            for account in self.accounts.values():
                for resting in account.orders.values():
                    meeting.follow(self.market, resting, end)

    def _withdraw_all(self, account: Account) -> None:
        """The dead man's switch goes off."""
        account.cancel_at = None
        for order in list(account.orders.values()):
            self._close(account, order, "CANCELLED", "DEAD_MAN_SWITCH")

    def _meet(self, account: Account, order: Order) -> None:
        """The market has reached an order: a trigger fires, a resting order is filled as its maker."""
        if order.is_trigger:
            self._fire(account, order)
            return
        assert order.limit_price is not None
        size = order.remaining
        if order.reduce_only:
            size = min(size, self._reducible(account, order))
            if size == 0:
                self._close(account, order, "CANCELLED", "WOULD_NOT_REDUCE_POSITION")
                return
        # Whoever trades with the order brings the size that the ladder shows at its price or better.
        traded = sum(size for _, size in self.book(order.contract).take(order.side, size, order.limit_price))
        if traded:
            self._execute(account, order, round(traded, 10), order.limit_price, maker=True)
            self._record_fill(account, account.fills[-1].order, order)
            if order.remaining == 0:
                self._close(account, order, "FULLY_EXECUTED", "FULL_FILL")

    def _fire(self, account: Account, trigger: Order) -> None:
        """A trigger becomes an order under the same id, limit or market."""
        meeting.follow(self.market, trigger, self.now)
        del account.orders[trigger.order_id]
        account.record("activated", self.now, trigger)
        order = trigger.snapshot()
        order.stop_price, order.trailing, order.updated = None, None, self.now
        if order.limit_price is None:
            order.order_type = "ioc"
            order.limit_price = self._protected_price(order.contract, order.side)
        else:
            order.order_type = "lmt"
        outcome = self._match(account, order, reason="stop_order_triggered")
        logger.debug("trigger %s fired: %s", order.order_id, outcome.status)

    def _full_hour(self) -> None:
        """Settle the funding of the hour that ends now, and contracts that expire now."""
        for account in self.accounts.values():
            for position in list(account.positions.values()):
                contract = position.contract
                if contract.expiry is None:
                    # The rate of the hour that just ended, not of the one that begins.
                    rate = self.market.funding(contract, self.now - HOUR)
                    account.realize_funding(position, now=self.now, rate=rate)
                elif self.now >= contract.expiry:
                    account.settle(position, self.market.index(contract.asset, self.now), now=self.now)
            for order in list(account.orders.values()):
                if self.is_expired(order.contract):
                    self._close(account, order, "CANCELLED", "CONTRACT_EXPIRED")

    # Orders -----------------------------------------------------------------------------------------------------

    def submit(self, account: Account, request: OrderRequest) -> Outcome:
        """Send an order; the outcome says what became of it, and a refused one has changed nothing.

        Raises
        ------
        UnknownSymbolError
            If no contract has the symbol.
        """
        with self.lock:
            contract = self.contract(request.symbol)
            refusal = checks.malformed(self, account, contract, request)
            if refusal:
                return Outcome(refusal)
            limit = request.limit_price
            if request.order_type == "mkt":
                limit = None
            order = Order(
                order_id=self.new_id(),
                cli_ord_id=request.cli_ord_id,
                contract=contract,
                side=request.side,
                order_type="ioc" if request.order_type == "mkt" else request.order_type,
                size=float(request.size),
                limit_price=None if limit is None else float(limit),
                stop_price=float(request.stop_price) if request.stop_price is not None else None,
                trigger_signal=request.trigger_signal,
                reduce_only=request.reduce_only,
                received=self.now,
                updated=self.now,
                trailing=request.trailing,
            )
            if order.trailing is not None:
                meeting.start_following(self.market, order, self.now)
            if order.is_trigger:
                account.orders[order.order_id] = order
                account.record("placed", self.now, order, "new_user_order")
                outcome = Outcome("placed", order, (Placed(order.snapshot()),))
            else:
                if order.limit_price is None:
                    order.limit_price = self._protected_price(contract, order.side)
                outcome = self._match(account, order)
            if outcome.status == "placed" and request.cli_ord_id is not None:
                account.client_ids.add(request.cli_ord_id)
            return outcome

    def edit(self, account: Account, request: EditRequest) -> Outcome:
        """Change an open order in place; a refused change leaves it as it was."""
        with self.lock:
            order = self.find(account, order_id=request.order_id, cli_ord_id=request.cli_ord_id)
            if order is None:
                return Outcome("orderForEditNotFound")
            size, limit_price, stop_price = request.size, request.limit_price, request.stop_price
            trailing = order.trailing
            if trailing is not None:
                deviation, unit = request.deviation or trailing.deviation, request.deviation_unit or trailing.unit
                trailing = replace(trailing, deviation=deviation, unit=unit)
            if stop_price is not None and not order.is_trigger:
                return Outcome("orderForEditNotAStop")
            refused = checks.frozen(order, request)
            if refused:
                return Outcome(refused)
            new_size = to_decimal(order.size)
            if size is not None:
                new_size = size if request.absolute else size + to_decimal(order.filled)
            refused = checks.off_grid(order.contract, size=new_size, prices=(limit_price, stop_price))
            refused = refused or checks.off_deviation(order.contract, trailing)
            if refused or float(new_size) <= order.filled:
                return Outcome(refused or "invalidSize")
            old, edited = order.snapshot(), order.snapshot()
            edited.size = float(new_size)
            if limit_price is not None:
                edited.limit_price = float(limit_price)
            if stop_price is not None:
                edited.stop_price = float(stop_price)
            if trailing is not None and trailing != old.trailing:
                edited.trailing = trailing
                meeting.start_following(self.market, edited, self.now)
            if edited == old:
                return Outcome("edited", order, (Rejected(old, "EDIT_HAS_NO_EFFECT"),))
            if not order.is_trigger:
                # The old order neither blocks nor loads the new one.
                del account.orders[order.order_id]
                refused = checks.refusal(self, account, edited)
                account.orders[order.order_id] = order
                if refused:
                    error = checks.ORDER_ERRORS[refused]
                    account.record("edit rejected", self.now, edited, "edited_by_user", old=old, error=error)
                    return Outcome(refused)
            edited.updated = self.now
            account.orders[order.order_id] = edited
            account.record("updated", self.now, edited, "edited_by_user", old=old)
            events: list[Event] = [Edited(old, edited.snapshot())]
            if not edited.is_trigger:
                before = edited.snapshot()
                taken = self._take(account, edited)
                events += taken
                if taken:
                    self._record_fill(account, before, edited)
                if edited.remaining == 0:
                    self._close(account, edited, "FULLY_EXECUTED", "FULL_FILL")
            return Outcome("edited", edited, tuple(events))

    def cancel(self, account: Account, *, order_id: str | None = None, cli_ord_id: str | None = None) -> Outcome:
        """Take an order off, by either id."""
        with self.lock:
            order = self.find(account, order_id=order_id, cli_ord_id=cli_ord_id)
            if order is None:
                done = any(order_id == f.order_id or (cli_ord_id and cli_ord_id == f.cli_ord_id) for f in account.fills)
                return Outcome("filled" if done else "notFound")
            self._close(account, order, "CANCELLED", "CANCELLED_BY_USER")
            return Outcome("cancelled", order, (Cancelled(order.snapshot()),))

    def cancel_all(self, account: Account, symbol: str | None = None) -> list[Outcome]:
        """Take off every order, or every order of one contract.

        Raises
        ------
        UnknownSymbolError
            If no contract has the symbol.
        """
        with self.lock:
            contract = self.contract(symbol) if symbol else None
            chosen = [o for o in account.orders.values() if contract is None or o.contract is contract]
            return [self.cancel(account, order_id=order.order_id) for order in chosen]

    def cancel_all_after(self, account: Account, seconds: int) -> None:
        """Arm the dead man's switch, or disarm it with 0."""
        with self.lock:
            account.cancel_at = round(self.now + seconds, 3) if seconds else None

    def find(self, account: Account, *, order_id: str | None = None, cli_ord_id: str | None = None) -> Order | None:
        """An open order by either id."""
        if order_id is not None:
            return account.orders.get(order_id)
        return next((o for o in account.orders.values() if cli_ord_id and o.cli_ord_id == cli_ord_id), None)

    def _match(self, account: Account, order: Order, reason: str = "new_user_order") -> Outcome:
        """Check an order against position, margin and book, then execute it and rest what is left.

        The journal shows it as it was after that: an order that was filled at once is placed with nothing open.
        """
        reduced: float | None = None
        if order.reduce_only:
            reducible = self._reducible(account, order)
            if reducible == 0:
                return self._reject(account, order, "wouldNotReducePosition", reason)
            reduced = round(max(order.remaining - reducible, 0.0), 10)
            order.size = round(order.size - reduced, 10)
        refused = checks.refusal(self, account, order)
        if refused:
            return self._reject(account, order, refused, reason)
        events = self._take(account, order)
        account.record("placed", self.now, order, reason)
        if order.remaining == 0:
            self._close(account, order, "FULLY_EXECUTED", "FULL_FILL")
        elif order.order_type in ("lmt", "post"):
            account.orders[order.order_id] = order
            events.append(Placed(order.snapshot(), reduced))
        else:
            self._close(account, order, "CANCELLED", "IOC_WOULD_NOT_EXECUTE_REASON")
        return Outcome("placed", order, tuple(events))

    def is_marketable(self, order: Order) -> bool:
        """Whether an order would trade at once."""
        best = self.book(order.contract).best(order.side)
        return best is not None and order.limit_price is not None and order.sign * (order.limit_price - best) >= 0

    def _take(self, account: Account, order: Order) -> list[Event]:
        """Execute what the book gives at the order's limit or better."""
        assert order.limit_price is not None
        events: list[Event] = []
        # Unless an order that would meet its owner was refused, those in its way are withdrawn.
        for maker in checks.crossed(account, order):
            self._close(account, maker, "CANCELLED", "CANCELLED_BY_SELF_TRADE")
        for price, size in self.book(order.contract).take(order.side, order.remaining, order.limit_price):
            before = order.snapshot()
            fill = self._execute(account, order, size, price, maker=False)
            events.append(Executed(fill.fill_id, price, size, before))
        return events

    def _reject(self, account: Account, order: Order, status: str, cause: str) -> Outcome:
        self._close(account, order, "REJECTED", checks.UPDATE_REASONS.get(status))
        account.record("rejected", self.now, order, cause, error=checks.ORDER_ERRORS[status])
        reason = checks.REJECT_REASONS.get(status)
        return Outcome(status, order, (Rejected(order.snapshot(), reason),)) if reason else Outcome(status)

    def _close(self, account: Account, order: Order, status: str, reason: str | None) -> None:
        """An order is no longer open; for a few seconds its status can still be asked for."""
        account.orders.pop(order.order_id, None)
        meeting.follow(self.market, order, self.now)
        account.closed.append(Closed(order.snapshot(), status, reason, self.now))
        if status == "CANCELLED" and reason is not None:
            account.record("cancelled", self.now, order, reason.lower())

    def _record_fill(self, account: Account, before: Order, order: Order) -> None:
        account.record("updated", self.now, order, "partial_fill" if order.remaining else "full_fill", old=before)

    def _execute(self, account: Account, order: Order, size: float, price: float, *, maker: bool) -> Fill:
        contract = order.contract
        self._sequences[contract.symbol] += 1
        fill = account.trade(
            order,
            size,
            price,
            now=self.now,
            liquidity="maker" if maker else "taker",
            mark=self.market.mark(contract, self.now),
            rate=self.funding_rate(contract),
            sequence=self._sequences[contract.symbol],
        )
        order.filled = round(order.filled + size, 10)
        order.updated = self.now
        return fill

    def _reducible(self, account: Account, order: Order) -> float:
        """Size by which an order of its side can reduce the position."""
        return max(0.0, -order.sign * account.position_size(order.contract))

    def _protected_price(self, contract: Contract, side: str) -> float:
        """Limit of a market order: 1 % beyond the best quote, on the tick, rounded away from the market."""
        buying = side == "buy"
        best = self.book(contract).best("buy" if buying else "sell")
        reference = Decimal(str(best if best is not None else self.market.last(contract, self.now)))
        limit = reference * (1 + MARKET_ORDER_PROTECTION if buying else 1 - MARKET_ORDER_PROTECTION)
        ticks = (limit / contract.tick).to_integral_value(ROUND_FLOOR if buying else ROUND_CEILING)
        return float(ticks * contract.tick)
