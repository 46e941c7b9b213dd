"""Charts of P&L against accounts that know the truth about themselves."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

import kfut_analytics as kfut
from kfut_analytics import plots, schema
from kfut_analytics.errors import ArgumentError
from kfut_analytics.plots.style import THEMES
from tests.accounts import LISTED, Account, Listed
from tests.plots.drawn import heights, legend, lines, panel, rows, said, texts
from tests.plots.gallery import HOUR, START, ledger, single, story, told

MINUS = "\N{MINUS SIGN}"
XBT, DOGE = LISTED[0], LISTED[1]
LIGHT = THEMES["light"]


def number(text: str) -> float:
    return float(text.replace(MINUS, "-").replace(",", ""))


def bars(ax) -> list[tuple[float, float, float]]:
    """Row, left end and width of horizontal bars, as they were drawn."""
    found = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return [(round(patch.get_y() + patch.get_height() / 2), patch.get_x(), patch.get_width()) for patch in found]


@pytest.fixture(scope="module")
def account() -> Account:
    return story()


def closes(*gross: float, currencies: tuple[str, ...] = ("USD",)) -> kfut.PnL:
    """Hourly closing trades with these results, a fee of 1 and funding of -2 each, in every currency."""
    entries = [(hour, currency, result) for hour, result in enumerate(gross) for currency in currencies]
    data = {"id": range(1, len(entries) + 1), "time": [START + hour * HOUR for hour, _, _ in entries],
            "asset": [currency for _, currency, _ in entries], "realized_pnl": [result for *_, result in entries],
            "change": [result - 3.0 for *_, result in entries]}  # fmt: skip
    same = {"info": "futures trade", "account": "flex", "contract": "PF_XBTUSD", "fee": 1.0, "realized_funding": -2.0}
    return kfut.pnl(told(schema.ACCOUNT_LOG.frame(data | {name: [one] * len(entries) for name, one in same.items()})))


def test_pnl_draws_the_components():
    ax = plots.pnl(closes(10.0, 20.0, 30.0), panel())
    for name, values in {
        "Net": [7, 24, 51, 51], "Realised": [10, 30, 60, 60], "Fees": [-1, -2, -3, -3], "Funding": [-2, -4, -6, -6],
    }.items():  # fmt: skip
        np.testing.assert_array_equal(heights(ax, name), values)
    assert legend(ax) == ["Net +51.00", "Realised P&L +60.00", f"Fees {MINUS}3.00", f"Funding {MINUS}6.00"]
    assert {"Cumulative P&L, USD", "as of 2026-11-01 02:00 UTC"} <= set(texts(ax))
    assert len({line.get_linestyle() for line in lines(ax).values()}) == 4


def test_what_was_reached_holds_until_the_time_of_the_chart():
    ax = plots.pnl(closes(10.0, 20.0), panel(), as_of=START + 24 * HOUR)
    assert lines(ax)["Net"].get_xdata()[-1] == np.datetime64("2026-11-02")


def test_pnl_draws_one_currency_and_names_the_others():
    both = closes(1.0, 2.0, currencies=("USD", "XBT"))
    assert "also in the log: XBT" in texts(plots.pnl(both, panel()))
    assert "Cumulative P&L, XBT" in texts(plots.pnl(both, panel(), currency="XBT"))
    assert "Cumulative P&L, XBT" in texts(plots.pnl(closes(1.0, 2.0, currencies=("XBT",)), panel()))


def test_long_series_are_thinned_to_their_extremes():
    result = closes(*np.random.default_rng(7).normal(size=50_000))
    drawn, net = heights(plots.pnl(result, panel()), "Net"), result.cumulative()["net"]
    assert len(drawn) <= 4 * 1000 + 1  # four in each column, and the end
    assert (drawn.min(), drawn.max(), drawn[-1]) == (net.min(), net.max(), net.iloc[-1])


def test_pnl_by_contract_tells_the_truth_of_each(account):
    ax = plots.pnl_by_contract(ledger(account), panel(9, 6))
    truth = {
        contract: float(sums["realized_pnl"] - sums["fee"] + sums["realized_funding"])
        for (contract, currency), sums in account.by_contract.items()
        if currency == "USD"
    }
    drawn = rows(ax)
    assert {name: number(text) for name, text in drawn.items()} == pytest.approx(truth, abs=0.005)
    assert [number(text) for text in drawn.values()] == sorted(map(number, drawn.values()), reverse=True)
    np.testing.assert_allclose(lines(ax)["Net"].get_xdata(), [truth[name] for name in drawn], atol=1e-6)
    for row, name in enumerate(drawn):
        assert sum(width for at, _, width in bars(ax) if at == row) == pytest.approx(truth[name], abs=1e-6)
    assert "also in the log: ETH, XBT" in texts(ax)


def test_parts_of_a_contract_are_stacked_away_from_zero():
    """A gain of 20 to the right, fees of 0.05, 0.06 and 0.10 and a funding of 2 to the left."""
    made = Account()
    made.trade(XBT, Fraction(1), Fraction(100))
    made.trade(XBT, Fraction(-1), Fraction(120))
    made.trade(XBT, Fraction(1), Fraction(200))
    made.fund(XBT, Fraction(2))
    ax = plots.pnl_by_contract(ledger(made), panel())
    assert [(left, width) for _, left, width in bars(ax)] == [
        (0, 20),
        (0, pytest.approx(-0.21)),
        (pytest.approx(-0.21), -2),
    ]
    assert rows(ax) == {"PF_XBTUSD": "+17.79"}


def many(contracts: int) -> kfut.PnL:
    """Contract k makes k, less a fee of 0.05 per 100; half of them lose."""
    made = Account()
    for rank in range(1, contracts + 1):
        one = Listed(f"pf_c{rank:02}usd", Fraction(1), 100)
        made.trade(one, Fraction(1), Fraction(100))
        made.trade(one, Fraction(-1), Fraction(100) + rank * (-1) ** rank)
    return ledger(made)


def test_fifty_contracts_share_rows_by_what_there_is_room_for():
    result = many(50)
    total = result.summary().loc["USD", "net"]
    for ax, most in (
        (plots.pnl_by_contract(result, panel(9, 8)), 20),
        (plots.pnl_by_contract(result, panel(4, 3)), 12),
    ):
        drawn = rows(ax)
        assert len(drawn) <= most + 1
        last = list(drawn)[-1]
        assert last == f"{51 - len(drawn)} others"
        assert sum(map(number, drawn.values())) == pytest.approx(total, abs=0.005 * len(drawn))
        assert "PF_C50USD" in drawn
        assert "PF_C01USD" not in drawn


def test_bridge_rows_lead_from_start_to_end():
    made = Account()
    made.flow("cross-exchange transfer", "flex", "usd", Fraction(1000))
    made.trade(XBT, Fraction(1), Fraction(10_000))
    made.trade(XBT, Fraction(-1), Fraction(10_400))
    made.trade(DOGE, Fraction(100), Fraction(2))
    made.trade(DOGE, Fraction(-100), Fraction(1))
    made.fund(DOGE, Fraction(0))
    made.flow("interest payment", "flex", "usd", Fraction(-3))
    ax = plots.bridge(ledger(made), panel(9, 6))
    fees = (10_000 + 10_400 + 200 + 100) * 0.0005
    assert rows(ax) == {
        "Start equity": "0.00", "Transfers": "+1,000.00", "PF_XBTUSD realised": "+400.00",
        "PF_DOGEUSD realised": f"{MINUS}100.00", "Fees": f"{MINUS}{fees:.2f}", "Funding": "0.00",
        "Interest": f"{MINUS}3.00", "Unexplained": "0.00", "End equity": f"{1297 - fees:,.2f}",
    }  # fmt: skip
    # Each bar begins where the one above ended.
    found = bars(ax)
    for (_, left, width), (_, following, _) in itertools.pairwise(found):
        assert following == pytest.approx(left + width)
    assert found[-1][1] + found[-1][2] == pytest.approx(1297 - fees)
    colours = [to_hex(patch.get_facecolor()) for patch in ax.patches]
    assert colours[:3] == [LIGHT.gain, LIGHT.gain, LIGHT.loss]
    assert [bool(patch.get_hatch()) for patch in ax.patches[:3]] == [False, False, True]


def test_transfers_do_not_squeeze_the_bridge():
    made = Account()
    made.flow("cross-exchange transfer", "flex", "usd", Fraction(100_000))
    made.trade(XBT, Fraction(1), Fraction(100))
    made.trade(XBT, Fraction(-1), Fraction(150))
    ax = plots.bridge(ledger(made), panel())
    low, high = ax.get_xlim()
    assert 99_900 < low < 100_000 < 100_050 < high < 100_100
    assert rows(ax)["Start equity"] == "0.00"


def test_bridge_with_what_is_open():
    result = ledger(story())
    frame = result.bridge("USD", end_unrealized={"PF_XBTUSD": 120.0, "PF_DOGEUSD": -20.0}, start_unrealized={})
    ax = plots.bridge(frame, panel(9, 7), env="live", as_of="2026-06-01")
    drawn = rows(ax)
    assert drawn["PF_XBTUSD unrealised"] == "+120.00"
    assert drawn["PF_DOGEUSD unrealised"] == f"{MINUS}20.00"
    assert "From start to end equity, USD" in texts(ax)
    changes = [number(text) for name, text in drawn.items() if "equity" not in name]
    assert sum(changes) == pytest.approx(number(drawn["End equity"]) - number(drawn["Start equity"]), abs=0.1)


def test_daily_calendar_places_every_day(account):
    result = ledger(account)
    ax = plots.daily_pnl(result, panel(12, 3))
    net = result.daily()
    net = net.loc[net["currency"] == "USD", "net"]
    cells = next(one for one in ax.collections if isinstance(one, PolyCollection))
    every = pd.date_range(net.index[0], result.log["time"].max().normalize())
    assert len(cells.get_paths()) == len(every)
    monday = every[0] - pd.Timedelta(days=every[0].day_of_week)
    faces = cells.get_facecolor()
    for day, path, face in zip(every, cells.get_paths(), faces, strict=True):
        column, row = path.vertices[:4].mean(axis=0)
        assert (round(column), round(row)) == ((day - monday).days // 7, day.day_of_week)
        value = net.get(day, 0.0)
        expected = LIGHT.gain if value > 0 else LIGHT.loss if value < 0 else LIGHT.grid
        assert to_hex(face) == expected
    strongest = net.abs().idxmax()
    assert faces[list(every).index(strongest)][3] == max(face[3] for face in faces)
    assert any(text.startswith("Best +") and f"({net.idxmax():%Y-%m-%d})" in text for text in legend(ax))
    assert any(text.startswith(f"Worst {MINUS}") and f"({net.idxmin():%Y-%m-%d})" in text for text in legend(ax))
    up, down = (net > 0).sum(), (net < 0).sum()
    assert f"{up} days up, {down} down" in legend(ax)


def test_days_say_their_sign_where_amounts_have_no_room(account):
    wide, narrow = (plots.daily_pnl(ledger(account), panel(width, 3)) for width in (12, 2.6))
    signs = {text.get_text() for text in narrow.texts} & {"+", MINUS}
    assert signs == {"+", MINUS}
    assert any(text.get_text().startswith("+") and len(text.get_text()) > 2 for text in wide.texts)


def test_more_than_a_year_is_in_bands():
    made = Account()
    for _ in range(60):
        made.trade(XBT, Fraction(1), Fraction(100))
        made.wait(14 * 86_400)
    ax = plots.daily_pnl(ledger(made), panel(9, 6))
    cells = next(one for one in ax.collections if isinstance(one, PolyCollection))
    centres = np.array([path.vertices[:4].mean(axis=0) for path in cells.get_paths()])
    assert centres[:, 0].max() == pytest.approx(52)
    assert len(np.unique(centres.round(3), axis=0)) == len(centres) == 59 * 14 + 1
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Mon", "Wed", "Fri", "Sun"] * 3


def test_days_begin_in_the_zone_asked_for():
    ax = plots.daily_pnl(single(), panel(), tz="Asia/Tokyo")  # 20:00 UTC is the next day there
    assert "Daily net P&L, USD (Asia/Tokyo)" in texts(ax)
    assert f"Best {MINUS}5.00 (2026-03-28)" in legend(ax)


def test_funding_by_contract_adds_up(account):
    ax = plots.funding_paid(ledger(account), panel())
    truth = {
        contract: float(sums["realized_funding"])
        for (contract, currency), sums in account.by_contract.items()
        if currency == "USD" and sums["realized_funding"]
    }
    drawn = lines(ax)
    assert {name: heights(ax, name)[-1] for name in drawn} == pytest.approx(
        {"All": sum(truth.values()), **truth}, abs=1e-6
    )
    assert all(heights(ax, name)[0] == 0 for name in drawn)
    assert len({line.get_linestyle() for line in drawn.values()}) > 2


def test_round_trips_reach_from_opened_to_closed_at_their_net(account):
    ax = plots.round_trips(ledger(account), panel())
    truth = [trip for trip in account.trips if not trip.contract.startswith(("PI", "FI"))]
    segments = next(one for one in ax.collections if isinstance(one, LineCollection)).get_segments()
    drawn = sorted((round(segment[0][0], 6), round(segment[0][1], 3)) for segment in segments)
    opened = [pd.Timestamp(trip.opened).timestamp() / 86_400 for trip in truth]
    net = [float(trip.gross - trip.fee + trip.funding) for trip in truth]
    np.testing.assert_allclose(drawn, sorted(zip(np.round(opened, 6), np.round(net, 3), strict=True)), atol=2e-3)
    counts = {}
    for trip in truth:
        key = f"{trip.side.capitalize()}{'' if trip.closed else ', still open'}"
        counts[key] = counts.get(key, 0) + 1
    assert set(legend(ax)) - {"also in the log: ETH, XBT"} == {f"{key} ({count})" for key, count in counts.items()}


def test_excursions_are_drawn_where_they_are_known():
    made = Account()
    made.trade(XBT, Fraction(1), Fraction(100))
    made.wait(7200)
    made.trade(XBT, Fraction(-1), Fraction(110))
    result = ledger(made)
    trips = result.round_trips().assign(mae=-4.0, mfe=12.0)
    ax = plots.round_trips(trips, panel(), env="paper")
    upward = [one for one in ax.collections if isinstance(one, LineCollection)][1].get_segments()
    assert [tuple(segment[:, 1]) for segment in upward] == [(-4.0, 12.0)]


def test_distribution_counts_what_was_won_and_lost(account):
    ax = plots.pnl_distribution(ledger(account), panel())
    net = np.array([
        float(trip.gross - trip.fee + trip.funding)
        for trip in account.trips
        if trip.closed and not trip.contract.startswith(("PI", "FI"))
    ])  # fmt: skip
    counted = {LIGHT.gain: 0.0, LIGHT.loss: 0.0}
    for patch in ax.patches:
        colour = to_hex(patch.get_facecolor())
        counted[colour] += patch.get_height()
        middle = patch.get_x() + patch.get_width() / 2
        assert not patch.get_height() or (middle > 0) == (colour == LIGHT.gain)
    assert counted == {LIGHT.gain: (net >= 0).sum(), LIGHT.loss: (net < 0).sum()}
    assert lines(ax)["Mean"].get_xdata()[0] == pytest.approx(net.mean(), abs=1e-6)
    assert lines(ax)["Median"].get_xdata()[0] == pytest.approx(np.median(net), abs=1e-6)


def test_only_losses():
    made = Account()
    for rank in range(1, 5):
        made.trade(XBT, Fraction(1), Fraction(100))
        made.wait(3600)
        made.trade(XBT, Fraction(-1), Fraction(100 - rank))
        made.wait(3600)
    result = ledger(made)
    assert "0 won" in legend(plots.pnl_distribution(result, panel()))
    assert all(width <= 0 for _, _, width in bars(plots.pnl_by_contract(result, panel())))
    assert "1 days up" not in said(plots.daily_pnl(result, panel()))


def test_a_currency_that_is_not_there(account):
    for chart in (
        plots.daily_pnl,
        plots.pnl_by_contract,
        plots.funding_paid,
        plots.round_trips,
        plots.pnl_distribution,
    ):
        with pytest.raises(ArgumentError, match="currency='EUR' has no P&L in this log: it has ETH, USD, XBT"):
            chart(ledger(account), panel(), currency="EUR")
        assert "ETH" in said(chart(ledger(account), panel(), currency="ETH"))
