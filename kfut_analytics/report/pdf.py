"""A report as PDF on A4, with charts as vector drawings."""

from __future__ import annotations

import io
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from pypdf import PdfReader, PdfWriter, Transformation
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    LongTable,
    PageTemplate,
    Paragraph,
    Spacer,
    TableStyle,
)

from .._version import __version__
from ..plots.style import THEMES
from . import drawing
from .model import WIDTH, Chart, Figure, Figures, Note, Notes, Part, Report, Section, Table, Terms

# The fonts that come with matplotlib: every system has them, and they have all signs that the figures need.
_FONT, _BOLD = "DejaVuSans", "DejaVuSans-Bold"

_THEME = THEMES["light"]
_TEXT, _MUTED, _GRID = (HexColor(colour) for colour in (_THEME.text, _THEME.muted, _THEME.grid))
_LOSS, _HEAD = HexColor(_THEME.live), HexColor("#eef1f4")

_SIDE, _TOP, _BOTTOM = 14 * mm, 20 * mm, 16 * mm
_ROOM = A4[0] - 2 * _SIDE
_LEAST = 60 * mm  # a section does not begin below, nor a long table
_SHORT = 12  # rows of a table that is not broken
_LARGEST, _SMALLEST = 7.5, 4.5  # points of a table's text


def render(report: Report) -> bytes:
    """The document."""
    for name in (_FONT, _BOLD):
        pdfmetrics.registerFont(TTFont(name, str(Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT, boldItalic=_BOLD)
    slots: list[_Slot] = []
    story = [flowable for section in report.sections for flowable in _section(section, slots)]
    buffer = io.BytesIO()
    document = _Document(buffer, report)
    document.build([*_cover(report), *story])
    return _with_charts(buffer.getvalue(), slots)


class _Document(BaseDocTemplate):
    """A4 pages with whose figures they are on top, and the number of the page below."""

    def __init__(self, buffer: io.BytesIO, report: Report) -> None:
        super().__init__(
            buffer,
            pagesize=A4,
            title=f"{report.env.upper()} {report.title}, {report.as_of:%Y-%m-%d}",
            creator=f"kfut_analytics {__version__}",
            invariant=1,
        )
        frame = Frame(_SIDE, _BOTTOM, _ROOM, A4[1] - _TOP - _BOTTOM, 0, 0, 0, 0)
        self.addPageTemplates(PageTemplate(frames=[frame], onPage=self._furnish))
        self._report = report

    def _furnish(self, canvas: Any, document: Any) -> None:
        report, top = self._report, A4[1] - 12 * mm
        canvas.saveState()
        canvas.setFont(_FONT, 7)
        canvas.setFillColor(_MUTED)
        canvas.drawRightString(
            A4[0] - _SIDE, top, f"Account {report.account}, as of {report.as_of:%Y-%m-%d %H:%M:%S} UTC"
        )
        canvas.drawString(_SIDE, 9 * mm, f"Times are UTC. Made by kfut_analytics {__version__}. Not advice.")
        canvas.drawRightString(A4[0] - _SIDE, 9 * mm, f"Page {document.page}")
        canvas.setFont(_BOLD, 7)
        canvas.setFillColor(_badge(report))
        canvas.drawString(_SIDE, top, f"{report.env.upper()}")
        canvas.setStrokeColor(_GRID)
        canvas.line(_SIDE, top - 2 * mm, A4[0] - _SIDE, top - 2 * mm)
        canvas.restoreState()


def _badge(report: Report) -> Any:
    return HexColor(_THEME.live if report.env == "live" else _THEME.paper)


def _style(size: float, *, font: str = _FONT, colour: Any = _TEXT, **more: Any) -> ParagraphStyle:
    return ParagraphStyle("", fontName=font, fontSize=size, leading=size * 1.35, textColor=colour, **more)


def _cover(report: Report) -> list[Flowable]:
    return [
        Paragraph(escape(report.title), _style(20, font=_BOLD, spaceAfter=3)),
        Paragraph(escape(f"Period {report.period}"), _style(9, colour=_MUTED, spaceAfter=6)),
    ]


# ---- sections ------------------------------------------------------------------------------------------------------


def _section(section: Section, slots: list[_Slot]) -> Iterator[Flowable]:
    yield CondPageBreak(_LEAST)
    together = not (section.parts and isinstance(section.parts[0], Terms))
    yield Paragraph(escape(section.title), _style(13, font=_BOLD, spaceBefore=10, spaceAfter=5, keepWithNext=together))
    for part in section.parts:
        yield from _part(part, slots)


def _part(part: Part, slots: list[_Slot]) -> Iterator[Flowable]:
    match part:
        case Chart():
            slots.append(_Slot(part))
            yield slots[-1]
        case Figures(figures=figures, title=title):
            yield from _title(title)
            yield _tiles(figures)
            yield Spacer(0, 3 * mm)
        case Table():
            yield from _table(part)
        case Note(text=text):
            yield Paragraph(escape(text), _style(8, colour=_MUTED, spaceBefore=2, spaceAfter=4))
        case Notes(texts=texts, title=title):
            yield from _title(title)
            for line in texts:
                yield Paragraph(escape(line), _style(8, spaceAfter=2, leftIndent=9), bulletText="•")
        case Terms(terms=terms):
            yield _terms(terms)


def _title(text: str, *, together: bool = True) -> Iterator[Flowable]:
    """A title, on one page with what follows; a long table only begins there, else it would leave a page half empty."""
    if not together:
        yield CondPageBreak(_LEAST)
    if text:
        yield Paragraph(escape(text), _style(9, font=_BOLD, spaceBefore=6, spaceAfter=3, keepWithNext=together))


def _tiles(figures: list[Figure]) -> LongTable:
    """Figures in four columns: name, value, and what is to be known of it."""
    columns = 4
    cells = [
        [
            Paragraph(escape(figure.label), _style(7, colour=_MUTED)),
            Paragraph(escape(figure.value.with_unit), _style(10, font=_BOLD)),
            *([Paragraph(escape(figure.value.note), _style(6, colour=_MUTED))] if figure.value.note else []),
        ]
        for figure in figures
    ]
    cells += [[] for _ in range(-len(cells) % columns)]
    rows = [cells[first : first + columns] for first in range(0, len(cells), columns)]
    look = TableStyle(
        [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEABOVE", (0, 0), (-1, -1), 0.5, _GRID),
         ("LEFTPADDING", (0, 0), (-1, -1), 0), ("TOPPADDING", (0, 0), (-1, -1), 3),
         ("BOTTOMPADDING", (0, 0), (-1, -1), 5)]
    )  # fmt: skip
    return LongTable(rows, colWidths=[_ROOM / columns] * columns, style=look)


def _table(table: Table) -> Iterator[Flowable]:
    yield from _title(table.title, together=len(table.shown) <= _SHORT)
    if not table.rows:
        yield Paragraph(escape(table.empty), _style(8, colour=_MUTED, spaceAfter=4))
        return
    texts = [[value.text for value in row] for row in table.shown]
    size, widths = _fitted(table, texts)
    heads = [Paragraph(escape(head), _style(size, font=_BOLD, colour=_MUTED, alignment=2 if numeric else 0))
             for head, numeric in zip(table.heads, table.numeric, strict=True)]  # fmt: skip
    look: list[Any] = [
        ("FONT", (0, 1), (-1, -1), _FONT, size), ("LEADING", (0, 1), (-1, -1), size * 1.2),
        ("TEXTCOLOR", (0, 1), (-1, -1), _TEXT), ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.7, _MUTED), ("LINEBELOW", (0, 1), (-1, -1), 0.3, _GRID),
        ("LEFTPADDING", (0, 0), (-1, -1), 2), ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("TOPPADDING", (0, 0), (-1, -1), 1.6), ("BOTTOMPADDING", (0, 0), (-1, -1), 2.2),
    ]  # fmt: skip
    look += [("ALIGN", (column, 1), (column, -1), "RIGHT") for column, numeric in enumerate(table.numeric) if numeric]
    # Text that follows numbers, which end where it begins.
    look += [("LEFTPADDING", (c, 0), (c, -1), 8) for c in range(1, len(table.heads)) if table.after_number(c)]
    for place, row in enumerate(table.shown, start=1):
        look += [("TEXTCOLOR", (c, place), (c, place), _LOSS) for c, value in enumerate(row) if value.negative]
    look += [("FONT", (0, place + 1), (-1, place + 1), _BOLD, size) for place in table.strong if place < len(texts)]
    yield LongTable([heads, *texts], colWidths=widths, repeatRows=1, style=TableStyle(look), hAlign="LEFT")
    if table.cut:
        yield Paragraph(escape(table.cut), _style(7, colour=_MUTED, spaceBefore=2))
    yield Spacer(0, 3 * mm)


def _fitted(table: Table, texts: list[list[str]]) -> tuple[float, list[float]]:
    """Size of the text and widths of the columns with which a table fits the page."""
    size = _LARGEST
    while True:
        widths = [
            max(
                *(stringWidth(word, _BOLD, size) for word in head.split()),
                *(stringWidth(row[column], _BOLD, size) for row in texts),
            ) + (13 if table.after_number(column) else 7)
            for column, head in enumerate(table.heads)
        ]  # fmt: skip
        if sum(widths) <= _ROOM or size <= _SMALLEST:
            break
        size -= 0.25
    spare = max(_ROOM - sum(widths), 0.0) / len(widths)
    return size, [width + spare for width in widths]


def _terms(terms: dict[str, str]) -> LongTable:
    """Definitions in two columns, read downwards."""
    look = _style(6.5, spaceAfter=2)
    words = [Paragraph(f"<b>{escape(name)}</b>: {escape(text)}", look) for name, text in terms.items()]
    half = -(-len(words) // 2)
    rows = [[words[place], words[half + place] if half + place < len(words) else ""] for place in range(half)]
    lines = TableStyle(
        [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0),
         ("TOPPADDING", (0, 0), (-1, -1), 1), ("BOTTOMPADDING", (0, 0), (-1, -1), 1)]
    )  # fmt: skip
    return LongTable(rows, colWidths=[_ROOM / 2] * 2, style=lines)


# ---- charts --------------------------------------------------------------------------------------------------------


class _Slot(Flowable):
    """Room for a chart; it remembers where it came to be."""

    def __init__(self, chart: Chart) -> None:
        super().__init__()
        self.chart = chart
        self.scale = _ROOM / (WIDTH * 72)
        self.width, self.height = _ROOM, chart.height * 72 * self.scale
        self.page, self.place = 0, (0.0, 0.0)

    def wrap(self, *_: float) -> tuple[float, float]:
        return self.width, self.height + 2 * mm

    def draw(self) -> None:
        self.page = self.canv.getPageNumber() - 1
        self.place = self.canv.absolutePosition(0, 0)


def _with_charts(pages: bytes, slots: list[_Slot]) -> bytes:
    """The document with its charts as matplotlib draws them: lines and text, no pixels."""
    writer = PdfWriter(clone_from=io.BytesIO(pages))
    pictures = PdfReader(io.BytesIO(drawing.pdf([slot.chart for slot in slots]))).pages if slots else []
    for slot, picture in zip(slots, pictures, strict=True):
        move = Transformation().scale(slot.scale).translate(*slot.place)
        writer.pages[slot.page].merge_transformed_page(picture, move)
    for page in writer.pages:
        page.compress_content_streams()
    writer.compress_identical_objects()
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
