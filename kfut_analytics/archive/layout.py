"""Where everything lies in an archive, and what the files look like.

The text of `README` is written into each archive: whoever finds the folder needs nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from .. import schema
from ..columns import Table
from ..settings import account_folder, data_folder

FORMAT = 1
"""Grows when what is written can no longer be read by what was released before."""

MANIFEST = "manifest.json"
LOCK = "lock"
PICTURE = "picture"
ASIDE = "aside"
"""Folder of files that an interrupted program left behind or that are damaged; nothing reads them."""

EXACT = "exact"
"""Column with the numbers of a row that a float64 cannot hold."""


@dataclass(frozen=True)
class Kind:
    """One kind of history.

    Attributes
    ----------
    table
        The canonical table.
    key
        The column that tells its rows apart; a row is never changed by the exchange.
    period
        A file has rows of one ``month`` or ``year``.
    oldest_first
        Whether a client gives it oldest first.
    """

    table: Table
    key: str
    period: Literal["month", "year"] = "month"
    oldest_first: bool = True


KINDS = {
    kind.table.name: kind
    for kind in (
        Kind(schema.ACCOUNT_LOG, "id"),
        Kind(schema.EXECUTIONS, "event_id"),
        Kind(schema.FILLS, "fill_id", oldest_first=False),
        Kind(schema.ORDER_HISTORY, "event_id"),
        Kind(schema.TRIGGER_HISTORY, "event_id"),
        Kind(schema.POSITION_HISTORY, "event_id"),
        Kind(schema.FUNDING_RATES, "time", "year"),
        Kind(schema.CANDLES, "time", "year"),
    )
}
"""All kinds of history by the name of their table."""

IMPORTED = "account_log_csv"
"""Series of log entries that came from CSV exports, and have less in them than those of the exchange's API."""

OF_ACCOUNT = ("account_log", "executions", "fills", "order_history", "trigger_history", "position_history")
"""The account's own history; each is one series."""


def funding(symbol: str) -> str:
    """The series of a contract's funding rates."""
    return f"funding_rates/symbol={symbol.upper()}"


def candles(symbol: str, resolution: str, tick_type: str) -> str:
    """The series of a contract's candles."""
    return f"candles/tick_type={tick_type}/resolution={resolution}/symbol={symbol.upper()}"


def kind_of(series: str) -> Kind:
    """What a series consists of."""
    name = series.split("/")[0]
    return KINDS["account_log" if name == IMPORTED else name]


def parts_of(series: str) -> dict[str, str]:
    """What the name of a series says: its symbol, resolution and so on."""
    return dict(part.split("=", 1) for part in series.split("/")[1:])


def period_of(series: str, times: pd.Series[pd.Timestamp]) -> pd.Series[str]:
    """The month or year that each row is filed under; rows without a time are ``undated``."""
    if kind_of(series).period == "year" and parts_of(series).get("resolution") not in {"1m", "5m", "15m"}:
        return times.dt.strftime("%Y").fillna("undated")
    return times.dt.strftime("%Y-%m").fillna("undated")


def own_folder(env: str, identity: str, home: str | os.PathLike[str] | None = None) -> Path:
    """The folder of an account's archive among everything that is kept of it."""
    return account_folder(env, identity, home) / "archive"


def of_env(env: str, home: str | os.PathLike[str] | None = None) -> list[Path]:
    """The folders of all archives of an environment."""
    root = data_folder() if home is None else Path(home).expanduser()
    return [path.parent for path in root.glob(f"accounts/{env}-*/archive/{MANIFEST}")]


_unread: list[object] = []


def consulted() -> bool:
    """Whether archives are read from: not while a session is recorded or replayed."""
    return not _unread


@contextmanager
def unread() -> Iterator[None]:
    """Let nobody read from an archive; a recording needs the exchange's own answers."""
    _unread.append(None)
    try:
        yield
    finally:
        _unread.pop()


README = """\
# Archive of an account at Kraken Futures

Plain Parquet files (zstd). Any program may read them; only kfut_analytics should write them.

| folder | rows |
|---|---|
| account_log/ | entries of the account log: fees, funding, realised P&L, balances |
| executions/ | own executions with fee |
| fills/ | fills, as the trading API gives them |
| order_history/, trigger_history/ | events of own orders and trigger orders |
| position_history/ | changes of own positions |
| funding_rates/symbol=PF_XBTUSD/ | historical funding rates of a perpetual |
| candles/tick_type=mark/resolution=1h/symbol=PF_XBTUSD/ | candles of a contract |
| account_log_csv/ | entries of the account log from CSV exports, where there are any |
| picture/ | the account and the market when they were last looked at; times are in manifest.json |

- A file holds rows of one month (or year) by their column `time`, which is UTC: `2026-11-00007.parquet`. Several
  files of a month are later joined into one. The order of files says nothing: sort by `id` (account log) or `time`.
- Columns and units: `kfut.describe("account_log")` and so on. What is missing is null. Numbers are float64; where a
  number of a row has more digits than that, the column `exact` has its text, as JSON by column; else it is null.
- Each row is there once: `id`, `event_id`, `fill_id` or `time` tell rows apart. While a sync runs, or after one that
  was killed, a row may be in two files until the next sync: manifest.json lists the files that count.
- manifest.json also says which times are held completely, by folder: `spans`, half-open, in microseconds since 1970;
  and by file its rows, sha256, first and last time.
- `aside/` has files that an interrupted sync left behind or that were found damaged. Nothing needs them.

Examples, from this folder:

    pandas.read_parquet("account_log")
    polars.scan_parquet("account_log/*.parquet").sort("id")
    duckdb: SELECT contract, sum(realized_pnl), sum(fee) FROM 'account_log/*.parquet' GROUP BY contract
    duckdb: SELECT * FROM read_parquet('candles/**/*.parquet', hive_partitioning = true) WHERE symbol = 'PF_XBTUSD'
"""
