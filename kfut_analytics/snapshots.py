"""Snapshots of the margin figures, kept in a file that only grows: one line of JSON per wallet and moment.

The exchange has no history of these figures; who wants one asks regularly and keeps the answers.
"""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .account import Balances
from .contracts import FLEX, are_inverse, wallet_of
from .errors import ConfigurationError
from .risk_tables import MARGIN_HISTORY
from .settings import data_folder
from .times import iso

_log = logging.getLogger("kfut_analytics.snapshots")

PathLike = str | os.PathLike[str]


def snapshot_of(balances: Balances, positions: pd.DataFrame) -> pd.DataFrame:
    """Table ``margin_history`` of one moment, by the exchange's own figures."""
    inverse = are_inverse(positions.index)
    value: pd.Series[float] = positions["notional"] / np.where(inverse, positions["mark_price"], 1.0)
    values = value.groupby([wallet_of(str(symbol)) for symbol in positions.index]).sum()
    currencies = {FLEX: "USD", **balances.wallets["currency"].to_dict()}
    figures = pd.DataFrame.from_dict(balances.figures(), orient="index")
    figures = figures[(figures[["equity", "initial_margin"]] != 0).any(axis=1)]
    figures["position_value"] = values.reindex(figures.index).fillna(0.0)
    equity = figures["equity"].where(figures["equity"] > 0)
    worth = figures["portfolio_value"].where(figures["portfolio_value"] > 0)
    return MARGIN_HISTORY.frame(
        {
            "time": [balances.account.time] * len(figures),
            "account": list(figures.index),
            "currency": [currencies[name] for name in figures.index],
            "source": ["snapshot"] * len(figures),
            **{name: figures[name].tolist() for name in figures.columns},
            "usage": (figures["initial_margin"] / equity).tolist(),
            "maintenance_usage": (figures["maintenance_margin"] / equity).tolist(),
            "effective_leverage": (figures["position_value"] / worth).tolist(),
        }
    )


def store(env: str, identity: str) -> Path:
    """The file of an account's snapshots in the user's data folder."""
    return data_folder() / "snapshots" / f"{env}-{re.sub(r'[^A-Za-z0-9-]', '-', identity)}.jsonl"


def append(path: PathLike, frame: pd.DataFrame) -> None:
    """Write a snapshot at the end of a file, all of it at once; nobody else may read the file.

    Raises
    ------
    ConfigurationError
        If the file cannot be written.
    """
    lines = []
    for time, row in zip(frame.index, frame.to_dict("records"), strict=True):
        lines.append(json.dumps({"time": iso(time)} | {str(k): None if pd.isna(v) else v for k, v in row.items()}))
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as out:
            size = out.seek(0, os.SEEK_END)
            if size:
                out.seek(size - 1)
                if out.read(1) != b"\n":  # whoever wrote before was interrupted
                    lines.insert(0, "")
            out.write(("\n".join(lines) + "\n").encode())
            os.fsync(out.fileno())
    except OSError as error:
        raise ConfigurationError(f"the snapshot cannot be kept in {file}: {error}; give another path") from error


def read(path: PathLike) -> pd.DataFrame:
    """Table ``margin_history`` of all snapshots in a file, oldest first; empty where there is no file.

    Lines that are not whole, after an interrupted write, are left out.

    Raises
    ------
    ConfigurationError
        If the file cannot be read.
    """
    file = Path(path)
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read as snapshots: {error}") from error
    rows: list[dict[str, Any]] = []
    for line in filter(None, lines):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            row = None
        if isinstance(row, dict) and {"time", "account", "equity"} <= set(row):
            rows.append(row)
        else:
            _log.warning("a line of %s is no snapshot and is left out", file)
    names = [column.name for column in MARGIN_HISTORY.columns]
    return MARGIN_HISTORY.frame({name: [row.get(name) for row in rows] for name in names}).sort_index(kind="stable")
