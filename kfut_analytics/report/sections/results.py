"""Sections on what the account earned in the period: bridge, equity, contracts, round trips, days."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from ... import plots
from ...plots.rows import height
from ...pnl import NON_TRADING
from ..model import Chart, Figures, Note, Part, Section, Table, Value
from ..sources import Sources
from .parts import Row, attempt, chart, merit, money, records, words

DAYS_RANKED = 5
"""Best and worst days shown; fewer than twice as many days are not ranked."""

_DAYS_SHOWN = 31
_TRIPS_SHOWN = 20

_EMPTY_LOG = "The account log has no entries in this period."
_NO_TRADING = "No trades and no funding in this period."


# ---- the bridge ----------------------------------------------------------------------------------------------------


def bridge(sources: Sources) -> Section:
    """From the equity at the start to that at the end, by cause, and the same of each wallet's balances."""
    parts = attempt("The bridge of equity", lambda: _bridge(sources))
    parts += attempt("The bridge of balances", lambda: [_wallets(sources)])
    return Section("bridge", "P&L bridge", parts)


_CAUSES = {
    "start equity": "Equity at the start",
    "transfer": "Transfers",
    "price P&L": "Realised P&L",
    "unrealised P&L": "Change of unrealised P&L",
    "kfee": "KFEE",
    "end equity": "Equity at the end",
}
_ALWAYS = {"start equity", "price P&L", "unrealised P&L", "fees", "funding", "transfer", "unexplained", "end equity"}
_ORDER = ["start equity", "transfer", "price P&L", "unrealised P&L", "fees", "funding"]


def _bridge(sources: Sources) -> Iterator[Part]:
    frame = sources.equity.bridge()
    sums = _causes(frame)
    drawn = int((frame["amount"] != 0).sum())
    if sums[["start equity", "end equity"]].any() or drawn:
        yield chart("bridge", "From start to end equity", height(min(drawn + 4, 18)),
                    lambda ax: plots.bridge(sources.equity, ax, theme="light", most=4))  # fmt: skip
    rows = []
    for cause, value in sums.items():
        ends = cause in ("start equity", "end equity")
        label = _CAUSES.get(str(cause), f"{str(cause)[0].upper()}{str(cause)[1:]}")
        rows.append([Value(label), money(value, "USD", sign=not ends)])
    strong = frozenset([0, len(rows) - 1])
    yield Table("bridge", ["Cause", "Amount, USD"], rows, "Equity of all wallets", strong=strong)


def _causes(frame: pd.DataFrame) -> pd.Series[float]:
    """The bridge by cause, in the order in which it is told; causes that changed nothing are left out."""
    pairs = zip(frame["item"], frame["currency"], strict=True)
    names = [item if pd.isna(currency) else f"{item} of {currency}" for item, currency in pairs]
    sums = frame["amount"].groupby(names, sort=False).sum()
    order = [*_ORDER, *(name for name in sums.index if name not in _ORDER)]
    sums = sums.reindex(order, fill_value=0.0)
    return sums[[name for name in order if name in _ALWAYS or sums[name] != 0]]


def _wallets(sources: Sources) -> Table:
    rows = []
    for row in sources.pnl.reconcile().to_dict("records"):
        code = row["currency"]
        other = sum(row[name] for name in (*NON_TRADING, "rounding") if name != "transfer" and not pd.isna(row[name]))
        rows.append(
            [
                Value(row["account"]),
                Value(code),
                money(row["opening"], code),
                *_pnl(row, code)[:-1],
                money(row["transfer"], code, sign=True),
                money(other, code, sign=True),
                money(row["unexplained"], code, sign=True),
                money(row["closing"], code),
            ]
        )
    heads = ["Wallet", "Currency", "Opening", *_PNL[:-1], "Transfers", "Other", "Unexplained", "Closing"]
    return Table("balances_bridge", heads, rows, "Balances of each wallet, from the account log", _EMPTY_LOG)


# ---- equity --------------------------------------------------------------------------------------------------------


def equity(sources: Sources) -> Section:
    """Equity and drawdown through time, return and risk."""
    parts = attempt("Equity", lambda: _equity(sources))
    return Section("equity", "Equity and drawdown", parts)


_RETURNS = ("start_equity", "external_flow", "pnl", "end_equity", "time_weighted_return", "money_weighted_return",
            "annual_return", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "max_drawdown_days",
            "best_day", "worst_day", "day_win_rate", "days")  # fmt: skip


def _equity(sources: Sources) -> Iterator[Part]:
    curve = sources.equity

    def draw(figure: Drawing) -> None:
        plots.equity(curve, figure.subplots(2, height_ratios=[2, 1]), theme="light")

    yield Chart("equity", "Equity above, drawdown below", 5.6, draw)
    yield Figures("returns", [merit(sources, metric) for metric in _RETURNS], "Return and risk")
    falls = curve.drawdowns(5)
    rows = [
        [
            Value(float(row["depth"]), "return"),
            Value(row["peak"], "time"),
            Value(row["trough"], "time"),
            Value("not yet") if pd.isna(row["recovery"]) else Value(row["recovery"], "time"),
            Value(float(row["days"]), "days"),
        ]
        for row in falls.to_dict("records")
    ]
    heads = ["Depth", "Peak, UTC", "Trough, UTC", "Recovered, UTC", "Days"]
    yield Table("drawdowns", heads, rows, "Deepest drawdowns", "There was no drawdown in this period.")


# ---- contracts -----------------------------------------------------------------------------------------------------

_PNL = ["Realised P&L", "Fees", "Funding", "Net"]


def _pnl(row: Row, currency: str) -> list[Value]:
    return [
        money(row["realized_pnl"], currency, sign=True),
        money(-row["fee"], currency, sign=True),
        money(row["realized_funding"], currency, sign=True),
        money(row["net"], currency, sign=True),
    ]


def contracts(sources: Sources) -> Section:
    """Booked P&L, fees and funding by currency and by contract."""
    parts = attempt("P&L by contract", lambda: _contracts(sources))
    return Section("contracts", "P&L, fees and funding by contract", parts)


def _contracts(sources: Sources) -> Iterator[Part]:
    end = sources.end
    ledger = sources.pnl
    frame = ledger.summary()
    frame = frame[(frame["trades"] > 0) | frame[["realized_pnl", "fee", "realized_funding"]].any(axis=1)]
    rows = [[Value(str(code)), *_pnl(row, str(code)), Value(row["trades"], "count")] for code, row in records(frame)]
    yield Table("summary", ["Currency", *_PNL, "Trades"], rows, "By currency", _NO_TRADING)
    if not rows:
        return
    codes = {str(code) for code in ledger.by()["currency"]}
    main = "USD" if "USD" in codes else min(codes)
    yield chart("pnl", f"Cumulative P&L, {main}", 3.4,
                lambda ax: plots.pnl(ledger, ax, currency=main, theme="light", as_of=end))  # fmt: skip
    by_contract = ledger.by_contract()
    shown = by_contract[by_contract["currency"] == main]
    yield chart("pnl_by_contract", f"Net P&L by contract, {main}", height(min(len(shown), 20)),
                lambda ax: plots.pnl_by_contract(ledger, ax, currency=main, theme="light", as_of=end))  # fmt: skip
    if (shown["realized_funding"] != 0).any():
        yield chart("funding_paid", f"Cumulative funding, {main}", 3.0,
                    lambda ax: plots.funding_paid(ledger, ax, currency=main, theme="light", as_of=end))  # fmt: skip
    rows = [
        [words(row["contract"]), Value(row["currency"]), *_pnl(row, row["currency"]), Value(row["trades"], "count")]
        for row in by_contract.to_dict("records")
    ]
    yield Table("by_contract", ["Contract", "Currency", *_PNL, "Trades"], rows, "By contract")


# ---- round trips ---------------------------------------------------------------------------------------------------

_TRIPS = ("round_trips", "trip_win_rate", "trip_profit_factor", "trip_expectancy")


def trips(sources: Sources) -> Section:
    """Positions from opened to flat."""
    return Section("trips", "Round trips", attempt("Round trips", lambda: _trips(sources)))


def _trips(sources: Sources) -> Iterator[Part]:
    end = sources.end
    frame = sources.trips
    if frame.empty:
        yield Note("No position was opened or closed in this period.")
        return
    yield Figures("trip_figures", [merit(sources, metric) for metric in _TRIPS])
    yield chart("round_trips", "Round trips: when and with what result", 3.2,
                lambda ax: plots.round_trips(sources.pnl, ax, theme="light", as_of=end))  # fmt: skip
    ordered = frame.assign(until=frame["closed"].fillna(sources.end)).sort_values(
        "until", ascending=False, kind="stable"
    )
    rows = [
        [
            words(row["contract"]),
            words(row["side"]),
            Value("before") if pd.isna(row["opened"]) else Value(row["opened"], "time"),
            Value("open") if pd.isna(row["closed"]) else Value(row["closed"], "time"),
            Value(row["duration"] / pd.Timedelta("1h") if pd.notna(row["duration"]) else None, "number"),
            Value(row["max_size"], "size"),
            Value(row["entry_price"], "price"),
            Value(row["exit_price"], "price"),
            money(row["net"], row["currency"], sign=True),
            Value(row["currency"]),
            words(row["ended"]),
        ]
        for row in ordered.to_dict("records")
    ]
    heads = ["Contract", "Side", "Opened, UTC", "Closed, UTC", "Hours", "Largest size", "Entry", "Exit", "Net", "in",
             "Ended by"]  # fmt: skip
    yield Table("trips", heads, rows, "Latest first", limit=_TRIPS_SHOWN)


# ---- days ----------------------------------------------------------------------------------------------------------


def days(sources: Sources) -> Section:
    """The calendar of booked P&L, best and worst days, and all days."""
    parts = attempt("Best and worst days", lambda: _ranked_by_equity(sources))
    parts += attempt("Days", lambda: _days(sources))
    return Section("days", "Days", parts)


def _ranked_by_equity(sources: Sources) -> Iterator[Part]:
    daily = sources.equity.daily()
    whole = daily[daily["complete"].astype(bool) & daily["pnl"].notna() & daily["return"].notna()]
    rows = []
    if len(whole) >= 2 * DAYS_RANKED:
        order = whole.sort_values("pnl", ascending=False, kind="stable")
        best, worst = order.iloc[:DAYS_RANKED], order.iloc[::-1].iloc[:DAYS_RANKED]
        rows = [
            [Value(rank, "count"), *_day(good), *_day(bad)]
            for rank, (good, bad) in enumerate(zip(records(best), records(worst), strict=True), start=1)
        ]
    heads = ["Rank", "Best day", "P&L", "Return", "Worst day", "P&L", "Return"]
    empty = (
        f"n/a: there are {len(whole)} whole days with capital; best and worst are told of {2 * DAYS_RANKED} or more."
    )
    yield Table("extreme_days", heads, rows, "Best and worst days by equity, booked or not, USD", empty)


def _day(day: tuple[Any, Row]) -> list[Value]:
    time, row = day
    return [Value(time, "day"), money(row["pnl"], "USD", sign=True), Value(row["return"], "return", sign=True)]


def _days(sources: Sources) -> Iterator[Part]:
    end = sources.end
    frame = sources.pnl.daily()
    if frame.empty:
        yield Note(_NO_TRADING)
        return
    codes = sorted((str(code) for code in frame["currency"].unique()), key=lambda code: (code != "USD", code))
    weeks = int(np.ceil((sources.end - sources.start) / pd.Timedelta("7D")))
    yield chart("daily_pnl", f"Calendar of daily net P&L, {codes[0]}", 1.1 + 1.7 * (1 + weeks // 53),
                lambda ax: plots.daily_pnl(sources.pnl, ax, currency=codes[0], theme="light", as_of=end))  # fmt: skip
    rows = [
        [
            Value(date, "day"),
            Value(row["currency"]),
            *_pnl(row, row["currency"]),
            money(row["cumulative"], row["currency"], sign=True),
        ]
        for date, row in records(frame.iloc[::-1])
    ]
    heads = ["Day", "Currency", *_PNL, "Cumulative net"]
    yield Table("daily", heads, rows, "Booked, newest first", limit=_DAYS_SHOWN)
