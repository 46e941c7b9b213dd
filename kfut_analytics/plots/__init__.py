"""Charts: one function per chart, ``ax=None`` in and Axes out.

Every chart says which environment it shows and as of when. No global matplotlib setting is changed. With ``ax=None``
a figure is made through pyplot; from threads pass the Axes of your own ``matplotlib.figure.Figure``. An Axes you pass
keeps its figure as it is: give that the theme's background where the theme is dark.
"""

from .accounting import pnl
from .risk import margin_usage

__all__ = ["margin_usage", "pnl"]
