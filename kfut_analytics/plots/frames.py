"""Reading what a chart is given: columns that must be there, one contract of several, environment and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..times import TimeLike, parse_time

Floats = NDArray[np.float64]


def checked(frame: object, name: str, columns: Sequence[str], source: str) -> pd.DataFrame:
    """The frame, if it is one and has these columns (or index levels).

    Parameters
    ----------
    name, source
        The argument, and what gives such a frame, for the error.

    Raises
    ------
    ArgumentError
        If it has not.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(f"{name} is {type(frame).__name__} instead of a frame: give that of {source}")
    missing = [column for column in columns if column not in {*frame.columns, *frame.index.names}]
    if missing:
        raise ArgumentError(f"{name} lacks {', '.join(missing)}: give the frame of {source}")
    return frame


def of_symbol(frame: pd.DataFrame, name: str, symbol: str | None) -> tuple[pd.DataFrame, str | None]:
    """The rows of one contract, and its name where the frame or the caller says it.

    Raises
    ------
    ArgumentError
        If the frame has several contracts and none is named, or not that one.
    """
    symbol = symbol and symbol.strip().upper()
    if "symbol" not in {*frame.columns, *frame.index.names}:
        told = frame.attrs.get("symbol")
        if symbol and told and told != symbol:
            raise ArgumentError(f"symbol={symbol!r}: {name} are those of {told}")
        return frame, symbol or told
    names = frame.index.get_level_values("symbol") if "symbol" in frame.index.names else frame["symbol"]
    if symbol is None:
        known = sorted(names.unique())
        if len(known) > 1:
            raise ArgumentError(f"{name} are of {len(known)} contracts: name one with symbol=, such as {known[0]!r}")
        symbol = known[0] if known else None
    rows = frame[np.asarray(names == symbol)]
    return (rows.droplevel("symbol") if frame.index.nlevels > 1 and "symbol" in frame.index.names else rows), symbol


def env_of(env: str | None, *frames: pd.DataFrame | None) -> str | None:
    """The environment named, else the first that a frame says it comes from."""
    told = (frame.attrs.get("env") for frame in frames if frame is not None)
    return env or next((one for one in told if one), None)


def as_of_of(as_of: TimeLike | None, *told: Any) -> pd.Timestamp | None:
    """The time given, else the first known one of those told."""
    if as_of is not None:
        return parse_time(as_of, name="as_of")
    for one in told:
        if one is not None and not pd.isna(one):
            return parse_time(one)
    return None


def snapshot_time(frame: pd.DataFrame | None) -> Any:
    """The exchange's time of a frame that is a picture of one moment, where the frame has it."""
    return None if frame is None else frame.attrs.get("as_of")


def last_time(times: Any) -> Any:
    """The latest of some times, None where there are none."""
    return times.max() if len(times) else None


def numbers(column: pd.Series[Any]) -> Floats:
    """A column as floats; exact numbers too."""
    return column.to_numpy("float64", na_value=np.nan)


def utc(times: pd.Index[Any] | pd.Series[Any]) -> NDArray[np.datetime64]:
    """Times as an array without a zone, in UTC, as matplotlib takes them fastest."""
    return pd.DatetimeIndex(times).tz_convert(None).to_numpy()
