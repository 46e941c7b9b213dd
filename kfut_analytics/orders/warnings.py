"""What a person should know before sending an order that the checks let through."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from ..contracts import to_decimal
from ..limits import Limits
from . import effect, sizing
from .checks import allowed_deviation
from .market import Market, is_true
from .order import TRIGGER_TYPES

if TYPE_CHECKING:
    from .preview import Preview

_PERCENT_STEP = Decimal("0.1")
_USUAL_OFFSET = 10


def warnings_of(seen: Preview, market: Market, limits: Limits) -> Iterator[str]:
    """Sentences on what the exchange may refuse, or what may surprise."""
    yield from _of_state(seen, market)
    yield from _of_book(seen, market)
    yield from _of_prices(seen, market, limits)
    yield from _of_position(seen, market)
    yield from _of_margin(seen, market)


def _of_state(seen: Preview, market: Market) -> Iterator[str]:
    status, order = market.status, seen.order
    if market.is_post_only() and order.order_type in TRIGGER_TYPES:
        yield f"{order.symbol} is in post-only mode: if the trigger is reached now, the exchange refuses the order."
    if status is None:
        return
    if is_true(status.get("extreme_volatility")):
        factor = market.leg.multiplier
        more = f" and asks {factor:g} times the usual initial margin" if factor != 1 else ""
        yield f"The exchange calls the volatility of {order.symbol} extreme{more}."
    if is_true(status.get("dislocated")):
        yield f"The price of {order.symbol} is dislocated: the exchange refuses what would move it further away."


def _of_book(seen: Preview, market: Market) -> Iterator[str]:
    order, size = seen.order, effect.wanted(seen.order, market.leg)
    short = seen.immediate_size < size * (1 - 1e-12)
    if order.order_type == "mkt" and short:
        yield (
            f"The book fills only {seen.immediate_size:,.10g} of {size:,.10g} contracts within 1 % of the best price, "
            "where the exchange stops a market order; the rest is cancelled."
        )
    if order.order_type == "ioc" and short:
        yield f"The book fills only {seen.immediate_size:,.10g} of {size:,.10g} contracts; the rest is cancelled."
    if order.order_type == "fok" and short:
        yield "The book cannot fill the whole order: it will be cancelled."
    best = market.best(order.side)
    if order.order_type == "post" and order.sign * (float(order.limit_price or 0) - best) >= 0:
        yield "A post-only order at this price would execute at once: the exchange will refuse it."
    if _meets_itself(seen, market):
        yield "It would meet an open order of your own: by the usual self-trade strategy the exchange refuses it."


def _meets_itself(seen: Preview, market: Market) -> bool:
    order, own = seen.order, market.open_orders
    if order.order_type in TRIGGER_TYPES or not len(own):
        return False
    other = own[(own["side"] != order.side) & own["stop_price"].isna() & own["limit_price"].notna()]
    # It meets all that lie where it would trade, and does not come to those behind its last level.
    reach = seen.fills[-1].price if seen.fills else math.nan
    if order.limit_price is not None and (not seen.fills or seen.resting_size):
        reach = float(order.limit_price)
    return bool((order.sign * (other["limit_price"] - reach) <= 0).any())


def _of_prices(seen: Preview, market: Market, limits: Limits) -> Iterator[str]:
    order, allowed, mark = seen.order, allowed_deviation(seen.order, limits), market.mark
    limit = None if order.limit_price is None else float(order.limit_price)
    if limit is not None and order.order_type not in TRIGGER_TYPES and abs(limit / mark - 1) > allowed:
        yield f"The limit price is {limit / mark - 1:+.1%} from the mark price."
    own = effect.own_price(order, market.signal(order))
    if order.order_type in TRIGGER_TYPES and order.sign * (own - seen.trigger_price) < 0:
        yield "Once triggered, its limit lies on the far side of the market: it may not fill."
    if order.trailing_unit == "percent" and to_decimal(order.trailing_deviation or 0) % _PERCENT_STEP:
        yield "The exchange may take a trailing deviation in tenths of a percent only."
    if order.limit_offset_unit == "percent":
        offset = to_decimal(order.limit_offset or 0)
        if offset % _PERCENT_STEP:
            yield "The exchange may take a limit offset in tenths of a percent only."
        if abs(offset) > _USUAL_OFFSET:
            yield f"The exchange may refuse a limit offset of more than {_USUAL_OFFSET} %."
    if seen.fills and order.reduce_only and abs(seen.fills[-1].price / mark - 1) > allowed:
        yield f"A part would fill {seen.fills[-1].price / mark - 1:+.1%} from the mark price."


def _of_position(seen: Preview, market: Market) -> Iterator[str]:
    order = seen.order
    reducible = effect.reducible(order, market.leg)
    if order.reduce_only and not reducible:
        yield "Reduce-only, but there is no position that it would reduce: without one the exchange refuses it."
    elif order.reduce_only and float(order.contracts) > reducible * (1 + 1e-12):
        yield f"Reduce-only: the exchange cuts it to the position of {reducible:,.10g} contracts."
    if market.position * seen.position_after < 0:
        yield f"It turns the position from {_side(market.position)} to {_side(seen.position_after)}."


def _side(size: float) -> str:
    return "long" if size > 0 else "short"


def _of_margin(seen: Preview, market: Market) -> Iterator[str]:
    order = seen.order
    if order.reduce_only or not (seen.immediate_size or seen.resting_size):
        return
    left = sizing.margin_left(order, market, order.contracts)
    if math.isnan(left):
        yield "It is not known what margin it needs, or how much there is."
    elif left < 0:
        why = "once triggered" if order.order_type in TRIGGER_TYPES else "by an estimate that is not sure"
        yield f"The margin may not suffice {why}. {seen.margin_sentence()}"
    liquidation, mark = seen.liquidation_price_after, market.mark
    if abs(seen.position_after) > abs(seen.position_before) and abs(liquidation / mark - 1) < 0.05:
        yield f"The position would be liquidated {liquidation / mark - 1:+.1%} from the mark price (estimate)."
