"""A demo account on an exchange whose clock stands still, and clients of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kfut_analytics as kfut
from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_demo
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey
from kfut_analytics.rest.session import RestSession

OPENED = 1_795_334_400.0 + 1234.5
"""2026-11-22, some minutes after 08:00 UTC."""


@pytest.fixture(scope="session")
def demo() -> Iterator[PaperServer]:
    """An exchange that nobody changes; its demo account has 90 days of history."""
    server = PaperServer(open_demo(0, ManualClock(OPENED)), ApiKey("demo"))
    yield server
    server.close()


@pytest.fixture
def moving() -> Iterator[PaperServer]:
    """The same for tests that let time pass and trade: ``server.exchange.clock.advance(seconds)``."""
    server = PaperServer(open_demo(0, ManualClock(OPENED)), ApiKey("demo"))
    yield server
    server.close()


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Archives of one test are not found by another."""
    monkeypatch.setenv("KFUT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for tokens: the paper exchange refuses none."""
    monkeypatch.setattr("kfut_analytics.rest.budget.LIMITS", {"derivatives": (10**9, 10.0), "history": (10**9, 600.0)})
    monkeypatch.setattr("kfut_analytics.rest.budget._BUDGETS", {})


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages as small as if there were much more history."""
    monkeypatch.setattr("kfut_analytics.rest.paging.EVENTS_PAGE", 30)
    monkeypatch.setattr("kfut_analytics.rest.paging.LOG_PAGE", 100)


Opener = Callable[..., kfut.Client]


@pytest.fixture
def open_client() -> Iterator[Opener]:
    """``open_client(server, **options of connect)``."""
    opened: list[kfut.Client] = []

    def start(server: PaperServer, **options: object) -> kfut.Client:
        keys = {"base_url": server.base_url, "api_key": server.api_key, "api_secret": server.api_secret}
        opened.append(kfut.connect("paper", **(keys | options)))  # type: ignore[arg-type]
        return opened[-1]

    yield start
    for client in opened:
        client.close()


@pytest.fixture
def requests_sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the operations that were sent; clear it to begin anew."""
    sent: list[str] = []
    original = RestSession.request

    @functools.wraps(original)
    def counted(self, operation, *arguments, **options):  # type: ignore[no-untyped-def]
        sent.append(operation.name)
        return original(self, operation, *arguments, **options)

    monkeypatch.setattr(RestSession, "request", counted)
    return sent
