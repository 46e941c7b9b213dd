"""The server over real HTTP: authentication, shapes and refusals as recorded from the exchange."""

import base64
import math
import random
import re

import pytest
import requests

from kfut_analytics import paper
from kfut_analytics.errors import ArgumentError
from kfut_analytics.paper.clock import iso
from kfut_analytics.paper.wire import auth

PF = {"symbol", "type", "tickSize", "contractSize", "tradeable", "impactMidSize", "maxPositionSize", "openingDate"}
PF |= {"marginLevels", "fundingRateCoefficient", "maxRelativeFundingRate", "contractValueTradePrecision", "postOnly"}
PF |= {"feeScheduleUid", "mtf", "base", "quote", "pair", "category", "tags", "tradfi", "isExpired"}
PERPETUAL_ONLY = {"fundingRateCoefficient", "maxRelativeFundingRate"}
TICKER = {"symbol", "last", "lastTime", "lastSize", "tag", "pair", "markPrice", "bid", "bidSize", "ask", "askSize"}
TICKER |= {"vol24h", "volumeQuote", "openInterest", "open24h", "high24h", "low24h", "fundingRate", "indexPrice"}
TICKER |= {"fundingRatePrediction", "suspended", "postOnly", "change24h"}
LOG = {"asset", "contract", "booking_uid", "collateral", "date", "execution", "fee", "funding_rate", "id", "info"}
LOG |= {"margin_account", "mark_price", "new_average_entry_price", "new_balance", "old_average_entry_price"}
LOG |= {"old_balance", "realized_funding", "realized_pnl", "trade_price", "conversion_spread_percentage"}
LOG |= {"liquidation_fee", "position_uid"}
FILL = {"fill_id", "symbol", "side", "order_id", "size", "price", "fillTime", "fillType", "realized_pnl", "sequence_id"}
POSITION = {"side", "symbol", "price", "fillTime", "size", "unrealizedFunding", "unrealizedPnl", "pnlCurrency"}
OPEN_ORDER = {"order_id", "symbol", "side", "orderType", "receivedTime", "status", "filledSize", "unfilledSize"}
OPEN_ORDER |= {"reduceOnly", "lastUpdateTime"}
ORDER = {"orderId", "cliOrdId", "type", "symbol", "side", "quantity", "filled", "limitPrice", "reduceOnly"}
ORDER |= {"timestamp", "lastUpdateTimestamp"}
TRIGGER = {"uid", "clientId", "type", "symbol", "side", "quantity", "limitPrice", "triggerPrice", "triggerSide"}
TRIGGER |= {"triggerSignal", "reduceOnly", "timestamp", "lastUpdateTimestamp", "startTime"}
FLEX = {"currencies", "initialMargin", "initialMarginWithOrders", "maintenanceMargin", "balanceValue"}
FLEX |= {"portfolioValue", "collateralValue", "pnl", "unrealizedFunding", "totalUnrealized", "marginEquity"}
FLEX |= {"totalUnrealizedAsMargin", "availableMargin", "excludedCollateralValue", "type"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
V3 = "/derivatives/api/v3"


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, float):
        yield value


# Authentication ---------------------------------------------------------------------------------------------------


def test_the_secret_decodes_to_64_bytes_and_is_not_shown(wire):
    assert len(base64.b64decode(wire.server.api_secret)) == 64
    assert wire.server.api_secret not in repr(wire.server)


def test_accepts_a_signed_request_and_refuses_a_wrong_secret(wire):
    assert wire.v3("accounts")["accounts"]
    right, wire.secret = wire.secret, base64.b64encode(bytes(64)).decode()
    try:
        answer = wire.get(f"{V3}/accounts")
        assert answer.status_code == 200
        assert answer.json().keys() == {"result", "error", "serverTime"}
        assert (answer.json()["result"], answer.json()["error"]) == ("error", "authenticationError")
        history = wire.get("/api/history/v3/account-log")
        assert (history.status_code, history.json()["status"]) == (401, "unauthorized")
        check = wire.get("/api/auth/v1/api-keys/v3/check")
        assert (check.status_code, check.json().keys()) == (401, {"error", "message", "suberror"})
    finally:
        wire.secret = right


@pytest.mark.parametrize("headers", [{}, {"APIKey": "unknown", "Authent": "x"}, {"Authent": "é".encode("latin1")}])
def test_refuses_without_a_known_key(wire, headers):
    answer = requests.get(wire.server.base_url + f"{V3}/accounts", headers=headers, timeout=5)
    assert answer.json()["error"] == "authenticationError"


def test_refuses_a_tampered_parameter(wire):
    path = "/api/history/v3/account-log"
    headers = wire.headers(path, "count=5")
    accepted = requests.get(wire.server.base_url + path + "?count=5", headers=headers, timeout=5)
    assert accepted.status_code == 200
    assert requests.get(wire.server.base_url + path + "?count=6", headers=headers, timeout=5).status_code == 401


def test_a_nonce_is_used_once_and_comes_in_order_but_for_a_moment(wire, monkeypatch):
    def answer(nonce):
        payload = wire.get(f"{V3}/openorders", nonce=nonce).json()
        return payload.get("error", payload["result"])

    assert answer("1000") == "success"
    assert answer("1000") == "nonceDuplicate"
    assert answer("999") == "success"
    assert answer("999") == "nonceDuplicate"
    assert answer("abc") == "authenticationError"
    monkeypatch.setattr(auth, "NONCE_DISORDER", 0.0)
    assert answer("1001") == "success"
    assert answer("1001") == "nonceDuplicate"
    assert answer("998") == "nonceBelowThreshold"
    assert answer("") == "success"


def test_parameters_travel_in_query_or_body(wire):
    query = "orderType=lmt&symbol=pf_ethusd&side=buy&size=0.01&limitPrice=1000"
    path = f"{V3}/sendorder"
    url = wire.server.base_url + path
    in_query = requests.post(f"{url}?{query}", headers=wire.headers(path, query), timeout=5).json()["sendStatus"]
    in_body = requests.post(url, data=query, headers=wire.headers(path, query), timeout=5).json()["sendStatus"]
    assert in_query["status"] == in_body["status"] == "placed"
    wire.v3("cancelallorders", "post", symbol="PF_ETHUSD")


def test_checks_a_key(wire):
    answer = wire.get("/api/auth/v1/api-keys/v3/check").json()
    assert answer["apiKey"] == wire.server.api_key
    assert answer["permissions"] == {"general": "FULL_ACCESS", "transfer": "NO_ACCESS"}


# Market data ------------------------------------------------------------------------------------------------------


def test_instruments(wire):
    rows = {row["symbol"]: row for row in wire.v3("instruments")["instruments"]}
    kinds = {symbol[:2] for symbol in rows}
    assert kinds == {"PF", "PI", "FF", "FI"}
    assert rows["PF_XBTUSD"].keys() == PF
    assert rows["PF_XBTUSD"]["base"] == "BTC"
    assert rows["PI_XBTUSD"].keys() == PF | {"underlying"}
    dated = next(row for symbol, row in rows.items() if symbol.startswith("FI_XBT"))
    assert dated.keys() == (PF | {"underlying", "lastTradingTime"}) - PERPETUAL_ONLY
    assert dated["lastTradingTime"].endswith("T16:00:00Z")
    assert dated["symbol"].endswith(dated["lastTradingTime"][2:10].replace("-", ""))
    assert rows["PI_XBTUSD"]["marginLevels"][0].keys() == {"contracts", "initialMargin", "maintenanceMargin"}
    assert rows["PF_XBTUSD"]["marginLevels"][0].keys() == {
        "numNonContractUnits",
        "initialMargin",
        "maintenanceMargin",
    }
    only = wire.v3("instruments", contractType="futures_inverse")["instruments"]
    assert {row["type"] for row in only} == {"futures_inverse"}


def test_tickers(wire):
    rows = {row["symbol"]: row for row in wire.v3("tickers")["tickers"]}
    assert rows["PF_XBTUSD"].keys() == TICKER
    dated = next(row for symbol, row in rows.items() if symbol.startswith("FF_XBT"))
    assert dated.keys() == TICKER - {"fundingRate", "fundingRatePrediction"}
    assert rows["in_xbtusd"].keys() == rows["rr_xbtusd"].keys() == {"symbol", "last", "lastTime"}
    btc = rows["PF_XBTUSD"]
    assert btc["bid"] < btc["ask"]
    assert btc["low24h"] <= btc["last"] <= btc["high24h"]
    assert len({btc["indexPrice"], btc["markPrice"], btc["last"]}) == 3
    assert all(math.isfinite(value) for value in numbers(list(rows.values())))
    one = wire.v3("tickers/pf_xbtusd")["ticker"]
    assert one.keys() == TICKER
    assert wire.get(f"{V3}/tickers/PF_NOPE").status_code == 404
    assert [row["symbol"] for row in wire.v3("tickers", symbol="pf_ethusd")["tickers"]] == ["PF_ETHUSD"]


def test_order_book(wire):
    book = wire.v3("orderbook", symbol="PF_SOLUSD")["orderBook"]
    bids, asks = [p for p, _ in book["bids"]], [p for p, _ in book["asks"]]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert all(size > 0 for _, size in book["bids"] + book["asks"])


def test_candles(wire):
    charts = "/api/charts/v1"
    assert set(wire.get(f"{charts}/").json()) == {"spot", "mark", "trade"}
    assert "PF_XBTUSD" in wire.get(f"{charts}/trade").json()
    assert set(wire.get(f"{charts}/trade/PF_XBTUSD").json()) >= {"1m", "1h", "1w"}
    answer = wire.get(f"{charts}/trade/PF_XBTUSD/1h", count=5).json()
    assert answer["more_candles"] is True
    assert len(answer["candles"]) == 5
    candle = answer["candles"][-1]
    assert candle.keys() == {"time", "open", "high", "low", "close", "volume"}
    assert candle["time"] % 3_600_000 == 0
    assert float(candle["low"]) <= float(candle["open"]) <= float(candle["high"])
    start = answer["candles"][1]["time"] // 1000
    paged = wire.get(f"{charts}/trade/PF_XBTUSD/1h", **{"from": start, "to": start + 7200}).json()
    assert [c["time"] for c in paged["candles"]] == [(start + 3600 * i) * 1000 for i in range(3)]
    assert paged["candles"][0] == answer["candles"][1]
    later = wire.get(f"{charts}/trade/PF_XBTUSD/1h", **{"from": start + 1, "to": start + 7200}).json()
    assert later["candles"][0]["time"] == (start + 3600) * 1000
    assert len(wire.get(f"{charts}/mark/PF_XBTUSD/1m").json()["candles"]) == 2000
    oldest = wire.get(f"{charts}/mark/PF_XBTUSD/1d", **{"from": 0, "to": 1_680_000_000}).json()
    days = [candle["time"] / 86_400_000 for candle in oldest["candles"]]
    assert iso(86_400 * days[0]) == "2023-01-01T00:00:00.000Z"
    assert days == [days[0] + number for number in range(len(days))]
    assert oldest["more_candles"] is False
    for path in ("nope", "trade/nope", "trade/PF_XBTUSD/2m"):
        assert wire.get(f"{charts}/{path}").status_code == 404


def test_prices_of_millionths_keep_their_digits(wire):
    market, contract = wire.server.exchange.market, wire.server.exchange.contract("PF_PEPEUSD")
    [candle] = wire.get("/api/charts/v1/mark/PF_PEPEUSD/1h", count=1).json()["candles"]
    assert float(candle["open"]) == pytest.approx(market.mark(contract, candle["time"] / 1000), rel=1e-9)
    [change] = wire.get("/api/history/v3/market/PF_PEPEUSD/price", count=1).json()["elements"]
    told = float(change["event"]["MarkPriceChanged"]["price"])
    assert told == pytest.approx(market.mark(contract, change["timestamp"] / 1000), rel=1e-9)


def test_funding_history(wire):
    rates = wire.v3("historical-funding-rates", symbol="PI_XBTUSD")["rates"]
    assert rates[-1].keys() == {"timestamp", "fundingRate", "relativeFundingRate"}
    assert len(rates) == 365 * 24
    assert max(abs(rate["relativeFundingRate"]) for rate in rates) <= 0.005
    now = next(row for row in wire.v3("tickers")["tickers"] if row["symbol"] == "PI_XBTUSD")
    assert now["fundingRate"] == rates[-1]["fundingRate"]
    answer = wire.get("/derivatives/api/v4/historicalfundingrates", symbol="FI_XBTUSD_990101")
    assert answer.status_code == 400


# The account ------------------------------------------------------------------------------------------------------


def test_accounts(wire):
    accounts = wire.v3("accounts")["accounts"]
    assert accounts.keys() == {"cash", "fi_xbtusd", "fi_ethusd", "fi_ltcusd", "fi_xrpusd", "flex"}
    assert accounts["cash"]["type"] == "cashAccount"
    assert accounts["flex"].keys() == FLEX
    currency = {"quantity", "value", "collateral", "available", "excludedCollateral"}
    assert accounts["flex"]["currencies"].keys() == {"USD", "BTC"}
    assert accounts["flex"]["currencies"]["BTC"].keys() == currency
    single = accounts["fi_xbtusd"]
    assert single.keys() == {
        "type",
        "currency",
        "balances",
        "auxiliary",
        "marginRequirements",
        "triggerEstimates",
    }
    assert single["auxiliary"].keys() == {"usd", "pv", "pnl", "af", "funding"}
    assert single["marginRequirements"].keys() == single["triggerEstimates"].keys() == {"im", "mm", "lt", "tt"}
    assert "pi_xbtusd" in single["balances"]
    assert all(isinstance(value, str) for value in single["balances"].values())


def test_positions_orders_and_fills(wire):
    positions = wire.v3("openpositions")["openPositions"]
    assert all(row.keys() == POSITION for row in positions)
    assert {row["pnlCurrency"] for row in positions} == {"USD", "BTC"}
    orders = wire.v3("openorders")["openOrders"]
    optional = {"cliOrdId", "limitPrice", "stopPrice", "triggerSignal"}
    assert all(OPEN_ORDER <= row.keys() <= OPEN_ORDER | optional for row in orders)
    received = [row["receivedTime"] for row in orders]
    assert received == sorted(received, reverse=True)
    page = wire.v3("fills")["fills"]
    assert len(page) == 100
    assert all(FILL <= row.keys() <= FILL | {"cliOrdId"} for row in page)
    times = [row["fillTime"] for row in page]
    assert times == sorted(times, reverse=True)
    assert all(TIME.fullmatch(time) for time in times)


def test_pages_of_fills_cover_them_all(wire):
    seen, last, page = {}, "9999", wire.v3("fills")["fills"]
    while page:
        assert all(row["fillTime"] < last for row in page)
        seen |= {row["fill_id"]: row for row in page}
        last = page[-1]["fillTime"]
        page = wire.v3("fills", lastFillTime=last)["fills"]
    account = wire.server.exchange.accounts["demo"]
    tied = len(account.fills) - len(seen)  # the bound is exclusive: fills of the same instant may be passed over
    assert 0 <= tied < 10


def test_account_log(wire):
    path = "/api/history/v3/account-log"
    answer = wire.get(path).json()
    assert answer.keys() == {"accountUid", "logs"}
    assert len(answer["logs"]) == 500
    assert all(row.keys() == LOG for row in answer["logs"])
    ids = [row["id"] for row in answer["logs"]]
    assert ids == sorted(ids, reverse=True)
    every, first = [], 1
    while page := wire.get(path, **{"from": first, "sort": "asc", "count": 1000}).json()["logs"]:
        every += page
        first = page[-1]["id"] + 1
    assert [row["id"] for row in every] == list(range(1, len(every) + 1))
    assert {row["info"] for row in every} == {"futures trade", "funding rate change", "cross-exchange transfer"}
    assert {row["margin_account"] for row in every} == {"flex", "fi_xbtusd", "fi_ethusd"}
    assert wire.get("/api/history/v2/account-log", count=1).json()["logs"][0]["id"] >= ids[0]
    trades = wire.get(path, info="futures trade", count=5000).json()["logs"]
    fills = {row.fill_id: row for row in wire.server.exchange.accounts["demo"].fills}
    assert {row["execution"] for row in trades} == set(fills)
    middle = every[len(every) // 2]
    since = wire.server.exchange.accounts["demo"].log[middle["id"] - 1].date * 1000
    later = wire.get(path, since=round(since), sort="asc", count=1).json()["logs"]
    assert later[0]["date"] == middle["date"]
    before = wire.get(path, before=round(since), count=1).json()["logs"]
    assert before[0]["date"] < middle["date"]


# Orders -----------------------------------------------------------------------------------------------------------


def test_life_of_a_resting_order(wire):
    status = wire.send(
        orderType="lmt", symbol="PF_XBTUSD", side="buy", size=0.01, limitPrice=50000, cliOrdId="my order+1"
    )
    assert status.keys() == {"status", "receivedTime", "order_id", "orderEvents", "cliOrdId"}
    event = status["orderEvents"][0]
    assert (status["status"], event["type"], event["order"].keys()) == ("placed", "PLACE", ORDER)
    rows = {row["order_id"]: row for row in wire.v3("openorders")["openOrders"]}
    assert rows[status["order_id"]]["cliOrdId"] == "my order+1"
    again = wire.send(
        orderType="lmt", symbol="PF_XBTUSD", side="buy", size=0.01, limitPrice=50000, cliOrdId="my order+1"
    )
    assert again["status"] == "clientOrderIdAlreadyExist"
    book = wire.v3("orderbook", symbol="PF_XBTUSD")["orderBook"]
    assert [50000.0, 0.01] in book["bids"]
    cancel = wire.v3("cancelorder", "post", cliOrdId="my order+1")["cancelStatus"]
    assert cancel.keys() == {"status", "receivedTime", "orderEvents", "order_id", "cliOrdId"}
    assert (cancel["status"], cancel["orderEvents"][0]["type"]) == ("cancelled", "CANCEL")
    assert wire.v3("cancelorder", "post", order_id=status["order_id"])["cancelStatus"]["status"] == "notFound"


def test_a_market_order_is_placed_with_executions(wire):
    before = {p["symbol"]: p for p in wire.v3("openpositions")["openPositions"]}
    status = wire.send(orderType="mkt", symbol="PF_XBTUSD", side="buy", size=0.01)
    event = status["orderEvents"][0]
    assert (status["status"], event["type"], event["orderPriorExecution"]["type"]) == ("placed", "EXECUTION", "ioc")
    assert event.keys() == {
        "executionId",
        "price",
        "amount",
        "orderPriorEdit",
        "orderPriorExecution",
        "takerReducedQuantity",
        "type",
    }
    newest = wire.v3("fills")["fills"][0]
    assert (newest["fill_id"], newest["fillType"]) == (event["executionId"], "taker")
    legs = wire.get("/api/history/v3/account-log", count=2, sort="desc", info="futures trade").json()["logs"]
    assert {leg["execution"] for leg in legs} == {event["executionId"]}
    assert [leg["asset"] for leg in legs] == ["usd", "pf_xbtusd"]
    assert legs[0]["date"] == newest["fillTime"]
    after = {p["symbol"]: p for p in wire.v3("openpositions")["openPositions"]}
    assert after["PF_XBTUSD"]["size"] == pytest.approx(before["PF_XBTUSD"]["size"] + 0.01)
    done = wire.v3("cancelorder", "post", order_id=status["order_id"])["cancelStatus"]
    assert done["status"] == "filled"


def test_a_trigger_rests_as_a_trigger(wire):
    status = wire.send(
        orderType="stp", symbol="PF_XBTUSD", side="sell", size=0.01, stopPrice=50000, triggerSignal="mark"
    )
    trigger = status["orderEvents"][0]["orderTrigger"]
    assert trigger.keys() == TRIGGER
    assert (trigger["triggerSide"], trigger["triggerSignal"]) == ("trigger_below", "mark_price")
    cancel = wire.v3("cancelallorders", "post", symbol="pf_xbtusd")["cancelStatus"]
    assert cancel["cancelOnly"] == "PF_XBTUSD"
    assert {"order_id": status["order_id"]} in cancel["cancelledOrders"]
    assert all("order" in event for event in cancel["orderEvents"])
    none = wire.v3("cancelallorders", "post", symbol="PF_ADAUSD")["cancelStatus"]
    assert (none["status"], none["cancelledOrders"]) == ("noOrdersToCancel", [])


def test_a_refused_post_order_says_why(wire):
    status = wire.send(orderType="post", symbol="PF_ETHUSD", side="buy", size=0.01, limitPrice=2950)
    assert status["status"] == "postWouldExecute"
    assert status["orderEvents"][0].keys() == {"uid", "order", "reason", "type"}
    assert status["orderEvents"][0]["reason"] == "POST_WOULD_EXECUTE"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"orderType": "nope", "symbol": "PF_XBTUSD", "side": "buy", "size": "1"}, 11),
        ({"orderType": "mkt", "symbol": "PF_NOPE", "side": "buy", "size": "1"}, 11),
        ({"orderType": "mkt", "symbol": "PF_XBTUSD", "side": "up", "size": "1"}, 11),
        ({"orderType": "mkt", "symbol": "PF_XBTUSD", "side": "buy", "size": "NaN"}, 11),
        ({"orderType": "mkt", "symbol": "PF_XBTUSD", "side": "buy", "size": "1", "processBefore": "soon"}, 11),
    ],
)
def test_bad_arguments(wire, params, code):
    answer = wire.post(f"{V3}/sendorder", **params)
    assert answer.status_code == 400
    payload = answer.json()
    assert payload.keys() == {"status", "result", "errors", "serverTime"}
    assert (payload["status"], payload["errors"][0]["code"]) == ("BAD_REQUEST", code)


@pytest.mark.parametrize("missing", ["orderType", "symbol", "side", "size", "limitPrice"])
def test_missing_arguments(wire, missing):
    params = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": "1", "limitPrice": "1"}
    del params[missing]
    payload = wire.post(f"{V3}/sendorder", **params).json()
    assert (payload["result"], payload["error"]) == ("error", "requiredArgumentMissing")


def test_unknown_paths_are_json(wire):
    for path in (f"{V3}/nope", "/api/history/v3/nope", "/"):
        answer = wire.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert wire.get(f"{V3}/sendorder").status_code == 405


def test_edits_an_order_in_place(wire):
    sent = wire.send(orderType="lmt", symbol="PF_XBTUSD", side="buy", size=0.01, limitPrice=50000)
    edit = wire.v3("editorder", "post", orderId=sent["order_id"], size=0.02, limitPrice=50001)["editStatus"]
    assert edit.keys() == {"status", "orderId", "receivedTime", "orderEvents"}
    event = edit["orderEvents"][0]
    assert (edit["status"], event["type"]) == ("edited", "EDIT")
    assert event["old"].keys() == event["new"].keys() == ORDER
    assert (event["old"]["limitPrice"], event["new"]["limitPrice"], event["new"]["quantity"]) == (50000, 50001, 0.02)
    same = wire.v3("editorder", "post", orderId=sent["order_id"], size=0.02)["editStatus"]
    assert (same["status"], same["orderEvents"][0]["reason"]) == ("edited", "EDIT_HAS_NO_EFFECT")
    off = wire.v3("editorder", "post", orderId=sent["order_id"], limitPrice=50000.5)["editStatus"]
    assert off["status"] == "invalidPrice"
    none = wire.v3("editorder", "post", orderId="nope", size=1)["editStatus"]
    assert none["status"] == "orderForEditNotFound"
    wire.v3("cancelorder", "post", order_id=sent["order_id"])


def test_status_of_orders_open_and_just_closed(wire):
    sent = wire.send(orderType="lmt", symbol="PF_XBTUSD", side="buy", size=0.01, limitPrice=50000, cliOrdId="ask me")
    status = wire.v3("orders/status", "post", cliOrdIds="ask me")["orders"]
    assert [row["status"] for row in status] == ["ENTERED_BOOK"]
    assert status[0].keys() == {"order", "status", "updateReason", "error"}
    assert status[0]["order"].keys() == ORDER | {"priceTriggerOptions", "triggerTime", "algoId"}
    wire.v3("cancelorder", "post", order_id=sent["order_id"])
    status = wire.v3("orders/status", "post", orderIds=sent["order_id"])["orders"]
    assert [(row["status"], row["updateReason"]) for row in status] == [("CANCELLED", "CANCELLED_BY_USER")]
    done = wire.send(orderType="mkt", symbol="PF_XBTUSD", side="buy", size=0.01)
    status = wire.v3("orders/status", "post", orderIds=done["order_id"])["orders"]
    assert [(row["status"], row["order"]["filled"]) for row in status] == [("FULLY_EXECUTED", 0.01)]


def test_public_trades_agree_with_candles(wire):
    charts = wire.get("/api/charts/v1/trade/PF_XBTUSD/5m", count=3).json()["candles"]
    closed = charts[-2]
    end = closed["time"] / 1000 + 300
    rows = wire.v3("history", symbol="PF_XBTUSD", lastTime=iso(end))["history"]
    assert rows[0].keys() == {"uid", "trade_id", "time", "price", "size", "side", "type"}
    times = [row["time"] for row in rows]
    assert times == sorted(times, reverse=True)
    inside = [row for row in rows if row["time"] >= iso(closed["time"] / 1000)]
    assert sum(row["size"] for row in inside) == pytest.approx(float(closed["volume"]))
    assert min(row["price"] for row in inside) >= float(closed["low"])
    assert max(row["price"] for row in inside) <= float(closed["high"])
    assert inside[0]["price"] == float(closed["close"])
    # A candle opens where the one before closed.
    assert rows[len(inside)]["price"] == float(closed["open"])


def test_odd_arguments_are_refused_and_never_break_the_server(wire):
    rng = random.Random(1)
    names = ["orderType", "symbol", "side", "size", "limitPrice", "stopPrice", "reduceOnly", "processBefore", "orderId"]
    names += ["since", "before", "from", "to", "count", "sort", "lastFillTime", "lastTime", "order_id", "cliOrdId"]
    values = ["0", "-1", "1e30", "nan", "é", "lmt", "stp", "mkt", "buy", "PF_XBTUSD", "pi_ethusd", "9" * 20, "0.01"]
    values += ["2026-01-01T00:00:00Z", "0001-01-01", "9999-12-31T23:59:59Z", "%", "\0", "asc", "true", "88000"]
    gets = ("orderbook", "history", "fills")
    posts = ("sendorder", "editorder", "cancelorder", "cancelallorders", "orders/status")
    for _ in range(60):
        params = {name: rng.choice(values) for name in rng.sample(names, 6)}
        for method, path in (
            ("get", f"{V3}/{rng.choice(gets)}"),
            ("get", rng.choice(["/api/history/v3/account-log", "/api/charts/v1/trade/PF_XBTUSD/1h"])),
            ("post", f"{V3}/{rng.choice(posts)}"),
        ):
            answer = getattr(wire, method)(path, **params)
            assert answer.status_code in (200, 400, 404), (path, params, answer.text)
            assert all(math.isfinite(value) for value in numbers(answer.json()))


def test_a_fault_of_the_server_is_json(wire, monkeypatch, caplog):
    monkeypatch.setattr(type(wire.server.exchange), "book", None)
    answer = wire.get(f"{V3}/orderbook", symbol="PF_XBTUSD")
    assert (answer.status_code, answer.json()["status"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "orderbook failed" in caplog.text


# The server -------------------------------------------------------------------------------------------------------


def test_starts_empty_and_closes_twice():
    with paper.start(account="empty") as server:
        assert server.exchange.flex(server.exchange.accounts["empty"]).portfolio_value == 10_000
        port = int(server.base_url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            paper.start(account="empty", port=port)
    server.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.base_url, timeout=1)


def test_unknown_account_is_refused():
    with pytest.raises(ArgumentError, match="account is 'mine': the paper exchange has 'demo' and 'empty'"):
        paper.start(account="mine")
