"""P&L and funding contract by contract."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..pnl import PnL, amount
from ..times import TimeLike
from . import style
from .accounting import chosen_currency, left_out
from .axis import legend_below, number_axis, time_axis
from .frames import as_of_of, last_time, numbers, utc
from .rows import BAR, beside, height, largest, most_rows, name_rows
from .text import minus
from .thin import thin

_PARTS = {"realized_pnl": "Realised P&L", "fee": "Fees", "realized_funding": "Funding"}
_LINES = 6


def pnl_by_contract(
    pnl: PnL,
    ax: Axes | None = None,
    *,
    currency: str | None = None,
    most: int = 20,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Net P&L of each contract and what it is made of: realised P&L, fees and funding.

    What was made lies to the right of zero, what it cost to the left; the diamond is the net of both.

    Parameters
    ----------
    pnl
        What ``kfut.pnl(log)`` returned.
    ax
        Where to draw; a new figure by default.
    currency
        The currency to draw; USD where it occurs, else the first. Currencies are never added up.
    most
        Contracts with a row of their own, as far as there is room, those with the largest net P&L, gain or loss; the
        others share one.
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
    frame = pnl.by_contract()
    currency, others = chosen_currency(frame, currency)
    frame = frame[frame["currency"] == currency].set_index("contract")[["net", *_PARTS]]
    frame = frame.assign(fee=-frame["fee"]).sort_values("net", ascending=False)
    first, rest = largest(frame["net"], most_rows(ax, most, ["Net", *_PARTS.values(), *left_out(others)]))
    if len(rest):
        frame = pd.concat([frame.loc[first], frame.loc[rest].sum().to_frame(f"{len(rest)} others").T])
    texts = [minus(amount(net, currency, sign=True)) for net in frame["net"]]
    names = [str(name) for name in frame.index]
    sides = beside(names, texts)
    ax, colours = style.begin(
        ax, theme, (style.WIDE[0], height(len(frame))), title=f"Net P&L by contract, {currency}", env=env or pnl.env,
        as_of=as_of_of(as_of, last_time(pnl.log["time"])), beside=sides,
    )  # fmt: skip
    if frame.empty:
        return style.sentence(ax, colours, "No trades and no funding in this period.")
    ends = {True: np.zeros(len(frame)), False: np.zeros(len(frame))}
    for rank, (column, label) in enumerate(_PARTS.items(), start=1):
        values = numbers(frame[column])
        begin = np.where(values > 0, ends[True], ends[False])
        ax.barh(
            range(len(frame)), values, left=begin, height=BAR, color=colours.series[rank], label=label,
            edgecolor=colours.background, linewidth=0.5, hatch=style.HATCHES[rank],
        )  # fmt: skip
        for gained, end in ends.items():
            end += np.where((values > 0) == gained, values, 0.0)
    ax.axvline(0, color=colours.muted, linewidth=0.8)
    ax.plot(
        numbers(frame["net"]), range(len(frame)), linestyle="none", marker="D", markersize=5, color=colours.text,
        markeredgecolor=colours.background, label="Net",
    )  # fmt: skip
    ax.use_sticky_edges = False
    ax.margins(x=0.03)
    name_rows(ax, colours, names, texts)
    legend_below(ax, colours, notes=left_out(others), left=sides[0])
    return ax


def funding_paid(
    pnl: PnL,
    ax: Axes | None = None,
    *,
    currency: str | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Cumulative funding received (above zero) and paid (below), altogether and by contract, day by day.

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
    frame = pnl.by("day", "contract")
    currency, others = chosen_currency(frame, currency)
    frame = frame[(frame["currency"] == currency) & (frame["realized_funding"] != 0)]
    read = as_of_of(as_of, last_time(pnl.log["time"]))
    ax, colours = style.begin(
        ax, theme, style.WIDE, title=f"Cumulative funding, {currency}", env=env or pnl.env, as_of=read
    )
    if frame.empty:
        return style.sentence(ax, colours, "No funding was paid or received in this period.")
    table = frame.pivot_table(index="day", columns="contract", values="realized_funding", aggfunc="sum").fillna(0.0)
    totals = table.sum()
    first, rest = largest(totals, _LINES)
    parts = {f"{name}": table[name] for name in totals[first].abs().sort_values(ascending=False).index}
    if len(rest):
        parts[f"{len(rest)} others"] = table[rest].sum(axis=1)
    # A day's funding is complete when the day ends, today's as of now.
    days = pd.DatetimeIndex(table.index)
    ends = days.shift(1, freq="D")
    time = utc(days[:1].append(ends if read is None else ends.where(ends < read, max(read, days[-1]))))
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    for rank, (label, amounts) in enumerate({"All": table.sum(axis=1), **parts}.items()):
        x, y = thin(time, np.append(0.0, numbers(amounts.cumsum())))
        text = minus(amount(y[-1], currency, sign=True))
        width = 2.2 if rank == 0 else 1.3
        ax.plot(x, y, linewidth=width, label=f"{label} {text}", zorder=9 - rank, **style.line(colours, rank))
    ax.margins(x=0.01)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis)
    time_axis(ax)
    legend_below(ax, colours, notes=left_out(others))
    return ax
