"""What moves the account: exposure by underlying, kind of contract, or currency."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..margin import Margin
from ..pnl import amount
from ..times import TimeLike
from . import style
from .axis import legend_below
from .frames import as_of_of, checked, env_of, numbers, snapshot_time
from .rows import BAR, beside, height, most_rows, name_rows
from .text import minus

_COLUMNS = ["group", "long", "short", "gross", "net", "collateral", "net_with_collateral"]


def exposure(
    exposure: Margin | pd.DataFrame,
    ax: Axes | None = None,
    *,
    by: Literal["underlying", "kind", "currency"] = "underlying",
    most: int = 20,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Exposure in USD: long positions and coins held to the right of zero, short positions to the left.

    The diamond, and the figure, is what a move of the price by 100 % would be worth.

    Parameters
    ----------
    exposure
        What ``kfut.margin(client)`` returned, or the frame of its ``exposure(…)``.
    ax
        Where to draw; a new figure by default.
    by
        How to group, where ``exposure`` is no frame: ``"underlying"``, ``"kind"`` or ``"currency"``.
    most
        Groups with a row of their own, as far as there is room, the largest; the others share one.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns, or there is no such grouping.
    """
    whole = exposure.exposure(by) if isinstance(exposure, Margin) else exposure
    whole = checked(whole, "exposure", _COLUMNS, "kfut.margin(client).exposure()")
    frame = whole[(whole["gross"] != 0) | (whole["collateral"] != 0)]
    size = frame["gross"] + frame["collateral"].abs()
    frame = frame.loc[size.sort_values(ascending=False, kind="stable").index, _COLUMNS[1:]]
    room = most_rows(ax, most, ["Net, with coins", "Long", "Short", "Coins"])
    if len(frame) > room + 1:
        rest = frame.iloc[room:]
        frame = pd.concat([frame.iloc[:room], rest.sum().to_frame(f"{len(rest)} others").T])
    names = [str(name) for name in frame.index]
    texts = [minus(amount(value, "USD", sign=True)) for value in frame["net_with_collateral"]]
    sides = beside(names, texts)
    ax, colours = style.begin(
        ax, theme, (style.WIDE[0], height(len(frame))), title="Exposure, USD", env=env_of(env, whole),
        as_of=as_of_of(as_of, snapshot_time(whole)), beside=sides,
    )  # fmt: skip
    if frame.empty:
        return style.sentence(ax, colours, "No open positions and no coins: nothing moves with the market.")
    end = {True: np.zeros(len(frame)), False: np.zeros(len(frame))}
    for values, label, colour, hatch in (
        (numbers(frame["long"]), "Long", colours.gain, ""),
        (-numbers(frame["short"]), "Short", colours.loss, "////"),
        (numbers(frame["collateral"]), "Coins", colours.series[6], "...."),
    ):
        begin = np.where(values > 0, end[True], end[False])
        ax.barh(
            range(len(frame)), values, left=begin, height=BAR, color=colour, hatch=hatch, label=label,
            edgecolor=colours.background, linewidth=0.5,
        )  # fmt: skip
        for upward, reached in end.items():
            reached += np.where((values > 0) == upward, values, 0.0)
    ax.axvline(0, color=colours.muted, linewidth=0.8)
    ax.plot(
        numbers(frame["net_with_collateral"]), range(len(frame)), linestyle="none", marker="D", markersize=5,
        color=colours.text, markeredgecolor=colours.background, label="Net, with coins",
    )  # fmt: skip
    ax.use_sticky_edges = False
    ax.margins(x=0.03)
    name_rows(ax, colours, names, texts)
    legend_below(ax, colours, left=sides[0])
    return ax
