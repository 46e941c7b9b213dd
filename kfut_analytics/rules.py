"""The contracts' rules as an order needs them: fetched once, kept for some minutes, ready by symbol."""

from __future__ import annotations

import difflib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from .errors import CredentialsError, NotFoundError, VenueError
from .orders.effect import LOWEST_TIER, Fees
from .side_by_side import at_once

if TYPE_CHECKING:
    from .venue import Venue

_log = logging.getLogger("kfut_analytics.rules")

MAX_AGE = 300.0
"""Seconds for which the rules are kept; they change rarely."""


@dataclass(slots=True)
class _Kept:
    """What was fetched, and when; the lock is held while it is fetched again."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    fetched: float = float("-inf")
    frames: dict[str, Any] = field(default_factory=dict)


class Rules:
    """Instruments, margin tiers and fee rates of one venue; safe across threads.

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
        self._contracts, self._tiers, self._terms = _Kept(), _Kept(), _Kept()
        self._rows: dict[str, pd.Series[Any]] = {}

    def instrument(self, symbol: str) -> pd.Series[Any]:
        """The contract's row of instruments.

        Raises
        ------
        NotFoundError
            If there is no such contract; the message names those that are near.
        """
        kept = self._contracts
        with kept.lock:
            if self._is_old(kept):
                kept.frames["instruments"] = self._venue.instruments()
                self._rows = {}
                kept.fetched = self._clock()
            instruments = kept.frames["instruments"]
            if symbol not in self._rows:
                if symbol not in instruments.index:
                    raise unknown_symbol(symbol, instruments)
                self._rows[symbol] = row_of(instruments, symbol)
            return self._rows[symbol]

    def tiers(self, symbols: Iterable[str]) -> pd.DataFrame:
        """Margin tiers of some contracts, those of the account's own schedule among them where the exchange says."""
        tiers: pd.DataFrame = self._own_rules()["tiers"]
        own: pd.DataFrame = tiers[tiers["symbol"].isin(list(symbols))]
        return own

    def minimum_size(self, symbol: str) -> float:
        """The smallest size of an order in a contract; 0 where the exchange says none beside the size step."""
        return float(self._own_rules()["minimum_sizes"].get(symbol, 0.0))

    def _own_rules(self) -> dict[str, Any]:
        kept = self._tiers
        with kept.lock:
            if self._is_old(kept):
                public, own = at_once(self._venue.margin_tiers, self._venue.account_margin_tiers)
                kept.frames = {
                    "tiers": pd.concat([public, own], ignore_index=True),
                    "minimum_sizes": own.attrs.get("minimum_sizes", {}),
                }
                kept.fetched = self._clock()
            return kept.frames

    def fees(self, symbol: str) -> Fees:
        """The account's fee rates in a contract, by its schedule and the volume of 30 days.

        Those of the lowest tier where the exchange does not say.
        """
        schedule = self.instrument(symbol).get("fee_schedule_uid")
        kept = self._terms
        with kept.lock:
            if self._is_old(kept):
                try:
                    found = at_once(self._venue.fee_schedules, self._venue.fee_volumes)
                except (VenueError, CredentialsError) as error:
                    _log.info("the account's fee rates are not known: %s", error)
                    return LOWEST_TIER
                kept.frames = dict(zip(("schedules", "volumes"), found, strict=True))
                kept.fetched = self._clock()
            return fees_of(schedule, kept.frames["schedules"], kept.frames["volumes"])

    def _is_old(self, kept: _Kept) -> bool:
        return self._clock() - kept.fetched > MAX_AGE


def fees_of(schedule: Any, schedules: pd.DataFrame, volumes: Mapping[str, float]) -> Fees:
    """Fee rates of a schedule at the account's volume; those of the lowest tier where either is not known."""
    tiers = schedules[schedules["fee_schedule_uid"] == schedule].sort_values("volume_usd")
    reached = tiers[tiers["volume_usd"].fillna(0.0) <= volumes.get(str(schedule), -1.0)]
    if not len(reached):
        return LOWEST_TIER
    tier = reached.iloc[-1]
    maker, taker = float(tier["maker_fee"]) / 100, float(tier["taker_fee"]) / 100
    return Fees(maker, taker, "your fee schedule") if maker == maker and taker == taker else LOWEST_TIER


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
