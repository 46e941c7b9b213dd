"""Accounts on paper exchanges whose clocks stand still, so that the same question has the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd

import kfut_analytics as kfut
from kfut_analytics.client import Client
from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_demo, open_empty
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

NOW = pd.Timestamp("2026-11-22T08:30:12Z")


@contextmanager
def account(kind: str = "demo", name: str = "demo") -> Iterator[Client]:
    """A client of the account ``demo``, of a fresh one with 10,000 USD (``empty``) or with 0.5 XBT (``inverse``)."""
    clock = ManualClock(NOW.timestamp())
    exchange = open_demo(0, clock) if kind == "demo" else open_empty(0, clock)
    if kind == "inverse":
        (own,) = exchange.accounts.values()
        own.transfer(exchange.now, "flex", "usd", -10_000.0)
        own.transfer(exchange.now, "fi_xbtusd", "xbt", 0.5)
    with (
        PaperServer(exchange, ApiKey("demo" if kind == "demo" else "empty")) as server,
        kfut.connect("paper", base_url=server.base_url, api_key=server.api_key, api_secret=server.api_secret,
                     trading=True) as client,
    ):  # fmt: skip
        client.account_name = name
        yield client
