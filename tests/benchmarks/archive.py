"""Reading and writing an archive of many rows, against plain pyarrow on the same files.

``python -m tests.benchmarks.archive [rows]``, 10,000,000 rows of account log by default; medians of five runs. With
``--accounts 20`` the P&L of so many accounts, one after the other and on a Dask cluster of two workers.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from kfut_analytics.archive import layout
from kfut_analytics.archive.archive import Archive
from kfut_analytics.archive.dataset import Accounts, read_log
from kfut_analytics.archive.ranges import micros
from kfut_analytics.archive.store import Store
from tests.benchmarks.ledger import made_log

PART = 1_000_000
FIVE = ["time", "contract", "realized_pnl", "fee", "realized_funding"]
RUNS = 5


def seconds(work: Callable[[], Any], runs: int = RUNS) -> float:
    """The median time of some runs."""
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def fill(store: Store, rows: int, account: str = "made-up") -> float:
    """Put a made-up account log into an archive, a month or so at a time; returns the seconds that writing took."""
    spent = 0.0
    made = _made(min(rows, PART))
    length = made["time"].max() - made["time"].min() + pd.Timedelta(seconds=1)
    with store.writing("live", account):
        for part in range(max(round(rows / len(made)), 1)):
            frame = made.copy(deep=False)
            frame["time"] = made["time"] + part * length
            frame.index = made.index + part * len(made)
            frame["booking_uid"] = uuids(len(made), part)
            start, end = micros(frame["time"].iloc[0]), micros(frame["time"].iloc[-1]) + 1
            began = time.perf_counter()
            store.append("account_log", frame, (start, end))
            spent += time.perf_counter() - began
        began = time.perf_counter()
        store.compact("account_log")
    return spent + time.perf_counter() - began


@functools.cache
def _made(rows: int) -> pd.DataFrame:
    return made_log(rows)


@functools.cache
def uuids(count: int, seed: int) -> pd.Series[str]:
    """Texts as random as the exchange's ids."""
    numbers = np.random.default_rng(seed).bytes(16 * count)
    return pd.Series([str(uuid.UUID(bytes=numbers[i : i + 16])) for i in range(0, 16 * count, 16)], dtype="str")


def plain(store: Store, columns: list[str] | None, span: tuple[pd.Timestamp, pd.Timestamp] | None) -> pa.Table:
    """What pyarrow does on the same folder by itself."""
    condition = None if span is None else (ds.field("time") >= span[0]) & (ds.field("time") <= span[1])
    return ds.dataset(store.folder / "account_log", format="parquet").to_table(columns, filter=condition)


def reading(folder: Path, rows: int) -> None:
    store = Store(folder)
    wrote = fill(store, rows)
    archive = Archive(folder)
    series = store.manifest.of("account_log")
    size = sum(file.bytes for file in series.files)
    print(f"{series.rows:,} rows in {len(series.files)} files, {size / 1e9:.2f} GB, written in {wrote:.1f} s")
    known = archive.describe().loc["account_log"]
    first, last = known["first"], known["last"]
    middle = first + (last - first) / 2
    span = middle, middle + (last - first) / 100
    five, flat = [*FIVE, "id"], list(layout.KINDS["account_log"].table.columns)
    every = [column.name for column in flat]
    lines = {
        "1 % of the time, all columns, Arrow": (
            lambda: archive.arrow("account_log", *span, columns=every), lambda: plain(store, every, span)),
        "1 % of the time, all columns, pandas": (
            lambda: archive.read("account_log", *span), lambda: plain(store, every, span).to_pandas()),
        "five columns, all rows, Arrow": (
            lambda: archive.arrow("account_log", columns=five), lambda: plain(store, five, None)),
        "five columns, all rows, pandas": (
            lambda: archive.read("account_log", columns=FIVE), lambda: plain(store, five, None).to_pandas()),
    }  # fmt: skip
    for name, (ours, theirs) in lines.items():
        turns = [(seconds(ours, 1), seconds(theirs, 1)) for _ in range(RUNS)]  # side by side: others use the machine
        mine, bare = (statistics.median(times) for times in zip(*turns, strict=True))
        print(f"{name:<40}{mine:8.3f} s   plain pyarrow {bare:8.3f} s   ratio {mine / bare:5.2f}")
    page = archive.read("account_log", middle, middle + (last - first) / 10_000).iloc[:1000]
    with store.writing("live", "made-up"):
        state = {"number": series.newest_id}

        def append() -> None:
            new = page.set_axis(range(state["number"] + 1, state["number"] + 1 + len(page))).rename_axis("id")
            state["number"] += len(page)
            store.append("account_log", new.assign(time=last), (micros(last), micros(last) + 1))

        print(f"append a page of {len(page)} rows{'':<19}{seconds(append, 50) * 1000:8.1f} ms")
        began = time.perf_counter()
        store.compact("account_log")
        print(f"join 50 pages to their month{'':<12}{time.perf_counter() - began:8.2f} s")
    newest = seconds(lambda: Store(folder).manifest.of("account_log").newest_id)
    print(f"newest entry number{'':<21}{newest * 1000:8.1f} ms")
    began = time.perf_counter()
    archive.verify()
    print(f"verify{'':<34}{time.perf_counter() - began:8.1f} s")


def accounts(root: Path, count: int) -> None:
    """By-contract P&L and round trips of many accounts of a million entries each."""
    from distributed import Client, LocalCluster

    for number in range(count):
        fill(Store(root / f"live-{number}" / "archive"), PART, f"{number}")
    many = Accounts(root)
    print(many)
    print(f"read alone{'':<30}{seconds(lambda: [read_log(folder) for folder in many.folders.values()], 1):8.1f} s")
    for table in ("by_contract", "round_trips"):
        print(f"{table}, one after the other{'':<{14}}{seconds(lambda: many.pandas(table), 1):8.1f} s")  # noqa: B023
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        for table in ("by_contract", "round_trips"):
            for when in ("first", "again"):
                took = seconds(lambda: many.table(table).compute(), 1)  # noqa: B023
                print(f"{table}, Dask, {when}{'':<{20}}{took:8.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=10_000_000)
    parser.add_argument("--accounts", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.accounts:
            accounts(Path(folder), given.accounts)
        else:
            reading(Path(folder), given.rows)
