"""The seam: what a client needs of a place to trade. Nothing above it knows JSON, URLs or header names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import pandas as pd

from .account import Account, Balances
from .orders import Cancel, CancelResult, Edit, EditResult, Order, OrderResult

Instruction = Order | Edit | Cancel
InstructionResult = OrderResult | EditResult | CancelResult


class VenueClock(Protocol):
    """What is known of a venue's clock."""

    @property
    def rate(self) -> float:
        """Seconds that pass there in one of this machine's."""
        ...

    @property
    def error(self) -> float:
        """Seconds by which `now` may be wrong."""
        ...

    @property
    def heard(self) -> pd.Timestamp | None:
        """The time that the last answer carried; None if nothing is certain: there was none, or the clock was set."""
        ...

    def now(self) -> pd.Timestamp:
        """The time there."""
        ...


class Venue(Protocol):
    """A place to trade, answering in canonical frames (`kfut_analytics.schema`).

    ``place``, ``edit``, ``cancel``, ``batch`` and ``cancel_all`` send at most once and never retry.
    They wait a bounded time for an answer. ``cancel_all_after`` may be repeated without harm, by who calls it.
    """

    def instruments(self) -> pd.DataFrame:
        """Contracts."""
        ...

    def margin_tiers(self) -> pd.DataFrame:
        """Every tier of every margin schedule."""
        ...

    def account_margin_tiers(self) -> pd.DataFrame:
        """Every tier of the account's own margin schedule; empty where the exchange gives none.

        ``attrs["minimum_sizes"]`` may hold the account's smallest sizes by contract.
        """
        ...

    def tickers(self, symbol: str | None = None) -> pd.DataFrame:
        """Quotes of all contracts, or of one."""
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
        *,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Candles of one contract, oldest first."""
        ...

    def trades(
        self, symbol: str, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Public trades of one contract, oldest first."""
        ...

    def funding_rates(
        self, symbol: str, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Historical funding rates of one perpetual, oldest first."""
        ...

    def analytics(self, symbol: str, kind: str, interval: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Analytics of one market, oldest first."""
        ...

    def instrument_status(self) -> pd.DataFrame:
        """Dislocation and extreme volatility."""
        ...

    def fee_schedules(self) -> pd.DataFrame:
        """Fee schedules."""
        ...

    def fee_volumes(self) -> Mapping[str, float]:
        """USD traded by the account in 30 days, by fee schedule."""
        ...

    def notifications(self) -> pd.DataFrame:
        """The exchange's notices."""
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

    def balances(self) -> Balances:
        """All wallets, from one answer."""
        ...

    def positions(self, tickers: pd.DataFrame | None = None) -> pd.DataFrame:
        """Open positions, marked at these quotes or at those of now."""
        ...

    def open_orders(self) -> pd.DataFrame:
        """Open orders."""
        ...

    def order_status(self, order_ids: Sequence[str], cli_ord_ids: Sequence[str]) -> pd.DataFrame:
        """Status of open and just closed orders."""
        ...

    def leverage_preferences(self) -> pd.DataFrame:
        """Contracts with isolated margin."""
        ...

    def pnl_preferences(self) -> pd.DataFrame:
        """Contracts with a chosen P&L currency."""
        ...

    def set_leverage(self, symbol: str, max_leverage: float | None) -> None:
        """Isolate a contract with a fixed leverage, or make it cross again."""
        ...

    def set_pnl_currency(self, symbol: str, currency: str) -> None:
        """Choose the currency that a contract's profits are paid in."""
        ...

    def unwind_queue(self) -> pd.DataFrame:
        """Place in the queue for unwinding."""
        ...

    def fills(self, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False) -> pd.DataFrame:
        """Fills, newest first."""
        ...

    def account_log(self, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False) -> pd.DataFrame:
        """Account log, oldest first."""
        ...

    def executions(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Own executions, oldest first."""
        ...

    def order_history(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Events of own orders, oldest first."""
        ...

    def trigger_history(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Events of own trigger orders, oldest first."""
        ...

    def position_history(
        self, symbol: str | None, start: pd.Timestamp | None, end: pd.Timestamp | None, *, exact: bool = False
    ) -> pd.DataFrame:
        """Changes of own positions, oldest first."""
        ...

    def history_pages(
        self, table: str, start: pd.Timestamp | None, end: pd.Timestamp | None, *, known: int = 0
    ) -> Iterator[pd.DataFrame]:
        """Frames of one of the tables above, oldest first, numbers as `Decimal`; not of fills."""
        ...

    def newest_entry(self) -> int:
        """Number of the newest entry of the account log, 0 where there is none."""
        ...

    def place(self, order: Order, before: pd.Timestamp | None = None) -> OrderResult:
        """Send an order, which the exchange takes before a time of its own clock or not at all."""
        ...

    def edit(self, edit: Edit, before: pd.Timestamp | None = None) -> EditResult:
        """Change an open order; likewise."""
        ...

    def cancel(self, order_id: str | None, cli_ord_id: str | None, before: pd.Timestamp | None = None) -> CancelResult:
        """Cancel one order; likewise."""
        ...

    def batch(self, instructions: Sequence[Instruction], before: pd.Timestamp | None = None) -> list[InstructionResult]:
        """Send orders, changes and cancellations with one request; the results in the same order."""
        ...

    def cancel_all(self, symbol: str | None) -> CancelResult:
        """Cancel all orders, or those of one contract."""
        ...

    def fee_of(self, order_id: str, symbol: str, since: pd.Timestamp) -> float:
        """What an order's fills have cost so far, in the contract's currency; NaN where it is not known at once."""
        ...

    def cancel_all_after(self, timeout: int | None) -> pd.Timestamp | None:
        """Let the exchange cancel all orders after so many seconds unless it is asked again; 0 ends that.

        None asks how it stands. That it changes nothing is not documented: only for who sets it right afterwards.

        Returns the exchange's time at which it will do so, None where it will not.
        """
        ...

    @property
    def clock(self) -> VenueClock:
        """The venue's clock."""
        ...

    def identity(self) -> str:
        """Tells the account from every other one of the same environment."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...
