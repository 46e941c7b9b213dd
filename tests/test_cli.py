"""The ``kfut`` command: what it prints, writes and returns, with right and wrong input."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics import cli
from kfut_analytics.cli import notebooks
from kfut_analytics.paper.keeping.named import create_account, list_accounts

REPOSITORY = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-c", "from kfut_analytics.cli import main; main()"]


def kfut_command(*arguments: object) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    words = [*COMMAND, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, env=environ, check=False)


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["kfut", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def one_line(text: str) -> bool:
    return text.startswith("kfut: ") and text.count("\n") == 1 and text.endswith("\n")


def test_version() -> None:
    done = kfut_command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"kfut_analytics {kfut.__version__}\n", "")


def test_importing_it_is_light() -> None:
    code = "import sys, kfut_analytics.cli; print(' '.join(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = ("pandas", "matplotlib", "ipywidgets", "starlette", "uvicorn", "requests", "jupyterlab", "kfut_analytics.c")
    assert not [m for m in modules if m.startswith(heavy) and not m.startswith("kfut_analytics.cli")]


@pytest.mark.parametrize("arguments", [["--nonsense"], ["nonsense"], ["lab", "--port", "x"], ["paper", "serve", "1"]])
def test_wrong_usage_is_2(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    assert run_main(monkeypatch, *arguments) == 2


# ---- kfut lab ----------------------------------------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines of the JupyterLabs that would have been started."""
    lines: list[list[str]] = []
    monkeypatch.setattr(runpy, "run_module", lambda name, run_name: lines.append([name, *sys.argv[1:]]))
    return lines


def test_lab_copies_the_notebooks_and_opens_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, started: list[list[str]]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    folder = tmp_path / "mine" / "notebooks"
    assert run_main(monkeypatch, "lab", "--dir", folder, "--no-browser", "--port", 9123) == 0
    assert (folder / "01_quickstart.ipynb").read_bytes() == (REPOSITORY / "notebooks/01_quickstart.ipynb").read_bytes()
    [[module, *options]] = started
    assert module == "jupyterlab"
    assert set(options) == {
        f"--ServerApp.root_dir={folder}",
        "--LabApp.default_url=/lab/tree/01_quickstart.ipynb",
        "--no-browser",
        "--ServerApp.port=9123",
    }


def test_lab_starts_for_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, started: list[list[str]]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    assert run_main(monkeypatch, "lab", "--dir", tmp_path) == 0
    assert "--allow-root" in started[0]


def test_lab_never_overwrites(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, started: list[list[str]]) -> None:
    mine = tmp_path / "01_quickstart.ipynb"
    mine.write_text("my own work")
    assert run_main(monkeypatch, "lab", "--dir", tmp_path) == 0
    assert mine.read_text() == "my own work"
    assert "--no-browser" not in started[0]


def test_lab_says_how_to_install_jupyterlab(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run_main(monkeypatch, "lab", "--dir", tmp_path / "new") == 1
    error = capsys.readouterr().err
    assert one_line(error)
    assert 'pip install "kfut-analytics[lab]"' in error
    assert not (tmp_path / "new").exists()


def test_lab_says_when_it_cannot_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], started: list[list[str]]
) -> None:
    (tmp_path / "file").write_text("")
    assert run_main(monkeypatch, "lab", "--dir", tmp_path / "file") == 1
    assert one_line(capsys.readouterr().err)
    assert started == []


def test_notebooks_are_found_in_a_checkout_and_in_an_installed_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert notebooks.notebooks_folder() == REPOSITORY / "notebooks"
    package = tmp_path / "kfut_analytics"
    monkeypatch.setattr(notebooks, "__file__", str(package / "cli" / "notebooks.py"))
    with pytest.raises(kfut.errors.ConfigurationError, match="missing"):
        notebooks.notebooks_folder()
    shutil.copytree(REPOSITORY / "notebooks", package / "notebooks")
    assert notebooks.notebooks_folder() == package / "notebooks"


# ---- kfut report -------------------------------------------------------------------------------------------------


def test_report_writes_a_file(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = kfut_command("report", "--env", "paper", "--out", out, "--start", "-7d")
    assert (done.returncode, done.stderr) == (0, "")
    assert str(out) in done.stdout
    assert "<html" in out.read_text(encoding="utf-8")


def test_report_of_another_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with kfut.paper.start(account="empty") as server:
        monkeypatch.setenv("KRAKEN_FUTURES_API_KEY", server.api_key)
        monkeypatch.setenv("KRAKEN_FUTURES_API_SECRET", server.api_secret)
        done = kfut_command("report", "--base-url", server.base_url, "--out", tmp_path / "report.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert "10,000.00" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--env", "nowhere"], "'nowhere'", 2),
        (["--start", "yesterdayish"], "yesterdayish", 2),
        (["--out", "no/such/folder/report.html"], "no/such/folder", 2),
    ],
)
def test_report_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    said: str,
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_main(monkeypatch, "report", *arguments) == code
    error = capsys.readouterr().err
    assert one_line(error), error
    assert said in error
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_venue_is_one_line_and_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise kfut.errors.AuthenticationError("the key was\nrefused")

    monkeypatch.setattr(kfut, "connect", refuse)
    assert run_main(monkeypatch, "report", "--out", tmp_path / "report.html") == 1
    assert capsys.readouterr().err == "kfut: the key was refused\n"


# ---- kfut paper serve --------------------------------------------------------------------------------------------


@contextmanager
def serving(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    process = subprocess.Popen(
        [*COMMAND, "paper", "serve", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
        yield process, dict(line.split("=", 1) for line in lines)
    finally:
        process.kill()
        process.communicate()


def connect(values: dict[str, str], **options: Any) -> kfut.Client:
    return kfut.connect(
        "paper",
        base_url=values["KRAKEN_FUTURES_BASE_URL"],
        api_key=values["KRAKEN_FUTURES_API_KEY"],
        api_secret=values["KRAKEN_FUTURES_API_SECRET"],
        **options,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_how_to_reach_it_and_stops_cleanly(number: signal.Signals) -> None:
    with serving("--account", "empty", "--seed", 7) as (process, values):
        with connect(values) as client:
            assert client.account().margin_equity > 0
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
        assert (process.returncode, output, errors) == (0, "", "")


def test_serve_at_the_prices_of_another_exchange() -> None:
    with kfut.paper.start(account="empty") as followed:
        arguments = ("--account", "empty", "--market", "live", "--market-url", followed.base_url)
        with serving(*arguments) as (process, values):
            there = {**values, "KRAKEN_FUTURES_BASE_URL": followed.base_url}
            with connect(values, trading=True) as client, connect(there) as theirs:
                ours, real = (c.candles("PF_XBTUSD", "1d", start="-9d").iloc[:-1] for c in (client, theirs))
                assert len(ours) > 7
                assert ours.equals(real)
                assert client.place(kfut.Order("PF_XBTUSD", "buy", 0.01)).status == "filled"
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=20) == ("", "")
            assert process.returncode == 0


def test_serve_uses_the_port_and_says_when_it_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = kfut_command("paper", "serve", "--account", "empty", "--port", taken.getsockname()[1])
        assert done.returncode == 1
        assert done.stdout == ""
        assert one_line(done.stderr)
        assert str(taken.getsockname()[1]) in done.stderr


def test_serve_names_the_accounts_there_are() -> None:
    done = kfut_command("paper", "serve", "--account", "nobody")
    assert done.returncode == 2
    assert one_line(done.stderr)
    assert "demo" in done.stderr


def test_a_wrong_secret_is_refused_without_showing_it() -> None:
    with serving("--account", "empty") as (_, values):
        wrong = values | {"KRAKEN_FUTURES_API_SECRET": "d3JvbmcgZW50aXJlbHkgd3Jvbmcgc2VjcmV0IG9mIG5vYm9keQ=="}
        with connect(wrong) as client, pytest.raises(kfut.errors.AuthenticationError) as refused:
            client.accounts()
        assert wrong["KRAKEN_FUTURES_API_SECRET"] not in str(refused.value)


def test_serve_with_faults_of_a_file(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"faults": [{"operation": "GET accounts", "kind": "nonce-low"}]}), encoding="utf-8")
    with serving("--account", "empty", "--faults", plan) as (_, values), connect(values) as client:
        with pytest.raises(kfut.errors.AuthenticationError, match="nonceBelowThreshold"):
            client.accounts()
        assert not client.accounts().empty


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "plan.json"),
        ("{", "is not JSON"),
        ("[]", "holds list"),
        ('{"faults": [{"operation": "*", "kind": "explode"}]}', "explode"),
    ],
)
def test_a_file_of_faults_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "plan.json").write_text(text)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert run_main(monkeypatch, "paper", "serve", "--account", "empty", "--faults", tmp_path / "plan.json") == 2
    error = capsys.readouterr().err
    assert one_line(error), error
    assert said in error


def test_the_printed_lines_connect_two_other_clients() -> None:
    pytest.importorskip("ccxt")
    pytest.importorskip("kraken.futures")
    with serving("--account", "empty") as (process, _):
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(13)]
        names: dict[str, Any] = {}
        exec("".join(lines), names)  # what a person pastes
        with names["client"] as client:
            assert client.account().margin_equity == 10_000
        assert names["exchange"].fetch_balance({"type": "flex"})["USD"]["total"] == 10_000
        assert names["trade"].get_orders_status(orderIds=["none"])["orders"] == []


# ---- kfut paper init, list, reset --------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KFUT_HOME", str(tmp_path))
    return tmp_path


def test_a_kept_account_from_init_to_reset(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: object) -> str:
        assert run_main(monkeypatch, "paper", *arguments) == 0
        return capsys.readouterr().out

    assert said("list") == f"No accounts in {home / 'paper'}; kfut paper init NAME makes one\n"
    assert said("init", "Mine") == f"Account mine is kept in {home / 'paper' / 'mine.sqlite'}\n"
    said("init", "two", "--balance", "USD=1e5", "--balance", "fi_xbtusd=0.25", "--seed", 4)
    header, *rows = (line.split(maxsplit=6) for line in said("list").splitlines())
    assert header == ["NAME", "TIME", "SIZE", "OPEN", "BALANCES"]
    assert [(row[0], row[5], row[6]) for row in rows] == [
        ("mine", "no", "10,000 USD"),
        ("two", "no", "0.25 XBT in fi_xbtusd, 100,000 USD"),
    ]
    with kfut.connect(account="two", seed=4):
        assert said("list").splitlines()[2].split()[5] == "yes"
    assert "two begins anew" in said("reset", "two", "--balance", "USD=7", "--yes")
    assert "7 USD" in said("list")
    assert len(list((home / "paper").glob("two.*.backup"))) == 1


@pytest.mark.parametrize(("answer", "code", "amount"), [("n\n", 1, 10_000), ("y\n", 0, 5)])
def test_reset_asks_first(home: Path, answer: str, code: int, amount: float) -> None:
    create_account("mine")
    words = [*COMMAND, "paper", "reset", "mine", "--balance", "USD=5"]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(words, input=answer, capture_output=True, text=True, timeout=60, env=environ, check=False)
    assert done.returncode == code
    assert "Begin the account mine anew?" in done.stdout
    [account] = list_accounts()
    assert account.balances == {("flex", "usd"): amount}


NOBODY = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["init", "a b"], "'a b'", 2),
        (["init", "demo"], "'demo'", 2),
        (["init", "there"], "kfut paper reset there", 1),
        (["init", "new", "--balance", "USD"], "--balance USD is not CURRENCY=AMOUNT", 2),
        (["init", "new", "--balance", "USD=x"], "--balance USD=x is not CURRENCY=AMOUNT", 2),
        (["init", "new", "--balance", "USD=1", "--balance", "USD=2"], "twice", 2),
        (["init", "new", "--balance", "MOON=1"], "'MOON'", 2),
        (["init", "new", "--market", "moon"], "'moon'", 2),
        (["reset", "nobody", "--yes"], "'demo', 'empty' and 'there'", 2),
        (["serve", "--account", "nobody"], "kfut paper init nobody", 2),
        (["serve", "--account", "there", "--seed", "3"], "made with seed=0", 2),
        (["serve", "--speed", "-1"], "speed=-1.0", 2),
        (["serve", "--market", "live"], "account='empty'", 2),
        (["serve", "--account", "empty", "--market", "live", "--market-url", "moon"], "market_url='moon'", 2),
        (["serve", "--account", "empty", "--market", "live", "--market-url", NOBODY], "there is no connection", 1),
        (["init", "new", "--market", "live", "--market-url", NOBODY], "there is no connection", 1),
    ],
)
def test_errors_of_kept_accounts_are_one_line(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
    code: int,
) -> None:
    create_account("there")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert run_main(monkeypatch, "paper", *arguments) == code
    error = capsys.readouterr().err
    assert one_line(error), error
    assert said in error
    assert [account.name for account in list_accounts()] == ["there"]


def test_a_kept_account_is_served_at_its_speed_with_its_key_and_once(home: Path) -> None:
    create_account("mine")
    with serving("--account", "mine", "--speed", 3600, "--enforce-limits") as (process, values):
        with connect(values, trading=True) as client:
            client.place(kfut.Order("PF_XBTUSD", "buy", 0.01))
            assert client.account().margin_equity > 0
        done = kfut_command("paper", "serve", "--account", "mine")
        assert done.returncode == 1
        assert one_line(done.stderr)
        assert f"open in process {process.pid}" in done.stderr
    with serving("--account", "mine") as (_, again), connect(again) as client:
        assert again["KRAKEN_FUTURES_API_SECRET"] == values["KRAKEN_FUTURES_API_SECRET"]
        assert client.positions()["signed_size"].to_dict() == {"PF_XBTUSD": 0.01}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["margin", "--shock", "abc"], "'--shock': 'abc' is not a number"),
        (["paper", "serve", "--port", "99999"], "'--port': 99999 is out of range: give a whole number from 0 to 65535"),
        (["paper", "serve", "--seed", "-1"], "'--seed': -1 is out of range: give a whole number at least 0"),
        (["lab", "--port", "8e3"], "'--port': '8e3' is not a whole number"),
        (["positions", "--nope"], "No such option: --nope: see kfut positions --help"),
        (["positions", "mine"], "(mine): see kfut positions --help"),
        (["orders", "buy"], "No such command 'buy': see kfut orders --help"),
        (["scan"], "see kfut scan --help"),
        (["report", "--compare", "-10d", "-20d"], "compare=('-10d', '-20d'): the first date is not before the second"),
        (["paper", "init", "mine", "--balance", "USD=-5"], "balance has -5 of USD"),
    ],
)
def test_wrong_usage_is_one_line_too(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert one_line(shown.err), shown.err
    assert said in shown.err
