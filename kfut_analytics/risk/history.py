"""Margin usage through time: the account log says what was held, mark-price candles what it was worth.

What the past does not tell is taken as it is now: margin tiers, haircuts, isolated leverage, and the price of money
other than USD. Open orders of the past are not rebuilt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..accounting.labels import Times
from ..accounting.ledger import Ledger, cash_of
from ..accounting.timeline import Position, Timeline, timeline
from ..accounting.track import track_of
from ..contracts import FLEX, MarginTier, funding_payment
from ..errors import ArgumentError
from ..risk_tables import MARGIN_HISTORY
from .picture import Picture
from .portfolio import CASH, Balance, Floats, Leg, Numbers, Portfolio, currency_of
from .prices import candles_of, index_candles

if TYPE_CHECKING:
    from ..client import Client

RESOLUTIONS = ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d")
"""Steps of time, all of them parts of a day."""

_HOUR = np.timedelta64(3_600_000_000, "us")

Rates = Callable[[str], pd.DataFrame]
"""Gives the table ``funding_rates`` of a perpetual."""


def history(
    client: Client, picture: Picture, start: pd.Timestamp, end: pd.Timestamp, resolution: str
) -> tuple[pd.DataFrame, list[str]]:
    """Table ``margin_history`` rebuilt for the moments of a span, and what a reader must know of it."""
    step = step_of(resolution)
    moments = pd.date_range(start.ceil(step), end, freq=step, unit="us")
    if moments.empty:
        return MARGIN_HISTORY.frame({}), []
    first, last = moments[0], moments[-1]
    ledger = Ledger(client.account_log(start=first))
    line = timeline(ledger, track_of(ledger, cash_of(ledger)), picture.balances.accounts, picture.positions)
    when = moments.tz_localize(None).to_numpy(dtype="datetime64[us]")
    held = Timeline(
        [b for b in line.balances if b.account != "cash" and _ever(b.amount.at(when))],
        [p for p in line.positions if _ever(p.size.at(when))],
        line.time,
    )
    # A candle that is missing at the first moment is stood in for by one before.
    span = (first - max(step, pd.Timedelta("1h")), last)
    coins = sorted({balance.currency for balance in held.balances if balance.currency not in CASH})
    marks = candles_of(client, [position.contract for position in held.positions], resolution, "mark", *span)
    indices = index_candles(client, picture, coins, resolution, *span)
    return rebuilt(
        picture,
        held,
        when,
        {contract: sampled(candles, when, step) for contract, candles in marks.items()},
        {currency: sampled(candles, when, step) for currency, candles in indices.items()},
        (lambda contract: client.funding_rates(contract, start=span[0], end=last)) if step < _HOUR else None,
    )


def step_of(resolution: str) -> pd.Timedelta:
    """How long a candle takes.

    Raises
    ------
    ArgumentError
        If it is no resolution that divides a day.
    """
    if resolution not in RESOLUTIONS:
        raise ArgumentError(f"resolution={resolution!r} is not one of {', '.join(RESOLUTIONS)}")
    return pd.Timedelta(resolution.upper() if resolution.endswith("d") else resolution)


def sampled(candles: pd.DataFrame, when: Times, step: pd.Timedelta) -> Floats:
    """Prices at some moments: where a candle begins its first price, else the last price before; NaN before all."""
    starts = _naive(candles)
    known = np.concatenate([starts, starts + step.to_timedelta64()])
    prices = np.concatenate([candles["open"].to_numpy(), candles["close"].to_numpy()])
    # Of a close and an open at the same moment the open comes last and counts.
    order = np.lexsort((np.repeat([1, 0], len(starts)), known))
    place = np.searchsorted(known[order], when, side="right") - 1
    return np.append(prices[order], np.nan)[place]


def accrued(position: Position, when: Times, rates: pd.DataFrame) -> Floats:
    """Funding of the running hour that was not yet paid; a position that changes is paid what has accrued."""
    hours = when.astype("datetime64[h]").astype("datetime64[us]")
    changes = np.append(position.size.time, np.datetime64(0, "us"))
    since = np.maximum(hours, changes[np.searchsorted(position.size.time, when, side="right") - 1])
    place = np.searchsorted(_naive(rates), when, side="right") - 1
    rate = np.append(rates["funding_rate"].to_numpy(dtype=float), 0.0)[place]
    paid: Floats = funding_payment(position.size.at(when), rate, (when - since) / _HOUR)
    return paid


def rebuilt(
    picture: Picture,
    held: Timeline,
    when: Times,
    marks: Mapping[str, Floats],
    prices: Mapping[str, Floats],
    rates: Rates | None,
) -> tuple[pd.DataFrame, list[str]]:
    """Table ``margin_history`` of what was held, and what a reader must know of it.

    Parameters
    ----------
    picture
        The account now, for what the past does not tell.
    held
        What was held in the wallets that have margin.
    when
        The moments.
    marks, prices
        Mark prices by contract and index prices by coin at the moments.
    rates
        Not needed where all moments are full hours.
    """
    notes: list[str] = []
    legs = [_leg(picture, position, when, marks[position.contract], rates, notes) for position in held.positions]
    now = {(b.wallet, b.currency): b for b in picture.unadjusted.balances}
    balances = []
    for balance in held.balances:
        wallet, currency = balance.account, balance.currency
        known = now.get((wallet, currency))
        price: Numbers = prices.get(currency)
        if price is None:
            price = 1.0 if currency == "USD" else known.price if known else picture.indices.get(currency, math.nan)
            if currency != "USD":
                notes.append(f"{currency} is counted at its price of now.")
        if wallet == FLEX and known is None and currency != "USD":
            notes.append(f"{currency} is no longer held: its haircut is not known, it is counted in full.")
        balances.append(Balance(wallet, currency, balance.amount.at(when), price, known.haircut if known else 0.0))
    portfolio = Portfolio(tuple(legs), tuple(balances))
    parts = [_rows(portfolio, wallet, when) for wallet in portfolio.wallets]
    names = parts[0] if parts else ()
    return MARGIN_HISTORY.frame({name: [value for part in parts for value in part[name]] for name in names}), notes


def _leg(
    picture: Picture, position: Position, when: Times, marks: Floats, rates: Rates | None, notes: list[str]
) -> Leg:
    contract = position.contract
    now, sizes = picture.leg(contract), position.size.at(when)
    if np.isnan(marks[sizes != 0]).any():
        notes.append(f"{contract} was held at times for which there is no mark price: figures are n/a then.")
    funding = 0.0 * sizes if rates is None or contract[0] != "P" else accrued(position, when, rates(contract))
    return Leg(
        contract,
        sizes,
        position.entry_price.at(when),
        marks,
        now.ladder or _stand_in(picture, contract, notes),
        funding,
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


def _ever(amounts: Floats) -> bool:
    """Whether something was there at any of some moments."""
    return bool((np.abs(amounts) > 1e-12).any())


def _naive(frame: pd.DataFrame) -> Times:
    """The index's times in UTC, without zone."""
    return pd.DatetimeIndex(frame.index).tz_localize(None).to_numpy(dtype="datetime64[us]")
