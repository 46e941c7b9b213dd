"""Answers hold against the exchange's own specification, where it is on this machine.

Every operation that it has is asked for what there is and for what is refused, by the demo account and by one with
isolated margin, triggers, trailing stops, several currencies and a sub-account. What newer facts change in the
specification is listed in `specification`.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .conftest import NOW, Wire
from .specification import AMENDMENTS, AUTH, BASES, CHARTS, HISTORY, STATS, TRADING, bundle, hold, operations

XBT, UID = "PF_XBTUSD", "00000000-0000-4000-8000-000000000000"
BID = {"orderType": "lmt", "symbol": XBT, "side": "buy", "size": 0.01, "limitPrice": 50000}
EVENTS = {"count": 40, "sort": "asc"}
BATCH = json.dumps({"batchOrder": [{"order": "send", "order_tag": "1", **BID}, {"order": "cancel", "order_id": UID}]})
MOVED = {"fromAccount": "flex", "toAccount": "cash", "unit": "usd", "amount": 1}
TRAILING = {"trailingStopMaxDeviation": 5, "trailingStopDeviationUnit": "PERCENT"}
SIMULATED = json.dumps({"positions": []})


@dataclass
class Asked:
    """An operation, the parameters with which it gives something, and how many say what it refuses.

    Attributes
    ----------
    place
        What stands in the path; ``{child}`` is the sub-account's uid.
    gives
        The HTTP status, or the word with which it is refused at 200.
    refused
        Parameters to refuse, with the status or word; ``None`` for what cannot be asked wrongly.
    """

    document: str
    method: str
    path: str
    params: dict = field(default_factory=dict)
    place: dict = field(default_factory=dict)
    gives: int | str = 200
    refused: tuple[dict, int | str] | None = None
    elsewhere: dict = field(default_factory=dict)


BAD_SYMBOL = ({"symbol": "PF_NOPE"}, 400)
OPERATIONS = [
    Asked(TRADING, "get", "/instruments", refused=({"contractType": "spot"}, 400)),
    Asked(TRADING, "get", "/instruments/status", refused=({"contractType": "spot"}, 400)),
    Asked(TRADING, "get", "/instruments/{symbol}/status", place={"symbol": XBT}, elsewhere={"symbol": "PF_NOPE"}),
    Asked(TRADING, "get", "/tickers", refused=({"contractType": "spot"}, 400)),
    Asked(TRADING, "get", "/tickers/{symbol}", place={"symbol": XBT}, elsewhere={"symbol": "PF_NOPE"}),
    Asked(TRADING, "get", "/orderbook", {"symbol": XBT}, refused=({}, "requiredArgumentMissing")),
    Asked(TRADING, "get", "/history", {"symbol": XBT}, refused=BAD_SYMBOL),
    Asked(TRADING, "get", "/historical-funding-rates", {"symbol": XBT}, refused=({}, 400)),
    Asked(TRADING, "get", "/feeschedules"),
    Asked(TRADING, "get", "/rfqs"),
    Asked(TRADING, "get", "/rfqs/{rfqUid}", place={"rfqUid": UID}, gives="notFound"),
    Asked(TRADING, "get", "/rfqs/open-offers"),
    Asked(TRADING, "post", "/rfqs/{rfqUid}/place-offer", place={"rfqUid": UID}, gives="notFound"),
    Asked(TRADING, "put", "/rfqs/{rfqUid}/replace-offer", place={"rfqUid": UID}, gives="notFound"),
    Asked(TRADING, "delete", "/rfqs/{rfqUid}/cancel-offer", place={"rfqUid": UID}, gives="notFound"),
    Asked(TRADING, "get", "/accounts"),
    Asked(TRADING, "get", "/openpositions"),
    Asked(TRADING, "get", "/openorders"),
    Asked(TRADING, "get", "/fills", refused=({"lastFillTime": "yesterday"}, 400)),
    Asked(TRADING, "get", "/feeschedules/volumes"),
    Asked(TRADING, "get", "/notifications"),
    Asked(TRADING, "get", "/unwindqueue"),
    Asked(TRADING, "get", "/subaccounts"),
    Asked(TRADING, "get", "/subaccount/{subaccountUid}/trading-enabled", elsewhere={"subaccountUid": UID}),
    Asked(
        TRADING,
        "put",
        "/subaccount/{subaccountUid}/trading-enabled",
        {"tradingEnabled": "true"},
        elsewhere={"subaccountUid": UID},
        refused=({}, "requiredArgumentMissing"),
    ),
    Asked(TRADING, "get", "/leveragepreferences"),
    Asked(TRADING, "put", "/leveragepreferences", {"symbol": XBT}, refused=({"symbol": "PI_XBTUSD"}, 500)),
    Asked(TRADING, "get", "/pnlpreferences"),
    Asked(
        TRADING,
        "put",
        "/pnlpreferences",
        {"symbol": XBT, "pnlPreference": "USD"},
        refused=({"symbol": "PF_NOPE", "pnlPreference": "USD"}, 500),
    ),
    Asked(TRADING, "get", "/self-trade-strategy"),
    Asked(TRADING, "put", "/self-trade-strategy", {"strategy": "REJECT_TAKER"}, refused=({"strategy": "?"}, 400)),
    Asked(TRADING, "get", "/portfolio-margining/parameters", gives="Unavailable"),
    Asked(TRADING, "post", "/portfolio-margining/simulate", {"json": SIMULATED}, gives="Unavailable"),
    Asked(TRADING, "post", "/sendorder", BID, refused=({"orderType": "nope"}, 400)),
    Asked(TRADING, "post", "/editorder", {"orderId": UID, "size": 1}, refused=({}, "requiredArgumentMissing")),
    Asked(TRADING, "post", "/cancelorder", {"order_id": UID}, refused=({}, "requiredArgumentMissing")),
    Asked(TRADING, "post", "/orders/status", {"orderIds": [UID, UID]}),
    Asked(TRADING, "post", "/batchorder", {"json": BATCH}, refused=({"json": "{"}, "Json Parse Error")),
    Asked(TRADING, "post", "/cancelallorders", refused=BAD_SYMBOL),
    Asked(TRADING, "post", "/cancelallordersafter", {"timeout": 0}, refused=({"timeout": -1}, 400)),
    Asked(
        TRADING,
        "post",
        "/transfer",
        MOVED,
        refused=(MOVED | {"amount": 10**9}, "insufficientFunds"),
    ),
    Asked(
        TRADING,
        "post",
        "/transfer/subaccount",
        {
            "fromUser": "parent",
            "toUser": "child",
            "fromAccount": "flex",
            "toAccount": "flex",
            "unit": "usd",
            "amount": 1,
        },
        refused=(
            {"fromUser": "?", "toUser": "?", "fromAccount": "flex", "toAccount": "cash", "unit": "usd", "amount": 1},
            "invalidAccount",
        ),
    ),
    Asked(TRADING, "post", "/withdrawal", {"currency": "usd", "amount": 1}, gives="Unavailable"),
    Asked(TRADING, "get", "/assignmentprogram/current"),
    Asked(TRADING, "get", "/assignmentprogram/history"),
    Asked(TRADING, "post", "/assignmentprogram/add", gives="Unavailable"),
    Asked(TRADING, "post", "/assignmentprogram/delete", {"id": 1}, gives="notFound", refused=({"id": "x"}, 400)),
    *(
        Asked(
            HISTORY,
            "get",
            f"/market/{{tradeable}}/{name}",
            EVENTS,
            place={"tradeable": symbol},
            elsewhere={"tradeable": "PF_NOPE"},
            refused=({"since": "yesterday"}, 400),
        )
        for name in ("executions", "orders", "price")
        for symbol in (XBT, "PI_XBTUSD")
    ),
    *(
        Asked(HISTORY, "get", f"/{name}", EVENTS, refused=({"continuation_token": "x"}, 400))
        for name in ("executions", "orders", "triggers", "positions")
    ),
    Asked(
        HISTORY,
        "get",
        "/account-log",
        {"count": 60, "conversion_details": "true", "info": ["futures trade", "funding rate change"]},
        refused=({"count": 0}, 400),
    ),
    Asked(HISTORY, "get", "/accountlogcsv", refused=({"conversion_details": "perhaps"}, 400)),
    Asked(CHARTS, "get", "/"),
    Asked(CHARTS, "get", "/{tick_type}", place={"tick_type": "mark"}, elsewhere={"tick_type": "bid"}),
    Asked(
        CHARTS,
        "get",
        "/{tick_type}/{symbol}",
        place={"tick_type": "mark", "symbol": XBT},
        elsewhere={"tick_type": "mark", "symbol": "PF_NOPE"},
    ),
    *(
        Asked(
            CHARTS,
            "get",
            "/{tick_type}/{symbol}/{resolution}",
            {"count": 20},
            place={"tick_type": kind, "symbol": XBT, "resolution": "1h"},
            elsewhere={"tick_type": kind, "symbol": XBT, "resolution": "2h"},
            refused=({"from": "yesterday"}, 400),
        )
        for kind in ("trade", "mark", "spot")
    ),
    *(
        Asked(
            CHARTS,
            "get",
            "/analytics/{symbol}/{analytics_type}",
            {"since": int(NOW) - 7200, "interval": 3600},
            place={"symbol": XBT, "analytics_type": kind},
            elsewhere={"symbol": "PF_NOPE", "analytics_type": kind},
            refused=({"since": 0}, 400),
        )
        for kind in ("open-interest", "future-basis")
    ),
    Asked(CHARTS, "get", "/analytics/liquidity-pool", {"since": 0, "interval": 60}, gives=404),
    Asked(AUTH, "get", "/api-keys/v3/check"),
    Asked(STATS, "get", "/rebates/self-market-share", gives=204),
]
NAMES = [f"{asked.method} {BASES[asked.document]}{asked.path} {' '.join(asked.place.values())}" for asked in OPERATIONS]


def open_parent():
    """An account with something of everything, and its sub-account."""
    exchange = open_empty(0, ManualClock(NOW))
    parent = exchange.accounts["parent"] = exchange.accounts.pop("empty")
    parent.name = "parent"
    exchange.open_account("child", parent="parent").transfer(NOW, "flex", "usd", 500.0)
    for wallet, currency, amount in (("flex", "xbt", 0.2), ("flex", "eth", 2.0), ("fi_xbtusd", "xbt", 0.1)):
        parent.transfer(NOW, wallet, currency, amount)
    return exchange


def place_orders(client):
    """An open order of every kind."""
    stop = {"symbol": XBT, "side": "sell", "size": 0.01}
    for order in (
        BID,
        BID | {"orderType": "post"},
        stop | {"orderType": "stp", "stopPrice": 50000, "triggerSignal": "index"},
        stop | {"orderType": "take_profit", "stopPrice": 150000, "limitPrice": 149000},
        stop | {"orderType": "trailing_stop", **TRAILING},
    ):
        assert client.send(**order)["status"] == "placed"


@pytest.fixture(scope="module")
def parent() -> Iterator[Wire]:
    key = ApiKey("parent", transfer="FULL_ACCESS")
    with PaperServer(open_parent(), key) as server:
        client = Wire(server)
        client.v3("leveragepreferences", "put", symbol="PF_ETHUSD", maxLeverage=5)
        client.v3("pnlpreferences", "put", symbol="PF_ETHUSD", pnlPreference="BTC")
        for symbol, side, size in ((XBT, "buy", 0.02), ("PF_ETHUSD", "sell", 0.3), ("PI_XBTUSD", "buy", 500)):
            assert client.send(orderType="mkt", symbol=symbol, side=side, size=size)["status"] == "placed"
        place_orders(client)
        server.exchange.advance(7200)
        yield client
        client.close()


@pytest.fixture(params=["demo", "parent"])
def account(request) -> Wire:
    return request.getfixturevalue("wire" if request.param == "demo" else "parent")


def ask(account, asked, params, place):
    child = [a.uid for a in account.server.exchange.accounts.values() if a.parent == "parent"]
    if "subaccountUid" in asked.path and not place:
        if not child:
            pytest.skip("the demo account has no sub-account")
        place = {"subaccountUid": child[0]}
    path = BASES[asked.document] + asked.path.format(**place)
    answer = getattr(account, asked.method)(path, **params)
    hold(asked.document, asked.method, asked.path, answer)
    return answer


def outcome(answer):
    """The HTTP status, or the word of a refusal at 200."""
    if answer.status_code != 200 or "json" not in answer.headers["Content-Type"]:
        return answer.status_code
    payload = answer.json()
    return payload.get("error", 200) if isinstance(payload, dict) else 200


def test_every_operation_of_the_specification_is_asked():
    for document in BASES:
        asked = {(asked.method, asked.path) for asked in OPERATIONS if asked.document == document}
        assert asked == operations(document)


@pytest.mark.parametrize("amendment", AMENDMENTS, ids=lambda amendment: amendment.reason[:60])
def test_what_is_amended_is_otherwise_in_the_specification(amendment):
    document = bundle(amendment.document)
    before = copy.deepcopy(document)
    amendment.apply(document)
    assert document != before


@pytest.mark.parametrize("asked", OPERATIONS, ids=NAMES)
def test_what_is_asked_for(account, asked):
    if asked.path == "/transfer/subaccount" and "parent" not in account.server.exchange.accounts:
        pytest.skip("the demo account has no sub-account")
    answer = ask(account, asked, asked.params, asked.place)
    may_not = asked.path == "/withdrawal" and not account.server.keys[account.key].permits("withdraw")
    assert outcome(answer) == ("authenticationError" if may_not else asked.gives), answer.text


@pytest.mark.parametrize("asked", [a for a in OPERATIONS if a.refused], ids=lambda a: f"{a.method} {a.path}")
def test_what_is_refused(parent, asked):
    params, expected = asked.refused
    assert outcome(ask(parent, asked, params, asked.place)) == expected


@pytest.mark.parametrize("asked", [a for a in OPERATIONS if a.elsewhere], ids=lambda a: f"{a.method} {a.path}")
def test_what_is_not_there(parent, asked):
    assert outcome(ask(parent, asked, asked.params, asked.elsewhere)) == 404


@pytest.mark.parametrize("asked", OPERATIONS, ids=NAMES)
def test_who_may_not_ask(parent, asked, monkeypatch):
    monkeypatch.setattr(parent, "secret", "d3Jvbmc=")
    said = outcome(ask(parent, asked, asked.params, asked.place))
    assert said in ("authenticationError", 401) or said == asked.gives, "public, or refused"


def test_the_life_of_orders(parent):
    def post(name, **params):
        answer = parent.post(f"{BASES[TRADING]}/{name}", **params)
        hold(TRADING, "post", f"/{name}", answer)
        return answer.json()

    parent.v3("cancelallorders", "post")
    place_orders(parent)
    sent = post("sendorder", **BID, cliOrdId="mine")["sendStatus"]
    assert post("sendorder", **(BID | {"limitPrice": 50000.5}))["sendStatus"]["status"] == "invalidPrice"
    assert post("sendorder", **(BID | {"orderType": "ioc"}))["sendStatus"]["status"] == "iocWouldNotExecute"
    far = BID | {"limitPrice": 150000, "orderType": "post"}
    assert post("sendorder", **far)["sendStatus"]["status"] != "placed"
    assert post("sendorder", **(BID | {"processBefore": "2020-01-01T00:00:00Z"}))["sendStatus"]["status"] != "placed"
    assert post("editorder", orderId=sent["order_id"], size=0.02)["editStatus"]["status"] == "edited"
    assert post("editorder", orderId=sent["order_id"], size=0.02)["editStatus"]["status"] == "edited"
    assert post("editorder", cliOrdId="mine", limitPrice=0.3)["editStatus"]["status"] == "invalidPrice"
    for order in parent.v3("openorders")["openOrders"]:
        for _ in range(2):  # the second time has no effect
            assert post("editorder", orderId=order["order_id"], size=0.02)["editStatus"]["status"] == "edited"
    assert len(post("orders/status")["orders"]) > 4
    assert post("cancelorder", order_id="no id")["cancelStatus"]["status"] == "notFound"
    assert post("cancelorder", order_id=sent["order_id"])["cancelStatus"]["status"] == "cancelled"
    mark = parent.v3("tickers/PF_ETHUSD")["ticker"]["markPrice"]
    for kind in ("mkt", "ioc", "fok"):
        order = BID | {"orderType": kind, "side": "sell", "limitPrice": round(0.98 * mark), "symbol": "PF_ETHUSD"}
        assert post("sendorder", **order)["sendStatus"]["orderEvents"][0]["type"] == "EXECUTION"
    items = [
        {"order": "send", "order_tag": "1", **BID, "cliOrdId": "batched"},
        {"order": "send", "order_tag": "2", **BID, "size": 50},
        {"order": "send", "order_tag": "3", **BID, "side": "up"},
        {"order": "edit", "cliOrdId": "batched", "size": 0.02},
        {"order": "edit", "order_id": UID, "size": 0.02},
        {"order": "cancel", "cliOrdId": "batched"},
        {"order": "cancel", "order_id": UID},
    ]
    assert len(post("batchorder", json=json.dumps({"batchOrder": items}))["batchStatus"]) == len(items)
    assert post("cancelallordersafter", timeout=60)["status"]["triggerTime"] != "0"
    assert post("cancelallordersafter", timeout=0)["status"]["triggerTime"] == "0"
    assert len(post("cancelallorders")["cancelStatus"]["cancelledOrders"]) == 5
    assert post("cancelallorders")["cancelStatus"]["status"] == "noOrdersToCancel"
    for name in ("executions", "orders", "triggers", "positions", "account-log"):
        hold(HISTORY, "get", f"/{name}", parent.get(f"{BASES[HISTORY]}/{name}"))
