"""The way to the exchange: name, connection, certificate, proxy, redirect; and the clock, from what it answers."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .. import settings
from ..errors import ArgumentError, ConfigurationError
from .finding import Finding

if TYPE_CHECKING:
    import requests

AREA = "network"
CLOCK = "clock"
PATH = "/derivatives/api/v3/instruments/status"
"""A public operation with a short answer that says the exchange's time."""

MOST_SKEW = 5.0
"""Seconds a clock may be wrong. Signatures hold no time; orders with a deadline and figures of today do."""

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def exchange_reached(base_url: str, timeout: float = 10.0) -> Iterator[Finding]:
    """Ask the exchange one public question."""
    import requests

    try:
        url = settings.checked_base_url(base_url)
    except (ArgumentError, ConfigurationError) as error:
        yield Finding.problem(AREA, str(error), f"give --base-url {settings.LIVE_URL}, or leave it out")
        return
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    used = requests.utils.get_environ_proxies(url).get(parts.scheme)
    if used:
        through = urlsplit(used).hostname or "one that cannot be read"
        yield Finding.note(
            AREA, f"requests go through the proxy {through}", f"not meant? unset {', '.join(_set_proxies())}"
        )
    else:
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            yield Finding.problem(
                AREA, f"the name {host} is not found ({error})", "is this machine online, and its DNS right?"
            )
            return
    started = time.time()
    try:
        answer = requests.get(url + PATH, timeout=timeout, allow_redirects=False)
    except requests.exceptions.ProxyError:
        yield Finding.problem(AREA, "the proxy does not let requests through", f"correct {', '.join(_set_proxies())}")
    except requests.exceptions.SSLError as error:
        yield Finding.problem(
            AREA,
            f"the certificate of {host} is not accepted ({_reason(error)})",
            "is the clock right? If your company inspects connections, point REQUESTS_CA_BUNDLE at its certificate",
        )
    except requests.exceptions.Timeout:
        yield Finding.problem(AREA, f"{host} does not answer within {timeout:g} s", "does a firewall stop port 443?")
    except requests.exceptions.RequestException as error:
        yield Finding.problem(
            AREA, f"there is no connection to {host}:{port} ({_reason(error)})", "does a firewall stop it?"
        )
    else:
        yield from _answered(host, answer, started, time.time())


def _answered(host: str, answer: requests.Response, started: float, ended: float) -> Iterator[Finding]:
    if answer.is_redirect or 300 <= answer.status_code < 400:
        target = urlsplit(answer.headers.get("Location", "")).hostname or "elsewhere"
        yield Finding.problem(
            AREA, f"{host} sends requests on to {target}", "log in to your network; never follow it with keys"
        )
        return
    if answer.status_code in (403, 451):
        yield Finding.problem(
            AREA,
            f"{host} refuses this machine (HTTP {answer.status_code})",
            "is it in a country or network it does not serve?",
        )
        return
    if answer.status_code >= 500:
        yield Finding.problem(AREA, f"{host} is down (HTTP {answer.status_code})", "see its status page, and try later")
        return
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "result" not in body:
        yield Finding.problem(
            AREA, f"{host} does not answer as the exchange does", "is the address right, or a login page in between?"
        )
        return
    yield Finding.ok(AREA, f"{host} answers in {1000 * (ended - started):.0f} ms")
    yield from _clock(body.get("serverTime"), answer.headers.get("Date"), started, ended)


def _clock(server_time: object, date: str | None, started: float, ended: float) -> Iterator[Finding]:
    """This machine's clock beside the exchange's; a Date header has whole seconds only."""
    try:
        if isinstance(server_time, str):
            theirs, precision = datetime.fromisoformat(server_time).replace(tzinfo=UTC).timestamp(), 0.0
        else:
            theirs, precision = parsedate_to_datetime(date or "").timestamp() + 0.5, 0.5
    except (ValueError, TypeError):
        yield Finding.note(CLOCK, "the exchange did not say its time")
        return
    skew, error = (started + ended) / 2 - theirs, (ended - started) / 2 + precision
    if abs(skew) - error > MOST_SKEW:
        way = "ahead" if skew > 0 else "behind"
        yield Finding.problem(
            CLOCK,
            f"this machine's clock is {abs(skew):,.0f} s {way} of the exchange's",
            "switch on its automatic time (NTP)",
        )
    else:
        yield Finding.ok(CLOCK, f"right to {max(abs(skew), error):.1f} s")


def _set_proxies() -> list[str]:
    names = [name for name in os.environ if name.upper() in _PROXIES]
    return names or ["the proxy of the system's settings"]


def _reason(error: Exception) -> str:
    """The words at the bottom of a chain of errors."""
    inner: BaseException = error
    while (below := inner.__cause__ or inner.__context__ or _argument(inner)) is not None:
        inner = below
    return str(getattr(inner, "verify_message", "") or getattr(inner, "strerror", "") or inner)


def _argument(error: BaseException) -> BaseException | None:
    reasons = [getattr(error, "reason", None), *error.args]
    return next((one for one in reasons if isinstance(one, BaseException)), None)
