"""The package as it is imported: light, with the public names it promises."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import kfut_analytics as kfut

PUBLIC = {
    "Accounts", "Archive", "Blotter", "Cancel", "CancelResult", "Client", "Edit", "EditResult", "Equity", "Limits",
    "Margin", "Monitor", "Order", "OrderResult", "OrderTicket", "PnL", "PositionsPanel", "Preview", "__version__",
    "connect", "describe", "equity", "errors", "margin", "paper", "plots", "pnl", "read_account_log_csv", "recording",
    "refuse_secrets", "report",
}  # fmt: skip


def test_public_names() -> None:
    assert set(kfut.__all__) == set(dir(kfut)) == PUBLIC
    for name in PUBLIC:
        assert getattr(kfut, name) is not None


def test_functions_stay_functions_when_their_modules_are_imported() -> None:
    code = (
        "import kfut_analytics.pnl, kfut_analytics.margin, kfut_analytics.equity, kfut_analytics.report\n"
        "import kfut_analytics as kfut\n"
        "assert all(callable(f) for f in (kfut.pnl, kfut.margin, kfut.equity, kfut.report)), kfut.pnl"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_loads_neither_charts_nor_widgets_nor_a_server() -> None:
    code = "import sys, kfut_analytics; print(' '.join(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    heavy = ("matplotlib", "ipywidgets", "starlette", "uvicorn", "kfut_analytics.paper", "IPython", "typer", "jinja2")
    assert not [m for m in output.split() if m.startswith(heavy)]


def test_every_error_is_one_of_ours_and_drawn_in_the_tree() -> None:
    kinds = [v for v in vars(kfut.errors).values() if isinstance(v, type) and issubclass(v, BaseException)]
    apart = {kfut.errors.CredentialsWarning, kfut.errors.FetchInterrupted, kfut.errors.OrderInterrupted}
    assert all(issubclass(kind, kfut.errors.KfutError) for kind in set(kinds) - apart)
    assert all(kind.__name__ in (kfut.errors.__doc__ or "") for kind in kinds)


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_every_public_name_says_what_it_is_for(name: str) -> None:
    """Of numpydoc's sections those that a reader needs: what goes in, and what comes out."""
    thing = getattr(kfut, name)
    text = inspect.getdoc(thing) or ""
    assert text.split("\n\n")[0].endswith((".", ":")), "a sentence comes first"
    assert not text.startswith(f"{name}("), "a dataclass without words of its own"
    if inspect.isfunction(thing):
        signature = inspect.signature(thing)
        assert not signature.parameters or "Parameters\n----------" in text
        yields = inspect.isgeneratorfunction(inspect.unwrap(thing))
        assert yields or signature.return_annotation in ("None", None) or "Returns\n-------" in text
    elif inspect.isclass(thing):
        parts = {part: inspect.getattr_static(thing, part) for part in dir(thing) if not part.startswith("_")}
        public = {  # inherited ones as well: most of a client's methods are
            part: value
            for part, value in parts.items()
            if isinstance(value, property)
            or (inspect.isfunction(value) and value.__module__.startswith("kfut_analytics"))
        }
        first = {part: (inspect.getdoc(value) or "").split("\n\n")[0] for part, value in public.items()}
        assert [part for part, sentence in first.items() if not sentence.endswith((".", ":"))] == []


def methods() -> dict[str, Callable[..., object]]:
    """Public functions, and public methods of public classes; what widgets inherit is for who builds a panel."""
    found: dict[str, Callable[..., object]] = {}
    for name in sorted(PUBLIC):
        thing = getattr(kfut, name)
        if inspect.isfunction(thing):
            found[name] = thing
        elif inspect.isclass(thing) and not thing.__module__.startswith("kfut_analytics.widgets"):
            parts = {part: inspect.unwrap(getattr(thing, part)) for part in dir(thing) if not part.startswith("_")}
            found |= {f"{name}.{part}": value for part, value in parts.items() if callable(value)}
    return found


@pytest.mark.parametrize("name", sorted(methods()))
def test_every_parameter_is_explained_and_no_other(name: str) -> None:
    function = methods()[name]
    _, _, section = (inspect.getdoc(function) or "").partition("Parameters\n----------\n")
    heads = re.findall(r"^(\S.*)\n    ", section.split("\n\n")[0], flags=re.MULTILINE)
    explained = [word.strip().lstrip("*") for head in heads for word in head.split(",")]
    assert explained == [parameter for parameter in inspect.signature(function).parameters if parameter != "self"]


def test_help_is_a_map() -> None:
    """Whoever types ``help(kfut)`` reads of everything that can be called."""
    text = inspect.getdoc(kfut) or ""
    told = ("connect", "pnl", "equity", "margin", "plots", "report", "Order", "OrderTicket", "describe")
    assert [name for name in told if f"kfut.{name}" not in text] == []
    for call in ("sync", "archive", "preview", "place"):
        assert f"client.{call}" in text


def test_wheel_and_sdist_hold_what_they_need_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    root = Path(__file__).resolve().parents[1]
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True, env={**os.environ, "NO_COLOR": "1"})
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
        [info] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        assert "kfut = kfut_analytics.cli:main" in wheel.read(info).decode()
    ours = {
        path.relative_to(root).as_posix()
        for path in (root / "kfut_analytics").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    notebooks = {f"kfut_analytics/notebooks/{path.name}" for path in (root / "notebooks").glob("*.ipynb")}
    assert inside == ours | notebooks
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        names = [name.split("/", 1)[1] for name in sdist.getnames()]
    assert {name.split("/")[0] for name in names} == {
        "kfut_analytics", "notebooks", "tests", "cassettes", "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml",
        "PKG-INFO", ".gitignore",
    }  # fmt: skip
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".env"))]
