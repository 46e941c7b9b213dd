"""``kfut.recording``: a session replays with no exchange and no key, and the file holds nothing secret."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics import errors


def look(client: kfut.Client) -> list[pd.DataFrame]:
    return [client.positions(), client.fills(start="-20d"), client.account_log(start="-1d")]


def test_an_order_replays_although_its_id_is_a_fresh_one(tmp_path: Path) -> None:
    path = tmp_path / "order.yaml"
    order = kfut.Order("PF_ETHUSD", "buy", 0.1, limit_price=2500)
    with kfut.recording(path), kfut.connect(trading=True, account="empty") as client:
        placed = client.place(order)
    with kfut.recording(path), kfut.connect(trading=True, account="empty") as client:
        assert client.place(order) == placed
    missing = pytest.raises(errors.ArgumentError, match="holds no answer to GET")
    with missing, kfut.recording(path), kfut.connect(account="empty") as client:
        client.fills()


def test_a_session_replays_offline_without_a_key(tmp_path: Path) -> None:
    path = tmp_path / "session.yaml"
    with kfut.paper.start() as server:
        keys = {"api_key": server.api_key, "api_secret": server.api_secret}
        with kfut.recording(path), kfut.connect("live", base_url=server.base_url, **keys) as client:
            recorded, shown = look(client), repr(client)
    text = path.read_text()
    assert server.api_key not in text
    assert server.api_secret not in text
    assert "Authent" not in text
    assert "account_uid" not in text
    assert '"accountUid":"00000000-0000-0000-0000-000000000000"' in text
    with kfut.recording(path), kfut.connect("live") as client:
        replayed = look(client)
        # Asking twice is answered twice.
        assert client.positions().equals(replayed[0])
    assert "FULL_ACCESS" in shown
    for before, after in zip(recorded, replayed, strict=True):
        assert not before.empty
        pd.testing.assert_frame_equal(before, after)


def test_recording_again_replaces(tmp_path: Path) -> None:
    path = tmp_path / "session.yaml"
    path.write_text("not a recording")
    with pytest.raises(errors.ArgumentError, match="again=True"), kfut.recording(path):
        pass
    with kfut.recording(path, again=True), kfut.connect() as client:
        first = client.tickers()
    with kfut.recording(path), kfut.connect() as client:
        pd.testing.assert_frame_equal(first, client.tickers())


def test_outside_a_recording_a_key_is_needed_again(tmp_path: Path) -> None:
    path = tmp_path / "session.yaml"
    with kfut.recording(path), kfut.connect() as client:
        client.tickers()
    with kfut.recording(path):
        pass
    with kfut.connect("live") as client, pytest.raises(errors.CredentialsError):
        client.positions()
