"""Environments and credentials: where each value comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urlsplit

from .errors import ArgumentError, ConfigurationError, CredentialsError

LIVE_URL = "https://futures.kraken.com"
"""The live exchange (api-facts 1.1)."""

KEY_VARIABLES = (
    ("KRAKEN_FUTURES_API_KEY", "KRAKEN_FUTURES_API_SECRET"),
    ("KRAKEN_API_KEY", "KRAKEN_API_SECRET"),
)
"""Environment variables that may hold a key and its secret, in the order they are tried."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key and its secret, on the way to the signer. Never shown, copied into a pickle, or kept."""

    api_key: str
    api_secret: str = field(repr=False)

    def __repr__(self) -> str:
        return f"Credentials(api_key={mask(self.api_key)!r}, api_secret=hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not pickled: they would leave the process in clear text")


def mask(text: str) -> str:
    """First four characters of an identifier, the rest hidden."""
    return f"{text[:4]}…" if len(text) > 8 else "…"


def credentials(
    api_key: str | None = None, api_secret: str | None = None, environ: Mapping[str, str] | None = None
) -> Credentials | None:
    """Find the API key: arguments first, then the environment; None if there is none.

    Raises
    ------
    CredentialsError
        If only one half of a pair is given.
    """
    environ = os.environ if environ is None else environ
    pairs = [("api_key", api_key, "api_secret", api_secret)]
    pairs += [(k, environ.get(k), s, environ.get(s)) for k, s in KEY_VARIABLES]
    for key_name, key, secret_name, secret in pairs:
        if key and secret:
            return Credentials(key.strip(), secret.strip())
        if key or secret:
            missing, present = (secret_name, key_name) if key else (key_name, secret_name)
            raise CredentialsError(f"{present} is given but {missing} is not: give both halves of the API key, or none")
    return None


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def checked_base_url(url: str) -> str:
    """A base URL that keys may be sent to: https, or plain http to this machine.

    Raises
    ------
    ArgumentError
        If it is no http(s) URL or carries a path, query or user.
    ConfigurationError
        If it is plain http to another machine.
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        valid = valid and parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        valid = False
    if not valid:
        raise ArgumentError(
            f"base_url={url!r} is not the address of an exchange: give scheme, host and port only, "
            f"such as {LIVE_URL!r} or 'http://127.0.0.1:8080'"
        )
    if parts.scheme == "http" and not is_loopback(url):
        raise ConfigurationError(
            f"base_url={url!r} is not encrypted: signed requests go only to https hosts or to this machine"
        )
    return url.rstrip("/")
