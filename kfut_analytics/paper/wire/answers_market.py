"""Answers of the public operations: instruments, prices, books, trades, funding and candles."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

import numpy as np
from starlette.responses import Response

from kfut_analytics.paper.clock import HOUR, YEAR, iso
from kfut_analytics.paper.engine.exchange import UnknownSymbolError
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.market.protocol import RESOLUTIONS
from kfut_analytics.paper.wire import public
from kfut_analytics.paper.wire import shapes as wire
from kfut_analytics.paper.wire import shapes_reference as wire_reference
from kfut_analytics.paper.wire.analytics import KINDS, Buckets
from kfut_analytics.paper.wire.call import Call, Json, NotFoundError, json_response
from kfut_analytics.paper.wire.params import BadArgumentError, BadRequestError, MissingArgumentError
from kfut_analytics.paper.wire.refusals import charts_error

TRADES_PER_PAGE = 100
CANDLES_LIMIT = ANALYTICS_LIMIT = 2000
# The specification speaks of the whole history; clients of the exchange have seen a year of it.
FUNDING_HISTORY = YEAR
TICK_TYPES = ("spot", "mark", "trade")
CONTRACT_TYPES = ("futures_inverse", "futures_vanilla", "flexible_futures", "options", "all")


def tick_types(call: Call) -> list[str]:
    """GET /api/charts/v1/."""
    return list(TICK_TYPES)


def instruments(call: Call) -> Json:
    """GET /instruments."""
    contracts = _listed(call, expired=bool(call.params.flag("expired")))
    return {"instruments": [wire.instrument(call.exchange, contract) for contract in contracts]}


def tickers(call: Call) -> Json:
    """GET /tickers."""
    wanted = {symbol.upper() for symbol in call.params.all("symbol")}
    contracts = [contract for contract in _listed(call) if not wanted or contract.symbol in wanted]
    rows = [wire.ticker(call.exchange, contract) for contract in contracts]
    assets = {contract.asset.code: contract.asset for contract in call.exchange.contracts.values()}
    indices = [row for asset in assets.values() for row in wire.index_tickers(call.exchange, asset)]
    return {"tickers": rows + [row for row in indices if not wanted or row["symbol"].upper() in wanted]}


def _listed(call: Call, *, expired: bool = False) -> list[Contract]:
    """The contracts of the types asked for, those that have expired only on demand."""
    kinds = call.params.all("contractType")
    if not set(kinds) <= set(CONTRACT_TYPES):
        raise BadArgumentError("Argument invalid: contractType")
    return [
        contract
        for contract in call.exchange.contracts.values()
        if (not kinds or "all" in kinds or wire.contract_type(contract) in kinds)
        and (expired or not call.exchange.is_expired(contract))
    ]


def ticker(call: Call) -> Json:
    """GET /tickers/{symbol}."""
    try:
        contract = call.exchange.contract(call.request.path_params["symbol"])
    except UnknownSymbolError:
        raise NotFoundError from None
    return {"ticker": wire.ticker(call.exchange, contract)}


def orderbook(call: Call) -> Json:
    """GET /orderbook."""
    return {"orderBook": wire.order_book(call.exchange, call.exchange.contract(call.params.require("symbol")))}


def history(call: Call) -> Json:
    """GET /history: the public trades before ``lastTime``, newest first."""
    contract = call.exchange.contract(call.params.require("symbol"))
    before = call.params.timestamp("lastTime")
    last = call.exchange.now if before is None else min(before, call.exchange.now)
    market = call.exchange.past
    table = public.trades(call.exchange, contract, market.begin, last, TRADES_PER_PAGE)
    return {"history": wire.trades(table, public.kinds(call.exchange, contract))}


def funding_rates(call: Call) -> Json:
    """GET /historical-funding-rates: those of a year, oldest first, up to the period that has begun."""
    symbol = call.params.get("symbol")
    if symbol is None:
        raise BadRequestError
    contract = call.exchange.contract(symbol)
    if contract.expiry is not None:
        raise BadArgumentError("Argument invalid: symbol")
    market, now = call.exchange.past, call.exchange.now
    hours = np.arange(max(market.begin, contract.opening, now - FUNDING_HISTORY) // HOUR + 1, now // HOUR + 1) * HOUR
    columns = hours, market.funding(contract, hours), market.relative_funding(contract, hours)
    return {
        "rates": [
            {"timestamp": iso(hour), "fundingRate": absolute, "relativeFundingRate": relative}
            for hour, absolute, relative in zip(*(column.tolist() for column in columns), strict=True)
        ]
    }


def chart_symbols(call: Call) -> list[str]:
    """GET /api/charts/v1/{tick_type}."""
    if call.request.path_params["tick_type"] not in TICK_TYPES:
        raise NotFoundError
    return list(call.exchange.contracts)


def chart_resolutions(call: Call) -> list[str]:
    """GET /api/charts/v1/{tick_type}/{symbol}."""
    if call.request.path_params["symbol"].upper() not in chart_symbols(call):
        raise NotFoundError
    return list(RESOLUTIONS)


def candles(call: Call) -> Json:
    """GET /api/charts/v1/{tick_type}/{symbol}/{resolution}; ``from`` and ``to`` in seconds."""
    path = call.request.path_params
    if path["resolution"] not in chart_resolutions(call):
        raise NotFoundError
    seconds, contract = RESOLUTIONS[path["resolution"]], call.exchange.contract(path["symbol"])
    now = call.exchange.now
    count = call.params.count(CANDLES_LIMIT, CANDLES_LIMIT, least=0)
    start, end = call.params.number("from"), call.params.number("to")
    last = min(now, now if end is None else float(end))
    oldest = math.ceil(call.exchange.past.begin / seconds) * seconds
    if start is None:
        # The newest ones; what is more is older.
        begin = max((last // seconds - count + 1) * seconds, oldest)
        more = begin > oldest
    else:
        begin = max(math.ceil(min(float(start), now + seconds) / seconds) * seconds, oldest)
        more = begin + count * seconds <= last
    stop = min(last, begin + (count - 1) * seconds)
    table = public.candles(call.exchange, path["tick_type"], contract, seconds, begin, stop)
    return {"candles": wire.candles(table, path["tick_type"]), "more_candles": more}


def instruments_status(call: Call) -> Json:
    """GET /instruments/status."""
    listed = _listed(call)
    return {"instrumentStatus": [wire_reference.instrument_status(call.exchange, contract) for contract in listed]}


def instrument_status(call: Call) -> Json:
    """GET /instruments/{symbol}/status."""
    try:
        contract = call.exchange.contract(call.request.path_params["symbol"])
    except UnknownSymbolError:
        raise NotFoundError from None
    return wire_reference.instrument_status(call.exchange, contract)


def feeschedules(call: Call) -> Json:
    """GET /feeschedules."""
    return {"feeSchedules": wire_reference.fee_schedules()}


def analytics(call: Call) -> Response:
    """GET /api/charts/v1/analytics/{symbol}/{analytics_type}: times in seconds, and errors of its own shape."""
    path, params, market, now = call.request.path_params, call.params, call.exchange.past, call.exchange.now
    kind = path["analytics_type"]
    try:
        contract = call.exchange.contract(path["symbol"])
    except UnknownSymbolError:
        return charts_error(HTTPStatus.NOT_FOUND, "no such market", "symbol", path["symbol"])
    if kind not in KINDS or (kind == "funding" and contract.expiry is not None):
        return charts_error(HTTPStatus.NOT_FOUND, "no such analytics", "analytics_type", kind)
    since, interval, end = params.integer("since"), params.integer("interval"), params.integer("to")
    if since is None:
        raise MissingArgumentError("since")
    if interval is None:
        raise MissingArgumentError("interval")
    if interval not in RESOLUTIONS.values():
        raise BadArgumentError("Argument invalid: interval")
    first = math.ceil(max(since, market.begin, contract.opening) / interval)
    last = math.floor(min(now, now if end is None else end, contract.expiry or now) / interval)
    places = range(first, last + 1)
    times = interval * np.asarray(places[:ANALYTICS_LIMIT], dtype=np.float64)
    data: Any = _texts(KINDS[kind](Buckets(call.exchange, contract, times, interval))) if len(times) else []
    result = {"timestamp": [int(time) for time in times], "more": len(places) > ANALYTICS_LIMIT, "data": data}
    return json_response({"result": result, "errors": []})


def _texts(data: Any) -> Any:
    """Series as they travel: decimals as texts; candles, counts and what is missing as they are."""
    if isinstance(data, dict):
        return {name: _texts(part) for name, part in data.items()}
    if isinstance(data, np.ndarray):
        return wire.decimals(data)
    return [wire.decimals([value])[0] if isinstance(value, float) else value for value in data]
