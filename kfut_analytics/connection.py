"""Opening a client: which venue, which key, and what the key may do."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from . import settings
from .client import Client, Environment
from .errors import ArgumentError, AuthenticationError, CredentialsError, VenueError

if TYPE_CHECKING:
    import os

    from .paper.server import PaperServer
    from .rest.venue import RestVenue

_log = logging.getLogger("kfut_analytics.connection")


def connect(
    env: Environment = "paper",
    *,
    trading: bool = False,
    base_url: str | None = None,
    api_key: str | None = None,
    api_secret: str | None = None,
    account: str = "demo",
    dotenv: str | os.PathLike[str] | None = None,
    prompt: bool = False,
    nonce: bool = False,
) -> Client:
    """Open a client.

    Parameters
    ----------
    env
        ``paper``: the embedded paper exchange, with no key and no internet (or the one at ``base_url``).
        ``live``: the exchange.
    trading
        Whether orders may be sent; read-only otherwise.
    base_url
        Address of the exchange, where it is not the usual one: https, or http to this machine.
    api_key, api_secret
        The API key. By default it is looked for in the environment (``KRAKEN_FUTURES_API_KEY`` and
        ``KRAKEN_FUTURES_API_SECRET``, then ``KRAKEN_API_KEY`` and ``KRAKEN_API_SECRET``), in a ``.env`` file with
        the same names, and in the system's keyring (service ``kfut_analytics``, if keyring is installed). Futures
        keys are separate from spot keys.
    account
        Account of the embedded paper exchange: ``demo`` has 90 days of history.
    dotenv
        The ``.env`` file; by default the one in the working directory, if there is one.
    prompt
        Ask for the key, hidden, where none of the other places has one.
    nonce
        Sign with a nonce. The exchange does not need one, and without it several programs can share a key.

    Raises
    ------
    ArgumentError
        If an argument is not one of those above.
    CredentialsError
        If only half of a key is found, the secret is not base64 text, or the key may not do what is wanted.
    AuthenticationError
        If the live exchange refuses the key.

    Warns
    -----
    CredentialsWarning
        If the key may withdraw, or others can read the file it lies in.
    """
    secret = None if api_secret is None else settings.Secret(api_secret)
    del api_secret  # a traceback that shows locals must not show it
    if not isinstance(trading, bool):
        raise ArgumentError(f"trading={trading!r} is neither True nor False")
    settings.one_of("env", env, ("paper", "live"))
    if env == "paper" and base_url is None:
        if api_key or secret:
            raise ArgumentError(
                "api_key and api_secret belong to an exchange of your own: leave them out for the embedded paper "
                "exchange, or give base_url as well"
            )
        server = _embedded_exchange(account)
        name = account
        base_url, api_key, secret = server.base_url, server.api_key, settings.Secret(server.api_secret)
    else:
        # Here the key decides which account it is.
        name = "live" if base_url is None else urlsplit(base_url).netloc
    base_url = settings.checked_base_url(base_url or settings.LIVE_URL)
    found = settings.credentials(api_key, secret, dotenv=dotenv, prompt=prompt)
    venue = _rest_venue(env, base_url, found, trading=trading, nonce=nonce)
    key = None
    if env == "live" and found is not None:
        key = _checked_key(venue, trading=trading)
    return Client(venue, env=env, trading=trading, account_name=name, key=key)


def _rest_venue(
    env: Environment, base_url: str, found: settings.Credentials | None, *, trading: bool, nonce: bool
) -> RestVenue:
    # Not at the top: whoever reads an archive needs no HTTP.
    from .rest.session import RestSession
    from .rest.signing import Signer
    from .rest.venue import RestVenue

    signer = None if found is None else Signer(found, nonce=nonce)
    return RestVenue(RestSession(base_url, signer, trading=trading), env)


def _checked_key(venue: RestVenue, *, trading: bool) -> settings.KeyInfo:
    """Ask the exchange what the key may do; only a clear refusal stops the client from opening."""
    try:
        info = venue.check_key()
    except AuthenticationError:
        venue.close()
        raise
    except VenueError as error:
        _log.info("the key's permissions could not be checked: %s", error)
        return settings.KeyInfo("not checked", "not checked")
    try:
        return settings.checked_key(info, trading=trading)
    except CredentialsError:
        venue.close()
        raise


_EMBEDDED: dict[str, PaperServer] = {}
_EMBEDDED_LOCK = threading.Lock()


def _embedded_exchange(account: str) -> PaperServer:
    """The paper exchange of this process for an account: every `connect` sees the same one."""
    from .paper import start

    with _EMBEDDED_LOCK:
        if account not in _EMBEDDED:
            try:
                _EMBEDDED[account] = start(account=account)
            except ValueError as error:
                raise ArgumentError(str(error)) from None
        return _EMBEDDED[account]
