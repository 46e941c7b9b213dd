"""Margin usage through time: the account log says what was held, mark-price candles what it was worth.

What the past does not tell is taken as it is now: margin tiers, haircuts, isolated leverage, and the price of money
other than USD. Open orders of the past are not rebuilt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..accounting.labels import Times
from ..accounting.ledger import Ledger, cash_of
from ..accounting.prices import Rates
from ..accounting.timeline import Position, Timeline, timeline
from ..accounting.track import track_of
from ..accounting.valuation import Books
from ..contracts import FLEX, MarginTier
from ..price_history import Fetcher, Given, Span, needed
from ..risk_tables import MARGIN_HISTORY
from ..times import step_of
from .picture import Picture
from .portfolio import Balance, Floats, Leg, Portfolio, currency_of

if TYPE_CHECKING:
    from ..client import Client

_UNMARGINED = "cash"
"""The wallet that stands for nothing."""


def history(
    client: Client,
    picture: Picture,
    start: pd.Timestamp,
    end: pd.Timestamp,
    resolution: str,
    prices: Given | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """Table ``margin_history`` rebuilt for the moments of a span, and what a reader must know of it.

    Parameters
    ----------
    client
        Gives account log, candles and funding rates.
    picture
        The account now, for what the past does not tell.
    start, end
        The span; its moments are those at which candles begin.
    resolution
        Of the candles.
    prices
        Prices that are not fetched, as ``kfut.equity`` takes them.
    """
    step = step_of(resolution)
    moments = pd.date_range(start.ceil(step), end, freq=step, unit="us")
    if moments.empty:
        return MARGIN_HISTORY.frame({}), []
    ledger = Ledger(client.account_log(start=moments[0]))
    cash = cash_of(ledger)
    track = track_of(ledger, cash)
    line = timeline(ledger, track, picture.balances.accounts, picture.positions)
    line = Timeline([b for b in line.balances if b.account != _UNMARGINED], line.positions, line.time)
    span = Span(moments[0], moments[-1], picture.as_of, resolution)
    found = Fetcher(client, span, ledger, picture.balances.accounts, picture.tickers, prices).fetch(*needed(line, span))
    books = Books(ledger, cash, track, line, Rates("USD", found.usd), found.marks, found.funding)
    when = moments.tz_localize(None).to_numpy(dtype="datetime64[us]")
    frame, notes = rebuilt(picture, books, when)
    return frame, [*found.notes, *notes]


def rebuilt(picture: Picture, books: Books, when: Times) -> tuple[pd.DataFrame, list[str]]:
    """Table ``margin_history`` of what was held at some moments, and what a reader must know of it."""
    notes: list[str] = []
    held = [position for position in books.timeline.positions if position.contract in books.marks]
    legs = [_leg(picture, books, position, when, notes) for position in held]
    haircuts = {(b.wallet, b.currency): b.haircut for b in picture.unadjusted.balances}
    balances = []
    for balance in books.timeline.balances:
        wallet, currency, amounts = balance.account, balance.currency, balance.amount.at(when)
        if not amounts.any():
            continue
        if wallet == FLEX and (wallet, currency) not in haircuts and currency != "USD":
            notes.append(f"{currency} is no longer held: its haircut is not known, it is counted in full.")
        price = books.rates.at(currency, when)
        balances.append(Balance(wallet, currency, amounts, price, haircuts.get((wallet, currency), 0.0)))
    portfolio = Portfolio(tuple(legs), tuple(balances))
    parts = [_rows(portfolio, wallet, when) for wallet in portfolio.wallets]
    names = parts[0] if parts else ()
    return MARGIN_HISTORY.frame({name: [value for part in parts for value in part[name]] for name in names}), notes


def _leg(picture: Picture, books: Books, position: Position, when: Times, notes: list[str]) -> Leg:
    contract = position.contract
    now = picture.leg(contract)
    return Leg(
        contract,
        position.size.at(when),
        position.entry_price.at(when),
        books.marks[contract].at(when),
        now.ladder or _stand_in(picture, contract, notes),
        books.accrued(position, when),
        now.leverage,
    )


def _stand_in(picture: Picture, contract: str, notes: list[str]) -> tuple[MarginTier, ...]:
    """Margin tiers of a contract that is no longer listed: those of one of the same kind on the same pair."""
    kind = contract.rpartition("_")[0] + "_"
    for other, (_, ladder) in picture.ladders.items():
        if other.startswith(kind) and ladder:
            notes.append(f"{contract} is no longer listed: the margin tiers of {other} stand in for its own.")
            return ladder
    notes.append(f"There are no margin tiers for {contract}: margin is n/a while it was held.")
    return ()


def _rows(portfolio: Portfolio, wallet: str, when: Times) -> dict[str, list[object]]:
    length = len(when)
    figures = {
        "equity": portfolio.of_wallet(wallet, portfolio.equity),
        "initial_margin": portfolio.of_wallet(wallet, portfolio.initial),
        "maintenance_margin": portfolio.of_wallet(wallet, portfolio.maintenance),
        "portfolio_value": portfolio.portfolio_value(wallet),
        "position_value": portfolio.position_value(wallet),
    }
    numbers = {name: np.broadcast_to(figure, length) for name, figure in figures.items()}
    numbers |= {
        "usage": _over(numbers["initial_margin"], numbers["equity"]),
        "maintenance_usage": _over(numbers["maintenance_margin"], numbers["equity"]),
        "effective_leverage": _over(numbers["position_value"], numbers["portfolio_value"]),
    }
    return {
        "time": (when.astype(np.int64) // 1000).tolist(),
        "account": [wallet] * length,
        "currency": [currency_of(wallet)] * length,
        "source": ["rebuilt"] * length,
        **{name: amounts.tolist() for name, amounts in numbers.items()},
    }


def _over(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
