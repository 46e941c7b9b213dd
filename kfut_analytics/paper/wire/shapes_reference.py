"""The JSON of what the exchange tells about itself: market states, fees, notices, and rankings (api-facts 3A, 3B)."""

from __future__ import annotations

import math
from typing import Any

from kfut_analytics.contracts import notional
from kfut_analytics.paper.clock import DAY, iso
from kfut_analytics.paper.engine.account import MAKER_FEE, TAKER_FEE, Account, Position
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.margin import unrealized_pnl
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.wire import shapes as wire

Json = dict[str, Any]

_SCHEDULE_NAMES = {False: "Linear Multi-Collateral Fees", True: "Inverse Single-Collateral Fees"}
_VOLUME_DAYS = 30
# Open P&L relative to the position's value from which a position is in a percentile of the unwind queue.
_PERCENTILES = ((0.05, 100), (0.01, 80), (0.0, 40))
_LAST_PERCENTILE = 20


def instrument_status(exchange: Exchange, contract: Contract) -> Json:
    """A market's state."""
    state = exchange.state(contract)
    return {
        "tradeable": contract.symbol,
        "experiencingDislocation": state.dislocated is not None,
        "priceDislocationDirection": state.dislocated,
        "experiencingExtremeVolatility": state.volatile,
        "extremeVolatilityInitialMarginMultiplier": state.margin_multiplier,
    }


def trading_instrument(exchange: Exchange, contract: Contract) -> Json:
    """An instrument as this account may trade it."""
    return wire.instrument(exchange, contract) | {
        "minimumTradeSize": float(contract.step),
        "restricted": False,
        "rebateLevels": [],
    }


def fee_schedules() -> list[Json]:
    """``feeSchedules``, in percent: the fees that this exchange charges whatever the volume."""
    tier = {"makerFee": MAKER_FEE * 100, "takerFee": TAKER_FEE * 100, "usdVolume": 0.0}
    return [
        {"uid": uid, "name": _SCHEDULE_NAMES[inverse], "tiers": [tier]} for inverse, uid in wire.FEE_SCHEDULES.items()
    ]


def fee_volumes(exchange: Exchange, account: Account) -> dict[str, float]:
    """USD traded in the last 30 days per fee schedule."""
    volumes = dict.fromkeys(wire.FEE_SCHEDULES.values(), 0.0)
    for fill in reversed(account.fills):
        if fill.time < exchange.now - _VOLUME_DAYS * DAY:
            break
        inverse = fill.order.contract.inverse
        volumes[wire.FEE_SCHEDULES[inverse]] += float(notional(fill.size, fill.price, inverse=inverse))
    return {uid: round(volume, 2) for uid, volume in volumes.items()}


def notifications(exchange: Exchange) -> list[Json]:
    """When the exchange is down, why markets are suspended, and when the dated contracts expire."""
    downtimes = [
        {
            "type": "maintenance",
            "priority": "high",
            "note": "The exchange is unavailable while it is being maintained.",
            "effectiveTime": iso(downtime.start, ms=False),
            "expectedDowntimeMinutes": math.ceil((downtime.end - downtime.start) / 60),
        }
        for downtime in exchange.downtimes
        if downtime.end > exchange.now
    ]
    reasons: set[str] = set()
    expiries: dict[float, list[str]] = {}
    for contract in exchange.contracts.values():
        if not exchange.is_expired(contract):
            reasons.add(exchange.state(contract).reason)
            if contract.expiry is not None:
                expiries.setdefault(contract.expiry, []).append(contract.symbol)
    troubles = [
        {"type": "market", "priority": "high", "note": reason, "effectiveTime": iso(exchange.now, ms=False)}
        for reason in sorted(reasons - {""})
    ]
    settlements = [
        {
            "type": "settlement",
            "priority": "medium",
            "note": f"{' and '.join(symbols)} will expire and be settled at the index price.",
            "effectiveTime": iso(expiry, ms=False),
        }
        for expiry, symbols in sorted(expiries.items())
    ]
    return downtimes + troubles + settlements


def unwind_queue(exchange: Exchange, account: Account) -> list[Json]:
    """How soon each position would be taken to close a bankrupt one: the more profitable, the sooner."""
    return [
        {"symbol": position.contract.symbol, "percentile": _percentile(exchange, position)}
        for position in account.positions.values()
    ]


def _percentile(exchange: Exchange, position: Position) -> int:
    contract, mark = position.contract, exchange.prices.mark(position.contract)
    value = abs(float(notional(position.size, mark, inverse=contract.inverse)))
    profit = unrealized_pnl(position, exchange.prices) * (mark if contract.inverse else 1.0)
    return next((percentile for least, percentile in _PERCENTILES if profit > least * value), _LAST_PERCENTILE)
