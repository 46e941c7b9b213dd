"""Plans of faults: which calls they take, when, how often, and the same again from the same seed."""

import itertools
import json
import math
import re
import threading
from collections import Counter
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from kfut_analytics import errors
from kfut_analytics.paper.clock import ManualClock, iso
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.faults.plan import Faults
from kfut_analytics.paper.faults.scenario import KINDS
from kfut_analytics.paper.market.states import MarketState
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey
from kfut_analytics.paper.wire.limits import Limits

from .conftest import NOW, Wire

V3 = "/derivatives/api/v3/"
LOG = "/api/history/v3/account-log"
BID = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": 0.001, "limitPrice": 50000}


@pytest.fixture(scope="module")
def shared():
    return open_empty(0, ManualClock(NOW))


@pytest.fixture
def faults(shared):
    planned = Faults(shared, Limits(enforced=False))
    yield planned
    planned.clear()


@pytest.fixture
def server():
    """Its clock stands still, and tests move it."""
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty")) as running:
        yield running


@pytest.fixture
def wire(server):
    client = Wire(server)
    yield client
    client.close()


def kinds(faults, *calls):
    """What happens to calls, each a method and a path after the trading API's base."""
    taken = [faults.take(method, f"{V3}{path}") for method, path in (call.split() for call in calls)]
    return [None if mishap is None else mishap.kind for mishap in taken]


# Which calls ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "taken", "left"),
    [
        ("sendorder", ["POST sendorder"], ["POST batchorder", "POST sendorder2", "GET xsendorder"]),
        ("*order", ["POST sendorder", "POST editorder"], ["POST cancelallorders", "GET fills"]),
        ("orders/status", ["POST orders/status", "GET orders/status"], ["GET orders"]),
        ("tickers/*", ["GET tickers/PF_XBTUSD"], ["GET tickers"]),
        ("/fills/", ["GET fills"], []),
        ("PUT *preferences", ["PUT leveragepreferences"], ["GET leveragepreferences", "PUT self-trade-strategy"]),
        ("get *", ["GET fills", "GET instruments/status"], ["POST sendorder", "PUT pnlpreferences"]),
        ("*", ["GET fills", "POST sendorder", "PUT pnlpreferences"], []),
    ],
)
def test_operations_with_wildcards_and_methods(faults, operation, taken, left):
    faults.plan(operation, "drop-before", times=None)
    assert kinds(faults, *taken) == ["drop-before"] * len(taken)
    assert kinds(faults, *left) == [None] * len(left)


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/derivatives/api/v3/instruments/status", "instruments/status"),
        ("/derivatives/api/v4/historicalfundingrates", "historicalfundingrates"),
        ("/api/history/v2/orders", "orders"),
        ("/api/history/v3/account-log", "account-log"),
        ("/api/charts/v1/trade/PF_XBTUSD/1h", "trade/PF_XBTUSD/1h"),
        ("/api/auth/v1/api-keys/v3/check", "api-keys/v3/check"),
        ("/api/stats/v1/rebates/self-market-share", "rebates/self-market-share"),
        ("/elsewhere/", "elsewhere"),
    ],
)
def test_an_operation_is_the_path_after_the_base(faults, path, operation):
    faults.plan(operation, "drop-before")
    mishap = faults.take("GET", path)
    assert (mishap.kind, mishap.operation) == ("drop-before", operation)


# How often, and when ----------------------------------------------------------------------------------------------


def test_plans_are_made_one_after_another_and_used_up_so(faults):
    faults.plan("fills", "http-500", times=2)
    faults.plan("fills", "drop-before", skip=1)
    faults.plan("accounts", "truncate")
    assert kinds(faults, *["GET fills"] * 5) == ["http-500", "http-500", None, "drop-before", None]
    assert kinds(faults, *["GET accounts"] * 2) == ["truncate", None]


def test_calls_are_counted_by_method_and_operation_and_the_log_keeps_them(faults):
    faults.plan("*", "http-500", times=None)
    kinds(faults, "GET fills", "PUT leveragepreferences", "GET fills", "GET leveragepreferences")
    found = [(mishap.method, mishap.operation, mishap.call) for mishap in faults.log]
    assert found == [
        ("GET", "fills", 1),
        ("PUT", "leveragepreferences", 1),
        ("GET", "fills", 2),
        ("GET", "leveragepreferences", 1),
    ]
    faults.clear()
    assert kinds(faults, "GET fills") == [None]
    assert len(faults.log) == 4
    faults.plan("fills", "http-500")
    kinds(faults, "GET fills")
    assert faults.log[-1].call == 1


def test_a_window_of_time(faults, shared):
    faults.plan("fills", "http-500", times=None, start=10, end=20)
    seen = {}
    for second in (0, 9, 10, 19, 20, 1000):
        while shared.clock.now() - NOW < second:
            shared.clock.advance(1)
        seen[second] = kinds(faults, "GET fills") == ["http-500"]
    assert seen == {0: False, 9: False, 10: True, 19: True, 20: False, 1000: False}


# At random --------------------------------------------------------------------------------------------------------

RATES = {"drop-before": 0.1, "drop-after": 0.05, "http-500-after": 0.2, "delay": 0.01}


def drawn(faults, method, path, count):
    return [kinds(faults, f"{method} {path}")[0] for _ in range(count)]


def test_the_same_seed_gives_the_same_calls_whatever_else_is_asked(faults):
    faults.at_random(7, RATES)
    alone = {name: drawn(faults, "POST", name, 200) for name in ("sendorder", "editorder")}
    faults.clear()
    faults.at_random(7, RATES)
    mixed = {"sendorder": [], "editorder": [], "cancelorder": []}
    for name in itertools.islice(itertools.cycle(["sendorder", "cancelorder", "editorder", "sendorder"]), 800):
        mixed[name] += drawn(faults, "POST", name, 1)
    assert mixed["sendorder"][:200] == alone["sendorder"]
    assert mixed["editorder"] == alone["editorder"]
    assert alone["sendorder"] != alone["editorder"]
    faults.clear()
    faults.at_random(8, RATES)
    assert drawn(faults, "POST", "sendorder", 200) != alone["sendorder"]


def test_threads_share_one_sequence(faults):
    faults.at_random(7, RATES)
    alone = drawn(faults, "POST", "sendorder", 1600)
    faults.clear()
    faults.at_random(7, RATES)
    before = len(faults.log)
    threads = [threading.Thread(target=drawn, args=(faults, "POST", "sendorder", 200)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = {mishap.call: mishap.kind for mishap in faults.log[before:]}
    assert together == {call: kind for call, kind in enumerate(alone, start=1) if kind}


def test_the_rates_are_what_was_asked_for(faults):
    faults.at_random(1, RATES, operation="POST sendorder")
    calls = 20_000
    counts = Counter(drawn(faults, "POST", "sendorder", calls))
    for kind, rate in {**RATES, None: 1 - sum(RATES.values())}.items():
        assert abs(counts[kind] - calls * rate) < 5 * math.sqrt(calls * rate * (1 - rate))
    assert drawn(faults, "POST", "cancelorder", 100) == [None] * 100


def test_rates_may_add_up_to_certainty(faults):
    faults.at_random(1, {"drop-before": 0.5, "drop-after": 0.0, "delay": 0.5})
    assert set(drawn(faults, "GET", "fills", 200)) == {"drop-before", "delay"}


def test_only_kinds_that_are_about_time_take_time(faults):
    faults.at_random(1, {kind: 1 / len(KINDS) for kind in KINDS}, seconds=2)
    for _ in range(400):
        faults.take("GET", f"{V3}fills")
    took = {mishap.kind: mishap.seconds for mishap in faults.log}
    assert {kind for kind, seconds in took.items() if seconds == 2} == {"delay", "delay-after", "trickle"}
    assert {took[kind] for kind in set(KINDS) - {"delay", "delay-after", "trickle"}} == {0}


def test_a_plan_with_a_probability(faults):
    faults.plan("fills", "http-500", rate=0.5, times=10, seed=3)
    found = drawn(faults, "GET", "fills", 100)
    assert found.count("http-500") == 10
    assert None in found[:10]


# Plans that make no sense -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kind": "explode"}, "kind is 'explode': the faults are delay, "),
        ({"operation": " "}, "operation is ' '"),
        ({"times": 0}, "times is 0"),
        ({"skip": -1}, "skip is -1"),
        ({"seconds": -1}, "seconds is -1"),
        ({"seconds": math.inf}, "seconds is inf"),
        ({"seconds": math.nan}, "seconds is nan"),
        ({"rate": 0}, "rate is 0"),
        ({"rate": 1.5}, "rate is 1.5"),
        ({"start": 5, "end": 5}, "start is 5 and end is 5"),
        ({"start": -1}, "start is -1"),
    ],
)
def test_a_plan_must_make_sense(faults, wrong, words):
    with pytest.raises(errors.ArgumentError, match=words):
        faults.plan(**({"operation": "sendorder", "kind": "delay"} | wrong))
    assert kinds(faults, "POST sendorder") == [None]


@pytest.mark.parametrize("rates", [{}, {"delay": 0.6, "drop-before": 0.5}, {"delay": -0.1}])
def test_probabilities_must_make_sense(faults, rates):
    with pytest.raises(errors.ArgumentError, match="rates is"):
        faults.at_random(1, rates)
    with pytest.raises(errors.ArgumentError, match="explode"):
        faults.at_random(1, {"explode": 0.1})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"symbol": "PF_NONE"}, "symbol is 'PF_NONE'"),
        ({"dislocated": "UP"}, "dislocated is 'UP'"),
        ({"margin_multiplier": 0}, "margin_multiplier is 0"),
        ({"seconds": 0}, "seconds is 0"),
        ({"start": -1}, "start is -1"),
    ],
)
def test_a_market_state_must_make_sense(faults, shared, wrong, words):
    with pytest.raises(errors.ArgumentError, match=words):
        faults.market(**({"symbol": "PF_XBTUSD"} | wrong))
    assert not shared.states


def test_other_numbers_must_make_sense(faults):
    with pytest.raises(errors.ArgumentError, match="seconds is -5"):
        faults.maintenance(seconds=-5)
    with pytest.raises(errors.ArgumentError, match="skew is nan"):
        faults.skew(math.nan)


# A scenario -------------------------------------------------------------------------------------------------------

SCENARIO = {
    "name": "everything at once",
    "faults": [
        {"operation": "POST sendorder", "kind": "drop-after", "times": 2},
        {"operation": "*", "kind": "http-503", "start": 60, "end": 90, "times": None},
    ],
    "random": [{"seed": 7, "operation": "GET *", "rates": {"http-502-html": 1}}],
    "markets": [{"symbol": "pf_ethusd", "suspended": True, "start": 30, "seconds": 60}],
    "maintenance": [{"start": 300, "seconds": 600}],
    "skew": 1,
    "enforce_limits": True,
}


def test_a_scenario_is_a_plain_mapping(server):
    faults, exchange = server.faults, server.exchange
    faults.load(json.loads(json.dumps(SCENARIO)))
    assert kinds(faults, *["POST sendorder"] * 3, "GET fills") == ["drop-after", "drop-after", None, "http-502-html"]
    exchange.advance(60)
    faults.move_on()
    assert exchange.states == {"PF_ETHUSD": MarketState(suspended=True)}
    assert kinds(faults, "POST sendorder") == ["http-503"]
    exchange.advance(240)
    faults.move_on()
    assert not exchange.states
    assert exchange.now == NOW + 301
    assert kinds(faults, "POST sendorder") == ["http-503"]
    faults.clear()
    assert kinds(faults, "POST sendorder", "GET fills") == [None, None]


def test_the_example_of_the_readme_is_a_scenario(faults):
    readme = Path(__file__).resolve().parents[2] / "README.md"
    (example,) = re.findall(r"```json\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    faults.load(json.loads(example))
    assert kinds(faults, *["POST sendorder"] * 2) == ["drop-after", None]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"fault": []}, "unknown field `fault`"),
        ({"faults": [{"operation": "*", "kind": "delay"}, {"operation": "*", "kind": "explode"}]}, r"faults\[1\]"),
        ({"faults": [{"operation": "*", "kind": "delay", "second": 1}]}, "unknown field `second`"),
        ({"faults": [{"kind": "delay"}]}, "missing required field `operation`"),
        ({"faults": [{"operation": "*", "kind": "delay", "seconds": "1"}]}, r"faults\[0\].seconds"),
        ({"random": [{"seed": 1, "rates": {"delay": 2}}]}, r"rates is .*random\[0\]"),
        ({"markets": [{"symbol": "PF_NONE"}]}, "PF_NONE"),
        ({"markets": [{"symbol": "PF_XBTUSD", "dislocated": "UP"}]}, r"markets\[0\].dislocated"),
        ({"maintenance": [{"start": 5}]}, "missing required field `seconds`"),
        ({"skew": "fast"}, "skew"),
        ({"skew": math.nan}, "skew is nan"),
    ],
)
def test_a_scenario_that_cannot_be_understood_plans_nothing(faults, shared, wrong, words):
    good = {"faults": [{"operation": "*", "kind": "delay"}], "markets": [{"symbol": "PF_XBTUSD", "suspended": True}]}
    with pytest.raises(errors.ArgumentError, match=words):
        faults.load(good | wrong)
    assert kinds(faults, "GET fills") == [None]
    assert not shared.states


# Maintenance, clock and limits on the wire ------------------------------------------------------------------------


def test_maintenance_is_announced_comes_and_goes(wire):
    faults, clock = wire.server.faults, wire.server.exchange.clock
    faults.maintenance(seconds=90, start=60)
    notice = wire.v3("notifications")["notifications"][0]
    assert notice | {"note": ""} == {
        "type": "maintenance",
        "priority": "high",
        "note": "",
        "effectiveTime": iso(NOW + 60, ms=False),
        "expectedDowntimeMinutes": 2,
    }
    assert wire.send(**BID)["status"] == "placed"
    clock.advance(60)
    for path in (f"{V3}accounts", f"{V3}instruments", f"{V3}notifications", LOG, "/api/charts/v1/trade", f"{V3}none"):
        answer = wire.get(path)
        assert answer.status_code == 503
        assert "unavailable" in answer.text.lower()
    assert wire.post(f"{V3}sendorder", **BID).json()["error"] == "Unavailable"
    assert not any(mishap.processed for mishap in faults.log)
    clock.advance(90)
    assert len(wire.v3("openorders")["openOrders"]) == 1
    assert all(notice["type"] != "maintenance" for notice in wire.v3("notifications")["notifications"])


def server_time(wire):
    answer = wire.get(f"{V3}instruments/status")
    return answer.json()["serverTime"], parsedate_to_datetime(answer.headers["date"]).timestamp()


def test_a_clock_that_is_wrong(wire):
    faults, exchange = wire.server.faults, wire.server.exchange
    assert server_time(wire) == (iso(NOW), int(NOW))
    faults.skew(5)
    assert server_time(wire) == (iso(NOW + 5), int(NOW + 5))
    late = wire.send(**BID, processBefore=iso(NOW + 4))
    assert late["status"] == "wouldProcessAfterSpecifiedTime"
    assert wire.send(**BID, processBefore=iso(NOW + 6))["status"] == "placed"
    # Put back, it stands still until it is reached, and then is late.
    faults.skew(-10)
    assert server_time(wire) == (iso(NOW + 5), int(NOW + 5))
    exchange.clock.advance(20)
    assert server_time(wire) == (iso(NOW + 10), int(NOW + 10))
    assert wire.send(**BID, processBefore=iso(NOW + 12))["status"] == "placed"


def test_the_limits_are_switched_on_and_off_while_it_runs(wire):
    queue = f"{V3}unwindqueue"  # takes 200 of 500 tokens
    assert [wire.get(queue).json()["result"] for _ in range(4)] == ["success"] * 4
    wire.server.faults.enforce_limits()
    answers = [wire.get(queue).json() for _ in range(3)]
    assert [answer["result"] for answer in answers] == ["success", "success", "error"]
    assert answers[-1]["error"] == "apiLimitExceeded"
    wire.server.faults.enforce_limits(False)
    assert wire.get(queue).json()["result"] == "success"
