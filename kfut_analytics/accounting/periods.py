"""Days, weeks, months and shorter times in a time zone, each made of whole steps of a curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from .labels import Bools, Floats, Ints, Times

_CALENDAR = {"1d": "D", "1w": "W-SUN", "1mo": "M"}
PERIODS = ("1m", "5m", "15m", "30m", "1h", "4h", "12h", *_CALENDAR)


@dataclass(frozen=True, slots=True)
class Periods:
    """The periods that the steps between rising times fall into.

    Attributes
    ----------
    start
        First moment of each, in the time zone.
    first
        First step of each; step k is the one from time k to time k + 1.
    last
        Place of the time at which each ends.
    complete
        Whether the times cover the whole period.
    """

    start: pd.DatetimeIndex
    first: Ints
    last: Ints
    complete: Bools

    @classmethod
    def of(cls, time: Times, period: str, tz: str) -> Periods:
        """Divide the steps between times.

        Raises
        ------
        ArgumentError
            If there is no such time zone, or a period begins within a step.
        """
        stamps = pd.DatetimeIndex(time, tz="UTC")
        try:
            if not isinstance(tz, str) or not tz:
                raise ValueError
            inside = (stamps[1:] - pd.Timedelta(1, "us")).tz_convert(tz)
        except (KeyError, ValueError, TypeError) as error:
            raise ArgumentError(
                f"tz={tz!r} is not a time zone: give a name such as 'UTC' or 'Europe/Berlin'"
            ) from error
        if period in _CALENDAR:
            calendar = inside.tz_localize(None).to_period(_CALENDAR[period])
            begin, end = (_local(edges.start_time, tz) for edges in (calendar, calendar + 1))
        else:
            begin = inside.tz_convert("UTC").floor(pd.Timedelta(period)).tz_convert(tz)
            end = begin + pd.Timedelta(period)
        odd = begin > stamps[:-1]
        if odd.any():
            raise ArgumentError(
                f"the account was not valued at {begin[odd][0]:%Y-%m-%d %H:%M} of {tz}, where a period of {period} "
                "begins: ask for equity at a finer resolution"
            )
        first = np.flatnonzero(np.append(True, begin[1:] != begin[:-1]))
        last = np.append(first[1:], len(begin))
        complete = (begin[first] >= stamps[0]) & (end[first] <= stamps[-1])
        return cls(begin[first], first, last, np.asarray(complete))

    def sums(self, values: Floats) -> Floats:
        """Sums of what stands at the end of each step."""
        return np.add.reduceat(values[1:], self.first)

    def lowest(self, values: Floats) -> Floats:
        """The lowest value at the ends of the steps."""
        return np.minimum.reduceat(values[1:], self.first)

    def compounded(self, returns: Floats) -> Floats:
        """Returns of the steps compounded; missing where all are."""
        known = ~np.isnan(returns[1:])
        factor = np.multiply.reduceat(np.where(known, 1.0 + returns[1:], 1.0), self.first)
        return np.where(np.add.reduceat(known, self.first) > 0, factor - 1.0, np.nan)


def _local(moments: pd.DatetimeIndex, tz: str) -> pd.DatetimeIndex:
    """Midnights in a time zone: where the clock changes at midnight, a day begins at one o'clock, or has two."""
    return moments.tz_localize(tz, nonexistent="shift_forward", ambiguous=np.ones(len(moments), dtype=bool))
