"""Time moves on: everything that is due happens at its moment and in order.

Resting orders meet the market, triggers fire, dead man's switches go off, accounts that fall short are liquidated;
every full hour funding is settled and dated contracts expire.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Literal

from kfut_analytics.paper.clock import HOUR
from kfut_analytics.paper.engine import liquidation, matching, meeting, triggers
from kfut_analytics.paper.engine.account import Account, Execution
from kfut_analytics.paper.engine.orders import Order

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.exchange import Exchange

What = Literal["order", "margin", "switch"]


class _Agenda:
    """What is due until a time, as far as it can be foreseen; without prices only what the clock brings."""

    def __init__(self, exchange: Exchange, end: float, *, priced: bool) -> None:
        self._exchange = exchange
        self._end = end
        self._priced = priced
        self._due: list[tuple[float, int, What, Account, Order | None]] = []
        self._ties = itertools.count()
        for account in exchange.accounts.values():
            if account.cancel_at is not None and account.cancel_at <= end:
                self._add(account.cancel_at, "switch", account)
            for order in account.orders.values():
                self.watch_order(account, order)

    def watch_order(self, account: Account, order: Order) -> None:
        """Find out when the market will reach an order."""
        exchange = self._exchange
        if not self._priced or exchange.state(order.contract).suspended:
            return
        moment = meeting.first_meeting(exchange.market, order, exchange.now, self._end)
        if moment is not None:
            self._add(moment, "order", account, order)

    def watch_margin(self, hour: float) -> None:
        """Find out which accounts will fall short before a full hour."""
        if not self._priced:
            return
        for account in self._exchange.accounts.values():
            moment = liquidation.foresee(self._exchange, account, min(self._end, hour))
            if moment is not None:
                self._add(moment, "margin", account)

    def _add(self, moment: float, what: What, account: Account, order: Order | None = None) -> None:
        heapq.heappush(self._due, (moment, next(self._ties), what, account, order))

    def next(self, before: float) -> tuple[float, What, Account, Order | None] | None:
        """Take what comes next, if it comes before a full hour and not after the end."""
        if not self._due or self._due[0][0] >= before or self._due[0][0] > self._end:
            return None
        moment, _, what, account, order = heapq.heappop(self._due)
        return moment, what, account, order


def advance(exchange: Exchange, end: float) -> None:
    """Let everything happen that is due until ``end``.

    Where nobody knows prices, orders and margins are not looked at before there are some again.
    """
    accounts = exchange.accounts.values()
    in_use = {order.contract for account in accounts for order in account.orders.values()}
    in_use.update(position.contract for account in accounts for position in account.positions.values())
    known_from = min(exchange.market.learn(exchange.now, end, in_use), end)
    if exchange.now < known_from:
        _go_on(exchange, known_from, priced=False)
    if exchange.now < end:
        _go_on(exchange, end, priced=True)


def _go_on(exchange: Exchange, end: float, *, priced: bool) -> None:
    agenda = _Agenda(exchange, end, priced=priced)
    hour = (math.floor(exchange.now / HOUR) + 1) * HOUR
    agenda.watch_margin(hour)
    while True:
        due = agenda.next(hour)
        if due is not None:
            moment, what, account, order = due
            exchange.now = max(exchange.now, moment)
            if what == "order":
                assert order is not None
                _meet(exchange, agenda, account, order)
            elif what == "margin":
                liquidation.protect(exchange, account)
            elif account.cancel_at is not None and account.cancel_at <= exchange.now:
                withdraw_all(exchange, account)
            exchange.settle_trades()
            agenda.watch_margin(hour)
        elif hour <= end:
            exchange.now = hour
            _full_hour(exchange)
            hour += HOUR
            agenda.watch_margin(hour)
        else:
            break
    exchange.now = end
    if not priced:
        return
    for account in exchange.accounts.values():
        for resting in list(account.orders.values()):
            meeting.follow(exchange.market, resting, end)
        liquidation.withdraw_uncovered(exchange, account)


def withdraw_all(exchange: Exchange, account: Account) -> None:
    """The dead man's switch goes off."""
    account.cancel_at = None
    for order in list(account.orders.values()):
        exchange.close_order(account, order, "CANCELLED", "DEAD_MAN_SWITCH")


def _meet(exchange: Exchange, agenda: _Agenda, account: Account, order: Order) -> None:
    """The market has reached an order: a trigger fires, a resting order is filled as its maker."""
    if account.orders.get(order.order_id) is not order:
        return
    if order.is_trigger:
        triggers.fire(exchange, account, order)
    else:
        _let_participants_trade(exchange, order)
    # It, or the limit order its trigger became, may meet the market again.
    open_still = account.orders.get(order.order_id)
    if open_still is not None:
        agenda.watch_order(account, open_still)


def _let_participants_trade(exchange: Exchange, order: Order) -> None:
    """The participants' quotes have come to an order, or one of their market orders has."""
    contract = order.contract
    # Quotes that would cross an order trade with it.
    book = exchange.book(contract)
    if book.met_until == exchange.now:
        return
    # Several orders may have been waiting for the same trade.
    book.met_until = exchange.now
    flow = exchange.market.flow(contract, exchange.now - 0.0005, exchange.now)
    for price, size, buys in zip(flow.price, flow.size, flow.buy, strict=True):
        side: Literal["buy", "sell"] = "buy" if buys else "sell"
        matching.participants_take(exchange, contract, side, float(size), float(price), quotes=True)


def _full_hour(exchange: Exchange) -> None:
    """Settle the funding of the hour that ends now, and contracts that expire now."""
    exchange.list_contracts()
    for account in exchange.everybody():
        for position in list(account.positions.values()):
            contract = position.contract
            if contract.expiry is None:
                # The rate of the hour that just ended, not of the one that begins.
                rate = exchange.market.funding(contract, exchange.now - HOUR)
                account.realize_funding(position, now=exchange.now, rate=rate)
            elif exchange.now >= contract.expiry:
                price = exchange.market.settlement_price(contract)
                settled = Execution(exchange.new_id(), abs(position.size), price, exchange.now, price, 0.0)
                booked = account.settle(position, settled, free=account is exchange.participants)
                exchange.house.collect(contract.wallet, contract.currency, booked.fee)
        for order in list(account.orders.values()):
            if exchange.is_expired(order.contract):
                exchange.close_order(account, order, "CANCELLED", "CONTRACT_EXPIRED")
