"""Round trips: every position from opened to flat, what it made and cost, and how far it went for and against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..contracts import MarginTier, is_inverse, margin_requirement, preferred_schedule
from ..errors import ArgumentError
from .excursions import Candles, excursions
from .labels import Bools, Floats, sums
from .ledger import Ledger
from .scan import unit_price
from .track import Booked, Money, Track, part_times

MarginRates = float | Mapping[str, float] | pd.DataFrame
"""Initial margin as a fraction, for all contracts or by contract, or the frame of ``client.margin_tiers()``."""

_UNITS = {
    **dict.fromkeys(["max_size", "size"], "contracts"),
    **dict.fromkeys(["entry_price", "exit_price"], "quote currency"),
    **dict.fromkeys(["gross", "fee", "funding", "net", "margin", "mae", "mfe"], "currency"),
    "return_on_margin": "fraction",
}


def round_trips(
    ledger: Ledger, track: Track, money: Money, booked: Booked, candles: Candles | None, margin: MarginRates | None
) -> pd.DataFrame:
    """One row per trip; see `PnL.round_trips`."""
    trips, known = len(track.first), track.first >= 0
    held = np.full(trips, np.nan)
    held[known] = track.after[track.last[known]]
    is_open = held != 0
    frame = pd.DataFrame(
        {
            "contract": track.contract.values(),
            "account": track.account.values(),
            "currency": booked.currency.values(),
            "side": pd.array(["short", None, "long"], dtype="str").take(track.sign.astype(int) + 1),
            "opened": part_times(ledger, track, np.where(track.carried, -1, track.first)),
            "closed": part_times(ledger, track, np.where(is_open, -1, track.last)),
        }
    )
    frame["duration"] = frame["closed"] - frame["opened"]
    frame["max_size"] = _largest(track, known, np.maximum(np.abs(track.before), np.abs(track.after)))
    frame["size"] = held
    frame["entry_price"], frame["exit_price"] = _average_prices(track, known, is_open)
    cash = money.cash
    own = cash.currency.among(booked.currency.names).codes == booked.currency.codes[money.trip]
    for name, amounts in (("gross", cash.realized_pnl), ("fee", cash.fee), ("funding", cash.realized_funding)):
        frame[name] = sums(money.trip[own], amounts[own], trips)
    frame["net"] = frame["gross"] - frame["fee"] + frame["funding"]
    frame["margin"] = _margins(track, known, frame, margin)
    frame["return_on_margin"] = frame["net"] / frame["margin"]
    frame["mae"], frame["mfe"] = excursions(ledger, track, booked, candles)
    frame["fills"] = np.bincount(track.trip, minlength=trips)
    frame["ended"] = _endings(ledger, track, is_open)
    frame = pd.concat([frame, _other_currencies(frame, money, own)]) if not own.all() else frame
    frame = frame.sort_values(["opened", "contract"], kind="stable", na_position="first", ignore_index=True)
    frame.attrs["units"] = dict(_UNITS)
    return frame


def _largest(track: Track, known: Bools, values: Floats) -> Floats:
    """The largest value among each trip's parts."""
    largest = np.full(len(known), np.nan)
    first = track.first[known]
    if len(first):
        largest[known] = np.fmax.reduceat(values, first)
    return largest


def _average_prices(track: Track, known: Bools, is_open: Bools) -> tuple[Floats, Floats]:
    """What the whole position was opened and closed at; of an open position, the exchange's entry price."""
    prices = []
    units = unit_price(track.price, track.inverse)
    first = track.first[track.carried & known]
    trips, inverse = len(known), np.zeros(len(known), dtype=bool)
    inverse[track.trip] = track.inverse
    for grows in (True, False):
        chosen = track.grows == grows
        trip, size, value = track.trip[chosen], track.size[chosen], (units * track.size)[chosen]
        if grows:  # what was carried into the log had been opened, too
            held = np.abs(track.before[first])
            trip, size = np.append(trip, track.trip[first]), np.append(size, held)
            value = np.append(value, held * unit_price(track.entry_before[first], track.inverse[first]))
        total, sizes = (sums(trip, amounts, trips) for amounts in (value, size))
        average = np.divide(total, sizes, out=np.full(trips, np.nan), where=sizes > 0)
        prices.append(unit_price(average, inverse))
    entry, exit_price = prices
    still = is_open & known
    entry[still] = track.entry_after[track.last[still]]
    return entry, exit_price


def _endings(ledger: Ledger, track: Track, is_open: Bools) -> pd.Series[Any]:
    """How each trip ended."""
    endings = np.full(len(is_open), "open", dtype=object)
    ended = ~is_open
    last = track.last[ended]
    endings[ended] = ledger.kind[track.row[last]].values().to_numpy(dtype=object)
    turned = np.zeros(len(is_open), dtype=bool)
    turned[ended] = track.turns[last]
    endings[turned & (endings == "trade")] = "reversal"
    endings[track.cut] = "gap"
    return pd.Series(endings, dtype="str")


def _margins(track: Track, known: Bools, frame: pd.DataFrame, margin: MarginRates | None) -> Floats:
    """Initial margin of each trip at its largest, in its currency."""
    required = np.full(len(known), np.nan)
    if margin is None or not known.any():
        return required
    values = (
        np.abs(size) * np.where(track.inverse, 1.0, entry)
        for size, entry in ((track.before, track.entry_before), (track.after, track.entry_after))
    )
    value = _largest(track, known, np.fmax(*values))
    for symbol, trips in frame.groupby("contract").indices.items():
        name = str(symbol)
        unit = frame["entry_price"].to_numpy()[trips] if is_inverse(name) else 1.0
        required[trips] = _requirement(value[trips], name, margin) / unit
    return required


def _requirement(value: Floats, contract: str, margin: MarginRates) -> Any:
    if isinstance(margin, pd.DataFrame):
        if missing := {"symbol", "schedule", "threshold", "initial_margin", "maintenance_margin"} - set(margin.columns):
            raise ArgumentError(f"margin lacks the columns {', '.join(sorted(missing))}: give client.margin_tiers()")
        steps = margin[margin["symbol"] == contract]
        steps = steps[steps["schedule"] == preferred_schedule(steps["schedule"].dropna())]
        columns = (steps[name] for name in ("threshold", "initial_margin", "maintenance_margin"))
        tiers = [MarginTier(*map(float, row)) for row in zip(*columns, strict=True)]
        return margin_requirement(value, tiers) if tiers else np.full(len(value), np.nan)
    rate = margin.get(contract, np.nan) if isinstance(margin, Mapping) else margin
    if not rate > 0 and not np.isnan(rate):
        raise ArgumentError(f"margin={rate!r} for {contract} is not an initial margin: give a fraction such as 0.02")
    return value * rate


def _other_currencies(frame: pd.DataFrame, money: Money, own: Bools) -> pd.DataFrame:
    """Rows of their own for what trips booked in a second currency; amounts of different currencies are not added."""
    cash = money.cash.where(~own)
    columns = {"gross": cash.realized_pnl, "fee": cash.fee, "funding": cash.realized_funding}
    lines = pd.DataFrame({"trip": money.trip[~own], "currency": cash.currency.values(), **columns})
    added = lines.groupby(["trip", "currency"], as_index=False).sum()
    rows = frame.loc[added["trip"]].reset_index(drop=True)
    rows[["currency", *columns]] = added[["currency", *columns]]
    rows["net"] = rows["gross"] - rows["fee"] + rows["funding"]
    return rows.assign(margin=np.nan, return_on_margin=np.nan, mae=np.nan, mfe=np.nan)
