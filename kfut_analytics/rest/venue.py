"""The REST venue: the seam's methods, each one or a few requests and a frame."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ..account import Account
from ..contracts import plain, to_decimal
from ..errors import VenueError
from ..orders import CancelResult, Order, OrderResult
from ..times import epoch_ms, epoch_s, iso
from . import decode, endpoints, order_events
from .session import RestSession

_log = logging.getLogger("kfut_analytics.rest")

_LOG_PAGE = 1000
"""Entries asked for per account-log request: the largest page whose cost is 3 tokens (api-facts 5.2)."""

_LOG_PAGE_CAP = 500
"""A page shorter than this is the last: the exchange may cap a page silently, but not below its default count."""

_FILLS_PAGE = 100
"""Fills the exchange returns at most per request (api-facts 3B)."""


class RestVenue:
    """The exchange behind its REST API.

    Parameters
    ----------
    session
        Sends the requests.
    env
        ``live`` or ``paper``, for the figures that carry it.
    """

    def __init__(self, session: RestSession, env: str) -> None:
        self._session = session
        self._env = env
        self._wire_symbols: dict[str, str] = {}

    def instruments(self) -> pd.DataFrame:
        """Frame ``instruments``."""
        return decode.instruments(self._fetch_instruments())

    def margin_tiers(self) -> pd.DataFrame:
        """Frame ``margin_tiers``."""
        return decode.margin_tiers(self._fetch_instruments())

    def _fetch_instruments(self) -> dict[str, Any]:
        body = self._session.request(endpoints.INSTRUMENTS)
        self._wire_symbols = decode.wire_symbols(body)
        return body

    def _wire(self, symbol: str) -> str:
        """The exchange's exact spelling of a symbol; some hold lower-case letters (``PF_AAPLxUSD``)."""
        return self._wire_symbols.get(symbol.upper(), symbol.upper())

    def tickers(self) -> pd.DataFrame:
        """Frame ``tickers``."""
        return decode.tickers(self._session.request(endpoints.TICKERS))

    def indices(self) -> pd.DataFrame:
        """Frame ``indices``."""
        return decode.indices(self._session.request(endpoints.TICKERS))

    def order_book(self, symbol: str) -> pd.DataFrame:
        """Frame ``order_book``."""
        return decode.order_book(self._session.request(endpoints.ORDER_BOOK, {"symbol": self._wire(symbol)}))

    def candles(
        self,
        symbol: str,
        resolution: str,
        tick_type: str,
        start: pd.Timestamp | None,
        end: pd.Timestamp | None,
    ) -> pd.DataFrame:
        """Frame ``candles``, oldest first; without ``start`` what one request returns."""
        frame = decode.candles(self._candle_pages(symbol, resolution, tick_type, start, end))
        frame = frame[~frame.index.duplicated()].sort_index()
        if start is not None:
            frame = frame[frame.index >= start.floor("s")]
        return frame if end is None else frame[frame.index <= end]

    def _candle_pages(
        self,
        symbol: str,
        resolution: str,
        tick_type: str,
        start: pd.Timestamp | None,
        end: pd.Timestamp | None,
    ) -> Iterator[list[decode.Row]]:
        path = {"tick_type": tick_type, "symbol": self._wire(symbol), "resolution": resolution}
        since = None if start is None else epoch_s(start)
        until = None if end is None else epoch_s(end)
        while True:
            body = self._session.request(endpoints.CANDLES, {"from": since, "to": until}, path)
            page = decode.rows(body, "candles")
            yield page
            newest = max((int(decode.number(candle.get("time"), "time")) for candle in page), default=0) // 1000
            if start is None or not body.get("more_candles") or since is None or newest <= since:
                return
            since = newest

    def accounts(self) -> pd.DataFrame:
        """Frame ``accounts``."""
        return decode.accounts(self._session.request(endpoints.ACCOUNTS))

    def wallets(self) -> pd.DataFrame:
        """Frame ``wallets``."""
        return decode.wallets(self._session.request(endpoints.ACCOUNTS))

    def wallet_contracts(self) -> pd.DataFrame:
        """Frame ``wallet_contracts``."""
        return decode.wallet_contracts(self._session.request(endpoints.ACCOUNTS))

    def account(self) -> Account:
        """The multi-collateral wallet's figures."""
        return decode.account(self._session.request(endpoints.ACCOUNTS), self._env)

    def positions(self) -> pd.DataFrame:
        """Frame ``positions``; without tickers the mark price is missing, the positions are not."""
        body = self._session.request(endpoints.OPEN_POSITIONS)
        try:
            mark_prices = self.tickers()["mark_price"]
        except VenueError as error:
            _log.info("positions without mark prices: %s", error)
            mark_prices = pd.Series(dtype="float64")
        return decode.positions(body, mark_prices)

    def open_orders(self) -> pd.DataFrame:
        """Frame ``open_orders``."""
        return decode.open_orders(self._session.request(endpoints.OPEN_ORDERS))

    def fills(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> pd.DataFrame:
        """Frame ``fills``, newest first; without ``start`` and ``end`` the newest hundred."""
        pages: list[decode.Row] = []
        seen: set[str] = set()
        # The bound is exclusive and in milliseconds: asking one millisecond later cannot lose a fill of the same
        # instant at a page's border, and the ids seen before are dropped.
        before = None if end is None else end + pd.Timedelta(milliseconds=1)
        while True:
            body = self._session.request(endpoints.FILLS, {"lastFillTime": None if before is None else iso(before)})
            page = decode.rows(body, "fills")
            new = [row for row in page if str(row.get("fill_id")) not in seen]
            seen.update(str(row.get("fill_id")) for row in new)
            pages += new
            if start is None or not new or len(page) < _FILLS_PAGE:
                break
            oldest = decode.fills({"fills": new})["time"].min()
            if pd.isna(oldest) or oldest < start:
                break
            before = oldest + pd.Timedelta(milliseconds=1)
        frame = decode.fills({"fills": pages})
        if start is not None:
            frame = frame[~(frame["time"] < start)]
        return frame if end is None else frame[~(frame["time"] > end)]

    def account_log(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> pd.DataFrame:
        """Frame ``account_log``, oldest first."""
        return decode.account_log(self._log_pages(start, end)).sort_index()

    def _log_pages(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> Iterator[list[decode.Row]]:
        params: dict[str, object] = {
            "sort": "asc",
            "count": _LOG_PAGE,
            "since": None if start is None else epoch_ms(start),
            "before": None if end is None else epoch_ms(end),
        }
        last = 0
        while True:
            body = self._session.request(endpoints.ACCOUNT_LOG, params)
            page = [row for row in decode.rows(body, "logs") if decode.number(row.get("id"), "id") > last]
            if not page:
                return
            yield page
            if len(page) < _LOG_PAGE_CAP:
                return
            last = max(int(row["id"]) for row in page)
            params["from"] = last + 1

    def place(self, order: Order) -> OrderResult:
        """Send an order, once."""
        body = self._session.request(endpoints.SEND_ORDER, order_params(order, self._wire(order.symbol)))
        return order_events.order_result(body, order)

    def cancel(self, order_id: str | None, cli_ord_id: str | None) -> CancelResult:
        """Cancel one order."""
        params = {"order_id": order_id, "cliOrdId": cli_ord_id}
        return order_events.cancel_result(self._session.request(endpoints.CANCEL_ORDER, params))

    def cancel_all(self, symbol: str | None) -> CancelResult:
        """Cancel all orders, or those of one contract."""
        params = {"symbol": None if symbol is None else self._wire(symbol)}
        return order_events.cancel_all_result(self._session.request(endpoints.CANCEL_ALL, params))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def order_params(order: Order, symbol: str) -> Mapping[str, object]:
    """An order as the parameters of ``/sendorder``; numbers as plain decimal text."""
    return {
        "orderType": order.order_type,
        "symbol": symbol,
        "side": order.side,
        "size": _decimal(order.size),
        "limitPrice": _decimal(order.limit_price),
        "stopPrice": _decimal(order.stop_price),
        "triggerSignal": order.trigger_signal,
        "reduceOnly": True if order.reduce_only else None,
        "cliOrdId": order.cli_ord_id,
    }


def _decimal(value: Any) -> str | None:
    return None if value is None else plain(to_decimal(value))
