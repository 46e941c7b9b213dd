"""Sections of a comparison between two dates: what there was at each, and by how much it differs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from ..model import Figures, Note, Part, Section, Table, Value
from ..sources import Sources
from .now import through_time
from .parts import attempt, merit

_MERITS = ("start_equity", "end_equity", "external_flow", "pnl", "time_weighted_return", "max_drawdown")

_KINDS = {
    "equity": "Equity",
    "balance": "Balances",
    "unrealized_pnl": "Unrealised P&L",
    "unrealized_funding": "Unrealised funding",
}


def account(sources: Sources) -> Section:
    """The headline, and equity and what it consists of at both dates."""
    parts: list[Part] = [Figures("headline", [merit(sources, metric) for metric in _MERITS])]
    parts += attempt("Equity at both dates", lambda: _equity(sources))
    return Section("account", "The two dates", parts)


def _equity(sources: Sources) -> Iterator[Part]:
    frame = sources.equity.frame
    rows = [[Value(label), *_change(frame[name].iloc[[0, -1]], "USD")] for name, label in _KINDS.items()]
    yield Table("equity_then", ["USD", *_heads(sources)], rows, "Equity and its parts", strong=frozenset([0]))
    wallets = sources.equity.by_wallet()
    rows = [[Value(str(name)), *_change(wallets[name].iloc[[0, -1]], "USD")] for name in wallets.columns]
    yield Table("wallets_then", ["Wallet, USD", *_heads(sources)], rows, "Equity by wallet")


def _heads(sources: Sources) -> list[str]:
    return [f"{sources.equity.start:%Y-%m-%d %H:%M}", f"{sources.equity.end:%Y-%m-%d %H:%M}", "Change"]


def _change(both: Iterable[float], unit: str) -> list[Value]:
    first, last = map(float, both)
    return [Value(first, unit), Value(last, unit), Value(last - first, unit, sign=True)]


def holdings(sources: Sources) -> Section:
    """Balances and positions at both dates."""
    parts = attempt("Holdings at both dates", lambda: _holdings(sources))
    return Section("holdings", "Balances and positions", parts)


def _holdings(sources: Sources) -> Iterator[Part]:
    equity = sources.equity
    first, last = equity.holdings(equity.start), equity.holdings(equity.end)
    keys = ["account", "asset"]
    both = first.merge(last, on=keys, how="outer", suffixes=("_first", "_last"))
    contracts = both["kind_first"].fillna(both["kind_last"]) == "position"
    quantities = ["quantity_first", "quantity_last"]
    both[quantities] = both[quantities].fillna(0.0)
    balances = [
        [Value(row["account"]), Value(row["asset"]), *_change([row[q] for q in quantities], row["asset"])]
        for row in both[~contracts].to_dict("records")
    ]
    yield Table(
        "balances_then", ["Wallet", "Currency", *_heads(sources)], balances, "Balances", "All wallets were empty."
    )
    rows = [
        [
            Value(row["asset"]),
            *_change([row[q] for q in quantities], "size"),
            *(Value(_price(row, when), "price") for when in ("first", "last")),
        ]
        for row in both[contracts].to_dict("records")
    ]
    heads = ["Contract", *(f"Size {head}" for head in _heads(sources)[:2]), "Change", "Entry then", "Entry later"]
    yield Table("positions_then", heads, rows, "Positions, negative when short", "No positions at either date.")


def _price(row: dict[Any, Any], when: str) -> float:
    return float(row[f"entry_price_{when}"]) if row[f"quantity_{when}"] else math.nan


def margin(sources: Sources) -> Section:
    """Margin usage at both dates and between."""
    parts = attempt("Margin usage at both dates", lambda: _margin(sources))
    parts += attempt("Margin usage through time", lambda: through_time(sources))
    return Section("margin", "Margin", parts)


_MARGIN = {
    "equity": "Margin equity",
    "initial_margin": "Initial margin",
    "maintenance_margin": "Maintenance margin",
    "usage": "Margin usage",
}


def _margin(sources: Sources) -> Iterator[Part]:
    frame = sources.history[sources.history["source"] == "rebuilt"]
    if frame.empty:
        yield Note("No margin was used in this period.")
        return
    edges = [frame.loc[[time]].set_index("account") for time in (frame.index.min(), frame.index.max())]
    rows = []
    for wallet in pd.unique(frame["account"]):
        currency = str(frame.loc[frame["account"] == wallet, "currency"].iloc[0])
        for name, label in _MARGIN.items():
            found = [float(edge.loc[wallet, name]) if wallet in edge.index else 0.0 for edge in edges]
            unit = "fraction" if name == "usage" else currency
            rows.append([Value(str(wallet)), Value(label), Value(currency), *_change(found, unit)])
    heads = [
        "Wallet",
        "Figure",
        "Currency",
        *(f"{time:%Y-%m-%d %H:%M}" for time in (frame.index.min(), frame.index.max())),
    ]
    yield Table("margin_then", [*heads, "Change"], rows, "At both dates")
