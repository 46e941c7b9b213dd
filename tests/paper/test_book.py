"""Price-time priority: who is served first, between accounts and the simulated participants."""

from decimal import Decimal

import pytest

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.engine.book import Book, Priorities
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.orders import EditRequest, OrderRequest
from kfut_analytics.paper.market.protocol import Quotes

from .scripted import ScriptedMarket

START = 1_795_334_400.0
SYMBOL = "PF_XBTUSD"


@pytest.fixture
def market():
    market = ScriptedMarket(START, depth=80_000.0)
    market.go("XBT", (0, 80_000))
    return market


@pytest.fixture
def exchange(market):
    exchange = Exchange(clock=ManualClock(START), market=market)
    for name in ("first", "second", "third"):
        exchange.open_account(name).transfer(START, "flex", "usd", 100_000.0)
    return exchange


@pytest.fixture
def send(exchange):
    def send(name, side, size, price, kind="lmt", **more):
        request = OrderRequest(SYMBOL, side, kind, Decimal(str(size)), limit_price=Decimal(str(price)), **more)
        outcome = exchange.submit(exchange.accounts[name], request)
        assert outcome.status == "placed", outcome
        return outcome.order

    return send


def traded(exchange):
    return [
        (name, fill.size, fill.price, fill.liquidity)
        for name, account in exchange.accounts.items()
        for fill in account.fills
    ]


def test_the_better_price_is_served_first_then_the_earlier_order(exchange, send):
    # Inside the spread of the participants, 79,999 to 80,001, there is one price.
    send("first", "sell", 0.1, 80_000)
    send("second", "sell", 0.1, 80_000)
    send("third", "buy", 0.15, 80_000)
    assert traded(exchange) == [
        ("first", 0.1, 80_000.0, "maker"),
        ("second", 0.05, 80_000.0, "maker"),
        ("third", 0.1, 80_000.0, "taker"),
        ("third", 0.05, 80_000.0, "taker"),
    ]
    assert exchange.participants.positions == {}


def test_at_the_participants_price_whoever_came_first_is_served_first(exchange, send):
    book = exchange.book(exchange.contract(SYMBOL))
    assert book.asks[0] == (80_001.0, 1.0)
    send("first", "sell", 0.2, 80_001)
    assert book.asks[0] == (80_001.0, 1.2)
    send("second", "buy", 1.1, 80_001)
    assert traded(exchange)[0] == ("first", 0.1, 80_001.0, "maker")
    assert exchange.participants.positions[SYMBOL].size == -1.0


def test_a_participant_keeps_its_place_while_it_goes_on_quoting_a_price(exchange, send):
    exchange.book(exchange.contract(SYMBOL))
    send("first", "sell", 0.2, 80_001)
    exchange.advance(30)
    send("second", "buy", 0.5, 80_001)
    assert traded(exchange) == [("second", 0.5, 80_001.0, "taker")]


def test_a_smaller_size_keeps_the_place_and_a_larger_one_or_another_price_loses_it(exchange, send):
    orders = {name: send(name, "sell", 0.2, 80_000) for name in ("first", "second")}
    exchange.edit(exchange.accounts["first"], EditRequest(orders["first"].order_id, size=Decimal("0.1")))
    send("third", "buy", 0.05, 80_000)
    assert traded(exchange)[0][0] == "first"
    exchange.edit(exchange.accounts["first"], EditRequest(orders["first"].order_id, size=Decimal("0.3")))
    send("third", "buy", 0.05, 80_000)
    assert [row[0] for row in traded(exchange) if row[3] == "maker"] == ["first", "second"]


def test_what_is_taken_comes_back_little_by_little(exchange, send):
    contract = exchange.contract(SYMBOL)
    send("first", "buy", 0.8, 80_001, "ioc")
    sizes = []
    for _ in range(4):
        sizes.append(dict(exchange.book(contract).asks)[80_001.0])
        exchange.advance(4)
    assert sizes[0] == pytest.approx(0.2)
    assert sizes == sorted(sizes)
    assert 0.3 < sizes[1] < 0.6
    exchange.advance(120)
    assert exchange.book(contract).asks[0] == (80_001.0, 1.0)


def test_a_participants_order_fills_those_in_its_way_by_turn(exchange, send, market):
    send("first", "buy", 0.1, 80_000)
    send("second", "buy", 0.1, 80_000)
    market.trade(SYMBOL, 5, 80_000, 0.15, buys=False)
    exchange.advance(10)
    assert traded(exchange) == [("first", 0.1, 80_000.0, "maker"), ("second", 0.05, 80_000.0, "maker")]
    assert {fill.time for account in exchange.accounts.values() for fill in account.fills} == {START + 5}


def test_behind_the_participants_one_waits_for_a_trade_that_is_large_enough(exchange, send, market):
    exchange.book(exchange.contract(SYMBOL))
    send("first", "buy", 0.1, 79_999)
    market.trade(SYMBOL, 5, 79_999, 0.4, buys=False)
    exchange.advance(10)
    assert traded(exchange) == []
    market.trade(SYMBOL, 15, 79_999, 1.05, buys=False)
    exchange.advance(10)
    [(name, size, price, liquidity)] = traded(exchange)
    assert (name, price, liquidity) == ("first", 79_999.0, "maker")
    assert 0 < size <= 0.1


def test_a_reduce_only_order_goes_when_there_is_nothing_left_to_reduce(exchange, send):
    send("first", "buy", 0.1, 80_001, "ioc")
    resting = send("first", "sell", 0.1, 80_500, reduce_only=True)
    send("first", "sell", 0.1, 79_999, "ioc")
    assert resting.order_id not in exchange.accounts["first"].orders
    assert exchange.book(exchange.contract(SYMBOL)).best("buy") == 80_001.0


def test_reduce_only_orders_together_reduce_no_more_than_there_is(exchange, send):
    send("first", "buy", 0.1, 80_001, "ioc")
    # Inside the spread of the participants, so that nobody else is there.
    for _ in range(2):
        send("first", "sell", 0.1, 80_000, reduce_only=True)
    request = OrderRequest(SYMBOL, "buy", "fok", Decimal("0.15"), limit_price=Decimal(80_000))
    assert exchange.submit(exchange.accounts["second"], request).status == "iocWouldNotExecute"
    assert exchange.accounts["second"].fills == []
    send("second", "buy", 0.15, 80_000, "ioc")
    assert exchange.accounts["second"].positions[SYMBOL].size == 0.1
    assert not exchange.accounts["first"].positions
    assert not exchange.accounts["first"].orders


def test_a_book_without_anybody_has_no_price():
    book = Book(4, Priorities())
    assert (book.best("buy"), book.best("sell"), book.bids, book.asks) == (None, None, [], [])
    offered = book.offered(Quotes([(10.0, 1.0)], [(11.0, 2.0)]), 0.0)
    for side, levels in offered.items():
        book.quote(side, levels, {})
    assert (book.bids, book.asks) == ([(10.0, 1.0)], [(11.0, 2.0)])
