"""Where secrets hide in files: lines, cells, outputs, parameters, widget states, columns."""

from __future__ import annotations

import csv
import io
import json
import os
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, ConfigurationError
from .shapes import ACCOUNT_NAME, Leak, found_in, masked

SKIPPED_FOLDERS = frozenset(
    {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache"}
)
LARGEST = 64_000_000
"""Bytes; a file that is larger is told of and not read."""


@dataclass
class Looked:
    """What was found, and what could not be looked at.

    Attributes
    ----------
    leaks
        What was found.
    files
        Number of files that were read.
    unread
        Files that were not, with the reason.
    """

    leaks: list[Leak] = field(default_factory=list)
    files: int = 0
    unread: list[tuple[str, str]] = field(default_factory=list)


def look(path: str | os.PathLike[str]) -> Looked:
    """Look for secrets and account ids in a file, or in all files of a folder.

    Raises
    ------
    ArgumentError
        If there is no such file or folder.
    """
    start = Path(path)
    if not start.exists():
        raise ArgumentError(f"there is no file or folder {start}: give one that exists")
    looked = Looked()
    for file in _files(start):
        _look_into(file, looked)
    return looked


def _files(start: Path) -> Iterator[Path]:
    if start.is_file():
        yield start
        return
    for folder, folders, names in os.walk(start):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        yield from (Path(folder) / name for name in sorted(names))


def _look_into(file: Path, looked: Looked) -> None:
    try:
        if not file.is_file():  # a pipe or a socket would be waited for
            return
        if file.stat().st_size > LARGEST:
            looked.unread.append((str(file), f"larger than {LARGEST // 1_000_000} MB"))
            return
        content = file.read_bytes()
    except OSError as error:
        looked.unread.append((str(file), error.strerror or str(error)))
        return
    try:
        pieces = _pieces(file.name, content)
        found = None if pieces is None else list(pieces)
    except (zipfile.BadZipFile, RuntimeError, RecursionError, NotImplementedError) as error:
        looked.unread.append((str(file), f"damaged or locked ({type(error).__name__})"))
        return
    if found is None:
        if not _is_picture(content):
            looked.unread.append((str(file), "not text"))
        return
    looked.files += 1
    seen: set[tuple[str, str]] = set()
    for place, name, text in found:
        for kind, value in found_in(text, name):
            if (place, value) not in seen:
                seen.add((place, value))
                looked.leaks.append(Leak(str(file), place, kind, masked(value)))


_Piece = tuple[str, str, str]
"""A place, the name that the text has there, the text."""


def _pieces(name: str, content: bytes) -> Iterator[_Piece] | None:
    """The texts of a file; None if it has none."""
    if content.startswith(b"PK\x03\x04"):
        return _packed(content)
    text = _decoded(content)
    if text is None:
        return None
    if name.endswith((".ipynb", ".json")):
        try:
            document = json.loads(text)
        except ValueError:
            return _lines(text)
        return _notebook(document) if name.endswith(".ipynb") else _named(document)
    return _table(text) if name.endswith(".csv") else _lines(text)


def _decoded(content: bytes) -> str | None:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    return None if b"\0" in content[:8192] else content.decode("utf-8", errors="replace")


def _is_picture(content: bytes) -> bool:
    return content.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\0\0\1\0"))


def _packed(content: bytes) -> Iterator[_Piece]:
    """The texts of an archive file, which a spreadsheet is, too."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        for member in packed.infolist():
            if member.file_size <= LARGEST and not member.is_dir():
                pieces = _pieces(member.filename, packed.read(member)) or ()
                yield from ((f"{member.filename}: {place}", name, text) for place, name, text in pieces)


def _lines(text: str) -> Iterator[_Piece]:
    for number, line in enumerate(text.splitlines(), 1):
        yield f"line {number}", "", line


def _table(text: str) -> Iterator[_Piece]:
    """Cells of a CSV file, with the names of their columns."""
    yield from _lines(text)
    rows = csv.reader(io.StringIO(text))
    try:
        header = next(rows, [])
        accounts = [number for number, name in enumerate(header) if ACCOUNT_NAME.fullmatch(name.strip())]
        for row in rows:
            for number in accounts:
                if number < len(row):
                    yield f"line {rows.line_num}", header[number].strip(), row[number]
    except csv.Error:
        return


def _named(value: Any, place: str = "", name: str = "") -> Iterator[_Piece]:
    """The texts of a JSON value, with their paths."""
    if isinstance(value, str):
        yield place or "the whole", name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            path = f"{place}.{key}" if place else str(key)
            yield path, "", str(key)
            yield from _named(inner, path, str(key))
    elif isinstance(value, list) and _is_lines(value):
        yield place or "the whole", name, "".join(value)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _named(inner, f"{place}[{number}]", name)


def _is_lines(value: list[Any]) -> bool:
    """Whether a list is a text by lines, as notebooks have it."""
    return all(isinstance(inner, str) for inner in value) and all(inner.endswith("\n") for inner in value[:-1])


def _notebook(document: Any) -> Iterator[_Piece]:
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        yield from _named(document)
        return
    for number, cell in enumerate(cells, 1):
        parts = cell if isinstance(cell, dict) else {"": cell}
        for part, value in parts.items():
            if part == "source" and isinstance(value, list | str):
                for place, name, text in _lines("".join(value)):
                    yield f"cell {number} {place}", name, text
            elif part == "outputs" and isinstance(value, list):
                for count, output in enumerate(value, 1):
                    yield from _named(output, f"cell {number} output {count}")
            else:
                yield from _named(value, f"cell {number} {part}", part)
    yield from _named({part: value for part, value in document.items() if part != "cells"})


def strip(path: Path) -> bool:
    """Take outputs, execution counts, widget states and run parameters out of a notebook.

    Returns
    -------
    bool
        Whether anything was taken out.

    Raises
    ------
    ConfigurationError
        If the file cannot be written.
    """
    before = path.read_text(encoding="utf-8")
    document = json.loads(before)
    for name in ("widgets", "papermill"):
        document.get("metadata", {}).pop(name, None)
    for cell in document.get("cells", []):
        cell.get("metadata", {}).pop("papermill", None)
        if cell.get("cell_type") == "code":
            cell["outputs"], cell["execution_count"] = [], None
    after = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if json.loads(before) == document:
        return False
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        partial.write_text(after, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from error
    return True
