"""Columns of few distinct values as numbers, and sums by them: millions of rows without Python for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]
Times = NDArray[np.datetime64]

_CHUNK = 1 << 18
_DENSE = 1 << 22
"""Up to so many combinations of labels each has its place in an array; more are looked up among those that occur."""


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of few distinct values.

    Attributes
    ----------
    codes
        For each row the place of its value among ``names``; -1 where it is missing.
    names
        The distinct values, sorted.
    """

    codes: NDArray[np.integer[Any]]
    names: pd.Index[Any]

    @classmethod
    def of(cls, values: pd.Series[Any], spelling: Callable[[str], str] = str) -> Labels:
        """Read a column of texts."""
        texts: Any = values.array
        if getattr(values.dtype, "storage", "") == "python":
            texts = values.to_numpy(dtype=object)  # not copied, and read twice as fast
        places: dict[str, int] = {}
        codes = np.empty(len(values), dtype=np.int32)
        for start in range(0, len(values), _CHUNK):  # of long columns, all that is made on the way stays small
            part, found = pd.factorize(texts[start : start + _CHUNK])
            here = [places.setdefault(str(text), len(places)) for text in found]
            codes[start : start + _CHUNK] = np.array([*here, -1], dtype=np.int32)[part]
        return cls(codes, pd.Index(list(places), dtype="str")).mapped(spelling)

    def mapped(self, function: Callable[[str], str]) -> Labels:
        """The column with a function applied to each distinct value; where two become equal, they are one."""
        values = pd.Index([function(name) for name in self.names], dtype="str")
        names = values.unique().sort_values()
        return Labels(_narrow(names.get_indexer(values), self.codes), names)

    def among(self, names: pd.Index[Any]) -> Labels:
        """The column by a longer list of names."""
        return Labels(_narrow(names.get_indexer(self.names), self.codes), names)

    def filled(self, name: str) -> Labels:
        """The column with a name for what is missing."""
        if self.codes.min(initial=0) >= 0:
            return self
        whole = self.among(self.names.append(pd.Index([name], dtype="str")).unique().sort_values())
        place = int(whole.names.get_indexer(pd.Index([name]))[0])
        return Labels(np.where(whole.codes < 0, place, whole.codes).astype(whole.codes.dtype), whole.names)

    def of_names(self, function: Callable[[str], bool]) -> Bools:
        """Whether a function is true of each row's value; false where it is missing."""
        truths: Bools = np.array([*(function(str(name)) for name in self.names), False], dtype=bool)[self.codes]
        return truths

    def values(self) -> pd.Series[Any]:
        """The column itself."""
        missing = self.codes < 0
        if missing.all():
            return pd.Series(np.nan, index=range(len(self.codes)), dtype=self.names.dtype)
        column = pd.Series(self.names.take(self.codes))
        return column.mask(missing) if missing.any() else column

    def followed_by(self, other: Labels) -> Labels:
        """This column and then another one by the same names."""
        return Labels(np.append(self.codes, other.codes), self.names)

    def __getitem__(self, rows: Any) -> Labels:
        return Labels(self.codes[rows], self.names)

    def __len__(self) -> int:
        return len(self.codes)


def _narrow(renumbered: Ints, codes: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Codes renumbered, -1 kept, in the smallest type that sorts fast."""
    kind = np.int16 if len(renumbered) < 2**15 else np.int64
    narrow: NDArray[np.integer[Any]] = np.append(renumbered, -1).astype(kind)[codes]
    return narrow


def sums(places: Ints, values: NDArray[Any], size: int) -> Floats:
    """Sum of the values at each of so many places."""
    return np.bincount(places, values, minlength=size).astype(np.float64, copy=False)


def stable_order(codes: Ints, space: int) -> Ints:
    """Rows sorted by number, each number's rows in the order they had."""
    return np.argsort(codes.astype(np.uint16, copy=False) if space <= 2**16 else codes, kind="stable")


def combinations(columns: Sequence[Labels]) -> tuple[Ints, list[Ints]]:
    """For each row the number of its combination of labels, and the codes of every combination that occurs, sorted.

    Nothing may be missing.
    """
    codes: Ints = np.zeros(len(columns[0]), dtype=np.intp)
    found: list[Ints] = []
    size = min(len(codes), 1)
    for column in columns:
        width = max(len(column.names), 1)
        codes = codes * width + column.codes
        if size * width > _DENSE:
            present, codes = np.unique(codes, return_inverse=True)
        else:
            present = np.flatnonzero(np.bincount(codes, minlength=size * width))
            renumbered = np.zeros(size * width, dtype=np.intp)
            renumbered[present] = np.arange(len(present))
            codes = renumbered[codes]
        found = [*(known[present // width] for known in found), present % width]
        size = len(present)
    return codes, found


def totals(keys: Mapping[str, Labels], columns: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    """Sums of columns for each combination of labels that occurs, sorted by them."""
    codes, found = combinations(list(keys.values()))
    size = len(found[0])
    frame: dict[str, Any] = {
        name: column.names.take(present) for (name, column), present in zip(keys.items(), found, strict=True)
    }
    for name, values in columns.items():
        added = sums(codes, values, size)
        frame[name] = added if values.dtype.kind == "f" else added.astype(np.int64)
    return pd.DataFrame(frame)


def day_labels(time: Times, tz: str, *, month: bool = False) -> Labels:
    """The day, or the month, in which each moment lies, by its first moment in a time zone.

    Raises
    ------
    ArgumentError
        If there is no such time zone.
    """
    stamps = pd.DatetimeIndex(time, tz="UTC")
    try:
        edges = stamps[:0].tz_convert(tz) if not len(stamps) else _edges(stamps, tz, month=month)
    except (KeyError, ValueError, TypeError) as error:
        raise ArgumentError(f"tz={tz!r} is not a time zone: give a name such as 'UTC' or 'Europe/Berlin'") from error
    starts = edges.tz_convert("UTC").tz_localize(None).to_numpy(dtype="datetime64[us]")
    return Labels(np.searchsorted(starts, time, side="right") - 1, edges)


def _edges(stamps: pd.DatetimeIndex, tz: str, *, month: bool) -> pd.DatetimeIndex:
    first, last = (stamp.tz_convert(tz).tz_localize(None).normalize() for stamp in (stamps.min(), stamps.max()))
    first = first.replace(day=1) if month else first
    days = pd.date_range(first, last, freq="MS" if month else "D", unit="us")
    # Where the clock changes at midnight, a day may begin at one o'clock, or have two midnights.
    return days.tz_localize(tz, nonexistent="shift_forward", ambiguous=np.ones(len(days), dtype=bool))
