"""The paper exchanges of this process: the clients of an account share one."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .errors import ArgumentError
from .journal import Journal

if TYPE_CHECKING:
    from .client import Client
    from .paper.server import PaperServer

_LOCK = threading.Lock()
_OPEN: dict[str | Path, Embedded] = {}


class Embedded:
    """A paper exchange in this process, and who works with it.

    Attributes
    ----------
    server
        The exchange.
    journal
        Of an account that lives as long as this process; None for a kept one, whose journal is kept as well.
    """

    def __init__(self, server: PaperServer) -> None:
        self.server = server
        self.journal = Journal(None) if server.store is None else None
        self.connecting = 0
        # A client that is forgotten without being closed does not count.
        self._clients: WeakSet[Client] = WeakSet()

    @cached_property
    def scratch(self) -> Path:
        """A folder for the archive of an account that lives as long as this process, and goes with it."""
        folder = Path(tempfile.mkdtemp(prefix="kfut-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def hold(self, client: Client) -> None:
        """Stay open until a client is closed."""
        self._clients.add(client)

    def release(self, client: Client) -> None:
        """A client is closed; with the last one a kept account is, too."""
        with _LOCK:
            self._clients.discard(client)
            self.close_if_unused()

    def close_if_unused(self) -> None:
        """Close a kept account that nobody works with; the lock is held."""
        if self.server.store is not None and not self.connecting and not self._clients:
            for place in [place for place, embedded in _OPEN.items() if embedded is self]:
                del _OPEN[place]
            self.server.close()


@contextmanager
def embedded_exchange(account: str, options: dict[str, Any]) -> Iterator[Embedded]:
    """The paper exchange of an account, started if this process has none of it; open while it is being connected to.

    Parameters
    ----------
    options
        Arguments of `paper.start` that were given.

    Raises
    ------
    ArgumentError
        If there is no such account, or it was opened or made with other options.
    ConfigurationError
        If its file cannot be opened.
    """
    from . import paper

    with _LOCK:
        # An account in memory is another one with other options.
        place = f"{account} {options}" if account in paper.IN_MEMORY else _kept_at(account, options)
        if place not in _OPEN:
            _OPEN[place] = Embedded(paper.start(account=account, **options))
        embedded = _OPEN[place]
        embedded.connecting += 1
    try:
        yield embedded
    finally:
        with _LOCK:
            embedded.connecting -= 1
            embedded.close_if_unused()


def _kept_at(account: str, options: dict[str, Any]) -> Path:
    """The file of a kept account; if it is open, the options must suit it."""
    from .paper.keeping.named import Origin, account_path

    given = dict(options)
    path = account_path(account, given.pop("home", None))
    speed = given.pop("speed", None)
    if path in _OPEN:
        server = _OPEN[path].server
        assert server.store is not None
        Origin(**given).hold_against(path.stem, server.store.settings)
        if speed not in (None, server.exchange.clock.speed):
            raise ArgumentError(
                f"account {account!r} is open at speed {server.exchange.clock.speed:g}, not {speed!r}: close its "
                "clients first, or leave speed out"
            )
    return path
