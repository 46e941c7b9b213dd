"""Accounts on the paper exchange, whose clock moves only when a test moves it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from kfut_analytics import times
from kfut_analytics.paper.market.simulated import SimulatedMarket
from tests.risk.stage import START, Stage


@pytest.fixture(autouse=True, scope="package")
def _behind() -> Iterator[None]:
    """The exchange's time is ahead of the machine's: only the former may count."""
    with times.frozen(pd.Timestamp("2026-01-01T00:00Z")):
        yield


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A market of one level a side, at 80,000, that goes where a test wants it to go."""
    made = Stage()
    yield made
    made.close()


@pytest.fixture
def crowd() -> Iterator[Stage]:
    """The simulated market, whose books have many levels and whose funding accrues."""
    made = Stage(SimulatedMarket(0), START)
    yield made
    made.close()
