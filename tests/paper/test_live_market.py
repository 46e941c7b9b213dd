"""A market that follows another exchange: prices, books, orders and frames are those of the exchange it follows.

The exchange followed is a paper exchange on loopback; what it tells on the wire is the oracle.
"""

import threading
import time
from decimal import Decimal

import pytest
import requests

from kfut_analytics import Order, connect, paper, settings
from kfut_analytics.paper.clock import HOUR, ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.orders import Trailing
from kfut_analytics.paper.market.live_source import LIVE_URL
from kfut_analytics.paper.market.simulated import SimulatedMarket
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .conftest import NOW, Wire
from .following import TRADING, Follower, iso

TIMEOUT = 20


@pytest.fixture(scope="module")
def drawn():
    """The market of the exchanges that are followed: what it has drawn once serves all tests."""
    return SimulatedMarket(5)


class Followed:
    """A paper exchange that is followed, and moved by hand."""

    def __init__(self, market, now=NOW):
        exchange = Exchange(seed=5, clock=ManualClock(now), market=market)
        exchange.open_account("empty")
        self.server = PaperServer(exchange, ApiKey("empty"))
        self.exchange, self.url = exchange, self.server.base_url
        self.follower = Follower(self.url, now)
        self.session = requests.Session()

    def get(self, path, server=None):
        answer = self.session.get((server or self.server).base_url + path, timeout=TIMEOUT)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ticker(self, symbol):
        return self.get(f"{TRADING}/tickers/{symbol}")["ticker"]

    def go_on(self, seconds=1.0):
        with self.exchange.lock:
            self.exchange.advance(seconds)

    def step(self, seconds=1.0):
        self.go_on(seconds)
        self.follower.step(seconds)

    def close(self):
        self.session.close()
        self.follower.close()
        self.server.close()


@pytest.fixture
def followed(drawn):
    pair = Followed(drawn)
    yield pair
    pair.close()


# What is shown ----------------------------------------------------------------------------------------------------


def test_instruments_tickers_and_books_are_those_of_the_other_exchange(followed):
    followed.step()
    with followed.follower.served() as server:
        for path in ("instruments", "tickers", "instruments/status"):
            theirs, ours = (followed.get(f"{TRADING}/{path}", end) for end in (followed.server, server))
            assert ours == theirs
        for symbol in ("PF_XBTUSD", "PI_ETHUSD", "PF_PEPEUSD"):
            for _ in range(3):
                path = f"{TRADING}/orderbook?symbol={symbol}"
                theirs, ours = (followed.get(path, end)["orderBook"] for end in (followed.server, server))
                assert ours == theirs
                assert len(ours["bids"]) > 5
                followed.step()


PAST = [
    f"{TRADING}/history?symbol=PF_XBTUSD",
    f"{TRADING}/historical-funding-rates?symbol=PF_ETHUSD",
    "/derivatives/api/v4/historicalfundingrates?symbol=PI_XBTUSD",
    "/api/charts/v1/",
    "/api/charts/v1/mark",
    "/api/charts/v1/trade/PF_XBTUSD",
    f"/api/charts/v1/trade/PF_XBTUSD/5m?from={NOW - 7200:.0f}&to={NOW:.0f}",
    f"/api/charts/v1/spot/PF_SOLUSD/1h?from={NOW - 86400:.0f}",
    f"/api/charts/v1/analytics/PF_XBTUSD/open-interest?since={NOW - 86400:.0f}&interval=3600",
    "/api/history/v3/market/PF_XBTUSD/executions?count=5",
    "/api/history/v2/market/PF_XBTUSD/price?count=5&sort=asc",
]


def test_the_past_is_the_other_exchanges_own(followed):
    with followed.follower.served() as server:
        for path in PAST:
            theirs, ours = (
                followed.session.get(end.base_url + path, timeout=TIMEOUT) for end in (followed.server, server)
            )
            assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
            assert ours.headers.get("next-continuation-token") == theirs.headers.get("next-continuation-token")
        refused = followed.session.get(f"{server.base_url}{TRADING}/history?symbol=PF_NOSUCH", timeout=TIMEOUT)
        assert refused.status_code == 400
        followed.server.close()
        for path, words in (
            (PAST[0], "503 SERVICE_UNAVAILABLE"),
            (PAST[4], "did not answer"),
            (PAST[9], "did not answer"),
        ):
            answer = followed.session.get(server.base_url + path + "&" * path.count("?") + "new", timeout=TIMEOUT)
            assert (answer.status_code, words in answer.text) == (503, True), answer.text


# Orders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_resting_order_is_filled_when_the_other_market_comes_to_it(followed, side):
    followed.step()
    ticker = followed.ticker("PF_XBTUSD")
    sign = 1 if side == "buy" else -1
    price = ticker["bid" if side == "buy" else "ask"] - sign * 8
    account, limit = followed.follower.account, {"price": price}
    outcome = followed.follower.send("PF_XBTUSD", side, 0.01, "lmt", **limit)
    begun = followed.exchange.now
    assert (outcome.status, len(account.orders)) == ("placed", 1)
    for _ in range(400):
        followed.step(5)
        best = followed.ticker("PF_XBTUSD")["ask" if side == "buy" else "bid"]
        trades = followed.get(f"{TRADING}/history?symbol=PF_XBTUSD")["history"]
        traded = any(t["side"] != side and sign * t["price"] <= sign * price for t in trades if t["time"] > iso(begun))
        if account.fills:
            break
        assert sign * best > sign * price, "the market came to the order and it was not filled"
    assert sign * best <= sign * price or traded
    assert [(fill.price, fill.size, fill.liquidity) for fill in account.fills] == [(price, 0.01, "maker")]


def test_a_market_order_pays_what_the_other_book_shows(followed):
    followed.step()
    asks = followed.get(f"{TRADING}/orderbook?symbol=PF_ETHUSD")["orderBook"]["asks"]
    size = round(asks[0][1] + asks[1][1] / 2, 3)
    followed.follower.send("PF_ETHUSD", "buy", size)
    fills = [(fill.price, fill.size) for fill in followed.follower.account.fills]
    assert fills == [tuple(asks[0]), (asks[1][0], pytest.approx(asks[1][1] / 2, abs=1e-3))]


@pytest.mark.parametrize(("signal", "field"), [("mark", "markPrice"), ("index", "indexPrice"), ("last", "last")])
def test_a_trigger_fires_when_the_other_exchanges_price_comes_to_it(followed, signal, field):
    followed.step()
    stop = round(followed.ticker("PF_XBTUSD")[field]) + 15
    followed.follower.send("PF_XBTUSD", "buy", 0.01, "stp", stop=stop, trigger_signal=signal)
    account, highest = followed.follower.account, 0.0
    for _ in range(400):
        followed.step(5)
        trades = followed.get(f"{TRADING}/history?symbol=PF_XBTUSD")["history"] if signal == "last" else []
        recent = [t["price"] for t in trades if t["time"] > iso(followed.exchange.now - 5)]
        highest = max([followed.ticker("PF_XBTUSD")[field], *recent])
        if account.fills:
            break
        assert highest < stop, "the price came to the trigger and it did not fire"
    assert highest >= stop
    assert account.fills[0].liquidity == "taker"


def test_a_trailing_stop_follows_the_other_exchanges_price(followed):
    followed.step()
    follower, trailing = followed.follower, Trailing(Decimal(15), "QUOTE_CURRENCY")
    follower.send("PF_XBTUSD", "sell", 0.01, "trailing_stop", trailing=trailing, trigger_signal="mark")
    (order,) = follower.account.orders.values()
    seen = [followed.ticker("PF_XBTUSD")["markPrice"]]
    while not follower.account.fills and len(seen) < 600:
        assert order.order_id in follower.account.orders
        assert follower.account.orders[order.order_id].stop_price == pytest.approx(max(seen) - 15, abs=0.51)
        followed.step(5)
        seen.append(followed.ticker("PF_XBTUSD")["markPrice"])
    assert min(seen[-1], seen[-2]) <= max(seen) - 14


def test_funding_is_settled_at_the_other_exchanges_rate(followed):
    followed.step()
    for symbol, side, size in (("PF_XBTUSD", "buy", 0.02), ("PF_ETHUSD", "sell", 1)):
        followed.follower.send(symbol, side, size)
    followed.step(HOUR - followed.exchange.now % HOUR - 3)
    for _ in range(4):
        followed.step(2)
    hour = iso(NOW // HOUR * HOUR)
    rows = {row.contract: row for row in followed.follower.account.log if row.info == "funding rate change"}
    for symbol, sign, size in (("PF_XBTUSD", 1, 0.02), ("PF_ETHUSD", -1, 1)):
        rates = followed.get(f"{TRADING}/historical-funding-rates?symbol={symbol}")["rates"]
        (rate,) = [row["fundingRate"] for row in rates if row["timestamp"] == hour]
        row = rows[symbol.lower()]
        assert row.funding_rate == rate
        held = (HOUR - (NOW + 1) % HOUR) / HOUR
        assert row.realized_funding == pytest.approx(-sign * size * rate * held, abs=1e-4)


# All together -----------------------------------------------------------------------------------------------------


def test_nothing_but_public_questions_is_sent(followed, middleman):
    middleman.alter = lambda request: request.__class__(
        request.method, followed.url + request.url, request.headers, request.body
    )
    follower = Follower(middleman.url, NOW)
    with follower.served() as server:
        wire = Wire(server)
        follower.step()
        wire.send(orderType="lmt", symbol="PF_XBTUSD", side="buy", size="0.01", limitPrice="50000")
        wire.send(orderType="mkt", symbol="PF_XBTUSD", side="buy", size="0.01")
        follower.step()
        for path in PAST:
            wire.get(path.partition("?")[0], **dict(p.split("=") for p in path.partition("?")[2].split("&") if p))
        for name in ("accounts", "openpositions", "fills", "openorders"):
            wire.v3(name)
        for path in ("/api/charts/v1/analytics/../open-interest", "/api/history/v3/market/%2e%2e/executions"):
            raw = requests.Request("GET", server.base_url).prepare()
            raw.url = server.base_url + path
            assert wire.session.send(raw, timeout=TIMEOUT).status_code == 404
        wire.close()
    public = ("instruments", "tickers", "orderbook", "history?", "historical-funding-rates")
    allowed = [f"{TRADING}/{name}" for name in public]
    allowed += ["/derivatives/api/v4/historicalfundingrates", "/api/charts/v1/", "/api/history/v3/market/PF_XBTUSD/"]
    allowed += ["/api/history/v2/market/PF_XBTUSD/"]
    for request in middleman.seen:
        assert (request.method, request.body) == ("GET", b"")
        assert request.url.startswith(tuple(allowed)), request.url
        assert {name.lower() for name in request.headers} <= {"accept", "accept-encoding", "user-agent"}
    assert len(middleman.seen) > len(PAST)


def test_a_feed_in_a_thread_follows_and_ends_with_the_server(drawn):
    before = set(threading.enumerate())
    upstream = PaperServer(Exchange(seed=5, market=drawn), ApiKey("nobody"))
    with upstream, paper.start(account="empty", market="live", market_url=upstream.base_url) as server:
        deadline = time.monotonic() + TIMEOUT
        knots = 0
        while knots < 4 and time.monotonic() < deadline:
            time.sleep(0.2)
            with server.exchange.lock:
                knots = len(server.exchange.market.knots(0.0, time.time()))
        assert knots >= 4
        assert not server.exchange.market.states
    assert set(threading.enumerate()) <= before


def test_the_toolkit_on_live_prices(drawn, tmp_path):
    upstream = PaperServer(open_empty(5, market=drawn), ApiKey("empty"))
    url = upstream.base_url
    options = {"account": "mine", "market": "live", "market_url": url, "home": tmp_path}
    with upstream, connect("paper", base_url=url) as theirs:
        with connect("paper", trading=True, balance={"USD": 10_000}, **options) as client:
            assert list(client.instruments().index) == list(theirs.instruments().index)
            assert client.place(Order("PF_XBTUSD", "buy", 0.02)).status == "filled"
            theirs_candles, ours = (c.candles("PF_XBTUSD", "1h", start="-2d") for c in (theirs, client))
            assert ours.iloc[:-1].equals(theirs_candles.iloc[:-1])
            assert len(ours) > 24
        with connect("paper", **options) as client:
            assert client.positions()["size"].tolist() == [0.02]
            assert client.account_log()["info"].tolist().count("futures trade") == 2


def test_the_address_of_the_exchange_is_the_one_of_the_toolkit():
    assert LIVE_URL == settings.LIVE_URL
