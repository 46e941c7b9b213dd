"""One request: who calls, what it costs, what is answered or refused.

Authentication, limits and refusals follow api-facts 2, 4.8 and 5. One request is served at a time, in a transaction
of the engine and after the engine has caught up with its clock: an answer leaves when what it tells is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.wire.auth import ApiKey, AuthenticationError, Permission
from kfut_analytics.paper.wire.call import Call, json_response
from kfut_analytics.paper.wire.limits import Limits, cost
from kfut_analytics.paper.wire.operations import OPERATIONS, Operation
from kfut_analytics.paper.wire.refusals import REFUSALS, bare_refusal, refusal
from kfut_analytics.paper.wire.relay import Relay

logger = logging.getLogger("kfut_analytics.paper")

Endpoint = Callable[[Request], Awaitable[Response]]


class Api:
    """All operations, and the rules they share.

    Parameters
    ----------
    exchange
        The engine.
    keys
        Accepted key pairs by public key; keys that are added later are accepted from then on.
    limits
        The token pools that private calls are taken from.
    """

    def __init__(self, exchange: Exchange, keys: dict[str, ApiKey], limits: Limits) -> None:
        self.exchange = exchange
        self.keys = keys
        self.limits = limits
        source = exchange.market.source
        self._relay = None if source is None else Relay(source)

    def routes(self) -> list[Route]:
        """Every path with its methods; those that share a path share a route, so that others answer 405."""
        paths: dict[str, dict[str, Operation]] = {}
        for operation in OPERATIONS:
            paths.setdefault(operation.path, {})[operation.method] = operation
        return [Route(path, self._endpoint(by_method), methods=list(by_method)) for path, by_method in paths.items()]

    def _endpoint(self, by_method: dict[str, Operation]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            # Starlette lets HEAD in wherever GET is, and the server sends no body then.
            operation = by_method["GET" if request.method == "HEAD" else request.method]
            body = await request.body()
            try:
                if operation.of_the_past and self._relay is not None:
                    # In a thread of its own, for the exchange goes on meanwhile.
                    asked = request.scope["raw_path"].decode("latin-1"), request.url.query
                    return await asyncio.to_thread(self._relay.answer, *asked, self.exchange.now)
                with self.exchange.transaction():
                    self.exchange.sync()
                    return self._respond(operation, Call(self.exchange, request, body))
            except Exception:
                path: str = request.scope["path"]
                logger.exception("%s %s failed", request.method, path)
                return bare_refusal(path, HTTPStatus.INTERNAL_SERVER_ERROR, self.exchange.now)

        return endpoint

    def _respond(self, operation: Operation, call: Call) -> Response:
        try:
            if operation.permission is not None:
                call.key = self._authenticate(operation.permission, call)
                self._spend(operation, call)
            payload = operation.answer(call)
        except REFUSALS as error:
            return refusal(call.path, error, self.exchange.now)
        if isinstance(payload, Response):
            return payload
        if call.path.startswith("/derivatives"):
            return json_response({"result": "success"} | payload | {"serverTime": iso(self.exchange.now)})
        return json_response(payload)

    def _authenticate(self, permission: Permission, call: Call) -> ApiKey:
        headers = call.request.headers
        key = self.keys.get(headers.get("APIKey", ""))
        if key is None:
            raise AuthenticationError("authenticationError")
        key.check(
            authent=headers.get("Authent", ""),
            nonce=headers.get("Nonce", ""),
            post_data=call.signed_text,
            path=call.signed_path,
        )
        if not key.permits(permission):
            raise AuthenticationError("authenticationError")
        return key

    def _spend(self, operation: Operation, call: Call) -> None:
        if not self.limits.enforced:
            return
        taken = cost(operation.method, call.path, call.params)
        if taken is not None:
            self.limits.spend(call.key.account, *taken, now=self.exchange.now)

    def http_error(self, request: Request, error: Exception) -> Response:
        """The answer to a request that reaches no operation.

        A pre-flight request of a browser is told the methods and nothing that would let it go on: the exchange serves
        no pages of others (api-facts 1.4).
        """
        status, headers = HTTPStatus.INTERNAL_SERVER_ERROR, dict[str, str]()
        if isinstance(error, HTTPException):
            status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
        if request.method == "OPTIONS" and status is HTTPStatus.METHOD_NOT_ALLOWED:
            return Response(headers=headers)
        return bare_refusal(request.scope["path"], status, self.exchange.now, headers=headers)
