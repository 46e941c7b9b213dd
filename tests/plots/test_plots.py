"""Charts: what is drawn and said, on full, short and empty data, in both themes."""

from __future__ import annotations

import io
import itertools
import threading

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from kfut_analytics import plots, schema
from kfut_analytics.account import Account, Balances
from kfut_analytics.errors import ArgumentError
from kfut_analytics.margin import Margin
from kfut_analytics.plots.style import THEMES
from kfut_analytics.pnl import pnl
from kfut_analytics.risk.picture import Picture

START = pd.Timestamp("2026-11-01T00:00:00Z")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def ledger(entries: int, currencies: tuple[str, ...] = ("USD",)):
    """Closing trades with P&L 10, 20, 30, …, fee 1 and funding -2 each."""
    rows = list(itertools.product(range(entries), currencies))
    gross = [10.0 * (step + 1) for step, _ in rows]
    log = schema.ACCOUNT_LOG.frame(
        {
            "id": range(1, len(rows) + 1),
            "time": [START + pd.Timedelta(hours=step) for step, _ in rows],
            "info": ["futures trade"] * len(rows),
            "account": ["flex"] * len(rows),
            "asset": [currency for _, currency in rows],
            "contract": ["PF_XBTUSD"] * len(rows),
            "realized_pnl": gross,
            "fee": [1.0] * len(rows),
            "realized_funding": [-2.0] * len(rows),
            "change": [value - 3.0 for value in gross],
        }
    )
    log.attrs["env"] = "paper"
    return pnl(log)


def usage(*held: tuple[str, float, float], equity: float = 10_000.0, env: str = "paper") -> Margin:
    """Positions of symbol, size and mark price at 10 % initial margin; the exchange's own figures are given."""
    symbols = [symbol for symbol, _, _ in held]
    tiers = schema.MARGIN_TIERS.frame(
        {"symbol": symbols, "schedule": ["professional"] * len(held), "threshold": [0.0] * len(held),
         "initial_margin": [0.1] * len(held), "maintenance_margin": [0.05] * len(held)}
    )  # fmt: skip
    positions = schema.POSITIONS.frame(
        {
            "symbol": symbols,
            "side": ["long" if size > 0 else "short" for _, size, _ in held],
            "size": [abs(size) for _, size, _ in held],
            "signed_size": [size for _, size, _ in held],
            "mark_price": [mark for _, _, mark in held],
            "notional": [abs(size) * mark for _, size, mark in held],
            "margin_mode": ["cross"] * len(held),
        }
    )
    total = sum(abs(size) * mark for _, size, mark in held)
    account = Account(
        env=env, time=START, balance_value=equity, portfolio_value=equity, collateral_value=equity, unrealized_pnl=0.0,
        unrealized_funding=0.0, total_unrealized=0.0, total_unrealized_as_margin=0.0, margin_equity=equity,
        initial_margin=total * 0.1, initial_margin_with_orders=total * 0.1, maintenance_margin=total * 0.05,
        available_margin=equity - total * 0.1,
    )  # fmt: skip
    balances = Balances(account, schema.ACCOUNTS.frame({}), schema.WALLETS.frame({}))
    return Margin(Picture(env, "demo", START, balances, positions, tiers))


def texts(ax) -> str:
    ax.figure.canvas.draw()
    found = [text.get_text() for text in ax.findobj(mpl.text.Text)]
    return "\n".join(found)


def lines(ax) -> dict[str, mpl.lines.Line2D]:
    return {line.get_label().split(" ")[0]: line for line in ax.get_lines() if not line.get_label().startswith("_")}


def test_pnl_draws_the_components():
    ax = plots.pnl(ledger(3))
    drawn = lines(ax)
    np.testing.assert_array_equal(drawn["Net"].get_ydata(), [7.0, 24.0, 51.0, 51.0])
    np.testing.assert_array_equal(drawn["Realised"].get_ydata(), [10.0, 30.0, 60.0, 60.0])
    np.testing.assert_array_equal(drawn["Fees"].get_ydata(), [-1.0, -2.0, -3.0, -3.0])
    np.testing.assert_array_equal(drawn["Funding"].get_ydata(), [-2.0, -4.0, -6.0, -6.0])
    said = texts(ax)
    assert "Cumulative P&L, USD" in said
    assert "PAPER" in said
    assert "as of 2026-11-01 02:00 UTC" in said
    assert "Net +51.00" in said
    assert "Fees \N{MINUS SIGN}3.00" in said


def test_pnl_env_and_time_can_be_given():
    ax = plots.pnl(ledger(3), env="live", as_of=START + pd.Timedelta(days=1))
    assert lines(ax)["Net"].get_xdata()[-1] == np.datetime64("2026-11-02")  # what was reached holds until then
    said = texts(ax)
    assert "LIVE" in said
    assert "as of 2026-11-02 00:00 UTC" in said


def test_pnl_draws_one_currency_and_names_the_others():
    both = ledger(3, ("USD", "XBT"))
    assert "also in the log: XBT" in texts(plots.pnl(both))
    assert "Cumulative P&L, XBT" in texts(plots.pnl(both, currency="XBT"))
    assert "Cumulative P&L, XBT" in texts(plots.pnl(ledger(3, ("XBT",))))
    with pytest.raises(ArgumentError, match=r"currency='EUR' has no P&L in this log: it has USD, XBT"):
        plots.pnl(both, currency="EUR")


def test_pnl_without_and_with_one_entry_is_a_sentence():
    assert "No trades and no funding in this period." in texts(plots.pnl(pnl(schema.ACCOUNT_LOG.frame({}))))
    said = texts(plots.pnl(ledger(1)))
    assert "One entry only: +7.00 USD on 2026-11-01 00:00 UTC." in said
    assert "PAPER" in said


def test_margin_usage_stacks_positions_against_equity():
    """500 and 300 of 10,000 are 5 % and 3 %; the exchange's marks stand at 8 % and 4 %."""
    ax = plots.margin_usage(usage(("PF_XBTUSD", 0.1, 50_000.0), ("PF_ETHUSD", -1.0, 3_000.0)))
    bars = [(patch.get_x(), patch.get_width()) for patch in ax.patches]
    np.testing.assert_allclose(bars, [(0.0, 0.05), (0.05, 0.03)])
    marks = [c.get_segments()[0][0][0] for c in ax.collections if isinstance(c, LineCollection)]
    np.testing.assert_allclose(marks, [0.08, 0.04])
    assert ax.get_lines()[0].get_xdata()[0] == 1  # all of the equity
    said = texts(ax)
    for part in ("PF_XBTUSD long, 500.00 USD (5.0 %)", "PF_ETHUSD short", "10,000.00 USD", "PAPER", "as of 2026-11-01"):
        assert part in said


def test_margin_usage_beyond_the_equity_stays_on_the_chart():
    ax = plots.margin_usage(usage(("PF_XBTUSD", 3.0, 50_000.0), env="live"))
    assert ax.get_xlim()[1] > 1.5
    assert "LIVE" in texts(ax)


def test_margin_usage_of_many_positions_names_the_largest():
    ax = plots.margin_usage(usage(*((f"PF_C{i}USD", 1.0, 100.0 - i) for i in range(10))))
    said = texts(ax)
    assert "PF_C5USD" in said
    assert "PF_C6USD" not in said
    assert "4 more" in said
    assert len(ax.patches) == 10


def test_margin_usage_without_positions_or_equity_is_a_sentence():
    assert "No open positions: no margin is used." in texts(plots.margin_usage(usage()))
    broke = usage(("PF_XBTUSD", 1.0, 100.0), equity=0.0)
    assert "There is no equity" in texts(plots.margin_usage(broke))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_themes_are_readable(theme):
    """WCAG contrast against the background: 4.5 for text, 2 for lines and areas."""
    colours = THEMES[theme]

    def luminance(colour: str) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))

    def contrast(colour: str) -> float:
        pair = sorted((luminance(colour), luminance(colours.background)))
        return (pair[1] + 0.05) / (pair[0] + 0.05)

    assert min(map(contrast, (colours.text, colours.muted, colours.paper, colours.live))) > 4.5
    assert min(map(contrast, colours.series)) > 2
    ax = plots.pnl(ledger(3), theme=theme)
    assert to_rgb(ax.get_facecolor()[:3]) == to_rgb(colours.background)
    assert to_rgb(ax.figure.get_facecolor()[:3]) == to_rgb(colours.background)


@pytest.mark.parametrize("draw", [lambda **o: plots.pnl(ledger(3), **o), lambda **o: plots.margin_usage(usage(), **o)])
def test_axes_in_axes_out_and_no_global_change(draw):
    before = dict(mpl.rcParams)
    given = Figure().subplots()
    assert draw(ax=given) is given
    assert plt.get_fignums() == []
    draw()
    assert len(plt.get_fignums()) == 1
    assert dict(mpl.rcParams) == before
    with pytest.raises(ArgumentError, match="theme='pink' is not a theme: use 'auto', 'light' or 'dark'"):
        draw(theme="pink")


def test_symbols_are_not_read_as_mathematics():
    ax = plots.margin_usage(usage(("PF_$^USD", 1.0, 100.0), ("PF_$_USD", 1.0, 100.0)))
    assert "PF_$^USD" in texts(ax)


def test_threads_draw_the_same_picture():
    def picture() -> bytes:
        figure = Figure(figsize=(6, 3), layout="constrained")
        plots.pnl(ledger(50), figure.subplots())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        return buffer.getvalue()

    pictures: list[bytes] = []
    threads = [threading.Thread(target=lambda: pictures.append(picture())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pictures) == 4
    assert len(set(pictures)) == 1


def test_long_series_are_thinned():
    rng = np.random.default_rng(7)
    rows = 50_000
    log = schema.ACCOUNT_LOG.frame(
        {
            "id": range(1, rows + 1),
            "time": list(range(1_790_000_000_000, 1_790_000_000_000 + rows * 60_000, 60_000)),
            "info": ["futures trade"] * rows,
            "account": ["flex"] * rows,
            "asset": ["USD"] * rows,
            "contract": ["PF_XBTUSD"] * rows,
            "realized_pnl": rng.normal(size=rows),
        }
    )
    result = pnl(log)
    drawn = lines(plots.pnl(result))["Net"].get_ydata()
    net = result.cumulative()["net"]
    assert len(drawn) <= 4000
    assert (drawn.min(), drawn.max(), drawn[-1]) == (net.min(), net.max(), net.iloc[-1])
