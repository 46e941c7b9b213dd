"""The operations: what each path of the real exchange answers here.

Paths, parameters, authentication, answers and refusals follow api-facts 2 to 4 and 7. One request is served at a
time, in a transaction of the engine and after the engine has caught up with its clock: an answer leaves when what it
tells is kept.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kfut_analytics.paper import answers_account, answers_history, answers_market, answers_orders, answers_settings
from kfut_analytics.paper.auth import ApiKey, AuthenticationError
from kfut_analytics.paper.call import Call, CodedError, Json, NotFoundError, RefusedError, json_response
from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.exchange import Exchange, UnknownSymbolError
from kfut_analytics.paper.limits import LimitExceededError, Limits, cost
from kfut_analytics.paper.params import BadArgumentError, MissingArgumentError

logger = logging.getLogger("kfut_analytics.paper")

Answer = Callable[[Call], Any]

_STATUS_WORDS = {400: "BAD_REQUEST", 404: "NOT_FOUND", 500: "INTERNAL_SERVER_ERROR"}
_TRADING, _CHARTS = "/derivatives/api/v3", "/api/charts/v1"
_PUBLIC: tuple[tuple[str, Answer], ...] = (
    (f"{_TRADING}/instruments", answers_market.instruments),
    (f"{_TRADING}/instruments/status", answers_market.instruments_status),
    (f"{_TRADING}/instruments/{{symbol}}/status", answers_market.instrument_status),
    (f"{_TRADING}/tickers", answers_market.tickers),
    (f"{_TRADING}/tickers/{{symbol}}", answers_market.ticker),
    (f"{_TRADING}/orderbook", answers_market.orderbook),
    (f"{_TRADING}/history", answers_market.history),
    (f"{_TRADING}/historical-funding-rates", answers_market.funding_rates),
    ("/derivatives/api/v4/historicalfundingrates", answers_market.funding_rates),
    (f"{_TRADING}/feeschedules", answers_market.feeschedules),
    (f"{_CHARTS}/", answers_market.tick_types),
    (f"{_CHARTS}/analytics/{{symbol}}/{{analytics_type}}", answers_market.analytics),
    (f"{_CHARTS}/{{tick_type}}", answers_market.chart_symbols),
    (f"{_CHARTS}/{{tick_type}}/{{symbol}}", answers_market.chart_resolutions),
    (f"{_CHARTS}/{{tick_type}}/{{symbol}}/{{resolution}}", answers_market.candles),
    *(
        (f"/api/history/{version}/market/{{tradeable}}/{name}", answer)
        for version in ("v2", "v3")
        for name, answer in (
            ("executions", answers_history.market_executions),
            ("orders", answers_history.market_orders),
            ("price", answers_history.market_prices),
        )
    ),
)
_PRIVATE: tuple[tuple[str, str, Answer], ...] = (
    ("GET", f"{_TRADING}/accounts", answers_account.accounts),
    ("GET", f"{_TRADING}/openpositions", answers_account.openpositions),
    ("GET", f"{_TRADING}/openorders", answers_account.openorders),
    ("GET", f"{_TRADING}/fills", answers_account.fills),
    ("GET", f"{_TRADING}/trading/instruments", answers_account.trading_instruments),
    ("GET", f"{_TRADING}/feeschedules/volumes", answers_account.fee_volumes),
    ("GET", f"{_TRADING}/notifications", answers_account.notifications),
    ("GET", f"{_TRADING}/unwindqueue", answers_account.unwindqueue),
    ("GET", f"{_TRADING}/subaccounts", answers_account.subaccounts),
    ("GET", "/api/auth/v1/api-keys/v3/check", answers_account.check_key),
    ("POST", f"{_TRADING}/sendorder", answers_orders.sendorder),
    ("POST", f"{_TRADING}/editorder", answers_orders.editorder),
    # Documented as POST, and asked for by GET all the same.
    *((method, f"{_TRADING}/orders/status", answers_orders.orders_status) for method in ("GET", "POST")),
    ("POST", f"{_TRADING}/cancelorder", answers_orders.cancelorder),
    ("POST", f"{_TRADING}/cancelallorders", answers_orders.cancelallorders),
    ("POST", f"{_TRADING}/cancelallordersafter", answers_orders.cancelallordersafter),
    ("POST", f"{_TRADING}/batchorder", answers_orders.batchorder),
    ("GET", f"{_TRADING}/leveragepreferences", answers_settings.leverage),
    ("PUT", f"{_TRADING}/leveragepreferences", answers_settings.set_leverage),
    ("GET", f"{_TRADING}/pnlpreferences", answers_settings.pnl_currencies),
    ("PUT", f"{_TRADING}/pnlpreferences", answers_settings.set_pnl_currency),
    ("GET", f"{_TRADING}/self-trade-strategy", answers_settings.self_trade_strategy),
    ("PUT", f"{_TRADING}/self-trade-strategy", answers_settings.set_self_trade_strategy),
    ("POST", f"{_TRADING}/transfer", answers_settings.transfer),
    *(
        ("GET", f"/api/history/{version}/{name}", answer)
        for version in ("v2", "v3")
        for name, answer in (
            ("executions", answers_history.executions),
            ("orders", answers_history.orders),
            ("triggers", answers_history.triggers),
            ("positions", answers_history.positions),
            ("account-log", answers_history.account_log),
            ("accountlogcsv", answers_history.account_log_csv),
        )
    ),
)


class Api:
    """All operations, and the rules they share.

    Parameters
    ----------
    exchange
        The engine.
    keys
        Accepted key pairs by public key.
    limits
        The token pools that private calls are taken from.
    """

    def __init__(self, exchange: Exchange, keys: dict[str, ApiKey], limits: Limits) -> None:
        self.exchange = exchange
        self.keys = keys
        self.limits = limits

    def routes(self) -> list[Route]:
        """Every path with its methods; those that share a path share a route, so that others answer 405."""
        answers: dict[str, dict[str, Callable[[Request], Awaitable[Response]]]] = {}
        for path, answer in _PUBLIC:
            answers.setdefault(path, {})["GET"] = self._endpoint(answer, private=False)
        for method, path, answer in _PRIVATE:
            answers.setdefault(path, {})[method] = self._endpoint(answer, private=True)
        return [Route(path, _by_method(methods), methods=list(methods)) for path, methods in answers.items()]

    def _endpoint(self, answer: Answer, *, private: bool) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            try:
                with self.exchange.transaction():
                    self.exchange.sync()
                    return self._respond(answer, Call(self.exchange, request, body), private=private)
            except Exception:
                logger.exception("%s %s failed", request.method, request.url.path)
                errors = [{"code": 0, "message": "500 INTERNAL_SERVER_ERROR"}]
                return self._derivatives({"status": "INTERNAL_SERVER_ERROR", "result": "error", "errors": errors}, 500)

        return endpoint

    def _respond(self, answer: Answer, call: Call, *, private: bool) -> Response:
        path = call.request.url.path
        try:
            if private:
                call.account_name = self._authenticate(call)
                self._spend(call)
            payload = answer(call)
        except AuthenticationError as error:
            return self._unauthorized(path, str(error))
        except LimitExceededError as error:
            return self._limited(path, error.seconds)
        except RefusedError as error:
            return self._derivatives({"result": "error", "error": str(error)})
        except CodedError as error:
            errors = [{"code": error.code, "message": str(error)}]
            return self._derivatives(
                {"status": _STATUS_WORDS[error.status], "result": "error", "errors": errors}, error.status
            )
        except MissingArgumentError as error:
            return self._derivatives({"result": "error", "error": "requiredArgumentMissing", "errors": [str(error)]})
        except BadArgumentError as error:
            return self._bad_request(str(error))
        except UnknownSymbolError:
            return self._bad_request("Argument invalid: symbol")
        except NotFoundError:
            return self.not_found(path)
        if isinstance(payload, Response):
            return payload
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

    def _spend(self, call: Call) -> None:
        if not self.limits.enforced:
            return
        taken = cost(call.request.method, call.request.url.path, call.params)
        if taken is not None:
            self.limits.spend(call.account_name, *taken, now=self.exchange.now)

    def _limited(self, path: str, seconds: float) -> Response:
        if path.startswith("/api/history"):
            headers = {"rate-limit-reset": str(math.ceil(seconds))}
            return Response("Rate limit exceeded", 429, headers, media_type="text/plain")
        return self._derivatives({"result": "error", "error": "apiLimitExceeded"})

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


def _by_method(
    methods: dict[str, Callable[[Request], Awaitable[Response]]],
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        # Starlette answers HEAD wherever GET is allowed.
        return await methods["GET" if request.method == "HEAD" else request.method](request)

    return endpoint
