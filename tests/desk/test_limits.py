"""The user's limits over several orders hold, whoever sends at the same time and whatever is changed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics import errors
from tests.risk.stage import Stage

SYMBOL = "PF_XBTUSD"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KFUT_HOME", str(tmp_path))
    stage = Stage()
    stage.give("flex", "usd", 100_000.0)
    yield stage
    stage.close()


def limited(stage: Any, **limits: float) -> kfut.Client:
    keys = {"api_key": stage.server.api_key, "api_secret": stage.server.api_secret}
    return kfut.connect("paper", base_url=stage.server.base_url, trading=True, limits=kfut.Limits(**limits), **keys)


def test_orders_of_several_threads_together_stay_within_the_session_limit(stage: Any) -> None:
    with limited(stage, session_notional=25_000) as client:
        order = kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000)
        seen = [client.preview(order) for _ in range(6)]
        told: list[Any] = []

        def send(preview: kfut.Preview) -> None:
            try:
                told.append(client.place(preview).status)
            except errors.OrderRefused as refused:
                told.append(refused.rule)

        threads = [threading.Thread(target=send, args=(each,)) for each in seen]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(told) == ["placed"] * 3 + ["session_notional"] * 3
    assert len(stage.account.orders) == 3


def test_limits_that_are_set_later_hold_for_the_next_order(stage: Any) -> None:
    order = kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000)
    with limited(stage) as client:
        seen = client.preview(order)
        client.place(seen)
        client.limits = kfut.Limits(order_notional=1_000)
        for send, stated in ((client.preview, order), (client.place, order), (client.place, seen)):
            with pytest.raises(errors.OrderRefused, match="order_notional"):
                send(stated)
        with pytest.raises(errors.ArgumentError, match=r"kfut\.Limits"):
            client.limits = 1_000  # type: ignore[assignment]
    assert len(stage.account.orders) == 1


def test_a_daily_limit_counts_the_orders_of_former_sessions(stage: Any) -> None:
    with limited(stage, daily_notional=10_000) as client:
        client.place(kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000))
        assert float(client.spent().session) == float(client.spent().today) == 7_900
    with limited(stage, daily_notional=10_000) as client:
        assert (float(client.spent().session), float(client.spent().today)) == (0, 7_900)
        for send in (client.preview, client.place):
            with pytest.raises(errors.OrderRefused, match="daily_notional"):
                send(kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000))


def test_a_change_counts_by_what_it_adds(stage: Any) -> None:
    with limited(stage, session_notional=10_000) as client:
        placed = client.place(kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000))
        assert client.edit(placed, size="0.12").status == "edited"
        with pytest.raises(errors.OrderRefused) as caught:
            client.edit(placed, size="0.2")
        assert (caught.value.rule, caught.value.field) == ("session_notional", "size")
        assert client.edit(placed, size="0.05").status == "edited"


def test_what_never_went_out_and_what_only_reduces_does_not_count(stage: Any) -> None:
    with limited(stage, session_notional=10_000) as client:
        client.place(kfut.Order(SYMBOL, "buy", "0.1"))
        client.place(kfut.Order(SYMBOL, "sell", "0.1", reduce_only=True))
        stage.server.faults.plan("sendorder", "nonce-low")
        with pytest.raises(errors.AuthenticationError):
            client.place(kfut.Order(SYMBOL, "buy", "0.02", limit_price=79_000))
        assert client.place(kfut.Order(SYMBOL, "buy", "0.02", limit_price=79_000)).status == "placed"


def test_one_order_that_is_worth_too_much(stage: Any) -> None:
    with limited(stage, order_notional=5_000) as client:
        with pytest.raises(errors.OrderRefused) as caught:
            client.place(kfut.Order(SYMBOL, "buy", "0.1", limit_price=79_000))
        placed = client.place(kfut.Order(SYMBOL, "buy", caught.value.suggestion, limit_price=79_000))
        assert placed.status == "placed"
        with pytest.raises(errors.OrderRefused, match="order_notional"):
            client.edit(placed, size="0.1")
