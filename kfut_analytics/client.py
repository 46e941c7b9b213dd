"""What a notebook calls: one object that joins a venue and the safety of the order path."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Literal, NoReturn

import pandas as pd

from . import settings, snapshots
from .account import Account, Balances
from .client_guards import GuardCalls
from .client_history import RESOLUTIONS, HistoryCalls, span_of
from .errors import (
    ArgumentError,
    ConfigurationError,
    DecodeError,
)
from .journal import Journal, in_memory
from .limits import Limits
from .rules import Rules
from .times import TimeLike
from .venue import Venue

_log = logging.getLogger("kfut_analytics.client")

Environment = Literal["paper", "live", "archive"]


class Client(HistoryCalls, GuardCalls):
    """An account at one venue, as pandas DataFrames, and its orders.

    Made by `connect`. Frames have fixed columns and dtypes, also when empty (``kfut.describe()`` lists them); their
    units are in ``df.attrs["units"]``, and ``df.attrs`` also has ``env``, ``symbol`` and ``as_of`` where they apply.
    All times are UTC. Every method may raise a `VenueError` that says what went wrong and whether asking again is
    safe. Usable from several threads.

    Parameters
    ----------
    venue
        Answers in canonical frames.
    env
        ``paper``, ``live`` or ``archive``.
    trading
        Whether orders may be sent.
    account_name
        Name shown in the repr.
    key
        What the API key may do, where the exchange told.
    limits
        The user's own limits for orders.
    open_journal
        Opens the journal of the account's orders, when it is first needed.
    archive, path, home
        Whether history is read from the archive first where there is one; its folder, and that of everything that is
        kept, where they are not the usual ones.
    scratch
        Where the archive of an account lies that does not outlive this process.
    on_close
        Called with the client when it is closed.
    """

    def __init__(
        self,
        venue: Venue,
        *,
        env: Environment,
        trading: bool,
        account_name: str,
        key: settings.KeyInfo | None = None,
        limits: Limits | None = None,
        open_journal: Callable[[], Journal] = in_memory,
        archive: bool = True,
        path: str | os.PathLike[str] | None = None,
        home: str | os.PathLike[str] | None = None,
        scratch: Callable[[], Path] | None = None,
        on_close: Callable[[Client], None] | None = None,
    ) -> None:
        self._venue = venue
        self.env = env
        self.trading = trading
        self.account_name = account_name
        self.key = key
        self.limits = limits or Limits()
        self._rules = Rules(venue)
        self._open_journal = open_journal
        self._on_close = on_close
        self._remember(archive, path, home, scratch)
        self._closed = False

    # ---- market data -------------------------------------------------------------------------------------------

    def instruments(self) -> pd.DataFrame:
        """Contracts and their rules, indexed by symbol."""
        return self._stamped(self._venue.instruments())

    def margin_tiers(self) -> pd.DataFrame:
        """Margin tiers of all contracts: symbol, schedule, threshold, unit, initial_margin, maintenance_margin."""
        return self._venue.margin_tiers()

    def account_margin_tiers(self) -> pd.DataFrame:
        """Margin tiers that the exchange gives as this account's own (schedule ``account``); else empty."""
        return self._venue.account_margin_tiers()

    def tickers(self, symbol: str | None = None) -> pd.DataFrame:
        """Quotes of all contracts, or of one, indexed by symbol; funding rates are absolute, per contract and hour.

        Parameters
        ----------
        symbol
            One contract; all by default.

        Returns
        -------
        DataFrame
            Table ``tickers``.

        Raises
        ------
        NotFoundError
            If there is no such contract; the error names those that are near.
        """
        if symbol is None:
            return self._stamped(self._venue.tickers())
        return self._stamped(self._for_symbol(symbol, self._venue.tickers))

    def indices(self) -> pd.DataFrame:
        """Real-time indices (``in_…``) and reference rates (``rr_…``)."""
        return self._venue.indices()

    def order_book(self, symbol: str) -> pd.DataFrame:
        """Order book of a contract: side (bid, ask), price, size, cumulative_size, best first per side.

        Parameters
        ----------
        symbol
            Contract.

        Returns
        -------
        DataFrame
            Table ``order_book``.

        Raises
        ------
        NotFoundError
            If there is no such contract; the error names those that are near.
        """
        return self._stamped(self._for_symbol(symbol, self._venue.order_book), symbol)

    def trades(
        self,
        symbol: str | Sequence[str],
        *,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Public trades of a contract (or several), oldest first; without ``start`` and ``end`` the newest hundred.

        ``side`` is the taker's.

        Parameters
        ----------
        symbol
            Contract, or several; several are fetched side by side, and their symbol becomes the first index level.
        start, end
            Time span, such as ``"-1h"``.
        exact
            Numbers as `Decimal`, just as the exchange wrote them.

        Returns
        -------
        DataFrame
            Table ``trades``.

        Raises
        ------
        NotFoundError
            If there is no such contract; the error names those that are near.
        FetchInterrupted
            If the kernel was interrupted; ``partial`` has what arrived.
        VenueError
            If the exchange fails; ``partial`` has what arrived.
        """
        span = span_of(start, end)
        return self._each_symbol(symbol, lambda one: self._venue.trades(one, *span, exact=exact))

    def analytics(
        self,
        symbol: str | Sequence[str],
        kind: str,
        interval: str = "1h",
        *,
        start: TimeLike = "-7d",
        end: TimeLike = "now",
    ) -> pd.DataFrame:
        """The exchange's analytics of a market (or several), indexed by time, oldest first.

        Parameters
        ----------
        symbol
            Contract, or several.
        kind
            ``open-interest``, ``future-basis``, ``cvd``, ``long-short-ratio``, ``liquidation-volume``, … The exchange
            may offer more than its specification lists.
        interval
            One of 1m 5m 15m 30m 1h 4h 12h 1d 1w.
        start, end
            Time span.

        Returns
        -------
        DataFrame
            One float column per series of the kind, in the exchange's words and units; open, high, low and close
            where it gives candles.
        """
        settings.one_of("interval", interval, RESOLUTIONS)
        first, last = span_of(start, end)
        assert first is not None
        assert last is not None
        return self._each_symbol(symbol, lambda one: self._venue.analytics(one, kind, interval, first, last))

    def instrument_status(self) -> pd.DataFrame:
        """Dislocation and extreme volatility of all contracts."""
        return self._venue.instrument_status()

    def fee_schedules(self) -> pd.DataFrame:
        """Fee schedules in percent, one row per schedule and volume tier; deprecated by the exchange.

        The account log has what was really charged.
        """
        return self._venue.fee_schedules()

    def notifications(self) -> pd.DataFrame:
        """The exchange's notices: maintenance, settlements, new features."""
        return self._venue.notifications()

    # ---- account -----------------------------------------------------------------------------------------------

    def account(self) -> Account:
        """The multi-collateral wallet's figures in USD, as one object."""
        return self._venue.account()

    def accounts(self) -> pd.DataFrame:
        """Balances: one row per wallet and currency."""
        return self._stamped(self._venue.accounts())

    def wallets(self) -> pd.DataFrame:
        """Single-collateral wallets of inverse contracts: requirements and the prices that trigger them."""
        return self._stamped(self._venue.wallets())

    def wallet_contracts(self) -> pd.DataFrame:
        """Contracts held in single-collateral wallets, as the wallets themselves list them."""
        return self._venue.wallet_contracts()

    def balances(self) -> Balances:
        """All wallets at one moment, as ``account``, ``accounts`` and ``wallets`` give them one by one."""
        return self._venue.balances()

    def positions(self, tickers: pd.DataFrame | None = None) -> pd.DataFrame:
        """Open positions, indexed by symbol, with mark price, notional and unrealised P&L.

        Marked at the quotes given, those of `tickers`, or at those of now.

        Parameters
        ----------
        tickers
            Quotes to mark them at, those of `tickers`; by default those of now.

        Returns
        -------
        DataFrame
            Table ``positions``.
        """
        return self._stamped(self._venue.positions(tickers))

    def open_orders(self) -> pd.DataFrame:
        """Open orders, indexed by order id."""
        return self._stamped(self._venue.open_orders())

    def leverage_preferences(self) -> pd.DataFrame:
        """Contracts with isolated margin and their fixed leverage; all others are cross."""
        return self._venue.leverage_preferences()

    def pnl_preferences(self) -> pd.DataFrame:
        """Contracts whose profits are paid in a chosen currency."""
        return self._venue.pnl_preferences()

    def unwind_queue(self) -> pd.DataFrame:
        """Place in the queue for unwinding, per position; one call costs 200 of the 500 tokens per 10 seconds."""
        return self._venue.unwind_queue()

    def snapshot(self, path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """Keep the margin figures of this moment, for `Margin.history`; called by a schedule, they become a history.

        Parameters
        ----------
        path
            The file to write to; by default one per account in the user's data folder (or that of ``KFUT_HOME``).

        Returns
        -------
        DataFrame
            Table ``margin_history``: what was written, one row per wallet.

        Raises
        ------
        ConfigurationError
            If the file cannot be written, or it is not known whose it should be.
        """
        taken = self._stamped(snapshots.snapshot_of(self._venue.balances(), self._venue.positions()))
        snapshots.append(path or self._snapshot_store, taken)
        return taken

    def snapshots(self, path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """What `snapshot` has kept, oldest first (table ``margin_history``).

        Parameters
        ----------
        path
            The file to read; by default the one that `snapshot` writes to.

        Returns
        -------
        DataFrame
            Table ``margin_history``.

        Raises
        ------
        ConfigurationError
            If the file cannot be read, or it is not known whose it should be.
        """
        return self._stamped(snapshots.read(path or self._snapshot_store))

    @cached_property
    def _snapshot_store(self) -> Path:
        try:
            return snapshots.store(self.env, self._venue.identity())
        except DecodeError as error:
            raise ConfigurationError(
                f"the exchange does not say which account this is: give a path for its snapshots ({error})"
            ) from error

    # ---- settings of the account ---------------------------------------------------------------------------------

    def set_leverage(self, symbol: str, max_leverage: float | None) -> None:
        """Isolate a contract with a fixed leverage; None makes it cross-margined again.

        Parameters
        ----------
        symbol
            Contract.
        max_leverage
            From 1 on; None for cross margin.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        ExchangeError
            If the exchange refuses, for instance because the position would be liquidated.
        """
        self._require_trading("change a leverage")
        if max_leverage is not None and (isinstance(max_leverage, bool) or not max_leverage >= 1):
            raise ArgumentError(
                f"max_leverage={max_leverage!r} is not a leverage: give a number from 1, or None for cross"
            )
        self._venue.set_leverage(symbol, max_leverage)

    def set_pnl_currency(self, symbol: str, currency: str) -> None:
        """Choose the currency that a contract's profits are paid in; losses are always in USD.

        Parameters
        ----------
        symbol
            Contract.
        currency
            Such as ``BTC``.

        Raises
        ------
        ReadOnlyError
            If the client was opened without ``trading=True``.
        """
        self._require_trading("change a P&L currency")
        self._venue.set_pnl_currency(symbol, currency)

    # ---- the object itself -------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Close the connections, and with the last client of a kept paper account the account.

        The paper accounts ``demo`` and ``empty`` live until the kernel ends.
        """
        self._closed = True
        self._leave()
        self._venue.close()
        if self._on_close is not None:
            self._on_close(self)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        mode = "trading" if self.trading else "read-only"
        key = f", key: general {self.key.general}, withdrawal {self.key.transfer}" if self.key else ""
        archive = self._archive_words()
        return f"<kfut_analytics client: {self.env.upper()}, account {self.account_name!r}, {mode}{key}{archive}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client is not pickled or copied: it holds an API key. Open a new one with kfut.connect()")
