"""Where a report's figures come from: the client is asked everything once, so that all figures fit together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from ..equity import Equity, equity
from ..errors import ArgumentError, VenueError
from ..margin import Margin, margin
from ..pnl import PnL, pnl
from ..times import TimeLike, not_before, parse_time, step_of, utc_now

if TYPE_CHECKING:
    from ..client import Client

Answers = dict[Any, Future[Any]]


class Once:
    """A client that asks each question once, and answers it from memory when it comes again.

    `kfut_analytics.margin`, `equity` and `pnl` ask much the same. Answered twice, their figures would be of different
    moments and would not fit, and the report would take twice as long. A time that ends earlier is answered from one
    that ended later.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._answers: Answers = {}
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._remembering(name, found) if callable(found) else found

    def _remembering(self, name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def once(*arguments: Any, **options: Any) -> Any:
            end = options.get("end")
            key = (name, arguments, tuple(sorted((k, v) for k, v in options.items() if k != "end")))
            with self._lock:
                known = self._answers.get((key, end))
                longer = self._longer(key, end) if known is None else None
                known = known or longer
                if mine := known is None:
                    known = self._answers[key, end] = Future()
            if mine:
                try:
                    known.set_result(ask(*arguments, **options))
                except BaseException as error:
                    known.set_exception(error)
            answer = known.result()
            if isinstance(answer, pd.DataFrame):
                return (answer if longer is None else answer[answer.index <= end]).copy(deep=False)
            return answer

        return once

    def _longer(self, key: Any, end: Any) -> Future[Any] | None:
        """The answer to the same question of a time that ends later."""
        if not isinstance(end, pd.Timestamp) or key[0] not in ("candles", "funding_rates"):
            return None
        ends = [(other[1], answer) for other, answer in self._answers.items() if other[0] == key]
        return next((answer for other, answer in ends if isinstance(other, pd.Timestamp) and other > end), None)


_DAYS_BY_HOUR = 100
_DAYS_BY_4H = 400


class Sources:
    """The account as a report sees it. What is expensive is computed when it is first needed.

    Parameters
    ----------
    client
        Whose account to report.
    start, end
        The period: points in time, or offsets that count from the exchange's time. The start is moved back to the
        beginning of its day (UTC), so that no day but the last is a part of one, and an end before now to the full
        hour (of long periods, the full 4 hours or day); ``end`` None is now.

    Attributes
    ----------
    env, account_name
        Whose figures they are.
    as_of
        The exchange's time of the figures; this machine's where no exchange tells.
    ended
        Whether the period ends before now.
    log
        The account log of the period.
    """

    def __init__(self, client: Client, start: TimeLike, end: TimeLike | None = None) -> None:
        self.client = cast("Client", Once(client))
        self.env, self.account_name = client.env, client.account_name
        now = utc_now()
        parse_time(start, name="start", now=now)
        # The log after the balances: it then lacks no entry that changed them.
        self.as_of = now = self._now()
        self.start = parse_time(start, name="start", now=now).floor("D")
        until = now if end is None else parse_time(end, name="end", now=now)
        self.ended = until < now
        self.end = until.floor(step_of(self._resolution(until))) if self.ended else now
        if self.start >= self.end:
            if end is not None:
                raise ArgumentError(f"compare={(start, end)!r}: the first date is not before the second; give it first")
            raise ArgumentError(f"start={start!r} is not before now: give an earlier start")
        with not_before(now):
            log = self.client.account_log(start=self.start)
        self.log = log[log["time"] <= self.end]

    def _now(self) -> pd.Timestamp:
        try:
            return self.margin.as_of
        except VenueError:
            return utc_now()

    @property
    def resolution(self) -> str:
        """How often the account is valued: the longer the period, the less often."""
        return self._resolution(self.end)

    def _resolution(self, end: pd.Timestamp) -> str:
        days = (end - self.start) / pd.Timedelta("1D")
        return "1h" if days <= _DAYS_BY_HOUR else "4h" if days <= _DAYS_BY_4H else "1d"

    @cached_property
    def margin(self) -> Margin:
        """The account's margin now."""
        return margin(self.client)

    @cached_property
    def pnl(self) -> PnL:
        """What the account log of the period says."""
        return pnl(self.log)

    @cached_property
    def equity(self) -> Equity:
        """The account's value through the period."""
        end = self.end if self.ended else None
        return equity(self.client, start=self.start, end=end, resolution=self.resolution)

    @cached_property
    def history(self) -> pd.DataFrame:
        """Margin usage through the period."""
        return self.margin.history(self.start, self.end, self.resolution)

    @cached_property
    def edges(self) -> pd.DataFrame:
        """Where positions would be liquidated."""
        return self.margin.liquidation()

    @cached_property
    def trips(self) -> pd.DataFrame:
        """Round trips of the period."""
        return self.pnl.round_trips()

    @cached_property
    def merits(self) -> pd.DataFrame:
        """Return and risk in figures."""
        return self.equity.summary()
