"""Charts of margin, liquidation, stress and exposure: what is drawn, where, and how it is labelled."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from kfut_analytics import plots, risk_tables
from kfut_analytics.errors import ArgumentError
from kfut_analytics.plots.style import STRONGEST, THEMES
from tests.plots.drawn import heights, legend, lines, panel, rows, said, texts
from tests.plots.gallery import HELD, HOUR, START, history, scenarios, square, told, usage

MINUS = "\N{MINUS SIGN}"
LIGHT = THEMES["light"]
NAN = float("nan")


def bars(ax) -> list[tuple[float, float, float]]:
    """Row, left end and width of horizontal bars, as they were drawn."""
    found = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return [(round(patch.get_y() + patch.get_height() / 2), patch.get_x(), patch.get_width()) for patch in found]


# Margin usage --------------------------------------------------------------------------------------------------------


def test_usage_stacks_positions_against_equity():
    """500 and 300 of 10,000 are 5 % and 3 %; the exchange's marks stand at 8 % and 4 %."""
    ax = plots.margin_usage(usage(("PF_XBTUSD", 0.1, 50_000.0), ("PF_ETHUSD", -1.0, 3_000.0)), panel())
    np.testing.assert_allclose([bar[1:] for bar in bars(ax)], [(0.0, 0.05), (0.05, 0.03)])
    marks = [c.get_segments()[0][0][0] for c in ax.collections if isinstance(c, LineCollection)]
    np.testing.assert_allclose(marks, [0.08, 0.04])
    assert lines(ax)["Liquidation"].get_xdata()[0] == 1  # all of the equity
    assert "PF_XBTUSD long, 500.00 USD (5.0 %)" in legend(ax)
    assert any(line.startswith("PF_ETHUSD short") for line in legend(ax))
    assert "flex 10,000.00 USD" in texts(ax)


def test_usage_beyond_the_equity_stays_on_the_chart():
    ax = plots.margin_usage(usage(("PF_XBTUSD", 3.0, 50_000.0), env="live"), panel())
    assert ax.get_xlim()[1] > 1.5
    assert "LIVE" in texts(ax)


@pytest.mark.parametrize(("height", "named"), [(6.0, 6), (4.2, 5), (2.6, 1)])
def test_usage_of_fifty_positions_names_the_largest(height, named):
    ax = plots.margin_usage(usage(*((f"PF_C{i:02}USD", 1.0, 100.0 - i) for i in range(50))), panel(5, height))
    assert [line.split(" ")[0] for line in legend(ax) if line.startswith("PF_")] == [
        f"PF_C{i:02}USD" for i in range(named)
    ]
    assert f"{50 - named} more" in legend(ax)
    assert len(bars(ax)) == 50


def test_usage_without_equity_is_a_sentence():
    assert "There is no equity" in said(plots.margin_usage(usage(("PF_XBTUSD", 1.0, 100.0), equity=0.0), panel()))


def test_symbols_are_not_read_as_mathematics():
    odd = usage(("PF_$^USD", 1.0, 100.0), ("PF_$_USD", 1.0, 100.0))
    for chart in (plots.margin_usage, plots.liquidation, plots.exposure):
        assert "$^" in said(chart(odd, panel()))


# Margin through time -------------------------------------------------------------------------------------------------


def test_history_shows_initial_and_maintenance_margin():
    ax = plots.margin_history(history([0.1, 0.6, 0.4]), panel())
    np.testing.assert_allclose(heights(ax, "Initial"), [0.1, 0.6, 0.4])
    area = next(one for one in ax.collections if isinstance(one, PolyCollection)).get_paths()[0].vertices[:, 1]
    assert area.max() == pytest.approx(0.3)
    assert lines(ax)["Liquidation"].get_ydata()[0] == 1
    assert ax.get_ylim() == (0, pytest.approx(1.1))
    assert {"Initial margin, now 40.0 %, highest 60.0 %", "Maintenance margin, now 20.0 %"} <= set(legend(ax))


def test_history_far_from_the_edge_says_so():
    ax = plots.margin_history(history([0.01, 0.05]), panel())
    assert ax.get_ylim()[1] < 0.1
    assert "all of the equity (100 %) lies above the chart" in legend(ax)


def test_history_without_equity_leaves_the_chart_at_its_top():
    ax = plots.margin_history(history([0.5, float("inf"), 0.2]), panel())
    low, high = ax.get_ylim()
    assert (low, high) == (0, pytest.approx(1.1))
    assert heights(ax, "Initial")[1] > high
    assert "highest 50.0 %" in said(ax)


def test_history_with_gaps_keeps_them():
    ax = plots.margin_history(history([0.5, NAN, 0.2, 0.3]), panel())
    np.testing.assert_array_equal(np.isnan(heights(ax, "Initial")), [False, True, False, False])
    assert "Initial margin, now 30.0 %, highest 50.0 %" in legend(ax)
    unknown = pd.concat([history([NAN, NAN], "fi_xbtusd"), history([0.1, 0.2])])
    assert "Margin usage of flex, part of equity" in texts(plots.margin_history(unknown, panel()))


def test_history_of_one_of_several_wallets():
    both = pd.concat([history([0.1, 0.2]), history([0.3, 0.1], "fi_xbtusd"), history([0.0, 0.0], "fi_ethusd")])
    ax = plots.margin_history(told(both), panel())
    assert "Margin usage of fi_xbtusd, part of equity" in texts(ax)
    assert "not drawn: flex" in legend(ax)  # the third used none
    assert "Margin usage of flex, part of equity" in texts(plots.margin_history(both, panel(), wallet="flex"))
    with pytest.raises(ArgumentError, match="wallet='cash' is not in the history: it has fi_ethusd, fi_xbtusd, flex"):
        plots.margin_history(both, panel(), wallet="cash")


def test_history_marks_snapshots():
    frame = history([0.1, 0.2, 0.3])
    frame.loc[frame.index[1], "source"] = "snapshot"
    ax = plots.margin_history(frame, panel())
    assert list(heights(ax, "Snapshots")) == [0.2]
    assert "Snapshots (1)" in legend(ax)


# Liquidation ---------------------------------------------------------------------------------------------------------


def edges(*positions: tuple[str, str, float, float, float, float]) -> pd.DataFrame:
    """Positions of symbol, side, and moves: alone, with its underlying, with the market, bankrupt; prices from 100."""
    names = ("symbol", "side", "distance", "underlying_distance", "market_distance", "bankruptcy_distance")
    data: dict = {name: [row[place] for row in positions] for place, name in enumerate(names)}
    for move, price in (("distance", "liquidation_price"), ("underlying_distance", "underlying_liquidation_price"),
                        ("market_distance", "market_liquidation_price")):  # fmt: skip
        data[price] = [100 * (1 + value) for value in data[move]]
    return told(risk_tables.LIQUIDATION.frame(data), as_of="2026-11-01T00:00:00.000Z")


def test_liquidation_nearest_first_with_the_price_there():
    ax = plots.liquidation(
        edges(
            ("PF_ETHUSD", "short", 0.8, 0.7, NAN, 0.9),
            ("PF_XBTUSD", "long", -0.5, -0.4, -0.3, -0.55),
            ("PF_SOLUSD", "long", NAN, NAN, NAN, NAN),
        ),
        panel(),
    )
    assert rows(ax) == {
        "PF_XBTUSD long": f"70 ({MINUS}30.0 %)",
        "PF_ETHUSD short": "170 (+70.0 %)",
        "PF_SOLUSD long": "none",
    }
    np.testing.assert_allclose(lines(ax)["This"].get_xdata(), [-0.5, 0.8])
    np.testing.assert_allclose(lines(ax)["All"].get_xdata(), [-0.4, 0.7])
    np.testing.assert_allclose(lines(ax)["The"].get_xdata(), [-0.3])
    np.testing.assert_allclose(lines(ax)["Bankrupt,"].get_xdata(), [-0.55, 0.9])
    assert len({line.get_marker() for line in lines(ax).values()}) == 4
    reached = [list(line.get_xdata()) for line in ax.get_lines() if line.get_linewidth() == 4]
    np.testing.assert_allclose(reached, [[0, -0.3], [0, 0.7]])


def test_liquidation_very_far_away_is_told_not_drawn():
    ax = plots.liquidation(
        edges(("PF_XBTUSD", "short", 80.0, NAN, NAN, NAN), ("PF_ETHUSD", "long", -0.1, NAN, NAN, NAN)), panel()
    )
    assert rows(ax)["PF_XBTUSD short"] == "8,100 (+8,000.0 %)"
    assert ax.get_xlim()[1] < 2
    np.testing.assert_allclose(lines(ax)["This"].get_xdata(), [-0.1])


def test_liquidation_of_fifty_positions_shows_the_nearest():
    ax = plots.liquidation(
        edges(*((f"PF_C{i:02}USD", "long", -0.99 + i / 100, NAN, NAN, NAN) for i in range(50))), panel(5, 3)
    )
    shown = list(rows(ax))
    assert shown[0] == "PF_C49USD long"
    assert f"{50 - len(shown)} positions farther away" in legend(ax)


# Stress --------------------------------------------------------------------------------------------------------------


def test_ladder_stacks_both_parts_of_the_change():
    ax = plots.stress(scenarios((0.1, 60, 30, None), (-0.5, -900, -150, "PF_XBTUSD"), (-0.1, 40, -30, None)), panel())
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [f"{MINUS}50 %", f"{MINUS}10 %", "+10 %"]
    assert bars(ax) == [(0, 0, -900), (1, 0, 40), (2, 0, 60), (0, -900, -150), (1, 0, -30), (2, 60, 30)]
    written = texts(ax)
    for figure in (f"{MINUS}50.00, over 999 %", "1,010.00, 9.9 %", "1,090.00, 9.2 %", "equity, maintenance usage"):
        assert figure in written
    assert [bool(patch.get_hatch()) for patch in ax.patches[:3]] == [True, False, False]
    assert legend(ax) == ["P&L", "Collateral", "Liquidation on the way, PF_XBTUSD first"]
    assert "Stress of the market: change of equity, USD" in written


def test_ladder_with_little_room_keeps_the_ends_and_the_middle():
    shocks = np.round(np.linspace(-0.5, 0.5, 101), 2)
    ax = plots.stress(scenarios(*((shock, 100 * shock, 0, None) for shock in shocks)), panel(4, 3))
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) < 15
    assert (names[0], names[-1]) == (f"{MINUS}50 %", "+50 %")
    assert "0 %" in names


def test_ladder_and_map_know_each_other():
    with pytest.raises(
        ArgumentError, match=r"stress has shocks of XBT, collateral: draw two with kfut.plots.stress_map"
    ):
        plots.stress(square(3), panel())
    with pytest.raises(
        ArgumentError, match=r"stress has shocks of one thing: draw it with kfut.plots.stress, or give two"
    ):
        plots.stress_map(scenarios((0.1, 0, 0, None)), panel())
    with pytest.raises(ArgumentError, match=r"shocks are for what kfut.margin\(client\) returned"):
        plots.stress(scenarios((0.1, 0, 0, None)), panel(), shocks=[0.1])
    with pytest.raises(ArgumentError, match="figure='joy' is not one of 'equity', 'pnl', 'usage', 'maintenance_usage'"):
        plots.stress_map(square(3), panel(), figure="joy")  # type: ignore[arg-type]


def test_map_places_and_colours_every_pair():
    ax = plots.stress_map(square(3), panel())
    cells = next(one for one in ax.collections if isinstance(one, PolyCollection))
    places = [tuple(path.vertices[:4].mean(axis=0).round(6)) for path in cells.get_paths()]
    assert places == [(x, y) for x in range(3) for y in range(3)]
    said_at = {text.get_position(): text.get_text() for text in ax.texts}
    # 1,000 and 600 times the first shock and 300 times the second.
    assert (said_at[0, 0], said_at[1, 1], said_at[2, 2], said_at[2, 0]) == ("550", "1k", "1.45k", "1.15k")
    faces = dict(zip(places, cells.get_facecolor(), strict=True))
    assert to_hex(faces[0, 0]) == LIGHT.loss
    assert to_hex(faces[2, 2]) == LIGHT.gain
    assert to_hex(faces[1, 1]) == LIGHT.grid
    assert faces[0, 0][3] == pytest.approx(STRONGEST)
    crossed = next(one for one in ax.collections if isinstance(one, LineCollection)).get_segments()
    assert [tuple(segment.mean(axis=0)) for segment in crossed] == [(0, 0)]
    assert legend(ax) == ["Liquidation on the way"]
    assert "Stress of XBT (across) and collateral (up): equity, USD" in texts(ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == [f"{MINUS}50 %", "0 %", "+50 %"]


def test_map_of_usage_is_in_per_cent():
    ax = plots.stress_map(square(3), panel(), figure="usage")
    assert {text.get_text() for text in ax.texts} >= {"36 %", "20 %"}
    cells = next(one for one in ax.collections if isinstance(one, PolyCollection))
    assert {to_hex(face) for face in cells.get_facecolor()} == {LIGHT.loss}


def test_map_with_little_room_says_signs():
    ax = plots.stress_map(square(21), panel(4, 3))
    assert {text.get_text() for text in ax.texts} == {"+", MINUS, ""}
    assert len(ax.get_xticks()) < 10


def test_shocks_of_an_account():
    """Half a bitcoin at 50,000, long, and four ether at 3,000, short; coins of 4,000 among the balances."""
    ax = plots.stress(HELD, panel(), shocks=[-0.1])
    assert bars(ax)[0][1:] == (0, pytest.approx(-2_500 + 1_200))
    assert bars(ax)[1][2] == pytest.approx(-400)
    ax = plots.stress_map(HELD, panel(), shocks={"ETH": [0.0, 0.5], "collateral": [-0.5, 0.0]}, figure="pnl")
    assert {text.get_position(): text.get_text() for text in ax.texts}[1, 1] == f"{MINUS}6k"


# Exposure ------------------------------------------------------------------------------------------------------------


def groups(*those: tuple[str, float, float, float]) -> pd.DataFrame:
    """Groups of name, long, short and coins."""
    data = {
        "group": [name for name, *_ in those],
        "long": [row[1] for row in those], "short": [row[2] for row in those],
        "gross": [row[1] + row[2] for row in those], "net": [row[1] - row[2] for row in those],
        "collateral": [row[3] for row in those], "net_with_collateral": [row[1] - row[2] + row[3] for row in those],
    }  # fmt: skip
    return told(risk_tables.EXPOSURE.frame(data), as_of="2026-11-01T00:00:00.000Z")


def test_exposure_to_both_sides():
    ax = plots.exposure(groups(("ETH", 10, 50, 5), ("XBT", 100, 40, 20), ("SOL", 0, 0, 0)), panel())
    assert rows(ax) == {"XBT": "+80.00", "ETH": f"{MINUS}35.00"}
    assert bars(ax) == [(0, 0, 100), (1, 0, 10), (0, 0, -40), (1, 0, -50), (0, 100, 20), (1, 10, 5)]
    np.testing.assert_array_equal(lines(ax)["Net,"].get_xdata(), [80, -35])
    assert len({patch.get_hatch() for patch in ax.patches}) == 3


def test_many_groups_share_a_row():
    ax = plots.exposure(groups(*((f"C{i:02}", float(i), 0.0, 0.0) for i in range(50))), panel(4, 3))
    drawn = rows(ax)
    assert next(iter(drawn)) == "C49"
    assert list(drawn)[-1] == f"{49 - (len(drawn) - 1)} others"
    assert sum(float(text.replace(",", "")) for text in drawn.values()) == sum(range(50))


def test_exposure_by_what_is_asked():
    assert "linear perpetual" in rows(plots.exposure(HELD, panel(), by="kind"))
    assert set(rows(plots.exposure(HELD, panel()))) == {"XBT", "ETH"}
    with pytest.raises(ArgumentError, match="colour"):
        plots.exposure(HELD, panel(), by="colour")  # type: ignore[arg-type]


def test_frames_carry_environment_and_time():
    for frame in (
        HELD.usage(),
        HELD.by_position(),
        HELD.liquidation(),
        HELD.stress(),
        HELD.exposure(),
        HELD.concentration(),
    ):
        assert frame.attrs["env"] == "paper"
        assert pd.Timestamp(frame.attrs["as_of"]) == START
        json.dumps(frame.attrs)  # as Parquet keeps them
    late = plots.liquidation(HELD.liquidation(), panel(), as_of=START + HOUR)
    assert "as of 2026-11-01 01:00 UTC" in texts(late)
