"""The operations: what each path of the real exchange answers here.

Paths, parameters, authentication, answers and refusals follow api-facts 2 to 4 and 7. One request is served at a
time under the engine's lock, after the engine has caught up with its clock.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kfut_analytics.paper import wire
from kfut_analytics.paper.account import Account
from kfut_analytics.paper.auth import ApiKey, AuthenticationError
from kfut_analytics.paper.clock import HOUR, iso
from kfut_analytics.paper.exchange import Exchange, UnknownSymbolError
from kfut_analytics.paper.market import RESOLUTIONS
from kfut_analytics.paper.params import BadArgumentError, MissingArgumentError, Params, order_request

logger = logging.getLogger("kfut_analytics.paper")

FILLS_PER_PAGE = TRADES_PER_PAGE = 100
CLOSED_SECONDS = 5.0
LOG_ROWS_DEFAULT, LOG_ROWS_LIMIT = 500, 5000
CANDLES_LIMIT = 2000
TICK_TYPES = ("spot", "mark", "trade")

Json = dict[str, Any]
Answer = Callable[["Call"], Any]


class Call:
    """One request: its parameters from query and body, and for private calls the account."""

    def __init__(self, exchange: Exchange, request: Request, body: bytes) -> None:
        self.exchange = exchange
        self.request = request
        self.query: bytes = request.scope["query_string"]
        self.body = body
        self.account_name = ""

    @cached_property
    def params(self) -> Params:
        """Parameters, read after the signature: who may not call is told only that."""
        return Params.parse(self.query, self.body)

    @property
    def account(self) -> Account:
        """The account of the key that signed the request."""
        return self.exchange.accounts[self.account_name]


class _NotFoundError(Exception):
    """What the path names does not exist."""


class Api:
    """All operations, and the rules they share.

    Parameters
    ----------
    exchange
        The engine.
    keys
        Accepted key pairs by public key.
    """

    def __init__(self, exchange: Exchange, keys: dict[str, ApiKey]) -> None:
        self.exchange = exchange
        self.keys = keys

    def routes(self) -> list[Route]:
        """Every path with its method."""
        base, charts = "/derivatives/api/v3", "/api/charts/v1"
        public: list[tuple[str, Answer]] = [
            (f"{base}/instruments", self.instruments),
            (f"{base}/tickers", self.tickers),
            (f"{base}/tickers/{{symbol}}", self.ticker),
            (f"{base}/orderbook", self.orderbook),
            (f"{base}/history", self.history),
            (f"{base}/historical-funding-rates", self.funding_rates),
            ("/derivatives/api/v4/historicalfundingrates", self.funding_rates),
            (f"{charts}/", lambda call: list(TICK_TYPES)),
            (f"{charts}/{{tick_type}}", self.chart_symbols),
            (f"{charts}/{{tick_type}}/{{symbol}}", self.chart_resolutions),
            (f"{charts}/{{tick_type}}/{{symbol}}/{{resolution}}", self.candles),
        ]
        private: list[tuple[str, str, Answer]] = [
            ("GET", f"{base}/accounts", self.accounts),
            ("GET", f"{base}/openpositions", self.openpositions),
            ("GET", f"{base}/openorders", self.openorders),
            ("GET", f"{base}/fills", self.fills),
            ("POST", f"{base}/sendorder", self.sendorder),
            ("POST", f"{base}/editorder", self.editorder),
            ("POST", f"{base}/orders/status", self.orders_status),
            ("POST", f"{base}/cancelorder", self.cancelorder),
            ("POST", f"{base}/cancelallorders", self.cancelallorders),
            ("GET", "/api/history/v2/account-log", self.account_log),
            ("GET", "/api/history/v3/account-log", self.account_log),
            ("GET", "/api/auth/v1/api-keys/v3/check", self.check_key),
        ]
        return [Route(path, self._endpoint(answer, private=False), methods=["GET"]) for path, answer in public] + [
            Route(path, self._endpoint(answer, private=True), methods=[method]) for method, path, answer in private
        ]

    # Rules shared by all calls ------------------------------------------------------------------------------------

    def _endpoint(self, answer: Answer, *, private: bool) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            with self.exchange.lock:
                try:
                    self.exchange.sync()
                    return self._respond(answer, Call(self.exchange, request, body), private=private)
                except Exception:
                    logger.exception("%s %s failed", request.method, request.url.path)
                    errors = [{"code": 0, "message": "500 INTERNAL_SERVER_ERROR"}]
                    return self._derivatives(
                        {"status": "INTERNAL_SERVER_ERROR", "result": "error", "errors": errors}, 500
                    )

        return endpoint

    def _respond(self, answer: Answer, call: Call, *, private: bool) -> Response:
        path = call.request.url.path
        try:
            if private:
                call.account_name = self._authenticate(call)
            payload = answer(call)
        except AuthenticationError as error:
            return self._unauthorized(path, str(error))
        except MissingArgumentError as error:
            return self._derivatives({"result": "error", "error": "requiredArgumentMissing", "errors": [str(error)]})
        except BadArgumentError as error:
            return self._bad_request(str(error))
        except UnknownSymbolError:
            return self._bad_request("Argument invalid: symbol")
        except _NotFoundError:
            return self.not_found(path)
        if path.startswith("/derivatives"):
            return self._derivatives({"result": "success"} | payload)
        return json_response(payload)

    def _authenticate(self, call: Call) -> str:
        headers = call.request.headers
        key = self.keys.get(headers.get("APIKey", ""))
        if key is None:
            raise AuthenticationError("authenticationError")
        key.check(
            authent=headers.get("Authent", ""),
            nonce=headers.get("Nonce", ""),
            post_data=call.query + call.body,
            path=call.request.url.path,
        )
        return key.account

    def _derivatives(self, payload: Json, status: int = 200) -> Response:
        return json_response(payload | {"serverTime": iso(self.exchange.now)}, status)

    def _bad_request(self, message: str) -> Response:
        errors = [{"code": 11, "message": message}]
        return self._derivatives({"status": "BAD_REQUEST", "result": "error", "errors": errors}, 400)

    def _unauthorized(self, path: str, word: str) -> Response:
        if path.startswith("/api/history"):
            return json_response({"status": "unauthorized", "reason": word}, 401)
        if path.startswith("/api/auth"):
            return json_response(
                {"error": word, "message": "the request could not be authenticated", "suberror": None}, 401
            )
        return self._derivatives({"result": "error", "error": word})

    def not_found(self, path: str) -> Response:
        """The answer for a path that does not exist."""
        if path.startswith("/derivatives"):
            errors = [{"code": 0, "message": "404 NOT_FOUND"}]
            return self._derivatives({"status": "NOT_FOUND", "result": "error", "errors": errors}, 404)
        return json_response({"status": "not found", "reason": "no such resource"}, 404)

    # Market data --------------------------------------------------------------------------------------------------

    def instruments(self, call: Call) -> Json:
        """GET /instruments."""
        wanted = call.params.all("contractType")
        rows = [wire.instrument(self.exchange, contract) for contract in self.exchange.contracts.values()]
        return {"instruments": [row for row in rows if not wanted or row["type"] in wanted or "all" in wanted]}

    def tickers(self, call: Call) -> Json:
        """GET /tickers."""
        wanted = {symbol.upper() for symbol in call.params.all("symbol")}
        rows = [
            wire.ticker(self.exchange, contract)
            for contract in self.exchange.contracts.values()
            if (not wanted or contract.symbol in wanted) and not self.exchange.is_expired(contract)
        ]
        assets = {contract.asset.code: contract.asset for contract in self.exchange.contracts.values()}
        indices = [row for asset in assets.values() for row in wire.index_tickers(self.exchange, asset)]
        return {"tickers": rows + [row for row in indices if not wanted or row["symbol"].upper() in wanted]}

    def ticker(self, call: Call) -> Json:
        """GET /tickers/{symbol}."""
        try:
            contract = self.exchange.contract(call.request.path_params["symbol"])
        except UnknownSymbolError:
            raise _NotFoundError from None
        return {"ticker": wire.ticker(self.exchange, contract)}

    def orderbook(self, call: Call) -> Json:
        """GET /orderbook."""
        return {"orderBook": wire.order_book(self.exchange, self.exchange.contract(call.params.require("symbol")))}

    def history(self, call: Call) -> Json:
        """GET /history: the public trades before ``lastTime``, newest first."""
        contract = self.exchange.contract(call.params.require("symbol"))
        before = call.params.timestamp("lastTime")
        last = self.exchange.now if before is None else min(before, self.exchange.now)
        return {"history": wire.trades(self.exchange.market.trades(contract, last, TRADES_PER_PAGE))}

    def funding_rates(self, call: Call) -> Json:
        """GET /historical-funding-rates, oldest first, up to the period that has begun."""
        contract = self.exchange.contract(call.params.require("symbol"))
        if contract.expiry is not None:
            raise BadArgumentError("Argument invalid: symbol")
        market, hours = self.exchange.market, []
        hour = market.begin + HOUR
        while hour <= self.exchange.now:
            hours.append(hour)
            hour += HOUR
        return {
            "rates": [
                {
                    "timestamp": iso(hour),
                    "fundingRate": market.funding(contract, hour),
                    "relativeFundingRate": market.relative_funding(contract, hour),
                }
                for hour in hours
            ]
        }

    def chart_symbols(self, call: Call) -> list[str]:
        """GET /api/charts/v1/{tick_type}."""
        if call.request.path_params["tick_type"] not in TICK_TYPES:
            raise _NotFoundError
        return list(self.exchange.contracts)

    def chart_resolutions(self, call: Call) -> list[str]:
        """GET /api/charts/v1/{tick_type}/{symbol}."""
        if call.request.path_params["symbol"].upper() not in self.chart_symbols(call):
            raise _NotFoundError
        return list(RESOLUTIONS)

    def candles(self, call: Call) -> Json:
        """GET /api/charts/v1/{tick_type}/{symbol}/{resolution}; ``from`` and ``to`` in seconds."""
        path = call.request.path_params
        if path["resolution"] not in self.chart_resolutions(call):
            raise _NotFoundError
        seconds, contract = RESOLUTIONS[path["resolution"]], self.exchange.contract(path["symbol"])
        now = self.exchange.now
        count = call.params.count(CANDLES_LIMIT, CANDLES_LIMIT)
        start, end = call.params.integer("from"), call.params.integer("to")
        last = min(now, now if end is None else float(end))
        oldest = math.ceil(self.exchange.market.begin / seconds) * seconds
        if start is None:
            # The newest ones; what is more is older.
            begin = max((last // seconds - count + 1) * seconds, oldest)
            more = begin > oldest
        else:
            begin = max(math.ceil(start / seconds) * seconds, oldest)
            more = begin + count * seconds <= last
        stop = min(last, begin + (count - 1) * seconds)
        table = self.exchange.market.candles(path["tick_type"], contract, seconds, begin, now, stop)
        return {"candles": wire.candles(table, path["tick_type"]), "more_candles": more}

    # The account --------------------------------------------------------------------------------------------------

    def accounts(self, call: Call) -> Json:
        """GET /accounts."""
        return {"accounts": wire.accounts(self.exchange, call.account)}

    def openpositions(self, call: Call) -> Json:
        """GET /openpositions."""
        return {"openPositions": wire.open_positions(self.exchange, call.account)}

    def openorders(self, call: Call) -> Json:
        """GET /openorders, newest first."""
        orders = sorted(call.account.orders.values(), key=lambda order: order.received, reverse=True)
        return {"openOrders": [wire.open_order(order) for order in orders]}

    def fills(self, call: Call) -> Json:
        """GET /fills, newest first, a page of those before ``lastFillTime`` if given."""
        before = call.params.timestamp("lastFillTime")
        # Times on the wire have milliseconds; they are compared as they are shown.
        chosen = [f for f in reversed(call.account.fills) if before is None or round(f.time, 3) < before]
        return {"fills": [wire.fill(item, with_pnl=before is None) for item in chosen[:FILLS_PER_PAGE]]}

    def account_log(self, call: Call) -> Json:
        """GET /account-log: times in milliseconds, ids inclusive."""
        params = call.params
        since, before = params.integer("since"), params.integer("before")
        first, last = params.integer("from"), params.integer("to")
        infos = params.all("info")
        count = params.count(LOG_ROWS_DEFAULT, LOG_ROWS_LIMIT)
        chosen = [
            row
            for row in call.account.log
            if (since is None or round(row.date * 1000) >= since)
            and (before is None or round(row.date * 1000) < before)
            and (first is None or row.id >= first)
            and (last is None or row.id <= last)
            and (not infos or row.info in infos)
        ]
        if params.choice("sort", ("asc", "desc"), "desc") == "desc":
            chosen.reverse()
        return {"accountUid": call.account.uid, "logs": [wire.log_row(row) for row in chosen[:count]]}

    def check_key(self, call: Call) -> Json:
        """GET /api-keys/v3/check."""
        return {
            "apiKey": call.request.headers["APIKey"],
            "accountUid": call.account.uid,
            "createdAt": iso(call.account.opened),
            "permissions": {"general": "FULL_ACCESS", "transfer": "NO_ACCESS"},
        }

    # Orders -------------------------------------------------------------------------------------------------------

    def sendorder(self, call: Call) -> Json:
        """POST /sendorder."""
        request = order_request(call.params)
        outcome = self.exchange.submit(call.account, request)
        status = wire.send_status(outcome, received=self.exchange.now, cli_ord_id=request.cli_ord_id)
        return {"sendStatus": status}

    def editorder(self, call: Call) -> Json:
        """POST /editorder."""
        params = call.params
        order_id, cli_ord_id = params.get("orderId"), params.get("cliOrdId")
        if order_id is None and cli_ord_id is None:
            raise MissingArgumentError("orderId")
        outcome = self.exchange.edit(
            call.account,
            order_id=order_id,
            cli_ord_id=cli_ord_id,
            size=params.number("size"),
            limit_price=params.number("limitPrice"),
            stop_price=params.number("stopPrice"),
            absolute=params.choice("qtyMode", ("ABSOLUTE", "RELATIVE"), "RELATIVE") == "ABSOLUTE",
        )
        status = wire.edit_status(outcome, received=self.exchange.now, order_id=order_id, cli_ord_id=cli_ord_id)
        return {"editStatus": status}

    def orders_status(self, call: Call) -> Json:
        """POST /orders/status: open orders and those closed in the last seconds."""
        wanted = {*call.params.all("orderIds"), *call.params.all("cliOrdIds")}
        rows = [
            (order, "TRIGGER_PLACED" if order.is_trigger else "ENTERED_BOOK", "NEW_USER_ORDER")
            for order in call.account.orders.values()
        ] + [
            (closed.order, closed.status, closed.reason)
            for closed in call.account.closed
            if closed.time >= self.exchange.now - CLOSED_SECONDS
        ]
        return {
            "orders": [
                wire.order_status(order, status, reason)
                for order, status, reason in rows
                if not wanted or wanted & {order.order_id, order.cli_ord_id}
            ]
        }

    def cancelorder(self, call: Call) -> Json:
        """POST /cancelorder."""
        order_id, cli_ord_id = call.params.get("order_id"), call.params.get("cliOrdId")
        if order_id is None and cli_ord_id is None:
            raise MissingArgumentError("order_id")
        outcome = self.exchange.cancel(call.account, order_id=order_id, cli_ord_id=cli_ord_id)
        status = wire.cancel_status(outcome, received=self.exchange.now, order_id=order_id, cli_ord_id=cli_ord_id)
        return {"cancelStatus": status}

    def cancelallorders(self, call: Call) -> Json:
        """POST /cancelallorders."""
        symbol = call.params.get("symbol")
        outcomes = self.exchange.cancel_all(call.account, symbol)
        return {"cancelStatus": wire.cancel_all_status(outcomes, received=self.exchange.now, symbol=symbol)}


def json_response(payload: Any, status: int = 200) -> Response:
    """A response with a JSON body; not-a-number is an error here rather than a surprise for a client."""
    text = json.dumps(payload, allow_nan=False, separators=(",", ":"))
    return Response(text, status, media_type="application/json")
