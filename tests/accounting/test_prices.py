"""Prices at any moment: exact where a candle begins or ends, a straight line between."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kfut_analytics.accounting.prices import FundingLine, PriceLine, Rates
from kfut_analytics.errors import ArgumentError

HOUR = pd.Timedelta("1h")
START = pd.Timestamp("2026-03-01", tz="UTC")


def at(line: PriceLine, *hours: float) -> list[float]:
    return line.at(moments(*hours)).tolist()


def moments(*hours: float) -> np.ndarray:
    return np.array([np.datetime64("2026-03-01", "us") + np.timedelta64(round(hour * 3.6e9), "us") for hour in hours])


def candles(*rows: tuple[float, float, float]) -> pd.DataFrame:
    index = pd.DatetimeIndex([START + hour * HOUR for hour, _, _ in rows], tz="UTC", name="time")
    return pd.DataFrame({"open": [row[1] for row in rows], "close": [row[2] for row in rows]}, index=index)


def line(*rows: tuple[float, float, float], until: float = 100.0) -> PriceLine:
    return PriceLine.of_candles(candles(*rows), HOUR, START + until * HOUR)


def test_candles_are_lines_from_open_to_close() -> None:
    two = line((0, 10, 12), (1, 13, 11))
    assert at(two, 0, 0.25, 0.5, 1, 1.5, 2) == [10, 10.5, 11, 13, 12, 11]


def test_where_there_is_no_candle_the_price_before_counts_and_at_first_the_first() -> None:
    gap = line((0, 10, 12), (3, 20, 21))
    assert at(gap, -5, 1, 2.9, 3, 50) == [10, 12, 12, 20, 21]


def test_a_candle_that_goes_on_ends_where_it_was_fetched() -> None:
    young = line((0, 10, 12), (1, 12, 15), until=1.5)
    assert at(young, 1.25, 1.5, 2) == [13.5, 15, 15]


def test_a_candle_that_begins_when_it_is_fetched_has_no_length_yet() -> None:
    assert at(line((0, 10, 12), (1, 99, 99), until=1), 1) == [12]


def test_candles_without_a_price_do_not_count() -> None:
    assert at(line((0, 10, 12), (1, np.nan, np.nan), (2, 14, 15)), 1.5, 2) == [12, 14]
    assert np.isnan(at(line(), 1)).all()


def test_the_price_now_is_the_tickers() -> None:
    now = START + 1.5 * HOUR
    known = line((0, 10, 12), (1, 12, 15), until=1.5).ending(now, 15.5)
    assert at(known, 1, 1.25, 1.5, 9) == [12, 13.5, 15.5, 15.5]
    assert at(line((0, 10, 12)).ending(now, np.nan), 9) == [12]


def test_what_is_known_from_before_comes_first() -> None:
    earlier = PriceLine.of_points(moments(-4, -2, 2), np.array([5.0, 7.0, 11.0]))
    joined = line((0, 10, 12)).preceded_by(earlier)
    assert at(joined, -9, -4, -3, -2, -1, 0, 0.5) == [5, 5, 6, 7, 8, 10, 11]
    assert at(line().preceded_by(earlier), 0) == [9]


def test_points() -> None:
    points = PriceLine.of_points(moments(0, 1, 1, 2), np.array([1.0, 5.0, 2.0, 4.0]))
    assert at(points, -1, 0, 0.5, 1, 1.5, 2, 3) == [1, 1, 1.5, 2, 3, 4, 4]
    assert at(PriceLine.constant(3.5), -1e4, 0, 1e4) == [3.5] * 3


def test_currencies_in_terms_of_each_other() -> None:
    usd = {"XBT": PriceLine.of_points(moments(0, 2), np.array([100.0, 200.0])), "ETH": PriceLine.constant(10.0)}
    when = moments(0, 1, 2)
    assert Rates("USD", usd).at("XBT", when).tolist() == [100, 150, 200]
    assert Rates("USD", usd).at("USD", when).tolist() == [1, 1, 1]
    assert Rates("XBT", usd).at("XBT", when).tolist() == [1, 1, 1]
    assert Rates("XBT", usd).at("USD", when).tolist() == pytest.approx([1 / 100, 1 / 150, 1 / 200])
    assert Rates("XBT", usd).at("ETH", when).tolist() == pytest.approx([10 / 100, 10 / 150, 10 / 200])
    with pytest.raises(ArgumentError, match=r"no price of EUR.*prices=\{'EUR'"):
        Rates("USD", usd).at("EUR", when)


def test_funding_is_the_sum_of_the_hours_rates() -> None:
    index = pd.DatetimeIndex([START, START + HOUR, START + 3 * HOUR], name="time")
    paid = FundingLine.of_rates(pd.DataFrame({"funding_rate": [1.0, 2.0, -4.0]}, index=index))
    cases = [(0, 1, 1), (0, 2, 3), (0.5, 1.5, 1.5), (1, 1, 0), (2, 3, 0), (0, 3.5, 1), (-5, 9, -1), (2.5, 3.25, -1)]
    for start, end, due in cases:
        assert paid.between(moments(start), moments(end)).tolist() == pytest.approx([due])
    none = FundingLine.of_rates(pd.DataFrame({"funding_rate": []}, index=index[:0], dtype="float64"))
    assert none.between(moments(0), moments(5)).tolist() == [0]
