"""Realised P&L, fees, funding and cash flows from the account log.

The exchange books every change of every balance as an entry of the account log, so each figure here is a sum of
entries and reconciles with the balances. An execution has two entries: the position leg (``asset == contract``), whose
balance is the position, and the cash leg, whose balance is money. Only cash legs carry money. An execution whose fee
was paid in KFEE has no cash leg when it realised nothing.

Amounts of different currencies are never added up. Sources: api-facts 7.1 to 7.6.
"""

from __future__ import annotations

import html
import math
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from .errors import ArgumentError

KINDS: dict[str, tuple[str, ...]] = {
    "trade": ("futures trade", "options trade", "hedging trade", "rfq"),
    "liquidation": (
        "futures liquidation",
        "futures partial liquidation",
        "futures assignor",
        "futures assignee",
        "futures unwind bankrupt",
        "futures unwind counterparty",
        "futures_unwind",
        "portfolio auctioning",
    ),
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

TRADING = ("trade", "liquidation", "settlement", "funding")
"""Classes whose money is trading P&L; the other classes change balances without being P&L."""

NON_TRADING = (*(kind for kind in KINDS if kind not in TRADING), "other")

_CLASS_OF = {info: kind for kind, infos in KINDS.items() for info in infos}
_MONEY = ["realized_pnl", "fee", "realized_funding", "net"]
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
_AMOUNTS = (*_NEEDED[5:], "liquidation_fee")
_NO_CONTRACT = "(none)"


def classify(info: str) -> str:
    """Class of an account log entry from its ``info`` text.

    Returns
    -------
    str
        A key of `KINDS`, or ``other`` for a text that is not listed there: the exchange adds kinds over time.
    """
    return _CLASS_OF.get(info.strip().lower(), "other")


def pnl(log: pd.DataFrame) -> PnL:
    """Account for an account log: realised P&L, fees, funding and cash flows.

    Parameters
    ----------
    log
        The ``account_log`` table (see ``kfut.describe("account_log")``), rows in any order.

    Returns
    -------
    PnL
        Its tables are computed when they are asked for.

    Raises
    ------
    ArgumentError
        If columns are missing.
    """
    return PnL(log)


class PnL:
    """What an account log says about profit and loss; made by `pnl`.

    Attributes
    ----------
    log
        The account log it was made from.

    Notes
    -----
    ``net = realized_pnl - fee + realized_funding`` throughout. ``fee`` is a cost when positive and includes
    liquidation fees; ``realized_pnl`` is gross; ``realized_funding`` is negative when paid.
    """

    def __init__(self, log: pd.DataFrame) -> None:
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
        texts = [name for name in _AMOUNTS if name in log.columns and log[name].dtype == object]
        if texts:  # exact numbers, or a hand-made frame
            log = log.assign(**{name: pd.to_numeric(log[name].map(_float), errors="coerce") for name in texts})
        self.log = log

    @property
    def env(self) -> str | None:
        """Environment the log comes from, where its ``attrs["env"]`` says so."""
        return self.log.attrs.get("env")

    @cached_property
    def _entries(self) -> pd.DataFrame:
        """All entries in the order of their ids, each once, with class and leg."""
        log = self.log
        if not log.index.is_unique:
            log = log[~log.index.duplicated()]
        if not log.index.is_monotonic_increasing:
            log = log.sort_index()
        info, account, asset, contract = (
            log[name].astype("category") for name in ("info", "account", "asset", "contract")
        )
        # Compared by category, not by row. A currency never has an underscore, so a position leg shows itself even
        # where its contract is missing.
        twin = contract.cat.categories.get_indexer(asset.cat.categories)
        same = np.append(np.where(twin < 0, -2, twin), -2)[asset.cat.codes] == contract.cat.codes
        position_leg = same | _mapped(asset, lambda text: "_" in text).astype(bool)
        entries = pd.DataFrame(
            {
                "time": log["time"],
                "info": info,
                "kind": _mapped(info, classify),
                "account": account,
                "asset": asset,
                "contract": contract.cat.add_categories(_NO_CONTRACT).fillna(_NO_CONTRACT),
                "position_leg": position_leg,
                "old_balance": log["old_balance"],
                "new_balance": log["new_balance"],
                "change": log["change"],
            }
        )
        for name in ("realized_pnl", "fee", "realized_funding", "liquidation_fee"):
            entries[name] = log[name].fillna(0.0) if name in log.columns else 0.0
        if "execution_id" in log.columns:
            entries["execution_id"] = log["execution_id"]
        return entries

    @cached_property
    def _cash(self) -> pd.DataFrame:
        """Entries that move money, with their currency and the money they book."""
        cash = self._entries.loc[~self._entries["position_leg"]].rename(columns={"asset": "currency"})
        # An entry of a kind that is not listed counts as trading where the exchange books P&L of a contract with it.
        booked = (cash[["realized_pnl", "fee", "realized_funding"]] != 0).any(axis="columns")
        unlisted = (cash["kind"] == "other") & (cash["contract"] != _NO_CONTRACT) & booked
        trading = (cash["kind"].isin(TRADING) | unlisted).to_numpy()
        gross = (cash["realized_pnl"] + cash["realized_funding"] - cash["fee"]).to_numpy()
        # The exchange does not say whether `fee` contains the liquidation fee; the change of the balance tells.
        extra = cash["liquidation_fee"].to_numpy()
        rest = cash["change"].to_numpy() - gross
        apart = np.abs(rest + extra) < np.abs(rest)
        cash["fee"] += np.where(apart, extra, 0.0)
        cash["trading"] = trading
        cash["net"] = np.where(trading, cash["realized_pnl"] - cash["fee"] + cash["realized_funding"], 0.0)
        return cash

    @cached_property
    def _trading(self) -> pd.DataFrame:
        return self._cash.loc[self._cash["trading"]]

    def by_contract(self) -> pd.DataFrame:
        """P&L per contract and currency.

        Returns
        -------
        DataFrame
            One row per contract and currency, sorted: contract, currency, realized_pnl, fee, realized_funding, net,
            liquidation_fee (part of ``fee``), trades (cash legs of executions). Amounts in ``currency``.
        """
        return self._contracts.copy()

    @cached_property
    def _contracts(self) -> pd.DataFrame:
        columns = [*_MONEY, "liquidation_fee", "trades"]
        rows = self._trading.assign(trades=(self._trading["kind"] != "funding").astype("int64"))
        frame = _grouped(rows, ["contract", "currency"])[columns].sum().reset_index()
        return _finish(frame, columns[:-1])

    def daily(self) -> pd.DataFrame:
        """P&L per UTC day and currency; days without trading entries are absent.

        Returns
        -------
        DataFrame
            Index ``date`` (midnight UTC, repeated when there are several currencies): currency, realized_pnl, fee,
            realized_funding, net, cumulative (running sum of ``net``). Amounts in ``currency``.
        """
        rows = self._trading.assign(date=self._trading["time"].dt.floor("D"))
        frame = _grouped(rows, ["date", "currency"])[_MONEY].sum().reset_index()
        frame = _finish(frame, [*_MONEY, "cumulative"])
        frame["cumulative"] = frame.groupby("currency")["net"].cumsum()
        return frame.set_index("date")

    def cumulative(self) -> pd.DataFrame:
        """Running sums of P&L, entry by entry.

        Returns
        -------
        DataFrame
            Index ``time``: currency, realized_pnl, fee, realized_funding, net, each the sum of its currency so far.
        """
        frame = self._trading[["time", "currency", *_MONEY]].copy()
        frame[_MONEY] = frame.groupby("currency", observed=True)[_MONEY].cumsum()
        return _finish(frame, _MONEY).set_index("time")

    def summary(self) -> pd.DataFrame:
        """Everything that changed the balances, per currency over all wallets.

        Returns
        -------
        DataFrame
            Index ``currency``: realized_pnl, fee, realized_funding, net; the classes that are not P&L (interest,
            conversion, transfer, kfee, tax, other); unexplained; change (of the balances, the sum of the rest);
            liquidation_fee (part of ``fee``) and trades. Amounts in the row's currency.
        """
        bridge = self._bridge
        columns = [*_MONEY, *NON_TRADING, "unexplained"]
        frame = bridge.groupby("currency")[columns].sum()
        frame["change"] = (bridge["closing"] - bridge["opening"]).groupby(bridge["currency"]).sum()
        extra = self._contracts.groupby("currency")[["liquidation_fee", "trades"]].sum()
        frame = frame.join(extra).fillna({"liquidation_fee": 0.0, "trades": 0}).astype({"trades": "int64"})
        frame.attrs["units"] = dict.fromkeys([*columns, "change", "liquidation_fee"], "currency")
        return frame

    def reconcile(self) -> pd.DataFrame:
        """The bridge from opening to closing balance of each wallet and currency.

        Returns
        -------
        DataFrame
            One row per account and currency: opening, realized_pnl, fee, realized_funding, net, interest,
            conversion, transfer, kfee, tax, other, unexplained, closing, breaks. ``opening + net`` and all that
            follows up to ``unexplained`` is ``closing``. ``unexplained`` is zero on complete data; ``breaks`` counts
            entries that do not start at the balance where the one before ended. Amounts in ``currency``.
        """
        return self._bridge.copy()

    @cached_property
    def _bridge(self) -> pd.DataFrame:
        cash = self._cash
        keys = ["account", "currency"]
        rows = cash[[*keys, "old_balance", "new_balance", "change"]].copy()
        for name in _MONEY:
            rows[name] = np.where(cash["trading"], cash[name], 0.0)
        for kind in NON_TRADING:
            rows[kind] = np.where((cash["kind"] == kind) & ~cash["trading"], cash["change"], 0.0)
        previous = _grouped(rows, keys)["new_balance"].shift()
        rows["breaks"] = ~(np.isclose(rows["old_balance"], previous, rtol=1e-9, atol=1e-9) | previous.isna())
        rows["scale"] = rows["change"].abs()
        grouped = _grouped(rows, keys)
        sums = [*_MONEY, *NON_TRADING]
        frame = grouped[[*sums, "breaks", "scale"]].sum()
        frame["opening"] = grouped["old_balance"].first()
        frame["closing"] = grouped["new_balance"].last()
        rest = frame["closing"] - frame["opening"] - frame[["net", *NON_TRADING]].sum(axis=1)
        noise = 1e-11 * (frame["scale"] + frame["opening"].abs() + frame["closing"].abs())
        frame["unexplained"] = rest.where(rest.abs() > noise, 0.0)
        amounts = ["opening", *sums, "unexplained", "closing"]
        return _finish(frame.reset_index()[[*keys, *amounts, "breaks"]].astype({"breaks": "int64"}), amounts)

    def transfers(self) -> pd.DataFrame:
        """Entries of deposits, withdrawals and transfers, those between own wallets among them.

        Returns
        -------
        DataFrame
            Index ``id``: time, info, account, currency, amount (positive came in), in ``currency``.
        """
        rows = self._cash.loc[self._cash["kind"] == "transfer", ["time", "info", "account", "currency", "change"]]
        return _finish(rows.rename(columns={"change": "amount"}), ["amount"])

    def cash_flows(self) -> pd.DataFrame:
        """External flows per UTC day: transfers between own wallets cancel out.

        Returns
        -------
        DataFrame
            Index ``date`` (midnight UTC): currency, amount (positive came in), in ``currency``.
        """
        rows = self.transfers()
        rows["date"] = rows["time"].dt.floor("D")
        grouped = _grouped(rows, ["date", "currency"])["amount"]
        frame = grouped.sum().to_frame()
        moved = frame["amount"].abs() > 1e-11 * grouped.agg(lambda amounts: amounts.abs().sum())
        return _finish(frame[moved].reset_index(), ["amount"]).set_index("date")

    def other(self) -> pd.DataFrame:
        """Entries whose kind is not known; ``counted_as`` is trading where they book P&L of a contract, else other.

        Returns
        -------
        DataFrame
            Index ``id``: time, info, account, currency, contract, amount in ``currency``, counted_as.
        """
        columns = ["time", "info", "account", "currency", "contract", "change"]
        rows = self._cash.loc[self._cash["kind"] == "other", [*columns, "trading"]]
        rows["counted_as"] = np.where(rows.pop("trading"), "trading", "other")
        return _finish(rows.rename(columns={"change": "amount"}), ["amount"])

    def notes(self) -> list[str]:
        """What a reader must know about the quality of the figures, one sentence each; empty when all is well."""
        notes = []
        if not self.log.index.is_unique:
            notes.append(f"{self.log.index.duplicated().sum():,} repeated entries were counted once.")
        unknown = self.other()
        if len(unknown):
            kinds = ", ".join(sorted(repr(str(info)) for info in unknown["info"].unique()))
            trading = int((unknown["counted_as"] == "trading").sum())
            notes.append(
                f"{_count(len(unknown), 'entry', 'entries')} of kinds not known to this version ({kinds}): "
                f"{trading:,} that book P&L of a contract are counted as trading, "
                f"{len(unknown) - trading:,} are in the class other."
            )
        if unpaired := self._unpaired():
            notes.append(
                f"{_count(unpaired, 'execution', 'executions')} with a position leg and no cash leg: "
                "the fee was paid in KFEE, or the cash leg lies outside the log."
            )
        bridge = self._bridge
        for wallet, currency, rest, breaks in zip(
            *(bridge[name] for name in ("account", "currency", "unexplained", "breaks")), strict=True
        ):
            if amount(rest, currency) != amount(0.0, currency):
                notes.append(
                    f"Wallet {wallet}: {amount(rest, currency)} {currency} of the change of the balance is not "
                    "explained by the entries."
                )
            if breaks:
                notes.append(
                    f"Wallet {wallet}, {currency}: {breaks:,} entries do not start where the entry before ended; "
                    "entries are missing in between."
                )
        return notes

    def _unpaired(self) -> int:
        """Number of executions that have a position leg only."""
        if "execution_id" not in self._entries.columns:
            return 0
        entries = self._entries[self._entries["kind"].isin(("trade", "liquidation"))]
        execution, is_position = entries["execution_id"].to_numpy(object), entries["position_leg"].to_numpy()
        # The legs nearly always stand side by side; only those that do not are looked up, which is slow.
        side_by_side = (execution[1:] == execution[:-1]) & (is_position[1:] != is_position[:-1])
        paired = np.append(side_by_side, False) | np.insert(side_by_side, 0, False)
        alone = entries.loc[is_position & ~paired[: len(entries)], "execution_id"].dropna()
        if alone.empty:
            return 0
        return int((~alone.isin(entries.loc[~is_position, "execution_id"])).sum())

    def _title(self) -> str:
        if self.log.empty:
            return "P&L: the account log has no entries"
        first, last = self.log["time"].min(), self.log["time"].max()
        return f"P&L from {first:%Y-%m-%d} to {last:%Y-%m-%d} UTC, {len(self.log):,} account log entries"

    def _table(self) -> pd.DataFrame:
        labels = {"realized_pnl": "Realised P&L", "fee": "Fees", "realized_funding": "Funding", "net": "Net"}
        table = self.summary()[list(labels)].rename(columns=labels)
        return pd.DataFrame(
            {label: [amount(v, str(c)) for c, v in table[label].items()] for label in table.columns},
            index=table.index.astype(object).rename(None),
        )

    def __repr__(self) -> str:
        lines = [self._title()]
        if not self.log.empty:
            lines.append(self._table().to_string())
        return "\n".join([*lines, *self.notes()])

    def _repr_html_(self) -> str:
        table = "" if self.log.empty else self._table().to_html(border=0)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        return f"<p><b>{html.escape(self._title())}</b></p>{table}{notes}"


_TWO_DECIMALS = {"USD", "EUR", "GBP", "CAD", "AUD", "CHF", "USDC", "USDT", "USDG", "PYUSD", "RLUSD", "FEE"}


def amount(value: float, currency: str, *, sign: bool = False) -> str:
    """A sum of money as text: two decimals for money of account and stablecoins, eight for coins.

    >>> amount(-1234.5, "USD"), amount(0.00012, "XBT"), amount(5.0, "USD", sign=True)
    ('-1,234.50', '0.00012000', '+5.00')
    """
    if math.isnan(value):
        return "n/a"
    decimals = 2 if currency.upper() in _TWO_DECIMALS else 8
    rounded = round(float(value), decimals) + 0.0  # no negative zero
    return f"{rounded:{'+' if sign and rounded else ''},.{decimals}f}"


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _mapped(texts: pd.Series[Any], function: Any) -> pd.Series[Any]:
    """Apply a function to each distinct text of a categorical instead of to each row; missing texts as empty."""
    values = np.array([function(str(text)) for text in texts.cat.categories] + [function("")], dtype=object)
    return pd.Series(pd.Categorical(values[texts.cat.codes]), index=texts.index)


def _grouped(frame: pd.DataFrame, keys: list[str]) -> Any:
    return frame.groupby(keys, observed=True, sort=True)


def _finish(frame: pd.DataFrame, amounts: list[str]) -> pd.DataFrame:
    """Plain text columns instead of categories, and the units of the amounts."""
    names = frame.select_dtypes("category").columns
    frame = frame.astype(dict.fromkeys(names, "str"))
    frame.attrs["units"] = dict.fromkeys(amounts, "currency")
    return frame
