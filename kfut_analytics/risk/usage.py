"""Margin usage now: by wallet, with the exchange's own figures beside those computed here, and by position."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..contracts import FLEX
from ..risk_tables import MARGIN_POSITIONS, MARGIN_USAGE
from .picture import Picture
from .portfolio import FIGURES, currency_of, figures_of, over


def by_wallet(picture: Picture) -> pd.DataFrame:
    """Table ``margin_usage``; wallets without money and positions are left out."""
    rows = []
    for wallet, given in picture.exchange_figures.items():
        has_positions = any(leg.wallet == wallet for leg in picture.portfolio.legs)
        if wallet != FLEX and not has_positions and not (given["equity"] or given["initial_margin"]):
            continue
        computed = figures_of(picture.unadjusted, wallet)
        with_orders = given["initial_margin_with_orders"]
        value = float(picture.portfolio.position_value(wallet))
        rows.append(
            {
                "account": wallet,
                "currency": currency_of(wallet),
                **given,
                "position_value": value,
                "usage": over(given["initial_margin"], given["equity"]),
                "usage_with_orders": over(
                    computed["initial_margin_with_orders"] if math.isnan(with_orders) else with_orders, given["equity"]
                ),
                "maintenance_usage": over(given["maintenance_margin"], given["equity"]),
                "effective_leverage": over(value, given["portfolio_value"]),
                "equity_leverage": over(value, given["equity"]),
                **{f"computed_{name}": computed[name] for name in FIGURES},
                **{f"{name}_difference": given[name] - computed[name] for name in FIGURES},
            }
        )
    return frame_of(MARGIN_USAGE, rows)


def by_position(picture: Picture) -> pd.DataFrame:
    """Table ``margin_positions``, the largest share of equity first."""
    rows = []
    for leg in picture.portfolio.legs:
        if not leg.held:
            continue
        symbol, given = leg.symbol, picture.exchange_figures.get(leg.wallet, {})
        position = picture.positions.loc[symbol]
        initial = float(leg.requirement(abs(leg.size)))
        sides = (max(leg.size + leg.buys, 0.0), max(leg.sells - leg.size, 0.0))
        rows.append(
            {
                "symbol": symbol,
                "wallet": leg.wallet,
                "currency": leg.currency,
                "initial_margin": initial,
                "initial_margin_with_orders": max(float(leg.requirement(size)) for size in sides),
                "maintenance_margin": float(leg.requirement(abs(leg.size), maintenance=True)),
                "share_of_equity": over(initial, given.get("equity", math.nan)),
                "effective_leverage": over(float(leg.value), given.get("portfolio_value", math.nan)),
                "schedule": picture.ladders.get(symbol, (None, ()))[0],
                **{name: position[name] for name in _AS_GIVEN},
            }
        )
    frame = frame_of(MARGIN_POSITIONS, rows)
    return frame.sort_values(["share_of_equity", "notional"], ascending=False)


_AS_GIVEN = ("side", "size", "mark_price", "notional", "margin_mode", "max_fixed_leverage", "unrealized_pnl",
             "unrealized_funding", "pnl_currency")  # fmt: skip


def frame_of(table: Any, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The frame of a table from rows that have all its columns."""
    frame: pd.DataFrame = table.frame({column.name: [row[column.name] for row in rows] for column in table.columns})
    return frame
