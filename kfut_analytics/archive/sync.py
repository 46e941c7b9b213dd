"""Bringing an archive up to date: what is missing is fetched, and each page is kept before the next one is asked for.

What is asked, and in which order
---------------------------------
Events of orders and triggers come first: their answers tell the exchange's time. Then the account log: whatever
happens to an account but its orders is booked there. Only if it has new entries are executions, positions and fills
asked for as well; a sync that finds nothing new takes three requests. Then a picture of the account and the market,
and last funding rates and candles, of which only periods that are over are kept.

When a time is complete
-----------------------
A page that comes oldest first is complete up to its last instant, which the next page may go on with. At the end of a
list it is complete up to `SETTLED` before the exchange's time of the answer. Rows after that are kept, too, but asked
for again: what is held already is dropped by its id.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import ConfigurationError, InvalidRequestError, NotFoundError
from . import layout, picture
from .manifest import File
from .ranges import FOREVER, Spans, bounds, micros, stamp
from .rows import to_frame
from .selection import Chosen, Wanted, wanted_series
from .store import Store

if TYPE_CHECKING:
    from ..venue import Venue

_log = logging.getLogger("kfut_analytics.archive")

SETTLED = pd.Timedelta(minutes=5)
"""So long before the exchange's present, nothing comes to its lists any more."""

_SETTLED = SETTLED // pd.Timedelta(microseconds=1)

_SLACK = {"account_log": pd.Timedelta(minutes=10) // pd.Timedelta(microseconds=1)}
"""Entries of the account log are in the order of their numbers; their times may be a little out of it."""

_MILLISECOND = 1000

_FILLS_PAGE = 100
_CANDLES_AT_ONCE = 2000

COMPACT_EVERY = 64
"""Pages after which a long walk joins its files."""

_MOST_HOLES = 20
"""More runs of missing entry numbers than this are how the exchange counts, and not entries that are missing."""


@dataclass(frozen=True)
class SyncResult:
    """What a sync has brought.

    Attributes
    ----------
    folder
        The archive.
    rows
        New rows by series.
    until
        The exchange's time up to which everything is saved; None where that is not known.
    seconds
        How long it took.
    notes
        What could not be had, and why.
    """

    folder: str
    rows: dict[str, int]
    until: pd.Timestamp | None
    seconds: float
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """New rows of all series."""
        return sum(self.rows.values())

    def frame(self) -> pd.DataFrame:
        """New rows by series."""
        return pd.DataFrame({"rows": pd.Series(self.rows, dtype="int64")}).rename_axis("series")

    def __repr__(self) -> str:
        until = "" if self.until is None else f", complete until {self.until:%Y-%m-%d %H:%M:%S} UTC"
        lines = [f"{self.total:,} new rows in {self.seconds:.1f} s{until}, in {self.folder}"]
        lines += [f"  {name:<60}{rows:>12,}" for name, rows in self.rows.items() if rows]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])


class Sync:
    """One run; the archive's lock is held.

    Parameters
    ----------
    store
        The archive.
    venue
        The exchange.
    start
        From when on; None for the beginning of the account.
    chosen
        Funding rates and candles that are wanted beside those of what was held.
    """

    def __init__(self, store: Store, venue: Venue, start: pd.Timestamp | None, chosen: Chosen) -> None:
        self._store, self._venue, self._chosen = store, venue, chosen
        self._from = 0 if start is None else micros(start)
        self._now: int | None = None
        self._rows: dict[str, int] = {}
        self._notes: list[str] = []

    def run(self) -> SyncResult:
        """Bring everything up to date."""
        began = time.monotonic()
        for series in ("order_history", "trigger_history"):
            self._events(series)
        settled = self._settled()
        self._account_log(settled)
        newest = self._store.manifest.of("account_log").newest_id
        for series in ("executions", "position_history"):
            if not self._nothing_booked(series, newest, settled):
                self._events(series, settled)
                self._store.append(series, None, (0, 0), after=newest)
        if not self._nothing_booked("fills", newest, settled):
            self._fills(settled)
            self._store.append("fills", None, (0, 0), after=newest)
        self._picture(settled)
        self._series_of_contracts(settled)
        for series in self._store.manifest.series:
            self._store.compact(series)
        self._store.update(lambda manifest: replace(manifest, synced=settled))
        return SyncResult(
            str(self._store.folder), self._rows, stamp(settled), time.monotonic() - began, list(self._notes)
        )

    # ---- time --------------------------------------------------------------------------------------------------

    def _settled(self) -> int:
        """The exchange's time before which nothing is added any more, the same throughout a run."""
        if self._now is None:
            if self._venue.clock.heard is None:
                self._venue.tickers()
            self._now = micros(self._venue.clock.heard or self._venue.clock.now())
        return self._now - _SETTLED

    def _missing(self, series: str, until: int) -> Iterator[tuple[int, int]]:
        """What is wanted and not held, oldest first; what has no end goes on to the present."""
        held = self._store.manifest.of(series).spans
        for start, end in Spans([(self._from, FOREVER)]) - held:
            if end < FOREVER or start < until:
                yield start, end

    # ---- lists that come oldest first --------------------------------------------------------------------------

    def _events(self, series: str, settled: int | None = None) -> None:
        for start, end in self._missing(series, FOREVER if settled is None else settled):
            self._walk(series, start, end, settled)

    def _walk(self, series: str, start: int, end: int, settled: int | None, *, known: int = 0) -> None:
        """Keep page after page of a span of time."""
        key = layout.kind_of(series).key
        begin, until = bounds((start, end))
        held = self._keys(series, start - _SLACK.get(series, 0))
        reached = start
        pages = self._venue.history_pages(series, None if known else begin, until, known=known)
        for number, page in enumerate(pages, 1):
            flat = page.reset_index()
            new = page[~flat[key].isin(held["key"]).to_numpy()]
            if known:
                self._must_agree(page, known)
                new = new[new.index > known]
            upto = reached
            if len(page) and (last := page["time"].max()) is not pd.NaT:
                limit = end if settled is None else min(end, settled)
                upto = max(reached, min(micros(last) - _SLACK.get(series, 0), limit, self._settled()))
            self._keep(series, new, (reached, upto))
            seen = pd.DataFrame({"key": flat[key], "time": flat["time"]})
            held = pd.concat([held, seen]) if len(held) else seen
            held = held[~(held["time"] < stamp(max(upto - _SLACK.get(series, 0), 0)))]
            reached = upto
            if number % COMPACT_EVERY == 0:
                self._store.compact(series)
        finish = min(end, self._settled() if settled is None else settled)
        self._keep(series, None, (reached, finish))

    def _keep(self, series: str, frame: pd.DataFrame | None, span: tuple[int, int], **more: Any) -> None:
        self._rows[series] = self._rows.get(series, 0) + self._store.append(series, frame, span, **more)

    def _keys(self, series: str, start: int, end: int = FOREVER) -> pd.DataFrame:
        """The keys of rows held of a time, and of those without a time."""
        key = layout.kind_of(series).key
        if not self._store.manifest.of(series).files:
            return pd.DataFrame({"key": [], "time": pd.Series(dtype="datetime64[us, UTC]")})
        rows = self._store.table(series, Spans([(max(start, 0), end)]), [key, "time"])
        return pd.DataFrame({"key": rows[key].to_pandas(), "time": rows["time"].to_pandas()})

    # ---- the account log ---------------------------------------------------------------------------------------

    def _account_log(self, settled: int) -> None:
        series = "account_log"
        state = self._store.manifest.of(series)
        top = state.spans.end
        for start, end in self._missing(series, settled):
            # The newest entries follow those that are held by their numbers, which leaves no room for doubt.
            known = state.newest_id if start == top and end == FOREVER else 0
            self._walk(series, start, end, settled, known=known)
        self._heal(settled)

    def _must_agree(self, page: pd.DataFrame, known: int) -> None:
        """Entries of a number are the same here and there: else this is the history of something else."""
        if known not in page.index:
            return
        rows = self._store.table("account_log", where=lambda file: file.ids is not None and file.ids[1] >= known)
        mine = to_frame(layout.kind_of("account_log").table, rows, exact=True).loc[known]
        theirs = page.loc[known]
        if any(mine[name] != theirs[name] for name in ("time", "info", "asset", "new_balance")):
            raise ConfigurationError(
                f"entry {known} of the account log in {self._store.folder} is another one than the exchange's: this is "
                "the archive of another account, or of a paper exchange that has begun anew. Nothing was changed: give "
                "another path"
            )

    def _heal(self, settled: int) -> None:
        """Entry numbers that are missing between others are asked for once more, by their time."""
        series = "account_log"
        state = self._store.manifest.of(series)
        ids = [file.ids for file in state.files if file.ids]
        if not ids or state.rows == max(ids)[1] - min(ids)[0] + 1 - _count(state.absent):
            return
        rows = self._store.table(series, None, ["id", "time"]).to_pandas()
        held = _runs(rows["id"])
        holes = list(Spans([(int(rows["id"].iloc[0]), int(rows["id"].iloc[-1]) + 1)]) - held - state.absent)
        if len(holes) > _MOST_HOLES:
            return
        times = rows.set_index("id")["time"]
        asked = []
        for first, end in holes:
            around = sorted((micros(times[first - 1]), micros(times[end])))
            span = around[0], around[1] + 1
            if not Spans([span]) - state.spans:  # else it is not asked for yet
                self._walk(series, *span, settled)
                asked.append((first, end))
        absent = Spans(asked) - _runs(self._store.table(series, None, ["id"])["id"].to_pandas())
        if absent:
            numbers = ", ".join(f"{a}" if b - a == 1 else f"{a} to {b - 1}" for a, b in absent)
            self._notes.append(f"account log: the exchange gives no entries {numbers}")
            self._store.append(series, None, (0, 0), absent=state.absent | absent)

    def _nothing_booked(self, series: str, newest: int, settled: int) -> bool:
        """Whether the account log says that nothing was added to a list; if so that is noted."""
        state = self._store.manifest.of(series)
        missing = list(self._missing(series, settled))
        if not missing:
            return True
        if newest != state.after or len(missing) > 1 or missing[0][0] != state.spans.end:
            return False
        self._store.append(series, None, (missing[0][0], settled))
        return True

    # ---- fills -------------------------------------------------------------------------------------------------

    def _fills(self, settled: int) -> None:
        """Fills come newest first; a page is complete but for its oldest instant."""
        for start, end in list(self._missing("fills", settled)):
            self._fills_of(start, end, settled)

    def _fills_of(self, start: int, end: int, settled: int) -> None:
        upper = end
        while upper > start:
            page = self._venue.fills(None, bounds((0, upper))[1], exact=True)
            page, edges = self._with_edges(page)
            instants = page["time"].dt.floor("ms")
            oldest = micros(instants.min()) if len(page) else start
            # Only a page that goes back beyond the start, or that brings one instant again, is the last.
            one_instant = len(set(instants)) == 1
            end_of_list = page.empty or (one_instant and len(page) < _FILLS_PAGE)
            if one_instant and not end_of_list:
                self._notes.append(
                    f"fills: more at {stamp(oldest)} than one answer of the exchange holds; the account log and the "
                    "executions have them all"
                )
            lower = start if end_of_list else oldest if one_instant else oldest + _MILLISECOND
            again = {fill for file in edges for fill in self._edge(file).index}
            newest = oldest if page.empty else micros(instants.max())
            held = set(self._keys("fills", oldest, newest + _MILLISECOND)["key"])
            rows = page[~page.index.isin(held - again)].iloc[::-1]
            whole = rows["time"] >= stamp(0 if end_of_list else lower)
            span = max(start, lower), min(upper, settled)
            self._keep("fills", rows[whole], span, edge=rows[~whole], instead_of=edges)
            upper = lower
            if end_of_list:
                return

    def _with_edges(self, page: pd.DataFrame) -> tuple[pd.DataFrame, list[File]]:
        """A page with the rows of edges as they came first, which may say more, and the edges that it contains.

        Only the newest fills come with their P&L.
        """
        edges = []
        for file in self._store.manifest.of("fills").files:
            if file.edge and (rows := self._edge(file)).index.isin(page.index).all():
                page = pd.concat([rows, page.drop(index=rows.index)]).loc[page.index]
                edges.append(file)
        return page, edges

    def _edge(self, file: File) -> pd.DataFrame:
        table = layout.kind_of("fills").table
        return to_frame(table, self._store.table("fills", where=lambda other: other == file), exact=True)

    # ---- of contracts ------------------------------------------------------------------------------------------

    def _series_of_contracts(self, settled: int) -> None:
        for wanted in wanted_series(self._store, self._venue, self._chosen, self._from, settled):
            try:
                if wanted.step is None:
                    self._funding(wanted, settled)
                else:
                    self._candles(wanted, wanted.step, settled)
            except (NotFoundError, InvalidRequestError) as error:
                self._notes.append(f"{wanted.series}: {error}")
                self._store.append(wanted.series, None, (0, 0), refused=settled)

    def _funding(self, wanted: Wanted, settled: int) -> None:
        # A period is an hour; its rate is known at the latest when it is over.
        until = micros(stamp(min(wanted.end, settled)).floor("h"))
        missing = Spans([(wanted.start, until)]) - self._store.manifest.of(wanted.series).spans
        if not missing:
            return
        (first, _), (_, last) = min(missing), max(missing)
        frame = self._venue.funding_rates(wanted.symbol, *bounds((first, last)), exact=True)
        for span in missing:
            self._keep(wanted.series, _between(frame, span), span)

    def _candles(self, wanted: Wanted, step: pd.Timedelta, settled: int) -> None:
        length = step // pd.Timedelta(microseconds=1)
        until = micros(stamp(min(wanted.end, settled)).floor(step))
        parts = layout.parts_of(wanted.series)
        missing = Spans([(wanted.start, until)]) - self._store.manifest.of(wanted.series).spans
        for start, end in missing:
            for first in range(start, end, length * _CANDLES_AT_ONCE):
                span = first, min(end, first + length * _CANDLES_AT_ONCE)
                frame = self._venue.candles(
                    wanted.symbol, parts["resolution"], parts["tick_type"], *bounds(span), exact=True
                )
                self._keep(wanted.series, _between(frame, span), span)

    def _picture(self, settled: int) -> None:
        news = any(self._rows.get(series) for series in layout.OF_ACCOUNT)
        if news or picture.is_old(self._store, settled + _SETTLED):
            self._notes += picture.take(self._store, self._venue)


def _between(frame: pd.DataFrame, span: tuple[int, int]) -> pd.DataFrame:
    start, end = map(stamp, span)
    return frame[(frame.index >= start) & (frame.index < end)]


def _count(spans: Spans) -> int:
    return sum(end - start for start, end in spans)


def _runs(ids: pd.Series[Any]) -> Spans:
    """Sorted numbers as ranges; quick for many in few ranges."""
    values = ids.to_numpy()
    if not len(values):
        return Spans()
    breaks = [0, *(i + 1 for i in ((values[1:] - values[:-1]) > 1).nonzero()[0]), len(values)]
    return Spans((int(values[a]), int(values[b - 1]) + 1) for a, b in itertools.pairwise(breaks))
