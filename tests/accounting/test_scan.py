"""Recurrences and whole steps against a plain loop and against the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfut_analytics.accounting.scan import affine_scan, average_entry, steps_per_unit, unit_price
from kfut_analytics.contracts import apply_fill


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 1000, 70_000])
def test_affine_scan_is_the_loop(length):
    chance = np.random.default_rng(length)
    factor = np.where(chance.random(length) < 0.1, 0.0, chance.random(length))
    added = chance.normal(size=length)
    expected, value = np.empty(length), 0.0
    for place in range(length):
        value = factor[place] * value + added[place]
        expected[place] = value
    np.testing.assert_allclose(affine_scan(factor, added), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5).filter(bool), st.integers(1, 9)), min_size=1, max_size=40), st.booleans())
def test_average_entry_is_that_of_fills_one_by_one(fills, inverse):
    before, after, prices, expected = [], [], [], []
    size, entry = 0.0, 0.0
    for change, price in fills:
        turns = size * change < 0 and abs(change) > abs(size)
        parts = [-size, size + change] if turns else [change]
        for part in parts:
            fill = apply_fill(size, entry, part, price, inverse=inverse)
            before.append(size)
            after.append(fill.size)
            prices.append(price)
            expected.append(fill.entry_price if fill.size else np.nan)
            size, entry = fill.size, fill.entry_price
    columns = (np.array(values, dtype=float) for values in (before, after, prices))
    unknown, kinds = np.full(len(after), np.nan), np.full(len(after), inverse)
    np.testing.assert_allclose(average_entry(*columns, unknown, kinds), expected, rtol=1e-12)


def test_inverse_entries_are_averaged_harmonically_as_the_exchange_recorded_it():
    """A published entry of the log: one contract at 413.3 and one more at 342.1 (api-facts 6.3)."""
    entry = average_entry(
        np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.array([413.3, 342.1]), np.full(2, np.nan), np.full(2, True)
    )
    assert entry[1] == pytest.approx(374.3445326979084, rel=1e-15)


def test_linear_entries_are_averaged_arithmetically_as_the_exchange_recorded_it():
    entry = average_entry(
        np.array([0.0, -0.0214]), np.array([-0.0214, -0.0216]), np.array([60505.0, 60504.0]), np.full(2, np.nan),
        np.full(2, False),
    )  # fmt: skip
    assert entry[1] == pytest.approx(60504.990741, abs=5e-7)


def test_unit_price_undoes_itself():
    price, inverse = np.array([2.0, 4.0]), np.array([False, True])
    np.testing.assert_array_equal(unit_price(price, inverse), [2.0, -0.25])
    np.testing.assert_array_equal(unit_price(unit_price(price, inverse), inverse), price)


def test_steps_are_the_coarsest_in_which_all_sizes_are_whole():
    sizes = np.array([0.0001, 12.5, 3e9, 7.0, 1_000_000.1])
    owner = np.array([0, 0, 1, 1, 2])
    np.testing.assert_array_equal(steps_per_unit(sizes, owner, 4), [10_000, 1, 10, 1])


def test_sizes_of_no_step_are_taken_as_finely_as_fits():
    sizes = np.array([1 / 3, 1e10])
    scale = steps_per_unit(sizes, np.array([0, 0]), 1).item()
    assert (sizes * scale).sum() < 2**62 < (sizes * scale * 10).sum()
