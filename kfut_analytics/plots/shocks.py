"""What shocks would do: the ladder and the two-way map."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from .. import settings
from ..errors import ArgumentError
from ..margin import Margin, percent
from ..pnl import amount
from ..times import TimeLike
from . import style
from .axis import legend_below
from .frames import Floats, as_of_of, checked, env_of, numbers, snapshot_time
from .rows import BAR, beside, height, most_rows, name_rows
from .text import compact, minus, width_of

Shocks = Sequence[float] | Mapping[str, Sequence[float] | float]

Figure = Literal["equity", "pnl", "usage", "maintenance_usage"]

_COLUMNS = ["pnl", "collateral_change", "equity", "maintenance_usage", "first_liquidated", "currency"]
_GRID = (-0.5, -0.3, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_HALF = 0.47  # of a square


def stress(
    stress: Margin | pd.DataFrame,
    ax: Axes | None = None,
    *,
    shocks: Shocks | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Stress ladder: what each shock would make of positions and collateral, and equity and margin usage after it.

    Bars show the change of equity: P&L of the positions and change of the value of collateral, gains to the right.
    Shocks on the way to which somebody would be liquidated are hatched, their figures bold.

    Parameters
    ----------
    stress
        What ``kfut.margin(client)`` returned, or the frame of its ``stress(…)`` for shocks of one thing.
    ax
        Where to draw; a new figure by default.
    shocks
        As ``stress(…)`` takes them; a ladder of the whole market by default.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns or has shocks of several things, or ``shocks`` are given for a frame.
    """
    frame = _scenarios(stress, shocks)
    if frame.index.nlevels > 1:
        raise ArgumentError(
            f"stress has shocks of {', '.join(map(str, frame.index.names))}: draw two with kfut.plots.stress_map"
        )
    target = str(frame.index.name)
    frame = frame.sort_index()
    first = ", ".join(sorted(frame["first_liquidated"].dropna().unique()))
    labels = ["P&L", "Collateral", *([f"Liquidation on the way, {first} first"] if first else [])]
    # The header takes a row, too.
    rows = frame.iloc[_evenly(numbers(frame.index.to_series()), most_rows(ax, len(frame) + 1, labels) - 1)]
    names = [_shock(shock) for shock in rows.index]
    currency = str(rows["currency"].iloc[0]) if len(rows) else ""
    texts = [
        minus(f"{amount(equity, currency)}, {_usage(usage)}")
        for equity, usage in rows[["equity", "maintenance_usage"]].itertuples(index=False)
    ]
    hit = rows["first_liquidated"].notna().to_numpy()
    bold = set(np.flatnonzero(hit).tolist())
    sides = beside(names, texts, bold)
    ax, colours = style.begin(
        ax, theme, (style.WIDE[0], height(len(rows))),
        title=f"Stress of {'the market' if target == 'market' else target}: change of equity, {currency}".rstrip(", "),
        env=env_of(env, frame), as_of=as_of_of(as_of, snapshot_time(frame)), beside=sides,
    )  # fmt: skip
    if rows.empty:
        return style.sentence(ax, colours, "There are no shocks to show.")
    _changes(ax, colours, rows, hit)
    ax.axvline(0, color=colours.muted, linewidth=0.8)
    ax.use_sticky_edges = False
    ax.margins(x=0.03)
    name_rows(ax, colours, names, texts, bold, header="equity, maintenance usage")
    handles = [Patch(color=colours.series[rank], label=label) for rank, label in enumerate(labels[:2])]
    if hit.any():
        handles.append(Patch(facecolor="none", edgecolor=colours.text, hatch="xxxx", linewidth=0, label=labels[-1]))
    legend_below(ax, colours, handles, left=sides[0])
    return ax


def stress_map(
    stress: Margin | pd.DataFrame,
    ax: Axes | None = None,
    *,
    shocks: Mapping[str, Sequence[float]] | None = None,
    figure: Figure = "equity",
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Two-way stress: a figure after each pair of shocks.

    Blue is more equity or P&L than at no shock, vermilion less, and for usage the nearer to 100 % the stronger.
    Pairs on the way to which somebody would be liquidated are crossed out.

    Parameters
    ----------
    stress
        What ``kfut.margin(client)`` returned, or the frame of its ``stress(…)`` for shocks of two things.
    ax
        Where to draw; a new figure by default.
    shocks
        As ``stress(…)`` takes them; by default the market's prices against the value of collateral.
    figure
        ``"equity"`` or ``"pnl"`` in the frame's currency, ``"usage"`` or ``"maintenance_usage"`` in per cent.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns or has not the shocks of two things, ``shocks`` are given for a frame, or there is
        no such figure.
    """
    settings.one_of("figure", figure, ("equity", "pnl", "usage", "maintenance_usage"))
    frame = _scenarios(stress, shocks, {"market": _GRID, "collateral": _GRID})
    checked(frame, "stress", [figure], "kfut.margin(client).stress()")
    if frame.index.nlevels != 2:
        raise ArgumentError(
            "stress has shocks of one thing: draw it with kfut.plots.stress, or give two such as "
            "{'market': [-0.2, 0.2], 'collateral': [-0.3, 0]}"
        )
    across, up = (str(name) for name in frame.index.names)
    currency = str(frame["currency"].iloc[0]) if len(frame) else ""
    word = {"equity": "equity", "pnl": "P&L", "usage": "margin usage", "maintenance_usage": "maintenance usage"}[figure]
    unit = f", {currency}" if figure in ("equity", "pnl") and currency else ""
    ax, colours = style.begin(
        ax, theme, style.WIDE, title=f"Stress of {across} (across) and {up} (up): {word}{unit}",
        env=env_of(env, frame), as_of=as_of_of(as_of, snapshot_time(frame)),
    )  # fmt: skip
    if frame.empty:
        return style.sentence(ax, colours, "There are no shocks to show.")
    flat = frame.assign(struck=frame["first_liquidated"].notna()).reset_index()
    square, struck = (
        flat.pivot_table(index=across, columns=up, values=name, aggfunc="first", dropna=False)
        for name in (figure, "struck")
    )
    base = frame["equity"] - frame["pnl"] - frame["collateral_change"] if figure == "equity" else 0.0 * frame["pnl"]
    _squares(ax, colours, square, float(base.iloc[0]), ratio="usage" in figure)
    corners = [[(x - _HALF, y - _HALF), (x + _HALF, y + _HALF)] for x, y in np.argwhere(struck.to_numpy(bool))]
    ax.add_collection(LineCollection(corners, colors=colours.text, linewidths=0.8, alpha=0.6))
    _name_squares(ax, colours, square)
    if frame["first_liquidated"].notna().any():
        label = "Liquidation on the way"
        legend_below(ax, colours, [Line2D([], [], color=colours.text, linewidth=0.8, alpha=0.6, label=label)])
    else:
        legend_below(ax, colours, [], notes=["no liquidation on the way to any of them"])
    return ax


def _scenarios(
    stress: Margin | pd.DataFrame, shocks: Shocks | None, usual: Mapping[str, Sequence[float]] | None = None
) -> pd.DataFrame:
    if isinstance(stress, Margin):
        return stress.stress(shocks if shocks is not None else usual)
    if shocks is not None:
        raise ArgumentError("shocks are for what kfut.margin(client) returned: a frame of stress(…) has its own")
    return checked(stress, "stress", _COLUMNS, "kfut.margin(client).stress()")


def _evenly(shocks: Floats, most: int) -> list[int]:
    """Positions of as many shocks as there is room for, the outermost and none among them."""
    chosen = set(np.linspace(0, len(shocks) - 1, min(most, len(shocks))).round().astype(int).tolist())
    if len(chosen) < len(shocks):
        none = int(np.abs(shocks).argmin())
        inner = [place for place in chosen if 0 < place < len(shocks) - 1]
        if none not in chosen and inner:
            chosen = chosen - {min(inner, key=lambda place: abs(place - none))} | {none}
    return sorted(chosen)


def _changes(ax: Axes, colours: style.Theme, rows: pd.DataFrame, hit: NDArray[np.bool_]) -> None:
    """Both parts of the change of equity, gains stacked to the right and losses to the left."""
    right, left = np.zeros(len(rows)), np.zeros(len(rows))
    for rank, column in enumerate(("pnl", "collateral_change")):
        value = numbers(rows[column])
        begin = np.where(value > 0, right, left)
        bars = ax.barh(
            range(len(rows)), value, left=begin, height=BAR, color=colours.series[rank],
            edgecolor=colours.background, linewidth=0.5,
        )  # fmt: skip
        for bar, struck in zip(bars, hit, strict=True):
            bar.set_hatch("xxxx" if struck else None)
        right, left = right + np.maximum(value, 0), left + np.minimum(value, 0)


def _squares(ax: Axes, colours: style.Theme, square: pd.DataFrame, base: float, *, ratio: bool) -> None:
    values = square.to_numpy("float64")
    signed = -np.clip(values, 0, 1) if ratio else values - base
    strength = np.abs(signed) / (1.0 if ratio else np.nanmax(np.abs(signed)) or 1.0) * style.STRONGEST
    places = np.array(list(np.ndindex(values.shape)))
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * _HALF
    faces = [
        to_rgba(colours.gain if sign > 0 else colours.loss if sign < 0 else colours.grid, alpha if sign else 0.3)
        for sign, alpha in zip(np.nan_to_num(signed).ravel(), np.nan_to_num(strength).ravel(), strict=True)
    ]
    ax.add_collection(PolyCollection(list(places[:, None] + corners), facecolors=faces, linewidths=0))
    texts = [_usage(value, decimals=0) if ratio else compact(value) for value in values.ravel()]
    font = FontProperties(size="x-small")
    if max(width_of(text, font) for text in texts) > style.width_in_points(ax) / len(square) - 2:
        texts = [minus("+" if sign > 0 else "-" if sign < 0 else "") for sign in signed.ravel()]
    for (x, y), text in zip(places, texts, strict=True):
        ax.text(x, y, text, ha="center", va="center", color=colours.text, fontsize="x-small")
    ax.set_xlim(-0.6, values.shape[0] - 0.4)
    ax.set_ylim(-0.6, values.shape[1] - 0.4)


def _name_squares(ax: Axes, colours: style.Theme, square: pd.DataFrame) -> None:
    """Shocks on both axes, as many as there is room for."""
    for axis, shocks, room in (
        (ax.xaxis, square.index, style.width_in_points(ax) / 42),
        (ax.yaxis, square.columns, style.height_in_points(ax) / 14),
    ):
        step = math.ceil(len(shocks) / max(room, 1.0))
        none = int(np.abs(numbers(pd.Series(shocks))).argmin())
        chosen = range(none % step, len(shocks), step)
        axis.set_ticks(chosen, [_shock(float(shocks[place])) for place in chosen])
    ax.tick_params(length=0, labelcolor=colours.text)
    ax.spines["bottom"].set_visible(False)


def _shock(fraction: float) -> str:
    return minus(f"{'+' if fraction > 0 else ''}{fraction * 100:.3g} %")


def _usage(fraction: float, decimals: int = 1) -> str:
    """Usage in per cent; what is left of equity is next to nothing where it would take four digits."""
    return "n/a" if math.isnan(fraction) else "over 999 %" if fraction > 9.99 else percent(fraction, decimals=decimals)
