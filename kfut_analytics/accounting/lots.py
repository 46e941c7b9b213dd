"""Lots: what was closed, against what it had been opened at; by average entry or first in, first out.

By average entry all that is open of a position is one lot at its average price: the exchange's own method, so the
P&L is what it booked. First in, first out matches sizes in whole steps, as integers, so nothing is lost by rounding.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..contracts import are_inverse
from ..errors import ArgumentError
from .labels import Bools, Floats, Ints, Labels, totals
from .ledger import Ledger
from .scan import affine_scan, steps_per_unit, unit_price
from .track import Booked, Money, Track, part_times

Method = Literal["average", "fifo"]


class Matches(NamedTuple):
    """Sizes closed against sizes opened.

    Attributes
    ----------
    opened, closed
        Parts of the track; ``opened`` is -1 for a position that was there before the log (or, by average entry, for
        the average of several parts), ``closed`` is -1 for what is still open.
    trip
        Number of the trip.
    size
        Positive.
    entry
        Price at which it was opened.
    """

    opened: Ints
    closed: Ints
    trip: Ints
    size: Floats
    entry: Floats


def check_method(method: str) -> None:
    """Refuse what is no method of matching."""
    if method not in get_args(Method):
        raise ArgumentError(f"method={method!r} is no way of matching lots: use 'average' or 'fifo'")


def matched(track: Track, method: Method) -> Matches:
    """Match what was closed with what had been opened."""
    return _first_in_first_out(track) if method == "fifo" else _averaged(track)


def _averaged(track: Track) -> Matches:
    closing = np.flatnonzero(~track.grows)
    held = _open_trips(track)
    last = track.last[held]
    trip = np.append(track.trip[closing], held)
    order = np.argsort(trip, kind="stable")
    return Matches(
        opened=np.full(len(order), -1, dtype=np.intp),
        closed=np.append(closing, np.full(len(held), -1, dtype=np.intp))[order],
        trip=trip[order],
        size=np.append(track.size[closing], np.abs(track.after[last]))[order],
        entry=np.append(track.entry_before[closing], track.entry_after[last])[order],
    )


def _open_trips(track: Track) -> Ints:
    """Trips that the log leaves open, at its end or at a gap."""
    known = np.flatnonzero(track.last >= 0)
    left: Ints = known[track.after[track.last[known]] != 0]
    return left


def _first_in_first_out(track: Track) -> Matches:
    """Sizes opened and sizes closed laid end to end: each piece between two marks has one opening and one close.

    Every trip has as much of one as of the other, since what was carried into the log counts as opened by part -1 and
    what is left open as closed by part -1. So all trips together can be laid end to end.
    """
    carried = np.flatnonzero(track.carried & (track.first >= 0))
    held = _open_trips(track)
    grows = track.grows
    opening, closing = np.flatnonzero(grows), np.flatnonzero(~grows)
    # What is carried comes before its trip's first part, what is left after the last one.
    opened = _with(opening, track.trip[opening], carried, before=True)
    closed = _with(closing, track.trip[closing], held, before=False)
    units = _units(track)
    opened_sizes = np.where(opened.part >= 0, units.moved[opened.part], units.before[track.first[opened.trip]])
    closed_sizes = np.where(closed.part >= 0, units.moved[closed.part], units.after[track.last[closed.trip]])
    opened_to, closed_to = np.cumsum(opened_sizes), np.cumsum(closed_sizes)
    marks = np.sort(np.concatenate([opened_to, closed_to]), kind="stable")
    marks = marks[np.append(True, marks[1:] != marks[:-1])] if len(marks) else marks
    size = np.diff(marks, prepend=0)
    by, against = np.searchsorted(opened_to, marks), np.searchsorted(closed_to, marks)
    part, trip = opened.part[by], opened.trip[by]
    entry = np.where(part >= 0, _at(track.price, part), _at(track.entry_before, track.first[trip]))
    return Matches(part, closed.part[against], trip, size / units.scale[trip], entry)


class _Sided(NamedTuple):
    part: Ints
    trip: Ints


def _with(parts: Ints, trips: Ints, extra: Ints, *, before: bool) -> _Sided:
    """Parts in order of their trips, and part -1 of further trips before or after the trip's own."""
    places = np.searchsorted(trips, extra, side="left" if before else "right")
    return _Sided(np.insert(parts, places, -1), np.insert(trips, places, extra))


class _Units(NamedTuple):
    moved: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    scale: Floats


def _units(track: Track) -> _Units:
    """Positions as whole numbers of the smallest step that each contract's positions have been at."""
    contract = track.contract.codes[track.trip]
    starts = track.first[track.first >= 0]
    positions = np.append(track.after, track.before[starts])
    scale = steps_per_unit(positions, np.append(contract, contract[starts]), len(track.contract.names))
    factor = scale[contract]
    before, after = (np.rint(np.abs(positions) * factor).astype(np.int64) for positions in (track.before, track.after))
    return _Units(np.abs(after - before), before, after, scale[track.contract.codes])


def lots(ledger: Ledger, track: Track, booked: Booked, method: Method) -> pd.DataFrame:
    """One row per size closed against a size opened, and one per lot that is still open; see `PnL.lots`."""
    lot = matched(track, method)
    closed, opened = lot.closed >= 0, lot.opened >= 0
    inverse, sign = _kind_and_sign(track, lot)
    exit_price = _at(track.price, lot.closed)
    realized, fee = np.zeros(len(lot.trip)), np.zeros(len(lot.trip))
    at = lot.closed[closed]
    fee[closed] = booked.fee[at] * lot.size[closed] / track.size[at]
    if method == "fifo":
        at = lot.opened[opened]
        fee[opened] += booked.fee[at] * lot.size[opened] / track.size[at]
        units = unit_price(exit_price, inverse) - unit_price(lot.entry, inverse)
        realized = np.where(closed, sign * lot.size * units, 0.0)
        first = lot.opened
    else:
        realized[closed] = booked.realized_pnl[at]
        fee += _pooled_fees(track, booked, lot)
        first = np.where(track.carried, -1, track.first)[lot.trip]
    side = Labels(np.where(sign < 0, 1, 0), pd.Index(["long", "short"], dtype="str"))
    frame = pd.DataFrame(
        {
            "contract": track.contract[lot.trip].values(),
            "account": track.account[lot.trip].values(),
            "currency": booked.currency[lot.trip].values(),
            "side": side.values(),
            "size": lot.size,
            "opened": part_times(ledger, track, first),
            "closed": part_times(ledger, track, lot.closed),
            "entry_price": lot.entry,
            "exit_price": exit_price,
            "realized_pnl": realized,
            "fee": fee,
            "net": realized - fee,
        }
    )
    frame.attrs["units"] = {
        "size": "contracts",
        **dict.fromkeys(["entry_price", "exit_price"], "quote currency"),
        **dict.fromkeys(["realized_pnl", "fee", "net"], "currency"),
    }
    return frame


def _pooled_fees(track: Track, booked: Booked, lot: Matches) -> Floats:
    """Each lot's part of the opening fees of its position, which are averaged like its prices."""
    grows = track.grows
    kept = track.after / np.where(grows, 1.0, track.before)
    factor = np.where(grows, 1.0, kept)
    first = track.first[track.first >= 0]
    factor[first] = 0.0
    pool = affine_scan(factor, np.where(grows, booked.fee, 0.0))
    before = np.append(0.0, pool[:-1])[: len(pool)]
    before[first] = 0.0
    at = np.where(lot.closed >= 0, lot.closed, track.last[lot.trip])
    return np.where(lot.closed >= 0, before[at] - pool[at], pool[at])


def check_lots(track: Track, booked: Booked, money: Money, method: Method) -> pd.DataFrame:
    """P&L computed from the prices beside what was booked; see `PnL.check_lots`."""
    lot = matched(track, method)
    closed = lot.closed >= 0
    inverse, sign = _kind_and_sign(track, lot)
    entry = unit_price(lot.entry, inverse)
    exit_price = np.where(closed, _at(track.price, lot.closed), _at(track.entry_after, track.last[lot.trip]))
    units = sign * lot.size * (unit_price(exit_price, inverse) - entry)
    keys = {"contract": track.contract[lot.trip], "currency": booked.currency[lot.trip]}
    amounts = {
        "open_size": np.where(closed, 0.0, sign * lot.size),
        "computed": np.where(closed, units, 0.0),
        "deferred": np.where(closed, 0.0, units),
    }
    cash = money.cash
    frame = totals(keys, amounts).merge(
        totals({"contract": cash.contract, "currency": cash.currency}, {"booked": cash.realized_pnl}),
        on=["contract", "currency"],
        how="outer",
        indicator="source",
    )
    source = frame.pop("source")
    frame.loc[source == "right_only", list(amounts)] = 0.0
    frame.loc[source == "left_only", "booked"] = 0.0
    frame["difference"] = frame["booked"] - frame["computed"] - frame["deferred"]
    frame.attrs["units"] = {
        "open_size": "contracts",
        **dict.fromkeys(["computed", "deferred", "booked", "difference"], "currency"),
    }
    return frame


def _kind_and_sign(track: Track, lot: Matches) -> tuple[Bools, Floats]:
    return are_inverse(track.contract.names)[track.contract.codes[lot.trip]], track.sign[lot.trip]


def _at(values: Floats, part: Ints) -> Floats:
    """Values of parts, missing for part -1."""
    return np.append(values, np.nan)[part]
