"""Every recorded payload decodes into frames without loss and without a warning, over a real HTTP connection."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics import schema
from tests.conftest import shared_folder
from tests.replay import Answer, ReplayServer

Replay = Callable[..., tuple[kfut.Client, ReplayServer]]
Body = dict[str, Any]

TRADING = "/derivatives/api/v3"
PATHS = {
    "instruments": f"{TRADING}/instruments",
    "tickers": f"{TRADING}/tickers",
    "orderbook": f"{TRADING}/orderbook",
    "accounts": f"{TRADING}/accounts",
    "openpositions": f"{TRADING}/openpositions",
    "openorders": f"{TRADING}/openorders",
    "fills": f"{TRADING}/fills",
    "account_log": "/api/history/v3/account-log",
    "charts_candles": "/api/charts/v1/trade/PF_XBTUSD/1m",
}


def files(endpoint: str) -> list[Any]:
    folder = shared_folder()
    found = sorted(folder.glob(f"payloads/*/{endpoint}__*.json")) if folder else []
    # A few payloads are one row of a list, or another call under the same name; they have no container.
    return [pytest.param(f, id=f"{f.parent.name}/{f.stem}") for f in found] or [pytest.param(None, id="absent")]


def load(path: Path | None) -> Body:
    if path is None:
        pytest.skip("recorded payloads are not on this machine (KFUT_SHARED or ../shared)")
    body = json.loads(path.read_text())
    assert isinstance(body, dict)
    return body


def open_client(replay: Replay, endpoint: str, body: Body) -> kfut.Client:
    client, _ = replay({PATHS[endpoint]: Answer(json.dumps(body).encode())})
    return client


def same(found: Any, wire: Any) -> bool:
    """Whether a frame's cell says what the wire says."""
    if isinstance(wire, bool):
        return bool(found) == wire
    if isinstance(found, pd.Timestamp):
        expected = pd.Timestamp(wire, unit="ms") if isinstance(wire, int) else pd.Timestamp(wire).tz_convert(None)
        return found.tz_convert(None) == expected
    if isinstance(found, str):
        return found.casefold() == str(wire).casefold()
    return math.isclose(float(found), float(wire), rel_tol=0, abs_tol=0)


def assert_lossless(frame: pd.DataFrame, rows: list[Body], table: schema.Table, key: str) -> None:
    """Each known field of each row is in the frame, and what the row lacks is missing there."""
    assert len(frame) == len(rows)
    flat = frame.reset_index() if table.index else frame
    assert [c.name for c in table.columns] == list(flat.columns)
    for position, row in enumerate(rows):
        for column in table.columns:
            fields = [f for f in column.source.split("|") if f and row.get(f) is not None]
            if fields:
                found = flat[column.name].iloc[position]
                assert same(found, row[fields[0]]), (key, position, column.name, found, row[fields[0]])


@pytest.mark.parametrize("path", files("instruments"))
def test_instruments(path: Path | None, replay: Replay) -> None:
    body = load(path)
    frame = open_client(replay, "instruments", body).instruments()
    assert_lossless(frame, body["instruments"], schema.INSTRUMENTS, "instruments")
    for row in body["instruments"]:
        found = frame.loc[row["symbol"].upper()]
        levels = row.get("retailMarginLevels") or row.get("marginLevels") or []
        if levels:
            assert found["initial_margin"] == levels[0]["initialMargin"]
            assert found["maintenance_margin"] == levels[0]["maintenanceMargin"]
        if row.get("contractValueTradePrecision") is not None:
            assert found["size_step"] == 10.0 ** -row["contractValueTradePrecision"]


@pytest.mark.parametrize("path", files("instruments"))
def test_margin_tiers(path: Path | None, replay: Replay) -> None:
    body = load(path)
    frame = open_client(replay, "instruments", body).margin_tiers()
    expected = [
        (row["symbol"].upper(), schedule, float(level.get("contracts", level.get("numNonContractUnits"))))
        for row in body["instruments"]
        for schedule, name in (("professional", "marginLevels"), ("retail", "retailMarginLevels"))
        for level in row.get(name, [])
    ]
    assert list(frame[["symbol", "schedule", "threshold"]].itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize("path", files("tickers"))
def test_tickers_and_indices(path: Path | None, replay: Replay) -> None:
    body = load(path)
    client = open_client(replay, "tickers", body)
    markets = [row for row in body["tickers"] if "markPrice" in row]
    assert_lossless(client.tickers(), markets, schema.TICKERS, "tickers")
    others = [row for row in body["tickers"] if "markPrice" not in row]
    assert_lossless(client.indices(), others, schema.INDICES, "indices")


@pytest.mark.parametrize("path", files("orderbook"))
def test_order_book(path: Path | None, replay: Replay) -> None:
    body = load(path)
    frame = open_client(replay, "orderbook", body).order_book("PI_XBTUSD")
    for side, name, best_first in (("bid", "bids", -1), ("ask", "asks", 1)):
        own = frame[frame["side"] == side]
        wire = sorted(body["orderBook"][name], key=lambda level: best_first * level[0])
        assert own[["price", "size"]].to_numpy().tolist() == [[float(p), float(s)] for p, s in wire]
        assert own["cumulative_size"].iloc[-1] == pytest.approx(sum(level[1] for level in wire))


def walk_balances(body: Body) -> Iterable[tuple[str, str, Body]]:
    """Wallet, currency and holding, read from the payload independently of the decoder."""
    for name, wallet in body["accounts"].items():
        for currency, holding in wallet.get("currencies", {}).items():
            yield name, currency, holding
        for currency, quantity in wallet.get("balances", {}).items():
            if not currency.casefold().startswith(("fi_", "pi_", "fv_", "pv_")):
                yield name, currency, {"quantity": quantity}


@pytest.mark.parametrize("path", files("accounts"))
def test_accounts(path: Path | None, replay: Replay) -> None:
    body = load(path)
    client = open_client(replay, "accounts", body)
    frame = client.accounts().set_index(["account", "currency"])
    wire = list(walk_balances(body))
    assert len(frame) == len(wire)
    assert frame.index.is_unique
    for name, currency, holding in wire:
        row = frame.loc[(name, currency.upper())]
        assert row["type"] == body["accounts"][name]["type"]
        assert row["quantity"] == float(holding["quantity"])
        for column, fields in {
            "value_usd": ["value"],
            "collateral_usd": ["collateral", "collateralValue"],
            "available": ["available"],
        }.items():
            for field in fields:
                if field in holding:
                    assert row[column] == float(holding[field])


@pytest.mark.parametrize("path", files("accounts"))
def test_single_collateral_wallets(path: Path | None, replay: Replay) -> None:
    body = load(path)
    client = open_client(replay, "accounts", body)
    wallets, held = client.wallets(), client.wallet_contracts()
    margin_accounts = {n: w for n, w in body["accounts"].items() if w["type"] == "marginAccount"}
    assert set(wallets.index) == set(margin_accounts)
    for name, wallet in margin_accounts.items():
        row = wallets.loc[name]
        assert row["portfolio_value"] == wallet["auxiliary"]["pv"]
        assert row["available_funds"] == wallet["auxiliary"]["af"]
        assert row["liquidation_margin"] == wallet["marginRequirements"]["lt"]
        assert row["maintenance_margin_trigger"] == wallet["triggerEstimates"]["mm"]
        contracts = {s.upper(): float(v) for s, v in wallet["balances"].items() if "_" in s}
        own = held[held["account"] == name].set_index("symbol")["signed_size"]
        assert own.to_dict() == contracts


@pytest.mark.parametrize("path", files("accounts"))
def test_multi_collateral_figures(path: Path | None, replay: Replay) -> None:
    body = load(path)
    client = open_client(replay, "accounts", body)
    flex = body["accounts"].get("flex")
    if flex is None:
        with pytest.raises(kfut.errors.DecodeError, match="flex"):
            client.account()
        return
    account = client.account()
    for ours, wire in {
        "portfolio_value": "portfolioValue",
        "margin_equity": "marginEquity",
        "initial_margin": "initialMargin",
        "maintenance_margin": "maintenanceMargin",
        "available_margin": "availableMargin",
        "unrealized_funding": "unrealizedFunding",
    }.items():
        assert getattr(account, ours) == flex[wire]
    assert f"{flex['marginEquity']:,.2f}" in repr(account)
    assert f"{flex['marginEquity']:,.2f}" in account._repr_html_()


@pytest.mark.parametrize("path", files("openpositions"))
def test_positions(path: Path | None, replay: Replay) -> None:
    body = load(path)
    frame = open_client(replay, "openpositions", body).positions()
    rows = body["openPositions"]
    assert_lossless(frame, rows, schema.POSITIONS, "positions")
    assert (frame["size"] > 0).all()
    for row in rows:
        found = frame.loc[row["symbol"].upper()]
        assert found["signed_size"] == (row["size"] if row["side"] == "long" else -row["size"])
        assert found["margin_mode"] == ("isolated" if "maxFixedLeverage" in row else "cross")


@pytest.mark.parametrize("path", files("openorders"))
def test_open_orders(path: Path | None, replay: Replay) -> None:
    body = load(path)
    frame = open_client(replay, "openorders", body).open_orders()
    assert_lossless(frame, body["openOrders"], schema.OPEN_ORDERS, "open_orders")
    for row in body["openOrders"]:
        assert frame.loc[row["order_id"], "size"] == row["filledSize"] + row["unfilledSize"]


@pytest.mark.parametrize("path", files("fills"))
def test_fills(path: Path | None, replay: Replay) -> None:
    body = load(path)
    frame = open_client(replay, "fills", body).fills()
    assert_lossless(frame, body["fills"], schema.FILLS, "fills")


@pytest.mark.parametrize("path", files("account_log"))
def test_account_log(path: Path | None, replay: Replay) -> None:
    body = load(path)
    frame = open_client(replay, "account_log", body).account_log()
    assert_lossless(frame, sorted(body["logs"], key=lambda row: row["id"]), schema.ACCOUNT_LOG, "account_log")
    for row in body["logs"]:
        assert frame.loc[row["id"], "change"] == row["new_balance"] - row["old_balance"]


@pytest.mark.parametrize("path", files("charts_candles"))
def test_candles(path: Path | None, replay: Replay) -> None:
    body = load(path)
    client = open_client(replay, "charts_candles", body)
    assert_lossless(client.candles("PF_XBTUSD", "1m"), body["candles"], schema.CANDLES, "candles")
    # A server that always says that there is more must not be asked for ever.
    assert len(client.candles("PF_XBTUSD", "1m", start="2020-01-01")) == len(body["candles"])


LEVELS = [{"numNonContractUnits": n, "initialMargin": m, "maintenanceMargin": m / 2} for n, m in ((9, 0.5), (0, 0.02))]
SCHEDULES = {"A": {"professional": LEVELS, "retail": [LEVELS[0] | {"numNonContractUnits": 0}]}}


@pytest.mark.parametrize(
    ("fields", "initial_margin"),
    [({"marginLevels": LEVELS}, 0.02), ({"marginSchedules": SCHEDULES}, 0.5), ({}, float("nan"))],
)
def test_the_first_tier_is_the_lowest_of_the_schedule_that_applies(
    fields: Body, initial_margin: float, replay: Replay
) -> None:
    row = {"symbol": "PF_XBTUSD", "type": "flexible_futures"} | fields
    client = open_client(replay, "instruments", {"result": "success", "instruments": [row]})
    assert client.instruments()["initial_margin"].tolist() == pytest.approx([initial_margin], nan_ok=True)


def test_an_inverse_position_without_pnl_gets_it_from_the_mark_price(replay: Replay) -> None:
    position = {"symbol": "PI_XBTUSD", "side": "short", "size": 10_000, "price": 50_000, "pnlCurrency": "BTC"}
    ticker = {"symbol": "PI_XBTUSD", "markPrice": 40_000}
    client, _ = replay(
        {
            PATHS["openpositions"]: Answer(json.dumps({"result": "success", "openPositions": [position]}).encode()),
            PATHS["tickers"]: Answer(json.dumps({"result": "success", "tickers": [ticker, ticker]}).encode()),
        }
    )
    frame = client.positions()
    assert frame.loc["PI_XBTUSD", "unrealized_pnl"] == pytest.approx(0.05)
    assert frame.loc["PI_XBTUSD", "notional"] == 10_000


def test_accounts_without_a_server_time_carry_this_machines(replay: Replay) -> None:
    body = {"result": "success", "accounts": {"flex": {"type": "multiCollateralMarginAccount"}}}
    account = open_client(replay, "accounts", body).account()
    assert "n/a" in repr(account)
    assert abs(account.time - pd.Timestamp.now(tz="UTC")) < pd.Timedelta(minutes=1)
