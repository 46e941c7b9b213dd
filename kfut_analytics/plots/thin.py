"""Thinning of long series to what a screen can show."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
Ints = NDArray[np.intp]

COLUMNS = 1000
"""Pixel columns a chart is taken to have."""
_MARKS = (250, 100)
"""How many markers find room beside and above each other: they are several pixels wide."""


def thin(x: Values, y: Values, columns: int = COLUMNS) -> tuple[Values, Values]:
    """Reduce a series to the first, smallest, largest and last value of each pixel column.

    What is drawn stays the same to the pixel: every column is filled between its extremes and left at its last value.
    Lines, steps and areas may be drawn from it.

    Parameters
    ----------
    x
        Ascending numbers or times.
    y
        Values, as many.
    columns
        Number of pixel columns.

    Returns
    -------
    x, y
        Four points per column that is not empty, or the series itself where that is shorter.
    """
    if len(x) <= 4 * columns:
        return x, y
    first, last = _columns(x, columns)
    low, high = np.fmin.reduceat(y, first), np.fmax.reduceat(y, first)
    thin_x = np.stack([x[first], x[first], x[last], x[last]], axis=1).ravel()
    thin_y = np.stack([y[first], low, high, y[last]], axis=1).ravel()
    return thin_x, thin_y


def thin_band(x: Values, low: Values, high: Values, columns: int = COLUMNS) -> tuple[Values, Values, Values]:
    """Reduce a band to the smallest of its lower and the largest of its upper edge in each pixel column.

    Parameters
    ----------
    x
        Ascending numbers or times.
    low, high
        Edges, as many.
    columns
        Number of pixel columns.

    Returns
    -------
    x, low, high
        Two points per column that is not empty, or the band itself where that is shorter.
    """
    if len(x) <= 2 * columns:
        return x, low, high
    first, last = _columns(x, columns)
    ends = np.stack([x[first], x[last]], axis=1).ravel()
    return ends, np.fmin.reduceat(low, first).repeat(2), np.fmax.reduceat(high, first).repeat(2)


def thin_points(x: Values, y: Values, columns: int = _MARKS[0], rows: int = _MARKS[1]) -> Ints:
    """Which points to mark so that no cell of a grid that has one is left empty: the first in each.

    Parameters
    ----------
    x, y
        Where the points are, in any order.
    columns, rows
        Number of cells.

    Returns
    -------
    array
        Ascending positions; the smallest and largest ``x`` and ``y`` are among them.
    """
    if len(x) <= columns:
        return np.arange(len(x))
    cells = _cell(x, columns) * rows + _cell(y, rows)
    extremes = [np.nanargmin(y), np.nanargmax(y), np.argmin(x), np.argmax(x)]
    return np.union1d(np.unique(cells, return_index=True)[1], extremes)


def _columns(x: Values, columns: int) -> tuple[Ints, Ints]:
    """Positions of the first and last point of each column that is not empty."""
    if x[-1] > x[0]:
        # Times are numbers here: a duration times a fraction would lose its fraction.
        numbers = x.view(np.int64) if x.dtype.kind == "M" else x
        first = np.unique(
            np.searchsorted(numbers, numbers[0] + np.arange(columns) / columns * np.ptp(numbers[[0, -1]]))
        )
    else:
        first = np.array([0])
    return first, np.append(first[1:], len(x)) - 1


def _cell(values: Values, cells: int) -> Ints:
    """The row or column in which each value lies; missing ones in the first."""
    low, high = np.nanmin(values), np.nanmax(values)
    if not high > low:
        return np.zeros(len(values), dtype=np.intp)
    share = (values - low) / (high - low)
    inside: Ints = np.nan_to_num(share * (cells - 1)).astype(np.intp)
    return inside
