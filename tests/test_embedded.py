"""Clients of paper accounts in this process: who shares what, and when it is closed."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import pytest

import kfut_analytics as kfut
from kfut_analytics import errors
from kfut_analytics.paper.keeping.named import list_accounts


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KFUT_HOME", str(tmp_path))
    return tmp_path


def is_open(home: Path) -> dict[str, bool]:
    return {account.name: account.is_open for account in list_accounts(home)}


def threads() -> int:
    return sum(thread.name == "kfut-paper" for thread in threading.enumerate())


def test_a_kept_account_goes_on_where_it_was_closed(home: Path) -> None:
    with kfut.connect("paper", account="mine", balance={"USD": 10_000, "fi_xbtusd": 0.5}, trading=True) as client:
        assert "account 'mine'" in repr(client)
        placed = client.place(kfut.Order("PF_XBTUSD", "buy", 0.01))
        positions = client.positions()["signed_size"].to_dict()
    assert is_open(home) == {"mine": False}
    with kfut.connect(account="mine") as client:
        assert client.positions()["signed_size"].to_dict() == positions == {"PF_XBTUSD": 0.01}
        assert list(client.fills()["order_id"]) == [placed.order_id]
        assert client.wallets().loc["fi_xbtusd", "portfolio_value"] == 0.5
        assert kfut.pnl(client.account_log()).reconcile() is not None


def test_the_last_client_closes_the_account(home: Path) -> None:
    before = threads()
    first = kfut.connect(account="mine", balance={"USD": 1})
    second, other = kfut.connect(account="Mine"), kfut.connect(account="other", balance={"USD": 2})
    assert threads() == before + 2
    first.close()
    first.close()
    assert second.account().balance_value == 1
    assert is_open(home) == {"mine": True, "other": True}
    second.close()
    assert is_open(home) == {"mine": False, "other": True}
    other.close()
    assert is_open(home) == {"mine": False, "other": False}
    assert threads() == before


def test_a_client_that_is_forgotten_keeps_nothing_open(home: Path) -> None:
    forgotten, kept = kfut.connect(account="mine", balance={"USD": 1}), kfut.connect(account="mine")
    forgotten._venue.close()
    del forgotten
    gc.collect()
    kept.close()
    assert is_open(home) == {"mine": False}


def test_accounts_of_two_folders_are_two_accounts(home: Path) -> None:
    with (
        kfut.connect(account="mine", balance={"USD": 1}) as one,
        kfut.connect(account="mine", balance={"USD": 2}, home=home / "second") as two,
    ):
        assert (one.account().balance_value, two.account().balance_value) == (1, 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"balance": {"USD": 2}}, "made with balance"),
        ({"seed": 5}, "made with seed"),
        ({"speed": 60}, "is open at speed 1, not 60: close its clients first"),
    ],
)
def test_an_open_account_is_not_opened_otherwise(home: Path, options: dict[str, object], said: str) -> None:
    with kfut.connect(account="mine", balance={"USD": 1}) as client:
        with pytest.raises(errors.ArgumentError, match=said):
            kfut.connect(account="mine", **options)  # type: ignore[arg-type]
        with kfut.connect(account="mine", speed=1, seed=0, balance={"usd": 1.0}) as again:
            assert again.account().balance_value == client.account().balance_value


def test_an_account_that_cannot_be_opened_leaves_nothing_open(home: Path) -> None:
    before = threads()
    for options in ({"account": "nobody"}, {"account": "mine", "balance": {"USD": 1}, "speed": -1}):
        with pytest.raises(errors.ArgumentError):
            kfut.connect(**options)  # type: ignore[arg-type]
    assert is_open(home) == {}
    assert threads() == before


@pytest.mark.parametrize("option", ["balance", "seed", "speed", "market", "market_url", "home"])
@pytest.mark.parametrize("where", [{"env": "live"}, {"base_url": "http://127.0.0.1:1"}])
def test_what_belongs_to_the_embedded_exchange_is_refused_elsewhere(where: dict[str, str], option: str) -> None:
    with pytest.raises(errors.ArgumentError, match=f"{option} can be chosen for the embedded paper exchange only"):
        kfut.connect(**where, **{option: 1})  # type: ignore[arg-type]


def address(client: kfut.Client) -> str:
    venue: Any = client._venue
    return str(venue._session.base_url)


def test_accounts_in_memory_are_shared_by_clients_with_the_same_options() -> None:
    with (
        kfut.connect(account="empty", seed=11) as one,
        kfut.connect(account="empty", seed=11) as same,
        kfut.connect(account="empty", seed=12) as other,
    ):
        assert address(one) == address(same)
        assert address(one) != address(other)
