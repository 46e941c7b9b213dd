"""When the market reaches an order: a resting order by quotes or trades, a waiting one by what its trigger watches.

Prices are straight lines between the market's knots, so the moment at which one reaches a level is known to the
millisecond, however often anybody looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.paper.clock import HOUR
from kfut_analytics.paper.engine.orders import Order
from kfut_analytics.paper.market.protocol import Floats, Market

_REACH = 0.02
"""Quotes and trades stay within this distance (a fraction) of the mark price."""


def first_meeting(market: Market, order: Order, start: float, end: float) -> float | None:
    """First instant after ``start`` and up to ``end`` at which the market reaches an order."""
    for begin, finish in _chances(market, order, start, end):
        if begin >= finish:
            continue
        if order.stop_price is None:
            moment = _reached_by_quotes(market, order, begin, finish)
            moment = _reached_by_trades(market, order, begin, finish if moment is None else moment) or moment
        elif order.trigger_signal == "last":
            moment = _fired_by_trades(market, order, begin, finish)
        else:
            moment = _fired_by_price(market, order, begin, finish)
        if moment is not None:
            return moment
    return None


def follow(market: Market, order: Order, until: float) -> None:
    """Let a trailing stop follow its signal up to a time."""
    trailing = order.trailing
    if trailing is None or until <= trailing.followed:
        return
    if order.trigger_signal == "last":
        prices = market.flow(order.contract, trailing.followed, until).price
    else:
        prices = _signal(market, order, _instants(market, trailing.followed, until))
    extremes = _extremes(order, trailing.extreme, prices)
    order.trailing = trailing.moved(float(extremes[-1]), until)
    order.stop_price = float(_stops(order, extremes[-1:])[0])


def start_following(order: Order, price: float, now: float) -> None:
    """Give a trailing stop its first trigger price, from what it watches now."""
    assert order.trailing is not None
    order.trailing = order.trailing.moved(price, now)
    order.stop_price = float(_stops(order, np.array([price]))[0])


def is_met(order: Order, price: float) -> bool:
    """Whether a price fires a trigger."""
    assert order.stop_price is not None
    return price >= order.stop_price if order.triggers_above else price <= order.stop_price


def _signal(market: Market, order: Order, t: Any) -> Any:
    if order.trigger_signal == "index":
        return market.index(order.contract.asset, t)
    return market.mark(order.contract, t)


def _chances(market: Market, order: Order, start: float, end: float) -> Iterator[tuple[float, float]]:
    """The hours in which the market comes near an order, cut to the time in question; a trailing stop needs all."""
    if order.trailing is not None:
        yield start, end
        return
    if order.stop_price is not None and order.trigger_signal == "index":
        hours, lowest, highest = market.hourly_index_bounds(order.contract.asset, start, end)
    else:
        hours, lowest, highest = market.hourly_bounds(order.contract, start, end)
    level = order.limit_price if order.stop_price is None else order.stop_price
    assert level is not None
    rising = order.side == "sell" if order.stop_price is None else order.triggers_above
    near = highest * (1 + _REACH) >= level if rising else lowest * (1 - _REACH) <= level
    for hour in hours[near]:
        yield max(start, float(hour)), min(end, float(hour) + HOUR)


def _reached_by_quotes(market: Market, order: Order, start: float, end: float) -> float | None:
    """When the other side's best quote, half the spread beside the fair price, comes to a resting order."""
    assert order.limit_price is not None
    times = _instants(market, start, end)
    distance = order.limit_price - order.sign * market.half_spread(order.contract, order.limit_price)
    return _crossing(times, market.fair(order.contract, times), distance, rising=order.side == "sell")


def _reached_by_trades(market: Market, order: Order, start: float, end: float) -> float | None:
    """When somebody trades at a resting order's price or beyond it, and so has come to its place in the queue."""
    assert order.limit_price is not None
    flow = market.flow(order.contract, start, end)
    if order.side == "buy":
        hit = ~flow.buy & (flow.price <= order.limit_price)
    else:
        hit = flow.buy & (flow.price >= order.limit_price)
    return _first(flow.time, hit)


def _fired_by_trades(market: Market, order: Order, start: float, end: float) -> float | None:
    flow = market.flow(order.contract, start, end)
    assert order.stop_price is not None
    stops: Any = order.stop_price if order.trailing is None else _trail(order, flow.price)
    return _first(flow.time, flow.price >= stops if order.triggers_above else flow.price <= stops)


def _fired_by_price(market: Market, order: Order, start: float, end: float) -> float | None:
    assert order.stop_price is not None
    times = _instants(market, start, end)
    prices = _signal(market, order, times)
    if order.trailing is None:
        return _crossing(times, prices, order.stop_price, rising=order.triggers_above)
    return _crossing(times, prices, _trail(order, prices), rising=order.triggers_above)


def _instants(market: Market, start: float, end: float) -> Floats:
    knots = market.knots(start, end)
    return np.concatenate([[start], knots, [end]]) if not len(knots) or knots[-1] < end else np.append(start, knots)


def _crossing(times: Floats, prices: Floats, level: float | Floats, *, rising: bool) -> float | None:
    """First instant after ``times[0]`` at which a broken line comes to a level, rounded up to the millisecond.

    A level may change from one piece of the line to the next. A line that begins beyond its level comes to it at its
    next bend: what could happen at the beginning has happened.
    """
    levels = np.broadcast_to(np.asarray(level, dtype=np.float64), prices.shape)
    beyond: NDArray[np.bool_] = prices[1:] >= levels[1:] if rising else prices[1:] <= levels[1:]
    place = int(np.argmax(beyond)) if len(beyond) else 0
    if not len(beyond) or not beyond[place]:
        return None
    before, after, goal = prices[place], prices[place + 1], levels[place + 1]
    start, end = float(times[place]), float(times[place + 1])
    already = before >= goal if rising else before <= goal
    if already or before == after:
        return end
    moment = start + float((goal - before) / (after - before)) * (end - start)
    return min(max(math.ceil(moment * 1000) / 1000, math.floor(start * 1000 + 1) / 1000), end)


def _first(times: Floats, condition: NDArray[np.bool_]) -> float | None:
    place = int(np.argmax(condition)) if len(condition) else 0
    return float(times[place]) if len(condition) and condition[place] else None


def _trail(order: Order, prices: Floats) -> Floats:
    """Where the stop is when the signal has come to each of its prices: as far from the best price before it."""
    assert order.trailing is not None
    return _stops(order, _extremes(order, order.trailing.extreme, prices)[:-1])


def _extremes(order: Order, so_far: float, prices: Floats) -> Floats:
    """The best price so far, and after every further price."""
    best = np.minimum if order.side == "buy" else np.maximum
    extremes: Floats = best.accumulate(np.append(so_far, prices))
    return extremes


def _stops(order: Order, extremes: Floats) -> Floats:
    trailing, tick = order.trailing, float(order.contract.tick)
    assert trailing is not None
    deviation = float(trailing.deviation)
    distance = extremes * deviation / 100 if trailing.unit == "PERCENT" else deviation
    stops: Floats = np.round(np.round((extremes + order.sign * distance) / tick) * tick, 10)
    return stops
