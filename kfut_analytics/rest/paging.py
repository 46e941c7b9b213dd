"""Walking through pages: each endpoint's own rule, the next page on its way while the last one is read.

Every walk yields lists of rows, drops rows seen before (pages may overlap at their borders), and ends when a page
brings nothing new, so that a server that always says "there is more" is not asked for ever.
"""

from __future__ import annotations

import gc
import logging
import queue
import threading
from collections.abc import Generator
from types import TracebackType
from typing import Any

import pandas as pd

from ..errors import NotFoundError
from ..times import epoch_ms, epoch_s, iso
from . import decode, endpoints, typed
from .decode import Row
from .endpoints import OPERATIONS, Operation
from .progress import Progress
from .session import GENERAL, RestSession

_log = logging.getLogger("kfut_analytics.rest")

Span = tuple[pd.Timestamp | None, pd.Timestamp | None]
Pages = Generator[list[Row], None, None]

EVENTS_PAGE = 1000
"""Events per request; the exchange caps the lists there silently (api-facts 3C)."""

LOG_PAGE = 1000
"""Entries asked for per account-log request: the largest page whose cost is 3 tokens (api-facts 5.2)."""

LOG_PAGE_DEFAULT, LOG_PAGE_SMALL = 500, 25
"""The exchange's own page, and the largest whose cost is one token."""

FILLS_PAGE = 100
"""Fills the exchange returns at most per request (api-facts 3B)."""

_MILLISECOND = pd.Timedelta(milliseconds=1)


def events(
    session: RestSession,
    operation: Operation,
    params: dict[str, Any],
    path: dict[str, str],
    span: Span,
    bar: Progress,
    *,
    exact: bool = False,
) -> Pages:
    """Elements of the history lists, oldest first, by ``continuation_token`` with the same sort."""
    start, end = span
    # Whether the bounds are inclusive is not published: ask one millisecond more on either side.
    query: dict[str, Any] = {
        **params,
        "sort": "asc",
        "count": EVENTS_PAGE,
        "since": None if start is None else epoch_ms(start) - 1,
        "before": None if end is None else epoch_ms(end) + 2,
    }
    reader = typed.EXECUTIONS if operation.name == "executions" else GENERAL
    seen: set[str] = set()
    while True:
        body = session.request(operation, query, path, bar.waiting, exact=exact, reader=reader)
        page = _new(decode.rows(body, "elements"), "uid", seen)
        if page:
            yield page
        token = body.get("continuationToken")
        if not token or not page or token == query.get("continuation_token"):
            return
        query["continuation_token"] = token


def _new(page: list[Row], name: str, seen: set[str]) -> list[Row]:
    """The rows whose id was not seen before; a row without one is its own id."""
    keys = typed.column(page, name) if typed.are_typed(page) else [str(row.get(name) or row) for row in page]
    fresh = set(keys)
    if len(fresh) == len(page) and seen.isdisjoint(fresh):
        seen |= fresh
        return page
    found = []
    for key, row in zip(keys, page, strict=True):
        if key not in seen:
            seen.add(key)
            found.append(row)
    return found


def account_log(session: RestSession, span: Span, bar: Progress, *, exact: bool = False, known: int = 0) -> Pages:
    """Entries of the account log, oldest first, by entry number, until the exchange has no more.

    Parameters
    ----------
    known
        The entry to begin with, one that is known; few others are expected to follow it.
    """
    start, end = span
    query: dict[str, Any] = {
        "sort": "asc",
        "count": LOG_PAGE_SMALL if known else LOG_PAGE,
        "from": known or None,
        "since": None if start is None else epoch_ms(start) - 1,
        "before": None if end is None else epoch_ms(end) + 2,
    }
    last = known - 1
    while True:
        body = session.request(endpoints.ACCOUNT_LOG, query, None, bar.waiting, exact=exact, reader=typed.ACCOUNT_LOG)
        whole = decode.rows(body, "logs")
        ids = typed.column(whole, "id") if typed.are_typed(whole) else [_entry_number(row) for row in whole]
        page = whole if ids and min(ids) > last else [row for row, i in zip(whole, ids, strict=True) if i > last]
        if not page:
            return
        yield page
        if known and len(whole) < query["count"] <= LOG_PAGE_SMALL:
            return  # such small pages are not capped
        last = max(ids)
        query["from"] = last + 1
        # The exchange may cap a page silently. After a short one the next question is a small one that costs a token
        # instead of three: its answer is empty at the end of the log.
        query["count"] = LOG_PAGE if len(page) >= min(query["count"], LOG_PAGE_DEFAULT) else LOG_PAGE_SMALL


def _entry_number(row: Row) -> int:
    number = row.get("id")
    return number if type(number) is int else int(decode.number(number, "id"))


def fills(session: RestSession, span: Span, bar: Progress, *, exact: bool = False) -> Pages:
    """Fills, newest first, by ``lastFillTime``, until there are none older; without a start the newest page."""
    start, end = span
    before = None if end is None else end + _MILLISECOND
    seen: set[str] = set()
    while True:
        params = {"lastFillTime": None if before is None else iso(before)}
        whole = decode.rows(session.request(endpoints.FILLS, params, None, bar.waiting, exact=exact), "fills")
        page = _new(whole, "fill_id", seen)
        if page:
            yield page
        if start is None or not whole:
            return
        oldest = decode.FILLS.frame([whole])["time"].min()
        if pd.isna(oldest) or oldest < start:
            return
        # The bound is exclusive and in milliseconds: asking one millisecond later cannot lose a fill of the same
        # instant at a page's border, and those seen before are dropped.
        following = oldest.floor("ms") + _MILLISECOND
        if before is not None and following >= before:
            following = before - _MILLISECOND  # nothing older came: step over this instant
            if not page and oldest >= before:
                return  # the bound is not heeded
            if len(whole) >= FILLS_PAGE:
                _log.warning(
                    "more fills at %s than one answer holds: some of that instant may be missing; the account log and "
                    "the executions have them all",
                    iso(oldest),
                )
        before = following


def candles(session: RestSession, path: dict[str, str], span: Span, bar: Progress, *, exact: bool = False) -> Pages:
    """Candles, oldest first, by their time while ``more_candles``; without a start one page."""
    start, end = span
    since = None if start is None else epoch_s(start)
    until = None if end is None else epoch_s(end)
    while True:
        body = session.request(endpoints.CANDLES, {"from": since, "to": until}, path, bar.waiting, exact=exact)
        page = decode.rows(body, "candles")
        yield page
        newest = max((int(decode.number(candle.get("time"), "time")) for candle in page), default=0) // 1000
        if since is None or not body.get("more_candles") or newest < since:
            return
        since = newest + 1


def recent_trades(session: RestSession, symbol: str, bar: Progress, *, exact: bool = False) -> Pages:
    """The newest hundred trades of a market, newest first."""
    body = session.request(OPERATIONS["history"], {"symbol": symbol}, None, bar.waiting, exact=exact)
    yield decode.rows(body, "history")


def funding_rates(session: RestSession, symbol: str, bar: Progress, *, exact: bool = False) -> Pages:
    """The whole funding history of a perpetual, oldest first: one page.

    The documented path is missing on some deployments; its undocumented twin answers there (api-facts 1.1).
    """
    try:
        body = session.request(
            OPERATIONS["historical_funding_rates"], {"symbol": symbol}, None, bar.waiting, exact=exact
        )
    except NotFoundError:
        body = session.request(
            OPERATIONS["historical_funding_rates_v4"], {"symbol": symbol}, None, bar.waiting, exact=exact
        )
    yield decode.rows(body, "rates")


class _RareCollections:
    """Cycles are searched for less often while someone is inside; fetches may overlap.

    A page is many small objects without cycles that are soon let go. By default each seven hundred of them start a
    search, which takes as long as reading the page.
    """

    _EVERY = 50_000
    """More objects than a few pages have."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = (0, 0, 0)

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = gc.get_threshold()
                if 0 < self._before[0] < self._EVERY:
                    gc.set_threshold(self._EVERY, *self._before[1:])
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                gc.set_threshold(*self._before)


_RARE_COLLECTIONS = _RareCollections()


def _wait_for(found: queue.Queue[Any]) -> Any:
    """The next item; waiting in short stretches, since on Windows an endless wait cannot be interrupted."""
    while True:
        try:
            return found.get(timeout=0.5)
        except queue.Empty:
            continue


def ahead(pages: Pages, bar: Progress) -> Pages:
    """The same pages, the next one fetched by a thread while the caller reads the last one.

    What the walk raises is raised here, after the pages that came before it.
    """
    found: queue.Queue[list[Row] | BaseException | None] = queue.Queue(maxsize=2)
    stopped = threading.Event()

    def put(item: list[Row] | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return found.put(item, timeout=0.1)
            except queue.Full:
                continue

    def walk() -> None:
        try:
            for page in pages:
                put(page)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=walk, name="kfut-pages", daemon=True)
    thread.start()
    try:
        with _RARE_COLLECTIONS:
            while (item := _wait_for(found)) is not None:
                if isinstance(item, BaseException):
                    raise item
                bar.add(len(item))
                yield item
    finally:
        stopped.set()
