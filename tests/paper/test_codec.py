"""Whatever a dataclass of the engine can hold comes back from a table as it was."""

import sqlite3
import types
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfut_analytics.paper.engine.account import Fill, LogRow, Position
from kfut_analytics.paper.engine.orders import Closed, Order, Record, Trailing
from kfut_analytics.paper.engine.preferences import Preferences
from kfut_analytics.paper.keeping.codec import Codec, Table
from kfut_analytics.paper.keeping.layout import Engine
from kfut_analytics.paper.keeping.store import Settings
from kfut_analytics.paper.market.instruments import Contract, listing

from .conftest import NOW

CONTRACTS = listing(NOW)
CODEC = Codec(lambda contract: contract.symbol, CONTRACTS.__getitem__)
SCALARS = {
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(1, 2**63 - 1),
    str: st.text(),
    bool: st.booleans(),
    type(None): st.none(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    Contract: st.sampled_from(list(CONTRACTS.values())),
}


@dataclass(frozen=True)
class Shapes:
    """Every shape that a field can have."""

    numbers: list[float | None]
    pair: tuple[str, Decimal | None]
    many: tuple[Trailing, ...]
    maybe: Trailing | None
    by_pair: dict[tuple[str, str], list[Contract]]
    counts: Counter[str]
    nested: dict[str, dict[str, bool]]
    late: int | None = field(default=None, kw_only=True)


def values(kind):
    """Anything that a field of a type may hold."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in SCALARS:
        return SCALARS[kind]
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values, arguments))
    if origin is list:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is tuple:
        return (
            st.tuples(*map(values, arguments))
            if arguments[-1] is not ...
            else st.lists(values(arguments[0])).map(tuple)
        )
    if origin is Counter:
        return st.dictionaries(values(arguments[0]), SCALARS[int], max_size=3).map(Counter)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    assert is_dataclass(kind), kind
    hints = get_type_hints(kind)
    return st.builds(kind, **{each.name: values(hints[each.name]) for each in fields(kind)})


def types_of(value):
    """The types of everything in a value: 1 and 1.0 and True are equal, but not the same."""
    if is_dataclass(value):
        return type(value), [types_of(getattr(value, each.name)) for each in fields(value)]
    if isinstance(value, dict):
        return type(value), [(types_of(key), types_of(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), list(map(types_of, value))
    return type(value)


def through_a_file(table, value):
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"CREATE TABLE t ({', '.join(column.definition for column in table.columns)})")
        connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(table.columns))})", table.row(value))
        [row] = connection.execute("SELECT * FROM t")
    connection.close()
    return table.value(row)


@pytest.mark.parametrize("kind", [LogRow, Fill, Order, Record, Closed, Position, Preferences, Settings, Engine, Shapes])
def test_every_row_comes_back_as_it_was(kind):
    table = Table(kind, CODEC)

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(values(kind))
    def holds(value):
        back = through_a_file(table, value)
        assert back == value
        assert types_of(back) == types_of(value)

    holds()


def test_a_contract_comes_back_as_the_one_that_is_listed():
    table = Table(Position, CODEC)
    contract = CONTRACTS["PF_XBTUSD"]
    assert through_a_file(table, Position(contract, 1.0, 2.0, 3.0, 4.0)).contract is contract


def test_a_contract_can_be_written_whole():
    table = Table(Contract, CODEC)
    for contract in CONTRACTS.values():
        assert through_a_file(table, contract) == contract


@pytest.mark.parametrize(
    "hint", [datetime, set[str], Callable[[], str], int | str, Literal[1, 2], dict[str, object], Decimal | int | None]
)
def test_a_field_of_a_type_without_a_rule_is_an_error(hint):
    row = dataclass(type("Row", (), {"__annotations__": {"odd": hint}}))
    with pytest.raises(TypeError, match=r"Row\.odd: .* has no rule"):
        Table(row, CODEC)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_what_is_no_number_is_an_error(odd):
    with pytest.raises(ValueError, match="no number that can be kept"):
        Table(Position, CODEC).row(Position(CONTRACTS["PF_XBTUSD"], odd, 2.0, 3.0, 4.0))


def test_a_nested_field_that_was_added_has_its_default_in_older_rows():
    @dataclass
    class Inner:
        old: int
        new: str = "default"

    rule = CODEC.nested(Inner)
    assert rule.from_json('{"old": 1}') == Inner(1)
    with pytest.raises(TypeError):
        rule.from_json('{"new": "x"}')
    with pytest.raises(TypeError):
        rule.from_json('{"old": 1, "unknown": 2}')
