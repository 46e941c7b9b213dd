"""The demo account: what a seeded trader did in the last 90 days, by orders sent to this very engine.

The trader works a desk per contract. A desk opens a position in one to three clips, mostly with the trend of the
last day, sometimes protects it with a stop, takes profit in parts and now and then turns around. In the last days
the desks are closed and a handful of positions is built that are still open, with orders around them.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Literal

from kfut_analytics.contracts import round_to_step, to_decimal
from kfut_analytics.paper.clock import DAY, HOUR, Clock, WallClock
from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.book import Side
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.orders import OrderRequest
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.market.protocol import Market

HISTORY_DAYS = 90
EMPTY_BALANCE_USD = 10_000.0
# The desks close this long before the end, then the positions of today are built.
_FINALE = 5 * DAY
_LEAST_LIFE = 8 * DAY

# (day, wallet, currency, amount)
_TRANSFERS = (
    (0, "flex", "usd", 25_000.0),
    (0, "flex", "xbt", 0.25),
    (0, "fi_xbtusd", "xbt", 0.4),
    (0, "fi_ethusd", "eth", 5.0),
    (38, "flex", "usd", 5_000.0),
    (69, "flex", "usd", -2_500.0),
)
# The desks, by contract prefix: typical value of a position in USD.
_DESKS: dict[str, float] = {
    "PF_XBTUSD": 18_000,
    "PF_ETHUSD": 12_000,
    "PF_SOLUSD": 9_000,
    "PF_XRPUSD": 6_000,
    "PF_DOGEUSD": 4_000,
    "PF_LINKUSD": 5_000,
    "FF_XBTUSD": 15_000,
    "FF_ETHUSD": 8_000,
    "PI_XBTUSD": 9_000,
    "PI_ETHUSD": 4_000,
    "FI_XBTUSD": 7_000,
}
# Positions that are open today: contract prefix, side, value in USD, days ago.
_FINAL_POSITIONS: tuple[tuple[str, Side, float, float], ...] = (
    ("PF_XBTUSD", "buy", 55_000, 4.3),
    ("PF_LINKUSD", "buy", 62_000, 3.7),
    ("PF_SOLUSD", "sell", 48_000, 3.2),
    ("FF_ETHUSD", "buy", 20_000, 2.6),
    ("PI_XBTUSD", "sell", 11_000, 2.1),
    ("FI_XBTUSD", "buy", 6_000, 1.4),
)
# Orders that are open today: contract prefix, kind, side, distance from the mark, value in USD.
_FINAL_ORDERS: tuple[tuple[str, Literal["lmt", "stp", "take_profit"], Side, float, float], ...] = (
    ("PF_XBTUSD", "lmt", "buy", -0.035, 9_000),
    ("PF_XBTUSD", "stp", "sell", -0.070, 55_000),
    ("PF_SOLUSD", "take_profit", "buy", -0.080, 24_000),
    ("PF_ETHUSD", "lmt", "buy", -0.045, 6_000),
    ("PI_XBTUSD", "lmt", "sell", 0.040, 4_000),
)


def open_demo(seed: int, clock: Clock | None = None) -> Exchange:
    """An exchange with the demo account and its history."""
    now = (clock or WallClock()).now()
    # The story ends with the last day, so that it is the same for everybody until the next one begins.
    end = math.floor(now / DAY) * DAY
    exchange = Exchange(seed=seed, clock=clock, history=now - end + HISTORY_DAYS * DAY)
    Trader(exchange, exchange.open_account("demo"), end).run()
    exchange.advance_to(exchange.opened)
    return exchange


def open_empty(seed: int, clock: Clock | None = None, market: Market | None = None) -> Exchange:
    """An exchange with a fresh account."""
    exchange = Exchange(seed=seed, clock=clock, market=market)
    exchange.open_account("empty").transfer(exchange.now, "flex", "usd", EMPTY_BALANCE_USD)
    return exchange


@dataclass(slots=True)
class _Desk:
    """What a desk trades; of dated contracts the one that is listed when it begins a campaign."""

    prefix: str
    value: float
    contract: Contract


class Trader:
    """The trader behind the demo account."""

    def __init__(self, exchange: Exchange, account: Account, end: float) -> None:
        self._exchange = exchange
        self._account = account
        self._random = random.Random(exchange.seed + 1)
        self._begin = exchange.now
        self._end = end
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._ties = itertools.count()

    def run(self) -> None:
        """Act from the beginning of the history to the last full hour."""
        for day, wallet, currency, amount in _TRANSFERS:
            self._at(self._begin + day * DAY, partial(self._transfer, wallet, currency, amount))
        for prefix, typical in _DESKS.items():
            desk = _Desk(prefix, typical, self._contract(prefix, self._begin))
            self._at(self._begin + self._random.uniform(0.1, 12) * DAY, partial(self._open, desk))
        self._at(self._end - _FINALE, self._close_desks)
        for prefix, side, value, days in _FINAL_POSITIONS:
            when = self._end - days * DAY
            self._build(self._contract(prefix, when), side, value, when)
        self._at(self._end - HOUR / 2, self._place_final_orders)
        while self._agenda:
            when, _, act = heapq.heappop(self._agenda)
            self._exchange.advance_to(when)
            act()
        self._exchange.advance_to(self._end)

    def _at(self, when: float, act: Callable[[], None]) -> None:
        """Put an act on the agenda; what would come after the end is left out."""
        if when < self._end:
            heapq.heappush(self._agenda, (when, next(self._ties), act))

    def _transfer(self, wallet: str, currency: str, amount: float) -> None:
        self._account.transfer(self._exchange.now, wallet, currency, amount)

    def _contract(self, prefix: str, when: float) -> Contract:
        """The perpetual of a name, or the dated contract that expires first but not within the next days."""
        listed = [c for symbol, c in self._exchange.market.listing(when).items() if symbol.startswith(prefix)]
        return min(
            (c for c in listed if c.opening <= when and (c.expiry or math.inf) > when + _LEAST_LIFE),
            key=lambda contract: contract.expiry or math.inf,
        )

    # Campaigns ----------------------------------------------------------------------------------------------------

    def _open(self, desk: _Desk) -> None:
        """Begin a campaign: choose a side, enter in clips, perhaps protect it, plan the exit."""
        if self._finale():
            return
        rng, now, market = self._random, self._exchange.now, self._exchange.market
        desk.contract = self._contract(desk.prefix, now)
        rising = market.index(desk.contract.asset, now) > market.index(desk.contract.asset, now - DAY)
        side: Side = "buy" if rising == (rng.random() < 0.6) else "sell"
        self._enter(desk, side, desk.value * rng.uniform(0.5, 1.4))

    def _enter(self, desk: _Desk, side: Side, value: float) -> None:
        rng = self._random
        end = self._build(desk.contract, side, value, self._exchange.now)
        if rng.random() < 0.35:
            distance = rng.uniform(0.03, 0.06) * (-1 if side == "buy" else 1)
            self._at(end, partial(self._protect, desk.contract, distance))
        leave = end + rng.lognormvariate(0.5, 0.8) * DAY
        parts = rng.choice((1, 1, 2, 3))
        for part in range(parts):
            fraction = 1 / (parts - part)
            final = part == parts - 1
            self._at(leave, partial(self._leave, desk, fraction, final))
            leave += rng.uniform(2, 20) * HOUR

    def _build(self, contract: Contract, side: Side, value: float, when: float) -> float:
        """Enter a position in one to three clips; gives the time after the last one."""
        clips = self._random.choice((1, 1, 2, 3))
        for _ in range(clips):
            self._at(when, partial(self._clip, contract, side, value / clips))
            when += self._random.uniform(0.4, 3) * HOUR
        return when

    def _leave(self, desk: _Desk, fraction: float, last: bool) -> None:
        """Reduce the position by a fraction; after the last part begin anew, at once (a reversal) or later."""
        if self._finale():
            return
        rng, held = self._random, self._account.position_size(desk.contract)
        side: Side = "sell" if held > 0 else "buy"
        if last and held and rng.random() < 0.25:
            self._cancel(desk.contract)
            turned = self._size(desk.contract, desk.value * rng.uniform(0.4, 0.9)) + to_decimal(abs(held))
            self._trade(desk.contract, side, turned)
            self._at(self._exchange.now + rng.uniform(0.3, 3) * DAY, partial(self._leave, desk, 1.0, True))
            return
        if held:
            part = round_to_step(abs(held) * fraction, desk.contract.step, "up")
            self._trade(desk.contract, side, min(part, to_decimal(abs(held))), reduce_only=True)
        if last:
            self._at(self._exchange.now + 3 * HOUR, partial(self._cancel, desk.contract))
            self._at(self._exchange.now + rng.lognormvariate(2.7, 0.5) * DAY, partial(self._open, desk))

    def _finale(self) -> bool:
        return self._exchange.now >= self._end - _FINALE

    def _close_desks(self) -> None:
        self._exchange.cancel_all(self._account)
        for position in list(self._account.positions.values()):
            side: Side = "sell" if position.size > 0 else "buy"
            self._send(position.contract, side, to_decimal(abs(position.size)), "mkt", reduce_only=True)

    # Orders -------------------------------------------------------------------------------------------------------

    def _clip(self, contract: Contract, side: Side, value: float) -> None:
        self._trade(contract, side, self._size(contract, value))

    def _trade(self, contract: Contract, side: Side, size: Decimal, *, reduce_only: bool = False) -> None:
        """Trade a size: patiently in the book first, or at once."""
        if self._random.random() < 0.45:
            self._send(contract, side, size, "mkt", reduce_only=reduce_only)
            return
        best = self._exchange.book(contract).best("sell" if side == "buy" else "buy")
        name = f"desk-{contract.symbol[3:6].lower()}-{next(self._ties):05d}"
        self._send(contract, side, size, "post", limit=best, reduce_only=reduce_only, name=name)
        patience = self._random.uniform(0.2, 1.5) * HOUR
        self._at(self._exchange.now + patience, partial(self._chase, name, reduce_only=reduce_only))

    def _chase(self, name: str, *, reduce_only: bool) -> None:
        """What is left of a patient order is traded at the market."""
        order = self._exchange.find(self._account, cli_ord_id=name)
        if order is not None:
            self._exchange.cancel(self._account, order_id=order.order_id)
            self._send(order.contract, order.side, to_decimal(order.remaining), "mkt", reduce_only=reduce_only)

    def _protect(self, contract: Contract, distance: float) -> None:
        held = self._account.position_size(contract)
        if held and (held > 0) == (distance < 0):
            side: Side = "sell" if held > 0 else "buy"
            self._send(
                contract, side, to_decimal(abs(held)), "stp", stop=self._near(contract, distance), reduce_only=True
            )

    def _cancel(self, contract: Contract) -> None:
        self._exchange.cancel_all(self._account, contract.symbol)

    def _place_final_orders(self) -> None:
        for prefix, kind, side, distance, value in _FINAL_ORDERS:
            contract = self._contract(prefix, self._exchange.now)
            price, size = self._near(contract, distance), self._size(contract, value)
            if kind == "lmt":
                self._send(contract, side, size, kind, limit=price, name=f"ladder-{next(self._ties):05d}")
            else:
                self._send(contract, side, size, kind, stop=price, reduce_only=True)

    def _send(
        self,
        contract: Contract,
        side: Side,
        size: Decimal,
        order_type: str,
        *,
        limit: float | None = None,
        stop: float | None = None,
        reduce_only: bool = False,
        name: str | None = None,
    ) -> None:
        request = OrderRequest(
            symbol=contract.symbol,
            side=side,
            order_type=order_type,
            size=size,
            limit_price=None if limit is None else to_decimal(limit),
            stop_price=None if stop is None else to_decimal(stop),
            cli_ord_id=name,
            trigger_signal="mark",
            reduce_only=reduce_only,
        )
        self._exchange.submit(self._account, request)

    def _near(self, contract: Contract, distance: float) -> float:
        """A price on the tick, some way from the mark."""
        return float(
            round_to_step(self._exchange.market.mark(contract, self._exchange.now) * (1 + distance), contract.tick)
        )

    def _size(self, contract: Contract, value: float) -> Decimal:
        """A size on the step worth a value in USD, as people choose them: with two digits."""
        mark = self._exchange.market.mark(contract, self._exchange.now)
        size = value if contract.inverse else value / mark
        digits = 1 - math.floor(math.log10(size))
        return max(round_to_step(round(size, digits), contract.step), contract.step)
