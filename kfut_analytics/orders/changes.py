"""Checks of a change to an open order against the market and the user's limits."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pandas as pd

from .. import contracts
from ..contracts import plain, to_decimal
from ..errors import OrderRefused
from ..limits import Limits
from .checks import check_limit_price, check_trigger_side, far_edge
from .market import Market
from .order import STOP_PRICE_TYPES, Edit, Order


def check_change(edit: Edit, resting: pd.Series[Any], market: Market, limits: Limits) -> Decimal:
    """Hold a change against the order as it is, the market and the user's limits.

    Parameters
    ----------
    edit
        With exact numbers.
    resting
        The order's row of ``open_orders``.
    market
        Of its contract, as it is now.
    limits
        The user's own.

    Returns
    -------
    Decimal
        Value in USD that the order gains, which counts towards the limits; zero where it may only reduce a position.

    Raises
    ------
    OrderRefused
        If nothing would change, the new size is filled already, the new price lies too far from the market on the
        side where it costs, the new trigger price has been reached already, or the order would be worth more than the
        limit of one order.
    """
    changes = {name: getattr(edit, name) for name in ("size", "limit_price", "stop_price", "trailing_deviation")}
    given = {name: value for name, value in changes.items() if value is not None}
    if all(_is_same(resting.get(name, math.nan), value) for name, value in given.items()):
        name, value = next(iter(given.items()))
        raise OrderRefused(
            f"{name}={plain(to_decimal(value))} is what the order has already",
            field=name,
            value=value,
            rule="no_change",
        )
    filled = float(resting["filled_size"]) if not pd.isna(resting["filled_size"]) else 0.0
    if edit.size is not None and float(edit.size) <= filled:
        raise OrderRefused(
            f"size={plain(to_decimal(edit.size))} counts what is filled, and that is {filled:,.10g} already: "
            "cancel the order instead",
            field="size",
            value=edit.size,
            rule="filled",
        )
    sign = 1 if resting["side"] == "buy" else -1
    is_trigger = not pd.isna(resting["stop_price"])
    price = edit.limit_price if edit.limit_price is not None else resting["limit_price"]
    stop = edit.stop_price if edit.stop_price is not None else resting["stop_price"]
    references = [float(stop)] if is_trigger else [market.mark, market.best(str(resting["side"]))]
    allowed = limits.price_deviation
    if edit.limit_price is not None and allowed is not None:
        of = "its trigger price" if is_trigger else "the market"
        edge = far_edge(sign, references, allowed)
        check_limit_price(to_decimal(edit.limit_price), sign, edge, allowed, of, market)
    if edit.stop_price is not None and (trigger := _trigger_of(resting, edit)) is not None:
        check_trigger_side(trigger, market)
    if bool(resting["reduce_only"]):
        return Decimal(0)
    size = float(edit.size) if edit.size is not None else float(resting["size"])
    worth = _worth(size, (price, stop, market.mark), market)
    if limits.order_notional is not None and worth > float(limits.order_notional):
        raise OrderRefused(
            f"the order would be worth {worth:,.2f} USD: your limit order_notional is "
            f"{float(limits.order_notional):,.2f} USD",
            field="size" if edit.size is not None else "limit_price",
            value=edit.size if edit.size is not None else edit.limit_price,
            rule="order_notional",
        )
    before = _worth(float(resting["size"]), (resting["limit_price"], resting["stop_price"], market.mark), market)
    return max(Decimal(0), to_decimal(round(worth - before, 8)))


def _trigger_of(resting: pd.Series[Any], edit: Edit) -> Order | None:
    """The trigger order as it would be; None for kinds whose trigger price is not one's own."""
    kind = _KINDS.get(str(resting["order_type"]), str(resting["order_type"]))
    if kind not in STOP_PRICE_TYPES:
        return None
    signal = resting["trigger_signal"]
    return Order(
        resting["symbol"],
        resting["side"],
        resting["size"],
        order_type=kind,
        stop_price=edit.stop_price,
        trigger_signal=None if pd.isna(signal) else _SIGNALS.get(signal, signal),
    )


_KINDS = {"stop": "stp"}
_SIGNALS = {"spot": "index"}
"""What open orders say otherwise than orders (api-facts 3B)."""


def _worth(size: float, prices: tuple[Any, ...], market: Market) -> float:
    """Value in USD at the first price that there is."""
    at = next((float(price) for price in prices if not math.isnan(float(price))), math.nan)
    return float(contracts.notional(size, at, inverse=market.inverse))


def _is_same(now: Any, wanted: Any) -> bool:
    return not pd.isna(now) and math.isclose(float(now), float(wanted), rel_tol=1e-12)
