"""Charts of a million points to a PNG of 1,000 x 400 pixels: ``python -m tests.benchmarks.charts [name …]``.

Each chart is measured in turn with empty axes, without and with a layout engine (which makes room for title and
legend and draws everything twice), and with the plain matplotlib drawing of one such series, in one run; the ratios
carry over to other machines, seconds do not. What is measured begins with the frame that a user has and ends with the
picture; accounting for a log is measured in `tests.benchmarks.ledger`. ``--points 1e5`` takes fewer.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kfut_analytics import plots, risk_tables, schema
from kfut_analytics.pnl import PnL, pnl

START = pd.Timestamp("2026-01-01", tz="UTC")


def walk(points: int, seed: int) -> Any:
    return 100 + np.cumsum(np.random.default_rng(seed).normal(size=points)) / 50


def times(points: int) -> pd.DatetimeIndex:
    return pd.date_range(START, periods=points, freq="10s", name="time", unit="us")


def candles(points: int, seed: int = 1) -> pd.DataFrame:
    close = walk(points, seed)
    columns = {"open": close, "high": close + 0.1, "low": close - 0.1, "close": close, "volume": close}
    return pd.DataFrame(columns, index=times(points))


def fills(points: int) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "time": times(points),
            "symbol": "PF_XBTUSD",
            "side": np.where(rng.random(points) < 0.5, "buy", "sell"),
            "size": rng.random(points),
            "price": walk(points, 1),
        }
    )


def ledger(points: int) -> PnL:
    rng = np.random.default_rng(3)
    log = schema.ACCOUNT_LOG.frame(
        {
            "id": np.arange(1, points + 1).tolist(),
            "time": (times(points).asi8 // 1000).tolist(),
            "info": ["futures trade"] * points,
            "account": ["flex"] * points,
            "asset": ["USD"] * points,
            "contract": ["PF_XBTUSD"] * points,
            "realized_pnl": rng.normal(size=points).tolist(),
            "fee": rng.random(points).tolist(),
            "realized_funding": rng.normal(size=points).tolist(),
            "change": [0.0] * points,
        }
    )
    made = pnl(log)
    cumulative, totals = made.cumulative(), made.by()
    made.cumulative, made.by = lambda: cumulative, lambda *keys: totals  # type: ignore[method-assign]
    return made


def history(points: int) -> pd.DataFrame:
    usage = np.abs(walk(points, 4)) / 300
    frame = risk_tables.MARGIN_HISTORY.frame({})
    columns = {"account": "flex", "source": "rebuilt", "usage": usage, "maintenance_usage": usage / 2}
    return pd.DataFrame(columns, index=times(points)).reindex(columns=frame.columns)


def equity(points: int) -> Any:
    value = walk(points, 5)
    peak = np.maximum.accumulate(value)
    columns = {"equity": value, "external_flow": 0.0, "return": 0.0, "drawdown": value / peak - 1}
    return SimpleNamespace(frame=pd.DataFrame(columns, index=times(points)), currency="USD", env="paper",
                           end=times(points)[-1])  # fmt: skip


def trips(points: int) -> pd.DataFrame:
    opened = pd.Series(times(points))
    return pd.DataFrame(
        {
            "currency": "USD",
            "side": np.where(np.arange(points) % 2, "long", "short"),
            "opened": opened,
            "closed": opened + pd.Timedelta("1h"),
            "net": np.random.default_rng(6).normal(size=points),
        }
    )


def rates(points: int) -> pd.DataFrame:
    return pd.DataFrame({"relative_funding_rate": (walk(points, 7) - 100) / 1e6}, index=times(points))


CHARTS: dict[str, Callable[[int], Callable[[Axes], Any]]] = {
    "price": lambda n: partial(plots.price, candles(n)),
    "price and fills": lambda n: partial(plots.price, candles(n), fills=fills(n), symbol="PF_XBTUSD"),
    "basis": lambda n: partial(plots.basis, candles(n), candles(n, 8)),
    "funding_rates": lambda n: partial(plots.funding_rates, rates(n)),
    "pnl": lambda n: partial(plots.pnl, ledger(n)),
    "equity_curve": lambda n: partial(plots.equity_curve, equity(n)),
    "underwater": lambda n: partial(plots.underwater, equity(n)),
    "margin_history": lambda n: partial(plots.margin_history, history(n)),
    "round_trips": lambda n: partial(plots.round_trips, trips(n)),
    "pnl_distribution": lambda n: partial(plots.pnl_distribution, trips(n)),
}


LAYOUTS = (None, "constrained")


def png(draw: Callable[[Axes], Any], layout: str | None) -> bytes:
    figure = Figure(figsize=(10, 4), dpi=100, layout=layout)
    draw(figure.subplots())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def plain(points: int) -> Callable[[Axes], Any]:
    x, y = times(points).tz_convert(None).to_numpy(), walk(points, 1)
    return lambda ax: ax.plot(x, y)


def seconds(work: Callable[[], Any]) -> float:
    """Of the processor, which other work on the machine disturbs least."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CHARTS)}; all by default")
    parser.add_argument("--points", type=float, default=1e6)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    points = int(given.points)
    print(f"{'':18s}{'no layout engine':>32s}{'constrained layout':>32s}{'of which':>10s}")
    print(
        f"{'':18s}{'ms':>8s}{'x empty':>12s}{'x plain':>12s}{'ms':>8s}{'x empty':>12s}{'x plain':>12s}{'data, ms':>10s}"
    )
    for name in given.names or CHARTS:
        chart = CHARTS[name](points)
        draws = {"chart": chart, "few": CHARTS[name](100), "empty": lambda ax: None, "plain": plain(points)}
        works = {(what, layout): partial(png, draw, layout) for what, draw in draws.items() for layout in LAYOUTS}
        taken: dict[Any, list[float]] = {key: [] for key in works}
        for run in range(given.runs + 1):
            for key, work in works.items():
                once = seconds(work)
                if run:  # the first one warms up
                    taken[key].append(once)
        ms = {key: 1000 * statistics.median(values) for key, values in taken.items()}
        line = f"{name:18s}"
        for layout in LAYOUTS:
            whole = ms["chart", layout]
            line += f"{whole:8.0f}{whole / ms['empty', layout]:12.1f}{whole / ms['plain', layout]:12.2f}"
        print(f"{line}{ms['chart', None] - ms['few', None]:10.0f}")


if __name__ == "__main__":
    main()
