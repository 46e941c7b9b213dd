"""A choice between a few, each of them a button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets


class Toggle(anywidget.AnyWidget):
    """Buttons of which one is chosen. Those of ipywidgets do not tell a screen reader which one it is.

    Parameters
    ----------
    label
        What is chosen.
    options
        Value, text and title of each; the first is chosen at first.
    """

    _esm = Path(__file__).with_name("toggle.js")

    value = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    options: Any = traitlets.List().tag(sync=True)

    def __init__(self, label: str, options: list[tuple[str, str, str]]) -> None:
        super().__init__(label=label, options=options, value=options[0][0])
