"""The report's tables as text cells."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..margin import FLEX, percent
from ..pnl import NON_TRADING, amount
from .data import ReportData

DAYS_SHOWN = 92
"""Rows of the daily table; earlier days are in the figures but not listed."""

DAYS_RANKED = 5
"""Best and worst days shown; fewer than twice as many days are not ranked."""


@dataclass(frozen=True)
class Cell:
    """One cell: its text, whether it is a number, and whether that is below zero."""

    text: str
    numeric: bool = False
    negative: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes
    ----------
    heads
        Column heads.
    rows
        Cells, as many per row.
    empty
        The sentence shown when there are no rows.
    emphasised
        Numbers of the rows that are set apart.
    """

    heads: list[str]
    rows: list[list[Cell]]
    empty: str = ""
    emphasised: set[int] = field(default_factory=set)

    @property
    def numeric(self) -> list[bool]:
        """Whether each column holds numbers."""
        first: Iterable[Cell] = self.rows[0] if self.rows else [Cell("") for _ in self.heads]
        return [cell.numeric for cell in first]


def words(value: object) -> Cell:
    """Text; a missing one as n/a."""
    return Cell("n/a" if pd.isna(value) else str(value))  # type: ignore[call-overload]


def money(value: float, currency: str, *, sign: bool = False) -> Cell:
    """An amount of its currency."""
    text = amount(value, currency, sign=sign)
    return Cell(text.replace("-", "\N{MINUS SIGN}"), numeric=True, negative=text.startswith("-"))


def number(value: float) -> Cell:
    """A size or a price: all its digits, n/a when missing."""
    text = "n/a" if math.isnan(value) else f"{value:,.8f}".rstrip("0").rstrip(".")
    return Cell(text.replace("-", "\N{MINUS SIGN}"), numeric=True)


def share(value: float) -> Cell:
    """A fraction as a percentage."""
    return Cell(percent(value), numeric=True)


def count(value: int) -> Cell:
    """A whole number."""
    return Cell(f"{value:,}", numeric=True)


def balances(data: ReportData) -> Table:
    """What each wallet holds; empty balances are left out."""
    rows = [
        [
            Cell(row["account"]),
            Cell(row["currency"]),
            money(row["quantity"], row["currency"]),
            money(row["value_usd"], "USD"),
            money(row["collateral_usd"], "USD"),
            money(row["available"], row["currency"]),
        ]
        for row in sorted(data.balances.to_dict("records"), key=lambda row: row["account"] != FLEX)
        if row["quantity"]
    ]
    heads = ["Wallet", "Currency", "Balance", "Value, USD", "Collateral, USD", "Available"]
    return Table(heads, rows, "All wallets are empty.")


_BRIDGE = {
    "opening": "Opening balance",
    "realized_pnl": "Realised P&L",
    "fee": "Fees",
    "realized_funding": "Funding",
    **{kind: kind.capitalize() for kind in NON_TRADING},
    "rounding": "Rounding",
    "unexplained": "Unexplained",
    "closing": "Closing balance",
}
_ALWAYS = {"opening", "realized_pnl", "fee", "realized_funding", "transfer", "unexplained", "closing"}


def bridge(data: ReportData) -> Table:
    """From opening to closing balance: one column per wallet and currency, one row per class of entries."""
    balances = data.pnl.reconcile()
    columns = list(balances.to_dict("records"))
    rows: list[list[Cell]] = []
    emphasised: set[int] = set()
    for name, label in _BRIDGE.items():
        if name not in _ALWAYS and not balances[name].any():
            continue
        cells = [
            money(-row[name] if name == "fee" else row[name], row["currency"], sign=name not in ("opening", "closing"))
            for row in columns
        ]
        if name in ("opening", "closing"):
            emphasised.add(len(rows))
        rows.append([Cell(label), *cells])
    heads = ["", *(f"{row['account']} {row['currency']}" for row in columns)]
    return Table(heads, rows if columns else [], "The account log has no entries in this period.", emphasised)


def summary(data: ReportData) -> Table:
    """P&L per currency."""
    frame = data.pnl.summary()
    frame = frame[(frame["trades"] > 0) | frame[["realized_pnl", "fee", "realized_funding"]].any(axis=1)]
    rows = [[Cell(str(code)), *_pnl_cells(row, str(code)), count(row["trades"])] for code, row in _records(frame)]
    heads = ["Currency", *_PNL_HEADS, "Trades"]
    return Table(heads, rows, "No trades and no funding in this period.")


def by_contract(data: ReportData) -> Table:
    """P&L per contract and currency."""
    rows = [
        [Cell(row["contract"]), Cell(row["currency"]), *_pnl_cells(row, row["currency"]), count(row["trades"])]
        for row in data.pnl.by_contract().to_dict("records")
    ]
    heads = ["Contract", "Currency", *_PNL_HEADS, "Trades"]
    return Table(heads, rows, "No trades and no funding in this period.")


_PNL_HEADS = ["Realised P&L", "Fees", "Funding", "Net"]


def _pnl_cells(row: Any, currency: str) -> list[Cell]:
    return [
        money(row["realized_pnl"], currency, sign=True),
        money(-row["fee"], currency, sign=True),
        money(row["realized_funding"], currency, sign=True),
        money(row["net"], currency, sign=True),
    ]


def daily(data: ReportData) -> Table:
    """P&L per day, newest first."""
    frame = data.pnl.daily().iloc[::-1].iloc[:DAYS_SHOWN]
    rows = [
        [
            Cell(f"{date:%Y-%m-%d}"),
            Cell(row["currency"]),
            *_pnl_cells(row, row["currency"]),
            money(row["cumulative"], row["currency"], sign=True),
        ]
        for date, row in _records(frame)
    ]
    heads = ["Day", "Currency", *_PNL_HEADS, "Cumulative net"]
    return Table(heads, rows, "No trades and no funding in this period.")


def extreme_days(data: ReportData) -> Table:
    """The best and the worst days of each currency."""
    rows = []
    for currency, days in data.pnl.daily().groupby("currency"):
        if len(days) < 2 * DAYS_RANKED:
            continue
        ranked = days["net"].sort_values(ascending=False, kind="stable")
        best, worst = ranked.iloc[:DAYS_RANKED], ranked.iloc[::-1].iloc[:DAYS_RANKED]
        for rank, (good, bad) in enumerate(zip(best.items(), worst.items(), strict=True), start=1):
            rows.append(
                [
                    Cell(str(currency)),
                    count(rank),
                    Cell(f"{good[0]:%Y-%m-%d}"),
                    money(good[1], str(currency), sign=True),
                    Cell(f"{bad[0]:%Y-%m-%d}"),
                    money(bad[1], str(currency), sign=True),
                ]
            )
    heads = ["Currency", "Rank", "Best day", "Net", "Worst day", "Net"]
    return Table(heads, rows, f"n/a: fewer than {2 * DAYS_RANKED} days with P&L.")


def usage(data: ReportData) -> Table:
    """Margin per wallet."""
    rows = []
    for row in data.margin.usage().to_dict("records"):
        code = row["currency"]
        figures = ["equity", "initial_margin", "maintenance_margin", "available_margin"]
        leverage = row["effective_leverage"]
        rows.append(
            [
                Cell(row["account"]),
                Cell(code),
                *(money(row[name], code) for name in figures),
                share(row["usage"]),
                share(row["maintenance_usage"]),
                Cell("n/a" if math.isnan(leverage) else f"{leverage:.2f}", numeric=True),
                money(row["initial_margin_difference"], code, sign=True),
            ]
        )
    heads = ["Wallet", "Currency", "Equity", "Initial margin", "Maintenance margin", "Available", "Margin usage",
             "Maintenance usage", "Leverage", "Exchange less tiers"]  # fmt: skip
    return Table(heads, rows)


def positions(data: ReportData) -> Table:
    """Open positions with their margin."""
    held = data.margin.by_position()
    rows = []
    for symbol, row in _records(held):
        position = data.positions.loc[symbol]
        code = row["pnl_currency"] if isinstance(row["pnl_currency"], str) else row["currency"]
        rows.append(
            [
                Cell(str(symbol)),
                words(row["side"]),
                number(row["size"]),
                number(_price(position["entry_price"])),
                number(_price(row["mark_price"])),
                money(row["notional"], "USD"),
                money(row["unrealized_pnl"], code, sign=True),
                money(position["unrealized_funding"], code, sign=True),
                Cell(code),
                money(row["initial_margin"], row["currency"]),
                share(row["share_of_equity"]),
                words(row["margin_mode"]),
            ]
        )
    heads = ["Contract", "Side", "Size", "Entry", "Mark", "Value, USD", "Unrealised P&L", "Unrealised funding", "in",
             "Initial margin", "Share of equity", "Mode"]  # fmt: skip
    return Table(heads, rows, "No open positions.")


def open_orders(data: ReportData) -> Table:
    """Open orders, newest first."""
    rows = [
        [
            Cell(f"{row['received_time']:%Y-%m-%d %H:%M}"),
            words(row["symbol"]),
            words(row["side"]),
            words(row["order_type"]),
            number(row["size"]),
            number(row["filled_size"]),
            number(row["limit_price"]),
            number(row["stop_price"]),
            Cell("yes" if row["reduce_only"] is True else "no"),
        ]
        for row in data.open_orders.sort_values("received_time", ascending=False).to_dict("records")
    ]
    heads = ["Received, UTC", "Contract", "Side", "Type", "Size", "Filled", "Limit", "Trigger", "Reduce only"]
    return Table(heads, rows, "No open orders.")


def _price(value: float) -> float:
    """A price with at most eight significant digits: averages have many more than anyone reads."""
    return float(f"{value:.8g}")


def _records(frame: pd.DataFrame) -> Iterable[tuple[Any, dict[Any, Any]]]:
    return zip(frame.index, frame.to_dict("records"), strict=True)
