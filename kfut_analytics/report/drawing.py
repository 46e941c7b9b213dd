"""Charts of a report as pictures: SVG that follows the page's theme, PNG, and PDF."""

from __future__ import annotations

import io
import re
from dataclasses import asdict

import matplotlib as mpl
from matplotlib.figure import Figure

from ..plots.style import THEMES, Theme
from .model import WIDTH, Chart

DPI = 144
"""Of PNG: twice what a screen shows."""


def drawn(chart: Chart) -> Figure:
    """The drawing on a figure of its own, in the light theme."""
    figure = Figure(figsize=(WIDTH, chart.height), layout="constrained")
    chart.draw(figure)
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
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    for key, colour in properties(THEMES["light"]).items():
        text = text.replace(colour, f"var({key})")
    return text


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


def pdf(chart: Chart) -> bytes:
    """A PDF of one page, with text as text."""
    buffer = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42}):
        drawn(chart).savefig(buffer, format="pdf", transparent=True, metadata={"CreationDate": None})
    return buffer.getvalue()
