"""The files: plain Parquet for every tool, and every wrong state of the disk is told and costs nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import polars
import pytest

import kfut_analytics as kfut
from kfut_analytics.archive.archive import Archive
from kfut_analytics.paper.server import PaperServer

from .conftest import OPENED, Opener
from .frames import everything, same, same_archives

START = pd.Timestamp(OPENED, unit="s", tz="UTC") - pd.Timedelta(days=40)


@pytest.fixture(scope="module")
def saved(demo: PaperServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive to copy."""
    folder = tmp_path_factory.mktemp("saved") / "archive"
    keys = {"base_url": demo.base_url, "api_key": demo.api_key, "api_secret": demo.api_secret}
    with kfut.connect("paper", path=folder, **keys) as client:  # type: ignore[arg-type]
        client.sync(start=START)
    return folder


@pytest.fixture
def archive(saved: Path, tmp_path: Path) -> Archive:
    shutil.copytree(saved, tmp_path / "archive")
    return Archive(tmp_path / "archive")


@pytest.fixture
def client(archive: Archive, demo: PaperServer, open_client: Opener) -> kfut.Client:
    return open_client(demo, path=archive.folder)


def some_file(archive: Archive, series: str = "account_log") -> Path:
    return sorted((archive.folder / series).glob("*.parquet"))[0]


# ---- for every tool ------------------------------------------------------------------------------------------------


def test_pandas_polars_and_duckdb_read_it_without_us(archive: Archive) -> None:
    log = archive.read("account_log")
    fees = log.groupby("contract")["fee"].sum()
    folder = archive.folder / "account_log"
    plain = pd.read_parquet(folder).sort_values("id").set_index("id")
    pd.testing.assert_series_equal(plain["fee"], log["fee"])
    pd.testing.assert_series_equal(plain["time"], log["time"])
    pd.testing.assert_series_equal(plain["info"], log["info"])
    found = polars.scan_parquet(folder / "*.parquet").group_by("contract").agg(polars.col("fee").sum()).collect()
    assert dict(found.drop_nulls().iter_rows()) == pytest.approx(fees.to_dict())
    query = f"SELECT contract, sum(fee) FROM '{folder.as_posix()}/*.parquet' WHERE contract IS NOT NULL GROUP BY 1"
    assert dict(duckdb.sql(query).fetchall()) == pytest.approx(fees.to_dict())
    candles = (archive.folder / "candles").as_posix()
    query = (
        f"SELECT close FROM read_parquet('{candles}/**/*.parquet', hive_partitioning = true) "
        "WHERE symbol = 'PF_XBTUSD' AND tick_type = 'mark' ORDER BY time"
    )
    expected = archive.read("candles", symbol="PF_XBTUSD", tick_type="mark")
    assert [close for (close,) in duckdb.sql(query).fetchall()] == expected["close"].tolist()
    assert len(polars.read_parquet(archive.folder / "funding_rates", hive_partitioning=True)) == sum(
        rows for name, rows in archive.describe()["rows"].items() if str(name).startswith("funding")
    )


def test_the_folder_explains_itself(archive: Archive) -> None:
    text = (archive.folder / "README.md").read_text(encoding="utf-8")
    for name in {path.name.split("=")[0] for path in archive.folder.iterdir() if path.is_dir()}:
        assert f"{name}/" in text
    told = json.loads((archive.folder / "manifest.json").read_text(encoding="utf-8"))
    assert told["series"]["account_log"]["files"][0]["rows"] > 0
    if os.name == "posix":
        assert archive.folder.stat().st_mode & 0o077 == 0
        assert some_file(archive).stat().st_mode & 0o077 == 0


# ---- wrong states --------------------------------------------------------------------------------------------------


def truncated(archive: Archive) -> None:
    path = some_file(archive)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(archive: Archive) -> None:
    some_file(archive, "executions").write_bytes(b"")


def missing(archive: Archive) -> None:
    some_file(archive, "fills").unlink()


def turned(archive: Archive) -> None:
    path = some_file(archive, "position_history")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncated, "bytes instead of"),
        (emptied, "bytes instead of"),
        (missing, "is missing"),
        (turned, "other content"),
    ],
)
def test_damage_is_told_and_mended(saved: Path, archive: Archive, client: kfut.Client, damage, words: str) -> None:
    assert archive.verify()
    damage(archive)
    seen = archive.verify()
    assert not seen
    assert words in repr(seen)
    assert "client.archive.repair()" in repr(seen)
    if damage is not turned:
        series = {truncated: "account_log", emptied: "executions", missing: "fills"}[damage]
        with pytest.raises(kfut.errors.ConfigurationError, match=r"client.archive.repair\(\)"):
            archive.read(series)
    client.archive.repair()
    assert archive.verify()
    assert not archive.gaps().empty or archive.describe()["complete_from"].notna().any()
    client.sync(start=START)
    assert archive.verify()
    found, expected = everything(archive), everything(Archive(saved))
    for frames in (found, expected):
        # Only the newest fills come with these; the first page held some from before the start.
        fills = frames["fills"].drop(columns=["realized_pnl", "sequence_id"])
        frames["fills"] = fills[fills["time"] >= START]
    for series, frame in expected.items():
        same(found[series], frame)


def test_a_foreign_file_stays_and_is_told(archive: Archive, client: kfut.Client) -> None:
    path = archive.folder / "account_log" / "mine.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    before = archive.read("account_log")
    seen = archive.verify()
    assert "mine.parquet: is not in the manifest" in repr(seen)
    client.sync()
    assert path.exists()
    same(archive.read("account_log", START), before[before["time"] >= START])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_broken_manifest(saved: Path, archive: Archive, client: kfut.Client, content: str) -> None:
    path = archive.folder / "manifest.json"
    path.write_text(content)
    with pytest.raises(kfut.errors.ConfigurationError, match=r"is damaged|has the format 99"):
        archive.describe()
    with pytest.raises(kfut.errors.ConfigurationError, match=r"is damaged|has the format 99"):
        client.sync()


def test_a_lost_manifest_is_made_anew_from_the_files(saved: Path, archive: Archive, client: kfut.Client) -> None:
    (archive.folder / "manifest.json").unlink()
    with pytest.raises(kfut.errors.ConfigurationError, match=r"has files but no manifest.json.*rebuild\(\)"):
        archive.read("account_log")
    with pytest.raises(kfut.errors.ConfigurationError, match=r"has files but no manifest\.json"):
        client.sync()
    archive.rebuild()
    original = Archive(saved)
    same(archive.read("account_log"), original.read("account_log"))
    client.sync(start=START)
    same_archives(archive, original)
    assert archive.verify()
    with pytest.raises(kfut.errors.ConfigurationError, match=r"has its manifest\.json"):
        archive.rebuild()


def test_a_full_disk_loses_nothing(
    saved: Path, demo: PaperServer, open_client: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = open_client(demo, path=tmp_path / "full")
    write, room = os.fsync, 30

    def full(descriptor: int) -> None:
        nonlocal room
        room -= 1
        if room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(kfut.errors.ConfigurationError, match=r"No space left on device. What was saved before is kept"):
        client.sync(start=START)
    monkeypatch.setattr(os, "fsync", write)
    held = client.archive.describe()["rows"].sum()
    assert held > 0
    assert client.archive.verify()
    assert client.sync(start=START).total < Archive(saved).describe()["rows"].sum()
    same_archives(client.archive, Archive(saved))


def test_a_folder_that_cannot_be_written(demo: PaperServer, open_client: Opener, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    client = open_client(demo, path=tmp_path / "file" / "archive")
    with pytest.raises(kfut.errors.ConfigurationError, match="cannot be written"):
        client.sync()
    assert len(client.account_log()) > 3000


def test_an_archive_of_another_account(archive: Archive, open_client: Opener, moving: PaperServer) -> None:
    manifest = archive.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"account": "', '"account": "other-'))
    with pytest.raises(kfut.errors.ConfigurationError, match="archive of another account"):
        open_client(moving, path=archive.folder).sync()


# ---- the exchange's CSV export -------------------------------------------------------------------------------------


def test_csv_fills_in_what_the_archive_lacks(
    demo: PaperServer, archive: Archive, open_client: Opener, tmp_path: Path
) -> None:
    client = open_client(demo, archive=False)
    whole = client.account_log()
    path = tmp_path / "log.csv"
    export(whole, path)
    before = len(archive.read("account_log"))
    assert archive.import_csv(path) == len(whole) - before
    assert archive.import_csv(path) == 0
    log = kfut.connect("archive", path=archive.folder).account_log()
    assert log.index.tolist() == whole.index.tolist()
    pd.testing.assert_series_equal(log["new_balance"], whole["new_balance"])
    pd.testing.assert_series_equal(log["execution_id"][-before:], whole["execution_id"][-before:])
    expected = kfut.pnl(whole).by_contract()
    pd.testing.assert_frame_equal(kfut.pnl(log).by_contract(), expected)
    assert archive.verify()
    export(whole[:100].assign(booking_uid=[f"other-{i}" for i in range(100)]), path)
    with pytest.raises(kfut.errors.ArgumentError, match="has no entry in common"):
        archive.import_csv(path)


def export(log: pd.DataFrame, path: Path) -> None:
    """What the exchange's export looks like (api-facts 7.5), newest entry first."""
    names = {
        "booking_uid": "uid", "time": "dateTime", "account": "account", "info": "type", "asset": "symbol",
        "contract": "contract", "change": "change", "new_balance": "new balance",
        "new_entry_price": "new average entry price", "trade_price": "trade price", "mark_price": "mark price",
        "funding_rate": "funding rate", "realized_pnl": "realized pnl", "fee": "fee",
        "realized_funding": "realized funding", "collateral": "collateral",
        "conversion_spread_percentage": "conversion spread percentage", "liquidation_fee": "liquidation fee",
        "position_uid": "position uid", "exchange_rate": "exchange rate", "exchange_rate_from": "exchange rate from",
        "conversion_fee": "conversion fee",
    }  # fmt: skip
    log[list(names)].rename(columns=names).iloc[::-1].to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")


def test_what_an_archive_tells_of_itself_is_described(archive: Archive) -> None:
    assert list(archive.describe().reset_index().columns) == list(kfut.describe("archive").index)
    assert list(archive.gaps().columns) == list(kfut.describe("archive_gaps").index)
