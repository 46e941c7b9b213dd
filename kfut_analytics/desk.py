"""The order desk: whatever is sent to change something goes through here, at most once, and its fate is found out.

The way of an intent: checks, the journal (on the disk before the wire), the venue, and back: a clear answer closes it.
After anything else the exchange's records are asked (`fate`, `resolver`) until they tell, at the latest when the
deadline that the request carried has passed. Nothing is ever sent again from here.

From the journal on, all of it runs on a thread of its own. An interrupt of the kernel ends the waiting and not the
request: its answer, or its fate, is still written to the journal.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

import pandas as pd

from . import orders
from .answers import Doubt, is_clear, outcome_of, proves_nothing_was_sent, proves_refusal, result_of
from .contracts import to_decimal
from .errors import (
    ArgumentError,
    KfutError,
    NotFoundError,
    OrderInterrupted,
    OrderRefused,
    VenueError,
)
from .journal import Intent, Journal, Outcome
from .limits import Limits, Spent
from .orders import Cancel, CancelResult, Edit, EditResult, Market, Order, OrderResult, Preview
from .resolver import Errand, Resolver
from .rules import Rules
from .venue import Instruction, InstructionResult, Venue

_log = logging.getLogger("kfut_analytics.desk")

TIME_TO_LIVE = 8.0
"""Seconds within which the exchange must take an instruction, unless the order says otherwise."""

PATIENCE = 15.0
"""Seconds for which a caller waits for a fate at most; the search goes on behind him."""

FEE_PATIENCE = 2.0
"""Seconds for which the result of a fill waits to learn what it has cost."""

FRESH = 15.0
"""Seconds for which a preview's facts are good enough to send its order without reading anything again."""


class Desk:
    """Sends instructions of one client.

    Parameters
    ----------
    venue, rules
        Where they go, and the contracts' rules.
    journal
        Where they are written down first.
    limits
        The user's own limits.
    read_market
        Reads what an order in a contract is judged by.

    Attributes
    ----------
    limits
        As above; they may be exchanged.
    session
        Tells what this client sends from what others do, in the journal.
    locked
        Whether only orders that reduce a position, and cancellations, are let through: the kill switch was used.
    """

    def __init__(
        self, venue: Venue, rules: Rules, journal: Journal, limits: Limits, read_market: Callable[[str], Market]
    ) -> None:
        self._venue = venue
        self._rules = rules
        self.journal = journal
        self.session = uuid.uuid4().hex
        self.locked = False
        self.limits = limits
        self._read_market = read_market
        self._resolver = Resolver(venue, journal)

    # ---- orders ------------------------------------------------------------------------------------------------

    def place(self, stated: Order | Preview) -> OrderResult:
        """Send an order; see `Client.place`."""
        seen = self.examined(stated)
        order = _named(seen.order)
        write = partial(self._write_order, order, seen)
        result = self._carry_out(write, partial(self._venue.place, order), order.cli_ord_id or "")
        return _with_margin_figures(result, seen)

    def examined(self, stated: Order | Preview) -> Preview:
        """An order with the facts it is judged by: those of a fresh preview, else read now."""
        order = stated.order if isinstance(stated, Preview) else stated
        if isinstance(stated, Preview) and stated.market is not None and stated.age <= FRESH:
            if stated.limits == self.limits:
                return stated
            market = stated.market  # it was held against other limits, or none
        else:
            market = self._read_market(order.symbol)
        return orders.examine(order, market, self.limits, self.journal.spent(self.session))

    def _write_order(self, order: Order, seen: Preview) -> Intent:
        if not order.reduce_only:
            self._require_unlocked("order", order.symbol)
        notional = Decimal(0) if order.reduce_only else to_decimal(seen.notional)

        def allow(spent: Spent) -> None:
            """Under the journal's lock: two orders cannot both use the last of a limit."""
            over = (limit is not None and used + notional > to_decimal(limit) for _, limit, used in self._used(spent))
            if notional and any(over) and seen.market is not None:
                orders.examine(order, seen.market, self.limits, spent)

        try:
            return self._write(
                "place",
                _details(order),
                order.time_to_live,
                cli_ord_id=order.cli_ord_id or "",
                symbol=order.symbol,
                notional=notional,
                allow=allow,
            )
        except ValueError as error:
            if isinstance(error, KfutError):
                raise
            raise OrderRefused(
                f"{error}: an id is used once. Leave it out for a fresh one, or see client.journal()",
                field="cli_ord_id",
                value=order.cli_ord_id,
                rule="cli_ord_id",
            ) from None

    def edit(self, edit: Edit) -> EditResult:
        """Change an open order; see `Client.edit`."""
        change = self._exact(edit)
        send = partial(self._venue.edit, change.edit)
        result: EditResult = self._carry_out(partial(self._write_edit, change), send, _id_of(edit))
        return result

    def _require_unlocked(self, what: str, name: str) -> None:
        if self.locked:
            message = f"the kill switch was used: no new {what} goes out until client.unlock()"
            raise OrderRefused(message, field="symbol", value=name, rule="locked")

    def _write_edit(self, change: _Change) -> Intent:
        exact, gained = change.edit, change.gained
        self._require_unlocked("change", change.symbol)

        def allow(spent: Spent) -> None:
            for rule, limit, used in self._used(spent):
                if gained and limit is not None and used + gained > to_decimal(limit):
                    message = (
                        f"the change adds {gained:,.2f} USD: your limit {rule} is {float(limit):,.2f} USD, of which "
                        f"{used:,.2f} USD is used"
                    )
                    raise OrderRefused(message, field="size", value=exact.size, rule=rule)

        return self._write(
            "edit",
            _details(exact) | {"last_update_time": change.updated},
            exact.time_to_live,
            symbol=change.symbol,
            cli_ord_id=exact.cli_ord_id or "",
            order_id=exact.order_id or "",
            notional=gained,
            allow=allow,
        )

    def _used(self, spent: Spent) -> list[tuple[str, Decimal | float | None, Decimal]]:
        """Each limit over several orders, and what of it is used."""
        return [
            ("session_notional", self.limits.session_notional, spent.session),
            ("daily_notional", self.limits.daily_notional, spent.today),
        ]

    def _exact(self, edit: Edit) -> _Change:
        """The change held against the contract's rules, the order as it is and the user's limits."""
        resting = self._venue.open_orders()
        mine = resting[(resting.index == edit.order_id) | (resting["cli_ord_id"] == edit.cli_ord_id)]
        if mine.empty:
            raise NotFoundError(
                f"order {edit.order_id or edit.cli_ord_id} is not among the open orders: it was filled, cancelled or "
                "never there; see client.open_orders() and client.fills()"
            )
        row = mine.iloc[0]
        symbol = str(row["symbol"])
        exact = orders.check_edit(edit, self._rules.instrument(symbol))
        gained = orders.check_change(exact, row, self._read_market(symbol), self.limits)
        updated = row["last_update_time"]
        return _Change(exact, symbol, gained, None if pd.isna(updated) else updated.isoformat())

    def cancel(self, cancel: Cancel) -> CancelResult:
        """Cancel an order; see `Client.cancel`."""
        send = partial(self._venue.cancel, cancel.order_id, cancel.cli_ord_id)
        result: CancelResult = self._carry_out(partial(self._write_cancel, cancel), send, _id_of(cancel))
        return result

    def _write_cancel(self, cancel: Cancel) -> Intent:
        placed = self.journal.placed(cancel.cli_ord_id or "")
        ids = {"cli_ord_id": cancel.cli_ord_id or "", "order_id": cancel.order_id or ""}
        return self._write("cancel", {}, None, symbol="" if placed is None else placed.symbol, **ids)

    def cancel_all(self, symbol: str | None) -> CancelResult:
        """Cancel all orders; see `Client.cancel_all`."""
        write = partial(self._write, "cancel_all", {}, math.inf, symbol=symbol or "")
        result: CancelResult = self._carry_out(write, lambda _deadline: self._venue.cancel_all(symbol), "")
        return result

    def batch(self, instructions: Sequence[Order | Edit | Cancel | Preview]) -> list[InstructionResult]:
        """Send several instructions with one request; see `Client.batch`."""
        prepared = [self._prepared(instruction) for instruction in instructions]
        exact = [instruction for instruction, _ in prepared]
        writes = [write for _, write in prepared]
        return self._carry_out_all(writes, partial(self._venue.batch, exact), exact[0].cli_ord_id or "")

    def _prepared(self, instruction: Order | Edit | Cancel | Preview) -> tuple[Instruction, Callable[[], Intent]]:
        match instruction:
            case Edit():
                change = self._exact(instruction)
                return change.edit, partial(self._write_edit, change)
            case Cancel():
                return instruction, partial(self._write_cancel, instruction)
            case _:
                seen = self.examined(instruction)
                order = _named(seen.order)
                return order, partial(self._write_order, order, seen)

    # ---- the way out and back ----------------------------------------------------------------------------------

    def _write(self, kind: Any, details: dict[str, Any], time_to_live: float | None, **named: Any) -> Intent:
        clock = self._venue.clock
        if math.isinf(clock.error):
            # Nothing was heard of the exchange's clock yet, and a deadline by a wrong one is none.
            self._venue.instrument_status()
        now = clock.now()
        seconds = TIME_TO_LIVE if time_to_live is None else time_to_live
        deadline = None if math.isinf(seconds) else now + pd.Timedelta(seconds=seconds * (clock.rate or 1))
        return self.journal.write(self.session, kind, details, sent_time=now, deadline=deadline, **named)

    def _carry_out(
        self, write: Callable[[], Intent], send: Callable[[pd.Timestamp | None], InstructionResult], name: str
    ) -> Any:
        """Send one instruction; its result."""
        return self._carry_out_all([write], lambda deadline: [send(deadline)], name)[0]

    def _carry_out_all(
        self,
        writes: Sequence[Callable[[], Intent]],
        send: Callable[[pd.Timestamp | None], Sequence[InstructionResult]],
        name: str,
    ) -> list[Any]:
        """Write intents down, send them with one request, and return what became of each.

        Parameters
        ----------
        writes
            Each writes an intent; what one of them raises keeps all from being sent.
        send
            Sends the request that carries a deadline, once.
        name
            An id to tell to whoever interrupts.
        """
        intents: list[Intent] = []

        def work() -> list[Any]:
            self._write_all(writes, intents)
            deadline = min((intent.deadline for intent in intents if intent.deadline is not None), default=None)
            with self._resolver.awaiting_answer(intents):
                told = self._ask(intents, lambda: send(deadline))
            until = time.monotonic() + PATIENCE
            results = [
                self._doubt(intent, answer, until) if isinstance(answer, Doubt) else answer
                for intent, answer in zip(intents, told, strict=True)
            ]
            until = time.monotonic() + FEE_PATIENCE
            return [self._with_fee(intent, result, until) for intent, result in zip(intents, results, strict=True)]

        try:
            results: list[Any] = Errand(work, "kfut-order").wait()
        except KeyboardInterrupt:
            threading.Thread(target=self._interrupted, args=(intents,), name="kfut-interrupted", daemon=True).start()
            raise OrderInterrupted(_INTERRUPTED.format(name or "the request"), name) from None
        return results

    def _write_all(self, writes: Sequence[Callable[[], Intent]], intents: list[Intent]) -> None:
        try:
            for write in writes:
                intents.append(write())
        except BaseException:
            for intent in intents:
                self._close(intent, Outcome("not_sent", message="another instruction of the batch was refused"))
            raise

    def _interrupted(self, intents: Sequence[Intent]) -> None:
        for intent in list(intents):
            self._step(intent, "interrupted", "the kernel was interrupted; the request goes on")

    def _ask(self, intents: Sequence[Intent], send: Callable[[], Sequence[InstructionResult]]) -> list[Any]:
        """Send a request; for each intent its result, or a doubt.

        Raises
        ------
        VenueError
            If the exchange certainly did not take the request.
        """
        try:
            results = send()
        except Exception as error:
            if proves_nothing_was_sent(error):
                for intent in intents:
                    self._close(intent, Outcome("not_sent", getattr(error, "words", ""), str(error)), "not taken")
                raise
            return [self._after(intent, error) for intent in intents]
        return [self._answered(intent, result) for intent, result in zip(intents, results, strict=True)]

    def _answered(self, intent: Intent, result: InstructionResult) -> Any:
        """A result that is written down, or a doubt if it does not say everything."""
        if is_clear(result):
            return self._close(intent, outcome_of(result), "answered", result)
        return Doubt(result.message, result.reason)

    def _after(self, intent: Intent, error: Exception) -> Any:
        """The result that an error proves, or a doubt."""
        outcome = proves_refusal(intent, error)
        if outcome is None:
            return Doubt(str(error))
        return self._close(intent, outcome, "answered", result_of(intent, outcome))

    def _doubt(self, intent: Intent, doubt: Doubt, until: float) -> Any:
        """The result of looking for a fate until it is known, or patience ends."""
        _log.info("no clear answer to %s %s, looking for it: %s", intent.kind, intent.name, doubt.why)
        self._step(intent, "no answer", doubt.why[:500])
        outcome = self._resolver.find(intent, until)
        if outcome is None:
            why = self._resolver.trouble or doubt.why
            outcome = Outcome("unknown", doubt.word, f"No clear answer arrived ({why}). {_WAIT}")
        elif doubt.word and not outcome.reason:
            outcome = replace(outcome, reason=doubt.word)
        return result_of(intent, outcome)

    def _close(self, intent: Intent, outcome: Outcome, step: str = "closed", result: Any = None) -> Any:
        """Write down what became of an intent; a journal that fails now must not hide it."""
        try:
            self.journal.close(intent, outcome, step)
        except KfutError as error:
            _log.error("%s", error)
            return result and replace(result, message=f"{result.message} ({error})")
        return result

    def _step(self, intent: Intent, step: str, detail: str) -> None:
        try:
            self.journal.step(intent, step, detail)
        except KfutError as error:
            _log.error("%s", error)

    def _with_fee(self, intent: Intent, result: Any, until: float) -> Any:
        """A fill with what it has cost, where the exchange says so at once; it is known later in any case."""
        if not isinstance(result, OrderResult) or not result.filled_size > 0:
            return result

        def read() -> float:
            fee = self._venue.fee_of(result.order_id, intent.symbol, intent.sent_time - pd.Timedelta(seconds=30))
            if not math.isnan(fee):
                self.journal.note_fee(intent, fee)
            return fee

        try:
            fee = Errand(read, "kfut-fee").wait(max(until - time.monotonic(), 0.0))
        except KfutError as error:
            _log.info("the fee of %s could not be read: %s", intent.name, error)
            return result
        return result if fee is None else replace(result, fee=fee)

    # ---- what was left open ------------------------------------------------------------------------------------

    def resolve(self) -> dict[int, Outcome]:
        """Look once for everything whose fate is not known; what was found, by number. The rest is looked for on."""
        found: dict[int, Outcome] = {}
        try:
            found = Errand(self._resolver.look, "kfut-resolve").wait(PATIENCE) or {}
        except VenueError as error:
            _log.info("fates could not be looked up: %s", error)
        self._resolver.begin()
        return found

    def outcome(self, cli_ord_id: str) -> OrderResult | None:
        """What the journal knows of an order; None while it is not known.

        Raises
        ------
        ArgumentError
            If no such order was sent.
        """
        intent = self.journal.placed(cli_ord_id)
        if intent is None:
            raise ArgumentError(f"no order with cli_ord_id={cli_ord_id!r} was sent: see client.journal()")
        known = self.journal.outcome(intent)
        result: OrderResult | None = None if known is None else result_of(intent, known)
        return result

    def close(self) -> None:
        """End the search in the background."""
        self._resolver.end()


_INTERRUPTED = (
    "interrupted while {} was on its way: the request is not torn, and it is not sent again. What became of it is "
    "found out in the background: see client.journal(), or client.outcome() with an order's cli_ord_id"
)
_WAIT = "Its fate is being looked for and client.journal() will tell; do not send it again before that."


@dataclass(frozen=True, slots=True)
class _Change:
    """A change that was checked: its contract, the value in USD that it adds, and the order's last update before."""

    edit: Edit
    symbol: str
    gained: Decimal
    updated: str | None


def _named(order: Order) -> Order:
    return order if order.cli_ord_id else replace(order, cli_ord_id=str(uuid.uuid4()))


def _id_of(stated: Edit | Cancel) -> str:
    return stated.cli_ord_id or stated.order_id or ""


def _details(stated: Order | Edit) -> dict[str, Any]:
    """What is wanted, in the words of the order; numbers as text, so that they stay exact."""
    return {name: value for name, value in asdict(stated).items() if value is not None}


def _with_margin_figures(result: OrderResult, seen: Preview) -> OrderResult:
    """Where margin is what lacked, the message says how much is needed and how much there was."""
    if not any(word in result.reason for word in orders.MARGIN_REASONS):
        return result
    return replace(result, message=f"{result.message} {seen.margin_sentence()}")
