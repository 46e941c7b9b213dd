"""Templates of pages: ours, and in front of them those of the user, section by section."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)

from ..errors import ArgumentError

SUFFIX = ".jinja"

Folder = str | os.PathLike[str]


def checked_folder(folder: Folder) -> Path:
    """The folder of a user's templates.

    Raises
    ------
    ArgumentError
        If it is none, or has none.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise ArgumentError(f"templates={str(folder)!r} is not a folder: give one that holds templates named as ours")
    if not list(path.glob(f"*{SUFFIX}")):
        raise ArgumentError(
            f"templates={str(folder)!r} has no files that end in {SUFFIX}, such as positions.html.jinja"
        )
    return path


def sections_in(folder: Path | None, ending: str) -> list[str]:
    """Names of the sections that a user's templates are for, of pages with that ending (``html``, ``md``)."""
    tail = f".{ending}{SUFFIX}"
    return [] if folder is None else sorted(path.name.removesuffix(tail) for path in folder.glob(f"*{tail}"))


def environment(folder: Path | None, *, escape: bool) -> Environment:
    """Templates of the package, behind those of a folder."""
    ours = PackageLoader("kfut_analytics.report")
    loader: BaseLoader = ours if folder is None else ChoiceLoader([FileSystemLoader(folder), ours])
    return Environment(
        loader=loader, autoescape=escape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def render(found: Environment, name: str, **values: Any) -> str:
    """A page.

    Raises
    ------
    ArgumentError
        If a template is wrong; it is the user's then.
    """
    try:
        return found.get_template(name).render(**values)
    except TemplateError as error:
        where = f"{error.name}, line {error.lineno}: " if isinstance(error, TemplateSyntaxError) else ""
        raise ArgumentError(f"a template cannot be used: {where}{error}") from error
