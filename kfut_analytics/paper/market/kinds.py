"""The kinds of markets that an exchange can have."""

from __future__ import annotations

from kfut_analytics.errors import ArgumentError
from kfut_analytics.paper.market.live import LiveMarket
from kfut_analytics.paper.market.live_source import LIVE_URL
from kfut_analytics.paper.market.protocol import Market
from kfut_analytics.paper.market.simulated import SimulatedMarket

KINDS = ("simulated", "live")


def open_market(kind: str, *, seed: int, url: str | None, speed: float = 1.0) -> Market:
    """A market of a kind: a simulated one of a seed, or one that follows the public data of the exchange at an address.

    Parameters
    ----------
    url
        Address of the exchange that is followed, by default the exchange itself.
    speed
        How fast time is going to pass.

    Raises
    ------
    ArgumentError
        If the address or the speed makes no sense.
    VenueError
        If the exchange cannot be followed.
    """
    if kind != "live":
        return SimulatedMarket(seed)
    if speed != 1:
        raise ArgumentError(f"speed={speed!r} is not the speed of the exchange that is followed: leave speed out")
    return LiveMarket(LIVE_URL if url is None else url)
