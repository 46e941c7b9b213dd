"""Brackets on an exchange whose lists lag behind what it has done: nothing is concluded before they have caught up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics import fate
from kfut_analytics.guards import watch
from kfut_analytics.guards.bracket import Bracket

from .test_bracket import SYMBOL, look, move, opened, resting

Late = Callable[[str], Callable[[], None]]


@pytest.fixture
def late(stage: Any, monkeypatch: pytest.MonkeyPatch) -> Late:
    """Let a list stay as it is from now on, until what is returned is called."""
    monkeypatch.setattr(watch, "SETTLE", 3600.0)

    def hold(name: str) -> Callable[[], None]:
        call = getattr(stage.client._venue, name)
        since = None if name == "positions" else stage.exchange.now
        before = call(*([pd.Timestamp(since - 60, unit="s", tz="UTC"), None] if name == "fills" else []))
        monkeypatch.setattr(stage.client._venue, name, lambda *_, **__: before)
        return lambda: monkeypatch.setattr(stage.client._venue, name, call)

    return hold


def caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is absent have been so for long enough."""
    monkeypatch.setattr(watch, "SETTLE", 0.0)


def test_exits_are_placed_before_the_entrys_fills_and_position_are_listed(stage: Any, late: Late) -> None:
    list_fills, list_positions = late("fills"), late("positions")
    bracket = opened(stage)
    assert resting(stage) == {"take_profit": 0.5, "stop": 0.5}
    look(stage, bracket)
    assert (bracket.state, bracket.trouble, bracket.filled) == ("protected", "", 0.5)
    list_positions()
    list_fills()
    assert (look(stage, bracket).state, bracket.filled) == ("protected", 0.5)


def test_a_limit_take_profit_waits_for_the_position_to_be_listed(stage: Any, late: Late) -> None:
    list_positions = late("positions")
    own = kfut.Order(SYMBOL, "sell", 1, limit_price=82_000)
    bracket = opened(stage, take_profit=own)
    assert "take-profit has to wait" in bracket.trouble
    assert (bracket.state, len(stage.account.orders)) == ("protected", 1)
    list_positions()
    assert look(stage, bracket).trouble == ""
    assert len(stage.account.orders) == 2


def test_an_exit_that_fires_before_its_fills_are_listed_ends_it_with_the_right_words(stage: Any, late: Late) -> None:
    bracket = opened(stage)
    list_fills = late("fills")
    move(stage, 77_500)
    look(stage, bracket)
    # Neither is the position closed by something else, nor the stop cancelled by somebody.
    assert (bracket.over, bracket.state) == (False, "unprotected")
    assert bracket.trouble == "its stop is not open: it fires at this moment, or was cancelled"
    list_fills()
    assert (look(stage, bracket).state, bracket.closed, bracket.trouble) == ("done", 0.5, "")
    assert resting(stage) == {}


def test_an_exit_that_fills_between_fills_and_positions_is_not_something_else(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SETTLE", 5.0)
    bracket = opened(stage)
    positions = stage.client._venue.positions

    def meanwhile(*quotes: Any) -> pd.DataFrame:
        monkeypatch.setattr(stage.client._venue, "positions", positions)
        move(stage, 82_500)
        return positions(*quotes)

    monkeypatch.setattr(stage.client._venue, "positions", meanwhile)
    assert look(stage, bracket).state != "done"
    assert (look(stage, bracket).state, bracket.trouble) == ("done", "")


def test_an_entry_that_fills_between_two_questions_is_not_over(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bracket = stage.client.bracket(kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000), stop=77_000)
    fills = stage.client._venue.fills

    def then_moved(*span: Any) -> pd.DataFrame:
        monkeypatch.setattr(stage.client._venue, "fills", fills)
        listed = fills(*span)
        move(stage, 78_800)
        return listed

    monkeypatch.setattr(stage.client._venue, "fills", then_moved)
    assert look(stage, bracket).state == "entering"
    assert (look(stage, bracket).state, resting(stage)) == ("protected", {"stop": 0.5})


def test_an_entry_whose_fills_are_listed_late_gets_its_exits(stage: Any, late: Late) -> None:
    bracket = stage.client.bracket(kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000), stop=77_000)
    list_fills = late("fills")
    move(stage, 78_800)
    assert resting(stage) == {}  # it is filled
    assert (look(stage, bracket).state, bracket.watched) == ("entering", True)
    list_fills()
    assert (look(stage, bracket).state, resting(stage)) == ("protected", {"stop": 0.5})


def test_what_is_absent_for_long_enough_is_gone(
    stage: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "SETTLE", 3600.0)
    bracket = opened(stage)
    stage.client.cancel(cli_ord_id=bracket.exit_id("stop", 1))
    assert "was cancelled" in look(stage, bracket).trouble
    assert not bracket.exits["stop"].gone
    caught_up(monkeypatch)
    assert look(stage, bracket).state == "unprotected"
    assert "is gone" in bracket.trouble
    assert "the position is open without it" in caplog.text
    assert resting(stage) == {"take_profit": 0.5}  # what somebody has cancelled is not placed again


def test_an_order_that_is_not_listed_yet_is_cancelled_nevertheless(stage: Any, late: Late) -> None:
    list_orders = late("open_orders")
    bracket = opened(stage)
    assert resting(stage) == {"take_profit": 0.5, "stop": 0.5}
    stage.client.cancel_bracket(bracket)
    list_orders()
    assert resting(stage) == {}


def spent(stage: Any, bracket: Bracket) -> None:
    """Let the time pass in which an order may still arrive, and look."""
    stage.exchange.advance(20)
    stage.client.resolve()
    look(stage, bracket)


def test_a_stop_that_never_arrives_is_placed_three_times_and_then_told(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kfut_analytics.desk.PATIENCE", 0.05)
    monkeypatch.setattr(fate, "SETTLE", 0.0)
    entry = stage.client.preview(kfut.Order(SYMBOL, "buy", "0.5"))
    stage.server.faults.plan("sendorder", "drop-before", skip=1, times=1000)
    bracket = stage.client.bracket(entry, stop=78_000)
    assert bracket.trouble == "whether its stop has arrived is not known yet"
    for _ in range(8):
        spent(stage, bracket)
    assert bracket.state == "unprotected"
    assert "its stop could not be placed in 3 tries" in bracket.trouble
    journal = stage.client.journal()
    stops = journal[journal["cli_ord_id"].str.contains("-stop-")]
    assert stops["status"].tolist() == ["never_arrived"] * 3
    stage.server.faults.clear()
    assert stage.client.cancel_bracket(bracket, flatten=True).status == "filled"


def test_a_stop_that_the_exchange_did_not_take_is_tried_until_it_does(stage: Any) -> None:
    stage.server.faults.plan("sendorder", "http-429", skip=1, times=1000)
    bracket = opened(stage)
    for _ in range(3):
        assert look(stage, bracket).state == "unprotected"
    assert "it is tried again" in bracket.trouble
    stage.server.faults.clear()
    assert (look(stage, bracket).state, bracket.trouble) == ("protected", "")
    assert resting(stage) == {"take_profit": 0.5, "stop": 0.5}


def test_a_look_costs_little_however_much_was_traded(stage: Any) -> None:
    bracket = opened(stage)
    for _ in range(60):
        stage.trade("PF_ETHUSD", 0.1)
        stage.trade("PF_ETHUSD", -0.1)
    look(stage, bracket)
    stage.exchange.advance(120)
    stage.trade("PF_ETHUSD", 0.1)
    look(stage, bracket)
    tokens = stage.client._venue._session.tokens
    before = tokens("derivatives")
    look(stage, bracket)
    assert before - tokens("derivatives") == 6  # of 500 in ten seconds


def test_a_fill_that_is_listed_after_a_younger_one_is_counted(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SETTLE", 3600.0)
    bracket = opened(stage)
    move(stage, 77_500)
    listed_late = stage.account.fills.pop()
    stage.exchange.advance(30)
    stage.trade("PF_ETHUSD", 0.1)
    assert look(stage, bracket).closed == 0.0
    stage.account.fills.insert(1, listed_late)
    assert (look(stage, bracket).closed, bracket.state) == (0.5, "done")
