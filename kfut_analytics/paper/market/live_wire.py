"""The public JSON of another exchange, read as far as this one needs it (api-facts 3A).

What an exchange adds or leaves out does not end the reading: a row that makes no sense is left out, and only an answer
without its container is an error.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from kfut_analytics.contracts import MarginTier, to_decimal
from kfut_analytics.errors import DecodeError
from kfut_analytics.paper.market.instruments import Asset, Contract
from kfut_analytics.paper.market.protocol import Day, Quotes
from kfut_analytics.paper.market.states import NORMAL, MarketState

logger = logging.getLogger("kfut_analytics.paper")

T = TypeVar("T")
Json = dict[str, Any]

TYPES = {"flexible_futures": False, "futures_inverse": True}
"""Types of contracts that can be traded here, and whether they are inverse."""

_SYMBOL = re.compile(r"[A-Z]{2}_([A-Z0-9]+)USD(?:_\d{6})?")
_INDEX = re.compile(r"(IN|RR)_([A-Z0-9]+)USD")
_BASES = {"XBT": "BTC"}
# What holds where the exchange does not say (api-facts 3A).
_LARGEST_POSITION = 1e12
_FUNDING_COEFFICIENT, _LARGEST_RATE = 8, 0.005


@dataclass(frozen=True, slots=True)
class Listed:
    """A contract, and how the other exchange spells its symbol."""

    contract: Contract
    spelled: str


@dataclass(frozen=True, slots=True)
class Ticker:
    """A contract's row of ``/tickers``; ``quotes`` are the best ones, ``funding`` is 0 where there is none."""

    mark: float
    index: float | None
    last: float | None
    quotes: Quotes
    funding: float
    predicted: float
    day: Day
    state: MarketState


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade; ``uid`` is what it is known by."""

    uid: str
    time: float
    price: float
    size: float
    buy: bool


# Instruments -----------------------------------------------------------------------------------------------------


def instruments(payload: Json) -> dict[str, Listed]:
    """The contracts of ``/instruments`` that can be traded here, by symbol.

    They are linear or inverse, a contract is one unit, and what is paid in is paid in USD or in the coin.
    """
    rows = [row for row in _rows(payload, "instruments") if _is_suited(row)]
    return {listed.contract.symbol: listed for listed in _read(rows, _listed)}


def _is_suited(row: Json) -> bool:
    return (
        row.get("type") in TYPES
        and row.get("tradeable") is not False
        and row.get("isExpired") is not True
        and str(row.get("quote") or "USD").upper() == "USD"
        and row.get("contractSize") in (None, 1)
    )


def _listed(row: Json) -> Listed | None:
    spelled = str(row["symbol"])
    named = _SYMBOL.fullmatch(spelled.upper())
    tiers = _tiers(row.get("marginLevels") or [])
    if named is None or not tiers:
        return None
    code = named[1]
    base = str(row.get("base") or _BASES.get(code, code))
    contract = Contract(
        symbol=spelled.upper(),
        asset=Asset(code, base, category=str(row.get("category") or ""), tradfi=bool(row.get("tradfi"))),
        inverse=TYPES[row["type"]],
        tick=to_decimal(row["tickSize"]).normalize(),
        precision=int(row.get("contractValueTradePrecision") or 0),
        max_position=_positive(row.get("maxPositionSize")) or _LARGEST_POSITION,
        impact_mid_size=_positive(row.get("impactMidSize")) or 0.0,
        opening=_time(row.get("openingDate")) or 0.0,
        expiry=_time(row.get("lastTradingTime")),
        tiers=tiers,
        funding_coefficient=int(row.get("fundingRateCoefficient") or _FUNDING_COEFFICIENT),
        max_funding_rate=float(row.get("maxRelativeFundingRate") or _LARGEST_RATE),
    )
    return Listed(contract, spelled) if contract.tick > 0 else None


def _tiers(levels: Iterable[Json]) -> tuple[MarginTier, ...]:
    tiers = [
        MarginTier(
            float(level["numNonContractUnits"] if level.get("contracts") is None else level["contracts"]),
            float(level["initialMargin"]),
            float(level["maintenanceMargin"]),
        )
        for level in levels
    ]
    return tuple(sorted(tiers, key=lambda tier: tier.threshold))


def states(payload: Json) -> dict[str, MarketState]:
    """``/instruments/status``: the markets that are dislocated or too volatile, by symbol."""
    found = _read(_rows(payload, "instrumentStatus"), lambda row: (str(row["tradeable"]).upper(), _state(row)))
    return {symbol: state for symbol, state in found if state != NORMAL}


def _state(row: Json) -> MarketState:
    multiplier = int(row.get("extremeVolatilityInitialMarginMultiplier") or 1)
    return MarketState(
        dislocated=row.get("priceDislocationDirection") if row.get("experiencingDislocation") else None,
        margin_multiplier=multiplier if row.get("experiencingExtremeVolatility") else 1,
    )


# Prices ----------------------------------------------------------------------------------------------------------


def tickers(payload: Json) -> dict[str, Ticker]:
    """The contracts in ``/tickers``, by symbol."""
    return dict(_read(_rows(payload, "tickers"), _ticker))


def _ticker(row: Json) -> tuple[str, Ticker] | None:
    mark, last = _positive(row.get("markPrice")), _positive(row.get("last"))
    if mark is None:
        return None
    day = Day(
        volume=_positive(row.get("vol24h")) or 0.0,
        quote_volume=_positive(row.get("volumeQuote")) or 0.0,
        open_interest=_positive(row.get("openInterest")) or 0.0,
        open=_positive(row.get("open24h")),
        high=_positive(row.get("high24h")),
        low=_positive(row.get("low24h")),
        last_time=None if last is None else _time(row.get("lastTime")),
        last_size=_positive(row.get("lastSize")),
    )
    funding, predicted = _number(row.get("fundingRate")) or 0.0, _number(row.get("fundingRatePrediction"))
    quotes = _uncrossed([[row.get("bid"), row.get("bidSize")]], [[row.get("ask"), row.get("askSize")]])
    state = MarketState(suspended=row.get("suspended") is True, post_only=row.get("postOnly") is True)
    ticker = Ticker(
        mark,
        _positive(row.get("indexPrice")),
        last,
        quotes,
        funding,
        funding if predicted is None else predicted,
        day,
        state,
    )
    return str(row["symbol"]).upper(), ticker


def indices(payload: Json) -> dict[str, float]:
    """The index prices in ``/tickers``, by code: the real-time ones, and reference rates where there are none."""
    found: dict[str, dict[str, float]] = {"RR": {}, "IN": {}}
    for row in _rows(payload, "tickers"):
        named, price = _INDEX.fullmatch(str(row.get("symbol")).upper()), _positive(row.get("last"))
        if named is not None and price is not None:
            found[named[1]][named[2]] = price
    return found["RR"] | found["IN"]


def order_book(payload: Json) -> Quotes:
    """``/orderbook``.

    Raises
    ------
    DecodeError
        If it is none.
    """
    book = payload.get("orderBook")
    if not isinstance(book, dict) or not all(isinstance(book.get(side), list) for side in ("bids", "asks")):
        raise DecodeError("there is no orderBook with bids and asks in the answer")
    return _uncrossed(book["bids"], book["asks"])


def _uncrossed(bids: list[Any], asks: list[Any]) -> Quotes:
    """The levels that have a price and a size, best first; none at all where buyers bid more than sellers ask."""
    quotes = Quotes(sorted(_levels(bids), reverse=True), sorted(_levels(asks)))
    if quotes.bids and quotes.asks and quotes.bids[0][0] >= quotes.asks[0][0]:
        return Quotes([], [])
    return quotes


def _levels(levels: list[Any]) -> Iterator[tuple[float, float]]:
    for level in levels:
        if isinstance(level, list) and len(level) == 2:
            price, size = _positive(level[0]), _positive(level[1])
            if price is not None and size is not None:
                yield price, size


def trades(payload: Json) -> list[Trade]:
    """``/history``: the trades, oldest first."""
    return list(_read(reversed(_rows(payload, "history")), _trade))


def _trade(row: Json) -> Trade | None:
    time, price, size = _time(row.get("time")), _positive(row.get("price")), _positive(row.get("size"))
    if time is None or price is None or size is None or row.get("side") not in ("buy", "sell"):
        return None
    uid = row.get("uid") or f"{time} {row.get('trade_id')} {price} {size}"
    return Trade(str(uid), time, price, size, row["side"] == "buy")


def funding_rates(payload: Json) -> dict[float, float]:
    """``/historical-funding-rates``: absolute rates by the start of their period."""
    rates = _read(_rows(payload, "rates"), lambda row: (_time(row["timestamp"]), _number(row["fundingRate"])))
    return {time: rate for time, rate in rates if time is not None and rate is not None}


def closes(payload: Json) -> list[float]:
    """Closing prices of candles, oldest first."""
    return [price for price in _read(_rows(payload, "candles"), lambda row: _positive(row["close"])) if price]


def server_time(payload: Json) -> float | None:
    """The other exchange's time of an answer, ``None`` where it does not say."""
    return _time(payload.get("serverTime"))


# Rows and values -------------------------------------------------------------------------------------------------


def _rows(payload: Json, name: str) -> list[Json]:
    rows = payload.get(name)
    if not isinstance(rows, list):
        raise DecodeError(f"there is no list of {name} in the answer")
    return [row for row in rows if isinstance(row, dict)]


def _read(rows: Iterable[Json], read: Callable[[Json], T | None]) -> Iterator[T]:
    """What can be read of some rows."""
    for row in rows:
        try:
            value = read(row)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            logger.debug("left out, for %r: %s", error, row)
            continue
        if value is not None:
            yield value


def _number(value: Any) -> float | None:
    """A finite number, also one in a text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _positive(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _time(value: Any) -> float | None:
    """Seconds since the epoch of a time in ISO 8601, ``None`` for anything else."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
