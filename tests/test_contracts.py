"""Contract arithmetic against the exchange's published examples and against algebra."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfut_analytics import contracts
from kfut_analytics.contracts import MarginTier, apply_fill, margin_requirement, pnl, round_to_step

prices = st.floats(min_value=0.01, max_value=1e6)
sizes = st.floats(min_value=0.001, max_value=1e6)
sides = st.sampled_from([1.0, -1.0])
kinds = st.booleans()


def test_published_profit_of_an_inverse_contract() -> None:
    # Support article 360022835511: 10,000 contracts from 2500 to 2800 make 0.428571 ETH.
    assert pnl(10_000, 2500, 2800, inverse=True) == pytest.approx(0.428571, abs=5e-7)


def test_published_profit_of_a_linear_contract() -> None:
    # The same article: 5 BTC from 35,000 to 40,000 make 25,000 USD.
    assert pnl(5, 35_000, 40_000, inverse=False) == 25_000


def test_a_real_covered_short() -> None:
    # From a real account-log export: P&L and fee as booked, to the log's four decimals.
    assert round(pnl(-0.021, 60504.4396551724, 60997, inverse=False), 4) == -10.3438
    assert round(contracts.fee(-0.021, 60997, 0.0005, inverse=False), 4) == 0.6405


def test_a_real_average_entry() -> None:
    entry = contracts.average_entry(-0.0214, 60505, -0.0002, 60504, inverse=False)
    assert entry == pytest.approx(60504.990741, abs=5e-7)


def test_a_real_funding_payment() -> None:
    # 250 contracts at the recorded absolute rate; the log shows -0.0002, rounded.
    assert contracts.funding_payment(250, 9.288451412e-07) == pytest.approx(-2.322e-4, rel=1e-3)


def test_relative_funding_rates_of_real_tickers_give_their_index() -> None:
    assert pytest.approx(42597, abs=1) == 0.858943 / 2.01646e-5
    assert contracts.relative_funding_rate(0.858943, 42597, inverse=False) == pytest.approx(2.01646e-5, rel=1e-4)
    assert contracts.relative_funding_rate(8.1586e-10, 20713, inverse=True) == pytest.approx(1.68989e-5, rel=1e-4)


def test_fee_of_an_inverse_contract() -> None:
    # 100,000 contracts at 50,000 and 0.04 % cost 0.0008 BTC.
    assert contracts.fee(100_000, 50_000, 0.0004, inverse=True) == pytest.approx(0.0008)


@given(sides, sizes, prices, prices, kinds)
def test_pnl_is_antisymmetric_in_side_and_zero_at_entry(
    side: float, size: float, entry: float, exit_price: float, inverse: bool
) -> None:
    assert pnl(side * size, entry, exit_price, inverse=inverse) == -pnl(
        -side * size, entry, exit_price, inverse=inverse
    )
    assert pnl(side * size, entry, entry, inverse=inverse) == 0


@given(sides, sizes, st.floats(min_value=0, max_value=1), prices, prices, kinds)
def test_pnl_is_additive_over_partial_closes(
    side: float, size: float, part: float, entry: float, exit_price: float, inverse: bool
) -> None:
    whole = pnl(side * size, entry, exit_price, inverse=inverse)
    pieces = [pnl(side * size * share, entry, exit_price, inverse=inverse) for share in (part, 1 - part)]
    scale = size * max(entry, exit_price) if not inverse else size / min(entry, exit_price)
    assert math.isclose(whole, sum(pieces), rel_tol=0, abs_tol=1e-9 * scale)


@given(sides, sizes, sizes, prices, prices, prices, kinds)
def test_average_entry_leaves_the_pnl_of_the_sum_unchanged(
    side: float, size: float, added: float, entry: float, price: float, exit_price: float, inverse: bool
) -> None:
    average = contracts.average_entry(side * size, entry, side * added, price, inverse=inverse)
    assert min(entry, price) * (1 - 1e-9) <= average <= max(entry, price) * (1 + 1e-9)
    together = pnl(side * (size + added), average, exit_price, inverse=inverse)
    apart = pnl(side * size, entry, exit_price, inverse=inverse) + pnl(side * added, price, exit_price, inverse=inverse)
    total = size + added
    scale = total * max(entry, price, exit_price) if not inverse else total / min(entry, price, exit_price)
    assert math.isclose(together, apart, rel_tol=0, abs_tol=1e-9 * scale)


@given(st.lists(st.tuples(sides, sizes, prices), min_size=1, max_size=20), prices, kinds)
def test_realised_and_unrealised_pnl_together_are_the_cash_flow(
    fills: list[tuple[float, float, float]], mark: float, inverse: bool
) -> None:
    """Whatever the path of increases, reductions and reversals: the sum equals marking each fill to the end."""
    size = entry = realized = 0.0
    for side, amount, price in fills:
        fill = apply_fill(size, entry, side * amount, price, inverse=inverse)
        size, entry, realized = fill.size, fill.entry_price, realized + fill.realized_pnl
    total = realized + (pnl(size, entry, mark, inverse=inverse) if size else 0.0)
    expected = sum(pnl(side * amount, price, mark, inverse=inverse) for side, amount, price in fills)
    every_price = [mark, *(price for _, _, price in fills)]
    traded = sum(amount for _, amount, _ in fills)
    scale = traded / min(every_price) if inverse else traded * max(every_price)
    assert math.isclose(total, expected, rel_tol=0, abs_tol=1e-8 * scale)


def test_reversal_restarts_at_the_fill_price_and_flat_has_no_entry() -> None:
    reversed_ = apply_fill(2.0, 100.0, -5.0, 110.0, inverse=False)
    assert (reversed_.size, reversed_.entry_price, reversed_.realized_pnl) == (-3.0, 110.0, 20.0)
    flat = apply_fill(2.0, 100.0, -2.0, 90.0, inverse=False)
    assert (flat.size, flat.entry_price, flat.realized_pnl) == (0.0, 0.0, -20.0)


TIERS = [MarginTier(0, 0.02, 0.01), MarginTier(500_000, 0.04, 0.02), MarginTier(1_000_000, 0.06, 0.03)]


def test_margin_is_bracketed_like_an_income_tax() -> None:
    assert margin_requirement(400_000, TIERS) == pytest.approx(8_000)
    assert margin_requirement(-750_000, TIERS) == pytest.approx(500_000 * 0.02 + 250_000 * 0.04)
    assert margin_requirement(1_200_000, TIERS, maintenance=True) == pytest.approx(5_000 + 10_000 + 6_000)
    assert margin_requirement(400_000, TIERS, leverage=5) == pytest.approx(80_000)


@given(st.floats(min_value=0, max_value=1e8), st.floats(min_value=0, max_value=1e8))
def test_margin_grows_with_size_and_is_convex(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert margin_requirement(low, TIERS) <= margin_requirement(high, TIERS)
    middle = margin_requirement((low + high) / 2, TIERS)
    assert middle <= (margin_requirement(low, TIERS) + margin_requirement(high, TIERS)) / 2 + 1e-6


def test_no_tiers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one margin tier"):
        margin_requirement(1, [])


steps = st.sampled_from([Decimal("0.5"), Decimal("1e-10"), Decimal("0.0001"), Decimal(1), Decimal(1000)])


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=12), steps)
def test_rounding_never_crosses_the_step(value: Decimal, step: Decimal) -> None:
    down, up, near = (round_to_step(value, step, how) for how in ("down", "up", "nearest"))  # type: ignore[arg-type]
    assert down <= value <= up < down + 2 * step
    assert near in (down, up)
    assert abs(near - value) <= step / 2
    assert down % step == up % step == 0


@given(st.decimals(min_value=Decimal("1e-10"), max_value=10**12, allow_nan=False, places=10))
def test_plain_text_has_no_exponent_and_loses_nothing(value: Decimal) -> None:
    text = contracts.plain(value)
    assert "E" not in text.upper()
    assert Decimal(text) == value


def test_size_steps_of_negative_precisions() -> None:
    assert contracts.size_step(-3) == 1000
    assert contracts.size_step(4) == Decimal("0.0001")


rows = st.lists(st.tuples(sides, sizes, prices, prices, kinds), min_size=1, max_size=10)


@given(rows)
def test_columns_of_mixed_contracts_equal_their_scalars(data: list[tuple[float, float, float, float, bool]]) -> None:
    size = pd.Series([side * amount for side, amount, *_ in data], index=range(5, 5 + len(data)))
    entry, mark = pd.Series([d[2] for d in data], size.index), pd.Series([d[3] for d in data], size.index)
    inverse = [d[4] for d in data]
    for column, one in (
        (pnl(size, entry, mark, inverse=inverse), lambda s, e, m, i: pnl(s, e, m, inverse=i)),
        (contracts.fee(size, mark, 0.0005, inverse=inverse), lambda s, e, m, i: contracts.fee(s, m, 0.0005, inverse=i)),
        (contracts.notional(size, mark, inverse=inverse), lambda s, e, m, i: contracts.notional(s, m, inverse=i)),
        (
            contracts.average_entry(size, entry, size, mark, inverse=inverse),
            lambda s, e, m, i: contracts.average_entry(s, e, s, m, inverse=i),
        ),
        (
            contracts.relative_funding_rate(size, mark, inverse=inverse),
            lambda s, e, m, i: contracts.relative_funding_rate(s, m, inverse=i),
        ),
    ):
        assert column.tolist() == [one(*row) for row in zip(size, entry, mark, inverse, strict=True)]
        assert column.index.equals(size.index)
    plain_arrays = pnl(size.to_numpy(), entry.to_numpy(), mark.to_numpy(), inverse=np.array(inverse))
    assert plain_arrays.tolist() == pnl(size, entry, mark, inverse=inverse).tolist()


@given(st.lists(st.floats(min_value=-1e8, max_value=1e8), min_size=1), st.sampled_from([None, 5.0]), st.booleans())
def test_margin_of_a_column_equals_its_scalars(values: list[float], leverage: float | None, maintenance: bool) -> None:
    column = margin_requirement(pd.Series(values), TIERS, leverage=leverage, maintenance=maintenance)
    each = [margin_requirement(v, TIERS, leverage=leverage, maintenance=maintenance) for v in values]
    assert column.tolist() == each


def test_rounding_of_a_column() -> None:
    rounded = round_to_step(pd.Series([0.30000000000000004, 1499.0]), Decimal(1000), "down")
    assert rounded.tolist() == [Decimal(0), Decimal(1000)]
    assert round_to_step(np.array([0.1 + 0.2]), 0.1).tolist() == [Decimal("0.3")]


@given(prices, prices, kinds)
def test_relative_and_absolute_funding_rates_undo_each_other(rate: float, index: float, inverse: bool) -> None:
    relative = contracts.relative_funding_rate(rate, index, inverse=inverse)
    assert contracts.absolute_funding_rate(relative, index, inverse=inverse) == pytest.approx(rate)


@given(sides, sizes, st.floats(-1, 1), st.floats(0, 24))
def test_funding_moves_from_one_side_to_the_other(side: float, size: float, rate: float, hours: float) -> None:
    paid = contracts.funding_payment(side * size, rate, hours)
    assert paid == -contracts.funding_payment(-side * size, rate, hours)
    assert paid * side * rate <= 0


@pytest.mark.parametrize(
    ("name", "inverse"),
    [
        ("futures_inverse", True),
        ("flexible_futures", False),
        ("PI_XBTUSD", True),
        ("fi_xbtusd_261225", True),
        ("PF_XBTUSD", False),
        ("FF_XBTUSD_261225", False),
    ],
)
def test_kinds_of_contract(name: str, inverse: bool) -> None:
    assert contracts.is_inverse(name) is inverse
