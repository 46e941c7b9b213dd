"""A table that lives: rows are updated in place, and each may carry buttons that count once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anywidget
import traitlets

from .render import Tone
from .session import Permit, Verdict

LIFETIME = 20.0
"""Seconds for which a row may be acted on after it was shown."""

PAUSE = 1.0
"""Seconds after an action in which its row takes no other: the second click of a double click falls into them."""

_TOLD = 20.0
"""Seconds for which the outcome of an action stays at its row."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; numbers are aligned ``right``."""

    name: str
    label: str
    align: Literal["left", "right"] = "left"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A button of every row that offers it.

    Attributes
    ----------
    name, label, title
        Its name for the program, its text, and what it does.
    sends
        Whether it sends something to the exchange, and so needs a permit.
    fields, submit
        Name and label of what is asked for in a form below the row, and the text of the form's button.
    """

    name: str
    label: str
    title: str
    sends: bool = True
    fields: tuple[tuple[str, str], ...] = ()
    submit: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, with a second line below it; the tone repeats what sign, shape or word say. A long one may ``wrap``."""

    text: str
    sub: str = ""
    tone: Tone | Literal[""] = ""
    title: str = ""
    wrap: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row.

    Attributes
    ----------
    key
        Tells it from all others, always the same for the same thing.
    cells
        By the column's name.
    label
        What it is, in words, for its buttons: ``buy 0.01 PF_XBTUSD``.
    actions
        Names of the actions that it offers.
    values
        What a form begins with, by the field's name; fields that are not here are not asked for.
    """

    key: str
    cells: Mapping[str, Cell | str]
    label: str = ""
    actions: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Click:
    """What somebody wants of a row: ``typed`` is what stands in the form, ``begun`` what it began with."""

    action: str
    key: str
    typed: Mapping[str, str]
    begun: Mapping[str, str]


REFUSALS: dict[Verdict, str] = {
    "used": "That click counted already, once. Look at the row before you click again.",
    "stale": "The click came too late: what was shown then may have changed. Look again, and click again.",
    "changed": "The click belongs to another row.",
    "superseded": "The click belongs to what was shown before.",
}
"""What a refused click is told."""


class Table(anywidget.AnyWidget):
    """Rows of one kind.

    Parameters
    ----------
    label
        What they are, for screen readers.
    columns, actions
        What each row has and may offer.
    empty
        What stands in place of no rows.
    on_click
        Called with a click that counts. It runs where the click arrives: it should hand over what takes time.
    on_refused
        Called with what is to be told about one that does not.
    """

    _esm = Path(__file__).with_name("table.js")

    label = traitlets.Unicode().tag(sync=True)
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
    actions: traitlets.List[Any] = traitlets.List().tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    off = traitlets.Unicode().tag(sync=True)
    """Why nothing can be sent; empty if it can."""

    def __init__(
        self,
        label: str,
        columns: Iterable[Column],
        *,
        actions: Iterable[Action] = (),
        empty: str,
        on_click: Callable[[Click], None] | None = None,
        on_refused: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Clicks and new rows come on different threads; this lock guards the attributes that follow.
        self._lock = threading.RLock()
        self._clock = clock
        self._numbers = itertools.count(1)
        self._shown: list[Row] = []
        self._permits: dict[str, tuple[float, Permit[str]]] = {}
        self._busy: set[str] = set()
        self._final: set[str] = set()
        self._rested: dict[str, float] = {}
        self._notes: dict[str, tuple[float, dict[str, str]]] = {}
        self._actions = {action.name: action for action in actions}
        self._on_click = on_click or (lambda _click: None)
        self._on_refused = on_refused or (lambda _text: None)
        super().__init__(
            label=label,
            columns=[_plain(column) for column in columns],
            actions=[
                _plain(action) | {"fields": [{"name": name, "label": text} for name, text in action.fields]}
                for action in self._actions.values()
            ],
            empty=empty,
        )
        self.on_msg(self._on_message)

    def show(self, rows: Iterable[Row]) -> None:
        """Show these rows; each may be acted on for some seconds from now."""
        with self._lock:
            self._shown = list(rows)
            present = {row.key for row in self._shown}
            self._busy &= present
            self._final &= present
            self._draw()

    def begin(self, key: str, text: str) -> None:
        """An action of a row is under way; it takes no other until `end`."""
        with self._lock:
            self._busy.add(key)
            self._note(key, "note", text)
            self._draw()

    def end(self, key: str, tone: Tone, text: str, *, sent: bool = True, final: bool = False) -> None:
        """What became of an action; after a ``final`` one the row takes no other, and will go."""
        with self._lock:
            self._busy.discard(key)
            if sent:
                self._rested[key] = self._clock() + PAUSE
                again = threading.Timer(PAUSE, self._again)
                again.daemon = True
                again.start()
            if final:
                self._final.add(key)
            self._note(key, tone, text)
            self._draw()

    def _again(self) -> None:
        with self._lock:
            self._draw()

    def _note(self, key: str, tone: Tone, text: str) -> None:
        self._notes[key] = self._clock() + _TOLD, {"tone": tone, "text": text}

    def _draw(self) -> None:
        now = self._clock()
        self._notes = {key: note for key, note in self._notes.items() if note[0] > now or key in self._busy}
        self._permits = {number: kept for number, kept in self._permits.items() if kept[0] > now - 10 * LIFETIME}
        self.rows = [self._drawn(row, now) for row in self._shown]

    def _drawn(self, row: Row, now: float) -> dict[str, Any]:
        resting = row.key in self._busy or row.key in self._final or self._rested.get(row.key, now) > now
        permit = ""
        if row.actions and not resting:
            permit = str(next(self._numbers))
            self._permits[permit] = now, Permit(row.key, LIFETIME, self._clock)
        note = self._notes.get(row.key)
        return {
            "key": row.key,
            "cells": {
                name: {"text": cell} if isinstance(cell, str) else _filled(cell) for name, cell in row.cells.items()
            },
            "label": row.label,
            "actions": [] if row.key in self._final else list(row.actions),
            "values": dict(row.values),
            "permit": permit,
            "busy": row.key in self._busy,
            "note": note[1] if note else None,
        }

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        action = self._actions.get(str(content.get("action")))
        key, number = str(content.get("key")), str(content.get("permit"))
        if action is None:
            return
        if action.sends:
            if self.off:
                self._on_refused(self.off)
                return
            with self._lock:
                _, permit = self._permits.get(number, (0.0, None))
                verdict: Verdict = permit.use(key) if permit is not None else "used" if not number else "stale"
            if verdict != "granted":
                self._on_refused(REFUSALS[verdict])
                return
        self._on_click(Click(action.name, key, content.get("typed") or {}, content.get("begun") or {}))


def _plain(thing: Any) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in thing.__slots__}


def _filled(cell: Cell) -> dict[str, Any]:
    return {name: value for name, value in _plain(cell).items() if value or name == "text"}
