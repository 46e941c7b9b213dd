"""Reading history: what is held comes from the archive, the rest from the exchange, together what that would give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from ..errors import FetchInterrupted, VenueError
from .layout import Kind, kind_of
from .ranges import Spans, asked, bounds
from .rows import to_frame
from .store import Store

Fetch = Callable[[pd.Timestamp | None, pd.Timestamp | None], pd.DataFrame]

_MOST = 8
"""If more spans than this are missing, the exchange is asked for everything between the first and the last."""


def read(
    store: Store, series: str, spans: Spans | None, *, symbol: str | None = None, exact: bool = False
) -> pd.DataFrame:
    """The canonical frame of what is held of some times, in the order in which a client gives it."""
    kind = kind_of(series)
    rows = store.table(series, spans)
    frame = to_frame(kind.table, rows, exact=exact)
    if symbol is not None:
        frame = frame[(frame["symbol"] == symbol.strip().upper()).to_numpy()]
    return frame if kind.oldest_first else frame.iloc[::-1]


def read_through(
    store: Store,
    series: str,
    fetch: Fetch,
    start: pd.Timestamp | None,
    end: pd.Timestamp | None,
    *,
    symbol: str | None = None,
    exact: bool = False,
) -> pd.DataFrame:
    """What the exchange gives of a span of time; only what is not held is asked for.

    Raises
    ------
    FetchInterrupted, VenueError
        If the exchange could not be read to the end; ``partial`` holds what is held and what arrived.
    """
    wanted = Spans([asked(start, end)])
    held = wanted & store.manifest.of(series).spans
    if not held:
        return fetch(start, end)
    missing = list(wanted - held)
    if len(missing) > _MOST:
        missing = [(missing[0][0], missing[-1][1])]
        held = held - Spans(missing)
    kind = kind_of(series)
    parts = [read(store, series, held, symbol=symbol, exact=exact)]
    try:
        for span in missing:
            parts.append(fetch(*bounds(span)))
    except FetchInterrupted as error:
        raise FetchInterrupted(str(error), joined(kind, [*parts, error.partial])) from None
    except VenueError as error:
        error.partial = joined(kind, parts if error.partial is None else [*parts, error.partial])
        raise
    return joined(kind, parts)


def joined(kind: Kind, parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Frames of one table as one, in the order in which a client gives it; of equal keys the first counts."""
    full = [part for part in parts if len(part)] or parts[:1]
    if len(full) == 1:
        return full[0]
    oldest_first = [part if kind.oldest_first else part.iloc[::-1] for part in full]
    attrs = full[0].attrs
    whole: pd.DataFrame = pd.concat(oldest_first)
    keys: Any = whole.index if kind.key == kind.table.index else whole[kind.key]
    whole = whole[~keys.duplicated()]
    if kind.table.index in ("id", "time"):
        whole = whole.sort_index(kind="stable")
    else:
        whole = whole.sort_values("time", kind="stable")
    whole.attrs = attrs
    return whole if kind.oldest_first else whole.iloc[::-1]
