"""What margin asks of the exchange: wallets from one answer, the account's own tiers, and whose account it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.errors import DecodeError
from tests.replay import ReplayServer, reply

Replay = Callable[..., tuple[kfut.Client, ReplayServer]]

ACCOUNTS = "/derivatives/api/v3/accounts"
OWN = "/derivatives/api/v3/trading/instruments"
KEY = "/api/auth/v1/api-keys/v3/check"

BODY = {
    "result": "success",
    "serverTime": "2026-11-22T08:00:00.000Z",
    "accounts": {
        "fi_xbtusd": {
            "type": "marginAccount", "currency": "xbt", "balances": {"xbt": 1.0},
            "auxiliary": {"pv": 1.1, "af": 0.9, "pnl": 0.1, "funding": 0.0},
            "marginRequirements": {"im": 0.2, "mm": 0.1}, "triggerEstimates": {"mm": 50_000},
        },
        "flex": {
            "type": "multiCollateralMarginAccount", "marginEquity": 100.0, "initialMargin": 20.0,
            "initialMarginWithOrders": 30.0, "maintenanceMargin": 10.0, "availableMargin": 70.0,
            "portfolioValue": 110.0,
            "currencies": {"USD": {"quantity": 110.0, "value": 110.0, "collateral": 100.0, "available": 70.0}},
        },
    },
}  # fmt: skip


def test_all_wallets_come_from_one_answer(replay: Replay) -> None:
    client, server = replay({ACCOUNTS: reply(BODY)})
    account, accounts, wallets = balances = client.balances()
    assert len(server.seen) == 1
    pd.testing.assert_series_equal(account.figures(), client.account().figures())
    assert account.time == pd.Timestamp("2026-11-22T08:00Z")
    pd.testing.assert_frame_equal(accounts, client.accounts())
    pd.testing.assert_frame_equal(wallets, client.wallets())
    figures = balances.figures()
    assert figures["flex"] == {
        "equity": 100.0, "initial_margin": 20.0, "initial_margin_with_orders": 30.0, "maintenance_margin": 10.0,
        "available_margin": 70.0, "portfolio_value": 110.0,
    }  # fmt: skip
    assert figures["fi_xbtusd"]["equity"] == figures["fi_xbtusd"]["portfolio_value"] == 1.1
    assert figures["fi_xbtusd"]["available_margin"] == 0.9


def test_the_accounts_own_tiers(replay: Replay) -> None:
    rows = [
        {"symbol": "PF_AAPLxUSD", "marginLevels": [
            {"numNonContractUnits": 0.0, "initialMargin": 0.1, "maintenanceMargin": 0.05},
            {"numNonContractUnits": 100000.0, "initialMargin": 0.2, "maintenanceMargin": 0.1}]},
        {"symbol": "PI_XBTUSD", "marginLevels": [{"contracts": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01}]},
        {"symbol": "PF_ODDUSD"},
    ]  # fmt: skip
    client, _ = replay({OWN: reply({"result": "success", "instruments": rows})})
    frame = client.account_margin_tiers()
    assert frame["symbol"].tolist() == ["PF_AAPLXUSD", "PF_AAPLXUSD", "PI_XBTUSD"]
    assert set(frame["schedule"]) == {"account"}
    assert frame["unit"].tolist() == ["quote", "quote", "contracts"]
    assert frame["threshold"].tolist() == [0, 100_000, 0]
    assert frame["initial_margin"].tolist() == [0.1, 0.2, 0.02]


def test_without_tiers_of_its_own_the_frame_is_empty_and_nothing_fails(replay: Replay) -> None:
    client, _ = replay({})
    frame = client.account_margin_tiers()
    assert frame.empty
    assert frame["initial_margin"].dtype == "float64"


def test_an_answer_without_its_container_is_no_empty_schedule(replay: Replay) -> None:
    client, _ = replay({OWN: reply({"result": "success"})})
    with pytest.raises(DecodeError, match="'instruments' is missing"):
        client.account_margin_tiers()


def test_snapshots_of_an_account_that_has_no_name_are_not_mixed_with_others(replay: Replay) -> None:
    """Without the account's uid nobody can tell whose snapshots lie in a file: a path must be given then."""
    positions = {"/derivatives/api/v3/openpositions": reply({"result": "success", "openPositions": []})}
    tickers = {"/derivatives/api/v3/tickers": reply({"result": "success", "tickers": []})}
    permissions = {"general": "READ_ONLY", "transfer": "NO_ACCESS"}
    key = {KEY: reply({"permissions": permissions})}
    client, _ = replay({ACCOUNTS: reply(BODY)} | positions | tickers | key)
    with pytest.raises(kfut.errors.ConfigurationError, match="does not say which account this is: give a path"):
        client.snapshot()


def test_snapshots_lie_by_the_accounts_uid(replay: Replay, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFUT_HOME", str(tmp_path))
    permissions = {"general": "READ_ONLY", "transfer": "NO_ACCESS"}
    answers = {
        ACCOUNTS: reply(BODY),
        "/derivatives/api/v3/openpositions": reply({"result": "success", "openPositions": []}),
        "/derivatives/api/v3/tickers": reply({"result": "success", "tickers": []}),
        KEY: reply({"permissions": permissions, "accountUid": "../../evil", "createdAt": "2026-01-01T00:00:00Z"}),
    }
    client, _ = replay(answers)
    taken = client.snapshot()
    assert taken["equity"].tolist() == [100.0, 1.1]
    assert taken["position_value"].tolist() == [0.0, 0.0]
    assert [file.name for file in (tmp_path / "snapshots").iterdir()] == ["live-------evil.jsonl"]
    pd.testing.assert_frame_equal(client.snapshots(), taken)
    kept = tmp_path / "snapshots" / "live-------evil.jsonl"
    kept.unlink()
    kept.mkdir()
    with pytest.raises(kfut.errors.ConfigurationError, match="give another path"):
        client.snapshot()
