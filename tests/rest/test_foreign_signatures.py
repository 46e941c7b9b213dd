"""What goes out on the wire is signed as two other clients of the exchange sign the same text.

Only their signing functions are called; nothing is sent by them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from kfut_analytics.rest.endpoints import OPERATIONS
from kfut_analytics.rest.session import RestSession
from kfut_analytics.rest.signing import Signer
from kfut_analytics.settings import Credentials, Secret
from tests.conftest import SAMPLE_KEY, SAMPLE_SECRET
from tests.replay import Seen

ccxt = pytest.importorskip("ccxt")
kraken_sdk = pytest.importorskip("kraken.base_api")


class Listener:
    """Takes requests of any method and remembers the last one."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.seen.append(Seen(self.command, self.path, dict(self.headers), body))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b'{"result":"success"}')

            do_GET = do_POST = do_PUT = do_DELETE = _reply

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


ORDER = {
    "orderType": "lmt",
    "symbol": "PI_XBTUSD",
    "side": "buy",
    "size": "1",
    "limitPrice": "25000.5",
    "cliOrdId": "order 1+2/3=ü",
}

# Name of the operation, ccxt's part of the API, parameters in the path, parameters.
CASES: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "GET": ("accounts", "private", {}, {}),
    "GET with a time": ("fills", "private", {}, {"lastFillTime": "2026-02-20T10:11:12.345Z"}),
    "POST": ("sendorder", "private", {}, ORDER),
    "POST with nothing": ("cancelallorders", "private", {}, {}),
    "PUT": ("set_leveragepreferences", "private", {}, {"symbol": "PF_XBTUSD", "maxLeverage": "5"}),
    "DELETE": ("delete_rfq_assignment_max_leverage", "private", {}, {}),
    "DELETE with a path": ("rfq_cancel_offer", "private", {"rfqUid": "d0692c0c-742e-4d88"}, {}),
    "history": ("executions", "history", {}, {"sort": "asc", "continuation_token": "MTc5MDQy/NzI3MC8+MTEx="}),
    "account log": ("account_log", "history", {}, {"count": "500", "sort": "asc", "info": "futures trade"}),
}


@pytest.mark.parametrize("nonce", [False, True], ids=["without nonce", "with nonce"])
@pytest.mark.parametrize("case", CASES)
def test_two_other_clients_sign_the_same(case: str, nonce: bool, listener: Listener) -> None:
    name, part, in_path, params = CASES[case]
    operation = OPERATIONS[name]
    signer = Signer(Credentials(SAMPLE_KEY, Secret(SAMPLE_SECRET)), nonce=nonce)
    session = RestSession(listener.url, signer, trading=True)
    session.request(operation, params, in_path)
    session.close()
    sent = listener.seen[-1]
    path, _, query = sent.target.partition("?")
    assert sent.method == operation.method == case.split()[0] or part == "history"
    assert sent.headers["APIKey"] == SAMPLE_KEY
    assert ("Nonce" in sent.headers) == nonce
    if operation.method == "POST":
        assert not query
        assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    else:
        assert not sent.body
    text = query or sent.body.decode()

    sdk: Any = kraken_sdk.FuturesClient(SAMPLE_KEY, SAMPLE_SECRET, url=listener.url)
    sdk.get_nonce = lambda: sent.headers.get("Nonce", "")
    posted = params if operation.method == "POST" else {}
    method, url, headers, body, its_query = sdk._prepare_request(
        sent.method, path, post_params=posted, query_params={} if posted else params
    )
    assert (method, url) == (sent.method, listener.url + path)
    # It writes + for a space, which is as good as long as it is what is signed.
    assert (its_query + body).replace("+", "%20") == text
    assert sdk._get_kraken_futures_signature(path, text, sent.headers.get("Nonce", "")) == sent.headers["Authent"]
    if its_query + body == text:
        assert headers["Authent"] == sent.headers["Authent"]

    if not nonce:  # ccxt never sends one
        base = {"private": "/derivatives/api/v3/", "history": "/api/history/v3/"}[part]
        other = ccxt.krakenfutures({"apiKey": SAMPLE_KEY, "secret": SAMPLE_SECRET})
        signed = other.sign(path.removeprefix(base), [part], sent.method, params | {"version": "v3"})
        assert urlsplit(signed["url"]).path == path
        assert urlsplit(signed["url"]).query == text
        assert signed["headers"]["APIKey"] == SAMPLE_KEY
        assert signed["headers"]["Authent"] == sent.headers["Authent"]
