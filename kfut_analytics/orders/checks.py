"""Checks before the wire: an order against the rules of its contract."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd

from ..contracts import plain, round_to_step, to_decimal
from ..errors import OrderRefused
from .order import Order

_NOISE = Decimal("1e-9")


def check(order: Order, instrument: pd.Series[Any]) -> Order:
    """Hold an order against the contract's rules and make its numbers exact.

    Parameters
    ----------
    order
        As stated.
    instrument
        The contract's row of ``client.instruments()``.

    Returns
    -------
    Order
        The same order with size and prices as exact multiples of size step and tick. Only binary noise is removed
        (0.30000000000000004 becomes 0.3); any other value off the grid is refused, never rounded silently.

    Raises
    ------
    OrderRefused
        Naming field, value, rule and the nearest value that satisfies it.
    """
    if is_true(instrument.get("is_expired")):
        raise OrderRefused(f"{order.symbol} has expired", field="symbol", value=order.symbol, rule="expired")
    if is_true(instrument.get("post_only")) and order.order_type != "post":
        raise OrderRefused(
            f"{order.symbol} is in post-only mode: use order_type='post'",
            field="order_type",
            value=order.order_type,
            rule="post_only",
            suggestion="post",
        )
    step = _grid(instrument, "size_step")
    tick = _grid(instrument, "tick_size")
    size = _on_grid("size", order.contracts, step, "the size step")
    largest = instrument.get("max_position_size", math.nan)
    if float(size) > float(largest):
        raise OrderRefused(
            f"size={plain(size)} exceeds the largest position of {order.symbol}, {largest:g} contracts",
            field="size",
            value=size,
            rule="maximum_position",
            suggestion=to_decimal(float(largest)),
        )
    prices = {
        name: _on_grid(name, getattr(order, name), tick, "the tick size")
        for name in ("limit_price", "stop_price")
        if getattr(order, name) is not None
    }
    return replace(order, size=size, **prices)  # type: ignore[arg-type]


def is_true(value: Any) -> bool:
    """Whether a cell of a frame holds a truth; a missing value is none."""
    return not pd.isna(value) and bool(value)


def _grid(instrument: pd.Series[Any], name: str) -> Decimal | None:
    value = instrument.get(name, math.nan)
    return None if pd.isna(value) else to_decimal(float(value))


def _on_grid(name: str, value: Any, step: Decimal | None, what: str) -> Decimal:
    number = to_decimal(value)
    if step is None:
        return number
    nearest = round_to_step(number, step)
    if abs(number - nearest) <= _NOISE * abs(number) and nearest > 0:
        return nearest
    below, above = round_to_step(number, step, "down"), round_to_step(number, step, "up")
    choices = " or ".join(plain(v) for v in (below, above) if v > 0)
    raise OrderRefused(
        f"{name}={plain(number)} is not a multiple of {what} {plain(step)}: use {choices}",
        field=name,
        value=number,
        rule="size_step" if name == "size" else "tick",
        suggestion=nearest if nearest > 0 else above,
    )
