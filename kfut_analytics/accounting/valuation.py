"""What an account was worth at any time: balances, open P&L and accrued funding in one currency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from ..contracts import is_inverse, pnl_currency
from ..errors import ArgumentError
from .labels import Bools, Floats, Ints, Labels, Times, combinations, stable_order
from .ledger import TRADING, Cash, Ledger
from .prices import FundingLine, PriceLine, Rates
from .scan import unit_price
from .timeline import Position, Steps, Timeline
from .track import Track

NOT_MONEY = "FEE"
"""Fee credits pay fees and nothing else: they are not counted as value."""

_HOUR = np.timedelta64(1, "h")
_TOGETHER = np.timedelta64(5, "s")
"""The two entries of a transfer between own wallets are not further apart."""

Kind = Literal["balance", "unrealized_pnl", "unrealized_funding"]


class Part(NamedTuple):
    """What one balance or position was worth at each moment."""

    kind: Kind
    account: str
    name: str
    worth: Floats


class Flow(NamedTuple):
    """Value that came into the account (positive) or left it, entry by entry.

    Attributes
    ----------
    time
        When, never falling.
    amount
        In the currency of the valuation.
    contract
        Of positions that were transferred, at the mark price; elsewhere no code.
    row
        Place of the entry in the ledger.
    """

    time: Times
    amount: Floats
    contract: Labels
    row: Ints

    def within(self, start: np.datetime64, end: np.datetime64) -> Flow:
        """What flowed after one time and not after another."""
        chosen = (self.time > start) & (self.time <= end)
        return Flow(self.time[chosen], self.amount[chosen], self.contract[chosen], self.row[chosen])


@dataclass(frozen=True)
class Books:
    """An account through time and the prices to value it by.

    Attributes
    ----------
    ledger, cash, track, timeline
        What the account log says.
    rates
        Prices of currencies, and the currency of everything here.
    marks
        By contract its mark price.
    funding
        By contract its funding; what has none accrues none.
    """

    ledger: Ledger
    cash: Cash
    track: Track
    timeline: Timeline
    rates: Rates
    marks: Mapping[str, PriceLine]
    funding: Mapping[str, FundingLine]

    def parts(self, when: Times) -> Iterator[Part]:
        """Everything of value at each moment; entries of that very moment count."""
        rates: dict[str, Floats] = {}

        def rate(currency: str) -> Floats:
            if currency not in rates:
                rates[currency] = self.rates.at(currency, when)
            return rates[currency]

        for balance in self.timeline.balances:
            if balance.currency != NOT_MONEY:
                held = balance.amount.at(when)
                if held.any():
                    yield Part("balance", balance.account, balance.currency, held * rate(balance.currency))
        for position in self.timeline.positions:
            size, contract = position.size.at(when), position.contract
            if not size.any():
                continue
            price = rate(pnl_currency(contract))
            pnl = open_pnl(contract, size, position.entry_price.at(when), self.marks[contract].at(when))
            yield Part("unrealized_pnl", position.account, contract, pnl * price)
            if contract in self.funding:
                yield Part("unrealized_funding", position.account, contract, self.accrued(position, when) * price)

    def accrued(self, position: Position, when: Times) -> Floats:
        """Funding of a position that was accrued and not yet booked at each moment, in the contract's currency."""
        if position.contract not in self.funding:
            return np.zeros(len(when))
        last = self._settled.get((position.account, position.contract), _NEVER)
        return -position.size.at(when) * self.funding[position.contract].between(_settled_before(last, when), when)

    def check(self, when: Times) -> None:
        """Hold that everything has a value at each moment.

        Raises
        ------
        ArgumentError
            Naming what has none.
        """
        for part in self.parts(when):
            missing = np.flatnonzero(np.isnan(part.worth))
            if len(missing):
                first = when[missing[0]].astype("datetime64[m]")
                raise ArgumentError(
                    f"{part.name} in {part.account} cannot be valued at {first} UTC, because its entry price is not in "
                    "the account log: start later, or give the whole log as log="
                )

    @cached_property
    def _settled(self) -> dict[tuple[str, str], Times]:
        """By wallet and contract when funding was settled: with every execution and every payment."""
        ledger = self.ledger
        rows = np.flatnonzero(ledger.is_kind(*TRADING) & (ledger.contract.codes >= 0))
        if not len(rows):
            return {}
        codes, (accounts, contracts) = combinations([ledger.account[rows], ledger.contract[rows]])
        time = self.timeline.time[rows[stable_order(codes, len(accounts))]]
        pieces = np.split(time, np.cumsum(np.bincount(codes))[:-1])
        names = zip(ledger.account.names.take(accounts), ledger.contract.names.take(contracts), strict=True)
        return dict(zip(names, pieces, strict=True))

    def entry_rates(self, cash: Cash) -> Floats:
        """The price of each entry's currency at its time; zero for what is not money."""
        rates = np.zeros(len(cash.row))
        time = self.timeline.time[cash.row]
        for code, currency in enumerate(cash.currency.names):
            chosen = cash.currency.codes == code
            if currency != NOT_MONEY and chosen.any():
                rates[chosen] = self.rates.at(str(currency), time[chosen])
        return rates

    def external_flows(self) -> Flow:
        """Transfers, without those between own wallets; a transferred position is worth its open P&L."""
        cash = self.cash.where(self.cash.is_kind("transfer"))
        cash = cash.where(~_between_own_wallets(cash, self.timeline.time[cash.row]))
        names = self.track.contract.names
        none = Labels(np.full(len(cash.row), -1), names)
        row, amount, contract = self._transferred_positions()
        row, amount = np.append(cash.row, row), np.append(cash.change * self.entry_rates(cash), amount)
        codes = np.append(none.codes, contract.codes)
        order = np.argsort(row, kind="stable")
        return Flow(self.timeline.time[row[order]], amount[order], Labels(codes[order], names), row[order])

    def _transferred_positions(self) -> tuple[Ints, Floats, Labels]:
        track = self.track
        parts = np.flatnonzero((self.ledger.position_leg & self.ledger.is_kind("transfer"))[track.row])
        row, contract = track.row[parts], track.contract[track.trip[parts]]
        time = self.timeline.time[row]
        amount = np.zeros(len(parts))
        for code in np.unique(contract.codes):
            chosen = contract.codes == code
            name, own, when = str(contract.names[code]), parts[chosen], time[chosen]
            mark = self.marks[name].at(when)
            after = open_pnl(name, track.after[own], track.entry_after[own], mark)
            before = open_pnl(name, track.before[own], track.entry_before[own], mark)
            amount[chosen] = (after - before) * self.rates.at(pnl_currency(name), when)
        return row, amount, contract


_NEVER: Times = np.zeros(0, dtype="datetime64[us]")


def open_pnl(contract: str, size: Floats, entry_price: Floats, mark_price: Floats) -> Floats:
    """Gross P&L of a signed position at a mark price, in its own currency; nothing where it is flat."""
    inverse = np.full(len(size), is_inverse(contract))
    pnl = size * (unit_price(mark_price, inverse) - unit_price(entry_price, inverse))
    return np.where(size == 0, 0.0, pnl)


def held_span(
    held_amount: Steps, start: np.datetime64, end: np.datetime64
) -> tuple[np.datetime64, np.datetime64] | None:
    """From when until when there was something of a balance or position within a time, or None if never."""
    moments = np.concatenate([[start], held_amount.time, [end]])
    moments = moments[(moments >= start) & (moments <= end)]
    held = held_amount.at(moments) != 0
    if not held.any():
        return None
    first, last = np.flatnonzero(held)[[0, -1]]
    return moments[first], moments[min(last + 1, len(moments) - 1)]


def _settled_before(settled: Times, when: Times) -> Times:
    """When funding was last settled before each moment; at the latest a full hour before its own hour began."""
    hour = when.astype("datetime64[h]").astype("datetime64[us]")
    if not len(settled):
        return hour
    last = settled[np.maximum(np.searchsorted(settled, when, side="right") - 1, 0)]
    return np.where(last > when, hour, np.maximum(last, hour - _HOUR))


def _between_own_wallets(transfers: Cash, time: Times) -> Bools:
    """Whether each entry is one of two that cancel out: the same amount left one wallet and reached another."""
    currency, account, change = transfers.currency.codes, transfers.account.codes, np.round(transfers.change, 8)
    order = np.lexsort((time, np.abs(change), currency))
    found = np.zeros(len(order), dtype=bool)
    place = 0
    while place < len(order) - 1:
        a, b = order[place], order[place + 1]
        if (
            currency[a] == currency[b]
            and account[a] != account[b]
            and change[a] == -change[b] != 0
            and time[b] - time[a] <= _TOGETHER
        ):
            found[[a, b]] = True
            place += 1
        place += 1
    return found
