"""The dead man's switch: the exchange cancels all orders unless it hears from this kernel again in time.

Whoever arms it asks the exchange for that with a timeout, and this room asks again every quarter of it. Asking twice
does no harm, so a request that failed is simply made again while there is time: it is the one write that is repeated.
Once this kernel is silent (it ended, it hangs, the network is gone), the exchange acts by itself.

The exchange has one switch per account, not one per client. Two clients that both arm it overwrite each other: the
last one to renew sets the time, either of them disarms it for both, and as long as one of them lives the orders of the
other, dead one stay. So whoever arms it is told if it was armed already; what another client does later is not seen.
"""

from __future__ import annotations

import html
import logging
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Literal

import pandas as pd

from ..errors import ArgumentError, KfutError, VenueError
from ..journal import Intent, Journal, Outcome
from ..venue import Venue

_log = logging.getLogger("kfut_analytics.guards")

SHORTEST, LONGEST = 10, 3600
"""Seconds of a timeout: below, one slow answer would fire it; above, it protects nobody."""

_AGAIN = 1.0
"""Seconds after which a renewal that failed is tried again."""

State = Literal["disarmed", "armed", "fired"]

_LIVING: weakref.WeakSet[DeadManSwitch] = weakref.WeakSet()
"""The switches of this kernel."""


class DeadManSwitch:
    """Cancels all orders of the account if this kernel falls silent; made by `Client.dead_man_switch`.

    It is not armed before `arm` is called, or its ``with`` block entered, and it stays armed until `disarm`, or the
    block's end, has been confirmed by the exchange.

    Parameters
    ----------
    venue, journal
        The exchange, and where arming and disarming are written down.
    timeout
        Seconds of silence after which the exchange cancels all orders.

    Attributes
    ----------
    timeout
        As above.
    trouble
        What went wrong with the last renewal, or was found when it was armed; empty if nothing.
    """

    def __init__(self, venue: Venue, journal: Journal, session: str, timeout: int) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, int) or not SHORTEST <= timeout <= LONGEST:
            hint = "; to end it, call disarm()" if timeout == 0 else ""
            raise ArgumentError(f"timeout={timeout!r}: give whole seconds from {SHORTEST} to {LONGEST}{hint}")
        self.timeout = timeout
        self.trouble = ""
        self._venue = venue
        self._journal = journal
        self._session = session
        self._lock = threading.RLock()
        # A renewal must not overtake the end: the exchange would fire a switch that is thought disarmed.
        self._wire = threading.RLock()
        self._state: State = "disarmed"
        self._fires: pd.Timestamp | None = None
        self._intent: Intent | None = None
        self._stop = threading.Event()
        self._listeners: list[Callable[[], None]] = []
        _LIVING.add(self)

    @property
    def state(self) -> State:
        """``disarmed``, ``armed`` or ``fired``: its time passed without a renewal that succeeded."""
        with self._lock:
            overdue = self._state == "armed" and self._fires is not None and self._venue.clock.now() >= self._fires
            return "fired" if overdue else self._state

    @property
    def armed(self) -> bool:
        """Whether the exchange will cancel all orders if it hears nothing."""
        return self.state == "armed"

    @property
    def remaining(self) -> float:
        """Seconds until it fires unless it is renewed, by the exchange's clock; NaN while it is not armed."""
        with self._lock:
            if not self.armed or self._fires is None:
                return float("nan")
            return (self._fires - self._venue.clock.now()).total_seconds()

    @property
    def fires_at(self) -> pd.Timestamp | None:
        """The exchange's time at which it fires unless it is renewed; None while it was never armed."""
        with self._lock:
            return self._fires

    @property
    def pause(self) -> float:
        """Seconds of this machine between two renewals; a clock that only steps counts as one that goes with it."""
        return self.timeout / 4 / (self._venue.clock.rate or 1.0)

    def is_of(self, journal: Journal, intent: Intent) -> bool:
        """Whether it is renewed, and this entry of a journal tells of it."""
        own = self._intent
        known = own is not None and (own.number, self._journal.path) == (intent.number, journal.path)
        return known and not self._stop.is_set()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call, on any thread, whenever it is armed, renewed, disarmed, fires or has trouble."""
        self._listeners.append(callback)

    def arm(self) -> DeadManSwitch:
        """Ask the exchange to cancel all orders once it hears nothing for ``timeout`` seconds, and keep asking.

        Raises
        ------
        VenueError
            If the exchange did not confirm it; it may be armed nevertheless, and fires then unless it is disarmed.
        """
        with self._wire:
            if self.armed and not self._stop.is_set():
                return self
            found = self._armed_before()
            try:
                self._fires = self._renewed()
            except VenueError as error:
                self._trouble_is(f"arming it was not confirmed ({error}): it may be armed; arm it again, or disarm it")
                raise
            with self._lock:
                self._state, self.trouble = "armed", found
                self._stop.set()  # of a former arming
                self._stop = threading.Event()
            name = "kfut-dead-man"
            threading.Thread(target=_keep, args=(weakref.ref(self), self._stop), name=name, daemon=True).start()
            self._write_down(found)
        self._tell()
        return self

    def disarm(self) -> None:
        """End it; when this returns, the exchange has confirmed that it will not fire.

        Raises
        ------
        VenueError
            If the exchange did not confirm it: it may fire. Call again.
        """
        self._stop.set()
        with self._wire:
            try:
                fires = self._venue.cancel_all_after(0)
            except VenueError as error:
                self._trouble_is(f"disarming it was not confirmed ({error}): it may fire. Disarm it again")
                raise
            if fires is not None:
                raise VenueError(f"the exchange says that it still fires at {fires:%H:%M:%S} UTC: disarm again")
            with self._lock:
                self._state, self._fires, self.trouble = "disarmed", None, ""
            self._close("disarmed", "confirmed")
        self._tell()

    def abandon(self) -> None:
        """Stop renewing without disarming: the client is closed, and the exchange will act."""
        armed = self.armed
        self._stop.set()
        if armed:
            self._trouble_is(f"no longer renewed because the client is closed: it fires at {self._fires:%H:%M:%S} UTC")

    def beat(self) -> float | None:
        """Renew once; seconds until the next time, None if there is none."""
        with self._wire:
            if self._stop.is_set() or self._fires is None:
                return None
            due = self._fires
            try:
                fires = self._renewed()
                if fires - pd.Timedelta(seconds=self.timeout) >= due:
                    self._note_firing(due)
                    return None
            except Exception as error:
                passed = self.state == "fired"
                when = f"has fired at {due:%H:%M:%S} UTC" if passed else f"fires in {self.remaining:.0f} s"
                self._trouble_is(f"it could not be renewed ({error}) and {when} unless it can")
                return self.pause if passed else _AGAIN
            with self._lock:
                self._fires, self.trouble = fires, ""
        self._tell()
        return self.pause

    def _renewed(self) -> pd.Timestamp:
        fires = self._venue.cancel_all_after(self.timeout)
        if fires is None:
            raise VenueError("the exchange answered as if the switch were disarmed")
        return fires

    def _note_firing(self, due: pd.Timestamp) -> None:
        """The exchange has answered after its time: this machine slept, or nothing went through."""
        self._stop.set()
        words = (
            f"it has fired: {due:%H:%M:%S} UTC passed without a renewal that was confirmed, and the exchange cancels "
            "all orders then; see client.open_orders(). Arm it again"
        )
        try:
            self._venue.cancel_all_after(0)  # what was meant as a renewal has set it anew
        except VenueError as error:
            words += f". It is set once more, and ending that failed ({error}): it fires within {self.timeout} s, too"
        with self._lock:
            self._state = "fired"
        self._close("fired", words)
        self._trouble_is(words)

    def _armed_before(self) -> str:
        """What to say if the account's switch is set already. Asked only where it is set at once in any case."""
        try:
            fires = self._venue.cancel_all_after(None)
        except VenueError as error:
            _log.info("whether the dead man's switch is set already is not known: %s", error)
            return ""
        if fires is None or self.state != "disarmed":
            return ""
        found = (
            f"the account's switch was set already, to fire at {fires:%H:%M:%S} UTC: by a former kernel, an arming "
            "whose answer was lost, or another client. If that one lives, it keeps the exchange waiting after this one "
            "has ended, and disarming either ends both"
        )
        _log.warning("dead man's switch: %s", found)
        return found

    def _trouble_is(self, text: str) -> None:
        with self._lock:
            self.trouble = text
        _log.error("dead man's switch: %s", text)
        self._tell()

    def _write_down(self, found: str) -> None:
        """Into the journal, open until it ends; a journal that fails keeps nothing from being looked after."""
        try:
            now, details = self._venue.clock.now(), {"timeout": self.timeout}
            self._intent = self._journal.write(self._session, "dead_man", details, sent_time=now, deadline=None)
            self._journal.step(self._intent, "armed", f"for {self.timeout} s{f'; {found}' if found else ''}")
        except KfutError as error:
            _log.error("%s", error)

    def _close(self, status: str, detail: str) -> None:
        intent, self._intent = self._intent, None
        try:
            if intent is not None and not self._journal.close(intent, Outcome(status, message=detail), status):
                self._journal.step(intent, status, detail)  # another client has told of it as left behind
        except KfutError as error:
            _log.error("%s", error)

    def _tell(self) -> None:
        for listener in list(self._listeners):
            try:
                listener()
            except Exception:
                _log.exception("a listener of the dead man's switch failed")

    def __enter__(self) -> DeadManSwitch:
        return self.arm()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disarm()

    def __repr__(self) -> str:
        words = {
            "disarmed": "disarmed",
            "armed": f"ARMED, fires in {self.remaining:.0f} s unless renewed",
            "fired": "FIRED",
        }
        return (
            f"<dead man's switch of {self.timeout} s: {words[self.state]}{f'; {self.trouble}' if self.trouble else ''}>"
        )

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"


def is_kept_here(journal: Journal, intent: Intent) -> bool:
    """Whether a client of this kernel keeps the switch that an entry of a journal tells of."""
    return any(switch.is_of(journal, intent) for switch in list(_LIVING))


def _keep(reference: weakref.ref[DeadManSwitch], stop: threading.Event) -> None:
    """Renew while the switch and the kernel live; a switch that nobody holds any more is not renewed."""
    switch = reference()
    pause: float | None = None if switch is None else switch.pause
    fires = None if switch is None else switch.fires_at
    del switch
    while pause is not None and not stop.wait(pause):
        switch = reference()
        if not threading.main_thread().is_alive():
            return
        if switch is None:
            _log.error("dead man's switch: nobody holds it any more, so it is not renewed and fires at %s", fires)
            return
        pause = switch.beat()
        fires = switch.fires_at
        del switch
