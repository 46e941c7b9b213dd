"""Canonical frames to Arrow tables and back, without losing a digit.

Numbers are kept as float64. Those that this changes, of more than some sixteen digits, are kept as text as well, in
the column `exact`: `Decimal` numbers can be had from both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..columns import Table
from ..schema import ACCOUNT_LOG, with_change
from .layout import EXACT

_TYPES: dict[str, pa.DataType] = {
    "str": pa.string(),
    "float": pa.float64(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}


def arrow_schema(table: Table) -> pa.Schema:
    """What the files of a table hold."""
    fields = [pa.field(column.name, _TYPES[column.kind]) for column in table.columns]
    return pa.schema([*fields, pa.field(EXACT, pa.string())])


def to_arrow(table: Table, frame: pd.DataFrame) -> pa.Table:
    """A canonical frame as an Arrow table; its numbers may be `Decimal` or float."""
    flat = frame.reset_index() if table.index else frame
    exact: dict[int, dict[str, str]] = {}
    arrays = []
    for column in table.columns:
        values: Any = flat[column.name]
        if column.kind == "float":
            if values.dtype == object:
                values = _floats(values, column.name, exact)
            values = np.asarray(values, dtype="float64")
        arrays.append(pa.array(values, type=_TYPES[column.kind], from_pandas=True))
    texts = [None] * len(flat) if not exact else [_json(exact.get(row)) for row in range(len(flat))]
    arrays.append(pa.array(texts, type=pa.string()))
    found = pa.Table.from_arrays(arrays, schema=arrow_schema(table))
    if table is ACCOUNT_LOG and len(found):
        # What a client computes of float numbers, not the float nearest to the difference of the exact ones.
        change = pc.subtract(found["new_balance"], found["old_balance"])
        found = found.set_column(found.schema.get_field_index("change"), "change", change)
    return found


def _floats(values: Iterable[Decimal | None], name: str, exact: dict[int, dict[str, str]]) -> list[float]:
    found = [np.nan if value is None else float(value) for value in values]
    for row, (number, value) in enumerate(zip(found, values, strict=True)):
        if value is not None and _shortest(number) != value:
            exact.setdefault(row, {})[name] = str(value)
    return found


def _json(texts: dict[str, str] | None) -> str | None:
    return None if texts is None else json.dumps(texts)


def _shortest(number: float) -> Decimal:
    return Decimal(repr(number).removesuffix(".0"))


def to_frame(table: Table, arrow: pa.Table, *, exact: bool = False) -> pd.DataFrame:
    """The canonical frame of an Arrow table that `to_arrow` made.

    Parameters
    ----------
    exact
        Numbers as `Decimal`, missing ones None.
    """
    names = [column.name for column in table.columns if column.name in arrow.column_names]
    frame: pd.DataFrame = arrow.select(names).to_pandas(
        types_mapper={pa.bool_(): pd.BooleanDtype()}.get, split_blocks=True
    )
    for column in table.columns:
        if column.name not in names:
            continue
        if column.kind == "str" and frame[column.name].dtype != "str":
            frame[column.name] = frame[column.name].astype("str")
        if exact and column.kind == "float":
            frame[column.name] = _decimals(arrow, column.name)
    if table.index in names:
        frame = frame.set_index(table.index)
    frame.attrs["units"] = {column.name: column.unit for column in table.columns if column.unit}
    return with_change(frame) if exact and table is ACCOUNT_LOG else frame


def _decimals(arrow: pa.Table, name: str) -> pd.Series[Any]:
    numbers = [None if number is None else _shortest(number) for number in arrow[name].to_pylist()]
    for row in np.flatnonzero(arrow[EXACT].is_valid().to_numpy()):
        texts = json.loads(arrow[EXACT][int(row)].as_py())
        if name in texts:
            numbers[row] = Decimal(texts[name])
    return pd.Series(np.fromiter(numbers, object, len(numbers)), copy=False)
