"""Answers about the account: balances, positions, open orders, fills, and its key."""

from __future__ import annotations

from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.wire import shapes as wire
from kfut_analytics.paper.wire import shapes_orders as wire_orders
from kfut_analytics.paper.wire import shapes_reference as wire_reference
from kfut_analytics.paper.wire.call import Call, Json

FILLS_PER_PAGE = 100


def accounts(call: Call) -> Json:
    """GET /accounts."""
    return {"accounts": wire.accounts(call.exchange, call.account)}


def openpositions(call: Call) -> Json:
    """GET /openpositions."""
    return {"openPositions": wire.open_positions(call.exchange, call.account)}


def openorders(call: Call) -> Json:
    """GET /openorders, newest first."""
    orders = sorted(call.account.orders.values(), key=lambda order: order.received, reverse=True)
    return {"openOrders": [wire_orders.open_order(order) for order in orders]}


def fills(call: Call) -> Json:
    """GET /fills, newest first, a page of those before ``lastFillTime`` if given."""
    before = call.params.timestamp("lastFillTime")
    # Times on the wire have milliseconds; they are compared as they are shown.
    chosen = [f for f in reversed(call.account.fills) if before is None or round(f.time, 3) < before]
    return {"fills": [wire.fill(item, with_pnl=before is None) for item in chosen[:FILLS_PER_PAGE]]}


def check_key(call: Call) -> Json:
    """GET /api-keys/v3/check."""
    return {
        "apiKey": call.key.public,
        "accountUid": call.account.uid,
        "iiban": None,
        "createdAt": iso(call.account.opened),
        "permissions": {"general": call.key.general, "transfer": call.key.transfer},
    }


def trading_instruments(call: Call) -> Json:
    """GET /trading/instruments."""
    exchange = call.exchange
    listed = [contract for contract in exchange.contracts.values() if not exchange.is_expired(contract)]
    return {"instruments": [wire_reference.trading_instrument(exchange, contract) for contract in listed]}


def fee_volumes(call: Call) -> Json:
    """GET /feeschedules/volumes."""
    return {"volumesByFeeSchedule": wire_reference.fee_volumes(call.exchange, call.account)}


def notifications(call: Call) -> Json:
    """GET /notifications."""
    return {"notifications": wire_reference.notifications(call.exchange)}


def unwindqueue(call: Call) -> Json:
    """GET /unwindqueue."""
    return {"queue": wire_reference.unwind_queue(call.exchange, call.account)}
