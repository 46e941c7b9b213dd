"""The feed: asks another exchange again and again for what a market that follows it needs.

Tickers of all contracts come in one answer. Order books and trades are asked for of the contracts alone that somebody
has looked at closely, or works with, in the last minute. Public data costs no tokens; after an error the feed waits
longer each time.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from kfut_analytics.errors import VenueError
from kfut_analytics.paper.clock import HOUR, iso
from kfut_analytics.paper.market import live_wire
from kfut_analytics.paper.market.live_source import ANSWER_SECONDS, TRADING, Source
from kfut_analytics.paper.market.live_wire import Listed, Ticker, Trade
from kfut_analytics.paper.market.protocol import Quotes
from kfut_analytics.paper.market.states import MarketState

logger = logging.getLogger("kfut_analytics.paper")

LONGEST_PAUSE = 30.0
ATTENTION_SECONDS = 60.0
"""So long a contract is followed closely after somebody has looked at it."""
STATES_SECONDS, INSTRUMENTS_SECONDS = 30.0, HOUR
GLANCE_SECONDS = 2.0
"""So long somebody who looks at a contract for the first time waits for its order book."""


class _Moment(NamedTuple):
    """Now, by two clocks: one of them stands still while the machine sleeps, the other one may be set."""

    steady: float
    wall: float

    @classmethod
    def now(cls) -> _Moment:
        return cls(time.monotonic(), time.time())

    @property
    def age(self) -> float:
        now = _Moment.now()
        return max(now.steady - self.steady, now.wall - self.wall)


@dataclass(slots=True)
class _Watched:
    """A contract that is followed closely.

    Attributes
    ----------
    attended
        When somebody looked at it last, by the steady clock.
    tried, seen
        When its book and trades were asked for last, by the steady clock, and when they came; before that the moment
        at which it was first looked at.
    since
        Trades after this time, by the other exchange's clock, are new ones.
    known
        Trades of the last page.
    new
        Trades that nobody has taken yet, oldest first.
    trouble
        Why nothing came when it was asked for last.
    """

    spelled: str
    attended: float
    seen: _Moment
    tried: float = 0.0
    book: Quotes | None = None
    since: float | None = None
    known: set[str] = field(default_factory=set)
    new: list[Trade] = field(default_factory=list)
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the other exchange at a moment.

    Attributes
    ----------
    number
        Grows with everything that comes.
    listed
        The contracts that can be traded, by symbol.
    time
        The other exchange's time of the tickers.
    books, trades
        Of the contracts that are followed closely; trades since the last time somebody took note.
    blind
        Contracts that are followed closely and of which nothing comes, and why.
    silence
        Why no tickers come; empty as long as they do.
    """

    number: int
    listed: dict[str, Listed]
    time: float
    tickers: dict[str, Ticker]
    indices: dict[str, float]
    states: dict[str, MarketState]
    books: dict[str, Quotes]
    trades: dict[str, list[Trade]]
    blind: dict[str, str]
    silence: str


class Feed:
    """Follows the exchange of a source; it has been asked once when this returns.

    Parameters
    ----------
    every
        Seconds from one question to the next; ``None`` to ask by `poll` alone.
    patience
        What is older, in seconds, is not to be traded on.

    Raises
    ------
    VenueError
        If the exchange does not answer.
    """

    def __init__(self, source: Source, *, every: float | None, patience: float) -> None:
        self._source = source
        self._every = every
        self.patience = patience
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._number = 0
        self._states: dict[str, MarketState] = {}
        self._states_due = 0.0
        self._trouble = ""
        self._listed = live_wire.instruments(source.payload(f"{TRADING}/instruments"))
        self._instruments_due = time.monotonic() + INSTRUMENTS_SECONDS
        self._read_tickers()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kfut-paper-feed", daemon=True)
        if every is not None:
            self._thread.start()

    def close(self) -> None:
        """Stop asking; a second call does nothing."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * ANSWER_SECONDS)

    # What came ----------------------------------------------------------------------------------------------------

    def take(self) -> Seen:
        """What is known now; trades are told once."""
        with self._lock:
            trades = {symbol: watched.new for symbol, watched in self._watched.items() if watched.new}
            for symbol in trades:
                self._watched[symbol].new = []
            return Seen(
                self._number,
                self._listed,
                self._time,
                self._tickers,
                self._indices,
                self._states,
                {symbol: watched.book for symbol, watched in self._watched.items() if watched.book is not None},
                trades,
                {s: w.trouble or "nothing came" for s, w in self._watched.items() if w.seen.age > self.patience},
                self._silence(),
            )

    def _silence(self) -> str:
        if self._heard.age <= self.patience:
            return ""
        since = iso(self._heard.wall, ms=False)
        return f"no prices have come from {self._source.base_url} since {since}: {self._trouble or 'nothing came'}"

    def attend(self, symbol: str) -> None:
        """Follow a contract closely for a while."""
        with self._lock:
            self._attended(symbol)

    def glance(self, symbol: str) -> Quotes | None:
        """Follow a contract closely for a while; gives its order book now if it was not followed before."""
        with self._lock:
            is_new = symbol in self._listed and symbol not in self._watched
            watched = self._attended(symbol)
        if not is_new or watched is None:
            return None
        try:
            self._read_book(watched, seconds=GLANCE_SECONDS)
        except VenueError as error:
            logger.info("%s", error)
        return watched.book

    def _attended(self, symbol: str) -> _Watched | None:
        watched = self._watched.get(symbol)
        if watched is None and symbol in self._listed:
            watched = self._watched[symbol] = _Watched(self._listed[symbol].spelled, 0.0, _Moment.now())
        if watched is not None:
            watched.attended = time.monotonic()
        return watched

    # Asking -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._every is not None
        pause = self._every
        while not self._stop.wait(pause):
            begun = time.monotonic()
            try:
                self.poll()
                pause = max(0.0, self._every - (time.monotonic() - begun))
            except Exception as error:  # whatever it is, the feed goes on
                logger.debug("%s", error, exc_info=not isinstance(error, VenueError))
                pause = min(2 * max(pause, self._every), LONGEST_PAUSE)

    def poll(self) -> None:
        """Ask once for everything that is due, and for the closely followed contracts as long as there is time.

        Raises
        ------
        VenueError
            If no tickers come.
        """
        begun = time.monotonic()
        self._ask_now_and_then()
        try:
            self._read_tickers()
        except Exception as error:
            self._trouble = str(error) or repr(error)
            raise
        with self._lock:
            for symbol in [s for s, w in self._watched.items() if begun - w.attended > ATTENTION_SECONDS]:
                del self._watched[symbol]
            following = sorted(self._watched.values(), key=lambda watched: watched.tried)
        for watched in following:
            watched.tried = time.monotonic()
            try:
                self._read_book(watched)
                self._read_trades(watched)
            except VenueError as error:
                watched.trouble = str(error)
                break
            if self._every is not None and time.monotonic() - begun > self._every:
                break

    def _ask_now_and_then(self) -> None:
        """Read what seldom changes; what could not be read is asked for again the next time."""
        now = time.monotonic()
        try:
            if now >= self._states_due:
                self._states = live_wire.states(self._source.payload(f"{TRADING}/instruments/status"))
                self._states_due = now + STATES_SECONDS
            if now >= self._instruments_due:
                self._listed = live_wire.instruments(self._source.payload(f"{TRADING}/instruments"))
                self._instruments_due = now + INSTRUMENTS_SECONDS
        except VenueError as error:
            logger.info("%s", error)

    def _read_tickers(self) -> None:
        payload = self._source.payload(f"{TRADING}/tickers")
        tickers, indices = live_wire.tickers(payload), live_wire.indices(payload)
        with self._lock:
            self._tickers, self._indices = tickers, indices
            self._time = live_wire.server_time(payload) or time.time()
            self._heard, self._trouble = _Moment.now(), ""
            self._number += 1

    def _read_book(self, watched: _Watched, *, seconds: float | None = None) -> None:
        payload = self._source.payload(f"{TRADING}/orderbook", {"symbol": watched.spelled}, seconds=seconds)
        book = live_wire.order_book(payload)
        with self._lock:
            watched.book = book
            if watched.since is None:
                watched.since = live_wire.server_time(payload)
            self._number += 1

    def _read_trades(self, watched: _Watched) -> None:
        trades = live_wire.trades(self._source.payload(f"{TRADING}/history", {"symbol": watched.spelled}))
        with self._lock:
            if watched.since is not None:
                watched.new += [t for t in trades if t.time > watched.since and t.uid not in watched.known]
            watched.since = watched.since or 0.0
            watched.known = {trade.uid for trade in trades}
            watched.seen, watched.trouble = _Moment.now(), ""
