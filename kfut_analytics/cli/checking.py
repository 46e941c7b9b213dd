"""``kfut check``: what is wrong with keys, network, clock, versions and folders."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from .options import FOUND, JsonOption, UrlOption
from .output import write_json

if TYPE_CHECKING:
    from ..check import Finding


def check(
    env: Annotated[str, typer.Option("--env", help="live, or paper, which asks nothing of the exchange.")] = "live",
    base_url: UrlOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing of any network.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find what is wrong with keys, network, clock, versions and folders, and say what to do; 3 if something is."""
    from ..check import look_at_everything
    from ..settings import LIVE_URL, one_of

    one_of("--env", env, ("live", "paper"))
    offline = offline or (env == "paper" and base_url is None)
    findings = []
    for finding in look_at_everything(base_url or LIVE_URL, offline=offline):
        findings.append(finding)
        if not as_json:
            _write(finding)
    problems = [finding for finding in findings if finding.state == "problem"]
    if as_json:
        write_json({"ok": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        typer.echo(
            f"\n{len(problems)} problem{'' if len(problems) == 1 else 's'} found" if problems else "\nall is well"
        )
    if problems:
        raise typer.Exit(FOUND)


def _write(finding: Finding) -> None:
    """A line, and below it what to do."""
    start = f"{finding.state:<9}{finding.area:<16}"
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    indent = " " * len(start)
    typer.echo(textwrap.fill(finding.what, max(width, 60), initial_indent=start, subsequent_indent=indent))
    if finding.remedy:
        remedy = f"{indent}-> "
        typer.echo(
            textwrap.fill(finding.remedy, max(width, 60), initial_indent=remedy, subsequent_indent=f"{indent}   ")
        )
