"""History page by page, for who keeps each page before the next one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ..times import parse_time
from . import decode, endpoints, history, paging
from .progress import Progress
from .session import RestSession

_EVENTS = {
    "executions": ("executions", history.EXECUTIONS),
    "order_history": ("orders", history.ORDERS),
    "trigger_history": ("triggers", history.TRIGGERS),
    "position_history": ("positions", history.POSITIONS),
}
"""By table its operation, and how it is read."""


class Walks:
    """The part of the REST venue that walks through history."""

    _session: RestSession

    def history_pages(
        self, table: str, start: pd.Timestamp | None, end: pd.Timestamp | None, *, after: int = 0
    ) -> Iterator[pd.DataFrame]:
        """Frames of ``account_log``, ``executions``, ``order_history``, … oldest first, numbers as `Decimal`.

        ``attrs["as_of"]`` has the exchange's time of the answer, where it tells it; a frame may be empty.

        Parameters
        ----------
        table
            Its name.
        start, end
            Span of time; rows just outside of it may be among them.
        after
            Entries of the account log up to this number are left out; a few are expected then.
        """
        with Progress(f"sync: {table.replace('_', ' ')}") as bar:
            for page, as_of, bulk in self._pages(table, (start, end), after, bar):
                bar.add(len(page))
                yield _framed(bulk, page, as_of)

    def _pages(
        self, table: str, span: paging.Span, after: int, bar: Progress
    ) -> Iterator[tuple[list[decode.Row], Any, decode.Bulk]]:
        if table == "account_log":
            count = paging.LOG_PAGE_SMALL if after else paging.LOG_PAGE
            for page in paging.account_log(self._session, span, bar, exact=True, after=after, count=count):
                yield page, None, decode.ACCOUNT_LOG
            return
        name, bulk = _EVENTS[table]
        operation = endpoints.OPERATIONS[name]
        for page, as_of in paging.dated_events(self._session, operation, {}, {}, span, bar, exact=True):
            yield page, as_of, bulk

    def newest_entry(self) -> int:
        """Number of the newest entry of the account log, 0 where there is none; costs one token."""
        body = self._session.request(endpoints.ACCOUNT_LOG, {"sort": "desc", "count": 1})
        frame = decode.ACCOUNT_LOG.frame([decode.rows(body, "logs")])
        return int(frame.index.max()) if len(frame) else 0


def _framed(bulk: decode.Bulk, page: list[decode.Row], as_of: Any) -> pd.DataFrame:
    frame = bulk.frame([page] if page else [], exact=True)
    if isinstance(as_of, (str, int, float)) and as_of:
        frame.attrs["as_of"] = (
            parse_time(as_of) if isinstance(as_of, str) else pd.Timestamp(int(as_of), unit="ms", tz="UTC")
        )
    return frame
