"""Prices through time: candles as lines that can be asked for any moment, and currencies in terms of each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from .labels import Floats, Times

_HOUR = np.timedelta64(3_600_000_000, "us")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """A price as straight pieces, each from its opening to its closing price, and level from its end to the next.

    Exact where a candle opens or closes, and in between as good as a straight line is. Before the first piece the
    price is the one it opens with; where there is none, it is missing throughout.

    Attributes
    ----------
    start
        When the pieces begin (UTC, without zone, rising).
    open, close
        Price at the beginning and the end of each.
    duration
        How long each takes, in microseconds, at least one.
    """

    start: Times
    open: Floats
    close: Floats
    duration: NDArray[np.int64]

    @classmethod
    def of_candles(cls, candles: pd.DataFrame, step: pd.Timedelta, until: pd.Timestamp) -> PriceLine:
        """The prices of a frame of ``client.candles()``.

        Parameters
        ----------
        candles
            Indexed by time, oldest first.
        step
            How long a candle takes.
        until
            When they were fetched: the last candle may not have come to its end.
        """
        candles = candles[candles[["open", "close"]].notna().all(axis=1) & (candles.index < until)]
        start = _naive(candles.index)
        left = (_moment(until) - start).astype(np.int64)
        duration = np.minimum(left, step // pd.Timedelta(microseconds=1))
        opened, closed = (candles[name].to_numpy(dtype=np.float64) for name in ("open", "close"))
        return cls(start, opened, closed, duration)

    @classmethod
    def of_points(cls, time: Times, price: Floats) -> PriceLine:
        """Straight from point to point; of several points at one moment the last counts."""
        last = np.append(time[1:] != time[:-1], True)[: len(time)]
        time, price = time[last], price[last]
        duration = np.append(np.diff(time), np.timedelta64(1, "us")).astype(np.int64)[: len(time)]
        return cls(time, price, np.append(price[1:], price[-1:]), duration)

    @classmethod
    def constant(cls, price: float) -> PriceLine:
        """The same price at all times."""
        return cls.of_points(np.zeros(1, dtype="datetime64[us]"), np.array([price], dtype=np.float64))

    def preceded_by(self, earlier: PriceLine) -> PriceLine:
        """The line, and another one before it begins."""
        if not len(self):
            return earlier
        kept = earlier.start < self.start[0]
        left = (self.start[0] - earlier.start[kept]).astype(np.int64)
        # A piece that would go on is cut where this line begins.
        closed = earlier.open[kept] + (earlier.close[kept] - earlier.open[kept]) * np.minimum(
            left / earlier.duration[kept], 1.0
        )
        return PriceLine(
            np.append(earlier.start[kept], self.start),
            np.append(earlier.open[kept], self.open),
            np.append(closed, self.close),
            np.append(np.minimum(earlier.duration[kept], left), self.duration),
        )

    def ending(self, when: pd.Timestamp, price: float) -> PriceLine:
        """The line, and from a moment on a price that is known better."""
        if np.isnan(price):
            return self
        moment = _moment(when)
        kept = self.start < moment
        return PriceLine(
            np.append(self.start[kept], moment),
            np.append(self.open[kept], price),
            np.append(self.close[kept], price),
            np.append(self.duration[kept], np.int64(1)),
        )

    def __len__(self) -> int:
        return len(self.start)

    def at(self, when: Times) -> Floats:
        """The price at each moment."""
        if not len(self):
            return np.full(len(when), np.nan)
        piece = np.maximum(np.searchsorted(self.start, when, side="right") - 1, 0)
        gone = (when - self.start[piece]).astype(np.int64) / self.duration[piece]
        opened = self.open[piece]
        return opened + (self.close[piece] - opened) * np.clip(gone, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices of currencies in one of them.

    Attributes
    ----------
    currency
        In which they are told.
    usd
        By currency its price in USD.
    """

    currency: str
    usd: Mapping[str, PriceLine]

    def at(self, currency: str, when: Times) -> Floats:
        """The price of a currency at each moment; exactly 1 for the one in which prices are told."""
        if currency == self.currency:
            return np.ones(len(when))
        price = self._usd(currency, when)
        return price if self.currency == "USD" else price / self._usd(self.currency, when)

    def _usd(self, currency: str, when: Times) -> Floats:
        if currency == "USD":
            return np.ones(len(when))
        if currency not in self.usd:
            raise ArgumentError(f"there is no price of {currency}: give one in USD, prices={{{currency!r}: …}}")
        return self.usd[currency].at(when)


@dataclass(frozen=True, slots=True)
class FundingLine:
    """What a contract's funding has come to per unit of size since some moment, long or short apart from the sign.

    Attributes
    ----------
    start
        When the hours begin that have a rate (UTC, without zone, rising).
    rate
        Absolute rate: currency per contract and hour.
    paid
        Sum of the rates of the hours before each.
    """

    start: Times
    rate: Floats
    paid: Floats

    @classmethod
    def of_rates(cls, rates: pd.DataFrame) -> FundingLine:
        """The rates of a frame of ``client.funding_rates()``, oldest first."""
        rates = rates[rates["funding_rate"].notna()]
        start = _naive(rates.index)
        rate = rates["funding_rate"].to_numpy(dtype=np.float64)
        return cls(start, rate, np.append(0.0, np.cumsum(rate))[: len(rate)])

    def between(self, start: Times, end: Times) -> Floats:
        """What one contract long pays from one moment to another; hours without a rate count nothing."""
        return self._until(end) - self._until(start)

    def _until(self, when: Times) -> Floats:
        if not len(self.start):
            return np.zeros(len(when))
        hour = np.searchsorted(self.start, when, side="right") - 1
        gone = np.clip((when - self.start[hour]) / _HOUR, 0.0, 1.0)
        return np.where(hour < 0, 0.0, self.paid[hour] + self.rate[hour] * gone)


def _naive(index: pd.Index[Any]) -> Times:
    """Times of an index in UTC, without zone."""
    return pd.DatetimeIndex(index).tz_convert("UTC").tz_localize(None).to_numpy(dtype="datetime64[us]")


def _moment(stamp: pd.Timestamp) -> np.datetime64:
    return np.datetime64(stamp.tz_localize(None) if stamp.tz is None else stamp.tz_convert(None), "us")
