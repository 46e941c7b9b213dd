"""The report: its figures are those of `pnl`, `margin` and `equity`, and what is not there is said."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.errors import ArgumentError, UnavailableError, VenueError
from kfut_analytics.report import COMPARISON, SECTIONS, build, render, report
from kfut_analytics.report.build import mask
from kfut_analytics.report.model import Note, Notes, Section, Table, Value
from kfut_analytics.report.sources import Once

from .accounts import NOW, account
from .reading import Page, pdf_text

DAY = pd.Timedelta("1D")
START = pd.Timestamp("2026-10-23T00:00Z")


@pytest.fixture(scope="module")
def client():
    """The demo account, asked each question once: the token pool of a client has not enough for all these reports."""
    with account() as opened:
        yield Once(opened)


@pytest.fixture(scope="module")
def demo(client):
    return build(client)


@pytest.fixture(scope="module")
def ledger(client):
    return kfut.pnl(client.account_log(start=START))


@pytest.fixture(scope="module")
def equity(client):
    return kfut.equity(client, start=START)


def raw(table) -> list[list[object]]:
    return [[value.raw for value in row] for row in table.rows]


def column(table, head: str) -> list[object]:
    return [row[table.heads.index(head)].raw for row in table.rows]


def figures(report) -> dict[str, object]:
    return {figure.label: figure.value.raw for section in report.sections for figure in section.figures()}


def missing(report) -> list[str]:
    return [part.text for s in report.sections for part in s.parts if isinstance(part, Note) and part.missing]


def words(report) -> str:
    return render(report, "markdown").decode()


# ---- figures -------------------------------------------------------------------------------------------------------


def test_the_period_is_of_whole_days_until_the_exchanges_now(demo):
    assert (demo.start, demo.end, demo.as_of) == (START, NOW, NOW)
    assert missing(demo) == []


def test_pnl_figures_are_those_of_pnl(demo, ledger):
    table, frame = demo.section("contracts").part("by_contract"), ledger.by_contract()
    assert column(table, "Contract") == list(frame["contract"])
    assert column(table, "Net") == pytest.approx(list(frame["net"]), abs=1e-12)
    assert column(table, "Fees") == pytest.approx(list(-frame["fee"]), abs=1e-12)
    assert column(table, "Funding") == pytest.approx(list(frame["realized_funding"]), abs=1e-12)
    for code, net in frame.groupby("currency")["net"].sum().items():
        assert figures(demo)[f"Net, {code}"] == pytest.approx(net)
    daily = demo.section("days").part("daily")
    assert column(daily, "Net") == pytest.approx(list(ledger.daily()["net"][::-1]), abs=1e-12)
    assert len(demo.section("trips").part("trips").rows) == len(ledger.round_trips())


def test_margin_figures_are_those_of_margin(demo, client):
    margin = kfut.margin(client)
    table, usage = demo.section("margin").part("usage"), margin.usage()
    assert column(table, "Margin usage") == pytest.approx(list(usage["usage"]))
    assert column(table, "Maintenance margin") == pytest.approx(list(usage["maintenance_margin"]))
    assert figures(demo)["Margin usage"] == pytest.approx(usage["usage"].max())
    edges, table = margin.liquidation(), demo.section("positions").part("liquidation")
    assert column(table, "Contract") == list(edges.index)
    known = [value if value != "none" else None for value in column(table, "Liquidation price")]
    assert known == pytest.approx([None if pd.isna(v) else v for v in edges["liquidation_price"]])
    stress = margin.stress().sort_index()
    assert column(demo.section("stress").part("stress"), "Equity after") == pytest.approx(list(stress["equity"]))
    forecast = margin.funding_forecast()["expected_usd"].sum()
    assert figures(demo)["Funding, next 24 h"] == pytest.approx(forecast)
    assert column(demo.section("funding").part("funding"), "Expected, USD")[-1] == pytest.approx(forecast)


def test_equity_figures_are_those_of_equity(demo, equity):
    summary = equity.summary()["value"]
    shown = figures(demo)
    for label, metric in {"Equity at the end": "end_equity", "P&L of the period": "pnl", "Sharpe ratio": "sharpe",
                          "Maximum drawdown": "max_drawdown",
                          "Mean round trip": "trip_expectancy"}.items():  # fmt: skip
        assert shown[label] == pytest.approx(summary[metric]), label
    days = equity.daily()
    best = demo.section("days").part("extreme_days").rows[0]
    assert best[2].raw == pytest.approx(days.loc[days["complete"], "pnl"].max())
    assert best[5].raw == pytest.approx(days.loc[days["complete"], "pnl"].min())


def test_everything_reconciles(demo, client):
    causes = column(demo.section("bridge").part("bridge"), "Amount, USD")
    assert sum(causes[:-1]) == pytest.approx(causes[-1], abs=1e-6)
    assert causes[-1] == pytest.approx(figures(demo)["Equity at the end"])
    for row in raw(demo.section("bridge").part("balances_bridge")):
        _, _, opening, pnl, fees, funding, transfers, other, unexplained, closing = row
        assert opening + pnl + fees + funding + transfers + other + unexplained == pytest.approx(closing, abs=1e-9)
        assert unexplained == 0
    held = {(row[0], row[1]): row[2] for row in raw(demo.section("account").part("balances"))}
    for row in raw(demo.section("bridge").part("balances_bridge")):
        assert held[row[0], row[1]] == pytest.approx(row[-1], abs=1e-8)
    differences = column(demo.section("quality").part("check"), "Difference")
    assert differences == pytest.approx([0.0] * len(differences), abs=0.05)
    assert demo.section("quality").part("defects").texts == [
        "All balances reconcile, and no entry of the account log is missing."
    ]


def test_open_orders(demo, client):
    table, orders = demo.section("orders").part("open_orders"), client.open_orders()
    assert sorted(column(table, "Contract")) == sorted(orders["symbol"])
    marks = client.tickers()["mark_price"]
    for row in table.rows:
        price = next(row[place].raw for place in (7, 6) if row[place].raw != "")
        assert row[8].raw == pytest.approx(price / marks[row[1].raw] - 1)


# ---- accounts with less --------------------------------------------------------------------------------------------


def test_an_empty_account_is_said_not_drawn():
    with account("empty") as client:
        found = build(client)
    assert missing(found) == []
    text = words(found)
    for sentence in ("No open positions.", "No open orders.", "No trades and no funding in this period.",
                     "No position was opened or closed in this period.", "No perpetual is held"):  # fmt: skip
        assert sentence in text
    assert figures(found)["Equity at the end"] == 10_000
    for kind in ("html", "pdf", "excel"):
        assert render(found, kind)


def test_a_young_account_has_na_with_the_reason():
    with account("empty") as client:
        client.place(kfut.Order("PF_XBTUSD", "buy", 0.01, order_type="mkt"))
        found = build(client)
    returns = {figure.label: figure.value for figure in found.section("equity").figures()}
    assert returns["Sharpe ratio"].text == "n/a"
    assert "needs 30 whole days" in returns["Sharpe ratio"].note
    assert "best and worst are told of 10 or more" in found.section("days").part("extreme_days").empty
    assert "needs 30 whole days" in words(found)


def test_an_account_with_inverse_positions_only_is_told_in_its_coin():
    with account("inverse") as client:
        client.place(kfut.Order("PI_XBTUSD", "buy", 5_000, order_type="mkt"))
        client.place(kfut.Order("PI_XBTUSD", "sell", 2_000, order_type="mkt"))
        found = build(client)
        usage = kfut.margin(client).usage()
    assert missing(found) == []
    assert column(found.section("margin").part("usage"), "Wallet") == list(usage["account"])
    assert column(found.section("contracts").part("by_contract"), "Currency") == ["XBT"]
    assert column(found.section("positions").part("positions"), "in") == ["XBT"]
    assert "Cumulative P&L, XBT" in {chart.title for chart in found.charts()}
    assert figures(found)["Margin usage"] == pytest.approx(usage["usage"].max())
    assert render(found)


class Lacking:
    """A client of a place that lacks some calls, as an archive does."""

    def __init__(self, client, *lacks: str) -> None:
        self._client, self._lacks = client, lacks

    def __getattr__(self, name):
        if name not in self._lacks:
            return getattr(self._client, name)

        def refuse(*_, **__):
            raise UnavailableError(f"the archive has no {name}")

        return refuse


def test_what_a_venue_lacks_is_said_in_its_place(client):
    found = build(Lacking(client, "candles", "open_orders", "margin_tiers"))
    reasons = missing(found)
    assert "Margin usage: n/a, because the archive has no margin_tiers." in reasons
    assert "Open orders: n/a, because the archive has no open_orders." in reasons
    assert "Equity: n/a, because the archive has no candles." in reasons
    assert found.section("contracts").part("by_contract").rows, "what the account log says is there"
    headline = {figure.label: figure.value for figure in found.section("account").figures()}
    assert headline["Margin usage"].text == "n/a"
    assert headline["Equity at the end"].note == "the archive has no candles"
    for kind in ("html", "markdown", "excel"):
        assert render(found, kind)


def test_without_an_account_log_there_is_no_report(client):
    with pytest.raises(VenueError, match="no account_log"):
        build(Lacking(client, "account_log"))


def test_what_is_missing_in_the_log_is_in_the_findings(client):
    log = client.account_log(start=START)

    class Broken(Lacking):
        def account_log(self, **_):
            return log.drop(index=log.index[200:230])

    texts = build(Broken(client)).section("quality").part("defects").texts
    assert any("not explained by the entries" in text for text in texts)


def test_text_from_the_exchange_is_escaped(demo):
    evil = "PF_<script>alert('1')</script>&|USD"
    table = Table("evil", ["Contract"], [[Value(evil)]], title=evil)
    found = replace(demo, sections=[Section("evil", evil, [table, Note(evil), Notes("notes", [evil])])])
    html, text = render(found), render(found, "markdown").decode()
    assert b"<script" not in html
    assert Page(html).tables["evil"][1][0] == evil
    assert "<script>" not in text.replace("\\<", "")
    assert evil in "".join(pdf_text(render(found, "pdf")))


# ---- asking --------------------------------------------------------------------------------------------------------


def test_every_question_is_asked_once(client):
    asked: list[tuple[str, object]] = []

    class Listening(Lacking):
        def __getattr__(self, name):
            found = getattr(self._client, name)

            def ask(*arguments, **options):
                asked.append((name, (*arguments, options.get("tick_type"))))
                return found(*arguments, **options)

            return ask if callable(found) else found

    build(Listening(client))
    assert len(asked) == len(set(asked))


def test_a_time_that_ends_earlier_is_answered_from_memory(client):
    once = Once(client)
    span = {"start": NOW - 2 * DAY, "tick_type": "mark"}
    long = once.candles("PF_XBTUSD", "1h", end=NOW, **span)
    short = once.candles("PF_XBTUSD", "1h", end=NOW - DAY, **span)
    pd.testing.assert_frame_equal(short, client.candles("PF_XBTUSD", "1h", end=NOW - DAY, **span))
    assert len(short) < len(long)


# ---- comparison ----------------------------------------------------------------------------------------------------


def test_a_comparison_tells_both_dates_and_the_way_between(client, equity):
    found = build(client, compare=("2026-11-01", "2026-11-15"))
    assert [section.key for section in found.sections] == [*COMPARISON, "definitions"]
    assert missing(found) == []
    first, last = pd.Timestamp("2026-11-01", tz="UTC"), pd.Timestamp("2026-11-15", tz="UTC")
    values = equity.frame["equity"]
    row = found.section("account").part("equity_then").rows[0]
    both = [values[first], values[last]]
    assert [value.raw for value in row[1:]] == pytest.approx([*both, both[1] - both[0]])
    causes = column(found.section("bridge").part("bridge"), "Amount, USD")
    assert (causes[0], causes[-1]) == pytest.approx((values[first], values[last]))
    log = client.account_log(start=first)
    net = kfut.pnl(log[log["time"] <= last]).by_contract()["net"]
    assert column(found.section("contracts").part("by_contract"), "Net") == pytest.approx(list(net))
    held = {row[0].raw: row[2].raw for row in found.section("holdings").part("positions_then").rows}
    executed = client.position_history(end=last)
    for contract, size in held.items():
        own = executed[executed["symbol"] == contract]
        assert size == pytest.approx(float(own["new_size"].iloc[-1])), contract
    assert render(found)


def test_equity_and_what_was_booked_end_at_the_same_moment(client):
    found = build(client, compare=("-20d", "-10d"), sections=["account", "bridge"])
    assert found.end == (NOW - 10 * DAY).floor("h")
    held = {(row[0].raw, row[1].raw): row[-1].raw for row in found.section("bridge").part("balances_bridge").rows}
    equity = kfut.equity(client, start=found.start, end=found.end)
    known = equity.holdings().query("kind == 'balance'").set_index(["account", "asset"])["quantity"]
    assert held == pytest.approx({key: known[key] for key in held}, abs=1e-9)


@pytest.mark.parametrize("compare", ["-30d", ("-30d",), ("-10d", "-20d")])
def test_what_is_no_pair_of_dates_is_refused(client, compare):
    with pytest.raises(ArgumentError, match=r"compare=|start="):
        build(client, compare=compare)


# ---- sections and templates ----------------------------------------------------------------------------------------


def test_sections_are_chosen_and_ordered(client, tmp_path):
    target = report(client, tmp_path / "r.html", sections=["positions", "account", "definitions"])
    page = Page(target.read_bytes())
    assert [name for name in page.ids if name.startswith("section-")] == [
        "section-positions", "section-account", "section-definitions"
    ]  # fmt: skip
    assert "Sharpe ratio" not in page.figures, "only what is shown is defined"


@pytest.mark.parametrize(
    ("sections", "message"),
    [("account", "not a list"), ([], "not a list"), (["nonsense"], "no section 'nonsense': choose from account, "),
     (["account", "account"], "twice")],
)  # fmt: skip
def test_sections_that_are_none_are_refused(client, sections, message):
    with pytest.raises(ArgumentError, match=message):
        build(client, sections=sections)


def test_templates_replace_sections_and_add_some(client, tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "positions.html.jinja").write_text(
        "<section id='mine'>{{ section.part('positions').rows | length }} of {{ report.account }}"
        "{{ show(section.part('positions')) }}</section>"
    )
    (folder / "mandate.html.jinja").write_text("<section id='mandate'><h2>Mandate</h2></section>")
    target = report(client, tmp_path / "r.html", templates=folder, sections=["mandate", "positions", "orders"])
    page = Page(target.read_bytes())
    assert page.texts["mine"].startswith(f"{len(client.positions())} of demo")
    assert "positions" in page.tables
    assert "Mandate" in page.texts["mandate"]
    assert "section-orders" in page.ids


def test_wrong_templates_are_refused(client, tmp_path):
    with pytest.raises(ArgumentError, match="is not a folder"):
        report(client, tmp_path / "r.html", templates=tmp_path / "none")
    with pytest.raises(ArgumentError, match=r"no files that end in \.jinja"):
        report(client, tmp_path / "r.html", templates=tmp_path)
    (tmp_path / "orders.html.jinja").write_text("{{ nonsense }}")
    with pytest.raises(ArgumentError, match="'nonsense' is undefined"):
        report(client, tmp_path / "r.html", templates=tmp_path, sections=["orders"])
    (tmp_path / "orders.html.jinja").write_text("{% for %}")
    with pytest.raises(ArgumentError, match=r"orders\.html\.jinja, line 1"):
        report(client, tmp_path / "r.html", templates=tmp_path, sections=["orders"])
    with pytest.raises(ArgumentError, match=r"templates are for \.html and \.md"):
        report(client, tmp_path / "r.pdf", templates=tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["orders.html.jinja"]


# ---- names ---------------------------------------------------------------------------------------------------------

UID = "f92fc7de-2fce-4265-b806-4f3c1efb37ee"


def test_account_names_are_masked_unless_asked():
    with account("empty", name=UID) as client:
        for kind in ("html", "markdown", "pdf", "excel"):
            assert UID.encode() not in render(build(client), kind)
        assert build(client).account == "…37ee"
        assert build(client, unmask=True).account == UID
        lacking = build(Lacking(client, "open_orders"))
        assert UID not in words(lacking)


def test_mask():
    assert (mask("demo"), mask("12345678"), mask("123456789")) == ("demo", "12345678", "…6789")


# ---- files ---------------------------------------------------------------------------------------------------------


def test_the_ending_chooses_the_kind(client, tmp_path):
    begins = {"html": b"<!DOCTYPE html>", "htm": b"<!DOCTYPE html>", "md": b"# Position", "pdf": b"%PDF", "xlsx": b"PK"}
    for ending, first in begins.items():
        target = report(client, tmp_path / f"r.{ending}", sections=["account", "orders"])
        assert target.read_bytes().startswith(first)
    assert kfut.report is report


def test_markdown_has_its_charts_beside_it(client, tmp_path):
    target = report(client, tmp_path / "r.md", sections=["bridge"])
    assert "](r_files/bridge.png)" in target.read_text(encoding="utf-8")
    assert (tmp_path / "r_files" / "bridge.png").read_bytes().startswith(b"\x89PNG")


def test_an_old_file_is_replaced_at_once(client, tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(ArgumentError, match=r"cannot be written \(Permission denied\)"):
            report(client, target, sections=["orders"])
    assert target.read_text() == "old"
    assert report(client, target, sections=["orders"]) == target
    assert "Position report" in target.read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["report.html"]


@pytest.mark.parametrize(
    ("path", "message"),
    [("", "is a folder"), ("report.docx", r"the ending says what is written: \.html"),
     ("no/where/report.html", "create it first")],
)  # fmt: skip
def test_impossible_paths_are_refused_before_anything_is_asked(tmp_path: Path, path, message):
    with pytest.raises(ArgumentError, match=message):
        report(None, tmp_path / path)  # type: ignore[arg-type]


def test_periods_that_are_none_are_refused(client):
    with pytest.raises(ArgumentError, match="start='yesterdayish' is not a point in time"):
        build(client, "yesterdayish")
    with pytest.raises(ArgumentError, match="is not before now"):
        build(client, NOW + DAY)


def test_all_sections_have_distinct_names():
    assert not set(SECTIONS) & {"definitions"}
    assert len({*SECTIONS, *COMPARISON}) == 13
