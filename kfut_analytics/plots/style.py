"""The look of all charts: two themes, applied to one Axes at a time, never globally.

Series colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind people can tell
apart, without the ones too faint for the background. What is gained is blue and what is lost vermilion, and both are
also told by sign, side or shape. Fonts are left as the user has set them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.text import Text
from matplotlib.transforms import offset_copy
from numpy.typing import NDArray

from ..errors import ArgumentError
from .text import moment, width_of, wrapped

ThemeName = Literal["auto", "light", "dark"]

WIDE = (9.0, 4.2)
"""Inches of most charts: the width of a notebook's cell."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a chart; all of one theme are distinct.

    Attributes
    ----------
    background, text, muted, grid
        Of the page, of titles and values, of axis labels, of lines in the background.
    paper, live
        Of the environment's badge.
    series
        Of the things drawn, most important first.
    """

    background: str
    text: str
    muted: str
    grid: str
    paper: str
    live: str
    series: tuple[str, ...]

    @property
    def gain(self) -> str:
        """Of what was gained or bought."""
        return self.series[0]

    @property
    def loss(self) -> str:
        """Of what was lost or sold."""
        return self.series[3]


THEMES: dict[str, Theme] = {
    "light": Theme(
        background="#ffffff",
        text="#1b1f24",
        muted="#5c6670",
        grid="#e2e5e9",
        paper="#1f5f99",
        live="#b3261e",
        series=("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#8a8f98"),
    ),
    "dark": Theme(
        background="#14181d",
        text="#e8eaed",
        muted="#a3abb5",
        grid="#2c333b",
        paper="#8cc4f5",
        live="#ff8a80",
        series=("#5ab8f0", "#f0b429", "#1fbf93", "#f07a3a", "#f0e442", "#dc8fbb", "#9aa1ab"),
    ),
}

STRONGEST = 0.5
"""Opacity of a theme's colour at which text in the theme's own colour can still be read on it."""


def begin(
    ax: Axes | None,
    theme: ThemeName,
    size: tuple[float, float],
    *,
    title: str,
    env: str | None,
    as_of: pd.Timestamp | None,
    beside: tuple[float, float] = (0.0, 0.0),
) -> tuple[Axes, Theme]:
    """The Axes to draw on, with title, environment badge and as-of time, and the theme to draw in.

    Parameters
    ----------
    ax
        The Axes given; None makes a pyplot figure (which a notebook shows once) of this ``size`` in inches.
    theme
        ``"auto"`` follows the background of the figure. Any other paints the figure's background too, for its
        title and labels could not be read on another.
    beside
        Points that names on the left and figures on the right will take; title and badge stand above them.

    Raises
    ------
    ArgumentError
        If there is no such theme.
    """
    colours = _theme_named(theme, ax)
    if ax is None:
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        figure.set_facecolor(colours.background)
    elif theme != "auto":
        ax.get_figure(root=False).set_facecolor(colours.background)  # type: ignore[union-attr]
    ax.set_facecolor(colours.background if theme != "auto" else "none")
    _dress(ax, colours, title, env, as_of, beside)
    return ax, colours


def panels(theme: ThemeName, size: tuple[float, float], heights: Sequence[float]) -> NDArray[np.object_]:
    """Axes one above the other in a new pyplot figure, of these heights relative to each other."""
    figure, found = plt.subplots(len(heights), figsize=size, layout="constrained", height_ratios=heights)
    figure.set_facecolor(_theme_named(theme, None).background)
    return np.asarray(found, dtype=object)


def _theme_named(name: str, ax: Axes | None) -> Theme:
    if name != "auto" and name not in THEMES:
        raise ArgumentError(f"theme={name!r} is not a theme: use 'auto', {' or '.join(map(repr, THEMES))}")
    return THEMES[name if name != "auto" else "dark" if _is_dark(ax) else "light"]


def _is_dark(ax: Axes | None) -> bool:
    """Whether what the chart is drawn on is dark: the figure, or where that is transparent what figures usually are."""
    figure = ax.get_figure(root=True) if ax is not None else None
    for colour in (figure.get_facecolor() if figure is not None else "none", mpl.rcParams["figure.facecolor"]):
        *rgb, alpha = to_rgba(colour)
        if alpha > 0:
            return float(np.dot(rgb, (0.299, 0.587, 0.114))) < 0.5
    return False


def _dress(
    ax: Axes,
    theme: Theme,
    title: str,
    env: str | None,
    as_of: pd.Timestamp | None,
    beside: tuple[float, float],
) -> None:
    room = width_in_points(ax)
    left = ax.set_title("", loc="left", color=theme.text, fontweight="bold", parse_math=False)
    if env:
        colour = theme.live if env == "live" else theme.paper
        badge = {"boxstyle": "round,pad=0.3", "facecolor": "none", "edgecolor": colour}
        right = ax.set_title(env.upper(), loc="right", color=colour, fontsize="small", fontweight="bold", bbox=badge)
        _shift(ax, right, beside[1])
        room -= width_of(env.upper(), right.get_fontproperties()) + 16
    left.set_text(wrapped(title, left.get_fontproperties(), room))
    _shift(ax, left, -beside[0])
    if as_of is not None:
        ax.set_xlabel(f"as of {moment(as_of)}", loc="right", color=theme.muted, fontsize="small")
    for name, spine in ax.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(theme.muted)
    ax.grid(False)
    ax.minorticks_off()
    ax.tick_params(colors=theme.muted, labelsize="small")
    ax.set_axisbelow(True)
    ax.yaxis.label.set(color=theme.muted, fontsize="small")


def _shift(ax: Axes, text: Text, points: float) -> None:
    text.set_transform(offset_copy(text.get_transform(), ax.get_figure(root=True), x=points, units="points"))


HATCHES = ("", "", "////", "....", "xxxx", "\\\\", "++++")
"""Patterns of areas by rank, for those whose colours are not enough to tell them apart."""

DASHES = ("solid", "dashed", "dashdot", "dotted")


def line(theme: Theme, rank: int) -> dict[str, Any]:
    """Colour and dashes of the line of that rank: neighbours differ in both."""
    return {"color": theme.series[rank % len(theme.series)], "linestyle": DASHES[rank % len(DASHES)]}


def width_in_points(ax: Axes) -> float:
    """Width of the Axes, about; a layout engine will take what the usual margins leave free."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    gain = 1.0 if figure.get_layout_engine() is None else 1.1
    return float(gain * ax.bbox.width * 72 / figure.dpi)


def height_in_points(ax: Axes) -> float:
    """Height of the Axes, about; a layout engine will take from it what title, ticks and legend need."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    gain, around = (1.0, 0.0) if figure.get_layout_engine() is None else (1.3, 95.0)
    return float(max(gain * ax.bbox.height * 72 / figure.dpi - around, 1.0))


def sentence(ax: Axes, theme: Theme, text: str) -> Axes:
    """Say in the middle of the chart why there is nothing to draw."""
    ax.set_xticks([])
    ax.set_yticks([])
    said = ax.text(0.5, 0.5, "", transform=ax.transAxes, ha="center", va="center", color=theme.muted, parse_math=False)
    said.set_text(wrapped(text, said.get_fontproperties(), 0.9 * width_in_points(ax)))
    return ax
