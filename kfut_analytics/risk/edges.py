"""Edges: the multiples of today's prices at which a figure of an account falls to nothing. Pure arithmetic.

As prices move by a common factor, equity is a straight line in the factor (in one over it for inverse contracts) and
the maintenance margin is convex in it, because the rates of the tiers rise. So the factors at which a pool is safe
are an interval around 1, and its ends are found by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .portfolio import Floats, Leg, Numbers, Pool, Portfolio

DOWN, UP = 1e-9, 1e9
"""Multiples of today's price beyond which no edge is looked for."""
_HALVINGS = 60

Figure = Callable[[Portfolio, Pool], Numbers]


def liquidation_price(portfolio: Portfolio, symbol: str) -> float:
    """The mark price at which this market alone would liquidate a position; NaN without one, or if no price does."""
    held = [(pool, leg) for pool in portfolio.pools() for leg in pool.legs if leg.symbol == symbol and leg.held]
    if not held:
        return math.nan
    return float(held[0][1].mark_price * alone_at(portfolio, held, Portfolio.headroom)[0])


def alone_at(portfolio: Portfolio, held: list[tuple[Pool, Leg]], figure: Figure) -> Floats:
    """For each position the multiple of its mark price at which a figure of its pool is nothing, others as they are.

    NaN where no price does it.
    """
    names = [pool.name for pool, _ in held]

    def left(factors: Floats) -> Floats:
        alone = {}
        for place, (_, leg) in enumerate(held):
            alone[leg.symbol] = np.ones(len(held))
            alone[leg.symbol][place] = factors[place]
        moved = portfolio.moved(alone, {})
        return of_own_pool(moved, names, figure)

    return edge_of(left, np.array([DOWN if leg.size > 0 else UP for _, leg in held]))


def of_own_pool(moved: Portfolio, names: list[str], figure: Figure) -> Floats:
    """A figure of each scenario's own pool."""
    result = np.full(len(names), np.nan)
    for pool in moved.pools():
        mine = np.array([name == pool.name for name in names])
        if mine.any():
            result[mine] = np.broadcast_to(figure(moved, pool), len(names))[mine]
    return result


def edge_of(left: Callable[[Floats], Floats], far: Floats) -> Floats:
    """The factors, from 1 towards ``far``, at which something that shrinks to nothing is nothing.

    Parameters
    ----------
    left
        What is left at given factors, one element per question; positive on an interval.
    far
        The last factor that is looked at, per question.

    Returns
    -------
    ndarray
        1 where nothing is left to begin with, NaN where something is left even at the last factor.
    """
    now, at_last = left(np.ones(len(far))), left(far)
    near, away = np.zeros(len(far)), np.log(far)
    for _ in range(_HALVINGS):
        middle = (near + away) / 2
        gone = left(np.exp(middle)) <= 0
        near, away = np.where(gone, near, middle), np.where(gone, middle, away)
    edge = np.where(at_last <= 0, np.exp(away), np.nan)
    return np.where(now <= 0, 1.0, edge)
