"""The prices by which an account is valued through time, fetched from a client.

Mark prices of contracts and spot prices of currencies come from candles, and from the tickers now. Where the exchange
has no candles, the prices that the account log mentions have to do; what is used instead is told in a note.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .accounting.amounts import MONEY
from .accounting.labels import Times
from .accounting.ledger import Ledger
from .accounting.prices import FundingLine, PriceLine
from .accounting.timeline import Timeline
from .accounting.valuation import NOT_MONEY, held_span
from .client import Client
from .contracts import currency_code, pnl_currency
from .errors import ArgumentError, InvalidRequestError, NotFoundError
from .schema import CANDLES, FUNDING_RATES
from .side_by_side import fetch_each
from .times import step_of

Given = Mapping[str, "float | pd.Series[float]"]
"""Prices by currency (in USD) or contract: one for all times, or a Series of them indexed by time."""

_PERPETUAL = ("PF_", "PI_")
_PEGGED = frozenset(code for code in MONEY if "USD" in code and code != "USD")


@dataclass(frozen=True, slots=True)
class Span:
    """A time to be valued.

    Attributes
    ----------
    start, end
        Its two ends, UTC.
    now
        The exchange's time of the tickers.
    resolution
        Of the candles.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    now: pd.Timestamp
    resolution: str

    @property
    def step(self) -> pd.Timedelta:
        """How long a candle takes."""
        return step_of(self.resolution)

    @property
    def times(self) -> Times:
        """The full minutes, hours or days from the start on, and the end (UTC, without zone)."""
        times = pd.date_range(self.start, self.end, freq=self.step, unit="us").tz_localize(None)
        return np.union1d(times.to_numpy(dtype="datetime64[us]"), np.datetime64(self.end.tz_localize(None), "us"))


Held = dict[str, tuple[pd.Timestamp, pd.Timestamp]]
"""Contracts, each with from when until when it was held."""


def needed(line: Timeline, span: Span) -> tuple[Held, set[str]]:
    """The contracts that were held within a time, and the currencies there were."""
    start, end = span.times[[0, -1]]
    held: Held = {}
    currencies = {"USD"}
    for position in line.positions:
        while_held = held_span(position.size, start, end)
        if while_held is not None:
            first, last = (pd.Timestamp(moment, tz="UTC") for moment in while_held)
            before = held.get(position.contract, (first, last))
            held[position.contract] = min(first, before[0]), max(last, before[1])
            currencies.add(pnl_currency(position.contract))
    for balance in line.balances:
        if balance.currency != NOT_MONEY and held_span(balance.amount, start, end) is not None:
            currencies.add(balance.currency)
    return held, currencies


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Prices through time.

    Attributes
    ----------
    marks
        By contract its mark price.
    usd
        By currency its price in USD.
    funding
        By perpetual its funding.
    notes
        What could not be had, and what was used instead.
    """

    marks: dict[str, PriceLine]
    usd: dict[str, PriceLine]
    funding: dict[str, FundingLine]
    notes: list[str]


class Fetcher:
    """Fetches prices of a time.

    Parameters
    ----------
    client
        The client to ask.
    span
        The time.
    ledger
        The account log, for prices that cannot be had otherwise.
    accounts, tickers
        The client's frames of these names, as of ``span.now``.
    given
        Prices that are not fetched.

    Raises
    ------
    ArgumentError
        If a given price is none.
    """

    def __init__(
        self,
        client: Client,
        span: Span,
        ledger: Ledger,
        accounts: pd.DataFrame,
        tickers: pd.DataFrame,
        given: Given | None = None,
    ) -> None:
        self._client, self._span, self._ledger = client, span, ledger
        self._accounts, self._tickers = accounts, tickers
        self._given = {currency_code(name): _given_line(name, price) for name, price in (given or {}).items()}
        self._notes: list[str] = []

    def fetch(self, held: Held, currencies: Iterable[str]) -> PriceHistory:
        """Fetch the prices of contracts while they were held, and of currencies throughout.

        Raises
        ------
        ArgumentError
            If there is no price of something; the message says how to give one.
        """
        marks = {contract: self._given[contract] for contract in held if contract in self._given}
        missing = {contract: span for contract, span in held.items() if contract not in marks}
        candles = self._candles(missing, "mark")
        marks |= {contract: self._mark(contract, candles[contract], span) for contract, span in missing.items()}
        perpetuals = {contract: span for contract, span in held.items() if contract.startswith(_PERPETUAL)}
        return PriceHistory(marks, self._currencies(set(currencies) - {"USD"}), self._funding(perpetuals), self._notes)

    # ---- contracts -------------------------------------------------------------------------------------------------

    def _mark(self, contract: str, line: PriceLine, held: tuple[pd.Timestamp, pd.Timestamp]) -> PriceLine:
        late, early = _lacks(line, held, self._span.step)
        if late:
            booked = self._booked(contract)
            line = line.preceded_by(booked)
            instead = "at the prices in the account log" if len(booked) else "at the first of them"
            self._notes.append(f"{contract}: mark candles {late} it is valued {instead}.")
        if early:
            self._notes.append(f"{contract}: mark candles {early} it is valued at the last of them.")
        line = self._now(line, contract, "mark_price")
        if not len(line):
            raise _no_price(contract, "")
        return line

    def _booked(self, contract: str) -> PriceLine:
        """The prices that the log's entries of a contract mention."""
        ledger = self._ledger
        prices = ledger.numbers("mark_price"), ledger.numbers("trade_price")
        price = np.where(prices[0] > 0, *prices)
        rows = np.flatnonzero(ledger.contract.of_names(lambda name: name == contract) & (price > 0))
        return PriceLine.of_points(np.maximum.accumulate(ledger.time)[rows], price[rows])

    def _now(self, line: PriceLine, symbol: str, column: str) -> PriceLine:
        """The line, ended by the ticker's price."""
        if symbol not in self._tickers.index:
            return line
        return line.ending(self._span.now, float(self._tickers.loc[symbol, column]))  # type: ignore[arg-type]

    def _funding(self, held: Held) -> dict[str, FundingLine]:
        def fetch(contract: str) -> pd.DataFrame:
            start, end = held[contract]
            return self._client.funding_rates(contract, start=start.floor("h") - pd.Timedelta("1h"), end=end)

        frames = self._each(held, fetch, FUNDING_RATES.frame({}))
        lines = {}
        for contract, frame in frames.items():
            hour = self._span.now.floor("h")
            if contract in self._tickers.index and hour not in frame.index:
                rate = self._tickers.loc[[contract], "funding_rate"].set_axis([hour]).to_frame()
                frame = pd.concat([frame, rate]) if len(frame) else rate
            lines[contract] = FundingLine.of_rates(frame)
            if frame.empty or frame.index[0] > held[contract][0]:
                self._notes.append(f"{contract}: funding rates are not known from the beginning.")
        return lines

    # ---- currencies ------------------------------------------------------------------------------------------------

    def _currencies(self, currencies: set[str]) -> dict[str, PriceLine]:
        lines = {code: self._given[code] for code in currencies if code in self._given}
        listed = self._client.instruments().index
        contracts = {}
        for code in sorted(currencies - set(lines)):
            symbol = next((name for kind in _PERPETUAL if (name := f"{kind}{code}USD") in listed), None)
            if symbol is None:
                lines[code] = self._without_candles(code)
            else:
                contracts[code] = symbol
        throughout = self._span.start, self._span.end
        spot = self._candles(dict.fromkeys(contracts.values(), throughout), "spot")
        missing = {symbol: throughout for symbol, line in spot.items() if not len(line)}
        mark = self._candles(missing, "mark")
        for code, symbol in contracts.items():
            lines[code] = self._currency(code, symbol, mark.get(symbol, spot[symbol]), is_spot=symbol not in mark)
        return lines

    def _currency(self, code: str, symbol: str, line: PriceLine, *, is_spot: bool) -> PriceLine:
        if not len(line):
            return self._without_candles(code)
        if not is_spot:
            self._notes.append(f"{code}: spot candles are missing; it is valued at mark prices of {symbol}.")
        late, early = _lacks(line, (self._span.start, self._span.end), self._span.step)
        for lack, instead in ((late, "first"), (early, "last")):
            if lack:
                self._notes.append(f"{code}: candles {lack} it is valued at the {instead} of them.")
        return self._now(line, symbol, "index_price")

    def _without_candles(self, code: str) -> PriceLine:
        own = self._accounts["currency"].map(currency_code) == code
        held = self._accounts[own & (self._accounts["quantity"] > 0) & (self._accounts["value_usd"] > 0)]
        if len(held):
            price = float(held["value_usd"].sum() / held["quantity"].sum())
            said = f"{price:,.6g} USD, what the exchange values it at now,"
        elif code in _PEGGED:
            price, said = 1.0, "1 USD"
        else:
            raise _no_price(code, " in USD")
        self._notes.append(f"{code}: the exchange has no candles of it; it is valued at {said} at all times.")
        return PriceLine.constant(price)

    # ---- fetching --------------------------------------------------------------------------------------------------

    def _candles(self, spans: Held, tick_type: str) -> dict[str, PriceLine]:
        """Candles of each contract in its time; none of those that the exchange does not have."""
        span = self._span

        def fetch(symbol: str) -> pd.DataFrame:
            start, end = spans[symbol]
            return self._client.candles(
                symbol, span.resolution, start=start.floor(span.step), end=end, tick_type=tick_type
            )

        frames = self._each(spans, fetch, CANDLES.frame({}))
        return {symbol: PriceLine.of_candles(frame, span.step, span.now) for symbol, frame in frames.items()}

    def _each(
        self, symbols: Iterable[str], fetch: Callable[[str], pd.DataFrame], empty: pd.DataFrame
    ) -> dict[str, pd.DataFrame]:
        def one(symbol: str) -> pd.DataFrame:
            try:
                return fetch(symbol)
            except (NotFoundError, InvalidRequestError):  # no longer listed, or not in this form
                return empty

        names = list(symbols)
        if not names:
            return {}
        found = {str(name): frame for name, frame in fetch_each(names, one).groupby(level="symbol")}
        return {name: found[name].droplevel("symbol") if name in found else empty for name in names}


def _lacks(line: PriceLine, wanted: tuple[pd.Timestamp, pd.Timestamp], step: pd.Timedelta) -> tuple[str, str]:
    """What there is not of the prices of a time, at its beginning and at its end."""
    if not len(line):
        return "are missing;", ""
    first, last = pd.Timestamp(line.start[0], tz="UTC"), pd.Timestamp(line.start[-1], tz="UTC") + step
    late = f"begin at {first:%Y-%m-%d %H:%M}; before that" if first > wanted[0].floor(step) else ""
    return late, f"end at {last:%Y-%m-%d %H:%M}; after that" if last + step < wanted[1] else ""


def _given_line(name: str, price: float | pd.Series[float]) -> PriceLine:
    if isinstance(price, pd.Series):
        index = price.index
        if not isinstance(index, pd.DatetimeIndex) or price.empty or not (price > 0).all():
            raise ArgumentError(f"prices[{name!r}] is not a Series of positive prices indexed by time")
        utc = index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")
        times = utc.tz_localize(None).to_numpy(dtype="datetime64[us]")
        order = np.argsort(times, kind="stable")
        return PriceLine.of_points(times[order], np.array(price, dtype=np.float64)[order])
    if isinstance(price, bool) or not isinstance(price, (int, float)) or not (0 < price < math.inf):
        raise ArgumentError(f"prices[{name!r}]={price!r} is not a price: give a positive number, or a Series by time")
    return PriceLine.constant(float(price))


def _no_price(name: str, unit: str) -> ArgumentError:
    return ArgumentError(
        f"there is no price of {name}: the exchange has neither candles of it nor values it. Give one{unit} as "
        f"prices={{{name!r}: …}}, a number for all times or a Series by time"
    )
