"""Every exception of the package, as one tree.

::

    KfutError
    ├── ArgumentError (ValueError)        a value given by the caller is refused before anything is sent
    ├── ConfigurationError                the environment cannot work as it is set up
    │   └── CredentialsError              no usable API key for a private call
    ├── OrderError                        an order was refused here, before the wire
    │   ├── ReadOnlyError                 trading was not enabled on this client
    │   └── OrderRefused                  a field breaks a rule of the contract or the account
    └── VenueError                        the exchange, or the way to it, failed
        ├── TransportError                no complete answer arrived
        │   ├── ConnectionFailed          the request never reached the exchange
        │   ├── RequestTimeout            no answer in time; the request may have been processed
        │   └── ConnectionLost            the connection broke after sending; likewise
        ├── UnexpectedResponse            an answer that is not the API's: HTML, a redirect, broken JSON
        │   └── DecodeError               JSON, but without a container or with a value that cannot be read
        └── ExchangeError                 the exchange answered with an error
            ├── AuthenticationError       key, secret, nonce or permission refused
            ├── RateLimitError            the token pool is empty
            ├── NotFoundError             unknown symbol, order or path
            │   └── NotArchived           an archive does not hold what was asked, and there is no exchange to ask
            ├── InvalidRequestError       an argument is wrong or missing
            └── UnavailableError          the exchange or the market is down; try again later

    UserWarning
    └── CredentialsWarning                a key or its file is more open than it need be

    KeyboardInterrupt
    ├── FetchInterrupted                  a long fetch was interrupted; what arrived is in its ``partial``
    └── OrderInterrupted                  the waiting for an order's answer was interrupted, the order was not

A message says what was refused, why and what to do. `VenueError` carries the exchange's own words, the HTTP status
and whether the same request may safely be sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class KfutError(Exception):
    """Base of everything this package raises on purpose."""


class ArgumentError(KfutError, ValueError):
    """A value given by the caller is refused; the message names the value, the reason and the remedy."""


class ConfigurationError(KfutError):
    """The environment cannot work as it is set up."""


class CredentialsError(ConfigurationError):
    """There is no usable API key for a private call."""


class CredentialsWarning(UserWarning):
    """A key, or the file that holds it, is more open than it need be."""


class OrderError(KfutError):
    """An order was refused here; nothing was sent to the exchange."""


class ReadOnlyError(OrderError):
    """The client was opened without ``trading=True``."""


class OrderRefused(OrderError):
    """A field of an order breaks a rule.

    Attributes
    ----------
    field
        Name of the field of `Order`.
    value
        What it was.
    rule
        Short name of the rule, such as ``tick``; it stays the same while the words of the message may change.
    suggestion
        A value that satisfies the rule, or None where there is none.
    """

    def __init__(self, message: str, *, field: str, value: object, rule: str = "", suggestion: object = None) -> None:
        super().__init__(message)
        self.field = field
        self.value = value
        self.rule = rule
        self.suggestion = suggestion


class VenueError(KfutError):
    """The exchange, or the way to it, failed.

    Attributes
    ----------
    words
        The exchange's own words, empty where there are none.
    http_status
        Status code of the answer, None where no answer arrived.
    retry_safe
        Whether the same request may be sent again without risk of doing something twice.
    partial
        What a fetch over many pages had read before it failed, as a DataFrame; None where there is none.
    """

    partial: pd.DataFrame | None = None

    def __init__(
        self, message: str, *, words: str = "", http_status: int | None = None, retry_safe: bool = False
    ) -> None:
        super().__init__(message)
        self.words = words
        self.http_status = http_status
        self.retry_safe = retry_safe


class TransportError(VenueError):
    """No complete answer arrived."""


class ConnectionFailed(TransportError):
    """The request never reached the exchange."""


class RequestTimeout(TransportError):
    """No answer in time. The exchange may or may not have processed the request."""


class ConnectionLost(TransportError):
    """The connection broke after sending. The exchange may or may not have processed the request."""


class UnexpectedResponse(VenueError):
    """The answer is not one of the API: HTML, a redirect, a wrong content type, broken JSON."""


class DecodeError(UnexpectedResponse):
    """The answer is JSON, but lacks its container or holds a value that cannot be read."""


class ExchangeError(VenueError):
    """The exchange answered with an error."""


class AuthenticationError(ExchangeError):
    """Key, secret, nonce or permission refused."""


class RateLimitError(ExchangeError):
    """The token pool of the exchange is empty.

    Attributes
    ----------
    retry_after
        Seconds until it refills, where the exchange says so.
    """

    def __init__(
        self,
        message: str,
        *,
        words: str = "",
        http_status: int | None = None,
        retry_safe: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, words=words, http_status=http_status, retry_safe=retry_safe)
        self.retry_after = retry_after


class NotFoundError(ExchangeError):
    """The symbol, order or path is unknown to the exchange."""


class NotArchived(NotFoundError):
    """The archive does not hold what was asked, and behind it there is no exchange to ask."""


class InvalidRequestError(ExchangeError):
    """An argument is wrong or missing."""


class UnavailableError(ExchangeError):
    """The exchange or the market is not available; try again later."""


class FetchInterrupted(KeyboardInterrupt):
    """A long fetch was interrupted by the person who waited for it; nothing that arrived is lost.

    Attributes
    ----------
    partial
        The frame of what arrived. It is incomplete: figures derived from it are, too.
    """

    def __init__(self, message: str, partial: pd.DataFrame) -> None:
        super().__init__(message)
        self.partial = partial


class OrderInterrupted(KeyboardInterrupt):
    """Somebody interrupted the waiting for an answer. The request is not torn: its fate is still found out.

    Attributes
    ----------
    cli_ord_id
        The order's id, under which ``client.journal()`` has it; empty where there is none.
    """

    def __init__(self, message: str, cli_ord_id: str) -> None:
        super().__init__(message)
        self.cli_ord_id = cli_ord_id
