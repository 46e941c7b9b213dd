"""A contract, its market and an account made by hand: figures that can be checked in one's head."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kfut_analytics import schema
from kfut_analytics.contracts import MarginTier
from kfut_analytics.orders import Market
from kfut_analytics.risk.portfolio import Balance, Leg, Portfolio

TIERS = (MarginTier(0, 0.1, 0.05), MarginTier(500, 0.2, 0.1))
LEVELS = {
    "side": ["bid", "bid", "ask", "ask", "ask"],
    "price": [99.0, 98.5, 101.0, 101.5, 102.0],
    "size": [2.0, 5.0, 1.0, 2.0, 10.0],
    "cumulative_size": [2.0, 7.0, 1.0, 3.0, 13.0],
}
NOW = pd.Timestamp("2026-11-22", tz="UTC")


def instrument(symbol: str = "PF_XBTUSD", **changes: Any) -> pd.Series[Any]:
    row = {
        "symbol": [symbol],
        "type": ["futures_inverse" if symbol.startswith(("PI", "FI")) else "flexible_futures"],
        "tick_size": [0.5],
        "size_step": [0.0001],
        "max_position_size": [1200.0],
        "is_expired": [False],
        "post_only": [False],
    } | {name: [value] for name, value in changes.items()}
    return schema.INSTRUMENTS.frame(row).iloc[0]


def market(
    position: float = 0.0,
    *,
    symbol: str = "PF_XBTUSD",
    balance: float = 1000.0,
    entry: float = 100.0,
    leverage: float | None = None,
    buys: float = 0.0,
    sells: float = 0.0,
    book: dict[str, Any] | None = None,
    ticker: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    **changes: Any,
) -> Market:
    """Mark at 100, a spread of two; ``changes`` are the contract's, ``facts`` those of Market."""
    prices = {"mark_price": 100.0, "index_price": 100.0, "last": 100.0, "bid": 99.0, "ask": 101.0, "suspended": False}
    row = {name: [value] for name, value in ({"symbol": symbol} | prices | (ticker or {})).items()}
    quote = schema.TICKERS.frame(row).iloc[0]
    mark = float(quote["mark_price"])
    leg = Leg(symbol, position, entry, mark, TIERS, leverage=leverage, buys=buys, sells=sells)
    currency = "USD" if leg.wallet == "flex" else "XBT"
    portfolio = Portfolio((leg,), (Balance(leg.wallet, currency, balance, 1.0 if currency == "USD" else mark),))
    free = portfolio.of_wallet(leg.wallet, portfolio.equity) - portfolio.of_wallet(
        leg.wallet, portfolio.initial_with_orders
    )
    given = {"available_margin": float(free)} | (facts or {})
    return Market(
        instrument=instrument(symbol, **changes),
        ticker=quote,
        book=schema.ORDER_BOOK.frame(book or LEVELS),
        portfolio=portfolio,
        env="paper",
        time=NOW,
        **given,
    )
