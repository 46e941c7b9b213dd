"""The value of an account through time, what it returned, and what changed it.

Balances and positions come from the account log, prices from mark and spot candles: nothing is estimated but the price
within a candle, which is a straight line from its opening to its closing price. Sources: api-facts 6.3, 6.4, 6.8, 7.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from . import equity_tables, performance
from .accounting.amounts import amount
from .accounting.attribution import Cause, attribution
from .accounting.curve import Curve, curve
from .accounting.labels import Floats, Times
from .accounting.ledger import Ledger, cash_of
from .accounting.periods import PERIODS, Periods
from .accounting.prices import Rates
from .accounting.timeline import timeline
from .accounting.track import booked_of, money_of, track_of
from .accounting.trips import round_trips
from .accounting.valuation import NOT_MONEY, Books
from .client import Client
from .columns import Table
from .contracts import currency_code
from .equity_check import Snapshot, compared
from .equity_summary import Figure, figures
from .errors import ArgumentError
from .price_history import Fetcher, Given, Span, needed
from .settings import one_of
from .times import TimeLike, iso, not_before, parse_time, step_of

_SHOWN = {
    "start_equity": "Start equity",
    "external_flow": "External flow",
    "pnl": "P&L",
    "end_equity": "End equity",
    "time_weighted_return": "Time-weighted return",
    "money_weighted_return": "Money-weighted return",
    "volatility": "Volatility, annual",
    "sharpe": "Sharpe ratio",
    "max_drawdown": "Maximum drawdown",
}


def equity(
    client: Client,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    resolution: str = "1h",
    *,
    currency: str = "USD",
    log: pd.DataFrame | None = None,
    prices: Given | None = None,
) -> Equity:
    """Value an account through time.

    Parameters
    ----------
    client
        The client to ask, now; the result does not change afterwards.
    start, end
        Time span, such as ``"-90d"``; by default from the first entry of the account log until now, by the exchange's
        clock. The start is moved back to the full minute, hour or day of the resolution.
    resolution
        How often the account is valued: 1m 5m 15m 30m 1h 4h 12h 1d.
    currency
        In which it is valued: USD, a coin, or any currency that the account has.
    log
        The account log from ``start`` to now, where it is at hand: the frame of ``client.account_log()`` or
        ``kfut.read_account_log_csv(path)``.
    prices
        Prices of currencies (in USD) and contracts that the exchange has no candles of, or that are to be used
        instead: one for all times, or a Series indexed by time.

    Returns
    -------
    Equity
        ``frame`` is its table; returns, drawdowns, days, months, summary and bridge are methods.

    Raises
    ------
    ArgumentError
        If an argument makes no sense, or there is no price of something the account had.
    """
    step = step_of(resolution)
    if not isinstance(currency, str) or not currency.strip():
        raise ArgumentError(f"currency={currency!r}: name one such as 'USD' or 'BTC'")
    # First what is so now, then the log, which cannot lack an entry of the time before.
    exchange = Snapshot.take(client)
    accounts = exchange.balances.accounts
    now = exchange.time
    begin, until = _span(start, end, now)
    with not_before(now):
        log = client.account_log(start=begin and begin.floor(step)) if log is None else log
        ledger = Ledger(log)
        span = Span(_begin(begin, until, ledger, step), until, now, resolution)
        cash = cash_of(ledger)
        track = track_of(ledger, cash)
        line = timeline(ledger, track, accounts, exchange.positions)
        held, currencies = needed(line, span)
        own = accounts.loc[accounts["quantity"] != 0, "currency"].map(currency_code)
        code = currency_code(currency)
        currencies |= {code, *own} - {NOT_MONEY}
        found = Fetcher(client, span, ledger, accounts, exchange.tickers, prices).fetch(held, currencies)
    books = Books(ledger, cash, track, line, Rates(code, found.usd), found.marks, found.funding)
    books.check(span.times)
    return Equity(
        books,
        span.times,
        currency=currency.strip().upper(),
        resolution=resolution,
        env=client.env,
        account_name=client.account_name,
        price_notes=found.notes,
        exchange=exchange if until == now else None,
    )


def _span(start: TimeLike | None, end: TimeLike | None, now: pd.Timestamp) -> tuple[pd.Timestamp | None, pd.Timestamp]:
    until = now if end is None else min(parse_time(end, name="end", now=now), now)
    begin = None if start is None else parse_time(start, name="start", now=now)
    if begin is not None and begin >= until:
        told = "now" if end is None else f"end={end!r}"
        raise ArgumentError(f"start={start!r} is not before {told}: give an earlier start")
    return begin, until


def _begin(begin: pd.Timestamp | None, until: pd.Timestamp, ledger: Ledger, step: pd.Timedelta) -> pd.Timestamp:
    """A full minute, hour or day: not after the start, or not after the first entry."""
    if begin is None:
        begin = pd.Timestamp(ledger.time[0], tz="UTC") if len(ledger) else until - step
        if begin >= until:
            raise ArgumentError(
                f"end={until:%Y-%m-%d %H:%M} UTC is not after the first entry of the account log, "
                f"{begin:%Y-%m-%d %H:%M} UTC: give a later end"
            )
    return begin.floor(step)


class Equity:
    """The value of an account through time; made by `equity`.

    Attributes
    ----------
    env, account_name
        Where it comes from.
    currency
        Of all amounts, unless a column says otherwise.
    resolution
        How often the account was valued.
    start, end
        First and last time of the frame, UTC.

    Notes
    -----
    ``equity = balance + unrealized_pnl + unrealized_funding``. Returns are time-weighted: the account is valued at
    every external flow, too, so that money that comes or goes is no return.
    """

    def __init__(
        self,
        books: Books,
        grid: Times,
        *,
        currency: str,
        resolution: str,
        env: str,
        account_name: str,
        price_notes: list[str],
        exchange: Snapshot | None,
    ) -> None:
        self._books, self._grid, self._exchange = books, grid, exchange
        self._price_notes = price_notes
        self.currency, self.resolution = currency, resolution
        self.env, self.account_name = env, account_name
        self.start, self.end = (pd.Timestamp(moment, tz="UTC") for moment in grid[[0, -1]])

    # ---- through time ----------------------------------------------------------------------------------------------

    @cached_property
    def _curve(self) -> Curve:
        return curve(self._books, self._grid)

    @property
    def frame(self) -> pd.DataFrame:
        """The account through time.

        Returns
        -------
        DataFrame
            Index ``time``: equity, balance, unrealized_pnl, unrealized_funding, external_flow, realized_net, pnl,
            return, growth, drawdown; see ``kfut.describe("equity")``. The first row is the start: nothing flowed yet.
        """
        line = self._curve
        return self._framed(
            equity_tables.EQUITY,
            {
                "time": line.time,
                "equity": line.equity,
                "balance": line.balance,
                "unrealized_pnl": line.unrealized_pnl,
                "unrealized_funding": line.unrealized_funding,
                "external_flow": line.external_flow,
                "realized_net": line.realized_net,
                "pnl": line.pnl,
                "return": line.returned,
                "growth": line.growth,
                "drawdown": line.drawdown,
            },
        )

    def by_wallet(self) -> pd.DataFrame:
        """The value of each wallet through time.

        Returns
        -------
        DataFrame
            Index ``time``; one column per wallet. They add up to ``equity``.
        """
        wallets: dict[str, Floats] = defaultdict(lambda: np.zeros(len(self._grid)))
        for part in self._books.parts(self._grid):
            wallets[part.account] += part.worth
        index = pd.DatetimeIndex(self._grid, tz="UTC", name="time")
        frame = pd.DataFrame(dict(sorted(wallets.items())), index=index, dtype="float64")
        frame.attrs["units"] = dict.fromkeys(wallets, self.currency)
        return self._told(frame)

    def flows(self) -> pd.DataFrame:
        """External flows one by one: transfers, without those between own wallets.

        Returns
        -------
        DataFrame
            Index ``time``: info, account, asset, quantity, amount (its value at that time).
        """
        flow, ledger = self._curve.flow, self._books.ledger
        return self._framed(
            equity_tables.EQUITY_FLOWS,
            {
                "time": flow.time,
                **{name: getattr(ledger, name)[flow.row].values().array for name in ("info", "account", "asset")},
                "quantity": ledger.change[flow.row],
                "amount": flow.amount,
            },
        )

    def holdings(self, time: TimeLike | None = None) -> pd.DataFrame:
        """What the account held at a moment.

        Parameters
        ----------
        time
            When; by default at the end. Entries of that very moment count.

        Returns
        -------
        DataFrame
            kind (balance or position), account, asset (currency or contract), quantity (of a position signed),
            entry_price: table ``holdings``. What was nothing is left out.

        Raises
        ------
        ArgumentError
            If the time is not within that of the equity.
        """
        moment = self.end if time is None else parse_time(time, name="time", now=self.end)
        if not self.start <= moment <= self.end:
            raise ArgumentError(
                f"time={time!r} is not between {self.start:%Y-%m-%d %H:%M} and {self.end:%Y-%m-%d %H:%M} UTC"
            )
        when = np.array([moment.tz_localize(None)], dtype="datetime64[us]")
        line = self._books.timeline
        rows = [("balance", b.account, b.currency, float(b.amount.at(when)[0]), np.nan) for b in line.balances]
        for one in line.positions:
            entry = float(one.entry_price.at(when)[0])
            rows.append(("position", one.account, one.contract, float(one.size.at(when)[0]), entry))
        return self._rows(equity_tables.HOLDINGS, [row for row in rows if row[3]])

    # ---- days, months, returns -------------------------------------------------------------------------------------

    def returns(self, period: str = "1d", tz: str = "UTC") -> pd.Series[float]:
        """Time-weighted returns of days, months or any time not shorter than the resolution.

        Parameters
        ----------
        period
            One of 1m 5m 15m 30m 1h 4h 12h 1d 1w (from Monday) 1mo.
        tz
            Time zone in which days, weeks and months begin.

        Returns
        -------
        Series
            Fractions, indexed by the first moment of each period; missing while there is no capital. The first and
            the last may be of a part of their period; `daily` and `monthly` tell.

        Raises
        ------
        ArgumentError
            If the period is none, there is no such time zone, or a period begins between two times of the resolution.
        """
        one_of("period", period, PERIODS)
        series = self._periods(period, tz)["return"]
        series.attrs = {"env": self.env, "as_of": iso(self.end)}
        return series

    def daily(self, tz: str = "UTC") -> pd.DataFrame:
        """The account day by day.

        Parameters
        ----------
        tz
            Time zone in which days begin.

        Returns
        -------
        DataFrame
            Index ``date`` (the day's first moment): equity (at its end), external_flow, realized_net, pnl, return,
            drawdown (the deepest in it), complete (whether the whole day is covered).

        Raises
        ------
        ArgumentError
            If there is no such time zone, or its days begin between two times of the resolution.
        """
        return self._periods("1d", tz)

    def monthly(self, tz: str = "UTC") -> pd.DataFrame:
        """The account month by month, as `daily`.

        Parameters
        ----------
        tz
            Time zone of the months.

        Returns
        -------
        DataFrame
            Table ``equity_periods``.
        """
        return self._periods("1mo", tz)

    def _periods(self, period: str, tz: str) -> pd.DataFrame:
        periods, line = Periods.of(self._grid, period, tz), self._curve
        frame = self._framed(
            equity_tables.EQUITY_PERIODS,
            {
                "date": periods.start.tz_convert("UTC"),
                "equity": line.equity[periods.last],
                "external_flow": periods.sums(line.external_flow),
                "realized_net": periods.sums(line.realized_net),
                "pnl": periods.sums(line.pnl),
                "return": periods.compounded(line.returned),
                "drawdown": periods.lowest(line.drawdown),
                "complete": periods.complete,
            },
        )
        frame.index = pd.DatetimeIndex(frame.index).tz_convert(tz)
        return frame

    def drawdowns(self, count: int = 10) -> pd.DataFrame:
        """The worst falls of the time-weighted growth, deepest first.

        Parameters
        ----------
        count
            How many at most.

        Returns
        -------
        DataFrame
            peak, trough, recovery (missing while it is not over), depth (a negative fraction), days (from peak to
            recovery, or to the end), days_to_trough.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ArgumentError(f"count={count!r} is not how many drawdowns to show: give a whole number from 1")
        growth = pd.Series(self._curve.growth, index=pd.DatetimeIndex(self._grid, tz="UTC"))
        falls = performance.drawdowns(growth).head(count)
        spans = {
            name: falls[source].dt.total_seconds() / 86_400.0
            for name, source in (("days", "length"), ("days_to_trough", "to_trough"))
        }
        data = {name: falls[name] for name in ("peak", "trough", "recovery", "depth")}
        return self._framed(equity_tables.DRAWDOWNS, data | spans)

    # ---- figures ---------------------------------------------------------------------------------------------------

    def summary(self, risk_free: float = 0.0, tz: str = "UTC") -> pd.DataFrame:
        """Return and risk in figures, each with its definition.

        Parameters
        ----------
        risk_free
            Annual risk-free rate for Sharpe and Sortino ratios, a fraction.
        tz
            Time zone in which days begin.

        Returns
        -------
        DataFrame
            Index ``metric``: value, unit, definition, note. A figure that is not defined, or for which the history is
            too short, is missing, and its note says why.
        """
        if isinstance(risk_free, bool) or not isinstance(risk_free, (int, float)) or not -1 < risk_free < 10:
            raise ArgumentError(f"risk_free={risk_free!r} is not an annual rate: give a fraction such as 0.04")
        found = self._figures(float(risk_free), tz)
        return self._rows(equity_tables.EQUITY_SUMMARY, [astuple(figure) for figure in found])

    def _figures(self, risk_free: float = 0.0, tz: str = "UTC") -> list[Figure]:
        return figures(self._curve, self.daily(tz), self._trips, self.currency, risk_free)

    @cached_property
    def _trips(self) -> Floats:
        """Net P&L of the round trips that ended within the time, at the price of their currency then."""
        books = self._books
        money = money_of(books.track, books.ledger, books.cash.where(books.cash.trading))
        trips = round_trips(books.ledger, books.track, money, booked_of(books.track, money), None, None)
        inside = (trips["closed"] > self.start) & (trips["closed"] <= self.end) & trips["opened"].notna()
        trips = trips[inside]
        net = trips["net"].to_numpy(dtype=np.float64, copy=True)
        closed = trips["closed"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
        for code in trips["currency"].unique():
            own = (trips["currency"] == code).to_numpy()
            net[own] *= books.rates.at(code, closed[own])
        return net

    def bridge(self) -> pd.DataFrame:
        """From the value at the start to that at the end, by cause.

        Returns
        -------
        DataFrame
            item, contract, currency, amount: start equity; price P&L (realised) and the change of unrealised P&L per
            contract; fees; funding; interest, conversion, transfer, kfee, tax, other; rounding (the exchange's, of
            its figures); revaluation per currency (what its price did to balances of it); unexplained; end equity.
            The rows between the two equities add up to their difference. ``unexplained`` is zero on complete data.
            Everything is worth what its currency was worth when it was booked.
        """
        return self._rows(equity_tables.EQUITY_BRIDGE, self._causes)

    @cached_property
    def _causes(self) -> list[Cause]:
        return attribution(self._books, self._grid[0], self._grid[-1])

    def check(self) -> pd.DataFrame:
        """The value at the end beside the exchange's own figures.

        Returns
        -------
        DataFrame
            account, figure, currency, computed, exchange, difference: balances and unrealised P&L and funding by
            wallet, the multi-collateral wallet's value, and the equity of all. Funding that has accrued is computed
            from the rates; prices move between one answer of the exchange and the next.

        Raises
        ------
        ArgumentError
            If the equity does not end now.
        """
        if self._exchange is None:
            raise ArgumentError(
                f"the equity ends at {self.end:%Y-%m-%d %H:%M} UTC, but the exchange tells what is so now: ask for "
                "equity without end"
            )
        rows = compared(self._books, self._grid[-1], self._exchange, self.currency)
        return self._rows(equity_tables.EQUITY_CHECK, [(*row, row[-2] - row[-1]) for row in rows])

    # ---- frames and words ------------------------------------------------------------------------------------------

    def _framed(self, table: Table, data: dict[str, Any]) -> pd.DataFrame:
        return self._told(table.frame_of(data))

    def _rows(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
        names = [column.name for column in table.columns]
        columns = zip(*rows, strict=True) if rows else [()] * len(names)
        return self._told(table.frame(dict(zip(names, columns, strict=True))))

    def _told(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A frame that says in what currency its amounts are and where it comes from."""
        own = "currency" not in frame.columns or "contract" in frame.columns
        units = frame.attrs["units"]
        frame.attrs["units"] = {k: self.currency if own and v == "currency" else v for k, v in units.items()}
        frame.attrs |= {"env": self.env, "as_of": iso(self.end)}
        return frame

    def notes(self) -> list[str]:
        """What a reader must know about the quality of the figures, one sentence each; empty when all is well."""
        notes = list(self._price_notes)
        credits = [one for one in self._books.timeline.balances if one.currency == NOT_MONEY]
        if any(one.amount.at(self._grid).any() for one in credits):
            notes.append("KFEE is not counted as value.")
        rest = sum(rest for item, _, _, rest in self._causes if item == "unexplained")
        if abs(rest) >= 0.005:
            notes.append(
                f"{amount(rest, self.currency)} {self.currency} of the change is unexplained: entries are missing in "
                "the account log; kfut.pnl(log).gaps() names them."
            )
        return notes

    def _title(self) -> str:
        return (
            f"{self.env.upper()} equity of {self.account_name} in {self.currency}, {self.start:%Y-%m-%d %H:%M} to "
            f"{self.end:%Y-%m-%d %H:%M} UTC, every {self.resolution}"
        )

    def _lines(self) -> list[tuple[str, str]]:
        return [(_SHOWN[figure.metric], figure.words()) for figure in self._figures() if figure.metric in _SHOWN]

    def __repr__(self) -> str:
        rows = [f"  {label:<24}{text:>20}" for label, text in self._lines()]
        return "\n".join([self._title(), *rows, *self.notes()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(label)}</td>"
            f"<td style='text-align:right;font-variant-numeric:tabular-nums'>{html.escape(text)}</td></tr>"
            for label, text in self._lines()
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        title = html.escape(self._title())
        return f"<table><caption style='text-align:left'>{title}</caption>{rows}</table>{notes}"
