"""Made-up answers of the exchange in bulk, in the shapes of api-facts 3 and 7, from a fixed seed."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SYMBOLS = ("PF_XBTUSD", "PF_ETHUSD", "PF_SOLUSD", "PF_DOGEUSD", "PI_XBTUSD", "PF_XRPUSD", "PF_LTCUSD", "PF_ADAUSD")
START_MS = 1_750_000_000_000

Row = dict[str, Any]


def _uid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def execution(number: int, chance: random.Random) -> Row:
    """An element of the executions list: one's own order, fee and position."""
    time = START_MS + number * 997
    price = round(chance.uniform(20_000, 90_000), 1)
    size = f"{chance.randint(1, 5000) / 1e4:.4f}"
    order = {
        "uid": _uid(chance),
        "accountUid": "406142dd-7c5c-4a8b-acbc-5f16eca30009",  # kfut scan: public
        "tradeable": chance.choice(SYMBOLS),
        "direction": chance.choice(("Buy", "Sell")),
        "quantity": size,
        "filled": size,
        "timestamp": time - 12,
        "limitPrice": str(price),
        "orderType": chance.choice(("Limit", "IoC", "Post")),
        "clientId": "" if number % 3 else _uid(chance),
        "reduceOnly": number % 7 == 0,
        "lastUpdateTimestamp": time,
    }
    return {
        "uid": _uid(chance),
        "timestamp": time,
        "event": {
            "Execution": {
                "execution": {
                    "uid": _uid(chance),
                    "order": order,
                    "executionType": chance.choice(("maker", "taker")),
                    "timestamp": time,
                    "quantity": size,
                    "price": str(price),
                    "markPrice": str(price + 1.23456789),
                    "limitFilled": number % 2 == 0,
                    "usdValue": f"{price * float(size):.2f}",
                    "orderData": {
                        "fee": f"{price * float(size) * 5e-4:.10f}",
                        "positionSize": f"{chance.randint(-9999, 9999) / 1e3:.4f}",
                        "feeCalculationInfo": [{"percentageFee": "0.05", "userFeeDiscountApplied": "0"}],
                    },
                },
                "takerReducedQuantity": "",
            }
        },
    }


def log_entry(number: int, chance: random.Random) -> Row:
    """An entry of the account log: four trade legs, then a funding entry."""
    time = datetime.fromtimestamp((START_MS + number * 997) / 1000, UTC)
    trade = bool(number % 5)
    symbol = chance.choice(SYMBOLS).lower()
    balance = chance.uniform(0, 1e5)
    price = round(chance.uniform(20_000, 90_000), 1)
    return {
        "id": number + 1,
        "date": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "asset": "usd" if number % 2 else symbol,
        "info": "futures trade" if trade else "funding rate change",
        "booking_uid": _uid(chance),
        "margin_account": "flex",
        "old_balance": balance,
        "new_balance": balance + 1.5,
        "old_average_entry_price": price - 10 if trade else None,
        "new_average_entry_price": price if trade else None,
        "trade_price": price if trade else None,
        "mark_price": price + 0.123456789 if trade else None,
        "realized_pnl": chance.uniform(-50, 50) if trade else None,
        "fee": price * 5e-4 if trade else None,
        "execution": _uid(chance) if trade else None,
        "collateral": "usd" if trade else None,
        "funding_rate": None if trade else chance.uniform(-1e-4, 1e-4),
        "realized_funding": None if trade else chance.uniform(-1, 1),
        "contract": symbol,
        "conversion_spread_percentage": None,
        "liquidation_fee": None,
        "position_uid": _uid(chance) if trade else None,
    }


def candle(number: int, chance: random.Random) -> Row:
    """A candle."""
    low = round(chance.uniform(20_000, 90_000), 1)
    names = ("open", "high", "low", "close")
    return {"time": START_MS // 60_000 * 60_000 + number * 60_000, "volume": f"{chance.uniform(0, 99):.4f}"} | {
        name: f"{low + step:.11f}" for step, name in enumerate(names)
    }


def instrument(number: int, chance: random.Random) -> Row:
    """A contract with twelve professional and twelve retail tiers, and both again under a platform."""
    tiers = [
        {"numNonContractUnits": 250_000.0 * step, "initialMargin": 0.01 * (step + 1), "maintenanceMargin": 0.005}
        for step in range(12)
    ]
    return {
        "symbol": f"PF_X{number:03}USD",
        "type": "flexible_futures",
        "tradeable": True,
        "base": f"X{number:03}",
        "quote": "USD",
        "pair": f"X{number:03}:USD",
        "tickSize": 0.1,
        "contractSize": 1,
        "impactMidSize": 0.08,
        "maxPositionSize": 1200.0,
        "openingDate": "2022-03-22T13:15:36Z",
        "marginLevels": tiers,
        "retailMarginLevels": tiers,
        "marginSchedules": {"PLATFORM": {"professional": tiers, "retail": tiers}},
        "fundingRateCoefficient": 8,
        "maxRelativeFundingRate": 0.001,
        "contractValueTradePrecision": chance.randint(-3, 5),
        "postOnly": False,
        "feeScheduleUid": _uid(chance),
        "mtf": True,
        "category": "Layer 1",
        "tradfi": False,
        "isExpired": False,
        "makerProtectionMillis": 20,
    }


def pages(make: Callable[[int, random.Random], Row], rows: int, per_page: int, container: str) -> Iterator[bytes]:
    """Answers with so many rows each, as text without spaces."""
    chance = random.Random(7)
    for first in range(0, rows, per_page):
        part = [make(number, chance) for number in range(first, min(first + per_page, rows))]
        body: Row = {container: part, "len": len(part)}
        if container == "elements" and first + per_page < rows:
            body["continuationToken"] = f"token-{first + per_page}"
        if container == "candles":
            body["more_candles"] = False
        yield json.dumps(body, separators=(",", ":")).encode()


def write(folder: Path, name: str, bodies: Iterator[bytes]) -> Path:
    """Write answers as files, one per page."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(bodies):
        (place / f"{number:06}.json").write_bytes(body)
    return place
