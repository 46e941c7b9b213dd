"""Liquidation happens where the published formulas say, goes through the book, and leaves nobody below zero."""

from decimal import Decimal

import pytest

from kfut_analytics.paper.clock import HOUR, ManualClock
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.leverage import change_leverage
from kfut_analytics.paper.engine.liquidation import LIQUIDATION_FEE
from kfut_analytics.paper.engine.orders import OrderRequest
from kfut_analytics.paper.market.states import MarketState

from .scripted import ScriptedMarket

START = 1_795_334_400.0
BTC, ETH = 80_000.0, 3_000.0


class Stage:
    """One trader on a market that a test moves."""

    def __init__(self, depth=1e9):
        self.market = ScriptedMarket(START, depth)
        self.move("XBT", BTC, BTC)
        self.move("ETH", ETH, ETH)
        self.exchange = Exchange(clock=ManualClock(START), market=self.market)
        self.account = self.exchange.open_account("trader")

    def move(self, code, *prices, over=HOUR / 2):
        """Let a price go from one level to the next, in equal times."""
        step = over / max(len(prices) - 1, 1)
        self.market.go(code, *((number * step, price) for number, price in enumerate(prices)))

    def give(self, wallet, currency, amount):
        self.account.transfer(self.exchange.now, wallet, currency, amount)

    def send(self, symbol, side, size, kind="mkt", limit=None, **more):
        request = OrderRequest(
            symbol, side, kind, Decimal(str(size)), limit_price=None if limit is None else Decimal(str(limit)), **more
        )
        outcome = self.exchange.submit(self.account, request)
        assert outcome.status == "placed", outcome
        return outcome.order

    def run(self, seconds=HOUR - 1):
        self.exchange.advance(seconds)

    def liquidations(self):
        return [row for row in self.account.log if row.info.startswith("futures ") and row.info != "futures trade"]


@pytest.fixture
def stage():
    return Stage()


@pytest.mark.parametrize(("side", "sign"), [("buy", 1), ("sell", -1)])
def test_a_linear_position_is_liquidated_at_the_published_price(stage, side, sign):
    stage.give("flex", "usd", 8_000.0)
    stage.send("PF_XBTUSD", side, 1)
    position = stage.account.positions["PF_XBTUSD"]
    entry, equity = position.entry_price, stage.account.balances["flex", "usd"]
    rate = 0.005  # maintenance margin of the first tier, the position is below 1,000,000 USD
    expected = (entry - sign * equity) / (1 - sign * rate)
    stage.move("XBT", BTC, BTC * (1 - sign * 0.2))
    stage.run()
    first = stage.liquidations()[0]
    assert first.info == "futures partial liquidation"
    assert first.mark_price == pytest.approx(expected, abs=1)
    assert stage.account.fills[1].liquidity == "partialLiquidation"


@pytest.mark.parametrize(("side", "sign"), [("buy", 1), ("sell", -1)])
def test_an_inverse_position_is_liquidated_whole_at_the_published_price(stage, side, sign):
    stage.give("fi_xbtusd", "xbt", 0.1)
    stage.send("PI_XBTUSD", side, 40_000)
    entry = stage.account.positions["PI_XBTUSD"].entry_price
    coins = stage.account.balances["fi_xbtusd", "xbt"]
    # W + s·Q·(1/entry − 1/P) = Q·mm/P, api-facts 6.9
    expected = 40_000 * (0.01 + sign) / (coins + sign * 40_000 / entry)
    triggers = stage.exchange.single(stage.account, "fi_xbtusd").triggers
    assert triggers["mm"] == pytest.approx(expected, rel=1e-6)
    stage.move("XBT", BTC, BTC * (1 - sign * 0.4))
    stage.run()
    position_leg, cash_leg = stage.liquidations()
    assert position_leg.mark_price == pytest.approx(expected, rel=1e-6)
    assert (position_leg.info, position_leg.new_balance, cash_leg.liquidation_fee) == ("futures liquidation", 0.0, None)
    assert not stage.account.positions
    assert 0 < stage.account.balances["fi_xbtusd", "xbt"] < coins


def test_the_published_example_of_an_inverse_position(stage):
    # api-facts 6.9: long 1,000 at 8,000 with 0.01 BTC and 1 % maintenance margin prints 7,481 (7,481.48).
    stage.move("XBT", 8_000, 8_000)
    stage.give("fi_xbtusd", "xbt", 0.01)
    stage.send("PI_XBTUSD", "buy", 1000, "lmt", 8000.5)
    position = stage.account.positions["PI_XBTUSD"]
    position.entry_price, stage.account.balances["fi_xbtusd", "xbt"] = 8_000.0, 0.01
    assert stage.exchange.single(stage.account, "fi_xbtusd").triggers["mm"] == pytest.approx(7481.48, abs=0.01)


def test_parts_are_closed_until_the_rest_is_covered(stage):
    stage.give("flex", "usd", 8_000.0)
    stage.send("PF_XBTUSD", "buy", 1)
    # Down to the liquidation price and not much further.
    stage.move("XBT", BTC, 72_300)
    stage.run()
    legs = [row for row in stage.liquidations() if row.asset == row.contract]
    assert 1 <= len(legs) <= 3
    for row in legs:
        assert row.old_balance - row.new_balance == pytest.approx(0.25 * row.old_balance, abs=1e-4)
    assert 0 < stage.account.position_size(stage.exchange.contract("PF_XBTUSD")) < 1
    flex = stage.exchange.flex(stage.account)
    assert flex.margin_equity > flex.required.maintenance
    for row in stage.liquidations():
        if row.asset == "usd":
            leg = next(other for other in legs if other.execution == row.execution)
            traded = (leg.old_balance - leg.new_balance) * row.trade_price
            assert row.liquidation_fee == pytest.approx(traded * LIQUIDATION_FEE, abs=1e-4)
            change = row.realized_pnl - row.fee + row.realized_funding - row.liquidation_fee
            assert row.new_balance - row.old_balance == pytest.approx(change, abs=1e-4)


def test_what_the_book_does_not_take_is_assigned_at_the_bankruptcy_price():
    stage = Stage(depth=2_000.0)
    stage.give("flex", "usd", 8_000.0)
    for _ in range(40):
        stage.send("PF_XBTUSD", "buy", 0.025, "lmt", BTC + 1)
        stage.exchange.advance(40)
    size = stage.account.position_size(stage.exchange.contract("PF_XBTUSD"))
    assert size == pytest.approx(1)
    begin = stage.exchange.now - START
    # A gap through the bankruptcy price.
    stage.market.go("XBT", (0, BTC), (begin, BTC), (begin + 1, 70_000), (begin + 60, 70_000))
    # The exchange has looked a day ahead, and this market has changed its future.
    stage.exchange.safe.clear()
    stage.run(60)
    infos = {row.info for row in stage.liquidations()}
    assert "futures assignor" in infos
    flex = stage.exchange.flex(stage.account)
    assert flex.margin_equity >= flex.required.maintenance
    taken_over = [row for row in stage.exchange.participants.log if row.info == "futures assignee"]
    assert taken_over
    assert {trade.kind for trade in stage.exchange.tape["PF_XBTUSD"]} >= {"assignment"}


def test_a_portfolio_is_liquidated_where_its_equity_meets_its_margin(stage):
    stage.give("flex", "usd", 6_000.0)
    stage.give("flex", "xbt", 0.05)
    stage.send("PF_XBTUSD", "buy", 0.5)
    stage.send("PF_ETHUSD", "buy", 10)
    usd = stage.account.balances["flex", "usd"]
    entry_btc = stage.account.positions["PF_XBTUSD"].entry_price
    entry_eth = stage.account.positions["PF_ETHUSD"].entry_price

    def room(shock):
        btc, eth = BTC * (1 - shock), ETH * (1 - shock)
        equity = usd + 0.05 * btc * 0.98 + 0.5 * (btc - entry_btc) + 10 * (eth - entry_eth)
        return equity - 0.005 * (0.5 * btc + 10 * eth)

    low, high = 0.0, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if room(middle) > 0 else (low, middle)
    stage.move("XBT", BTC, BTC / 2)
    stage.move("ETH", ETH, ETH / 2)
    stage.run()
    first = stage.liquidations()[0]
    price = BTC if first.contract == "pf_xbtusd" else ETH
    assert first.mark_price == pytest.approx(price * (1 - low), rel=1e-4)
    assert not stage.account.positions or stage.exchange.flex(stage.account).margin_equity > 0


def test_an_isolated_position_falls_alone(stage):
    stage.give("flex", "usd", 50_000.0)
    change_leverage(stage.exchange, stage.account, stage.exchange.contract("PF_XBTUSD"), 10.0)
    stage.send("PF_XBTUSD", "buy", 1)
    stage.send("PF_ETHUSD", "buy", 1)
    stage.move("XBT", BTC, BTC * 0.85)
    stage.run()
    legs = stage.liquidations()
    # 10 % of the value is its margin, 0.5 % the maintenance margin: P = (entry − entry/10) / (1 − 0.005)
    assert legs[0].mark_price == pytest.approx((BTC + 1) * 0.9 / 0.995, abs=2)
    assert set(stage.account.positions) == {"PF_ETHUSD"}
    assert stage.account.balances["flex", "usd"] > 50_000 - 8_000 - 600


def test_orders_that_add_risk_are_withdrawn_before_anything_is_liquidated(stage):
    stage.give("flex", "usd", 2_000.0)
    stage.send("PF_XBTUSD", "buy", 1)
    adds = stage.send("PF_XBTUSD", "buy", 0.001, "lmt", 70_000)
    reduces = stage.send("PF_XBTUSD", "sell", 0.5, "lmt", 90_000, reduce_only=True)
    # Equity falls below the initial margin of 1 % and stays above the maintenance margin of 0.5 %.
    stage.move("XBT", BTC, BTC - 1_300)
    stage.run()
    assert adds.order_id not in stage.account.orders
    assert reduces.order_id in stage.account.orders
    assert not stage.liquidations()
    [cancelled] = [record for record in stage.account.journal if record.change == "cancelled"]
    assert cancelled.reason == "not_enough_margin"


def test_collateral_pays_what_is_owed_once_everything_is_closed(stage):
    stage.give("flex", "xbt", 0.1)
    stage.send("PF_XBTUSD", "buy", 1)
    stage.move("XBT", BTC, BTC * 0.9)
    stage.run()
    sold = [row for row in stage.account.log if row.info == "covered liquidation"]
    assert [row.asset for row in sold] == ["xbt", "usd"]
    assert not stage.account.positions
    assert stage.account.balances["flex", "usd"] == pytest.approx(0, abs=0.01)
    assert 0 <= stage.account.balances["flex", "xbt"] < 0.1


def test_nobody_is_liquidated_while_the_market_is_suspended(stage):
    stage.give("flex", "usd", 8_000.0)
    stage.send("PF_XBTUSD", "buy", 1)
    stage.exchange.states["PF_XBTUSD"] = MarketState(suspended=True)
    stage.move("XBT", BTC, BTC * 0.8)
    stage.run(HOUR / 2)
    assert not stage.liquidations()
    del stage.exchange.states["PF_XBTUSD"]
    stage.run(1)
    assert stage.liquidations()
    assert stage.exchange.flex(stage.account).margin_equity >= 0


def test_nobody_is_liquidated_while_the_equity_is_above_the_maintenance_margin(stage):
    stage.give("flex", "usd", 8_000.0)
    stage.send("PF_XBTUSD", "buy", 1)
    stage.move("XBT", BTC, 72_450, BTC)
    stage.run()
    assert not stage.liquidations()
    assert stage.account.position_size(stage.exchange.contract("PF_XBTUSD")) == 1
