"""The operations: which paths there are, who may call them, and what answers (api-facts 1.1 and 3).

What the specification names and this exchange does not offer is in `answers_absent`, with what it answers instead.
Paths that are absent from the table do not exist on the exchange either: ``initialmargin`` and
``initialmargin/maxordersize``, which it has withdrawn, ``recentorders`` and ``account``, which it never documented,
and the funding history at ``v3/historicalfundingrates``, which is spelled with hyphens there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kfut_analytics.paper.wire import (
    answers_absent,
    answers_account,
    answers_history,
    answers_market,
    answers_orders,
    answers_settings,
)
from kfut_analytics.paper.wire.auth import Permission
from kfut_analytics.paper.wire.call import Call

Answer = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes
    ----------
    permission
        The least that the caller's key needs, ``None`` for what is public and not signed.
    answer
        Gives the payload, or a whole response.
    of_the_past
        Whether it is about the past of a market, about which another exchange may have to be asked.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    permission: Permission | None
    answer: Answer
    of_the_past: bool = False


def _past(path: str, answer: Answer) -> Operation:
    return Operation("GET", path, None, answer, of_the_past=True)


_TRADING = "/derivatives/api/v3"
_FUNDING_V4 = "/derivatives/api/v4/historicalfundingrates"
_HISTORY_VERSIONS = ("/api/history/v2", "/api/history/v3")
_CHARTS = "/api/charts/v1"

# Of two paths that fit a request, the first one is taken.
OPERATIONS: tuple[Operation, ...] = (
    # Market data
    Operation("GET", f"{_TRADING}/instruments", None, answers_market.instruments),
    Operation("GET", f"{_TRADING}/instruments/status", None, answers_market.instruments_status),
    Operation("GET", f"{_TRADING}/instruments/{{symbol}}/status", None, answers_market.instrument_status),
    Operation("GET", f"{_TRADING}/tickers", None, answers_market.tickers),
    Operation("GET", f"{_TRADING}/tickers/{{symbol}}", None, answers_market.ticker),
    Operation("GET", f"{_TRADING}/orderbook", None, answers_market.orderbook),
    _past(f"{_TRADING}/history", answers_market.history),
    _past(f"{_TRADING}/historical-funding-rates", answers_market.funding_rates),
    _past(_FUNDING_V4, answers_market.funding_rates),
    Operation("GET", f"{_TRADING}/feeschedules", None, answers_market.feeschedules),
    _past(f"{_CHARTS}", answers_market.tick_types),
    _past(f"{_CHARTS}/", answers_market.tick_types),
    _past(f"{_CHARTS}/analytics/liquidity-pool", answers_absent.liquidity_pool),
    _past(f"{_CHARTS}/analytics/{{symbol}}/{{analytics_type}}", answers_market.analytics),
    _past(f"{_CHARTS}/{{tick_type}}", answers_market.chart_symbols),
    _past(f"{_CHARTS}/{{tick_type}}/{{symbol}}", answers_market.chart_resolutions),
    _past(f"{_CHARTS}/{{tick_type}}/{{symbol}}/{{resolution}}", answers_market.candles),
    # The account
    Operation("GET", f"{_TRADING}/accounts", "read", answers_account.accounts),
    Operation("GET", f"{_TRADING}/openpositions", "read", answers_account.openpositions),
    Operation("GET", f"{_TRADING}/openorders", "read", answers_account.openorders),
    Operation("GET", f"{_TRADING}/fills", "read", answers_account.fills),
    Operation("GET", f"{_TRADING}/trading/instruments", "read", answers_account.trading_instruments),
    Operation("GET", f"{_TRADING}/feeschedules/volumes", "read", answers_account.fee_volumes),
    Operation("GET", f"{_TRADING}/notifications", "read", answers_account.notifications),
    Operation("GET", f"{_TRADING}/unwindqueue", "read", answers_account.unwindqueue),
    Operation("GET", "/api/auth/v1/api-keys/v3/check", "any", answers_account.check_key),
    # Orders
    Operation("POST", f"{_TRADING}/sendorder", "full", answers_orders.sendorder),
    Operation("POST", f"{_TRADING}/editorder", "full", answers_orders.editorder),
    Operation("POST", f"{_TRADING}/orders/status", "full", answers_orders.orders_status),
    # Documented as POST, and asked for by GET all the same.
    Operation("GET", f"{_TRADING}/orders/status", "full", answers_orders.orders_status),
    Operation("POST", f"{_TRADING}/cancelorder", "full", answers_orders.cancelorder),
    Operation("POST", f"{_TRADING}/cancelallorders", "full", answers_orders.cancelallorders),
    Operation("POST", f"{_TRADING}/cancelallordersafter", "full", answers_orders.cancelallordersafter),
    Operation("POST", f"{_TRADING}/batchorder", "full", answers_orders.batchorder),
    # Settings, transfers and sub-accounts
    Operation("GET", f"{_TRADING}/leveragepreferences", "read", answers_settings.leverage),
    Operation("PUT", f"{_TRADING}/leveragepreferences", "full", answers_settings.set_leverage),
    Operation("GET", f"{_TRADING}/pnlpreferences", "read", answers_settings.pnl_currencies),
    Operation("PUT", f"{_TRADING}/pnlpreferences", "full", answers_settings.set_pnl_currency),
    Operation("GET", f"{_TRADING}/self-trade-strategy", "read", answers_settings.self_trade_strategy),
    Operation("PUT", f"{_TRADING}/self-trade-strategy", "full", answers_settings.set_self_trade_strategy),
    Operation("POST", f"{_TRADING}/transfer", "full", answers_settings.transfer),
    Operation("POST", f"{_TRADING}/transfer/subaccount", "full", answers_settings.transfer_subaccount),
    Operation("GET", f"{_TRADING}/subaccounts", "read", answers_settings.subaccounts),
    Operation("GET", f"{_TRADING}/subaccount/{{uid}}/trading-enabled", "full", answers_settings.trading_enabled),
    Operation("PUT", f"{_TRADING}/subaccount/{{uid}}/trading-enabled", "full", answers_settings.set_trading_enabled),
    # What is not offered
    Operation("GET", f"{_TRADING}/rfqs", None, answers_absent.rfqs),
    Operation("GET", f"{_TRADING}/rfqs/open-offers", "read", answers_absent.open_offers),
    Operation("GET", f"{_TRADING}/rfqs/{{uid}}", None, answers_absent.not_found),
    Operation("POST", f"{_TRADING}/rfqs/{{uid}}/place-offer", "read", answers_absent.not_found),
    Operation("PUT", f"{_TRADING}/rfqs/{{uid}}/replace-offer", "read", answers_absent.not_found),
    Operation("DELETE", f"{_TRADING}/rfqs/{{uid}}/cancel-offer", "read", answers_absent.not_found),
    Operation("GET", f"{_TRADING}/rfq-assignment/max-leverage", "read", answers_absent.unavailable),
    Operation("PUT", f"{_TRADING}/rfq-assignment/max-leverage", "full", answers_absent.unavailable),
    Operation("DELETE", f"{_TRADING}/rfq-assignment/max-leverage", "full", answers_absent.unavailable),
    Operation("GET", f"{_TRADING}/assignmentprogram/current", "read", answers_absent.participants),
    Operation("GET", f"{_TRADING}/assignmentprogram/history", "read", answers_absent.participants),
    Operation("POST", f"{_TRADING}/assignmentprogram/add", "read", answers_absent.unavailable),
    Operation("POST", f"{_TRADING}/assignmentprogram/delete", "read", answers_absent.no_participant),
    Operation("GET", f"{_TRADING}/portfolio-margining/parameters", "read", answers_absent.unavailable),
    Operation("POST", f"{_TRADING}/portfolio-margining/simulate", "read", answers_absent.unavailable),
    Operation("POST", f"{_TRADING}/withdrawal", "withdraw", answers_absent.unavailable),
    Operation("GET", f"{_TRADING}/transfers", "read", answers_absent.transfers),
    Operation("GET", "/api/stats/v1/rebates/self-market-share", "read", answers_absent.market_share),
    # History
    *(
        _past(f"{base}/market/{{tradeable}}/{name}", answer)
        for base in _HISTORY_VERSIONS
        for name, answer in (
            ("executions", answers_history.market_executions),
            ("orders", answers_history.market_orders),
            ("price", answers_history.market_prices),
        )
    ),
    *(
        Operation("GET", f"{base}/{name}", "read", answer)
        for base in _HISTORY_VERSIONS
        for name, answer in (
            ("executions", answers_history.executions),
            ("orders", answers_history.orders),
            ("triggers", answers_history.triggers),
            ("positions", answers_history.positions),
            ("account-log", answers_history.account_log),
            ("accountlogcsv", answers_history.account_log_csv),
        )
    ),
    *(
        Operation("GET", f"/api/history/{version}/{{rest:path}}", None, answers_absent.other_version)
        for version in ("v1", "v4")
    ),
)
