"""Margin usage through time: the account log says what was held, mark-price candles what it was worth.

What the past does not tell is taken as it is now: margin tiers, haircuts, isolated leverage, and the price of money
other than USD. Open orders of the past are not rebuilt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..contracts import MarginTier
from ..errors import ArgumentError
from ..risk_tables import MARGIN_HISTORY
from .picture import Picture
from .portfolio import CASH, FLEX, Balance, Floats, Leg, Numbers, Portfolio, coin, currency_of
from .prices import candles_of, index_candles

if TYPE_CHECKING:
    from ..client import Client

SECONDS = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14_400, "12h": 43_200, "1d": 86_400}
"""Resolutions, all of them parts of a day."""

_HOUR = 3600
_NEAR = 1e-12


@dataclass(frozen=True)
class Past:
    """What was held at some moments.

    Attributes
    ----------
    times
        The moments, seconds since 1970.
    sizes, entries
        Signed size and entry price by contract.
    changed
        By contract, when the position had changed last; minus infinity before the log begins.
    balances
        Amounts by wallet and currency, currencies in the spelling of symbols.
    """

    times: Floats
    sizes: dict[str, Floats] = field(default_factory=dict)
    entries: dict[str, Floats] = field(default_factory=dict)
    changed: dict[str, Floats] = field(default_factory=dict)
    balances: dict[tuple[str, str], Floats] = field(default_factory=dict)

    @property
    def coins(self) -> list[str]:
        """Currencies held whose price moves."""
        return sorted({currency for _, currency in self.balances if currency not in CASH})


def history(
    client: Client, picture: Picture, start: pd.Timestamp, end: pd.Timestamp, resolution: str
) -> tuple[pd.DataFrame, list[str]]:
    """Table ``margin_history`` rebuilt for the moments of a span, and what a reader must know of it."""
    times = grid(start, end, resolution)
    if not len(times):
        return MARGIN_HISTORY.frame({}), []
    first, last = (pd.Timestamp(moment, unit="s", tz="UTC") for moment in (times[0], times[-1]))
    past = past_of(client.account_log(start=first), picture, times)
    # A candle that is missing at the first moment is stood in for by one before.
    span = (first - pd.Timedelta(seconds=max(SECONDS[resolution], _HOUR)), last)
    marks = candles_of(client, list(past.sizes), resolution, "mark", *span)
    indices = index_candles(client, picture, past.coins, resolution, *span)
    step = SECONDS[resolution]
    return rebuilt(
        picture,
        past,
        {symbol: sampled(candles, times, step) for symbol, candles in marks.items()},
        {currency: sampled(candles, times, step) for currency, candles in indices.items()},
        (lambda symbol: client.funding_rates(symbol, start=span[0], end=last)) if step < _HOUR else None,
    )


def grid(start: pd.Timestamp, end: pd.Timestamp, resolution: str) -> Floats:
    """The moments of a span at which candles begin, seconds since 1970."""
    if resolution not in SECONDS:
        raise ArgumentError(f"resolution={resolution!r} is not one of {', '.join(SECONDS)}")
    step = SECONDS[resolution]
    first, last = math.ceil(start.timestamp() / step), math.floor(end.timestamp() / step)
    return step * np.arange(first, last + 1, dtype=np.float64)


def past_of(log: pd.DataFrame, picture: Picture, times: Floats) -> Past:
    """What was held, from the account log since the first moment until the picture was taken.

    What the log does not mention did not change: it is in the picture.
    """
    log = log.sort_index()
    past = Past(times)
    margined = log[log["account"] != "cash"]
    keys = margined.groupby(["account", "asset"], sort=False, observed=True)
    for (account, asset), rows in keys:
        booked = _seconds(rows["time"])
        place = np.searchsorted(booked, times, side="right") - 1
        if "_" in str(asset):
            symbol = str(asset)
            past.sizes[symbol] = _states(rows, place, "balance")
            past.entries[symbol] = _states(rows, place, "entry_price")
            past.changed[symbol] = np.append(booked, -np.inf)[place]
        else:
            past.balances[str(account), coin(str(asset))] = _states(rows, place, "balance")
    still = np.ones(len(times))
    for leg in picture.unadjusted.legs:
        if leg.symbol not in past.sizes:
            past.sizes[leg.symbol], past.entries[leg.symbol] = leg.size * still, leg.entry_price * still
            past.changed[leg.symbol] = -np.inf * still
    for balance in picture.unadjusted.balances:
        past.balances.setdefault((balance.wallet, balance.currency), balance.quantity * still)
    return Past(times, _held(past.sizes), past.entries, past.changed, _held(past.balances))


Key = TypeVar("Key")


def _held(amounts: dict[Key, Floats]) -> dict[Key, Floats]:
    """What was there at any moment."""
    return {key: values for key, values in amounts.items() if (np.abs(values) > _NEAR).any()}


def _states(rows: pd.DataFrame, place: NDArray[np.intp], what: str) -> Floats:
    """What a balance was after the last of its rows so far; before the first one, what that row found."""
    after, before = rows[f"new_{what}"].to_numpy(dtype=float), rows[f"old_{what}"].to_numpy(dtype=float)
    return np.append(after, before[0])[place]


def _seconds(times: pd.Series[pd.Timestamp]) -> Floats:
    return times.astype("int64").to_numpy() / 1e6


def sampled(candles: pd.DataFrame, times: Floats, step: int) -> Floats:
    """Prices at some moments: where a candle begins its first price, else the last price before; NaN before all."""
    if not len(candles):
        return np.full(len(times), np.nan)
    starts = _seconds(candles.index.to_series())
    known = np.concatenate([starts, starts + step])
    prices = np.concatenate([candles["open"].to_numpy(), candles["close"].to_numpy()])
    # Of a close and an open at the same moment the open comes last and counts.
    order = np.lexsort((np.repeat([1, 0], len(starts)), known))
    place = np.searchsorted(known[order], times, side="right") - 1
    return np.append(prices[order], np.nan)[place]


def accrued(past: Past, symbol: str, rates: pd.DataFrame) -> Numbers:
    """Funding of the running hour that was not yet paid; positions that change are paid what has accrued."""
    hours = np.floor(past.times / _HOUR) * _HOUR
    since = np.maximum(hours, past.changed[symbol])
    starts = _seconds(rates.index.to_series())
    place = np.searchsorted(starts, past.times, side="right") - 1
    rate = np.append(rates["funding_rate"].to_numpy(dtype=float), 0.0)[place]
    return -past.sizes[symbol] * rate * (past.times - since) / _HOUR


def rebuilt(
    picture: Picture,
    past: Past,
    marks: Mapping[str, Floats],
    prices: Mapping[str, Floats],
    rates: Callable[[str], pd.DataFrame] | None,
) -> tuple[pd.DataFrame, list[str]]:
    """Table ``margin_history`` of what was held, and what a reader must know of it.

    Parameters
    ----------
    picture
        The account now, for what the past does not tell.
    past
        What was held.
    marks, prices
        Mark prices by contract and index prices by coin at the past's moments.
    rates
        Gives the table ``funding_rates`` of a perpetual; not needed where all moments are full hours.
    """
    notes: list[str] = []
    legs = []
    for symbol, sizes in past.sizes.items():
        leg = picture.leg(symbol)
        perpetual = symbol.startswith("P")
        legs.append(
            Leg(
                symbol,
                sizes,
                past.entries[symbol],
                marks[symbol],
                leg.ladder or _sibling_ladder(picture, symbol, notes),
                accrued(past, symbol, rates(symbol)) if rates is not None and perpetual else np.zeros(len(sizes)),
                leg.leverage,
            )
        )
        if np.isnan(marks[symbol][sizes != 0]).any():
            notes.append(f"{symbol} was held at times for which there is no mark price: figures are n/a then.")
    now = {(b.wallet, b.currency): b for b in picture.unadjusted.balances}
    balances = []
    for (wallet, currency), amounts in past.balances.items():
        known = now.get((wallet, currency))
        if currency in prices:
            price: Numbers = prices[currency]
        else:
            price = 1.0 if currency == "USD" else known.price if known else picture.indices.get(currency, math.nan)
            if currency != "USD":
                notes.append(f"{currency} is counted at its price of now.")
        if wallet == FLEX and known is None and currency != "USD":
            notes.append(f"{currency} is no longer held: its haircut is not known, it is counted in full.")
        balances.append(Balance(wallet, currency, amounts, price, known.haircut if known else 0.0))
    portfolio = Portfolio(tuple(legs), tuple(balances))
    parts = [_wallet_rows(portfolio, wallet, past.times) for wallet in portfolio.wallets]
    names = parts[0] if parts else ()
    return MARGIN_HISTORY.frame({name: [value for part in parts for value in part[name]] for name in names}), notes


def _wallet_rows(portfolio: Portfolio, wallet: str, times: Floats) -> dict[str, list[object]]:
    length = len(times)
    equity, initial, maintenance = (
        np.broadcast_to(portfolio.of_wallet(wallet, figure), length)
        for figure in (portfolio.equity, portfolio.initial, portfolio.maintenance)
    )
    worth, value = (
        np.broadcast_to(figure, length)
        for figure in (portfolio.portfolio_value(wallet), portfolio.position_value(wallet))
    )
    numbers = {
        "equity": equity,
        "initial_margin": initial,
        "maintenance_margin": maintenance,
        "portfolio_value": worth,
        "position_value": value,
        "usage": _over(initial, equity),
        "maintenance_usage": _over(maintenance, equity),
        "effective_leverage": _over(value, worth),
    }
    return {
        "time": [int(time) for time in times * 1000],
        "account": [wallet] * length,
        "currency": [currency_of(wallet)] * length,
        "source": ["rebuilt"] * length,
        **{name: amounts.tolist() for name, amounts in numbers.items()},
    }


def _over(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _sibling_ladder(picture: Picture, symbol: str, notes: list[str]) -> tuple[MarginTier, ...]:
    """Margin tiers of a contract that is no longer listed: those of one of the same kind on the same pair."""
    kind = symbol.rpartition("_")[0] + "_"
    for other, (_, ladder) in picture.ladders.items():
        if other.startswith(kind) and ladder:
            notes.append(f"{symbol} is no longer listed: the margin tiers of {other} stand in for its own.")
            return ladder
    notes.append(f"There are no margin tiers for {symbol}: margin is n/a while it was held.")
    return ()
