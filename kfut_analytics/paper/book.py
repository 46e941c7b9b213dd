"""The other side of every trade: what simulated participants quote around the fair price.

A book shows a ladder of prices and sizes and gives liquidity from it. The ladder is renewed every second; within
the second, what was taken stays taken.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from kfut_analytics.paper.instruments import Contract
from kfut_analytics.paper.market import Market
from kfut_analytics.paper.noise import stable_hash, uniform

Side = Literal["buy", "sell"]
LEVELS = 25
_HALF_SPREAD = 0.5e-4
# The first level holds about this share of a day's turnover, and at least this value in USD.
_TOP_SHARE = 6e-5
_TOP_VALUE = 5000.0


class Book:
    """The ladder of one contract.

    Parameters
    ----------
    contract
        What is quoted.
    market
        Where the fair price comes from.
    """

    def __init__(self, contract: Contract, market: Market) -> None:
        self.contract = contract
        self._market = market
        self._tick = float(contract.tick)
        self._decimals = max(0, -int(contract.tick.as_tuple().exponent))
        self._key = stable_hash(market.seed, "book " + contract.symbol)
        self._built: int | None = None
        self.bids: list[list[float]] = []
        self.asks: list[list[float]] = []

    def half_spread(self, fair: float) -> float:
        """Half of the distance between best bid and best ask before rounding to ticks."""
        return max(self._tick / 2, fair * _HALF_SPREAD)

    def refresh(self, now: float) -> None:
        """Renew the ladder when the second has changed."""
        second = math.floor(now)
        if second == self._built:
            return
        self._built = second
        fair = self._market.fair(self.contract, now)
        half = self.half_spread(fair)
        draws = uniform(self._key, np.arange(4 * LEVELS, dtype=np.int64) + second * 4 * LEVELS).reshape(4, LEVELS)
        top = max(_TOP_VALUE, self.contract.asset.turnover * _TOP_SHARE * (0.5 if self.contract.inverse else 1.0))
        spacing = fair * 1e-4 / self._tick
        for side, sign, (gap_draws, size_draws) in (("bids", -1, draws[:2]), ("asks", 1, draws[2:])):
            best = math.floor((fair - half) / self._tick) if sign < 0 else math.ceil((fair + half) / self._tick)
            gaps = np.maximum(1, np.round(spacing * (0.3 + gap_draws) * (1 + np.arange(LEVELS) / 8)))
            ticks = best + sign * np.concatenate([[0.0], np.cumsum(gaps[:-1])])
            values = top * (0.4 + 1.2 * size_draws) * (1 + np.arange(LEVELS) / 5)
            prices = np.round(ticks * self._tick, self._decimals)
            sizes = values if self.contract.inverse else values / fair
            sizes = np.maximum(np.round(sizes, self.contract.precision), float(self.contract.step))
            setattr(self, side, [[float(p), float(s)] for p, s in zip(prices, sizes, strict=True) if p > 0])

    def best(self, side: Side) -> float | None:
        """The best price at which an order of this side would trade, ``None`` when nobody quotes."""
        levels = self.asks if side == "buy" else self.bids
        return levels[0][0] if levels else None

    def reachable(self, side: Side, limit: float) -> float:
        """Size an order of this side could take at its limit or better."""
        levels = self.asks if side == "buy" else self.bids
        return sum(size for price, size in levels if _within(side, price, limit))

    def take(self, side: Side, size: float, limit: float) -> list[tuple[float, float]]:
        """Trade up to ``size`` at ``limit`` or better; gives (price, size) per level and removes what it gave."""
        levels = self.asks if side == "buy" else self.bids
        trades: list[tuple[float, float]] = []
        left = size
        while levels and left > 0 and _within(side, levels[0][0], limit):
            price, offered = levels[0]
            traded = round(min(left, offered), 10)
            trades.append((price, traded))
            left = round(left - traded, 10)
            if traded == offered:
                levels.pop(0)
            else:
                levels[0][1] = round(offered - traded, 10)
        return trades


def _within(side: Side, price: float, limit: float) -> bool:
    return price <= limit if side == "buy" else price >= limit
