"""A kernel is killed with the dead man's switch armed: the exchange acts by itself, and the next client tells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import kfut_analytics as kfut

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def killed(stage: Any) -> None:
    """A kernel has sent orders and armed the switch, and was killed in the middle of waiting."""
    keys = [stage.server.base_url, stage.server.api_key, stage.server.api_secret]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "tests.guards.child", *keys]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.kill()


def test_the_exchange_cancels_by_itself_and_the_next_client_tells(
    stage: Any, killed: None, caplog: pytest.LogCaptureFixture
) -> None:
    stage.exchange.advance(59.5)
    assert len(stage.account.orders) == 3  # the order and both exits: its time is not over yet
    stage.exchange.advance(1.0)
    assert stage.account.orders == {}
    assert [closed.reason for closed in stage.account.closed if closed.status == "CANCELLED"] == ["DEAD_MAN_SWITCH"] * 3
    keys = {"api_key": stage.server.api_key, "api_secret": stage.server.api_secret}
    with kfut.connect("paper", base_url=stage.server.base_url, trading=True, **keys) as client:
        assert "armed a dead man's switch of 60 s" in caplog.text
        assert "a bracket of a former session in PF_XBTUSD is watched by nobody" in caplog.text
        journal = client.journal().set_index("kind")
        assert journal.loc["dead_man", "status"] == "left"
        (bracket,) = client.watch_brackets()
        assert (bracket.state, bracket.filled) == ("unprotected", 0.5)
        client.cancel_bracket(bracket, flatten=True)
    assert stage.account.positions == {}
    caplog.clear()
    kfut.connect("paper", base_url=stage.server.base_url, trading=True, **keys).close()
    assert caplog.text == ""  # it is told once, and nothing else is left
