"""Brackets: an entry with a take-profit and a stop, of which one cancels the other.

The exchange knows no brackets, so this kernel watches: exits are placed for what the entry has filled and no more,
they follow its further fills, and when one of them closes the position, or anybody else does, the other is cancelled.
Both may only reduce a position, whatever happens.

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
import logging
import math
import threading
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import pandas as pd

from ..contracts import plain, to_decimal
from ..desk import Desk
from ..errors import KfutError, OrderInterrupted, OrderRefused, VenueError
from ..journal import Intent, Journal, Outcome
from ..orders import Cancel, Edit, Order, OrderResult
from ..venue import Venue

_log = logging.getLogger("kfut_analytics.guards")

State = Literal["entering", "protected", "unprotected", "done", "cancelled"]
Role = Literal["take_profit", "stop"]
ROLES: tuple[Role, Role] = ("take_profit", "stop")

_TRIES = 3
"""How often an exit is placed anew after it is a fact that the one before never arrived."""

_NOISE = 1e-9


@dataclass(slots=True)
class Exit:
    """One way out of a bracket.

    Attributes
    ----------
    order
        As it is placed, but for its size.
    tries
        How often it was placed.
    gone
        Whether it is over: filled, cancelled or refused.
    """

    order: Order
    tries: int = 0
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
        ``entering`` (nothing filled yet), ``protected`` (exits stand for what is filled), ``unprotected`` (the stop
        could not be placed, see ``trouble``), ``done`` or ``cancelled`` (over; cancelled before anything filled).
    filled, closed
        Contracts that the entry has filled, and that the exits have closed.
    trouble
        What a person must know, empty if nothing.
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
        self.trouble = ""
        self.watched = False
        self.intent: Intent | None = None
        self.lock = threading.RLock()

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

    def __repr__(self) -> str:
        ways = ", ".join(f"{role.replace('_', '-')} {_level(self.exits[role].order)}" for role in self.exits)
        watch = "" if self.over else "; watched" if self.watched else "; NOT WATCHED by this kernel"
        trouble = f"; {self.trouble}" if self.trouble else ""
        done = f"{self.filled:,.10g} filled, {self.closed:,.10g} closed"
        return f"<bracket {self.bracket_id}: {self.entry}; {ways}; {self.state}, {done}{watch}{trouble}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"


def _level(order: Order) -> str:
    price = order.stop_price if order.stop_price is not None else order.limit_price
    return "" if price is None else plain(to_decimal(price))


def exits_of(
    entry: Order, take_profit: Any, stop: Any, *, stop_signal: str = "mark", reference: float | None = None
) -> dict[Role, Order]:
    """The exits of an entry: a price makes a trigger order that closes at the market.

    Raises
    ------
    OrderRefused
        If none is given, an order of one's own does not close the entry, or the prices lie on the wrong sides.
    """
    given: dict[Role, Any] = {"take_profit": take_profit, "stop": stop}
    exits: dict[Role, Order] = {}
    for role, wanted in given.items():
        if wanted is None:
            continue
        if isinstance(wanted, Order):
            if wanted.symbol != entry.symbol or wanted.side == entry.side:
                message = f"{role}: an exit is in the entry's contract and on its other side"
                raise OrderRefused(message, field=role, value=str(wanted), rule="exit")
            exits[role] = replace(wanted, reduce_only=True)
            continue
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


def _check_sides(entry: Order, exits: dict[Role, Order], reference: float | None) -> None:
    price = to_decimal(entry.limit_price) if entry.limit_price is not None else None
    price = to_decimal(reference) if price is None and reference is not None else price
    for role, order in exits.items():
        level = order.stop_price if order.stop_price is not None else order.limit_price
        if price is None or level is None:
            continue
        better = entry.sign * (to_decimal(level) - price) > 0
        if better != (role == "take_profit"):
            where = "above" if (entry.side == "buy") == (role == "take_profit") else "below"
            raise OrderRefused(
                f"{role}={plain(to_decimal(level))}: of a {entry.side} entry at about {plain(price)} it should lie "
                f"{where} that",
                field=role,
                value=level,
                rule="exit_side",
            )


class Brackets:
    """The brackets of one client, and the thread that watches them.

    Parameters
    ----------
    desk, venue, journal
        Of the client.
    every
        Seconds between two looks.
    """

    def __init__(self, desk: Desk, venue: Venue, journal: Journal, every: float = 1.0) -> None:
        self._desk = desk
        self._venue = venue
        self._journal = journal
        self._every = every
        self._lock = threading.RLock()
        self._all: dict[str, Bracket] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._since: dict[str, pd.Timestamp] = {}

    def open(self, bracket: Bracket, entry: Any) -> Bracket:
        """Write a bracket down, send its entry, and watch it.

        Parameters
        ----------
        entry
            The entry's preview, or the order.
        """
        now = self._venue.clock.now()
        bracket.intent = self._journal.write(
            self._desk.session, "bracket", _details(bracket), sent_time=now, deadline=None,
            cli_ord_id=bracket.bracket_id, symbol=bracket.entry.symbol,
        )  # fmt: skip
        self._since[bracket.bracket_id] = now
        try:
            bracket.result = self._desk.place(entry)
        except OrderInterrupted:
            # The request goes on, and so what it fills must be looked after.
            self.watch(bracket)
            raise
        except KfutError as error:
            self._end(bracket, "cancelled", f"the entry was not sent: {error}")
            raise
        if bracket.result.status in {"rejected", "never_arrived", "cancelled"} and not bracket.result.filled_size:
            self._end(bracket, "cancelled", bracket.result.message)
            return bracket
        self.watch(bracket)
        return bracket

    def watch(self, bracket: Bracket) -> None:
        """Watch a bracket from now on; the first look is taken at once."""
        with self._lock:
            self._all[bracket.bracket_id] = bracket
            bracket.watched = True
        self._look_at(bracket)
        with self._lock:
            if self._thread is None or self._stop.is_set() or not self._thread.is_alive():
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._stop,), name="kfut-brackets", daemon=True)
                self._thread.start()

    def unwatched(self) -> list[Intent]:
        """Brackets in the journal that are open and that this client does not watch."""
        with self._lock:
            mine = {name for name, bracket in self._all.items() if bracket.watched or bracket.over}
        return [intent for intent in self._journal.open_intents("bracket") if intent.cli_ord_id not in mine]

    def take_up(self) -> list[Bracket]:
        """Watch the brackets that a former kernel has left."""
        taken = []
        for intent in self.unwatched():
            bracket = _restored(intent)
            self._since[bracket.bracket_id] = intent.sent_time
            for role in bracket.exits:
                attempts = (n for n in range(1, _TRIES + 1) if self._journal.placed(bracket.exit_id(role, n)))
                bracket.exits[role].tries = max(attempts, default=0)
            taken.append(bracket)
            self.watch(bracket)
        return taken

    def all(self) -> list[Bracket]:
        """The brackets of this client, and those that nobody watches."""
        with self._lock:
            mine = list(self._all.values())
            left = [intent for intent in self.unwatched() if intent.cli_ord_id not in self._all]
        return [*mine, *map(_restored, left)]

    def cancel(self, bracket: Bracket, *, flatten: bool = False) -> OrderResult | None:
        """Cancel what is open of a bracket, entry and exits, and watch it no more; close its position if asked."""
        with bracket.lock:
            resting = self._resting()
            if not self._cancel_all(bracket, [bracket.entry_id(), *self._exit_ids(bracket)], resting):
                message = "not every order of the bracket is known to be cancelled: it stays watched; try again"
                raise VenueError(message)
            self._end(bracket, "cancelled" if not bracket.filled else "done", "cancelled by hand")
            sizes = self._venue.fills(self._since[bracket.bracket_id] - pd.Timedelta(seconds=30), None)
            filled = sizes.groupby("cli_ord_id")["size"].sum().to_dict()
            left = filled.get(bracket.entry_id(), 0.0) - sum(filled.get(one, 0.0) for one in self._exit_ids(bracket))
            held = self._venue.positions()["signed_size"].to_dict().get(bracket.entry.symbol, 0.0)
            left = min(left, float(held) * bracket.entry.sign)
            if not flatten or left <= _NOISE:
                return None
            side = "sell" if bracket.entry.side == "buy" else "buy"
            size = _exact(to_decimal(left))
            return self._desk.place(Order(bracket.entry.symbol, side, size, reduce_only=True, price_deviation=math.inf))

    def leave(self, why: str) -> None:
        """Stop watching; what is open stays."""
        self._stop.set()
        with self._lock:
            for bracket in self._all.values():
                if bracket.watched and not bracket.over:
                    bracket.watched, bracket.trouble = False, why

    # ---- the watch ---------------------------------------------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._every) and threading.main_thread().is_alive():
            with self._lock:
                open_ones = [bracket for bracket in self._all.values() if bracket.watched and not bracket.over]
                if not open_ones:
                    self._thread = None
                    return
            for bracket in open_ones:
                self._look_at(bracket)

    def _look_at(self, bracket: Bracket) -> None:
        try:
            with bracket.lock:
                if bracket.watched and not bracket.over:
                    self._advance(bracket)
        except VenueError as error:
            self._trouble(bracket, f"it cannot be looked after at the moment: {error}")
        except Exception as error:
            _log.exception("bracket %s", bracket.bracket_id)
            self._trouble(bracket, f"looking after it failed: {error}")

    def _advance(self, bracket: Bracket) -> None:
        """Bring the exits into line with what is filled.

        Open orders are read before the fills: an order that is not open any more has all its fills in them then.
        """
        failed = False
        resting = self._resting()
        fills = self._venue.fills(self._since[bracket.bracket_id] - pd.Timedelta(seconds=30), None)
        sizes = fills.groupby("cli_ord_id")["size"].sum()
        # What the answer to the entry has told counts as well: its fills may be listed a moment later.
        bracket.filled = max(float(sizes.get(bracket.entry_id(), 0.0)), self._told(bracket.entry_id()))
        bracket.closed = float(sum(sizes.get(cli_ord_id, 0.0) for cli_ord_id in self._exit_ids(bracket)))
        entering = bracket.entry_id() in resting.index or self._is_undecided(bracket.entry_id())
        left = bracket.filled - bracket.closed
        if left <= _NOISE:
            if not entering and self._cancel_all(bracket, self._exit_ids(bracket), resting):
                self._end(bracket, "done" if bracket.filled else "cancelled", "")
            return
        if self._is_closed_elsewhere(bracket):
            # The entry goes too: what it filled from now on would have no exits.
            if self._cancel_all(bracket, [bracket.entry_id(), *self._exit_ids(bracket)], resting):
                self._end(bracket, "done", "the position was closed by something else")
            return
        # The stop first, and what fails with one exit does not keep the other from its place.
        for role in sorted(bracket.exits, key=lambda role: role != "stop"):
            try:
                self._align(bracket, role, left, resting, sizes)
            except KfutError as error:
                self._trouble(bracket, f"looking after its {role.replace('_', '-')} failed: {error}")
                failed = True
        stop = bracket.exits.get("stop")
        if stop is not None and stop.gone:
            bracket.state = "unprotected"
        elif failed:
            return
        else:
            bracket.state = "protected"
            if bracket.trouble.startswith(("it cannot", "looking")):
                bracket.trouble = ""

    def _align(self, bracket: Bracket, role: Role, left: float, resting: pd.DataFrame, sizes: pd.Series[Any]) -> None:
        """Let one exit stand for what is left of the position."""
        way = bracket.exits[role]
        if way.gone:
            return
        current = bracket.exit_id(role, way.tries)
        if way.tries and current in resting.index:
            row = resting.loc[current]
            wanted = to_decimal(left + float(sizes.to_dict().get(current, 0.0)))
            if abs(float(str(row["size"])) - float(wanted)) > _NOISE:
                result = self._desk.edit(Edit(cli_ord_id=current, size=_exact(wanted)))
                if result.status == "rejected":
                    raise VenueError(
                        f"its size stays {row['size']} instead of {plain(_exact(wanted))}: {result.message}"
                    )
            return
        if way.tries and self._is_undecided(current):
            return
        placed = self._journal.placed(current) if way.tries else None
        fate = None if placed is None else self._journal.outcome(placed)
        if fate is not None and fate.status not in {"never_arrived", "not_sent"}:
            # It was there and is not open: it fires at this moment, or somebody has cancelled it.
            if not self._fires(current):
                way.gone = True
                self._trouble(bracket, f"its {role.replace('_', '-')} is gone ({fate.status}) and is not placed again")
            return
        if way.tries >= _TRIES:
            way.gone = True
            self._trouble(
                bracket,
                f"its {role.replace('_', '-')} could not be placed: the position is open without it. "
                "client.cancel_bracket(bracket, flatten=True) closes it",
            )
            return
        self._place_exit(bracket, role, left)

    def _place_exit(self, bracket: Bracket, role: Role, left: float) -> None:
        way = bracket.exits[role]
        way.tries += 1
        order = replace(way.order, size=_exact(to_decimal(left)), cli_ord_id=bracket.exit_id(role, way.tries))
        name = role.replace("_", "-")
        try:
            result = self._desk.place(order)
        except OrderRefused as error:
            if error.rule == "cli_ord_id":
                return  # another kernel with this journal has placed it: the next look finds it
            way.gone = True
            self._trouble(bracket, f"its {name} was refused here ({error}): the position is open without it")
            return
        except KfutError as error:
            self._trouble(bracket, f"its {name} could not be sent ({error}); it is tried again")
            return
        if result.status == "rejected":
            way.gone = True
            self._trouble(bracket, f"its {name} was rejected ({result.message}): the position is open without it")

    def _fires(self, cli_ord_id: str) -> bool:
        """Whether a trigger has fired and what it sent is under way: its history says so."""
        events = self._venue.trigger_history(None, self._venue.clock.now() - pd.Timedelta(minutes=2), None)
        mine = events[events["cli_ord_id"] == cli_ord_id]
        return bool((mine["event"] == "OrderTriggerActivated").any())

    def _is_closed_elsewhere(self, bracket: Bracket) -> bool:
        positions = self._venue.positions()
        symbol = bracket.entry.symbol
        held = positions["signed_size"].to_dict().get(symbol, 0.0)
        return float(held) * bracket.entry.sign <= 0

    def _cancel_all(self, bracket: Bracket, wanted: list[str], resting: pd.DataFrame) -> bool:
        """Cancel these orders; whether all are known to be over. Else the next look tries again."""
        over = True
        for cli_ord_id in wanted:
            if cli_ord_id not in resting.index:
                over &= not self._is_undecided(cli_ord_id)
                continue
            try:
                result = self._desk.cancel(Cancel(cli_ord_id=cli_ord_id))
                over &= result.status in {"cancelled", "filled", "not_found"}
            except KfutError as error:
                over = False
                self._trouble(bracket, f"it cannot cancel {cli_ord_id} at the moment: {error}")
        return over

    def _told(self, cli_ord_id: str) -> float:
        """Contracts that an order had filled when its answer came, or its fate was found."""
        placed = self._journal.placed(cli_ord_id)
        outcome = None if placed is None else self._journal.outcome(placed)
        return 0.0 if outcome is None else float(outcome.filled_size)

    def _exit_ids(self, bracket: Bracket) -> list[str]:
        return [bracket.exit_id(role, n) for role, way in bracket.exits.items() for n in range(1, way.tries + 1)]

    def _resting(self) -> pd.DataFrame:
        orders = self._venue.open_orders()
        return orders[orders["cli_ord_id"].notna()].set_index("cli_ord_id")

    def _is_undecided(self, cli_ord_id: str) -> bool:
        placed = self._journal.placed(cli_ord_id)
        return placed is not None and self._journal.outcome(placed) is None

    def _end(self, bracket: Bracket, state: State, why: str) -> None:
        bracket.state, bracket.watched = state, False
        if why:
            bracket.trouble = why
        if bracket.intent is not None:
            self._journal.close(bracket.intent, Outcome(state, message=why, filled_size=bracket.filled))

    @staticmethod
    def _trouble(bracket: Bracket, text: str) -> None:
        if bracket.trouble != text:
            _log.error("bracket %s: %s", bracket.bracket_id, text)
        bracket.trouble = text


def _exact(size: Decimal) -> Decimal:
    """A difference of floats without their noise."""
    return round(size, 10).normalize()


def _details(bracket: Bracket) -> dict[str, Any]:
    from dataclasses import asdict

    def fields_of(order: Order) -> dict[str, Any]:
        return {name: str(v) if isinstance(v, Decimal) else v for name, v in asdict(order).items() if v is not None}

    return {"entry": fields_of(bracket.entry), "exits": {r: fields_of(way.order) for r, way in bracket.exits.items()}}


def _restored(intent: Intent) -> Bracket:
    exits = {role: Order(**wanted) for role, wanted in intent.details["exits"].items()}
    bracket = Bracket(intent.cli_ord_id, Order(**intent.details["entry"]), exits)
    bracket.intent = intent
    return bracket
