"""Paging through history from a server that takes its time: ``python -m tests.benchmarks.paging``.

A loopback server in a process of its own answers every page of executions after 50 ms. What its answers take, one
after the other and without reading them, is compared with the frame a user gets.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests

from kfut_analytics.rest.budget import Budget, OnWait
from kfut_analytics.rest.endpoints import Pool
from kfut_analytics.rest.session import RestSession
from kfut_analytics.rest.venue import RestVenue
from tests.benchmarks import payloads

PATH = "/api/history/v3/executions"
PER_PAGE = 1000


class Unlimited(Budget):
    """No token pools: a hundred pages of history would fill the exchange's."""

    def spend(self, pool: Pool, tokens: int, on_wait: OnWait | None = None) -> None:
        pass


def serve(folder: Path, latency: float) -> None:
    """Serve the pages until standard input closes; prints the address first."""
    pages = [path.read_bytes() for path in sorted(folder.iterdir())]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            (token,) = parse_qs(urlsplit(self.path).query).get("continuation_token", ["token-0"])
            body = pages[int(token.removeprefix("token-")) // PER_PAGE]
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            time.sleep(latency)
            self.wfile.write(head.encode() + body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    sys.stdin.read()


@contextmanager
def server(folder: Path, latency: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.paging", "--serve", str(folder), "--latency", str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def bare(url: str, pages: int) -> float:
    """The server's own time: one plain connection, answers taken and thrown away."""
    address = urlsplit(url)
    begin = time.perf_counter()
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        stream = connection.makefile("rb")
        for page in range(pages):
            target = f"{PATH}?continuation_token=token-{page * PER_PAGE}"
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.startswith(b"Content-Length:"):
                    length = int(line.split(b":")[1])
            stream.read(length)
    return time.perf_counter() - begin


def one_by_one(url: str) -> float:
    """What a plain script does: requests, json, the next page when the last one is read."""
    begin, rows, token = time.perf_counter(), [], None
    with requests.Session() as session:
        while True:
            params = {} if token is None else {"continuation_token": token}
            body = json.loads(session.get(url + PATH, params=params).content)
            rows += body["elements"]
            token = body.get("continuationToken")
            if token is None:
                break
    return time.perf_counter() - begin


def ours(url: str, rows: int) -> float:
    venue = RestVenue(RestSession(url, budget=Unlimited()), "live")
    begin = time.perf_counter()
    frame = venue.executions(None, None, None)
    spent = time.perf_counter() - begin
    venue.close()
    assert len(frame) == rows
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", type=Path)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.latency)
        return
    rows = arguments.rows
    with tempfile.TemporaryDirectory() as temporary:
        bodies = payloads.pages(payloads.execution, rows, PER_PAGE, "elements")
        folder = payloads.write(Path(temporary), "executions", bodies)
        with server(folder, arguments.latency) as url:
            pages = len(list(folder.iterdir()))
            times = [(bare(url, pages), ours(url, rows), one_by_one(url)) for _ in range(arguments.repeats)]
    own, frame, script = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{rows:,} executions in {pages} pages, {arguments.latency * 1000:g} ms each")
    print(f"{'the server alone':34}{own:8.3f} s")
    print(f"{'ours, to the frame':34}{frame:8.3f} s   {frame / own:5.2f} x")
    print(f"{'requests and json, to dictionaries':34}{script:8.3f} s   {script / own:5.2f} x")


if __name__ == "__main__":
    main()
