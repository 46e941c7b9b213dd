"""How a refusal looks on the wire; the exchange's APIs have different forms for it (api-facts 4.7, 4.8 and 5.4).

==================  ================================  ===========================  ============  ============
what is wrong       trading                           history, statistics          key check     charts
==================  ================================  ===========================  ============  ============
key or signature    200, ``authenticationError``      401                          401           –
permission          200, ``authenticationError``      401                          –             –
nonce               200, its word                     401                          401           –
no tokens left      200, ``apiLimitExceeded``         429, ``rate-limit-reset``    –             –
argument missing    200, ``requiredArgumentMissing``  400                          400           400
argument            400, code 11                      400                          400           400
whole request       400, code 0                       400                          400           400
refused             200, its word                     –                            –             –
numbered            its status and code               –                            –             –
no such thing       404, code 0                       404                          404           404
method              405, code 0                       405                          405           405
fault of this code  500, code 0                       500                          500           500
==================  ================================  ===========================  ============  ============

A word travels as ``error``, a code in ``errors`` with a message. The history says ``status`` and ``reason``, but 429 in
plain text; the key check ``error``, ``message`` and ``suberror``; the charts ``errors`` with a class and a field.
The published words have none for a key that lacks a permission; it is refused like one that is not known.
"""

from __future__ import annotations

import math
from http import HTTPStatus

from starlette.responses import Response

from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.engine.exchange import UnknownSymbolError
from kfut_analytics.paper.wire.auth import AuthenticationError
from kfut_analytics.paper.wire.call import CodedError, NotFoundError, RefusedError, json_response
from kfut_analytics.paper.wire.limits import LimitExceededError
from kfut_analytics.paper.wire.params import BadArgumentError, BadRequestError, JsonParseError, MissingArgumentError

REFUSALS = (
    AuthenticationError,
    BadArgumentError,
    BadRequestError,
    CodedError,
    JsonParseError,
    LimitExceededError,
    MissingArgumentError,
    NotFoundError,
    RefusedError,
    UnknownSymbolError,
)
"""What an answer may raise."""

_TRADING, _CHARTS, _AUTH = "/derivatives", "/api/charts", "/api/auth"
_INVALID_ARGUMENT = 11


def refusal(path: str, error: Exception, now: float) -> Response:
    """The response to a call that raised one of `REFUSALS`.

    Parameters
    ----------
    now
        The engine's time.
    """
    trading = path.startswith(_TRADING)
    match error:
        case AuthenticationError():
            return _word(str(error), now) if trading else bare_refusal(path, HTTPStatus.UNAUTHORIZED, now, str(error))
        case LimitExceededError():
            return _word("apiLimitExceeded", now) if trading else _no_tokens(error.seconds)
        case NotFoundError():
            return bare_refusal(path, HTTPStatus.NOT_FOUND, now)
        case MissingArgumentError():
            missing = f"Argument missing: {error}"
            return _word("requiredArgumentMissing", now) if trading else _bad_argument(path, missing, now)
        case UnknownSymbolError():
            return _bad_argument(path, "Argument invalid: symbol", now)
        case BadArgumentError():
            return _bad_argument(path, str(error), now)
        case JsonParseError():
            return _word("Json Parse Error", now)
        case RefusedError():
            return _word(str(error), now)
        case CodedError():
            return _numbered(HTTPStatus(error.status), error.code, str(error), now)
        case _:
            return bare_refusal(path, HTTPStatus.BAD_REQUEST, now)


def bare_refusal(
    path: str, status: HTTPStatus, now: float, reason: str = "", headers: dict[str, str] | None = None
) -> Response:
    """A refusal that says what its HTTP status says, and a reason where the API has a place for it."""
    if path.startswith(_TRADING):
        return _numbered(status, 0, f"{status.value} {status.name}", now, headers)
    words = status.phrase.lower()
    if path.startswith(_AUTH):
        return json_response({"error": reason or words, "message": words, "suberror": None}, status, headers)
    if path.startswith(_CHARTS):
        return charts_error(status, reason or words, headers=headers)
    return json_response({"status": words, "reason": reason or words}, status, headers)


def charts_error(
    status: HTTPStatus, message: str, field: str = "", value: str = "", headers: dict[str, str] | None = None
) -> Response:
    """A refusal of the charts, in the shape of the answers of its analytics."""
    kind = "NotFound" if status is HTTPStatus.NOT_FOUND else "InvalidArgument"
    error = {"severity": "error", "error_class": "Query", "type": kind, "msg": message}
    named = {name: text for name, text in (("field", field), ("value", value)) if text}
    result = {"timestamp": [], "more": False, "data": []}
    return json_response({"result": result, "errors": [error | named]}, status, headers)


def _bad_argument(path: str, message: str, now: float) -> Response:
    if path.startswith(_TRADING):
        return _numbered(HTTPStatus.BAD_REQUEST, _INVALID_ARGUMENT, message, now)
    if path.startswith(_CHARTS):
        return charts_error(HTTPStatus.BAD_REQUEST, message, field=message.rsplit(": ", 1)[-1])
    return bare_refusal(path, HTTPStatus.BAD_REQUEST, now, message)


def _no_tokens(seconds: float) -> Response:
    headers = {"rate-limit-reset": str(math.ceil(seconds))}
    return Response("Rate limit exceeded", HTTPStatus.TOO_MANY_REQUESTS, headers, media_type="text/plain")


def _word(word: str, now: float) -> Response:
    return json_response({"result": "error", "error": word, "serverTime": iso(now)})


def _numbered(
    status: HTTPStatus, code: int, message: str, now: float, headers: dict[str, str] | None = None
) -> Response:
    errors = [{"code": code, "message": message}]
    payload = {"status": status.name, "result": "error", "errors": errors, "serverTime": iso(now)}
    return json_response(payload, status, headers)
