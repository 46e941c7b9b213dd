"""What the exchange refuses, and with which words (api-facts 4.2 to 4.6).

Where the exchange keeps its figures to itself (collars, limits of open orders) the ones here are this exchange's own.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kfut_analytics.contracts import fee, notional, pnl
from kfut_analytics.paper.engine.account import TAKER_FEE, Account
from kfut_analytics.paper.engine.book import Side
from kfut_analytics.paper.engine.margin import FlexState, SingleState
from kfut_analytics.paper.engine.orders import TRIGGER_TYPES, EditRequest, LimitOffset, Order, OrderRequest, Trailing
from kfut_analytics.paper.engine.preferences import tier_leverage
from kfut_analytics.paper.market.instruments import Contract

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.exchange import Exchange
    from kfut_analytics.paper.engine.matching import Plan

# The words of orders/status for a refusal (api-facts 4.6).
UPDATE_REASONS = {
    "postWouldExecute": "POST_WOULD_EXECUTE_REASON",
    "iocWouldNotExecute": "IOC_WOULD_NOT_EXECUTE_REASON",
    "selfFill": "WOULD_EXECUTE_SELF_REASON",
    "wouldNotReducePosition": "WOULD_NOT_REDUCE_POSITION",
    "insufficientAvailableFunds": "NOT_ENOUGH_MARGIN",
}
# The words of the matching engine and of the order history for it (api-facts 4.5).
ORDER_ERRORS = {
    "marketSuspended": "MARKET_SUSPENDED",
    "marketIsPostOnly": "MARKET_IS_POST_ONLY",
    "wouldIncreasePriceDislocation": "PRICE_DISLOCATION",
    "outsidePriceCollar": "PRICE_COLLAR",
    "selfFill": "WOULD_EXECUTE_SELF",
    "postWouldExecute": "POST_WOULD_EXECUTE",
    "iocWouldNotExecute": "IOC_WOULD_NOT_EXECUTE",
    "wouldNotReducePosition": "WOULD_NOT_REDUCE_POSITION",
    "maxPositionViolation": "MAX_POSITION_EXCEEDED",
    "fixedLeverageTooHigh": "FIXED_LEVERAGE_TOO_HIGH",
    "insufficientAvailableFunds": "INSUFFICIENT_MARGIN",
    "wouldCauseLiquidation": "WOULD_CAUSE_LIQUIDATION",
    "tooManyOrders": "ORDER_LIMIT_EXCEEDED",
    "tooManySmallOrders": "SMALL_ORDER_LIMIT_EXCEEDED",
}
# Refusals that come with a REJECT event.
EVENT_REASONS = {"postWouldExecute": "POST_WOULD_EXECUTE", "iocWouldNotExecute": "IOC_WOULD_NOT_EXECUTE"}

PRICE_COLLAR = 0.10
MAX_CLIENT_ID_LENGTH = 100
MAX_OPEN_ORDERS = 200
"""Open orders of an account in one contract."""
SMALL_ORDER_USD, MAX_SMALL_ORDERS = 10.0, 50
"""Value below which an order is a small one, and how many of them an account may have open in one contract."""
TRAILING_PERCENT = (Decimal("0.1"), Decimal(50))
PERCENT_STEP = Decimal("0.1")
MAX_OFFSET_PERCENT = Decimal(10)
# Beyond this a remainder by step or tick is no longer exact.
LARGEST_NUMBER = 10**12


def malformed(exchange: Exchange, account: Account, contract: Contract, request: OrderRequest) -> str | None:
    """The status that refuses a request as it stands, before the book is looked at."""
    if late(exchange, request.process_before):
        return "wouldProcessAfterSpecifiedTime"
    if exchange.is_expired(contract) or exchange.now < contract.opening:
        return "marketInactive"
    if exchange.state(contract).suspended:
        return "marketSuspended"
    if request.cli_ord_id is not None:
        if len(request.cli_ord_id) > MAX_CLIENT_ID_LENGTH:
            return "clientOrderIdTooBig"
        if not request.cli_ord_id.isprintable():
            return "clientOrderIdInvalid"
        if request.cli_ord_id in account.client_ids:
            return "clientOrderIdAlreadyExist"
    if request.order_type in TRIGGER_TYPES and request.reduce_only and not account.position_size(contract):
        return "wouldNotReducePosition"
    return off_grid(contract, size=request.size, prices=(request.limit_price, request.stop_price))


def late(exchange: Exchange, deadline: float | None) -> bool:
    """Whether it is too late to process a request."""
    return deadline is not None and exchange.now > deadline


def off_grid(contract: Contract, *, size: Decimal, prices: tuple[Decimal | None, ...]) -> str | None:
    """The status that refuses a size off the step or a price off the tick."""
    if not 0 < size < LARGEST_NUMBER or size % contract.step:
        return "invalidSize"
    if any(price is not None and (not 0 < price < LARGEST_NUMBER or price % contract.tick) for price in prices):
        return "invalidPrice"
    return None


def off_deviation(contract: Contract, trailing: Trailing | None) -> str | None:
    """The engine's word that refuses the distance of a trailing stop; the status is ``invalidPrice``."""
    if trailing is None:
        return None
    if trailing.unit == "QUOTE_CURRENCY":
        if trailing.deviation % contract.tick:
            return "TRAILING_STOP_QUOTE_DEVIATION_NOT_MULTIPLE_OF_TICK_SIZE"
        least, most = contract.tick, Decimal(LARGEST_NUMBER)
    else:
        least, most = TRAILING_PERCENT
        if trailing.deviation % PERCENT_STEP:
            return "TRAILING_STOP_PERCENT_DEVIATION_EXCEEDS_MAX_DECIMAL_PLACES"
    if trailing.deviation < least:
        return "TRAILING_STOP_MAX_DEVIATION_TOO_SMALL"
    return "TRAILING_STOP_MAX_DEVIATION_TOO_LARGE" if trailing.deviation > most else None


def off_offset(exchange: Exchange, contract: Contract, offset: LimitOffset | None, *, absolute: bool) -> str | None:
    """The engine's word that refuses a relative limit price; ``absolute`` if the order has a limit price as well."""
    if offset is None:
        return None
    if absolute:
        return "LIMIT_PRICE_SET_AS_ABSOLUTE_AND_RELATIVE"
    if offset.unit == "QUOTE_CURRENCY":
        if offset.value % contract.tick:
            return "LIMIT_PRICE_OFFSET_QUOTE_CURRENCY_VALUE_MUST_BE_MULTIPLE_OF_TICK_SIZE"
        percent = 100 * offset.value / Decimal(repr(exchange.prices.mark(contract)))
    else:
        if offset.value % PERCENT_STEP:
            return "LIMIT_PRICE_OFFSET_PERCENT_VALUE_TOO_MANY_DECIMAL_PLACES"
        percent = offset.value
    if percent > MAX_OFFSET_PERCENT:
        return "LIMIT_PRICE_OFFSET_TOO_HIGH"
    return "LIMIT_PRICE_OFFSET_TOO_LOW" if percent < -MAX_OFFSET_PERCENT else None


def frozen(order: Order, request: EditRequest) -> str | None:
    """The status that refuses to change the prices of a trailing stop by hand."""
    if order.trailing is None:
        return None
    if request.stop_price is not None:
        return "cannotEditTriggerPriceOfTrailingStop"
    return "cannotEditLimitPriceOfTrailingStop" if request.limit_price is not None else None


def crowded(account: Account, contract: Contract, size: float, price: float) -> str | None:
    """The status that refuses one more open order."""
    others = [other for other in account.orders.values() if other.contract is contract]
    if len(others) >= MAX_OPEN_ORDERS:
        return "tooManyOrders"

    def small(size: float, price: float) -> bool:
        return abs(float(notional(size, price, inverse=contract.inverse))) < SMALL_ORDER_USD

    if small(size, price):
        count = sum(small(o.remaining, o.limit_price or o.stop_price or price) for o in others)
        return "tooManySmallOrders" if count >= MAX_SMALL_ORDERS else None
    return None


def refusal(exchange: Exchange, account: Account, order: Order, plan: Plan) -> str | None:
    """The status that refuses an order in view of book, position and margin; ``plan`` is what it would trade."""
    contract, limit = order.contract, order.limit_price
    assert limit is not None
    mark = exchange.prices.mark(contract)
    state = exchange.state(contract)
    if state.suspended:
        return "marketSuspended"
    if state.post_only and order.order_type != "post" and (plan.marketable or order.order_type in ("ioc", "fok")):
        return "marketIsPostOnly"
    if state.dislocated == "ABOVE_UPPER_BOUND" and order.side == "buy" and plan.marketable:
        return "wouldIncreasePriceDislocation"
    if state.dislocated == "BELOW_LOWER_BOUND" and order.side == "sell" and plan.marketable:
        return "wouldIncreasePriceDislocation"
    if plan.marketable and order.sign * (limit / mark - 1) > PRICE_COLLAR:
        return "outsidePriceCollar"
    if plan.meets_itself:
        return "selfFill"
    if order.order_type == "post" and plan.marketable:
        return "postWouldExecute"
    if order.order_type == "ioc" and not plan.trades:
        return "iocWouldNotExecute"
    if order.order_type == "fok" and plan.size < order.remaining:
        return "iocWouldNotExecute"
    rests = order.order_type in ("lmt", "post") and plan.size < order.remaining
    if rests and (full := crowded(account, contract, order.remaining, limit)):
        return full
    return _uncovered(exchange, account, order, plan)


def _uncovered(exchange: Exchange, account: Account, order: Order, plan: Plan) -> str | None:
    """The status that refuses an order in view of the position it leads to and the margin for it.

    The wallet must cover the margin with the order, its fee, and what it loses against the mark price at once.
    """
    contract, limit = order.contract, order.limit_price
    assert limit is not None
    mark = exchange.prices.mark(contract)
    lost = sum(
        float(pnl(order.sign * size, price, mark, inverse=contract.inverse))
        for price, size in ((maker.price, size) for maker, size in plan.trades)
    )
    before = _state(exchange, account, contract.wallet)
    after = _state(exchange, account, contract.wallet, order)
    if not order.reduce_only:
        waiting = sum(
            o.remaining
            for o in account.orders.values()
            if o.contract is contract and o.side == order.side and not (o.is_trigger or o.reduce_only)
        )
        largest = abs(account.position_size(contract) + order.sign * (order.remaining + waiting))
        if largest > contract.max_position:
            return "maxPositionViolation"
        leverage = account.preferences.leverage.get(contract.symbol)
        value = float(notional(largest, mark, inverse=contract.inverse))
        if leverage is not None and leverage > tier_leverage(contract, value):
            return "fixedLeverageTooHigh"
        if after.required.initial_with_orders > before.required.initial_with_orders:
            cost = float(fee(order.remaining, limit, TAKER_FEE, inverse=contract.inverse))
            if after.available - cost + min(0.0, lost) < 0:
                return "insufficientAvailableFunds"
    # A bad price alone must not bring the account to where it is liquidated; to close a position is always allowed.
    adds = order.sign * account.position_size(contract) >= 0
    if adds and lost < 0 and _equity(before) + lost < before.required.maintenance < _equity(before):
        return "wouldCauseLiquidation"
    return None


def _state(exchange: Exchange, account: Account, wallet: str, extra: Order | None = None) -> FlexState | SingleState:
    if wallet == "flex":
        return exchange.flex(account, extra=extra)
    return exchange.single(account, wallet, extra=extra)


def _equity(state: FlexState | SingleState) -> float:
    return state.margin_equity if isinstance(state, FlexState) else state.portfolio_value


def opposed(account: Account, contract: Contract, side: Side) -> float:
    """Size by which an order of a side can reduce the account's position."""
    sign = 1 if side == "buy" else -1
    return max(0.0, -sign * account.position_size(contract))
