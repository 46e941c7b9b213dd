"""Brackets: an entry with a take-profit and a stop, of which one cancels the other.

The exchange knows no brackets, so this kernel watches (`watch`): exits are placed for what the entry has filled and no
more, they follow its further fills, and when one of them closes the position, or anybody else does, the other is
cancelled, and what is left of the entry. Both may only reduce a position, whatever happens.

What if the kernel dies, and when:

* before the entry went out: nothing is there;
* with the entry open: it rests as any order does, and fills without protection;
* after its fills and before the exits: a position without a stop. Exits are placed within about a second;
* with both exits in place: the position is protected. When one of them closes it, the other is left over; as it may
  only reduce, it can open nothing, but it may close a later position of the same side.

In every case the journal has the bracket, the next client says so, and `Client.watch_brackets` takes it up again: the
ids of the three orders follow from the bracket's own, so that each is found, or known to be missing.
"""

from __future__ import annotations

import html
import math
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import pandas as pd

from ..contracts import plain, to_decimal
from ..errors import OrderRefused
from ..journal import Intent
from ..journal_tables import BRACKETS
from ..orders import Order, OrderResult, Preview

State = Literal["unknown", "entering", "protected", "unprotected", "done", "cancelled"]
Role = Literal["take_profit", "stop"]

_TYPES: dict[Role, tuple[str, ...]] = {
    "take_profit": ("take_profit", "lmt", "post"),
    "stop": ("stp", "trailing_stop"),
}
"""Order types that wait until the price is reached; any other would close the position at once."""


@dataclass(slots=True)
class Exit:
    """One way out of a bracket.

    Attributes
    ----------
    order
        As it is placed, but for its size.
    gone
        Whether it is over, although the position is not, and is not placed again.
    """

    order: Order
    gone: bool = False


class Bracket:
    """An entry with its exits; made by `Client.bracket`.

    Attributes
    ----------
    bracket_id
        Its id; the orders' client ids begin with it.
    entry
        The entry order, with its exact size.
    result
        What became of placing the entry; None for a bracket that was taken up again.
    state
        ``entering`` (nothing filled yet), ``protected`` (the stop stands for what is filled; of a bracket without one,
        the take-profit), ``unprotected`` (it does not, see ``trouble``), ``done`` or ``cancelled`` (over; cancelled
        before anything filled), ``unknown`` (of a former kernel, and not looked at by this one).
    filled, closed
        Contracts that the entry has filled, and that the exits have closed.
    watched
        Whether this kernel watches it.
    """

    def __init__(self, bracket_id: str, entry: Order, exits: dict[Role, Order]) -> None:
        self.bracket_id = bracket_id
        self.entry = entry
        self.exits = {role: Exit(order) for role, order in exits.items()}
        self.result: OrderResult | None = None
        self.state: State = "entering"
        self.filled = 0.0
        self.closed = 0.0
        self.watched = False
        self.intent: Intent | None = None
        self.lasting = ""
        """Trouble that stays."""
        self.passing = ""
        """Trouble of the last look."""
        self.lock = threading.RLock()
        self.begun: dict[str, float] = {}
        """When what must last before it is believed was first seen, by this machine's monotonic clock."""

    @property
    def trouble(self) -> str:
        """What a person must know, empty if nothing."""
        return "; ".join(text for text in (self.lasting, self.passing) if text)

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in {"done", "cancelled"}

    def entry_id(self) -> str:
        """The entry's client id."""
        return f"{self.bracket_id}-entry"

    def exit_id(self, role: Role, attempt: int) -> str:
        """The client id of an exit's attempt, counted from 1."""
        return f"{self.bracket_id}-{role}-{attempt}"

    def close_id(self, attempt: int) -> str:
        """The client id of an order that closes what is left, counted from 1."""
        return f"{self.bracket_id}-close-{attempt}"

    def __repr__(self) -> str:
        ways = ", ".join(f"{role.replace('_', '-')} {_level(self.exits[role].order)}" for role in self.exits)
        watch = "" if self.over else "; watched" if self.watched else "; NOT WATCHED by this kernel"
        trouble = f"; {self.trouble}" if self.trouble else ""
        done = "" if self.state == "unknown" else f", {self.filled:,.10g} filled, {self.closed:,.10g} closed"
        return f"<bracket {self.bracket_id}: {self.entry}; {ways}; {self.state}{done}{watch}{trouble}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"


def _price(order: Order) -> Decimal | None:
    price = order.stop_price if order.stop_price is not None else order.limit_price
    return None if price is None else to_decimal(price)


def _level(order: Order) -> str:
    price = _price(order)
    return "" if price is None else plain(price)


def frame_of(brackets: Sequence[Bracket]) -> pd.DataFrame:
    """Table ``brackets``."""

    def number(value: Decimal | float | None) -> float:
        return math.nan if value is None else float(value)

    def level(bracket: Bracket, role: Role) -> float:
        return number(_price(bracket.exits[role].order) if role in bracket.exits else None)

    def counted(bracket: Bracket, value: float) -> float:
        return math.nan if bracket.state == "unknown" else value

    return BRACKETS.frame(
        {
            "bracket_id": [one.bracket_id for one in brackets],
            "time": [None if one.intent is None else one.intent.sent_time for one in brackets],
            "symbol": [one.entry.symbol for one in brackets],
            "side": [one.entry.side for one in brackets],
            "size": [float(one.entry.contracts) for one in brackets],
            "entry_price": [number(_price(one.entry)) for one in brackets],
            "take_profit": [level(one, "take_profit") for one in brackets],
            "stop": [level(one, "stop") for one in brackets],
            "state": [one.state for one in brackets],
            "filled_size": [counted(one, one.filled) for one in brackets],
            "closed_size": [counted(one, one.closed) for one in brackets],
            "watched": [one.watched for one in brackets],
            "trouble": [one.trouble for one in brackets],
        }
    )


def check_entry(entry: Preview) -> None:
    """Whether an order can be the entry of a bracket.

    Raises
    ------
    OrderRefused
        If it reduces a position: then there is nothing of its own that exits could protect.
    """
    order, held = entry.order, entry.position_before
    if order.reduce_only:
        message = (
            "reduce_only: an entry that only reduces a position opens nothing that a take-profit or a stop could "
            "protect: send it without them"
        )
        raise OrderRefused(message, field="reduce_only", value=True, rule="bracket_entry")
    if held * order.sign < 0:
        raise OrderRefused(
            f"side={order.side}: the position in {order.symbol} is {held:+,.10g}, which this entry would reduce first, "
            "and its exits would stand for contracts that it has not opened: close the position before, or send the "
            "order without take-profit and stop",
            field="side",
            value=order.side,
            rule="bracket_entry",
        )


def exits_of(
    entry: Order, take_profit: Any, stop: Any, *, stop_signal: str = "mark", reference: float | None = None
) -> dict[Role, Order]:
    """The exits of an entry: a price makes a trigger order that closes at the market.

    Raises
    ------
    OrderRefused
        If none is given, an order of one's own does not close the entry or would do so at once, or the prices lie on
        the wrong sides.
    """
    given: dict[Role, Any] = {"take_profit": take_profit, "stop": stop}
    exits: dict[Role, Order] = {}
    for role, wanted in given.items():
        if isinstance(wanted, Order):
            exits[role] = _own(entry, role, wanted)
        elif wanted is not None:
            kind = "take_profit" if role == "take_profit" else "stp"
            side = "sell" if entry.side == "buy" else "buy"
            exits[role] = Order(
                entry.symbol, side, entry.contracts, order_type=kind, stop_price=wanted, trigger_signal=stop_signal,
                reduce_only=True,
            )  # fmt: skip
    if not exits:
        message = "a bracket needs a take_profit, a stop, or both: give a price or an order"
        raise OrderRefused(message, field="stop", value=None, rule="required")
    _check_sides(entry, exits, reference)
    return exits


def _own(entry: Order, role: Role, wanted: Order) -> Order:
    """An exit that is an order of one's own."""
    if wanted.symbol != entry.symbol or wanted.side == entry.side:
        message = f"{role}: an exit is in the entry's contract and on its other side"
        raise OrderRefused(message, field=role, value=str(wanted), rule="exit")
    if wanted.order_type not in _TYPES[role]:
        message = (
            f"{role}: a {wanted.order_type} order would close the position at once instead of waiting: "
            f"use {' or '.join(_TYPES[role])}, or give a price"
        )
        raise OrderRefused(message, field=role, value=str(wanted), rule="exit_type")
    return replace(wanted, reduce_only=True)


def _check_sides(entry: Order, exits: dict[Role, Order], reference: float | None) -> None:
    price = _entry_price(entry, reference)
    for role, order in exits.items():
        level = _price(order)
        if price is None or level is None:
            continue
        better = entry.sign * (level - price) > 0
        if level == price or better != (role == "take_profit"):
            where = "above" if (entry.side == "buy") == (role == "take_profit") else "below"
            raise OrderRefused(
                f"{role}={plain(level)}: of a {entry.side} entry at about {plain(price)} it should lie {where} that",
                field=role,
                value=level,
                rule="exit_side",
            )


def _entry_price(entry: Order, reference: float | None) -> Decimal | None:
    """About where an entry fills: at its trigger, and with a limit beyond the market at the market."""
    if entry.order_type == "trailing_stop":
        return None  # where it fires is not known
    if entry.stop_price is not None:
        return to_decimal(entry.stop_price)
    market = None if reference is None or math.isnan(reference) else to_decimal(reference)
    if entry.limit_price is None or market is None:
        return market if entry.limit_price is None else to_decimal(entry.limit_price)
    return (min if entry.side == "buy" else max)(to_decimal(entry.limit_price), market)


def details_of(bracket: Bracket) -> dict[str, Any]:
    """What the journal keeps of a bracket."""

    def fields_of(order: Order) -> dict[str, Any]:
        return {name: str(v) if isinstance(v, Decimal) else v for name, v in asdict(order).items() if v is not None}

    return {"entry": fields_of(bracket.entry), "exits": {r: fields_of(way.order) for r, way in bracket.exits.items()}}


def restored(intent: Intent) -> Bracket:
    """A bracket that a former kernel has written down."""
    exits = {role: Order(**wanted) for role, wanted in intent.details["exits"].items()}
    bracket = Bracket(intent.cli_ord_id, Order(**intent.details["entry"]), exits)
    bracket.intent, bracket.state = intent, "unknown"
    return bracket
