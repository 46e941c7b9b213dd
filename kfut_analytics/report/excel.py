"""A report as a workbook: a sheet per section, numbers as numbers in their formats."""

from __future__ import annotations

import io
import math
from typing import Any

import xlsxwriter

from .._version import __version__
from . import drawing
from .model import Chart, Figures, Note, Notes, Report, Section, Table, Terms, Value, decimals_of

_HEAD = 3
"""Rows above the first part of a sheet, which stay in view with the heads of its first table."""
_WIDEST = 42
_ROWS_PER_INCH = 72 / 15
_FORMATS = {
    "fraction": "0.0%",
    "return": "0.00%",
    "rate": "0.0000%",
    "number": "#,##0.00",
    "days": "#,##0.00",
    "count": "#,##0",
    "price": "#,##0.########",
    "size": "#,##0.########",
    "time": "yyyy-mm-dd hh:mm",
    "day": "yyyy-mm-dd",
    "text": "General",
}


def render(report: Report) -> bytes:
    """The workbook."""
    buffer = io.BytesIO()
    # Dates and the file's own time are those of the figures: the same figures make the same file.
    with xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        book.set_properties(
            {"title": report.title, "comments": f"kfut_analytics {__version__}",
             "created": report.as_of.tz_localize(None).to_pydatetime()}
        )  # fmt: skip
        formats = _Formats(book)
        for section in report.sections:
            _Sheet(book, formats, report, section).write()
    return buffer.getvalue()


class _Formats:
    """Formats of cells, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def of(self, **properties: Any) -> Any:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format({"font_name": "Calibri", "font_size": 10, **properties})
        return self._made[key]

    def number(self, value: Value, *, bold: bool = False) -> Any:
        pattern = _FORMATS.get(value.unit) or f"#,##0.{'0' * decimals_of(value.unit)}"
        if value.numeric:
            zero = "" if value.unit in ("count", "price", "size") else f";{pattern}"
            pattern = f"{'+' if value.sign else ''}{pattern};[Red]-{pattern}{zero}"
        properties = {"num_format": pattern} | ({"bold": True} if bold else {})
        return self.of(**properties, align="right" if value.numeric else "left")


class _Sheet:
    """One section, from top to bottom: tables first, whose heads can then stay in view."""

    def __init__(self, book: Any, formats: _Formats, report: Report, section: Section) -> None:
        self._sheet = book.add_worksheet(section.title.replace("/", " ")[:31])
        self._formats, self._report, self._section = formats, report, section
        self._row = _HEAD
        self._widths: dict[int, int] = {}

    def write(self) -> None:
        report, sheet = self._report, self._sheet
        told = f"{report.env.upper()} · account {report.account} · as of {report.as_of:%Y-%m-%d %H:%M:%S} UTC"
        sheet.write_string(0, 0, self._section.title, self._formats.of(bold=True, font_size=14))
        sheet.write_string(1, 0, f"{told} · {report.period}", self._formats.of(font_color="#5c6670"))
        frozen = None
        parts = sorted(self._section.parts, key=lambda part: (isinstance(part, Chart), not isinstance(part, Table)))
        for part in parts:
            match part:
                case Table():
                    head = self._table(part)
                    frozen = head if frozen is None else frozen
                case Figures():
                    self._figures(part)
                case Note():
                    self._line(part.text)
                case Notes():
                    self._lines(part)
                case Terms():
                    self._terms(part)
                case Chart():
                    self._chart(part)
        sheet.freeze_panes(_HEAD if frozen is None else frozen + 1, 0)
        for column, width in self._widths.items():
            sheet.set_column(column, column, min(width, _WIDEST) + 2)
        sheet.hide_gridlines(2)
        sheet.set_paper(9)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)

    def _cell(self, row: int, column: int, value: Value, *, bold: bool = False) -> None:
        look = self._formats.number(value, bold=bold)
        raw = value.raw
        if value.missing or isinstance(raw, str) or (isinstance(raw, float) and math.isinf(raw)):
            self._sheet.write_string(row, column, value.text, look)
        elif hasattr(raw, "to_pydatetime"):
            self._sheet.write_datetime(row, column, raw.tz_convert("UTC").tz_localize(None).to_pydatetime(), look)  # type: ignore[union-attr]
        else:
            self._sheet.write_number(row, column, float(raw), look)  # type: ignore[arg-type]
        self._widen(column, value.text)

    def _widen(self, column: int, text: str) -> None:
        self._widths[column] = max(self._widths.get(column, 8), len(text))

    def _title(self, text: str) -> None:
        if text:
            self._sheet.write_string(self._row, 0, text, self._formats.of(bold=True, font_size=11))
            self._row += 1

    def _heads(self, heads: list[str], numeric: list[bool]) -> int:
        for column, head in enumerate(heads):
            look = self._formats.of(
                bold=True, bottom=1, bg_color="#eef1f4", text_wrap=True, align="right" if numeric[column] else "left"
            )
            self._sheet.write_string(self._row, column, head, look)
            self._widen(column, head)
        self._row += 1
        return self._row - 1

    def _table(self, table: Table) -> int | None:
        self._title(table.title)
        if not table.rows:
            self._line(table.empty)
            return None
        head = self._heads(table.heads, table.numeric)
        for place, row in enumerate(table.rows):
            for column, value in enumerate(row):
                self._cell(self._row, column, value, bold=place in table.strong)
            self._row += 1
        self._row += 1
        return head

    def _figures(self, part: Figures) -> None:
        self._title(part.title)
        self._heads(["Figure", "Value", "Remark", "Definition"], [False, True, False, False])
        for figure in part.figures:
            self._sheet.write_string(self._row, 0, figure.label, self._formats.of())
            self._widen(0, figure.label)
            self._cell(self._row, 1, figure.value, bold=True)
            for column, text in ((2, _remark(figure.value)), (3, figure.definition)):
                self._sheet.write_string(self._row, column, text, self._formats.of(font_color="#5c6670"))
            self._row += 1
        self._row += 1

    def _line(self, text: str) -> None:
        self._sheet.write_string(self._row, 0, text, self._formats.of(font_color="#5c6670"))
        self._row += 2

    def _lines(self, part: Notes) -> None:
        self._title(part.title)
        for text in part.texts:
            self._sheet.write_string(self._row, 0, text, self._formats.of())
            self._row += 1
        self._row += 1

    def _terms(self, part: Terms) -> None:
        self._heads(["Name", "Meaning"], [False, False])
        for name, meaning in part.terms.items():
            self._sheet.write_string(self._row, 0, name, self._formats.of(bold=True, valign="top"))
            self._sheet.write_string(self._row, 1, meaning, self._formats.of(text_wrap=True))
            self._widen(0, name)
            self._row += 1
        self._widths[1] = 110

    def _chart(self, chart: Chart) -> None:
        options = {"image_data": io.BytesIO(drawing.png(chart)), "description": chart.title}
        self._sheet.insert_image(self._row, 0, f"{chart.key}.png", options)
        self._row += math.ceil(chart.height * _ROWS_PER_INCH) + 1


def _remark(value: Value) -> str:
    """What is to be known of a value: in what unit it is, and why it is missing."""
    unit = value.unit if value.unit not in _FORMATS else ""
    return ", ".join(filter(None, [unit, value.note]))
