"""Thinned data look like all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfut_analytics.plots.thin import thin, thin_band, thin_points

SERIES = st.lists(st.integers(0, 1000), min_size=1, max_size=300)


@given(SERIES, st.integers(1, 20), st.booleans())
def test_lines_keep_every_extreme_of_every_column(steps, columns, as_times):
    x = np.cumsum(steps).astype("datetime64[us]" if as_times else "float64")
    y = np.random.default_rng(len(steps)).normal(size=len(steps))
    thin_x, thin_y = thin(x, y, columns)
    assert len(thin_x) == len(thin_y) <= max(len(x), 4 * columns)
    assert (np.diff(thin_x) >= np.zeros(1, dtype=np.diff(thin_x).dtype)).all()
    assert set(thin_y) <= set(y)
    assert (thin_x[0], thin_x[-1], thin_y[0], thin_y[-1]) == (x[0], x[-1], y[0], y[-1])
    if len(x) > 4 * columns and x[-1] > x[0]:
        span = (x[-1] - x[0]).astype("float64")
        share, drawn_share = ((times - x[0]).astype("float64") / span for times in (x, thin_x))
        # Not those on the edge between two columns, which belong to either.
        column = np.where(np.abs(share * columns - np.round(share * columns)) < 1e-9, -1, (share * columns).astype(int))
        for index in np.unique(column[column >= 0]):
            inside = y[column == index]
            drawn = thin_y[(drawn_share * columns > index - 1e-9) & (drawn_share * columns < index + 1 + 1e-9)]
            assert drawn.min() <= inside.min()
            assert inside.max() <= drawn.max()


@given(SERIES, st.integers(1, 20))
def test_bands_lose_nothing_of_their_reach(steps, columns):
    x = np.cumsum(steps).astype("float64")
    low = np.random.default_rng(len(steps)).normal(size=len(steps))
    high = low + np.abs(low)
    thin_x, thin_low, thin_high = thin_band(x, low, high, columns)
    assert len(thin_x) == len(thin_low) == len(thin_high) <= max(len(x), 2 * columns)
    assert (thin_low <= thin_high).all()
    assert (thin_low.min(), thin_high.max()) == (low.min(), high.max())
    # At each time the band that is drawn contains the band that is there.
    for at, bottom, top in zip(x, low, high, strict=True):
        before, after = np.searchsorted(thin_x, at), np.searchsorted(thin_x, at, side="right")
        there = slice(before, after) if after > before else slice(before - 1, before + 1)
        assert thin_low[there].min() <= bottom
        assert top <= thin_high[there].max()


@given(st.integers(1, 400), st.integers(1, 30), st.integers(1, 30))
def test_points_leave_no_pixel_empty(count, columns, rows):
    rng = np.random.default_rng(count)
    x, y = rng.integers(0, 50, count), rng.normal(size=count)
    chosen = thin_points(x, y, columns, rows)
    assert (np.diff(chosen) > 0).all()
    if count > columns:
        assert len(chosen) <= columns * rows + 4

        def cells(places) -> set:
            across = (x - x.min()) / max(np.ptp(x), 1) * (columns - 1)
            up = (y - y.min()) / np.ptp(y) * (rows - 1)
            return set(zip(across[places].astype(int), up[places].astype(int), strict=True))

        assert cells(chosen) == cells(np.arange(count))
    assert (x[chosen].min(), x[chosen].max(), y[chosen].min(), y[chosen].max()) == (x.min(), x.max(), y.min(), y.max())


def test_missing_values_do_not_hide_others():
    x = np.arange(100.0)
    y = np.where(x % 2, np.nan, x)
    _, thin_y = thin(x, y, 5)
    assert (np.nanmin(thin_y), np.nanmax(thin_y)) == (0, 98)
    y[40:60] = np.nan
    thin_x, thin_y = thin(x, y, 5)
    assert np.isnan(thin_y[(thin_x >= 40) & (thin_x < 59)]).all()  # a gap as wide as a column stays a gap


@pytest.mark.parametrize("columns", [1, 1000])
def test_all_at_one_time(columns):
    x = np.full(5000, np.datetime64("2026-11-01", "us"))
    thin_x, thin_y = thin(x, np.arange(5000.0), columns)
    assert set(thin_x) == {x[0]}
    assert (thin_y.min(), thin_y.max()) == (0, 4999)
