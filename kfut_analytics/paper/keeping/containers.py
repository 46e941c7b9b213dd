"""Containers of dataclasses and the tables that their rows lie in: read once, then written as what has changed.

A list only grows, so what is written is what it has grown by; a dict is compared with what was written last.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, is_dataclass
from typing import Any, get_args, get_origin

from kfut_analytics.errors import ConfigurationError
from kfut_analytics.paper.keeping.codec import Table
from kfut_analytics.paper.keeping.files import AccountFile

Row = Sequence[Any]
Change = tuple[str, Row]
"""A statement of SQL and its row."""


class Place:
    """A table of the file: columns that say where a row belongs, then those of a dataclass.

    Parameters
    ----------
    name
        The table's name.
    table
        The columns of the dataclass.
    keyed
        Whether a row has a key beside its number and its owner.

    Attributes
    ----------
    create, insert, delete
        The statements of SQL. A row takes the place of one with the same number.
    """

    def __init__(self, name: str, table: Table[Any], *, keyed: bool = False) -> None:
        self.name = name
        lead = {"number": "INTEGER PRIMARY KEY", "owner": "TEXT NOT NULL"} | ({"key": "TEXT NOT NULL"} if keyed else {})
        self._lead = len(lead)
        self._table = table
        self._columns = [*lead, *table.names]
        self._numbers = itertools.count(1)
        definitions = [f'"{column}" {definition}' for column, definition in lead.items()]
        definitions += [column.definition for column in table.columns]
        names = ", ".join(f'"{column}"' for column in self._columns)
        self.create = f'CREATE TABLE "{name}" ({", ".join(definitions)})'
        self.insert = f'INSERT OR REPLACE INTO "{name}" ({names}) VALUES ({", ".join("?" * len(self._columns))})'
        self.delete = f'DELETE FROM "{name}" WHERE number = ?'

    def number(self) -> int:
        """A number above those of all rows."""
        return next(self._numbers)

    def read(self, file: AccountFile) -> dict[str, list[Row]]:
        """All rows by owner, in the order of their numbers."""
        found: defaultdict[str, list[Row]] = defaultdict(list)
        last = 0
        for row in file.rows(self.name, self._columns):
            last = row[0]
            found[row[1]].append(row)
        self._numbers = itertools.count(last + 1)
        return found

    def value(self, row: Row) -> Any:
        """The value in a row."""
        return self._table.value(row[self._lead :])

    def row(self, value: Any) -> list[Any]:
        """The columns of a value."""
        return self._table.row(value)

    @property
    def look(self) -> Callable[[Any], Row]:
        """Gives what is equal as long as a value has not changed: its fields, unless they change within themselves."""
        return self._table.attributes if self._table.lasting else self._table.row

    def upgrade(self, file: AccountFile) -> Iterator[Change]:
        """Statements that give an older file what has been added to the dataclass since it was written.

        Raises
        ------
        ConfigurationError
            If the file has what the dataclass has not, or lacks what has no default.
        """
        present = file.columns(self.name)
        if not present:
            yield self.create, ()
            return
        if unknown := set(present) - set(self._columns):
            raise ConfigurationError(
                f"{file.path} has {', '.join(sorted(unknown))} in {self.name}, which this version does not know: "
                "pip install --upgrade kfut-analytics"
            )
        for column in self._table.columns:
            if column.name in present:
                continue
            if column.default is MISSING:
                raise ConfigurationError(
                    f"{file.path} lacks {column.name} in {self.name}: it was written by a version too old to be read"
                )
            yield f'ALTER TABLE "{self.name}" ADD COLUMN {column.definition} DEFAULT {file.quoted(column.default)}', ()


class Container(ABC):
    """A container of one owner, as rows.

    Parameters
    ----------
    place
        The table of the rows.
    owner
        Whose rows they are, where a table has those of several.
    """

    def __init__(self, place: Place, owner: str = "") -> None:
        self._place = place
        self._owner = owner

    @abstractmethod
    def fill(self, rows: Sequence[Row], empty: Any) -> None:
        """Put into an empty container what its rows hold."""

    @abstractmethod
    def changes(self, items: Any) -> Iterator[Change]:
        """What must be written so that the rows are what the container holds."""

    def read(self, file: AccountFile, empty: Any) -> None:
        """Put into an empty container what its rows in a file hold."""
        self.fill(self._place.read(file).get(self._owner, []), empty)


class Grown(Container):
    """A list to which values that never change are appended."""

    def __init__(self, place: Place, owner: str = "") -> None:
        super().__init__(place, owner)
        self._written = 0

    def fill(self, rows: Sequence[Row], empty: list[Any]) -> None:
        """Fill the list."""
        empty += map(self._place.value, rows)
        self._written = len(empty)

    def changes(self, items: list[Any]) -> Iterator[Change]:
        """What was appended."""
        if len(items) < self._written:
            raise RuntimeError(f"{self._place.name} of {self._owner!r} has become shorter")
        for item in items[self._written :]:
            yield self._place.insert, (self._place.number(), self._owner, *self._place.row(item))
        self._written = len(items)


class Latest(Container):
    """A deque: the latest of the values that were appended."""

    def __init__(self, place: Place, owner: str = "") -> None:
        super().__init__(place, owner)
        self._numbers: deque[int] = deque()
        self._last: Any = None

    def fill(self, rows: Sequence[Row], empty: deque[Any]) -> None:
        """Fill the deque."""
        empty.extend(map(self._place.value, rows))
        self._numbers.extend(row[0] for row in rows)
        self._last = empty[-1] if empty else None

    def changes(self, items: deque[Any]) -> Iterator[Change]:
        """What was appended, and what was dropped for it."""
        appended = list(itertools.takewhile(lambda item: item is not self._last, reversed(items)))
        for item in reversed(appended):
            self._numbers.append(self._place.number())
            yield self._place.insert, (self._numbers[-1], self._owner, *self._place.row(item))
        while len(self._numbers) > len(items):
            yield self._place.delete, (self._numbers.popleft(),)
        self._last = items[-1] if items else None


class Members(Container):
    """A dict of values that may change."""

    def __init__(self, place: Place, owner: str = "") -> None:
        super().__init__(place, owner)
        self._written: dict[str, tuple[int, Row]] = {}

    def fill(self, rows: Sequence[Row], empty: dict[str, Any]) -> None:
        """Fill the dict."""
        for row in rows:
            number, _, key, *_ = row
            item = empty[key] = self._place.value(row)
            self._written[key] = number, self._place.look(item)

    def changes(self, items: dict[str, Any]) -> Iterator[Change]:
        """What is new, has changed or is gone."""
        place, look = self._place, self._place.look
        for key in self._written.keys() - items.keys():
            yield place.delete, (self._written.pop(key)[0],)
        last = 0
        for key, item in items.items():
            number, before = self._written.get(key, (0, ()))
            now = look(item)
            if number > last and now == before:
                last = number
                continue
            if number <= last:
                # New, or it was away and has come back behind the others.
                if number:
                    yield place.delete, (number,)
                number = place.number()
            last = number
            self._written[key] = number, now
            yield place.insert, (number, self._owner, key, *place.row(item))


class Single:
    """One value, the only row of its table."""

    def __init__(self, place: Place) -> None:
        self._row = Members(place)

    def read(self, file: AccountFile) -> Any:
        """The value in a file."""
        found: dict[str, Any] = {}
        self._row.read(file, found)
        [value] = found.values()
        return value

    def changes(self, value: Any) -> Iterator[Change]:
        """What must be written if it has changed."""
        return self._row.changes({"": value})


@dataclass(frozen=True, slots=True)
class Text:
    """The row of a text."""

    text: str


class Used(Container):
    """A dict that is only its keys, texts to which texts are added."""

    def __init__(self, place: Place, owner: str = "") -> None:
        super().__init__(place, owner)
        self._written = 0

    def fill(self, rows: Sequence[Row], empty: dict[str, None]) -> None:
        """Fill the dict."""
        empty |= dict.fromkeys(row[-1] for row in rows)
        self._written = len(empty)

    def changes(self, items: dict[str, None]) -> Iterator[Change]:
        """The texts that were added."""
        added = list(itertools.islice(reversed(items), len(items) - self._written))
        for text in reversed(added):
            yield self._place.insert, (self._place.number(), self._owner, text)
        self._written = len(items)


Kind = type[Grown] | type[Latest] | type[Members] | type[Used]


def container_of(hint: Any) -> tuple[Kind, type] | None:
    """What keeps a field row by row, and the dataclass of the rows; ``None`` if that is not how it is kept."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is dict and arguments[1] is None:
        return Used, Text
    kinds: dict[Any, Kind] = {list: Grown, deque: Latest, dict: Members}
    if origin in kinds and isinstance(arguments[-1], type) and is_dataclass(arguments[-1]):
        return kinds[origin], arguments[-1]
    return None
