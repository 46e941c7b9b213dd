"""The search for a contract over all that are listed, and the facts of the one that was chosen."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import ipywidgets
import pandas as pd

from ...contracts import is_inverse, underlying_of
from ...rules import row_of, unknown_symbol
from .. import render
from .finder import Finder
from .market import price_text


def describe(instrument: pd.Series[Any]) -> str:
    """A contract in a few words: ``XBT/USD perpetual, linear``."""
    kind = "inverse" if is_inverse(str(instrument["type"])) else "linear"
    expiry = instrument["last_trading_time"]
    term = "perpetual" if pd.isna(expiry) else f"expires {expiry:%d %b %Y}"
    base = instrument["base"] if not pd.isna(instrument["base"]) else instrument.name
    quote = instrument["quote"] if not pd.isna(instrument["quote"]) else "USD"
    return f"{base}/{quote} {term}, {kind}"


def _words(instrument: pd.Series[Any]) -> str:
    """Words that people use for a contract beside those that describe it."""
    dated = not pd.isna(instrument["last_trading_time"])
    return f"{underlying_of(str(instrument.name))} {'dated future' if dated else 'perp swap'}"


class ContractSearch(ipywidgets.VBox):  # type: ignore[misc]
    """A field in which a contract is found by any part of its symbol, underlying or kind.

    Attributes
    ----------
    field
        The field; its value is a symbol, or whatever else was typed.
    problem
        HTML widget that says what is wrong with it, empty if nothing is.
    facts
        HTML widget with tick, size step, kind, collateral, leverage and funding of the contract.
    """

    def __init__(self, symbol: str) -> None:
        self.field = Finder(
            "Contract",
            value=symbol,
            placeholder="symbol, coin or kind",
            nothing="No contract has all of these words.",
        )
        self.facts = ipywidgets.HTML()
        self.problem = ipywidgets.HTML()
        self.instruments = pd.DataFrame()
        super().__init__([self.field, self.problem, self.facts])

    @property
    def symbol(self) -> str:
        """The contract's symbol, upper case."""
        return str(self.field.value).strip().upper()

    def offer(self, instruments: pd.DataFrame) -> None:
        """Offer these contracts, those that have expired aside."""
        expired = instruments["is_expired"].fillna(value=False).astype(bool)
        self.instruments = instruments[~expired]
        perpetuals_first = self.instruments.sort_index().sort_values(
            "last_trading_time", na_position="first", kind="stable"
        )
        self.field.options = [[symbol, describe(row), _words(row)] for symbol, row in perpetuals_first.iterrows()]

    def complain(self, text: str = "") -> None:
        """Say what is wrong with the contract; without a text, whether there is one of that name at all."""
        if not text and len(self.instruments) and self.symbol not in self.instruments.index:
            text = str(unknown_symbol(self.symbol, self.instruments))
        self.problem.value = render.problem(text) if text else ""
        self.field.wrong = bool(text)

    def show_facts(self, ticker: pd.Series[Any] | None = None, now: pd.Timestamp | None = None) -> None:
        """Show the contract's facts; with its ticker and the exchange's time the funding, too."""
        if self.symbol not in self.instruments.index:
            self.facts.value = ""
            return
        row = row_of(self.instruments, self.symbol)
        items = "".join(
            f"<span><span class='kfut-label'>{escape(label)}</span> {escape(text)}</span>"
            for label, text in facts(row, ticker, now)
        )
        self.facts.value = f"<div class='kfut-facts' aria-label='Facts of the contract'>{items}</div>"


def facts(
    row: pd.Series[Any], ticker: pd.Series[Any] | None = None, now: pd.Timestamp | None = None
) -> list[tuple[str, str]]:
    """Label and text of each fact."""
    tick, margin = float(row["tick_size"]), float(row["initial_margin"])
    unit = "USD" if is_inverse(str(row["type"])) else str(row["base"])
    shown = [
        ("", describe(row)),
        ("Tick", price_text(tick, tick)),
        ("Smallest size", f"{float(row['size_step']):,.10g} ({float(row['contract_size']):g} {unit} a contract)"),
        ("Collateral", underlying_of(str(row.name)) if unit == "USD" else "multi-collateral wallet"),
        ("Leverage", "n/a" if not margin > 0 else f"up to {1 / margin:.0f}"),
    ]
    if ticker is None or math.isnan(rate := float(ticker["relative_funding_rate"])):
        return shown
    side = "longs pay" if rate > 0 else "shorts pay" if rate < 0 else "nobody pays"
    shown.append(("Funding", f"{rate * 100:+.4f} % an hour, {side}"))
    # The exchange says the prediction per contract, in the quote currency, or in coin where the contract is inverse.
    index, predicted = float(ticker["index_price"]), float(ticker["funding_rate_prediction"])
    coming = predicted * index if unit == "USD" else predicted / index
    if now is not None and not math.isnan(coming):
        shown.append((f"From {now.floor('h') + pd.Timedelta(hours=1):%H:%M} UTC", f"{coming * 100:+.4f} % expected"))
    return shown
