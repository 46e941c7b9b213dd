"""Named paper accounts: where their files lie, what they begin with, and opening, listing and resetting them."""

from __future__ import annotations

import math
import os
import re
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import platformdirs

from kfut_analytics.errors import ArgumentError, ConfigurationError
from kfut_analytics.paper.clock import ManualClock, WallClock
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.margin import SINGLE_COLLATERAL_WALLETS
from kfut_analytics.paper.engine.wallets import CURRENCIES
from kfut_analytics.paper.keeping.files import AccountFile, is_file, is_open, set_aside
from kfut_analytics.paper.keeping.store import Settings, Store, create, glance, keys_of, open_stored, settings_of
from kfut_analytics.paper.market.kinds import KINDS, open_market
from kfut_analytics.paper.wire.auth import ApiKey

HOME_VARIABLE = "KFUT_HOME"
"""Variable of the environment that names the folder for everything that is kept."""

LARGEST_SEED = 2**63 - 1
LARGEST_AMOUNT = 1e12

Home = str | os.PathLike[str] | None
Balance = Mapping[str, float | Decimal]
"""Amounts by currency of the multi-collateral wallet (``USD``) or by name of another wallet (``fi_xbtusd``)."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Other accounts, and what is no name of a file on every system.
_TAKEN = re.compile(r"demo|empty|house|participants|con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)
_SPELLINGS = {"BTC": "XBT"}
# What reading a damaged file may end with.
_UNREADABLE = (ConfigurationError, sqlite3.Error)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of accounts shows of one.

    Attributes
    ----------
    balances
        Amounts by wallet and currency.
    now
        The exchange's time.
    size
        Bytes of its file.
    is_open
        Whether a process works with it.
    trouble
        Why it cannot be read, empty if it can.
    """

    name: str
    balances: dict[tuple[str, str], float]
    now: float
    size: int
    is_open: bool
    trouble: str = ""


def accounts_folder(home: Home = None) -> Path:
    """The folder of the accounts' files.

    Parameters
    ----------
    home
        The folder for everything that is kept: by default the one that ``KFUT_HOME`` names, else the user's data
        folder.
    """
    named = home or os.environ.get(HOME_VARIABLE)
    folder = Path(named).expanduser() if named else platformdirs.user_data_path("kfut_analytics", appauthor=False)
    return folder / "paper"


def account_path(name: str, home: Home = None) -> Path:
    """The file of an account; upper and lower case are the same.

    Raises
    ------
    ArgumentError
        If it is no name for an account.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or _TAKEN.fullmatch(name):
        raise ArgumentError(
            f"account is {name!r}: a name has letters, digits, - and _, at most 64 of them, and is not reserved"
        )
    return accounts_folder(home) / f"{name.lower()}.sqlite"


@dataclass(frozen=True, slots=True)
class Origin:
    """What an account is made with; ``None`` where nothing is said.

    Parameters
    ----------
    balance
        Amounts by currency of the multi-collateral wallet (``USD``, ``XBT``) or by name of a single-collateral wallet
        (``fi_xbtusd``).
    seed
        Determines the market.
    market, market_url
        Where prices come from: ``simulated``, or ``live`` from the public data of the exchange at an address.

    Raises
    ------
    ArgumentError
        If something makes no sense.
    """

    balance: Balance | None = None
    seed: int | None = None
    market: str | None = None
    market_url: str | None = None

    def __post_init__(self) -> None:
        if self.balance is not None:
            object.__setattr__(self, "balance", _amounts(self.balance))
        if self.seed is not None and not (type(self.seed) is int and 0 <= self.seed <= LARGEST_SEED):
            raise ArgumentError(
                f"seed={self.seed!r} determines no market: give a whole number from 0 to {LARGEST_SEED}"
            )
        if self.market not in (None, *KINDS):
            raise ArgumentError(f"market={self.market!r} is not one of {', '.join(map(repr, KINDS))}")
        if self.market_url is not None and self.market != "live":
            raise ArgumentError(f"market_url={self.market_url!r} belongs to market='live': give both or neither")

    def settings(self, name: str, opened: float, default: Origin) -> Settings:
        """Those of an account that is made with it, and with the default where it says nothing."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.market is not None:
            default = replace(default, market=self.market, market_url=self.market_url)
        return Settings(
            name, opened, **{what: getattr(default, what) if value is None else value for what, value in said.items()}
        )

    def hold_against(self, name: str, settings: Settings) -> None:
        """Refuse to be another one than that of an account with a name.

        Raises
        ------
        ArgumentError
            Naming what it is.
        """
        for field in fields(self):
            said, made_with = getattr(self, field.name), getattr(settings, field.name)
            if said is not None and said != made_with:
                raise ArgumentError(
                    f"account {name!r} was made with {field.name}={made_with!r}, not {said!r}: leave {field.name} out, "
                    f"or begin anew with kfut paper reset {name}"
                )


def _amounts(balance: Balance) -> dict[str, float]:
    """A balance in one spelling."""
    if not isinstance(balance, Mapping):
        raise ArgumentError(f'balance={balance!r} is no mapping: give amounts by currency, such as {{"USD": 10000}}')
    amounts: dict[str, float] = {}
    for name, amount in balance.items():
        spelled = _SPELLINGS.get(str(name).upper(), str(name).upper())
        if spelled.lower() in SINGLE_COLLATERAL_WALLETS:
            spelled = spelled.lower()
        elif spelled.lower() not in CURRENCIES["flex"]:
            raise ArgumentError(
                f"balance names {name!r}: give currencies of the multi-collateral wallet "
                f"({', '.join(CURRENCIES['flex']).upper()}) or other wallets ({', '.join(SINGLE_COLLATERAL_WALLETS)})"
            )
        number = isinstance(amount, int | float | Decimal) and not isinstance(amount, bool)
        if not (number and 0 <= amount <= LARGEST_AMOUNT):
            shown = str(amount) if isinstance(amount, Decimal) else repr(amount)
            raise ArgumentError(f"balance has {shown} of {name}: give an amount from 0 to {LARGEST_AMOUNT:.0f}")
        if spelled in amounts:
            raise ArgumentError(f"balance names {spelled} twice: give it once")
        amounts[spelled] = float(amount)
    return dict(sorted(amounts.items()))


DEFAULT = Origin({"USD": 10_000}, 0, "simulated")
"""What accounts are made with where nothing is said."""


def create_account(name: str, origin: Origin = DEFAULT, *, home: Home = None) -> Path:
    """Make an account and give the path of its file.

    Raises
    ------
    ArgumentError
        If it is no name for an account.
    ConfigurationError
        If there is such an account, or its file cannot be written.
    """
    path = account_path(name, home)
    settings = origin.settings(path.stem, round(time.time(), 3), DEFAULT)
    with closing(_new_exchange(settings)) as exchange:
        create(path, settings, exchange, [ApiKey(path.stem)])
    return path


def _new_exchange(settings: Settings) -> Exchange:
    market = open_market(settings.market, seed=settings.seed, url=settings.market_url)
    exchange = Exchange(seed=settings.seed, clock=ManualClock(settings.opened), market=market)
    account = exchange.open_account(settings.name)
    for spelled, amount in settings.balance.items():
        if spelled in SINGLE_COLLATERAL_WALLETS:
            account.transfer(exchange.now, spelled, SINGLE_COLLATERAL_WALLETS[spelled], amount)
        else:
            account.transfer(exchange.now, "flex", spelled.lower(), amount)
    return exchange


def open_account(name: str, origin: Origin, *, speed: float = 1.0, home: Home = None) -> Store:
    """Open an account; where there is none, it is made if the origin says its balance.

    Parameters
    ----------
    origin
        What it shall be made with, or was made with.
    speed
        Seconds of the exchange per second, see `open_stored`.

    Raises
    ------
    ArgumentError
        If there is no such account and no balance, or there is one that was made with something else.
    ConfigurationError
        If its file cannot be opened.
    """
    path = account_path(name, home)
    WallClock(speed)  # a speed that makes no sense is refused before anything is made
    if origin.balance is not None and not is_file(path):
        create_account(name, origin, home=home)
    store = open_stored(known_path(name, home), speed=speed)
    try:
        origin.hold_against(path.stem, store.settings)
    except ArgumentError:
        store.close()
        raise
    return store


def known_path(name: str, home: Home = None) -> Path:
    """The file of an account that there is.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    path = account_path(name, home)
    if not is_file(path):
        raise ArgumentError(
            f"account is {name!r}: {_those_there_are(home)}; to make it give a balance, such as "
            f'balance={{"USD": 10000}}, or run kfut paper init {name}'
        )
    return path


def reset_account(name: str, origin: Origin, *, home: Home = None) -> Path:
    """Begin an account anew and give the path of the file that was set aside.

    What the origin does not say stays as it was, and so do the keys; of a file that cannot be read nothing stays.

    Raises
    ------
    ArgumentError
        If there is no such account.
    ConfigurationError
        If a process works with it, or the folder cannot be written to.
    """
    path = known_path(name, home)
    default, keys = DEFAULT, [ApiKey(path.stem)]
    with suppress(*_UNREADABLE), closing(AccountFile(path, look=True)) as file:
        made_with = settings_of(file)
        default = Origin(made_with.balance, made_with.seed, made_with.market, made_with.market_url)
        keys = keys_of(file)
    backup = path.with_suffix(f".{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.backup")
    settings = origin.settings(path.stem, round(time.time(), 3), default)
    # An exchange that cannot be had leaves the file where it is.
    with closing(_new_exchange(settings)) as exchange:
        set_aside(path, backup)
        create(path, settings, exchange, keys)
    return backup


def list_accounts(home: Home = None) -> list[Summary]:
    """All accounts by name; those that are open are looked at, too."""
    return [_summary(path) for path in sorted(accounts_folder(home).glob("*.sqlite")) if is_file(path)]


def _summary(path: Path) -> Summary:
    summary = Summary(path.stem, {}, math.nan, path.stat().st_size, is_open(path))
    try:
        with closing(AccountFile(path, look=True)) as file:
            balances, now = glance(file)
    except _UNREADABLE as error:
        return replace(summary, trouble=str(error))
    return replace(summary, balances=balances, now=now)


def _those_there_are(home: Home) -> str:
    names = ["demo", "empty", *(path.stem for path in sorted(accounts_folder(home).glob("*.sqlite")))]
    return f"the paper exchange has {', '.join(map(repr, names[:-1]))} and {names[-1]!r}"
