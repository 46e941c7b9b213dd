"""Numbers, dates and labels as people read them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.font_manager import FontProperties

from kfut_analytics.plots.axis import Numbers, percents, time_axis
from kfut_analytics.plots.text import compact, moment, percent_text, plain_number, price_text, spread, width_of, wrapped
from tests.plots.drawn import panel

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (plain_number, -12500.0, f"{MINUS}12,500"), (plain_number, 2e-5, "0.00002"), (plain_number, -0.0, "0"),
        (price_text, 91274.091169, "91,274.09"), (price_text, 2.288311, "2.28831"), (price_text, 3000.0, "3,000"),
        (price_text, 1.23456789e-5, "0.0000123457"), (price_text, 0.0, "0"), (price_text, float("nan"), "n/a"),
        (compact, -12345.6, f"{MINUS}12.3k"), (compact, 999.6, "1k"), (compact, 1.5e9, "1.5bn"),
        (compact, 0.01234, "0.0123"), (compact, 0.0, "0"), (compact, float("inf"), "n/a"),
        (compact, 999_999_999.0, "1bn"),
        (percent_text, 0.1234, "12.3 %"), (percent_text, -1.2345e-5, f"{MINUS}0.0012 %"),
        (percent_text, 12.0, "1,200 %"), (percent_text, 1e-9, "0.0000 %"), (percent_text, 0.0, "0 %"),
        (percent_text, float("nan"), "n/a"),
    ],
)  # fmt: skip
def test_numbers(write, value, text):
    assert write(value) == text


def test_signs():
    assert [compact(v, sign=True) for v in (5.0, -5.0, 0.0)] == ["+5", f"{MINUS}5", "0"]
    assert [percent_text(v, sign=True) for v in (0.05, -0.05, 0.0)] == ["+5.00 %", f"{MINUS}5.00 %", "0 %"]


def test_times_are_told_in_utc():
    assert moment(pd.Timestamp("2026-11-01T09:30:59", tz="Asia/Tokyo")) == "2026-11-01 00:30 UTC"


@pytest.mark.parametrize(
    ("formatter", "values", "texts"),
    [
        (Numbers(), [-0.25, 0.0, 0.25, 0.5], [f"{MINUS}0.25", "0.00", "0.25", "0.50"]),
        (Numbers(), [0.0, 50_000.0, 100_000.0], ["0", "50,000", "100,000"]),
        (Numbers(), [0.0, 0.5e6, 1e6], ["0.0M", "0.5M", "1.0M"]),
        (Numbers(), [91_284.0, 91_284.5, 91_285.0], ["91,284.0", "91,284.5", "91,285.0"]),
        (Numbers(), [-2e-8, -1e-23, 1e-8], [f"{MINUS}0.00000002", "0.00000000", "0.00000001"]),
        (Numbers(), [3e13], ["30tn"]),
        (Numbers(), [], []),
        (percents(), [-0.1, 0.0, 0.1], [f"{MINUS}10 %", "0 %", "10 %"]),
        (percents(), [0.0, 2.5e-5], ["0.0000 %", "0.0025 %"]),
    ],
)  # fmt: skip
def test_ticks(formatter, values, texts):
    assert formatter.format_ticks(values) == texts


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e12, 1e12), st.floats(1e-10, 1e10), st.integers(2, 9))
def test_ticks_can_be_told_apart(low, step, count):
    """Ticks as locators place them: whole multiples of a step of one or two digits."""
    step = float(f"{step:.1g}")
    ticks = (np.floor(low / step) % 1000 + np.arange(count)) * step
    assert len(set(Numbers().format_ticks(list(ticks)))) == count


@pytest.mark.parametrize("width", [1.5, 3.0, 9.0])
@pytest.mark.parametrize(
    "span",
    ["5s", "90s", "20min", "3h", "30h", "3D", "12D", "40D", "100D", "400D", "2000D", "9000D"],
)
def test_every_span_of_time_has_ticks_that_fit(span, width):
    ax = panel(width, 3)
    start = pd.Timestamp("2026-11-01T13:07:00")
    ax.plot([start.to_numpy(), (start + pd.Timedelta(span)).to_numpy()], [0, 1])
    time_axis(ax)
    low, high = ax.get_xlim()
    inside = [tick for tick in ax.get_xticks() if low <= tick <= high]
    assert 1 <= len(inside) <= 9


def test_words_are_wrapped_to_the_room():
    font = FontProperties(size=10)
    text = "Cumulative P&L of everything there is"
    lines = wrapped(text, font, 80).split("\n")
    assert " ".join(lines) == text
    assert len(lines) > 1
    assert all(width_of(line, font) <= 80 for line in lines)
    assert wrapped("Unbreakable_symbol", font, 5) == "Unbreakable_symbol"


@given(st.lists(st.floats(-1e6, 1e6), max_size=12), st.floats(0.1, 100))
def test_labels_keep_their_distance_and_order(values, gap):
    places = spread(sorted(values), gap)
    assert len(places) == len(values)
    assert all(later - earlier >= gap * (1 - 1e-6) - 1e-6 for earlier, later in pairwise(places))
    if len(values) > 0:
        assert np.mean(places) == pytest.approx(np.mean(values), abs=1e-6 * (1 + abs(np.mean(values))))


def test_labels_with_room_stay_where_they_are():
    assert spread([1.0, 3.0, 9.0], 2.0) == [1.0, 3.0, 9.0]
    assert spread([1.0, 1.2, 5.0], 1.0) == pytest.approx([0.6, 1.6, 5.0])
