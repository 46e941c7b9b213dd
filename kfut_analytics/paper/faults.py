"""Faults on demand: what goes wrong between a client and an exchange, when a test asks for it.

A fault waits for the next calls of one operation. The connection is closed before or after the exchange has worked,
an answer comes late or in part, or somebody on the way answers instead of the exchange.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Kind = Literal["drop-before", "drop-after", "http-500", "http-502-html", "truncate", "delay"]

_BASES = (
    "/derivatives/api/v3/",
    "/derivatives/api/v4/",
    "/api/history/v3/",
    "/api/history/v2/",
    "/api/charts/v1/",
    "/api/auth/v1/",
)
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_ERROR = json.dumps(
    {
        "status": "INTERNAL_SERVER_ERROR",
        "result": "error",
        "errors": [{"code": 0, "message": "500 INTERNAL_SERVER_ERROR"}],
    }
).encode()


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; whatever it is, it comes ``seconds`` late."""

    kind: Kind
    seconds: float


class Faults:
    """The faults that are planned, by operation; may be used from any thread."""

    def __init__(self) -> None:
        self._planned: dict[str, deque[Fault]] = {}
        self._lock = threading.Lock()

    def plan(self, operation: str, kind: Kind, *, seconds: float = 0.0, times: int = 1) -> None:
        """Let the next calls of an operation go wrong.

        Parameters
        ----------
        operation
            The path after the API's base: ``sendorder``, ``orders/status``, ``account-log``.
        kind
            ``drop-before``: closed before anything happened; ``drop-after``: processed, then closed without an
            answer; ``http-500``: a JSON error instead of processing; ``http-502-html``: a proxy's page instead of
            processing; ``truncate``: processed, the answer cut off in the middle; ``delay``: processed as usual.
        seconds
            How long the call waits first.
        times
            For how many calls. Plans for one operation follow one another.

        Raises
        ------
        ValueError
            If there is no such fault, or a number makes no sense.
        """
        if kind not in get_args(Kind):
            raise ValueError(f"kind is {kind!r}: the faults are {', '.join(get_args(Kind))}")
        if times < 1 or seconds < 0:
            raise ValueError(f"times is {times} and seconds is {seconds}: give at least one call and no negative time")
        with self._lock:
            self._planned.setdefault(operation.strip("/"), deque()).extend([Fault(kind, seconds)] * times)

    def clear(self) -> None:
        """Forget what is planned."""
        with self._lock:
            self._planned.clear()

    def take(self, path: str) -> Fault | None:
        """The fault of a call, which is used up by it."""
        operation = next((path.removeprefix(base) for base in _BASES if path.startswith(base)), path)
        with self._lock:
            waiting = self._planned.get(operation)
            return waiting.popleft() if waiting else None


class FaultyApp:
    """An application whose calls go wrong as planned.

    Parameters
    ----------
    app
        The application.
    faults
        The plan.
    hang_up
        Closes the connection of a client's address.
    """

    def __init__(self, app: ASGIApp, faults: Faults, hang_up: Callable[[tuple[str, int]], None]) -> None:
        self._app = app
        self._faults = faults
        self._hang_up = hang_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call, with its fault if one is planned."""
        fault = self._faults.take(scope["path"]) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(fault.seconds)
        match fault.kind:
            case "delay":
                await self._app(scope, receive, send)
            case "http-500":
                await _answer(send, 500, b"application/json", _ERROR)
            case "http-502-html":
                await _answer(send, 502, b"text/html", _PAGE)
            case "drop-before":
                while (await receive()).get("more_body"):
                    pass
                await self._close(scope, receive)
            case "drop-after":
                await self._process(scope, receive)
                await self._close(scope, receive)
            case "truncate":
                start, body = await self._process(scope, receive)
                await send(start)
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                await self._close(scope, receive)

    async def _process(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """Let the application answer, and keep the answer."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])

    async def _close(self, scope: Scope, receive: Receive) -> None:
        self._hang_up(tuple(scope["client"]))
        # The server must see that the client is gone before it misses an answer.
        while (await receive())["type"] != "http.disconnect":
            pass


async def _answer(send: Send, status: int, media_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
