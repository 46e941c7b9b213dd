"""The journal: on the disk and private before anything goes out, for many at once, and never silently another file."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics import errors
from kfut_analytics.journal import Intent, Journal, Outcome

NOW = pd.Timestamp("2026-11-25T12:00Z")


def written(journal: Journal, cli_ord_id: str, notional: int = 0) -> Intent:
    details = {"symbol": "PF_XBTUSD", "side": "buy", "size": Decimal("0.10"), "order_type": "mkt"}
    return journal.write(
        "session", "place", details, sent_time=NOW, deadline=NOW + pd.Timedelta("8s"), cli_ord_id=cli_ord_id,
        symbol="PF_XBTUSD", notional=Decimal(notional),
    )  # fmt: skip


def test_another_process_sees_an_intent_as_soon_as_it_is_written(tmp_path: Path) -> None:
    first, second = Journal(tmp_path / "journal.sqlite"), Journal(tmp_path / "journal.sqlite")
    intent = written(first, "a")
    assert second.open_intents() == [intent]
    assert second.close(intent, Outcome("filled", filled_size=0.1, average_price=90_000.0))
    assert not first.close(intent, Outcome("never_arrived")), "the first fate counts"
    assert first.outcome(intent) == Outcome("filled", "", "", "", 0.1, 90_000.0, None)
    assert first.open_intents() == []


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "account" / "journal.sqlite")
    written(journal, "a")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "account").iterdir()}
    assert set(modes) == {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "account").stat().st_mode) == 0o700


def test_numbers_and_every_step_are_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    intent = written(journal, "a", 9000)
    journal.step(intent, "no answer", "the connection broke")
    journal.close(intent, Outcome("filled", filled_size=0.1, average_price=90_000.0), "found")
    journal.note_fee(intent, 4.5)
    assert intent.details["size"] == "0.10"
    (row,) = journal.frame().to_dict("records")
    assert (row["status"], row["size"], row["fee"], row["notional"]) == ("filled", 0.1, 4.5, 9000.0)
    assert journal.steps("a")["step"].tolist() == ["written", "no answer", "found"]
    assert kfut.describe("journal").index.tolist()


def test_many_threads_write_at_once(tmp_path: Path) -> None:
    journals = [Journal(tmp_path / "journal.sqlite") for _ in range(3)]
    ids = [f"{number}" for number in range(60)]

    def work(journal: Journal, mine: list[str]) -> None:
        for each in mine:
            journal.close(written(journal, each), Outcome("placed"))

    threads = [threading.Thread(target=work, args=(journal, ids[n::3])) for n, journal in enumerate(journals)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(journals[0].frame()["cli_ord_id"]) == sorted(ids)
    assert set(journals[0].frame()["status"]) == {"placed"}


def test_an_id_is_written_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    written(journal, "a")
    with pytest.raises(ValueError, match="in the journal already"):
        written(journal, "a")


def test_what_a_check_refuses_is_not_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")

    def refuse(_spent: object) -> None:
        raise errors.OrderRefused("too much", field="size", value=1, rule="session_notional")

    with pytest.raises(errors.OrderRefused):
        journal.write("s", "place", {"size": 1}, sent_time=NOW, deadline=None, cli_ord_id="a", allow=refuse)
    assert journal.frame().empty
    assert written(journal, "a").number == 1


def test_what_did_not_happen_is_not_spent(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    for status in ("placed", "filled", "rejected", "never_arrived", "not_sent", "unknown"):
        journal.close(written(journal, status, 100), Outcome(status))
    written(journal, "open", 100)
    assert journal.spent("session").session == 400
    assert journal.spent("another").session == 0
    assert journal.spent("another").today == 400


@pytest.mark.parametrize("kind", ["text", "another program", "newer"])
def test_a_file_that_is_no_journal_of_ours_is_left_alone(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    if kind == "text":
        path.write_text("not a database, but somebody's notes " * 50)
    else:
        if kind == "newer":
            Journal(path).shut()
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99" if kind == "newer" else "CREATE TABLE theirs (a)")
        connection.commit()
        connection.close()
    before = path.read_bytes()
    with pytest.raises(errors.ConfigurationError, match=r"journal of orders .* cannot be opened"):
        Journal(path)
    assert path.read_bytes() == before
