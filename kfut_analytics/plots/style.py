"""The look of all charts: two themes, applied to one Axes at a time, never globally.

Series colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind people can tell
apart, without the ones too faint for the background. Fonts are left as the user has set them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import offset_copy

from ..errors import ArgumentError

ThemeName = Literal["light", "dark"]


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


def theme_named(name: str) -> Theme:
    """The theme of that name.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if name not in THEMES:
        raise ArgumentError(f"theme={name!r} is not a theme: use {' or '.join(map(repr, THEMES))}")
    return THEMES[name]


def axes(ax: Axes | None, theme: Theme, size: tuple[float, float]) -> Axes:
    """The Axes to draw on: the one given, or that of a new pyplot figure (which a notebook shows once)."""
    if ax is None:
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        figure.set_facecolor(theme.background)
    return ax


def dress(ax: Axes, theme: Theme, *, title: str, env: str | None, as_of: pd.Timestamp | None) -> None:
    """Title, environment badge, as-of time and colours; call it after drawing."""
    ax.set_facecolor(theme.background)
    ax.set_title(title, loc="left", color=theme.text, fontweight="bold", parse_math=False)
    if env:
        colour = theme.live if env == "live" else theme.paper
        badge = {"boxstyle": "round,pad=0.3", "facecolor": "none", "edgecolor": colour}
        ax.set_title(env.upper(), loc="right", color=colour, fontsize="small", fontweight="bold", bbox=badge)
    if as_of is not None:
        text = f"as of {as_of:%Y-%m-%d %H:%M} UTC"
        ax.set_xlabel(text, loc="right", color=theme.muted, fontsize="small")
    for name, spine in ax.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(theme.muted)
    ax.tick_params(colors=theme.muted, labelsize="small")
    ax.set_axisbelow(True)
    ax.yaxis.label.set_color(theme.muted)


def legend_below(ax: Axes, theme: Theme, *, columns: int) -> None:
    """A frameless legend under the axis, clear of the tick labels whatever the height of the chart."""
    below = offset_copy(ax.transAxes, fig=ax.get_figure(root=True), y=-36, units="points")
    drawn = ax.legend(
        loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, ncols=columns, borderaxespad=0,
        frameon=False, fontsize="small", labelcolor=theme.text,
    )  # fmt: skip
    for text in drawn.get_texts():
        text.set_parse_math(False)


def time_axis(ax: Axes) -> None:
    """Dates as people write them, UTC."""
    locator = AutoDateLocator(tz="UTC", minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    # The year would stand where the as-of time stands, which has it.
    formatter = ConciseDateFormatter(locator, tz="UTC", show_offset=False)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)


def minus(text: str) -> str:
    """A number's text with a true minus sign, as the axes have it."""
    return text.replace("-", "\N{MINUS SIGN}")


def plain_number(value: float, position: int | None = None) -> str:
    """A tick label: thousands separated, no exponent, no trailing zeros.

    >>> plain_number(-12500.0), plain_number(0.00002)
    ('−12,500', '0.00002')
    """
    text = f"{value:,.10f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else minus(text)


NUMBERS = FuncFormatter(plain_number)


def sentence(ax: Axes, theme: Theme, text: str) -> None:
    """Say in the middle of the chart why there is nothing to draw."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(
        0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=theme.muted, wrap=True,
        parse_math=False,
    )  # fmt: skip
