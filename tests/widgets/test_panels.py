"""The panels against a paper exchange: they show what it says, and what is clicked happens there, once."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.errors import ArgumentError, ConfigurationError
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.widgets import feed as feed_module
from kfut_analytics.widgets.confirm import Confirm
from kfut_analytics.widgets.feed import feed_of
from kfut_analytics.widgets.figures import NOTHING
from kfut_analytics.widgets.journal import JournalPanel
from kfut_analytics.widgets.open_orders import OrdersPanel
from kfut_analytics.widgets.panel import Panel
from kfut_analytics.widgets.positions import PositionsPanel
from kfut_analytics.widgets.recent_fills import FillsPanel
from kfut_analytics.widgets.safety import SafetyPanel
from kfut_analytics.widgets.sources import EVERY
from tests.exchanges import open_exchange
from tests.widgets.exchange import close, connect, eventually


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PaperServer]:
    monkeypatch.setenv("KFUT_HOME", str(tmp_path))  # a journal of its own
    server = open_exchange()
    yield server
    close(server)


@pytest.fixture
def client(exchange: PaperServer) -> Iterator[kfut.Client]:
    with connect(exchange) as client:
        yield client


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every topic several times a second."""
    for topic in EVERY:
        monkeypatch.setitem(EVERY, topic, 0.1)
    monkeypatch.setattr(feed_module, "_MOMENT", 0.1)


@pytest.fixture
def shown() -> Iterator[Callable[[Any], Any]]:
    """Wait until a panel shows something; it is closed in the end."""
    panels: list[Any] = []

    def show(panel: Any) -> Any:
        panels.append(panel)
        panel.wait()
        for each in getattr(panel, "panels", (panel,)):
            assert not each._troubles
        return panel

    yield show
    for panel in panels:
        panel.close()
    eventually(lambda: not any(thread.name.startswith("kfut-feed") for thread in threading.enumerate()))


def orders_of(exchange: PaperServer) -> list[Any]:
    return list(exchange.exchange.accounts["empty"].orders.values())


def rows(panel: Any) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in panel.table.rows}


def texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: cell["text"] for name, cell in row["cells"].items()}


def click(panel: Any, key: str, action: str, *, permit: str | None = None, **content: Any) -> None:
    permit = rows(panel)[key]["permit"] if permit is None else permit
    panel.table._handle_custom_msg({"action": action, "key": key, "permit": permit, **content}, [])


def amend(panel: Any, key: str, **typed: str) -> None:
    begun = rows(panel)[key]["values"]
    click(panel, key, "amend", typed=begun | typed, begun=begun)
    panel.wait()


def confirm(confirm: Confirm) -> Any:
    """Click, and click *Yes*; the button that was clicked."""
    confirm.button.click()
    yes = confirm.children[-1]
    yes.click()
    return yes


def words(widget: Any) -> str:
    return re.sub(r"<[^>]+>", " ", widget.value)


@pytest.fixture
def resting(client: kfut.Client) -> str:
    """Id of an order that rests."""
    return client.place(kfut.Order("PF_XBTUSD", "buy", "0.02", limit_price=80_000)).order_id


# ---- open orders -------------------------------------------------------------------------------------------------


def test_orders_are_shown_as_they_are(client: kfut.Client, resting: str, shown: Callable[[Any], Any]) -> None:
    panel = shown(OrdersPanel(client))
    assert texts(rows(panel)[resting]) | {"time": ""} == {
        "contract": "PF_XBTUSD",
        "side": "▲ Buy",
        "type": "limit",
        "size": "0.02",
        "price": "80,000",
        "trigger": "",
        "time": "",
    }
    assert rows(panel)[resting]["label"] == "buy 0.02 PF_XBTUSD at 80,000"
    assert "as of" in panel.head.value
    client.cancel(resting)
    eventually(lambda: not panel.table.rows)
    assert panel.table.empty == "No open orders."


def test_an_order_is_cancelled_once(
    client: kfut.Client, exchange: PaperServer, resting: str, shown: Callable[[Any], Any]
) -> None:
    panel = shown(OrdersPanel(client))
    permit = rows(panel)[resting]["permit"]
    click(panel, resting, "cancel", permit=permit)
    click(panel, resting, "cancel", permit=permit)
    assert "Click refused" in panel.refusal.value
    panel.wait()
    assert orders_of(exchange) == []
    assert "Cancelled: buy 0.02 PF_XBTUSD at 80,000" in panel.status.value
    assert list(client.journal()["kind"]) == ["place", "cancel"], "the second click sent nothing"
    eventually(lambda: not panel.table.rows)


def test_an_order_is_amended(
    client: kfut.Client, exchange: PaperServer, resting: str, shown: Callable[[Any], Any]
) -> None:
    panel = shown(OrdersPanel(client))
    assert rows(panel)[resting]["values"] == {"size": "0.02", "limit_price": "80000"}
    amend(panel, resting, limit_price="80500")
    [order] = orders_of(exchange)
    assert (order.size, order.limit_price) == (0.02, 80_500)
    assert rows(panel)[resting]["note"]["tone"] == "good"
    assert "Edited" in panel.status.value
    eventually(lambda: texts(rows(panel)[resting])["price"] == "80,500")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({}, "nothing is changed"),
        ({"limit_price": "eighty"}, "not a"),
        ({"limit_price": "80000.3"}, "multiple of"),
        ({"size": "0"}, "size"),
        ({"size": ""}, "size"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_at_the_row(
    client: kfut.Client,
    exchange: PaperServer,
    resting: str,
    shown: Callable[[Any], Any],
    typed: dict[str, str],
    reason: str,
) -> None:
    panel = shown(OrdersPanel(client))
    amend(panel, resting, **typed)
    note = rows(panel)[resting]["note"]
    assert note["tone"] == "bad"
    assert reason in note["text"]
    assert list(client.journal()["kind"]) in (["place"], ["place", "edit"])
    [order] = orders_of(exchange)
    assert (order.size, order.limit_price) == (0.02, 80_000)


def test_a_change_of_what_has_changed_meanwhile_is_refused(
    client: kfut.Client, exchange: PaperServer, resting: str, shown: Callable[[Any], Any]
) -> None:
    panel = shown(OrdersPanel(client))
    begun = rows(panel)[resting]["values"]
    client.edit(resting, limit_price=79_000)
    eventually(lambda: texts(rows(panel)[resting])["price"] == "79,000")
    click(panel, resting, "amend", typed=begun | {"size": "0.03"}, begun=begun)
    panel.wait()
    assert "was 80000 when you began and is 79000 now" in rows(panel)[resting]["note"]["text"]
    [order] = orders_of(exchange)
    assert order.size == 0.02


def test_cancel_all_asks_back_and_counts_once(
    client: kfut.Client, exchange: PaperServer, resting: str, shown: Callable[[Any], Any]
) -> None:
    client.place(kfut.Order("PF_ETHUSD", "buy", "1", limit_price=2_000))
    panel = shown(OrdersPanel(client))
    panel.cancel_all.button.click()
    assert len(orders_of(exchange)) == 2, "the first click only asks"
    assert "Cancel all 2 open orders?" in panel.cancel_all.children[0].value
    yes = panel.cancel_all.children[-1]
    yes.click()
    yes.click()
    panel.wait()
    assert orders_of(exchange) == []
    assert list(client.journal()["kind"]).count("cancel_all") == 1
    eventually(lambda: not panel.cancel_all.shown)


def test_a_question_that_was_asked_again_is_void(
    client: kfut.Client, exchange: PaperServer, resting: str, shown: Callable[[Any], Any]
) -> None:
    panel = shown(OrdersPanel(client))
    panel.cancel_all.button.click()
    earlier = panel.cancel_all.children[-1]
    panel.cancel_all.children[1].click()
    assert panel.cancel_all.children == (panel.cancel_all.button,), "No takes it back"
    panel.cancel_all.button.click()
    earlier.click()
    panel.wait()
    assert len(orders_of(exchange)) == 1
    assert "Click refused" in panel.refusal.value


def test_no_error_of_an_action_is_lost(
    client: kfut.Client, resting: str, shown: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("<b>boom</b>")

    panel = shown(OrdersPanel(client))
    for name in ("cancel", "edit", "cancel_all"):
        monkeypatch.setattr(client, name, fail)
    click(panel, resting, "cancel")
    panel.wait()
    assert "&lt;b&gt;boom&lt;/b&gt;" in panel.status.value
    assert "Not known whether it was cancelled" in rows(panel)[resting]["note"]["text"]
    confirm(panel.cancel_all)
    panel.wait()
    assert "Cancelling all failed" in panel.status.value


def test_an_error_in_showing_is_shown(
    client: kfut.Client, resting: str, shown: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = shown(OrdersPanel(client))

    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(panel, "on_snapshot", fail)
    eventually(lambda: "a bug" in panel.status.value)


def test_a_read_only_client_is_told_why_nothing_can_be_changed(
    exchange: PaperServer, resting: str, shown: Callable[[Any], Any]
) -> None:
    with connect(exchange, trading=False) as client:
        panel = shown(OrdersPanel(client))
        assert "read-only" in panel.table.off
        click(panel, resting, "cancel")
        assert "read-only" in panel.refusal.value
        assert panel.cancel_all.button.disabled
        panel.cancel_all.button.click()
        assert panel.cancel_all.children == (panel.cancel_all.button,)
        panel.close()
    assert len(orders_of(exchange)) == 1


# ---- positions ---------------------------------------------------------------------------------------------------


class Ticket:
    """Stands in for the ticket: keeps what it is filled in with."""

    def __init__(self) -> None:
        self.filled: list[dict[str, Any]] = []

    def fill(self, **fields: Any) -> None:
        self.filled.append(fields)


def test_positions_show_what_the_client_and_the_margin_say(client: kfut.Client, shown: Callable[[Any], Any]) -> None:
    client.place(kfut.Order("PF_XBTUSD", "buy", "0.5"))
    client.place(kfut.Order("PF_ETHUSD", "sell", "2"))
    panel = shown(PositionsPanel(client))
    eventually(lambda: rows(panel)["PF_XBTUSD"]["cells"]["margin"]["text"] not in ("", NOTHING))
    positions, edges = client.positions(), kfut.margin(client).liquidation()
    long, short = texts(rows(panel)["PF_XBTUSD"]), texts(rows(panel)["PF_ETHUSD"])
    assert (long["side"], short["side"]) == ("▲ Long", "▼ Short")
    assert (long["size"], short["size"]) == ("0.5", "2")
    assert float(long["entry"].replace(",", "")) == pytest.approx(positions.loc["PF_XBTUSD", "entry_price"], abs=1)
    edge = float(short["liquidation"].replace(",", ""))
    assert edge == pytest.approx(edges.loc["PF_ETHUSD", "liquidation_price"], rel=0.02)
    gained = long["pnl"].replace("\N{MINUS SIGN}", "-").replace(",", "")
    tone = rows(panel)["PF_XBTUSD"]["cells"]["pnl"].get("tone", "")
    assert tone == ("bad" if float(gained) < 0 else "good" if float(gained) > 0 else "")
    assert float(gained) == 0 or gained[0] in "+-", "a sign says which"
    assert "Together" in panel.total.value


@pytest.mark.parametrize(("action", "size", "reduce_only"), [("close", "0.5", True), ("reverse", "1", False)])
def test_close_and_reverse_fill_in_the_ticket_and_send_nothing(
    client: kfut.Client, shown: Callable[[Any], Any], action: str, size: str, reduce_only: bool
) -> None:
    client.place(kfut.Order("PF_XBTUSD", "buy", "0.5"))
    ticket = Ticket()
    panel = shown(PositionsPanel(client, ticket=ticket))
    click(panel, "PF_XBTUSD", action)
    panel.wait()
    [filled] = ticket.filled
    assert filled["symbol"] == "PF_XBTUSD"
    assert (filled["side"], float(filled["size"]), filled["reduce_only"]) == ("sell", float(size), reduce_only)
    assert "Nothing is sent yet" in panel.status.value
    assert len(client.journal()) == 1


def test_alone_a_ticket_opens_below(client: kfut.Client, shown: Callable[[Any], Any]) -> None:
    client.place(kfut.Order("PF_ETHUSD", "sell", "2"))
    panel = shown(PositionsPanel(client))
    click(panel, "PF_ETHUSD", "close")
    panel.wait()
    [ticket] = panel._below.children
    ticket.wait()
    order = ticket.order()
    assert (order.symbol, order.side, float(order.size)) == ("PF_ETHUSD", "buy", 2)
    assert (order.order_type, order.reduce_only) == ("mkt", True)
    click(panel, "PF_ETHUSD", "reverse")
    panel.wait()
    ticket.wait()
    assert panel._below.children == (ticket,), "the same one is filled in again"
    assert (float(ticket.order().size), ticket.order().reduce_only) == (4, False)
    ticket.close()


def test_no_positions_are_said(client: kfut.Client, shown: Callable[[Any], Any]) -> None:
    panel = shown(PositionsPanel(client))
    assert panel.table.rows == []
    assert panel.table.empty == "No open positions."
    assert panel.total.value == ""


# ---- fills and journal -------------------------------------------------------------------------------------------


def test_fills_are_shown_newest_first(client: kfut.Client, shown: Callable[[Any], Any]) -> None:
    for size in ("0.01", "0.02", "0.03"):
        client.place(kfut.Order("PF_XBTUSD", "buy", size))
    panel = shown(FillsPanel(client, rows=2))
    assert [texts(row)["size"] for row in panel.table.rows] == ["0.03", "0.02"]
    client.place(kfut.Order("PF_XBTUSD", "sell", "0.06"))
    eventually(lambda: texts(panel.table.rows[0])["side"] == "▼ Sell")
    assert panel.table.rows[0]["cells"]["pnl"]["sub"] == "USD"


def test_the_journal_marks_what_is_not_resolved(
    exchange: PaperServer, client: kfut.Client, shown: Callable[[Any], Any]
) -> None:
    client.place(kfut.Order("PF_XBTUSD", "buy", "0.01", limit_price=80_000))
    client.place(kfut.Order("PF_XBTUSD", "buy", "0.01"))
    intent = client._desk.journal.write(
        client._desk.session, "place", {"symbol": "PF_XBTUSD", "side": "sell", "size": "0.5"}, symbol="PF_XBTUSD",
        sent_time=client.exchange_time(), deadline=client.exchange_time() + pd.Timedelta(hours=1),
    )  # fmt: skip
    panel = shown(JournalPanel(client, rows=2))
    assert [texts(row)["status"] for row in panel.table.rows] == ["? open", "✓ filled"]
    assert panel.table.rows[0]["cells"]["status"]["sub"] == "not resolved yet"
    assert intent.number


def test_the_journal_says_how_a_bracket_stands_and_who_watches_it(
    exchange: PaperServer, client: kfut.Client, shown: Callable[[Any], Any]
) -> None:
    bracket = client.bracket(kfut.Order("PF_XBTUSD", "buy", "0.01"), take_profit=120_000, stop=80_000)
    panel = shown(JournalPanel(client))

    def first() -> dict[str, Any]:
        return next(row["cells"] for row in panel.table.rows if row["cells"]["kind"]["text"] == "Bracket")

    eventually(lambda: first()["status"]["text"] == "✓ protected")
    assert first()["status"]["sub"] == "watched by this kernel"
    assert first()["side"]["text"] == "▲ Buy"
    assert first()["size"]["text"] == "0.01"
    assert first()["message"]["text"] == "0.01 filled, 0 closed."

    # Another client with the same journal knows whether this kernel looks after it, and says so.
    with connect(exchange) as other:

        def seen_there() -> dict[str, Any]:
            theirs = shown(JournalPanel(other, rows=2))
            [row] = [row["cells"] for row in theirs.table.rows if row["cells"]["kind"]["text"] == "Bracket"]
            return row["status"]

        assert seen_there()["text"] == "✓ protected"
        client._brackets.leave("nobody looks after it any more")
        assert seen_there()["text"] == "✗ not watched"
        assert "watch_brackets()" in seen_there()["sub"]

    client.cancel_bracket(bracket, flatten=True)
    eventually(lambda: first()["status"]["text"] == "✓ done")


# ---- blotter and monitor -----------------------------------------------------------------------------------------


def test_a_blotter_has_three_panels_and_one_presence(
    client: kfut.Client, resting: str, shown: Callable[[Any], Any]
) -> None:
    blotter = shown(kfut.Blotter(client))
    assert {panel.presence for panel in blotter.panels} == {blotter.presence}
    assert rows(blotter.orders).keys() == {resting}
    assert [texts(row)["status"] for row in blotter.journal.table.rows] == ["✓ placed"]
    blotter.close()
    eventually(lambda: not feed_of(client).running)


def test_a_monitor_alerts_and_says_when_it_is_over(
    exchange: PaperServer, client: kfut.Client, shown: Callable[[Any], Any]
) -> None:
    client.place(kfut.Order("PF_XBTUSD", "buy", "2.5"))
    monitor = shown(kfut.Monitor(client, usage_alert=0.1, liquidation_alert=0.9))
    eventually(lambda: {alert.title for alert in monitor.alerts} == {"Margin usage is high", "Liquidation is near"})
    assert "Margin usage is high" in monitor.account.alerts.value
    assert "role='meter'" in monitor.account.figures.value
    assert rows(monitor.quotes).keys() == {"PF_XBTUSD"}
    assert monitor.positions.table.rows[0]["actions"] == []
    client.place(kfut.Order("PF_XBTUSD", "sell", "2.5", reduce_only=True))
    eventually(lambda: not monitor.alerts)
    eventually(lambda: "2 over" in monitor.account.alerts.value)
    assert "No alerts now" in monitor.account.alerts.value


@pytest.mark.parametrize("name", ["usage_alert", "liquidation_alert"])
@pytest.mark.parametrize("value", [0, 1, 50, -0.1, float("nan"), True])
def test_a_threshold_is_a_fraction(client: kfut.Client, name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=name):
        kfut.Monitor(client, **{name: value})  # type: ignore[arg-type]


def test_a_lost_connection_is_shown_and_so_is_its_end(
    exchange: PaperServer, client: kfut.Client, shown: Callable[[Any], Any]
) -> None:
    monitor = shown(kfut.Monitor(client))
    exchange.faults.plan("*", "http-200-html", times=None)
    eventually(lambda: [alert.title for alert in monitor.alerts] == ["Connection trouble"])
    eventually(lambda: "Connection trouble" in monitor.positions.head.value)
    assert "What is shown is of" in monitor.positions.head.value
    assert "kfut-old" in monitor.positions._body._dom_classes
    exchange.faults.clear()
    eventually(lambda: not monitor.alerts)
    eventually(lambda: "Connection trouble" not in monitor.positions.head.value)
    assert "kfut-old" not in monitor.positions._body._dom_classes


# ---- safety ------------------------------------------------------------------------------------------------------


def test_the_kill_switch_asks_back_cancels_and_locks(
    exchange: PaperServer, client: kfut.Client, resting: str, shown: Callable[[Any], Any]
) -> None:
    client.place(kfut.Order("PF_XBTUSD", "buy", "0.5"))
    panel = shown(SafetyPanel(client))
    panel.kill.button.click()
    assert "1 open order" in panel.kill.children[0].value
    assert len(orders_of(exchange)) == 1
    panel.kill.children[-1].click()
    eventually(lambda: "Kill switch used" in panel.status.value)
    assert orders_of(exchange) == []
    assert client.locked
    assert len(client.positions()) == 1
    assert panel.unlock.shown
    confirm(panel.flatten)
    eventually(lambda: client.positions().empty)
    eventually(lambda: "PF_XBTUSD" in words(panel.status))
    confirm(panel.unlock)
    assert not client.locked
    assert not panel.unlock.shown


def test_the_dead_mans_switch_is_armed_and_disarmed_on_purpose(
    exchange: PaperServer, client: kfut.Client, shown: Callable[[Any], Any]
) -> None:
    panel = shown(SafetyPanel(client))
    assert "not armed" in panel.dead_man_state.value
    assert not client.dead_man_switch().armed
    panel.arm.button.click()
    panel.arm.children[-1].click()
    panel.wait()
    switch = client.dead_man_switch(60)
    assert switch.armed
    assert "Armed" in panel.dead_man_state.value
    assert re.search(r"--kfut-from:(59|60)\b", panel.dead_man_state.value)
    confirm(panel.disarm)
    panel.wait()
    assert not switch.armed
    assert "not armed" in panel.dead_man_state.value


def test_the_timeout_that_is_asked_about_is_the_one_that_is_chosen(
    client: kfut.Client, shown: Callable[[Any], Any]
) -> None:
    panel = shown(SafetyPanel(client))
    panel.timeout.value = 120
    panel.arm.button.click()
    assert "after 120 s" in panel.arm.children[0].value


def test_an_armed_switch_that_cannot_be_renewed_is_told(
    client: kfut.Client, shown: Callable[[Any], Any], exchange: PaperServer
) -> None:
    panel = shown(SafetyPanel(client))
    confirm(panel.arm)
    panel.wait()
    exchange.faults.plan("POST cancelallordersafter", "http-200-html", times=1)
    client.dead_man_switch(60).beat()
    assert "could not be renewed" in panel.dead_man_state.value
    confirm(panel.disarm)
    panel.wait()


def test_switches_of_a_read_only_client_are_off(exchange: PaperServer, shown: Callable[[Any], Any]) -> None:
    with connect(exchange, trading=False) as client:
        panel = shown(SafetyPanel(client))
        for switch in (panel.kill, panel.flatten, panel.arm):
            assert switch.button.disabled
            switch.button.click()
            assert len(switch.children) == 1
        assert "read-only" in panel.refusal.value
        panel.close()


# ---- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [OrdersPanel, FillsPanel, JournalPanel, PositionsPanel, SafetyPanel, kfut.Blotter, kfut.Monitor]
)
def test_every_panel_stands_alone_and_leaves_nothing_behind(
    client: kfut.Client, exchange: PaperServer, monkeypatch: pytest.MonkeyPatch, make: Callable[[Any], Any]
) -> None:
    with pytest.raises(ArgumentError, match="not a client"):
        make("client")
    panel = make(client)
    panel.wait()
    assert "kfut-root" in panel._dom_classes
    state = json.dumps(ipywidgets.Widget.get_manager_state(drop_defaults=False))
    for secret in (exchange.api_key, exchange.api_secret):
        assert secret not in state
    assert "PAPER" in state
    panel.close()
    eventually(lambda: not feed_of(client).running)
    monkeypatch.setenv("VOILA_BASE_URL", "/")
    with pytest.raises(ConfigurationError, match="Voilà"):
        make(client)


def test_live_is_unmistakable(exchange: PaperServer, shown: Callable[[Any], Any]) -> None:
    keys = {"base_url": exchange.base_url, "api_key": exchange.api_key, "api_secret": exchange.api_secret}
    with kfut.connect("live", trading=True, **keys) as client:
        panel: Panel = shown(OrdersPanel(client))
        assert "LIVE · real money" in panel.head.value
        panel.close()


def test_wait_has_an_end(client: kfut.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = OrdersPanel(client)
    panel.wait()
    monkeypatch.setattr(client, "cancel_all", lambda: time.sleep(0.5))
    panel.cancel_all._act()
    with pytest.raises(TimeoutError, match="still at work"):
        panel.wait(0.05)
    panel.wait()
    panel.close()
