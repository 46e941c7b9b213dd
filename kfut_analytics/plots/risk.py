"""Charts of margin and risk."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from ..margin import Margin, percent
from ..pnl import amount
from . import style
from .axis import legend_below, percents

_NAMED = 6  # positions with a colour of their own; the rest share the last one


def margin_usage(margin: Margin, ax: Axes | None = None, *, theme: style.ThemeName = "auto") -> Axes:
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
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If there is no such theme.
    """
    usage = margin.usage()
    held = margin.by_position()
    ax, colours = style.begin(
        ax, theme, (9.0, usage_height(margin)), title="Margin usage, part of equity", env=margin.env, as_of=margin.as_of
    )
    if held.empty:
        style.sentence(ax, colours, "No open positions: no margin is used.")
        return ax
    bars = usage[(usage["equity"] > 0) & usage["account"].isin(held["wallet"])].reset_index(drop=True)
    if bars.empty:
        style.sentence(ax, colours, "There is no equity to measure the margin against.")
        return ax
    _stacks(ax, colours, bars, held)
    low, high = bars.index - 0.4, bars.index + 0.4
    ax.vlines(bars["usage"], low, high, colors=colours.text, label="Initial margin, the exchange's own")
    ax.vlines(
        bars["maintenance_usage"], low, high, colors=colours.text, linestyles="dotted",
        label="Maintenance margin, the exchange's own",
    )  # fmt: skip
    ax.axvline(1, color=colours.live, linewidth=1.5, label="All of the equity")
    ax.set_xlim(0, max(1.02, 1.05 * float(_reach(bars, held).max())))
    ax.set_yticks(
        bars.index,
        [f"{row['account']}\n{_amount(row, 'equity')}" for row in bars.to_dict("records")],
        color=colours.text,
    )
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.grid(axis="x", color=colours.grid)
    ax.xaxis.set_major_formatter(percents())
    ax.tick_params(axis="y", length=0)
    legend_below(ax, colours)
    return ax


def usage_height(margin: Margin) -> float:
    """Height in inches that gives `margin_usage` bars of the same thickness whatever their number."""
    held = margin.by_position()
    return 1.4 + 0.6 * held["wallet"].nunique() + 0.1 * min(len(held) + 3, _NAMED + 4)


def _stacks(ax: Axes, colours: style.Theme, bars: pd.DataFrame, held: pd.DataFrame) -> None:
    wallets = list(bars["account"])
    held = held[held["wallet"].isin(wallets) & held["share_of_equity"].notna()]
    reached = dict.fromkeys(wallets, 0.0)
    for rank, (symbol, row) in enumerate(held.iterrows()):
        share = float(row["share_of_equity"])
        label = f"{symbol} {row['side']}, {_amount(row, 'initial_margin')} ({percent(share)})"
        if rank >= _NAMED:
            label = f"{len(held) - _NAMED} more" if rank == _NAMED else ""
        ax.barh(
            wallets.index(row["wallet"]),
            share,
            left=reached[row["wallet"]],
            height=0.55,
            color=colours.series[min(rank, _NAMED)],
            edgecolor=colours.background,
            label=label or "_nolegend_",
        )
        reached[row["wallet"]] += share


def _reach(bars: pd.DataFrame, held: pd.DataFrame) -> pd.Series[float]:
    """How far each wallet's bar and marks reach, part of equity."""
    stack = bars["account"].map(held.groupby("wallet")["share_of_equity"].sum()).fillna(0.0)
    return pd.concat([stack, bars["usage"], bars["maintenance_usage"]], axis=1).max(axis=1)


def _amount(row: Any, column: str) -> str:
    return f"{amount(float(row[column]), str(row['currency']))} {row['currency']}"
