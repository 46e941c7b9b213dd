"""Pages read straight into objects give the same columns, bit by bit, as those read the general way."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from kfut_analytics import errors
from kfut_analytics.rest import typed
from kfut_analytics.rest.budget import Budget
from kfut_analytics.rest.session import GENERAL, RestSession
from kfut_analytics.rest.venue import RestVenue
from tests.benchmarks import payloads
from tests.rest.test_mutations import mutated

Body = dict[str, Any]

READERS = {"elements": typed.EXECUTIONS, "logs": typed.ACCOUNT_LOG}


class Free(Budget):
    """A budget that costs nothing."""

    def spend(self, pool: Any, tokens: int, on_wait: Any = None) -> None:
        pass


class Canned(RestSession):
    """A session whose every answer is the same text, read the typed or the general way; all else of it is real."""

    def __init__(self, text: bytes, *, general: bool) -> None:
        super().__init__("http://127.0.0.1:1", budget=Free(), sleep=lambda seconds: None)
        self._text = text
        self._general = general

    def request(self, *args: Any, **options: Any) -> Any:
        return super().request(*args, **options | ({"reader": GENERAL} if self._general else {}))

    def _send(self, operation: Any, prepared: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        response.headers["Content-Type"] = "application/json"
        response._content = self._text
        return response


def outcome(text: bytes, container: str, *, general: bool) -> pd.DataFrame | str:
    """The frame of an answer, or the error it gives."""
    venue = RestVenue(Canned(text, general=general), "live")
    try:
        return venue.account_log(None, None) if container == "logs" else venue.executions(None, None, None)
    except errors.KfutError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        venue.close()


def assert_same(text: bytes, container: str) -> None:
    found, reference = (outcome(text, container, general=general) for general in (False, True))
    if isinstance(found, str) or isinstance(reference, str):
        assert isinstance(found, str), (found, reference)
        assert found == reference
        return
    pd.testing.assert_frame_equal(found, reference, check_exact=True)
    for name in reference.select_dtypes("float64"):
        bits = [np.asarray(frame[name]).view("int64") for frame in (found, reference)]
        assert np.array_equal(*bits), name  # minus zero, and how a missing value is written


def body(container: str, rows: int = 3) -> Body:
    make = payloads.log_entry if container == "logs" else payloads.execution
    chance = random.Random(3)
    return {container: [make(number, chance) for number in range(rows)]}


def is_fast(text: bytes, container: str) -> bool:
    return typed.are_typed(READERS[container].decode(text)[container])


@pytest.mark.parametrize("container", READERS)
def test_usual_pages_are_read_the_fast_way(container: str) -> None:
    text = json.dumps(body(container, 700)).encode()
    assert is_fast(text, container)
    assert_same(text, container)


def test_recorded_pages(recordings: Path) -> None:
    names = {"account_log": "logs", "history_executions": "elements"}
    found = [(path, names[path.name.split("__")[0]]) for name in names for path in recordings.glob(f"*/{name}__*.json")]
    assert {container for _, container in found} == set(READERS)
    for path, container in found:
        assert_same(path.read_bytes(), container)
        assert container == "elements" or is_fast(path.read_bytes(), container)


# ---- odd values ----------------------------------------------------------------------------------------------------

ODD = (
    "null", "true", "false", "0", "-0", "-0.0", "1.5", "1.0", "1e2", "1e308", "1e-320", "9007199254740993",
    "9007199254740993.0", "9223372036854775807", "9223372036854775808", "18446744073709551615",
    "18446744073709551617", "10000000000000000000000000000000", "-5", "1" + "0" * 400, "[]", "{}", "[1]", '{"a":1}',
    '""', '" "', '"null"', '"Null"', '"true"', '"True"', '"1"', '"0"', '"nan"', '"NaN"', '"inf"', '"-Infinity"',
    '"infinity"', '"1_000"', '" 1"', '"1 "', '"0x10"', '"60505."', '".5"', '"-.5"', '"+1"', '"01"', '"-0"', '"1e5"',
    '"0E-20"', '"1e999"', '"1e-999"', '"9007199254740993"', '"18446744073709551617"', '"1,2"', '"1.2.3"', '"\\u0031"',
    '"1\\u0000"', '"\u0661"', '"Buy"', '"2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00.123456789Z"',
)  # fmt: skip


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container and key of a payload."""
    items = list(node.items() if isinstance(node, dict) else enumerate(node))
    nested = [place for _, value in items if isinstance(value, (dict, list)) for place in places(value)]
    return [(node, key) for key, _ in items] + nested


@pytest.mark.parametrize("container", READERS)
def test_every_field_with_odd_values(container: str) -> None:
    whole = body(container, 2)
    for number in range(len(places(whole[container][1]))):
        changed = copy.deepcopy(whole)
        node, key = places(changed[container][1])[number]
        node[key] = "ODD"
        text = json.dumps(changed)
        for value in ODD[number % 5 :: 5]:
            assert_same(text.replace('"ODD"', value, 1).encode(), container)
        del node[key]
        assert_same(json.dumps(changed).encode(), container)


def test_numbers_beyond_float() -> None:
    """Where they are read; in fields that fill no column they go unnoticed."""
    for container, field in (("logs", "fee"), ("logs", "id"), ("logs", "info"), ("elements", "price")):
        text = json.dumps(body(container)).replace(f'"{field}":', f'"{field}": 1e999, "x":')
        assert "broken JSON" in str(outcome(text.encode(), container, general=False))
        assert_same(text.encode(), container)


@pytest.mark.parametrize(
    "change",
    [
        {"result": "success"},
        {"result": "error"},
        {"result": None},
        {"error": "apiLimitExceeded"},
        {"error": None},
        {"errors": [{"code": 11}]},
        {"errors": []},
        {"status": "BAD_REQUEST", "reason": "x"},
        {"status": None, "reason": None},
        {"continuationToken": ""},
        {"continuationToken": 5},
        {"unknown": {}},
    ],
)
@pytest.mark.parametrize("container", READERS)
def test_bodies_of_errors_and_unknown_fields(container: str, change: Body) -> None:
    assert_same(json.dumps(body(container) | change).encode(), container)


@pytest.mark.parametrize("container", READERS)
@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"logs": null}', '{"elements": {}}', '{"elements": [1]}'])
def test_other_bodies(container: str, text: str) -> None:
    assert_same(text.encode(), container)


@pytest.mark.parametrize("container", READERS)
def test_rows_that_come_twice(container: str) -> None:
    whole = body(container)
    whole[container] += whole[container][:2]
    assert is_fast(json.dumps(whole).encode(), container)
    assert_same(json.dumps(whole).encode(), container)


@pytest.mark.parametrize("event", [{}, None, [], {"Foo": {}}, {"Foo": {"execution": {"uid": "x"}}}, {"Execution": 1}])
@pytest.mark.parametrize("first", [True, False])
def test_events_of_several_kinds(event: Any, first: bool) -> None:
    whole = body("elements")
    element = whole["elements"][1]
    usual = element["event"]
    if not isinstance(event, dict) or not event:
        element["event"] = event
    else:
        element["event"] = event | usual if first else usual | event
    assert_same(json.dumps(whole).encode(), "elements")


def test_text_that_is_no_utf8() -> None:
    text = json.dumps(body("elements")).encode().replace(b'"maker"', b'"\xff"').replace(b'"taker"', b'"\xff"')
    assert_same(text, "elements")
    assert "broken JSON" in str(outcome(text, "elements", general=False))


# ---- generated and mutated pages -----------------------------------------------------------------------------------

ABSENT = object()
numbers = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from([None, ABSENT, "", "nan", True]),
)
texts = st.one_of(st.text(max_size=5), st.sampled_from([None, ABSENT, "", "Buy", "sell", "PF_xbtusd", "null"]))
NUMBERS = {"quantity", "price", "markPrice", "usdValue", "filled", "limitPrice", "fee", "positionSize"} | {
    "old_balance", "new_balance", "trade_price", "mark_price", "realized_pnl", "funding_rate", "realized_funding",
}  # fmt: skip
TEXTS = {"direction", "orderType", "clientId", "executionType", "tradeable", "info", "asset", "contract", "execution"}


def of_shape(element: Body, shape: str) -> None:
    """Turn an execution into one of the other shapes."""
    if shape == "usual":
        return
    payload = element["event"].pop("Execution")
    element["event"]["execution"] = payload
    if shape == "two orders":
        execution = payload["execution"]
        side = execution.pop("executionType", None)
        for part in ("Order", "OrderData"):  # whatever of them this element has
            if (found := execution.pop(part[0].lower() + part[1:], ABSENT)) is not ABSENT:
                execution[f"{side}{part}"] = found


@pytest.mark.parametrize("container", READERS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_generated_pages(container: str, data: st.DataObject) -> None:
    whole = body(container, data.draw(st.integers(1, 3)))
    for row in whole[container]:
        for node, key in places(row):
            kind = numbers if key in NUMBERS else texts
            if isinstance(node, dict) and key in NUMBERS | TEXTS and not isinstance(node[key], dict):
                if data.draw(st.booleans()):
                    continue
                value = data.draw(kind)
                if value is ABSENT:
                    del node[key]
                else:
                    node[key] = value
        if container == "elements":
            of_shape(row, data.draw(st.sampled_from(["usual", "usual", "lower case", "two orders"])))
    assert_same(json.dumps(whole).encode(), container)


@pytest.mark.parametrize("container", READERS)
def test_mutated_pages(container: str) -> None:
    for number in range(250):
        chance = random.Random(number)
        assert_same(mutated(body(container), chance), container)
