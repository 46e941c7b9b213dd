"""What all panels do alike: they live on the client's feed, show every error, and do one thing after the other."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

import ipywidgets
import pandas as pd

from ..client import Client
from ..errors import ArgumentError
from . import render
from .feed import Snapshot, Subscription, Trouble, Update, feed_of
from .presence import Presence
from .root import Root
from .sources import Topic
from .work import Work

_log = logging.getLogger("kfut_analytics.widgets")

READ_ONLY = "This client is read-only: open it with trading=True to change anything."


class Panel(Root):
    """Part of a page that shows one thing of an account and keeps it up to date.

    Parameters
    ----------
    client
        Whose account it is.
    presence
        That of the box which the panel is put into; without one it stands alone.

    Attributes
    ----------
    status
        HTML widget that says what became of the last action, or what went wrong.
    refusal
        HTML widget that says why the last click did not count.
    head
        HTML widget with the title, the exchange's time of what is shown, and whether it is old.
    """

    title = "Panel"
    topics: frozenset[Topic] = frozenset()
    _subscription: Subscription | None = None

    def __init__(self, client: Client, *, presence: Presence | None = None) -> None:
        # First, because close() needs it, and runs even for a panel that was refused below.
        self._work = Work(self.title.lower(), {"panel": 1})
        if not isinstance(client, Client):
            raise ArgumentError(f"client={client!r} is not a client: open one with kfut.connect()")
        super().__init__(self.title.lower(), presence=presence)
        self.client = client
        self._lock = threading.RLock()
        self._badged = self._alone
        self._times: dict[Topic, pd.Timestamp] = {}
        self._troubles: dict[Topic, Trouble] = {}
        self.head = html()
        self.refusal = html()
        self.status = html()
        self._body = ipywidgets.VBox()
        self._body.add_class("kfut-body")
        self.add_class("kfut-panel")
        self._show_head()

    def begin(self, body: Sequence[Any]) -> None:
        """Show these widgets below the head, and begin to listen to the feed."""
        self._body.children = tuple(body)
        self.fill_with([self.head, self._body, self.status, self.refusal])
        self._subscription = feed_of(self.client).subscribe(self.topics, self._on_update, presence=self.presence)

    def show_badge(self) -> None:
        """Say in the head which environment it is; a panel that stands alone does."""
        self._badged = True
        self._show_head()

    # ---- what subclasses do ------------------------------------------------------------------------------------

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new; called on the feed's thread."""
        raise NotImplementedError

    # ---- the feed ----------------------------------------------------------------------------------------------

    def _on_update(self, update: Update) -> None:
        try:
            if isinstance(update, Trouble):
                self._troubles[update.topic] = update
            else:
                try:
                    self.on_snapshot(update)
                finally:
                    self._troubles.pop(update.topic, None)
                    self._times[update.topic] = update.time
            self._show_head()
        except Exception as error:
            # An exception in a callback is seen by nobody: whatever it is, it belongs on the page.
            _log.debug("showing %s failed", update.topic, exc_info=True)
            show(self.status, render.failure(error, f"Showing the {update.topic}"))

    def _show_head(self) -> None:
        oldest = min(self._times.values(), default=None)
        as_of = "reading…" if oldest is None else f"as of {oldest:%H:%M:%S} UTC"
        parts = [f"<span class='kfut-heading' role='heading' aria-level='3'>{escape(self.title)}</span>"]
        if self._badged:
            parts.append(render.badge(self.client.env, self.client.trading))
        parts.append(f"<span class='kfut-label kfut-as-of'>{as_of}</span>")
        troubles = list(self._troubles.values())
        show(self.head, f"<div class='kfut-head'>{''.join(parts)}</div>{old(troubles, oldest)}")
        (self._body.add_class if troubles else self._body.remove_class)("kfut-old")

    def tick(self, symbol: str) -> float:
        """A contract's price step; NaN where it is not known."""
        return feed_of(self.client).ticks.get(symbol, math.nan)

    # ---- actions -----------------------------------------------------------------------------------------------

    def submit(self, doing: str, work: Callable[..., None], *args: object) -> None:
        """Do something on the panel's own thread, after what was begun before."""
        show(self.refusal, "")
        self._work.begin("panel", doing, self.tell, work, *args)

    def tell(self, text: str) -> None:
        """Say what became of the last action."""
        show(self.status, text)

    def refused(self, text: str) -> None:
        """Say why a click did not count."""
        show(self.refusal, render.message("note", "Click refused", text))

    def refresh(self, topics: Iterable[Topic] = ()) -> None:
        """Look again as soon as can be."""
        feed_of(self.client).refresh(*(topics or self.topics))

    def wait(self, timeout: float = 30.0) -> None:
        """Wait until everything is shown once and no action is under way.

        Raises
        ------
        TimeoutError
            If that is not so after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self.topics <= self._times.keys() | self._troubles.keys():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the {self.title.lower()} are not known after {timeout:g} s")
            time.sleep(0.01)
        self._work.wait(deadline - time.monotonic())

    def close(self) -> None:
        """Take the panel off the page; an action that has begun is finished."""
        self._work.close()
        if self._subscription is not None:
            self._subscription.close()
        super().close()


def old(troubles: Sequence[Trouble], since: pd.Timestamp | None) -> str:
    """That what is shown is old, and why; empty if nothing is wrong."""
    if not troubles:
        return ""
    first = min(troubles, key=lambda trouble: trouble.since)
    shown = "Nothing is shown yet" if since is None else f"What is shown is of {since:%H:%M:%S} UTC"
    return render.message("bad", f"Connection trouble. {shown}.", str(first.error))


def html(text: str = "") -> Any:
    """An HTML widget."""
    widget = ipywidgets.HTML()
    show(widget, text)
    return widget


def show(widget: Any, text: str) -> None:
    """Set an HTML widget's text; an empty one takes no room."""
    if widget.value != text:
        widget.value = text
    widget.layout.display = None if text else "none"
