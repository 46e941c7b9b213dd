"""What the exchange refuses, and with which status word (api-facts 4.2)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kfut_analytics.contracts import fee, notional, pnl
from kfut_analytics.paper.account import TAKER_FEE, Account
from kfut_analytics.paper.instruments import Contract
from kfut_analytics.paper.margin import FlexState, SingleState, flex_state, single_state
from kfut_analytics.paper.orders import TRIGGER_TYPES, EditRequest, Order, OrderRequest, Trailing
from kfut_analytics.paper.preferences import REJECT_TAKER, tier_leverage

if TYPE_CHECKING:
    from kfut_analytics.paper.exchange import Exchange

# The matching engine's words for refusals that come with a REJECT event.
REJECT_REASONS = {"postWouldExecute": "POST_WOULD_EXECUTE", "iocWouldNotExecute": "IOC_WOULD_NOT_EXECUTE"}
# The words of orders/status for the same and other refusals (api-facts 4.6).
UPDATE_REASONS = {
    "postWouldExecute": "POST_WOULD_EXECUTE_REASON",
    "iocWouldNotExecute": "IOC_WOULD_NOT_EXECUTE_REASON",
    "selfFill": "WOULD_EXECUTE_SELF_REASON",
    "wouldNotReducePosition": "WOULD_NOT_REDUCE_POSITION",
    "insufficientAvailableFunds": "NOT_ENOUGH_MARGIN",
}
# The words of the order history for what the matching engine refuses (api-facts 4.5).
ORDER_ERRORS = {
    "outsidePriceCollar": "PRICE_COLLAR",
    "selfFill": "WOULD_EXECUTE_SELF",
    "postWouldExecute": "POST_WOULD_EXECUTE",
    "iocWouldNotExecute": "IOC_WOULD_NOT_EXECUTE",
    "wouldNotReducePosition": "WOULD_NOT_REDUCE_POSITION",
    "maxPositionViolation": "MAX_POSITION_EXCEEDED",
    "fixedLeverageTooHigh": "FIXED_LEVERAGE_TOO_HIGH",
    "insufficientAvailableFunds": "INSUFFICIENT_MARGIN",
}

PRICE_COLLAR = 0.10
MAX_CLIENT_ID_LENGTH = 100
TRAILING_PERCENT = (Decimal("0.1"), Decimal(50))
TRAILING_PERCENT_STEP = Decimal("0.1")
# Beyond this a remainder by step or tick is no longer exact.
LARGEST_NUMBER = 10**12


def malformed(exchange: Exchange, account: Account, contract: Contract, request: OrderRequest) -> str | None:
    """The status that refuses a request as it stands, before the book is looked at."""
    if request.process_before is not None and exchange.now > request.process_before:
        return "wouldProcessAfterSpecifiedTime"
    if exchange.is_expired(contract):
        return "marketInactive"
    if request.cli_ord_id is not None:
        if len(request.cli_ord_id) > MAX_CLIENT_ID_LENGTH:
            return "clientOrderIdTooBig"
        if request.cli_ord_id in account.client_ids:
            return "clientOrderIdAlreadyExist"
    if request.order_type in TRIGGER_TYPES and request.reduce_only and not account.position_size(contract):
        return "wouldNotReducePosition"
    refused = off_grid(contract, size=request.size, prices=(request.limit_price, request.stop_price))
    return refused or off_deviation(contract, request.trailing)


def off_grid(contract: Contract, *, size: Decimal, prices: tuple[Decimal | None, ...]) -> str | None:
    """The status that refuses a size off the step or a price off the tick."""
    if not 0 < size < LARGEST_NUMBER or size % contract.step:
        return "invalidSize"
    if any(price is not None and (not 0 < price < LARGEST_NUMBER or price % contract.tick) for price in prices):
        return "invalidPrice"
    return None


def off_deviation(contract: Contract, trailing: Trailing | None) -> str | None:
    """The status that refuses the distance of a trailing stop."""
    if trailing is None:
        return None
    least, most = TRAILING_PERCENT
    if trailing.unit == "PERCENT":
        fits = least <= trailing.deviation <= most and not trailing.deviation % TRAILING_PERCENT_STEP
    else:
        fits = 0 < trailing.deviation < LARGEST_NUMBER and not trailing.deviation % contract.tick
    return None if fits else "invalidPrice"


def frozen(order: Order, request: EditRequest) -> str | None:
    """The status that refuses to change the prices of a trailing stop by hand."""
    if order.trailing is None:
        return None
    if request.stop_price is not None:
        return "cannotEditTriggerPriceOfTrailingStop"
    return "cannotEditLimitPriceOfTrailingStop" if request.limit_price is not None else None


def refusal(exchange: Exchange, account: Account, order: Order) -> str | None:
    """The status that refuses an order in view of book, position and margin."""
    contract, limit = order.contract, order.limit_price
    assert limit is not None
    book, marketable = exchange.book(contract), exchange.is_marketable(order)
    mark = exchange.market.mark(contract, exchange.now)
    if marketable and order.sign * (limit / mark - 1) > PRICE_COLLAR:
        return "outsidePriceCollar"
    if account.preferences.self_trade == REJECT_TAKER and crossed(account, order):
        return "selfFill"
    if order.order_type == "post" and marketable:
        return "postWouldExecute"
    if order.order_type == "ioc" and not marketable:
        return "iocWouldNotExecute"
    if order.order_type == "fok" and book.reachable(order.side, limit) < order.remaining:
        return "iocWouldNotExecute"
    if order.reduce_only:
        return None
    waiting = sum(other.remaining for other in _resting(account, contract) if other.side == order.side)
    largest = abs(account.position_size(contract) + order.sign * (order.remaining + waiting))
    if largest > contract.max_position:
        return "maxPositionViolation"
    leverage = account.preferences.leverage.get(contract.symbol)
    if leverage is not None and leverage > tier_leverage(
        contract, float(notional(largest, mark, inverse=contract.inverse))
    ):
        return "fixedLeverageTooHigh"
    return None if _affordable(exchange, account, order) else "insufficientAvailableFunds"


def crossed(account: Account, order: Order) -> list[Order]:
    """The account's own resting orders that an order would meet."""
    assert order.limit_price is not None
    return [
        other
        for other in _resting(account, order.contract)
        if other.side != order.side
        and other.limit_price is not None
        and order.sign * (order.limit_price - other.limit_price) >= 0
    ]


def _resting(account: Account, contract: Contract) -> list[Order]:
    return [other for other in account.orders.values() if other.contract is contract and not other.is_trigger]


def _affordable(exchange: Exchange, account: Account, order: Order) -> bool:
    """Whether the wallet covers the margin with this order, its fee and what it loses against the mark at once."""
    contract, limit, market, now = order.contract, order.limit_price, exchange.market, exchange.now
    before: FlexState | SingleState
    after: FlexState | SingleState
    if contract.wallet == "flex":
        before, after = flex_state(account, market, now), flex_state(account, market, now, extra=order)
    else:
        before = single_state(account, contract.wallet, market, now)
        after = single_state(account, contract.wallet, market, now, extra=order)
    if after.required.initial_with_orders <= before.required.initial_with_orders:
        return True
    cost = float(fee(order.remaining, limit, TAKER_FEE, inverse=contract.inverse))
    if exchange.is_marketable(order):
        price = exchange.book(contract).best(order.side)
        mark = market.mark(contract, now)
        cost -= min(0.0, float(pnl(order.sign * order.remaining, price, mark, inverse=contract.inverse)))
    return after.available - cost >= 0
