"""What it costs to hold a contract: funding, basis, and the term structure."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .. import settings
from ..contracts import is_inverse
from ..times import TimeLike
from . import style
from .axis import fitting, legend_below, number_axis, percents, time_axis
from .frames import Floats, as_of_of, checked, env_of, last_time, numbers, of_symbol, snapshot_time, utc
from .text import counted, moment, percent_text
from .thin import thin

_HOURS = {"hour": 1, "day": 24, "year": 24 * 365}


def funding_rates(
    funding_rates: pd.DataFrame,
    ax: Axes | None = None,
    *,
    per: Literal["hour", "day", "year"] = "year",
    symbol: str | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Funding rates of one or several perpetuals, relative to the index price; longs pay where they are positive.

    Of several contracts the first are drawn, as many as can be told apart.

    Parameters
    ----------
    funding_rates
        The frame of ``client.funding_rates(…)``, of one contract or several.
    ax
        Where to draw; a new figure by default.
    per
        ``"hour"`` is how the exchange states them; a day's and a year's rate are that many hours of it, not compounded.
    symbol
        Draw this contract only, or say which one ``funding_rates`` is of.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If the frame lacks columns, or ``per`` is another span.
    """
    frame = checked(funding_rates, "funding_rates", ["time", "relative_funding_rate"], "client.funding_rates()")
    settings.one_of("per", per, tuple(_HOURS))
    if symbol is None and "symbol" in frame.index.names:
        known = list(frame.index.unique("symbol"))
        each = [(str(name), of_symbol(frame, "funding_rates", str(name))[0]) for name in known]
    else:
        rows, symbol = of_symbol(frame, "funding_rates", symbol)
        each = [(symbol or "Rate", rows)]
    each = [(name, rows.loc[rows["relative_funding_rate"].notna()]) for name, rows in each]
    named = f" of {each[0][0]}" if len(each) == 1 and each[0][0] != "Rate" else ""
    ax, colours = style.begin(
        ax, theme, style.WIDE, title=f"Funding rate{named}, per {per}", env=env_of(env, frame),
        as_of=as_of_of(as_of, last_time(frame.index.get_level_values("time"))),
    )  # fmt: skip
    if sum(map(len, (rows for _, rows in each))) < 2:
        return style.sentence(ax, colours, _too_few_rates(each, per))
    each = [(name, rows) for name, rows in each if len(rows)]
    rates = [numbers(rows["relative_funding_rate"]) * _HOURS[per] for _, rows in each]
    labels = [
        f"{name} {percent_text(rate[-1], sign=True)}, mean {percent_text(float(rate.mean()), sign=True)}"
        for (name, _), rate in zip(each, rates, strict=True)
    ]
    shown = min(fitting(ax, labels), len(style.DASHES) * 2)
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    for rank, (label, (_, rows), rate) in enumerate(zip(labels[:shown], each, rates, strict=False)):
        x = utc(rows.index)
        x = np.append(x, x[-1] + np.timedelta64(1, "h"))  # the last rate holds for an hour
        _steps(ax, colours, rank, x, np.append(rate, rate[-1]), label, filled=len(each) == 1)
    ax.margins(x=0.01)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis, percents())
    time_axis(ax)
    legend_below(
        ax, colours, notes=[f"not drawn: {counted(len(labels) - shown, 'other')}"] if shown < len(labels) else []
    )
    return ax


def basis(
    mark: pd.DataFrame,
    index: pd.DataFrame,
    ax: Axes | None = None,
    *,
    symbol: str | None = None,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Basis through time: by how much of the index price the mark price lies above it.

    Parameters
    ----------
    mark, index
        The frames of ``client.candles(symbol, …, tick_type="mark")`` and of the same with ``"spot"``; candles at times
        that only one of the two has are left out.
    ax
        Where to draw; a new figure by default.
    symbol
        The contract; needed where the frames have several, or do not say which one they are of.
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
    closes = {}
    for name, frame, kind in (("mark", mark, "mark"), ("index", index, "spot")):
        source = f'client.candles(…, tick_type="{kind}")'
        candles, symbol = of_symbol(checked(frame, name, ["time", "close"], source), name, symbol)
        closes[name] = pd.Series(numbers(candles["close"]), index=pd.DatetimeIndex(candles.index))
    joined = pd.DataFrame(closes).dropna()
    ax, colours = style.begin(
        ax, theme, style.WIDE, title=f"Basis{f' of {symbol}' if symbol else ''}, mark against index",
        env=env_of(env, mark, index), as_of=as_of_of(as_of, last_time(joined.index)),
    )  # fmt: skip
    if len(joined) < 2:
        return style.sentence(ax, colours, _too_few_candles(joined))
    x, share = utc(joined.index), numbers(joined["mark"] / joined["index"] - 1)
    said = f"Now {percent_text(share[-1], sign=True)}, mean {percent_text(float(share.mean()), sign=True)}"
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    _steps(ax, colours, 0, x, share, said, filled=True, stepped=False)
    ax.margins(x=0.01)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis, percents())
    time_axis(ax)
    legend_below(ax, colours)
    return ax


def _steps(
    ax: Axes,
    colours: style.Theme,
    rank: int,
    x: np.ndarray[tuple[int], np.dtype[np.datetime64]],
    y: Floats,
    label: str,
    *,
    filled: bool,
    stepped: bool = True,
) -> None:
    x, y = thin(x, y)
    ax.plot(
        x, y, label=label, linewidth=1.3, drawstyle="steps-post" if stepped else "default", **style.line(colours, rank)
    )
    if filled:
        ax.fill_between(x, y, color=colours.series[rank], alpha=0.25, linewidth=0, step="post" if stepped else None)


def term_structure(
    tickers: pd.DataFrame,
    instruments: pd.DataFrame,
    ax: Axes | None = None,
    *,
    underlying: str | None = None,
    annualized: bool = False,
    theme: style.ThemeName = "auto",
    env: str | None = None,
    as_of: TimeLike | None = None,
) -> Axes:
    """Term structure: basis of the dated contracts by expiry, with the perpetual at its beginning.

    Linear contracts (dots) and inverse contracts (rings) on the same underlying are lines of their own.

    Parameters
    ----------
    tickers, instruments
        The frames of the client's methods of these names.
    ax
        Where to draw; a new figure by default.
    underlying
        Such as ``"XBTUSD"``; by default all that have dated contracts.
    annualized
        Draw the basis times 365 days over the days to expiry; perpetuals, which have none, are left out.
    theme, env, as_of
        See `kfut_analytics.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError
        If a frame lacks columns, or no contract is on that underlying.
    """
    tickers = checked(tickers, "tickers", ["symbol", "mark_price", "index_price"], "client.tickers()")
    instruments = checked(instruments, "instruments", ["symbol", "last_trading_time"], "client.instruments()")
    now = as_of_of(as_of, snapshot_time(tickers), last_time(tickers.get("last_time", pd.Series())))
    curve = _curve(tickers, instruments, now)
    dated = sorted(curve.loc[~curve["perpetual"], "underlying"].unique())
    if underlying is not None:
        settings.one_of("underlying", underlying.upper(), tuple(sorted(curve["underlying"].unique())))
        dated = [underlying.upper()]
    curve = curve[curve["underlying"].isin(dated) & ~(annualized & curve["perpetual"])]
    ax, colours = style.begin(
        ax, theme, style.WIDE, title=f"Term structure, basis{' per year' if annualized else ''} by expiry",
        env=env_of(env, tickers, instruments), as_of=now,
    )  # fmt: skip
    if curve.empty:
        return style.sentence(ax, colours, "There are no dated contracts with a mark and an index price.")
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    column = "annualized" if annualized else "basis"
    for rank, (name, both) in enumerate(curve.groupby("underlying")):
        # Where the two kinds lie on each other, the dot is seen inside the ring.
        for kind, size, fill, dashes in (("inverse", 9, "none", "dashed"), ("linear", 5, "full", "solid")):
            points = both[both["kind"] == kind]
            if len(points):
                ax.plot(
                    utc(points["expiry"]), numbers(points[column]), marker="osD^v"[rank % 5], markersize=size,
                    fillstyle=fill, color=colours.series[rank % len(colours.series)], linestyle=dashes,
                    label=f"{name} {kind}",
                )  # fmt: skip
    ax.margins(x=0.03, y=0.1)
    ax.grid(axis="y", color=colours.grid)
    number_axis(ax.yaxis, percents())
    time_axis(ax)
    legend_below(ax, colours)
    return ax


def _curve(tickers: pd.DataFrame, instruments: pd.DataFrame, now: pd.Timestamp | None) -> pd.DataFrame:
    """One row per perpetual and dated contract that can be placed, by underlying, kind and expiry."""
    mark, index = tickers["mark_price"], tickers["index_price"]
    expiry = instruments["last_trading_time"].reindex(tickers.index)
    symbols = tickers.index.astype("str")
    frame = pd.DataFrame(
        {
            "underlying": [[*symbol.split("_"), symbol][1] for symbol in symbols],
            "kind": ["inverse" if is_inverse(symbol) else "linear" for symbol in symbols],
            "perpetual": expiry.isna().to_numpy(),
            "expiry": expiry.fillna(now).to_numpy() if now is not None else expiry.to_numpy(),
            "basis": (mark / index - 1).to_numpy("float64"),
        },
        index=symbols,
    )
    frame["expiry"] = pd.to_datetime(frame["expiry"], utc=True)
    if now is not None:
        days = (frame["expiry"] - now) / pd.Timedelta(days=1)
        frame["annualized"] = frame["basis"] * 365 / days.where(days > 0)
    frame = frame[frame["basis"].notna() & frame["expiry"].notna()]
    return frame.sort_values(["underlying", "kind", "expiry"])


def _too_few_rates(each: list[tuple[str, pd.DataFrame]], per: str) -> str:
    for name, rows in each:
        if len(rows):
            rate = percent_text(float(rows["relative_funding_rate"].iloc[0]) * _HOURS[per], sign=True)
            return f"One rate only: {name} {rate} per {per} from {moment(rows.index[0])}."
    return "No funding rates in this period."


def _too_few_candles(joined: pd.DataFrame) -> str:
    if joined.empty:
        return "Mark and index prices have no time in common."
    share = percent_text(float(joined["mark"].iloc[0] / joined["index"].iloc[0] - 1), sign=True)
    return f"One pair of prices only: {share} on {moment(joined.index[0])}."
