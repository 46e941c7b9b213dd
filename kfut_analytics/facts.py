"""The facts that an order is judged by, read side by side: they take about one round trip."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from . import schema
from .errors import VenueError
from .orders import Market
from .risk.picture import Picture
from .rules import Rules, row_of, unknown_symbol
from .side_by_side import at_once

if TYPE_CHECKING:
    from .venue import Venue

_log = logging.getLogger("kfut_analytics.facts")


def read_market(venue: Venue, rules: Rules, env: str, symbol: str) -> Market:
    """Read what an order in a contract is judged by.

    Parameters
    ----------
    venue
        Asked for everything that moves.
    rules
        Asked for what changes rarely.
    env
        ``paper`` or ``live``.
    symbol
        The contract, upper case.

    Raises
    ------
    NotFoundError
        If there is no such contract; the message names those that are near.
    VenueError
        If something that is needed cannot be read.
    """
    read_at = time.monotonic()
    instrument, fees, minimum, tickers, book, balances, positions, orders, leverage, status = at_once(
        partial(rules.instrument, symbol),
        partial(rules.fees, symbol),
        partial(rules.minimum_size, symbol),
        venue.tickers,
        partial(venue.order_book, symbol),
        venue.balances,
        partial(venue.positions, schema.TICKERS.frame({})),  # marked here, by the tickers that are read beside them
        venue.open_orders,
        venue.leverage_preferences,
        partial(_status, venue),
    )
    if symbol not in tickers.index:
        raise unknown_symbol(symbol, tickers)
    tiers = rules.tiers({symbol, *positions.index, *orders["symbol"].dropna()})
    time_of = balances.account.time
    picture = Picture(env, "", time_of, balances, positions, tiers, orders, tickers, leverage, status)
    portfolio = picture.portfolio
    if not any(leg.symbol == symbol for leg in portfolio.legs):
        portfolio = replace(portfolio, legs=(*portfolio.legs, picture.leg(symbol)))
    wallet = next(leg.wallet for leg in portfolio.legs if leg.symbol == symbol)
    return Market(
        instrument=instrument,
        ticker=row_of(tickers, symbol),
        book=book,
        portfolio=portfolio,
        env=env,
        time=time_of,
        read_at=read_at,
        available_margin=picture.exchange_figures.get(wallet, {}).get("available_margin", math.nan),
        fees=fees,
        minimum_size=minimum,
        status=row_of(status, symbol) if symbol in status.index else None,
        open_orders=orders[orders["symbol"] == symbol],
    )


def _status(venue: Venue) -> pd.DataFrame:
    """The states of the markets; an order can be judged without them."""
    try:
        return venue.instrument_status()
    except VenueError as error:
        _log.warning("dislocation and volatility of the markets are not known: %s", error)
        return schema.INSTRUMENT_STATUS.frame({})
