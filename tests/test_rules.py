"""The contracts' rules are fetched once, kept for some minutes, and then asked for again."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from kfut_analytics import schema
from kfut_analytics.errors import NotFoundError, UnavailableError
from kfut_analytics.orders import LOWEST_TIER
from kfut_analytics.rules import MAX_AGE, Rules


class Source:
    """A venue that knows two contracts and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.volume = 0.0

    def instruments(self) -> pd.DataFrame:
        self.asked += 1
        return schema.INSTRUMENTS.frame(
            {"symbol": ["PF_XBTUSD", "PF_ETHUSD"], "tick_size": [1.0, 0.1], "fee_schedule_uid": ["uid", None]}
        )

    def margin_tiers(self) -> pd.DataFrame:
        rows = [("PF_XBTUSD", "professional", 0, 0.01), ("PF_XBTUSD", "retail", 0, 0.5), ("PF_ETHUSD", "x", 0, 0.1)]
        names = ("symbol", "schedule", "threshold", "initial_margin")
        data: dict[str, Any] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        return schema.MARGIN_TIERS.frame(data | {"maintenance_margin": [0.005, 0.25, 0.05]})

    def account_margin_tiers(self) -> pd.DataFrame:
        row = {"symbol": ["PF_XBTUSD"], "schedule": ["account"], "threshold": [0.0], "initial_margin": [0.2]}
        frame = schema.MARGIN_TIERS.frame(row | {"maintenance_margin": [0.1]})
        frame.attrs["minimum_sizes"] = {"PF_XBTUSD": 0.001}
        return frame

    def fee_schedules(self) -> pd.DataFrame:
        tiers = {"volume_usd": [0.0, 1e6], "maker_fee": [0.02, 0.01], "taker_fee": [0.05, 0.04]}
        return schema.FEE_SCHEDULES.frame({"fee_schedule_uid": ["uid", "uid"], "name": ["a", "a"], **tiers})

    def fee_volumes(self) -> dict[str, float]:
        if self.volume < 0:
            raise UnavailableError("gone")
        return {"uid": self.volume}


def test_rules_are_fetched_once_and_again_when_old() -> None:
    now = 0.0
    source = Source()
    rules = Rules(source, clock=lambda: now)  # type: ignore[arg-type]
    for _ in range(3):
        assert rules.instrument("PF_XBTUSD")["tick_size"] == 1.0
    assert source.asked == 1
    now = MAX_AGE + 1
    assert rules.instrument("PF_ETHUSD")["tick_size"] == 0.1
    assert source.asked == 2


def test_the_accounts_own_margin_tiers_are_among_those_of_a_contract() -> None:
    rules = Rules(Source())  # type: ignore[arg-type]
    assert rules.tiers(["PF_XBTUSD"])["schedule"].tolist() == ["professional", "retail", "account"]
    assert (rules.minimum_size("PF_XBTUSD"), rules.minimum_size("PF_ETHUSD")) == (0.001, 0.0)
    assert rules.tiers(["PF_ETHUSD", "PF_NONE"])["initial_margin"].tolist() == [0.1]


def test_fee_rates_follow_the_volume_of_the_account() -> None:
    source = Source()
    for volume, maker, taker in ((0.0, 0.0002, 0.0005), (999_999.0, 0.0002, 0.0005), (1e6, 0.0001, 0.0004)):
        source.volume = volume
        found = Rules(source).fees("PF_XBTUSD")  # type: ignore[arg-type]
        assert (found.maker, found.taker) == pytest.approx((maker, taker))
        assert found.source == "your fee schedule"


def test_unknown_fee_rates_are_those_of_the_lowest_tier_and_asked_for_again() -> None:
    source = Source()
    rules = Rules(source)  # type: ignore[arg-type]
    assert rules.fees("PF_ETHUSD") == LOWEST_TIER, "a contract without a schedule"
    source.volume = -1.0
    other = Rules(source)  # type: ignore[arg-type]
    assert other.fees("PF_XBTUSD") == LOWEST_TIER, "the exchange does not say"
    source.volume = 2e6
    assert other.fees("PF_XBTUSD").taker == pytest.approx(0.0004)


def test_an_unknown_contract_is_met_with_near_ones() -> None:
    with pytest.raises(NotFoundError, match="did you mean PF_XBTUSD"):
        Rules(Source()).instrument("PF_XBT")  # type: ignore[arg-type]
