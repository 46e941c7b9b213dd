"""Prices: reproducible, and views of the past that agree."""

import numpy as np
import pytest

from kfut_analytics.paper.clock import DAY, HOUR, iso
from kfut_analytics.paper.instruments import ASSETS, last_friday, listing
from kfut_analytics.paper.simulated import SimulatedMarket

from .conftest import NOW


@pytest.fixture(scope="module")
def market():
    return SimulatedMarket(7)


@pytest.fixture(scope="module")
def contracts():
    return listing(NOW)


def test_prices_depend_on_seed_and_time_alone(market):
    other, btc = SimulatedMarket(7), ASSETS["XBT"]
    times = NOW - np.linspace(-30 * DAY, 100 * DAY, 500)
    forward = other.index(btc, times[::-1])[::-1]
    np.testing.assert_array_equal(market.index(btc, times), forward)
    assert not np.array_equal(forward, SimulatedMarket(8).index(btc, times))


@pytest.mark.parametrize("tick_type", ["spot", "mark", "trade"])
def test_coarse_candles_are_the_sums_of_fine_ones(market, contracts, tick_type):
    contract, start = contracts["PF_ETHUSD"], NOW // HOUR * HOUR - 2 * DAY
    fine = market.candles(tick_type, contract, 60, start, NOW)
    for seconds in (300, 3600):
        coarse = market.candles(tick_type, contract, seconds, start, NOW)
        owner = np.searchsorted(coarse.time, fine.time, side="right") - 1
        for i in range(len(coarse.time)):
            inside = owner == i
            assert coarse.open[i] == fine.open[inside][0]
            assert coarse.close[i] == fine.close[inside][-1]
            assert coarse.high[i] == fine.high[inside].max()
            assert coarse.low[i] == fine.low[inside].min()
            assert coarse.volume[i] == pytest.approx(fine.volume[inside].sum())


@pytest.mark.parametrize(("month", "friday"), [((2026, 12), "2026-12-25"), ((2027, 3), "2027-03-26")])
def test_dated_contracts_end_on_last_fridays(month, friday):
    assert last_friday(*month).date().isoformat() == friday


def test_the_listing_has_every_kind(contracts):
    assert {symbol[:2] for symbol in contracts} == {"PF", "PI", "FF", "FI"}
    linear = next(c for s, c in contracts.items() if s.startswith("FF_XBT"))
    inverse = next(c for s, c in contracts.items() if s.startswith("FI_XBT"))
    assert iso(linear.expiry)[11:16] == "08:00"
    assert iso(inverse.expiry)[11:16] == "16:00"
    assert inverse.wallet == contracts["PI_XBTUSD"].wallet == "fi_xbtusd"
