"""The position report of the demo account, 30 days as HTML: ``python -m tests.benchmarks.report [--runs 7]``.

The paper exchange runs in the same process, as it does for ``kfut.connect()``, so that its work is in the seconds,
those of the processor as well as those of the clock. The first report of a process is measured in processes of their
own: it imports what draws. Ratios are to matplotlib's drawing of one plain line, measured in turn with the reports.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

import kfut_analytics as kfut
from kfut_analytics.client import Client
from kfut_analytics.rest import budget

Seconds = tuple[float, float]
"""Of the clock and of the processor."""


def seconds(work: Callable[[], object]) -> Seconds:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def plain() -> None:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    figure.subplots().plot(range(1000))
    figure.savefig(io.BytesIO(), format="svg")


def first(folder: Path) -> Seconds:
    """The first report of a process that has only connected."""
    code = (
        "import sys, time, kfut_analytics as kfut; client = kfut.connect(); client.positions();"
        "clock, processor = time.perf_counter(), time.process_time();"
        "kfut.report(client, sys.argv[1]);"
        "print(time.perf_counter() - clock, time.process_time() - processor)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder / "first.html")], capture_output=True, check=True)
    clock, processor = map(float, done.stdout.split())
    return clock, processor


def measure(client: Client, folder: Path, runs: int) -> None:
    from kfut_analytics.report import Report, build, render

    built: list[Report] = []
    path = folder / "report.html"
    works: dict[str, Callable[[], object]] = {
        "plain line": plain,
        "report": lambda: kfut.report(client, path, start="-30d"),
        "  gathered": lambda: built.append(build(client, "-30d")),
        "  drawn": lambda: render(built[-1]),
        "first report": lambda: None,
    }
    taken: dict[str, list[Seconds]] = {name: [] for name in works}
    for run in range(runs + 1):
        for name, work in works.items():
            once = first(folder) if name == "first report" else seconds(work)
            if run:  # the first one warms up
                taken[name].append(once)
    middle = {name: [statistics.median(part) for part in zip(*of, strict=True)] for name, of in taken.items()}
    print(f"{'':14}{'clock, s':>10}{'least':>8}{'CPU, s':>8}{'least':>8}{'x plain':>9}")
    for name, (clock, processor) in middle.items():
        clock_least, processor_least = (min(part) for part in zip(*taken[name], strict=True))
        ratio = processor / middle["plain line"][1]
        print(f"{name:14}{clock:10.2f}{clock_least:8.2f}{processor:8.2f}{processor_least:8.2f}{ratio:9.1f}")
    print(f"{path.stat().st_size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["KFUT_HOME"] = name
        # One report after the other would wait for the tokens of history, of which there are 100 in ten minutes.
        budget.LIMITS = {pool: (tokens * 1000, period) for pool, (tokens, period) in budget.LIMITS.items()}
        with kfut.connect() as client:
            measure(client, Path(name), given.runs)


if __name__ == "__main__":
    main()
