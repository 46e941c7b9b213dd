"""The notebook of the report as a schedule runs it: with parameters, none of which may be a secret."""

from __future__ import annotations

import base64
import warnings
from pathlib import Path

import pytest

import kfut_analytics as kfut
from kfut_analytics.errors import ArgumentError

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOK = REPOSITORY / "notebooks" / "05_position_report.ipynb"
SECRET = base64.b64encode(bytes(range(64))).decode()


@pytest.fixture
def run(tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other packages, while they are imported
        import papermill
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def execute(**parameters):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return papermill.execute_notebook(
                NOTEBOOK, tmp_path / "out.ipynb", parameters, cwd=tmp_path, kernel_name="python3", progress_bar=False
            )

    return execute


def test_runs_under_papermill(run, tmp_path):
    run(start="-7d", folder="mine", endings=["html"])
    (written,) = (tmp_path / "mine").glob("report-*.html")
    assert "Position report" in written.read_text(encoding="utf-8")


def test_a_secret_stops_the_run_before_anything_is_opened(run, tmp_path):
    with pytest.raises(Exception, match="parameter 'api_secret' looks like a secret"):
        run(api_secret=SECRET)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    "name", ["api_key", "apikey", "API_SECRET", "password", "auth_token", "private", "key", "my_key"]
)
def test_names_of_secrets_are_refused(name):
    with pytest.raises(ArgumentError, match=name):
        kfut.refuse_secrets({name: "anything"})


@pytest.mark.parametrize("value", [SECRET, SECRET.encode(), f"Bearer {SECRET}", SECRET.rstrip("=")])
def test_values_that_look_like_secrets_are_refused_and_not_told(value):
    with pytest.raises(ArgumentError, match="'note'") as caught:
        kfut.refuse_secrets({"note": value})
    assert SECRET[:20] not in str(caught.value)


def test_what_is_no_secret_passes():
    path = "/srv/reports/a-rather-long-path-without-any-digits/of-the-account"
    harmless = {"env": "live", "start": "-30d", "endings": ["html"], "_i": SECRET, "monkey": "x", "folder": path}
    kfut.refuse_secrets(harmless | {"api_key": ""})
