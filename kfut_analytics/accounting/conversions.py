"""Conversions: two entries each, a currency sold and one bought; what they cost apart from the exchange of money."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .labels import Bools, Floats, Ints, Labels
from .ledger import Cash, Ledger

_TOGETHER = np.timedelta64(1, "s")
_SAME = {"BTC": "XBT"}


def conversions(ledger: Ledger, cash: Cash) -> pd.DataFrame:
    """One row per conversion; see `PnL.conversions`."""
    row = cash.row[cash.is_kind("conversion") & ~cash.trading]
    paired = _first_of_pairs(ledger, row)
    second = np.append(False, paired[:-1])[: len(row)]
    first, other = row[~second], np.append(row[1:], -1)[: len(row)][~second]
    other = np.where(paired[~second], other, -1)
    # Of a pair one entry sells and the other buys; what stands alone is one of the two.
    debit = ledger.change[first] < 0
    sold, bought = np.where(debit, first, other), np.where(debit, other, first)
    frame = pd.DataFrame(
        {
            "time": pd.DatetimeIndex(ledger.time[first], tz="UTC"),
            "account": ledger.account[first].values(),
            "sold_currency": _currencies(ledger, sold),
            "sold": -_at(ledger.change, sold),
            "bought_currency": _currencies(ledger, bought),
            "bought": _at(ledger.change, bought),
        }
    )
    frame["rate"] = frame["bought"] / frame["sold"]
    told = {name: ledger.numbers(name) for name in ("exchange_rate", "conversion_spread_percentage", "conversion_fee")}
    stated = {name: np.fmax(_at(values, first), _at(values, other)) for name, values in told.items()}
    frame["exchange_rate"] = stated["exchange_rate"]
    frame["spread_percentage"] = stated["conversion_spread_percentage"]
    frame["fee_percentage"] = stated["conversion_fee"]
    worth = [_usd(ledger, side, first, other, told["exchange_rate"]) for side in (sold, bought)]
    by_rate = worth[0] - worth[1]
    percent = np.nan_to_num(frame["spread_percentage"]) + np.nan_to_num(frame["fee_percentage"])
    by_percent = frame["bought"].to_numpy() * percent / (100.0 - percent)
    unknown = (frame["spread_percentage"].isna() & frame["fee_percentage"].isna()).to_numpy()
    frame["cost"] = np.where(np.isnan(by_rate), np.where(unknown, np.nan, by_percent), by_rate)
    frame["cost_currency"] = frame["bought_currency"].where(np.isnan(by_rate), "USD").where(frame["cost"].notna())
    frame.attrs["units"] = {
        "sold": "sold_currency",
        "bought": "bought_currency",
        "rate": "bought per sold",
        "exchange_rate": "USD",
        "spread_percentage": "percent",
        "fee_percentage": "percent",
        "cost": "cost_currency",
    }
    return frame


def _first_of_pairs(ledger: Ledger, row: Ints) -> Bools:
    """Whether an entry and the next one are the two of a conversion; of a run of candidates, every other."""
    fits = np.zeros(len(row), dtype=bool)
    a, b = row[:-1], row[1:]
    fits[:-1] = (
        (ledger.account.codes[a] == ledger.account.codes[b])
        & (ledger.asset.codes[a] != ledger.asset.codes[b])
        & (ledger.change[a] * ledger.change[b] < 0)
        & (ledger.time[b] - ledger.time[a] <= _TOGETHER)
    )
    begins = fits & ~np.append(False, fits[:-1])[: len(row)]
    places = np.arange(len(row))
    begun = np.maximum.accumulate(np.where(begins, places, 0))
    first: Bools = fits & ((places - begun) % 2 == 0)
    return first


def _at(values: Floats, row: Ints) -> Floats:
    return np.append(values, np.nan)[row]


def _currencies(ledger: Ledger, row: Ints) -> pd.Series[str]:
    return Labels(np.append(ledger.asset.codes, -1)[row], ledger.asset.names).values()


def _usd(ledger: Ledger, side: Ints, first: Ints, other: Ints, rate: Floats) -> Floats:
    """What an entry's amount is worth in USD at the rates that the two entries state."""
    asset = _currencies(ledger, side).replace(_SAME)
    price = np.where(asset == "USD", 1.0, np.nan)
    bases = ledger.texts("exchange_rate_from")
    for stating in (first, other):
        base = bases.iloc[np.maximum(stating, 0)].reset_index(drop=True).str.upper().replace(_SAME)
        stated = (base == asset).to_numpy() & (stating >= 0) & np.isnan(price)
        price[stated] = rate[stating[stated]]
    return np.abs(_at(ledger.change, side)) * price
