"""Balances and positions at any time are those the account had then."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfut_analytics.accounting.ledger import Ledger, cash_of
from kfut_analytics.accounting.timeline import Timeline, timeline
from kfut_analytics.accounting.track import track_of
from tests.accounts import START, STEPS, Account, account

State = dict[tuple[str, str], Any]


def followed(log: pd.DataFrame, *now: pd.DataFrame) -> Timeline:
    ledger = Ledger(log)
    return timeline(ledger, track_of(ledger, cash_of(ledger)), *now)


def at(line: Timeline, when: datetime) -> tuple[State, State]:
    """Balances, and sizes with entry prices, where there are any."""
    moment = np.array([pd.Timestamp(when).tz_localize(None)], dtype="datetime64[us]")
    balances = {(one.account, one.currency): one.amount.at(moment)[0] for one in line.balances}
    positions = {
        (one.account, one.contract): (one.size.at(moment)[0], one.entry_price.at(moment)[0]) for one in line.positions
    }
    return (
        {key: amount for key, amount in balances.items() if amount},
        {key: held for key, held in positions.items() if held[0]},
    )


def history(made: Account) -> dict[datetime, tuple[State, State]]:
    """What the account had after the last entry of each moment, read row by row."""
    balances: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    positions: dict[tuple[str, str], tuple[Fraction, Fraction]] = {}
    states = {}
    for row in made.rows:
        key = row["margin_account"], row["asset"].upper()
        if row["asset"] == row["contract"]:
            positions[key] = row["new_balance"], row["new_average_entry_price"]
        else:
            balances[key] = row["new_balance"]
        states[row["date"]] = (
            {name: float(amount) for name, amount in balances.items() if amount},
            {name: (float(size), float(entry)) for name, (size, entry) in positions.items() if size},
        )
    return states


def now_of(made: Account) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What ``client.accounts()`` and ``client.positions()`` would say; in flex, bitcoin is written BTC."""
    balances, positions = list(history(made).values())[-1]
    accounts = pd.DataFrame(
        [
            {"account": wallet, "currency": "BTC" if (wallet, code) == ("flex", "XBT") else code, "quantity": amount}
            for (wallet, code), amount in balances.items()
        ],
        columns=["account", "currency", "quantity"],
    )
    held = [
        {"symbol": symbol, "signed_size": size, "entry_price": entry}
        for (_, symbol), (size, entry) in positions.items()
    ]
    return accounts, pd.DataFrame(held, columns=["symbol", "signed_size", "entry_price"]).set_index("symbol")


def agree(found: tuple[State, State], true: tuple[State, State]) -> None:
    for mine, its in zip(found, true, strict=True):
        assert mine.keys() == its.keys()
        for key, value in its.items():
            assert mine[key] == pytest.approx(value, rel=1e-12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=60), st.floats(0, 1))
def test_every_moment_of_a_random_account(steps: list[tuple[Any, ...]], cut: float) -> None:
    made = account(steps)
    states = history(made)
    whole = followed(made.frame())
    for when, state in states.items():
        agree(at(whole, when), state)
    # A log that begins later knows just as much from then on, with what the exchange shows now.
    moments = list(states)
    begin = moments[int(cut * (len(moments) - 1))]
    later = followed(made.frame([row for row in made.rows if row["date"] > begin]), *now_of(made))
    for when in moments[moments.index(begin) :]:
        agree(at(later, when), states[when])


def test_entries_count_in_the_order_of_their_numbers() -> None:
    """Whatever their clocks say."""
    made = Account()
    for seconds, amount in ((0, 1), (60, 2), (30, 4), (40, 8)):
        made.now = START + timedelta(seconds=seconds)
        made.flow("transfer", "flex", "usd", Fraction(amount))
    line = followed(made.frame())
    sums = [at(line, START + timedelta(seconds=seconds))[0][("flex", "USD")] for seconds in (0, 45, 60)]
    assert sums == [1, 1, 15]


def test_a_position_with_funding_alone_is_the_one_held_now() -> None:
    empty = Account()
    positions = pd.DataFrame(
        {"signed_size": [-2.0, 300.0], "entry_price": [3000.0, 60_000.0]},
        index=pd.Index(["PF_ETHUSD", "PI_XBTUSD"], name="symbol"),
    )
    accounts = pd.DataFrame({"account": ["flex"], "currency": ["BTC"], "quantity": [0.5]})
    balances, held = at(followed(empty.frame(), accounts, positions), datetime(2020, 1, 1))
    assert balances == {("flex", "XBT"): 0.5}
    assert held == {("flex", "PF_ETHUSD"): (-2.0, 3000.0), ("fi_xbtusd", "PI_XBTUSD"): (300.0, 60_000.0)}
