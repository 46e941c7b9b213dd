"""Margin in words: the tables that people look at, and what they must know of the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..pnl import amount
from .picture import Picture

_NOTEWORTHY = 0.01  # part of the exchange's own figure by which ours may differ before a note says so
_COMPARED = {
    "equity": "the sum of its parts",
    "initial_margin": "the sum by tiers",
    "maintenance_margin": "the sum by tiers",
}


def percent(value: float, *, decimals: int = 1) -> str:
    """A fraction as text: ``0.123`` is ``12.3 %``, a missing one ``n/a``."""
    return "n/a" if math.isnan(value) else f"{value * 100:,.{decimals}f} %"


def notes_on(picture: Picture, usage: pd.DataFrame) -> list[str]:
    """What a reader must know about the quality of the figures, one sentence each; empty when all is well."""
    notes = []
    without = [str(symbol) for symbol in picture.positions.index if not picture.tiers_of(str(symbol))]
    if without:
        notes.append(f"There are no margin tiers for {', '.join(without)}: their margin is n/a.")
    for row in usage.to_dict("records"):
        for name, what in _COMPARED.items():
            difference = row[f"{name}_difference"]
            if abs(difference) > _NOTEWORTHY * max(abs(row[name]), abs(row[f"computed_{name}"])):
                notes.append(
                    f"Wallet {row['account']}: the exchange's {name.replace('_', ' ')} is "
                    f"{amount(abs(difference), row['currency'])} {row['currency']} "
                    f"{'above' if difference > 0 else 'below'} {what}."
                )
    return notes


def tables_of(usage: pd.DataFrame, positions: pd.DataFrame, liquidation: pd.DataFrame) -> list[pd.DataFrame]:
    """By wallet and by position, as text."""
    rows = usage.to_dict("records")
    by_wallet = pd.DataFrame(
        {
            label: [_in(row, column) for row in rows]
            for label, column in {
                "Equity": "equity",
                "Initial margin": "initial_margin",
                "Maintenance margin": "maintenance_margin",
                "Available": "available_margin",
            }.items()
        }
        | {"Usage": [percent(value) for value in usage["usage"]]},
        index=pd.Index([f"{row['account']} ({row['currency']})" for row in rows], dtype=object),
    )
    edges = liquidation.reindex(positions.index)
    by_position = pd.DataFrame(
        {
            "Side": positions["side"].to_numpy(object),
            "Size": [f"{size:,.10g}" for size in positions["size"]],
            "Value, USD": [amount(value, "USD") for value in positions["notional"]],
            "Initial margin": [
                f"{_in(row, 'initial_margin')} {row['currency']}" for row in positions.to_dict("records")
            ],
            "Share of equity": [percent(share) for share in positions["share_of_equity"]],
            "Liquidation (estimate)": [
                "none" if math.isnan(price) else f"{price:,.6g} ({percent(distance)})"
                for price, distance in zip(edges["liquidation_price"], edges["distance"], strict=True)
            ],
        },
        index=pd.Index(positions.index.to_numpy(object)),
    )
    return [by_wallet, by_position] if len(by_position) else [by_wallet]


def _in(row: Mapping[Any, Any], column: str) -> str:
    return amount(float(row[column]), str(row["currency"]))
