"""The value of an account as computed, beside what the exchange itself says of it now."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .account import Balances
from .accounting.labels import Times
from .accounting.valuation import NOT_MONEY, Books
from .client import Client
from .contracts import currency_code

_FLEX = "flex"
_OPEN = ("unrealized_pnl", "unrealized_funding")

Row = tuple[str, str, str, float, float]
"""Account, figure, currency, computed, the exchange's."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the exchange says now: all wallets, and the frames of these names."""

    balances: Balances
    positions: pd.DataFrame
    tickers: pd.DataFrame

    @classmethod
    def take(cls, client: Client) -> Snapshot:
        """Ask a client."""
        return cls(client.balances(), client.positions(), client.tickers())

    @property
    def time(self) -> pd.Timestamp:
        """The exchange's time."""
        return self.balances.account.time


def compared(books: Books, when: np.datetime64, exchange: Snapshot, currency: str) -> list[Row]:
    """Figure by figure; see `Equity.check`. The currency is what the books' own is called."""
    now: Times = np.array([when])
    own: dict[tuple[str, str], float] = defaultdict(float)
    for part in books.parts(now):
        own[part.account, part.kind] += float(part.worth[0])

    def rate(currency: str) -> float:
        return 0.0 if currency == NOT_MONEY else float(books.rates.at(currency, now)[0])

    def opened(account: str, figure: str, currency: str) -> float:
        return own[account, figure] / rate(currency)

    flex = exchange.balances.account
    value, pnl, funding = (opened(_FLEX, figure, "USD") for figure in ("balance", *_OPEN))
    of_flex = [
        (_FLEX, "balance_value", "USD", value, flex.balance_value),
        (_FLEX, "unrealized_pnl", "USD", pnl, flex.unrealized_pnl),
        (_FLEX, "unrealized_funding", "USD", funding, flex.unrealized_funding),
        (_FLEX, "portfolio_value", "USD", value + pnl, flex.portfolio_value),
    ]
    balances = list(_balances(books, now, exchange.balances.accounts))
    others = [row for row in balances if row[0] != _FLEX]
    for account, code, *figures in exchange.balances.wallets[["currency", *_OPEN]].itertuples():
        coin = currency_code(code)
        pairs = [(figure, own[account, figure], float(its)) for figure, its in zip(_OPEN, figures, strict=True)]
        if any(mine or its for _, mine, its in pairs):
            others += [(account, name, coin, opened(account, name, coin), its) for name, _, its in pairs]
    theirs = [
        flex.balance_value * rate("USD"),
        flex.unrealized_pnl * rate("USD"),
        flex.unrealized_funding * rate("USD"),
    ]
    theirs += [its * rate(coin) for _, _, coin, _, its in others]
    whole = sum(number for number in theirs if not math.isnan(number))
    return [
        *(row for row in balances if row[0] == _FLEX),
        *of_flex,
        *others,
        ("all", "equity", currency, sum(own.values()), whole),
    ]


def _balances(books: Books, now: Times, accounts: pd.DataFrame) -> Iterator[Row]:
    """What each wallet holds of each currency, on either side."""
    computed = {(one.account, one.currency): float(one.amount.at(now)[0]) for one in books.timeline.balances}
    told = {
        (str(account), currency_code(code)): float(quantity)
        for account, code, quantity in accounts[["account", "currency", "quantity"]].itertuples(index=False)
    }
    for account, currency in sorted({*computed, *told}):
        mine, its = (side.get((account, currency), 0.0) for side in (computed, told))
        if mine or its:
            yield account, "balance", currency, mine, its
