"""The states a market can be in, and announced downtime: what the exchange decides over its customers' heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kfut_analytics.errors import ArgumentError

Bound = Literal["ABOVE_UPPER_BOUND", "BELOW_LOWER_BOUND"]


@dataclass(frozen=True, slots=True)
class MarketState:
    """What is out of the ordinary about one contract's market; as it stands here nothing is.

    Attributes
    ----------
    suspended
        Nothing trades, and no order is accepted.
    post_only
        Only orders that add to the book are accepted.
    dislocated
        The price has left its bounds: what would move it further that way is refused (api-facts 3A).
    margin_multiplier
        In extreme volatility initial margin is so many times the usual one.
    reason
        Why, where that is worth telling its customers.
    """

    suspended: bool = False
    post_only: bool = False
    dislocated: Bound | None = None
    margin_multiplier: int = 1
    reason: str = ""

    def __post_init__(self) -> None:
        if self.dislocated not in (None, "ABOVE_UPPER_BOUND", "BELOW_LOWER_BOUND"):
            raise ArgumentError(f"dislocated is {self.dislocated!r}: give 'ABOVE_UPPER_BOUND' or 'BELOW_LOWER_BOUND'")
        if self.margin_multiplier < 1:
            raise ArgumentError(f"margin_multiplier is {self.margin_multiplier}: volatility never lowers the margin")

    @property
    def volatile(self) -> bool:
        """Whether volatility is extreme."""
        return self.margin_multiplier > 1


NORMAL = MarketState()


@dataclass(frozen=True, slots=True)
class Downtime:
    """A time in which the exchange's API answers nothing but that it is unavailable, in seconds since the epoch."""

    start: float
    end: float
