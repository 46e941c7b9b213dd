"""How far a contract's prices are from its index: premium, basis, and the funding that follows.

The mark price carries the slow part, a straight line every five minutes; the fair price also a fast part.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kfut_analytics.paper.clock import DAY, HOUR, YEAR
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.market.noise import Cache, Waves, stable_hash, stretch, wander
from kfut_analytics.paper.market.paths import STEP, STEPS_PER_DAY
from kfut_analytics.paper.market.protocol import Floats

SLOW_STEP = 300.0
_SLOW_PER_DAY, _STEPS_PER_SLOW = int(DAY / SLOW_STEP), int(SLOW_STEP / STEP)
_SLOW_PER_HOUR = int(HOUR / SLOW_STEP)
# So much is drawn at once: about a month.
_CHUNK = 30 * _SLOW_PER_DAY

# Premium of perpetuals at a yearly volatility of one half: where it is on average, what moves all of them and one.
_USUAL_VOLATILITY = 0.5
_LEVEL = 0.8e-4
_ALL: Waves = ((6 * HOUR, 0.25e-4), (DAY, 0.45e-4), (4 * DAY, 0.55e-4), (15 * DAY, 0.55e-4), (60 * DAY, 0.5e-4))
_OWN: Waves = ((1.5 * HOUR, 0.3e-4), (5 * HOUR, 0.4e-4), (DAY, 0.4e-4), (5 * DAY, 0.4e-4))
# The basis of dated contracts per year, and how it moves.
_BASIS = 0.06
_BASIS_WAVES: Waves = ((2 * DAY, 0.005), (9 * DAY, 0.013), (35 * DAY, 0.022), (120 * DAY, 0.024))
# Over its last days a dated contract comes to its index.
_CONVERGENCE = 2 * DAY
# The fast part: periods of whole steps that fill a day.
_FAST: Waves = ((30.0, 0.25e-4), (120.0, 0.4e-4), (600.0, 0.6e-4))


class Premium:
    """Relative distances to the index.

    Parameters
    ----------
    seed
        Whatever has the same seed has the same premium.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._chunks: Cache[Floats] = Cache(128)

    def slow(self, contract: Contract, first: int, count: int) -> Floats:
        """Premium of the mark price at some multiples of five minutes."""
        chunks = range(first // _CHUNK, (first + count - 1) // _CHUNK + 1)
        nodes = [self._chunks.get((contract.symbol, n), partial(self._draw, contract, n)) for n in chunks]
        skipped = first - chunks[0] * _CHUNK
        return np.concatenate(nodes)[skipped : skipped + count]

    def _draw(self, contract: Contract, chunk: int) -> Floats:
        times = SLOW_STEP * np.arange(chunk * _CHUNK, (chunk + 1) * _CHUNK)
        scale = contract.asset.volatility / _USUAL_VOLATILITY
        own = wander(stable_hash(self.seed, f"premium {contract.symbol}"), times, _OWN)
        common = self._chunks.get(chunk, lambda: wander(stable_hash(self.seed, "premium"), times, _ALL))
        premium = scale * (common + own)
        if contract.expiry is None:
            level: Floats = scale * _LEVEL + premium
            return level
        left = np.maximum(contract.expiry - times, 0.0)
        basis = _BASIS + wander(stable_hash(self.seed, f"basis {contract.asset.code}"), times, _BASIS_WAVES)
        dated: Floats = basis * left / YEAR + premium * np.minimum(left / _CONVERGENCE, 1.0)
        return dated

    def of_day(self, contract: Contract, day: int) -> Floats:
        """The slow part at every knot of a day, its end included."""
        return stretch(self.slow(contract, day * _SLOW_PER_DAY, _SLOW_PER_DAY + 1), _STEPS_PER_SLOW)

    def fast_of_day(self, contract: Contract, day: int) -> Floats:
        """The fast part at every knot of a day, its end included."""
        today, tomorrow = self._rng(contract, day), self._rng(contract, day + 1)
        # Each day begins where the one before ends.
        firsts, lasts = today.standard_normal(len(_FAST)), tomorrow.standard_normal(len(_FAST))
        fast = np.zeros(STEPS_PER_DAY + 1)
        for first, last, (period, deviation) in zip(firsts, lasts, _FAST, strict=True):
            nodes = np.concatenate([[first], today.standard_normal(round(DAY / period) - 1), [last]])
            fast += stretch(deviation * nodes, round(period / STEP))
        fast *= contract.asset.volatility / _USUAL_VOLATILITY
        if contract.expiry is not None:
            left = np.maximum(contract.expiry - day * DAY - STEP * np.arange(len(fast)), 0.0)
            fast *= np.minimum(left / _CONVERGENCE, 1.0)
        return fast

    def _rng(self, contract: Contract, day: int) -> np.random.Generator:
        return np.random.default_rng([abs(stable_hash(self.seed, f"fast {contract.symbol}")), day])

    def funding(self, contract: Contract, hours: Any) -> Any:
        """Relative rate of the periods that begin at some full hours: the mean premium of the hour before, capped.

        Source: api-facts 6.4.
        """
        periods = np.round(np.asarray(hours) / HOUR).astype(np.int64)
        first = int(periods.min()) - 1
        nodes = self.slow(contract, first * _SLOW_PER_HOUR, (int(periods.max()) - first) * _SLOW_PER_HOUR + 1)
        # The mean of a straight line is that of its ends.
        means = ((nodes[:-1] + nodes[1:]) / 2).reshape(-1, _SLOW_PER_HOUR).mean(axis=1)
        return capped(contract, means[periods - 1 - first])

    def predicted(self, contract: Contract, t: float) -> float:
        """Relative rate of the next period as the premium of this hour until now suggests it."""
        hour = int(t // HOUR)
        nodes = self.slow(contract, hour * _SLOW_PER_HOUR, _SLOW_PER_HOUR + 1)
        passed = np.minimum(np.append(SLOW_STEP * np.arange(_SLOW_PER_HOUR + 1), t - hour * HOUR), t - hour * HOUR)
        passed.sort()
        premium = np.interp(passed, SLOW_STEP * np.arange(_SLOW_PER_HOUR + 1), nodes)
        mean = np.trapezoid(premium, passed) / passed[-1] if passed[-1] > 0 else premium[0]
        return float(capped(contract, mean))


def capped(contract: Contract, premium: Any) -> Any:
    """The rate of a mean premium."""
    return np.clip(premium / contract.funding_coefficient, -contract.max_funding_rate, contract.max_funding_rate)
