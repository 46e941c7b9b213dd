"""The last entries of the journal: every intent that went out, and what is not yet known about it."""

from __future__ import annotations

from typing import Any

from ..client import Client
from . import figures
from .feed import Snapshot
from .panel import Panel
from .presence import Presence
from .table import Cell, Column, Row, Table

_COLUMNS = (
    Column("time", "Time, UTC"),
    Column("kind", "What"),
    Column("contract", "Contract"),
    Column("side", "Side"),
    Column("size", "Size", "right", "Contracts"),
    Column("status", "Status"),
    Column("message", "Meaning"),
)

_UNRESOLVED = {"unknown", "sent", "pending", "open", "unresolved"}

_MARKS = {
    "placed": ("✓", "good"),
    "filled": ("✓", "good"),
    "partially_filled": ("✓", "good"),
    "edited": ("✓", "good"),
    "cancelled": ("✓", ""),
    "rejected": ("✗", "bad"),
    "never_arrived": ("✗", "bad"),
}


class JournalPanel(Panel):
    """The journal's last entries, unresolved ones first and marked. Shown by the notebook cell that ends with it.

    Parameters
    ----------
    client
        Whose journal it is.
    rows
        How many entries are shown; unresolved ones always are.
    presence
        That of the box which the panel is put into; without one it stands alone.
    """

    title = "Journal"
    topics = frozenset({"journal"})

    def __init__(self, client: Client, *, rows: int = 8, presence: Presence | None = None) -> None:
        super().__init__(client, presence=presence)
        self._rows = rows
        self.table = Table(self.title, _COLUMNS, empty="Nothing was sent yet.")
        self.begin([self.table])

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new."""
        entries = list(snapshot.data.reset_index().to_dict("records"))
        entries.reverse()
        waiting = [entry for entry in entries if entry["status"] in _UNRESOLVED]
        others = [entry for entry in entries if entry["status"] not in _UNRESOLVED]
        shown = waiting + others[: max(0, self._rows - len(waiting))]
        self.table.show(self._row(entry, snapshot) for entry in shown)

    def _row(self, entry: dict[Any, Any], snapshot: Snapshot) -> Row:
        status = str(entry["status"])
        words = status.replace("_", " ")
        if status in _UNRESOLVED:
            state = Cell(f"? {words}", "not resolved yet", "note")
        else:
            mark, tone = _MARKS.get(status, ("", ""))
            state = Cell(f"{mark} {words}".strip(), tone=tone)  # type: ignore[arg-type]
        side, size = entry.get("side"), entry.get("size")
        return Row(
            key=str(entry["cli_ord_id"]),
            cells={
                "time": figures.moment(entry.get("time"), snapshot.time),
                "kind": str(entry["kind"]),
                "contract": "" if figures.missing(entry.get("symbol")) else str(entry["symbol"]),
                "side": "" if figures.missing(side) else figures.side(str(side)),
                "size": "" if figures.missing(size) else figures.number(float(size)),  # type: ignore[arg-type]
                "status": state,
                "message": "" if figures.missing(entry.get("message")) else str(entry["message"]),
            },
        )
