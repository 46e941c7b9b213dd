"""Analytics in each of their shapes become columns, page after page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics import errors
from tests.replay import Answer, ReplayServer

Replay = Callable[..., tuple[kfut.Client, ReplayServer]]
PATH = "/api/charts/v1/analytics/PF_XBTUSD"


def answer(data: Any, times: tuple[int, ...] = (0, 3600), *, more: bool = False) -> Answer:
    return Answer(json.dumps({"result": {"timestamp": list(times), "more": more, "data": data}, "errors": []}).encode())


@pytest.mark.parametrize(
    ("kind", "data", "columns"),
    [
        (
            "open-interest",
            [[1, 2, "0.5", 1.5], [2, 3, 1, 2]],
            {"open": [1, 2], "high": [2, 3], "low": [0.5, 1], "close": [1.5, 2]},
        ),
        ("trade-volume", ["1.5", None], {"trade_volume": [1.5, float("nan")]}),
        (
            "long-short-ratio",
            {"longCount": [1, 2], "ratio": ["0.5", "0.6"]},
            {"long_count": [1, 2], "ratio": [0.5, 0.6]},
        ),
        (
            "spreads",
            {"bid": {"best_price": [9, 8]}, "ask": {"best_price": [10, 11]}},
            {"bid_best_price": [9, 8], "ask_best_price": [10, 11]},
        ),
    ],
)
def test_every_shape(kind: str, data: Any, columns: dict[str, list[float]], replay: Replay) -> None:
    client, _ = replay({f"{PATH}/{kind}": answer(data)})
    frame = client.analytics("PF_XBTUSD", kind, start="1970-01-01", end="1970-01-02")
    assert {name: pytest.approx(frame[name].tolist(), nan_ok=True) for name in frame} == columns
    assert str(frame.index.dtype) == "datetime64[us, UTC]"
    assert (frame.index[1] - frame.index[0]).total_seconds() == 3600


def test_pages_are_joined_and_an_endless_server_ends(replay: Replay) -> None:
    client, server = replay({})
    times = [3600 * i for i in range(25)]

    class Pages(dict[str, Answer]):
        def get(self, path: str, default: Any = None) -> Answer:
            since = int(server.seen[-1].target.partition("since=")[2].partition("&")[0])
            page = tuple(t for t in times if t >= since)[:10] or (times[-1],)
            return answer(list(page), page, more=True)

    server.answers = Pages()
    frame = client.analytics("PF_XBTUSD", "cvd", start="1970-01-01", end="1970-01-03")
    assert frame["cvd"].tolist() == times


@pytest.mark.parametrize(
    "body",
    [
        {"result": {"timestamp": [0], "data": [1, 2]}},
        {"result": {"timestamp": ["x"], "data": []}},
        {"result": {}},
        {"result": {"timestamp": [0], "data": 5}},
        {"result": {"timestamp": [0], "data": [{}]}},
        {},
    ],
)
def test_odd_answers_are_errors_of_ours(body: Any, replay: Replay) -> None:
    client, _ = replay({f"{PATH}/cvd": Answer(json.dumps(body).encode())})
    with pytest.raises(errors.DecodeError):
        client.analytics("PF_XBTUSD", "cvd")


def test_on_the_paper_exchange_and_preferences_change() -> None:
    with kfut.paper.start() as server:
        keys = {"api_key": server.api_key, "api_secret": server.api_secret}
        with kfut.connect("paper", base_url=server.base_url, trading=True, **keys) as client:
            interest = client.analytics(["PF_XBTUSD", "PF_ETHUSD"], "open-interest", "4h", start="-3d")
            with pytest.raises(errors.VenueError):
                client.analytics("PF_XBTUSD", "no-such-kind")
            client.set_leverage("PF_XBTUSD", 5)
            isolated = client.leverage_preferences()["max_leverage"].to_dict()
            mode = client.positions().loc["PF_XBTUSD", "margin_mode"]
            client.set_leverage("PF_XBTUSD", None)
            cross = client.leverage_preferences()
            client.set_pnl_currency("PF_ETHUSD", "BTC")
            currency = client.pnl_preferences().loc["PF_ETHUSD", "pnl_currency"]
            with pytest.raises(errors.ArgumentError, match="max_leverage=0 is not a leverage"):
                client.set_leverage("PF_XBTUSD", 0)
    assert interest.index.names == ["symbol", "time"]
    assert (interest > 0).all(axis=None)
    assert (isolated, mode) == ({"PF_XBTUSD": 5.0}, "isolated")
    assert "PF_XBTUSD" not in cross.index
    assert currency == "BTC"
