"""Liquidation estimates: published examples, algebra, and what the paper exchange does when its market goes there."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfut_analytics import schema
from kfut_analytics.contracts import MarginTier
from kfut_analytics.risk.edges import edge_of
from kfut_analytics.risk.liquidation import MARKET, liquidation, liquidation_bounds
from kfut_analytics.risk.portfolio import Balance, Leg, Portfolio

from .accounts import a_portfolio, contract_like
from .stage import PRICES

NO_WALLETS = schema.WALLETS.frame({})
ONE_PERCENT = (MarginTier(0.0, 0.02, 0.01),)


def estimates(*legs, balances=(), wallets=NO_WALLETS):
    return liquidation(Portfolio(tuple(legs), tuple(balances)), wallets)


def usd(amount):
    return Balance("flex", "USD", amount, 1.0)


# What is published, and algebra -----------------------------------------------------------------------------------


def test_the_published_example_of_an_inverse_position():
    """Long 1,000 at 8,000 with 0.01 BTC at 1 %: the support article prints 7,481 and 7,407 (api-facts 6.9)."""
    leg = Leg("PI_XBTUSD", 1000.0, 8000.0, 8000.0, ONE_PERCENT)
    row = estimates(leg, balances=[Balance("fi_xbtusd", "XBT", 0.01, 8000.0)]).loc["PI_XBTUSD"]
    assert int(row["liquidation_price"]) == 7481
    assert int(row["bankruptcy_price"]) == 7407
    assert row["liquidation_price"] == pytest.approx(1010 / 0.135)
    assert row["distance"] == pytest.approx(1010 / 0.135 / 8000 - 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_linear_position_by_the_closed_form(sign):
    """P = (Q entry − E) / (Q (1 − mm)) for a long position, (Q entry + E) / (Q (1 + mm)) for a short one."""
    leg = Leg("PF_XBTUSD", sign * 0.5, 80_000.0, 81_000.0, ONE_PERCENT)
    row = estimates(leg, balances=[usd(5_000.0)]).loc["PF_XBTUSD"]
    assert row["liquidation_price"] == pytest.approx((0.5 * 80_000 - sign * 5_000) / (0.5 * (1 - sign * 0.01)))
    assert row["bankruptcy_price"] == pytest.approx(80_000 - sign * 10_000)
    assert row["underlying_liquidation_price"] == pytest.approx(row["liquidation_price"])
    assert row["market_liquidation_price"] == pytest.approx(row["liquidation_price"])


def test_a_short_inverse_position():
    """W − Q/entry + Q/P = m Q/P gives P = Q (1 − m) / (Q/entry − W)."""
    leg = Leg("PI_XBTUSD", -10_000.0, 50_000.0, 50_000.0, ONE_PERCENT)
    row = estimates(leg, balances=[Balance("fi_xbtusd", "XBT", 0.05, 50_000.0)]).loc["PI_XBTUSD"]
    assert row["liquidation_price"] == pytest.approx(9_900 / (0.2 - 0.05))


def test_a_covered_short_inverse_position_is_never_liquidated():
    """Whoever holds the coins that a short position is worth cannot lose them."""
    leg = Leg("PI_XBTUSD", -10_000.0, 50_000.0, 50_000.0, ONE_PERCENT)
    row = estimates(leg, balances=[Balance("fi_xbtusd", "XBT", 0.21, 50_000.0)]).loc["PI_XBTUSD"]
    assert math.isnan(row["liquidation_price"])
    assert math.isnan(row["market_distance"])


def test_tiers_raise_the_requirement_bracket_by_bracket():
    """1,000 at 100: 0.5 % to 50,000 USD and 2 % above. 1000 (P − 100) + 20,000 = 250 + 0.02 (1000 P − 50,000)."""
    ladder = (MarginTier(0.0, 0.01, 0.005), MarginTier(50_000.0, 0.04, 0.02))
    row = estimates(Leg("PF_SOLUSD", 1000.0, 100.0, 100.0, ladder), balances=[usd(20_000.0)]).loc["PF_SOLUSD"]
    assert row["liquidation_price"] == pytest.approx((100_000 - 20_000 + 250 - 1_000) / (1_000 - 20))


def test_an_isolated_position_stands_on_its_own_margin_and_leaves_less_to_the_others():
    """At 10x it has a tenth of its value: P = 0.9 entry / (1 − mm). The rest has 10,000 − 8,000 USD."""
    isolated = Leg("PF_XBTUSD", 1.0, 80_000.0, 80_000.0, ONE_PERCENT, leverage=10.0)
    crossed = Leg("PF_ETHUSD", 10.0, 3_000.0, 3_000.0, ONE_PERCENT)
    frame = estimates(isolated, crossed, balances=[usd(10_000.0)])
    assert frame["pool"].to_dict() == {"PF_XBTUSD": "PF_XBTUSD", "PF_ETHUSD": "flex"}
    assert frame["liquidation_price"]["PF_XBTUSD"] == pytest.approx(0.9 * 80_000 / 0.99)
    assert frame["market_liquidation_price"]["PF_XBTUSD"] == pytest.approx(0.9 * 80_000 / 0.99)
    assert frame["liquidation_price"]["PF_ETHUSD"] == pytest.approx((30_000 - 2_000) / (10 * 0.99))


def test_coins_fall_with_their_underlying_only_where_they_are_said_to():
    """1 XBT less 10 % is collateral of a long ETH position; each of the three moves by itself, in closed form."""
    leg = Leg("PF_ETHUSD", 100.0, 3_000.0, 3_000.0, ONE_PERCENT)
    coins = Balance("flex", "XBT", 1.0, 80_000.0, 0.1)
    row = estimates(leg, balances=[coins]).loc["PF_ETHUSD"]
    assert row["distance"] == pytest.approx((300_000 - 72_000) / (300_000 * 0.99) - 1)
    # 72,000 f + 300,000 (f − 1) = 3,000 f
    assert row["market_distance"] == pytest.approx(300_000 / 369_000 - 1)
    bounds = liquidation_bounds(Portfolio((leg,), (coins,)), {"XBT": 80_100.0, "ETH": 3_010.0}).set_index("moves")
    assert list(bounds.index) == ["ETH", "XBT", MARKET]
    assert bounds["lower_move"]["XBT"] == pytest.approx(3_000 / 72_000 - 1)
    assert bounds["lower_price"]["XBT"] == pytest.approx(3_000 / 72_000 * 80_100)
    assert bounds["headroom"].tolist() == [69_000.0] * 3
    assert bounds["upper_move"].isna().all()


def test_a_hedged_account_has_two_bounds():
    """100 perpetual against 100 dated at 1 USD: 1 % up to 100 USD, 50 % above. Coins worth 3 f, 1.50 USD owed.

    3 f − 1.5 = f on the way down, 3 f − 1.5 = 50 f − 49 on the way up; for each position the nearer bound is shown.
    """
    ladder = (MarginTier(0.0, 0.02, 0.01), MarginTier(100.0, 1.0, 0.5))
    legs = (Leg("PF_XBTUSD", 100.0, 1.0, 1.0, ladder), Leg("FF_XBTUSD_261225", -100.0, 1.0, 1.0, ladder))
    balances = (Balance("flex", "XBT", 3.0, 1.0), usd(-1.5))
    bounds = liquidation_bounds(Portfolio(legs, balances), {}).set_index("moves")
    for moves in ("XBT", MARKET):
        assert bounds["lower_move"][moves] == pytest.approx(0.75 - 1)
        assert bounds["upper_move"][moves] == pytest.approx(47.5 / 47 - 1)
    frame = estimates(*legs, balances=balances)
    np.testing.assert_allclose(frame["underlying_distance"], 47.5 / 47 - 1)


def test_who_has_fallen_short_already_is_at_the_edge():
    row = estimates(Leg("PF_XBTUSD", 1.0, 80_000.0, 70_000.0, ONE_PERCENT), balances=[usd(5_000.0)]).loc["PF_XBTUSD"]
    assert (row["distance"], row["liquidation_price"], row["market_distance"]) == (0.0, 70_000.0, 0.0)


def test_without_tiers_or_price_nothing_is_guessed():
    frame = estimates(
        Leg("PF_ODDUSD", 1.0, 10.0, 10.0, ()), Leg("PF_XBTUSD", 1.0, 80_000.0, 80_000.0, ONE_PERCENT),
        balances=[usd(5_000.0)],
    )  # fmt: skip
    assert frame["liquidation_price"].isna().all()
    assert frame["bankruptcy_price"]["PF_XBTUSD"] == pytest.approx(75_000)
    frame = estimates(Leg("PF_XBTUSD", 1.0, 80_000.0, math.nan, ONE_PERCENT), balances=[usd(5_000.0)])
    assert frame["liquidation_price"].isna().all()


def test_empty_tables_have_their_columns():
    empty, full = estimates(), estimates(Leg("PF_XBTUSD", 1.0, 80_000.0, 80_000.0, ONE_PERCENT), balances=[usd(1e4)])
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
    nothing = liquidation_bounds(Portfolio((), ()), {})
    assert nothing.empty
    assert nothing.dtypes["lower_move"] == "float64"
    assert list(schema.describe("liquidation").index) == ["symbol", *full.columns]


def test_the_exchanges_triggers_stand_beside_the_estimates():
    wallets = schema.WALLETS.frame(
        {"account": ["fi_xbtusd"], "currency": ["XBT"], "maintenance_margin_trigger": [7_481.0],
         "liquidation_trigger": [7_480.0], "termination_trigger": [0.0]}
    )  # fmt: skip
    leg = Leg("PI_XBTUSD", 1000.0, 8000.0, 8000.0, ONE_PERCENT)
    row = estimates(leg, balances=[Balance("fi_xbtusd", "XBT", 0.01, 8000.0)], wallets=wallets).iloc[0]
    assert row["exchange_maintenance_trigger"] == 7_481
    assert row["exchange_liquidation_trigger"] == 7_480
    assert math.isnan(row["exchange_termination_trigger"])


def test_edges_of_straight_lines():
    """Each question has its own line a − b f; the edge is a / b, to the last digits."""
    slopes = np.array([2.0, 1.5, 0.5, 3.0])
    found = edge_of(lambda factor: 1 - factor / slopes, np.array([1e9, 1e9, 1e9, 2.0]))
    np.testing.assert_allclose(found[:2], slopes[:2], rtol=1e-15)
    assert found[2] == 1.0  # gone from the beginning
    assert math.isnan(found[3])  # beyond the farthest


@st.composite
def accounts(draw, inverse):
    """Legs on two underlyings with rising tiers, on money and coins that cover them."""
    amounts = st.floats(-40, 40).filter(lambda size: abs(size) > 0.1)
    rates = sorted(draw(st.lists(st.floats(0.005, 0.6), min_size=1, max_size=4)))
    bounds = [0.0, *sorted(draw(st.lists(st.floats(1, 5_000), min_size=len(rates) - 1, max_size=len(rates) - 1)))]
    ladder = tuple(MarginTier(b, min(2 * r, 1.0), r) for b, r in zip(bounds, rates, strict=True))
    kinds = ("PI_XBTUSD", "FI_XBTUSD_261225") if inverse else ("PF_XBTUSD", "FF_XBTUSD_261225", "PF_ETHUSD")
    legs = []
    for kind in draw(st.sets(st.sampled_from(kinds), min_size=1)):
        mark, size = draw(st.floats(20, 200)), draw(amounts)
        entry = mark * draw(st.floats(0.8, 1.25))
        leverage = None if inverse else draw(st.sampled_from([None, None, 3.0]))
        legs.append(Leg(kind, 100 * size if inverse else size, entry, mark, ladder, leverage=leverage))
    if inverse:
        return Portfolio(tuple(legs), (Balance("fi_xbtusd", "XBT", draw(st.floats(1, 100)), 100.0),))
    coins = Balance("flex", "XBT", draw(st.floats(0, 50)), 100.0, draw(st.floats(0, 0.5)))
    return Portfolio(tuple(legs), (usd(draw(st.floats(-2_000, 8_000))), coins))


@pytest.mark.parametrize("inverse", [False, True])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_an_edge_is_the_first_one_on_the_way(inverse, data):
    """Between today's prices and an edge no scan of prices finds a shortfall; just beyond it there is one."""
    account = data.draw(accounts(inverse))
    for pool in account.pools():
        bounds = liquidation_bounds(account, {})
        for row in bounds[bounds["pool"] == pool.name].to_dict("records"):
            if row["headroom"] <= 0:
                assert row["lower_move"] == row["upper_move"] == 0
                continue

            def headroom(factors, moves=row["moves"], name=pool.name):
                moved = account.moved(
                    {leg.symbol: factors for leg in account.legs if moves in (leg.underlying, MARKET)},
                    {"XBT": factors} if moves in ("XBT", MARKET) else {},
                )
                mine = next(other for other in moved.pools() if other.name == name)
                return np.broadcast_to(moved.headroom(mine), factors.shape)

            for edge, far in ((1 + row["lower_move"], 1e-4), (1 + row["upper_move"], 1e4)):
                way = np.geomspace(1, far if math.isnan(edge) else edge, 2_000)
                assert (headroom(way[:-1]) > -1e-9).all()
                if not math.isnan(edge) and 1e-6 < edge < 1e6:
                    assert headroom(np.array([edge + (edge - 1) * 1e-6]))[0] <= 1e-6


# The experiment ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "code", "size", "money", "leverage"),
    [
        ("PF_XBTUSD", "XBT", 1, ("flex", "usd", 8_000.0), None),
        ("PF_XBTUSD", "XBT", -1, ("flex", "usd", 8_000.0), None),
        ("PF_XBTUSD", "XBT", 120, ("flex", "usd", 1_500_000.0), None),  # five tiers
        ("PF_ETHUSD", "ETH", -2500, ("flex", "usd", 900_000.0), None),
        ("PF_SOLUSD", "SOL", 900, ("flex", "xbt", 0.4), None),
        ("FF_XBTUSD", "XBT", 2, ("flex", "usd", 20_000.0), None),
        ("PI_XBTUSD", "XBT", 50_000, ("fi_xbtusd", "xbt", 0.1), None),
        ("PI_XBTUSD", "XBT", -50_000, ("fi_xbtusd", "xbt", 0.1), None),
        ("PI_ETHUSD", "ETH", 2_000_000, ("fi_ethusd", "eth", 150.0), None),
        ("FI_XBTUSD", "XBT", -30_000, ("fi_xbtusd", "xbt", 0.06), None),
        ("PF_XBTUSD", "XBT", 1, ("flex", "usd", 50_000.0), 10.0),
        ("PF_XBTUSD", "XBT", -1, ("flex", "usd", 50_000.0), 5.0),
    ],
)  # fmt: skip
def test_a_position_is_liquidated_where_it_is_said_to_be(stage, symbol, code, size, money, leverage):
    """Two ticks before the estimate nothing happens; the liquidation happens within a tick of it."""
    symbol = contract_like(stage, symbol)
    stage.give(*money)
    if leverage:
        stage.isolate(symbol, leverage)
    stage.trade(symbol, size)
    row = stage.margin().liquidation().loc[symbol]
    estimate, tick = row["liquidation_price"], float(stage.exchange.contract(symbol).tick)
    against = math.copysign(1, -size)
    stage.move(**{code: estimate - against * 2 * tick})
    assert not stage.liquidated()
    stage.move(**{code: estimate + against * 5 * tick})
    first, mark = stage.liquidated()[0]
    assert first == symbol
    assert abs(mark - estimate) <= tick


def test_the_exchanges_own_trigger_agrees(stage):
    stage.give("fi_xbtusd", "xbt", 0.1)
    stage.trade("PI_XBTUSD", 50_000)
    stage.trade(contract_like(stage, "FI_XBTUSD"), -8_000)
    row = stage.margin().liquidation().loc["PI_XBTUSD"]
    assert row["underlying_liquidation_price"] == pytest.approx(row["exchange_maintenance_trigger"], rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_an_account_is_liquidated_where_the_whole_market_is_said_to_take_it(stage, seed):
    """All prices move by one fraction, coins included: the first pool falls where its bound is, within 0.01 %."""
    a_portfolio(stage, seed)
    bounds = stage.margin().liquidation_bounds()
    bounds = bounds[bounds["moves"] == MARKET].set_index("pool")
    lower, upper = bounds["lower_move"].max(), bounds["upper_move"].min()
    move = lower if not math.isnan(lower) and (math.isnan(upper) or seed % 2 == 0) else upper
    assert not math.isnan(move)
    pool = bounds.index[(bounds["lower_move"] == move) | (bounds["upper_move"] == move)][0]

    stage.move(**{code: price * (1 + move * (1 - 1e-4)) for code, price in PRICES.items()})
    assert not stage.liquidated()
    stage.move(**{code: price * (1 + move * (1 + 1e-2)) for code, price in PRICES.items()})
    symbol, mark = stage.liquidated()[0]
    held_in = symbol if pool == symbol else "fi_xbtusd" if symbol.startswith("PI_") else "flex"
    assert pool == held_in
    code = symbol.split("_")[1].removesuffix("USD")
    assert mark == pytest.approx(PRICES[code] * (1 + move), rel=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_an_account_is_liquidated_where_one_underlying_is_said_to_take_it(stage, seed):
    """Bitcoin alone moves, perpetual, dated contract and collateral together."""
    a_portfolio(stage, seed)
    bounds = stage.margin().liquidation_bounds()
    bounds = bounds[(bounds["moves"] == "XBT")].set_index("pool")
    lower, upper = bounds["lower_price"].max(), bounds["upper_price"].min()
    price = lower if not math.isnan(lower) and (math.isnan(upper) or seed % 2 == 0) else upper
    assert not math.isnan(price)
    stage.move(XBT=price + (80_000 - price) * 1e-4)
    assert not stage.liquidated()
    stage.move(XBT=price - (80_000 - price) * 1e-2)
    first = next(row for row in stage.account.log if row.info.endswith("liquidation"))
    asset = stage.exchange.contract("PF_XBTUSD").asset
    assert stage.market.index(asset, first.date) == pytest.approx(price, rel=1e-4)
