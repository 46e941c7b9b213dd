"""The token pools: never more than the budget, whoever asks when, and never longer waits than needed."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfut_analytics.rest import budget as budget_module
from kfut_analytics.rest.budget import LIMITS, Budget, TokenPool, shared_budget


@pytest.fixture(autouse=True)
def true_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pools are as large as the exchange's, which other tests do without."""
    monkeypatch.setattr(budget_module, "LIMITS", LIMITS)


class SharedClock:
    """A clock for many threads that only their sleeping moves; it gives way so that threads interleave."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()

    def clock(self) -> float:
        with self._lock:
            return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
        time.sleep(0)


def most_within(spent: list[tuple[float, int]], period: float) -> int:
    """The largest sum of tokens spent within any half-open stretch of a period."""
    return max(sum(n for t, n in spent if start <= t < start + period) for start, _ in spent)


costs = st.lists(st.sampled_from([1, 2, 10, 25, 200]), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(st.lists(costs, min_size=1, max_size=8))
def test_no_interleaving_of_threads_exceeds_the_budget(work: list[list[int]]) -> None:
    clock = SharedClock()
    pool = TokenPool("derivatives", 500, 10.0, clock=clock.clock, sleep=clock.sleep)
    spent: list[tuple[float, int]] = []

    def ask(calls: list[int]) -> None:
        for tokens in calls:
            spent.append((pool.spend(tokens), tokens))

    threads = [threading.Thread(target=ask, args=(calls,)) for calls in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(n for _, n in spent) == sum(map(sum, work))
    assert most_within(spent, 10.0) <= 500


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 500)), min_size=1, max_size=30))
def test_a_single_caller_waits_exactly_until_its_tokens_are_free(calls: list[tuple[float, int]]) -> None:
    """Against the definition: the earliest moment at which the last period has room."""
    clock = SharedClock()
    pool = TokenPool("derivatives", 500, 10.0, clock=clock.clock, sleep=clock.sleep)
    spent: list[tuple[float, int]] = []
    for pause, tokens in calls:
        clock.now += pause
        asked = clock.now
        candidates = [asked, *(t + 10.0 for t, _ in spent if t + 10.0 > asked)]
        expected = min(c for c in candidates if sum(n for t, n in spent if t + 10.0 > c) + tokens <= 500)
        when = pool.spend(tokens)
        assert when == pytest.approx(expected, abs=1e-5)
        spent.append((when, tokens))


def test_a_wait_is_told(caplog: pytest.LogCaptureFixture) -> None:
    clock, told = SharedClock(), []
    budget = Budget(clock=clock.clock, sleep=clock.sleep)
    with caplog.at_level("INFO", logger="kfut_analytics.rest"):
        for _ in range(2):
            budget.spend("history", 100, told.append)
    assert told[:2] == [f"waiting {s}.0 s for 100 tokens of the history pool" for s in (600, 599)]
    assert len(told) == 600
    assert caplog.text.count("waiting") == 1


def test_whoever_gives_up_waiting_spends_nothing() -> None:
    clock = SharedClock()
    pool = TokenPool("history", 100, 600.0, clock=clock.clock, sleep=clock.sleep)
    pool.spend(100)

    def give_up(text: str) -> None:
        if "590" in text:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        pool.spend(3, give_up)
    assert clock.now == 10
    clock.now = 600
    assert pool.available == 100
    assert pool.spend(100) == 600


def test_pools_are_separate_and_public_calls_are_free() -> None:
    clock = SharedClock()
    budget = Budget(clock=clock.clock, sleep=clock.sleep)
    budget.spend("derivatives", 500)
    budget.spend("history", 100)
    budget.spend("", 500)
    assert clock.now == 0
    assert [pool.available for pool in budget.pools.values()] == [0, 0]


def test_a_refusal_by_the_exchange_blocks_everybody() -> None:
    clock = SharedClock()
    budget = Budget(clock=clock.clock, sleep=clock.sleep)
    budget.block("derivatives", 7)
    assert budget.pools["derivatives"].available == 0
    budget.spend("derivatives", 1)
    assert clock.now == 7


def test_a_call_dearer_than_the_pool_waits_for_a_full_one() -> None:
    clock = SharedClock()
    pool = TokenPool("small", 100, 10.0, clock=clock.clock, sleep=clock.sleep)
    pool.spend(1)
    assert pool.spend(200) == 10


def test_one_budget_per_key() -> None:
    assert shared_budget("http://127.0.0.1:1", "a") is shared_budget("http://127.0.0.1:1", "a")
    assert shared_budget("http://127.0.0.1:1", "a") is not shared_budget("http://127.0.0.1:1", "b")
    assert LIMITS == {"derivatives": (500, 10.0), "history": (100, 600.0)}
