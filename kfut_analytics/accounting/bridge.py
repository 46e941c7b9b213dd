"""From start to end equity: what changed it, by cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..errors import ArgumentError
from .ledger import NON_TRADING

Amounts = float | Mapping[str, float]
"""One amount, or amounts by contract."""

Rates = Mapping[str, float | tuple[float, float]]
"""By currency its price at the end, or at start and end."""


def equity_bridge(
    balances: pd.DataFrame,
    by_contract: pd.DataFrame,
    currency: str,
    equity: tuple[float | None, float | None],
    unrealized: tuple[Amounts, Amounts],
    rates: Rates | None,
) -> pd.DataFrame:
    """One row per cause, between start and end equity; see `PnL.bridge`."""
    prices = {currency: (1.0, 1.0)}
    for code, rate in (rates or {}).items():
        prices[code.upper()] = rate if isinstance(rate, tuple) else (rate, rate)
    known = sorted(balances["currency"].unique())
    if currency not in known and not set(prices) & set(known):
        raise ArgumentError(f"currency={currency!r} has no balance in this log: it has {', '.join(known) or 'none'}")
    balances, by_contract = (
        frame[frame["currency"].isin(list(prices))].reset_index(drop=True) for frame in (balances, by_contract)
    )
    first, last = (_at_prices(balances["currency"], prices, moment) for moment in (0, 1))

    def total(name: str) -> float:
        return float((balances[name] * last).sum())

    realized = by_contract["realized_pnl"] * _at_prices(by_contract["currency"], prices, 1)
    realized = realized.groupby(by_contract["contract"]).sum()
    changes = _changes(*unrealized)
    rows = [
        *(("price P&L", contract, float(value)) for contract, value in realized.items()),
        ("fees", None, -total("fee")),
        ("funding", None, total("realized_funding")),
        *((kind, None, total(kind)) for kind in NON_TRADING),
        ("rounding", None, total("rounding")),
        ("revaluation", None, float((balances["opening"] * (last - first)).sum())),
        *(("unrealised P&L", contract, value) for contract, value in changes.items()),
    ]
    start, end = (
        float((balances[name] * rate).sum()) + _sum(held) if given is None else given
        for name, rate, held, given in zip(("opening", "closing"), (first, last), unrealized, equity, strict=True)
    )
    rest = end - start - sum(value for _, _, value in rows)
    noise = 1e-11 * (abs(start) + abs(end) + sum(abs(value) for _, _, value in rows))
    rows = [("start equity", None, start), *rows, ("unexplained", None, rest if abs(rest) > noise else 0.0)]
    frame = pd.DataFrame([*rows, ("end equity", None, end)], columns=["item", "contract", "amount"])
    frame = frame.astype({"item": "str", "contract": "str", "amount": "float64"})
    frame.attrs["units"] = {"amount": currency}
    return frame


def _at_prices(currencies: pd.Series[Any], prices: Mapping[str, tuple[float, float]], moment: int) -> pd.Series[Any]:
    """The price of each row's currency, at the start (0) or the end (1)."""
    return currencies.map({code: pair[moment] for code, pair in prices.items()}).astype("float64")


def _sum(amounts: Amounts) -> float:
    return float(sum(amounts.values())) if isinstance(amounts, Mapping) else float(amounts)


def _changes(start: Amounts, end: Amounts) -> dict[str | None, float]:
    """Change of the unrealised P&L, by contract where both sides are given so."""
    if isinstance(start, Mapping) and isinstance(end, Mapping):
        return {contract: end.get(contract, 0.0) - start.get(contract, 0.0) for contract in sorted({*start, *end})}
    return {None: _sum(end) - _sum(start)}
