"""Market analytics of the charts API to frames (api-facts 3D).

The kinds differ in shape: one series of numbers, candles, or an object of series, some of them nested. Every series
becomes a column named by its path in snake_case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ..columns import Column, convert
from ..errors import DecodeError
from .decode import container

INTERVALS = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
    "4h": 14400,
    "12h": 43200,
    "1d": 86400,
    "1w": 604800,
}
"""Seconds of each interval."""

KINDS = (
    "open-interest",
    "aggressor-differential",
    "trade-volume",
    "trade-count",
    "liquidation-volume",
    "rolling-volatility",
    "long-short-ratio",
    "long-short-info",
    "cvd",
    "top-traders",
    "orderbook",
    "spreads",
    "liquidity",
    "slippage",
    "future-basis",
)
"""The kinds that the official specification lists."""

_CANDLE = ("open", "high", "low", "close")


def page(body: Mapping[str, Any], kind: str) -> tuple[pd.DataFrame, bool]:
    """One answer as a frame indexed by ``time``, and whether there is more."""
    result: Mapping[str, Any] = container(body, "result", dict)
    seconds = container(result, "timestamp", list)
    times = convert([_milliseconds(s) for s in seconds], Column("time", "time", "UTC", "", "timestamp"), kind)
    frame = pd.DataFrame(index=pd.DatetimeIndex(times, name="time"))
    for name, values in _series(_snake(kind), result.get("data")):
        if len(values) != len(frame):
            raise DecodeError(f"analytics {kind!r}: {name} has {len(values)} values for {len(frame)} times")
        column = convert(values, Column(name, "float", "", "", name), kind)
        frame[name] = column.to_numpy()
    return frame, bool(result.get("more"))


def _milliseconds(seconds: Any) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise DecodeError(f"a time of the analytics is {seconds!r} instead of whole seconds")
    return seconds * 1000


def _series(name: str, data: Any, path: str = "") -> Iterator[tuple[str, Sequence[Any]]]:
    """The series of an answer by column name; ``path`` is what nested objects put before it."""
    if isinstance(data, dict):
        for key, part in data.items():
            yield from _series(f"{path}{_snake(key)}", part, f"{path}{_snake(key)}_")
        return
    if not isinstance(data, list):
        raise DecodeError(f"the analytics series {name!r} is {data!r} instead of a list")
    if data and all(isinstance(item, list) and len(item) == len(_CANDLE) for item in data):
        for place, part in enumerate(_CANDLE):
            yield f"{path}{part}", [item[place] for item in data]
    else:
        yield name, data


def _snake(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).replace("-", "_").lower()
