"""One signed request: build, sign, send, check. Every answer is either JSON of the API or an error of ours."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Protocol, cast
from urllib.parse import quote

import msgspec
import requests
import requests.adapters
import requests.utils

from .._version import __version__
from ..errors import (
    AuthenticationError,
    ConnectionFailed,
    ConnectionLost,
    CredentialsError,
    ExchangeError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    ReadOnlyError,
    RequestTimeout,
    TransportError,
    UnavailableError,
    UnexpectedResponse,
    VenueError,
)
from ..settings import is_loopback
from .budget import Budget, OnWait, shared_budget
from .clock import ExchangeClock
from .endpoints import Operation, Placement, Pool, cost
from .retry import luck, retry_delay
from .signing import Signer, encode

_log = logging.getLogger("kfut_analytics.rest")

TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and between two bytes of an answer."""

_PIECE = 2**20
"""Bytes of an answer read at once: most pages of history."""


class Decoder(Protocol):
    """Reads JSON."""

    def decode(self, text: bytes, /) -> Any:
        """What the text says."""


GENERAL: Decoder = msgspec.json.Decoder()
_EXACT: Decoder = msgspec.json.Decoder(float_hook=Decimal)

RATE_HEADER = "Kfut-Clock-Rate"
"""How fast the clock of a paper exchange goes, where it is not the machine's own."""

LIMIT_PAUSE = 10.0
"""Seconds without a request after the exchange reported an empty pool and did not say for how long."""

_CONTENT_TYPES: dict[Placement, dict[str, str]] = {
    "query": {},
    "form": {"Content-Type": "application/x-www-form-urlencoded"},
    "json": {"Content-Type": "application/json"},
}

_ERRORS: dict[str, tuple[type[ExchangeError], str]] = {
    "authenticationerror": (
        AuthenticationError,
        "check that key and secret belong together, that the key is a futures key (spot keys are refused) "
        "and that it has the permission for this call",
    ),
    "unauthorized": (
        AuthenticationError,
        "check that key and secret belong together and are of the futures site",
    ),
    "insufficientprivileges": (AuthenticationError, "the key lacks the permission for this call"),
    "noncebelowthreshold": (AuthenticationError, "another program uses the same key with higher nonces"),
    "nonceduplicate": (AuthenticationError, "another program uses the same key with the same nonce"),
    "accountinactive": (AuthenticationError, "the account is not active; see the exchange's site"),
    "apilimitexceeded": (RateLimitError, "wait ten seconds"),
    "too_many_requests": (RateLimitError, "wait ten seconds"),
    "unavailable": (UnavailableError, "the exchange is not available; try again later"),
    "marketunavailable": (UnavailableError, "the market is not available; try again later"),
    "notfound": (NotFoundError, "check the symbol or id"),
    "not_found": (NotFoundError, "check the symbol or id"),
    "contract_does_not_exist": (NotFoundError, "check the symbol"),
    "contractnotfound": (NotFoundError, "check the symbol"),
    "invalidargument": (InvalidRequestError, "check the argument it names"),
    "requiredargumentmissing": (InvalidRequestError, "give the argument it names"),
    "bad_request": (InvalidRequestError, "check the arguments"),
}
"""Exchange words, folded, to our error and the remedy; matched by prefix (``invalidArgument: symbol`` exists)."""


_unsigned: list[bool] = []


@contextmanager
def unsigned_requests() -> Iterator[None]:
    """Allow private calls without a key: their answers come from a recording, nothing is sent."""
    _unsigned.append(True)
    try:
        yield
    finally:
        _unsigned.pop()


class RestSession:
    """Sends requests to one exchange with one key, over kept-alive connections.

    Parameters
    ----------
    base_url
        Scheme, host and port.
    signer
        Signs private calls; None allows public calls only (and, on this machine, unsigned private ones, for local
        servers that check no key).
    trading
        Whether calls that may change something are sent; refused otherwise, whoever asks.
    timeout
        Seconds to connect, and between two bytes of an answer.
    budget
        Token pools; by default the key's one of this process.
    sleep
        Waits between attempts; replaced in tests.
    rate
        Seconds that pass on the exchange in one of this machine's; see `ExchangeClock`.

    Attributes
    ----------
    clock
        What the exchange's clock shows.
    """

    def __init__(
        self,
        base_url: str,
        signer: Signer | None = None,
        *,
        trading: bool = False,
        timeout: tuple[float, float] = TIMEOUT,
        budget: Budget | None = None,
        sleep: Callable[[float], None] = time.sleep,
        rate: float = 1.0,
    ) -> None:
        self.base_url = base_url
        self.clock = ExchangeClock(rate)
        self._signer = signer
        self._trading = trading
        self._timeout = timeout
        self._budget = budget or shared_budget(base_url, "" if signer is None else signer.api_key)
        self._sleep = sleep
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": f"kfut_analytics/{__version__}", "Accept": "application/json"})
        # The environment is read once, here: requests would do so for every request, and would let a .netrc file
        # add an Authorization header.
        self._session.trust_env = False
        self._session.proxies = dict(requests.utils.get_environ_proxies(base_url, no_proxy=None))
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=16, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def request(
        self,
        operation: Operation,
        params: Mapping[str, object] | None = None,
        path: Mapping[str, str] | None = None,
        on_wait: OnWait | None = None,
        *,
        exact: bool = False,
        reader: Decoder = GENERAL,
        within: float | None = None,
    ) -> dict[str, Any]:
        """Send one request and return the answer's JSON object.

        A read that fails in passing is sent again (`retry_delay`); anything that may change something is sent once.

        Parameters
        ----------
        operation
            What to call.
        params
            Query parameters (GET) or form fields (POST); None values are left out.
        path
            Values of the path's placeholders.
        on_wait
            Told when and why the request waits for tokens.
        exact
            Numbers with a fraction as `Decimal`, just as the exchange wrote them.
        reader
            Reads the answer, unless it is to be exact.
        within
            Seconds within which the request must go out and, from then on, the whole answer be there. The timeout
            alone would wait for as long as single bytes arrive.

        Raises
        ------
        ReadOnlyError
            If the call may change something and the session was not opened for trading.
        CredentialsError
            If the call is private and there is no key.
        VenueError
            One of its kinds if no good answer arrived.
        """
        if operation.changes_state and not self._trading:
            raise ReadOnlyError(f"{operation.name} may change something, and this session was not opened for trading")
        tokens = cost(operation, params or {})
        started = time.monotonic()
        if within is not None:
            on_wait = _patience(operation, within)
        for attempt in itertools.count(1):
            self._budget.spend(operation.pool, tokens, on_wait)
            try:
                return self._once(operation, params or {}, path or {}, _EXACT if exact else reader, within)
            except VenueError as error:
                if isinstance(error, RateLimitError):
                    self._budget.block(operation.pool, LIMIT_PAUSE if error.retry_after is None else error.retry_after)
                delay = retry_delay(operation, error, attempt, time.monotonic() - started, luck())
                if delay is None:
                    raise
                _log.info("%s failed and is asked again in %.1f s: %s", operation.name, delay, error)
            self._sleep(delay)
        raise AssertionError("unreachable: the attempts are counted without end")

    def _once(
        self,
        operation: Operation,
        params: Mapping[str, object],
        path: Mapping[str, str],
        decoder: Decoder,
        within: float | None,
    ) -> dict[str, Any]:
        url_path = operation.path.format_map({name: quote(value, safe="") for name, value in path.items()})
        if operation.placement == "json":
            data = msgspec.json.encode({name: value for name, value in params.items() if value is not None}).decode()
        else:
            data = encode(params)
        in_query = operation.placement == "query"
        url = f"{self.base_url}{url_path}" + (f"?{data}" if data and in_query else "")
        prepared = self._session.prepare_request(
            requests.Request(
                operation.method,
                url,
                headers=self._signature(operation, url_path, data) | _CONTENT_TYPES[operation.placement],
                data=None if in_query else data,
            )
        )
        prepared.url = url  # exactly what was signed: requests may quote it anew
        sent = time.monotonic()
        response = self._send(operation, prepared) if within is None else self._bounded(operation, prepared, within)
        received = time.monotonic()
        body = _json(response, decoder)
        if RATE_HEADER in response.headers and is_loopback(self.base_url):
            self.clock.rate = float(response.headers[RATE_HEADER])
        if body is not None and isinstance(shown := body.get("serverTime"), str):
            self.clock.note(sent, received, shown)
        return self._check(operation, response, body)

    def _bounded(self, operation: Operation, prepared: requests.PreparedRequest, within: float) -> requests.Response:
        """Send, and wait for the whole answer no longer than ``within`` seconds.

        On a thread of its own: a server that sends a byte now and then holds up whoever reads, and an interrupt of
        the kernel would tear a request that is under way.
        """
        outcome: list[requests.Response | BaseException] = []
        done = threading.Event()

        def send() -> None:
            try:
                outcome.append(self._send(operation, prepared))
            except BaseException as error:
                outcome.append(error)
            finally:
                done.set()

        threading.Thread(target=send, name="kfut-send", daemon=True).start()
        if not done.wait(within):
            raise RequestTimeout(
                f"{operation.name} at {self.base_url}: no whole answer within {within:g} s{_doubt(operation)}",
                retry_safe=not operation.changes_state,
            )
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def _signature(self, operation: Operation, path: str, data: str) -> dict[str, str]:
        if not operation.private:
            return {}
        if self._signer is not None:
            return self._signer.headers(path, data)
        if is_loopback(self.base_url) or _unsigned:
            return {}
        raise CredentialsError(
            f"no API key was found, and what concerns an account needs one ({operation.name}): pass api_key and "
            "api_secret, or set KRAKEN_FUTURES_API_KEY and KRAKEN_FUTURES_API_SECRET. Create a read-only key on the "
            "futures site's API settings page"
        )

    def _send(self, operation: Operation, prepared: requests.PreparedRequest) -> requests.Response:
        safe = not operation.changes_state
        where = f"{operation.name} at {self.base_url}"
        doubt = _doubt(operation)
        try:
            response = self._session.send(
                prepared,
                timeout=self._timeout,
                allow_redirects=False,
                proxies=self._session.proxies,
                verify=self._session.verify,
                stream=True,
            )
            # As requests would, but not in a hundred small pieces: after each the thread may wait for its turn.
            response._content = b"".join(response.iter_content(_PIECE))
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                # It may have come while the answer was read; only a refused certificate proves that nothing was sent.
                raise ConnectionLost(f"{where}: TLS failed ({error}){doubt}", retry_safe=safe) from None
            raise ConnectionFailed(
                f"{where}: the TLS certificate was refused ({error}). Check the clock and any proxy between you "
                "and the exchange; the check cannot be switched off",
            ) from None
        except requests.exceptions.ConnectTimeout:
            raise ConnectionFailed(
                f"{where}: no connection within {self._timeout[0]:g} s. Check the network", retry_safe=True
            ) from None
        except requests.exceptions.ReadTimeout:
            raise RequestTimeout(f"{where}: no answer within {self._timeout[1]:g} s{doubt}", retry_safe=safe) from None
        except requests.exceptions.ConnectionError as error:
            raise self._connection_error(where, error, doubt, safe) from None
        except requests.exceptions.RequestException as error:
            raise ConnectionLost(f"{where}: the answer broke off ({error}){doubt}", retry_safe=safe) from None
        _log.debug("%s %s -> %s", operation.method, operation.name, response.status_code)
        return response

    @staticmethod
    def _connection_error(
        where: str, error: requests.exceptions.ConnectionError, doubt: str, safe: bool
    ) -> TransportError:
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        # urllib3 wraps faults of connecting in NewConnectionError or NameResolutionError; only these prove that
        # nothing was sent.
        if type(reason).__name__ in {"NewConnectionError", "NameResolutionError", "ProxyError"}:
            return ConnectionFailed(
                f"{where}: no connection ({reason}). Check the network and the address", retry_safe=True
            )
        return ConnectionLost(f"{where}: the connection broke ({error}){doubt}", retry_safe=safe)

    def _check(self, operation: Operation, response: requests.Response, body: dict[str, Any] | None) -> dict[str, Any]:
        status = response.status_code
        where = f"{operation.name} at {self.base_url}"
        safe = not operation.changes_state
        if 300 <= status < 400:
            target = response.headers.get("Location", "nowhere")
            raise UnexpectedResponse(
                f"{where}: answered with a redirect to {target}, which is never followed with a signed request. "
                "Check base_url; the exchange's former demo host does this",
                http_status=status,
                retry_safe=safe,
            )
        if body is None:
            if status == 429:
                reset = _seconds(response.headers.get("rate-limit-reset"))
                raise RateLimitError(
                    f"{where}: the token pool is empty; it refills in {'some' if reset is None else f'{reset:g}'} s",
                    words=response.text[:200],
                    http_status=status,
                    retry_safe=True,
                    retry_after=reset,
                )
            kind = response.headers.get("Content-Type", "no content type")
            error: type[UnavailableError | UnexpectedResponse]
            error = UnavailableError if status in {502, 503, 504} else UnexpectedResponse
            what = "broken JSON, or JSON that is no object" if "json" in kind else f"{kind} instead of JSON"
            raise error(
                f"{where}: HTTP {status} with {what}. Check base_url and the exchange's status page",
                words=response.text[:200],
                http_status=status,
                retry_safe=safe,
            )
        words = error_words(body)
        if words or status >= 400 or body.get("result") == "error":
            raise _exchange_error(where, words, status, safe)
        return body

    def tokens(self, pool: Pool) -> int:
        """Tokens of a pool that could be spent now."""
        return self._budget.pools[pool].available

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _doubt(operation: Operation) -> str:
    if not operation.changes_state:
        return ""
    return "; the request may have been processed: look at open orders and fills before sending anew"


def _patience(operation: Operation, within: float) -> OnWait:
    """Gives up waiting for tokens after a while: a request with a deadline must not go out after it."""
    until = time.monotonic() + within

    def on_wait(text: str) -> None:
        if time.monotonic() >= until:
            raise RateLimitError(
                f"{operation.name} was not sent: {text}, and it has waited for {within:g} s. Try again in a moment",
                retry_safe=True,
            )

    return on_wait


def _json(response: requests.Response, decoder: Decoder) -> dict[str, Any] | None:
    """The answer's JSON object; None if it is anything else."""
    if "json" not in response.headers.get("Content-Type", ""):
        return None
    try:
        body = decoder.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cast(dict[str, Any], body) if isinstance(body, dict) else None


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 3600 else None


def error_words(body: Mapping[str, Any]) -> str:
    """The exchange's words in any of its error bodies (api-facts 4.8), empty if the body is no error."""
    errors = body.get("errors")
    details = "; ".join(_one_error(item) for item in errors) if isinstance(errors, list) else ""
    if body.get("error"):
        return ": ".join(filter(None, (str(body["error"]), str(body.get("message") or ""), details)))
    if details:
        return details
    if "reason" in body and "status" in body:
        return f"{body['status']}: {body['reason']}"
    return ""


def _one_error(item: object) -> str:
    if isinstance(item, Mapping):
        code, message = item.get("code"), item.get("message") or item.get("msg") or item.get("type") or ""
        return f"{message} (code {code})" if code is not None else str(message)
    return str(item)


_CODES: dict[str, tuple[type[ExchangeError], str]] = {
    "code 10": _ERRORS["apilimitexceeded"],
    "code 11": _ERRORS["invalidargument"],
    "code 18": _ERRORS["unauthorized"],
    "code 87": _ERRORS["contract_does_not_exist"],
}


def _exchange_error(where: str, words: str, status: int, safe: bool) -> ExchangeError:
    folded = words.casefold().removeprefix("json ")
    found = next((value for key, value in _ERRORS.items() if folded.startswith(key)), None)
    found = found or next((value for key, value in _CODES.items() if f"({key})" in folded), None)
    if found is None:
        by_status: dict[int, tuple[type[ExchangeError], str]] = {
            400: _ERRORS["bad_request"],
            401: _ERRORS["unauthorized"],
            403: _ERRORS["insufficientprivileges"],
            404: _ERRORS["notfound"],
            429: _ERRORS["apilimitexceeded"],
            502: _ERRORS["unavailable"],
            503: _ERRORS["unavailable"],
            504: _ERRORS["unavailable"],
        }
        found = by_status.get(status, (ExchangeError, "see the exchange's words"))
    error, remedy = found
    refused = issubclass(error, (AuthenticationError, RateLimitError, InvalidRequestError, NotFoundError))
    said = f"the exchange answered {words!r}" if words else "the exchange answered an error without a word"
    return error(
        f"{where}: {said} (HTTP {status}); {remedy}",
        words=words,
        http_status=status,
        retry_safe=safe or refused,
    )
