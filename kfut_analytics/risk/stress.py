"""What shocks would do: P&L, equity, margin usage, and who would be liquidated first.

Prices jump to the shocked ones with positions, orders, balances and haircuts as they are. Nobody is liquidated on the
way; whether somebody would have been is told instead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..contracts import currency_code
from ..errors import ArgumentError
from ..risk_tables import STRESS
from .edges import edge_of
from .liquidation import MARKET, moves_with
from .portfolio import CASH, Floats, Numbers, Pool, Portfolio, currency_of

COLLATERAL = "collateral"
"""Stands for the coins among the balances."""

LADDER = (-0.5, -0.4, -0.3, -0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Shocks where none are given."""

Shocks = Sequence[float] | Mapping[str, Sequence[float] | float]

_MOST = 200_000
"""Scenarios that are computed at once."""


def stress(portfolio: Portfolio, shocks: Shocks | None = None, *, wallet: str | None = None) -> pd.DataFrame:
    """Table ``stress``; its index are the shocks. See `kfut_analytics.margin.Margin.stress`."""
    targets = _targets(portfolio, shocks)
    wallets = _wallets(portfolio, wallet)
    grid = list(itertools.product(*targets.values()))
    if len(grid) > _MOST:
        raise ArgumentError(f"shocks make {len(grid):,} scenarios: give at most {_MOST:,}")
    columns = np.array(grid, dtype=float).reshape(len(grid), len(targets)).T
    shock_of = dict(zip(targets, columns, strict=True))
    shocked = _shocked(portfolio, shock_of, np.ones(len(grid)))
    first = _first_liquidated(portfolio, shocked, shock_of, wallets, len(grid))
    frame = STRESS.frame(_figures(portfolio, shocked, wallets, len(grid)) | first)
    frame.index = (
        pd.Index(columns[0], name=next(iter(targets)))
        if len(targets) == 1
        else pd.MultiIndex.from_arrays(list(columns), names=list(targets))
    )
    frame.attrs["assumption"] = "Prices jump; positions, orders, balances and haircuts as they are now."
    return frame


def _targets(portfolio: Portfolio, shocks: Shocks | None) -> dict[str, list[float]]:
    """What is shocked, as it is known here, and by how much each."""
    given: Mapping[str, Any] = shocks if isinstance(shocks, Mapping) else {MARKET: LADDER if shocks is None else shocks}
    if not given:
        raise ArgumentError("shocks is empty: give fractions such as [-0.2, -0.1, 0.1]")
    symbols = {leg.symbol for leg in portfolio.legs}
    underlyings = {leg.underlying for leg in portfolio.legs} | {
        balance.currency for balance in portfolio.balances if balance.currency not in CASH
    }
    found = {}
    for target, amounts in given.items():
        name = _known(target, symbols, underlyings)
        if name in found:
            raise ArgumentError(f"shocks names {name} twice: join the two lists")
        found[name] = _fractions(name, amounts)
    return found


def _known(target: object, symbols: Iterable[str], underlyings: Iterable[str]) -> str:
    if isinstance(target, str):
        for name in (target.strip().lower(), target.strip().upper(), currency_code(target.strip())):
            if name in {MARKET, COLLATERAL, *symbols, *underlyings}:
                return name
    raise ArgumentError(
        f"shocks names {target!r}, which is nothing in this account: use {MARKET!r}, {COLLATERAL!r}, an underlying "
        f"({', '.join(sorted(underlyings)) or 'none'}) or a contract ({', '.join(sorted(symbols)) or 'none'})"
    )


def _fractions(name: str, amounts: Any) -> list[float]:
    one = isinstance(amounts, (int, float, np.number)) and not isinstance(amounts, bool)
    try:
        numbers = [float(amount) for amount in ([amounts] if one else amounts)]
    except (TypeError, ValueError):
        numbers = [math.nan]
    if isinstance(amounts, str) or not numbers or not all(-1 < n < math.inf for n in numbers):
        raise ArgumentError(
            f"the shocks of {name} are {amounts!r}: give fractions above -1, such as [-0.2, -0.1, 0.1] for falls of "
            "20 and 10 % and a rise of 10 %"
        )
    return numbers


def _wallets(portfolio: Portfolio, wallet: str | None) -> list[str]:
    if wallet is None:
        return portfolio.wallets
    if wallet not in portfolio.wallets:
        raise ArgumentError(f"wallet={wallet!r} has nothing in it: use one of {', '.join(portfolio.wallets) or 'none'}")
    return [wallet]


def _shocked(portfolio: Portfolio, shock_of: Mapping[str, Floats], way: Floats) -> Portfolio:
    """The account some way on to the shocks; of several that fit, the one that names a thing most closely counts."""

    def factor(names: Sequence[str], thing: str) -> Floats:
        fitting = [name for name in names if name in shock_of and (name != MARKET or moves_with(MARKET, thing))]
        return 1 + way * shock_of[fitting[0]] if fitting else np.ones(len(way))

    return portfolio.moved(
        {leg.symbol: factor((leg.symbol, leg.underlying, MARKET), leg.underlying) for leg in portfolio.legs},
        {
            balance.currency: factor((balance.currency, MARKET), balance.currency)
            if COLLATERAL not in shock_of or balance.currency in CASH
            else factor((COLLATERAL,), balance.currency)
            for balance in portfolio.balances
        },
    )


def _figures(portfolio: Portfolio, shocked: Portfolio, wallets: list[str], length: int) -> dict[str, Any]:
    """The columns of amounts: those of one wallet in its currency, of several in USD."""
    single = len(wallets) == 1
    sums: dict[str, Numbers] = dict.fromkeys(
        ("pnl", "collateral_change", "equity", "initial_margin", "maintenance_margin"), np.zeros(length)
    )
    usage, maintenance_usage = np.full(length, np.nan), np.full(length, np.nan)
    for wallet in wallets:
        price, price_before = (1.0, 1.0) if single else (shocked.price_of(wallet), portfolio.price_of(wallet))
        before, after = (book.of_wallet(wallet, book.equity) for book in (portfolio, shocked))
        made = sum(
            (
                moved.pnl - leg.pnl
                for moved, leg in zip(shocked.legs, portfolio.legs, strict=True)
                if leg.wallet == wallet
            ),
            np.zeros(length),
        )
        coins = sum(
            (
                moved.counted - balance.counted
                for moved, balance in zip(shocked.balances, portfolio.balances, strict=True)
                if balance.wallet == wallet
            ),
            np.zeros(length),
        )
        initial, maintenance = (shocked.of_wallet(wallet, f) for f in (shocked.initial, shocked.maintenance))
        amounts = {
            "pnl": made * price,
            "collateral_change": coins * price + before * (price - price_before),
            "equity": after * price,
            "initial_margin": initial * price,
            "maintenance_margin": maintenance * price,
        }
        sums = {name: sums[name] + amounts[name] for name in sums}
        usage = np.fmax(usage, _over(initial, after, length))
        for pool in shocked.pools(wallet):
            used = _over(shocked.maintenance(pool), shocked.equity(pool), length)
            maintenance_usage = np.fmax(maintenance_usage, used)
    return {
        **{name: np.broadcast_to(amount, length).tolist() for name, amount in sums.items()},
        "usage": usage.tolist(),
        "maintenance_usage": maintenance_usage.tolist(),
        "currency": [currency_of(wallets[0]) if single else "USD"] * length,
    }


def _over(part: Numbers, whole: Numbers, length: int) -> Floats:
    """A ratio: infinite where something is required and nothing is there, 0 where nothing is required."""
    parts, wholes = np.broadcast_to(part, length), np.broadcast_to(whole, length)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(wholes > 0, parts / wholes, math.inf)
    return np.where(parts == 0, 0.0, np.where(np.isnan(parts + wholes), np.nan, ratio))


def _first_liquidated(
    portfolio: Portfolio, shocked: Portfolio, shock_of: Mapping[str, Floats], wallets: list[str], length: int
) -> dict[str, Any]:
    """The pool whose headroom ends first on the straight way to the shock, and its dearest position there.

    Which position of a pool the exchange takes first is not published; the paper exchange takes the dearest.
    """
    pools = [pool for pool in portfolio.pools() if pool.wallet in wallets and any(leg.held for leg in pool.legs)]
    soonest, owner = np.full(length, np.inf), np.full(length, -1)
    for place, pool in enumerate(pools):
        if (np.broadcast_to(shocked.headroom(_same(shocked, pool)), length) > 0).all():
            continue

        def left(way: Floats, pool: Pool = pool) -> Floats:
            there = _shocked(portfolio, shock_of, way)
            return np.broadcast_to(there.headroom(_same(there, pool)), length)

        reached = edge_of(lambda factor: left(factor - 1), np.full(length, 2.0)) - 1
        sooner = reached < soonest
        soonest, owner = np.where(sooner, reached, soonest), np.where(sooner, place, owner)
    there = _shocked(portfolio, shock_of, np.where(np.isfinite(soonest), soonest, 0.0))
    symbols: list[str | None] = [None] * length
    for place, pool in enumerate(pools):
        legs = [leg for leg in _same(there, pool).legs if leg.held]
        required = np.array([np.broadcast_to(leg.requirement(abs(leg.size), maintenance=True), length) for leg in legs])
        dearest = required.argmax(axis=0)
        for scenario in np.flatnonzero(owner == place):
            symbols[scenario] = legs[dearest[scenario]].symbol
    return {
        "first_liquidated": symbols,
        "liquidated_pool": [pools[place].name if place >= 0 else None for place in owner],
        "liquidated_at": np.where(owner >= 0, soonest, np.nan).tolist(),
    }


def _same(moved: Portfolio, pool: Pool) -> Pool:
    """A pool with the prices of a moved account."""
    return next(other for other in moved.pools(pool.wallet) if other.name == pool.name)
