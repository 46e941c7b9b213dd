"""Once a day, in one line: when the exchange's API ends, and what is not saved yet."""

from __future__ import annotations

import logging
from contextlib import suppress

import pandas as pd

from ..errors import ConfigurationError
from ..settings import data_folder
from ..times import utc_now
from . import layout, manifest

_log = logging.getLogger("kfut_analytics.archive")

API_END = pd.Timestamp("2027-03-01", tz="UTC")
"""When the exchange's documentation says that this API ends."""


def notice(env: str) -> str:
    """The line, from what lies in the user's folder; nothing is asked of the exchange."""
    now = utc_now()
    day = f"{API_END.day} {API_END:%B %Y}"
    when = f"ends on {day} (in {(API_END - now).days} days)" if now < API_END else f"was to end on {day}"
    synced: list[int] = []
    for folder in layout.of_env(env):
        with suppress(ConfigurationError):
            found = manifest.read(folder)
            synced += [found.synced] if found is not None and found.synced is not None else []
    if not synced:
        saved = "nothing of this account's history is saved yet: client.sync() saves all of it"
    else:
        last = pd.Timestamp(min(synced), unit="us", tz="UTC")
        saved = f"history since {last:%Y-%m-%d %H:%M} UTC is not saved yet: client.sync() saves it"
    return f"The exchange's API {when}; {saved}."


def remind(env: str) -> None:
    """Log the line as a warning, at most once a day."""
    today = f"{utc_now():%Y-%m-%d}"
    path = data_folder() / "reminded"
    with suppress(OSError):
        if path.exists() and path.read_text(encoding="utf-8") == today:
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(today, encoding="utf-8")
    _log.warning("%s", notice(env))
