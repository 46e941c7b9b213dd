"""History page by page, for who keeps each page before the next one is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

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
        self, table: str, start: pd.Timestamp | None, end: pd.Timestamp | None, *, known: int = 0
    ) -> Iterator[pd.DataFrame]:
        """Frames of ``account_log``, ``executions``, ``order_history``, … oldest first, numbers as `Decimal`.

        Parameters
        ----------
        table
            Its name.
        start, end
            Span of time; rows just outside of it may be among them.
        known
            An entry of the account log, with which the pages begin; few others are expected to follow it.
        """
        with Progress(f"sync: {table.replace('_', ' ')}") as bar:
            pages, bulk = self._pages(table, (start, end), known, bar)
            for page in pages:
                bar.add(len(page))
                yield bulk.frame([page], exact=True)

    def _pages(self, table: str, span: paging.Span, known: int, bar: Progress) -> tuple[paging.Pages, decode.Bulk]:
        if table == "account_log":
            return paging.account_log(self._session, span, bar, exact=True, known=known), decode.ACCOUNT_LOG
        name, bulk = _EVENTS[table]
        return paging.events(self._session, endpoints.OPERATIONS[name], {}, {}, span, bar, exact=True), bulk

    def newest_entry(self) -> int:
        """Number of the newest entry of the account log, 0 where there is none; costs one token."""
        body = self._session.request(endpoints.ACCOUNT_LOG, {"sort": "desc", "count": 1})
        frame = decode.ACCOUNT_LOG.frame([decode.rows(body, "logs")])
        return int(frame.index.max()) if len(frame) else 0
