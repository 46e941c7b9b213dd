"""Answers hold against the exchange's own specification, where it is on this machine.

Where recordings of the exchange differ from it, the answers follow the recordings, and the tests here say so.
"""

import functools
import json

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.conftest import shared_folder

HISTORY = "/api/history/v3"
READ = ["accounts", "feeschedules", "feeschedules/volumes", "fills", "historical-funding-rates", "instruments"]
READ += ["leveragepreferences", "notifications", "openorders", "openpositions", "orderbook", "pnlpreferences"]
READ += ["self-trade-strategy", "subaccounts", "tickers", "unwindqueue"]
BID = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": 0.01, "limitPrice": 50000}


@pytest.fixture(scope="module")
def check():
    """Validate a payload against the part of a document that a pointer names."""
    folder = shared_folder()
    if folder is None or not (folder / "openapi").is_dir():
        pytest.skip("the official specification is not on this machine (KFUT_SHARED or ../shared)")
    base = "http://specification/"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    @functools.cache
    def retrieve(uri):
        text = (folder / "openapi" / uri.removeprefix(base)).read_text(encoding="utf-8")
        return Resource(yaml.load(text, loader), DRAFT202012)

    registry = Registry(retrieve=retrieve)

    def validate(document, pointer, payload):
        validator = jsonschema.Draft202012Validator({"$ref": f"{base}{document}#{pointer}"}, registry=registry)
        validator.validate(payload)

    return validate


def response(path, method="get"):
    return f"/paths/{path.replace('/', '~1')}/{method}/responses/200/content/application~1json/schema"


@pytest.mark.parametrize("name", READ)
def test_what_is_read(wire, check, name):
    params = {"symbol": "PF_XBTUSD"} if name in ("orderbook", "historical-funding-rates") else {}
    payload = wire.v3(name, **params)
    # Long lists are alike throughout.
    payload = {key: value[-20:] if isinstance(value, list) else value for key, value in payload.items()}
    check("trading/public.yml", response(f"/{name}"), payload)


def test_what_is_done(wire, check):
    def post(name, method="post", **params):
        payload = wire.v3(name, method, **params)
        check("trading/public.yml", response(f"/{name}", method), payload)
        return payload

    sent = post("sendorder", **BID)["sendStatus"]
    post("sendorder", orderType="stp", symbol="PF_XBTUSD", side="sell", size=0.01, stopPrice=50000)
    post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="buy", size=0.01)
    post("sendorder", **(BID | {"limitPrice": 50000.5}))
    post("editorder", orderId=sent["order_id"], size=0.02)
    post("orders/status")
    post("cancelorder", order_id=sent["order_id"])
    items = [{"order": "send", "order_tag": "1", **BID}, {"order": "send", "order_tag": "2", **BID, "size": 50}]
    post("batchorder", json=json.dumps({"batchOrder": items}))
    post("cancelallordersafter", timeout=60)
    post("cancelallordersafter", timeout=0)
    post("cancelallorders")
    post("leveragepreferences", "put", symbol="PF_XBTUSD", maxLeverage=10)
    post("leveragepreferences", "put", symbol="PF_XBTUSD")
    post("pnlpreferences", "put", symbol="PF_XBTUSD", pnlPreference="USD")
    post("self-trade-strategy", "put", strategy="REJECT_TAKER")
    post("transfer", fromAccount="flex", toAccount="cash", unit="usd", amount=1)


@pytest.mark.parametrize(
    "name", ["orders", "account-log", "market/{tradeable}/executions", "market/{tradeable}/orders"]
)
def test_the_history(wire, check, name):
    payload = wire.get(f"{HISTORY}/{name.format(tradeable='PF_XBTUSD')}", count=20).json()
    check("history/api-public.yml", response(f"/{name}"), payload)


def test_triggers(wire, check):
    payload = wire.get(f"{HISTORY}/triggers").json()
    for element in payload["elements"]:
        for event in element["event"].values():
            # Recorded triggers do not have the options that they do not use.
            event["order"]["triggerOptions"] |= {
                "trailingStopOptions": {"maxDeviation": "1", "unit": "Percent"},
                "limitPriceOffset": {"priceOffset": "1", "unit": "Percent"},
            }
    check("history/api-public.yml", response("/triggers"), payload)


def test_executions_in_the_shape_of_2026(wire, check):
    for element in wire.get(f"{HISTORY}/executions", count=20).json()["elements"]:
        execution = element["event"]["Execution"]["execution"]
        check("history/api-public.yml", "/components/schemas/HistoricalOrder", execution["order"])
        check("history/api-public.yml", "/components/schemas/TakerOrderData", execution["orderData"])


def test_position_updates_and_mark_prices_lie_one_level_deeper(wire, check):
    for element in wire.get(f"{HISTORY}/positions", count=100).json()["elements"]:
        check("history/_schemas.yml", "/HistoricalPositionUpdateElement", element["event"]["PositionUpdate"])
    for element in wire.get(f"{HISTORY}/market/PF_XBTUSD/price", count=10).json()["elements"]:
        check("history/_schemas.yml", "/MarkPriceChanged", element["event"]["MarkPriceChanged"])


@pytest.mark.parametrize("kind", ["open-interest", "future-basis", "cvd"])
def test_analytics(wire, check, kind):
    since = int(wire.server.exchange.now) - 7200
    payload = wire.get(f"/api/charts/v1/analytics/PF_XBTUSD/{kind}", since=since, interval=3600).json()
    check("charts/api-public.yml", response("/analytics/{symbol}/{analytics_type}"), payload)
