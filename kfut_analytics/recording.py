"""Recorded sessions: a notebook that replays offline, with nothing secret in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from . import times
from .archive.layout import unread
from .errors import ArgumentError, ConfigurationError
from .side_by_side import one_by_one

if TYPE_CHECKING:
    import os

SECRET_HEADERS = ("APIKey", "Authent", "Nonce", "Cookie", "Set-Cookie")
"""Headers that are left out of a recording."""

_IDENTITIES = re.compile(
    rb'("(?:accountUid|masterAccountUid|accountId|apiKey|iiban|email|fullName)"\s*:\s*)("(?:[^"\\]|\\.)*"|\d+)'
)
_HIDDEN = rb'\1"00000000-0000-0000-0000-000000000000"'
_NOW = "x-recorded-now"


@contextmanager
def recording(path: str | os.PathLike[str], *, again: bool = False) -> Iterator[None]:
    """Record what the exchange answers, or replay what was recorded.

    The first time, requests go out and the answers are written to ``path``; from then on they are answered from
    there, with no exchange and no key. Keys, signatures and account ids are left out of the file; balances, orders
    and trades are in it. ``"-30d"`` and the like count from the moment of the recording, so that a replay asks the
    same questions.

    Parameters
    ----------
    path
        The recording, a YAML file.
    again
        Record anew, in place of what is there.

    Raises
    ------
    ConfigurationError
        If vcrpy is not installed.
    ArgumentError
        If ``path`` holds something else than a recording.

    Examples
    --------
    >>> import kfut_analytics as kfut
    >>> with kfut.recording("session.yaml"):  # doctest: +SKIP
    ...     positions = kfut.connect("live").positions()
    """
    try:
        import vcr
        import vcr.errors
    except ImportError:
        raise ConfigurationError('recordings need vcrpy: pip install "kfut-analytics[recording]"') from None
    file = Path(path)
    replaying = file.exists() and not again
    now = _recorded_now(file) if replaying else times.utc_now().floor("ms")
    if again:
        file.unlink(missing_ok=True)
    recorder = vcr.VCR(
        filter_headers=list(SECRET_HEADERS),
        before_record_response=lambda response: _dated(hide_identities(response), now),
        match_on=["method", "path", "query", "order"],
        record_mode=vcr.mode.NONE if replaying else vcr.mode.ALL,
        decode_compressed_response=True,
    )
    recorder.register_matcher("order", _same_body)
    with ExitStack() as stack:
        stack.enter_context(times.frozen(now))
        stack.enter_context(one_by_one())
        stack.enter_context(unread())
        if replaying:
            from .rest.session import unsigned_requests

            stack.enter_context(unsigned_requests())
        stack.enter_context(recorder.use_cassette(str(file), allow_playback_repeats=replaying))
        try:
            yield
        except vcr.errors.CannotOverwriteExistingCassetteException as error:
            raise ArgumentError(
                f"{str(file)!r} holds no answer to {error.failed_request.method} {error.failed_request.path}: "
                "record it anew with again=True"
            ) from None


def _same_body(first: Any, second: Any) -> None:
    """Bodies are compared without the client's order id and the deadline, which are fresh ones each time."""
    bodies = [re.sub(rb"(cliOrdId|[pP]rocessBefore)=[^&]*", b"", _bytes(request.body)) for request in (first, second)]
    assert bodies[0] == bodies[1], "different body"


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def hide_identities(response: dict[str, Any]) -> dict[str, Any]:
    """A recorded answer without cookies and without what tells whose account it is."""
    headers = {name: value for name, value in response["headers"].items() if name.casefold() != "set-cookie"}
    body = _IDENTITIES.sub(_HIDDEN, _bytes(response["body"]["string"]))
    return {**response, "headers": headers, "body": {"string": body}}


def _dated(response: dict[str, Any], now: pd.Timestamp) -> dict[str, Any]:
    return {**response, "headers": response["headers"] | {_NOW: [times.iso(now)]}}


def _recorded_now(file: Path) -> pd.Timestamp:
    import yaml

    try:
        first = yaml.safe_load(file.read_text(encoding="utf-8"))["interactions"][0]
        (text,) = first["response"]["headers"][_NOW]
    except (yaml.YAMLError, UnicodeDecodeError, LookupError, TypeError, ValueError):
        raise ArgumentError(
            f"{str(file)!r} is not a recording of this package: give another path, or again=True to replace it"
        ) from None
    return times.parse_time(text)
