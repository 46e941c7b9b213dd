"""Sections on the account as it is now: wallets, margin, positions, orders, and what may come."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from ... import plots
from ...contracts import FLEX, currency_code
from ...errors import KfutError
from ...plots.risk import usage_height
from ...plots.rows import height
from ...pnl import amount
from ..model import Figure, Figures, Note, Part, Section, Table, Value
from ..sources import Sources
from .parts import attempt, chart, known, merit, money, reason, records, tried, words

HOURS = 24
"""How far the funding forecast looks ahead."""


def account(sources: Sources) -> Section:
    """The headline, and what each wallet holds."""
    parts: list[Part] = [Figures("headline", list(_headline(sources)))]
    parts += attempt("Balances", lambda: [_balances(sources)])
    return Section("account", "Account", parts)


def _headline(sources: Sources) -> Iterator[Figure]:
    def now() -> pd.Series[float]:
        return sources.margin.account.figures()

    yield merit(sources, "end_equity")
    yield merit(sources, "pnl")
    yield merit(sources, "time_weighted_return")
    yield merit(sources, "max_drawdown")
    yield Figure("Portfolio value", tried(lambda: float(now()["portfolio_value"]), "USD"))
    yield Figure("Margin equity", tried(lambda: float(now()["margin_equity"]), "USD"))
    yield Figure("Available margin", tried(lambda: float(now()["available_margin"]), "USD"))
    yield Figure("Unrealised P&L, flex", tried(lambda: float(now()["unrealized_pnl"]), "USD", sign=True))
    yield Figure("Margin usage", _highest(sources, "usage"))
    yield Figure("Maintenance usage", _highest(sources, "maintenance_usage"))
    yield Figure("Nearest liquidation", _nearest(sources))
    yield Figure("Funding, next 24 h", tried(lambda: _funding_ahead(sources), "USD", sign=True))
    nets = sources.pnl.by_contract().groupby("currency")["net"].sum()
    for code, net in nets.items():
        yield Figure(f"Net, {code}", money(net, str(code), sign=True), "net of the period in this currency, as booked.")


def _highest(sources: Sources, column: str) -> Value:
    """Usage of the wallet where it is the highest."""
    try:
        usage = sources.margin.usage().set_index("account")[column].dropna()
    except KfutError as error:
        return Value(None, "fraction", note=reason(error))
    if usage.empty:
        return Value(None, "fraction", note="there is no equity")
    return Value(float(usage.max()), "fraction", note="" if len(usage) == 1 else f"of {usage.idxmax()}, the highest")


def _nearest(sources: Sources) -> Value:
    try:
        distances = sources.edges["market_distance"].dropna()
    except KfutError as error:
        return Value(None, "fraction", note=reason(error))
    if distances.empty:
        held = len(sources.margin.positions)
        return Value(None, "fraction", note="no move of the market would liquidate" if held else "no open positions")
    nearest = distances.loc[distances.abs() == distances.abs().min()]
    return Value(float(nearest.iloc[0]), "fraction", sign=True, note="of the whole market")


def _funding_ahead(sources: Sources) -> float:
    return float(sources.margin.funding_forecast(HOURS)["expected_usd"].sum())


def _balances(sources: Sources) -> Table:
    held = sorted(sources.client.accounts().to_dict("records"), key=lambda row: row["account"] != FLEX)
    rows = [
        [
            Value(row["account"]),
            Value(currency_code(row["currency"])),
            money(row["quantity"], row["currency"]),
            money(row["value_usd"], "USD"),
            money(row["collateral_usd"], "USD"),
            money(row["available"], row["currency"]),
        ]
        for row in held
        if row["quantity"]
    ]
    heads = ["Wallet", "Currency", "Balance", "Value, USD", "Collateral, USD", "Available"]
    return Table("balances", heads, rows, "Balances", "All wallets are empty.")


# ---- margin --------------------------------------------------------------------------------------------------------


def margin(sources: Sources) -> Section:
    """Margin usage now and through time."""
    parts = attempt("Margin usage", lambda: _usage(sources))
    parts += attempt("Margin usage through time", lambda: through_time(sources))
    return Section("margin", "Margin", parts)


def _usage(sources: Sources) -> Iterator[Part]:
    usage, held = sources.margin, sources.margin.positions
    if len(held):
        yield chart("margin_usage", "Margin usage now, by position", usage_height(usage),
                    lambda ax: plots.margin_usage(usage, ax, theme="light"))  # fmt: skip
    rows = []
    for row in usage.usage().to_dict("records"):
        code = row["currency"]
        rows.append(
            [
                Value(row["account"]),
                Value(code),
                *(money(row[n], code) for n in ("equity", "initial_margin", "maintenance_margin", "available_margin")),
                Value(row["usage"], "fraction"),
                Value(row["maintenance_usage"], "fraction"),
                Value(row["effective_leverage"], "number"),
                money(row["initial_margin_difference"], code, sign=True),
            ]
        )
    heads = ["Wallet", "Currency", "Equity", "Initial margin", "Maintenance margin", "Available", "Margin usage",
             "Maintenance usage", "Leverage", "Exchange less tiers"]  # fmt: skip
    yield Table("usage", heads, rows, "Wallets now", "There is neither money nor a position in any wallet.")


def through_time(sources: Sources) -> Iterator[Part]:
    """Margin usage through the period."""
    frame = sources.history
    used = frame[frame["usage"].notna()]
    if used.empty or not (used["usage"] > 0).any():
        yield Note("No margin was used in this period.")
        return
    yield chart("margin_history", "Margin usage through time", 3.4,
                lambda ax: plots.margin_history(frame, ax, theme="light"))  # fmt: skip
    rows = []
    for (wallet, code), group in used.groupby(["account", "currency"]):
        peak = group["usage"].idxmax()
        rows.append(
            [
                Value(str(wallet)),
                Value(str(code)),
                Value(float(group["usage"].max()), "fraction"),
                Value(pd.Timestamp(peak), "time"),  # type: ignore[arg-type]
                Value(float(group["usage"].mean()), "fraction"),
            ]
        )
    yield Table(
        "usage_history", ["Wallet", "Currency", "Highest usage", "At, UTC", "Mean usage"], rows, "In the period"
    )


# ---- positions and orders ------------------------------------------------------------------------------------------


def positions(sources: Sources) -> Section:
    """Open positions, their margin, and how far they are from liquidation."""
    return Section("positions", "Positions", attempt("Positions", lambda: _positions(sources)))


def _positions(sources: Sources) -> Iterator[Part]:
    usage = sources.margin
    held, by_position = usage.positions, usage.by_position()
    if held.empty:
        yield Note("No open positions.")
        return
    rows = []
    for symbol, row in records(by_position):
        code = currency_code(row["pnl_currency"] if isinstance(row["pnl_currency"], str) else row["currency"])
        rows.append(
            [
                Value(str(symbol)),
                words(row["side"]),
                Value(row["size"], "size"),
                Value(held.loc[symbol, "entry_price"], "price"),
                Value(row["mark_price"], "price"),
                money(row["notional"], "USD"),
                money(row["unrealized_pnl"], code, sign=True),
                money(held.loc[symbol, "unrealized_funding"], code, sign=True),
                Value(code),
            ]
        )
    heads = ["Contract", "Side", "Size", "Entry", "Mark", "Value, USD", "Unrealised P&L", "Unrealised funding", "in"]
    yield Table("positions", heads, rows, "Open positions")
    edges = sources.edges
    yield chart("liquidation", "Distance of each position to liquidation", height(len(edges), 2),
                lambda ax: plots.liquidation(edges, ax, theme="light"))  # fmt: skip
    rows = []
    for symbol, edge in records(edges):
        own = by_position.loc[symbol]
        rows.append(
            [
                Value(str(symbol)),
                words(own["margin_mode"]),
                money(own["initial_margin"], own["currency"]),
                Value(own["currency"]),
                Value(own["share_of_equity"], "fraction"),
                known(edge["liquidation_price"], "price", "none"),
                known(edge["distance"], "fraction"),
                known(edge["market_distance"], "fraction", "none"),
                known(edge["bankruptcy_price"], "price", "none"),
            ]
        )
    heads = ["Contract", "Mode", "Initial margin", "in", "Share of equity", "Liquidation price", "Distance",
             "Market distance", "Bankruptcy price"]  # fmt: skip
    yield Table("liquidation", heads, rows, "Margin and liquidation, nearest first")


def orders(sources: Sources) -> Section:
    """Open orders, newest first."""
    return Section("orders", "Open orders", attempt("Open orders", lambda: [_orders(sources)]))


def _orders(sources: Sources) -> Table:
    frame = sources.client.open_orders().sort_values("received_time", ascending=False, kind="stable")
    marks = {str(k): float(v) for k, v in sources.client.tickers()["mark_price"].items()} if len(frame) else {}
    rows = []
    for row in frame.to_dict("records"):
        trigger = row["stop_price"]
        price = row["limit_price"] if math.isnan(trigger) else trigger
        rows.append(
            [
                Value(row["received_time"], "time"),
                words(row["symbol"]),
                words(row["side"]),
                words(row["order_type"]),
                Value(row["size"], "size"),
                Value(row["filled_size"], "size"),
                known(row["limit_price"], "price"),
                known(trigger, "price"),
                Value(price / marks.get(row["symbol"], math.nan) - 1, "fraction", sign=True),
                Value("yes" if row["reduce_only"] is True else "no"),
            ]
        )
    heads = ["Received, UTC", "Contract", "Side", "Type", "Size", "Filled", "Limit", "Trigger", "From mark",
             "Reduce only"]  # fmt: skip
    return Table("open_orders", heads, rows, empty="No open orders.")


# ---- what may come -------------------------------------------------------------------------------------------------


def stress(sources: Sources) -> Section:
    """The stress ladder of the whole market."""
    return Section("stress", "Stress ladder", attempt("Stress ladder", lambda: _stress(sources)))


def _stress(sources: Sources) -> Iterator[Part]:
    frame = sources.margin.stress()
    if sources.margin.positions.empty:
        moved = bool(frame["collateral_change"].any())
        changes = (
            "prices move only the value of the coins held" if moved else "no price moves what the account is worth"
        )
        yield Note(f"No open positions: {changes}.")
        if not moved:
            return
    yield chart("stress", "What price shocks would make of the equity", height(len(frame)),
                lambda ax: plots.stress(frame, ax, theme="light"))  # fmt: skip
    rows = [
        [
            Value(float(shock), "fraction", sign=True),
            money(row["pnl"], row["currency"], sign=True),
            money(row["collateral_change"], row["currency"], sign=True),
            money(row["equity"], row["currency"]),
            Value(row["usage"], "fraction"),
            Value(row["maintenance_usage"], "fraction"),
            Value(row["first_liquidated"] if isinstance(row["first_liquidated"], str) else "none"),
        ]
        for shock, row in records(frame.sort_index())
    ]
    heads = ["Shock", "P&L of positions", "Change of collateral", "Equity after", "Usage after", "Maintenance usage",
             "Liquidated first"]  # fmt: skip
    yield Table("stress", heads, rows)
    yield Note("Prices jump, nobody trades or is liquidated on the way; all figures are estimates.")


def funding(sources: Sources) -> Section:
    """Funding that the positions are expected to pay or receive."""
    return Section("funding", f"Funding forecast, next {HOURS} hours", attempt("Forecast", lambda: _funding(sources)))


def _funding(sources: Sources) -> Iterator[Part]:
    frame = sources.margin.funding_forecast(HOURS)
    frame = frame[frame["funding_rate"].notna() & (frame["yearly_rate"] != 0)]
    rows = [
        [
            Value(str(symbol)),
            words("long" if row["signed_size"] > 0 else "short"),
            Value(row["relative_rate"], "rate", sign=True),
            money(row["accrued"], row["currency"], sign=True),
            money(row["expected"], row["currency"], sign=True),
            Value(row["currency"]),
            money(row["expected_usd"], "USD", sign=True),
            Value(row["yearly_rate"], "fraction", sign=True),
        ]
        for symbol, row in records(frame)
    ]
    if rows:
        total = _funding_ahead(sources)
        blank = Value("")
        rows.append([Value("All"), *[blank] * 5, money(total, "USD", sign=True), blank])
    heads = ["Contract", "Side", "Funding rate", "Unrealised funding", "Expected, 24 h", "in", "Expected, USD",
             "Of value, per year"]  # fmt: skip
    empty = "No perpetual is held: no funding will be paid or received."
    yield Table("funding", heads, rows, empty=empty, strong=frozenset([len(rows) - 1] if rows else []))
    if rows:
        yield Note(
            f"If rates stay as predicted, {amount(abs(_funding_ahead(sources)), 'USD')} USD will be "
            f"{'received' if _funding_ahead(sources) >= 0 else 'paid'}. Negative amounts are a cost."
        )
