"""The command itself: its groups, its version, and how it ends."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer

from .._version import __version__
from ..errors import ArgumentError, KfutError
from . import account, checking, notebooks, orders, paper, reports, scanning

INTERRUPTED = 130
"""What a shell expects of a program that was ended with Ctrl-C."""

_WrongUsage: type[Any] = typer.BadParameter.__mro__[1]
"""Whatever is wrong with options and arguments; typer exports only this one kind of it."""

app = typer.Typer(
    help="Kraken Futures in JupyterLab: account data, P&L and margin, reports and an order ticket.",
    epilog="Exit codes: 0 all went well, 1 an error, 2 wrong usage, 3 check or scan found something.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(notebooks.lab)
app.command()(reports.report)
app.command()(reports.sync)
app.command()(account.positions)
app.command()(account.margin)
app.add_typer(orders.app, name="orders")
app.command()(checking.check)
app.add_typer(paper.app, name="paper")
app.command()(scanning.scan)


def main() -> None:
    """Run the ``kfut`` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console that lacks a character shows a question mark
            stream.reconfigure(errors="replace")
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = _show_warning
        try:
            sys.exit(app(prog_name="kfut", standalone_mode=False) or 0)
        except _WrongUsage as error:
            _refuse(error)
            sys.exit(2)
        except KfutError as error:
            _complain(str(error))
            sys.exit(2 if isinstance(error, ArgumentError) else 1)
        except KeyboardInterrupt:
            _complain("interrupted")
            sys.exit(INTERRUPTED)


def _refuse(error: Any) -> None:
    """One line, as for any other error; the help, which is many, is what is asked for without arguments."""
    message, command = error.format_message(), error.ctx.command_path if error.ctx else "kfut"
    if "\n" in message:
        error.show()
    else:
        _complain(f"{message.rstrip('.')}: see {command} --help")


def _complain(message: str) -> None:
    typer.echo(f"kfut: {' '.join(message.split())}", err=True)


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, UserWarning):
        _complain(f"warning: {message}")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kfut_analytics {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the command itself."""
