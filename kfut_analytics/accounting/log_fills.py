"""An account log made up from fills or executions alone, for want of the real one; what is estimated is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .. import contracts, schema
from ..errors import ArgumentError
from .labels import Floats, Labels, stable_order, sums
from .ledger import Ledger, cash_of
from .scan import steps_per_unit, unit_price
from .track import track_of

DEFAULT_FEE_RATES = (0.0002, 0.0005)
"""Maker and taker of the public schedule's first tier (api-facts 6.6)."""

_NEEDED = ["time", "symbol", "side", "size", "price"]
_INFO = {
    "liquidation": "futures liquidation",
    "assignee": "futures assignee",
    "assignor": "futures assignor",
    "unwindbankrupt": "futures unwind bankrupt",
    "unwindcounterparty": "futures unwind counterparty",
}
"""The log's kinds of executions by the fill's type; all else are trades."""


class Estimated(NamedTuple):
    """A log made up from fills.

    Attributes
    ----------
    log
        The ``account_log`` table; balances of money are missing.
    estimates
        By figure, in which respect it is an estimate.
    """

    log: pd.DataFrame
    estimates: dict[str, str]


def are_fills(frame: pd.DataFrame) -> bool:
    """Whether a frame holds one's fills or executions instead of an account log."""
    return frame.index.name in ("fill_id", "execution_id")


def log_of_fills(fills: pd.DataFrame, fee_rates: tuple[float, float] | None) -> Estimated:
    """Write the account log that fills would have had: for each a position leg and a cash leg.

    Parameters
    ----------
    fills
        The frame of ``client.fills()`` or, with the fees charged, of ``client.executions()``.
    fee_rates
        Maker and taker fee as fractions, for fills without fee; those of the public schedule's first tier by default.

    Raises
    ------
    ArgumentError
        If columns are missing or a rate is none.
    """
    if missing := [name for name in _NEEDED if name not in fills.columns]:
        raise ArgumentError(f"fills lack the columns {', '.join(missing)}: give the frame of client.fills(), whole")
    fills = oldest_first(fills)
    rates = _checked_rates(fee_rates)
    symbol = Labels.of(fills["symbol"], str.upper)
    change, price = _numbers(fills, "size") * np.where(fills["side"] == "sell", -1.0, 1.0), _numbers(fills, "price")
    before, after = _positions(symbol, change, _numbers(fills, "position_size"))
    maker = fills["fill_type"].eq("maker").to_numpy() if "fill_type" in fills.columns else np.zeros(len(fills), bool)
    names = symbol.names.to_numpy(dtype=object)
    wallets = np.array([contracts.wallet_of(name) for name in names], dtype=object)
    currencies = np.array([contracts.pnl_currency(name) for name in names], dtype=object)
    legs = {
        "time": fills["time"].array,
        "info": _infos(fills),
        "account": wallets[symbol.codes],
        "contract": names[symbol.codes],
        "trade_price": price,
        "execution_id": fills.index.to_numpy(dtype=object),
    }
    log = _interleaved(
        pd.DataFrame(legs | {"asset": names[symbol.codes], "old_balance": before, "new_balance": after}),
        pd.DataFrame(legs | {"asset": currencies[symbol.codes]}),
    )
    computed, entry = _by_average(log)
    given = _numbers(fills, "realized_pnl")
    realized = np.where(np.isnan(given), computed, given)
    charged, funding = _numbers(fills, "fee"), _numbers(fills, "realized_funding")
    inverse = contracts.are_inverse(names)[symbol.codes]
    rate = np.where(maker, *rates)
    fee = np.where(np.isnan(charged), contracts.fee(np.abs(change), price, rate, inverse=inverse), charged)
    position, money = log.index[0::2], log.index[1::2]
    log.loc[position, "new_entry_price"] = entry
    log.loc[position, "change"] = after - before
    for name, amounts in (("realized_pnl", realized), ("fee", fee), ("realized_funding", funding)):
        log.loc[money, name] = amounts
    log.loc[money, "change"] = np.nan_to_num(realized) - fee + np.nan_to_num(funding)
    log.attrs = {**fills.attrs, "units": log.attrs["units"]}
    estimates = {
        "fee": _fee_estimate(np.isnan(charged), rates),
        "realized_pnl": _pnl_estimate(np.isnan(given), np.isnan(realized)),
        "realized_funding": _funding_estimate(funding),
    }
    return Estimated(log, {name: text for name, text in estimates.items() if text})


def oldest_first(fills: pd.DataFrame) -> pd.DataFrame:
    """By time; fills of the same moment in their order, which is newest first for fills and not for executions."""
    if len(fills) < 2:
        return fills
    first, last = fills["time"].iloc[[0, -1]]
    if first > last or (first == last and fills.index.name == "fill_id"):
        fills = fills.iloc[::-1]
    return fills.sort_values("time", kind="stable")


def _checked_rates(rates: tuple[float, float] | None) -> tuple[float, float]:
    if rates is None:
        return DEFAULT_FEE_RATES
    if len(rates) != 2 or not all(-0.01 < rate < 0.01 for rate in rates):
        raise ArgumentError(
            f"fee_rates={rates!r} are not a maker and a taker fee: give fractions such as (0.0002, 0.0005)"
        )
    return rates


def _numbers(frame: pd.DataFrame, name: str) -> Floats:
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    return pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _infos(fills: pd.DataFrame) -> Any:
    if "fill_type" not in fills.columns:
        return "futures trade"
    return fills["fill_type"].str.lower().map(_INFO).fillna("futures trade").to_numpy(dtype=object)


def _positions(symbol: Labels, change: Floats, told: Floats) -> tuple[Floats, Floats]:
    """Positions before and after each fill: from flat, or where executions tell the position, from what it was.

    Added up as whole numbers, so that what is closed is flat.
    """
    order = stable_order(symbol.codes.astype(np.intp), len(symbol.names))
    owner, change, told = symbol.codes[order], change[order], told[order]
    sizes = np.append(change, np.nan_to_num(told))
    scale = steps_per_unit(sizes, np.append(owner, owner), len(symbol.names))[owner]
    moved = np.rint(change * scale).astype(np.int64)
    total = np.cumsum(moved)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    carried = np.rint(np.nan_to_num(told[first] * scale[first])).astype(np.int64) - moved[first]
    carried[np.isnan(told[first])] = 0
    start = np.repeat(carried - total[first] + moved[first], np.diff(np.append(first, len(owner))))
    positions = np.empty((2, len(order)))
    positions[:, order] = (total - moved + start) / scale, (total + start) / scale
    return positions[0], positions[1]


def _interleaved(position: pd.DataFrame, money: pd.DataFrame) -> pd.DataFrame:
    """Both legs of each execution, one after the other, as an account log."""
    size = len(position)
    log = pd.concat([position, money]).iloc[np.arange(2 * size).reshape(2, size).T.ravel()]
    values: dict[str, Sequence[Any]] = {
        name: list(log[name]) for name in ("info", "account", "asset", "contract", "execution_id")
    }
    frame = schema.ACCOUNT_LOG.frame(values | {"id": range(1, 2 * size + 1)})
    for name in ("time", "old_balance", "new_balance", "trade_price"):
        frame[name] = log[name].array
    return frame


def _by_average(log: pd.DataFrame) -> tuple[Floats, Floats]:
    """What each fill realised by average entry, and the entry price after it."""
    ledger = Ledger(log)
    track = track_of(ledger, cash_of(ledger))
    closed = np.where(track.grows, 0.0, track.before - track.after)
    units = unit_price(track.price, track.inverse) - unit_price(track.entry_before, track.inverse)
    realized = sums(track.row, np.where(closed == 0, 0.0, closed * units), len(log))
    entry = np.full(len(log), np.nan)
    entry[track.row] = track.entry_after
    return realized[0::2], entry[0::2]


def _fee_estimate(unknown: Any, rates: tuple[float, float]) -> str:
    if not unknown.any():
        return ""
    maker, taker = (f"{100 * rate:.4g} %" for rate in rates)
    return f"{unknown.sum():,} of {len(unknown):,} by rates of {maker} maker and {taker} taker"


def _pnl_estimate(computed: Any, unknown: Any) -> str:
    text = ""
    if computed.any():
        text = (
            f"{computed.sum():,} of {len(computed):,} by average entry, positions taken as flat before the first fill"
        )
    if unknown.any():
        text += f"; {unknown.sum():,} of positions whose entry price is not known are counted as zero"
    return text


def _funding_estimate(funding: Floats) -> str:
    if not len(funding):
        return ""
    counted = "only what was realised with them is" if np.nan_to_num(funding).any() else "none is"
    return f"what is booked every hour is not in fills; {counted} counted"
