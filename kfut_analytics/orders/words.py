"""The exchange's words in sentences, and which of them prove that nothing was done."""

from __future__ import annotations

from ..errors import ExchangeError, InvalidRequestError, NotFoundError

REASONS = {
    "placed": "The order rests in the book.",
    "partiallyFilled": "A part of the order is filled.",
    "filled": "The order is filled.",
    "edited": "The order is changed.",
    "insufficientAvailableFunds": "There is not enough available margin for this order.",
    "invalidPrice": "The price is not a multiple of the tick size, or out of range.",
    "invalidSize": "The size is not a multiple of the size step, or out of range.",
    "invalidOrderType": "The exchange does not know this type of order.",
    "invalidSide": "The side is neither buy nor sell.",
    "tooManySmallOrders": "There are too many small orders open already.",
    "tooManyOrders": "There are too many orders open already.",
    "marketSuspended": "The market is suspended.",
    "marketInactive": "The market is not active.",
    "marketIsPostOnly": "The market accepts post-only orders only.",
    "wouldCauseLiquidation": "The order would bring the account below its maintenance margin.",
    "clientOrderIdAlreadyExist": "An order with the same client id exists already.",
    "clientOrderIdTooBig": "The client id is too long.",
    "clientOrderIdInvalid": "The client id is not acceptable.",
    "maxPositionViolation": "The position would exceed the largest allowed.",
    "outsidePriceCollar": "The price is too far from the market.",
    "wouldIncreasePriceDislocation": "The market is dislocated and the order would move it further.",
    "postWouldExecute": "A post-only order at this price would have executed at once.",
    "iocWouldNotExecute": "Nothing in the book matched the price, so nothing was filled.",
    "selfFill": "The order would have traded with another order of yours.",
    "wouldNotReducePosition": "The order is reduce-only, but would not reduce a position.",
    "fixedLeverageTooHigh": "The fixed leverage is too high for a position of this size.",
    "wouldProcessAfterSpecifiedTime": "The order reached the exchange after its deadline and was not processed.",
    "orderForEditNotFound": "There is no such open order to change.",
    "orderForEditNotAStop": "Only an order that waits for a trigger has a trigger price to change.",
    "cannotEditTriggerPriceOfTrailingStop": "The trigger price of a trailing stop follows the market.",
    "cannotEditLimitPriceOfTrailingStop": "A trailing stop has no limit price to change.",
    "noOrdersToCancel": "There were no open orders to cancel.",
    "notFound": "The exchange does not know the order or contract.",
    "cancelled": "The order was cancelled.",
    "EDIT_HAS_NO_EFFECT": "The change changes nothing.",
    "ORDER_CANNOT_HAVE_TRIGGER_PRICE": "Only an order that waits for a trigger has a trigger price.",
    "REJECTED_AFTER_EXECUTION": "The order was refused after a part of it had been executed: look at the fills.",
    "TRAILING_STOP_ORDER_LIMIT_EXCEEDED": "There are too many trailing stops open already.",
    "TRAILING_STOP_PERCENT_DEVIATION_EXCEEDS_MAX_DECIMAL_PLACES": "The trailing deviation has too many decimals.",
    "TRAILING_STOP_QUOTE_DEVIATION_NOT_MULTIPLE_OF_TICK_SIZE": "The trailing deviation is not a multiple of the tick.",
    "TRAILING_STOP_MAX_DEVIATION_TOO_LARGE": "The trailing deviation is too large.",
    "TRAILING_STOP_MAX_DEVIATION_TOO_SMALL": "The trailing deviation is too small.",
    "INSUFFICIENT_HEADROOM_AROUND_CURRENT_PRICE_TO_EDIT_TRAILING_STOP": "With this deviation it would fire at once.",
    "NO_REFERENCE_PRICE_AVAILABLE_FOR_CALCULATING_TRAILING_STOP_TRIGGER_PRICE": "There is no price to trail behind.",
    "INSUFFICIENT_CLOSING_MARGIN": "There is not enough margin to close the position at this price.",
    "LIMIT_PRICE_SET_AS_ABSOLUTE_AND_RELATIVE": "The limit is given both as a price and as an offset.",
    "LIMIT_PRICE_OFFSET_VALUE_INVALID": "The limit offset is not a number that the exchange takes.",
    "LIMIT_PRICE_OFFSET_UNIT_INVALID": "The unit of the limit offset is none that the exchange takes.",
    "LIMIT_PRICE_OFFSET_MUST_HAVE_VALUE_AND_UNIT": "The limit offset lacks its value or its unit.",
    "LIMIT_PRICE_OFFSET_QUOTE_CURRENCY_VALUE_MUST_BE_MULTIPLE_OF_TICK_SIZE": "The limit offset is off the tick.",
    "LIMIT_PRICE_OFFSET_PERCENT_VALUE_TOO_MANY_DECIMAL_PLACES": "The limit offset has too many decimals.",
    "LIMIT_PRICE_OFFSET_TOO_HIGH": "The limit lies too far above the trigger price.",
    "LIMIT_PRICE_OFFSET_TOO_LOW": "The limit lies too far below the trigger price.",
}
"""The exchange's words in sentences: status words, and those of its matching engine (api-facts 4.2 to 4.5)."""

_SAME = {
    "MARKET_SUSPENDED": "marketSuspended",
    "MARKET_NOT_FOUND": "notFound",
    "MARKET_INACTIVE": "marketInactive",
    "INVALID_PRICE": "invalidPrice",
    "INVALID_QUANTITY": "invalidSize",
    "SMALL_ORDER_LIMIT_EXCEEDED": "tooManySmallOrders",
    "ORDER_LIMIT_EXCEEDED": "tooManyOrders",
    "INSUFFICIENT_MARGIN": "insufficientAvailableFunds",
    "NOT_ENOUGH_MARGIN": "insufficientAvailableFunds",
    "WOULD_CAUSE_LIQUIDATION": "wouldCauseLiquidation",
    "CLIENT_ORDER_ID_IN_USE": "clientOrderIdAlreadyExist",
    "CLIENT_ORDER_ID_TOO_LONG": "clientOrderIdTooBig",
    "clientOrderIdTooLong": "clientOrderIdTooBig",
    "MAX_POSITION_EXCEEDED": "maxPositionViolation",
    "PRICE_COLLAR": "outsidePriceCollar",
    "PRICE_DISLOCATION": "wouldIncreasePriceDislocation",
    "ORDER_FOR_CANCELLATION_NOT_FOUND": "notFound",
    "ORDER_FOR_EDIT_NOT_FOUND": "orderForEditNotFound",
    "POST_WOULD_EXECUTE": "postWouldExecute",
    "IOC_WOULD_NOT_EXECUTE": "iocWouldNotExecute",
    "WOULD_EXECUTE_SELF": "selfFill",
    "WOULD_NOT_REDUCE_POSITION": "wouldNotReducePosition",
    "reduceOnlyWouldIncreasePosition": "wouldNotReducePosition",
    "MARKET_IS_POST_ONLY": "marketIsPostOnly",
    "FIXED_LEVERAGE_TOO_HIGH": "fixedLeverageTooHigh",
    "CANNOT_EDIT_TRIGGER_PRICE_OF_TRAILING_STOP": "cannotEditTriggerPriceOfTrailingStop",
    "CANNOT_EDIT_LIMIT_PRICE_OF_TRAILING_STOP": "cannotEditLimitPriceOfTrailingStop",
    "CONTRACT_DOES_NOT_EXIST": "notFound",
}
"""The engine's words that mean the same as a status word."""

MARGIN_REASONS = ("insufficientAvailableFunds", "wouldCauseLiquidation", "INSUFFICIENT_MARGIN")
"""Words of the exchange that mean that margin lacked."""


_DOUBTFUL = ("server error", "unknownerror", "unavailable")


def is_refusal(error: ExchangeError) -> bool:
    """Whether an error answered to an order proves that the order was not taken.

    Some refusals come as HTTP 500 (a margin that lacks, a contract that does not exist), and some errors at HTTP 200
    leave open whether the order was processed before they arose.
    """
    if isinstance(error, (InvalidRequestError, NotFoundError)) or any(word in error.words for word in MARGIN_REASONS):
        return True
    doubtful = not error.words or error.words.casefold().startswith(_DOUBTFUL)
    return not doubtful and (error.http_status or 0) < 500


def explain(reason: str) -> str:
    """A sentence for one of the exchange's words; unknown words are shown verbatim.

    >>> explain("INSUFFICIENT_MARGIN (code 92)")
    'There is not enough available margin for this order.'
    """
    word = reason.partition(" (code")[0].removesuffix("_REASON")
    return REASONS.get(_SAME.get(word, word), f"The exchange answered {reason!r}.")
