"""An account at a glance: equity, margin usage, positions, quotes of what is held, and alerts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from ..client import Client
from ..errors import ArgumentError
from ..margin import Margin
from ..times import utc_now
from . import figures, render
from .blotter import Panels
from .feed import Snapshot, Update
from .panel import Panel, html, show
from .positions import PositionsPanel
from .presence import Presence
from .table import Cell, Column, Row, Table

_KEPT = 5
"""Alerts that are over and still shown."""

_QUOTES = (
    Column("contract", "Contract"),
    Column("bid", "Bid", "right"),
    Column("ask", "Ask", "right"),
    Column("mark", "Mark", "right"),
    Column("index", "Index", "right"),
    Column("funding", "Funding per hour", "right", "Relative to the index; longs pay when positive"),
    Column("change", "24 h", "right", "Change in 24 hours"),
)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to look at: what, since when, and until when (None while it lasts)."""

    title: str
    text: str
    since: pd.Timestamp
    until: pd.Timestamp | None = None


class _Figures(Panel):
    """Equity, margin usage and alerts."""

    title = "Account"
    topics = frozenset({"account", "margin", "positions"})

    def __init__(self, client: Client, usage_alert: float, liquidation_alert: float, presence: Presence) -> None:
        super().__init__(client, presence=presence)
        self._usage_alert, self._liquidation_alert = usage_alert, liquidation_alert
        self.active: dict[str, Alert] = {}
        self.past: list[Alert] = []
        self.figures = html()
        self.alerts = html()
        self.begin([self.alerts, self.figures])

    def _on_update(self, update: Update) -> None:
        super()._on_update(update)
        lost = next(iter(self._troubles.values()), None)
        self._alert("connection", ("Connection trouble", str(lost.error)) if lost else None)
        self._show_alerts()

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new."""
        if snapshot.topic == "margin":
            self._on_margin(snapshot.data)

    def _on_margin(self, margin: Margin) -> None:
        usage = margin.usage()
        tiles = [tile for wallet in usage.to_dict("records") for tile in self._tiles(wallet, margin)]
        show(self.figures, f"<div class='kfut-tiles'>{''.join(tiles)}</div>")
        seen = set()
        for wallet in usage.to_dict("records"):
            name, used = str(wallet["account"]), float(wallet["maintenance_usage"])
            seen.add(f"usage {name}")
            over = used >= self._usage_alert
            text = (
                f"{name}: maintenance margin is {figures.percent(used)} of equity; the exchange liquidates at 100 %. "
                f"You asked to be told from {figures.percent(self._usage_alert, 0)}."
            )
            self._alert(f"usage {name}", ("Margin usage is high", text) if over else None)
        for symbol, edge in margin.liquidation().iterrows():
            seen.add(f"liquidation {symbol}")
            distance = float(edge["distance"])
            near = abs(distance) < self._liquidation_alert  # NaN: no price liquidates it
            price = figures.price(float(edge["liquidation_price"]), self.tick(str(symbol)))
            away = figures.percent(distance, sign=True)
            text = f"{symbol} is liquidated at about {price}, {away} from the mark price."
            self._alert(f"liquidation {symbol}", ("Liquidation is near", text) if near else None)
        for key in [key for key in self.active if key != "connection" and key not in seen]:
            self._alert(key, None)

    def _tiles(self, wallet: dict[Any, Any], margin: Margin) -> list[str]:
        name, currency = str(wallet["account"]), str(wallet["currency"])

        def money(column: str) -> str:
            return figures.money(float(wallet[column]), currency)

        used, kept = float(wallet["usage"]), float(wallet["maintenance_usage"])
        tiles = [
            _tile(f"Equity, {name}", f"{money('portfolio_value')} {currency}", f"{money('equity')} counts as margin"),
            _tile("Available margin", f"{money('available_margin')} {currency}", "for new positions"),
            _tile(
                "Margin usage",
                figures.percent(used),
                f"{money('initial_margin')} {currency} required",
                _meter("Margin usage", used, over=used >= 1),
            ),
            _tile(
                "Maintenance usage",
                figures.percent(kept),
                "liquidation at 100 %",
                _meter("Maintenance usage", kept, over=kept >= self._usage_alert),
            ),
        ]
        if name == "flex":
            pnl = figures.gain(margin.account.unrealized_pnl)
            tiles.insert(1, _tile("Unrealised P&L", f"{pnl.text} USD", "without funding", tone=pnl.tone))
        return tiles

    def _alert(self, key: str, what: tuple[str, str] | None) -> None:
        """Note what lasts, and what is over."""
        before, now = self.active.get(key), utc_now()
        if what is not None:
            self.active[key] = Alert(*what, now if before is None else before.since)
        elif before is not None:
            del self.active[key]
            self.past = [Alert(before.title, before.text, before.since, now), *self.past][:_KEPT]

    def _show_alerts(self) -> None:
        lasting = [
            render.message("bad", f"{alert.title}, since {alert.since:%H:%M:%S} UTC", alert.text)
            for alert in self.active.values()
        ]
        over = [
            f"<li>{escape(alert.title)}: {alert.since:%H:%M:%S} to {alert.until:%H:%M:%S} UTC</li>"
            for alert in self.past
            if alert.until is not None
        ]
        quiet = "" if lasting else "<div class='kfut-label'>✓ No alerts now.</div>"
        past = f"<details class='kfut-label'><summary>{len(over)} over</summary><ul>{''.join(over)}</ul></details>"
        show(self.alerts, f"<div class='kfut-alerts'>{''.join(lasting)}{quiet}{past if over else ''}</div>")


class _Quotes(Panel):
    """Quotes of what is held."""

    title = "Quotes of what is held"
    topics = frozenset({"tickers", "positions"})

    def __init__(self, client: Client, presence: Presence) -> None:
        super().__init__(client, presence=presence)
        self._held: list[str] = []
        self._tickers: pd.DataFrame | None = None
        self.table = Table(self.title, _QUOTES, empty="Nothing is held.")
        self.begin([self.table])

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new."""
        if snapshot.topic == "positions":
            self._held = [str(symbol) for symbol in snapshot.data.index]
        else:
            self._tickers = snapshot.data
        if self._tickers is not None:
            held = [symbol for symbol in self._held if symbol in self._tickers.index]
            self.table.show(self._row(symbol, self._tickers.loc[symbol]) for symbol in held)

    def _row(self, symbol: str, ticker: Any) -> Row:
        tick = self.tick(symbol)
        suspended = not figures.missing(ticker["suspended"]) and bool(ticker["suspended"])
        change = float(ticker["change_24h"])
        return Row(
            key=symbol,
            cells={
                "contract": Cell(symbol, "! suspended" if suspended else "", "bad" if suspended else ""),
                **{
                    name: figures.price(float(ticker[column]), tick)
                    for name, column in (
                        ("bid", "bid"),
                        ("ask", "ask"),
                        ("mark", "mark_price"),
                        ("index", "index_price"),
                    )
                },
                "funding": figures.percent(float(ticker["relative_funding_rate"]), 4, sign=True),
                "change": Cell(
                    figures.percent(change / 100, 2, sign=True),
                    tone="" if math.isnan(change) or not change else "good" if change > 0 else "bad",
                ),
            },
        )


class Monitor(Panels):
    """An account at a glance, up to date. Shown by the notebook cell that ends with it.

    Parameters
    ----------
    client
        Whose account it is.
    usage_alert
        Maintenance margin over equity from which it alerts; the exchange liquidates at 1.
    liquidation_alert
        Distance to a position's liquidation, as a fraction of its mark price, below which it alerts.
    presence
        That of the box which the monitor is put into; without one it stands alone.

    Raises
    ------
    ArgumentError
        If a threshold is not between 0 and 1.
    """

    def __init__(
        self,
        client: Client,
        *,
        usage_alert: float = 0.5,
        liquidation_alert: float = 0.1,
        presence: Presence | None = None,
    ) -> None:
        for name, value in (("usage_alert", usage_alert), ("liquidation_alert", liquidation_alert)):
            if isinstance(value, bool) or not 0 < value < 1:
                raise ArgumentError(f"{name}={value!r} is not between 0 and 1: give a fraction such as 0.5")
        super().__init__("monitor", presence)
        self.account = _Figures(client, usage_alert, liquidation_alert, self.presence)
        self.positions = PositionsPanel(client, actions=False, presence=self.presence)
        self.quotes = _Quotes(client, self.presence)
        self.stack([self.account, self.positions, self.quotes])

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """What lasts now."""
        return tuple(self.account.active.values())


def _tile(label: str, value: str, below: str, meter: str = "", tone: str = "") -> str:
    tone = f" kfut-tone-{tone}" if tone else ""
    return (
        f"<div class='kfut-tile'><span class='kfut-label'>{escape(label)}</span>"
        f"<span class='kfut-value{tone}'>{escape(value)}</span>{meter}"
        f"<span class='kfut-label'>{escape(below)}</span></div>"
    )


def _meter(label: str, fraction: float, *, over: bool) -> str:
    share = 0.0 if math.isnan(fraction) else min(max(fraction, 0.0), 1.0) * 100
    return (
        f"<div class='kfut-meter{' kfut-over' if over else ''}' role='meter' aria-label='{escape(label)}' "
        f"aria-valuemin='0' aria-valuemax='100' aria-valuenow='{share:.1f}'>"
        f"<div style='width:{share:.1f}%'></div></div>"
    )
