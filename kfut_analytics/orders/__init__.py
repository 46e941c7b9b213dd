"""An order, its checks against the contract's rules, its preview, and what became of it. Pure: no I/O.

The venues import the types from here; the client and the order desk drive them.
"""

from .changes import check_change
from .checks import check, check_edit
from .effect import LOWEST_TIER, MAKER_FEE, TAKER_FEE, Fees, Level, average_price, levels_of, levels_taken, walk_book
from .estimate import examine, preview
from .market import Market
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
from .preview import Preview
from .results import CancelResult, EditResult, OrderResult, OrderStatus
from .sizing import corrected
from .words import MARGIN_REASONS, REASONS, explain, is_refusal

__all__ = [
    "IMMEDIATE_TYPES", "LIMIT_TYPES", "LOWEST_TIER", "MAKER_FEE", "MARGIN_REASONS", "ORDER_TYPES", "REASONS",
    "STOP_PRICE_TYPES", "TAKER_FEE", "TRIGGER_TYPES", "UNITS", "Cancel", "CancelResult", "Edit", "EditResult", "Fees",
    "Level", "Market", "Order", "OrderResult", "OrderStatus", "Preview", "average_price", "check", "check_change",
    "check_edit", "corrected", "examine", "explain", "is_refusal", "levels_of", "levels_taken", "preview", "walk_book",
]  # fmt: skip
