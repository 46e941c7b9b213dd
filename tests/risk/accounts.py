"""Accounts of every kind, drawn from a seed."""

from __future__ import annotations

import random

LINEAR = {"PF_XBTUSD": 0.1, "PF_ETHUSD": 3.0, "PF_SOLUSD": 50.0, "FF_XBTUSD": 0.1}
"""Contract prefixes and a size that is worth some thousand USD."""


def contract_like(stage, prefix):
    """The first contract that is listed under a prefix."""
    listed = [
        s for s, c in stage.exchange.contracts.items() if s.startswith(prefix) and not stage.exchange.is_expired(c)
    ]
    return listed[0]


def a_portfolio(stage, seed):
    """Positions of either side in several underlyings, netted ones and perhaps an isolated one, on USD and coins."""
    dice = random.Random(seed)
    stage.give("flex", "usd", dice.uniform(2_000, 6_000))
    stage.give("flex", "xbt", dice.uniform(0.01, 0.1))
    stage.give("flex", "eth", dice.uniform(0.0, 1.0) + 0.01)
    isolated = dice.choice(["PF_SOLUSD", None])
    if isolated:
        stage.isolate(isolated, 4.0)
    lean = dice.choice([1, -1])
    for prefix, unit in LINEAR.items():
        side = lean if dice.random() < 0.7 else -lean
        size = unit * dice.uniform(0.5, 3) * (0.2 if prefix == isolated else 1)
        stage.trade(contract_like(stage, prefix), side * round(size, 2))
    stage.give("fi_xbtusd", "xbt", 0.05)
    stage.trade("PI_XBTUSD", lean * 20_000)
