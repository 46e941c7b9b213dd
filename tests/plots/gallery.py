"""Made-up data for every chart, and what each chart says when there is nothing, or one thing, to draw."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

import kfut_analytics as kfut
from kfut_analytics import plots, risk_tables, schema
from kfut_analytics.account import Account as Figures
from kfut_analytics.account import Balances
from kfut_analytics.risk.picture import Picture
from tests.accounts import LISTED, Account, Listed
from tests.valued import Prices, equity_of

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


def usage(
    *held: tuple[str, float, float], equity: float = 10_000.0, env: str = "paper", coins: float = 0.0
) -> kfut.Margin:
    """Positions of symbol, size and mark price at 10 % initial margin; the exchange's own figures are given."""
    symbols = [symbol for symbol, _, _ in held]
    tiers = schema.MARGIN_TIERS.frame(
        {"symbol": symbols, "schedule": ["professional"] * len(held), "threshold": [0.0] * len(held),
         "initial_margin": [0.1] * len(held), "maintenance_margin": [0.05] * len(held)}
    )  # fmt: skip
    positions = schema.POSITIONS.frame(
        {
            "symbol": symbols,
            "side": ["long" if size > 0 else "short" for _, size, _ in held],
            "size": [abs(size) for _, size, _ in held],
            "signed_size": [size for _, size, _ in held],
            "entry_price": [mark for _, _, mark in held],
            "mark_price": [mark for _, _, mark in held],
            "notional": [abs(size) * mark for _, size, mark in held],
            "unrealized_pnl": [0.0] * len(held),
            "unrealized_funding": [0.0] * len(held),
            "pnl_currency": ["USD"] * len(held),
            "margin_mode": ["cross"] * len(held),
        }
    )
    total = sum(abs(size) * mark for _, size, mark in held)
    figures = Figures(
        env=env, time=START, balance_value=equity, portfolio_value=equity, collateral_value=equity, unrealized_pnl=0.0,
        unrealized_funding=0.0, total_unrealized=0.0, total_unrealized_as_margin=0.0, margin_equity=equity,
        initial_margin=total * 0.1, initial_margin_with_orders=total * 0.1, maintenance_margin=total * 0.05,
        available_margin=equity - total * 0.1,
    )  # fmt: skip
    money = {"account": "flex", "type": "multiCollateralMarginAccount", "currency": ["USD", "BTC"],
             "quantity": [equity - coins, coins], "value_usd": [equity - coins, coins],
             "collateral_usd": [equity - coins, coins]}  # fmt: skip
    rows = {name: values if isinstance(values, list) else [values] * 2 for name, values in money.items()}
    balances = Balances(figures, schema.ACCOUNTS.frame(rows), schema.WALLETS.frame({}))
    return kfut.Margin(Picture(env, "demo", START, balances, positions, tiers))


def history(usages: list[float], wallet: str = "flex") -> pd.DataFrame:
    """Hourly margin usage, maintenance at half of it."""
    rows = {"time": [START + hour * HOUR for hour in range(len(usages))], "account": [wallet] * len(usages),
            "source": ["rebuilt"] * len(usages), "usage": usages,
            "maintenance_usage": [value / 2 for value in usages]}  # fmt: skip
    return told(risk_tables.MARGIN_HISTORY.frame(rows))


def scenarios(*rows: tuple[float, float, float, str | None], target: str = "market") -> pd.DataFrame:
    """Stress of an account worth 1,000, of shock, P&L, change of collateral, and who is liquidated first."""
    equity = [1000 + pnl + coins for _, pnl, coins, _ in rows]
    figures = {
        "pnl": [row[1] for row in rows], "collateral_change": [row[2] for row in rows], "equity": equity,
        "usage": [200 / left if left > 0 else float("inf") for left in equity],
        "maintenance_usage": [100 / left if left > 0 else float("inf") for left in equity],
        "first_liquidated": [row[3] for row in rows], "currency": ["USD"] * len(rows),
    }  # fmt: skip
    frame = told(risk_tables.STRESS.frame(figures), as_of="2026-11-01T00:00:00.000Z")
    frame.index = pd.Index([row[0] for row in rows], name=target, dtype="float64")
    return frame


def square(size: int) -> pd.DataFrame:
    """Two-way stress: each target moved by up to 50 %; where both fall by half somebody is liquidated."""
    shocks = np.linspace(-0.5, 0.5, size)
    rows = [(x, 600 * x, 300 * y, "PF_XBTUSD" if x == y == -0.5 else None) for x in shocks for y in shocks]
    frame = scenarios(*rows)
    frame.index = pd.MultiIndex.from_product([shocks, shocks], names=["XBT", "collateral"])
    return frame


def valued(days: int, hours: int = 1) -> kfut.Equity:
    """1,000 USD and ten contracts bought at 100, of which each day brings 500 in or takes 100 out; prices wander."""
    made = Account()
    made.flow("cross-exchange transfer", "flex", "usd", Fraction(1000))
    made.trade(LISTED[0], Fraction(10), Fraction(100), fee_rate=Fraction(0))
    begin = made.now
    for day in range(days):
        made.wait(86_400)
        made.flow("cross-exchange transfer", "flex", "usd", Fraction(-100 if day % 2 else 500))
    times = [begin + datetime.timedelta(hours=hours * step) for step in range(24 * days // hours + 1)]
    walk = 100 + np.cumsum(np.random.default_rng(3).normal(size=len(times)))
    return equity_of(made.frame(), times, Prices({LISTED[0].symbol: (times, [100.0, *walk[1:].tolist()])}, {}))


def worthless() -> kfut.Equity:
    """An account that never had anything."""
    times = [datetime.datetime(2026, 11, 1, hour, tzinfo=datetime.UTC) for hour in range(2)]
    return equity_of(Account().frame(), times, Prices({}, {}))


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

HELD = usage(("PF_XBTUSD", 0.5, 50_000.0), ("PF_ETHUSD", -4.0, 3_000.0), coins=4_000.0)

CHARTS: dict[str, Draw] = {
    "basis": partial(plots.basis, candles(_PRICES), candles(_INDEX)),
    "bridge": partial(plots.bridge, ledger(story())),
    "daily_pnl": partial(plots.daily_pnl, ledger(story())),
    "depth": partial(plots.depth, book([(99.0, 1.0), (98.0, 2.0), (97.0, 3.0)], [(101.0, 2.0), (102.0, 1.0)])),
    "equity_curve": partial(plots.equity_curve, valued(12)),
    "exposure": partial(plots.exposure, HELD),
    "funding_paid": partial(plots.funding_paid, ledger(story())),
    "funding_rates": partial(plots.funding_rates, rates([1e-5, -2e-5, 3e-5])),
    "liquidation": partial(plots.liquidation, HELD),
    "margin_history": partial(plots.margin_history, history([0.1, 0.5, 0.9, 0.4])),
    "margin_usage": partial(plots.margin_usage, HELD),
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
    "stress": partial(plots.stress, scenarios((-0.5, -900, -100, "PF_XBTUSD"), (0, 0, 0, None), (0.5, 900, 100, None))),
    "stress_map": partial(plots.stress_map, square(5)),
    "term_structure": partial(plots.term_structure, *TERMS),
    "underwater": partial(plots.underwater, valued(12)),
}
"""Every chart with something to draw."""


def crowd(contracts: int) -> kfut.PnL:
    """Each contract gains or loses a third of its number, and pays funding."""
    made = Account()
    made.flow("cross-exchange transfer", "flex", "usd", Fraction(100))
    for rank in range(1, contracts + 1):
        one = Listed(f"pf_c{rank:02}usd", Fraction(1), 100)
        made.trade(one, Fraction(1), Fraction(100))
        made.fund(one, Fraction(rank, 100))
        made.wait(40_000)
        made.trade(one, Fraction(-1), 100 + Fraction(rank * (-1) ** rank, 3))
        made.wait(40_000)
    return ledger(made)


_MANY = usage(*((f"PF_C{rank:02}USD", (-1.0) ** rank, 100.0 - rank) for rank in range(50)), equity=600.0)

DENSE: dict[str, Draw] = {
    "bridge of fifty contracts": partial(plots.bridge, crowd(50)),
    "days of fifty contracts": partial(plots.daily_pnl, crowd(50)),
    "exposure to fifty contracts": partial(plots.exposure, _MANY),
    "funding of fifty contracts": partial(plots.funding_paid, crowd(50)),
    "fourteen orders": partial(
        plots.price,
        candles(_PRICES),
        open_orders=orders(*(("PF_XBTUSD", "buy", "lmt", 97 + step / 5, 1.5) for step in range(14))),
    ),
    "liquidation of fifty positions": partial(plots.liquidation, _MANY),
    "pnl of fifty contracts": partial(plots.pnl_by_contract, crowd(50)),
    "rates of twelve contracts": partial(
        plots.funding_rates, several_rates(**{f"PF_C{rank}USD": [rank * 1e-5, -rank * 1e-5] for rank in range(12)})
    ),
    "stress, many liquidated": partial(
        plots.stress,
        scenarios(*((step / 40, 1e9 * step, 1e8 * step, "PF_XBTUSD" if step < 0 else None) for step in range(-20, 21))),
    ),
    "stress map": partial(plots.stress_map, square(15)),
    "usage of fifty positions": partial(plots.margin_usage, _MANY),
}
"""Charts with more to draw than there is room for."""

_NO_PNL = "No trades and no funding in this period."

NOTHING: dict[str, tuple[Draw, str]] = {
    "basis": (partial(plots.basis, candles([]), candles([1.0])), "Mark and index prices have no time in common."),
    "bridge": (partial(plots.bridge, nothing()), "There is no entry in this period, so nothing changed."),
    "daily_pnl": (partial(plots.daily_pnl, nothing()), _NO_PNL),
    "depth": (partial(plots.depth, book([], [])), "The order book is empty."),
    "equity_curve": (partial(plots.equity_curve, worthless()), "There was nothing in the account in this period."),
    "exposure": (
        partial(plots.exposure, usage()),
        "No open positions and no coins: nothing moves with the market.",
    ),
    "funding_paid": (partial(plots.funding_paid, nothing()), "No funding was paid or received in this period."),
    "funding_rates": (partial(plots.funding_rates, rates([])), "No funding rates in this period."),
    "liquidation": (partial(plots.liquidation, usage()), "No open positions: nothing can be liquidated."),
    "margin_history": (partial(plots.margin_history, history([])), "There is no margin usage in this period."),
    "margin_usage": (partial(plots.margin_usage, usage()), "No open positions: no margin is used."),
    "pnl": (partial(plots.pnl, nothing()), _NO_PNL),
    "pnl_by_contract": (partial(plots.pnl_by_contract, nothing()), _NO_PNL),
    "pnl_distribution": (partial(plots.pnl_distribution, nothing()), "No position was closed in this period."),
    "price": (partial(plots.price, candles([])), "No candles in this period."),
    "round_trips": (partial(plots.round_trips, nothing()), "No position was opened or closed in this period."),
    "stress": (partial(plots.stress, scenarios()), "There are no shocks to show."),
    "stress_map": (partial(plots.stress_map, square(0)), "There are no shocks to show."),
    "underwater": (partial(plots.underwater, worthless()), "There is too little history for a drawdown."),
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
    "margin_history": (
        partial(plots.margin_history, history([0.25])),
        "One moment only: 25.0 % of equity at 2026-11-01 00:00 UTC.",
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
        "equity_curve": partial(plots.equity_curve, valued(1, hours=24)),
        "exposure": partial(plots.exposure, usage(("PF_XBTUSD", 1.0, 100.0))),
        "liquidation": partial(plots.liquidation, usage(("PF_XBTUSD", 1000.0, 100.0))),
        "margin_usage": partial(plots.margin_usage, usage(("PF_XBTUSD", 1.0, 100.0))),
        "pnl_by_contract": partial(plots.pnl_by_contract, pnl),
        "stress": partial(plots.stress, scenarios((-0.1, -5.0, 0.0, None))),
        "stress_map": partial(plots.stress_map, square(1)),
        "underwater": partial(plots.underwater, valued(1, hours=24)),
        "round_trips": partial(plots.round_trips, pnl),
        "term_structure": partial(
            plots.term_structure, *listed(("FF_XBTUSD_261201", 101.0, 100.0, "2026-12-01T00:00:00Z"))
        ),
    }


def draw(name: str, ax: Axes | None = None, **look: Any) -> Axes:
    """Draw a chart of the gallery."""
    return CHARTS[name](ax=ax, **look)
