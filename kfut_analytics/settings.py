"""Environments and credentials: where each value comes from, and how a secret stays one."""

from __future__ import annotations

import getpass
import importlib.util
import ipaddress
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import platformdirs

from .errors import ArgumentError, ConfigurationError, CredentialsError, CredentialsWarning

LIVE_URL = "https://futures.kraken.com"
"""The live exchange (api-facts 1.1)."""

KEY_VARIABLES = (
    ("KRAKEN_FUTURES_API_KEY", "KRAKEN_FUTURES_API_SECRET"),
    ("KRAKEN_API_KEY", "KRAKEN_API_SECRET"),
)
"""Variables of the environment or a .env file that may hold a key and its secret, in the order they are tried."""

KEYRING_SERVICE = "kfut_analytics"
"""Service name in the system's keyring; the user names are ``api_key`` and ``api_secret``."""


HOME_VARIABLE = "KFUT_HOME"
"""Variable of the environment that names the folder for everything that is kept."""


def data_folder() -> Path:
    """The folder for what is kept: the one that ``KFUT_HOME`` names, else the user's data folder."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).expanduser() if named else platformdirs.user_data_path("kfut_analytics", appauthor=False)


def account_folder(env: str, identity: str, home: str | os.PathLike[str] | None = None) -> Path:
    """The folder for what is kept of one account: its journal of orders and its archive."""
    root = data_folder() if home is None else Path(home).expanduser()
    return root / "accounts" / f"{env}-{re.sub(r'[^A-Za-z0-9-]', '-', identity)}"


class Secret:
    """Text that shows itself nowhere: not in a repr, a log, a pickle, a copy, or the locals of a traceback."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text.strip()

    def reveal(self) -> str:
        """The text itself; never bind it to a name."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied: it would leave the process in clear text")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key and its secret, on the way to the signer."""

    api_key: str
    api_secret: Secret

    def __repr__(self) -> str:
        return f"Credentials(api_key={mask(self.api_key)!r}, api_secret=hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not pickled or copied: they would leave the process in clear text")


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What the exchange says of an API key.

    Attributes
    ----------
    general, transfer
        Permission to read and trade, and to withdraw: ``NO_ACCESS``, ``READ_ONLY`` or ``FULL_ACCESS``.
    """

    general: str
    transfer: str


def mask(text: str) -> str:
    """First four characters of an identifier, the rest hidden."""
    return f"{text[:4]}…" if len(text) > 8 else "…"


def credentials(
    api_key: str | None = None,
    api_secret: Secret | None = None,
    *,
    dotenv: str | os.PathLike[str] | None = None,
    prompt: bool = False,
) -> Credentials | None:
    """Find the API key: arguments, the environment, a ``.env`` file, the keyring, and if asked for a hidden prompt.

    Parameters
    ----------
    api_key, api_secret
        The key, where the caller has it.
    dotenv
        The ``.env`` file; by default the one in the working directory, if there is one.
    prompt
        Ask for the key where none of the other places has one.

    Returns
    -------
    Credentials or None
        None if no place has a key.

    Raises
    ------
    CredentialsError
        If a place holds only half a key, or ``dotenv`` does not exist.

    Warns
    -----
    CredentialsWarning
        If others can read the ``.env`` file, or git would commit it.
    """
    for key_name, key, secret_name, secret in _places(api_key, api_secret, dotenv):
        if key and secret:
            return Credentials(_checked_text(key_name, key), secret)
        if key or secret:
            missing, present = (secret_name, key_name) if key else (key_name, secret_name)
            raise CredentialsError(f"{present} is given but {missing} is not: give both halves of the API key, or none")
    if prompt:
        return Credentials(input("API key: ").strip(), Secret(getpass.getpass("API secret (hidden): ")))
    return None


def _checked_text(name: str, key: object) -> str:
    """An API key that can travel in a header; the message does not show it."""
    if not isinstance(key, str) or not re.fullmatch(r"[\x21-\x7e]+", key.strip()):
        raise CredentialsError(f"{name} is not the text of an API key: copy it whole from the exchange's API key page")
    return key.strip()


Place = tuple[str, str | None, str, Secret | None]


def _places(api_key: str | None, api_secret: Secret | None, dotenv: str | os.PathLike[str] | None) -> Iterator[Place]:
    yield "api_key", api_key, "api_secret", api_secret
    yield from _variables(os.environ.get)
    if (path := _dotenv_file(dotenv)) is not None:
        yield from _variables(_dotenv_reader(path))
    yield from _keyring()


def _variables(get: Callable[[str], str | None]) -> Iterator[Place]:
    for key_name, secret_name in KEY_VARIABLES:
        yield key_name, get(key_name), secret_name, Secret(get(secret_name) or "")


def _dotenv_file(given: str | os.PathLike[str] | None) -> Path | None:
    path = Path(given) if given is not None else Path.cwd() / ".env"
    if not path.is_file():
        if given is not None:
            raise CredentialsError(f"dotenv={str(path)!r} is not a file: give the path of a .env file")
        return None
    return path


def _dotenv_reader(path: Path) -> Callable[[str], str | None]:
    from dotenv import dotenv_values

    try:
        get = dotenv_values(path, interpolate=False).get
    except UnicodeDecodeError as error:
        raise CredentialsError(f"{path} is not UTF-8 text: save it as UTF-8 (in Notepad: Save as, Encoding)") from error
    if any(get(name) for pair in KEY_VARIABLES for name in pair):
        _warn_of_exposure(path)
    return get


def _warn_of_exposure(path: Path) -> None:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        _warn(f"{path.name} holds an API key and other users of this machine can read it: chmod 600 {path.name}")
    if would_be_committed(path.resolve()):
        _warn(f"{path.name} holds an API key and git would commit it: add a line {path.name} to .gitignore")


def would_be_committed(path: Path) -> bool:
    """Whether the file is in a git work tree and no ``.gitignore`` between it and the root names it."""
    root = next((folder for folder in path.parents if (folder / ".git").exists()), None)
    if root is None:
        return False
    from pathspec import GitIgnoreSpec

    folder = path.parent
    while True:
        rules = folder / ".gitignore"
        if rules.is_file():
            spec = GitIgnoreSpec.from_lines(rules.read_text(encoding="utf-8", errors="replace").splitlines())
            if spec.match_file(path.relative_to(folder).as_posix()):
                return False
        if folder == root:
            return True
        folder = folder.parent


def _keyring() -> Iterator[Place]:
    if importlib.util.find_spec("keyring") is None:
        return
    import keyring
    import keyring.errors

    try:
        key = keyring.get_password(KEYRING_SERVICE, "api_key")
        secret = Secret(keyring.get_password(KEYRING_SERVICE, "api_secret") or "")
    except keyring.errors.KeyringError:
        return
    yield "the keyring's api_key", key, "the keyring's api_secret", secret


def _warn(message: str) -> None:
    warnings.warn(message, CredentialsWarning, stacklevel=2)


def checked_key(info: KeyInfo, *, trading: bool) -> KeyInfo:
    """Hold what a key may do against what is wanted of it.

    Raises
    ------
    CredentialsError
        If ``trading`` is wanted and the key may not trade, or the key may not even read.

    Warns
    -----
    CredentialsWarning
        If the key may withdraw.
    """
    if trading and info.general != "FULL_ACCESS":
        raise CredentialsError(
            f"trading=True, but the key's general permission is {info.general}: open the client without "
            "trading=True, or create a key with full general access (and no withdrawal access)"
        )
    if info.general == "NO_ACCESS":
        raise CredentialsError("the key's general permission is NO_ACCESS: create a key that may read")
    if info.transfer == "FULL_ACCESS":
        _warn("this API key may withdraw funds, which this package never needs: use a key without withdrawal access")
    return info


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: "127.example.com" is one, too
        return host == "localhost"


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
        parts = urlsplit(str(url))
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


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Hold an argument against its choices.

    Raises
    ------
    ArgumentError
        Naming the argument, the value and the choices.
    """
    if value not in choices:
        raise ArgumentError(f"{name}={value!r} is not one of {', '.join(map(repr, choices))}")
