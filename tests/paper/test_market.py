"""Prices: start, reproducibility, and views of the past that agree."""

from datetime import UTC, datetime

import numpy as np
import pytest

from kfut_analytics.paper.book import Book
from kfut_analytics.paper.clock import DAY, HOUR, iso
from kfut_analytics.paper.instruments import ASSETS, listing, quarter_end
from kfut_analytics.paper.market import RESOLUTIONS, Market

from .conftest import NOW


@pytest.fixture(scope="module")
def market():
    return Market(7, NOW)


@pytest.fixture(scope="module")
def contracts():
    return listing(NOW)


def test_every_asset_opens_at_its_start_price(market):
    for asset in ASSETS.values():
        assert market.index(asset, NOW) == pytest.approx(asset.price, rel=1e-12)
        assert market.index(asset, market.anchor) == pytest.approx(asset.price, rel=1e-12)


def test_same_seed_same_hour_same_history(market, contracts):
    other = Market(7, NOW + 900)
    times = market.anchor - np.linspace(0, 100 * DAY, 500)
    btc = ASSETS["XBT"]
    np.testing.assert_array_equal(market.index(btc, times), other.index(btc, times))
    assert not np.array_equal(market.index(btc, times), Market(8, NOW).index(btc, times))


def test_the_future_does_not_depend_on_when_it_is_looked_at(market):
    btc, later = ASSETS["XBT"], NOW + np.arange(0, 9000.0, 7)
    step_by_step = Market(7, NOW)
    np.testing.assert_array_equal(market.index(btc, later), [step_by_step.index(btc, t) for t in later])
    assert len(np.unique(market.index(btc, later))) > 1000


def test_volatility_and_correlation_are_plausible(market):
    times = market.anchor - HOUR * np.arange(100 * 24)[::-1]
    returns = {code: np.diff(np.log(market.index(asset, times))) for code, asset in ASSETS.items()}
    for code, asset in ASSETS.items():
        yearly = returns[code].std() * np.sqrt(365 * 24)
        assert yearly == pytest.approx(asset.volatility, rel=0.25)
    assert np.corrcoef(returns["XBT"], returns["ETH"])[0, 1] > 0.6


def test_index_mark_and_last_differ_a_little(market, contracts):
    for contract in contracts.values():
        index = market.index(contract.asset, NOW)
        mark, last = market.mark(contract, NOW), market.last(contract, NOW)
        assert mark not in (index, last)
        assert abs(mark / index - 1) < (0.002 if contract.expiry is None else 0.02)


def test_a_dated_contract_meets_the_index_at_expiry(market, contracts):
    dated = next(c for c in contracts.values() if c.expiry)
    near = market._premium(dated, dated.expiry - DAY, fast=True)
    assert near != 0
    assert market._premium(dated, dated.expiry, fast=True) == 0


@pytest.mark.parametrize("tick_type", ["spot", "mark", "trade"])
def test_coarse_candles_are_the_sums_of_fine_ones(market, contracts, tick_type):
    contract, start = contracts["PF_ETHUSD"], market.anchor - 2 * DAY
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


def test_candles_join_and_do_not_change_once_closed(market, contracts):
    contract = contracts["PF_XBTUSD"]
    early = market.candles("trade", contract, 3600, NOW - DAY, NOW)
    late = market.candles("trade", contract, 3600, NOW - DAY, NOW + 2 * HOUR)
    for before, after in zip(early, late, strict=True):
        np.testing.assert_array_equal(before[:-1], after[: len(before) - 1])
    np.testing.assert_array_equal(late.close[:-1], late.open[1:])
    assert {RESOLUTIONS["1m"], RESOLUTIONS["1w"]} == {60, 604800}


def test_funding_follows_the_premium_of_the_hour_before(market, contracts):
    perpetual = contracts["PF_XBTUSD"]
    hour = market.anchor - 5 * HOUR
    premium = market._premium(perpetual, hour - HOUR + 60 * np.arange(60), fast=True).mean()
    assert market.relative_funding(perpetual, hour) == pytest.approx(premium / 8)
    absolute = market.funding(perpetual, hour + 100)
    assert absolute == pytest.approx(premium / 8 * market.index(perpetual.asset, hour))
    inverse = contracts["PI_XBTUSD"]
    relative = market.relative_funding(inverse, hour)
    assert market.funding(inverse, hour) == pytest.approx(relative / market.index(inverse.asset, hour))


def test_the_prediction_becomes_the_rate(market, contracts):
    contract = contracts["PF_XBTUSD"]
    end = market.anchor - 1
    predicted = market.predicted_funding(contract, end) / market.index(contract.asset, end)
    assert predicted == pytest.approx(market.relative_funding(contract, market.anchor), rel=1e-9)


@pytest.mark.parametrize(
    ("today", "expiry"),
    [
        ("2026-11-22", "2026-12-25"),
        ("2026-12-10", "2027-03-26"),
        ("2027-01-01", "2027-03-26"),
        ("2026-06-01", "2026-06-26"),
    ],
)
def test_quarters_end_on_their_last_friday(today, expiry):
    now = datetime.fromisoformat(today).replace(tzinfo=UTC).timestamp()
    assert quarter_end(now).date().isoformat() == expiry


def test_the_listing_has_every_kind(contracts):
    assert {symbol[:2] for symbol in contracts} == {"PF", "PI", "FF", "FI"}
    assert len(contracts) == 15
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
        assert book.asks[0][0] / book.bids[0][0] - 1 < 0.001
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
