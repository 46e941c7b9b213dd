"""The equity curve, and how far it is under water."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..equity import Equity
from ..errors import ArgumentError
from ..pnl import amount
from ..times import TimeLike
from . import style
from .axis import legend_below, number_axis, percents, time_axis
from .frames import as_of_of, numbers, utc
from .text import minus, moment, percent_text
from .thin import thin


def equity(
    equity: Equity,
    ax: Sequence[Axes] | NDArray[Any] | None = None,
    *,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> NDArray[np.object_]:
    """`equity_curve` above `underwater`, as one figure with two panels.

    Parameters
    ----------
    equity
        What ``kfut.equity(client)`` returned.
    ax
        Two Axes to draw on; a new figure by default.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    array of two Axes

    Raises
    ------
    ArgumentError
        If ``ax`` is given and is not two Axes.
    """
    panels = style.panels(theme, (style.WIDE[0], 6.0), [2, 1]) if ax is None else np.asarray(ax, dtype=object).ravel()
    if len(panels) != 2 or not all(isinstance(panel, Axes) for panel in panels):
        raise ArgumentError(f"ax={ax!r} is not two Axes: for one draw kfut.plots.equity_curve or kfut.plots.underwater")
    for draw, panel in zip((equity_curve, underwater), panels, strict=True):
        draw(equity, panel, theme=theme, env=env, as_of=as_of)
    return panels


def equity_curve(
    equity: Equity,
    ax: Axes | None = None,
    *,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Account value through time, and what was paid in: equity at the start and external flows since.

    The area between the two is what was made (above) or lost (below).

    Parameters
    ----------
    equity
        What ``kfut.equity(client)`` returned.
    ax
        Where to draw; a new figure by default.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes
    """
    frame = equity.frame
    ax, colours = style.begin(
        ax, theme, style.WIDE, title=f"Equity, {equity.currency}", env=env or equity.env,
        as_of=as_of_of(as_of, equity.end),
    )  # fmt: skip
    value, flow = numbers(frame["equity"]), np.nan_to_num(numbers(frame["external_flow"]))
    known = ~np.isnan(value)
    if known.sum() < 2 or not (value[known].any() or flow.any()):
        return style.sentence(ax, colours, _too_little(equity, value, known))
    first = int(known.argmax())
    paid_in = value[first] + np.cumsum(flow) - np.cumsum(flow)[first]
    x = utc(frame.index)
    # Thinned by the same times, the two still belong together.
    (thin_x, thin_value), (_, thin_paid) = thin(x, value), thin(x, paid_in)
    for edge, colour, hatch in ((np.fmax, colours.gain, None), (np.fmin, colours.loss, "////")):
        reached = edge(thin_value, thin_paid)
        ax.fill_between(thin_x, thin_paid, reached, color=colour, alpha=0.25, linewidth=0, hatch=hatch)
    end, paid = value[known][-1], paid_in[known][-1]
    ax.plot(
        thin_x, thin_paid, drawstyle="steps-post", color=colours.muted, linestyle="dashed", linewidth=1.3,
        label=f"Paid in {minus(amount(paid, equity.currency))}",
    )  # fmt: skip
    ax.plot(thin_x, thin_value, color=colours.text, linewidth=1.6,
            label=f"Equity {minus(amount(end, equity.currency))}")  # fmt: skip
    ax.margins(x=0.01)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis)
    time_axis(ax)
    legend_below(ax, colours, notes=[f"made {minus(amount(end - paid, equity.currency, sign=True))}"])
    return ax


def underwater(
    equity: Equity,
    ax: Axes | None = None,
    *,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Drawdown through time: growth of the account less the highest it had been, without external flows.

    Parameters
    ----------
    equity
        What ``kfut.equity(client)`` returned.
    ax
        Where to draw; a new figure by default.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes
    """
    frame = equity.frame
    drawdown = frame["drawdown"]
    ax, colours = style.begin(
        ax, theme, (style.WIDE[0], 3.0), title="Drawdown from the highest value, time-weighted",
        env=env or equity.env, as_of=as_of_of(as_of, equity.end),
    )  # fmt: skip
    known = drawdown.dropna()
    if len(known) < 2 or frame["return"].isna().all():
        return style.sentence(ax, colours, "There is too little history for a drawdown.")
    x, y = thin(utc(drawdown.index), numbers(drawdown))
    deepest = f"Deepest {percent_text(float(known.min()))} on {moment(known.index[int(known.argmin())])}"
    ax.fill_between(x, y, color=colours.loss, alpha=0.3, linewidth=0)
    ax.plot(x, y, color=colours.loss, linewidth=1.2, label=f"Now {percent_text(float(known.iloc[-1]))}")
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    ax.margins(x=0.01)
    ax.set_ylim(top=0)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis, percents())
    time_axis(ax)
    legend_below(ax, colours, notes=[deepest])
    return ax


def _too_little(equity: Equity, value: NDArray[np.float64], known: NDArray[np.bool_]) -> str:
    if not value[known].any():
        return "There was nothing in the account in this period."
    one = amount(float(value[known][0]), equity.currency)
    return f"One moment only: {minus(one)} {equity.currency} at {moment(equity.frame.index[int(known.argmax())])}."
