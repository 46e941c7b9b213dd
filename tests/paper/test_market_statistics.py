"""Returns, volume, spread and depth of the simulated market are those of a plausible one."""

import math

import numpy as np
import pytest

from kfut_analytics.paper.clock import DAY, YEAR
from kfut_analytics.paper.market.instruments import ASSETS, listing
from kfut_analytics.paper.market.ladder import turnover
from kfut_analytics.paper.market.simulated import SimulatedMarket

from .conftest import NOW


@pytest.fixture(scope="module")
def market():
    return SimulatedMarket(7)


@pytest.fixture(scope="module")
def contracts():
    return listing(NOW)


# Returns ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def years():
    """Hourly log returns of four years, by seed and asset."""
    hours = np.arange(1_672_531_200, 1_672_531_200 + 4 * 365 * 86_400, 3600) // 3600
    markets = {seed: SimulatedMarket(seed) for seed in range(4)}
    return {
        (seed, code): np.diff(np.log(market._paths.hours(asset, int(hours[0]), len(hours))))
        for seed, market in markets.items()
        for code, asset in ASSETS.items()
    }


def by_day(returns):
    return returns[: len(returns) // 24 * 24].reshape(-1, 24).sum(axis=1)


def test_volatility_is_that_of_the_asset(years):
    for code, asset in ASSETS.items():
        found = [by_day(years[seed, code]).std() * math.sqrt(365) for seed in range(4)]
        assert np.mean(found) == pytest.approx(asset.volatility, rel=0.12)
        assert all(0.7 < one / asset.volatility < 1.4 for one in found)


def test_assets_move_together(years):
    for seed in range(4):
        correlation = np.corrcoef([by_day(years[seed, code]) for code in ASSETS])
        others = correlation[np.triu_indices(len(ASSETS), 1)]
        assert 0.4 < others.min() < others.max() < 0.9
        expected = ASSETS["XBT"].correlation * ASSETS["ETH"].correlation
        assert correlation[0, 1] == pytest.approx(expected, abs=0.08)


def test_days_differ_in_volatility_and_calm_lasts(years):
    def autocorrelation(values, lag):
        return np.corrcoef(values[:-lag], values[lag:])[0, 1]

    daily = [by_day(returns) for returns in years.values()]
    kurtosis = [np.mean(r**4) / np.mean(r**2) ** 2 for r in daily]
    assert 4 < np.mean(kurtosis) < 10
    assert 0.1 < np.mean([autocorrelation(abs(r), 1) for r in daily]) < 0.35
    assert 0.05 < np.mean([autocorrelation(abs(r), 5) for r in daily]) < 0.25
    # Nobody can tell the direction.
    assert abs(np.mean([autocorrelation(r, 1) for r in daily])) < 0.03


def test_hours_and_weekends_have_their_rhythm(years):
    hourly = np.concatenate([years[seed, "XBT"][: 4 * 365 * 24 - 24].reshape(-1, 24) for seed in range(4)])
    volatility = hourly.std(axis=0)
    assert volatility[14:17].mean() > 1.3 * volatility[3:6].mean()
    # 2023-01-01 was a Sunday.
    weekday = np.arange(len(years[0, "XBT"]) // 24) % 7
    daily = by_day(years[0, "XBT"])
    assert daily[(weekday == 0) | (weekday == 6)].std() < 0.9 * daily[(weekday > 0) & (weekday < 6)].std()


def test_prices_stay_plausible_over_the_years(years):
    for (_, code), returns in years.items():
        path = np.cumsum(returns)
        assert path.std() < 0.8
        assert np.ptp(path) < 3.3, code


def test_seconds_have_jumps_and_fat_tails(market):
    asset, steps = ASSETS["XBT"], []
    for day in range(60):
        knots = np.append(
            NOW // DAY * DAY - day * DAY, market.knots(NOW // DAY * DAY - day * DAY, NOW // DAY * DAY - (day - 1) * DAY)
        )
        steps.append(np.diff(np.log(market.index(asset, knots))))
    returns = np.concatenate(steps)
    usual = asset.volatility * math.sqrt(5 / YEAR)
    jumps = abs(returns) > 15 * usual
    # Common ones and its own: about four a month, none larger than some percent.
    assert 3 <= jumps.sum() <= 20
    assert abs(returns).max() < 0.05
    minutes = returns.reshape(-1, 12).sum(axis=1)
    assert 5 < np.mean(minutes**4) / np.mean(minutes**2) ** 2 < 100
    assert returns.std() * math.sqrt(YEAR / 5) == pytest.approx(asset.volatility, rel=0.35)
    assert abs(np.corrcoef(returns[:-1], returns[1:])[0, 1]) < 0.01


# Trades and quotes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("symbol", "per_minute"), [("PF_XBTUSD", (5, 12)), ("PF_UNIUSD", (0.7, 4))])
def test_trades_are_irregular_and_of_all_sizes(market, contracts, symbol, per_minute):
    contract = contracts[symbol]
    flow = market.flow(contract, NOW - 14 * DAY, NOW)
    assert per_minute[0] < len(flow.time) / (14 * 1440) < per_minute[1]
    gaps = np.diff(flow.time)
    assert gaps.min() < 0.5
    assert 0.5 < gaps.std() / gaps.mean() < 1.5
    # A tenth of the trades makes more than a third of the volume.
    largest = np.sort(flow.size)[-len(flow.size) // 10 :]
    assert largest.sum() > 0.35 * flow.size.sum()
    assert 0.45 < flow.buy.mean() < 0.55
    value = flow.size * flow.price
    assert value.sum() / 14 == pytest.approx(turnover(contract), rel=0.5)


def test_more_is_traded_while_prices_move(market, contracts):
    contract = contracts["PF_ETHUSD"]
    candles = market.candles("trade", contract, 3600, NOW - 60 * DAY, NOW)
    swing = np.log(candles.high / candles.low)
    assert np.corrcoef(np.log(candles.volume), np.log(swing))[0, 1] > 0.3
    hours = candles.time // 3600 % 24
    assert candles.volume[hours == 15].mean() > 1.3 * candles.volume[hours == 4].mean()
    # Takers buy while prices rise.
    flow = market.flow(contract, NOW - DAY, NOW)
    minute = ((flow.time - NOW + DAY) // 60).astype(int)
    bought = np.bincount(minute, np.where(flow.buy, 1, -1), minlength=1440)
    prices = market.fair(contract, NOW - DAY + 60 * np.arange(1441))
    assert 0.1 < np.corrcoef(bought, np.diff(np.log(prices)))[0, 1] < 0.8


@pytest.mark.parametrize(
    ("symbol", "spread", "top", "depth"),
    [
        ("PF_XBTUSD", 1e-4, (1e4, 1e5), (0.002, 0.01)),
        ("PF_ETHUSD", 1.5e-4, (1e4, 1e5), (0.002, 0.01)),
        ("PF_LINKUSD", 5e-4, (1e3, 1e4), (0.002, 0.015)),
        ("PI_XBTUSD", 3e-4, (1e3, 3e4), (0.002, 0.015)),
        ("FF_ETHUSD_270326", 5e-4, (1e3, 3e4), (0.002, 0.015)),
    ],
)
def test_spread_and_depth(market, contracts, symbol, spread, top, depth):
    contract = contracts[symbol]
    rng, found = np.random.default_rng(0), []
    for t in NOW - 20 * DAY * np.sort(rng.random(60)):
        bids, asks = market.quotes(contract, t)
        middle = (bids[0][0] + asks[0][0]) / 2
        values = [size * (1 if contract.inverse else price) for price, size in bids]
        near = sum(value for value, (price, _) in zip(values, bids, strict=True) if price > 0.99 * middle)
        found.append((asks[0][0] / bids[0][0] - 1, values[0], near / turnover(contract)))
    spreads, tops, depths = np.transpose(found)
    assert max(spreads) < spread + 2 * float(contract.tick) / middle
    assert top[0] < np.median(tops) < top[1]
    assert depth[0] < np.median(depths) < depth[1]


def test_books_are_thin_while_markets_are_busy(market, contracts):
    contract, found = contracts["PF_XBTUSD"], []
    for t in NOW - DAY * np.arange(0, 40, 0.37):
        around = market.fair(contract, np.arange(t - 900, t + 900, 5.0))
        middle, quotes = market.fair(contract, t), market.quotes(contract, t)
        near = sum(size for price, size in quotes.bids + quotes.asks if abs(price / middle - 1) < 0.005)
        found.append((np.diff(np.log(around)).std(), near))
    assert np.corrcoef(np.log(np.array(found)).T)[0, 1] < -0.5


def test_open_interest_moves_slowly(market, contracts):
    contract = contracts["PF_XBTUSD"]
    minutes = NOW // DAY * DAY - 20 * DAY + 60.0 * np.arange(20 * 1440)
    interest = market.open_interest(contract, minutes)
    change = np.diff(np.log(interest))
    assert abs(change).max() < 0.002
    assert 0.01 < np.log(interest).std() < 0.4
    value = interest * market.index(contract.asset, minutes)
    assert 0.1 < value.mean() / turnover(contract) < 2
    # It changes by less than what is traded.
    candles = market.candles("trade", contract, 3600, minutes[0], minutes[-1])
    moved = abs(np.diff(interest[::60]))
    assert (moved < candles.volume[: len(moved)]).mean() > 0.99
