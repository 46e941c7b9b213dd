"""Many accounts at once: on Dask the figures are those of pandas, and those of each account by itself."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.archive import dataset
from kfut_analytics.archive.ranges import micros
from kfut_analytics.archive.store import Store
from tests.benchmarks.ledger import made_log

TABLES = {
    "by_contract": ((), {}),
    "by": (("contract", "month"), {"tz": "Europe/Berlin"}),
    "daily": ((), {}),
    "round_trips": ((), {}),
    "summary": ((), {}),
    "reconcile": ((), {}),
    "transfers": ((), {}),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five accounts of different size, one of them empty, each in several files."""
    root = tmp_path_factory.mktemp("accounts")
    log = made_log(20_000)
    for number, size in enumerate((9000, 3000, 0, 500, 20_000)):
        store = Store(root / f"live-{number}" / "archive")
        with store.writing("live", f"uid-{number}"):
            for first in range(0, size, 4000):
                page = log.iloc[first : min(first + 4000, size)]
                store.append("account_log", page, (micros(page["time"].iloc[0]), micros(page["time"].iloc[-1]) + 1))
    return root


@pytest.fixture(scope="module")
def cluster():
    """Two workers in this process; where Dask runs is its own business."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", TABLES)
def test_dask_gives_what_pandas_gives(root: Path, cluster, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(dataset, "PARTITION", 10_000)
    accounts = kfut.Accounts(root)
    arguments, options = TABLES[name]
    lazy = accounts.table(name, *arguments, **options)
    assert lazy.npartitions == 3
    found = lazy.compute().reset_index(drop=True)
    expected = accounts.pandas(name, *arguments, **options)
    pd.testing.assert_frame_equal(found, expected)
    for number in range(5):
        alone = getattr(kfut.pnl(kfut.Archive(root / f"live-{number}" / "archive").read("account_log")), name)
        table = alone(*arguments, **options)
        own = found[found["account_uid"] == f"live-uid-{number}"].drop(columns="account_uid").reset_index(drop=True)
        flat = table.reset_index(drop=table.index.names == [None])
        pd.testing.assert_frame_equal(own, flat, check_dtype=len(flat) > 0)


def test_an_account_is_never_divided(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PARTITION", 10_000)
    names = [f"live-uid-{number}" for number in range(5)]
    assert kfut.Accounts(root).partitions() == [names[:1], names[1:4], names[4:]]
    assert "5 accounts, 32,4" in repr(kfut.Accounts(root))
    assert len(kfut.Accounts([root / "live-1", root / "live-3"])) == 2


def test_logs_as_one_lazy_frame(root: Path, cluster) -> None:
    logs = kfut.Accounts(root).account_log()
    fees = logs.groupby("account_uid")["fee"].sum().compute()
    assert fees["live-uid-1"] == pytest.approx(
        kfut.Archive(root / "live-1" / "archive").read("account_log")["fee"].sum()
    )


def test_wrong_questions(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(kfut.errors.ConfigurationError, match="no archive in"):
        kfut.Accounts(tmp_path)
    for name in ("by_contrct", "log", "_cash", "notes"):
        with pytest.raises(kfut.errors.ArgumentError, match=r"is no table of kfut\.pnl"):
            kfut.Accounts(root).table(name)
    shutil.copytree(root / "live-1", tmp_path / "copy")
    with pytest.raises(kfut.errors.ArgumentError, match="archives of one account"):
        kfut.Accounts([root, tmp_path / "copy"])
    monkeypatch.setitem(sys.modules, "dask", None)
    monkeypatch.setitem(sys.modules, "dask.dataframe", None)
    with pytest.raises(kfut.errors.ConfigurationError, match=r'pip install "kfut-analytics\[dask\]"'):
        kfut.Accounts(root).table("by_contract")
