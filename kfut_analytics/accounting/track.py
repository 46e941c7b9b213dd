"""How positions went: each contract's executions in order, cut where a position opens, closes or turns.

A part is what one execution does to one position: it opens, increases, reduces or closes. A reversal has two parts,
the close of one position and the opening of the next. A trip is all parts from opened to flat. Money that is booked
apart from executions, funding above all, belongs to the trip that was open at the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..contracts import are_inverse, pnl_currency
from .labels import Bools, Floats, Ints, Labels, stable_order, sums
from .ledger import NO_CONTRACT, Cash, Ledger
from .scan import average_entry, unit_price

_FLAT = 1e-10
"""No contract is traded in smaller steps."""


@dataclass(frozen=True, slots=True)
class Track:
    """Parts and trips, by wallet and contract and then in the order of the log.

    Attributes
    ----------
    row
        For each part the place of its entry in the ledger.
    trip
        Number of its trip.
    before, after
        Signed position.
    grows
        Whether the part opens or increases a position.
    price
        Of the execution.
    entry_before, entry_after
        Average entry price; missing where flat or not known.
    share
        The part's share of its execution's size.
    turns
        Whether the part closes a position that the next part opens the other way round.
    inverse
        Whether the contract is inverse.
    first, last
        For each trip its first and last part; -1 where the log has only money of it.
    carried
        For each trip whether its position was there before the log, or before a gap in it.
    cut
        For each trip whether its end is missing: a gap of the log follows.
    sign
        For each trip 1 for a long and -1 for a short position; 0 where the log does not show it.
    account, contract
        For each trip.
    part_of, trip_of
        For each entry of the ledger its first part and its trip; -1 where it has none.
    """

    row: Ints
    trip: Ints
    before: Floats
    after: Floats
    grows: Bools
    price: Floats
    entry_before: Floats
    entry_after: Floats
    share: Floats
    turns: Bools
    inverse: Bools
    first: Ints
    last: Ints
    carried: Bools
    cut: Bools
    sign: Floats
    account: Labels
    contract: Labels
    part_of: Ints
    trip_of: Ints

    @property
    def size(self) -> Floats:
        """Size of each part, positive."""
        return np.abs(self.after - self.before)


class _Legs(NamedTuple):
    """The events that move a position: where they are, the position before and after, whether it is the contract's
    first leg, and whether it does not start where the leg before ended."""

    event: Ints
    old: Floats
    new: Floats
    first: Bools
    broken: Bools


class _Parts(NamedTuple):
    row: Ints
    trip: Ints
    before: Floats
    after: Floats
    price: Floats
    inverse: Bools


def track_of(ledger: Ledger, cash: Cash) -> Track:
    """Follow every position of a ledger."""
    rows, key = _events(ledger, cash)
    legs = _legs(ledger, rows, key)
    turned = legs.old * legs.new < 0
    # A contract's first trip starts with its first event, be it money; the others where a position opens from flat,
    # turns, or goes on after a gap.
    starts, extra = np.ones(len(rows), dtype=np.int8), np.zeros(len(rows), dtype=np.int8)
    starts[1:] = key[1:] != key[:-1]
    starts[legs.event] |= legs.broken | ((legs.old == 0) & ~legs.first)
    extra[legs.event] = turned
    trip_of_event = np.cumsum(starts + extra, dtype=np.intp)
    trips = int(trip_of_event[-1]) if len(rows) else 0
    trip_of_event -= extra + 1

    leg = np.repeat(np.arange(len(legs.event)), 1 + turned)
    second = np.zeros(len(leg), dtype=bool)
    second[1:] = leg[1:] == leg[:-1]
    turns = turned[leg] & ~second
    before, after = legs.old[leg], legs.new[leg]
    before[second], after[turns] = 0.0, 0.0
    share = np.abs(after - before) / np.abs(legs.new - legs.old)[leg]
    trip, row = trip_of_event[legs.event][leg] + second, rows[legs.event][leg]
    first, last = _ends(trip, trips)

    carried, cut = np.ones(trips, dtype=bool), np.zeros(trips, dtype=bool)
    carried[trip[first[first >= 0]]] = before[first[first >= 0]] != 0
    previous = trip_of_event[legs.event[legs.broken]] - 1
    cut[previous] = after[last[previous]] != 0
    key_of_trip = np.zeros(trips, dtype=np.intp)
    key_of_trip[trip_of_event] = key
    key_of_trip[trip_of_event[legs.event[turned]] + 1] = key[legs.event[turned]]
    width = len(ledger.contract.names)
    inverse = are_inverse(ledger.contract.names)[key_of_trip % width][trip]
    price = _prices(ledger, row)
    parts = _Parts(row, trip, before, after, price, inverse)
    entry_before, entry_after = _entries(ledger, parts, first[carried & (first >= 0)])
    part_of, trip_of = np.full(len(ledger), -1, dtype=np.intp), np.full(len(ledger), -1, dtype=np.intp)
    trip_of[rows] = trip_of_event
    part_of[row[~second]] = np.flatnonzero(~second)
    return Track(
        row=row,
        trip=trip,
        before=before,
        after=after,
        grows=np.abs(after) > np.abs(before),
        price=price,
        entry_before=entry_before,
        entry_after=entry_after,
        share=share,
        turns=turns,
        inverse=inverse,
        first=first,
        last=last,
        carried=carried,
        cut=cut,
        sign=_signs(ledger, first, before + after, rows, trip_of_event),
        account=Labels(key_of_trip // width, ledger.account.names),
        contract=Labels(key_of_trip % width, ledger.contract.names),
        part_of=part_of,
        trip_of=trip_of,
    )


def _events(ledger: Ledger, cash: Cash) -> tuple[Ints, Ints]:
    """Position legs and money booked apart from them, by wallet and contract, and the numbers of these."""
    moved = ledger.position_leg & (np.abs(ledger.change) >= _FLAT)
    pair = ledger.pair[cash.row]
    named = cash.contract.of_names(lambda name: name != NO_CONTRACT)
    apart = cash.trading & named & ((pair < 0) | ~moved[pair])
    chosen = moved.copy()
    chosen[cash.row[apart]] = True
    rows = np.flatnonzero(chosen)
    contract = np.where(ledger.position_leg, ledger.asset.codes, ledger.contract.codes)[rows]
    width = len(ledger.contract.names)
    key = ledger.account.codes[rows].astype(np.intp) * width + contract
    order = stable_order(key, len(ledger.account.names) * width)
    return rows[order], key[order]


def _legs(ledger: Ledger, rows: Ints, key: Ints) -> _Legs:
    is_leg = ledger.position_leg[rows]
    # An expiry may be booked as money alone.
    expired = ~is_leg & ledger.is_kind("settlement")[rows]
    at = np.flatnonzero(is_leg | expired)
    row = rows[at]
    old, new = ledger.old[row], ledger.new[row]
    new[expired[at]] = 0.0
    first = np.ones(len(at), dtype=bool)
    first[1:] = key[at[1:]] != key[at[:-1]]
    ended = np.where(first, 0.0, np.append(0.0, new[:-1]))
    old = np.where(expired[at], ended, old)
    intact = ~first & (np.abs(old - ended) <= 1e-9 + 1e-12 * np.abs(ended))
    old = np.where(intact, ended, old)
    for position in (old, new):
        position[np.abs(position) < _FLAT] = 0.0
    moves = old != new
    return _Legs(at[moves], old[moves], new[moves], first[moves], (~first & ~intact)[moves])


def _signs(ledger: Ledger, first: Ints, position: Floats, rows: Ints, trip_of_event: Ints) -> Floats:
    """Long or short; where only funding shows a position, by who paid: longs pay while the rate is positive."""
    known = first >= 0
    sign = np.zeros(len(first))
    sign[known] = np.sign(position[first[known]])
    if not known.all():
        apart = np.flatnonzero(~known[trip_of_event])
        paid = (ledger.numbers("realized_funding") * ledger.numbers("funding_rate"))[rows[apart]]
        sign -= np.sign(sums(trip_of_event[apart], np.sign(np.nan_to_num(paid)), len(first)))
    return sign


def _ends(trip: Ints, trips: int) -> tuple[Ints, Ints]:
    first, last = np.full(trips, -1, dtype=np.intp), np.full(trips, -1, dtype=np.intp)
    edges = np.flatnonzero(trip[1:] != trip[:-1])
    if len(trip):
        first[trip[np.append(0, edges + 1)]] = np.append(0, edges + 1)
        last[trip[np.append(edges, len(trip) - 1)]] = np.append(edges, len(trip) - 1)
    return first, last


def _known(prices: Floats) -> Floats:
    """Prices, missing where the log writes zero for none."""
    return np.where(prices > 0, prices, np.nan)


def _prices(ledger: Ledger, row: Ints) -> Floats:
    price = _known(ledger.numbers("trade_price")[row])
    settled = np.isnan(price) & ledger.is_kind("settlement")[row]
    price[settled] = _known(ledger.numbers("mark_price")[row[settled]])
    return price


def _entries(ledger: Ledger, parts: _Parts, carried: Ints) -> tuple[Floats, Floats]:
    """Average entry prices before and after each part: the exchange's own, and where it gives none, computed."""
    after = np.where(parts.after == 0, np.nan, _known(ledger.numbers("new_entry_price")[parts.row]))
    missing = np.isnan(after) & (parts.after != 0)
    start = _carried_entry(ledger, parts, after, carried)
    if missing.any():
        after = _average(parts, after, carried, start)
    before = np.append(np.nan, after[:-1])[: len(after)]
    before[parts.before == 0] = np.nan
    before[carried] = start
    return before, after


def _carried_entry(ledger: Ledger, parts: _Parts, entry_after: Floats, carried: Ints) -> Floats:
    """Entry prices of the positions that were there before; not written down in the CSV export, they are solved for."""
    row, inverse = parts.row[carried], parts.inverse[carried]
    before, after = parts.before[carried], parts.after[carried]
    left_unit, unit = unit_price(entry_after[carried], inverse), unit_price(parts.price[carried], inverse)
    pair = ledger.pair[row]
    realized = np.where(pair < 0, np.nan, ledger.numbers("realized_pnl")[pair])
    closed, grown = unit - realized / before, (after * left_unit - (after - before) * unit) / before
    solved = np.where(after == 0, closed, np.where(np.abs(after) > np.abs(before), grown, left_unit))
    written = _known(ledger.numbers("old_entry_price")[row])
    return np.where(np.isnan(written), unit_price(solved, inverse), written)


def _average(parts: _Parts, known: Floats, carried: Ints, start: Floats) -> Floats:
    """Entry prices after each part, by averaging where they are not known; missing in trips with an unknown price."""
    grows = np.abs(parts.after) > np.abs(parts.before)
    seeds = carried[np.isnan(known[carried])]
    held, inverse = parts.before[seeds], parts.inverse[seeds]
    added = np.where(grows, parts.after - parts.before, 0.0)[seeds]
    unit = unit_price(start[np.isnan(known[carried])], inverse)
    grown = (held * unit + added * unit_price(parts.price[seeds], inverse)) / (held + added)
    seeded = known.copy()
    seeded[seeds] = unit_price(np.where(added == 0, unit, grown), inverse)
    seeds = seeds[np.isnan(seeded[seeds])]
    seeded[seeds] = 1.0
    unpriced = grows & np.isnan(seeded) & np.isnan(parts.price)
    seeded[unpriced] = 1.0
    entry = average_entry(parts.before, parts.after, parts.price, seeded, parts.inverse)
    lost = np.zeros(parts.trip[-1] + 1, dtype=bool)
    lost[parts.trip[np.append(seeds, np.flatnonzero(unpriced))]] = True
    entry[lost[parts.trip] & np.isnan(known)] = np.nan
    return entry


@dataclass(frozen=True, slots=True)
class Money:
    """What each trading entry booked, by trip; an execution that turned a position has a line for either trip.

    Attributes
    ----------
    cash
        The figures. A reversal's P&L and funding belong to the position it closed, the fee to both by size.
    part, trip
        For each line; the part is -1 where the money was booked apart from executions.
    again
        Whether the line is the second of its entry.
    """

    cash: Cash
    part: Ints
    trip: Ints
    again: Bools


def money_of(track: Track, ledger: Ledger, trading: Cash) -> Money:
    """Divide the trading entries of contracts among the trips."""
    pair = ledger.pair[trading.row]
    anchor = np.where((pair >= 0) & (track.part_of[pair] >= 0), pair, trading.row)
    chosen = np.flatnonzero(track.trip_of[anchor] >= 0)
    anchor = anchor[chosen]
    part, trip = track.part_of[anchor], track.trip_of[anchor]
    turns = np.flatnonzero((part >= 0) & track.turns[part]) if len(track.row) else np.zeros(0, dtype=np.intp)
    size, share = len(part), track.share[part[turns]]
    cash = trading.where(np.append(chosen, chosen[turns]))
    cash.fee[turns] *= share
    cash.fee[size:] *= 1.0 - share
    for amounts in (cash.realized_pnl, cash.realized_funding, cash.liquidation_fee, cash.change):
        amounts[size:] = 0.0
    again = np.arange(len(cash.row)) >= size
    return Money(cash, np.append(part, part[turns] + 1), np.append(trip, trip[turns] + 1), again)


@dataclass(frozen=True, slots=True)
class Booked:
    """What was booked with each part, in its trip's currency.

    Attributes
    ----------
    realized_pnl, fee
        For each part.
    currency
        For each trip that in which its first money was booked, or where there is none, its contract's.
    """

    realized_pnl: Floats
    fee: Floats
    currency: Labels


def booked_of(track: Track, money: Money) -> Booked:
    """Sum up the money of each part."""
    own = pd.Index([pnl_currency(str(name)) for name in track.contract.names], dtype="str")
    names = money.cash.currency.names.append(own).unique().sort_values()
    code = names.get_indexer(own)[track.contract.codes]
    line_code = money.cash.currency.among(names).codes
    code[money.trip[::-1]] = line_code[::-1]  # of several, the first stays
    chosen = (money.part >= 0) & (line_code == code[money.trip])
    part, size = money.part[chosen], len(track.row)
    return Booked(
        realized_pnl=sums(part, money.cash.realized_pnl[chosen], size),
        fee=sums(part, money.cash.fee[chosen], size),
        currency=Labels(code, names),
    )


def part_times(ledger: Ledger, track: Track, part: Ints) -> pd.DatetimeIndex:
    """Times of parts, missing for part -1."""
    time = np.full(len(part), np.datetime64("NaT", "us"))
    known = part >= 0
    time[known] = ledger.time[track.row[part[known]]]
    return pd.DatetimeIndex(time, tz="UTC")
