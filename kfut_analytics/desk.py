"""The order desk: whatever is sent to change something goes through here, at most once, and its fate is found out.

The way of an intent: checks, the journal (on the disk before the wire), the venue, and back: a clear answer closes it.
After anything else the exchange's records are asked (`fate`) until they tell, at the latest when the deadline that
the request carried has passed. Nothing is ever sent again from here.

The request runs on a thread of its own. An interrupt of the kernel ends the waiting and not the request: its answer,
or its fate, is still written to the journal.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import pandas as pd

from . import fate, orders
from .contracts import to_decimal
from .errors import (
    ArgumentError,
    AuthenticationError,
    ConnectionFailed,
    CredentialsError,
    ExchangeError,
    KfutError,
    NotFoundError,
    OrderInterrupted,
    OrderRefused,
    RateLimitError,
    ReadOnlyError,
    VenueError,
)
from .journal import Intent, Journal, Outcome
from .limits import Limits, Spent
from .orders import Cancel, CancelResult, Edit, EditResult, Market, Order, OrderResult, Preview
from .rules import Rules
from .venue import Instruction, InstructionResult, Venue

_log = logging.getLogger("kfut_analytics.desk")

TIME_TO_LIVE = 8.0
"""Seconds within which the exchange must take an instruction, unless the order says otherwise."""

PATIENCE = 15.0
"""Seconds for which a caller waits for a fate at most; the search goes on behind him."""

FRESH = 15.0
"""Seconds for which a preview's facts are good enough to send its order without reading anything again."""

_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0)
_LONGEST_PAUSE = 30.0

Result = TypeVar("Result", OrderResult, EditResult, CancelResult)


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
        self._limits = limits
        self._read_market = read_market
        self._resolver = _Resolver(self)

    # ---- orders ------------------------------------------------------------------------------------------------

    def place(self, stated: Order | Preview) -> OrderResult:
        """Send an order; see `Client.place`."""
        seen = self.examined(stated)
        order = replace(seen.order, cli_ord_id=seen.order.cli_ord_id or str(uuid.uuid4()))
        intent = self._write_order(order, seen)
        result = self._carry_out(intent, partial(self._venue.place, order, intent.deadline), OrderResult)
        return _with_margin_figures(result, seen)

    def examined(self, stated: Order | Preview) -> Preview:
        """An order with the facts it is judged by: those of a fresh preview, else read now."""
        order = stated.order if isinstance(stated, Preview) else stated
        if isinstance(stated, Preview) and stated.market is not None and stated.age <= FRESH:
            if stated.limits == self._limits:
                return stated
            market = stated.market  # it was held against other limits, or none
        else:
            market = self._read_market(order.symbol)
        return orders.examine(order, market, self._limits, self.journal.spent(self.session))

    def _write_order(self, order: Order, seen: Preview) -> Intent:
        if not order.reduce_only:
            self._require_unlocked("order", order.symbol)
        notional = Decimal(0) if order.reduce_only else to_decimal(seen.notional)

        def allow(spent: Spent) -> None:
            """Under the journal's lock: two orders cannot both use the last of a limit."""
            over = (limit is not None and used + notional > to_decimal(limit) for _, limit, used in self._used(spent))
            if notional and any(over) and seen.market is not None:
                orders.examine(order, seen.market, self._limits, spent)

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
        intent = self._write_edit(*(checked := self._exact(edit)))
        exact = checked[0]
        return self._carry_out(intent, partial(self._venue.edit, exact, intent.deadline), EditResult)

    def _require_unlocked(self, what: str, name: str) -> None:
        if self.locked:
            message = f"the kill switch was used: no new {what} goes out until client.unlock()"
            raise OrderRefused(message, field="symbol", value=name, rule="locked")

    def _write_edit(self, exact: Edit, symbol: str, gained: Decimal) -> Intent:
        self._require_unlocked("change", symbol)

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
            _details(exact),
            exact.time_to_live,
            symbol=symbol,
            cli_ord_id=exact.cli_ord_id or "",
            order_id=exact.order_id or "",
            notional=gained,
            allow=allow,
        )

    def _used(self, spent: Spent) -> list[tuple[str, Decimal | float | None, Decimal]]:
        """Each limit over several orders, and what of it is used."""
        return [
            ("session_notional", self._limits.session_notional, spent.session),
            ("daily_notional", self._limits.daily_notional, spent.today),
        ]

    def _exact(self, edit: Edit) -> tuple[Edit, str, Decimal]:
        """The change held against the contract's rules and the user's limits, the contract, and the value it adds."""
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
        gained = orders.check_change(exact, row, self._read_market(symbol), self._limits)
        return exact, symbol, gained

    def cancel(self, cancel: Cancel) -> CancelResult:
        """Cancel an order; see `Client.cancel`."""
        intent = self._write_cancel(cancel)
        send = partial(self._venue.cancel, cancel.order_id, cancel.cli_ord_id, intent.deadline)
        return self._carry_out(intent, send, CancelResult)

    def _write_cancel(self, cancel: Cancel) -> Intent:
        placed = self.journal.placed(cancel.cli_ord_id or "")
        ids = {"cli_ord_id": cancel.cli_ord_id or "", "order_id": cancel.order_id or ""}
        return self._write("cancel", {}, None, symbol="" if placed is None else placed.symbol, **ids)

    def cancel_all(self, symbol: str | None) -> CancelResult:
        """Cancel all orders; see `Client.cancel_all`."""
        intent = self._write("cancel_all", {}, math.inf, symbol=symbol or "")
        return self._carry_out(intent, partial(self._venue.cancel_all, symbol), CancelResult)

    def batch(self, instructions: Sequence[Order | Edit | Cancel | Preview]) -> list[InstructionResult]:
        """Send several instructions with one request; see `Client.batch`."""
        prepared = [self._prepared(instruction) for instruction in instructions]
        intents: list[Intent] = []
        try:
            intents.extend(write() for _, write in prepared)
        except BaseException:
            for intent in intents:
                self.journal.close(intent, Outcome("not_sent", message="another instruction of the batch was refused"))
            raise
        exact: list[Instruction] = [instruction for instruction, _ in prepared]
        deadline = min(intent.deadline for intent in intents if intent.deadline is not None)
        return self._carry_out_batch(intents, exact, deadline)

    def _prepared(self, instruction: Order | Edit | Cancel | Preview) -> tuple[Instruction, Callable[[], Intent]]:
        match instruction:
            case Edit():
                checked = self._exact(instruction)
                return checked[0], partial(self._write_edit, *checked)
            case Cancel():
                return instruction, partial(self._write_cancel, instruction)
            case _:
                seen = self.examined(instruction)
                order = replace(seen.order, cli_ord_id=seen.order.cli_ord_id or str(uuid.uuid4()))
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

    def _carry_out(self, intent: Intent, send: Callable[[], Result], kind: type[Result]) -> Result:
        errand = _Errand(partial(self._run, intent, send, kind), f"kfut-order-{intent.number}")
        try:
            result: Result = errand.wait()
        except KeyboardInterrupt:
            self._interrupted([intent])
            raise OrderInterrupted(
                _INTERRUPTED.format(intent.cli_ord_id or intent.order_id), intent.cli_ord_id
            ) from None
        return result

    def _interrupted(self, intents: Sequence[Intent]) -> None:
        for intent in intents:
            self.journal.step(intent, "interrupted", "the kernel was interrupted; the request goes on")

    def _run(self, intent: Intent, send: Callable[[], Result], kind: type[Result]) -> Result:
        try:
            result = send()
        except Exception as error:
            outcome = self._after(intent, error)
            if outcome.status == "not_sent":
                raise
        else:
            if self._is_clear(intent, result):
                told: Result = self._with_fee(intent, result)
                return told
            outcome = self._doubt(intent, result.message)
        answer: Result = self._with_fee(intent, _result(intent, outcome, kind))
        return answer

    def _is_clear(self, intent: Intent, result: InstructionResult) -> bool:
        """Whether an answer says what became of an intent; then it is written down."""
        if result.status == "unknown":
            return False
        self.journal.close(intent, _outcome_of(result), "answered")
        return True

    def _with_fee(self, intent: Intent, result: InstructionResult) -> Any:
        """A fill with what it has cost, where the exchange says so at once; it is known later in any case."""
        if not isinstance(result, OrderResult) or not result.filled_size > 0:
            return result
        try:
            fee = self._venue.fee_of(result.order_id, intent.symbol, intent.sent_time - pd.Timedelta(seconds=30))
        except VenueError as error:
            _log.info("the fee of %s could not be read: %s", _name(intent), error)
            return result
        if math.isnan(fee):
            return result
        self.journal.note_fee(intent, fee)
        return replace(result, fee=fee)

    def _after(self, intent: Intent, error: Exception) -> Outcome:
        """What is known of an intent after an error; ``not_sent`` where it proves that nothing was taken."""
        if proves_nothing_was_sent(error):
            outcome = Outcome("not_sent", getattr(error, "words", ""), str(error))
            self.journal.close(intent, outcome, "not taken")
            return outcome
        if isinstance(error, ExchangeError) and not isinstance(error, RateLimitError) and orders.is_refusal(error):
            status = "not_found" if isinstance(error, NotFoundError) and intent.kind != "place" else "rejected"
            outcome = Outcome(status, error.words, f"Rejected. {orders.explain(error.words)}")
            self.journal.close(intent, outcome, "answered")
            return outcome
        return self._doubt(intent, str(error))

    def _doubt(self, intent: Intent, why: str) -> Outcome:
        """Look for the fate of an intent until it is known, or patience ends."""
        _log.info("no clear answer to %s %s, looking for it: %s", intent.kind, _name(intent), why)
        self.journal.step(intent, "no answer", why[:500])
        end = time.monotonic() + PATIENCE
        for attempt in range(10_000):
            pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
            if time.monotonic() + pause > end:
                break
            time.sleep(pause)
            try:
                outcome = self.look(intent)
            except VenueError as error:
                why = str(error)
                _log.info("the fate of %s could not be looked up: %s", _name(intent), error)
                continue
            if outcome is not None:
                return outcome
        self._resolver.begin()
        return Outcome("unknown", "", f"No clear answer arrived ({why}). {_WAIT}")

    def look(self, intent: Intent) -> Outcome | None:
        """Look once for the fate of an intent, and write down what is found."""
        outcome = fate.find(self._venue, intent)
        if outcome is None:
            return None
        if self.journal.close(intent, outcome, "found"):
            _log.info("the fate of %s is known: %s", _name(intent), outcome.status)
            return outcome
        return self.journal.outcome(intent) or outcome

    def _carry_out_batch(
        self, intents: Sequence[Intent], exact: Sequence[Instruction], deadline: pd.Timestamp
    ) -> list[InstructionResult]:
        def run() -> list[InstructionResult]:
            kinds = [_KINDS[type(instruction)] for instruction in exact]
            try:
                results = self._venue.batch(exact, deadline)
            except Exception as error:
                outcomes = [self._after(intent, error) for intent in intents]
                if outcomes[0].status == "not_sent":
                    raise
                return [_result(*each) for each in zip(intents, outcomes, kinds, strict=True)]
            # First whatever the answer says, then the search for what it does not say.
            clear = [self._is_clear(*each) for each in zip(intents, results, strict=True)]
            return [
                self._with_fee(intent, result if told else _result(intent, self._doubt(intent, result.message), kind))
                for intent, result, kind, told in zip(intents, results, kinds, clear, strict=True)
            ]

        errand = _Errand(run, f"kfut-batch-{intents[0].number}")
        try:
            answers: list[InstructionResult] = errand.wait()
        except KeyboardInterrupt:
            self._interrupted(intents)
            raise OrderInterrupted(_INTERRUPTED.format("the batch"), intents[0].cli_ord_id) from None
        return answers

    # ---- what was left open ------------------------------------------------------------------------------------

    def resolve(self) -> list[tuple[Intent, Outcome]]:
        """Look once for everything whose fate is not known; what could be found, as it is known now."""
        found = []
        for intent in self.journal.open_intents():
            try:
                outcome = self.look(intent)
            except VenueError as error:
                _log.info("the fate of %s could not be looked up: %s", _name(intent), error)
                continue
            if outcome is not None:
                found.append((intent, outcome))
        if self.journal.open_intents():
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
        result: OrderResult | None = None if known is None else _result(intent, known, OrderResult)
        return result

    def close(self) -> None:
        """End the search in the background."""
        self._resolver.end()


_INTERRUPTED = (
    "interrupted while {} was on its way: the request is not torn, and it is not sent again. What became of it is "
    "found out in the background: see client.journal()"
)
_WAIT = "Its fate is being looked for and client.journal() will tell; do not send it again before that."


def proves_nothing_was_sent(error: Exception) -> bool:
    """Whether an error shows that the exchange did not take the request at all.

    A bare HTTP 429 does not: whoever stands between may say so after the exchange has taken it.
    """
    if isinstance(error, RateLimitError):
        return error.http_status is None or error.words.casefold().startswith("apilimitexceeded")
    return isinstance(error, (ConnectionFailed, AuthenticationError, CredentialsError, ReadOnlyError, OrderRefused))


class _Errand:
    """Work on a thread of its own that an interrupt of the one who waits does not end."""

    def __init__(self, work: Callable[[], Any], name: str) -> None:
        self._work = work
        self._done = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def wait(self) -> Any:
        """The work's value, or its error."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value


class _Resolver:
    """Looks for unknown fates in the background until none is left; does not keep its desk alive."""

    def __init__(self, desk: Desk) -> None:
        self._desk = weakref.ref(desk)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._running = False

    def begin(self) -> None:
        with self._lock:
            if self._running or self._ended.is_set():
                return
            self._running = True
        threading.Thread(target=self._run, name="kfut-resolver", daemon=True).start()

    def end(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        pause = 1.0
        while not self._ended.wait(pause) and threading.main_thread().is_alive():
            desk = self._desk()
            if desk is None or not self._look(desk):
                break
            del desk
            pause = min(2 * pause, _LONGEST_PAUSE)
        with self._lock:
            self._running = False

    @staticmethod
    def _look(desk: Desk) -> bool:
        """Whether something is left."""
        for intent in desk.journal.open_intents():
            try:
                desk.look(intent)
            except Exception as error:
                _log.info("the fate of %s could not be looked up: %s", _name(intent), error)
        return bool(desk.journal.open_intents())


_KINDS: dict[type, type] = {Order: OrderResult, Edit: EditResult, Cancel: CancelResult}


def _details(stated: Order | Edit) -> dict[str, Any]:
    """What is wanted, in the words of the order; numbers as text, so that they stay exact."""
    return {name: value for name, value in asdict(stated).items() if value is not None}


def _name(intent: Intent) -> str:
    return intent.cli_ord_id or intent.order_id or intent.symbol or "all orders"


def _outcome_of(result: InstructionResult) -> Outcome:
    return Outcome(
        status=result.status,
        reason=result.reason,
        message=result.message,
        order_id=getattr(result, "order_id", ""),
        filled_size=getattr(result, "filled_size", 0.0),
        average_price=getattr(result, "average_price", math.nan),
        fee=getattr(result, "fee", math.nan),
    )


def _result(intent: Intent, outcome: Outcome, kind: Any) -> Any:
    """An outcome in the form that the caller knows."""
    known = asdict(outcome) | {
        "cli_ord_id": intent.cli_ord_id,
        "order_id": outcome.order_id or intent.order_id,
        "average_price": math.nan if outcome.average_price is None else outcome.average_price,
        "fee": math.nan if outcome.fee is None else outcome.fee,
        "until": intent.deadline if outcome.status == "unknown" else None,
    }
    if kind is CancelResult:
        known["order_ids"] = (known["order_id"],) if outcome.status == "cancelled" and known["order_id"] else ()
    return kind(**{each.name: known[each.name] for each in fields(kind)})


def _with_margin_figures(result: OrderResult, seen: Preview) -> OrderResult:
    """Where margin is what lacked, the message says how much is needed and how much there was."""
    if not any(word in result.reason for word in orders.MARGIN_REASONS):
        return result
    return replace(result, message=f"{result.message} {seen.margin_sentence()}")
