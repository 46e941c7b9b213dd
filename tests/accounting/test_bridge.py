"""From start to end equity: every cause has its row, and the rows add up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kfut_analytics as kfut
from kfut_analytics.errors import ArgumentError
from tests.accounts import LISTED, STEPS, Account, account

LINEAR, INVERSE = LISTED[0], LISTED[3]


def rows(frame) -> dict:
    return {(row["item"], row["contract"] if isinstance(row["contract"], str) else ""): row["amount"]
            for row in frame.to_dict("records")}  # fmt: skip


@pytest.fixture
def made() -> Account:
    """A thousand dollars and half a bitcoin come in; both kinds of contract are traded, interest is paid."""
    made = Account()
    made.flow("cross-exchange transfer", "flex", "usd", Fraction(1000))
    made.flow("cross-exchange transfer", "fi_xbtusd", "xbt", Fraction(1, 2))
    made.trade(LINEAR, Fraction(1), Fraction(100))
    made.trade(LINEAR, Fraction(-2), Fraction(110))
    made.fund(LINEAR, Fraction(1))
    made.trade(INVERSE, Fraction(1000), Fraction(50_000))
    made.trade(INVERSE, Fraction(-1000), Fraction(40_000))
    made.flow("interest payment", "flex", "usd", Fraction(-3))
    return made


def test_one_currency(made):
    result = kfut.pnl(made.frame())
    found = rows(result.bridge(start_unrealized=0.0, end_unrealized={"PF_XBTUSD": -4.0}))
    fees = (100 + 220) * 0.0005
    assert found["start equity", ""] == 0
    assert found["price P&L", "PF_XBTUSD"] == 10
    assert found["fees", ""] == pytest.approx(-fees)
    assert found["funding", ""] == 1
    assert found["interest", ""] == -3
    assert found["transfer", ""] == 1000
    assert found["unrealised P&L", ""] == -4
    assert found["unexplained", ""] == 0
    assert found["end equity", ""] == pytest.approx(1000 + 10 - fees + 1 - 3 - 4)
    assert ("price P&L", "PI_XBTUSD") not in found


def test_other_currencies_at_their_prices(made):
    later = kfut.pnl(made.frame(made.rows[2:]))  # the transfers are what it starts with
    found = rows(later.bridge(rates={"xbt": (50_000.0, 40_000.0)}))
    assert found["start equity", ""] == 1000 + 25_000
    assert found["revaluation", ""] == -5000
    assert found["price P&L", "PI_XBTUSD"] == pytest.approx((1000 / 50_000 - 1000 / 40_000) * 40_000)
    assert found["unexplained", ""] == 0
    at_one_price = rows(later.bridge(rates={"XBT": 40_000.0}))
    assert at_one_price["revaluation", ""] == 0
    assert at_one_price["start equity", ""] == 1000 + 20_000


def test_unrealised_by_contract_and_equity_from_elsewhere(made):
    result = kfut.pnl(made.frame())
    frame = result.bridge(
        start_equity=50.0, end_equity=1100.0, start_unrealized={"PF_XBTUSD": 1.0, "PF_OLD": 2.0},
        end_unrealized={"PF_XBTUSD": 5.0},
    )  # fmt: skip
    found = rows(frame)
    assert (found["unrealised P&L", "PF_XBTUSD"], found["unrealised P&L", "PF_OLD"]) == (4, -2)
    assert found["unexplained", ""] == pytest.approx(1100 - 50 - (1000 + 10 - 0.16 + 1 - 3 + 2))
    assert frame.attrs["units"] == {"amount": "USD"}


def test_a_currency_that_is_not_there_is_refused(made):
    with pytest.raises(ArgumentError, match="currency='CHF' has no balance in this log: it has USD, XBT"):
        kfut.pnl(made.frame()).bridge("CHF")
    assert rows(kfut.pnl(made.frame()).bridge("chf", rates={"USD": 0.9}))["start equity", ""] == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, max_size=40), st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_rows_add_up(steps, before, after):
    made = account(steps)
    later = kfut.pnl(made.frame(made.rows[len(made.rows) // 2 :]))
    rates = dict.fromkeys(("XBT", "ETH", "EUR", "FEE"), (before, after))
    frame = later.bridge(rates=rates, start_unrealized=3.0, end_unrealized=-2.0)
    amounts = frame["amount"].to_numpy()
    scale = abs(amounts).sum() + 1
    assert amounts[0] + amounts[1:-1].sum() == pytest.approx(amounts[-1], abs=1e-9 * scale)
    assert frame.loc[frame["item"] == "unexplained", "amount"].item() == 0
