"""Round trips: worked examples, excursions against a search through every moment, margin, odd logs."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kfut_analytics as kfut
from kfut_analytics.errors import ArgumentError
from tests.accounts import LISTED, START, Account, Listed

LINEAR, INVERSE = LISTED[0], LISTED[3]
HOUR = 3600


def trips(made: Account, **options) -> pd.DataFrame:
    return kfut.pnl(made.frame()).round_trips(**options)


def bars(*prices: tuple[float, float, float, float], start=START, every="1h") -> pd.DataFrame:
    index = pd.date_range(start, periods=len(prices), freq=every, name="time")
    return pd.DataFrame(prices, columns=["open", "high", "low", "close"], index=index)


def test_a_position_built_up_reduced_and_closed():
    made = Account()
    made.trade(LINEAR, Fraction(2), Fraction(100))
    made.wait(HOUR)
    made.fund(LINEAR, Fraction(1, 10))
    made.trade(LINEAR, Fraction(2), Fraction(110))
    made.trade(LINEAR, Fraction(-1), Fraction(120))
    made.wait(HOUR)
    made.trade(LINEAR, Fraction(-3), Fraction(125))
    (trip,) = trips(made, margin=0.02).to_dict("records")
    fee = (200 + 220 + 120 + 375) * 0.0005
    assert trip["entry_price"] == 105.0
    assert trip["exit_price"] == pytest.approx((120 + 3 * 125) / 4)
    assert trip["gross"] == pytest.approx(4 * (trip["exit_price"] - 105))
    assert (trip["max_size"], trip["size"], trip["fills"], trip["ended"]) == (4, 0, 4, "trade")
    assert trip["duration"] == pd.Timedelta(hours=2)
    assert trip["fee"] == pytest.approx(fee)
    assert trip["funding"] == pytest.approx(-0.2)
    assert trip["margin"] == pytest.approx(4 * 105 * 0.02)
    assert trip["return_on_margin"] == pytest.approx(trip["net"] / trip["margin"])


def test_an_inverse_position_averages_harmonically():
    made = Account()
    made.trade(INVERSE, Fraction(-1000), Fraction(50_000))
    made.trade(INVERSE, Fraction(-1000), Fraction(40_000))
    made.trade(INVERSE, Fraction(2000), Fraction(50_000))
    (trip,) = trips(made, margin={"PI_XBTUSD": 0.1}).to_dict("records")
    assert trip["entry_price"] == pytest.approx(2 / (1 / 50_000 + 1 / 40_000))
    assert (trip["side"], trip["currency"]) == ("short", "XBT")
    assert trip["margin"] == pytest.approx(2000 * 0.1 / trip["entry_price"])


def test_a_reversal_ends_one_trip_and_begins_the_next():
    made = Account()
    made.trade(LINEAR, Fraction(1), Fraction(100))
    made.trade(LINEAR, Fraction(-4), Fraction(110))
    first, second = trips(made).to_dict("records")
    assert (first["side"], first["ended"], first["closed"]) == ("long", "reversal", START)
    assert (second["side"], second["ended"], second["size"]) == ("short", "open", -3)
    turning = 4 * 110 * 0.0005
    assert first["fee"] == pytest.approx(0.05 + turning / 4)
    assert second["fee"] == pytest.approx(turning * 3 / 4)
    assert first["gross"] == 10
    assert second["entry_price"] == 110
    assert pd.isna(second["closed"])
    assert np.isnan(second["exit_price"])


@pytest.mark.parametrize(
    ("info", "ended"),
    [("futures liquidation", "liquidation"), ("futures assignor", "assignment"), ("settlement", "settlement"),
     ("futures trade", "trade")],
)  # fmt: skip
def test_how_it_ended(info, ended):
    made = Account()
    made.trade(LINEAR, Fraction(1), Fraction(100))
    made.trade(LINEAR, Fraction(-1), Fraction(90), info=info, liquidation_fee=Fraction(1))
    (trip,) = trips(made).to_dict("records")
    assert trip["ended"] == ended
    assert trip["fee"] == pytest.approx(0.05 + 0.045 + 1)


def test_an_expiry_booked_as_money_alone_closes_the_position():
    made = Account()
    dated = LISTED[2]
    made.trade(dated, Fraction(1), Fraction(3000))
    made.wait(HOUR)
    made.settle(dated, Fraction(3100))
    rows = [row for row in made.rows if row["info"] != "settlement" or row["asset"] == "usd"]
    (trip,) = kfut.pnl(made.frame(rows)).round_trips().to_dict("records")
    assert (trip["ended"], trip["size"], trip["exit_price"], trip["gross"]) == ("settlement", 0, 3100, 100)


def test_funding_alone_shows_a_position_held_throughout():
    made = Account()
    made.trade(LINEAR, Fraction(-1), Fraction(100))
    made.fund(LINEAR, Fraction(1))
    made.fund(LINEAR, Fraction(1))
    rows = [row for row in made.rows if row["info"] == "funding rate change"]
    (trip,) = kfut.pnl(made.frame(rows)).round_trips().to_dict("records")
    assert (trip["side"], trip["funding"], trip["fills"], trip["ended"]) == ("short", 2.0, 0, "open")
    assert pd.isna(trip["opened"])
    assert np.isnan(trip["size"])


def test_a_position_from_before_the_log_is_carried_in():
    made = Account()
    made.trade(INVERSE, Fraction(1000), Fraction(50_000))
    made.trade(INVERSE, Fraction(-1000), Fraction(60_000))
    (trip,) = kfut.pnl(made.frame(made.rows[2:])).round_trips().to_dict("records")
    assert pd.isna(trip["opened"])
    assert trip["entry_price"] == pytest.approx(50_000, rel=1e-12)
    assert (trip["exit_price"], trip["max_size"]) == (60_000, 1000)


def test_a_gap_cuts_a_trip():
    made = Account()
    made.trade(LINEAR, Fraction(1), Fraction(100))
    made.trade(LINEAR, Fraction(-1), Fraction(110))  # lost
    made.trade(LINEAR, Fraction(5), Fraction(120))
    made.trade(LINEAR, Fraction(-5), Fraction(130))
    first, second = kfut.pnl(made.frame(made.rows[:2] + made.rows[4:])).round_trips().to_dict("records")
    assert (first["ended"], first["gross"]) == ("gap", 0)
    assert (second["ended"], second["gross"], second["entry_price"]) == ("trade", 50, 120)


def test_money_in_a_second_currency_has_a_row_of_its_own():
    made = Account()
    made.trade(LINEAR, Fraction(1), Fraction(100))
    made.fund(LINEAR, Fraction(1))
    frame = made.frame()
    frame.loc[frame.index[-1], "asset"] = "EUR"
    table = kfut.pnl(frame).round_trips()
    assert list(zip(table["currency"], table["funding"], table["fee"], strict=True)) == [
        ("USD", 0.0, 0.05), ("EUR", -1.0, 0.0),
    ]  # fmt: skip


def test_excursions_of_a_worked_example():
    """Long 1 from 100, closed at 104 after three hours; one more bought at 110 in the middle of the second hour."""
    made = Account()
    made.trade(LINEAR, Fraction(1), Fraction(100))
    made.wait(HOUR * 3 // 2)
    made.trade(LINEAR, Fraction(1), Fraction(110))
    made.wait(HOUR * 3 // 2)
    made.trade(LINEAR, Fraction(-2), Fraction(104))
    made.wait(HOUR)
    made.fund(LINEAR, Fraction(0))
    candles = bars(
        (100, 112, 95, 108),  # wholly before the second purchase: +12, −5
        (108, 130, 90, 112),  # its extremes lie on one side or the other of it; only open +8 and close +2·112−210 count
        (112, 120, 98, 104),  # wholly after it: 2·120−210 = +30, 2·98−210 = −14
        (104, 500, 1, 104),  # after the position was closed
    )
    (trip,) = trips(made, candles=candles).to_dict("records")
    assert (trip["mae"], trip["mfe"]) == (-14, 30)
    (without,) = trips(made).to_dict("records")
    assert np.isnan(without["mae"])
    assert np.isnan(without["mfe"])


moves = st.lists(st.tuples(st.integers(0, 400), st.integers(-3, 3).filter(bool), st.integers(90, 110)), min_size=1,
                 max_size=12)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(moves, st.lists(st.integers(80, 120), min_size=2, max_size=40), st.sampled_from([LINEAR, INVERSE]))
def test_excursions_are_those_of_a_search_through_every_moment(steps, path, listed: Listed):
    """A price that goes straight from minute to minute; where candles of a minute show it, so do the excursions."""
    made = Account()
    known: list[tuple[float, float]] = []  # second and price
    for second, size, price in sorted(steps):
        made.now = START + pd.Timedelta(seconds=second)
        made.trade(listed, Fraction(size), Fraction(price), fee_rate=Fraction(0))
        known.append((second, price))
    candles = bars(*((a, max(a, b), min(a, b), b) for a, b in itertools.pairwise(path)), start=START, every="1min")
    if len(candles) < 2:
        return
    table = trips(made, candles={listed.symbol.upper(): candles})
    result = kfut.pnl(made.frame())
    legs = result.log[result.log["asset"] == listed.symbol.upper()]
    begins = [60 * place for place in range(len(path))]
    for trip in table.to_dict("records"):
        end = trip["closed"] if not pd.isna(trip["closed"]) else START + pd.Timedelta(days=1)
        reached = [0.0]
        state, realized = (0.0, 0.0), 0.0
        inside = legs[(legs["time"] >= trip["opened"]) & (legs["time"] <= end)]
        rows = [
            ((row.time - pd.Timestamp(START)).total_seconds(), row.old_balance, row.new_balance, row.old_entry_price,
             row.new_entry_price, row.trade_price, number)
            for number, row in zip(inside.index, inside.itertuples(), strict=True)
        ]  # fmt: skip
        sign = 1 if trip["side"] == "long" else -1
        rows = _of_trip(rows, sign, trip["fills"])
        for place, (second, old, new, old_entry, new_entry, price, _) in enumerate(rows):
            if old * sign > 0:
                closed = min(abs(old), max(abs(old) - max(new * sign, 0), 0)) * sign
                realized += float(listed.pnl(Fraction(closed), Fraction(old_entry), Fraction(price))) if closed else 0.0
            state = (max(new * sign, 0) * sign, new_entry)
            until = rows[place + 1][0] if place + 1 < len(rows) else (86_400 if state[0] else second)
            # A candle opens at its first moment; only one that is over has closed.
            opened = [path[i] for i, begin in enumerate(begins[:-1]) if second <= begin < until]
            closed_at = [path[i] for i, begin in enumerate(begins[1:], 1) if second < begin <= until]
            prices = [price, *opened, *closed_at]
            for value in prices:
                unrealized = (
                    float(listed.pnl(Fraction(state[0]), Fraction(state[1]), Fraction(value))) if state[0] else 0
                )
                reached.append(realized + unrealized)
        assert trip["mae"] == pytest.approx(min(reached), abs=1e-3 if listed is LINEAR else 1e-8)
        assert trip["mfe"] == pytest.approx(max(reached), abs=1e-3 if listed is LINEAR else 1e-8)


def _of_trip(rows, sign, fills):
    """The executions of one trip among those at the same moments: a run of so many on its side of zero."""
    for start in range(len(rows)):
        run = rows[start : start + fills]
        if (
            len(run) == fills
            and run[0][1] * sign <= 0 < run[0][2] * sign
            and all(row[1] * sign > 0 for row in run[1:])
            and (run[-1][2] * sign <= 0 or start + fills == len(rows))
        ):
            return run
    raise AssertionError("no such run")


def test_candles_of_several_contracts():
    made = Account()
    made.trade(LINEAR, Fraction(1), Fraction(100))
    made.trade(INVERSE, Fraction(100), Fraction(100))
    candles = bars((100, 110, 90, 100), (100, 105, 99, 101))
    both = pd.concat({"PF_XBTUSD": candles}, names=["symbol"])
    for given_candles in (both, {"pf_xbtusd": candles, "PF_OTHER": candles}):
        table = trips(made, candles=given_candles).set_index("contract")
        assert (table.loc["PF_XBTUSD", "mae"], table.loc["PF_XBTUSD", "mfe"]) == (-10, 10)
        assert np.isnan(table.loc["PI_XBTUSD", "mae"])
    with pytest.raises(ArgumentError, match="one frame without symbols, and the log has 2 contracts"):
        trips(made, candles=candles)
    with pytest.raises(ArgumentError, match=r"not the frame of client\.candles"):
        trips(made, candles={"PF_XBTUSD": candles[["open"]]})


def test_margin_by_the_exchanges_tiers():
    made = Account()
    made.trade(LINEAR, Fraction(10), Fraction(100))
    tiers = pd.DataFrame(
        {
            "symbol": "PF_XBTUSD",
            "schedule": ["retail", "retail"],
            "threshold": [0.0, 600.0],
            "initial_margin": [0.1, 0.2],
            "maintenance_margin": [0.05, 0.1],
        }
    )
    assert trips(made, margin=tiers)["margin"].item() == pytest.approx(600 * 0.1 + 400 * 0.2)
    assert np.isnan(trips(made, margin=tiers[tiers["symbol"] == "none"])["margin"].item())
    with pytest.raises(ArgumentError, match="margin lacks the columns threshold"):
        trips(made, margin=tiers.drop(columns="threshold"))
    with pytest.raises(ArgumentError, match=r"margin=-0\.1 for PF_XBTUSD"):
        trips(made, margin=-0.1)
