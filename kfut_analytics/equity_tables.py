"""The tables of `kfut_analytics.equity`, in the manner of `kfut_analytics.schema`; all their columns are computed.

``currency`` as a unit is the one in which equity was asked for. Entries of the account log are worth what their
currency was worth when they were booked.
"""

from __future__ import annotations

from .columns import Table, columns_of

EQUITY = Table(
    "equity",
    columns_of("""
time | time | UTC | moment
equity | float | currency | balance, unrealised P&L and unrealised funding
balance | float | currency | balances of all wallets at spot prices, without haircuts and KFEE
unrealized_pnl | float | currency | open P&L of all positions at mark prices
unrealized_funding | float | currency | funding accrued and not yet booked, from the funding rates
external_flow | float | currency | came in (positive) or went out since the time before; not between own wallets
realized_net | float | currency | booked since the time before: realised P&L, less fees, and funding
pnl | float | currency | change of equity since the time before, without external flows
return | float | fraction | time-weighted return since the time before; missing while there is no capital
growth | float | | what one unit at the start has become, time-weighted
drawdown | float | fraction | growth less its highest value so far, of that value; zero or negative
"""),
    index="time",
)

EQUITY_PERIODS = Table(
    "equity_periods",
    columns_of("""
date | time | time zone | first moment of the day or month
equity | float | currency | at its end
external_flow | float | currency | came in (positive) or went out
realized_net | float | currency | booked: realised P&L, less fees, and funding
pnl | float | currency | change of equity without external flows
return | float | fraction | time-weighted return; missing while there is no capital
drawdown | float | fraction | deepest drawdown in it, from the highest value since the start
complete | bool | | whether the equity covers the whole day or month
"""),
    index="date",
)

EQUITY_FLOWS = Table(
    "equity_flows",
    columns_of("""
time | time | UTC | when it was booked
info | str | | kind of the entry
account | str | | wallet
asset | str | | currency, or contract of a position that was transferred
quantity | float | asset | came in (positive) or went out
amount | float | currency | its value then; of a position, its open P&L
"""),
    index="time",
)

HOLDINGS = Table(
    "holdings",
    columns_of("""
kind | str | | balance or position
account | str | | wallet
asset | str | | currency, or contract of a position
quantity | float | asset | held; of a position the signed size in contracts
entry_price | float | quote currency | average entry price of a position; missing where the log does not tell
"""),
)

EQUITY_SUMMARY = Table(
    "equity_summary",
    columns_of("""
metric | str | | figure
value | float | see unit | missing where it is not defined
unit | str | | fraction, days, number, or a currency
definition | str | | how it is computed
note | str | | why it is missing, or when it was
"""),
    index="metric",
)

EQUITY_BRIDGE = Table(
    "equity_bridge",
    columns_of("""
item | str | | start equity, the causes, end equity
contract | str | | of P&L
currency | str | | of revaluation
amount | float | currency | the causes add up to end equity less start equity
"""),
)

EQUITY_CHECK = Table(
    "equity_check",
    columns_of("""
account | str | | wallet, or all
figure | str | | balance, balance_value, unrealized_pnl, unrealized_funding, portfolio_value or equity
currency | str | | of the amounts
computed | float | currency | from the account log and prices
exchange | float | currency | the exchange's own figure
difference | float | currency | computed less the exchange's own
"""),
)

DRAWDOWNS = Table(
    "drawdowns",
    columns_of("""
peak | time | UTC | last time of the highest value before the fall
trough | time | UTC | time of the lowest value
recovery | time | UTC | when the highest value was reached again; missing while it is not
depth | float | fraction | growth at the trough less at the peak, of that at the peak
days | float | days | from peak to recovery, or to the end
days_to_trough | float | days | from peak to trough
"""),
)

TABLES = (EQUITY, EQUITY_PERIODS, EQUITY_FLOWS, HOLDINGS, EQUITY_SUMMARY, EQUITY_BRIDGE, EQUITY_CHECK, DRAWDOWNS)
"""All of them."""
