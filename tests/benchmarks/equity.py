"""An account valued through time: 50 contracts over a year of hours, a million log entries.

``python -m tests.benchmarks.equity [rows …]`` prints one table per size. The log and the candles are at hand, as they
are once they have been fetched; what is measured is everything from there to the tables of an `Equity`. Seconds are
the processor's; the floor is copying the columns of the log and of the candles once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from kfut_analytics.accounting.ledger import Ledger, cash_of
from kfut_analytics.accounting.prices import FundingLine, PriceLine, Rates
from kfut_analytics.accounting.timeline import timeline
from kfut_analytics.accounting.track import track_of
from kfut_analytics.accounting.valuation import Books
from kfut_analytics.equity import Equity
from kfut_analytics.price_history import Span
from tests.benchmarks.ledger import CONTRACTS, copied, made_log, seconds

START, HOURS = pd.Timestamp("2025-11-01", tz="UTC"), 365 * 24
STEP = pd.Timedelta("1h")
END = START + HOURS * STEP
COIN = "X40"
TABLES: dict[str, Callable[[Equity], Any]] = {
    "frame": lambda equity: equity.frame,
    "by_wallet": Equity.by_wallet,
    "daily, monthly": lambda equity: (equity.daily("Europe/Berlin"), equity.monthly()),
    "drawdowns": Equity.drawdowns,
    "flows": Equity.flows,
    "bridge": Equity.bridge,
    "summary": Equity.summary,
    "notes": Equity.notes,
}


def year_of(rows: int) -> pd.DataFrame:
    """A consistent log, its entries spread over the year."""
    log = made_log(rows)
    spread = np.linspace(0, HOURS * 3_600_000_000, len(log)).astype("timedelta64[us]")
    log["time"] = pd.DatetimeIndex(START.tz_localize(None).to_datetime64().astype("datetime64[us]") + spread, tz="UTC")
    return log


def candles_of(seed: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    path = 100.0 * np.exp(np.cumsum(chance.normal(0, 0.005, HOURS + 1)))
    index = pd.date_range(START, periods=HOURS, freq="1h", unit="us", name="time")
    return pd.DataFrame({"open": path[:-1], "close": path[1:]}, index=index)


def valued(log: pd.DataFrame, candles: dict[str, pd.DataFrame], rates: dict[str, pd.DataFrame]) -> Equity:
    ledger = Ledger(log)
    cash = cash_of(ledger)
    track = track_of(ledger, cash)
    lines = {name: PriceLine.of_candles(frame, STEP, END) for name, frame in candles.items()}
    usd = dict.fromkeys((COIN, *(name[3:-3] for name in CONTRACTS)), lines[CONTRACTS[0]])
    funding = {name: FundingLine.of_rates(frame) for name, frame in rates.items()}
    books = Books(ledger, cash, track, timeline(ledger, track), Rates("USD", usd), lines, funding)
    times = Span(START, END, END, "1h").times
    books.check(times)
    return Equity(
        books, times, currency="USD", resolution="1h", env="paper", account_name="", price_notes=[], exchange=None
    )


def measure(rows: int) -> None:
    log = year_of(rows)
    candles = {name: candles_of(number) for number, name in enumerate(CONTRACTS)}
    rates = {name: pd.DataFrame({"funding_rate": frame["open"] * 1e-6}) for name, frame in candles.items()}
    frames = [*candles.values(), *rates.values()]
    floor = seconds(lambda: [copied(frame) for frame in (log, *frames)], 3)
    made = seconds(lambda: valued(log, candles, rates), 3)
    equity = valued(log, candles, rates)
    print(f"{len(log):,} rows, {len(CONTRACTS)} contracts, {HOURS:,} hours: columns copied in {floor:.3f} s")
    print(f"  {'read and followed':20}{made:8.3f} s  {made / floor:6.1f} times the copy")
    total = made
    for name, table in TABLES.items():
        spent = seconds(lambda table=table: table(equity), 1)  # type: ignore[misc]
        total += spent
        print(f"  {name:20}{spent:8.3f} s  {spent / floor:6.1f}")
    print(f"  {'all':20}{total:8.3f} s  {total / floor:6.1f} times the copy", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=[1_000_000])
    for rows in parser.parse_args().rows:
        measure(rows)


if __name__ == "__main__":
    main()
