"""The value of accounts of the paper exchange, through a client: what the engine itself said at the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.errors import ArgumentError
from kfut_analytics.paper.clock import DAY, HOUR, ManualClock
from kfut_analytics.paper.demo import open_demo
from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.orders import OrderRequest
from kfut_analytics.paper.market.instruments import ASSETS
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey
from tests.paper.flow import RandomFlow

QUARTER = HOUR / 4
NOW = 1_796_030_434.5  # 30 November 2026, some minutes after a full hour and days after contracts expired


@contextmanager
def opened(exchange: Exchange, name: str) -> Iterator[kfut.Client]:
    with (
        PaperServer(exchange, ApiKey(name)) as server,
        kfut.connect("paper", base_url=server.base_url, api_key=server.api_key, api_secret=server.api_secret) as client,
    ):
        yield client


def value(exchange: Exchange, account: Account) -> float:
    """What the engine says the account is worth in USD, with funding that has accrued."""
    flex = exchange.flex(account)
    total = flex.portfolio_value + flex.required.funding
    for wallet in ("fi_xbtusd", "fi_ethusd"):
        state = exchange.single(account, wallet)
        total += state.portfolio_value * exchange.prices.index(ASSETS[state.currency.upper()])
    for (wallet, currency), amount in account.balances.items():
        if wallet == "cash" and currency != "fee":
            total += amount * exchange.prices.collateral(currency)
    return total


class Story:
    """A week on every kind of contract, with money coming, going and moving, and its value every quarter."""

    def __init__(self) -> None:
        self.exchange = Exchange(seed=5, clock=ManualClock(NOW), history=8 * DAY)
        self.account = self.exchange.open_account("story")
        self.worth: dict[float, float] = {}
        listed = [c for c in self.exchange.contracts.values() if c.symbol.startswith("FF_ETH") and c.expiry]
        expires = min((c for c in listed if c.expiry > self.exchange.now), key=lambda c: c.expiry).symbol
        self.move(0.3, "flex", "usd", 20_000)
        self.move(0.6, "flex", "xbt", 0.3)
        self.move(0.9, "flex", "eur", 1_000)
        self.move(1.2, "fi_xbtusd", "xbt", 0.2)
        self.move(1.5, "fi_ethusd", "eth", 2)
        self.move(1.7, "cash", "fee", 100)
        self.move(1.8, "cash", "sol", 3)
        self.trade(2.2, "PF_XBTUSD", "buy", "0.1")
        self.trade(2.9, "PI_ETHUSD", "sell", "2500")
        self.trade(5.4, expires, "buy", "1.5")
        self.trade(20.5, "PF_XBTUSD", "sell", "0.25")  # a reversal
        self.trade(30.1, "PI_XBTUSD", "buy", "4000")
        self.move(48, "flex", "usd", -3_000)  # at a full hour
        self.trade(60.6, "PI_ETHUSD", "buy", "1000")  # part of it
        self.at(70.25)
        self.account.move(self.exchange.now, "fi_xbtusd", "flex", "xbt", 0.05)
        self.trade(120.3, "PF_SOLUSD", "sell", "30")
        self.move(150.01, "cash", "usd", 500)
        self.at(8 * DAY / HOUR)
        assert "settlement" in {row.info for row in self.account.log}

    def at(self, hours: float) -> None:
        """Go to a time after the start, noting the value at every quarter of an hour on the way."""
        end = NOW - 8 * DAY + hours * HOUR
        quarter = (self.exchange.now // QUARTER + 1) * QUARTER
        while quarter <= end:
            self.exchange.advance_to(quarter)
            self.note()
            quarter += QUARTER
        self.exchange.advance_to(end)

    def note(self) -> None:
        self.worth[self.exchange.now] = value(self.exchange, self.account)

    def move(self, hours: float, wallet: str, currency: str, amount: float) -> None:
        self.at(hours)
        self.account.transfer(self.exchange.now, wallet, currency, amount)
        if self.exchange.now in self.worth:
            self.note()

    def trade(self, hours: float, symbol: str, side: str, size: str) -> None:
        self.at(hours)
        request = OrderRequest(symbol, side, "mkt", Decimal(size))  # type: ignore[arg-type]
        assert self.exchange.submit(self.account, request).status == "placed"


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


@pytest.fixture(scope="module")
def client(story: Story) -> Iterator[kfut.Client]:
    with opened(story.exchange, "story") as client:
        yield client


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[Exchange, kfut.Client]]:
    exchange = open_demo(0, ManualClock(NOW))
    with opened(exchange, "demo") as client:
        yield exchange, client


def at_candles(found: kfut.Equity, story: Story) -> tuple[np.ndarray, np.ndarray]:
    """Computed and true values where candles begin."""
    frame = found.frame
    times = {time: stamp for stamp in story.worth if (time := pd.Timestamp(stamp, unit="s", tz="UTC")) in frame.index}
    assert len(times) > 20
    assert len(times) >= len(frame) - 2
    return frame.loc[list(times), "equity"].to_numpy(), np.array([story.worth[stamp] for stamp in times.values()])


def test_the_value_at_every_full_hour_is_what_the_engine_said(client: kfut.Client, story: Story) -> None:
    found = kfut.equity(client)
    computed, true = at_candles(found, story)
    np.testing.assert_allclose(computed, true, rtol=1e-12, atol=1e-6)
    # The exchange has no candles of EUR, which is worth the same at all times there.
    assert found.notes() == [
        "EUR: the exchange has no candles of it; it is valued at 1.16 USD, what the exchange values it at now, at all "
        "times.",
        "KFEE is not counted as value.",
    ]


@pytest.mark.parametrize("resolution", ["15m", "4h"])
def test_other_resolutions(client: kfut.Client, story: Story, resolution: str) -> None:
    """Within the hour, funding that has accrued is part of the value."""
    found = kfut.equity(client, "-5d", "-6h", resolution)
    assert len(found.frame) == {"15m": 458, "4h": 30}[resolution]
    computed, true = at_candles(found, story)
    np.testing.assert_allclose(computed, true, rtol=1e-12, atol=1e-6)
    assert (found.frame["unrealized_funding"].iloc[:-1].abs().max() > 0.01) == (resolution == "15m")


def test_now_is_what_the_exchange_says_now(client: kfut.Client, story: Story) -> None:
    found = kfut.equity(client, "-1d")
    assert found.end == client.account().time
    assert found.frame["equity"].iloc[-1] == pytest.approx(value(story.exchange, story.account), abs=1e-4)
    check = found.check()
    assert check["difference"].abs().max() < 1e-4  # the wire rounds prices
    assert {"flex", "fi_xbtusd", "fi_ethusd", "cash", "all"} == set(check["account"])
    portfolio = check[check["figure"] == "portfolio_value"].iloc[0]
    assert portfolio["exchange"] == client.account().portfolio_value


def test_a_later_start_changes_nothing_but_the_start(client: kfut.Client) -> None:
    whole, later = kfut.equity(client).frame, kfut.equity(client, "-3d").frame
    columns = ["equity", "balance", "unrealized_pnl", "unrealized_funding"]
    pd.testing.assert_frame_equal(whole.loc[later.index, columns], later[columns], rtol=1e-10)
    columns = ["external_flow", "realized_net", "pnl", "return"]
    pd.testing.assert_frame_equal(whole.loc[later.index[1:], columns], later[columns].iloc[1:], rtol=1e-8)


def test_another_currency(client: kfut.Client) -> None:
    usd, coins = kfut.equity(client, "-3d"), kfut.equity(client, "-3d", currency="btc")
    assert coins.currency == "BTC"
    assert coins.frame.attrs["units"]["pnl"] == "BTC"
    spot = client.candles("PF_XBTUSD", "1h", start="-3d", tick_type="spot", end=client.account().time)["open"]
    common = spot.index.intersection(coins.frame.index)
    assert len(common) > 60
    np.testing.assert_allclose(
        coins.frame.loc[common, "equity"], usd.frame.loc[common, "equity"] / spot[common], rtol=1e-12
    )
    for found in (usd, coins):
        bridge = found.bridge().set_index("item")["amount"]
        assert bridge["unexplained"] == 0
    assert coins.check()["difference"].abs().max() < 1e-4


def test_a_log_at_hand_and_given_prices(client: kfut.Client) -> None:
    log = client.account_log()
    found = kfut.equity(client, "-3d", log=log, prices={"EUR": 2.0})
    assert found.notes() == ["KFEE is not counted as value."]
    fetched = kfut.equity(client, "-3d")
    assert found.frame["equity"].iloc[0] - fetched.frame["equity"].iloc[0] == pytest.approx(840, abs=1e-6)
    moving = pd.Series([1.0, 3.0], index=pd.to_datetime([log["time"].min(), client.account().time]))
    first, last = kfut.equity(client, "-3d", prices={"eur": moving}).frame["balance"].iloc[[0, -1]]
    assert last - first != pytest.approx(found.frame["balance"].iloc[-1] - found.frame["balance"].iloc[0], abs=100)


def test_a_log_that_does_not_fit_is_seen(client: kfut.Client) -> None:
    log = client.account_log()
    log.loc[log["asset"].isin(["EUR", "SOL"]), ["new_balance", "change"]] = 0.0
    check = kfut.equity(client, log=log).check().set_index(["account", "figure", "currency"])
    columns = ["computed", "exchange", "difference"]
    assert check.loc[("flex", "balance", "EUR"), columns].tolist() == [0, 1000, -1000]
    assert check.loc[("cash", "balance", "SOL"), columns].tolist() == [0, 3, -3]
    missing = 1160 + 3 * client.tickers().loc["PF_SOLUSD", "index_price"]
    assert check.loc[("all", "equity", "USD"), "difference"] == pytest.approx(-missing, abs=0.01)


def test_the_demo_account_to_the_cent(demo: tuple[Exchange, kfut.Client]) -> None:
    exchange, client = demo
    found = kfut.equity(client)
    assert found.notes() == []
    bridge = found.bridge()
    amounts = bridge.groupby("item")["amount"].sum()
    assert abs(amounts["unexplained"]) < 0.005
    assert bridge["amount"].iloc[1:-1].sum() == pytest.approx(amounts["end equity"] - amounts["start equity"], abs=1e-6)
    assert amounts["end equity"] == pytest.approx(value(exchange, exchange.accounts["demo"]), abs=1e-4)
    assert found.flows()["amount"].tolist() == [5000, -2500]
    # USD figures that do not depend on prices are those of the account log.
    pnl = kfut.pnl(client.account_log())
    linear = pnl.by_contract().query("currency == 'USD'").set_index("contract")
    realized = bridge[bridge["item"] == "price P&L"].set_index("contract")["amount"]
    np.testing.assert_allclose(realized[linear.index], linear["realized_pnl"], atol=1e-6)
    summary = found.summary()
    assert summary["value"].notna().all()
    assert summary["definition"].str.len().gt(10).all()
    assert found.daily()["complete"].tolist() == [True] * 90 + [False]
    months = found.monthly()
    assert np.prod(1 + months["return"]) - 1 == pytest.approx(summary.loc["time_weighted_return", "value"])
    assert months["pnl"].sum() == pytest.approx(found.frame["pnl"].sum())


def test_an_empty_account() -> None:
    exchange = Exchange(seed=0, clock=ManualClock(NOW))
    exchange.open_account("nothing")
    with opened(exchange, "nothing") as client:
        found = kfut.equity(client)
        assert found.frame["equity"].eq(0).all()
        assert "n/a" in repr(found)
        assert found.check()["difference"].eq(0).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_whoever_trades_at_random_is_worth_what_the_engine_said(seed: int) -> None:
    """Every kind of order, liquidations among what happens, on every kind of contract."""
    flow = RandomFlow(seed, greed=4.0)
    exchange, account = flow.exchange, flow.accounts[0]
    values: dict[float, float] = {}
    advance = exchange.advance

    def advance_by_hours(seconds: float) -> None:
        end = exchange.now + seconds
        while (hour := (exchange.now // HOUR + 1) * HOUR) <= end:
            advance(hour - exchange.now)
            values[exchange.now] = value(exchange, account)
        advance(end - exchange.now)

    exchange.advance = advance_by_hours  # type: ignore[method-assign]
    while len(values) < 60 or not any("liquidation" in row.info for row in account.log):
        assert len(values) < 1000
        flow.act()
        if exchange.now in values:
            values[exchange.now] = value(exchange, account)
    with opened(exchange, account.name) as client:
        found = kfut.equity(client)
        hours = pd.to_datetime(list(values), unit="s", utc=True)
        np.testing.assert_allclose(found.frame.loc[hours, "equity"], list(values.values()), rtol=1e-9, atol=1e-4)
        assert abs(found.bridge().set_index("item").loc["unexplained", "amount"]) < 0.005


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": "2h"}, "resolution='2h' is not one of"),
        ({"resolution": "1w"}, "resolution='1w' is not one of"),
        ({"currency": ""}, "currency='': name one such as"),
        ({"currency": 5}, "currency=5: name one such as"),
        ({"currency": "CHF"}, r"no price of CHF.*prices=\{'CHF'"),
        ({"start": "-1h", "end": "-2h"}, "start='-1h' is not before end='-2h'"),
        ({"start": "+1h"}, r"start='\+1h' is not before now"),
        ({"end": "2020-01-01"}, "end=2020-01-01 00:00 UTC is not after the first entry"),
        ({"start": "yesterday"}, "start='yesterday' is not a point in time"),
        ({"prices": {"EUR": -1}}, r"prices\['EUR'\]=-1 is not a price"),
        ({"prices": {"EUR": "1.1"}}, r"prices\['EUR'\]='1.1' is not a price"),
        ({"prices": {"EUR": pd.Series([1.0])}}, r"prices\['EUR'\] is not a Series of positive prices"),
        ({"log": 5}, "log is int instead of the frame"),
    ],
)
def test_bad_arguments(client: kfut.Client, options: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        kfut.equity(client, **options)  # type: ignore[arg-type]
