"""Intents of all kinds from several threads, through faults: what happened by the journal, and by the exchange."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pandas as pd

import kfut_analytics as kfut
from kfut_analytics import desk, errors, fate, orders
from kfut_analytics.limits import Limits, Spent
from kfut_analytics.orders import Order
from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.rest import budget, venue

SYMBOL, STEP = "PF_XBTUSD", Decimal("0.0001")
WRITES = {
    "drop-before": 0.02, "drop-after": 0.02, "reset-before": 0.02, "reset-after": 0.02, "delay": 0.02,
    "delay-after": 0.02, "http-429": 0.02, "http-500": 0.01, "http-500-after": 0.02, "http-503": 0.01,
    "http-503-after": 0.02, "http-502-html": 0.01, "http-502-html-after": 0.02, "http-200-html": 0.01, "redirect": 0.01,
    "truncate": 0.01, "truncate-chunked": 0.01, "truncate-unframed": 0.01, "wrong-type": 0.01, "trickle": 0.02,
}  # fmt: skip
READS = {"drop-before": 0.02, "http-503": 0.02, "http-502-html": 0.01, "reset-after": 0.01, "truncate": 0.01}
_prices = itertools.count()


def hurry(patch: Callable[[object, str, object], None]) -> None:
    """Shorten what a person can wait for, so that many fates are found in a short time; widen the token pools."""
    patch(desk, "TIME_TO_LIVE", 2.0)
    patch(venue, "ANSWER_WITHIN", 1.0)
    patch(fate, "SETTLE", 0.3)
    patch(fate, "_MARGIN", pd.Timedelta(seconds=3))
    patch(budget, "LIMITS", dict.fromkeys(budget.LIMITS, (10**9, 1.0)))


@dataclass
class Trader:
    """Somebody who sends intents of all kinds, one after the other."""

    client: kfut.Client
    seed: int
    market: Callable[[], orders.Market]
    sent: int = 0
    raised: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.luck = random.Random(self.seed)
        self.open: list[str] = []

    def act(self) -> int:
        """Send something; how many intents it was. What was refused before it was written down is none."""
        kind = self.luck.choices(["place", "edit", "cancel", "batch"], [70, 12, 12, 6])[0]
        try:
            if kind == "edit" and self.open:
                self.client.edit(cli_ord_id=self.luck.choice(self.open), limit_price=_price())
            elif kind == "cancel" and self.open:
                self.client.cancel(cli_ord_id=self.open.pop(self.luck.randrange(len(self.open))))
            elif kind == "batch":
                seen = [self.client._desk.examined(self._previewed()) for _ in range(3)]
                results = self.client.batch(seen)
                self.open += [r.cli_ord_id for r in results if r.status == "placed" and isinstance(r, kfut.OrderResult)]
                return 3
            else:
                result = self.client.place(self._previewed())
                if result.status == "placed":
                    self.open.append(result.cli_ord_id)
            return 1
        except (errors.VenueError, errors.OrderRefused) as error:
            self.raised[type(error).__name__] += 1
            return 0

    def _previewed(self) -> orders.Preview:
        """An order with the facts of a moment ago: what is tried here is what comes after the checks."""
        market = self.market()
        return orders.examine(self._order(market), market, Limits(price_deviation=None), Spent())

    def _order(self, market: orders.Market) -> Order:
        side = self.luck.choice(["buy", "sell"])
        sign = 1 if side == "buy" else -1
        size = STEP * self.luck.randint(1, 20)
        kind = self.luck.choice(["lmt", "lmt", "post", "mkt", "ioc", "fok", "stp", "take_profit", "trailing_stop"])
        mark = int(market.mark)
        far, near = mark * (1 - sign * 0.2), mark * (1 + sign * 0.005)
        match kind:
            case "lmt" if self.luck.random() < 0.5:
                return Order(SYMBOL, side, size, limit_price=int(near))
            case "lmt" | "post":
                return Order(SYMBOL, side, size, limit_price=int(far), order_type=kind)
            case "ioc" | "fok":
                price = near if self.luck.random() < 0.7 else far
                return Order(SYMBOL, side, size, limit_price=int(price), order_type=kind)
            case "stp":
                return Order(SYMBOL, side, size, stop_price=int(mark * (1 + sign * 0.2)), order_type=kind)
            case "take_profit":
                return Order(SYMBOL, side, size, stop_price=int(far), order_type=kind)
            case "trailing_stop":
                return Order(SYMBOL, side, size, order_type=kind, trailing_deviation=20, trailing_unit="percent")
        return Order(SYMBOL, side, size)


def _price() -> Decimal:
    """A limit price that no other change asks for, far from every market."""
    return Decimal(30_000 + os.getpid() % 1000 * 10 + next(_prices) % 10_000)


class Facts:
    """The market's facts, read anew every few seconds as somebody does who looks at a ticket."""

    def __init__(self, client: kfut.Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._market: orders.Market | None = None

    def __call__(self) -> orders.Market:
        with self._lock:
            while self._market is None or time.monotonic() - self._market.read_at > 5:
                try:
                    self._market = self._client._market(SYMBOL)
                except errors.VenueError:
                    continue
            return self._market


def trade(client: kfut.Client, intents: int, seed: int, threads: int) -> Counter[str]:
    """Let several threads send so many intents together; what was raised."""
    facts = Facts(client)
    traders = [Trader(client, seed * 100 + number, facts) for number in range(threads)]
    left = [intents]
    lock = threading.Lock()

    def work(trader: Trader) -> None:
        while True:
            with lock:
                if left[0] <= 0:
                    return
                left[0] -= 1
            more = trader.act() - 1
            with lock:
                left[0] -= more

    workers = [threading.Thread(target=work, args=(trader,)) for trader in traders]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum((trader.raised for trader in traders), Counter())


class Truth:
    """What the exchange's engine says of an account's orders; not its API."""

    def __init__(self, exchange: Exchange, account: Account) -> None:
        with exchange.lock:
            self.fills: dict[str, list[Any]] = {}
            for fill in account.fills:
                self.fills.setdefault(fill.cli_ord_id or "", []).append(fill)
            self.records: dict[str, list[Any]] = {}
            for record in account.journal:
                self.records.setdefault(record.order.cli_ord_id or "", []).append(record)
            self.open = {order.cli_ord_id for order in account.orders.values()}

    def disagreement(self, row: pd.Series[Any]) -> str | None:
        """What the engine says otherwise than a row of the journal; None if they agree."""
        cli_ord_id, status = row["cli_ord_id"], row["status"]
        fills, records = self.fills.get(cli_ord_id, []), self.records.get(cli_ord_id, [])
        changes = {record.change for record in records}
        if status in {"open", "unknown"}:
            return f"{status} after its deadline"
        if row["kind"] == "place":
            return self._placed(row, fills, changes, {record.order.order_id for record in records})
        if row["kind"] == "edit":
            done = any(
                record.change == "updated" and record.order.limit_price == row["limit_price"] for record in records
            )
            return None if done == (status == "edited") else f"{status}, but changed: {done}"
        done = "cancelled" in changes
        if status == "cancelled":
            return None if done else "cancelled, but the exchange did not"
        return f"{status}, but cancelled" if done and status in {"never_arrived", "not_sent", "rejected"} else None

    @staticmethod
    def _placed(row: pd.Series[Any], fills: list[Any], changes: set[str], ids: set[str]) -> str | None:
        status, filled = row["status"], sum(fill.size for fill in fills)
        if len({fill.order_id for fill in fills} | ids) > 1 and row["order_type"] not in orders.TRIGGER_TYPES:
            return "more than one order of this id"
        if filled > row["size"] * (1 + 1e-9):
            return f"{filled} of {row['size']} executed"
        if status in {"never_arrived", "not_sent", "rejected"}:
            return f"{status}, but filled or placed" if fills or "placed" in changes else None
        if status == "filled":
            right = abs(filled - row["size"]) < 1e-9 and abs(row["filled_size"] - filled) < 1e-9
            average = sum(fill.size * fill.price for fill in fills) / filled if filled else 0.0
            right = right and abs(row["average_price"] - average) < 1e-6 * average
            return None if right else f"filled {row['filled_size']} at {row['average_price']}: {filled} at {average}"
        if status == "partially_filled":
            return None if 0 < row["filled_size"] <= filled + 1e-9 else f"partially filled: {filled}"
        if status == "placed":
            return None if "placed" in changes else "placed, but not there"
        return f"cancelled, but {filled} filled" if fills and row["filled_size"] == 0 else None
