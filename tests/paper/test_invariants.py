"""Whatever several accounts do, the books of the exchange hold together."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .flow import RandomFlow

# The full campaign: KFUT_FLOW_ACTIONS=10000.
ACTIONS = int(os.environ.get("KFUT_FLOW_ACTIONS", "400"))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_random_order_flow_leaves_the_books_in_order(seed):
    flow = RandomFlow(seed)
    for number in range(ACTIONS):
        flow.act()
        if number % max(40, ACTIONS // 20) == 0:
            flow.check_all()
    flow.check_all()
    assert flow.statuses["placed"] > ACTIONS / 5


@pytest.mark.parametrize("seed", [0, 1, 6])
def test_liquidations_leave_the_books_in_order(seed):
    flow = RandomFlow(seed, greed=3.0)
    for _ in range(300):
        flow.act()
    flow.check_all()
    infos = {row.info for account in flow.accounts for row in account.log}
    assert infos & {"futures liquidation", "futures partial liquidation"}
