"""Faults at work: between the server and the exchange's API, calls go wrong as planned."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.faults.plan import Faults, Mishap
from kfut_analytics.paper.faults.scenario import PROCESSED
from kfut_analytics.paper.wire.auth import AuthenticationError
from kfut_analytics.paper.wire.call import RefusedError
from kfut_analytics.paper.wire.limits import LimitExceededError
from kfut_analytics.paper.wire.refusals import bare_refusal, refusal

Headers = list[tuple[bytes, bytes]]

_ELSEWHERE = b"https://elsewhere.invalid/features/futures"
_PROXY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_SHELL = b'<!doctype html><html><head><title>Futures</title></head><body><div id="root"></div></body></html>'
_RATE_LIMIT_RESET = 1.0
_UNAVAILABLE = "Unavailable"
_NONCE_WORDS = {"nonce-low": "nonceBelowThreshold", "nonce-duplicate": "nonceDuplicate"}
_PIECES = 20
# Linger for no time: what closes the socket resets the connection. Windows has shorter numbers.
_AT_ONCE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Headers
    body: bytes

    @property
    def half(self) -> bytes:
        return self.body[: len(self.body) // 2]

    def without(self, name: bytes) -> _Answer:
        return replace(self, headers=[(key, value) for key, value in self.headers if key != name])


_NO_ANSWER = _Answer(0, [], b"")


class _Stopped(Exception):
    """The server stops, and nobody waits any longer."""


class FaultyApp:
    """An application whose calls go wrong as planned, and whose answers are dated by the exchange's clock.

    Parameters
    ----------
    app
        The application.
    faults
        The plan.
    exchange
        Whose time it is.
    connection
        Finds the transport of a client's address; None if the client has left.
    """

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        exchange: Exchange,
        connection: Callable[[tuple[str, int]], asyncio.Transport | None],
    ) -> None:
        self._app = app
        self._faults = faults
        self._exchange = exchange
        self._connection = connection
        self._date = (0, b"")
        self._stopping = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call, with its fault if one is planned."""
        if scope["type"] != "http":
            self._loop = asyncio.get_running_loop()
            await self._app(scope, receive, send)
            return
        self._faults.move_on()
        mishap = self._faults.take(scope["method"], scope["path"])

        def dated(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [(b"date", self._now()), *self._speed(), *message["headers"]]
            return send(message)

        if mishap is None:
            await self._app(scope, receive, dated)
        else:
            await self._go_wrong(mishap, scope, receive, dated)

    def stop(self) -> None:
        """Let the calls that wait go, as long as the server runs: those that were not processed never will be."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def _now(self) -> bytes:
        second = int(self._exchange.now)
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]

    def _speed(self) -> list[tuple[bytes, bytes]]:
        """How fast time passes here, where it is not the machine's: a client that sets deadlines must know."""
        speed = self._exchange.clock.speed
        return [] if speed == 1 else [(b"kfut-clock-rate", f"{speed:g}".encode())]

    async def _go_wrong(self, mishap: Mishap, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _whole_body(receive)
            if body is None:  # the client left before it had said what it wants
                return
            mishap.asked = (scope["query_string"] + body).decode(errors="replace")
            if mishap.kind not in ("delay-after", "trickle"):
                await self._wait(mishap.seconds)
            own = await self._process(scope, receive, body) if mishap.kind in PROCESSED else _NO_ANSWER
            mishap.processed = own is not _NO_ANSWER
            answer = _instead(mishap.kind, scope["path"], self._exchange.now) or own
            await self._answer(mishap, answer, scope, receive, send)
        except _Stopped:
            await self._hang_up(scope, receive)
        finally:
            mishap.processed = bool(mishap.processed)

    async def _process(self, scope: Scope, receive: Receive, body: bytes) -> _Answer:
        """Let the application answer, and keep the answer."""
        asked: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        said: list[Message] = []

        async def ask() -> Message:
            return asked.pop() if asked else await receive()

        async def keep(message: Message) -> None:
            said.append(message)

        await self._app(scope, ask, keep)
        body = b"".join(message.get("body", b"") for message in said[1:])
        return _Answer(said[0]["status"], said[0]["headers"], body)

    async def _answer(self, mishap: Mishap, answer: _Answer, scope: Scope, receive: Receive, send: Send) -> None:
        match mishap.kind:
            case "drop-before" | "drop-after":
                await self._hang_up(scope, receive)
            case "reset-before" | "reset-after":
                await self._hang_up(scope, receive, reset=True)
            case "truncate":
                await _send(send, answer, answer.half, more=True)
                await self._hang_up(scope, receive)
            case "truncate-chunked":
                await _send(send, answer.without(b"content-length"), answer.half, more=True)
                await self._hang_up(scope, receive)
            case "truncate-unframed":
                await self._send_unframed(answer, scope)
                await self._hang_up(scope, receive)
            case "trickle":
                await self._trickle(send, answer, mishap.seconds)
            case "wrong-type":
                plain = answer.without(b"content-type")
                plain.headers.append((b"content-type", b"text/plain; charset=utf-8"))
                await _send(send, plain, plain.body)
            case _:
                if mishap.kind == "delay-after":
                    await self._wait(mishap.seconds)
                await _send(send, answer, answer.body)

    async def _trickle(self, send: Send, answer: _Answer, seconds: float) -> None:
        step = math.ceil(len(answer.body) / _PIECES) or 1
        starts = range(0, len(answer.body), step)
        await _send(send, answer, b"", more=True)
        for start in starts:
            await self._wait(seconds / len(starts))
            piece = answer.body[start : start + step]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _send_unframed(self, answer: _Answer, scope: Scope) -> None:
        """Half an answer in the form of HTTP/1.0, which the server itself has forgotten how to give."""
        head = [
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}".encode(),
            b"date: " + self._now(),
            *(key + b": " + value for key, value in answer.without(b"content-length").headers),
            b"connection: close",
        ]
        transport = self._connection(tuple(scope["client"]))
        if transport is not None:
            transport.write(b"\r\n".join(head) + b"\r\n\r\n" + answer.half)

    async def _hang_up(self, scope: Scope, receive: Receive, *, reset: bool = False) -> None:
        """Close the connection after what was written to it, or reset it at once."""
        transport = self._connection(tuple(scope["client"]))
        if transport is not None and reset:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            transport.abort()
        elif transport is not None:
            transport.close()
        # The server must see that the client is gone before it misses an answer.
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _wait(self, seconds: float) -> None:
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)
        if self._stopping.is_set():
            raise _Stopped


async def _whole_body(receive: Receive) -> bytes | None:
    """The request's body; None if the client left before it had sent all of it."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def _send(send: Send, answer: _Answer, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": body, "more_body": more})


def _instead(kind: str, path: str, now: float) -> _Answer | None:
    """What is answered in place of the exchange's own answer, if anything."""
    trading = path.startswith("/derivatives")
    match kind.removesuffix("-after"):
        case "http-429":
            return _refused(refusal(path, LimitExceededError(_RATE_LIMIT_RESET), now), HTTPStatus.TOO_MANY_REQUESTS)
        case "http-500":
            return _refused(bare_refusal(path, HTTPStatus.INTERNAL_SERVER_ERROR, now))
        case "http-503" if trading:
            return _refused(refusal(path, RefusedError(_UNAVAILABLE), now), HTTPStatus.SERVICE_UNAVAILABLE)
        case "http-503":
            return _refused(bare_refusal(path, HTTPStatus.SERVICE_UNAVAILABLE, now, _UNAVAILABLE))
        case "nonce-low" | "nonce-duplicate" as nonce:
            return _refused(refusal(path, AuthenticationError(_NONCE_WORDS[nonce]), now))
        case "redirect":
            return _page(301, b"", [(b"location", _ELSEWHERE)])
        case "http-200-html":
            return _page(200, _SHELL)
        case "http-502-html":
            return _page(502, _PROXY_PAGE)
        case _:
            return None


def _refused(response: Response, status: HTTPStatus | None = None) -> _Answer:
    return _Answer(status or response.status_code, response.raw_headers, bytes(response.body))


def _page(status: int, body: bytes, more: Headers | None = None) -> _Answer:
    headers = [(b"content-type", b"text/html"), (b"content-length", str(len(body)).encode())]
    return _Answer(status, headers + (more or []), body)
