"""The position report: one self-contained HTML file.

`build` gathers the figures, `render` turns them into a page, `report` does both and writes the file.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from .data import ReportData, build
from .page import render

if TYPE_CHECKING:
    from ..client import Client
    from ..times import TimeLike

__all__ = ["ReportData", "build", "render", "report"]


def report(client: Client, path: str | os.PathLike[str], *, start: TimeLike = "-30d") -> Path:
    """Write the position report of an account as one HTML file.

    The file needs no other file, no network and no script, follows the reader's light or dark setting and prints on
    A4. An existing file is replaced at once when the new one is complete, never left half written.

    Parameters
    ----------
    client
        Whose account to report.
    path
        Where to write, ending in ``.html``.
    start
        Start of the period for P&L: a time or an offset such as ``"-90d"``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ArgumentError
        If the file cannot be written there, or ``start`` is no point in time.
    VenueError
        If the exchange cannot be read.
    """
    target = _checked(path)
    text = render(build(client, start))
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ArgumentError(
            f"path={str(path)!r} cannot be written ({error.strerror}): choose a folder you may write to"
        ) from error
    return target


def _checked(path: str | os.PathLike[str]) -> Path:
    target = Path(path).expanduser()
    if target.is_dir():
        raise ArgumentError(f"path={str(path)!r} is a folder: give the name of a file in it, such as report.html")
    if target.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"path={str(path)!r} does not end in .html: reports are written as HTML")
    if not target.parent.is_dir():
        raise ArgumentError(f"path={str(path)!r}: there is no folder {target.parent}; create it first")
    return target
