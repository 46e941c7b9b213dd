"""Charts of margin usage, now and through time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..errors import ArgumentError
from ..margin import Margin, percent
from ..pnl import amount
from ..times import TimeLike
from . import style
from .axis import fitting, legend_below, number_axis, percents, time_axis
from .frames import as_of_of, checked, env_of, last_time, numbers, utc
from .rows import beside
from .text import moment, percent_text
from .thin import thin

_NAMED = 6  # positions with a colour of their own; the rest share the last one
_MARKS = (
    "Initial margin, the exchange's own",
    "Maintenance margin, the exchange's own",
    "Liquidation when maintenance margin reaches it",
)
_NEAR = 0.35  # part of equity from which the chart through time reaches to all of it
_FAR = 2.0  # usage beyond it is off the chart: what is left of equity is next to nothing


def margin_usage(
    margin: Margin,
    ax: Axes | None = None,
    *,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Initial margin of each position, stacked, as a part of the wallet's equity.

    One bar per wallet. The vertical marks are the exchange's own initial and maintenance margin; they fall short of
    the stack where positions offset each other. At 100 % of equity no new position can be opened, and when the
    maintenance mark arrives there the exchange liquidates.

    Parameters
    ----------
    margin
        What ``kfut.margin(client)`` returned.
    ax
        Where to draw; a new figure by default.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes
    """
    usage = margin.usage()
    held = margin.by_position()
    bars = usage[(usage["equity"] > 0) & usage["account"].isin(held["wallet"])].reset_index(drop=True)
    names = [f"{row['account']}\n{_amount(row, 'equity')}" for row in bars.to_dict("records")]
    sides = beside([line for name in names for line in name.split("\n")], [])
    ax, colours = style.begin(
        ax, theme, (style.WIDE[0], usage_height(margin)), title="Margin usage, part of equity",
        env=env or margin.env, as_of=as_of_of(as_of, margin.as_of), beside=sides,
    )  # fmt: skip
    if held.empty:
        return style.sentence(ax, colours, "No open positions: no margin is used.")
    if bars.empty:
        return style.sentence(ax, colours, "There is no equity to measure the margin against.")
    _stacks(ax, colours, bars, held)
    low, high = bars.index - 0.4, bars.index + 0.4
    ax.vlines(bars["usage"], low, high, colors=colours.text, label=_MARKS[0])
    ax.vlines(bars["maintenance_usage"], low, high, colors=colours.text, linestyles="dotted", label=_MARKS[1])
    ax.axvline(1, color=colours.live, linewidth=1.5, label=_MARKS[2])
    ax.set_xlim(0, max(1.02, 1.05 * float(_reach(bars, held).max())))
    ax.set_yticks(bars.index, names, color=colours.text)
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.grid(axis="x", color=colours.grid)
    number_axis(ax.xaxis, percents())
    ax.tick_params(axis="y", length=0)
    legend_below(ax, colours, left=sides[0])
    return ax


def usage_height(margin: Margin) -> float:
    """Height in inches that gives `margin_usage` bars of the same thickness whatever their number."""
    held = margin.by_position()
    return 1.4 + 0.6 * held["wallet"].nunique() + 0.1 * min(len(held) + 3, _NAMED + 4)


def _stacks(ax: Axes, colours: style.Theme, bars: pd.DataFrame, held: pd.DataFrame) -> None:
    wallets = list(bars["account"])
    held = held[held["wallet"].isin(wallets) & held["share_of_equity"].notna()]
    labels = [
        f"{row['symbol']} {row['side']}, {_amount(row, 'initial_margin')} ({percent(row['share_of_equity'])})"
        for row in held.reset_index().to_dict("records")
    ]
    named = min(fitting(ax, labels, _MARKS), _NAMED + (len(labels) == _NAMED + 1))
    if len(labels) > named:
        labels[named:] = [f"{len(labels) - named} more", *["_nolegend_"] * (len(labels) - named - 1)]
    reached = dict.fromkeys(wallets, 0.0)
    for rank, (label, wallet, share) in enumerate(zip(labels, held["wallet"], held["share_of_equity"], strict=True)):
        look = rank if rank < named else _NAMED
        ax.barh(
            wallets.index(wallet), share, left=reached[wallet], height=0.55, color=colours.series[look],
            hatch=style.HATCHES[look], edgecolor=colours.background, linewidth=0.8, label=label,
        )  # fmt: skip
        reached[wallet] += share


def _reach(bars: pd.DataFrame, held: pd.DataFrame) -> pd.Series[float]:
    """How far each wallet's bar and marks reach, part of equity."""
    stack = bars["account"].map(held.groupby("wallet")["share_of_equity"].sum()).fillna(0.0)
    return pd.concat([stack, bars["usage"], bars["maintenance_usage"]], axis=1).max(axis=1)


def _amount(row: Any, column: str) -> str:
    return f"{amount(float(row[column]), str(row['currency']))} {row['currency']}"


def margin_history(
    history: pd.DataFrame,
    ax: Axes | None = None,
    *,
    wallet: str | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Margin usage of a wallet through time: initial margin (line) and maintenance margin (area) over equity.

    The chart reaches to 100 % of equity where usage ever came near it. Dots are snapshots, with the exchange's own
    figures.

    Parameters
    ----------
    history
        The frame of ``kfut.margin(client).history(…)`` or ``client.snapshots()``.
    ax
        Where to draw; a new figure by default.
    wallet
        The wallet to draw; by default that whose usage was the highest.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns or has no such wallet.
    """
    columns = ["account", "source", "usage", "maintenance_usage"]
    frame = checked(history, "history", ["time", *columns], "kfut.margin(client).history()")[columns]
    accounts = frame["account"].to_numpy(object)
    names = sorted(set(accounts.tolist()))
    rows_of = {str(name): frame if len(names) == 1 else frame[accounts == name] for name in names}
    wallet, others = _wallet(
        {name: float(np.nan_to_num(rows["usage"].max())) for name, rows in rows_of.items()}, wallet
    )
    rows = rows_of[wallet] if wallet else frame
    ax, colours = style.begin(
        ax, theme, style.WIDE, title=f"Margin usage of {wallet}, part of equity" if wallet else "Margin usage",
        env=env_of(env, history), as_of=as_of_of(as_of, last_time(rows.index)),
    )  # fmt: skip
    known = rows[rows["usage"].notna()]
    if len(known) < 2:
        return style.sentence(ax, colours, _too_little(known))
    x = utc(rows.index)
    initial, maintenance = (numbers(rows[name]) for name in ("usage", "maintenance_usage"))
    highest = float(np.nanmax(initial[np.isfinite(initial)], initial=0.0))
    top = min(1.1 * max(highest, 1.0), _FAR) if np.isposinf(initial).any() or highest > _NEAR else 1.15 * highest
    # What is infinite leaves the chart at its top.
    initial, maintenance = (np.where(np.isposinf(values), 10 * _FAR, values) for values in (initial, maintenance))
    thin_x, thin_y = thin(x, maintenance)
    label = f"Maintenance margin, now {percent_text(float(known['maintenance_usage'].iloc[-1]))}"
    ax.fill_between(thin_x, thin_y, color=colours.series[1], alpha=0.5, linewidth=0, hatch="////",
                    edgecolor=colours.series[1], label=label)  # fmt: skip
    label = f"Initial margin, now {percent_text(float(known['usage'].iloc[-1]))}, highest {percent_text(highest)}"
    ax.plot(*thin(x, initial), color=colours.series[0], linewidth=1.6, label=label)
    kept = rows["source"].to_numpy(object) == "snapshot"
    if kept.any():
        ax.plot(x[kept], initial[kept], linestyle="none", marker="o", markersize=4, color=colours.text,
                label=f"Snapshots ({int(kept.sum()):,})")  # fmt: skip
    notes = [f"not drawn: {', '.join(others)}"] if others else []
    if top > 1:
        ax.axhline(1, color=colours.live, linewidth=1.5, label="Liquidation when maintenance margin reaches it")
    else:
        notes.insert(0, "all of the equity (100 %) lies above the chart")
    ax.set_ylim(0, top or 1)
    ax.margins(x=0.01)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis, percents())
    time_axis(ax)
    legend_below(ax, colours, notes=notes)
    return ax


def _wallet(highest: dict[str, float], wallet: str | None) -> tuple[str | None, list[str]]:
    """The wallet to draw, and those left out without having been asked for that used margin too."""
    if wallet is None:
        ranked = sorted(highest, key=lambda name: -highest[name])
        return (ranked[0] if ranked else None), [name for name in ranked[1:] if highest[name] > 0]
    if wallet not in highest:
        raise ArgumentError(f"wallet={wallet!r} is not in the history: it has {', '.join(highest) or 'none'}")
    return wallet, []


def _too_little(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "There is no margin usage in this period."
    return f"One moment only: {percent(float(rows['usage'].iloc[0]))} of equity at {moment(rows.index[0])}."
