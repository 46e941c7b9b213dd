"""Accounts at random, made from the definitions, that know the truth: everything is found, and what is missing named.

``KFUT_ACCOUNTS=1000`` tries so many accounts instead of a few.
"""

from __future__ import annotations

import os
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kfut_analytics as kfut
from kfut_analytics.pnl import TRADING, PnL, classify
from tests.accounts import STEPS, Account, account

EXAMPLES = int(os.environ.get("KFUT_ACCOUNTS", "40"))
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
histories = st.lists(STEPS, max_size=60)


def near(found: float, true: Fraction | float) -> None:
    assert found == pytest.approx(float(true), rel=1e-9, abs=1e-9)


def check_sums(made: Account, result: PnL) -> None:
    """Sums by contract, wallet, side, kind and day are those of what happened."""
    tables = (
        (result.by_contract(), ["contract", "currency"], made.by_contract),
        (result.by("account"), ["account", "currency"], made.by_wallet),
        (result.by("side"), ["side", "currency"], made.by_side),
    )
    for table, keys, truth in tables:
        found = {tuple(row[key] for key in keys): row for row in table.to_dict("records")}
        assert found.keys() == {key for key, sums in truth.items() if "fee" in sums}
        for key, row in found.items():
            for name in ("realized_pnl", "fee", "realized_funding", "trades"):
                if name in truth[key]:
                    near(row[name], truth[key][name])
            near(row["net"], truth[key]["realized_pnl"] - truth[key]["fee"] + truth[key]["realized_funding"])
    kinds = result.by_kind()
    found = {(row["info"], row["currency"]): (row["change"], row["entries"]) for row in kinds.to_dict("records")}
    assert found.keys() == made.by_kind.keys()
    for key, (change, entries) in found.items():
        near(change, made.by_kind[key]["change"])
        assert entries == made.by_kind[key]["entries"]
    assert set(kinds["kind"]) == {classify(info) for info, _ in made.by_kind}


def check_days(made: Account, result: PnL, tz: str) -> None:
    """Every day's net is the change of the balances by its trading entries."""
    days: dict[tuple[pd.Timestamp, str], Fraction] = defaultdict(Fraction)
    for row in made.rows:
        if row["asset"] != row["contract"] and classify(row["info"]) in TRADING:
            day = pd.Timestamp(row["date"]).tz_convert(tz).floor("D", ambiguous=True)
            days[day, row["asset"].upper()] += row["new_balance"] - row["old_balance"]
    table = result.daily(tz)
    assert list(zip(table.index, table["currency"], strict=True)) == sorted(days)
    for key, net in zip(sorted(days), table["net"], strict=True):
        near(net, days[key])


def check_balances(made: Account, result: PnL) -> None:
    """Opening and every classified change are closing, to the last digit."""
    table = result.reconcile().set_index(["account", "currency"])
    assert set(table.index) == {(wallet, currency.upper()) for wallet, currency in made.balances}
    for (wallet, currency), row in table.iterrows():
        near(row["closing"], made.balances[wallet, currency.lower()])
        classes = row.drop(["opening", "closing", "breaks", "realized_pnl", "fee", "realized_funding"])
        near(row["opening"] + classes.sum(), row["closing"])
    assert (table["unexplained"] == 0).all()
    assert (table["rounding"] == 0).all()
    assert result.gaps().empty


def check_trips(made: Account, result: PnL) -> None:
    found = sorted(result.round_trips().to_dict("records"), key=lambda trip: (trip["opened"], trip["contract"]))
    assert len(found) == len(made.trips)
    for row, trip in zip(found, sorted(made.trips, key=lambda trip: (trip.opened, trip.contract)), strict=True):
        assert (row["contract"], row["side"], row["fills"]) == (trip.contract, trip.side, trip.fills)
        assert (row["opened"], row["ended"]) == (trip.opened, trip.ended)
        assert pd.isna(row["closed"]) if trip.closed is None else row["closed"] == trip.closed
        for name in ("gross", "fee", "funding"):
            near(row[name], getattr(trip, name))
        near(row["net"], trip.gross - trip.fee + trip.funding)
        near(row["max_size"], trip.largest)


def check_lots(made: Account, result: PnL) -> None:
    lots = result.lots("fifo")
    realized = lots.groupby("contract")["realized_pnl"].sum()
    for contract, value in made.fifo.items():
        near(realized[contract], value)
    for method in ("average", "fifo"):
        table = result.check_lots(method)
        # Every booking is rounded once: half a unit of the last digit each.
        half = table["currency"].map({"USD": 5.1e-5, "XBT": 5.1e-11, "ETH": 5.1e-11}).astype("float64")
        allowed = half * len(made.rows) + 1e-9
        assert (table["difference"].abs() <= allowed).all()
        closed = result.lots(method).groupby(["contract", "currency"])["size"].sum()
        assert len(closed) == len({trip.contract for trip in made.trips})
    flat = {contract.upper() for contract, position in made.positions.items() if not position.size}
    table = result.check_lots("fifo")
    assert (table.loc[table["contract"].isin(flat), ["open_size", "deferred"]] == 0).all(axis=None)
    fees = {(row["contract"], row["currency"]): row["fee"] for row in result.by_contract().to_dict("records")}
    for method in ("average", "fifo"):
        for key, fee in result.lots(method).groupby(["contract", "currency"])["fee"].sum().items():
            near(fee, fees.get(key, 0.0))


@many
@given(histories, st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo"]))
def test_everything_is_found(steps, tz):
    made = account(steps)
    result = kfut.pnl(made.frame())
    check_sums(made, result)
    check_days(made, result, tz)
    check_balances(made, result)
    check_trips(made, result)
    check_lots(made, result)


TABLES = ("by_contract", "by_kind", "daily", "summary", "reconcile", "round_trips", "conversions", "transfers",
          "cash_flows", "cumulative")  # fmt: skip


@many
@given(histories)
def test_the_csv_export_says_the_same(tmp_path_factory, steps):
    made = account(steps)
    path = Path(tmp_path_factory.getbasetemp()) / "account-log.csv"
    path.write_text(made.csv())
    exported, result = kfut.pnl(kfut.read_account_log_csv(path)), kfut.pnl(made.frame())
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(exported, name)(), getattr(result, name)(), rtol=1e-9, atol=1e-9)
    for method in ("average", "fifo"):
        pd.testing.assert_frame_equal(exported.lots(method), result.lots(method), rtol=1e-9, atol=1e-9)
    assert exported.gaps().empty


@many
@given(histories, st.data())
def test_what_is_missing_is_named(steps, data):
    """Entries are taken out of the middle: the rest is unexplained by exactly their sum, and every place is named."""
    made = account(steps)
    inner = range(1, len(made.rows) - 1)
    lost = data.draw(st.sets(st.sampled_from(inner), max_size=6)) if inner else set()
    kept = [row for place, row in enumerate(made.rows) if place not in lost]
    result = kfut.pnl(made.frame(kept))
    gaps = result.gaps()
    chains: dict[tuple[str, str], list[tuple[dict, Fraction, int]]] = defaultdict(list)
    missing: dict[tuple[str, str], list[Fraction | int]] = defaultdict(lambda: [Fraction(), 0])
    for place, row in enumerate(made.rows):  # for each entry kept, what was lost since the one before it
        key = row["margin_account"], row["asset"]
        if place in lost:
            missing[key] = [missing[key][0] + row["change"], missing[key][1] + 1]
        else:
            chains[key].append((row, missing[key][0], missing[key][1]))
            missing[key] = [Fraction(), 0]
    unexplained: dict[tuple[str, str], Fraction] = {}
    named: set[tuple[int, float]] = set()
    for (wallet, asset), entries in chains.items():
        breaks = [(row["id"], float(amount)) for row, amount, count in entries[1:] if count and amount]
        named |= set(breaks)
        unexplained[wallet, asset.upper()] = sum((amount for _, amount, _ in entries[1:]), Fraction())
    found = gaps[gaps["gap"].isin(["balance", "position"])]
    assert sorted(found["id"]) == sorted(number for number, _ in named)
    by_id = dict(named)
    for number, amount in zip(found["id"], found["amount"], strict=True):
        near(amount, by_id[number])
    for row in result.reconcile().to_dict("records"):
        near(row["unexplained"], unexplained[row["account"], row["currency"]])
    skipped = gaps[gaps["gap"] == "numbers"]
    numbers = {n for end, start in zip(skipped["id"], skipped["after"], strict=True) for n in range(start + 1, end)}
    assert numbers == {place + 1 for place in lost}
    assert skipped["missing"].sum() == len(lost)
    lacking = {kind: set(gaps.loc[gaps["gap"] == kind, "id"]) for kind in ("cash leg", "position leg")}
    for kind, other, step in (("cash leg", True, 1), ("position leg", False, -1)):
        halves = {
            row["id"] - step
            for place, row in enumerate(made.rows)
            if "execution" in row and (row["asset"] == row["contract"]) != other and row["info"] != "settlement"
            if place in lost and place - step not in lost
            if made.rows[place - step].get("execution") == row["execution"]
        }
        assert halves <= lacking[kind]
    assert bool(result.notes()) or not lost


@many
@given(histories, st.data())
def test_a_log_that_starts_later_reconciles(steps, data):
    """What was there before is carried in: balances, and positions with the entry prices the log shows."""
    made = account(steps)
    starts = [place for place, row in enumerate(made.rows) if place == 0 or row.get("execution") is None
              or row["execution"] != made.rows[place - 1].get("execution")]  # fmt: skip
    first = data.draw(st.sampled_from(starts))
    result = kfut.pnl(made.frame(made.rows[first:]))
    table = result.reconcile()
    assert (table["unexplained"] == 0).all()
    assert result.gaps().empty
    trips, contracts = result.round_trips(), result.by_contract()
    for name, sums in (("gross", "realized_pnl"), ("fee", "fee"), ("funding", "realized_funding"), ("net", "net")):
        for currency, total in contracts.groupby("currency")[sums].sum().items():
            near(trips.loc[trips["currency"] == currency, name].sum(), total)
    for method in ("average", "fifo"):
        lots = result.check_lots(method)
        assert (lots["difference"].abs() <= 1e-4 * len(made.rows)).all()
    open_positions = {contract.upper(): float(position.size) for contract, position in made.positions.items()}
    still = trips[trips["ended"] == "open"]
    for contract, size in zip(still["contract"], still["size"], strict=True):
        if not np.isnan(size):
            near(size, open_positions[contract])
