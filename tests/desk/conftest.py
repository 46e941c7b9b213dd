"""A live exchange that answers the order path from a paper exchange's recorded picture, and sends as a test says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import kfut_analytics as kfut
from kfut_analytics import desk, fate
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.rest.session import RestSession
from kfut_analytics.rest.signing import Signer
from kfut_analytics.settings import Credentials, Secret
from tests.exchanges import open_exchange
from tests.replay import Answer, ReplayServer

ORDER = kfut.Order("PF_XBTUSD", "buy", 0.01, limit_price=60000, cli_ord_id="mine")

Replayed = Callable[..., tuple[kfut.Client, ReplayServer]]


class _Recording(RestSession):
    """Keeps every answer by its path."""

    answers: dict[str, Answer]

    def _send(self, operation, prepared):  # type: ignore[no-untyped-def]
        response = super()._send(operation, prepared)
        path = urlsplit(prepared.url).path
        self.answers[path] = Answer(response.content, response.status_code, response.headers["Content-Type"])
        return response


@pytest.fixture(scope="session")
def picture() -> dict[str, Answer]:
    """What an exchange answers to whatever the order path reads, at one moment; there are no orders and no fills."""
    from kfut_analytics.rest.venue import RestVenue

    with open_exchange() as server:
        session = _Recording(server.base_url, _signer(server), trading=True)
        session.answers = {}
        client = kfut.Client(RestVenue(session, "live"), env="live", trading=True, account_name="")
        client.preview(ORDER)
        for look in (client.fills, client.open_orders, client.order_history, client.trigger_history):
            look()
        client.order_status(cli_ord_ids=["none"])
        client._venue.check_key()  # type: ignore[attr-defined]
        client.close()
        return session.answers


def _signer(server: PaperServer) -> Signer:
    return Signer(Credentials(server.api_key, Secret(server.api_secret)))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called before an order whose fate nobody can know: nobody waits for it."""
    return lambda: monkeypatch.setattr(desk, "PATIENCE", 0.3)


@pytest.fixture
def replayed(replay: Replayed, picture: dict[str, Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Replayed:
    """A client that may trade on a server with the picture's answers and those that are given."""
    homes = itertools.count()
    monkeypatch.setattr(fate, "SETTLE", 0.0)

    def start(answers: dict[str, Answer]) -> tuple[kfut.Client, ReplayServer]:
        monkeypatch.setenv("KFUT_HOME", str(tmp_path / str(next(homes))))
        return replay(picture | answers, trading=True)

    return start
