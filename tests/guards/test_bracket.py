"""Brackets: exits stand for what is filled, one cancels the other, and nobody is left without knowing."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics import errors
from kfut_analytics.guards import watch
from kfut_analytics.guards.bracket import Bracket
from kfut_analytics.journal import Outcome

SYMBOL = "PF_XBTUSD"


def move(stage: Any, price: float, seconds: float = 10.0) -> None:
    """Let the market go to a price."""
    stage.move(seconds, XBT=price)


def look(stage: Any, bracket: Bracket) -> Bracket:
    stage.client._brackets._look_at(bracket)
    return bracket


def resting(stage: Any) -> dict[str, float]:
    return {
        order.cli_ord_id.rsplit("-", 2)[-2] if order.is_trigger else "entry": order.remaining
        for order in stage.account.orders.values()
    }


def opened(stage: Any, **options: Any) -> Bracket:
    order = kfut.Order(SYMBOL, "buy", "0.5")
    return stage.client.bracket(order, **({"take_profit": 82_000, "stop": 78_000} | options))


def test_exits_stand_for_what_the_entry_has_filled(stage: Any) -> None:
    bracket = opened(stage)
    assert bracket.result is not None
    assert bracket.result.status == "filled"
    assert resting(stage) == {"take_profit": 0.5, "stop": 0.5}
    assert all(order.reduce_only for order in stage.account.orders.values())
    assert (bracket.state, bracket.filled, bracket.closed, bracket.watched) == ("protected", 0.5, 0.0, True)


@pytest.mark.parametrize("limit", [None, 77_900])
def test_a_stop_that_is_passed_before_it_can_be_placed_is_sent_at_once(stage: Any, limit: int | None) -> None:
    order = kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000)
    stop = kfut.Order(SYMBOL, "sell", "0.5", limit, "stp", 78_500, "mark")
    bracket = stage.client.bracket(order, take_profit=82_000, stop=stop)
    stage.client._brackets._stop.set()
    move(stage, 77_000)  # through the entry and the stop, while nobody looks
    assert stage.account.positions[SYMBOL].size == 0.5
    look(stage, bracket)
    sent = [order for order in stage.account.orders.values() if "-stop-" in (order.cli_ord_id or "")]
    if limit is not None:  # it is kept, as the exchange keeps it when a stop with one fires
        assert [(each.is_trigger, each.limit_price, each.reduce_only) for each in sent] == [(False, limit, True)]
        return
    assert sent == []
    assert stage.account.positions == {}
    look(stage, bracket)
    assert (bracket.state, bracket.closed) == ("done", 0.5)
    assert stage.account.orders == {}
    assert "the price was past its stop before that could be placed: it was sent at the market at once" in repr(bracket)


@pytest.mark.parametrize(("price", "left"), [(82_500, "stop"), (77_500, "take_profit")])
def test_one_cancels_the_other(price: float, left: str, stage: Any) -> None:
    bracket = opened(stage)
    move(stage, price)
    assert set(resting(stage)) == {left}
    look(stage, bracket)
    assert resting(stage) == {}
    assert stage.account.positions == {}
    assert (bracket.state, bracket.closed, bracket.trouble) == ("done", 0.5, "")


@pytest.mark.parametrize(("price", "left"), [(77_500, "stop"), (82_500, "take_profit")])
def test_of_a_short_entry_too(price: float, left: str, stage: Any) -> None:
    bracket = stage.client.bracket(kfut.Order(SYMBOL, "sell", "0.5"), take_profit=78_000, stop=82_000)
    assert (bracket.state, resting(stage)) == ("protected", {"take_profit": 0.5, "stop": 0.5})
    assert {order.side for order in stage.account.orders.values()} == {"buy"}
    move(stage, price)
    assert set(resting(stage)) == {left}
    look(stage, bracket)
    assert (bracket.state, resting(stage), stage.account.positions) == ("done", {}, {})


def test_nothing_is_placed_before_the_entry_fills(stage: Any) -> None:
    entry = kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000)
    bracket = stage.client.bracket(entry, take_profit=82_000, stop=78_000)
    assert resting(stage) == {"entry": 0.5}
    assert bracket.state == "entering"


def test_exits_follow_the_entrys_fills(stage: Any) -> None:
    stage.market.depth = 8_000.0  # a level of a tenth of a contract: the entry fills in parts
    entry = kfut.Order(SYMBOL, "buy", "0.5", limit_price=80_002)
    bracket = stage.client.bracket(entry, take_profit=82_000, stop=78_000)
    sizes = []
    for _ in range(4):
        filled = sum(fill.size for fill in stage.account.fills)
        sizes.append(filled)
        assert resting(stage)["stop"] == resting(stage)["take_profit"] == pytest.approx(filled)
        move(stage, 80_000)
        look(stage, bracket)
    assert 0 < sizes[0] < sizes[-1]


def test_an_entry_that_is_cancelled_unfilled_ends_it(stage: Any) -> None:
    bracket = stage.client.bracket(kfut.Order(SYMBOL, "buy", "0.5", limit_price=70_000), stop=69_000)
    stage.client.cancel(cli_ord_id=bracket.entry_id())
    assert look(stage, bracket).state == "cancelled"
    assert resting(stage) == {}


def test_a_position_closed_by_hand_takes_the_exits_with_it(stage: Any) -> None:
    bracket = opened(stage)
    stage.client.place(kfut.Order(SYMBOL, "sell", "0.5", reduce_only=True))
    look(stage, bracket)
    assert (bracket.state, resting(stage)) == ("done", {})
    assert "closed by something else" in bracket.trouble


def test_a_stop_that_is_refused_is_told_at_once(stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    entry = kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000)
    stop = kfut.Order(
        SYMBOL, "sell", "0.5", None, "stp", 78_500, "mark", limit_offset=-50, limit_offset_unit="quote"
    )  # fmt: skip
    bracket = stage.client.bracket(entry, stop=stop)
    # The market falls through entry and stop before anybody looks, and where its limit would be is not known.
    move(stage, 78_000)
    look(stage, bracket)
    assert bracket.state == "unprotected"
    assert "the position is open without it" in bracket.trouble
    assert "the position is open without it" in caplog.text


def test_a_bracket_of_a_former_kernel_is_taken_up(stage: Any) -> None:
    bracket = opened(stage)
    stage.client._brackets.leave("the kernel has ended")
    stage.client.__dict__.pop("_brackets")
    known = stage.client.brackets().loc[bracket.bracket_id]
    assert (known["state"], known["watched"], known["size"], known["stop"]) == ("unknown", False, 0.5, 78_000)
    assert math.isnan(known["filled_size"])
    (taken,) = stage.client.watch_brackets()
    assert (taken.bracket_id, taken.filled, taken.state) == (bracket.bracket_id, 0.5, "protected")
    assert resting(stage) == {"take_profit": 0.5, "stop": 0.5}
    move(stage, 77_500)
    assert look(stage, taken).state == "done"
    assert resting(stage) == {}
    assert stage.client.brackets()["state"].to_dict() == {bracket.bracket_id: "done"}


@pytest.mark.parametrize(
    ("exits", "field"),
    [({"take_profit": 79_000}, "take_profit"), ({"stop": 81_000}, "stop"), ({}, "stop"),
     ({"stop": kfut.Order(SYMBOL, "buy", 1)}, "stop")],
)  # fmt: skip
def test_exits_that_make_no_sense_are_refused_before_anything_is_sent(
    exits: dict[str, Any], field: str, stage: Any
) -> None:
    with pytest.raises(errors.OrderRefused) as caught:
        stage.client.bracket(kfut.Order(SYMBOL, "buy", "0.5"), **exits)
    assert caught.value.field == field
    assert stage.account.fills == []


def test_cancelling_a_bracket_cancels_its_orders_and_leaves_the_position(stage: Any) -> None:
    bracket = opened(stage)
    stage.client.cancel_bracket(bracket)
    assert (bracket.state, resting(stage)) == ("done", {})
    assert stage.account.positions[SYMBOL].size == 0.5


def test_a_position_closed_elsewhere_takes_the_rest_of_the_entry_with_it(stage: Any) -> None:
    stage.market.depth = 8_000.0
    bracket = stage.client.bracket(kfut.Order(SYMBOL, "buy", "0.5", limit_price=80_002), stop=78_000)
    assert 0 < bracket.filled < 0.5
    move(stage, 80_020)  # away from the entry, which rests with what is left
    stage.trade(SYMBOL, -bracket.filled, reduce_only=True)
    look(stage, bracket)
    assert (bracket.over, set(resting(stage))) == (False, {"stop"})  # what the entry fills until now is awaited
    look(stage, bracket)
    assert (bracket.state, resting(stage)) == ("done", {})


def test_an_exit_that_could_not_be_cancelled_is_not_forgotten(stage: Any) -> None:
    bracket = opened(stage)
    stage.server.faults.plan("cancelorder", "http-429", times=1000)
    move(stage, 77_500)
    look(stage, bracket)
    assert set(resting(stage)) == {"take_profit"}
    assert (bracket.over, bracket.watched) == (False, True)
    assert "cannot cancel" in bracket.trouble
    stage.server.faults.clear()
    look(stage, bracket)
    assert (bracket.state, resting(stage)) == ("done", {})


def test_an_interrupted_entry_is_watched(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, place = stage.client._desk, stage.client._desk.place

    def interrupted(order: Any) -> None:
        monkeypatch.setattr(desk, "place", place)
        place(order)
        raise errors.OrderInterrupted("interrupted", "")

    monkeypatch.setattr(desk, "place", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opened(stage)
    (bracket,) = stage.client.brackets().to_dict("records")
    assert (bracket["watched"], bracket["state"], bracket["filled_size"]) == (True, "protected", 0.5)
    assert resting(stage) == {"take_profit": 0.5, "stop": 0.5}


def test_after_the_kill_switch_a_bracket_can_be_taken_up_again(stage: Any) -> None:
    bracket = opened(stage)
    stage.client.kill()
    assert (bracket.watched, resting(stage)) == (False, {})
    stage.client.unlock()
    (taken,) = stage.client.watch_brackets()
    assert (taken.state, taken.watched) == ("unprotected", True)
    assert list(stage.client.brackets().index) == [taken.bracket_id]


def test_the_stop_is_placed_before_the_take_profit(stage: Any) -> None:
    bracket = opened(stage)
    sent = stage.client.journal()["cli_ord_id"].tolist()
    assert sent[-2:] == [bracket.exit_id("stop", 1), bracket.exit_id("take_profit", 1)]


def test_a_take_profit_that_fails_does_not_keep_the_stop_from_its_place(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000)
    bracket = stage.client.bracket(entry, take_profit=79_500, stop=78_000)
    place = stage.client._desk.place

    def refuse(order: kfut.Order) -> kfut.OrderResult:
        if order.order_type == "take_profit":
            raise errors.OrderRefused("not today", field="stop_price", value=order.stop_price, rule="tick")
        result: kfut.OrderResult = place(order)
        return result

    monkeypatch.setattr(stage.client._desk, "place", refuse)
    move(stage, 78_900)
    look(stage, bracket)
    assert resting(stage) == {"stop": 0.5}
    assert bracket.state == "protected"
    assert "its take-profit was refused here" in bracket.trouble


def test_a_take_profit_that_is_passed_already_is_taken(stage: Any) -> None:
    entry = kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000)
    bracket = stage.client.bracket(entry, take_profit=79_500, stop=78_000)
    stage.client._brackets._stop.set()
    move(stage, 78_900)
    move(stage, 79_600)  # past the take-profit before anybody looks
    look(stage, bracket)
    assert stage.account.positions == {}
    assert look(stage, bracket).state == "done"
    assert stage.account.orders == {}
    assert stage.account.fills[-1].price == pytest.approx(79_600, rel=1e-3)


def test_an_exit_that_has_closed_everything_ends_the_entry_too(stage: Any) -> None:
    stage.market.depth = 8_000.0
    bracket = stage.client.bracket(
        kfut.Order(SYMBOL, "buy", "0.5", limit_price=80_002), stop=79_000, take_profit=80_500
    )
    assert 0 < bracket.filled < 0.5
    stage.market.depth = 1e9
    move(stage, 80_600)  # away from the entry, whose rest would have no take-profit any more
    look(stage, bracket)
    assert (bracket.over, set(resting(stage))) == (False, {"stop"})  # what the entry fills until now is awaited
    look(stage, bracket)
    assert (bracket.state, bracket.closed, resting(stage)) == ("done", bracket.filled, {})


@pytest.mark.parametrize("held", [-0.1, -5.0])
def test_an_entry_against_a_position_is_refused(held: float, stage: Any) -> None:
    stage.trade(SYMBOL, held)
    with pytest.raises(errors.OrderRefused, match="close the position before, or send the order without") as caught:
        opened(stage)
    assert (caught.value.field, caught.value.value, caught.value.rule) == ("side", "buy", "bracket_entry")
    assert stage.client.brackets().empty
    assert stage.account.positions[SYMBOL].size == held


def test_an_entry_that_adds_to_a_position_has_exits_for_its_own_part(stage: Any) -> None:
    stage.trade(SYMBOL, 0.3)
    bracket = opened(stage)
    assert resting(stage) == {"take_profit": 0.5, "stop": 0.5}
    move(stage, 77_500)
    assert look(stage, bracket).state == "done"
    assert stage.account.positions[SYMBOL].size == pytest.approx(0.3)


def test_an_entry_that_may_only_reduce_is_refused(stage: Any) -> None:
    stage.trade(SYMBOL, -0.5)
    with pytest.raises(errors.OrderRefused) as caught:
        stage.client.bracket(kfut.Order(SYMBOL, "buy", "0.5", reduce_only=True), stop=78_000)
    assert caught.value.field == "reduce_only"


@pytest.mark.parametrize(
    ("role", "exit_"),
    [("stop", kfut.Order(SYMBOL, "sell", 1, limit_price=78_000)), ("stop", kfut.Order(SYMBOL, "sell", 1)),
     ("take_profit", kfut.Order(SYMBOL, "sell", 1, order_type="ioc", limit_price=82_000))],
)  # fmt: skip
def test_an_exit_that_would_close_at_once_is_refused(role: str, exit_: kfut.Order, stage: Any) -> None:
    with pytest.raises(errors.OrderRefused, match="would close the position at once") as caught:
        stage.client.bracket(kfut.Order(SYMBOL, "buy", "0.5"), **{role: exit_})
    assert caught.value.field == role
    assert stage.account.fills == []


@pytest.mark.parametrize(
    ("entry", "stop", "fits"),
    [({"order_type": "stp", "stop_price": 82_000}, 81_000, True),  # below where it fires, above the market of now
     ({"order_type": "stp", "stop_price": 82_000}, 83_000, False),
     ({"limit_price": 84_000}, 81_000, False),  # it fills at the market, and the stop would fire at once
     ({"limit_price": 84_000}, 79_000, True),
     ({"limit_price": 79_000}, 79_000, False)],
)  # fmt: skip
def test_exits_lie_on_their_sides_of_where_the_entry_fills(
    entry: dict[str, Any], stop: float, fits: bool, stage: Any
) -> None:
    preview = stage.client.preview(kfut.Order(SYMBOL, "buy", "0.5", **entry))
    if fits:
        assert stage.client.checked_exits(preview, stop=stop)["stop"].stop_price == stop
    else:
        with pytest.raises(errors.OrderRefused) as caught:
            stage.client.checked_exits(preview, stop=stop)
        assert caught.value.rule == "exit_side"


def ended_kernel(stage: Any) -> None:
    stage.client._brackets.leave("the kernel has ended")
    stage.client.__dict__.pop("_brackets")


@pytest.mark.parametrize("flatten", [False, True])
def test_a_bracket_that_nobody_watches_is_cancelled_with_its_exits(flatten: bool, stage: Any) -> None:
    stage.trade(SYMBOL, 0.3)
    bracket = opened(stage)
    ended_kernel(stage)
    result = stage.client.cancel_bracket(bracket.bracket_id, flatten=flatten)
    assert resting(stage) == {}
    assert (result is None) == (not flatten)
    assert stage.account.positions[SYMBOL].size == pytest.approx(0.3 if flatten else 0.8)
    assert stage.client.watch_brackets() == []
    with pytest.raises(errors.ArgumentError, match="there is no bracket"):
        stage.client.cancel_bracket("of somebody else")


def test_what_flattening_leaves_stays_watched_and_is_told(stage: Any) -> None:
    bracket = opened(stage)
    stage.market.depth = 800.0  # the exchange's price protection keeps a market order from the rest of the book
    move(stage, 80_000)
    result = stage.client.cancel_bracket(bracket, flatten=True)
    assert 0 < result.filled_size < 0.5
    assert (bracket.watched, bracket.over) == (True, False)
    assert look(stage, bracket).state == "unprotected"
    stage.market.depth = 1e9
    move(stage, 80_000)
    assert stage.client.cancel_bracket(bracket, flatten=True).status == "filled"
    assert (bracket.state, bracket.closed, stage.account.positions) == ("done", pytest.approx(0.5), {})


def test_a_bracket_that_is_over_closes_no_position_of_later(stage: Any) -> None:
    bracket = opened(stage)
    stage.client.place(kfut.Order(SYMBOL, "sell", "0.5", reduce_only=True))
    assert look(stage, bracket).over
    stage.client.place(kfut.Order(SYMBOL, "buy", "0.2"))
    with pytest.raises(errors.ArgumentError, match="is over"):
        stage.client.cancel_bracket(bracket, flatten=True)
    assert stage.account.positions[SYMBOL].size == 0.2


def test_two_kernels_with_one_journal_place_every_exit_once(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000)
    bracket = stage.client.bracket(entry, take_profit=82_000, stop=77_000)
    keys = {"api_key": stage.server.api_key, "api_secret": stage.server.api_secret}
    with kfut.connect("paper", trading=True, base_url=stage.server.base_url, **keys) as other:
        assert other.watch_brackets() == []  # a client of this kernel watches it
        monkeypatch.setattr(watch, "_HERE", {})  # as it is in another kernel
        (same,) = other.watch_brackets()
        move(stage, 78_800)
        barrier = threading.Barrier(2)

        def look_together(client: kfut.Client, one: Bracket) -> None:
            barrier.wait(5)
            client._brackets._look_at(one)

        both = [threading.Thread(target=look_together, args=pair) for pair in ((stage.client, bracket), (other, same))]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert resting(stage) == {"take_profit": 0.5, "stop": 0.5}
        look(stage, bracket)
        other._brackets._look_at(same)
        assert (bracket.state, same.state) == ("protected", "protected")
        assert resting(stage) == {"take_profit": 0.5, "stop": 0.5}
        stage.client.cancel_bracket(bracket)
        other._brackets._look_at(same)
        assert (same.over, same.watched, same.trouble) == (True, False, "cancelled by hand")


def test_a_kill_switch_used_during_a_look_lets_no_exit_out(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bracket = stage.client.bracket(
        kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000), take_profit=82_000, stop=77_000
    )
    move(stage, 78_800)
    positions = stage.client._venue.positions

    def meanwhile(*quotes: Any) -> Any:
        monkeypatch.setattr(stage.client._venue, "positions", positions)
        stage.client.kill()
        return positions(*quotes)

    monkeypatch.setattr(stage.client._venue, "positions", meanwhile)
    look(stage, bracket)
    assert resting(stage) == {}
    assert "the kill switch was used" in bracket.trouble


def test_the_watch_needs_nobody(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY", 0.02)
    bracket = opened(stage)
    for price, looked in ((82_500, lambda: bracket.over), (80_000, lambda: not bracket.watched)):
        move(stage, price)
        until = time.monotonic() + 10
        while not looked() and time.monotonic() < until:
            time.sleep(0.01)
    assert (bracket.state, resting(stage)) == ("done", {})


def test_an_exit_that_is_filled_in_part_follows_the_entry_on(stage: Any) -> None:
    stage.market.depth = 8_000.0
    own = kfut.Order(SYMBOL, "sell", 1, limit_price=80_010)
    entry = kfut.Order(SYMBOL, "buy", "0.5", limit_price=80_002)
    bracket = stage.client.bracket(entry, take_profit=own, stop=78_000)

    def after(depth: float, price: float) -> tuple[float, float]:
        stage.market.depth = depth
        move(stage, price)
        look(stage, bracket)
        left = bracket.filled - bracket.closed
        exits = [order for order in stage.account.orders.values() if order.reduce_only]
        assert [order.remaining for order in exits] == [pytest.approx(left)] * 2
        return bracket.filled, bracket.closed

    after(8_000.0, 80_000)
    filled, closed = after(4_000.0, 80_030)  # the take-profit fills in part
    assert 0 < closed < filled < 0.5
    assert after(8_000.0, 80_000) > (filled, closed)


def test_an_entry_that_fills_in_part_and_never_more_has_exits_for_that_part(stage: Any) -> None:
    stage.market.depth = 8_000.0
    entry = kfut.Order(SYMBOL, "buy", "0.5", order_type="ioc", limit_price=80_001)
    bracket = stage.client.bracket(entry, take_profit=82_000, stop=78_000)
    assert 0 < bracket.filled < 0.5
    assert resting(stage) == {"take_profit": bracket.filled, "stop": bracket.filled}
    move(stage, 77_500)
    look(stage, bracket)
    assert (bracket.state, bracket.closed, resting(stage)) == ("done", bracket.filled, {})


def test_an_entry_whose_fate_is_not_known_is_waited_for(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kfut_analytics.desk.PATIENCE", 0.05)
    entry = stage.client.preview(kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000))
    stage.server.faults.plan("sendorder", "drop-before")
    bracket = stage.client.bracket(entry, stop=77_000)
    assert look(stage, bracket).state == "entering"  # until its deadline it may arrive
    for _ in range(3):
        stage.exchange.advance(20)
        stage.client.resolve()
    assert look(stage, bracket).state == "cancelled"


def test_a_cancelled_entry_with_fills_is_watched(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.market.depth = 8_000.0
    place = stage.client._desk.place

    def told_as_cancelled(order: Any) -> Any:
        monkeypatch.setattr(stage.client._desk, "place", place)
        return replace(place(order), status="cancelled")

    monkeypatch.setattr(stage.client._desk, "place", told_as_cancelled)
    entry = kfut.Order(SYMBOL, "buy", "0.5", order_type="ioc", limit_price=80_001)
    bracket = stage.client.bracket(entry, stop=78_000)
    assert (bracket.state, resting(stage)) == ("protected", {"stop": bracket.filled})


def test_a_stop_that_another_kernel_found_rejected_is_told(stage: Any) -> None:
    bracket = stage.client.bracket(kfut.Order(SYMBOL, "buy", "0.5", limit_price=79_000), stop=77_000)
    journal = stage.client._desk.journal
    stop = journal.write(
        "another", "place", {"size": "0.5"}, sent_time=stage.client.exchange_time(), deadline=None,
        cli_ord_id=bracket.exit_id("stop", 1),
    )  # fmt: skip
    journal.close(stop, Outcome("rejected", message="not enough margin"))
    move(stage, 78_800)
    look(stage, bracket)
    assert bracket.state == "unprotected"
    assert "its stop was rejected (not enough margin)" in bracket.trouble
