"""Whether somebody looks at a widget, and whether what they see is connected to a kernel that lives."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..errors import ConfigurationError
from .feed import Attention

PULSE = 2.0
"""Seconds between two signs of life for the page."""

EXPECTED = 20.0
"""Seconds within which a page should show up after a widget was made."""

_SILENCE = {True: 35.0, False: 200.0}
"""Seconds after which a visible and a hidden page that says nothing is gone. Browsers wake hidden ones up rarely."""


def refuse_voila() -> None:
    """Every widget of this package calls this first.

    Raises
    ------
    ConfigurationError
        If the kernel was started by Voilà.
    """
    server = os.environ.get("SERVER_SOFTWARE", "")
    if server.startswith("voila/") or {"VOILA_PREHEAT", "VOILA_BASE_URL"} & os.environ.keys():
        raise ConfigurationError(
            "this widget works for one person in a notebook, and this kernel was started by Voilà, which gives "
            "every visitor of a page one with your API key in it: open the notebook in JupyterLab, Notebook 7 or "
            "VS Code instead"
        )


class Presence(anywidget.AnyWidget):
    """Part of a widget that knows whether it is looked at, and that says so where it is not connected.

    Put it into a box of class ``kfut-root``: the rest of the box is shown only while the kernel gives signs of life
    (`kfut_analytics.widgets.style`), so that a reopened notebook shows no price that is past.

    Parameters
    ----------
    what
        What it is part of, for the reader: ``order ticket``.

    Attributes
    ----------
    visible
        Whether a page shows it to somebody now.
    """

    _esm = Path(__file__).with_name("presence.js")

    what = traitlets.Unicode("widget").tag(sync=True)
    visible = traitlets.Bool(True)

    def __init__(self, what: str = "widget", **options: Any) -> None:
        refuse_voila()
        # Messages may arrive on any thread; this lock guards the attributes that follow.
        self._lock = threading.Lock()
        self._made = time.monotonic()
        self._seen = False
        self._views: dict[str, tuple[float, bool]] = {}
        self._listeners: list[Callable[[], None]] = []
        self._ended = False
        super().__init__(what=what, **options)
        self.on_msg(self._on_message)
        _cells.watch()
        _pulse.begin(self)

    @property
    def attention(self) -> Attention:
        """``visible`` to somebody, ``hidden`` (another tab, scrolled away), or ``gone`` from every page."""
        with self._lock:
            if self._ended:
                return "gone"
            # A kernel that is busy with a cell reads no messages: silence proves nothing then.
            now = time.monotonic()
            deaf = now if _cells.running else _cells.ended
            shown = [visible for heard, visible in self._views.values() if now - max(heard, deaf) < _SILENCE[visible]]
            if not self._seen and now - max(self._made, deaf) < EXPECTED:
                return "visible"
        return "visible" if any(shown) else "hidden" if shown else "gone"

    def on_attention(self, callback: Callable[[], None]) -> None:
        """Call whenever a page says that the attention has changed."""
        with self._lock:
            self._listeners.append(callback)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        before = self.attention
        view, now = str(content.get("view")), time.monotonic()
        with self._lock:
            self._seen = True
            if content.get("gone"):
                self._views.pop(view, None)
            else:
                self._views[view] = now, bool(content.get("visible"))
        self.visible = self.attention == "visible"
        if not content.get("gone"):
            self.pulse()
        if self.attention != before:
            with self._lock:
                listeners = list(self._listeners)
            for listener in listeners:
                listener()

    def pulse(self) -> None:
        """Give the page a sign of life; it is a message and not state, so no notebook saves it."""
        self.send({"alive": True})

    def close(self) -> None:
        """Take it off the page."""
        self._ended = True
        super().close()


class _Cells:
    """Whether the kernel is busy with a cell; outside a kernel it never is."""

    def __init__(self) -> None:
        self.running = False
        self.ended = float("-inf")
        self._watching = False

    def watch(self) -> None:
        """Begin to notice; whoever makes the first widget does so in a cell."""
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        if shell is None or self._watching:
            return
        self._watching = self.running = True
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def _begin(self, *_: object) -> None:
        self.running = True

    def _end(self, *_: object) -> None:
        self.running, self.ended = False, time.monotonic()


class _Pulse:
    """Signs of life for all widgets that a page may show, from a thread of its own: cells do not hold it up."""

    def __init__(self) -> None:
        self._presences: weakref.WeakSet[Presence] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._running = False

    def begin(self, presence: Presence) -> None:
        with self._lock:
            self._presences.add(presence)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="kfut-pulse", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(PULSE)
            with self._lock:
                for presence in [one for one in self._presences if one.comm is None]:
                    self._presences.discard(presence)
                if not self._presences or not threading.main_thread().is_alive():
                    self._running = False
                    return
                presences = list(self._presences)
            for presence in presences:
                if presence.attention != "gone":
                    presence.pulse()
            del presences


_cells = _Cells()
_pulse = _Pulse()
