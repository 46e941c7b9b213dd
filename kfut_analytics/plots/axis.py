"""Axes for people: amounts, fractions, prices and dates on the ticks, and the legend below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import Formatter, MaxNLocator
from matplotlib.transforms import offset_copy

from .style import Theme, height_in_points, width_in_points
from .text import SCALES, minus, width_of

LINE = 12.0
"""Points of a line of a legend."""

_LARGE = 1e6  # numbers below it are written in full


class Numbers(Formatter):
    """Tick labels of one axis: one unit for all, and as many decimals as tell them apart.

    Parameters
    ----------
    factor, suffix
        What values are multiplied by, and what follows them: ``100, " %"`` for fractions.
    """

    def __init__(self, factor: float = 1.0, suffix: str = "") -> None:
        self._factor = factor
        self._suffix = suffix

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label of a single value."""
        return self.format_ticks([x])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of all ticks."""
        numbers = np.asarray(values, dtype="float64") * self._factor
        largest = max(np.abs(numbers), default=0.0)
        unit, letter = next((scale for scale in SCALES if largest >= scale[0] >= _LARGE), (1.0, ""))
        numbers = numbers / unit
        decimals = _decimals(numbers)
        # The second rounding drops the sign of what is nothing.
        texts = [f"{round(number, decimals) + 0.0:,.{decimals}f}" for number in numbers]
        return [minus(text) + letter + self._suffix for text in texts]


def _decimals(numbers: np.ndarray[Any, np.dtype[Any]]) -> int:
    """The fewest decimals that write all these numbers, to a thousandth of their range."""
    span = np.ptp(numbers) if len(numbers) > 1 else np.abs(numbers).max(initial=0.0)
    if not span:
        span = np.abs(numbers).max(initial=0.0)
    if not span or not math.isfinite(span):
        return 0
    return next((d for d in range(15) if np.abs(np.round(numbers, d) - numbers).max() <= 1e-3 * span), 15)


def percents() -> Numbers:
    """Tick labels of fractions."""
    return Numbers(100, " %")


def number_axis(axis: Axis, formatter: Formatter | None = None, *, whole: bool = False) -> None:
    """Numbers as people write them, as many as there is room for, ``whole`` ones only where there are no others."""
    axis.set_major_formatter(formatter or Numbers())
    points = width_in_points(axis.axes) / 70 if isinstance(axis, XAxis) else height_in_points(axis.axes) / 30
    bins = int(np.clip(round(points), 3, 9))
    axis.set_major_locator(MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10], integer=whole))


def time_axis(ax: Axes) -> None:
    """Dates as people write them, UTC, as many as there is room for."""
    most = int(np.clip(width_in_points(ax) / 60, 3, 8))
    # The locator finds no interval for some spans where the least is too near the most.
    least = {8: 3, 7: 2, 6: 2}.get(most, 1)
    locator = AutoDateLocator(tz="UTC", minticks=least, maxticks=most)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    # The year would stand where the as-of time stands, which has it.
    formatter = ConciseDateFormatter(locator, tz="UTC", show_offset=False)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)


def legend_below(
    ax: Axes, theme: Theme, handles: Sequence[Artist] | None = None, *, notes: Sequence[str] = (), left: float = 0.0
) -> None:
    """A frameless legend under the axis, clear of the tick labels whatever the size of the chart.

    Parameters
    ----------
    handles
        Artists with labels; by default all that were drawn with one.
    notes
        What is to be said without a picture.
    left
        Points by which it begins left of the Axes, where names of rows stand.
    """
    drawn = ax.get_legend_handles_labels()[0] if handles is None else handles
    handles = [*drawn, *(Line2D([], [], linestyle="none", label=note) for note in notes)]
    labels = [str(handle.get_label()) for handle in handles]
    if not handles:
        return
    # Below the as-of time, and the tick labels where there are any.
    lines = (1.2 if len(ax.get_xticks()) else 0.2) + 1.2
    down = 12 + lines * float(mpl.rcParams["font.size"])
    below = offset_copy(ax.transAxes, fig=ax.get_figure(root=True), x=-left, y=-down, units="points")
    legend = ax.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, borderaxespad=0,
        frameon=False, fontsize="small", labelcolor=theme.text, ncols=_columns(ax, labels),
        handlelength=_HANDLE, handletextpad=_PAD, columnspacing=_SPACING,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


# Of a legend, in heights of its text.
_HANDLE, _PAD, _SPACING = 1.6, 0.6, 1.4


def fitting(ax: Axes, labels: Sequence[str], more: Sequence[str] = ()) -> int:
    """How many of these labels, at least one, leave half of the chart to what they are labels of.

    A rest of one is no saving: it fits.

    Parameters
    ----------
    more
        Labels that are there anyway.
    """
    room = height_in_points(ax) / 2 + LINE
    for count in range(len(labels), 1, -1):
        if legend_lines(ax, [*more, *labels[:count], *["and 99 others"][: len(labels) - count]]) * LINE <= room:
            return count if count < len(labels) - 1 else len(labels)
    return 1


def legend_lines(ax: Axes, labels: Sequence[str]) -> int:
    """How many lines `legend_below` would need."""
    return -(-len(labels) // _columns(ax, labels)) if labels else 0


def _columns(ax: Axes, labels: Sequence[str]) -> int:
    """How many columns of these labels have room side by side."""
    font = FontProperties(size="small")
    beside = (_HANDLE + _PAD + _SPACING) * font.get_size_in_points()
    widths = np.array([width_of(label, font) + beside for label in labels])
    for columns in range(len(labels), 1, -1):
        if sum(part.max() for part in np.array_split(widths, columns)) <= width_in_points(ax):
            return columns
    return 1
