"""Funding ahead: what positions are expected to pay or receive in the hours to come (api-facts 6.4).

Rates hold for an hour: the rest of this one at its own rate, all that follow at the rate predicted for the next.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..contracts import funding_payment, relative_funding_rate
from ..errors import ArgumentError
from ..risk_tables import FUNDING_FORECAST
from ..rules import row_of
from .picture import Picture
from .usage import frame_of

_HOURS_PER_YEAR = 24 * 365
LONGEST_HOURS = float(_HOURS_PER_YEAR)


def funding_forecast(picture: Picture, hours: float) -> pd.DataFrame:
    """Table ``funding_forecast``, the dearest first."""
    try:
        ahead = math.nan if isinstance(hours, (bool, str)) else float(hours)
    except (TypeError, ValueError):
        ahead = math.nan
    if not 0 < ahead <= LONGEST_HOURS:
        raise ArgumentError(f"hours={hours!r} is not a time ahead: give a number of hours above 0, a year at most")
    left = 1 - (picture.as_of - picture.as_of.floor("h")) / pd.Timedelta(hours=1)
    rows = [_row(picture, str(symbol), ahead, left) for symbol in picture.positions.index]
    frame = frame_of(FUNDING_FORECAST, rows)
    frame.attrs["hours"] = ahead
    return frame.sort_values("expected_usd")


def _row(picture: Picture, symbol: str, hours: float, left: float) -> dict[str, Any]:
    leg = picture.leg(symbol)
    ticker = row_of(picture.tickers, symbol) if symbol in picture.tickers.index else None
    current, predicted, index = (
        math.nan if ticker is None else float(ticker[name])
        for name in ("funding_rate", "funding_rate_prediction", "index_price")
    )
    if ticker is not None and math.isnan(current):
        current = predicted = 0.0  # a dated contract: the exchange gives no rate
    predicted = current if math.isnan(predicted) else predicted
    # What is added turns the negative zero of a dated contract into zero.
    now = float(funding_payment(leg.size, current, min(hours, left))) + 0.0
    later = float(funding_payment(leg.size, predicted, max(hours - left, 0.0))) + 0.0
    relative, relative_later = (
        float(relative_funding_rate(rate, index, inverse=leg.inverse)) for rate in (current, predicted)
    )
    return {
        "symbol": symbol,
        "signed_size": leg.size,
        "currency": leg.currency,
        "funding_rate": current,
        "predicted_rate": predicted,
        "relative_rate": relative,
        "predicted_relative_rate": relative_later,
        "accrued": leg.funding,
        "this_hour": now,
        "later": later,
        "expected": now + later,
        "expected_usd": (now + later) * (index if leg.inverse else 1.0),
        "yearly_rate": 0.0 - math.copysign(1.0, leg.size) * relative_later * _HOURS_PER_YEAR,
    }
