"""The CSV export: the recorded sample, its oddities, and files that are none."""

from __future__ import annotations

import gzip
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics import schema
from kfut_analytics.errors import ArgumentError
from tests.accounts import LISTED, Account

LINEAR = LISTED[0]


@pytest.fixture
def made() -> Account:
    account = Account()
    account.flow("cross-exchange transfer", "flex", "usd", Fraction(1000))
    account.trade(LINEAR, Fraction(1, 100), Fraction(60_000))
    account.wait(1)
    account.trade(LINEAR, Fraction(-1, 200), Fraction(61_000), kfee=True)
    account.trade(LINEAR, Fraction(1, 200), Fraction(61_000), kfee=True)
    account.trade(LINEAR, Fraction(-1, 100), Fraction(62_000))
    return account


def written(folder, text: str, name: str = "account-log.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_the_recorded_sample(recordings):
    """Two legs of a real account, newest first: the figures that the payloads' index states."""
    log = kfut.read_account_log_csv(recordings / "syncjournal_2026" / "accountlogcsv__header_sample.csv")
    assert list(log["asset"]) == ["PF_XBTUSD", "USD"]
    assert list(log["old_balance"]) == [0.0, 0.6474]
    result = kfut.pnl(log)
    (row,) = result.by_contract().to_dict("records")
    assert (row["contract"], row["fee"], row["realized_pnl"], row["trades"]) == ("PF_XBTUSD", 0.6474, 0.0, 1)
    assert row["fee"] == round(0.0214 * 60505 * 0.0005, 4)
    (trip,) = result.round_trips().to_dict("records")
    assert (trip["side"], trip["size"], trip["entry_price"], trip["ended"]) == ("short", -0.0214, 60505.0, "open")
    assert result.reconcile()["unexplained"].item() == 0
    assert result.gaps().empty
    assert result.notes() == []


def test_the_frame_is_that_of_the_client(made, tmp_path):
    log = kfut.read_account_log_csv(written(tmp_path, made.csv()))
    expected = made.frame()
    assert list(log.columns) == list(expected.columns)
    assert list(log.dtypes) == list(expected.dtypes)
    assert log.attrs["units"] == expected.attrs["units"]
    for name in ("time", "info", "account", "asset", "contract", "booking_uid", "new_balance", "fee", "realized_pnl"):
        pd.testing.assert_series_equal(log[name], expected[name])
    np.testing.assert_allclose(log["old_balance"], expected["old_balance"], atol=1e-12)
    assert log["execution_id"].isna().all()


def test_an_empty_export_is_an_empty_log(made, tmp_path):
    log = kfut.read_account_log_csv(written(tmp_path, made.csv().splitlines()[0] + "\n"))
    assert list(log.dtypes) == list(schema.ACCOUNT_LOG.frame({}).dtypes)
    assert kfut.pnl(log).reconcile().empty


def test_legs_are_paired_by_neighbourhood_also_around_fees_paid_in_kfee(made, tmp_path):
    result = kfut.pnl(kfut.read_account_log_csv(written(tmp_path, made.csv())))
    (trip,) = result.round_trips().to_dict("records")
    assert (trip["fills"], trip["gross"]) == (4, pytest.approx(0.005 * 1000 + 0.01 * 1500))
    assert any("KFEE" in note for note in result.notes())
    assert result.gaps().empty


def test_oldest_first_compressed_and_with_other_columns(made, tmp_path):
    head, *lines = made.csv().splitlines()
    turned = "\n".join([f"{head},new column", *(f"{line},?" for line in reversed(lines))]) + "\n"
    path = tmp_path / "log.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write(turned)
    expected = kfut.read_account_log_csv(written(tmp_path, made.csv()))
    pd.testing.assert_frame_equal(kfut.read_account_log_csv(path), expected)


def test_the_order_shows_though_all_happened_in_one_second(tmp_path):
    account = Account()
    account.trade(LINEAR, Fraction(1), Fraction(60_000))
    account.trade(LINEAR, Fraction(-1), Fraction(61_000))
    head, *lines = account.csv().splitlines()
    for order in (lines, lines[::-1]):
        log = kfut.read_account_log_csv(written(tmp_path, "\n".join([head, *order]) + "\n"))
        assert list(log["new_balance"]) == pytest.approx([1.0, -30.0, 0.0, 939.5])


def test_what_is_no_export_is_refused(made, tmp_path):
    with pytest.raises(ArgumentError, match=r"absent\.csv cannot be read: No such file"):
        kfut.read_account_log_csv(tmp_path / "absent.csv")
    with pytest.raises(ArgumentError, match=r"lacks the columns 'dateTime', 'account'.*it has 'a', 'b'"):
        kfut.read_account_log_csv(written(tmp_path, "a,b\n1,2\n"))
    with pytest.raises(ArgumentError, match="is not an account log export"):
        kfut.read_account_log_csv(written(tmp_path, ""))
    broken = made.csv().replace("1000.", "much", 1)
    with pytest.raises(ArgumentError, match=r"is not an account log export: .*much"):
        kfut.read_account_log_csv(written(tmp_path, broken))
    timeless = made.csv().replace("2026-03-27 20:00:00", "yesterday", 1)
    with pytest.raises(ArgumentError, match=r"'dateTime' has a value that is no time: .*yesterday"):
        kfut.read_account_log_csv(written(tmp_path, timeless))
