"""The part of a client that stands by while orders are open: dead man's switch, brackets, kill switch."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from functools import cached_property

import pandas as pd

from . import orders
from .client_orders import OrderCalls
from .desk import Desk
from .errors import ArgumentError, ConfigurationError
from .guards.bracket import Bracket, Role, check_entry, exits_of, frame_of
from .guards.dead_man import DeadManSwitch, is_kept_here
from .guards.kill import KillReport, kill
from .guards.watch import Brackets
from .journal import Intent, Outcome, in_memory
from .orders import Order, OrderResult, Preview
from .orders.order import Number

_log = logging.getLogger("kfut_analytics.client")


class GuardCalls(OrderCalls):
    """Guards of a client, and what former kernels have left."""

    _switch: DeadManSwitch | None = None

    def dead_man_switch(self, timeout: int = 60) -> DeadManSwitch:
        """The dead man's switch of this client; it is not armed before ``.arm()``, or a ``with`` block, says so.

        Armed, it lets the exchange cancel all orders of the account once it hears nothing for ``timeout`` seconds,
        and keeps it waiting while this kernel lives. The exchange has one such switch per account: whoever arms it
        while another client has it armed is told so, but not the other one. As long as one of the two lives nothing is
        cancelled for the other, and either disarms it for both. It cancels stops, too, those of brackets included, and
        leaves positions as they are.

        Parameters
        ----------
        timeout
            Whole seconds of silence after which the exchange cancels, from 10 to 3600.

        Returns
        -------
        DeadManSwitch
            Disarmed, unless it was armed before.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        ArgumentError
            If the timeout makes no sense, or the switch is armed with another one.
        """
        self._require_trading("arm a dead man's switch")
        switch = self._switch
        if switch is None or (switch.timeout != timeout and not switch.armed):
            switch = self._switch = DeadManSwitch(self._venue, self._desk.journal, self._desk.session, timeout)
        elif switch.timeout != timeout:
            raise ArgumentError(f"timeout={timeout!r}: the switch is armed with {switch.timeout} s; disarm it first")
        return switch

    def bracket(
        self,
        entry: Order | Preview,
        *,
        take_profit: Order | Number | None = None,
        stop: Order | Number | None = None,
        stop_signal: str = "mark",
    ) -> Bracket:
        """Send an entry with a take-profit and a stop, of which one cancels the other while this kernel lives.

        Exits are placed for what the entry has filled, may only reduce the position, and close it at the market
        unless they are orders of your own. What happens when the kernel ends is told in
        ``kfut_analytics.guards.bracket``; the next client says which brackets nobody watches.

        Parameters
        ----------
        entry
            The order that opens a position or adds to one, or its preview; not one against a position. It gets a
            client id of the bracket's.
        take_profit, stop
            Trigger prices, or orders that wait (a limit order, a trailing stop); at least one of them.
        stop_signal
            Price that triggers the exits: ``mark``, ``index`` or ``last``.

        Returns
        -------
        Bracket
            It says whether its position is protected, and goes on to do so.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        OrderRefused
            If entry or exits break a rule; nothing was sent.
        """
        self._require_trading("send a bracket")
        seen = self._desk.examined(entry)
        exits = self.checked_exits(seen, take_profit=take_profit, stop=stop, stop_signal=stop_signal)
        bracket = Bracket(str(uuid.uuid4()), seen.order, exits)
        named = replace(seen, order=replace(seen.order, cli_ord_id=bracket.entry_id()))
        return self._brackets.open(bracket, named)

    def checked_exits(
        self,
        entry: Preview,
        *,
        take_profit: Order | Number | None = None,
        stop: Order | Number | None = None,
        stop_signal: str = "mark",
    ) -> dict[Role, Order]:
        """The exits that `bracket` would place for an entry; nothing is sent.

        Parameters
        ----------
        entry
            The preview of the order that opens the position.
        take_profit, stop, stop_signal
            As for `bracket`.

        Returns
        -------
        dict
            Orders by their role, ``take_profit`` and ``stop``.

        Raises
        ------
        OrderRefused
            If they break a rule.
        """
        check_entry(entry)
        exits = exits_of(entry.order, take_profit, stop, stop_signal=stop_signal, reference=entry.mark_price)
        return {role: orders.check(order, self._rules.instrument(order.symbol)) for role, order in exits.items()}

    def brackets(self) -> pd.DataFrame:
        """Brackets of this client, and all others that are open, as this kernel saw them last.

        The table is explained by ``kfut.describe("brackets")``. `bracket` and `watch_brackets` return the brackets
        themselves.
        """
        frame = frame_of(self._brackets.all())
        frame.attrs["env"] = self.env
        return frame

    def watch_brackets(self) -> list[Bracket]:
        """Take up the brackets that a former kernel has left; those that are watched from now on.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        """
        self._require_trading("watch brackets")
        return self._brackets.take_up()

    def cancel_bracket(self, bracket: Bracket | str, *, flatten: bool = False) -> OrderResult | None:
        """Cancel what is open of a bracket and watch it no more.

        Parameters
        ----------
        bracket
            The bracket, or its id in `brackets`.
        flatten
            Whether what it has opened is closed, by a market order that may only reduce the position.

        Returns
        -------
        OrderResult or None
            What became of that order; None where nothing was to be closed. A bracket that it did not close completely
            stays as it was, but for the exits.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        ArgumentError
            If there is no such bracket, or it is over and what it left is to be closed.
        VenueError
            If not all of its orders are known to be cancelled; try again.
        """
        self._require_trading("cancel a bracket")
        return self._brackets.cancel(bracket, flatten=flatten)

    @cached_property
    def _brackets(self) -> Brackets:
        return Brackets(self._desk, self._venue, self._desk.journal)

    def kill(self, *, flatten: bool = False) -> KillReport:
        """Cancel all orders, close all positions if asked, and refuse new orders until `unlock`.

        Goes on with the rest when a part fails, and tells. Brackets are no longer watched; a dead man's switch stays
        as it is, as it is the last thing that helps where cancelling failed.

        Parameters
        ----------
        flatten
            Whether positions are closed, by market orders that may only reduce them.

        Returns
        -------
        KillReport
            What was cancelled and closed, and what is left.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        """
        self._require_trading("use the kill switch")
        try:
            desk, trouble = self._desk, ""
            self._brackets.leave("the kill switch was used")
        except ConfigurationError as error:
            # No order goes out without the journal; what stops everything must not wait for it.
            desk, trouble = Desk(self._venue, self._rules, in_memory(), self.limits, self._market), str(error)
        return kill(desk, self._venue, flatten=flatten, trouble=trouble)

    @property
    def locked(self) -> bool:
        """Whether the kill switch was used, so that only reducing orders and cancellations go out."""
        return self._desk.locked

    def unlock(self) -> None:
        """Let orders out again after the kill switch."""
        self._desk.locked = False

    def _leave(self) -> None:
        """The client is closed: nothing is looked after any more, and what that means is told."""
        if "_brackets" in self.__dict__:
            self._brackets.leave("the client is closed")
        if self._switch is not None:
            self._switch.abandon()
        if "_desk" in self.__dict__:
            self._desk.close()

    def _take_up(self) -> None:
        """Find out what became of whatever former processes left open, and tell."""
        try:
            left = self._desk.journal.open_intents()
        except ConfigurationError as error:
            _log.warning("%s", error)  # and again, as an error, when something is to be sent
            return
        for intent in self._brackets.unwatched():
            _log.warning(
                "a bracket of a former session in %s is watched by nobody: client.watch_brackets() takes it up (%s)",
                intent.symbol,
                intent.cli_ord_id,
            )
        armed = self._desk.journal.open_intents("dead_man")
        for intent in (one for one in armed if not is_kept_here(self._desk.journal, one)):
            words = _LEFT_ARMED.format(intent.details["timeout"], intent.written)
            _log.warning("%s", words)
            self._desk.journal.close(intent, Outcome("left", message=words), "left")
        if not left:
            return
        found = self._desk.resolve()
        for intent in left:
            _log.warning("%s", _told(intent, found.get(intent.number)))


_LEFT_ARMED = (
    "a former session armed a dead man's switch of {} s at {:%Y-%m-%d %H:%M:%S} UTC and has not ended it: unless that "
    "kernel lives, the exchange cancels all orders, or has done so; see client.open_orders() and client.journal()"
)


def _told(intent: Intent, outcome: Outcome | None) -> str:
    what = f"{intent.kind} of {intent.written:%Y-%m-%d %H:%M:%S} UTC ({intent.cli_ord_id or intent.order_id or 'all'})"
    if outcome is None:
        return f"left by a former session, fate not known yet: {what}; see client.journal()"
    filled = f", {outcome.filled_size:,.10g} filled" if outcome.filled_size > 0 else ""
    return f"left by a former session, now known: {what}: {outcome.status}{filled}"
