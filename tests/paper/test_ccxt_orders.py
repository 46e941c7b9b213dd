"""Orders, settings and transfers with ccxt, unmodified, against the engine's own state; and what it is refused.

Prices are taken from the book, on a clock that moves only where a test says so.
"""

from dataclasses import replace

import pytest

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .conftest import NOW
from .test_ccxt import BTC, milliseconds, open_ccxt, unified

ccxt = pytest.importorskip("ccxt")

ETH = "ETH/USD:USD"


@pytest.fixture(scope="module")
def client(server):
    found = open_ccxt(server)
    yield found
    found.session.close()


@pytest.fixture(autouse=True)
def flat(account):
    """Every test begins flat and without orders."""


def touch(client, symbol=BTC):
    """Best bid and best ask, each with its size."""
    book = client.fetch_order_book(symbol)
    return book["bids"][0], book["asks"][0]


def below(client, share, symbol=BTC):
    """A price so much below the best bid, on the tick."""
    return float(client.price_to_precision(symbol, touch(client, symbol)[0][0] * (1 - share)))


def above(client, share, symbol=BTC):
    """A price so much above the best ask, on the tick."""
    return float(client.price_to_precision(symbol, touch(client, symbol)[1][0] * (1 + share)))


def fills_of(account, order_id):
    return [fill for fill in account.fills if fill.order_id == order_id]


def check_open(client, told, order):
    """ccxt's picture of an order that the engine has open."""
    assert (told["id"], told["status"]) == (order.order_id, "open")
    assert (told["symbol"], told["side"]) == (unified(client, order.contract.symbol), order.side)
    assert (told["amount"], told["filled"], told["remaining"]) == (order.size, order.filled, order.remaining)
    assert (told["clientOrderId"], told["reduceOnly"]) == (order.cli_ord_id, order.reduce_only)
    assert (told["triggerPrice"], told["timestamp"]) == (order.stop_price, milliseconds(order.received))


def check_filled(client, told, account):
    """ccxt's picture of an order that was filled at once."""
    fills = fills_of(account, told["id"])
    size = sum(fill.size for fill in fills)
    assert told["status"] == "closed"
    assert told["filled"] == told["amount"] == pytest.approx(size)
    assert told["remaining"] == 0
    assert told["average"] == pytest.approx(sum(fill.size * fill.price for fill in fills) / size)
    assert told["cost"] == pytest.approx(told["average"] * size)
    assert [(t["id"], t["price"], t["amount"], t["order"]) for t in told["trades"]] == [
        (fill.fill_id, fill.price, fill.size, told["id"]) for fill in fills
    ]
    assert {fill.side for fill in fills} == {told["side"]} == {trade["side"] for trade in told["trades"]}


# One order -------------------------------------------------------------------------------------------------------


def test_a_limit_order_placed_edited_and_cancelled(client, server, account):
    placed = client.create_order(BTC, "limit", "buy", 0.01, below(client, 0.01), {"clientOrderId": "first"})
    order = account.orders[placed["id"]]
    check_open(client, placed, order)
    assert (placed["type"], placed["timeInForce"], placed["clientOrderId"]) == ("limit", "gtc", "first")
    assert order.limit_price in [price for price, _ in client.fetch_order_book(BTC)["bids"]]
    check_open(client, client.fetch_open_orders(BTC)[0], order)
    assert client.fetch_open_orders(ETH) == []

    server.exchange.advance(1)
    price = below(client, 0.02)
    edited = client.edit_order(placed["id"], BTC, "limit", "buy", 0.02, price)
    order = account.orders[placed["id"]]
    assert (order.limit_price, order.size, order.updated) == (price, 0.02, server.exchange.now)
    check_open(client, edited, order)
    told = client.fetch_order(placed["id"])
    check_open(client, told, order)
    assert told["lastUpdateTimestamp"] == milliseconds(server.exchange.now)

    cancelled = client.cancel_order(placed["id"])
    assert (cancelled["id"], cancelled["status"], cancelled["filled"]) == (placed["id"], "canceled", 0)
    assert not account.orders
    assert client.fetch_order(placed["id"])["status"] == "canceled"
    assert placed["id"] in {o["id"] for o in client.fetch_canceled_orders(BTC)}
    # The status of an order that is over is known for some seconds.
    server.exchange.advance(10)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(placed["id"])


def test_a_limit_order_that_meets_the_book(client, account):
    _, (ask, _) = touch(client)
    told = client.create_order(BTC, "limit", "buy", 0.01, ask)
    check_filled(client, told, account)
    assert told["average"] == ask
    assert client.fetch_order(told["id"])["status"] == "closed"
    assert told["id"] in {o["id"] for o in client.fetch_closed_orders(BTC)}
    trade = client.fetch_my_trades(BTC)[-1]
    assert (trade["order"], trade["takerOrMaker"], trade["price"]) == (told["id"], "taker", ask)
    assert trade["fee"]["cost"] == pytest.approx(fills_of(account, told["id"])[0].fee, abs=1e-4)
    (position,) = client.fetch_positions()
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 0.01, ask)


def test_a_limit_order_that_is_filled_in_part(client, account):
    _, (ask, size) = touch(client, ETH)
    told = client.create_order(ETH, "limit", "buy", size + 0.5, ask)
    order = account.orders[told["id"]]
    assert order.filled == size
    assert (told["status"], told["filled"], told["remaining"]) == ("open", size, pytest.approx(0.5))
    assert told["average"] == ask
    (resting,) = client.fetch_open_orders()
    assert (resting["amount"], resting["filled"], resting["remaining"]) == (order.size, size, order.remaining)
    assert touch(client, ETH)[0] == [ask, pytest.approx(0.5)]
    assert client.fetch_order(told["id"])["filled"] == size


def test_post_only(client, account):
    told = client.create_order(BTC, "limit", "sell", 0.01, above(client, 0.001), {"postOnly": True})
    check_open(client, told, account.orders[told["id"]])
    assert told["postOnly"] is True
    (bid, _), _ = touch(client)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order(BTC, "limit", "sell", 0.01, bid, {"postOnly": True})
    assert len(account.orders) == 1


def test_immediate_or_cancel(client, account):
    # ccxt knows the word in lower case only; with IOC it sends a limit order.
    _, (ask, size) = touch(client, ETH)
    check_filled(client, client.create_order(ETH, "limit", "buy", 0.01, ask, {"timeInForce": "ioc"}), account)
    with pytest.raises(ccxt.OrderNotFillable):
        client.create_order(ETH, "limit", "buy", 0.01, below(client, 0.01, ETH), {"timeInForce": "ioc"})
    _, (ask, size) = touch(client, ETH)
    part = client.create_order(ETH, "ioc", "buy", size + 0.5, ask)
    assert (part["filled"], part["average"]) == (size, ask)
    assert not account.orders
    over = client.fetch_order(part["id"])
    assert (over["status"], over["filled"]) == ("canceled", size)


def test_fill_or_kill(client, account):
    _, (ask, size) = touch(client, ETH)
    with pytest.raises(ccxt.OrderNotFillable):
        client.create_order(ETH, "fok", "buy", size + 0.5, ask)
    assert not account.fills or account.fills[-1].order.order_type != "fok"
    check_filled(client, client.create_order(ETH, "fok", "buy", 0.1, ask), account)


def test_market_orders_there_and_back(client, account):
    bought = client.create_order(BTC, "market", "buy", 0.02)
    check_filled(client, bought, account)
    assert (bought["type"], bought["timeInForce"]) == ("market", "ioc")
    with pytest.raises(ccxt.ExchangeError, match="wouldNotReducePosition"):
        client.create_order(BTC, "market", "buy", 0.01, None, {"reduceOnly": True})
    sold = client.create_order(BTC, "market", "sell", 0.5, None, {"reduceOnly": True})
    assert (sold["status"], sold["filled"]) == ("closed", 0.02)
    assert client.fetch_positions() == []
    trades = client.fetch_my_trades(BTC)
    assert sum(t["amount"] * (1 if t["side"] == "buy" else -1) for t in trades[-2:]) == pytest.approx(0)
    assert sum(t["info"]["realized_pnl"] for t in trades if t["order"] == sold["id"]) == pytest.approx(
        0.02 * (sold["average"] - bought["average"]), abs=1e-3
    )
    (closed,) = [p for p in client.fetch_positions_history([BTC]) if p["id"] == sold["trades"][-1]["id"]]
    assert (closed["side"], closed["contracts"], closed["entryPrice"]) == ("long", 0.02, bought["average"])


# Triggers --------------------------------------------------------------------------------------------------------

TRIGGERS = {
    "stop": ("market", {"triggerPrice": -0.05}, "stp"),
    "stop with a limit": ("limit", {"triggerPrice": -0.05}, "stp"),
    "stop loss": ("market", {"stopLossPrice": -0.05}, "stp"),
    "take profit": ("market", {"takeProfitPrice": 0.05}, "take_profit"),
    "take profit with a limit": ("limit", {"takeProfitPrice": 0.05}, "take_profit"),
}


@pytest.mark.parametrize("signal", ["last", "mark", "index"])
@pytest.mark.parametrize("case", TRIGGERS)
def test_triggers(case, signal, client, account):
    kind, prices, kept_as = TRIGGERS[case]
    client.create_order(BTC, "market", "buy", 0.01)
    params = {name: above(client, share) if share > 0 else below(client, -share) for name, share in prices.items()}
    (trigger,) = params.values()
    limit = trigger if kind == "limit" else None
    told = client.create_order(BTC, kind, "sell", 0.01, limit, params | {"triggerSignal": signal})
    order = account.orders[told["id"]]
    check_open(client, told, order)
    assert (order.order_type, order.stop_price, order.limit_price) == (kept_as, trigger, limit)
    assert order.trigger_signal == signal
    assert order.reduce_only == ("triggerPrice" not in prices)
    (resting,) = client.fetch_open_orders()
    check_open(client, resting, order)
    assert resting["type"] == {"stp": "stop"}.get(kept_as, kept_as)
    assert resting["info"]["triggerSignal"] == {"index": "spot"}.get(signal, signal)
    check_open(client, client.fetch_order(told["id"]), order)

    moved = above(client, 0.06) if kept_as == "take_profit" else below(client, 0.06)
    edited = client.edit_order(told["id"], BTC, "", "", 0.005, None, {"stopPrice": moved})
    check_open(client, edited, account.orders[told["id"]])
    assert (edited["triggerPrice"], edited["amount"]) == (moved, 0.005)
    cancelled = client.cancel_order(told["id"])
    assert (cancelled["status"], cancelled["amount"]) == ("canceled", 0.005)
    assert told["id"] in {o["id"] for o in client.fetch_canceled_orders(BTC, None, None, {"trigger": True})}


def test_a_trigger_that_fires(client, server, account):
    client.create_order(BTC, "market", "buy", 0.01)
    # The price that a sell stop waits for is reached when the market is at it or below.
    told = client.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": above(client, 0.05)})
    server.exchange.advance(30)
    assert client.fetch_open_orders() == []
    assert client.fetch_positions() == []
    (fired,) = client.fetch_closed_orders(BTC, None, 1, {"trigger": True})
    assert (fired["id"], fired["side"], fired["amount"]) == (told["id"], "sell", 0.01)
    assert [trade["order"] for trade in client.fetch_my_trades(BTC)][-1] == told["id"]
    assert fills_of(account, told["id"])


def test_trailing_stop(client, account):
    client.create_order(BTC, "market", "buy", 0.01)
    distance = {"trailingStopMaxDeviation": 2, "trailingStopDeviationUnit": "PERCENT"}
    told = client.create_order(BTC, "trailing_stop", "sell", 0.01, None, {**distance, "triggerSignal": "mark"})
    order = account.orders[told["id"]]
    check_open(client, told, order)
    mark = client.fetch_ticker(BTC)["markPrice"]
    assert told["triggerPrice"] == pytest.approx(0.98 * mark, abs=1)
    (resting,) = client.fetch_open_orders()
    assert (resting["type"], resting["triggerPrice"]) == ("trailing_stop", told["triggerPrice"])
    client.edit_order(told["id"], BTC, "", "", None, None, {"trailingStopMaxDeviation": 4})
    assert client.fetch_open_orders()[0]["triggerPrice"] == pytest.approx(0.96 * mark, abs=1)
    with pytest.raises(ccxt.OrderNotFound):
        client.edit_order("6e88d923-630d-40aa-af4f-64e5e2b3ad03", BTC, "", "", 0.02)
    assert client.cancel_order(told["id"])["status"] == "canceled"


# Several orders --------------------------------------------------------------------------------------------------


def test_a_batch_sent_and_cancelled(client, account):
    # ccxt sends the batch as raw JSON: without a plus or an ampersand in it, which mean something else in a form.
    low, name = below(client, 0.02), "b 1/2 ü %"
    sent = client.create_orders(
        [
            {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": low},
            {"symbol": BTC, "type": "market", "side": "buy", "amount": 0.01, "params": {"clientOrderId": name}},
            {"symbol": BTC, "type": "limit", "side": "buy", "amount": 1000, "price": low},
            {"symbol": ETH, "type": "limit", "side": "buy", "amount": 0.1, "price": below(client, 0.02, ETH)},
            {
                "symbol": BTC,
                "type": "limit",
                "side": "sell",
                "amount": 0.01,
                "price": above(client, 0.02),
                "params": {"reduceOnly": True, "clientOrderId": "b2"},
            },
        ]
    )
    by_tag = {order["info"]["order_tag"]: order for order in sent}
    first, second, third, fourth, fifth = (by_tag[tag] for tag in sorted(by_tag))
    for order in (first, fourth, fifth):
        check_open(client, order, account.orders[order["id"]])
    check_filled(client, second, account)
    assert second["clientOrderId"] == name
    assert third["status"] == "rejected"
    assert len(account.orders) == 3

    cancelled = client.cancel_orders([first["id"], fourth["id"]])
    assert {(order["id"], order["status"]) for order in cancelled} == {
        (first["id"], "canceled"),
        (fourth["id"], "canceled"),
    }
    by_status = {order["status"]: order for order in client.cancel_orders([], None, {"clientOrderIds": ["b2", "none"]})}
    assert by_status["canceled"]["id"] == fifth["id"]
    assert by_status["rejected"]["id"] is None
    assert not account.orders


def test_all_orders_cancelled(client, account):
    for symbol in (BTC, ETH, BTC):
        client.create_order(symbol, "limit", "buy", 0.01, below(client, 0.02, symbol))
    client.create_order(BTC, "market", "sell", 0.01, None, {"triggerPrice": below(client, 0.1)})
    # ccxt shows the first one as often as there are some.
    assert len(client.cancel_all_orders(BTC)) == 2
    assert {order.contract.symbol for order in account.orders.values()} == {"PF_ETHUSD"}
    (told,) = client.cancel_all_orders()
    assert told["symbol"] == ETH
    assert not account.orders
    assert client.cancel_all_orders() == []


def test_dead_mans_switch(client, server, account):
    client.create_order(BTC, "limit", "buy", 0.01, below(client, 0.05))
    told = client.cancel_all_orders_after(10_000)["status"]
    assert client.parse8601(told["triggerTime"]) == milliseconds(server.exchange.now) + 10_000
    server.exchange.advance(9)
    assert client.cancel_all_orders_after(0)["status"]["triggerTime"] == "0"
    server.exchange.advance(9)
    assert len(account.orders) == 1
    client.cancel_all_orders_after(5_000)
    server.exchange.advance(6)
    assert not account.orders
    assert client.fetch_open_orders() == []


# Refusals --------------------------------------------------------------------------------------------------------

REFUSALS = {
    "an id that was used": (ccxt.DuplicateOrderId, ("limit", "buy", 0.01, -0.02, {"clientOrderId": "used"})),
    "too little money": (ccxt.InsufficientFunds, ("limit", "buy", 100, -0.02, {})),
    "far beyond the mark": (ccxt.InvalidOrder, ("limit", "buy", 0.01, 0.5, {})),
    "a price off the tick": (ccxt.InvalidOrder, ("lmt", "buy", 0.01, None, {"limitPrice": "1234.56"})),
    "a size off the step": (ccxt.InvalidOrder, ("limit", "buy", 0.01, -0.02, {"size": "0.00001"})),
    "an order type unknown": (ccxt.BadRequest, ("iceberg", "buy", 0.01, -0.02, {})),
    "a side unknown": (ccxt.BadRequest, ("limit", "hold", 0.01, -0.02, {})),
    "a stop without its price": (ccxt.BadRequest, ("stp", "buy", 0.01, None, {})),
    "a position too large": ((ccxt.BadRequest, ccxt.InsufficientFunds), ("limit", "buy", 5000, -0.02, {})),
    "nothing to reduce": (ccxt.ExchangeError, ("limit", "sell", 0.01, 0.02, {"reduceOnly": True})),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case, client, account):
    if case == "an id that was used":
        used = client.create_order(BTC, "limit", "buy", 0.01, below(client, 0.02), {"clientOrderId": "used"})
        client.cancel_order(used["id"])
    error, (kind, side, amount, share, params) = REFUSALS[case]
    price = share if share is None else above(client, share) if share > 0 else below(client, -share)
    with pytest.raises(error):
        client.create_order(BTC, kind, side, amount, price, params)
    assert not account.orders
    assert not account.positions


def test_an_order_of_ones_own_is_not_met(client, account):
    mine = client.create_order(BTC, "limit", "sell", 0.01, touch(client)[1][0])
    with pytest.raises(ccxt.ExchangeError, match="selfFill"):
        client.create_order(BTC, "limit", "buy", 5, above(client, 0.001))
    assert client.privateGetSelfTradeStrategy()["strategy"] == "REJECT_TAKER"
    assert client.privatePutSelfTradeStrategy({"strategy": "CANCEL_MAKER_SELF"})["strategy"] == "CANCEL_MAKER_SELF"
    client.create_order(BTC, "market", "buy", 1)
    assert mine["id"] not in account.orders
    assert not fills_of(account, mine["id"])


def test_what_is_not_there(client):
    for call in (client.cancel_order, client.fetch_order):
        with pytest.raises(ccxt.OrderNotFound):
            call("6e88d923-630d-40aa-af4f-64e5e2b3ad03")
    with pytest.raises(ccxt.BadRequest):
        client.publicGetOrderbook({"symbol": "PF_NOSUCHUSD"})
    with pytest.raises(ccxt.ExchangeError):
        client.publicGetTickersSymbol({"symbol": "PF_NOSUCHUSD"})


# Settings and transfers ------------------------------------------------------------------------------------------


def test_leverage(client, account):
    assert client.fetch_leverages() == {}
    client.set_leverage(5, BTC)
    assert account.preferences.leverage == {"PF_XBTUSD": 5.0}
    assert client.fetch_leverage(BTC)["longLeverage"] == 5
    assert client.fetch_leverages()[BTC]["shortLeverage"] == 5
    client.create_order(BTC, "market", "buy", 0.01)
    (position,) = client.fetch_positions()
    assert (position["marginMode"], position["leverage"]) == ("isolated", 5)
    client.privatePutLeveragepreferences({"symbol": "PF_XBTUSD"})
    assert client.fetch_positions()[0]["marginMode"] == "cross"
    with pytest.raises(ccxt.BadRequest):
        client.set_leverage(5000, BTC)
    with pytest.raises(ccxt.ExchangeError):
        client.set_leverage(5, "BTC/USD:BTC")


def test_profit_currency(client, account):
    client.privatePutPnlpreferences({"symbol": "PF_XBTUSD", "pnlPreference": "BTC"})
    assert client.privateGetPnlpreferences()["preferences"] == [{"symbol": "PF_XBTUSD", "pnlCurrency": "BTC"}]
    assert account.preferences.pnl_currency == {"PF_XBTUSD": "BTC"}


def test_transfers(client, server, account):
    before = dict(account.balances)
    moved = client.transfer("USD", 100, "flex", "main")
    assert (moved["status"], moved["currency"], moved["timestamp"]) == (
        "success",
        "USD",
        milliseconds(server.exchange.now),
    )
    assert account.balances["cash", "usd"] == before.get(("cash", "usd"), 0) + 100
    assert client.fetch_balance({"type": "cash"})["USD"]["total"] == account.balances["cash", "usd"]
    out, into = client.fetch_ledger("USD", limit=2)
    assert {(out["direction"], out["account"]), (into["direction"], into["account"])} == {
        ("out", "flex"),
        ("in", "cash"),
    }
    assert {out["amount"], into["amount"], out["type"], into["type"]} == {100, "transfer"}
    client.transfer("USD", 100, "cash", "flex")
    assert account.balances["flex", "usd"] == before["flex", "usd"]
    for error, args in (
        (ccxt.InsufficientFunds, ("USD", 1e9, "flex", "cash")),
        (ccxt.BadRequest, ("USD", 1, "cash", "BTC/USD:BTC")),
        (ccxt.BadRequest, ("USD", 1, "flex", "nowhere")),
        (ccxt.BadRequest, ("USD", -1, "flex", "cash")),
        (ccxt.AuthenticationError, ("USD", 1, "cash", "spot")),  # the key may not withdraw
    ):
        with pytest.raises(error):
            client.transfer(*args)
    assert account.balances["flex", "usd"] == before["flex", "usd"]


def test_subaccounts(client, server, account):
    child = server.exchange.open_account("child", parent="empty")
    (told,) = client.privateGetSubaccounts()["subaccounts"]
    assert told["accountUid"] == child.uid
    wallets = {"fromAccount": "flex", "toAccount": "flex", "unit": "USD", "amount": 25}
    client.privatePostTransferSubaccount({"fromUser": account.uid, "toUser": child.uid, **wallets})
    assert child.balances["flex", "usd"] == 25
    assert client.fetch_ledger("USD", limit=1)[0]["amount"] == 25
    client.privatePutSubaccountUidTradingEnabled({"uid": child.uid, "tradingEnabled": False})
    assert child.trading_enabled is False
    assert client.privateGetSubaccountUidTradingEnabled({"uid": child.uid}) == {"tradingEnabled": False}
    client.privatePostTransferSubaccount({"fromUser": child.uid, "toUser": account.uid, **wallets})
    with pytest.raises(ccxt.InsufficientFunds):
        client.privatePostTransferSubaccount({"fromUser": child.uid, "toUser": account.uid, **wallets})


# Limits, keys and signatures -------------------------------------------------------------------------------------


def test_too_many_calls():
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty"), enforce_limits=True) as strict:
        client = open_ccxt(strict)
        client.privateGetUnwindqueue()
        client.privateGetUnwindqueue()
        with pytest.raises(ccxt.RateLimitExceeded):
            client.privateGetUnwindqueue()
        client.fetch_open_orders()
        strict.exchange.advance(10)
        client.privateGetUnwindqueue()
        for _ in range(16):  # six tokens of a hundred each
            client.historyGetAccountlogcsv()
        with pytest.raises(ccxt.RateLimitExceeded, match="429"):
            client.historyGetAccountlogcsv()
        client.session.close()


def test_a_wrong_secret_is_refused(server):
    stranger = open_ccxt(server, secret="d3Jvbmc=" * 4)
    for call in (stranger.fetch_balance, stranger.fetch_ledger, stranger.cancel_all_orders):
        with pytest.raises(ccxt.AuthenticationError):
            call()
    stranger.session.close()
    unknown = open_ccxt(server, apiKey="nobody")
    with pytest.raises(ccxt.AuthenticationError):
        unknown.fetch_positions()
    unknown.session.close()


@pytest.fixture
def through(server, middleman):
    """ccxt behind the proxy."""
    found = open_ccxt(server, httpProxy=middleman.url)
    yield found
    found.session.close()


def test_what_is_changed_on_the_way_is_refused(through, middleman, account):
    price = below(through, 0.02)
    single = ("limit", "buy", 0.01, price)
    batch = [{"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": price}]
    assert through.create_order(BTC, *single)["status"] == "open"
    through.cancel_all_orders()
    # ccxt's parameters are in the query, those of a batch are raw JSON in the body.
    middleman.alter = lambda request: replace(
        request, url=request.url.replace("size=0.01", "size=0.02"), body=request.body.replace(b'0.01"', b'0.02"')
    )
    with pytest.raises(ccxt.AuthenticationError):
        through.create_order(BTC, *single)
    with pytest.raises(ccxt.AuthenticationError):
        through.create_orders(batch)
    middleman.alter = lambda request: replace(request, url=request.url + "&reduceOnly=true")
    with pytest.raises(ccxt.AuthenticationError):
        through.create_order(BTC, *single)
    middleman.alter = lambda request: replace(request, url=request.url.replace("openorders", "openpositions"))
    with pytest.raises(ccxt.AuthenticationError):
        through.fetch_open_orders()
    # ccxt sends no nonce; one that is added is not covered by its signature.
    middleman.alter = lambda request: replace(request, headers=request.headers | {"Nonce": "1700000000000"})
    with pytest.raises(ccxt.AuthenticationError):
        through.fetch_open_orders()
    assert not account.orders
