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
def _later():
    """The exchange's time is a fixed one, and the machine's is later."""
    with times.frozen(pd.Timestamp("2027-01-01T00:00Z")):
        yield


@pytest.fixture
def stage():
    made = Stage()
    yield made
    made.close()
