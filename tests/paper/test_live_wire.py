"""What a market reads of another exchange's public data, and what it makes of it."""

import json
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfut_analytics.errors import ArgumentError, ConfigurationError
from kfut_analytics.paper.clock import HOUR
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.margin import COLLATERAL
from kfut_analytics.paper.market import live_feed, live_wire
from kfut_analytics.paper.market.kinds import open_market
from kfut_analytics.paper.market.live import LiveMarket
from kfut_analytics.paper.market.live_path import KEPT_KNOTS, Path
from kfut_analytics.paper.market.live_source import Source
from kfut_analytics.paper.wire.shapes import instrument
from tests.replay import Answer, ReplayServer

from .conftest import NOW
from .following import TRADING, Follower, Scripted, iso

TRADED = ("flexible_futures", "futures_inverse")
NOT_TOLD_HERE = {"isin", "makerProtectionMillis", "feeScheduleUid", "mtf", "retailMarginLevels", "tags", "underlying"}


@pytest.fixture
def other():
    exchange = Scripted(NOW, NOW // HOUR * HOUR + HOUR)
    yield exchange
    exchange.close()


@pytest.fixture
def follower(other):
    with closing(Follower(other.url, NOW)) as exchange:
        exchange.step()
        yield exchange


# Recordings -------------------------------------------------------------------------------------------------------


def recorded(recordings, name):
    found = [json.loads(path.read_bytes()) for path in sorted(recordings.glob(f"*/{name}__*.json"))]
    assert found
    return found


def test_every_recorded_instrument_is_read(recordings):
    for payload in recorded(recordings, "instruments"):
        wanted = {
            row["symbol"].upper() for row in payload["instruments"] if row["type"] in TRADED and row.get("marginLevels")
        }
        assert live_wire.instruments(payload).keys() == wanted


@pytest.mark.parametrize(
    "source", ["csharp_live_2026_09/instruments__1", "gct_symbols_2026_03/instruments__generated_343"]
)
def test_recorded_instruments_are_listed_as_they_are(recordings, source):
    """Told again they say the same of every field that this exchange knows."""
    payload = json.loads((recordings / f"{source}.json").read_bytes())
    rows = {row["symbol"]: row for row in payload["instruments"]}
    tickers = [
        {"symbol": symbol, "markPrice": 1.5, "indexPrice": 1.5, "postOnly": row["postOnly"]}
        for symbol, row in rows.items()
    ]
    tickers += [{"symbol": f"in_{coin}usd", "last": 1.0} for coin in COLLATERAL]
    answers = {
        "instruments": payload | {"result": "success"},
        "tickers": {"result": "success", "tickers": tickers},
    }
    server = ReplayServer({f"{TRADING}/{name}": Answer(json.dumps(told).encode()) for name, told in answers.items()})
    with server, closing(Follower(server.url, 0.0)) as follower:
        follower.step()
        assert follower.exchange.contracts.keys() == rows.keys()
        for symbol, row in rows.items():
            told = instrument(follower.exchange, follower.exchange.contracts[symbol])
            for name in row.keys() - NOT_TOLD_HERE:
                if name.endswith(("Time", "Date")):
                    assert told[name][:19] == row[name][:19]
                else:
                    assert told[name] == row[name], (symbol, name)


def test_every_recorded_ticker_is_read(recordings):
    for payload in recorded(recordings, "tickers"):
        rows = {row["symbol"].upper(): row for row in payload["tickers"] if "markPrice" in row}
        tickers = live_wire.tickers(payload)
        assert tickers.keys() == rows.keys()
        for symbol, row in rows.items():
            ticker = tickers[symbol]
            assert (ticker.mark, ticker.last, ticker.funding) == (
                row["markPrice"],
                row["last"],
                row.get("fundingRate", 0),
            )
            assert ticker.day.volume == row["vol24h"]


def test_every_recorded_order_book_is_read(recordings):
    for payload in recorded(recordings, "orderbook"):
        book = live_wire.order_book(payload)
        assert [list(level) for level in book.bids] == payload["orderBook"]["bids"]
        assert [list(level) for level in book.asks] == payload["orderBook"]["asks"]


def test_recorded_trades_rates_and_candles_are_read(recordings):
    for payload in recorded(recordings, "history"):
        trades = live_wire.trades(payload)
        assert [(t.uid, t.price, t.buy) for t in trades] == [
            (row["uid"], row["price"], row["side"] == "buy") for row in reversed(payload["history"])
        ]
    for payload in recorded(recordings, "historicalfundingrates"):
        rates = live_wire.funding_rates(payload)
        assert list(rates.values()) == [float(row["fundingRate"]) for row in payload["rates"]]
    for payload in recorded(recordings, "charts_candles"):
        assert live_wire.closes(payload) == [float(row["close"]) for row in payload["candles"]]


# Instruments and prices -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"type": "options"},
        {"type": "futures_vanilla"},
        {"quote": "EUR"},
        {"symbol": "PF_XBTEUR"},
        {"tradeable": False},
        {"isExpired": True},
        {"contractSize": 10},
        {"marginLevels": []},
        {"tickSize": 0},
        {"tickSize": None},
    ],
)
def test_what_cannot_be_traded_here_is_not_listed(other, change):
    path = f"{TRADING}/instruments"
    rows = json.loads(other.server.answers[path].body)["instruments"]
    assert live_wire.instruments({"instruments": rows}).keys() == {"PF_XBTUSD", other.dated}
    assert live_wire.instruments({"instruments": [rows[0] | change, rows[1], "no row"]}).keys() == {other.dated}


def test_a_contract_without_prices_is_not_listed(other):
    other.say(
        f"{TRADING}/tickers", result="success", tickers=[{"symbol": "PF_XBTUSD", "markPrice": 5, "indexPrice": 5}]
        + [{"symbol": f"rr_{coin}usd", "last": 1.0} for coin in COLLATERAL]
    )  # fmt: skip
    with closing(LiveMarket(other.url, every=None)) as market:
        assert list(market.listing(NOW)) == ["PF_XBTUSD"]


def test_an_exchange_that_does_not_price_the_collateral_is_not_followed(other):
    other.say(f"{TRADING}/tickers", result="success", tickers=[{"symbol": "in_xbtusd", "last": 1.0}])
    with closing(LiveMarket(other.url, every=None)) as market, pytest.raises(ConfigurationError) as refused:
        Exchange(market=market)
    assert str(refused.value) == f"{market!r} has no price of ETH, SOL, XRP, which is collateral here"


def test_the_other_exchanges_states_hold_here(other, follower):
    rows = [
        {
            "tradeable": "PF_XBTUSD",
            "experiencingDislocation": True,
            "priceDislocationDirection": "ABOVE_UPPER_BOUND",
            "experiencingExtremeVolatility": True,
            "extremeVolatilityInitialMarginMultiplier": 2,
        }
    ]
    before = follower.exchange.flex(follower.account).available
    other.flags = {"postOnly": True}
    other.show()
    other.say(f"{TRADING}/instruments/status", result="success", instrumentStatus=rows)
    with closing(Follower(other.url, NOW)) as late:
        late.step()
        late.step()
        assert late.send("PF_XBTUSD", "buy", 0.1).status == "marketIsPostOnly"
        assert late.send("PF_XBTUSD", "buy", 0.1, "post", price=50_000).status == "placed"
        required = 2 * 0.02 * 0.1 * other.mark
        assert late.exchange.flex(late.account).available == pytest.approx(before - required)
    other.flags = {"suspended": True}
    other.show()
    follower.step()
    assert follower.send("PF_XBTUSD", "buy", 0.1).status == "marketSuspended"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"bid": 50_002},
        {"bid": "NaN", "ask": None},
        {"bidSize": -1, "askSize": 0},
        {"ask": float("inf"), "bid": []},
    ],
)
def test_quotes_that_make_no_sense_are_left_out(other, follower, nonsense):
    other.flags = nonsense
    other.show()
    follower.step()
    with follower.exchange.lock:
        book = follower.exchange.book(follower.exchange.contract(other.dated), closely=False)
        assert not (book.bids and book.asks)
        assert follower.exchange.prices.mark(follower.exchange.contract(other.dated)) == other.mark


@pytest.mark.parametrize("nonsense", [{"markPrice": None}, {"markPrice": -5}, {"markPrice": "x"}, {"symbol": None}])
def test_a_ticker_that_makes_no_sense_suspends_its_contract(other, follower, nonsense):
    other.flags = nonsense
    other.show()
    follower.step()
    assert follower.send("PF_XBTUSD", "buy", 0.1).status == "marketSuspended"
    other.flags = {}
    other.show()
    follower.step()
    assert follower.send("PF_XBTUSD", "buy", 0.1).status == "placed"


def test_a_clock_that_is_behind_asks_for_no_history(other):
    """The rate of now is the one told now, whatever hour it is here."""
    with closing(Follower(other.url, NOW - 3 * HOUR)) as follower:
        follower.step()
        follower.send("PF_XBTUSD", "buy", 0.1)
        for _ in range(3):
            follower.step()
        with follower.exchange.lock:
            assert follower.exchange.prices.funding(follower.exchange.contract("PF_XBTUSD")) == other.funding
    assert asked(other, "historical-funding-rates") == 0


# Looking closely --------------------------------------------------------------------------------------------------


def asked(other, name):
    return len([seen for seen in other.server.seen if seen.target.startswith(f"{TRADING}/{name}?")])


def test_order_books_are_asked_for_where_somebody_looks(other, follower, monkeypatch):
    contract = follower.exchange.contract("PF_XBTUSD")
    with follower.exchange.lock:
        assert len(follower.exchange.book(contract, closely=False).bids) == 1
        assert (asked(other, "orderbook"), asked(other, "history")) == (0, 0)
        assert len(follower.exchange.book(contract).bids) == 2
        assert len(follower.exchange.book(contract).bids) == 2
    assert asked(other, "orderbook") == 1
    follower.step()
    assert (asked(other, "orderbook"), asked(other, "history")) == (2, 1)
    monkeypatch.setattr(live_feed, "ATTENTION_SECONDS", -1.0)
    follower.step()
    follower.step()
    assert (asked(other, "orderbook"), asked(other, "history")) == (2, 1)
    follower.send("PF_XBTUSD", "buy", 0.1)
    assert asked(other, "orderbook") == 3


def test_what_has_a_position_or_an_order_stays_in_sight(other, follower):
    follower.send("PF_XBTUSD", "buy", 0.1)
    follower.send(other.dated, "buy", 0.1, "lmt", price=40_000)
    for contract in follower.exchange.contracts.values():
        follower.market._feed._watched[contract.symbol].attended -= live_feed.ATTENTION_SECONDS
    follower.go_on()
    before = asked(other, "orderbook")
    follower.step()
    assert asked(other, "orderbook") == before + 2


def test_a_resting_order_waits_for_its_turn_in_the_other_book(other, follower):
    follower.send("PF_XBTUSD", "buy", 3, "lmt", price=49_990)
    account, size = follower.account, lambda: sum(fill.size for fill in follower.account.fills)
    follower.step()
    # 1 at 49,999 and 7 at 49,994 were there before it.
    other.trade(49_985, 0.5, "sell")
    follower.step()
    assert size() == 0
    other.trade(49_985, 9.5, "sell")
    other.trade(49_995, 100, "sell")
    other.trade(49_985, 100, "buy")
    follower.step()
    assert size() == 1.5
    for _ in range(3):
        follower.step()
    assert size() == 1.5, "a trade counts once"
    with follower.exchange.lock:
        assert follower.exchange.book(follower.exchange.contract("PF_XBTUSD")).bids[0] == (49_999, 1.0)
    other.depth = 1.5
    other.quote(49_980, 49_990)
    follower.step()
    assert (size(), {fill.price for fill in account.fills}) == (3, {49_990})


def test_trades_before_an_order_do_not_fill_it(other, follower):
    other.trade(49_000, 100, "sell")
    follower.send("PF_XBTUSD", "buy", 1, "lmt", price=49_500)
    for _ in range(3):
        other.trade(49_600, 100, "sell")
        follower.step()
    assert not follower.account.fills


# The path of prices -----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0.001, 5), st.floats(1, 2)), min_size=2, max_size=40))
def test_what_was_said_of_a_time_stays_true(steps):
    path, now = Path(), 100.0
    path.add(now, {"a": 1.5})
    asked_for = []
    for seconds, price in steps:
        path.hold(now)
        asked_for += [(t, path.at("a", t)) for t in (now, now - 0.3)]
        now += seconds
        path.add(now, {"a": price})
        assert path.at("a", now) == price
        low, high = path.bounds("a", now - seconds, now)
        assert low <= path.at("a", now - seconds / 2) <= high
    for t, price in asked_for:
        assert path.at("a", t) == pytest.approx(price, rel=1e-12)


def test_the_path_is_bounded_and_grows_new_prices():
    path = Path()
    for number in range(3 * KEPT_KNOTS):
        path.add(float(number), {"a": float(number)})
    path.add(1e6, {"b": 7.0})
    knots = path.knots(-1.0, 2e6)
    assert len(knots) == KEPT_KNOTS
    assert np.array_equal(path.at("a", knots[:-1]), knots[:-1])
    assert (path.at("b", 5.0), path.at("a", 1e6), path.at("a", 0.0)) == (7.0, 3 * KEPT_KNOTS - 1, knots[0])


# Arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:80", "ftp://127.0.0.1", "https://a.example/path", "https://a:b@a.example", "https://", None, 5,
     "https://a.example?x=1", "http://127.0.0.1:x"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ArgumentError, match=r"market_url=.* is not the address of an exchange"):
        Source(url)


@pytest.mark.parametrize("url", ["http://exchange.example", "http://10.0.0.1", "http://127.example.com"])
def test_prices_do_not_come_unencrypted_from_afar(url):
    with pytest.raises(ArgumentError, match="is not encrypted"):
        Source(url)


def test_a_live_market_goes_at_its_own_speed(other):
    with pytest.raises(ArgumentError, match=r"speed=2\.0 is not the speed of the exchange that is followed"):
        open_market("live", seed=0, url=other.url, speed=2.0)


def test_times_without_a_fraction_or_a_zone_are_read():
    texts = ("2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "x", None)
    payload = {"history": [{"time": text, "price": 1, "size": "2", "side": "buy"} for text in texts]}
    begin = 1_767_225_600.0
    assert [trade.time for trade in live_wire.trades(payload)] == [begin, begin, begin + 0.1]
    assert iso(begin) == "2026-01-01T00:00:00.000Z"
