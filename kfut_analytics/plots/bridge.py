"""The P&L bridge: from start to end equity, cause by cause."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from ..equity import Equity
from ..pnl import PnL, amount
from ..times import TimeLike
from . import style
from .accounting import chosen_currency
from .axis import legend_below
from .frames import as_of_of, checked, env_of, last_time
from .rows import BAR, beside, height, largest, most_rows, name_rows
from .text import minus

_LABELS = {"kfee": "KFEE", "transfer": "Transfers", "conversion": "Conversions", "price P&L": "Realised P&L"}
_WORDS = {"price P&L": "realised", "unrealised P&L": "unrealised"}
_ALWAYS = {"start equity", "fees", "funding", "unexplained", "end equity"}
"""Told even where they are zero: nothing unexplained is news."""
_SQUEEZED = 4.0
"""How many times the range of what follows transfers may take before the axis is cut."""


def bridge(
    bridge: PnL | Equity | pd.DataFrame,
    ax: Axes | None = None,
    *,
    currency: str | None = None,
    most: int = 10,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Waterfall from start to end equity: transfers, P&L by contract, fees, funding and whatever else changed it.

    Each bar begins where the one above ended. Vertical strokes are the equities. The axis need not begin at zero, and
    where transfers would squeeze the rest it shows the rest only: an arrow then points to the start, and the bar of
    the transfers is cut.

    Parameters
    ----------
    bridge
        What ``kfut.equity(client)`` or ``kfut.pnl(log)`` returned, or the frame of their ``bridge(…)``. Of what is
        open, and of other currencies, the log alone does not know the value.
    ax
        Where to draw; a new figure by default.
    currency
        Of a bridge from the log alone; USD where it occurs, else the first.
    most
        Contracts with a bar of their own, as far as there is room; the rest share one.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns, or the log has no balance in that currency.
    """
    if isinstance(bridge, PnL):
        env, as_of = env or bridge.env, as_of or last_time(bridge.log["time"])
        currency, _ = chosen_currency(bridge.reconcile(), currency)
        frame = bridge.bridge(currency) if len(bridge.log) else pd.DataFrame(columns=["item", "contract", "amount"])
    else:
        bridge = bridge.bridge() if isinstance(bridge, Equity) else bridge
        frame = checked(bridge, "bridge", ["item", "contract", "amount"], "kfut.pnl(log).bridge()")
        currency = currency or str(frame.attrs.get("units", {}).get("amount", ""))
    steps = _steps(frame, most_rows(ax, most + 8) - 8)
    names = [name for name, _ in steps]
    last = len(steps) - 1
    texts = [minus(amount(value, currency, sign=0 < row < last)) for row, (_, value) in enumerate(steps)]
    sides = beside(names, texts, {0, last})
    ax, colours = style.begin(
        ax, theme, (style.WIDE[0], height(len(steps))), title=f"From start to end equity, {currency}".rstrip(", "),
        env=env_of(env, frame), as_of=as_of_of(as_of, frame.attrs.get("as_of")), beside=sides,
    )  # fmt: skip
    if frame.empty:
        return style.sentence(ax, colours, "There is no entry in this period, so nothing changed.")
    _waterfall(ax, colours, steps)
    name_rows(ax, colours, names, texts, bold={0, last})
    handles = [Patch(color=colours.gain, label="More"), _less(colours)]
    legend_below(ax, colours, handles, left=sides[0])
    return ax


def _steps(frame: pd.DataFrame, most: int) -> list[tuple[str, float]]:
    """Name and amount of each bar, top to bottom, transfers first."""
    rows: list[tuple[str, float]] = []
    for item in sorted(frame["item"].unique(), key=lambda item: (item != "start equity", item != "transfer")):
        causes = frame[frame["item"] == item]
        causes = causes if item in _ALWAYS else causes[causes["amount"] != 0]
        own = causes[causes["contract"].notna()].set_index("contract")["amount"].sort_values(ascending=False)
        first, rest = largest(own, max(most, 1))
        rows += [(f"{contract} {_WORDS.get(item, item)}", float(own[contract])) for contract in first]
        if len(rest):
            rows.append((f"{len(rest)} others {_WORDS.get(item, item)}", float(own[rest].sum())))
        label = _LABELS.get(item, f"{item[0].upper()}{item[1:]}")
        for cause in causes[causes["contract"].isna()].to_dict("records"):
            code = cause.get("currency")
            rows.append((f"{label} {code}" if isinstance(code, str) else label, float(cause["amount"])))
    return rows


def _waterfall(ax: Axes, colours: style.Theme, steps: list[tuple[str, float]]) -> None:
    values = np.array([value for _, value in steps])
    # What is reached above each row; the end equity is what is reached above it.
    reached = np.cumsum(values[:-1])
    for row, value in enumerate(values[1:-1], start=1):
        bar = ax.barh(row, value, left=reached[row - 1], height=BAR, color=colours.gain, linewidth=0)
        if value < 0:
            bar[0].set(facecolor=colours.loss, hatch="////", edgecolor=colours.background)
    ax.vlines(reached, np.arange(len(reached)), np.arange(1, len(reached) + 1), color=colours.muted, linewidth=0.8)
    rows = [0, len(values) - 1]
    ax.vlines(
        values[rows], [row - BAR / 2 for row in rows], [row + BAR / 2 for row in rows], color=colours.text, linewidth=3
    )
    moved = 1 if steps[1][0] == _LABELS["transfer"] else 0
    near = np.ptp(reached[moved:]) or abs(values[-1]) or 1.0
    if moved and np.ptp(reached) > _SQUEEZED * near:
        _cut(ax, colours, (reached[moved:].min(), reached[moved:].max()), values[0])
    else:
        ax.use_sticky_edges = False
        ax.margins(x=0.03)


def _cut(ax: Axes, colours: style.Theme, span: tuple[float, float], start: float) -> None:
    """Show a part of the axis, with an arrow where the start lies beyond it."""
    pad = 0.06 * (span[1] - span[0])
    ax.set_xlim(span[0] - pad, span[1] + pad)
    left = start < span[0]
    ax.plot(
        0 if left else 1, 0, marker="<" if left else ">", color=colours.text, clip_on=False,
        transform=ax.get_yaxis_transform(),
    )  # fmt: skip


def _less(colours: style.Theme) -> Patch:
    return Patch(facecolor=colours.loss, hatch="////", edgecolor=colours.background, linewidth=0, label="Less")
