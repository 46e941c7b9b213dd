"""Analytics of a market in buckets of time, from its trades, quotes, candles and rates.

What is told per bucket is what happened in it; quotes, basis and volatility are those of its beginning. Sizes are
contracts. What would need to know who holds what (long and short accounts, top traders) does not exist here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from kfut_analytics.paper.clock import DAY, HOUR, YEAR
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.market.protocol import DrawnMarket, Floats, Quotes
from kfut_analytics.paper.wire import public

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.exchange import Exchange

Level = tuple[float, float]
_Nullable = list[float | None]

VOLATILITY_HOURS = 24 * 7
# Shares of the mid price within which liquidity is counted, and USD for which slippage is asked.
_LIQUIDITY = {"005": 0.0005, "01": 0.001, "025": 0.0025, "05": 0.005, "10": 0.01, "100": 0.1}
_SLIPPAGE = {"1k": 1e3, "10k": 1e4, "100k": 1e5, "1m": 1e6}
_SAMPLES = 12


@dataclass(frozen=True, slots=True)
class Buckets:
    """What is asked for.

    Attributes
    ----------
    times
        Starts of the buckets, at least one.
    """

    exchange: Exchange
    contract: Contract
    times: Floats
    seconds: int

    @property
    def market(self) -> DrawnMarket:
        """The market of the exchange."""
        return self.exchange.past

    @property
    def now(self) -> float:
        """The exchange's time: the last bucket may not be over yet."""
        return self.exchange.now

    @property
    def ends(self) -> Floats:
        """The end of each bucket, or now."""
        return np.minimum(self.times + self.seconds, self.now)


def open_interest(buckets: Buckets) -> list[list[float]]:
    """Open, high, low and close of the open interest."""
    share = np.linspace(0, 1, _SAMPLES + 1)
    times = buckets.times[:, None] + (buckets.ends - buckets.times)[:, None] * share
    values = buckets.market.open_interest(buckets.contract, times.ravel()).reshape(times.shape)
    return _ohlc(values)


def funding(buckets: Buckets) -> dict[str, list[list[float]]]:
    """Open, high, low and close of the absolute and the relative funding rate of a perpetual."""
    hours = max(1, buckets.seconds // int(HOUR))
    times = np.minimum(buckets.times[:, None] + HOUR * np.arange(hours), buckets.now)
    rates = buckets.market.funding(buckets.contract, times.ravel())
    relative = buckets.market.relative_funding(buckets.contract, times.ravel() // HOUR * HOUR)
    return {"rate": _ohlc(rates.reshape(times.shape)), "relativeRate": _ohlc(relative.reshape(times.shape))}


def future_basis(buckets: Buckets) -> dict[str, Floats]:
    """The mark price relative to the index."""
    return {"basis": buckets.market.basis(buckets.contract, buckets.times)}


def rolling_volatility(buckets: Buckets) -> Floats:
    """Volatility per year of the index in the week before, by the hour."""
    last = np.floor(buckets.times / HOUR).astype(np.int64)
    first = int(last[0]) - VOLATILITY_HOURS
    hours = HOUR * np.arange(first, int(last[-1]) + 1)
    returns = np.diff(np.log(buckets.market.index(buckets.contract.asset, hours)))
    sums = np.concatenate([[0.0], np.cumsum(returns**2)])
    variance = (sums[last - first] - sums[last - first - VOLATILITY_HOURS]) / VOLATILITY_HOURS
    result: Floats = np.sqrt(np.maximum(variance, 0) * YEAR / HOUR)
    return result


# Trades ----------------------------------------------------------------------------------------------------------


def trade_volume(buckets: Buckets) -> Floats:
    """What was traded."""
    bought, sold, _ = _flows(buckets)
    return bought + sold


def trade_count(buckets: Buckets) -> list[int]:
    """How many trades there were."""
    return [int(count) for count in _flows(buckets)[2]]


def aggressor_differential(buckets: Buckets) -> Floats:
    """What takers bought less what they sold."""
    bought, sold, _ = _flows(buckets)
    return bought - sold


def cvd(buckets: Buckets) -> dict[str, Floats]:
    """What takers bought and sold, and the difference summed up since the first bucket asked for."""
    bought, sold, _ = _flows(buckets)
    delta: Floats = (bought - sold).cumsum().round(10)
    return {"buyVolume": bought, "sellVolume": sold, "cvd": delta}


def liquidation_volume(buckets: Buckets) -> Floats:
    """What was liquidated: participants never are."""
    return np.zeros(len(buckets.times))


def _flows(buckets: Buckets) -> tuple[Floats, Floats, Floats]:
    """Contracts bought and sold by takers in each bucket, and the number of trades."""
    edges = np.append(buckets.times, buckets.ends[-1])
    count = len(buckets.times)
    bought, sold, trades = np.zeros(count), np.zeros(count), np.zeros(count)
    # By days, so that years of trades are never held at once.
    days = np.arange(math.floor(edges[0] / DAY) + 1, math.ceil(edges[-1] / DAY)) * DAY
    for start, end in pairwise([edges[0], *days.tolist(), edges[-1]]):
        flow = public.flow(buckets.exchange, buckets.contract, start, end)
        places = np.searchsorted(edges, flow.time, side="left") - 1
        for column, weights in (bought, flow.buy * flow.size), (sold, ~flow.buy * flow.size), (trades, None):
            column += np.bincount(places, weights, minlength=count)
    return np.round(bought, 10), np.round(sold, 10), trades


# Quotes ----------------------------------------------------------------------------------------------------------


def spreads(buckets: Buckets) -> dict[str, dict[str, _Nullable]]:
    """Best bid and ask."""
    return _sides(buckets, lambda levels, _: {"best_price": _best(levels)})


def liquidity(buckets: Buckets) -> dict[str, dict[str, _Nullable]]:
    """What is quoted within some distances from the mid price."""
    return _sides(buckets, lambda levels, mid: _liquidity(levels, mid, "liquidity_"))


def slippage(buckets: Buckets) -> dict[str, dict[str, _Nullable]]:
    """How far from the mid price an order of some values in USD trades, as a share of it; none beyond the quotes."""
    inverse = buckets.contract.inverse
    return _sides(buckets, lambda levels, mid: _slippage(levels, mid, "slippage_", inverse=inverse))


def orderbook(buckets: Buckets) -> dict[str, dict[str, _Nullable]]:
    """Best prices, liquidity and slippage together."""
    inverse = buckets.contract.inverse
    return _sides(
        buckets,
        lambda levels, mid: (
            {"bestPrice": _best(levels)}
            | _liquidity(levels, mid, "liquidity")
            | _slippage(levels, mid, "slippage", inverse=inverse)
        ),
    )


def _sides(
    buckets: Buckets, figures: Callable[[list[Level], float], dict[str, float | None]]
) -> dict[str, dict[str, _Nullable]]:
    quotes: list[Quotes] = [buckets.market.quotes(buckets.contract, float(t)) for t in buckets.times]
    mids = [(bids[0][0] + asks[0][0]) / 2 for bids, asks in quotes]
    rows = {
        "bid": [figures(bids, mid) for (bids, _), mid in zip(quotes, mids, strict=True)],
        "ask": [figures(asks, mid) for (_, asks), mid in zip(quotes, mids, strict=True)],
    }
    return {side: {name: [row[name] for row in rows[side]] for name in rows[side][0]} for side in rows}


def _best(levels: list[Level]) -> float:
    return levels[0][0]


def _liquidity(levels: list[Level], mid: float, prefix: str) -> dict[str, float | None]:
    return {
        prefix + name: round(sum(size for price, size in levels if abs(price / mid - 1) <= share), 10)
        for name, share in _LIQUIDITY.items()
    }


def _slippage(levels: list[Level], mid: float, prefix: str, *, inverse: bool) -> dict[str, float | None]:
    return {prefix + name: _distance(levels, mid, value, inverse=inverse) for name, value in _SLIPPAGE.items()}


def _distance(levels: list[Level], mid: float, value: float, *, inverse: bool) -> float | None:
    """Distance of the average price of an order from the mid price, each level weighted by its value."""
    left, distance = value, 0.0
    for price, size in levels:
        taken = min(left, size if inverse else size * price)
        distance += taken / value * abs(price / mid - 1)
        left -= taken
        if left <= 0:
            return distance
    return None


def _ohlc(values: Floats) -> list[list[float]]:
    columns = values[:, 0], values.max(axis=1), values.min(axis=1), values[:, -1]
    rows: list[list[float]] = np.stack(columns, axis=1).tolist()
    return rows


KINDS: dict[str, Callable[[Buckets], Any]] = {
    "open-interest": open_interest,
    "aggressor-differential": aggressor_differential,
    "trade-volume": trade_volume,
    "trade-count": trade_count,
    "liquidation-volume": liquidation_volume,
    "rolling-volatility": rolling_volatility,
    "cvd": cvd,
    "orderbook": orderbook,
    "spreads": spreads,
    "liquidity": liquidity,
    "slippage": slippage,
    "future-basis": future_basis,
    # Not in the specification, but on the exchange.
    "funding": funding,
}
"""What can be asked for, by the exchange's names."""
