"""A trader's end of the wire: signs requests by the published rule, independently of the server's own code."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import quote, urlencode

import pytest
import requests

from kfut_analytics.paper.clock import ManualClock, WallClock
from kfut_analytics.paper.demo import open_demo, open_empty
from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.orders import OrderRequest
from kfut_analytics.paper.engine.preferences import Preferences
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.paper.wire.auth import ApiKey

from .middleman import Middleman

NOW = 1_795_334_400.0 + 1234.5  # some minutes after a full hour


TIMEOUT = 15  # whoever asks first for years of prices waits for some seconds


def signature(secret: str, path: str, text: bytes, nonce: str = "") -> str:
    """``Authent`` of a request for a path, with the text of query and body as they are sent."""
    digest = hashlib.sha256(text + nonce.encode() + path.removeprefix("/derivatives").encode()).digest()
    return base64.b64encode(hmac.new(base64.b64decode(secret), digest, hashlib.sha512).digest()).decode()


class Wire:
    """Requests to one server; ``key`` and ``secret`` may be replaced to sign otherwise."""

    def __init__(self, server):
        self.server = server
        self.session = requests.Session()
        self.key, self.secret = server.api_key, server.api_secret

    def close(self):
        self.session.close()

    def headers(self, path, data, nonce=""):
        headers = {"APIKey": self.key, "Authent": signature(self.secret, path, data.encode(), nonce)}
        return headers | ({"Nonce": nonce} if nonce else {})

    def get(self, path, nonce="", **params):
        query = urlencode(params, quote_via=quote, doseq=True)
        url = self.server.base_url + path + (f"?{query}" if query else "")
        return self.session.get(url, headers=self.headers(path, query, nonce), timeout=TIMEOUT)

    def put(self, path, **params):
        query = urlencode(params, quote_via=quote)
        return self.session.put(
            f"{self.server.base_url}{path}?{query}", headers=self.headers(path, query), timeout=TIMEOUT
        )

    def delete(self, path):
        return self.session.delete(self.server.base_url + path, headers=self.headers(path, ""), timeout=TIMEOUT)

    def post(self, path, nonce="", **params):
        body = urlencode(params, quote_via=quote, doseq=True)
        headers = self.headers(path, body, nonce) | {"Content-Type": "application/x-www-form-urlencoded"}
        return self.session.post(self.server.base_url + path, data=body, headers=headers, timeout=TIMEOUT)

    def v3(self, name, method="get", **params):
        """The payload of a successful call of the trading API."""
        answer = getattr(self, method)(f"/derivatives/api/v3/{name}", **params)
        payload = answer.json()
        assert (answer.status_code, payload["result"]) == (200, "success"), payload
        return payload

    def elements(self, path, **params):
        """Every element of a history list, page by page."""
        found, more = [], {}
        while True:
            answer = self.get(path, **params, **more)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            assert page["len"] == len(page["elements"])
            found += page["elements"]
            token = page.get("continuationToken")
            assert answer.headers.get("Next-Continuation-Token") == token
            assert answer.headers["is-truncated"] == ("false" if token is None else "true")
            if token is None:
                return found
            more = {"continuation_token": token}

    def send(self, **params):
        return self.v3("sendorder", "post", **params)["sendStatus"]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """The demo account on a clock that runs from a fixed moment on: prices are the same whenever the tests run."""
    with PaperServer(open_demo(3, WallClock(start=NOW)), ApiKey("demo")) as server:
        client = Wire(server)
        yield client
        client.close()


@pytest.fixture(scope="session")
def demo() -> Exchange:
    """The demo account on a stopped clock; read only."""
    return open_demo(0, ManualClock(NOW))


@pytest.fixture
def exchange() -> Exchange:
    """A fresh account with 10,000 USD on a stopped clock."""
    return open_empty(0, ManualClock(NOW))


# Other clients of the exchange -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo_server() -> Iterator[PaperServer]:
    """The demo account on a clock that stands still at the machine's time, by which other clients count."""
    with PaperServer(open_demo(0, ManualClock(round(time.time(), 3))), ApiKey("demo")) as server:
        yield server


@pytest.fixture(scope="module")
def server() -> Iterator[PaperServer]:
    """An account with 10,000 USD on a stopped clock."""
    with PaperServer(open_empty(0, ManualClock(NOW)), ApiKey("empty")) as server:
        yield server


@pytest.fixture
def account(server: PaperServer) -> Iterator[Account]:
    """The account of `server`; it is left flat, without orders, and a minute later."""
    account = server.exchange.accounts["empty"]
    yield account
    server.exchange.cancel_all(account)
    for symbol, position in list(account.positions.items()):
        side = "sell" if position.size > 0 else "buy"
        server.exchange.submit(account, OrderRequest(symbol, side, "mkt", Decimal(str(abs(position.size)))))
    assert not account.positions
    account.preferences = Preferences()
    server.exchange.advance(60)


@pytest.fixture
def middleman() -> Iterator[Middleman]:
    """A proxy that may change what passes."""
    between = Middleman()
    yield between
    between.close()
