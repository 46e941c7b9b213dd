"""Whether an archive is whole: files against the manifest, and the account log against itself."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ConfigurationError
from . import layout, manifest, store
from .layout import kind_of
from .manifest import File, Manifest, Series
from .ranges import Spans
from .rows import arrow_schema
from .store import Store

_TOLERANCE = 1e-9
"""Relative: balances are float64, and the exchange writes them so."""

_NAME = re.compile(r"^(\d{4}|\d{4}-\d{2}|undated)-(\d{5,})\.parquet$")

_SHOWN = 20
"""Breaks of numbers or balances that are told one by one."""


@dataclass(frozen=True)
class Verification:
    """What a look at every file has shown.

    Attributes
    ----------
    problems
        One row per problem: series, file, problem, remedy.
    files, rows
        How many were looked at.
    """

    problems: pd.DataFrame
    files: int
    rows: int

    def __bool__(self) -> bool:
        return self.problems.empty

    def __repr__(self) -> str:
        seen = f"{self.files:,} files with {self.rows:,} rows"
        if self:
            return f"{seen}: no problem"
        found = [
            f"  {where}{'/' * bool(file)}{file}: {problem}; {remedy}"
            for where, file, problem, remedy in self.problems.itertuples(index=False)
        ]
        return "\n".join([f"{seen}: {len(found)} problems", *found])


_Problem = tuple[str, str, str, str]
_AGAIN = "client.archive.repair() sets it aside, and the next sync fetches its rows again"
_FOREIGN = "nothing reads it; move it elsewhere"
_TELL = "it is so at the exchange, or the archive was changed by hand"


def verify(files: Store) -> Verification:
    """Look at everything; nothing is changed.

    Raises
    ------
    ConfigurationError
        If there is no archive, or its manifest is damaged.
    """
    found = files.manifest
    problems = [(series, file.name, text, _AGAIN) for series, file, text in _damaged(files, found)]
    for path in files.stray():
        problems.append(
            (path.parent.relative_to(files.folder).as_posix(), path.name, "is not in the manifest", _FOREIGN)
        )
    for name, entry in found.picture.get("tables", {}).items():
        if not (files.folder / layout.PICTURE / entry["file"]).is_file():
            problems.append((layout.PICTURE, entry["file"], f"is missing ({name})", "the next sync makes it anew"))
    if not any(series == "account_log" for series, *_ in problems) and found.of("account_log").files:
        problems += _log_problems(files, found.of("account_log"))
    columns = ["series", "file", "problem", "remedy"]
    rows = sum(series.rows for series in found.series.values())
    return Verification(
        pd.DataFrame(problems, columns=columns).astype("str"),
        sum(len(series.files) for series in found.series.values()),
        rows,
    )


def _damaged(files: Store, found: Manifest) -> Iterator[tuple[str, File, str]]:
    for name, series in found.series.items():
        for file in series.files:
            if problem := _problem_of(files, name, file):
                yield name, file, problem


def _problem_of(files: Store, series: str, file: File) -> str:
    path = files.folder / series / file.name
    try:
        with open(path, "rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        size = path.stat().st_size
        if size != file.bytes:
            return f"has {size:,} bytes instead of {file.bytes:,}"
        if digest != file.sha256:
            return "has other content than when it was written"
        footer = pq.ParquetFile(path)
        if footer.metadata.num_rows != file.rows:
            return f"has {footer.metadata.num_rows:,} rows instead of {file.rows:,}"
        if not footer.schema_arrow.equals(arrow_schema(kind_of(series).table)):
            return "has other columns than this version writes"
    except FileNotFoundError:
        return "is missing"
    except (pa.ArrowException, OSError) as error:
        return f"cannot be read ({error})"
    return ""


def _log_problems(files: Store, series: Series) -> list[_Problem]:
    """Entry numbers that are missing or twice, and balances that do not follow from those before."""
    columns = ["id", "time", "account", "asset", "old_balance", "new_balance"]
    log = files.table("account_log", None, columns).to_pandas()
    problems: list[_Problem] = []
    ids = log["id"].to_numpy()
    places = np.flatnonzero(np.diff(ids) != 1)
    holes = Spans((int(ids[place]) + 1, int(ids[place + 1])) for place in places)
    twice = [int(ids[place]) for place in places if ids[place] == ids[place + 1]]
    problems += [("account_log", "", f"entry {number} is there twice", _TELL) for number in twice[:_SHOWN]]
    for first, end in list(holes - series.absent)[:_SHOWN]:
        what = f"entry {first} is missing" if end - first == 1 else f"entries {first} to {end - 1} are missing"
        problems.append(("account_log", "", what, "the next sync asks for it"))
    wallet = log["account"].fillna("").str.cat(log["asset"].fillna(""), sep=" ")
    before = log.groupby(wallet)[["id", "new_balance"]].shift()
    known = before["new_balance"].notna() & log["old_balance"].notna()
    follows = np.isclose(log["old_balance"], before["new_balance"], rtol=_TOLERANCE, atol=_TOLERANCE)
    for place in np.flatnonzero(known & ~follows)[:_SHOWN]:
        row, previous = log.iloc[int(place)], before.iloc[int(place)]
        if Spans([(int(previous["id"]), int(row["id"]))]) & holes:
            continue
        text = (
            f"entry {row['id']} of {row['time']:%Y-%m-%d %H:%M} begins with {row['old_balance']:.10g} {wallet[place]}, "
            f"where the one before ended with {previous['new_balance']:.10g}"
        )
        problems.append(("account_log", "", text, _TELL))
    return problems


def repair(files: Store) -> Verification:
    """Set damaged files aside and note what is missing. The lock is held."""
    seen = verify(files)
    by_series: dict[str, set[str]] = {}
    for series, file, _ in _damaged(files, files.manifest):
        path = files.folder / series / file.name
        if path.exists():
            files.set_aside(path)
        by_series.setdefault(series, set()).add(file.name)
    for series, names in by_series.items():
        files.forget(series, names)
    if (seen.problems["series"] == layout.PICTURE).any():
        files.update(lambda found: replace(found, picture={}))
    return seen


def rebuild(files: Store) -> None:
    """Make the manifest anew from the notes in the files.

    Raises
    ------
    ConfigurationError
        If there is a manifest, or there are no files of an archive, or they are of several.
    """
    if files.exists:
        raise ConfigurationError(f"{files.folder} has its {layout.MANIFEST}: remove it first if it is damaged")
    series: dict[str, Series] = {}
    archives: dict[str, tuple[str, str]] = {}
    number = 0
    for path in sorted(files.folder.glob("**/*.parquet"), key=_number_of):
        name = path.parent.relative_to(files.folder).as_posix()
        note = store.note_of(path)
        if note is None or not _NAME.match(path.name) or name.split("/")[0] not in {*layout.KINDS, layout.IMPORTED}:
            continue
        archives[note.archive] = note.env, note.account
        number = max(number, _number_of(path))
        rows = pq.read_table(path, columns=["time"] if "id" not in pq.read_schema(path).names else ["id", "time"])
        old = series.get(name, Series())
        file = store.described(path, rows, note.covers)
        series[name] = Series((*old.files, file), old.spans | note.covers)
    if len(archives) != 1:
        what = "no files" if not archives else f"files of {len(archives)} archives"
        raise ConfigurationError(f"{files.folder} has {what}: give the folder of one archive")
    ((archive, (env, account)),) = archives.items()
    manifest.write(files.folder, Manifest(archive, env, account, series, number=number + 1))


def _number_of(path: Any) -> int:
    match = _NAME.match(os.path.basename(path))
    return int(match[2]) if match else 0
