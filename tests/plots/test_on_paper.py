"""Every chart on the demo account of the paper exchange, as a notebook calls it."""

from __future__ import annotations

import pytest

import kfut_analytics as kfut
from kfut_analytics import plots
from tests.plots.drawn import panel, texts

SYMBOL = "PF_XBTUSD"


@pytest.fixture(scope="module")
def client():
    with kfut.connect() as opened:
        yield opened


@pytest.fixture(scope="module")
def made(client):
    """What the charts draw, by name of the chart."""
    pnl, margin, equity = kfut.pnl(client.account_log()), kfut.margin(client), kfut.equity(client, start="-20d")
    candles = {kind: client.candles(SYMBOL, "4h", start="-30d", tick_type=kind) for kind in ("trade", "mark", "spot")}
    own = {
        "fills": client.fills(start="-30d"), "positions": client.positions(), "open_orders": client.open_orders(),
    }  # fmt: skip
    return {
        "basis": lambda ax: plots.basis(candles["mark"], candles["spot"], ax),
        "bridge": lambda ax: plots.bridge(equity, ax),
        "daily_pnl": lambda ax: plots.daily_pnl(pnl, ax),
        "depth": lambda ax: plots.depth(client.order_book(SYMBOL), ax),
        "equity_curve": lambda ax: plots.equity_curve(equity, ax),
        "exposure": lambda ax: plots.exposure(margin, ax),
        "funding_paid": lambda ax: plots.funding_paid(pnl, ax),
        "funding_rates": lambda ax: plots.funding_rates(client.funding_rates([SYMBOL, "PF_ETHUSD"], start="-3d"), ax),
        "liquidation": lambda ax: plots.liquidation(margin, ax),
        "margin_history": lambda ax: plots.margin_history(margin.history(start="-5d"), ax),
        "margin_usage": lambda ax: plots.margin_usage(margin, ax),
        "pnl": lambda ax: plots.pnl(pnl, ax),
        "pnl_by_contract": lambda ax: plots.pnl_by_contract(pnl, ax),
        "pnl_distribution": lambda ax: plots.pnl_distribution(pnl, ax),
        "price": lambda ax: plots.price(candles["trade"], ax, **own),
        "round_trips": lambda ax: plots.round_trips(pnl, ax),
        "stress": lambda ax: plots.stress(margin, ax),
        "stress_map": lambda ax: plots.stress_map(margin, ax),
        "term_structure": lambda ax: plots.term_structure(client.tickers(), client.instruments(), ax),
        "underwater": lambda ax: plots.underwater(equity, ax),
    }


@pytest.mark.parametrize("name", sorted(set(plots.__all__) - {"equity"}))
def test_it_draws_and_says_where_it_is_from(made, name):
    ax = made[name](panel())
    written = texts(ax)
    assert "PAPER" in written
    assert any(text.startswith("as of ") for text in written)
    assert ax.get_legend() is not None  # no sentence instead of a chart


def test_the_frames_say_which_contract_they_are_of(made):
    for name in ("price", "depth", "basis"):
        assert any(SYMBOL in text for text in texts(made[name](panel())))
