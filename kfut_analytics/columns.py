"""Tables and columns: how the values of a column are read, and how frames are built from them.

A table is a list of columns. Its frames always have exactly these columns in this order and with these dtypes, also
when they are empty. Kinds and their dtypes:

========  =======================  ==========================================================================
kind      dtype                    accepted values
========  =======================  ==========================================================================
str       ``str`` (missing NaN)    text
float     ``float64``              numbers and decimal text, ``0E-20`` and ``60505.`` among them
int       ``int64``                whole numbers, exact beyond 2^53; never missing
bool      ``boolean`` (missing NA)  true and false, also as text
time      ``datetime64[us, UTC]``  ISO 8601 text of any precision, or milliseconds since 1970
========  =======================  ==========================================================================

Units are in ``df.attrs["units"]``. ``source`` is the field of the exchange's reply that fills the column; empty means
that the column is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from typing import Any, Literal

import msgspec
import numpy as np
import pandas as pd

from .errors import DecodeError

Kind = Literal["str", "float", "int", "bool", "time"]
Array = np.ndarray[Any, np.dtype[Any]]
_Stored = Kind | Literal["decimal"]

_DTYPES = {"str": "str", "float": "float64", "int": "int64", "bool": "boolean", "time": "datetime64[us, UTC]"}
_BOOLS = {True: True, False: False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name, kind, unit, meaning
        As the user sees them.
    source
        Field of the exchange's reply; several spellings are separated by ``|``.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    source: str = ""


def columns_of(text: str) -> tuple[Column, ...]:
    """Read columns from lines of ``name | kind | unit | meaning | source, other spelling``; the source may be empty."""
    columns = []
    for line in text.strip().splitlines():
        name, kind, unit, meaning, *source = (part.strip() for part in line.split("|"))
        columns.append(Column(name, kind, unit, meaning, "".join(source).replace(", ", "|")))  # type: ignore[arg-type]
    return tuple(columns)


@dataclass(frozen=True)
class Table:
    """A canonical table.

    Attributes
    ----------
    name
        What ``kfut.describe(name)`` and messages call it.
    columns
        All columns, the index column among them.
    index
        Name of the index column, empty for a plain numbering.
    """

    name: str
    columns: tuple[Column, ...]
    index: str = ""

    def frame(self, data: Mapping[str, Sequence[Any]], *, exact: bool = False) -> pd.DataFrame:
        """Build the frame from one sequence per column; columns that are not given are missing throughout.

        Parameters
        ----------
        data
            Values by column name.
        exact
            Numbers as `Decimal` in object columns, just as the exchange wrote them, missing ones None.

        Raises
        ------
        DecodeError
            If a value cannot be read as its column's kind; the message names table, column and value.
        """
        return self.frame_of(self.arrays(data, exact=exact), exact=exact)

    def arrays(self, data: Mapping[str, Sequence[Any]], *, exact: bool = False) -> dict[str, Array]:
        """The values of every column as an array; arrays of several pages can be joined end to end.

        Raises
        ------
        DecodeError
            If a value cannot be read as its column's kind; the message names table, column and value.
        """
        length = max((len(values) for values in data.values()), default=0)
        missing = [None] * length
        return {
            column.name: _readable(data.get(column.name, missing), column, self.name, exact=exact)
            for column in self.columns
        }

    def frame_of(self, arrays: Mapping[str, Array], *, exact: bool = False) -> pd.DataFrame:
        """Build the frame from the arrays of all columns."""
        series = {column.name: _series(arrays[column.name], _kind(column, exact)) for column in self.columns}
        # Not copied into one block per dtype: the frame of a long history would need twice its memory.
        frame = pd.DataFrame(series, copy=False)
        if self.index:
            frame = frame.set_index(self.index)
        frame.attrs["units"] = {column.name: column.unit for column in self.columns if column.unit}
        return frame

    def describe(self) -> pd.DataFrame:
        """The table's dictionary: one row per column."""
        return pd.DataFrame(
            {
                "dtype": [_DTYPES[column.kind] for column in self.columns],
                "unit": [column.unit for column in self.columns],
                "meaning": [column.meaning for column in self.columns],
                "source": [column.source or "computed" for column in self.columns],
            },
            index=pd.Index([column.name for column in self.columns], name="column"),
        )


def convert(values: Sequence[Any], column: Column, table: str, *, exact: bool = False) -> pd.Series[Any]:
    """One column's values as a Series of its dtype.

    Raises
    ------
    DecodeError
        If a value cannot be read; the message names table, column and value.
    """
    return _series(_readable(values, column, table, exact=exact), _kind(column, exact))


def _kind(column: Column, exact: bool) -> _Stored:
    return "decimal" if exact and column.kind == "float" else column.kind


def _readable(values: Sequence[Any], column: Column, table: str, *, exact: bool) -> Array:
    kind = _kind(column, exact)
    try:
        return _array(values, kind)
    except _UNREADABLE:
        for value in values:
            try:
                _array([value], kind)
            except _UNREADABLE as error:
                raise DecodeError(
                    f"{table}.{column.name}: the value {value!r} of the field {column.source or column.name!r} "
                    f"cannot be read as {column.kind}"
                ) from error
        raise


_UNREADABLE = (ValueError, TypeError, ArithmeticError, KeyError)
_NONE = type(None)


def _array(values: Sequence[Any], kind: _Stored) -> Array:
    """Values as an array: objects for text, truth and decimals (missing: None), UTC without a zone for times."""
    match kind:
        case "decimal":
            return _objects([_decimal(v) for v in values])
        case "float":
            return _floats(values)
        case "str":
            return _texts(values)
        case "int":
            whole = set(map(type, values)) == {int}
            return np.array(values if whole else [_whole(v) for v in values], dtype="int64")
        case "bool":
            return _objects([None if v is None else _BOOLS[v] for v in values])
        case "time":
            return _times(values)


def _series(array: Array, kind: _Stored) -> pd.Series[Any]:
    match kind:
        case "decimal" | "float" | "int":
            return pd.Series(array, copy=False)
        case "str" | "bool" | "time":
            return pd.Series(array, dtype=_DTYPES[kind])


def _objects(values: Sequence[Any]) -> Array:
    return np.fromiter(values, object, len(values))


def _texts(values: Sequence[Any]) -> Array:
    if not set(map(type, values)) <= {str, _NONE}:
        values = [_text(value) for value in values]
    if len(set(values[:_SAMPLE])) < _SAMPLE // 4:
        # Few different texts, each read anew in every row: equal ones share their memory.
        shared: dict[Any, Any] = {}
        return np.fromiter(map(shared.setdefault, values, values), object, len(values))
    return _objects(values)


_SAMPLE = 64


_NUMBERS = {float, int, str, _NONE, np.float64, Decimal}
_JSON_NUMBERS = msgspec.json.Decoder(list[float])


def _floats(values: Sequence[Any]) -> Array:
    kinds = set(map(type, values))
    if kinds - _NUMBERS:
        raise TypeError(f"not numbers: {kinds}")
    if kinds <= {_NONE}:
        return np.full(len(values), np.nan)
    if str not in kinds:
        return np.fromiter(values, "float64", len(values))  # None becomes NaN
    if kinds == {str}:
        # A JSON parser reads decimal text several times faster than float() does, and just as exactly. A text with a
        # comma in it would be more than one number.
        try:
            numbers = _JSON_NUMBERS.decode(f"[{','.join(values)}]")
        except msgspec.DecodeError:
            pass
        else:
            if len(numbers) == len(values):
                return np.fromiter(numbers, "float64", len(values))
    return np.array([np.nan if v is None or v == "" else float(v) for v in values], dtype="float64")


def _decimal(value: Any) -> Decimal | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, float, str)):
        raise TypeError(f"not a number: {value!r}")
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    raise TypeError(f"not text: {type(value)}")


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()) or value is None:
        raise TypeError(f"not a whole number: {value!r}")
    return int(value)


_YEAR_1, _YEAR_10000 = np.datetime64("0001-01-01", "us"), np.datetime64("10000-01-01", "us")
_LATEST_MS = int(_YEAR_10000.astype("datetime64[ms]").astype(np.int64))
"""The calendar of the rest of Python ends with the year 9999; a later time is no time."""
_T_AND_Z = itemgetter(10, -1)


def _times(values: Sequence[Any]) -> Array:
    kinds = set(map(type, values))
    # What the exchange usually sends, without the detour over pandas; anything else takes it.
    if kinds == {int}:
        stamps = np.fromiter(values, "int64", len(values))
        if stamps.min() >= 0 and stamps.max() < _LATEST_MS:
            return stamps.view("datetime64[ms]").astype("datetime64[us]")
    elif kinds == {str}:
        try:
            if set(map(_T_AND_Z, values)) == {("T", "Z")}:
                return np.array([text[:-1] for text in values], dtype="datetime64[us]")
        except (ValueError, IndexError):
            pass  # finer than microseconds, or no time: pandas knows
    return _any_times(values, kinds)


def _any_times(values: Sequence[Any], kinds: set[type]) -> Array:
    if kinds <= {str, _NONE}:
        stamps = pd.to_datetime(pd.Series(values, dtype="object"), format="ISO8601", utc=True)
    elif kinds <= {int, float, _NONE}:
        stamps = pd.to_datetime(pd.Series(values, dtype="Float64").astype("Int64"), unit="ms", utc=True)
    elif kinds <= {pd.Timestamp, _NONE, type(pd.NaT)}:
        stamps = pd.Series(pd.to_datetime(list(values), utc=True))
    elif kinds <= {str, int, float, _NONE}:
        return np.concatenate([_any_times([value], {type(value)}) for value in values])
    else:
        raise TypeError(f"not times: {kinds}")
    found = stamps.dt.tz_localize(None).to_numpy("datetime64[us]")
    if not (np.isnat(found) | ((found >= _YEAR_1) & (found < _YEAR_10000))).all():
        raise ValueError("outside the years 1 to 9999")
    return found
