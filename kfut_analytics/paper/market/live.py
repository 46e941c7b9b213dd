"""A market that follows the public data of another exchange, for paper trading at real prices.

Prices are straight lines between the moments at which the exchange here took note of what the feed had heard, and never
change afterwards. Nothing is traded on old prices: when the feed has been silent for a while all markets are suspended,
and say why. The exchange's time goes on with its clock all the same. Funding of hours that nobody saw is settled at the
rates of the other exchange's history; orders, triggers and margins are looked at when there are prices again, as they
are then. So they are after the machine has slept, and when a kept account is opened again.

A resting order is filled when the other exchange's quotes come to its price, or when a trade there goes through all
that was quoted before it.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kfut_analytics.errors import UnavailableError, VenueError
from kfut_analytics.paper.clock import HOUR
from kfut_analytics.paper.market import live_wire
from kfut_analytics.paper.market.instruments import ASSETS, Asset, Contract
from kfut_analytics.paper.market.live_feed import Feed
from kfut_analytics.paper.market.live_path import Path
from kfut_analytics.paper.market.live_source import CHARTS, LIVE_URL, TRADING, Source
from kfut_analytics.paper.market.live_wire import Ticker, Trade
from kfut_analytics.paper.market.protocol import Day, Floats, Flow, Quotes
from kfut_analytics.paper.market.states import NORMAL, MarketState

logger = logging.getLogger("kfut_analytics.paper")

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
"""Prices that are older are not traded on."""

_RATES_KEPT_SECONDS = 60.0
_TRADES_KEPT = 1000
_MILLISECOND = 0.001


class LiveMarket:
    """The market of the exchange at an address.

    Parameters
    ----------
    base_url
        Scheme, host and port: https, or http to this machine.
    every
        Seconds from one question to the next, ``None`` to ask only when `poll` is called; for tests.
    patience
        What is older, in seconds, is not traded on.

    Raises
    ------
    ArgumentError
        If the address is none.
    VenueError
        If the exchange does not answer.
    """

    def __init__(
        self, base_url: str = LIVE_URL, *, every: float | None = POLL_SECONDS, patience: float = PATIENCE_SECONDS
    ) -> None:
        self.source = Source(base_url)
        self.assets: Mapping[str, Asset] = {}
        self.states: Mapping[str, MarketState] = {}
        self._path = Path()
        self._symbols: set[str] = set()
        self._priced_until = -math.inf
        self._flow: dict[str, deque[tuple[float, Trade]]] = {}
        self._rates: dict[str, dict[float, float]] = {}
        self._settlements: dict[str, float] = {}
        self._past_rates: dict[str, tuple[float, dict[float, float]]] = {}
        try:
            self._feed = Feed(self.source, every=every, patience=patience)
        except BaseException:
            self.source.close()
            raise
        try:
            self._seen = self._feed.take()
            self._list_assets()
            self._add_prices(0.0)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"LiveMarket({self.source.base_url!r})"

    def close(self) -> None:
        """Stop following; a second call does nothing."""
        self._feed.close()
        self.source.close()

    def poll(self) -> None:
        """Ask the other exchange once; what it says is known from the next step of time on.

        Raises
        ------
        VenueError
            If it does not answer.
        """
        self._feed.poll()

    @property
    def past(self) -> None:
        """The other exchange is asked."""

    def listing(self, now: float) -> dict[str, Contract]:
        """The contracts that the other exchange lists and has prices of; none that have expired."""
        contracts = (listed.contract for listed in self._seen.listed.values())
        return {
            contract.symbol: contract
            for contract in contracts
            if _mark(contract) in self._path
            and _index(contract.asset) in self._path
            and (contract.expiry is None or now < contract.expiry)
        }

    # What is known ----------------------------------------------------------------------------------------------

    def learn(self, start: float, end: float, in_use: Collection[Contract]) -> float:
        """Take note of what the feed has heard; see `Market.learn`."""
        for contract in in_use:
            self._feed.attend(contract.symbol)
        before, self._seen = self._seen, self._feed.take()
        self._symbols.update(self._seen.listed, (contract.symbol for contract in in_use))
        if self._seen.listed is not before.listed:
            self._list_assets()
        self._tell_of_silence(before.silence)
        self.states = self._states()
        if self._seen.silence:
            self._priced_until = -math.inf
            return end
        is_followed = start <= self._priced_until and end - start <= self._feed.patience
        self._priced_until = end
        self._note_rates()
        for symbol, trades in self._seen.trades.items():
            self._flow.setdefault(symbol, deque(maxlen=_TRADES_KEPT)).extend((end, trade) for trade in trades)
        first = start
        if not is_followed:
            # Nobody knows how prices got to where they are.
            first = max(start, round(end - _MILLISECOND, 3))
            self._add_prices(first)
        elif self._seen.number != before.number:
            self._path.hold(start)
            self._add_prices(end)
        return first

    def _tell_of_silence(self, before: str) -> None:
        silence = self._seen.silence
        if silence and not before:
            logger.warning("all markets are suspended: %s", silence)
        elif before and not silence:
            logger.info("prices come from %s again", self.source.base_url)

    def _states(self) -> dict[str, MarketState]:
        """The states that the other exchange tells of; what cannot be seen is suspended."""
        seen = self._seen
        if seen.silence:
            return dict.fromkeys(self._symbols, MarketState(suspended=True, reason=seen.silence))
        states = dict(seen.states)
        for symbol, ticker in seen.tickers.items():
            if ticker.state != NORMAL:
                state = seen.states.get(symbol, NORMAL)
                states[symbol] = replace(state, suspended=ticker.state.suspended, post_only=ticker.state.post_only)
        for symbol, trouble in seen.blind.items():
            reason = f"the order book of {symbol} cannot be followed: {trouble}"
            states[symbol] = MarketState(suspended=True, reason=reason)
        for symbol in self._symbols - (seen.listed.keys() & seen.tickers.keys()):
            states[symbol] = MarketState(suspended=True, reason=f"{symbol} is quoted no longer")
        return states

    def attend(self, contract: Contract) -> bool:
        """Follow a contract closely for a minute; its whole order book is there at once, if it can be had."""
        if self._seen.silence:
            return False
        book = self._feed.glance(contract.symbol)
        if book is None:
            return False
        self._seen.books[contract.symbol] = book
        return True

    def known_until(self, now: float) -> float:
        """As far as prices have been seen."""
        return self._path.end

    # Prices -----------------------------------------------------------------------------------------------------

    def _list_assets(self) -> None:
        """The assets, and the contracts whose index price is theirs: the linear perpetual first."""
        contracts = [listed.contract for listed in self._seen.listed.values()]
        contracts.sort(key=lambda contract: (contract.expiry is not None, contract.inverse))
        self._assets = {code: ASSETS[code] for code in self._seen.indices if code in ASSETS}
        self._contracts_on: dict[str, list[str]] = {}
        for contract in contracts:
            self._assets[contract.asset.code] = contract.asset
            self._contracts_on.setdefault(contract.asset.code, []).append(contract.symbol)

    def _add_prices(self, time: float) -> None:
        """The prices of now are those of a time."""
        self._path.add(time, self._prices())
        self.assets = {code: asset for code, asset in self._assets.items() if _index(asset) in self._path}

    def _prices(self) -> dict[str, float]:
        seen, prices = self._seen, dict[str, float]()
        for symbol, listed in seen.listed.items():
            ticker = seen.tickers.get(symbol)
            if ticker is not None:
                quotes, contract = self._quotes(symbol, ticker), listed.contract
                prices[_mark(contract)] = ticker.mark
                prices[_fair(contract)] = _middle(quotes) or ticker.mark
        for code, asset in self._assets.items():
            tickers = (seen.tickers.get(symbol) for symbol in self._contracts_on.get(code, ()))
            told = (ticker.index for ticker in tickers if ticker is not None and ticker.index is not None)
            price = next(told, seen.indices.get(code))
            if price is not None:
                prices[_index(asset)] = price
        return prices

    def knots(self, start: float, end: float) -> Floats:
        """The moments in (start, end] at which prices were seen."""
        return self._path.knots(start, end)

    def index(self, asset: Asset, t: Any) -> Any:
        """Index price in USD."""
        return self._path.at(self._known(_index(asset)), t)

    def mark(self, contract: Contract, t: Any) -> Any:
        """Mark price; of what is quoted no longer the last one, or the index price where nobody has seen one."""
        return self._path.at(self._known(_mark(contract), _index(contract.asset)), t)

    def fair(self, contract: Contract, t: Any) -> Any:
        """The middle of the best quotes, the mark price where there are none."""
        return self._path.at(self._known(_fair(contract), _index(contract.asset)), t)

    def settlement_price(self, contract: Contract) -> float:
        """The index when the contract expired; from the other exchange's candles if nobody followed it then."""
        if contract.symbol not in self._settlements:
            assert contract.expiry is not None
            followed = self._path.gap(contract.expiry) <= self._feed.patience
            price = self.index(contract.asset, contract.expiry) if followed else self._settled_unseen(contract)
            self._settlements[contract.symbol] = price
        return self._settlements[contract.symbol]

    def _settled_unseen(self, contract: Contract) -> float:
        assert contract.expiry is not None
        span = {"from": f"{contract.expiry - 60:.0f}", "to": f"{contract.expiry:.0f}"}
        try:
            return live_wire.closes(self.source.payload(f"{CHARTS}/spot/{contract.symbol}/1m", span))[0]
        except (VenueError, IndexError) as error:
            logger.warning("%s is settled at the index price of now: %s", contract.symbol, error)
        return float(self.index(contract.asset, self._path.end))

    def hourly_bounds(self, contract: Contract, start: float, end: float) -> tuple[Floats, Floats, Floats]:
        """For each hour that touches [start, end] what mark price, quotes and trades did not leave in all that time."""
        spread = self.half_spread(contract, 0.0)
        index = _index(contract.asset)
        marks = self._path.bounds(self._known(_mark(contract), index), start, end)
        fairs = self._path.bounds(self._known(_fair(contract), index), start, end)
        traded = self.flow(contract, start, end).price.tolist()
        lowest, highest = min([*marks, *fairs, *traded]) - spread, max([*marks, *fairs, *traded]) + spread
        return _hourly(start, end, max(lowest, float(contract.tick)), highest)

    def hourly_index_bounds(self, asset: Asset, start: float, end: float) -> tuple[Floats, Floats, Floats]:
        """The same for an index."""
        return _hourly(start, end, *self._path.bounds(self._known(_index(asset)), start, end))

    def _known(self, *names: str) -> str:
        """The first price that has been seen."""
        name = next((name for name in names if name in self._path), None)
        if name is None:
            raise UnavailableError(f"{self.source.base_url} has no {' and no '.join(names)}")
        return name

    # Participants -----------------------------------------------------------------------------------------------

    def _quotes(self, symbol: str, ticker: Ticker) -> Quotes:
        return self._seen.books.get(symbol, ticker.quotes)

    def half_spread(self, contract: Contract, price: float) -> float:
        """Distance of the best quotes from the fair price."""
        ticker = self._seen.tickers.get(contract.symbol)
        quotes = None if ticker is None else self._quotes(contract.symbol, ticker)
        return (quotes.asks[0][0] - quotes.bids[0][0]) / 2 if quotes and quotes.asks and quotes.bids else 0.0

    def quotes(self, contract: Contract, t: float) -> Quotes:
        """The order book as it was seen last, its best level of a contract that nobody has looked at closely."""
        ticker = self._seen.tickers.get(contract.symbol)
        # What is suspended for a reason of its own is not seen.
        if ticker is None or self.states.get(contract.symbol, NORMAL).reason:
            return Quotes([], [])
        return self._quotes(contract.symbol, ticker)

    def flow(self, contract: Contract, start: float, end: float) -> Flow:
        """The other exchange's trades, at the time at which they became known here."""
        trades = [(t, trade) for t, trade in self._flow.get(contract.symbol, ()) if start < t <= end]
        return Flow(
            np.array([t for t, _ in trades]),
            np.array([trade.price for _, trade in trades]),
            np.array([trade.size for _, trade in trades]),
            np.array([trade.buy for _, trade in trades], dtype=np.bool_),
        )

    def last(self, contract: Contract, t: float) -> float:
        """Price of the latest trade, the mark price where there was none."""
        ticker, flow = self._seen.tickers.get(contract.symbol), self._flow.get(contract.symbol)
        if ticker is None or ticker.last is None:
            return float(self.mark(contract, t))
        latest = flow[-1][1] if flow else None
        if latest is not None and latest.time >= (ticker.day.last_time or math.inf):
            return latest.price
        return ticker.last

    def day(self, contract: Contract) -> Day:
        """The last 24 hours as the other exchange tells of them."""
        ticker = self._seen.tickers.get(contract.symbol)
        return Day(0.0, 0.0, 0.0) if ticker is None else ticker.day

    # Funding ----------------------------------------------------------------------------------------------------

    def _note_rates(self) -> None:
        hour = math.floor(self._seen.time / HOUR) * HOUR
        for symbol, ticker in self._seen.tickers.items():
            rates = self._rates.setdefault(symbol, {})
            rates[hour] = ticker.funding
            if len(rates) > 2:
                del rates[min(rates)]

    def funding(self, contract: Contract, t: Any) -> float:
        """Absolute rate per contract and hour of the period that contains a time.

        Of the present period it is the one told now. Of a period that nobody saw it is the one of the other exchange's
        history, and where that cannot be had the one of now.
        """
        if contract.expiry is not None:
            return 0.0
        ticker, hour = self._seen.tickers.get(contract.symbol), math.floor(t / HOUR) * HOUR
        present = 0.0 if ticker is None else ticker.funding
        if hour >= math.floor(self._path.end / HOUR) * HOUR:
            return present
        rates = self._rates.get(contract.symbol, {})
        return rates[hour] if hour in rates else self._history_of_rates(contract).get(hour, present)

    def _history_of_rates(self, contract: Contract) -> dict[float, float]:
        asked, rates = self._past_rates.get(contract.symbol, (-math.inf, {}))
        if time.monotonic() - asked > _RATES_KEPT_SECONDS:
            try:
                payload = self.source.payload(f"{TRADING}/historical-funding-rates", {"symbol": contract.symbol})
                rates = live_wire.funding_rates(payload)
            except VenueError as error:
                logger.warning("funding of %s is settled at the rate of now: %s", contract.symbol, error)
            self._past_rates[contract.symbol] = (time.monotonic(), rates)
        return rates

    def predicted_funding(self, contract: Contract, t: float) -> float:
        """Absolute rate of the next period as the other exchange predicts it."""
        ticker = self._seen.tickers.get(contract.symbol)
        return 0.0 if ticker is None else ticker.predicted


def _mark(contract: Contract) -> str:
    return f"mark price of {contract.symbol}"


def _fair(contract: Contract) -> str:
    return f"best quotes of {contract.symbol}"


def _index(asset: Asset) -> str:
    return f"index price of {asset.code}"


def _middle(quotes: Quotes) -> float | None:
    return (quotes.bids[0][0] + quotes.asks[0][0]) / 2 if quotes.bids and quotes.asks else None


def _hourly(start: float, end: float, lowest: float, highest: float) -> tuple[Floats, Floats, Floats]:
    hours: Floats = HOUR * np.arange(math.floor(start / HOUR), math.floor(end / HOUR) + 1, dtype=np.float64)
    return hours, np.full(len(hours), lowest), np.full(len(hours), highest)
