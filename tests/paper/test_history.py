"""The history tells the same story as fills, orders and account log, and is paged without gaps or repetitions."""

import csv
import io
from decimal import Decimal

import numpy as np
import pytest

from kfut_analytics.paper.clock import DAY, HOUR, iso
from kfut_analytics.paper.engine.orders import EditRequest, OrderRequest
from kfut_analytics.paper.wire import history
from kfut_analytics.paper.wire.history import Window

V3 = "/api/history/v3"
ORDER = {"uid", "accountUid", "tradeable", "direction", "quantity", "filled", "timestamp", "limitPrice", "orderType"}
ORDER |= {"clientId", "reduceOnly", "lastUpdateTimestamp", "spotData"}
EXECUTION = {"uid", "order", "executionType", "timestamp", "quantity", "price", "markPrice", "limitFilled", "usdValue"}
EXECUTION |= {"orderData"}
PUBLIC_ORDER = {"uid", "tradeable", "direction", "quantity", "timestamp", "limitPrice", "orderType", "reduceOnly"}
PUBLIC_ORDER |= {"lastUpdateTimestamp"}
COLUMNS = (
    "uid,dateTime,account,type,symbol,contract,change,new balance,new average entry price,trade price,mark price,"
    "funding rate,realized pnl,fee,realized funding,collateral,conversion spread percentage,liquidation fee,"
    "position uid,exchange rate,exchange rate from,conversion fee"
)


def send(exchange, account, symbol, side, size, kind="mkt", limit=None, **more):
    price = None if limit is None else Decimal(str(limit))
    return exchange.submit(account, OrderRequest(symbol, side, kind, Decimal(str(size)), limit_price=price, **more))


def story(account, *, triggers=False, **filters):
    filters = {"opened": None, "closed": None} | filters
    events = history.order_records(account, None, triggers=triggers, **filters)
    return [(event.what.change, event.what.reason) for event in events]


@pytest.fixture
def account(exchange):
    return exchange.accounts["empty"]


@pytest.fixture(scope="module")
def log(wire):
    return list(wire.server.exchange.accounts["demo"].log)


# One story -------------------------------------------------------------------------------------------------------


def test_executions_are_the_fills_and_their_fees_are_the_logs(wire, log):
    cash = {row.execution: row for row in log if row.execution and row.asset != row.contract}
    legs = {row.execution: row for row in log if row.execution and row.asset == row.contract}
    elements = wire.elements(f"{V3}/executions", sort="asc")
    executions = [element["event"]["Execution"]["execution"] for element in elements]
    fills = wire.server.exchange.accounts["demo"].fills
    assert [e["uid"] for e in executions] == [fill.fill_id for fill in fills]
    assert {e["uid"] for e in executions} == cash.keys()
    for execution, fill in zip(executions, fills, strict=True):
        assert execution.keys() == EXECUTION
        assert execution["order"].keys() == ORDER
        assert float(execution["orderData"]["fee"]) == cash[execution["uid"]].fee
        assert float(execution["orderData"]["positionSize"]) == legs[execution["uid"]].new_balance
        assert (float(execution["price"]), float(execution["quantity"])) == (fill.price, fill.size)
        assert float(execution["order"]["quantity"]) >= fill.size
        assert execution["order"]["direction"].lower() == fill.side
        assert execution["executionType"] == fill.liquidity
        assert execution["timestamp"] == round(fill.time * 1000)


def test_position_updates_are_the_log(wire, log):
    updates = [e["event"]["PositionUpdate"] for e in wire.elements(f"{V3}/positions", sort="asc")]
    rows = [row for row in log if row.contract and row.asset != row.contract]
    assert len(updates) == len(rows)
    held = {}
    for update, row in zip(updates, rows, strict=True):
        assert (update["tradeable"].lower(), update["timestamp"]) == (row.contract, round(row.date * 1000))
        assert float(update["fee"]) == row.fee
        assert float(update["realizedFunding"]) == row.realized_funding
        assert float(update.get("realizedPnL", 0)) == (row.realized_pnl or 0)
        old, new = float(update["oldPosition"]), float(update["newPosition"])
        assert old == held.get(row.contract, 0.0)
        held[row.contract] = new
        if update["updateReason"] == "fundingRealisation":
            assert (old, update["positionChange"], update["fundingRealizationTime"]) == (
                new,
                "noChange",
                update["timestamp"],
            )
        else:
            assert (update["executionUid"], update["updateReason"]) == (row.execution, "trade")
            assert float(update["executionSize"]) == pytest.approx(abs(new - old))
    account = wire.server.exchange.accounts["demo"]
    assert {k.upper(): v for k, v in held.items() if v} == {s: p.size for s, p in account.positions.items()}


def test_what_happens_to_one_position_shares_its_opening_time(wire):
    opened = {}
    for element in wire.elements(f"{V3}/positions", sort="asc", trades="true"):
        update = element["event"]["PositionUpdate"]
        symbol, change = update["tradeable"], update["positionChange"]
        if change == "open":
            assert update["oldAverageEntryPrice"] is None
            opened[symbol] = update["timestamp"]
        assert update["fillTime"] == opened[symbol]
        if change == "reverse":
            opened[symbol] = update["timestamp"]
    now = {p["symbol"]: p["fillTime"] for p in wire.v3("openpositions")["openPositions"]}
    assert now.items() <= {symbol: iso(ms / 1000) for symbol, ms in opened.items()}.items()


def test_filters_of_position_updates(wire):
    everything = [e["event"]["PositionUpdate"] for e in wire.elements(f"{V3}/positions")]
    for params, wanted in (
        ({"closed": "true"}, {("close", "trade")}),
        ({"opened": "true", "reversed": "true"}, {("open", "trade"), ("reverse", "trade")}),
        ({"funding_realization": "true"}, {("noChange", "fundingRealisation")}),
        ({"closed": "true", "funding_realization": "true"}, set()),
        ({"closed": "false"}, {(u["positionChange"], u["updateReason"]) for u in everything}),
    ):
        found = [e["event"]["PositionUpdate"] for e in wire.elements(f"{V3}/positions", **params)]
        assert {(u["positionChange"], u["updateReason"]) for u in found} == wanted
        assert len(found) == sum((u["positionChange"], u["updateReason"]) in wanted for u in everything)


def test_every_open_order_was_placed_and_no_other_is_left(wire):
    left = {}
    for name in ("orders", "triggers"):
        for element in wire.elements(f"{V3}/{name}", sort="asc"):
            [(kind, event)] = element["event"].items()
            order = event.get("order") or event["newOrder"]
            if kind in ("OrderPlaced", "OrderUpdated", "OrderTriggerPlaced") and float(order["quantity"]):
                left[name, order["uid"]] = order
            else:
                left.pop((name, order["uid"]), None)
    rows = wire.v3("openorders")["openOrders"]
    assert {uid for _, uid in left} == {row["order_id"] for row in rows}


# Orders ----------------------------------------------------------------------------------------------------------


def test_the_journal_of_a_resting_order(exchange, account):
    best = exchange.book(exchange.contract("PF_XBTUSD")).bids[0][0]
    order = send(exchange, account, "PF_XBTUSD", "buy", 0.01, "lmt", best - 2000, cli_ord_id="mine").order
    exchange.edit(account, EditRequest(order_id=order.order_id, limit_price=Decimal(best - 1000)))
    exchange.edit(account, EditRequest(order_id=order.order_id, size=Decimal(50)))
    exchange.cancel(account, order_id=order.order_id)
    assert story(account) == [
        ("placed", "new_user_order"),
        ("updated", "edited_by_user"),
        ("edit rejected", "edited_by_user"),
        ("cancelled", "cancelled_by_user"),
    ]
    updated, refused = account.journal[1:3]
    assert (updated.old.limit_price, updated.order.limit_price) == (best - 2000, best - 1000)
    assert (refused.error, refused.old.size, refused.order.size) == ("INSUFFICIENT_MARGIN", 0.01, 50)
    assert story(account, opened=True) == [("placed", "new_user_order")]
    assert story(account, closed=True) == [("cancelled", "cancelled_by_user")]
    assert len(story(account, closed=False)) == 3
    assert len(story(account, opened=True, closed=True)) == 2
    assert not story(account, opened=False, closed=True)[1:]


def test_the_journal_of_orders_that_trade(exchange, account):
    send(exchange, account, "PF_XBTUSD", "buy", 0.01)
    assert (account.journal[-1].order.remaining, account.journal[-1].order.filled) == (0, 0.01)
    best = exchange.book(exchange.contract("PF_XBTUSD")).bids[0][0]
    send(exchange, account, "PF_XBTUSD", "buy", 0.01, "post", best - 20)
    while account.orders:
        exchange.advance(60)
    assert story(account)[1:] == [("placed", "new_user_order"), ("updated", "full_fill")]
    ask, size = exchange.book(exchange.contract("PF_DOGEUSD")).asks[0]
    send(exchange, account, "PF_DOGEUSD", "buy", size + 1, "ioc", ask)
    assert story(account)[3:] == [("placed", "new_user_order"), ("cancelled", "ioc_would_not_execute_reason")]


def test_refusals_of_the_matching_engine_are_in_the_history(exchange, account):
    best = exchange.book(exchange.contract("PF_XBTUSD")).asks[0][0]
    assert send(exchange, account, "PF_XBTUSD", "buy", 0.01, "post", best).status == "postWouldExecute"
    assert send(exchange, account, "PF_XBTUSD", "buy", 50).status == "insufficientAvailableFunds"
    assert send(exchange, account, "PF_XBTUSD", "sell", 0.01, reduce_only=True).status == "wouldNotReducePosition"
    assert [(r.change, r.reason, r.error) for r in account.journal] == [
        ("rejected", "new_user_order", "POST_WOULD_EXECUTE"),
        ("rejected", "new_user_order", "INSUFFICIENT_MARGIN"),
        ("rejected", "new_user_order", "WOULD_NOT_REDUCE_POSITION"),
    ]


def test_the_journal_of_triggers(exchange, account):
    mark = exchange.market.mark(exchange.contract("PF_XBTUSD"), exchange.now)
    common = {"kind": "stp", "trigger_signal": "mark"}
    sent = send(exchange, account, "PF_XBTUSD", "buy", 0.01, stop_price=Decimal(round(mark * 1.002)), **common).order
    other = send(exchange, account, "PF_XBTUSD", "buy", 0.01, stop_price=Decimal(round(mark * 2)), **common).order
    exchange.edit(account, EditRequest(order_id=other.order_id, stop_price=Decimal(round(mark * 3))))
    exchange.cancel(account, order_id=other.order_id)
    while account.orders:
        exchange.advance(HOUR)
    assert story(account, triggers=True) == [
        ("placed", "new_user_order"),
        ("placed", "new_user_order"),
        ("updated", "edited_by_user"),
        ("cancelled", "cancelled_by_user"),
        ("activated", ""),
    ]
    assert story(account, triggers=True, closed=True) == [("cancelled", "cancelled_by_user"), ("activated", "")]
    assert story(account) == [("placed", "stop_order_triggered")]
    assert account.journal[-1].order.order_id == account.fills[-1].order_id == sent.order_id


def test_a_settlement_is_a_position_update(exchange, account):
    dated = [c for c in exchange.contracts.values() if c.symbol.startswith("FF_XBT") and not exchange.is_expired(c)]
    contract = min(dated, key=lambda c: c.expiry)
    send(exchange, account, contract.symbol, "buy", 0.01)
    exchange.advance(contract.expiry - exchange.now + 1)
    opened, settled = (event.what for event in history.position_updates(account, contract.symbol))
    assert (opened.change, settled.change, settled.reason) == ("open", "close", "settlement")
    assert settled.opened == opened.time


def test_shapes_of_order_and_trigger_events(wire):
    sent = wire.send(orderType="lmt", symbol="PF_ADAUSD", side="buy", size=10, limitPrice="0.3", cliOrdId="shown")
    wire.v3("editorder", "post", orderId=sent["order_id"], size=20)
    wire.v3("cancelorder", "post", order_id=sent["order_id"])
    wire.send(orderType="post", symbol="PF_ADAUSD", side="buy", size=10, limitPrice="0.5")
    stop = wire.send(orderType="stp", symbol="PF_ADAUSD", side="sell", size=10, stopPrice="0.3", limitPrice="0.29")
    wire.v3("cancelorder", "post", order_id=stop["order_id"])
    events = [e["event"] for e in wire.elements(f"{V3}/orders", tradeable="pf_adausd", sort="asc")]
    placed, updated, cancelled, rejected = (next(iter(event.items())) for event in events)
    common = {"reason", "algoId", "origin"}
    assert placed[0] == "OrderPlaced"
    assert placed[1].keys() == common | {"order", "reducedQuantity"}
    assert placed[1]["order"].keys() == ORDER
    assert (placed[1]["order"]["clientId"], placed[1]["order"]["quantity"]) == ("shown", "10")
    assert updated[0] == "OrderUpdated"
    assert updated[1].keys() == common | {"oldOrder", "newOrder", "reducedQuantity"}
    assert (cancelled[0], cancelled[1].keys()) == ("OrderCancelled", common | {"order"})
    assert (rejected[0], rejected[1].keys()) == ("OrderRejected", common | {"order", "orderError"})
    placed, cancelled = (
        next(iter(e["event"].items())) for e in wire.elements(f"{V3}/triggers", tradeable="PF_ADAUSD", sort="asc")
    )
    assert (placed[0], cancelled[0]) == ("OrderTriggerPlaced", "OrderTriggerCancelled")
    assert placed[1]["order"].keys() == (ORDER - {"filled", "spotData"}) | {"accountId", "triggerOptions"}
    assert placed[1]["order"]["triggerOptions"] == {
        "triggerPrice": "0.3",
        "triggerSignal": "LastPrice",
        "triggerSide": "Below",
    }
    assert (placed[1]["order"]["orderType"], placed[1]["order"]["limitPrice"]) == ("Limit", "0.29")


# Pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["executions", "orders", "triggers", "positions"])
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_pages_join_in_both_directions(wire, name, version):
    path = f"/api/history/{version}/{name}"
    days = 60 if name == "triggers" else 8  # triggers are rare
    since = round((wire.server.exchange.now - days * DAY) * 1000)
    down = wire.elements(path, since=since, count=37)
    up = wire.elements(path, since=since, count=41, sort="asc")
    assert down == up[::-1]
    assert len({element["uid"] for element in up}) == len(up) > 2
    times = [element["timestamp"] for element in up]
    assert times == sorted(times)
    middle = times[len(times) // 2]
    later = wire.elements(path, since=middle, sort="asc")
    earlier = wire.elements(path, since=since, before=middle, sort="asc")
    assert earlier + later == up
    assert later[0]["timestamp"] == middle


def test_a_page_holds_a_thousand_at_most_and_a_token_keeps_its_order(wire):
    path = f"{V3}/positions"
    page = wire.get(path, count=5000).json()
    assert (page["len"], page.keys()) == (
        1000,
        {"accountUid", "serverTime", "len", "elements", "continuationToken"},
    )
    for params in (
        {"continuation_token": page["continuationToken"], "sort": "asc"},
        {"continuation_token": "nonsense"},
        {"continuation_token": "AAAA"},
        {"continuation_token": "MS94L2Rlc2M="},
        {"count": 0},
        {"sort": "up"},
        {"since": "yesterday"},
        {"opened": "maybe"},
    ):
        assert wire.get(path, **params).status_code == 400, params
    assert wire.get(f"{V3}/executions", tradeable="PF_NOPE").json()["elements"] == []


def public_orders(wire, since, before):
    """Uids of the orders of a span, told from the executions around it: a maker's order is older than its trade."""
    path = f"{V3}/market/PF_ETHUSD/executions"
    around = wire.elements(path, count=1000, since=since, before=before + 60_000)
    executions = [element["event"]["Execution"]["execution"] for element in around]
    orders = [execution[side] for execution in executions for side in ("makerOrder", "takerOrder")]
    return {order["uid"] for order in orders if since <= order["timestamp"] < before}


@pytest.mark.parametrize("name", ["executions", "orders", "price"])
def test_public_pages_join_in_both_directions(wire, name):
    path, now = f"{V3}/market/PF_ETHUSD/{name}", round(wire.server.exchange.now * 1000)
    span = {"since": now - 1_800_007, "before": now - 300_004}
    down = wire.elements(path, count=23, **span)
    up = wire.elements(path, count=17, sort="asc", **span)
    assert down == up[::-1]
    market, contract = wire.server.exchange.market, wire.server.exchange.contract("PF_ETHUSD")
    start, end = span["since"] / 1000, span["before"] / 1000
    if name == "orders":
        expected = len(public_orders(wire, **span))
    else:
        times = market.knots(start, end) if name == "price" else market.flow(contract, start, end).time
        expected = len(times)
    assert len(up) == expected > 100
    assert all(span["since"] <= element["timestamp"] < span["before"] for element in up)
    assert wire.get(f"{V3}/market/PF_NOPE/{name}").status_code == 404
    newest = wire.get(path, count=1).json()["elements"][0]
    assert now - 60_000 < newest["timestamp"] <= round(wire.server.exchange.now * 1000)
    assert wire.get(path, since=now + 10**9).json()["elements"] == []


def test_public_history_agrees_with_trades_and_marks(wire):
    now = wire.server.exchange.now - 600
    before = round(now * 1000)
    trades = {t["uid"]: t for t in wire.v3("history", symbol="PF_XBTUSD", lastTime=iso(now))["history"]}
    elements = wire.elements(f"{V3}/market/PF_XBTUSD/executions", before=before, since=before - 1_500_000)
    executions = [element["event"]["Execution"]["execution"] for element in elements]
    executions = executions[:100]
    assert [e["uid"] for e in executions] == list(trades)
    orders = wire.elements(f"{V3}/market/PF_XBTUSD/orders", before=before, since=before - 1_510_000)
    placed = {e["event"]["OrderPlaced"]["order"]["uid"]: e for e in orders}
    for execution in executions:
        trade = trades[execution["uid"]]
        assert (float(execution["price"]), float(execution["quantity"])) == (trade["price"], trade["size"])
        maker, taker = execution["makerOrder"], execution["takerOrder"]
        assert maker.keys() == taker.keys() == PUBLIC_ORDER
        assert taker["direction"].lower() == trade["side"] != maker["direction"].lower()
        assert maker["timestamp"] < taker["timestamp"] == execution["timestamp"]
        assert placed[maker["uid"]]["timestamp"] == maker["timestamp"]
    prices = wire.elements(f"{V3}/market/PF_XBTUSD/price", before=before + 5000, since=before - 1_500_000)
    # Between two changes the mark price is a straight line.
    prices = [(e["timestamp"], float(e["event"]["MarkPriceChanged"]["price"])) for e in reversed(prices)]
    marks = np.interp([e["timestamp"] for e in executions], *zip(*prices, strict=True))
    np.testing.assert_allclose([float(e["markPrice"]) for e in executions], marks, rtol=1e-10)


def test_prices_bend_every_five_seconds(exchange):
    exchange.advance(120)
    window = Window(None, None, newest_first=True, count=100)
    page = history.mark_prices(exchange.market, exchange.contract("PF_XBTUSD"), window, exchange.now)
    steps = {a.ms - b.ms for a, b in zip(page.events, page.events[1:], strict=False)}
    assert steps == {5000}
    newest = page.events[0]
    assert newest.what == exchange.market.mark(exchange.contract("PF_XBTUSD"), newest.ms / 1000)


# The account log as CSV ------------------------------------------------------------------------------------------


def test_the_csv_is_the_log_newest_first(wire, log):
    answer = wire.get(f"{V3}/accountlogcsv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines()[0] == COLUMNS
    rows = list(csv.DictReader(io.StringIO(answer.text)))[::-1][: len(log)]
    for row, entry in zip(rows, log, strict=True):
        assert (row["uid"], row["type"], row["account"]) == (entry.booking_uid, entry.info, entry.margin_account)
        assert (row["symbol"], row["contract"]) == (entry.asset, entry.contract or "")
        assert row["dateTime"] == iso(int(entry.date), ms=False)[:-1].replace("T", " ")
        assert float(row["new balance"]) == entry.new_balance
        assert float(row["change"]) == pytest.approx(entry.new_balance - entry.old_balance)
        for column, value in (
            ("fee", entry.fee),
            ("realized pnl", entry.realized_pnl),
            ("realized funding", entry.realized_funding),
            ("trade price", entry.trade_price),
        ):
            assert row[column] == "" if value is None else float(row[column]) == value
    assert any(row["new balance"] == "0." for row in rows)
    assert wire.get("/api/history/v2/accountlogcsv", conversion_details="true").status_code == 200
