"""Margin through time equals what the exchange said when it was that time."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest

from kfut_analytics.errors import ArgumentError
from kfut_analytics.paper.clock import DAY, HOUR
from kfut_analytics.paper.market.simulated import SimulatedMarket
from kfut_analytics.risk_tables import MARGIN_HISTORY
from kfut_analytics.times import RESOLUTIONS, step_of

from .accounts import contract_like
from .stage import Stage

BEGIN = pd.Timestamp("2026-10-29T20:00Z")  # linear dated contracts expire at 08:00 of the next day
QUARTERS = (360, 480)
"""From which minute to which there are figures every quarter of an hour."""
COMPARED = ["equity", "initial_margin", "maintenance_margin", "portfolio_value", "position_value", "usage"]


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """An account that traded for a day, the exchange's figures every hour, and for two hours every quarter."""
    market = SimulatedMarket(0)
    market.begin = BEGIN.timestamp() - 20 * DAY  # years of funding rates would take long
    stage = Stage(market, BEGIN.timestamp())
    path = tmp_path_factory.mktemp("snapshots") / "quarters.jsonl"
    dated = contract_like(stage, "FF_XBTUSD")
    # Minute of the day, and what is done then.
    plan = {
        10: lambda: stage.trade("PF_XBTUSD", 0.5),
        75: lambda: stage.trade("PF_ETHUSD", -10),
        130: lambda: stage.trade("PI_XBTUSD", 20_000),
        191: lambda: stage.trade("PF_XBTUSD", 0.3),
        250: lambda: stage.trade(dated, -0.4),
        322: lambda: stage.trade("PF_SOLUSD", 40),
        400: lambda: stage.give("flex", "xbt", 0.2),
        465: lambda: stage.trade("PF_XBTUSD", -1.2),
        555: lambda: stage.trade("PF_ETHUSD", 10),
        610: lambda: stage.trade("PI_XBTUSD", -5_000),
        800: lambda: stage.give("flex", "usd", -3_000.0),
        901: lambda: stage.trade("PF_ETHUSD", 5),
    }  # fmt: skip
    stage.give("flex", "usd", 60_000.0)
    stage.give("flex", "eth", 2.0)
    stage.give("flex", "eur", 5_000.0)
    stage.give("fi_xbtusd", "xbt", 0.5)
    stage.isolate("PF_SOLUSD", 5.0)
    kept = {*range(0, 18 * 60 + 1, 60), *range(QUARTERS[0], QUARTERS[1] + 1, 15)}
    for minute in sorted({*plan, *kept}):
        stage.exchange.advance(BEGIN.timestamp() + minute * 60 - stage.exchange.now)
        if minute in plan:
            plan[minute]()
        if minute in kept:
            stage.client.snapshot(path)
    stage.path = path
    yield stage
    stage.close()


def both(stage, resolution, minutes):
    """Rows rebuilt and kept, side by side."""
    start, end = (BEGIN + pd.Timedelta(minutes=minute) for minute in minutes)
    frame = stage.margin().history(start, end, resolution, snapshots=stage.client.snapshots(stage.path))
    parts = dict(iter(frame.reset_index().groupby("source")))
    keys = ["time", "account"]
    return frame, parts["rebuilt"].merge(parts["snapshot"], on=keys, suffixes=("", "_kept"), validate="1:1")


@pytest.mark.parametrize(("resolution", "minutes", "moments"), [("1h", (0, 1080), 19), ("15m", QUARTERS, 9)])
def test_it_equals_what_the_exchange_said_then(lived, resolution, minutes, moments):
    """Positions opened, added to, reduced, reversed, closed, settled; deposits and withdrawals; isolated margin."""
    frame, pairs = both(lived, resolution, minutes)
    assert len(pairs) == 2 * moments
    for name in COMPARED:
        np.testing.assert_allclose(pairs[name], pairs[f"{name}_kept"], rtol=2e-8, atol=1e-9, err_msg=name)
    flex = pairs[pairs["account"] == "flex"]
    assert flex["maintenance_margin"].max() > 0
    assert frame.attrs["env"] == "paper"
    assert frame.index.is_monotonic_increasing


def test_what_it_rests_on_is_said(lived):
    notes = both(lived, "1h", (0, 1080))[0].attrs["notes"]
    dated = next(s for s in lived.exchange.contracts if s.startswith("FF_XBTUSD") and s.endswith("261030"))
    assert any(note.startswith(f"{dated} is no longer listed: the margin tiers of FF_XBTUSD_") for note in notes)
    assert any(note.startswith("EUR: the exchange has no candles of it; it is valued at 1.16 USD") for note in notes)


def test_a_span_without_snapshots_or_entries_is_rebuilt_from_the_present(lived):
    """In the last hours nothing happened but funding: what the log does not mention is as it is now."""
    end = pd.Timestamp(lived.exchange.now, unit="s", tz="UTC")
    frame = lived.margin().history(end - pd.Timedelta(minutes=45), end, "15m", snapshots=MARGIN_HISTORY.frame({}))
    assert set(frame["source"]) == {"rebuilt"}
    now = lived.margin().usage().set_index("account")
    last = frame.groupby("account").last()
    np.testing.assert_allclose(last["equity"], now.loc[last.index, "equity"], rtol=1e-2)
    assert (last["initial_margin"] > 0).all()


def test_snapshots_come_from_the_accounts_own_file_by_default(lived):
    before = lived.margin().history("-1h", "now")
    assert set(before["source"]) <= {"rebuilt"}
    taken = lived.client.snapshot()
    after = lived.margin().history("-1h", "now")
    kept = after[after["source"] == "snapshot"]
    pd.testing.assert_frame_equal(kept, taken, check_exact=False, rtol=1e-12)
    assert kept.index[0] == pd.Timestamp(round(lived.exchange.now, 3), unit="s", tz="UTC")


def test_an_empty_account_has_an_empty_history(stage):
    frame = stage.margin().history("-2h", "now")
    assert frame.empty
    assert frame["equity"].dtype == "float64"
    assert str(frame.index.dtype) == "datetime64[us, UTC]"
    assert stage.margin().history("-10m", "now", "1h").empty


def test_bad_spans_are_told(stage):
    margin = stage.margin()
    with pytest.raises(ArgumentError, match="start='-1h' is later than end='-2h': exchange them"):
        margin.history("-1h", "-2h")
    with pytest.raises(ArgumentError, match="resolution='1w' is not one of '1m', '5m'"):
        margin.history(resolution="1w")
    with pytest.raises(ArgumentError, match="start='yesterday' is not a point in time"):
        margin.history("yesterday")


# The file ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_read_as_it_was_taken(stage, tmp_path):
    stage.give("flex", "usd", 10_000.0)
    stage.trade("PF_XBTUSD", 0.5)
    path = tmp_path / "deep" / "below" / "kept.jsonl"
    first = stage.client.snapshot(path)
    stage.move(XBT=81_000, over=HOUR / 2)
    second = stage.client.snapshot(path)
    pd.testing.assert_frame_equal(stage.client.snapshots(path), pd.concat([first, second]))
    usage = stage.margin().usage().iloc[0]
    for name in ("equity", "initial_margin_with_orders", "available_margin", "effective_leverage", "position_value"):
        assert second[name].item() == usage[name]
    assert stage.client.snapshots(tmp_path / "none").dtypes.equals(first.dtypes)


def test_lines_that_are_not_whole_are_left_out(stage, tmp_path, caplog):
    stage.give("flex", "usd", 10_000.0)
    path = tmp_path / "kept.jsonl"
    taken = stage.client.snapshot(path)
    with path.open("a", encoding="utf-8") as out:
        out.write('[1]\n{"time": "2026-11-2')  # power failed
    stage.client.snapshot(path)
    pd.testing.assert_frame_equal(stage.client.snapshots(path), pd.concat([taken, taken]))
    assert caplog.text.count("is no snapshot and is left out") == 2


def test_every_account_has_a_file_of_its_own_that_nobody_else_reads(stage, tmp_path):
    stage.give("flex", "usd", 10_000.0)
    stage.client.snapshot()
    [file] = (tmp_path / "home" / "snapshots").iterdir()
    assert file.name.startswith(f"paper-{stage.account.uid}")
    assert os.name == "nt" or file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text(encoding="utf-8"))["account"] == "flex"


def test_every_resolution_is_a_step_of_time():
    assert [step_of(name) // pd.Timedelta("1min") for name in RESOLUTIONS] == [1, 5, 15, 30, 60, 240, 720, 1440]


def test_snapshots_that_cannot_be_read_do_not_stand_in_the_way(stage, tmp_path):
    stage.give("flex", "usd", 10_000.0)
    stage.client.snapshot()
    [file] = (tmp_path / "home" / "snapshots").iterdir()
    file.unlink()
    file.mkdir()
    frame = stage.margin().history("-1h", "now")
    assert len(frame) == 2
    assert frame.attrs["notes"][0].startswith("Snapshots are left out: ")


def test_a_span_between_two_moments_has_its_snapshots_alone(stage):
    stage.give("flex", "usd", 10_000.0)
    stage.move(over=600)
    taken = stage.client.snapshot()
    frame = stage.margin().history("-5m", "now", "1h")
    pd.testing.assert_frame_equal(frame, taken)
