"""Whatever happens to an account of the paper exchange, its P&L reconciles, and the exchange's other lists agree."""

import numpy as np
import pytest

import kfut_analytics as kfut
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey
from kfut_analytics.pnl import NON_TRADING

from ..paper.flow import RandomFlow


@pytest.fixture(scope="module", params=[12, 21])
def flow(request):
    """Accounts that traded too much: among what happened are liquidations, and fees that were paid in credits."""
    flow = RandomFlow(request.param, greed=2.0)
    for _ in range(900):
        flow.act()
    return flow


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_random_account_reconciles(flow, name):
    key, account = ApiKey(name), flow.exchange.accounts[name]
    with (
        PaperServer(flow.exchange, key) as server,
        kfut.connect("paper", base_url=server.base_url, api_key=key.public, api_secret=key.secret) as client,
    ):
        pnl = kfut.pnl(client.account_log())
        positions, fills = client.position_history(), client.executions()
    table = pnl.reconcile()
    assert len(table) >= 3
    assert (table["unexplained"] == 0).all()
    assert pnl.gaps().empty
    changes = ["net", *NON_TRADING, "rounding", "unexplained"]
    np.testing.assert_allclose(table["opening"] + table[changes].sum(axis=1), table["closing"], rtol=0, atol=1e-8)
    closing = table.set_index(["account", "currency"])["closing"]
    for (wallet, currency), amount in account.balances.items():
        assert closing[wallet, currency.upper()] == pytest.approx(amount, abs=1e-9)
    assert set(pnl.check_positions(positions)["status"]) == {"equal"}
    assert set(pnl.check_fills(fills)["status"]) <= {"equal", "paid in KFEE"}
    assert len(pnl.check_fills(fills)) == len(account.fills)
