"""The position report: built once as a `Report`, drawn as HTML, PDF, Markdown or Excel.

`build` gathers everything, a renderer turns it into a file's contents, `report` does both and writes the file.
"""

from __future__ import annotations

import importlib
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import ArgumentError, ConfigurationError
from . import templating
from .build import COMPARISON, SECTIONS, build
from .model import Report

if TYPE_CHECKING:
    from ..client import Client
    from ..times import TimeLike

__all__ = ["COMPARISON", "SECTIONS", "Report", "build", "render", "report"]

_KINDS = {".html": "html", ".htm": "html", ".md": "markdown", ".pdf": "pdf", ".xlsx": "excel"}
_TEMPLATED = {"html": "html", "markdown": "md"}
"""Kinds that are made from templates, and how these end."""


def report(
    client: Client,
    path: str | os.PathLike[str],
    *,
    start: TimeLike = "-30d",
    compare: tuple[TimeLike, TimeLike] | None = None,
    sections: Sequence[str] | None = None,
    templates: str | os.PathLike[str] | None = None,
    unmask: bool = False,
) -> Path:
    """Write the position report of an account.

    An existing file is replaced at once when the new one is complete, never left half written.

    Parameters
    ----------
    client
        Whose account to report.
    path
        Where to write. The ending chooses the kind: ``.html``, one file that needs no other, no network and no
        script, follows the reader's light or dark setting and prints on A4; ``.pdf``, on A4 with vector charts;
        ``.md``, with the charts as PNG files in a folder beside it (``report_files``); ``.xlsx``, a sheet per section
        with numbers as numbers. PDF and Excel need ``pip install "kfut-analytics[report]"``.
    start
        Start of the period for P&L and equity: a time or an offset such as ``"-90d"``, moved back to the beginning of
        its day (UTC), so that daily figures are of whole days.
    compare
        Two dates, such as ``("-60d", "-30d")``: instead of the account now, the report tells what there was at
        each, and how the account came from one to the other. ``start`` is not looked at then.
    sections
        Names of the sections, in their order; by default all: those of `SECTIONS`, for a comparison those of
        `COMPARISON`, and ``definitions``.
    templates
        Folder of templates (jinja2) that come before ours, for HTML and Markdown: ``positions.html.jinja`` replaces
        the section ``positions``, and a name of your own makes a section that ``sections`` can name.
        In it, ``section`` and ``report`` are there, and ``show(part)`` draws a part.
    unmask
        Whether the account's name is told in full; otherwise its last four characters.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ArgumentError
        If an argument makes no sense, the file cannot be written there, or a template cannot be used.
    ConfigurationError
        If a package is missing that this kind of file needs.
    VenueError
        If the account log cannot be read. What else cannot be had is n/a in the report, which says why.
    """
    target, kind = _checked(path)
    folder = None if templates is None else templating.checked_folder(templates)
    if folder is not None and kind not in _TEMPLATED:
        raise ArgumentError(f"templates are for .html and .md, and path is {str(path)!r}: leave templates out")
    renderer = _renderer(kind)
    extra = templating.sections_in(folder, _TEMPLATED[kind]) if folder is not None else []
    found = build(client, start, compare=compare, sections=sections, extra=extra, unmask=unmask)
    files: dict[Path, bytes] = {}
    if kind == "markdown":
        pictures = target.with_name(f"{target.stem}_files")
        files |= {pictures / name: content for name, content in renderer.pictures(found).items()}
        files[target] = renderer.render(found, pictures.name, folder)
    else:
        files[target] = renderer.render(found, folder) if kind in _TEMPLATED else renderer.render(found)
    for file, content in files.items():
        _write(file, content)
    return target


def render(report: Report, kind: str = "html") -> bytes:
    """A report that was built, as the contents of a file.

    Parameters
    ----------
    report
        What `build` gathered.
    kind
        ``"html"``, ``"pdf"``, ``"markdown"`` or ``"excel"``; Markdown names its charts in a folder ``report_files``.
    """
    renderer = _renderer(kind)
    content: bytes = renderer.render(report, "report_files") if kind == "markdown" else renderer.render(report)
    return content


def _renderer(kind: str) -> ModuleType:
    try:
        return importlib.import_module(f".{kind}", __name__)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("kfut_analytics"):
            raise ArgumentError(f"kind={kind!r} is not one of {', '.join(sorted(set(_KINDS.values())))}") from error
        raise ConfigurationError(
            f'a report of this kind needs {error.name}: pip install "kfut-analytics[report]"'
        ) from error


def _checked(path: str | os.PathLike[str]) -> tuple[Path, str]:
    target = Path(path).expanduser()
    if target.is_dir():
        raise ArgumentError(f"path={str(path)!r} is a folder: give the name of a file in it, such as report.html")
    kind = _KINDS.get(target.suffix.lower())
    if kind is None:
        raise ArgumentError(f"path={str(path)!r}: the ending says what is written: {', '.join(_KINDS)}")
    if not target.parent.is_dir():
        raise ArgumentError(f"path={str(path)!r}: there is no folder {target.parent}; create it first")
    return target, kind


def _write(target: Path, content: bytes) -> None:
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        target.parent.mkdir(exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ArgumentError(
            f"path={str(target)!r} cannot be written ({error.strerror}): choose a folder you may write to"
        ) from error
