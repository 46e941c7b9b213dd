"""An exchange that outlives its process, kept in a file.

Every request and every tick is one transaction of the file. It is written before its answer leaves; one that fails,
or whose writing fails, has not happened, and the exchange goes on from what the file holds.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NoReturn

from kfut_analytics.errors import ConfigurationError
from kfut_analytics.paper.clock import Clock, ManualClock, WallClock
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.keeping.codec import Codec, Table
from kfut_analytics.paper.keeping.containers import Change, Place, Row, Single
from kfut_analytics.paper.keeping.files import AccountFile, create_file, damaged
from kfut_analytics.paper.keeping.layout import Layout
from kfut_analytics.paper.market.kinds import open_market
from kfut_analytics.paper.market.protocol import Market
from kfut_analytics.paper.wire.auth import ApiKey

IDLE_SECONDS = 60.0
"""So much of the exchange's time passes before it alone is written, if the machine's clock gives it back."""

OWN_TIME_SECONDS = 1.0
"""So many real seconds pass before time alone is written, if only the file knows it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an account was made with, and never changes.

    Attributes
    ----------
    balance
        What it began with, by currency of the multi-collateral wallet or name of another wallet.
    opened
        When its exchange opened, in the exchange's time.
    """

    name: str
    opened: float
    balance: dict[str, float]
    seed: int
    market: str
    market_url: str | None


def create(path: Path, settings: Settings, exchange: Exchange, keys: Iterable[ApiKey]) -> None:
    """Make the file of an exchange as it is.

    Raises
    ------
    ConfigurationError
        If there is a file already, or it cannot be written.
    """
    layout, place = Layout(), _settings_place()
    by_public = {key.public: key for key in keys}
    kept = layout.changes(exchange, by_public), layout.along(exchange, by_public)
    changes = _gathered(Single(place).changes(settings), *kept)
    create_file(path, [table.create for table in (place, *layout.places)], changes)


def settings_of(file: AccountFile) -> Settings:
    """What the account of a file was made with."""
    with _readable(file.path):
        settings: Settings = Single(_settings_place()).read(file)
    return settings


def keys_of(file: AccountFile) -> list[ApiKey]:
    """The key pairs that open the account of a file."""
    keys: dict[str, ApiKey] = {}
    with _readable(file.path):
        Layout().keys.read(file, keys)
    return list(keys.values())


def glance(file: AccountFile) -> tuple[dict[tuple[str, str], float], float]:
    """The balances of the account of a file, by wallet and currency, and the exchange's time."""
    with _readable(file.path):
        accounts, now = Layout().glance(file)
        return accounts[settings_of(file).name], now


def open_stored(path: Path, clock: Clock | None = None, *, speed: float = 1.0) -> Store:
    """Open the exchange of a file and let happen what was due since it was closed.

    Parameters
    ----------
    path
        The file; `create` makes it.
    clock
        Where the time comes from. By default the machine's clock at speed 1, unless the exchange is ahead of it; its
        time goes on from where it stopped then, and at any other speed.
    speed
        Seconds of the exchange per second, for the default clock.

    Raises
    ------
    ConfigurationError
        If the file cannot be opened, see `AccountFile`.
    """
    file = AccountFile(path)
    try:
        return Store(file, clock, speed=speed)
    except BaseException:
        file.close()
        raise


class Store:
    """An open file and its exchange.

    Attributes
    ----------
    settings
        What the account was made with.
    exchange
        The exchange.
    keys
        The key pairs of its accounts, by public key.
    """

    settings: Settings
    exchange: Exchange
    keys: dict[str, ApiKey]

    def __init__(self, file: AccountFile, clock: Clock | None = None, *, speed: float = 1.0) -> None:
        self._file = file
        self._is_closed = False
        self._bring_up_to_date()
        made_with = self.settings = settings_of(file)
        market = open_market(made_with.market, seed=made_with.seed, url=made_with.market_url, speed=speed)
        try:
            self._begin(market, clock, speed)
        except BaseException:
            market.close()
            raise

    def _begin(self, market: Market, clock: Clock | None, speed: float) -> None:
        self.exchange, self.keys, self._layout = self._read(market)
        stopped = self.exchange.now
        if clock is None:
            clock = WallClock(speed, None if speed == 1 and stopped <= time.time() else stopped)
        self.exchange.clock = clock
        self.exchange.transaction = self.transaction
        self._time_is_found_again = isinstance(clock, WallClock) and clock.is_real
        self._is_stale = False
        self._time, self._written_at = stopped, time.monotonic()
        with self.transaction():
            self.exchange.sync()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What happens within is written before it ends, or it ends with an error and nothing has happened."""
        with self.exchange.lock:
            if self._is_stale:
                self._read_again()
            self._is_stale = True
            yield
            self._write()
            self._is_stale = False

    def close(self) -> None:
        """Write the time and close the file; a second call does nothing."""
        with self.exchange.lock:
            if self._is_closed:
                return
            self._is_closed = True
            try:
                if not self._is_stale:
                    self._write(time_too=True)
            finally:
                self._file.close()
                self.exchange.close()

    def _write(self, *, time_too: bool = False) -> None:
        changes = _gathered(self._layout.changes(self.exchange, self.keys))
        if changes or time_too or self._time_is_due():
            changes |= _gathered(self._layout.along(self.exchange, self.keys))
        if changes:
            self._file.write(changes)
            self._time, self._written_at = self.exchange.now, time.monotonic()

    def _time_is_due(self) -> bool:
        """Whether the time is written though nothing else has changed."""
        passed = self.exchange.now - self._time
        if self._time_is_found_again:
            return passed >= IDLE_SECONDS
        return passed > 0 and time.monotonic() - self._written_at >= OWN_TIME_SECONDS

    def _bring_up_to_date(self) -> None:
        """Give the file of an older version what was added since."""
        added = [change for place in (_settings_place(), *Layout().places) for change in place.upgrade(self._file)]
        if added:
            self._file.write(_gathered(added))

    def _read(self, market: Market) -> tuple[Exchange, dict[str, ApiKey], Layout]:
        """The exchange as the file holds it, at the time at which it was written."""
        made_with = self.settings
        exchange = Exchange(seed=made_with.seed, clock=ManualClock(made_with.opened), market=market)
        keys: dict[str, ApiKey] = {}
        layout = Layout()
        with _readable(self._file.path), _no_collections():
            layout.read(self._file, exchange, keys)
        return exchange, keys, layout

    def _read_again(self) -> None:
        """Go back to what the file holds; those who know the exchange and its keys go on with them."""
        exchange, keys, self._layout = self._read(self.exchange.market)
        held = ("clock", "lock", "transaction", "states", "downtimes")
        vars(self.exchange).update({name: value for name, value in vars(exchange).items() if name not in held})
        self.keys.clear()
        self.keys.update(keys)


def _settings_place() -> Place:
    def no_contract(_: object) -> NoReturn:
        raise TypeError("settings name no contract")

    return Place("settings", Table(Settings, Codec(no_contract, no_contract)), keyed=True)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say of rows that cannot be read that the file is damaged."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(damaged(path, error)) from error


@contextmanager
def _no_collections() -> Iterator[None]:
    """Let the garbage collector wait while very many objects are made, none of which is garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _gathered(*changes: Iterable[Change]) -> dict[str, list[Row]]:
    """Changes by their statements."""
    gathered: dict[str, list[Row]] = {}
    for statement, row in chain(*changes):
        gathered.setdefault(statement, []).append(row)
    return gathered
