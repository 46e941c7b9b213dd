"""Realised P&L, fees, funding and cash flows from the account log.

The exchange books every change of every balance as an entry of the account log, so each figure here is a sum of
entries and reconciles with the balances. Amounts of different currencies are never added up. How the log is read,
positions followed and lots matched is in `kfut_analytics.accounting`. Sources: api-facts 6 and 7.
"""

from __future__ import annotations

import html
from functools import cached_property

import pandas as pd

from .accounting import checks, flows, notes, reconciliation, tables, trips
from .accounting import lots as matching
from .accounting.amounts import amount as amount
from .accounting.bridge import Amounts, Rates, equity_bridge
from .accounting.conversions import conversions
from .accounting.excursions import Candles
from .accounting.ledger import KINDS as KINDS
from .accounting.ledger import NON_TRADING as NON_TRADING
from .accounting.ledger import TRADING as TRADING
from .accounting.ledger import Cash, Ledger, cash_of
from .accounting.ledger import classify as classify
from .accounting.log_fills import are_fills, log_of_fills
from .accounting.track import Booked, Money, Track, booked_of, money_of, track_of
from .errors import ArgumentError


def pnl(log: pd.DataFrame, *, fee_rates: tuple[float, float] | None = None) -> PnL:
    """Account for an account log: realised P&L, fees, funding and cash flows.

    Parameters
    ----------
    log
        The ``account_log`` table (see ``kfut.describe("account_log")``) of one account, rows in any order, from
        ``client.account_log()`` or ``kfut.read_account_log_csv(path)``. For want of a log, the frame of
        ``client.executions()`` or ``client.fills()``: the figures are then estimates as far as `PnL.estimates` says.
    fee_rates
        Maker and taker fee as fractions, for fills, which carry no fees; by default those of the public schedule's
        first tier.

    Returns
    -------
    PnL
        Its tables are computed when they are asked for.

    Raises
    ------
    ArgumentError
        If columns are missing, logs of several accounts were joined, or ``fee_rates`` are given for a log.
    """
    if isinstance(log, pd.DataFrame) and are_fills(log):
        made_up = log_of_fills(log, fee_rates)
        return PnL(made_up.log, made_up.estimates)
    if fee_rates is not None:
        raise ArgumentError("fee_rates are for fills: an account log has the fees that were charged")
    return PnL(log)


class PnL:
    """What an account log says about profit and loss; made by `pnl`.

    Attributes
    ----------
    log
        The account log, sorted and without repeated entries.
    estimates
        By figure, in which respect it is an estimate; empty for an account log.

    Notes
    -----
    ``net = realized_pnl - fee + realized_funding`` throughout. ``fee`` is a cost when positive and includes
    liquidation fees; ``realized_pnl`` is gross; ``realized_funding`` is negative when paid.
    """

    def __init__(self, log: pd.DataFrame, estimates: dict[str, str] | None = None) -> None:
        self._ledger = Ledger(log)
        self.log = self._ledger.log
        self.estimates = estimates or {}

    @property
    def env(self) -> str | None:
        """Environment the log comes from, where its ``attrs["env"]`` says so."""
        return self.log.attrs.get("env")

    def _stamped(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A frame with the environment it comes from, which charts show."""
        if self.env is not None:
            frame.attrs["env"] = self.env
        return frame

    @cached_property
    def _cash(self) -> Cash:
        return cash_of(self._ledger)

    @cached_property
    def _trading(self) -> Cash:
        return self._cash.where(self._cash.trading)

    @cached_property
    def _track(self) -> Track:
        return track_of(self._ledger, self._cash)

    @cached_property
    def _money(self) -> Money:
        return money_of(self._track, self._ledger, self._trading)

    @cached_property
    def _booked(self) -> Booked:
        return booked_of(self._track, self._money)

    # ---- sums ------------------------------------------------------------------------------------------------------

    def by(self, *keys: tables.Key, tz: str = "UTC") -> pd.DataFrame:
        """P&L added up by anything, and always by currency.

        Parameters
        ----------
        *keys
            Of ``contract``, ``account`` (the wallet), ``day``, ``month``, ``side`` and ``kind``. ``side`` is that of
            the position, ``long`` or ``short``; a reversal's P&L is of the position it closed, its fee of both by
            size. ``kind`` is a key of `KINDS`.
        tz
            Time zone in which days and months begin.

        Returns
        -------
        DataFrame
            The keys, currency, realized_pnl, fee, realized_funding, net, liquidation_fee (part of ``fee``), trades
            (cash legs of executions), sorted by the keys. Amounts in ``currency``.

        Raises
        ------
        ArgumentError
            If a key or the time zone is none.
        """
        return tables.by(self._ledger, self._trading, lambda: self._lines, keys, tz)

    @cached_property
    def _lines(self) -> tables.Lines:
        return tables.sided(self._ledger, self._track, self._money, self._trading)

    def by_contract(self) -> pd.DataFrame:
        """P&L per contract and currency, as `by`."""
        return self.by("contract")

    def by_kind(self) -> pd.DataFrame:
        """Everything that changed the balances of money, per class, kind of entry and currency.

        Returns
        -------
        DataFrame
            kind, info, currency, entries, change (of the balances), realized_pnl, fee, realized_funding, net. Amounts
            in ``currency``.
        """
        return tables.by_kind(self._ledger, self._cash)

    def daily(self, tz: str = "UTC") -> pd.DataFrame:
        """P&L per day and currency; days without trading entries are absent.

        Parameters
        ----------
        tz
            Time zone in which days begin.

        Returns
        -------
        DataFrame
            Index ``date`` (the day's first moment, repeated when there are several currencies): currency,
            realized_pnl, fee, realized_funding, net, cumulative (running sum of ``net``). Amounts in ``currency``.
        """
        frame = self.by("day", tz=tz)[["day", "currency", *tables.FIGURES]].rename(columns={"day": "date"})
        frame["cumulative"] = frame.groupby("currency")["net"].cumsum()
        frame.attrs["units"] = dict.fromkeys([*tables.FIGURES, "cumulative"], "currency")
        return frame.set_index("date")

    def cumulative(self) -> pd.DataFrame:
        """Running sums of P&L, entry by entry.

        Returns
        -------
        DataFrame
            Index ``time``: currency, realized_pnl, fee, realized_funding, net, each the sum of its currency so far.
        """
        return tables.cumulative(self._ledger, self._trading)

    def summary(self) -> pd.DataFrame:
        """Everything that changed the balances, per currency over all wallets.

        Returns
        -------
        DataFrame
            Index ``currency``: realized_pnl, fee, realized_funding, net; the classes that are not P&L (interest,
            conversion, transfer, kfee, tax, other); rounding and unexplained as in `reconcile`; change (of the
            balances, the sum of the rest); liquidation_fee (part of ``fee``) and trades. Amounts in the row's
            currency.
        """
        balances = self._balances
        columns = [*tables.FIGURES, *NON_TRADING, "rounding", "unexplained"]
        frame = balances.groupby("currency")[columns].sum(min_count=1)
        frame["change"] = (balances["closing"] - balances["opening"]).groupby(balances["currency"]).sum(min_count=1)
        extra = self.by().set_index("currency")[["liquidation_fee", "trades"]]
        frame = frame.join(extra).fillna({"liquidation_fee": 0.0, "trades": 0}).astype({"trades": "int64"})
        frame.attrs["units"] = dict.fromkeys([*columns, "change", "liquidation_fee"], "currency")
        return frame

    # ---- proofs ----------------------------------------------------------------------------------------------------

    def reconcile(self) -> pd.DataFrame:
        """The way from opening to closing balance of each wallet and currency.

        Returns
        -------
        DataFrame
            One row per account and currency: opening, realized_pnl, fee, realized_funding, net, interest,
            conversion, transfer, kfee, tax, other, rounding, unexplained, closing, breaks. ``opening + net`` and all
            that follows up to ``unexplained`` is ``closing``. ``rounding`` is what single entries' figures, as the
            exchange rounds them, leave of the change of the balance. ``unexplained`` is zero on complete data; where
            it is not, `gaps` names the entries. ``breaks`` counts those that do not start at the balance where the
            one before ended. Amounts in ``currency``.
        """
        return self._balances.copy()

    @cached_property
    def _balances(self) -> pd.DataFrame:
        return reconciliation.reconcile(self._ledger, self._cash, self._breaks, self._odd)

    @cached_property
    def _breaks(self) -> reconciliation.Deviations:
        return reconciliation.chain_breaks(self._ledger)

    @cached_property
    def _odd(self) -> reconciliation.Deviations:
        return reconciliation.odd_bookings(self._ledger, self._cash)

    def gaps(self) -> pd.DataFrame:
        """Where entries are missing, or do not agree with themselves.

        Returns
        -------
        DataFrame
            One row per finding, by entry number: gap, time, id (the entry at which it shows), after (the one before
            it), missing (how many numbers between the two are not in the log), account, asset, contract, amount (in
            ``asset``), info. ``gap`` is

            - ``balance``: the balance of money does not start where the entry before ended. These amounts and those
              of ``booking`` add up to what `reconcile` leaves unexplained.
            - ``booking``: the entry's P&L, fee and funding do not give its change.
            - ``position``: the same as ``balance`` of a position.
            - ``cash leg``, ``position leg``: the execution's other leg, which is missing.
            - ``numbers``: entry numbers are skipped, whether or not a balance shows it.
        """
        return self._gaps.copy()

    @cached_property
    def _gaps(self) -> pd.DataFrame:
        return reconciliation.gaps(self._ledger, self._cash, self._track, self._breaks, self._odd)

    def check_positions(self, position_history: pd.DataFrame) -> pd.DataFrame:
        """Compare the log with ``client.position_history()``, which tells P&L, fee and funding on its own.

        Only the time that both cover is compared. Events are found by execution id; funding, and everything in a log
        without such ids, by contract and minute.

        Parameters
        ----------
        position_history
            The frame of ``client.position_history()``.

        Returns
        -------
        DataFrame
            One row per event: time, contract, execution_id, currency, realized_pnl, fee, realized_funding as the log
            has them, the same as ``history_…``, and status: ``equal`` within the log's rounding, ``differs``, ``only
            in the log``, ``not in the log``.
        """
        return checks.check_positions(self._ledger, self._cash, position_history)

    def check_fills(self, fills: pd.DataFrame) -> pd.DataFrame:
        """Compare the log with ``client.fills()`` or ``client.executions()``; settlements are no fills.

        Parameters
        ----------
        fills
            The frame of either.

        Returns
        -------
        DataFrame
            One row per execution: time, contract, execution_id, currency, size (signed), price, and whatever of
            realized_pnl, realized_funding and fee the fills have, as the log has them; the same as ``fills_…``; and
            status as in `check_positions`. What the fills do not tell counts as equal.
        """
        return checks.check_fills(self._ledger, self._cash, fills)

    def check_lots(self, method: matching.Method = "average") -> pd.DataFrame:
        """Compare what was booked with P&L computed from the prices, lot by lot.

        Parameters
        ----------
        method
            As in `lots`.

        Returns
        -------
        DataFrame
            One row per contract and currency: open_size (signed), computed, deferred (by how much the two ways value
            what is still open differently; zero once flat, and by average entry), booked, and difference, the rest:
            the exchange's rounding, and what is missing. Amounts in ``currency``.
        """
        matching.check_method(method)
        return matching.check_lots(self._track, self._booked, self._money, method)

    # ---- positions -------------------------------------------------------------------------------------------------

    def round_trips(self, candles: Candles | None = None, *, margin: trips.MarginRates | None = None) -> pd.DataFrame:
        """Every position from opened to flat; a reversal ends one and begins the next.

        Parameters
        ----------
        candles
            Mark or trade candles for MAE and MFE: ``client.candles([...])`` of several contracts, a dictionary of
            frames by contract, or the frame of the only contract there is.
        margin
            Initial margin for the return on margin: a fraction, a dictionary of them by contract, or
            ``client.margin_tiers()``.

        Returns
        -------
        DataFrame
            One row per round trip, by time of opening: contract, account, currency, side, opened (missing for
            positions that were there before the log), closed (missing for those still open), duration, max_size,
            size (signed, what is still open), entry_price and exit_price (averages of all that was opened and
            closed; of an open position the exchange's entry price), gross, fee, funding, net, margin (initial, at
            the largest), return_on_margin (``net / margin``), mae and mfe (lowest and highest gross P&L while it was
            open, never overstated), fills, and ended: ``open``, ``reversal``, ``gap`` for one whose end is missing
            in the log, or a class of executions (trade, liquidation, assignment, unwind, settlement, transfer).

        Notes
        -----
        The sums of gross, fee, funding and net are those of `by_contract`, apart from entries without contract.
        """
        return self._stamped(trips.round_trips(self._ledger, self._track, self._money, self._booked, candles, margin))

    def lots(self, method: matching.Method = "average") -> pd.DataFrame:
        """What was closed, against what it had been opened at.

        Parameters
        ----------
        method
            ``average``: against the average entry, which is how the exchange books; ``fifo``: against what was opened
            first. Over a round trip both realise the same.

        Returns
        -------
        DataFrame
            One row per size closed against a size opened: contract, account, currency, side, size, opened, closed,
            entry_price, exit_price, realized_pnl (gross; by average entry what the exchange booked), fee (of closing,
            and the share of opening), net. Lots still open have no ``closed``.

        Raises
        ------
        ArgumentError
            If there is no such method.
        """
        matching.check_method(method)
        return matching.lots(self._ledger, self._track, self._booked, method)

    def bridge(
        self,
        currency: str = "USD",
        *,
        start_equity: float | None = None,
        end_equity: float | None = None,
        start_unrealized: Amounts = 0.0,
        end_unrealized: Amounts = 0.0,
        rates: Rates | None = None,
    ) -> pd.DataFrame:
        """From equity before the first entry to equity after the last one, by cause.

        Parameters
        ----------
        currency
            In which everything is told; other currencies are left out unless ``rates`` has them.
        start_equity, end_equity
            As known from elsewhere; by default the log's balances and the unrealised P&L.
        start_unrealized, end_unrealized
            Unrealised P&L in ``currency``, altogether or by contract.
        rates
            Prices of other currencies in ``currency``: one at the end, or a pair at start and end.

        Returns
        -------
        DataFrame
            item, contract, amount: start equity; price P&L (realised) per contract; fees; funding; interest,
            conversion, transfer, kfee, tax, other; rounding; revaluation of other currencies held from the start;
            change of unrealised P&L; unexplained; end equity. The rows between the two equities add up to their
            difference; what happened in other currencies is valued at the end.
        """
        equity, unrealized = (start_equity, end_equity), (start_unrealized, end_unrealized)
        table = equity_bridge(self._balances, self.by_contract(), currency.upper(), equity, unrealized, rates)
        return self._stamped(table)

    # ---- entries that are no P&L -----------------------------------------------------------------------------------

    def transfers(self) -> pd.DataFrame:
        """Entries of deposits, withdrawals and transfers, those between own wallets among them.

        Returns
        -------
        DataFrame
            Index ``id``: time, info, account, currency, amount (positive came in), in ``currency``.
        """
        frame = flows.entries(self._ledger, self._cash, "transfer")
        return frame[["time", "info", "account", "currency", "amount"]]

    def cash_flows(self, tz: str = "UTC") -> pd.DataFrame:
        """External flows per day: transfers between own wallets cancel out.

        Parameters
        ----------
        tz
            Time zone of the days.

        Returns
        -------
        DataFrame
            Index ``date`` (the day's first moment in ``tz``): currency, amount (positive came in), in ``currency``.
        """
        return flows.cash_flows(self._ledger, self._cash, tz)

    def conversions(self) -> pd.DataFrame:
        """Conversions of one currency into another.

        Returns
        -------
        DataFrame
            One row per pair of entries: time, account, sold_currency, sold, bought_currency, bought, rate (bought per
            sold), exchange_rate (as the exchange states it, in USD), spread_percentage, fee_percentage, cost and
            cost_currency. ``cost`` is what the exchange of money itself lost: at the stated rate where there is one,
            else by the stated percentages, else missing. An entry whose other half is missing stands alone.
        """
        return conversions(self._ledger, self._cash)

    def other(self) -> pd.DataFrame:
        """Entries whose kind is not known; ``counted_as`` is trading where they book P&L of a contract, else other.

        Returns
        -------
        DataFrame
            Index ``id``: time, info, account, currency, contract, amount in ``currency``, counted_as.
        """
        return flows.entries(self._ledger, self._cash, "other")

    # ---- for people ------------------------------------------------------------------------------------------------

    def notes(self) -> list[str]:
        """What a reader must know about the quality of the figures, one sentence each; empty when all is well."""
        kfee_paid = reconciliation.lone_positions(self._ledger, self._track, missing=False)
        return [
            *notes.estimate_notes(self.estimates),
            *notes.entry_notes(self._ledger.repeated, self.other(), len(kfee_paid)),
            *notes.gap_notes(self._balances, self._gaps),
        ]

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
