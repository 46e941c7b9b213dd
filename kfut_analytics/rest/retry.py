"""Whether and when a failed request is sent again: the whole policy, in one function."""

from __future__ import annotations

import random

from ..errors import (
    ConnectionFailed,
    ConnectionLost,
    RateLimitError,
    RequestTimeout,
    UnavailableError,
    VenueError,
)
from .endpoints import Operation

MAX_ATTEMPTS = 5
MAX_SECONDS = 30.0
"""A call is not tried again after so many attempts, or when it would end later than so many seconds."""

FIRST_DELAY = 0.25

_PASSING = (ConnectionFailed, ConnectionLost, RequestTimeout, RateLimitError, UnavailableError)


def retry_delay(operation: Operation, error: VenueError, attempt: int, elapsed: float, luck: float) -> float | None:
    """Seconds to wait before sending the same request again; None to give up.

    Parameters
    ----------
    operation
        What was called. A call that may change something is never repeated.
    error
        How it failed. Only passing faults are worth another try: connections, timeouts, HTTP 429, 502, 503, 504 and
        the exchange's ``Unavailable``.
    attempt
        How often it was sent, from 1.
    elapsed
        Seconds since it was first sent.
    luck
        A random number from 0 to 1 that spreads the delays of many callers.
    """
    if operation.changes_state or not isinstance(error, _PASSING) or not error.retry_safe:
        return None
    if isinstance(error, RateLimitError) and error.retry_after is not None:
        # The pool is blocked until then and its waiting is shown; the time limit is for faults, not for queueing.
        return 0.0 if attempt < MAX_ATTEMPTS else None
    if attempt >= MAX_ATTEMPTS:
        return None
    delay = FIRST_DELAY * 2 ** (attempt - 1) * (0.5 + luck)
    return delay if elapsed + delay <= MAX_SECONDS else None


def luck() -> float:
    """A fresh random number for `retry_delay`."""
    return random.random()
