"""Orders and what happens to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from kfut_analytics.paper.engine.book import Side
from kfut_analytics.paper.market.instruments import Contract

ORDER_TYPES = ("lmt", "post", "ioc", "mkt", "fok", "stp", "take_profit", "trailing_stop")
TRIGGER_TYPES = ("stp", "take_profit", "trailing_stop")
Signal = Literal["mark", "index", "last"]


DeviationUnit = Literal["PERCENT", "QUOTE_CURRENCY"]


@dataclass(frozen=True, slots=True)
class Trailing:
    """How a trailing stop follows its signal.

    Attributes
    ----------
    deviation
        Distance between the best price so far and the stop, in ``unit``.
    extreme
        The best price so far: the lowest for a buy, the highest for a sell.
    followed
        Time up to which ``extreme`` is known.
    """

    deviation: Decimal
    unit: DeviationUnit
    extreme: float = 0.0
    followed: float = 0.0

    def moved(self, extreme: float, followed: float) -> Trailing:
        """The same distance from another price."""
        return replace(self, extreme=extreme, followed=followed)


@dataclass(frozen=True, slots=True)
class LimitOffset:
    """Where the limit price lies when a trigger fires: so far from the trigger price, in ``unit``, with its sign."""

    value: Decimal
    unit: DeviationUnit


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a trader asks for; prices and sizes are exact."""

    symbol: str
    side: Side
    order_type: str
    size: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    cli_ord_id: str | None = None
    trigger_signal: Signal = "last"
    reduce_only: bool = False
    process_before: float | None = None
    trailing: Trailing | None = None
    offset: LimitOffset | None = None

    @property
    def is_trigger(self) -> bool:
        """Whether it waits for its trigger price rather than in the book."""
        return self.order_type in TRIGGER_TYPES


@dataclass(frozen=True, slots=True)
class EditRequest:
    """What a trader wants changed in an order named by either id; what is ``None`` stays.

    Attributes
    ----------
    size
        The new open size, or with ``absolute`` the new size including what is filled.
    """

    order_id: str | None = None
    cli_ord_id: str | None = None
    size: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    absolute: bool = False
    deviation: Decimal | None = None
    deviation_unit: DeviationUnit | None = None
    process_before: float | None = None


@dataclass(slots=True)
class Order:
    """An order on the exchange.

    Attributes
    ----------
    limit_price
        ``None`` only for a trigger that sends a market order.
    stop_price
        Trigger price; ``None`` once the trigger has fired and for orders without one.
    trailing
        For a trailing stop, whose trigger price moves.
    offset
        For a trigger whose limit price is found when it fires.
    priority
        Its place in the book's queue, lower numbers first.
    """

    order_id: str
    cli_ord_id: str | None
    contract: Contract
    side: Side
    order_type: str
    size: float
    limit_price: float | None
    stop_price: float | None
    trigger_signal: Signal
    reduce_only: bool
    received: float
    updated: float
    filled: float = 0.0
    trailing: Trailing | None = None
    offset: LimitOffset | None = None
    priority: int = 0

    @property
    def remaining(self) -> float:
        """Size not filled yet."""
        return round(self.size - self.filled, 10)

    @property
    def sign(self) -> int:
        """+1 for a buy, −1 for a sell."""
        return 1 if self.side == "buy" else -1

    @property
    def is_trigger(self) -> bool:
        """Whether it waits for its trigger price rather than in the book."""
        return self.order_type in TRIGGER_TYPES

    @property
    def triggers_above(self) -> bool:
        """Whether the trigger fires when the signal rises to the trigger price."""
        return (self.order_type != "take_profit") == (self.side == "buy")

    def snapshot(self) -> Order:
        """A copy that later fills do not change."""
        return replace(self)


@dataclass(frozen=True, slots=True)
class Placed:
    """The order rests in the book or waits for its trigger."""

    order: Order
    reduced: float | None = None


@dataclass(frozen=True, slots=True)
class Executed:
    """A fill; ``order`` is the order before it."""

    execution_id: str
    price: float
    size: float
    order: Order


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused; ``reason`` is the exchange's word in upper snake case."""

    order: Order
    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Taken off the book."""

    order: Order


@dataclass(frozen=True, slots=True)
class Edited:
    """Changed in place."""

    old: Order
    new: Order


@dataclass(frozen=True, slots=True)
class Closed:
    """An order that is no longer open: how it ended, why (the exchange's words), and when."""

    order: Order
    status: str
    reason: str | None
    time: float


Change = Literal["placed", "updated", "cancelled", "rejected", "edit rejected", "activated"]


@dataclass(frozen=True, slots=True)
class Record:
    """An entry of an account's journal of orders.

    Attributes
    ----------
    order
        The order after the change; for a rejected one the order that was attempted.
    reason
        Why it happened, in the exchange's lower-case words.
    old
        The order before an update or a rejected edit.
    error
        Why it was refused, in the exchange's words.
    """

    change: Change
    time: float
    order: Order
    reason: str = ""
    old: Order | None = None
    error: str = ""


Event = Placed | Executed | Rejected | Cancelled | Edited


@dataclass(frozen=True, slots=True)
class Outcome:
    """Answer to a request about an order: the exchange's status word, the order if there is one, the events."""

    status: str
    order: Order | None = None
    events: tuple[Event, ...] = ()
