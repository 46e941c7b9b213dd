"""Prices of the past, for risk figures that need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from .. import schema
from ..contracts import underlying_of
from ..errors import InvalidRequestError, NotFoundError
from ..side_by_side import fetch_each
from .picture import Picture

if TYPE_CHECKING:
    from ..client import Client


def candles_of(
    client: Client,
    symbols: Sequence[str],
    resolution: str,
    tick_type: str,
    start: pd.Timestamp,
    end: pd.Timestamp,
) -> dict[str, pd.DataFrame]:
    """Candles by contract; empty ones where the exchange does not know the contract any more."""

    def fetch(symbol: str) -> pd.DataFrame:
        try:
            return client.candles(symbol, resolution, start=start, end=end, tick_type=tick_type)
        except (NotFoundError, InvalidRequestError):
            return schema.CANDLES.frame({})

    if not symbols:
        return {}
    joined = fetch_each(symbols, fetch)
    found = {str(symbol): frame.droplevel(0) for symbol, frame in joined.groupby(level=0)}
    return {symbol: found.get(symbol, schema.CANDLES.frame({})) for symbol in symbols}


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
    candles = candles_of(client, list(contracts.values()), resolution, "spot", start, end)
    return {name: candles[symbol] for name, symbol in contracts.items()}


def _listed_on(picture: Picture, underlying: str) -> str | None:
    """A contract on an underlying; a linear perpetual where there is one."""
    symbols = sorted(str(s) for s in picture.tickers.index if underlying_of(str(s)) == underlying)
    return next((symbol for symbol in symbols if symbol.startswith("PF_")), symbols[0] if symbols else None)
