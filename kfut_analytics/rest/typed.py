"""Bulk answers read straight into objects with the fields of a table: the fast way, for pages as they usually look.

What is odd in any way (empty text for a number, an error body, another shape) is refused here and read the general
way into dictionaries, by the same columns: the figures are the same. Fields that can be read in more than one way are
left as they are; only numbers are read here, since the parser does that fastest. Fields that fill no column are
skipped: a number beyond float or broken text in one of them goes unnoticed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .. import schema
from .session import GENERAL

Struct = type[msgspec.Struct]

_Id = Annotated[str, Meta(min_length=1)]
_EntryNumber = Annotated[int, Meta(ge=0, le=2**53)]


class Reader:
    """Decodes an answer: a list of objects under one name; dictionaries where these do not fit.

    Parameters
    ----------
    container
        Name of the list.
    row
        Type of its objects.
    strict
        Whether numbers are numbers; otherwise they may be decimal text.
    """

    def __init__(self, container: str, row: Struct, *, strict: bool) -> None:
        # Any other field, those of errors among them, is a matter for the general way.
        known = ("continuationToken", "accountUid", "len", "serverTime")
        body = msgspec.defstruct(
            "Body",
            [
                (container, list[row]),  # type: ignore[valid-type]
                *((name, Any, None) for name in known),
                ("result", Literal["success"], "success"),
            ],
            forbid_unknown_fields=True,
        )
        self._decoder = msgspec.json.Decoder(body, strict=strict)

    def decode(self, text: bytes) -> Any:
        """The answer as a dictionary, whose list holds objects or dictionaries."""
        try:
            return msgspec.structs.asdict(self._decoder.decode(text))
        except msgspec.ValidationError:
            return GENERAL.decode(text)


def _struct(name: str, table: schema.Table, part: str, number: tuple[Any, float | None], **required: Any) -> Struct:
    """An object with those fields that are sources of a table's columns, all optional but the given ones."""
    fields: dict[str, tuple[Any, ...]] = {field: (field, kind) for field, kind in required.items()}
    for column in table.columns:
        for source in filter(None, column.source.split("|")):
            place, _, field = source.rpartition(".")
            if place == part and field not in fields:
                fields[field] = (field, *(number if column.kind == "float" else (Any, None)))
    return msgspec.defstruct(name, list(fields.values()), gc=False)


_NUMBER = (float | None, None)
_DECIMAL_TEXT = (float, math.nan)  # null is left to the general way: the lax parser takes the text "null" for it

_LogEntry = _struct("LogEntry", schema.ACCOUNT_LOG, "", _NUMBER, id=_EntryNumber)
ACCOUNT_LOG = Reader("logs", _LogEntry, strict=True)

# Executions with one's own order; the older shape, which names both orders, is read the general way.
_Order = _struct("Order", schema.EXECUTIONS, "order", _DECIMAL_TEXT, uid=str)
_Data = _struct("OrderData", schema.EXECUTIONS, "data", _DECIMAL_TEXT)
_Execution = _struct("Execution", schema.EXECUTIONS, "execution", _DECIMAL_TEXT, order=_Order, orderData=_Data)
_Payload = msgspec.defstruct("Payload", [("execution", _Execution)], gc=False)
_Kinds = Annotated[dict[str, _Payload], Meta(min_length=1)]  # type: ignore[valid-type]
_Element = _struct("Element", schema.EXECUTIONS, "", _DECIMAL_TEXT, uid=_Id, event=_Kinds)
EXECUTIONS = Reader("elements", _Element, strict=False)


def are_typed(rows: Sequence[Any]) -> bool:
    """Whether rows are objects from here, and not dictionaries."""
    return bool(rows) and isinstance(rows[0], msgspec.Struct)


def fields(rows: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """The values of every field of such objects."""
    values = zip(*map(msgspec.structs.astuple, rows), strict=True)
    return dict(zip(rows[0].__struct_fields__, values, strict=True))


def column(rows: Sequence[Any], name: str) -> list[Any]:
    """The values of one field of such objects."""
    return list(map(attrgetter(name), rows))
