"""Comparing what a client gives with its archive and without."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

import kfut_analytics as kfut

Call = Callable[[kfut.Client], pd.DataFrame]

ACCOUNT = ("account_log", "executions", "fills", "order_history", "trigger_history", "position_history")


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Two frames are equal in every respect."""
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_freq=True)
    assert found.attrs == expected.attrs


def unstamped(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame without its environment and time."""
    frame = frame.copy()
    frame.attrs = {name: value for name, value in frame.attrs.items() if name not in ("env", "as_of")}
    return frame


def everything(archive: kfut.Archive) -> dict[str, pd.DataFrame]:
    """All rows of all series, with their exact numbers."""
    found = {}
    for series in archive.describe().index:
        parts = dict(part.split("=") for part in series.split("/")[1:])
        table = series.split("/")[0]
        found[series] = archive.read(table, exact=True, **parts)
    return found


def same_archives(one: kfut.Archive, other: kfut.Archive) -> None:
    """Two archives hold the same, and claim to hold the same times."""
    first, second = everything(one), everything(other)
    assert list(first) == list(second)
    for series, frame in first.items():
        same(frame, second[series])
    told = ["rows", "first", "last", "complete_from", "complete_until", "gaps"]
    pd.testing.assert_frame_equal(one.describe()[told], other.describe()[told])
