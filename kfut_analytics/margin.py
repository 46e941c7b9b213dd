"""An account's margin: usage now, liquidation, stress, what an order would change, funding ahead, history, exposure.

Linear contracts draw on the multi-collateral wallet (``flex``, USD), inverse contracts on a wallet of their own coin
(``fi_xbtusd``). The account as numbers is in `kfut_analytics.risk.portfolio`. Sources: api-facts 6.4 and 6.7 to 6.9;
Kraken support articles 15579128794772 (schedules), 4844463246100 (netting of perpetual and dated positions) and
360022835651 (liquidation).
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from .account import Account
from .contracts import FLEX as FLEX
from .errors import ArgumentError, ConfigurationError
from .orders import Order
from .price_history import Given
from .risk import exposure, funding, history, liquidation, picture, stress, usage, what_if, words
from .risk.picture import Picture
from .risk.prices import index_candles
from .risk.what_if import WhatIf
from .risk.words import percent as percent
from .risk_tables import MARGIN_HISTORY
from .times import TimeLike, iso, not_before, parse_time, step_of

if TYPE_CHECKING:
    from .client import Client


def margin(client: Client, *, schedule: str | None = None) -> Margin:
    """Take a picture of the account's margin.

    Parameters
    ----------
    client
        The client to ask, now; the figures do not change afterwards. All figures of the wallets come from one answer.
        `Margin.what_if`, `Margin.history` and the figures made from candles ask again when they are called.
    schedule
        Margin schedule such as ``"professional"`` or ``"retail"``; by default the account's own (``"account"``), and
        where the exchange does not give that, retail where there is one, else professional.

    Returns
    -------
    Margin

    Raises
    ------
    ArgumentError
        If no contract has that schedule.
    """
    return Margin(picture.take(client, schedule), client)


@dataclass(frozen=True, repr=False, eq=False)
class Margin:
    """An account's margin at one moment; made by `margin`.

    Attributes
    ----------
    picture
        The frames the figures come from.
    client
        Who is asked for prices and history.
    """

    picture: Picture
    client: Client | None = None

    @property
    def env(self) -> str:
        """``paper``, ``live`` or ``archive``."""
        return self.picture.env

    @property
    def account_name(self) -> str:
        """Name of the account."""
        return self.picture.account_name

    @property
    def as_of(self) -> pd.Timestamp:
        """The exchange's time of the figures, UTC."""
        return self.picture.as_of

    @property
    def account(self) -> Account:
        """The multi-collateral wallet's figures, USD."""
        return self.picture.balances.account

    @property
    def positions(self) -> pd.DataFrame:
        """The table ``positions``."""
        return self.picture.positions

    # ---- now ---------------------------------------------------------------------------------------------------

    def by_position(self) -> pd.DataFrame:
        """Margin of each position by itself, from the margin tiers at the mark price.

        Returns
        -------
        DataFrame
            Table ``margin_positions``, indexed by symbol; the largest share of equity comes first. Margins are NaN
            where the exchange gives no tiers.

        Notes
        -----
        Each tier's rate applies to the part of the value inside that tier (`contracts.margin_requirement`). The sum
        exceeds the exchange's own figure where positions offset each other: see `usage`.
        """
        return self._stamped(self._by_position.copy())

    @cached_property
    def _by_position(self) -> pd.DataFrame:
        return usage.by_position(self.picture)

    def usage(self) -> pd.DataFrame:
        """Margin usage per wallet; wallets without money and positions are left out.

        Returns
        -------
        DataFrame
            Table ``margin_usage``, one row per wallet: the exchange's own figures, the same computed from positions,
            balances, tiers and open orders, and the differences.

        Notes
        -----
        Netting: of the cross-margined contracts on one underlying only the larger side, long or short, needs margin;
        isolated positions are added in full. With orders, every contract counts once as if all its buys and once as
        if all its sells were filled; reduce-only and trigger orders do not count.
        """
        return self._stamped(self._usage.copy())

    @cached_property
    def _usage(self) -> pd.DataFrame:
        return usage.by_wallet(self.picture)

    # ---- the edge ----------------------------------------------------------------------------------------------

    def liquidation(self) -> pd.DataFrame:
        """Estimates of where each position is liquidated, and how far that is.

        Returns
        -------
        DataFrame
            Table ``liquidation``, indexed by symbol, nearest first: the price at which this market alone would
            liquidate, and bankrupt, what the position is liquidated with; the same when everything on its underlying
            moves together, and when the whole market moves by the same fraction, coins held as collateral included.
            NaN where no price does. Beside them the exchange's own trigger levels of single-collateral wallets.

        Notes
        -----
        Positions and balances are taken as they are: funding to come is left out, and no order is filled on the way.
        Cross-margined positions of a wallet stand together (``pool`` is the wallet), an isolated one stands on its
        value at entry over its leverage. See ``attrs["estimate"]``.
        """
        return self._stamped(liquidation.liquidation(self.picture.portfolio, self.picture.balances.wallets))

    def liquidation_bounds(self) -> pd.DataFrame:
        """Between which prices each pool of positions is safe, when one underlying moves or the whole market.

        Returns
        -------
        DataFrame
            Table ``liquidation_bounds``: one row per pool and underlying, and one for the whole market. NaN where
            there is no bound.
        """
        return self._stamped(liquidation.liquidation_bounds(self.picture.portfolio, self.picture.indices))

    # ---- what would be -----------------------------------------------------------------------------------------

    def stress(self, shocks: stress.Shocks | None = None, *, wallet: str | None = None) -> pd.DataFrame:
        """What price shocks would do to P&L, equity and margin usage, and who would be liquidated first.

        Parameters
        ----------
        shocks
            Fractions, negative for a fall: ``[-0.2, -0.1, 0.1]`` moves everything together. Or by what moves:
            ``{"XBT": [-0.2, 0.2]}``, and with two entries a two-way table: ``{"XBT": [-0.2, 0.2], "collateral":
            [-0.3, 0]}``. Targets are ``"market"`` (all contracts and coins), ``"collateral"`` (coins among the
            balances), an underlying (its contracts and its coin) or one contract; where several fit, the narrowest
            counts, and ``"collateral"`` decides on all coins. A ladder of the market by default.
        wallet
            Only this wallet, in its currency; by default all together, in USD.

        Returns
        -------
        DataFrame
            Table ``stress``, one row per scenario; the index holds the shocks, one level per target. Of a two-way
            table ``frame["equity"].unstack()`` is the square.

        Raises
        ------
        ArgumentError
            If a target is nothing in this account, or a shock no fraction above -1.

        Notes
        -----
        Prices jump and nobody trades or is liquidated on the way; ``first_liquidated`` tells which position would
        have been, and ``liquidated_at`` how far on a straight way to the shock.
        """
        return self._stamped(stress.stress(self.picture.portfolio, shocks, wallet=wallet))

    def what_if(self, orders: Order | Sequence[Order], *, filled: bool = False) -> WhatIf:
        """The account before and after an order, or several one after the other; nothing is sent.

        Parameters
        ----------
        orders
            Made with ``kfut.Order``.
        filled
            Take what the book would not fill at once as filled at the order's own price; otherwise it rests.

        Returns
        -------
        WhatIf
            With ``usage()``, ``positions()`` (liquidation estimates among them) and ``orders()``.

        Raises
        ------
        ArgumentError
            If something else than orders is given.
        OrderRefused
            If an order breaks a rule of its contract.
        NotFoundError
            If there is no such contract.

        Notes
        -----
        The book is asked for now, prices are those of the picture. Fees are those of the lowest volume tier, paid in
        the contract's currency.
        """
        client = self._asked("what_if")
        return what_if.what_if(self.picture, orders, client.instruments(), client.order_book, filled=filled)

    def funding_forecast(self, hours: float = 24) -> pd.DataFrame:
        """Funding that each position is expected to pay or receive in the hours to come.

        Parameters
        ----------
        hours
            How far ahead.

        Returns
        -------
        DataFrame
            Table ``funding_forecast``, the dearest first; amounts are negative where the position pays. The rest of
            this hour counts at its rate, everything after it at the rate predicted for the next one.

        Raises
        ------
        ArgumentError
            If ``hours`` is no time ahead.
        """
        return self._stamped(funding.funding_forecast(self.picture, hours))

    # ---- through time ------------------------------------------------------------------------------------------

    def history(
        self,
        start: TimeLike = "-30d",
        end: TimeLike = "now",
        resolution: str = "1h",
        *,
        prices: Given | None = None,
        snapshots: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Margin usage through time.

        Parameters
        ----------
        start, end
            Time span.
        resolution
            One of 1m 5m 15m 30m 1h 4h 12h 1d.
        prices
            Prices of currencies (in USD) and contracts that the exchange has no candles of, or that are to be used
            instead, as `kfut_analytics.equity` takes them.
        snapshots
            What was kept at the time, as ``client.snapshots()`` gives it, which is the default.

        Returns
        -------
        DataFrame
            Table ``margin_history``, indexed by time: one row per moment and wallet, rebuilt from the account log and
            mark-price candles (``source`` is ``rebuilt``), and the snapshots between (``snapshot``, with the
            exchange's own figures). What a reader must know of it is in ``attrs["notes"]``.

        Raises
        ------
        ArgumentError
            If the span or the resolution makes no sense, or there is no price of something that was held.
        VenueError
            If log or candles cannot be read.

        Notes
        -----
        Margin tiers, haircuts and isolated leverage are those of now. Open orders of the past are not rebuilt.
        """
        client = self._asked("history")
        first, last = parse_time(start, name="start", now=self.as_of), parse_time(end, name="end", now=self.as_of)
        if first > last:
            raise ArgumentError(f"start={start!r} is later than end={end!r}: exchange them")
        last = min(last, self.as_of)
        doubts = []
        if snapshots is None:
            try:
                snapshots = client.snapshots()
            except ConfigurationError as error:
                snapshots, doubts = MARGIN_HISTORY.frame({}), [f"Snapshots are left out: {error}."]
        with not_before(self.as_of):
            frame, notes = history.history(client, self.picture, first, last, resolution, prices)
        kept = snapshots[(snapshots.index >= first) & (snapshots.index <= last)]
        if len(kept):
            frame = pd.concat([frame, kept[frame.columns]]).sort_index(kind="stable")
        frame.attrs["notes"] = list(dict.fromkeys([*doubts, *notes]))
        return self._stamped(frame)

    # ---- exposure ----------------------------------------------------------------------------------------------

    def exposure(self, by: exposure.By = "underlying") -> pd.DataFrame:
        """Long, short, gross and net value of the positions, and the coins held.

        Parameters
        ----------
        by
            ``"underlying"``, ``"kind"`` of contract, or ``"currency"`` of the P&L.

        Returns
        -------
        DataFrame
            Table ``exposure``, the largest gross value first; USD.

        Raises
        ------
        ArgumentError
            If there is no such grouping.
        """
        return self._stamped(exposure.exposure(self.picture.portfolio, by))

    def concentration(self) -> pd.DataFrame:
        """How concentrated the gross value is, by each grouping: table ``concentration``."""
        return self._stamped(exposure.concentration(self.picture.portfolio))

    def correlations(self, window: TimeLike = "-30d", resolution: str = "1h") -> pd.DataFrame:
        """Correlations of the index prices' returns, of all underlyings in the account.

        Parameters
        ----------
        window
            Where the candles begin; they end now.
        resolution
            Of the candles.
        """
        names = list(exposure.sensitivities(self.picture.portfolio).index)
        return self._stamped(self._index_prices(names, window, resolution).pct_change().corr())

    def value_at_risk(
        self,
        window: TimeLike = "-30d",
        resolution: str = "1h",
        *,
        horizon: str = "1d",
        confidence: Sequence[float] = (0.95, 0.99),
        collateral: bool = True,
    ) -> pd.DataFrame:
        """What the account may lose by its correlations: volatility, value at risk and expected shortfall.

        Parameters
        ----------
        window
            Where the candles of index prices begin; they end now.
        resolution
            Of the candles.
        horizon
            Over which the loss is measured, such as ``"1d"`` or ``"8h"``: a multiple of the resolution.
        confidence
            Levels.
        collateral
            Whether coins held count as well.

        Returns
        -------
        DataFrame
            Table ``value_at_risk``, USD; window and assumptions are in ``attrs``.

        Raises
        ------
        ArgumentError
            If the horizon is no multiple of the resolution, or a level is not between 0.5 and 1.

        Notes
        -----
        Positions stay as they are and every contract moves as its index price does. ``volatility`` scales with the
        square root of time; ``historical_var`` uses the window's own returns over the horizon, which overlap.
        """
        amounts = exposure.sensitivities(self.picture.portfolio, collateral=collateral)
        steps = _steps(horizon, resolution)
        prices = self._index_prices(list(amounts.index), window, resolution)
        unknown = [str(name) for name in amounts.index if name not in prices]
        frame = exposure.value_at_risk(amounts.drop(unknown), prices, steps, confidence)
        frame.attrs |= {
            "window": "" if prices.empty else f"{prices.index[0]:{_MINUTE}} to {prices.index[-1]:{_MINUTE}} UTC",
            "resolution": resolution,
            "horizon": horizon,
            "assumption": "Positions as they are now; every contract moves as its index price; the past is a guide.",
            "left_out": unknown,
        }
        return self._stamped(frame)

    def _index_prices(self, names: list[str], window: TimeLike, resolution: str) -> pd.DataFrame:
        """Closing index prices by underlying, one row per candle."""
        step_of(resolution)
        start = parse_time(window, name="window", now=self.as_of)
        client = self._asked("figures from candles")
        with not_before(self.as_of):
            candles = index_candles(client, self.picture, names, resolution, start, self.as_of)
        return pd.DataFrame({name: frame["close"] for name, frame in candles.items()}).dropna(how="all")

    def _asked(self, what: str) -> Client:
        if self.client is None:
            raise ArgumentError(f"{what} asks the exchange, and there is no client here: use kfut.margin(client)")
        return self.client

    def _stamped(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with its environment and time, which charts and reports show."""
        frame.attrs |= {"env": self.env, "as_of": iso(self.as_of)}
        return frame

    # ---- for people --------------------------------------------------------------------------------------------

    def notes(self) -> list[str]:
        """What a reader must know about the quality of the figures, one sentence each; empty when all is well."""
        return words.notes_on(self.picture, self._usage)

    def _title(self) -> str:
        return f"{self.env.upper()} margin usage, as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC"

    def _tables(self) -> list[pd.DataFrame]:
        return words.tables_of(self._usage, self._by_position, self.liquidation())

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(table.to_string() for table in self._tables()), *self.notes()])

    def _repr_html_(self) -> str:
        tables = "".join(table.to_html(border=0) for table in self._tables())
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        return f"<p><b>{html.escape(self._title())}</b></p>{tables}{notes}"


_MINUTE = "%Y-%m-%d %H:%M"


def _steps(horizon: str, resolution: str) -> int:
    """A horizon as a number of candles."""
    step = step_of(resolution)
    whole = pd.Timedelta(str(horizon).replace("d", "D")) if re.fullmatch(r"0*[1-9]\d*[mhd]", str(horizon)) else None
    if whole is None or whole % step:
        raise ArgumentError(
            f"horizon={horizon!r} is no multiple of the resolution {resolution!r}: give one such as '1d' or '8h'"
        )
    return whole // step
