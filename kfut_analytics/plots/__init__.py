"""Charts: one function per chart, ``ax=None`` in and Axes out.

Every chart takes, after what it draws,

``ax``
    Where to draw. Without one a figure is made through pyplot, which a notebook shows once; from threads, and for
    several charts on one page, pass the Axes of your own ``matplotlib.figure.Figure(layout="constrained")``.
``theme``
    ``"light"``, ``"dark"``, or ``"auto"``: as the background of the figure is, which matplotlib's own settings say for
    a new one.
``env``
    The environment of the badge, such as ``"paper"`` or ``"live"``; by default the one the figures come from.
``as_of``
    Time of the figures, as a datetime, ISO text or an offset such as ``"-1h"``; by default the one they have.

No setting of matplotlib is changed, and fonts are the user's. Long series are thinned to what a screen can show without
losing an extreme. Where there is nothing to draw, a sentence says so.
"""

from .accounting import pnl
from .bridge import bridge
from .calendar import daily_pnl
from .carry import basis, funding_rates, term_structure
from .contracts import funding_paid, pnl_by_contract
from .curves import equity, equity_curve, underwater
from .depth import depth
from .edge import liquidation
from .exposure import exposure
from .price import price
from .risk import margin_history, margin_usage
from .shocks import stress, stress_map
from .trips import pnl_distribution, round_trips

__all__ = [
    "basis",
    "bridge",
    "daily_pnl",
    "depth",
    "equity",
    "equity_curve",
    "exposure",
    "funding_paid",
    "funding_rates",
    "liquidation",
    "margin_history",
    "margin_usage",
    "pnl",
    "pnl_by_contract",
    "pnl_distribution",
    "price",
    "round_trips",
    "stress",
    "stress_map",
    "term_structure",
    "underwater",
]
