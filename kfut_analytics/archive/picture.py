"""The last picture: what the account and the market looked like when they were last asked."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..account import Account, Balances
from ..errors import ConfigurationError, ExchangeError, NotArchived
from ..schema import MARGIN_TIERS, TABLES
from ..times import iso, parse_time
from . import layout, manifest
from .ranges import micros
from .rows import to_arrow, to_frame
from .store import Store

if TYPE_CHECKING:
    from ..venue import Venue

MAX_AGE = pd.Timedelta(hours=1)
"""A picture as old as this is taken anew, also when nothing was booked since."""

_ESSENTIAL = ("instruments", "tickers", "positions", "open_orders")
_OTHERS = (
    "margin_tiers",
    "account_margin_tiers",
    "instrument_status",
    "leverage_preferences",
    "pnl_preferences",
    "wallet_contracts",
    "fee_schedules",
    "indices",
    "notifications",
)

NAMES = frozenset({"accounts", "wallets", *_ESSENTIAL, *_OTHERS})
"""Tables of a picture."""

_TABLES = TABLES | {"account_margin_tiers": MARGIN_TIERS}


def is_old(store: Store, now: int) -> bool:
    """Whether a new picture is due, by the exchange's time in microseconds."""
    taken = store.manifest.picture.get("time")
    return taken is None or now - int(taken) > MAX_AGE // pd.Timedelta(microseconds=1)


def take(store: Store, venue: Venue) -> list[str]:
    """Keep how things are now; returns what could not be had."""
    notes = []
    balances = venue.balances()
    frames = {"accounts": balances.accounts, "wallets": balances.wallets}
    for name in _ESSENTIAL:
        frames[name] = getattr(venue, name)()
    for name in _OTHERS:
        try:
            frames[name] = getattr(venue, name)()
        except ExchangeError as error:
            notes.append(f"picture: no {name.replace('_', ' ')} ({error})")
    number = store.manifest.number
    folder = store.folder / layout.PICTURE
    folder.mkdir(exist_ok=True, mode=0o700)
    tables = {}
    for name, frame in frames.items():
        file = f"{name}-{number:05d}.parquet"
        rows = to_arrow(_TABLES[name], frame)
        manifest.put(folder / file, lambda path, rows=rows: pq.write_table(rows, path, compression="zstd"))  # type: ignore[misc]
        tables[name] = {"file": file, "attrs": {k: v for k, v in frame.attrs.items() if k not in ("units", "env")}}
    account = {**asdict(balances.account), "time": iso(balances.account.time)}
    picture = {"time": micros(balances.account.time), "account": account, "tables": tables}
    store.update(lambda found: replace(found, picture=picture, number=number + 1))
    for path in folder.glob("*.parquet"):
        if path.name not in {table["file"] for table in tables.values()}:
            path.unlink()
    return notes


def table(store: Store, name: str) -> pd.DataFrame:
    """A table of the picture; ``attrs["as_of"]`` says of when it is.

    Raises
    ------
    NotArchived
        If the picture has no such table.
    ConfigurationError
        If its file is missing or damaged.
    """
    picture = store.manifest.picture
    entry = picture.get("tables", {}).get(name)
    if entry is None:
        raise NotArchived(
            f"the archive in {store.folder} has no {name.replace('_', ' ')}: client.sync() of a client of the exchange "
            "keeps a picture of account and market"
        )
    path = store.folder / layout.PICTURE / entry["file"]
    try:
        rows = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ConfigurationError(
            f"{path} is missing or damaged ({error}): a sync makes it anew, client.archive.repair() first"
        ) from error
    frame = to_frame(_TABLES[name], rows)
    frame.attrs |= {"as_of": picture["account"]["time"], **entry["attrs"]}
    return frame


def balances(store: Store, env: str) -> Balances:
    """The wallets of the picture.

    Raises
    ------
    NotArchived
        If there is no picture.
    """
    accounts, wallets = table(store, "accounts"), table(store, "wallets")
    figures: dict[str, Any] = store.manifest.picture["account"]
    return Balances(Account(**{**figures, "env": env, "time": parse_time(figures["time"])}), accounts, wallets)
