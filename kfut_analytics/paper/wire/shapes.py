"""The exchange's JSON: every object of the engine in the shape that travels (api-facts 3 and 7).

Field names, their order, and which of them may be missing follow recordings of the real exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from kfut_analytics.contracts import plain, to_decimal
from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.engine.account import Account, Fill, LogRow
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.margin import (
    COLLATERAL,
    FlexState,
    SingleState,
    accrued_funding,
    unrealized_pnl,
)
from kfut_analytics.paper.market.instruments import Asset, Contract
from kfut_analytics.paper.market.protocol import Candles, TickType, Trades
from kfut_analytics.paper.wire import public

Json = dict[str, Any]

_CONVERSION_FIELDS = ("exchange_rate", "exchange_rate_from", "conversion_fee")
_LOG_FIELDS = [column.name for column in fields(LogRow) if column.name not in _CONVERSION_FIELDS]
FEE_SCHEDULES = {False: "5c3b0f56-36a5-4b39-9a41-6d2f6a6d0f01", True: "5c3b0f56-36a5-4b39-9a41-6d2f6a6d0f02"}
"""Uid of the fee schedule of linear and of inverse contracts."""


def contract_type(contract: Contract) -> str:
    """The exchange's word for a kind of contract."""
    return "futures_inverse" if contract.inverse else "flexible_futures"


def instrument(exchange: Exchange, contract: Contract) -> Json:
    """A row of ``/instruments``."""
    unit = "contracts" if contract.inverse else "numNonContractUnits"
    row: Json = {
        "symbol": contract.symbol,
        "type": contract_type(contract),
    }
    if contract.inverse:
        row["underlying"] = f"rr_{contract.asset.code.lower()}usd"
    if contract.expiry is not None:
        row["lastTradingTime"] = iso(contract.expiry, ms=False)
    row |= {
        "tickSize": float(contract.tick),
        "contractSize": 1,
        "tradeable": True,
        "impactMidSize": contract.impact_mid_size,
        "maxPositionSize": contract.max_position,
        "openingDate": iso(contract.opening, ms=False),
        "marginLevels": [
            {
                unit: int(tier.threshold) if contract.inverse else float(tier.threshold),
                "initialMargin": tier.initial_margin,
                "maintenanceMargin": tier.maintenance_margin,
            }
            for tier in contract.tiers
        ],
    }
    if contract.expiry is None:
        row["fundingRateCoefficient"] = contract.funding_coefficient
        row["maxRelativeFundingRate"] = contract.max_funding_rate
    return row | {
        "contractValueTradePrecision": contract.precision,
        "postOnly": exchange.state(contract).post_only,
        "feeScheduleUid": FEE_SCHEDULES[contract.inverse],
        "mtf": False,
        "base": contract.asset.base,
        "quote": "USD",
        "pair": f"{contract.asset.base}:USD",
        "category": contract.asset.category,
        "tags": [],
        "tradfi": contract.asset.tradfi,
        "isExpired": exchange.is_expired(contract),
    }


def ticker(exchange: Exchange, contract: Contract) -> Json:
    """A contract's row of ``/tickers``."""
    now, state = exchange.now, exchange.state(contract)
    day, last = public.day(exchange, contract), exchange.last(contract)
    row: Json = {"symbol": contract.symbol}
    if day.last_time is not None:
        row |= {"last": last, "lastTime": iso(day.last_time), "lastSize": day.last_size}
    row |= {
        "tag": contract.tag(now),
        "pair": f"{contract.asset.base}:USD",
        "markPrice": exchange.prices.mark(contract),
    }
    book = exchange.book(contract, closely=False)
    if bids := book.bids:
        row["bid"], row["bidSize"] = bids[0]
    if asks := book.asks:
        row["ask"], row["askSize"] = asks[0]
    row |= {"vol24h": day.volume, "volumeQuote": day.quote_volume, "openInterest": day.open_interest}
    figures = {"open24h": day.open, "high24h": day.high, "low24h": day.low}
    row |= {name: price for name, price in figures.items() if price is not None}
    if contract.expiry is None:
        row["fundingRate"] = exchange.prices.funding(contract)
        row["fundingRatePrediction"] = exchange.market.predicted_funding(contract, now)
    return row | {
        "suspended": state.suspended,
        "indexPrice": _index_price(exchange, contract.asset),
        "postOnly": state.post_only,
        "change24h": round(100 * (last / (day.open or last) - 1), 2),
    }


def index_tickers(exchange: Exchange, asset: Asset) -> list[Json]:
    """An asset's index rows of ``/tickers``: real-time index and reference rate."""
    price = _index_price(exchange, asset)
    time = iso(exchange.now)
    return [{"symbol": f"{kind}_{asset.code.lower()}usd", "last": price, "lastTime": time} for kind in ("in", "rr")]


def _index_price(exchange: Exchange, asset: Asset) -> float:
    return float(f"{exchange.prices.index(asset):.10g}")


def order_book(exchange: Exchange, contract: Contract) -> Json:
    """``orderBook``: sizes by price, best first."""
    book = exchange.book(contract)
    return {"bids": [list(level) for level in book.bids], "asks": [list(level) for level in book.asks]}


def accounts(exchange: Exchange, account: Account) -> Json:
    """``accounts``: cash, the single-collateral wallets and the multi-collateral one."""
    cash = {currency: amount for (wallet, currency), amount in account.balances.items() if wallet == "cash"}
    return {
        "cash": {"type": "cashAccount", "balances": {currency: _decimal(amount) for currency, amount in cash.items()}},
        **{wallet: _single(account, wallet, exchange.single(account, wallet)) for wallet in exchange.single_wallets},
        "flex": _flex(exchange.flex(account)),
    }


def _single(account: Account, wallet: str, state: SingleState) -> Json:
    positions = [p for p in account.positions.values() if p.contract.wallet == wallet]
    required = state.required
    return {
        "type": "marginAccount",
        "currency": state.currency,
        "balances": {state.currency: _decimal(state.balance)}
        | {p.contract.symbol.lower(): _decimal(p.size) for p in positions},
        "auxiliary": {
            "usd": 0,
            "pv": state.portfolio_value,
            "pnl": required.pnl,
            "af": state.available,
            "funding": required.funding,
        },
        "marginRequirements": {
            "im": required.initial,
            "mm": required.maintenance,
            "lt": required.maintenance,
            "tt": 0.0,
        },
        "triggerEstimates": state.triggers,
    }


def _flex(state: FlexState) -> Json:
    return {
        "type": "multiCollateralMarginAccount",
        "currencies": {
            COLLATERAL[currency].code: asdict(holding) | {"excludedCollateral": 0}
            for currency, holding in state.holdings.items()
        },
        "excludedCollateralValue": 0,
        **_flex_totals(state),
    }


def _flex_totals(state: FlexState) -> Json:
    required = state.required
    return {
        "initialMargin": required.initial,
        "initialMarginWithOrders": required.initial_with_orders,
        "maintenanceMargin": required.maintenance,
        "balanceValue": state.balance_value,
        "portfolioValue": state.portfolio_value,
        "collateralValue": state.collateral_value,
        "pnl": required.pnl,
        "unrealizedFunding": required.funding,
        "totalUnrealized": required.pnl + required.funding,
        "totalUnrealizedAsMargin": required.pnl + required.funding,
        "marginEquity": state.margin_equity,
        "availableMargin": state.available,
    }


def subaccount(exchange: Exchange, account: Account) -> Json:
    """A row of ``subaccounts``; its currencies are a list, unlike those of ``accounts``."""
    state = exchange.flex(account)
    return {
        "accountUid": account.uid,
        "email": f"{account.name}@paper.example",
        "fullName": account.name,
        "holdingAccounts": [
            {"currency": currency, "amount": amount}
            for (wallet, currency), amount in account.balances.items()
            if wallet == "cash"
        ],
        "futuresAccounts": [
            {"name": f"f-{currency}:usd", "availableMargin": exchange.single(account, wallet).available}
            for wallet, currency in exchange.single_wallets.items()
        ],
        "flexAccount": {
            "currencies": [{"currency": currency, **asdict(holding)} for currency, holding in state.holdings.items()],
            **_flex_totals(state),
        },
    }


def open_positions(exchange: Exchange, account: Account) -> list[Json]:
    """``openPositions``; those with isolated margin name their leverage."""
    chosen = account.preferences
    return [
        {
            "side": "long" if position.size > 0 else "short",
            "symbol": position.contract.symbol,
            "price": position.entry_price,
            "fillTime": iso(position.fill_time),
            "size": abs(position.size),
            "unrealizedPnl": unrealized_pnl(position, exchange.prices),
            "unrealizedFunding": accrued_funding(account, position, exchange.prices),
            "pnlCurrency": chosen.pnl_currency.get(
                position.contract.symbol, position.contract.asset.base if position.contract.inverse else "USD"
            ),
        }
        | (
            {"maxFixedLeverage": chosen.leverage[position.contract.symbol]}
            if position.contract.symbol in chosen.leverage
            else {}
        )
        for position in account.positions.values()
    ]


def fill(item: Fill, *, with_pnl: bool = True) -> Json:
    """A row of ``fills``; the exchange leaves the P&L out of pages asked for by ``lastFillTime``."""
    row: Json = {
        "fill_id": item.fill_id,
        "symbol": item.symbol,
        "side": item.side,
        "order_id": item.order_id,
        "size": item.size,
        "price": item.price,
        "fillTime": iso(item.time),
        "fillType": item.liquidity,
    }
    if item.cli_ord_id is not None:
        row["cliOrdId"] = item.cli_ord_id
    return row | {"realized_pnl": item.realized_pnl if with_pnl else None, "sequence_id": str(item.sequence)}


def log_row(row: LogRow, *, conversion_details: bool) -> Json:
    """A row of the account log: all keys always, missing values null; the details only where there is a conversion."""
    payload = {name: getattr(row, name) for name in _LOG_FIELDS} | {"date": iso(row.date)}
    if conversion_details:
        payload |= {name: getattr(row, name) for name in _CONVERSION_FIELDS if getattr(row, name) is not None}
    return payload


def trades(table: Trades, kinds: Mapping[str, str]) -> list[Json]:
    """Public trades, newest first; ``kinds`` names those that are no ordinary fills."""
    rows = [
        {
            "uid": uid,
            "trade_id": int(number),
            "time": iso(time),
            "price": float(price),
            "size": float(size),
            "side": "buy" if bought else "sell",
            "type": kinds.get(uid, "fill"),
        }
        for uid, number, time, price, size, bought in zip(*table, strict=True)
    ]
    return rows[::-1]


def candles(table: Candles, tick_type: TickType) -> list[Json]:
    """``candles``: times in milliseconds, prices and volume as text."""
    prices = [decimals(column) for column in (table.open, table.high, table.low, table.close)]
    volumes = [_decimal(value) if tick_type == "trade" else "0" for value in table.volume]
    return [
        {"time": int(time * 1000), "open": o, "high": h, "low": low, "close": c, "volume": volume}
        for time, o, h, low, c, volume in zip(table.time, *prices, volumes, strict=True)
    ]


def decimals(values: Iterable[float]) -> list[str]:
    """Numbers as texts."""
    return [_decimal(float(value)) for value in values]


def _decimal(value: float) -> str:
    # Digits rather than decimals: some coins cost millionths of a dollar.
    return plain(to_decimal(round(float(f"{value:.15g}"), 15)))
