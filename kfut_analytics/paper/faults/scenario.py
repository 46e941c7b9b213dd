"""What can go wrong, in words: the kinds of faults, and plans of them as a mapping says them.

============================  =========  ===============================================================================
kind                          processed  what the client meets
============================  =========  ===============================================================================
``delay``                     yes        the call waits, is processed and answered; processed also if the client left
``delay-after``               yes        processed, then the answer waits
``drop-before``               no         the connection is closed without an answer
``drop-after``                yes        likewise
``reset-before``              no         the connection is reset (RST) without an answer
``reset-after``               yes        likewise
``http-429``                  no         no tokens left: JSON on ``/derivatives``, else text with ``rate-limit-reset``
``http-500``                  no         an internal error in JSON
``http-500-after``            yes        likewise: executed, and answered with an error
``http-503``                  no         ``Unavailable`` in JSON
``http-503-after``            yes        likewise
``http-502-html``             no         the error page of a proxy
``http-502-html-after``       yes        likewise
``http-200-html``             no         a web page that pretends all is well, as the retired demo host gives
``redirect``                  no         301 to another host
``nonce-low``                 no         ``nonceBelowThreshold``
``nonce-duplicate``           no         ``nonceDuplicate``
``truncate``                  yes        half of the body, less than its ``content-length`` says
``truncate-chunked``          yes        half of a chunked body
``truncate-unframed``         yes        half of a body whose length nothing tells
``wrong-type``                yes        the answer as ``text/plain``
``trickle``                   yes        the body in small pieces
============================  =========  ===============================================================================

Beside these there are states of markets, maintenance, a clock that is wrong, and the rate limits. Times of plans are
seconds on the exchange's clock from the moment of planning; how long a call waits is real seconds.
"""

from __future__ import annotations

import fnmatch
import math
import re
from typing import Literal, get_args

import msgspec

from kfut_analytics.errors import ArgumentError
from kfut_analytics.paper.market.states import Bound, MarketState

Kind = Literal[
    "delay",
    "delay-after",
    "drop-before",
    "drop-after",
    "reset-before",
    "reset-after",
    "http-429",
    "http-500",
    "http-500-after",
    "http-503",
    "http-503-after",
    "http-502-html",
    "http-502-html-after",
    "http-200-html",
    "redirect",
    "nonce-low",
    "nonce-duplicate",
    "truncate",
    "truncate-chunked",
    "truncate-unframed",
    "wrong-type",
    "trickle",
]
KINDS: tuple[str, ...] = get_args(Kind)
PROCESSED = frozenset(
    kind
    for kind in KINDS
    if kind.endswith("-after") or kind.startswith("truncate") or kind in ("delay", "wrong-type", "trickle")
)
"""The kinds that let the exchange process the call."""
TAKING_TIME = frozenset(("delay", "delay-after", "trickle"))
"""The kinds that are nothing without some seconds."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls go wrong, and how; the parameters of `Faults.plan`."""

    operation: str
    kind: str
    seconds: float = 0.0
    times: int | None = 1
    skip: int = 0
    rate: float = 1.0
    seed: int = 0
    start: float = 0.0
    end: float = math.inf

    def __post_init__(self) -> None:
        if not self.operation.strip(" /"):
            raise ArgumentError(f"operation is {self.operation!r}: name one, or write '*' for all")
        if self.kind not in KINDS:
            raise ArgumentError(f"kind is {self.kind!r}: the faults are {', '.join(KINDS)}")
        if not 0 <= self.seconds < math.inf:
            raise ArgumentError(f"seconds is {self.seconds}: a call waits 0 seconds or longer, and not for ever")
        if (self.times is not None and self.times < 1) or self.skip < 0:
            raise ArgumentError(
                f"times is {self.times} and skip is {self.skip}: give at least one call (None for all), and skip none "
                "or more"
            )
        if not 0 < self.rate <= 1:
            raise ArgumentError(f"rate is {self.rate}: give the probability of a call, above 0 and at most 1")
        if not 0 <= self.start < self.end:
            raise ArgumentError(f"start is {self.start} and end is {self.end}: give seconds from now, the start first")

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches ``METHOD operation``."""
        method, _, operation = self.operation.strip().rpartition(" ")
        return re.compile(fnmatch.translate(f"{method.strip().upper() or '*'} {operation.strip('/')}"))


class Mixture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults at random; the parameters of `Faults.at_random`."""

    seed: int
    rates: dict[str, float]
    operation: str = "*"
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not self.rates or any(rate < 0 for rate in self.rates.values()) or sum(self.rates.values()) > 1:
            raise ArgumentError(f"rates is {self.rates}: give probabilities by kind that sum up to at most 1")
        self.rules()

    def rules(self) -> list[Rule]:
        """One rule per kind, each for the calls that those before it left alone."""
        found, left = [], 1.0
        for kind, rate in self.rates.items():
            if rate:
                found.append(
                    Rule(
                        operation=self.operation,
                        kind=kind,
                        seconds=self.seconds if kind in TAKING_TIME else 0.0,
                        times=None,
                        rate=min(1.0, rate / left),
                        seed=self.seed,
                    )
                )
                left -= rate
        return found


class MarketPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state of a market for a time; the parameters of `Faults.market`."""

    symbol: str
    suspended: bool = False
    post_only: bool = False
    dislocated: Bound | None = None
    margin_multiplier: int = 1
    start: float = 0.0
    seconds: float = math.inf

    def __post_init__(self) -> None:
        _check_span(self.start, self.seconds)
        self.state()

    def state(self) -> MarketState:
        """The state."""
        return MarketState(self.suspended, self.post_only, self.dislocated, self.margin_multiplier)


class Maintenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time in which the API is unavailable; the parameters of `Faults.maintenance`."""

    seconds: float
    start: float = 0.0

    def __post_init__(self) -> None:
        _check_span(self.start, self.seconds)


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that goes wrong, as one mapping; what `Faults.load` reads."""

    name: str = ""
    faults: tuple[Rule, ...] = ()
    random: tuple[Mixture, ...] = ()
    markets: tuple[MarketPlan, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    skew: float | None = None
    enforce_limits: bool | None = None


def _check_span(start: float, seconds: float) -> None:
    if not 0 <= start < math.inf or not seconds > 0:
        raise ArgumentError(f"start is {start} and seconds is {seconds}: begin now or later, and last some time")
