"""Trailing stops follow the best price at their distance and fire when it is lost."""

from decimal import Decimal

import numpy as np
import pytest

from kfut_analytics.paper.clock import HOUR
from kfut_analytics.paper.engine.orders import EditRequest, OrderRequest, Trailing

from .conftest import NOW

V3 = "/derivatives/api/v3"


@pytest.fixture
def account(exchange):
    return exchange.accounts["empty"]


@pytest.fixture
def trail(exchange, account):
    def send(side="sell", deviation="1", unit="PERCENT", **more):
        trailing = Trailing(Decimal(deviation), unit)
        request = OrderRequest(
            "PF_XBTUSD", side, "trailing_stop", Decimal("0.01"), trigger_signal="mark", trailing=trailing, **more
        )
        return exchange.submit(account, request)

    return send


@pytest.mark.parametrize(("side", "best"), [("sell", np.max), ("buy", np.min)])
@pytest.mark.parametrize("step", [HOUR, 40.0])
def test_the_stop_follows_the_best_price_and_fires_once(exchange, account, trail, side, best, step):
    contract = exchange.contract("PF_XBTUSD")
    order = trail(side).order
    first = order.stop_price
    sign = -1 if side == "sell" else 1
    assert first == pytest.approx(exchange.market.mark(contract, NOW) * (1 + sign * 0.01), abs=1)
    while account.orders:
        exchange.advance(step)
        if account.orders:
            marks = exchange.market.mark(
                contract, np.array([NOW, *exchange.market.knots(NOW, exchange.now), exchange.now])
            )
            assert account.orders[order.order_id].stop_price == pytest.approx(best(marks) * (1 + sign * 0.01), abs=1)
    [fill] = account.fills
    assert (fill.order_id, fill.side) == (order.order_id, side)
    activated = next(record for record in account.journal if record.change == "activated")
    assert activated.time == fill.time
    assert sign * (activated.order.stop_price - first) <= 0
    mark = exchange.market.mark(contract, fill.time)
    assert mark >= activated.order.stop_price if side == "buy" else mark <= activated.order.stop_price


def test_an_edited_distance_starts_anew_and_prices_are_not_edited(exchange, account, trail):
    order = trail(deviation="500", unit="QUOTE_CURRENCY").order
    mark = exchange.market.mark(exchange.contract("PF_XBTUSD"), NOW)
    assert order.stop_price == pytest.approx(mark - 500, abs=1)
    name = {"order_id": order.order_id}
    assert exchange.edit(account, EditRequest(**name, deviation=Decimal(800))).status == "edited"
    assert account.orders[order.order_id].stop_price == pytest.approx(mark - 800, abs=1)
    for change, status in (
        ({"stop_price": Decimal(1000)}, "cannotEditTriggerPriceOfTrailingStop"),
        ({"limit_price": Decimal(1000)}, "cannotEditLimitPriceOfTrailingStop"),
        ({"deviation": Decimal("0.5")}, "invalidPrice"),
        ({"deviation": Decimal(60), "deviation_unit": "PERCENT"}, "invalidPrice"),
    ):
        assert exchange.edit(account, EditRequest(**name, **change)).status == status
    exchange.advance(7)
    exchange.cancel(account, order_id=order.order_id)
    assert account.journal[-1].order.trailing.followed == NOW + 7


@pytest.mark.parametrize(("deviation", "unit"), [("0.05", "PERCENT"), ("51", "PERCENT"), ("0.5", "QUOTE_CURRENCY")])
def test_a_distance_off_the_rules_is_refused(account, trail, deviation, unit):
    assert trail(deviation=deviation, unit=unit).status == "invalidPrice"
    assert not account.orders


def test_over_the_wire(wire):
    params = {"orderType": "trailing_stop", "symbol": "PF_BCHUSD", "side": "sell", "size": 1}
    distance = {"trailingStopMaxDeviation": "2.5", "trailingStopDeviationUnit": "PERCENT"}
    sent = wire.send(**params, **distance)
    assert sent["status"] == "placed"
    row = next(row for row in wire.v3("openorders")["openOrders"] if row["order_id"] == sent["order_id"])
    assert row["orderType"] == "trailing_stop"
    assert row["stopPrice"] == sent["orderEvents"][0]["orderTrigger"]["triggerPrice"]
    wire.v3("editorder", "post", orderId=sent["order_id"], trailingStopMaxDeviation="3")
    wire.v3("cancelorder", "post", order_id=sent["order_id"])
    elements = wire.elements("/api/history/v3/triggers", tradeable="PF_BCHUSD", sort="asc")
    events = [next(iter(element["event"].items())) for element in elements]
    assert [kind for kind, _ in events] == ["OrderTriggerPlaced", "OrderTriggerUpdated", "OrderTriggerCancelled"]
    assert events[2][1]["order"]["triggerOptions"]["trailingStopOptions"] == {"maxDeviation": "3", "unit": "Percent"}
    for missing in distance:
        left = {name: value for name, value in distance.items() if name != missing}
        assert wire.post(f"{V3}/sendorder", **params, **left).json()["error"] == "requiredArgumentMissing"
    for extra in ({"limitPrice": 500}, {"stopPrice": 500}):
        assert wire.post(f"{V3}/sendorder", **params, **distance, **extra).status_code == 400
