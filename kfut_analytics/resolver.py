"""The search for fates in the background, and work that an interrupt does not tear."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from . import fate
from .errors import KfutError
from .journal import Intent, Journal, Outcome
from .venue import Venue

_log = logging.getLogger("kfut_analytics.desk")

PAUSES = (0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between one look and the next; the last of them from then on, until something new is asked for."""


class Errand:
    """Work on a thread of its own that an interrupt of the one who waits does not end."""

    def __init__(self, work: Callable[[], Any], name: str) -> None:
        self._work = work
        self._done = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def wait(self, seconds: float | None = None) -> Any:
        """Begin, and return the work's value or raise its error; None if it takes longer than so many seconds."""
        self._thread.start()
        self._done.wait(seconds)
        if self._error is not None:
            raise self._error
        return self._value


class Resolver:
    """Looks for the fates of a journal's open intents on one thread, all of them at once, until none is left.

    A look asks the exchange the same few questions for one intent or for a hundred: callers who lost their answers
    together cost no more than one of them. The thread does not keep the resolver alive.

    Parameters
    ----------
    venue, journal
        Where it looks, and whose intents.

    Attributes
    ----------
    trouble
        Why the last look failed; empty if it did not.
    """

    def __init__(self, venue: Venue, journal: Journal) -> None:
        self._venue = venue
        self._journal = journal
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._running = self._ended = False
        self._awaited: set[int] = set()
        self._wanted: dict[int, Intent] = {}
        self._found: dict[int, Outcome] = {}
        self._one_look = threading.Lock()
        self.trouble = ""

    @contextmanager
    def awaiting_answer(self, intents: Sequence[Intent]) -> Iterator[None]:
        """Meanwhile these are not looked for: their answer may yet come, and says more than the records may."""
        numbers = {intent.number for intent in intents}
        with self._changed:
            self._awaited |= numbers
        try:
            yield
        finally:
            with self._changed:
                self._awaited -= numbers

    def find(self, intent: Intent, until: float) -> Outcome | None:
        """Look for what became of an intent from now on; None if that is not known in time (monotonic)."""
        with self._changed:
            self._wanted[intent.number] = intent
            self.begin()
            self._changed.wait_for(
                lambda: intent.number in self._found or self._ended, max(until - time.monotonic(), 0.0)
            )
            del self._wanted[intent.number]
            return self._found.pop(intent.number, None)

    def begin(self) -> None:
        """Look at once, and then again and again until nothing is open."""
        with self._changed:
            if self._ended:
                return
            self._wake.set()
            if not self._running:
                self._running = True
                search = threading.Thread(
                    target=_search, args=(weakref.ref(self), self._wake), name="kfut-resolver", daemon=True
                )
                search.start()

    def end(self) -> None:
        """Look no more; whoever waits is let go."""
        with self._changed:
            self._ended = True
            self._wake.set()
            self._changed.notify_all()

    def look(self) -> dict[int, Outcome]:
        """Look once for everything that is open, and write down what is found.

        Raises
        ------
        VenueError
            If the exchange could not be asked; what was found before is written down.
        """
        found: dict[int, Outcome] = {}
        with self._one_look:
            for intent, outcome in fate.find(self._venue, self._open()):
                found[intent.number] = self._write(intent, outcome)
        return found

    def _open(self) -> list[Intent]:
        """What somebody waits for, and whatever the journal has open: left by former processes, or by others."""
        with self._changed:
            intents, awaited = dict(self._wanted), set(self._awaited)
        try:
            left = self._journal.open_intents()
        except KfutError as error:
            _log.error("%s", error)
        else:
            intents |= {intent.number: intent for intent in left if intent.number not in awaited}
        return list(intents.values())

    def _write(self, intent: Intent, outcome: Outcome) -> Outcome:
        try:
            if self._journal.close(intent, outcome, "found"):
                _log.info("the fate of %s is known: %s", intent.name, outcome.status)
            else:
                outcome = self._journal.outcome(intent) or outcome  # somebody else was first
        except KfutError as error:
            _log.error("%s", error)  # whoever waits is told nevertheless
        with self._changed:
            if intent.number in self._wanted:
                self._found[intent.number] = outcome
                self._changed.notify_all()
        return outcome

    def look_again(self) -> bool:
        """One round of the search; False if nothing is left, and then the search is over."""
        with self._changed:
            # Together with the end of the search, so that whoever begins one at this moment gets it.
            self._wake.clear()
            self._running = not self._ended and bool(self._open())
            if not self._running:
                return False
        try:
            self.look()
            self.trouble = ""
        except Exception as error:
            self.trouble = str(error)
            _log.info("fates could not be looked up: %s", error)
        return True


def _search(reference: weakref.ref[Resolver], wake: threading.Event) -> None:
    """Look, with pauses that become longer, until nothing is open, or the resolver or the kernel is gone."""
    pauses = iter(PAUSES)
    while threading.main_thread().is_alive():
        if wake.is_set():
            pauses = iter(PAUSES)
        resolver = reference()
        if resolver is None or not resolver.look_again():
            return
        del resolver
        wake.wait(next(pauses, PAUSES[-1]))
