"""Brackets in random weather: prices that move, answers that get lost, orders cancelled by hand, kernels that end.

Whatever happens, the exits together never close more than the entry has opened, although there is more that they could
close; while it is calm the exits stand for what is open; and when a bracket is over none of its orders is left. The
engine says what happened, not its API.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics import desk, errors, fate
from kfut_analytics.guards.bracket import Bracket
from tests.risk.stage import Stage

SYMBOL = "PF_XBTUSD"
LOST = ("drop-after", "drop-before", "reset-after", "http-502-html-after", "http-503", "truncate", "http-500-after")


def of_bracket(stage: Stage, bracket: Bracket, part: str) -> float:
    """Contracts that an entry or the exits have filled, by the engine."""
    wanted = [fill for fill in stage.account.fills if (fill.cli_ord_id or "").startswith(bracket.bracket_id)]
    return sum(fill.size for fill in wanted if ((fill.cli_ord_id or "").endswith("-entry")) == (part == "entry"))


def open_of(stage: Stage, bracket: Bracket) -> dict[str, float]:
    return {
        order.cli_ord_id: order.remaining
        for order in stage.account.orders.values()
        if order.cli_ord_id and order.cli_ord_id.startswith(bracket.bracket_id)
    }


def look(stage: Stage, bracket: Bracket) -> None:
    stage.client._brackets._look_at(bracket)
    stage.exchange.advance(0.5)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens(seed: int, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a clock that only a test steps no deadline passes by itself; nobody shall wait for that.
    monkeypatch.setattr(desk, "PATIENCE", 0.05)
    monkeypatch.setattr(fate, "SETTLE", 0.0)
    luck = random.Random(seed)
    stage.market.depth = luck.choice([8_000.0, 20_000.0, 1e9])  # thin books fill entries in parts
    side = luck.choice(["buy", "sell"])
    sign = 1 if side == "buy" else -1
    stage.trade(SYMBOL, sign * luck.choice([0.2, 5.0]))  # somebody else's, which the exits must leave alone
    others = stage.account.positions[SYMBOL].size
    limit = None if luck.random() < 0.5 else 80_000 + sign * luck.choice([1, 2, -300])
    entry = kfut.Order(SYMBOL, side, "0.5", limit_price=limit)
    bracket = stage.client.bracket(entry, take_profit=80_000 + sign * 1_500, stop=80_000 - sign * 1_200)
    assert (bracket.state == "protected") == (of_bracket(stage, bracket, "entry") > 0)
    for _ in range(25):
        act = luck.choices(["move", "lose", "by hand", "restart", "calm"], [40, 20, 8, 6, 26])[0]
        if act == "move":
            stage.move(5.0, XBT=80_000 + luck.uniform(-1_800, 1_800))
        elif act == "lose":
            operation = luck.choice(["sendorder", "editorder", "cancelorder", "openorders", "fills"])
            stage.server.faults.plan(operation, luck.choice(LOST), times=luck.randint(1, 2))
        elif act == "by hand" and open_of(stage, bracket):
            stage.server.faults.clear()
            stage.client.cancel(cli_ord_id=luck.choice(sorted(open_of(stage, bracket))))
        elif act == "restart" and not bracket.over:
            stage.server.faults.clear()
            stage.client._brackets.leave("the kernel has ended")
            stage.client.__dict__.pop("_brackets")
            taken = stage.client.watch_brackets()
            if taken:
                (bracket,) = taken
        elif act == "calm":
            stage.server.faults.clear()
        look(stage, bracket)
        opened, closed = of_bracket(stage, bracket, "entry"), of_bracket(stage, bracket, "exits")
        assert closed <= opened + 1e-9, "the exits never close more than was opened"
    stage.server.faults.clear()
    stage.exchange.advance(20)
    for _ in range(6):
        stage.client.resolve()
        look(stage, bracket)
    opened, closed = of_bracket(stage, bracket, "entry"), of_bracket(stage, bracket, "exits")
    standing = {name: size for name, size in open_of(stage, bracket).items() if not name.endswith("-entry")}
    held = stage.account.positions[SYMBOL].size if SYMBOL in stage.account.positions else 0.0
    assert held == pytest.approx(others + sign * (opened - closed))
    if bracket.over:
        assert "something else" not in bracket.trouble
        assert opened == pytest.approx(closed)
        assert open_of(stage, bracket) == {}, "an order is left of a bracket that is over"
    else:
        assert all(size == pytest.approx(opened - closed) for size in standing.values())
        stop_stands = any("-stop-" in name for name in standing)
        assert (bracket.filled, bracket.closed) == (pytest.approx(opened), pytest.approx(closed))
        assert opened == closed or (bracket.state == "protected") == stop_stands, bracket


def test_an_unprotected_position_can_be_closed(stage: Any) -> None:
    bracket = stage.client.bracket(kfut.Order(SYMBOL, "buy", "0.5"), take_profit=82_000, stop=78_000)
    result = stage.client.cancel_bracket(bracket, flatten=True)
    assert (result.status, result.filled_size) == ("filled", 0.5)
    assert stage.account.positions == {}
    assert stage.account.orders == {}
    assert stage.client.cancel_bracket(bracket, flatten=True) is None


def test_an_entry_that_is_refused_leaves_nothing(stage: Any) -> None:
    with pytest.raises(errors.OrderRefused):
        stage.client.bracket(kfut.Order(SYMBOL, "buy", "5000"), stop=78_000)
    assert stage.client.brackets().empty
