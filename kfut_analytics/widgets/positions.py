"""Open positions with P&L, margin and the distance to liquidation; closed and reversed through an order ticket."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import ipywidgets
import pandas as pd

from ..client import Client
from ..contracts import plain, to_decimal
from ..margin import Margin
from . import figures, render
from .feed import Snapshot
from .panel import Panel, html, show
from .presence import Presence
from .table import Action, Cell, Click, Column, Row, Table

NEAR = 0.1
"""A liquidation nearer than this fraction of the mark price is marked."""

_COLUMNS = (
    Column("contract", "Contract"),
    Column("side", "Side"),
    Column("size", "Size, value", "right", "Contracts, and their value at the mark price"),
    Column("entry", "Entry, mark", "right", "Average entry price, and the mark price now"),
    Column("pnl", "Unrealised P&L", "right", "At the mark price, without funding"),
    Column("margin", "Initial margin", "right", "By the margin tiers, for this position alone"),
    Column("liquidation", "Liquidation", "right", "Estimate: if this market alone moves, and how far it is away"),
)


class PositionsPanel(Panel):
    """Open positions, up to date. Shown by the notebook cell that ends with it.

    *Close* and *Reverse* send nothing: they fill in an order ticket, the one given or one that opens below, where the
    order is reviewed and sent.

    Parameters
    ----------
    client
        Whose positions they are.
    ticket
        Ticket that *Close* and *Reverse* fill in.
    actions
        Whether there are such buttons.
    presence
        That of the box which the panel is put into; without one it stands alone.
    """

    title = "Positions"
    topics = frozenset({"positions", "margin"})

    def __init__(
        self,
        client: Client,
        *,
        ticket: Any = None,
        actions: bool = True,
        presence: Presence | None = None,
    ) -> None:
        super().__init__(client, presence=presence)
        self._ticket = ticket
        self._positions: pd.DataFrame | None = None
        self._margin: Margin | None = None
        self.table = Table(
            self.title,
            _COLUMNS,
            actions=[
                Action("close", "Close", "Fill in a reduce-only market order that closes the position", sends=False),
                Action("reverse", "Reverse", "Fill in a market order that turns the position round", sends=False),
            ]
            if actions
            else (),
            empty="No open positions.",
            on_click=self._on_click,
            on_refused=self.refused,
        )
        self.total = html()
        self._below = ipywidgets.VBox()
        self.begin([self.table, self.total, self._below])

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new."""
        if snapshot.topic == "positions":
            self._positions = snapshot.data
        else:
            self._margin = snapshot.data
        if self._positions is None:
            return
        margins = edges = pd.DataFrame()
        if self._margin is not None:
            margins, edges = self._margin.by_position(), self._margin.liquidation()
        rows = [
            self._row(str(symbol), position, _row_or_none(margins, symbol), _row_or_none(edges, symbol))
            for symbol, position in self._positions.iterrows()
        ]
        self.table.show(rows)
        show(self.total, _total(self._positions))

    def _row(self, symbol: str, position: Any, margin: Any, edge: Any) -> Row:
        currency = str(position["pnl_currency"])
        funding = float(position["unrealized_funding"])
        mode = str(position["margin_mode"])
        leverage = float(position["max_fixed_leverage"])
        if not math.isnan(leverage):
            mode += f" {leverage:g}\N{MULTIPLICATION SIGN}"
        return Row(
            key=symbol,
            label=f"{position['side']} {figures.number(float(position['size']))} {symbol}",
            actions=("close", "reverse") if self.table.actions else (),
            cells={
                "contract": Cell(symbol, mode),
                "side": figures.side(str(position["side"])),
                "size": Cell(
                    figures.number(float(position["size"])), f"{figures.money(float(position['notional']))} USD"
                ),
                "entry": Cell(
                    figures.price(float(position["entry_price"]), self.tick(symbol)),
                    f"mark {figures.price(float(position['mark_price']), self.tick(symbol))}",
                ),
                "pnl": figures.gain(
                    float(position["unrealized_pnl"]),
                    currency,
                    f"{currency}, funding {figures.money(funding, currency, sign=True)}",
                ),
                "margin": ""
                if margin is None
                else Cell(
                    figures.money(float(margin["initial_margin"]), str(margin["currency"])),
                    f"{margin['currency']}, {figures.percent(float(margin['share_of_equity']))} of equity",
                ),
                "liquidation": _edge(edge, self.tick(symbol)),
            },
        )

    # ---- close and reverse -------------------------------------------------------------------------------------

    def _on_click(self, click: Click) -> None:
        self.submit("Filling in the ticket", self._fill, click)

    def _fill(self, click: Click) -> None:
        positions = self._positions
        if positions is None or click.key not in positions.index:
            self.refused(f"There is no position in {click.key} any more.")
            return
        held = to_decimal(float(positions.loc[click.key, "signed_size"]))  # type: ignore[arg-type]
        closing = click.action == "close"
        self._open_ticket().fill(
            symbol=click.key,
            side="sell" if held > 0 else "buy",
            size=plain(abs(held) * (Decimal(1) if closing else Decimal(2))),
            order_type="mkt",
            reduce_only=closing,
        )
        text = "Nothing is sent yet: review the order in the ticket, then send it."
        show(self.status, render.message("note", f"{click.action.capitalize()} {click.key}: ticket filled in", text))

    def _open_ticket(self) -> Any:
        """The ticket to fill in; one of our own opens below."""
        if self._ticket is None:
            from .ticket import OrderTicket

            self._ticket = OrderTicket(self.client, panels=False)
            self._below.children = (self._ticket,)
        return self._ticket


def _row_or_none(frame: pd.DataFrame, label: Any) -> Any:
    if "symbol" in frame.columns:
        frame = frame.set_index("symbol")
    return frame.loc[label] if label in frame.index else None


def _edge(edge: Any, tick: float) -> Cell | str:
    if edge is None:
        return ""
    distance = float(edge["distance"])
    if math.isnan(distance):
        return Cell("none", "no price liquidates it")
    near = abs(distance) < NEAR
    away = f"{figures.percent(distance, sign=True)} away"
    return Cell(
        figures.price(float(edge["liquidation_price"]), tick),
        f"! near: {away}" if near else away,
        "bad" if near else "",
    )


def _total(positions: pd.DataFrame) -> str:
    if positions.empty:
        return ""
    sums = positions.groupby("pnl_currency")[["unrealized_pnl", "unrealized_funding"]].sum()
    parts = []
    for currency, row in sums.iterrows():
        cell = figures.gain(float(row["unrealized_pnl"]), str(currency))
        tone = f" class='kfut-tone-{cell.tone}'" if cell.tone else ""
        funding = figures.money(float(row["unrealized_funding"]), str(currency), sign=True)
        parts.append(
            f"<span class='kfut-figure'><span{tone}>{cell.text}</span> {currency}"
            f" <span class='kfut-label'>and funding {funding}</span></span>"
        )
    value = figures.money(float(positions["notional"].sum()))
    return (
        f"<div class='kfut-quote'><span class='kfut-label'>Together</span>{''.join(parts)}"
        f"<span class='kfut-figure'>{value} <span class='kfut-label'>USD in positions</span></span></div>"
    )
