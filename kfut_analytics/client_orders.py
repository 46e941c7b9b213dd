"""The part of a client that sends orders and knows what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import pandas as pd

from . import orders
from .desk import Desk
from .errors import ArgumentError, ReadOnlyError
from .facts import read_market
from .journal import Journal
from .limits import NOTHING_SPENT, Limits, Spent
from .orders import Cancel, CancelResult, Edit, EditResult, Market, Order, OrderResult, Preview
from .orders.order import Number
from .rules import Rules
from .times import TimeLike, parse_time, utc_now
from .venue import InstructionResult, Venue


class OrderCalls:
    """Orders of a client: previewed, sent at most once, and their fate always found out.

    Everything that is sent is in the journal before it goes out. A clear answer closes its entry. After anything else
    (no answer in time, a broken connection, an error of the server, an interrupt) the exchange's records are asked
    until they tell, and nothing is sent again by itself.
    """

    env: str
    trading: bool
    _limits: Limits
    _venue: Venue
    _rules: Rules
    _open_journal: Callable[[], Journal]

    @cached_property
    def _desk(self) -> Desk:
        return Desk(self._venue, self._rules, self._open_journal(), self.limits, self._market)

    @property
    def limits(self) -> Limits:
        """Your own limits; others that are set here hold from the next order on."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        if not isinstance(limits, Limits):
            raise ArgumentError(f"limits={limits!r}: give kfut.Limits(order_notional=…) or others")
        self._limits = limits
        if "_desk" in self.__dict__:
            self._desk.limits = limits

    def _market(self, symbol: str) -> Market:
        """What an order in a contract is judged by, read now."""
        return read_market(self._venue, self._rules, self.env, symbol)

    def exchange_time(self) -> pd.Timestamp:
        """The exchange's time, estimated from its answers; this machine's as long as there was none (UTC)."""
        return self._venue.clock.now()

    def preview(self, order: Order) -> Preview:
        """Estimate what an order would do; nothing is sent.

        Parameters
        ----------
        order
            The order.

        Returns
        -------
        Preview
            Its expected fills, fee, margin, position and liquidation price, before and after.

        Raises
        ------
        OrderRefused
            If the order breaks a rule of its contract, its market, the account or your limits; orders that were sent
            before count.
        NotFoundError
            If there is no such contract.
        """
        _require_order(order)
        return orders.examine(order, self._market(order.symbol), self.limits, self.spent())

    def spent(self) -> Spent:
        """Value in USD of the orders that were sent, or may have been: by this client, and today (UTC) by all.

        It is what the limits ``session_notional`` and ``daily_notional`` are compared with. A client that is
        read-only sends nothing and has no limits to keep.
        """
        return self._desk.journal.spent(self._desk.session) if self.trading else NOTHING_SPENT

    def facts(self, symbol: str) -> Market:
        """What an order in a contract is judged by, read now: for several previews without reading it again.

        Parameters
        ----------
        symbol
            Contract.

        Returns
        -------
        Market
            Its rules, quote and book, the account, positions and orders, and the time of them.

        Raises
        ------
        NotFoundError
            If there is no such contract.
        """
        return self._market(symbol.strip().upper())

    def place(self, order: Order | Preview) -> OrderResult:
        """Send an order, at most once, and say what became of it.

        Parameters
        ----------
        order
            The order, or its preview: the facts of one that is younger than 15 seconds are used, so that nothing is
            read before the order goes out.

        Returns
        -------
        OrderResult
            A refusal by the exchange is a result with status ``rejected``, not an exception. After a lost or unclear
            answer the order's fate is looked up among fills, order status, open orders and history. As long as it is
            not known the status is ``unknown``; it is looked for in the background then, and `journal` tells.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        OrderRefused
            If the order breaks a rule of its contract, its market, the account or your limits; nothing was sent.
        ConfigurationError
            If the journal cannot be written; nothing was sent.
        AuthenticationError, RateLimitError, ConnectionFailed
            If the exchange did not take the request at all; nothing was placed.
        OrderInterrupted
            If the kernel was interrupted while the order was on its way.
        """
        self._require_trading("place an order")
        if not isinstance(order, Preview):
            _require_order(order)
        return self._desk.place(order)

    def edit(
        self,
        order_id: str | OrderResult | Edit | None = None,
        *,
        cli_ord_id: str | None = None,
        size: Number | None = None,
        limit_price: Number | None = None,
        stop_price: Number | None = None,
        trailing_deviation: Number | None = None,
        trailing_unit: str | None = None,
    ) -> EditResult:
        """Change an open order, at most once, and say what became of the change.

        Parameters
        ----------
        order_id, cli_ord_id
            The exchange's id, the result of placing it, or your own id; or a whole `Edit`.
        size
            The new size, what is filled already included.
        limit_price, stop_price, trailing_deviation, trailing_unit
            What else becomes different.

        Returns
        -------
        EditResult
            A refusal by the exchange is a result with status ``rejected``, not an exception.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        NotFoundError
            If there is no such open order; nothing was sent.
        OrderRefused
            If the change breaks a rule; nothing was sent.
        OrderInterrupted
            If the kernel was interrupted while the change was on its way.
        """
        self._require_trading("change an order")
        changes = {
            "size": size,
            "limit_price": limit_price,
            "stop_price": stop_price,
            "trailing_deviation": trailing_deviation,
            "trailing_unit": trailing_unit,
        }
        if isinstance(order_id, Edit):
            if cli_ord_id is not None or any(value is not None for value in changes.values()):
                raise ArgumentError("edit() takes a whole Edit or single values, not both")
            return self._desk.edit(order_id)
        edit = Edit(*_ids("edit", order_id, cli_ord_id), **changes)  # type: ignore[arg-type]
        return self._desk.edit(edit)

    def cancel(self, order_id: str | OrderResult | None = None, *, cli_ord_id: str | None = None) -> CancelResult:
        """Cancel one order by the exchange's id, your own, or the result of placing it.

        Parameters
        ----------
        order_id, cli_ord_id
            The exchange's id or the result of placing it, or your own id.

        Returns
        -------
        CancelResult
            What became of it; an order that had ended before is no error.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        OrderInterrupted
            If the kernel was interrupted while the cancellation was on its way.
        """
        self._require_trading("cancel an order")
        cancel = Cancel(*_ids("cancel", order_id, cli_ord_id))
        return self._desk.cancel(cancel)

    def cancel_all(self, symbol: str | None = None) -> CancelResult:
        """Cancel all open orders, or those of one contract.

        This call knows no deadline: after a lost answer the open orders are looked at, and a status ``unknown`` says
        which of them are still open.

        Parameters
        ----------
        symbol
            One contract; all by default.

        Returns
        -------
        CancelResult
            What became of it, with the ids of what was cancelled.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        OrderInterrupted
            If the kernel was interrupted while the call was on its way.
        """
        self._require_trading("cancel orders")
        return self._desk.cancel_all(None if symbol is None else symbol.strip().upper())

    def batch(self, instructions: Sequence[Order | Preview | Edit | Cancel]) -> list[InstructionResult]:
        """Send several orders, changes and cancellations with one request.

        The exchange carries them out one by one: some may succeed where others do not. Each has its own entry in the
        journal and its own result; they are checked one by one, too, as if the others were not there.

        Parameters
        ----------
        instructions
            `Order` or its `Preview`, `Edit` and `Cancel`, in any order.

        Returns
        -------
        list
            Results in the order of the instructions.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        OrderRefused, NotFoundError
            If one of them breaks a rule or changes an order that is not open; nothing was sent.
        OrderInterrupted
            If the kernel was interrupted while the request was on its way.
        """
        self._require_trading("send a batch")
        if not instructions:
            raise ArgumentError("batch() needs at least one instruction: give orders, kfut.Edit or kfut.Cancel")
        for instruction in instructions:
            if not isinstance(instruction, (Order, Preview, Edit, Cancel)):
                raise ArgumentError(f"{instruction!r} is no instruction: give kfut.Order, kfut.Edit or kfut.Cancel")
        return self._desk.batch(instructions)

    # ---- what became of it -------------------------------------------------------------------------------------

    def outcome(self, order: OrderResult | str) -> OrderResult | None:
        """What the journal knows of an order that was sent, by its result or client id; None while it is not known.

        Parameters
        ----------
        order
            The result of placing it, or its client id.

        Returns
        -------
        OrderResult or None
            What became of it.

        Raises
        ------
        ArgumentError
            If no such order was sent.
        """
        cli_ord_id = order.cli_ord_id if isinstance(order, OrderResult) else order
        return self._desk.outcome(cli_ord_id)

    def order_status(self, order_ids: Sequence[str] = (), *, cli_ord_ids: Sequence[str] = ()) -> pd.DataFrame:
        """Status of orders that are open or were closed within the last few seconds, by either kind of id.

        The exchange asks for a key with full permission here, although nothing is changed.

        Parameters
        ----------
        order_ids, cli_ord_ids
            The exchange's ids, and your own.

        Returns
        -------
        DataFrame
            Table ``order_status``; an order that ended earlier is not in it.

        Raises
        ------
        ArgumentError
            If there is no id.
        """
        if not order_ids and not cli_ord_ids:
            raise ArgumentError("order_status() needs at least one id: give order_ids or cli_ord_ids")
        return self._venue.order_status(order_ids, cli_ord_ids)

    def journal(self, start: TimeLike | None = None, end: TimeLike | None = None) -> pd.DataFrame:
        """Everything that was ever sent to change something, oldest first, with what became of it.

        A status ``open`` means that it is not known yet; see `resolve`. The table is explained by
        ``kfut.describe("journal")``.

        Parameters
        ----------
        start, end
            Time span in which it was written down, such as ``"-1d"``; by default everything.

        Returns
        -------
        DataFrame
            Table ``journal``.

        Raises
        ------
        ConfigurationError
            If the journal cannot be read.
        """
        now = utc_now()
        first = None if start is None else parse_time(start, name="start", now=now)
        last = None if end is None else parse_time(end, name="end", now=now)
        frame = self._desk.journal.frame(first, last)
        frame.attrs["env"] = self.env
        return frame

    def journal_steps(self, cli_ord_id: str | None = None) -> pd.DataFrame:
        """Everything that happened to what was sent, or to one order, step by step in time.

        Parameters
        ----------
        cli_ord_id
            One order; by default all that was sent.

        Returns
        -------
        DataFrame
            Table ``journal_steps``.
        """
        return self._desk.journal.steps(cli_ord_id)

    def resolve(self) -> pd.DataFrame:
        """Look now for whatever has no known fate, and return its rows of the journal as they are then.

        The background does the same until nothing is left; this is for who does not want to wait.
        """
        wanted = [intent.number for intent in self._desk.journal.open_intents()]
        self._desk.resolve()
        frame = self.journal()
        return frame[frame.index.isin(wanted)]

    def _require_trading(self, action: str) -> None:
        if not self.trading:
            raise ReadOnlyError(
                f"this client is read-only and will not {action}: open it with kfut.connect({self.env!r}, trading=True)"
            )


def _require_order(order: object) -> None:
    if not isinstance(order, Order):
        raise ArgumentError(f"{order!r} is not an order: make one with kfut.Order(symbol, side, size, …)")


def _ids(call: str, order_id: str | OrderResult | None, cli_ord_id: str | None) -> tuple[str | None, str | None]:
    """The one id that an order is named by."""
    if isinstance(order_id, OrderResult):
        placed = order_id
        order_id = placed.order_id or None
        cli_ord_id = cli_ord_id if order_id else placed.cli_ord_id
    for name, value in (("order_id", order_id), ("cli_ord_id", cli_ord_id)):
        if value is not None and not (isinstance(value, str) and value):
            raise ArgumentError(f"{name}={value!r} is not an order's id: give its text")
    if (order_id is None) == (cli_ord_id is None):
        raise ArgumentError(f"{call}() takes either order_id or cli_ord_id: give exactly one of them")
    return order_id, cli_ord_id
