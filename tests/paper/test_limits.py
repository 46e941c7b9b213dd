"""The exchange's rate limits: what calls cost, whose tokens they are, and how an empty pool is answered."""

import json

import pytest

from kfut_analytics import paper
from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey
from kfut_analytics.paper.wire.limits import cost
from kfut_analytics.paper.wire.params import Params

from .conftest import NOW, Wire

V3 = "/derivatives/api/v3"


# As the exchange publishes it (api-facts 5.1 and 5.2).
PUBLISHED = [
    ("POST", "sendorder", {}, 10),
    ("POST", "editorder", {}, 10),
    ("POST", "cancelorder", {}, 10),
    ("POST", "batchorder", {}, 9),
    ("GET", "accounts", {}, 2),
    ("GET", "openpositions", {}, 2),
    ("GET", "openorders", {}, 2),
    ("GET", "fills", {}, 2),
    ("GET", "fills", {"lastFillTime": "2026-01-01"}, 25),
    ("POST", "cancelallorders", {}, 25),
    ("POST", "cancelallordersafter", {}, 25),
    ("POST", "orders/status", {}, 1),
    ("GET", "unwindqueue", {}, 200),
    ("POST", "withdrawal", {}, 100),
    ("GET", "leveragepreferences", {}, 2),
    ("PUT", "leveragepreferences", {}, 10),
    ("GET", "pnlpreferences", {}, 2),
    ("PUT", "pnlpreferences", {}, 10),
    ("POST", "transfer", {}, 10),
    ("POST", "transfer/subaccount", {}, 10),
    ("GET", "subaccount/5c3b0f56-36a5-4b39-9a41-6d2f6a6d0f01/trading-enabled", {}, 2),  # kfut scan: public
    ("PUT", "self-trade-strategy", {}, 2),
]
PUBLISHED_OF_HISTORY = [
    ("executions", {}, 1),
    ("orders", {}, 1),
    ("triggers", {}, 1),
    ("accountlogcsv", {}, 6),
    ("account-log", {}, 3),
    *(
        ("account-log", {"count": str(count)}, tokens)
        for count, tokens in (
            (1, 1),
            (25, 1),
            (26, 2),
            (50, 2),
            (51, 3),
            (1000, 3),
            (1001, 6),
            (5000, 6),
            (5001, 10),
            (100_000, 10),
        )
    ),
]


@pytest.mark.parametrize(("method", "name", "params", "tokens"), PUBLISHED)
def test_calls_cost_what_is_published(method, name, params, tokens):
    assert cost(method, f"{V3}/{name}", Params(list(params.items()))) == ("derivatives", tokens)


@pytest.mark.parametrize(("name", "params", "tokens"), PUBLISHED_OF_HISTORY)
def test_calls_of_the_history_cost_what_is_published(name, params, tokens):
    assert cost("GET", f"/api/history/v3/{name}", Params(list(params.items()))) == ("history", tokens)


@pytest.mark.parametrize(
    ("text", "instructions"),
    [
        (json.dumps({"batchOrder": [{"order": "cancel", "order_id": "x"}] * 3}), 3),
        (json.dumps({"batchOrder": [{"order": "cancel", "order_id": "x"}] * 3}, separators=(" , ", " : ")), 3),
        (json.dumps({"batchOrder": [{"order": "send", "order_tag": '"order":"order":'}]}), 1),
        (json.dumps({"batchOrder": []}), 0),
        ("{", 0),
        ("[]", 0),
    ],
)
def test_a_batch_costs_its_instructions_however_it_is_written(text, instructions):
    assert cost("POST", f"{V3}/batchorder", Params([("json", text)])) == ("derivatives", 9 + instructions)


@pytest.fixture
def limited():
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty"), enforce_limits=True) as server:
        client = Wire(server)
        yield client
        client.close()


def test_the_trading_pool_holds_500_tokens_and_fills_in_ten_seconds(limited):
    for _ in range(2):
        limited.v3("unwindqueue")
    for _ in range(4):
        limited.v3("fills", lastFillTime="2026-01-01T00:00:00Z")
    answer = limited.get(f"{V3}/accounts")
    assert (answer.status_code, answer.json()["error"]) == (200, "apiLimitExceeded")
    assert answer.json().keys() == {"result", "error", "serverTime"}
    limited.v3("tickers/PF_XBTUSD")
    assert limited.get("/api/history/v3/executions").status_code == 200
    limited.server.exchange.clock.advance(0.2)
    for _ in range(5):
        limited.v3("accounts")
    assert limited.get(f"{V3}/accounts").json()["error"] == "apiLimitExceeded"
    limited.server.exchange.clock.advance(100)
    items = [{"order": "cancel", "order_id": "x"}] * 91
    for _ in range(5):
        limited.v3("batchorder", "post", json=json.dumps({"batchOrder": items}))
    answer = limited.post(f"{V3}/batchorder", json=json.dumps({"batchOrder": items})).json()
    assert answer["error"] == "apiLimitExceeded"


def test_the_history_pool_holds_100_tokens_and_fills_in_ten_minutes(limited):
    for count in (5000, 1000, 50, 25):
        limited.get("/api/history/v3/account-log", count=count)
    for _ in range(14):
        limited.get("/api/history/v3/accountlogcsv")
    for _ in range(4):
        assert limited.get("/api/history/v3/positions").status_code == 200
    answer = limited.get("/api/history/v2/accountlogcsv")
    assert (answer.status_code, answer.headers["rate-limit-reset"]) == (429, "36")
    assert answer.headers["content-type"].startswith("text/plain")
    limited.server.exchange.clock.advance(36)
    assert limited.get("/api/history/v2/accountlogcsv").status_code == 200
    assert limited.get("/api/history/v3/market/PF_XBTUSD/price").status_code == 200


def test_every_account_has_its_own_pools_and_its_keys_share_them(limited):
    limited.server.exchange.open_account("child", parent="empty")
    wires = []
    for account in ("empty", "child"):
        key = ApiKey(account)
        limited.server.keys[key.public] = key
        wires.append(Wire(limited.server))
        wires[-1].key, wires[-1].secret = key.public, key.secret
    for wire in (limited, limited, *wires):
        answer = wire.get(f"{V3}/unwindqueue").json()
        assert answer["result"] == ("error" if wire is wires[0] else "success")
    for wire in wires:
        wire.close()


def test_nobody_is_limited_unless_asked_for(limited):
    limited.server.faults.enforce_limits(False)
    for _ in range(4):
        limited.v3("unwindqueue")
    with paper.start(account="empty", enforce_limits=True) as server:
        client = Wire(server)
        client.v3("unwindqueue")
        client.v3("unwindqueue")
        assert client.get(f"{V3}/unwindqueue").json()["error"] == "apiLimitExceeded"
        client.close()
