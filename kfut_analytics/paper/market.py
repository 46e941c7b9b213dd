"""Prices: one function of time per asset, reproducible from the seed.

Every figure of the market (index, mark, fair price, funding, candles, volume) is a pure function of the seed, the
hour in which the exchange opened and the time asked for. Nothing is recorded, so every view of the past agrees.

Before the exchange opened the index is a walk on a grid of 15 seconds, generated backwards from the start price.
It reaches the start price at the full hour before opening and again at opening: two exchanges opened in the same
hour with the same seed therefore share their history. From then on the index takes one step per second.
"""

from __future__ import annotations

import math
import uuid
import zlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.contracts import absolute_funding_rate
from kfut_analytics.paper.clock import DAY, HOUR, YEAR
from kfut_analytics.paper.instruments import (
    ASSETS,
    FUNDING_RATE_COEFFICIENT,
    MAX_RELATIVE_FUNDING_RATE,
    Asset,
    Contract,
)

Floats = NDArray[np.float64]
TickType = Literal["spot", "mark", "trade"]

GRID = 15.0
PAST_DAYS = 120
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

_BASIS_PER_YEAR = 0.05
# Periods (s) and amplitudes of the premium's waves. The mark price follows the slow ones only.
_SLOW_WAVES = ((5.3 * HOUR, 0.8e-4), (2.2 * DAY, 1.0e-4), (9.1 * DAY, 1.2e-4))
_FAST_WAVES = ((97.0, 0.4e-4), (660.0, 0.8e-4))
# Streams of random numbers that must not overlap.
_COMMON, _OWN, _DAILY_VOLATILITY, _PREMIUM = range(4)
_BLOCK = 3600
_OPEN_SHARE = 0.6


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


def uniform(key: int, counter: NDArray[np.int64]) -> Floats:
    """Random numbers in (0, 1), one per counter, the same for the same key and counter (splitmix64)."""
    z = counter.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key & 0xFFFFFFFFFFFFFFFF)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    result: Floats = ((z >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return result


def stable_hash(seed: int, text: str) -> int:
    """A number from a seed and a name, the same in every process."""
    return zlib.crc32(text.encode()) * 1_000_003 + seed


class Market:
    """The moving market.

    Parameters
    ----------
    seed
        Whatever has the same seed (and opens in the same hour) has the same history.
    opened
        The moment of opening, seconds since the epoch; the index has its start price then.
    """

    def __init__(self, seed: int, opened: float, assets: Mapping[str, Asset] = ASSETS) -> None:
        self.seed = seed
        self.opened = opened
        self.anchor = math.floor(opened / HOUR) * HOUR
        self.begin = self.anchor - PAST_DAYS * DAY
        self._numbers = {code: number for number, code in enumerate(assets)}
        self._past: dict[str, tuple[Floats, Floats]] = {}
        self._ahead: dict[str, Floats] = {code: np.zeros(1) for code in assets}
        self._waves: dict[str, tuple[float, Floats]] = {}
        self._rates: dict[tuple[str, int], Floats] = {}
        self._common_past: tuple[Floats, Floats] | None = None

    # Index ------------------------------------------------------------------------------------------------------

    def index(self, asset: Asset, t: Any) -> Any:
        """Index price in USD at a time (or an array of times); before the grid begins it is the first price."""
        times = np.asarray(t, dtype=np.float64)
        knots, prices = self._history(asset)
        result = np.interp(times, knots, prices)
        ahead = times > self.opened
        if ahead.any():
            steps = np.floor(np.where(ahead, times - self.opened, 0.0)).astype(np.int64)
            walk = self._forward(asset, int(steps.max()))
            result = np.where(ahead, asset.price * np.exp(walk[steps]), result)
        return float(result) if times.ndim == 0 else result

    def _history(self, asset: Asset) -> tuple[Floats, Floats]:
        """Knots and index prices up to opening, made when first asked for."""
        if asset.code not in self._past:
            count = int(PAST_DAYS * DAY / GRID)
            if self._common_past is None:
                daily = np.random.default_rng([self.seed, _DAILY_VOLATILITY]).standard_normal(PAST_DAYS)
                factor: Floats = np.repeat(np.exp(0.35 * daily - 0.06), count // PAST_DAYS)
                common = np.random.default_rng([self.seed, _COMMON]).standard_normal(count)
                self._common_past = (common, factor)
            common, factor = self._common_past
            steps = self._steps(asset, common, block=0, dt=GRID) * factor
            # steps[i] lies i grid steps before the anchor; summing them up walks backwards from the start price.
            walk = np.concatenate([-np.cumsum(steps)[::-1], [0.0]])
            knots = self.begin + GRID * np.arange(count + 1)
            tail = np.arange(self.anchor + GRID, self.opened, GRID)
            if self.opened > self.anchor:
                # A bridge: away from the start price after the full hour and back to it at opening.
                times = np.append(tail, self.opened)
                noise = np.cumsum(self._steps(asset, common[: len(times)], block=1, dt=GRID))
                bridge = noise - noise[-1] * (times - self.anchor) / (self.opened - self.anchor)
                knots, walk = np.concatenate([knots, times]), np.concatenate([walk, bridge])
            prices: Floats = asset.price * np.exp(walk)
            self._past[asset.code] = (knots.astype(np.float64), prices)
        return self._past[asset.code]

    def _forward(self, asset: Asset, second: int) -> Floats:
        """Log price relative to the start price per second since opening, at least up to ``second``."""
        walk = self._ahead[asset.code]
        if len(walk) <= second:
            parts, level = [walk], walk[-1]
            for block in range((len(walk) - 1) // _BLOCK, second // _BLOCK + 1):
                common = np.random.default_rng([self.seed, _COMMON, 2 + block]).standard_normal(_BLOCK)
                steps = self._steps(asset, common, block=2 + block, dt=1.0)
                parts.append(level + np.cumsum(steps))
                level = parts[-1][-1]
            walk = self._ahead[asset.code] = np.concatenate(parts)
        return walk

    def _steps(self, asset: Asset, common: Floats, *, block: int, dt: float) -> Floats:
        """Log returns of an asset: its share of the common factor and a part of its own."""
        own = np.random.default_rng([self.seed, _OWN, self._numbers[asset.code], block]).standard_normal(len(common))
        rho = asset.correlation
        scale = asset.volatility * math.sqrt(dt / YEAR)
        return scale * (rho * common + math.sqrt(1 - rho * rho) * own)

    # Contracts --------------------------------------------------------------------------------------------------

    def mark(self, contract: Contract, t: Any) -> Any:
        """Mark price: the index plus the slow part of the premium."""
        return self.index(contract.asset, t) * (1 + self._premium(contract, t, fast=False))

    def fair(self, contract: Contract, t: Any) -> Any:
        """The price around which the market quotes and trades."""
        return self.index(contract.asset, t) * (1 + self._premium(contract, t, fast=True))

    def last(self, contract: Contract, t: float) -> float:
        """Price of the latest trade, on the tick."""
        return float(_on_tick(contract, self.fair(contract, t)))

    def _premium(self, contract: Contract, t: Any, *, fast: bool) -> Any:
        """Relative distance to the index: mean-reverting waves, and for dated contracts the basis."""
        if contract.symbol not in self._waves:
            rng = np.random.default_rng([self.seed, _PREMIUM, zlib.crc32(contract.symbol.encode())])
            bias = 1e-4 * (1 + 0.5 * rng.standard_normal()) if contract.expiry is None else 0.0
            self._waves[contract.symbol] = (bias, rng.uniform(0, 2 * math.pi, len(_SLOW_WAVES) + len(_FAST_WAVES)))
        level, phases = self._waves[contract.symbol]
        times = np.asarray(t, dtype=np.float64)
        value = np.full(times.shape, level)
        waves = _SLOW_WAVES + _FAST_WAVES if fast else _SLOW_WAVES
        for (period, amplitude), phase in zip(waves, phases, strict=False):
            value = value + amplitude * np.sin(2 * math.pi * (times - self.anchor) / period + phase)
        if contract.expiry is not None:
            left = np.maximum(contract.expiry - times, 0.0)
            # The waves die out over the last two days: a dated contract meets its index at expiry.
            value = value * np.minimum(left / (2 * DAY), 1.0) + _BASIS_PER_YEAR * left / YEAR
        return float(value) if times.ndim == 0 else value

    # Funding ----------------------------------------------------------------------------------------------------

    def relative_funding(self, contract: Contract, hour: float) -> float:
        """Relative rate of the period that begins at ``hour``: the mean premium of the hour before, capped.

        Source: api-facts 6.4.
        """
        day, place = divmod(round(hour / HOUR), 24)
        if (contract.symbol, day) not in self._rates:
            minutes = day * DAY - HOUR + 60.0 * np.arange(24 * 60)
            means = self._premium(contract, minutes, fast=True).reshape(24, 60).mean(axis=1)
            self._rates[contract.symbol, day] = _capped(means / FUNDING_RATE_COEFFICIENT)
        return float(self._rates[contract.symbol, day][place])

    def funding(self, contract: Contract, t: float) -> float:
        """Absolute rate per contract and hour of the period that contains ``t``."""
        hour = math.floor(t / HOUR) * HOUR
        return self._absolute(contract, self.relative_funding(contract, hour), hour)

    def predicted_funding(self, contract: Contract, t: float) -> float:
        """Absolute rate of the next period as the current hour's premium so far suggests it."""
        hour = math.floor(t / HOUR) * HOUR
        minutes = hour + 60.0 * np.arange(1 + int((t - hour) // 60))
        mean = self._premium(contract, minutes, fast=True).mean()
        return self._absolute(contract, float(_capped(mean / FUNDING_RATE_COEFFICIENT)), t)

    def _absolute(self, contract: Contract, relative: float, t: float) -> float:
        index = self.index(contract.asset, t)
        return float(absolute_funding_rate(relative, index, inverse=contract.inverse))

    # Views of the past ------------------------------------------------------------------------------------------

    def times(self, start: float, end: float) -> Floats:
        """The instants in (start, end] at which orders are looked at: `instants`, and always ``end``."""
        instants = self.instants(start, end)
        return instants if len(instants) and instants[-1] == end else np.append(instants, end)

    def instants(self, start: float, end: float) -> Floats:
        """The instants in (start, end] at which prices change."""
        past_end = min(end, self.opened)
        past = GRID * np.arange(math.floor(start / GRID) + 1, math.floor(past_end / GRID) + 1)
        first = max(start, self.opened)
        ahead = self.opened + np.arange(math.floor(first - self.opened) + 1, math.floor(end - self.opened) + 1)
        return np.concatenate([past[past > start], ahead])

    def candles(
        self, tick_type: TickType, contract: Contract, seconds: int, start: float, now: float, end: float | None = None
    ) -> Candles:
        """Candles from the bucket that contains ``start`` to the one that contains ``end``, by default ``now``.

        All resolutions look at the same instants of a grid of 15 seconds, so coarse candles are exactly the sums
        of fine ones. A candle closes where the next one opens; the last one closes now.
        """
        first = math.floor(max(start, self.begin) / seconds) * seconds
        first = max(first, math.ceil(self.begin / seconds) * seconds)
        starts = np.arange(first, min(now, (now if end is None else end) + 1e-3), seconds, dtype=np.float64)
        if not len(starts):
            return Candles(*(np.empty(0) for _ in range(6)))
        now = min(now, starts[-1] + seconds)
        instants = np.append(np.arange(first, now, GRID), now)
        prices = self._prices(tick_type, contract, instants)
        edges = np.searchsorted(instants, starts)
        # reduceat looks at [edge, next edge); the next bucket's opening price belongs to this one as its close.
        closes = prices[np.append(edges[1:], len(prices) - 1)]
        high = np.maximum(np.maximum.reduceat(prices, edges), closes)
        low = np.minimum(np.minimum.reduceat(prices, edges), closes)
        volume = np.zeros(len(starts))
        if tick_type == "trade":
            volume = np.add.reduceat(self._volume(contract, instants[:-1]), edges)
        return Candles(starts, prices[edges], high, low, closes, volume)

    def _prices(self, tick_type: TickType, contract: Contract, instants: Floats) -> Floats:
        if tick_type == "spot":
            prices = self.index(contract.asset, instants)
        elif tick_type == "mark":
            prices = self.mark(contract, instants)
        else:
            prices = _on_tick(contract, self.fair(contract, instants))
        result: Floats = prices
        return result

    def trades(self, contract: Contract, before: float, count: int) -> Trades:
        """The latest public trades before a time: one per instant of the grid, at the price the candles show."""
        last = math.ceil(before / GRID) - 1
        return self.numbered_trades(contract, last - count + 1, last)

    def numbered_trades(self, contract: Contract, first: int, last: int) -> Trades:
        """The public trades from one number to another; a trade's number is that of its instant on the grid."""
        instants: Floats = GRID * np.arange(first, last + 1, dtype=np.float64)
        instants = instants[instants >= max(self.begin, contract.opening)]
        size = self._volume(contract, instants)
        traded = size > 0
        instants, size = instants[traded], size[traded]
        number = np.round(instants / GRID).astype(np.int64)
        key = stable_hash(self.seed, "trade " + contract.symbol)
        draws = uniform(key, number)
        uid = [str(uuid.UUID(int=(key & (2**64 - 1)) << 64 | int(draw * 2**63), version=4)) for draw in draws]
        return Trades(uid, number, instants, self._prices("trade", contract, instants), size, draws < 0.5)

    def open_interest(self, contract: Contract, times: Floats) -> Floats:
        """Contracts open at some times (ascending): a share of what was traded in the day before."""
        if not len(times):
            return np.empty(0)
        first, last = np.ceil((times - DAY) / GRID).astype(np.int64), np.floor(times / GRID).astype(np.int64)
        volume = self._volume(contract, GRID * np.arange(first[0], last[-1] + 1, dtype=np.float64))
        traded = np.concatenate([[0.0], np.cumsum(volume)])
        result: Floats = np.round(
            _OPEN_SHARE * (traded[last - first[0] + 1] - traded[first - first[0]]), contract.precision
        )
        return result

    def basis(self, contract: Contract, times: Floats) -> Floats:
        """Mark price relative to the index at some times, 0 when they are equal."""
        result: Floats = self.mark(contract, times) / self.index(contract.asset, times) - 1
        return result

    def _volume(self, contract: Contract, instants: Floats) -> Floats:
        """Contracts traded at each instant of the grid, on the size step."""
        counters = np.round((instants - self.anchor) / GRID).astype(np.int64)
        draws = -np.log(uniform(stable_hash(self.seed, contract.symbol), counters))
        turnover = (
            contract.asset.turnover * (1.0 if contract.expiry is None else 0.1) * (0.1 if contract.inverse else 1)
        )
        value = turnover * GRID / DAY * draws
        contracts = value if contract.inverse else value / contract.asset.price
        return np.round(contracts, contract.precision)


def _on_tick(contract: Contract, price: Any) -> Any:
    tick = float(contract.tick)
    decimals = max(0, -int(contract.tick.as_tuple().exponent))
    return np.round(np.round(np.asarray(price) / tick) * tick, decimals)


def _capped(rate: Any) -> Any:
    return np.clip(rate, -MAX_RELATIVE_FUNDING_RATE, MAX_RELATIVE_FUNDING_RATE)
