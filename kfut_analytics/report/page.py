"""From figures to the page."""

from __future__ import annotations

import io
import re
from dataclasses import asdict

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from .. import plots
from .._version import __version__
from ..margin import percent
from ..plots.risk import usage_height
from ..plots.style import THEMES, Theme
from ..pnl import amount
from . import tables
from .data import ReportData

_ENVIRONMENT = Environment(
    loader=PackageLoader("kfut_analytics.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

DEFINITIONS = {
    "Portfolio value": "value of all balances in USD and the unrealised P&L of the multi-collateral wallet.",
    "Margin equity": "value of all balances after their haircuts, and the unrealised P&L and funding as they count for "
    "margin. For a single-collateral wallet: its balance and unrealised P&L.",
    "Collateral": "value of a balance after its haircut, USD.",
    "Initial margin": "what the exchange requires to open the positions held; per position it is computed "
    "from the exchange's margin tiers at the mark price, each tier's rate on the value inside that tier.",
    "Available margin": "what the exchange leaves free for new positions, open orders counted.",
    "Maintenance margin": "what must be left of the equity; below it the exchange liquidates.",
    "Margin usage": "initial margin divided by equity; at 100 % no new position can be opened.",
    "Maintenance usage": "maintenance margin divided by equity; at 100 % the exchange liquidates.",
    "Leverage": "value of the positions divided by portfolio value.",
    "Exchange less tiers": "the exchange's initial margin less the sum by tiers, where of the cross-margined positions "
    "on one underlying only the larger side counts.",
    "Realised P&L": "gross result of the closed parts of positions, by average entry price, as booked by the exchange.",
    "Fees": "trading and liquidation fees as booked; negative numbers were paid.",
    "Funding": "funding as booked; negative numbers were paid.",
    "Net": "realised P&L and funding less fees. Amounts of different currencies are never added up.",
    "Unexplained": "closing balance less opening balance less all classes of entries; zero when the account log is "
    "complete.",
    "Unrealised P&L": "what closing at the mark price would realise, without fees and funding.",
    "n/a": "not available: the exchange gives no figure, or there is too little to compute one.",
}


def render(data: ReportData) -> str:
    """The report as one HTML page that needs nothing else.

    Parameters
    ----------
    data
        What `build` gathered.

    Returns
    -------
    str
        HTML; all text from the exchange is escaped.
    """
    return _ENVIRONMENT.get_template("page.html.jinja").render(
        data=data,
        version=__version__,
        figures=_figures(data),
        charts=_charts(data),
        tables={name: getattr(tables, name)(data) for name in _TABLES},
        definitions=DEFINITIONS,
        light=_properties(THEMES["light"]),
        dark=_properties(THEMES["dark"]),
        days_shown=tables.DAYS_SHOWN,
        days=len(data.pnl.daily()),
    )


_TABLES = (
    "balances",
    "summary",
    "bridge",
    "by_contract",
    "usage",
    "positions",
    "open_orders",
    "extreme_days",
    "daily",
)


def _figures(data: ReportData) -> list[tuple[str, str]]:
    """The headline: label and text."""
    account = data.margin.account
    flex = data.margin.usage().iloc[0]
    rows = [
        ("Portfolio value", f"{amount(account.portfolio_value, 'USD')} USD"),
        ("Margin equity", f"{amount(account.margin_equity, 'USD')} USD"),
        ("Available margin", f"{amount(account.available_margin, 'USD')} USD"),
        ("Unrealised P&L", f"{amount(account.unrealized_pnl, 'USD', sign=True)} USD"),
        ("Margin usage", percent(float(flex["usage"]))),
        ("Maintenance usage", percent(float(flex["maintenance_usage"]))),
    ]
    nets = data.pnl.by_contract().groupby("currency")["net"].sum()
    rows += [(f"Net P&L, {code}", f"{amount(net, str(code), sign=True)} {code}") for code, net in nets.items()]
    return [(label, text.replace("-", "\N{MINUS SIGN}")) for label, text in rows]


def _charts(data: ReportData) -> dict[str, list[Markup]]:
    """The drawings by section, as SVG."""
    ledger = data.pnl
    currencies = sorted(ledger.by_contract()["currency"].unique(), key=lambda code: (code != "USD", code)) or [None]
    drawings: dict[str, list[Markup]] = {"pnl": [], "margin": []}
    for code in currencies:
        figure = _figure(3.6 if code == currencies[0] else 2.6)
        plots.pnl(ledger, figure.gca(), currency=code, theme="light", env=data.env, as_of=data.as_of)
        drawings["pnl"].append(_svg(figure, f"pnl {code}"))
    figure = _figure(usage_height(data.margin))
    plots.margin_usage(data.margin, figure.gca(), theme="light")
    drawings["margin"].append(_svg(figure, "margin"))
    return drawings


def _figure(height: float) -> Figure:
    figure = Figure(figsize=(9.0, height), layout="constrained")
    figure.add_subplot()
    return figure


def _svg(figure: Figure, name: str) -> Markup:
    """A drawing as an SVG element whose colours are CSS properties, so that one drawing serves both themes."""
    buffer = io.StringIO()
    # The salt keeps the ids of two drawings on one page apart and the page the same for the same figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    for key, colour in _properties(THEMES["light"]).items():
        text = text.replace(colour, f"var({key})")
    return Markup(text)


def _properties(theme: Theme) -> dict[str, str]:
    """A theme as CSS properties."""
    colours = asdict(theme)
    series = colours.pop("series")
    named = {f"--{key}": colour for key, colour in colours.items()}
    return named | {f"--series-{rank}": colour for rank, colour in enumerate(series)}
