"""What a chart has drawn, as a reader sees it."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

mpl.use("Agg")


def panel(width: float = 9.0, height: float = 4.2, **options: str) -> Axes:
    """Axes of a figure that pyplot does not know."""
    figure = Figure(figsize=(width, height), layout="constrained", **options)
    FigureCanvasAgg(figure)
    return figure.subplots()


def texts(ax: Axes) -> list[str]:
    """All that is written, lines joined."""
    ax.figure.canvas.draw()
    found = ax.figure.findobj(mpl.text.Text)
    return [text.get_text().replace("\n", " ") for text in found if text.get_visible() and text.get_text()]


def said(ax: Axes) -> str:
    """The same in one text."""
    return "\n".join(texts(ax))


def legend(ax: Axes) -> list[str]:
    """The legend's lines."""
    return [text.get_text() for text in ax.get_legend().get_texts()]


def lines(ax: Axes) -> dict[str, mpl.lines.Line2D]:
    """Lines with a label by its first word."""
    return {line.get_label().split(" ")[0]: line for line in ax.get_lines() if not line.get_label().startswith("_")}


def heights(ax: Axes, label: str) -> np.ndarray:
    """What a line's points are worth."""
    return np.asarray(lines(ax)[label].get_ydata(), dtype="float64")


def rows(ax: Axes) -> dict[str, str]:
    """Names and figures of a chart with rows, top to bottom."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    figures = [text for text in ax.texts if isinstance(text, mpl.text.Annotation)]
    assert [text.xy[1] for text in figures] == list(range(len(names)))
    return dict(zip(names, (text.get_text() for text in figures), strict=True))


def picture(ax: Axes) -> bytes:
    """The chart's figure as a PNG."""
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png", facecolor=ax.figure.get_facecolor())
    return buffer.getvalue()


def text_boxes(ax: Axes) -> list[tuple[str, Bbox]]:
    """Every text that is drawn, and its place on the page."""
    ax.figure.canvas.draw()
    renderer = ax.figure.canvas.get_renderer()
    # Axes keep labels of ticks that lie outside the view.
    outside = set()
    for axis, place in ((ax.xaxis, 0), (ax.yaxis, 1)):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-9 * (high - low)
        for label in axis.get_ticklabels():
            if not low - slack <= label.get_position()[place] <= high + slack:
                outside.add(label)
    found = ax.findobj(mpl.text.Text)
    shown = [text for text in found if text.get_visible() and text.get_text().strip() and text not in outside]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in shown]
