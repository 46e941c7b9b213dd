"""A market drawn from a seed: every figure is a pure function of the seed and the time asked for.

It does not matter when the exchange opened or what was asked before. What was computed last is kept, by days and
within bounds, so that an exchange may run for months.
"""

from __future__ import annotations

import itertools
import math
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.contracts import absolute_funding_rate
from kfut_analytics.paper.clock import DAY, HOUR
from kfut_analytics.paper.market import instruments
from kfut_analytics.paper.market.bars import HIGH, LOW, bar_of, bars_of_knots, bars_of_tape, merged
from kfut_analytics.paper.market.instruments import Asset, Contract
from kfut_analytics.paper.market.ladder import half_spread, ladder, outward, turnover
from kfut_analytics.paper.market.noise import Cache, Waves, stable_hash, uniform, wander
from kfut_analytics.paper.market.paths import EPOCH_DAY, STEP, Paths
from kfut_analytics.paper.market.premium import Premium
from kfut_analytics.paper.market.protocol import Candles, Floats, Flow, Quotes, TickType, Trades
from kfut_analytics.paper.market.states import MarketState
from kfut_analytics.paper.market.tape import Tape, joined, tape_of_day

# Days that are kept: of prices at 140 kB each, of trades and minutes at about half, of hours at 1 kB.
_KEPT_PRICES, _KEPT_TAPES, _KEPT_MINUTES, _KEPT_HOURS = 160, 72, 80, 6000

HOURS_PER_DAY = 24

# Open contracts as a share of what is traded in a day, and how their logarithm moves.
_OPEN_SHARE = 0.45
_OPEN_INTEREST: Waves = ((3 * HOUR, 0.01), (DAY, 0.03), (6 * DAY, 0.08), (30 * DAY, 0.15), (120 * DAY, 0.15))
# A dated contract's open interest grows over these days after its listing, and falls over these before its end.
_GROWING, _FALLING = 21 * DAY, 7 * DAY


class SimulatedMarket:
    """The moving market.

    Parameters
    ----------
    seed
        Whatever has the same seed has the same past and the same future.

    Attributes
    ----------
    begin
        2023-01-01, the earliest time for which there are prices.
    assets
        What prices are drawn of.
    states
        None: nothing happens to these markets by themselves.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.assets: Mapping[str, Asset] = instruments.ASSETS
        self.states: Mapping[str, MarketState] = {}
        self.source = None
        self.begin = EPOCH_DAY * DAY
        self._paths, self._premium = Paths(seed), Premium(seed)
        self._prices: Cache[Floats] = Cache(_KEPT_PRICES)
        self._tapes: Cache[Tape] = Cache(_KEPT_TAPES)
        self._minutes: Cache[Floats] = Cache(_KEPT_MINUTES)
        self._hours: Cache[Floats] = Cache(_KEPT_HOURS)
        self._rates: Cache[tuple[Floats, Floats]] = Cache(_KEPT_HOURS)

    def listing(self, now: float) -> dict[str, Contract]:
        """What is listed at a time, by symbol; with the dated contracts that expired in the last 120 days."""
        return instruments.listing(now)

    @property
    def past(self) -> SimulatedMarket:
        """Its past is drawn like its future."""
        return self

    def close(self) -> None:
        """Nothing is open."""

    def learn(self, start: float, end: float, in_use: Collection[Contract]) -> float:
        """Everything is known."""
        return start

    def attend(self, contract: Contract) -> bool:
        """There is never more to see."""
        return False

    def known_until(self, now: float) -> float:
        """The whole future is drawn."""
        return math.inf

    # Prices -----------------------------------------------------------------------------------------------------

    def knots(self, start: float, end: float) -> Floats:
        """The instants in (start, end] at which prices bend: between them every price is a straight line."""
        knots: Floats = STEP * np.arange(math.floor(start / STEP) + 1, math.floor(end / STEP) + 1, dtype=np.float64)
        return knots

    def index(self, asset: Asset, t: Any) -> Any:
        """Index price in USD at a time (or an array of times)."""
        return self._at(t, lambda day: self._index_day(asset, day))

    def mark(self, contract: Contract, t: Any) -> Any:
        """Mark price: the index and the slow part of the premium."""
        return self._at(t, lambda day: self._mark_day(contract, day))

    def fair(self, contract: Contract, t: Any) -> Any:
        """The price around which participants quote and trade: the index and the whole premium."""
        return self._at(t, lambda day: self._fair_day(contract, day))

    def _index_day(self, asset: Asset, day: int) -> Floats:
        return self._prices.get((asset.code, day), lambda: self._paths.day(asset, day))

    def _mark_day(self, contract: Contract, day: int) -> Floats:
        def make() -> Floats:
            index = self._index_day(contract.asset, day)
            return index + index * self._premium.of_day(contract, day)

        return self._prices.get(("mark", contract.symbol, day), make)

    def _fair_day(self, contract: Contract, day: int) -> Floats:
        def make() -> Floats:
            index = self._index_day(contract.asset, day)
            return self._mark_day(contract, day) + index * self._premium.fast_of_day(contract, day)

        return self._prices.get(("fair", contract.symbol, day), make)

    def _at(self, t: Any, day_of: Callable[[int], Floats]) -> Any:
        """Prices at a time or at some, from the knots of their days; before the beginning the first price."""
        if np.ndim(t) == 0:
            time = max(float(t), self.begin)
            day = int(time // DAY)
            place = (time - day * DAY) / STEP
            step = int(place)
            knots = day_of(day)
            low = float(knots[step])
            return low + (float(knots[step + 1]) - low) * (place - step)
        times = np.maximum(np.asarray(t, dtype=np.float64), self.begin)
        days = np.floor(times / DAY).astype(np.int64)
        places = (times - days * DAY) / STEP
        steps = places.astype(np.int64)
        result = np.empty(times.shape)
        # Times come in order as a rule, so that each day is looked at once.
        edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)] if len(days) else []
        for first, last in itertools.pairwise(edges):
            knots, step = day_of(int(days[first])), steps[first:last]
            low = knots[step]
            result[first:last] = low + (knots[step + 1] - low) * (places[first:last] - step)
        return result

    def settlement_price(self, contract: Contract) -> float:
        """The index when the contract expired."""
        return float(self.index(contract.asset, contract.expiry))

    def hourly_bounds(self, contract: Contract, start: float, end: float) -> tuple[Floats, Floats, Floats]:
        """Starts of the full hours that touch [start, end], and the lowest and the highest mark price in each."""
        return self._bounds(start, end, lambda day: self._table("mark", contract, day, HOURS_PER_DAY))

    def hourly_index_bounds(self, asset: Asset, start: float, end: float) -> tuple[Floats, Floats, Floats]:
        """The same for an index."""
        return self._bounds(start, end, lambda day: self._index_table(asset, day, HOURS_PER_DAY))

    def _bounds(self, start: float, end: float, hours_of: Callable[[int], Floats]) -> tuple[Floats, Floats, Floats]:
        first, last = math.floor(max(start, self.begin) / HOUR), math.floor(end / HOUR)
        days = range(first // 24, last // 24 + 1)
        table = np.concatenate([hours_of(day) for day in days], axis=1)
        chosen = slice(first - 24 * days[0], last + 1 - 24 * days[0])
        return HOUR * np.arange(first, last + 1, dtype=np.float64), table[LOW, chosen], table[HIGH, chosen]

    # Participants -----------------------------------------------------------------------------------------------

    def half_spread(self, contract: Contract, price: float) -> float:
        """Distance of the best quotes from the fair price, before they are rounded outward to ticks."""
        return float(half_spread(contract, price))

    def quotes(self, contract: Contract, t: float) -> Quotes:
        """What participants show: sizes and distances are drawn anew every second."""
        day, second = int(t // DAY), math.floor(t)
        activity = float(self._paths.pace(day).activity[int((t - day * DAY) // 60)])
        key = stable_hash(self.seed, f"book {contract.symbol}")
        return ladder(contract, self.fair(contract, t), activity, key, second)

    def flow(self, contract: Contract, start: float, end: float) -> Flow:
        """The participants' market orders with start < time <= end."""
        return Flow(*joined(list(self._taped(contract, start, end)))[1:])

    def last(self, contract: Contract, t: float) -> float:
        """Price of the latest trade at or before a time; before the first one, the price of the first quotes."""
        first = int(max(self.begin, contract.opening) // DAY)
        for day in range(int(max(t, self.begin) // DAY), first - 1, -1):
            tape = self._tape(contract, day)
            place = int(np.searchsorted(tape.time, t, side="right"))
            if place:
                return float(tape.price[place - 1])
        return float(outward(contract, self.fair(contract, max(self.begin, contract.opening)), buy=True))

    def _tape(self, contract: Contract, day: int) -> Tape:
        def make() -> Tape:
            fair, activity = self._fair_day(contract, day), self._paths.pace(day).activity
            return tape_of_day(self.seed, contract, day, fair, activity)

        return self._tapes.get((contract.symbol, day), make)

    def _taped(self, contract: Contract, start: float, end: float) -> Iterator[Tape]:
        """The trades with start < time <= end, day by day."""
        start, end = max(start, self.begin), min(end, contract.expiry or math.inf)
        for day in range(int(start // DAY), int(end // DAY) + 1):
            tape = self._tape(contract, day)
            first, last = np.searchsorted(tape.time, (start, end), side="right")
            if first < last:
                yield tape.between(int(first), int(last))

    def day(self, contract: Contract) -> None:
        """It follows from the past."""

    # Funding ----------------------------------------------------------------------------------------------------

    def relative_funding(self, contract: Contract, hour: Any) -> Any:
        """Relative rate of the period that begins at ``hour`` (or at each of some hours)."""
        return self._rates_at(contract, hour)[0]

    def funding(self, contract: Contract, t: Any) -> Any:
        """Absolute rate per contract and hour of the period that contains ``t`` (or each of some times)."""
        return self._rates_at(contract, t)[1]

    def _rates_at(self, contract: Contract, t: Any) -> tuple[Any, Any]:
        """Relative and absolute rate."""
        if np.ndim(t):
            return self._rates_of(contract, np.floor(np.asarray(t) / HOUR).astype(np.int64))
        day, place = divmod(math.floor(t / HOUR), 24)
        hours = np.arange(24 * day, 24 * day + 24)
        relative, absolute = self._rates.get((contract.symbol, day), lambda: self._rates_of(contract, hours))
        return float(relative[place]), float(absolute[place])

    def _rates_of(self, contract: Contract, hours: NDArray[np.int64]) -> tuple[Floats, Floats]:
        relative, first = self._premium.funding(contract, HOUR * hours), int(hours.min())
        index = self._paths.hours(contract.asset, first, int(hours.max()) - first + 1)[hours - first]
        return relative, absolute_funding_rate(relative, index, inverse=contract.inverse)

    def predicted_funding(self, contract: Contract, t: float) -> float:
        """Absolute rate of the next period as the current hour's premium so far suggests it."""
        index = self.index(contract.asset, t)
        return float(absolute_funding_rate(self._premium.predicted(contract, t), index, inverse=contract.inverse))

    # Views of the past ------------------------------------------------------------------------------------------

    def candles(
        self, tick_type: TickType, contract: Contract, seconds: int, start: float, now: float, end: float | None = None
    ) -> Candles:
        """Candles from the bucket that contains ``start`` to the one that contains ``end``, by default ``now``.

        They are made of minutes or of hours; the one that is not over closes now.
        """
        unit = 60 if seconds < HOUR else int(HOUR)
        now = min(now, contract.expiry or math.inf)
        earliest = math.floor(max(self.begin, contract.opening) / unit) * unit
        first = max(math.floor(start / seconds) * seconds, earliest)
        # The last bucket that has begun before now, to its end.
        stop = min(now, (math.floor((now if end is None else min(end, now)) / seconds) + 1) * seconds)
        whole = math.floor(stop / unit) * unit
        table = self._units(tick_type, contract, unit, first, whole)
        if whole < stop and first <= whole:
            table = np.append(table, self._unfinished(tick_type, contract, whole, stop), axis=1)
        times = first + unit * np.arange(table.shape[1], dtype=np.float64)
        starts, edges = np.unique(np.floor(times / seconds) * seconds, return_index=True)
        return Candles(starts, *(merged(table, edges) if len(edges) else table))

    def _units(self, tick_type: TickType, contract: Contract, unit: int, first: float, stop: float) -> Floats:
        """The table of the minutes (or hours) from ``first`` up to ``stop``."""
        days = range(int(first // DAY), math.ceil(stop / DAY))
        if first >= stop:
            return np.empty((5, 0))
        count = int(DAY) // unit
        table = np.concatenate([self._table(tick_type, contract, day, count) for day in days], axis=1)
        skipped = int((first - days[0] * DAY) // unit)
        return table[:, skipped : skipped + int((stop - first) // unit)]

    def _table(self, tick_type: TickType, contract: Contract, day: int, count: int) -> Floats:
        """A day's minutes or hours."""
        if tick_type == "spot":
            return self._index_table(contract.asset, day, count)

        def make() -> Floats:
            if tick_type == "mark":
                return bars_of_knots(self._mark_day(contract, day), count)
            begin = day * DAY
            return bars_of_tape(self._tape(contract, day), begin, self.last(contract, begin), count)

        return self._kept(count).get((tick_type, contract.symbol, day), make)

    def _index_table(self, asset: Asset, day: int, count: int) -> Floats:
        return self._kept(count).get((asset.code, day), lambda: bars_of_knots(self._index_day(asset, day), count))

    def _kept(self, count: int) -> Cache[Floats]:
        return self._hours if count == HOURS_PER_DAY else self._minutes

    def _unfinished(self, tick_type: TickType, contract: Contract, start: float, now: float) -> Floats:
        """The candle from the start of a minute or hour until now."""
        if tick_type == "trade":
            flow = self.flow(contract, start, now)
            return bar_of(np.append(self.last(contract, start), flow.price), flow.size)
        times = np.unique(np.concatenate([[start], self.knots(start, now), [now]]))
        return bar_of(self.index(contract.asset, times) if tick_type == "spot" else self.mark(contract, times))

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
        """The newest (or oldest) public trades with start <= time < end, at most ``count``, oldest first.

        ``resume`` is the number of the last trade of the page before: only what lies beyond it is given.
        """
        start, end = max(start, self.begin, contract.opening), min(end, contract.expiry or math.inf)
        days = range(int(start // DAY), int(end // DAY) + 1)
        found: list[Tape] = []
        missing = count
        for day in reversed(days) if newest_first else days:
            tape = self._tape(contract, day)
            first, last = np.searchsorted(tape.time, (start, end))
            if resume is not None and newest_first:
                last = min(last, np.searchsorted(tape.number, resume))
            elif resume is not None:
                first = max(first, np.searchsorted(tape.number, resume, side="right"))
            if first < last:
                chosen = slice(max(first, last - missing), last) if newest_first else slice(first, first + missing)
                found.append(tape.between(int(chosen.start), int(min(chosen.stop, last))))
                missing -= len(found[-1].time)
            if missing == 0:
                break
        tape = joined(found[::-1] if newest_first else found)
        key = stable_hash(self.seed, f"trade {contract.symbol}")
        draws = uniform(key, tape.number)
        uid = [str(uuid.UUID(int=(key & (2**64 - 1)) << 64 | int(draw * 2**63), version=4)) for draw in draws]
        return Trades(uid, *tape)

    def open_interest(self, contract: Contract, times: Floats) -> Floats:
        """Contracts open at some times: a share of what is traded in a day, that wanders."""
        contracts = turnover(contract) / (1.0 if contract.inverse else contract.asset.price)
        moved = np.exp(wander(stable_hash(self.seed, f"open {contract.symbol}"), times, _OPEN_INTEREST))
        if contract.expiry is not None:
            moved *= np.clip((times - contract.opening) / _GROWING, 0, 1)
            moved *= np.clip((contract.expiry - times) / _FALLING, 0, 1)
        result: Floats = np.round(_OPEN_SHARE * contracts * moved, contract.precision)
        return result

    def basis(self, contract: Contract, times: Floats) -> Floats:
        """Mark price relative to the index at some times, 0 when they are equal."""
        result: Floats = self.mark(contract, times) / self.index(contract.asset, times) - 1
        return result
