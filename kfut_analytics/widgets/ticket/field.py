"""A field for a number that is typed: its text, steps, buttons that fill it, and the problem it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets


class NumberField(anywidget.AnyWidget):
    """A labelled field whose text stays as it is typed.

    Parameters
    ----------
    label, placeholder
        What stands beside and in it.
    steps
        Whether it has steppers; arrow keys do the same.

    Attributes
    ----------
    value
        The text.
    chips
        Buttons that fill it: name, text and title of each.
    problem
        What is wrong with it and the text that would be right; both empty if nothing is.
    """

    _esm = Path(__file__).with_name("field.js")

    value = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    placeholder = traitlets.Unicode("").tag(sync=True)
    steps = traitlets.Bool(False).tag(sync=True)
    chips: Any = traitlets.List().tag(sync=True)
    problem = traitlets.List(["", ""]).tag(sync=True)

    def __init__(self, label: str, *, placeholder: str = "", steps: bool = False) -> None:
        super().__init__(label=label, placeholder=placeholder, steps=steps)
        self._listeners: dict[str, Callable[[Any], None]] = {}
        self.on_msg(self._on_message)

    def on(self, what: str, act: Callable[[Any], None]) -> None:
        """Call for ``step`` (how many), ``chip`` (its name) or ``enter``, on whatever thread it arrives."""
        self._listeners[what] = act

    def complain(self, text: str = "", suggestion: object = None) -> None:
        """Say what is wrong and what would be right; nothing without a text."""
        self.problem = [text, "" if suggestion is None else str(suggestion)]

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if isinstance(typed := content.get("typed"), str):
            self.value = typed
        if isinstance(taken := content.get("take"), str):
            self.value = taken
        for what, act in self._listeners.items():
            if what in content:
                act(content[what])
