"""The order book of a contract."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..errors import ArgumentError
from ..times import TimeLike
from . import style
from .axis import legend_below, number_axis
from .frames import Floats, as_of_of, checked, env_of, numbers, of_symbol, snapshot_time
from .text import compact, price_text
from .thin import thin


def depth(
    order_book: pd.DataFrame,
    ax: Axes | None = None,
    *,
    within: float | None = None,
    symbol: str | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Order-book depth: how much can be sold down to, and bought up to, each price.

    Parameters
    ----------
    order_book
        The frame of ``client.order_book(symbol)``.
    ax
        Where to draw; a new figure by default.
    within
        How far from the middle to draw, as a fraction of the middle price; by default as far as the shorter of the two
        sides reaches, so that single orders far away do not squeeze the rest.
    symbol
        The contract, where ``order_book`` does not say which one it is of.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns, or ``within`` is not a positive fraction.
    """
    book = checked(order_book, "order_book", ["side", "price", "size"], "client.order_book()")
    if within is not None and not 0 < within < math.inf:
        raise ArgumentError(f"within={within!r} is not a fraction of the price: give one such as 0.01")
    book, symbol = of_symbol(book, "order_book", symbol)
    ax, colours = style.begin(
        ax, theme, style.WIDE,
        title=f"Order book of {symbol}, cumulative size" if symbol else "Order book, cumulative size",
        env=env_of(env, book), as_of=as_of_of(as_of, snapshot_time(book)),
    )  # fmt: skip
    bids, asks = _levels(book, "bid"), _levels(book, "ask")
    if not len(bids[0]) or not len(asks[0]):
        return style.sentence(ax, colours, _one_sided(len(bids[0]), len(asks[0])))
    best_bid, best_ask = bids[0][0], asks[0][0]
    middle = (best_bid + best_ask) / 2
    reach = within * middle if within else _reach(bids[0], asks[0], middle)
    highest = 0.0
    for (price, total), colour, hatch, word in (
        (bids, colours.gain, None, "Bids"),
        (asks, colours.loss, "////", "Asks"),
    ):
        shown = np.abs(price - middle) <= reach
        highest = max(highest, total[shown].max(initial=0.0))
        x, y = _stairs(price, total, middle, reach)
        ax.plot(x, y, color=colour, linewidth=1.6, label=f"{word} {compact(total[shown].max(initial=0.0))}")
        ax.fill_between(x, y, color=colour, alpha=0.2, linewidth=0, hatch=hatch)
    spread = best_ask - best_bid
    label = f"Middle {price_text(middle)}, spread {price_text(spread)} ({compact(spread / middle * 1e4)} bp)"
    ax.axvline(middle, color=colours.muted, linewidth=1, linestyle="dashed", label=label)
    ax.set_xlim(middle - reach, middle + reach)
    ax.set_ylim(0, 1.05 * highest or 1)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.xaxis)
    number_axis(ax.yaxis)
    legend_below(ax, colours)
    return ax


def _levels(book: pd.DataFrame, side: str) -> tuple[Floats, Floats]:
    """Prices, best first, and the size up to each."""
    levels = book[book["side"] == side].sort_values("price", ascending=side == "ask")
    return numbers(levels["price"]), np.cumsum(numbers(levels["size"]))


def _reach(bids: Floats, asks: Floats, middle: float) -> float:
    """How far the shorter side reaches; a single level is no side."""
    extents = [abs(side[-1] - middle) for side in (bids, asks) if len(side) > 1]
    return float(min(extents, default=2 * abs(asks[0] - middle)) * 1.02) or middle * 0.01


def _stairs(price: Floats, total: Floats, middle: float, reach: float) -> tuple[Floats, Floats]:
    """Outline of one side from the best price outward to the edge of the chart."""
    edge = middle + math.copysign(reach, price[-1] - middle)
    x = np.append(price.repeat(2), max(edge, price[-1]) if edge > middle else min(edge, price[-1]))
    y = np.concatenate([[0.0], total.repeat(2)])
    if edge < middle:
        x, y = thin(x[::-1], y[::-1])
        return x, y
    return thin(x, y)


def _one_sided(bids: int, asks: int) -> str:
    if not bids and not asks:
        return "The order book is empty."
    return f"There are no {'asks' if bids else 'bids'} in the order book."
