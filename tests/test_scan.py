"""``kfut scan``: whatever is planted is found, wherever it hides, and an ordinary project is clean."""

from __future__ import annotations

import base64
import html
import json
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfut_analytics.cli import main
from kfut_analytics.leaks import look, strip

REPOSITORY = Path(__file__).resolve().parents[1]

TOKENS = st.integers(0, 2**64).map(lambda seed: (Random(seed).randbytes(64), Random(seed + 1).randbytes(42)))
"""A secret and a key as the exchange draws them."""


def notebook(**parts: Any) -> str:
    cell = {"cell_type": "code", "metadata": {}, "source": [], "outputs": [], "execution_count": 1}
    cell |= {name: value for name, value in parts.items() if name in cell}
    metadata = parts.get("whole", {})
    return json.dumps({"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def stream(text: str) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": "stdout", "text": ["first line\n", text]}]


PLACES: dict[str, tuple[str, Callable[[str], str], str]] = {
    "source": ("a.ipynb", lambda x: notebook(source=["import os\n", f"key = '{x}'\n"]), "cell 1 line 2"),
    "output": ("a.ipynb", lambda x: notebook(outputs=stream(f"key {x}\n")), "cell 1 output 1.text"),
    "html output": (
        "a.ipynb",
        lambda x: notebook(
            outputs=[
                {"output_type": "display_data", "metadata": {}, "data": {"text/html": [f"<td>{html.escape(x)}</td>"]}}
            ]
        ),
        "cell 1 output 1.data.text/html",
    ),
    "cell metadata": ("a.ipynb", lambda x: notebook(metadata={"tags": [x]}), "cell 1 metadata.tags"),
    "parameters": (
        "a.ipynb",
        lambda x: notebook(whole={"papermill": {"parameters": {"anything": x}}}),
        "metadata.papermill.parameters.anything",
    ),
    "injected cell": (
        "a.ipynb",
        lambda x: notebook(metadata={"tags": ["injected-parameters"]}, source=f'# Parameters\nk = "{x}"'),
        "cell 1 line 2",
    ),
    "widget state": (
        "a.ipynb",
        lambda x: notebook(whole={"widgets": {"view": {"state": {"abc": {"state": {"value": x}}}}}}),
        "metadata.widgets.view.state.abc.state.value",
    ),
    "cassette": (
        "a.yaml",
        lambda x: f"interactions:\n- request:\n    headers:\n      APIKey:\n      - {x}\n",
        "line 5",
    ),
    "json body": ("a.yaml", lambda x: f"string: {json.dumps(json.dumps({'k': x}))}\n", "line 1"),
    "escaped json": ("a.log", lambda x: "say " + json.dumps(f"\n{x}\n").replace("/", "\\/"), "line 1"),
    "report": ("report.html", lambda x: f"<p>\n<b>{x}</b></p>", "line 2"),
    "address": (
        "a.txt",
        lambda x: "http://h/?a=" + x.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
        "line 1",
    ),
    "dotenv": (".env", lambda x: f"# mine\nANY={x}\n", "line 2"),
    "script": ("a.py", lambda x: f"CLIENT = connect('live', '{x}')\n", "line 1"),
    "table": ("a.csv", lambda x: f"a,b\n1,{x}\n", "line 2"),
}


@pytest.mark.parametrize("where", PLACES)
@given(tokens=TOKENS)
def test_a_key_and_a_secret_are_found_in_every_place(where: str, tokens: tuple[bytes, bytes]) -> None:
    name, write, place = PLACES[where]
    for raw, kind in zip(tokens, ("API secret or signature", "API key"), strict=True):
        value = base64.b64encode(raw).decode()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_text(write(value), encoding="utf-8")
            found = look(file).leaks
            assert {(leak.file, leak.place) for leak in found} == {(str(file), place)}
            assert kind in {leak.kind for leak in found}
            assert value[8:] not in repr(found)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.yaml", lambda x: f'{{"accountUid":"{x}","a":1}}'),
        ("a.yaml", lambda x: json.dumps(json.dumps({"accountUid": x}))),
        ("a.py", lambda x: f"account_uid = '{x}'"),
        ("a.txt", lambda x: f"Account: {x}"),
        ("a.csv", lambda x: f"uid,account uid,size\n1,{x},3\n"),
        ("a.json", lambda x: json.dumps({"rows": [{"account": x}]})),
        ("a.ipynb", lambda x: notebook(whole={"papermill": {"parameters": {"account_id": x}}})),
        ("a.html", lambda x: f"<dt>Account</dt><dd>{x}</dd>"),
    ],
)
def test_account_ids_are_found_where_they_are_said_to_be_ones(
    tmp_path: Path, name: str, write: Callable[[str], str]
) -> None:
    file = tmp_path / name
    file.write_text(write("5f1d2c88-91ab-4c1e-8f3a-77d0c2e94b16"), encoding="utf-8")
    assert {leak.kind for leak in look(file).leaks} == {"account id"}


def test_a_short_secret_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("password = 'Xk29fQ7pLmZ4rT8vBn3Y'\n")  # kfut scan: public
    [leak] = look(tmp_path).leaks
    assert (leak.place, leak.kind) == ("line 1", "named secret")


@pytest.mark.parametrize(
    "text",
    [
        f"order_id={uuid.UUID(int=2**127 + 12345678901234567890)}",
        '"accountUid":"00000000-0000-0000-0000-000000000000"',
        "integrity sha512-" + base64.b64encode(bytes(range(7, 71))).decode(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" * 2,
        "api_key = os.environ['API_KEY']",
        "api_secret=server.api_secret, api_key=server.api_key",
        "KRAKEN_FUTURES_API_SECRET=<your secret>",
        "https://example.com/some/very/long/path/that/is/made/of/words/and/of/nothing/else",
        base64.b64encode(b"wrong entirely wrong secret of nobody, it is text, not a key ...").decode(),
    ],
)
def test_what_only_looks_like_one_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    assert look(tmp_path).leaks == []


def test_this_project_is_clean() -> None:
    for name in ("cassettes", "notebooks", "kfut_analytics", "tests", "README.md"):
        assert look(REPOSITORY / name).leaks == []


def test_spreadsheets_are_opened_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    value = base64.b64encode(bytes(range(3, 250))[::3][:64]).decode()
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as packed:
        packed.writestr("xl/strings.xml", f"<t>{value}</t>")
    (tmp_path / "b.bin").write_bytes(b"\0\1\2")
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 not really")
    looked = look(tmp_path)
    assert {Path(name).name for name, _ in looked.unread} == {"b.bin", "broken.xlsx"}
    assert looked.files == 1


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["kfut", "scan", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_command_shows_places_and_never_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    value = base64.b64encode(bytes((37 * i * i + 11 * i) % 251 for i in range(64))).decode()
    file = tmp_path / "run.ipynb"
    file.write_text(notebook(outputs=stream(value), whole={"papermill": {"parameters": {"key": value}}}))
    assert run(monkeypatch, file) == 3
    shown = capsys.readouterr().out
    assert "cell 1 output 1.text" in shown
    assert value not in shown
    assert run(monkeypatch, tmp_path, "--json") == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["files"], len(found["found"])) == (1, 2)
    assert run(monkeypatch, tmp_path, "--fix") == 0
    assert capsys.readouterr().out == "nothing secret in 1 file\n"
    assert json.loads(file.read_text())["cells"][0]["outputs"] == []
    assert not strip(file)
    assert run(monkeypatch, tmp_path / "nothing") == 2


def test_the_mark_of_what_is_public(tmp_path: Path) -> None:
    value = base64.b64encode(bytes((37 * i * i + 11 * i) % 251 for i in range(64))).decode()
    (tmp_path / "a.py").write_text(f'SAMPLE = "{value}"  # kfut scan: public\nOTHER = "{value}"\n')
    assert [leak.place for leak in look(tmp_path).leaks] == ["line 2"]
