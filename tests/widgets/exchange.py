"""A paper exchange and clients of it for the tests of the widgets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import kfut_analytics as kfut
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.widgets.feed import Snapshot, Trouble, Update


def connect(exchange: PaperServer, **options: Any) -> kfut.Client:
    keys = {"base_url": exchange.base_url, "api_key": exchange.api_key, "api_secret": exchange.api_secret}
    return kfut.connect("paper", **(keys | {"trading": True} | options))


def eventually(condition: Callable[[], object], what: str = "", seconds: float = 10.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what or "it did not happen"
        time.sleep(0.005)


def close(server: PaperServer) -> None:
    """Stop an exchange once its clients have left; a connection that ends while it stops would be left open."""
    connections = server._server.server_state.connections
    deadline = time.monotonic() + 2
    while connections and time.monotonic() < deadline:
        time.sleep(0.005)
    server.close()


class Heard:
    """A subscriber that keeps what it is told."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.threads: set[str] = set()

    def __call__(self, update: Update) -> None:
        self.threads.add(threading.current_thread().name)
        self.updates.append(update)

    def snapshots(self, topic: str = "") -> list[Snapshot]:
        return [u for u in list(self.updates) if isinstance(u, Snapshot) and topic in ("", u.topic)]

    def troubles(self, topic: str = "") -> list[Trouble]:
        return [u for u in list(self.updates) if isinstance(u, Trouble) and topic in ("", u.topic)]
