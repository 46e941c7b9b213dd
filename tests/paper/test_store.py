"""An exchange in a file: what it holds survives, a part of a request never does, and a wrong file is refused."""

import copy
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections import deque
from contextlib import closing, suppress
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from kfut_analytics.errors import ConfigurationError
from kfut_analytics.paper.clock import HOUR, ManualClock
from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.leverage import LeverageError, change_leverage
from kfut_analytics.paper.engine.orders import EditRequest, Order, OrderRequest, Trailing
from kfut_analytics.paper.keeping.files import AccountFile, is_file, is_open
from kfut_analytics.paper.keeping.store import IDLE_SECONDS, Settings, create, open_stored, settings_of
from kfut_analytics.paper.market.states import MarketState
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .conftest import NOW, Wire
from .test_ledger import check_ledger

REPOSITORY = Path(__file__).resolve().parents[2]
SYMBOLS = {"PF_XBTUSD": "0.001", "PF_ETHUSD": "0.01", "PF_DOGEUSD": "100", "PI_XBTUSD": "10"}


@pytest.fixture
def path(tmp_path):
    """The file of an account with 50,000 USD and one bitcoin, which opened at NOW."""
    exchange = Exchange(seed=2, clock=ManualClock(NOW))
    account = exchange.open_account("mine")
    account.transfer(NOW, "flex", "usd", 50_000.0)
    account.transfer(NOW, "fi_xbtusd", "xbt", 1.0)
    settings = Settings("mine", NOW, {"USD": 50_000.0, "fi_xbtusd": 1.0}, 2, "simulated", None)
    create(tmp_path / "mine.sqlite", settings, exchange, [ApiKey("mine")])
    return tmp_path / "mine.sqlite"


def state(exchange):
    """Everything that an exchange has, in a form that can be compared, and what ids come next."""
    accounts = {
        account.name: {field.name: getattr(account, field.name) for field in fields(Account) if field.name != "new_id"}
        for account in (*exchange.everybody(), exchange.house)
    }
    # Two dicts are equal in any order, but orders have theirs.
    ranks = {name: list(account.orders) for name, account in exchange.accounts.items()}
    engine = {name: getattr(exchange, name) for name in ("now", "tape", "sequences")}
    return copy.deepcopy((accounts, ranks, engine, exchange._random.getstate()))


def without_places(value):
    """Orders without their places in the queue, which count the participants' quotes, too."""
    if isinstance(value, Order):
        return replace(value, priority=0)
    if is_dataclass(value):
        return [without_places(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, dict):
        return {key: without_places(item) for key, item in value.items()}
    return list(map(without_places, value)) if isinstance(value, list | tuple | deque) else value


def request(symbol, side, size, kind="mkt", limit=None, stop=None, **more):
    prices = {
        "limit_price": None if limit is None else Decimal(str(limit)),
        "stop_price": None if stop is None else Decimal(str(stop)),
    }
    return OrderRequest(symbol, side, kind, Decimal(str(size)), **prices, **more)


def act(exchange, rng, number):
    """Something that a trader does."""
    account = exchange.accounts["mine"]
    symbol = rng.choice(list(SYMBOLS))
    contract, side = exchange.contract(symbol), rng.choice(("buy", "sell"))
    mark = exchange.market.mark(contract, exchange.now)
    price = round(mark * rng.uniform(0.97, 1.03) / float(contract.tick)) * contract.tick
    size = Decimal(SYMBOLS[symbol]) * rng.randint(1, 5)
    name = f"order-{number}"
    match rng.choice(("mkt", "lmt", "post", "stp", "trailing", "edit", "cancel", "leverage", "after")):
        case "mkt":
            exchange.submit(account, request(symbol, side, size, cli_ord_id=name))
        case "lmt" | "post" as kind:
            exchange.submit(account, request(symbol, side, size, kind, limit=price, cli_ord_id=name))
        case "stp":
            exchange.submit(account, request(symbol, side, size, "stp", stop=price, trigger_signal="mark"))
        case "trailing":
            trailing = Trailing(Decimal("1.5"), "PERCENT")
            exchange.submit(account, request(symbol, side, size, "trailing_stop", trailing=trailing))
        case "edit" if account.orders:
            order_id = rng.choice(list(account.orders))
            exchange.edit(account, EditRequest(order_id=order_id, size=account.orders[order_id].contract.step * 500))
        case "cancel" if account.orders:
            exchange.cancel(account, order_id=rng.choice(list(account.orders)))
        case "leverage":
            with suppress(LeverageError):
                change_leverage(exchange, account, contract, 5.0)
        case "after":
            exchange.cancel_all_after(account, rng.choice((0, 1, 4000)))


def run(path, actions, reopen_every, seed):
    """The state after a trader's actions, minutes apart."""
    rng, clock, store = random.Random(seed), ManualClock(NOW), None
    for number in range(actions):
        if store is None or number % reopen_every == 0:
            if store is not None:
                store.close()
            store = open_stored(path, clock)
        clock.advance(rng.uniform(60.0, 1500.0))
        with store.exchange.transaction():
            store.exchange.sync()
            act(store.exchange, rng, number)
    store.close()
    with closing(open_stored(path, clock)) as store:
        return state(store.exchange), store.exchange


@pytest.mark.parametrize("seed", range(2))
def test_a_restart_changes_nothing(path, tmp_path, seed):
    twin = tmp_path / "twin.sqlite"
    shutil.copyfile(path, twin)
    (once, exchange), (often, _) = run(path, 60, 60, seed), run(twin, 60, 3, seed)
    assert without_places(once) == without_places(often)
    account = exchange.accounts["mine"]
    assert all((account.fills, account.closed, account.client_ids, account.journal))
    check_ledger(account)


def test_everything_of_an_exchange_is_kept_or_follows_from_what_is():
    kept = {"now", "accounts", "participants", "house", "tape", "sequences", "_random"}
    made_with = {"seed", "opened", "clock", "market"}
    follows = {"contracts", "books", "single_wallets", "safe", "_priorities", "_listed_until", "_prices", "_unsettled"}
    of_the_process = {"lock", "transaction", "states", "downtimes"}
    assert vars(Exchange(clock=ManualClock(NOW))).keys() == kept | made_with | follows | of_the_process


def test_keys_and_accounts_survive(path):
    with closing(open_stored(path, ManualClock(NOW))) as store, store.exchange.transaction():
        [key] = store.keys.values()
        store.exchange.open_account("other", parent="mine")
        store.keys["second"] = ApiKey("other", "second")
    with closing(open_stored(path, ManualClock(NOW))) as store:
        assert store.exchange.accounts["other"].parent == "mine"
        assert store.keys[key.public].secret == key.secret
        assert store.keys["second"].account == "other"


def test_what_was_due_meanwhile_happens_at_its_moment(path):
    clock = ManualClock(NOW)
    with closing(open_stored(path, clock)) as store, store.exchange.transaction():
        exchange, account = store.exchange, store.exchange.accounts["mine"]
        exchange.submit(account, request("PF_XBTUSD", "buy", "0.1"))
        far = round(exchange.market.mark(exchange.contract("PF_ETHUSD"), NOW) * 0.5, 1)
        exchange.submit(account, request("PF_ETHUSD", "buy", "1", "lmt", limit=far))
        exchange.cancel_all_after(account, 5000)
    clock.advance(3 * HOUR)
    with closing(open_stored(path, clock)) as store:
        account = store.exchange.accounts["mine"]
        assert store.exchange.now == NOW + 3 * HOUR
        hours = [row.date for row in account.log if row.info == "funding rate change"]
        first = NOW - NOW % HOUR + HOUR
        assert hours == [first, first + HOUR, first + 2 * HOUR]
        assert (account.orders, account.cancel_at) == ({}, None)
        assert account.journal[-1].time == NOW + 5000
    with closing(open_stored(path, clock)) as store:
        assert len(store.exchange.accounts["mine"].log) == len(account.log)


# Time -------------------------------------------------------------------------------------------------------------


def test_at_speed_1_the_time_is_the_machines(path):
    behind = time.time() - NOW
    with closing(open_stored(path)) as store:
        if behind > 0:
            assert store.exchange.clock.is_real
        assert store.exchange.now == pytest.approx(max(time.time(), NOW), abs=1)


def test_an_exchange_that_is_ahead_goes_on_from_where_it_stopped(path):
    ahead = round(time.time() + 1000 * HOUR, 3)
    open_stored(path, ManualClock(ahead)).close()
    with closing(open_stored(path)) as store:
        assert store.exchange.clock.speed == 1
        assert ahead <= store.exchange.now < ahead + 5


def test_at_another_speed_time_goes_on_from_where_it_stopped(path):
    with closing(open_stored(path, speed=3600)) as store:
        time.sleep(0.05)
        with store.exchange.transaction():
            store.exchange.sync()
        stopped = store.exchange.now
        assert NOW + 180 <= stopped < NOW + 10 * HOUR
    with closing(open_stored(path, speed=2)) as store:
        assert stopped <= store.exchange.now < stopped + 5


def test_time_alone_is_written_now_and_then(path, monkeypatch):
    clock = ManualClock(NOW)
    with closing(open_stored(path, clock)) as store, closing(AccountFile(path, look=True)) as file:
        monkeypatch.setattr(store, "_time_is_found_again", True)

        def written():
            [[now]] = file.rows("time", ["now"])
            return now

        for seconds, expected in (
            (IDLE_SECONDS - 1, NOW),
            (2.0, NOW + IDLE_SECONDS + 1),
            (1.0, NOW + IDLE_SECONDS + 1),
        ):
            clock.advance(seconds)
            with store.exchange.transaction():
                store.exchange.sync()
            assert written() == expected
        with store.exchange.transaction():
            store.exchange.submit(store.exchange.accounts["mine"], request("PF_XBTUSD", "buy", "0.1"))
        assert written() == store.exchange.now


# Whole or not at all ----------------------------------------------------------------------------------------------


def test_a_transaction_that_fails_has_not_happened(path):
    with closing(open_stored(path, ManualClock(NOW))) as store:
        exchange = store.exchange
        with exchange.transaction():
            exchange.submit(exchange.accounts["mine"], request("PF_XBTUSD", "buy", "0.1"))
        before = state(exchange)
        exchange.states["PF_DOGEUSD"] = MarketState(suspended=True)
        order = request("PF_ETHUSD", "sell", "0.1", cli_ord_id="again")

        def fail():
            with exchange.transaction():
                exchange.submit(exchange.accounts["mine"], order)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        with exchange.transaction():
            assert state(exchange) == before
            assert exchange.states.keys() == {"PF_DOGEUSD"}
            assert exchange.submit(exchange.accounts["mine"], order).status == "placed"
    with closing(open_stored(path, ManualClock(NOW))) as store:
        assert [fill.cli_ord_id for fill in store.exchange.accounts["mine"].fills] == [None, "again"]


def test_an_order_that_cannot_be_written_is_answered_with_an_error_and_has_not_happened(path, caplog):
    store = open_stored(path, ManualClock(NOW))
    with PaperServer(store.exchange, *store.keys.values(), store=store) as server, closing(Wire(server)) as wire:
        order = {"orderType": "mkt", "symbol": "PF_XBTUSD", "side": "buy", "size": "0.1"}
        assert wire.send(**order, cliOrdId="one")["status"] == "placed"
        connection = store._file._connection
        [[pages]] = connection.execute("PRAGMA page_count")
        connection.execute(f"PRAGMA max_page_count = {pages}")  # a full disk
        answers = [wire.post("/derivatives/api/v3/sendorder", **order, cliOrdId=f"two {n}") for n in range(30)]
        refused = [f"two {n}" for n, answer in enumerate(answers) if answer.status_code == 500]
        assert refused
        assert "set KFUT_HOME to a folder of your own on a disk with free space" in caplog.text
        connection.execute("PRAGMA max_page_count = 1000000")
        fills = {fill["cliOrdId"] for fill in wire.v3("fills")["fills"]}
        assert fills == {"one", *(f"two {n}" for n in range(30))} - {*refused}
        assert wire.send(**order, cliOrdId=refused[0])["status"] == "placed"
    check_ledger(store.exchange.accounts["mine"])


def test_an_answer_leaves_when_the_file_holds_what_it_tells(path):
    store = open_stored(path, ManualClock(NOW))
    with PaperServer(store.exchange, *store.keys.values(), store=store) as server, closing(Wire(server)) as wire:
        for number in range(5):
            wire.send(orderType="mkt", symbol="PF_XBTUSD", side="buy", size="0.01", cliOrdId=f"n{number}")
            with closing(sqlite3.connect(path)) as other:
                names = [name for [name] in other.execute("SELECT cli_ord_id FROM fills WHERE owner = 'mine'")]
            assert names == [f"n{done}" for done in range(number + 1)]


def test_an_order_is_not_sent_twice_by_its_nonce_though_the_process_was_another_one(path):
    order = {"orderType": "mkt", "symbol": "PF_XBTUSD", "side": "buy", "size": "0.01"}
    words = []
    for nonces in ((10**29 + 5,), (10**29 + 5, 10**29 + 4, 10**29 + 6)):
        store = open_stored(path, ManualClock(NOW))
        with PaperServer(store.exchange, *store.keys.values(), store=store) as server, closing(Wire(server)) as wire:
            for nonce in nonces:
                answer = wire.post("/derivatives/api/v3/sendorder", nonce=str(nonce), **order).json()
                words.append(answer.get("error", answer["result"]))
    assert words == ["success", "nonceDuplicate", "nonceBelowThreshold", "success"]
    assert len(store.exchange.accounts["mine"].fills) == 2


def test_looking_at_an_account_writes_nothing(path):
    store = open_stored(path, ManualClock(NOW))
    with PaperServer(store.exchange, *store.keys.values(), store=store) as server, closing(Wire(server)) as wire:
        wire.v3("accounts")
        before = store._file._connection.total_changes
        for nonce, name in enumerate(("accounts", "openpositions", "fills", "tickers", "leveragepreferences"), 1):
            assert wire.get(f"/derivatives/api/v3/{name}", nonce=str(nonce)).json()["result"] == "success"
        assert store._file._connection.total_changes == before


def test_a_closed_server_has_closed_its_file(path):
    store = open_stored(path)
    assert is_open(path)
    with PaperServer(store.exchange, *store.keys.values(), store=store) as server:
        assert requests.get(server.base_url + "/derivatives/api/v3/tickers", timeout=5).status_code == 200
    assert not is_open(path)
    assert sorted(p.name for p in path.parent.iterdir()) == ["mine.lock", "mine.sqlite"]
    store.close()


# Files ------------------------------------------------------------------------------------------------------------


def opening(path):
    with closing(open_stored(path, ManualClock(NOW))):
        pass


@pytest.mark.skipif(os.name != "posix", reason="there are no file modes")
def test_nobody_else_may_read_the_file(tmp_path, path):
    folder = tmp_path / "new"
    exchange = Exchange(clock=ManualClock(NOW))
    exchange.open_account("mine")
    create(folder / "mine.sqlite", Settings("mine", NOW, {}, 0, "simulated", None), exchange, [])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    path.chmod(0o644)
    with closing(open_stored(path, ManualClock(NOW))) as store:
        with store.exchange.transaction():
            store.exchange.open_account("other")
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.glob("mine.sqlite*")}
    assert modes == {"mine.sqlite": 0o600, "mine.sqlite-wal": 0o600, "mine.sqlite-shm": 0o600}


def test_a_second_process_is_refused_and_told_where_the_account_is_open(path):
    code = (
        "import sys, pathlib; from kfut_analytics.paper.keeping.store import open_stored; "
        "store = open_stored(pathlib.Path(sys.argv[1])); print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ConfigurationError, match=rf"'mine' is open in process {other.pid}: close it there"):
            opening(path)
        with closing(AccountFile(path, look=True)) as file:
            assert settings_of(file).balance == {"USD": 50_000.0, "fi_xbtusd": 1.0}
        other.kill()
    opening(path)


def test_an_account_that_is_open_in_this_process_is_refused(path):
    with closing(open_stored(path, ManualClock(NOW))), pytest.raises(ConfigurationError, match="open in this process"):
        opening(path)


def test_a_file_of_a_newer_version_is_refused(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(
        ConfigurationError, match=r"newer version .* \(format 2, this one reads 1\): pip install --upgrade"
    ):
        opening(path)


def test_a_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "mine.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE log (number INTEGER)")
    with pytest.raises(ConfigurationError, match="was written by another program: move it elsewhere"):
        opening(path)
    path.write_text("a shopping list\n" * 100)
    with pytest.raises(ConfigurationError, match="is not the file of a paper account"):
        opening(path)


def test_a_damaged_file_is_refused(path):
    with closing(open_stored(path, ManualClock(NOW))) as store, store.exchange.transaction():
        for number in range(300):
            act(store.exchange, random.Random(number), number)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigurationError, match=r"is damaged .* kfut paper reset mine"):
        opening(path)
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE accounts SET balances = 'gone'")
    with pytest.raises(ConfigurationError, match=r"is damaged .* kfut paper reset mine"):
        opening(path)


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, path):
    exchange, settings = Exchange(clock=ManualClock(NOW)), Settings("mine", NOW, {}, 0, "simulated", None)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot be written .* KFUT_HOME"):
        create(tmp_path / "file" / "mine.sqlite", settings, exchange, [])
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("nothing is read-only for this user")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ConfigurationError, match=r"cannot be written .* KFUT_HOME"):
            create(tmp_path / "new.sqlite", settings, exchange, [])
        with pytest.raises(ConfigurationError, match=r"cannot be written .* KFUT_HOME"):
            opening(path)
    finally:
        tmp_path.chmod(0o700)


def test_a_file_that_was_being_made_when_the_process_died_is_none(tmp_path, path):
    unfinished = tmp_path / "unfinished.sqlite"
    with closing(sqlite3.connect(unfinished)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert not is_file(unfinished)
    assert not is_file(tmp_path / "nothing.sqlite")
    assert is_file(path)
    exchange = Exchange(clock=ManualClock(NOW))
    exchange.open_account("unfinished")
    settings = Settings("unfinished", NOW, {}, 0, "simulated", None)
    create(unfinished, settings, exchange, [])
    opening(unfinished)
    with pytest.raises(ConfigurationError, match=r"exists already: .* kfut paper reset unfinished"):
        create(unfinished, settings, exchange, [])


def test_a_file_of_an_older_version_is_given_what_was_added(path):
    opening(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE log DROP COLUMN conversion_fee")
        connection.execute("ALTER TABLE accounts DROP COLUMN trading_enabled")
        connection.execute("DROP TABLE journal")
    with closing(open_stored(path, ManualClock(NOW))) as store, store.exchange.transaction():
        account = store.exchange.accounts["mine"]
        assert account.trading_enabled is True
        assert [row.conversion_fee for row in account.log] == [None, None]
        store.exchange.submit(account, request("PF_XBTUSD", "buy", "0.1"))
    with closing(open_stored(path, ManualClock(NOW))) as store:
        assert len(store.exchange.accounts["mine"].journal) == 1


def test_what_this_version_does_not_know_is_refused(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE orders ADD COLUMN iceberg REAL")
    with pytest.raises(ConfigurationError, match="has iceberg in orders, which this version does not know"):
        opening(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE orders DROP COLUMN iceberg")
        connection.execute("ALTER TABLE orders DROP COLUMN side")
    with pytest.raises(ConfigurationError, match="lacks side in orders"):
        opening(path)
