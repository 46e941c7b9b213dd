"""Everything that was sent, through faults of all kinds and killed processes: journal and exchange agree on each.

``KFUT_INTENTS`` sets how many intents are sent, ``KFUT_INTENT_KILLS`` how often a process is killed meanwhile,
``KFUT_INTENT_SEED`` which. With ``KFUT_INTENT_REPORT`` the figures are written to that file.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

import kfut_analytics as kfut
from kfut_analytics.paper.clock import WallClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .campaign import READS, WRITES, Truth, hurry, trade

INTENTS = int(os.environ.get("KFUT_INTENTS", "240"))
KILLS = int(os.environ.get("KFUT_INTENT_KILLS", "2"))
SEED = int(os.environ.get("KFUT_INTENT_SEED", "1"))
REPOSITORY = Path(__file__).resolve().parents[2]


def kill_children(server: PaperServer, home: Path, kills: int, seed: int) -> None:
    """Processes that send with the same key and journal, each killed at a random moment."""
    luck = random.Random(seed)
    for number in range(kills):
        command = [sys.executable, "-m", "tests.desk.child", server.base_url, server.api_key, server.api_secret]
        environ = {**os.environ, "KFUT_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
        child = subprocess.Popen(
            [*command, str(seed + number)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(luck.uniform(0.3, 3.0))
        child.kill()
        child.wait()
        child.stdout.close()


@pytest.mark.parametrize("skew", [0.0, 40.0])
def test_journal_and_exchange_agree_on_every_intent(
    skew: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch.setattr)
    monkeypatch.setenv("KFUT_HOME", str(tmp_path))
    exchange = open_empty(0, WallClock())
    account = exchange.accounts["empty"]
    account.transfer(exchange.now, "flex", "usd", 50_000_000.0)
    with PaperServer(exchange, ApiKey("empty")) as server:
        server.faults.skew(skew)
        client = kfut.connect(
            "paper", base_url=server.base_url, api_key=server.api_key, api_secret=server.api_secret, trading=True
        )
        for number, operation in enumerate(("sendorder", "editorder", "cancelorder", "batchorder")):
            server.faults.at_random(SEED + number, WRITES, operation=f"POST {operation}", seconds=1.5)
        for number, operation in enumerate(("openorders", "fills", "orders*", "triggers", "tickers", "orderbook")):
            server.faults.at_random(SEED + number, READS, operation=operation)
        begun = time.monotonic()
        killer = threading.Thread(target=kill_children, args=(server, tmp_path, KILLS, SEED))
        killer.start()
        raised = trade(client, INTENTS, SEED, threads=8)
        killer.join()
        while any(mishap.processed is None for mishap in server.faults.log):
            time.sleep(0.05)
        deadline = time.monotonic() + 30
        while client._desk.journal.open_intents() and time.monotonic() < deadline:
            client.resolve()
            time.sleep(0.2)
        seconds = time.monotonic() - begun
        client.close()
        truth = Truth(exchange, account)
        mishaps = Counter((mishap.kind, bool(mishap.processed)) for mishap in server.faults.log)
    journal = client.journal()
    wrong = {
        number: f"{row['kind']} {row['cli_ord_id']}: {found} ({row['steps']})"
        for number, row in journal.iterrows()
        if (found := truth.disagreement(row)) is not None
    }
    assert wrong == {}
    assert len(journal) >= INTENTS
    assert not journal["cli_ord_id"][journal["kind"] == "place"].duplicated().any()
    lost = journal["steps"].str.contains("no answer")
    left = ~journal["steps"].str.contains("answered|no answer|not taken")
    assert lost.sum() > INTENTS / 20
    if "KFUT_INTENT_REPORT" in os.environ:
        took = (journal["closed"] - journal["written"]).dt.total_seconds()
        report = {
            "skew": skew,
            "intents": len(journal),
            "seconds": round(seconds, 1),
            "kinds": journal["kind"].value_counts().to_dict(),
            "outcomes": (journal["kind"] + " " + journal["status"]).value_counts().to_dict(),
            "without a clear answer": int(lost.sum()),
            "fates of those": journal["status"][lost].value_counts().to_dict(),
            "left by killed processes": int(left.sum()),
            "seconds until a lost fate was known": {"median": took[lost].median(), "largest": took[lost].max()},
            "mishaps": {f"{kind}, processed {done}": n for (kind, done), n in sorted(mishaps.items())},
            "raised": dict(raised),
        }
        with Path(os.environ["KFUT_INTENT_REPORT"]).open("a") as file:
            file.write(json.dumps(report, indent=1) + "\n")
