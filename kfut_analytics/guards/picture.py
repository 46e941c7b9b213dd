"""What a look at brackets sees: open orders, then fills, then positions, each read once and as cheaply as possible.

The order counts. An order that is not open any more has all its fills in those that are read afterwards, and so has a
position that is not there any more; as far as the exchange's records keep up with its engine (`watch.SETTLE`).
"""

from __future__ import annotations

import threading
import time
from functools import cached_property

import pandas as pd

from .. import schema
from ..venue import Venue

_LATE = pd.Timedelta(seconds=60)
"""By how much a fill may be listed after one that is younger."""


class Fills:
    """What orders have filled, by the client's id: every fill is read once, and then only what is new.

    A bracket may stand for days, and its account's fills of that time would cost more tokens than there are.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._lock = threading.Lock()
        self._since: pd.Timestamp | None = None
        self._newest: pd.Timestamp | None = None
        self._known: dict[str, tuple[str, float]] = {}

    def sizes(self, since: pd.Timestamp) -> dict[str, float]:
        """Contracts filled since then, or since earlier, read now."""
        with self._lock:
            start = since
            if self._since is not None and self._newest is not None and self._since <= since:
                start = max(since, self._newest - _LATE)
            frame = self._venue.fills(start, None)
            self._since = since if self._since is None else min(self._since, since)
            self._newest = max((one for one in (self._newest, frame["time"].max()) if not pd.isna(one)), default=None)
            mine = frame[frame["cli_ord_id"].notna()]
            self._known |= {
                str(fill_id): (str(cli_ord_id), float(size))
                for fill_id, cli_ord_id, size in zip(mine.index, mine["cli_ord_id"], mine["size"], strict=True)
            }
            sizes: dict[str, float] = {}
            for cli_ord_id, size in self._known.values():
                sizes[cli_ord_id] = sizes.get(cli_ord_id, 0.0) + size
        return sizes


class Picture:
    """The exchange's records at about one moment.

    Attributes
    ----------
    read_at
        When reading began, by this machine's monotonic clock.
    """

    def __init__(self, venue: Venue, fills: Fills, since: pd.Timestamp) -> None:
        self.read_at = time.monotonic()
        self._venue = venue
        self._fills = fills
        self._since = since

    @property
    def age(self) -> float:
        """Seconds since reading began."""
        return time.monotonic() - self.read_at

    @cached_property
    def resting(self) -> pd.DataFrame:
        """Frame ``open_orders`` by the client's id; of a trigger and the order that it has sent, the latter."""
        orders = self._venue.open_orders()
        named = orders[orders["cli_ord_id"].notna()].sort_values("received_time", kind="stable")
        return named.drop_duplicates("cli_ord_id", keep="last").set_index("cli_ord_id")

    @cached_property
    def sizes(self) -> dict[str, float]:
        """Contracts filled, by the client's id."""
        _ = self.resting
        return self._fills.sizes(self._since)

    @cached_property
    def held(self) -> dict[str, float]:
        """Signed contracts of the positions."""
        _ = self.sizes
        # Quotes are of no interest here, and all of them each second would be a lot of data.
        signed = self._venue.positions(schema.TICKERS.frame({}))["signed_size"]
        return {str(symbol): float(size) for symbol, size in signed.items()}
