"""The paper exchange: a futures exchange inside this process that speaks the real wire protocol on loopback.

It is the rehearsal stage: everything that works against it works against the real exchange, with no key and no
internet. It sends nothing anywhere; with ``market="live"`` it reads the public data of the exchange that it follows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfut_analytics.paper.server import PaperServer

__all__ = ["start"]

IN_MEMORY = ("demo", "empty")
"""Accounts that are gone with the process: one with 90 days of history, and a fresh one with 10,000 USD."""


def start(
    *,
    seed: int | None = None,
    account: str = "demo",
    port: int = 0,
    enforce_limits: bool = False,
    balance: Mapping[str, float | Decimal] | None = None,
    speed: float = 1.0,
    market: str | None = None,
    market_url: str | None = None,
    home: str | os.PathLike[str] | None = None,
) -> PaperServer:
    """Start a paper exchange in a thread of this process.

    Parameters
    ----------
    seed
        Determines the market and the demo account's story, the same within an hour for everybody; 0 unless given.
    account
        ``demo`` for an account with 90 days of history, ``empty`` for a fresh one with 10,000 USD, or the name of an
        account that is kept in a file.
    port
        Port on 127.0.0.1; 0 takes a free one.
    enforce_limits
        Whether the exchange's documented rate limits hold.
    balance
        What a kept account begins with, by currency of the multi-collateral wallet (``USD``) or name of a
        single-collateral wallet (``fi_xbtusd``); it is made if there is none of its name.
    speed
        Seconds that pass on the exchange in one of the machine's. A kept account's time is the machine's at speed 1,
        at another speed it goes on from where it stopped.
    market, market_url
        Where prices come from: ``simulated`` (the default), or ``live`` from the public data of the exchange at an
        address.
    home
        The folder for kept accounts; by default the one that ``KFUT_HOME`` names, else the user's data folder.

    Returns
    -------
    PaperServer
        Accepting connections; close it or leave that to the end of the process.

    Raises
    ------
    ArgumentError
        If there is no such account, or one that was made with something else; if an argument makes no sense.
    ConfigurationError
        If the file of a kept account cannot be opened.
    VenueError
        If the exchange at ``market_url`` cannot be followed.
    OSError
        If the port is taken.
    """
    # Not at the top: whoever never trades on paper should not load a server.
    from kfut_analytics.errors import ArgumentError
    from kfut_analytics.paper.clock import WallClock
    from kfut_analytics.paper.demo import open_demo, open_empty
    from kfut_analytics.paper.keeping.named import Origin, open_account
    from kfut_analytics.paper.market.kinds import open_market
    from kfut_analytics.paper.server import PaperServer
    from kfut_analytics.paper.wire.auth import ApiKey

    origin = Origin(balance, seed, market, market_url)
    if account not in IN_MEMORY:
        store = open_account(account, origin, speed=speed, home=home)
        try:
            key = next(iter(store.keys.values()))
            return PaperServer(store.exchange, key, port=port, enforce_limits=enforce_limits, store=store)
        except BaseException:
            store.close()
            raise
    if balance is not None:
        raise ArgumentError(
            f"account is {account!r}, which has a balance of its own: leave balance out, or give the account another "
            "name to keep it"
        )
    if account == "demo" and market == "live":
        raise ArgumentError(
            "account is 'demo', whose history is one of a simulated market: for market='live' give account='empty', or "
            "another name to keep it"
        )
    clock = WallClock(speed)
    with ExitStack() as on_failure:
        if account == "demo":
            exchange = open_demo(seed or 0, clock)
        else:
            chosen = open_market(market or "simulated", seed=seed or 0, url=market_url, speed=speed)
            exchange = open_empty(seed or 0, clock, chosen)
        on_failure.callback(exchange.close)
        server = PaperServer(exchange, ApiKey(account), port=port, enforce_limits=enforce_limits)
        on_failure.pop_all()
        return server
