"""Rate limits: the token pools of the exchange, for clients that want to see how they fare in them (api-facts 5)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from kfut_analytics.paper.wire.params import (
    BadArgumentError,
    JsonParseError,
    MissingArgumentError,
    Params,
    instructions,
)

Pool = Literal["derivatives", "history"]

POOLS: dict[Pool, tuple[float, float]] = {"derivatives": (500.0, 10.0), "history": (100.0, 600.0)}
"""Tokens of a full pool, and the seconds in which an empty one fills up."""

# Tokens of the operations that are named, by method where that matters; every other private one takes `_UNNAMED`.
_COSTS: dict[str, int | dict[str, int]] = {
    "sendorder": 10,
    "editorder": 10,
    "cancelorder": 10,
    "cancelallorders": 25,
    "cancelallordersafter": 25,
    "orders/status": 1,
    "unwindqueue": 200,
    "withdrawal": 100,
    "transfer": 10,
    "transfer/subaccount": 10,
    "leveragepreferences": {"GET": 2, "PUT": 10},
    "pnlpreferences": {"GET": 2, "PUT": 10},
}
_UNNAMED = 2
_FILLS_BEFORE = 25
_BATCH = 9
_LOG_COSTS = ((25, 1), (50, 2), (1000, 3), (5000, 6), (math.inf, 10))
_LOG_DEFAULT_COUNT = 500
_CSV = 6
_HISTORY_UNNAMED = 1


class LimitExceededError(Exception):
    """A pool does not hold what a call takes.

    Attributes
    ----------
    seconds
        After so many seconds it will.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the pool is full enough in {seconds:.1f} s")
        self.seconds = seconds


def cost(method: str, path: str, params: Params) -> tuple[Pool, int] | None:
    """The pool and the tokens that a private call takes, ``None`` for one that takes none.

    Raises
    ------
    BadArgumentError
        If the call says with a parameter what it costs, and that cannot be understood.
    """
    if path.startswith("/api/history"):
        return "history", _history_cost(path.rsplit("/", 1)[1], params)
    if not path.startswith("/derivatives"):
        return None
    name = path.split("/api/v3/", 1)[-1]
    if name == "fills" and params.get("lastFillTime"):
        return "derivatives", _FILLS_BEFORE
    if name == "batchorder":
        return "derivatives", _BATCH + _batch_size(params)
    named = _COSTS.get(name, _UNNAMED)
    return "derivatives", named if isinstance(named, int) else named.get(method, _UNNAMED)


def _batch_size(params: Params) -> int:
    try:
        return len(instructions(params))
    except (BadArgumentError, JsonParseError, MissingArgumentError):
        return 0  # it will be refused for this


def _history_cost(name: str, params: Params) -> int:
    if name == "account-log":
        count = params.integer("count")
        wanted = _LOG_DEFAULT_COUNT if count is None else count
        return next(tokens for most, tokens in _LOG_COSTS if wanted <= most)
    return _CSV if name == "accountlogcsv" else _HISTORY_UNNAMED


@dataclass(slots=True)
class Limits:
    """The pools of every account; they fill up steadily.

    Attributes
    ----------
    enforced
        Whether an empty pool refuses a call.
    """

    enforced: bool = True
    _levels: dict[tuple[str, Pool], tuple[float, float]] = field(default_factory=dict)

    def spend(self, account: str, pool: Pool, tokens: int, now: float) -> None:
        """Take tokens from a pool.

        Raises
        ------
        LimitExceededError
            If it does not hold them; it is left as it is.
        """
        capacity, seconds = POOLS[pool]
        level, since = self._levels.get((account, pool), (capacity, now))
        level = min(capacity, level + (now - since) * capacity / seconds)
        if level < tokens:
            raise LimitExceededError((tokens - level) * seconds / capacity)
        self._levels[account, pool] = (level - tokens, now)
