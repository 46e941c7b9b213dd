"""One request, and what an answer can say instead of a payload."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.wire.auth import ApiKey
from kfut_analytics.paper.wire.params import Params

Json = dict[str, Any]

_NEGATIVE_ZERO = re.compile(r"-0\.0[],}]")


class Call:
    """One request: its parameters from query and body, and for private calls the key that signed it.

    Attributes
    ----------
    path
        The path, decoded.
    signed_text, signed_path
        What is signed: query and body as they were sent, and the path as it was sent.
    """

    key: ApiKey

    def __init__(self, exchange: Exchange, request: Request, body: bytes) -> None:
        self.exchange = exchange
        self.request = request
        self.path: str = request.scope["path"]
        self._query: bytes = request.scope["query_string"]
        self._body = body

    @property
    def signed_text(self) -> bytes:
        """What is signed of the parameters."""
        return self._query + self._body

    @property
    def signed_path(self) -> str:
        """What is signed of the path."""
        raw: bytes = self.request.scope["raw_path"]
        return raw.decode("latin-1")

    @cached_property
    def params(self) -> Params:
        """Parameters, read after the signature: who may not call is told only that."""
        return Params.parse(self._query, self._body)

    @property
    def account(self) -> Account:
        """The account of the key that signed the request."""
        return self.exchange.accounts[self.key.account]


class NotFoundError(Exception):
    """What the path names does not exist."""


class RefusedError(Exception):
    """The request is understood and refused with one word, at HTTP 200 (api-facts 4.7)."""


class CodedError(Exception):
    """The request is refused with a numbered error.

    Attributes
    ----------
    status
        HTTP status.
    code
        The exchange's number, with its name as the message.
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def json_response(payload: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response with a JSON body; not-a-number is an error here rather than a surprise for a client."""
    text = _text(payload)
    if _NEGATIVE_ZERO.search(text):
        text = _text(_unsigned_zeros(payload))
    return Response(text, status, headers, media_type="application/json")


def _text(payload: Any) -> str:
    return json.dumps(payload, allow_nan=False, separators=(",", ":"))


def _unsigned_zeros(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unsigned_zeros(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_unsigned_zeros(item) for item in value]
    return value + 0.0 if isinstance(value, float) else value
