"""The JSON of the history lists, and the account log as CSV (api-facts 3C and 7.5).

Decimals are texts here, times are milliseconds, and what is missing is an empty text. Field names follow recordings
of the real exchange; the private executions have the shape of 2026, with one's own order only.
"""

from __future__ import annotations

import csv
import io
import uuid
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from kfut_analytics.contracts import notional, plain, to_decimal
from kfut_analytics.paper.engine.account import MAKER_FEE, TAKER_FEE, Account, Fill, LogRow
from kfut_analytics.paper.engine.orders import Order, Record
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.wire.history import Event, PositionUpdate, PublicOrder, PublicTrade, milliseconds

Json = dict[str, Any]

_ORDER_TYPES = {"lmt": "Limit", "post": "Post", "ioc": "IoC", "fok": "FoK", "liquidation": "Liquidation"}
_TRADE_TYPES = {
    "futures liquidation": "liquidation",
    "futures partial liquidation": "partialLiquidation",
    "futures assignor": "assignment",
    "futures assignee": "assignment",
}
_SIGNALS = {"mark": "MarkPrice", "last": "LastPrice", "index": "SpotPrice"}
_UNITS = {"PERCENT": "Percent", "QUOTE_CURRENCY": "QuoteCurrency"}
_CURRENCIES = {"xbt": "BTC"}
CSV_COLUMNS = (
    "uid",
    "dateTime",
    "account",
    "type",
    "symbol",
    "contract",
    "change",
    "new balance",
    "new average entry price",
    "trade price",
    "mark price",
    "funding rate",
    "realized pnl",
    "fee",
    "realized funding",
    "collateral",
    "conversion spread percentage",
    "liquidation fee",
    "position uid",
    "exchange rate",
    "exchange rate from",
    "conversion fee",
)


def execution(account: Account, event: Event[Fill]) -> Json:
    """A private execution; its order is shown as it was before."""
    fill = event.what
    order, rate = fill.order, MAKER_FEE if fill.liquidity == "maker" else TAKER_FEE
    # A taker that goes on has used up the level, a maker's order is the level.
    limit_filled = (order.remaining == fill.size) == (fill.liquidity == "maker")
    body = {
        "uid": fill.fill_id,
        "order": _order(account, order),
        "executionType": fill.liquidity,
        "timestamp": event.ms,
        "quantity": decimal(fill.size),
        "price": decimal(fill.price),
        "markPrice": decimal(fill.mark_price),
        "limitFilled": limit_filled,
        "usdValue": _usd(order.contract, fill.size, fill.price),
        "orderData": {
            "fee": decimal(fill.fee),
            "positionSize": decimal(fill.position_size),
            "feeCalculationInfo": [
                {
                    "percentageFee": decimal(rate * 100),
                    "userFeeDiscountApplied": None,
                    "marketShareRebateCredited": None,
                }
            ],
        },
    }
    payload = {"Execution": {"execution": body, "takerReducedQuantity": ""}}
    return _element(account, "execution", event.position, event.ms, payload)


def order_event(account: Account, event: Event[Record]) -> Json:
    """Something that happened to an order."""
    record = event.what
    order = _order(account, record.order)
    payload: Json
    match record.change:
        case "updated" | "edit rejected":
            assert record.old is not None
            old = _order(account, record.old)
            if record.change == "updated":
                kind = "OrderUpdated"
                payload = {"oldOrder": old, "newOrder": order, "reason": record.reason, "reducedQuantity": ""}
            else:
                kind = "OrderEditRejected"
                payload = {"oldOrder": old, "attemptedOrder": order, "orderError": record.error}
        case "rejected":
            kind, payload = "OrderRejected", {"order": order, "orderError": record.error, "reason": record.reason}
        case "cancelled":
            kind, payload = "OrderCancelled", {"order": order, "reason": record.reason}
        case _:
            kind, payload = "OrderPlaced", {"order": order, "reason": record.reason, "reducedQuantity": ""}
    payload |= {"algoId": "", "origin": "Unknown Origin"}
    return _element(account, "order", event.position, event.ms, {kind: payload})


def trigger_event(account: Account, event: Event[Record]) -> Json:
    """Something that happened to an order that waits for its trigger."""
    record = event.what
    order = _trigger(account, record.order)
    named = {"algoId": "", "origin": "Unknown Origin"}
    payload: Json
    match record.change:
        case "activated":
            kind, payload = "OrderTriggerActivated", {"order": order}
        case "updated":
            assert record.old is not None
            old = _trigger(account, record.old)
            kind = "OrderTriggerUpdated"
            payload = {"oldOrderTrigger": old, "newOrderTrigger": order, "reason": record.reason} | named
        case "edit rejected":
            assert record.old is not None
            kind = "OrderTriggerEditRejected"
            payload = {"attemptedOrderTrigger": order, "oldOrderTrigger": _trigger(account, record.old)}
            payload |= {"reason": record.reason, "orderError": record.error} | named
        case "cancelled":
            kind, payload = "OrderTriggerCancelled", {"order": order, "reason": record.reason} | named
        case _:
            kind, payload = "OrderTriggerPlaced", {"order": order, "reason": record.reason} | named
    return _element(account, "order", event.position, event.ms, {kind: payload})


def position_update(account: Account, event: Event[PositionUpdate]) -> Json:
    """A change of a position, or funding settled on it."""
    update, leg = event.what, event.what.leg
    fee, funding, pnl, currency = 0.0, 0.0, 0.0, "usd"
    if (cash := update.cash) is not None:
        # Here all that the trade cost is one figure.
        fee = (cash.fee or 0.0) + (cash.liquidation_fee or 0.0)
        funding, pnl, currency = cash.realized_funding or 0.0, cash.realized_pnl or 0.0, cash.asset
    body: Json = {
        "accountUid": account.uid,
        "tradeable": update.symbol,
        "oldPosition": decimal(update.old_size),
        "oldAverageEntryPrice": decimal(update.old_entry) if update.old_size else None,
        "newPosition": decimal(update.new_size),
        "newAverageEntryPrice": decimal(update.new_entry),
        "fillTime": milliseconds(update.opened),
        "realizedFunding": decimal(funding),
        "fee": decimal(fee),
        "feeCurrency": _CURRENCIES.get(currency, currency.upper()),
        "positionChange": update.change,
        "timestamp": event.ms,
        "updateReason": update.reason,
    }
    if leg is None:
        body["fundingRealizationTime"] = event.ms
    else:
        body |= {
            "realizedPnL": decimal(pnl),
            "executionUid": leg.execution,
            "executionPrice": decimal(leg.trade_price or 0.0),
            "executionSize": decimal(abs(update.new_size - update.old_size)),
            "tradeType": _TRADE_TYPES.get(leg.info, "userExecution"),
        }
        if update.reason == "settlement":
            body["settlementPrice"] = decimal(leg.trade_price or 0.0)
    return _element(account, "position", event.position, event.ms, {"PositionUpdate": body})


def account_log_csv(rows: Iterable[LogRow], *, conversion_details: bool) -> str:
    """The account log in the exchange's 22 columns; those of conversions are filled if asked for."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        writer.writerow(
            (
                row.booking_uid,
                datetime.fromtimestamp(row.date, tz=UTC).strftime("%Y-%m-%d %H:%M:%S"),
                row.margin_account,
                row.info,
                row.asset,
                row.contract,
                _csv_number(row.new_balance - row.old_balance),
                _csv_number(row.new_balance),
                _csv_number(row.new_average_entry_price),
                _csv_number(row.trade_price).removesuffix("."),
                _csv_number(row.mark_price),
                _csv_number(row.funding_rate),
                _csv_number(row.realized_pnl),
                _csv_number(row.fee),
                _csv_number(row.realized_funding),
                row.collateral,
                _csv_number(row.conversion_spread_percentage),
                _csv_number(row.liquidation_fee),
                row.position_uid,
                *(
                    (_csv_number(row.exchange_rate), row.exchange_rate_from, _csv_number(row.conversion_fee))
                    if conversion_details
                    else (None, None, None)
                ),
            )
        )
    return text.getvalue()


def _csv_number(value: float | None) -> str:
    if value is None:
        return ""
    text = decimal(value)
    # The exchange's exports write whole numbers with a bare point (``60505.``).
    return text if "." in text else text + "."


# Markets ---------------------------------------------------------------------------------------------------------


def public_execution(event: Event[PublicTrade]) -> Json:
    """A trade of a market."""
    trade = event.what
    body = {
        "uid": trade.uid,
        "makerOrder": _public_order(PublicOrder(trade, maker=True)),
        "takerOrder": _public_order(PublicOrder(trade, maker=False)),
        "timestamp": event.ms,
        "quantity": decimal(trade.size),
        "price": decimal(trade.price),
        "markPrice": decimal(trade.mark_price),
        "limitFilled": True,
        "usdValue": _usd(trade.contract, trade.size, trade.price),
    }
    payload = {"Execution": {"execution": body, "takerReducedQuantity": ""}}
    return {"uid": _derived(trade.uid, "event"), "timestamp": event.ms, "event": payload}


def public_order_event(event: Event[PublicOrder]) -> Json:
    """An order behind a public trade, when it was placed."""
    order = _public_order(event.what)
    payload = {"OrderPlaced": {"order": order, "reason": "new_user_order", "reducedQuantity": ""}}
    return {"uid": _derived(order["uid"], "event"), "timestamp": event.ms, "event": payload}


def mark_price(event: Event[float]) -> Json:
    """A change of the mark price; the exchange gives it no uid."""
    return {"uid": "", "timestamp": event.ms, "event": {"MarkPriceChanged": {"price": decimal(event.what)}}}


def _public_order(order: PublicOrder) -> Json:
    trade = order.trade
    placed = trade.ms - trade.waited_ms if order.maker else trade.ms
    return {
        "uid": _derived(trade.uid, "maker" if order.maker else "taker"),
        "tradeable": trade.contract.symbol,
        "direction": "Buy" if trade.taker_buys != order.maker else "Sell",
        "quantity": decimal(trade.size),
        "timestamp": placed,
        "limitPrice": decimal(trade.price),
        "orderType": "Post" if order.maker else "IoC",
        "reduceOnly": False,
        "lastUpdateTimestamp": placed,
    }


# Parts -----------------------------------------------------------------------------------------------------------


def _element(account: Account, kind: str, position: int, ms: int, event: Json) -> Json:
    return {"uid": _derived(account.uid, f"{kind} {position}"), "timestamp": ms, "event": event}


def _order(account: Account, order: Order) -> Json:
    return {
        "uid": order.order_id,
        "accountUid": account.uid,
        "tradeable": order.contract.symbol,
        "direction": "Buy" if order.side == "buy" else "Sell",
        # What is open, in the history: an order that was filled at once is shown with nothing.
        "quantity": decimal(order.remaining),
        "filled": decimal(order.filled),
        "timestamp": milliseconds(order.received),
        "limitPrice": "" if order.limit_price is None else decimal(order.limit_price),
        "orderType": _ORDER_TYPES.get(order.order_type, "Unknown"),
        "clientId": order.cli_ord_id or "",
        "reduceOnly": order.reduce_only,
        "lastUpdateTimestamp": milliseconds(order.updated),
        "spotData": None,
    }


def _trigger(account: Account, order: Order) -> Json:
    body = _order(account, order)
    del body["filled"], body["spotData"]
    assert order.stop_price is not None
    options: Json = {
        "triggerPrice": decimal(order.stop_price),
        "triggerSignal": _SIGNALS[order.trigger_signal],
        "triggerSide": "Above" if order.triggers_above else "Below",
    }
    if order.trailing is not None:
        deviation, unit = plain(order.trailing.deviation), _UNITS[order.trailing.unit]
        options["trailingStopOptions"] = {"maxDeviation": deviation, "unit": unit}
    return body | {
        "accountId": zlib.crc32(account.uid.encode()),
        "orderType": "IoC" if order.limit_price is None else "Limit",
        "triggerOptions": options,
    }


def _usd(contract: Contract, size: float, price: float) -> str:
    return f"{float(notional(size, price, inverse=contract.inverse)):.2f}"


def _derived(parent: str, name: str) -> str:
    """An id that is the same whenever it is asked for."""
    return str(uuid.uuid5(uuid.UUID(parent), name))


def decimal(value: float) -> str:
    """A number as plain text, with the digits that are not noise: some coins cost millionths of a dollar."""
    return plain(to_decimal(round(float(f"{value:.15g}"), 15)))
