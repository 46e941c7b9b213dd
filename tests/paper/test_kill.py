"""A kept account whose process is killed at random moments, under orders from several clients.

What was acknowledged is there afterwards, once; what was not is there as a whole or not at all; and the account log
replays to what the account reports. ``KFUT_KILLS`` sets how often the process is killed.
"""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.keeping.named import Origin, account_path, create_account
from kfut_analytics.paper.keeping.store import open_stored
from kfut_analytics.paper.server import PaperServer

from .conftest import Wire

KILLS = int(os.environ.get("KFUT_KILLS", "4"))
SEED = int(os.environ.get("KFUT_KILL_SEED", "1"))
CLIENTS = 3
SYMBOLS = {"PF_XBTUSD": ("0.001", 0), "PF_ETHUSD": ("0.01", 1), "PI_XBTUSD": ("10", 0)}
HISTORY = "/api/history/v3/"
COMMAND = [sys.executable, "-c", "from kfut_analytics.cli import main; main()", "paper"]
_NEW = {"OrderUpdated": "newOrder", "OrderTriggerUpdated": "newOrderTrigger"}
REPOSITORY = Path(__file__).resolve().parents[2]


class Process:
    """The command line's server of the account, in a process of its own."""

    def __init__(self, home, *arguments):
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "KFUT_HOME": str(home)}
        self.process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True, env=environ)

    def wire(self):
        lines = [self.process.stdout.readline().strip().split("=", 1)[1] for _ in range(3)]
        return Wire(SimpleNamespace(base_url=lines[0], api_key=lines[1], api_secret=lines[2]))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Ledger:
    """What clients have been told, and what they have asked for and do not know the fate of."""

    def __init__(self):
        self.placed = {}  # order id by client id
        self.executed = {}
        self.cancelled = set()
        self.edited = set()  # order id and milliseconds
        self.refused = set()
        self.unsure = set()
        self.lock = threading.Lock()

    def note(self, events):
        for event in events:
            match event["type"]:
                case "EXECUTION":
                    self.executed[event["executionId"]] = (event["price"], event["amount"])
                case "CANCEL":
                    self.cancelled.add(event["uid"])
                case "EDIT":
                    new = event["new"]
                    when = datetime.fromisoformat(new["lastUpdateTimestamp"]).timestamp()
                    self.edited.add((new.get("orderId") or new["uid"], round(when * 1000)))


class Trader(threading.Thread):
    """A client that sends orders of all kinds, and changes and withdraws them, until nobody answers."""

    def __init__(self, name, wire, ledger, seed, marks):
        super().__init__(name=name)
        self.wire, self.ledger, self.random, self.marks = wire, ledger, random.Random(seed), marks
        self.sent, self.ids = 0, []
        self.error = None

    def run(self):
        try:
            while True:
                self.act()
        except requests.RequestException:
            pass  # the process is gone
        except Exception as error:
            self.error = error
        finally:
            self.wire.close()

    def act(self):
        rng = self.random
        kind = rng.choices(("send", "edit", "cancel", "batch", "all", "after", "leverage"), (50, 12, 12, 8, 2, 2, 2))[0]
        known, symbol = rng.choice(self.ids) if self.ids else ("unknown", "PF_XBTUSD")
        match kind:
            case "send":
                order = self.order()
                self.told(order["cliOrdId"], self.asked([order], "sendorder", **order)["sendStatus"])
            case "edit":
                size = f"{float(SYMBOLS[symbol][0]) * rng.randint(1, 9):g}"
                self.told(None, self.asked([], "editorder", cliOrdId=known, size=size)["editStatus"])
            case "cancel":
                self.told(None, self.asked([], "cancelorder", cliOrdId=known)["cancelStatus"])
            case "batch":
                orders = [self.order() for _ in range(3)]
                instructions = [{"order": "send", "order_tag": o["cliOrdId"], **o} for o in orders]
                instructions.append({"order": "cancel", "cliOrdId": known})
                text = str({"batchOrder": instructions}).replace("'", '"')
                for row in self.asked(orders, "batchorder", json=text)["batchStatus"]:
                    self.told(row.get("order_tag"), row)
            case "all":
                self.told(None, self.asked([], "cancelallorders")["cancelStatus"])
            case "after":
                self.asked([], "cancelallordersafter", timeout=str(rng.choice((0, 1, 60))))
            case "leverage":
                self.wire.put("/derivatives/api/v3/leveragepreferences", symbol="PF_ETHUSD", maxLeverage="10")

    def order(self):
        rng = self.random
        symbol = rng.choice(list(SYMBOLS))
        step, decimals = SYMBOLS[symbol]
        side = rng.choice(("buy", "sell"))
        kind = rng.choice(("lmt", "lmt", "post", "ioc", "mkt", "mkt", "stp", "take_profit", "trailing_stop"))
        self.sent += 1
        order = {"orderType": kind, "symbol": symbol, "side": side, "cliOrdId": f"{self.name}-{self.sent}"}
        order["size"] = f"{float(step) * rng.randint(1, 5):g}"
        away = rng.uniform(-0.01, 0.03) * (-1 if side == "buy" else 1)
        price = f"{self.marks[symbol] * (1 + away):.{decimals}f}"
        if kind in ("lmt", "post", "ioc"):
            order["limitPrice"] = price
        elif kind in ("stp", "take_profit"):
            order["stopPrice"] = price
        elif kind == "trailing_stop":
            order |= {"trailingStopMaxDeviation": "1", "trailingStopDeviationUnit": "PERCENT"}
        self.ids = [*self.ids[-20:], (order["cliOrdId"], symbol)]
        return order

    def asked(self, orders, name, **params):
        ids = {order["cliOrdId"] for order in orders}
        with self.ledger.lock:
            self.ledger.unsure |= ids
        answer = self.wire.post(f"/derivatives/api/v3/{name}", **params)
        payload = answer.json()
        assert (answer.status_code, payload["result"]) == (200, "success"), payload
        return payload

    def told(self, client_id, status):
        with self.ledger.lock:
            if client_id is not None:
                self.ledger.unsure.discard(client_id)
                if status["status"] == "placed":
                    self.ledger.placed[client_id] = status["order_id"]
                else:
                    self.ledger.refused.add(client_id)
            self.ledger.note(status.get("orderEvents", []))


class View:
    """All that a kept account says of itself, asked on a stopped clock."""

    def __init__(self, home):
        store = open_stored(account_path("mine", home), ManualClock(0.0))
        key = next(iter(store.keys.values()))
        with PaperServer(store.exchange, key, store=store) as server, closing(Wire(server)) as wire:

            def events(name):
                return [next(iter(e["event"].items())) for e in wire.elements(HISTORY + name, count=1000, sort="asc")]

            self.journal = events("triggers") + events("orders")
            self.executions = [event["execution"] for _, event in events("executions")]
            self.log = []
            while rows := wire.get(
                HISTORY + "account-log", sort="asc", count=5000, **{"from": len(self.log) + 1}
            ).json()["logs"]:
                self.log += rows
            self.open = {order["order_id"] for order in wire.v3("openorders")["openOrders"]}
            self.accounts = wire.v3("accounts")["accounts"]
            positions = wire.v3("openpositions")["openPositions"]
            self.positions = {p["symbol"]: p["size"] * (1 if p["side"] == "long" else -1) for p in positions}

    def check(self, ledger, before):
        self.check_log()
        self.check_executions()
        self.check_orders()
        self.check_acknowledged(ledger)
        if before is not None:
            assert self.log[: len(before.log)] == before.log
            assert self.executions[: len(before.executions)] == before.executions

    def check_log(self):
        assert [row["id"] for row in self.log] == list(range(1, len(self.log) + 1))
        assert len({row["booking_uid"] for row in self.log}) == len(self.log)
        held = {}
        for row in self.log:
            place = row["margin_account"], row["asset"]
            assert row["old_balance"] == held.get(place, 0.0), row
            held[place] = row["new_balance"]
        sizes = {asset: size for (_, asset), size in held.items() if "_" in asset and size}
        assert {symbol.lower(): size for symbol, size in self.positions.items()} == sizes
        assert self.accounts["flex"]["currencies"]["USD"]["quantity"] == held["flex", "usd"]
        assert float(self.accounts["fi_xbtusd"]["balances"]["xbt"]) == held["fi_xbtusd", "xbt"]

    def check_executions(self):
        legs = defaultdict(list)
        for row in self.log:
            if row["execution"]:
                legs[row["execution"]].append(row)
        uids = [execution["uid"] for execution in self.executions]
        assert Counter(uids) == Counter(legs.keys())
        for execution in self.executions:
            position, cash = legs[execution["uid"]]
            change = abs(position["new_balance"] - position["old_balance"])
            assert change == pytest.approx(float(execution["quantity"]))
            assert position["trade_price"] == cash["trade_price"] == float(execution["price"])

    def check_orders(self):
        """The journal, the executions and the open orders tell the same, so that no order is there in part."""
        self.placed, self.names, self.cancels = Counter(), Counter(), Counter()
        filled, is_open = {}, {}
        for kind, event in self.journal:
            order = (
                event.get("newOrder") or event.get("newOrderTrigger") or event.get("attemptedOrder") or event["order"]
            )
            uid = order["uid"]
            if kind == "OrderEditRejected":
                continue
            if event.get("reason") == "new_user_order" and kind in ("OrderPlaced", "OrderTriggerPlaced"):
                self.placed[uid] += 1
                self.names[order["clientId"]] += 1
            self.cancels[uid] += kind in ("OrderCancelled", "OrderTriggerCancelled")
            is_open[uid] = "Placed" in kind or "Updated" in kind
            is_open[uid] &= float(order["quantity"]) > 0
            filled[uid] = float(order.get("filled", 0))
        executed = Counter()
        for execution in self.executions:
            executed[execution["order"]["uid"]] += float(execution["quantity"])
        assert {uid for uid, still in is_open.items() if still} == self.open
        assert {uid: size for uid, size in filled.items() if size} == pytest.approx(dict(executed))
        assert set(self.placed.values()) <= {1}
        assert set(self.names.values()) <= {1}

    def check_acknowledged(self, ledger):
        for client_id, uid in ledger.placed.items():
            assert (self.placed[uid], self.names[client_id]) == (1, 1), client_id
        assert not ledger.refused & self.names.keys()
        executions = {e["uid"]: (float(e["price"]), float(e["quantity"])) for e in self.executions}
        assert ledger.executed.items() <= executions.items()
        assert all(self.cancels[uid] == 1 for uid in ledger.cancelled)
        assert not ledger.cancelled & self.open
        edits = {
            (event[_NEW[kind]]["uid"], event[_NEW[kind]]["lastUpdateTimestamp"])
            for kind, event in self.journal
            if kind in _NEW and event["reason"] == "edited_by_user"
        }
        assert ledger.edited <= edits


def prices(wire):
    return {t["symbol"]: t["markPrice"] for t in wire.v3("tickers")["tickers"] if t["symbol"] in SYMBOLS}


def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(tmp_path):
    rng, ledger, before = random.Random(SEED), Ledger(), None
    amounts = {"USD": 100_000, "fi_xbtusd": 1}
    create_account("mine", Origin(amounts), home=tmp_path)
    for kill in range(KILLS):
        if rng.random() < 0.2:
            # While it starts, which is when it may also catch up with its clock.
            starting = Process(tmp_path, "serve", "--account", "mine")
            time.sleep(rng.uniform(0.0, 0.6))
            starting.kill()
        process = Process(tmp_path, "serve", "--account", "mine")
        wire = process.wire()
        marks = prices(wire)
        clients = [Trader(f"{kill}-{n}", Wire(wire.server), ledger, rng.random(), marks) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(rng.uniform(0.02, 0.8))
        process.kill()
        for client in clients:
            client.join(timeout=30)
        wire.close()
        assert [client.error for client in clients] == [None] * CLIENTS
        view = View(tmp_path)
        view.check(ledger, before)
        before = view
    assert ledger.placed
    if KILLS >= 20:
        assert all((ledger.executed, ledger.cancelled, ledger.edited, ledger.unsure & view.names.keys()))
    print(
        f"\n{KILLS} kills: {len(ledger.placed)} orders acknowledged, {len(ledger.refused)} refused, "
        f"{len(ledger.unsure)} unacknowledged ({sum(n in view.names for n in ledger.unsure)} of them happened), "
        f"{len(view.executions)} executions, {len(view.log)} log rows"
    )
