"""What the feed asks of a client, and how often: each answer serves everybody who needs it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pandas as pd

from ..client import Client
from ..margin import Margin
from ..risk.picture import Picture
from ..rules import row_of, unknown_symbol
from ..times import utc_now

Topic = Literal["quote", "tickers", "positions", "orders", "fills", "account", "margin", "journal"]

EVERY: dict[Topic, float] = {
    "quote": 1.0,
    "tickers": 2.0,
    "positions": 3.0,
    "orders": 3.0,
    "fills": 5.0,
    "account": 5.0,
    "margin": 5.0,
    "journal": 3.0,
}
"""Seconds between two looks while somebody is watching. Public prices cost no tokens; positions, orders, fills and
balances cost 2 each of the 500 that the exchange grants per 10 seconds (api-facts 5.1), so all topics together take
about 20 of them. The journal is a file of this machine."""

_RULES_KEPT, _SETTINGS_KEPT = 300.0, 60.0
"""Seconds for which margin tiers, and isolated leverages and market states, are taken as they were."""

_JOURNAL_SINCE = "-7d"

_WITH_PRICES: frozenset[Topic] = frozenset({"positions", "orders", "fills"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Quote:
    """A contract's prices at one moment.

    Attributes
    ----------
    symbol
        The contract.
    ticker
        Its row of ``tickers``.
    book
        Its ``order_book``.
    """

    symbol: str
    ticker: pd.Series[Any]
    book: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Data and the exchange's time of it."""

    data: Any
    time: pd.Timestamp


class Sources:
    """Reads each topic with as few requests as there can be; used on threads of the feed."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._kept: dict[str, tuple[float, Any]] = {}
        self.ticks: dict[str, float] = {}

    def read(self, client: Client, topic: Topic, symbol: str | None) -> Answer:
        """Ask for a topic now.

        Raises
        ------
        KfutError
            Whatever the client raises.
        """
        if topic in _WITH_PRICES:
            self.ticks = self._shared("ticks", _RULES_KEPT, lambda: _ticks(client))
        match topic:
            case "quote":
                return self._quote(client, symbol or "")
            case "tickers":
                return _dated(self._shared("tickers", 0.0, client.tickers))
            case "positions":
                return _dated(self._positions(client, 0.0))
            case "orders":
                return _dated(self._shared("orders", 0.0, client.open_orders))
            case "fills":
                return Answer(client.fills(), client.exchange_time())
            case "account":
                balances = self._shared("balances", 0.0, client.balances)
                return Answer(balances, balances.account.time)
            case "margin":
                margin = self._margin(client)
                return Answer(margin, margin.as_of)
            case "journal":
                return Answer(client.journal(_JOURNAL_SINCE), client.exchange_time())

    def _quote(self, client: Client, symbol: str) -> Answer:
        tickers = client.tickers(symbol)
        if symbol not in tickers.index:
            raise unknown_symbol(symbol, tickers)
        return Answer(Quote(symbol, row_of(tickers, symbol), client.order_book(symbol)), _dated(tickers).time)

    def _positions(self, client: Client, age: float) -> pd.DataFrame:
        def fetch() -> pd.DataFrame:
            return client.positions(self._shared("tickers", EVERY["tickers"], client.tickers))

        return self._shared("positions", age, fetch)

    def _margin(self, client: Client) -> Margin:
        """The account's margin, of what others have asked for anyway and of the balances."""
        recent = EVERY["margin"]
        tiers = self._shared("tiers", _RULES_KEPT, lambda: _all_tiers(client))
        return Margin(
            Picture(
                env=client.env,
                account_name=client.account_name,
                balances=(balances := self._shared("balances", recent, client.balances)),
                as_of=balances.account.time,
                positions=self._positions(client, recent),
                tiers=tiers,
                open_orders=self._shared("orders", recent, client.open_orders),
                tickers=self._shared("tickers", recent, client.tickers),
                leverage=self._shared("leverage", _SETTINGS_KEPT, client.leverage_preferences),
                status=self._shared("status", _SETTINGS_KEPT, client.instrument_status),
            ),
            client,
        )

    def _shared(self, name: str, age: float, fetch: Callable[[], T]) -> T:
        """What was fetched less than ``age`` seconds ago, or a fresh one; who comes meanwhile waits for it."""
        arrived = time.monotonic()
        with self._locks[name]:
            when, kept = self._kept.get(name, (float("-inf"), None))
            if when < arrived - age:
                kept = fetch()
                # Dated by when it was asked for: what happens at the exchange later may not be in it.
                self._kept[name] = arrived, kept
            return kept  # type: ignore[no-any-return]


def _ticks(client: Client) -> dict[str, float]:
    return {str(symbol): float(tick) for symbol, tick in client.instruments()["tick_size"].items()}


def _all_tiers(client: Client) -> pd.DataFrame:
    return pd.concat([client.margin_tiers(), client.account_margin_tiers()], ignore_index=True)


def _dated(frame: pd.DataFrame) -> Answer:
    as_of = frame.attrs.get("as_of")
    return Answer(frame, utc_now() if as_of is None else pd.Timestamp(as_of))
