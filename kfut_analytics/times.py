"""Points in time as people write them, always tz-aware UTC inside."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pandas as pd

from .errors import ArgumentError

TimeLike = str | dt.datetime | dt.date | pd.Timestamp
"""A datetime, a date, ISO text, ``"now"`` or an offset from now such as ``"-30d"``."""

_OFFSET = re.compile(r"^([+-])(\d+(?:\.\d+)?)\s*(s|m|h|d|w)$")
_ISO = re.compile(r"^\d{4}-\d{2}")
_LONGEST = 100 * 366 * 86400.0
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


_frozen: list[pd.Timestamp] = []


def utc_now() -> pd.Timestamp:
    """The present moment, or the one that `frozen` holds."""
    return _frozen[-1] if _frozen else pd.Timestamp.now(tz="UTC")


@contextmanager
def frozen(now: pd.Timestamp) -> Iterator[None]:
    """Let offsets count from another moment; recordings need that to ask the same questions again."""
    _frozen.append(now)
    try:
        yield
    finally:
        _frozen.pop()


@contextmanager
def not_before(moment: pd.Timestamp) -> Iterator[None]:
    """Let the present be no earlier than a moment; a paper exchange may be ahead of this machine."""
    with frozen(moment) if moment > utc_now() else nullcontext():
        yield


def parse_time(value: TimeLike, *, name: str = "time", now: pd.Timestamp | None = None) -> pd.Timestamp:
    """Read a point in time.

    Parameters
    ----------
    value
        A datetime or date (naive ones are UTC), ISO text, ``"now"``, or an offset from now: a number and one
        of ``s m h d w``, such as ``"-30d"`` or ``"-12h"``.
    name
        The argument's name, for the error message.
    now
        What offsets count from; the present by default.

    Raises
    ------
    ArgumentError
        If ``value`` is none of these.
    """
    if isinstance(value, str):
        text = value.strip()
        if text == "now":
            return now or utc_now()
        if match := _OFFSET.match(text):
            sign, number, unit = match.groups()
            if float(number) * _SECONDS[unit] > _LONGEST:
                raise _unreadable(name, value)
            delta = pd.Timedelta(seconds=float(number) * _SECONDS[unit])
            return (now or utc_now()) + (-delta if sign == "-" else delta)
        if not _ISO.match(text):  # pandas reads much more, "-30" as a year among it
            raise _unreadable(name, value)
    elif not isinstance(value, (dt.datetime, dt.date)):
        raise _unreadable(name, value)
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise _unreadable(name, value) from error
    if not isinstance(stamp, pd.Timestamp):  # NaT
        raise _unreadable(name, value)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def _unreadable(name: str, value: object) -> ArgumentError:
    return ArgumentError(
        f"{name}={value!r} is not a point in time: give a datetime, ISO text such as '2026-11-01T12:00Z', "
        "or an offset from now with its sign, such as '-30d' (units s, m, h, d, w)"
    )


RESOLUTIONS = ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d")
"""Steps through time, all of them parts of a day; candles have them."""


def step_of(resolution: str) -> pd.Timedelta:
    """How long a candle takes.

    Raises
    ------
    ArgumentError
        If it is none of `RESOLUTIONS`.
    """
    if resolution not in RESOLUTIONS:
        raise ArgumentError(f"resolution={resolution!r} is not one of {', '.join(map(repr, RESOLUTIONS))}")
    return pd.Timedelta(int(resolution[:-1]) * _SECONDS[resolution[-1]], unit="s")


def epoch_ms(stamp: pd.Timestamp) -> int:
    """Milliseconds since 1970, as the history calls take them."""
    return int(stamp.value) // 1_000_000  # value is in nanoseconds, whatever the unit


def epoch_s(stamp: pd.Timestamp) -> int:
    """Seconds since 1970, as the charts calls take them."""
    return int(stamp.value) // 1_000_000_000


def iso(stamp: pd.Timestamp) -> str:
    """ISO 8601 text with milliseconds and ``Z``, as the trading calls take and give it."""
    return stamp.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.") + f"{stamp.microsecond // 1000:03d}Z"
