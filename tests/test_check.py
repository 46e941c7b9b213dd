"""``kfut check``: each fault is found on a real server, a real file or a real installation, and told with a remedy."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import kfut_analytics as kfut
from kfut_analytics import check
from kfut_analytics.check import Finding
from kfut_analytics.check.keys import environment_keys, key_at_exchange
from kfut_analytics.check.machine import disk, paper_exchange
from kfut_analytics.check.network import exchange_reached
from kfut_analytics.cli import main

REPOSITORY = Path(__file__).resolve().parents[1]
SECRET = base64.b64encode(bytes((37 * i * i + 11 * i) % 251 for i in range(64))).decode()
KEY = base64.b64encode(bytes((53 * i * i + 7 * i) % 251 for i in range(42))).decode()
KEY_NAME, SECRET_NAME = "KRAKEN_FUTURES_API_KEY", "KRAKEN_FUTURES_API_SECRET"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if "KRAKEN" in name or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KFUT_HOME", str(tmp_path / "home"))


def problems(findings: Iterator[Finding]) -> list[Finding]:
    found = [finding for finding in findings if finding.state == "problem"]
    assert all(finding.remedy for finding in found)
    return found


@contextmanager
def answering(
    status: int = 200, body: str = "{}", headers: dict[str, str] | None = None, *, tls: bool = False
) -> Iterator[str]:
    """A server that gives one answer to all; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        trustme = pytest.importorskip("trustme")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def at(offset: timedelta) -> str:
    return (datetime.now(UTC) + offset).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


# ---- network and clock ---------------------------------------------------------------------------------------------


def test_the_paper_exchange_is_reached_and_its_clock_is_right() -> None:
    with kfut.paper.start(account="empty") as server:
        findings = list(exchange_reached(server.base_url))
    assert [(finding.area, finding.state) for finding in findings] == [("network", "ok"), ("clock", "ok")]


@pytest.mark.parametrize(
    ("status", "body", "headers", "said"),
    [
        (302, "", {"Location": "https://login.example/"}, "login.example"),
        (200, "<html>please log in", {}, "does not answer as the exchange does"),
        (200, "[1]", {}, "does not answer as the exchange does"),
        (403, "", {}, "HTTP 403"),
        (451, "", {}, "HTTP 451"),
        (503, "", {}, "is down (HTTP 503)"),
    ],
)
def test_answers_that_are_not_the_exchange_s(status: int, body: str, headers: dict[str, str], said: str) -> None:
    with answering(status, body, headers) as url:
        [problem] = problems(exchange_reached(url))
    assert problem.area == "network"
    assert said in problem.what


@pytest.mark.parametrize(("minutes", "said"), [(-3, "180 s ahead"), (3, "180 s behind")])
@pytest.mark.parametrize("source", ["serverTime", "Date"])
def test_a_wrong_clock(minutes: int, said: str, source: str) -> None:
    offset = timedelta(minutes=minutes)
    body = {"result": "success"} | ({"serverTime": at(offset)} if source == "serverTime" else {})
    headers = {"Date": format_datetime(datetime.now(UTC) + offset, usegmt=True)} if source == "Date" else {}
    with answering(200, json.dumps(body), headers) as url:
        [problem] = problems(exchange_reached(url))
    assert problem.area == "clock"
    shown = problem.what.replace("179", "180").replace("181", "180")
    assert said in shown


def test_a_certificate_that_nobody_vouches_for() -> None:
    with answering(tls=True) as url:
        [problem] = problems(exchange_reached(url))
    assert "certificate" in problem.what
    assert "REQUESTS_CA_BUNDLE" in problem.remedy


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "there is no connection to 127.0.0.1:1"),
        ("https://nobody.invalid", "the name nobody.invalid is not found"),
        ("http://example.com", "not encrypted"),
        ("moon", "'moon' is not the address"),
    ],
)
def test_addresses_with_nobody_there(url: str, said: str) -> None:
    [problem] = problems(exchange_reached(url))
    assert said in problem.what


def test_a_server_that_never_answers() -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        [problem] = problems(exchange_reached(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2))
    assert "does not answer within 0.2 s" in problem.what


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:hidden@127.0.0.1:1")
    findings = list(exchange_reached("https://nobody.invalid"))
    assert [finding.state for finding in findings] == ["note", "problem"]
    assert "https_proxy" in findings[1].remedy
    assert "hidden" not in repr(findings)


# ---- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "secret", "said"),
    [
        (KEY, "", f"{KEY_NAME} in the environment has no {SECRET_NAME}"),
        ("", SECRET, f"{SECRET_NAME} in the environment has no {KEY_NAME}"),
        (KEY + "\n", SECRET, f"{KEY_NAME} in the environment begins or ends with a space"),
        (KEY[:9] + " " + KEY[9:], SECRET, f"{KEY_NAME} in the environment has a space or line break inside"),
        (KEY, f'"{SECRET}"', f"{SECRET_NAME} in the environment has quotation marks"),
        (KEY, SECRET[:-3], f"{SECRET_NAME} in the environment is cut off"),
        (KEY, SECRET[:44], f"{SECRET_NAME} in the environment decodes to 33 bytes"),
        (KEY, SECRET.replace("A", "€", 1) if "A" in SECRET else "€" + SECRET, "is not base64 text"),
        (SECRET, SECRET, "are the same"),
    ],
)
def test_keys_that_cannot_be_right(monkeypatch: pytest.MonkeyPatch, key: str, secret: str, said: str) -> None:
    for name, value in ((KEY_NAME, key), (SECRET_NAME, secret)):
        if value:
            monkeypatch.setenv(name, value)
    found = problems(environment_keys())
    assert any(said in problem.what for problem in found), found
    assert KEY[6:] not in repr(found)
    assert SECRET[6:] not in repr(found)


def test_a_name_that_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_FUTURES_SECRET_KEY", SECRET)
    [problem] = problems(environment_keys())
    assert "KRAKEN_FUTURES_SECRET_KEY" in problem.what


def test_a_file_that_is_open_to_all_and_would_be_committed(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    file = tmp_path / ".env"
    file.write_text(f"{KEY_NAME}={KEY}\n{SECRET_NAME}={SECRET}\n")
    file.chmod(0o644)
    said = " ".join(problem.what for problem in problems(environment_keys()))
    assert "git would commit" in said
    if os.name == "posix":
        assert "other users" in said
    file.chmod(0o600)
    (tmp_path / ".gitignore").write_text(".env\n")
    assert problems(environment_keys()) == []


def test_a_file_of_another_encoding(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(f"{KEY_NAME}={KEY}\n".encode("utf-16"))
    [problem] = problems(environment_keys())
    assert "UTF-8" in problem.what


def test_two_places_with_two_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(KEY_NAME, KEY)
    monkeypatch.setenv(SECRET_NAME, SECRET)
    (tmp_path / ".env").write_text(f"{KEY_NAME}={KEY[::-1]}\n{SECRET_NAME}={SECRET}\n")
    (tmp_path / ".env").chmod(0o600)
    assert any("holds another key" in finding.what for finding in environment_keys())


def test_a_key_that_the_exchange_knows_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with kfut.paper.start(account="empty") as server:
        monkeypatch.setenv(KEY_NAME, server.api_key)
        monkeypatch.setenv(SECRET_NAME, server.api_secret)
        assert [finding.state for finding in key_at_exchange(server.base_url)] == ["ok"]
        monkeypatch.setenv(KEY_NAME, KEY)
        [problem] = problems(key_at_exchange(server.base_url))
    assert "spot" in problem.remedy


@pytest.mark.parametrize(
    ("general", "transfer", "said"),
    [
        ("NO_ACCESS", "NO_ACCESS", "may not even read"),
        ("READ_ONLY", "FULL_ACCESS", "may withdraw"),
    ],
)
def test_what_a_key_may_do(monkeypatch: pytest.MonkeyPatch, general: str, transfer: str, said: str) -> None:
    monkeypatch.setenv(KEY_NAME, KEY)
    monkeypatch.setenv(SECRET_NAME, SECRET)
    body = {"result": "success", "apiKey": "x", "permissions": {"general": general, "transfer": transfer}}
    with answering(200, json.dumps(body), {"Content-Type": "application/json"}) as url:
        [problem] = problems(key_at_exchange(url))
    assert said in problem.what


# ---- versions and JupyterLab: packages as pip leaves them, in a folder of their own ---------------------------------


def install(site: Path, name: str, version: str, *lines: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    text = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *lines]
    (folder / "METADATA").write_text("\n".join(text) + "\n")


def looked(site: Path, function: str, **variables: str) -> list[dict[str, str]]:
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from dataclasses import asdict; from kfut_analytics.check import versions\n"
        f"print(json.dumps([asdict(found) for found in versions.{function}()]))"
    )
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
    done = subprocess.run(
        [sys.executable, "-c", code, str(site)], capture_output=True, text=True, check=True, env=environ
    )
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def test_versions_that_do_not_fit(tmp_path: Path) -> None:
    needs = ("pandas>=999", "nobody-has-this>=1", "requests>=2", "never; extra == 'lab'")
    install(tmp_path, "kfut-analytics", "9.9", "Requires-Python: >=3.99", *(f"Requires-Dist: {one}" for one in needs))
    found = looked(tmp_path, "packages")
    assert [one["state"] for one in found] == ["problem"] * 3
    said = " ".join(one["what"] for one in found)
    assert "does not fit >=999" in said
    assert "nobody-has-this is not installed" in said
    assert "does not fit >=3.99" in said
    assert found[0]["remedy"] == 'pip install "pandas>=999"'


def test_a_jupyterlab_that_shows_no_widgets(tmp_path: Path) -> None:
    install(tmp_path, "jupyterlab", "4.6.0")
    install(tmp_path, "ipywidgets", "8.1.5", "Requires-Dist: jupyterlab_widgets~=3.0.12")
    install(tmp_path, "jupyterlab_widgets", "1.1.0")
    install(tmp_path, "anywidget", "0.11.0")
    data = tmp_path / "data"
    for name, version in (("@jupyter-widgets/jupyterlab-manager", "5.0.0"), ("anywidget", "0.9.0")):
        (data / "labextensions" / name).mkdir(parents=True)
        (data / "labextensions" / name / "package.json").write_text(json.dumps({"version": version}))
    config = tmp_path / "config"
    (config / "labconfig").mkdir(parents=True)
    (config / "labconfig" / "page_config.json").write_text('{"disabledExtensions": {"anywidget": true}}')
    found = looked(tmp_path, "jupyterlab", JUPYTER_PATH=str(data), JUPYTER_CONFIG_DIR=str(config))
    said = [one["what"] for one in found]
    assert all(one["state"] == "problem" for one in found)
    assert any("jupyterlab_widgets 1.1.0 does not fit ipywidgets" in text for text in said)
    assert any("is of version 0.9.0, anywidget is 0.11.0" in text for text in said)
    assert any("anywidget is switched off" in text for text in said)


def test_an_old_jupyterlab(tmp_path: Path) -> None:
    install(tmp_path, "jupyterlab", "3.6.0")
    [found] = looked(tmp_path, "jupyterlab")
    assert "JupyterLab 3.6.0 is too old" in found["what"]


# ---- disk, the paper exchange, the command --------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KFUT_HOME", str(tmp_path / "file" / "home"))
    [problem] = problems(disk())
    assert "KFUT_HOME" in problem.remedy


def test_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kfut_analytics.check.machine.LEAST_FREE", 10**18)
    [problem] = problems(disk())
    assert "MB are free" in problem.what


def test_the_paper_exchange_is_tried() -> None:
    assert [finding.state for finding in paper_exchange()] == ["ok"]


def test_a_check_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Finding]:
        raise RuntimeError("never mind")
        yield

    monkeypatch.setattr(check, "disk", broken)
    found = list(check.look_at_everything(offline=True))
    assert any("never mind" in finding.what for finding in found)
    assert found[-1].area == "paper exchange"


@pytest.mark.parametrize(("broken", "code"), [(False, 0), (True, 3)])
def test_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: bool, code: int
) -> None:
    monkeypatch.setattr(check, "packages", lambda: iter(()))
    monkeypatch.setattr(check, "jupyterlab", lambda: iter(()))
    if broken:
        monkeypatch.setenv(KEY_NAME, KEY)
    for options in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["kfut", "check", "--offline", *options])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == code
        shown = capsys.readouterr()
        assert shown.err == ""
        assert KEY not in shown.out
        if options:
            assert json.loads(shown.out)["ok"] is not broken
        else:
            assert shown.out.endswith("1 problem found\n" if broken else "all is well\n")
