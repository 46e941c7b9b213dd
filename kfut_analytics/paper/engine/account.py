"""A trader's account: wallets, positions, fills and the account log in which every change is written.

Nothing changes a balance or a position except the methods here, and each of them writes its rows. So the log,
replayed from the first row, gives the balances and positions. Amounts are rounded as they are booked (USD to 4
decimals, coins to 10): what the log says is what happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from kfut_analytics.contracts import apply_fill, fee, funding_payment
from kfut_analytics.paper.clock import HOUR
from kfut_analytics.paper.engine.orders import Change, Closed, Order, Record
from kfut_analytics.paper.engine.preferences import Preferences
from kfut_analytics.paper.market.instruments import Contract

MAKER_FEE = 0.0002
TAKER_FEE = 0.0005
KFEE_USD = 0.01
"""Value of one of the credits with which fees are paid as long as an account holds some."""
KFEE_WALLET, KFEE = "cash", "fee"
_DECIMALS = {"usd": 4, "usdt": 4, "usdc": 4, "eur": 4, "gbp": 4, "fee": 2}
_COIN_DECIMALS = 10
_CLOSED_KEPT = 1000
FUNDING_INFO = "funding rate change"

Liquidity = Literal["maker", "taker", "liquidation", "partialLiquidation", "assignor", "assignee"]


@dataclass(slots=True)
class Position:
    """An open position; ``size`` is signed, ``funding_from`` the time up to which funding is settled."""

    contract: Contract
    size: float
    entry_price: float
    fill_time: float
    funding_from: float


@dataclass(frozen=True, slots=True)
class Execution:
    """What buyer and seller of a trade have in common.

    Attributes
    ----------
    mark, rate
        Mark price and absolute funding rate of the moment (rate 0 for a dated contract).
    """

    uid: str
    size: float
    price: float
    time: float
    mark: float
    rate: float


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms one side of a trade is booked; rates are fractions of the value."""

    info: str
    liquidity: Liquidity
    fee_rate: float
    liquidation_fee_rate: float = 0.0


MAKER = Terms("futures trade", "maker", MAKER_FEE)
TAKER = Terms("futures trade", "taker", TAKER_FEE)
COUNTERPARTY = Terms("futures trade", "maker", 0.0)
"""The simulated participants, who pay no fees."""
SETTLEMENT = Terms("settlement", "taker", TAKER_FEE)
FREE_SETTLEMENT = Terms("settlement", "taker", 0.0)


@dataclass(frozen=True, slots=True)
class Booked:
    """What a change of a position did to the wallet: P&L, fee, funding and liquidation fee, and credits used."""

    pnl: float
    fee: float
    funding: float
    liquidation_fee: float
    credits: float


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution, from the account's side.

    Attributes
    ----------
    fill_id
        The log's ``execution``.
    order
        The order as it was before the execution.
    fee
        All that it cost, with a liquidation fee.
    position_size
        Signed size held after it.
    """

    fill_id: str
    order_id: str
    cli_ord_id: str | None
    symbol: str
    side: str
    size: float
    price: float
    time: float
    liquidity: Liquidity
    realized_pnl: float
    fee: float
    mark_price: float
    position_size: float
    order: Order
    sequence: int


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the account log, in the exchange's own names."""

    id: int
    date: float
    asset: str
    info: str
    booking_uid: str
    margin_account: str
    old_balance: float
    new_balance: float
    contract: str | None = None
    execution: str | None = None
    old_average_entry_price: float | None = None
    new_average_entry_price: float | None = None
    trade_price: float | None = None
    mark_price: float | None = None
    realized_pnl: float | None = None
    fee: float | None = None
    realized_funding: float | None = None
    funding_rate: float | None = None
    collateral: str | None = None
    conversion_spread_percentage: float | None = None
    liquidation_fee: float | None = None
    position_uid: str | None = None
    exchange_rate: float | None = None
    exchange_rate_from: str | None = None
    conversion_fee: float | None = None


@dataclass(slots=True)
class Account:
    """One account.

    Attributes
    ----------
    new_id
        Gives a fresh uuid.
    parent
        Name of the account that it is a sub-account of.
    trading_enabled
        Whether it may send orders; the account above it decides.
    balances
        Amounts by wallet and currency, currencies as the log spells them (``usd``, ``xbt``).
    client_ids
        Every client order id ever used, in order (the values mean nothing); an id is used once.
    journal
        What happened to its orders, oldest first; executions are in ``fills`` and ``log``.
    cancel_at
        When the dead man's switch withdraws all orders, ``None`` while it is not armed.
    revision
        Grows with every change of a balance or a position other than funding.
    """

    name: str
    uid: str
    opened: float
    new_id: Callable[[], str]
    parent: str | None = None
    trading_enabled: bool = True
    balances: dict[tuple[str, str], float] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    client_ids: dict[str, None] = field(default_factory=dict)
    closed: deque[Closed] = field(default_factory=lambda: deque(maxlen=_CLOSED_KEPT))
    fills: list[Fill] = field(default_factory=list)
    log: list[LogRow] = field(default_factory=list)
    journal: list[Record] = field(default_factory=list)
    preferences: Preferences = field(default_factory=Preferences)
    cancel_at: float | None = None
    revision: int = 0

    def transfer(
        self, now: float, wallet: str, currency: str, amount: float, info: str = "cross-exchange transfer"
    ) -> None:
        """Money from outside, or out again when negative."""
        self._change(wallet, currency, amount, date=now, info=info)

    def move(self, now: float, source: str, target: str, currency: str, amount: float) -> None:
        """Money from one wallet to another."""
        self._change(source, currency, -amount, date=now, info="transfer")
        self._change(target, currency, amount, date=now, info="transfer")

    def convert(
        self, now: float, wallet: str, currency: str, amount: float, price: float, spread: float
    ) -> tuple[float, float]:
        """Sell up to an amount of a currency for USD, because the wallet owes USD; gives what was sold and paid.

        Parameters
        ----------
        price
            USD per unit, after the spread (a fraction).
        """
        sold = _rounded(currency, min(amount, self.balances.get((wallet, currency), 0.0)))
        paid = _rounded("usd", sold * price)
        shared = {
            "date": now,
            "info": "covered liquidation",
            "conversion_spread_percentage": round(100 * spread, 6),
            "exchange_rate": price,
            "exchange_rate_from": currency,
            "conversion_fee": 0.0,
        }
        self._change(wallet, currency, -sold, **shared)
        self._change(wallet, "usd", paid, **shared)
        return sold, paid

    def record(
        self, change: Change, now: float, order: Order, reason: str = "", *, old: Order | None = None, error: str = ""
    ) -> None:
        """Note what happened to an order in the journal."""
        self.journal.append(Record(change, now, order.snapshot(), reason, old, error))

    def position_size(self, contract: Contract) -> float:
        """Signed size held, 0 when flat."""
        position = self.positions.get(contract.symbol)
        return position.size if position else 0.0

    def unrealized_funding(self, position: Position, now: float, rate: float) -> float:
        """Funding accrued since it was last settled, at the absolute rate of this hour."""
        return float(funding_payment(position.size, rate, (now - position.funding_from) / HOUR))

    def trade(self, order: Order, execution: Execution, terms: Terms, *, sequence: int) -> Booked:
        """Book an execution of one of its orders, and the fill.

        Parameters
        ----------
        sequence
            The market's number of the execution.
        """
        before = order.snapshot()
        booked = self.book(order.contract, order.sign * execution.size, execution, terms)
        order.filled = round(order.filled + execution.size, 10)
        order.updated = execution.time
        self.fills.append(
            Fill(
                fill_id=execution.uid,
                order_id=order.order_id,
                cli_ord_id=order.cli_ord_id,
                symbol=order.contract.symbol,
                side=order.side,
                size=execution.size,
                price=execution.price,
                time=execution.time,
                liquidity=terms.liquidity,
                realized_pnl=booked.pnl,
                fee=booked.fee + booked.liquidation_fee,
                mark_price=execution.mark,
                position_size=self.position_size(order.contract),
                order=before,
                sequence=sequence,
            )
        )
        return booked

    def settle(self, position: Position, execution: Execution, *, free: bool = False) -> Booked:
        """Close a dated position at its settlement price, at the taker fee unless it is free."""
        return self.book(position.contract, -position.size, execution, FREE_SETTLEMENT if free else SETTLEMENT)

    def realize_funding(self, position: Position, *, now: float, rate: float) -> None:
        """Pay or receive the funding accrued, as at the end of every hour."""
        contract = position.contract
        amount = _rounded(contract.currency, self.unrealized_funding(position, now, rate))
        position.funding_from = now
        self._change(
            contract.wallet,
            contract.currency,
            amount,
            date=now,
            info=FUNDING_INFO,
            contract=contract.symbol.lower(),
            fee=0.0,
            realized_funding=amount,
            funding_rate=rate,
        )

    def book(self, contract: Contract, change: float, execution: Execution, terms: Terms) -> Booked:
        """Book a change of a position: its leg, then the cash leg.

        A fee that is paid in credits leaves no trace in the cash leg, which is missing altogether where nothing else
        is booked (api-facts 7.2).
        """
        now, price = execution.time, execution.price
        position = self.positions.get(contract.symbol)
        old_size, old_entry = (position.size, position.entry_price) if position else (0.0, 0.0)
        after = apply_fill(old_size, old_entry, change, price, inverse=contract.inverse)
        new_size = round(after.size, max(contract.precision, 0)) + 0.0
        accrued = self.unrealized_funding(position, now, execution.rate) if position else 0.0
        pnl, charged, funding, penalty = (
            _rounded(contract.currency, amount)
            for amount in (
                after.realized_pnl,
                fee(change, price, terms.fee_rate, inverse=contract.inverse),
                accrued,
                fee(change, price, terms.liquidation_fee_rate, inverse=contract.inverse),
            )
        )
        if new_size == 0:
            self.positions.pop(contract.symbol, None)
        elif position is None:
            self.positions[contract.symbol] = Position(contract, new_size, after.entry_price, now, now)
        else:
            if old_size * new_size < 0:
                position.fill_time = now
            position.size, position.entry_price, position.funding_from = new_size, after.entry_price, now
        symbol = contract.symbol.lower()
        shared = {
            "date": now,
            "info": terms.info,
            "contract": symbol,
            "execution": execution.uid,
            "trade_price": price,
            "mark_price": execution.mark,
        }
        self._write(
            **shared,
            asset=symbol,
            margin_account=contract.wallet,
            old_balance=old_size,
            new_balance=new_size,
            old_average_entry_price=old_entry,
            new_average_entry_price=after.entry_price if new_size else 0.0,
        )
        in_credits = self._pay_in_credits(contract, charged, execution)
        paid = 0.0 if in_credits else charged
        if not in_credits or pnl or funding or penalty:
            self._change(
                contract.wallet,
                contract.currency,
                pnl - paid + funding - penalty,
                **shared,
                realized_pnl=pnl,
                fee=paid,
                realized_funding=funding,
                liquidation_fee=penalty if terms.liquidation_fee_rate else None,
            )
        return Booked(pnl, paid, funding, penalty, in_credits)

    def _pay_in_credits(self, contract: Contract, charged: float, execution: Execution) -> float:
        """Pay a fee with credits, if there are enough; gives how many that took."""
        value = charged * execution.price if contract.inverse else charged
        credits = round(value / KFEE_USD, 2)
        if charged <= 0 or self.balances.get((KFEE_WALLET, KFEE), 0.0) < credits:
            return 0.0
        self._change(KFEE_WALLET, KFEE, -credits, date=execution.time, info="kfee applied")
        return credits

    def _change(self, wallet: str, currency: str, amount: float, **row: object) -> None:
        old = self.balances.get((wallet, currency), 0.0)
        new = _rounded(currency, old + amount)
        self.balances[wallet, currency] = new
        self._write(asset=currency, margin_account=wallet, old_balance=old, new_balance=new, **row)

    def collect(self, wallet: str, currency: str, amount: float) -> None:
        """Money that is booked without a row: what the exchange itself earns, on whose side nobody looks at a log."""
        self.balances[wallet, currency] = _rounded(currency, self.balances.get((wallet, currency), 0.0) + amount)

    def _write(self, **row: object) -> None:
        if row["info"] != FUNDING_INFO:
            self.revision += 1
        self.log.append(LogRow(id=len(self.log) + 1, booking_uid=self.new_id(), **row))  # type: ignore[arg-type]


def _rounded(currency: str, amount: float) -> float:
    # Adding zero turns −0.0 into 0.0.
    return round(amount, _DECIMALS.get(currency, _COIN_DECIMALS)) + 0.0
