"""What the exchange asks of a market, and the columns in which it is answered.

A market gives the prices of assets and contracts, and what participants quote and trade. `SimulatedMarket` draws one
from a seed and knows its past, too; `LiveMarket` follows another exchange and leaves questions about the past to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.paper.market.instruments import Asset, Contract
from kfut_analytics.paper.market.states import MarketState

if TYPE_CHECKING:
    from kfut_analytics.paper.market.live_source import Source

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


class Day(NamedTuple):
    """The last 24 hours of a contract and its latest trade, ``None`` where there was none."""

    volume: float
    quote_volume: float
    open_interest: float
    open: float | None = None
    high: float | None = None
    low: float | None = None
    last_time: float | None = None
    last_size: float | None = None


class Market(Protocol):
    """Prices that are straight lines between knots, and all that follows from them.

    Times are seconds since the epoch. Where ``t`` may be an array, the answer is one too.

    Attributes
    ----------
    assets
        What there are prices of, by code.
    states
        Contracts whose market is by itself in a state out of the ordinary, by symbol.
    """

    assets: Mapping[str, Asset]
    states: Mapping[str, MarketState]

    @property
    def source(self) -> Source | None:
        """Where another exchange is asked about the past, ``None`` where the market knows it."""
        ...

    @property
    def past(self) -> DrawnMarket | None:
        """The market as one that knows its past, ``None`` where another exchange is asked about that."""
        ...

    def listing(self, now: float) -> dict[str, Contract]:
        """What is listed at a time, by symbol; with the dated contracts that expired in the last 120 days."""
        ...

    def close(self) -> None:
        """Stop following anything; a second call does nothing."""
        ...

    # What is known ----------------------------------------------------------------------------------------------

    def learn(self, start: float, end: float, in_use: Collection[Contract]) -> float:
        """Take note of what has become known, before the exchange's time goes on from ``start`` to ``end``.

        Nothing else changes what the market says of a time.

        Parameters
        ----------
        in_use
            The contracts in which somebody has an order or a position.

        Returns
        -------
        float
            From when on there are prices: ``start``, a later time, or ``end`` if nothing is known at all.
        """
        ...

    def attend(self, contract: Contract) -> bool:
        """Somebody looks closely at a contract: whether there is more to see of it than before."""
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

    def settlement_price(self, contract: Contract) -> float:
        """Price at which a contract that has expired is settled."""
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

    def day(self, contract: Contract) -> Day | None:
        """The last 24 hours as they are told by another exchange, ``None`` where they follow from the past."""
        ...

    # Funding ----------------------------------------------------------------------------------------------------

    def funding(self, contract: Contract, t: Any) -> Any:
        """Absolute rate per contract and hour of the period that contains ``t``."""
        ...

    def predicted_funding(self, contract: Contract, t: float) -> float:
        """Absolute rate of the next period as the current hour suggests it."""
        ...


class DrawnMarket(Market, Protocol):
    """A market that knows its past.

    Attributes
    ----------
    begin
        The earliest time for which there are prices.
    """

    begin: float

    def relative_funding(self, contract: Contract, hour: Any) -> Any:
        """Rate of the period that begins at ``hour``, as a share of the position's value."""
        ...

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
