"""The REST venue: the seam's methods, each one or a few requests and a frame."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from .. import schema
from ..account import Account, Balances
from ..contracts import plain, to_decimal
from ..errors import ArgumentError, FetchInterrupted, InvalidRequestError, NotFoundError, VenueError
from ..orders import CancelResult, Edit, EditResult, Order, OrderResult
from ..settings import KeyInfo
from ..times import epoch_s
from ..venue import Instruction, InstructionResult
from . import analytics, decode, endpoints, history, order_events, order_params, paging
from .clock import ExchangeClock
from .progress import Progress, quiet
from .session import RestSession
from .walks import Walks

_log = logging.getLogger("kfut_analytics.rest")

Walk = Callable[[Progress], paging.Pages]

_TOKENS_LEFT = 30
"""Tokens of the history that a question of convenience leaves for others."""

ANSWER_WITHIN = 10.0
"""Seconds that an order, a change or a cancellation waits for its whole answer."""


class RestVenue(Walks):
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

    def account_margin_tiers(self) -> pd.DataFrame:
        """Frame ``margin_tiers`` of the account's own schedule; empty where the exchange gives none."""
        try:
            return decode.account_margin_tiers(self._session.request(endpoints.OPERATIONS["trading_instruments"]))
        except (NotFoundError, InvalidRequestError) as error:
            _log.info("no margin tiers of the account's own: %s", error)
            return schema.MARGIN_TIERS.frame({})

    def _fetch_instruments(self) -> dict[str, Any]:
        body = self._session.request(endpoints.INSTRUMENTS)
        self._wire_symbols = decode.wire_symbols(body)
        return body

    def _wire(self, symbol: str) -> str:
        """The exchange's exact spelling of a symbol; some hold lower-case letters (``PF_AAPLxUSD``)."""
        if not self._wire_symbols and symbol != symbol.upper():
            try:
                self._fetch_instruments()
            except VenueError as error:
                _log.info("the exchange's spelling of %s could not be looked up: %s", symbol, error)
        typed = symbol.upper() if symbol == symbol.lower() else symbol
        return self._wire_symbols.get(symbol.upper(), typed)

    def tickers(self, symbol: str | None = None) -> pd.DataFrame:
        """Frame ``tickers``, of all contracts or of one."""
        if symbol is None:
            body = self._session.request(endpoints.TICKERS)
        else:
            body = self._session.request(endpoints.OPERATIONS["ticker"], path={"symbol": self._wire(symbol)})
            body["tickers"] = [decode.container(body, "ticker", dict)]
        return _dated(decode.tickers(body), body)

    def indices(self) -> pd.DataFrame:
        """Frame ``indices``."""
        return decode.indices(self._session.request(endpoints.TICKERS))

    def order_book(self, symbol: str) -> pd.DataFrame:
        """Frame ``order_book``."""
        body = self._session.request(endpoints.ORDER_BOOK, {"symbol": self._wire(symbol)})
        return _dated(decode.order_book(body), body)

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
        """Frame ``candles``, oldest first; without ``start`` what one request returns."""
        path = {"tick_type": tick_type, "symbol": self._wire(symbol), "resolution": resolution}
        frame = self._gather(
            f"candles of {symbol}",
            decode.CANDLES,
            lambda bar: paging.candles(self._session, path, (start, end), bar, exact=exact),
            exact=exact,
        )
        return _within(frame[~frame.index.duplicated()].sort_index(), None if start is None else start.floor("s"), end)

    def trades(
        self, symbol: str, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Frame ``trades``, oldest first; without ``start`` and ``end`` the newest hundred."""
        wire = self._wire(symbol)

        def walk(bar: Progress) -> paging.Pages:
            if start is None and end is None:
                return paging.recent_trades(self._session, wire, bar, exact=exact)
            operation = endpoints.OPERATIONS["market_executions"]
            return paging.events(self._session, operation, {}, {"tradeable": wire}, (start, end), bar, exact=exact)

        frame = self._gather(f"trades of {symbol}", history.trades(symbol), walk, exact=exact)
        return _within(frame.sort_values("time", kind="stable"), start, end)

    def funding_rates(
        self, symbol: str, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Frame ``funding_rates``, oldest first."""
        frame = self._gather(
            f"funding rates of {symbol}",
            decode.FUNDING_RATES,
            lambda bar: paging.funding_rates(self._session, self._wire(symbol), bar, exact=exact),
            exact=exact,
        )
        return _within(frame.sort_index(kind="stable"), start, end)

    def analytics(self, symbol: str, kind: str, interval: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Analytics of one market, oldest first."""
        path = {"symbol": self._wire(symbol), "analytics_type": kind}
        since, until = epoch_s(start), epoch_s(end)
        frames: list[pd.DataFrame] = []
        more = True
        while more:
            params = {"since": since, "to": until, "interval": analytics.INTERVALS[interval]}
            body = self._session.request(endpoints.OPERATIONS["analytics"], params, path)
            frame, more = analytics.page(body, kind)
            frames.append(frame)
            following = epoch_s(frame.index.max()) + 1 if len(frame) else since
            more = more and following > since
            since = following
        joined = pd.concat(frames)
        return joined[~joined.index.duplicated()].sort_index()

    def instrument_status(self) -> pd.DataFrame:
        """Frame ``instrument_status``."""
        return self._simple("instruments_status", schema.INSTRUMENT_STATUS, "instrumentStatus")

    def fee_schedules(self) -> pd.DataFrame:
        """Frame ``fee_schedules``."""
        return decode.fee_schedules(self._session.request(endpoints.OPERATIONS["feeschedules"]))

    def fee_volumes(self) -> dict[str, float]:
        """USD traded in 30 days, by fee schedule."""
        body = self._session.request(endpoints.OPERATIONS["feeschedules_volumes"])
        volumes: dict[str, Any] = decode.container(body, "volumesByFeeSchedule", dict)
        return {uid: decode.number(volume, "volumesByFeeSchedule") for uid, volume in volumes.items()}

    def _simple(self, operation: str, table: schema.Table, container: str) -> pd.DataFrame:
        return decode.simple(table, self._session.request(endpoints.OPERATIONS[operation]), container)

    def _gather(self, what: str, bulk: decode.Bulk, walk: Walk, *, exact: bool) -> pd.DataFrame:
        """Read page after page; whatever ends it early carries the frame of what arrived."""
        gathered = decode.Gathered(bulk, exact=exact)
        with Progress(what) as bar:
            pages = paging.ahead(walk(bar), bar)
            try:
                for page in pages:
                    gathered.add(page)
            except KeyboardInterrupt:
                raise FetchInterrupted(
                    f"{what}: interrupted after {gathered.rows:,} rows; they are in the exception's 'partial'",
                    gathered.frame(),
                ) from None
            except VenueError as error:
                error.partial = gathered.frame()
                raise
            finally:
                pages.close()
        return gathered.frame()

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

    def balances(self) -> Balances:
        """All wallets, from one answer."""
        body = self._session.request(endpoints.ACCOUNTS)
        return Balances(decode.account(body, self._env), decode.accounts(body), decode.wallets(body))

    def positions(self, tickers: pd.DataFrame | None = None) -> pd.DataFrame:
        """Frame ``positions``; without tickers the mark price is missing, the positions are not."""
        body = self._session.request(endpoints.OPEN_POSITIONS)
        try:
            mark_prices = (self.tickers() if tickers is None else tickers)["mark_price"]
        except VenueError as error:
            _log.info("positions without mark prices: %s", error)
            mark_prices = pd.Series(dtype="float64")
        return _dated(decode.positions(body, mark_prices), body)

    def open_orders(self) -> pd.DataFrame:
        """Frame ``open_orders``."""
        body = self._session.request(endpoints.OPEN_ORDERS)
        return _dated(decode.open_orders(body), body)

    def fills(self, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False) -> pd.DataFrame:
        """Frame ``fills``, newest first; without ``start`` the newest hundred."""
        frame = self._gather(
            "fills",
            decode.FILLS,
            lambda bar: paging.fills(self._session, (start, end), bar, exact=exact),
            exact=exact,
        )
        return _within(frame, start, end)

    def account_log(self, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False) -> pd.DataFrame:
        """Frame ``account_log``, oldest first."""
        frame = self._gather(
            "account log",
            decode.ACCOUNT_LOG,
            lambda bar: paging.account_log(self._session, (start, end), bar, exact=exact),
            exact=exact,
        )
        return _within(frame[~frame.index.duplicated()].sort_index(), start, end)

    def executions(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Frame ``executions``, oldest first."""
        return self._events("executions", history.EXECUTIONS, symbol, (start, end), exact=exact)

    def order_history(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Frame ``order_history``, oldest first."""
        return self._events("orders", history.ORDERS, symbol, (start, end), exact=exact)

    def trigger_history(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Frame ``trigger_history``, oldest first."""
        return self._events("triggers", history.TRIGGERS, symbol, (start, end), exact=exact)

    def position_history(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Frame ``position_history``, oldest first."""
        return self._events("positions", history.POSITIONS, symbol, (start, end), exact=exact)

    def _events(
        self, operation: str, bulk: decode.Bulk, symbol: str | None, span: paging.Span, *, exact: bool
    ) -> pd.DataFrame:
        params = {"tradeable": None if symbol is None else self._wire(symbol)}
        frame = self._gather(
            bulk.table.name.replace("_", " "),
            bulk,
            lambda bar: paging.events(
                self._session, endpoints.OPERATIONS[operation], params, {}, span, bar, exact=exact
            ),
            exact=exact,
        )
        return _within(frame.sort_values("time", kind="stable"), *span)

    def order_status(self, order_ids: Sequence[str], cli_ord_ids: Sequence[str]) -> pd.DataFrame:
        """Frame ``order_status``: open orders, and those closed within the last few seconds."""
        params = {"orderIds": list(order_ids), "cliOrdIds": list(cli_ord_ids)}
        return decode.order_status(self._session.request(endpoints.OPERATIONS["orders_status"], params))

    def leverage_preferences(self) -> pd.DataFrame:
        """Frame ``leverage_preferences``."""
        return self._simple("leveragepreferences", schema.LEVERAGE_PREFERENCES, "leveragePreferences")

    def pnl_preferences(self) -> pd.DataFrame:
        """Frame ``pnl_preferences``."""
        return self._simple("pnlpreferences", schema.PNL_PREFERENCES, "preferences")

    def set_leverage(self, symbol: str, max_leverage: float | None) -> None:
        """Isolate a contract with a fixed leverage, or make it cross again."""
        leverage = None if max_leverage is None else plain(to_decimal(max_leverage))
        params = {"symbol": self._wire(symbol), "maxLeverage": leverage}
        self._session.request(endpoints.OPERATIONS["set_leveragepreferences"], params)

    def set_pnl_currency(self, symbol: str, currency: str) -> None:
        """Choose the currency that a contract's profits are paid in."""
        params = {"symbol": self._wire(symbol), "pnlPreference": currency}
        self._session.request(endpoints.OPERATIONS["set_pnlpreferences"], params)

    def notifications(self) -> pd.DataFrame:
        """Frame ``notifications``."""
        return self._simple("notifications", schema.NOTIFICATIONS, "notifications")

    def unwind_queue(self) -> pd.DataFrame:
        """Frame ``unwind_queue``; costs 200 tokens of 500."""
        return self._simple("unwindqueue", schema.UNWIND_QUEUE, "queue")

    def check_key(self) -> KeyInfo:
        """What the key may do.

        Raises
        ------
        AuthenticationError
            If the exchange does not know the key.
        """
        body = self._session.request(endpoints.OPERATIONS["check_key"])
        permissions = decode.container(body, "permissions", dict)
        return KeyInfo(*(decode.text(permissions.get(name)) or "unknown" for name in ("general", "transfer")))

    def identity(self) -> str:
        """The account's uid; that of a paper account may come again, with another time of opening.

        Raises
        ------
        DecodeError
            If the exchange does not say which account the key belongs to.
        """
        body = self._session.request(endpoints.OPERATIONS["check_key"])
        uid: str = decode.container(body, "accountUid", str)
        return uid if self._env == "live" else f"{uid}-{decode.text(body.get('createdAt'))}"

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Any operation of the API by its name in the table, with its own parameters; the answer's JSON.

        Raises
        ------
        ArgumentError
            If there is no such operation, or a parameter is unknown or missing. Withdrawals are not offered.
        """
        found = endpoints.OPERATIONS.get(operation)
        if found is None or found.permission == "withdraw":
            known = ", ".join(name for name, op in endpoints.OPERATIONS.items() if op.permission != "withdraw")
            raise ArgumentError(f"there is no operation {operation!r} here: use one of {known}")
        path = {name: str(params.pop(name)) for name in found.path_parameters if name in params}
        missing = (found.required - set(params)) | (set(found.path_parameters) - set(path))
        unknown = set(params) - found.required - found.optional
        if missing or unknown:
            fault = f"needs {', '.join(sorted(missing))}" if missing else f"takes no {', '.join(sorted(unknown))}"
            raise ArgumentError(f"operation {operation!r} {fault}")
        return self._session.request(found, params, path)

    # Each of these is sent once and waits no longer than `ANSWER_WITHIN` for its answer.

    def place(self, order: Order, before: pd.Timestamp | None = None) -> OrderResult:
        """Send an order, once."""
        params = order_params.order_params(order, self._wire(order.symbol), before)
        return order_events.order_result(self._command(endpoints.SEND_ORDER, params), order)

    def edit(self, edit: Edit, before: pd.Timestamp | None = None) -> EditResult:
        """Change an open order, once."""
        body = self._command(endpoints.OPERATIONS["editorder"], order_params.edit_params(edit, before))
        return order_events.edit_result(body, edit)

    def cancel(self, order_id: str | None, cli_ord_id: str | None, before: pd.Timestamp | None = None) -> CancelResult:
        """Cancel one order, once."""
        params = {"order_id": order_id, "cliOrdId": cli_ord_id, "processBefore": order_params.moment(before)}
        return order_events.cancel_result(self._command(endpoints.CANCEL_ORDER, params))

    def batch(self, instructions: Sequence[Instruction], before: pd.Timestamp | None = None) -> list[InstructionResult]:
        """Send several instructions with one request, once."""
        params = order_params.batch_params(instructions, self._wire, before)
        body = self._command(endpoints.OPERATIONS["batchorder"], params)
        return order_events.batch_results(body, instructions)

    def cancel_all(self, symbol: str | None) -> CancelResult:
        """Cancel all orders, or those of one contract, once."""
        params = {"symbol": None if symbol is None else self._wire(symbol)}
        return order_events.cancel_all_result(self._command(endpoints.CANCEL_ALL, params))

    def fee_of(self, order_id: str, symbol: str, since: pd.Timestamp) -> float:
        """What an order's fills have cost so far; NaN where the history has nothing yet, or no tokens left."""
        if self._session.tokens("history") < _TOKENS_LEFT:
            return float("nan")
        with quiet():
            executions = self.executions(symbol, since, None)
        mine = executions[executions["order_id"] == order_id]
        return float("nan") if mine.empty else float(mine["fee"].sum(min_count=len(mine)))

    def cancel_all_after(self, timeout: int | None) -> pd.Timestamp | None:
        """Set, renew, end (with 0) or ask about (None) the exchange's own switch; when it will cancel all orders."""
        body = self._command(endpoints.OPERATIONS["cancelallordersafter"], {"timeout": timeout})
        return order_events.trigger_time(body)

    def _command(self, operation: endpoints.Operation, params: Mapping[str, object]) -> dict[str, Any]:
        return self._session.request(operation, params, within=ANSWER_WITHIN)

    @property
    def clock(self) -> ExchangeClock:
        """The exchange's clock."""
        return self._session.clock

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _dated(frame: pd.DataFrame, body: Mapping[str, Any]) -> pd.DataFrame:
    """The picture of one moment with the exchange's time of it, as the text that it is, so that it can be stored."""
    if isinstance(time := body.get("serverTime"), str):
        frame.attrs["as_of"] = time
    return frame


def _within(frame: pd.DataFrame, start: pd.Timestamp | None, end: pd.Timestamp | None) -> pd.DataFrame:
    """The rows of a span of time; rows without a time stay."""
    times = frame.index.to_series() if frame.index.name == "time" else frame["time"]
    keep = pd.Series(True, index=frame.index)
    if start is not None:
        keep &= ~(times < start)
    if end is not None:
        keep &= ~(times > end)
    return frame if keep.all() else frame[keep]
