"""Accounts, margin, charts and report on the demo account of the paper exchange, through a real client."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

import kfut_analytics as kfut


@pytest.fixture(scope="module")
def client():
    with kfut.connect() as opened:
        yield opened


@pytest.fixture(scope="module")
def accounts(client):
    return kfut.pnl(client.account_log())


def test_every_balance_reconciles(accounts):
    bridge = accounts.reconcile()
    assert len(bridge) >= 3
    assert (bridge["unexplained"] == 0).all()
    assert (bridge["breaks"] == 0).all()
    parts = bridge[["net", "interest", "conversion", "transfer", "kfee", "tax", "other"]].sum(axis=1)
    np.testing.assert_allclose(bridge["opening"] + parts, bridge["closing"], atol=1e-8)
    assert accounts.notes() == []


def test_closing_balances_are_the_wallets(client, accounts):
    closing = accounts.reconcile().set_index(["account", "currency"])["closing"]
    held = client.accounts()
    held["currency"] = held["currency"].replace("BTC", "XBT")  # the multi-collateral wallet says BTC
    held = held.set_index(["account", "currency"])["quantity"]
    for key, value in closing.items():
        assert held[key] == pytest.approx(value, abs=1e-6)


def test_tables_agree_with_each_other(accounts):
    by_contract = accounts.by_contract().groupby("currency")["net"].sum()
    np.testing.assert_allclose(accounts.daily().groupby("currency")["net"].sum(), by_contract, atol=1e-8)
    np.testing.assert_allclose(accounts.cumulative().groupby("currency")["net"].last(), by_contract, atol=1e-8)


def test_margin_by_tiers_is_the_exchanges_own(client):
    usage = kfut.margin(client).usage()
    np.testing.assert_allclose(usage["computed_initial_margin"], usage["initial_margin"], rtol=5e-3, atol=1e-8)
    np.testing.assert_allclose(usage["computed_maintenance_margin"], usage["maintenance_margin"], rtol=5e-3, atol=1e-8)
    assert usage["usage"].between(0, 1).all()


def test_charts(client, accounts):
    for draw in (
        lambda ax: kfut.plots.pnl(accounts, ax, env=client.env),
        lambda ax: kfut.plots.margin_usage(kfut.margin(client), ax, theme="dark"),
    ):
        figure = Figure(layout="constrained")
        ax = draw(figure.subplots())
        figure.draw_without_rendering()
        assert "PAPER" in [text.get_text() for text in ax.findobj(mpl.text.Text)]


def test_report(client, tmp_path):
    written = kfut.report(client, tmp_path / "report.html", start="-90d").read_text(encoding="utf-8")
    assert ">PAPER</span>" in written
    assert "All balances reconcile" in written
    assert len(written.encode()) < 1_000_000
