"""The report: figures equal those of `pnl` and `margin`, nothing is loaded from elsewhere, everything is escaped."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics import schema
from kfut_analytics.account import Account, Balances
from kfut_analytics.errors import ArgumentError
from kfut_analytics.pnl import amount
from kfut_analytics.report import build, render, report
from kfut_analytics.report.data import mask
from kfut_analytics.report.tables import DAYS_SHOWN

AS_OF = pd.Timestamp("2026-11-22T08:00:00Z")
VOID = {"meta", "br", "hr", "link", "img", "input", "path", "use", "rect", "line", "polygon", "polyline", "circle"}


class Page(HTMLParser):
    """The page as what a reader sees of it: tables by id, text by id, every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: dict[str, str] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self._open: list[tuple[str, str]] = []
        self._row: list[str] | None = None
        self.feed(text)
        self.close()
        assert not self._open, f"unclosed: {self._open}"

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "table":
            self.tables[named["id"]] = []
        if tag == "tr":
            self._row = []
        if tag in ("td", "th"):
            self._row.append("")
        if tag not in VOID:
            self._open.append((tag, named.get("id", "")))

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        opened, _ = self._open.pop()
        assert opened == tag, f"{tag} closes {opened}"
        if tag == "tr":
            table = next(name for kind, name in reversed(self._open) if kind == "table")
            self.tables[table].append(self._row)
            self._row = None

    def handle_data(self, data):
        if self._row:
            self._row[-1] += data
        for _, name in self._open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data

    def rows(self, table: str) -> list[dict[str, str]]:
        head, *body = self.tables[table]
        return [dict(zip(head, row, strict=True)) for row in body]


def log(days: int = 12, contract: str = "PF_XBTUSD") -> pd.DataFrame:
    """A closing trade a day with P&L 10, -20, 30, …, fee 1; funding -2 a day; a deposit first."""
    rows, balance = [], 1_000.0

    def entry(info, change, time, **fields):
        nonlocal balance
        balance, old = balance + change, balance
        rows.append({"id": len(rows) + 1, "time": time, "info": info, "account": "flex", "asset": "USD",
                     "old_balance": old, "new_balance": balance, "change": change} | fields)  # fmt: skip

    for day in range(days):
        time = AS_OF - pd.Timedelta(days=days - day)
        if day == 0:
            entry("cross-exchange transfer", 500.0, time)
        gross = 10.0 * (day + 1) * (-1) ** day
        rows.append({"id": len(rows) + 1, "time": time, "info": "futures trade", "account": "flex", "asset": contract,
                     "contract": contract, "old_balance": days - day, "new_balance": days - day - 1, "change": -1.0,
                     "trade_price": 100.0, "old_entry_price": 100.0 - gross, "new_entry_price": 100.0})  # fmt: skip
        entry("futures trade", gross - 1, time, contract=contract, realized_pnl=gross, fee=1.0, realized_funding=0.0)
        entry("funding rate change", -2.0, time, contract=contract, realized_funding=-2.0, fee=0.0)
    names = {name for row in rows for name in row}
    return schema.ACCOUNT_LOG.frame({name: [row.get(name) for row in rows] for name in names})


def client(**changes):
    """A client of one long position, one order and the log above."""
    account = Account(
        env="live", time=AS_OF, balance_value=1_000.0, portfolio_value=1_100.0, collateral_value=1_000.0,
        unrealized_pnl=100.0, unrealized_funding=0.0, total_unrealized=100.0, total_unrealized_as_margin=100.0,
        margin_equity=1_100.0, initial_margin=120.0, initial_margin_with_orders=130.0, maintenance_margin=60.0,
        available_margin=970.0,
    )  # fmt: skip
    frames = {
        "account_log": log(),
        "accounts": schema.ACCOUNTS.frame(
            {"account": ["flex", "cash"], "type": ["", ""], "currency": ["USD", "EUR"], "quantity": [1_000.0, 0.0],
             "value_usd": [1_000.0, 0.0], "collateral_usd": [1_000.0, 0.0], "available": [970.0, 0.0]}
        ),
        "wallets": schema.WALLETS.frame({}),
        "positions": schema.POSITIONS.frame(
            {"symbol": ["PF_XBTUSD"], "side": ["long"], "size": [0.1], "signed_size": [0.1], "entry_price": [59_000.0],
             "mark_price": [60_000.0], "notional": [6_000.0], "unrealized_pnl": [100.0], "pnl_currency": ["USD"],
             "margin_mode": ["cross"]}
        ),
        "open_orders": schema.OPEN_ORDERS.frame(
            {"order_id": ["a"], "symbol": ["PF_XBTUSD"], "side": ["sell"], "order_type": ["lmt"],
             "limit_price": [65_000.0], "size": [0.1], "filled_size": [0.0], "reduce_only": [True],
             "received_time": [AS_OF]}
        ),
        "margin_tiers": schema.MARGIN_TIERS.frame(
            {"symbol": ["PF_XBTUSD"], "schedule": ["professional"], "threshold": [0.0], "unit": ["quote"],
             "initial_margin": [0.02], "maintenance_margin": [0.01]}
        ),
    } | changes  # fmt: skip
    starts: list[object] = []
    made = SimpleNamespace(env="live", account_name="f92fc7de-2fce-4265-b806-4f3c1efb37ee", starts=starts)
    made.account = lambda: frames.get("account", account)
    made.account_log = lambda start=None: starts.append(start) or frames["account_log"]
    made.balances = lambda: Balances(made.account(), frames["accounts"], frames["wallets"])
    for name in ("accounts", "positions", "open_orders", "margin_tiers"):
        setattr(made, name, lambda name=name: frames[name])
    for name, table in {
        "account_margin_tiers": schema.MARGIN_TIERS,
        "leverage_preferences": schema.LEVERAGE_PREFERENCES,
        "instrument_status": schema.INSTRUMENT_STATUS,
        "tickers": schema.TICKERS,
    }.items():
        setattr(made, name, lambda table=table: table.frame({}))
    return made


def text(value: float, currency: str = "USD", *, sign: bool = True) -> str:
    return amount(value, currency, sign=sign).replace("-", "\N{MINUS SIGN}")


@pytest.fixture(scope="module")
def data():
    return build(client(), "-30d")


@pytest.fixture(scope="module")
def page(data) -> Page:
    return Page(render(data))


def test_header(page):
    assert page.texts["environment"] == "LIVE"
    assert page.texts["account"] == "…37ee"
    assert page.texts["as-of"] == "2026-11-22 08:00:00 UTC"
    assert "f92fc7de" not in render(build(client()))


def test_pnl_figures_are_those_of_pnl(page, data):
    summary = data.pnl.summary().loc["USD"]
    row = page.rows("summary")[0]
    assert row["Net"] == text(summary["net"]) == "\N{MINUS SIGN}96.00"  # -60 gross, 12 fees, 24 funding
    assert row["Fees"] == "\N{MINUS SIGN}12.00"
    contract = page.rows("by_contract")[0]
    assert (contract["Contract"], contract["Funding"]) == ("PF_XBTUSD", "\N{MINUS SIGN}24.00")
    bridge = {row[""]: row["flex USD"] for row in page.rows("bridge")}
    assert bridge["Opening balance"] == "1,000.00"
    assert bridge["Transfer"] == "+500.00"
    assert bridge["Unexplained"] == "0.00"
    assert bridge["Closing balance"] == "1,404.00"
    assert "Tax" not in bridge
    days = page.rows("daily")
    assert len(days) == len(data.pnl.daily()) == 12
    assert days[0]["Cumulative net"] == row["Net"]


def test_best_and_worst_days(page):
    """Day 11 made 110 - 3, day 12 lost 120 + 3."""
    first = page.rows("extreme_days")[0]
    assert (first["Best day"], first["Worst day"]) == ("2026-11-20", "2026-11-21")
    assert page.tables["extreme_days"][1][3] == "+107.00"
    assert page.tables["extreme_days"][1][5] == "\N{MINUS SIGN}123.00"


def test_margin_figures_are_those_of_margin(page, data):
    row = page.rows("usage")[0]
    assert row["Equity"] == "1,100.00"
    assert row["Margin usage"] == "10.9 %"
    assert row["Leverage"] == "5.45"
    assert row["Exchange less tiers"] == "0.00"
    position = page.rows("positions")[0]
    assert position["Initial margin"] == text(data.margin.by_position()["initial_margin"].item(), sign=False)
    assert (position["Entry"], position["Mark"], position["Value, USD"]) == ("59,000", "60,000", "6,000.00")
    assert position["Unrealised funding"] == "n/a"
    order = page.rows("open_orders")[0]
    assert (order["Limit"], order["Trigger"], order["Reduce only"]) == ("65,000", "n/a", "yes")
    assert [row["Wallet"] for row in page.rows("balances")] == ["flex"]


def test_every_figure_is_defined(page):
    for term in ("Portfolio value", "Margin equity", "Available margin", "Margin usage", "Maintenance usage",
                 "Unrealised P&L", "Realised P&L", "Fees", "Funding", "Net", "Leverage", "Unexplained",
                 "Exchange less tiers", "n/a"):  # fmt: skip
        assert term in page.texts["definitions"]


def test_nothing_is_loaded_from_elsewhere(data):
    html = render(data)
    page = Page(html)
    assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for _, name, value in page.attributes:
        if name in ("href", "xlink:href", "src", "srcset", "action"):
            assert value.startswith("#")
        assert not re.search(r"url\((?!#)", value)
    assert not re.search(r"https?:|//[a-z]|@import|url\([^#]", html)
    assert len(html) < 1_000_000


def test_ids_are_unique_and_references_resolve(page):
    assert len(page.ids) == len(set(page.ids))
    wanted = {value[1:] for _, name, value in page.attributes if name.endswith("href")}
    wanted |= {found for _, _, value in page.attributes for found in re.findall(r"url\(#([^)]+)\)", value)}
    assert wanted <= set(page.ids)


def test_drawings_follow_the_theme(data):
    html = render(data)
    drawings = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(drawings) == 2
    assert "Cumulative P&amp;L, USD" in drawings[0]
    assert "LIVE" in drawings[0]
    assert "PF_XBTUSD long" in drawings[1]
    assert all("var(--text)" in drawing and "#1b1f24" not in drawing for drawing in drawings)
    for name in set(re.findall(r"var\((--[a-z0-9-]+)\)", html)):
        assert html.count(f"{name}:") >= 3  # light, dark, print


def test_same_figures_same_page(data):
    assert render(data) == render(data)


def test_text_from_the_exchange_is_escaped():
    evil = "PF_<script>alert('1')</script>&USD"
    changes = {
        "account_log": log(contract=evil),
        "open_orders": client().open_orders().assign(order_type="<img src=x onerror=1>"),
        "positions": client().positions().rename(index={"PF_XBTUSD": evil}),
    }
    html = render(build(client(**changes)))
    assert "<script" not in html
    assert "<img" not in html
    page = Page(html)
    assert page.rows("by_contract")[0]["Contract"] == evil
    assert page.rows("positions")[0]["Contract"] == evil
    assert "no margin tiers for PF_<script>" in page.texts["notes"]


def test_an_empty_account_is_said_not_drawn():
    nothing = {name: getattr(schema, table).frame({}) for name, table in
               {"account_log": "ACCOUNT_LOG", "accounts": "ACCOUNTS", "positions": "POSITIONS",
                "open_orders": "OPEN_ORDERS"}.items()}  # fmt: skip
    zero = replace(client().account(), margin_equity=0.0, portfolio_value=0.0)
    page = Page(render(build(client(**nothing, account=zero))))
    assert page.texts["positions"] == "No open positions."
    assert page.texts["open_orders"] == "No open orders."
    assert page.texts["balances"] == "All wallets are empty."
    assert page.texts["bridge"] == "The account log has no entries in this period."
    assert page.texts["extreme_days"] == "n/a: fewer than 10 days with P&L."
    assert page.rows("usage")[0]["Margin usage"] == "n/a"


def test_defects_are_in_the_footnotes():
    broken = log().drop(index=[3])
    odd = log().assign(info="lunar dividend")
    assert "is not explained by the entries" in Page(render(build(client(account_log=broken)))).texts["notes"]
    assert "lunar dividend" in Page(render(build(client(account_log=odd)))).texts["notes"]
    assert "All balances reconcile" in Page(render(build(client()))).texts["notes"]


def test_many_days_are_cut_and_it_is_said():
    page = Page(render(build(client(account_log=log(days=DAYS_SHOWN + 8)))))
    assert len(page.rows("daily")) == DAYS_SHOWN


def test_period_counts_from_the_time_of_the_figures():
    asked = client()
    assert build(asked, "-30d").start == AS_OF - pd.Timedelta(days=30)
    assert asked.starts == [AS_OF - pd.Timedelta(days=30)]
    with pytest.raises(ArgumentError, match="start='yesterdayish' is not a point in time"):
        build(client(), "yesterdayish")


def test_report_writes_the_file_at_once(tmp_path):
    target = tmp_path / "report.html"
    target.write_text("old")
    assert report(client(), target) == target
    assert "Position report" in target.read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["report.html"]
    assert kfut.report is report


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(ArgumentError, match=r"cannot be written \(Permission denied\)"):
        report(client(), target)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]


@pytest.mark.parametrize(
    ("path", "message"),
    [("", "is a folder"), ("report.pdf", r"does not end in \.html"), ("no/where/report.html", "create it first")],
)
def test_impossible_paths_are_refused_before_anything_is_asked(tmp_path: Path, path, message):
    asked = client()
    with pytest.raises(ArgumentError, match=message):
        report(asked, tmp_path / path)
    assert asked.starts == []


def test_mask():
    assert (mask("demo"), mask("12345678"), mask("123456789")) == ("demo", "12345678", "…6789")
