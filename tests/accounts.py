"""Accounts made up from the definitions, with exact numbers, that know the truth about themselves.

`Account` keeps the books as the exchange does: every change of a balance or a position is written as an entry of its
log, amounts are rounded as they are booked (USD to 4 decimals, coins to 10). Beside the log it adds up, from what it
was told and not from the log, what an accounting of it must find. Nothing here uses the package's own arithmetic.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from kfut_analytics import schema

Exact = Fraction
NONE = Exact(0)
TAKER = Exact(5, 10_000)
START = datetime(2026, 3, 27, 20, 0, tzinfo=UTC)

COLUMNS = {
    "id": "id", "time": "date", "info": "info", "account": "margin_account", "asset": "asset", "contract": "contract",
    "old_balance": "old_balance", "new_balance": "new_balance", "old_entry_price": "old_average_entry_price",
    "new_entry_price": "new_average_entry_price", "trade_price": "trade_price", "mark_price": "mark_price",
    "realized_pnl": "realized_pnl", "fee": "fee", "realized_funding": "realized_funding",
    "funding_rate": "funding_rate", "execution_id": "execution", "booking_uid": "booking_uid",
    "liquidation_fee": "liquidation_fee", "exchange_rate": "exchange_rate",
    "exchange_rate_from": "exchange_rate_from", "conversion_fee": "conversion_fee",
}  # fmt: skip
"""Columns of the account log's table and the fields of the exchange's rows."""

CSV = {
    "uid": "booking_uid", "dateTime": "date", "account": "margin_account", "type": "info", "symbol": "asset",
    "contract": "contract", "change": "change", "new balance": "new_balance",
    "new average entry price": "new_average_entry_price", "trade price": "trade_price", "mark price": "mark_price",
    "funding rate": "funding_rate", "realized pnl": "realized_pnl", "fee": "fee",
    "realized funding": "realized_funding", "collateral": "collateral", "conversion spread percentage": "none",
    "liquidation fee": "liquidation_fee", "position uid": "none", "exchange rate": "exchange_rate",
    "exchange rate from": "exchange_rate_from", "conversion fee": "conversion_fee",
}  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """A contract: size step, a usual price, and whether it is inverse."""

    symbol: str
    step: Fraction
    price: int
    inverse: bool = False

    @property
    def currency(self) -> str:
        return self.symbol.split("_")[1].removesuffix("usd") if self.inverse else "usd"

    @property
    def wallet(self) -> str:
        return f"fi_{self.currency}usd" if self.inverse else "flex"

    def pnl(self, size: Exact, entry: Exact, leave: Exact) -> Exact:
        return size / entry - size / leave if self.inverse else size * (leave - entry)

    def value(self, size: Exact, price: Exact) -> Exact:
        """In the currency of its P&L."""
        return abs(size) / price if self.inverse else abs(size) * price


LISTED = [
    Listed("pf_xbtusd", Fraction(1, 10_000), 60_000),
    Listed("pf_dogeusd", Fraction(1), 1),
    Listed("ff_ethusd_260626", Fraction(1, 1000), 3_000),
    Listed("pi_xbtusd", Fraction(1), 60_000, inverse=True),
    Listed("fi_ethusd_260626", Fraction(1), 3_000, inverse=True),
]
ENDINGS = {"futures trade": "trade", "futures liquidation": "liquidation", "futures assignor": "assignment",
           "futures assignee": "assignment", "settlement": "settlement"}  # fmt: skip


@dataclass
class Trip:
    """A position from opened to flat."""

    contract: str
    side: str
    opened: datetime
    closed: datetime | None = None
    ended: str = "open"
    largest: Exact = NONE
    fills: int = 0
    gross: Exact = NONE
    fee: Exact = NONE
    funding: Exact = NONE


@dataclass
class Position:
    size: Exact = NONE
    entry: Exact = NONE
    accrued: Exact = NONE
    lots: deque[list[Exact]] = field(default_factory=deque)
    """Sizes, signed, and prices, oldest first."""


Sums = dict[Any, dict[str, Exact]]


def _sums() -> Sums:
    return defaultdict(lambda: defaultdict(Exact))


class Account:
    """The books of one account.

    Attributes
    ----------
    rows
        The account log, in the exchange's own names, exact.
    by_contract, by_kind, by_side, by_wallet
        What was booked: by contract, by kind of entry and currency, by side of the position and currency, and by
        wallet and currency.
    fifo
        P&L by contract, had it been realised first in, first out.
    trips
        In the order in which they were opened.
    """

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.rows: list[dict[str, Any]] = []
        self.balances: dict[tuple[str, str], Exact] = defaultdict(Exact)
        self.positions: dict[str, Position] = defaultdict(Position)
        self.now = START
        self.by_contract, self.by_kind, self.by_side, self.by_wallet = _sums(), _sums(), _sums(), _sums()
        self.fifo: dict[str, Exact] = defaultdict(Exact)
        self.trips: list[Trip] = []
        self.trip: dict[str, Trip] = {}

    # What can happen -------------------------------------------------------------------------------------------------

    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def flow(self, info: str, wallet: str, currency: str, amount: Exact, **fields: Any) -> None:
        """Money that is no P&L comes or goes."""
        self._money(info, wallet, currency, _booked(currency, amount), None, **fields)

    def convert(self, sold: str, amount: Exact, bought: str, rate: Exact, percent: Exact) -> Exact:
        """One currency into another in the flex wallet, at a rate in USD, for a fee; returns what it cost in USD."""
        base, price = (bought, rate) if sold == "usd" else (sold, rate)
        gained = amount / price if sold == "usd" else amount * price
        amount, gained = _booked(sold, amount), _booked(bought, gained * (1 - percent / 100))
        stated = {"exchange_rate": rate, "exchange_rate_from": base, "conversion_fee": percent}
        self.flow("conversion", "flex", sold, -amount, **stated)
        self.flow("conversion", "flex", bought, gained, **stated)
        return amount - gained * price if sold == "usd" else amount * price - gained

    def accrue(self, listed: Listed, rate: Exact) -> None:
        """Funding is owed, and is booked at the end of the hour or with the next trade."""
        self.positions[listed.symbol].accrued -= self.positions[listed.symbol].size * rate

    def fund(self, listed: Listed, rate: Exact) -> None:
        """The end of an hour."""
        position = self.positions[listed.symbol]
        self.accrue(listed, rate)
        if position.size:
            paid, position.accrued = _booked(listed.currency, position.accrued), Exact(0)
            self._money(
                "funding rate change", listed.wallet, listed.currency, paid, listed, realized_funding=paid, fee=0,
                funding_rate=rate,
            )  # fmt: skip
            self._count(listed, [(self.trip[listed.symbol], Exact(1))], funding=paid)

    def trade(
        self,
        listed: Listed,
        size: Exact,
        price: Exact,
        *,
        info: str = "futures trade",
        fee_rate: Exact = TAKER,
        kfee: bool = False,
        liquidation_fee: Exact = NONE,
    ) -> None:
        """An execution of a signed size."""
        position = self.positions[listed.symbol]
        old, entry = position.size, position.entry
        closed = -size if old * size < 0 and abs(size) < abs(old) else old if old * size < 0 else Exact(0)
        gross = _booked(listed.currency, listed.pnl(closed, entry, price)) if closed else Exact(0)
        fee = Exact(0) if kfee else _booked(listed.currency, listed.value(size, price) * fee_rate)
        funding, position.accrued = _booked(listed.currency, position.accrued), Exact(0)
        extra = _booked(listed.currency, liquidation_fee)
        position.size = old + size
        position.entry = _entry(listed, old, entry, size, price)
        self._match(listed, position, size, price)
        trips = self._follow(listed, info, old, size)
        execution = self._uuid()
        common = {"execution": execution, "trade_price": price, "mark_price": price}
        self._write(
            info, listed.symbol, listed.wallet, old, position.size, listed, **common,
            old_average_entry_price=_shown(entry), new_average_entry_price=_shown(position.entry),
        )  # fmt: skip
        if not (kfee and gross == funding == 0):
            self._money(
                info, listed.wallet, listed.currency, gross - fee - extra + funding, listed, **common,
                realized_pnl=gross, fee=fee, realized_funding=funding, liquidation_fee=extra or None,
            )  # fmt: skip
            self._count(listed, trips, gross=gross, fee=fee + extra, funding=funding, trades=Exact(1))
        if kfee:
            self.flow("kfee applied", "flex", "fee", -listed.value(size, price) * fee_rate)

    def settle(self, listed: Listed, price: Exact) -> None:
        """Expiry."""
        if self.positions[listed.symbol].size:
            self.trade(listed, -self.positions[listed.symbol].size, price, info="settlement")

    # The books -------------------------------------------------------------------------------------------------------

    def _money(
        self, info: str, wallet: str, currency: str, change: Exact, listed: Listed | None, **fields: Any
    ) -> None:
        old = self.balances[wallet, currency]
        self.balances[wallet, currency] = old + change
        self.by_kind[info, currency.upper()]["change"] += change
        self.by_kind[info, currency.upper()]["entries"] += 1
        self.by_wallet[wallet, currency.upper()]["change"] += change
        self._write(info, currency, wallet, old, old + change, listed, **fields)

    def _write(
        self, info: str, asset: str, wallet: str, old: Exact, new: Exact, listed: Listed | None, **fields: Any
    ) -> None:
        row = {"id": len(self.rows) + 1, "date": self.now, "info": info, "booking_uid": self._uuid(), "asset": asset,
               "margin_account": wallet, "contract": listed and listed.symbol, "old_balance": old,
               "new_balance": new, "change": new - old}  # fmt: skip
        self.rows.append(row | {name: value for name, value in fields.items() if value is not None})

    def _count(
        self, listed: Listed, trips: list[tuple[Trip, Exact]], *, gross: Exact = NONE, fee: Exact = NONE,
        funding: Exact = NONE, trades: Exact = NONE,
    ) -> None:  # fmt: skip
        """Add what was booked to the sums, and to the trips by their shares; P&L and funding are the first one's."""
        currency = listed.currency.upper()
        booked = {"realized_pnl": gross, "fee": fee, "realized_funding": funding, "trades": trades}
        sums = [self.by_contract[listed.symbol.upper(), currency], self.by_wallet[listed.wallet, currency]]
        for name, amount in booked.items():
            for one in sums:
                one[name] += amount
        for trip, share in trips:
            side = self.by_side[trip.side, currency]
            trip.fee += fee * share
            side["fee"] += fee * share
            trip.gross, trip.funding = trip.gross + gross, trip.funding + funding
            side["realized_pnl"] += gross
            side["realized_funding"] += funding
            gross = funding = Exact(0)

    def _follow(self, listed: Listed, info: str, old: Exact, size: Exact) -> list[tuple[Trip, Exact]]:
        """The trips that an execution belongs to, and its share in each: it opens, grows, closes or turns one."""
        new, shares = old + size, []
        if old:
            trip = self.trip[listed.symbol]
            trip.fills += 1
            trip.largest = max(trip.largest, abs(new) if old * new > 0 else Exact(0))
            if old * new <= 0:
                trip.closed = self.now
                trip.ended = "reversal" if new and info == "futures trade" else ENDINGS[info]
            shares.append((trip, abs(old / size) if old * new < 0 else Exact(1)))
        if new and old * new <= 0:
            side = "long" if new > 0 else "short"
            trip = Trip(listed.symbol.upper(), side, self.now, largest=abs(new), fills=1)
            self.trip[listed.symbol] = trip
            self.trips.append(trip)
            shares.append((trip, abs(new / size)))
        return shares

    def _match(self, listed: Listed, position: Position, size: Exact, price: Exact) -> None:
        """First in, first out."""
        while size and position.lots and position.lots[0][0] * size < 0:
            lot = position.lots[0]
            part = -size if abs(size) < abs(lot[0]) else lot[0]
            self.fifo[listed.symbol.upper()] += listed.pnl(part, lot[1], price)
            lot[0] -= part
            size += part
            if not lot[0]:
                position.lots.popleft()
        if size:
            position.lots.append([size, price])

    def _uuid(self) -> str:
        return f"{self.random.getrandbits(128):032x}"

    # As the package gets it ------------------------------------------------------------------------------------------

    def frame(self, rows: list[dict[str, Any]] | None = None) -> pd.DataFrame:
        """The log, or some of its rows, as ``client.account_log()`` gives it."""
        rows = self.rows if rows is None else rows
        data = {name: [_plain(name, row.get(source)) for row in rows] for name, source in COLUMNS.items()}
        data["change"] = [new - old for new, old in zip(data["new_balance"], data["old_balance"], strict=True)]
        return schema.ACCOUNT_LOG.frame(data)

    def csv(self) -> str:
        """The log as the exchange exports it: newest first, without ids, executions and old balances."""
        lines = [",".join(CSV)]
        for row in reversed(self.rows):
            lines.append(",".join(_text(row.get(source)) for source in CSV.values()))
        return "\n".join(lines) + "\n"


def _entry(listed: Listed, old: Exact, entry: Exact, size: Exact, price: Exact) -> Exact:
    new = old + size
    if new == 0:
        return Exact(0)
    if old * new <= 0:
        return price
    if abs(new) < abs(old):
        return entry
    if listed.inverse:
        return new / (old / entry + size / price)
    return (old * entry + size * price) / new


def _booked(currency: str, amount: Exact) -> Exact:
    return Exact(round(amount, 4 if currency in ("usd", "eur", "fee") else 10))


def _shown(price: Exact) -> Exact:
    return Exact(round(price, 10))


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, str):
        return value.upper() if name in ("asset", "contract", "exchange_rate_from") else value
    return float(value) if isinstance(value, Exact) else value


def _text(value: Any) -> str:
    """A number as the export writes it, with a point at its end where it is whole; a time to the second."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, (Exact, int)):
        text = format(Decimal(Exact(value).numerator) / Decimal(Exact(value).denominator), "f")
        return text if "." in text else text + "."
    return str(value)


# Accounts at random --------------------------------------------------------------------------------------------------

_price = st.integers(-200, 200).map(lambda thousandths: Exact(1000 + thousandths, 1000))
_contract = st.sampled_from(LISTED)
_rate = st.integers(-25, 25)
STEPS = st.one_of(
    st.tuples(st.just("trade"), _contract, st.integers(-40, 40), _price, st.booleans()),
    st.tuples(st.just("trade"), _contract, st.integers(-40, 40), _price, st.booleans()),
    st.tuples(st.just("close"), _contract, st.integers(1, 4), _price),
    st.tuples(st.just("liquidate"), _contract, st.integers(1, 2), _price, st.sampled_from(list(ENDINGS)[1:4])),
    st.tuples(st.just("fund"), _contract, _rate),
    st.tuples(st.just("accrue"), _contract, _rate),
    st.tuples(st.just("settle"), _contract, _price),
    st.tuples(st.just("move"), st.integers(-9999, 9999)),
    st.tuples(st.just("transfer"), st.integers(-9999, 9999)),
    st.tuples(st.just("convert"), st.integers(1, 9999), _price, st.booleans()),
    st.tuples(st.just("interest"), st.integers(1, 999)),
    st.tuples(st.just("unknown"), st.integers(-999, 999)),
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 59, 3600, 86_400, 2_000_000])),
)
"""What happens in an account; sizes in hundreds of steps of the contract, prices relative to its usual one."""


def account(steps: list[tuple[Any, ...]], seed: int = 0) -> Account:
    """Let it all happen to a new account."""
    made = Account(seed)
    made.flow("cross-exchange transfer", "flex", "usd", Exact(100_000))
    for step in steps:
        happen(made, *step)
    return made


def happen(made: Account, what: str, *values: Any) -> None:
    """Let one thing happen."""
    match what, *values:
        case "trade", Listed() as listed, size, price, kfee:
            if size:
                made.trade(listed, size * 100 * listed.step, price * listed.price, kfee=kfee)
        case "close", Listed() as listed, parts, price:
            held = made.positions[listed.symbol].size
            if size := Exact(int(held / listed.step / parts)) * listed.step:
                made.trade(listed, -size, price * listed.price)
        case "liquidate", Listed() as listed, parts, price, info:
            held = made.positions[listed.symbol].size
            if size := Exact(int(held / listed.step / parts)) * listed.step:
                extra = Exact(0) if listed.inverse else abs(size) * listed.price / 200
                made.trade(listed, -size, price * listed.price, info=info, liquidation_fee=extra)
        case "fund" | "accrue", Listed() as listed, rate:
            absolute = Exact(rate, 10_000) * (Exact(1, listed.price) if listed.inverse else listed.price)
            (made.fund if what == "fund" else made.accrue)(listed, absolute)
        case "settle", Listed() as listed, price:
            made.settle(listed, price * listed.price)
        case "move", cents:
            made.flow("transfer", "flex", "usd", Exact(-cents, 100))
            made.flow("transfer", "cash", "usd", Exact(cents, 100))
        case "transfer", cents:
            made.flow("cross-exchange transfer", "fi_xbtusd", "xbt", Exact(cents, 10**6))
        case "convert", amount, price, buys:
            sold, bought = ("usd", "xbt") if buys else ("xbt", "usd")
            made.convert(sold, Exact(amount, 1 if buys else 60_000), bought, price * 60_000, Exact(1, 20))
        case "interest", cents:
            made.flow("interest payment", "flex", "usd", Exact(-cents, 100))
        case "unknown", cents:
            made.flow("lunar dividend", "flex", "eur", Exact(cents, 100))
        case "wait", seconds:
            made.wait(seconds)
