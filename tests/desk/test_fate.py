"""What is said of a lost intent is true, whatever happens on the exchange between two questions.

Before each question something happens there: the request arrives, late or never; prices move through orders and back;
somebody else cancels, changes, or trades; seconds pass. The engine says what is true, not its API.

``KFUT_FATES`` sets how many of each kind are tried.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pandas as pd
import pytest

from kfut_analytics import fate
from kfut_analytics.journal import Intent, Journal, Outcome
from kfut_analytics.paper.engine.orders import EditRequest, OrderRequest, Trailing
from tests.risk.stage import Stage

SYMBOL = "PF_XBTUSD"
PRICE = 80_000
LIFE = 8.0
FATES = int(os.environ.get("KFUT_FATES", "15"))
_numbers = itertools.count()

by_chance = pytest.mark.parametrize("seed", range(FATES))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KFUT_HOME", str(tmp_path_factory.mktemp("home")))
        stage = Stage()
        stage.give("flex", "usd", 1e9)
        stage.server.faults.enforce_limits(False)
        yield stage
        stage.close()


class Asked:
    """A venue; before each question something may happen. Its clock is stepped, but nobody is told."""

    rate = 1.0

    def __init__(self, venue: Any, happen: Callable[[], None]) -> None:
        self._venue, self._happen = venue, happen
        self.clock = self

    @property
    def heard(self) -> pd.Timestamp | None:
        heard: pd.Timestamp | None = self._venue.clock.heard
        return heard

    def __getattr__(self, name: str) -> Any:
        def ask(*args: Any) -> Any:
            self._happen()
            return getattr(self._venue, name)(*args)

        return ask


class World:
    """One intent on its way, and an exchange on which things happen."""

    def __init__(self, stage: Stage, luck: Random) -> None:
        self.stage, self.luck = stage, luck
        self.exchange, self.account = stage.exchange, stage.account
        self.exchange.cancel_all(self.account)
        self.venue: Any = Asked(stage.client._venue, self.happen)
        self.name = f"mine-{next(_numbers)}"
        self.journal = Journal(None)
        self.intent: Intent
        self.arrived: Any = None
        self.calm = False

    def write(self, kind: Any, details: dict[str, Any]) -> Intent:
        now = self.now
        return self.journal.write(
            "session", kind, details, sent_time=now, deadline=now + pd.Timedelta(seconds=LIFE), cli_ord_id=self.name,
            symbol=SYMBOL,
        )  # fmt: skip

    @property
    def now(self) -> pd.Timestamp:
        return pd.Timestamp(self.exchange.now, unit="s", tz="UTC")

    # ---- what happens ------------------------------------------------------------------------------------------

    def happen(self) -> None:
        for _ in range(0 if self.calm else self.luck.randint(0, 2)):
            self.luck.choice([self.arrive, self.arrive, self.move, self.meddle, self.trade, self.pass_time])()

    def arrive(self) -> None:
        """The request reaches the exchange; once, or never."""
        if self.arrived is None:
            self.arrived = self.process()

    def process(self) -> Any:
        raise NotImplementedError

    def move(self) -> None:
        """The price goes through orders, or triggers, and comes back."""
        self.stage.move(over=0.2, XBT=PRICE + self.luck.choice([-2000, -500, 500, 2000]))
        self.stage.move(over=0.2, XBT=PRICE)

    def meddle(self) -> None:
        """Somebody else cancels the order, or changes it."""
        if self.luck.random() < 0.4:
            self.exchange.cancel(self.account, cli_ord_id=self.name)
            return
        order = self.exchange.find(self.account, cli_ord_id=self.name)
        if order is not None:
            self.exchange.edit(self.account, self.another_change(order))

    def another_change(self, order: Any) -> EditRequest:
        return EditRequest(cli_ord_id=self.name, size=_size(order.size) - Decimal("0.01"), absolute=True)

    def trade(self) -> None:
        """Participants take a part of what rests nearby."""
        order = self.exchange.find(self.account, cli_ord_id=self.name)
        if order is None or order.is_trigger or order.remaining <= 0.02:
            return
        at = self.exchange.now - self.stage.market.start + 0.05
        price = order.limit_price * (1 - 0.001 * order.sign)
        self.stage.market.trade(SYMBOL, at, price, 0.01, buys=order.side == "sell")
        self.exchange.advance(0.1)

    def pass_time(self) -> None:
        self.exchange.advance(self.luck.choice([0.05, 1.0, 3.0, 6.0]))

    # ---- what is true ------------------------------------------------------------------------------------------

    @property
    def order(self) -> Any:
        return self.exchange.find(self.account, cli_ord_id=self.name)

    @property
    def outlived_the_deadline(self) -> bool:
        """Whether the order was there when the request could not arrive any more; it may have ended since."""
        ends = [each.time for each in (*self.records, *self.fills)]
        return self.order is not None or max(ends) > self.intent.deadline.timestamp()

    @property
    def fills(self) -> list[Any]:
        return [fill for fill in self.account.fills if fill.cli_ord_id == self.name]

    @property
    def filled(self) -> float:
        return sum(fill.size for fill in self.fills)

    @property
    def records(self) -> list[Any]:
        return [record for record in self.account.journal if record.order.cli_ord_id == self.name]

    def changes(self) -> set[str]:
        return {record.change for record in self.records}

    def find(self, intent: Intent) -> Outcome:
        """Look until the fate is known; it must be, soon after the deadline."""
        for _ in range(200):
            found = {each.number: outcome for each, outcome in fate.find(self.venue, [intent])}
            if intent.number in found:
                return found[intent.number]
            self.calm = self.luck.random() < 0.3
            self.exchange.advance(self.luck.choice([0.2, 1.0, 2.0]))
            assert self.exchange.now < intent.deadline.timestamp() + fate.DOUBT + 60, "still not known"
        raise AssertionError("still not known")


def _size(size: float) -> Decimal:
    return Decimal(str(round(size, 4)))


# ---- orders ------------------------------------------------------------------------------------------------------


class Placing(World):
    def __init__(self, stage: Stage, luck: Random) -> None:
        super().__init__(stage, luck)
        self.kind = luck.choice(["lmt", "lmt", "post", "mkt", "ioc", "fok", "stp", "take_profit", "trailing_stop"])
        self.side = luck.choice(["buy", "sell"])
        self.request = self.requested(1 if self.side == "buy" else -1)
        details = {"symbol": SYMBOL, "side": self.side, "size": self.request.size, "order_type": self.kind}
        self.intent = self.write("place", details)
        if luck.random() < 0.5:
            self.arrive()

    def requested(self, sign: int) -> OrderRequest:
        size = Decimal("0.10")
        kinds: dict[str, dict[str, Any]] = {
            "lmt": {"limit_price": Decimal(PRICE + sign * self.luck.choice([-1000, -300, 100]))},
            "post": {"limit_price": Decimal(PRICE + sign * self.luck.choice([-1000, -300, 100]))},
            "ioc": {"limit_price": Decimal(PRICE + sign * self.luck.choice([-300, 100]))},
            "fok": {"limit_price": Decimal(PRICE + sign * self.luck.choice([-300, 100]))},
            "stp": {"stop_price": Decimal(PRICE + sign * 1000)},
            "take_profit": {"stop_price": Decimal(PRICE - sign * 1000)},
            "trailing_stop": {"trailing": Trailing(Decimal(1), "PERCENT")},
        }
        more = kinds.get(self.kind, {})
        if self.kind == "stp" and self.luck.random() < 0.5:
            more["limit_price"] = Decimal(PRICE + sign * 990)
        return OrderRequest(SYMBOL, self.side, self.kind, size, cli_ord_id=self.name, trigger_signal="mark", **more)

    def process(self) -> Any:
        late = replace(self.request, process_before=self.intent.deadline.timestamp())
        return self.exchange.submit(self.account, late)

    def check(self, outcome: Outcome) -> None:
        status, filled = outcome.status, self.filled
        if status == "never_arrived":
            assert not self.changes()
            assert not self.fills
            self.arrived = None
            self.arrive()
            assert self.arrived.status == "wouldProcessAfterSpecifiedTime"
            return
        assert outcome.filled_size <= filled + 1e-9
        assert (outcome.filled_size > 0) == (status in {"filled", "partially_filled"})
        if outcome.filled_size:
            held = self.fills
            sizes = list(itertools.accumulate(fill.size for fill in held))
            assert any(abs(total - outcome.filled_size) < 1e-9 for total in sizes), "fills, one after the other"
            number = next(n for n, total in enumerate(sizes) if abs(total - outcome.filled_size) < 1e-9) + 1
            value = sum(fill.size * fill.price for fill in held[:number])
            assert outcome.average_price == pytest.approx(value / outcome.filled_size)
        match status:
            case "rejected":
                assert "rejected" in self.changes() or self.arrived.status == outcome.reason
                assert self.order is None
                assert not self.fills
            case "placed":
                assert "placed" in self.changes()
            case "cancelled":
                assert self.order is None
                assert filled == 0
                assert self.changes() & {"cancelled", "rejected"}
            case "filled":
                assert outcome.filled_size == pytest.approx(filled)
                assert self.order is None
            case "partially_filled" if "rest is open" in outcome.message:
                assert "placed" in self.changes()
            case "partially_filled":
                assert self.order is None, "its rest was said to be gone"
                assert outcome.filled_size == pytest.approx(filled)


@by_chance
def test_what_is_said_of_an_order_is_true(stage: Stage, seed: int) -> None:
    world = Placing(stage, Random(seed))
    world.check(world.find(world.intent))


# ---- changes -----------------------------------------------------------------------------------------------------

LEVELS = [Decimal(PRICE - 1000), Decimal(PRICE - 900), Decimal(PRICE - 700)]


class Editing(World):
    """A change to a resting order, which somebody else changes to and fro between the same few prices."""

    def __init__(self, stage: Stage, luck: Random) -> None:
        super().__init__(stage, luck)
        self.exchange.submit(
            self.account, OrderRequest(SYMBOL, "buy", "lmt", Decimal("0.10"), LEVELS[0], None, self.name)
        )
        for _ in range(luck.randint(0, 3)):
            self.exchange.advance(luck.choice([0.5, 5.0]))
            self.exchange.edit(self.account, self.another_change(self.order))
        self.exchange.advance(0.5)
        order = self.order
        choices = [level for level in (*LEVELS, Decimal(PRICE + 100)) if float(level) != order.limit_price]
        self.wanted = luck.choice(choices)
        self.before = order.updated
        updated = pd.Timestamp(order.updated, unit="s", tz="UTC")
        details = {"limit_price": self.wanted, "last_update_time": updated.isoformat()}
        self.intent = self.write("edit", details)
        if luck.random() < 0.5:
            self.arrive()

    def another_change(self, order: Any) -> EditRequest:
        if self.luck.random() < 0.2 and order.size > 0.05:
            return super().another_change(order)
        return EditRequest(cli_ord_id=self.name, limit_price=self.luck.choice(LEVELS))

    def process(self) -> Any:
        deadline = self.intent.deadline.timestamp()
        request = EditRequest(cli_ord_id=self.name, limit_price=self.wanted, process_before=deadline)
        return self.exchange.edit(self.account, request)

    def check(self, outcome: Outcome) -> None:
        made = self.arrived is not None and self.arrived.status == "edited"
        same = [
            record
            for record in self.records
            if record.change == "updated" and record.time > self.before and record.order.limit_price == self.wanted
        ]
        match outcome.status:
            case "edited":
                assert same
                assert outcome.filled_size <= self.filled + 1e-9
            case "never_arrived":
                assert not made
                assert self.outlived_the_deadline
            case "not_found":
                assert self.order is None
                assert not made or not same
                assert abs(self.filled - self.records[-1].order.size) > 1e-9
            case "filled":
                assert self.order is None
                assert not made
                assert self.filled > 0
            case other:
                raise AssertionError(other)
        if not made:
            self.arrived = None
            self.exchange.advance(LIFE)
            self.arrive()
            assert self.arrived.status in {"wouldProcessAfterSpecifiedTime", "orderForEditNotFound"}


@by_chance
def test_what_is_said_of_a_change_is_true(stage: Stage, seed: int) -> None:
    world = Editing(stage, Random(seed))
    world.check(world.find(world.intent))


# ---- cancellations -----------------------------------------------------------------------------------------------


class Cancelling(World):
    def __init__(self, stage: Stage, luck: Random) -> None:
        super().__init__(stage, luck)
        kind = luck.choice(["lmt", "stp"])
        prices = (LEVELS[0], None) if kind == "lmt" else (None, Decimal(PRICE + 1000))
        request = OrderRequest(SYMBOL, "buy", kind, Decimal("0.10"), *prices, self.name, trigger_signal="mark")
        self.exchange.submit(self.account, request)
        self.exchange.advance(0.5)
        self.intent = self.write("cancel", {})
        if luck.random() < 0.5:
            self.arrive()

    def process(self) -> Any:
        if self.exchange.now > self.intent.deadline.timestamp():
            return "late"
        return self.exchange.cancel(self.account, cli_ord_id=self.name).status

    def check(self, outcome: Outcome) -> None:
        match outcome.status:
            case "cancelled":
                assert "cancelled" in self.changes()
                assert self.order is None
            case "filled":
                assert self.order is None
                assert self.filled > 0
                assert "cancelled" not in self.changes()
            case "never_arrived":
                assert self.outlived_the_deadline
                assert self.arrived in {None, "late", "notFound"}
            case other:
                raise AssertionError(other)


@by_chance
def test_what_is_said_of_a_cancellation_is_true(stage: Stage, seed: int) -> None:
    world = Cancelling(stage, Random(seed))
    world.check(world.find(world.intent))
