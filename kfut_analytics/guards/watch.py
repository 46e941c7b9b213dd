"""The watch over brackets: looks once a second, and brings the exits into line with what is filled.

What the exchange lists may lag behind what it has done. So nothing is concluded from an absence, of an order, of its
fills or of a position, before it has lasted for `SETTLE` seconds; what protects a position is done at once.
"""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial

from ..contracts import plain, to_decimal
from ..desk import Desk
from ..errors import ArgumentError, KfutError, OrderRefused, VenueError
from ..fate import SETTLE, since
from ..journal import Intent, Journal, Outcome
from ..orders import Cancel, Edit, Order, OrderResult, Preview
from ..resolver import Errand
from ..times import utc_now
from ..venue import Venue
from .bracket import Bracket, Role, State, details_of, restored
from .picture import Fills, Picture

_log = logging.getLogger("kfut_analytics.guards")

EVERY = 1.0
"""Seconds between two looks."""

TRIES = 3
"""How often an exit is placed, each time after it is a fact that the one before never arrived."""

_NOISE = 1e-9

_HERE: weakref.WeakValueDictionary[str, Bracket] = weakref.WeakValueDictionary()
"""The brackets of this kernel by their ids, of whichever client."""
_WAITING = {"reduce_only", "suspended", "post_only", "dislocated", "not_open"}
"""Rules that refuse an exit only as long as the position is not listed yet, or the market takes no such orders."""


class Brackets:
    """The brackets of one client, and the thread that watches them.

    Parameters
    ----------
    desk, venue, journal
        Of the client.
    """

    def __init__(self, desk: Desk, venue: Venue, journal: Journal) -> None:
        self._desk = desk
        self._venue = venue
        self._journal = journal
        self._fills = Fills(venue)
        self._lock = threading.RLock()
        self._all: dict[str, Bracket] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def open(self, bracket: Bracket, entry: Order | Preview) -> Bracket:
        """Write a bracket down, send its entry, and watch it.

        Parameters
        ----------
        entry
            The entry's preview, or the order.
        """
        bracket.intent = self._journal.write(
            self._desk.session, "bracket", details_of(bracket), sent_time=self._venue.clock.now(), deadline=None,
            cli_ord_id=bracket.bracket_id, symbol=bracket.entry.symbol,
        )  # fmt: skip
        try:
            bracket.result = self._desk.place(entry)
        except KfutError as error:
            self._end(bracket, "cancelled", f"the entry was not sent: {error}")
            raise
        except BaseException:
            # Interrupted: the request may go on, and so what it fills must be looked after.
            self.watch(bracket)
            raise
        if bracket.result.status in {"rejected", "never_arrived", "cancelled"} and not bracket.result.filled_size:
            self._end(bracket, "cancelled", bracket.result.message)
            return bracket
        self.watch(bracket)
        return bracket

    def watch(self, bracket: Bracket) -> None:
        """Watch a bracket from now on; the first look is taken at once, and an interrupt does not tear it."""
        with self._lock:
            self._all[bracket.bracket_id] = _HERE[bracket.bracket_id] = bracket
            bracket.watched = True
            if self._thread is None or self._stop.is_set() or not self._thread.is_alive():
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._stop,), name="kfut-brackets", daemon=True)
                self._thread.start()
        Errand(partial(self._look_at, bracket), "kfut-bracket").wait()

    def unwatched(self) -> list[Intent]:
        """Brackets in the journal that are open and that no client of this kernel watches."""
        mine = {name for name, bracket in list(_HERE.items()) if bracket.watched or bracket.over}
        return [intent for intent in self._journal.open_intents("bracket") if intent.cli_ord_id not in mine]

    def take_up(self) -> list[Bracket]:
        """Watch the brackets that a former kernel has left."""
        taken = [restored(intent) for intent in self.unwatched()]
        for bracket in taken:
            self.watch(bracket)
        return taken

    def all(self) -> list[Bracket]:
        """The brackets of this client, and all others that are open, as far as this kernel has seen them."""
        with self._lock:
            mine = dict(self._all)
        others = [intent for intent in self._journal.open_intents("bracket") if intent.cli_ord_id not in mine]
        here = {name: bracket for name, bracket in list(_HERE.items()) if bracket.watched}
        return [*mine.values(), *(here.get(intent.cli_ord_id) or restored(intent) for intent in others)]

    def cancel(self, bracket: Bracket | str, *, flatten: bool = False) -> OrderResult | None:
        """Cancel what is open of a bracket, entry and exits, and watch it no more; close its position if asked.

        As long as that is not done completely, it stays as it was: watched, if it was, and open in the journal.
        """
        bracket = self._named(bracket) if isinstance(bracket, str) else bracket
        with bracket.lock:
            if bracket.over:
                if flatten and bracket.filled - bracket.closed > _NOISE:
                    raise ArgumentError(
                        f"bracket {bracket.bracket_id} is over: what may be left of its position is closed by an "
                        "order, see client.positions()"
                    )
                return None
            seen = self._picture(bracket)
            if why := self._cancel_all(bracket, [bracket.entry_id(), *self._exit_ids(bracket)], seen):
                raise VenueError(f"not every order of the bracket is known to be cancelled: try again. {why}")
            self._left(bracket, seen)
            result = self._close_position(bracket) if flatten else None
            if result is None or result.status == "filled":
                self._end(bracket, "done" if bracket.filled else "cancelled", "cancelled by hand")
            return result

    def _named(self, bracket_id: str) -> Bracket:
        for bracket in self.all():
            if bracket.bracket_id == bracket_id:
                return bracket
        raise ArgumentError(f"there is no bracket {bracket_id!r}: see client.brackets()")

    def _close_position(self, bracket: Bracket) -> OrderResult | None:
        """Close what is left of what the entry has opened, if anything is."""
        seen = self._picture(bracket)
        left = min(self._left(bracket, seen), seen.held.get(bracket.entry.symbol, 0.0) * bracket.entry.sign)
        if left <= _NOISE:
            return None
        side = "sell" if bracket.entry.side == "buy" else "buy"
        name = bracket.close_id(1 + self._attempts(bracket.close_id))
        result = self._desk.place(
            Order(bracket.entry.symbol, side, _exact(left), reduce_only=True, price_deviation=math.inf, cli_ord_id=name)
        )
        bracket.closed += result.filled_size
        return result

    def leave(self, why: str) -> None:
        """Stop watching; what is open stays."""
        self._stop.set()
        with self._lock:
            for bracket in self._all.values():
                if bracket.watched and not bracket.over:
                    bracket.watched = False
                    _add(bracket, why)

    # ---- the watch ---------------------------------------------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY) and threading.main_thread().is_alive():
            with self._lock:
                open_ones = [bracket for bracket in self._all.values() if bracket.watched and not bracket.over]
                if not open_ones:
                    self._thread = None
                    return
            seen = None
            for bracket in open_ones:
                seen = self._look_at(bracket, seen)

    def _look_at(self, bracket: Bracket, seen: Picture | None = None) -> Picture | None:
        """Look after a bracket; what was seen, so that the next one need not ask for it again."""
        with bracket.lock:
            if not bracket.watched or bracket.over:
                return seen
            if seen is None or seen.age > EVERY:
                seen = self._picture(bracket)
            try:
                passing = self._advance(bracket, seen)
            except VenueError as error:
                passing = f"it cannot be looked after at the moment: {error}"
            except Exception as error:
                _log.exception("bracket %s", bracket.bracket_id)
                passing = f"looking after it failed: {error}"
            if passing and passing != bracket.passing:
                _log.warning("bracket %s: %s", bracket.bracket_id, passing)
            bracket.passing = "" if bracket.over else passing
        return seen

    def _picture(self, bracket: Bracket) -> Picture:
        with self._lock:
            open_ones = [one for one in self._all.values() if one.watched and not one.over]
        begun = [since(one.intent) for one in (bracket, *open_ones) if one.intent is not None]
        return Picture(self._venue, self._fills, min(begun))

    def _advance(self, bracket: Bracket, seen: Picture) -> str:
        """Bring the exits into line with what is filled; what of it must be tried again."""
        if (ended := self._outcome(bracket)) is not None:
            state: State = "cancelled" if ended.status == "cancelled" else "done"
            return self._finish(bracket, state, ended.message or "another kernel has ended it", seen)
        entry, entry_id = bracket.entry, bracket.entry_id()
        left = self._left(bracket, seen)
        entering = entry_id in seen.resting.index or self._is_undecided(entry_id)
        whole = bracket.filled >= float(entry.contracts) - _NOISE
        no_more = whole or self._lasts(bracket, "entry", not entering, seen)
        elsewhere = left > _NOISE and self._lasts(bracket, "position", self._holds_none(entry, seen), seen)
        if elsewhere or left <= _NOISE:
            if no_more:
                why = "the position was closed by something else" if elsewhere else ""
                return self._finish(bracket, "done" if bracket.filled else "cancelled", why, seen)
            # It is closed, and what the entry fills from now on would have no exits: the entry goes first.
            return self._cancel_all(bracket, [entry_id], seen) if elsewhere or bracket.closed else ""
        # The stop first, and what fails with one exit does not keep the other from its place.
        missing: dict[Role, str] = {}
        for role in sorted(bracket.exits, key=lambda role: role != "stop"):
            try:
                missing[role] = self._align(bracket, role, left, seen)
            except KfutError as error:
                missing[role] = f"looking after its {_name(role)} failed: {error}"
        first = next(iter(missing))
        stands = not missing[first] and not bracket.exits[first].gone
        bracket.state = "protected" if stands else "unprotected"
        return "; ".join(filter(None, missing.values()))

    @staticmethod
    def _holds_none(entry: Order, seen: Picture) -> bool:
        return seen.held.get(entry.symbol, 0.0) * entry.sign <= 0

    def _left(self, bracket: Bracket, seen: Picture) -> float:
        """Count what the entry has filled and the exits have closed; the difference."""
        # What the answer to an order has told counts as well: its fills may be listed a moment later.
        ids = [*self._exit_ids(bracket), *self._ids(bracket.close_id)]
        counted = {name: max(seen.sizes.get(name, 0.0), self._told(name)) for name in (bracket.entry_id(), *ids)}
        bracket.filled = max(bracket.filled, counted.pop(bracket.entry_id()))
        bracket.closed = sum(counted.values())
        return bracket.filled - bracket.closed

    def _align(self, bracket: Bracket, role: Role, left: float, seen: Picture) -> str:
        """Let one exit stand for what is left of the position; why it does not, empty if it does or is gone."""
        way = bracket.exits[role]
        if way.gone or not bracket.watched:  # the kill switch may have been used a moment ago
            return ""
        ids = self._ids(partial(bracket.exit_id, role))
        if not ids:
            return self._place_exit(bracket, role, 1, left)
        current = ids[-1]
        absent = current not in seen.resting.index
        lasts = self._lasts(bracket, current, absent, seen)
        if not absent:
            self._resize(current, left + seen.sizes.get(current, 0.0), seen)
            return ""
        fate = self._fate(current)
        if fate is None:
            return f"whether its {_name(role)} has arrived is not known yet"
        if fate.status == "not_sent":
            return self._place_exit(bracket, role, len(ids) + 1, left)
        if fate.status == "never_arrived":
            if sum(self._status(one) == "never_arrived" for one in ids) < TRIES:
                return self._place_exit(bracket, role, len(ids) + 1, left)
            self._give_up(bracket, role, f"could not be placed in {TRIES} tries")
        elif fate.status == "rejected":
            self._give_up(bracket, role, f"was rejected ({fate.message})")
        elif lasts:
            self._give_up(bracket, role, "is gone (cancelled, or fired without closing everything)")
        else:
            return f"its {_name(role)} is not open: it fires at this moment, or was cancelled"
        return ""

    def _resize(self, current: str, wanted: float, seen: Picture) -> None:
        size = float(str(seen.resting.loc[current, "size"]))
        if abs(size - wanted) <= _NOISE:
            return
        result = self._desk.edit(Edit(cli_ord_id=current, size=_exact(wanted)))
        if result.status != "edited":
            raise VenueError(f"its size stays {size:,.10g} instead of {plain(_exact(wanted))}: {result.message}")

    def _place_exit(self, bracket: Bracket, role: Role, attempt: int, left: float) -> str:
        order = replace(bracket.exits[role].order, size=_exact(left), cli_ord_id=bracket.exit_id(role, attempt))
        try:
            result = self._desk.place(order)
        except OrderRefused as error:
            if error.rule == "cli_ord_id":
                return f"another kernel places its {_name(role)}"  # with this journal: the next look finds it
            if error.rule in _WAITING:
                return f"its {_name(role)} has to wait: {error}"
            if error.rule == "trigger_side" and order.limit_offset is None:
                return self._place_fired(bracket, role, order)
            self._give_up(bracket, role, f"was refused here ({error})")
            return ""
        except KfutError as error:
            return f"its {_name(role)} could not be sent ({error}); it is tried again"
        return self._told_of_exit(bracket, role, result)

    def _place_fired(self, bracket: Bracket, role: Role, order: Order) -> str:
        """Send what an exit becomes when its trigger is reached: the price is past it already.

        The exchange would fire it at once. Left out, the position would be without it just when it is wanted.
        """
        fired = Order(
            order.symbol, order.side, order.size, order.limit_price, reduce_only=True, cli_ord_id=order.cli_ord_id,
            price_deviation=math.inf,
        )  # fmt: skip
        try:
            result = self._desk.place(fired)
        except KfutError as error:
            return f"the price is past its {_name(role)}, which could not be sent ({error}); it is tried again"
        at = "at the market" if fired.limit_price is None else f"with limit {plain(to_decimal(fired.limit_price))}"
        _add(bracket, f"the price was past its {_name(role)} before that could be placed: it was sent {at} at once")
        return self._told_of_exit(bracket, role, result)

    def _told_of_exit(self, bracket: Bracket, role: Role, result: OrderResult) -> str:
        """Why an exit that was sent may not stand; empty if it does, or is over for good."""
        if result.status == "rejected":
            self._give_up(bracket, role, f"was rejected ({result.message})")
        if result.status == "unknown":
            return f"whether its {_name(role)} has arrived is not known yet"
        return "" if result.status in {"placed", "filled", "partially_filled", "rejected"} else result.message

    def _give_up(self, bracket: Bracket, role: Role, why: str) -> None:
        bracket.exits[role].gone = True
        words = (
            f"its {_name(role)} {why} and is not placed again: the position is open without it. "
            "client.cancel_bracket(…, flatten=True) closes it"
        )
        _add(bracket, words)
        _log.error("bracket %s: %s", bracket.bracket_id, words)

    def _finish(self, bracket: Bracket, state: State, why: str, seen: Picture) -> str:
        """Cancel what is open, and end it; else the next look tries again, and why is returned."""
        trouble = self._cancel_all(bracket, [bracket.entry_id(), *self._exit_ids(bracket)], seen)
        if not trouble:
            self._end(bracket, state, why)
        return trouble

    def _cancel_all(self, bracket: Bracket, wanted: list[str], seen: Picture) -> str:
        """Cancel these orders; why not all are known to be over, empty if they are."""
        troubles = []
        for cli_ord_id in wanted:
            placed = self._journal.placed(cli_ord_id)
            if placed is None:
                continue
            is_young = (utc_now() - placed.written).total_seconds() < SETTLE  # and may not be listed yet
            if cli_ord_id not in seen.resting.index and not is_young:
                if self._journal.outcome(placed) is None:
                    troubles.append(f"whether {cli_ord_id} has arrived is not known yet")
                continue
            try:
                result = self._desk.cancel(Cancel(cli_ord_id=cli_ord_id))
            except KfutError as error:
                troubles.append(f"it cannot cancel {cli_ord_id} at the moment: {error}")
                continue
            if result.status not in {"cancelled", "filled", "not_found"} or self._journal.outcome(placed) is None:
                troubles.append(f"whether {cli_ord_id} is cancelled is not known yet: {result.message}")
        return "; ".join(troubles)

    def _lasts(self, bracket: Bracket, what: str, holds: bool, seen: Picture) -> bool:
        """Whether something is so in every picture since long enough for the exchange's records to have caught up."""
        if not holds:
            bracket.begun.pop(what, None)
            return False
        return seen.read_at - bracket.begun.setdefault(what, seen.read_at) >= SETTLE

    # ---- the journal -------------------------------------------------------------------------------------------

    def _attempts(self, name: Callable[[int], str]) -> int:
        """How many orders of this kind were sent, by whichever kernel."""
        attempts = 0
        while self._journal.placed(name(attempts + 1)) is not None:
            attempts += 1
        return attempts

    def _ids(self, name: Callable[[int], str]) -> list[str]:
        return [name(attempt + 1) for attempt in range(self._attempts(name))]

    def _exit_ids(self, bracket: Bracket) -> list[str]:
        return [one for role in bracket.exits for one in self._ids(partial(bracket.exit_id, role))]

    def _fate(self, cli_ord_id: str) -> Outcome | None:
        placed = self._journal.placed(cli_ord_id)
        return None if placed is None else self._journal.outcome(placed)

    def _status(self, cli_ord_id: str) -> str:
        fate = self._fate(cli_ord_id)
        return "" if fate is None else fate.status

    def _told(self, cli_ord_id: str) -> float:
        """Contracts that an order had filled when its answer came, or its fate was found."""
        fate = self._fate(cli_ord_id)
        return 0.0 if fate is None else float(fate.filled_size)

    def _is_undecided(self, cli_ord_id: str) -> bool:
        placed = self._journal.placed(cli_ord_id)
        return placed is not None and self._journal.outcome(placed) is None

    def _outcome(self, bracket: Bracket) -> Outcome | None:
        return None if bracket.intent is None else self._journal.outcome(bracket.intent)

    def _end(self, bracket: Bracket, state: State, why: str) -> None:
        bracket.state, bracket.watched, bracket.passing = state, False, ""
        bracket.lasting = why or bracket.lasting
        if bracket.intent is not None:
            self._journal.close(bracket.intent, Outcome(state, message=why, filled_size=bracket.filled))


def _add(bracket: Bracket, words: str) -> None:
    bracket.lasting = "; ".join(filter(None, (bracket.lasting, words)))


def _name(role: Role) -> str:
    return role.replace("_", "-")


def _exact(size: float) -> Decimal:
    """A difference of floats without their noise."""
    return round(to_decimal(size), 10).normalize()
