"""Every operation of the official specification under generated requests, signed as they are sent.

They are plausible, or merely what the specification allows, or what it does not allow. Whatever is asked, the answer
has a shape that the specification (as amended) gives it, nothing fails, nothing hangs.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from requests.auth import AuthBase

from kfut_analytics.paper.clock import WallClock
from kfut_analytics.paper.demo import open_demo
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .conftest import signature
from .specification import BASES, Json, specification

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

EXAMPLES = 6
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
CODES_AT_500 = {41, 87, 88, 89, 90, 92}
"""Refusals that the exchange sends with status 500 (api-facts 4.8)."""

# What a trader sends of all that the specification lets them send.
PLAUSIBLE: dict[str, list[object]] = {
    "symbol": ["PF_XBTUSD", "PI_XBTUSD", "pf_ethusd", "PF_SOLUSD"],
    "tradeable": ["PF_XBTUSD", "PI_XBTUSD"],
    "size": [0.01, 1],
    "limitPrice": [50000, 150000],
    "stopPrice": [50000, 150000],
    "trailingStopMaxDeviation": [1, 50],
    "order_tag": ["1", "two"],
    "cliOrdId": ["one", "two", "three", "four"],
    "processBefore": ["2100-01-01T00:00:00Z"],
    "fromAccount": ["flex", "cash"],
    "toAccount": ["flex", "cash"],
    "fromUser": ["demo", "child"],
    "toUser": ["demo", "child"],
    "unit": ["usd", "xbt"],
    "amount": [1, 2.5],
    "pnlPreference": ["USD", "BTC"],
    "maxLeverage": [2, 10],
    "timeout": [0, 60],
    "lastTime": ["2026-01-01T00:00:00.000Z"],
    "lastFillTime": ["2030-01-01T00:00:00.000Z"],
    "since": [0, 1_700_000_000],
    "before": [4_000_000_000_000],
    "from": [1, 1_700_000_000],
    "to": [10, 4_000_000_000],
    "count": [5, 30],
    "continuation_token": [""],
    "resolution": ["1m", "1h"],  # those of whole days read years of prices
}


class Signed(AuthBase):
    """Signs each request over the query and body that go out."""

    def __init__(self, key: ApiKey) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url, body = urlsplit(request.url), request.body or b""
        text = str(url.query).encode() + (body.encode() if isinstance(body, str) else body)
        request.headers["APIKey"] = self.key.public
        request.headers["Authent"] = signature(self.key.secret, str(url.path), text)
        return request


@pytest.fixture(scope="module")
def server() -> Iterator[PaperServer]:
    exchange = open_demo(3, WallClock())
    exchange.open_account("child", parent="demo")
    with PaperServer(exchange, ApiKey("demo", transfer="FULL_ACCESS")) as running:
        yield running


@pytest.fixture(scope="module")
def session(server: PaperServer) -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.auth = Signed(server.keys[server.api_key])
        yield opened


def plausible(document: Json) -> Json:
    """The document, with plausible values only where a parameter has some."""

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if node.get("in") in ("query", "path") and node.get("name") in PLAUSIBLE:
                node["schema"] = {"enum": PLAUSIBLE[node["name"]]}
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    document = copy.deepcopy(document)
    walk(document)
    for path in document["paths"].values():
        for form in path.get("post", {}).get("requestBody", {}).get("content", {}).values():
            form["schema"]["required"] = [*form["schema"]["properties"]][-1:]
    for name, schema in document["components"]["schemas"].items():
        if name.startswith("BatchOrder"):
            for part in (schema, *schema.get("allOf", ())):
                properties = part.get("properties", {})
                properties |= {key: {"enum": PLAUSIBLE[key]} for key in properties if key in PLAUSIBLE}
    return document


MODES = {
    "plausible": (plausible, schemathesis.GenerationMode.POSITIVE),
    "valid": (copy.deepcopy, schemathesis.GenerationMode.POSITIVE),
    "invalid": (copy.deepcopy, schemathesis.GenerationMode.NEGATIVE),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", BASES)
def test_answers_whatever_is_asked(server, session, name, mode):
    prepare, generation = MODES[mode]
    schema = schemathesis.openapi.from_dict(prepare(specification(name)))

    def ask(case):
        if case.media_type == "application/x-www-form-urlencoded" and isinstance(case.body, dict):
            # The exchange takes an object as JSON in a field of the form.
            texts = {name: v if isinstance(v, str) else json.dumps(v) for name, v in case.body.items()}
            case.body = urlencode(texts)
        response = case.call(base_url=server.base_url + BASES[name], session=session, timeout=10)
        case.validate_response(response, checks=CHECKS)
        assert "authenticationError" not in response.text, "the request was not signed as it was sent"
        if response.status_code >= 500:
            assert response.json()["errors"][0]["code"] in CODES_AT_500, response.text

    for found in schema.get_all_operations():
        operation = found.ok()
        generated = settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )(given(case=operation.as_strategy(generation))(ask))
        try:
            generated()
        except Unsatisfiable:
            assert mode == "invalid", operation.label  # an operation without parameters has no invalid ones
