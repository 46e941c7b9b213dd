"""The preview's arithmetic, by figures that can be checked in one's head."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kfut_analytics.errors import OrderRefused
from kfut_analytics.limits import NO_LIMITS, Limits
from kfut_analytics.orders import Fees, Level, Order, Preview, examine, preview

from .facts import LEVELS, market


def test_a_market_order_walks_the_book() -> None:
    seen = preview(Order("PF_XBTUSD", "buy", 4), market(position=-1))
    assert seen.fills == (Level(1, 101), Level(2, 101.5), Level(1, 102))
    assert seen.immediate_price == pytest.approx((101 + 203 + 102) / 4)
    assert (seen.immediate_size, seen.resting_size) == (4, 0)
    assert (seen.slippage, seen.slippage_cost) == pytest.approx((1.5, 6))
    assert seen.slippage_bps == pytest.approx(150)
    assert seen.worst_price == 102, "one percent beyond the best price, on the tick"
    assert seen.notional == pytest.approx(406)
    assert seen.fee == seen.fee_taker == pytest.approx(406 * 0.0005)
    assert seen.fee_maker == pytest.approx(406 * 0.0002)
    assert (seen.position_before, seen.position_after) == (-1, 3)
    assert (seen.initial_margin_before, seen.initial_margin_after) == pytest.approx((10, 30))
    # 1000 less what is lost against the mark (406 - 400) and the fee
    equity = 1000 - 6 - 0.203
    assert (seen.margin_usage_before, seen.margin_usage_after) == pytest.approx((0.01, 30 / equity))
    assert (seen.available_margin, seen.available_margin_after) == pytest.approx((990, equity - 30))


def test_liquidation_prices_are_those_of_the_formula() -> None:
    """Long: (Q entry - E) / (Q (1 - mm)), short: (Q entry + E) / (Q (1 + mm)) (api-facts 6.9), one tier."""
    seen = preview(Order("PF_XBTUSD", "sell", 7, 99, "ioc"), market(position=5, balance=200.0))
    assert seen.liquidation_price_before == pytest.approx((5 * 100 - 200) / (5 * 0.95))
    money = 200 - 2 - 2 * 99 * 0.0005
    assert seen.immediate_size == 2, "what lies at 99"
    assert seen.liquidation_price_after == pytest.approx((3 * 100 - money) / (3 * 0.95))
    turned = preview(Order("PF_XBTUSD", "sell", 7), market(position=5, balance=300.0))
    money = 300 - 2 * 1 - 3 * 1.5 - (2 * 99 + 5 * 98.5) * 0.0005
    assert turned.position_after == -2
    assert turned.liquidation_price_after == pytest.approx((2 * 98.5 + money) / (2 * 1.05))


def test_a_limit_order_splits_into_filled_and_resting() -> None:
    seen = preview(Order("PF_XBTUSD", "buy", 4, limit_price=101.5), market())
    assert (seen.immediate_size, seen.resting_size) == (3, 1)
    assert seen.fee == pytest.approx((101 + 203) * 0.0005 + 101.5 * 0.0002)
    assert seen.position_after == 4, "if the whole order fills"
    assert seen.initial_margin_after == pytest.approx(40)
    assert seen.available_margin_after == pytest.approx(1000 - 4 - 304 * 0.0005 - 40, abs=0.01)


@pytest.mark.parametrize("kind", ["post", "stp", "take_profit", "trailing_stop"])
def test_some_types_fill_nothing_at_once(kind: str) -> None:
    fields: dict[str, Any] = {"limit_price": 98}
    if kind == "trailing_stop":
        fields = {"trailing_deviation": 5, "trailing_unit": "percent"}
    elif kind != "post":
        fields |= {"stop_price": 105 if kind == "stp" else 95}
    seen = preview(Order("PF_XBTUSD", "buy", 2, order_type=kind, **fields), market())
    assert seen.immediate_size == 0
    assert math.isnan(seen.immediate_price)
    assert seen.resting_size == 2


def test_the_trigger_of_a_trailing_stop_lies_behind_its_signal() -> None:
    trailing = {"order_type": "trailing_stop", "trailing_unit": "percent", "trailing_deviation": 5}
    seen = preview(Order("PF_XBTUSD", "sell", 1, **trailing), market(1, ticker={"last": 110.0}))  # type: ignore[arg-type]
    assert seen.trigger_price == pytest.approx(104.5)
    assert seen.notional == pytest.approx(104.5)
    offset = Order("PF_XBTUSD", "buy", 1, order_type="trailing_stop", trailing_deviation=5, trailing_unit="quote",
                   trigger_signal="mark", limit_offset=2, limit_offset_unit="percent")  # fmt: skip
    seen = preview(offset, market())
    assert seen.trigger_price == 105
    assert seen.notional == pytest.approx(105), "its limit is only the worst price"
    far = Order("PF_XBTUSD", "buy", 1, 103, "stp", 105)
    assert preview(far, market()).notional == pytest.approx(103)


def test_the_accounts_own_rates_count() -> None:
    seen = preview(Order("PF_XBTUSD", "buy", 1), market(facts={"fees": Fees(-0.0001, 0.0003, "your fee schedule")}))
    assert (seen.fee, seen.fee_maker, seen.fee_source) == pytest.approx((0.0303, -0.0101, "your fee schedule"))
    assert "lowest volume tier" in repr(preview(Order("PF_XBTUSD", "buy", 1), market()))


def test_reduce_only_trades_no_more_than_the_position() -> None:
    seen = preview(Order("PF_XBTUSD", "sell", 5, reduce_only=True), market(position=3))
    assert (seen.immediate_size, seen.position_after, seen.initial_margin_after) == (3, 0, 0)
    assert math.isnan(seen.liquidation_price_after)


@pytest.mark.parametrize(
    ("order", "position", "warning"),
    [
        (Order("PF_XBTUSD", "buy", 20, notional=None), 0, "fills only 13 of 20"),
        (Order("PF_XBTUSD", "buy", 20, 105, "ioc"), 0, "fills only 13 of 20"),
        (Order("PF_XBTUSD", "buy", 20, 105, "fok"), 0, "cannot fill the whole"),
        (Order("PF_XBTUSD", "buy", 1, 101, "post"), 0, "would execute at once"),
        (Order("PF_XBTUSD", "sell", 1, 120), 0, "+20.0% from the mark"),
        (Order("PF_XBTUSD", "sell", 9, reduce_only=True), 1, "cuts it to the position of 1 contracts"),
        (Order("PF_XBTUSD", "sell", 2), 1, "from long to short"),
        (
            Order("PF_XBTUSD", "sell", 1, order_type="stp", stop_price=90, reduce_only=True),
            0,
            "without one the exchange",
        ),
        (Order("PF_XBTUSD", "sell", 1, 91, "stp", 90), 0, "it may not fill"),
        (Order("PF_XBTUSD", "buy", 400, order_type="stp", stop_price=110), 0, "may not suffice once triggered"),
        (
            Order("PF_XBTUSD", "buy", 1, order_type="trailing_stop", trailing_deviation=1.25, trailing_unit="percent"),
            0,
            "tenths of a percent only",
        ),
    ],
)
def test_warnings(order: Order, position: float, warning: str) -> None:
    found = examine(order, market(position=position, balance=5000.0), Limits()).warnings
    assert any(warning in text for text in found), found


def test_nothing_unusual_no_warning() -> None:
    assert examine(Order("PF_XBTUSD", "buy", 1), market(), Limits()).warnings == ()
    assert examine(Order("PF_XBTUSD", "sell", 1, 101), market(position=1), Limits()).warnings == ()


def test_inverse_previews_are_in_coin() -> None:
    seen = preview(Order("PI_XBTUSD", "sell", 2), market(symbol="PI_XBTUSD", balance=1.0))
    assert seen.immediate_price == pytest.approx(99)
    assert (seen.notional, seen.fee_currency, seen.margin_currency) == (2, "XBT", "XBT")
    assert seen.fee == pytest.approx(2 / 99 * 0.0005)
    assert seen.slippage_cost == pytest.approx(2 / 99 - 2 / 100)
    assert seen.initial_margin_after == pytest.approx(2 * 0.1 / 100)


def test_an_average_of_inverse_fills_is_harmonic() -> None:
    seen = preview(Order("PI_XBTUSD", "buy", 3), market(symbol="PI_XBTUSD", balance=1.0))
    assert seen.immediate_price == pytest.approx(3 / (1 / 101 + 2 / 101.5))


def test_prices_are_shown_with_the_decimals_of_the_tick() -> None:
    lines = dict(
        preview(
            Order("PF_XBTUSD", "buy", 3), market(tick_size=1.0, book=LEVELS | {"price": [99, 98, 101, 102, 103]})
        ).lines()
    )
    assert lines["Quote"] == "bid 99, ask 101, mark 100"
    assert lines["At once"].startswith("3 at 101.7 on average, 2 levels to 102")  # 101.667, between two ticks
    fine = dict(preview(Order("PF_XBTUSD", "buy", 1), market(tick_size=1e-05)).lines())
    assert fine["Quote"] == "bid 99.00000, ask 101.00000, mark 100.00000"


def shown(**more: Any) -> Preview:
    return examine(Order("PF_XBTUSD", "buy", 4, **more), market(position=-1), NO_LIMITS)


def test_in_words() -> None:
    text = repr(shown())
    assert text.splitlines()[0] == "PAPER preview, 00:00:00 UTC: buy 4 PF_XBTUSD market"
    for words in (
        "4 at 101.5 on average, 3 levels to 102.0",
        "+150.0 bps from mid, +1.5 a contract, 6.00 USD in all",
        "406.00 USD",
        "-1 → +3 contracts",
        "10.00 → 30.00 USD",
        "1.0% → 3.0%",
        "! It turns the position from short to long.",
    ):
        assert words in text


def test_the_page_shows_every_line_once_and_escapes() -> None:
    seen = shown()
    page = seen._repr_html_()
    for label, text in seen.lines():
        assert page.count(f"<th scope='row'>{label}</th><td>{text}</td>") == 1
    assert page.count("<tr><td>") == 3, "the levels"
    assert "--jp-" in page
    assert "turns the position" in page
    assert "<script" not in page


def test_a_preview_without_facts_has_no_age() -> None:
    assert math.isnan(shown().age)


def test_an_order_off_the_grid_has_no_preview() -> None:
    with pytest.raises(OrderRefused, match="not a multiple"):
        preview(Order("PF_XBTUSD", "buy", 0.00015), market())
