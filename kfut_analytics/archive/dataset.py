"""Many accounts at once: the same accounting, account by account, on one machine or on a Dask cluster.

An account's rows stay together, in the order of their numbers, in one partition: accounts do not depend on each other,
so nothing is ever shuffled. A partition has as many accounts as fit into `PARTITION` rows, and is read where it is
worked on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import schema
from ..errors import ArgumentError, ConfigurationError
from ..pnl import PnL, pnl
from . import layout
from .rows import arrow_schema, to_frame
from .store import Store

if TYPE_CHECKING:
    import dask.dataframe as dd

PARTITION = 2_000_000
"""Rows of the account log in one partition, unless a single account has more."""

ACCOUNT = "account_uid"
"""The column that tells the accounts apart; ``account`` is the name of a wallet."""

_UNUSED = ("booking_uid", "position_uid")


class Accounts:
    """The archives of many accounts.

    Parameters
    ----------
    where
        A folder, in which archives are looked for at any depth, or the folders of archives.

    Attributes
    ----------
    folders
        The archives' folders by account.

    Raises
    ------
    ConfigurationError
        If there is no archive, or a manifest is damaged.
    ArgumentError
        If two archives are of the same account.

    Examples
    --------
    >>> accounts = kfut.Accounts("/data/accounts")  # doctest: +SKIP
    >>> accounts.table("by_contract").compute()  # doctest: +SKIP
    >>> accounts.table("round_trips").groupby("contract")["net"].sum().compute()  # doctest: +SKIP
    """

    def __init__(self, where: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> None:
        given = [where] if isinstance(where, (str, os.PathLike)) else list(where)
        found = sorted({path.parent for folder in given for path in Path(folder).glob(f"**/{layout.MANIFEST}")})
        if not found:
            raise ConfigurationError(f"there is no archive in {', '.join(map(str, given)) or 'no folder at all'}")
        self.folders: dict[str, Path] = {}
        self._rows: dict[str, int] = {}
        for folder in found:
            manifest = Store(folder).manifest
            name = f"{manifest.env}-{manifest.account}"
            if name in self.folders:
                raise ArgumentError(f"{folder} and {self.folders[name]} are archives of one account: give one of them")
            self.folders[name] = folder
            self._rows[name] = manifest.of("account_log").rows

    def __len__(self) -> int:
        return len(self.folders)

    def __repr__(self) -> str:
        return f"<{len(self):,} accounts, {sum(self._rows.values()):,} entries of account logs>"

    def partitions(self) -> list[list[str]]:
        """Accounts by partition, in the order of their names."""
        found: list[list[str]] = []
        size = PARTITION
        for name, rows in self._rows.items():
            if size + rows > PARTITION:
                found.append([])
                size = 0
            found[-1].append(name)
            size += rows
        return found

    def account_log(self) -> dd.DataFrame:
        """All account logs as a Dask frame, lazily, with the column ``account_uid``."""
        return self._frame(_Logs())

    def table(self, name: str, *arguments: Any, **options: Any) -> dd.DataFrame:
        """A table of `kfut.pnl` of every account as a Dask frame, lazily, with the column ``account_uid``.

        Parameters
        ----------
        name
            Of a method of `PnL`: ``by_contract``, ``daily``, ``round_trips``, ``summary``, ``by``, …
        *arguments, **options
            Its arguments.

        Raises
        ------
        ArgumentError
            If there is no such table.
        """
        return self._frame(_Table(name, arguments, options))

    def pandas(self, name: str, *arguments: Any, **options: Any) -> pd.DataFrame:
        """The same as a pandas frame, one partition after the other, without Dask.

        Parameters
        ----------
        name, *arguments, **options
            As for `table`.

        Returns
        -------
        DataFrame
            The accounts' tables one below the other.

        Raises
        ------
        ArgumentError
            If there is no such table.
        """
        make = _Table(name, arguments, options)
        parts = [make(part) for part in self._parts()]
        full = [part for part in parts if len(part)] or parts[:1]
        return pd.concat(full, ignore_index=True)

    def _parts(self) -> Iterator[dict[str, str]]:
        for names in self.partitions():
            yield {name: str(self.folders[name]) for name in names}

    def _frame(self, make: _Logs | _Table) -> dd.DataFrame:
        try:
            import dask
            import dask.dataframe as dd
        except ImportError:
            raise ConfigurationError('this needs Dask: pip install "kfut-analytics[dask]"') from None
        with dask.config.set({"dataframe.convert-string": False}):  # texts stay what they are in pandas
            frame: dd.DataFrame = dd.from_map(  # type: ignore[no-untyped-call]
                make, list(self._parts()), meta=make({}), enforce_metadata=False
            )
        return frame


class _Logs:
    """The account logs of some accounts."""

    def __call__(self, folders: dict[str, str]) -> pd.DataFrame:
        return _joined({name: read_log(path).reset_index() for name, path in folders.items()}, self._empty())

    def _empty(self) -> pd.DataFrame:
        return schema.ACCOUNT_LOG.frame({}).reset_index().drop(columns=list(_UNUSED))


class _Table:
    """A table of the P&L of some accounts."""

    def __init__(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        method = getattr(PnL, name, None)
        if name.startswith("_") or not callable(method):
            raise ArgumentError(f"name={name!r} is no table of kfut.pnl: give by_contract, daily, round_trips, …")
        self._name, self._arguments, self._options = name, arguments, options
        if not isinstance(self._of(schema.ACCOUNT_LOG.frame({})), pd.DataFrame):
            raise ArgumentError(f"name={name!r} is no table of kfut.pnl: give by_contract, daily, round_trips, …")

    def __call__(self, folders: dict[str, str]) -> pd.DataFrame:
        tables = {name: self._of(read_log(path)) for name, path in folders.items()}
        return _joined(tables, self._of(schema.ACCOUNT_LOG.frame({})))

    def _of(self, log: pd.DataFrame) -> pd.DataFrame:
        table: pd.DataFrame = getattr(pnl(log), self._name)(*self._arguments, **self._options)
        return table


def _joined(tables: dict[str, pd.DataFrame], empty: pd.DataFrame) -> pd.DataFrame:
    """The accounts' tables one below the other, with the index, where it has a name, as a column."""
    parts = []
    for name, table in (tables or {"": empty}).items():
        flat = table.reset_index() if table.index.names != [None] else table.reset_index(drop=True)
        flat.insert(0, ACCOUNT, pd.Series([name] * len(flat), dtype="str"))
        parts.append(flat)
    joined = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    joined.attrs = {}
    return joined


def read_log(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """The account log of one archive, without the columns that no accounting reads."""
    store = Store(Path(folder))
    names = [name for name in arrow_schema(schema.ACCOUNT_LOG).names if name not in (*_UNUSED, layout.EXACT)]
    return to_frame(schema.ACCOUNT_LOG, store.table("account_log", None, names))
