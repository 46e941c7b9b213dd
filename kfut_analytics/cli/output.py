"""What commands write: aligned text for people, JSON for machines.

Text is plain, the same on a terminal and in a file, except that on a terminal a table which is too wide is divided,
with its first column repeated.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

GAP = "  "


def write_json(result: Mapping[str, Any]) -> None:
    """Write an object; a DataFrame in it becomes a list of records, its index a field like the others."""
    typer.echo(json.dumps(_plain(result), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "to_dict"):
        return [_plain(record) for record in _with_index(value).to_dict("records")]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    """A value of pandas or NumPy as JSON has it."""
    import pandas as pd

    if pd.isna(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return _plain(value.item()) if hasattr(value, "item") else str(value)


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame if frame.index.name is None else frame.reset_index()


def write_frame(frame: pd.DataFrame, formats: Mapping[str, str] | None = None, *, nothing: str = "none") -> None:
    """Write columns of a frame as a table.

    Parameters
    ----------
    frame
        The frame; a named index comes first.
    formats
        The columns that are shown, in order, with a format specification each; ``""`` for the usual one. All by
        default.
    nothing
        What is written instead of a table without rows.
    """
    flat = _with_index(frame)
    if flat.empty:
        typer.echo(nothing)
        return
    chosen = dict.fromkeys(map(str, flat.columns), "") if formats is None else formats
    columns = {name: [_text(value, form) for value in flat[name]] for name, form in chosen.items()}
    numeric = {name for name in chosen if flat[name].dtype.kind in "fiu"}
    write_table(list(columns), list(zip(*columns.values(), strict=True)), right=numeric)


def _text(value: Any, form: str) -> str:
    plain = _plain(value)
    if plain is None:
        return "n/a"
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(plain, int | float):
        return format(plain, form or ",.10g")
    return str(plain)


def write_table(names: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()) -> None:
    """Write rows of text below the names of their columns."""
    for line in table_lines(names, rows, right=right, width=_width()):
        typer.echo(line)


def table_lines(
    names: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = (), width: int | None = None
) -> list[str]:
    """The lines of a table, in blocks that are no wider than ``width``."""
    titles = [name.upper().replace("_", " ") for name in names]
    cells = list(zip(titles, *rows, strict=True))
    widths = [max(map(len, column)) for column in cells]
    aligned = [
        [cell.rjust(wide) if name in set(right) else cell.ljust(wide) for cell in column]
        for name, column, wide in zip(names, cells, widths, strict=True)
    ]
    lines: list[str] = []
    for block in _blocks(widths, width):
        lines += [""] if lines else []
        lines += [GAP.join(parts).rstrip() for parts in zip(*(aligned[i] for i in block), strict=True)]
    return lines


def _blocks(widths: Sequence[int], width: int | None) -> list[list[int]]:
    """Which columns stand side by side."""
    blocks = [[0]]
    for number in range(1, len(widths)):
        taken = sum(widths[i] + len(GAP) for i in blocks[-1])
        if width is not None and taken + widths[number] > width and len(blocks[-1]) > 1:
            blocks.append([0])
        blocks[-1].append(number)
    return blocks


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
