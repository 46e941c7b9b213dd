"""Trades, candles and quotes of the simulated market agree with its prices and with each other."""

import itertools
import math

import numpy as np
import pytest

from kfut_analytics.paper.clock import DAY, HOUR
from kfut_analytics.paper.market.instruments import listing
from kfut_analytics.paper.market.protocol import RESOLUTIONS
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


def on_grid(values, step):
    places = np.asarray(values) / float(step)
    return bool((abs(places - np.round(places)) < 1e-4).all())


# Trades -----------------------------------------------------------------------------------------------------------


def test_trades_are_at_the_best_quotes_of_their_moment(market, contract):
    flow = market.flow(contract, NOW - HOUR, NOW)
    assert len(flow.time) > 20
    for time, price, buy in zip(flow.time, flow.price, flow.buy, strict=True):
        quotes = market.quotes(contract, time)
        assert price == (quotes.asks if buy else quotes.bids)[0][0]
    assert on_grid(flow.price, contract.tick)
    assert on_grid(flow.size, contract.step)
    assert (flow.size > 0).all()
    np.testing.assert_array_equal(flow.time, np.round(flow.time, 3))


def test_pieces_of_the_flow_join(market, contract):
    whole = market.flow(contract, NOW - 30 * HOUR, NOW)
    assert (np.diff(whole.time) > 0).all()
    assert NOW - 30 * HOUR < whole.time[0] < whole.time[-1] <= NOW
    # A time that is a trade's own belongs to the piece that ends there.
    cuts = [NOW - 30 * HOUR, whole.time[3], whole.time[4] + 1e-3, NOW // DAY * DAY, NOW - 1, NOW]
    pieces = [market.flow(contract, start, end) for start, end in itertools.pairwise(cuts)]
    for column, parts in zip(whole, zip(*pieces, strict=True), strict=True):
        np.testing.assert_array_equal(column, np.concatenate(parts))
    assert len(market.flow(contract, NOW, NOW).time) == 0


def test_the_last_trade(market, contract):
    flow = market.flow(contract, NOW - HOUR, NOW)
    for place in (0, 5, -1):
        assert market.last(contract, flow.time[place]) == flow.price[place]
        assert market.last(contract, flow.time[place] + 1e-4) == flow.price[place]
    assert market.last(contract, flow.time[5] - 1e-4) == flow.price[4]


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_of_trades_join(market, contract, newest_first):
    start, end = NOW - 26 * HOUR, NOW - HOUR
    flow = market.flow(contract, np.nextafter(start, 0), np.nextafter(end, 0))
    pages, resume = [], None
    while True:
        page = market.trades(contract, start, end, 997, newest_first=newest_first, resume=resume)
        if not len(page.time):
            break
        pages.append(page)
        resume = int(page.number[0] if newest_first else page.number[-1])
    if newest_first:
        pages.reverse()
    for column, name in ((2, "time"), (3, "price"), (4, "size"), (5, "buy")):
        np.testing.assert_array_equal(np.concatenate([page[column] for page in pages]), getattr(flow, name))
    number = np.concatenate([page.number for page in pages])
    assert (np.diff(number) > 0).all()
    assert len({uid for page in pages for uid in page.uid}) == len(number)
    latest = market.trades(contract, market.begin, end, 3)
    np.testing.assert_array_equal(latest.time, flow.time[-3:])
    assert latest.number.tolist() == number[-3:].tolist()


def test_a_dated_contract_is_traded_from_its_listing_to_its_end(market):
    now = NOW + 40 * DAY
    contract = listing(now)["FF_ETHUSD_261127"]
    assert contract.expiry < now
    trades = market.trades(contract, -math.inf, math.inf, 10**6)
    assert contract.opening <= trades.time[0] < contract.opening + HOUR
    assert contract.expiry - HOUR < trades.time[-1] < contract.expiry
    assert market.last(contract, contract.opening - 1) == market.last(contract, trades.time[0] - 1e-3)
    assert market.last(contract, now) == trades.price[-1]
    candles = market.candles("trade", contract, 86400, market.begin, now)
    assert candles.time[0] == contract.opening // DAY * DAY
    assert candles.time[-1] == contract.expiry // DAY * DAY
    assert candles.volume.sum() == pytest.approx(trades.size.sum())
    assert market.open_interest(contract, np.array([contract.opening, contract.expiry])).tolist() == [0, 0]


# Candles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [60, 900, 3600, 14400, 86400])
def test_candles_of_trades_are_made_of_the_flow(market, contract, seconds):
    start = NOW - 1.2 * DAY
    candles = market.candles("trade", contract, seconds, start, NOW)
    assert candles.time[0] == start // seconds * seconds
    assert candles.time[-1] == NOW // seconds * seconds
    flow = market.flow(contract, candles.time[0], NOW)
    close = market.last(contract, candles.time[0])
    for place, time in enumerate(candles.time):
        inside = (flow.time >= time) & (flow.time < time + seconds)
        prices = [close, *flow.price[inside]]
        # A candle opens where the one before closed, traded or not.
        close = prices[-1]
        row = candles.open[place], candles.high[place], candles.low[place], candles.close[place]
        assert row == (prices[0], max(prices), min(prices), close)
        assert candles.volume[place] == pytest.approx(flow.size[inside].sum())


@pytest.mark.parametrize("tick_type", ["spot", "mark"])
@pytest.mark.parametrize("seconds", [60, 3600, 43200])
def test_candles_of_prices_are_made_of_the_knots(market, contract, tick_type, seconds):
    candles = market.candles(tick_type, contract, seconds, NOW - 1.2 * DAY, NOW)
    for place, time in enumerate(candles.time):
        end = min(time + seconds, NOW)
        times = np.unique(np.concatenate([[time], market.knots(time, end), [end]]))
        prices = market.index(contract.asset, times) if tick_type == "spot" else market.mark(contract, times)
        row = candles.open[place], candles.high[place], candles.low[place], candles.close[place]
        assert row == pytest.approx((prices[0], prices.max(), prices.min(), prices[-1]), rel=1e-14)
    assert (candles.volume == 0).all()


@pytest.mark.parametrize("tick_type", ["spot", "mark", "trade"])
def test_candles_of_all_resolutions_agree(market, contracts, tick_type):
    contract, start = contracts["PF_ETHUSD"], NOW - 9 * DAY
    fine = market.candles(tick_type, contract, 60, start // (7 * DAY) * 7 * DAY, NOW)
    for seconds in RESOLUTIONS.values():
        coarse = market.candles(tick_type, contract, seconds, start, NOW)
        owner = np.floor(fine.time / seconds) * seconds
        for place, time in enumerate(coarse.time[:40]):
            inside = owner == time
            assert coarse.open[place] == fine.open[inside][0]
            assert coarse.close[place] == fine.close[inside][-1]
            assert coarse.high[place] == fine.high[inside].max()
            assert coarse.low[place] == fine.low[inside].min()
            assert coarse.volume[place] == pytest.approx(fine.volume[inside].sum())


def test_candles_begin_and_end_where_they_are_asked_to(market, contracts):
    contract, hour = contracts["PF_XBTUSD"], NOW // HOUR * HOUR
    assert market.candles("mark", contract, 3600, hour, hour).time.tolist() == []
    assert market.candles("mark", contract, 3600, hour - HOUR, hour).time.tolist() == [hour - HOUR]
    assert market.candles("mark", contract, 3600, NOW + DAY, NOW).time.tolist() == []
    some = market.candles("trade", contract, 300, hour - HOUR + 1, NOW, hour - HOUR + 600)
    assert some.time.tolist() == [hour - HOUR, hour - HOUR + 300, hour - HOUR + 600]
    assert market.candles("mark", contract, 86400, 0, market.begin + 2.5 * DAY).time[0] == market.begin


# Quotes -----------------------------------------------------------------------------------------------------------


def test_quotes_surround_the_fair_price_on_tick_and_step(market, contract):
    for t in NOW - np.linspace(0, 5, 40) * DAY:
        quotes, fair = market.quotes(contract, t), market.fair(contract, t)
        assert len(quotes.bids) == len(quotes.asks) == 25
        half = market.half_spread(contract, fair)
        tick = float(contract.tick)
        for sign, levels in ((-1, quotes.bids), (1, quotes.asks)):
            prices = np.array([price for price, _ in levels])
            # The best price is half the spread away, rounded outward.
            assert -1e-9 <= sign * (prices[0] - fair) - half <= tick * (1 + 1e-6)
            assert (np.diff(prices) * sign > 0).all()
            assert on_grid(prices, tick)
            assert on_grid([size for _, size in levels], contract.step)
            assert all(size > 0 for _, size in levels)
            assert 0.005 < abs(prices[-1] / fair - 1) < 0.1


def test_quotes_are_renewed_every_second(market, contracts):
    contract, second = contracts["PF_XBTUSD"], math.floor(NOW)
    sizes = [[size for _, size in market.quotes(contract, second + shift).bids] for shift in (0.0, 0.4, 0.9, 1.0)]
    # The fair price, by which a value becomes a size, moves on within the second.
    assert sizes[0] == pytest.approx(sizes[2], rel=1e-2)
    assert sizes[3] != pytest.approx(sizes[0], rel=1e-2)
