"""The same figures in every kind of file, read back by other programs than those that wrote it."""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from kfut_analytics.report import build, render
from kfut_analytics.report.model import Figures, Section, Table, Value

from .accounts import account
from .reading import Page, markdown_tables, pdf_text, workbook

GOLDEN = Path(__file__).parent / "golden" / "demo.md"


@pytest.fixture(scope="module")
def demo():
    with account() as client:
        yield build(client)


@pytest.fixture(scope="module")
def files(demo) -> dict[str, bytes]:
    return {kind: render(demo, kind) for kind in ("html", "markdown", "excel", "pdf")}


@pytest.fixture(scope="module")
def page(files) -> Page:
    return Page(files["html"])


def parts(report, kind):
    return [part for section in report.sections for part in section.parts if isinstance(part, kind)]


def test_html_has_every_figure_and_every_cell(demo, page):
    for table in parts(demo, Table):
        if table.rows:
            assert page.tables[table.key] == [table.heads, *([v.text for v in row] for row in table.shown)], table.key
        else:
            assert page.texts[table.key] == table.empty
    for block in parts(demo, Figures):
        for figure in block.figures:
            assert figure.value.text in page.texts[block.key]


def test_markdown_has_every_figure_and_every_cell(demo, files):
    found = markdown_tables(files["markdown"])
    for table in parts(demo, Table):
        if table.rows:
            assert [table.heads, *([v.text for v in row] for row in table.shown)] in found, table.key
    for block in parts(demo, Figures):
        rows = [[figure.label, figure.value.with_unit, figure.value.note] for figure in block.figures]
        assert [["Figure", "Value", "Remark"], *rows] in found


def test_the_report_reads_as_it_did(files):
    """Reviewed as text: KFUT_RENEW=1 writes it anew, and git shows what changed."""
    text = files["markdown"].decode()
    if os.environ.get("KFUT_RENEW"):
        GOLDEN.write_text(text, encoding="utf-8", newline="\n")
    version = re.compile(r"kfut\\_analytics [\d.]+\w*")
    expected = GOLDEN.read_text(encoding="utf-8")
    assert version.sub("", text).splitlines() == version.sub("", expected).splitlines()


def number(value: Value) -> object:
    """What a spreadsheet should hold of a value."""
    if value.missing or (isinstance(value.raw, float) and math.isinf(value.raw)):
        return value.text
    if isinstance(value.raw, pd.Timestamp):
        return value.raw.tz_localize(None).floor("ms")
    return value.raw


def test_excel_has_numbers(demo, files):
    book = workbook(files["excel"])
    assert len(book.sheetnames) == len(demo.sections)
    for sheet, section in zip(book.worksheets, demo.sections, strict=True):
        assert sheet.freeze_panes is not None
        rows = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
        for table in (part for part in section.parts if isinstance(part, Table) and part.rows):
            first = rows.index(table.heads) + 1
            written = sheet.iter_rows(min_row=first + 1, max_row=first + len(table.rows), max_col=len(table.heads))
            for cells, row in zip(written, table.rows, strict=True):
                for cell, value in zip(cells, row, strict=True):
                    expected = number(value)
                    if isinstance(expected, float):
                        assert cell.value == pytest.approx(expected, rel=1e-14)
                        assert cell.number_format != "General"
                    elif isinstance(expected, pd.Timestamp):
                        assert abs(pd.Timestamp(cell.value) - expected) < pd.Timedelta("1ms")
                    else:
                        assert (cell.value or "") == expected
        for figure in section.figures():
            row = next(row for row in rows if row[:1] == [figure.label])
            assert row[1] == (pytest.approx(number(figure.value)) if figure.value.numeric else number(figure.value))


def test_the_head_of_a_sheets_table_stays_in_view(demo, files):
    book = workbook(files["excel"])
    sheet = book.worksheets[[section.key for section in demo.sections].index("positions")]
    frozen = int(re.sub(r"\D", "", str(sheet.freeze_panes)))
    assert [cell.value for cell in sheet[frozen - 1]][:2] == ["Contract", "Side"]


def test_text_is_no_formula_in_a_sheet(demo):
    evil = Section("evil", "Evil", [Table("evil", ["Contract"], [[Value("=1+1")]])])
    book = workbook(render(replace(demo, sections=[evil]), "excel"))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value == "=1+1"]
    assert [cell.data_type for cell in cells] == ["s"]


def test_pdf_has_every_figure_and_every_cell(demo, files):
    pages = pdf_text(files["pdf"])
    assert 8 <= len(pages) <= 14
    text = re.sub(r"\s+", "", "".join(pages))
    for value in [v for table in parts(demo, Table) for row in table.shown for v in row]:
        assert re.sub(r"\s+", "", value.text) in text
    for section in demo.sections:
        assert re.sub(r"\s+", "", section.title) in text
        for figure in section.figures():
            assert re.sub(r"\s+", "", figure.label + figure.value.with_unit) in text
    for number, page in enumerate(pages, start=1):
        assert "PAPER" in page
        assert f"Page {number}" in page
    assert "Cumulative P&L, USD" in "".join(pages), "charts are drawn as text and lines"


def test_same_figures_same_file(demo):
    some = replace(demo, sections=[demo.section("account"), demo.section("stress")])
    for kind in ("html", "markdown", "excel", "pdf"):
        assert render(some, kind) == render(some, kind), kind


# ---- the page ------------------------------------------------------------------------------------------------------


def test_nothing_is_loaded_from_elsewhere(files, page):
    html = files["html"].decode()
    assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for _, name, value in page.attributes:
        if name in ("href", "xlink:href", "src", "srcset", "action"):
            assert value.startswith("#")
        assert not re.search(r"url\((?!#)", value)
    assert not re.search(r"https?:|//[a-z]|@import|url\([^#]", html)
    assert len(html.encode()) < 600_000, "a report of three months is to stay below a megabyte"


def test_ids_are_unique_and_references_resolve(page):
    assert len(page.ids) == len(set(page.ids))
    wanted = {value[1:] for _, name, value in page.attributes if name.endswith("href")}
    wanted |= {found for _, _, value in page.attributes for found in re.findall(r"url\(#([^)]+)\)", value)}
    assert wanted <= set(page.ids)


def test_drawings_follow_the_theme(demo, files):
    html = files["html"].decode()
    drawings = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(drawings) == len(list(demo.charts())) == 11
    assert all("var(--text)" in drawing and "#1b1f24" not in drawing for drawing in drawings)
    for name in set(re.findall(r"var\((--[a-z0-9-]+)\)", html)):
        assert html.count(f"{name}:") >= 3  # light, dark, print


def test_figures_in_drawings_keep_their_digits(demo, files):
    """Coordinates are shortened, and what is told is not."""
    drawing = re.search(r'id="chart-margin_usage".*?</svg>', files["html"].decode(), flags=re.DOTALL).group()
    texts = [text.replace("&amp;", "&") for text in re.findall(r"<text[^>]*>([^<]*)", drawing)]
    coins = [v.text for row in demo.section("margin").part("usage").rows for v in row if v.unit == "XBT"]
    assert any(f"{coins[0]} XBT" in text for text in texts)
    sizes = {v.text: None for row in demo.section("positions").part("liquidation").rows for v in row if v.unit == "XBT"}
    assert all(any(f"{size} XBT" in text for text in texts) for size in sizes)


def test_every_name_of_a_figure_is_defined(demo, page):
    named = {head for table in parts(demo, Table) for head, n in zip(table.heads, table.numeric, strict=True) if n}
    named |= {figure.label for section in demo.sections for figure in section.figures()}
    assert named - {"Rank"} <= set(page.figures)
