"""Speed and size of kept paper accounts: ``python -m tests.benchmarks.kept``.

What writing costs an order, by how safely SQLite writes; and the size of a file with 100,000 rows in its account log,
the time to open it, and the time until a new process serves an empty account.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.engine.orders import OrderRequest
from kfut_analytics.paper.keeping.named import Origin, create_account
from kfut_analytics.paper.keeping.store import Store, open_stored

ROWS = 100_000
_NUMBERS = itertools.count()


def milliseconds(action: Callable[[], None], count: int) -> str:
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        action()
        times.append(1e3 * (time.perf_counter() - begun))
    times.sort()
    return f"median {statistics.median(times):.2f} ms, 99 % below {times[int(0.99 * count)]:.2f} ms"


def order(store: Store) -> None:
    number = next(_NUMBERS)
    side = "buy" if number % 2 else "sell"
    request = OrderRequest("PF_XBTUSD", side, "mkt", Decimal("0.001"), cli_ord_id=f"n{number}")  # type: ignore[arg-type]
    outcome = store.exchange.submit(store.exchange.accounts["mine"], request)
    assert outcome.status == "placed", outcome


def latency(path: Path) -> None:
    with closing(open_stored(path, ManualClock(time.time()))) as store:
        print(f"an order that is not written: {milliseconds(lambda: order(store), 300)}")

        def written() -> None:
            with store.exchange.transaction():
                order(store)

        for level in ("OFF", "NORMAL", "FULL"):
            store._file._connection.execute(f"PRAGMA synchronous = {level}")
            print(f"a written order, synchronous {level}: {milliseconds(written, 300)}")

        def looked() -> None:
            with store.exchange.transaction():
                pass

        print(f"a transaction in which nothing happens: {milliseconds(looked, 300)}")


def large(path: Path) -> None:
    with closing(open_stored(path, ManualClock(time.time()))) as store, store.exchange.transaction():
        account = store.exchange.accounts["mine"]
        while len(account.log) < ROWS:
            order(store)
        everything = sum(len(a.log) + len(a.fills) + len(a.journal) for a in store.exchange.everybody())
        print(f"{len(account.log)} log rows, {len(account.fills)} fills; {everything} rows of all accounts")
    print(f"size of the file: {path.stat().st_size / 1e6:.1f} MB")
    begun = time.perf_counter()
    with closing(open_stored(path, ManualClock(time.time()))):
        print(f"opening it: {time.perf_counter() - begun:.2f} s")


def start(home: str) -> None:
    words = [sys.executable, "-c", "from kfut_analytics.cli import main; main()", "paper", "serve", "--account", "mine"]
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        with subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "KFUT_HOME": home}) as process:
            assert process.stdout is not None
            process.stdout.readline()
            times.append(time.perf_counter() - begun)
            process.kill()
    print(f"until a new process serves an account: {statistics.median(times):.2f} s")


def main() -> None:
    for measure in (latency, large):
        with tempfile.TemporaryDirectory() as home:
            measure(create_account("mine", Origin({"USD": 1e7}), home=home))
    with tempfile.TemporaryDirectory() as home:
        create_account("mine", home=home)
        start(home)


if __name__ == "__main__":
    main()
