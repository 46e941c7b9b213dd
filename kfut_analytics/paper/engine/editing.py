"""Changing an open order in place: it keeps its id, and its place in the queue only if it becomes smaller."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kfut_analytics.contracts import to_decimal
from kfut_analytics.paper.engine import checks, matching, meeting, triggers
from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.orders import Edited, EditRequest, Event, Order, Outcome, Rejected

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.exchange import Exchange


def edit(exchange: Exchange, account: Account, request: EditRequest) -> Outcome:
    """Change an order as asked for, or refuse to and leave it as it was."""
    order = exchange.find(account, order_id=request.order_id, cli_ord_id=request.cli_ord_id)
    if order is None:
        return Outcome("orderForEditNotFound")
    if checks.late(exchange, request.process_before):
        return Outcome("wouldProcessAfterSpecifiedTime")
    if request.stop_price is not None and not order.is_trigger:
        return Outcome("orderForEditNotAStop")
    if exchange.state(order.contract).suspended:
        return Outcome("marketSuspended")
    refused = checks.frozen(order, request)
    if refused:
        return Outcome(refused)
    new_size = to_decimal(order.size)
    if request.size is not None:
        new_size = request.size if request.absolute else request.size + to_decimal(order.filled)
    prices = (request.limit_price, request.stop_price)
    refused = checks.off_grid(order.contract, size=new_size, prices=prices)
    if refused or float(new_size) <= order.filled:
        return Outcome(refused or "invalidSize")
    old, edited = order.snapshot(), order.snapshot()
    edited.size = float(new_size)
    if request.limit_price is not None:
        edited.limit_price = float(request.limit_price)
    if request.stop_price is not None:
        edited.stop_price = float(request.stop_price)
    if order.trailing is not None:
        deviation = request.deviation or order.trailing.deviation
        trailing = replace(order.trailing, deviation=deviation, unit=request.deviation_unit or order.trailing.unit)
        reason = checks.off_deviation(order.contract, trailing)
        if reason is not None:
            return Outcome("invalidPrice", order, (Rejected(old, reason),))
        if trailing != order.trailing:
            edited.trailing = trailing
            meeting.start_following(edited, triggers.watched(exchange, edited), exchange.now)
    if edited == old:
        return Outcome("edited", order, (Rejected(old, "EDIT_HAS_NO_EFFECT"),))
    if order.is_trigger:
        return _wait_otherwise(exchange, account, old, edited)
    return _stand_otherwise(exchange, account, order, edited)


def _wait_otherwise(exchange: Exchange, account: Account, old: Order, edited: Order) -> Outcome:
    """A trigger has been changed; where its new price is reached already, it fires."""
    edited.updated = exchange.now
    account.orders[edited.order_id] = edited
    account.record("updated", exchange.now, edited, "edited_by_user", old=old)
    changed = Edited(old, edited.snapshot())
    if meeting.is_met(edited, triggers.watched(exchange, edited)):
        triggers.fire(exchange, account, edited)
    return Outcome("edited", edited, (changed,))


def _stand_otherwise(exchange: Exchange, account: Account, order: Order, edited: Order) -> Outcome:
    """A resting order is changed: it keeps its place only if nothing but its size has become smaller."""
    old, book = order.snapshot(), exchange.books[order.contract.symbol]
    # The old order neither blocks nor loads the new one.
    del account.orders[order.order_id]
    book.remove(order)
    planned = matching.plan(exchange, account, edited)
    refused = checks.refusal(exchange, account, edited, planned)
    if refused:
        account.orders[order.order_id] = order
        book.restore(account, order)
        error = checks.ORDER_ERRORS[refused]
        account.record("edit rejected", exchange.now, edited, "edited_by_user", old=old, error=error)
        return Outcome(refused)
    edited.updated = exchange.now
    account.orders[order.order_id] = edited
    account.record("updated", exchange.now, edited, "edited_by_user", old=old)
    events: list[Event] = [Edited(old, edited.snapshot())]
    before = edited.snapshot()
    taken = matching.carry_out(exchange, account, edited, planned)
    if taken:
        account.record("updated", exchange.now, edited, "partial_fill" if edited.remaining else "full_fill", old=before)
    if edited.remaining == 0:
        exchange.close_order(account, edited, "FULLY_EXECUTED", "FULL_FILL")
    elif edited.limit_price == old.limit_price and edited.size < old.size:
        book.restore(account, edited)
    else:
        book.add(account, edited)
    return Outcome("edited", edited, (*events, *taken))
