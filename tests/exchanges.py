"""Paper exchanges for the tests of other rooms."""

from __future__ import annotations

from kfut_analytics.paper.clock import WallClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

OPENED = 1_795_334_400.0 + 1234.5


def open_exchange() -> PaperServer:
    """A fresh account on an exchange whose clock runs from a fixed moment: its prices are those that tests name."""
    return PaperServer(open_empty(0, WallClock(start=OPENED)), ApiKey("empty"))
