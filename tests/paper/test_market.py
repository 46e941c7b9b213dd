"""Prices: reproducible, and views of the past that agree."""

import numpy as np
import pytest

from kfut_analytics.paper.book import Book
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


def test_books_quote_around_the_fair_price_on_tick_and_step(market, contracts):
    for contract in contracts.values():
        book = Book(contract, market)
        book.refresh(NOW)
        fair = market.fair(contract, NOW)
        assert book.bids[0][0] < fair < book.asks[0][0]
        for price, size in book.bids + book.asks:
            assert round(price / float(contract.tick), 6) == round(price / float(contract.tick))
            assert size >= float(contract.step)
        assert [p for p, _ in book.asks] == sorted({p for p, _ in book.asks})


def test_what_is_taken_stays_taken_within_the_second(market, contracts):
    book = Book(contracts["PF_XBTUSD"], market)
    book.refresh(NOW)
    (first, size), (second, _) = book.asks[:2]
    assert book.take("buy", size + 0.001, second) == [(first, size), (second, 0.001)]
    book.refresh(NOW + 0.3)
    assert book.best("buy") == second
    assert book.take("buy", 1, first) == []
    book.refresh(NOW + 1)
    assert book.best("buy") != second or book.asks[0][1] != size
