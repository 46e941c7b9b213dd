"""The feed: one request serves all, nobody is asked for while nobody looks, and troubles are told with their end."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.account import Balances
from kfut_analytics.errors import ArgumentError, ConfigurationError, NotFoundError, RequestTimeout, VenueError
from kfut_analytics.margin import Margin
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.widgets import feed as feed_module
from kfut_analytics.widgets.feed import Attention, Feed, Quote, feed_of
from kfut_analytics.widgets.sources import EVERY
from tests.exchanges import open_exchange
from tests.widgets.exchange import Heard, close, connect, eventually


@pytest.fixture(scope="module")
def running() -> Iterator[PaperServer]:
    server = open_exchange()
    yield server
    close(server)


@pytest.fixture
def exchange(running: PaperServer) -> PaperServer:
    running.faults.clear()
    return running


@pytest.fixture
def client(exchange: PaperServer) -> Iterator[kfut.Client]:
    with connect(exchange) as client:
        yield client


@pytest.fixture
def feed(client: kfut.Client) -> Feed:
    return feed_of(client)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every topic many times a second."""
    for topic in EVERY:
        monkeypatch.setitem(EVERY, topic, 0.02)
    monkeypatch.setattr(feed_module, "_MOMENT", 0.02)


@pytest.fixture
def asked(caplog: pytest.LogCaptureFixture) -> Callable[[], Counter[str]]:
    """How often each operation was asked for."""
    caplog.set_level(logging.DEBUG, "kfut_analytics.rest")
    return lambda: Counter(
        str(record.args[1])
        for record in caplog.records
        if record.msg == "%s %s -> %s" and isinstance(record.args, tuple)
    )


class Looking:
    """A watcher that is told what people do."""

    def __init__(self) -> None:
        self.attention: Attention = "visible"
        self._tell: list[Callable[[], None]] = []

    def on_attention(self, callback: Callable[[], None]) -> None:
        self._tell.append(callback)

    def becomes(self, attention: Attention) -> None:
        self.attention = attention
        for tell in self._tell:
            tell()


# ---- what is told ------------------------------------------------------------------------------------------------


def test_each_topic_is_delivered_with_both_times(feed: Feed) -> None:
    heard = Heard()
    topics = ("quote", "tickers", "positions", "orders", "fills", "account", "margin")
    subscription = feed.subscribe(topics, heard, symbol=" pf_xbtusd")
    eventually(lambda: {s.topic for s in heard.snapshots()} == set(topics))
    data = {s.topic: s.data for s in heard.snapshots()}
    assert isinstance(data["quote"], Quote)
    assert data["quote"].symbol == "PF_XBTUSD"
    assert data["quote"].ticker["bid"] <= data["quote"].book.loc[data["quote"].book["side"] == "ask", "price"].min()
    assert isinstance(data["account"], Balances)
    assert isinstance(data["margin"], Margin)
    for topic in ("tickers", "positions", "orders", "fills"):
        assert isinstance(data[topic], pd.DataFrame)
    for snapshot in heard.snapshots():
        # The exchange's clock is months away from this machine's, so one cannot be taken for the other.
        assert abs(snapshot.received - pd.Timestamp.now(tz="UTC")) < pd.Timedelta("30s")
        if snapshot.topic != "fills":
            assert abs(snapshot.time - pd.Timestamp(feed_time(feed), unit="s", tz="UTC")) < pd.Timedelta("30s")
    assert heard.threads == {"kfut-feed"}
    subscription.close()


def feed_time(feed: Feed) -> float:
    client = feed._client()
    assert client is not None
    stamp = pd.Timestamp(client.tickers().attrs["as_of"])
    return stamp.timestamp()


def test_the_figures_are_those_of_the_client(client: kfut.Client, feed: Feed) -> None:
    client.place(kfut.Order("PF_XBTUSD", "buy", "0.01"))
    heard = Heard()
    subscription = feed.subscribe({"positions", "margin", "fills"}, heard)
    eventually(lambda: len({s.topic for s in heard.snapshots()}) == 3)
    subscription.close()
    data = {s.topic: s.data for s in heard.snapshots()}
    assert data["positions"]["entry_price"].to_dict() == client.positions()["entry_price"].to_dict()
    assert set(data["fills"].index) == set(client.fills().index)
    own = kfut.margin(client).liquidation()
    assert data["margin"].liquidation()["liquidation_price"].to_dict() == pytest.approx(
        own["liquidation_price"].to_dict(), rel=0.05, nan_ok=True
    )


def test_one_request_serves_all_subscribers(feed: Feed, fast: None, asked: Callable[[], Counter[str]]) -> None:
    one, many = Heard(), [Heard() for _ in range(5)]
    subscriptions = [feed.subscribe({"orders"}, heard) for heard in (one, *many)]
    eventually(lambda: len(one.snapshots()) >= 5)
    for subscription in subscriptions:
        subscription.close()
    counts = asked()
    assert counts.keys() == {"openorders", "instruments"}
    assert counts["instruments"] == 1, "the price steps, for some minutes"
    assert counts["openorders"] <= len(one.snapshots()) + 1
    assert all(len(heard.snapshots()) >= 4 for heard in many)


def test_margin_is_made_of_what_others_ask_for(feed: Feed, asked: Callable[[], Counter[str]]) -> None:
    heard = Heard()
    others = feed.subscribe({"positions", "orders", "account", "tickers"}, heard)
    eventually(lambda: len(heard.snapshots()) == 4)
    before = asked()
    margin = feed.subscribe({"margin"}, heard)
    eventually(lambda: heard.snapshots("margin"), seconds=2.0)
    own = asked() - before
    for name in ("openpositions", "openorders", "accounts"):
        assert own[name] == 0, name
    assert own["leveragepreferences"] == 1
    others.close()
    margin.close()


def test_a_quote_is_of_its_contract_only(feed: Feed, asked: Callable[[], Counter[str]]) -> None:
    heard = Heard()
    subscription = feed.subscribe({"quote"}, heard, symbol="PF_XBTUSD")
    eventually(heard.snapshots)
    subscription.symbol = "pf_ethusd"
    eventually(lambda: heard.snapshots()[-1].symbol == "PF_ETHUSD")
    subscription.symbol = None
    time.sleep(0.05)
    heard.updates.clear()
    feed.refresh("quote")
    time.sleep(0.1)
    assert heard.updates == []
    subscription.close()
    assert set(asked()) == {"ticker", "orderbook"}


def test_a_late_subscriber_is_told_what_is_known(feed: Feed) -> None:
    first, second = Heard(), Heard()
    one = feed.subscribe({"orders"}, first)
    eventually(first.snapshots)
    two = feed.subscribe({"orders"}, second)
    eventually(second.snapshots, seconds=1.0)
    assert second.snapshots()[0] is first.snapshots()[0]
    one.close()
    two.close()


def test_a_refresh_looks_at_once(feed: Feed) -> None:
    heard = Heard()
    subscription = feed.subscribe({"orders", "fills"}, heard)
    eventually(lambda: len(heard.snapshots()) == 2)
    feed.refresh("orders")
    eventually(lambda: len(heard.snapshots("orders")) == 2, seconds=1.0)
    assert len(heard.snapshots("fills")) == 1
    subscription.close()


# ---- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_trouble_is_told_once_and_so_is_its_end(exchange: PaperServer, feed: Feed, fast: None) -> None:
    heard = Heard()
    subscription = feed.subscribe({"orders"}, heard)
    eventually(heard.snapshots)
    exchange.faults.plan("GET openorders", "http-200-html", times=None)
    eventually(heard.troubles)
    time.sleep(0.2)
    exchange.faults.clear()
    eventually(lambda: heard.snapshots()[-1].ended is not None)
    [trouble] = heard.troubles()
    assert isinstance(trouble.error, VenueError)
    assert heard.snapshots()[-1].ended == trouble or heard.snapshots()[-1].ended is trouble
    assert [s.ended for s in heard.snapshots()].count(None) == len(heard.snapshots()) - 1
    subscription.close()


def test_troubles_are_asked_about_less_and_less(
    exchange: PaperServer, feed: Feed, fast: None, asked: Callable[[], Counter[str]]
) -> None:
    exchange.faults.plan("GET openorders", "http-200-html", times=None)
    heard = Heard()
    subscription = feed.subscribe({"orders"}, heard)
    eventually(heard.troubles)
    time.sleep(0.5)
    assert asked()["openorders"] == 1, "after a failure it waits for two seconds"
    exchange.faults.clear()
    subscription.close()


def test_an_answer_that_is_late_is_told_and_still_counts(
    exchange: PaperServer, feed: Feed, monkeypatch: pytest.MonkeyPatch, fast: None
) -> None:
    monkeypatch.setattr(feed_module, "LATE", 0.1)
    exchange.faults.plan("GET openorders", "delay", seconds=0.5)
    heard = Heard()
    subscription = feed.subscribe({"orders"}, heard)
    eventually(heard.troubles)
    assert isinstance(heard.troubles()[0].error, RequestTimeout)
    assert "still waiting" in str(heard.troubles()[0].error)
    eventually(heard.snapshots)
    assert heard.snapshots()[0].ended is heard.troubles()[0]
    subscription.close()


def test_one_topic_does_not_wait_for_another(exchange: PaperServer, feed: Feed, fast: None) -> None:
    exchange.faults.plan("GET fills", "delay", seconds=1.0)
    heard = Heard()
    subscription = feed.subscribe({"orders", "fills"}, heard)
    eventually(lambda: len(heard.snapshots("orders")) > 5, seconds=0.9)
    assert not heard.snapshots("fills")
    subscription.close()


def test_an_unknown_contract_is_told(feed: Feed) -> None:
    heard = Heard()
    subscription = feed.subscribe({"quote"}, heard, symbol="PF_NOSUCH")
    eventually(heard.troubles)
    assert isinstance(heard.troubles()[0].error, NotFoundError)
    subscription.close()


def test_a_subscriber_that_fails_harms_no_other(feed: Feed, fast: None, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("a bug of a subscriber")

    heard = Heard()
    subscriptions = [feed.subscribe({"orders"}, fail), feed.subscribe({"orders"}, heard)]
    eventually(lambda: len(heard.snapshots()) >= 3)
    for subscription in subscriptions:
        subscription.close()
    assert "a bug of a subscriber" in caplog.text


def test_there_are_no_other_topics(feed: Feed) -> None:
    with pytest.raises(ArgumentError, match="'weather' is not a topic"):
        feed.subscribe({"weather"}, print)  # type: ignore[arg-type]
    assert not feed.running


# ---- who looks ---------------------------------------------------------------------------------------------------


def test_nobody_is_asked_for_while_nobody_looks(feed: Feed, fast: None, asked: Callable[[], Counter[str]]) -> None:
    looking, heard = Looking(), Heard()
    subscription = feed.subscribe({"orders"}, heard, presence=looking)
    eventually(heard.snapshots)
    for attention in ("hidden", "gone"):
        looking.becomes(attention)  # type: ignore[arg-type]
        time.sleep(0.1)
        before = asked()["openorders"]
        time.sleep(0.3)
        assert asked()["openorders"] == before, attention
        looking.becomes("visible")
        eventually(lambda before=before: asked()["openorders"] > before + 2, seconds=1.0)  # type: ignore[misc]
    subscription.close()


def test_a_hidden_page_is_served_now_and_then(
    feed: Feed, fast: None, monkeypatch: pytest.MonkeyPatch, asked: Callable[[], Counter[str]]
) -> None:
    monkeypatch.setattr(feed_module, "HIDDEN_EVERY", 0.3)
    looking, heard = Looking(), Heard()
    looking.attention = "hidden"
    subscription = feed.subscribe({"orders"}, heard, presence=looking)
    time.sleep(1.0)
    subscription.close()
    assert 2 <= asked()["openorders"] <= 5


def test_one_who_looks_is_enough(feed: Feed, fast: None) -> None:
    hidden, heard = Looking(), Heard()
    hidden.attention = "gone"
    subscriptions = [feed.subscribe({"orders"}, heard, presence=hidden), feed.subscribe({"orders"}, Heard())]
    eventually(lambda: len(heard.snapshots()) >= 3)
    for subscription in subscriptions:
        subscription.close()


def test_a_page_that_is_gone_from_the_start_asks_nothing(
    feed: Feed, fast: None, asked: Callable[[], Counter[str]]
) -> None:
    looking = Looking()
    looking.attention = "gone"
    subscription = feed.subscribe({"orders"}, Heard(), presence=looking)
    time.sleep(0.2)
    assert not asked()
    subscription.close()


# ---- its life ----------------------------------------------------------------------------------------------------


def test_a_client_has_one_feed_which_does_not_keep_it(exchange: PaperServer) -> None:
    client = connect(exchange)
    feed, other = feed_of(client), connect(exchange)
    assert feed_of(client) is feed
    assert feed_of(other) is not feed
    gone = weakref.ref(client)
    client.close()
    del client
    gc.collect()
    assert gone() is None
    other.close()


def test_the_thread_ends_with_the_last_subscriber_and_begins_with_the_next(feed: Feed, fast: None) -> None:
    for _ in range(3):
        heard = Heard()
        subscription = feed.subscribe({"orders"}, heard)
        eventually(heard.snapshots)
        subscription.close()
        eventually(lambda: not feed.running)
    eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("kfut-feed")])


def test_nothing_is_told_after_the_end(feed: Feed, fast: None) -> None:
    heard = Heard()
    subscription = feed.subscribe({"orders"}, heard)
    eventually(heard.snapshots)
    subscription.close()
    time.sleep(0.02)
    count = len(heard.updates)
    time.sleep(0.2)
    assert len(heard.updates) == count


def test_a_closed_client_is_told_and_ends_the_thread(client: kfut.Client, feed: Feed, fast: None) -> None:
    heard = Heard()
    feed.subscribe({"orders"}, heard)
    eventually(heard.snapshots)
    client.close()
    eventually(lambda: not feed.running)
    assert isinstance(heard.troubles()[-1].error, ConfigurationError)
    assert "closed" in str(heard.troubles()[-1].error)


def test_the_thread_ends_with_the_main_thread(feed: Feed, fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    heard = Heard()
    subscription = feed.subscribe({"orders"}, heard)
    eventually(heard.snapshots)
    assert all(t.daemon for t in threading.enumerate() if t.name.startswith("kfut-feed"))
    monkeypatch.setattr(threading, "main_thread", lambda: ended)
    eventually(lambda: not feed.running)
    monkeypatch.undo()
    subscription.close()
