"""The server: the exchange's operations over HTTP on loopback, in a thread of this process.

One request is served at a time, after the engine has caught up with its clock; a tick every second keeps it moving in
between.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.faults.faulty import FaultyApp
from kfut_analytics.paper.faults.plan import Faults
from kfut_analytics.paper.wire.api import Api
from kfut_analytics.paper.wire.auth import ApiKey
from kfut_analytics.paper.wire.limits import Limits

if TYPE_CHECKING:
    from kfut_analytics.paper.keeping.store import Store

logger = logging.getLogger("kfut_analytics.paper")

TICK_SECONDS = 1.0
SHORTEST_TICK_SECONDS = 0.05
KEEP_ALIVE_SECONDS = 75
"""Seconds an idle connection stays open: who reads for a while and then sends an order must not find it closing."""


def application(exchange: Exchange, keys: dict[str, ApiKey], limits: Limits, faults: Faults) -> Starlette:
    """The ASGI application around an engine."""
    api = Api(exchange, keys, limits)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async def tick() -> None:
            while True:
                await asyncio.sleep(tick_seconds(exchange.clock.speed))
                try:
                    faults.move_on()
                    with exchange.transaction():
                        exchange.sync()
                except Exception:
                    logger.exception("the market could not move on")

        task = asyncio.create_task(tick())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    app = Starlette(routes=api.routes(), exception_handlers={HTTPException: api.http_error}, lifespan=lifespan)
    app.router.redirect_slashes = False  # a signed request that is sent elsewhere is refused there
    return app


def tick_seconds(speed: float) -> float:
    """Real seconds between two ticks: one of the exchange's own, as long as that is neither too long nor too short."""
    return max(SHORTEST_TICK_SECONDS, TICK_SECONDS / max(speed, 1.0))


class _Server(uvicorn.Server):
    """Closes what is still open when the time for a graceful end is over, instead of leaving it to be collected."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, and leave no connection behind."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # a transport closes its socket in the loop's next round


class PaperServer:
    """A running paper exchange.

    Parameters
    ----------
    exchange
        The engine.
    key
        The key pair that opens one of its accounts.
    port
        Port on 127.0.0.1; 0 takes a free one.
    enforce_limits
        Whether the documented rate limits hold. Without them a client is refused nothing for asking often.
    store
        Where the exchange is kept; it accepts all keys there, and is closed with the server.

    Attributes
    ----------
    base_url
        Where it listens, on loopback.
    api_key, api_secret
        The key pair of its account.
    exchange
        The engine behind it.
    keys
        Every accepted key pair by its public key; what is added is accepted from then on.
    store
        Where the exchange is kept, ``None`` for one in memory.
    faults
        What shall go wrong, and what did.
    """

    base_url: str
    api_key: str
    api_secret: str
    exchange: Exchange
    keys: dict[str, ApiKey]
    store: Store | None
    faults: Faults

    def __init__(
        self,
        exchange: Exchange,
        key: ApiKey,
        *,
        port: int = 0,
        enforce_limits: bool = False,
        store: Store | None = None,
    ) -> None:
        self.exchange = exchange
        self.store = store
        self.keys = {key.public: key} if store is None else store.keys
        limits = Limits(enforced=enforce_limits)
        self.faults = Faults(exchange, limits)
        self.api_key, self.api_secret = key.public, key.secret
        # With its protocol named, asyncio switches off Nagle's delay of 40 ms per answer.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":  # elsewhere the option lets two servers share a port
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("127.0.0.1", port))
            self._socket.listen(128)
        except OSError:
            self._socket.close()
            raise
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._app = FaultyApp(
            application(exchange, self.keys, limits, self.faults), self.faults, exchange, self._connection
        )
        config = uvicorn.Config(
            self._app,
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="kfut-paper", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                self._socket.close()
                raise RuntimeError("the paper exchange's server did not start; its log says why")
            time.sleep(0.002)
        atexit.register(self.close)
        logger.info("paper exchange at %s", self.base_url)

    def _connection(self, client: tuple[str, int]) -> asyncio.Transport | None:
        """The connection to a client's address."""
        transports = (connection.transport for connection in self._server.server_state.connections)
        return next((found for found in transports if found.get_extra_info("peername") == client), None)

    def close(self) -> None:
        """Stop the server and free its port; a second call does nothing."""
        atexit.unregister(self.close)
        if self._thread.is_alive():
            self._app.stop()
        self._server.should_exit = True
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=10)
        self._socket.close()
        if self.store is not None:
            self.store.close()
        self.exchange.close()

    def __enter__(self) -> PaperServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PaperServer({self.base_url!r}, api_key={self.api_key[:4] + '…'!r})"
