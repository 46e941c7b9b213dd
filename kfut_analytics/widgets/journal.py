"""The last entries of the journal: every intent that went out, and what is not yet known about it."""

from __future__ import annotations

import math
from typing import Any

from ..client import Client
from . import figures
from .feed import Snapshot
from .panel import Panel
from .presence import Presence
from .render import Tone
from .table import Cell, Column, Row, Table

_COLUMNS = (
    Column("time", "Time, UTC"),
    Column("kind", "What"),
    Column("contract", "Contract"),
    Column("side", "Side"),
    Column("size", "Size", "right", "Contracts"),
    Column("price", "Price", "right", "Limit price, else trigger price"),
    Column("status", "Status"),
    Column("message", "Meaning"),
)

_KINDS = {
    "place": "Order",
    "edit": "Change",
    "cancel": "Cancel",
    "cancel_all": "Cancel all",
    "dead_man": "Dead man's switch",
    "bracket": "Bracket",
}

_UNRESOLVED = {"open", "unknown"}

_BRACKETS: dict[str, tuple[str, Tone]] = {
    "unknown": ("?", "note"),
    "entering": ("●", "note"),
    "protected": ("✓", "good"),
    "unprotected": ("✗", "bad"),
    "done": ("✓", "good"),
    "cancelled": ("✓", "good"),
}

_MARKS: dict[str, tuple[str, Tone]] = {
    "placed": ("✓", "good"),
    "filled": ("✓", "good"),
    "partially_filled": ("✓", "good"),
    "edited": ("✓", "good"),
    "cancelled": ("✓", "good"),
    "done": ("✓", "good"),
    "rejected": ("✗", "bad"),
    "not_found": ("✗", "bad"),
    "never_arrived": ("✗", "bad"),
    "not_sent": ("✗", "bad"),
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
        brackets: dict[Any, dict[Any, Any]] = self.client.brackets().to_dict("index")
        self.table.show(self._row(entry, brackets.get(str(entry["cli_ord_id"])), snapshot) for entry in shown)

    def _row(self, entry: dict[Any, Any], bracket: dict[Any, Any] | None, snapshot: Snapshot) -> Row:
        status = str(entry["status"])
        words = status.replace("_", " ")
        message = _text(entry["message"])
        if bracket is not None:
            entry = entry | {"side": bracket["side"], "size": bracket["size"]}
        if status == "open" and bracket is not None:
            state, message = _standing(bracket), _how_far(bracket)
        elif status == "open" and entry["kind"] == "dead_man":
            state = Cell("in force")
        elif status in _UNRESOLVED:
            state = Cell(f"? {words}", "not resolved yet", "note")
        elif status in _MARKS:
            mark, tone = _MARKS[status]
            state = Cell(f"{mark} {words}", tone=tone)
        else:
            state = Cell(words)
        symbol, side = _text(entry["symbol"]), _text(entry["side"])
        limit, stop = float(entry["limit_price"]), float(entry["stop_price"])
        price = stop if math.isnan(limit) else limit
        size = float(entry["size"])
        return Row(
            key=str(entry["number"]),
            cells={
                "time": figures.moment(entry["written"], snapshot.time),
                "kind": _KINDS.get(str(entry["kind"]), str(entry["kind"])),
                "contract": symbol,
                "side": figures.side(side) if side else "",
                "size": "" if math.isnan(size) else figures.number(size),
                "price": "" if math.isnan(price) else figures.price(price, self.tick(symbol)),
                "status": state,
                "message": Cell(message, wrap=True),
            },
        )


def _standing(bracket: dict[Any, Any]) -> Cell:
    """How a bracket stands that the journal has as open, and whether this kernel looks after it."""
    over = _is_over(bracket)
    if not bracket["watched"] and not over:
        return Cell("✗ not watched", "client.watch_brackets() takes it up", "bad")
    mark, tone = _BRACKETS[bracket["state"]]
    return Cell(f"{mark} {bracket['state']}", "" if over else "watched by this kernel", tone)


def _how_far(bracket: dict[Any, Any]) -> str:
    trouble = _text(bracket["trouble"])
    if not bracket["watched"] and not _is_over(bracket):
        return trouble or "What is open of it stays; nobody looks after it."
    filled, closed = (figures.number(bracket[name]) for name in ("filled_size", "closed_size"))
    return f"{filled} filled, {closed} closed. {trouble}".strip()


def _is_over(bracket: dict[Any, Any]) -> bool:
    return bracket["state"] in {"done", "cancelled"}


def _text(value: Any) -> str:
    return "" if figures.missing(value) else str(value)
