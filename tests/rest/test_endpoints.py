"""The table of operations says what the exchange's own specification says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfut_analytics.rest.endpoints import OPERATIONS, Operation, cost
from tests.conftest import shared_folder

FILES = ("trading/public", "history/api-public", "charts/api-public", "auth/api-public", "stats/public")
PERMISSIONS = {
    "general-api-key": "full",
    "general-api-key-read-only": "read",
    "withdrawal-api-key": "withdraw",
    "api-key-any": "any",
}


def parameter(item: dict[str, Any], path: Path) -> dict[str, Any]:
    if "$ref" not in item:
        return item
    file, _, pointer = item["$ref"].partition("#/")
    part = yaml.safe_load((path.parent / file if file else path).read_text())
    for key in pointer.split("/"):
        part = part[key]
    return parameter(part, path)


def specified() -> Iterator[tuple[str, str, dict[str, Any], Path]]:
    root = shared_folder()
    for name in FILES if root else ():
        path = root / "openapi" / f"{name}.yml"
        document = yaml.safe_load(path.read_text())
        base = document["servers"][0]["url"].removeprefix("https://futures.kraken.com")
        for url, methods in document["paths"].items():
            for method, operation in methods.items():
                if method != "parameters":
                    yield method.upper(), base + url, operation, path


BY_PLACE = {(op.method, op.path): op for op in OPERATIONS.values()}


@pytest.mark.parametrize("spec", list(specified()) or [None], ids=lambda s: f"{s[0]} {s[1]}" if s else "absent")
def test_every_specified_operation(spec: tuple[str, str, dict[str, Any], Path] | None) -> None:
    if spec is None:
        pytest.skip("the official specification is not on this machine (KFUT_SHARED or ../shared)")
    method, url, operation, path = spec
    ours = BY_PLACE.get((method, url))
    assert ours is not None, "the table lacks this operation"
    parameters = [parameter(item, path) for item in operation.get("parameters", [])]
    known = ours.required | ours.optional
    folded = {name.casefold() for name in known}  # the specification spells processBefore both ways
    for item in parameters:
        if item["in"] == "path":
            assert item["name"] in ours.path_parameters
        else:
            assert item["name"] in known or item["name"].casefold() in folded
            assert (item["name"] in ours.required) == bool(item.get("required")), item["name"]
    schemes = [PERMISSIONS[s] for option in operation.get("security") or [] for s in option if s in PERMISSIONS]
    assert ours.permission == (schemes[0] if schemes else "public")
    bodies = operation.get("requestBody", {}).get("content", {})
    assert (ours.placement == "json") == ("application/json" in bodies)


def test_operations_that_only_newer_pages_know() -> None:
    assert OPERATIONS["trading_instruments"].path == "/derivatives/api/v3/trading/instruments"
    assert OPERATIONS["historical_funding_rates_v4"].path == "/derivatives/api/v4/historicalfundingrates"


def test_calls_that_change_something_are_marked() -> None:
    reading_posts = {"orders_status", "portfolio_margining_simulate"}
    for op in OPERATIONS.values():
        assert op.changes_state == (op.method != "GET" and op.name not in reading_posts), op.name
        assert op.pool or not op.private, op.name


@pytest.mark.parametrize(
    ("name", "params", "tokens"),
    [
        ("sendorder", {}, 10),
        ("fills", {}, 2),
        ("fills", {"lastFillTime": "2026-11-22T00:00:00.000Z"}, 25),
        ("cancelallorders", {}, 25),
        ("unwindqueue", {}, 200),
        ("orders_status", {}, 1),
        ("batchorder", {"json": '{"batchOrder":[{"order":"send"},{"order":"cancel"}]}'}, 11),
        ("account_log", {"count": 25}, 1),
        ("account_log", {"count": 26}, 2),
        ("account_log", {}, 3),
        ("account_log", {"count": 1001}, 6),
        ("account_log", {"count": 100_000}, 10),
        ("account_log_csv", {}, 6),
        ("executions", {}, 1),
        ("tickers", {}, 0),
    ],
)
def test_documented_costs(name: str, params: dict[str, Any], tokens: int) -> None:
    operation: Operation = OPERATIONS[name]
    assert cost(operation, params) == tokens
