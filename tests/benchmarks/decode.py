"""Bulk answers to frames: time and memory against json + json_normalize and against parsing alone.

``python -m tests.benchmarks.decode [name …]`` prints one table; ``--rows 0.1`` takes a tenth of the rows. The parser
alone is msgspec without types and without garbage collection, reading page after page. Seconds are the processor's,
which other work on the machine disturbs least. Memory is the growth of the process's peak over what the imports took,
each variant in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from kfut_analytics.rest.session import GENERAL, Decoder
from kfut_analytics.rest.venue import RestVenue
from tests.benchmarks import payloads

Answers = list[Path]


class FileSession:
    """Stands in for a session: each request is answered by the next file, decoded as a session decodes."""

    def __init__(self, answers: Answers) -> None:
        self._answers = iter(answers)

    def request(
        self,
        operation: Any,
        params: Any = None,
        path: Any = None,
        wait: Any = None,
        exact: bool = False,
        reader: Decoder = GENERAL,
    ) -> Any:
        answer = next(self._answers, None)
        return {"logs": []} if answer is None else reader.decode(answer.read_bytes())


@dataclass(frozen=True)
class Case:
    """One comparison: how to make the answers, what holds the rows, what a user would call."""

    make: Callable[..., dict[str, Any]]
    rows: int
    per_page: int
    container: str
    call: Callable[[RestVenue], Any]


CASES = {
    "executions": Case(payloads.execution, 100_000, 1000, "elements", lambda v: v.executions(None, None, None)),
    "account log": Case(payloads.log_entry, 500_000, 500, "logs", lambda v: v.account_log(None, None)),
    "account log, one body": Case(payloads.log_entry, 500_000, 500_000, "logs", lambda v: v.account_log(None, None)),
    "instruments": Case(payloads.instrument, 400, 400, "instruments", lambda v: v.instruments()),
    "margin tiers": Case(payloads.instrument, 400, 400, "instruments", lambda v: v.margin_tiers()),
    "candles": Case(
        payloads.candle, 5000, 5000, "candles", lambda v: v.candles("PF_XBTUSD", "1m", "trade", None, None)
    ),
}


def ours(case: Case, answers: Answers) -> Any:
    return case.call(RestVenue(FileSession(answers), "live"))  # type: ignore[arg-type]


def normalized(case: Case, answers: Answers) -> Any:
    rows = []
    for answer in answers:
        rows += json.loads(answer.read_bytes())[case.container]
    return pd.json_normalize(rows)


def parsed(case: Case, answers: Answers) -> Any:
    decoder = msgspec.json.Decoder()
    gc.disable()
    try:
        for answer in answers:
            decoder.decode(answer.read_bytes())
    finally:
        gc.enable()


VARIANTS = {"ours": ours, "json_normalize": normalized, "parse": parsed}


def seconds(case: Case, answers: Answers, variant: str) -> float:
    gc.collect()
    begin = time.process_time()
    kept = VARIANTS[variant](case, answers)
    spent = time.process_time() - begin
    del kept
    return spent


def peak() -> float:
    """The process's largest memory so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # the other figure is inherited from the process that started this one
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1024)


def measure(name: str, variant: str, folder: Path, repeats: int) -> dict[str, float]:
    """Runs in a process of its own: the median time, and the memory of the first run."""
    case, answers = CASES[name], sorted(folder.iterdir())
    before = peak()
    spent = [seconds(case, answers, variant)]
    memory = peak() - before
    spent += [seconds(case, answers, variant) for _ in range(repeats - 1)]
    return {"seconds": statistics.median(spent), "memory": memory}


def in_process(name: str, variant: str, folder: Path, repeats: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.decode", "--measure", name, variant, str(folder), str(repeats)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CASES)}")
    parser.add_argument("--rows", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", nargs=4)
    arguments = parser.parse_args()
    if arguments.measure:
        name, variant, folder, repeats = arguments.measure
        print(json.dumps(measure(name, variant, Path(folder), int(repeats))))
        return
    print(
        f"{'':24}{'parse':>9}{'ours':>9}{'normalize':>11}   {'ours/parse':>10}{'normalize/ours':>16}{'memory MB':>22}"
    )
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.names or CASES:
            case = CASES[name]
            bodies = payloads.pages(case.make, int(case.rows * arguments.rows), case.per_page, case.container)
            folder = payloads.write(Path(temporary), name.replace(" ", "_"), bodies)
            found = {variant: in_process(name, variant, folder, arguments.repeats) for variant in VARIANTS}
            parse, own, other = (found[v]["seconds"] for v in ("parse", "ours", "json_normalize"))
            memory = f"{found['ours']['memory']:.0f} / {found['json_normalize']['memory']:.0f}"
            ratio = found["ours"]["memory"] / max(found["json_normalize"]["memory"], 1)
            print(
                f"{name:24}{parse:8.3f}s{own:8.3f}s{other:10.3f}s   {own / parse:10.2f}{other / own:16.1f}"
                f"{memory:>15} {ratio:6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
