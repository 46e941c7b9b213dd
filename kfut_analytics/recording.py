"""Recorded sessions: a notebook that replays offline, with nothing secret in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from . import times
from .errors import ArgumentError, ConfigurationError

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
    except ImportError:
        raise ConfigurationError('recordings need vcrpy: pip install "kfut-analytics[recording]"') from None
    file = Path(path)
    replaying = file.exists() and not again
    now = _recorded_now(file) if replaying else times.utc_now().floor("ms")
    if again:
        file.unlink(missing_ok=True)
    recorder = vcr.VCR(
        filter_headers=list(SECRET_HEADERS),
        before_record_response=lambda response: _scrubbed(response, now),
        match_on=["method", "path", "query", "body"],
        record_mode=vcr.mode.NONE if replaying else vcr.mode.ALL,
        decode_compressed_response=True,
    )
    with ExitStack() as stack:
        stack.enter_context(times.frozen(now))
        if replaying:
            from .rest.session import unsigned_requests

            stack.enter_context(unsigned_requests())
        stack.enter_context(recorder.use_cassette(str(file), allow_playback_repeats=replaying))
        yield


def _scrubbed(response: dict[str, Any], now: pd.Timestamp) -> dict[str, Any]:
    body = response["body"]["string"]
    headers = {k: v for k, v in response["headers"].items() if k.casefold() != "set-cookie"}
    return {
        **response,
        "headers": headers | {_NOW: [times.iso(now)]},
        "body": {"string": _IDENTITIES.sub(_HIDDEN, body.encode() if isinstance(body, str) else body)},
    }


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
