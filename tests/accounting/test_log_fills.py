"""Fills alone: the same figures as far as fills can tell, and it is said what is estimated."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kfut_analytics as kfut
from kfut_analytics.errors import ArgumentError
from tests.accounts import LISTED, STEPS, Account, account

LINEAR, INVERSE = LISTED[0], LISTED[3]
EXECUTED = ("futures trade", "futures liquidation", "futures assignor", "futures assignee", "settlement")
TYPES = {"futures liquidation": "liquidation", "futures assignor": "assignor", "futures assignee": "assignee"}


def fills_of(made: Account, *, told: bool = False, fees: bool = False, position: bool = False) -> pd.DataFrame:
    """The fills of an account, newest first, as the exchange gives them; with more, as executions do."""
    cash = {row["execution"]: row for row in made.rows if "execution" in row and row["asset"] != row["contract"]}
    rows = []
    for row in made.rows:
        if row["info"] in EXECUTED and row["asset"] == row["contract"]:
            money = cash.get(row["execution"], {})
            rows.append(
                {
                    "fill_id": row["execution"],
                    "time": pd.Timestamp(row["date"]),
                    "symbol": row["contract"].upper(),
                    "side": "buy" if row["change"] > 0 else "sell",
                    "size": float(abs(row["change"])),
                    "price": float(row["trade_price"]),
                    "fill_type": TYPES.get(row["info"], "taker"),
                    "realized_pnl": float(money.get("realized_pnl", 0)) if told else np.nan,
                    "fee": float(money.get("fee", 0) + money.get("liquidation_fee", 0)) if fees else np.nan,
                    "position_size": float(row["new_balance"]) if position else np.nan,
                }
            )
    columns = [
        "fill_id",
        "time",
        "symbol",
        "side",
        "size",
        "price",
        "fill_type",
        "realized_pnl",
        "fee",
        "position_size",
    ]
    frame = pd.DataFrame(rows[::-1], columns=columns).set_index("fill_id")
    frame["time"] = pd.to_datetime(frame["time"], utc=True).astype("datetime64[us, UTC]")
    return frame


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=50), st.booleans())
def test_fills_say_what_the_log_says(steps, told):
    """Gross P&L, trips and lots; a sum of bookings may be off by the rounding of each."""
    made = account(steps)
    full, part = kfut.pnl(made.frame()), kfut.pnl(fills_of(made, told=told, fees=True))
    expected, found = (result.by_contract().set_index(["contract", "currency"]) for result in (full, part))
    for key in expected.index:
        assert found.loc[key, "fee"] == pytest.approx(expected.loc[key, "fee"], abs=1e-9)
        assert found.loc[key, "realized_pnl"] == pytest.approx(
            expected.loc[key, "realized_pnl"], abs=1e-9 if told else 1e-4 * len(made.rows)
        )
    columns = ["contract", "account", "side", "opened", "closed", "max_size", "size", "entry_price", "fills"]
    expected, found = (result.round_trips()[columns].sort_values(["opened", "contract", "fills"], ignore_index=True)
                       for result in (full, part))  # fmt: skip
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)
    expected, found = (
        result.lots("fifo")[["contract", "size", "entry_price", "exit_price"]] for result in (full, part)
    )
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)
    assert part.gaps().empty


def test_what_is_estimated_is_said():
    made = Account()
    made.trade(LINEAR, Fraction(1), Fraction(100))
    made.trade(LINEAR, Fraction(-1), Fraction(110))
    result = kfut.pnl(fills_of(made))
    assert set(result.estimates) == {"fee", "realized_pnl", "realized_funding"}
    assert result.by_contract()["fee"].item() == pytest.approx(210 * 0.0005)
    assert any("2 of 2 by rates of 0.02 % maker and 0.05 % taker" in note for note in result.notes())
    assert any("2 of 2 by average entry" in note for note in result.notes())
    assert "Estimate of fee" in repr(result)
    table = result.reconcile()
    assert table[["opening", "unexplained", "closing"]].isna().all(axis=None)
    assert kfut.pnl(made.frame()).estimates == {}


def test_fee_rates_of_ones_own():
    made = Account()
    made.trade(INVERSE, Fraction(1000), Fraction(50_000))
    fills = fills_of(made)
    fills["fill_type"] = "maker"
    result = kfut.pnl(fills, fee_rates=(-0.0001, 0.0005))
    assert result.by_contract()["fee"].item() == pytest.approx(-1000 / 50_000 * 0.0001)
    with pytest.raises(ArgumentError, match=r"fee_rates=\(2, 5\) are not a maker and a taker fee"):
        kfut.pnl(fills, fee_rates=(2, 5))
    with pytest.raises(ArgumentError, match="fee_rates are for fills"):
        kfut.pnl(made.frame(), fee_rates=(0.0, 0.0))


def test_executions_tell_the_position_there_was_before():
    made = Account()
    made.trade(LINEAR, Fraction(3), Fraction(100))
    made.trade(LINEAR, Fraction(-1), Fraction(110))
    made.trade(LINEAR, Fraction(-2), Fraction(120))
    made.trade(LINEAR, Fraction(1), Fraction(130))
    made.trade(LINEAR, Fraction(-1), Fraction(140))
    later = fills_of(made, fees=True, position=True).iloc[:-1]
    result = kfut.pnl(later)
    carried, closed = result.round_trips().to_dict("records")
    assert (carried["side"], carried["max_size"], carried["size"]) == ("long", 3, 0)
    assert pd.isna(carried["opened"])
    assert closed["gross"] == 10
    assert "2 of positions whose entry price is not known are counted as zero" in result.estimates["realized_pnl"]


def test_fills_of_every_kind_of_execution():
    made = Account()
    made.trade(LINEAR, Fraction(2), Fraction(100))
    made.trade(LINEAR, Fraction(-1), Fraction(90), info="futures liquidation")
    made.trade(LINEAR, Fraction(-1), Fraction(80), info="futures assignor")
    result = kfut.pnl(fills_of(made))
    assert set(result.by("kind")["kind"]) == {"trade", "liquidation", "assignment"}
    assert result.round_trips()["ended"].item() == "assignment"


def test_missing_columns_are_named():
    frame = pd.DataFrame({"symbol": ["PF_XBTUSD"], "side": ["buy"], "price": [1.0]})
    with pytest.raises(ArgumentError, match=r"fills lack the columns time, size: give the frame of client\.fills"):
        kfut.pnl(frame.rename_axis("fill_id"))
    with pytest.raises(ArgumentError, match="log lacks the columns id, time, info"):
        kfut.pnl(frame.rename_axis("trade_id"))  # trades of the market are nobody's fills


def test_no_fills_are_no_pnl():
    result = kfut.pnl(fills_of(Account()))
    assert result.by_contract().empty
    assert result.round_trips().empty
    assert result.estimates == {}
