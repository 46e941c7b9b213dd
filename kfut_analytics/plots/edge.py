"""How far away liquidation is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..margin import Margin, percent
from ..times import TimeLike
from . import style
from .axis import legend_below, number_axis, percents
from .frames import as_of_of, checked, env_of, numbers, snapshot_time
from .rows import beside, height, most_rows, name_rows
from .text import counted, minus, price_text

# One may lie on another: the later ones are rings around the earlier.
_MARKS = {
    "distance": ("D", "full", 5, "This market alone"),
    "underlying_distance": ("s", "none", 9, "All on its underlying"),
    "market_distance": ("o", "none", 12, "The whole market"),
    "bankruptcy_distance": ("x", "full", 7, "Bankrupt, this market alone"),
}
_PRICES = {"distance": "liquidation_price", "underlying_distance": "underlying_liquidation_price",
           "market_distance": "market_liquidation_price"}  # fmt: skip
_REACH = 1.5  # of the price; what lies farther is told, not drawn


def liquidation(
    liquidation: Margin | pd.DataFrame,
    ax: Axes | None = None,
    *,
    most: int = 20,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """By how much prices may move before each position is liquidated, estimated, nearest first.

    The bar reaches to the nearest of three estimates: this market moves alone, everything on the same underlying
    moves, the whole market moves. The figure is the price of the contract there and the move.

    Parameters
    ----------
    liquidation
        What ``kfut.margin(client)`` returned, or the frame of its ``liquidation()``.
    ax
        Where to draw; a new figure by default.
    most
        Positions with a row, as far as there is room, those nearest to liquidation.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns.
    """
    frame = liquidation.liquidation() if isinstance(liquidation, Margin) else liquidation
    columns = ["symbol", "side", *_MARKS, *_PRICES.values()]
    frame = checked(frame, "liquidation", columns, "kfut.margin(client).liquidation()")
    nearest = frame[list(_PRICES)].abs().min(axis=1)
    order = nearest.sort_values(na_position="last", kind="stable").index
    shown = frame.loc[order[: most_rows(ax, most, [label for *_, label in _MARKS.values()])]]
    names = [f"{symbol} {side}" for symbol, side in shown["side"].items()]
    which = [None if row.isna().all() else str(row.abs().idxmin()) for _, row in shown[list(_PRICES)].iterrows()]
    texts = [
        "none" if name is None
        else f"{price_text(row[_PRICES[name]])} ({_move(row[name])})"
        for name, (_, row) in zip(which, shown.iterrows(), strict=True)
    ]  # fmt: skip
    sides = beside(names, texts)
    ax, colours = style.begin(
        ax, theme, (style.WIDE[0], height(len(shown), 2)), title="Distance to liquidation, estimated",
        env=env_of(env, frame), as_of=as_of_of(as_of, snapshot_time(frame)), beside=sides,
    )  # fmt: skip
    if shown.empty:
        return style.sentence(ax, colours, "No open positions: nothing can be liquidated.")
    reach = max(_REACH, 1.25 * float(nearest.min()))
    for row, name in enumerate(which):
        if name is not None:
            move = float(shown[name].iloc[row])
            end = float(np.clip(move, -reach, reach))
            ax.plot([0, end], [row, row], color=colours.loss, linewidth=4, alpha=style.STRONGEST, solid_capstyle="butt")
            if end != move:
                ax.plot(end, row, marker=">" if move > 0 else "<", color=colours.loss)
    for column, (marker, fill, size, label) in _MARKS.items():
        moves = numbers(shown[column])
        rows = np.flatnonzero(np.abs(moves) <= reach)
        if len(rows):
            ax.plot(
                moves[rows], rows, linestyle="none", marker=marker, fillstyle=fill, markersize=size,
                color=colours.text, label=label,
            )  # fmt: skip
    ax.axvline(0, color=colours.muted, linewidth=0.8)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, -0.05), max(high, 0.05))
    name_rows(ax, colours, names, texts)
    number_axis(ax.xaxis, percents())
    left_out = len(frame) - len(shown)
    notes = [f"{counted(left_out, 'position')} farther away"] if left_out else []
    legend_below(ax, colours, notes=notes, left=sides[0])
    return ax


def _move(fraction: float) -> str:
    return minus(f"{'+' if fraction > 0 else ''}{percent(fraction)}")
