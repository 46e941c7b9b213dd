"""Charts of profit and loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..errors import ArgumentError
from ..pnl import PnL, amount
from ..times import TimeLike
from . import style
from .axis import legend_below, number_axis, time_axis
from .frames import as_of_of, last_time, numbers, utc
from .text import minus, moment
from .thin import thin


def pnl(
    pnl: PnL,
    ax: Axes | None = None,
    *,
    currency: str | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Cumulative net P&L and its parts: realised P&L, fees and funding.

    Parameters
    ----------
    pnl
        What ``kfut.pnl(log)`` returned.
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
        If the log has no P&L in that currency.
    """
    totals = pnl.by()
    currency, others = chosen_currency(totals, currency)
    frame = pnl.cumulative()
    if len(totals) > 1:
        frame = frame[frame["currency"] == currency]
    read = as_of_of(as_of, last_time(pnl.log["time"]))
    title = f"Cumulative P&L, {currency}"
    ax, colours = style.begin(ax, theme, style.WIDE, title=title, env=env or pnl.env, as_of=read)
    if len(frame) < 2:
        return style.sentence(ax, colours, _too_little(frame, currency))
    _lines(ax, colours, frame, currency, read)
    legend_below(ax, colours, notes=left_out(others))
    return ax


def chosen_currency(frame: pd.DataFrame, currency: str | None) -> tuple[str, list[str]]:
    """The currency to draw, and those left out without having been asked for.

    Raises
    ------
    ArgumentError
        If the frame has no such currency.
    """
    known = sorted(frame["currency"].unique())
    if currency is None:
        chosen = "USD" if "USD" in known or not known else str(known[0])
        return chosen, [other for other in known if other != chosen]
    if currency not in known:
        raise ArgumentError(
            f"currency={currency!r} has no P&L in this log: it has {', '.join(known) or 'no P&L at all'}"
        )
    return currency, []


def left_out(others: list[str]) -> list[str]:
    """The note that says which currencies the chart leaves out."""
    return [f"also in the log: {', '.join(others)}"] if others else []


def _lines(ax: Axes, colours: style.Theme, frame: pd.DataFrame, currency: str, as_of: pd.Timestamp | None) -> None:
    # What was reached holds until the time of the chart.
    end = max(as_of or frame.index[-1], frame.index[-1])
    time, last = utc(frame.index), np.datetime64(end.tz_convert(None))
    parts = {
        "Net": frame["net"],
        "Realised P&L": frame["realized_pnl"],
        "Fees": -frame["fee"],
        "Funding": frame["realized_funding"],
    }
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    for rank, (label, values) in enumerate(parts.items()):
        x, y = thin(time, numbers(values))
        x, y = np.append(x, last), np.append(y, y[-1])
        label = f"{label} {minus(amount(values.iloc[-1], currency, sign=True))}"
        width = 2.2 if rank == 0 else 1.3
        look = style.line(colours, rank)
        ax.plot(x, y, drawstyle="steps-post", linewidth=width, zorder=5 - rank, label=label, **look)
    ax.margins(x=0.01)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis)
    time_axis(ax)


def _too_little(frame: pd.DataFrame, currency: str) -> str:
    if frame.empty:
        return "No trades and no funding in this period."
    return (
        f"One entry only: {minus(amount(frame['net'].iloc[0], currency, sign=True))} {currency} "
        f"on {moment(frame.index[0])}."
    )
