"""Checking ``APIKey``, ``Authent`` and ``Nonce`` as the exchange does, and what a key may do (api-facts 1.3 and 2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import Literal

Access = Literal["NO_ACCESS", "READ_ONLY", "FULL_ACCESS"]
Permission = Literal["any", "read", "full", "withdraw"]
"""The least that a key needs for an operation: to be a key, general access, or full access to transfers."""

SECRET_BYTES = 64
NONCE_DISORDER = 5.0
"""For so many seconds nonces may arrive in any order; the exchange calls it brief and gives no figure."""

_NONCE_DIGITS = 30


class AuthenticationError(Exception):
    """The request is refused; the message is the exchange's word for the reason."""


@dataclass(slots=True)
class ApiKey:
    """A key pair, the account it opens, and what it may do there; an account may have several.

    Every key has its own nonces. Those of the last seconds may come in any order and each of them once; what is lower
    than an older one is refused.

    Attributes
    ----------
    account
        Name of the account.
    general
        Access to orders and all that is read.
    transfer
        Access to withdrawals; none or full.
    """

    account: str
    public: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(42)).decode())
    secret: str = field(
        default_factory=lambda: base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(), repr=False
    )
    general: Access = "FULL_ACCESS"
    transfer: Access = "NO_ACCESS"
    _recent: dict[int, float] = field(default_factory=dict, repr=False)
    _threshold: int = field(default=-1, repr=False)

    @property
    def highest_nonce(self) -> int:
        """The highest nonce so far, -1 before the first one."""
        return max([self._threshold, *self._recent])

    def go_on_above(self, nonce: int) -> None:
        """Accept no nonce up to this one: it was used before the process began."""
        self._threshold = max(self._threshold, nonce)

    def permits(self, permission: Permission) -> bool:
        """Whether the key may call an operation that needs a permission."""
        match permission:
            case "any":
                return True
            case "read":
                return self.general != "NO_ACCESS"
            case "full":
                return self.general == "FULL_ACCESS"
            case "withdraw":
                return self.transfer == "FULL_ACCESS"

    def signature(self, post_data: bytes, nonce: str, path: str) -> bytes:
        """What ``Authent`` must be for a request."""
        signed_path = path.removeprefix("/derivatives")
        digest = hashlib.sha256(post_data + nonce.encode() + signed_path.encode()).digest()
        return base64.b64encode(hmac.new(base64.b64decode(self.secret), digest, hashlib.sha512).digest())

    def check(self, *, authent: str, nonce: str, post_data: bytes, path: str) -> None:
        """Accept a request or raise.

        Parameters
        ----------
        post_data
            Query and body as they were sent, not decoded. A batch whose JSON was sent as it is, is signed as it is.
        path
            The path as it was sent.

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
            self._use(nonce, time.monotonic())

    def _use(self, nonce: str, now: float) -> None:
        if not (nonce.isascii() and nonce.isdigit() and len(nonce) <= _NONCE_DIGITS):
            raise AuthenticationError("authenticationError")
        for old, seen in list(self._recent.items()):
            if seen > now - NONCE_DISORDER:
                break
            self._threshold = max(self._threshold, old)
            del self._recent[old]
        number = int(nonce)
        if number in self._recent or number == self._threshold:
            raise AuthenticationError("nonceDuplicate")
        if number < self._threshold:
            raise AuthenticationError("nonceBelowThreshold")
        self._recent[number] = now
