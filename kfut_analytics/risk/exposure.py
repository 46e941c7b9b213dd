"""What an account is exposed to, how concentrated that is, and what its correlations say it may lose."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..contracts import FLEX
from ..errors import ArgumentError
from ..risk_tables import CONCENTRATION, EXPOSURE, VALUE_AT_RISK
from .portfolio import CASH, Leg, Portfolio, over
from .usage import frame_of

By = Literal["underlying", "kind", "currency"]
GROUPINGS: tuple[By, ...] = ("underlying", "kind", "currency")

_KINDS = {"PF": "linear perpetual", "FF": "linear dated", "PI": "inverse perpetual", "FI": "inverse dated"}


def exposure(portfolio: Portfolio, by: By = "underlying") -> pd.DataFrame:
    """Table ``exposure``, the largest gross value first."""
    if by not in GROUPINGS:
        raise ArgumentError(f"by={by!r} is not a grouping: use one of {', '.join(GROUPINGS)}")
    coins = _coins(portfolio) if by == "underlying" else _money(portfolio) if by == "currency" else {}
    values: dict[str, list[float]] = {name: [0.0, 0.0] for name in coins}
    for leg in portfolio.legs:
        value = float(leg.notional)
        if leg.held:
            values.setdefault(_group(leg, by), [0.0, 0.0])[value < 0] += abs(value)
    whole = sum(sum(sides) for sides in values.values())
    account = account_value(portfolio)
    rows: list[dict[str, Any]] = []
    for group, (long, short) in values.items():
        collateral = coins.get(group, 0.0)
        rows.append(
            {
                "group": group,
                "long": long,
                "short": short,
                "gross": long + short,
                "net": long - short,
                "share": over(long + short, whole),
                "collateral": collateral,
                "net_with_collateral": long - short + collateral,
                "leverage": over(long + short, account),
            }
        )
    return frame_of(EXPOSURE, rows).sort_values("gross", ascending=False, kind="stable")


def concentration(portfolio: Portfolio) -> pd.DataFrame:
    """Table ``concentration``, one row per grouping."""
    rows = []
    for by in GROUPINGS:
        shares = exposure(portfolio, by)["share"]
        shares = shares[shares > 0]
        herfindahl = float((shares**2).sum()) if len(shares) else math.nan
        rows.append(
            {
                "by": by,
                "groups": len(shares),
                "herfindahl": herfindahl,
                "effective_groups": over(1.0, herfindahl),
                "largest": str(shares.index[0]) if len(shares) else None,
                "largest_share": float(shares.iloc[0]) if len(shares) else math.nan,
            }
        )
    return frame_of(CONCENTRATION, rows)


def value_at_risk(
    exposures: pd.Series[float], prices: pd.DataFrame, steps: int, confidence: Sequence[float]
) -> pd.DataFrame:
    """Table ``value_at_risk``.

    Parameters
    ----------
    exposures
        USD by underlying: what a move by 100 % would be worth.
    prices
        One column per underlying, evenly spaced in time.
    steps
        The horizon, in rows of ``prices``.
    confidence
        Levels between 0.5 and 1.
    """
    if not all(0.5 < level < 1 for level in confidence):
        raise ArgumentError(f"confidence={tuple(confidence)!r}: give levels between 0.5 and 1, such as (0.95, 0.99)")
    prices = prices[list(exposures.index)].dropna()
    changes = prices.pct_change().iloc[1:]
    amounts = exposures.to_numpy()
    if len(changes) < 2 or not len(exposures):
        volatility = undiversified = 0.0 if not len(exposures) else math.nan
    else:
        covariance = np.atleast_2d(np.cov(changes.to_numpy(), rowvar=False)) * steps
        volatility = float(np.sqrt(amounts @ covariance @ amounts))
        undiversified = float(np.abs(amounts) @ np.sqrt(np.diag(covariance)))
    # Returns over the horizon that begin at every row, overlapping.
    made = (prices.pct_change(steps).iloc[steps:] @ amounts).to_numpy() if len(exposures) else np.empty(0)
    rows = []
    for level in confidence:
        worst = float(np.quantile(made, 1 - level)) if len(made) else 0.0 if not len(exposures) else math.nan
        beyond = made[made <= worst]
        shortfall = float(beyond.mean()) if len(beyond) else worst
        rows.append(
            {
                "confidence": float(level),
                "volatility": volatility,
                "undiversified_volatility": undiversified,
                "parametric_var": NormalDist().inv_cdf(level) * volatility,
                "historical_var": float(np.maximum(0.0, -worst)),
                "expected_shortfall": float(np.maximum(0.0, -shortfall)),
                "observations": len(made),
            }
        )
    return frame_of(VALUE_AT_RISK, rows)


def sensitivities(portfolio: Portfolio, *, collateral: bool = True) -> pd.Series[float]:
    """USD by underlying that a move of its price by 100 % would be worth, without those of nothing."""
    frame = exposure(portfolio)
    amounts = frame["net_with_collateral" if collateral else "net"]
    return amounts[amounts != 0]


def account_value(portfolio: Portfolio) -> float:
    """Value of all wallets together in USD, without haircuts."""
    return float(sum(portfolio.portfolio_value(name) * portfolio.price_of(name) for name in portfolio.wallets))


def _group(leg: Leg, by: By) -> str:
    if by == "kind":
        return _KINDS.get(leg.symbol.split("_")[0], leg.symbol.split("_")[0])
    return leg.underlying if by == "underlying" else leg.currency


def _coins(portfolio: Portfolio) -> dict[str, float]:
    """USD in coins: those in the multi-collateral wallet, and what the single-collateral wallets are worth.

    An inverse position changes by its value and by what it has made so far, which is in coins.
    """
    return {name: value for name, value in _money(portfolio).items() if name not in CASH}


def _money(portfolio: Portfolio) -> dict[str, float]:
    """USD in each currency: balances and open P&L."""
    sums: dict[str, float] = {}
    for currency, value in _worths(portfolio):
        sums[currency] = sums.get(currency, 0.0) + value
    return sums


def _worths(portfolio: Portfolio) -> Iterable[tuple[str, float]]:
    for balance in portfolio.balances:
        if balance.quantity:
            yield balance.currency, float(balance.quantity * balance.price)
    for leg in portfolio.legs:
        if leg.held:
            price = 1.0 if leg.wallet == FLEX else portfolio.price_of(leg.wallet)
            yield leg.currency, float(leg.open_value * price)
