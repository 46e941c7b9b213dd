"""Several fetches at once; those of one kind are joined into one frame, and what arrived of it is never lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pandas as pd

from .errors import FetchInterrupted, VenueError

PARALLEL = 4
"""Fetches under way at once; the token pools bound the requests further."""

_MOMENT = 0.2
"""Seconds between looks; an endless wait could not be interrupted on every system."""


_one_by_one: list[bool] = []


@contextmanager
def one_by_one() -> Iterator[None]:
    """Fetch one after the other: who records requests loses some of those that are under way at once."""
    _one_by_one.append(True)
    try:
        yield
    finally:
        _one_by_one.pop()


def fetch_each(symbols: Sequence[str], fetch: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """Fetch a frame for each symbol, side by side.

    Parameters
    ----------
    symbols
        At least one.
    fetch
        Gives one symbol's frame.

    Returns
    -------
    DataFrame
        All frames one below the other, in the order of ``symbols``, with the symbol as first index level.

    Raises
    ------
    FetchInterrupted
        If the person interrupts; ``partial`` holds the symbols that were complete.
    VenueError
        The first failure; ``partial`` holds the symbols that were complete and what the failed one had.
    """
    pool = ThreadPoolExecutor(1 if _one_by_one else min(PARALLEL, len(symbols)), thread_name_prefix="kfut-fetch")
    running = {symbol: pool.submit(fetch, symbol) for symbol in symbols}
    try:
        waiting = set(running.values())
        while waiting:
            done, waiting = wait(waiting, timeout=_MOMENT, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
    except KeyboardInterrupt:
        complete = _complete(running)
        raise FetchInterrupted(
            f"interrupted with {len(complete)} of {len(running)} symbols complete; the exception's 'partial' has them",
            _joined(complete),
        ) from None
    except VenueError as error:
        failed = next(symbol for symbol, future in running.items() if future.done() and future.exception() is error)
        rest = {} if error.partial is None else {failed: error.partial}
        error.partial = _joined(_complete(running) | rest)
        raise
    finally:
        # Whoever is not needed any more is not waited for; no new fetch begins.
        pool.shutdown(wait=False, cancel_futures=True)
    return _joined(_complete(running))


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Call functions side by side, each on a thread of its own: they take as long as the slowest.

    Parameters
    ----------
    calls
        At least one.

    Returns
    -------
    list
        What they returned, in their order.

    Raises
    ------
    Exception
        The failure of the first call that failed, when all have ended. Only an interruption does not wait for them.
    """
    pool = ThreadPoolExecutor(1 if _one_by_one else len(calls), thread_name_prefix="kfut-fetch")
    try:
        running = [pool.submit(call) for call in calls]
        while wait(running, timeout=_MOMENT).not_done:
            pass
        return [future.result() for future in running]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _complete(running: Mapping[str, Future[pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    done = {symbol: future for symbol, future in running.items() if future.done() and not future.cancelled()}
    return {symbol: future.result() for symbol, future in done.items() if future.exception() is None}


def _joined(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame()
    # A frame that has its symbol as a column would say the same twice.
    parts = [frame.drop(columns="symbol", errors="ignore") for frame in frames.values()]
    joined = pd.concat(parts, keys=[symbol.upper() for symbol in frames], names=["symbol"])
    joined.attrs = parts[0].attrs
    return joined
