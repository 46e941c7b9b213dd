"""What the wallets hold and require, as one object."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import pandas as pd

from .contracts import FLEX

_LABELS = {
    "balance_value": "Balance value",
    "portfolio_value": "Portfolio value",
    "collateral_value": "Collateral value",
    "unrealized_pnl": "Unrealised P&L",
    "unrealized_funding": "Unrealised funding",
    "total_unrealized": "Total unrealised",
    "total_unrealized_as_margin": "Total unrealised, as margin",
    "margin_equity": "Margin equity",
    "initial_margin": "Initial margin",
    "initial_margin_with_orders": "Initial margin with orders",
    "maintenance_margin": "Maintenance margin",
    "available_margin": "Available margin",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Figures of the multi-collateral (flex) wallet, all in USD; NaN where the exchange gives none.

    Attributes
    ----------
    env
        ``paper``, ``live`` or ``archive``.
    time
        The exchange's time of the figures, UTC; this machine's where the exchange gives none.
    balance_value
        Value of all balances.
    portfolio_value
        Balance value and unrealised P&L.
    collateral_value
        Value of all balances after their haircuts.
    unrealized_pnl, unrealized_funding, total_unrealized, total_unrealized_as_margin
        Open P&L, funding accrued and not yet paid, their sum, and that sum as it counts for margin.
    margin_equity
        Collateral value and total unrealised as margin.
    initial_margin, initial_margin_with_orders, maintenance_margin, available_margin
        Requirements, without and with open orders, and what is free.

    Notes
    -----
    Identities of the figures: api-facts 6.8.
    """

    env: str
    time: pd.Timestamp
    balance_value: float
    portfolio_value: float
    collateral_value: float
    unrealized_pnl: float
    unrealized_funding: float
    total_unrealized: float
    total_unrealized_as_margin: float
    margin_equity: float
    initial_margin: float
    initial_margin_with_orders: float
    maintenance_margin: float
    available_margin: float

    def figures(self) -> pd.Series[float]:
        """All figures by name, USD."""
        names = [f.name for f in fields(self) if f.name not in {"env", "time"}]
        return pd.Series({name: getattr(self, name) for name in names}, name="USD", dtype="float64")

    def _lines(self) -> list[tuple[str, str]]:
        return [(_LABELS[str(name)], "n/a" if pd.isna(v) else f"{v:,.2f}") for name, v in self.figures().items()]

    def _title(self) -> str:
        return f"{self.env.upper()} multi-collateral wallet, USD, as of {self.time:%Y-%m-%d %H:%M:%S} UTC"

    def __repr__(self) -> str:
        rows = "\n".join(f"  {label:<28}{value:>16}" for label, value in self._lines())
        return f"{self._title()}\n{rows}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(label)}</td>"
            f"<td style='text-align:right;font-variant-numeric:tabular-nums'>{value}</td></tr>"
            for label, value in self._lines()
        )
        return f"<table><caption style='text-align:left'>{html.escape(self._title())}</caption>{rows}</table>"


class Balances(NamedTuple):
    """All wallets at one moment: their figures come from one answer of the exchange and fit together.

    Attributes
    ----------
    account
        The multi-collateral wallet's figures.
    accounts, wallets
        The tables of these names: balances by wallet and currency, and figures of the single-collateral wallets.
    """

    account: Account
    accounts: pd.DataFrame
    wallets: pd.DataFrame

    def figures(self) -> dict[str, dict[str, float]]:
        """The exchange's own margin figures by wallet, each in the wallet's currency; NaN where it gives none."""
        account = self.account
        found = {
            FLEX: {
                "equity": account.margin_equity,
                "initial_margin": account.initial_margin,
                "initial_margin_with_orders": account.initial_margin_with_orders,
                "maintenance_margin": account.maintenance_margin,
                "available_margin": account.available_margin,
                "portfolio_value": account.portfolio_value,
            }
        }
        for name, wallet in self.wallets.iterrows():
            found[str(name)] = {
                "equity": float(wallet["portfolio_value"]),
                "initial_margin": float(wallet["initial_margin"]),
                "initial_margin_with_orders": math.nan,
                "maintenance_margin": float(wallet["maintenance_margin"]),
                "available_margin": float(wallet["available_funds"]),
                "portfolio_value": float(wallet["portfolio_value"]),
            }
        return found
