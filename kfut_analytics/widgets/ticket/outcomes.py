"""What became of the orders that a ticket has sent: the newest, and every one that is not settled yet."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any, Protocol

import ipywidgets

from ...client import Client
from ...guards.bracket import Bracket
from ...orders import Order, OrderResult
from ...times import utc_now
from .. import render
from ..work import Tell


class Sent(Protocol):
    """An order that was sent, and what is known of it."""

    def look(self) -> bool:
        """Look again; whether it is settled, so that nothing will change any more."""
        ...

    def page(self) -> str:
        """What is known, as HTML."""
        ...


class SentOrder:
    """An order by itself."""

    def __init__(self, client: Client, order: Order, result: OrderResult) -> None:
        self._client, self._order, self._result = client, order, result
        self._time = utc_now()

    def look(self) -> bool:
        """Look again; whether its fate is known."""
        if self._result.status == "unknown" and (known := self._client.outcome(self._result.cli_ord_id)):
            self._result, self._time = known, utc_now()
        return self._result.status != "unknown"

    def page(self) -> str:
        """What is known."""
        return render.outcome(self._order, self._result, self._time)


class SentBracket:
    """An entry with exits, which this kernel watches until they are over."""

    def __init__(self, client: Client, bracket: Bracket) -> None:
        self._client, self._bracket = client, bracket
        self._entry = None if bracket.result is None else SentOrder(client, bracket.entry, bracket.result)

    def look(self) -> bool:
        """Look again; whether it is over, or nobody watches it any more."""
        known = self._entry is None or self._entry.look()
        return known and not self._watched

    def page(self) -> str:
        """What is known."""
        entry = "" if self._entry is None else self._entry.page()
        return entry + render.bracket(self._bracket, watched=self._watched)

    @property
    def _watched(self) -> bool:
        return self._bracket.watched and not self._bracket.over and not self._client.closed


class Outcomes:
    """The place where it is told, newest first.

    Attributes
    ----------
    widget
        HTML widget with all of it.
    """

    def __init__(self) -> None:
        self.widget = ipywidgets.HTML(layout=ipywidgets.Layout(display="none"))
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._texts: dict[int, str] = {}
        self._settled: set[int] = set()

    def begin(self, text: str) -> tuple[Tell, Callable[[], None]]:
        """A place for a new order, with its first text: how to replace that, and how to say that it is settled."""
        with self._lock:
            number = next(self._numbers)
            for old in self._settled:
                self._texts.pop(old, None)
            self._settled.clear()

        def tell(text: str) -> None:
            with self._lock:
                self._texts[number] = text
                self._show()

        tell(text)
        return tell, lambda: self._settled.add(number)

    def _show(self) -> None:
        texts = [text for _, text in sorted(self._texts.items(), reverse=True)]
        value: Any = "".join(texts)
        if self.widget.value != value:
            self.widget.value = value
        self.widget.layout.display = None if value else "none"
