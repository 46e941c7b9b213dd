"""Realised P&L of fills by nautilus_trader's `Position`; run in an environment of its own, which has other pandas.

Reads JSON from standard input: a list of cases, each with ``inverse`` and ``fills`` (signed size, price). Writes for
each case the P&L that every fill realised. A fill that turns the position is given in two, as an exchange books it.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal

from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.currencies import BTC, USD, USDT
from nautilus_trader.model.enums import LiquiditySide, OrderSide, OrderType
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    PositionId,
    StrategyId,
    Symbol,
    TradeId,
    TraderId,
    Venue,
    VenueOrderId,
)
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import FIXED_PRECISION, Money, Price, Quantity
from nautilus_trader.model.position import Position

SIZE_DIGITS = 4


def contract(inverse: bool) -> CryptoPerpetual:
    step = Quantity(10.0**-SIZE_DIGITS, SIZE_DIGITS)
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol("TEST"), Venue("TEST")),
        raw_symbol=Symbol("TEST"),
        base_currency=BTC,
        quote_currency=USD if inverse else USDT,
        settlement_currency=BTC if inverse else USDT,
        is_inverse=inverse,
        price_precision=FIXED_PRECISION,
        size_precision=SIZE_DIGITS,
        price_increment=Price(10.0**-FIXED_PRECISION, FIXED_PRECISION),
        size_increment=step,
        ts_event=0,
        ts_init=0,
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        margin_init=Decimal(0),
        margin_maint=Decimal(0),
    )


def filled(instrument: CryptoPerpetual, number: int, size: float, price: float) -> OrderFilled:
    return OrderFilled(
        trader_id=TraderId("TESTER-000"),
        strategy_id=StrategyId("S-001"),
        instrument_id=instrument.id,
        client_order_id=ClientOrderId(f"O-{number}"),
        venue_order_id=VenueOrderId(f"V-{number}"),
        account_id=AccountId("TEST-000"),
        trade_id=TradeId(f"T-{number}"),
        order_side=OrderSide.BUY if size > 0 else OrderSide.SELL,
        order_type=OrderType.MARKET,
        last_qty=Quantity(abs(size), SIZE_DIGITS),
        last_px=Price(price, FIXED_PRECISION),
        currency=instrument.quote_currency,
        commission=Money(0, instrument.settlement_currency),
        liquidity_side=LiquiditySide.TAKER,
        event_id=UUID4(),
        ts_event=number,
        ts_init=number,
        position_id=PositionId("P-1"),
    )


def realized(inverse: bool, fills: list[tuple[float, float]]) -> list[float]:
    instrument = contract(inverse)
    position: Position | None = None
    numbers, results = 0, []
    for size, price in fills:
        held = position.signed_qty if position is not None and position.is_open else 0.0
        parts = [size]
        if held * size < 0 and abs(size) > abs(held):
            parts = [-held, round(size + held, SIZE_DIGITS)]
        booked = 0.0
        for part in parts:
            numbers += 1
            event = filled(instrument, numbers, part, price)
            if position is None or position.is_closed:
                position = Position(instrument, event)
            else:
                before = float(position.realized_pnl)
                position.apply(event)
                booked += float(position.realized_pnl) - before
        results.append(booked)
    return results


if __name__ == "__main__":
    cases = json.load(sys.stdin)
    json.dump([realized(case["inverse"], case["fills"]) for case in cases], sys.stdout)
