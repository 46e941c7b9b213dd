"""Opening a client: which venue, which key, and what the key may do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from . import settings
from .archive.notice import remind
from .client import Client, Environment
from .embedded import embedded_exchange
from .errors import ArgumentError, AuthenticationError, ConfigurationError, CredentialsError, VenueError
from .journal import Journal, in_memory
from .limits import Limits

if TYPE_CHECKING:
    import os

    from .rest.venue import RestVenue
    from .venue import Venue

_log = logging.getLogger("kfut_analytics.connection")


def connect(
    env: Environment = "paper",
    *,
    trading: bool = False,
    base_url: str | None = None,
    api_key: str | None = None,
    api_secret: str | None = None,
    account: str = "demo",
    balance: Mapping[str, float | Decimal] | None = None,
    seed: int | None = None,
    speed: float | None = None,
    market: str | None = None,
    market_url: str | None = None,
    home: str | os.PathLike[str] | None = None,
    dotenv: str | os.PathLike[str] | None = None,
    prompt: bool = False,
    nonce: bool = False,
    limits: Limits | None = None,
    archive: bool = True,
    path: str | os.PathLike[str] | None = None,
) -> Client:
    """Open a client.

    Parameters
    ----------
    env
        ``paper``: the embedded paper exchange, with no key and no internet (or the one at ``base_url``).
        ``live``: the exchange. ``archive``: what `Client.sync` has saved in ``path``, with no exchange at all.
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
        Account of the embedded paper exchange: ``demo`` has 90 days of history and ``empty`` 10,000 USD, both until
        this process ends. Any other name is that of an account which is kept in a file, and which one process at a
        time works with; it is closed with the last client that has it open.
    balance
        What a kept account begins with, by currency of the multi-collateral wallet or name of a single-collateral
        wallet: ``{"USD": 10_000, "XBT": 0.5, "fi_xbtusd": 0.25}``. It is made if there is none of its name.
    seed
        Determines the market of the embedded paper exchange; 0 unless given.
    speed
        Seconds that pass on the embedded paper exchange in one of the machine's; 1 unless given. A kept account's
        time is the machine's at speed 1, at another speed it goes on from where it stopped.
    market, market_url
        Where the embedded paper exchange takes its prices from: ``simulated`` (the default), or ``live`` from the
        public data of the exchange, of another one with ``market_url``.
    home
        Folder of the kept accounts; by default the one that the variable ``KFUT_HOME`` of the environment names, else
        the user's data folder.
    dotenv
        The ``.env`` file; by default the one in the working directory, if there is one.
    prompt
        Ask for the key, hidden, where none of the other places has one.
    nonce
        Sign with a nonce. The exchange does not need one, and without it several programs can share a key.
    limits
        Your own limits for orders. Those that it does not say come from the environment (``KFUT_MAX_ORDER_NOTIONAL``
        and others) and the file ``limits.toml`` in the user's folder.
    archive
        Whether history is read from the account's archive first, where there is one.
    path
        Folder of the archive; by default one per account in the user's data folder (or that of ``KFUT_HOME``).

    Returns
    -------
    Client
        Close it, or use it in a ``with`` block; otherwise it ends with the process.

    Raises
    ------
    ArgumentError
        If an argument is not one of those above, or a kept account was made with another one.
    ConfigurationError
        If the file of a kept account cannot be opened: another process works with it, or it is damaged.
    CredentialsError
        If only half of a key is found, the secret is not base64 text, or the key may not do what is wanted.
    AuthenticationError
        If the live exchange refuses the key.
    VenueError
        If the exchange whose prices the embedded one takes does not answer.

    Warns
    -----
    CredentialsWarning
        If the key may withdraw, or others can read the file it lies in.
    """
    secret = None if api_secret is None else settings.Secret(api_secret)
    del api_secret  # a traceback that shows locals must not show it
    if not isinstance(trading, bool):
        raise ArgumentError(f"trading={trading!r} is neither True nor False")
    settings.one_of("env", env, ("paper", "live", "archive"))
    if limits is not None and not isinstance(limits, Limits):
        raise ArgumentError(f"limits={limits!r} are no limits: give kfut.Limits(order_notional=…)")
    limits = Limits.from_environment(limits)
    options = {
        "balance": balance,
        "seed": seed,
        "speed": speed,
        "market": market,
        "market_url": market_url,
        "home": home,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if env == "archive":
        if trading or given or base_url or api_key or secret:
            raise ArgumentError("an archive is only read, with no exchange and no key: give path and nothing else")
        return _archived_client(path)
    reading: dict[str, Any] = {"archive": archive, "path": path}
    if env == "paper" and base_url is None:
        if api_key or secret:
            raise ArgumentError(
                "api_key and api_secret belong to an exchange of your own: leave them out for the embedded paper "
                "exchange, or give base_url as well"
            )
        return _embedded_client(account, given, limits, reading, trading=trading, nonce=nonce)
    if given:
        raise ArgumentError(f"{', '.join(given)} can be chosen for the embedded paper exchange only: leave them out")
    # Here the key decides which account it is.
    name = "live" if base_url is None else urlsplit(base_url).netloc
    base_url = settings.checked_base_url(base_url or settings.LIVE_URL)
    found = settings.credentials(api_key, secret, dotenv=dotenv, prompt=prompt)
    venue = _rest_venue(env, base_url, found, trading=trading, nonce=nonce)
    key = None
    if env == "live" and found is not None:
        key = _checked_key(venue, trading=trading)
        if base_url == settings.LIVE_URL and archive:
            remind(env)
    client = Client(
        venue,
        env=env,
        trading=trading,
        account_name=name,
        key=key,
        limits=limits,
        open_journal=lambda: _journal(env, venue),
        **reading,
    )
    if trading and found is not None:
        client._take_up()
    return client


def _journal(env: str, venue: RestVenue, home: str | os.PathLike[str] | None = None) -> Journal:
    """The journal of the account that the key belongs to."""
    try:
        identity = venue.identity()
    except VenueError as error:
        if env == "paper":
            _log.info("the paper exchange does not say which account this is; its journal is kept in memory: %s", error)
            return in_memory()
        raise ConfigurationError(
            f"the exchange does not say which account this is, and without that there is no journal of its orders: "
            f"nothing is sent ({error})"
        ) from error
    return Journal(settings.account_folder(env, identity, home) / "journal.sqlite")


def _archived_client(path: str | os.PathLike[str] | None) -> Client:
    from .archive.venue import open_venue

    venue = open_venue(path)
    return Client(
        cast("Venue", venue), env="archive", trading=False, account_name=venue.identity(), archive=False, path=path
    )


def _embedded_client(
    account: str, options: dict[str, Any], limits: Limits, reading: dict[str, Any], *, trading: bool, nonce: bool
) -> Client:
    with embedded_exchange(account, options) as embedded:
        server = embedded.server
        credentials = settings.Credentials(server.api_key, settings.Secret(server.api_secret))
        rate = server.exchange.clock.speed
        venue = _rest_venue("paper", server.base_url, credentials, trading=trading, nonce=nonce, rate=rate)
        client = Client(
            venue,
            env="paper",
            trading=trading,
            account_name=account,
            limits=limits,
            open_journal=lambda: embedded.journal or _journal("paper", venue, options.get("home")),
            on_close=embedded.release,
            home=options.get("home"),
            scratch=None if embedded.journal is None else lambda: embedded.scratch,
            **reading,
        )
        embedded.hold(client)
        if trading and embedded.journal is None:
            client._take_up()
        return client


def _rest_venue(
    env: Environment,
    base_url: str,
    found: settings.Credentials | None,
    *,
    trading: bool,
    nonce: bool,
    rate: float = 1.0,
) -> RestVenue:
    # Not at the top: whoever reads an archive needs no HTTP.
    from .rest.session import RestSession
    from .rest.signing import Signer
    from .rest.venue import RestVenue

    signer = None if found is None else Signer(found, nonce=nonce)
    return RestVenue(RestSession(base_url, signer, trading=trading, rate=rate), env)


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
