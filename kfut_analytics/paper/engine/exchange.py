"""The engine: instruments, accounts, orders, and time moving on.

The engine's own time moves only forward and only in `Exchange.advance_to`: see the room `timeline`. All public methods
may be called from any thread.
"""

from __future__ import annotations

import math
import random
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal

from kfut_analytics.contracts import round_to_step, to_decimal
from kfut_analytics.errors import ConfigurationError
from kfut_analytics.paper.clock import DAY, Clock, ManualClock, WallClock
from kfut_analytics.paper.engine import checks, editing, liquidation, matching, meeting, timeline, triggers
from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.book import Book, Priorities, Side
from kfut_analytics.paper.engine.margin import (
    COINS,
    SINGLE_COLLATERAL_WALLETS,
    FlexState,
    Prices,
    SingleState,
    flex_state,
    single_state,
)
from kfut_analytics.paper.engine.orders import (
    Cancelled,
    Closed,
    EditRequest,
    Order,
    OrderRequest,
    Outcome,
)
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.market.protocol import DrawnMarket, Market
from kfut_analytics.paper.market.simulated import SimulatedMarket
from kfut_analytics.paper.market.states import NORMAL, Downtime, MarketState

MARKET_ORDER_PROTECTION = Decimal("0.01")
_FRESH_SECONDS = 600.0
"""After so long an account's own trade is no longer the latest one of any market."""


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
    market
        Where prices come from; by default a simulated market of this seed. It is closed with the exchange.

    Attributes
    ----------
    now
        The engine's time; `sync` moves it to the clock's.
    transaction
        Gives the context in which a request or a tick happens, under the lock. An exchange that is kept in a file is
        given one that ends when all that happened in it is written, or with an error and as if nothing had happened.
    single_wallets
        The single-collateral wallets, and the currency of each.
    accounts
        The traders, by name.
    participants
        The other side of every trade that is not between two traders.
    house
        What the exchange itself earns: fees.
    tape
        Trades of the accounts by symbol, oldest first.
    states
        Markets that were put here into a state out of the ordinary, by symbol; see `state`.
    downtimes
        When the API is announced to be unavailable.
    sequences
        How many executions were booked, by symbol.
    safe
        Revision of each account's books that has been looked at, and until when it cannot fall short of margin.
    """

    def __init__(
        self, *, seed: int = 0, clock: Clock | None = None, history: float = 0.0, market: Market | None = None
    ) -> None:
        self.clock: Clock = clock or WallClock()
        self.opened = round(self.clock.now(), 3)
        self.now = self.opened - history
        self.seed = seed
        self.market: Market = market or SimulatedMarket(seed)
        self.lock = threading.RLock()
        self.transaction: Callable[[], AbstractContextManager[object]] = lambda: self.lock
        self._random = random.Random(seed)
        self._priorities = Priorities()
        self.contracts: dict[str, Contract] = {}
        self.books: dict[str, Book] = {}
        assets = self.market.assets
        missing = [currency.upper() for currency in COINS if currency.upper() not in assets]
        if missing:
            self.close()
            raise ConfigurationError(f"{self.market!r} has no price of {', '.join(missing)}, which is collateral here")
        self.single_wallets = {w: coin for w, coin in SINGLE_COLLATERAL_WALLETS.items() if coin.upper() in assets}
        self._listed_until = -math.inf
        self.list_contracts()
        self.accounts: dict[str, Account] = {}
        self.participants = Account("participants", self.new_id(), self.now, self.new_id)
        self.house = Account("house", self.new_id(), self.now, self.new_id)
        self.tape: dict[str, list[matching.OwnTrade]] = {}
        self.states: dict[str, MarketState] = {}
        self.downtimes: list[Downtime] = []
        self.sequences: Counter[str] = Counter()
        self.safe: dict[str, tuple[int, float]] = {}
        self._prices: Prices | None = None
        self._unsettled: deque[matching.OwnTrade] = deque()

    def close(self) -> None:
        """Close the market, which follows another exchange perhaps; a second call does nothing."""
        self.market.close()

    def new_id(self) -> str:
        """A fresh uuid, reproducible from the seed."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def open_account(self, name: str, *, parent: str | None = None) -> Account:
        """Open an empty account, or a sub-account of the one named ``parent``."""
        with self.lock:
            if name in self.accounts or name in ("participants", "house"):
                raise ValueError(f"account {name!r} exists already")
            if parent is not None and (parent not in self.accounts or self.accounts[parent].parent is not None):
                raise ValueError(f"parent is {parent!r}: name an account that is no sub-account itself")
            account = Account(name, self.new_id(), self.now, self.new_id, parent)
            self.accounts[name] = account
            return account

    def adopt(self, account: Account) -> None:
        """Take over an account that was kept elsewhere; its resting orders have their old places in the books."""
        with self.lock:
            self.accounts[account.name] = account
            # The market may have taken them off its list since.
            for position in account.positions.values():
                self._list(position.contract)
            for order in account.orders.values():
                self._list(order.contract)
            for order in account.orders.values():
                if not order.is_trigger:
                    self.books[order.contract.symbol].restore(account, order)
            highest = max((order.priority for order in account.orders.values()), default=0)
            self._priorities.raise_to(highest)

    def everybody(self) -> Iterator[Account]:
        """All accounts that hold positions: the traders and the participants."""
        yield from self.accounts.values()
        yield self.participants

    def is_own(self, taker: Account, maker: Account) -> bool:
        """Whether an order may not trade with another one, by the self-trade strategy of its owner."""
        match taker.preferences.self_trade:
            case "CANCEL_MAKER_CHILD":
                return maker is taker or maker.parent == taker.name
            case "CANCEL_MAKER_ANY":
                return (maker.parent or maker.name) == (taker.parent or taker.name)
            case _:
                return maker is taker

    # Looking ----------------------------------------------------------------------------------------------------

    def list_contracts(self) -> None:
        """Bring the list of contracts up to date, once a day."""
        if self.now < self._listed_until:
            return
        self._listed_until = (math.floor(self.now / DAY) + 1) * DAY
        for contract in self.market.listing(self.now).values():
            self._list(contract)

    def _list(self, contract: Contract) -> None:
        if contract.symbol not in self.contracts:
            self.contracts[contract.symbol] = contract
            self.books[contract.symbol] = Book(contract.precision, self._priorities)
            if contract.inverse:
                self.single_wallets[contract.wallet] = contract.currency

    def contract(self, symbol: str) -> Contract:
        """The contract of a symbol, in any case."""
        try:
            return self.contracts[symbol.upper()]
        except KeyError:
            raise UnknownSymbolError(symbol) from None

    def is_expired(self, contract: Contract) -> bool:
        """Whether trading in it has ended."""
        return contract.expiry is not None and self.now >= contract.expiry

    def state(self, contract: Contract) -> MarketState:
        """The state of a contract's market: the one it was put into here, unless it has been suspended by itself."""
        itself = self.market.states.get(contract.symbol, NORMAL)
        return itself if itself.suspended else self.states.get(contract.symbol, itself)

    @property
    def prices(self) -> Prices:
        """Mark prices, index prices and funding rates of now."""
        states = {**self.market.states, **self.states}
        factors = {s: state.margin_multiplier for s, state in states.items() if state.margin_multiplier != 1}
        if self._prices is None or self._prices.now != self.now or self._prices.multipliers != factors:
            self._prices = Prices(self.market, self.now, factors)
        return self._prices

    @property
    def past(self) -> DrawnMarket:
        """The market as one that knows its past; where it does not, its source is asked instead."""
        past = self.market.past
        assert past is not None
        return past

    def book(self, contract: Contract, *, closely: bool = True) -> Book:
        """The book as it stands now; with ``closely`` all of it, also where a market shows no more than it must."""
        book = self.books[contract.symbol]
        if closely and self.market.attend(contract):
            book.quoted_at = None
        matching.show_quotes(self, contract)
        return book

    def last(self, contract: Contract) -> float:
        """Price of the latest trade."""
        tape = self.tape.get(contract.symbol)
        if tape and self.now - tape[-1].time < _FRESH_SECONDS:
            since = self.market.flow(contract, tape[-1].time, self.now)
            return float(since.price[-1]) if len(since.price) else tape[-1].price
        return self.market.last(contract, self.now)

    def flex(self, account: Account, *, extra: Order | None = None) -> FlexState:
        """The account's multi-collateral wallet now, as if ``extra`` were among its open orders."""
        return flex_state(account, self.prices, extra=extra)

    def single(self, account: Account, wallet: str, *, extra: Order | None = None) -> SingleState:
        """One of the account's single-collateral wallets now, as if ``extra`` were among its open orders."""
        return single_state(account, wallet, self.prices, extra=extra)

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
            if end > self.now:
                timeline.advance(self, end)

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
            order = Order(
                order_id=self.new_id(),
                cli_ord_id=request.cli_ord_id,
                contract=contract,
                side=request.side,
                order_type="ioc" if request.order_type == "mkt" else request.order_type,
                size=float(request.size),
                limit_price=_number(None if request.order_type == "mkt" else request.limit_price),
                stop_price=_number(request.stop_price),
                trigger_signal=request.trigger_signal,
                reduce_only=request.reduce_only,
                received=self.now,
                updated=self.now,
                trailing=request.trailing,
                offset=request.offset,
            )
            outcome = triggers.wait(self, account, order) if request.is_trigger else self._enter(account, order)
            if outcome.status == "placed" and request.cli_ord_id is not None:
                account.client_ids[request.cli_ord_id] = None
            self.settle_trades()
            return outcome

    def _enter(self, account: Account, order: Order) -> Outcome:
        if order.limit_price is None:
            order.limit_price = self.protected_price(order.contract, order.side)
        return matching.enter(self, account, order)

    def edit(self, account: Account, request: EditRequest) -> Outcome:
        """Change an open order in place; a refused change leaves it as it was."""
        with self.lock:
            outcome = editing.edit(self, account, request)
            self.settle_trades()
            return outcome

    def cancel(self, account: Account, *, order_id: str | None = None, cli_ord_id: str | None = None) -> Outcome:
        """Take an order off, by either id."""
        with self.lock:
            order = self.find(account, order_id=order_id, cli_ord_id=cli_ord_id)
            if order is None:
                done = any(order_id == f.order_id or (cli_ord_id and cli_ord_id == f.cli_ord_id) for f in account.fills)
                return Outcome("filled" if done else "notFound")
            self.close_order(account, order, "CANCELLED", "CANCELLED_BY_USER")
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

    def close_order(self, account: Account, order: Order, status: str, reason: str | None) -> None:
        """An order is no longer open; for a few seconds its status can still be asked for."""
        if account.orders.pop(order.order_id, None) is not None and not order.is_trigger:
            self.books[order.contract.symbol].remove(order)
        meeting.follow(self.market, order, self.now)
        account.closed.append(Closed(order.snapshot(), status, reason, self.now))
        if status == "CANCELLED" and reason is not None:
            account.record("cancelled", self.now, order, reason.lower())

    def note_trade(self, trade: matching.OwnTrade) -> None:
        """A trade becomes part of the public history."""
        self.tape.setdefault(trade.symbol, []).append(trade)
        self._unsettled.append(trade)

    def settle_trades(self) -> None:
        """See to what trades have caused.

        Triggers that watch the last price fire, orders with nothing left to reduce are withdrawn, and whom a trade
        has cost too much is liquidated.
        """
        while self._unsettled:
            trade = self._unsettled.popleft()
            for account in self.accounts.values():
                for order in list(account.orders.values()):
                    if order.contract.symbol == trade.symbol and account.orders.get(order.order_id) is order:
                        self._notice(account, order, trade)
                if account.positions and self.safe.get(account.name, (-1,))[0] != account.revision:
                    liquidation.protect(self, account)

    def _notice(self, account: Account, order: Order, trade: matching.OwnTrade) -> None:
        if order.is_trigger:
            if order.trigger_signal == "last" and meeting.is_met(order, trade.price):
                triggers.fire(self, account, order)
        elif order.reduce_only and not checks.opposed(account, order.contract, order.side):
            self.close_order(account, order, "CANCELLED", "WOULD_NOT_REDUCE_POSITION")

    def protected_price(self, contract: Contract, side: Side) -> float:
        """Limit of a market order: 1 % beyond the best quote, on the tick, rounded away from the market."""
        best = self.book(contract).best(side)
        reference = to_decimal(best if best is not None else self.last(contract))
        factor = 1 + MARKET_ORDER_PROTECTION if side == "buy" else 1 - MARKET_ORDER_PROTECTION
        return float(round_to_step(reference * factor, contract.tick, "down" if side == "buy" else "up"))


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
