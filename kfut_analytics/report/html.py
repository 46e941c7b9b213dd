"""A report as one HTML page that needs nothing else: no other file, no network, no script."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from .._version import __version__
from ..plots.style import THEMES
from . import drawing, templating
from .model import Chart, Part, Report


def render(report: Report, folder: Path | None = None) -> bytes:
    """The page; all text from the exchange is escaped.

    Parameters
    ----------
    report
        What `build` gathered.
    folder
        Templates that come before ours.
    """
    environment = templating.environment(folder, escape=True)

    def show(part: Part) -> Markup:
        picture = Markup(drawing.svg(part)) if isinstance(part, Chart) else ""
        return Markup(environment.get_template("part.html.jinja").render(part=part, picture=picture))

    environment.globals["show"] = show
    text = templating.render(
        environment,
        "page.html.jinja",
        report=report,
        version=__version__,
        light=drawing.properties(THEMES["light"]),
        dark=drawing.properties(THEMES["dark"]),
    )
    return text.encode()
