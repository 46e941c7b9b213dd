"""Kraken Futures in JupyterLab: DataFrames, P&L and margin that reconcile, reports, and an order ticket.

Start with ``client = kfut.connect()``: the embedded paper exchange, with no key and no internet. Then::

    client.positions(); client.account(); client.account_log(start="-90d")    # DataFrames with fixed columns
    kfut.describe(); kfut.describe("positions")       # the tables; what each column means
    pnl = kfut.pnl(client.account_log());   pnl.by_contract(); pnl.round_trips(); pnl.reconcile()
    equity = kfut.equity(client);           equity.summary(); equity.drawdowns(); equity.bridge()
    margin = kfut.margin(client);           margin.usage(); margin.liquidation(); margin.stress([-0.2, 0.2])
    kfut.plots.pnl(pnl)                               # one function per chart: kfut.plots.__all__
    kfut.report(client, "report.html")                # also .pdf, .xlsx, .md
    client.sync(); client.archive.describe()          # history that is kept; kfut.connect("archive", path=…)

With ``kfut.connect(trading=True)`` also::

    order = kfut.Order("PF_XBTUSD", "buy", 0.01, limit_price=80_000)
    client.preview(order); client.place(order); client.cancel(…); client.journal()
    kfut.OrderTicket(client); kfut.Monitor(client)    # for a notebook cell

Errors are one tree, drawn in `kfut.errors`; `kfut.paper` is the exchange by itself; ``kfut --help`` tells of the
command line.

Names are loaded when they are first used, so importing this package loads neither matplotlib, ipywidgets nor the
paper exchange.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import errors, paper, plots
    from .accounting.log_csv import read_account_log_csv
    from .archive.archive import Archive
    from .archive.dataset import Accounts
    from .client import Client
    from .connection import connect
    from .equity import Equity, equity
    from .limits import Limits
    from .margin import Margin, margin
    from .orders import Cancel, CancelResult, Edit, EditResult, Order, OrderResult, Preview
    from .parameters import refuse_secrets
    from .pnl import PnL, pnl
    from .recording import recording
    from .report import report
    from .schema import describe
    from .widgets import Blotter, Monitor, OrderTicket, PositionsPanel

_HOMES = {
    "connect": ".connection",
    "Client": ".client",
    "Archive": ".archive.archive",
    "Accounts": ".archive.dataset",
    "Limits": ".limits",
    "Order": ".orders",
    "Edit": ".orders",
    "Cancel": ".orders",
    "OrderResult": ".orders",
    "EditResult": ".orders",
    "CancelResult": ".orders",
    "Preview": ".orders",
    "describe": ".schema",
    "pnl": ".pnl",
    "PnL": ".pnl",
    "read_account_log_csv": ".accounting.log_csv",
    "equity": ".equity",
    "Equity": ".equity",
    "margin": ".margin",
    "Margin": ".margin",
    "recording": ".recording",
    "report": ".report",
    "refuse_secrets": ".parameters",
    "OrderTicket": ".widgets",
    "Blotter": ".widgets",
    "PositionsPanel": ".widgets",
    "Monitor": ".widgets",
}
_MODULES = ("errors", "paper", "plots")

__all__ = [
    "Accounts",
    "Archive",
    "Blotter",
    "Cancel",
    "CancelResult",
    "Client",
    "Edit",
    "EditResult",
    "Equity",
    "Limits",
    "Margin",
    "Monitor",
    "Order",
    "OrderResult",
    "OrderTicket",
    "PnL",
    "PositionsPanel",
    "Preview",
    "__version__",
    "connect",
    "describe",
    "equity",
    "errors",
    "margin",
    "paper",
    "plots",
    "pnl",
    "read_account_log_csv",
    "recording",
    "refuse_secrets",
    "report",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps ``kfut.pnl``, ``kfut.equity`` and others as functions although modules of these names exist.

    Importing a module sets it as an attribute of its package, which would hide the function of the same name.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
