"""The record of everything that was sent to change something: written before it goes out, never changed afterwards.

One SQLite file per account and environment, which only its owner may read. An *intent* is an order, a change or a
cancellation on its way: it is written and on the disk before the request goes out, and closed when it is known what
became of it. Its *steps* say what happened to it and when. Whoever opens the file after a crash finds the intents
that were never closed, and can ask the exchange about them (`kfut_analytics.fate`).
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from .errors import ConfigurationError
from .journal_tables import JOURNAL, JOURNAL_STEPS
from .limits import Spent
from .times import utc_now

Kind = Literal["place", "edit", "cancel", "cancel_all", "dead_man", "bracket"]

OPEN = "open"
"""Status of an intent whose fate is not known yet."""

_APPLICATION = 0x6B667574  # "kfut", so that another program's file is not taken for ours
_VERSION = 1
_BUSY_SECONDS = 30.0

_SCHEMA = f"""
CREATE TABLE intents (
    number INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    cli_ord_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    details TEXT NOT NULL,
    notional TEXT NOT NULL,
    written INTEGER NOT NULL,
    sent_time INTEGER NOT NULL,
    deadline INTEGER,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    filled_size REAL NOT NULL,
    average_price REAL,
    fee REAL,
    closed INTEGER
) STRICT;
CREATE UNIQUE INDEX one_order_per_id ON intents (cli_ord_id) WHERE kind = 'place';
CREATE INDEX open_intents ON intents (number) WHERE status = '{OPEN}';
CREATE INDEX intents_by_time ON intents (written);
CREATE TABLE steps (
    intent INTEGER NOT NULL REFERENCES intents (number),
    time INTEGER NOT NULL,
    step TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX steps_of ON steps (intent);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that is sent to change something.

    Attributes
    ----------
    number
        Its number in the journal.
    kind
        ``place``, ``edit``, ``cancel`` or ``cancel_all``; ``bracket`` and ``dead_man`` are open while in force.
    cli_ord_id, order_id
        Ids of the order concerned, as far as they are known.
    symbol
        Contract, empty where none is named.
    details
        What is wanted: the fields of the order or change.
    written
        When it was written, by this machine's clock.
    sent_time, deadline
        The exchange's time then, and the one after which it will not take it any more; no deadline where the call
        knows none.
    """

    number: int
    kind: Kind
    cli_ord_id: str
    order_id: str
    symbol: str
    details: Mapping[str, Any]
    written: pd.Timestamp
    sent_time: pd.Timestamp
    deadline: pd.Timestamp | None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.cli_ord_id or self.order_id or self.symbol or "all orders"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an intent ended; the fields are those of the results."""

    status: str
    reason: str = ""
    message: str = ""
    order_id: str = ""
    filled_size: float = 0.0
    average_price: float | None = None
    fee: float | None = None


class Journal:
    """The journal of one account. Safe across threads and processes.

    Parameters
    ----------
    path
        The file, made if there is none; None keeps it in memory, for an account that lives no longer.

    Raises
    ------
    ConfigurationError
        If the file is damaged, not a journal, of a newer version, or cannot be written. It is left as it is.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._connection = _connect(path)
            self._check()  # before anything is changed: it may be somebody else's
            if path is not None:
                self._connection.execute("PRAGMA journal_mode = WAL")
                # An intent must be on the disk, not only with the system, before its request goes out.
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute("PRAGMA fullfsync = ON")  # macOS
            with self._transaction():
                self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(
                f"the journal of orders {path} cannot be opened ({error}). Nothing is sent without it: if it is "
                "damaged, move it aside (a copy still tells what was sent); else set KFUT_HOME to a folder that "
                "can be written"
            ) from error

    def _prepare(self) -> None:
        """Make the tables; another process may have done so a moment ago."""
        if self._asked("SELECT count(*) FROM sqlite_master") == 0:
            for statement in _SCHEMA.split(";\n"):
                self._connection.execute(statement)

    def _asked(self, question: str) -> int:
        return int(self._connection.execute(question).fetchone()[0])

    def _check(self) -> None:
        if self._asked("SELECT count(*) FROM sqlite_master") == 0:
            return
        if self._asked("PRAGMA application_id") != _APPLICATION:
            raise sqlite3.DatabaseError("it is another program's file")
        if (version := self._asked("PRAGMA user_version")) != _VERSION:
            raise sqlite3.DatabaseError(
                f"it is of version {version}, this program knows {_VERSION}: install a newer one"
            )

    def write(
        self,
        session: str,
        kind: Kind,
        details: Mapping[str, Any],
        *,
        sent_time: pd.Timestamp,
        deadline: pd.Timestamp | None,
        cli_ord_id: str = "",
        order_id: str = "",
        symbol: str = "",
        notional: Decimal = Decimal(0),
        allow: Callable[[Spent], None] | None = None,
    ) -> Intent:
        """Write an intent; when this returns, it is on the disk.

        Parameters
        ----------
        session
            Tells what one client sends from what others do.
        details
            What is wanted, as JSON can hold it; decimals become text.
        notional
            Value in USD that counts towards the limits.
        allow
            Told what was spent before, within the transaction; what it raises keeps the intent from being written.

        Raises
        ------
        ConfigurationError
            If it cannot be written; then nothing may be sent.
        ValueError
            If an order with this client id is in the journal already.
        """
        now = utc_now()
        row = {
            "session": session,
            "kind": kind,
            "cli_ord_id": cli_ord_id,
            "order_id": order_id,
            "symbol": symbol,
            "details": json.dumps({k: v for k, v in details.items() if v is not None}, default=str),
            "notional": str(notional),
            "written": _micros(now),
            "sent_time": _micros(sent_time),
            "deadline": None if deadline is None else _micros(deadline),
            "status": OPEN,
            "reason": "",
            "message": "",
            "filled_size": 0.0,
        }
        with self._told("It cannot be written, so nothing was sent"), self._transaction():
            if kind == "place" and self.placed(cli_ord_id) is not None:
                raise ValueError(f"cli_ord_id={cli_ord_id!r} is in the journal already")
            if allow is not None:
                allow(self.spent(session, now))
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            cursor = self._connection.execute(f"INSERT INTO intents ({names}) VALUES ({marks})", tuple(row.values()))
            number = int(cursor.lastrowid or 0)
            self._note(number, "written", "", now)
        return self._intent(self._row(number))

    def step(self, intent: Intent, step: str, detail: str = "") -> None:
        """Note that something happened to an intent."""
        with self._told(_STILL), self._transaction():
            self._note(intent.number, step, detail, utc_now())

    def close(self, intent: Intent, outcome: Outcome, step: str = "closed") -> bool:
        """Write what became of an intent; the first to do so counts, and is told True."""
        now = utc_now()
        with self._told(_STILL), self._transaction():
            changed = self._connection.execute(
                "UPDATE intents SET status = ?, reason = ?, message = ?, filled_size = ?, average_price = ?, fee = ?, "
                "closed = ?, order_id = CASE WHEN ? = '' THEN order_id ELSE ? END WHERE number = ? AND status = ?",
                (
                    outcome.status,
                    outcome.reason,
                    outcome.message,
                    _known(outcome.filled_size) or 0.0,
                    _known(outcome.average_price),
                    _known(outcome.fee),
                    _micros(now),
                    outcome.order_id,
                    outcome.order_id,
                    intent.number,
                    OPEN,
                ),
            ).rowcount
            if changed:
                self._note(intent.number, step, outcome.status, now)
        return bool(changed)

    def note_fee(self, intent: Intent, fee: float) -> None:
        """Write what the fills of an order that is closed have cost."""
        with self._told(_STILL), self._transaction():
            self._connection.execute("UPDATE intents SET fee = ? WHERE number = ?", (fee, intent.number))

    def outcome(self, intent: Intent) -> Outcome | None:
        """What became of an intent; None as long as it is open."""
        row = self._row(intent.number)
        names = ("status", "reason", "message", "order_id", "filled_size", "average_price", "fee")
        return None if row["status"] == OPEN else Outcome(*(row[name] for name in names))

    def open_intents(self, *kinds: Kind) -> list[Intent]:
        """Everything of these kinds whose fate is not known, oldest first; of former processes and of others, too.

        Without a kind: whatever was sent to the exchange as one request. A bracket is no request.
        """
        wanted = kinds or ("place", "edit", "cancel", "cancel_all")
        with self._reading():
            rows = self._connection.execute(f"SELECT * FROM intents WHERE status = '{OPEN}' ORDER BY number")
            return [self._intent(row) for row in rows.fetchall() if row["kind"] in wanted]

    def placed(self, cli_ord_id: str) -> Intent | None:
        """The order of a client id, if it is in the journal."""
        with self._reading():
            row = self._connection.execute(
                "SELECT * FROM intents WHERE kind = 'place' AND cli_ord_id = ?", (cli_ord_id,)
            ).fetchone()
        return None if row is None else self._intent(row)

    def spent(self, session: str, now: pd.Timestamp | None = None) -> Spent:
        """Value of the orders of a session and of this day (UTC) that were sent or may have been."""
        midnight = _micros((now or utc_now()).normalize())
        # Sums of decimals are exact here, and a day has few orders.
        with self._reading():
            rows = self._connection.execute(
                "SELECT session, written, notional FROM intents WHERE notional != '0' AND status NOT IN "
                "('rejected', 'never_arrived', 'not_sent') AND (session = ? OR written >= ?)",
                (session, midnight),
            ).fetchall()
        return Spent(
            session=sum((Decimal(row["notional"]) for row in rows if row["session"] == session), Decimal(0)),
            today=sum((Decimal(row["notional"]) for row in rows if row["written"] >= midnight), Decimal(0)),
        )

    def frame(self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None) -> pd.DataFrame:
        """Table ``journal``: one row per intent, oldest first."""
        since = -(2**62) if start is None else _micros(start)
        until = 2**62 if end is None else _micros(end)
        with self._reading():
            rows = self._connection.execute(
                "SELECT * FROM intents WHERE written BETWEEN ? AND ? ORDER BY number", (since, until)
            ).fetchall()
            steps: dict[int, list[str]] = {}
            for intent, time, step, detail in self._connection.execute(
                "SELECT s.intent, s.time, s.step, s.detail FROM steps s JOIN intents i ON i.number = s.intent "
                "WHERE i.written BETWEEN ? AND ? ORDER BY s.rowid",
                (since, until),
            ):
                words = f"{_time(time):%H:%M:%S.%f}"[:-3] + f" {step}" + (f": {detail}" if detail else "")
                steps.setdefault(intent, []).append(words)
        details = [json.loads(row["details"]) for row in rows]
        return JOURNAL.frame(
            {
                **{name: [row[name] for row in rows] for name in _PLAIN},
                **{name: [_optional_time(row[name]) for row in rows] for name in ("written", "deadline", "closed")},
                **{name: [str(item.get(name, "")) for item in details] for name in ("side", "order_type")},
                **{name: [_float(item.get(name)) for item in details] for name in _NUMBERS},
                "reduce_only": [bool(item.get("reduce_only")) for item in details],
                "notional": [float(row["notional"]) for row in rows],
                "average_price": [_float(row["average_price"]) for row in rows],
                "fee": [_float(row["fee"]) for row in rows],
                "steps": ["; ".join(steps.get(row["number"], ())) for row in rows],
            }
        )

    def steps(self, cli_ord_id: str | None = None) -> pd.DataFrame:
        """Table ``journal_steps``: everything that happened to intents, or to those of one order, oldest first."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT s.intent AS number, i.kind, i.cli_ord_id, i.order_id, s.time, s.step, s.detail FROM steps s "
                "JOIN intents i ON i.number = s.intent WHERE ? IS NULL OR i.cli_ord_id = ? ORDER BY s.rowid",
                (cli_ord_id, cli_ord_id),
            ).fetchall()
        columns = {
            name: [row[name] for row in rows] for name in ("number", "kind", "cli_ord_id", "order_id", "step", "detail")
        }
        return JOURNAL_STEPS.frame({**columns, "time": [_time(row["time"]) for row in rows]})

    def shut(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    # ---- inside ------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._undo()  # what an interrupt may have left at an unlucky moment
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        """End a transaction that was not completed; SQLite ends some by itself, as when the disk is full."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._told("It cannot be read. A copy of it, moved aside, may still tell what was sent"), self._lock:
            yield

    @contextmanager
    def _told(self, consequence: str) -> Iterator[None]:
        """What SQLite says in words of ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise ConfigurationError(f"the journal of orders {self.path}: {error}. {consequence}") from error

    def _note(self, number: int, step: str, detail: str, time: pd.Timestamp) -> None:
        self._connection.execute("INSERT INTO steps VALUES (?, ?, ?, ?)", (number, _micros(time), step, detail))

    def _row(self, number: int) -> sqlite3.Row:
        with self._reading():
            row: sqlite3.Row = self._connection.execute("SELECT * FROM intents WHERE number = ?", (number,)).fetchone()
        return row

    @staticmethod
    def _intent(row: sqlite3.Row) -> Intent:
        return Intent(
            number=row["number"],
            kind=row["kind"],
            cli_ord_id=row["cli_ord_id"],
            order_id=row["order_id"],
            symbol=row["symbol"],
            details=json.loads(row["details"]),
            written=_time(row["written"]),
            sent_time=_time(row["sent_time"]),
            deadline=None if row["deadline"] is None else _time(row["deadline"]),
        )


_STILL = "What became of an order is not written down; see client.open_orders() and client.fills()"

_PLAIN = ("number", "kind", "cli_ord_id", "order_id", "symbol", "status", "reason", "message", "filled_size", "session")


_NUMBERS = ("size", "limit_price", "stop_price")


def in_memory() -> Journal:
    """A journal for an account that lives no longer than this process."""
    return Journal(None)


def _connect(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        _make_private(path)
    connection = sqlite3.connect(
        ":memory:" if path is None else path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
    )
    connection.row_factory = sqlite3.Row
    return connection


def _make_private(path: Path) -> None:
    """An empty file that only its owner reads; SQLite gives the files beside it the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            path.chmod(0o600)


def _micros(time: pd.Timestamp) -> int:
    return round(time.timestamp() * 1e6)


def _time(micros: int) -> pd.Timestamp:
    return pd.Timestamp(micros, unit="us", tz="UTC")


def _optional_time(micros: int | None) -> pd.Timestamp | None:
    return None if micros is None else _time(micros)


def _known(value: float | None) -> float | None:
    return None if value is None or value != value else value


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)
