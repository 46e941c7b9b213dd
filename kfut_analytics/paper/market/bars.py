"""Candles from prices and trades: tables with the rows open, high, low, close and volume, one column per candle.

A candle opens where the one before closed, as the exchange's own do: candles without a trade are flat, and coarse
candles are exactly what fine ones add up to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.paper.clock import DAY
from kfut_analytics.paper.market.protocol import Floats
from kfut_analytics.paper.market.tape import Tape

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


def bars_of_knots(knots: Floats, count: int) -> Floats:
    """A day in so many candles, of prices that are straight lines between knots."""
    steps = (len(knots) - 1) // count
    inside, closes = knots[:-1].reshape(count, steps), knots[steps::steps]
    highs, lows = np.maximum(inside.max(axis=1), closes), np.minimum(inside.min(axis=1), closes)
    return np.stack([knots[:-1:steps], highs, lows, closes, np.zeros(count)])


def bars_of_tape(tape: Tape, begin: float, before: float, count: int) -> Floats:
    """A day that begins at a time in so many candles, of trades; ``before`` is the price of the last trade before."""
    last = np.searchsorted(tape.time, begin + DAY / count * np.arange(1, count + 1))
    first = np.append(0, last[:-1])
    closes = np.append(before, tape.price)[last]
    opens = np.append(before, closes[:-1])
    table = np.stack([opens, opens, opens, closes, np.zeros(count)])
    traded = first < last
    if traded.any():
        edges = first[traded]
        table[HIGH, traded] = np.maximum(table[HIGH, traded], np.maximum.reduceat(tape.price, edges))
        table[LOW, traded] = np.minimum(table[LOW, traded], np.minimum.reduceat(tape.price, edges))
        table[VOLUME, traded] = np.add.reduceat(tape.size, edges)
    return table


def bar_of(prices: Floats, sizes: Floats | None = None) -> Floats:
    """One candle of prices in the order of their time, the first of which is where it opens."""
    volume = 0.0 if sizes is None else sizes.sum()
    return np.array([[prices[0]], [prices.max()], [prices.min()], [prices[-1]], [volume]])


def merged(table: Floats, edges: NDArray[np.int64]) -> Floats:
    """Coarser candles; each begins at one of the edges."""
    ends = np.append(edges[1:], table.shape[1]) - 1
    return np.stack(
        [
            table[OPEN, edges],
            np.maximum.reduceat(table[HIGH], edges),
            np.minimum.reduceat(table[LOW], edges),
            table[CLOSE, ends],
            np.add.reduceat(table[VOLUME], edges),
        ]
    )
