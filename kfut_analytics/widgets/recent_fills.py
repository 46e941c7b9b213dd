"""The newest fills."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..client import Client
from ..contracts import pnl_currency
from . import figures
from .feed import Snapshot
from .panel import Panel
from .presence import Presence
from .table import Cell, Column, Row, Table

_COLUMNS = (
    Column("time", "Time, UTC"),
    Column("contract", "Contract"),
    Column("side", "Side"),
    Column("size", "Size", "right", "Contracts"),
    Column("price", "Price", "right"),
    Column("kind", "As"),
    Column("pnl", "Realised P&L", "right", "Before fees, where the exchange gives it"),
)


class FillsPanel(Panel):
    """The newest fills, up to date. Shown by the notebook cell that ends with it.

    Parameters
    ----------
    client
        Whose fills they are.
    rows
        How many are shown.
    presence
        That of the box which the panel is put into; without one it stands alone.
    """

    title = "Recent fills"
    topics = frozenset({"fills"})

    def __init__(self, client: Client, *, rows: int = 10, presence: Presence | None = None) -> None:
        super().__init__(client, presence=presence)
        self._rows = rows
        self.table = Table(self.title, _COLUMNS, empty="No fills yet.")
        self.begin([self.table])

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new."""
        newest = snapshot.data.head(self._rows)
        self.table.show(self._row(str(fill_id), fill, snapshot.time) for fill_id, fill in newest.iterrows())

    def _row(self, fill_id: str, fill: Any, now: pd.Timestamp) -> Row:
        symbol = str(fill["symbol"])
        currency = pnl_currency(symbol)
        gained = float(fill["realized_pnl"])
        return Row(
            key=fill_id,
            cells={
                "time": figures.moment(fill["time"], now),
                "contract": symbol,
                "side": figures.side(str(fill["side"])),
                "size": figures.number(float(fill["size"])),
                "price": figures.price(float(fill["price"]), self.tick(symbol)),
                "kind": str(fill["fill_type"]),
                "pnl": figures.gain(gained, currency, currency) if gained else Cell(""),
            },
        )
