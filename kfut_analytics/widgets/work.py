"""Threads of the widgets: whatever waits for the network does so there, and no kind of work waits for another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

from . import render

_log = logging.getLogger("kfut_analytics.widgets")

Tell = Callable[[str], None]
"""Shows a text, in place of what was shown there before."""


def telling(doing: str, tell: Tell, work: Callable[..., None], *args: object) -> None:
    """Do something, and tell what goes wrong: an exception in a callback or on a thread is seen by nobody else."""
    try:
        work(*args)
    except Exception as error:
        _log.debug("%s failed", doing, exc_info=True)
        tell(render.failure(error, doing))


class Work:
    """Work in lanes, and work that begins after a pause.

    Parameters
    ----------
    what
        Whose work it is, for the reader: ``ticket``.
    lanes
        How much of each kind is done at a time.
    """

    def __init__(self, what: str, lanes: Mapping[str, int]) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._lanes = {
            lane: ThreadPoolExecutor(max_workers=width, thread_name_prefix=f"kfut-{lane}")
            for lane, width in lanes.items()
        }
        self._pending: list[Future[None]] = []
        self._timer: threading.Timer | None = None
        self._newest = 0

    def begin(self, lane: str, doing: str, tell: Tell, work: Callable[..., None], *args: object) -> None:
        """Do something as soon as its lane is free; what goes wrong is told, as is that all is closed."""
        try:
            with self._lock:
                unfinished = [each for each in self._pending if not each.done()]
                self._pending = [*unfinished, self._lanes[lane].submit(telling, doing, tell, work, *args)]
        except RuntimeError as error:
            tell(render.failure(error, doing))

    def later(self, pause: float, work: Callable[[int], None]) -> None:
        """Do something after a pause, instead of what has been waiting for its own; it gets a number."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._newest += 1
            self._timer = threading.Timer(pause, work, (self._newest,))
            self._timer.daemon = True
            self._timer.start()

    def is_newest(self, number: int) -> bool:
        """Whether nothing was asked for `later` after what got this number."""
        return number == self._newest

    def wait(self, timeout: float) -> None:
        """Wait until nothing is left.

        Raises
        ------
        TimeoutError
            If there is still work after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                timer, pending = self._timer, [each for each in self._pending if not each.done()]
            left = max(0.0, deadline - time.monotonic())
            if timer is not None and timer.is_alive():
                timer.join(left)
            elif not pending:
                return
            elif wait_for(pending, timeout=left).not_done:
                raise TimeoutError(f"the {self._what} is still at work after {timeout:g} s")

    def close(self) -> None:
        """Begin nothing any more; what has begun is finished."""
        for lane in self._lanes.values():
            lane.shutdown(wait=False)
