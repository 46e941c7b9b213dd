"""The simulated market: one function of seed and time, whose views agree, and whose figures are plausible."""

import itertools
import math

import numpy as np
import pytest

from kfut_analytics.contracts import absolute_funding_rate
from kfut_analytics.paper.clock import DAY, HOUR, YEAR
from kfut_analytics.paper.market.instruments import ASSETS, listing
from kfut_analytics.paper.market.simulated import SimulatedMarket

from .conftest import NOW

SYMBOLS = ("PF_XBTUSD", "PF_PEPEUSD", "PI_ETHUSD", "FF_XBTUSD_261225", "FI_ETHUSD_270326")


@pytest.fixture(scope="module")
def market():
    return SimulatedMarket(7)


@pytest.fixture(scope="module")
def contracts():
    return listing(NOW)


@pytest.fixture(params=SYMBOLS)
def contract(request, contracts):
    return contracts[request.param]


def flow_rows(flow):
    return list(zip(*(column.tolist() for column in flow), strict=True))


# One function of seed and time ------------------------------------------------------------------------------------


def test_everything_is_the_same_whenever_and_in_whatever_order_it_is_asked_for(contract):
    times = NOW - np.array([3.0, 0.0, 40.2, 7.7, 40.1]) * DAY
    asked, later = SimulatedMarket(3), SimulatedMarket(3)
    later.index(contract.asset, 2_050_000_000.0)
    forward = [views(asked, contract, t) for t in times]
    backward = [views(later, contract, t) for t in times[::-1]][::-1]
    assert forward == backward
    assert forward != [views(SimulatedMarket(4), contract, t) for t in times]


def views(market, contract, t):
    candles = market.candles("trade", contract, 300, t - HOUR, t)
    return (
        market.index(contract.asset, t),
        market.mark(contract, t),
        market.fair(contract, t),
        market.last(contract, t),
        market.quotes(contract, t),
        flow_rows(market.flow(contract, t - 600, t)),
        [column.tolist() for column in candles],
        market.open_interest(contract, np.array([t])).tolist(),
        market.trades(contract, t - HOUR, t, 5).uid,
        market.funding(contract, t) if contract.expiry is None else None,
    )


def test_the_same_seed_gives_the_same_market_to_everybody():
    # Another version of this code or of numpy must not give people another demo account.
    market, xbt, pepe = SimulatedMarket(0), ASSETS["XBT"], ASSETS["PEPE"]
    midnight = 1_795_305_600.0
    assert market.index(xbt, midnight) == pytest.approx(xbt.price, rel=1e-12)
    assert market.index(pepe, midnight) == pytest.approx(pepe.price, rel=1e-12)
    assert market.index(xbt, NOW) == pytest.approx(88_753.31720394407, rel=1e-9)
    assert market.index(pepe, market.begin) == pytest.approx(5.218994889009906e-06, rel=1e-9)
    assert market.last(listing(NOW)["PF_XBTUSD"], NOW) == 88_750.0


def test_the_past_stays_what_it_was(market, contract):
    earlier, later = NOW - 90 * 60 - 7.3, NOW
    for tick_type, seconds in itertools.product(("spot", "mark", "trade"), (60, 3600)):
        then = market.candles(tick_type, contract, seconds, earlier - DAY, earlier)
        now = market.candles(tick_type, contract, seconds, earlier - DAY, later)
        for before, after in zip(then, now, strict=True):
            np.testing.assert_array_equal(before[:-1], after[: len(before) - 1])
        assert now.high[len(then.high) - 1] >= then.high[-1]
        assert now.volume[len(then.volume) - 1] >= then.volume[-1]
    rows = flow_rows(market.flow(contract, earlier - HOUR, later))
    assert flow_rows(market.flow(contract, earlier - HOUR, earlier)) == [row for row in rows if row[0] <= earlier]


@pytest.mark.parametrize("t", [1_672_531_200.0, 1_700_000_000.5, 2_050_000_000.25])
def test_there_are_prices_from_2023_to_2035(market, t):
    for contract in listing(t).values():
        assert 0 < market.mark(contract, t) < math.inf
        quotes = market.quotes(contract, t)
        assert quotes.bids[0][0] < quotes.asks[0][0]
    assert market.begin == 1_672_531_200.0


def test_memory_is_bounded_however_long_the_exchange_runs(contracts):
    market = SimulatedMarket(1)
    few = [contracts[symbol] for symbol in ("PF_XBTUSD", "PF_ETHUSD", "PI_XRPUSD")]

    def run(days):
        for day, contract in itertools.product(days, few):
            t = NOW + day * DAY
            market.mark(contract, t)
            market.funding(contract, t)
            market.hourly_bounds(contract, t, t + DAY / 2)
            if day % 4 == 0:
                market.flow(contract, t, t + 60)
                market.candles("trade", contract, 60, t - HOUR, t)
        return held(market)

    half, year = run(range(180)), run(range(180, 365))
    assert half < 80e6
    # Days are replaced by others; what little is kept for longer is drawn by the month and the year.
    assert year < 1.1 * half


def held(thing, seen=None):
    """Bytes of all arrays that an object holds."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, dict):
        return sum(held(value, seen) for value in thing.values())
    if isinstance(thing, tuple | list):
        return sum(held(value, seen) for value in thing)
    return held(vars(thing), seen) if hasattr(thing, "__dict__") else 0


# Prices -----------------------------------------------------------------------------------------------------------


def test_prices_are_straight_lines_between_knots(market, contract):
    knots = market.knots(NOW - 600, NOW + 4 * HOUR)
    assert set(np.diff(knots)) == {5.0}
    assert market.knots(knots[3], knots[5]).tolist() == knots[4:6].tolist()
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(knots[0], knots[-1], 500))
    for price in (
        lambda t: market.index(contract.asset, t),
        lambda t: market.mark(contract, t),
        lambda t: market.fair(contract, t),
    ):
        expected = np.interp(times, knots, price(knots))
        np.testing.assert_allclose(price(times), expected, rtol=1e-13)
        assert [price(t) for t in times[:20]] == price(times[:20]).tolist()


def test_days_join(market, contract):
    midnight = NOW // DAY * DAY
    for price in (market.mark, market.fair):
        before, at, after = (price(contract, midnight + shift) for shift in (-1e-3, 0, 1e-3))
        assert before == pytest.approx(at, rel=1e-6)
        assert after == pytest.approx(at, rel=1e-6)
    # Full hours may be asked for without the day.
    hours = midnight + HOUR * np.arange(48)
    index = market.index(contract.asset, hours)
    bounds = market.hourly_index_bounds(contract.asset, hours[0], hours[-1])
    assert (bounds[1] <= index).all()
    assert (index <= bounds[2]).all()


def test_bounds_of_hours_are_those_of_the_knots(market, contract):
    start, end = NOW - 5.3 * HOUR, NOW
    hours, lowest, highest = market.hourly_bounds(contract, start, end)
    assert hours.tolist() == list(np.arange(start // HOUR, end // HOUR + 1) * HOUR)
    for hour, low, high in zip(hours, lowest, highest, strict=True):
        marks = market.mark(contract, np.append(hour, market.knots(hour, hour + HOUR)))
        assert (low, high) == (marks.min(), marks.max())


def test_index_mark_and_fair_differ_a_little(market, contracts):
    times = NOW - 60 * DAY + 1800.0 * np.arange(48 * 60)
    for symbol in ("PF_XBTUSD", "PF_DOGEUSD", "PI_ETHUSD"):
        contract = contracts[symbol]
        mark, fair = market.mark(contract, times), market.fair(contract, times)
        premium = mark / market.index(contract.asset, times) - 1
        assert 5e-5 < premium.std() < 5e-4
        assert abs(premium).max() < 0.003
        assert 2e-5 < (fair / mark - 1).std() < 3e-4
        assert abs((fair / mark - 1).mean()) < 2e-5


def test_dated_contracts_come_to_the_index(market, contracts):
    contract = contracts["FF_XBTUSD_261225"]
    assert market.mark(contract, contract.expiry) == market.index(contract.asset, contract.expiry)
    assert market.fair(contract, contract.expiry) == market.index(contract.asset, contract.expiry)
    week = np.array([contract.expiry - 7 * DAY])
    assert market.basis(contract, week)[0] != 0
    # The basis per year moves, and is negative at times.
    yearly = []
    for day in range(0, 4 * 365, 20):
        t = market.begin + DAY * (250 + day)
        listed = [c for c in listing(t).values() if c.symbol.startswith("FI_XBT") and c.expiry - t > 20 * DAY]
        yearly += [market.basis(c, np.array([t]))[0] / (c.expiry - t) * YEAR for c in listed]
    assert min(yearly) < 0 < np.mean(yearly)
    assert 0.01 < np.std(yearly) < 0.08
    assert max(map(abs, yearly)) < 0.3


# Funding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["PF_XBTUSD", "PI_ETHUSD", "PF_PEPEUSD"])
def test_funding_follows_the_premium_of_the_hour_before(market, contracts, symbol):
    contract = contracts[symbol]
    hour = NOW // HOUR * HOUR - 5 * HOUR
    # Time-weighted: the mean of a straight line between knots is that of its ends.
    knots = np.append(hour - HOUR, market.knots(hour - HOUR, hour))
    premium = market.mark(contract, knots) / market.index(contract.asset, knots) - 1
    mean = ((premium[:-1] + premium[1:]) / 2).mean()
    relative = market.relative_funding(contract, hour)
    assert relative == pytest.approx(mean / contract.funding_coefficient, rel=1e-6)
    index = market.index(contract.asset, hour)
    assert market.funding(contract, hour + 1234) == pytest.approx(
        absolute_funding_rate(relative, index, inverse=contract.inverse)
    )
    end = hour - 1e-3
    predicted = market.predicted_funding(contract, end)
    told = absolute_funding_rate(relative, market.index(contract.asset, end), inverse=contract.inverse)
    assert predicted == pytest.approx(told, rel=1e-5)
    assert market.predicted_funding(contract, hour) != predicted


def test_funding_history_is_the_rates_of_its_hours(market, contracts):
    contract, hours = contracts["PI_XBTUSD"], NOW // HOUR * HOUR - HOUR * np.arange(500)[::-1]
    assert market.funding(contract, hours).tolist() == [market.funding(contract, hour + 17) for hour in hours]
    relative = market.relative_funding(contract, hours)
    assert relative.tolist() == [market.relative_funding(contract, hour) for hour in hours]


def test_funding_has_runs_of_both_signs_and_a_cap(market, contracts):
    contract = contracts["PF_ETHUSD"]
    hours = NOW // HOUR * HOUR - HOUR * np.arange(365 * 24)
    rates = market.relative_funding(contract, hours)
    assert 0.02 < rates.mean() * 24 * 365 < 0.3
    assert 0.05 < (rates < 0).mean() < 0.45
    runs = [len(list(run)) for _, run in itertools.groupby(rates < 0)]
    assert np.mean(runs) > 4
    assert max(runs) > 24
    assert 0 < np.corrcoef(rates[:-24], rates[24:])[0, 1] < 0.95
    assert abs(rates).max() < contract.max_funding_rate / 4


def test_the_rate_is_capped(market, contracts, monkeypatch):
    contract = contracts["PF_ETHUSD"]
    slow = market._premium.slow
    monkeypatch.setattr(market._premium, "slow", lambda *args: slow(*args) + 1.0)
    assert (market.relative_funding(contract, np.array([NOW // HOUR * HOUR])) == contract.max_funding_rate).all()
    monkeypatch.setattr(market._premium, "slow", lambda *args: slow(*args) - 1.0)
    assert (market.relative_funding(contract, np.array([NOW // HOUR * HOUR])) == -contract.max_funding_rate).all()
