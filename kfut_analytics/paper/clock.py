"""Time on the paper exchange: seconds since the epoch, in UTC, whole milliseconds."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Protocol

from kfut_analytics.errors import ArgumentError

HOUR = 3600.0
DAY = 24 * HOUR
YEAR = 365 * DAY

FASTEST = DAY
"""Largest speed of a clock: a day per second."""


class Clock(Protocol):
    """What the exchange asks for the time.

    Attributes
    ----------
    speed
        Seconds that pass here in one of the machine's; 0 for a clock that is moved by hand.
    skew
        Seconds by which it is ahead of the time it should show; a fault that may be changed while it runs.
    """

    speed: float
    skew: float

    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class WallClock:
    """The machine's clock, or one that runs from a moment of its own or at a speed of its own.

    Parameters
    ----------
    speed
        Seconds that pass here in one of the machine's: above 0, at most a day.
    start
        Seconds since the epoch from which it runs, now unless given.

    Attributes
    ----------
    is_real
        Whether it shows the machine's time.

    Raises
    ------
    ArgumentError
        If a number makes no sense.
    """

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed <= FASTEST:
            raise ArgumentError(
                f"speed={speed!r} is not how fast time can pass: give paper seconds per real second, "
                f"above 0 and at most {FASTEST:.0f} (a day per second)"
            )
        if start is not None and not math.isfinite(start):
            raise ArgumentError(f"start={start!r} is not a time: give seconds since the epoch")
        self.speed = float(speed)
        self.skew = 0.0
        self.is_real = speed == 1 and start is None
        self._start = time.time() if start is None else start
        self._begun = time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        if self.is_real:
            return time.time() + self.skew
        return self.skew + self._start + self.speed * (time.monotonic() - self._begun)


class ManualClock:
    """A clock that stands still until it is moved; for tests.

    Parameters
    ----------
    start
        Seconds since the epoch.
    """

    speed = 0.0

    def __init__(self, start: float) -> None:
        self.skew = 0.0
        self._now = start

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now + self.skew

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        if seconds < 0:
            raise ValueError(f"seconds is {seconds}: a clock only moves forward")
        self._now += seconds


def iso(when: float, *, ms: bool = True) -> str:
    """A time as the exchange writes it: ISO 8601, UTC, ``Z``, with or without milliseconds."""
    moment = datetime.fromtimestamp(round(when * 1000) / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds" if ms else "seconds").replace("+00:00", "Z")
