"""The permit to send: one reviewed order, once, for some seconds."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import pytest

from kfut_analytics.orders import Order
from kfut_analytics.widgets.session import REFUSALS, Permit

ORDER = Order("PF_XBTUSD", "buy", "0.01", limit_price="60000")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_is_granted_once() -> None:
    permit = Permit(ORDER, 15)
    assert [permit.use(ORDER) for _ in range(3)] == ["granted", "used", "used"]


def test_of_many_threads_one_is_granted() -> None:
    threads = 32
    for _ in range(20):
        permit, barrier, verdicts = Permit(ORDER, 15), threading.Barrier(threads), []

        def use(permit: Permit = permit, barrier: threading.Barrier = barrier, verdicts: list[str] = verdicts) -> None:
            barrier.wait()
            verdicts.append(permit.use(ORDER))

        workers = [threading.Thread(target=use) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert Counter(verdicts) == {"granted": 1, "used": threads - 1}


def test_is_stale_when_its_time_is_over() -> None:
    clock = Clock()
    in_time, late = Permit(ORDER, 15, clock), Permit(ORDER, 15, clock)
    clock.now += 14.9
    assert in_time.use(ORDER) == "granted"
    clock.now += 0.1
    assert late.use(ORDER) == "stale"
    clock.now -= 10
    assert late.use(ORDER) == "stale", "what has ended stays ended"


@pytest.mark.parametrize(
    "change",
    [{"size": "0.02"}, {"side": "sell"}, {"limit_price": "60001"}, {"symbol": "PF_ETHUSD"}, {"reduce_only": True}],
    ids=lambda change: next(iter(change)),
)
def test_is_good_for_the_reviewed_order_only(change: dict[str, str]) -> None:
    permit = Permit(ORDER, 15)
    assert permit.use(replace(ORDER, **change)) == "changed"  # type: ignore[arg-type]
    assert permit.use(ORDER) == "changed", "changing back does not revive it"


def test_is_refused_when_there_is_no_order() -> None:
    assert Permit(ORDER, 15).use(None) == "changed"


@pytest.mark.parametrize("why", ["changed", "superseded"])
def test_can_be_made_void_and_keeps_the_first_reason(why: str) -> None:
    permit = Permit(ORDER, 15)
    permit.void(why)  # type: ignore[arg-type]
    permit.void("changed")
    assert permit.use(ORDER) == why
    used = Permit(ORDER, 15)
    assert used.use(ORDER) == "granted"
    used.void("superseded")
    assert used.use(ORDER) == "used"


def test_every_refusal_says_something() -> None:
    assert set(REFUSALS) == {"used", "stale", "changed", "superseded"}
