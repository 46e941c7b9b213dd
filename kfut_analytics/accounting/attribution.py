"""From the value of an account at one time to that at another, by cause.

Every amount is worth what its currency was worth when it was booked. What the exchange booked and what prices did to
that which was held are added up apart from the values at the two ends, so that the rest is a proof.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from .labels import Floats, Labels, sums
from .ledger import NO_CONTRACT, NON_TRADING, Cash
from .reconciliation import chain_breaks, is_rounding, odd_bookings
from .valuation import NOT_MONEY, Books

Cause = tuple[str, str | None, str | None, float]
"""Item, contract, currency, amount."""


def attribution(books: Books, start: np.datetime64, end: np.datetime64) -> list[Cause]:
    """One row per cause, between the values at the start and at the end; see `Equity.bridge`."""
    time = books.timeline.time[books.cash.row]
    cash = books.cash.where((time > start) & (time <= end))
    rate = books.entry_rates(cash)
    ends = np.array([start, end])
    worth = {"balance": np.zeros(2), "unrealized_pnl": np.zeros(2), "unrealized_funding": np.zeros(2)}
    opened: dict[str, float] = defaultdict(float)
    for part in books.parts(ends):
        worth[part.kind] += part.worth
        if part.kind == "unrealized_pnl":
            opened[part.name] += float(part.worth[1] - part.worth[0])
    transferred, came = _transferred(books, start, end)
    for contract, amount in came:
        opened[contract] -= amount
    realized = _by_contract(cash.contract, cash.realized_pnl * rate)

    def total(amounts: Floats) -> float:
        return float(np.sum(amounts * rate))

    accrued = worth["unrealized_funding"]
    rows: list[Cause] = [
        *(("price P&L", contract, None, amount) for contract, amount in realized),
        *(("unrealised P&L", contract, None, opened[contract]) for contract in sorted(opened)),
        ("fees", None, None, -total(cash.fee)),
        ("funding", None, None, total(cash.realized_funding) + float(accrued[1] - accrued[0])),
    ]
    for kind in NON_TRADING:
        moved = total(np.where(cash.is_kind(kind) & ~cash.trading, cash.change, 0.0))
        rows.append((kind, None, None, moved + (transferred if kind == "transfer" else 0.0)))
    rows.append(("rounding", None, None, total(_rounded(books, cash))))
    rows += [("revaluation", None, currency, amount) for currency, amount in sorted(_revalued(books, start, end))]
    first, last = (float(value) for value in sum(worth.values(), np.zeros(2)))
    rest = last - first - sum(amount for *_, amount in rows)
    noise = 1e-11 * (abs(first) + abs(last) + sum(abs(amount) for *_, amount in rows))
    rows.append(("unexplained", None, None, rest))
    return [
        ("start equity", None, None, first),
        *((item, contract, code, amount if abs(amount) > noise else 0.0) for item, contract, code, amount in rows),
        ("end equity", None, None, last),
    ]


def _rounded(books: Books, cash: Cash) -> Floats:
    """For each entry what the exchange's rounding makes its figures and balances disagree by."""
    found = np.zeros(len(cash.row))
    for deviations in (chain_breaks(books.ledger), odd_bookings(books.ledger, cash)):
        small = deviations.where(is_rounding(books.ledger, deviations) & np.isin(deviations.row, cash.row))
        np.add.at(found, np.searchsorted(cash.row, small.row), small.amount)
    return found


def _by_contract(contract: Labels, amounts: Floats) -> Iterator[tuple[str, float]]:
    """Sums by contract; what has no contract is told as such if there is any."""
    summed = sums(contract.codes.astype(np.intp), amounts, len(contract.names))
    present = np.bincount(contract.codes, minlength=len(contract.names)) > 0
    for name, amount, there in zip(contract.names, summed, present, strict=True):
        if there and (name != NO_CONTRACT or amount):
            yield str(name), float(amount)


def _transferred(books: Books, start: np.datetime64, end: np.datetime64) -> tuple[float, list[tuple[str, float]]]:
    """Open P&L of positions that were transferred, altogether and by contract."""
    flow = books.external_flows().within(start, end)
    chosen = flow.contract.codes >= 0
    found = list(_by_contract(flow.contract[chosen], flow.amount[chosen]))
    return sum(amount for _, amount in found), found


def _revalued(books: Books, start: np.datetime64, end: np.datetime64) -> Iterator[tuple[str, float]]:
    """What changes of price did to the balances of each currency: held amount times change, step by step."""
    changes: dict[str, float] = defaultdict(float)
    for balance in books.timeline.balances:
        if balance.currency == NOT_MONEY or balance.currency == books.rates.currency:
            continue
        inside = balance.amount.time[(balance.amount.time > start) & (balance.amount.time < end)]
        moments = np.concatenate([[start], inside, [end]])
        held = balance.amount.at(moments[:-1])
        changes[balance.currency] += float(np.sum(held * np.diff(books.rates.at(balance.currency, moments))))
    return iter((currency, amount) for currency, amount in changes.items() if amount)
