"""Orders that wait for a price: their beginning, what they watch, and what becomes of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kfut_analytics.contracts import round_to_step, to_decimal
from kfut_analytics.paper.engine import checks, matching, meeting
from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.orders import LimitOffset, Order, Outcome, Placed, Rejected

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.exchange import Exchange

logger = logging.getLogger("kfut_analytics.paper")


def wait(exchange: Exchange, account: Account, order: Order) -> Outcome:
    """A trigger waits, or fires at once where its price is reached already."""
    contract = order.contract
    reason = checks.off_deviation(contract, order.trailing) or checks.off_offset(
        exchange, contract, order.offset, absolute=order.limit_price is not None
    )
    if reason is not None:
        return Outcome("invalidPrice", order, (Rejected(order, reason),))
    price = watched(exchange, order)
    if order.trailing is not None:
        meeting.start_following(order, price, exchange.now)
    assert order.stop_price is not None
    full = checks.crowded(account, contract, order.size, order.limit_price or order.stop_price)
    if full:
        return Outcome(full)
    account.orders[order.order_id] = order
    account.record("placed", exchange.now, order, "new_user_order")
    placed = Placed(order.snapshot())
    if meeting.is_met(order, price):
        fire(exchange, account, order)
    return Outcome("placed", order, (placed,))


def watched(exchange: Exchange, order: Order) -> float:
    """What a trigger watches."""
    match order.trigger_signal:
        case "last":
            return exchange.last(order.contract)
        case "index":
            return exchange.prices.index(order.contract.asset)
        case _:
            return exchange.prices.mark(order.contract)


def fire(exchange: Exchange, account: Account, trigger: Order) -> None:
    """A trigger becomes an order under the same id, limit or market."""
    meeting.follow(exchange.market, trigger, exchange.now)
    del account.orders[trigger.order_id]
    account.record("activated", exchange.now, trigger)
    order = trigger.snapshot()
    order.stop_price, order.trailing, order.offset, order.updated = None, None, None, exchange.now
    if trigger.offset is not None:
        order.limit_price = _offset_price(trigger, trigger.offset)
    if order.limit_price is None:
        order.order_type = "ioc"
        order.limit_price = exchange.protected_price(order.contract, order.side)
    else:
        order.order_type = "lmt"
    outcome = matching.enter(exchange, account, order, reason=matching.TRIGGERED)
    logger.debug("trigger %s fired: %s", order.order_id, outcome.status)


def _offset_price(trigger: Order, offset: LimitOffset) -> float:
    """The limit price that lies an offset from a trigger price, on the tick."""
    assert trigger.stop_price is not None
    stop = to_decimal(trigger.stop_price)
    price = stop + (offset.value if offset.unit == "QUOTE_CURRENCY" else stop * offset.value / 100)
    return float(round_to_step(price, trigger.contract.tick))
