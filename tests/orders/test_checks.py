"""Checks before the wire: each refusal names field, value and rule, and what it suggests satisfies the rule."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kfut_analytics import schema
from kfut_analytics.errors import OrderRefused
from kfut_analytics.limits import NO_LIMITS, NOTHING_SPENT, Limits, Spent
from kfut_analytics.orders import Market, Order, corrected, examine

from .facts import NOW, market


def status(**fields: Any) -> dict[str, Any]:
    row = {"symbol": ["PF_XBTUSD"]} | {name: [value] for name, value in fields.items()}
    return {"facts": {"status": schema.INSTRUMENT_STATUS.frame(row).iloc[0]}}


LATER = NOW + pd.Timedelta(days=1)
ABOVE = status(dislocated=True, dislocation_direction="ABOVE_UPPER_BOUND")
BELOW = status(dislocated=True, dislocation_direction="BELOW_LOWER_BOUND")
STOP = {"order_type": "stp"}
TRAILING = {"order_type": "trailing_stop", "trailing_unit": "quote"}


@pytest.mark.parametrize(
    ("order", "facts", "limits", "expected"),
    [
        # side, size and more of the order; the facts; the limits; field, rule and suggestion
        (("buy", 1), {"is_expired": True}, {}, ("symbol", "expired", None)),
        (("buy", 1), {"last_trading_time": NOW}, {}, ("symbol", "expired", None)),
        (("buy", 1), {"opening_date": LATER}, {}, ("symbol", "not_open", None)),
        (("buy", 1), {"ticker": {"suspended": True}}, {}, ("symbol", "suspended", None)),
        (("buy", 1), {"post_only": True}, {}, ("order_type", "post_only", None)),
        (("buy", 1, 98), {"ticker": {"post_only": True}}, {}, ("order_type", "post_only", "post")),
        (("buy", 1), ABOVE, {}, ("side", "dislocated", None)),
        (("sell", 1), BELOW, {}, ("side", "dislocated", None)),
        (("buy", 0.00015), {}, {}, ("size", "size_step", Decimal("0.0002"))),
        (("buy", 0.00003), {}, {}, ("size", "minimum", Decimal("0.0001"))),
        (("buy", 0.01), {"facts": {"minimum_size": 0.05}}, {}, ("size", "minimum", Decimal("0.05"))),
        (("buy", 1, 100.3), {}, {}, ("limit_price", "tick", Decimal("100.5"))),
        (("buy", 1, None, "stp", 110.2), {}, {}, ("stop_price", "tick", Decimal(110))),
        (("buy", 1), TRAILING | {"trailing_deviation": 0.7}, {}, ("trailing_deviation", "tick", Decimal("0.5"))),
        (("buy", 1), TRAILING | {"trailing_deviation": 51}, {}, ("trailing_deviation", "trailing_range", Decimal(50))),
        (("buy", 1300), {}, {}, ("size", "maximum_position", Decimal(1200))),
        (("buy", 9), {"position": 3, "max_position_size": 10.0}, {}, ("size", "maximum_position", Decimal(7))),
        (("sell", 9), {"position": 3, "max_position_size": 5.0, "sells": 1.0}, {}, ("size", "maximum_position", 7)),
        (("buy", 9), {"max_position_size": 5.0, "position": 5}, {}, ("size", "maximum_position", None)),
        (("buy", 3, 115), {}, {}, ("limit_price", "price_deviation", Decimal(110))),
        (("sell", 3, 80), {}, {}, ("limit_price", "price_deviation", Decimal(90))),
        (("buy", 3, 105), {}, {"price_deviation": 0.02}, ("limit_price", "price_deviation", Decimal(102))),
        (("buy", 3, 130, "stp", 110), {}, {}, ("limit_price", "price_deviation", Decimal(121))),
        (("buy", 3), {}, {"price_deviation": 0.012}, ("size", "price_deviation", Decimal(1))),
        (("buy", 1, None, "stp", 99), {}, {}, ("stop_price", "trigger_side", Decimal("100.5"))),
        (("sell", 1, None, "stp", 100), {}, {}, ("stop_price", "trigger_side", Decimal("99.5"))),
        (("sell", 1, None, "take_profit", 99), {}, {}, ("stop_price", "trigger_side", Decimal("100.5"))),
        (("buy", 1, None, "take_profit", 101), {}, {}, ("stop_price", "trigger_side", Decimal("99.5"))),
        (("sell", 1, None, "", None, None, True), {}, {}, ("reduce_only", "reduce_only", None)),
        (("buy", 1, None, "", None, None, True), {"position": 2}, {}, ("side", "reduce_only", "sell")),
        (("buy", 1, 100), {}, {"order_notional": 50}, ("size", "order_notional", Decimal("0.5"))),
        (("buy", 1), {}, {"order_notional": 50}, ("size", "order_notional", Decimal("0.4950"))),
        (("buy", 1, 100), {}, {"session_notional": 150}, ("size", "session_notional", Decimal("0.9"))),
        (("buy", 1, 100), {}, {"daily_notional": 150}, ("size", "daily_notional", Decimal("0.4"))),
        (("buy", 1, 100), {}, {"daily_notional": 110}, ("size", "daily_notional", None)),
        (("buy", 90, 99), {"balance": 1000.0}, {}, ("size", "margin", None)),
        (("buy", 30), {"leverage": 10.0, "balance": 900.0}, {}, ("size", "leverage", Decimal("4.9999"))),
        (("buy", 1), {"leverage": 10.0, "position": 6}, {}, ("size", "leverage", None)),
    ],
)
def test_what_is_refused(
    order: tuple[Any, ...], facts: dict[str, Any], limits: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    names = ("order_type", "trailing_unit", "trailing_deviation")
    more = {name: facts[name] for name in names if name in facts}
    seen = market(**{name: value for name, value in facts.items() if name not in names})
    stated = Order("PF_XBTUSD", *order, **more)
    spent = Spent(session=Decimal(60), today=Decimal(110))
    with pytest.raises(OrderRefused) as caught:
        examine(stated, seen, Limits(**limits), spent)
    field, rule, suggestion = expected
    assert (caught.value.field, caught.value.rule) == (field, rule)
    if rule != "margin":
        assert caught.value.suggestion == suggestion
    if caught.value.suggestion is not None:
        satisfied(corrected(stated, caught.value), seen, Limits(**limits), spent, caught.value)


def refusal(
    order: Order, seen: Market, limits: Limits = NO_LIMITS, spent: Spent = NOTHING_SPENT
) -> OrderRefused | None:
    try:
        examine(order, seen, limits, spent)
    except OrderRefused as refused:
        return refused
    return None


def satisfied(order: Order, seen: Market, limits: Limits, spent: Spent, of: OrderRefused) -> None:
    """The field keeps the rule; another one may be broken."""
    left = refusal(order, seen, limits, spent)
    assert left is None or (left.rule, left.field) != (of.rule, of.field), (order, left)


prices = st.integers(160, 240).map(lambda n: Decimal(n) / 2)
sizes = st.integers(1, 4_000_000).map(lambda n: Decimal(n) / 10_000)
anything = st.one_of(prices, st.decimals("50", "150", places=3))
any_size = st.one_of(sizes, st.decimals("0.00001", 500, places=5))


@st.composite
def orders(draw: st.DrawFn) -> Order:
    kind = draw(st.sampled_from(["lmt", "post", "ioc", "fok", "mkt", "stp", "take_profit", "trailing_stop"]))
    fields: dict[str, Any] = {"order_type": kind, "reduce_only": draw(st.booleans())}
    amount = draw(
        st.sampled_from(["size", "notional"] if fields["reduce_only"] else ["size", "notional", "margin_share"])
    )
    fields[amount] = draw(
        st.decimals("0.0001", 1, places=4)
        if amount == "margin_share"
        else st.one_of(sizes, st.decimals("0.00001", 500, places=5))
    )
    if kind in {"lmt", "post", "ioc", "fok"} or (kind in {"stp", "take_profit"} and draw(st.booleans())):
        fields["limit_price"] = draw(anything)
    elif kind in {"stp", "take_profit", "trailing_stop"} and draw(st.booleans()):
        fields["limit_offset_unit"] = draw(st.sampled_from(["percent", "quote"]))
        fields["limit_offset"] = draw(st.decimals(-30, 30, places=2))
    if kind in {"stp", "take_profit"}:
        fields["stop_price"] = draw(anything)
    if kind == "trailing_stop":
        fields["trailing_unit"] = draw(st.sampled_from(["percent", "quote"]))
        fields["trailing_deviation"] = draw(st.decimals("0.1", 50, places=2))
    return Order(draw(st.sampled_from(["PF_XBTUSD", "PI_XBTUSD"])), draw(st.sampled_from(["buy", "sell"])), **fields)


@st.composite
def markets(draw: st.DrawFn, symbol: str) -> Market:
    inverse = symbol.startswith("PI")
    position = draw(st.integers(-20, 20)) * (100 if inverse else 1)
    leverage = draw(st.sampled_from([None, None, 4.0, 8.0]))
    return market(
        float(position),
        symbol=symbol,
        balance=draw(st.sampled_from([1.0, 30.0]) if inverse else st.sampled_from([300.0, 3000.0])),
        entry=draw(st.sampled_from([95.0, 100.0, 105.0])),
        leverage=None if inverse else leverage,
        buys=float(draw(st.integers(0, 3))),
        sells=float(draw(st.integers(0, 3))),
        ticker={"last": draw(st.sampled_from([99.0, 100.25, 101.0]))},
        max_position_size=draw(st.sampled_from([25.0, 400.0, math.nan])),
        size_step=1.0 if inverse else 0.0001,
    )


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_what_a_refusal_suggests_satisfies_its_rule(data: st.DataObject) -> None:
    """Any order in any market: corrected rule by rule it is accepted, or refused by a rule that no value satisfies."""
    order = data.draw(orders())
    seen = data.draw(markets(order.symbol))
    limits = data.draw(st.sampled_from([NO_LIMITS, Limits(), Limits(order_notional=150, session_notional=400)]))
    spent = Spent(session=Decimal(data.draw(st.sampled_from([0, 100, 350]))))
    broken: list[str] = []
    for _ in range(12):
        refused = refusal(order, seen, limits, spent)
        if refused is None or refused.suggestion is None:
            return
        assert refused.rule
        changed = corrected(order, refused)
        assert changed != order
        satisfied(changed, seen, limits, spent, refused)
        broken.append(refused.rule)
        order = changed
    pytest.fail(f"no end of corrections: {broken}")


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_margin_refusal_suggests_the_largest_size_that_is_not_refused(data: st.DataObject) -> None:
    side = data.draw(st.sampled_from(["buy", "sell"]))
    seen = data.draw(markets("PF_XBTUSD"))
    order = Order("PF_XBTUSD", side, 390, data.draw(st.sampled_from([None, 100])))
    with pytest.raises(OrderRefused) as caught:
        examine(order, seen)
    assume(caught.value.rule == "margin" and caught.value.suggestion is not None)
    suggestion: Any = caught.value.suggestion
    fits = replace(order, size=suggestion)
    assert refusal(fits, seen) is None
    with pytest.raises(OrderRefused):
        examine(replace(order, size=suggestion + Decimal("0.0001")), seen)


def test_reduce_only_is_free_of_limits_and_margin() -> None:
    order = Order("PF_XBTUSD", "sell", 4, reduce_only=True)
    seen = market(position=5, balance=50.0, facts={"available_margin": 0.0})
    assert examine(order, seen, Limits(order_notional=1, daily_notional=1)).position_after == 1


def test_less_margin_than_before_is_always_accepted() -> None:
    """To close a position needs no margin, whatever is left."""
    seen = market(position=5, balance=30.0, facts={"available_margin": -20.0})
    assert examine(Order("PF_XBTUSD", "sell", 5), seen).position_after == 0


def test_margin_that_the_exchange_counts_otherwise_is_a_warning() -> None:
    """Where the figures computed here do not agree with the exchange's own, the exchange decides."""
    seen = market(facts={"available_margin": 500.0})
    found = examine(Order("PF_XBTUSD", "buy", 90, 99), seen).warnings
    assert any("by an estimate that is not sure" in text for text in found)
    unknown = market(facts={"available_margin": math.nan})
    assert any("not known what margin" in text for text in examine(Order("PF_XBTUSD", "buy", 1), unknown).warnings)


def test_an_order_may_widen_or_narrow_the_limits_for_itself() -> None:
    assert examine(Order("PF_XBTUSD", "buy", 1, 115, price_deviation=0.2), market(), Limits()).immediate_size == 1
    assert examine(Order("PF_XBTUSD", "buy", 1, 900, price_deviation=math.inf), market(), Limits()).immediate_size == 1
    with pytest.raises(OrderRefused, match="up to 101 is allowed"):
        examine(Order("PF_XBTUSD", "buy", 1, 105, price_deviation=0.01), market(), Limits())


def test_a_price_far_off_on_the_cheap_side_is_only_a_warning() -> None:
    [warning] = examine(Order("PF_XBTUSD", "buy", 1, 60), market(), Limits()).warnings
    assert "-40.0% from the mark price" in warning


def test_states_that_may_matter_are_told() -> None:
    volatile = market(**status(extreme_volatility=True, initial_margin_multiplier=2.0))
    assert any("extreme" in text for text in examine(Order("PF_XBTUSD", "buy", 1), volatile).warnings)
    away = market(**ABOVE)
    assert any("dislocated" in text for text in examine(Order("PF_XBTUSD", "sell", 1), away).warnings)
    assert examine(Order("PF_XBTUSD", "buy", 1, 98), away).resting_size == 1
    waits = Order("PF_XBTUSD", "buy", 1, order_type="stp", stop_price=110)
    assert any("post-only mode" in text for text in examine(waits, market(post_only=True)).warnings)


def test_ones_own_orders_in_the_way_are_told() -> None:
    own = schema.OPEN_ORDERS.frame(
        {"order_id": ["a"], "symbol": ["PF_XBTUSD"], "side": ["sell"], "limit_price": [101.5], "stop_price": [None]}
    )
    facts = {"open_orders": own}
    meets = "an open order of your own"
    assert any(meets in text for text in examine(Order("PF_XBTUSD", "buy", 2), market(facts=facts)).warnings)
    assert any(meets in text for text in examine(Order("PF_XBTUSD", "buy", 2, 102), market(facts=facts)).warnings)
    assert not examine(Order("PF_XBTUSD", "buy", 1), market(facts=facts)).warnings, "it fills before it"
    assert not examine(Order("PF_XBTUSD", "buy", 2, 101), market(facts=facts)).warnings


def test_a_position_that_would_be_liquidated_at_once_is_refused() -> None:
    """An isolated position bought far above the mark: what is set aside for it is lost at once."""
    levels = {"side": ["ask", "ask"], "price": [101.0, 108.0], "size": [0.5, 50.0], "cumulative_size": [0.5, 50.5]}
    seen = market(leverage=10.0, book=levels)
    with pytest.raises(OrderRefused, match="liquidated at once") as caught:
        examine(Order("PF_XBTUSD", "buy", 4, 108), seen)
    assert (caught.value.rule, caught.value.field) == ("liquidation", "size")
    satisfied(corrected(Order("PF_XBTUSD", "buy", 4, 108), caught.value), seen, NO_LIMITS, Spent(), caught.value)


def test_a_size_by_value_that_buys_nothing_says_what_would() -> None:
    with pytest.raises(OrderRefused, match="not one size step") as caught:
        examine(Order("PF_XBTUSD", "buy", notional="0.01"), market())
    assert (caught.value.field, caught.value.rule, caught.value.suggestion) == ("notional", "minimum", Decimal("0.02"))
    with pytest.raises(OrderRefused) as caught:
        examine(Order("PF_XBTUSD", "buy", margin_share="0.5"), market(balance=0.002))
    assert (caught.value.field, caught.value.rule) == ("margin_share", "margin")
    assert examine(corrected(Order("PF_XBTUSD", "buy", margin_share="0.5"), caught.value), market(balance=0.002))
    with pytest.raises(OrderRefused, match="give size in contracts") as caught:
        examine(Order("PF_XBTUSD", "buy", margin_share="0.5"), market(facts={"available_margin": math.nan}))
    assert caught.value.rule == "margin_known"


def test_a_refusal_without_a_suggestion_stays_one() -> None:
    with pytest.raises(OrderRefused) as caught:
        examine(Order("PF_XBTUSD", "buy", 1), market(is_expired=True))
    with pytest.raises(OrderRefused, match="has expired"):
        corrected(Order("PF_XBTUSD", "buy", 1), caught.value)
