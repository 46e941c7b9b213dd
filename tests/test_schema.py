"""Frames have fixed columns and dtypes, exact values, and a dictionary."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kfut_analytics as kfut
from kfut_analytics import schema, times
from kfut_analytics.errors import ArgumentError, DecodeError

# The columns promised to users, in their order; more may follow them.
PROMISED = {
    "instruments": "type pair base quote underlying tick_size contract_size size_step max_position_size "
    "impact_mid_size initial_margin maintenance_margin opening_date last_trading_time is_expired tradeable post_only "
    "funding_rate_coefficient max_relative_funding_rate category tradfi",
    "margin_tiers": "symbol schedule threshold unit initial_margin maintenance_margin",
    "tickers": "tag pair mark_price index_price last last_time last_size bid bid_size ask ask_size volume_24h "
    "volume_quote_24h open_interest open_24h high_24h low_24h change_24h funding_rate funding_rate_prediction "
    "relative_funding_rate suspended post_only",
    "positions": "side size signed_size entry_price mark_price notional unrealized_pnl unrealized_funding pnl_currency "
    "margin_mode max_fixed_leverage fill_time",
    "open_orders": "cli_ord_id symbol side order_type limit_price stop_price size filled_size unfilled_size "
    "reduce_only trigger_signal status received_time last_update_time",
    "fills": "time symbol side size price fill_type order_id cli_ord_id realized_pnl sequence_id",
    "account_log": "time info account asset contract old_balance new_balance change old_entry_price new_entry_price "
    "trade_price mark_price realized_pnl fee realized_funding funding_rate execution_id booking_uid collateral "
    "liquidation_fee conversion_spread_percentage",
    "order_book": "side price size cumulative_size",
    "candles": "open high low close volume",
    "accounts": "account type currency quantity value_usd collateral_usd available",
}
INDEX = {
    "instruments": "symbol",
    "tickers": "symbol",
    "positions": "symbol",
    "open_orders": "order_id",
    "fills": "fill_id",
    "account_log": "id",
    "candles": "time",
}


@pytest.mark.parametrize("name", PROMISED)
def test_promised_columns(name: str) -> None:
    frame = schema.TABLES[name].frame({})
    promised = PROMISED[name].split()
    assert list(frame.columns)[: len(promised)] == promised
    assert frame.index.name == INDEX.get(name)


@pytest.mark.parametrize("table", schema.TABLES.values(), ids=list(schema.TABLES))
def test_an_empty_frame_has_the_dtypes_of_a_full_one(table: schema.Table) -> None:
    sample = {"str": "x", "float": 1.5, "int": 7, "bool": True, "time": "2026-11-22T00:00:00.000Z"}
    full = table.frame({c.name: [sample[c.kind]] for c in table.columns})
    empty = table.frame({})
    assert empty.empty
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert empty.index.dtype == full.index.dtype or not table.index
    assert full.attrs["units"] == empty.attrs["units"]
    assert set(full.attrs["units"]) <= {c.name for c in table.columns}


def one(kind: str, *values: Any) -> pd.Series[Any]:
    return schema.convert(list(values), schema.Column("x", kind, "", ""), "t")  # type: ignore[arg-type]


def test_numbers_in_all_spellings_of_the_exchange() -> None:
    assert one("float", "0E-20", "60505.", "", 3, 1e-10, None).fillna(-1).tolist() == [0, 60505, -1, 3, 1e-10, -1]


def test_ids_beyond_two_to_the_53_are_exact() -> None:
    big = 2**60 + 1
    assert one("int", big, str(big)).tolist() == [big, big]


def test_times_of_mixed_precision_in_one_column() -> None:
    texts = ["2025-05-28T12:16:31.319813Z", "2024-05-03T13:15:34.1Z", "2026-12-25T08:00:00Z", None]
    found = one("time", *texts)
    assert str(found.dtype) == "datetime64[us, UTC]"
    assert found[0].microsecond == 319813
    assert found[1].microsecond == 100000
    assert pd.isna(found[3])
    milliseconds, text = one("time", 1764206270368, "2025-11-27T01:17:50.368Z")
    assert milliseconds == text


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False), st.integers(-(2**53), 2**53))))
def test_floats_are_exact(values: list[float | None]) -> None:
    found = one("float", *values)
    assert found.dtype == "float64"
    assert [None if pd.isna(f) else f for f in found] == values


@pytest.mark.parametrize(
    ("kind", "value"),
    [("float", "dear"), ("float", True), ("float", {}), ("int", None), ("int", 1.5), ("bool", "yes"), ("bool", []),
     ("time", "noon"), ("time", []), ("str", {}), ("str", True)],
)  # fmt: skip
def test_unreadable_values_are_named(kind: str, value: Any) -> None:
    if kind == "str" and value is True:
        assert one(kind, value).tolist() == ["True"]
        return
    with pytest.raises(DecodeError, match=r"t\.x: the value "):
        one(kind, value)


@pytest.mark.parametrize("value", [2**53 + 1, -(10**15), 253402300800000])
def test_times_outside_the_calendar_are_no_times(value: int) -> None:
    for values in ([value], [value, None], [value, "2026-11-22T00:00:00Z"]):
        with pytest.raises(DecodeError, match=rf"the value {value} "):
            one("time", *values)
    assert one("time", 253402300799999)[0].year == 9999


def test_describe_lists_and_explains() -> None:
    assert set(PROMISED) <= set(kfut.describe().index)
    table = kfut.describe("positions")
    assert list(table.columns) == ["dtype", "unit", "meaning", "source"]
    assert table.loc["entry_price", "source"] == "price"
    assert (table["meaning"] != "").all()
    with pytest.raises(ArgumentError, match="there is no table 'orders'"):
        kfut.describe("orders")


NOW = pd.Timestamp("2026-11-22T12:00Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("-30d", NOW - pd.Timedelta(days=30)),
        ("+1.5h", NOW + pd.Timedelta(minutes=90)),
        ("2026-11-01", pd.Timestamp("2026-11-01", tz="UTC")),
        ("2026-11-01T02:00+02:00", pd.Timestamp("2026-11-01", tz="UTC")),
        (dt.date(2026, 11, 1), pd.Timestamp("2026-11-01", tz="UTC")),
        (dt.datetime(2026, 11, 1, 3), pd.Timestamp("2026-11-01T03:00", tz="UTC")),
    ],
)
def test_points_in_time(text: Any, expected: pd.Timestamp) -> None:
    found = times.parse_time(text, now=NOW)
    assert found == expected
    assert str(found.tz) == "UTC"


@pytest.mark.parametrize("value", ["", "soon", "-30", None, "NaT", [1]])
def test_other_things_are_no_point_in_time(value: Any) -> None:
    with pytest.raises(ArgumentError, match="is not a point in time"):
        times.parse_time(value, name="start")


def test_epochs_and_iso_text() -> None:
    stamp = pd.Timestamp("2026-11-22T00:00:00.123456Z")
    assert times.epoch_ms(stamp) == 1795305600123
    assert times.epoch_s(stamp) == 1795305600
    assert times.iso(stamp) == "2026-11-22T00:00:00.123Z"
