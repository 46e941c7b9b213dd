"""The price of a contract, and where one's own trades, entry and orders lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..times import TimeLike
from . import style
from .axis import legend_below, number_axis, time_axis
from .frames import as_of_of, checked, env_of, last_time, numbers, of_symbol, snapshot_time, utc
from .text import counted, moment, plain_number, price_text, spread
from .thin import thin, thin_band, thin_points

_REACH = 1.0
"""How far above and below the prices orders and entries are still shown, in heights of the prices' range."""
_LABELLED = 0.6  # of the height that labels of orders may take
_KINDS = {"lmt": "limit", "stp": "stop", "take_profit": "take profit", "trailing_stop": "trailing stop"}


def price(
    candles: pd.DataFrame,
    ax: Axes | None = None,
    *,
    fills: pd.DataFrame | None = None,
    positions: pd.DataFrame | None = None,
    open_orders: pd.DataFrame | None = None,
    symbol: str | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Price of a contract with one's own fills, entry price and open orders.

    The line is the close of each candle, the band behind it reaches from low to high. Triangles point up where one
    bought and down where one sold, the larger the more. Orders far away from the prices are counted, not drawn.

    Parameters
    ----------
    candles
        The frame of ``client.candles(symbol, …)``.
    ax
        Where to draw; a new figure by default.
    fills, positions, open_orders
        The frames of the client's methods of these names; other contracts in them are left out.
    symbol
        The contract; needed where ``candles`` has several, or does not say which one it is of.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If a frame lacks columns, or it is not clear which contract is meant.
    """
    candles = checked(candles, "candles", ["time", "low", "high", "close"], "client.candles()")
    candles, symbol = of_symbol(candles, "candles", symbol)
    parts = {
        "fills": (fills, ["time", "side", "size", "price"]),
        "positions": (positions, ["side", "size", "entry_price"]),
        "open_orders": (open_orders, ["side", "order_type", "limit_price", "stop_price", "unfilled_size"]),
    }
    own = {
        name: of_symbol(checked(frame, name, ["symbol", *columns], f"client.{name}()"), name, symbol)[0]
        for name, (frame, columns) in parts.items()
        if frame is not None
    }
    ax, colours = style.begin(
        ax, theme, style.WIDE,
        title=f"Price of {symbol}" if symbol else "Price",
        env=env_of(env, candles, *own.values()),
        as_of=as_of_of(as_of, snapshot_time(positions), snapshot_time(open_orders), last_time(candles.index)),
    )  # fmt: skip
    known = candles[candles["close"].notna()]
    if len(known) < 2:
        return style.sentence(ax, colours, _too_little(known))
    _prices(ax, colours, candles)
    if "fills" in own:
        _fills(ax, colours, own["fills"], candles.index)
    low, high = ax.dataLim.intervaly
    room = low - _REACH * (high - low), high + _REACH * (high - low)
    notes = []
    if "positions" in own:
        notes += _entry(ax, colours, own["positions"], room)
    if "open_orders" in own:
        notes += _orders(ax, colours, own["open_orders"], room, float(known["close"].iloc[-1]))
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis)
    time_axis(ax)
    legend_below(ax, colours, notes=notes)
    return ax


def _prices(ax: Axes, colours: style.Theme, candles: pd.DataFrame) -> None:
    x = utc(candles.index)
    low, high, close = (numbers(candles[name]) for name in ("low", "high", "close"))
    ax.fill_between(*thin_band(x, low, high), color=colours.muted, alpha=0.3, linewidth=0)
    last = close[~np.isnan(close)][-1]
    ax.plot(*thin(x, close), color=colours.text, linewidth=1.0, label=f"Close {price_text(last)}")
    ax.margins(x=0.01)


def _fills(ax: Axes, colours: style.Theme, fills: pd.DataFrame, shown: pd.Index[Any]) -> None:
    # A fill within the last candle is as much on the chart as that candle is.
    end = shown[-1] + (shown[-1] - shown[-2])
    fills = fills[(fills["time"] >= shown[0]) & (fills["time"] < end)]
    largest = fills["size"].max()
    for side, marker, colour, word in (("buy", "^", colours.gain, "Bought"), ("sell", "v", colours.loss, "Sold")):
        mine = fills[fills["side"] == side]
        if mine.empty:
            continue
        x, y, size = utc(mine["time"]), numbers(mine["price"]), numbers(mine["size"])
        chosen = thin_points(x.astype(np.int64), y)
        ax.scatter(
            x[chosen], y[chosen], s=20 + 60 * size[chosen] / largest, marker=marker, color=colour,
            edgecolor=colours.background, linewidth=0.6, zorder=4,
            label=f"{word} {plain_number(round(float(size.sum()), 8))} in {counted(len(mine), 'fill')}",
        )  # fmt: skip


def _entry(ax: Axes, colours: style.Theme, positions: pd.DataFrame, room: tuple[float, float]) -> list[str]:
    notes = []
    for side, size, entry in positions[["side", "size", "entry_price"]].itertuples(index=False):
        label = f"Entry {price_text(entry)}, {side} {plain_number(size)}"
        if room[0] <= entry <= room[1]:
            ax.axhline(entry, color=colours.series[1], linestyle="dashed", linewidth=1.4, label=label)
        else:
            notes.append(f"{label} (farther away)")
    return notes


def _orders(ax: Axes, colours: style.Theme, orders: pd.DataFrame, room: tuple[float, float], last: float) -> list[str]:
    prices = orders["stop_price"].fillna(orders["limit_price"])
    near = prices.between(*room)
    orders = orders.assign(at=prices)[near].sort_values("at")
    for side, colour in (("buy", colours.gain), ("sell", colours.loss)):
        at = orders.loc[orders["side"] == side, "at"]
        if len(at):
            ax.hlines(at, 0, 1, transform=ax.get_yaxis_transform(), color=colour, linestyle="dotted", linewidth=1.4)
            ax.update_datalim(np.column_stack([np.full(len(at), ax.dataLim.x0), at]), updatex=False)
    ax.autoscale_view(scalex=False)
    words = [
        f"{side} {_KINDS.get(kind, kind)} {plain_number(size)} at {price_text(at)}"
        for side, kind, size, at in orders[["side", "order_type", "unfilled_size", "at"]].itertuples(index=False)
    ]
    unwritten = _write(ax, colours, list(orders["at"]), words, last)
    notes = [f"{counted(unwritten, 'order')} without a label"] if unwritten else []
    return notes if near.all() else [*notes, f"{counted(int((~near).sum()), 'order')} farther away"]


def _write(ax: Axes, colours: style.Theme, at: Sequence[float], words: Sequence[str], last: float) -> int:
    """Words at the left end of lines, moved apart where the lines are close to each other.

    There is room for those nearest to the last price; returns how many have none.
    """
    low, high = ax.get_ylim()
    # A line of small text and its padding.
    gap = 12 / style.height_in_points(ax) * (high - low)
    fit = max(int(_LABELLED * (high - low) / gap), 1)
    nearest = sorted(sorted(range(len(at)), key=lambda place: abs(at[place] - last))[:fit])
    places = spread([at[place] for place in nearest], gap, (low + gap, high - gap))
    for y, text in zip(places, (words[place] for place in nearest), strict=True):
        ax.text(
            0.005, y, text, transform=ax.get_yaxis_transform(), va="center", color=colours.text, fontsize="x-small",
            bbox={"facecolor": colours.background, "edgecolor": "none", "alpha": 0.75, "pad": 1}, parse_math=False,
            zorder=5,
        )  # fmt: skip
    return len(words) - len(nearest)


def _too_little(candles: pd.DataFrame) -> str:
    if candles.empty:
        return "No candles in this period."
    close = price_text(float(candles["close"].iloc[0]))
    return f"One candle only: {close} at its close, from {moment(candles.index[0])}."
