"""Where an account is liquidated: prices at which the equity of a pool falls to its maintenance margin.

Estimates: the exchange publishes no liquidation price for the multi-collateral wallet (api-facts 6.9). Positions,
balances, haircuts and tiers stay as they are; funding accrued stays as it is; orders are not filled on the way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..risk_tables import LIQUIDATION, LIQUIDATION_BOUNDS
from ..rules import row_of
from .edges import DOWN, UP, alone_at, edge_of, of_own_pool
from .portfolio import CASH, Floats, Pool, Portfolio

MARKET = "market"
"""Stands for everything that moves."""


def liquidation(portfolio: Portfolio, triggers: pd.DataFrame) -> pd.DataFrame:
    """Table ``liquidation``, nearest first.

    Parameters
    ----------
    portfolio
        At one moment.
    triggers
        The table ``wallets``, with the exchange's own estimates for single-collateral wallets.
    """
    held = [(pool, leg) for pool in portfolio.pools() for leg in pool.legs if leg.held]
    alone = alone_at(portfolio, held, Portfolio.headroom)
    bankrupt = alone_at(portfolio, held, Portfolio.equity)
    edges = {(edge.pool.name, edge.moves): edge for edge in _edges(portfolio)}
    rows: list[dict[str, Any]] = []
    for place, (pool, leg) in enumerate(held):
        mark = float(leg.mark_price)
        factors = {
            "liquidation_price": float(alone[place]),
            "bankruptcy_price": float(bankrupt[place]),
            "underlying_liquidation_price": edges[pool.name, leg.underlying].nearer,
            "market_liquidation_price": edges[pool.name, MARKET].nearer,
        }
        rows.append(
            {
                "symbol": leg.symbol,
                "pool": pool.name,
                "side": "long" if leg.size > 0 else "short",
                "size": abs(leg.size),
                "mark_price": mark,
                "underlying": leg.underlying,
                **{name: mark * factor for name, factor in factors.items()},
                **{_distance(name): factor - 1 for name, factor in factors.items()},
                **_triggers(triggers, pool),
            }
        )
    rows.sort(key=lambda row: (math.isnan(row["distance"]), abs(row["distance"])))
    frame = LIQUIDATION.frame({column.name: [row[column.name] for row in rows] for column in LIQUIDATION.columns})
    frame.attrs["estimate"] = "Positions, balances, haircuts and funding as they are now; no order is filled."
    return frame


def liquidation_bounds(portfolio: Portfolio, indices: Mapping[str, float]) -> pd.DataFrame:
    """Table ``liquidation_bounds``; ``indices`` are the index prices by underlying."""
    edges = _edges(portfolio)
    prices = [indices.get(edge.moves, math.nan) for edge in edges]
    frame = LIQUIDATION_BOUNDS.frame(
        {
            "pool": [edge.pool.name for edge in edges],
            "currency": [edge.pool.currency for edge in edges],
            "moves": [edge.moves for edge in edges],
            "equity": [float(portfolio.equity(edge.pool)) for edge in edges],
            "maintenance_margin": [float(portfolio.maintenance(edge.pool)) for edge in edges],
            "headroom": [float(portfolio.headroom(edge.pool)) for edge in edges],
            "index_price": prices,
            "lower_price": [price * edge.lower for price, edge in zip(prices, edges, strict=True)],
            "lower_move": [edge.lower - 1 for edge in edges],
            "upper_price": [price * edge.upper for price, edge in zip(prices, edges, strict=True)],
            "upper_move": [edge.upper - 1 for edge in edges],
        }
    )
    frame.attrs["estimate"] = "Positions, balances, haircuts and funding as they are now; no order is filled."
    return frame


def moves_with(what: str, thing: str) -> bool:
    """Whether an underlying, or the currency of a balance, moves when ``what`` does; money stands still in a market."""
    return what == thing or (what == MARKET and thing not in CASH)


def _distance(price: str) -> str:
    return price.removesuffix("liquidation_price").removesuffix("price") + "distance"


def _triggers(wallets: pd.DataFrame, pool: Pool) -> dict[str, float]:
    own = None if pool.isolated or pool.wallet not in wallets.index else row_of(wallets, pool.wallet)
    found = {}
    for name in ("maintenance", "liquidation", "termination"):
        column = "maintenance_margin_trigger" if name == "maintenance" else f"{name}_trigger"
        price = math.nan if own is None else float(own[column])
        found[f"exchange_{name}_trigger"] = price or math.nan  # 0: no price does
    return found


@dataclass(frozen=True, slots=True)
class _Edges:
    """The multiples of today's prices between which a pool is safe; NaN where there is no end."""

    pool: Pool
    moves: str
    lower: float
    upper: float

    @property
    def nearer(self) -> float:
        """The end that is nearer."""
        ends = [end for end in (self.lower, self.upper) if not math.isnan(end)]
        return min(ends, key=lambda end: abs(end - 1), default=math.nan)


def _edges(portfolio: Portfolio) -> list[_Edges]:
    """The edges of every pool with positions, for each underlying in it and for the whole market."""
    questions = [
        (pool, moves)
        for pool in portfolio.pools()
        if any(leg.held for leg in pool.legs)
        for moves in [*_underlyings(portfolio, pool), MARKET]
    ]
    both_ways = questions + questions
    names, scopes = [pool.name for pool, _ in both_ways], [moves for _, moves in both_ways]

    def left(factors: Floats) -> Floats:
        def factor(thing: str) -> Floats:
            return np.where([moves_with(moves, thing) for moves in scopes], factors, 1.0)

        moved = portfolio.moved(
            {leg.symbol: factor(leg.underlying) for leg in portfolio.legs},
            {balance.currency: factor(balance.currency) for balance in portfolio.balances},
        )
        return of_own_pool(moved, names, Portfolio.headroom)

    found = edge_of(left, np.repeat([DOWN, UP], len(questions)))
    lower, upper = found[: len(questions)].tolist(), found[len(questions) :].tolist()
    return [_Edges(pool, moves, low, high) for (pool, moves), low, high in zip(questions, lower, upper, strict=True)]


def _underlyings(portfolio: Portfolio, pool: Pool) -> list[str]:
    """What the headroom of a pool depends on: its contracts' underlyings, and the coins among its collateral."""
    own = {leg.underlying for leg in pool.legs if leg.held}
    if not pool.isolated:
        own |= {b.currency for b in portfolio.balances if b.wallet == pool.wallet and b.currency not in CASH}
    return sorted(own)
