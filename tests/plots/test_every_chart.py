"""What holds for every chart: its frame, its themes, its manners, and what it says when there is little to draw."""

from __future__ import annotations

import io
import itertools
import threading
import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from kfut_analytics import plots
from kfut_analytics.errors import ArgumentError
from kfut_analytics.plots.style import STRONGEST, THEMES
from tests.plots.drawn import panel, picture, said, text_boxes
from tests.plots.gallery import CHARTS, DENSE, NOTHING, ONE, draw, drawn_without_fault

EVERY = sorted(CHARTS)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_the_gallery_has_every_chart():
    assert set(CHARTS) == set(NOTHING) == set(plots.__all__) - {"equity"}  # of two panels
    assert set(ONE) | set(drawn_without_fault()) >= set(CHARTS) - {"funding_paid", "pnl_distribution"}


@pytest.mark.parametrize("name", EVERY)
def test_axes_in_axes_out_and_nothing_global_changes(name):
    before = dict(mpl.rcParams)
    given = panel()
    assert draw(name, given) is given
    assert plt.get_fignums() == []
    made = draw(name)
    assert plt.get_fignums() == [made.figure.number]
    assert dict(mpl.rcParams) == before
    with pytest.raises(ArgumentError, match="theme='pink' is not a theme: use 'auto', 'light' or 'dark'"):
        draw(name, theme="pink")


@pytest.mark.parametrize("name", EVERY)
def test_environment_and_time_are_on_it(name):
    assert "PAPER" in said(draw(name, panel()))
    words = said(draw(name, panel(), env="live", as_of="2027-02-03T04:05:06Z"))
    assert "LIVE" in words
    assert "PAPER" not in words
    assert "as of 2027-02-03 04:05 UTC" in words
    local = said(draw(name, panel(), as_of=pd.Timestamp("2027-02-03T04:05", tz="Asia/Tokyo")))
    assert "as of 2027-02-02 19:05 UTC" in local
    with pytest.raises(ArgumentError, match="as_of='soon' is not a point in time"):
        draw(name, panel(), as_of="soon")


@pytest.mark.parametrize("name", EVERY)
def test_nothing_to_draw_is_a_sentence(name):
    chart, sentence = NOTHING[name]
    words = said(chart(ax=panel()))
    assert sentence in words
    assert "PAPER" in words
    assert sentence in said(chart(ax=panel(2.5, 1.5), theme="dark"))  # broken into lines, whole nevertheless


@pytest.mark.parametrize("name", sorted(ONE))
def test_one_thing_is_a_sentence(name):
    chart, sentence = ONE[name]
    assert sentence in said(chart(ax=panel()))


@pytest.mark.parametrize("name", sorted(drawn_without_fault()))
def test_one_thing_is_drawn(name):
    ax = drawn_without_fault()[name](ax=panel())
    ax.figure.canvas.draw()
    assert len(ax.get_legend().get_texts()) > 0


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_colours_everything(name, theme):
    """No colour of the user's own settings shows, whatever these are."""
    odd = "#12ab34"
    settings = dict.fromkeys(
        ["text.color", "axes.labelcolor", "axes.edgecolor", "axes.facecolor", "axes.titlecolor", "xtick.color",
         "ytick.color", "grid.color", "patch.facecolor", "patch.edgecolor", "lines.color",
         "legend.labelcolor", "legend.edgecolor"],
        odd,
    )  # fmt: skip
    with mpl.rc_context(settings | {"axes.prop_cycle": mpl.cycler(color=[odd])}):
        ax = draw(name, panel(), theme=theme)
        ax.figure.canvas.draw()
    assert to_rgb(ax.figure.get_facecolor()) == to_rgb(ax.get_facecolor()) == to_rgb(THEMES[theme].background)
    assert odd not in colours_of(picture(ax))


def colours_of(png: bytes) -> set[str]:
    """All colours of a picture's pixels."""
    pixels = plt.imread(io.BytesIO(png))[..., :3].reshape(-1, 3)
    return {to_hex(pixel) for pixel in np.unique(pixels, axis=0)}


@pytest.mark.parametrize("name", EVERY)
def test_auto_follows_the_background(name):
    def ink(background: str, **look: str) -> str:
        ax = draw(name, panel(facecolor=background), **look)
        title = ax.get_title(loc="left")
        return next(text.get_color() for text in ax.findobj(Text) if text.get_text() == title)

    assert ink("white") == THEMES["light"].text
    assert ink("#101010") == THEMES["dark"].text
    with mpl.rc_context({"figure.facecolor": "black"}):
        assert ink("none") == THEMES["dark"].text
    assert ink("white", theme="dark") == THEMES["dark"].text


@pytest.mark.parametrize("name", EVERY)
def test_threads_draw_the_same_picture(name):
    pictures: list[bytes] = []
    gate = threading.Barrier(8)

    def work() -> None:
        gate.wait()
        pictures.append(picture(draw(name, panel(5, 3), theme="dark")))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pictures) == 8
    assert len(set(pictures)) == 1


@pytest.mark.parametrize("name", [*EVERY, *DENSE])
@pytest.mark.parametrize("size", [(9.0, 4.2), (4.2, 3.0)])
def test_no_text_is_cut_off_or_lies_on_another(name, size):
    ax = DENSE[name](ax=panel(*size)) if name in DENSE else draw(name, panel(*size))
    boxes = text_boxes(ax)
    page = ax.figure.bbox
    for text, box in boxes:
        inside = page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1 and page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1
        assert inside, text
    for (text, box), (other, other_box) in itertools.combinations(boxes, 2):
        shared = Bbox.intersection(box, other_box)
        assert shared is None or min(shared.width, shared.height) < 2, (text, other)


@pytest.mark.parametrize("name", EVERY)
def test_no_font_is_asked_for(name):
    """The user's font family is the one of every text."""
    with mpl.rc_context({"font.family": ["monospace"]}), warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = draw(name, panel())
        ax.figure.canvas.draw()
    assert {tuple(text.get_fontfamily()) for text in ax.findobj(Text) if text.get_text()} == {("monospace",)}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_themes_are_readable(theme):
    """WCAG contrast against the background: 4.5 for text, also on the strongest area, 2 for lines and areas."""
    colours = THEMES[theme]

    def luminance(rgb: tuple[float, ...]) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
        return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))

    def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
        low, high = sorted((luminance(first), luminance(second)))
        return (high + 0.05) / (low + 0.05)

    page = to_rgb(colours.background)
    for colour in (colours.text, colours.muted, colours.paper, colours.live):
        assert contrast(to_rgb(colour), page) > 4.5
    for colour in colours.series:
        assert contrast(to_rgb(colour), page) > 2
    for colour in (colours.gain, colours.loss):
        area = tuple(STRONGEST * c + (1 - STRONGEST) * p for c, p in zip(to_rgb(colour), page, strict=True))
        assert contrast(to_rgb(colours.text), area) > 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_gain_and_loss_differ_to_colour_blind_eyes(theme):
    """Simulated protanopia, deuteranopia and tritanopia (Machado and others 2009, severity 1)."""
    views = [
        # protanopia
        ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
        # deuteranopia
        ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
        # tritanopia
        ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
    ]  # fmt: skip
    colours = THEMES[theme]
    for matrix in views:
        gain, loss = (np.clip(np.array(matrix) @ to_rgb(colour), 0, 1) for colour in (colours.gain, colours.loss))
        assert np.linalg.norm(gain - loss) > 0.4
