"""Text in charts: numbers as people write them, and how wide a text is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

SCALES = ((1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k"))
"""Units of large numbers."""


def minus(text: str) -> str:
    """A number's text with a true minus sign, as the axes have it."""
    return text.replace("-", "\N{MINUS SIGN}")


def plain_number(value: float) -> str:
    """A number in full: thousands separated, no exponent, no trailing zeros.

    >>> plain_number(-12500.0), plain_number(0.00002)
    ('−12,500', '0.00002')
    """
    text = f"{value:,.10f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else minus(text)


def price_text(value: float) -> str:
    """A price to six significant digits, at least two decimals of those above 100.

    >>> price_text(91274.091169), price_text(2.288311), price_text(0.0000123456789)
    ('91,274.09', '2.28831', '0.0000123457')
    """
    if not math.isfinite(value):
        return "n/a"
    digits = 5 - math.floor(math.log10(abs(value))) if value else 0
    text = f"{value:,.{max(digits, 2)}f}"
    return minus(text.rstrip("0").rstrip(".") if "." in text else text)


def compact(value: float, *, sign: bool = False) -> str:
    """A number in at most three significant digits, for places where there is little room.

    >>> compact(-12345.6), compact(0.0), compact(999.6, sign=True), compact(0.01234)
    ('−12.3k', '0', '+1k', '0.0123')
    """
    if not math.isfinite(value):
        return "n/a"
    rounded = float(f"{value:.3g}")
    unit, letter = next(((unit, letter) for unit, letter in SCALES if abs(rounded) >= unit), (1.0, ""))
    rounded /= unit
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    text = f"{rounded:{'+' if sign and rounded else ''}.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return minus(text) + letter


def percent_text(value: float, *, sign: bool = False) -> str:
    """A fraction in per cent, in three significant digits and no more than four decimals.

    >>> percent_text(0.1234), percent_text(-0.000012345, sign=True), percent_text(12.0)
    ('12.3 %', '−0.0012 %', '1,200 %')
    """
    if not math.isfinite(value):
        return "n/a"
    value *= 100
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    rounded = round(value, min(max(digits, 0), 4)) + 0.0
    return minus(f"{rounded:{'+' if sign and rounded else ''},.{min(max(digits, 0), 4)}f} %")


def counted(number: int, one: str) -> str:
    """A number of things.

    >>> counted(1, "fill"), counted(1200, "fill")
    ('1 fill', '1,200 fills')
    """
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def moment(time: pd.Timestamp) -> str:
    """A time to the minute.

    >>> moment(pd.Timestamp("2026-11-01T12:30:15Z"))
    '2026-11-01 12:30 UTC'
    """
    return f"{time.tz_convert('UTC'):%Y-%m-%d %H:%M} UTC"


def width_of(text: str, font: FontProperties) -> float:
    """Width in points of one line of text."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return float(width)


def wrapped(text: str, font: FontProperties, room: float) -> str:
    """Text broken between words so that no line is wider than ``room`` points, where words allow."""
    if width_of(text, font) <= room:
        return text
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, font) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def spread(values: Sequence[float], gap: float, within: tuple[float, float] = (-math.inf, math.inf)) -> list[float]:
    """Ascending places moved as little as need be to lie at least ``gap`` apart, for labels that would overlap.

    Those beyond ``within`` are moved inside, where there is room for all.

    >>> spread([1.0, 1.2, 5.0], 1.0)
    [0.6, 1.6, 5.0]
    """
    # Neighbours that touch become a block around the mean of where its members want to be.
    blocks: list[list[float]] = []
    for value in values:
        blocks.append([value])
        while len(blocks) > 1 and _start(blocks[-1], gap) < _start(blocks[-2], gap) + len(blocks[-2]) * gap:
            last = blocks.pop()
            blocks[-1] += last
    places = [_start(block, gap) + rank * gap for block in blocks for rank in range(len(block))]
    end = len(places) - 1
    places = [min(place, within[1] - (end - rank) * gap) for rank, place in enumerate(places)]
    return [max(place, within[0] + rank * gap) for rank, place in enumerate(places)]


def _start(block: list[float], gap: float) -> float:
    return sum(block) / len(block) - (len(block) - 1) * gap / 2
