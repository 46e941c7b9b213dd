"""Reading an account log: legs paired, kinds told apart, conversions matched, odd logs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.accounting.labels import Labels, day_labels, totals
from kfut_analytics.accounting.ledger import KINDS, NON_TRADING, TRADING, Ledger, classify
from kfut_analytics.errors import ArgumentError
from tests.accounts import LISTED, Account

LINEAR, INVERSE = LISTED[0], LISTED[3]


@pytest.fixture
def made() -> Account:
    account = Account()
    account.flow("cross-exchange transfer", "flex", "usd", Fraction(1000))
    account.trade(LINEAR, Fraction(1), Fraction(100))
    account.trade(LINEAR, Fraction(2), Fraction(100), kfee=True)
    account.trade(LINEAR, Fraction(-3), Fraction(110))
    return account


def renumbered(frame: pd.DataFrame, order: list[int]) -> pd.DataFrame:
    """The entries in another order of their numbers."""
    return frame.iloc[order].set_index(pd.RangeIndex(1, len(order) + 1, name="id"))


def test_every_kind_is_of_one_class():
    infos = [info for kinds in KINDS.values() for info in kinds]
    assert len(infos) == len(set(infos))
    assert {classify(info) for info in infos} | {"other"} == {*TRADING, *NON_TRADING}
    assert classify(" Futures Trade ") == "trade"
    assert classify("never seen") == "other"


def test_legs_side_by_side_are_pairs(made):
    assert list(Ledger(made.frame()).pair) == [-1, 2, 1, -1, -1, 6, 5]


def test_legs_apart_are_paired_by_their_execution(made):
    frame = renumbered(made.frame(), [0, 1, 5, 3, 2, 4, 6])
    assert list(Ledger(frame).pair) == [-1, 4, 6, -1, 1, -1, 2]


def test_without_execution_ids_neighbours_are_pairs(made):
    frame = made.frame().drop(columns="execution_id")
    assert list(Ledger(frame).pair) == [-1, 2, 1, -1, -1, 6, 5]


def test_neighbours_of_different_executions_are_no_pair(made):
    frame = made.frame()
    frame.loc[3, "execution_id"] = "another"
    assert list(Ledger(frame).pair) == [-1, -1, -1, -1, -1, 6, 5]
    assert {"cash leg", "position leg"} & set(kfut.pnl(frame).gaps()["gap"]) == {"position leg"}


def test_a_second_cash_leg_belongs_to_the_same_execution(made):
    frame = made.frame()
    extra = frame.loc[[7]].assign(
        asset="EUR", old_balance=0.0, new_balance=-1.0, change=-1.0, realized_pnl=0.0, fee=1.0
    )
    frame = pd.concat([frame, extra.set_index(pd.Index([8], name="id"))])
    assert list(Ledger(frame).pair) == [-1, 2, 1, -1, -1, 6, 5, 5]
    trips = kfut.pnl(frame).round_trips().set_index("currency")
    assert trips.loc["EUR", "fee"] == 1.0
    assert trips.loc["USD", "gross"] == 30.0


def test_zeros_for_missing_prices_are_no_prices(made):
    """The exchange's stream writes 0.0 where the REST API writes null."""
    frame = made.frame()
    for name in ("trade_price", "new_entry_price", "old_entry_price", "funding_rate", "realized_pnl", "fee"):
        frame[name] = frame[name].fillna(0.0)
    expected, found = kfut.pnl(made.frame()), kfut.pnl(frame)
    pd.testing.assert_frame_equal(found.round_trips(), expected.round_trips())
    pd.testing.assert_frame_equal(found.by_contract(), expected.by_contract())


def test_logs_of_two_accounts_are_refused(made):
    other = Account(seed=1)
    other.flow("cross-exchange transfer", "flex", "usd", Fraction(5))
    with pytest.raises(ArgumentError, match="entry 1 occurs twice with different contents: logs of two accounts"):
        kfut.pnl(pd.concat([made.frame(), other.frame()]))
    twice = kfut.pnl(pd.concat([made.frame(), made.frame()]))
    pd.testing.assert_frame_equal(twice.reconcile(), kfut.pnl(made.frame()).reconcile())


def test_rounding_is_shown_and_is_not_unexplained(made):
    """The exchange rounds each figure of an entry, so they may miss its change by a digit or two."""
    frame = made.frame()
    frame.loc[7, "realized_pnl"] += 1e-4
    row = kfut.pnl(frame).reconcile().set_index("currency").loc["USD"]
    assert row["rounding"] == pytest.approx(-1e-4)
    assert row["unexplained"] == 0
    assert kfut.pnl(frame).gaps().empty
    frame.loc[7, "realized_pnl"] += 1e-2
    result = kfut.pnl(frame)
    row = result.reconcile().set_index("currency").loc["USD"]
    assert (row["rounding"], row["unexplained"]) == (0, pytest.approx(-1.01e-2))
    (gap,) = result.gaps().to_dict("records")
    assert (gap["gap"], gap["id"], gap["amount"]) == ("booking", 7, pytest.approx(-1.01e-2))
    assert "1 entry whose figures do not give the change of the balance; the first is 7." in result.notes()


def test_conversions_and_what_they_cost():
    account = Account()
    account.flow("cross-exchange transfer", "flex", "usd", Fraction(1000))
    first = account.convert("usd", Fraction(600), "xbt", Fraction(60_000), Fraction(1, 2))
    account.wait(5)
    second = account.convert("xbt", Fraction(1, 200), "usd", Fraction(62_000), Fraction(1, 2))
    account.flow("conversion", "flex", "eur", Fraction(-7))
    frame = account.frame()
    frame["exchange_rate_from"] = frame["exchange_rate_from"].replace("XBT", "BTC")  # spelled either way
    table = kfut.pnl(frame).conversions()
    assert list(zip(table["sold_currency"], table["bought_currency"].fillna(""), strict=True)) == [
        ("USD", "XBT"), ("XBT", "USD"), ("EUR", ""),
    ]  # fmt: skip
    np.testing.assert_allclose(table["cost"], [float(first), float(second), np.nan], rtol=1e-6)
    assert list(table["cost_currency"].fillna("")) == ["USD", "USD", ""]
    assert list(table["sold"]) == [600, 0.005, 7]
    without = kfut.pnl(frame.drop(columns=["exchange_rate", "exchange_rate_from"])).conversions()
    np.testing.assert_allclose(without["cost"][:2], table["bought"][:2] * 0.5 / 99.5)
    assert list(without["cost_currency"][:2]) == ["XBT", "USD"]
    untold = kfut.pnl(frame.drop(columns=["exchange_rate", "exchange_rate_from", "conversion_fee"])).conversions()
    assert untold["cost"].isna().all()


def test_conversions_of_many_at_once_are_paired_in_order():
    account = Account()
    for _ in range(3):
        account.convert("usd", Fraction(600), "xbt", Fraction(60_000), Fraction(0))
    table = kfut.pnl(account.frame()).conversions()
    assert list(table["sold"]) == [600] * 3
    np.testing.assert_allclose(table["bought"], 0.01)


@pytest.mark.parametrize(("tz", "first"), [("UTC", "2026-03-29"), ("Asia/Tokyo", "2026-03-30")])
def test_days_begin_in_the_zone(tz, first):
    time = np.array(["2026-03-29T23:30", "2026-03-30T00:30"], dtype="datetime64[us]")
    labels = day_labels(time, tz)
    assert str(labels.names[labels.codes[0]].date()) == first
    assert labels.names.tz is not None


def test_days_where_the_clock_changes_at_midnight():
    """In Beirut the 29th of March 2026 began at one o'clock; in Havana the 1st of November 2026 had two midnights."""
    spring = np.array(["2026-03-28T21:59", "2026-03-28T22:00", "2026-03-29T21:00"], dtype="datetime64[us]")
    assert list(np.diff(day_labels(spring, "Asia/Beirut").codes)) == [1, 1]
    autumn = np.array(["2026-11-01T03:59", "2026-11-01T04:00", "2026-11-01T05:30"], dtype="datetime64[us]")
    assert list(np.diff(day_labels(autumn, "America/Havana").codes)) == [1, 0]


def test_months_begin_in_the_zone():
    time = np.array(["2026-10-31T22:59", "2026-10-31T23:00"], dtype="datetime64[us]")
    labels = day_labels(time, "Europe/Berlin", month=True)
    assert [str(name.date()) for name in labels.names[labels.codes]] == ["2026-10-01", "2026-11-01"]


def test_no_time_zone_is_refused(made):
    with pytest.raises(ArgumentError, match="tz='Middle/Earth' is not a time zone"):
        kfut.pnl(made.frame()).daily("Middle/Earth")


def test_many_combinations_are_added_up_like_few(monkeypatch):
    chance = np.random.default_rng(0)
    keys = {
        name: Labels(chance.integers(0, 40, 500), pd.Index([f"{name}{n:02}" for n in range(40)], dtype="str"))
        for name in "abc"
    }
    values = {"value": chance.random(500), "count": np.ones(500, dtype=bool)}
    dense = totals(keys, values)
    monkeypatch.setattr("kfut_analytics.accounting.labels._DENSE", 10)
    pd.testing.assert_frame_equal(totals(keys, values), dense)
    plain = pd.DataFrame({name: labels.values() for name, labels in keys.items()} | values)
    expected = plain.groupby(list("abc"))["value"].sum()
    np.testing.assert_allclose(dense["value"], expected)
    assert dense["count"].sum() == 500
