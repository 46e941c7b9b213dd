"""A report as Markdown, with its charts as PNG files in a folder beside it.

Files, because most that show Markdown (GitHub, chats, editors) refuse pictures inside of it.
"""

from __future__ import annotations

import re
from pathlib import Path

from .._version import __version__
from . import drawing, templating
from .model import Chart, Part, Report, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, also within a table."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def render(report: Report, pictures: str, folder: Path | None = None) -> bytes:
    """The text.

    Parameters
    ----------
    report
        What `build` gathered.
    pictures
        Name of the folder of the charts.
    folder
        Templates that come before ours.
    """
    environment = templating.environment(folder, escape=False)
    environment.filters["md"] = escaped

    def show(part: Part) -> str:
        widths = _widths(part) if isinstance(part, Table) else []
        template = environment.get_template("part.md.jinja")
        return template.render(part=part, pictures=pictures, widths=widths)

    environment.globals["show"] = show
    text = templating.render(environment, "page.md.jinja", report=report, version=__version__)
    return (re.sub(r"\n{3,}", "\n\n", text).strip() + "\n").encode()


def _widths(table: Table) -> list[int]:
    """Characters of each column, so that the text reads as a table too."""
    rows = [table.heads, *([value.text for value in row] for row in table.shown)]
    return [max(len(escaped(text)) for text in column) for column in zip(*rows, strict=True)]


def pictures(report: Report) -> dict[str, bytes]:
    """File names and contents of the charts."""
    return {f"{chart.key}.png": drawing.png(chart) for chart in report.charts() if isinstance(chart, Chart)}
