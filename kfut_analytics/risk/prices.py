"""Prices of the past, for risk figures that need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ..contracts import underlying_of
from .picture import Picture

if TYPE_CHECKING:
    from ..client import Client


def index_candles(
    client: Client,
    picture: Picture,
    underlyings: Sequence[str],
    resolution: str,
    start: pd.Timestamp,
    end: pd.Timestamp,
) -> dict[str, pd.DataFrame]:
    """Candles of index prices by underlying; those on which nothing is listed are left out."""
    contracts = {name: listed for name in underlyings if (listed := _listed_on(picture, name)) is not None}
    if not contracts:
        return {}
    joined = client.candles(list(contracts.values()), resolution, start=start, end=end, tick_type="spot")
    frames = {str(symbol): frame.droplevel(0) for symbol, frame in joined.groupby(level=0)}
    return {name: frames[symbol] for name, symbol in contracts.items() if symbol in frames}


def _listed_on(picture: Picture, underlying: str) -> str | None:
    """A contract on an underlying; a linear perpetual where there is one."""
    symbols = sorted(str(s) for s in picture.tickers.index if underlying_of(str(s)) == underlying)
    return next((symbol for symbol in symbols if symbol.startswith("PF_")), symbols[0] if symbols else None)
