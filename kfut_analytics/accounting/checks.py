"""The account log against what the exchange says elsewhere: its position history, its fills or executions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..contracts import pnl_currency
from ..errors import ArgumentError
from .amounts import rounding_step
from .ledger import EXECUTIONS, NO_CONTRACT, Cash, Ledger
from .log_fills import oldest_first

_SLACK = pd.Timedelta(seconds=5)
"""By how much two sources may differ over the time of the same event."""


def check_positions(ledger: Ledger, cash: Cash, history: pd.DataFrame) -> pd.DataFrame:
    """One row per event of the position history or the log; see `PnL.check_positions`."""
    figures = ["realized_pnl", "fee", "realized_funding"]
    _has(history, "position_history", ["time", "symbol", "execution_id", "update_reason", "funding_time", *figures])
    own = _booked(ledger, cash, [*EXECUTIONS, "funding", "other"])
    reason = history["update_reason"].str.lower()
    told = pd.DataFrame(
        {
            # What neither traded nor settled is funding, whose own time counts.
            "time": history["time"].where(reason.isin(["trade", "settlement"]), history["funding_time"]),
            "contract": history["symbol"],
            "execution_id": history["execution_id"],
            **{name: history[name].astype("float64").fillna(0.0) for name in figures},
        }
    )
    told["time"] = told["time"].fillna(history["time"])
    return _compared(own, told.reset_index(drop=True), figures, "history")


def check_fills(ledger: Ledger, cash: Cash, fills: pd.DataFrame) -> pd.DataFrame:
    """One row per fill or execution of the log; see `PnL.check_fills`."""
    _has(fills, "fills", ["time", "symbol", "side", "size", "price"])
    if fills.index.name not in ("fill_id", "execution_id"):
        raise ArgumentError("fills are not indexed by fill_id or execution_id: give client.fills() or executions()")
    fills = oldest_first(fills)
    own = _booked(ledger, cash, [kind for kind in EXECUTIONS if kind != "settlement"], legs=True)
    figures = ["size", "price", *(name for name in ("realized_pnl", "realized_funding", "fee") if name in fills)]
    sign = np.where(fills["side"] == "sell", -1.0, 1.0)
    told = pd.DataFrame(
        {
            "time": fills["time"].array,
            "contract": fills["symbol"].array,
            "execution_id": fills.index.array,
            "size": fills["size"].astype("float64").to_numpy() * sign,
            **{name: fills[name].astype("float64").to_numpy() for name in figures if name != "size"},
        }
    )
    return _compared(own, told, figures, "fills")


def _has(frame: pd.DataFrame, table: str, names: list[str]) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(f"{table} is {type(frame).__name__} instead of the frame of client.{table}()")
    if missing := [name for name in names if name not in frame.columns]:
        raise ArgumentError(f"{table} lacks the columns {', '.join(missing)}: give the frame of client.{table}()")


def _booked(ledger: Ledger, cash: Cash, kinds: list[str], *, legs: bool = False) -> pd.DataFrame:
    """What the log books, one row per execution or entry of funding."""
    chosen = cash.trading & cash.is_kind(*kinds)
    chosen &= cash.contract.of_names(lambda name: name != NO_CONTRACT)
    entry = cash.where(chosen)
    lone = ledger.position_leg & ledger.is_kind(*kinds) & (ledger.pair < 0)
    # A fee paid in KFEE leaves a position leg alone.
    row = np.append(entry.row, np.flatnonzero(lone))
    order = np.argsort(row, kind="stable")
    row = row[order]
    leg = np.where(ledger.position_leg[row], row, ledger.pair[row])
    contract = ledger.contract[np.where(leg < 0, row, leg)].values()
    currency = ledger.asset[row].values()
    columns: dict[str, Any] = {
        "time": pd.DatetimeIndex(ledger.time[row], tz="UTC"),
        "contract": contract,
        "execution_id": ledger.texts("execution_id").iloc[row].array,
        "currency": currency.where(~ledger.position_leg[row], contract.map(pnl_currency)),
    }
    for name in ("realized_pnl", "fee", "realized_funding"):
        columns[name] = np.append(getattr(entry, name), np.zeros(len(row) - len(entry.row)))[order]
    if legs:
        columns["size"] = np.where(leg < 0, np.nan, ledger.change[leg])
        columns["price"] = ledger.numbers("trade_price")[np.where(leg < 0, row, leg)]
    return pd.DataFrame(columns)


def _compared(own: pd.DataFrame, told: pd.DataFrame, figures: list[str], source: str) -> pd.DataFrame:
    """Both sides beside each other, in the time that both cover."""
    if len(own) and len(told):
        begin = max(own["time"].min(), told["time"].min()) - _SLACK
        end = min(own["time"].max(), told["time"].max()) + _SLACK
        own, told = (side[side["time"].between(begin, end)] for side in (own, told))
    told = told.rename(columns={name: f"{source}_{name}" for name in figures})
    by_id = own.empty or bool(own["execution_id"].notna().any())  # the CSV export has no execution ids
    own_known, told_known = own["execution_id"].notna() & by_id, told["execution_id"].notna() & by_id
    frame = pd.concat(
        [
            _joined(own[own_known], told[told_known], ["execution_id"]),
            _joined(_placed(own[~own_known]), _placed(told[~told_known]), ["contract", "minute", "nth"]),
        ],
        ignore_index=True,
    )
    step = np.array([rounding_step(str(currency)) for currency in frame["currency"]])
    differs = np.zeros(len(frame), dtype=bool)
    for name in figures:
        difference = np.abs(frame[name] - frame[f"{source}_{name}"])
        differs |= difference > (1e-9 * np.abs(frame[name]) if name in ("size", "price") else step)
    status = frame["found"].map({"both": "equal", "left_only": "only in the log", "right_only": "not in the log"})
    frame["status"] = status.astype("str").mask(differs & (status == "equal"), "differs")
    columns = ["time", "contract", "execution_id", "currency", *figures, *(f"{source}_{name}" for name in figures)]
    frame = frame[[*columns, "status"]].sort_values("time", kind="stable", ignore_index=True)
    frame.attrs["units"] = dict.fromkeys([name for name in columns[4:] if name.endswith(_MONEY)], "currency")
    return frame


_MONEY = ("realized_pnl", "fee", "realized_funding")


def _placed(side: pd.DataFrame) -> pd.DataFrame:
    """With the minute, and the place among those of the same contract and minute."""
    side = side.sort_values("time", kind="stable")
    side = side.assign(minute=side["time"].dt.round("min"))
    return side.assign(nth=side.groupby(["contract", "minute"]).cumcount())


def _joined(own: pd.DataFrame, told: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    frame = own.merge(told, on=keys, how="outer", suffixes=("", "_told"), indicator="found")
    for name in {"time", "contract", "execution_id"} - set(keys):
        frame[name] = frame[name].fillna(frame[f"{name}_told"])
    return frame
