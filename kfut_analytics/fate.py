"""What became of intents whose answers were lost. Looks only; nothing is ever sent again from here.

Who can say what (api-facts 3B, 3C, 4.10):

* Fills. What was filled was executed, whatever anybody else says; a market order is nowhere else a moment later.
* ``orders/status``. It knows refusals and cancellations, too, but forgets them after about five seconds.
* Open orders. What is there rests.
* The history of orders and triggers. It has everything, and a small pool of tokens: it is asked last, and only where
  the others have no trace.

They are not asked at one moment, and meanwhile orders arrive, fill, fire and are cancelled. So the order of asking
counts (`Records`): status, then open orders, then fills. An order that was known before the open orders were read and
is not among them is over, and the fills read after that are all it will ever have. One that was not known before may
have arrived in between: nothing follows from its absence.

*Never arrived* is said only where the exchange's own clock has passed the deadline *before* the first question (a
time in an answer proves it, not ours), some seconds more have passed in which its records may catch up, and all four
have answered without a trace. The exchange does not process a request after its deadline, so none can follow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from . import schema
from .contracts import is_inverse
from .journal import Intent, Outcome
from .orders import TRIGGER_TYPES, average_price, explain
from .venue import Venue

SETTLE = 5.0
"""Seconds after the deadline in which the exchange's records may catch up with its engine."""

DOUBT = 60.0
"""Seconds after the deadline for which records that contradict each other are read again."""

CANCEL_ALL_SECONDS = 10.0
"""Seconds after which a call to cancel all orders, which knows no deadline, is not waited for any longer."""

_MARGIN = pd.Timedelta(seconds=30)
_LONGEST_MARGIN = pd.Timedelta(days=1)
_IDS = 50
"""Ids in one question for their status."""

_NOISE = 1e-9


def find(venue: Venue, intents: Sequence[Intent]) -> Iterator[tuple[Intent, Outcome]]:
    """Look once for what became of intents; those of which it is not known yet are left out.

    Raises
    ------
    VenueError
        If a question fails; then nothing is known of what was not told before.
    """
    heard = venue.clock.heard  # before the first question
    records = Records(venue, intents)

    def has_passed(intent: Intent, seconds: float) -> bool:
        after = pd.Timedelta(seconds=seconds * venue.clock.rate)
        return heard is not None and heard > (intent.deadline or intent.sent_time) + after

    left = []
    for intent in intents:
        if intent.kind == "cancel_all":
            outcome = _look_at_all(records, intent, over=has_passed(intent, CANCEL_ALL_SECONDS))
        else:
            over = has_passed(intent, SETTLE)
            outcome = (look := _LOOKS[intent.kind](records, intent)).by_records(over=over)
            if outcome is None and over:
                left.append(look)
        if outcome is not None:
            yield intent, outcome
    for look in left:
        outcome = look.by_history(settled=has_passed(look.intent, DOUBT))
        if outcome is not None:
            yield look.intent, outcome


class Records:
    """The exchange's records, each read once for all intents of a look and after those that stand above it."""

    def __init__(self, venue: Venue, intents: Sequence[Intent]) -> None:
        self._venue = venue
        self._intents = intents
        self._since = min(map(since, intents), default=None)

    @cached_property
    def status(self) -> pd.DataFrame:
        """Frame ``order_status`` of the orders that are meant."""
        ids = [(intent.order_id, intent.cli_ord_id) for intent in self._intents]
        by_client = sorted({mine for _, mine in ids if mine})
        by_exchange = sorted({theirs for theirs, mine in ids if theirs and not mine})
        frames = [
            *(self._venue.order_status((), by_client[n : n + _IDS]) for n in range(0, len(by_client), _IDS)),
            *(self._venue.order_status(by_exchange[n : n + _IDS], ()) for n in range(0, len(by_exchange), _IDS)),
        ]
        return pd.concat(frames) if frames else schema.ORDER_STATUS.frame({})

    @cached_property
    def open_orders(self) -> pd.DataFrame:
        """Frame ``open_orders``."""
        _ = self.status
        return self._venue.open_orders()

    @cached_property
    def fills(self) -> pd.DataFrame:
        """Frame ``fills``."""
        _ = self.open_orders
        return self._venue.fills(self._since, None)

    @cached_property
    def events(self) -> pd.DataFrame:
        """What happened to orders and to triggers, by the history."""
        _ = self.fills
        symbols = {intent.symbol for intent in self._intents if intent.kind != "cancel_all"}
        symbol = (symbols.pop() or None) if len(symbols) == 1 else None
        orders = self._venue.order_history(symbol, self._since, None)
        # A change names the size of the whole order; these events tell what is open of it.
        frames = [orders.assign(size=orders["size"] + orders["filled_size"].fillna(0.0))]
        if any(map(_may_be_trigger, self._intents)):
            triggers = self._venue.trigger_history(symbol, self._since, None)
            names = {"trigger_price": "stop_price", "max_deviation": "trailing_deviation"}
            frames.append(triggers.rename(columns=names))
        return pd.concat([frame.reindex(columns=_EVENT) for frame in frames]).sort_values("time", kind="stable")

    @cached_property
    def late_fills(self) -> pd.DataFrame:
        """Frame ``fills`` once more: whatever the history tells of has its fills in it."""
        _ = self.events
        return self._venue.fills(self._since, None)


def since(intent: Intent) -> pd.Timestamp:
    """From when on the records are read: before the sending by the exchange's clock and by ours, if one was wrong."""
    before = min(intent.sent_time, intent.written) - _MARGIN
    return max(before, intent.sent_time - _LONGEST_MARGIN)


def _may_be_trigger(intent: Intent) -> bool:
    return intent.kind in {"edit", "cancel"} or intent.details.get("order_type") in TRIGGER_TYPES


class _Look:
    """The order that an intent is about, in the records."""

    def __init__(self, records: Records, intent: Intent) -> None:
        self.intent = intent
        self._records = records
        self._since = since(intent)
        self._ids = {intent.order_id} - {""}
        self.order_id = intent.order_id
        self.status = self._last(records.status)
        self.resting = self._last(records.open_orders)
        self.fills = self._timely(self._mine(records.fills))

    def by_records(self, *, over: bool) -> Outcome | None:
        """What became of it, as far as that is known without the history.

        Parameters
        ----------
        over
            Whether the exchange had stopped taking the request, and its records had caught up, before they were read.
        """
        raise NotImplementedError

    def by_history(self, *, settled: bool) -> Outcome | None:
        """What became of it, after its deadline.

        Parameters
        ----------
        settled
            Whether so much time has passed that records which contradict each other are taken as they are.
        """
        raise NotImplementedError

    @property
    def _word(self) -> str:
        return "" if self.status is None else str(self.status["status"])

    def _mine(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of this order; a trigger that has fired is a second order with the same id of the client."""
        ids = frame.index.to_series() if frame.index.name == "order_id" else frame["order_id"]
        mine = ids.isin(self._ids)
        if self.intent.cli_ord_id:
            mine = mine | (frame["cli_ord_id"] == self.intent.cli_ord_id)
        return frame[mine.fillna(value=False).astype(bool)]

    def _last(self, orders: pd.DataFrame) -> pd.Series[Any] | None:
        """The row of this order, and not of one that had the same client id long before."""
        mine = self._mine(orders)
        if self.intent.kind == "place":
            mine = mine[~(mine["received_time"] < self._since)]
        if mine.empty:
            return None
        self._know(mine.index)
        return mine.iloc[-1]

    def _know(self, order_ids: Any) -> None:
        self._ids |= set(map(str, order_ids))
        self.order_id = str(order_ids[-1])

    def _timely(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[~(rows["time"] < self._since)]

    def _events(self) -> pd.DataFrame:
        events = self._timely(self._mine(self._records.events))
        if len(events):
            self._know(events["order_id"].dropna().tolist() or [self.order_id])
        self.fills = self._timely(self._mine(self._records.late_fills))
        return events

    def _outcome(self, status: str, message: str, reason: str = "") -> Outcome:
        return Outcome(status, reason, message, self.order_id, *self._filled())

    def _filled(self, fills: pd.DataFrame | None = None) -> tuple[float, float]:
        """Size and average price of the fills."""
        rows = self.fills if fills is None else fills
        if rows.empty:
            return 0.0, math.nan
        inverse = is_inverse(str(rows["symbol"].iloc[0]))
        return float(rows["size"].sum()), average_price(rows["size"], rows["price"], inverse=inverse)


class _Placed(_Look):
    """An order that was sent."""

    def by_records(self, *, over: bool) -> Outcome | None:
        size, _ = self._filled()
        if self._is_whole(size):
            return self._executed()
        if self.resting is not None:
            if self.resting["filled_size"] > size + _NOISE and not over:
                return None  # the fills are yet to be listed
            if size:
                return self._partly("the rest is open.")
            return self._outcome("placed", "The answer was lost; the order is among the open orders.")
        if self.status is None and not over:
            return None
        if self._word in {"REJECTED", "TRIGGER_ACTIVATION_FAILURE"}:
            return self._refused(str(self.status["error"] if self.status is not None else ""))
        if self._word == "CANCELLED":
            return self._gone(explain("cancelled"))
        if not size or not over:
            return None
        # Smaller than it was sent if somebody has changed it.
        return self._executed() if self._word == "FULLY_EXECUTED" else self._gone("The rest is cancelled.")

    def by_history(self, *, settled: bool) -> Outcome | None:
        events = self._events()
        size, _ = self._filled()
        if self._is_whole(size):
            return self._executed()
        if size:
            return self._gone("The rest is cancelled.")
        if events.empty and self.status is None:
            return self._outcome(
                "never_arrived",
                "The exchange has no trace of the order, and its deadline has passed: it was not executed and cannot "
                "be any more.",
            )
        refused = events[events["event"].isin(_REFUSED)]
        if len(refused):
            return self._refused(str(refused["error"].iloc[-1] or refused["reason"].iloc[-1]))
        if settled or events["event"].isin(_CANCELLED).any():
            return self._gone("It is no longer open.")
        return None

    def _is_whole(self, size: float) -> bool:
        return size >= float(self.intent.details["size"]) * (1 - _NOISE)

    def _executed(self) -> Outcome:
        size, average = self._filled()
        words = f"The answer was lost; the fills show {size:,.10g} contracts at {average:,.10g} on average."
        return self._outcome("filled", words)

    def _partly(self, rest: str) -> Outcome:
        size, average = self._filled()
        words = f"The answer was lost; {size:,.10g} contracts are filled at {average:,.10g} on average, {rest}"
        return self._outcome("partially_filled", words)

    def _gone(self, words: str) -> Outcome:
        if self._filled()[0]:
            return self._partly(words[0].lower() + words[1:])
        return self._outcome("cancelled", f"The answer was lost; nothing was filled. {words}")

    def _refused(self, reason: str) -> Outcome:
        if self._filled()[0]:  # there is a refusal after a part was executed
            return self._partly(f"the rest was refused. {explain(reason)}")
        return self._outcome("rejected", f"Rejected. {explain(reason)}", reason)


class _Edited(_Look):
    """A change that was sent: the order as it stands, then the history of its changes.

    What happened to the order until its last update before the change went out is not the change's doing, even if it
    looks the same: somebody may change an order to and fro.
    """

    def by_records(self, *, over: bool) -> Outcome | None:
        if self.resting is not None and _is_as_wanted(self.resting, self.intent.details, whole=True):
            return self._changed("the order is as it was to become.")
        return None

    def by_history(self, *, settled: bool) -> Outcome | None:
        events = self._events()
        news = events[self._is_news(events["last_update_time"].fillna(events["time"]))]
        like_it = news.loc[[_is_as_wanted(row, self.intent.details) for _, row in news.iterrows()]]
        if like_it["event"].isin(["OrderUpdated", "OrderTriggerUpdated"]).any():
            return self._changed("the history shows the change.")
        refused = like_it[like_it["event"].isin(["OrderEditRejected", "OrderTriggerEditRejected"])]
        if len(refused):
            reason = str(refused["error"].iloc[-1])
            return self._as_it_was("rejected", f"Not changed. {explain(reason)}", reason)
        if self.resting is not None:
            words = "The deadline has passed and the exchange has no trace of the change: the order was not changed."
            return self._as_it_was("never_arrived", words)
        if self._word == "CANCELLED" or events["event"].isin(_CANCELLED).any():
            return self._as_it_was("not_found", "Not changed: the order was cancelled.")
        if self._word == "FULLY_EXECUTED" or len(self.fills):
            return self._as_it_was("filled", "Too late: the order was filled.")
        if settled or events.empty:
            return self._as_it_was("not_found", "Not changed: the order is no longer open.")
        return None

    def _changed(self, words: str) -> Outcome:
        """A resting order takes from the book only at the moment at which it is changed."""
        taken = self.fills["fill_type"].isin(["taker", "takerAfterEdit"]) & self._is_news(self.fills["time"])
        size, average = self._filled(self.fills[taken])
        at_once = f" {size:,.10g} contracts were filled at once." if size else ""
        return Outcome("edited", "", f"The answer was lost; {words}{at_once}", self.order_id, size, average)

    def _as_it_was(self, status: str, words: str, reason: str = "") -> Outcome:
        return Outcome(status, reason, words, self.order_id)

    def _is_news(self, times: pd.Series[Any]) -> pd.Series[Any]:
        known = self.intent.details.get("last_update_time")
        return times >= self._since if known is None else times > pd.Timestamp(known)


class _Cancelled(_Look):
    """A cancellation that was sent."""

    def by_records(self, *, over: bool) -> Outcome | None:
        if self.resting is not None:
            words = "The deadline has passed and the order is open: the cancellation never arrived."
            return self._as("never_arrived", words) if over else None
        if self._word == "CANCELLED":
            return self._as("cancelled", "The answer was lost; the order is cancelled.")
        if self._word == "FULLY_EXECUTED":
            return self._as("filled", "Too late: the order was filled.")
        return None

    def by_history(self, *, settled: bool) -> Outcome | None:
        events = self._events()
        if events["event"].isin(_CANCELLED).any():
            return self._as("cancelled", "The answer was lost; the order is cancelled.")
        if len(self.fills):
            return self._as("filled", "Too late: the order was filled.")
        if settled or events.empty:
            return self._as("not_found", "The exchange knows no such open order.")
        return None

    def _as(self, status: str, words: str) -> Outcome:
        return Outcome(status, "", words, self.order_id)


_LOOKS: Mapping[str, type[_Look]] = {"place": _Placed, "edit": _Edited, "cancel": _Cancelled}
_EVENT = [
    "time", "event", "order_id", "cli_ord_id", "size", "limit_price", "stop_price", "trailing_deviation", "reason",
    "error", "last_update_time",
]  # fmt: skip
_CANCELLED = ("OrderCancelled", "OrderTriggerCancelled")
_REFUSED = ("OrderRejected", "OrderTriggerRejected")
_CHANGES = ("size", "limit_price", "stop_price", "trailing_deviation")


def _is_as_wanted(order: pd.Series[Any], wanted: Mapping[str, Any], *, whole: bool = False) -> bool:
    """Whether an order has the size and prices that a change asked for, as far as they are shown.

    Parameters
    ----------
    whole
        Whether all of them must be shown.
    """
    asked = [name for name in _CHANGES if name in wanted]
    seen = [name for name in asked if not pd.isna(order.get(name, math.nan))]
    enough = len(seen) == len(asked) if whole else bool(seen)
    return enough and all(math.isclose(float(order[name]), float(wanted[name]), rel_tol=1e-9) for name in seen)


def _look_at_all(records: Records, intent: Intent, *, over: bool) -> Outcome | None:
    """What became of a call that cancels all orders: those that were open before must be gone.

    It knows no deadline. So as long as one of them is open it may still come, and what is said in the end is only
    what is open.
    """
    orders = records.open_orders
    # Rather one too many: an order that came within the error of the clock, or of which it is not said when.
    before = orders[~(orders["received_time"] > intent.sent_time + _CLOCK_ERROR)]
    if intent.symbol:
        before = before[before["symbol"] == intent.symbol]
    if before.empty:
        return Outcome("cancelled", "", "The answer was lost; none of the orders is open any more.")
    if not over:
        return None
    ids = ", ".join(str(order_id) for order_id in before.index)
    return Outcome("unknown", "", f"The answer was lost and these orders are still open: {ids}. Cancel them again.")


_CLOCK_ERROR = pd.Timedelta(seconds=1)
