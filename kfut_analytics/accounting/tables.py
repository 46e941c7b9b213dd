"""P&L added up: by anything, by kind of entry, and entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from .labels import Bools, Labels, day_labels, totals
from .ledger import NO_CONTRACT, Cash, Ledger
from .track import Money, Track

Key = Literal["contract", "account", "day", "month", "side", "kind"]
"""By what P&L can be added up, besides the currency."""

FIGURES = ["realized_pnl", "fee", "realized_funding", "net"]


class Lines(NamedTuple):
    """Trading entries, their sides, and whether each is the first line of its entry."""

    cash: Cash
    side: Labels
    first: Bools


def sided(ledger: Ledger, track: Track, money: Money, trading: Cash) -> Lines:
    """Trading entries with the side of their position; those that turned one have a line for either side."""
    divided = np.zeros(len(ledger), dtype=bool)
    divided[money.cash.row] = True
    rest = trading.where(np.flatnonzero(~divided[trading.row]))
    names = pd.Index([NO_CONTRACT, "long", "short"], dtype="str")
    codes = np.append(track.sign[money.trip], np.zeros(len(rest.row))).astype(np.intp) % 3
    first = np.append(~money.again, np.ones(len(rest.row), dtype=bool))
    cash = money.cash.followed_by(rest) if len(rest.row) else money.cash
    return Lines(cash, Labels(codes, names), first)


def by(ledger: Ledger, trading: Cash, lines: Callable[[], Lines], keys: Sequence[Key], tz: str) -> pd.DataFrame:
    """P&L by any keys and by currency; see `PnL.by`."""
    cash, first = trading, np.ones(len(trading.row), dtype=bool)
    labels: dict[str, Labels] = {}
    if "side" in keys:
        cash, labels["side"], first = lines()
    for key in keys:
        match key:
            case "contract" | "account" | "kind":
                labels[key] = getattr(cash, key)
            case "day" | "month":
                labels[key] = day_labels(ledger.time[cash.row], tz, month=key == "month")
            case "side":
                pass
            case _:
                raise ArgumentError(
                    f"P&L cannot be added up by {key!r}: use contract, account, day, month, side or kind"
                )
    labels = {key: labels[key] for key in keys} | {"currency": cash.currency}
    amounts = {name: getattr(cash, name) for name in [*FIGURES, "liquidation_fee"]}
    frame = totals(labels, amounts | {"trades": first & ~cash.is_kind("funding")})
    frame.attrs["units"] = dict.fromkeys(amounts, "currency")
    return frame


def by_kind(ledger: Ledger, cash: Cash) -> pd.DataFrame:
    """All entries that move money, by their kinds; see `PnL.by_kind`."""
    keys = {"kind": cash.kind, "info": ledger.info[cash.row], "currency": cash.currency}
    amounts = {name: getattr(cash, name) for name in ("change", *FIGURES)}
    frame = totals(keys, {"entries": np.ones(len(cash.row), dtype=bool)} | amounts)
    frame.attrs["units"] = dict.fromkeys(amounts, "currency")
    return frame


def cumulative(ledger: Ledger, trading: Cash) -> pd.DataFrame:
    """Running sums of each currency; see `PnL.cumulative`."""
    amounts = {name: getattr(trading, name).copy() for name in FIGURES}
    for code in np.unique(trading.currency.codes):
        chosen = trading.currency.codes == code
        for values in amounts.values():
            values[chosen] = np.cumsum(values[chosen])
    time = pd.DatetimeIndex(ledger.time[trading.row], tz="UTC", name="time")
    frame = pd.DataFrame({"currency": trading.currency.values().array, **amounts}, index=time, copy=False)
    frame.attrs["units"] = dict.fromkeys(FIGURES, "currency")
    return frame
