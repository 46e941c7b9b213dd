"""What a report is made of: everything is asked from the client here, once, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ..margin import Margin, margin
from ..pnl import PnL, pnl
from ..times import TimeLike, parse_time

if TYPE_CHECKING:
    from ..client import Client


@dataclass(frozen=True)
class ReportData:
    """The figures of a report; made by `build`.

    Attributes
    ----------
    env
        ``paper``, ``live`` or ``archive``.
    account_name
        Masked: see `mask`.
    start, as_of
        The period of the P&L; ``as_of`` is the exchange's time of the margin figures.
    pnl, margin
        The accounts and the margin usage.
    balances, positions, open_orders
        The canonical tables ``accounts``, ``positions`` and ``open_orders``.
    notes
        What a reader must know about the quality of the figures.
    """

    env: str
    account_name: str
    start: pd.Timestamp
    as_of: pd.Timestamp
    pnl: PnL
    margin: Margin
    balances: pd.DataFrame
    positions: pd.DataFrame
    open_orders: pd.DataFrame
    notes: list[str]


def build(client: Client, start: TimeLike = "-30d") -> ReportData:
    """Gather the figures of a report.

    Parameters
    ----------
    client
        Whose account to report.
    start
        Start of the period for P&L: a time or an offset such as ``"-90d"``.

    Raises
    ------
    ArgumentError
        If ``start`` is no point in time.
    VenueError
        If the exchange cannot be read.
    """
    usage = margin(client)
    since = parse_time(start, name="start", now=usage.as_of)
    ledger = pnl(client.account_log(start=since))
    return ReportData(
        env=client.env,
        account_name=mask(client.account_name),
        start=since,
        as_of=usage.as_of,
        pnl=ledger,
        margin=usage,
        balances=client.accounts(),
        positions=usage.positions,
        open_orders=client.open_orders(),
        notes=[*ledger.notes(), *usage.notes(), *_unpriced(usage.positions)],
    )


def mask(name: str) -> str:
    """An account's name as it may be sent on: the last four characters of anything longer than eight.

    >>> mask("demo"), mask("f92fc7de-2fce-4265-b806-4f3c1efb37ee")
    ('demo', '…37ee')
    """
    return name if len(name) <= 8 else f"…{name[-4:]}"


def _unpriced(positions: pd.DataFrame) -> list[str]:
    missing = [str(symbol) for symbol in positions.index[positions["mark_price"].isna()]]
    return [f"There is no mark price for {', '.join(missing)}: value and margin are n/a."] if missing else []
