"""The contracts' rules are fetched once, kept for some minutes, and then asked for again."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from kfut_analytics import schema
from kfut_analytics.contracts import MarginTier
from kfut_analytics.errors import NotFoundError
from kfut_analytics.rules import MAX_AGE, Rules


class Source:
    """A venue that knows two contracts and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def instruments(self) -> pd.DataFrame:
        self.asked += 1
        return schema.INSTRUMENTS.frame({"symbol": ["PF_XBTUSD", "PF_ETHUSD"], "tick_size": [1.0, 0.1]})

    def margin_tiers(self) -> pd.DataFrame:
        rows = [("PF_XBTUSD", "professional", 0, 0.01), ("PF_XBTUSD", "retail", 0, 0.5), ("PF_ETHUSD", "x", 0, 0.1)]
        names = ("symbol", "schedule", "threshold", "initial_margin")
        data: dict[str, Any] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        return schema.MARGIN_TIERS.frame(data | {"maintenance_margin": [0.005, 0.25, 0.05]})


def test_rules_are_fetched_once_and_again_when_old() -> None:
    now = 0.0
    source = Source()
    rules = Rules(source, clock=lambda: now)  # type: ignore[arg-type]
    for _ in range(3):
        assert rules.instrument("PF_XBTUSD")["tick_size"] == 1.0
        assert rules.tiers("PF_XBTUSD") == [MarginTier(0.0, 0.5, 0.25)]
    assert rules.tiers("PF_ETHUSD") == [MarginTier(0.0, 0.1, 0.05)]
    assert source.asked == 1
    now = MAX_AGE + 1
    assert rules.instrument("PF_ETHUSD")["tick_size"] == 0.1
    assert source.asked == 2


def test_an_unknown_contract_is_met_with_near_ones() -> None:
    with pytest.raises(NotFoundError, match="did you mean PF_XBTUSD"):
        Rules(Source()).instrument("PF_XBT")  # type: ignore[arg-type]
    assert Rules(Source()).tiers("PF_NONE") == []  # type: ignore[arg-type]
