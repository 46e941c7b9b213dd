"""The client: read-only by default, an order sent once, its fate looked up, and arguments that say what is wrong."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics import errors
from tests.replay import PLACED, Answer, ReplayServer, reply, sent

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


def answers(send: Answer) -> dict[str, Answer]:
    return {f"{API}/instruments": reply(INSTRUMENTS), f"{API}/sendorder": send}


def test_read_only_unless_asked(replay: Replay) -> None:
    client, server = replay(answers(PLACED))
    for action in (lambda: client.place(ORDER), lambda: client.cancel("o"), client.cancel_all):
        with pytest.raises(errors.ReadOnlyError, match="trading=True"):
            action()
    # The wall stands below the client as well.
    venue: Any = client._venue
    raw = (lambda: venue.cancel("o", None), lambda: venue.cancel_all(None), lambda: venue.call("cancelallorders"))
    for action in raw:
        with pytest.raises(errors.ReadOnlyError, match="not opened for trading"):
            action()
    assert server.seen == []


def test_the_mode_is_in_the_repr(replay: Replay) -> None:
    assert "read-only" in repr(replay({})[0])
    assert "trading" in repr(replay({}, trading=True)[0])


def test_the_exchanges_spelling_of_a_symbol_is_kept(replay: Replay) -> None:
    client, server = replay(answers(PLACED), trading=True)
    client.instruments()
    venue: Any = client._venue
    venue.place(kfut.Order("pf_aaplxusd", "buy", 1))
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
