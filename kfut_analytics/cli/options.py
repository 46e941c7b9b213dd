"""Options that several commands share, and opening a client from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..client import Client

EnvOption = Annotated[str, typer.Option("--env", help="paper or live.")]
ReadEnvOption = Annotated[str, typer.Option("--env", help="paper, live, or archive, which needs --path.")]
PathOption = Annotated[
    Path | None, typer.Option(help="Folder of the archive, if not the usual one; --env archive needs it.")
]
UrlOption = Annotated[str | None, typer.Option("--base-url", help="Address of the exchange, if not the usual one.")]
AccountOption = Annotated[
    str | None, typer.Option("--account", help="Account of the embedded paper exchange: demo, empty, or a kept one.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON object, for machines.")]

FOUND = 3
"""Exit code of a command that looks for trouble and found some."""


def number(text: str) -> float:
    """A number from the command line.

    Raises
    ------
    typer.BadParameter
        If it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """What reads a whole number between two others from the command line, and refuses any other text."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not a whole number") from None
        if value < least or (most is not None and value > most):
            limits = f"at least {least}" if most is None else f"from {least} to {most}"
            raise typer.BadParameter(f"{text} is out of range: give a whole number {limits}")
        return value

    return read


def opened(env: str, base_url: str | None = None, account: str | None = None, **options: Any) -> Client:
    """A client as the options say; read-only unless they say ``trading=True``."""
    from .. import connect

    if account is not None:
        if env != "paper" or base_url is not None:
            raise ArgumentError(
                f"--account {account} names an account of the embedded paper exchange: leave it out, "
                "the key decides which account it is"
            )
        options["account"] = account
    if env == "archive" and options.get("path") is None:
        raise ArgumentError("--env archive needs --path, the folder of an archive: kfut sync says where it saves")
    return connect(env, base_url=base_url, **options)  # type: ignore[arg-type]  # connect says what is wrong
