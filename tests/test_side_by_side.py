"""Several symbols at once: in order, within the number of threads, and nothing that arrived is lost."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pandas as pd
import pytest

from kfut_analytics.errors import FetchInterrupted, UnavailableError
from kfut_analytics.side_by_side import PARALLEL, at_once, fetch_each


def frame(symbol: str) -> pd.DataFrame:
    made = pd.DataFrame({"symbol": [symbol], "value": [len(symbol)]}, index=pd.Index([1], name="id"))
    made.attrs["units"] = {"value": "letters"}
    return made


def test_frames_are_joined_in_order_and_few_run_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def fetch(symbol: str) -> pd.DataFrame:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02 if symbol != "a" else 0.08)
        with lock:
            running -= 1
        return frame(symbol)

    symbols = [*"abcdefghij"]
    joined = fetch_each(symbols, fetch)
    assert list(joined.index.get_level_values("symbol")) == [s.upper() for s in symbols]
    assert list(joined.columns) == ["value"]
    assert joined.attrs["units"] == {"value": "letters"}
    assert 1 < most <= PARALLEL


def test_a_failure_keeps_the_others_and_what_the_failed_one_had() -> None:
    def fetch(symbol: str) -> pd.DataFrame:
        if symbol == "bad":
            time.sleep(0.1)
            error = UnavailableError("down")
            error.partial = frame("bad")
            raise error
        return frame(symbol)

    with pytest.raises(UnavailableError) as caught:
        fetch_each(["good", "bad", "fine"], fetch)
    assert caught.value.partial is not None
    assert set(caught.value.partial.index.get_level_values("symbol")) == {"GOOD", "BAD", "FINE"}


@pytest.mark.usefixtures("ctrl_c_counts")
@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent to a single thread")
def test_an_interruption_keeps_what_is_complete_and_does_not_wait() -> None:
    release = threading.Event()

    def fetch(symbol: str) -> pd.DataFrame:
        if symbol == "slow":
            release.wait(30)
        return frame(symbol)

    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(FetchInterrupted, match="1 of 2 symbols complete") as caught:
        fetch_each(["fast", "slow"], fetch)
    assert time.monotonic() - started < 5
    release.set()
    assert list(caught.value.partial.index.get_level_values("symbol")) == ["FAST"]


def test_calls_at_once_take_as_long_as_the_slowest_and_keep_their_order() -> None:
    def call(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    begun = time.monotonic()
    assert at_once(*(lambda s=s: call(s) for s in (0.3, 0.1, 0.2, 0.3, 0.3))) == [0.3, 0.1, 0.2, 0.3, 0.3]
    assert time.monotonic() - begun < 0.9


def test_a_failure_among_calls_is_raised_when_all_have_ended() -> None:
    ended = []

    def fail() -> None:
        raise UnavailableError("down")

    def last() -> None:
        time.sleep(0.1)
        ended.append(True)

    with pytest.raises(UnavailableError):
        at_once(fail, last)
    assert ended == [True]
