"""A read-only venue of what was synced: a client works on it with no exchange at all."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from .. import schema
from ..account import Account, Balances
from ..errors import ConfigurationError, NotArchived
from . import history, layout, picture
from .ranges import FOREVER, Spans, asked, stamp
from .store import Store

_log = logging.getLogger("kfut_analytics.archive")

_FILLS = 100
"""Fills without a start: the newest, as many as the exchange gives."""


class ArchiveVenue:
    """What an archive holds, as a venue.

    History is what was synced; what is held now is the last picture, whose frames say in ``attrs["as_of"]`` of when
    they are.

    Parameters
    ----------
    path
        The archive's folder.

    Raises
    ------
    ConfigurationError
        If there is no archive, or it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._store = Store(Path(path).expanduser())
        found = self._store.manifest
        self._identity, self._env = found.account, "archive"
        self._warned: set[str] = set()

    # ---- the last picture --------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Callable[..., pd.DataFrame]:
        """Tables of the picture by the venue's own names; everything else is not here."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name in picture.NAMES:
            return partial(self._pictured, name)

        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise NotArchived(
                f"an archive has no {name.replace('_', ' ')}, and it can change nothing: "
                "open a client of the exchange with kfut.connect('live')"
            )

        return refuse

    def _pictured(self, name: str, symbol: str | None = None) -> pd.DataFrame:
        """A table of the picture, or its rows of one contract."""
        frame = picture.table(self._store, name)
        if symbol is None:
            return frame
        symbols = frame.index if frame.index.name == "symbol" else frame["symbol"]
        return frame[symbols == symbol.upper()]

    def account(self) -> Account:
        """The multi-collateral wallet's figures, of when the picture was taken."""
        return self.balances().account

    def balances(self) -> Balances:
        """All wallets of the picture."""
        return picture.balances(self._store, self._env)

    def account_margin_tiers(self) -> pd.DataFrame:
        """Tiers of the account's own schedule; empty where there were none."""
        try:
            return picture.table(self._store, "account_margin_tiers")
        except NotArchived:
            return schema.MARGIN_TIERS.frame({})

    # ---- history -----------------------------------------------------------------------------------------------

    def fills(self, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False) -> pd.DataFrame:
        """Fills, newest first; without ``start`` the newest hundred."""
        frame = self._read("fills", start, end, exact=exact)
        return frame if start is not None else frame.iloc[:_FILLS]

    def account_log(self, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False) -> pd.DataFrame:
        """Account log, oldest first; entries that only an imported CSV has are among them."""
        found = self._store.manifest.series
        if layout.IMPORTED not in found:
            return self._read("account_log", start, end, exact=exact)
        spans = Spans([asked(start, end)])
        frames = [history.read(self._store, name, spans, exact=exact) for name in ("account_log", layout.IMPORTED)]
        return history.joined(layout.KINDS["account_log"], frames)

    def executions(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Own executions, oldest first."""
        return self._read("executions", start, end, symbol=symbol, exact=exact)

    def order_history(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Events of own orders, oldest first."""
        return self._read("order_history", start, end, symbol=symbol, exact=exact)

    def trigger_history(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Events of own trigger orders, oldest first."""
        return self._read("trigger_history", start, end, symbol=symbol, exact=exact)

    def position_history(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Changes of own positions, oldest first."""
        return self._read("position_history", start, end, symbol=symbol, exact=exact)

    def candles(
        self,
        symbol: str,
        resolution: str,
        tick_type: str,
        start: pd.Timestamp | None,
        end: pd.Timestamp | None,
        *,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Candles that were kept, oldest first."""
        return self._read(layout.candles(symbol, resolution, tick_type), start, end, exact=exact)

    def funding_rates(
        self, symbol: str, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Funding rates that were kept, oldest first."""
        return self._read(layout.funding(symbol), start, end, exact=exact)

    def _read(
        self,
        series: str,
        start: pd.Timestamp | None,
        end: pd.Timestamp | None,
        *,
        symbol: str | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        found = self._store.manifest
        if series not in found.series:
            raise NotArchived(self._lacking(series))
        span = asked(start, end)
        until = min(span[1], FOREVER if found.synced is None else found.synced)
        missing = Spans([(span[0], until)]) - found.of(series).spans
        if missing and series in layout.OF_ACCOUNT and series not in self._warned:
            self._warned.add(series)
            (first, last), *others = missing
            _log.warning(
                "the archive in %s does not hold the %s from %s to %s%s", self._store.folder, series.replace("_", " "),
                "the beginning" if not first else f"{stamp(first):%Y-%m-%d %H:%M}", f"{stamp(last):%Y-%m-%d %H:%M} UTC",
                f" and {len(others)} more times" if others else "",
            )  # fmt: skip
        return history.read(self._store, series, Spans([span]), symbol=symbol, exact=exact)

    def _lacking(self, series: str) -> str:
        parts = layout.parts_of(series)
        if "resolution" in parts:
            what = f"{parts['tick_type']} candles of {parts['symbol']} of {parts['resolution']}"
            how = f"candles=[({parts['symbol']!r}, {parts['resolution']!r}, {parts['tick_type']!r})]"
        elif "symbol" in parts:
            what, how = f"funding rates of {parts['symbol']}", f"funding=[{parts['symbol']!r}]"
        else:
            what, how = series.replace("_", " "), ""
        return (
            f"the archive in {self._store.folder} has no {what}: a client of the exchange keeps them with "
            f"client.sync({how})"
        )

    # ---- the object itself -------------------------------------------------------------------------------------

    def identity(self) -> str:
        """The account's uid."""
        return self._identity

    def close(self) -> None:
        """There is nothing to close."""


def open_venue(path: str | os.PathLike[str] | None) -> ArchiveVenue:
    """The venue of an archive.

    Raises
    ------
    ConfigurationError
        If no path is given, or there is no archive.
    """
    if path is None:
        raise ConfigurationError(
            "kfut.connect('archive') needs path=…, the folder of an archive: client.archive.folder of a client that "
            "has synced"
        )
    return ArchiveVenue(path)
