"""The value of an account through time: stories worked out by hand, and random accounts valued another way.

``KFUT_ACCOUNTS=1000`` tries so many accounts instead of a few.
"""

from __future__ import annotations

import json
import math
import os
import random
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kfut_analytics as kfut
from kfut_analytics.equity import Equity
from kfut_analytics.errors import ArgumentError
from tests.accounts import LISTED, START, STEPS, Account, Exact, Listed, account
from tests.valued import Prices, equity_of, value_of

EXAMPLES = int(os.environ.get("KFUT_ACCOUNTS", "40"))
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
BITCOIN, DOGE, _, INVERSE, _ = LISTED
MIDNIGHT = datetime(2026, 3, 28, tzinfo=UTC)


def hours(count: int, start: datetime = MIDNIGHT) -> list[datetime]:
    return [start + HOUR * number for number in range(count + 1)]


def until(made: Account, when: datetime) -> None:
    made.wait(int((when - made.now).total_seconds()))


# A story in USD ------------------------------------------------------------------------------------------------------


@pytest.fixture
def story() -> Equity:
    """1,000 USD and ten contracts bought at 100: up to 110, 900 come in, up to 121, 110 go out, down to 111."""
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1000))
    made.trade(BITCOIN, Exact(10), Exact(100), fee_rate=Exact(0))
    until(made, MIDNIGHT + DAY)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(900))
    until(made, MIDNIGHT + 2 * DAY)
    made.flow("subaccount transfer", "flex", "usd", Exact(-110))
    days = [MIDNIGHT + number * DAY for number in range(4)]
    return equity_of(made.frame(), hours(72), Prices({BITCOIN.symbol: (days, [100, 110, 121, 111])}, {}))


def test_value_flows_and_pnl(story: Equity) -> None:
    frame = story.frame
    assert frame["equity"].iloc[[0, 24, 48, 72]].tolist() == pytest.approx([1000, 2000, 2000, 1900])
    assert frame["balance"].iloc[[0, 24, 48, 72]].tolist() == [1000, 1900, 1790, 1790]
    assert frame["unrealized_pnl"].iloc[[0, 24, 48, 72]].tolist() == pytest.approx([0, 100, 210, 110])
    assert frame["external_flow"][frame["external_flow"] != 0].to_dict() == {
        pd.Timestamp(MIDNIGHT + DAY): 900,
        pd.Timestamp(MIDNIGHT + 2 * DAY): -110,
    }
    daily = story.daily()
    assert daily["pnl"].tolist() == pytest.approx([100, 110, -100])
    assert daily["external_flow"].tolist() == [900, -110, 0]
    assert daily["equity"].tolist() == pytest.approx([2000, 2000, 1900])
    assert daily["complete"].all()


def test_money_that_comes_or_goes_is_no_return(story: Equity) -> None:
    """10 % of 1,000; 110 of 2,000; −100 of 2,000."""
    returns = [0.1, 0.055, -0.05]
    assert story.returns().tolist() == pytest.approx(returns)
    summary = story.summary()["value"]
    assert summary["time_weighted_return"] == pytest.approx(1.1 * 1.055 * 0.95 - 1)
    assert story.frame["growth"].iloc[-1] == pytest.approx(1.1 * 1.055 * 0.95)
    assert story.monthly()["return"].tolist() == pytest.approx([1.1 * 1.055 * 0.95 - 1])
    assert (summary["best_day"], summary["worst_day"]) == pytest.approx((0.1, -0.05))
    assert summary["max_drawdown"] == pytest.approx(-0.05)
    assert summary["max_drawdown_days"] == pytest.approx(1)


def test_money_weighted_return_is_the_root_of_its_polynomial(story: Equity) -> None:
    """In daily growth x: 1000 x³ + 900 x² − 110 x = 1900."""
    roots = np.roots([1000, 900, -110, -1900])
    growth = float(next(root.real for root in roots if abs(root.imag) < 1e-12 and root.real > 0))
    assert story.summary()["value"]["money_weighted_return"] == pytest.approx(growth**3 - 1, rel=1e-10)


def test_the_fall_is_named(story: Equity) -> None:
    fall = story.drawdowns().iloc[0]
    assert fall["depth"] == pytest.approx(-0.05)
    assert (fall["peak"], fall["trough"]) == (pd.Timestamp(MIDNIGHT + 2 * DAY), pd.Timestamp(MIDNIGHT + 3 * DAY))
    assert pd.isna(fall["recovery"])
    assert (fall["days"], fall["days_to_trough"]) == (1, 1)


def test_the_bridge_of_the_story(story: Equity) -> None:
    bridge = story.bridge()
    amounts = bridge.set_index("item")["amount"]
    assert bridge["item"].iloc[[0, -1]].tolist() == ["start equity", "end equity"]
    assert amounts["unrealised P&L"] == pytest.approx(110)
    assert amounts["transfer"] == 790
    assert amounts["unexplained"] == 0
    assert amounts[["start equity", "end equity"]].tolist() == pytest.approx([1000, 1900])


def test_what_flowed(story: Equity) -> None:
    flows = story.flows()
    assert flows["info"].tolist() == ["cross-exchange transfer", "subaccount transfer"]
    assert flows["amount"].tolist() == flows["quantity"].tolist() == [900, -110]
    assert set(flows["asset"]) == {"USD"}


def test_a_short_history_has_no_annual_figures(story: Equity) -> None:
    summary = story.summary()
    missing = ["annual_return", "xirr", "volatility", "sharpe", "sortino", "calmar"]
    assert summary.loc[missing, "value"].isna().all()
    assert summary.loc[missing, "note"].str.contains("needs 30 (?:whole )?days with capital, there are 3").all()
    assert summary.loc["trip_win_rate", "note"] == "no round trip ended"
    assert "n/a (needs 30 whole days" in repr(story)
    assert "n/a (needs 30 whole days" in story._repr_html_()


# Special cases -------------------------------------------------------------------------------------------------------


def test_without_capital_there_is_no_return() -> None:
    """Empty, filled, emptied, filled again: only what was earned while there was something counts."""
    made = Account()
    prices = Prices({}, {"xbt": ([MIDNIGHT, MIDNIGHT + 4 * DAY], [100.0, 500.0])})
    for day, amount in ((0.5, 1), (1.5, -1), (2.5, 2)):
        until(made, MIDNIGHT + day * DAY)
        made.flow("cross-exchange transfer", "fi_xbtusd", "xbt", Exact(amount))
    found = equity_of(made.frame(), hours(96), prices)
    frame = found.frame
    assert frame["equity"].iloc[[0, 24, 48, 72, 96]].tolist() == pytest.approx([0, 200, 0, 800, 1000])
    assert frame["return"].iloc[[1, 12, 37, 60]].isna().all()
    assert frame["growth"].iloc[-1] == pytest.approx((250 / 150) * (500 / 350))
    assert frame["pnl"].sum() == pytest.approx((250 - 150) + 2 * (500 - 350))
    assert frame["external_flow"].sum() == pytest.approx(150 - 250 + 2 * 350)
    assert found.summary()["value"]["days"] == pytest.approx(3.5)
    assert found.notes() == []


def test_an_account_without_anything() -> None:
    found = equity_of(Account().frame(), hours(24), Prices({}, {}))
    assert (found.frame[["equity", "pnl", "external_flow"]] == 0).all(axis=None)
    summary = found.summary()
    assert summary.loc["time_weighted_return", "note"] == "there was no capital"
    assert summary.loc["best_day", "note"] == "there was no whole day with capital"
    assert found.bridge()["amount"].eq(0).all()
    assert found.drawdowns().empty
    assert found.flows().empty
    assert found.by_wallet().shape == (25, 0)


def test_a_total_loss_and_more() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(100))
    made.trade(BITCOIN, Exact(10), Exact(100), fee_rate=Exact(0))
    found = equity_of(made.frame(), hours(24), Prices({BITCOIN.symbol: ([MIDNIGHT, MIDNIGHT + DAY], [100, 80])}, {}))
    assert found.frame["equity"].iloc[-1] == pytest.approx(-100)
    assert found.frame["pnl"].sum() == pytest.approx(-200)
    summary = found.summary()["value"]
    assert summary["time_weighted_return"] == summary["max_drawdown"] == -1


def test_money_between_own_wallets_is_no_flow() -> None:
    """Even if one entry comes a moment after the other; the same amount from another account is one."""
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "xbt", Exact(1))
    until(made, MIDNIGHT + HOUR)
    made.flow("transfer", "flex", "xbt", Exact(-1, 10))
    made.wait(2)
    made.flow("transfer", "fi_xbtusd", "xbt", Exact(1, 10))
    made.wait(60)
    made.flow("subaccount transfer", "fi_xbtusd", "xbt", Exact(1, 10))
    prices = Prices({}, {"xbt": ([MIDNIGHT, MIDNIGHT + 2 * HOUR], [100.0, 300.0])})
    found = equity_of(made.frame(), hours(2), prices)
    assert found.flows()["quantity"].tolist() == pytest.approx([0.1])
    assert found.flows()["amount"].tolist() == pytest.approx([0.1 * (200 + 200 * 62 / 7200)])
    bridge = found.bridge().set_index("item")["amount"]
    assert bridge["transfer"] == pytest.approx(found.frame["external_flow"].sum(), abs=0.01)
    assert bridge["unexplained"] == 0


def test_the_same_amount_again_is_another_flow() -> None:
    """In and out of one wallet, or out of one wallet and much later into another."""
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1000))
    until(made, MIDNIGHT + HOUR)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(-100))
    made.flow("cross-exchange transfer", "flex", "usd", Exact(100))
    made.wait(60)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(-200))
    until(made, MIDNIGHT + 2 * HOUR)
    made.flow("cross-exchange transfer", "cash", "usd", Exact(200))
    found = equity_of(made.frame(), hours(3), Prices({}, {}))
    assert found.flows()["amount"].tolist() == [-100, 100, -200, 200]
    assert found.frame["external_flow"].tolist() == [0, 0, 0, 0]


def test_dust_is_no_capital() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1_000_000))
    until(made, MIDNIGHT + HOUR)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(-9_999_999_999, 10_000))
    until(made, MIDNIGHT + 2 * HOUR)
    made.flow("interest payment", "flex", "usd", Exact(-1, 10_000))
    found = equity_of(made.frame(), hours(3), Prices({}, {}))
    assert found.summary()["value"]["time_weighted_return"] == 0
    assert found.frame["return"].tolist() == pytest.approx([math.nan, 0, math.nan, math.nan], nan_ok=True)


def test_what_happened_at_the_start_belongs_to_it() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1000))
    made.trade(BITCOIN, Exact(1), Exact(100), fee_rate=Exact(1, 10))
    until(made, MIDNIGHT + HOUR)
    made.trade(BITCOIN, Exact(1), Exact(100), fee_rate=Exact(1, 20))
    found = equity_of(made.frame(), hours(2), Prices({BITCOIN.symbol: ([MIDNIGHT], [100.0])}, {}))
    assert found.frame["realized_net"].tolist() == [0, -5, 0]
    assert found.frame["equity"].tolist() == [990, 985, 985]


def test_a_round_trip_that_began_before_the_log_is_not_judged() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1000))
    made.trade(BITCOIN, Exact(1), Exact(100))
    until(made, MIDNIGHT + HOUR)
    made.trade(BITCOIN, Exact(-1), Exact(150))
    prices = Prices({BITCOIN.symbol: ([MIDNIGHT], [100.0])}, {})
    counts = [equity_of(made.frame(rows), hours(2), prices).summary()["value"]["round_trips"]
              for rows in (made.rows, made.rows[3:])]  # fmt: skip
    assert counts == [1, 0]


def test_funding_accrues_since_it_was_last_settled() -> None:
    """An hour at a time: where nothing was booked at a full hour, the rate was too small to be booked."""
    made = Account()
    until(made, MIDNIGHT + timedelta(minutes=30))
    made.trade(BITCOIN, Exact(2), Exact(100))
    until(made, MIDNIGHT + HOUR)
    made.fund(BITCOIN, Exact(1))
    rates = pd.DataFrame({"funding_rate": np.ones(9)}, index=pd.DatetimeIndex(hours(8)))
    times = [MIDNIGHT + timedelta(minutes=minutes) for minutes in (0, 45, 60, 75, 120, 150, 360, 390)]
    found = equity_of(
        made.frame(), times, Prices({BITCOIN.symbol: ([MIDNIGHT], [100.0])}, {}), funding={BITCOIN: rates}
    )
    accrued = found.frame["unrealized_funding"].tolist()
    assert accrued == pytest.approx([0, -2 * 0.25, 0, -2 * 0.25, -2 * 1, -2 * 1.5, -2 * 1, -2 * 1.5])
    assert found.bridge().set_index("item").loc["funding", "amount"] == pytest.approx(-2 - 2 * 1.5)


def test_a_position_that_is_transferred_brings_its_open_pnl() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1000))
    until(made, MIDNIGHT + HOUR)
    made.positions[BITCOIN.symbol].size = Exact(10)
    common = {"old_average_entry_price": Exact(0), "new_average_entry_price": Exact(90), "trade_price": Exact(90)}
    made._write("position transfer", BITCOIN.symbol, "flex", Exact(0), Exact(10), BITCOIN, **common)
    found = equity_of(
        made.frame(), hours(2), Prices({BITCOIN.symbol: ([MIDNIGHT, MIDNIGHT + 2 * HOUR], [100, 120])}, {})
    )
    assert found.frame["equity"].tolist() == pytest.approx([1000, 1200, 1300])
    assert found.frame["external_flow"].tolist() == pytest.approx([0, 200, 0])
    assert found.returns("1h").tolist() == pytest.approx([0, 100 / 1200])
    bridge = found.bridge().set_index("item")["amount"]
    assert (bridge["unrealised P&L"], bridge["transfer"], bridge["unexplained"]) == pytest.approx((100, 200, 0))


def test_fee_credits_are_no_money() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1000))
    made.flow("cross-exchange transfer", "flex", "fee", Exact(500))
    until(made, MIDNIGHT + HOUR)
    made.flow("kfee applied", "flex", "fee", Exact(-100))
    found = equity_of(made.frame(), hours(2), Prices({}, {}))
    assert found.frame["equity"].tolist() == [1000, 1000, 1000]
    assert found.bridge()["amount"].iloc[1:-1].eq(0).all()
    assert found.notes() == ["KFEE is not counted as value."]


def test_what_is_missing_in_the_log_is_unexplained() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1000))
    until(made, MIDNIGHT + HOUR)
    made.flow("interest payment", "flex", "usd", Exact(-7))
    made.flow("interest payment", "flex", "usd", Exact(-3))
    until(made, MIDNIGHT + 2 * HOUR)
    made.flow("interest payment", "flex", "usd", Exact(-2))
    rows = [made.rows[0], made.rows[2], made.rows[3]]
    bridge = equity_of(made.frame(rows), hours(3), Prices({}, {}))
    amounts = bridge.bridge().set_index("item")["amount"]
    assert (amounts["interest"], amounts["unexplained"]) == (-5, -7)
    assert any("-7.00 USD of the change is unexplained" in note for note in bridge.notes())


def test_what_the_exchange_rounds_is_named() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1000))
    until(made, MIDNIGHT + HOUR)
    figures = {"realized_pnl": Exact(0), "fee": Exact(12345, 10**5), "realized_funding": Exact(0)}
    made._money("futures trade", "flex", "usd", Exact(-1234, 10**4), BITCOIN, **figures)
    found = equity_of(made.frame(), hours(2), Prices({BITCOIN.symbol: ([MIDNIGHT], [100])}, {}))
    amounts = found.bridge().set_index("item")["amount"]
    assert (amounts["fees"], amounts["rounding"]) == pytest.approx((-0.12345, 0.00005))
    assert amounts["unexplained"] == 0
    assert found.notes() == []


def test_what_was_rounded_before_the_start_does_not_count() -> None:
    made = Account()
    until(made, MIDNIGHT - HOUR)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(1000))
    made.balances["flex", "usd"] += Exact(1, 10**4)  # the next entry starts a little higher
    made.flow("interest payment", "flex", "usd", Exact(-1))
    until(made, MIDNIGHT + HOUR)
    made.flow("interest payment", "flex", "usd", Exact(-2))
    for begin, rounded in ((MIDNIGHT - 2 * HOUR, 1e-4), (MIDNIGHT, 0.0)):
        bridge = equity_of(made.frame(), [begin, MIDNIGHT + 2 * HOUR], Prices({}, {})).bridge()
        amounts = bridge.set_index("item")["amount"]
        assert (amounts["rounding"], amounts["unexplained"]) == pytest.approx((rounded, 0), abs=1e-9)


def test_constant_growth_has_the_figures_of_constant_growth() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "fi_xbtusd", "xbt", Exact(1))
    days = [MIDNIGHT + number * DAY for number in range(61)]
    found = equity_of(made.frame(), hours(1440), Prices({}, {"xbt": (days, [1.01**number for number in range(61)])}))
    summary = found.summary()
    value = summary["value"]
    assert value["time_weighted_return"] == pytest.approx(1.01**60 - 1)
    assert value["annual_return"] == pytest.approx(1.01**365 - 1)
    assert value["xirr"] == pytest.approx(1.01**365 - 1)
    assert value["volatility"] == pytest.approx(0, abs=1e-9)
    assert (value["max_drawdown"], value["day_win_rate"]) == (0, 1)
    assert summary.loc["calmar", "note"] == "there was no drawdown"
    assert summary.loc["sortino", "note"] == "there was no losing day"
    assert summary.loc["day_profit_factor", "note"] == "there was no loss"
    assert found.returns("1w").iloc[1:-1].tolist() == pytest.approx([1.01**7 - 1] * 8)


def test_round_trips_count_with_the_price_of_their_currency_when_they_ended() -> None:
    made = Account()
    until(made, MIDNIGHT)
    made.flow("cross-exchange transfer", "fi_xbtusd", "xbt", Exact(1))
    made.trade(INVERSE, Exact(1000), Exact(100), fee_rate=Exact(0))
    until(made, MIDNIGHT + HOUR)
    made.trade(INVERSE, Exact(-1000), Exact(125), fee_rate=Exact(0))  # 1000/100 − 1000/125 = 2 coins
    made.trade(BITCOIN, Exact(1), Exact(125), fee_rate=Exact(0))
    until(made, MIDNIGHT + 2 * HOUR)
    made.trade(BITCOIN, Exact(-1), Exact(75), fee_rate=Exact(0))
    marks = {one.symbol: ([MIDNIGHT, MIDNIGHT + HOUR], [100, 125]) for one in (BITCOIN, INVERSE)}
    prices = Prices(marks, {"xbt": ([MIDNIGHT, MIDNIGHT + HOUR], [100, 125])})
    value = equity_of(made.frame(), hours(2), prices).summary()["value"]
    assert value["round_trips"] == 2
    assert value["trip_win_rate"] == 0.5
    assert value["trip_profit_factor"] == pytest.approx(250 / 50)
    assert value["trip_expectancy"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda found: found.returns("2d"), "period='2d' is not one of"),
        (lambda found: found.returns("1m"), "ask for equity at a finer resolution"),
        (lambda found: found.daily("Mars/Olympus"), "tz='Mars/Olympus' is not a time zone"),
        (lambda found: found.daily("Asia/Kolkata"), "of Asia/Kolkata, where a period of 1d begins"),
        (lambda found: found.drawdowns(0), "count=0 is not how many"),
        (lambda found: found.drawdowns(True), "count=True is not how many"),
        (lambda found: found.summary(risk_free="4%"), "risk_free='4%' is not an annual rate"),
        (lambda found: found.summary(risk_free=math.nan), "risk_free=nan is not an annual rate"),
        (lambda found: found.check(), "the equity ends at 2026-03-31 00:00 UTC"),
    ],
)
def test_bad_arguments(story: Equity, call: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call(story)


def test_frames_say_what_they_are(story: Equity) -> None:
    for frame in (story.frame, story.daily(), story.flows(), story.bridge(), story.drawdowns(), story.by_wallet()):
        assert (frame.attrs["env"], pd.Timestamp(frame.attrs["as_of"])) == ("paper", story.end)
        json.dumps(frame.attrs)  # as Parquet keeps them
    assert story.frame.attrs["units"]["equity"] == story.daily().attrs["units"]["pnl"] == "USD"
    assert story.frame.attrs["units"]["return"] == "fraction"


# Random accounts -----------------------------------------------------------------------------------------------------


def random_prices(rng: random.Random, end: datetime) -> Prices:
    """Straight lines between points every few days, around each contract's usual price."""

    def points(usual: float) -> tuple[list[datetime], list[float]]:
        times, time = [START - DAY], START
        while time < end:
            time += timedelta(hours=rng.uniform(1, 500))
            times.append(time)
        return times, [usual * rng.uniform(0.6, 1.5) for _ in times]

    coins = {"xbt": 60_000.0, "eth": 3_000.0, "eur": 1.1}
    return Prices(
        {listed.symbol: points(listed.price) for listed in LISTED}, {code: points(usd) for code, usd in coins.items()}
    )


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=50), st.integers(0, 10**6), st.sampled_from(["usd", "xbt", "eur"]))
def test_random_accounts(steps: list[tuple[Any, ...]], seed: int, currency: str) -> None:
    """Value at any time, flows, and where every cent came from."""
    made = account(steps, seed)
    rng = random.Random(seed)
    end = made.now + timedelta(hours=rng.uniform(1, 100))
    prices = random_prices(rng, end)
    begin = START - HOUR if rng.random() < 0.5 else START + (made.now - START) * rng.random()
    times = sorted({begin, end, *(begin + (end - begin) * rng.random() for _ in range(10))})
    found = equity_of(made.frame(), times, prices, currency)
    frame = found.frame
    scale = 1e-9 * (1 + max(abs(value_of(made, time, prices, currency)) for time in times))
    for time, worth in zip(times, frame["equity"], strict=True):
        assert worth == pytest.approx(value_of(made, time, prices, currency), rel=1e-9, abs=scale)
    assert found.by_wallet().sum(axis=1).tolist() == pytest.approx(frame["equity"].tolist(), abs=scale)

    # What came from outside, and what was booked, each worth what its currency was worth then.
    truth: dict[str, float] = defaultdict(float)
    for row in made.rows:
        if begin < row["date"] <= end and row["asset"] != row["contract"] and row["asset"] != "fee":
            worth = prices.rate(row["asset"], row["date"], currency)
            change = float(row["new_balance"] - row["old_balance"]) * worth
            truth[row["info"]] += change
            truth["booked"] += change if row["contract"] else 0.0
            truth["realised"] += float(row.get("realized_pnl", 0)) * worth
            truth["fees"] -= float(row.get("fee", 0) + row.get("liquidation_fee", Fraction(0))) * worth
            truth["funding"] += float(row.get("realized_funding", 0)) * worth
    flowed = truth["cross-exchange transfer"]
    assert frame["external_flow"].sum() == pytest.approx(flowed, abs=scale)
    assert frame["realized_net"].sum() == pytest.approx(truth["booked"], abs=scale)
    gained = value_of(made, end, prices, currency) - value_of(made, begin, prices, currency) - flowed
    assert frame["pnl"].sum() == pytest.approx(gained, abs=scale)

    bridge = found.bridge()
    amounts = bridge.groupby("item")["amount"].sum()
    assert amounts["unexplained"] == pytest.approx(0, abs=scale)
    for item, info in (("interest", "interest payment"), ("conversion", "conversion"), ("other", "lunar dividend")):
        assert amounts[item] == pytest.approx(truth[info], abs=scale)
    for item in ("fees", "funding"):
        assert amounts[item] == pytest.approx(truth[item], abs=scale)
    assert amounts["transfer"] == pytest.approx(flowed + truth["transfer"], abs=scale)
    causes = bridge["amount"].iloc[1:-1].sum()
    assert causes == pytest.approx(amounts["end equity"] - amounts["start equity"], abs=scale)
    # Prices alone: what was realised and what was not.
    before, after = (sum(open_pnl(made, one, when, prices, currency) for one in LISTED) for when in (begin, end))
    assert amounts.get("unrealised P&L", 0.0) == pytest.approx(after - before, abs=scale)
    assert amounts.get("price P&L", 0.0) == pytest.approx(truth["realised"], abs=scale)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=30), st.integers(0, 10**6))
def test_the_csv_export_gives_the_same(steps: list[tuple[Any, ...]], seed: int) -> None:
    made = account(steps, seed)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        path.write_text(made.csv())
        exported = kfut.read_account_log_csv(path)
    end = made.now + HOUR
    prices = random_prices(rng, end)
    times = sorted({START, end, *(START + (end - START) * rng.random() for _ in range(5))})
    whole, found = (equity_of(log, times, prices) for log in (made.frame(), exported))
    pd.testing.assert_frame_equal(found.frame, whole.frame, rtol=1e-8, atol=1e-6)
    assert found.bridge().set_index("item").loc["unexplained", "amount"] == pytest.approx(0, abs=1e-4)


def open_pnl(made: Account, listed: Listed, when: datetime, prices: Prices, currency: str) -> float:
    """What a contract's position had made so far, by its last entry."""
    legs = [row for row in made.rows if row["asset"] == row["contract"] == listed.symbol and row["date"] <= when]
    if not legs or not legs[-1]["new_balance"]:
        return 0.0
    size, entry = legs[-1]["new_balance"], legs[-1]["new_average_entry_price"]
    return float(listed.pnl(size, entry, Fraction(prices.mark(listed.symbol, when)))) * prices.rate(
        listed.currency, when, currency
    )
