"""A market that goes where a test wants it to go."""

import math

import numpy as np

from kfut_analytics.paper.clock import HOUR
from kfut_analytics.paper.market.protocol import Flow, Quotes
from kfut_analytics.paper.market.simulated import SimulatedMarket

NONE = Flow(np.empty(0), np.empty(0), np.empty(0), np.empty(0, dtype=bool))


class ScriptedMarket(SimulatedMarket):
    """Index, mark and fair price are the same straight lines between points; there is no funding.

    Participants quote one level a side, a tick beside the fair price, of ``depth`` USD; they send market orders only
    if told to.
    """

    def __init__(self, start, depth=1e9):
        super().__init__(0)
        self.start = start
        self.depth = depth
        self.points = {}
        self.flows = {}

    def go(self, code, *points):
        """Let an asset's price go through (seconds after the start, price)."""
        self.points[code] = ([self.start + t for t, _ in points], [float(p) for _, p in points])

    def trade(self, symbol, seconds, price, size, *, buys):
        """Let a participant trade at a time."""
        self.flows.setdefault(symbol, []).append((self.start + seconds, float(price), float(size), buys))

    def index(self, asset, t):
        times, prices = self.points.get(asset.code, ([self.start], [asset.price]))
        result = np.interp(t, times, prices)
        return float(result) if np.ndim(t) == 0 else result

    def mark(self, contract, t):
        return self.index(contract.asset, t)

    fair = mark

    def knots(self, start, end):
        bends = sorted({t for times, _ in self.points.values() for t in times if start < t <= end})
        return np.array(bends, dtype=float)

    def hourly_bounds(self, contract, start, end):
        return self.hourly_index_bounds(contract.asset, start, end)

    def hourly_index_bounds(self, asset, start, end):
        hours = HOUR * np.arange(math.floor(start / HOUR), math.floor(end / HOUR) + 1)
        inside = [self.index(asset, np.append(np.append(h, self.knots(h, h + HOUR)), h + HOUR)) for h in hours]
        return hours, np.array([p.min() for p in inside]), np.array([p.max() for p in inside])

    def half_spread(self, contract, price):
        return float(contract.tick)

    def quotes(self, contract, t):
        fair, tick = self.fair(contract, t), float(contract.tick)
        size = max(round(self.depth if contract.inverse else self.depth / fair, contract.precision), 1e-9)
        bid, ask = (math.floor(fair / tick + 1e-9) - 1) * tick, (math.ceil(fair / tick - 1e-9) + 1) * tick
        return Quotes([(round(bid, 10), size)], [(round(ask, 10), size)])

    def flow(self, contract, start, end):
        rows = [row for row in self.flows.get(contract.symbol, []) if start < row[0] <= end]
        if not rows:
            return NONE
        time, price, size, buys = zip(*rows, strict=True)
        return Flow(np.array(time), np.array(price), np.array(size), np.array(buys, dtype=bool))

    def last(self, contract, t):
        rows = [row for row in self.flows.get(contract.symbol, []) if row[0] <= t]
        return rows[-1][1] if rows else self.fair(contract, t)

    def relative_funding(self, contract, hour):
        return 0.0 * np.asarray(hour) if np.ndim(hour) else 0.0

    funding = predicted_funding = relative_funding
