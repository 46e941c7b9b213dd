"""When the market reaches an order: a resting order by its quotes, a waiting one by what its trigger watches."""

from __future__ import annotations

from typing import Any

import numpy as np

from kfut_analytics.paper.book import Book
from kfut_analytics.paper.market import Floats, Market
from kfut_analytics.paper.orders import Order


def first_meeting(market: Market, book: Book, order: Order, start: float, end: float) -> float | None:
    """First instant after ``start`` and up to ``end`` at which the market reaches an order."""
    instants = market.times(start, end)
    if order.stop_price is None:
        assert order.limit_price is not None
        # The other side's best quote is the fair price plus (or minus) half the spread.
        fair = market.fair(order.contract, instants)
        quote = fair + order.sign * book.half_spread(order.limit_price)
        reached = quote <= order.limit_price if order.side == "buy" else quote >= order.limit_price
    else:
        prices = signal(market, order, instants)
        stops = order.stop_price if order.trailing is None else _followed(order, prices)[1]
        reached = prices >= stops if order.triggers_above else prices <= stops
    first = int(np.argmax(reached))
    return float(instants[first]) if reached[first] else None


def signal(market: Market, order: Order, t: Any) -> Any:
    """The price that a trigger watches."""
    if order.trigger_signal == "index":
        return market.index(order.contract.asset, t)
    return (market.mark if order.trigger_signal == "mark" else market.fair)(order.contract, t)


def follow(market: Market, order: Order, until: float) -> None:
    """Let a trailing stop follow its signal up to a time."""
    trailing = order.trailing
    if trailing is None or until <= trailing.followed:
        return
    extremes, stops = _followed(order, signal(market, order, market.times(trailing.followed, until)))
    order.trailing = trailing.moved(float(extremes[-1]), until)
    order.stop_price = float(stops[-1])


def start_following(market: Market, order: Order, now: float) -> None:
    """Give a trailing stop its first trigger price."""
    assert order.trailing is not None
    order.trailing = order.trailing.moved(float(signal(market, order, now)), now)
    order.stop_price = float(_stops(order, np.array([order.trailing.extreme]))[0])


def _followed(order: Order, prices: Floats) -> tuple[Floats, Floats]:
    """The best price so far at every instant, and where the stop then is."""
    assert order.trailing is not None
    best = np.minimum if order.side == "buy" else np.maximum
    extremes: Floats = best.accumulate(np.append(order.trailing.extreme, prices))[1:]
    return extremes, _stops(order, extremes)


def _stops(order: Order, extremes: Floats) -> Floats:
    trailing, tick = order.trailing, float(order.contract.tick)
    assert trailing is not None
    deviation = float(trailing.deviation)
    distance = extremes * deviation / 100 if trailing.unit == "PERCENT" else deviation
    stops: Floats = np.round(np.round((extremes + order.sign * distance) / tick) * tick, 10)
    return stops
