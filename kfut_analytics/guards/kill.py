"""The kill switch: cancel everything, then if asked close every position, and let nothing new in."""

from __future__ import annotations

import html
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from ..desk import Desk
from ..orders import Cancel, CancelResult, Order, OrderResult
from ..venue import Venue

_log = logging.getLogger("kfut_analytics.guards")


@dataclass(frozen=True, slots=True)
class KillReport:
    """What the kill switch did, and what is left.

    Attributes
    ----------
    time
        When it was done, by the exchange's clock.
    cancelled
        Ids of the orders that were cancelled.
    closed
        Symbol and result of each order that closed a position.
    open_orders, positions
        What is still there; None where it could not be read.
    problems
        What went wrong, in sentences.
    """

    time: pd.Timestamp
    cancelled: tuple[str, ...]
    closed: tuple[tuple[str, OrderResult], ...]
    open_orders: pd.DataFrame | None
    positions: pd.DataFrame | None
    problems: tuple[str, ...] = field(default=())

    @property
    def calm(self) -> bool:
        """Whether no order is open and nothing went wrong."""
        return self.open_orders is not None and self.open_orders.empty and not self.problems

    def lines(self) -> list[tuple[str, str]]:
        """What to tell, as label and text."""
        closed = "; ".join(f"{symbol} {result.status} {result.filled_size:,.10g}" for symbol, result in self.closed)
        left = _held(self.positions)
        return [
            ("Orders cancelled", str(len(self.cancelled))),
            ("Orders still open", "unknown" if self.open_orders is None else _listed(self.open_orders)),
            *([("Positions closed", closed)] if self.closed else []),
            ("Positions left", left),
            *(("Problem", problem) for problem in self.problems),
        ]

    def __repr__(self) -> str:
        body = [f"  {label:<18}{text}" for label, text in self.lines()]
        return "\n".join([f"Kill switch, {self.time:%Y-%m-%d %H:%M:%S} UTC", *body])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for label, text in self.lines()
        )
        return f"<b>Kill switch, {self.time:%Y-%m-%d %H:%M:%S} UTC</b><table>{cells}</table>"


def _listed(orders: pd.DataFrame) -> str:
    return "none" if orders.empty else f"{len(orders)}: {', '.join(map(str, orders.index))}"


def _held(positions: pd.DataFrame | None) -> str:
    if positions is None:
        return "unknown"
    held = [f"{symbol} {size:+,.10g}" for symbol, size in positions["signed_size"].items()]
    return ", ".join(held) or "none"


def kill(desk: Desk, venue: Venue, *, flatten: bool, trouble: str = "") -> KillReport:
    """Cancel all orders, close all positions if asked, whatever of it fails.

    Parameters
    ----------
    desk
        Sends; it takes no new orders from now on but those that only reduce a position.
    venue
        Tells what is left.
    flatten
        Whether every position is closed by a market order that may only reduce it. The exchange gives market orders
        a price protection of one percent: in a thin market a rest may stay, and is reported.
    trouble
        What went wrong before.
    """
    desk.locked = True
    problems = [trouble] if trouble else []
    cancelled: list[str] = []
    closed: list[tuple[str, OrderResult]] = []
    # Whatever fails, of whatever kind, the rest is done.
    try:
        cancelled += desk.cancel_all(None).order_ids
    except Exception as error:
        problems.append(f"cancelling all orders failed, and was tried again: {error}")
        try:
            # Past the desk: a journal that cannot be written must not keep orders alive.
            cancelled += venue.cancel_all(None).order_ids
        except Exception as again:
            problems.append(f"cancelling all orders failed again: {again}")
    left = _read(venue.open_orders, "open orders", problems)
    if left is not None and len(left):
        cancelled += _cancel_one_by_one(desk, left, problems)
        left = _read(venue.open_orders, "open orders", problems)
    positions = _read(venue.positions, "positions", problems)
    if flatten and positions is None:
        problems.append("no position was closed, as they could not be read: call it again, or close them by hand")
    if flatten and positions is not None:
        for symbol, size in positions["signed_size"].items():
            order = Order(
                str(symbol), "sell" if size > 0 else "buy", abs(size), reduce_only=True, price_deviation=math.inf
            )
            try:
                closed.append((str(symbol), desk.place(order)))
            except Exception as error:
                problems.append(f"{symbol} could not be closed: {error}")
        positions = _read(venue.positions, "positions", problems)
        if positions is not None and len(positions):
            problems.append(f"not everything is closed: {_held(positions)} is left. Close it by hand")
    problems += _under_way(desk)
    report = KillReport(
        venue.clock.now(), tuple(dict.fromkeys(cancelled)), tuple(closed), left, positions, tuple(problems)
    )
    (_log.info if report.calm else _log.warning)("%r", report)
    return report


def _under_way(desk: Desk) -> list[str]:
    """Orders that may arrive although everything was cancelled, in sentences."""
    try:
        left = [intent for intent in desk.journal.open_intents("place") if not intent.details.get("reduce_only")]
    except Exception as error:
        return [f"the journal does not say whether an order is still on its way: {error}"]
    return [
        f"whether order {intent.name} has arrived is not known yet, and it may until {intent.deadline:%H:%M:%S} UTC: "
        "see client.journal(), and use the switch again"
        for intent in left
    ]


def _cancel_one_by_one(desk: Desk, left: pd.DataFrame, problems: list[str]) -> list[str]:
    """What one call for all did not cancel: each by its id, which carries a deadline and so has a known fate."""
    done: list[str] = []
    for order_id in map(str, left.index):
        try:
            result: CancelResult = desk.cancel(Cancel(order_id))
        except Exception as error:
            problems.append(f"order {order_id} could not be cancelled: {error}")
            continue
        if result.status == "cancelled":
            done.append(order_id)
        elif result.status not in {"filled", "not_found"}:
            problems.append(f"order {order_id}: {result.message}")
    return done


def _read(call: Callable[[], pd.DataFrame], what: str, problems: list[str]) -> pd.DataFrame | None:
    try:
        return call()
    except Exception as error:
        problems.append(f"the {what} could not be read: {error}")
        return None
