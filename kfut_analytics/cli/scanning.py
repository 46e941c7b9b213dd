"""``kfut scan``: secrets and account ids in what is about to be shared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import FOUND, JsonOption
from .output import write_json, write_table


def scan(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: notebooks, cassettes, reports, anything.")],
    fix: Annotated[
        bool, typer.Option("--fix", help="Take outputs, widget states and run parameters out of notebooks first.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for API keys, secrets and account ids in files before they are shared; 3 if there are any."""
    from ..leaks import Leak, look, strip

    leaks: list[Leak] = []
    unread: list[tuple[str, str]] = []
    files = 0
    for path in paths:
        looked = look(path)
        if fix:
            leaking = {Path(leak.file) for leak in looked.leaks if leak.file.endswith(".ipynb")}
            for notebook in sorted(leaking):
                if strip(notebook):
                    typer.echo(f"kfut: outputs taken out of {notebook}", err=True)
            looked = look(path) if leaking else looked
        leaks += looked.leaks
        unread += looked.unread
        files += looked.files
    if as_json:
        found = [{"file": x.file, "place": x.place, "kind": x.kind, "masked": x.masked} for x in leaks]
        write_json({"files": files, "found": found, "unread": [{"file": f, "reason": why} for f, why in unread]})
    else:
        if leaks:
            write_table(("file", "place", "kind", "value"), [(x.file, x.place, x.kind, x.masked) for x in leaks])
        else:
            typer.echo(f"nothing secret in {files} file{'' if files == 1 else 's'}")
        for file, why in unread:
            typer.echo(f"kfut: not looked into {file}: {why}", err=True)
    if leaks:
        raise typer.Exit(FOUND)
