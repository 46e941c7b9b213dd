"""The account log is the truth: replayed, it gives what the account reports."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfut_analytics.contracts import apply_fill
from kfut_analytics.paper.clock import DAY, HOUR, ManualClock
from kfut_analytics.paper.demo import open_demo
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.orders import OrderRequest, Trailing

from .conftest import NOW
from .flow import check_wallets


def check_ledger(account):
    """Replay the log from the first row and compare with balances, positions and fills."""
    balances, legs = {}, {}
    for number, row in enumerate(account.log, 1):
        assert row.id == number
        key = (row.margin_account, row.asset)
        assert row.old_balance == balances.get(key, 0.0), row
        balances[key] = row.new_balance
        if row.execution is not None:
            legs.setdefault(row.execution, []).append(row)
        if row.asset != row.contract and row.contract is not None:
            booked = (row.realized_pnl or 0.0) - row.fee + row.realized_funding
            digits = 4 if row.asset == "usd" else 10
            assert row.new_balance - row.old_balance == pytest.approx(booked, abs=0.6 * 10**-digits)
    for position_leg, cash_leg in legs.values():
        assert position_leg.id + 1 == cash_leg.id
        assert position_leg.asset == position_leg.contract == cash_leg.contract
        assert position_leg.fee is None
        inverse = position_leg.margin_account != "flex"
        change = position_leg.new_balance - position_leg.old_balance
        old_entry = position_leg.old_average_entry_price
        fill = apply_fill(position_leg.old_balance, old_entry, change, position_leg.trade_price, inverse=inverse)
        assert position_leg.new_average_entry_price == pytest.approx(fill.entry_price, rel=1e-9)
        assert cash_leg.realized_pnl == pytest.approx(fill.realized_pnl, abs=1e-4, rel=1e-7)
        assert cash_leg.fee > 0 or change * position_leg.trade_price < 1 or inverse
    sizes = {key[1].upper(): size for key, size in balances.items() if "_" in key[1] and size}
    assert sizes == {symbol: position.size for symbol, position in account.positions.items()}
    assert {key: amount for key, amount in balances.items() if "_" not in key[1]} == account.balances
    assert {fill.fill_id for fill in account.fills} <= legs.keys()
    for fill in account.fills:
        position_leg, cash_leg = legs[fill.fill_id]
        assert position_leg.date == cash_leg.date == fill.time
        assert cash_leg.realized_pnl == fill.realized_pnl


def test_the_demo_account_reconciles(demo):
    account = demo.accounts["demo"]
    check_ledger(account)
    check_wallets(demo, account)


def test_the_demo_account_is_worth_looking_at(demo):
    account = demo.accounts["demo"]
    traded = {fill.symbol[:2] for fill in account.fills}
    assert traded == {"PF", "PI", "FF", "FI"}
    assert 150 <= len(account.fills) <= 400
    assert len(account.log) > 2000
    assert 4 <= len(account.positions) <= 6
    assert {position.size > 0 for position in account.positions.values()} == {True, False}
    assert {position.contract.inverse for position in account.positions.values()} == {True, False}
    assert 3 <= len(account.orders) <= 5
    assert {fill.liquidity for fill in account.fills} == {"maker", "taker"}
    assert any(fill.realized_pnl > 0 for fill in account.fills)
    assert any(fill.realized_pnl < 0 for fill in account.fills)
    span = account.log[-1].date - account.log[0].date
    assert span == pytest.approx(90 * DAY, abs=DAY)
    flex = demo.flex(account)
    assert 0.12 < flex.required.initial_with_orders / flex.margin_equity < 0.45


def test_the_demo_account_is_the_same_for_everybody_on_a_day(demo):
    later = open_demo(0, ManualClock(NOW + 6 * HOUR)).accounts["demo"]
    account = demo.accounts["demo"]
    assert later.log[: len(account.log)] == account.log
    assert later.fills[: len(account.fills)] == account.fills
    other = open_demo(1, ManualClock(NOW)).accounts["demo"]
    assert other.fills != account.fills


SYMBOLS = ("PF_XBTUSD", "PF_DOGEUSD", "PI_ETHUSD", "FI_XBTUSD", "FF_ETHUSD")
ACTIONS = st.one_of(
    st.tuples(
        st.just("send"),
        st.sampled_from(SYMBOLS),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["mkt", "lmt", "post", "ioc", "fok", "stp", "take_profit", "trailing_stop"]),
        st.integers(1, 60),
        st.integers(-30, 30),
        st.booleans(),
    ),
    st.tuples(st.just("wait"), st.sampled_from([0.4, 30.0, 1000.0, 40_000.0])),
    st.tuples(st.just("cancel")),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTIONS, max_size=40))
def test_random_order_flow_keeps_the_books(actions):
    exchange = Exchange(seed=2, clock=ManualClock(NOW))
    account = exchange.open_account("a")
    for wallet, currency, amount in (("flex", "usd", 20_000.0), ("fi_xbtusd", "xbt", 0.5), ("fi_ethusd", "eth", 5.0)):
        account.transfer(exchange.now, wallet, currency, amount)
    for action in actions:
        if action[0] == "wait":
            exchange.advance(action[1])
        elif action[0] == "cancel":
            exchange.cancel_all(account)
            assert not account.orders
        else:
            _, prefix, side, kind, units, distance, reduce_only = action
            contract = next(c for c in exchange.contracts.values() if c.symbol.startswith(prefix))
            mark = exchange.market.mark(contract, exchange.now)
            ticks = round(mark * (1 + distance / 1000) / float(contract.tick))
            price = ticks * contract.tick
            size = (
                Decimal(units * 50)
                if contract.inverse
                else round(units * 50 / mark / float(contract.step)) * contract.step
            )
            trigger, trails = kind in ("stp", "take_profit"), kind == "trailing_stop"
            before = (dict(account.balances), len(account.log), len(account.orders))
            outcome = exchange.submit(
                account,
                OrderRequest(
                    contract.symbol,
                    side,
                    kind,
                    size,
                    limit_price=None if kind == "mkt" or trigger or trails else price,
                    stop_price=price if trigger else None,
                    reduce_only=reduce_only,
                    trailing=Trailing(Decimal(1 + units % 3), "PERCENT") if trails else None,
                ),
            )
            if outcome.status != "placed":
                assert before == (account.balances, len(account.log), len(account.orders))
        check_wallets(exchange, account)
    check_ledger(account)
