"""What participants quote: spread, depth and shape of the ladder around the fair price."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.market.noise import uniform
from kfut_analytics.paper.market.protocol import Floats, Quotes

LEVELS = 25
# Figures of the most liquid contract; the others follow from how much less is traded in them.
_LARGEST_TURNOVER = 9e8
_HALF_SPREAD, _SPREAD_POWER = 0.2e-4, 0.45
_DEPTH, _DEPTH_POWER = 0.005, 0.2
_REACH, _REACH_POWER = 0.010, 0.12
# How fast the distances between levels grow, and how much a level holds compared to the best.
_WIDENING = 4.5
_SHAPE = np.sqrt(1 + np.arange(LEVELS))
_SIZE_DEVIATION = 0.5


def turnover(contract: Contract) -> float:
    """USD traded in a contract on a usual day."""
    return contract.asset.turnover * (1.0 if contract.expiry is None else 0.1) * (0.1 if contract.inverse else 1.0)


def scarcity(contract: Contract) -> float:
    """How many times less is traded than in the most liquid contract."""
    return _LARGEST_TURNOVER / turnover(contract)


def half_spread(contract: Contract, price: Any) -> Any:
    """Distance of the best quotes from a fair price (or several), before they are rounded outward to ticks."""
    return np.maximum(float(contract.tick) / 2, price * (_HALF_SPREAD * scarcity(contract) ** _SPREAD_POWER))


def ladder(contract: Contract, fair: float, activity: float, key: int, second: int) -> Quotes:
    """Quotes on both sides; thinner and further apart the busier the market is.

    Parameters
    ----------
    activity
        1 in usual times.
    key, second
        What makes this second's ladder different from others.
    """
    draws = uniform(key, second * 4 * LEVELS + np.arange(4 * LEVELS)).reshape(2, 2, LEVELS)
    return Quotes(_side(contract, fair, activity, draws[0], -1), _side(contract, fair, activity, draws[1], 1))


def _side(contract: Contract, fair: float, activity: float, draws: Floats, sign: int) -> list[tuple[float, float]]:
    tick, few = float(contract.tick), scarcity(contract)
    best = float(outward(contract, fair + sign * half_spread(contract, fair), buy=sign > 0))
    reach = fair * _REACH * few**_REACH_POWER * math.sqrt(activity) / tick
    grown = np.expm1(_WIDENING * np.arange(LEVELS) / (LEVELS - 1)) / math.expm1(_WIDENING)
    # A level is at least a tick from the one before.
    gaps = np.maximum(1, np.round(reach * np.diff(grown) * (0.5 + draws[0, 1:])))
    ticks = round(best / tick) + sign * np.concatenate([[0.0], np.cumsum(gaps)])
    total = turnover(contract) * _DEPTH * few**_DEPTH_POWER / math.sqrt(activity)
    # Sizes spread evenly in their logarithm over two and a half times their deviation to either side.
    noise = np.exp(_SIZE_DEVIATION * 2.5 * (2 * draws[1] - 1)) * 0.78
    values = total * _SHAPE / _SHAPE.sum() * noise
    sizes = values if contract.inverse else values / fair
    sizes = np.maximum(np.round(sizes, contract.precision), float(contract.step))
    prices = np.round(ticks * tick, decimals(contract))
    return [(price, size) for price, size in zip(prices.tolist(), sizes.tolist(), strict=True) if price > 0]


def outward(contract: Contract, price: Any, *, buy: Any) -> Any:
    """The tick at which one buys (at the price or above) or sells (at the price or below)."""
    tick = float(contract.tick)
    # A price that is on the tick but for the last digits stays there.
    ticks = np.round(np.asarray(price) / tick, 6)
    return np.round(np.where(buy, np.ceil(ticks), np.floor(ticks)) * tick, decimals(contract))


def decimals(contract: Contract) -> int:
    """Decimals of the contract's prices."""
    return max(0, -int(contract.tick.as_tuple().exponent))
