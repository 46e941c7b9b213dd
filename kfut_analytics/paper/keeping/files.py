"""The file of a paper account: an SQLite database that one process at a time works with.

What `AccountFile.write` has written is there whatever happens to the process or the machine afterwards; what it has
not written completely is not there at all.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from kfut_analytics.errors import ConfigurationError

APPLICATION = int.from_bytes(b"kfut", "big")
VERSION = 1
"""Grows when what is written can no longer be read by what was released before."""

PATIENCE_SECONDS = 0.5
"""So long a file that another process works with is waited for."""

_UNWRITABLE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)

Changes = Mapping[str, Sequence[Sequence[Any]]]
"""Statements of SQL, each with the rows for its placeholders."""


def create_file(path: Path, tables: Iterable[str], changes: Changes) -> None:
    """Make a file with some tables (as SQL creates them) and rows; its folder, too, if need be.

    Raises
    ------
    ConfigurationError
        If there is a file already, or it cannot be written.
    """
    with ExitStack() as resources, _explained(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        resources.enter_context(closing(_lock(path)))
        # SQLite gives its own files beside it the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = resources.enter_context(closing(_connect(path)))
        if not _is_blank(connection):
            raise ConfigurationError(f"{path} exists already: {_begin_anew(path)}")
        connection.execute("PRAGMA journal_mode = WAL")
        with _transaction(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("CREATE TABLE process (id INTEGER)")
            connection.execute("INSERT INTO process VALUES (NULL)")
            for statement in tables:
                connection.execute(statement)
            _carry_out(connection, changes)


def is_file(path: Path) -> bool:
    """Whether there is a file: one whose making was interrupted is none."""
    if not path.is_file():
        return False
    try:
        with closing(_connect(path)) as connection:
            return not _is_blank(connection)
    except sqlite3.Error:
        return True  # what is wrong with it is for those to say who want to read it


def is_open(path: Path) -> bool:
    """Whether a process works with a file."""
    try:
        _lock(path, patience=0.0).close()
    except ConfigurationError:
        return True
    except sqlite3.OperationalError:  # nobody can work with it in a folder that cannot be written to
        return False
    return False


def set_aside(path: Path, target: Path) -> None:
    """Give a file another name, whatever is wrong with it.

    Raises
    ------
    ConfigurationError
        If a process works with it, or its folder cannot be written to.
    """
    with _explained(path), closing(_lock(path)):
        with suppress(sqlite3.DatabaseError), closing(_connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # a log beside it becomes part of it
        path.rename(target)
        for rest in ("-wal", "-shm"):
            beside = path.with_name(path.name + rest)
            if beside.exists():
                beside.rename(target.with_name(target.name + rest))


class AccountFile:
    """An open file.

    Parameters
    ----------
    path
        Where it lies.
    look
        Only look at it; a process may work with it meanwhile.

    Raises
    ------
    ConfigurationError
        If another process works with it, it is damaged, newer than this version or of another program, or it cannot
        be written.
    """

    def __init__(self, path: Path, *, look: bool = False) -> None:
        self.path = path
        with ExitStack() as resources, _explained(path):
            if not look:
                resources.enter_context(closing(_lock(path)))
                _protect(path)
            self._connection = resources.enter_context(closing(_connect(path)))
            _check(self._connection, path)
            # With FULL what was written outlives a power cut, too.
            self._connection.execute("PRAGMA synchronous = FULL")
            if not look:
                self.write({"UPDATE process SET id = ?": [[os.getpid()]]})
            self._resources = resources.pop_all()

    def columns(self, table: str) -> list[str]:
        """The columns of a table, none where there is no such table."""
        return [name for _, name, *_ in self._connection.execute(f'PRAGMA table_info("{table}")')]

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """The rows of a table, in the order of the first of its columns."""
        names = ", ".join(f'"{name}"' for name in columns)
        with _explained(self.path):
            yield from self._connection.execute(f'SELECT {names} FROM "{table}" ORDER BY 1')

    def quoted(self, value: Any) -> str:
        """A value as SQL writes it."""
        [[text]] = self._connection.execute("SELECT quote(?)", [value])
        return str(text)

    def write(self, changes: Changes) -> None:
        """Write all of it, or nothing and raise an error."""
        with _explained(self.path), _transaction(self._connection):
            _carry_out(self._connection, changes)

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self._resources.close()


def _connect(path: Path, patience: float = PATIENCE_SECONDS) -> sqlite3.Connection:
    # Transactions are begun and ended here, and whoever calls holds a lock.
    return sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)


def _lock(path: Path, patience: float = PATIENCE_SECONDS) -> sqlite3.Connection:
    """Hold a file for this process until the connection is closed, at the latest when the process ends.

    The lock lies in a file of its own: one in the account's file would keep those away who only want to look at it.
    """
    connection = _connect(path.with_suffix(".lock"), patience)
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorname != "SQLITE_BUSY":
            raise
        raise ConfigurationError(
            f"the paper account {path.stem!r} is open in {_holder(path)}: close it there, or reach the server there by "
            "its base_url"
        ) from None
    return connection


def _holder(path: Path) -> str:
    """The process that works with a file."""
    try:
        with closing(_connect(path)) as connection:
            [[process]] = connection.execute("SELECT id FROM process")
    except (sqlite3.Error, ValueError):
        return "another process"
    return "this process" if process == os.getpid() else f"process {process}"


def _protect(path: Path) -> None:
    """Let nobody else read it: it holds the secrets of keys."""
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _is_blank(connection: sqlite3.Connection) -> bool:
    [[tables]] = connection.execute("SELECT count(*) FROM sqlite_master")
    return not tables


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not a file of ours."""
    [[application]] = connection.execute("PRAGMA application_id")
    [[version]] = connection.execute("PRAGMA user_version")
    if application != APPLICATION:
        raise ConfigurationError(f"{path} was written by another program: move it elsewhere")
    if version > VERSION:
        raise ConfigurationError(
            f"{path} was written by a newer version of kfut_analytics (format {version}, this one reads {VERSION}): "
            "pip install --upgrade kfut-analytics"
        )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have ended it already
            connection.execute("ROLLBACK")
        raise


def _carry_out(connection: sqlite3.Connection, changes: Changes) -> None:
    for statement, rows in changes.items():
        connection.executemany(statement, rows)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say what is wrong with a file in words that help."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(_unwritable(path, error.strerror or str(error))) from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of it says more than need be known
        if code == sqlite3.SQLITE_NOTADB:
            reason = f"{path} is not the file of a paper account, or its beginning is damaged: {_begin_anew(path)}"
        elif code == sqlite3.SQLITE_CORRUPT:
            reason = damaged(path, error)
        elif code in _UNWRITABLE:
            reason = _unwritable(path, str(error))
        else:
            raise
        raise ConfigurationError(reason) from error


def damaged(path: Path, error: Exception) -> str:
    """What to say of a file that cannot be read."""
    return f"{path} is damaged ({error}): {_begin_anew(path)}"


def _unwritable(path: Path, reason: str) -> str:
    return f"{path} cannot be written ({reason}): set KFUT_HOME to a folder of your own on a disk with free space"


def _begin_anew(path: Path) -> str:
    return f"keep it aside and begin anew with kfut paper reset {path.stem}"
