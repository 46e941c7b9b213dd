"""A button that asks back: the second click counts, once, for some seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets

from .session import Permit
from .table import REFUSALS

LIFETIME = 15.0
"""Seconds for which the question stands."""


class Confirm(ipywidgets.HBox):  # type: ignore[misc]
    """A button, and after a click on it a question with *Yes* and *No*.

    Each question has a *Yes* of its own, which holds the permit to do it: a click on an earlier one, a second click,
    and one that comes too late are refused.

    Parameters
    ----------
    text, title
        Text of the button, and what it does.
    act
        Called by the click that counts, on the thread where it arrives.
    refused
        Called with what is to be told about one that does not.
    off
        Why it cannot be done; empty if it can.

    Attributes
    ----------
    question
        What is asked.
    """

    def __init__(
        self, text: str, title: str, act: Callable[[], None], refused: Callable[[str], None], *, off: str = ""
    ) -> None:
        self.question = f"{text}?"
        self._text, self._act, self._refused, self._off = text, act, refused, off
        self._lock = threading.Lock()
        self._asked = 0
        self._permit: Permit[str] | None = None
        self.button = ipywidgets.Button(
            description=f"{text}…",
            tooltip=off or title,
            disabled=bool(off),
            layout=ipywidgets.Layout(width="auto"),
        )
        self.button.on_click(self._on_ask)
        super().__init__()
        self._back()
        self.add_class("kfut-confirm")

    @property
    def shown(self) -> bool:
        """Whether it is on the page."""
        return bool(self.layout.display != "none")

    @shown.setter
    def shown(self, shown: bool) -> None:
        self.layout.display = None if shown else "none"

    def _on_ask(self, _button: Any) -> None:
        if self._off:
            self._refused(self._off)
            return
        permit = Permit(self._text, LIFETIME)
        with self._lock:
            if self._permit is not None:
                self._permit.void("superseded")
            self._permit = permit
            self._asked += 1
            asked = self._asked
        yes = ipywidgets.Button(
            description=f"Yes: {self._text.lower()}", button_style="danger", layout=ipywidgets.Layout(width="auto")
        )
        yes.on_click(partial(self._on_yes, permit))
        no = ipywidgets.Button(description="No", layout=ipywidgets.Layout(width="auto"))
        no.on_click(lambda _button: self._back())
        question = ipywidgets.HTML(f"<span role='alert'>{self.question}</span>")
        self._put(question, no, yes)
        no.focus()
        timer = threading.Timer(LIFETIME, self._expire, (asked,))
        timer.daemon = True
        timer.start()

    def _on_yes(self, permit: Permit[str], _button: Any) -> None:
        verdict = permit.use(self._text)
        if verdict != "granted":
            self._refused(REFUSALS[verdict])
            return
        self._back()
        self._act()

    def _expire(self, asked: int) -> None:
        if asked == self._asked and len(self.children) > 1:
            self._back()

    def _back(self) -> None:
        self._put(self.button)

    def _put(self, *children: Any) -> None:
        self.children = children
