"""The way that prices went a short while ago: straight lines between the moments at which they were seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kfut_analytics.paper.market.protocol import Floats

KEPT_KNOTS = 600


class Path:
    """Many prices at common times. What is added never changes what was said of the times before.

    Attributes
    ----------
    end
        The latest time at which prices were seen.
    """

    def __init__(self) -> None:
        self.end = -np.inf
        self._columns: dict[str, int] = {}
        # The rows in use are the last ones written; room for as many again keeps them from being moved each time.
        self._times = np.empty(2 * KEPT_KNOTS)
        self._prices = np.empty((2 * KEPT_KNOTS, 0))
        self._first, self._stop = 0, 0

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def add(self, time: float, prices: Mapping[str, float]) -> None:
        """Add what was seen, unless a later time is known already.

        What was not seen stays as it was, and what was never seen before has always been so.
        """
        if time <= self.end:
            return
        new = [name for name in prices if name not in self._columns]
        if new:
            self._columns.update(zip(new, range(len(self._columns), len(self._columns) + len(new)), strict=True))
            first_seen = np.array([prices[name] for name in new])
            self._prices = np.hstack([self._prices, np.tile(first_seen, (len(self._times), 1))])
        if self._stop == len(self._times):
            kept = slice(self._stop - KEPT_KNOTS, self._stop)
            self._times[:KEPT_KNOTS], self._prices[:KEPT_KNOTS] = self._times[kept], self._prices[kept]
            self._first, self._stop = 0, KEPT_KNOTS
        row = self._prices[self._stop]
        row[:] = self._prices[self._stop - 1] if self._stop else row
        row[[self._columns[name] for name in prices]] = list(prices.values())
        self._times[self._stop] = self.end = time
        self._stop += 1
        self._first = max(self._first, self._stop - KEPT_KNOTS)

    def hold(self, time: float) -> None:
        """Prices stayed as they were up to a time."""
        self.add(time, {})

    def knots(self, start: float, end: float) -> Floats:
        """The moments in (start, end]."""
        times = self._times[self._first : self._stop]
        first, stop = np.searchsorted(times, (start, end), side="right")
        return times[first:stop].copy()

    def at(self, name: str, t: Any) -> Any:
        """A price at a time or at some; before the first and after the last moment it is constant."""
        kept = slice(self._first, self._stop)
        prices = np.interp(t, self._times[kept], self._prices[kept, self._columns[name]])
        return prices if np.ndim(t) else float(prices)

    def bounds(self, name: str, start: float, end: float) -> tuple[float, float]:
        """The lowest and the highest price between two times."""
        prices = self.at(name, np.concatenate([[start, end], self.knots(start, end)]))
        return float(prices.min()), float(prices.max())

    def gap(self, time: float) -> float:
        """How far the moments before and after a time are apart: how little is known of it."""
        times = self._times[self._first : self._stop]
        after = int(np.searchsorted(times, time))
        if after == len(times) or times[after] == time:
            return 0.0 if after < len(times) else np.inf
        return float(times[after] - times[after - 1]) if after else np.inf
