"""The files of an archive: rows go in, are kept, and come out again.

What `Store.append` has written is there whatever happens to the process afterwards; what it has not written
completely is not there at all. Writing is for the process that holds the lock; reading needs none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ..errors import ConfigurationError
from . import layout, manifest
from .layout import kind_of
from .lock import locked
from .manifest import File, Manifest
from .ranges import FOREVER, Span, Spans, stamp
from .rows import arrow_schema, to_arrow

_log = logging.getLogger("kfut_analytics.archive")

MANY = 8
"""More files of a month than this are joined into one; fewer only once the month is over."""

ROW_GROUP = 65_536
"""Rows of a row group: what a reader of a part of a file reads at least."""

_TRIES = 5
"""Files may be joined while somebody reads; they are looked for again so many times."""

_NOTE = b"kfut_archive"


class Store:
    """The files of one archive.

    Parameters
    ----------
    folder
        Where they lie, or will lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: tuple[tuple[int, int, int], Manifest] | None = None

    # ---- what there is -----------------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether there is an archive."""
        return (self.folder / layout.MANIFEST).exists()

    @property
    def manifest(self) -> Manifest:
        """What the archive says of itself now.

        Raises
        ------
        ConfigurationError
            If there is no archive, or its manifest is missing or damaged.
        """
        try:
            status = (self.folder / layout.MANIFEST).stat()
        except FileNotFoundError:
            raise self._missing() from None
        except OSError as error:
            raise ConfigurationError(f"{self.folder} cannot be read: {error.strerror or error}") from error
        seen = status.st_mtime_ns, status.st_size, status.st_ino
        if self._read is None or self._read[0] != seen:
            found = manifest.read(self.folder)
            if found is None:
                raise self._missing()
            self._read = seen, found
        return self._read[1]

    def _missing(self) -> ConfigurationError:
        if any(self.folder.glob("**/*.parquet")):
            return ConfigurationError(
                f"{self.folder} has files but no {layout.MANIFEST}, which says what they hold: "
                f"kfut.Archive({str(self.folder)!r}).rebuild() makes it anew from the files"
            )
        return ConfigurationError(f"there is no archive in {self.folder}: client.sync() makes one")

    # ---- reading -----------------------------------------------------------------------------------------------

    def table(
        self,
        series: str,
        spans: Spans | None = None,
        columns: Sequence[str] | None = None,
        where: Callable[[File], bool] = lambda file: True,
    ) -> pa.Table:
        """The rows of a series, in the order of its key or time (equal times as they came).

        Parameters
        ----------
        series
            Its name.
        spans
            The times that are wanted; all by default. Rows without a time are always among them.
        columns
            Those that are wanted; all by default.
        where
            Which files are looked at.

        Raises
        ------
        ConfigurationError
            If a file is missing, damaged or not of this archive.
        """
        for last in [False] * (_TRIES - 1) + [True]:
            try:
                return self._table(series, self.manifest.of(series).files, spans, columns, where)
            except FileNotFoundError as error:
                if last:
                    raise ConfigurationError(_gone(self.folder, error)) from error
                time.sleep(0.02)
        raise AssertionError

    def _table(
        self,
        series: str,
        files: Sequence[File],
        spans: Spans | None,
        columns: Sequence[str] | None,
        where: Callable[[File], bool],
    ) -> pa.Table:
        kind = kind_of(series)
        schema = arrow_schema(kind.table)
        order = "id" if kind.key == "id" else "time"
        wanted = schema.names if columns is None else [name for name in schema.names if name in columns]
        read = wanted if order in wanted else [*wanted, order]
        chosen = [file for file in files if where(file) and (spans is None or _touches(file, spans))]
        chosen.sort(key=lambda file: file.name.rsplit("-", 1)[0])  # month after month, what is left to sort is little
        paths = [self.folder / series / file.name for file in chosen]
        for path in paths:
            path.stat()
        try:
            # Only where a file reaches beyond what is wanted are its rows looked at one by one.
            condition = None if spans is None or all(_inside(file, spans) for file in chosen) else _within(spans)
            found = _dataset(paths, schema).to_table(read, filter=condition) if paths else schema.empty_table()
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ConfigurationError(
                f"a file of {self.folder / series} is damaged: client.archive.verify() says which, and "
                f"client.archive.repair() sets it aside, so that the next sync fetches its rows again ({error})"
            ) from error
        return _sorted(found, order).select(wanted)

    # ---- writing -----------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self, env: str, account: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Write; another process that does is waited for. The archive is made if there is none.

        Raises
        ------
        ConfigurationError
            If the folder cannot be written to, or the archive is another account's.
        """
        with self._explained():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(self.folder / layout.LOCK, waiting):
                if not self.exists:
                    if any(self.folder.glob("**/*.parquet")):
                        raise self._missing()
                    (self.folder / "README.md").write_text(layout.README, encoding="utf-8")
                    manifest.write(self.folder, Manifest(uuid.uuid4().hex, env, account))
                found = self.manifest
                if (found.env, found.account) != (env, account):
                    raise ConfigurationError(
                        f"{self.folder} is the archive of another account ({found.env}): give another path"
                    )
                self.tidy()
                yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"the archive in {self.folder} cannot be written: {error.strerror or error}. What was saved before is "
                "kept; the next sync goes on from there"
            ) from error

    def append(
        self,
        series: str,
        frame: pd.DataFrame | None,
        span: Span,
        *,
        edge: pd.DataFrame | None = None,
        instead_of: Sequence[File] = (),
        **state: Any,
    ) -> int:
        """Keep rows, and that with them a span of time is complete. Returns how many rows.

        Parameters
        ----------
        series
            Its name.
        frame
            The canonical frame; None for no rows.
        span
            The times that are complete now; rows outside of it are kept, but not claimed to be all.
        edge
            More rows, in a file of their own (`File.edge`).
        instead_of
            Files that the rows take the place of.
        state
            Fields of `Series` that change with it.
        """
        found = self.manifest
        old = found.of(series)
        files = self._write(series, frame, span, found, found.number)
        edges = self._write(series, edge, (0, 0), found, found.number + len(files))
        kept = [file for file in old.files if file not in instead_of]
        new = replace(
            old,
            files=(*kept, *files, *(replace(file, edge=True) for file in edges)),
            spans=old.spans | Spans([span]),
            **state,
        )
        if new != old:
            self._commit(replace(found.having(series, new), number=found.number + len(files) + len(edges)))
        self._remove(series, (file.name for file in instead_of))
        return new.rows - old.rows

    def _write(self, series: str, frame: pd.DataFrame | None, span: Span, found: Manifest, first: int) -> list[File]:
        if frame is None or frame.empty:
            return []
        kind = kind_of(series)
        rows = to_arrow(kind.table, frame)
        times = pd.Series(rows["time"].to_pandas())
        periods = layout.period_of(series, times).to_numpy()
        files = []
        for number, period in enumerate(sorted(set(periods)), first):
            part = rows.filter(pa.array(periods == period))
            covers = Spans([span]) & Spans([_bounds_of(period)])
            files.append(self._file(series, f"{period}-{number:05d}.parquet", part, covers, found))
        return files

    def _file(self, series: str, name: str, rows: pa.Table, covers: Spans, found: Manifest) -> File:
        kind = kind_of(series)
        folder = self.folder / series
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        note = {"archive": found.archive, "env": found.env, "account": found.account, "covers": list(covers)}
        rows = rows.replace_schema_metadata({_NOTE: json.dumps(note)})
        floats = [column.name for column in kind.table.columns if column.kind == "float"]
        texts = [column.name for column in kind.table.columns if column.kind == "str"]
        manifest.put(
            folder / name,
            lambda path: pq.write_table(
                rows,
                path,
                compression="zstd",
                compression_level=1,
                row_group_size=ROW_GROUP,
                use_dictionary=texts,
                use_byte_stream_split=floats,
            ),
        )
        return described(folder / name, rows, covers)

    def _commit(self, changed: Manifest) -> None:
        with self._explained():
            manifest.write(self.folder, changed)

    def update(self, change: Callable[[Manifest], Manifest]) -> None:
        """Change the manifest."""
        self._commit(change(self.manifest))

    def compact(self, series: str) -> None:
        """Join the files of a month into one, where they are many or the month is over."""
        by_period: dict[str, list[File]] = {}
        for file in self.manifest.of(series).files:
            if file.edge:
                continue
            by_period.setdefault(file.name.rsplit("-", 1)[0], []).append(file)
        for period, files in by_period.items():
            over = period != max(by_period)
            if len(files) > (1 if over else MANY):
                self._join(series, period, files)

    def _join(self, series: str, period: str, files: list[File]) -> None:
        names = {file.name for file in files}
        found = self.manifest
        old = found.of(series)
        rows = self._table(series, files, None, None, lambda file: True)
        covers = Spans(span for file in files for span in file.covers)
        joined = self._file(series, f"{period}-{found.number:05d}.parquet", rows, covers, found)
        kept = tuple(file for file in old.files if file.name not in names)
        self._commit(replace(found.having(series, replace(old, files=(*kept, joined))), number=found.number + 1))
        self._remove(series, names)

    def _remove(self, series: str, names: Iterable[str]) -> None:
        """Remove files that do not count any more; what somebody has open is left to `tidy`."""
        for name in names:
            with suppress(PermissionError):
                (self.folder / series / name).unlink(missing_ok=True)

    # ---- in order ----------------------------------------------------------------------------------------------

    def tidy(self) -> None:
        """Clear away what an interrupted process left behind; files of others stay."""
        found = self.manifest
        for aside in self.folder.glob("**/.*.aside"):
            aside.unlink(missing_ok=True)
        for path in self.stray():
            note = note_of(path)
            if note is None or note.archive != found.archive:
                continue
            if int(path.stem.rsplit("-", 1)[1]) < found.number:
                path.unlink()  # its rows were joined into another file
            else:
                self.set_aside(path)

    def stray(self) -> list[Path]:
        """Parquet files in the folders of series that the manifest does not name."""
        named = {
            self.folder / series / file.name for series, state in self.manifest.series.items() for file in state.files
        }
        roots = {*layout.KINDS, layout.IMPORTED}
        found = {path for root in roots for path in (self.folder / root).glob("**/*.parquet")}
        return sorted(found - named)

    def set_aside(self, path: Path) -> None:
        """Move a file to where nothing reads it."""
        target = self.folder / layout.ASIDE
        target.mkdir(exist_ok=True, mode=0o700)
        os.replace(path, target / f"{time.time_ns()}-{path.name}")
        _log.info("%s was set aside into %s", path, target)

    def forget(self, series: str, names: set[str]) -> None:
        """Let files not count any more; what they covered is missing from now on."""

        def without(found: Manifest) -> Manifest:
            old = found.of(series)
            gone = [file for file in old.files if file.name in names]
            # Its last rows may lie in what only the file after it claims to be complete.
            lost = Spans(span for file in gone for span in (*file.covers, (file.first or 0, (file.last or -1) + 1)))
            files = tuple(file for file in old.files if file.name not in names)
            return found.having(series, replace(old, files=files, spans=old.spans - lost, after=None))

        self.update(without)


@dataclass(frozen=True)
class Note:
    """What a file says of itself: whose it is, and the times that are complete by it."""

    archive: str
    env: str
    account: str
    covers: Spans


def described(path: Path, rows: pa.Table, covers: Spans) -> File:
    """A file as the manifest tells of it."""
    extremes = pc.min_max(rows["time"].cast(pa.int64())).as_py()
    ids = pc.min_max(rows["id"]).as_py() if "id" in rows.column_names else None
    with open(path, "rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return File(
        name=path.name,
        rows=len(rows),
        bytes=path.stat().st_size,
        sha256=digest,
        first=extremes["min"],
        last=extremes["max"],
        covers=tuple(covers),
        ids=ids and (ids["min"], ids["max"]),
    )


def note_of(path: Path) -> Note | None:
    """What a file says of itself; None for files of others and damaged ones."""
    try:
        content = json.loads((pq.read_schema(path).metadata or {})[_NOTE])
        return Note(content["archive"], content["env"], content["account"], Spans(content["covers"]))
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError):
        return None


def _bounds_of(period: str) -> Span:
    """The times of a month or year; none of what is undated."""
    if period == "undated":
        return 0, 0
    first = pd.Period(period)
    start, end = (int(when.value) // 1000 for when in (first.start_time, (first + 1).start_time))
    return start, end


def _touches(file: File, spans: Spans) -> bool:
    if file.first is None or file.last is None:
        return True
    return any(start <= file.last and file.first < end for start, end in spans)


def _inside(file: File, spans: Spans) -> bool:
    if file.first is None or file.last is None:
        return True
    return any(start <= file.first and file.last < end for start, end in spans)


def _within(spans: Spans) -> ds.Expression:
    field = ds.field("time")
    condition = field.is_null()
    for start, end in spans:
        part = field >= pa.scalar(stamp(max(start, 0)), pa.timestamp("us", tz="UTC"))
        if end < FOREVER:
            part &= field < pa.scalar(stamp(end), pa.timestamp("us", tz="UTC"))
        condition |= part
    return condition


def _dataset(paths: Sequence[Path], schema: pa.Schema) -> ds.Dataset:
    return ds.dataset([str(path) for path in paths], schema=schema, format="parquet")


def _sorted(rows: pa.Table, order: str) -> pa.Table:
    keys = rows[order].to_numpy()
    if rows[order].null_count:
        keys = np.where(np.isnat(keys), np.datetime64("9999-12-31"), keys)
    if len(keys) < 2 or bool((keys[1:] >= keys[:-1]).all()):
        return rows
    return rows.take(pa.array(np.argsort(keys, kind="stable")))


def _gone(folder: Path, error: OSError) -> str:
    return (
        f"{error.filename or folder} is missing: client.archive.repair() notes that it is, so that the next sync "
        "fetches its rows again"
    )
