"""Charts of profit and loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..errors import ArgumentError
from ..pnl import PnL, amount
from . import style
from .thin import thin


def pnl(
    pnl: PnL,
    ax: Axes | None = None,
    *,
    currency: str | None = None,
    theme: style.ThemeName = "light",
    env: str | None = None,
    as_of: pd.Timestamp | None = None,
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
    theme
        ``"light"`` or ``"dark"``.
    env
        Environment of the badge; by default that of the log, where it says so.
    as_of
        Time to which the log was read; by default that of its last entry.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the log has no P&L in that currency, or there is no such theme.
    """
    colours = style.theme_named(theme)
    frame = pnl.cumulative()
    currencies = sorted(frame["currency"].unique())
    others: list[str] = []
    if currency is None:
        currency = "USD" if "USD" in currencies or not currencies else str(currencies[0])
        others = [other for other in currencies if other != currency]
    elif currency not in currencies:
        raise ArgumentError(
            f"currency={currency!r} has no P&L in this log: it has {', '.join(currencies) or 'no P&L at all'}"
        )
    frame = frame[frame["currency"] == currency]
    ax = style.axes(ax, colours, (9.0, 4.2))
    title = f"Cumulative P&L, {currency}"
    if as_of is None and not pnl.log.empty:
        as_of = pnl.log["time"].max()
    style.dress(ax, colours, title=title, env=env or pnl.env, as_of=as_of)
    if len(frame) < 2:
        style.sentence(ax, colours, _too_little(frame, currency))
        return ax
    _lines(ax, colours, frame, currency, as_of)
    if others:
        ax.set_ylabel(f"{currency} (also in the log: {', '.join(others)})")
    return ax


def _lines(ax: Axes, colours: style.Theme, frame: pd.DataFrame, currency: str, as_of: pd.Timestamp | None) -> None:
    # What was reached holds until the time of the chart.
    end = max(as_of or frame.index[-1], frame.index[-1])
    time = frame.index.append(pd.DatetimeIndex([end])).tz_convert(None).to_numpy()  # type: ignore[attr-defined]
    parts = {
        "Net": frame["net"],
        "Realised P&L": frame["realized_pnl"],
        "Fees": -frame["fee"],
        "Funding": frame["realized_funding"],
    }
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    for rank, (label, values) in enumerate(parts.items()):
        x, y = thin(time, np.append(values, values.iloc[-1]))
        label = f"{label} {style.minus(amount(values.iloc[-1], currency, sign=True))}"
        width = 2.2 if rank == 0 else 1.3
        ax.plot(x, y, drawstyle="steps-post", color=colours.series[rank], linewidth=width, zorder=5 - rank, label=label)
    ax.margins(x=0)
    ax.grid(axis="y", color=colours.grid)
    ax.yaxis.set_major_formatter(style.NUMBERS)
    style.time_axis(ax)
    style.legend_below(ax, colours, columns=4)


def _too_little(frame: pd.DataFrame, currency: str) -> str:
    if frame.empty:
        return "No trades and no funding in this period."
    return (
        f"One entry only: {style.minus(amount(frame['net'].iloc[0], currency, sign=True))} {currency} "
        f"on {frame.index[0]:%Y-%m-%d %H:%M} UTC."
    )
