"""An account log to all tables of `kfut.pnl`: time and memory against copying the columns that are read.

``python -m tests.benchmarks.ledger [rows …]`` prints one table per size, 1,000,000 rows by default. Each size runs in a
process of its own; seconds are the processor's, medians of three runs. The lots are shown apart: first in, first out
is on request.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from kfut_analytics import schema
from kfut_analytics.accounting.scan import average_entry
from kfut_analytics.pnl import PnL, pnl
from tests.benchmarks.decode import peak

CONTRACTS = [f"PF_X{number:02}USD" for number in range(40)] + [f"PI_X{number:02}USD" for number in range(10)]
TABLES: dict[str, Callable[[PnL], Any]] = {
    "summary": PnL.summary,
    "by_contract": PnL.by_contract,
    "by_kind": PnL.by_kind,
    "by contract, side, month": lambda result: result.by("contract", "side", "month"),
    "daily": lambda result: result.daily("Europe/Berlin"),
    "cumulative": PnL.cumulative,
    "reconcile": PnL.reconcile,
    "gaps": PnL.gaps,
    "notes": PnL.notes,
    "transfers, flows, other": lambda result: (result.transfers(), result.cash_flows(), result.other()),
    "conversions": PnL.conversions,
    "round_trips": PnL.round_trips,
    "bridge": PnL.bridge,
}
LOTS: dict[str, Callable[[PnL], Any]] = {
    "lots average": PnL.lots,
    "lots fifo": lambda result: result.lots("fifo"),
    "check_lots fifo": lambda result: result.check_lots("fifo"),
}


def made_log(rows: int) -> pd.DataFrame:
    """A consistent log: trades with two legs, funding every few entries, a transfer now and then."""
    chance = np.random.default_rng(7)
    events = rows * 4 // 7
    kind = chance.choice(3, events, p=[0.75, 0.24, 0.01])  # trade, funding, transfer
    contract = chance.integers(0, len(CONTRACTS), events)
    inverse = contract >= 40
    price = 100.0 * np.exp(np.cumsum(chance.normal(0, 1e-4, events)))
    order = np.argsort(contract, kind="stable")
    delta = chance.integers(-9, 10, events)
    delta[(kind == 0) & (delta == 0)] = 1
    delta[kind != 0] = 0
    position = np.empty(events, dtype=np.int64)
    total = np.cumsum(delta[order])
    first = np.flatnonzero(np.diff(contract[order], prepend=-1))
    position[order] = total - np.repeat(total[first] - delta[order][first], np.diff(np.append(first, events)))
    before, after = position - delta, position
    entry = price * (1 + chance.normal(0, 1e-3, events))
    closing = np.abs(after) < np.abs(before)
    gross = np.where(closing, np.round(-delta * (price - entry), 4), 0.0)
    fee = np.where(kind == 0, np.round(np.abs(delta) * price * 5e-4, 4), 0.0)
    paid = np.where(kind == 1, np.round(chance.normal(0, 0.1, events), 4), 0.0)
    money = np.where(kind == 2, np.round(chance.normal(0, 100, events), 2), gross - fee + paid)
    coin = inverse & (kind != 2)
    balance = np.empty(events)
    for wallet in (False, True):
        balance[coin == wallet] = np.round(np.cumsum(money[coin == wallet]), 6)
    leg = np.repeat(np.arange(events), np.where(kind == 0, 2, 1))
    is_leg = np.append(leg[1:] == leg[:-1], False)
    names = np.array(CONTRACTS, dtype=object)[contract[leg]]
    currency = np.where(coin[leg], np.array([f"X{number:02}" for number in range(50)], dtype=object)[40], "USD")
    infos = np.array(["futures trade", "funding rate change", "cross-exchange transfer"], dtype=object)[kind[leg]]
    previous = np.empty(events)
    for wallet in (False, True):
        previous[coin == wallet] = np.append(0.0, balance[coin == wallet][:-1])
    old = np.where(is_leg, before[leg] / 10, previous[leg])
    new = np.where(is_leg, after[leg] / 10, balance[leg])
    trade = kind[leg] == 0
    data = {
        "id": np.arange(1, len(leg) + 1),
        "time": (np.datetime64("2024-01-01", "us") + np.arange(events) * np.timedelta64(3, "s"))[leg],
        "info": infos,
        "account": np.where(coin[leg], "fi_x40usd", "flex").astype(object),
        "asset": np.where(is_leg, names, currency),
        "contract": np.where(kind[leg] == 2, None, names),
        "old_balance": old,
        "new_balance": new,
        "change": new - old,
        "new_entry_price": np.where(is_leg, entry[leg], np.nan),
        "trade_price": np.where(trade, price[leg], np.nan),
        "mark_price": np.where(trade, price[leg], np.nan),
        "realized_pnl": np.where(is_leg, np.nan, gross[leg]),
        "fee": np.where(is_leg, np.nan, fee[leg]),
        "realized_funding": np.where(is_leg, np.nan, paid[leg]),
        "execution_id": np.array([f"{number:032x}" for number in range(events)], dtype=object)[leg],
    }
    data["execution_id"][~trade] = None
    for column in schema.ACCOUNT_LOG.columns:
        if column.name not in data:
            data[column.name] = np.full(len(leg), None if column.kind == "str" else np.nan)
    return schema.ACCOUNT_LOG.frame_of(data)


def seconds(work: Callable[[], Any], repeats: int) -> float:
    spent = []
    for _ in range(repeats):
        gc.collect()
        begin = time.process_time()
        kept = work()
        spent.append(time.process_time() - begin)
        del kept
    return statistics.median(spent)


def copied(log: pd.DataFrame) -> list[Any]:
    """The floor: each column copied once."""
    return [log[name].array.copy() for name in log.columns]


def everything(log: pd.DataFrame) -> list[Any]:
    result = pnl(log)
    return [table(result) for table in TABLES.values()]


def measure(rows: int) -> None:
    log = made_log(rows)
    size = sum(log[name].array.nbytes for name in log.columns) / 1e6
    repeats = 3
    floor = seconds(lambda: copied(log), repeats)
    before = peak()
    total = seconds(lambda: everything(log), repeats)
    memory = peak() - before
    result = pnl(log)
    print(f"{len(log):,} rows, columns {size:,.0f} MB, copied in {floor:.3f} s")
    for name, table in (TABLES | LOTS).items():
        spent = seconds(lambda table=table: table(result), 1)  # type: ignore[misc]
        print(f"  {name:26}{spent:8.3f} s")
    scan = _scanned(rows)
    print(f"  {'average entry, scan alone':26}{scan:8.3f} s")
    print(
        f"  {'all tables':26}{total:8.3f} s  {total / floor:6.1f} times the copy, {memory:,.0f} MB more at the peak",
        flush=True,
    )


def _scanned(rows: int) -> float:
    chance = np.random.default_rng(3)
    after = np.cumsum(chance.integers(-9, 10, rows)).astype(float)
    before = np.append(0.0, after[:-1])
    after = np.where(before * after < 0, 0.0, after)
    before = np.append(0.0, after[:-1])
    price = 100.0 + chance.random(rows)
    unknown = np.full(rows, np.nan)
    return seconds(lambda: average_entry(before, after, price, unknown, np.zeros(rows, dtype=bool)), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=[1_000_000])
    parser.add_argument("--measure", type=int)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure)
        return
    for rows in arguments.rows:
        subprocess.run([sys.executable, "-m", "tests.benchmarks.ledger", "--measure", str(rows)], check=True)


if __name__ == "__main__":
    main()
