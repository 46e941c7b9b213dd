"""An order's way: checked, written down, sent once, and its fate found whatever the answer was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics import errors
from tests.replay import PLACED, Answer, ReplayServer, reply, sent

from .conftest import ORDER, Replayed

API = "/derivatives/api/v3"
FILL = {
    "fill_id": "f",
    "order_id": "o",
    "cliOrdId": "mine",
    "symbol": "PF_XBTUSD",
    "side": "buy",
    "size": 0.01,
    "price": 59999,
    "fillTime": "2100-11-22T00:00:00.000Z",
    "fillType": "taker",
}
OPEN = {
    "order_id": "o",
    "cliOrdId": "mine",
    "symbol": "PF_XBTUSD",
    "side": "buy",
    "orderType": "lmt",
    "limitPrice": 60000,
    "filledSize": 0,
    "unfilledSize": 0.01,
    "status": "untouched",
    "reduceOnly": False,
}


def answers(send: Answer, fills: list[Any] | None = None, resting: list[Any] | None = None) -> dict[str, Answer]:
    return {
        f"{API}/sendorder": send,
        f"{API}/fills": reply({"result": "success", "fills": fills or []}),
        f"{API}/openorders": reply({"result": "success", "openOrders": resting or []}),
    }


def test_an_order_on_the_wire(replayed: Replayed) -> None:
    client, server = replayed(answers(PLACED))
    result = client.place(ORDER)
    assert (result.status, result.order_id, result.cli_ord_id) == ("placed", "o", "mine")
    (body,) = sent(server)
    fields = "orderType=lmt&symbol=PF_XBTUSD&side=buy&size=0.01&limitPrice=60000&cliOrdId=mine"
    assert body.startswith(f"{fields}&processBefore=20")


def test_each_order_gets_an_id_of_its_own(replayed: Replayed) -> None:
    client, server = replayed(answers(PLACED))
    ids = {client.place(kfut.Order("PF_XBTUSD", "sell", 0.01)).cli_ord_id for _ in range(2)}
    assert len(ids) == 2
    assert all(any(one in body for body in sent(server)) for one in ids)


def test_a_refused_order_is_not_sent(replayed: Replayed) -> None:
    client, server = replayed(answers(PLACED))
    with pytest.raises(errors.OrderRefused):
        client.place(kfut.Order("PF_XBTUSD", "buy", 0.01, limit_price=60000.5))
    with pytest.raises(errors.NotFoundError, match="did you mean PF_XBTUSD"):
        client.place(kfut.Order("PF_XTBUSD", "buy", 0.01))
    assert sent(server) == []


LOST = [
    Answer(b"<html>bad gateway</html>", 502, "text/html"),
    Answer(b'{"result": "succ'),
    reply({"result": "success"}),
    reply({"result": "error", "errors": [{"code": 98, "message": "Server Error"}]}, 500),
]


@pytest.mark.parametrize("answer", LOST)
def test_after_an_unclear_answer_the_fate_is_looked_up_and_nothing_is_sent_again(
    answer: Answer, replayed: Replayed, hasty: Callable[[], None]
) -> None:
    for fills, resting, status in (([FILL], [], "filled"), ([], [OPEN], "placed"), ([], [], "unknown")):
        if status == "unknown":
            hasty()
        client, server = replayed(answers(answer, fills, resting))
        result = client.place(ORDER)
        assert result.status == status
        assert result.cli_ord_id == "mine"
        assert len(sent(server)) == 1
        assert result.filled_size == (0.01 if fills else 0)


def test_a_partial_fill_after_a_lost_answer(replayed: Replayed, hasty: Callable[[], None]) -> None:
    """That its rest is gone follows only for an order that was known before the open orders were read."""
    part = answers(LOST[0], [FILL | {"size": 0.004}])
    order = {"type": "ORDER", "orderId": "o", "cliOrdId": "mine", "symbol": "PF_XBTUSD", "side": "buy"}
    closed = reply({"result": "success", "orders": [{"order": order, "status": "CANCELLED"}]})
    client, _ = replayed(part | {f"{API}/orders/status": closed})
    result = client.place(ORDER)
    assert (result.status, result.filled_size) == ("partially_filled", 0.004)
    assert "the order was cancelled" in result.message
    client, _ = replayed(part)
    hasty()
    assert client.place(ORDER).status == "unknown", "it may have come after the open orders were read, and rest now"


def test_a_refusal_in_words_is_a_rejection(replayed: Replayed) -> None:
    body = {"status": "BAD_REQUEST", "result": "error", "errors": [{"code": 11, "message": "invalid order type"}]}
    client, _ = replayed(answers(reply(body, 400)))
    result = client.place(ORDER)
    assert (result.status, result.reason) == ("rejected", "invalid order type (code 11)")


MARGIN = {"errors": [{"code": 92, "message": "INSUFFICIENT_MARGIN"}]}
UNKNOWN_CONTRACT = {"errors": [{"code": 87, "message": "CONTRACT_DOES_NOT_EXIST"}]}


@pytest.mark.parametrize(("body", "reason"), [(MARGIN, "code 92"), (UNKNOWN_CONTRACT, "code 87")])
def test_an_engines_refusal_is_one_at_http_500_too(body: Any, reason: str, replayed: Replayed) -> None:
    client, _ = replayed(answers(reply({"result": "error"} | body, 500)))
    result = client.place(ORDER)
    assert result.status == "rejected"
    assert reason in result.reason


@pytest.mark.parametrize("word", ["Server Error", "unknownError", "Unavailable"])
def test_an_error_that_proves_nothing_is_looked_up_at_http_200_too(word: str, replayed: Replayed) -> None:
    client, server = replayed(answers(reply({"result": "error", "error": word}), [], [OPEN]))
    assert client.place(ORDER).status == "placed"
    assert len(sent(server)) == 1


def test_an_order_that_fills_while_it_is_looked_for_is_found(replayed: Replayed) -> None:
    """It is open at the second look and gone at the next: only the fills, read once more, can tell."""
    client, server = replayed(answers(LOST[0]))

    class Moving(dict[str, Answer]):
        def get(self, path: str, default: Any = None) -> Answer | None:
            gone = sent(server) and any("/openorders" in seen.target for seen in after(server))
            if path.endswith("/openorders"):
                return reply({"result": "success", "openOrders": [] if gone else [OPEN]})
            if path.endswith("/fills"):
                return reply({"result": "success", "fills": [FILL] if gone else []})
            return super().get(path)

    server.answers = Moving(server.answers)
    assert client.place(ORDER).status == "filled"


def after(server: ReplayServer) -> list[Any]:
    """What was asked since the order went out."""
    targets = [seen.target for seen in server.seen]
    return server.seen[targets.index(f"{API}/sendorder") : -1]


def test_the_word_counts_where_a_list_of_details_stands_beside_it(replayed: Replayed) -> None:
    body = {"result": "error", "error": "authenticationError", "errors": ["bad key"]}
    client, _ = replayed(answers(reply(body)))
    with pytest.raises(errors.AuthenticationError) as caught:
        client.place(ORDER)
    assert caught.value.words == "authenticationError: bad key"


def test_a_refused_key_is_an_error_not_a_rejected_order(replayed: Replayed) -> None:
    client, _ = replayed(answers(reply({"result": "error", "error": "authenticationError"})))
    with pytest.raises(errors.AuthenticationError):
        client.place(ORDER)


def test_a_result_can_be_cancelled(replayed: Replayed) -> None:
    cancelled = reply({"result": "success", "cancelStatus": {"status": "cancelled", "order_id": "o"}})
    client, server = replayed(answers(PLACED) | {f"{API}/cancelorder": cancelled})
    placed = client.place(ORDER)
    assert client.cancel(placed).status == "cancelled"
    assert server.seen[-1].body.startswith(b"order_id=o&processBefore=")


def test_where_margin_lacked_the_message_says_how_much(replayed: Replayed) -> None:
    body = {"result": "success", "sendStatus": {"status": "insufficientAvailableFunds", "orderEvents": []}}
    client, _ = replayed(answers(reply(body)))
    result = client.place(ORDER)
    assert (result.status, result.reason) == ("rejected", "insufficientAvailableFunds")
    assert "USD of initial margin; 10,000.00 USD is available" in result.message


def test_a_fresh_preview_is_sent_without_reading_anything(replayed: Replayed) -> None:
    client, server = replayed(answers(PLACED))
    seen = client.preview(ORDER)
    client.journal()  # opens it, which asks whose it is
    server.seen.clear()
    client.place(seen)
    assert [seen.target for seen in server.seen] == [f"{API}/sendorder"]


def test_an_id_is_used_once(replayed: Replayed) -> None:
    client, server = replayed(answers(PLACED))
    client.place(ORDER)
    with pytest.raises(errors.OrderRefused, match="an id is used once") as caught:
        client.place(ORDER)
    assert (caught.value.field, len(sent(server))) == ("cli_ord_id", 1)


def test_a_bare_429_does_not_prove_that_nothing_was_taken(replayed: Replayed) -> None:
    client, server = replayed(answers(Answer(b"slow down", 429, "text/plain"), [], [OPEN]))
    assert client.place(ORDER).status == "placed"
    assert len(sent(server)) == 1


def test_what_was_not_taken_is_in_the_journal_as_not_sent(replayed: Replayed) -> None:
    client, _ = replayed(answers(reply({"result": "error", "error": "apiLimitExceeded"})))
    with pytest.raises(errors.RateLimitError):
        client.place(ORDER)
    assert client.journal()["status"].tolist() == ["not_sent"]
