"""Funding ahead: what the exchange books at the end of the hour, and the signs of the published rule."""

from __future__ import annotations

import pytest

from kfut_analytics.errors import ArgumentError
from kfut_analytics.paper.market.simulated import SimulatedMarket

from .accounts import contract_like
from .stage import START, Stage


@pytest.fixture
def held():
    """Positions of both sides, linear and inverse, 25 minutes into an hour of a market with funding."""
    made = Stage(SimulatedMarket(0), START)
    made.give("flex", "usd", 100_000.0)
    made.give("fi_xbtusd", "xbt", 1.0)
    for symbol, size in (("PF_XBTUSD", 1), ("PF_ETHUSD", -20), ("PI_XBTUSD", 30_000), ("PF_SOLUSD", 200)):
        made.trade(symbol, size)
    made.trade(contract_like(made, "FF_XBTUSD"), 1)
    made.exchange.advance(25 * 60)
    yield made
    made.close()


def test_the_rest_of_the_hour_is_what_the_exchange_books(held):
    """What has accrued and what is forecast until the full hour, to the last digit that is booked."""
    forecast = held.margin().funding_forecast(hours=35 / 60)
    begun = len(held.account.log)
    held.exchange.advance(35 * 60)
    booked = {row.contract.upper(): row.realized_funding for row in held.account.log[begun:]}
    assert len(booked) == 4
    for symbol, amount in booked.items():
        row = forecast.loc[symbol]
        step = 1e-10 if symbol.startswith("PI_") else 1e-4
        assert row["accrued"] + row["this_hour"] == pytest.approx(amount, abs=0.51 * step)
        assert row["later"] == pytest.approx(0, abs=1e-12)
        assert row["expected"] == pytest.approx(row["this_hour"])
    assert forecast.loc[contract_like(held, "FF_XBTUSD"), ["expected", "funding_rate"]].tolist() == [0, 0]


def test_after_this_hour_the_predicted_rate_counts(held):
    tickers = held.client.tickers()
    short, long = held.margin().funding_forecast(0.25), held.margin().funding_forecast(24)
    for symbol, row in long.iterrows():
        if symbol.startswith("FF_"):
            continue
        rate, predicted = (tickers[name][symbol] for name in ("funding_rate", "funding_rate_prediction"))
        assert (row["funding_rate"], row["predicted_rate"]) == (rate, predicted)
        assert row["this_hour"] == pytest.approx(-row["signed_size"] * rate * 35 / 60)
        assert row["later"] == pytest.approx(-row["signed_size"] * predicted * (24 - 35 / 60))
        assert short["expected"][symbol] == pytest.approx(-row["signed_size"] * rate / 4)
        value = abs(row["signed_size"]) * (1 if symbol.startswith("PI_") else tickers["index_price"][symbol])
        in_a_year = row["yearly_rate"] * value
        in_usd = -row["signed_size"] * predicted * (tickers["index_price"][symbol] if symbol.startswith("PI_") else 1)
        assert in_a_year == pytest.approx(in_usd * 24 * 365)
    assert long["expected_usd"].is_monotonic_increasing
    assert long["currency"]["PI_XBTUSD"] == "XBT"
    assert long["expected_usd"]["PF_ETHUSD"] == long["expected"]["PF_ETHUSD"] != 0
    assert long["expected_usd"]["PI_XBTUSD"] == pytest.approx(
        long["expected"]["PI_XBTUSD"] * tickers["index_price"]["PI_XBTUSD"]
    )


def test_longs_pay_where_the_rate_is_positive(held):
    forecast = held.margin().funding_forecast()
    for symbol, row in forecast[forecast["predicted_rate"] != 0].iterrows():
        assert (row["later"] < 0) == (row["signed_size"] * row["predicted_rate"] > 0), symbol


def test_without_positions_the_table_has_its_columns(stage, held):
    empty = stage.margin().funding_forecast()
    assert empty.empty
    assert empty.dtypes.equals(held.margin().funding_forecast().dtypes)


@pytest.mark.parametrize("hours", [0, -1, "24", True, None, float("nan"), 1e6])
def test_bad_hours_are_told(stage, hours):
    with pytest.raises(ArgumentError, match="is not a time ahead: give a number of hours above 0, a year at most"):
        stage.margin().funding_forecast(hours)
