"""The figures of a preview against the same worked out contract by contract, in fractions, by other code."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfut_analytics.limits import NO_LIMITS
from kfut_analytics.orders import Market, Order, examine, preview

from .facts import market

MARK, MONEY = 100, 5000
TAKER, MAKER = Fraction(5, 10_000), Fraction(2, 10_000)

rungs = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 30)), min_size=0, max_size=6)
"""Distances from one level to the next in half ticks, and contracts."""


def side_of(name: str, ladder: list[tuple[int, int]]) -> list[tuple[str, float, float]]:
    """Levels, the best first; a tick is a half, and between the sides lies the mark."""
    price, found = Fraction(MARK), []
    for distance, size in ladder:
        price += Fraction(distance, 2) * (1 if name == "ask" else -1)
        found.append((name, float(price), float(size)))
    return found


def a_market(bids: list[tuple[int, int]], asks: list[tuple[int, int]], position: int, *, inverse: bool) -> Market:
    levels = [*side_of("bid", bids), *side_of("ask", asks)]
    book: dict[str, Any] = {name: [level[i] for level in levels] for i, name in enumerate(("side", "price", "size"))}
    book["cumulative_size"] = [math.nan] * len(levels)  # nothing relies on it
    return market(
        float(position),
        symbol="PI_XBTUSD" if inverse else "PF_XBTUSD",
        balance=MONEY / MARK if inverse else float(MONEY),
        book=book,
        size_step=1.0,
        ticker={"bid": math.nan, "ask": math.nan},
    )


def one_by_one(order: Order, seen: Market) -> list[Fraction]:
    """The price of every single contract that trades at once, by the rules of the types (api-facts 3B)."""
    if order.order_type in {"post", "stp", "take_profit"}:
        return []
    other = "ask" if order.side == "buy" else "bid"
    offered = [row for row in seen.book.itertuples() if row.side == other]
    prices = [Fraction(row.price) for row in offered for _ in range(int(row.size))]
    if not prices:
        return []
    limit = Fraction(str(order.limit_price)) if order.limit_price is not None else None
    if limit is None:
        limit = prices[0] * (1 + Fraction(1, 100) * (1 if order.side == "buy" else -1))
    met = [price for price in prices if (price <= limit if order.side == "buy" else price >= limit)]
    wanted = int(order.contracts)
    if order.reduce_only:
        held = int(seen.position)
        wanted = min(wanted, max(0, -held if order.side == "buy" else held))
    if order.order_type == "fok" and len(met) < wanted:
        return []
    return met[:wanted]


def in_currency(price: Fraction, *, inverse: bool) -> Fraction:
    """Value of one contract in the contract's currency."""
    return 1 / price if inverse else price


def brackets(value: Fraction, low: Fraction, high: Fraction) -> Fraction:
    """Margin as an income tax: the lower rate up to 500, the higher one beyond."""
    return low * min(value, Fraction(500)) + high * max(value - 500, Fraction(0))


@given(
    bids=rungs,
    asks=rungs,
    position=st.integers(-25, 25),
    inverse=st.booleans(),
    side=st.sampled_from(["buy", "sell"]),
    size=st.integers(1, 60),
    kind=st.sampled_from(["mkt", "lmt", "ioc", "fok", "post"]),
    limit=st.integers(190, 210),
    reduce_only=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_every_figure_of_a_preview(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], position: int, inverse: bool, side: str, size: int,
    kind: str, limit: int, reduce_only: bool,
) -> None:  # fmt: skip
    facts = a_market(bids, asks, position, inverse=inverse)
    price = None if kind == "mkt" else Fraction(limit, 2)
    order = Order(facts.symbol, side, size, None if price is None else float(price), kind, reduce_only=reduce_only)
    seen = preview(order, facts)
    sign = 1 if side == "buy" else -1
    prices = one_by_one(order, facts)

    assert seen.immediate_size == pytest.approx(len(prices), abs=1e-9)
    assert {level.price: level.size for level in seen.fills} == pytest.approx(
        {float(p): prices.count(p) for p in set(prices)}
    )
    if prices:
        total = sum(prices)
        average = len(prices) / sum(1 / p for p in prices) if inverse else total / len(prices)
        assert seen.immediate_price == pytest.approx(float(average), rel=1e-12)

    wanted = size
    if reduce_only:
        wanted = min(size, max(0, -sign * position))
    rest = wanted - len(prices) if kind in {"lmt", "post"} else 0
    assert seen.resting_size == pytest.approx(rest, abs=1e-9)
    assert seen.position_after == pytest.approx(position + sign * (len(prices) + rest), abs=1e-9)

    at_once = sum((in_currency(p, inverse=inverse) for p in prices), Fraction(0))
    waiting = rest * in_currency(price, inverse=inverse) if price is not None else Fraction(0)
    assert seen.fee == pytest.approx(float(at_once * TAKER + waiting * MAKER), rel=1e-9, abs=1e-15)
    assert seen.fee_taker == pytest.approx(float((at_once + waiting) * TAKER), rel=1e-9, abs=1e-15)
    value = len(prices) + rest if inverse else at_once + waiting
    assert seen.notional == pytest.approx(float(value), rel=1e-12, abs=1e-12)

    mark = Fraction(MARK)
    after = abs(position + sign * (len(prices) + rest))
    required = brackets(Fraction(after) * (1 if inverse else mark), Fraction(1, 10), Fraction(1, 5))
    assert seen.initial_margin_after == pytest.approx(
        float(required / mark if inverse else required), rel=1e-9, abs=1e-12
    )

    # What is free: money, less the loss of every contract against the mark, its fee, and the larger of the two sides.
    money = Fraction(MONEY, MARK) if inverse else Fraction(MONEY)
    made = sum(((1 / p - 1 / mark) if inverse else (mark - p)) * sign for p in prices)
    now = position + sign * len(prices)
    open_orders = 0 if reduce_only else rest
    sides = (max(now + (open_orders if sign > 0 else 0), 0), max(-now + (open_orders if sign < 0 else 0), 0))
    needed = max(brackets(Fraction(n) * (1 if inverse else mark), Fraction(1, 10), Fraction(1, 5)) for n in sides)
    free = money + made - at_once * TAKER - (needed / mark if inverse else needed)
    assert seen.available_margin_after == pytest.approx(float(free), rel=1e-9, abs=1e-9)


@given(
    asks=st.lists(st.tuples(st.integers(1, 4), st.integers(5, 40)), min_size=1, max_size=5),
    position=st.integers(-40, 40),
    inverse=st.booleans(),
    size=st.integers(1, 60),
)
@settings(max_examples=40, deadline=None)
def test_at_the_liquidation_price_equity_is_the_maintenance_margin(
    asks: list[tuple[int, int]], position: int, inverse: bool, size: int
) -> None:
    facts = a_market([], asks, position, inverse=inverse)
    order = Order(facts.symbol, "buy", size)
    seen = preview(order, facts)
    edge = seen.liquidation_price_after
    prices = one_by_one(order, facts)
    held = position + len(prices)
    if math.isnan(edge):
        return
    at, mark = Fraction(edge), Fraction(MARK)
    money = Fraction(MONEY, MARK) if inverse else Fraction(MONEY)
    made = sum((1 / p - 1 / at) if inverse else (at - p) for p in prices)
    made += position * ((1 / mark - 1 / at) if inverse else (at - mark))
    fees = sum((in_currency(p, inverse=inverse) for p in prices), Fraction(0)) * TAKER
    required = brackets(Fraction(abs(held)) * (1 if inverse else at), Fraction(1, 20), Fraction(1, 10))
    equity = float(money + made - fees)
    assert equity == pytest.approx(float(required / at if inverse else required), rel=1e-6, abs=1e-6)


@given(
    asks=st.lists(st.tuples(st.integers(1, 2), st.integers(1, 30)), min_size=1, max_size=6),
    notional=st.integers(150, 3000),
)
@settings(max_examples=40, deadline=None)
def test_a_size_by_value_is_the_largest(asks: list[tuple[int, int]], notional: int) -> None:
    facts = a_market([], asks, 0, inverse=False)
    seen = examine(Order("PF_XBTUSD", "buy", notional=notional), facts, NO_LIMITS)
    prices = [Fraction(row.price) for row in facts.book.itertuples() for _ in range(int(row.size))]
    # Beyond what the book fills a contract counts at the worst price that the exchange would fill.
    worst = prices[0] * Fraction(101, 100)
    costs = [price for price in prices if price <= worst] + [worst] * notional
    spent, count = Fraction(0), 0
    while spent + costs[count] <= notional:
        spent += costs[count]
        count += 1
    assert seen.order.contracts == count
