"""Faults on demand: what each kind does to a plain client and to ours, and whether the exchange processed the call."""

import contextlib
import logging
import socket
import threading
import time
from urllib.parse import parse_qs

import pytest
import requests

import kfut_analytics as kfut
from kfut_analytics import desk, errors
from kfut_analytics.paper.clock import ManualClock
from kfut_analytics.paper.demo import open_empty
from kfut_analytics.paper.faults.scenario import KINDS
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey
from kfut_analytics.rest.budget import Budget
from kfut_analytics.rest.endpoints import OPERATIONS
from kfut_analytics.rest.retry import MAX_ATTEMPTS
from kfut_analytics.rest.session import RestSession
from kfut_analytics.rest.signing import Signer
from kfut_analytics.settings import Credentials, Secret

from .conftest import NOW, Wire

V3 = "/derivatives/api/v3"
LOG = "/api/history/v3/account-log"
BID = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": 0.001, "limitPrice": 50000}

# What requests tells of each kind (an exception, or status and content type), and what our client makes of it: the
# error of a call that changes something, and whether a read is asked again.
DROPPED, BROKEN = requests.ConnectionError, requests.exceptions.ChunkedEncodingError
JSON, TEXT, HTML = "application/json", "text/plain; charset=utf-8", "text/html"
EXPECTED = {
    "delay": ((200, JSON), None, False),
    "delay-after": ((200, JSON), None, False),
    "drop-before": (DROPPED, errors.ConnectionLost, True),
    "drop-after": (DROPPED, errors.ConnectionLost, True),
    "reset-before": (DROPPED, errors.ConnectionLost, True),
    "reset-after": (DROPPED, errors.ConnectionLost, True),
    "http-429": ((429, JSON), errors.RateLimitError, True),
    "http-500": ((500, JSON), errors.ExchangeError, False),
    "http-500-after": ((500, JSON), errors.ExchangeError, False),
    "http-503": ((503, JSON), errors.UnavailableError, True),
    "http-503-after": ((503, JSON), errors.UnavailableError, True),
    "http-502-html": ((502, HTML), errors.UnavailableError, True),
    "http-502-html-after": ((502, HTML), errors.UnavailableError, True),
    "http-200-html": ((200, HTML), errors.UnexpectedResponse, False),
    "redirect": (requests.TooManyRedirects, errors.UnexpectedResponse, False),
    "nonce-low": ((200, JSON), errors.AuthenticationError, False),
    "nonce-duplicate": ((200, JSON), errors.AuthenticationError, False),
    "truncate": (BROKEN, errors.ConnectionLost, True),
    "truncate-chunked": (BROKEN, errors.ConnectionLost, True),
    "truncate-unframed": ((200, JSON), errors.UnexpectedResponse, False),
    "wrong-type": ((200, TEXT), errors.UnexpectedResponse, False),
    "trickle": ((200, JSON), None, False),
}
UNPROCESSED = {
    "drop-before",
    "reset-before",
    "http-429",
    "http-500",
    "http-503",
    "http-502-html",
    "http-200-html",
    "redirect",
    "nonce-low",
    "nonce-duplicate",
}
REFUSED = {"http-429", "nonce-low", "nonce-duplicate"}


class Unlimited(Budget):
    """Token pools without a bottom."""

    def spend(self, pool, tokens, on_wait=None):
        """Take nothing."""


@pytest.fixture(scope="module")
def server():
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty")) as running:
        yield running


@pytest.fixture
def wire(server):
    client = Wire(server)
    client.session.max_redirects = 0
    yield client
    server.faults.clear()
    client.v3("cancelallorders", "post")
    client.close()


@pytest.fixture
def session(server):
    ours = rest_session(server)
    yield ours
    ours.close()


def rest_session(server, **options):
    signer = Signer(Credentials(server.api_key, Secret(server.api_secret)))
    return RestSession(server.base_url, signer, trading=True, budget=Unlimited(), **options)


def open_orders(wire):
    wire.server.faults.clear()
    return [order["cliOrdId"] for order in wire.v3("openorders")["openOrders"]]


def met(wire, **params):
    """What requests meets when it sends an order: an exception, or status and content type."""
    try:
        answer = wire.post(f"{V3}/sendorder", **BID, **params)
    except requests.RequestException as error:
        return type(error)
    return answer.status_code, answer.headers["content-type"]


def wait_until(condition):
    """Wait until something is so, at most for some seconds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def last(faults):
    """The last entry of the log, once its fate is decided."""
    wait_until(lambda: faults.log[-1].processed is not None)
    return faults.log[-1]


# Each kind --------------------------------------------------------------------------------------------------------


def test_every_kind_is_tested_here():
    assert set(EXPECTED) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_client_meets_a_fault(wire, kind):
    faults = wire.server.faults
    faults.plan("sendorder", kind, seconds=0.02)
    assert met(wire, cliOrdId=f"plain {kind}") == EXPECTED[kind][0]
    happened = last(faults)
    assert (happened.method, happened.operation, happened.call, happened.kind) == ("POST", "sendorder", 1, kind)
    assert parse_qs(happened.asked)["cliOrdId"] == [f"plain {kind}"]
    assert happened.processed == (kind not in UNPROCESSED)
    assert (f"plain {kind}" in open_orders(wire)) == happened.processed
    assert wire.send(**BID)["status"] == "placed"


@pytest.mark.parametrize("kind", KINDS)
def test_our_client_sends_an_order_once_and_knows_whether_it_may_be_sent_again(wire, session, kind):
    faults = wire.server.faults
    before = len(faults.log)
    faults.plan("sendorder", kind, times=None)
    expected, name = EXPECTED[kind][1], f"ours {kind}"
    if expected is None:
        answer = session.request(OPERATIONS["sendorder"], {**BID, "cliOrdId": name})
        assert answer["sendStatus"]["status"] == "placed"
    else:
        with pytest.raises(expected) as caught:
            session.request(OPERATIONS["sendorder"], {**BID, "cliOrdId": name})
        assert type(caught.value) is expected
        assert caught.value.retry_safe == (kind in REFUSED)
    assert len(faults.log) == before + 1
    assert (name in open_orders(wire)) == last(faults).processed == (kind not in UNPROCESSED)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if EXPECTED[kind][1]])
def test_our_client_reads_again_after_a_passing_fault_alone(wire, session, kind):
    faults = wire.server.faults
    _, expected, passing = EXPECTED[kind]
    before = len(faults.log)
    faults.plan("openorders", kind, times=None)
    with pytest.raises(expected) as caught:
        session.request(OPERATIONS["openorders"])
    assert caught.value.retry_safe
    assert len(faults.log) - before == (MAX_ATTEMPTS if passing else 1)
    faults.clear()
    faults.plan("openorders", kind, times=MAX_ATTEMPTS - 1)
    if passing:
        assert session.request(OPERATIONS["openorders"])["result"] == "success"


@pytest.mark.parametrize(
    ("operation", "params", "path", "pattern"),
    [
        ("account_log", {"count": 1}, {}, "account-log"),
        ("candles", {}, {"tick_type": "mark", "symbol": "PF_XBTUSD", "resolution": "1h"}, "mark/*"),
        ("check_key", {}, {}, "api-keys/*"),
    ],
)
def test_every_api_may_be_unavailable_in_passing(wire, session, operation, params, path, pattern):
    faults = wire.server.faults
    before = len(faults.log)
    faults.plan(pattern, "http-503", times=None)
    with pytest.raises(errors.UnavailableError) as caught:
        session.request(OPERATIONS[operation], params, path)
    assert (caught.value.http_status, caught.value.retry_safe) == (503, True)
    assert len(faults.log) - before == MAX_ATTEMPTS


@pytest.mark.parametrize("kind", ["delay", "delay-after"])
def test_an_answer_that_is_later_than_the_client_waits(wire, kind):
    impatient = rest_session(wire.server, timeout=(1, 0.1))
    with contextlib.closing(impatient):
        wire.server.faults.plan("sendorder", kind, seconds=0.3)
        with pytest.raises(errors.RequestTimeout) as caught:
            impatient.request(OPERATIONS["sendorder"], {**BID, "cliOrdId": f"late {kind}"})
    assert not caught.value.retry_safe
    # The client has gone, and its order is executed all the same.
    assert last(wire.server.faults).processed
    assert f"late {kind}" in open_orders(wire)


def test_a_late_call_and_a_late_answer_differ_in_when_they_are_processed(wire):
    faults, clock = wire.server.faults, time.monotonic
    for kind in ("delay", "delay-after"):
        faults.plan("sendorder", kind, seconds=0.3)
        before, begin = len(faults.log), clock()
        thread = threading.Thread(target=wire.send, kwargs=BID)
        thread.start()
        wait_until(lambda before=before: len(faults.log) > before)
        last(faults)
        assert clock() - begin >= 0.3 if kind == "delay" else thread.is_alive()
        thread.join()
        assert clock() - begin >= 0.3


def test_a_trickle_outlasts_a_timeout_between_bytes(wire):
    patient = rest_session(wire.server, timeout=(1, 0.3))
    with contextlib.closing(patient):
        wire.server.faults.plan("openorders", "trickle", seconds=0.5)
        begin = time.monotonic()
        assert patient.request(OPERATIONS["openorders"])["result"] == "success"
        assert time.monotonic() - begin >= 0.5


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("http-500", 500, {"status": "internal server error", "reason": "internal server error"}),
        ("http-503", 503, {"status": "service unavailable", "reason": "Unavailable"}),
        ("nonce-low", 401, {"status": "unauthorized", "reason": "nonceBelowThreshold"}),
        ("nonce-duplicate", 401, {"status": "unauthorized", "reason": "nonceDuplicate"}),
    ],
)
def test_the_history_has_words_of_its_own(wire, kind, status, body):
    wire.server.faults.plan("account-log", kind)
    answer = wire.get(LOG)
    assert (answer.status_code, answer.json()) == (status, body)


def test_the_history_says_when_there_are_tokens_again(wire, session):
    wire.server.faults.plan("account-log", "http-429", times=2)
    answer = wire.get(LOG)
    assert (answer.status_code, answer.headers["content-type"]) == (429, TEXT)
    assert int(answer.headers["rate-limit-reset"]) > 0
    assert "logs" in session.request(OPERATIONS["account_log"])


def test_the_words_of_the_trading_api(wire):
    for kind, word in (
        ("http-429", "apiLimitExceeded"),
        ("http-503", "Unavailable"),
        ("nonce-low", "nonceBelowThreshold"),
        ("nonce-duplicate", "nonceDuplicate"),
    ):
        wire.server.faults.plan("accounts", kind)
        payload = wire.get(f"{V3}/accounts").json()
        assert (payload["result"], payload["error"]) == ("error", word)
        assert payload["serverTime"] == wire.v3("accounts")["serverTime"]


def test_a_redirect_leads_elsewhere(wire):
    wire.server.faults.plan("tickers", "redirect")
    answer = requests.get(f"{wire.server.base_url}{V3}/tickers", allow_redirects=False, timeout=5)
    assert answer.headers["location"].startswith("https://elsewhere.invalid/")


# Sockets ----------------------------------------------------------------------------------------------------------


def ask(server, target=f"{V3}/tickers/PF_XBTUSD"):
    """A socket that has asked."""
    host, port = server.base_url.removeprefix("http://").split(":")
    plain = socket.create_connection((host, int(port)), timeout=5)
    plain.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return plain


def read(plain):
    """Everything until the server hangs up."""
    pieces = []
    while piece := plain.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_closed_and_a_reset_connection_differ(server, when):
    server.faults.plan("tickers/*", f"drop-{when}")
    with ask(server) as plain:
        assert read(plain) == b""
    server.faults.plan("tickers/*", f"reset-{when}")
    with ask(server) as plain, pytest.raises(ConnectionResetError):
        read(plain)


@pytest.mark.parametrize(
    ("kind", "framing"),
    [
        ("truncate", b"content-length: "),
        ("truncate-chunked", b"transfer-encoding: chunked"),
        ("truncate-unframed", b""),
    ],
)
def test_a_truncated_body_promises_more_or_nothing(server, kind, framing):
    server.faults.plan("tickers/*", kind)
    with ask(server) as plain:
        head, _, body = read(plain).lower().partition(b"\r\n\r\n")
    assert head.startswith(b"http/1.1 200 ok\r\n")
    found = {name for name in (b"content-length: ", b"transfer-encoding: chunked") if name in head}
    assert found == ({framing} if framing else set())
    assert b'"ticker"' in body
    assert b"servertime" not in body
    if kind == "truncate":
        promised = int(head.partition(framing)[2].split(b"\r\n")[0])
        assert len(body) == promised // 2


def test_a_trickle_comes_in_pieces(server):
    server.faults.plan("tickers/*", "trickle", seconds=0.2)
    times = []
    with ask(server) as plain:
        text = b""
        while b"serverTime" not in text:
            text += plain.recv(65536)
            times.append(time.monotonic())
    assert len(times) > 5
    assert times[-1] - times[0] > 0.1


def test_a_client_that_leaves_in_the_middle_of_its_order_has_asked_nothing(server):
    server.faults.plan("sendorder", "drop-after")
    before = len(server.faults.log)
    host, port = server.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as plain:
        plain.sendall(f"POST {V3}/sendorder HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99\r\n\r\norder".encode())
        wait_until(lambda: len(server.faults.log) > before)
    happened = last(server.faults)
    assert (happened.kind, happened.processed, happened.asked) == ("drop-after", False, "")


def test_closing_the_server_ends_what_waits(caplog):
    with (
        caplog.at_level(logging.WARNING),
        PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty")) as server,
    ):
        server.faults.plan("tickers/*", "delay", seconds=60)
        server.faults.plan("tickers/*", "delay-after", seconds=60)
        server.faults.plan("tickers/*", "trickle", seconds=60)
        waiting = []
        for number in range(3):
            waiting.append(ask(server))
            wait_until(lambda number=number: len(server.faults.log) > number)
        last(server.faults)
        begin = time.monotonic()
        server.close()
        assert time.monotonic() - begin < 5
    assert [happened.processed for happened in server.faults.log] == [False, True, True]
    for plain in waiting:
        with plain:
            assert b"serverTime" not in read(plain)
    assert not caplog.records


# Our client as a whole --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if EXPECTED[kind][1] and kind not in REFUSED])
def test_the_fate_of_an_order_is_looked_up_and_it_is_never_sent_twice(wire, kind, monkeypatch):
    if kind in UNPROCESSED:  # on a clock that stands still no deadline passes, and so nobody ever knows
        monkeypatch.setattr(desk, "PATIENCE", 0.5)
    server, order = wire.server, kfut.Order("PF_XBTUSD", "buy", 0.001, limit_price=50000, cli_ord_id=f"fate {kind}")
    keys = {"api_key": server.api_key, "api_secret": server.api_secret}
    with kfut.connect("paper", base_url=server.base_url, trading=True, **keys) as client:
        client.instruments()
        before = len(server.faults.log)
        server.faults.plan("sendorder", kind, times=None)
        result = client.place(order)
    assert len(server.faults.log) == before + 1
    assert result.status == ("unknown" if kind in UNPROCESSED else "placed")
    assert (f"fate {kind}" in open_orders(wire)) == (kind not in UNPROCESSED)


# Concurrency ------------------------------------------------------------------------------------------------------


def test_the_log_tells_the_truth_about_every_order_of_many_threads(wire):
    server, each = wire.server, 25
    rates = dict.fromkeys(KINDS, 0.7 / len(KINDS))
    server.faults.at_random(11, rates, operation="POST sendorder", seconds=0.02)
    before, lost = len(server.faults.log), []

    def trade(number):
        with contextlib.closing(rest_session(server)) as session:
            for order in range(each):
                name = f"t{number}-{order}"
                try:
                    answer = session.request(OPERATIONS["sendorder"], {**BID, "cliOrdId": name})
                    assert answer["sendStatus"]["status"] == "placed"
                except errors.VenueError:
                    lost.append(name)

    threads = [threading.Thread(target=trade, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(20):  # others, whom it does not concern
        with ask(server) as plain:
            assert plain.recv(65536).startswith(b"HTTP/1.1 200")
    for thread in threads:
        thread.join()
    last(server.faults)
    happened = {parse_qs(mishap.asked)["cliOrdId"][0]: mishap for mishap in server.faults.log[before:]}
    placed = set(open_orders(wire))
    names = {f"t{number}-{order}" for number in range(8) for order in range(each)}
    assert {name for name in names if name not in happened or happened[name].processed} == placed & names
    assert set(lost) == {name for name, mishap in happened.items() if EXPECTED[mishap.kind][1]}
    assert sorted(mishap.call for mishap in happened.values()) == sorted({m.call for m in happened.values()})
    assert len({mishap.kind for mishap in happened.values()}) > 15
