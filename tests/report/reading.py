"""Reports read back by other means than those that wrote them."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import openpyxl
from pypdf import PdfReader

VOID = {"meta", "br", "hr", "link", "img", "input"}


class Page(HTMLParser):
    """A page as what a reader sees of it: tables by id, text by id, every attribute."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: dict[str, str] = {}
        self.figures: dict[str, str] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self._open: list[tuple[str, str]] = []
        self._row: list[str] | None = None
        self._term = ""
        self.feed(content.decode())
        self.close()
        assert not self._open, f"unclosed: {self._open}"

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "table":
            self.tables[named["id"]] = []
        if tag == "tr":
            self._row = []
        if tag in ("td", "th"):
            self._row.append("")
        if tag == "dt":
            self._term = ""
        if tag not in VOID:
            self._open.append((tag, named.get("id", "")))

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        opened, _ = self._open.pop()
        assert opened == tag, f"{tag} closes {opened}"
        if tag == "tr":
            table = next(name for kind, name in reversed(self._open) if kind == "table")
            self.tables[table].append(self._row)
            self._row = None

    def handle_data(self, data):
        if self._row:
            self._row[-1] += data
        if self._open and self._open[-1][0] == "dt":
            self._term += data
        if self._open and self._open[-1][0] == "dd":
            self.figures[self._term] = self.figures.get(self._term, "") + data
        for _, name in self._open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data


def markdown_tables(content: bytes) -> list[list[list[str]]]:
    """The tables of a Markdown text: heads and rows."""
    tables: list[list[list[str]]] = []
    inside = False
    for line in content.decode().splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not inside:
            tables.append([])
        inside = True
        if not all(re.fullmatch(r"-+:?", cell) for cell in cells):
            tables[-1].append(cells)
    return tables


def workbook(content: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content))


def pdf_text(content: bytes) -> list[str]:
    """The text of each page."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]
