"""The arithmetic of what is held, against sets of whole numbers; and that rows come back as they went in."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfut_analytics import schema
from kfut_analytics.archive.ranges import FOREVER, Spans, asked, bounds, micros, stamp
from kfut_analytics.archive.rows import to_arrow, to_frame
from kfut_analytics.archive.store import Store
from kfut_analytics.columns import Table

from .frames import same

NUMBERS = st.integers(0, 40)
RANGES = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8)
STAMPS = st.datetimes(
    pd.Timestamp("1990-01-01").to_pydatetime(), pd.Timestamp("2200-01-01").to_pydatetime()
).map(lambda when: pd.Timestamp(when, tz="UTC"))  # fmt: skip


def numbers(spans: Spans) -> set[int]:
    return {number for start, end in spans for number in range(start, end)}


def plain(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for start, end in ranges for number in range(start, end)}


@given(RANGES, RANGES)
def test_ranges_are_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    first, second = Spans(one), Spans(other)
    assert numbers(first) == plain(one)
    assert numbers(first | second) == plain(one) | plain(other)
    assert numbers(first & second) == plain(one) & plain(other)
    assert numbers(first - second) == plain(one) - plain(other)
    assert (first == second) == (plain(one) == plain(other))
    assert {number for number in range(-1, 42) if number in first} == plain(one)
    assert first.end == (max(plain(one)) + 1 if plain(one) else None)


@given(RANGES)
def test_ranges_are_written_in_one_way_only(ranges: list[tuple[int, int]]) -> None:
    spans = list(Spans(ranges))
    assert all(start < end for start, end in spans)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(spans))
    assert Spans(spans) == Spans(ranges) == Spans((number, number + 1) for number in plain(ranges))


@given(st.none() | STAMPS, st.none() | STAMPS)
def test_the_ends_of_a_span_of_time(start: pd.Timestamp | None, end: pd.Timestamp | None) -> None:
    low, high = asked(start, end)
    assert bounds((low, high)) == (start, end)
    for moment in (start, end):
        if moment is not None and (start is None or end is None or start <= end):
            assert micros(moment) in Spans([(low, high)])
            assert stamp(micros(moment)) == moment
    assert high == FOREVER or end is not None


@given(st.permutations(range(12)), st.data())
def test_fetching_what_is_missing_in_any_order_ends_whole(order: list[int], data: st.DataObject) -> None:
    """Pages come in any order, some twice, some cut short: what is missing is always what nobody brought."""
    held = Spans()
    brought: set[int] = set()
    for page in order:
        start, end = page * 10, page * 10 + data.draw(st.integers(0, 10))
        held |= Spans([(start, end)])
        brought |= set(range(start, end))
        assert numbers(Spans([(0, 120)]) - held) == set(range(120)) - brought
    for span in Spans([(0, 120)]) - held:
        held |= Spans([span])
    assert held == Spans([(0, 120)])


# ---- rows ----------------------------------------------------------------------------------------------------------

VALUES = {
    "str": st.none() | st.text(max_size=8),
    "float": st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=20) | st.floats(
        allow_nan=False, allow_infinity=False).map(lambda x: Decimal(repr(x))),
    "int": st.integers(0, 2**53),
    "bool": st.none() | st.booleans(),
    "time": STAMPS,
}  # fmt: skip


@pytest.mark.parametrize("table", [schema.ACCOUNT_LOG, schema.EXECUTIONS, schema.CANDLES, schema.OPEN_ORDERS])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_rows_come_back_as_they_went_in(table: Table, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 4))
    values = {
        column.name: data.draw(st.lists(VALUES[column.kind], min_size=size, max_size=size)) for column in table.columns
    }
    exact = table.frame(values, exact=True)
    rough = table.frame(
        {name: [float(v) if isinstance(v, Decimal) else v for v in some] for name, some in values.items()}
    )
    if table is schema.ACCOUNT_LOG:
        schema.with_change(exact)
        schema.with_change(rough)
    stored = to_arrow(table, exact)
    same(to_frame(table, stored, exact=True), exact)
    same(to_frame(table, stored), rough)


def test_few_numbers_need_their_text(tmp_path) -> None:  # type: ignore[no-untyped-def]
    numbers = ["0.1", "60505.", "0E-20", "1e-05", "100.10", "0.123456789012345678901"]
    frame = schema.CANDLES.frame({"time": list(range(6)), "close": [Decimal(n) for n in numbers]}, exact=True)
    stored = to_arrow(schema.CANDLES, frame)
    assert stored["exact"].to_pylist() == [None] * 5 + ['{"close": "0.123456789012345678901"}']
    assert Store(tmp_path).exists is False
