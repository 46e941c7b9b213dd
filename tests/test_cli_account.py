"""``kfut positions``, ``margin``, ``orders``, ``sync`` and ``lab``: for people, for machines, exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.cli import notebooks
from kfut_analytics.cli.output import table_lines, write_frame, write_json
from tests.test_cli import COMMAND, REPOSITORY, one_line, run_main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[kfut.Client]:
    """An exchange that commands reach, with a position and a resting order."""
    monkeypatch.setenv("KFUT_HOME", str(tmp_path / "home"))
    with kfut.paper.start(account="empty") as server:
        monkeypatch.setenv("KRAKEN_FUTURES_API_KEY", server.api_key)
        monkeypatch.setenv("KRAKEN_FUTURES_API_SECRET", server.api_secret)
        monkeypatch.setenv("EXCHANGE", server.base_url)
        with kfut.connect("paper", base_url=server.base_url, trading=True) as client:
            client.place(kfut.Order("PF_XBTUSD", "buy", 0.02))
            yield client


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = run_main(monkeypatch, *arguments, "--base-url", os.environ["EXCHANGE"])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def strict(text: str) -> Any:
    """JSON as machines read it: NaN is none."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


def test_positions(client: kfut.Client, run: Run) -> None:
    code, shown, errors = run("positions")
    assert (code, errors) == (0, "")
    title, header, row = shown.splitlines()
    assert title.startswith("PAPER, account '127.0.0.1:")
    assert header.split()[:3] == ["SYMBOL", "SIDE", "SIZE"]
    assert row.split()[:3] == ["PF_XBTUSD", "long", "0.02"]

    code, shown, errors = run("positions", "--json")
    found = strict(shown)
    assert (code, errors, found["env"]) == (0, "", "paper")
    [record] = found["positions"]
    assert record["symbol"] == "PF_XBTUSD"
    assert record["size"] == 0.02
    assert record["max_fixed_leverage"] is None
    assert abs(pd.Timestamp.now("UTC") - pd.Timestamp(record["fill_time"])) < pd.Timedelta(minutes=1)
    assert set(record) == {"symbol", *client.positions().columns}


def test_margin_says_what_the_package_says(client: kfut.Client, run: Run) -> None:
    code, shown, _ = run("margin", "--json", "--shock", "-0.25", "--shock", "0.25")
    found = strict(shown)
    assert code == 0
    assert [row["market"] for row in found["stress"]] == [-0.25, 0.25]
    assert found["stress"][0]["pnl"] == pytest.approx(-found["stress"][1]["pnl"])
    assert [row["symbol"] for row in found["liquidation"]] == ["PF_XBTUSD"]
    flex = next(row for row in found["usage"] if row["account"] == "flex")
    assert flex["usage"] == pytest.approx(flex["initial_margin"] / flex["equity"])
    code, shown, _ = run("margin")
    assert code == 0
    assert [part.split("\n", 1)[0].split()[0] for part in shown.split("\n\n")] == [
        "PAPER,",
        "Usage",
        "Liquidation",
        "Stress:",
    ]


def test_orders_are_shown_and_cancelled_only_with_a_deliberate_word(client: kfut.Client, run: Run) -> None:
    price = round(client.tickers().loc["PF_XBTUSD", "bid"] * 0.9)
    placed = client.place(kfut.Order("PF_XBTUSD", "buy", 0.01, limit_price=price))
    assert str(placed.order_id) in run("orders")[1]
    [order] = strict(run("orders", "--json")[1])["orders"]
    assert (order["order_id"], order["limit_price"]) == (placed.order_id, price)

    code, shown, errors = run("orders", "cancel", placed.order_id)
    assert (code, shown) == (2, "")
    assert "--trading" in errors
    assert len(client.open_orders()) == 1

    code, shown, _ = run("orders", "cancel", placed.order_id, "--trading")
    assert (code, shown.endswith(f"order {placed.order_id}: cancelled\n")) == (0, True)
    assert client.open_orders().empty
    code, shown, _ = run("orders", "cancel", placed.order_id, "--trading", "--json")
    assert code == 1
    assert strict(shown)["status"] != "cancelled"
    assert run("orders")[1].endswith("no open orders\n")

    sent = strict(run("orders", "journal", "--json")[1])["journal"]
    assert {"order", "cancel"} <= {row["kind"] for row in sent} or len(sent) >= 2


def test_sync_plans_saves_and_verifies(client: kfut.Client, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    plan = strict(run("sync", "--plan", "--path", folder, "--json")[1])
    assert plan["requests"] > 0
    assert not (folder / "manifest.json").exists()
    code, shown, errors = run("sync", "--path", folder, "--json")
    assert (code, errors) == (0, "")
    rows = {row["series"]: row["rows"] for row in strict(shown)["series"]}
    assert rows["account_log"] > 0
    assert run("sync", "--path", folder, "--verify")[0] == 0
    victim = next(folder.rglob("*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-9])
    code, shown, _ = run("sync", "--path", folder, "--verify", "--json")
    assert code == 3
    assert strict(shown)["problems"]


def test_an_archive_is_read_without_an_exchange(
    client: kfut.Client, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "kept"
    assert run("sync", "--path", folder)[0] == 0
    told = {name: strict(run(name, "--json")[1]) for name in ("positions", "orders", "margin")}
    for name, live in told.items():
        assert run_main(monkeypatch, name, "--env", "archive", "--path", folder, "--json") == 0
        kept = strict(capsys.readouterr().out)
        assert kept["env"] == "archive"
        if name == "margin":
            assert [row["symbol"] for row in kept["liquidation"]] == [row["symbol"] for row in live["liquidation"]]
        else:
            assert [row["size"] for row in kept[name]] == [row["size"] for row in live[name]]
        assert run_main(monkeypatch, name, "--env", "archive") == 2
        assert "--env archive needs --path" in capsys.readouterr().err


def test_at_a_terminal_the_plan_is_said_beside_the_result(
    client: kfut.Client, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, shown, errors = run("sync", "--path", tmp_path / "kept", "--json")
    assert code == 0
    assert strict(shown)["series"]
    assert "kept: about" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["positions", "--account", "mine"], "--account mine"),
        (["positions", "--env", "moon"], "'moon'"),
        (["sync", "--candles", "PF_XBTUSD"], "--candles PF_XBTUSD"),
        (["sync", "--plan", "--verify"], "two different questions"),
        (["sync", "--plan", "--funding", "PF_XBTUSD"], "leave them out"),
        (["sync", "--start", "yesterdayish"], "yesterdayish"),
        (["orders", "journal", "--start", "yesterdayish"], "yesterdayish"),
        (["margin", "--shock", "-2"], "-2"),
    ],
)
def test_wrong_input_is_one_line_and_2(client: kfut.Client, run: Run, arguments: list[str], said: str) -> None:
    code, shown, errors = run(*arguments)
    assert (code, shown) == (2, "")
    assert one_line(errors), errors
    assert said in errors


def test_a_warning_is_one_line_beside_the_result(
    client: kfut.Client, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name != "posix":
        pytest.skip("files have no modes here")
    names = ("KRAKEN_FUTURES_API_KEY", "KRAKEN_FUTURES_API_SECRET")
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}={os.environ[name]}\n" for name in names))
    file.chmod(0o644)
    for name in names:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    code, shown, errors = run("positions", "--json")
    assert code == 0
    assert strict(shown)["positions"]
    assert one_line(errors)
    assert errors.startswith("kfut: warning: .env holds an API key and other users")


@pytest.mark.usefixtures("ctrl_c_counts")
def test_ctrl_c_ends_with_130_and_no_traceback() -> None:
    with socket.socket() as silent:  # an exchange that never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        environ |= {"KRAKEN_FUTURES_API_KEY": "key", "KRAKEN_FUTURES_API_SECRET": "c2VjcmV0"}
        process = subprocess.Popen(
            [*COMMAND, "positions", "--base-url", url], stdout=-1, stderr=-1, text=True, env=environ
        )
        silent.settimeout(30)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            shown, errors = process.communicate(timeout=30)
    assert (process.returncode, shown) == (130, "")
    assert "Traceback" not in errors


# ---- tables --------------------------------------------------------------------------------------------------------


def test_a_table_that_is_too_wide_is_divided_with_its_first_column_repeated() -> None:
    lines = table_lines(["name", "first", "second"], [["a", "1", "22"], ["bb", "333", "4"]], right={"first"}, width=14)
    assert lines == ["NAME  FIRST", "a         1", "bb      333", "", "NAME  SECOND", "a     22", "bb    4"]


def test_values_as_people_and_machines_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame(
        {
            "share": [0.1234, np.nan],
            "flag": pd.array([True, None], dtype="boolean"),
            "time": pd.to_datetime(["2026-01-02T03:04:05.678Z", None]),
            "count": np.array([1234567, 2]),
        }
    )
    write_frame(frame, {"share": ".1%", "flag": "", "time": "", "count": ""})
    assert capsys.readouterr().out.splitlines()[1:] == [
        "12.3%  yes   2026-01-02 03:04:05  1,234,567",
        "  n/a  n/a   n/a                          2",
    ]
    write_json({"rows": frame, "infinite": float("inf"), "whole": np.int64(3)})
    assert strict(capsys.readouterr().out) == {
        "rows": [
            {"share": 0.1234, "flag": True, "time": "2026-01-02T03:04:05.678000Z", "count": 1234567},
            {"share": None, "flag": None, "time": None, "count": 2},
        ],
        "infinite": None,
        "whole": 3,
    }


# ---- kfut lab: whose notebooks ---------------------------------------------------------------------------------------


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of notebooks that comes with the package."""
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(notebooks, "notebooks_folder", lambda: folder)
    return folder


def write(path: Path, text: str, *, run: bool = False) -> None:
    cell = {"cell_type": "code", "source": [text], "outputs": [{"a": 1}] if run else [], "metadata": {}}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def test_a_new_version_is_put_beside_the_user_s_own_and_once(ours: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    write(ours / "01.ipynb", "first")
    assert notebooks.copy_notebooks(mine) == {"01.ipynb": "01.ipynb"}
    write(mine / "01.ipynb", "what I made of it")
    assert notebooks.copy_notebooks(mine) == {}
    write(ours / "01.ipynb", "second")
    assert notebooks.copy_notebooks(mine) == {"01.ipynb": "01-2.ipynb"}
    assert notebooks.copy_notebooks(mine) == {}
    write(ours / "01.ipynb", "third")
    assert notebooks.copy_notebooks(mine) == {"01.ipynb": "01-3.ipynb"}
    assert "what I made of it" in (mine / "01.ipynb").read_text()
    assert "second" in (mine / "01-2.ipynb").read_text()


def test_a_notebook_that_was_only_run_is_no_reason_for_another(ours: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    write(ours / "01.ipynb", "first")
    write(mine / "01.ipynb", "first", run=True)
    assert notebooks.copy_notebooks(mine) == {}


def test_a_file_of_that_name_that_is_no_notebook_stays(ours: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    write(ours / "01.ipynb", "first")
    (mine / "01.ipynb").write_text("{}")
    assert notebooks.copy_notebooks(mine) == {"01.ipynb": "01-2.ipynb"}
    assert (mine / "01.ipynb").read_text() == "{}"
