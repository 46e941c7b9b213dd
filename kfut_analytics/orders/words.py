"""The exchange's words in sentences, and which of them prove that nothing was done."""

from __future__ import annotations

from ..errors import ExchangeError, InvalidRequestError, NotFoundError

REASONS = {
    "placed": "The order rests in the book.",
    "insufficientAvailableFunds": "There is not enough available margin for this order.",
    "invalidPrice": "The price is not a multiple of the tick size, or out of range.",
    "invalidSize": "The size is not a multiple of the size step, or out of range.",
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
    "notFound": "The exchange does not know the order or contract.",
    "cancelled": "The order was cancelled.",
}
"""The exchange's status words in sentences (api-facts 4.2)."""


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
    """A sentence for one of the exchange's words; unknown words are shown verbatim."""
    return REASONS.get(reason, f"The exchange answered {reason!r}.")
