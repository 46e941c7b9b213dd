"""The public history of a market: what the simulated participants trade and what the accounts here trade, as one.

The market knows only its own trades. Those of the accounts are put between them at their time, so that the list of
trades, the market history and the candles tell the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kfut_analytics.paper.clock import DAY
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.market.protocol import Candles, Day, Floats, Flow, TickType, Trades

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.exchange import Exchange
    from kfut_analytics.paper.engine.matching import OwnTrade

_ROOM = 10_000
"""Numbers that are left for the accounts' trades after each of the market's."""


def trades(
    exchange: Exchange,
    contract: Contract,
    start: float,
    end: float,
    count: int,
    *,
    newest_first: bool = True,
    resume: int | None = None,
) -> Trades:
    """The newest (or oldest) public trades with start <= time < end, at most ``count``, oldest first.

    ``resume`` is the number of the last trade of the page before: only what lies beyond it is given.
    """
    beyond = None if resume is None else -(-resume // _ROOM) if newest_first else resume // _ROOM
    table = exchange.past.trades(contract, start, end, count, newest_first=newest_first, resume=beyond)
    if len(table.time) == count:
        # What lies beyond a full page of the market's own trades is not on this page.
        start, end = (table.time[0], end) if newest_first else (start, np.nextafter(table.time[-1], math.inf))
    own = [trade for trade in exchange.tape.get(contract.symbol, []) if start <= trade.time < end]
    if not own:
        return table._replace(number=table.number * _ROOM)
    numbers = _numbers(exchange, contract, own)
    rows = [
        *zip(table.uid, table.number * _ROOM, table.time, table.price, table.size, table.buy, strict=True),
        *((t.uid, n, t.time, t.price, t.size, t.taker_buys) for t, n in zip(own, numbers, strict=True)),
    ]
    if resume is not None:
        rows = [row for row in rows if (row[1] < resume if newest_first else row[1] > resume)]
    rows.sort(key=lambda row: int(row[1]))
    rows = rows[-count:] if newest_first else rows[:count]
    uid, number, time, price, size, buy = zip(*rows, strict=True) if rows else ((),) * 6
    return Trades(
        list(uid),
        np.array(number, dtype=np.int64),
        np.array(time, dtype=np.float64),
        np.array(price, dtype=np.float64),
        np.array(size, dtype=np.float64),
        np.array(buy, dtype=np.bool_),
    )


def flow(exchange: Exchange, contract: Contract, start: float, end: float) -> Flow:
    """The public trades with start < time <= end, oldest first, without their numbers."""
    theirs = exchange.past.flow(contract, start, end)
    own = [trade for trade in exchange.tape.get(contract.symbol, []) if start < trade.time <= end]
    if not own:
        return theirs
    columns = zip(*((trade.time, trade.price, trade.size, trade.taker_buys) for trade in own), strict=True)
    both = [np.append(column, mine) for column, mine in zip(theirs, columns, strict=True)]
    order = np.argsort(both[0], kind="stable")
    return Flow(both[0][order], both[1][order], both[2][order], both[3][order].astype(np.bool_))


def kinds(exchange: Exchange, contract: Contract) -> dict[str, str]:
    """Trades that are no ordinary fills, by uid."""
    return {trade.uid: trade.kind for trade in exchange.tape.get(contract.symbol, []) if trade.kind != "fill"}


def _numbers(exchange: Exchange, contract: Contract, own: list[OwnTrade]) -> list[int]:
    """Numbers between those of the market's trades around them, ascending."""
    numbers: list[int] = []
    for trade in own:
        before = exchange.past.trades(contract, exchange.past.begin, trade.time + 0.0005, 1).number
        number = int(before[-1]) * _ROOM + 1 if len(before) else 1
        numbers.append(max(number, numbers[-1] + 1) if numbers else number)
    return numbers


def candles(
    exchange: Exchange,
    tick_type: TickType,
    contract: Contract,
    seconds: int,
    start: float,
    end: float | None = None,
) -> Candles:
    """Candles from the bucket that contains ``start`` to the one that contains ``end``, by default now."""
    now = exchange.now
    table = exchange.past.candles(tick_type, contract, seconds, start, now, end)
    own = exchange.tape.get(contract.symbol, [])
    if tick_type != "trade" or not own or not len(table.time):
        return table
    columns = Candles._make(column.copy() for column in table)
    times = np.array([trade.time for trade in own])
    prices, sizes = np.array([trade.price for trade in own]), np.array([trade.size for trade in own])
    places = np.searchsorted(table.time, times, side="right") - 1
    traded = set(places.tolist())
    for place in np.unique(places[(places >= 0) & (times < table.time[-1] + seconds)]):
        mine = places == place
        columns.high[place] = max(columns.high[place], prices[mine].max())
        columns.low[place] = min(columns.low[place], prices[mine].min())
        columns.volume[place] = round(columns.volume[place] + sizes[mine].sum(), 10)
        # An own trade that nobody has traded after is where the candle closes.
        latest = float(times[mine][-1])
        if not len(exchange.past.flow(contract, latest, min(now, _end(table.time, int(place), seconds)))[0]):
            columns.close[place] = prices[mine][-1]
            _carry_on(columns, int(place), traded)
    return columns


def _carry_on(columns: Candles, place: int, traded: set[int]) -> None:
    """Let the candles after one begin where it closes, up to the next one in which anything is traded."""
    price = columns.close[place]
    for later in range(place + 1, len(columns.time)):
        columns.open[later] = price
        if columns.volume[later] > 0 or later in traded:
            columns.high[later] = max(columns.high[later], price)
            columns.low[later] = min(columns.low[later], price)
            return
        columns.high[later] = columns.low[later] = columns.close[later] = price


def _end(starts: Floats, place: int, seconds: int) -> float:
    return float(starts[place]) + seconds - 0.0005


def day(exchange: Exchange, contract: Contract) -> Day:
    """The last 24 hours of a contract."""
    told = exchange.market.day(contract)
    if told is not None:
        return told
    now, past = exchange.now, exchange.past
    bars = candles(exchange, "trade", contract, 60, now - DAY)
    values = bars.volume / bars.close if contract.inverse else bars.volume * bars.close
    figures = Day(
        round(float(bars.volume.sum()), 4),
        round(float(values.sum()), 4),
        float(past.open_interest(contract, np.array([now]))[0]),
    )
    trade = trades(exchange, contract, past.begin, now + 1e-3, 1)
    # What has just been listed has not been traded yet.
    if not len(trade.time):
        return figures
    return figures._replace(
        open=float(bars.open[0]),
        high=float(bars.high.max()),
        low=float(bars.low.min()),
        last_time=float(trade.time[0]),
        last_size=float(trade.size[0]),
    )
