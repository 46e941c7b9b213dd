"""Balances and positions as they were at any time, from the account log.

Each stays as it is until an entry changes it, and what an entry says it was before is believed, so that a log may
begin anywhere. A balance or position without any entry since the log began is still what it was then: what the
exchange shows of it now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from ..contracts import currency_code, wallet_of
from .labels import Floats, Ints, Labels, Times, combinations, stable_order
from .ledger import Ledger
from .track import Track

_HOLDING = ["account", "currency", "quantity"]
_NEVER: Times = np.zeros(0, dtype="datetime64[us]")
_NOTHING: Floats = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Steps:
    """A number that stays as it is until it changes.

    Attributes
    ----------
    start
        Before the first change.
    time, value
        When it changed (UTC, without zone, never falling), and what it was from then on.
    """

    start: float
    time: Times = field(default_factory=lambda: _NEVER)
    value: Floats = field(default_factory=lambda: _NOTHING)

    def at(self, when: Times) -> Floats:
        """What it was at each moment; a change at that very moment counts."""
        return np.append(self.start, self.value)[np.searchsorted(self.time, when, side="right")]


@dataclass(frozen=True, slots=True)
class Balance:
    """How much of a currency a wallet held."""

    account: str
    currency: str
    amount: Steps


@dataclass(frozen=True, slots=True)
class Position:
    """A contract held in a wallet: signed size, and average entry price, which is missing while flat or unknown."""

    account: str
    contract: str
    size: Steps
    entry_price: Steps


@dataclass(frozen=True, slots=True)
class Timeline:
    """All balances and positions of an account through time.

    Attributes
    ----------
    balances, positions
        One per wallet and currency, and per wallet and contract.
    time
        When each entry of the ledger counts: entries are in the order of their numbers, whatever their clocks say.
    """

    balances: list[Balance]
    positions: list[Position]
    time: Times


def timeline(
    ledger: Ledger, track: Track, accounts: pd.DataFrame | None = None, positions: pd.DataFrame | None = None
) -> Timeline:
    """Follow the balances and positions of a log.

    Parameters
    ----------
    ledger, track
        The log's entries, and its positions as they were followed.
    accounts, positions
        The frames of ``client.accounts()`` and ``client.positions()`` as they are after the last entry, for what has
        no entry; not needed for a log from the account's first entry on.

    Returns
    -------
    Timeline
        Currencies as the account log spells them.
    """
    time = np.maximum.accumulate(ledger.time)
    balances, held = _balances(ledger, time), _positions(track, time)
    if accounts is not None:
        known = {(balance.account, balance.currency) for balance in balances}
        for account, currency, quantity in zip(*(accounts[name] for name in _HOLDING), strict=True):
            key = str(account), currency_code(currency)
            if key not in known and quantity != 0:
                balances.append(Balance(*key, Steps(float(quantity))))
    if positions is not None:
        seen = {position.contract for position in held}
        unseen = positions[~positions.index.isin(seen)]
        for contract, size, entry in zip(unseen.index, unseen["signed_size"], unseen["entry_price"], strict=True):
            held.append(Position(wallet_of(contract), contract, Steps(float(size)), Steps(float(entry))))
    return Timeline(balances, held, time)


def _balances(ledger: Ledger, time: Times) -> list[Balance]:
    rows = np.flatnonzero(~ledger.position_leg)
    if not len(rows):
        return []
    codes, (accounts, assets) = combinations([ledger.account[rows], ledger.asset[rows]])
    rows, pieces = _pieces(rows, codes, len(accounts))
    before = np.where(np.isnan(ledger.old), ledger.new - ledger.change, ledger.old)
    found = []
    for account, asset, piece in zip(accounts, assets, pieces, strict=True):
        own = rows[piece]
        amount = Steps(float(before[own[0]]), time[own], ledger.new[own])
        found.append(Balance(ledger.account.names[account], currency_code(ledger.asset.names[asset]), amount))
    return found


def _positions(track: Track, time: Times) -> list[Position]:
    if not len(track.row):
        return []
    keys: list[Labels] = [track.account[track.trip], track.contract[track.trip]]
    codes, (accounts, contracts) = combinations(keys)
    parts, pieces = _pieces(np.arange(len(track.row)), codes, len(accounts))
    found = []
    for account, contract, piece in zip(accounts, contracts, pieces, strict=True):
        own = parts[piece]
        changed = time[track.row[own]]
        found.append(
            Position(
                track.account.names[account],
                track.contract.names[contract],
                Steps(float(track.before[own[0]]), changed, track.after[own]),
                Steps(float(track.entry_before[own[0]]), changed, track.entry_after[own]),
            )
        )
    return found


def _pieces(rows: Ints, codes: Ints, count: int) -> tuple[Ints, list[slice]]:
    """Rows by their number, those of a number in the order they had, and where each number's rows are."""
    edges = np.append(0, np.cumsum(np.bincount(codes, minlength=count)))
    return rows[stable_order(codes, count)], [slice(*edge) for edge in pairwise(edges)]
