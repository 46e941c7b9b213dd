"""Fixtures for all rooms."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kfut_analytics as kfut
from kfut_analytics.rest import budget
from tests.replay import Answer, ReplayServer

SAMPLE_KEY = "sample-public-key-of-the-tests"
SAMPLE_SECRET = "c2FtcGxlIHNlY3JldCBvZiB0aGUgdGVzdHMsIHNpeHR5LWZvdXIgYnl0ZXMgbG9uZyAuLi4uLi4uLi4uLi4uLi4="


def shared_folder() -> Path | None:
    """The folder of recorded payloads and official specifications, which is not part of the project."""
    named = os.environ.get("KFUT_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    return folder / "kraken-futures" if (folder / "kraken-futures").is_dir() else None


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The recorded payloads; skips where they are absent."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("recorded payloads are not on this machine (KFUT_SHARED or ../shared)")
    return folder / "payloads"


@pytest.fixture(autouse=True)
def no_keys_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a key that the developer's shell holds."""
    for name in list(os.environ):
        if name.startswith("KRAKEN_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_limits_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test keeps to limits that the developer's shell sets; those of a file are in the folder that no test sees."""
    for name in list(os.environ):
        if name.startswith("KFUT_MAX_"):
            monkeypatch.delenv(name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """With ``-n auto`` one more than there are processors: many tests wait for a clock, a browser or a process."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def no_files_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is set up for more than one test sees none of the developer's accounts, journals and archives either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KFUT_HOME", str(tmp_path_factory.getbasetemp() / "home"))
        yield


@pytest.fixture(autouse=True)
def home_of_its_own(
    no_files_of_the_user: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No test finds the accounts and the journal of another one, or an order whose fate that one has left open."""
    monkeypatch.setenv("KFUT_HOME", str(tmp_path_factory.getbasetemp() / "homes" / uuid.uuid4().hex))


@pytest.fixture(scope="session", autouse=True)
def no_waiting() -> Iterator[None]:
    """Requests are tried again as they are for users, but at once; tokens that no test server counts are plenty."""
    plenty = {pool: (capacity * 1000, period) for pool, (capacity, period) in budget.LIMITS.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "LIMITS", plenty)
        patch.setattr("kfut_analytics.rest.retry.FIRST_DELAY", 0.0)
        patch.setattr("kfut_analytics.rest.session.LIMIT_PAUSE", 0.0)
        yield


@pytest.fixture
def ctrl_c_counts() -> Iterator[None]:
    """Ctrl-C interrupts; a shell's background jobs, and what they start, would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def replay() -> Iterator[Callable[..., tuple[kfut.Client, ReplayServer]]]:
    """Start a replay server and a live client on it: ``client, server = replay({path: Answer})``."""
    opened: list[tuple[kfut.Client, ReplayServer]] = []

    def start(answers: dict[str, Answer], **options: object) -> tuple[kfut.Client, ReplayServer]:
        server = ReplayServer(answers)
        keys = {"api_key": SAMPLE_KEY, "api_secret": SAMPLE_SECRET}
        client = kfut.connect("live", base_url=server.url, **(keys | options))  # type: ignore[arg-type]
        server.seen.clear()  # what connecting asks is the business of the tests of credentials
        opened.append((client, server))
        return client, server

    yield start
    for client, server in opened:
        client.close()
        server.close()
