"""The contract's market on the ticket: its quote with its age, and the best levels of its book to click on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from ...contracts import plain, to_decimal
from ..sources import Quote

LEVELS = 5
"""Levels of the book that are shown on each side."""

OLD = 5
"""Seconds after which a quote is marked as old."""


class MarketView(anywidget.AnyWidget):
    """Quote strip and depth ladder of one contract.

    Attributes
    ----------
    figures
        Label and text of each figure of the strip.
    levels
        The ladder from top to bottom: side, price as text and as a value, size, share of the largest, own size.
    stamp
        Changes with every quote, so that the page counts its age anew.
    trouble
        Why there is no newer quote; empty if there is.
    """

    _esm = Path(__file__).with_name("market.js")

    figures: Any = traitlets.List().tag(sync=True)
    levels: Any = traitlets.List().tag(sync=True)
    stamp = traitlets.Unicode("").tag(sync=True)
    trouble = traitlets.Unicode("").tag(sync=True)
    old = traitlets.Int(OLD).tag(sync=True)

    def __init__(self, on_price: Callable[[str], None]) -> None:
        super().__init__()
        self._on_price = on_price
        self.on_msg(self._on_message)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if isinstance(price := content.get("price"), str):
            self._on_price(price)

    def show(self, quote: Quote, tick: float, own: pd.DataFrame, stamp: str) -> None:
        """Show a quote.

        Parameters
        ----------
        tick
            The contract's price step; NaN where it is not known.
        own
            The account's open orders in the contract.
        stamp
            Another one than that of the quote before.
        """
        with self.hold_sync():
            self.figures = figures(quote, tick)
            self.levels = ladder(quote.book, tick, own)
            self.trouble = ""
            self.stamp = stamp

    def clear(self) -> None:
        """Show nothing: the former quote is another contract's."""
        with self.hold_sync():
            self.levels = []
            self.figures = [[label, "…"] for label, _ in self.figures]
            self.trouble = ""
            self.stamp = ""


def price_text(price: float, tick: float) -> str:
    """A price with the tick's decimals; one more where it lies between two ticks."""
    if math.isnan(price):
        return "n/a"
    step = to_decimal(tick if tick > 0 else 1e-6)
    decimals = max(0, -int(step.normalize().as_tuple().exponent))
    on_grid = abs(price - round(price, decimals)) < 1e-9 * abs(price)
    return f"{price:,.{decimals if on_grid else decimals + 1}f}"


def figures(quote: Quote, tick: float) -> list[list[str]]:
    """The strip's labels and texts."""
    ticker = quote.ticker
    bid, ask = float(ticker["bid"]), float(ticker["ask"])
    spread = (ask - bid) / ((ask + bid) / 2) * 1e4
    funding = float(ticker["relative_funding_rate"])
    shown = [
        ["Bid", price_text(bid, tick)],
        ["Ask", price_text(ask, tick)],
        ["Spread", "n/a" if math.isnan(spread) else f"{spread:.1f} bps"],
        ["Mark", price_text(float(ticker["mark_price"]), tick)],
        ["Index", price_text(float(ticker["index_price"]), tick)],
        ["Funding", "none" if math.isnan(funding) else f"{funding * 100:+.4f} %/h"],
    ]
    states = [word for word in ("suspended", "post_only") if not pd.isna(ticker[word]) and bool(ticker[word])]
    return [*shown, ["State", ", ".join(states).replace("_", "-") or "open"]]


def ladder(book: pd.DataFrame, tick: float, own: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The ladder's rows: asks from far to near, then bids from near to far."""
    mine = own[own["stop_price"].isna()].groupby(["side", "limit_price"])["unfilled_size"].sum().to_dict()
    sides = {side: book[book["side"] == side].head(LEVELS) for side in ("ask", "bid")}
    largest = max((float(levels["size"].max()) for levels in sides.values() if len(levels)), default=1.0)
    rows: list[Mapping[str, Any]] = []
    for side, levels in (("ask", sides["ask"].iloc[::-1]), ("bid", sides["bid"])):
        for price, size in zip(levels["price"], levels["size"], strict=True):
            held = mine.get(("sell" if side == "ask" else "buy", float(price)), 0.0)
            rows.append(
                {
                    "side": side,
                    "price": price_text(float(price), tick),
                    "value": plain(to_decimal(float(price))),
                    "size": f"{float(size):,.10g}",
                    "share": round(100 * float(size) / largest, 1),
                    "own": f"{held:,.10g}" if held else "",
                }
            )
    return rows
