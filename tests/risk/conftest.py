"""Fixtures of the risk rooms."""

from __future__ import annotations

import pandas as pd
import pytest

from kfut_analytics import times

from .stage import Stage


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Snapshots of a test stay with it."""
    monkeypatch.setenv("KFUT_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True, scope="package")
def _behind():
    """The exchange's time is ahead of the machine's: only the former may count."""
    with times.frozen(pd.Timestamp("2026-01-01T00:00Z")):
        yield


@pytest.fixture
def stage():
    made = Stage()
    yield made
    made.close()
