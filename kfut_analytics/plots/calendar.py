"""The calendar of daily P&L."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch

from ..pnl import PnL, amount
from ..times import TimeLike
from . import style
from .accounting import chosen_currency, left_out
from .axis import legend_below
from .frames import Floats, as_of_of, last_time, numbers
from .text import compact, counted, minus, width_of

_CELL = 0.92
_WEAKEST = 0.12
_WEEKS = 53  # in one band; a longer time has a band per so many weeks
_BAND = 9  # rows from one band to the next
_FEWEST = 8  # columns are as wide as those of so many weeks at most


def daily_pnl(
    pnl: PnL,
    ax: Axes | None = None,
    *,
    currency: str | None = None,
    tz: str = "UTC",
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Calendar of daily net P&L: a column per week, a row per weekday, the stronger the colour the larger the amount.

    Days have their amount where there is room for it, else its sign. Days without entries are empty.

    Parameters
    ----------
    pnl
        What ``kfut.pnl(log)`` returned.
    ax
        Where to draw; a new figure by default.
    currency
        The currency to draw; USD where it occurs, else the first. Currencies are never added up.
    tz
        Time zone in which days begin.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the log has no P&L in that currency, or there is no such time zone.
    """
    days = pnl.daily(tz=tz)
    currency, others = chosen_currency(days, currency)
    net = days.loc[days["currency"] == currency, "net"]
    read = as_of_of(as_of, last_time(pnl.log["time"]))
    places = _places(net.index, read, tz)
    bands = int(places["band"].max()) + 1 if len(places) else 1
    zone = "" if tz == "UTC" else f" ({tz})"
    ax, colours = style.begin(
        ax, theme, (style.WIDE[0], 1.1 + 1.7 * bands), title=f"Daily net P&L, {currency}{zone}",
        env=env or pnl.env, as_of=read,
    )  # fmt: skip
    if net.empty:
        return style.sentence(ax, colours, "No trades and no funding in this period.")
    places["net"] = net.reindex(places.index)
    _cells(ax, colours, places)
    _names(ax, colours, places)
    legend_below(ax, colours, _key(colours, net, currency), notes=left_out(others))
    return ax


def _places(days: pd.Index[Any], as_of: pd.Timestamp | None, tz: str) -> pd.DataFrame:
    """Band, column and row of every day from the first with an entry to the last, or that of the chart."""
    if days.empty:
        return pd.DataFrame({"band": [], "column": [], "row": []})
    first, last = days[0], max(days[-1], as_of.tz_convert(tz).normalize()) if as_of is not None else days[-1]
    every = pd.date_range(first, last, freq="D")
    week = (np.arange(len(every)) + first.day_of_week) // 7
    return pd.DataFrame(
        {"band": week // _WEEKS, "column": week % _WEEKS, "row": every.day_of_week},
        index=every,
    )


def _cells(ax: Axes, colours: style.Theme, places: pd.DataFrame) -> None:
    net, x, y = numbers(places["net"]), places["column"].to_numpy(), (places["row"] + _BAND * places["band"]).to_numpy()
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * _CELL / 2
    strength = np.abs(net) / (np.nanquantile(np.abs(net), 0.95) or 1.0)
    alpha = np.clip(_WEAKEST + (style.STRONGEST - _WEAKEST) * strength, _WEAKEST, style.STRONGEST)
    faces = [
        to_rgba(colours.grid if not value else colours.gain if value > 0 else colours.loss, 0.3 if not value else a)
        for value, a in zip(np.nan_to_num(net), np.nan_to_num(alpha), strict=True)
    ]
    ax.add_collection(PolyCollection(list(np.stack([x, y], axis=1)[:, None] + corners), facecolors=faces, linewidths=0))
    columns, rows = int(x.max()) + 1, int(y.max()) + 1
    ax.set_xlim(-0.6, max(columns, _FEWEST) - 0.4)
    ax.set_ylim(max(rows, 7) - 0.4, -1.2)
    for text, column, row in zip(_texts(net, _room(ax, places)), x, y, strict=True):
        ax.text(column, row, text, ha="center", va="center", color=colours.text, fontsize="x-small")


def _room(ax: Axes, places: pd.DataFrame) -> float:
    """Points that a column is wide."""
    return style.width_in_points(ax) / max(float(places["column"].max()) + 1, _FEWEST)


def _texts(net: Floats, room: float) -> list[str]:
    """What stands in the cells: amounts as exact as the largest needs, or signs where not all amounts have room."""
    largest = np.nanmax(np.abs(net))
    decimals = int(np.clip(2 - math.floor(math.log10(largest)), 0, 8)) if largest else 0
    signs = ["" if math.isnan(value) or not value else minus("+" if value > 0 else "-") for value in net]
    amounts = [
        sign if not sign or not round(value, decimals)
        else compact(value, sign=True) if abs(value) >= 1000 else minus(f"{value:+.{decimals}f}")
        for value, sign in zip(net, signs, strict=True)
    ]  # fmt: skip
    font = FontProperties(size="x-small")
    return amounts if max(width_of(text, font) for text in amounts) < room - 2 else signs


def _names(ax: Axes, colours: style.Theme, places: pd.DataFrame) -> None:
    """Weekdays on the left, months above their first week."""
    bands = int(places["band"].max()) + 1
    ax.set_yticks(
        [row + _BAND * band for band in range(bands) for row in (0, 2, 4, 6)], ["Mon", "Wed", "Fri", "Sun"] * bands
    )
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines["bottom"].set_visible(False)
    months = pd.DatetimeIndex(places.index).tz_localize(None).to_period("M")
    starts = [(int(g["band"].iloc[0]), int(g["column"].iloc[0]), month) for month, g in places.groupby(months)]
    font = FontProperties(size="small")
    told = None
    for (band, column, month), following in zip(starts, [*starts[1:], None], strict=True):
        text = month.strftime("%b" if told == (band, month.year) else "%b %Y")
        # What remains of a month may be too narrow for its name.
        columns = following[1] - column if following and following[0] == band else _FEWEST
        if columns * _room(ax, places) < width_of(text, font) + 8:
            continue
        told = (band, month.year)
        ax.text(column - _CELL / 2, _BAND * band - 0.65, text, color=colours.muted, fontsize="small", va="bottom")


def _key(colours: style.Theme, net: pd.Series[float], currency: str) -> list[Patch]:
    handles = []
    for word, rank in (("Best", int(net.argmax())), ("Worst", int(net.argmin()))):
        label = f"{word} {minus(amount(net.iloc[rank], currency, sign=True))} ({net.index[rank]:%Y-%m-%d})"
        colour = colours.gain if net.iloc[rank] > 0 else colours.loss
        handles.append(Patch(color=to_rgba(colour, style.STRONGEST), label=label))
    up, down = int((net > 0).sum()), int((net < 0).sum())
    handles.append(Patch(color="none", label=f"{counted(up, 'day')} up, {down:,} down"))
    return handles
