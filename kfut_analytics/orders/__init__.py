"""An order, its checks against the contract's rules, its preview, and what became of it. Pure: no I/O.

The venues import the types from here; the client and the order desk drive them.
"""

from .checks import check
from .order import (
    IMMEDIATE_TYPES,
    LIMIT_TYPES,
    ORDER_TYPES,
    STOP_PRICE_TYPES,
    TRIGGER_TYPES,
    UNITS,
    Cancel,
    Edit,
    Order,
)
from .preview import MAKER_FEE, TAKER_FEE, Market, Preview, average_price, examine, levels_taken, preview, walk_book
from .results import CancelResult, EditResult, OrderResult, OrderStatus
from .words import MARGIN_REASONS, REASONS, explain, is_refusal

__all__ = [
    "IMMEDIATE_TYPES",
    "LIMIT_TYPES",
    "MAKER_FEE",
    "MARGIN_REASONS",
    "ORDER_TYPES",
    "REASONS",
    "STOP_PRICE_TYPES",
    "TAKER_FEE",
    "TRIGGER_TYPES",
    "UNITS",
    "Cancel",
    "CancelResult",
    "Edit",
    "EditResult",
    "Market",
    "Order",
    "OrderResult",
    "OrderStatus",
    "Preview",
    "average_price",
    "check",
    "explain",
    "is_refusal",
    "levels_taken",
    "preview",
    "walk_book",
]  # fmt: skip
