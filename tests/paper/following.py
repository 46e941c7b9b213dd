"""Exchanges to follow, and one that follows them step by step."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.engine.orders import OrderRequest
from kfut_analytics.paper.market.live import LiveMarket
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey
from tests.replay import Answer, ReplayServer

TRADING = "/derivatives/api/v3"


class Follower:
    """An exchange with 10,000 USD in its account that follows another one, asked by hand."""

    def __init__(self, url: str, now: float, **options: float) -> None:
        self.market = LiveMarket(url, every=None, **options)
        self.exchange = open_empty(0, ManualClock(now), self.market)
        self.account = self.exchange.accounts["empty"]

    @property
    def now(self) -> float:
        return self.exchange.now

    def go_on(self, seconds: float = 1.0) -> None:
        """Time passes, and nobody has asked the other exchange again."""
        with self.exchange.lock:
            self.exchange.advance(seconds)

    def step(self, seconds: float = 1.0) -> None:
        """Ask the other exchange, then let time pass."""
        self.market.poll()
        self.go_on(seconds)

    def send(self, symbol: str, side: str, size: object, kind: str = "mkt", *, price=None, stop=None, **more):
        """Send an order."""
        prices = {"limit_price": price, "stop_price": stop}
        given = {name: Decimal(str(value)) for name, value in prices.items() if value is not None}
        with self.exchange.lock:
            request = OrderRequest(symbol, side, kind, Decimal(str(size)), **given, **more)
            return self.exchange.submit(self.account, request)

    def served(self) -> PaperServer:
        """It on the wire; closing that closes the market, too."""
        return PaperServer(self.exchange, ApiKey("empty"))

    def close(self) -> None:
        self.market.close()


def iso(time: float) -> str:
    """A time as the exchange writes it."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Scripted:
    """An exchange with one perpetual and one dated contract on bitcoin, whose prices a test writes.

    Attributes
    ----------
    mark, bid, ask, depth
        Mark price and best quotes of both contracts, and the size of each; the book has two levels a side.
    trades
        Public trades of the perpetual, oldest first, as (time, price, size, side).
    rates
        Funding rates by the start of their hour.
    spot
        Close of the index's one candle.
    """

    def __init__(self, now: float, expiry: float) -> None:
        self.now, self.expiry = now, expiry
        self.mark, self.bid, self.ask, self.depth = 50_000.0, 49_999.0, 50_001.0, 1.0
        self.index = 50_010.0
        self.funding = 0.5
        self.trades: list[tuple[float, float, float, str]] = []
        self.rates: dict[float, float] = {}
        self.spot = 49_000.0
        self.flags: dict[str, object] = {}
        self.server = ReplayServer({})
        self.dated = f"FF_XBTUSD_{datetime.fromtimestamp(expiry, UTC):%y%m%d}"
        self.show()

    @property
    def url(self) -> str:
        return self.server.url

    def close(self) -> None:
        self.server.close()

    def quote(self, bid: float, ask: float) -> None:
        """Move the quotes, and the mark price with them."""
        self.bid, self.ask, self.mark = bid, ask, (bid + ask) / 2
        self.show()

    def trade(self, price: float, size: float, side: str) -> None:
        """Somebody trades, a millisecond later."""
        self.now = round(self.now + 0.001, 3)
        self.trades.append((self.now, price, size, side))
        self.show()

    def say(self, path: str, **payload: object) -> None:
        """Answer a path from now on."""
        self.server.answers[path] = Answer(json.dumps(payload).encode())

    def show(self) -> None:
        """Tell what the attributes say."""
        success = {"result": "success", "serverTime": iso(self.now)}
        levels = [{"numNonContractUnits": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01}]
        common = {
            "type": "flexible_futures",
            "tickSize": 1,
            "contractSize": 1,
            "tradeable": True,
            "marginLevels": levels,
        }
        common |= {"contractValueTradePrecision": 4, "base": "BTC", "quote": "USD"}
        instruments = [{"symbol": "PF_XBTUSD"} | common]
        tickers = [{"symbol": "PF_XBTUSD", "fundingRate": self.funding} | self._prices()]
        if self.now < self.expiry:
            instruments.append({"symbol": self.dated, "lastTradingTime": iso(self.expiry)} | common)
            tickers.append({"symbol": self.dated} | self._prices())
        tickers += [{"symbol": f"in_{coin}usd", "last": 1.0} for coin in ("eth", "sol", "xrp")]
        tickers.append({"symbol": "in_xbtusd", "last": self.index})
        bids = [[self.bid - 5, 7.0], [self.bid, self.depth]]
        asks = [[self.ask + 5, 7.0], [self.ask, self.depth]]
        trades = [
            {"uid": str(number), "time": iso(when), "price": price, "size": size, "side": side}
            for number, (when, price, size, side) in enumerate(self.trades)
        ]
        rates = [{"timestamp": iso(hour), "fundingRate": rate} for hour, rate in self.rates.items()]
        self.say(f"{TRADING}/instruments", instruments=instruments, **success)
        self.say(f"{TRADING}/instruments/status", instrumentStatus=[], **success)
        self.say(f"{TRADING}/tickers", tickers=tickers, **success)
        self.say(f"{TRADING}/orderbook", orderBook={"bids": bids, "asks": asks}, **success)
        self.say(f"{TRADING}/history", history=trades[::-1], **success)
        self.say(f"{TRADING}/historical-funding-rates", rates=rates, **success)
        self.say(f"/api/charts/v1/spot/{self.dated}/1m", candles=[{"time": 0, "close": str(self.spot)}])

    def _prices(self) -> dict[str, object]:
        return {
            "markPrice": self.mark,
            "indexPrice": self.index,
            "bid": self.bid,
            "bidSize": self.depth,
            "ask": self.ask,
            "askSize": self.depth,
            "last": self.trades[-1][1] if self.trades else self.mark,
            "lastTime": iso(self.trades[-1][0] if self.trades else self.now),
            "lastSize": 1.0,
            "vol24h": 10.0,
            "volumeQuote": 500_000.0,
            "openInterest": 99.0,
            "suspended": False,
            "postOnly": False,
        } | self.flags
