"""Experiments: what was previewed is placed on the paper exchange, and the exchange says what came of it."""

from __future__ import annotations

import math
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics.orders import Preview
from tests.risk.accounts import a_portfolio, contract_like
from tests.risk.stage import Stage

BOOKED = 1e-4
"""The exchange rounds what it books in USD to so much."""


def wallet_figures(stage: Stage, seen: Preview) -> dict[str, float]:
    """What the exchange says now of the wallet that carries the contract."""
    if seen.margin_currency == "USD":
        account = stage.client.account()
        initial, equity, free = account.initial_margin, account.margin_equity, account.available_margin
    else:
        row = stage.client.wallets().loc[stage.exchange.contract(seen.order.symbol).wallet]
        initial, equity, free = row["initial_margin"], row["portfolio_value"], row["available_funds"]
    return {"initial": initial, "usage": initial / equity, "free": free}


def signed_size(stage: Stage, symbol: str) -> float:
    return float(stage.client.positions()["signed_size"].get(symbol, 0.0))


def place(stage: Stage, order: kfut.Order) -> tuple[Preview, kfut.OrderResult]:
    """Preview, place, and compare all that can be said at once."""
    seen = stage.client.preview(order)
    now = wallet_figures(stage, seen)
    slack: dict[str, Any] = {"rel": 1e-9, "abs": 1e-6 if seen.margin_currency == "USD" else 1e-12}
    assert seen.initial_margin_before == pytest.approx(now["initial"], **slack)
    assert seen.margin_usage_before == pytest.approx(now["usage"], rel=1e-9)
    assert seen.available_margin == pytest.approx(now["free"], **slack)
    assert seen.position_before == signed_size(stage, order.symbol)

    result = stage.client.place(seen.order)
    assert result.filled_size == pytest.approx(seen.immediate_size, abs=1e-9)
    assert result.average_price == pytest.approx(seen.immediate_price, rel=1e-12, nan_ok=True)
    executed = stage.client.executions(symbol=order.symbol)
    executed = executed[executed["order_id"] == result.order_id]
    assert [(row.size, row.price) for row in executed.itertuples()] == [
        (pytest.approx(level.size), level.price) for level in seen.fills
    ]
    booked = BOOKED * max(1, len(executed)) if seen.margin_currency == "USD" else 1e-9
    if not seen.resting_size:
        assert executed["fee"].sum() == pytest.approx(seen.fee, rel=1e-9, abs=booked)
    then = wallet_figures(stage, seen)
    assert seen.available_margin_after == pytest.approx(then["free"], rel=1e-9, abs=5 * booked)
    if not seen.resting_size:
        compare_filled(stage, seen, 5 * booked)
    return seen, result


def compare_filled(stage: Stage, seen: Preview, booked: float) -> None:
    """What was promised for the account once the whole order is filled."""
    then = wallet_figures(stage, seen)
    assert signed_size(stage, seen.order.symbol) == pytest.approx(seen.position_after, abs=1e-9)
    assert seen.initial_margin_after == pytest.approx(then["initial"], rel=1e-9, abs=booked)
    assert seen.margin_usage_after == pytest.approx(then["usage"], rel=1e-6)
    edges = kfut.margin(stage.client).liquidation()["liquidation_price"]
    edge = edges.get(seen.order.symbol, math.nan)
    assert seen.liquidation_price_after == pytest.approx(edge, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("symbol", ["PF_XBTUSD", "PI_XBTUSD", "PF_SOLUSD", "FF_ETHUSD"])
@pytest.mark.parametrize("times", [-2.5, -0.5, 0.5])
def test_adding_reducing_and_turning(stage: Stage, seed: int, symbol: str, times: float) -> None:
    """Linear and inverse, netted and isolated contracts, beside other positions and collateral."""
    a_portfolio(stage, seed)
    symbol = contract_like(stage, symbol)
    held = signed_size(stage, symbol) or 1.0
    step = float(stage.client.instruments().loc[symbol, "size_step"])
    size = max(round(abs(times * held) / step), 1) * step
    order = kfut.Order(symbol, "buy" if times * held > 0 else "sell", round(size, 8))
    seen, result = place(stage, order)
    assert result.status == "filled"
    turned = any("It turns the position" in warning for warning in seen.warnings)
    assert turned == (seen.position_before * seen.position_after < 0)


@pytest.mark.parametrize("symbol", ["PF_XBTUSD", "PI_XBTUSD"])
def test_reduce_only_is_cut_to_the_position(stage: Stage, symbol: str) -> None:
    a_portfolio(stage, 0)
    held = signed_size(stage, symbol)
    order = kfut.Order(symbol, "sell" if held > 0 else "buy", round(3 * abs(held), 4), reduce_only=True)
    seen, result = place(stage, order)
    assert any("cuts it to the position" in warning for warning in seen.warnings)
    assert (seen.position_after, result.filled_size) == (0, pytest.approx(abs(held)))


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_through_many_levels_of_the_book(crowd: Stage, side: str) -> None:
    crowd.give("flex", "usd", 300_000.0)
    crowd.trade("PF_ETHUSD", -40 if side == "buy" else 40)
    crowd.exchange.advance(1000)  # funding accrues, and is paid with the next trade
    seen, _ = place(crowd, kfut.Order("PF_ETHUSD", side, 150))
    assert len(seen.fills) > 5


def test_inverse_through_many_levels(crowd: Stage) -> None:
    crowd.give("fi_xbtusd", "xbt", 3.0)
    seen, _ = place(crowd, kfut.Order("PI_XBTUSD", "sell", 400_000))
    assert len(seen.fills) > 1


def test_a_market_order_stops_at_its_protection(crowd: Stage) -> None:
    """A book that is too thin within one percent: the rest is cancelled, as the preview says."""
    crowd.give("flex", "usd", 50_000_000.0)
    book = crowd.client.order_book("PF_SOLUSD")
    asks = book[book["side"] == "ask"]
    within = asks[asks["price"] <= 1.01 * asks["price"].iloc[0]]["size"].sum()
    seen, result = place(crowd, kfut.Order("PF_SOLUSD", "buy", round(within + 100, 2)))
    assert seen.immediate_size == pytest.approx(within)
    assert any("stops a market order" in warning for warning in seen.warnings)
    assert result.status == "partially_filled"


@pytest.mark.parametrize("kind", ["lmt", "ioc", "fok"])
def test_limits_within_the_book(crowd: Stage, kind: str) -> None:
    crowd.give("flex", "usd", 500_000.0)
    book = crowd.client.order_book("PF_XBTUSD")
    asks = book[book["side"] == "ask"]
    limit, within = float(asks["price"].iloc[1]), float(asks["size"].iloc[:2].sum())
    size = round(within if kind == "fok" else within + 1, 4)
    seen, _ = place(crowd, kfut.Order("PF_XBTUSD", "buy", size, limit, kind))
    assert seen.immediate_size == pytest.approx(within)
    assert seen.resting_size == pytest.approx(1 if kind == "lmt" else 0)


@pytest.mark.parametrize("kind", ["lmt", "post"])
@pytest.mark.parametrize("symbol", ["PF_XBTUSD", "PI_XBTUSD"])
def test_what_rests_fills_as_promised(stage: Stage, kind: str, symbol: str) -> None:
    """The order rests and takes its margin; the market comes to it, and the fee is a maker's."""
    stage.give("flex", "usd", 20_000.0)
    stage.give("fi_xbtusd", "xbt", 0.2)
    size = 0.3 if symbol == "PF_XBTUSD" else 5_000
    seen, result = place(stage, kfut.Order(symbol, "buy", size, 79_000, kind))
    assert result.status == "placed"
    assert seen.resting_size == size
    stage.move(XBT=78_900.0)
    stage.exchange.advance(60)
    assert signed_size(stage, symbol) == seen.position_after == size
    executed = stage.client.executions(symbol=symbol)
    assert executed["fee"].sum() == pytest.approx(seen.fee, rel=1e-5)
    assert seen.fee == seen.fee_maker < seen.fee_taker


@pytest.mark.parametrize(
    ("order", "to"),
    [
        (kfut.Order("PF_XBTUSD", "buy", 0.1, order_type="stp", stop_price=81_000, trigger_signal="mark"), 81_500),
        (
            kfut.Order("PF_XBTUSD", "sell", 0.1, order_type="take_profit", stop_price=81_000, trigger_signal="index"),
            81_500,
        ),
        (kfut.Order("PF_XBTUSD", "sell", 0.1, 77_000, "stp", 79_000, "mark"), 78_000),
        (
            kfut.Order("PF_XBTUSD", "sell", 0.1, order_type="stp", stop_price=79_000, trigger_signal="mark",
                       limit_offset=-3, limit_offset_unit="percent"),
            78_000,
        ),
        (
            kfut.Order("PF_XBTUSD", "sell", 0.1, order_type="trailing_stop", trigger_signal="mark",
                       trailing_deviation=2, trailing_unit="percent"),
            78_000,
        ),
        (
            kfut.Order("PI_XBTUSD", "buy", 4_000, order_type="trailing_stop", trigger_signal="mark",
                       trailing_deviation=1_000, trailing_unit="quote"),
            81_500,
        ),
    ],
)  # fmt: skip
def test_triggers_wait_and_fill_near_their_price(stage: Stage, order: kfut.Order, to: float) -> None:
    """They take no margin while they wait; then they lead to the position and about to the fee that was shown."""
    stage.give("flex", "usd", 20_000.0)
    stage.give("fi_xbtusd", "xbt", 0.2)
    seen, result = place(stage, order)
    assert result.status == "placed"
    assert seen.available_margin_after == seen.available_margin
    stage.move(XBT=float(to))
    stage.exchange.advance(60)
    assert signed_size(stage, order.symbol) == seen.position_after == pytest.approx(order.signed_size)
    [execution] = stage.client.executions(symbol=order.symbol).itertuples()
    assert execution.price == pytest.approx(seen.trigger_price, rel=5e-3)
    assert execution.fee == pytest.approx(seen.fee_taker, rel=3e-2)


def test_a_trailing_stop_may_have_its_limit_off_the_trigger_price(stage: Stage) -> None:
    """When it fires, its limit is found from where its trigger then is; on the far side it rests there."""
    stage.give("flex", "usd", 20_000.0)
    trailing = {"order_type": "trailing_stop", "trailing_deviation": 1, "trailing_unit": "percent"}
    offset = {"limit_offset": 2, "limit_offset_unit": "percent", "trigger_signal": "mark"}
    order = kfut.Order("PF_XBTUSD", "sell", 0.1, **trailing, **offset)  # type: ignore[arg-type]
    seen, result = place(stage, order)
    assert any("may not fill" in warning for warning in seen.warnings)
    stage.move(XBT=82_000.0)
    stage.move(XBT=80_500.0)
    [resting] = stage.client.open_orders().itertuples()
    assert resting.Index == result.order_id
    assert resting.limit_price == pytest.approx(82_000 * 0.99 * 1.02, abs=1)


# ---- sizing --------------------------------------------------------------------------------------------------------


def step_of(stage: Stage, symbol: str) -> float:
    return float(stage.client.instruments().loc[symbol, "size_step"])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("symbol", ["PF_XBTUSD", "PF_SOLUSD", "PI_XBTUSD"])
@pytest.mark.parametrize("limit", [None, 0.99, 1.01])
def test_all_that_margin_allows_is_accepted_and_one_step_more_is_not(
    stage: Stage, seed: int, side: str, symbol: str, limit: float | None
) -> None:
    """By the tiers, the fixed leverage, the position held, the fee and the loss against the mark price."""
    a_portfolio(stage, seed)
    price = {"PF_XBTUSD": 80_000, "PI_XBTUSD": 80_000, "PF_SOLUSD": 150}[symbol]
    given = {} if limit is None else {"limit_price": round(price * limit), "order_type": "lmt"}
    seen = stage.client.preview(kfut.Order(symbol, side, margin_share=1, **given))  # type: ignore[arg-type]
    size, step = float(seen.order.contracts), step_of(stage, symbol)
    assert seen.available_margin_after + seen.fee >= 0
    more = stage.exchange.contract(symbol).step + seen.order.contracts
    # The fee counts here at the dearer of worst and likely price, on the exchange at the worst: a sale, or a purchase
    # in coin, may leave the difference, five hundredths of a percent of one percent of its value.
    dearer = (side == "buy") != symbol.startswith("PI")
    spare = 0 if dearer else math.ceil(6e-4 * size / step) * stage.exchange.contract(symbol).step
    beyond = {"limitPrice": given["limit_price"]} if given else {}
    refused = stage.client._venue.call(  # type: ignore[attr-defined]
        "sendorder", orderType=seen.order.order_type, symbol=symbol, side=side, size=str(more + spare), **beyond
    )["sendStatus"]["status"]
    assert refused in {"insufficientAvailableFunds", "fixedLeverageTooHigh"}
    with pytest.raises(kfut.errors.OrderRefused) as caught:
        stage.client.preview(kfut.Order(symbol, side, more, **given))  # type: ignore[arg-type]
    assert (caught.value.field, caught.value.suggestion) == ("size", seen.order.contracts)
    assert caught.value.rule in {"margin", "leverage"}
    assert stage.client.place(seen.order).status in {"filled", "placed"}


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_share_of_margin_takes_no_more_than_that(crowd: Stage, share: float) -> None:
    crowd.give("flex", "usd", 100_000.0)
    seen, _ = place(crowd, kfut.Order("PF_ETHUSD", "sell", margin_share=share))
    taken = seen.available_margin - crowd.client.account().available_margin
    assert taken <= share * seen.available_margin + 0.01
    assert taken >= 0.99 * share * seen.available_margin


@pytest.mark.parametrize("symbol", ["PF_ETHUSD", "PI_XBTUSD"])
def test_a_value_is_the_largest_size_worth_no_more(crowd: Stage, symbol: str) -> None:
    crowd.give("flex", "usd", 100_000.0)
    crowd.give("fi_xbtusd", "xbt", 2.0)
    seen, _ = place(crowd, kfut.Order(symbol, "buy", notional=123_456))
    step = step_of(crowd, symbol)
    price = 1.0 if symbol.startswith("PI") else seen.immediate_price
    assert seen.notional <= 123_456 < seen.notional + 1.01 * step * price
