"""Charts of a report as pictures: SVG that follows the page's theme, PNG, and PDF."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import asdict

import matplotlib as mpl
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from ..plots.style import THEMES, Theme
from .model import WIDTH, Chart

DPI = 144
"""Of PNG: twice what a screen shows."""


_LONG = re.compile(r"\d+\.\d{3,}")
"""Coordinates with more decimals than anyone sees: a hundredth of a point is enough."""

_TAG = re.compile(r"<[^>]*>")
"""Where coordinates are; the figures in texts keep all their digits."""

_DOT = re.compile(r"M (\S+) (\S+) \n((?:C (?:\S+ ){6}\n){3}C (?:\S+ ){4}(\S+) (\S+) \n)(?:C (?:\S+ ){6}\n){4}z")
"""A dot of a hatch, which matplotlib draws as eight curves; there are thousands."""

_HATCHED = re.compile(r'(<rect [^>]*fill="(#[0-9a-f]{6})")(/>\s*<path [^>]*stroke: \2)')
"""Hatches in the colour of what they lie on, which is translucent then; SVG would show it solid."""


def drawn(chart: Chart) -> Figure:
    """The drawing on a figure of its own, in the light theme."""
    figure = Figure(figsize=(WIDTH, chart.height), layout="constrained")
    chart.draw(figure)
    # Laid out here and once: saving a figure that has a layout engine draws everything twice.
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)  # "none" would leave an engine that lays out nothing, and draws nevertheless
    return figure


def svg(chart: Chart) -> str:
    """An SVG element whose colours are CSS properties, so that one drawing serves light and dark."""
    buffer = io.StringIO()
    # The salt keeps the ids of two drawings on one page apart and the page the same for the same figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": chart.key}):
        drawn(chart).savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"(/?)>', r"<g\1>", text)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = _TAG.sub(lambda tag: _LONG.sub(lambda found: f"{float(found.group()):.2f}", tag.group()), text)
    text = _DOT.sub(_as_arcs, text)
    text = _HATCHED.sub(r'\1 fill-opacity="0.5"\3', text)
    for key, colour in properties(THEMES["light"]).items():
        text = text.replace(colour, f"var({key})")
    return text


def _as_arcs(dot: re.Match[str]) -> str:
    """A dot as two arcs, from a point on its edge to the one across and back."""
    x, y, _, far_x, far_y = dot.groups()
    radius = math.hypot(float(far_x) - float(x), float(far_y) - float(y)) / 2
    arc = f"A{radius:.2f} {radius:.2f} 0 1 1"
    return f"M{x} {y}{arc} {far_x} {far_y}{arc} {x} {y}z"


def properties(theme: Theme) -> dict[str, str]:
    """A theme as CSS properties."""
    colours = asdict(theme)
    series = colours.pop("series")
    named = {f"--{key}": colour for key, colour in colours.items()}
    return named | {f"--series-{rank}": colour for rank, colour in enumerate(series)}


def png(chart: Chart) -> bytes:
    """A PNG of `DPI`, the same for the same figures."""
    buffer = io.BytesIO()
    drawn(chart).savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def pdf(charts: Sequence[Chart]) -> bytes:
    """A PDF with a page for each drawing, text as text; they share their fonts."""
    buffer = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42}), PdfPages(buffer, metadata={"CreationDate": None}) as pages:
        for chart in charts:
            pages.savefig(drawn(chart), transparent=True)
    return buffer.getvalue()
