"""What the exchange's clock shows, learned from the times in its answers."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pandas as pd

from ..times import utc_now

_DRIFT = 2e-4
"""Seconds per second by which an old comparison of two clocks may have become wrong."""

JUMP = 5.0
"""Seconds by which an answer's time must lie off for the clock to have been set, rather than read by another server."""

STEADY = 15.0
"""Seconds after such a jump in which nothing is proved by the clock: it may be set back."""


class ExchangeClock:
    """Tells the exchange's time between its answers; safe across threads.

    An answer carries the time at which it was written, which lies between sending the request and receiving the
    answer. The middle is the estimate, half the round trip its error; of all answers the one with the smallest error
    counts, and an old one loses against a new one as clocks drift. Time between answers is measured by this
    machine's monotonic clock, so that setting the machine's clock changes nothing.

    Parameters
    ----------
    rate
        Seconds that pass on the exchange in one of this machine's: 1, but for a paper exchange at another speed.
    """

    def __init__(self, rate: float = 1.0) -> None:
        self.rate = rate
        self._lock = threading.Lock()
        self._at = 0.0
        self._shown: float | None = None
        self._error = 0.0
        self._heard: float | None = None
        self._received = float("-inf")
        self._jumped = float("-inf")

    def note(self, sent: float, received: float, shown: str) -> None:
        """Learn from an answer.

        Parameters
        ----------
        sent, received
            When the request went out and the answer came, by ``time.monotonic()``.
        shown
            The exchange's time in the answer, ISO 8601.
        """
        try:
            seconds = datetime.fromisoformat(shown).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return
        middle, error = (sent + received) / 2, self.rate * (received - sent) / 2
        with self._lock:
            if received >= self._received:
                self._received, self._heard = received, seconds
            if self._shown is not None:
                known = self._error + self._drift(middle)
                off = abs(seconds - self._shown - self.rate * (middle - self._at)) - known - error
                if off > self.rate * JUMP > 0:  # a clock that stands still and is moved by hand is not set back
                    self._jumped = received
                if error > known and off <= 0:
                    return
            self._at, self._shown, self._error = middle, seconds, error

    @property
    def error(self) -> float:
        """Seconds by which `now` may be wrong; infinite as long as nothing was heard."""
        with self._lock:
            if self._shown is None:
                return float("inf")
            return self._error + self._drift(time.monotonic())

    def now(self) -> pd.Timestamp:
        """The exchange's time; this machine's as long as nothing was heard."""
        with self._lock:
            if self._shown is None:
                return utc_now()
            seconds = self._shown + self.rate * (time.monotonic() - self._at)
        return pd.Timestamp(seconds, unit="s", tz="UTC")

    @property
    def heard(self) -> pd.Timestamp | None:
        """The time that the last answer carried: the exchange's clock has certainly passed it.

        None if there was none, or if the clock was set a moment ago.
        """
        with self._lock:
            if self._heard is None or time.monotonic() < self._jumped + STEADY:
                return None
            return pd.Timestamp(self._heard, unit="s", tz="UTC")

    def _drift(self, moment: float) -> float:
        return _DRIFT * self.rate * abs(moment - self._at)
