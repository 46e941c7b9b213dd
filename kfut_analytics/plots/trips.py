"""Round trips: each position from opened to flat, and how their results are distributed."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from ..pnl import PnL, amount
from ..times import TimeLike
from . import style
from .accounting import chosen_currency, left_out
from .axis import legend_below, number_axis, time_axis
from .frames import as_of_of, checked, env_of, last_time, numbers, utc
from .text import minus
from .thin import thin_points

_MOST_BINS = 60


def round_trips(
    round_trips: PnL | pd.DataFrame,
    ax: Axes | None = None,
    *,
    currency: str | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Round trips in time: each reaches from opened to closed, at the height of its net P&L.

    Triangles point up for long and down for short positions; those still open are hollow and reach to the as-of time,
    at what they have realised so far. Thin strokes reach from MAE to MFE where the frame has them.

    Parameters
    ----------
    round_trips
        What ``kfut.pnl(log)`` returned, or the frame of its ``round_trips(…)``.
    ax
        Where to draw; a new figure by default.
    currency
        The currency to draw; USD where it occurs, else the first. Currencies are never added up.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns or has no trip in that currency.
    """
    trips, env, read = _read(round_trips, env, as_of)
    currency, others = chosen_currency(trips, currency)
    trips = trips[(trips["currency"] == currency)]
    ax, colours = style.begin(ax, theme, style.WIDE, title=f"Round trips, net P&L, {currency}", env=env, as_of=read)
    if trips.empty:
        return style.sentence(ax, colours, "No position was opened or closed in this period.")
    times = [read, last_time(trips["opened"].dropna()), last_time(trips["closed"].dropna())]
    end = max(time for time in times if time is not None)
    begin = trips[["opened", "closed"]].min().min()
    trips = trips.assign(opened=trips["opened"].fillna(begin), until=trips["closed"].fillna(end))
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    _spans(ax, colours, trips)
    handles = _ends(ax, colours, trips)
    ax.margins(x=0.02, y=0.08)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis)
    time_axis(ax)
    legend_below(ax, colours, handles, notes=left_out(others))
    return ax


def pnl_distribution(
    round_trips: PnL | pd.DataFrame,
    ax: Axes | None = None,
    *,
    currency: str | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """How often a round trip made or lost how much, net; those still open are left out.

    Parameters
    ----------
    round_trips
        What ``kfut.pnl(log)`` returned, or the frame of its ``round_trips(…)``.
    ax
        Where to draw; a new figure by default.
    currency
        The currency to draw; USD where it occurs, else the first. Currencies are never added up.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns or has no trip in that currency.
    """
    trips, env, read = _read(round_trips, env, as_of)
    currency, others = chosen_currency(trips, currency)
    ended = trips[(trips["currency"] == currency) & trips["closed"].notna()]
    net = numbers(ended["net"].dropna())
    ax, colours = style.begin(ax, theme, style.WIDE, title=f"Round trips by net P&L, {currency}", env=env, as_of=read)
    if len(net) < 2:
        return style.sentence(ax, colours, _too_little(net, currency))
    edges = _edges(net)
    for colour, hatch, word, side in (
        (colours.gain, None, "won", net[net >= 0]),
        (colours.loss, "////", "lost", net[net < 0]),
    ):
        counts, _ = np.histogram(side, edges)
        label = f"{len(side):,} {word}"
        if len(side):
            label += f", mean {_money(float(side.mean()), currency)}"
        ax.bar(
            edges[:-1], counts, np.diff(edges), align="edge", color=colour, hatch=hatch, edgecolor=colours.background,
            linewidth=0.8, label=label,
        )  # fmt: skip
    ax.axvline(0, color=colours.muted, linewidth=0.8)
    for value, word, dashes in ((net.mean(), "Mean", "dashed"), (np.median(net), "Median", "dotted")):
        label = f"{word} {_money(float(value), currency)}"
        ax.axvline(value, color=colours.text, linestyle=dashes, linewidth=1.4, label=label)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.xaxis)
    number_axis(ax.yaxis, whole=True)
    legend_below(ax, colours, notes=left_out(others))
    return ax


def _read(
    trips: PnL | pd.DataFrame, env: str | None, as_of: TimeLike | None
) -> tuple[pd.DataFrame, str | None, pd.Timestamp | None]:
    if isinstance(trips, PnL):
        return trips.round_trips(), env or trips.env, as_of_of(as_of, last_time(trips.log["time"]))
    columns = ["currency", "side", "opened", "closed", "net"]
    frame = checked(trips, "round_trips", columns, "kfut.pnl(log).round_trips()")
    times = pd.concat([frame["opened"], frame["closed"]]).dropna()
    return frame, env_of(env, frame), as_of_of(as_of, last_time(times))


def _spans(ax: Axes, colours: style.Theme, trips: pd.DataFrame) -> None:
    # Lines of a collection need numbers: days, as matplotlib counts them.
    begin, end = (utc(trips[name]).astype("datetime64[us]").astype(np.int64) / 86400e6 for name in ("opened", "until"))
    net = numbers(trips["net"])
    chosen = thin_points(end, net)
    colour = np.where(net < 0, colours.loss, colours.gain)[chosen]
    across = np.stack([np.stack([begin, net], axis=1), np.stack([end, net], axis=1)], axis=1)
    ax.add_collection(LineCollection(list(across[chosen]), colors=colour, linewidths=2, alpha=0.6))
    if {"mae", "mfe"} <= set(trips.columns):
        ends = [np.stack([end, numbers(trips[name])], axis=1) for name in ("mae", "mfe")]
        upward = np.stack(ends, axis=1)[chosen]
        known = ~np.isnan(upward).any(axis=(1, 2))
        ax.add_collection(LineCollection(list(upward[known]), colors=colours.muted, linewidths=0.8))


def _ends(ax: Axes, colours: style.Theme, trips: pd.DataFrame) -> list[Line2D]:
    """Where each trip ended; the key to it is of no colour, for colour tells gain and loss."""
    key = []
    for (side, marker), is_open in itertools.product((("long", "^"), ("short", "v")), (False, True)):
        mine = trips[(trips["side"] == side) & (trips["closed"].isna() == is_open)]
        if mine.empty:
            continue
        x, y = utc(mine["until"]), numbers(mine["net"])
        chosen = thin_points(x.astype(np.int64), y)
        colour = np.where(y[chosen] < 0, colours.loss, colours.gain)
        face, edge = (colours.background, colour) if is_open else (colour, colours.background)
        ax.scatter(x[chosen], y[chosen], marker=marker, s=42, facecolor=face, edgecolor=edge, linewidth=1, zorder=4)
        label = f"{side.capitalize()}{', still open' if is_open else ''} ({len(mine):,})"
        fill: Literal["none", "full"] = "none" if is_open else "full"
        key.append(Line2D([], [], linestyle="none", marker=marker, color=colours.muted, fillstyle=fill, label=label))
    return key


def _edges(net: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Edges of the bins, zero among them: a bin either won or lost."""
    low, high = min(net.min(), 0.0), max(net.max(), 0.0)
    spread = np.subtract(*np.quantile(net, [0.75, 0.25]))
    width = max(2 * spread / len(net) ** (1 / 3), (high - low) / _MOST_BINS) or 1.0
    # The largest amount belongs to a bin even where it lies on an edge; above zero there is none if all lost.
    return width * np.arange(np.floor(low / width), (np.floor(high / width) + 1 if net.max() >= 0 else 0) + 1)


def _money(value: float, currency: str) -> str:
    return minus(amount(value, currency, sign=True))


def _too_little(net: np.ndarray[tuple[int], np.dtype[np.float64]], currency: str) -> str:
    if not len(net):
        return "No position was closed in this period."
    return f"One closed position only: {_money(float(net[0]), currency)} {currency}."
