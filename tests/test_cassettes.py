"""Recorded sessions with the paper exchange replay offline, and hold no key and no signature.

Record them again, after a change of the wire, with ``KFUT_RECORD=1 python -m pytest tests/test_cassettes.py``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import vcr
import vcr.errors
import yaml

import kfut_analytics as kfut
from kfut_analytics import errors, times
from kfut_analytics.recording import hide_identities
from tests.conftest import SAMPLE_KEY, SAMPLE_SECRET

if TYPE_CHECKING:
    from kfut_analytics.paper.server import PaperServer

FOLDER = Path(__file__).resolve().parents[1] / "cassettes"
SESSIONS = ("paper_session", "paper_history", "paper_failures")
RECORDING = bool(os.environ.get("KFUT_RECORD"))
OPENED = pd.Timestamp("2026-11-22T12:00Z")
NOBODY = "http://127.0.0.1:9"

SECRET_HEADERS = ("APIKey", "Authent", "Nonce")
recorder = vcr.VCR(
    filter_headers=[*SECRET_HEADERS, "User-Agent"],
    match_on=["method", "path", "query", "body"],
    before_record_response=hide_identities,
    record_mode="all" if RECORDING else "none",
    decode_compressed_response=True,
)


@contextmanager
def exchange() -> Iterator[PaperServer]:
    """The paper exchange, standing still at one moment, so that it says the same each time it is recorded."""
    from kfut_analytics.paper.clock import ManualClock
    from kfut_analytics.paper.demo import open_demo
    from kfut_analytics.paper.server import PaperServer
    from kfut_analytics.paper.wire.auth import ApiKey

    with PaperServer(open_demo(0, ManualClock(OPENED.timestamp())), ApiKey("demo")) as server:
        yield server


@contextmanager
def session(name: str) -> Iterator[tuple[kfut.Client, PaperServer | None]]:
    """A client on a cassette, and while recording the exchange behind it; otherwise nobody listens there."""
    path = FOLDER / f"{name}.yaml"
    if RECORDING:
        path.unlink(missing_ok=True)
        with exchange() as server, recorder.use_cassette(str(path)), times.frozen(OPENED):
            keys = {"api_key": server.api_key, "api_secret": server.api_secret}
            with kfut.connect("paper", trading=True, base_url=server.base_url, **keys) as client:
                yield client, server
        return
    with (
        recorder.use_cassette(str(path)) as tape,
        times.frozen(OPENED),
        kfut.connect("paper", trading=True, base_url=NOBODY, api_key=SAMPLE_KEY, api_secret=SAMPLE_SECRET) as client,
    ):
        yield client, None
        assert tape.all_played


def test_account_and_orders() -> None:
    with session("paper_session") as (client, _):
        account, balances = client.account(), client.accounts()
        positions, orders, fills = client.positions(), client.open_orders(), client.fills()
        log = client.account_log(start=OPENED - pd.Timedelta(days=2))
        # On the wire itself: the client adds a deadline, which is another one each time.
        placed = client._venue.place(kfut.Order("PF_ETHUSD", "buy", 0.1, limit_price=2500, cli_ord_id="a-cassette"))
        cancelled = client._venue.cancel(placed.order_id, None)

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


def test_history_agrees_with_itself() -> None:
    start = OPENED - pd.Timedelta(days=4)
    with session("paper_history") as (client, _):
        executions, fills = client.executions(start), client.fills(start)
        log, changes = client.account_log(start), client.position_history(start)
        placed, triggers = client.order_history(start), client.trigger_history(start)
        trades = client.trades("PF_XBTUSD", start=OPENED - pd.Timedelta(minutes=30))
        rates = client.funding_rates("PF_XBTUSD", start=start)
        candles = client.candles("PF_XBTUSD", "4h", start=start, tick_type="mark")

    # The same executions in four lists, with the same fees and the same realised P&L.
    cash = log[log["execution_id"].notna() & (log["asset"] != log["contract"])].set_index("execution_id")
    traded = changes[changes["update_reason"] == "trade"].set_index("execution_id")
    assert set(executions.index) == set(fills.index) == set(cash.index) == set(traded.index)
    assert len(executions) > 5
    for name in ("fee", "realized_pnl"):
        assert traded[name].sort_index().tolist() == cash[name].sort_index().tolist()
    assert executions["fee"].sort_index().tolist() == cash["fee"].sort_index().tolist()
    assert executions["price"].sort_index().tolist() == fills["price"].sort_index().tolist()
    funding = changes[changes["update_reason"] == "fundingRealisation"]
    assert funding["realized_funding"].sum() == pytest.approx(
        log.loc[log["info"] == "funding rate change", "realized_funding"].sum()
    )
    assert set(executions["order_id"]) & set(placed["order_id"])
    assert (triggers["trigger_price"] > 0).all()
    for frame in (executions, changes, placed, triggers, trades):
        assert frame["time"].is_monotonic_increasing
        assert frame.index.is_unique
    assert trades["time"].min() >= OPENED - pd.Timedelta(minutes=30)
    assert rates.index.to_series().diff().dropna().eq(pd.Timedelta(hours=1)).all()
    assert candles.index.to_series().diff().dropna().eq(pd.Timedelta(hours=4)).all()
    assert (candles["high"] >= candles[["open", "close", "low"]].max(axis="columns")).all()


def test_failures_keep_their_shape() -> None:
    with session("paper_failures") as (client, server):
        if server is not None:
            server.faults.plan("accounts", "http-500")
            server.faults.plan("openorders", "http-502-html")
            server.faults.plan("sendorder", "http-500")
        with pytest.raises(errors.ExchangeError, match="INTERNAL_SERVER_ERROR") as internal:
            client.accounts()
        # A gateway's page is a passing fault of a read: the second answer is the one that counts.
        assert len(client.open_orders()) >= 3
        with pytest.raises(errors.NotFoundError, match="did you mean PF_XBTUSD"):
            client.order_book("PF_XTBUSD")
        with pytest.raises(errors.ExchangeError, match="INTERNAL_SERVER_ERROR") as lost:
            client._venue.place(kfut.Order("PF_ETHUSD", "buy", 0.1, limit_price=2500, cli_ord_id="lost"))
        rejected = client._venue.place(kfut.Order("PF_XBTUSD", "buy", 500, cli_ord_id="too-much"))
        not_found = client._venue.cancel(None, "never-sent")
        wrong = {"api_key": "another" if server is None else server.api_key, "api_secret": SAMPLE_SECRET}
        base_url = NOBODY if server is None else server.base_url
        with (
            kfut.connect("paper", base_url=base_url, **wrong) as stranger,
            pytest.raises(errors.AuthenticationError) as refused,
        ):
            stranger.positions()
    assert internal.value.http_status == 500
    assert not lost.value.retry_safe
    assert (rejected.status, rejected.reason) == ("rejected", "insufficientAvailableFunds")
    assert not_found.status == "not_found"
    assert refused.value.http_status == 200
    assert refused.value.words == "authenticationError"


@pytest.mark.parametrize("name", SESSIONS)
def test_no_cassette_holds_a_key_or_a_signature(name: str) -> None:
    interactions = yaml.load(
        (FOLDER / f"{name}.yaml").read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    assert interactions["interactions"]
    for interaction in interactions["interactions"]:
        sent = {header.casefold() for header in interaction["request"]["headers"]}
        assert sent.isdisjoint(header.casefold() for header in SECRET_HEADERS)


@pytest.mark.skipif(RECORDING, reason="while recording there is no request that is not recorded")
def test_a_request_that_was_not_recorded_fails_loudly() -> None:
    with (
        pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException),
        session("paper_session") as (client, _),
    ):
        client.order_book("PF_XBTUSD")
