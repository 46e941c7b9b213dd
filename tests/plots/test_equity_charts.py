"""Charts of the value of an account."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from kfut_analytics import plots
from kfut_analytics.errors import ArgumentError
from kfut_analytics.plots.style import THEMES
from tests.plots.drawn import heights, legend, lines, panel, picture, said
from tests.plots.gallery import valued

MINUS = "\N{MINUS SIGN}"


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def made():
    return valued(6)


def test_equity_and_what_was_paid_in(made):
    ax = plots.equity_curve(made, panel())
    frame = made.frame
    np.testing.assert_array_equal(heights(ax, "Equity"), frame["equity"])
    # Three days bring 500 in, three take 100 out.
    assert list(np.unique(heights(ax, "Paid"))) == [1000, 1400, 1500, 1800, 1900, 2200, 2300]
    assert heights(ax, "Paid")[-1] == 2200
    last = frame["equity"].iloc[-1]
    assert f"Equity {last:,.2f}" in legend(ax)
    assert "Paid in 2,200.00" in legend(ax)
    assert f"made {last - 2200:+,.2f}".replace("-", MINUS) in legend(ax)


def test_what_was_made_is_the_area_between(made):
    ax = plots.equity_curve(made, panel())
    light = THEMES["light"]
    areas = {to_hex(one.get_facecolor()[0]): one for one in ax.collections if isinstance(one, PolyCollection)}
    assert set(areas) == {light.gain, light.loss}
    assert areas[light.loss].get_hatch()
    top = max(path.vertices[:, 1].max() for path in areas[light.gain].get_paths())
    gained = (made.frame["equity"] - heights(ax, "Paid")).to_numpy()
    assert top == pytest.approx(max(np.where(gained > 0, made.frame["equity"], heights(ax, "Paid"))))


def test_underwater(made):
    ax = plots.underwater(made, panel())
    drawdown = made.frame["drawdown"]
    np.testing.assert_array_equal(heights(ax, "Now"), drawdown)
    assert ax.get_ylim()[1] == 0
    assert f"on {drawdown.idxmin():%Y-%m-%d %H:%M} UTC" in said(ax)


def test_both_on_one_page(made):
    panels = plots.equity(made, theme="dark")
    assert isinstance(panels, np.ndarray)
    assert [isinstance(panel, Axes) for panel in panels] == [True, True]
    assert plt.get_fignums() == [panels[0].figure.number]
    assert to_hex(panels[0].figure.get_facecolor()) == THEMES["dark"].background
    assert "Equity" in lines(panels[0])
    assert "Now" in lines(panels[1])
    assert all("as of" in panel.get_xlabel() for panel in panels)
    assert picture(panels[0])
    own = mpl.figure.Figure(layout="constrained").subplots(2)
    assert list(plots.equity(made, own)) == list(own)
    with pytest.raises(ArgumentError, match=r"is not two Axes: for one draw kfut.plots.equity_curve"):
        plots.equity(made, own[0])


def test_a_year_of_hours_keeps_its_extremes():
    made = valued(365)
    equity, drawdown = made.frame["equity"], made.frame["drawdown"]
    drawn = heights(plots.equity_curve(made, panel()), "Equity")
    assert len(drawn) <= 4000 < len(equity)
    assert (drawn.min(), drawn.max(), drawn[-1]) == (equity.min(), equity.max(), equity.iloc[-1])
    assert heights(plots.underwater(made, panel()), "Now").min() == drawdown.min()
