"""What an order would do, as figures and in words. Nothing is sent."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pandas as pd

from ..accounting.amounts import MONEY
from ..contracts import to_decimal
from ..limits import Limits
from .effect import Level
from .market import Market
from .order import Order
from .preview_html import page


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do, estimated from the present book and account. Nothing is sent.

    Figures named ``…_after`` tell of the account once the whole order is filled, unless they say otherwise.

    Attributes
    ----------
    order
        With exact size and prices.
    env, time
        Environment, and the exchange's time of the facts (UTC).
    bid, ask, mark_price
        The quote, in the quote currency.
    tick_size
        The contract's price step; decides how many decimals a price is shown with.
    immediate_size, immediate_price
        Contracts that the book would fill at once, and their average price; NaN price where nothing fills.
    resting_size
        Contracts that would stay in the book, or wait for the trigger.
    slippage_bps
        Immediate price against the middle of bid and ask, in basis points; positive is worse.
    notional
        Value in USD.
    fee, fee_currency
        Estimated fee: of a taker for what fills at once and after a trigger, of a maker for what rests.
    position_before, position_after
        Signed contracts.
    initial_margin_before, initial_margin_after, margin_currency
        What the wallet's positions require, open orders aside.
    available_margin
        What is free now, in ``margin_currency``; NaN where unknown.
    warnings
        Sentences for a person.
    fills
        What fills at once, level by level, the best price first.
    worst_price
        The worst price at which the order can fill at once; NaN for one that waits for a trigger.
    trigger_price
        Where the trigger would be now; NaN without one.
    slippage, slippage_cost
        The same as ``slippage_bps`` in the quote currency per contract, and in ``fee_currency`` for all contracts.
    fee_maker, fee_taker, fee_source
        The fee if a maker or a taker paid for the whole order, and where the rates come from.
    margin_usage_before, margin_usage_after
        Initial margin as a fraction of the wallet's equity.
    available_margin_after
        What is free as soon as the order is accepted: fills at once are booked, the rest waits.
    liquidation_price_before, liquidation_price_after
        Estimate of the mark price at which this market alone would liquidate the position; NaN where none does.
    read_at
        When the first of the facts was asked for, on this machine's monotonic clock.
    market
        The facts themselves.
    limits
        The user's limits that it was held against; None where no rule but the contract's grid was checked.
    """

    order: Order
    env: str
    time: pd.Timestamp
    bid: float
    ask: float
    mark_price: float
    tick_size: float
    immediate_size: float
    immediate_price: float
    resting_size: float
    slippage_bps: float
    notional: float
    fee: float
    fee_currency: str
    position_before: float
    position_after: float
    initial_margin_before: float
    initial_margin_after: float
    margin_currency: str
    available_margin: float
    warnings: tuple[str, ...] = ()
    fills: tuple[Level, ...] = ()
    worst_price: float = math.nan
    trigger_price: float = math.nan
    slippage: float = math.nan
    slippage_cost: float = math.nan
    fee_maker: float = math.nan
    fee_taker: float = math.nan
    fee_source: str = ""
    margin_usage_before: float = math.nan
    margin_usage_after: float = math.nan
    available_margin_after: float = math.nan
    liquidation_price_before: float = math.nan
    liquidation_price_after: float = math.nan
    read_at: float = math.nan
    market: Market | None = field(default=None, repr=False, compare=False)
    limits: Limits | None = field(default=None, repr=False, compare=False)

    @property
    def age(self) -> float:
        """Seconds since the first of its facts was asked for; NaN where they were not read."""
        return time.monotonic() - self.read_at

    @property
    def margin_needed(self) -> float:
        """Margin that the order takes from what is available, its fee and its loss against the mark price included."""
        taken = self.available_margin - self.available_margin_after
        return self.initial_margin_after - self.initial_margin_before if math.isnan(taken) else taken

    def lines(self) -> list[tuple[str, str]]:
        """Label and text of each figure, for rendering."""
        quote = {"bid": self.bid, "ask": self.ask, "mark": self.mark_price}
        coin = self.margin_currency
        return [
            ("Quote", ", ".join(f"{name} {self.price_text(value)}" for name, value in quote.items())),
            ("At once", self._at_once()),
            *self._slippage(),
            ("Resting", self._resting()),
            ("Notional", f"{self.notional:,.2f} USD"),
            *self._fees(),
            ("Position", f"{contracts_text(self.position_before)} → {contracts_text(self.position_after)} contracts"),
            ("Initial margin", f"{_change(self.initial_margin_before, self.initial_margin_after, coin)} {coin}"),
            *self._usage(),
            ("Available margin", f"{_change(self.available_margin, self.available_margin_after, coin)} {coin}"),
            *self._liquidation(),
        ]

    def margin_sentence(self) -> str:
        """How much margin the order needs, and how much is available."""
        coin = self.margin_currency
        return (
            f"It needs about {money_text(self.margin_needed, coin)} {coin} of initial margin; "
            f"{money_text(self.available_margin, coin)} {coin} is available."
        )

    def _at_once(self) -> str:
        if not self.immediate_size > 0:
            return "nothing fills at once"
        text = f"{self.immediate_size:,.10g} at {self.price_text(self.immediate_price)} on average"
        if len(self.fills) > 1:
            text += f", {len(self.fills)} levels to {self.price_text(self.fills[-1].price)}"
        return text

    def _slippage(self) -> list[tuple[str, str]]:
        if math.isnan(self.slippage):
            return []
        each = f"{self.slippage_bps:+.1f} bps from mid, {self.price_text(self.slippage, sign=True)} a contract"
        return [("Slippage", f"{each}, {money_text(self.slippage_cost, self.fee_currency)} {self.fee_currency} in all")]

    def _resting(self) -> str:
        text = f"{self.resting_size:,.10g} contracts"
        return text if math.isnan(self.trigger_price) else f"{text}, trigger at {self.price_text(self.trigger_price)}"

    def _fees(self) -> list[tuple[str, str]]:
        coin = self.fee_currency
        lines = [("Fee (estimate)", f"{money_text(self.fee, coin)} {coin}")]
        if not math.isnan(self.fee_maker):
            both = f"{money_text(self.fee_maker, coin)} or {money_text(self.fee_taker, coin)} {coin}"
            lines += [("As maker or taker", both), ("Fee rates", self.fee_source)]
        return lines

    def _usage(self) -> list[tuple[str, str]]:
        both = (self.margin_usage_before, self.margin_usage_after)
        if all(math.isnan(usage) for usage in both):
            return []
        return [("Margin usage", " → ".join("n/a" if math.isnan(usage) else f"{usage:.1%}" for usage in both))]

    def _liquidation(self) -> list[tuple[str, str]]:
        before, after = self.liquidation_price_before, self.liquidation_price_after
        if math.isnan(before) and math.isnan(after):
            return []
        text = " → ".join(
            "none" if math.isnan(price) else self.price_text(price, whole=True) for price in (before, after)
        )
        distance = "n/a" if math.isnan(after) else f"{after / self.mark_price - 1:+.1%} from mark"
        return [("Liquidation (estimate)", text), ("Its distance after", distance)]

    def price_text(self, price: float, *, sign: bool = False, whole: bool = False) -> str:
        """A price with one decimal more than the tick has, where it is between two ticks.

        Parameters
        ----------
        price
            In the quote currency.
        sign
            Whether a plus is shown.
        whole
            Whether it is shown with the tick's decimals in any case.
        """
        if math.isnan(price):
            return "n/a"
        tick = to_decimal(self.tick_size) if self.tick_size > 0 else Decimal("1e-10")
        decimals = max(0, -int(tick.normalize().as_tuple().exponent))
        on_grid = whole or abs(price - round(price, decimals)) < 1e-9 * abs(price)
        return f"{price:{'+' if sign else ''},.{decimals if on_grid else decimals + 1}f}"

    def __repr__(self) -> str:
        head = f"{self.env.upper()} preview, {self.time:%H:%M:%S} UTC: {self.order}"
        body = [f"  {label:<24}{text}" for label, text in self.lines()]
        return "\n".join([head, *body, *(f"  ! {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        head = f"{self.env.upper()} preview, {self.time:%H:%M:%S} UTC"
        fills = [(f"{level.size:,.10g}", self.price_text(level.price)) for level in self.fills]
        return page(self.env, head, str(self.order), _groups(self.lines()), fills, self.warnings)


def _groups(lines: Sequence[tuple[str, str]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The figures by what they are about."""
    of_account = {"Position", "Initial margin", "Margin usage", "Available margin", "Liquidation (estimate)",
                  "Its distance after"}  # fmt: skip
    groups: dict[str, list[tuple[str, str]]] = {}
    for label, text in lines:
        title = "The account after it" if label in of_account else "The order"
        groups.setdefault(title, []).append((label, text))
    return list(groups.items())


def contracts_text(size: float) -> str:
    """Signed contracts."""
    return f"{size:+,.10g}" if size else "0"


def money_text(value: float, currency: str) -> str:
    """An amount: two decimals for money, more where it is less than a cent; eight digits for coins."""
    if math.isnan(value):
        return "n/a"
    if value == 0 or (currency.upper() in MONEY and abs(value) >= 0.1):
        return f"{value:,.2f}"
    return f"{value:,.8f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.2f}"


def _change(before: float, after: float, currency: str) -> str:
    if math.isnan(after):
        return money_text(before, currency)
    return f"{money_text(before, currency)} → {money_text(after, currency)}"
