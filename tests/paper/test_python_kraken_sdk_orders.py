"""Orders, settings and transfers with python-kraken-sdk, unmodified, against the engine's own state; and refusals.

Prices are taken from the book, on a clock that moves only where a test says so.
"""

import json
from dataclasses import replace

import pytest

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .conftest import NOW
from .test_python_kraken_sdk import XBT, Sdk, seconds

errors = pytest.importorskip("kraken.exceptions")

NOBODY = "6e88d923-630d-40aa-af4f-64e5e2b3ad03"


@pytest.fixture(scope="module")
def sdk(server):
    return Sdk(server)


def best(sdk, symbol=XBT):
    """Best bid and ask."""
    book = sdk.market.get_orderbook(symbol)["orderBook"]
    return book["bids"][0][0], book["asks"][0][0]


def send(sdk, *args, **more):
    return sdk.trade.create_order(*args, **more)["sendStatus"]


def test_a_limit_order_placed_edited_and_cancelled(sdk, server, account):
    bid, _ = best(sdk)
    status = send(sdk, "lmt", 0.01, XBT, "buy", cliOrdId="mine", limitPrice=bid - 100, reduceOnly=False)
    order = account.orders[status["order_id"]]
    assert (status["status"], status["cliOrdId"]) == ("placed", "mine")
    (event,) = status["orderEvents"]
    assert (event["type"], event["order"]["quantity"], event["order"]["limitPrice"]) == ("PLACE", 0.01, bid - 100)
    (row,) = sdk.user.get_open_orders()["openOrders"]
    assert (row["order_id"], row["unfilledSize"], row["limitPrice"]) == (order.order_id, 0.01, order.limit_price)

    server.exchange.advance(1)
    for named in ({"orderId": order.order_id}, {"cliOrdId": "mine"}):
        bid -= 50
        edited = sdk.trade.edit_order(**named, limitPrice=bid, size=0.02)["editStatus"]
        assert edited["status"] == "edited"
        assert account.orders[order.order_id].limit_price == edited["orderEvents"][0]["new"]["limitPrice"] == bid
    for named in ({"orderIds": order.order_id}, {"orderIds": [order.order_id, NOBODY]}, {"cliOrdIds": ["mine"]}):
        (known,) = sdk.trade.get_orders_status(**named)["orders"]
        assert (known["status"], known["order"]["quantity"]) == ("ENTERED_BOOK", 0.02)

    cancelled = sdk.trade.cancel_order(cliOrdId="mine")["cancelStatus"]
    assert (cancelled["status"], cancelled["order_id"]) == ("cancelled", order.order_id)
    assert not account.orders
    assert sdk.trade.cancel_order(order_id=order.order_id)["cancelStatus"]["status"] == "notFound"
    (known,) = sdk.trade.get_orders_status(order.order_id)["orders"]
    assert known["status"] == "CANCELLED"


@pytest.mark.parametrize("kind", ["lmt", "ioc", "fok", "mkt"])
def test_orders_that_are_filled_at_once(kind, sdk, account):
    _, ask = best(sdk)
    price = {} if kind == "mkt" else {"limitPrice": ask}
    status = send(sdk, kind, 0.01, XBT, "buy", **price)
    (event,) = status["orderEvents"]
    (fill,) = [fill for fill in account.fills if fill.order_id == status["order_id"]]
    assert (event["type"], event["executionId"]) == ("EXECUTION", fill.fill_id)
    assert (event["price"], event["amount"]) == (fill.price, fill.size) == (ask, 0.01)
    row = sdk.trade.get_fills()["fills"][0]
    assert (row["fill_id"], row["fillType"], row["price"]) == (fill.fill_id, "taker", ask)
    assert sdk.trade.cancel_order(status["order_id"])["cancelStatus"]["status"] == "filled"
    closing = send(sdk, "mkt", 5, XBT, "sell", reduceOnly=True)
    assert closing["orderEvents"][0]["amount"] == 0.01
    assert sdk.user.get_open_positions()["openPositions"] == []


@pytest.mark.parametrize(("kind", "word"), [("ioc", "iocWouldNotExecute"), ("post", "postWouldExecute")])
def test_orders_that_the_book_refuses(kind, word, sdk, account):
    bid, ask = best(sdk)
    status = send(sdk, kind, 0.01, XBT, "buy", limitPrice=ask if kind == "post" else bid)
    assert status["status"] == word
    assert status["orderEvents"][0]["type"] == "REJECT"
    assert not account.orders


def test_post_only(sdk, account):
    bid, _ = best(sdk)
    status = send(sdk, "post", 0.01, XBT, "buy", limitPrice=bid)
    assert account.orders[status["order_id"]].order_type == status["orderEvents"][0]["order"]["type"] == "post"


@pytest.mark.parametrize("signal", ["mark", "last"])
@pytest.mark.parametrize(("kind", "share"), [("stp", 0.9), ("take_profit", 1.1)])
def test_triggers(kind, share, signal, sdk, account):
    bid, _ = best(sdk)
    stop = float(round(bid * share))
    status = send(sdk, kind, 0.01, XBT, "sell", stopPrice=stop, limitPrice=stop - 10, triggerSignal=signal)
    order, trigger = account.orders[status["order_id"]], status["orderEvents"][0]["orderTrigger"]
    assert (order.stop_price, order.limit_price, order.trigger_signal) == (stop, stop - 10, signal)
    assert (trigger["triggerPrice"], trigger["triggerSignal"]) == (stop, f"{signal}_price")
    assert trigger["triggerSide"] == ("trigger_below" if kind == "stp" else "trigger_above")
    (row,) = sdk.user.get_open_orders()["openOrders"]
    assert (row["stopPrice"], row["triggerSignal"]) == (stop, signal)
    (known,) = sdk.trade.get_orders_status(order.order_id)["orders"]
    assert (known["status"], known["order"]["priceTriggerOptions"]["triggerPrice"]) == ("TRIGGER_PLACED", stop)
    assert sdk.trade.edit_order(order.order_id, stopPrice=stop + 20)["editStatus"]["status"] == "edited"
    assert account.orders[order.order_id].stop_price == stop + 20
    assert sdk.trade.cancel_order(order.order_id)["cancelStatus"]["status"] == "cancelled"


def test_the_index_as_a_signal(sdk, account):
    # Its create_order takes "spot", as the exchange writes it in its answers.
    bid, _ = best(sdk)
    send(sdk, "stp", 0.01, XBT, "sell", stopPrice=bid - 1000, triggerSignal="spot")
    (kept,) = account.orders.values()
    assert kept.trigger_signal == "index"
    assert sdk.user.get_open_orders()["openOrders"][0]["triggerSignal"] == "spot"


def test_trailing_stop(sdk, account):
    distance = {"trailingStopDeviationUnit": "PERCENT", "trailingStopMaxDeviation": "2"}
    status = send(sdk, "trailing_stop", 0.01, XBT, "sell", triggerSignal="mark", **distance)
    order = account.orders[status["order_id"]]
    marks = {row["symbol"]: row["markPrice"] for row in sdk.market.get_tickers()["tickers"] if "markPrice" in row}
    assert order.stop_price == pytest.approx(0.98 * marks[XBT], abs=1)
    assert status["orderEvents"][0]["orderTrigger"]["triggerPrice"] == order.stop_price


def test_a_batch(sdk, account):
    bid, ask = best(sdk)
    item = {"order": "send", "orderType": "lmt", "symbol": XBT, "side": "buy", "size": 0.01}
    placed = sdk.trade.create_batch_order(
        [
            item | {"order_tag": "1", "limitPrice": bid - 100, "cliOrdId": "a+b & c=ü"},
            item | {"order_tag": "2", "limitPrice": ask + 200, "side": "sell", "reduceOnly": False},
            item | {"order_tag": "3", "limitPrice": ask, "orderType": "ioc"},
            item | {"order_tag": "4", "stopPrice": ask + 500, "orderType": "stp", "triggerSignal": "mark"},
        ]
    )["batchStatus"]
    by_tag = {row["order_tag"]: row for row in placed}
    assert {row["status"] for row in placed} == {"placed"}
    assert by_tag["1"]["cliOrdId"] == "a+b & c=ü"
    assert by_tag["3"]["orderEvents"][0]["type"] == "EXECUTION"
    assert account.orders.keys() == {by_tag[tag]["order_id"] for tag in "124"}
    changed = sdk.trade.create_batch_order(
        [
            {"order": "edit", "order_id": by_tag["2"]["order_id"], "limitPrice": ask + 300},
            {"order": "cancel", "order_id": by_tag["4"]["order_id"]},
            {"order": "cancel", "cliOrdId": "a+b & c=ü"},
        ]
    )["batchStatus"]
    assert [row["status"] for row in changed] == ["edited", "cancelled", "cancelled"]
    (left,) = account.orders.values()
    assert (left.order_id, left.limit_price) == (by_tag["2"]["order_id"], ask + 300)
    late = sdk.trade.create_batch_order(
        [item | {"order_tag": "5", "limitPrice": bid - 100}], processBefore="2020-01-01T00:00:00.000Z"
    )
    assert late["batchStatus"][0]["status"] == "wouldProcessAfterSpecifiedTime"
    with pytest.raises(errors.KrakenInsufficientAvailableFundsError):
        sdk.trade.create_batch_order([item | {"order_tag": "6", "limitPrice": bid - 100, "size": 1000}])


def test_all_orders_cancelled(sdk, server, account):
    bid, _ = best(sdk)
    other, _ = best(sdk, "PF_ETHUSD")
    first = send(sdk, "lmt", 0.01, XBT, "buy", limitPrice=bid - 100)
    server.exchange.advance(0.25)
    send(sdk, "lmt", 0.01, "PF_ETHUSD", "buy", limitPrice=other - 10)
    assert [row["symbol"] for row in sdk.user.get_open_orders()["openOrders"]] == ["PF_ETHUSD", XBT]
    told = sdk.trade.cancel_all_orders(XBT)["cancelStatus"]
    assert (told["status"], told["cancelOnly"]) == ("cancelled", XBT)
    assert [row["order_id"] for row in told["cancelledOrders"]] == [first["order_id"]]
    assert len(sdk.trade.cancel_all_orders()["cancelStatus"]["cancelledOrders"]) == 1
    assert not account.orders
    assert sdk.trade.cancel_all_orders()["cancelStatus"]["status"] == "noOrdersToCancel"


def test_dead_mans_switch(sdk, server, account):
    bid, _ = best(sdk)
    send(sdk, "lmt", 0.01, XBT, "buy", limitPrice=bid - 5000)
    armed = sdk.trade.dead_mans_switch(60)["status"]
    assert seconds(armed["triggerTime"]) - seconds(armed["currentTime"]) == 60
    server.exchange.advance(59)
    assert len(account.orders) == 1
    assert sdk.trade.dead_mans_switch()["status"]["triggerTime"] == "0"
    sdk.trade.dead_mans_switch(5)
    server.exchange.advance(5)
    assert not account.orders


REFUSALS = {
    "too little money": ("lmt", 500, {"limitPrice": -0.01}, errors.KrakenInsufficientAvailableFundsError),
    "no price": ("lmt", 0.01, {}, errors.KrakenRequiredArgumentMissingError),
    "a stop without its price": ("stp", 0.01, {}, errors.KrakenRequiredArgumentMissingError),
    "a size off the step": ("lmt", 0.00001, {"limitPrice": -0.01}, "invalidSize"),
    "a price off the tick": ("lmt", 0.01, {"limitPrice": "1234.56"}, "invalidPrice"),
    "far beyond the mark": ("lmt", 0.01, {"limitPrice": 0.5}, "outsidePriceCollar"),
    "too late": ("mkt", 0.01, {"processBefore": "2020-01-01T00:00:00.000Z"}, "wouldProcessAfterSpecifiedTime"),
    "nothing to reduce": ("lmt", 0.01, {"limitPrice": -0.01, "reduceOnly": True}, "wouldNotReducePosition"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case, sdk, account):
    kind, size, params, expected = REFUSALS[case]
    share = params.get("limitPrice")
    if isinstance(share, float):
        params = params | {"limitPrice": float(round(best(sdk)[1] * (1 + share)))}
    if isinstance(expected, str):
        assert send(sdk, kind, size, XBT, "buy", **params)["status"] == expected
    else:
        with pytest.raises(expected):
            send(sdk, kind, size, XBT, "buy", **params)
    assert not account.orders
    assert not account.positions


def test_what_is_not_there(sdk):
    with pytest.raises(Exception, match="400"):
        send(sdk, "mkt", 0.01, "PF_NOSUCHUSD", "buy")
    assert sdk.trade.cancel_order(NOBODY)["cancelStatus"]["status"] == "notFound"
    assert sdk.trade.edit_order(NOBODY, limitPrice=1)["editStatus"]["status"] == "orderForEditNotFound"
    assert sdk.trade.get_orders_status(NOBODY)["orders"] == []


# Settings and transfers ------------------------------------------------------------------------------------------


def test_preferences(sdk, account):
    sdk.market.set_leverage_preference(XBT, 7.5)
    assert sdk.market.get_leverage_preference()["leveragePreferences"] == [{"symbol": XBT, "maxLeverage": 7.5}]
    assert account.preferences.leverage == {XBT: 7.5}
    sdk.market.set_leverage_preference(XBT)
    assert sdk.market.get_leverage_preference()["leveragePreferences"] == []
    sdk.market.set_pnl_preference(XBT, "EUR")
    assert sdk.market.get_pnl_preference()["preferences"] == [{"symbol": XBT, "pnlCurrency": "EUR"}]
    with pytest.raises(Exception, match="CONTRACT_DOES_NOT_EXIST"):
        sdk.market.set_leverage_preference("PF_NOSUCHUSD", 2)


def test_self_trade_strategy(sdk, account):
    uri = "/derivatives/api/v3/self-trade-strategy"
    assert sdk.trade.request("GET", uri)["strategy"] == "REJECT_TAKER"
    sdk.trade.request("PUT", uri, post_params={"strategy": "CANCEL_MAKER_SELF"})
    assert account.preferences.self_trade == "CANCEL_MAKER_SELF"


def test_transfers(sdk, account):
    before = dict(account.balances)
    sdk.funding.initiate_wallet_transfer(12.5, "flex", "cash", "USD")
    assert account.balances["flex", "usd"] == before["flex", "usd"] - 12.5
    assert float(sdk.user.get_wallets()["accounts"]["cash"]["balances"]["usd"]) == account.balances["cash", "usd"]
    sdk.funding.initiate_wallet_transfer("12.5", "cash", "flex", "usd")
    assert account.balances["flex", "usd"] == before["flex", "usd"]
    with pytest.raises(errors.KrakenInvalidUnitError):
        sdk.funding.initiate_wallet_transfer(1, "flex", "fi_xbtusd", "USD")
    with pytest.raises(errors.KrakenInvalidAccountError):
        sdk.funding.initiate_wallet_transfer(1, "flex", "nowhere", "USD")
    # It has no error of its own for this one, and gives the answer instead.
    assert sdk.funding.initiate_wallet_transfer(1e9, "flex", "cash", "USD")["error"] == "insufficientFunds"


def test_subaccounts(sdk, server, account):
    alone = sdk.user.get_subaccounts()
    assert (alone["masterAccountUid"], alone["subaccounts"]) == (account.uid, [])
    child = server.exchange.open_account("child", parent="empty")
    before = account.balances["flex", "usd"]
    sdk.funding.initiate_subaccount_transfer(25, "flex", account.uid, "flex", child.uid, "USD")
    assert account.balances["flex", "usd"] == before - 25
    assert child.balances["flex", "usd"] == 25
    (row,) = sdk.user.get_subaccounts()["subaccounts"]
    assert (row["accountUid"], row["flexAccount"]["balanceValue"]) == (child.uid, 25)
    assert sdk.user.check_trading_enabled_on_subaccount(child.uid) == {"tradingEnabled": True}
    sdk.user.set_trading_on_subaccount(child.uid, trading_enabled=False)
    assert child.trading_enabled is False
    sdk.funding.initiate_subaccount_transfer(25, "flex", child.uid, "flex", account.uid, "USD")
    assert account.balances["flex", "usd"] == before
    with pytest.raises(errors.KrakenInvalidAccountError):
        sdk.funding.initiate_subaccount_transfer(1, "flex", NOBODY, "flex", account.uid, "USD")
    with pytest.raises(Exception, match="404"):
        sdk.user.check_trading_enabled_on_subaccount(NOBODY)


def test_nothing_leaves_the_exchange(sdk, account):
    before = dict(account.balances)
    with pytest.raises(errors.KrakenAuthenticationError):
        sdk.funding.initiate_withdrawal_to_spot_wallet(1, "USD")
    assert account.balances == before


# Limits, keys, nonces and signatures -----------------------------------------------------------------------------


def test_too_many_calls():
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty"), enforce_limits=True) as strict:
        sdk = Sdk(strict)
        sdk.user.get_unwind_queue()
        sdk.user.get_unwind_queue()
        with pytest.raises(errors.KrakenApiLimitExceededError):
            sdk.user.get_unwind_queue()
        strict.exchange.advance(10)
        sdk.user.get_unwind_queue()
        for _ in range(16):  # six tokens of a hundred each
            sdk.user.get_account_log_csv()
        with pytest.raises(Exception, match="429"):
            sdk.user.get_account_log_csv()


def test_a_wrong_secret_is_refused(server):
    for access in ({"secret": "d3Jvbmc=" * 4}, {"key": "nobody"}):
        stranger = Sdk(server, **access)
        with pytest.raises(errors.KrakenAuthenticationError):
            stranger.user.get_wallets()
        with pytest.raises(errors.KrakenAuthenticationError):
            stranger.trade.cancel_all_orders()
        with pytest.raises(Exception, match="401"):
            stranger.user.get_account_log()


@pytest.fixture
def through(server, middleman):
    """Its clients behind the proxy."""
    return Sdk(server, proxy=middleman.url)


def test_a_request_is_taken_once(through, middleman, account):
    bid, _ = best(through)
    send(through, "lmt", 0.01, XBT, "buy", limitPrice=bid - 100)
    sent = middleman.seen[-1]
    status, _, answer = middleman.send(sent)
    assert (status, json.loads(answer)["error"]) == (200, "nonceDuplicate")
    assert len(account.orders) == 1
    through.user.get_account_log(count=1)
    status, _, answer = middleman.send(middleman.seen[-1])
    assert status == 401
    assert b"nonceDuplicate" in answer


def test_what_is_changed_on_the_way_is_refused(through, middleman, account):
    bid, _ = best(through)

    def limit_order():
        return send(through, "lmt", 0.01, XBT, "buy", limitPrice=bid - 100)

    middleman.alter = lambda request: replace(request, body=request.body.replace(b"size=0.01", b"size=0.02"))
    with pytest.raises(errors.KrakenAuthenticationError):
        limit_order()
    middleman.alter = lambda request: replace(request, url=request.url + "?reduceOnly=true")
    with pytest.raises(errors.KrakenAuthenticationError):
        limit_order()
    middleman.alter = lambda request: replace(
        request, headers=request.headers | {"Nonce": str(int(request.headers["Nonce"]) + 1)}
    )
    with pytest.raises(errors.KrakenAuthenticationError):
        limit_order()
    middleman.alter = lambda request: replace(request, url=request.url.replace("openorders", "openpositions"))
    with pytest.raises(errors.KrakenAuthenticationError):
        through.user.get_open_orders()
    assert not account.orders
