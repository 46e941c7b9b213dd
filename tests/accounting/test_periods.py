"""Days, weeks and months in any time zone, made of steps that know nothing of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kfut_analytics.accounting.periods import Periods
from kfut_analytics.errors import ArgumentError


def grid(start: str, end: str, step: str) -> np.ndarray:
    return pd.date_range(start, end, freq=step, unit="us").to_numpy()


def shown(periods: Periods) -> list[str]:
    return [f"{start:%Y-%m-%d %H:%M}" for start in periods.start]


def test_days_in_utc() -> None:
    days = Periods.of(grid("2026-03-01 06:00", "2026-03-04 12:00", "6h"), "1d", "UTC")
    assert shown(days) == ["2026-03-01 00:00", "2026-03-02 00:00", "2026-03-03 00:00", "2026-03-04 00:00"]
    assert days.first.tolist() == [0, 3, 7, 11]
    assert days.last.tolist() == [3, 7, 11, 13]
    assert days.complete.tolist() == [False, True, True, False]


def test_a_step_belongs_to_the_day_in_which_it_ends_at_midnight_at_the_latest() -> None:
    days = Periods.of(grid("2026-03-01", "2026-03-03", "12h"), "1d", "UTC")
    assert days.sums(np.array([100.0, 1, 2, 3, 4])).tolist() == [3, 7]
    assert days.lowest(np.array([-9.0, 5, 6, 8, 7])).tolist() == [5, 7]
    assert days.complete.all()


def test_a_day_with_another_number_of_hours() -> None:
    """In Berlin the clock goes forward on 29 March 2026 and back on 25 October."""
    spring = Periods.of(grid("2026-03-27 23:00", "2026-03-30 22:00", "1h"), "1d", "Europe/Berlin")
    assert np.diff(np.append(spring.first, spring.last[-1])).tolist() == [24, 23, 24]
    autumn = Periods.of(grid("2026-10-23 22:00", "2026-10-26 23:00", "1h"), "1d", "Europe/Berlin")
    assert np.diff(np.append(autumn.first, autumn.last[-1])).tolist() == [24, 25, 24]
    assert spring.complete.all()
    assert autumn.complete.all()


def test_a_day_that_begins_at_one() -> None:
    """In Beirut the clock goes forward at midnight."""
    days = Periods.of(grid("2026-03-27 22:00", "2026-03-29 21:00", "1h"), "1d", "Asia/Beirut")
    assert shown(days) == ["2026-03-28 00:00", "2026-03-29 01:00"]
    assert np.diff(np.append(days.first, days.last[-1])).tolist() == [24, 23]
    assert days.complete.all()


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    times = grid("2026-02-25", "2026-04-03", "1D")
    weeks = Periods.of(times, "1w", "UTC")
    assert all(start.day_of_week == 0 for start in weeks.start)
    assert weeks.complete.tolist() == [False, True, True, True, True, False]
    months = Periods.of(times, "1mo", "UTC")
    assert shown(months) == ["2026-02-01 00:00", "2026-03-01 00:00", "2026-04-01 00:00"]
    assert months.complete.tolist() == [False, True, False]


def test_hours() -> None:
    hours = Periods.of(grid("2026-03-01", "2026-03-01 02:30", "30min"), "1h", "Asia/Kolkata")
    assert hours.first.tolist() == [0, 2, 4]
    assert hours.complete.tolist() == [True, True, False]
    assert str(hours.start.tz) == "Asia/Kolkata"


def test_returns_compound_and_missing_ones_are_left_out() -> None:
    days = Periods.of(grid("2026-03-01", "2026-03-04", "12h"), "1d", "UTC")
    found = days.compounded(np.array([np.nan, 0.1, 0.1, np.nan, np.nan, np.nan, -0.5]))
    assert found.tolist() == pytest.approx([0.21, np.nan, -0.5], nan_ok=True)


def test_a_period_that_begins_within_a_step_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"not valued at 2026-03-02 00:00 of Asia/Kolkata.*finer resolution"):
        Periods.of(grid("2026-03-01", "2026-03-04", "1h"), "1d", "Asia/Kolkata")
    with pytest.raises(ArgumentError, match=r"period of 1h begins: ask for equity at a finer resolution"):
        Periods.of(grid("2026-03-01", "2026-03-04", "4h"), "1h", "UTC")


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", None, 5])
def test_no_time_zone(tz: str) -> None:
    with pytest.raises(ArgumentError, match="is not a time zone"):
        Periods.of(grid("2026-03-01", "2026-03-04", "1h"), "1d", tz)
