"""Arming: an order goes to the live exchange only after somebody has said, in letters, that it shall."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets

WORD = "LIVE"
"""What is typed to arm a ticket."""

MINUTES = 5.0
"""How long it stays armed."""


class Arming(ipywidgets.HBox):  # type: ignore[misc]
    """Whether a ticket may send to the live exchange. Anywhere else it always may, and nothing is shown.

    Parameters
    ----------
    live
        Whether it is the live exchange.
    minutes
        How long it stays armed.
    clock
        Seconds that only move forward; exchanged in tests.
    """

    def __init__(self, live: bool, *, minutes: float = MINUTES, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        self._seconds = 60 * minutes
        self._clock = clock
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._listeners: list[Callable[[], None]] = []
        self.word = ipywidgets.Text(
            placeholder=f"type {WORD} to arm", description="Arming", continuous_update=True,
            style={"description_width": "5em"}, layout=ipywidgets.Layout(width="15em"),
        )  # fmt: skip
        self.arm_button = ipywidgets.Button(description="Arm", layout=ipywidgets.Layout(width="auto"))
        self.disarm_button = ipywidgets.Button(description="Disarm", layout=ipywidgets.Layout(width="auto"))
        self.state = ipywidgets.HTML()
        self.arm_button.on_click(self._on_arm)
        self.disarm_button.on_click(lambda _button: self.disarm())
        super().__init__([self.word, self.arm_button, self.disarm_button, self.state])
        self.add_class("kfut-arming")
        self.layout.display = None if live else "none"
        self._show()

    @property
    def armed(self) -> bool:
        """Whether orders may be sent now."""
        with self._lock:
            return not self._live or self._clock() < self._until

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call when it is armed or disarmed, or when its time is over."""
        self._listeners.append(callback)

    def _on_arm(self, _button: Any) -> None:
        if self.word.value.strip() != WORD:
            self.state.value = f"<span class='kfut-problem' role='alert'>✗ type {WORD} first</span>"
            return
        with self._lock:
            self._until = self._clock() + self._seconds
        self.word.value = ""
        self._show()
        timer = threading.Timer(self._seconds + 0.1, self._show)
        timer.daemon = True
        timer.start()

    def disarm(self, why: str = "") -> None:
        """Send nothing any more; with the reason, where it is not the person's own wish."""
        with self._lock:
            was_armed, self._until = self._live and self._clock() < self._until, float("-inf")
        self._show(why if was_armed else "")

    def _show(self, why: str = "") -> None:
        armed = self.armed
        for widget, shown in ((self.word, not armed), (self.arm_button, not armed), (self.disarm_button, armed)):
            widget.layout.display = None if shown else "none"
        text = f"disarmed: {why}" if why else "not armed: nothing can be sent"
        if armed:
            left = math.ceil(max(0.0, min(self._seconds, self._until - self._clock())))
            # The style sheet counts down, so that it costs the kernel nothing.
            counter = f"<span class='kfut-remaining' style='--kfut-from:{left};--kfut-lifetime:{left}s'></span>"
            text = f"ARMED for {self._seconds / 60:g} minutes, {counter} s left"
        self.state.value = f"<span class='{'kfut-armed' if armed else 'kfut-label'}' role='status'>{text}</span>"
        for listener in list(self._listeners):
            listener()
