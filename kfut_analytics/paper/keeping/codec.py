"""Dataclasses as rows of a table, and back, as the types of their fields say.

A field is a column: numbers and text as they are, what is nested as JSON, a contract as its symbol. So a new field
needs no word here, and one of a type without a rule is an error when the table is made, not a value that is lost.
"""

from __future__ import annotations

import math
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from decimal import Decimal
from operator import attrgetter
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from kfut_analytics.paper.market.instruments import Contract

T = TypeVar("T")
Translate = Callable[[Any], Any]

_LONGEST_WORD = 20
"""Texts up to this length are words that come again and again, longer ones are ids."""

_json = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Rule:
    """How values of a type are written.

    Attributes
    ----------
    write, read
        To what JSON can hold, and back; ``None`` for what it holds as it is. They are not asked about ``None``.
    column
        Type of a column that can hold it, ``None`` for what is put there as JSON.
    lasting
        Whether a value never changes within itself.
    optional
        Whether it may be ``None``.
    """

    write: Translate | None = None
    read: Translate | None = None
    column: str | None = None
    lasting: bool = True
    optional: bool = False

    def to_json(self, value: Any) -> str:
        """A value as the text of JSON."""
        return msgspec.json.encode(value if self.write is None else self.write(value)).decode()

    def from_json(self, text: str) -> Any:
        """The value of such a text."""
        written = _json.decode(text)
        return written if self.read is None else self.read(written)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number that can be kept")
    return float(value)


def _shared(text: str) -> str:
    """The same text, one for all rows if it is a word."""
    return sys.intern(text) if len(text) <= _LONGEST_WORD else text


_SCALARS = {
    str: Rule(column="TEXT"),
    int: Rule(column="INTEGER"),
    bool: Rule(read=bool, column="INTEGER"),
    float: Rule(_finite, column="REAL"),
    Decimal: Rule(str, Decimal, "TEXT"),
}


class Codec:
    """The rules of all types.

    Parameters
    ----------
    symbol, contract
        Give the symbol of a contract, and the contract of a symbol.
    """

    def __init__(self, symbol: Callable[[Contract], str], contract: Callable[[str], Contract]) -> None:
        self._symbol = symbol
        self._contract = contract

    def rule(self, kind: Any) -> Rule:
        """The rule of a type.

        Raises
        ------
        TypeError
            If it has none.
        """
        origin, arguments = get_origin(kind), get_args(kind)
        if kind in _SCALARS:
            return _SCALARS[kind]
        if kind is Contract:
            return Rule(self._symbol, self._contract, "TEXT")
        if origin is Literal and {type(word) for word in arguments} == {str}:
            return _SCALARS[str]
        if origin in (Union, types.UnionType) and len(arguments) == 2 and types.NoneType in arguments:
            [kind] = set(arguments) - {types.NoneType}
            return replace(self.rule(kind), optional=True)
        if origin is list or (origin is tuple and arguments[-1] is ...):
            return _many(origin, self.rule(arguments[0]))
        if origin is tuple:
            return _some([self.rule(argument) for argument in arguments])
        if origin in (dict, Counter):
            # As pairs: a key need not be text.
            pairs = _many(list, _some([self.rule(argument) for argument in (*arguments, int)[:2]]))
            return Rule(_then(dict.items, pairs.write), _then(_then(pairs.read, dict), origin), lasting=False)
        if isinstance(kind, type) and is_dataclass(kind):
            return self.nested(kind)
        raise TypeError(f"{kind!r} has no rule in the files of paper accounts: give it one")

    def nested(self, kind: type) -> Rule:
        """The rule of a dataclass with all its fields."""
        rules = self.rules(kind)
        writes = [(name, rule.write) for name, rule in rules.items() if rule.write is not None]
        reads = [(name, rule.read) for name, rule in rules.items() if rule.read is not None]

        def write(value: Any) -> dict[str, Any]:
            written = {name: getattr(value, name) for name in rules}
            for name, translate in writes:
                if written[name] is not None:
                    written[name] = translate(written[name])
            return written

        def read(written: dict[str, Any]) -> Any:
            for name, translate in reads:
                if written.get(name) is not None:
                    written[name] = translate(written[name])
            return kind(**written)

        return Rule(write, read, lasting=_is_frozen(kind) and all(rule.lasting for rule in rules.values()))

    def rules(self, kind: type, names: Iterable[str] | None = None) -> dict[str, Rule]:
        """The rules of a dataclass's fields, or of some of them."""
        hints = get_type_hints(kind)
        rules = {}
        for name in [field.name for field in fields(kind)] if names is None else names:
            try:
                rules[name] = self.rule(hints[name])
            except TypeError as error:
                raise TypeError(f"{kind.__name__}.{name}: {error}") from None
        return rules


@dataclass(frozen=True, slots=True)
class Column:
    """One field as a column.

    Attributes
    ----------
    definition
        How SQL declares it.
    write, read
        To what a column can hold, and back; ``None`` for what it holds as it is. They are not asked about ``None``.
    default
        What the column holds where a row was written before there was the field; `MISSING` if the field has no
        default.
    """

    name: str
    definition: str
    write: Translate | None
    read: Translate | None
    default: Any

    @classmethod
    def of(cls, field: Field[Any], rule: Rule) -> Column:
        """The column of a field."""
        write, read = rule.write, rule.read
        if rule.column is None:
            write, read = rule.to_json, rule.from_json
        elif rule.column == "TEXT" and read is None:
            read = _shared
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if default not in (MISSING, None) and write is not None:
            default = write(default)
        definition = f'"{field.name}" {rule.column or "TEXT"}{"" if rule.optional else " NOT NULL"}'
        return cls(field.name, definition, write, read, default)


class Table(Generic[T]):
    """How a dataclass is a row.

    Parameters
    ----------
    kind
        The dataclass.
    codec
        The rules.
    names
        The fields that are in the row; all of them unless given.
    make
        Makes a value of these fields, in their order; the dataclass unless given.

    Attributes
    ----------
    attributes
        Gives the fields of a value as they are.
    lasting
        Whether fields that are equal have not changed: none of them changes within itself.
    """

    def __init__(
        self,
        kind: type[T],
        codec: Codec,
        names: Iterable[str] | None = None,
        make: Callable[..., T] | None = None,
    ) -> None:
        rules = codec.rules(kind, names)
        by_name = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
        self._make = make or (lambda *values: kind(**dict(zip(rules, values, strict=True))))
        if make is None and [*rules] == [field.name for field in by_name.values() if not field.kw_only][: len(rules)]:
            self._make = kind  # which is faster
        self.columns = [Column.of(by_name[name], rule) for name, rule in rules.items()]
        self.names = tuple(rules)
        self.lasting = all(rule.lasting for rule in rules.values())
        self.attributes = _getter(self.names)
        self._writes = [(place, column.write) for place, column in enumerate(self.columns) if column.write is not None]
        self._reads = [(place, column.read) for place, column in enumerate(self.columns) if column.read is not None]

    def row(self, value: T) -> list[Any]:
        """The row of a value."""
        row = list(self.attributes(value))
        for place, write in self._writes:
            if row[place] is not None:
                row[place] = write(row[place])
        return row

    def value(self, row: Sequence[Any]) -> T:
        """The value of a row."""
        values = list(row)
        for place, read in self._reads:
            if values[place] is not None:
                values[place] = read(values[place])
        return self._make(*values)


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda value: (get(value),)


def _many(kind: type[list[Any]] | type[tuple[Any, ...]], item: Rule) -> Rule:
    """The rule of any number of values of one type."""
    write, read = _unless_none(item.write), _unless_none(item.read)
    return Rule(
        list if write is None else lambda values: list(map(write, values)),
        kind if read is None else lambda values: kind(map(read, values)),
        lasting=kind is tuple and item.lasting,
    )


def _some(items: Sequence[Rule]) -> Rule:
    """The rule of a tuple with a type for each place."""
    writes = [_unless_none(item.write) or _as_it_is for item in items]
    reads = [_unless_none(item.read) or _as_it_is for item in items]
    return Rule(
        lambda values: [write(value) for write, value in zip(writes, values, strict=True)],
        lambda values: tuple(read(value) for read, value in zip(reads, values, strict=True)),
        lasting=all(item.lasting for item in items),
    )


def _as_it_is(value: Any) -> Any:
    return value


def _then(first: Translate | None, second: Translate | None) -> Translate | None:
    """One step after the other, of those there are."""
    if first is None or second is None:
        return first or second
    return lambda value: second(first(value))


def _unless_none(translate: Translate | None) -> Translate | None:
    return None if translate is None else lambda value: None if value is None else translate(value)


def _is_frozen(kind: Any) -> bool:
    return bool(kind.__dataclass_params__.frozen)
