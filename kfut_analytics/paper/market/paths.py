"""The index of every asset since 2023: pure functions of seed and time.

From hour to hour the log price is a walk that slowly comes back to the asset's level. Within the hour it is a Brownian
bridge on a grid of five seconds, in a time of its own that runs faster while markets are busy. Volatility differs by
the hour of the day and the day of the week, and calm or wild times last; a few times a month everything, or one asset
alone, jumps. What assets have in common, the calm and wild times above all, is drawn once for all of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.paper.clock import DAY, HOUR
from kfut_analytics.paper.market.instruments import Asset
from kfut_analytics.paper.market.noise import Cache, Waves, normal, stable_hash, uniform, wander
from kfut_analytics.paper.market.protocol import Floats

STEP = 5.0
"""Seconds between two knots: every price is a straight line from one to the next."""
STEPS_PER_MINUTE, STEPS_PER_HOUR, STEPS_PER_DAY = 12, 720, 17_280
EPOCH_DAY = 19_358
"""2023-01-01, in days since 1970: where every path begins."""
PRICED_DAY = 20_779
"""2026-11-22: this day begins with the assets' own prices, whatever the seed."""

_EPOCH_HOUR, _PRICED_PLACE = 24 * EPOCH_DAY, 24 * (PRICED_DAY - EPOCH_DAY)
_HOURS_PER_YEAR = 365 * 24
# The walk forgets this share of its distance to the asset's level in an hour, half of it in about five months. It then
# stays within about half a year's volatility of that level.
_FORGETTING = 0.005 / 24
# Logarithm of volatility, of all assets and of each alone.
_VOLATILITY: Waves = (
    (2 * HOUR, 0.16),
    (6 * HOUR, 0.18),
    (2 * DAY, 0.12),
    (5 * DAY, 0.16),
    (12 * DAY, 0.20),
    (35 * DAY, 0.24),
    (100 * DAY, 0.20),
)
_OWN_VOLATILITY: Waves = ((8 * HOUR, 0.10), (4 * DAY, 0.10), (20 * DAY, 0.10))
_LOGARITHM_VARIANCE = sum(deviation**2 for _, deviation in _VOLATILITY + _OWN_VOLATILITY)
# Variance by the hours of the day in Asia, Europe and America (UTC), and on weekends, relative to its mean.
_HOURS = np.array(
    [
        *(1.0, 1.05, 0.95, 0.8, 0.7, 0.65, 0.7, 0.9, 1.05, 1.0, 0.9, 0.9),
        *(1.0, 1.4, 1.8, 1.7, 1.5, 1.3, 1.15, 1.1, 1.05, 0.95, 0.9, 0.95),
    ]
)
_WEEKEND, _WEEKDAY = 0.6, 1.16
# Logarithm of variance from minute to minute.
_FLICKER: Waves = ((600.0, 0.3),)
# Jumps: chance per hour, and their size in daily standard deviations: a least one and an exponential rest.
_JUMPS_PER_HOUR = 1 / (15 * 24)
_LEAST_JUMP, _MEAN_REST = 0.2, 0.25
_JUMP_VARIANCE = 24 * _JUMPS_PER_HOUR * (_LEAST_JUMP**2 + 2 * _LEAST_JUMP * _MEAN_REST + 2 * _MEAN_REST**2)


class Pace(NamedTuple):
    """A day's own time, by hours.

    Attributes
    ----------
    elapsed
        Share of the hour's variance that has passed, after every step.
    roots
        Standard deviation of each step, in terms of the hour's.
    activity
        How busy each minute of the day is; about 1 on average over the years.
    """

    elapsed: NDArray[np.float32]
    roots: NDArray[np.float32]
    activity: Floats


class _Jumps(NamedTuple):
    """The few jumps of some hours: in which of them, how far in log returns, and at which step."""

    hour: NDArray[np.int64]
    size: Floats
    step: NDArray[np.int64]


class _Common(NamedTuple):
    """What all assets have in common from hour to hour: the logarithm of volatility, and the shocks."""

    volatility: Floats
    shocks: Floats


class _Walk(NamedTuple):
    """An asset from hour to hour: logarithm of the index relative to its level, and the deviation of each hour."""

    place: Floats
    deviation: Floats


class Paths:
    """Index prices.

    Parameters
    ----------
    seed
        Whatever has the same seed has the same prices.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._walks: dict[str, _Walk] = {}
        self._hours: _Common | None = None
        self._paces: Cache[Pace] = Cache(96)
        self._common_bridges: Cache[NDArray[np.float32]] = Cache(96)

    def hours(self, asset: Asset, first: int, count: int) -> Floats:
        """Index prices at some full hours (numbers since 1970)."""
        place = first - _EPOCH_HOUR
        result: Floats = asset.price * np.exp(self._walk(asset, first + count).place[place : place + count])
        return result

    def day(self, asset: Asset, day: int) -> Floats:
        """Index prices at the knots of a day (number since 1970), its first and its last moment included."""
        first, pace, rho = 24 * day, self.pace(day), asset.correlation
        place, deviation = self._walk(asset, first + 25)
        here = slice(first - _EPOCH_HOUR, first - _EPOCH_HOUR + 24)
        begins, ends = place[here, None], place[here.start + 1 : here.stop + 1, None]
        # Distances within an hour are small: they need no more than seven digits.
        walk = rho * self._common_bridges.get(day, lambda: self._bridges("common", day, pace))
        walk += math.sqrt(1 - rho * rho) * self._bridges(asset.code, day, pace)
        walk = begins + (ends - begins) * pace.elapsed + deviation[here, None] * walk
        for jumps in self._jumps_of(asset, np.arange(first, first + 24)):
            for hour, size, step in zip(*jumps, strict=True):
                # The bridge has spread the jump over the hour.
                walk[hour] -= size * pace.elapsed[hour]
                walk[hour, step:] += size
        # Two hours meet in the same number.
        walk[:, -1] = ends[:, 0]
        result: Floats = asset.price * np.exp(np.append(begins[0], walk))
        return result

    def pace(self, day: int) -> Pace:
        """How time runs on a day, the same for all assets."""
        return self._paces.get(day, lambda: self._make_pace(day))

    def _make_pace(self, day: int) -> Pace:
        minutes = day * DAY + 60.0 * np.arange(1440)
        variance = np.exp(wander(stable_hash(self.seed, "flicker"), minutes, _FLICKER)).reshape(24, 60)
        variance /= variance.sum(axis=1, keepdims=True)
        steps = np.repeat(variance / STEPS_PER_MINUTE, STEPS_PER_MINUTE, axis=1)
        first = 24 * day - _EPOCH_HOUR
        usual = np.exp(self._common_hours(24 * day + 24).volatility[first : first + 24])
        roots = np.sqrt(steps).astype(np.float32)
        elapsed = np.cumsum(steps, axis=1).astype(np.float32)
        return Pace(elapsed, roots, (usual[:, None] * np.sqrt(variance * 60)).ravel())

    def _bridges(self, name: str, day: int, pace: Pace) -> NDArray[np.float32]:
        """Brownian bridges of variance 1, from 0 to 0 in each hour of a day, in its own time."""
        rng = np.random.default_rng([abs(stable_hash(self.seed, f"bridge {name}")), day])
        steps = rng.standard_normal((24, STEPS_PER_HOUR), dtype=np.float32)
        steps *= pace.roots
        walk: NDArray[np.float32] = np.cumsum(steps, axis=1)
        walk -= walk[:, -1:] * pace.elapsed
        return walk

    # From hour to hour --------------------------------------------------------------------------------------------

    def _walk(self, asset: Asset, stop: int) -> _Walk:
        """The asset's walk, up to an hour at least."""
        known = self._walks.get(asset.code)
        if known is None or stop - _EPOCH_HOUR > len(known.place):
            known = self._walks[asset.code] = self._draw(asset, self._common_hours(stop))
        return known

    def _draw(self, asset: Asset, common: _Common) -> _Walk:
        count = len(common.shocks)
        hours = np.arange(_EPOCH_HOUR, _EPOCH_HOUR + count)
        rho, usual = asset.correlation, asset.volatility / math.sqrt(_HOURS_PER_YEAR)
        logarithm = common.volatility - _LOGARITHM_VARIANCE
        logarithm += wander(stable_hash(self.seed, f"volatility {asset.code}"), HOUR * hours, _OWN_VOLATILITY)
        deviation = usual * np.exp(logarithm) * math.sqrt(1 - _JUMP_VARIANCE)
        shocks = rho * common.shocks
        shocks += math.sqrt(1 - rho * rho) * normal(stable_hash(self.seed, asset.code), hours)
        steps = deviation * shocks
        for jumps in self._jumps_of(asset, hours):
            steps[jumps.hour] += jumps.size
        # Every step is forgotten from then on; the first hour is already a typical distance away from the level.
        kept = (1 - _FORGETTING) ** np.arange(count)
        steps[0] = usual * shocks[0] / math.sqrt(2 * _FORGETTING)
        place = kept * np.cumsum(steps / kept)
        # Given where such a walk is at one time, it is expected to come back from there to either side.
        place -= place[_PRICED_PLACE] * kept[np.abs(np.arange(count) - _PRICED_PLACE)]
        return _Walk(place, deviation)

    def _common_hours(self, stop: int) -> _Common:
        """What all assets have in common, in whole years, up to an hour at least."""
        years = max(_PRICED_PLACE + 1, stop - _EPOCH_HOUR) // _HOURS_PER_YEAR + 1
        if self._hours is None or len(self._hours.shocks) < years * _HOURS_PER_YEAR:
            hours = np.arange(_EPOCH_HOUR, _EPOCH_HOUR + years * _HOURS_PER_YEAR)
            weekend = (hours // 24 + 3) % 7 >= 5
            rhythm = _HOURS[hours % 24] / _HOURS.mean() * np.where(weekend, _WEEKEND, _WEEKDAY)
            volatility = wander(stable_hash(self.seed, "volatility"), HOUR * hours, _VOLATILITY) + np.log(rhythm) / 2
            self._hours = _Common(volatility, normal(stable_hash(self.seed, "common"), hours))
        return self._hours

    def _jumps_of(self, asset: Asset, hours: NDArray[np.int64]) -> tuple[_Jumps, _Jumps]:
        """The jumps of all assets and the asset's own."""
        rho, day = asset.correlation, asset.volatility / math.sqrt(365)
        return self._jumps("common", hours, rho * day), self._jumps(asset.code, hours, math.sqrt(1 - rho * rho) * day)

    def _jumps(self, name: str, hours: NDArray[np.int64], unit: float) -> _Jumps:
        key = stable_hash(self.seed, f"jump {name}")
        hit = np.flatnonzero(uniform(key, 4 * hours) < _JUMPS_PER_HOUR)
        rest, sign, place = (uniform(key, 4 * hours[hit] + number) for number in (1, 2, 3))
        size = unit * (_LEAST_JUMP - _MEAN_REST * np.log(rest)) * np.where(sign < 0.5, -1.0, 1.0)
        return _Jumps(hit, size, np.floor(place * (STEPS_PER_HOUR - 1)).astype(np.int64))
