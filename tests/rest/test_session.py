"""Requests go out as they were signed, and every kind of bad answer becomes an error that says what to do."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

import kfut_analytics as kfut
from kfut_analytics import errors
from kfut_analytics.rest import retry
from kfut_analytics.rest.budget import Budget
from kfut_analytics.rest.endpoints import OPERATIONS
from kfut_analytics.rest.session import RestSession
from kfut_analytics.rest.signing import Signer
from kfut_analytics.settings import Credentials, Secret
from tests.conftest import SAMPLE_KEY, SAMPLE_SECRET
from tests.replay import Answer, ReplayServer

Replay = Callable[..., tuple[kfut.Client, ReplayServer]]

ACCOUNTS = "/derivatives/api/v3/accounts"
LOG = "/api/history/v3/account-log"


def failing(replay: Replay, answer: Answer, path: str = ACCOUNTS) -> errors.VenueError:
    client, _ = replay({path: answer})
    with pytest.raises(errors.VenueError) as caught:
        client.accounts() if path == ACCOUNTS else client.account_log()
    assert SAMPLE_SECRET not in str(caught.value)
    return caught.value


def test_what_is_signed_is_what_is_sent(replay: Replay) -> None:
    body = json.dumps({"result": "success", "fills": []}).encode()
    client, server = replay({"/derivatives/api/v3/fills": Answer(body)})
    client.fills(end="2026-11-01T10:11:12.345Z")
    (seen,) = server.seen
    path, _, query = seen.target.partition("?")
    assert query == "lastFillTime=2026-11-01T10%3A11%3A12.346Z"
    assert seen.headers["APIKey"] == SAMPLE_KEY
    assert seen.headers["Authent"] == Signer(Credentials(SAMPLE_KEY, Secret(SAMPLE_SECRET))).sign(path, query)
    assert "Nonce" not in seen.headers


def test_public_calls_are_not_signed(replay: Replay) -> None:
    body = json.dumps({"result": "success", "tickers": []}).encode()
    client, server = replay({"/derivatives/api/v3/tickers": Answer(body)})
    assert client.tickers().empty
    assert {"APIKey", "Authent"} & set(server.seen[0].headers) == set()


def test_recorded_authentication_error_at_http_200(replay: Replay, recordings: Path) -> None:
    body = (recordings / "csharp_live_2026_09" / "error_authentication__1.json").read_bytes()
    error = failing(replay, Answer(body))
    assert isinstance(error, errors.AuthenticationError)
    assert error.words == "authenticationError"
    assert "futures key" in str(error)


def test_recorded_bad_request(replay: Replay, recordings: Path) -> None:
    body = (recordings / "csharp_live_2026_09" / "error_bad_request__1.json").read_bytes()
    error = failing(replay, Answer(body, 400))
    assert isinstance(error, errors.InvalidRequestError)
    assert error.words == "Argument invalid: symbol (code 11)"
    assert error.http_status == 400


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (200, {"result": "error", "error": "apiLimitExceeded"}, errors.RateLimitError, "apiLimitExceeded"),
        (200, {"result": "error", "error": "Unavailable"}, errors.UnavailableError, "Unavailable"),
        (200, {"result": "error", "error": "invalidArgument: symbol"}, errors.InvalidRequestError, "symbol"),
        (200, {"result": "error", "error": "nonceDuplicate"}, errors.AuthenticationError, "nonceDuplicate"),
        (200, {"result": "error", "error": "somethingNew"}, errors.ExchangeError, "somethingNew"),
        (200, {"result": "error", "errors": ["marketUnavailable"]}, errors.UnavailableError, "marketUnavailable"),
        (200, {"result": "error"}, errors.ExchangeError, ""),
        (200, {"result": "error", "error": "apiLimitExceeded", "errors": ["x"]}, errors.RateLimitError, "apiLimitExc"),
        (200, {"result": "error", "error": {"odd": 1}}, errors.ExchangeError, "odd"),
        (401, {"status": "unauthorized", "reason": "bad key"}, errors.AuthenticationError, "bad key"),
        (401, {"error": "Unauthorized", "message": "no", "suberror": None}, errors.AuthenticationError, "no"),
        (404, {"result": "error", "error": "notFound"}, errors.NotFoundError, "notFound"),
        (500, {"errors": [{"code": 87, "message": "CONTRACT_DOES_NOT_EXIST"}]}, errors.NotFoundError, "code 87"),
        (500, {"errors": [{"code": 92, "message": "INSUFFICIENT_MARGIN"}]}, errors.ExchangeError, "INSUFFICIENT"),
    ],
)
def test_error_bodies(
    status: int, body: dict[str, object], kind: type[errors.VenueError], words: str, replay: Replay
) -> None:
    error = failing(replay, Answer(json.dumps(body).encode(), status))
    assert type(error) is kind
    assert words in error.words
    assert error.http_status == status


class Sleeper:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_refused_history_call_waits_as_long_as_the_exchange_says(replay: Replay) -> None:
    _, server = replay({LOG: Answer(b"Too many requests", 429, "text/plain", {"rate-limit-reset": "42"})})
    sleeper, told = Sleeper(), []
    budget = Budget(clock=sleeper.clock, sleep=sleeper.sleep)
    session = RestSession(server.url, budget=budget, sleep=sleeper.sleep)
    with contextlib.closing(session), pytest.raises(errors.RateLimitError, match="refills in 42 s") as caught:
        session.request(OPERATIONS["account_log"], on_wait=told.append)
    assert caught.value.retry_after == 42
    assert len(server.seen) == retry.MAX_ATTEMPTS
    assert sum(sleeper.slept) == pytest.approx(42 * (retry.MAX_ATTEMPTS - 1))
    assert all("tokens of the history pool" in text for text in told)


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        (Answer(b"<html>", 502, "text/html"), retry.MAX_ATTEMPTS),
        (Answer(b"<html>", 503, "text/html"), retry.MAX_ATTEMPTS),
        (Answer(b'{"result":"error","error":"Unavailable"}'), retry.MAX_ATTEMPTS),
        (Answer(b'{"result":"error","error":"apiLimitExceeded"}'), retry.MAX_ATTEMPTS),
        (Answer(b'{"result":"error","error":"authenticationError"}'), 1),
        (Answer(b'{"result":"error","error":"somethingNew"}'), 1),
        (Answer(b"<html>", 200, "text/html"), 1),
        (Answer(b"<html>", 500, "text/html"), 1),
    ],
)
def test_reads_are_repeated_for_passing_faults_only(answer: Answer, attempts: int, replay: Replay) -> None:
    client, server = replay({ACCOUNTS: answer})
    with pytest.raises(errors.VenueError):
        client.accounts()
    assert len(server.seen) == attempts


def test_a_read_that_recovers_is_no_error(replay: Replay) -> None:
    client, server = replay({})
    good = Answer(b'{"result":"success","fills":[]}')

    class Flaky(dict[str, Answer]):
        def get(self, path: str, default: object = None) -> Answer:
            return Answer(b"<html>", 503, "text/html") if len(server.seen) < 3 else good

    server.answers = Flaky()
    assert client.fills().empty
    assert len(server.seen) == 3


def test_a_redirect_is_never_followed(replay: Replay) -> None:
    client, server = replay({ACCOUNTS: Answer(b"", 301, headers={"Location": "https://www.example.com/features"})})
    with pytest.raises(errors.UnexpectedResponse, match=r"redirect to https://www\.example\.com"):
        client.accounts()
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(b"<html>maintenance</html>", 200, "text/html"), errors.UnexpectedResponse),
        (Answer(b"<html>bad gateway</html>", 502, "text/html"), errors.UnavailableError),
        (Answer(b'{"result": "succ', 200), errors.UnexpectedResponse),
        (Answer(b"[]", 200), errors.UnexpectedResponse),
        (Answer(b'{"result": "success"}', 200), errors.DecodeError),
        (Answer(b'{"result": "success", "accounts": []}', 200), errors.DecodeError),
        (Answer(b'{"result": "success", "accounts": {"flex": 3}}', 200), errors.DecodeError),
    ],
)
def test_answers_that_are_not_the_apis(answer: Answer, kind: type[errors.VenueError], replay: Replay) -> None:
    assert type(failing(replay, answer)) is kind


def test_a_missing_container_is_an_error_not_an_empty_account(replay: Replay) -> None:
    client, _ = replay({"/derivatives/api/v3/openpositions": Answer(b'{"result": "success"}')})
    with pytest.raises(errors.DecodeError, match="'openPositions' is missing"):
        client.positions()


def test_an_unreadable_value_is_named(replay: Replay) -> None:
    body = b'{"result":"success","fills":[{"fill_id":"a","price":"dear"}]}'
    client, _ = replay({"/derivatives/api/v3/fills": Answer(body)})
    with pytest.raises(errors.DecodeError, match=r"fills\.price: the value 'dear'"):
        client.fills()


def test_nothing_listening_is_a_connection_that_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = kfut.connect("live", base_url=f"http://127.0.0.1:{port}", api_key=SAMPLE_KEY, api_secret=SAMPLE_SECRET)
    with client, pytest.raises(errors.ConnectionFailed) as caught:
        client.accounts()
    assert caught.value.retry_safe


def test_a_connection_cut_after_the_request_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def cut() -> None:
            for _ in range(2 * retry.MAX_ATTEMPTS):  # the check of the key, then the call
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)

        thread = threading.Thread(target=cut)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with kfut.connect("live", base_url=url, api_key=SAMPLE_KEY, api_secret=SAMPLE_SECRET) as client:
            with pytest.raises(errors.ConnectionLost):
                client.accounts()
            thread.join()


@pytest.fixture
def https_url() -> Iterator[str]:
    """An https server on this machine whose certificate nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            listener.settimeout(0.05)
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        thread.join()


def test_an_untrusted_certificate_is_refused_before_anything_is_sent(https_url: str) -> None:
    with (
        kfut.connect("live", base_url=https_url, api_key=SAMPLE_KEY, api_secret=SAMPLE_SECRET) as client,
        pytest.raises(errors.ConnectionFailed, match="TLS certificate was refused") as caught,
    ):
        client.accounts()
    assert not caught.value.retry_safe


def test_no_answer_in_time_leaves_an_order_in_doubt_and_is_not_repeated() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        session = RestSession(url, trading=True, timeout=(1.0, 0.05))
        with contextlib.closing(session):
            with pytest.raises(errors.RequestTimeout, match="may have been processed") as order:
                session.request(OPERATIONS["sendorder"])
            with pytest.raises(errors.RequestTimeout) as read:
                session.request(OPERATIONS["tickers"])
        silent.settimeout(1)
        arrived = [silent.accept()[0] for _ in range(1 + retry.MAX_ATTEMPTS)]
        sent = [connection.recv(65536).split(b" ", 1)[0] for connection in arrived]
        for connection in arrived:
            connection.close()
    assert (order.value.retry_safe, read.value.retry_safe) == (False, True)
    assert sorted(sent) == [b"GET"] * retry.MAX_ATTEMPTS + [b"POST"]


def test_a_private_call_without_a_key_names_the_remedy() -> None:
    with kfut.connect("live") as client, pytest.raises(errors.CredentialsError, match="KRAKEN_FUTURES_API_KEY"):
        client.accounts()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://futures.example.com", errors.ConfigurationError),
        ("http://127.example.com", errors.ConfigurationError),
        ("http://127.0.0.1.example.com", errors.ConfigurationError),
        ("http://localhost.example.com", errors.ConfigurationError),
        ("ftp://127.0.0.1", errors.ArgumentError),
        ("https://user@127.0.0.1", errors.ArgumentError),
        ("https://futures.example.com/derivatives", errors.ArgumentError),
        ("127.0.0.1:80", errors.ArgumentError),
    ],
)
def test_keys_go_only_to_https_or_to_this_machine(url: str, kind: type[errors.KfutError]) -> None:
    with pytest.raises(kind):
        kfut.connect("live", base_url=url)


def test_half_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_FUTURES_API_KEY", SAMPLE_KEY)
    with pytest.raises(errors.CredentialsError, match="KRAKEN_FUTURES_API_SECRET"):
        kfut.connect("live")


def test_keys_from_the_environment_in_their_order(monkeypatch: pytest.MonkeyPatch, replay: Replay) -> None:
    for prefix, key in (("KRAKEN", "second"), ("KRAKEN_FUTURES", "first")):
        monkeypatch.setenv(f"{prefix}_API_KEY", key)
        monkeypatch.setenv(f"{prefix}_API_SECRET", SAMPLE_SECRET)
    client, server = replay({}, api_key=None, api_secret=None)
    with pytest.raises(errors.NotFoundError):
        client.accounts()
    assert server.seen[0].headers["APIKey"] == "first"
