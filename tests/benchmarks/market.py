"""Speed and size of the simulated market: ``python -m tests.benchmarks.market``.

Seconds are the processor's, which other work on the machine disturbs least; cold means that nothing was asked before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from kfut_analytics.paper.clock import DAY, HOUR
from kfut_analytics.paper.market.instruments import ASSETS
from kfut_analytics.paper.market.simulated import SimulatedMarket

NOW = 1_795_334_400.0 + 1234.5


def took(name: str, call: Callable[[], Any], times: int = 1) -> None:
    begun = time.process_time()
    for _ in range(times):
        call()
    print(f"{name}: {1e3 * (time.process_time() - begun) / times:,.3f} ms")


def main() -> None:
    market = SimulatedMarket(0)
    contracts = market.listing(NOW)
    xbt, eth = contracts["PF_XBTUSD"], contracts["PF_ETHUSD"]
    five = list(ASSETS.values())[:5]
    days = [NOW - DAY * number for number in range(90)]
    took("90 days of 5 assets, cold", lambda: [market.index(asset, t) for t in days for asset in five])
    took("bounds of 90 days, cold", lambda: market.hourly_bounds(eth, NOW - 90 * DAY, NOW))
    took("bounds of 90 days, warm", lambda: market.hourly_bounds(eth, NOW - 90 * DAY, NOW), 20)
    took("2,000 candles of 1h, cold", lambda: market.candles("trade", xbt, 3600, NOW - 2000 * HOUR, NOW))
    took("2,000 candles of 1h, warm", lambda: market.candles("trade", xbt, 3600, NOW - 2000 * HOUR, NOW), 20)
    took("1,440 candles of 1m, warm", lambda: market.candles("trade", xbt, 60, NOW - DAY, NOW), 20)
    took("a year of funding, cold", lambda: market.funding(xbt, NOW - HOUR * np.arange(8760)))
    for name, call in (
        ("mark price", lambda: market.mark(xbt, NOW)),
        ("funding rate", lambda: market.funding(xbt, NOW)),
        ("quotes", lambda: market.quotes(xbt, NOW)),
        ("flow of a minute", lambda: market.flow(xbt, NOW - 60, NOW)),
        ("last trade", lambda: market.last(xbt, NOW)),
        ("100 public trades", lambda: market.trades(xbt, market.begin, NOW, 100)),
    ):
        took(f"{name}, warm", call, 500)


if __name__ == "__main__":
    main()
