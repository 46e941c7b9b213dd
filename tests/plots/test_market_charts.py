"""Charts of the market and of one's own trades on it: what is drawn, where, and how it is labelled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection

from kfut_analytics import plots
from kfut_analytics.errors import ArgumentError
from tests.plots.drawn import heights, legend, lines, panel, said, texts
from tests.plots.gallery import (
    HOUR,
    START,
    TERMS,
    book,
    candles,
    fills,
    listed,
    orders,
    positions,
    rates,
    several_rates,
)

MINUS = "\N{MINUS SIGN}"


def markers(ax) -> dict[str, np.ndarray]:
    """Scattered points by the first word of their label."""
    found = [one for one in ax.collections if isinstance(one, PathCollection)]
    return {one.get_label().split(" ")[0]: np.asarray(one.get_offsets()) for one in found}


def test_price_line_and_band():
    ax = plots.price(candles([100.0, 103.0, 101.0]), panel())
    np.testing.assert_array_equal(heights(ax, "Close"), [100, 103, 101])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (99, 105)
    assert "Price of PF_XBTUSD" in texts(ax)
    assert legend(ax) == ["Close 101"]


def test_price_marks_own_fills_of_this_contract_and_time():
    own = fills(
        (0.5, "PF_XBTUSD", "buy", 0.1, 100.5), (2.5, "PF_XBTUSD", "buy", 0.2, 102.0),
        (1.0, "PF_XBTUSD", "sell", 0.25, 103.0), (1.0, "PF_ETHUSD", "sell", 9.0, 9.0),
        (-5.0, "PF_XBTUSD", "buy", 9.0, 90.0), (3.0, "PF_XBTUSD", "buy", 9.0, 90.0),
    )  # fmt: skip
    ax = plots.price(candles([100.0, 103.0, 101.0]), panel(), fills=own)
    found = markers(ax)
    np.testing.assert_array_equal(found["Bought"][:, 1], [100.5, 102.0])
    np.testing.assert_array_equal(found["Sold"][:, 1], [103.0])
    assert legend(ax)[1:] == ["Bought 0.3 in 2 fills", "Sold 0.25 in 1 fill"]


def test_price_marks_entry_and_orders():
    ax = plots.price(
        candles([100.0, 103.0, 101.0]), panel(),
        positions=positions(("PF_XBTUSD", "long", 0.63, 100.25), ("PF_ETHUSD", "short", 1.0, 101.0)),
        open_orders=orders(
            ("PF_XBTUSD", "buy", "lmt", 99.5, 0.1), ("PF_XBTUSD", "sell", "take_profit", 104.0, 0.6),
            ("PF_XBTUSD", "sell", "stop", 20.0, 0.6), ("PF_ETHUSD", "buy", "lmt", 100.0, 1.0),
        ),
    )  # fmt: skip
    np.testing.assert_array_equal(lines(ax)["Entry"].get_ydata(), [100.25, 100.25])
    assert legend(ax)[1:] == ["Entry 100.25, long 0.63", "1 order farther away"]
    levels = [c.get_segments()[0][0][1] for c in ax.collections if isinstance(c, LineCollection)]
    assert levels == [99.5, 104.0]
    assert {"buy limit 0.1 at 99.5", "sell take profit 0.6 at 104"} <= set(texts(ax))
    assert "as of 2026-11-03 12:00 UTC" in texts(ax)  # the time of the positions
    low, high = ax.get_ylim()
    assert low < 99.5
    assert high > 104.0


def test_entries_far_away_are_told_not_drawn():
    ax = plots.price(candles([100.0, 103.0]), panel(), positions=positions(("PF_XBTUSD", "long", 1.0, 20.0)))
    assert legend(ax)[-1] == "Entry 20, long 1 (farther away)"
    assert ax.get_ylim()[0] > 90


def test_labels_of_close_orders_do_not_overlap():
    close = [("PF_XBTUSD", "buy", "lmt", 100 + step / 100, 1.0) for step in range(5)]
    ax = plots.price(candles([100.0, 103.0, 101.0]), panel(), open_orders=orders(*close))
    heights_ = sorted(text.get_position()[1] for text in ax.texts)
    points = np.diff(heights_) / np.ptp(ax.get_ylim()) * ax.bbox.height * 72 / ax.figure.dpi
    assert points.min() > 8


def test_price_of_one_of_several_contracts():
    both = pd.concat({"PF_XBTUSD": candles([1.0, 2.0]), "PF_ETHUSD": candles([3.0, 4.0])}, names=["symbol"])
    np.testing.assert_array_equal(heights(plots.price(both, panel(), symbol="pf_ethusd"), "Close"), [3, 4])
    with pytest.raises(ArgumentError, match="candles are of 2 contracts: name one with symbol=, such as 'PF_ETHUSD'"):
        plots.price(both, panel())
    with pytest.raises(ArgumentError, match="symbol='PF_ETHUSD': candles are those of PF_XBTUSD"):
        plots.price(candles([1.0, 2.0]), panel(), symbol="PF_ETHUSD")


def test_wrong_frames_are_refused_by_name():
    with pytest.raises(ArgumentError, match=r"candles is dict instead of a frame: give that of client.candles\(\)"):
        plots.price({}, panel())  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"fills lacks price: give the frame of client.fills\(\)"):
        plots.price(candles([1.0, 2.0]), panel(), fills=fills().drop(columns="price"))
    with pytest.raises(ArgumentError, match="order_book lacks side"):
        plots.depth(book([], []).drop(columns="side"), panel())


def test_gaps_in_the_data_are_gaps_in_the_line():
    ax = plots.price(candles([100.0, float("nan"), 101.0, 102.0]), panel())
    np.testing.assert_array_equal(np.isnan(heights(ax, "Close")), [False, True, False, False])
    assert legend(ax) == ["Close 102"]


def test_depth_is_cumulative_and_symmetric():
    ax = plots.depth(book([(99.0, 1.0), (98.0, 2.0), (50.0, 4.0)], [(101.0, 3.0), (103.0, 1.0)]), panel())
    bids, asks = lines(ax)["Bids"], lines(ax)["Asks"]
    # Outward from the best price; the far bid is beyond the chart, which reaches as far as the asks do.
    assert list(zip(bids.get_xdata(), bids.get_ydata(), strict=True))[::-1][:5] == [
        (99, 0), (99, 1), (98, 1), (98, 3), (50, 3)
    ]  # fmt: skip
    assert list(asks.get_ydata()) == [0, 3, 3, 4, 4]
    low, high = ax.get_xlim()
    assert low + high == pytest.approx(200)
    assert 103 < high < 104
    assert legend(ax) == ["Bids 3", "Asks 4", "Middle 100, spread 2 (200 bp)"]
    assert ax.get_ylim()[1] < 5  # what is not shown does not squeeze the rest
    assert plots.depth(book([(99.0, 1.0)], [(101.0, 3.0)]), panel(), within=0.5).get_xlim() == (50, 150)
    with pytest.raises(ArgumentError, match="within=0 is not a fraction of the price"):
        plots.depth(book([], []), panel(), within=0)


def test_funding_rates_by_span():
    hourly = [1e-5, -2e-5, 3e-5]
    for per, hours in (("hour", 1), ("day", 24), ("year", 8760)):
        ax = plots.funding_rates(rates(hourly), panel(), per=per)
        np.testing.assert_allclose(heights(ax, "PF_XBTUSD"), np.array([*hourly, 3e-5]) * hours)
        assert f"Funding rate of PF_XBTUSD, per {per}" in texts(ax)
    assert lines(ax)["PF_XBTUSD"].get_xdata()[-1] == np.datetime64((START + 3 * HOUR).tz_localize(None))
    assert legend(ax) == ["PF_XBTUSD +26.3 %, mean +5.84 %"]
    with pytest.raises(ArgumentError, match="per='week' is not one of 'hour', 'day', 'year'"):
        plots.funding_rates(rates(hourly), panel(), per="week")  # type: ignore[arg-type]


def test_funding_rates_of_several_contracts_differ_in_more_than_colour():
    ax = plots.funding_rates(several_rates(PF_XBTUSD=[1e-5, 2e-5], PF_ETHUSD=[3e-5, 4e-5], PF_SOLUSD=[]), panel())
    drawn = lines(ax)
    assert set(drawn) == {"PF_XBTUSD", "PF_ETHUSD"}
    assert len({line.get_linestyle() for line in drawn.values()}) == 2
    np.testing.assert_allclose(heights(ax, "PF_ETHUSD"), np.array([3e-5, 4e-5, 4e-5]) * 8760)
    ax = plots.funding_rates(several_rates(PF_XBTUSD=[1e-5, 2e-5], PF_ETHUSD=[3e-5, 4e-5]), panel(), symbol="PF_XBTUSD")
    assert set(lines(ax)) == {"PF_XBTUSD"}


def test_basis_pairs_candles_by_time():
    mark, index = candles([101.0, 102.0, 99.0]), candles([100.0, 100.0, 100.0]).drop(START + HOUR)
    ax = plots.basis(mark, index, panel())
    np.testing.assert_allclose(heights(ax, "Now"), [0.01, -0.01])
    assert legend(ax) == [f"Now {MINUS}1.00 %, mean 0 %"]
    assert "Basis of PF_XBTUSD, mark against index" in texts(ax)


def test_term_structure_by_underlying_and_kind():
    ax = plots.term_structure(*TERMS, panel())
    drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in ax.get_lines() if " " in line.get_label()}
    assert set(drawn) == {"XBTUSD linear", "XBTUSD inverse", "ETHUSD linear"}  # none of SOL is dated
    np.testing.assert_allclose(drawn["XBTUSD linear"], [0.001, 0.01, 0.04])
    np.testing.assert_allclose(drawn["XBTUSD inverse"], [0.002, 0.015])
    yearly = plots.term_structure(*TERMS, panel(), underlying="xbtusd", annualized=True)
    drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in yearly.get_lines() if " " in line.get_label()}
    np.testing.assert_allclose(drawn["XBTUSD linear"], [0.01 * 365 / 30, 0.04 * 365 / 120])
    with pytest.raises(ArgumentError, match="underlying='DOGEUSD' is not one of 'ETHUSD', 'SOLUSD', 'XBTUSD'"):
        plots.term_structure(*TERMS, panel(), underlying="dogeusd")


def test_contracts_without_prices_are_left_out_of_the_term_structure():
    expiry = "2026-12-01T00:00:00Z"
    nan = float("nan")
    ax = plots.term_structure(
        *listed(("FF_XBTUSD_261201", nan, 100.0, expiry), ("FF_ETHUSD_261201", 1.0, 1.0, expiry)), panel()
    )
    assert "XBTUSD" not in said(ax)
