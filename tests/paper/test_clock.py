"""Time: the machine's, or faster; and a server that keeps up with it."""

import time

import pytest

from kfut_analytics.errors import ArgumentError
from kfut_analytics.paper.clock import DAY, HOUR, ManualClock, WallClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.server import PaperServer, tick_seconds
from kfut_analytics.paper.wire.auth import ApiKey

from .conftest import NOW


def test_the_clock_shows_the_machines_time():
    clock = WallClock()
    assert clock.is_real
    assert clock.now() == pytest.approx(time.time(), abs=0.1)


@pytest.mark.parametrize("start", [NOW, None])
def test_a_fast_clock_begins_where_it_is_told_and_runs_at_its_speed(start):
    clock, before = WallClock(speed=1000, start=start), time.monotonic()
    assert not clock.is_real
    begun = clock.now()
    assert begun == pytest.approx(NOW if start else time.time(), abs=100)
    time.sleep(0.05)
    passed = clock.now() - begun
    assert 50 <= passed <= 1000 * (time.monotonic() - before)


def test_a_clock_with_a_start_of_its_own_is_not_the_machines():
    clock = WallClock(start=NOW)
    assert not clock.is_real
    assert clock.now() == pytest.approx(NOW, abs=0.1)


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), DAY + 1, True, "60", None])
def test_a_speed_that_makes_no_sense_is_refused(speed):
    with pytest.raises(ArgumentError, match=r"speed=.*paper seconds per real second"):
        WallClock(speed)


def test_a_start_that_is_no_time_is_refused():
    with pytest.raises(ArgumentError, match="start=nan"):
        WallClock(start=float("nan"))


@pytest.mark.parametrize(
    ("speed", "seconds"), [(0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (4.0, 0.25), (60.0, 0.05), (DAY, 0.05)]
)
def test_ticks_are_one_second_of_the_exchange_apart_within_bounds(speed, seconds):
    assert tick_seconds(speed) == seconds


def test_a_server_follows_a_fast_clock_without_being_asked():
    exchange = open_empty(0, WallClock(speed=HOUR, start=NOW))
    with PaperServer(exchange, ApiKey("empty")):
        end = time.monotonic() + 5
        while exchange.now < NOW + 600 and time.monotonic() < end:
            time.sleep(0.01)
    assert exchange.now >= NOW + 600


def test_a_manual_clock_stands_still():
    assert ManualClock(NOW).speed == 0
