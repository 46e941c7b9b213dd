"""Time on the paper exchange: seconds since the epoch, in UTC, whole milliseconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

HOUR = 3600.0
DAY = 24 * HOUR
YEAR = 365 * DAY


class Clock(Protocol):
    """What the exchange asks for the time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class WallClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


class ManualClock:
    """A clock that stands still until it is moved; for tests.

    Parameters
    ----------
    start
        Seconds since the epoch.
    """

    def __init__(self, start: float) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        if seconds < 0:
            raise ValueError(f"seconds is {seconds}: a clock only moves forward")
        self._now += seconds


def iso(when: float, *, ms: bool = True) -> str:
    """A time as the exchange writes it: ISO 8601, UTC, ``Z``, with or without milliseconds."""
    moment = datetime.fromtimestamp(round(when * 1000) / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds" if ms else "seconds").replace("+00:00", "Z")
