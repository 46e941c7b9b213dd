"""What is common to all operations: paths, methods, permissions, forms of refusals; and what is not offered."""

import http.client
import json
import re
import socket
from dataclasses import replace

import pytest
import requests

from kfut_analytics.paper.clock import ManualClock, iso
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey
from kfut_analytics.paper.wire.call import json_response
from kfut_analytics.paper.wire.operations import OPERATIONS
from kfut_analytics.rest import endpoints

from .conftest import NOW, Wire, signature

V3 = "/derivatives/api/v3"
PERMISSIONS = {"public": None, "any": "any", "read": "read", "full": "full", "withdraw": "withdraw"}
BID = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": 0.01, "limitPrice": 50000}


@pytest.fixture
def stopped():
    """A fresh account with a sub-account on a stopped clock, and its wire."""
    exchange = open_empty(0, ManualClock(NOW))
    exchange.open_account("child", parent="empty")
    with PaperServer(exchange, ApiKey("empty")) as server:
        client = Wire(server)
        yield client
        client.close()


def with_key(wire, key):
    """The same server for another key."""
    wire.server.keys[key.public] = key
    other = Wire(wire.server)
    other.key, other.secret = key.public, key.secret
    return other


# The table --------------------------------------------------------------------------------------------------------


def shape(path):
    """A path without the names of its parameters."""
    return re.sub(r"{\w+(:path)?}", "{}", path)


def test_every_operation_of_our_client_is_there_and_needs_the_same_permission():
    served = {(op.method, shape(op.path)): op.permission for op in OPERATIONS}
    wanted = {(op.method, shape(op.path)): PERMISSIONS[op.permission] for op in endpoints.OPERATIONS.values()}
    assert {key: served.get(key, "absent") for key in wanted} == wanted


def test_what_is_served_beyond_our_client_is_known():
    wanted = {(op.method, shape(op.path)) for op in endpoints.OPERATIONS.values()}
    more = {op.path for op in OPERATIONS if (op.method, shape(op.path)) not in wanted}
    assert {path for path in more if not path.startswith("/api/history/v2/")} == {
        "/api/charts/v1",
        f"{V3}/orders/status",
        f"{V3}/transfers",
        "/api/history/v1/{rest:path}",
        "/api/history/v4/{rest:path}",
    }


@pytest.mark.parametrize("name", ["initialmargin", "initialmargin/maxordersize", "recentorders", "account"])
def test_what_the_exchange_has_withdrawn_or_never_had_is_not_found(wire, name):
    answer = wire.get(f"{V3}/{name}")
    assert (answer.status_code, answer.json()["status"]) == (404, "NOT_FOUND")


# Paths and methods ------------------------------------------------------------------------------------------------


def test_versions_of_the_history(stopped):
    account_log = [stopped.get(f"/api/history/{version}/account-log").content for version in ("v2", "v3")]
    assert account_log[0] == account_log[1]
    trades = [stopped.get(f"/api/history/{v}/market/pf_xbtusd/executions", count=5).content for v in ("v2", "v3")]
    assert trades[0] == trades[1]
    for version in ("v1", "v4"):
        url = f"{stopped.server.base_url}/api/history/{version}/account-log"
        assert requests.get(url, timeout=5, allow_redirects=False).status_code == 302
    assert stopped.get("/api/history/v3/fills").status_code == 404


def test_spellings_of_the_funding_history(stopped):
    hyphens = stopped.get(f"{V3}/historical-funding-rates", symbol="pi_xbtusd").content
    assert stopped.get("/derivatives/api/v4/historicalfundingrates", symbol="PI_XBTUSD").content == hyphens
    assert stopped.get(f"{V3}/historicalfundingrates", symbol="PI_XBTUSD").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", f"{V3}/accounts", {"GET", "HEAD"}),
        ("GET", f"{V3}/sendorder", {"POST"}),
        ("DELETE", f"{V3}/leveragepreferences", {"GET", "HEAD", "PUT"}),
        ("HEAD", f"{V3}/sendorder", {"POST"}),
        ("PATCH", "/api/history/v3/account-log", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(wire, method, path, allowed):
    answer = requests.request(method, wire.server.base_url + path, timeout=5)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    if method != "HEAD" and path.startswith(V3):
        assert answer.json()["errors"] == [{"code": 0, "message": "405 METHOD_NOT_ALLOWED"}]
        assert answer.json()["serverTime"]


def test_head_is_get_without_a_body(wire):
    head = requests.head(f"{wire.server.base_url}{V3}/tickers/PF_XBTUSD", timeout=5)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", [f"{V3}/sendorder", f"{V3}/tickers", "/api/history/v3/account-log"])
def test_browsers_of_other_pages_are_not_let_in(wire, path):
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    asked |= {"Access-Control-Request-Headers": "APIKey,Authent"}
    for method in ("OPTIONS", "GET"):
        answer = requests.request(method, wire.server.base_url + path, headers=asked, timeout=5)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_path_with_a_slash_at_its_end_is_another_one(wire):
    assert wire.get(f"{V3}/accounts/").status_code == 404


def test_connections_are_kept(wire):
    host, port = wire.server.base_url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.connect()
    opened = connection.sock
    for path in ("/tickers/PF_XBTUSD", "/nowhere", "/accounts", "/orderbook?symbol=PF_NOPE"):
        connection.request("GET", V3 + path)
        connection.getresponse().read()
        assert connection.sock is opened, "the server has hung up"
    connection.close()


def test_what_is_no_http_is_refused(wire):
    host, port = wire.server.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert b"400" in raw.recv(1000)


# Parameters -------------------------------------------------------------------------------------------------------


def test_parameters_of_query_and_body_belong_together(stopped):
    path, query, body = f"{V3}/sendorder", "orderType=lmt&symbol=pf_xbtusd&side=buy", "size=0.01&limitPrice=50000"
    url, headers = f"{stopped.server.base_url}{path}?{query}", stopped.headers(path, query + body)
    assert requests.post(url, data=body, headers=headers, timeout=5).json()["sendStatus"]["status"] == "placed"


def test_text_is_signed_as_it_is_sent(stopped):
    path = f"{V3}/openorders"
    for sent, signed, accepted in (
        ("a=x%20y", "a=x%20y", True),
        ("a=x+y", "a=x+y", True),
        ("a=x%20y", "a=x y", False),
        ("a=x%20y", "a=x+y", False),
        ("a=x%20y", "", False),
    ):
        headers = stopped.headers(path, signed)
        answer = requests.get(f"{stopped.server.base_url}{path}?{sent}", headers=headers, timeout=5).json()
        assert (answer["result"] == "success") is accepted, (sent, signed)


def test_what_is_no_form_is_a_bad_request(stopped):
    path, body = f"{V3}/cancelorder", b"order_id=\xff\xfe"
    headers = {"APIKey": stopped.key, "Authent": signature(stopped.secret, path, body)}
    answer = requests.post(stopped.server.base_url + path, data=body, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["errors"]) == (400, [{"code": 0, "message": "400 BAD_REQUEST"}])


@pytest.mark.parametrize("spelling", ["processBefore", "ProcessBefore"])
@pytest.mark.parametrize("name", ["sendorder", "editorder", "cancelorder", "batchorder"])
def test_what_comes_too_late_is_not_done(stopped, name, spelling):
    placed = stopped.send(**BID)["order_id"]
    item = {"order": "cancel", "order_id": placed}
    params = {
        "sendorder": BID,
        "editorder": {"orderId": placed, "size": 0.5},
        "cancelorder": {"order_id": placed},
        "batchorder": {"json": json.dumps({"batchOrder": [item]})},
    }[name]
    payload = stopped.v3(name, "post", **params, **{spelling: "2020-01-01T00:00:00Z"})
    status = next(value for key, value in payload.items() if key.endswith("Status"))
    assert (status[0] if name == "batchorder" else status)["status"] == "wouldProcessAfterSpecifiedTime"
    [order] = stopped.v3("openorders")["openOrders"]
    assert (order["order_id"], order["unfilledSize"]) == (placed, 0.01)
    payload = stopped.v3("cancelorder", "post", order_id=placed, **{spelling: "2100-01-01T00:00:00Z"})
    assert payload["cancelStatus"]["status"] == "cancelled"


def test_an_id_that_cannot_be_one_is_not_repeated(stopped):
    assert "order_id" not in stopped.v3("cancelorder", "post", order_id="x", cliOrdId="y")["cancelStatus"]
    item = {"order": "send", "order_tag": "1", **BID, "cliOrdId": "\ud800"}
    rows = stopped.v3("batchorder", "post", json=json.dumps({"batchOrder": [item]}))["batchStatus"]
    assert rows[0]["cliOrdId"] == "?", "half of a surrogate pair is no text"


def test_contract_types_are_filtered(stopped):
    def symbols(name, **params):
        rows = next(value for value in stopped.v3(name, **params).values() if isinstance(value, list))
        return {row.get("symbol") or row["tradeable"] for row in rows} - {"in_xbtusd"}

    for name in ("instruments", "instruments/status"):
        linear = symbols(name, contractType="flexible_futures")
        inverse = symbols(name, contractType="futures_inverse")
        assert {symbol[0] for symbol in linear | inverse} == {"P", "F"}
        assert not linear & inverse
        assert symbols(name, contractType=["flexible_futures", "futures_inverse"]) == linear | inverse == symbols(name)
        assert symbols(name, contractType="options") == symbols(name, contractType="futures_vanilla") == set()
        assert stopped.get(f"{V3}/{name}", contractType="spot").status_code == 400


# Keys -------------------------------------------------------------------------------------------------------------

CALLS = {
    "any": ("get", "/api/auth/v1/api-keys/v3/check"),
    "read": ("get", f"{V3}/openorders"),
    "read of the history": ("get", "/api/history/v3/account-log"),
    "full": ("post", f"{V3}/cancelallorders"),
    "withdraw": ("post", f"{V3}/withdrawal"),
}


@pytest.mark.parametrize(
    ("general", "transfer", "may"),
    [
        ("NO_ACCESS", "NO_ACCESS", {"any"}),
        ("READ_ONLY", "NO_ACCESS", {"any", "read", "read of the history"}),
        ("FULL_ACCESS", "NO_ACCESS", {"any", "read", "read of the history", "full"}),
        ("NO_ACCESS", "FULL_ACCESS", {"any", "withdraw"}),
        ("FULL_ACCESS", "FULL_ACCESS", set(CALLS)),
    ],
)
def test_a_key_does_what_it_may(stopped, general, transfer, may):
    other = with_key(stopped, ApiKey("empty", general=general, transfer=transfer))
    allowed = set()
    for name, (method, path) in CALLS.items():
        answer = getattr(other, method)(path)
        refused = answer.status_code == 401 or answer.json().get("error") == "authenticationError"
        allowed |= set() if refused else {name}
    assert allowed == may
    checked = other.get("/api/auth/v1/api-keys/v3/check").json()
    assert checked["apiKey"] == other.key
    assert checked["permissions"] == {"general": general, "transfer": transfer}
    other.close()


def test_keys_have_their_own_nonces_and_accounts(stopped):
    second, child = with_key(stopped, ApiKey("empty")), with_key(stopped, ApiKey("child"))
    for wire in (stopped, second, child):
        assert wire.get(f"{V3}/openorders", nonce="5").json()["result"] == "success"
        assert wire.get(f"{V3}/openorders", nonce="5").json()["error"] == "nonceDuplicate"
    second.send(**BID)
    assert len(stopped.v3("openorders")["openOrders"]) == 1
    assert child.v3("openorders")["openOrders"] == []
    second.close()
    child.close()


# Sub-accounts -----------------------------------------------------------------------------------------------------


def test_subaccounts_with_their_figures(stopped):
    exchange = stopped.server.exchange
    uid = exchange.accounts["child"].uid
    moved = {"fromUser": "empty", "toUser": uid, "fromAccount": "flex", "toAccount": "flex", "unit": "usd"}
    stopped.v3("transfer/subaccount", "post", **moved, amount=1000)
    moved |= {"toAccount": "cash"}
    stopped.v3("transfer/subaccount", "post", **moved, amount="25.5")
    child = with_key(stopped, ApiKey("child"))
    assert child.send(orderType="mkt", symbol="PF_XBTUSD", side="buy", size=0.01)["status"] == "placed"
    listed = stopped.v3("subaccounts")
    assert listed["masterAccountUid"] == exchange.accounts["empty"].uid
    [row] = listed["subaccounts"]
    own = child.v3("accounts")["accounts"]
    assert row["accountUid"] == uid
    assert row["holdingAccounts"] == [{"currency": "usd", "amount": 25.5}]
    flex = row["flexAccount"]
    assert {key: flex[key] for key in flex if key != "currencies"} == {
        key: own["flex"][key] for key in flex if key != "currencies"
    }
    [usd] = [holding for holding in flex["currencies"] if holding["currency"] == "usd"]
    assert usd["quantity"] == own["flex"]["currencies"]["USD"]["quantity"]
    assert {account["name"] for account in row["futuresAccounts"]} >= {"f-xbt:usd", "f-eth:usd"}
    assert child.v3("subaccounts") | {"serverTime": ""} == {
        "result": "success",
        "masterAccountUid": exchange.accounts["empty"].uid,
        "subaccounts": [],
        "serverTime": "",
    }
    for account, signs in (("empty", [1, -1, -1]), ("child", [1, 1])):
        log = [row for row in exchange.accounts[account].log if row.info.endswith("transfer")]
        assert [row.new_balance > row.old_balance for row in log] == [sign > 0 for sign in signs]
        assert {row.info for row in log[-2:]} == {"subaccount transfer"}
    child.close()


@pytest.mark.parametrize(
    ("who", "change", "word"),
    [
        ("empty", {"toUser": "nobody"}, "invalidAccount"),
        ("empty", {"toAccount": "nowhere"}, "invalidAccount"),
        ("empty", {"toUser": "empty"}, "invalidAccount"),
        ("empty", {"amount": "1000000"}, "insufficientFunds"),
        ("empty", {"amount": "0"}, "invalidAmount"),
        ("empty", {"unit": "shell"}, "invalidUnit"),
        ("empty", {"unit": "xbt"}, "insufficientFunds"),
        ("child", {}, "invalidAccount"),
    ],
)
def test_refused_transfers_between_accounts(stopped, who, change, word):
    wire = with_key(stopped, ApiKey(who))
    moved = {"fromUser": "empty", "toUser": "child", "fromAccount": "flex", "toAccount": "flex", "unit": "usd"}
    answer = wire.post(f"{V3}/transfer/subaccount", **(moved | {"amount": "1"} | change))
    assert answer.json()["error"] == word
    wire.close()


def test_a_subaccount_whose_trading_is_switched_off_only_cancels(stopped):
    exchange = stopped.server.exchange
    exchange.accounts["child"].transfer(NOW, "flex", "usd", 1000.0)
    path = f"{V3}/subaccount/{exchange.accounts['child'].uid}/trading-enabled"
    child = with_key(stopped, ApiKey("child"))
    assert stopped.get(path).json() == {"tradingEnabled": True}
    placed = child.send(**BID)["order_id"]
    assert stopped.put(path, tradingEnabled="false").json() == {"tradingEnabled": False}
    assert child.post(f"{V3}/sendorder", **BID).json()["error"] == "accountInactive"
    assert child.post(f"{V3}/editorder", orderId=placed, size=1).json()["error"] == "accountInactive"
    items = [{"order": "send", "order_tag": "1", **BID}]
    assert child.post(f"{V3}/batchorder", json=json.dumps({"batchOrder": items})).json()["error"] == "accountInactive"
    assert child.v3("cancelorder", "post", order_id=placed)["cancelStatus"]["status"] == "cancelled"
    assert stopped.put(path, tradingEnabled="true").json() == {"tradingEnabled": True}
    assert child.send(**BID)["status"] == "placed"
    assert child.get(path).status_code == 404, "it is no sub-account of itself"
    child.close()


def test_a_subaccount_has_no_subaccounts(stopped):
    with pytest.raises(ValueError, match="parent is 'child'"):
        stopped.server.exchange.open_account("grandchild", parent="child")


# Answers ----------------------------------------------------------------------------------------------------------


def test_the_account_log_filters_by_several_kinds(wire):
    path = "/api/history/v3/account-log"
    kinds = ["futures trade", "cross-exchange transfer"]
    both = wire.get(path, info=kinds, count=100_000).json()["logs"]
    each = [wire.get(path, info=kind, count=100_000).json()["logs"] for kind in kinds]
    assert all(each)
    assert len(both) == sum(map(len, each))
    every = wire.get(path, count=100_000).json()["logs"]
    assert len(every) > 1000
    middle = every[len(every) // 2]["id"]
    part = wire.get(path, **{"from": middle, "to": middle + 9, "sort": "asc"}).json()["logs"]
    assert [row["id"] for row in part] == list(range(middle, middle + 10))


def test_conversions_have_details_on_demand(stopped):
    account = stopped.server.exchange.accounts["empty"]
    details = {"exchange_rate": 1.0842, "exchange_rate_from": "EUR", "conversion_fee": 0.05}
    account.transfer(NOW, "flex", "usd", 1.0)
    row = account.log[-1]
    account.log.append(replace(row, id=row.id + 1, info="conversion", new_balance=row.old_balance, **details))
    path = "/api/history/v3/account-log"
    assert not details.keys() & stopped.get(path).json()["logs"][0].keys()
    conversion, transfer = stopped.get(path, conversion_details="true", count=2).json()["logs"]
    assert {key: conversion[key] for key in details} == details
    assert not details.keys() & transfer.keys()
    header, newest, *_ = stopped.get("/api/history/v3/accountlogcsv", conversion_details="true").text.splitlines()
    assert header.split(",")[-3:] == ["exchange rate", "exchange rate from", "conversion fee"]
    assert newest.split(",")[-3:] == ["1.0842", "EUR", "0.05"]
    assert stopped.get("/api/history/v3/accountlogcsv").text.splitlines()[1].split(",")[-3:] == ["", "", ""]


def test_zeros_have_no_sign_and_nothing_is_not_a_number():
    assert json_response({"a": [-0.0, 0.0, -0.05, {"b": -0.0}], "c": "-0.0]"}).body == (
        b'{"a":[0.0,0.0,-0.05,{"b":0.0}],"c":"-0.0]"}'
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_response({"a": float("nan")})


def test_every_answer_of_the_trading_api_says_when(stopped):
    # The answer about a sub-account's trading is the exchange's own exception.
    for method, path, params in (
        ("get", "accounts", {}),
        ("get", "nowhere", {}),
        ("get", "tickers/PF_NOPE", {}),
        ("get", "orderbook", {}),
        ("get", "orderbook", {"symbol": "PF_NOPE"}),
        ("put", "accounts", {}),
        ("put", "leveragepreferences", {"symbol": "PF_NOPE"}),
        ("post", "withdrawal", {}),
    ):
        assert getattr(stopped, method)(f"{V3}/{path}", **params).json()["serverTime"] == iso(NOW)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/api/history/v3/orders?sort=up", 401, {"status": "unauthorized", "reason": "authenticationError"}),
        ("/api/history/v3/nothing", 404, {"status": "not found", "reason": "not found"}),
        ("/api/history/v3/market/PF_NOPE/orders", 404, {"status": "not found", "reason": "not found"}),
        (
            "/api/history/v3/market/PF_XBTUSD/orders?sort=up",
            400,
            {"status": "bad request", "reason": "Argument invalid: sort"},
        ),
        ("/api/stats/v1/rebates/self-market-share", 401, {"status": "unauthorized", "reason": "authenticationError"}),
        (
            "/api/auth/v1/api-keys/v3/check",
            401,
            {"error": "authenticationError", "message": "unauthorized", "suberror": None},
        ),
        (
            "/api/charts/v1/mark/PF_XBTUSD/1h?count=x",
            400,
            {
                "result": {"timestamp": [], "more": False, "data": []},
                "errors": [
                    {
                        "severity": "error",
                        "error_class": "Query",
                        "type": "InvalidArgument",
                        "msg": "Argument invalid: count",
                        "field": "count",
                    }
                ],
            },
        ),
    ],
)
def test_each_api_refuses_in_its_own_form(wire, path, status, body):
    answer = requests.get(wire.server.base_url + path, timeout=5)
    assert (answer.status_code, answer.json()) == (status, body)
