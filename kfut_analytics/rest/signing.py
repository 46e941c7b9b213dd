"""Signatures of private calls.

``Authent = base64(HMAC-SHA512(base64decode(secret), SHA256(post_data + nonce + path)))`` where ``post_data`` is the
query string and body exactly as sent and ``path`` is the URL path without a leading ``/derivatives`` (api-facts 2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import threading
import time
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import quote, urlencode

from ..errors import CredentialsError
from ..settings import Credentials, Secret, mask

_PREFIX = "/derivatives"


def encode(params: Mapping[str, object]) -> str:
    """Parameters as the text that is signed and sent: ``%20``, never ``+``; lower-case booleans; None left out.

    A list repeats its key.
    """
    pairs = []
    for name, value in params.items():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if item is not None:
                pairs.append((name, str(item).lower() if isinstance(item, bool) else str(item)))
    return urlencode(pairs, quote_via=quote)


class Nonces:
    """Strictly increasing nonces, whoever asks: the clock in microseconds, or one more than the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        """A nonce greater than all before it."""
        with self._lock:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            return str(self._last)


def _decoded(secret: Secret) -> bytes:
    if not secret:
        raise binascii.Error("empty")
    return base64.b64decode(secret.reveal(), validate=True)


class Signer:
    """Signs requests with one API key.

    The secret is turned into a primed HMAC at once and not kept; the object shows nothing of it and refuses to be
    pickled or copied.

    Parameters
    ----------
    credentials
        Key and secret as the exchange's site shows them.
    nonce
        Send a nonce, strictly increasing across threads. The exchange does not need one, and without it several
        programs can share a key.

    Raises
    ------
    CredentialsError
        If the secret is not base64 text; the message does not show it.
    """

    __slots__ = ("_hmac", "_nonces", "api_key")

    def __init__(self, credentials: Credentials, *, nonce: bool = False) -> None:
        self.api_key = credentials.api_key
        self._nonces = Nonces() if nonce else None
        try:
            # The key is never bound to a name: a traceback that shows locals would show it.
            primed = hmac.new(_decoded(credentials.api_secret), digestmod=hashlib.sha512)
        except ValueError:
            primed = None
        if primed is None:
            raise CredentialsError(
                "the API secret is not base64 text: copy it whole from the exchange's API key page "
                "(futures keys are separate from spot keys)"
            ) from None
        self._hmac = primed

    def sign(self, path: str, post_data: str, nonce: str = "") -> str:
        """The ``Authent`` header of a request.

        Parameters
        ----------
        path
            URL path as requested, ``/derivatives`` included.
        post_data
            Query string, or body, exactly as sent.
        nonce
            Value of the ``Nonce`` header; empty without one.
        """
        digest = hashlib.sha256((post_data + nonce + path.removeprefix(_PREFIX)).encode()).digest()
        signature = self._hmac.copy()
        signature.update(digest)
        return base64.b64encode(signature.digest()).decode()

    def headers(self, path: str, post_data: str) -> dict[str, str]:
        """All headers of a signed request."""
        nonce = self._nonces.next() if self._nonces else ""
        signed = {"APIKey": self.api_key, "Authent": self.sign(path, post_data, nonce)}
        return signed | {"Nonce": nonce} if nonce else signed

    def __repr__(self) -> str:
        return f"Signer(api_key={mask(self.api_key)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled or copied: it holds a key")
