"""Numbers, prices and times as the panels show them: aligned, with a sign where it means something."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..contracts import plain, to_decimal
from .table import Cell

NOTHING = "\N{EN DASH}"
"""Stands where there is no figure."""

MINUS = "\N{MINUS SIGN}"

_SIDES = {"buy": "▲ Buy", "long": "▲ Long", "sell": "▼ Sell", "short": "▼ Short"}
_TONES = {"buy": "good", "long": "good", "sell": "bad", "short": "bad"}


def side(name: str) -> Cell:
    """Which side: a shape, a word and, repeating them, a tone."""
    return Cell(_SIDES.get(name, name), tone=_TONES.get(name, ""))  # type: ignore[arg-type]


def number(value: float) -> str:
    """A size or count, with as many digits as it has."""
    return NOTHING if math.isnan(value) else _signed(f"{value:,.10g}")


def price(value: float, tick: float = math.nan) -> str:
    """A price, with as many decimals as the contract's tick has; of a price between ticks, one more."""
    if math.isnan(value):
        return NOTHING
    if not tick > 0:
        return f"{value:,.10g}"
    decimals = max(0, -int(to_decimal(tick).normalize().as_tuple().exponent))
    between = abs(value - round(value / tick) * tick) > 1e-6 * tick
    return f"{value:,.{decimals + between}f}"


def money(value: float, currency: str = "USD", *, sign: bool = False) -> str:
    """An amount: to the cent in dollars, to eight digits in coins."""
    if math.isnan(value):
        return NOTHING
    decimals = 2 if currency == "USD" else 8
    rounded = round(value, decimals) + 0.0  # no minus before zero
    return _signed(f"{rounded:{'+' if sign and rounded else ''},.{decimals}f}")


def gain(value: float, currency: str = "USD", sub: str = "") -> Cell:
    """A profit or loss: the sign says which, the tone repeats it."""
    tone = "" if math.isnan(value) or round(value, 8) == 0 else "good" if value > 0 else "bad"
    return Cell(money(value, currency, sign=True), sub, tone)  # type: ignore[arg-type]


def percent(fraction: float, decimals: int = 1, *, sign: bool = False) -> str:
    """A fraction in percent."""
    if math.isnan(fraction):
        return NOTHING
    return _signed(f"{fraction * 100:{'+' if sign else ''},.{decimals}f} %")


def moment(time: Any, now: pd.Timestamp) -> str:
    """A time in UTC; the date is left out today."""
    if pd.isna(time):
        return NOTHING
    return f"{time:%H:%M:%S}" if time.date() == now.date() else f"{time:%Y-%m-%d %H:%M}"


def typed(value: float) -> str:
    """A number as a person would type it, for a form to begin with."""
    return "" if math.isnan(value) else plain(to_decimal(value))


def missing(value: Any) -> bool:
    """Whether a text, truth or number of a frame is missing."""
    return bool(pd.isna(value)) or value == ""


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
