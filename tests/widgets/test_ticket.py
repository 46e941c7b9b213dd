"""The ticket, driven as a person drives it, against a paper exchange over loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ipywidgets
import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.contracts import plain, to_decimal
from kfut_analytics.errors import ArgumentError, OrderRefused
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.widgets import OrderTicket
from kfut_analytics.widgets.ticket.field import NumberField
from kfut_analytics.widgets.ticket.search import facts
from tests.exchanges import open_exchange


@pytest.fixture(scope="module")
def running() -> Iterator[PaperServer]:
    server = open_exchange()
    yield server
    server.close()


@pytest.fixture
def exchange(running: PaperServer) -> PaperServer:
    running.exchange.cancel_all(running.exchange.accounts["empty"])
    return running


def connect(exchange: PaperServer, **options: Any) -> kfut.Client:
    keys = {"base_url": exchange.base_url, "api_key": exchange.api_key, "api_secret": exchange.api_secret}
    return kfut.connect("paper", **(keys | {"trading": True} | options))


@pytest.fixture
def client(exchange: PaperServer) -> Iterator[kfut.Client]:
    with connect(exchange) as client:
        yield client


@pytest.fixture
def ticket(client: kfut.Client) -> Iterator[OrderTicket]:
    ticket = OrderTicket(client, lifetime=60, panels=False)
    ticket.wait()
    yield ticket
    ticket.wait()
    ticket.close()


def fill_in(ticket: OrderTicket, **fields: Any) -> None:
    if "symbol" in fields:  # first: another contract clears the numbers
        ticket.symbol.value = fields.pop("symbol")
    for name, value in ({"size": "0.01", "limit_price": "80000"} | fields).items():
        getattr(ticket, name).value = value


def review(ticket: OrderTicket) -> None:
    ticket.review_button.click()
    ticket.wait()


def send(ticket: OrderTicket) -> None:
    ticket.send_button.click()
    ticket.wait()


def on_exchange(exchange: PaperServer) -> list[Any]:
    return list(exchange.exchange.accounts["empty"].orders.values())


# ---- the way it should go ----------------------------------------------------------------------------------------


def test_reviews_and_sends_a_limit_order(exchange: PaperServer, client: kfut.Client, ticket: OrderTicket) -> None:
    fill_in(ticket)
    assert ticket.send_button.disabled
    review(ticket)
    assert "Buy 0.01 PF_XBTUSD, limit at 80000" in ticket.review.value
    assert "Initial margin" in ticket.review.value
    assert on_exchange(exchange) == []
    assert not ticket.send_button.disabled
    assert ticket.send_button.description == "Send: buy 0.01 PF_XBTUSD"
    send(ticket)
    assert len(on_exchange(exchange)) == 1
    [order] = client.open_orders().itertuples()
    assert (order.symbol, order.side, order.size, order.limit_price) == ("PF_XBTUSD", "buy", 0.01, 80000)
    assert order.Index in ticket.status.value
    assert "Placed" in ticket.status.value
    assert ticket.send_button.disabled


def test_shows_fills_of_a_market_order(exchange: PaperServer, client: kfut.Client, ticket: OrderTicket) -> None:
    fill_in(ticket, order_type="mkt", size="0.02")
    review(ticket)
    send(ticket)
    assert "Filled" in ticket.status.value
    assert "0.02 contracts" in ticket.status.value
    assert client.positions().loc["PF_XBTUSD", "signed_size"] == pytest.approx(0.02)


@pytest.mark.parametrize("kind", ["stp", "take_profit"])
def test_places_trigger_orders(client: kfut.Client, ticket: OrderTicket, kind: str) -> None:
    price = "70000" if kind == "stp" else "120000"
    fill_in(ticket, order_type=kind, side="sell", limit_price="", stop_price=price, trigger_signal="index")
    review(ticket)
    send(ticket)
    [order] = client.open_orders().itertuples()
    assert (order.stop_price, order.size, order.side) == (float(price), 0.01, "sell")


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("lmt", {"limit_price", "post_only"}),
        ("ioc", {"limit_price"}),
        ("fok", {"limit_price"}),
        ("mkt", set()),
        ("stp", {"limit_price", "stop_price", "trigger_signal", "limit_offset"}),
        ("take_profit", {"limit_price", "stop_price", "trigger_signal", "limit_offset"}),
        ("trailing_stop", {"trigger_signal", "trailing_deviation", "limit_offset"}),
    ],
)
def test_a_type_shows_only_the_fields_it_needs(ticket: OrderTicket, kind: str, shown: set[str]) -> None:
    fill_in(ticket, stop_price="70000", order_type=kind)
    fields = ("limit_price", "stop_price", "trigger_signal", "trailing_deviation", "limit_offset", "post_only")
    assert {name for name in fields if ticket.form.fields[name].layout.display is None} == shown
    ticket.fill(limit_price="" if "trigger_signal" in shown else "80000", trailing_deviation="2")
    assert ticket.order().order_type == kind


def test_offers_all_contracts_by_symbol_coin_and_kind(ticket: OrderTicket) -> None:
    offered = {symbol: f"{text} {words}" for symbol, text, words in ticket.symbol.options}
    assert {"PF_XBTUSD", "PI_XBTUSD", "PF_ETHUSD"} <= offered.keys()
    assert "perpetual, inverse" in offered["PI_XBTUSD"]
    assert "XBT perp" in offered["PF_XBTUSD"], "found by the exchange's name of the coin, too"
    assert all(("dated" in text) == (symbol[:2] in {"FF", "FI"}) for symbol, text in offered.items())
    ticket.symbol.value = "PF_ETHUSD"
    assert "multi-collateral" in ticket.form.search.facts.value
    assert not ticket.symbol.wrong
    ticket.symbol.value = "eth"
    ticket.wait()  # the preview of a form that is still blank leaves it there
    assert ticket.symbol.wrong
    assert "there is no contract" in ticket.form.search.problem.value
    assert "PF_ETHUSD" in ticket.form.search.problem.value


def quoted(ticket: OrderTicket, symbol: str) -> bool:
    return ticket.form.quote is not None and ticket.form.quote.symbol == symbol and bool(ticket.market.levels)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_shows_the_quote_of_the_contract_and_no_other(ticket: OrderTicket) -> None:
    until(lambda: quoted(ticket, "PF_XBTUSD"))
    assert [label for label, _ in ticket.market.figures] == [
        "Bid",
        "Ask",
        "Spread",
        "Mark",
        "Index",
        "Funding",
        "State",
    ]
    assert [level["side"] for level in ticket.market.levels] == ["ask"] * 5 + ["bid"] * 5
    ticket.symbol.value = "pf_ethusd"
    assert ticket.market.levels == []
    until(lambda: quoted(ticket, "PF_ETHUSD"))
    ticket.symbol.value = "PF_NOSUCH"
    assert "no contract" in ticket.form.search.problem.value


def test_prices_are_taken_from_the_market(ticket: OrderTicket) -> None:
    until(lambda: quoted(ticket, "PF_XBTUSD"))
    best = next(level for level in ticket.market.levels if level["side"] == "bid")
    ticket.market._on_message(None, {"price": best["value"]}, None)
    assert ticket.limit_price.value == best["value"]
    ticket.limit_price._on_message(None, {"step": 1}, None)
    assert int(ticket.limit_price.value) == int(best["value"]) + 1
    ticket.limit_price._on_message(None, {"chip": "ask"}, None)
    assert ticket.limit_price.value == plain(to_decimal(float(ticket.form.quote.ticker["ask"])))
    ticket.fill(order_type="stp", stop_price="")
    ticket.market._on_message(None, {"price": best["value"]}, None)
    assert ticket.stop_price.value == best["value"]


def test_a_share_of_margin_is_worked_out(ticket: OrderTicket) -> None:
    ticket.size._on_message(None, {"chip": "50"}, None)
    ticket.fill(order_type="mkt")
    review(ticket)
    seen = ticket._reviewed[2]
    assert seen.margin_needed == pytest.approx(5_000, rel=0.01)
    assert ticket.order().margin_share == Decimal("0.5")


def test_the_preview_follows_what_is_typed(ticket: OrderTicket) -> None:
    fill_in(ticket, size="0.02")
    ticket.wait()
    assert "Buy 0.02 PF_XBTUSD, limit at 80000" in ticket.live.value
    fill_in(ticket, size="0.02", limit_price="80000.4")
    ticket.wait()
    text, suggestion = ticket.form.limit_price.problem
    assert "multiple of the tick size" in text
    ticket.limit_price._on_message(None, {"take": suggestion}, None)
    ticket.wait()
    assert ticket.form.limit_price.problem == ["", ""]
    assert f"limit at {suggestion}" in ticket.live.value


def test_starts_with_the_contract_it_is_given(client: kfut.Client) -> None:
    ticket = OrderTicket(client, " pi_xbtusd ", panels=False)
    ticket.wait()
    assert ticket.symbol.value == "PI_XBTUSD"
    until(lambda: quoted(ticket, "PI_XBTUSD"))
    ticket.close()


def test_attached_exits_make_a_bracket(exchange: PaperServer, client: kfut.Client, ticket: OrderTicket) -> None:
    fill_in(ticket, order_type="mkt", take_profit="120000", stop_loss="95000")
    review(ticket)
    assert "should lie below" in ticket.form.stop_loss.problem[0]
    fill_in(ticket, order_type="mkt", stop_loss="80000")
    review(ticket)
    assert "with take-profit at 120000 and stop at 80000" in ticket.review.value
    send(ticket)
    assert "Exits: protected" in ticket.status.value
    assert {order.order_type for order in on_exchange(exchange)} == {"stp", "take_profit"}
    # It is told on, also while other orders are sent: until the bracket is over.
    assert ticket.form.exits.value, "whatever has prices is attached"
    ticket.form.exits.value = False
    assert ticket.form.exit_prices() == {}, "and what is not shown does not count"
    fill_in(ticket, order_type="lmt")
    review(ticket)
    send(ticket)
    assert ticket.status.value.index("Placed") < ticket.status.value.index("Exits: protected"), "the newest first"
    client.kill(flatten=True)
    until(lambda: "Exits: not watched" in ticket.status.value)
    assert "the kill switch was used" in ticket.status.value
    client.unlock()
    review(ticket)
    send(ticket)
    assert "Exits" not in ticket.status.value, "what is over leaves room"


# ---- at most once ------------------------------------------------------------------------------------------------


def test_a_double_click_sends_once_and_says_so(exchange: PaperServer, ticket: OrderTicket) -> None:
    fill_in(ticket)
    review(ticket)
    ticket.send_button.click()
    ticket.send_button.click()
    ticket.wait()
    assert len(on_exchange(exchange)) == 1
    assert "Placed" in ticket.status.value
    assert "has been used" in ticket.refusal.value


def test_clicks_from_many_threads_send_once(exchange: PaperServer, ticket: OrderTicket) -> None:
    fill_in(ticket)
    review(ticket)
    button = ticket.send_button
    threads = [threading.Thread(target=button.click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ticket.wait()
    assert len(on_exchange(exchange)) == 1


def test_nothing_is_sent_without_a_review(exchange: PaperServer, ticket: OrderTicket) -> None:
    fill_in(ticket)
    send(ticket)
    assert on_exchange(exchange) == []
    assert "Review the order first" in ticket.refusal.value


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "PF_ETHUSD"},
        {"side": "sell"},
        {"post_only": True},
        {"size": "0.02"},
        {"size": "not a number"},
        {"limit_price": "80001"},
        {"reduce_only": True},
    ],
    ids=lambda change: "=".join(map(str, next(iter(change.items())))),
)
def test_a_change_after_the_review_is_refused(
    exchange: PaperServer, ticket: OrderTicket, change: dict[str, Any]
) -> None:
    fill_in(ticket)
    review(ticket)
    fill_in(ticket, **change)
    assert ticket.send_button.disabled
    assert "has changed" in ticket.review.value
    send(ticket)
    assert "has changed" in ticket.refusal.value
    assert on_exchange(exchange) == []
    fill_in(ticket, symbol="PF_XBTUSD", side="buy", order_type="lmt", reduce_only=False, post_only=False)
    send(ticket)
    assert on_exchange(exchange) == [], "changing back does not bring the review back"


def test_a_stale_click_is_refused(exchange: PaperServer, client: kfut.Client) -> None:
    ticket = OrderTicket(client, lifetime=1e-6, panels=False)
    fill_in(ticket)
    review(ticket)
    send(ticket)
    assert "too old" in ticket.refusal.value
    assert on_exchange(exchange) == []
    ticket.close()


def test_a_late_click_on_an_earlier_review_does_not_send_the_newer_order(
    exchange: PaperServer, ticket: OrderTicket
) -> None:
    fill_in(ticket)
    review(ticket)
    first = ticket.send_button
    review(ticket)
    first.click()
    ticket.wait()
    assert on_exchange(exchange) == []
    assert "earlier review" in ticket.refusal.value
    send(ticket)
    assert len(on_exchange(exchange)) == 1


def test_a_change_while_the_review_is_under_way_gives_no_permit(
    exchange: PaperServer, client: kfut.Client, ticket: OrderTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()
    preview = client.preview

    def slow(order: kfut.Order) -> kfut.Preview:
        asked.set()
        go_on.wait(10)
        return preview(order)

    monkeypatch.setattr(client, "preview", slow)
    fill_in(ticket)
    ticket.review_button.click()
    assert asked.wait(10)
    ticket.size.value = "0.5"
    go_on.set()
    ticket.wait()
    assert "has changed" in ticket.review.value
    send(ticket)
    assert on_exchange(exchange) == []


def test_a_second_order_needs_a_second_review(exchange: PaperServer, ticket: OrderTicket) -> None:
    fill_in(ticket)
    for count in (1, 2):
        review(ticket)
        send(ticket)
        assert len(on_exchange(exchange)) == count


def test_a_click_that_was_long_under_way_is_refused(exchange: PaperServer, ticket: OrderTicket) -> None:
    """The page tells how long the button had been shown; the rest of its age the click has spent under way."""
    fill_in(ticket)
    review(ticket)
    button = ticket.send_button
    button._made -= 8
    button._on_message(None, {"shown": 1.0}, None)
    ticket.wait()
    assert on_exchange(exchange) == []
    assert "under way for 7 s" in ticket.refusal.value
    review(ticket)
    ticket.send_button._made -= 8  # a person who looks at the review for eight seconds
    ticket.send_button._on_message(None, {"shown": 7.9}, None)
    ticket.wait()
    assert len(on_exchange(exchange)) == 1
    assert ticket.refusal.value == ""


def test_a_click_that_does_not_say_when_it_was_made_sends_nothing(exchange: PaperServer, ticket: OrderTicket) -> None:
    fill_in(ticket)
    review(ticket)
    for content in ({}, {"shown": "now"}, {"shown": None}, {"shown": -1e9}, {"shown": float("nan")}):
        ticket.send_button._on_message(None, content, None)
        ticket.wait()
        assert "under way for some time" in ticket.refusal.value
        review(ticket)
    assert on_exchange(exchange) == []


def test_an_order_is_not_sent_on_prices_that_nobody_has_seen_anew(
    exchange: PaperServer, ticket: OrderTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: quoted(ticket, "PF_XBTUSD"))
    fill_in(ticket)
    review(ticket)
    ticket._subscription.close()
    later = time.monotonic() + 12
    monkeypatch.setattr(time, "monotonic", lambda: later)
    send(ticket)
    assert "no newer quote for 1" in ticket.refusal.value
    assert on_exchange(exchange) == []


def test_an_order_is_not_sent_when_the_market_has_moved(exchange: PaperServer, ticket: OrderTicket) -> None:
    until(lambda: quoted(ticket, "PF_XBTUSD"))
    ticket._subscription.close()
    fill_in(ticket)
    for factor, sent in ((1.006, 0), (1.004, 1)):
        review(ticket)
        quote = ticket.form.quote
        assert quote is not None
        seen = ticket._reviewed[2]
        ticker = quote.ticker.copy()
        ticker["bid"], ticker["ask"] = seen.bid * factor, seen.ask * factor
        ticket.form.quote = replace(quote, ticker=ticker)
        send(ticket)
        assert len(on_exchange(exchange)) == sent
        assert ("has moved" in ticket.refusal.value) is not bool(sent)


def test_an_order_goes_out_at_once_whatever_the_one_before_waits_for(
    exchange: PaperServer, client: kfut.Client, ticket: OrderTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A click must not become an order half a minute later because something else was slow."""
    go_on = threading.Event()
    place, facts = client.place, client.facts

    def slow_place(order: kfut.Order | kfut.Preview) -> kfut.OrderResult:
        if isinstance(order, kfut.Preview) and order.order.size == Decimal("0.01"):
            go_on.wait(10)
        return place(order)

    def slow_facts(symbol: str) -> Any:
        go_on.wait(10)
        return facts(symbol)

    monkeypatch.setattr(client, "place", slow_place)
    monkeypatch.setattr(client, "facts", slow_facts)
    ticket._preview.forget()
    for size in ("0.01", "0.02"):
        fill_in(ticket, size=size)
        ticket.review_button.click()
        until(lambda: not ticket.send_button.disabled)
        ticket.send_button.click()
    until(lambda: [order.size for order in on_exchange(exchange)] == [0.02])
    go_on.set()
    ticket.wait()
    assert sorted(order.size for order in on_exchange(exchange)) == [0.01, 0.02]


def test_previews_do_not_pile_up_while_the_exchange_is_slow(
    client: kfut.Client, ticket: OrderTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, asked = threading.Event(), []
    facts = client.facts

    def slow(symbol: str) -> Any:
        asked.append(symbol)
        go_on.wait(10)
        return facts(symbol)

    monkeypatch.setattr(client, "facts", slow)
    ticket._preview.forget()
    fill_in(ticket)
    until(lambda: bool(asked))
    for size in range(1, 6):
        ticket.size.value = f"0.0{size}"
        time.sleep(0.15)
    go_on.set()
    ticket.wait()
    assert "Buy 0.05" in ticket.live.value
    assert len(asked) == 1


# ---- what can go wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"size": ""}, "size", "not a positive number"),
        ({"size": "-1"}, "size", "not a positive number"),
        ({"size": "0.00001"}, "size", "multiple of"),
        ({"limit_price": ""}, "limit_price", "needs a limit_price"),
        ({"limit_price": "80000.3"}, "limit_price", "multiple of"),
        ({"order_type": "stp"}, "stop_price", "needs a stop_price"),
        ({"symbol": " "}, "symbol", "symbol is empty"),
    ],
)
def test_a_problem_is_shown_beside_its_field(
    ticket: OrderTicket, fields: dict[str, Any], field: str, text: str
) -> None:
    fill_in(ticket, **fields)
    review(ticket)
    assert [name for name, told in problems(ticket).items() if told] == [field]
    assert text in problems(ticket)[field]
    assert ticket.send_button.disabled
    fill_in(ticket, symbol="PF_XBTUSD", order_type="lmt", size="0.03", limit_price="80001", stop_price="1")
    ticket.wait()
    assert not any(problems(ticket).values()), "a change clears it"


def problems(ticket: OrderTicket) -> dict[str, str]:
    """What is wrong, by field."""
    fields = {name: each for name, each in ticket.form.fields.items() if isinstance(each, NumberField)}
    return {"symbol": ticket.form.search.problem.value} | {name: each.problem[0] for name, each in fields.items()}


def test_numbers_stay_exact(ticket: OrderTicket) -> None:
    fill_in(ticket, size=" 0.10000000000000000000001 ", limit_price="1e4")
    assert str(ticket.order().size) == "0.10000000000000000000001"
    assert ticket.order().limit_price == 10_000


def test_an_unknown_contract_is_explained_and_escaped(ticket: OrderTicket) -> None:
    fill_in(ticket, symbol="<b>PF_XBT</b>")
    review(ticket)
    assert "there is no contract" in ticket.review.value
    assert "<b>PF" not in (ticket.review.value + ticket.form.search.problem.value).upper().replace("<B>", "<b>")


def test_a_refusal_by_the_exchange_is_shown(exchange: PaperServer, ticket: OrderTicket) -> None:
    fill_in(ticket, post_only=True, limit_price="96000")
    review(ticket)
    assert "would execute at once" in ticket.review.value, "a warning"
    send(ticket)
    assert "Rejected" in ticket.status.value
    assert "postWouldExecute" in ticket.status.value
    assert on_exchange(exchange) == []


def test_want_of_margin_is_shown_beside_the_size(ticket: OrderTicket) -> None:
    fill_in(ticket, size="1000")
    review(ticket)
    assert "more margin than there is" in ticket.form.size.problem[0]
    assert ticket.send_button.disabled


@pytest.mark.parametrize("error", [RuntimeError("<b>boom</b>"), kfut.errors.RequestTimeout("<b>boom</b>")])
@pytest.mark.parametrize("call", ["preview", "place", "facts"])
def test_no_error_is_lost(
    client: kfut.Client, ticket: OrderTicket, monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    fill_in(ticket)
    if call == "place":
        review(ticket)
    monkeypatch.setattr(client, call, fail)
    button, shown = {
        "preview": (ticket.review_button, ticket.review),
        "place": (ticket.send_button, ticket.status),
        "facts": (None, ticket.live),
    }[call]
    if button is None:
        ticket._preview.forget()
        ticket.size.value = "0.02"
    else:
        button.click()
    ticket.wait()
    assert "&lt;b&gt;boom&lt;/b&gt;" in shown.value
    assert "failed" in shown.value
    assert "alert" in shown.value
    monkeypatch.undo()
    review(ticket)
    assert "Buy 0.0" in ticket.review.value, "the ticket goes on working"


def test_a_refusal_on_sending_is_shown_beside_its_field(
    client: kfut.Client, ticket: OrderTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(order: kfut.Order) -> None:
        raise OrderRefused("size is too large now", field="size", value=1)

    fill_in(ticket)
    review(ticket)
    monkeypatch.setattr(client, "place", refuse)
    send(ticket)
    assert "too large now" in ticket.form.size.problem[0]
    assert "was refused" in ticket.status.value


def test_an_exchange_that_cannot_be_reached_is_said() -> None:
    server = open_exchange()
    server.close()
    with connect(server) as client:
        ticket = OrderTicket(client, panels=False)
        ticket.wait()
        assert "Reading the contracts failed" in ticket.live.value
        fill_in(ticket)
        review(ticket)
        assert "The review failed" in ticket.review.value
        ticket.close()


def test_a_read_only_client_cannot_send(exchange: PaperServer) -> None:
    with connect(exchange, trading=False) as client:
        ticket = OrderTicket(client, panels=False)
        fill_in(ticket)
        review(ticket)
        assert "Buy 0.01" in ticket.review.value
        assert "kfut-countdown" not in ticket.review.value
        assert ticket.send_button.disabled
        assert "read-only" in ticket.send_button.tooltip
        send(ticket)
        assert "read-only" in ticket.refusal.value
        assert any("Send is off" in getattr(part, "value", "") for part in ticket.children)
        ticket.close()
    assert on_exchange(exchange) == []


def test_a_closed_ticket_says_that_it_is(ticket: OrderTicket) -> None:
    ticket.close()
    fill_in(ticket)
    review(ticket)
    assert "failed" in ticket.review.value


def test_wait_has_an_end(client: kfut.Client, ticket: OrderTicket, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(client, "preview", lambda _order: go_on.wait(10))
    fill_in(ticket)
    ticket.review_button.click()
    with pytest.raises(TimeoutError, match="still at work"):
        ticket.wait(0.01)
    go_on.set()
    ticket.wait()


@pytest.mark.parametrize("lifetime", [0, -1, float("nan")])
def test_a_lifetime_is_positive(client: kfut.Client, lifetime: float) -> None:
    with pytest.raises(ArgumentError, match="lifetime"):
        OrderTicket(client, lifetime=lifetime, panels=False)


# ---- what it leaves behind ---------------------------------------------------------------------------------------


def test_no_secret_is_in_the_widgets_state_or_repr(exchange: PaperServer, ticket: OrderTicket) -> None:
    fill_in(ticket)
    review(ticket)
    send(ticket)
    state = json.dumps(ipywidgets.Widget.get_manager_state(drop_defaults=False))
    for text in (state, repr(ticket)):
        assert exchange.api_key not in text
        assert exchange.api_secret not in text
    assert "PAPER" in repr(ticket)


def test_live_is_unmistakable(exchange: PaperServer) -> None:
    keys = {"base_url": exchange.base_url, "api_key": exchange.api_key, "api_secret": exchange.api_secret}
    with kfut.connect("live", trading=True, **keys) as client:
        ticket = OrderTicket(client, panels=False)
        fill_in(ticket)
        review(ticket)
        send(ticket)
        assert "not armed" in ticket.refusal.value
        assert on_exchange(exchange) == []
        ticket.arming.word.value = "live"
        ticket.arming.arm_button.click()
        assert not ticket.arming.armed
        ticket.arming.word.value = "LIVE"
        ticket.arming.arm_button.click()
        assert ticket.arming.armed
        review(ticket)
        assert "LIVE · real money" in str(ipywidgets.Widget.get_manager_state())
        assert ticket.send_button.description.startswith("Send LIVE: buy 0.01")
        assert ticket.send_button.button_style == "danger"
        assert "LIVE order, real money" in ticket.review.value
        ticket.arming.disarm()
        send(ticket)
        assert on_exchange(exchange) == [], "a review from before does not outlive the arming"
        ticket.close()


def armed_ticket(client: kfut.Client) -> OrderTicket:
    ticket = OrderTicket(client, panels=False)
    ticket.arming.word.value = "LIVE"
    ticket.arming.arm_button.click()
    assert ticket.arming.armed
    return ticket


def test_a_limit_of_the_user_disarms_the_ticket(exchange: PaperServer) -> None:
    keys = {"base_url": exchange.base_url, "api_key": exchange.api_key, "api_secret": exchange.api_secret}
    with kfut.connect("live", trading=True, limits=kfut.Limits(order_notional=1_000), **keys) as client:
        ticket = armed_ticket(client)
        fill_in(ticket, size="0.5")
        ticket.wait()
        assert ticket.arming.armed, "what is only typed disarms nothing"
        review(ticket)
        assert not ticket.arming.armed
        assert "limit of yours" in ticket.arming.state.value
        ticket.close()


def test_arming_ends_by_itself_and_takes_the_review_with_it(exchange: PaperServer) -> None:
    keys = {"base_url": exchange.base_url, "api_key": exchange.api_key, "api_secret": exchange.api_secret}
    with kfut.connect("live", trading=True, **keys) as client:
        ticket = OrderTicket(client, panels=False)
        ticket.arming._seconds = 1.5
        ticket.arming.word.value = "LIVE"
        ticket.arming.arm_button.click()
        fill_in(ticket)
        review(ticket)
        assert not ticket.send_button.disabled
        until(lambda: "not armed" in ticket.arming.state.value)
        assert ticket.send_button.disabled
        send(ticket)
        assert on_exchange(exchange) == []
        ticket.close()


def test_a_fate_that_is_found_later_does_not_hide_the_newer_order(
    exchange: PaperServer, client: kfut.Client, ticket: OrderTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two orders are sent while the first one's fate is not known: both are told, each as soon as it is known."""
    place, outcome, found = client.place, client.outcome, threading.Event()

    def unclear(order: kfut.Order | kfut.Preview) -> kfut.OrderResult:
        result = place(order)
        return replace(result, status="unknown") if ticket.size.value == "0.01" else result

    monkeypatch.setattr(client, "place", unclear)
    monkeypatch.setattr(client, "outcome", lambda which: outcome(which) if found.is_set() else None)
    for size in ("0.01", "0.02"):
        fill_in(ticket, size=size)
        review(ticket)
        send(ticket)
    assert "Fate unknown, it is being looked for: Buy 0.01" in ticket.status.value
    assert "Placed: Buy 0.02" in ticket.status.value
    found.set()
    until(lambda: "Placed: Buy 0.01" in ticket.status.value)
    assert ticket.status.value.index("Buy 0.02") < ticket.status.value.index("Buy 0.01")


def test_another_contract_clears_the_numbers_of_the_former(ticket: OrderTicket) -> None:
    fill_in(ticket, take_profit="120000")
    ticket.fill(size=2, symbol="PF_ETHUSD", limit_price=2000)
    assert (ticket.symbol.value, ticket.size.value, ticket.limit_price.value) == ("PF_ETHUSD", "2", "2000")
    assert ticket.form.take_profit.value == ""
    ticket.symbol.value = "pf_ethusd"
    assert ticket.size.value == "2", "the same contract in small letters"


@pytest.mark.parametrize(("symbol", "kind"), [("PF_XBTUSD", "linear"), ("PI_XBTUSD", "inverse")])
def test_the_funding_that_is_expected_is_a_fraction_of_the_index(
    client: kfut.Client, ticket: OrderTicket, symbol: str, kind: str
) -> None:
    ticket.fill(symbol=symbol)
    until(lambda: quoted(ticket, symbol))
    ticker = client.tickers(symbol).loc[symbol]
    index = float(ticker["index_price"])
    shown = dict(facts(ticket.form.search.instruments.loc[symbol], ticker, pd.Timestamp("2026-01-02 03:04", tz="UTC")))
    expected = float(shown["From 04:00 UTC"].split()[0]) / 100
    # Independently: by the rate of this hour, which the exchange gives in both forms.
    ratio = float(ticker["relative_funding_rate"]) / float(ticker["funding_rate"])
    assert kind in shown[""]
    assert expected == pytest.approx(float(ticker["funding_rate_prediction"]) * ratio, abs=1e-6)
    assert index > 0
