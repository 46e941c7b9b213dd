"""From ``client.place()`` entered to the bytes on the socket, warm: ``python -m tests.benchmarks.latency``.

The clock stops where the connection is handed the request. What requests alone needs for the same request (same
method, address, body and headers, through one kept session) is measured in turn with it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.connection

import kfut_analytics as kfut
from kfut_analytics.rest import budget
from tests.benchmarks import payloads
from tests.conftest import SAMPLE_KEY, SAMPLE_SECRET

PLACED = {
    "result": "success",
    "sendStatus": {"status": "placed", "order_id": "61ca5732-3478-42fe-8362-abbfd9465294", "orderEvents": []},
}


def answers() -> dict[str, bytes]:
    base = "/derivatives/api/v3"
    contracts = [payloads.instrument(number, random.Random(number)) for number in range(400)]
    contracts[0] |= {"symbol": "PF_XBTUSD", "contractValueTradePrecision": 4, "tickSize": 1, "base": "BTC"}
    check = {"permissions": {"general": "FULL_ACCESS", "transfer": "NO_ACCESS"}}
    return {
        f"{base}/instruments": json.dumps({"result": "success", "instruments": contracts}).encode(),
        f"{base}/sendorder": json.dumps(PLACED).encode(),
        "/api/auth/v1/api-keys/v3/check": json.dumps(check).encode(),
    }


def start() -> ThreadingHTTPServer:
    known = answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = known[urlsplit(self.path).path]
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        do_GET = do_POST = _reply

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Watch:
    """Notes when a request's last bytes are handed to the socket, and what was sent."""

    def __init__(self) -> None:
        self.at = 0.0
        self.sent: dict[str, Any] = {}
        connection = urllib3.connection.HTTPConnection
        original = connection.request

        def request(itself: Any, method: str, url: str, body: Any = None, headers: Any = None, **rest: Any) -> None:
            original(itself, method, url, body=body, headers=headers, **rest)
            self.at = time.perf_counter()
            self.sent = {"method": method, "url": url, "data": body, "headers": dict(headers)}

        connection.request = request  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400)
    repeats = parser.parse_args().repeats
    budget.LIMITS["derivatives"] = (10**9, 10.0)
    watch, server = Watch(), start()
    base_url = f"http://127.0.0.1:{server.server_address[1]}"
    client = kfut.connect("live", trading=True, base_url=base_url, api_key=SAMPLE_KEY, api_secret=SAMPLE_SECRET)
    order = kfut.Order("PF_XBTUSD", "buy", 0.01, limit_price=60000)
    client.place(order)
    request = watch.sent | {"url": base_url + watch.sent["url"]}
    session, plain = requests.Session(), requests.Session()
    plain.trust_env = False
    # One after the other in turn, so that a busy moment of the machine meets all of them.
    spent: dict[str, list[float]] = {"ours": [], "requests": [], "requests, no environment": []}
    for _ in range(repeats):
        begin = time.perf_counter()
        client.place(order)
        spent["ours"].append(watch.at - begin)
        for name, other in (("requests", session), ("requests, no environment", plain)):
            begin = time.perf_counter()
            other.request(**request).json()
            spent[name].append(watch.at - begin)
    print(f"milliseconds to the socket, {repeats} times in turn{'median':>16}{'nine in ten':>14}")
    for name, times in spent.items():
        print(f"{name:45}{statistics.median(times) * 1e3:10.3f}{statistics.quantiles(times, n=10)[-1] * 1e3:14.3f}")
    beyond = statistics.median(spent["ours"]) - statistics.median(spent["requests"])
    print(f"{'ours beyond requests':45}{beyond * 1e3:10.3f}")
    client.close()
    server.shutdown()


if __name__ == "__main__":
    main()
