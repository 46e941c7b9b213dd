"""Public data of another exchange: one GET at a time, which carries nothing but its path and its query."""

from __future__ import annotations

import http.cookiejar
import ipaddress
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import requests.adapters
import requests.utils

from kfut_analytics.errors import ArgumentError, TransportError, UnavailableError, UnexpectedResponse

LIVE_URL = "https://futures.kraken.com"
"""The exchange itself (api-facts 1.1)."""

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0
LARGEST_ANSWER = 64 * 2**20
# Between pieces of an answer that drips in somebody looks at the clock.
_PIECE = 2**12
_HEADERS = {"Accept": "application/json", "User-Agent": "kfut_analytics"}

Query = Mapping[str, str]

TRADING = "/derivatives/api/v3"
CHARTS = "/api/charts/v1"


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer in JSON, with whatever status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Source:
    """The public data of the exchange at an address; any thread may ask.

    Parameters
    ----------
    base_url
        Scheme, host and port: https, or http to this machine.
    seconds
        So long a complete answer may take, unless a call says otherwise.

    Raises
    ------
    ArgumentError
        If it is no such address.
    """

    def __init__(self, base_url: str, *, seconds: float = ANSWER_SECONDS) -> None:
        self.base_url = _checked(base_url)
        self._seconds = seconds
        self._session = requests.Session()
        # No password of a .netrc file and no cookie belongs in here; the proxy of the environment is used.
        self._session.trust_env = False
        self._session.proxies = dict(requests.utils.get_environ_proxies(self.base_url, no_proxy=None))
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        self._session.headers.update(_HEADERS)
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=8)
        self._session.mount(self.base_url, adapter)

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._session.close()

    def get(self, path: str, query: str = "", *, seconds: float | None = None) -> Answer:
        """Ask once.

        Raises
        ------
        TransportError
            If no complete answer came in time.
        UnexpectedResponse
            If the answer is a redirect, too large, or no JSON.
        """
        limit = self._seconds if seconds is None else seconds
        url = f"{self.base_url}{path}" + (f"?{query}" if query else "")
        deadline = time.monotonic() + limit
        try:
            with self._session.get(
                url, timeout=(min(CONNECT_SECONDS, limit), limit), allow_redirects=False, stream=True
            ) as response:
                kind = response.headers.get("content-type", "")
                if response.is_redirect or kind.partition(";")[0].strip().lower() != "application/json":
                    raise UnexpectedResponse(
                        f"{url} answered with {kind or 'no content type'} at HTTP {response.status_code}, not with JSON"
                    )
                pieces: list[bytes] = []
                size = 0
                for piece in response.iter_content(_PIECE):
                    pieces.append(piece)
                    size += len(piece)
                    if size > LARGEST_ANSWER:
                        raise UnexpectedResponse(f"{url} answered with more than {LARGEST_ANSWER} bytes")
                    if time.monotonic() > deadline:
                        raise TransportError(f"{url} had not answered completely after {limit:g} s")
                return Answer(response.status_code, response.headers, b"".join(pieces))
        except requests.RequestException as error:
            raise TransportError(f"{url} did not answer: {_in_words(error, limit)}") from error

    def payload(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float | None = None
    ) -> dict[str, Any]:
        """The payload of a call that succeeds.

        Raises
        ------
        TransportError, UnexpectedResponse
            As `get`; also if the payload is no JSON object.
        UnavailableError
            If the exchange refuses.
        """
        answer = self.get(path, urlencode(params or {}), seconds=seconds)
        try:
            payload = json.loads(answer.body)
        except ValueError as error:
            raise UnexpectedResponse(f"{self.base_url}{path} answered with broken JSON: {error}") from error
        if not isinstance(payload, dict):
            raise UnexpectedResponse(f"{self.base_url}{path} answered with JSON that is no object")
        # The charts have no word for success.
        if answer.status != 200 or payload.get("result", "success") != "success":
            words = str(payload.get("error") or payload.get("errors") or payload.get("reason") or "")
            raise UnavailableError(
                f"{self.base_url}{path} is refused: {words or 'HTTP'} {answer.status}",
                words=words,
                http_status=answer.status,
            )
        return payload


def _in_words(error: requests.RequestException, seconds: float) -> str:
    match error:
        case requests.Timeout():
            return f"nothing came within {seconds:g} s"
        case requests.ConnectionError():
            return "there is no connection"
        case _:
            return str(error)


def _checked(base_url: str) -> str:
    """A base URL: https, or plain http to this machine, where nobody can put other prices in between."""
    try:
        parts = urlsplit(base_url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        valid = valid and parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)
    except (ValueError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise ArgumentError(
            f"market_url={base_url!r} is not the address of an exchange: give scheme, host and port only, "
            f"such as {LIVE_URL!r}"
        )
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise ArgumentError(
            f"market_url={base_url!r} is not encrypted: prices come from https hosts or from this machine"
        )
    return base_url.rstrip("/")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
