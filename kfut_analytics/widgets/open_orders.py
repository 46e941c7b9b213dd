"""Open orders: amended in place, cancelled one by one or all together."""

from __future__ import annotations

import math
from typing import Any

import ipywidgets
import pandas as pd

from ..client import Client
from ..contracts import to_decimal
from ..errors import NotFoundError, OrderRefused
from . import figures, render
from .confirm import Confirm
from .feed import Snapshot
from .panel import READ_ONLY, Panel, show
from .presence import Presence
from .table import Action, Cell, Click, Column, Row, Table

_COLUMNS = (
    Column("contract", "Contract"),
    Column("side", "Side"),
    Column("type", "Type"),
    Column("size", "Size", "right", "Contracts, and how many of them are filled"),
    Column("price", "Price", "right", "Limit price"),
    Column("trigger", "Trigger", "right", "Price that triggers the order"),
    Column("time", "Since", "right", "When the exchange took it, UTC"),
)

_FIELDS = (("size", "Size, with what is filled"), ("limit_price", "Limit price"), ("stop_price", "Trigger price"))

_TYPES = {
    "lmt": "limit",
    "post": "post-only limit",
    "stop": "stop",
    "stp": "stop",
    "take_profit": "take-profit",
    "trailing_stop": "trailing stop",
}


class OrdersPanel(Panel):
    """Open orders, up to date. Shown by the notebook cell that ends with it.

    Each click counts once and only for some seconds after the row was shown; *Cancel all* asks back.

    Parameters
    ----------
    client
        Whose orders they are. Without ``trading=True`` nothing can be changed.
    presence
        That of the box which the panel is put into; without one it stands alone.
    """

    title = "Open orders"
    topics = frozenset({"orders"})

    def __init__(self, client: Client, *, presence: Presence | None = None) -> None:
        super().__init__(client, presence=presence)
        self._orders = pd.DataFrame()
        self.table = Table(
            self.title,
            _COLUMNS,
            actions=[
                Action("amend", "Amend", "Change size or price", fields=_FIELDS, submit="Send the change"),
                Action("cancel", "Cancel", "Cancel this order"),
            ],
            empty="No open orders.",
            on_click=self._on_click,
            on_refused=self.refused,
        )
        self.table.off = "" if client.trading else READ_ONLY
        self.cancel_all = Confirm(
            "Cancel all", "Cancel every open order", self._on_cancel_all, self.refused, off=self.table.off
        )
        bar = ipywidgets.HBox([self.cancel_all])
        bar.add_class("kfut-bar-of-actions")
        self.begin([self.table, bar])

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new."""
        self._orders = snapshot.data
        self.table.show(self._row(str(order_id), order, snapshot.time) for order_id, order in self._orders.iterrows())
        count = len(self._orders)
        self.cancel_all.question = f"Cancel all {count} open orders?" if count != 1 else "Cancel the open order?"
        self.cancel_all.shown = bool(count)

    def _row(self, order_id: str, order: Any, now: pd.Timestamp) -> Row:
        symbol, side = str(order["symbol"]), str(order["side"])
        size, filled = float(order["size"]), float(order["filled_size"])
        limit, stop = float(order["limit_price"]), float(order["stop_price"])
        tick = self.tick(symbol)
        kind = str(order["order_type"])
        reduce_only = not figures.missing(order["reduce_only"]) and bool(order["reduce_only"])
        values = {"size": figures.typed(size)}
        values |= {} if math.isnan(limit) else {"limit_price": figures.typed(limit)}
        values |= {} if math.isnan(stop) else {"stop_price": figures.typed(stop)}
        at = f" at {figures.price(limit, tick)}" if not math.isnan(limit) else ""
        signal = "" if figures.missing(order["trigger_signal"]) else f"by {order['trigger_signal']}"
        return Row(
            key=order_id,
            label=f"{side} {figures.number(size)} {symbol}{at}",
            actions=("amend", "cancel"),
            values=values,
            cells={
                "contract": symbol,
                "side": figures.side(side),
                "type": Cell(_TYPES.get(kind, kind), "reduce-only" if reduce_only else ""),
                "size": Cell(figures.number(size), f"{figures.number(filled)} filled" if filled else ""),
                "price": figures.price(limit, tick) if not math.isnan(limit) else "market",
                "trigger": "" if math.isnan(stop) else Cell(figures.price(stop, tick), signal),
                "time": figures.moment(order["received_time"], now),
            },
        )

    # ---- actions -----------------------------------------------------------------------------------------------

    def _on_click(self, click: Click) -> None:
        label = next((row["label"] for row in self.table.rows if row["key"] == click.key), click.key)
        if click.action == "cancel":
            self.table.begin(click.key, "Cancelling…")
            self.submit(f"Cancelling: {label}", self._cancel, click, label)
        else:
            self.table.begin(click.key, "Sending the change…")
            self.submit(f"Amending: {label}", self._amend, click, label)

    def _cancel(self, click: Click, label: str) -> None:
        try:
            result = self.client.cancel(click.key)
        except Exception as error:
            self.table.end(click.key, "bad", f"✗ Not known whether it was cancelled: {error}")
            raise
        done = result.status == "cancelled"
        text = f"{_MARKS[done]} {result.message}"
        self.table.end(click.key, "good" if done else "bad", text, final=result.status in {"cancelled", "not_found"})
        show(
            self.status, render.message("good" if done else "note", f"{_word(result.status)}: {label}", result.message)
        )
        self.refresh(("orders", "fills", "positions", "account", "journal"))

    def _amend(self, click: Click, label: str) -> None:
        try:
            changes = self._changes(click)
            result = self.client.edit(click.key, **changes)
        except (OrderRefused, NotFoundError) as refused:
            self.table.end(click.key, "bad", f"✗ {refused}", sent=False)
            return
        except Exception as error:
            self.table.end(click.key, "bad", f"✗ Not known whether it was amended: {error}")
            raise
        done = result.status in {"edited", "filled"}
        self.table.end(click.key, "good" if done else "bad", f"{_MARKS[done]} {result.message}")
        show(self.status, render.message("good" if done else "bad", f"{_word(result.status)}: {label}", result.message))
        self.refresh(("orders", "fills", "positions", "account", "journal"))

    def _changes(self, click: Click) -> dict[str, str]:
        """What was typed and differs from what the form began with; refused where the order is no longer that."""
        if click.key not in self._orders.index:
            raise OrderRefused("this order is no longer open", field="order_id", value=click.key)
        order = self._orders.loc[click.key]
        for name, before in click.begun.items():
            now = figures.typed(float(order[name]))  # type: ignore[arg-type]
            if now != before:
                raise OrderRefused(
                    f"{name} was {before} when you began and is {now} now: leave the order as it is, and begin again",
                    field=name,
                    value=before,
                )
        changes = {name: text.strip() for name, text in click.typed.items() if text.strip() != click.begun[name]}
        if not changes:
            raise OrderRefused("nothing is changed", field="size", value=click.typed.get("size"))
        for name, text in changes.items():
            try:
                to_decimal(text)
            except (ArithmeticError, ValueError):
                raise OrderRefused(f"{name}={text!r} is not a number", field=name, value=text) from None
        return changes

    def _on_cancel_all(self) -> None:
        show(self.status, render.message("note", "Cancelling all open orders…"))
        self.submit("Cancelling all", self._cancel_all)

    def _cancel_all(self) -> None:
        result = self.client.cancel_all()
        done = result.status in {"cancelled", "nothing_to_cancel"}
        show(self.status, render.message("good" if done else "bad", _word(result.status), result.message))
        self.refresh(("orders", "fills", "positions", "account", "journal"))


_MARKS = {True: "✓", False: "✗"}


def _word(status: str) -> str:
    return status.replace("_", " ").capitalize()
