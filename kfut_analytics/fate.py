"""What became of an intent whose answer was lost. Looks only; nothing is ever sent again from here.

Where the exchange is asked, and in which order, follows from who can say what (api-facts 3B, 3C, 4.10):

1. Fills. What was filled was executed, whatever anybody else says; a market order is nowhere else a moment later.
2. ``orders/status``. It knows refusals and cancellations, too, but forgets them after about five seconds.
3. Open orders. What is there rests.
4. The history of orders and triggers. It has everything, and a small pool of tokens.

Between two of these looks an order may fill. So whenever a later source says that there is, or was, an order, the
fills are read again, and only they say how much was filled.

*Never arrived* is said only where the exchange's own clock has passed the deadline *before* the first look began (a
time in an answer proves it, not ours), some seconds more have passed in which its records may catch up, and all four
have answered without a trace. The exchange does not process a request after its deadline, so none can follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from .contracts import is_inverse
from .journal import Intent, Outcome
from .orders import TRIGGER_TYPES, average_price, explain
from .venue import Venue

SETTLE = 2.0
"""Seconds after the deadline in which the exchange's records may catch up with its engine."""

CANCEL_ALL_SECONDS = 10.0
"""Seconds after which a call to cancel all orders, which knows no deadline, is not waited for any longer."""

_MARGIN = pd.Timedelta(seconds=30)
"""Records are read from so long before the sending, which costs nothing and forgives a wrong clock."""

_WHOLE = 1 - 1e-9


def deadline_passed(venue: Venue, intent: Intent) -> bool:
    """Whether the exchange has certainly stopped taking an intent, and its records have caught up."""
    heard = venue.clock.heard
    patience = pd.Timedelta(seconds=SETTLE * venue.clock.rate)
    return heard is not None and intent.deadline is not None and heard > intent.deadline + patience


def find(venue: Venue, intent: Intent) -> Outcome | None:
    """Look once for what became of an intent.

    Returns
    -------
    Outcome or None
        None if it is not known yet.

    Raises
    ------
    VenueError
        If one of the looks fails; then nothing is known either.
    """
    over = deadline_passed(venue, intent)
    looks: dict[str, Callable[[], Outcome | None]] = {
        "place": lambda: _Order(venue, intent).look(over),
        "edit": lambda: _Order(venue, intent).look_at_edit(over),
        "cancel": lambda: _Order(venue, intent).look_at_cancel(over),
        "cancel_all": lambda: _cancel_all(venue, intent),
    }
    return looks[intent.kind]()


class _Order:
    """The order that an intent is about, as the exchange's records show it now."""

    def __init__(self, venue: Venue, intent: Intent) -> None:
        self._venue = venue
        self._intent = intent
        self._since = intent.sent_time - _MARGIN
        self._size = float(intent.details["size"]) if intent.kind == "place" else math.nan
        self.order_id = intent.order_id

    # ---- an order that was sent --------------------------------------------------------------------------------

    def look(self, over: bool) -> Outcome | None:
        """What became of an order that was sent."""
        fills = self._fills()
        if self._is_whole(fills):
            return self._filled(fills)
        status = self._status()
        word = "" if status is None else str(status["status"])
        if word in {"REJECTED", "TRIGGER_ACTIVATION_FAILURE"}:
            return self._rejected(str(status["error"] if status is not None else ""))
        resting = self._resting()
        if resting is not None:
            return self._open()
        if word == "CANCELLED":
            return self._gone(explain("cancelled"))
        # It is not open: what is filled now is filled for good. The fills were read before that was known.
        fills = self._fills()
        if len(fills):
            return self._filled(fills) if self._is_whole(fills) else self._gone("The rest is cancelled.")
        if word or not over:
            return None
        return self._by_history() or Outcome(
            "never_arrived",
            message="The exchange has no trace of the order, and its deadline has passed: it was not executed and "
            "cannot be any more.",
        )

    def _by_history(self) -> Outcome | None:
        events = self._events()
        if events.empty:
            return None
        self.order_id = str(events["order_id"].iloc[-1])
        refused = events[events["event"].isin(["OrderRejected", "OrderTriggerRejected"])]
        if len(refused):
            return self._rejected(str(refused["error"].iloc[-1] or refused["reason"].iloc[-1]))
        fills = self._fills()
        if self._is_whole(fills):
            return self._filled(fills)
        return self._gone("It is no longer open.")

    def _filled(self, fills: pd.DataFrame) -> Outcome:
        size, average = _sums(fills)
        message = f"The answer was lost; the fills show {size:,.10g} contracts at {average:,.10g} on average."
        return Outcome("filled", "", message, self.order_id, size, average)

    def _open(self) -> Outcome:
        fills = self._fills()
        if self._is_whole(fills):
            return self._filled(fills)
        if len(fills):
            size, average = _sums(fills)
            message = f"The answer was lost; {size:,.10g} contracts are filled at {average:,.10g}, the rest is open."
            return Outcome("partially_filled", "", message, self.order_id, size, average)
        return Outcome("placed", "", "The answer was lost; the order is among the open orders.", self.order_id)

    def _gone(self, words: str) -> Outcome:
        fills = self._fills()
        if self._is_whole(fills):
            return self._filled(fills)
        if len(fills):
            size, average = _sums(fills)
            message = f"The answer was lost; {size:,.10g} contracts were filled at {average:,.10g}. {words}"
            return Outcome("partially_filled", "", message, self.order_id, size, average)
        return Outcome("cancelled", "", f"The answer was lost; nothing was filled. {words}", self.order_id)

    def _rejected(self, reason: str) -> Outcome:
        return Outcome("rejected", reason, f"Rejected. {explain(reason)}", self.order_id)

    # ---- a change that was sent --------------------------------------------------------------------------------

    def look_at_edit(self, over: bool) -> Outcome | None:
        """What became of a change: the order as it stands, then the history of its changes."""
        wanted = self._intent.details
        resting = self._resting()
        if resting is not None and _is_as_wanted(resting, wanted):
            return Outcome("edited", "", "The answer was lost; the order is as it was to become.", self.order_id)
        if not over:
            return None
        events = self._events()
        changed = events[events["event"].isin(["OrderUpdated", "OrderTriggerUpdated"])]
        if any(_is_as_wanted(row, wanted) for _, row in changed.iterrows()):
            return Outcome("edited", "", "The answer was lost; the history shows the change.", self.order_id)
        refused = events[events["event"].isin(["OrderEditRejected", "OrderTriggerEditRejected"])]
        if len(refused):
            reason = str(refused["error"].iloc[-1])
            return Outcome("rejected", reason, f"Not changed. {explain(reason)}", self.order_id)
        if resting is not None or not len(self._fills()):
            message = "The deadline has passed and the exchange has no trace of the change: the order was not changed."
            return Outcome("never_arrived", "", message, self.order_id)
        return Outcome("filled", "", "Too late: the order was filled.", self.order_id)

    # ---- a cancellation that was sent --------------------------------------------------------------------------

    def look_at_cancel(self, over: bool) -> Outcome | None:
        """What became of a cancellation."""
        if self._resting() is not None:
            message = "The deadline has passed and the order is open: the cancellation never arrived."
            return Outcome("never_arrived", "", message, self.order_id) if over else None
        status = self._status()
        if status is not None and status["status"] == "CANCELLED":
            return Outcome("cancelled", "", "The answer was lost; the order is cancelled.", self.order_id)
        if not over:
            return None
        events = self._events()
        if events["event"].isin(["OrderCancelled", "OrderTriggerCancelled"]).any():
            return Outcome("cancelled", "", "The answer was lost; the order is cancelled.", self.order_id)
        if len(self._fills()):
            return Outcome("filled", "", "Too late: the order was filled.", self.order_id)
        return Outcome("not_found", "", "The exchange knows no such open order.", self.order_id)

    # ---- the exchange's records --------------------------------------------------------------------------------

    def _mine(self, frame: pd.DataFrame) -> pd.DataFrame:
        ids = frame.index.to_series() if frame.index.name == "order_id" else frame["order_id"]
        mine = ids == self.order_id if self.order_id else pd.Series(False, index=frame.index)
        if self._intent.cli_ord_id:
            mine = mine | (frame["cli_ord_id"] == self._intent.cli_ord_id)
        return frame[mine.fillna(value=False).astype(bool)]

    def _fills(self) -> pd.DataFrame:
        fills = self._mine(self._venue.fills(self._since, None))
        if len(fills):
            self.order_id = str(fills["order_id"].iloc[0])
        return fills

    def _status(self) -> pd.Series[Any] | None:
        intent = self._intent
        ids = ((), (intent.cli_ord_id,)) if intent.cli_ord_id else ((intent.order_id,), ())
        return self._last(self._venue.order_status(*ids))

    def _resting(self) -> pd.Series[Any] | None:
        return self._last(self._venue.open_orders())

    def _last(self, orders: pd.DataFrame) -> pd.Series[Any] | None:
        mine = self._mine(orders)
        if mine.empty:
            return None
        self.order_id = str(mine.index[-1])
        return mine.iloc[-1]

    def _events(self) -> pd.DataFrame:
        symbol = self._intent.symbol or None
        frames = [self._venue.order_history(symbol, self._since, None)]
        if self._intent.kind != "place" or self._intent.details.get("order_type") in TRIGGER_TYPES:
            triggers = self._venue.trigger_history(symbol, self._since, None)
            names = {"trigger_price": "stop_price", "max_deviation": "trailing_deviation"}
            frames.append(triggers.rename(columns=names))
        mine = [_whole_size(self._mine(frame)).reindex(columns=_EVENT) for frame in frames]
        return pd.concat(mine).sort_values("time", kind="stable")

    def _is_whole(self, fills: pd.DataFrame) -> bool:
        return bool(len(fills)) and float(fills["size"].sum()) >= self._size * _WHOLE


def _sums(fills: pd.DataFrame) -> tuple[float, float]:
    inverse = is_inverse(str(fills["symbol"].iloc[0]))
    return float(fills["size"].sum()), average_price(fills["size"], fills["price"], inverse=inverse)


_EVENT = [
    "time", "event", "order_id", "cli_ord_id", "size", "limit_price", "stop_price", "trailing_deviation", "reason",
    "error",
]  # fmt: skip
_CHANGES = ("size", "limit_price", "stop_price", "trailing_deviation")


def _whole_size(events: pd.DataFrame) -> pd.DataFrame:
    """Events with the size of the whole order, which is what a change names; the history tells what is open of it."""
    if "filled_size" not in events:
        return events
    return events.assign(size=events["size"] + events["filled_size"].fillna(0.0))


def _is_as_wanted(order: pd.Series[Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an order has the size and prices that a change asked for; what is not shown does not count."""
    seen = [name for name in _CHANGES if name in wanted and not pd.isna(order.get(name, math.nan))]
    return bool(seen) and all(math.isclose(float(order[name]), float(wanted[name]), rel_tol=1e-9) for name in seen)


def _cancel_all(venue: Venue, intent: Intent) -> Outcome | None:
    """What became of a call that cancels all orders: those that were open before must be gone.

    It knows no deadline. So as long as one of them is open it may still come, and what is said in the end is only
    what is open.
    """
    orders = venue.open_orders()
    before = orders[orders["received_time"] <= intent.sent_time]
    if intent.symbol:
        before = before[before["symbol"] == intent.symbol]
    if before.empty:
        return Outcome("cancelled", "", "The answer was lost; none of the orders is open any more.")
    heard = venue.clock.heard
    if heard is None or heard < intent.sent_time + pd.Timedelta(seconds=CANCEL_ALL_SECONDS * venue.clock.rate):
        return None
    ids = ", ".join(str(order_id) for order_id in before.index)
    return Outcome("unknown", "", f"The answer was lost and these orders are still open: {ids}. Cancel them again.")
