"""What an answer, or an error in place of one, proves about an intent."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from .errors import (
    AuthenticationError,
    ConnectionFailed,
    CredentialsError,
    ExchangeError,
    NotFoundError,
    OrderRefused,
    RateLimitError,
    ReadOnlyError,
)
from .journal import Intent, Outcome
from .orders import CancelResult, EditResult, OrderResult, explain, is_refusal
from .venue import InstructionResult

_EXISTS = ("clientOrderIdAlreadyExist", "CLIENT_ORDER_ID_IN_USE")


@dataclass(frozen=True, slots=True)
class Doubt:
    """An answer that leaves open what became of an intent: why, and the exchange's word if there was one."""

    why: str
    word: str = ""


def proves_nothing_was_sent(error: Exception) -> bool:
    """Whether an error shows that the exchange did not take the request at all.

    A bare HTTP 429 does not: whoever stands between may say so after the exchange has taken it.
    """
    if isinstance(error, RateLimitError):
        return error.http_status is None or error.words.casefold().startswith("apilimitexceeded")
    return isinstance(error, (ConnectionFailed, AuthenticationError, CredentialsError, ReadOnlyError, OrderRefused))


def proves_refusal(intent: Intent, error: Exception) -> Outcome | None:
    """The outcome that an error proves; None if it leaves it open."""
    if not isinstance(error, ExchangeError) or isinstance(error, RateLimitError) or not is_refusal(error):
        return None
    if error.words.startswith(_EXISTS):
        return None
    status = "not_found" if isinstance(error, NotFoundError) and intent.kind != "place" else "rejected"
    return Outcome(status, error.words, f"Rejected. {explain(error.words)}")


def is_clear(result: InstructionResult) -> bool:
    """Whether an answer says what became of an intent.

    A client id that exists already does not: our own request may have come twice, through a proxy that repeats what
    it thinks was lost. Nor does a fill whose size or price is missing.
    """
    if result.status == "unknown" or result.reason in _EXISTS:
        return False
    if isinstance(result, OrderResult) and result.status in {"filled", "partially_filled"}:
        return not (math.isnan(result.filled_size) or math.isnan(result.average_price))
    return True


_RESULTS: dict[str, type] = {
    "place": OrderResult,
    "edit": EditResult,
    "cancel": CancelResult,
    "cancel_all": CancelResult,
}


def outcome_of(result: InstructionResult) -> Outcome:
    """A result as the journal keeps it."""
    return Outcome(
        status=result.status,
        reason=result.reason,
        message=result.message,
        order_id=getattr(result, "order_id", ""),
        filled_size=getattr(result, "filled_size", 0.0),
        average_price=getattr(result, "average_price", math.nan),
        fee=getattr(result, "fee", math.nan),
    )


def result_of(intent: Intent, outcome: Outcome) -> Any:
    """An outcome in the form that the caller knows."""
    kind = _RESULTS[intent.kind]
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
