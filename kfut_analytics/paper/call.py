"""One request, and what an answer can say instead of a payload."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kfut_analytics.paper.account import Account
from kfut_analytics.paper.exchange import Exchange
from kfut_analytics.paper.params import Params

Json = dict[str, Any]


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
    text = json.dumps(payload, allow_nan=False, separators=(",", ":"))
    return Response(text, status, headers, media_type="application/json")
