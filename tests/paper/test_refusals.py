"""Every refusal of an order that can happen does happen, with the exchange's word (api-facts 4.2 to 4.5)."""

from decimal import Decimal

import pytest

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.engine import checks
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.leverage import change_leverage
from kfut_analytics.paper.engine.orders import EditRequest, LimitOffset, OrderRequest, Trailing
from kfut_analytics.paper.market.protocol import Quotes
from kfut_analytics.paper.market.states import MarketState

from .scripted import ScriptedMarket

START = 1_795_334_400.0
SYMBOL = "PF_XBTUSD"


@pytest.fixture
def exchange():
    market = ScriptedMarket(START, depth=4e6)
    market.go("XBT", (0, 80_000))
    exchange = Exchange(clock=ManualClock(START), market=market)
    exchange.open_account("trader").transfer(START, "flex", "usd", 100_000.0)
    return exchange


@pytest.fixture
def account(exchange):
    return exchange.accounts["trader"]


@pytest.fixture
def send(exchange, account):
    def send(kind="lmt", side="buy", size="0.1", limit=None, stop=None, symbol=SYMBOL, **more):
        limit, stop = (None if price is None else Decimal(price) for price in (limit, stop))
        return exchange.submit(account, OrderRequest(symbol, side, kind, Decimal(size), limit, stop, **more))

    return send


def state(exchange, **what):
    exchange.states[SYMBOL] = MarketState(**what)


# What is sent, and how it is refused; a function prepares the stage.
REFUSALS = {
    "off the tick": ({"limit": "70000.5"}, "invalidPrice", None),
    "no price at all": ({"limit": "0"}, "invalidPrice", None),
    "off the step": ({"size": "0.00005", "limit": "70000"}, "invalidSize", None),
    "nothing": ({"size": "0", "limit": "70000"}, "invalidSize", None),
    "too long a name": ({"limit": "70000", "cli_ord_id": "x" * 101}, "clientOrderIdTooBig", None),
    "no name": ({"limit": "70000", "cli_ord_id": "a\nb"}, "clientOrderIdInvalid", None),
    "too late": ({"limit": "70000", "process_before": START - 1}, "wouldProcessAfterSpecifiedTime", None),
    "far through the market": ({"limit": "90000"}, "outsidePriceCollar", None),
    "post that would take": ({"kind": "post", "limit": "80001"}, "postWouldExecute", None),
    "ioc beside the market": ({"kind": "ioc", "limit": "79000"}, "iocWouldNotExecute", None),
    "fok larger than the book": ({"kind": "fok", "size": "60", "limit": "80001"}, "iocWouldNotExecute", None),
    "more than one may hold": ({"size": "1201", "limit": "70000"}, "maxPositionViolation", None),
    "more than one can pay": ({"size": "200", "limit": "70000"}, "insufficientAvailableFunds", None),
    "nothing to reduce": ({"limit": "80001", "reduce_only": True}, "wouldNotReducePosition", None),
    "stop with nothing to reduce": (
        {"kind": "stp", "side": "sell", "stop": "70000", "reduce_only": True},
        "wouldNotReducePosition",
        None,
    ),
    "suspended": ({"limit": "70000"}, "marketSuspended", lambda e, send: state(e, suspended=True)),
    "post-only": ({"limit": "80001"}, "marketIsPostOnly", lambda e, send: state(e, post_only=True)),
    "dislocated": (
        {"limit": "80001"},
        "wouldIncreasePriceDislocation",
        lambda e, send: state(e, dislocated="ABOVE_UPPER_BOUND"),
    ),
    "a name twice": (
        {"limit": "70000", "cli_ord_id": "mine"},
        "clientOrderIdAlreadyExist",
        lambda e, send: send(limit="60000", cli_ord_id="mine"),
    ),
    "one's own order": ({"limit": "80000"}, "selfFill", lambda e, send: send(side="sell", limit="80000")),
    "too many orders": (
        {"limit": "69000"},
        "tooManyOrders",
        lambda e, send: [send(size="0.001", limit=str(60_000 + n)) for n in range(checks.MAX_OPEN_ORDERS)],
    ),
    "too many small orders": (
        {"size": "0.0001", "limit": "69000"},
        "tooManySmallOrders",
        lambda e, send: [send(size="0.0001", limit=str(60_000 + n)) for n in range(checks.MAX_SMALL_ORDERS)],
    ),
    "above the leverage of its tier": (
        {"size": "20", "limit": "79000"},
        "fixedLeverageTooHigh",
        lambda e, send: change_leverage(e, e.accounts["trader"], e.contract(SYMBOL), 90.0),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_orders(exchange, account, send, case):
    request, word, prepare = REFUSALS[case]
    if prepare is not None:
        prepare(exchange, send)
    log, orders = list(account.log), dict(account.orders)
    assert send(**request).status == word
    assert (account.log, account.orders) == (log, orders)


def test_a_market_that_is_over_is_inactive(exchange, send):
    expired = next(c for c in exchange.contracts.values() if exchange.is_expired(c) and c.symbol.startswith("FF_XBT"))
    assert send(symbol=expired.symbol, limit="70000").status == "marketInactive"


def test_a_bad_price_that_would_lead_to_liquidation_is_refused(exchange, account, send, monkeypatch):
    account.transfer(START, "flex", "usd", -98_150.0)
    assert send(kind="mkt", size="2").status == "placed"
    # A short quarter against the long perpetual needs no more margin; sold 1,000 below the mark price it would cost
    # what keeps the account above its maintenance margin of 800.
    quarter = next(s for s, c in exchange.contracts.items() if s.startswith("FF_XBT") and not exchange.is_expired(c))
    usual = exchange.market.quotes
    monkeypatch.setattr(
        exchange.market,
        "quotes",
        lambda contract, t: Quotes([(79_000.0, 9.0)], []) if contract.symbol == quarter else usual(contract, t),
    )
    assert send(kind="ioc", side="sell", size="1", limit="79000", symbol=quarter).status == "wouldCauseLiquidation"
    assert send(kind="ioc", side="sell", size="0.5", limit="79000", symbol=quarter).status == "placed"


TRIGGERS = {
    "TRAILING_STOP_PERCENT_DEVIATION_EXCEEDS_MAX_DECIMAL_PLACES": {"trailing": Trailing(Decimal("1.25"), "PERCENT")},
    "TRAILING_STOP_MAX_DEVIATION_TOO_SMALL": {"trailing": Trailing(Decimal("0"), "PERCENT")},
    "TRAILING_STOP_MAX_DEVIATION_TOO_LARGE": {"trailing": Trailing(Decimal("50.1"), "PERCENT")},
    "TRAILING_STOP_QUOTE_DEVIATION_NOT_MULTIPLE_OF_TICK_SIZE": {
        "trailing": Trailing(Decimal("10.5"), "QUOTE_CURRENCY")
    },
    "LIMIT_PRICE_SET_AS_ABSOLUTE_AND_RELATIVE": {
        "limit": "69000",
        "stop": "70000",
        "offset": LimitOffset(Decimal(10), "QUOTE_CURRENCY"),
    },
    "LIMIT_PRICE_OFFSET_QUOTE_CURRENCY_VALUE_MUST_BE_MULTIPLE_OF_TICK_SIZE": {
        "stop": "70000",
        "offset": LimitOffset(Decimal("10.5"), "QUOTE_CURRENCY"),
    },
    "LIMIT_PRICE_OFFSET_PERCENT_VALUE_TOO_MANY_DECIMAL_PLACES": {
        "stop": "70000",
        "offset": LimitOffset(Decimal("0.25"), "PERCENT"),
    },
    "LIMIT_PRICE_OFFSET_TOO_HIGH": {"stop": "70000", "offset": LimitOffset(Decimal(11), "PERCENT")},
    "LIMIT_PRICE_OFFSET_TOO_LOW": {"stop": "70000", "offset": LimitOffset(Decimal(-11), "PERCENT")},
}


@pytest.mark.parametrize("word", TRIGGERS)
def test_refused_triggers_name_the_engines_reason(account, send, word):
    kind = "trailing_stop" if "trailing" in TRIGGERS[word] else "stp"
    outcome = send(kind=kind, side="sell", **TRIGGERS[word])
    assert (outcome.status, [event.reason for event in outcome.events]) == ("invalidPrice", [word])
    assert not account.orders


def test_refused_edits(exchange, account, send):
    resting = send(limit="70000").order
    stop = send(kind="stp", side="sell", stop="60000").order
    trailing = send(kind="trailing_stop", side="sell", trailing=Trailing(Decimal(5), "PERCENT")).order

    def edit(order, **what):
        return exchange.edit(account, EditRequest(order.order_id, **what)).status

    assert exchange.edit(account, EditRequest("unknown", size=Decimal(1))).status == "orderForEditNotFound"
    assert edit(resting, stop_price=Decimal(60_000)) == "orderForEditNotAStop"
    assert edit(resting, limit_price=Decimal("70000.5")) == "invalidPrice"
    assert edit(resting, size=Decimal("0.00001")) == "invalidSize"
    assert edit(resting, size=Decimal(500)) == "insufficientAvailableFunds"
    assert edit(resting, limit_price=Decimal(90_000)) == "outsidePriceCollar"
    assert edit(stop, stop_price=Decimal("60000.5")) == "invalidPrice"
    assert edit(trailing, stop_price=Decimal(60_000)) == "cannotEditTriggerPriceOfTrailingStop"
    assert edit(trailing, limit_price=Decimal(60_000)) == "cannotEditLimitPriceOfTrailingStop"
    assert edit(resting, size=Decimal(1), process_before=START - 1) == "wouldProcessAfterSpecifiedTime"
    own = send(side="sell", limit="80000").order
    assert edit(resting, limit_price=Decimal(80_000)) == "selfFill"
    exchange.cancel(account, order_id=own.order_id)
    post = send(kind="post", limit="70000").order
    assert edit(post, limit_price=Decimal(80_001)) == "postWouldExecute"
    assert account.orders[resting.order_id].limit_price == 70_000.0


def test_cancelling_what_is_not_there(exchange, account, send):
    assert exchange.cancel(account, order_id="unknown").status == "notFound"
    filled = send(kind="ioc", limit="80001").order
    assert exchange.cancel(account, order_id=filled.order_id).status == "filled"


def test_a_trigger_that_cannot_become_an_order_fails_to_activate(exchange, account, send):
    exchange.market.go("XBT", (0, 80_000), (60, 70_000))
    send(kind="stp", side="sell", size="150", stop="75000", trigger_signal="mark")
    exchange.advance(120)
    [closed] = account.closed
    assert (closed.status, closed.reason) == ("TRIGGER_ACTIVATION_FAILURE", "NOT_ENOUGH_MARGIN")
