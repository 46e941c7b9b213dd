"""The facts of a preview are read side by side, and are those of one account and one market."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

import kfut_analytics as kfut
from kfut_analytics.errors import NotFoundError, OrderRefused, UnavailableError
from kfut_analytics.orders import examine, preview
from kfut_analytics.paper.server import PaperServer
from tests.exchanges import open_exchange

ORDER = kfut.Order("PF_XBTUSD", "buy", 0.01)
ASKED = {
    "tickers", "orderbook", "accounts", "openpositions", "openorders", "leveragepreferences", "instruments/status",
}  # fmt: skip


@pytest.fixture
def exchange() -> Iterator[PaperServer]:
    server = open_exchange()
    yield server
    server.close()


@pytest.fixture
def client(exchange: PaperServer) -> Iterator[kfut.Client]:
    keys = {"base_url": exchange.base_url, "api_key": exchange.api_key, "api_secret": exchange.api_secret}
    with kfut.connect("paper", **keys) as client:  # type: ignore[arg-type]
        yield client


def test_a_preview_takes_about_one_round_trip(exchange: PaperServer, client: kfut.Client) -> None:
    """With answers that take a second each it takes less than two of them; one after the other it would be seven."""
    client.preview(ORDER)
    exchange.faults.plan("*", "delay", seconds=1.0, times=None)
    begun = time.monotonic()
    seen = client.preview(ORDER)
    assert time.monotonic() - begun < 2.0
    assert Counter(mishap.operation for mishap in exchange.faults.log) == Counter(ASKED)
    assert 1.0 <= seen.age < 2.5
    assert begun <= seen.read_at


def test_the_first_preview_reads_the_rules_beside_the_rest(exchange: PaperServer, client: kfut.Client) -> None:
    """A dozen answers of half a second each: one after the other they would take six seconds."""
    exchange.faults.plan("*", "delay", seconds=0.5, times=None)
    begun = time.monotonic()
    client.preview(ORDER)
    assert time.monotonic() - begun < 3.5


def test_the_time_is_the_exchanges(exchange: PaperServer, client: kfut.Client) -> None:
    seen = client.preview(ORDER)
    assert abs(seen.time.timestamp() - exchange.exchange.now) < 5


def test_the_rates_are_those_that_the_account_pays(client: kfut.Client) -> None:
    assert client.preview(ORDER).fee_source == "your fee schedule"


def test_the_smallest_size_is_the_accounts(exchange: PaperServer, client: kfut.Client) -> None:
    seen = client.preview(ORDER)
    assert seen.market is not None
    assert seen.market.minimum_size == float(exchange.exchange.contract("PF_XBTUSD").step)


def test_a_market_whose_state_is_not_known_is_judged_without_it(exchange: PaperServer, client: kfut.Client) -> None:
    exchange.faults.plan("instruments/status", "http-503", times=None)
    seen = client.preview(ORDER)
    assert seen.market is not None
    assert seen.market.status is None


def test_what_is_needed_and_cannot_be_read_is_an_error(exchange: PaperServer, client: kfut.Client) -> None:
    exchange.faults.plan("openpositions", "http-503", times=None)
    with pytest.raises(UnavailableError):
        client.preview(ORDER)


def test_an_unknown_contract_is_met_with_near_ones(client: kfut.Client) -> None:
    with pytest.raises(NotFoundError, match="did you mean PF_XBTUSD"):
        client.preview(kfut.Order("PF_XBTUS", "buy", 1))


def test_the_same_facts_serve_other_orders(client: kfut.Client) -> None:
    """A ticket that is typed into looks at the same facts again, without a request."""
    first = client.preview(ORDER)
    assert first.market is not None
    again = examine(kfut.Order("PF_XBTUSD", "sell", notional=500), first.market, client.limits)
    assert (again.read_at, again.time) == (first.read_at, first.time)
    assert again.order.side == "sell"


def test_a_preview_that_was_not_held_against_the_limits_is_before_it_is_sent(exchange: PaperServer) -> None:
    keys = {"base_url": exchange.base_url, "api_key": exchange.api_key, "api_secret": exchange.api_secret}
    with kfut.connect("paper", trading=True, limits=kfut.Limits(order_notional=100), **keys) as client:  # type: ignore[arg-type]
        seen = client.preview(kfut.Order("PF_XBTUSD", "buy", notional=90))
        assert seen.market is not None
        unchecked = preview(kfut.Order("PF_XBTUSD", "buy", 0.1), seen.market)
        with pytest.raises(OrderRefused, match="your limit order_notional is 100"):
            client.place(unchecked)
        assert client.place(seen).status == "filled"
        assert len(client.fills()) == 1
