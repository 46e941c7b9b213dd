"""How far each position went against its holder and in his favour while it was open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from .labels import Floats, Ints, Times
from .ledger import Ledger
from .scan import unit_price
from .track import Booked, Track

Candles = pd.DataFrame | Mapping[str, pd.DataFrame]
"""Candles of several contracts, as ``client.candles([...])`` or by contract, or of the only contract there is."""


def excursions(ledger: Ledger, track: Track, booked: Booked, candles: Candles | None) -> tuple[Floats, Floats]:
    """Lowest and highest gross P&L of each trip while it was open, realised and unrealised together.

    Only prices are used of which it is certain that they were reached in that time: those of the executions, the
    extremes of candles that lie wholly between two executions, and the opening or closing price of a candle that lies
    there in part. So the true excursions are never overstated, and shorter candles come closer.
    """
    worst, best = np.full((2, len(track.first)), np.nan)
    if candles is None or not len(track.row):
        return worst, best
    known = track.first >= 0
    first = track.first[known]
    total = np.cumsum(booked.realized_pnl)
    realized = total - (total - booked.realized_pnl)[track.first[track.trip]]
    entry = unit_price(track.entry_after, track.inverse)
    held = track.after != 0
    at_price = realized + np.where(held, track.after * (unit_price(track.price, track.inverse) - entry), 0.0)
    low, high = at_price.copy(), at_price.copy()
    contract = track.contract.codes[track.trip]
    given = np.zeros(len(track.contract.names), dtype=bool)
    start, end = _spans(ledger, track)
    for code, bars in _by_contract(track, candles).items():
        given[code] = True
        parts = np.flatnonzero(held & (contract == code))
        for price in _reached(_Bars.of(bars), start[parts], end[parts]):
            value = realized[parts] + track.after[parts] * (unit_price(price, track.inverse[parts]) - entry[parts])
            low[parts], high[parts] = np.fmin(low[parts], value), np.fmax(high[parts], value)
    asked = given[track.contract.codes[known]]
    worst[known] = np.where(asked, np.minimum(np.fmin.reduceat(low, first), 0.0), np.nan)
    best[known] = np.where(asked, np.maximum(np.fmax.reduceat(high, first), 0.0), np.nan)
    return worst, best


def _spans(ledger: Ledger, track: Track) -> tuple[Times, Times]:
    """The time from each part to the next of its trip; of the last part of an open trip, without end."""
    start = ledger.time[track.row]
    end = np.append(start[1:], start[:1])
    end[track.last[track.last >= 0]] = np.datetime64("9999-01-01", "us")
    return start, end


def _by_contract(track: Track, candles: Candles) -> dict[int, pd.DataFrame]:
    """The candles of each contract that occurs."""
    present = np.unique(track.contract.codes)
    names = {str(track.contract.names[code]): int(code) for code in present}
    if isinstance(candles, pd.DataFrame):
        if candles.index.nlevels == 2:
            candles = {str(symbol): bars.droplevel(0) for symbol, bars in candles.groupby(level=0)}
        elif len(names) == 1:
            candles = dict.fromkeys(names, candles)
        else:
            raise ArgumentError(
                f"candles is one frame without symbols, and the log has {len(names)} contracts: give "
                "client.candles([...]) of several, or a dictionary by contract"
            )
    return {names[symbol.upper()]: bars for symbol, bars in candles.items() if symbol.upper() in names and len(bars)}


class _Bars(NamedTuple):
    start: Times
    end: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    @classmethod
    def of(cls, frame: pd.DataFrame) -> _Bars:
        missing = [name for name in ("open", "high", "low", "close") if name not in frame.columns]
        if missing or not isinstance(frame.index, pd.DatetimeIndex):
            raise ArgumentError("candles are not the frame of client.candles(): it has a time index, open, high, low "
                                "and close")  # fmt: skip
        frame = frame.sort_index()
        start: Times = (
            pd.DatetimeIndex(pd.to_datetime(frame.index, utc=True)).tz_localize(None).to_numpy("datetime64[us]")
        )
        length = np.diff(start).min() if len(start) > 1 else np.timedelta64(0, "us")
        prices = (frame[name].to_numpy(dtype=np.float64) for name in ("open", "high", "low", "close"))
        end: Times = start + length
        return cls(start, end, *prices)


def _reached(bars: _Bars, start: Times, end: Times) -> list[Floats]:
    """Prices that were reached in each span; missing where no candle tells."""
    first, stop = np.searchsorted(bars.start, start), np.searchsorted(bars.end, end, side="right")
    whole = first < stop
    extremes = [
        np.where(whole, _over(function, prices, first, stop), np.nan)
        for function, prices in ((np.fmin, bars.low), (np.fmax, bars.high))
    ]
    # The candle in which the span starts closes in it; the one in which it ends opens in it.
    before = np.maximum(first - 1, 0)
    closes = (first > 0) & (bars.end[before] > start) & (bars.end[before] <= end)
    after = np.minimum(stop, len(bars.start) - 1)
    opens = (bars.start[after] >= start) & (bars.start[after] < end)
    return [*extremes, np.where(closes, bars.close[before], np.nan), np.where(opens, bars.open[after], np.nan)]


def _over(function: np.ufunc, prices: Floats, first: Ints, stop: Ints) -> Floats:
    """A function over the prices of each range; anything where a range is empty."""
    if not len(first):
        return np.zeros(0)
    bounds = np.stack([first, np.maximum(stop, first + 1)], axis=1).ravel()
    reduced: Floats = function.reduceat(np.append(prices, [np.nan, np.nan]), bounds)[::2]
    return reduced
