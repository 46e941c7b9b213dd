"""Several panels below each other, with one presence: open orders, recent fills and the journal."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from ..client import Client
from .journal import JournalPanel
from .open_orders import OrdersPanel
from .panel import Panel
from .presence import Presence
from .recent_fills import FillsPanel
from .root import Root


class Panels(Root):
    """Panels below each other.

    Attributes
    ----------
    panels
        The panels.
    """

    panels: tuple[Panel, ...] = ()

    def __init__(self, what: str, presence: Presence | None = None) -> None:
        super().__init__(what, presence=presence)
        self.add_class("kfut-panel")

    def stack(self, panels: Sequence[Panel]) -> None:
        """Show these panels."""
        self.panels = tuple(panels)
        stacked = ipywidgets.VBox(self.panels)
        stacked.add_class("kfut-panels")
        if self._alone:
            self.panels[0].show_badge()
        self.fill_with([stacked])

    def wait(self, timeout: float = 30.0) -> None:
        """Wait until everything is shown once and no action is under way.

        Raises
        ------
        TimeoutError
            If that is not so after ``timeout`` seconds.
        """
        for panel in self.panels:
            panel.wait(timeout)


class Blotter(Panels):
    """Open orders, recent fills and the journal, up to date. Shown by the notebook cell that ends with it.

    Parameters
    ----------
    client
        Whose orders they are. Without ``trading=True`` nothing can be changed.
    presence
        That of the box which the blotter is put into; without one it stands alone.

    Attributes
    ----------
    orders, fills, journal
        The panels.
    """

    def __init__(self, client: Client, *, presence: Presence | None = None) -> None:
        super().__init__("blotter", presence)
        self.orders = OrdersPanel(client, presence=self.presence)
        self.fills = FillsPanel(client, presence=self.presence)
        self.journal = JournalPanel(client, presence=self.presence)
        self.stack([self.orders, self.fills, self.journal])
