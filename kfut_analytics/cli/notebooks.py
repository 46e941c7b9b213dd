"""``kfut lab``: the notebooks in a folder of the user, who owns what is there, and JupyterLab on them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import runpy
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigurationError
from .options import whole

QUICKSTART = "01_quickstart.ipynb"

RECORD = ".kfut-notebooks.json"
"""File beside the copies that says which of our notebooks they were made from."""


def lab(
    folder: Annotated[
        Path, typer.Option("--dir", help="Folder for your copy of the notebooks; your own files are kept.")
    ] = Path("kfut-notebooks"),
    port: Annotated[
        int | None, typer.Option(parser=whole(1, 65535), metavar="NUMBER", help="Port of JupyterLab.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
) -> None:
    """Open JupyterLab on the quickstart notebook."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise ConfigurationError('JupyterLab is not installed: pip install "kfut-analytics[lab]"')
    copied = copy_notebooks(folder)
    typer.echo(f"Notebooks are in {folder.resolve()} ({len(copied)} new)")
    for own, ours in copied.items():
        if own != ours:
            typer.echo(f"{own} is yours and stays as it is; the new one of this version is {ours}", err=True)
    sys.stdout.flush()
    arguments = [f"--ServerApp.root_dir={folder.resolve()}", f"--LabApp.default_url=/lab/tree/{QUICKSTART}"]
    arguments += [] if browser else ["--no-browser"]
    arguments += [] if port is None else [f"--ServerApp.port={port}"]
    # In a container everybody is root, and JupyterLab would refuse to start.
    arguments += ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    # What `python -m jupyterlab` does, without a second process that would have to be watched and ended.
    sys.argv = ["jupyter-lab", *arguments]
    runpy.run_module("jupyterlab", run_name="__main__")


def notebooks_folder() -> Path:
    """Where the notebooks are: inside the installed package, or beside it in a checkout.

    Raises
    ------
    ConfigurationError
        If they are in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / QUICKSTART).is_file():
            return folder
    raise ConfigurationError("the notebooks are missing from this installation: pip install --force-reinstall it")


def copy_notebooks(folder: Path) -> dict[str, str]:
    """Copy the notebooks into a folder, made if need be. Nothing that is there already is overwritten.

    Where a notebook of ours has changed since the user's copy was made, the new one is put beside that under another
    name. A copy that was only run, or whose cells are ours for another reason, is no reason for that.

    Returns
    -------
    dict of str to str
        What was copied: the notebook, and the name that its copy has.

    Raises
    ------
    ConfigurationError
        If the folder cannot be written.
    """
    copied: dict[str, str] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = _read_record(folder)
        for ours in sorted(notebooks_folder().glob("*.ipynb")):
            mark = hashlib.sha256(json.dumps(_cells(ours)).encode()).hexdigest()
            own = folder / ours.name
            if own.exists() and record.get(ours.name) != mark and _cells(own) != _cells(ours):
                own = _free_name(own)
            if not own.exists():
                shutil.copyfile(ours, own)
                copied[ours.name] = own.name
            record[ours.name] = mark
        (folder / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror or error}") from error
    return copied


def _read_record(folder: Path) -> dict[str, str]:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _cells(path: Path) -> list[Any] | None:
    """What a person reads and runs of a notebook; None if it is none."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return None


def _free_name(path: Path) -> Path:
    number = 2
    while (free := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    return free
