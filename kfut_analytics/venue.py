"""The seam: what a client needs of a place to trade. Nothing above it knows JSON, URLs or header names."""

from __future__ import annotations

from typing import Protocol

import pandas as pd

from .account import Account
from .orders import CancelResult, Order, OrderResult


class Venue(Protocol):
    """A place to trade, answering in canonical frames (`kfut_analytics.schema`).

    ``place``, ``cancel`` and ``cancel_all`` send at most once and never retry.
    """

    def instruments(self) -> pd.DataFrame:
        """Contracts."""
        ...

    def margin_tiers(self) -> pd.DataFrame:
        """Every tier of every margin schedule."""
        ...

    def tickers(self) -> pd.DataFrame:
        """Quotes of all contracts."""
        ...

    def indices(self) -> pd.DataFrame:
        """Index values."""
        ...

    def order_book(self, symbol: str) -> pd.DataFrame:
        """Order book of one contract."""
        ...

    def candles(
        self,
        symbol: str,
        resolution: str,
        tick_type: str,
        start: pd.Timestamp | None,
        end: pd.Timestamp | None,
    ) -> pd.DataFrame:
        """Candles of one contract."""
        ...

    def accounts(self) -> pd.DataFrame:
        """Balances, one row per wallet and currency."""
        ...

    def wallets(self) -> pd.DataFrame:
        """Figures of the single-collateral wallets."""
        ...

    def wallet_contracts(self) -> pd.DataFrame:
        """Contracts held in single-collateral wallets."""
        ...

    def account(self) -> Account:
        """Figures of the multi-collateral wallet."""
        ...

    def positions(self) -> pd.DataFrame:
        """Open positions."""
        ...

    def open_orders(self) -> pd.DataFrame:
        """Open orders."""
        ...

    def fills(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> pd.DataFrame:
        """Fills, newest first."""
        ...

    def account_log(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> pd.DataFrame:
        """Account log, oldest first."""
        ...

    def place(self, order: Order) -> OrderResult:
        """Send an order."""
        ...

    def cancel(self, order_id: str | None, cli_ord_id: str | None) -> CancelResult:
        """Cancel one order."""
        ...

    def cancel_all(self, symbol: str | None) -> CancelResult:
        """Cancel all orders, or those of one contract."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...
