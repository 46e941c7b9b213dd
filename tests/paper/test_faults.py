"""Faults on demand: each does what its name says, to the calls it was planned for."""

import time

import pytest
import requests

from kfut_analytics.paper.auth import ApiKey
from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.server import PaperServer

from .conftest import NOW, Wire

V3 = "/derivatives/api/v3"
BID = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": 0.01, "limitPrice": 50000}


@pytest.fixture(scope="module")
def server():
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty")) as running:
        yield running


@pytest.fixture
def wire(server):
    client = Wire(server)
    yield client
    client.v3("cancelallorders", "post")
    client.close()


def open_orders(wire):
    return len(wire.server.exchange.accounts["empty"].orders)


@pytest.mark.parametrize(("kind", "processed"), [("drop-before", 0), ("drop-after", 1)])
def test_a_dropped_connection(wire, kind, processed):
    wire.server.faults.plan("sendorder", kind)
    with pytest.raises(requests.ConnectionError):
        wire.send(**BID)
    assert open_orders(wire) == processed
    assert wire.send(**BID)["status"] == "placed"


def test_a_truncated_answer(wire):
    wire.server.faults.plan("sendorder", "truncate")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        wire.send(**BID)
    assert open_orders(wire) == 1


@pytest.mark.parametrize(
    ("kind", "status", "media_type"), [("http-500", 500, "application/json"), ("http-502-html", 502, "text/html")]
)
def test_somebody_else_answers(wire, kind, status, media_type):
    wire.server.faults.plan("sendorder", kind)
    answer = wire.post(f"{V3}/sendorder", **BID)
    assert (answer.status_code, answer.headers["content-type"]) == (status, media_type)
    assert open_orders(wire) == 0


def test_a_late_answer(wire):
    wire.server.faults.plan("openorders", "delay", seconds=0.2)
    begin = time.monotonic()
    wire.v3("openorders")
    assert time.monotonic() - begin >= 0.2
    begin = time.monotonic()
    wire.v3("openorders")
    assert time.monotonic() - begin < 0.2


def test_plans_follow_one_another_and_touch_nothing_else(wire):
    faults = wire.server.faults
    faults.plan("account-log", "http-500", times=2)
    faults.plan("account-log", "drop-before")
    path = "/api/history/v3/account-log"
    assert wire.get("/api/history/v3/executions").status_code == 200
    assert [wire.get(path).status_code for _ in range(2)] == [500, 500]
    with pytest.raises(requests.ConnectionError):
        wire.get(path)
    assert wire.get(path).status_code == 200
    faults.plan("account-log", "http-500")
    faults.clear()
    assert wire.get(path).status_code == 200


@pytest.mark.parametrize("wrong", [{"kind": "explode"}, {"times": 0}, {"seconds": -1}])
def test_a_plan_must_make_sense(server, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        server.faults.plan("sendorder", **({"kind": "delay"} | wrong))
