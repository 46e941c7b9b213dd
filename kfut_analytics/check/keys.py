"""API keys: what lies where, whether it can be a key, and what the exchange says of it. No message shows one."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import settings
from ..errors import AuthenticationError, CredentialsError, VenueError
from .finding import Finding

AREA = "keys"
_WHERE = "put both halves, as they were copied from the exchange's API key page, into"
_NEW_KEY = "create a key on the futures site's API settings page (futures and spot keys are separate)"
_OTHER_NAMES = re.compile(r"(KRAKEN|KFUT|FUTURES)\w*(KEY|SECRET)\w*", re.IGNORECASE)


def environment_keys() -> Iterator[Finding]:
    """What the environment, the ``.env`` file and the keyring hold."""
    places: list[tuple[str, str, str]] = []
    for where, get in _sources():
        for names in settings.KEY_VARIABLES:
            key, secret = (get(name) or "" for name in names)
            if key or secret:
                yield from _pair(where, names, key, secret)
                places.append((where, names[0], key.strip()))
    about_file = list(_dotenv_file())
    yield from about_file
    if not places and not about_file:
        yield from _none_found()
    elif len({key for _, _, key in places}) > 1:
        where, name, _ = places[0]
        others = ", ".join(f"{name} in {where}" for where, name, _ in places[1:])
        yield Finding.note(AREA, f"{name} in {where} is used; {others} holds another key", "remove the one not meant")


def _sources() -> Iterator[tuple[str, Callable[[str], str | None]]]:
    from dotenv import dotenv_values

    yield "the environment", os.environ.get
    path = Path.cwd() / ".env"
    if path.is_file():
        try:
            yield str(path), dotenv_values(path, interpolate=False).get
        except (OSError, UnicodeDecodeError):
            return


def _none_found() -> Iterator[Finding]:
    try:
        found = settings.credentials()  # the keyring is what is left
    except CredentialsError as error:
        yield Finding.problem(AREA, str(error), f"{_WHERE} the keyring")
        return
    if found is not None:
        yield Finding.ok(AREA, f"a key ({settings.mask(found.api_key)}) in the keyring")
        return
    expected = {name for pair in settings.KEY_VARIABLES for name in pair}
    similar = sorted(name for name in os.environ if _OTHER_NAMES.fullmatch(name) and name not in expected)
    names = " and ".join(settings.KEY_VARIABLES[0])
    if similar:
        yield Finding.problem(AREA, f"{', '.join(similar)} in the environment is not looked at", f"rename to {names}")
    yield Finding.note(
        AREA, "no API key: public data and the paper exchange work without", f"for your account set {names}"
    )


def _pair(where: str, names: tuple[str, str], key: str, secret: str) -> Iterator[Finding]:
    """One key and its secret, as they are written."""
    problems = list(_problems(where, names, key, secret))
    yield from problems
    if not problems:
        yield Finding.ok(AREA, f"{names[0]} ({settings.mask(key)}) and its secret in {where} are well formed")


def _problems(where: str, names: tuple[str, str], key: str, secret: str) -> Iterator[Finding]:
    for name, value, other in ((names[0], key, names[1]), (names[1], secret, names[0])):
        if not value.strip():
            yield Finding.problem(AREA, f"{other} in {where} has no {name} beside it", f"{_WHERE} {where}")
        elif any(sign.isspace() for sign in value):
            inside = any(sign.isspace() for sign in value.strip())
            what = "has a space or line break inside" if inside else "begins or ends with a space or line break"
            yield Finding.problem(AREA, f"{name} in {where} {what}", "copy it again, without anything around it")
        elif value[0] in "\"'" or value[-1] in "\"'":
            yield Finding.problem(AREA, f"{name} in {where} has quotation marks in its value", "write it without them")
        elif not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", value):
            yield Finding.problem(AREA, f"{name} in {where} is not base64 text", "copy it whole from the API key page")
    if secret and not any(sign.isspace() for sign in secret):
        try:
            length = len(base64.b64decode(secret, validate=True))
        except (binascii.Error, ValueError):
            if re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", secret):
                yield Finding.problem(AREA, f"{names[1]} in {where} is cut off", "copy it whole from the API key page")
        else:
            if length < 60:
                text = f"{names[1]} in {where} decodes to {length} bytes, where secrets have 64"
                yield Finding.problem(AREA, text, "copy it whole from the API key page")
    if key and key == secret:
        yield Finding.problem(
            AREA, f"{names[0]} and {names[1]} in {where} are the same", "copy each from its own field"
        )


def _dotenv_file() -> Iterator[Finding]:
    path = Path.cwd() / ".env"
    if not path.is_file():
        return
    try:
        content = path.read_bytes()
        content.decode("utf-8")
    except OSError as error:
        yield Finding.problem(
            AREA, f"{path} cannot be read: {error.strerror}", "make it readable for you: chmod 600 .env"
        )
        return
    except UnicodeDecodeError:
        yield Finding.problem(AREA, f"{path} is not UTF-8 text", "save it as UTF-8 (in Notepad: Save as, Encoding)")
        return
    if not any(name.encode() in content for pair in settings.KEY_VARIABLES for name in pair):
        return
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding.problem(AREA, f"other users of this machine can read {path}", "chmod 600 .env")
    if settings.would_be_committed(path.resolve()):
        yield Finding.problem(AREA, f"git would commit {path}", "add a line .env to .gitignore")


def key_at_exchange(base_url: str) -> Iterator[Finding]:
    """What the exchange says of the key that is used."""
    from ..rest.session import RestSession
    from ..rest.signing import Signer
    from ..rest.venue import RestVenue

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is found above
        try:
            found = settings.credentials()
            signer = None if found is None else Signer(found)
        except CredentialsError:
            return
    if signer is None:
        return
    venue = RestVenue(RestSession(settings.checked_base_url(base_url), signer, trading=False), "live")
    try:
        info = venue.check_key()
    except AuthenticationError as error:
        yield Finding.problem(
            AREA, f"the exchange refuses the key ({error})", f"is it a spot key, or deleted? {_NEW_KEY}"
        )
        return
    except VenueError as error:
        yield Finding.note(AREA, f"the exchange did not say what the key may do ({error})", "try again later")
        return
    finally:
        venue.close()
    if info.general == "NO_ACCESS":
        yield Finding.problem(AREA, "the key may not even read", f"{_NEW_KEY}, with general access read only")
    else:
        may = {"READ_ONLY": "read", "FULL_ACCESS": "read and trade"}.get(info.general, info.general)
        yield Finding.ok(AREA, f"the exchange accepts the key; it may {may}")
    if info.transfer == "FULL_ACCESS":
        yield Finding.problem(AREA, "the key may withdraw funds, which is never needed here", f"{_NEW_KEY}, without it")
