"""The package as it is imported: light, with the public names it promises."""

from __future__ import annotations

import subprocess
import sys

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
