"""An account on the paper exchange, behind its own server, on a market that a test moves."""

from __future__ import annotations

from decimal import Decimal

import kfut_analytics as kfut
from kfut_analytics.paper.clock import HOUR, ManualClock
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.leverage import change_leverage
from kfut_analytics.paper.engine.orders import OrderRequest
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey
from tests.paper.scripted import ScriptedMarket

START = 1_795_334_400.0
PRICES = {"XBT": 80_000.0, "ETH": 3_000.0, "SOL": 150.0}


class Stage:
    """One trader; ``margin()`` takes the picture through a real client."""

    def __init__(self, market=None, start=START, depth=1e11):
        self.market = market or ScriptedMarket(start, depth)
        self.exchange = Exchange(clock=ManualClock(start), market=self.market)
        self.account = self.exchange.open_account("trader")
        self.server = PaperServer(self.exchange, ApiKey("trader"))
        keys = {"api_key": self.server.api_key, "api_secret": self.server.api_secret}
        self.client = kfut.connect("paper", trading=True, base_url=self.server.base_url, **keys)
        if market is None:
            for code, price in PRICES.items():
                self.market.go(code, (0, price))

    def close(self):
        self.client.close()
        self.server.close()

    def margin(self, **options):
        return kfut.margin(self.client, **options)

    def give(self, wallet, currency, amount):
        self.account.transfer(self.exchange.now, wallet, currency, amount)

    def isolate(self, symbol, leverage):
        change_leverage(self.exchange, self.account, self.exchange.contract(symbol), leverage)

    def trade(self, symbol, size, kind="mkt", limit=None, **more):
        """Send an order for a signed size."""
        request = OrderRequest(
            symbol, "buy" if size > 0 else "sell", kind, Decimal(str(abs(size))),
            limit_price=None if limit is None else Decimal(str(limit)), **more,
        )  # fmt: skip
        outcome = self.exchange.submit(self.account, request)
        assert outcome.status == "placed", outcome.status
        return outcome.order

    def price(self, code):
        return self.market.points[code][1][-1]

    def move(self, over=HOUR / 4, **prices):
        """Let prices go to others on straight lines, and time with them."""
        now = self.exchange.now - self.market.start
        for code in self.market.points:
            here = self.price(code)
            self.market.go(code, (0, here), (now, here), (now + over, prices.get(code, here)))
        self.exchange.safe.clear()  # the exchange has looked a day ahead, and this market has changed its future
        self.exchange.advance(over)

    def liquidated(self):
        """Contract and mark price of each liquidation so far."""
        return [
            (row.contract.upper(), row.mark_price)
            for row in self.account.log
            if row.info.startswith("futures ") and row.info != "futures trade" and row.asset == row.contract
        ]
