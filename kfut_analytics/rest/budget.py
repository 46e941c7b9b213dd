"""Token pools: how much may be asked of the exchange, kept on this side so that it never has to refuse.

The exchange allows 500 tokens per 10 seconds on ``/derivatives`` and 100 per 10 minutes on ``/api/history``
(api-facts 5). Whether its windows slide or refill is not published, so a pool here never spends more than its
capacity within *any* stretch of its period, which satisfies every reading.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from .endpoints import Pool

_log = logging.getLogger("kfut_analytics.rest")

LIMITS: dict[Pool, tuple[int, float]] = {"derivatives": (500, 10.0), "history": (100, 600.0)}
"""Tokens and seconds of each pool (api-facts 5.1 and 5.2)."""

SLICE = 1.0
"""Seconds after which a caller that waits is told again."""

OnWait = Callable[[str], None]


class TokenPool:
    """One pool, safe across threads; callers that must wait are served in the order they came.

    Parameters
    ----------
    name
        For messages.
    capacity, period
        At most ``capacity`` tokens are spent within any ``period`` seconds.
    clock, sleep
        Replaced in tests.
    """

    def __init__(
        self,
        name: str,
        capacity: int,
        period: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.period = period
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._spent: deque[tuple[float, int]] = deque()
        self._used = 0
        self._blocked_until = float("-inf")
        self._tickets = 0
        self._queue: list[int] = []

    def spend(self, tokens: int, on_wait: OnWait | None = None) -> float:
        """Take tokens, waiting until they are there; return the clock's time when they were taken.

        Parameters
        ----------
        tokens
            Cost of the call; one that costs more than the whole pool waits for a full pool.
        on_wait
            Told why and how long the caller still waits, once a second; what it raises ends the waiting.
        """
        wanted = min(tokens, self.capacity)
        with self._lock:
            ticket = self._tickets
            self._tickets += 1
            heapq.heappush(self._queue, ticket)
        told = False
        try:
            while True:
                wait, now = self._try(ticket, wanted)
                if wait <= 0:
                    return now
                text = f"waiting {wait:.1f} s for {tokens} tokens of the {self.name} pool"
                if wait >= 1 and not told:
                    _log.info("%s", text)
                    told = True
                if on_wait is not None:
                    on_wait(text)
                self._sleep(min(wait, SLICE))
        finally:
            with self._lock:
                self._queue.remove(ticket)
                heapq.heapify(self._queue)

    def _try(self, ticket: int, wanted: int) -> tuple[float, float]:
        """Spend and return 0, or the seconds after which to try again; and the clock's time."""
        with self._lock:
            now = self._clock()
            while self._spent and self._spent[0][0] + self.period <= now:
                self._used -= self._spent.popleft()[1]
            blocked = self._blocked_until - now
            if blocked > 0:
                return blocked, now
            if self._queue[0] != ticket:
                return self._time_until_free(1, now) or self.period / 1000, now
            wait = self._time_until_free(wanted, now)
            if wait <= 0:
                self._spent.append((now, wanted))
                self._used += wanted
            return wait, now

    def _time_until_free(self, wanted: int, now: float) -> float:
        free = self.capacity - self._used
        for when, tokens in self._spent:
            if free >= wanted:
                break
            free += tokens
            if free >= wanted:
                return max(when + self.period - now, 1e-6)
        return 0.0

    def block(self, seconds: float) -> None:
        """Spend nothing for a while: the exchange said that its own pool is empty."""
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._clock() + seconds)

    @property
    def available(self) -> int:
        """Tokens that could be spent at this moment."""
        with self._lock:
            now = self._clock()
            if self._blocked_until > now:
                return 0
            return self.capacity - sum(tokens for when, tokens in self._spent if when + self.period > now)


class Budget:
    """The token pools of one API key."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.pools = {
            name: TokenPool(name, capacity, period, clock=clock, sleep=sleep)
            for name, (capacity, period) in LIMITS.items()
        }

    def spend(self, pool: Pool, tokens: int, on_wait: OnWait | None = None) -> None:
        """Take tokens from a pool; calls without a pool are free."""
        if pool and tokens:
            self.pools[pool].spend(tokens, on_wait)

    def block(self, pool: Pool, seconds: float) -> None:
        """Spend nothing from a pool for a while."""
        if pool:
            self.pools[pool].block(seconds)


_BUDGETS: dict[tuple[str, str], Budget] = {}
_BUDGETS_LOCK = threading.Lock()


def shared_budget(base_url: str, api_key: str) -> Budget:
    """The one budget of this process for a key at an exchange, however many clients use it."""
    with _BUDGETS_LOCK:
        return _BUDGETS.setdefault((base_url, api_key), Budget())
