"""Real payloads with faults in them: each gives a frame or one of our errors, never another exception or a warning.

A run takes a sample; ``KFUT_MUTATIONS=20000`` takes that many. ``KFUT_MUTATIONS_SEED`` chooses others.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
import requests

from kfut_analytics import errors
from kfut_analytics.orders import CancelResult, Order, OrderResult
from kfut_analytics.rest.budget import Budget
from kfut_analytics.rest.session import RestSession
from kfut_analytics.rest.venue import RestVenue
from tests.conftest import shared_folder

MUTATIONS = int(os.environ.get("KFUT_MUTATIONS", "1500"))
SEED = int(os.environ.get("KFUT_MUTATIONS_SEED", "1"))
START = pd.Timestamp("2015-01-01", tz="UTC")

Body = dict[str, Any]
Call = Callable[[RestVenue, bool], object]

CALLS: dict[str, list[Call]] = {
    "instruments": [lambda v, exact: v.instruments(), lambda v, exact: v.margin_tiers()],
    "tickers": [lambda v, exact: v.tickers(), lambda v, exact: v.indices()],
    "orderbook": [lambda v, exact: v.order_book("PI_XBTUSD")],
    "accounts": [
        lambda v, exact: v.accounts(),
        lambda v, exact: v.wallets(),
        lambda v, exact: v.wallet_contracts(),
        lambda v, exact: v.account(),
    ],
    "openpositions": [lambda v, exact: v.positions()],
    "openorders": [lambda v, exact: v.open_orders()],
    "fills": [lambda v, exact: v.fills(START if exact else None, None, exact=exact)],
    "account_log": [lambda v, exact: v.account_log(START, None, exact=exact)],
    "charts_candles": [
        lambda v, exact: v.candles("PF_XBTUSD", "1m", "trade", START if exact else None, None, exact=exact)
    ],
    "history": [lambda v, exact: v.trades("PF_XBTUSD", None, None, exact=exact)],
    "historicalfundingrates": [lambda v, exact: v.funding_rates("PF_XBTUSD", START, None, exact=exact)],
    "history_market_executions": [lambda v, exact: v.trades("PF_XBTUSD", START, None, exact=exact)],
    "history_executions": [lambda v, exact: v.executions(None, START, None, exact=exact)],
    "history_orders": [lambda v, exact: v.order_history(None, START, None, exact=exact)],
    "history_triggers": [lambda v, exact: v.trigger_history("PF_ETHUSD", None, START, exact=exact)],
    "history_positions": [lambda v, exact: v.position_history(None, START, None, exact=exact)],
    "orders_status": [lambda v, exact: v.order_status(["x"], [])],
    "leveragepreferences": [lambda v, exact: v.leverage_preferences()],
    "pnlpreferences": [lambda v, exact: v.pnl_preferences()],
    "notifications": [lambda v, exact: v.notifications()],
    "unwindqueue": [lambda v, exact: v.unwind_queue()],
    "instruments_status": [lambda v, exact: v.instrument_status()],
    "feeschedules": [lambda v, exact: v.fee_schedules()],
    "sendorder": [lambda v, exact: v.place(Order("PI_XBTUSD", "buy", Decimal(1), limit_price=Decimal(60000)))],
    "cancelorder": [lambda v, exact: v.cancel("x", None)],
    "cancelallorders": [lambda v, exact: v.cancel_all(None)],
}  # fmt: skip


class Free(Budget):
    """A budget that costs nothing."""

    def spend(self, pool: Any, tokens: int, on_wait: Any = None) -> None:
        pass

    def block(self, pool: Any, seconds: float) -> None:
        pass


class Canned(RestSession):
    """A session whose every answer is the same text; all else of it is real."""

    def __init__(self, text: bytes) -> None:
        super().__init__("http://127.0.0.1:1", budget=Free(), sleep=lambda seconds: None)
        self._text = text

    def _send(self, operation: Any, prepared: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        response.headers["Content-Type"] = "application/json"
        response._content = self._text
        return response


# ---- faults --------------------------------------------------------------------------------------------------------

Place = tuple[Any, Any]
ODD_TEXTS = (
    "", " ", "x", "NaN", "-Infinity", "1e999", "0E-20", "1_000", "60505.", "true", "2026-13-45T99:99:99Z", "nowZ",
    "2026-01-01T00:00:00+05:00", "2026-01-01 00:00:00", "2026-01-01T00:00:00.123456789123Z", "١٢", "PF_", "FF_X_Y_Z",
    "20260101TZ", "_",
)  # fmt: skip
ODD_NUMBERS = (0, -1, 1.5, 1e308, -1e-320, 10**18, 10**30, -(10**18), 2**53 + 1, 2**63, -0.0, 4102444800000, 9e15)


def places(node: Any, found: list[Place]) -> list[Place]:
    """Every container and key of a payload."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        found.append((node, key))
        if isinstance(value, (dict, list)):
            places(value, found)
    return found


def missing(node: Any, key: Any, chance: random.Random) -> None:
    del node[key]


def null(node: Any, key: Any, chance: random.Random) -> None:
    node[key] = None


def extra(node: Any, key: Any, chance: random.Random) -> None:
    value: Any = chance.choice((1, "x", None, True, {"a": {"b": []}}, [1, {}]))
    if isinstance(node, dict):
        node[chance.choice(("newField", "uid", "event", "order", "symbol", "errors", "flex_2"))] = value
    else:
        node.append(chance.choice((value, copy.deepcopy(node[key]))))


def renamed(node: Any, key: Any, chance: random.Random) -> None:
    """An unknown enumeration: a value that is spelled in another way, or a kind of event."""
    value = node[key]
    if isinstance(value, str):
        node[key] = chance.choice((f"{value}V2", value.swapcase(), f"new_{value}"))
    elif isinstance(node, dict):
        node[f"{key}V2"] = node.pop(key)


def other_scalar(node: Any, key: Any, chance: random.Random) -> None:
    """Text for a number and back, and odd ones of both."""
    value = node[key]
    if isinstance(value, str):
        node[key] = chance.choice((*ODD_NUMBERS, *ODD_TEXTS, True))
    elif isinstance(value, (int, float)):
        node[key] = chance.choice((str(value), str(value), *ODD_TEXTS, *ODD_NUMBERS, not value))
    else:
        node[key] = chance.choice((*ODD_NUMBERS, *ODD_TEXTS, True, False))


def other_container(node: Any, key: Any, chance: random.Random) -> None:
    """A list or an object for anything, or the other of the two."""
    value = node[key]
    node[key] = chance.choice(([], {}, [value], {"x": value}, [[value]], [None], {"": None}, [{}], {"_": {}}))


FAULTS = (missing, null, extra, renamed, other_scalar, other_container)


def mutated(body: Body, chance: random.Random) -> bytes:
    changed = copy.deepcopy(body)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        where = places(changed, [])
        if where:
            node, key = chance.choice(where)
            chance.choice(FAULTS)(node, key, chance)
    text = json.dumps(changed).encode()
    if chance.random() < 0.05:
        text = text[: chance.randrange(len(text))]
    return text


# ---- the test ------------------------------------------------------------------------------------------------------


def corpus() -> list[tuple[str, str, Body]]:
    folder = shared_folder()
    found = []
    for endpoint in CALLS:
        for path in sorted(folder.glob(f"payloads/*/{endpoint}__*.json")) if folder else []:
            body = json.loads(path.read_text())
            if isinstance(body, dict) and len(path.read_text()) < 50_000:
                found.append((endpoint, f"{path.parent.name}/{path.stem}", body))
    return found


@pytest.mark.skipif(shared_folder() is None, reason="recorded payloads are not on this machine (KFUT_SHARED)")
@pytest.mark.parametrize("part", range(10))
def test_faulty_payloads_give_a_frame_or_an_error_of_ours(part: int) -> None:
    bodies = corpus()
    assert {endpoint for endpoint, _, _ in bodies} == set(CALLS)
    escaped: dict[str, str] = {}
    for number in range(part, MUTATIONS, 10):
        # Every endpoint and each of its recordings gets its share, whatever the number.
        chance = random.Random(f"{SEED}/{number}")
        endpoint = list(CALLS)[number % len(CALLS)]
        _, name, body = chance.choice([entry for entry in bodies if entry[0] == endpoint])
        text = mutated(body, chance)
        call = chance.choice(CALLS[endpoint])
        venue = RestVenue(Canned(text), "live")
        try:
            result = call(venue, chance.random() < 0.5)
        except errors.KfutError:
            pass
        except Exception as error:  # whatever it is, it has escaped; a warning, too
            escaped.setdefault(f"{endpoint}: {type(error).__name__}: {error}"[:160], f"{number} {name} {text[:300]!r}")
        else:
            assert isinstance(result, (pd.DataFrame, OrderResult, CancelResult)) or endpoint == "accounts"
        finally:
            venue.close()
    assert not escaped, "\n".join(f"{fault}\n    {where}" for fault, where in escaped.items())
