"""The folders for what is kept, and the paper exchange."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .. import settings
from ..errors import KfutError
from .finding import Finding

DISK, PAPER = "disk", "paper exchange"
LEAST_FREE = 500_000_000
"""Bytes; an archive of a busy account with its candles takes some hundred megabytes."""


def disk() -> Iterator[Finding]:
    """Whether what is kept can be written, and has room."""
    folder = settings.data_folder()
    named = f"choose another folder with {settings.HOME_VARIABLE}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".check-"):
            pass
    except OSError as error:
        yield Finding.problem(DISK, f"{folder} cannot be written: {error.strerror or error}", named)
        return
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        yield Finding.problem(DISK, f"only {free / 1e6:,.0f} MB are free for {folder}", f"make room, or {named}")
    else:
        yield Finding.ok(DISK, f"{folder} can be written; {free / 1e9:,.0f} GB are free")
    here = Path.cwd()
    try:
        with tempfile.NamedTemporaryFile(dir=here, prefix=".check-"):
            pass
    except OSError as error:
        yield Finding.note(
            DISK, f"{here} cannot be written: {error.strerror or error}", "run kfut in a folder of yours"
        )


def paper_exchange() -> Iterator[Finding]:
    """Open the paper exchange, and ask it for an account."""
    from .. import connect

    try:
        with connect("paper", account="empty") as client:
            equity = client.account().margin_equity
    except (KfutError, OSError) as error:
        yield Finding.problem(
            PAPER,
            f"it cannot be used: {error}",
            "let programs connect to 127.0.0.1 (firewall), and set NO_PROXY=127.0.0.1",
        )
        return
    if equity == 10_000:
        yield Finding.ok(PAPER, "it opens and answers")
    else:
        yield Finding.problem(PAPER, f"its empty account has {equity} USD, not 10,000", "report this")
