"""Signatures of private calls.

``Authent = base64(HMAC-SHA512(base64decode(secret), SHA256(post_data + nonce + path)))`` where ``post_data`` is the
query string and body exactly as sent and ``path`` is the URL path without a leading ``/derivatives`` (api-facts 2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import quote, urlencode

from ..errors import CredentialsError
from ..settings import Credentials, mask

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


class Signer:
    """Signs requests with one API key.

    The secret is turned into a primed HMAC at once and not kept; the object shows nothing of it and refuses to be
    pickled or copied.

    Parameters
    ----------
    credentials
        Key and secret as the exchange's site shows them.

    Raises
    ------
    CredentialsError
        If the secret is not base64 text; the message does not show it.
    """

    __slots__ = ("_hmac", "api_key")

    def __init__(self, credentials: Credentials) -> None:
        self.api_key = credentials.api_key
        try:
            secret = base64.b64decode(credentials.api_secret, validate=True)
        except binascii.Error:
            secret = b""
        if not secret:
            raise CredentialsError(
                "the API secret is not base64 text: copy it whole from the exchange's API key page "
                "(futures keys are separate from spot keys)"
            ) from None
        self._hmac = hmac.new(secret, digestmod=hashlib.sha512)

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

    def __repr__(self) -> str:
        return f"Signer(api_key={mask(self.api_key)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled or copied: it holds a key")
