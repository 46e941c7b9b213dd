"""The box that every widget of this package is shown in: it never shows what is past as if it were present."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets
from IPython.display import HTML, display

from .presence import Presence, refuse_voila
from .style import CSS

_UNLOADED = (
    "Not connected: this page could not load the part that watches the connection to the kernel. Install anywidget "
    "where JupyterLab itself runs (pip install anywidget), then reload the page."
)


class Root(ipywidgets.VBox):  # type: ignore[misc]
    """A box whose content is shown only while its kernel lives.

    Parameters
    ----------
    what
        What it is, for the reader: ``order ticket``.
    presence
        That of the box which this one is put into; without one it stands alone and has its own.

    Attributes
    ----------
    presence
        Knows whether somebody looks.
    """

    presence: Presence
    _alone = False

    def __init__(self, what: str, *, presence: Presence | None = None) -> None:
        refuse_voila()
        self._what = what
        self._alone = presence is None
        self.presence = Presence(what) if presence is None else presence
        super().__init__()
        self.add_class("kfut")
        if self._alone:
            self.add_class("kfut-root")

    def fill_with(self, children: Sequence[Any]) -> None:
        """Put widgets into the box."""
        if self._alone:
            unloaded = ipywidgets.HTML(f"<div class='kfut-offline' role='alert'>{escape(_UNLOADED)}</div>")
            unloaded.add_class("kfut-unloaded")
            style = ipywidgets.HTML(CSS, layout=ipywidgets.Layout(display="none"))
            children = [style, self.presence, unloaded, *children]
        self.children = tuple(children)

    def close(self) -> None:
        """Take it off the page, with everything in it."""
        for child in self.children:
            _close(child)
        super().close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}: a widget, shown while its kernel runs"

    def _ipython_display_(self, **_options: Any) -> None:
        # A notebook saves the words, not the widget; the look hides them while the widget is there.
        display(HTML(saved_notice(self._what)))  # type: ignore[no-untyped-call]
        display(self._repr_mimebundle_(), raw=True)  # type: ignore[no-untyped-call]


def _close(widget: Any) -> None:
    # A box of another kind does not close what is in it.
    if not isinstance(widget, Root):
        for child in getattr(widget, "children", ()):
            _close(child)
    widget.close()


def saved_notice(what: str) -> str:
    """What a saved notebook shows in place of a widget."""
    return (
        "<style>.jp-OutputArea-child:has(.kfut-saved) + .jp-OutputArea-child:not(:has(.kfut-root)) { display: none }"
        "</style>"
        f"<div class='kfut-saved'>{escape(what.capitalize())}: not connected, unless it is shown below. "
        "Run this cell to connect it.</div>"
    )
