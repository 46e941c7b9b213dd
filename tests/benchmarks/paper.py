"""Speed and size of the paper exchange: ``python -m tests.benchmarks.paper``.

Orders per second in the engine and over HTTP, latency of an order over HTTP beside that of a request that does
nothing, time to open the demo account, and memory while a day with open orders and positions passes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import resource
import statistics
import subprocess
import sys
import time
from decimal import Decimal
from urllib.parse import urlencode

import requests

from kfut_analytics import paper
from kfut_analytics.paper.clock import DAY, ManualClock
from kfut_analytics.paper.demo import open_demo, open_empty
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.orders import OrderRequest

NOW = 1_795_334_400.0 + 1234.5
PATH = "/derivatives/api/v3/sendorder"


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_engine(count: int) -> None:
    exchange = open_empty(0, ManualClock(NOW))
    account = exchange.accounts["empty"]
    account.transfer(exchange.now, "flex", "usd", 1e7)
    contract = exchange.contract("PF_XBTUSD")
    bid = exchange.book(contract).best("sell") or 0.0
    resting = [
        OrderRequest("PF_XBTUSD", "buy", "lmt", Decimal("0.001"), Decimal(str(bid - 100 - n % 50)))
        for n in range(count)
    ]
    taking = [OrderRequest("PF_XBTUSD", "buy" if n % 2 else "sell", "mkt", Decimal("0.001")) for n in range(count)]
    for name, requests_ in (("placed and cancelled", resting), ("executed", taking)):
        begun = time.perf_counter()
        for request in requests_:
            outcome = exchange.submit(account, request)
            assert outcome.status == "placed", outcome
            if outcome.order is not None and outcome.order.order_id in account.orders:
                exchange.cancel(account, order_id=outcome.order.order_id)
        seconds = time.perf_counter() - begun
        print(f"in the engine, {name}: {count / seconds:,.0f} orders/s, {1e6 * seconds / count:.0f} µs each")


def over_http(count: int) -> None:
    with paper.start(account="empty") as server, requests.Session() as session:
        session.trust_env = False
        secret = base64.b64decode(server.api_secret)

        def order(number: int) -> requests.Response:
            body = urlencode(
                {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": "0.001", "limitPrice": 1000 + number}
            )
            digest = hashlib.sha256((body + PATH.removeprefix("/derivatives")).encode()).digest()
            authent = base64.b64encode(hmac.new(secret, digest, hashlib.sha512).digest()).decode()
            headers = {
                "APIKey": server.api_key,
                "Authent": authent,
                "Content-Type": "application/x-www-form-urlencoded",
            }
            return session.post(server.base_url + PATH, data=body, headers=headers, timeout=10)

        def nothing(number: int) -> requests.Response:
            return session.get(f"{server.base_url}/api/charts/v1/", timeout=10)

        for name, call in (("nothing", nothing), ("order", order)):
            times = []
            for number in range(count):
                begun = time.perf_counter()
                answer = call(number)
                times.append(time.perf_counter() - begun)
                assert answer.status_code == 200
            times.sort()
            print(
                f"over HTTP, {name}: {count / sum(times):,.0f}/s, median {1e3 * statistics.median(times):.2f} ms, "
                f"99th percentile {1e3 * times[int(count * 0.99)]:.2f} ms"
            )


def opening() -> None:
    begun = time.perf_counter()
    open_demo(0, ManualClock(NOW))
    print(f"demo account opened in {time.perf_counter() - begun:.2f} s, imports aside")
    code = "import time; t = time.perf_counter(); from kfut_analytics import paper; s = paper.start(); "
    code += "print(f'{time.perf_counter() - t:.2f} s with imports and server'); s.close()"
    print("demo account:", subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip())


def a_day() -> None:
    clock = ManualClock(NOW)
    exchange: Exchange = open_demo(0, clock)
    account = exchange.accounts["demo"]
    before, begun = megabytes(), time.perf_counter()
    for second in range(0, int(DAY), 2):
        clock.advance(2)
        exchange.sync()
        if second % 600 == 0:
            exchange.submit(account, OrderRequest("PF_XBTUSD", "buy", "mkt", Decimal("0.001")))
            exchange.submit(account, OrderRequest("PF_XBTUSD", "sell", "mkt", Decimal("0.001")))
    print(
        f"a day in ticks of 2 s: {time.perf_counter() - begun:.1f} s; peak memory {before:.0f} MB before, "
        f"{megabytes():.0f} MB after"
    )


if __name__ == "__main__":
    in_engine(3000)
    opening()
    over_http(1000)
    a_day()
