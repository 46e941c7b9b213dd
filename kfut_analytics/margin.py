"""Margin usage now: per wallet as the exchange gives it, per position computed from the margin tiers.

Linear contracts draw on the multi-collateral wallet (``flex``, USD), inverse contracts on a wallet of their own coin
(``fi_xbtusd``). Sources: api-facts 6.7 and 6.8; Kraken support articles 15579128794772 (schedules) and 4844463246100
(netting of perpetual and dated positions).
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from .contracts import MarginTier, is_inverse, margin_requirement, preferred_schedule
from .errors import ArgumentError
from .pnl import amount

if TYPE_CHECKING:
    from .account import Account
    from .client import Client

FLEX = "flex"
"""Name of the multi-collateral wallet."""

_FIGURES = ["equity", "initial_margin", "initial_margin_with_orders", "maintenance_margin", "available_margin"]
_RATIOS = ["usage", "maintenance_usage", "effective_leverage"]
_COMPUTED = ["computed_initial_margin", "computed_maintenance_margin"]
_DIFFERENCES = ["initial_margin_difference", "maintenance_margin_difference"]
_POSITION_COLUMNS = [
    "wallet",
    "currency",
    "side",
    "size",
    "mark_price",
    "notional",
    "initial_margin",
    "maintenance_margin",
    "share_of_equity",
    "margin_mode",
    "max_fixed_leverage",
    "unrealized_pnl",
    "pnl_currency",
]
_NOTEWORTHY = 0.01  # part of the exchange's own requirement by which ours may differ before a note says so


def margin(client: Client, *, schedule: str | None = None) -> Margin:
    """Take a picture of the account's margin usage.

    Parameters
    ----------
    client
        The client to ask, now; the result does not change afterwards. All figures of the multi-collateral wallet come
        from one answer, those of the single-collateral wallets from another.
    schedule
        Margin schedule such as ``"professional"`` or ``"retail"``; by default retail where the exchange gives one,
        else professional.

    Returns
    -------
    Margin

    Raises
    ------
    ArgumentError
        If no contract has that schedule.
    """
    tiers = client.margin_tiers()
    known = sorted(tiers["schedule"].dropna().unique())
    if schedule is not None and schedule not in known:
        raise ArgumentError(f"schedule={schedule!r} is not a margin schedule here: use one of {', '.join(known)}")
    account = client.account()
    return Margin(
        env=client.env,
        account_name=client.account_name,
        as_of=account.time,
        account=account,
        wallets=client.wallets(),
        positions=client.positions(),
        tiers=tiers,
        schedule=schedule,
    )


@dataclass(frozen=True, repr=False, eq=False)
class Margin:
    """Margin usage at one moment; made by `margin`.

    Attributes
    ----------
    env, account_name
        Where it comes from.
    as_of
        The exchange's time of the figures, UTC.
    account
        The multi-collateral wallet's figures, USD.
    wallets, positions, tiers
        The canonical tables the figures come from.
    schedule
        The margin schedule that was asked for, or None.
    """

    env: str
    account_name: str
    as_of: pd.Timestamp
    account: Account
    wallets: pd.DataFrame
    positions: pd.DataFrame
    tiers: pd.DataFrame
    schedule: str | None = None

    @cached_property
    def _by_position(self) -> pd.DataFrame:
        ladders = self._ladders()
        rows = []
        for symbol, row in self.positions.iterrows():
            inverse = is_inverse(str(symbol))
            leverage = None if math.isnan(row["max_fixed_leverage"]) else float(row["max_fixed_leverage"])
            tiers = ladders.get(str(symbol))
            unit = float(row["mark_price"]) if inverse else 1.0
            required = [
                margin_requirement(row["notional"], tiers, maintenance=maintenance, leverage=leverage) / unit
                if tiers
                else math.nan
                for maintenance in (False, True)
            ]
            pair = _pair(str(symbol))
            rows.append(
                {
                    "symbol": symbol,
                    "wallet": f"fi_{pair.lower()}" if inverse else FLEX,
                    "currency": pair.removesuffix("USD") if inverse else "USD",
                    "side": row["side"],
                    "size": row["size"],
                    "mark_price": row["mark_price"],
                    "notional": row["notional"],
                    "initial_margin": required[0],
                    "maintenance_margin": required[1],
                    "margin_mode": row["margin_mode"],
                    "max_fixed_leverage": row["max_fixed_leverage"],
                    "unrealized_pnl": row["unrealized_pnl"],
                    "pnl_currency": row["pnl_currency"],
                }
            )
        return pd.DataFrame(rows).set_index("symbol") if rows else pd.DataFrame()

    def by_position(self) -> pd.DataFrame:
        """Margin of each position by itself, from the margin tiers at the mark price.

        Returns
        -------
        DataFrame
            Index ``symbol``: wallet, currency, side, size, mark_price, notional (USD), initial_margin and
            maintenance_margin (in ``currency``), share_of_equity (initial margin as a fraction of the wallet's
            equity), margin_mode, max_fixed_leverage, unrealized_pnl (in ``pnl_currency``), pnl_currency. The largest
            share comes first. Margins are NaN where the exchange gives no tiers.

        Notes
        -----
        Each tier's rate applies to the part of the value inside that tier (`contracts.margin_requirement`). The sum
        exceeds the exchange's own figure where positions offset each other: see `usage`.
        """
        text = ["wallet", "currency", "side", "margin_mode", "pnl_currency"]
        frame = self._by_position.reindex(columns=_POSITION_COLUMNS)
        equity = self._usage.set_index("account")["equity"]
        frame["share_of_equity"] = _ratio(frame["initial_margin"], frame["wallet"].map(equity).astype("float64"))
        frame = frame.astype({name: "str" if name in text else "float64" for name in frame.columns})
        frame.index = frame.index.astype("str").rename("symbol")
        frame = frame.sort_values(["share_of_equity", "notional"], ascending=False)
        frame.attrs["units"] = {
            "size": "contracts",
            "mark_price": "quote currency",
            "notional": "USD",
            "initial_margin": "currency",
            "maintenance_margin": "currency",
            "share_of_equity": "fraction",
            "unrealized_pnl": "pnl_currency",
        }
        return frame

    def usage(self) -> pd.DataFrame:
        """Margin usage per wallet; wallets without money and positions are left out.

        Returns
        -------
        DataFrame
            One row per wallet: account, currency, equity, initial_margin, initial_margin_with_orders,
            maintenance_margin, available_margin (the exchange's own figures, in ``currency``), usage (initial margin
            over equity), maintenance_usage (maintenance margin over equity; the exchange liquidates at 1),
            effective_leverage (value of the positions over portfolio value), computed_initial_margin and
            computed_maintenance_margin (by tiers and with netting), initial_margin_difference and
            maintenance_margin_difference (the exchange's figure less ours).

        Notes
        -----
        Netting: of the cross-margined positions on one underlying only the larger side, long or short, needs margin;
        isolated positions are added in full.
        """
        return self._usage.copy()

    @cached_property
    def _usage(self) -> pd.DataFrame:
        held = self._by_position
        rows = []
        for name, wallet in self._wallet_figures().items():
            mine = held[held["wallet"] == name] if len(held) else held
            if name != FLEX and not len(mine) and not (wallet["equity"] or wallet["initial_margin"]):
                continue
            value = (
                float((mine["notional"] / (mine["mark_price"] if name != FLEX else 1.0)).sum()) if len(mine) else 0.0
            )
            initial, maintenance = (_netted(mine, column) for column in ("initial_margin", "maintenance_margin"))
            rows.append(
                {
                    "account": name,
                    **{key: wallet[key] for key in ["currency", *_FIGURES]},
                    "usage": _over(wallet["initial_margin"], wallet["equity"]),
                    "maintenance_usage": _over(wallet["maintenance_margin"], wallet["equity"]),
                    "effective_leverage": _over(value, wallet["portfolio_value"]),
                    "computed_initial_margin": initial,
                    "computed_maintenance_margin": maintenance,
                    "initial_margin_difference": wallet["initial_margin"] - initial,
                    "maintenance_margin_difference": wallet["maintenance_margin"] - maintenance,
                }
            )
        frame = pd.DataFrame(rows).astype({"account": "str", "currency": "str"})
        units = dict.fromkeys([*_FIGURES, *_COMPUTED, *_DIFFERENCES], "currency")
        frame.attrs["units"] = units | dict.fromkeys(_RATIOS, "fraction")
        return frame

    def notes(self) -> list[str]:
        """What a reader must know about the quality of the figures, one sentence each; empty when all is well."""
        notes = []
        ladders = self._ladders()
        without = [str(symbol) for symbol in self.positions.index if str(symbol) not in ladders]
        if without:
            notes.append(f"There are no margin tiers for {', '.join(without)}: their margin is n/a.")
        for row in self.usage().to_dict("records"):
            for name in ("initial_margin", "maintenance_margin"):
                difference = row[f"{name}_difference"]
                if abs(difference) > _NOTEWORTHY * max(abs(row[name]), abs(row[f"computed_{name}"])):
                    notes.append(
                        f"Wallet {row['account']}: the exchange's {name.replace('_', ' ')} is "
                        f"{amount(abs(difference), row['currency'])} {row['currency']} "
                        f"{'above' if difference > 0 else 'below'} the sum by tiers."
                    )
        return notes

    def _ladders(self) -> dict[str, list[MarginTier]]:
        """The tiers of each contract by the wanted schedule."""
        ladders = {}
        for symbol, tiers in self.tiers.groupby("symbol"):
            given = set(tiers["schedule"])
            schedule = self.schedule or preferred_schedule(given)
            if schedule in given:
                columns = ("threshold", "initial_margin", "maintenance_margin")
                own = tiers.loc[tiers["schedule"] == schedule, list(columns)]
                ladders[str(symbol)] = [MarginTier(*map(float, values)) for values in own.itertuples(index=False)]
        return ladders

    def _wallet_figures(self) -> dict[str, dict[str, Any]]:
        account = self.account
        figures: dict[str, dict[str, Any]] = {
            FLEX: {
                "currency": "USD",
                "equity": account.margin_equity,
                "initial_margin": account.initial_margin,
                "initial_margin_with_orders": account.initial_margin_with_orders,
                "maintenance_margin": account.maintenance_margin,
                "available_margin": account.available_margin,
                "portfolio_value": account.portfolio_value,
            }
        }
        for name, wallet in self.wallets.iterrows():
            figures[str(name)] = {
                "currency": wallet["currency"],
                "equity": wallet["portfolio_value"],
                "initial_margin": wallet["initial_margin"],
                "initial_margin_with_orders": math.nan,
                "maintenance_margin": wallet["maintenance_margin"],
                "available_margin": wallet["available_funds"],
                "portfolio_value": wallet["portfolio_value"],
            }
        return figures

    def _title(self) -> str:
        return f"{self.env.upper()} margin usage, as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC"

    def _tables(self) -> list[pd.DataFrame]:
        """Both tables as text for people."""
        usage, positions = self.usage(), self.by_position()
        by_wallet = pd.DataFrame(
            {
                label: [_in(row, column) for row in usage.to_dict("records")]
                for label, column in {
                    "Equity": "equity",
                    "Initial margin": "initial_margin",
                    "Maintenance margin": "maintenance_margin",
                    "Available": "available_margin",
                }.items()
            }
            | {"Usage": [percent(value) for value in usage["usage"]]},
            index=pd.Index([f"{row.account} ({row.currency})" for row in usage.itertuples()], dtype=object),
        )
        by_position = pd.DataFrame(
            {
                "Side": positions["side"].to_numpy(object),
                "Size": [f"{size:,.10g}" for size in positions["size"]],
                "Value, USD": [amount(value, "USD") for value in positions["notional"]],
                "Initial margin": [
                    f"{_in(row, 'initial_margin')} {row['currency']}" for row in positions.to_dict("records")
                ],
                "Share of equity": [percent(share) for share in positions["share_of_equity"]],
            },
            index=pd.Index(positions.index.to_numpy(object)),
        )
        return [by_wallet, by_position] if len(by_position) else [by_wallet]

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(table.to_string() for table in self._tables()), *self.notes()])

    def _repr_html_(self) -> str:
        tables = "".join(table.to_html(border=0) for table in self._tables())
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        return f"<p><b>{html.escape(self._title())}</b></p>{tables}{notes}"


def percent(value: float, *, decimals: int = 1) -> str:
    """A fraction as text: ``0.123`` is ``12.3 %``, a missing one ``n/a``."""
    return "n/a" if math.isnan(value) else f"{value * 100:,.{decimals}f} %"


def _pair(symbol: str) -> str:
    """Underlying of a contract from its symbol: ``XBTUSD`` of ``PF_XBTUSD`` and ``FF_XBTUSD_261225``."""
    return [*symbol.split("_"), symbol][1]


def _netted(positions: pd.DataFrame, column: str) -> float:
    """Margin of positions in one wallet; NaN if that of any position is not known."""
    if not len(positions):
        return 0.0
    if positions[column].isna().any():
        return math.nan
    isolated = positions["margin_mode"] == "isolated"
    crossed = positions[~isolated]
    underlying = pd.Series([_pair(str(symbol)) for symbol in crossed.index], index=crossed.index, dtype="str")
    sides = crossed.groupby([underlying, crossed["side"]])[column].sum()
    return float(sides.groupby(level=0).max().sum() + positions.loc[isolated, column].sum())


def _over(part: float, whole: float) -> float:
    """Part of the whole; not defined where there is nothing, or less."""
    return part / whole if whole > 0 else math.nan


def _ratio(part: pd.Series[float], whole: pd.Series[float]) -> pd.Series[float]:
    return part / whole.where(whole > 0)


def _in(row: Mapping[Any, Any], column: str) -> str:
    return amount(float(row[column]), str(row["currency"]))
