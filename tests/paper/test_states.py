"""Markets in a state out of the ordinary: shown where the exchange shows it, as long as it lasts, and enforced."""

import pytest

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.market.states import MarketState
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .conftest import NOW, Wire
from .specification import TRADING, hold

XBT = {"orderType": "lmt", "symbol": "PF_XBTUSD", "size": 0.01}


@pytest.fixture
def wire():
    """Of an exchange whose clock stands still, and tests move it."""
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty")) as running:
        client = Wire(running)
        yield client
        client.close()


def shown(wire, symbol="PF_XBTUSD"):
    """A market's state as the exchange shows it, in every place that shows it."""
    status = wire.v3(f"instruments/{symbol}/status")
    assert {k: v for k, v in status.items() if k not in ("result", "serverTime")} in wire.v3("instruments/status")[
        "instrumentStatus"
    ]
    ticker = wire.v3(f"tickers/{symbol}")["ticker"]
    (listed,) = [ticker for ticker in wire.v3("tickers", symbol=symbol)["tickers"] if "markPrice" in ticker]
    (instrument,) = [row for row in wire.v3("instruments")["instruments"] if row["symbol"] == symbol]
    assert (ticker["suspended"], ticker["postOnly"]) == (listed["suspended"], listed["postOnly"])
    assert instrument["postOnly"] == ticker["postOnly"]
    return (
        ticker["suspended"],
        ticker["postOnly"],
        status["experiencingDislocation"],
        status["priceDislocationDirection"],
        status["experiencingExtremeVolatility"],
        status["extremeVolatilityInitialMarginMultiplier"],
    )


NORMAL = (False, False, False, None, False, 1)


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ({"suspended": True}, (True, False, False, None, False, 1)),
        ({"post_only": True}, (False, True, False, None, False, 1)),
        ({"dislocated": "BELOW_LOWER_BOUND"}, (False, False, True, "BELOW_LOWER_BOUND", False, 1)),
        ({"dislocated": "ABOVE_UPPER_BOUND"}, (False, False, True, "ABOVE_UPPER_BOUND", False, 1)),
        ({"margin_multiplier": 3}, (False, False, False, None, True, 3)),
    ],
)
def test_a_state_is_shown_as_long_as_it_lasts(wire, state, seen):
    wire.server.faults.market("PF_XBTUSD", **state, start=10, seconds=60)
    states = []
    for seconds in (0, 9, 1, 59, 1):
        wire.server.exchange.clock.advance(seconds)
        states.append(shown(wire))
    assert states == [NORMAL, NORMAL, seen, seen, NORMAL]
    assert shown(wire, "PF_ETHUSD") == NORMAL


def test_the_state_planned_last_holds_while_it_lasts(wire):
    faults, clock = wire.server.faults, wire.server.exchange.clock
    faults.market("PF_XBTUSD", suspended=True, seconds=100)
    faults.market("PF_XBTUSD", start=20, seconds=20)
    faults.market("pf_xbtusd", post_only=True, start=50, seconds=20)
    faults.market("PI_XBTUSD", suspended=True)
    seen = []
    for _ in range(11):
        seen.append(shown(wire)[:2])
        clock.advance(10)
    halted, normal, post_only = (True, False), (False, False), (False, True)
    assert seen == [halted] * 2 + [normal] * 2 + [halted] + [post_only] * 2 + [halted] * 3 + [normal]
    assert shown(wire, "PI_XBTUSD")[0]
    faults.clear()
    assert shown(wire, "PI_XBTUSD") == NORMAL


def test_what_happens_between_two_calls_happens_in_the_state_of_its_time(wire):
    # The engine catches up step by step, so that each change comes at its moment, however late the next call.
    server = wire.server
    server.faults.market("PF_XBTUSD", suspended=True, start=100.5, seconds=200)
    steps, advance_to = [], server.exchange.advance_to

    def watch(when):
        steps.append((when - NOW, server.exchange.states.get("PF_XBTUSD")))
        advance_to(when)

    server.exchange.advance_to = watch
    server.exchange.clock.advance(1000)
    wire.v3("accounts")
    assert steps[:3] == [(100.5, None), (300.5, MarketState(suspended=True)), (1000, None)]


# What is refused --------------------------------------------------------------------------------------------------


def quoted(wire):
    """Best bid and ask."""
    ticker = wire.v3("tickers/PF_XBTUSD")["ticker"]
    return ticker["bid"], ticker["ask"]


def test_a_suspended_market_takes_no_order_but_lets_go_of_them(wire):
    bid, _ = quoted(wire)
    resting = wire.send(**XBT, side="buy", limitPrice=bid - 10)["order_id"]
    wire.server.faults.market("PF_XBTUSD", suspended=True, seconds=600)
    for order_type in ("lmt", "post", "ioc", "mkt"):
        order = XBT | {"orderType": order_type, "side": "buy"}
        assert wire.send(**order, **({} if order_type == "mkt" else {"limitPrice": bid - 10}))["status"] == (
            "marketSuspended"
        )
    assert wire.send(**XBT | {"symbol": "PF_ETHUSD", "side": "buy", "limitPrice": 100})["status"] == "placed"
    assert wire.v3("cancelorder", "post", order_id=resting)["cancelStatus"]["status"] == "cancelled"
    wire.server.exchange.clock.advance(600)
    assert wire.send(**XBT, side="buy", limitPrice=bid - 10)["status"] == "placed"


def test_nothing_trades_and_nothing_fires_while_a_market_is_suspended(wire):
    clock = wire.server.exchange.clock
    bid, ask = quoted(wire)
    limits = [wire.send(**XBT, side=side, limitPrice=price) for side, price in (("buy", bid), ("sell", ask))]
    stop = XBT | {"orderType": "stp", "triggerSignal": "mark"}
    mark = round(wire.v3("tickers/PF_XBTUSD")["ticker"]["markPrice"])
    stops = [wire.send(**stop, side=side, stopPrice=price) for side, price in (("buy", mark + 5), ("sell", mark - 5))]
    wire.server.faults.market("PF_XBTUSD", suspended=True, seconds=6 * 3600)
    clock.advance(6 * 3600 - 1)
    assert wire.v3("fills")["fills"] == []
    assert len(wire.v3("openorders")["openOrders"]) == 4
    clock.advance(60)
    filled = {fill["order_id"] for fill in wire.v3("fills")["fills"]}
    # After six hours the price is somewhere else: of each pair it has come to one.
    assert [sum(sent["order_id"] in filled for sent in pair) for pair in (limits, stops)] == [1, 1]


def test_a_post_only_market_takes_what_adds_to_the_book(wire):
    bid, ask = quoted(wire)
    wire.server.faults.market("PF_XBTUSD", post_only=True)
    assert wire.send(**XBT, side="buy", limitPrice=ask)["status"] == "marketIsPostOnly"
    assert wire.send(**XBT | {"orderType": "mkt"}, side="sell")["status"] == "marketIsPostOnly"
    assert wire.send(**XBT | {"orderType": "ioc"}, side="buy", limitPrice=bid - 10)["status"] == "marketIsPostOnly"
    assert wire.send(**XBT | {"orderType": "post"}, side="buy", limitPrice=bid - 10)["status"] == "placed"


@pytest.mark.parametrize(
    ("bound", "refused", "taken"), [("ABOVE_UPPER_BOUND", "buy", "sell"), ("BELOW_LOWER_BOUND", "sell", "buy")]
)
def test_a_dislocated_market_takes_nothing_that_moves_it_on(wire, bound, refused, taken):
    wire.server.faults.market("PF_XBTUSD", dislocated=bound)
    market = XBT | {"orderType": "mkt"}
    assert wire.send(**market, side=refused)["status"] == "wouldIncreasePriceDislocation"
    assert wire.send(**market, side=taken)["status"] == "placed"


def test_extreme_volatility_multiplies_initial_margin(wire):
    wire.send(**XBT | {"orderType": "mkt"}, side="buy")
    before = wire.v3("accounts")["accounts"]["flex"]
    wire.server.faults.market("PF_XBTUSD", margin_multiplier=3)
    after = wire.v3("accounts")["accounts"]["flex"]
    assert after["initialMargin"] == pytest.approx(3 * before["initialMargin"])
    assert after["maintenanceMargin"] == before["maintenanceMargin"]


def test_states_and_refusals_are_the_specifications(wire):
    faults, base = wire.server.faults, "/derivatives/api/v3"
    faults.maintenance(start=3600, seconds=600)
    for state in (
        {"suspended": True, "dislocated": "ABOVE_UPPER_BOUND", "margin_multiplier": 2},
        {"post_only": True},
        {"dislocated": "BELOW_LOWER_BOUND"},
    ):
        faults.market("PF_XBTUSD", **state)
        for path in ("/instruments", "/instruments/status", "/tickers", "/notifications"):
            hold(TRADING, "get", path, wire.get(base + path))
        answer = wire.post(f"{base}/sendorder", **XBT | {"orderType": "mkt"}, side="sell")
        assert answer.json()["sendStatus"]["status"] != "placed"
        hold(TRADING, "post", "/sendorder", answer)
