"""From opening to closing balance, and the entries at which something is missing.

Two things must hold of every entry that moves money: it starts at the balance where the one before it in the same
wallet and currency ended, and its own figures give its change. What does not is either the exchange's rounding of its
figures or unexplained, and then the entry is named.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..contracts import pnl_currency
from .amounts import rounding_step
from .labels import Bools, Floats, Ints, combinations, stable_order, sums
from .ledger import NON_TRADING, Cash, Ledger
from .scan import unit_price
from .tables import FIGURES
from .track import Track

_PAIRED = ("trade", "liquidation", "assignment", "unwind")
"""Executions of these classes have two legs, whatever happens."""

_DUST = 1e-12
"""No currency is booked with so many decimals."""


class Deviations(NamedTuple):
    """What disagrees, one element per disagreement.

    Attributes
    ----------
    row, previous
        Places in the ledger: the entry at which it shows, and the one before it of the same balance.
    amount
        By how much, in the asset of the entry.
    """

    row: Ints
    previous: Ints
    amount: Floats

    def where(self, chosen: Bools) -> Deviations:
        """Some of them."""
        return Deviations(self.row[chosen], self.previous[chosen], self.amount[chosen])


def chain_breaks(ledger: Ledger) -> Deviations:
    """Entries that do not start where the one before them in the same wallet and asset ended."""
    codes, combos = combinations([ledger.account, ledger.asset])
    order = stable_order(codes, len(combos[0]))
    amount = ledger.old[order]
    amount[1:] -= ledger.new[order[:-1]]
    codes = codes[order]
    amount[1:][codes[1:] != codes[:-1]] = 0.0
    amount[:1] = 0.0
    odd = np.flatnonzero(np.abs(amount) > _DUST)
    return _beyond_noise(ledger, Deviations(order[odd], order[odd - 1], amount[odd]))


def odd_bookings(ledger: Ledger, cash: Cash) -> Deviations:
    """Entries whose figures do not give their change."""
    rest = np.where(cash.trading, cash.change - cash.net, 0.0)
    odd = np.flatnonzero(np.abs(rest) > _DUST)
    return _beyond_noise(ledger, Deviations(cash.row[odd], cash.row[odd], rest[odd]))


def _beyond_noise(ledger: Ledger, found: Deviations) -> Deviations:
    """Without what is but the noise of floating-point numbers."""
    scale = np.abs(ledger.old[found.row]) + np.abs(ledger.new[found.previous])
    return found.where(np.abs(found.amount) > 1e-13 * scale)


def is_rounding(ledger: Ledger, found: Deviations) -> Bools:
    """Whether a disagreement is small enough for the exchange's rounding of its figures."""
    steps = np.array([rounding_step(str(name)) if "_" not in name else 1e-10 for name in ledger.asset.names])
    small: Bools = np.abs(found.amount) <= np.append(steps, 0.0)[ledger.asset.codes[found.row]]
    return small


def reconcile(ledger: Ledger, cash: Cash, breaks: Deviations, odd: Deviations) -> pd.DataFrame:
    """One row per wallet and currency; see `PnL.reconcile`."""
    codes, (accounts, currencies) = combinations([cash.account, cash.currency])
    size = len(accounts)
    first, last = np.zeros(size, dtype=np.intp), np.zeros(size, dtype=np.intp)
    first[codes[::-1]], last[codes] = cash.row[::-1], cash.row
    frame: dict[str, Any] = {
        "account": cash.account.names.take(accounts),
        "currency": cash.currency.names.take(currencies),
        "opening": ledger.old[first],
    }
    for name in FIGURES:
        frame[name] = sums(codes, getattr(cash, name), size)
    for kind in NON_TRADING:
        chosen = cash.is_kind(kind) & ~cash.trading
        frame[kind] = sums(codes[chosen], cash.change[chosen], size)
    of_row = np.full(len(ledger), -1, dtype=np.intp)
    of_row[cash.row] = codes
    shown = Deviations(*(np.concatenate(pair) for pair in zip(breaks, odd, strict=True)))
    shown = shown.where(of_row[shown.row] >= 0)
    small = is_rounding(ledger, shown)
    for name, chosen in (("rounding", small), ("unexplained", ~small)):
        frame[name] = sums(of_row[shown.row[chosen]], shown.amount[chosen], size)
    frame["closing"] = ledger.new[last]
    frame["unexplained"] = np.where(np.isnan(frame["opening"] + frame["closing"]), np.nan, frame["unexplained"])
    broken = breaks.row[(of_row[breaks.row] >= 0) & ~is_rounding(ledger, breaks)]
    frame["breaks"] = np.bincount(of_row[broken], minlength=size)
    table = pd.DataFrame(frame)
    table.attrs["units"] = dict.fromkeys(table.columns.drop(["account", "currency", "breaks"]), "currency")
    return table


def gaps(ledger: Ledger, cash: Cash, track: Track, breaks: Deviations, odd: Deviations) -> pd.DataFrame:
    """One row per entry at which something is missing or disagrees; see `PnL.gaps`."""
    breaks, odd = (found.where(~is_rounding(ledger, found)) for found in (breaks, odd))
    position = ledger.position_leg[breaks.row]
    jumps = np.flatnonzero(np.diff(ledger.number) > 1) + 1
    unknown = np.full(len(ledger), np.nan)
    found = {
        "balance": breaks.where(~position),
        "position": breaks.where(position),
        "booking": odd,
        "numbers": Deviations(jumps, jumps - 1, unknown[jumps]),
        "cash leg": _alone(lone_positions(ledger, track), unknown),
        "position leg": _alone(_lone_cash(ledger, cash), unknown),
    }
    row, previous, amount = (np.concatenate([part[i] for part in found.values()]) for i in range(3))
    kind = np.repeat(list(found), [len(part.row) for part in found.values()])
    named = kind != "numbers"
    frame = pd.DataFrame(
        {
            "gap": pd.Series(kind, dtype="str"),
            "time": pd.DatetimeIndex(ledger.time[row], tz="UTC"),
            "id": ledger.number[row],
            "after": ledger.number[previous],
            "missing": (ledger.number[row] - ledger.number[previous]) - (row - previous),
            "account": ledger.account[row].values().where(named),
            "asset": ledger.asset[row].values().where(named),
            "contract": ledger.contract[row].values().where(named),
            "amount": amount,
            "info": ledger.info[row].values().where(named),
        }
    )
    frame.attrs["units"] = {"amount": "asset"}
    return frame.sort_values("id", kind="stable", ignore_index=True)


def _alone(row: Ints, unknown: Floats) -> Deviations:
    return Deviations(row, row, unknown[row])


def lone_positions(ledger: Ledger, track: Track, *, missing: bool = True) -> Ints:
    """Position legs without a cash leg, where one is missing; otherwise those that need none.

    An execution whose fee was paid in KFEE has no cash leg if it realised nothing. A cash leg is missing if there was
    something to realise, or if the number after the position leg's, which is the cash leg's, is not in the log.
    """
    alone = np.flatnonzero(ledger.position_leg & ledger.is_kind(*_PAIRED) & (ledger.pair < 0))
    alone = alone[track.part_of[alone] >= 0]
    part = track.part_of[alone]
    closed = np.where(track.grows[part], 0.0, (track.before - track.after)[part])
    units = [unit_price(prices[part], track.inverse[part]) for prices in (track.price, track.entry_before)]
    steps = np.array([rounding_step(pnl_currency(str(name))) for name in track.contract.names])
    step = steps[track.contract.codes[track.trip[part]]]
    realized = np.abs(np.nan_to_num(np.where(closed == 0, 0.0, closed * (units[0] - units[1])))) > step
    following = np.minimum(alone + 1, len(ledger) - 1)
    skipped = ledger.number[following] > ledger.number[alone] + 1
    chosen: Ints = alone[(realized | skipped) == missing]
    return chosen


def _lone_cash(ledger: Ledger, cash: Cash) -> Ints:
    rows = cash.row[cash.is_kind(*_PAIRED)]
    return rows[ledger.pair[rows] < 0]
