"""Charts with one row per thing: its name on the left, a bar, its figure on the right."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties

from . import style
from .axis import LINE, legend_lines, number_axis
from .text import width_of

BAR = 0.62
"""Thickness of a bar, in rows."""
_ROW = 12.0  # points of the lowest row whose text does not touch its neighbours'
_GAP = 6.0
_NARROW = 330.0  # points of width at which titles take two lines


def height(rows: int, legend_lines: int = 1) -> float:
    """Inches that give the rows of all charts the same height."""
    return 0.95 + 0.27 * max(rows, 3) + 0.17 * legend_lines


def most_rows(ax: Axes | None, most: int, labels: Sequence[str] = ()) -> int:
    """How many rows there is room for above a legend of these labels, ``most`` at most, which a new figure has."""
    if ax is None:
        return most
    more_lines = max(legend_lines(ax, labels) - 1, 0) + (style.width_in_points(ax) < _NARROW)  # the title's second
    return int(np.clip((style.height_in_points(ax) - LINE * more_lines) / _ROW, 1, most))


def beside(names: Sequence[str], figures: Sequence[str], bold: Collection[int] = ()) -> tuple[float, float]:
    """Points that names and figures take to the left and right of the Axes."""
    fonts = [FontProperties(size="small", weight=weight) for weight in ("normal", "bold")]
    left, right = (
        max((width_of(text, fonts[row in bold]) for row, text in enumerate(texts)), default=0.0)
        for texts in (names, figures)
    )
    return left + _GAP / 2, right + _GAP if right else 0.0


def name_rows(
    ax: Axes,
    colours: style.Theme,
    names: Sequence[str],
    figures: Sequence[str],
    bold: Collection[int] = (),
    *,
    header: str = "",
) -> None:
    """Names and figures beside the rows, the first row on top; those of ``bold`` stand out.

    Parameters
    ----------
    header
        What the figures are, to stand above them.
    """
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -1.2 if header else -0.6)
    ax.tick_params(axis="y", length=0, labelcolor=colours.text)
    for row, label in enumerate(ax.get_yticklabels()):
        label.set(parse_math=False, fontweight="bold" if row in bold else "normal")
    _, right = beside(names, figures, bold)
    for row, figure in enumerate(figures):
        ax.annotate(
            figure, (1, row), (right, 0), xycoords=ax.get_yaxis_transform(), textcoords="offset points", ha="right",
            va="center", color=colours.text, fontsize="small", fontweight="bold" if row in bold else "normal",
        )  # fmt: skip
    if header:
        ax.annotate(
            header, (1, -0.95), (right, 0), xycoords=ax.get_yaxis_transform(), textcoords="offset points", ha="right",
            va="center", color=colours.muted, fontsize="small",
        )  # fmt: skip
    ax.grid(axis="x", color=colours.grid)
    number_axis(ax.xaxis)


def largest(amounts: pd.Series[float], most: int) -> tuple[pd.Index[str], pd.Index[str]]:
    """The names of the ``most`` largest amounts, whatever their sign, in their order, and of the rest.

    A rest of one is no saving: it is among the first.
    """
    if len(amounts) <= most + 1:
        return amounts.index, amounts.index[:0]
    chosen = amounts.index.isin(amounts.abs().nlargest(most).index)
    return amounts.index[chosen], amounts.index[~chosen]
