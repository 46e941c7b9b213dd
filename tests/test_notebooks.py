"""The notebooks: clean in git, and running from top to bottom."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

SECRET = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
"""API keys and secrets are long base64 text; nothing else in a clean notebook is."""


def by_name(path: Path) -> str:
    return path.stem


def test_there_is_a_quickstart() -> None:
    assert "01_quickstart" in [path.stem for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=by_name)
def test_is_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}, "neither widget state nor run parameters"
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert cell.metadata in ({}, {"tags": ["parameters"]}), "tags are for papermill only"
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert not SECRET.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=by_name)
def test_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(path, tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(tmp_path / path.name, as_version=4)
    client = NotebookClient(
        notebook, timeout=60, store_widget_state=False, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert "widgets" not in notebook.metadata
    streams = [out.text for cell in notebook.cells for out in cell.get("outputs", []) if out.output_type == "stream"]
    assert streams == [], "neither prints nor warnings"
