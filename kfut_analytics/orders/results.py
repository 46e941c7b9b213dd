"""What became of an order, an edit or a cancellation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pandas as pd

OrderStatus = Literal["placed", "filled", "partially_filled", "rejected", "cancelled", "unknown", "never_arrived"]
EditStatus = Literal["edited", "filled", "rejected", "not_found", "unknown", "never_arrived"]
CancelStatus = Literal["cancelled", "filled", "not_found", "nothing_to_cancel", "unknown", "never_arrived"]


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What became of an order.

    Attributes
    ----------
    status
        ``placed`` (rests, nothing filled yet), ``filled``, ``partially_filled``, ``rejected``, ``cancelled``,
        ``unknown`` (no clear answer arrived; it is not sent again) or ``never_arrived`` (the exchange did not take it
        before its deadline, and cannot any more).
    reason
        The exchange's own word.
    message
        A sentence for a person.
    order_id, cli_ord_id
        The exchange's id (empty where there is none) and the client's.
    filled_size, average_price
        Contracts filled so far and their average price; NaN price where nothing is filled.
    fee
        Charged so far, in the contract's currency; NaN until it is known.
    until
        For ``unknown``: the exchange's time from which on the order can no longer arrive.
    """

    status: OrderStatus
    reason: str
    message: str
    order_id: str = ""
    cli_ord_id: str = ""
    filled_size: float = 0.0
    average_price: float = math.nan
    fee: float = math.nan
    until: pd.Timestamp | None = None


@dataclass(frozen=True, slots=True)
class EditResult:
    """What became of a change to an open order.

    Attributes
    ----------
    status
        ``edited``, ``filled`` (too late), ``rejected`` (the order stays as it was), ``not_found``, ``unknown`` or
        ``never_arrived``.
    reason
        The exchange's own word.
    message
        A sentence for a person.
    order_id, cli_ord_id
        The order's ids.
    filled_size, average_price
        Contracts that were filled by the change itself and their average price; NaN price where nothing was.
    until
        For ``unknown``: the exchange's time from which on the change can no longer arrive.
    """

    status: EditStatus
    reason: str
    message: str
    order_id: str = ""
    cli_ord_id: str = ""
    filled_size: float = 0.0
    average_price: float = math.nan
    until: pd.Timestamp | None = None


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What became of a cancellation.

    Attributes
    ----------
    status
        ``cancelled``, ``filled`` (too late), ``not_found``, ``nothing_to_cancel``, ``unknown`` or ``never_arrived``.
    reason
        The exchange's own word.
    message
        A sentence for a person.
    order_ids
        The orders that were cancelled.
    until
        For ``unknown``: the exchange's time from which on the cancellation can no longer arrive.
    """

    status: CancelStatus
    reason: str
    message: str
    order_ids: tuple[str, ...] = ()
    until: pd.Timestamp | None = None
