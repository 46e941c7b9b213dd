"""Faults on demand: what shall go wrong between a client and the exchange, and a record of what did."""

from __future__ import annotations

import hashlib
import logging
import math
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kfut_analytics.errors import ArgumentError
from kfut_analytics.paper.engine.exchange import Exchange, UnknownSymbolError
from kfut_analytics.paper.faults.scenario import Kind, Maintenance, MarketPlan, Mixture, Rule, Scenario
from kfut_analytics.paper.market.states import NORMAL, Bound, Downtime, MarketState
from kfut_analytics.paper.wire.limits import Limits

logger = logging.getLogger("kfut_analytics.paper")

LOG_LENGTH = 100_000

_BASES = (
    "/derivatives/api/v3/",
    "/derivatives/api/v4/",
    "/api/history/v3/",
    "/api/history/v2/",
    "/api/charts/v1/",
    "/api/auth/v1/",
    "/api/stats/v1/",
)


@dataclass(slots=True)
class Mishap:
    """A call that went wrong.

    Attributes
    ----------
    method, operation
        What was called: the HTTP method, and the path after the API's base.
    call
        Its number among the calls of this operation since something was planned.
    kind
        What went wrong.
    seconds
        How long it waited.
    asked
        The call's parameters, as they came: query and body. Empty if they did not arrive.
    processed
        Whether the exchange has processed the call; None as long as it may yet do so.
    """

    method: str
    operation: str
    call: int
    kind: str
    seconds: float
    asked: str = ""
    processed: bool | None = None


class _Planned:
    """A rule at work."""

    def __init__(self, rule: Rule, now: float) -> None:
        self.rule = rule
        self.start, self.end = now + rule.start, now + rule.end
        self._matches = rule.pattern.match
        self._skip, self._left = rule.skip, math.inf if rule.times is None else rule.times

    def over(self, now: float) -> bool:
        """Whether it will never take a call again."""
        return not self._left or now >= self.end

    def takes(self, call: str, number: int, now: float) -> bool:
        """Whether this call goes wrong."""
        if not self._left or not self.start <= now < self.end or not self._matches(call):
            return False
        if self._skip:
            self._skip -= 1
            return False
        rule = self.rule
        if rule.rate < 1 and luck(f"{rule.seed} {rule.kind} {call} {number}") >= rule.rate:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True)
class _Window:
    symbol: str
    state: MarketState
    start: float
    end: float


class Faults:
    """What is planned to go wrong, and what went wrong; may be used from any thread.

    Parameters
    ----------
    exchange
        Whose clock, markets and announcements are meant.
    limits
        Its rate limits.
    """

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self._exchange = exchange
        self._limits = limits
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []
        self._calls: Counter[str] = Counter()
        self._log: deque[Mishap] = deque(maxlen=LOG_LENGTH)
        self._windows: list[_Window] = []
        self._next_change = math.inf

    @property
    def log(self) -> list[Mishap]:
        """The calls that went wrong, oldest first."""
        with self._lock:
            return list(self._log)

    # Planning ---------------------------------------------------------------------------------------------------

    def plan(
        self,
        operation: str,
        kind: Kind,
        *,
        seconds: float = 0.0,
        times: int | None = 1,
        skip: int = 0,
        rate: float = 1.0,
        seed: int = 0,
        start: float = 0.0,
        end: float = math.inf,
    ) -> None:
        """Let calls of an operation go wrong. Where several plans fit a call, the one made first takes it.

        Parameters
        ----------
        operation
            The path after the API's base: ``sendorder``, ``orders/status``, ``account-log``; ``*`` stands for any
            text. With a method before it, only calls with this one: ``POST *``, ``PUT leveragepreferences``.
        kind
            What goes wrong; see the table of `paper.scenario`.
        seconds
            How long the call waits first; with ``delay-after`` the answer, and with ``trickle`` its pieces take so
            long.
        times
            For how many calls, None for all.
        skip
            So many calls go well first.
        rate, seed
            The probability of each call. The draw depends on the seed, the kind, the operation and the number of its
            call alone, thus not on what else is asked.
        start, end
            From when to when, in seconds from now.

        Raises
        ------
        ArgumentError
            If there is no such fault, or a number makes no sense.
        """
        self._install(
            Rule(
                operation=operation,
                kind=kind,
                seconds=seconds,
                times=times,
                skip=skip,
                rate=rate,
                seed=seed,
                start=start,
                end=end,
            )
        )

    def at_random(self, seed: int, rates: Mapping[str, float], *, operation: str = "*", seconds: float = 0.0) -> None:
        """Let calls go wrong at random until further notice.

        Parameters
        ----------
        seed, operation
            As for `plan`.
        rates
            The probability of each kind.
        seconds
            How long the kinds take that are about time; the others come at once.

        Raises
        ------
        ArgumentError
            If there is no such fault, or the probabilities make no sense.
        """
        for rule in Mixture(seed=seed, rates=dict(rates), operation=operation, seconds=seconds).rules():
            self._install(rule)

    def market(
        self,
        symbol: str,
        *,
        suspended: bool = False,
        post_only: bool = False,
        dislocated: Bound | None = None,
        margin_multiplier: int = 1,
        start: float = 0.0,
        seconds: float = math.inf,
    ) -> None:
        """Put a market into a state for a time. Where several overlap, the one planned last holds.

        Parameters
        ----------
        symbol
            The contract.
        suspended, post_only, dislocated, margin_multiplier
            As in `MarketState`; with none of them the market is normal.
        start, seconds
            In how many seconds it begins, and how long it lasts.

        Raises
        ------
        ArgumentError
            If there is no such contract, or a value makes no sense.
        """
        self._put(
            MarketPlan(
                symbol=symbol,
                suspended=suspended,
                post_only=post_only,
                dislocated=dislocated,
                margin_multiplier=margin_multiplier,
                start=start,
                seconds=seconds,
            )
        )

    def maintenance(self, *, seconds: float, start: float = 0.0) -> None:
        """Announce that the API answers every call with ``Unavailable`` for a time; the markets go on meanwhile.

        Parameters
        ----------
        seconds, start
            How long, and in how many seconds it begins.

        Raises
        ------
        ArgumentError
            If a number makes no sense.
        """
        self._announce(Maintenance(seconds=seconds, start=start))

    def skew(self, seconds: float) -> None:
        """Let the exchange's clock be wrong.

        The exchange's time never runs back: a clock that is put back stands still until it is reached.

        Parameters
        ----------
        seconds
            How far it is ahead of the time, negative if behind.

        Raises
        ------
        ArgumentError
            If that is no number.
        """
        if not math.isfinite(seconds):
            raise ArgumentError(f"skew is {seconds}: give the seconds by which the exchange's clock is ahead")
        self._exchange.clock.skew = float(seconds)

    def enforce_limits(self, enforced: bool = True) -> None:
        """Let the documented rate limits hold, or not."""
        self._limits.enforced = enforced

    def load(self, scenario: Mapping[str, Any]) -> None:
        """Plan all that a mapping says, or nothing if it cannot be understood.

        Parameters
        ----------
        scenario
            ``faults``, ``random``, ``markets`` and ``maintenance`` are lists of mappings with the parameters of
            `plan`, `at_random`, `market` and `maintenance`; ``skew`` and ``enforce_limits`` are those methods', and
            a ``name`` is for the reader.

        Raises
        ------
        ArgumentError
            If something is unknown or makes no sense; the message says where it stands.
        """
        try:
            read = msgspec.convert(dict(scenario), Scenario)
        except msgspec.ValidationError as error:
            raise ArgumentError(f"the scenario of faults cannot be understood: {error}") from None
        for symbol in (plan.symbol for plan in read.markets):
            self._contract(symbol)
        if read.skew is not None:  # first, because the others' times are its clock's
            self.skew(read.skew)
        for rule in (*read.faults, *(rule for mixture in read.random for rule in mixture.rules())):
            self._install(rule)
        for market in read.markets:
            self._put(market)
        for downtime in read.maintenance:
            self._announce(downtime)
        if read.enforce_limits is not None:
            self.enforce_limits(read.enforce_limits)
        logger.info("scenario of faults: %s", read.name or "without a name")

    def clear(self) -> None:
        """Forget what is planned and count calls anew: markets, API and clock are normal again. The log stays."""
        with self._lock:
            self._planned = []
            self._calls.clear()
            self._windows = []
            self._next_change = -math.inf
        self._exchange.downtimes = []
        self._exchange.clock.skew = 0.0
        self.move_on()

    def _install(self, rule: Rule) -> None:
        with self._lock:
            self._planned = [*self._planned, _Planned(rule, self._exchange.clock.now())]

    def _put(self, plan: MarketPlan) -> None:
        symbol, now = self._contract(plan.symbol), self._exchange.clock.now()
        start = now + plan.start
        with self._lock:
            self._windows.append(_Window(symbol, plan.state(), start, start + plan.seconds))
            self._next_change = min(self._next_change, start)
        self.move_on()

    def _announce(self, plan: Maintenance) -> None:
        start = self._exchange.clock.now() + plan.start
        self._exchange.downtimes = [*self._exchange.downtimes, Downtime(start, start + plan.seconds)]

    def _contract(self, symbol: str) -> str:
        try:
            return self._exchange.contract(symbol).symbol
        except UnknownSymbolError:
            raise ArgumentError(
                f"symbol is {symbol!r}: no contract has it; write it as the instruments do, such as 'PF_XBTUSD'"
            ) from None

    # At work ----------------------------------------------------------------------------------------------------

    def take(self, method: str, path: str) -> Mishap | None:
        """What goes wrong with a call, if anything; it is in the log from then on."""
        if not self._planned and not self._exchange.downtimes:
            return None
        operation = next((path.removeprefix(base) for base in _BASES if path.startswith(base)), path)
        operation = operation.strip("/")
        call, now = f"{method} {operation}", self._exchange.clock.now()
        with self._lock:
            self._calls[call] += 1
            number = self._calls[call]
            if any(downtime.start <= now < downtime.end for downtime in self._exchange.downtimes):
                mishap = Mishap(method, operation, number, "http-503", 0.0)
            else:
                planned = next((planned for planned in self._planned if planned.takes(call, number, now)), None)
                if planned is None:
                    return None
                mishap = Mishap(method, operation, number, planned.rule.kind, planned.rule.seconds)
                self._planned = [planned for planned in self._planned if not planned.over(now)]
            self._log.append(mishap)
            return mishap

    def move_on(self) -> None:
        """Bring the states of the markets up to the clock's time, each change at its moment."""
        if self._exchange.clock.now() < self._next_change:
            return
        with self._exchange.transaction(), self._lock:
            now = self._exchange.clock.now()
            changes = {when for window in self._windows for when in (window.start, window.end)}
            for moment in sorted({now} | {when for when in changes if self._next_change <= when <= now}):
                self._exchange.advance_to(moment)
                self._exchange.states.clear()
                for window in self._windows:
                    if window.start <= moment < window.end:
                        self._exchange.states[window.symbol] = window.state
            for symbol in [symbol for symbol, state in self._exchange.states.items() if state == NORMAL]:
                del self._exchange.states[symbol]
            self._windows = [window for window in self._windows if now < window.end]
            self._next_change = min((when for when in changes if when > now), default=math.inf)


def luck(key: str) -> float:
    """A number from 0 to below 1 that is the same for the same text, on every machine."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) / 2**64
