"""``kfut report`` and ``kfut sync``: the position report, and history that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError
from .account import heading, title
from .options import FOUND, AccountOption, EnvOption, JsonOption, PathOption, ReadEnvOption, UrlOption, opened
from .output import write_json

if TYPE_CHECKING:
    from ..client import Client


def report(
    out: Annotated[Path, typer.Option(help="File to write; its ending says what: .html, .pdf, .md or .xlsx.")] = Path(
        "report.html"
    ),
    env: ReadEnvOption = "paper",
    start: Annotated[str, typer.Option(help="Start of the period: a date, or a span such as -30d.")] = "-30d",
    compare: Annotated[
        tuple[str, str] | None, typer.Option(help="Two dates: how the account came from one to the other.")
    ] = None,
    section: Annotated[
        list[str] | None, typer.Option(help="Only this section; may be repeated, in the order wanted.")
    ] = None,
    templates: Annotated[Path | None, typer.Option(help="Folder of templates that come before ours.")] = None,
    unmask: Annotated[bool, typer.Option("--unmask", help="Tell the account's name in full.")] = False,
    base_url: UrlOption = None,
    account: AccountOption = None,
    path: PathOption = None,
) -> None:
    """Write a position report: one file to send on."""
    from .. import report as write_report

    with opened(env, base_url, account, path=path) as client:
        written = write_report(
            client, out, start=start, compare=compare, sections=section, templates=templates, unmask=unmask
        )
    typer.echo(f"Report written to {written.resolve()}")


def sync(
    env: EnvOption = "paper",
    base_url: UrlOption = None,
    account: AccountOption = None,
    start: Annotated[str | None, typer.Option(help="From when on; by default from the first entry.")] = None,
    candles: Annotated[
        list[str] | None, typer.Option(help="More candles: PF_XBTUSD:1d or PF_XBTUSD:1h:mark; may be repeated.")
    ] = None,
    funding: Annotated[
        list[str] | None, typer.Option(help="More contracts whose funding rates are kept; may be repeated.")
    ] = None,
    path: PathOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be asked for.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only check what is held; 3 if something is wrong.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Save the account's history in its archive, as far as it is not there yet."""
    if plan and (candles or funding):
        raise ArgumentError("--plan does not look at --candles and --funding: leave them out")
    if plan and verify:
        raise ArgumentError("--plan and --verify are two different questions: give one of them")
    wanted = [_candles(one) for one in candles or []]
    with opened(env, base_url, account, path=path) as client:
        if verify:
            _verify(client, as_json)
            return
        if plan:
            planned = client.sync(start, plan_only=True)
            figures = {"requests": planned.requests, "tokens": planned.tokens, "minutes": planned.minutes}
            _write(client, planned, figures | {"series": planned.frame}, as_json)
        else:
            done = client.sync(start, candles=wanted, funding=funding or ())
            brought = {"until": done.until, "seconds": done.seconds, "notes": done.notes, "series": done.frame()}
            _write(client, done, brought, as_json)


def _write(client: Client, result: object, figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(_archive(client) | figures)
    else:
        typer.echo(title(client))
        typer.echo(repr(result))


def _verify(client: Client, as_json: bool) -> None:
    found = client.archive.verify()
    if as_json:
        write_json(_archive(client) | {"files": found.files, "rows": found.rows, "problems": found.problems})
    else:
        typer.echo(repr(found))
    if not found:
        raise typer.Exit(FOUND)


def _archive(client: Client) -> dict[str, Any]:
    return heading(client, None) | {"folder": str(client.archive.folder)}


def _candles(text: str) -> list[str]:
    parts = text.split(":")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise ArgumentError(
            f"--candles {text} is not SYMBOL:RESOLUTION or SYMBOL:RESOLUTION:KIND, such as PF_XBTUSD:1d"
        )
    return parts
