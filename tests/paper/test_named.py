"""Accounts with names: where they lie, what they begin with, and that none is mistaken for another one."""

import math
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import platformdirs
import pytest

from kfut_analytics import paper
from kfut_analytics.errors import ArgumentError, ConfigurationError, TransportError
from kfut_analytics.paper.keeping.named import (
    Origin,
    account_path,
    accounts_folder,
    create_account,
    list_accounts,
    open_account,
    reset_account,
)
from kfut_analytics.paper.keeping.store import open_stored


def balances(path):
    with closing(open_stored(path)) as store:
        return store.exchange.accounts[path.stem].balances


# Names and places -------------------------------------------------------------------------------------------------


def test_accounts_lie_where_the_caller_or_the_environment_says_or_in_the_users_data(tmp_path, monkeypatch):
    monkeypatch.setenv("KFUT_HOME", str(tmp_path / "named"))
    assert accounts_folder() == tmp_path / "named" / "paper"
    assert accounts_folder(tmp_path / "given") == tmp_path / "given" / "paper"
    monkeypatch.delenv("KFUT_HOME")
    assert accounts_folder() == Path(platformdirs.user_data_dir("kfut_analytics", False)) / "paper"


def test_upper_and_lower_case_are_the_same_account(tmp_path):
    assert account_path("My-Account_2", tmp_path).name == "my-account_2.sqlite"


@pytest.mark.parametrize(
    "name",
    ["", "a b", "../up", "a/b", "a.b", "ü", "x" * 65, "Demo", "empty", "house", "participants", "CON", "com1", 7, None],
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ArgumentError, match=r"account is .*: a name has letters, digits, - and _"):
        account_path(name)


# What they are made with ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "held"),
    [
        ({"USD": 10_000}, {("flex", "usd"): 10_000.0}),
        (
            {"usd": 1, "XBT": 0.5, "eth": Decimal("2.5")},
            {("flex", "usd"): 1.0, ("flex", "xbt"): 0.5, ("flex", "eth"): 2.5},
        ),
        ({"BTC": 0.5, "fi_xbtusd": 0.25}, {("flex", "xbt"): 0.5, ("fi_xbtusd", "xbt"): 0.25}),
        ({"FI_ETHUSD": 3}, {("fi_ethusd", "eth"): 3.0}),
        ({}, {}),
    ],
)
def test_an_account_begins_with_its_balance_and_the_log_says_so(tmp_path, balance, held):
    path = create_account("mine", Origin(balance), home=tmp_path)
    with closing(open_stored(path)) as store:
        account = store.exchange.accounts["mine"]
        assert account.balances == held
        assert {(row.margin_account, row.asset): row.new_balance for row in account.log} == held


def test_an_account_begins_with_10000_usd_unless_told_otherwise(tmp_path):
    path = create_account("mine", home=tmp_path)
    assert balances(path) == {("flex", "usd"): 10_000.0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"balance": {"DOGE": 1}}, r"balance names 'DOGE': give currencies .*USD.* or other wallets .*fi_xbtusd"),
        ({"balance": {"USD": -1}}, "balance has -1 of USD"),
        ({"balance": {"USD": math.nan}}, "balance has nan of USD"),
        ({"balance": {"USD": "10"}}, "balance has '10' of USD"),
        ({"balance": {"USD": True}}, "balance has True of USD"),
        ({"balance": {"USD": 1e13}}, "balance has .* of USD"),
        ({"balance": {"USD": 1, "usd": 2}}, "balance names USD twice"),
        ({"balance": 10_000}, "balance=10000 is no mapping"),
        ({"seed": -1}, "seed=-1 "),
        ({"seed": 2**63}, "seed=9223372036854775808 "),
        ({"seed": 1.0}, "seed=1.0 "),
        ({"market": "moon"}, "market='moon' is not one of 'simulated', 'live'"),
        ({"market_url": "https://example.org"}, "market_url='https://example.org' belongs to market='live'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        Origin(**arguments)


def test_an_account_is_made_once(tmp_path):
    create_account("mine", home=tmp_path)
    with pytest.raises(ConfigurationError, match="exists already"):
        create_account("Mine", home=tmp_path)


def test_an_account_is_opened_with_what_it_was_made_with_or_nothing(tmp_path):
    origin = Origin({"USD": 500, "BTC": 1}, seed=7)
    for again in (origin, Origin(), Origin({"xbt": 1.0, "usd": 500.0}), Origin(seed=7, market="simulated")):
        with closing(open_account("mine", again, home=tmp_path)) as store:
            assert store.exchange.seed == 7
            assert store.exchange.accounts["mine"].balances == {("flex", "usd"): 500.0, ("flex", "xbt"): 1.0}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"balance": {"USD": 400}},
            r"made with balance=\{'USD': 500.0\}, not \{'USD': 400.0\}: leave balance out, or .*",
        ),
        ({"seed": 8}, "made with seed=7, not 8: leave seed out, or .*"),
        ({"market": "live"}, "made with market='simulated', not 'live': leave market out, or .*"),
    ],
)
def test_another_origin_is_refused_and_the_account_left_closed(tmp_path, other, said):
    create_account("mine", Origin({"USD": 500}, seed=7), home=tmp_path)
    with pytest.raises(ArgumentError, match=f"'mine' was {said}kfut paper reset mine"):
        open_account("mine", Origin(**other), home=tmp_path)
    open_account("mine", Origin(), home=tmp_path).close()


def test_an_unknown_account_is_not_made_by_a_slip_of_the_pen(tmp_path):
    create_account("mine", home=tmp_path)
    with pytest.raises(
        ArgumentError, match="'mien': the paper exchange has 'demo', 'empty' and 'mine'; to make it give"
    ):
        open_account("mien", Origin(), home=tmp_path)
    with pytest.raises(ArgumentError, match="speed=0"):
        open_account("mien", Origin({"USD": 1}), speed=0, home=tmp_path)
    assert [account.name for account in list_accounts(tmp_path)] == ["mine"]


def test_a_market_that_cannot_be_followed_leaves_no_file(tmp_path):
    with pytest.raises(TransportError, match=r"http://127\.0\.0\.1:1/.* did not answer: there is no connection"):
        create_account("mine", Origin(market="live", market_url="http://127.0.0.1:1"), home=tmp_path)
    assert list_accounts(tmp_path) == []


# The list, and beginning anew -------------------------------------------------------------------------------------


def test_the_list_shows_open_and_damaged_accounts_too(tmp_path):
    create_account("closed", home=tmp_path)
    create_account("open", Origin({"fi_xbtusd": 2}), home=tmp_path)
    create_account("damaged", home=tmp_path).write_bytes(b"x" * 5000)
    with closing(open_account("open", Origin(), home=tmp_path)):
        closed, damaged, opened = list_accounts(tmp_path)
    assert (closed.name, closed.balances, closed.is_open, closed.trouble) == (
        "closed",
        {("flex", "usd"): 1e4},
        False,
        "",
    )
    assert (opened.name, opened.balances, opened.is_open) == ("open", {("fi_xbtusd", "xbt"): 2.0}, True)
    assert closed.now == pytest.approx(time.time(), abs=60)
    assert closed.size > 1000
    assert "is not the file of a paper account" in damaged.trouble
    assert math.isnan(damaged.now)
    assert list_accounts(tmp_path / "elsewhere") == []


def test_a_reset_begins_anew_with_the_same_key_and_keeps_what_was(tmp_path):
    path = create_account("mine", Origin({"USD": 500}, seed=7), home=tmp_path)
    with closing(open_account("mine", Origin(), home=tmp_path)) as store, store.exchange.transaction():
        store.exchange.accounts["mine"].transfer(store.exchange.now, "flex", "usd", 1.0)
        keys = store.keys
    backup = reset_account("mine", Origin({"USD": 600}), home=tmp_path)
    assert backup.name.startswith("mine.")
    assert backup.parent == path.parent
    assert balances(backup.rename(tmp_path / "mine.sqlite")) == {("flex", "usd"): 501.0}
    with closing(open_account("mine", Origin(seed=7), home=tmp_path)) as store:
        assert store.exchange.accounts["mine"].balances == {("flex", "usd"): 600.0}
        assert {public: key.secret for public, key in store.keys.items()} == {p: k.secret for p, k in keys.items()}


def test_a_damaged_account_can_begin_anew(tmp_path):
    path = create_account("mine", home=tmp_path)
    path.write_bytes(b"x" * 5000)
    backup = reset_account("mine", Origin(), home=tmp_path)
    assert backup.read_bytes() == b"x" * 5000
    assert balances(path) == {("flex", "usd"): 10_000.0}


def test_an_open_or_unknown_account_is_not_reset(tmp_path):
    create_account("mine", home=tmp_path)
    with (
        closing(open_account("mine", Origin(), home=tmp_path)),
        pytest.raises(ConfigurationError, match="open in this process"),
    ):
        reset_account("mine", Origin({"USD": 5}), home=tmp_path)
    with pytest.raises(ArgumentError, match="account is 'other'"):
        reset_account("other", Origin(), home=tmp_path)
    assert [account.name for account in list_accounts(tmp_path)] == ["mine"]


# Serving ----------------------------------------------------------------------------------------------------------


def test_a_kept_account_is_served_and_closed_with_its_server(tmp_path):
    options = {"account": "mine", "home": tmp_path}
    with paper.start(**options, balance={"USD": 500}, seed=3, speed=60) as server:
        assert (server.exchange.seed, server.exchange.clock.speed) == (3, 60)
        assert [account.is_open for account in list_accounts(tmp_path)] == [True]
        key = server.api_key, server.api_secret
        with pytest.raises(ConfigurationError, match="open in this process"):
            paper.start(**options)
    assert [account.is_open for account in list_accounts(tmp_path)] == [False]
    with paper.start(**options) as server:
        assert (server.api_key, server.api_secret) == key
        port = int(server.base_url.rsplit(":", 1)[1])
        create_account("other", home=tmp_path)
        with pytest.raises(OSError, match="in use"):
            paper.start(account="other", home=tmp_path, port=port)
    assert [account.is_open for account in list_accounts(tmp_path)] == [False, False]


@pytest.mark.parametrize(
    "arguments",
    [
        {"account": "empty", "balance": {"USD": 1}},
        {"account": "demo", "market": "live"},
        {"account": "demo", "balance": {}},
    ],
)
def test_accounts_in_memory_are_what_they_are(arguments):
    with pytest.raises(ArgumentError, match=r"has a balance of its own|history is one of a simulated market"):
        paper.start(**arguments)
