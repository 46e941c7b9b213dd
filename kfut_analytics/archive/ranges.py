"""Ranges of whole numbers: which times and entry numbers are held, and what is missing between them.

A `Spans` is a set of whole numbers, written as half-open ranges that neither touch nor overlap. Times are counted in
microseconds since 1970 (`micros`), so that nothing is lost between two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

Span = tuple[int, int]
"""From the first, inclusive, to the second, exclusive."""

FOREVER = 253_402_300_800_000_000
"""The end of the year 9999, in microseconds: later than any time."""


class Spans:
    """A set of whole numbers as ranges; never changed, operations give new ones.

    Parameters
    ----------
    spans
        Ranges in any order; they may touch and overlap, and empty ones say nothing.
    """

    __slots__ = ("_spans",)

    def __init__(self, spans: Iterable[Iterable[int]] = ()) -> None:
        found: list[Span] = []
        for start, end in sorted((a, b) for a, b in spans):
            if start >= end:
                continue
            if found and start <= found[-1][1]:
                found[-1] = found[-1][0], max(end, found[-1][1])
            else:
                found.append((start, end))
        self._spans = tuple(found)

    def __or__(self, other: Spans) -> Spans:
        return Spans((*self._spans, *other._spans))

    def __and__(self, other: Spans) -> Spans:
        found = []
        mine, theirs = list(self._spans), list(other._spans)
        while mine and theirs:
            start, end = max(mine[0][0], theirs[0][0]), min(mine[0][1], theirs[0][1])
            if start < end:
                found.append((start, end))
            (mine if mine[0][1] <= theirs[0][1] else theirs).pop(0)
        return Spans(found)

    def __sub__(self, other: Spans) -> Spans:
        found = []
        for start, end in self._spans:
            for first, last in (other & Spans([(start, end)]))._spans:
                found.append((start, first))
                start = last
            found.append((start, end))
        return Spans(found)

    def __contains__(self, number: int) -> bool:
        return any(start <= number < end for start, end in self._spans)

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and self._spans == other._spans

    def __hash__(self) -> int:
        return hash(self._spans)

    def __repr__(self) -> str:
        return f"Spans({[list(span) for span in self._spans]})"

    @property
    def end(self) -> int | None:
        """Where the last range ends; None where there is none."""
        return self._spans[-1][1] if self._spans else None


def micros(stamp: pd.Timestamp) -> int:
    """Microseconds since 1970."""
    return int(stamp.value) // 1000  # value is in nanoseconds, whatever the unit


def stamp(number: int) -> pd.Timestamp:
    """The time of a number of microseconds since 1970, UTC."""
    return pd.Timestamp(number, unit="us", tz="UTC")


def asked(start: pd.Timestamp | None, end: pd.Timestamp | None) -> Span:
    """The range of a span of time whose two ends are part of it; None is the beginning or the end of time."""
    return 0 if start is None else micros(start), FOREVER if end is None else micros(end) + 1


def bounds(span: Span) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """A range as the two ends of a span of time, both part of it: the reverse of `asked`."""
    start, end = span
    return None if start <= 0 else stamp(start), None if end >= FOREVER else stamp(end - 1)
