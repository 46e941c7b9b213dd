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
from kfut_analytics.paper.instruments import Contract
from kfut_analytics.paper.orders import Change, Closed, Order, Record
from kfut_analytics.paper.preferences import Preferences

MAKER_FEE = 0.0002
TAKER_FEE = 0.0005
_DECIMALS = {"usd": 4}
_COIN_DECIMALS = 10
_CLOSED_KEPT = 1000

Liquidity = Literal["maker", "taker"]


@dataclass(slots=True)
class Position:
    """An open position; ``size`` is signed, ``funding_from`` the time up to which funding is settled."""

    contract: Contract
    size: float
    entry_price: float
    fill_time: float
    funding_from: float


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution, from the account's side.

    Attributes
    ----------
    fill_id
        The log's ``execution``.
    order
        The order as it was before the execution.
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
        Every client order id ever used; an id is used once.
    journal
        What happened to its orders, oldest first; executions are in ``fills`` and ``log``.
    cancel_at
        When the dead man's switch withdraws all orders, ``None`` while it is not armed.
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
    client_ids: set[str] = field(default_factory=set)
    closed: deque[Closed] = field(default_factory=lambda: deque(maxlen=_CLOSED_KEPT))
    fills: list[Fill] = field(default_factory=list)
    log: list[LogRow] = field(default_factory=list)
    journal: list[Record] = field(default_factory=list)
    preferences: Preferences = field(default_factory=Preferences)
    cancel_at: float | None = None

    def transfer(
        self, now: float, wallet: str, currency: str, amount: float, info: str = "cross-exchange transfer"
    ) -> None:
        """Money from outside, or out again when negative."""
        self._change(wallet, currency, amount, date=now, info=info)

    def move(self, now: float, source: str, target: str, currency: str, amount: float) -> None:
        """Money from one wallet to another."""
        self._change(source, currency, -amount, date=now, info="transfer")
        self._change(target, currency, amount, date=now, info="transfer")

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

    def trade(
        self,
        order: Order,
        size: float,
        price: float,
        *,
        now: float,
        liquidity: Liquidity,
        mark: float,
        rate: float,
        sequence: int,
    ) -> Fill:
        """Book an execution: the position leg, then the cash leg, and the fill.

        Parameters
        ----------
        size
            Positive size of the execution; the order says which way.
        mark, rate
            Mark price and absolute funding rate of the moment (rate 0 for a dated contract).
        """
        charged = MAKER_FEE if liquidity == "maker" else TAKER_FEE
        execution, pnl, paid = self._book_trade(
            order.contract,
            order.sign * size,
            price,
            now=now,
            mark=mark,
            rate=rate,
            fee_rate=charged,
            info="futures trade",
        )
        fill = Fill(
            fill_id=execution,
            order_id=order.order_id,
            cli_ord_id=order.cli_ord_id,
            symbol=order.contract.symbol,
            side=order.side,
            size=size,
            price=price,
            time=now,
            liquidity=liquidity,
            realized_pnl=pnl,
            fee=paid,
            mark_price=mark,
            position_size=self.position_size(order.contract),
            order=order.snapshot(),
            sequence=sequence,
        )
        self.fills.append(fill)
        return fill

    def settle(self, position: Position, price: float, *, now: float) -> None:
        """Close a dated position at its settlement price, at the taker fee."""
        self._book_trade(
            position.contract,
            -position.size,
            price,
            now=now,
            mark=price,
            rate=0.0,
            fee_rate=TAKER_FEE,
            info="settlement",
        )

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
            info="funding rate change",
            contract=contract.symbol.lower(),
            fee=0.0,
            realized_funding=amount,
            funding_rate=rate,
        )

    def _book_trade(
        self,
        contract: Contract,
        change: float,
        price: float,
        *,
        now: float,
        mark: float,
        rate: float,
        fee_rate: float,
        info: str,
    ) -> tuple[str, float, float]:
        position = self.positions.get(contract.symbol)
        old_size, old_entry = (position.size, position.entry_price) if position else (0.0, 0.0)
        after = apply_fill(old_size, old_entry, change, price, inverse=contract.inverse)
        new_size, new_entry = round(after.size, max(contract.precision, 0)), round(after.entry_price, 10)
        funding = self.unrealized_funding(position, now, rate) if position else 0.0
        pnl, paid, funding = (
            _rounded(contract.currency, amount)
            for amount in (after.realized_pnl, fee(change, price, fee_rate, inverse=contract.inverse), funding)
        )
        if new_size == 0:
            self.positions.pop(contract.symbol)
        elif position is None:
            self.positions[contract.symbol] = Position(contract, new_size, new_entry, now, now)
        else:
            if old_size * new_size < 0:
                position.fill_time = now
            position.size, position.entry_price, position.funding_from = new_size, new_entry, now
        execution, symbol = self.new_id(), contract.symbol.lower()
        self._write(
            date=now,
            asset=symbol,
            info=info,
            margin_account=contract.wallet,
            old_balance=old_size,
            new_balance=new_size,
            contract=symbol,
            execution=execution,
            old_average_entry_price=old_entry,
            new_average_entry_price=new_entry,
            trade_price=price,
            mark_price=mark,
        )
        self._change(
            contract.wallet,
            contract.currency,
            pnl - paid + funding,
            date=now,
            info=info,
            contract=symbol,
            execution=execution,
            trade_price=price,
            mark_price=mark,
            realized_pnl=pnl,
            fee=paid,
            realized_funding=funding,
        )
        return execution, pnl, paid

    def _change(self, wallet: str, currency: str, amount: float, **row: object) -> None:
        old = self.balances.get((wallet, currency), 0.0)
        new = _rounded(currency, old + amount)
        self.balances[wallet, currency] = new
        self._write(asset=currency, margin_account=wallet, old_balance=old, new_balance=new, **row)

    def _write(self, **row: object) -> None:
        self.log.append(LogRow(id=len(self.log) + 1, booking_uid=self.new_id(), **row))  # type: ignore[arg-type]


def _rounded(currency: str, amount: float) -> float:
    # Adding zero turns −0.0 into 0.0.
    return round(amount, _DECIMALS.get(currency, _COIN_DECIMALS)) + 0.0
