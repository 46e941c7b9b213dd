"""Progress of long fetches: a bar for a person who waits, nothing for a program."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType

from tqdm.auto import tqdm

_log = logging.getLogger("kfut_analytics.rest")

_SHOWN_AFTER = 1.0
"""Seconds before a bar appears; short fetches show nothing."""


_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Show no progress of what this thread fetches: nobody waits for it."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def interactive() -> bool:
    """Whether a person is looking: a notebook or a terminal."""
    if _quiet.get():
        return False
    return _in_kernel() or sys.stderr.isatty()


def tell(message: str) -> None:
    """Say something beside the bars to a person who waits; standard output of a program is its result's alone."""
    if interactive():
        tqdm.write(message, file=sys.stdout if _in_kernel() else sys.stderr)


def _in_kernel() -> bool:
    """Whether this program is a notebook's kernel; having its library imported makes it none."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython() if ipython else None, "kernel")


class Abandoned(Exception):
    """A fetch was given up while one of its requests waited; seen by nobody but the thread that waited."""


class Progress:
    """Counts rows as they arrive and says why a request waits. A context manager.

    Parameters
    ----------
    what
        What is fetched.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._closed = False
        self._bar = tqdm(
            desc=what,
            unit=" rows",
            unit_scale=True,
            leave=False,
            delay=_SHOWN_AFTER,
            disable=not interactive(),
        )

    def add(self, rows: int) -> None:
        """Rows have arrived."""
        self._bar.update(rows)

    def waiting(self, why: str) -> None:
        """A request waits; told beside the bar.

        Raises
        ------
        Abandoned
            If nobody waits for the answer any more, so that the request is not sent at all.
        """
        if self._closed:
            raise Abandoned(f"{self._what}: nobody waits any more")
        self._bar.set_postfix_str(why)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._bar.close()
