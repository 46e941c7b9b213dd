"""The kinds of markets that an exchange can have."""

from __future__ import annotations

from kfut_analytics.errors import ArgumentError
from kfut_analytics.paper.market import Market
from kfut_analytics.paper.simulated import SimulatedMarket

KINDS = ("simulated", "live")


def open_market(kind: str, *, seed: int, url: str | None) -> Market:
    """A market of a kind: a simulated one of a seed, or one that follows the public data of the exchange at an address.

    Raises
    ------
    ArgumentError
        If this version has no such market.
    """
    if kind == "live":
        raise ArgumentError("market='live' is not part of this version: leave market out for the simulated market")
    return SimulatedMarket(seed)
