"""What a sync asks for, and that nothing that goes wrong on the way changes what is there in the end."""

from __future__ import annotations

import multiprocessing
import os
import random
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.archive import manifest
from kfut_analytics.archive.archive import Archive
from kfut_analytics.archive.ranges import Spans
from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.server import PaperServer

from .conftest import OPENED, Opener
from .frames import ACCOUNT, same, same_archives, unstamped

KILLS = int(os.environ.get("KFUT_SYNC_KILLS", "6"))
NOW = pd.Timestamp(OPENED, unit="s", tz="UTC")
START = NOW - pd.Timedelta(days=15)
SEED = int(os.environ.get("KFUT_SYNC_SEED", "1"))


def clock_of(server: PaperServer) -> ManualClock:
    clock = server.exchange.clock
    assert isinstance(clock, ManualClock)
    return clock


# ---- what is asked for ---------------------------------------------------------------------------------------------


def test_a_complete_archive_costs_three_requests(
    moving: PaperServer, open_client: Opener, requests_sent: list[str]
) -> None:
    client = open_client(moving)
    first = client.sync()
    assert first.rows["account_log"] > 3000
    requests_sent.clear()
    clock_of(moving).advance(60)
    again = client.sync()
    assert requests_sent == ["orders", "triggers", "account_log"]
    assert again.total == 0


def test_what_happens_later_is_added(moving: PaperServer, open_client: Opener, requests_sent: list[str]) -> None:
    client, plain = open_client(moving, trading=True), open_client(moving, archive=False)
    client.sync()
    for hours in (0.01, 3, 30):
        client.place(kfut.Order("PF_XBTUSD", "buy", 0.01))
        clock_of(moving).advance(hours * 3600)
        client.tickers()
        result = client.sync()
        assert result.rows["executions"] == result.rows["fills"] >= 1
        for name in ACCOUNT:
            start = pd.Timestamp(OPENED, unit="s", tz="UTC") - pd.Timedelta(days=3)
            found, expected = (getattr(one, name)(start) for one in (client, plain))
            same(found, expected)
            assert len(client.archive.read(name, start)) == len(expected)


def test_orders_alone_are_found_without_asking_for_executions(
    moving: PaperServer, open_client: Opener, requests_sent: list[str]
) -> None:
    client = open_client(moving, trading=True)
    client.sync()
    client.place(kfut.Order("PF_XBTUSD", "buy", 0.01, limit_price=20_000))
    requests_sent.clear()
    result = client.sync()
    assert {name: rows for name, rows in result.rows.items() if rows} == {"order_history": 1}
    assert not {"executions", "positions", "fills"} & set(requests_sent)


def test_chosen_series_are_kept_up_to_date(moving: PaperServer, open_client: Opener) -> None:
    client = open_client(moving)
    client.sync(candles=[("PF_ADAUSD", "1d"), ("PF_XBTUSD", "4h", "mark")], funding=["PF_ADAUSD"])
    clock_of(moving).advance(2 * 86_400)
    client.tickers()
    result = client.sync()
    assert result.rows["candles/tick_type=trade/resolution=1d/symbol=PF_ADAUSD"] == 2
    assert result.rows["candles/tick_type=mark/resolution=4h/symbol=PF_XBTUSD"] == 12
    assert result.rows["funding_rates/symbol=PF_ADAUSD"] == 48


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"candles": ["PF_XBTUSD"]}, r"give a list of \(symbol, resolution\)"),
        ({"candles": [("PF_XBTUSD", "2h")]}, "resolution='2h' is not one of"),
        ({"candles": [("PF_XBTUSD", "1h", "last")]}, "tick_type='last' is not one of"),
        ({"funding": ["../PF_XBTUSD"]}, "name a contract"),
        ({"start": "+1d"}, "in the future"),
    ],
)
def test_wrong_arguments(demo: PaperServer, open_client: Opener, arguments: dict[str, object], words: str) -> None:
    client = open_client(demo)
    with pytest.raises(kfut.errors.ArgumentError, match=words):
        client.sync(**arguments)  # type: ignore[arg-type]
    assert not client.archive.exists


def test_a_plan_before_and_after(demo: PaperServer, open_client: Opener, requests_sent: list[str]) -> None:
    client = open_client(demo)
    plan = client.sync(plan_only=True)
    assert plan.requests >= 10
    assert plan.frame.loc["account_log", "tokens"] == 4 * 3
    assert not client.archive.exists
    client.sync()
    requests_sent.clear()
    after = client.sync(plan_only=True)
    assert requests_sent == ["account_log"]
    assert after.frame.loc[list(ACCOUNT), "requests"].tolist() == [1, 0, 0, 1, 1, 0]
    assert after.minutes < 1
    assert "requests" in str(after)


def test_an_entry_that_shows_late_is_found_by_its_number(
    moving: PaperServer, open_client: Opener, requests_sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two entries are not shown at first; one of them the exchange never gives."""
    client, plain = open_client(moving), open_client(moving, archive=False)
    pages, hidden = client._venue.history_pages, {1000, 2000}

    def hiding(table: str, *arguments: object, **options: object):  # type: ignore[no-untyped-def]
        for page in pages(table, *arguments, **options):  # type: ignore[arg-type]
            yield page[~page.index.isin(hidden)] if table == "account_log" else page

    monkeypatch.setattr(client._venue, "history_pages", hiding)
    first = client.sync()
    assert first.notes == ["account log: the exchange gives no entries 1000, 2000"]
    client.archive._store.update(  # as if nobody had asked once more
        lambda found: found.having("account_log", replace(found.of("account_log"), absent=Spans()))
    )
    hidden.remove(2000)
    assert "entry 2000 is missing" in repr(client.archive.verify())
    assert client.sync().rows["account_log"] == 1
    assert client.archive.verify()
    requests_sent.clear()
    clock_of(moving).advance(1)
    assert client.sync().notes == []
    assert requests_sent == ["orders", "triggers", "account_log"]
    same(client.archive.read("account_log"), plain.account_log().drop(index=1000).pipe(unstamped))


def test_another_history_is_not_mixed_in(moving: PaperServer, open_client: Opener) -> None:
    """A paper exchange that begins anew has the same account, and another history."""
    client = open_client(moving)
    client.sync()
    store = client.archive._store
    log = store.manifest.of("account_log")
    before = client.archive.read("account_log")
    other = before.copy()
    other.loc[log.newest_id, "new_balance"] += 1
    newest = [file for file in log.files if file.ids and file.ids[1] == log.newest_id]
    rows = other.loc[newest[0].ids[0] : newest[0].ids[1]]  # type: ignore[index]
    store.append("account_log", rows, (0, 0), instead_of=newest)
    clock_of(moving).advance(60)
    with pytest.raises(kfut.errors.ConfigurationError, match="is another one than the exchange's"):
        client.sync()
    assert len(client.archive.read("account_log")) == len(before)


def test_an_account_in_memory_leaves_nothing_behind(own_home: Path) -> None:
    with kfut.connect() as client:
        client.sync(start="-3d")
        assert client.archive.exists
        assert not own_home.exists()
        assert "archive until" in repr(client)
        assert kfut.connect().archive.folder == client.archive.folder


def test_what_was_never_asked_for_is_not_absent(moving: PaperServer, open_client: Opener) -> None:
    client = open_client(moving)
    for start, end in ((60, 50), (10, None)):
        client.sync(start=NOW - pd.Timedelta(days=start))
        if end is not None:
            store = client.archive._store
            store.forget("account_log", {file.name for file in store.manifest.of("account_log").files[1:]})
    assert len(client.archive.gaps()) == 1
    assert client.sync(start=NOW - pd.Timedelta(days=60)).notes == []
    assert client.archive.gaps().empty
    assert client.archive.verify()


# ---- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.fixture
def undisturbed(demo: PaperServer, open_client: Opener, small_pages: None, tmp_path: Path) -> Archive:
    client = open_client(demo, path=tmp_path / "undisturbed")
    client.sync(start=START)
    return client.archive


RATES = {"drop-before": 0.1, "drop-after": 0.1, "http-502-html": 0.1, "http-429": 0.02, "truncate": 0.05}


def test_faults_lose_nothing(undisturbed: Archive, open_client: Opener, moving: PaperServer, tmp_path: Path) -> None:
    client = open_client(moving, path=tmp_path / "disturbed")
    moving.faults.at_random(SEED, RATES)
    failures = 0
    for _ in range(200):
        try:
            client.sync(start=START)
            break
        except kfut.errors.VenueError:
            failures += 1
    moving.faults.clear()
    assert failures
    client.sync(start=START)
    same_archives(client.archive, undisturbed)
    assert client.archive.verify()


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["before the name", "after the name"])
def test_a_crash_at_any_write_loses_nothing(
    undisturbed: Archive, open_client: Opener, demo: PaperServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:  # fmt: skip
    client = open_client(demo, path=tmp_path / "crashed")
    rename, left = os.replace, 0

    def crashing(source: Path, target: Path) -> None:
        nonlocal left
        left -= 1
        if left == 0 and moment == "before the name":
            raise Crash
        rename(source, target)
        if left == 0:
            raise Crash

    monkeypatch.setattr(os, "replace", crashing)
    generator = random.Random(SEED)
    for _ in range(200):
        left = generator.randint(1, 40)
        try:
            client.sync(start=START)
            break
        except Crash:
            continue
    else:
        pytest.fail("never got through")
    monkeypatch.setattr(os, "replace", rename)
    client.sync(start=START)
    same_archives(client.archive, undisturbed)
    assert client.archive.verify()


PAGES = 30, 100


def sync_once(address: dict[str, str], path: str) -> None:
    """What the killed process does."""
    from kfut_analytics.rest import budget, paging

    budget.LIMITS.update({"derivatives": (10**9, 10.0), "history": (10**9, 600.0)})
    paging.EVENTS_PAGE, paging.LOG_PAGE = PAGES
    kfut.connect("paper", path=path, **address).sync(start=START)  # type: ignore[arg-type]


def test_kills_at_random_moments(undisturbed: Archive, demo: PaperServer, tmp_path: Path) -> None:
    """SIGKILL while it syncs, again and again; what is there in the end is what an undisturbed sync brings."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(
        ["kfut_analytics.rest.venue", "kfut_analytics.archive.archive", "tests.archive.test_sync"]
    )
    address = {"base_url": demo.base_url, "api_key": demo.api_key, "api_secret": demo.api_secret}
    generator = random.Random(SEED)
    kills, rounds = 0, 0
    while kills < KILLS:
        path = tmp_path / f"killed-{rounds}"
        rounds += 1
        while True:
            process = context.Process(target=sync_once, args=(address, str(path)))
            process.start()
            process.join(generator.uniform(0.02, 0.6))
            if process.exitcode is None:
                process.kill()
                kills += 1
            process.join()
            if process.exitcode == 0:
                break
        same_archives(Archive(path), undisturbed)
        assert Archive(path).verify()
        assert not list(path.glob("**/*.aside"))


def test_two_at_once(undisturbed: Archive, demo: PaperServer, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn" if os.name == "nt" else "forkserver")
    address = {"base_url": demo.base_url, "api_key": demo.api_key, "api_secret": demo.api_secret}
    path = tmp_path / "shared"
    processes = [context.Process(target=sync_once, args=(address, str(path))) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    same_archives(Archive(path), undisturbed)


def test_who_reads_meanwhile_sees_whole_pages(
    demo: PaperServer, open_client: Opener, tmp_path: Path, small_pages: None
) -> None:
    client, plain = open_client(demo, path=tmp_path / "read"), open_client(demo, archive=False)
    client.sync(start=START + pd.Timedelta(days=9))
    expected = plain.account_log(START)
    context = multiprocessing.get_context("spawn" if os.name == "nt" else "forkserver")
    address = {"base_url": demo.base_url, "api_key": demo.api_key, "api_secret": demo.api_secret}
    process = context.Process(target=sync_once, args=(address, str(tmp_path / "read")))
    process.start()
    looks = 0
    while process.is_alive() or looks < 3:
        same(client.account_log(START), expected)
        looks += 1
    assert process.exitcode == 0


def test_the_manifest_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def fail(aside: Path) -> None:
        aside.write_text("half")
        raise Crash

    with pytest.raises(Crash):
        manifest.put(path, fail)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
