"""The Send button: one per review, and it knows how long a click was under way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

LATE = 3.0
"""Seconds that a click may be under way: from a busy kernel it comes later, and prices have moved on."""


class SendButton(anywidget.AnyWidget):
    """A button that tells how late each click arrives.

    Parameters
    ----------
    act
        Called with the seconds that the click was under way, on whatever thread it arrives.
    button_style
        ``primary`` or ``danger``.
    clock
        Seconds that only move forward; exchanged in tests.
    """

    _esm = Path(__file__).with_name("send.js")

    description = traitlets.Unicode("Send").tag(sync=True)
    tooltip = traitlets.Unicode("").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    button_style = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, act: Callable[[float], None], *, button_style: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._act = act
        self._clock = clock
        self._made = clock()
        super().__init__(button_style=button_style)
        self.on_msg(self._on_message)

    def click(self) -> None:
        """Click it, from Python."""
        self._act(0.0)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        shown = content.get("shown")
        if isinstance(shown, (int, float)) and shown >= 0:
            self._act(max(0.0, self._clock() - self._made - shown))
        else:  # a click that does not say since when it was possible may be of any age
            self._act(math.inf)
