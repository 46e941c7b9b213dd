"""A recorded session with the paper exchange replays offline, and holds no key and no signature.

Record it again, after a change of the wire, with ``KFUT_RECORD=1 python -m pytest tests/test_cassettes.py``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import vcr
import vcr.errors
import yaml

import kfut_analytics as kfut
from tests.conftest import SAMPLE_KEY, SAMPLE_SECRET

CASSETTE = Path(__file__).resolve().parents[1] / "cassettes" / "paper_session.yaml"
RECORDING = bool(os.environ.get("KFUT_RECORD"))
OPENED = pd.Timestamp("2026-11-22T12:00Z")

SECRET_HEADERS = ("APIKey", "Authent", "Nonce")
cassette = vcr.VCR(
    filter_headers=[*SECRET_HEADERS, "User-Agent"],
    match_on=["method", "path", "query", "body"],
    record_mode="all" if RECORDING else "none",
    decode_compressed_response=True,
)


@pytest.fixture
def client() -> Iterator[kfut.Client]:
    """A client on the paper exchange while recording; on an address where nobody listens otherwise."""
    if not RECORDING:
        url = "http://127.0.0.1:9"
        with kfut.connect("paper", trading=True, base_url=url, api_key=SAMPLE_KEY, api_secret=SAMPLE_SECRET) as opened:
            yield opened
        return
    from kfut_analytics.paper.auth import ApiKey
    from kfut_analytics.paper.clock import ManualClock
    from kfut_analytics.paper.demo import open_demo
    from kfut_analytics.paper.server import PaperServer

    CASSETTE.unlink(missing_ok=True)
    exchange = open_demo(0, ManualClock(OPENED.timestamp()))
    with (
        PaperServer(exchange, ApiKey("demo")) as server,
        kfut.connect(
            "paper", trading=True, base_url=server.base_url, api_key=server.api_key, api_secret=server.api_secret
        ) as opened,
    ):
        yield opened


def test_a_session_replays(client: kfut.Client) -> None:
    with cassette.use_cassette(str(CASSETTE)) as tape:
        account, balances = client.account(), client.accounts()
        positions, orders, fills = client.positions(), client.open_orders(), client.fills()
        log = client.account_log(start=OPENED - pd.Timedelta(days=2))
        placed = client.place(kfut.Order("PF_ETHUSD", "buy", 0.1, limit_price=2500, cli_ord_id="a-cassette"))
        cancelled = client.cancel(placed.order_id)
    if not RECORDING:
        assert tape.all_played

    flex = balances[balances["account"] == "flex"]
    assert account.balance_value == pytest.approx(flex["value_usd"].sum())
    assert account.collateral_value == pytest.approx(flex["collateral_usd"].sum())
    assert account.margin_equity == pytest.approx(account.collateral_value + account.total_unrealized_as_margin)
    assert len(positions) >= 4
    assert len(orders) >= 3
    assert len(fills) == 100
    linear = positions[positions["pnl_currency"] == "USD"]
    assert linear["unrealized_pnl"].sum() == pytest.approx(account.unrealized_pnl, abs=0.01)
    assert log.index.is_monotonic_increasing
    cash = log[(log["account"] == "flex") & (log["asset"] == "USD")]
    assert cash["old_balance"].iloc[1:].tolist() == cash["new_balance"].iloc[:-1].tolist()
    assert (placed.status, placed.cli_ord_id) == ("placed", "a-cassette")
    assert (cancelled.status, cancelled.order_ids) == ("cancelled", (placed.order_id,))


def test_the_cassette_holds_no_key_and_no_signature() -> None:
    for interaction in yaml.safe_load(CASSETTE.read_text())["interactions"]:
        sent = {name.casefold() for name in interaction["request"]["headers"]}
        assert sent.isdisjoint(name.casefold() for name in SECRET_HEADERS)
        assert interaction["response"]["status"]["code"] == 200


@pytest.mark.skipif(RECORDING, reason="while recording there is no request that is not recorded")
def test_a_request_that_was_not_recorded_fails_loudly(client: kfut.Client) -> None:
    with cassette.use_cassette(str(CASSETTE)), pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException):
        client.order_book("PF_XBTUSD")
