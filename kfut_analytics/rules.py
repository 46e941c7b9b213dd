"""The contracts' rules as an order needs them: fetched once, kept for some minutes, ready by symbol."""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from .contracts import MarginTier, preferred_schedule
from .errors import NotFoundError, VenueError
from .venue import Venue

MAX_AGE = 300.0
"""Seconds for which the rules are kept; they change rarely."""


class Rules:
    """Instruments and margin tiers of one venue; safe across threads.

    Parameters
    ----------
    venue
        Asked when the rules are older than `MAX_AGE`.
    clock
        Seconds; replaced in tests.
    """

    def __init__(self, venue: Venue, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._venue = venue
        self._clock = clock
        self._lock = threading.Lock()
        self._fetched = float("-inf")
        self._instruments = pd.DataFrame()
        self._tiers = pd.DataFrame()
        self._rows: dict[str, pd.Series[Any]] = {}
        self._schedules: dict[str, list[MarginTier]] = {}

    def instrument(self, symbol: str) -> pd.Series[Any]:
        """The contract's row of instruments.

        Raises
        ------
        NotFoundError
            If there is no such contract; the message names those that are near.
        """
        with self._lock:
            self._refresh()
            if symbol not in self._rows:
                if symbol not in self._instruments.index:
                    raise unknown_symbol(symbol, self._instruments)
                self._rows[symbol] = row_of(self._instruments, symbol)
            return self._rows[symbol]

    def tiers(self, symbol: str) -> list[MarginTier]:
        """The contract's margin tiers, of the schedule that applies where nothing else is said."""
        with self._lock:
            self._refresh()
            if symbol not in self._schedules:
                own = self._tiers[self._tiers["symbol"] == symbol]
                own = own[own["schedule"] == preferred_schedule(own["schedule"])]
                columns = (own[name] for name in ("threshold", "initial_margin", "maintenance_margin"))
                self._schedules[symbol] = [MarginTier(*map(float, tier)) for tier in zip(*columns, strict=True)]
            return self._schedules[symbol]

    def _refresh(self) -> None:
        if self._clock() - self._fetched > MAX_AGE:
            self._instruments, self._tiers = self._venue.instruments(), self._venue.margin_tiers()
            self._rows, self._schedules = {}, {}
            self._fetched = self._clock()


def row_of(frame: pd.DataFrame, label: str) -> pd.Series[Any]:
    """One row by its label; of labels that occur twice, the last."""
    found = frame.loc[label]
    return found.iloc[-1] if isinstance(found, pd.DataFrame) else found


def unknown_symbol(symbol: str, known: pd.DataFrame, error: VenueError | None = None) -> NotFoundError:
    """The error for a symbol that is not among the known ones, naming those that are near."""
    near = difflib.get_close_matches(symbol, [str(s) for s in known.index], n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "see client.instruments()"
    words, status = (error.words, error.http_status) if error else ("", None)
    return NotFoundError(f"there is no contract {symbol!r}; {hint}", words=words, http_status=status)
