"""Random order flow for an exchange, and what must be true of its books whatever happens."""

import math
import random
from collections import defaultdict
from decimal import Decimal

import numpy as np

from kfut_analytics.contracts import apply_fill, round_to_step, to_decimal
from kfut_analytics.paper.clock import DAY, HOUR, ManualClock
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.leverage import LeverageError, change_leverage
from kfut_analytics.paper.engine.liquidation import headroom, pools
from kfut_analytics.paper.engine.margin import SINGLE_COLLATERAL_WALLETS
from kfut_analytics.paper.engine.orders import EditRequest, LimitOffset, OrderRequest, Trailing
from kfut_analytics.paper.engine.preferences import SELF_TRADE_STRATEGIES

PREFIXES = ("PF_XBTUSD", "PF_DOGEUSD", "PF_ETHUSD", "PI_XBTUSD", "PI_ETHUSD", "FI_XBTUSD", "FF_ETHUSD")
KINDS = ("lmt", "lmt", "lmt", "post", "post", "ioc", "fok", "mkt", "mkt", "stp", "take_profit", "trailing_stop")
START = 1_795_334_400.0 + 1234.5
DEPOSITS = (
    ("flex", "usd", 4_000.0),
    ("flex", "xbt", 0.01),
    ("flex", "eur", 500.0),
    ("fi_xbtusd", "xbt", 0.05),
    ("fi_ethusd", "eth", 1.0),
    ("cash", "fee", 2_000.0),
)


def check_wallets(exchange, account):
    """The identities of api-facts 6.8, and that margin requirements stand in their order."""
    flex = exchange.flex(account)
    assert flex.balance_value == sum(holding.value for holding in flex.holdings.values())
    assert flex.collateral_value == sum(holding.collateral for holding in flex.holdings.values())
    assert flex.portfolio_value == flex.balance_value + flex.required.pnl
    assert flex.margin_equity == flex.collateral_value + (flex.required.pnl + flex.required.funding)
    assert flex.available == flex.margin_equity - flex.required.initial_with_orders
    singles = [exchange.single(account, wallet) for wallet in SINGLE_COLLATERAL_WALLETS]
    for single in singles:
        assert single.portfolio_value == single.balance + single.required.pnl + single.required.funding
        assert single.available == single.portfolio_value - single.required.initial_with_orders
    for required in (flex.required, *(single.required for single in singles)):
        assert 0 <= required.maintenance <= required.initial + 1e-9
        assert required.initial_with_orders >= required.initial - 1e-9


class RandomFlow:
    """Several accounts that do whatever comes to mind, mostly near the market and often too large.

    ``greed`` scales the sizes.
    """

    def __init__(self, seed, greed=1.0):
        self.greed = greed
        self.random = random.Random(seed)
        self.exchange = Exchange(seed=seed, clock=ManualClock(START))
        self.deposited = defaultdict(float)
        names = (("one", None), ("two", None), ("child", "one"))
        self.accounts = [self.exchange.open_account(name, parent=parent) for name, parent in names]
        for account in self.accounts:
            for wallet, currency, amount in DEPOSITS:
                if currency != "fee" or account.name == "two":
                    self.deposit(account, wallet, currency, amount)
        self.statuses = defaultdict(int)

    @property
    def contracts(self):
        """Contracts of every kind that are listed now, of dated ones those that expire next."""
        now, listed = self.exchange.now, self.exchange.contracts.values()
        return [
            min(
                (c for c in listed if c.symbol.startswith(prefix) and (c.expiry or math.inf) > now >= c.opening),
                key=lambda c: c.expiry or math.inf,
            )
            for prefix in PREFIXES
        ]

    def deposit(self, account, wallet, currency, amount):
        account.transfer(self.exchange.now, wallet, currency, amount)
        self.deposited[account.name, wallet, currency] += amount

    def act(self):
        """Do one thing."""
        dice = self.random.random()
        account = self.random.choice(self.accounts)
        if dice < 0.55:
            self.send(account)
        elif dice < 0.68:
            self.edit(account)
        elif dice < 0.76:
            self.cancel(account)
        elif dice < 0.77:
            self.exchange.cancel_all(account)
        elif dice < 0.78:
            self.exchange.cancel_all_after(account, self.random.choice((0, 5, 60)))
        elif dice < 0.79:
            account.preferences.self_trade = self.random.choice(SELF_TRADE_STRATEGIES)
        elif dice < 0.80:
            self.prefer(account)
        elif dice < 0.81:
            wallet, currency, amount = self.random.choice(DEPOSITS[:5])
            self.deposit(account, wallet, currency, round(amount / 3, 4))
        else:
            seconds = self.random.choice((0.001, 0.2, 1, 5, 60, 600, HOUR))
            self.exchange.advance(DAY * self.random.random() if self.random.random() < 0.01 else seconds)

    def prefer(self, account):
        contract = self.random.choice([c for c in self.contracts if not c.inverse])
        try:
            change_leverage(self.exchange, account, contract, self.random.choice((None, 2.0, 5.0, 10.0)))
        except LeverageError:
            self.statuses["leverage refused"] += 1

    def near(self, contract):
        book = self.exchange.book(contract)
        best = book.best(self.random.choice(("buy", "sell"))) or self.exchange.last(contract)
        distance = self.random.choice((0, 0, 0.0001, 0.001, 0.01, 0.15)) * self.random.uniform(-1, 1)
        return max(round_to_step(best * (1 + distance), contract.tick), contract.tick)

    def size(self, contract):
        value = self.greed * math.exp(self.random.uniform(math.log(5), math.log(60_000)))
        size = value if contract.inverse else value / self.exchange.prices.mark(contract)
        return max(round_to_step(size, contract.step), contract.step)

    def send(self, account):
        contract, kind = self.random.choice(self.contracts), self.random.choice(KINDS)
        price, rng = self.near(contract), self.random
        trailing = offset = stop = limit = None
        if kind == "trailing_stop":
            trailing = Trailing(Decimal(rng.choice(("0.1", "0.5", "3"))), "PERCENT")
        elif kind in ("stp", "take_profit"):
            stop = self.near(contract)
            limit = rng.choice((None, price))
            if limit is None and rng.random() < 0.3:
                offset = LimitOffset(Decimal(rng.choice(("-0.5", "0.5"))), "PERCENT")
        elif kind != "mkt":
            limit = price
        request = OrderRequest(
            symbol=contract.symbol,
            side=rng.choice(("buy", "sell")),
            order_type=kind,
            size=self.size(contract),
            limit_price=limit,
            stop_price=stop,
            cli_ord_id=f"id-{rng.randrange(10**6)}" if rng.random() < 0.3 else None,
            trigger_signal=rng.choice(("mark", "index", "last")),
            reduce_only=rng.random() < 0.2,
            trailing=trailing,
            offset=offset,
        )
        self.statuses[self.exchange.submit(account, request).status] += 1

    def edit(self, account):
        if not account.orders:
            return
        order = self.random.choice(list(account.orders.values()))
        scale = Decimal(str(self.random.choice((0.5, 1, 2))))
        size = round_to_step(to_decimal(order.remaining) * scale, order.contract.step)
        outcome = self.exchange.edit(
            account,
            EditRequest(
                order_id=order.order_id,
                size=max(size, order.contract.step),
                limit_price=self.near(order.contract) if order.limit_price and self.random.random() < 0.7 else None,
                stop_price=self.near(order.contract) if order.stop_price and not order.trailing else None,
            ),
        )
        self.statuses["edit: " + outcome.status] += 1

    def cancel(self, account):
        if account.orders:
            order = self.random.choice(list(account.orders.values()))
            assert self.exchange.cancel(account, order_id=order.order_id).status == "cancelled"

    # What must be true ------------------------------------------------------------------------------------------

    def check_books(self):
        """No book is crossed, and the orders that stand in it are those that are open."""
        exchange = self.exchange
        for contract in self.contracts:
            book = exchange.book(contract)
            bid, ask = book.best("sell"), book.best("buy")
            assert bid is None or ask is None or bid < ask, (contract.symbol, bid, ask)
            standing = {maker.order.order_id for side in ("buy", "sell") for maker in book._orders[side]}
            assert standing == {
                order.order_id
                for account in self.accounts
                for order in account.orders.values()
                if order.contract is contract and not order.is_trigger
            }

    def check_ledgers(self):
        """The logs, replayed from zero, give balances, positions and entry prices."""
        for account in (*self.accounts, self.exchange.participants):
            balances, positions = defaultdict(float), {}
            legs = defaultdict(list)
            for number, row in enumerate(account.log, 1):
                assert row.id == number
                assert row.asset == row.asset.lower()
                if row.asset != row.contract:
                    key = (row.margin_account, row.asset)
                    assert row.old_balance == balances[key]
                    balances[key] = row.new_balance
                else:
                    size, entry = positions.get(row.contract, (0.0, 0.0))
                    assert (row.old_balance, row.old_average_entry_price) == (size, entry)
                    inverse = row.margin_account != "flex"
                    fill = apply_fill(size, entry, row.new_balance - size, row.trade_price, inverse=inverse)
                    assert math.isclose(fill.entry_price, row.new_average_entry_price, rel_tol=1e-9, abs_tol=1e-12)
                    positions[row.contract] = (row.new_balance, row.new_average_entry_price)
                if row.execution is not None:
                    legs[row.execution].append(row)
            for execution, rows in legs.items():
                kinds = [row.asset == row.contract for row in rows]
                assert kinds in ([True], [True, False]), execution
            held = {symbol: state for symbol, state in positions.items() if state[0]}
            assert held == {
                position.contract.symbol.lower(): (position.size, position.entry_price)
                for position in account.positions.values()
            }
            assert {key: value for key, value in account.balances.items() if value} == {
                key: value for key, value in balances.items() if value
            }

    def check_executions(self):
        """Every execution has a buyer and a seller of the same size at the same price."""
        legs = defaultdict(list)
        for account in (*self.accounts, self.exchange.participants):
            for row in account.log:
                if row.execution is not None and row.asset == row.contract and row.info != "settlement":
                    legs[row.execution].append((round(row.new_balance - row.old_balance, 9), row.trade_price))
        tape = {trade.uid: trade for trades in self.exchange.tape.values() for trade in trades}
        assert legs.keys() == tape.keys()
        for uid, ((first, price), (second, other)) in legs.items():
            assert first == -second
            assert price == other == tape[uid].price
            assert abs(first) == tape[uid].size
        for contract in self.exchange.contracts.values():
            sizes = [account.position_size(contract) for account in self.exchange.everybody()]
            assert abs(sum(sizes)) < 1e-6, contract.symbol

    def check_cash(self):
        """Money is conserved: what all own, with open P&L, is what was deposited."""
        exchange = self.exchange
        owned, rows = defaultdict(float), 0
        for account in (*exchange.everybody(), exchange.house):
            rows += len(account.log)
            for (_, currency), amount in account.balances.items():
                owned[currency] += amount
            for position in account.positions.values():
                contract = position.contract
                mark = exchange.prices.mark(contract)
                rate = exchange.prices.funding(contract)
                if contract.inverse:
                    owned[contract.currency] += position.size * (1 / position.entry_price - 1 / mark)
                else:
                    owned["usd"] += position.size * (mark - position.entry_price)
                owned[contract.currency] -= position.size * rate * (exchange.now - position.funding_from) / HOUR
        deposited = defaultdict(float)
        for (_, _, currency), amount in self.deposited.items():
            deposited[currency] += amount
        for currency, amount in owned.items():
            # Each row is rounded to 4 decimals of a dollar or 10 of a coin.
            tolerance = rows * (1e-4 if currency == "usd" else 1e-10) + 1e-9
            assert abs(amount - deposited[currency]) <= tolerance, (currency, amount, deposited[currency])

    def check_profits(self):
        """Each account's balances with open P&L are its deposits plus the cash flows of its fills, fees and funding."""
        exchange = self.exchange
        for account in self.accounts:
            flows = defaultdict(float)
            for row in account.log:
                if row.execution is None and row.info != "kfee applied":
                    flows[row.margin_account, row.asset] += row.new_balance - row.old_balance
                if row.execution is not None and row.asset == row.contract:
                    change = row.new_balance - row.old_balance
                    if row.margin_account == "flex":
                        flows["flex", "usd"] -= change * row.trade_price
                    else:
                        coin = row.margin_account.removeprefix("fi_").removesuffix("usd")
                        flows[row.margin_account, coin] += change / row.trade_price
                elif row.execution is not None:
                    costs = row.realized_funding - row.fee - (row.liquidation_fee or 0.0)
                    flows[row.margin_account, row.asset] += costs
            for position in account.positions.values():
                mark = exchange.prices.mark(position.contract)
                key = (position.contract.wallet, position.contract.currency)
                flows[key] += -position.size / mark if position.contract.inverse else position.size * mark
            for key, amount in account.balances.items():
                if key == ("cash", "fee"):
                    continue
                open_pnl = 0.0
                for position in account.positions.values():
                    if (position.contract.wallet, position.contract.currency) == key:
                        mark, entry = exchange.prices.mark(position.contract), position.entry_price
                        inverse = position.contract.inverse
                        open_pnl += position.size * ((1 / entry - 1 / mark) if inverse else (mark - entry))
                tolerance = len(account.log) * (1e-4 if key[1] == "usd" else 1e-9) + 1e-6
                assert abs(amount + open_pnl - flows[key]) <= tolerance, (account.name, key, amount, open_pnl)

    def check_margin(self):
        """The identities of the wallets, and nobody is left below the maintenance margin."""
        exchange = self.exchange
        for account in self.accounts:
            flex = exchange.flex(account)
            check_wallets(exchange, account)
            for pool in pools(account):
                room = headroom(exchange.market, account, pool, np.array([exchange.now]))[0]
                assert room > -1e-6, (account.name, pool.name)
            for (wallet, currency), amount in account.balances.items():
                if wallet != "flex":
                    assert amount >= -1e-6, (account.name, wallet, currency, amount)
            if not any(p.contract.wallet == "flex" for p in account.positions.values()):
                assert flex.margin_equity >= -0.01, (account.name, flex.margin_equity)

    def check_all(self):
        self.check_books()
        self.check_ledgers()
        self.check_executions()
        self.check_cash()
        self.check_profits()
        self.check_margin()
