"""What an account has chosen for its contracts, and what it may choose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfut_analytics.paper.market.instruments import Contract

PNL_CURRENCIES = ("USD", "EUR", "GBP", "USDC", "USDT", "BTC", "ETH")
REJECT_TAKER = "REJECT_TAKER"
SELF_TRADE_STRATEGIES = (REJECT_TAKER, "CANCEL_MAKER_SELF", "CANCEL_MAKER_CHILD", "CANCEL_MAKER_ANY")


@dataclass(slots=True)
class Preferences:
    """What an account has chosen.

    Attributes
    ----------
    leverage
        Largest leverage by symbol; contracts that are in it have isolated margin.
    pnl_currency
        Currency by symbol; it is shown, and P&L is booked in the contract's own currency all the same.
    self_trade
        What happens when an order would meet another one of the same account.
    """

    leverage: dict[str, float] = field(default_factory=dict)
    pnl_currency: dict[str, str] = field(default_factory=dict)
    self_trade: str = REJECT_TAKER


def tier_leverage(contract: Contract, value: float) -> float:
    """Largest leverage that the margin schedule allows for a position of a value (contracts, if inverse)."""
    return 1 / next(tier.initial_margin for tier in reversed(contract.tiers) if abs(value) >= tier.threshold)
