"""What accounts trade is part of a market's public history: trades, executions, candles and ticker tell the same."""

from decimal import Decimal

import numpy as np
import pytest

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.engine.orders import OrderRequest
from kfut_analytics.paper.wire import public
from kfut_analytics.paper.wire.history import Window, public_trades

from .conftest import NOW

SYMBOL = "PF_XBTUSD"


@pytest.fixture
def exchange():
    """Some own trades over ten minutes, several within one millisecond."""
    exchange = open_empty(2, ManualClock(NOW))
    account = exchange.accounts["empty"]
    account.transfer(exchange.now, "flex", "usd", 1e6)
    top = exchange.book(exchange.contract(SYMBOL)).asks[0][1]
    for size in (str(top), "0.01", "0.02"):
        for side in ("buy", "sell"):
            request = OrderRequest(SYMBOL, side, "mkt", Decimal(size) + Decimal("0.5"))
            assert exchange.submit(account, request).status == "placed"
            exchange.advance(100)
    return exchange


def everything(exchange):
    contract = exchange.contract(SYMBOL)
    return public.trades(exchange, contract, NOW - 600, exchange.now + 1e-3, 10_000)


def test_own_trades_stand_among_the_others_at_their_time(exchange):
    table = everything(exchange)
    own = {trade.uid: trade for trade in exchange.tape[SYMBOL]}
    assert own.keys() < set(table.uid)
    assert len(set(table.uid)) == len(table.uid)
    assert (np.diff(table.number) > 0).all()
    assert (np.diff(table.time) >= -0.0005).all()
    for uid, time, price, size, buys in zip(table.uid, table.time, table.price, table.size, table.buy, strict=True):
        if uid in own:
            trade = own[uid]
            assert (time, price, size, buys) == (trade.time, trade.price, trade.size, trade.taker_buys)


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_hold_every_trade_once(exchange, newest_first):
    contract, found, resume = exchange.contract(SYMBOL), [], None
    since = round((NOW - 600) * 1000)
    while True:
        page = public_trades(exchange, contract, Window(since, None, newest_first, 7, resume))
        found += [event.what.uid for event in page.events]
        if page.token is None:
            break
        resume = page.events[-1].position
    expected = everything(exchange).uid
    assert found == (expected[::-1] if newest_first else expected)


@pytest.mark.parametrize("seconds", [60, 300, 3600])
def test_candles_are_made_of_these_trades(exchange, seconds):
    contract = exchange.contract(SYMBOL)
    candles = public.candles(exchange, "trade", contract, seconds, NOW - 600)
    start = float(candles.time[0])
    table = public.trades(exchange, contract, start, exchange.now + 1e-3, 100_000)
    places = ((table.time - start) // seconds).astype(int)
    for place, (volume, high, low, close) in enumerate(
        zip(candles.volume, candles.high, candles.low, candles.close, strict=True)
    ):
        inside = places == place
        assert volume == pytest.approx(table.size[inside].sum())
        if inside.any():
            assert high >= table.price[inside].max()
            assert low <= table.price[inside].min()
            assert close == table.price[inside][-1]


def test_a_candle_opens_where_the_one_before_closed(exchange):
    # Seldom traded, so that minutes without any trade follow one's own.
    contract = exchange.contract("PF_UNIUSD")
    for side in ("buy", "sell") * 4:
        request = OrderRequest(contract.symbol, side, "mkt", 40 * contract.step)
        assert exchange.submit(exchange.accounts["empty"], request).status == "placed"
        exchange.advance(700)
    candles = public.candles(exchange, "trade", contract, 60, NOW)
    assert (candles.volume == 0).sum() > 10
    np.testing.assert_array_equal(candles.open[1:], candles.close[:-1])
    quiet = candles.volume == 0
    np.testing.assert_array_equal(candles.high[quiet], candles.low[quiet])


def test_the_last_price_is_that_of_the_last_trade(exchange):
    account = exchange.accounts["empty"]
    assert exchange.submit(account, OrderRequest(SYMBOL, "buy", "mkt", Decimal("0.01"))).status == "placed"
    assert exchange.last(exchange.contract(SYMBOL)) == exchange.tape[SYMBOL][-1].price == everything(exchange).price[-1]
