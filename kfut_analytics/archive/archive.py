"""An account's archive, as a notebook calls it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from ..archive_tables import ARCHIVE, ARCHIVE_GAPS
from ..errors import ArgumentError, ConfigurationError
from ..rest.progress import interactive, tell
from ..times import TimeLike, parse_time
from . import history, layout
from .ranges import FOREVER, Spans, asked, stamp
from .selection import Chosen
from .store import Store
from .sync import Sync, SyncResult

if TYPE_CHECKING:
    import pyarrow as pa

    from ..venue import Venue
    from .plan import Plan
    from .verify import Verification

_T = TypeVar("_T")


class Archive:
    """The archive of one account: ``client.archive``, or of a folder with no exchange at all ``kfut.Archive(path)``.

    The folder has a README of its own, which says what lies where: plain Parquet files.

    Parameters
    ----------
    path
        Its folder.
    venue
        Where `sync` fetches from.
    env
        Environment of the venue.

    Attributes
    ----------
    folder
        Where it lies.
    """

    def __init__(self, path: str | os.PathLike[str], venue: Venue | None = None, *, env: str = "") -> None:
        self.folder = Path(path).expanduser()
        self._store = Store(self.folder)
        self._venue = venue
        self._env = env
        self._identity: str | None = None

    # ---- what there is -----------------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether there is an archive in the folder."""
        return self._store.exists

    @property
    def until(self) -> pd.Timestamp | None:
        """The exchange's time up to which the last complete sync saved everything; None before the first."""
        synced = self._store.manifest.synced if self.exists else None
        return None if synced is None else stamp(synced)

    def describe(self) -> pd.DataFrame:
        """What is held: one row per series with its rows, files, bytes, first and last row, and how far it is complete.

        Returns
        -------
        DataFrame
            Table ``archive``.

        Raises
        ------
        ConfigurationError
            If there is no archive, or its manifest is damaged.
        """
        told: dict[str, list[Any]] = {column.name: [] for column in ARCHIVE.columns}
        for name, series in sorted(self._store.manifest.series.items()):
            firsts = [file.first for file in series.files if file.first is not None]
            lasts = [file.last for file in series.files if file.last is not None]
            spans = list(series.spans)
            row = {
                "series": name,
                "rows": series.rows,
                "files": len(series.files),
                "bytes": sum(file.bytes for file in series.files),
                "first": stamp(min(firsts)) if firsts else None,
                "last": stamp(max(lasts)) if lasts else None,
                "complete_from": stamp(spans[0][0]) if spans and spans[0][0] else None,
                "complete_until": stamp(spans[-1][1]) if spans else None,
                "gaps": max(len(spans) - 1, 0),
            }
            for column, value in row.items():
                told[column].append(value)
        return ARCHIVE.frame(told)

    def gaps(self) -> pd.DataFrame:
        """Times between others that are not held. The next sync fetches them.

        Returns
        -------
        DataFrame
            Table ``archive_gaps``.
        """
        found = [
            (name, stamp(end), stamp(start))
            for name, series in sorted(self._store.manifest.series.items())
            for (_, end), (start, _) in itertools.pairwise(series.spans)
        ]
        names, starts, ends = zip(*found, strict=True) if found else ((), (), ())
        return ARCHIVE_GAPS.frame({"series": names, "start": starts, "end": ends})

    # ---- reading -----------------------------------------------------------------------------------------------

    def read(
        self,
        table: str,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        symbol: str | None = None,
        columns: Sequence[str] | None = None,
        resolution: str = "1h",
        tick_type: str = "trade",
        exact: bool = False,
    ) -> pd.DataFrame:
        """What the archive holds of a table, as the client's frames are; nothing is asked of the exchange.

        Parameters
        ----------
        table
            ``account_log``, ``executions``, ``fills``, ``order_history``, ``trigger_history``, ``position_history``,
            ``funding_rates`` or ``candles``.
        start, end
            Time span.
        symbol
            Contract; needed for funding rates and candles.
        columns
            Those that are wanted, which is quicker; all by default. The index comes with them.
        resolution, tick_type
            Of candles.
        exact
            Numbers as `Decimal`.

        Returns
        -------
        DataFrame
            The table, see `kfut.describe`.

        Raises
        ------
        ArgumentError
            If there is no such table or column.
        ConfigurationError
            If there is no archive, or a file of it is missing or damaged.
        """
        from .rows import to_frame

        series, spans = self._named(table, symbol, resolution, tick_type), _spans(start, end)
        if columns is None:
            of_account = symbol if table in layout.OF_ACCOUNT else None
            return history.read(self._store, series, spans, symbol=of_account, exact=exact)
        kind = layout.kind_of(series)
        known = [column.name for column in kind.table.columns]
        if unknown := [name for name in columns if name not in known]:
            raise ArgumentError(f"columns={unknown!r}: {table} has no such columns; it has {', '.join(known)}")
        index = [kind.table.index] if kind.table.index else []
        wanted = [*index, *columns, *([layout.EXACT] if exact else [])]
        frame = to_frame(kind.table, self._store.table(series, spans, wanted), exact=exact)
        return frame[[name for name in columns if name not in index]]

    def arrow(
        self,
        table: str,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        symbol: str | None = None,
        columns: Sequence[str] | None = None,
        resolution: str = "1h",
        tick_type: str = "trade",
    ) -> pa.Table:
        """The same as an Arrow table, oldest first: the quickest, and no copy for polars and DuckDB.

        Parameters
        ----------
        table, start, end, symbol, columns, resolution, tick_type
            As for `read`.

        Returns
        -------
        pyarrow.Table
            The rows, with the columns as they are in the files.

        Raises
        ------
        ArgumentError
            If there is no such table.
        ConfigurationError
            If there is no archive, or a file of it is missing or damaged.
        """
        series = self._named(table, symbol, resolution, tick_type)
        return self._store.table(series, _spans(start, end), columns)

    def _named(self, table: str, symbol: str | None, resolution: str, tick_type: str) -> str:
        if table in layout.OF_ACCOUNT or table == layout.IMPORTED:
            return table
        if table not in layout.KINDS:
            raise ArgumentError(f"table={table!r} is not one of {', '.join(layout.KINDS)}")
        if symbol is None:
            raise ArgumentError(f"{table} are kept by contract: give symbol='PF_XBTUSD' or another")
        name = layout.funding(symbol) if table == "funding_rates" else layout.candles(symbol, resolution, tick_type)
        return name

    def read_through(
        self,
        series: str,
        fetch: history.Fetch,
        start: pd.Timestamp | None,
        end: pd.Timestamp | None,
        *,
        symbol: str | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        """What the exchange gives of a span of time; what is held is not asked for.

        Parameters
        ----------
        series
            What is held under one name: ``account_log``, or that of candles or funding rates of a contract.
        fetch
            Asks the exchange for a span of time.
        start, end
            Time span.
        symbol
            Only the rows of one contract.
        exact
            Numbers as `Decimal`, just as the exchange wrote them.

        Returns
        -------
        DataFrame
            What is held and what was fetched, as one.

        Raises
        ------
        VenueError
            If the exchange fails.
        """
        return history.read_through(self._store, series, fetch, start, end, symbol=symbol, exact=exact)

    # ---- filling -----------------------------------------------------------------------------------------------

    def sync(
        self,
        start: TimeLike | None = None,
        *,
        candles: Sequence[Sequence[str]] = (),
        funding: Sequence[str] = (),
    ) -> SyncResult:
        """Save what is not there yet; see `Client.sync`.

        Parameters
        ----------
        start, candles, funding
            As for `Client.sync`.

        Returns
        -------
        SyncResult
            What has come.

        Raises
        ------
        ConfigurationError
            If the archive was opened with no exchange, cannot be written, or is another account's.
        VenueError
            If the exchange fails; what came before is kept.
        """
        chosen = Chosen.of(candles, funding)
        first = None if start is None else parse_time(start, name="start")
        venue, identity = self._source()
        if interactive() and self.until is None:
            tell(f"{self.folder}: {self.plan(start)}")
        with self._store.writing(self._env, identity, self._told_to_wait):
            return Sync(self._store, venue, first, chosen).run()

    def plan(self, start: TimeLike | None = None) -> Plan:
        """What a sync would ask for, and how long that takes; the question costs one token.

        Parameters
        ----------
        start
            From when on; by default from the first entry.

        Returns
        -------
        Plan
            Requests, tokens and minutes by series.

        Raises
        ------
        ConfigurationError
            If the archive was opened with no exchange.
        VenueError
            If the exchange fails.
        """
        from .plan import plan

        return plan(self._store, self._source()[0], None if start is None else parse_time(start, name="start"))

    def _source(self) -> tuple[Venue, str]:
        if self._venue is None:
            raise ConfigurationError(
                f"{self.folder} was opened with no exchange: sync with kfut.connect('live', path={str(self.folder)!r})"
            )
        if self._identity is None:
            self._identity = self._venue.identity()
        return self._venue, self._identity

    def _told_to_wait(self) -> None:
        tell(f"another program is syncing {self.folder}; waiting for it")

    # ---- looking after it --------------------------------------------------------------------------------------

    def verify(self) -> Verification:
        """Check every file, the numbers of entries and the balances of the account log; nothing is changed.

        Returns
        -------
        Verification
            What was found.
        """
        from .verify import verify

        return verify(self._store)

    def repair(self) -> Verification:
        """Set files aside that are damaged, and note what is missing, so that the next sync fetches it again.

        Returns
        -------
        Verification
            What was found.
        """
        from .verify import repair

        return self._alone(lambda: repair(self._store))

    def rebuild(self) -> None:
        """Make a lost or damaged manifest anew from the files.

        Raises
        ------
        ConfigurationError
            If the manifest is there, or the files do not tell whose they are.
        """
        from .verify import rebuild

        rebuild(self._store)

    def import_csv(self, path: str | os.PathLike[str]) -> int:
        """Take in an account log that was exported as CSV; returns the number of entries that were new.

        Entries are numbered by those they have in common with the archive. They have no execution ids and old entry
        prices, so what the exchange's API gives counts before them.

        Parameters
        ----------
        path
            The exported file.

        Returns
        -------
        int
            Number of entries that were new.

        Raises
        ------
        ArgumentError
            If it is no such export, or has no entry in common with an account log that is held.
        """
        from .log_import import import_csv

        return self._alone(lambda: import_csv(self._store, path))

    def _alone(self, work: Callable[[], _T]) -> _T:
        found = self._store.manifest
        with self._store.writing(found.env, found.account, self._told_to_wait):
            return work()

    def __repr__(self) -> str:
        if not self.exists:
            return f"<archive in {self.folder}: nothing yet; client.sync() fills it>"
        found = self._store.manifest
        rows = sum(series.rows for series in found.series.values())
        until = "never synced to the end" if self.until is None else f"complete until {self.until:%Y-%m-%d %H:%M} UTC"
        return f"<archive of a {found.env.upper()} account in {self.folder}: {rows:,} rows, {until}>"


def _spans(start: TimeLike | None, end: TimeLike | None) -> Spans | None:
    if start is None and end is None:
        return None
    first = None if start is None else parse_time(start, name="start")
    last = None if end is None else parse_time(end, name="end")
    low, high = asked(first, last)
    return Spans([(low, min(high, FOREVER))])
