"""The value of an account at given times, and its time-weighted return between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..performance import drawdown
from .labels import Floats, Times, sums
from .valuation import Books, Flow

_DUST = 1e-9
"""Below this part of the largest value there is no capital that could earn a return."""


@dataclass(frozen=True, slots=True)
class Curve:
    """An account's value at rising times; what happened between two of them stands at the later one.

    Attributes
    ----------
    time
        UTC, without zone.
    balance, unrealized_pnl, unrealized_funding
        The value's parts.
    external_flow
        What came in or went out.
    realized_net
        What was booked as trading P&L, net.
    returned
        Time-weighted return, at least −1; missing while there is no capital.
    growth
        What one unit has become.
    flow
        The external flows one by one.
    """

    time: Times
    balance: Floats
    unrealized_pnl: Floats
    unrealized_funding: Floats
    external_flow: Floats
    realized_net: Floats
    returned: Floats
    growth: Floats
    flow: Flow

    @property
    def equity(self) -> Floats:
        """The whole value."""
        return self.balance + self.unrealized_pnl + self.unrealized_funding

    @property
    def pnl(self) -> Floats:
        """Change of the value without external flows."""
        return np.diff(self.equity, prepend=self.equity[0]) - self.external_flow

    @property
    def drawdown(self) -> Floats:
        """Loss from the highest growth so far."""
        return drawdown(self.growth)


def curve(books: Books, time: Times) -> Curve:
    """Value an account at given times and, for the returns between them, at every external flow."""
    flow = books.external_flows().within(time[0], time[-1])
    moments = np.union1d(time, flow.time)
    at = np.searchsorted(moments, time)
    parts = {name: np.zeros(len(moments)) for name in ("balance", "unrealized_pnl", "unrealized_funding")}
    for part in books.parts(moments):
        parts[part.kind] += part.worth
    worth = parts["balance"] + parts["unrealized_pnl"] + parts["unrealized_funding"]
    flowed = sums(np.searchsorted(moments, flow.time), flow.amount, len(moments))
    factor = _factors(worth, flowed)
    known = np.add.reduceat(~np.isnan(factor), at[:-1]) > 0
    compounded = np.multiply.reduceat(np.where(np.isnan(factor), 1.0, factor), at[:-1])
    trading = books.cash.where(books.cash.trading)
    return Curve(
        time=time,
        **{name: values[at] for name, values in parts.items()},
        external_flow=_between(time, flow.time, flow.amount),
        realized_net=_between(time, books.timeline.time[trading.row], trading.net * books.entry_rates(trading)),
        returned=np.append(np.nan, np.where(known, compounded - 1.0, np.nan)),
        growth=np.cumprod(np.append(1.0, compounded)),
        flow=flow,
    )


def _factors(worth: Floats, flowed: Floats) -> Floats:
    """Value before what flowed over the value at the time before, for each time but the first."""
    capital = worth[:-1] > _DUST * np.max(np.abs(worth))
    factor = np.full(len(worth) - 1, np.nan)
    np.divide(worth[1:] - flowed[1:], worth[:-1], out=factor, where=capital)
    factor[factor < 0.0] = 0.0
    return factor


def _between(time: Times, when: Times, amounts: Floats) -> Floats:
    """Sums of what happened after the time before and not later; nothing before the first time."""
    inside = (when > time[0]) & (when <= time[-1])
    return sums(np.searchsorted(time, when[inside]), amounts[inside], len(time))
