"""What is secret in a piece of text, told by its shape or by the name that it has."""

from __future__ import annotations

import base64
import html
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from ..settings import mask


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that should not be shared.

    Attributes
    ----------
    file
        Where it is.
    place
        Where in the file: a line, a cell, a path of names.
    kind
        ``API secret or signature``, ``API key``, ``named secret`` or ``account id``.
    masked
        How it begins.
    """

    file: str
    place: str
    kind: str
    masked: str


SECRET, KEY, NAMED, ACCOUNT = "API secret or signature", "API key", "named secret", "account id"

_LONG = re.compile(r"(?<![A-Za-z0-9+/%])(?P<body>[A-Za-z0-9+/]{86})(?:==|[A-Za-z0-9+/]{2})?(?![A-Za-z0-9+/=])")
"""64 bytes in base64, or two more: secrets are so long, and signatures (the Authent header)."""

_KEY = re.compile(r"(?<![A-Za-z0-9+/%_])[A-Za-z0-9+/]{56}(?![A-Za-z0-9+/=_-])")

PUBLIC_MARK = "kfut scan: public"
"""Who writes this on a line says that nothing on it is secret: a published example, a made-up id."""

_INTEGRITY = re.compile(r"sha(?:256|384|512)-\s*$", re.IGNORECASE)
"""Before a hash of a package or a script, which is public."""

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ONE_UUID = re.compile(_UUID, re.IGNORECASE)
_SECRET_NAME = r"(?:api|private|secret|public)[_-]?(?:key|secret|sign)|(?:[a-z_-]*_)?secret|authent|passphrase|password"
SECRET_NAME = re.compile(rf"(?:[\w-]*[_-])?(?:{_SECRET_NAME})", re.IGNORECASE)
ACCOUNT_NAME = re.compile(r"(?:[\w-]*_)?account[_ -]?(?:uid|id)?|uid|iiban", re.IGNORECASE)

_ASSIGNED = re.compile(
    rf"(?<![A-Za-z0-9])(?P<name>(?:[A-Za-z0-9]+[_-])*(?:{_SECRET_NAME}))['\"]?\s*(?:[:=]|=>)\s*(?P<rest>[^\n]{{1,200}})",
    re.IGNORECASE,
)
_VALUE = re.compile(r"['\"]?(?P<value>[A-Za-z0-9+/=_-]{20,})(?![A-Za-z0-9+/=_.(\[-])")
_OF_ACCOUNT = re.compile(
    rf"(?:account|iiban)(?:[_ -]?(?:uid|id))?[^0-9A-Za-z]{{0,24}}(?:uid|id)?[^0-9A-Za-z]{{0,12}}(?P<uuid>{_UUID})",
    re.IGNORECASE,
)
_ESCAPES = re.compile(r"\\[nrtbf\"']|\\u00(?:22|27|0a|0d)")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_ESCAPED_SIGNS = ((r"\/", "/"), (r"\u002b", "+"), (r"\u002f", "/"), (r"\u003d", "="))


def found_in(text: str, name: str = "") -> Iterator[tuple[str, str]]:
    """Kinds and values of what is secret in a text.

    Parameters
    ----------
    text
        The text; also as it is written inside JSON, HTML or a URL.
    name
        The name that the text has where it is, such as the parameter of a notebook.
    """
    if PUBLIC_MARK in text:
        return
    found: dict[str, str] = {}
    for form in _forms(text):
        for kind, value in itertools.chain(_by_shape(form), _by_name(form), _whole(form, name)):
            found.setdefault(value, kind)
    for value, kind in found.items():
        if not any(value != other and value in other for other in found):  # else it is a part of that
            yield kind, value


def masked(value: str) -> str:
    """How it begins, and how long it is."""
    return f"{mask(value)} ({len(value)} characters)"


def _forms(text: str) -> Iterator[str]:
    """The text, and what it says without the escapes of JSON, HTML and URLs."""
    yield text
    plain = _ESCAPES.sub(" ", text)
    for escaped, sign in _ESCAPED_SIGNS:
        plain = re.sub(re.escape(escaped), sign, plain, flags=re.IGNORECASE)
    plain = html.unescape(_TAG.sub(" ", plain))
    if plain != text:
        yield plain
    if "%2" in plain or "%3" in plain:
        yield unquote(plain)


def _by_shape(text: str) -> Iterator[tuple[str, str]]:
    for match in _LONG.finditer(text):
        if _is_random(match["body"]) and not _INTEGRITY.search(text[max(0, match.start() - 8) : match.start()]):
            yield SECRET, match[0]
    for match in _KEY.finditer(text):
        if _is_random(match[0]):
            yield KEY, match[0]
    for match in _OF_ACCOUNT.finditer(text):
        if _is_drawn(match["uuid"]):
            yield ACCOUNT, match["uuid"]


def _by_name(text: str) -> Iterator[tuple[str, str]]:
    for match in _ASSIGNED.finditer(text):
        value = _VALUE.match(match["rest"])
        if value is not None and _is_random(value["value"]):
            yield NAMED, value["value"]


def _whole(text: str, name: str) -> Iterator[tuple[str, str]]:
    """A text that is nothing but a value whose name says that it is secret."""
    value = text.strip()
    if SECRET_NAME.fullmatch(name) and _VALUE.fullmatch(value) and _is_random(value):
        yield NAMED, value
    if ACCOUNT_NAME.fullmatch(name) and _ONE_UUID.fullmatch(value) and _is_drawn(value):
        yield ACCOUNT, value


def _is_drawn(identifier: str) -> bool:
    """Whether an id is one, and not the zeros that stand for it in a recording."""
    return len(set(identifier)) > 6


def _is_random(text: str) -> bool:
    """Whether a text looks drawn by lot: no words, no path, no repetition, no text in base64."""
    if len(set(text)) < min(12, len(text) // 3):
        return False
    letters = [sign.islower() for sign in text if sign.isalpha()]
    changes = sum(one != other for one, other in itertools.pairwise(letters))
    if changes < len(text) // 10 + 1:
        return False
    try:
        raw = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except ValueError:
        return True
    readable = sum(32 <= byte < 127 for byte in raw)
    return readable < len(raw) and raw != bytes(sorted(raw))
