"""Every check before the wire. What the exchange would only perhaps refuse is a warning instead (`warnings`).

Each refusal is an `OrderRefused` with the field, its value, the short name of the rule and, where one exists, a value
that satisfies the rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..contracts import plain, round_to_step, to_decimal
from ..errors import OrderRefused
from ..limits import Limits, Spent
from . import effect, sizing
from .market import Market, is_true
from .order import STOP_PRICE_TYPES, TRIGGER_TYPES, Edit, Order

if TYPE_CHECKING:
    from .preview import Preview

_NOISE = Decimal("1e-9")
_WHAT = {"size": "the size step"}


# ---- by the contract's rules alone ---------------------------------------------------------------------------------


def check(order: Order, instrument: pd.Series[Any]) -> Order:
    """Hold a sized order against the contract's rules and make its numbers exact.

    Parameters
    ----------
    order
        With its size in contracts.
    instrument
        The contract's row of ``client.instruments()``.

    Returns
    -------
    Order
        The same order with size and prices as exact multiples of size step and tick. Only binary noise is removed
        (0.30000000000000004 becomes 0.3); any other value off the grid is refused, never rounded silently.

    Raises
    ------
    OrderRefused
        Naming field, value, rule and the nearest value that satisfies it.
    """
    if is_true(instrument.get("is_expired")):
        raise OrderRefused(f"{order.symbol} has expired", field="symbol", value=order.symbol, rule="expired")
    exact = {"size": order.contracts, **_exact_prices(order, instrument)}
    exact["size"] = _on_grid("size", order.contracts, _step(instrument, "size_step"))
    return replace(order, **exact)  # type: ignore[arg-type]


def check_edit(edit: Edit, instrument: pd.Series[Any]) -> Edit:
    """Hold a change against the contract's rules and make its numbers exact, as `check` does with an order.

    Raises
    ------
    OrderRefused
        Naming field, value, rule and the nearest value that satisfies it.
    """
    exact = _exact_prices(edit, instrument)
    if edit.size is not None:
        exact["size"] = _on_grid("size", to_decimal(edit.size), _step(instrument, "size_step"))
    return replace(edit, **exact)  # type: ignore[arg-type]


def _exact_prices(stated: Order | Edit, instrument: pd.Series[Any]) -> dict[str, Decimal]:
    tick = _step(instrument, "tick_size")
    names = ["limit_price", "stop_price"]
    names += ["trailing_deviation"] if stated.trailing_unit == "quote" else []
    names += ["limit_offset"] if isinstance(stated, Order) and stated.limit_offset_unit == "quote" else []
    given = {name: getattr(stated, name) for name in names}
    return {name: _on_grid(name, to_decimal(value), tick) for name, value in given.items() if value is not None}


def _step(instrument: pd.Series[Any], name: str) -> Decimal | None:
    value = instrument.get(name, math.nan)
    return None if pd.isna(value) else to_decimal(float(value))


def _on_grid(name: str, number: Decimal, step: Decimal | None) -> Decimal:
    if step is None:
        return number
    nearest, may_vanish = round_to_step(number, step), name == "limit_offset"
    if abs(number - nearest) <= _NOISE * abs(number) and (nearest or may_vanish):
        return nearest
    below, above = round_to_step(number, step, "down"), round_to_step(number, step, "up")
    rule = ("minimum" if not below else "size_step") if name == "size" else "tick"
    choices = " or ".join(plain(v) for v in (below, above) if v or may_vanish)
    raise OrderRefused(
        f"{name}={plain(number)} is not a multiple of {_WHAT.get(name, 'the tick size')} {plain(step)}: use {choices}",
        field=name,
        value=number,
        rule=rule,
        suggestion=nearest if nearest or may_vanish else above,
    )


# ---- by the state of the market ------------------------------------------------------------------------------------


def check_state(order: Order, market: Market) -> None:
    """Whether the market takes such orders now.

    Raises
    ------
    OrderRefused
        With rule ``expired``, ``not_open``, ``suspended`` or ``post_only``.
    """
    opening, last = market.instrument.get("opening_date"), market.instrument.get("last_trading_time")
    symbol = {"field": "symbol", "value": order.symbol}
    if is_true(market.instrument.get("is_expired")) or (not pd.isna(last) and last <= market.time):
        raise OrderRefused(f"{order.symbol} has expired", **symbol, rule="expired")
    if not pd.isna(opening) and opening > market.time:
        raise OrderRefused(f"trading in {order.symbol} begins on {opening:%Y-%m-%d}", **symbol, rule="not_open")
    if is_true(market.ticker.get("suspended")):
        raise OrderRefused(f"{order.symbol} is suspended: the exchange takes no orders now", **symbol, rule="suspended")
    if market.is_post_only() and order.order_type != "post" and order.order_type not in TRIGGER_TYPES:
        raise OrderRefused(
            f"{order.symbol} is in post-only mode: use order_type='post'",
            field="order_type",
            value=order.order_type,
            rule="post_only",
            suggestion=None if order.limit_price is None else "post",
        )


# ---- by what it would do -------------------------------------------------------------------------------------------


def check_market(seen: Preview, market: Market, limits: Limits, spent: Spent) -> None:
    """Hold an order against market, account and the user's limits, in view of what it would do.

    Raises
    ------
    OrderRefused
        With the first rule that it breaks.
    """
    order = seen.order
    _check_dislocation(seen, market)
    check_trigger_side(order, market)
    _check_price(seen, market, limits)
    _check_trailing(order, market)
    _check_reduce_only(order, market)
    if order.reduce_only:
        return
    _check_minimum(order, market)
    _check_position(order, market)
    _check_limits(seen, market, limits, spent)
    _check_margin(seen, market)


def _check_dislocation(seen: Preview, market: Market) -> None:
    status, order = market.status, seen.order
    if status is None or not is_true(status.get("dislocated")) or not seen.immediate_size:
        return
    direction = str(status.get("dislocation_direction")).upper()
    if direction.startswith("ABOVE" if order.side == "buy" else "BELOW"):
        further = "up" if order.side == "buy" else "down"
        raise OrderRefused(
            f"{order.symbol} is dislocated: the exchange refuses what would move its price further {further}",
            field="side",
            value=order.side,
            rule="dislocated",
        )


def check_trigger_side(order: Order, market: Market) -> None:
    """Whether a trigger waits: one that has been reached already would fire at once.

    Raises
    ------
    OrderRefused
        With rule ``trigger_side``.
    """
    signal = market.signal(order)
    if order.order_type not in STOP_PRICE_TYPES or math.isnan(signal):
        return
    stop, rises = to_decimal(order.stop_price or 0), fires_above(order)
    if (stop > to_decimal(signal)) if rises else (stop < to_decimal(signal)):
        return
    tick = market.tick or Decimal("1e-8")
    edge = round_to_step(signal, tick, "down") + tick if rises else round_to_step(signal, tick, "up") - tick
    raise OrderRefused(
        f"stop_price={plain(stop)}: a {order.order_type} order to {order.side} fires at once, because the "
        f"{order.trigger_signal or 'last'} price is {signal:,.10g}; it waits {'above' if rises else 'below'} that",
        field="stop_price",
        value=stop,
        rule="trigger_side",
        suggestion=edge if edge > 0 else None,
    )


def fires_above(order: Order) -> bool:
    """Whether the trigger of an order is reached when its signal rises."""
    return (order.order_type != "take_profit") == (order.side == "buy")


def allowed_deviation(order: Order, limits: Limits) -> float:
    """How far a price may lie from the market, as a fraction: the order's own word counts before the limits."""
    own = order.price_deviation if order.price_deviation is not None else limits.price_deviation
    return math.inf if own is None else own


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"


def far_edge(sign: int, references: Sequence[float], allowed: float) -> float:
    """The price beyond which an order costs too much, by what is known of the references; NaN if nothing is."""
    edges = [price * (1 + sign * allowed) for price in references if not math.isnan(price)]
    return (min if sign > 0 else max)(edges, default=math.nan)


def check_limit_price(limit: Decimal, sign: int, edge: float, allowed: float, of: str, market: Market) -> None:
    """Hold a limit price against the edge of what is allowed.

    Raises
    ------
    OrderRefused
        With rule ``price_deviation``.
    """
    if not sign * (float(limit) - edge) > 1e-12 * edge:
        return
    nearest = round_to_step(edge, market.tick or Decimal("1e-8"), "down" if sign > 0 else "up")
    raise OrderRefused(
        f"limit_price={plain(limit)} is more than {_percent(allowed)} from {of} on the side where it costs: up to "
        f"{plain(nearest)} is allowed; price_deviation of the order or of the limits changes that",
        field="limit_price",
        value=limit,
        rule="price_deviation",
        suggestion=nearest if nearest > 0 else None,
    )


def _check_price(seen: Preview, market: Market, limits: Limits) -> None:
    order, allowed = seen.order, allowed_deviation(seen.order, limits)
    if math.isinf(allowed):
        return
    if order.limit_offset is not None:
        _check_offset(order, market, allowed)
        return
    trigger = effect.trigger_price(order, market.signal(order))
    references = [trigger] if order.order_type in TRIGGER_TYPES else [market.mark, market.best(order.side)]
    edge = far_edge(order.sign, references, allowed)
    if math.isnan(edge):
        return
    if order.limit_price is not None:
        of = "its trigger price" if order.order_type in TRIGGER_TYPES else "the market"
        check_limit_price(to_decimal(order.limit_price), order.sign, edge, allowed, of, market)
        return
    within = [level for level in seen.fills if order.sign * (level.price - edge) <= 1e-12 * edge]
    if len(within) < len(seen.fills) and not order.reduce_only:
        size = round_to_step(sum(level.size for level in within), market.step or Decimal("1e-8"), "down")
        raise OrderRefused(
            f"size={plain(order.contracts)}: the book would fill a part at {seen.fills[-1].price:,.10g}, more than "
            f"{_percent(allowed)} from the mark price {market.mark:,.10g}: set a limit_price or order less",
            field="size",
            value=order.contracts,
            rule="price_deviation",
            suggestion=size if size > 0 else None,
        )


def _check_offset(order: Order, market: Market, allowed: float) -> None:
    offset = to_decimal(order.limit_offset or 0)
    trigger = effect.trigger_price(order, market.signal(order))
    if math.isnan(trigger):
        return
    percent = order.limit_offset_unit == "percent"
    most = to_decimal(100 * allowed if percent else allowed * trigger)
    if order.sign * offset > most:
        step = Decimal("0.1") if percent else market.tick or Decimal("1e-8")
        raise OrderRefused(
            f"limit_offset={plain(offset)} puts the limit more than {_percent(allowed)} beyond the trigger "
            "price on the side where it costs; price_deviation of the order or of the limits changes that",
            field="limit_offset",
            value=offset,
            rule="price_deviation",
            suggestion=order.sign * round_to_step(most, step, "down"),
        )


def _check_trailing(order: Order, market: Market) -> None:
    signal = market.signal(order)
    if order.trailing_deviation is None or order.trailing_unit != "quote" or math.isnan(signal):
        return
    deviation, most = to_decimal(order.trailing_deviation), to_decimal(signal) / 2
    if deviation > most:
        raise OrderRefused(
            f"trailing_deviation={plain(deviation)} is more than half of the price {signal:,.10g}",
            field="trailing_deviation",
            value=deviation,
            rule="trailing_range",
            suggestion=round_to_step(most, market.tick or Decimal("1e-8"), "down"),
        )


def _check_reduce_only(order: Order, market: Market) -> None:
    if not order.reduce_only or order.order_type in TRIGGER_TYPES or effect.reducible(order, market.leg):
        return
    if not market.position:
        message = "reduce_only: there is no position to reduce, and the exchange refuses the order"
        raise OrderRefused(message, field="reduce_only", value=True, rule="reduce_only")
    other = "sell" if order.side == "buy" else "buy"
    raise OrderRefused(
        f"reduce_only: the position is {market.position:+,.10g}, and only a {other} order reduces it",
        field="side",
        value=order.side,
        rule="reduce_only",
        suggestion=other,
    )


def _check_minimum(order: Order, market: Market) -> None:
    if float(order.contracts) < market.minimum_size:
        least = round_to_step(market.minimum_size, market.step or Decimal("1e-8"), "up")
        raise OrderRefused(
            f"size={plain(order.contracts)} is below the smallest order in {order.symbol}, {plain(least)} contracts",
            field="size",
            value=order.contracts,
            rule="minimum",
            suggestion=least,
        )


def _check_position(order: Order, market: Market) -> None:
    room = sizing.room(order, market)
    if float(order.contracts) > room * (1 + 1e-12):
        fits = sizing.largest(market, lambda _: True, room) if room > 0 else Decimal(0)
        open_too = " with the open orders" if market.waiting[order.side] else ""
        raise OrderRefused(
            f"size={plain(order.contracts)} would exceed the largest position of {order.symbol}{open_too}, "
            f"{market.max_position:,.10g} contracts: up to {plain(fits)} fits",
            field="size",
            value=order.contracts,
            rule="maximum_position",
            suggestion=fits or None,
        )
    if not sizing.is_leverage_allowed(order, market, order.contracts):
        fits = sizing.largest(market, lambda size: sizing.is_leverage_allowed(order, market, size), room)
        raise OrderRefused(
            f"size={plain(order.contracts)}: the position would be too large for the fixed leverage "
            f"{market.leg.leverage:g} of {order.symbol}: lower that, or order up to {plain(fits)}",
            field="size",
            value=order.contracts,
            rule="leverage",
            suggestion=fits or None,
        )


def _check_limits(seen: Preview, market: Market, limits: Limits, spent: Spent) -> None:
    order = seen.order
    for rule, limit, used in (
        ("order_notional", limits.order_notional, Decimal(0)),
        ("session_notional", limits.session_notional, spent.session),
        ("daily_notional", limits.daily_notional, spent.today),
    ):
        if limit is None or seen.notional + float(used) <= float(limit):
            continue
        left = max(0.0, float(to_decimal(limit) - to_decimal(used)))
        fits = sizing.largest(market, lambda size, left=left: sizing.worth(order, market, size) <= left)  # type: ignore[misc]
        already = f", of which {float(used):,.2f} USD is used," if used else ""
        raise OrderRefused(
            f"size={plain(order.contracts)} is worth {seen.notional:,.2f} USD: your limit {rule} is "
            f"{float(limit):,.2f} USD{already} by {limits.sources[rule]}",
            field="size",
            value=order.contracts,
            rule=rule,
            suggestion=fits or None,
        )


def _check_margin(seen: Preview, market: Market) -> None:
    order = seen.order
    if order.order_type in TRIGGER_TYPES or not market.is_margin_sure:
        return
    if not seen.immediate_size and not seen.resting_size:
        return
    if sizing.margin_left(order, market, order.contracts) < 0:
        fits = sizing.largest(
            market,
            lambda size: sizing.covered(order, market, size),
            min(sizing.room(order, market), float(order.contracts)),
        )
        raise OrderRefused(
            f"size={plain(order.contracts)} needs more margin than there is. {seen.margin_sentence()}",
            field="size",
            value=order.contracts,
            rule="margin",
            suggestion=fits or None,
        )
    if is_liquidated_at_once(order, market, order.contracts):
        fits = sizing.largest(
            market, lambda size: not is_liquidated_at_once(order, market, size), float(order.contracts)
        )
        raise OrderRefused(
            f"size={plain(order.contracts)}: after its fills the position would be liquidated at once",
            field="size",
            value=order.contracts,
            rule="liquidation",
            suggestion=fits or None,
        )


def is_liquidated_at_once(order: Order, market: Market, size: Decimal) -> bool:
    """Whether the pool of the contract falls to its maintenance margin by what fills at once, and did not before."""
    some = replace(order, size=size)
    trades = effect.trades_at_once(some, market.leg, market.levels(order.side), market.fees.taker)
    if not trades:
        return False
    after, _ = effect.carry_out(market.portfolio, some, market.leg, trades, 0.0)
    left, had = (_headroom(portfolio, market) for portfolio in (after, market.portfolio))
    return left <= 0 and not had <= 0


def _headroom(portfolio: Any, market: Market) -> float:
    """What the pool of the contract has above its maintenance margin; infinite for an isolated one without position."""
    pool = next(p for p in portfolio.pools(market.wallet) if any(leg.symbol == market.symbol for leg in p.legs))
    if not any(leg.held for leg in pool.legs):
        return math.inf
    return float(portfolio.headroom(pool))
