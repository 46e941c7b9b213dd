"""The client: read-only by default, an order sent once, its fate looked up, and arguments that say what is wrong."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics import errors
from tests.replay import Answer, ReplayServer

Replay = Callable[..., tuple[kfut.Client, ReplayServer]]

API = "/derivatives/api/v3"
ORDER = kfut.Order("PF_XBTUSD", "buy", 0.01, limit_price=60000, cli_ord_id="mine")
INSTRUMENTS = {
    "result": "success",
    "instruments": [
        {
            "symbol": symbol,
            "type": "flexible_futures",
            "tickSize": 1,
            "contractValueTradePrecision": 4,
            "maxPositionSize": 1200,
            "marginLevels": [{"numNonContractUnits": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01}],
        }
        for symbol in ("PF_XBTUSD", "PF_AAPLxUSD")
    ],
}
FILL = {
    "fill_id": "f",
    "order_id": "o",
    "cliOrdId": "mine",
    "symbol": "PF_XBTUSD",
    "side": "buy",
    "size": 0.01,
    "price": 59999,
    "fillTime": "2026-11-22T00:00:00.000Z",
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
        f"{API}/instruments": reply(INSTRUMENTS),
        f"{API}/sendorder": send,
        f"{API}/fills": reply({"result": "success", "fills": fills or []}),
        f"{API}/openorders": reply({"result": "success", "openOrders": resting or []}),
    }


def reply(body: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(body).encode(), status)


def sent(server: ReplayServer) -> list[str]:
    return [seen.body.decode() for seen in server.seen if seen.target == f"{API}/sendorder"]


PLACED = reply({"result": "success", "sendStatus": {"status": "placed", "order_id": "o", "orderEvents": []}})


def test_read_only_unless_asked(replay: Replay) -> None:
    client, server = replay(answers(PLACED))
    for action in (lambda: client.place(ORDER), lambda: client.cancel("o"), client.cancel_all):
        with pytest.raises(errors.ReadOnlyError, match="trading=True"):
            action()
    # The wall stands below the client as well: neither a changed attribute nor a raw call gets past it.
    client.trading = True
    venue: Any = client._venue
    for action in (lambda: client.cancel("o"), client.cancel_all, lambda: venue.call("cancelallorders")):
        with pytest.raises(errors.ReadOnlyError, match="not opened for trading"):
            action()
    assert server.seen == []


def test_the_mode_is_in_the_repr(replay: Replay) -> None:
    assert "read-only" in repr(replay({})[0])
    assert "trading" in repr(replay({}, trading=True)[0])


def test_an_order_on_the_wire(replay: Replay) -> None:
    client, server = replay(answers(PLACED), trading=True)
    result = client.place(ORDER)
    assert (result.status, result.order_id, result.cli_ord_id) == ("placed", "o", "mine")
    assert sent(server) == ["orderType=lmt&symbol=PF_XBTUSD&side=buy&size=0.01&limitPrice=60000&cliOrdId=mine"]


def test_each_order_gets_an_id_of_its_own(replay: Replay) -> None:
    client, server = replay(answers(PLACED), trading=True)
    ids = {client.place(kfut.Order("PF_XBTUSD", "sell", 0.01)).cli_ord_id for _ in range(2)}
    assert len(ids) == 2
    assert all(any(one in body for body in sent(server)) for one in ids)


def test_the_exchanges_spelling_of_a_symbol_is_kept(replay: Replay) -> None:
    client, server = replay(answers(PLACED), trading=True)
    client.place(kfut.Order("pf_aaplxusd", "buy", 1))
    assert "symbol=PF_AAPLxUSD&" in sent(server)[0]


@pytest.mark.parametrize("typed", ["PF_AAPLxUSD", "pf_aaplxusd", "PF_AAPLXUSD"])
def test_an_exchange_that_minds_the_case_gets_its_own_spelling(typed: str, replay: Replay) -> None:
    client, server = replay({})
    book = {"result": "success", "orderBook": {"bids": [[1, 1]], "asks": [[2, 1]]}}
    refusal = {"result": "error", "errors": [{"code": 11, "message": "Argument invalid: symbol"}]}

    class Strict(dict[str, Answer]):
        def get(self, path: str, default: Any = None) -> Answer:
            if path.endswith("/instruments"):
                return reply(INSTRUMENTS)
            return reply(book) if "symbol=PF_AAPLxUSD" in server.seen[-1].target else reply(refusal, 400)

    server.answers = Strict()
    assert len(client.order_book(typed)) == 2


def test_a_refused_order_is_not_sent(replay: Replay) -> None:
    client, server = replay(answers(PLACED), trading=True)
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
    answer: Answer, replay: Replay
) -> None:
    for fills, resting, status in (([FILL], [], "filled"), ([], [OPEN], "placed"), ([], [], "unknown")):
        client, server = replay(answers(answer, fills, resting), trading=True)
        result = client.place(ORDER)
        assert result.status == status
        assert result.cli_ord_id == "mine"
        assert len(sent(server)) == 1
        assert result.filled_size == (0.01 if fills else 0)


def test_a_partial_fill_after_a_lost_answer(replay: Replay) -> None:
    client, _ = replay(answers(LOST[0], [FILL | {"size": 0.004}]), trading=True)
    assert client.place(ORDER).status == "partially_filled"


def test_a_refusal_in_words_is_a_rejection(replay: Replay) -> None:
    body = {"status": "BAD_REQUEST", "result": "error", "errors": [{"code": 11, "message": "invalid order type"}]}
    client, _ = replay(answers(reply(body, 400)), trading=True)
    result = client.place(ORDER)
    assert (result.status, result.reason) == ("rejected", "invalid order type (code 11)")


MARGIN = {"errors": [{"code": 92, "message": "INSUFFICIENT_MARGIN"}]}
UNKNOWN_CONTRACT = {"errors": [{"code": 87, "message": "CONTRACT_DOES_NOT_EXIST"}]}


@pytest.mark.parametrize(("body", "reason"), [(MARGIN, "code 92"), (UNKNOWN_CONTRACT, "code 87")])
def test_an_engines_refusal_is_one_at_http_500_too(body: Any, reason: str, replay: Replay) -> None:
    client, _ = replay(answers(reply({"result": "error"} | body, 500)), trading=True)
    result = client.place(ORDER)
    assert result.status == "rejected"
    assert reason in result.reason


@pytest.mark.parametrize("word", ["Server Error", "unknownError", "Unavailable"])
def test_an_error_that_proves_nothing_is_looked_up_at_http_200_too(word: str, replay: Replay) -> None:
    client, server = replay(answers(reply({"result": "error", "error": word}), [], [OPEN]), trading=True)
    assert client.place(ORDER).status == "placed"
    assert len(sent(server)) == 1


def test_an_order_that_fills_while_it_is_looked_for_is_found(replay: Replay) -> None:
    client, server = replay({}, trading=True)
    scripted = answers(LOST[0])

    class Moving(dict[str, Answer]):
        def get(self, path: str, default: Any = None) -> Answer | None:
            looked = sum("/fills" in seen.target or "/openorders" in seen.target for seen in server.seen)
            if path.endswith("/openorders"):
                return reply({"result": "success", "openOrders": [OPEN] if looked < 1 else []})
            if path.endswith("/fills"):
                return reply({"result": "success", "fills": [FILL] if looked > 1 else []})
            return scripted.get(path)

    server.answers = Moving()
    assert client.place(ORDER).status == "filled"


def test_the_word_counts_where_a_list_of_details_stands_beside_it(replay: Replay) -> None:
    body = {"result": "error", "error": "authenticationError", "errors": ["bad key"]}
    client, _ = replay(answers(reply(body)), trading=True)
    with pytest.raises(errors.AuthenticationError) as caught:
        client.place(ORDER)
    assert caught.value.words == "authenticationError: bad key"


def test_a_refused_key_is_an_error_not_a_rejected_order(replay: Replay) -> None:
    client, _ = replay(answers(reply({"result": "error", "error": "authenticationError"})), trading=True)
    with pytest.raises(errors.AuthenticationError):
        client.place(ORDER)


def test_account_log_pages_by_id_without_gap_or_duplicate(replay: Replay) -> None:
    client, server = replay({})
    row = {"date": "2026-11-22T00:00:00Z", "info": "transfer", "asset": "usd", "margin_account": "flex"}
    logs = [row | {"id": i, "old_balance": i, "new_balance": i + 1} for i in range(1, 1501)]

    class Pages(dict[str, Answer]):
        def get(self, path: str, default: Any = None) -> Answer:
            query = server.seen[-1].target
            first = int(query.partition("&from=")[2].partition("&")[0] or 1)
            page = [entry for entry in logs if entry["id"] >= first][:700]  # a cap below what was asked for
            return reply({"accountUid": "x", "logs": page})

    server.answers = Pages()
    log = client.account_log(start="2026-11-21")
    assert list(log.index) == list(range(1, 1501))
    # 700, 700, 100, and a last question that costs one token.
    assert [seen.target.partition("count=")[2].partition("&")[0] for seen in server.seen] == ["1000"] * 3 + ["25"]
    assert all("since=1795219199999&" in f"{seen.target}&" and "sort=asc" in seen.target for seen in server.seen)


def test_fills_page_to_the_start_across_equal_times(replay: Replay) -> None:
    client, server = replay({})
    stamps = pd.date_range("2026-11-01", periods=60, freq="1min").repeat(4)[::-1]
    rows = [FILL | {"fill_id": str(i), "fillTime": f"{t.isoformat()}.000Z"} for i, t in enumerate(stamps)]

    class Pages(dict[str, Answer]):
        def get(self, path: str, default: Any = None) -> Answer:
            bound = server.seen[-1].target.partition("lastFillTime=")[2].replace("%3A", ":") or "9999"
            return reply({"result": "success", "fills": [r for r in rows if r["fillTime"] < bound][:100]})

    server.answers = Pages()
    assert list(client.fills(start="2026-11-01T00:10Z").index) == [str(i) for i in range(200)]
    assert len(client.fills()) == 100


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.fills(start="yesterday"), "start='yesterday' is not a point in time"),
        (lambda c: c.account_log(start="-1d", end="-2d"), "is later than"),
        (lambda c: c.fills(start="+30d"), "is in the future"),
        (lambda c: c.fills(start="30d"), "with its sign"),
        (lambda c: c.fills(start=5), "start=5 is not a point in time"),
        (lambda c: c.fills(start="-9999999d"), "is not a point in time"),
        (lambda c: c.order_book(None), "symbol=None: name a contract"),
        (lambda c: c.preview("buy"), "'buy' is not an order"),
        (lambda c: c.candles("PF_XBTUSD", "2h"), "resolution='2h' is not one of"),
        (lambda c: c.candles("PF_XBTUSD", tick_type="last"), "tick_type='last' is not one of"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_sent(
    call: Callable[[kfut.Client], object], message: str, replay: Replay
) -> None:
    client, server = replay({})
    with pytest.raises(errors.ArgumentError, match=message.replace("(", r"\(")):
        call(client)
    assert server.seen == []


def test_cancel_takes_exactly_one_id(replay: Replay) -> None:
    client, _ = replay({}, trading=True)
    with pytest.raises(errors.ArgumentError, match="exactly one"):
        client.cancel()
    with pytest.raises(errors.ArgumentError, match="order_id=5 is not an order's id"):
        client.cancel(5)  # type: ignore[arg-type]


def test_a_result_can_be_cancelled(replay: Replay) -> None:
    cancelled = reply({"result": "success", "cancelStatus": {"status": "cancelled", "order_id": "o"}})
    client, server = replay(answers(PLACED) | {f"{API}/cancelorder": cancelled}, trading=True)
    placed = client.place(ORDER)
    assert client.cancel(placed).status == "cancelled"
    assert server.seen[-1].body == b"order_id=o"


def test_a_client_is_not_pickled(replay: Replay) -> None:
    client, _ = replay({})
    with pytest.raises(TypeError, match="holds an API key"):
        pickle.dumps(client)


def test_trading_is_true_or_false_and_nothing_else() -> None:
    with pytest.raises(errors.ArgumentError, match="trading='no' is neither"):
        kfut.connect(trading="no")  # type: ignore[arg-type]


def test_an_unknown_account_of_the_paper_exchange() -> None:
    with pytest.raises(errors.ArgumentError, match="account is 'nobody'"):
        kfut.connect(account="nobody")


def test_unknown_environment() -> None:
    with pytest.raises(errors.ArgumentError, match="env='demo' is not one of 'paper', 'live'"):
        kfut.connect("demo")  # type: ignore[arg-type]


def test_keys_are_refused_for_the_embedded_exchange() -> None:
    with pytest.raises(errors.ArgumentError, match="give base_url as well"):
        kfut.connect(api_key="k", api_secret="c2VjcmV0")


def test_an_unknown_symbol_is_met_with_near_ones(replay: Replay) -> None:
    body = {"status": "BAD_REQUEST", "result": "error", "errors": [{"code": 11, "message": "Argument invalid: symbol"}]}
    client, _ = replay({f"{API}/instruments": reply(INSTRUMENTS), f"{API}/orderbook": reply(body, 400)})
    with pytest.raises(errors.NotFoundError, match="no contract 'PF_XBT'; did you mean PF_XBTUSD") as caught:
        client.order_book("pf_xbt")
    assert caught.value.words == "Argument invalid: symbol (code 11)"
    with pytest.raises(errors.InvalidRequestError):
        client.order_book("PF_XBTUSD")


def test_several_symbols_come_side_by_side(replay: Replay) -> None:
    rates = {"result": "success", "rates": [{"timestamp": "2026-11-22T00:00:00Z", "fundingRate": 1.5}]}
    client, server = replay({"/derivatives/api/v4/historicalfundingrates": reply(rates)})
    frame = client.funding_rates(["PF_XBTUSD", "pf_ethusd"])
    assert frame.index.names == ["symbol", "time"]
    assert frame.loc["PF_ETHUSD", "funding_rate"].tolist() == [1.5]
    # The documented path is asked first; where it is missing its twin answers.
    assert sum("historical-funding-rates" in seen.target for seen in server.seen) == 2


def test_exact_numbers_are_just_as_the_exchange_wrote_them(replay: Replay) -> None:
    body = b'{"result":"success","fills":[{"fill_id":"a","price":0.1,"size":1e-10,"fillTime":"2026-11-22T00:00:00Z"}]}'
    client, _ = replay({f"{API}/fills": Answer(body)})
    (price,), (size,) = client.fills(exact=True)["price"], client.fills(exact=True)["size"]
    assert (price, size) == (Decimal("0.1"), Decimal("1e-10"))
    assert client.fills()["price"].dtype == "float64"


def test_a_refusal_for_want_of_margin_says_how_much_lacks() -> None:
    with kfut.paper.start(account="empty") as server:
        keys = {"api_key": server.api_key, "api_secret": server.api_secret}
        with kfut.connect("paper", base_url=server.base_url, trading=True, **keys) as client:
            result = client.place(kfut.Order("PF_XBTUSD", "buy", 50))
    assert (result.status, result.reason) == ("rejected", "insufficientAvailableFunds")
    assert "USD of initial margin; 10,000.00 USD is available" in result.message


def test_any_operation_of_the_table_can_be_called(replay: Replay) -> None:
    client, server = replay({"/derivatives/api/v3/instruments/PF_XBTUSD/status": reply({"result": "success"})})
    venue: Any = client._venue
    assert venue.call("instrument_status", symbol="PF_XBTUSD") == {"result": "success"}
    for name, params, message in (
        ("instrument_status", {}, "needs symbol"),
        ("orderbook", {}, "needs symbol"),
        ("accounts", {"symbol": "x"}, "takes no symbol"),
        ("withdrawal", {"currency": "usd", "amount": 1}, "there is no operation 'withdrawal' here"),
        ("nothing", {}, "there is no operation 'nothing' here"),
    ):
        with pytest.raises(errors.ArgumentError, match=message):
            venue.call(name, **params)
    assert len(server.seen) == 1
