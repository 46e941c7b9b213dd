"""What the exchange asks of a market, and the columns in which it is answered.

A market gives the prices of assets and contracts at any time, what participants quote and trade, and every view of
the past. `SimulatedMarket` draws one from a seed; another follows a real exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.paper.instruments import Asset, Contract
from kfut_analytics.paper.states import MarketState

Floats = NDArray[np.float64]
TickType = Literal["spot", "mark", "trade"]

RESOLUTIONS = {
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


class Candles(NamedTuple):
    """Candles as columns; times are the starts of the buckets in seconds."""

    time: Floats
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


class Trades(NamedTuple):
    """Public trades as columns, oldest first; ``buy`` is the taker's side."""

    uid: list[str]
    number: NDArray[np.int64]
    time: Floats
    price: Floats
    size: Floats
    buy: NDArray[np.bool_]


class Flow(NamedTuple):
    """Market orders of participants, oldest first: what the public tape shows."""

    time: Floats
    price: Floats
    size: Floats
    buy: NDArray[np.bool_]


class Quotes(NamedTuple):
    """What participants show, best first, as (price, size): prices on the tick, sizes on the step."""

    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class Market(Protocol):
    """Prices that are straight lines between knots, and all that follows from them.

    Times are seconds since the epoch. Where ``t`` may be an array, the answer is one too.

    Attributes
    ----------
    begin
        The earliest time for which there are prices.
    assets
        What there are prices of, by code.
    states
        Contracts whose market is by itself in a state out of the ordinary, by symbol.
    """

    begin: float
    assets: Mapping[str, Asset]
    states: Mapping[str, MarketState]

    def listing(self, now: float) -> dict[str, Contract]:
        """What is listed at a time, by symbol; with the dated contracts that expired in the last 120 days."""
        ...

    def known_until(self, now: float) -> float:
        """Up to which time prices can be asked for at a time: later than ``now`` only for a market that is drawn."""
        ...

    # Prices -----------------------------------------------------------------------------------------------------

    def knots(self, start: float, end: float) -> Floats:
        """The instants in (start, end] at which prices bend: between them every price is a straight line."""
        ...

    def index(self, asset: Asset, t: Any) -> Any:
        """Index price in USD."""
        ...

    def mark(self, contract: Contract, t: Any) -> Any:
        """Mark price."""
        ...

    def fair(self, contract: Contract, t: Any) -> Any:
        """The price around which participants quote and trade."""
        ...

    def hourly_bounds(self, contract: Contract, start: float, end: float) -> tuple[Floats, Floats, Floats]:
        """Starts of the full hours that touch [start, end], and the lowest and the highest mark price in each."""
        ...

    def hourly_index_bounds(self, asset: Asset, start: float, end: float) -> tuple[Floats, Floats, Floats]:
        """The same for an index."""
        ...

    # Participants -----------------------------------------------------------------------------------------------

    def half_spread(self, contract: Contract, price: float) -> float:
        """Distance of the best quotes from the fair price, before they are rounded outward to ticks."""
        ...

    def quotes(self, contract: Contract, t: float) -> Quotes:
        """What participants show; the same for the same time."""
        ...

    def flow(self, contract: Contract, start: float, end: float) -> Flow:
        """The participants' market orders with start < time <= end."""
        ...

    def last(self, contract: Contract, t: float) -> float:
        """Price of the latest trade at or before a time."""
        ...

    # Funding ----------------------------------------------------------------------------------------------------

    def relative_funding(self, contract: Contract, hour: Any) -> Any:
        """Rate of the period that begins at ``hour``, as a share of the position's value."""
        ...

    def funding(self, contract: Contract, t: Any) -> Any:
        """Absolute rate per contract and hour of the period that contains ``t``."""
        ...

    def predicted_funding(self, contract: Contract, t: float) -> float:
        """Absolute rate of the next period as the current hour suggests it."""
        ...

    # Views of the past ------------------------------------------------------------------------------------------

    def candles(
        self, tick_type: TickType, contract: Contract, seconds: int, start: float, now: float, end: float | None = None
    ) -> Candles:
        """Candles from the bucket that contains ``start`` to the one that contains ``end``, by default ``now``."""
        ...

    def trades(
        self,
        contract: Contract,
        start: float,
        end: float,
        count: int,
        *,
        newest_first: bool = True,
        resume: int | None = None,
    ) -> Trades:
        """The newest (or oldest) public trades with start <= time < end, at most ``count``.

        ``resume`` is the number of the last trade of the page before: only what lies beyond it is given.
        """
        ...

    def open_interest(self, contract: Contract, times: Floats) -> Floats:
        """Contracts open at some times."""
        ...

    def basis(self, contract: Contract, times: Floats) -> Floats:
        """Mark price relative to the index at some times, 0 when they are equal."""
        ...
