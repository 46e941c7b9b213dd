"""The exchange's own specification, where it is on this machine, and what newer facts change in it.

Each document is one dictionary without references to other files. An amendment says what recordings of the exchange
or its newer documents contradict; everything else the answers must fulfil to the letter.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest
import requests
import yaml

from tests.conftest import shared_folder

Json = dict[str, Any]

BASES = {
    "trading/public.yml": "/derivatives/api/v3",
    "history/api-public.yml": "/api/history/v3",
    "charts/api-public.yml": "/api/charts/v1",
    "auth/api-public.yml": "/api/auth/v1",
    "stats/public.yml": "/api/stats/v1",
}
"""The documents, and where their paths begin."""

TRADING, HISTORY, CHARTS, AUTH, STATS = BASES


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Times stay the texts that they are in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


@functools.cache
def specification(name: str) -> Json:
    """A document with its amendments; the test is skipped where it is absent."""
    document = bundle(name)
    for amendment in AMENDMENTS:
        if amendment.document == name:
            amendment.apply(document)
    return document


def bundle(name: str) -> Json:
    """A document as it is published, with what it refers to in other files."""
    folder = shared_folder()
    if folder is None or not (folder / "openapi").is_dir():
        pytest.skip("the official specification is not on this machine (KFUT_SHARED or ../shared)")
    beside: dict[str, Any] = {}

    def load(path: str) -> Any:
        return yaml.load((folder / "openapi" / path).read_text(encoding="utf-8"), _Loader)

    def moved(node: Any, home: str) -> Any:
        if isinstance(node, list):
            return [moved(item, home) for item in node]
        if not isinstance(node, dict):
            return node
        copy = {key: moved(value, home) for key, value in node.items()}
        if isinstance(node.get("$ref"), str):
            file, _, pointer = node["$ref"].partition("#")
            place = f"/x-files/{file}" if file else home
            if file and file not in beside:
                beside[file] = None
                beside[file] = moved(load(f"{name.partition('/')[0]}/{file}"), place)
            copy["$ref"] = f"#{place}{pointer}"
        return copy

    document: Json = moved(load(name), "")
    return document | {"x-files": beside}


@functools.cache
def _validator(name: str, pointer: str) -> jsonschema.Draft202012Validator:
    document = specification(name)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator({"$ref": f"#{pointer}", **document}, format_checker=checker)


def operations(name: str) -> set[tuple[str, str]]:
    """Method and path of all operations of a document."""
    paths = specification(name)["paths"]
    return {(method, path) for path, item in paths.items() for method in item if method != "parameters"}


def hold(name: str, method: str, path: str, answer: requests.Response) -> None:
    """Hold an answer against the specification of its operation.

    Raises
    ------
    jsonschema.ValidationError
        If it has another shape.
    LookupError
        If an operation has no such status or content type.
    """
    pointer = f"/paths/{path.replace('/', '~1')}/{method}/responses/{answer.status_code}"
    described = _at(specification(name), pointer)
    while "$ref" in described:
        pointer = described["$ref"].removeprefix("#")
        described = _at(specification(name), pointer)
    kinds, kind = described.get("content", {}), answer.headers.get("Content-Type", "").partition(";")[0]
    if kinds and kind not in kinds:
        raise LookupError(f"{method} {path} answers {kind!r}, not {[*kinds]}")
    if kind == "application/json" and kinds:
        _validator(name, f"{pointer}/content/application~1json/schema").validate(answer.json())


def _at(document: Json, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


# What is newer than the specification ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Amendment:
    """A change of a document, and the reason for it."""

    document: str
    reason: str
    apply: Callable[[Json], None]


def _schemas(document: Json) -> Json:
    return document["components"]["schemas"]


def _operations(document: Json) -> list[Json]:
    methods = ("get", "post", "put", "delete")
    return [item[method] for item in document["paths"].values() for method in methods if method in item]


def _answers(statuses: tuple[int, ...], schema: Json) -> Callable[[Json], None]:
    """Every operation may answer so with these HTTP statuses."""

    def apply(document: Json) -> None:
        for operation in _operations(document):
            for status in statuses:
                operation["responses"][str(status)] = {
                    "description": "refused",
                    "content": {"application/json": {"schema": schema}},
                }

    return apply


def _deadline_of_a_batch(document: Json) -> None:
    form = document["paths"]["/batchorder"]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    form["schema"]["properties"]["ProcessBefore"] = {"type": "string", "format": "date-time"}


def _words_of_orders(document: Json) -> None:
    words = {
        name: _schemas(document)[name]["properties"]["status"]
        for name in ("SendOrderJson", "EditOrderStatus", "CancelOrderStatusJson", "BatchInstructionResult")
    }
    sent = words["SendOrderJson"]["enum"]
    words["EditOrderStatus"]["enum"] = [*words["EditOrderStatus"]["enum"], *sent]
    words["CancelOrderStatusJson"]["enum"] = [*words["CancelOrderStatusJson"]["enum"], "wouldProcessAfterSpecifiedTime"]
    words["BatchInstructionResult"]["enum"] = [word for status in words.values() for word in status["enum"]]


def _words_that_were_recorded(document: Json) -> None:
    properties = {name: schema["properties"] for name, schema in _schemas(document).items() if "properties" in schema}
    properties["InstrumentStatus"]["priceDislocationDirection"]["enum"].append(None)
    properties["RejectEvent"]["reason"]["enum"].append("EDIT_HAS_NO_EFFECT")
    properties["OpenOrderJson"]["orderType"]["enum"].append("trailing_stop")


def _edited_triggers(document: Json) -> None:
    shown = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("OrderJson", "OrderTriggerJson")]}
    _schemas(document)["EditEvent"]["properties"] |= {"old": shown, "new": shown}


def _sizes_of_trades(document: Json) -> None:
    _schemas(document)["HistoryJson"]["properties"]["size"]["type"] = "number"


def _executions_of_2026(document: Json) -> None:
    execution = _schemas(document)["HistoricalExecution"]
    own = {"order": {"$ref": "#/components/schemas/HistoricalOrder"}, "executionType": {"enum": ["maker", "taker"]}}
    own["orderData"] = {"$ref": "#/components/schemas/TakerOrderData"}
    both = ("makerOrder", "takerOrder", "makerOrderData", "takerOrderData")
    execution["properties"] = own | {k: v for k, v in execution["properties"].items() if k not in both}
    execution["required"] = [*own, *(name for name in execution["required"] if name not in both)]


def _events_with_a_name(document: Json) -> None:
    beside = document["x-files"]["_schemas.yml"]

    def named(name: str, schema: Json) -> Json:
        return {"type": "object", "properties": {name: schema}, "required": [name]}

    beside["PriceElement"]["properties"]["event"] = named("MarkPriceChanged", beside["MarkPriceChanged"])
    update = beside["HistoricalPositionUpdateElement"]
    element = {"uid": {"type": "string"}, "timestamp": {"type": "integer"}, "event": named("PositionUpdate", update)}
    beside["HistoricalPositionUpdateElement"] = {"type": "object", "properties": element, "required": [*element]}


def _triggers_without_unused_options(document: Json) -> None:
    _schemas(document)["TriggerOptions"]["required"] = ["triggerPrice", "triggerSignal", "triggerSide"]


def _open_order_types(document: Json) -> None:
    del _schemas(document)["HistoricalOrder"]["properties"]["orderType"]["enum"]


def _volumes_of_candles(document: Json) -> None:
    _schemas(document)["Candlestick"]["properties"]["volume"]["type"] = ["number", "string"]


_STATUS_AND_REASON = {
    "type": "object",
    "properties": {"status": {"type": "string"}, "reason": {"type": "string"}},
    "required": ["status", "reason"],
    "additionalProperties": False,
}

AMENDMENTS = (
    Amendment(
        TRADING,
        "what is not understood, not there or refused with a number has a body of its own, recorded live in 2026-09 "
        "(api-facts 4.8); it is the ErrorResponse of the file beside, which the document refers to nowhere",
        _answers((400, 404, 500), {"$ref": "#/x-files/_schemas.yml/ErrorResponse"}),
    ),
    Amendment(TRADING, "the deadline of a batch is a whole parameter where a schema belongs", _deadline_of_a_batch),
    Amendment(
        TRADING,
        "edits and cancels have a deadline and no word for being late; a batch carries sends, edits and cancels and "
        "has not all their words; edits of 2026 are refused with the words of sends (api-facts 4.2)",
        _words_of_orders,
    ),
    Amendment(
        TRADING,
        "recorded: no direction where no price is dislocated, and an edit that has no effect; and trailing stops can "
        "be sent and are not among the types of open orders",
        _words_that_were_recorded,
    ),
    Amendment(TRADING, "triggers can be edited and no event shows it: they look as placed", _edited_triggers),
    Amendment(TRADING, "recorded public trades have numbers as sizes (api-facts 3A)", _sizes_of_trades),
    Amendment(HISTORY, "since 2026 an execution shows one's own order only (api-facts 3C)", _executions_of_2026),
    Amendment(HISTORY, "events of prices and positions have a name, as all others (api-facts 3C)", _events_with_a_name),
    Amendment(
        HISTORY,
        "recorded triggers do not have the options that they do not use",
        _triggers_without_unused_options,
    ),
    Amendment(HISTORY, "there are some 15 types of orders since 2026 (api-facts 3C)", _open_order_types),
    Amendment(
        HISTORY,
        "the history refuses with a status and a reason (api-facts 4.8)",
        _answers((400, 401, 404), _STATUS_AND_REASON),
    ),
    Amendment(CHARTS, "recorded candles have their volume as text, also the 0 of mark and spot", _volumes_of_candles),
    Amendment(STATS, "like the history", _answers((401,), _STATUS_AND_REASON)),
    Amendment(
        CHARTS,
        "all charts refuse like their analytics: no other body is known",
        _answers((400, 404), {"$ref": "#/components/schemas/AnalyticsResponse"}),
    ),
)
