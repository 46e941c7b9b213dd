"""What a report is made of: sections of figures, tables, charts and notes, built once and drawn by several renderers.

A `Value` is one number, time or word with its unit. It says its own text, so that every renderer shows the same
figures; spreadsheets take the number itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure as Drawing

from ..accounting.amounts import MONEY, amount
from ..errors import ArgumentError
from ..risk.words import percent
from .definitions import DEFINITIONS

Raw = float | int | str | pd.Timestamp | None

WORDS = ("text", "time", "day")
"""Units of what is no number."""

NOT_AVAILABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Value:
    """One figure.

    Attributes
    ----------
    raw
        The number, time or word; None or NaN where there is none.
    unit
        ``text``, ``time``, ``day``, ``fraction`` (shown in per cent), ``return`` and ``rate`` (likewise, with two
        and four decimals), ``number``, ``days``, ``count``, ``price``, ``size``, or a currency.
    sign
        Whether a gain is shown with its plus sign.
    note
        Why it is missing, or what is to be known of it.
    """

    raw: Raw
    unit: str = "text"
    sign: bool = False
    note: str = ""

    @property
    def missing(self) -> bool:
        """Whether there is none."""
        return self.raw is None or bool(pd.isna(self.raw))

    @property
    def numeric(self) -> bool:
        """Whether it is a number."""
        return self.unit not in WORDS

    @property
    def negative(self) -> bool:
        """Whether it is shown as a loss: an amount or a return below zero."""
        return self.unit not in _NO_LOSS and self.text.startswith("\N{MINUS SIGN}")

    @property
    def text(self) -> str:
        """As people read it."""
        if self.missing:
            return NOT_AVAILABLE
        if isinstance(self.raw, pd.Timestamp):
            return f"{self.raw.tz_convert('UTC'):{'%Y-%m-%d' if self.unit == 'day' else '%Y-%m-%d %H:%M'}}"
        if isinstance(self.raw, str):
            return self.raw
        assert self.raw is not None
        return _number(float(self.raw), self.unit, self.sign).replace("-", "\N{MINUS SIGN}")

    @property
    def with_unit(self) -> str:
        """The text, and the currency of an amount."""
        return f"{self.text} {self.unit}" if not self.missing and self.unit not in _UNITS else self.text


_NO_LOSS = (*WORDS, "fraction", "rate", "number", "days", "count", "price", "size")
_UNITS = (*_NO_LOSS, "return")
"""Units that are no currency."""


def _number(value: float, unit: str, sign: bool) -> str:
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else "-\N{INFINITY}"
    match unit:
        case "fraction" | "return":
            text = percent(value, decimals=1 if unit == "fraction" else 2)
            text = text.removeprefix("-") if float(text.split()[0].replace(",", "")) == 0 else text
            return f"+{text}" if sign and value > 0 and text[0] != "0" else text
        case "number" | "days":
            return f"{value:,.2f}"
        case "count":
            return f"{value:,.0f}"
        case "rate":
            return f"{value * 100:{'+' if sign else ''},.4f} %"
        case "price":  # averages have many more digits than anyone reads
            return _plain(float(f"{value:.8g}"))
        case "size":
            return _plain(value)
        case currency:
            return amount(value, currency, sign=sign)


def _plain(value: float) -> str:
    text = f"{value:,.8f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def decimals_of(unit: str) -> int:
    """Decimals that matter of an amount in a currency."""
    return 2 if unit.upper() in MONEY else 8


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its name; its definition is that of the name unless given."""

    label: str
    value: Value
    definition: str = ""

    def __post_init__(self) -> None:
        if not self.definition:
            object.__setattr__(self, "definition", DEFINITIONS[self.label])


@dataclass(frozen=True, slots=True)
class Figures:
    """Some figures beside each other."""

    key: str
    figures: list[Figure]
    title: str = ""

    kind = "figures"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values.

    Attributes
    ----------
    key
        Unique in a report.
    heads
        Names of the columns; those that hold numbers are defined in `definitions`.
    rows
        Values, as many per row as there are heads.
    title
        Above the table; may be empty.
    empty
        The sentence shown when there are no rows.
    strong
        Numbers of the rows that are set apart.
    limit
        How many rows pages show; a spreadsheet has all.
    numeric
        Whether each column holds numbers.
    """

    key: str
    heads: list[str]
    rows: list[list[Value]]
    title: str = ""
    empty: str = ""
    strong: frozenset[int] = frozenset()
    limit: int | None = None
    numeric: list[bool] = field(init=False, repr=False, compare=False)

    kind = "table"

    def __post_init__(self) -> None:
        numeric = [any(row[place].numeric for row in self.rows) for place in range(len(self.heads))]
        object.__setattr__(self, "numeric", numeric)

    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame of numbers, times and words; heads that occur twice are numbered."""
        names: list[str] = []
        for head in self.heads:
            names.append(head if head not in names else f"{head} {sum(name.startswith(head) for name in names) + 1}")
        columns = ([row[place].raw for row in self.rows] for place in range(len(names)))
        return pd.DataFrame(dict(zip(names, columns, strict=True)))

    def after_number(self, column: int) -> bool:
        """Whether a column holds text and the one before numbers, so that the two would touch."""
        return column > 0 and self.numeric[column - 1] and not self.numeric[column]

    @property
    def shown(self) -> list[list[Value]]:
        """The rows that pages show."""
        return self.rows[: self.limit]

    @property
    def cut(self) -> str:
        """What pages say of the rows they do not show; empty when they show all."""
        left = len(self.rows) - len(self.shown)
        return f"The first {len(self.shown):,} of {len(self.rows):,} rows; a report in Excel has all." if left else ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing.

    Attributes
    ----------
    key
        Unique in a report; a file name.
    title
        What it shows, for those who do not see it.
    height
        Inches, of a width of `WIDTH`.
    draw
        Draws on an empty figure of matplotlib.
    """

    key: str
    title: str
    height: float
    draw: Callable[[Drawing], object] = field(repr=False, compare=False)

    kind = "chart"


WIDTH = 9.0
"""Inches of all charts."""


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence. ``missing`` is one that says why something is not there."""

    text: str
    missing: bool = False

    kind = "note"
    title = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """Sentences as a list."""

    key: str
    texts: list[str]
    title: str = ""

    kind = "notes"


@dataclass(frozen=True, slots=True)
class Terms:
    """Definitions of names."""

    key: str
    terms: dict[str, str]

    kind = "terms"
    title = ""


Part = Figures | Table | Chart | Note | Notes | Terms


@dataclass(frozen=True, slots=True)
class Section:
    """A section; ``parts`` in the order in which they are read."""

    key: str
    title: str
    parts: list[Part]

    def figures(self) -> Iterator[Figure]:
        """All figures of the section."""
        for part in self.parts:
            if isinstance(part, Figures):
                yield from part.figures

    def part(self, key: str) -> Figures | Table | Chart | Notes | Terms:
        """The part of that key.

        Raises
        ------
        ArgumentError
            If the section has none.
        """
        named = {part.key: part for part in self.parts if not isinstance(part, Note)}
        if key not in named:
            raise ArgumentError(f"section {self.key!r} has no part {key!r}: it has {', '.join(named) or 'none'}")
        return named[key]


@dataclass(frozen=True, slots=True)
class Report:
    """A report, ready to be drawn.

    Attributes
    ----------
    title
        Of the whole.
    env
        ``paper``, ``live`` or ``archive``.
    account
        Name of the account, masked unless asked otherwise.
    as_of
        The exchange's time of the figures.
    start, end
        The period of P&L and equity.
    sections
        In their order.
    """

    title: str
    env: str
    account: str
    as_of: pd.Timestamp
    start: pd.Timestamp
    end: pd.Timestamp
    sections: list[Section]

    @property
    def period(self) -> str:
        """The period in words."""
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"

    def section(self, key: str) -> Section:
        """The section of that key.

        Raises
        ------
        ArgumentError
            If the report has none.
        """
        named = {section.key: section for section in self.sections}
        if key not in named:
            raise ArgumentError(f"the report has no section {key!r}: it has {', '.join(named)}")
        return named[key]

    def charts(self) -> Iterator[Chart]:
        """All charts."""
        for section in self.sections:
            yield from (part for part in section.parts if isinstance(part, Chart))


def terms_of(sections: list[Section]) -> dict[str, str]:
    """The definitions of everything in some sections, in the order in which it occurs."""
    terms: dict[str, str] = {}
    for section in sections:
        for part in section.parts:
            match part:
                case Figures(figures=figures):
                    terms |= {figure.label: figure.definition for figure in figures if figure.label not in terms}
                case Table(heads=heads, rows=rows) if rows:
                    terms |= {head: DEFINITIONS[head] for head in heads if head in DEFINITIONS and head not in terms}
    return terms | {NOT_AVAILABLE: DEFINITIONS[NOT_AVAILABLE]}
