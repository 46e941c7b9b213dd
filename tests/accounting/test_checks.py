"""The log against other sources: what agrees, what differs, what is on one side only."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kfut_analytics as kfut
from kfut_analytics import schema
from kfut_analytics.errors import ArgumentError
from tests.accounting.test_log_fills import fills_of
from tests.accounts import LISTED, STEPS, Account, account

LINEAR = LISTED[0]
EXECUTED = ("futures trade", "futures liquidation", "futures assignor", "futures assignee", "settlement")


def history_of(made: Account) -> pd.DataFrame:
    """The position history of an account, as the exchange would tell it: funding a little later than the log."""
    rows = []
    money = {row["execution"]: row for row in made.rows if "execution" in row and row["asset"] != row["contract"]}
    for number, row in enumerate(made.rows):
        is_leg = row["info"] in EXECUTED and row["asset"] == row["contract"]
        if not is_leg and row["info"] != "funding rate change":
            continue
        cash = money.get(row["execution"], {}) if is_leg else row
        is_linear = row["contract"].startswith(("pf", "ff"))  # whose log is rounded to four decimals, unlike this
        reason = "fundingRealisation" if not is_leg else "settlement" if row["info"] == "settlement" else "trade"
        rows.append(
            {
                "event_id": f"event-{number}",
                "time": pd.Timestamp(row["date"]) + pd.Timedelta(milliseconds=0 if is_leg else 140),
                "symbol": row["contract"].upper(),
                "update_reason": reason,
                "execution_id": row.get("execution"),
                "funding_time": None if is_leg else pd.Timestamp(row["date"]),
                "fee_currency": "USD",
                "realized_pnl": float(cash.get("realized_pnl", 0)),
                "fee": float(cash.get("fee", 0)) + float(cash.get("liquidation_fee", 0)),
                "realized_funding": float(cash.get("realized_funding", 0)) + (0.00000764 if is_linear else 0),
            }
        )
    names = {name for row in rows for name in row}
    return schema.POSITION_HISTORY.frame({name: [row[name] for row in rows] for name in names})


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, max_size=40), st.booleans())
def test_an_account_agrees_with_its_history_and_fills(tmp_path_factory, steps, exported):
    """Also as a CSV export, which has no execution ids to find the events by."""
    made = account(steps)
    result = kfut.pnl(made.frame())
    if exported:
        path = tmp_path_factory.getbasetemp() / "checked.csv"
        path.write_text(made.csv())
        result = kfut.pnl(kfut.read_account_log_csv(path))
    history = history_of(made)
    checked = result.check_positions(history)
    assert len(checked) == len(history)
    assert set(checked["status"]) <= {"equal"}
    unsettled = [row for row in made.rows if row["info"] != "settlement"]
    fills = fills_of(made, told=True, fees=True)
    fills = fills[fills.index.isin([row.get("execution") for row in unsettled])]
    checked = result.check_fills(fills)
    assert len(checked) == len(fills)
    assert set(checked["status"]) <= {"equal"}


@pytest.fixture
def made() -> Account:
    account = Account()
    account.trade(LINEAR, Fraction(1), Fraction(100))
    account.wait(3600)
    account.fund(LINEAR, Fraction(1, 10))
    account.wait(60)
    account.trade(LINEAR, Fraction(-1), Fraction(110))
    account.wait(60)
    account.trade(LINEAR, Fraction(2), Fraction(120))
    return account


def test_what_differs_is_found(made):
    result, history = kfut.pnl(made.frame()), history_of(made)
    history.loc[history.index[2], "fee"] += 0.01
    history.loc[history.index[1], "realized_funding"] -= 0.01
    checked = result.check_positions(history)
    assert list(checked["status"]) == ["equal", "differs", "differs", "equal"]
    assert checked["history_fee"].iloc[2] - checked["fee"].iloc[2] == pytest.approx(0.01)
    fills = fills_of(made)
    fills.loc[fills.index[0], "price"] += 0.5
    fills.loc[fills.index[1], "side"] = "buy"
    checked = result.check_fills(fills)
    assert list(checked["status"]) == ["equal", "differs", "differs"]
    assert list(checked["size"]) == [1.0, -1.0, 2.0]
    assert list(checked["fills_size"]) == [1.0, 1.0, 2.0]


def test_what_is_on_one_side_only_is_found_in_the_time_that_both_cover(made):
    result, history, fills = kfut.pnl(made.frame()), history_of(made), fills_of(made)
    assert list(result.check_positions(history.drop(index=history.index[2]))["status"]) == [
        "equal", "equal", "only in the log", "equal",
    ]  # fmt: skip
    lost = kfut.pnl(made.frame([row for row in made.rows if row["info"] != "funding rate change"]))
    assert list(lost.check_positions(history)["status"]) == ["equal", "not in the log", "equal", "equal"]
    # What lies outside the time of the other source is not held against it.
    assert list(result.check_fills(fills.iloc[:1])["status"]) == ["equal"]
    assert list(result.check_positions(history.iloc[2:])["status"]) == ["equal", "equal"]
    assert result.check_fills(fills.iloc[:0]).empty is False
    assert set(result.check_fills(fills.iloc[:0])["status"]) == {"only in the log"}


def test_a_fee_paid_in_kfee_is_no_difference():
    account = Account()
    account.trade(LINEAR, Fraction(1), Fraction(100), kfee=True)
    result = kfut.pnl(account.frame())
    assert list(result.check_fills(fills_of(account))["status"]) == ["equal"]
    assert list(result.check_positions(history_of(account))["status"]) == ["equal"]


def test_other_frames_are_refused(made):
    result = kfut.pnl(made.frame())
    with pytest.raises(ArgumentError, match=r"position_history lacks the columns symbol.*client\.position_history"):
        result.check_positions(made.frame())
    with pytest.raises(ArgumentError, match="fills is list instead of the frame"):
        result.check_fills([])
    with pytest.raises(ArgumentError, match="not indexed by fill_id or execution_id"):
        result.check_fills(fills_of(made).reset_index(drop=True))
    assert not np.isnan(result.check_fills(fills_of(made))["price"]).any()
