"""Answers of the public operations: instruments, prices, books, trades, funding and candles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from starlette.responses import Response

from kfut_analytics.paper import wire, wire_reference
from kfut_analytics.paper.call import Call, Json, NotFoundError, json_response
from kfut_analytics.paper.clock import DAY, HOUR, iso
from kfut_analytics.paper.exchange import UnknownSymbolError
from kfut_analytics.paper.market import RESOLUTIONS
from kfut_analytics.paper.params import BadArgumentError

TRADES_PER_PAGE = 100
CANDLES_LIMIT = ANALYTICS_LIMIT = 2000
ANALYTICS_TYPES = ("open-interest", "future-basis")
TICK_TYPES = ("spot", "mark", "trade")


def tick_types(call: Call) -> list[str]:
    """GET /api/charts/v1/."""
    return list(TICK_TYPES)


def instruments(call: Call) -> Json:
    """GET /instruments."""
    wanted = call.params.all("contractType")
    rows = [wire.instrument(call.exchange, contract) for contract in call.exchange.contracts.values()]
    return {"instruments": [row for row in rows if not wanted or row["type"] in wanted or "all" in wanted]}


def tickers(call: Call) -> Json:
    """GET /tickers."""
    wanted = {symbol.upper() for symbol in call.params.all("symbol")}
    rows = [
        wire.ticker(call.exchange, contract)
        for contract in call.exchange.contracts.values()
        if (not wanted or contract.symbol in wanted) and not call.exchange.is_expired(contract)
    ]
    assets = {contract.asset.code: contract.asset for contract in call.exchange.contracts.values()}
    indices = [row for asset in assets.values() for row in wire.index_tickers(call.exchange, asset)]
    return {"tickers": rows + [row for row in indices if not wanted or row["symbol"].upper() in wanted]}


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
    market = call.exchange.market
    return {"history": wire.trades(market.trades(contract, market.begin, last, TRADES_PER_PAGE))}


def funding_rates(call: Call) -> Json:
    """GET /historical-funding-rates, oldest first, up to the period that has begun."""
    contract = call.exchange.contract(call.params.require("symbol"))
    if contract.expiry is not None:
        raise BadArgumentError("Argument invalid: symbol")
    market = call.exchange.market
    hours = np.arange(max(market.begin, contract.opening) // HOUR + 1, call.exchange.now // HOUR + 1) * HOUR
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
    count = call.params.count(CANDLES_LIMIT, CANDLES_LIMIT)
    start, end = call.params.integer("from"), call.params.integer("to")
    last = min(now, now if end is None else float(end))
    oldest = math.ceil(call.exchange.market.begin / seconds) * seconds
    if start is None:
        # The newest ones; what is more is older.
        begin = max((last // seconds - count + 1) * seconds, oldest)
        more = begin > oldest
    else:
        begin = max(math.ceil(start / seconds) * seconds, oldest)
        more = begin + count * seconds <= last
    stop = min(last, begin + (count - 1) * seconds)
    table = call.exchange.market.candles(path["tick_type"], contract, seconds, begin, now, stop)
    return {"candles": wire.candles(table, path["tick_type"]), "more_candles": more}


def instruments_status(call: Call) -> Json:
    """GET /instruments/status."""
    contracts = call.exchange.contracts.values()
    return {"instrumentStatus": [wire_reference.instrument_status(call.exchange, contract) for contract in contracts]}


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
    path, params, market, now = call.request.path_params, call.params, call.exchange.market, call.exchange.now
    kind = path["analytics_type"]
    if kind not in ANALYTICS_TYPES:
        return _analytics_error(404, "analytics_type", kind)
    try:
        contract = call.exchange.contract(path["symbol"])
    except UnknownSymbolError:
        return _analytics_error(404, "symbol", path["symbol"])
    since, interval, end = params.integer("since"), params.integer("interval"), params.integer("to")
    if since is None:
        return _analytics_error(400, "since", "")
    if interval is None or interval not in RESOLUTIONS.values():
        return _analytics_error(400, "interval", params.get("interval") or "")
    first = math.ceil(max(since, market.begin + DAY, contract.opening) / interval)
    last = math.floor(min(now, now if end is None else end) / interval)
    places = range(first, last + 1)
    times = interval * np.asarray(places[:ANALYTICS_LIMIT], dtype=np.float64)
    if kind == "open-interest":
        data: Any = wire.decimals(market.open_interest(contract, times))
    else:
        data = {"basis": wire.decimals(market.basis(contract, times))}
    result = {"timestamp": [int(time) for time in times], "more": len(places) > ANALYTICS_LIMIT, "data": data}
    return json_response({"result": result, "errors": []})


def _analytics_error(status: int, field: str, value: str) -> Response:
    error = {
        "severity": "error",
        "error_class": "Query",
        "type": "NotFound" if status == 404 else "InvalidArgument",
        "field": field,
        "value": value,
    }
    result = {"timestamp": [], "more": False, "data": []}
    return json_response({"result": result, "errors": [error]}, status)
