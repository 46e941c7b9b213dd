"""History arrives whole: recorded payloads decode without loss, and the walk through pages has no gap and no double."""

from __future__ import annotations

import copy
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from kfut_analytics import errors, schema
from kfut_analytics.rest import paging
from kfut_analytics.rest.session import RestSession
from kfut_analytics.rest.signing import Signer
from kfut_analytics.rest.venue import RestVenue
from kfut_analytics.settings import Credentials, Secret
from tests.conftest import SAMPLE_KEY, SAMPLE_SECRET
from tests.replay import Answer, ReplayServer, reply
from tests.rest.test_recordings import files, load, same

Body = dict[str, Any]
Query = dict[str, str]
Script = Callable[[Query], Answer]
Open = Callable[[dict[str, Script]], tuple[RestVenue, ReplayServer]]

TRADING = "/derivatives/api/v3"
HISTORY = "/api/history/v3"
START = pd.Timestamp("2020-01-01", tz="UTC")


class Scripted(ReplayServer):
    """Answers each request by a function of its query."""

    def __init__(self, scripts: dict[str, Script]) -> None:
        outer = self

        class Answers(dict[str, Answer]):
            def get(self, path: str, default: Any = None) -> Any:  # type: ignore[override]
                script = scripts.get(path)
                return default if script is None else script(queries(outer)[-1])

        super().__init__(Answers())


def queries(server: ReplayServer) -> list[Query]:
    """The parameters of each request so far."""
    return [{name: values[0] for name, values in parse_qs(urlsplit(seen.target).query).items()} for seen in server.seen]


@pytest.fixture
def open_venue() -> Iterator[Open]:
    """Start a scripted server and a venue on it."""
    opened: list[tuple[RestVenue, ReplayServer]] = []

    def start(scripts: dict[str, Script]) -> tuple[RestVenue, ReplayServer]:
        server = Scripted(scripts)
        venue = RestVenue(RestSession(server.url, Signer(Credentials(SAMPLE_KEY, Secret(SAMPLE_SECRET)))), "live")
        opened.append((venue, server))
        return venue, server

    yield start
    for venue, server in opened:
        venue.close()
        server.close()


# ---- recordings ----------------------------------------------------------------------------------------------------

SPELLINGS = {
    "trigger_signal": {"MarkPrice": "mark", "LastPrice": "last", "SpotPrice": "spot"},
    "trigger_side": {"Above": "above", "Below": "below"},
}


def assert_rows(frame: pd.DataFrame, expected: list[Body], table: schema.Table) -> None:
    """Every column of every row says what was expected of it; a column without expectation is missing."""
    assert len(frame) == len(expected)
    flat = frame.reset_index() if table.index else frame
    assert list(flat.columns) == [column.name for column in table.columns]
    for position, row in enumerate(expected):
        assert set(row) <= set(flat.columns)
        for name in flat.columns:
            found, wire = flat[name].iloc[position], row.get(name)
            wire = SPELLINGS.get(name, {}).get(wire, wire) if isinstance(wire, str) else wire
            if wire is None or wire == "":
                assert pd.isna(found), (position, name, found)
            else:
                assert same(found, wire), (position, name, found, wire)


def by_time(rows: list[Body]) -> list[Body]:
    return sorted(rows, key=lambda row: int(row["time"]))


def flat_execution(element: Body) -> Body:
    """An execution of any shape, read independently of the decoder."""
    (outer,) = element["event"].values()
    execution = outer["execution"]
    if "order" in execution:
        order, data, kind = execution["order"], execution.get("orderData", {}), execution.get("executionType")
    else:
        kind = "taker" if "takerOrderData" in execution else "maker"
        order, data = execution[f"{kind}Order"], execution.get(f"{kind}OrderData", {})
    return {
        "execution_id": execution["uid"],
        "time": execution["timestamp"],
        "symbol": order["tradeable"],
        "side": order["direction"],
        "size": execution["quantity"],
        "price": execution["price"],
        "mark_price": execution.get("markPrice"),
        "fill_type": kind,
        "fee": data.get("fee"),
        "position_size": data.get("positionSize"),
        "value_usd": execution.get("usdValue"),
        "order_id": order["uid"],
        "cli_ord_id": order.get("clientId"),
        "order_type": order["orderType"],
        "limit_price": order.get("limitPrice"),
        "order_size": order["quantity"],
        "order_filled": order.get("filled"),
        "reduce_only": order.get("reduceOnly"),
        "limit_filled": execution.get("limitFilled"),
        "event_id": element["uid"],
    }


def shapes_of(element: Body) -> Iterator[Body]:
    """The same execution in the shapes that the exchange's documents and users have seen."""
    (outer,) = element["event"].values()
    execution = outer["execution"]
    for own, other in (("taker", "maker"), ("maker", "taker")):
        both = {name: value for name, value in execution.items() if name != f"{other}OrderData"}
        bare = {name: value for name, value in both.items() if "OrderData" not in name and name[5:] != "Order"}
        single = bare | {
            "order": execution[f"{own}Order"],
            "executionType": own,
            "orderData": execution[f"{own}OrderData"],
        }
        for key in ("Execution", "execution"):
            yield element | {"event": {key: outer | {"execution": both}}}
            yield element | {"event": {key: outer | {"execution": single}}}


def elements(body: Body) -> Script:
    """Serves a recorded list as its only page."""
    return lambda query: reply({name: value for name, value in body.items() if name != "continuationToken"})


@pytest.mark.parametrize("path", files("history_executions"))
def test_executions_of_every_shape(path: Path | None, open_venue: Open) -> None:
    recorded = load(path)["elements"]
    shapes = [shape for element in recorded for shape in (element, *shapes_of(element))]
    for number, shape in enumerate(shapes):
        shape["uid"] = f"event-{number}"
    body = {"elements": shapes, "len": len(shapes), "accountUid": "x"}
    venue, _ = open_venue({f"{HISTORY}/executions": elements(body)})
    assert_rows(venue.executions(None, None, None), [flat_execution(e) for e in shapes], schema.EXECUTIONS)


def order_parts(element: Body) -> tuple[str, Body, Body, Body]:
    """Kind, payload, order and old order of an order or trigger event."""
    ((kind, payload),) = element["event"].items()
    new = payload.get("order") or payload.get("newOrder") or payload.get("newOrderTrigger") or {}
    return kind, payload, new, payload.get("oldOrder", {})


def flat_order(element: Body) -> Body:
    kind, payload, order, old = order_parts(element)
    return {
        "event_id": element["uid"],
        "time": element["timestamp"],
        "event": kind,
        "order_id": order["uid"],
        "cli_ord_id": order.get("clientId"),
        "symbol": order["tradeable"],
        "side": order["direction"],
        "order_type": order["orderType"],
        "size": order["quantity"],
        "filled_size": order.get("filled"),
        "limit_price": order["limitPrice"],
        "reduce_only": order["reduceOnly"],
        "reason": payload.get("reason"),
        "reduced_size": payload.get("reducedQuantity"),
        "old_size": old.get("quantity"),
        "old_limit_price": old.get("limitPrice"),
        "order_time": order["timestamp"],
        "last_update_time": order["lastUpdateTimestamp"],
        "origin": payload.get("origin"),
    }


@pytest.mark.parametrize("path", files("history_orders"))
def test_order_history(path: Path | None, open_venue: Open) -> None:
    body = load(path)
    for element in body["elements"]:
        _, payload, _, _ = order_parts(element)
        if payload.get("reducedQuantity") == "string":  # a placeholder of the documentation
            payload["reducedQuantity"] = "1.5"
    venue, _ = open_venue({f"{HISTORY}/orders": elements(body)})
    expected = by_time([flat_order(e) for e in body["elements"]])
    assert_rows(venue.order_history(None, None, None), expected, schema.ORDER_HISTORY)


@pytest.mark.parametrize("path", files("history_orders"))
def test_changed_and_refused_orders(path: Path | None, open_venue: Open) -> None:
    (element,) = load(path)["elements"]
    order = order_parts(element)[2]
    new = order | {"quantity": "7", "limitPrice": "0E-20"}
    events: list[Body] = [
        {"OrderUpdated": {"oldOrder": order, "newOrder": new, "reason": "edited_by_user", "reducedQuantity": ""}},
        {"OrderEditRejected": {"oldOrder": order, "attemptedOrder": new, "orderError": "WOULD_NOT_REDUCE_POSITION"}},
        {"OrderRejected": {"order": order, "orderError": "PRICE_COLLAR", "reason": "new_user_order"}},
        {"OrderNotFound": {"accountUid": "x", "orderId": order["uid"]}},
        {"OrderInvented": {"order": order, "reason": "who knows"}},
    ]
    body = {"elements": [element | {"uid": str(n), "event": event} for n, event in enumerate(events)]}
    venue, _ = open_venue({f"{HISTORY}/orders": elements(body)})
    frame = venue.order_history(None, None, None)
    assert frame["event"].tolist() == [next(iter(event)) for event in events]
    assert (frame["order_id"] == order["uid"]).all()
    assert frame["size"].tolist()[:2] == [7, 7]
    assert frame["limit_price"].tolist()[:2] == [0, 0]
    assert frame["old_size"].tolist()[:2] == [float(order["quantity"])] * 2
    assert frame["error"].tolist()[1:3] == ["WOULD_NOT_REDUCE_POSITION", "PRICE_COLLAR"]
    assert frame["symbol"].isna().tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("path", files("history_triggers"))
def test_trigger_history(path: Path | None, open_venue: Open) -> None:
    body = load(path)
    expected = []
    for element in body["elements"]:
        row = flat_order(element)
        options = order_parts(element)[2]["triggerOptions"]
        trailing, offset = options.get("trailingStopOptions", {}), options.get("limitPriceOffset", {})
        for name in ("filled_size", "reduced_size", "old_size", "old_limit_price"):
            del row[name]
        expected.append(
            row
            | {
                "trigger_price": options["triggerPrice"],
                "trigger_signal": options["triggerSignal"],
                "trigger_side": options["triggerSide"],
                "max_deviation": trailing.get("maxDeviation"),
                "deviation_unit": trailing.get("unit"),
                "limit_price_offset": offset.get("priceOffset"),
                "limit_price_offset_unit": offset.get("unit"),
            }
        )
    venue, _ = open_venue({f"{HISTORY}/triggers": elements(body)})
    assert_rows(venue.trigger_history(None, None, None), by_time(expected), schema.TRIGGER_HISTORY)


POSITION_FIELDS = {
    "time": "timestamp",
    "symbol": "tradeable",
    "update_reason": "updateReason",
    "position_change": "positionChange",
    "trade_type": "tradeType",
    "old_size": "oldPosition",
    "new_size": "newPosition",
    "old_entry_price": "oldAverageEntryPrice",
    "new_entry_price": "newAverageEntryPrice",
    "execution_id": "executionUid",
    "execution_price": "executionPrice",
    "execution_size": "executionSize",
    "realized_pnl": "realizedPnL",
    "fee": "fee",
    "fee_currency": "feeCurrency",
    "realized_funding": "realizedFunding",
    "funding_time": "fundingRealizationTime",
    "settlement_price": "settlementPrice",
    "open_time": "fillTime",
}


@pytest.mark.parametrize("flat", [False, True], ids=["as recorded", "fields in the element itself"])
@pytest.mark.parametrize("path", files("history_positions"))
def test_position_history(path: Path | None, flat: bool, open_venue: Open) -> None:
    body = load(path)
    updates = [element["event"]["PositionUpdate"] for element in body["elements"]]
    expected = [
        {"event_id": element["uid"]} | {ours: update.get(theirs) for ours, theirs in POSITION_FIELDS.items()}
        for element, update in zip(body["elements"], updates, strict=True)
    ]
    if flat:
        body["elements"] = [{"uid": e["uid"], **u} for e, u in zip(body["elements"], updates, strict=True)]
    venue, _ = open_venue({f"{HISTORY}/positions": elements(body)})
    assert_rows(venue.position_history(None, None, None), expected, schema.POSITION_HISTORY)


@pytest.mark.parametrize("path", files("history_market_executions"))
def test_public_executions(path: Path | None, open_venue: Open) -> None:
    body = load(path)
    expected = []
    for element in body["elements"]:
        execution = element["event"]["Execution"]["execution"]
        expected.append(
            {
                "trade_id": execution["uid"],
                "time": execution["timestamp"],
                "symbol": execution["takerOrder"]["tradeable"],
                "side": execution["takerOrder"]["direction"],
                "price": execution["price"],
                "size": execution["quantity"],
                "mark_price": execution["markPrice"],
                "value_usd": execution["usdValue"],
            }
        )
    venue, _ = open_venue({f"{HISTORY}/market/PF_XBTUSD/executions": elements(body)})
    assert_rows(venue.trades("PF_XBTUSD", START, None), by_time(expected), schema.TRADES)


@pytest.mark.parametrize("path", files("history"))
def test_recent_trades(path: Path | None, open_venue: Open) -> None:
    body = load(path)
    venue, _ = open_venue({f"{TRADING}/history": lambda query: reply(body)})
    names = {"trade_id": "uid", "time": "time", "side": "side", "price": "price", "size": "size", "type": "type"}
    rows = sorted(body["history"], key=lambda row: pd.Timestamp(row["time"]))
    expected = [{"symbol": "PI_XBTUSD"} | {ours: row[theirs] for ours, theirs in names.items()} for row in rows]
    assert_rows(venue.trades("PI_XBTUSD", None, None), expected, schema.TRADES)


@pytest.mark.parametrize("path", files("historicalfundingrates"))
def test_funding_rates_by_either_path(path: Path | None, open_venue: Open) -> None:
    body = load(path)
    names = {"time": "timestamp", "funding_rate": "fundingRate", "relative_funding_rate": "relativeFundingRate"}
    expected = [{ours: row[theirs] for ours, theirs in names.items()} for row in body["rates"]]
    for place in (f"{TRADING}/historical-funding-rates", "/derivatives/api/v4/historicalfundingrates"):
        venue, _ = open_venue({place: lambda query: reply(body)})
        assert_rows(venue.funding_rates("PF_XBTUSD", None, None), expected, schema.FUNDING_RATES)


SIMPLE: dict[str, tuple[str, str, schema.Table, Callable[[RestVenue], pd.DataFrame]]] = {
    "leveragepreferences": (
        "leveragepreferences", "leveragePreferences", schema.LEVERAGE_PREFERENCES, RestVenue.leverage_preferences,
    ),
    "pnlpreferences": ("pnlpreferences", "preferences", schema.PNL_PREFERENCES, RestVenue.pnl_preferences),
    "notifications": ("notifications", "notifications", schema.NOTIFICATIONS, RestVenue.notifications),
    "unwindqueue": ("unwindqueue", "queue", schema.UNWIND_QUEUE, RestVenue.unwind_queue),
    "instruments_status": (
        "instruments/status", "instrumentStatus", schema.INSTRUMENT_STATUS, RestVenue.instrument_status,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SIMPLE)
def test_lists_of_rows(name: str, open_venue: Open, recordings: Path) -> None:
    paths = sorted(recordings.glob(f"*/{name}__*.json"))
    assert paths
    for path in paths:
        assert_simple(name, load(path), open_venue)


def assert_simple(name: str, body: Body, open_venue: Open) -> None:
    place, container, table, method = SIMPLE[name]
    venue, _ = open_venue({f"{TRADING}/{place}": lambda query: reply(body)})
    expected = [{c.name: row.get(c.source) for c in table.columns} for row in body[container]]
    assert_rows(method(venue), expected, table)


@pytest.mark.parametrize("path", files("feeschedules"))
def test_fee_schedules(path: Path | None, open_venue: Open) -> None:
    body = load(path)
    venue, _ = open_venue({f"{TRADING}/feeschedules": lambda query: reply(body)})
    expected = [
        {
            "fee_schedule_uid": schedule["uid"],
            "name": schedule["name"],
            "volume_usd": tier["usdVolume"],
            "maker_fee": tier["makerFee"],
            "taker_fee": tier["takerFee"],
        }
        for schedule in body["feeSchedules"]
        for tier in schedule["tiers"]
    ]
    assert_rows(venue.fee_schedules(), expected, schema.FEE_SCHEDULES)


@pytest.mark.parametrize("path", files("orders_status"))
def test_order_status(path: Path | None, open_venue: Open) -> None:
    body = load(path)
    venue, _ = open_venue({f"{TRADING}/orders/status": lambda query: reply(body)})
    names = {
        "order_id": "orderId",
        "cli_ord_id": "cliOrdId",
        "type": "type",
        "symbol": "symbol",
        "side": "side",
        "size": "quantity",
        "filled_size": "filled",
        "limit_price": "limitPrice",
        "reduce_only": "reduceOnly",
        "received_time": "timestamp",
        "last_update_time": "lastUpdateTimestamp",
    }
    expected = [
        {ours: row["order"][theirs] for ours, theirs in names.items()}
        | {"status": row["status"], "update_reason": row["updateReason"], "error": row["error"]}
        for row in body["orders"]
    ]
    assert_rows(venue.order_status(["848dc18a-bbf9-46ea-a88f-e7419db216f0"], []), expected, schema.ORDER_STATUS)


# ---- pages ---------------------------------------------------------------------------------------------------------


def execution(number: int, time_ms: int) -> Body:
    order = {"uid": f"order-{number}", "tradeable": "PF_XBTUSD", "direction": "Buy", "quantity": "1",
             "filled": "1", "timestamp": time_ms, "limitPrice": "60000", "orderType": "Limit",
             "reduceOnly": False, "lastUpdateTimestamp": time_ms}  # fmt: skip
    own = {"uid": f"execution-{number:04}", "order": order, "executionType": "maker", "timestamp": time_ms,
           "quantity": "1", "price": str(60000 + number), "orderData": {"fee": "0.01"}}  # fmt: skip
    return {"uid": f"event-{number}", "timestamp": time_ms, "event": {"Execution": {"execution": own}}}


# Ten executions of the same instant, so that any page border falls between equal times.
STORED = [execution(number, 1_764_200_000_000 + number // 10) for number in range(57)]


def exchange(size: int, overlap: int = 0) -> Script:
    """Serves the stored executions in pages; a page may repeat the last ones of the page before."""

    def script(query: Query) -> Answer:
        assert query["sort"] == "asc"
        first = max(int(query.get("continuation_token", 0)) - overlap, 0)
        last = first + size + overlap
        body: Body = {"elements": STORED[first:last], "len": size}
        return reply(body | {"continuationToken": str(last)} if last < len(STORED) else body)

    return script


@pytest.mark.parametrize(("size", "overlap"), [(10, 0), (7, 0), (10, 3), (7, 6), (57, 0), (100, 0), (1, 0)])
def test_pages_join_without_gap_or_double(size: int, overlap: int, open_venue: Open) -> None:
    venue, server = open_venue({f"{HISTORY}/executions": exchange(size, overlap)})
    frame = venue.executions(None, START, None)
    assert frame.index.tolist() == [f"execution-{number:04}" for number in range(len(STORED))]
    asked = queries(server)
    assert "continuation_token" not in asked[0]
    constant = [{name: value for name, value in query.items() if name != "continuation_token"} for query in asked]
    assert all(query == constant[0] for query in constant)


def test_a_fetch_leaves_the_collection_of_cycles_as_it_was(open_venue: Open) -> None:
    before = gc.get_threshold()
    venue, _ = open_venue({f"{HISTORY}/executions": exchange(10)})
    venue.executions(None, START, None)
    assert gc.get_threshold() == before


@pytest.mark.parametrize("texts", [["1,2", "3"], ["1,2"], ["1", "2]"], ["1", "null"], ["1", "0x1"]])
def test_a_number_is_read_on_its_own(texts: list[str]) -> None:
    column = schema.Column("price", "float", "", "", "price")
    with pytest.raises(errors.DecodeError, match=r"t\.price: the value "):
        schema.convert(texts, column, "t")


@pytest.mark.parametrize("token", [lambda count: "always", str], ids=["the same token", "another token"])
def test_a_server_without_end_is_left(token: Callable[[int], str], open_venue: Open) -> None:
    count = iter(range(1000))
    script: Script = lambda query: reply({"elements": STORED[:5], "continuationToken": token(next(count))})  # noqa: E731
    venue, server = open_venue({f"{HISTORY}/executions": script})
    assert len(venue.executions(None, START, None)) == 5
    assert len(server.seen) == 2


def log_entry(number: int) -> Body:
    return {"id": number, "date": f"2026-01-01T00:00:{number // 20:02}.000Z", "asset": "usd", "info": "futures trade",
            "margin_account": "flex", "old_balance": 1.0, "new_balance": 2.0}  # fmt: skip


@pytest.mark.parametrize("cap", [3, 51, 500, 1000])
def test_the_account_log_is_walked_by_entry_number_whatever_the_page(open_venue: Open, cap: int) -> None:
    entries = [log_entry(number) for number in range(1, 171)]

    def script(query: Query) -> Answer:
        first = int(query.get("from", 1))
        # The exchange caps pages silently, and repeats the entry that was asked from.
        return reply({"logs": [row for row in entries if row["id"] >= first - 1][:cap]})

    venue, server = open_venue({f"{HISTORY}/account-log": script})
    frame = venue.account_log(START, None)
    assert frame.index.tolist() == list(range(1, 171))
    assert {query["sort"] for query in queries(server)} == {"asc"}
    assert frame["change"].eq(1).all()


def fill(number: int) -> Body:
    # Five fills of every instant.
    time = pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(milliseconds=number // 5)
    return {"fill_id": f"fill-{number:04}", "fillTime": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "symbol": "PI_XBTUSD", "side": "buy", "order_id": "o", "size": 1, "price": 60000,
            "fillType": "maker"}  # fmt: skip


@pytest.mark.parametrize("cap", [7, 100])
def test_fills_are_walked_to_the_end_whatever_the_page(open_venue: Open, cap: int) -> None:
    fills = [fill(number) for number in range(35)][::-1]

    def script(query: Query) -> Answer:
        return reply({"fills": [row for row in fills if row["fillTime"] < query.get("lastFillTime", "9")][:cap]})

    venue, _ = open_venue({f"{TRADING}/fills": script})
    assert venue.fills(START, None).index.tolist() == [row["fill_id"] for row in fills]


def test_an_instant_with_more_fills_than_a_page_is_told_and_stepped_over(
    open_venue: Open, caplog: pytest.LogCaptureFixture
) -> None:
    crowd = [fill(1) | {"fill_id": f"same-{number:03}"} for number in range(120)]
    older = [fill(0) | {"fill_id": f"older-{number}"} for number in range(50)]
    rows = crowd + [row | {"fillTime": "2025-12-31T23:59:59.000Z"} for row in older]

    def script(query: Query) -> Answer:
        return reply({"fills": [row for row in rows if row["fillTime"] < query.get("lastFillTime", "9")][:100]})

    venue, _ = open_venue({f"{TRADING}/fills": script})
    found = venue.fills(pd.Timestamp("2025-01-01", tz="UTC"), None).index
    assert set(found) == {f"same-{number:03}" for number in range(100)} | {row["fill_id"] for row in older}
    assert "more fills at 2026-01-01T00:00:00.000Z than one answer holds" in caplog.text


def test_candles_come_one_at_a_time_if_need_be(open_venue: Open) -> None:
    times = [1767225600 + 60 * number for number in range(10)]

    def script(query: Query) -> Answer:
        left = [time for time in times if time >= int(query["from"])]
        candle = {"open": "1", "high": "2", "low": "1", "close": "2", "volume": "3"}
        return reply({"candles": [candle | {"time": t * 1000} for t in left[:1]], "more_candles": len(left) > 1})

    venue, _ = open_venue({"/api/charts/v1/trade/PF_XBTUSD/1m": script})
    assert len(venue.candles("PF_XBTUSD", "1m", "trade", pd.Timestamp(times[0], unit="s", tz="UTC"), None)) == 10


def test_fills_are_walked_back_by_time(open_venue: Open) -> None:
    fills = [fill(number) for number in range(331)][::-1]

    def script(query: Query) -> Answer:
        before = query.get("lastFillTime")
        found = [row for row in fills if before is None or row["fillTime"] < before]
        return reply({"result": "success", "fills": found[: paging.FILLS_PAGE]})

    venue, _ = open_venue({f"{TRADING}/fills": script})
    assert venue.fills(START, None).index.tolist() == [row["fill_id"] for row in fills]
    assert len(venue.fills(None, None)) == paging.FILLS_PAGE
    since = pd.Timestamp(fills[20]["fillTime"])
    assert venue.fills(since, None).index.tolist() == [
        r["fill_id"] for r in fills if pd.Timestamp(r["fillTime"]) >= since
    ]


def test_candles_are_walked_while_there_are_more(open_venue: Open) -> None:
    begin = int(START.timestamp())
    times = [begin + 60 * number for number in range(250)]

    def script(query: Query) -> Answer:
        found = [time for time in times if time >= int(query.get("from", 0))]
        candles = [dict.fromkeys(("open", "high", "low", "close"), "1.50") | {"time": t * 1000} for t in found[:100]]
        return reply({"candles": candles, "more_candles": len(found) > 100})

    venue, _ = open_venue({"/api/charts/v1/trade/PF_XBTUSD/1m": script})
    frame = venue.candles("PF_XBTUSD", "1m", "trade", START, None)
    assert [int(time.timestamp()) for time in frame.index] == times


def stopping(after: int, stop: Callable[[], Answer], size: int = 10) -> Script:
    """Serves some pages and then something else."""
    pages = exchange(size)

    def script(query: Query) -> Answer:
        return stop() if int(query.get("continuation_token", 0)) >= after * size else pages(query)

    return script


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"status": "BAD_REQUEST", "result": "error", "errors": [{"code": 0, "message": "x"}]},
         errors.InvalidRequestError),
        (200, {"accountUid": "x", "len": 0}, errors.DecodeError),
        (200, {"elements": [copy.deepcopy(STORED[-1]) | {"event": {}}]}, errors.DecodeError),
        (200, {"elements": [{"uid": "new", "event": {"Execution": {"execution": {"price": "dear"}}}}]},
         errors.DecodeError),
    ],
    ids=["refused", "no container", "an empty event", "an unreadable price"],
)  # fmt: skip
def test_what_fails_in_the_middle_keeps_what_arrived(
    status: int, body: Body, kind: type[errors.VenueError], open_venue: Open
) -> None:
    venue, _ = open_venue({f"{HISTORY}/executions": stopping(3, lambda: reply(body, status))})
    with pytest.raises(kind) as caught:
        venue.executions(None, START, None)
    partial = caught.value.partial
    assert partial is not None
    assert partial.index.tolist() == [f"execution-{number:04}" for number in range(30)]
    assert partial.dtypes.to_dict() == schema.EXECUTIONS.frame({}).dtypes.to_dict()


@pytest.mark.usefixtures("ctrl_c_counts")
@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent to a single thread")
def test_an_interrupted_fetch_keeps_what_arrived(open_venue: Open) -> None:
    ended = threading.Event()

    def interrupt() -> Answer:
        # Long enough for the pages before to be read.
        ended.wait(0.3)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        ended.wait(10)
        return reply({"elements": []})

    venue, _ = open_venue({f"{HISTORY}/executions": stopping(3, interrupt)})
    try:
        with pytest.raises(errors.FetchInterrupted, match="interrupted after 30 rows") as caught:
            venue.executions(None, START, None)
    finally:
        ended.set()
    assert caught.value.partial.index.tolist() == [f"execution-{number:04}" for number in range(30)]
