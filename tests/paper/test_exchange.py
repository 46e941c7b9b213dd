"""The engine: orders meet the market, positions and margins follow, nothing is half done."""

from decimal import Decimal

import pytest

from kfut_analytics.paper.clock import HOUR, ManualClock
from kfut_analytics.paper.engine.exchange import Exchange, UnknownSymbolError
from kfut_analytics.paper.engine.orders import Cancelled, Edited, EditRequest, Executed, OrderRequest, Placed, Rejected

from .conftest import NOW


def order(symbol, side, size, kind="mkt", limit=None, **more):
    price = None if limit is None else Decimal(str(limit))
    return OrderRequest(symbol, side, kind, Decimal(str(size)), limit_price=price, **more)


@pytest.fixture
def account(exchange):
    return exchange.accounts["empty"]


@pytest.fixture
def send(exchange, account):
    return lambda *args, **more: exchange.submit(account, order(*args, **more))


def state(account):
    return (dict(account.balances), dict(account.positions), dict(account.orders), len(account.log), len(account.fills))


def test_a_market_order_trades_at_the_ask_and_pays_the_taker_fee(exchange, account, send):
    ask, size = exchange.book(exchange.contract("PF_XBTUSD")).asks[0]
    outcome = send("PF_XBTUSD", "buy", 0.01)
    [executed] = outcome.events
    assert (outcome.status, executed.price, executed.size) == ("placed", ask, 0.01)
    assert account.balances["flex", "usd"] == round(10_000 - 0.01 * ask * 0.0005, 4)
    assert account.positions["PF_XBTUSD"].entry_price == ask
    assert exchange.book(exchange.contract("PF_XBTUSD")).asks[0] == (ask, round(size - 0.01, 10))


def test_a_large_order_walks_the_ladder(exchange, account, send):
    levels = exchange.book(exchange.contract("PF_ETHUSD")).asks
    first, second = levels[0][1], levels[1][1]
    outcome = send("PF_ETHUSD", "buy", round(first + second / 2, 3))
    assert [type(event) for event in outcome.events] == [Executed, Executed]
    before = [event.order.filled for event in outcome.events]
    assert before == [0, first]
    assert len({fill.fill_id for fill in account.fills}) == 2


def test_the_rest_of_a_limit_order_rests_and_of_an_ioc_does_not(exchange, account, send):
    ask, size = exchange.book(exchange.contract("PF_ETHUSD")).asks[0]
    outcome = send("PF_ETHUSD", "buy", round(size + 1, 3), "lmt", ask)
    assert [type(event) for event in outcome.events] == [Executed, Placed]
    assert outcome.order.remaining == 1
    exchange.cancel_all(account)
    exchange.advance(1)
    ask, size = exchange.book(exchange.contract("PF_ETHUSD")).asks[0]
    outcome = send("PF_ETHUSD", "buy", round(size + 1, 3), "ioc", ask)
    assert [type(event) for event in outcome.events] == [Executed]
    assert not account.orders


def test_a_resting_order_fills_as_maker_when_the_market_comes(exchange, account, send):
    contract = exchange.contract("PF_XBTUSD")
    bid = exchange.book(contract).bids[0][0]
    outcome = send("PF_XBTUSD", "buy", 0.01, "post", bid - 20)
    while account.orders:
        exchange.advance(60)
    [fill] = account.fills
    assert (fill.price, fill.liquidity, fill.order_id) == (bid - 20, "maker", outcome.order.order_id)
    assert NOW < fill.time <= exchange.now
    # Either a quote came down to it or somebody sold at its price or below.
    quoted = exchange.market.quotes(contract, fill.time).asks[0][0] <= bid - 20
    sold = exchange.market.flow(contract, fill.time - 0.001, fill.time)
    assert quoted or ((sold.price <= bid - 20) & ~sold.buy).any()
    cash_leg = next(row for row in account.log if row.execution == fill.fill_id and row.asset == "usd")
    assert cash_leg.fee == round(0.01 * (bid - 20) * 0.0002, 4)


def test_time_in_one_step_or_many_gives_the_same(account):
    def run(step):
        exchange = Exchange(seed=5, clock=ManualClock(NOW))
        trader = exchange.open_account("a")
        trader.transfer(exchange.now, "flex", "usd", 50_000.0)
        exchange.submit(trader, order("PF_XBTUSD", "buy", 0.1))
        mark = exchange.market.mark(exchange.contract("PF_XBTUSD"), NOW)
        exchange.submit(trader, order("PF_XBTUSD", "sell", 0.05, "lmt", round(mark * 1.002)))
        exchange.submit(trader, order("PF_XBTUSD", "buy", 0.05, "lmt", round(mark * 0.998)))
        for _ in range(round(5 * HOUR / step)):
            exchange.advance(step)
        return trader.log, trader.positions

    assert run(5 * HOUR) == run(HOUR / 4) == run(20.0)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (order("PF_XBTUSD", "buy", "0.01", "lmt", "50000.5"), "invalidPrice"),
        (order("PF_XBTUSD", "buy", "0.01", "lmt", "-1"), "invalidPrice"),
        (order("PF_XBTUSD", "buy", "0.00001"), "invalidSize"),
        (order("PF_XBTUSD", "buy", "0"), "invalidSize"),
        (order("PF_XBTUSD", "buy", "1e40"), "invalidSize"),
        (order("PI_XBTUSD", "buy", "1.5"), "invalidSize"),
        (order("PF_XBTUSD", "buy", "100"), "insufficientAvailableFunds"),
        (order("PI_XBTUSD", "buy", "100"), "insufficientAvailableFunds"),
        (order("PF_XBTUSD", "buy", "2000", "lmt", "1"), "maxPositionViolation"),
        (order("PF_XBTUSD", "buy", "0.01", "post", "95000"), "postWouldExecute"),
        (order("PF_XBTUSD", "buy", "0.01", "ioc", "50000"), "iocWouldNotExecute"),
        (order("PF_XBTUSD", "buy", "1000", "fok", "90000"), "iocWouldNotExecute"),
        (order("PF_XBTUSD", "buy", "0.01", "lmt", "150000"), "outsidePriceCollar"),
        (order("PF_XBTUSD", "sell", "0.01", reduce_only=True), "wouldNotReducePosition"),
        (order("PF_XBTUSD", "buy", "0.01", cli_ord_id="x" * 101), "clientOrderIdTooBig"),
        (order("PF_XBTUSD", "buy", "0.01", process_before=NOW - 1), "wouldProcessAfterSpecifiedTime"),
    ],
)
def test_a_refused_order_changes_nothing(exchange, account, request_, status):
    before = state(account)
    outcome = exchange.submit(account, request_)
    assert outcome.status == status
    assert state(account) == before
    assert not any(isinstance(event, Placed | Executed) for event in outcome.events)
    if status.endswith("Execute"):
        assert isinstance(outcome.events[0], Rejected)


def test_unknown_symbols_raise(exchange, account):
    with pytest.raises(UnknownSymbolError):
        exchange.submit(account, order("PF_NOPEUSD", "buy", 1))


def test_a_client_id_is_used_once_even_after_the_fill(exchange, send):
    assert send("PF_XBTUSD", "buy", 0.01, cli_ord_id="one").status == "placed"
    assert send("PF_XBTUSD", "buy", 0.01, cli_ord_id="one").status == "clientOrderIdAlreadyExist"


def test_an_order_does_not_meet_its_owner(exchange, send):
    contract = exchange.contract("PF_XBTUSD")
    bid, ask = exchange.book(contract).bids[0][0], exchange.book(contract).asks[0][0]
    between = bid + 2
    assert bid < between < ask
    assert send("PF_XBTUSD", "sell", 0.01, "lmt", between).status == "placed"
    assert send("PF_XBTUSD", "buy", 0.01, "lmt", between).status == "selfFill"


def test_reduce_only_is_cut_to_the_position(exchange, account, send):
    send("PF_XBTUSD", "buy", 0.01)
    outcome = send("PF_XBTUSD", "sell", 0.5, reduce_only=True)
    assert sum(event.size for event in outcome.events) == 0.01
    assert not account.positions


def test_stops_and_targets_fire_once_at_their_price(exchange, account, send):
    send("PF_XBTUSD", "buy", 0.05)
    mark = exchange.market.mark(exchange.contract("PF_XBTUSD"), exchange.now)
    stop, target = Decimal(round(mark * 0.995)), Decimal(round(mark * 1.005))
    common = {"trigger_signal": "mark", "reduce_only": True}
    first = send("PF_XBTUSD", "sell", 0.05, "stp", stop_price=stop, **common)
    second = send("PF_XBTUSD", "sell", 0.05, "take_profit", stop_price=target, **common)
    assert {type(event) for outcome in (first, second) for event in outcome.events} == {Placed}
    while len(account.orders) == 2:
        exchange.advance(60)
    fired = account.fills[-1]
    mark = exchange.market.mark(exchange.contract("PF_XBTUSD"), fired.time)
    assert mark <= stop if fired.order_id == first.order.order_id else mark >= target
    assert not account.positions
    exchange.advance(24 * HOUR)
    assert len([fill for fill in account.fills if fill.side == "sell"]) == 1


def test_cancel_finds_an_order_by_either_id(exchange, account, send):
    one = send("PF_XBTUSD", "buy", 0.01, "lmt", 50_000, cli_ord_id="one").order
    two = send("PF_XBTUSD", "buy", 0.01, "lmt", 50_001).order
    assert exchange.cancel(account, cli_ord_id="one").events == (Cancelled(one),)
    assert exchange.cancel(account, order_id=two.order_id).status == "cancelled"
    assert exchange.cancel(account, order_id=two.order_id).status == "notFound"
    done = send("PF_XBTUSD", "buy", 0.01, cli_ord_id="done").order
    assert exchange.cancel(account, cli_ord_id="done").status == "filled"
    assert exchange.cancel(account, order_id=done.order_id).status == "filled"


def test_an_edited_order_trades_if_it_now_crosses(exchange, account, send):
    contract = exchange.contract("PF_XBTUSD")
    placed = send("PF_XBTUSD", "buy", 0.01, "lmt", 50_000).order
    ask = Decimal(str(exchange.book(contract).asks[0][0]))
    outcome = exchange.edit(account, EditRequest(order_id=placed.order_id, limit_price=ask))
    assert (outcome.status, [type(event) for event in outcome.events]) == ("edited", [Edited, Executed])
    assert account.positions["PF_XBTUSD"].size == 0.01
    assert not account.orders


def test_a_refused_edit_leaves_the_order(exchange, account, send):
    post = send("PF_XBTUSD", "buy", 0.01, "post", 50_000).order
    before = state(account)
    edit = exchange.edit(account, EditRequest(order_id=post.order_id, limit_price=Decimal(95_000)))
    assert edit.status == "postWouldExecute"
    assert (
        exchange.edit(account, EditRequest(order_id=post.order_id, size=Decimal(50))).status
        == "insufficientAvailableFunds"
    )
    assert (
        exchange.edit(account, EditRequest(order_id=post.order_id, stop_price=Decimal(50_000))).status
        == "orderForEditNotAStop"
    )
    assert state(account) == before


def test_a_stop_limit_rests_after_firing_and_fills_within_one_step(exchange, account, send):
    mark = exchange.market.mark(exchange.contract("PF_XBTUSD"), exchange.now)
    stop, limit = Decimal(round(mark * 1.002)), Decimal(round(mark * 0.998))
    sent = send("PF_XBTUSD", "buy", 0.01, "stp", limit, stop_price=stop, trigger_signal="mark")
    exchange.advance(20 * 24 * HOUR)
    [fill] = account.fills
    assert (fill.order_id, fill.liquidity, Decimal(fill.price)) == (sent.order.order_id, "maker", limit)


def test_funding_is_settled_every_full_hour(exchange, account, send):
    send("PF_XBTUSD", "buy", 0.1)
    contract = exchange.contract("PF_XBTUSD")
    rate = exchange.market.funding(contract, exchange.now)
    hour = exchange.now // HOUR * HOUR
    share = (hour + HOUR - exchange.now) / HOUR
    exchange.advance(3 * HOUR)
    rows = [row for row in account.log if row.info == "funding rate change"]
    assert [row.date for row in rows] == [hour + HOUR * i for i in (1, 2, 3)]
    assert rows[0].funding_rate == rate
    assert rows[0].realized_funding == round(-0.1 * rate * share, 4)
    second = exchange.market.funding(contract, hour + HOUR)
    assert rows[1].realized_funding == round(-0.1 * second, 4)


def test_a_dated_contract_settles_and_stops_trading(exchange, account, send):
    contract = next(c for c in exchange.contracts.values() if c.symbol.startswith("FF_XBT"))
    send(contract.symbol, "buy", 0.1)
    send(contract.symbol, "buy", 0.1, "lmt", 40_000)
    exchange.advance(contract.expiry - exchange.now + 1)
    assert not account.positions
    assert not account.orders
    legs = [row for row in account.log if row.info == "settlement"]
    assert [leg.asset for leg in legs] == [contract.symbol.lower(), "usd"]
    assert legs[0].trade_price == pytest.approx(exchange.market.index(contract.asset, contract.expiry))
    assert send(contract.symbol, "buy", 0.1).status == "marketInactive"


def test_margin_nets_contracts_on_the_same_underlying(exchange, account, send):
    dated = next(s for s in exchange.contracts if s.startswith("FF_XBT"))
    send("PF_XBTUSD", "buy", 0.2)
    alone = exchange.flex(account).required.initial
    send(dated, "sell", 0.05)  # half the size at twice the rate, about half of the margin
    assert exchange.flex(account).required.initial == pytest.approx(alone)
    send("PF_ETHUSD", "sell", 1)
    assert exchange.flex(account).required.initial > alone


def test_orders_reserve_margin_on_the_side_they_load(exchange, account, send):
    send("PF_XBTUSD", "buy", 0.2)
    before = exchange.flex(account)
    send("PF_XBTUSD", "sell", 0.1, "lmt", 95_000)
    assert exchange.flex(account).required.initial_with_orders == pytest.approx(before.required.initial)
    send("PF_XBTUSD", "buy", 0.1, "lmt", 60_000)
    loaded = exchange.flex(account).required
    assert loaded.initial_with_orders == pytest.approx(1.5 * before.required.initial)
    assert loaded.initial == pytest.approx(before.required.initial)
