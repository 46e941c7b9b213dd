"""What the ticket shows, as HTML: everything escaped, nothing without words."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest

from kfut_analytics.errors import OrderRefused, RequestTimeout
from kfut_analytics.orders import Order, OrderResult, Preview
from kfut_analytics.widgets import render

NOW = pd.Timestamp("2026-11-20T10:11:12Z")
NASTY = "<img src=x onerror=alert(1)>&\"'"


def preview(**changes: object) -> Preview:
    values: dict[str, object] = {
        "order": Order("PF_XBTUSD", "buy", "0.01", limit_price="60000"),
        "env": "paper",
        "time": NOW,
        "bid": 60000.0,
        "ask": 60001.0,
        "mark_price": 60000.5,
        "tick_size": 1.0,
        "immediate_size": 0.0,
        "immediate_price": math.nan,
        "resting_size": 0.01,
        "slippage_bps": math.nan,
        "notional": 600.0,
        "fee": 0.12,
        "fee_currency": "USD",
        "position_before": 0.0,
        "position_after": 0.01,
        "initial_margin_before": 0.0,
        "initial_margin_after": 12.0,
        "margin_currency": "USD",
        "available_margin": 1000.0,
    }
    return Preview(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order("PF_XBTUSD", "buy", "0.010", limit_price="60000.0"), "Buy 0.01 PF_XBTUSD, limit at 60000"),
        (Order("PF_XBTUSD", "sell", 2, reduce_only=True), "Sell 2 PF_XBTUSD, market, reduce-only"),
        (
            Order("PI_XBTUSD", "sell", 5, order_type="stp", stop_price=50000, trigger_signal="mark"),
            "Sell 5 PI_XBTUSD, stop triggered at 50000 by the mark price, then market",
        ),
        (
            Order("PI_XBTUSD", "sell", 5, order_type="take_profit", stop_price=70000, limit_price=69999),
            "Sell 5 PI_XBTUSD, take-profit triggered at 70000, then limit at 69999",
        ),
    ],
)
def test_an_order_in_words(order: Order, words: str) -> None:
    assert render.summary(order) == words


def test_a_size_has_no_exponent() -> None:
    assert render.brief(Order("PI_XBTUSD", "sell", "1e3", limit_price=1)) == "sell 1000 PI_XBTUSD"


def test_a_review_shows_every_line_of_the_preview_and_every_warning() -> None:
    shown = preview(warnings=("Mind the gap.", "Too far."))
    page = render.review(shown, 15)
    for label, text in shown.lines():
        assert label in page
        assert text in page
    assert "Mind the gap." in page
    assert "Too far." in page
    assert "Paper order" in page
    assert "within 15 s" in page


def test_a_review_that_cannot_be_sent_has_no_countdown() -> None:
    assert "kfut-countdown" not in render.review(preview(), None)


def test_live_is_unmistakable() -> None:
    assert "LIVE · real money" in render.badge("live", trading=True)
    assert "LIVE order, real money" in render.review(preview(env="live"), 15)
    assert "real money" not in render.badge("paper", trading=True)
    assert "read-only" in render.badge("paper", trading=False)


@pytest.mark.parametrize("status", ["placed", "filled", "partially_filled", "rejected", "cancelled", "unknown", "new"])
def test_an_outcome_says_what_happened_and_is_announced(status: str) -> None:
    result = OrderResult(status, "someReason", "A sentence.", "id-1", "cli-1", 0.01, 60000.5)  # type: ignore[arg-type]
    page = render.outcome(preview().order, result, NOW)
    for text in ("Buy 0.01 PF_XBTUSD", "someReason", "A sentence.", "id-1", "0.01 contracts", "60,000.5", "10:11:12"):
        assert text in page
    assert "aria-live=" in page


def test_a_fill_of_unknown_size_does_not_show_a_number() -> None:
    result = OrderResult("partially_filled", "partiallyFilled", "A sentence.", filled_size=math.nan)
    assert "n/a contracts" in render.outcome(preview().order, result, NOW)


def test_an_outcome_says_the_fees_currency_and_until_when_an_unknown_order_may_arrive() -> None:
    filled = OrderResult("filled", "placed", "Filled.", "an id", filled_size=0.02, average_price=92_000.0, fee=0.92)
    page = render.outcome(preview().order, filled, NOW)
    assert "0.92 USD" in page
    assert "Exchange's word" not in page, "that it was placed says nothing of a fill"
    until = NOW + pd.Timedelta(seconds=10)
    page = render.outcome(preview().order, OrderResult("unknown", "", "Being looked for.", until=until), NOW)
    assert f"Cannot arrive after</th><td>{until:%H:%M:%S} UTC" in page
    assert "Order id" not in page


def test_everything_is_escaped() -> None:
    order = Order(NASTY, "buy", 1, limit_price=1)
    pages = [
        render.badge(NASTY, trading=True),
        render.review(preview(order=order, warnings=(NASTY,), fee_currency=NASTY, env=NASTY), 15),
        render.outcome(order, OrderResult("rejected", NASTY, NASTY, NASTY), NOW),
        render.failure(RequestTimeout(NASTY), NASTY),
        render.failure(ValueError(NASTY), "Sending"),
        render.message("note", NASTY, NASTY),
        render.problem(NASTY),
    ]
    for page in pages:
        assert not re.search("<img", page, re.IGNORECASE)
        assert "&LT;IMG" in page.upper()


def test_an_error_that_is_not_ours_is_named() -> None:
    assert "KeyError: " in render.failure(KeyError("x"), "Sending")
    refused = OrderRefused("size is odd", field="size", value=1)
    assert "OrderRefused" not in render.failure(refused, "Sending")
