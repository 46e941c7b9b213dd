"""Batches, the dead man's switch, preferences, transfers, and what the exchange tells about itself."""

import json
from decimal import Decimal

import pytest
import requests

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.engine.leverage import LeverageError, change_leverage
from kfut_analytics.paper.engine.orders import OrderRequest
from kfut_analytics.paper.engine.wallets import TransferError, move
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .conftest import NOW, Wire

V3 = "/derivatives/api/v3"


def order(symbol, side, size, kind="mkt", limit=None, **more):
    price = None if limit is None else Decimal(str(limit))
    return OrderRequest(symbol, side, kind, Decimal(str(size)), limit_price=price, **more)


@pytest.fixture
def account(exchange):
    return exchange.accounts["empty"]


@pytest.fixture(scope="module")
def stopped():
    """A fresh account on a stopped clock, and its wire."""
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty")) as server:
        client = Wire(server)
        yield client
        client.close()


# Batches ---------------------------------------------------------------------------------------------------------


def batch(wire, *items, **more):
    return wire.v3("batchorder", "post", json=json.dumps({"batchOrder": items}), **more)["batchStatus"]


def bid(tag, price=50000, **more):
    item = {"order": "send", "order_tag": tag, "orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy"}
    return item | {"size": 0.01, "limitPrice": price} | more


def test_a_batch_of_every_instruction(stopped):
    first, second = batch(stopped, bid("1", cliOrdId="one"), bid("2", reduceOnly=False))
    assert first.keys() == {"status", "order_tag", "order_id", "cliOrdId", "dateTimeReceived", "orderEvents"}
    assert (first["status"], first["order_tag"], first["orderEvents"][0]["type"]) == ("placed", "1", "PLACE")
    edited, cancelled, unknown, refused = batch(
        stopped,
        {"order": "edit", "order_id": second["order_id"], "size": 0.02},
        {"order": "cancel", "cliOrdId": "one"},
        {"order": "cancel", "order_id": "e35d61dd-8a30-4d5f-a574-b5593ef0c050"},
        bid("3", size=50),
    )
    assert (edited["status"], edited["order_id"], edited["orderEvents"][0]["type"]) == (
        "edited",
        second["order_id"],
        "EDIT",
    )
    assert (cancelled["status"], cancelled["order_id"]) == ("cancelled", first["order_id"])
    assert unknown == {
        "status": "notFound",
        "order_id": "e35d61dd-8a30-4d5f-a574-b5593ef0c050",
        "orderEvents": [],
    }
    assert refused == {"status": "insufficientAvailableFunds", "order_tag": "3", "orderEvents": []}
    stopped.v3("cancelallorders", "post")


def test_a_batch_says_what_is_wrong_with_an_order(stopped):
    rows = batch(
        stopped,
        bid("type", orderType="nope"),
        bid("side", side="up"),
        bid("size", size="much"),
        bid("price", limitPrice="low"),
        bid("tick", price=50000.5),
        bid("id", cliOrdId="x" * 101),
    )
    assert [row["status"] for row in rows] == [
        "invalidOrderType",
        "invalidSide",
        "invalidSize",
        "invalidPrice",
        "invalidPrice",
        "clientOrderIdTooLong",
    ]
    late = batch(stopped, bid("late"), ProcessBefore="2020-01-01T00:00:00Z")
    assert late[0]["status"] == "wouldProcessAfterSpecifiedTime"


def test_a_batch_that_cannot_be_read_does_nothing(stopped):
    path = f"{V3}/batchorder"
    assert stopped.post(path, json="{").json()["error"] == "Json Parse Error"
    assert stopped.post(path, json="[" * 100_000).json()["error"] == "Json Parse Error"
    assert stopped.post(path).json()["error"] == "requiredArgumentMissing"
    for text in ("[]", '{"batchOrder": 1}', '{"batchOrder": [1]}', '{"batchOrder": [{"order": "burn"}]}'):
        assert stopped.post(path, json=text).status_code == 400
    for wrong in ({"order": "burn"}, {"order": "cancel"}, bid("x", symbol="PF_NOPE"), {"order": "edit"}):
        answer = stopped.post(path, json=json.dumps({"batchOrder": [bid("1"), wrong]}))
        assert answer.json()["result"] == "error", wrong
    assert stopped.v3("openorders")["openOrders"] == []


def test_a_batch_may_travel_undecoded(stopped):
    path, body = f"{V3}/batchorder", 'json={"batchOrder":[{"order":"cancel","order_id":"x"}]}'
    headers = stopped.headers(path, body)
    answer = requests.post(stopped.server.base_url + path, data=body, headers=headers, timeout=5).json()
    assert answer["batchStatus"][0]["status"] == "notFound"


# The dead man's switch -------------------------------------------------------------------------------------------


def test_the_switch_withdraws_everything_when_nobody_calls(exchange, account):
    exchange.submit(account, order("PF_XBTUSD", "buy", 0.01, "lmt", 50_000))
    exchange.submit(account, order("PF_XBTUSD", "buy", 0.01, "stp", stop_price=Decimal(150_000)))
    exchange.cancel_all_after(account, 60)
    exchange.advance(59)
    exchange.cancel_all_after(account, 60)
    exchange.advance(59)
    assert len(account.orders) == 2
    exchange.advance(3600)
    assert not account.orders
    assert [(r.reason, r.time) for r in account.journal[-2:]] == [("dead_man_switch", NOW + 119)] * 2
    exchange.submit(account, order("PF_XBTUSD", "buy", 0.01, "lmt", 50_000))
    exchange.advance(3600)
    assert account.orders


def test_the_switch_is_disarmed_with_zero(stopped):
    armed = stopped.v3("cancelallordersafter", "post", timeout=60)["status"]
    assert armed == {"currentTime": "2026-11-22T08:20:34.500Z", "triggerTime": "2026-11-22T08:21:34.500Z"}
    assert stopped.v3("cancelallordersafter", "post")["status"] == armed
    assert stopped.v3("cancelallordersafter", "post", timeout=0)["status"]["triggerTime"] == "0"
    assert stopped.server.exchange.accounts["empty"].cancel_at is None
    for wrong in ("-1", "soon", str(2**32)):
        assert stopped.post(f"{V3}/cancelallordersafter", timeout=wrong).status_code == 400


# Preferences -----------------------------------------------------------------------------------------------------


def test_isolated_margin_requires_what_its_leverage_says_and_does_not_net(exchange, account):
    dated = next(s for s in exchange.contracts if s.startswith("FF_XBT"))
    exchange.submit(account, order("PF_XBTUSD", "buy", 0.1))
    exchange.submit(account, order(dated, "sell", 0.05))
    contract = exchange.contract("PF_XBTUSD")
    value = 0.1 * exchange.market.mark(contract, exchange.now)
    cross = exchange.flex(account).required
    change_leverage(exchange, account, contract, 5.0)
    isolated = exchange.flex(account).required
    other = 0.05 * exchange.market.mark(exchange.contract(dated), exchange.now) * 0.02
    assert isolated.initial == pytest.approx(value / 5 + other)
    assert isolated.maintenance > cross.maintenance
    exchange.submit(account, order("PF_ETHUSD", "buy", 200))
    with pytest.raises(LeverageError):
        change_leverage(exchange, account, contract, 1.0)
    assert account.preferences.leverage == {"PF_XBTUSD": 5.0}
    change_leverage(exchange, account, contract, None)
    exchange.submit(account, order("PF_ETHUSD", "sell", 200, reduce_only=True))
    assert exchange.flex(account).required.initial == pytest.approx(cross.initial)


def test_leverage_above_the_tier_of_the_position_is_refused(exchange, account):
    account.transfer(exchange.now, "flex", "usd", 1e6)
    change_leverage(exchange, account, exchange.contract("PF_XBTUSD"), 100.0)
    assert exchange.submit(account, order("PF_XBTUSD", "buy", 1, "lmt", 80_000)).status == "placed"
    assert exchange.submit(account, order("PF_XBTUSD", "buy", 15, "lmt", 80_000)).status == "fixedLeverageTooHigh"
    assert account.journal[-1].error == "FIXED_LEVERAGE_TOO_HIGH"


def test_leverage_preferences_are_stored_and_shown(stopped):
    path = f"{V3}/leveragepreferences"
    stopped.send(orderType="mkt", symbol="PF_XBTUSD", side="buy", size=0.01)
    [position] = stopped.v3("openpositions")["openPositions"]
    assert "maxFixedLeverage" not in position
    assert stopped.v3("leveragepreferences", "put", symbol="pf_xbtusd", maxLeverage="5").keys() == {
        "result",
        "serverTime",
    }
    assert stopped.v3("leveragepreferences")["leveragePreferences"] == [{"symbol": "PF_XBTUSD", "maxLeverage": 5.0}]
    assert stopped.v3("openpositions")["openPositions"][0]["maxFixedLeverage"] == 5.0
    stopped.v3("leveragepreferences", "put", symbol="PF_XBTUSD")
    assert stopped.v3("leveragepreferences")["leveragePreferences"] == []
    for symbol, code in (("PF_NOPE", 87), ("PI_XBTUSD", 88)):
        answer = stopped.put(path, symbol=symbol, maxLeverage=2)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (500, code)
    assert stopped.put(path, symbol="PF_XBTUSD", maxLeverage=500).status_code == 400
    account = stopped.server.exchange.accounts["empty"]
    account.transfer(NOW, "flex", "usd", -9500.0)
    answer = stopped.put(path, symbol="PF_XBTUSD", maxLeverage=1)
    assert answer.json()["errors"] == [{"code": 92, "message": "INSUFFICIENT_MARGIN"}]
    account.transfer(NOW, "flex", "usd", 9500.0)
    stopped.send(orderType="mkt", symbol="PF_XBTUSD", side="sell", size=0.01, reduceOnly="true")


def test_the_pnl_currency_is_stored_and_shown(stopped):
    stopped.send(orderType="mkt", symbol="PF_ETHUSD", side="buy", size=0.1)
    assert stopped.v3("openpositions")["openPositions"][0]["pnlCurrency"] == "USD"
    stopped.v3("pnlpreferences", "put", symbol="PF_ETHUSD", pnlPreference="BTC")
    assert stopped.v3("pnlpreferences")["preferences"] == [{"symbol": "PF_ETHUSD", "pnlCurrency": "BTC"}]
    assert stopped.v3("openpositions")["openPositions"][0]["pnlCurrency"] == "BTC"
    for symbol, currency, code in (
        ("PF_NOPE", "USD", 87),
        ("PI_ETHUSD", "USD", 88),
        ("PF_ETHUSD", "XXX", 89),
        ("PF_ETHUSD", "DOGE", 90),
    ):
        answer = stopped.put(f"{V3}/pnlpreferences", symbol=symbol, pnlPreference=currency)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (500, code)
    stopped.send(orderType="mkt", symbol="PF_ETHUSD", side="sell", size=0.1, reduceOnly="true")


def test_the_self_trade_strategy_decides_who_gives_way(stopped):
    exchange = stopped.server.exchange
    assert stopped.v3("self-trade-strategy")["strategy"] == "REJECT_TAKER"
    best = exchange.book(exchange.contract("PF_XBTUSD")).bids[0][0]
    maker = stopped.send(orderType="lmt", symbol="PF_XBTUSD", side="sell", size=0.01, limitPrice=best + 2)
    taker = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": 0.01, "limitPrice": best + 2}
    assert stopped.send(**taker)["status"] == "selfFill"
    strategy = stopped.v3("self-trade-strategy", "put", strategy="CANCEL_MAKER_SELF")
    assert strategy["strategy"] == stopped.v3("self-trade-strategy")["strategy"] == "CANCEL_MAKER_SELF"
    sent = stopped.send(**taker)
    assert [row["order_id"] for row in stopped.v3("openorders")["openOrders"]] == [sent["order_id"]]
    status = stopped.v3("orders/status", "post", orderIds=maker["order_id"])["orders"]
    assert [(row["status"], row["updateReason"]) for row in status] == [("CANCELLED", "CANCELLED_BY_SELF_TRADE")]
    assert stopped.put(f"{V3}/self-trade-strategy", strategy="NOBODY").status_code == 400
    stopped.v3("cancelallorders", "post")


# Transfers -------------------------------------------------------------------------------------------------------


def test_a_transfer_is_two_rows_of_the_log(exchange, account):
    account.transfer(exchange.now, "flex", "xbt", 0.5)
    move(exchange, account, "flex", "fi_xbtusd", "BTC", Decimal("0.2"))
    debit, credit = account.log[-2:]
    assert {debit.info, credit.info} == {"transfer"}
    assert (debit.margin_account, debit.asset, debit.old_balance, debit.new_balance) == ("flex", "xbt", 0.5, 0.3)
    assert (credit.margin_account, credit.asset, credit.old_balance, credit.new_balance) == (
        "fi_xbtusd",
        "xbt",
        0.0,
        0.2,
    )
    move(exchange, account, "flex", "cash", "USD", Decimal(100))
    assert (account.balances["cash", "usd"], account.balances["flex", "usd"]) == (100.0, 9900.0)


def test_only_what_is_no_margin_can_be_moved(exchange, account):
    exchange.submit(account, order("PF_XBTUSD", "buy", 1))
    free = exchange.flex(account).available
    with pytest.raises(TransferError, match="insufficientFunds"):
        move(exchange, account, "flex", "cash", "usd", Decimal(str(round(free + 1, 2))))
    move(exchange, account, "flex", "cash", "usd", Decimal(str(round(free - 1, 2))))
    assert exchange.flex(account).available == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("source", "target", "unit", "amount", "word"),
    [
        ("flex", "vault", "usd", "1", "invalidAccount"),
        ("flex", "flex", "usd", "1", "invalidAccount"),
        ("flex", "fi_xbtusd", "usd", "1", "invalidUnit"),
        ("flex", "cash", "doge", "1", "invalidUnit"),
        ("flex", "cash", "usd", "0", "invalidAmount"),
        ("flex", "cash", "usd", "1e9", "insufficientFunds"),
        ("cash", "flex", "usd", "1", "insufficientFunds"),
        ("fi_ethusd", "cash", "eth", "1", "insufficientFunds"),
    ],
)
def test_refused_transfers(stopped, source, target, unit, amount, word):
    rows = len(stopped.server.exchange.accounts["empty"].log)
    answer = stopped.post(f"{V3}/transfer", fromAccount=source, toAccount=target, unit=unit, amount=amount)
    assert (answer.status_code, answer.json()["result"], answer.json()["error"]) == (200, "error", word)
    assert len(stopped.server.exchange.accounts["empty"].log) == rows


def test_a_transfer_over_the_wire(stopped):
    answer = stopped.v3("transfer", "post", fromAccount="flex", toAccount="cash", unit="usd", amount="25")
    assert answer.keys() == {"result", "serverTime"}
    assert stopped.v3("accounts")["accounts"]["cash"]["balances"] == {"usd": "25"}
    missing = stopped.post(f"{V3}/transfer", fromAccount="flex", toAccount="cash", unit="usd").json()
    assert missing["error"] == "requiredArgumentMissing"


# What the exchange tells about itself ----------------------------------------------------------------------------


def test_market_states(wire):
    rows = wire.v3("instruments/status")["instrumentStatus"]
    assert [row["tradeable"] for row in rows] == [row["symbol"] for row in wire.v3("instruments")["instruments"]]
    one = wire.v3("instruments/pf_xbtusd/status")
    assert {key: one[key] for key in rows[0]} == rows[0]
    assert wire.get(f"{V3}/instruments/PF_NOPE/status").status_code == 404


def test_fee_schedules_say_what_is_charged(wire):
    [linear, inverse] = wire.v3("feeschedules")["feeSchedules"]
    assert linear["tiers"] == inverse["tiers"] == [{"makerFee": 0.02, "takerFee": 0.05, "usdVolume": 0.0}]
    volumes = wire.v3("feeschedules/volumes")["volumesByFeeSchedule"]
    assert volumes.keys() == {linear["uid"], inverse["uid"]}
    assert volumes[linear["uid"]] > volumes[inverse["uid"]] > 0


def test_the_accounts_own_view(wire):
    rows = wire.v3("trading/instruments")["instruments"]
    plain = wire.v3("instruments")["instruments"]
    assert all(mine.items() >= row.items() for mine, row in zip(rows, plain, strict=True))
    assert next(row for row in rows if row["symbol"] == "PF_XBTUSD")["minimumTradeSize"] == 0.0001
    assert wire.v3("subaccounts")["subaccounts"] == []
    notices = wire.v3("notifications")["notifications"]
    assert {(n["type"], n["priority"]) for n in notices} == {("settlement", "medium")}
    assert [n["effectiveTime"] for n in notices] == sorted(n["effectiveTime"] for n in notices)
    queue = {row["symbol"]: row["percentile"] for row in wire.v3("unwindqueue")["queue"]}
    positions = {p["symbol"]: p for p in wire.v3("openpositions")["openPositions"]}
    assert queue.keys() == positions.keys()
    assert all((queue[s] > 20) == (p["unrealizedPnl"] > 0) for s, p in positions.items())
