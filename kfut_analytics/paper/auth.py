"""Checking ``APIKey``, ``Authent`` and ``Nonce`` as the exchange does (api-facts 2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

SECRET_BYTES = 64
_REMEMBERED_NONCES = 1000
_NONCE_DIGITS = 30


class AuthenticationError(Exception):
    """The request is refused; the message is the exchange's word for the reason."""


@dataclass(slots=True)
class ApiKey:
    """A key pair and the account it opens.

    The highest nonces are remembered: a repeated one is refused as a duplicate, one below all of them as too low,
    and a little disorder in between is tolerated.
    """

    account: str
    public: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(42)).decode())
    secret: str = field(
        default_factory=lambda: base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(), repr=False
    )
    _nonces: list[int] = field(default_factory=list, repr=False)

    def signature(self, post_data: bytes, nonce: str, path: str) -> bytes:
        """What ``Authent`` must be for a request."""
        signed_path = path.removeprefix("/derivatives")
        digest = hashlib.sha256(post_data + nonce.encode() + signed_path.encode()).digest()
        return base64.b64encode(hmac.new(base64.b64decode(self.secret), digest, hashlib.sha512).digest())

    def check(self, *, authent: str, nonce: str, post_data: bytes, path: str) -> None:
        """Accept a request or raise.

        Raises
        ------
        AuthenticationError
            With ``authenticationError``, ``nonceDuplicate`` or ``nonceBelowThreshold``.
        """
        try:
            given = authent.encode("ascii")
            base64.b64decode(given, validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise AuthenticationError("authenticationError") from None
        if not hmac.compare_digest(given, self.signature(post_data, nonce, path)):
            raise AuthenticationError("authenticationError")
        if nonce:
            self._use(nonce)

    def _use(self, nonce: str) -> None:
        if not (nonce.isascii() and nonce.isdigit() and len(nonce) <= _NONCE_DIGITS):
            raise AuthenticationError("authenticationError")
        number = int(nonce)
        if number in self._nonces:
            raise AuthenticationError("nonceDuplicate")
        if self._nonces and number < self._nonces[0]:
            raise AuthenticationError("nonceBelowThreshold")
        self._nonces = sorted([*self._nonces, number])[-_REMEMBERED_NONCES:]
