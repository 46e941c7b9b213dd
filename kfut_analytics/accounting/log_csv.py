"""The CSV export of the account log, as the frame that ``client.account_log()`` gives.

The export has neither entry numbers, execution ids nor old balances and entry prices (api-facts 7.5). Entries are
numbered in their order from 1, and old balances follow from the changes; `Ledger` pairs the legs of executions by
their neighbourhood and finds the entry prices.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import schema
from ..errors import ArgumentError
from .labels import Labels

_COLUMNS = {
    "uid": "booking_uid",
    "dateTime": "time",
    "account": "account",
    "type": "info",
    "symbol": "asset",
    "contract": "contract",
    "change": "change",
    "new balance": "new_balance",
    "new average entry price": "new_entry_price",
    "trade price": "trade_price",
    "mark price": "mark_price",
    "funding rate": "funding_rate",
    "realized pnl": "realized_pnl",
    "fee": "fee",
    "realized funding": "realized_funding",
    "collateral": "collateral",
    "conversion spread percentage": "conversion_spread_percentage",
    "liquidation fee": "liquidation_fee",
    "position uid": "position_uid",
    "exchange rate": "exchange_rate",
    "exchange rate from": "exchange_rate_from",
    "conversion fee": "conversion_fee",
}
"""The export's columns and what they are called here."""

_NEEDED = ["dateTime", "account", "type", "symbol", "contract", "change", "new balance", "realized pnl", "fee",
           "realized funding"]  # fmt: skip
_UPPER = ("asset", "contract", "collateral", "exchange_rate_from")
_KINDS = {column.name: column.kind for column in schema.ACCOUNT_LOG.columns}


def read_account_log_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a CSV export of the account log, for `kfut.pnl`.

    Parameters
    ----------
    path
        The file, as downloaded, newest or oldest entry first; compressed files are read by their ending.

    Returns
    -------
    DataFrame
        The ``account_log`` table, oldest first. ``id`` counts the file's entries and is not the exchange's number;
        ``execution_id`` and ``old_entry_price`` are missing throughout. Times without zone are UTC.

    Raises
    ------
    ArgumentError
        If there is no such file, or it is not such an export; the message names what is wrong.
    """
    frame = _read(Path(path))
    frame = frame.rename(columns=_COLUMNS)
    frame["time"] = _times(frame["time"], path)
    for name in frame.select_dtypes("category").columns:
        frame[name] = Labels.of(frame[name], str.upper if name in _UPPER else str).values()
    if _newest_first(frame):
        frame = frame.iloc[::-1].reset_index(drop=True)
    frame["old_balance"] = frame["new_balance"] - frame["change"]
    missing: dict[str, Any] = {"float": np.nan, "str": pd.Series(np.nan, frame.index, dtype="str")}
    for name, kind in _KINDS.items():
        if name not in frame.columns and name != "id":
            frame[name] = missing[kind]
    frame["id"] = np.arange(1, len(frame) + 1)
    frame = frame[list(_KINDS)].set_index("id")
    frame.attrs["units"] = {column.name: column.unit for column in schema.ACCOUNT_LOG.columns if column.unit}
    return frame


def _read(path: Path) -> pd.DataFrame:
    # Texts of few kinds are read as such, which takes half the time; they become texts afterwards.
    kinds = {source: "float64" if _KINDS[name] == "float" else "category" for source, name in _COLUMNS.items()}
    kinds |= {"uid": "str", "dateTime": "str"}
    try:
        names = list(pd.read_csv(path, nrows=0).columns)
        if lacking := [name for name in _NEEDED if name not in names]:
            raise ArgumentError(
                f"{path} lacks the columns {', '.join(map(repr, lacking))} of an account log export; "
                f"it has {', '.join(map(repr, names[:8]))}"
            )
        return pd.read_csv(
            path,
            usecols=lambda name: name in _COLUMNS,
            dtype=kinds,
            keep_default_na=False,
            na_values=[""],
        )
    except OSError as error:
        raise ArgumentError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, pd.errors.ParserError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f"{path} is not an account log export: {error}") from error


def _times(texts: pd.Series[Any], path: object) -> pd.Series[Any]:
    try:
        times = pd.to_datetime(texts, format="ISO8601", utc=True)
    except ValueError as error:
        raise ArgumentError(f"{path}: the column 'dateTime' has a value that is no time: {error}") from error
    return times.astype("datetime64[us, UTC]")


def _newest_first(frame: pd.DataFrame) -> bool:
    """The order of the file: by time, or if all happened at once, by how balances and the legs of executions follow."""
    if len(frame) < 2:
        return False
    first, last = frame["time"].iloc[[0, -1]]
    if first != last:
        return bool(first > last)
    new = frame.groupby(["account", "asset"])["new_balance"]
    old = frame["new_balance"] - frame["change"]
    up, down = (int(np.isclose(old, new.shift(step)).sum()) for step in (1, -1))
    if up != down:
        return down > up
    legs = (frame["asset"] == frame["contract"]).to_numpy()
    pairs = np.flatnonzero(legs[1:] != legs[:-1])
    return len(pairs) == 0 or not legs[pairs[0]]
