"""The dead man's switch fires when nobody renews it and not otherwise; the kill switch goes on whatever fails."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics import errors

SYMBOL = "PF_XBTUSD"


@pytest.fixture
def order(stage: Any) -> kfut.OrderResult:
    return stage.client.place(kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000))


def pass_time(stage: Any, seconds: float) -> None:
    stage.exchange.advance(seconds)


def test_it_is_armed_by_nothing_but_arm(stage: Any, order: kfut.OrderResult) -> None:
    switch = stage.client.dead_man_switch(timeout=60)
    assert stage.account.cancel_at is None
    assert switch.state == "disarmed"
    switch.arm()
    assert stage.account.cancel_at == pytest.approx(stage.exchange.now + 60)
    assert switch.remaining == pytest.approx(60, abs=2)
    assert "ARMED" in repr(switch)
    switch.disarm()
    assert stage.account.cancel_at is None


def test_renewed_it_does_not_fire_and_silent_it_does(stage: Any, order: kfut.OrderResult) -> None:
    switch = stage.client.dead_man_switch(timeout=20).arm()
    for _ in range(4):
        pass_time(stage, 15)
        assert switch.beat() == 5
    assert len(stage.account.orders) == 1
    pass_time(stage, 21)
    assert stage.account.orders == {}


def test_a_kernel_that_slept_past_the_time_says_that_it_has_fired(stage: Any, order: kfut.OrderResult) -> None:
    switch = stage.client.dead_man_switch(timeout=20).arm()
    pass_time(stage, 21)
    assert switch.state == "armed"  # the clock that this kernel knows has stood still meanwhile
    assert switch.beat() is None
    assert switch.state == "fired"
    assert "it has fired" in switch.trouble
    assert stage.account.cancel_at is None  # what was a renewal too late does not cancel the orders of later
    journal = stage.client.journal().set_index("kind")
    assert journal.loc["dead_man", "status"] == "fired"
    assert switch.arm().state == "armed"
    assert stage.account.cancel_at == pytest.approx(stage.exchange.now + 20)


def test_an_answer_that_comes_too_late_is_no_firing(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = stage.client.dead_man_switch(timeout=20).arm()
    renewed = switch._renewed

    def slow() -> Any:
        fires = renewed()  # in time for the exchange
        pass_time(stage, 12)
        stage.client.instrument_status()  # now this kernel knows the later time
        return fires

    pass_time(stage, 10)
    monkeypatch.setattr(switch, "_renewed", slow)
    assert switch.beat() == 5
    assert switch.state == "armed"


def test_no_answer_until_its_time_is_over(stage: Any, order: kfut.OrderResult) -> None:
    switch = stage.client.dead_man_switch(timeout=20).arm()
    stage.server.faults.plan("cancelallordersafter", "http-503", times=3)
    pass_time(stage, 15)
    assert switch.beat() == 1
    assert "fires in" in switch.trouble
    pass_time(stage, 10)
    stage.client.open_orders()
    assert switch.state == "fired"
    assert switch.beat() == 5  # no hurry any more
    assert "has fired at" in switch.trouble
    stage.server.faults.clear()
    assert switch.beat() is None
    assert (switch.state, stage.account.cancel_at) == ("fired", None)


def test_a_switch_that_another_client_has_armed_is_told(stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    keys = {"api_key": stage.server.api_key, "api_secret": stage.server.api_secret}
    with kfut.connect("paper", trading=True, base_url=stage.server.base_url, **keys) as other:
        assert stage.client.dead_man_switch(timeout=60).arm().trouble == ""
        kfut.connect("paper", trading=True, base_url=stage.server.base_url, **keys).close()
        assert caplog.text == ""  # it is not left behind: a client of this kernel keeps it
        assert "set already" in other.dead_man_switch(timeout=30).arm().trouble
        assert "or another client" in caplog.text
        assert stage.account.cancel_at == pytest.approx(stage.exchange.now + 30)
        other.dead_man_switch(timeout=30).disarm()
    assert stage.account.cancel_at is None


def test_arming_and_disarming_that_are_not_confirmed_are_told(stage: Any) -> None:
    switch = stage.client.dead_man_switch(timeout=60)
    stage.server.faults.plan("cancelallordersafter", "http-503", times=1000)
    with pytest.raises(errors.VenueError):
        switch.arm()
    assert "it may be armed" in switch.trouble
    stage.server.faults.clear()
    assert switch.arm().trouble == ""
    stage.server.faults.plan("cancelallordersafter", "drop-after", times=1000)
    with pytest.raises(errors.VenueError):
        switch.disarm()
    assert "it may fire" in switch.trouble
    stage.server.faults.clear()
    switch.arm()  # somebody who changes their mind gets one that is renewed
    assert stage.account.cancel_at == pytest.approx(stage.exchange.now + 60)
    assert switch.beat() == 15
    switch.disarm()
    assert (switch.state, switch.trouble, stage.account.cancel_at) == ("disarmed", "", None)


def test_a_journal_that_fails_keeps_no_switch_from_being_renewed(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise errors.ConfigurationError("the disk is full")

    switch = stage.client.dead_man_switch(timeout=60)
    monkeypatch.setattr(stage.client._desk.journal, "write", full)
    before = threading.enumerate()
    switch.arm()
    assert [thread.name for thread in threading.enumerate() if thread not in before] == ["kfut-dead-man"]
    switch.disarm()
    assert switch.state == "disarmed"


def test_a_renewal_that_fails_is_told_and_tried_again(stage: Any, order: kfut.OrderResult) -> None:
    switch = stage.client.dead_man_switch(timeout=60).arm()
    told: list[str] = []
    switch.on_change(lambda: told.append(switch.trouble))
    stage.server.faults.plan("cancelallordersafter", "http-503")
    pass_time(stage, 15)
    assert switch.beat() == 1.0
    assert "could not be renewed" in told[-1]
    assert switch.beat() == 15
    assert (switch.trouble, told[-1]) == ("", "")
    switch.disarm()


def test_its_thread_renews_it_by_itself() -> None:
    with kfut.paper.start(account="empty") as server:
        keys = {"api_key": server.api_key, "api_secret": server.api_secret}
        with kfut.connect("paper", base_url=server.base_url, trading=True, **keys) as client:
            switch = client.dead_man_switch(timeout=10)
            object.__setattr__(switch, "timeout", 2)  # shorter than a person may choose, so that the test is short
            with switch:
                account = server.exchange.accounts["empty"]
                first = account.cancel_at
                time.sleep(1.3)
                assert first is not None
                assert account.cancel_at is not None
                assert account.cancel_at > first + 0.9
            assert account.cancel_at is None


def test_a_closed_client_says_that_it_will_fire(stage: Any, order: kfut.OrderResult, caplog: Any) -> None:
    stage.client.dead_man_switch(timeout=60).arm()
    stage.client.close()
    assert "no longer renewed because the client is closed" in caplog.text
    pass_time(stage, 61)
    assert stage.account.orders == {}


@pytest.mark.parametrize("timeout", [0, 5, 1e9, True, "60"])
def test_a_timeout_that_makes_no_sense(timeout: Any, stage: Any) -> None:
    with pytest.raises(errors.ArgumentError, match="give whole seconds"):
        stage.client.dead_man_switch(timeout=timeout)
    assert stage.account.cancel_at is None


def test_one_switch_at_a_time(stage: Any) -> None:
    switch = stage.client.dead_man_switch(timeout=60).arm()
    assert stage.client.dead_man_switch(timeout=60) is switch
    with pytest.raises(errors.ArgumentError, match="disarm it first"):
        stage.client.dead_man_switch(timeout=30)
    switch.disarm()


def test_kill_cancels_everything_and_lets_nothing_new_in(stage: Any, order: kfut.OrderResult) -> None:
    stage.client.place(kfut.Order(SYMBOL, "buy", "0.2"))
    report = stage.client.kill()
    assert report.cancelled == (order.order_id,)
    assert report.calm
    assert stage.account.positions[SYMBOL].size == 0.2
    with pytest.raises(errors.OrderRefused, match="unlock"):
        stage.client.place(kfut.Order(SYMBOL, "buy", "0.1"))
    assert stage.client.place(kfut.Order(SYMBOL, "sell", "0.1", reduce_only=True)).status == "filled"
    stage.client.unlock()
    assert stage.client.place(kfut.Order(SYMBOL, "buy", "0.1")).status == "filled"


def test_kill_flattens_linear_and_inverse(stage: Any) -> None:
    stage.account.transfer(stage.exchange.now, "fi_xbtusd", "xbt", 1.0)
    stage.client.place(kfut.Order(SYMBOL, "sell", "0.2"))
    stage.client.place(kfut.Order("PI_XBTUSD", "buy", 1000))
    report = stage.client.kill(flatten=True)
    assert stage.account.positions == {}
    assert sorted(symbol for symbol, _ in report.closed) == ["PF_XBTUSD", "PI_XBTUSD"]
    assert report.calm
    assert "Positions left    none" in repr(report)


def test_kill_goes_on_when_a_part_fails(stage: Any, order: kfut.OrderResult) -> None:
    stage.client.place(kfut.Order(SYMBOL, "buy", "0.2"))
    stage.server.faults.plan("cancelallorders", "http-429")
    stage.server.faults.plan("openpositions", "http-500", skip=1)
    report = stage.client.kill(flatten=True)
    assert any("cancelling all orders failed" in problem for problem in report.problems) or not stage.account.orders
    assert stage.account.orders == {}
    assert order.order_id in report.cancelled


def test_kill_goes_on_after_any_exception(stage: Any, order: kfut.OrderResult, monkeypatch: pytest.MonkeyPatch) -> None:
    second = stage.client.place(kfut.Order(SYMBOL, "buy", "0.1", limit_price=78_000))
    stage.account.transfer(stage.exchange.now, "fi_xbtusd", "xbt", 1.0)
    stage.client.place(kfut.Order("PI_XBTUSD", "buy", 1000))
    stage.client.place(kfut.Order(SYMBOL, "sell", "0.2"))
    desk = stage.client._desk
    cancel, place = desk.cancel, desk.place

    def broken(what: str, works: Any) -> Any:
        def call(stated: Any) -> Any:
            if what in (getattr(stated, "order_id", None), getattr(stated, "symbol", None), "all"):
                raise RuntimeError(f"broken: {what}")
            return works(stated)

        return call

    monkeypatch.setattr(desk, "cancel_all", broken("all", None))
    monkeypatch.setattr(stage.client._venue, "cancel_all", broken("all", None))
    monkeypatch.setattr(desk, "cancel", broken(order.order_id, cancel))
    monkeypatch.setattr(desk, "place", broken("PI_XBTUSD", place))
    report = stage.client.kill(flatten=True)
    assert list(stage.account.orders) == [order.order_id]
    assert second.order_id in report.cancelled
    assert list(stage.account.positions) == ["PI_XBTUSD"]
    assert not report.calm
    told = " ".join(report.problems)
    assert all(words in told for words in ("broken: all", f"broken: {order.order_id}", "broken: PI_XBTUSD", "is left"))


def test_kill_closes_what_it_can_when_the_orders_cannot_be_read(
    stage: Any, order: kfut.OrderResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.client.place(kfut.Order(SYMBOL, "buy", "0.2"))

    def broken() -> None:
        raise ValueError("a list that nobody understands")

    monkeypatch.setattr(stage.client._venue, "open_orders", broken)
    report = stage.client.kill(flatten=True)
    assert (stage.account.orders, report.open_orders, report.calm) == ({}, None, False)
    assert "Orders still open unknown" in repr(report)


def test_kill_cancels_and_closes_without_a_journal(
    stage: Any, order: kfut.OrderResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> None:
        raise errors.ConfigurationError("the journal of orders is damaged")

    stage.client.place(kfut.Order(SYMBOL, "buy", "0.2"))
    stage.client.__dict__.pop("_desk")
    monkeypatch.setattr(stage.client, "_open_journal", damaged)
    report = stage.client.kill(flatten=True)
    assert (stage.account.orders, stage.account.positions) == ({}, {})
    assert report.problems == ("the journal of orders is damaged",)


def test_kill_cancels_although_the_disk_is_full(
    stage: Any, order: kfut.OrderResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise errors.ConfigurationError("the disk is full")

    monkeypatch.setattr(stage.client._desk.journal, "write", full)
    report = stage.client.kill()
    assert stage.account.orders == {}
    assert report.cancelled == (order.order_id,)
    assert "the disk is full" in report.problems[0]


def test_kill_tells_of_an_order_that_may_yet_arrive(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kfut_analytics.desk.PATIENCE", 0.05)
    stage.server.faults.plan("sendorder", "drop-before")
    lost = stage.client.place(kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000))
    assert lost.status == "unknown"
    report = stage.client.kill()
    assert any(f"whether order {lost.cli_ord_id} has arrived is not known" in told for told in report.problems)
    assert not report.calm


def test_kill_flattens_a_position_with_isolated_margin(stage: Any) -> None:
    stage.isolate(SYMBOL, 5)
    stage.client.place(kfut.Order(SYMBOL, "buy", "0.2"))
    stage.client.place(kfut.Order("PF_ETHUSD", "sell", "1"))
    report = stage.client.kill(flatten=True)
    assert (stage.account.positions, report.calm) == ({}, True)


def test_kill_flattens_more_than_the_limits_allow_an_order(stage: Any) -> None:
    stage.trade(SYMBOL, 1.0)
    keys = {"api_key": stage.server.api_key, "api_secret": stage.server.api_secret}
    limits = kfut.Limits(order_notional=100, session_notional=100, daily_notional=100, price_deviation=0.0001)
    with kfut.connect("paper", trading=True, base_url=stage.server.base_url, limits=limits, **keys) as client:
        assert client.kill(flatten=True).calm
    assert stage.account.positions == {}


def test_a_renewal_under_way_does_not_overtake_the_end(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = stage.client.dead_man_switch(timeout=60).arm()
    renewed, held, go = switch._renewed, threading.Event(), threading.Event()

    def slow() -> Any:
        held.set()
        go.wait(5)
        return renewed()

    monkeypatch.setattr(switch, "_renewed", slow)
    beat = threading.Thread(target=switch.beat)
    beat.start()
    held.wait(5)
    end = threading.Thread(target=switch.disarm)
    end.start()
    end.join(0.2)
    assert end.is_alive()  # it waits for the answer to the renewal
    go.set()
    beat.join(5)
    end.join(5)
    assert stage.account.cancel_at is None
    assert switch.state == "disarmed"


def test_orders_at_once_cannot_share_the_last_of_the_session_limit(stage: Any) -> None:
    keys = {"api_key": stage.server.api_key, "api_secret": stage.server.api_secret}
    limits = kfut.Limits(session_notional=20_000)
    with kfut.connect("paper", trading=True, base_url=stage.server.base_url, limits=limits, **keys) as client:
        preview = client.preview(kfut.Order(SYMBOL, "buy", "0.1"))  # about 8,000: two fit, three do not

        def send(_: int) -> str:
            try:
                return client.place(preview).status
            except errors.OrderRefused as error:
                return error.rule

        with ThreadPoolExecutor(6) as pool:
            told = sorted(pool.map(send, range(6)))
    assert told == ["filled"] * 2 + ["session_notional"] * 4
    assert stage.account.positions[SYMBOL].size == pytest.approx(0.2)
