"""What makes a click on Send safe: a permit to send one reviewed order, once, for a few seconds.

A double click calls a button's handler twice, disabling the button in the first call does not stop the second, and a
click made while a cell is running arrives when the cell ends (measured with ipykernel 7.3 and 7.4). So a click proves
nothing by itself. It counts only with a permit, which is used up under a lock by the first click, and which is void
as soon as the order changes, is reviewed again, or some seconds have passed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

Verdict = Literal["granted", "used", "stale", "changed", "superseded"]

REFUSALS: dict[Verdict, str] = {
    "used": "This review has been used: the order went out once and is not sent again. To send another one, review it.",
    "stale": "The review is too old: prices may have moved. Review the order again.",
    "changed": "The order has changed since it was reviewed. Review it again.",
    "superseded": "This click belongs to an earlier review. Look at the newest one and send that.",
}
"""What a refused click is told."""


class Permit(Generic[T]):
    """Permission to do one thing once: to send a reviewed order, for instance. Safe to use from several threads.

    Parameters
    ----------
    order
        What is permitted: the order that was reviewed.
    lifetime
        Seconds for which the permit is good.
    clock
        Seconds that only move forward; exchanged in tests.
    """

    def __init__(self, order: T, lifetime: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.order = order
        self._clock = clock
        self._expires = clock() + lifetime
        self._lock = threading.Lock()
        self._ended: Verdict | None = None

    def void(self, why: Literal["changed", "superseded"]) -> None:
        """End the permit unless it has ended already."""
        with self._lock:
            self._ended = self._ended or why

    def use(self, order: T | None) -> Verdict:
        """Ask to send an order.

        Parameters
        ----------
        order
            The order as it stands now; None if what stands there is no order.

        Returns
        -------
        str
            ``granted`` to exactly one caller, if the order is the reviewed one and time is left. Otherwise the
            reason of the refusal, a key of `REFUSALS`.
        """
        with self._lock:
            if self._ended is None:
                if self._clock() >= self._expires:
                    self._ended = "stale"
                elif order != self.order:
                    self._ended = "changed"
                else:
                    self._ended = "used"
                    return "granted"
            return self._ended
