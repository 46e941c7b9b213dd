"""The account log as columns: its entries classified, the two legs of an execution paired, the money they book.

An execution has two entries: the position leg (``asset == contract``), whose balance is the position, and the cash
leg, whose balance is money. Only cash legs carry money. An execution whose fee was paid in KFEE has no cash leg when
it realised nothing. Sources: api-facts 7.1 to 7.6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from .labels import Bools, Floats, Ints, Labels, Times

KINDS: dict[str, tuple[str, ...]] = {
    "trade": ("futures trade", "options trade", "hedging trade", "rfq"),
    "liquidation": ("futures liquidation", "futures partial liquidation", "portfolio auctioning"),
    "assignment": ("futures assignor", "futures assignee"),
    "unwind": ("futures unwind bankrupt", "futures unwind counterparty", "futures_unwind"),
    "settlement": ("settlement",),
    "funding": ("funding rate change",),
    "interest": ("interest payment",),
    "conversion": ("conversion", "conversion credit", "covered liquidation"),
    "transfer": (
        "transfer",
        "cross-exchange transfer",
        "subaccount transfer",
        "admin transfer",
        "position transfer",
    ),
    "kfee": ("kfee applied",),
    "tax": ("tax withheld", "tax refund", "futures tax withheld", "futures tax refund"),
}
"""The classes of entries and the exchange's ``info`` texts in each; every other text is of class ``other``."""

EXECUTIONS = ("trade", "liquidation", "assignment", "unwind", "settlement")
"""Classes whose entries are executions: a position leg and a cash leg."""

TRADING = (*EXECUTIONS, "funding")
"""Classes whose money is trading P&L; the other classes change balances without being P&L."""

NON_TRADING = (*(kind for kind in KINDS if kind not in TRADING), "other")

NO_CONTRACT = "(none)"
"""Stands for the contract of entries that have none."""

_CLASS_OF = {info: kind for kind, infos in KINDS.items() for info in infos}
_NEEDED = [
    "time",
    "info",
    "account",
    "asset",
    "contract",
    "old_balance",
    "new_balance",
    "change",
    "realized_pnl",
    "fee",
    "realized_funding",
]
_OPTIONAL_NUMBERS = ["liquidation_fee", "old_entry_price", "new_entry_price", "trade_price", "mark_price",
                     "funding_rate"]  # fmt: skip


def classify(info: str) -> str:
    """Class of an account log entry from its ``info`` text.

    Returns
    -------
    str
        A key of `KINDS`, or ``other`` for a text that is not listed there: the exchange adds kinds over time.
    """
    return _CLASS_OF.get(info.strip().lower(), "other")


class Ledger:
    """The account log's entries in the order of their numbers, each once.

    Parameters
    ----------
    log
        The ``account_log`` table, rows in any order.

    Attributes
    ----------
    log
        It, sorted and without repeated entries.
    repeated
        How many entries were left out because they were there before.
    number, time
        Entry numbers, and times (UTC, without zone).
    info, kind, account, asset, contract
        The texts, as labels; ``asset`` and ``contract`` by the same list of names.
    position_leg
        Whether an entry's balance is a position.
    old, new, change
        Balances before and after; missing where the log does not know them.

    Raises
    ------
    ArgumentError
        If columns are missing, or the same number stands for different entries.
    """

    def __init__(self, log: pd.DataFrame) -> None:
        self.log, self.repeated = _sorted(_checked(log))
        log = self.log
        self.number = log.index.to_numpy(dtype=np.int64)
        self.time: Times = log["time"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
        self.info = Labels.of(log["info"]).filled("")
        self.kind = self.info.mapped(classify)
        self.account = Labels.of(log["account"]).filled(NO_CONTRACT)
        asset, contract = (Labels.of(log[name]) for name in ("asset", "contract"))
        names = asset.names.append([contract.names, pd.Index([NO_CONTRACT], dtype="str")]).unique().sort_values()
        self.asset, self.contract = asset.among(names).filled(NO_CONTRACT), contract.among(names)
        # A currency never has an underscore, so a position leg shows itself even where its contract is missing.
        self.position_leg: Bools = (self.asset.codes == self.contract.codes) | self.asset.of_names(lambda a: "_" in a)
        self.old, self.new = self.numbers("old_balance"), self.numbers("new_balance")
        self.change = self.new - self.old
        unknown = np.isnan(self.change)
        if unknown.any():
            self.change[unknown] = self.numbers("change")[unknown]

    def __len__(self) -> int:
        return len(self.number)

    def numbers(self, name: str) -> Floats:
        """A column of numbers, missing throughout where the log has none."""
        if name not in self.log.columns:
            return np.full(len(self), np.nan)
        return self.log[name].to_numpy(dtype=np.float64)

    def texts(self, name: str) -> pd.Series[Any]:
        """A column of texts, missing throughout where the log has none."""
        if name not in self.log.columns:
            return pd.Series(np.nan, index=self.log.index, dtype="str")
        return self.log[name]

    def is_kind(self, *kinds: str) -> Bools:
        """Whether each entry is of one of the classes."""
        return self.kind.of_names(lambda name: name in kinds)

    @cached_property
    def pair(self) -> Ints:
        """For each leg of an execution the place of its other leg; -1 where it is alone, and for all else.

        Legs stand side by side, the position leg first, and share their execution id. Where the log has no such ids,
        as in the CSV export, the neighbourhood alone pairs them; where legs stand apart, the ids alone.
        """
        pair = np.full(len(self), -1, dtype=np.intp)
        executed = self.is_kind(*EXECUTIONS, "other") & (self.contract.codes >= 0)
        rows = np.flatnonzero(executed | self.position_leg)
        first, second = rows[:-1], rows[1:]
        beside = self.position_leg[first] & ~self.position_leg[second]
        first, second = first[beside], second[beside]
        for labels in (self.info, self.account):
            same = labels.codes[first] == labels.codes[second]
            first, second = first[same], second[same]
        same = self.asset.codes[first] == self.contract.codes[second]
        first, second = first[same], second[same]
        executions = self.texts("execution_id").to_numpy(dtype=object)
        ids, others = executions[first], executions[second]
        same = ids == others
        same[~same] = pd.isna(ids[~same]) & pd.isna(others[~same])
        pair[first[same]], pair[second[same]] = second[same], first[same]
        self._pair_apart(pair, rows[pair[rows] < 0], executions)
        return pair

    def _pair_apart(self, pair: Ints, rows: Ints, executions: NDArray[np.object_]) -> None:
        """Pair by execution id what does not stand side by side; a further cash leg finds the same position leg."""
        rows = rows[~pd.isna(executions[rows])]
        legs, cash = rows[self.position_leg[rows]], rows[~self.position_leg[rows]]
        if not len(cash):
            return
        for among in (legs, np.flatnonzero(self.position_leg)):
            places = pd.Series(among, index=executions[among])
            places = places[~places.index.duplicated()].reindex(executions[cash])
            found = places.notna().to_numpy()
            pair[cash[found]] = places.to_numpy()[found]
            cash = cash[~found]
        paired = rows[~self.position_leg[rows] & (pair[rows] >= 0)]
        free = pair[pair[paired]] < 0
        pair[pair[paired[free]]] = paired[free]


def _checked(log: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(log, pd.DataFrame):
        raise ArgumentError(f"log is {type(log).__name__} instead of the frame of client.account_log()")
    if "id" in log.columns:
        log = log.set_index("id")
    missing = [name for name in _NEEDED if name not in log.columns]
    if log.index.name != "id":
        missing.insert(0, "id")
    if missing:
        raise ArgumentError(
            f"log lacks the columns {', '.join(missing)}: give the frame of client.account_log(), whole"
        )
    numbers = [name for name in (*_NEEDED[5:], *_OPTIONAL_NUMBERS) if name in log.columns]
    texts = [name for name in numbers if log[name].dtype == object]
    if texts:  # exact numbers, or a hand-made frame
        log = log.assign(**{name: pd.to_numeric(log[name].map(_float), errors="coerce") for name in texts})
    return log


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _sorted(log: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    numbers = log.index.to_numpy()
    if np.all(numbers[1:] > numbers[:-1]):
        return log, 0
    log = log.sort_index(kind="stable")
    repeated = log.index.duplicated()
    if repeated.any():
        here = np.flatnonzero(repeated)
        columns = ["time", "asset", "new_balance"]
        odd = (log[columns].iloc[here].to_numpy() != log[columns].iloc[here - 1].to_numpy()).any(axis=1)
        if odd.any():
            number = log.index[here[np.flatnonzero(odd)[0]]]
            raise ArgumentError(
                f"entry {number} occurs twice with different contents: logs of two accounts were joined; "
                "account for each on its own"
            )
    return log[~repeated], int(repeated.sum())


@dataclass(frozen=True, slots=True)
class Cash:
    """The entries that move money, and the money they book.

    Attributes
    ----------
    row
        Place of each entry in the ledger.
    currency, account, contract, kind
        As labels; entries without contract have `NO_CONTRACT`.
    trading
        Whether the entry is trading P&L. The four figures after it are zero where it is not.
    realized_pnl, fee, realized_funding, liquidation_fee
        Gross P&L, the whole fee as a cost, funding, and the liquidation fee as part of ``fee``.
    change
        Of the balance.
    """

    row: Ints
    currency: Labels
    account: Labels
    contract: Labels
    kind: Labels
    trading: Bools
    realized_pnl: Floats
    fee: Floats
    realized_funding: Floats
    liquidation_fee: Floats
    change: Floats

    def is_kind(self, *kinds: str) -> Bools:
        """Whether each entry is of one of the classes."""
        return self.kind.of_names(lambda name: name in kinds)

    @property
    def net(self) -> Floats:
        """Net P&L of each entry."""
        return self.realized_pnl - self.fee + self.realized_funding

    def where(self, chosen: Any) -> Cash:
        """Some of the entries."""
        return Cash(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def followed_by(self, other: Cash) -> Cash:
        """These entries and then others, by the same names."""
        joined: dict[str, Any] = {}
        for name in (field.name for field in fields(self)):
            these, those = getattr(self, name), getattr(other, name)
            joined[name] = these.followed_by(those) if isinstance(these, Labels) else np.append(these, those)
        return Cash(**joined)


def cash_of(ledger: Ledger) -> Cash:
    """The entries of a ledger that move money."""
    row = np.flatnonzero(~ledger.position_leg)
    realized, fee, funding, extra = (
        np.nan_to_num(ledger.numbers(name)[row]) for name in ("realized_pnl", "fee", "realized_funding",
                                                              "liquidation_fee")
    )  # fmt: skip
    contract = ledger.contract[row]
    # An entry of a kind that is not listed counts as trading where the exchange books P&L of a contract with it.
    booked = (realized != 0) | (fee != 0) | (funding != 0)
    unlisted = ledger.is_kind("other")[row] & (contract.codes >= 0) & booked
    trading = ledger.is_kind(*TRADING)[row] | unlisted
    for amounts in (realized, fee, funding, extra):
        amounts[~trading] = 0.0
    change = ledger.change[row]
    # The exchange does not say whether `fee` contains the liquidation fee; the change of the balance tells.
    rest = change - (realized + funding - fee)
    apart = np.abs(rest + extra) < np.abs(rest)
    fee[apart] += extra[apart]
    return Cash(
        row=row,
        currency=ledger.asset[row],
        account=ledger.account[row],
        contract=contract.filled(NO_CONTRACT),
        kind=ledger.kind[row],
        trading=trading,
        realized_pnl=realized,
        fee=fee,
        realized_funding=funding,
        liquidation_fee=extra,
        change=change,
    )
