"""Thinning of long series to what a screen can show."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]

COLUMNS = 1000
"""Pixel columns a chart is taken to have."""


def thin(x: Values, y: Values, columns: int = COLUMNS) -> tuple[Values, Values]:
    """Reduce a series to the first, smallest, largest and last value of each pixel column.

    What is drawn stays the same to the pixel: every column is filled between its extremes and left at its last value.

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
    position = (x - x[0]) / (x[-1] - x[0]) if x[-1] > x[0] else np.zeros(len(x))
    edges = np.searchsorted(position, np.arange(columns) / columns)
    first = np.unique(edges)
    last = np.append(first[1:], len(x)) - 1
    low, high = np.fmin.reduceat(y, first), np.fmax.reduceat(y, first)
    thin_x = np.stack([x[first], x[first], x[last], x[last]], axis=1).ravel()
    thin_y = np.stack([y[first], low, high, y[last]], axis=1).ravel()
    return thin_x, thin_y
