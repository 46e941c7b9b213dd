"""The paper exchange: a futures exchange inside this process that speaks the real wire protocol on loopback.

It is the rehearsal stage: everything that works against it works against the real exchange, with no key and no
internet. It sends nothing anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfut_analytics.paper.server import PaperServer

__all__ = ["start"]

ACCOUNTS = ("demo", "empty")
"""Accounts that can be opened: one with 90 days of history, and a fresh one with 10,000 USD."""


def start(*, seed: int = 0, account: str = "demo", port: int = 0, enforce_limits: bool = False) -> PaperServer:
    """Start a paper exchange in a thread of this process.

    Parameters
    ----------
    seed
        Determines the market and the demo account's story; the same within an hour for everybody.
    account
        ``demo`` for an account with 90 days of history, ``empty`` for a fresh one with 10,000 USD.
    port
        Port on 127.0.0.1; 0 takes a free one.
    enforce_limits
        Whether the exchange's documented rate limits hold.

    Returns
    -------
    PaperServer
        Accepting connections; close it or leave that to the end of the process.

    Raises
    ------
    ValueError
        If there is no such account.
    OSError
        If the port is taken.
    """
    if account not in ACCOUNTS:
        raise ValueError(f"account is {account!r}: the paper exchange has {' and '.join(map(repr, ACCOUNTS))}")
    # Not at the top: whoever never trades on paper should not load a server.
    from kfut_analytics.paper.auth import ApiKey
    from kfut_analytics.paper.demo import open_demo, open_empty
    from kfut_analytics.paper.server import PaperServer

    exchange = open_demo(seed) if account == "demo" else open_empty(seed)
    return PaperServer(exchange, ApiKey(account), port=port, enforce_limits=enforce_limits)
