"""Made-up accounts valued at made-up prices: an `Equity` without an exchange, and an independent valuation of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from kfut_analytics.accounting.ledger import Ledger, cash_of
from kfut_analytics.accounting.prices import FundingLine, PriceLine, Rates
from kfut_analytics.accounting.timeline import timeline
from kfut_analytics.accounting.track import track_of
from kfut_analytics.accounting.valuation import Books
from kfut_analytics.equity import Equity
from tests.accounts import LISTED, Account, Listed

Points = tuple[list[datetime], list[float]]
"""A price that goes in straight lines from point to point."""

BY_SYMBOL: dict[str, Listed] = {listed.symbol: listed for listed in LISTED}


@dataclass(frozen=True)
class Prices:
    """Mark prices by contract, and prices in USD by currency, as the account log spells them: in lower case."""

    marks: Mapping[str, Points]
    usd: Mapping[str, Points]

    def mark(self, symbol: str, when: datetime) -> float:
        return _at(self.marks[symbol], when)

    def rate(self, currency: str, when: datetime, of: str) -> float:
        return self._usd(currency, when) / self._usd(of, when)

    def _usd(self, currency: str, when: datetime) -> float:
        return 1.0 if currency == "usd" else _at(self.usd[currency], when)


def _at(points: Points, when: datetime) -> float:
    times, prices = points
    return float(np.interp(when.timestamp(), [time.timestamp() for time in times], prices))


def naive(times: Any) -> np.ndarray:
    return pd.DatetimeIndex(times).tz_localize(None).to_numpy(dtype="datetime64[us]")


def _line(points: Points) -> PriceLine:
    return PriceLine.of_points(naive(points[0]), np.array(points[1], dtype=np.float64))


def equity_of(
    log: pd.DataFrame,
    times: list[datetime],
    prices: Prices,
    currency: str = "usd",
    funding: Mapping[Listed, pd.DataFrame] | None = None,
) -> Equity:
    """The account of a log valued at some times; without rates there is no funding that accrues."""
    ledger = Ledger(log)
    cash = cash_of(ledger)
    track = track_of(ledger, cash)
    rates = Rates(currency.upper(), {code.upper(): _line(points) for code, points in prices.usd.items()})
    marks = {symbol.upper(): _line(points) for symbol, points in prices.marks.items()}
    accruing = {listed.symbol.upper(): FundingLine.of_rates(frame) for listed, frame in (funding or {}).items()}
    books = Books(ledger, cash, track, timeline(ledger, track), rates, marks, accruing)
    return Equity(
        books,
        naive(times),
        currency=currency.upper(),
        resolution="1h",
        env="paper",
        account_name="made up",
        price_notes=[],
        exchange=None,
    )


def value_of(made: Account, when: datetime, prices: Prices, currency: str = "usd") -> float:
    """What an account was worth after everything that happened until then, read row by row."""
    balances: dict[str, Fraction] = defaultdict(Fraction)
    positions: dict[str, tuple[Fraction, Fraction]] = {}
    for row in made.rows:
        if row["date"] > when:
            break
        if row["asset"] == row["contract"]:
            positions[row["asset"]] = row["new_balance"], row["new_average_entry_price"]
        elif row["asset"] != "fee":
            balances[row["asset"]] += row["new_balance"] - row["old_balance"]
    worth = sum(float(amount) * prices.rate(code, when, currency) for code, amount in balances.items())
    for symbol, (size, entry) in positions.items():
        if size:
            listed, mark = BY_SYMBOL[symbol], prices.mark(symbol, when)
            pnl = float(size) * ((1 / float(entry) - 1 / mark) if listed.inverse else (mark - float(entry)))
            worth += pnl * prices.rate(listed.currency, when, currency)
    return worth
