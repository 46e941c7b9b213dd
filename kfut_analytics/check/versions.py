"""Versions of what is installed against what this package needs, and whether JupyterLab shows widgets."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from .finding import Finding

AREA, LAB = "versions", "jupyterlab"
PACKAGE = "kfut-analytics"
_EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": ("jupyterlab_widgets", "ipywidgets"),
    "anywidget": ("anywidget", "anywidget"),
}
"""Front ends that JupyterLab needs: by folder the package that brings it, and the one that it is for."""


def packages() -> Iterator[Finding]:
    """Python and the packages that are always needed."""
    try:
        needed = [Requirement(line) for line in metadata.requires(PACKAGE) or []]
    except metadata.PackageNotFoundError:
        yield Finding.note(
            AREA, f"{PACKAGE} runs from a folder and is not installed", "pip install it, so that this can be checked"
        )
        return
    wanted = metadata.metadata(PACKAGE)["Requires-Python"] or ""
    python = ".".join(map(str, sys.version_info[:3]))
    problems = list(_outdated(needed))
    if wanted and not Requirement(f"python{wanted}").specifier.contains(python):
        problems.append(Finding.problem(AREA, f"Python {python} does not fit {wanted}", f"use a Python {wanted}"))
    yield from problems
    if not problems:
        yield Finding.ok(AREA, f"{PACKAGE} {metadata.version(PACKAGE)} on Python {python}, with what it needs")


def _outdated(needed: list[Requirement]) -> Iterator[Finding]:
    for requirement in needed:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, command = requirement.name, f'pip install "{requirement.name}{requirement.specifier}"'
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding.problem(AREA, f"{name} is not installed", command)
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield Finding.problem(AREA, f"{name} {installed} does not fit {requirement.specifier}", command)


def jupyterlab() -> Iterator[Finding]:
    """JupyterLab and the front ends of the widgets."""
    lab = _version("jupyterlab")
    if lab is None:
        yield Finding.note(
            LAB,
            "JupyterLab is not installed beside this package",
            f'pip install "{PACKAGE}[lab]"; if it runs from another environment, run kfut check there',
        )
        return
    if Version(lab) < Version("4.3"):
        yield Finding.problem(LAB, f"JupyterLab {lab} is too old", 'pip install "jupyterlab>=4.3"')
        return
    problems = list(_front_ends())
    yield from problems
    if not problems:
        yield Finding.ok(LAB, f"JupyterLab {lab} shows widgets")


def _front_ends() -> Iterator[Finding]:
    folders = _folders("labextensions")
    for name, (brought_by, used_by) in _EXTENSIONS.items():
        command = f"pip install --force-reinstall {brought_by}, then start JupyterLab again"
        installed = _version(brought_by)
        package = next((found for folder in folders if (found := folder / name / "package.json").is_file()), None)
        if installed is None or package is None:
            yield Finding.problem(LAB, f"the front end of {used_by} is missing, so widgets do not show", command)
            continue
        front = _of_front_end(package)
        if brought_by == "jupyterlab_widgets" and not _fits(installed):
            needed = _needed_by("ipywidgets", "jupyterlab_widgets")
            yield Finding.problem(
                LAB, f"{brought_by} {installed} does not fit ipywidgets, which needs {needed}", command
            )
        elif brought_by == "anywidget" and front != installed:
            yield Finding.problem(LAB, f"{package.parent} is of version {front}, {brought_by} is {installed}", command)
        if name in _disabled():
            yield Finding.problem(LAB, f"the extension {name} is switched off", f"jupyter labextension enable {name}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _needed_by(package: str, name: str) -> str:
    lines = metadata.requires(package) or []
    found = [one for one in map(Requirement, lines) if re.sub(r"[-_.]+", "_", one.name) == name]
    return str(found[0].specifier) if found else ""


def _fits(installed: str) -> bool:
    return Requirement(f"x{_needed_by('ipywidgets', 'jupyterlab_widgets')}").specifier.contains(installed)


def _of_front_end(package: Path) -> str:
    try:
        return str(json.loads(package.read_text(encoding="utf-8")).get("version", "?"))
    except (OSError, ValueError):
        return "?"


def _disabled() -> set[str]:
    """Extensions that the user or the administrator has switched off."""
    names: set[str] = set()
    for folder in _folders("labconfig", config=True):
        try:
            switched = json.loads((folder / "page_config.json").read_text(encoding="utf-8"))["disabledExtensions"]
        except (OSError, ValueError, KeyError):
            continue
        names |= set(switched) if isinstance(switched, list) else {name for name, off in switched.items() if off}
    return names


def _folders(name: str, *, config: bool = False) -> list[Path]:
    from jupyter_core import paths

    return [Path(folder) / name for folder in (paths.jupyter_config_path() if config else paths.jupyter_path())]
