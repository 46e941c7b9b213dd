"""Made-up data for every chart, and what each chart says when there is nothing, or one thing, to draw."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

import kfut_analytics as kfut
from kfut_analytics import plots, schema
from tests.accounts import LISTED, Account

START = pd.Timestamp("2026-11-01T00:00:00Z")
HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)

Draw = Callable[..., Axes]


def told(frame: pd.DataFrame, **attrs: str) -> pd.DataFrame:
    """A frame that says where it comes from, as the client's frames do."""
    frame.attrs |= {"env": "paper"} | attrs
    return frame


def candles(closes: list[float], symbol: str = "PF_XBTUSD") -> pd.DataFrame:
    """Hourly candles that reach one below and two above their close."""
    close = np.array(closes, dtype="float64")
    data = {"time": [START + hour * HOUR for hour in range(len(close))], "open": close, "low": close - 1,
            "high": close + 2, "close": close, "volume": np.ones(len(close))}  # fmt: skip
    return told(schema.CANDLES.frame(data), symbol=symbol)


def fills(*rows: tuple[float, str, str, float, float]) -> pd.DataFrame:
    """Fills of hour, symbol, side, size and price."""
    data = {
        "fill_id": [str(number) for number in range(len(rows))],
        "time": [START + row[0] * HOUR for row in rows],
        "symbol": [row[1] for row in rows],
        "side": [row[2] for row in rows],
        "size": [row[3] for row in rows],
        "price": [row[4] for row in rows],
    }
    return told(schema.FILLS.frame(data))


def positions(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    """Positions of symbol, side, size and entry price."""
    names = ("symbol", "side", "size", "entry_price")
    data = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return told(schema.POSITIONS.frame(data), as_of="2026-11-03T12:00:00.000Z")


def orders(*rows: tuple[str, str, str, float, float]) -> pd.DataFrame:
    """Open orders of symbol, side, type, price and size."""
    data = {
        "order_id": [str(number) for number in range(len(rows))],
        "symbol": [row[0] for row in rows],
        "side": [row[1] for row in rows],
        "order_type": [row[2] for row in rows],
        "limit_price": [row[3] if row[2] == "lmt" else None for row in rows],
        "stop_price": [None if row[2] == "lmt" else row[3] for row in rows],
        "unfilled_size": [row[4] for row in rows],
    }
    return told(schema.OPEN_ORDERS.frame(data))


def book(bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> pd.DataFrame:
    """An order book of prices and sizes, best first."""
    levels = [("bid", *level) for level in bids] + [("ask", *level) for level in asks]
    names = ("side", "price", "size")
    data = {name: [level[place] for level in levels] for place, name in enumerate(names)}
    return told(schema.ORDER_BOOK.frame(data), symbol="PF_XBTUSD", as_of="2026-11-01T00:00:30.000Z")


def rates(relative: list[float], symbol: str = "PF_XBTUSD") -> pd.DataFrame:
    """Hourly funding rates."""
    data = {"time": [START + hour * HOUR for hour in range(len(relative))], "funding_rate": relative,
            "relative_funding_rate": relative}  # fmt: skip
    return told(schema.FUNDING_RATES.frame(data), symbol=symbol)


def several_rates(**relative: list[float]) -> pd.DataFrame:
    """The same of several contracts."""
    return told(pd.concat({symbol: rates(values) for symbol, values in relative.items()}, names=["symbol"]))


def listed(*rows: tuple[str, float, float, str | None]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tickers and instruments of symbol, mark price, index price and expiry."""
    names = ("symbol", "mark_price", "index_price")
    data = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    expiries = {"symbol": data["symbol"], "last_trading_time": [row[3] for row in rows]}
    return (
        told(schema.TICKERS.frame(data), as_of="2026-11-01T00:00:00.000Z"),
        told(schema.INSTRUMENTS.frame(expiries)),
    )


TERMS = listed(
    ("PF_XBTUSD", 100.1, 100.0, None),
    ("PI_XBTUSD", 100.2, 100.0, None),
    ("FF_XBTUSD_261201", 101.0, 100.0, "2026-12-01T00:00:00Z"),
    ("FI_XBTUSD_261201", 101.5, 100.0, "2026-12-01T00:00:00Z"),
    ("FF_XBTUSD_270301", 104.0, 100.0, "2027-03-01T00:00:00Z"),
    ("FF_ETHUSD_261201", 99.0, 100.0, "2026-12-01T00:00:00Z"),
    ("PF_SOLUSD", 100.1, 100.0, None),
)


def story(days: int = 30, seed: int = 1) -> Account:
    """An account that trades every contract, turns positions around and leaves one open, with funding every day."""
    draw = random.Random(seed)
    made = Account(seed)
    made.flow("cross-exchange transfer", "flex", "usd", Fraction(50_000))
    made.flow("cross-exchange transfer", "fi_xbtusd", "xbt", Fraction(1))
    for day in range(days):
        contract = LISTED[draw.randrange(len(LISTED))]
        size = draw.choice([-3, -2, -1, 1, 2, 3]) * 500 * contract.step
        made.trade(contract, Fraction(size), Fraction(contract.price * draw.randint(960, 1040), 1000))
        for held in LISTED:
            if day % 3 == 0 and made.positions[held.symbol].size:
                made.fund(held, Fraction(draw.randint(-5, 5), 10_000 * (held.price if held.inverse else 1)))
        made.wait(86_400)
    return made


def ledger(account: Account) -> kfut.PnL:
    """The accounts of its log."""
    return kfut.pnl(told(account.frame()))


def nothing() -> kfut.PnL:
    """The accounts of an empty log."""
    return kfut.pnl(told(schema.ACCOUNT_LOG.frame({})))


def single() -> kfut.PnL:
    """The accounts of a log with one entry that is P&L: a position is opened for a fee of 5."""
    made = Account()
    made.trade(LISTED[0], Fraction(1), Fraction(10_000))
    return ledger(made)


_PRICES = [float(price) for price in 100 + np.cumsum(np.random.default_rng(5).normal(size=72))]
_INDEX = [price * 0.999 for price in _PRICES]

CHARTS: dict[str, Draw] = {
    "basis": partial(plots.basis, candles(_PRICES), candles(_INDEX)),
    "bridge": partial(plots.bridge, ledger(story())),
    "daily_pnl": partial(plots.daily_pnl, ledger(story())),
    "depth": partial(plots.depth, book([(99.0, 1.0), (98.0, 2.0), (97.0, 3.0)], [(101.0, 2.0), (102.0, 1.0)])),
    "funding_paid": partial(plots.funding_paid, ledger(story())),
    "funding_rates": partial(plots.funding_rates, rates([1e-5, -2e-5, 3e-5])),
    "pnl": partial(plots.pnl, ledger(story())),
    "pnl_by_contract": partial(plots.pnl_by_contract, ledger(story())),
    "pnl_distribution": partial(plots.pnl_distribution, ledger(story())),
    "price": partial(
        plots.price,
        candles(_PRICES),
        fills=fills((5, "PF_XBTUSD", "buy", 1, _PRICES[5]), (20, "PF_XBTUSD", "sell", 2, _PRICES[20])),
        positions=positions(("PF_XBTUSD", "short", 1, _PRICES[30])),
        open_orders=orders(("PF_XBTUSD", "buy", "lmt", _PRICES[40], 1), ("PF_XBTUSD", "sell", "stop", _PRICES[50], 1)),
    ),
    "round_trips": partial(plots.round_trips, ledger(story())),
    "term_structure": partial(plots.term_structure, *TERMS),
}
"""Every chart with something to draw."""

_NO_PNL = "No trades and no funding in this period."

NOTHING: dict[str, tuple[Draw, str]] = {
    "basis": (partial(plots.basis, candles([]), candles([1.0])), "Mark and index prices have no time in common."),
    "bridge": (partial(plots.bridge, nothing()), "There is no entry in this period, so nothing changed."),
    "daily_pnl": (partial(plots.daily_pnl, nothing()), _NO_PNL),
    "depth": (partial(plots.depth, book([], [])), "The order book is empty."),
    "funding_paid": (partial(plots.funding_paid, nothing()), "No funding was paid or received in this period."),
    "funding_rates": (partial(plots.funding_rates, rates([])), "No funding rates in this period."),
    "pnl": (partial(plots.pnl, nothing()), _NO_PNL),
    "pnl_by_contract": (partial(plots.pnl_by_contract, nothing()), _NO_PNL),
    "pnl_distribution": (partial(plots.pnl_distribution, nothing()), "No position was closed in this period."),
    "price": (partial(plots.price, candles([])), "No candles in this period."),
    "round_trips": (partial(plots.round_trips, nothing()), "No position was opened or closed in this period."),
    "term_structure": (
        partial(plots.term_structure, *listed(("PF_XBTUSD", 1.0, 1.0, None))),
        "There are no dated contracts with a mark and an index price.",
    ),
}
"""Every chart with nothing to draw, and the sentence it says instead."""

ONE: dict[str, tuple[Draw, str]] = {
    "basis": (
        partial(plots.basis, candles([101.0]), candles([100.0])),
        "One pair of prices only: +1.00 % on 2026-11-01 00:00 UTC.",
    ),
    "depth": (partial(plots.depth, book([(99.0, 1.0)], [])), "There are no asks in the order book."),
    "funding_rates": (
        partial(plots.funding_rates, rates([1e-5])),
        "One rate only: PF_XBTUSD +8.76 % per year from 2026-11-01 00:00 UTC.",
    ),
    "pnl": (partial(plots.pnl, single()), "One entry only: \N{MINUS SIGN}5.00 USD on 2026-03-27 20:00 UTC."),
    "price": (partial(plots.price, candles([100.0])), "One candle only: 100 at its close, from 2026-11-01 00:00 UTC."),
}
"""Charts that need two of something, with one, and the sentence that says it."""


def drawn_without_fault() -> dict[str, Draw]:
    """Charts of one thing that need no second: they draw it."""
    pnl = single()
    return {
        "bridge": partial(plots.bridge, pnl),
        "daily_pnl": partial(plots.daily_pnl, pnl),
        "pnl_by_contract": partial(plots.pnl_by_contract, pnl),
        "round_trips": partial(plots.round_trips, pnl),
        "term_structure": partial(
            plots.term_structure, *listed(("FF_XBTUSD_261201", 101.0, 100.0, "2026-12-01T00:00:00Z"))
        ),
    }


def draw(name: str, ax: Axes | None = None, **look: Any) -> Axes:
    """Draw a chart of the gallery."""
    return CHARTS[name](ax=ax, **look)
