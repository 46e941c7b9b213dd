"""A field in which one of many is found by words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets


class Finder(anywidget.AnyWidget):
    """A labelled field with a list of what fits the words that are typed into it.

    Parameters
    ----------
    label, placeholder
        What stands beside and in it.
    value
        What is chosen at first.
    nothing
        What the list says where nothing fits.

    Attributes
    ----------
    value
        What is chosen, or whatever else was typed.
    options
        What can be chosen: value, description, and words by which it is found as well, of each.
    wrong
        Whether it is shown to be wrong.
    """

    _esm = Path(__file__).with_name("finder.js")

    value = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    placeholder = traitlets.Unicode("").tag(sync=True)
    nothing = traitlets.Unicode("").tag(sync=True)
    options: Any = traitlets.List().tag(sync=True)
    wrong = traitlets.Bool(False).tag(sync=True)

    def __init__(self, label: str, *, value: str, placeholder: str, nothing: str) -> None:
        super().__init__(label=label, value=value, placeholder=placeholder, nothing=nothing)
