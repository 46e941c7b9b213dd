"""A market that follows another exchange, when that one is silent, talks nonsense, or was not listened to for a while.

The exchange followed is scripted: it says on the wire what each test makes it say.
"""

import json
import logging
import threading
import time
from contextlib import closing, suppress

import pytest
import requests

from kfut_analytics.errors import TransportError, UnavailableError, UnexpectedResponse
from kfut_analytics.paper.clock import DAY, HOUR, ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.engine.orders import EditRequest
from kfut_analytics.paper.keeping.named import Origin, create_account, list_accounts, reset_account
from kfut_analytics.paper.keeping.store import open_stored
from kfut_analytics.paper.market import live_feed
from kfut_analytics.paper.market.live import LiveMarket
from kfut_analytics.paper.market.live_source import Source
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire import shapes_reference
from kfut_analytics.paper.wire.auth import ApiKey
from tests.replay import Answer

from .conftest import NOW
from .following import TRADING, Follower, Scripted, iso

EXPIRY = NOW // HOUR * HOUR + HOUR
TICKERS, BOOK, TRADES = f"{TRADING}/tickers", f"{TRADING}/orderbook", f"{TRADING}/history"


@pytest.fixture
def other():
    exchange = Scripted(NOW, EXPIRY)
    yield exchange
    exchange.close()


@pytest.fixture
def follower(other):
    with closing(Follower(other.url, NOW)) as exchange:
        exchange.step()
        yield exchange


@pytest.fixture
def sleep(monkeypatch):
    """Let the machine's clock go on at once."""
    real, slept = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + slept[0])

    def sleep(seconds):
        slept[0] += seconds

    return sleep


def fills(follower):
    return [(fill.side, fill.price, fill.size, fill.liquidity, fill.time) for fill in follower.account.fills]


def reasons(follower):
    return [row["note"] for row in shapes_reference.notifications(follower.exchange) if row["type"] == "market"]


# Silence ----------------------------------------------------------------------------------------------------------

NONSENSE = {
    "html": (Answer(b"<html>", content_type="text/html"), UnexpectedResponse, "answered with text/html"),
    "redirect": (Answer(b"{}", 302, headers={"Location": "/"}), UnexpectedResponse, "HTTP 302"),
    "broken": (Answer(b'{"result": "succ'), UnexpectedResponse, "broken JSON"),
    "list": (Answer(b"[]"), UnexpectedResponse, "no object"),
    "null": (Answer(b'{"result": "success", "tickers": null}'), UnexpectedResponse, "no list of tickers"),
    "refused": (Answer(b'{"result": "error", "error": "apiLimitExceeded"}'), UnavailableError, "apiLimitExceeded"),
    "down": (Answer(b'{"result": "error", "error": "Unavailable"}', 503), UnavailableError, "Unavailable"),
}


@pytest.mark.parametrize("trouble", NONSENSE)
def test_what_is_silent_is_suspended_and_says_why(other, follower, sleep, caplog, trouble):
    answer, error, words = NONSENSE[trouble]
    other.server.answers[TICKERS] = answer
    with pytest.raises(error, match=words):
        follower.market.poll()
    follower.go_on()
    assert follower.send("PF_XBTUSD", "buy", 0.01).status == "placed", "a second without an answer is no silence"
    sleep(11)
    with caplog.at_level(logging.INFO, "kfut_analytics.paper"):
        follower.go_on()
        follower.go_on()
        assert follower.send("PF_XBTUSD", "buy", 0.01).status == "marketSuspended"
        (reason,) = reasons(follower)
        assert reason.startswith(f"no prices have come from {other.url} since")
        assert words in reason
        other.show()
        follower.step()
    assert reasons(follower) == []
    assert follower.send("PF_XBTUSD", "buy", 0.01).status == "placed"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_nothing_happens_on_old_prices(other, follower, sleep):
    follower.send("PF_XBTUSD", "buy", 3)
    follower.send("PF_XBTUSD", "sell", 0.1, "lmt", price=50_100)
    follower.send("PF_XBTUSD", "sell", 0.1, "stp", stop=49_000, trigger_signal="mark")
    resting, trigger = follower.account.orders
    before = fills(follower)
    sleep(11)
    other.quote(43_000, 43_002)
    follower.go_on()
    with follower.exchange.lock:
        assert follower.exchange.book(follower.exchange.contract("PF_XBTUSD")).bids == []
        assert (
            follower.exchange.edit(follower.account, EditRequest(trigger, stop_price=51_000)).status
            == "marketSuspended"
        )
        assert follower.exchange.cancel(follower.account, order_id=resting).status == "cancelled"
    assert fills(follower) == before
    # The first prices after the silence fire the stop, and are too low for what is left of the position.
    follower.step()
    assert not follower.account.orders
    assert not follower.account.positions
    assert all(follower.now - 0.001 <= fill[4] <= follower.now for fill in fills(follower)[len(before) :])


def test_an_exchange_that_has_gone_is_suspended(sleep):
    server = PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty"))
    with server, closing(Follower(server.base_url, NOW)) as follower:
        follower.step()
        server.close()
        with pytest.raises(TransportError, match="there is no connection"):
            follower.market.poll()
        sleep(11)
        follower.go_on()
        assert follower.send("PF_XBTUSD", "buy", 0.01).status == "marketSuspended"
        with pytest.raises(TransportError, match="there is no connection"):
            LiveMarket(server.base_url)


def test_one_order_book_that_cannot_be_had_suspends_its_contract_alone(other, follower, sleep):
    follower.send("PF_XBTUSD", "buy", 0.01)
    other.server.answers[BOOK] = Answer(b'{"result": "error", "error": "Server Error"}', 500)
    for _ in range(2):
        sleep(6)
        follower.step()
    assert follower.send("PF_XBTUSD", "sell", 0.01).status == "marketSuspended"
    assert reasons(follower)[0].startswith("the order book of PF_XBTUSD cannot be followed: ")
    assert follower.send(other.dated, "buy", 0.01).status == "placed"
    other.show()
    follower.step()
    assert follower.send("PF_XBTUSD", "sell", 0.01).status == "placed"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("delay", TransportError),
        ("trickle", TransportError),
        ("truncate", TransportError),
        ("truncate-chunked", TransportError),
        ("truncate-unframed", UnexpectedResponse),
        ("drop-before", TransportError),
        ("reset-before", TransportError),
        ("wrong-type", UnexpectedResponse),
        ("http-502-html", UnexpectedResponse),
        ("http-429", UnavailableError),
    ],
)
def test_an_answer_is_complete_or_none(kind, error):
    with (
        PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty")) as server,
        closing(Source(server.base_url, seconds=0.5)) as source,
    ):
        server.faults.plan("*", kind, seconds=3.0 if kind in ("delay", "trickle") else 0.0)
        begun = time.monotonic()
        with pytest.raises(error):
            source.payload(f"{TRADING}/instruments")
        assert time.monotonic() - begun < 2.5


# Gaps -------------------------------------------------------------------------------------------------------------


def test_after_a_gap_orders_meet_the_prices_of_now_and_funding_its_own_rates(other, follower, sleep):
    follower.send("PF_XBTUSD", "buy", 0.1)
    follower.send("PF_XBTUSD", "buy", 0.01, "lmt", price=49_000)
    follower.send("PF_XBTUSD", "sell", 0.02, "stp", stop=49_500, trigger_signal="index")
    follower.step()
    first = NOW // HOUR * HOUR
    other.rates = {first: 0.1, first + HOUR: 0.2, first + 2 * HOUR: 0.3}
    sleep(3 * HOUR)
    other.now += 3 * HOUR
    other.funding, other.index = 7.0, 49_400.0
    other.quote(48_900, 48_902)
    follower.step(3 * HOUR)
    assert {fill[:4] for fill in fills(follower)[1:]} == {
        ("sell", 48_900.0, 0.02, "taker"),
        ("buy", 49_000.0, 0.01, "maker"),
    }
    assert {fill[4] for fill in fills(follower)[1:]} == {follower.now}
    rows = [row for row in follower.account.log if row.info == "funding rate change"]
    # Of the first hour the feed had heard a rate.
    assert [(row.date, row.funding_rate) for row in rows] == [
        (first + HOUR, 0.5),
        (first + 2 * HOUR, 0.2),
        (first + 3 * HOUR, 0.3),
    ]


def test_funding_that_nobody_knows_is_settled_at_the_rate_of_now(other, follower, caplog):
    follower.send("PF_XBTUSD", "buy", 0.1)
    del other.server.answers[f"{TRADING}/historical-funding-rates"]
    other.now += 2 * HOUR
    other.funding = 7.0
    other.show()
    del other.server.answers[f"{TRADING}/historical-funding-rates"]
    follower.step(2 * HOUR)
    rows = [row.funding_rate for row in follower.account.log if row.info == "funding rate change"]
    assert rows == [0.5, 7.0]
    assert "funding of PF_XBTUSD is settled at the rate of now" in caplog.text


def test_a_contract_that_expires_is_settled_at_the_index(other, follower):
    follower.send(other.dated, "buy", 0.1)
    follower.send(other.dated, "buy", 0.1, "lmt", price=49_000)
    while follower.now < EXPIRY + 2:
        other.now, other.index = follower.now + 9, other.index + 1
        other.show()
        follower.step(9)
    (settled,) = [row for row in follower.account.log if row.info == "settlement" and row.asset == other.dated.lower()]
    assert settled.date == EXPIRY
    assert settled.trade_price == pytest.approx(other.index, abs=3)
    assert not follower.account.positions
    assert not follower.account.orders
    assert follower.send(other.dated, "buy", 0.1).status == "marketInactive"


@pytest.mark.parametrize(("candle", "price"), [(True, 49_000.0), (False, 48_000.0)])
def test_an_expiry_that_was_missed_is_settled_at_the_candle_of_its_minute(other, follower, candle, price):
    follower.send(other.dated, "buy", 0.1)
    other.now += DAY
    other.index = 48_000.0
    other.show()
    path = f"/api/charts/v1/spot/{other.dated}/1m"
    if not candle:
        del other.server.answers[path]
    follower.step(DAY)
    (settled,) = [row for row in follower.account.log if row.info == "settlement" and row.asset == other.dated.lower()]
    assert (settled.date, settled.trade_price) == (EXPIRY, price)
    (asked,) = [seen.target for seen in other.server.seen if seen.target.startswith(path)]
    assert asked == f"{path}?from={EXPIRY - 60:.0f}&to={EXPIRY:.0f}"


def test_a_kept_account_goes_on_where_it_stopped(other, tmp_path, sleep):
    origin = Origin({"USD": 10_000}, market="live", market_url=other.url)
    other.now = time.time()
    other.expiry = other.now // HOUR * HOUR + 2 * HOUR
    other.show()
    path = create_account("mine", origin, home=tmp_path)
    clock = ManualClock(other.now)
    with closing(open_stored(path, clock)) as store:
        exchange, account = store.exchange, store.exchange.accounts["mine"]
        follower = object.__new__(Follower)
        follower.exchange, follower.account, follower.market = exchange, account, exchange.market
        clock.advance(1)
        with store.transaction():
            exchange.sync()
            follower.send("PF_XBTUSD", "buy", 0.1)
            follower.send(other.dated, "buy", 0.1)
            follower.send(other.dated, "buy", 0.1, "lmt", price=40_000)
            follower.send("PF_XBTUSD", "buy", 0.1, "lmt", price=49_000)
            assert len(account.positions) == len(account.orders) == 2
    # Meanwhile one contract has expired and the other one fallen; the perpetual is not listed any more after that.
    sleep(DAY)
    other.now += DAY
    clock.advance(DAY)
    other.quote(48_900, 48_902)
    with closing(open_stored(path, clock)) as store:
        account = store.exchange.accounts["mine"]
        assert list(account.positions) == ["PF_XBTUSD"]
        assert account.positions["PF_XBTUSD"].size == pytest.approx(0.2)
        assert not account.orders
        assert len([row for row in account.log if row.info == "funding rate change"]) == 24
    instruments = f"{TRADING}/instruments"
    other.say(instruments, result="success", instruments=[])
    clock.advance(60)
    with closing(open_stored(path, clock)) as store:
        exchange, account = store.exchange, store.exchange.accounts["mine"]
        assert exchange.state(exchange.contract("PF_XBTUSD")).reason == "PF_XBTUSD is quoted no longer"
        assert exchange.prices.mark(exchange.contract("PF_XBTUSD")) == other.index
        assert account.positions["PF_XBTUSD"].size == pytest.approx(0.2)


def test_an_account_is_not_begun_anew_where_its_exchange_cannot_be_had(other, tmp_path):
    create_account("mine", Origin({"USD": 5}, market="live", market_url=other.url), home=tmp_path)
    other.server.answers[TICKERS] = NONSENSE["down"][0]
    with pytest.raises(UnavailableError, match="Unavailable"):
        reset_account("mine", Origin(), home=tmp_path)
    other.show()
    assert [account.balances for account in list_accounts(tmp_path)] == [{("flex", "usd"): 5.0}]


def test_a_contract_that_is_listed_later_is_there_the_next_day(other, monkeypatch):
    monkeypatch.setattr(live_feed, "INSTRUMENTS_SECONDS", 0.0)
    with closing(Follower(other.url, NOW)) as follower:
        assert "PF_MOONUSD" not in follower.exchange.contracts
        for path, name in ((f"{TRADING}/instruments", "instruments"), (TICKERS, "tickers")):
            rows = json.loads(other.server.answers[path].body)[name]
            moon = rows[0] | {"symbol": "PF_MOONUSD", "base": "MOON"}
            other.say(path, result="success", serverTime=iso(NOW), **{name: [*rows, moon]})
        follower.step()
        follower.step(DAY)
        follower.step()
        assert follower.send("PF_MOONUSD", "buy", 0.01).status == "placed"


# The thread -------------------------------------------------------------------------------------------------------


def until(condition):
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_the_feed_waits_longer_after_each_error_and_goes_on(other, monkeypatch):
    monkeypatch.setattr(live_feed, "LONGEST_PAUSE", 0.2)
    with closing(LiveMarket(other.url, every=0.01)) as market:
        until(lambda: len(other.server.seen) > 5)
        other.server.answers[TICKERS] = NONSENSE["html"][0]
        begun = len(other.server.seen)
        until(lambda: "text/html" in market._feed._trouble)
        time.sleep(0.5)
        assert len(other.server.seen) - begun < 12
        with monkeypatch.context() as broken:
            broken.setattr(live_feed.live_wire, "tickers", None)
            other.show()
            until(lambda: "not callable" in market._feed._trouble)
        other.quote(51_000, 51_002)
        until(lambda: market._feed.take().tickers["PF_XBTUSD"].mark == 51_001)


def test_a_server_ends_while_the_other_exchange_keeps_a_question_waiting():
    before = set(threading.enumerate())
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty")) as other:
        follower = Follower(other.base_url, NOW)
        server = follower.served()
        follower.market.source._seconds = 1.0
        other.faults.plan("*", "delay", seconds=60.0)
        asking = threading.Thread(target=ask, args=(f"{server.base_url}{TRADES}?symbol=PF_XBTUSD",))
        asking.start()
        until(lambda: other.faults.log)
        begun = time.monotonic()
        server.close()
        assert time.monotonic() - begun < 5
        asking.join()
    assert set(threading.enumerate()) <= before


def ask(url):
    with suppress(requests.RequestException):
        requests.get(url, timeout=20)
