"""What a sync would ask for, before it asks: requests, tokens, minutes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ..times import utc_now
from . import layout
from .manifest import Series
from .ranges import FOREVER, Spans, micros
from .selection import STEPS
from .store import Store

if TYPE_CHECKING:
    from ..venue import Venue

_POOLS = {"history": (100, 600.0), "derivatives": (500, 10.0)}
"""Tokens and seconds of the exchange's pools (api-facts 5)."""

_PER_REQUEST = 0.5
"""Seconds that a request takes on a usual connection."""

_COSTS = {"account_log": (1000, 3, "history"), "fills": (100, 25, "derivatives")}
_EVENTS = (1000, 1, "history")
"""Rows per request, tokens per request, pool."""

_SHARE = {"account_log": 1.0, "executions": 0.5, "fills": 0.5, "position_history": 0.6, "order_history": 0.6,
          "trigger_history": 0.1}  # fmt: skip
"""Rows per entry of the account log, roughly: an execution is booked in two entries, funding in one."""


@dataclass(frozen=True)
class Plan:
    """What a sync would ask for.

    Attributes
    ----------
    frame
        By series: rows (an estimate but for the account log), requests, tokens, and the pool they are from.
    """

    frame: pd.DataFrame

    @property
    def requests(self) -> int:
        """Requests in all."""
        return int(self.frame["requests"].sum())

    @property
    def tokens(self) -> int:
        """Tokens of the history pool, which is the one that one waits for."""
        return int(self.frame.loc[self.frame["pool"] == "history", "tokens"].sum())

    @property
    def minutes(self) -> float:
        """How long it takes, roughly: the exchange gives 100 tokens of history in ten minutes."""
        waiting = 0.0
        for pool, (capacity, period) in _POOLS.items():
            tokens = int(self.frame.loc[self.frame["pool"] == pool, "tokens"].sum())
            waiting = max(waiting, max(math.ceil(tokens / capacity) - 1, 0) * period)
        return (waiting + self.requests * _PER_REQUEST) / 60

    def __str__(self) -> str:
        minutes = math.ceil(self.minutes)
        long = "less than a minute" if minutes <= 1 else f"{minutes:,} minutes"
        return f"about {self.requests:,} requests, {self.tokens:,} tokens of history, {long}"

    def __repr__(self) -> str:
        return f"{self}\n{self.frame.to_string()}"


def plan(store: Store, venue: Venue, start: pd.Timestamp | None) -> Plan:
    """Look at what is held, and ask the exchange for the number of the newest entry (one token)."""
    known = store.manifest.series if store.exists else {}
    log = known.get("account_log", Series())
    newest = venue.newest_entry()
    begin = 0 if start is None else micros(start)
    rows: list[tuple[str, int, int, int, str]] = []
    for series in layout.OF_ACCOUNT:
        spans = known.get(series, Series()).spans
        missing = Spans([(begin, FOREVER)]) - spans
        only_newest = len(missing) == 1 and spans.end is not None and spans.end in missing
        # How older entries are spread through time is not known: there are at most all of them.
        entries = newest - log.newest_id if only_newest else newest - log.rows
        expected = math.ceil(max(entries, 0) * _SHARE[series])
        size, tokens, pool = _COSTS.get(series, _EVENTS)
        booked = series not in ("order_history", "trigger_history", "account_log")
        requests = 0 if booked and only_newest and not expected else max(math.ceil(expected / size), len(missing))
        rows.append((series, expected, requests, requests * tokens, pool))
    rows += _of_contracts(known)
    columns = ["series", "rows", "requests", "tokens", "pool"]
    return Plan(pd.DataFrame(rows, columns=columns).set_index("series"))


def _of_contracts(known: dict[str, Series]) -> list[tuple[str, int, int, int, str]]:
    """Funding rates and candles that are held go on; public data costs no tokens."""
    now = micros(utc_now())
    rows = []
    for name, series in known.items():
        step = STEPS[layout.parts_of(name).get("resolution", "1h")] // pd.Timedelta(microseconds=1)
        if name.startswith(("funding_rates/", "candles/")) and series.spans.end is not None:
            new = (now - series.spans.end) // step
            rows.append((name, new, min(new, 1), 0, ""))
    return rows
