"""The part of a client that reads history: from the archive what it holds, from the exchange the rest."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import pandas as pd

from . import settings
from .archive import layout
from .errors import ArgumentError, ConfigurationError, DecodeError, InvalidRequestError, NotFoundError, VenueError
from .rules import unknown_symbol
from .side_by_side import fetch_each
from .times import TimeLike, parse_time, utc_now
from .venue import Venue

if TYPE_CHECKING:
    from .archive.archive import Archive
    from .archive.plan import Plan
    from .archive.sync import SyncResult

_log = logging.getLogger("kfut_analytics.client")

RESOLUTIONS = ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d", "1w")
TICK_TYPES = ("trade", "mark", "spot")

Fetch = Callable[[pd.Timestamp | None, pd.Timestamp | None], pd.DataFrame]


class HistoryCalls:
    """Calls for history, the archive they read first, and the sync that fills it.

    Attributes
    ----------
    use_archive
        Whether history is read from the archive where it holds it; may be set at any time.
    """

    _venue: Venue
    env: str

    def _remember(
        self,
        archive: bool,
        path: str | os.PathLike[str] | None,
        home: str | os.PathLike[str] | None,
        scratch: Callable[[], Path] | None,
    ) -> None:
        """Note which archive is meant; nothing is looked for yet."""
        self._archive_home = home
        self._archive_scratch = scratch
        self.use_archive = archive
        self._archive_path = None if path is None else Path(path).expanduser()
        self._archive: Archive | None = None
        self._archive_lock = threading.Lock()

    # ---- the archive -------------------------------------------------------------------------------------------

    @property
    def archive(self) -> Archive:
        """The archive of this account, also where there is none yet: `sync` makes it.

        Its folder is one per account and environment in the user's data folder (or that of ``KFUT_HOME``), or the
        ``path`` that the client was opened with. That of a paper account in memory goes with the process.

        Raises
        ------
        ConfigurationError
            If the exchange does not say which account this is, and no path was given.
        """
        from .archive.archive import Archive

        with self._archive_lock:
            if self._archive is None:
                venue = None if self.env == "archive" else self._venue
                self._archive = Archive(self._archive_path or self._own_folder(), venue, env=self.env)
            return self._archive

    def _own_folder(self) -> Path:
        if self._archive_scratch is not None:
            return self._archive_scratch() / "archive"
        try:
            return layout.own_folder(self.env, self._venue.identity(), self._archive_home)
        except DecodeError as error:
            raise ConfigurationError(
                f"the exchange does not say whose account this is: give a path for its archive ({error})"
            ) from error

    @overload
    def sync(
        self,
        start: TimeLike | None = None,
        *,
        candles: Sequence[Sequence[str]] = (),
        funding: Sequence[str] = (),
        plan_only: Literal[False] = False,
    ) -> SyncResult: ...

    @overload
    def sync(self, start: TimeLike | None = None, *, plan_only: Literal[True]) -> Plan: ...

    def sync(
        self,
        start: TimeLike | None = None,
        *,
        candles: Sequence[Sequence[str]] = (),
        funding: Sequence[str] = (),
        plan_only: bool = False,
    ) -> SyncResult | Plan:
        """Save the account's history in its archive, as far as it is not there yet.

        Account log, executions, fills, order, trigger and position history; funding rates and hourly mark and spot
        candles of what was held; a picture of the account and the market. Each page is on the disk before the next
        one is asked for: whatever ends a sync, the next one goes on from there. Several may run at once.

        Parameters
        ----------
        start
            From when on; by default from the first entry.
        candles
            More candles: ``[("PF_XBTUSD", "1d"), ("PF_ETHUSD", "1h", "mark")]``. They are kept up to date from then on.
        funding
            More contracts whose funding rates are wanted, likewise.
        plan_only
            Only say what would be asked for, and how long it takes.

        Returns
        -------
        SyncResult or Plan
            What has come, or what would be asked.

        Raises
        ------
        ConfigurationError
            If the archive cannot be written, or is another account's.
        VenueError
            If the exchange fails; what came before is kept.
        """
        first, _ = span_of(start, None)
        if plan_only:
            return self.archive.plan(first)
        return self.archive.sync(first, candles=candles, funding=funding)

    def _archive_words(self) -> str:
        """Whether history is read from an archive, for the repr; nothing is asked of the exchange for it."""
        archive = self._archive
        if archive is None or not self.use_archive or not archive.exists:
            return ""
        return ", archive" if archive.until is None else f", archive until {archive.until:%Y-%m-%d %H:%M} UTC"

    def _reading(self) -> Archive | None:
        """The archive that history is read from; None where there is none, or it is not wanted."""
        if not self.use_archive or not layout.consulted():
            return None
        # Whose account this is costs a request: it is asked only where there is an archive of somebody's.
        somebody = self._archive_scratch is None and layout.of_env(self.env, self._archive_home)
        if self._archive is None and self._archive_path is None and not somebody:
            return None
        try:
            archive = self.archive
        except (ConfigurationError, VenueError) as error:
            _log.info("no archive is read from, it is not known whose account this is: %s", error)
            self.use_archive = False
            return None
        return archive if archive.exists else None

    def _history(
        self,
        series: str,
        fetch: Fetch,
        span: tuple[pd.Timestamp | None, pd.Timestamp | None],
        *,
        symbol: str | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        archive = self._reading()
        if archive is None:
            return fetch(*span)
        return archive.read_through(series, fetch, *span, symbol=symbol, exact=exact)

    # ---- of the account ----------------------------------------------------------------------------------------
    # Each walks page after page with a progress bar for a person who waits. Interrupted, it raises FetchInterrupted
    # (a KeyboardInterrupt) whose ``partial`` is the frame of what arrived; failed, a VenueError with the same.

    def fills(self, start: TimeLike | None = None, end: TimeLike | None = None, *, exact: bool = False) -> pd.DataFrame:
        """Fills, newest first, indexed by fill id; without ``start`` the newest hundred.

        Fills carry no fees; the account log and `executions` do. ``exact`` gives numbers as `Decimal`.

        Parameters
        ----------
        start, end
            Time span, such as ``"-30d"`` or a date.
        exact
            Numbers as `Decimal`, just as the exchange wrote them.

        Returns
        -------
        DataFrame
            Table ``fills``.

        Raises
        ------
        FetchInterrupted
            If the kernel was interrupted; ``partial`` has what arrived.
        VenueError
            If the exchange fails; ``partial`` has what arrived.
        """
        span = span_of(start, end)

        def fetch(first: pd.Timestamp | None, last: pd.Timestamp | None) -> pd.DataFrame:
            return self._venue.fills(first, last, exact=exact)

        if span[0] is None:
            return self._stamped(fetch(*span))
        return self._stamped(self._history("fills", fetch, span, exact=exact))

    def account_log(
        self, start: TimeLike | None = None, end: TimeLike | None = None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Account log, oldest first, indexed by entry number; without ``start`` from the first entry.

        The only complete record of fees, funding and realised P&L: pass it to ``kfut.pnl``. ``exact`` gives numbers
        as `Decimal`.

        Parameters
        ----------
        start, end
            Time span, such as ``"-90d"`` or a date.
        exact
            Numbers as `Decimal`, just as the exchange wrote them.

        Returns
        -------
        DataFrame
            Table ``account_log``.

        Raises
        ------
        FetchInterrupted
            If the kernel was interrupted; ``partial`` has what arrived.
        VenueError
            If the exchange fails; ``partial`` has what arrived.
        """

        def fetch(first: pd.Timestamp | None, last: pd.Timestamp | None) -> pd.DataFrame:
            return self._venue.account_log(first, last, exact=exact)

        return self._stamped(self._history("account_log", fetch, span_of(start, end), exact=exact))

    def executions(
        self,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        symbol: str | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Own executions with the fees charged, oldest first, indexed by execution id (the fill id).

        Parameters
        ----------
        start, end
            Time span, such as ``"-30d"`` or a date; without a start from the first event.
        symbol
            Only those of one contract.
        exact
            Numbers as `Decimal`, just as the exchange wrote them.

        Returns
        -------
        DataFrame
            Table ``executions``.

        Raises
        ------
        FetchInterrupted
            If the kernel was interrupted; ``partial`` has what arrived.
        VenueError
            If the exchange fails; ``partial`` has what arrived.
        """
        return self._events("executions", symbol, start, end, exact=exact)

    def order_history(
        self,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        symbol: str | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        """What happened to one's orders, oldest first, one row per event.

        Parameters
        ----------
        start, end, symbol, exact
            As for `executions`, which raises the same.

        Returns
        -------
        DataFrame
            Table ``order_history``.
        """
        return self._events("order_history", symbol, start, end, exact=exact)

    def trigger_history(
        self,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        symbol: str | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        """What happened to one's trigger orders, oldest first, one row per event.

        Parameters
        ----------
        start, end, symbol, exact
            As for `executions`, which raises the same.

        Returns
        -------
        DataFrame
            Table ``trigger_history``.
        """
        return self._events("trigger_history", symbol, start, end, exact=exact)

    def position_history(
        self,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        symbol: str | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Changes of one's positions with realised P&L, fee and funding, oldest first, one row per event.

        Parameters
        ----------
        start, end, symbol, exact
            As for `executions`, which raises the same.

        Returns
        -------
        DataFrame
            Table ``position_history``.
        """
        return self._events("position_history", symbol, start, end, exact=exact)

    def _events(
        self, series: str, symbol: str | None, start: TimeLike | None, end: TimeLike | None, *, exact: bool
    ) -> pd.DataFrame:
        ask: Callable[..., pd.DataFrame] = getattr(self._venue, series)

        def fetch(first: pd.Timestamp | None, last: pd.Timestamp | None) -> pd.DataFrame:
            return ask(symbol, first, last, exact=exact)

        return self._stamped(self._history(series, fetch, span_of(start, end), symbol=symbol, exact=exact))

    # ---- of contracts ------------------------------------------------------------------------------------------

    def candles(
        self,
        symbol: str | Sequence[str],
        resolution: str = "1h",
        *,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        tick_type: str = "trade",
        exact: bool = False,
    ) -> pd.DataFrame:
        """Candles of a contract, indexed by their start time, oldest first.

        Parameters
        ----------
        symbol
            Contract, or several; several are fetched side by side, and their symbol becomes the first index level.
        resolution
            One of 1m 5m 15m 30m 1h 4h 12h 1d 1w.
        start, end
            Time span, such as ``"-30d"``; without a start, what one request returns.
        tick_type
            ``trade``, ``mark`` or ``spot`` prices.
        exact
            Numbers as `Decimal`, just as the exchange wrote them.

        Returns
        -------
        DataFrame
            Table ``candles``.

        Raises
        ------
        NotFoundError
            If there is no such contract; the error names those that are near.
        FetchInterrupted
            If the kernel was interrupted; ``partial`` has what arrived.
        VenueError
            If the exchange fails; ``partial`` has what arrived.
        """
        settings.one_of("resolution", resolution, RESOLUTIONS)
        settings.one_of("tick_type", tick_type, TICK_TYPES)
        span = span_of(start, end)

        def of(one: str) -> pd.DataFrame:
            def fetch(first: pd.Timestamp | None, last: pd.Timestamp | None) -> pd.DataFrame:
                return self._venue.candles(one, resolution, tick_type, first, last, exact=exact)

            if span[0] is None:
                return fetch(*span)
            # Charts are asked in full seconds.
            return self._history(
                layout.candles(one, resolution, tick_type), fetch, (span[0].floor("s"), span[1]), exact=exact
            )

        return self._each_symbol(symbol, of)

    def funding_rates(
        self,
        symbol: str | Sequence[str],
        *,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Historical funding rates of a perpetual (or several), indexed by the start of each period, oldest first.

        ``funding_rate`` is absolute (currency per contract and hour), ``relative_funding_rate`` a fraction per hour;
        longs pay when positive.

        Parameters
        ----------
        symbol
            Contract, or several; several are fetched side by side, and their symbol becomes the first index level.
        start, end
            Time span, such as ``"-30d"``; without a start from the first rate.
        exact
            Numbers as `Decimal`, just as the exchange wrote them.

        Returns
        -------
        DataFrame
            Table ``funding_rates``.

        Raises
        ------
        NotFoundError
            If there is no such contract; the error names those that are near.
        FetchInterrupted
            If the kernel was interrupted; ``partial`` has what arrived.
        VenueError
            If the exchange fails; ``partial`` has what arrived.
        """
        span = span_of(start, end)

        def of(one: str) -> pd.DataFrame:
            def fetch(first: pd.Timestamp | None, last: pd.Timestamp | None) -> pd.DataFrame:
                return self._venue.funding_rates(one, first, last, exact=exact)

            return self._history(layout.funding(one), fetch, span, exact=exact)

        return self._each_symbol(symbol, of)

    # ---- shared by all calls -----------------------------------------------------------------------------------

    def _for_symbol(self, symbol: str, fetch: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
        """A contract's frame; if the exchange refuses the symbol, the error names those that are near."""
        if not isinstance(symbol, str) or not symbol.strip():
            raise ArgumentError(f"symbol={symbol!r}: name a contract such as 'PF_XBTUSD'")
        symbol = symbol.strip()
        try:
            return fetch(symbol)
        except (InvalidRequestError, NotFoundError) as error:
            try:
                instruments = self._venue.instruments()
            except VenueError:
                raise error from None
            if symbol.upper() not in instruments.index:
                raise unknown_symbol(symbol.upper(), instruments, error) from None
            return fetch(symbol)  # the exchange's own spelling is known now

    def _each_symbol(self, symbol: str | Sequence[str], fetch: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
        """One symbol's frame, or those of several, fetched side by side, with the symbol as first index level."""
        if isinstance(symbol, str):
            return self._stamped(self._for_symbol(symbol, fetch), symbol)
        symbols = [str(one).strip() for one in symbol]
        if not symbols:
            raise ArgumentError("symbol is empty: name at least one contract")
        return self._stamped(fetch_each(symbols, lambda one: self._for_symbol(one, fetch)))

    def _stamped(self, frame: pd.DataFrame, symbol: str | None = None) -> pd.DataFrame:
        """The frame with its environment and the only contract it is of, which charts and reports show."""
        frame.attrs["env"] = self.env
        if symbol is not None:
            frame.attrs["symbol"] = symbol.strip().upper()
        return frame


def span_of(start: TimeLike | None, end: TimeLike | None) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """The two ends of a span of time that a caller gives; None where it is open.

    Raises
    ------
    ArgumentError
        If it begins in the future, or its ends are exchanged.
    """
    now = utc_now()
    first = None if start is None else parse_time(start, name="start", now=now)
    last = None if end is None else parse_time(end, name="end", now=now)
    if first is not None and first > now:
        raise ArgumentError(f"start={start!r} is in the future: give a time before now, such as '-30d'")
    if first is not None and last is not None and first > last:
        raise ArgumentError(f"start={start!r} is later than end={end!r}: exchange them")
    return first, last
