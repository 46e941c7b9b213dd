"""How an exchange lies in tables: read as a whole, written as what has changed since.

The tables of accounts follow from their dataclass: what holds rows (fills, open orders) is a table of its own, what
else an account has is its row in ``accounts``. So a new field of an account, an order or the log needs no word here.

Quotes are not written: the simulated participants show them anew, behind the orders that stand there already. Nor are
states of markets and downtimes: they belong to the scenario of the process that serves the exchange.
"""

from __future__ import annotations

import array
import base64
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_origin, get_type_hints

from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.matching import OwnTrade
from kfut_analytics.paper.keeping.codec import Codec, Table
from kfut_analytics.paper.keeping.containers import Change, Container, Grown, Members, Place, Single, container_of
from kfut_analytics.paper.keeping.files import AccountFile
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.wire.auth import ApiKey


@dataclass(frozen=True, slots=True)
class Engine:
    """What an exchange has beside its accounts and its time."""

    sequences: Counter[str]
    random: str

    @classmethod
    def of(cls, exchange: Exchange) -> Engine:
        """What it has now."""
        return cls(exchange.sequences, _text_of(exchange._random))

    def give(self, exchange: Exchange) -> None:
        """Give it to an exchange."""
        exchange.sequences, exchange._random = self.sequences, _generator_of(self.random)


@dataclass(frozen=True, slots=True)
class Time:
    """The engine's time."""

    now: float


@dataclass(frozen=True, slots=True)
class Nonce:
    """The highest nonce of a key, which has more digits than a number in a table."""

    highest: str


class Layout:
    """The tables of an exchange, and what was read from them or written to them last.

    Attributes
    ----------
    places
        The tables.
    keys
        The rows of the key pairs.
    """

    def __init__(self) -> None:
        self._listed: Mapping[str, Contract] = {}
        self._contracts: dict[str, Contract] = {}
        self._named: list[Contract] = []
        self._containers: dict[str, dict[str, Container]] = {}
        self._tapes: dict[str, Grown] = {}
        self.places: list[Place] = []
        self._codec = Codec(self._symbol, self._contract)
        self._new_id: Callable[[], str]

        def place(
            name: str,
            kind: type,
            columns: Iterable[str] | None = None,
            make: Callable[..., Any] | None = None,
            *,
            keyed: bool = True,
        ) -> Place:
            self.places.append(Place(name, Table(kind, self._codec, columns, make), keyed=keyed))
            return self.places[-1]

        hints = get_type_hints(Account)
        # What is called is no data: an account that is read is given it anew.
        data = {name: container_of(hint) for name, hint in hints.items() if get_origin(hint) is not Callable}
        self._own = [name for name, found in data.items() if found is None]
        self._rows = {
            name: (found[0], place(name, found[1], keyed=found[0] is Members))
            for name, found in data.items()
            if found is not None
        }
        self._time_row = Single(place("time", Time))
        self._engine_row = Single(place("engine", Engine))
        self.keys = Members(place("keys", ApiKey, [f.name for f in fields(ApiKey) if not f.name.startswith("_")]))
        self._nonces = Members(place("nonces", Nonce))
        self._account_rows = Members(place("accounts", Account, self._own, self._account))
        self._tape_place = place("tape", OwnTrade, keyed=False)
        self._contract_rows = Grown(place("contracts", Contract, keyed=False))

    def read(self, file: AccountFile, exchange: Exchange, keys: dict[str, ApiKey]) -> None:
        """Give a new exchange, and an empty dict of its keys by public key, what a file holds."""
        self._contract_rows.read(file, self._named)
        self._contracts = {contract.symbol: contract for contract in self._named}
        exchange.now = self._time_row.read(file).now
        self._engine_row.read(file).give(exchange)
        exchange.list_contracts()
        self._listed = exchange.contracts
        self.keys.read(file, keys)
        nonces: dict[str, Nonce] = {}
        self._nonces.read(file, nonces)
        for public, nonce in nonces.items():
            keys[public].go_on_above(int(nonce.highest))
        for symbol, rows in self._tape_place.read(file).items():
            self._tape_of(symbol).fill(rows, exchange.tape.setdefault(symbol, []))
        accounts: dict[str, Account] = {}
        self._new_id = exchange.new_id
        self._account_rows.read(file, accounts)
        for name, (_, place) in self._rows.items():
            rows_of = place.read(file)
            for account in accounts.values():
                self._containers_of(account)[name].fill(rows_of.get(account.name, []), getattr(account, name))
        exchange.participants, exchange.house = accounts.pop("participants"), accounts.pop("house")
        for account in accounts.values():
            exchange.adopt(account)

    def glance(self, file: AccountFile) -> tuple[dict[str, Any], float]:
        """The balances of accounts, by name, and the time; the rest is not read."""
        table = Table(Account, self._codec, ["balances"], make=lambda balances: balances)
        place = Place("accounts", table, keyed=True)
        return {row[2]: place.value(row) for row in place.read(file).get("", [])}, self._time_row.read(file).now

    def changes(self, exchange: Exchange, keys: dict[str, ApiKey]) -> Iterator[Change]:
        """What has changed since the file was read or this was asked last."""
        yield from self._engine_row.changes(Engine.of(exchange))
        yield from self.keys.changes(keys)
        accounts = {account.name: account for account in (*exchange.everybody(), exchange.house)}
        yield from self._account_rows.changes(accounts)
        for account in accounts.values():
            for name, container in self._containers_of(account).items():
                yield from container.changes(getattr(account, name))
        for symbol, tape in exchange.tape.items():
            yield from self._tape_of(symbol).changes(tape)
        # Last: the rows before may name a contract for the first time.
        yield from self._contract_rows.changes(self._named)

    def along(self, exchange: Exchange, keys: dict[str, ApiKey]) -> Iterator[Change]:
        """What changes all the time and need not be written for its own sake: the time, and nonces of keys."""
        yield from self._time_row.changes(Time(exchange.now))
        yield from self._nonces.changes({public: Nonce(str(key.highest_nonce)) for public, key in keys.items()})

    def _containers_of(self, account: Account) -> dict[str, Container]:
        if account.name not in self._containers:
            self._containers[account.name] = {
                name: kind(place, account.name) for name, (kind, place) in self._rows.items()
            }
        return self._containers[account.name]

    def _tape_of(self, symbol: str) -> Grown:
        return self._tapes.setdefault(symbol, Grown(self._tape_place, symbol))

    def _account(self, *values: Any) -> Account:
        return Account(new_id=self._new_id, **dict(zip(self._own, values, strict=True)))

    def _symbol(self, contract: Contract) -> str:
        if contract.symbol not in self._contracts:
            self._contracts[contract.symbol] = contract
            self._named.append(contract)
        return contract.symbol

    def _contract(self, symbol: str) -> Contract:
        """The contract as it is listed, or as it was when it was listed."""
        listed = self._listed.get(symbol)
        return self._contracts[symbol] if listed is None else listed


def _text_of(generator: random.Random) -> str:
    version, numbers, gauss = generator.getstate()
    assert (version, gauss) == (3, None)  # gauss() is not used here
    return base64.b64encode(array.array("I", numbers).tobytes()).decode()


def _generator_of(text: str) -> random.Random:
    generator = random.Random()
    generator.setstate((3, tuple(array.array("I", base64.b64decode(text))), None))
    return generator
