"""Analytics of the charts API add up to the trades, candles, quotes and rates that are shown elsewhere."""

import math

import jsonschema
import numpy as np
import pytest

from .specification import CHARTS, specification

BASE = "/api/charts/v1"
SPECIFIED = (
    *("open-interest", "aggressor-differential", "trade-volume", "trade-count", "liquidation-volume"),
    *("rolling-volatility", "cvd", "orderbook", "spreads", "liquidity", "slippage", "future-basis"),
)
ABSENT = ("long-short-ratio", "long-short-info", "top-traders", "nonsense")


@pytest.fixture
def ask(wire):
    def analytics(kind, symbol="PF_XBTUSD", **params):
        answer = wire.get(f"{BASE}/analytics/{symbol}/{kind}", **params)
        assert answer.status_code == 200, answer.text
        assert answer.json()["errors"] == []
        return answer.json()["result"]

    return analytics


@pytest.fixture
def hour(wire):
    """The last full hour that is over."""
    return int(wire.server.exchange.now // 3600 - 1) * 3600


def numbers(texts):
    return np.array([float(text) for text in texts])


def trades(wire, symbol, start, end):
    elements = wire.elements(f"/api/history/v3/market/{symbol}/executions", since=start * 1000, before=end * 1000)
    rows = [element["event"]["Execution"]["execution"] for element in elements]
    return [(row["takerOrder"]["direction"], float(row["quantity"]), row["timestamp"] / 1000) for row in rows]


@pytest.mark.parametrize("kind", SPECIFIED)
@pytest.mark.parametrize("interval", [60, 3600])
def test_every_kind_has_the_shape_of_the_specification(ask, hour, kind, interval):
    result = ask(kind, since=hour - 7200, interval=interval)
    schemas = specification(CHARTS)["components"]["schemas"]
    validator = jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/AnalyticsResponseResult", "components": {"schemas": schemas}}
    )
    assert not list(validator.iter_errors(result))
    assert all(time % interval == 0 for time in result["timestamp"])
    assert result["timestamp"][0] == hour - 7200


@pytest.mark.parametrize("symbol", ["PF_ETHUSD", "PI_XBTUSD"])
def test_volumes_are_those_of_the_public_trades_and_candles(wire, ask, hour, symbol):
    start, span = hour - 3600, {"since": hour - 3600, "to": hour + 3300, "interval": 300}
    rows = trades(wire, symbol, start, hour + 3600)
    place = [int(time - start) // 300 for _, _, time in rows]
    sizes = np.array([size for _, size, _ in rows])
    signs = np.array([1 if side == "Buy" else -1 for side, _, _ in rows])
    total, difference = np.bincount(place, sizes, 24), np.bincount(place, sizes * signs, 24)
    assert numbers(ask("trade-volume", symbol, **span)["data"]) == pytest.approx(total)
    assert ask("trade-count", symbol, **span)["data"] == np.bincount(place, minlength=24).tolist()
    assert numbers(ask("aggressor-differential", symbol, **span)["data"]) == pytest.approx(difference)
    cvd = {name: numbers(column) for name, column in ask("cvd", symbol, **span)["data"].items()}
    assert cvd["buyVolume"] + cvd["sellVolume"] == pytest.approx(total)
    assert cvd["buyVolume"] - cvd["sellVolume"] == pytest.approx(difference)
    assert cvd["cvd"] == pytest.approx(np.cumsum(difference), abs=1e-6)
    candles = wire.get(f"{BASE}/trade/{symbol}/5m", **{"from": start, "to": hour + 3300}).json()["candles"]
    assert numbers(candle["volume"] for candle in candles) == pytest.approx(total)
    assert set(ask("liquidation-volume", symbol, **span)["data"]) == {"0"}


def test_the_bucket_that_is_not_over_counts_what_there_is(wire, ask):
    now = wire.server.exchange.now
    start = int(now // 3600) * 3600
    result = ask("trade-count", since=start, interval=3600)
    [count] = result["data"]
    assert (result["timestamp"], result["more"]) == ([start], False)
    assert count >= len(trades(wire, "PF_XBTUSD", start, math.floor(now)))
    assert count <= len(trades(wire, "PF_XBTUSD", start, start + 3600))


def test_open_interest_of_a_bucket_ends_where_the_next_begins_and_is_that_of_the_ticker(wire, ask, hour):
    rows = np.array(ask("open-interest", since=hour - 36_000, interval=3600)["data"])
    assert rows[1:, 0] == pytest.approx(rows[:-1, 3])
    assert (rows[:, 1] >= rows[:, [0, 3]].max(axis=1)).all()
    assert (rows[:, 2] <= rows[:, [0, 3]].min(axis=1)).all()
    ticker = wire.v3("tickers/PF_XBTUSD")["ticker"]
    assert ticker["openInterest"] == pytest.approx(rows[-1, 3], rel=1e-3)


def test_funding_is_that_of_the_funding_history(wire, ask, hour):
    known = {rate["timestamp"]: rate for rate in wire.v3("historical-funding-rates", symbol="PI_XBTUSD")["rates"]}
    day = hour // 86400 * 86400 - 86400
    rates = list(known.values())
    first = next(place for place, rate in enumerate(rates) if rate["timestamp"].startswith(iso_day(day)))
    data = ask("funding", "PI_XBTUSD", since=day, interval=86400, to=day)["data"]
    for name, column in (("fundingRate", "rate"), ("relativeFundingRate", "relativeRate")):
        values = [rate[name] for rate in rates[first : first + 24]]
        assert data[column] == [pytest.approx([values[0], max(values), min(values), values[-1]])]
    assert wire.get(f"{BASE}/analytics/FI_XBTUSD_261225/funding", since=day, interval=86400).status_code == 404


def iso_day(seconds):
    return str(np.datetime64(seconds, "s"))[:10]


def test_the_basis_is_that_of_the_candles(wire, ask, hour):
    span = {"from": hour - 3600, "to": hour}
    [mark, _] = wire.get(f"{BASE}/mark/PF_XBTUSD/1h", **span).json()["candles"]
    [spot, _] = wire.get(f"{BASE}/spot/PF_XBTUSD/1h", **span).json()["candles"]
    basis = ask("future-basis", since=hour - 3600, interval=3600, to=hour)["data"]["basis"]
    assert float(basis[0]) == pytest.approx(float(mark["open"]) / float(spot["open"]) - 1, abs=1e-8)


def test_volatility_is_that_of_a_week_of_hours(wire, ask, hour):
    prices = wire.get(f"{BASE}/spot/PF_ETHUSD/1h", **{"from": hour - 168 * 3600, "to": hour}).json()["candles"]
    returns = np.diff(np.log(numbers(candle["open"] for candle in prices)))
    expected = np.sqrt((returns**2).mean() * 24 * 365)
    result = ask("rolling-volatility", "PF_ETHUSD", since=hour, interval=3600, to=hour)
    assert numbers(result["data"]) == pytest.approx([expected])


@pytest.mark.parametrize("symbol", ["PF_XBTUSD", "PI_XBTUSD"])
def test_the_order_book_in_figures(wire, ask, hour, symbol):
    exchange = wire.server.exchange
    contract = exchange.contract(symbol)
    quotes = exchange.market.quotes(contract, hour)
    span = {"since": hour, "interval": 60, "to": hour}
    full = ask("orderbook", symbol, **span)["data"]
    mid = (quotes.bids[0][0] + quotes.asks[0][0]) / 2
    for side, levels in (("bid", quotes.bids), ("ask", quotes.asks)):
        assert numbers(full[side]["bestPrice"]) == [levels[0][0]]
        assert ask("spreads", symbol, **span)["data"][side]["best_price"] == full[side]["bestPrice"]
        for name, share in (("005", 0.0005), ("10", 0.01), ("100", 0.1)):
            inside = sum(size for price, size in levels if abs(price - mid) <= share * mid)
            assert numbers(full[side][f"liquidity{name}"]) == pytest.approx([inside])
            assert ask("liquidity", symbol, **span)["data"][side][f"liquidity_{name}"] == full[side][f"liquidity{name}"]
        slippage = ask("slippage", symbol, **span)["data"][side]
        assert all(
            slippage[f"slippage_{name}"] == full[side][f"slippage{name}"] for name in ("1k", "10k", "100k", "1m")
        )
        # An order that the best level fills is as far away as that level.
        value = levels[0][1] * (1 if contract.inverse else levels[0][0])
        if value >= 1000:
            assert numbers(slippage["slippage_1k"]) == pytest.approx([abs(levels[0][0] / mid - 1)], abs=1e-9)
        known = numbers(text for column in slippage.values() for text in column if text is not None)
        assert (np.diff(known) >= 0).all()


def test_what_is_not_told_and_what_is_asked_wrongly(wire, ask, hour):
    many = ask("future-basis", since=0, interval=60)
    assert (len(many["timestamp"]), many["more"]) == (2000, True)
    ahead = ask("open-interest", since=hour + 10**6, interval=60)
    assert (ahead["timestamp"], ahead["data"], ahead["more"]) == ([], [], False)
    for kind in ABSENT:
        assert wire.get(f"{BASE}/analytics/PF_XBTUSD/{kind}", since=0, interval=60).status_code == 404
    assert wire.get(f"{BASE}/analytics/PF_NOPE/cvd", since=0, interval=60).status_code == 404
    for params in ({"since": 0, "interval": 61}, {"since": 0}, {"interval": 60}):
        answer = wire.get(f"{BASE}/analytics/PF_XBTUSD/cvd", **params)
        assert (answer.status_code, answer.json().keys()) == (400, {"result", "errors"})
