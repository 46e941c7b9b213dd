"""Widgets for a notebook cell: the order ticket, the blotter, positions and a monitor.

``feed`` asks the exchange for whatever is shown, ``presence`` knows whether somebody looks and whether the kernel
lives, and ``root`` is the box around every widget, which hides what is past. ``session`` holds what makes a click
safe, ``table`` a table that is updated in place, ``render`` and ``figures`` turn objects into text, ``style`` is the
look. ``panel`` is what all panels do alike; each has a file of its own, as has the ``ticket``.
"""

from .blotter import Blotter
from .monitor import Monitor
from .positions import PositionsPanel
from .ticket import OrderTicket

__all__ = ["Blotter", "Monitor", "OrderTicket", "PositionsPanel"]
