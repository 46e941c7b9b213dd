"""A stage for the guards: an account with money, on a market that a test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kfut_analytics.guards import watch
from tests.risk.stage import Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("KFUT_HOME", str(tmp_path))  # every test has a journal of its own
    # The records of this exchange never lag behind its engine; tests that let them set this anew.
    monkeypatch.setattr(watch, "SETTLE", 0.0)
    monkeypatch.setattr(watch, "EVERY", 3600.0)  # looks are taken by the tests
    stage = Stage()
    stage.give("flex", "usd", 100_000.0)
    yield stage
    stage.close()
