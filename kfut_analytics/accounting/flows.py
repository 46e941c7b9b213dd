"""Entries of money as tables: transfers, the flows from outside among them, and kinds that are not known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .labels import day_labels, totals
from .ledger import Cash, Ledger


def entries(ledger: Ledger, cash: Cash, kind: str) -> pd.DataFrame:
    """The entries of one class that move money, by entry number."""
    cash = cash.where(cash.is_kind(kind))
    frame = pd.DataFrame(
        {
            "time": pd.DatetimeIndex(ledger.time[cash.row], tz="UTC"),
            "info": ledger.info[cash.row].values().array,
            "account": cash.account.values().array,
            "currency": cash.currency.values().array,
            "contract": cash.contract.values().array,
            "amount": cash.change,
            "counted_as": np.where(cash.trading, "trading", "other"),
        },
        index=pd.Index(ledger.number[cash.row], name="id"),
    ).astype({"counted_as": "str"})
    frame.attrs["units"] = {"amount": "currency"}
    return frame


def cash_flows(ledger: Ledger, cash: Cash, tz: str) -> pd.DataFrame:
    """Transfers per day, those between own wallets cancelled out; see `PnL.cash_flows`."""
    cash = cash.where(cash.is_kind("transfer"))
    keys = {"date": day_labels(ledger.time[cash.row], tz), "currency": cash.currency}
    frame = totals(keys, {"amount": cash.change, "moved": np.abs(cash.change)})
    frame = frame[frame["amount"].abs() > 1e-11 * frame.pop("moved")].set_index("date")
    frame.attrs["units"] = {"amount": "currency"}
    return frame
