"""What widgets show, kept up to date: one feed per client asks the exchange for whatever its subscribers need.

A request serves all subscribers. Nobody is asked for while nobody looks: a subscriber whose page is hidden is served
once a minute, one whose page is gone not at all, and without subscribers the feed's threads end. They end with the
kernel's main thread and with the client, too.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import pandas as pd

from ..client import Client
from ..errors import ArgumentError, ConfigurationError, RateLimitError, RequestTimeout
from ..rest.progress import quiet
from ..times import utc_now
from .sources import EVERY, Sources, Topic
from .sources import Quote as Quote

_log = logging.getLogger("kfut_analytics.widgets")

Attention = Literal["visible", "hidden", "gone"]

HIDDEN_EVERY = 60.0
"""Seconds between two looks while the page is hidden."""

LATE = 4.0
"""Seconds without an answer after which subscribers are told; the request goes on."""

_LONGEST_PAUSE = 30.0
"""Seconds between two looks at most, while they fail."""

_MOMENT = 1.0
"""Seconds after which the feed looks whether it is still needed."""


_LONG_AGO = -1e9


class Watcher(Protocol):
    """Knows whether somebody looks; `kfut_analytics.widgets.presence.Presence` is one."""

    @property
    def attention(self) -> Attention:
        """``visible``, ``hidden`` or ``gone``."""
        ...

    def on_attention(self, callback: Callable[[], None]) -> None:
        """Call whenever the attention changes."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Trouble:
    """Why there is nothing new of a topic.

    Attributes
    ----------
    topic, symbol
        What was asked for; the symbol for quotes only.
    error
        What happened. `RequestTimeout` also while an answer is late and may still come.
    since
        When it began, by this machine's clock, UTC.
    """

    topic: Topic
    symbol: str | None
    error: Exception
    since: pd.Timestamp


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What the exchange says about a topic.

    Attributes
    ----------
    topic, symbol
        What it is about; the symbol for quotes only.
    data
        ``quote``: a `Quote`. ``tickers``, ``positions``, ``orders``, ``fills`` and ``journal``: the frame of that
        name of the client. ``account``: its `Balances`. ``margin``: a `kfut_analytics.margin.Margin`.
    time
        The exchange's time of the data, UTC.
    received
        This machine's time of its arrival, UTC.
    ended
        The trouble that is over with it, None if there was none.
    """

    topic: Topic
    symbol: str | None
    data: Any
    time: pd.Timestamp
    received: pd.Timestamp
    ended: Trouble | None = None


Update = Snapshot | Trouble


class Subscription:
    """What one subscriber wants; made by `Feed.subscribe`."""

    def __init__(
        self,
        feed: Feed,
        topics: frozenset[Topic],
        callback: Callable[[Update], None],
        symbol: str | None,
        presence: Watcher | None,
    ) -> None:
        self.topics = topics
        self.callback = callback
        self.closed = False
        self._feed = feed
        self._symbol = _contract(symbol)
        self._presence = presence

    @property
    def symbol(self) -> str | None:
        """Contract whose quote is wanted; another one may be set, and None for no quote."""
        return self._symbol

    @symbol.setter
    def symbol(self, symbol: str | None) -> None:
        self._symbol = _contract(symbol)
        self._feed.joined(self)

    @property
    def attention(self) -> Attention:
        """Whether somebody looks; always, where nothing is known."""
        return "visible" if self._presence is None else self._presence.attention

    def wants(self, key: _Key) -> bool:
        """Whether a source is among what is wanted."""
        return not self.closed and key in self.wanted

    @property
    def wanted(self) -> set[_Key]:
        """The sources that are wanted."""
        quotes: set[_Key] = {("quote", self._symbol)} if self._symbol and "quote" in self.topics else set()
        return quotes | {(topic, None) for topic in self.topics if topic != "quote"}

    def close(self) -> None:
        """Want nothing any more; no callback begins after this."""
        self.closed = True
        self._feed.left(self)


_Key = tuple[Topic, str | None]


class _Source:
    """One thing that is asked for again and again."""

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.begun = _LONG_AGO
        self.running = False
        self.wanted = False
        self.failures = 0
        self.not_before = _LONG_AGO
        self.trouble: Trouble | None = None
        self.latest: Snapshot | None = None

    def due(self, every: float) -> float:
        """The clock's time of the next look."""
        if self.wanted:
            return self.not_before
        pause = min(_LONGEST_PAUSE, 2.0**self.failures) if self.failures else 0.0
        return max(self.begun + max(every, pause), self.not_before)


class Feed:
    """Asks a client for what its subscribers need and hands it to them; get the one of a client with `feed_of`.

    Parameters
    ----------
    client
        Held weakly: the feed does not keep it alive.
    """

    def __init__(self, client: Client) -> None:
        self._client = weakref.ref(client)
        self._sources = Sources()
        self._lock = threading.RLock()
        self._subscriptions: list[Subscription] = []
        self._asked: dict[_Key, _Source] = {}
        self._outbox: deque[tuple[Update, Subscription | None]] = deque()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def subscribe(
        self,
        topics: Iterable[Topic],
        callback: Callable[[Update], None],
        *,
        symbol: str | None = None,
        presence: Watcher | None = None,
    ) -> Subscription:
        """Be told what the exchange says, from now on.

        Parameters
        ----------
        topics
            Some of ``quote``, ``tickers``, ``positions``, ``orders``, ``fills``, ``account``, ``margin``, ``journal``.
        callback
            Called on the feed's thread with each `Snapshot`, and with a `Trouble` when one begins.
        symbol
            Contract whose quote is wanted.
        presence
            Tells whether somebody looks; without one the subscriber is served as if somebody did.

        Raises
        ------
        ArgumentError
            If there is no such topic.
        """
        wanted = frozenset(topics)
        if unknown := wanted - set(get_args(Topic)):
            raise ArgumentError(f"{sorted(unknown)[0]!r} is not a topic: use some of {', '.join(get_args(Topic))}")
        subscription = Subscription(self, wanted, callback, symbol, presence)
        with self._lock:
            self._subscriptions.append(subscription)
        if presence is not None:
            presence.on_attention(self._wake.set)
        self.joined(subscription)
        return subscription

    def refresh(self, *topics: Topic) -> None:
        """Look at these topics as soon as can be, as far as they are wanted; after an order was sent, for instance."""
        with self._lock:
            for source in self._asked.values():
                source.wanted |= source.key[0] in topics
        self._wake.set()

    def joined(self, subscription: Subscription) -> None:
        """Serve a subscription that is new, or that wants something else now."""
        with self._lock:
            for key in subscription.wanted:
                source = self._asked.setdefault(key, _Source(key))
                known = source.trouble or source.latest
                if known is not None:
                    self._outbox.append((known, subscription))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="kfut-feed", daemon=True)
                self._thread.start()
        self._wake.set()

    def left(self, subscription: Subscription) -> None:
        """Serve a subscription no more."""
        with self._lock:
            self._subscriptions = [other for other in self._subscriptions if other is not subscription]
        self._wake.set()

    @property
    def ticks(self) -> Mapping[str, float]:
        """Price steps by contract, as far as they are known; positions, orders and fills need them to be shown."""
        return self._sources.ticks

    @property
    def running(self) -> bool:
        """Whether the feed's thread runs."""
        return self._thread is not None

    # ---- the feed's thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait = 0.0
        while True:
            self._wake.wait(wait)
            self._wake.clear()
            self._deliver()
            with self._lock:
                client = self._client()
                if client is not None and client.closed and self._subscriptions:
                    self._tell_closed()
                elif client is not None and self._subscriptions and threading.main_thread().is_alive():
                    wait = self._look(client)
                    del client
                    continue
                self._asked.clear()
                self._thread = None
            self._deliver()
            return

    def _look(self, client: Client) -> float:
        """Begin the requests that are due and tell of those that are late; seconds until there is more to do."""
        now = time.monotonic()
        needed: dict[_Key, float] = {}
        for subscription in self._subscriptions:
            for key in subscription.wanted:
                every = _EVERY_BY_ATTENTION[subscription.attention](key[0])
                needed[key] = min(every, needed.get(key, float("inf")))
        self._asked = {key: self._asked.get(key) or _Source(key) for key in needed}
        wait = _MOMENT
        for key, source in self._asked.items():
            if source.running:
                if now - source.begun >= LATE and source.trouble is None:
                    seconds = now - source.begun
                    late = RequestTimeout(f"no answer from the exchange for {seconds:.0f} s; still waiting")
                    self._trouble(source, late)
                    self._wake.set()
                continue
            due = source.due(needed[key])
            if due <= now:
                source.begun, source.running, source.wanted = now, True, False
                threading.Thread(target=self._ask, args=(client, source), name="kfut-feed-ask", daemon=True).start()
            else:
                wait = min(wait, due - now)
        return wait

    def _ask(self, client: Client, source: _Source) -> None:
        """Ask once; runs on a thread of its own."""
        try:
            with quiet():
                answer = self._sources.read(client, *source.key)
        except Exception as error:
            _log.debug("the feed's look at %s failed", source.key, exc_info=True)
            with self._lock:
                source.failures += 1
                if isinstance(error, RateLimitError):
                    source.not_before = time.monotonic() + (error.retry_after or 0.0)
                self._trouble(source, error)
        else:
            with self._lock:
                source.latest = Snapshot(*source.key, answer.data, answer.time, utc_now(), source.trouble)
                source.failures, source.trouble = 0, None
                self._outbox.append((source.latest, None))
        finally:
            source.running = False
            self._wake.set()

    def _trouble(self, source: _Source, error: Exception) -> None:
        """Note what went wrong; subscribers are told when it begins and when it becomes another kind of trouble."""
        before = source.trouble
        since = utc_now() if before is None else before.since
        source.trouble = Trouble(*source.key, error, since)
        if before is None or type(before.error) is not type(error):
            self._outbox.append((source.trouble, None))

    def _tell_closed(self) -> None:
        error = ConfigurationError("the client is closed: open a new one with kfut.connect(), and show this again")
        for key in {key for subscription in self._subscriptions for key in subscription.wanted}:
            self._outbox.append((Trouble(*key, error, utc_now()), None))

    def _deliver(self) -> None:
        while True:
            with self._lock:
                if not self._outbox:
                    return
                update, only = self._outbox.popleft()
                receivers = [only] if only is not None else list(self._subscriptions)
            for subscription in receivers:
                if not subscription.wants((update.topic, update.symbol)):
                    continue
                try:
                    subscription.callback(update)
                except Exception:
                    # A subscriber shows its own errors; here is only what it failed to show.
                    _log.exception("a subscriber of the feed failed on %s", update.topic)


_EVERY_BY_ATTENTION: dict[Attention, Callable[[Topic], float]] = {
    "visible": lambda topic: EVERY[topic],
    "hidden": lambda topic: max(EVERY[topic], HIDDEN_EVERY),
    "gone": lambda _topic: float("inf"),
}


_FEEDS: weakref.WeakKeyDictionary[Client, Feed] = weakref.WeakKeyDictionary()
_FEEDS_LOCK = threading.Lock()


def feed_of(client: Client) -> Feed:
    """The one feed of a client."""
    with _FEEDS_LOCK:
        feed = _FEEDS.get(client)
        if feed is None:
            feed = _FEEDS[client] = Feed(client)
        return feed


def _contract(symbol: str | None) -> str | None:
    return (symbol or "").strip().upper() or None
