"""The public tape of a contract: the market orders of participants, drawn a day at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.paper.clock import DAY
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.market.ladder import half_spread, outward, scarcity, turnover
from kfut_analytics.paper.market.noise import stable_hash
from kfut_analytics.paper.market.paths import STEP, STEPS_PER_DAY, STEPS_PER_MINUTE
from kfut_analytics.paper.market.protocol import Floats

# At most one trade falls between two knots: the chance in usual times in the most liquid contract, and how it falls
# with what is traded.
_CHANCE, _CHANCE_POWER = 0.7, 0.4
# Sizes are lognormal; none is larger than so many times the mean.
_SIZE_DEVIATION, _LARGEST_SIZE = 1.3, 25.0
# In busy times more and larger trades come together: the mean of their product over the years.
_BUSY_EXTRA = 1.15
# How strongly the taker's side goes with the price.
_SIDE_TILT = 0.25


class Tape(NamedTuple):
    """Trades as columns, oldest first. Numbers grow with time, with gaps where nothing was traded."""

    number: NDArray[np.int64]
    time: Floats
    price: Floats
    size: Floats
    buy: NDArray[np.bool_]

    def between(self, first: int, last: int) -> Tape:
        """Some of them, by place."""
        return Tape._make(column[first:last] for column in self)


def joined(tapes: list[Tape]) -> Tape:
    """One tape of several that follow each other."""
    empty = np.empty(0)
    tapes = tapes or [Tape(empty.astype(np.int64), empty, empty, empty, empty.astype(np.bool_))]
    return tapes[0] if len(tapes) == 1 else Tape._make(np.concatenate(columns) for columns in zip(*tapes, strict=True))


def tape_of_day(seed: int, contract: Contract, day: int, fair: Floats, activity: Floats) -> Tape:
    """A day's trades.

    Parameters
    ----------
    fair
        The fair price at every knot of the day.
    activity
        How busy each minute is, 1 in usual times: then more is traded, and more at a time.
    """
    rng = np.random.default_rng([abs(stable_hash(seed, f"tape {contract.symbol}")), day])
    chance = _CHANCE / scarcity(contract) ** _CHANCE_POWER
    chances = -np.expm1(math.log1p(-chance) * activity)
    draws = rng.random((len(activity), STEPS_PER_MINUTE), dtype=np.float32)
    steps = np.flatnonzero(draws < chances[:, None].astype(np.float32))
    share, side, size = rng.random(len(steps)), rng.random(len(steps)), rng.standard_normal(len(steps))
    time = day * DAY + STEP * steps + (1 + np.floor(share * (1000 * STEP - 1))) / 1000
    alive = time >= contract.opening
    if contract.expiry is not None:
        alive &= time < contract.expiry
    steps, time, side, size = steps[alive], time[alive], side[alive], size[alive]

    low, high = fair[steps], fair[steps + 1]
    price = low + (high - low) * (time - day * DAY - STEP * steps) / STEP
    usual = contract.asset.volatility / math.sqrt(365 * STEPS_PER_DAY)
    buy = side < 0.5 + _SIDE_TILT * np.tanh((high / low - 1) / usual)
    half = half_spread(contract, price)
    price = outward(contract, price + np.where(buy, half, -half), buy=buy)
    factor = np.minimum(np.exp(_SIZE_DEVIATION * size - _SIZE_DEVIATION**2 / 2), _LARGEST_SIZE)
    value = (
        turnover(contract)
        / (STEPS_PER_DAY * chance * _BUSY_EXTRA)
        * factor
        * np.sqrt(activity[steps // STEPS_PER_MINUTE])
    )
    sizes = value if contract.inverse else value / price
    sizes = np.maximum(np.round(sizes, contract.precision), float(contract.step))
    return Tape(day * STEPS_PER_DAY + steps, np.round(time, 3), price, sizes, buy)
