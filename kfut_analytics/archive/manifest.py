"""The manifest of an archive: which files count, which times are held, whose archive it is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ConfigurationError
from .layout import FORMAT, MANIFEST
from .ranges import Span, Spans

_TRIES, _PAUSE = 20, 0.05


@dataclass(frozen=True)
class File:
    """A file of a series.

    Attributes
    ----------
    name
        Its name in the folder of the series.
    rows, bytes, sha256
        What `verify` holds it against.
    first, last
        Time of its first and last row, in microseconds; None for rows without a time.
    covers
        The times that are complete by this file.
    ids
        Lowest and highest entry number, of the account log.
    edge
        Whether it holds the oldest instant of a page that came newest first; the next page brings it again.
    """

    name: str
    rows: int
    bytes: int
    sha256: str
    first: int | None
    last: int | None
    covers: tuple[Span, ...] = ()
    ids: Span | None = None
    edge: bool = False


@dataclass(frozen=True)
class Series:
    """One kind of history, of one contract where it is of contracts.

    Attributes
    ----------
    files
        Those that count, in the order in which they were written.
    spans
        The times that are held completely.
    after
        The newest entry of the account log when it was last asked for up to its end; None where it never was.
    absent
        Entry numbers that the exchange does not give.
    refused
        When the exchange last said that it has no such series, in microseconds.
    """

    files: tuple[File, ...] = ()
    spans: Spans = field(default_factory=Spans)
    after: int | None = None
    absent: Spans = field(default_factory=Spans)
    refused: int | None = None

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def newest_id(self) -> int:
        """The highest entry number, 0 where there is none."""
        return max((file.ids[1] for file in self.files if file.ids), default=0)


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself.

    Attributes
    ----------
    archive
        Tells this archive's files from any other's.
    env, account
        Whose history it is.
    series
        By name.
    chosen
        Names of the series that somebody asked for, beside those of what was held.
    picture
        The tables of the last picture: by name the file and its time.
    number
        The next file's.
    synced
        The exchange's time of the last complete sync, in microseconds.
    """

    archive: str
    env: str
    account: str
    series: dict[str, Series] = field(default_factory=dict)
    chosen: list[str] = field(default_factory=list)
    picture: dict[str, Any] = field(default_factory=dict)
    number: int = 1
    synced: int | None = None

    def of(self, name: str) -> Series:
        """A series; an empty one where there is none of that name."""
        return self.series.get(name, Series())

    def having(self, name: str, series: Series) -> Manifest:
        """The same with another series."""
        return replace(self, series={**self.series, name: series})


def write(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the one before, wholly or not at all."""
    content = msgspec.json.encode(manifest, enc_hook=_plain)
    text = msgspec.json.format(b'{"format": %d, ' % FORMAT + content[1:], indent=1)
    put(folder / MANIFEST, lambda path: path.write_bytes(text))


def _plain(value: object) -> object:
    if isinstance(value, Spans):
        return list(value)
    raise TypeError(f"not for a manifest: {value!r}")


def read(folder: Path) -> Manifest | None:
    """The manifest of an archive, None where there is none.

    Raises
    ------
    ConfigurationError
        If it cannot be read, is damaged, or was written by a newer version.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("format")
        if version == FORMAT:
            content["series"] = {name: _series(series) for name, series in content["series"].items()}
            return Manifest(**content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} is damaged ({error}): remove it and call kfut.Archive({str(folder)!r}).rebuild(), which makes it "
            "anew from the files"
        ) from error
    raise ConfigurationError(f"{path} has the format {version!r}; this version reads {FORMAT}: update kfut_analytics")


def _series(content: dict[str, Any]) -> Series:
    return Series(
        files=tuple(
            File(**{**file, "covers": tuple(map(tuple, file["covers"])), "ids": file["ids"] and tuple(file["ids"])})
            for file in content["files"]
        ),
        spans=Spans(content["spans"]),
        after=content["after"],
        absent=Spans(content["absent"]),
        refused=content["refused"],
    )


def _rename(source: Path, target: Path) -> None:
    """Give a file its name; where somebody reads the file before it, some systems let one wait."""
    for _ in range(_TRIES):
        try:
            return os.replace(source, target)
        except PermissionError:
            time.sleep(_PAUSE)
    os.replace(source, target)


def put(path: Path, write_to: Callable[[Path], object]) -> None:
    """Write a file aside and give it its name once it is safely on the disk."""
    aside = path.with_name(f".{path.name}.aside")
    try:
        write_to(aside)
        with open(aside, "r+b") as written:
            os.fsync(written.fileno())
        if os.name == "posix":
            os.chmod(aside, 0o600)
        _rename(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
