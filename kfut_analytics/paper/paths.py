"""The index of every asset since 2023: pure functions of seed and time.

A day begins where a slowly mean-reverting walk has arrived. Within the day the log price is a Brownian bridge to the
beginning of the next, on a grid of five seconds and in a time of its own that runs faster while markets are busy.
Days differ in volatility, which lasts; a few times a month everything, or one asset alone, jumps. What assets have
in common, the calm and busy times above all, is drawn once for all of them.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.paper.clock import DAY, HOUR
from kfut_analytics.paper.instruments import Asset
from kfut_analytics.paper.market import Floats
from kfut_analytics.paper.noise import Cache, Waves, normal, stable_hash, stretch, uniform, wander

STEP = 5.0
"""Seconds between two knots: every price is a straight line from one to the next."""
STEPS_PER_DAY = 17_280
STEPS_PER_MINUTE = 12
EPOCH_DAY = 19_358
"""2023-01-01, in days since 1970: where every path begins."""
PRICED_DAY = 20_779
"""2026-11-22: this day begins with the assets' own prices, whatever the seed."""

_DAYS_PER_YEAR = 365
_HORIZON_DAYS = 13 * _DAYS_PER_YEAR + 4
# The daily walk forgets this share of its distance to the asset's level: half of it in about five months. It then
# stays within about half a year's volatility of that level.
_FORGETTING = 0.005
# Logarithm of a day's volatility, of all assets and of each alone.
_DAILY_VOLATILITY: Waves = ((2 * DAY, 0.12), (5 * DAY, 0.16), (12 * DAY, 0.18), (35 * DAY, 0.18), (100 * DAY, 0.15))
_OWN_VOLATILITY: Waves = ((4 * DAY, 0.10), (20 * DAY, 0.10))
_WEEKEND_CALM = -0.25
# Logarithm of variance within the day, and how it follows the hours in Asia, Europe and America (UTC).
_BUSYNESS: Waves = ((600.0, 0.25), (HOUR, 0.40), (5 * HOUR, 0.35))
_HOURS: tuple[float, ...] = (1.0, 1.05, 0.95, 0.8, 0.7, 0.65, 0.7, 0.9, 1.05, 1.0, 0.9, 0.9)
_HOURS += (1.0, 1.4, 1.8, 1.7, 1.5, 1.3, 1.15, 1.1, 1.05, 0.95, 0.9, 0.95)
# Jumps: chance per day, and their size in daily standard deviations: a least one and an exponential rest.
_JUMPS_PER_DAY = 1 / 15
_LEAST_JUMP, _MEAN_REST = 0.2, 0.25
_JUMP_VARIANCE = _JUMPS_PER_DAY * (_LEAST_JUMP**2 + 2 * _LEAST_JUMP * _MEAN_REST + 2 * _MEAN_REST**2)


class Pace(NamedTuple):
    """A day's own time.

    Attributes
    ----------
    elapsed
        Share of the day's variance that has passed, per knot.
    roots
        Standard deviation of each step, in terms of the day's.
    activity
        How busy each minute is; about 1 on average over the years.
    """

    elapsed: Floats
    roots: Floats
    activity: Floats


class _Jumps(NamedTuple):
    """Jumps of some days in daily standard deviations, 0 on most days, and the steps at which they happen."""

    size: Floats
    step: NDArray[np.int64]


class _Days(NamedTuple):
    """What is drawn for all days of an asset at once.

    Attributes
    ----------
    walk
        Logarithm of the index relative to the asset's level, at the beginning of each day.
    deviation
        Standard deviation of the log return, apart from jumps.
    jumps
        Those of all assets and the asset's own, each in log returns.
    """

    walk: Floats
    deviation: Floats
    jumps: tuple[_Jumps, _Jumps]


class Paths:
    """Index prices.

    Parameters
    ----------
    seed
        Whatever has the same seed has the same prices.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._days: dict[str, _Days] = {}
        self._paces: Cache[Pace] = Cache(128)
        self._common: Cache[Floats] = Cache(128)

    def day(self, asset: Asset, day: int) -> Floats:
        """Index prices at the knots of a day (number since 1970), its first and its last moment included."""
        days, pace = self._drawn(asset, day), self.pace(day)
        place, rho = day - EPOCH_DAY, asset.correlation
        bridge = rho * self._common.get(day, lambda: self._bridge("common", day, pace))
        bridge += math.sqrt(1 - rho * rho) * self._bridge(asset.code, day, pace)
        bridge *= days.deviation[place]
        begin, end = days.walk[place], days.walk[place + 1]
        jumps = [(jumps.size[place], jumps.step[place]) for jumps in days.jumps]
        walk = begin + (end - begin - sum(size for size, _ in jumps)) * pace.elapsed + bridge
        for size, step in jumps:
            if size:
                walk[step:] += size
        # Two days meet in the same number.
        walk[-1] = end
        result: Floats = asset.price * np.exp(walk)
        return result

    def pace(self, day: int) -> Pace:
        """How time runs on a day, the same for all assets."""
        return self._paces.get(day, lambda: self._make_pace(day))

    def _make_pace(self, day: int) -> Pace:
        minutes = day * DAY + 60.0 * np.arange(1440)
        hours = stretch(np.array([*_HOURS, _HOURS[0]]), 60)[:-1]
        variance = hours * np.exp(wander(stable_hash(self.seed, "busyness"), minutes, _BUSYNESS))
        variance /= variance.sum()
        elapsed = stretch(np.concatenate([[0.0], np.cumsum(variance)]), STEPS_PER_MINUTE)
        roots = np.repeat(np.sqrt(variance / STEPS_PER_MINUTE), STEPS_PER_MINUTE)
        level = np.exp(self._common_volatility(np.array([day]))[0])
        return Pace(elapsed, roots, np.sqrt(variance * 1440) * level)

    def _bridge(self, name: str, day: int, pace: Pace) -> Floats:
        """A Brownian bridge of variance 1, from 0 to 0, in the day's own time."""
        rng = np.random.default_rng([abs(stable_hash(self.seed, f"bridge {name}")), day])
        steps = rng.standard_normal(STEPS_PER_DAY, dtype=np.float32) * pace.roots
        walk = np.concatenate([[0.0], np.cumsum(steps)])
        result: Floats = walk - walk[-1] * pace.elapsed
        return result

    # From day to day ----------------------------------------------------------------------------------------------

    def _drawn(self, asset: Asset, day: int) -> _Days:
        """The asset's days, up to this one at least."""
        known = self._days.get(asset.code)
        if known is None or day - EPOCH_DAY >= len(known.deviation):
            known = self._days[asset.code] = self._draw(asset, max(_HORIZON_DAYS, 2 * (day - EPOCH_DAY)))
        return known

    def _draw(self, asset: Asset, count: int) -> _Days:
        days = np.arange(EPOCH_DAY, EPOCH_DAY + count)
        rho, usual = asset.correlation, asset.volatility / math.sqrt(_DAYS_PER_YEAR)
        own_rho = math.sqrt(1 - rho * rho)
        logarithm = self._common_volatility(days)
        logarithm += wander(stable_hash(self.seed, f"volatility {asset.code}"), DAY * days, _OWN_VOLATILITY)
        spread = sum(deviation**2 for _, deviation in _DAILY_VOLATILITY + _OWN_VOLATILITY)
        deviation = usual * np.exp(logarithm - spread) * math.sqrt(1 - _JUMP_VARIANCE)
        jumps = self._jumps("common", days, usual * rho), self._jumps(asset.code, days, usual * own_rho)
        shocks = rho * normal(stable_hash(self.seed, "common"), days)
        shocks += own_rho * normal(stable_hash(self.seed, asset.code), days)
        steps = deviation * shocks + jumps[0].size + jumps[1].size
        # The first day is already a typical distance away from the level.
        first = float(shocks[0]) * usual / math.sqrt(2 * _FORGETTING)
        walk = itertools.accumulate(steps.tolist(), lambda x, step: (1 - _FORGETTING) * x + step, initial=first)
        path = np.fromiter(walk, dtype=np.float64)
        # Given where a mean-reverting walk is on one day, it is expected to come back from there to either side.
        distance = np.abs(np.arange(len(path)) - (PRICED_DAY - EPOCH_DAY))
        path -= path[PRICED_DAY - EPOCH_DAY] * (1 - _FORGETTING) ** distance
        return _Days(path, deviation, jumps)

    def _common_volatility(self, days: NDArray[np.int64]) -> Floats:
        """Logarithm of the volatility of some days relative to a usual one."""
        weekend = (days + 3) % 7 >= 5
        logarithm = wander(stable_hash(self.seed, "volatility"), DAY * days, _DAILY_VOLATILITY)
        return logarithm + np.where(weekend, _WEEKEND_CALM, -_WEEKEND_CALM * 2 / 5)

    def _jumps(self, name: str, days: NDArray[np.int64], unit: float) -> _Jumps:
        key = stable_hash(self.seed, f"jump {name}")
        chance, size, sign, place = (uniform(key, 4 * days + number) for number in range(4))
        size = unit * (_LEAST_JUMP - _MEAN_REST * np.log(size)) * np.where(sign < 0.5, -1.0, 1.0)
        step = 1 + np.floor(place * (STEPS_PER_DAY - 1)).astype(np.int64)
        return _Jumps(np.where(chance < _JUMPS_PER_DAY, size, 0.0), step)
