"""The canonical tables: every column's name, kind, unit, meaning and source (`kfut_analytics.columns`)."""

from __future__ import annotations

import pandas as pd

from . import archive_tables, equity_tables, journal_tables, risk_tables
from .columns import Array as Array
from .columns import Column as Column
from .columns import Table as Table
from .columns import columns_of
from .columns import convert as convert
from .errors import ArgumentError

INSTRUMENTS = Table(
    "instruments",
    columns_of("""
symbol | str | | contract, upper case | symbol
type | str | | flexible_futures (linear) or futures_inverse; others may appear | type
pair | str | | base and quote | pair
base | str | | base currency | base
quote | str | | quote currency | quote
underlying | str | | reference index | underlying
tick_size | float | quote currency | price step | tickSize
contract_size | float | USD (inverse) or base currency (linear) | value of one contract | contractSize
size_step | float | contracts | size step, from the number of decimals | 
max_position_size | float | contracts | largest position | maxPositionSize
impact_mid_size | float | contracts | size of the impact mid price in the mark price formula | impactMidSize
initial_margin | float | fraction | initial margin of the first tier, retail schedule where given | 
maintenance_margin | float | fraction | maintenance margin of the first tier, likewise | 
opening_date | time | UTC | first day of trading | openingDate
last_trading_time | time | UTC | expiry of a dated contract | lastTradingTime
is_expired | bool | | trading has ended | isExpired
tradeable | bool | | is or ever was tradeable | tradeable
post_only | bool | | only post orders are accepted | postOnly
funding_rate_coefficient | float | | divisor in the funding rate formula | fundingRateCoefficient
max_relative_funding_rate | float | fraction per hour | cap of the relative funding rate | maxRelativeFundingRate
category | str | | the exchange's category | category
tradfi | bool | | underlying is not a crypto asset | tradfi
contract_value_trade_precision | float | decimals | decimals of a size, may be negative | contractValueTradePrecision
isin | str | | ISIN | isin
fee_schedule_uid | str | | fee schedule, deprecated by the exchange | feeScheduleUid
mtf | bool | | traded on the multilateral trading facility | mtf
maker_protection_millis | float | ms | delay that protects makers | makerProtectionMillis
"""),
    index="symbol",
)

MARGIN_TIERS = Table(
    "margin_tiers",
    columns_of("""
symbol | str | | contract | symbol
schedule | str | | professional, retail, platform/schedule, or account: the one of this account | 
threshold | float | see unit | lower bound of the tier | contracts, numNonContractUnits
unit | str | | contracts (1 USD each) or quote (quote currency notional) | 
initial_margin | float | fraction | initial margin inside the tier | initialMargin
maintenance_margin | float | fraction | maintenance margin inside the tier | maintenanceMargin
"""),
)

TICKERS = Table(
    "tickers",
    columns_of("""
symbol | str | | contract, upper case | symbol
tag | str | | perpetual, month, quarter, semiannual, … | tag
pair | str | | base and quote | pair
mark_price | float | quote currency | mark price | markPrice
index_price | float | quote currency | index price | indexPrice
last | float | quote currency | price of the last trade | last
last_time | time | UTC | time of the last trade | lastTime
last_size | float | contracts | size of the last trade | lastSize
bid | float | quote currency | best bid | bid
bid_size | float | contracts | size at the best bid | bidSize
ask | float | quote currency | best ask | ask
ask_size | float | contracts | size at the best ask | askSize
volume_24h | float | contracts | traded in 24 hours | vol24h
volume_quote_24h | float | quote currency | value traded in 24 hours; informative only for inverse contracts | volumeQuote
open_interest | float | contracts | open positions of all traders | openInterest
open_24h | float | quote currency | price 24 hours ago | open24h
high_24h | float | quote currency | highest price in 24 hours | high24h
low_24h | float | quote currency | lowest price in 24 hours | low24h
change_24h | float | percent | price change in 24 hours | change24h
funding_rate | float | currency per contract and hour | absolute funding rate of this hour; longs pay when positive | fundingRate
funding_rate_prediction | float | currency per contract and hour | predicted rate of the next hour | fundingRatePrediction
relative_funding_rate | float | fraction per hour | funding rate relative to the index price | 
suspended | bool | | market is suspended | suspended
post_only | bool | | only post orders are accepted | postOnly
"""),
    index="symbol",
)

INDICES = Table(
    "indices",
    columns_of("""
symbol | str | | index, lower case: in_ real-time, rr_ reference rate | symbol
last | float | quote currency | index value | last
last_time | time | UTC | time of the value | lastTime
"""),
    index="symbol",
)

ORDER_BOOK = Table(
    "order_book",
    columns_of("""
side | str | | bid or ask | 
price | float | quote currency | price level | 
size | float | contracts | size at the level | 
cumulative_size | float | contracts | size up to and including the level | 
"""),
)

ACCOUNTS = Table(
    "accounts",
    columns_of("""
account | str | | wallet: cash, flex, fi_xbtusd, … | 
type | str | | cashAccount, multiCollateralMarginAccount or marginAccount | type
currency | str | | currency, upper case | 
quantity | float | currency | balance | quantity, balances
value_usd | float | USD | value of the balance | value
collateral_usd | float | USD | value after the haircut | collateral, collateralValue
available | float | currency | free for withdrawal or new margin | available, auxiliary.af
"""),
)

WALLETS = Table(
    "wallets",
    columns_of("""
account | str | | single-collateral wallet | 
currency | str | | its currency, upper case | currency
portfolio_value | float | currency | balance and unrealised P&L | auxiliary.pv
available_funds | float | currency | free for new margin | auxiliary.af
unrealized_pnl | float | currency | unrealised P&L | auxiliary.pnl
unrealized_funding | float | currency | funding accrued and not yet paid | auxiliary.funding
value_usd | float | USD | value the exchange gives | auxiliary.usd
initial_margin | float | currency | requirement to open | marginRequirements.im
maintenance_margin | float | currency | requirement to keep | marginRequirements.mm
liquidation_margin | float | currency | requirement at liquidation | marginRequirements.lt
termination_margin | float | currency | requirement at termination | marginRequirements.tt
initial_margin_trigger | float | quote currency | price at which the initial margin is reached | triggerEstimates.im
maintenance_margin_trigger | float | quote currency | price at which the maintenance margin is reached | triggerEstimates.mm
liquidation_trigger | float | quote currency | price at which liquidation starts | triggerEstimates.lt
termination_trigger | float | quote currency | price at which termination starts | triggerEstimates.tt
"""),
    index="account",
)

WALLET_CONTRACTS = Table(
    "wallet_contracts",
    columns_of("""
account | str | | single-collateral wallet | 
symbol | str | | contract held in it | balances
signed_size | float | contracts | position, negative when short | balances
"""),
)

POSITIONS = Table(
    "positions",
    columns_of("""
symbol | str | | contract | symbol
side | str | | long or short | side
size | float | contracts | size, positive | size
signed_size | float | contracts | size, negative when short | 
entry_price | float | quote currency | average entry price | price
mark_price | float | quote currency | mark price, from the tickers | 
notional | float | USD | value at the mark price, positive | 
unrealized_pnl | float | pnl_currency | unrealised P&L without funding; from the mark price where not given | unrealizedPnl
unrealized_funding | float | pnl_currency | funding accrued and not yet paid | unrealizedFunding
pnl_currency | str | | currency of the P&L | pnlCurrency
margin_mode | str | | cross, or isolated when a fixed leverage is set | 
max_fixed_leverage | float | | leverage of an isolated position | maxFixedLeverage
fill_time | time | UTC | time of the opening fill, deprecated by the exchange | fillTime
"""),
    index="symbol",
)

OPEN_ORDERS = Table(
    "open_orders",
    columns_of("""
order_id | str | | the exchange's id | order_id
cli_ord_id | str | | the client's id | cliOrdId, cli_ord_id
symbol | str | | contract | symbol
side | str | | buy or sell | side
order_type | str | | lmt, stop, take_profit, … | orderType
limit_price | float | quote currency | limit price | limitPrice
stop_price | float | quote currency | trigger price | stopPrice
size | float | contracts | filled and unfilled size together | 
filled_size | float | contracts | filled so far | filledSize
unfilled_size | float | contracts | still open | unfilledSize
reduce_only | bool | | may only reduce a position | reduceOnly
trigger_signal | str | | mark, last or spot | triggerSignal
status | str | | untouched or partiallyFilled | status
received_time | time | UTC | accepted by the exchange | receivedTime
last_update_time | time | UTC | last change | lastUpdateTime
"""),
    index="order_id",
)

FILLS = Table(
    "fills",
    columns_of("""
fill_id | str | | the execution's id | fill_id
time | time | UTC | time of the fill | fillTime
symbol | str | | contract | symbol
side | str | | buy or sell | side
size | float | contracts | filled size | size
price | float | quote currency | fill price | price
fill_type | str | | maker, taker, liquidation, … | fillType
order_id | str | | order that was filled | order_id
cli_ord_id | str | | the client's id | cliOrdId, cli_ord_id
realized_pnl | float | P&L currency of the contract | gross realised P&L; missing for old fills | realized_pnl
sequence_id | str | | counter per market | sequence_id
realized_funding | float | P&L currency of the contract | funding realised with the fill | realized_funding
"""),
    index="fill_id",
)

ACCOUNT_LOG = Table(
    "account_log",
    columns_of("""
id | int | | entry number, from 1 | id
time | time | UTC | time of the entry | date
info | str | | kind of the entry: futures trade, funding rate change, transfer, … | info
account | str | | wallet | margin_account
asset | str | | currency or contract whose balance changes, upper case | asset
contract | str | | contract the entry belongs to | contract
old_balance | float | asset | balance before | old_balance
new_balance | float | asset | balance after | new_balance
change | float | asset | new minus old balance | 
old_entry_price | float | quote currency | entry price before | old_average_entry_price
new_entry_price | float | quote currency | entry price after | new_average_entry_price
trade_price | float | quote currency | price of the execution | trade_price
mark_price | float | quote currency | mark price at the time | mark_price
realized_pnl | float | asset | gross realised P&L | realized_pnl
fee | float | asset | fee, a cost when positive | fee
realized_funding | float | asset | funding, negative when paid | realized_funding
funding_rate | float | currency per contract and hour | absolute funding rate | funding_rate
execution_id | str | | execution, the same as fill_id of the fills | execution
booking_uid | str | | id of this leg | booking_uid
collateral | str | | collateral currency | collateral
liquidation_fee | float | asset | liquidation fee | liquidation_fee
conversion_spread_percentage | float | percent | spread of a conversion | conversion_spread_percentage
position_uid | str | | position | position_uid
exchange_rate | float | | rate of a conversion | exchange_rate
exchange_rate_from | str | | currency the rate converts from | exchange_rate_from
conversion_fee | float | percent | fee of a conversion | conversion_fee
"""),
    index="id",
)

CANDLES = Table(
    "candles",
    columns_of("""
time | time | UTC | start of the candle | time
open | float | quote currency | first price | open
high | float | quote currency | highest price | high
low | float | quote currency | lowest price | low
close | float | quote currency | last price | close
volume | float | contracts | traded; 0 and meaningless for mark and spot | volume
"""),
    index="time",
)

EXECUTIONS = Table(
    "executions",
    columns_of("""
execution_id | str | | the execution, the same as fill_id and the account log's execution_id | execution.uid
time | time | UTC | time of the execution | execution.timestamp, timestamp
symbol | str | | contract | order.tradeable
side | str | | buy or sell | order.direction
size | float | contracts | executed size | execution.quantity
price | float | quote currency | execution price | execution.price
mark_price | float | quote currency | mark price at the time | execution.markPrice
fill_type | str | | maker or taker | execution.executionType
fee | float | P&L currency of the contract | fee charged, a cost when positive | data.fee
position_size | float | contracts | position after the execution | data.positionSize
value_usd | float | USD | value of the execution | execution.usdValue
order_id | str | | order that was executed | order.uid
cli_ord_id | str | | the client's id | order.clientId
order_type | str | | Limit, Post, IoC, Market, Liquidation, … | order.orderType
limit_price | float | quote currency | the order's limit price | order.limitPrice
order_size | float | contracts | size of the order | order.quantity
order_filled | float | contracts | filled size of the order | order.filled
reduce_only | bool | | may only reduce a position | order.reduceOnly
limit_filled | bool | | the limit was filled | execution.limitFilled
event_id | str | | the event | uid
"""),
    index="execution_id",
)

ORDER_HISTORY = Table(
    "order_history",
    columns_of("""
event_id | str | | the event | uid
time | time | UTC | time of the event | timestamp
event | str | | OrderPlaced, OrderUpdated, OrderCancelled, OrderRejected, … | 
order_id | str | | order | order.uid, orderId
cli_ord_id | str | | the client's id | order.clientId
symbol | str | | contract | order.tradeable
side | str | | buy or sell | order.direction
order_type | str | | Limit, Post, IoC, Market, … | order.orderType
size | float | contracts | open size; 0 when filled at once | order.quantity
filled_size | float | contracts | filled so far | order.filled
limit_price | float | quote currency | limit price; unreliable for market orders, never the executed price | order.limitPrice
reduce_only | bool | | may only reduce a position | order.reduceOnly
reason | str | | why the event happened | reason
error | str | | why the exchange refused | orderError
reduced_size | float | contracts | size removed by the event | reducedQuantity
old_size | float | contracts | open size before an update | old.quantity
old_limit_price | float | quote currency | limit price before an update | old.limitPrice
order_time | time | UTC | order received | order.timestamp
last_update_time | time | UTC | last change of the order | order.lastUpdateTimestamp
origin | str | | where the order came from | origin
"""),
    index="event_id",
)

TRIGGER_HISTORY = Table(
    "trigger_history",
    columns_of("""
event_id | str | | the event | uid
time | time | UTC | time of the event | timestamp
event | str | | OrderTriggerPlaced, OrderTriggerActivated, OrderTriggerCancelled, … | 
order_id | str | | trigger order | order.uid, orderId
cli_ord_id | str | | the client's id | order.clientId
symbol | str | | contract | order.tradeable
side | str | | buy or sell | order.direction
order_type | str | | type of the order it places | order.orderType
size | float | contracts | size | order.quantity
limit_price | float | quote currency | limit price of the order it places | order.limitPrice
trigger_price | float | quote currency | trigger price | trigger.triggerPrice
trigger_signal | str | | mark, last or spot | trigger.triggerSignal
trigger_side | str | | above or below | trigger.triggerSide
max_deviation | float | see deviation_unit | distance of a trailing stop | trailing.maxDeviation
deviation_unit | str | | percent or quote currency | trailing.unit
limit_price_offset | float | see limit_price_offset_unit | limit price relative to the trigger | offset.priceOffset
limit_price_offset_unit | str | | percent or quote currency | offset.unit
reduce_only | bool | | may only reduce a position | order.reduceOnly
reason | str | | why the event happened | reason
error | str | | why the exchange refused | orderError
order_time | time | UTC | order received | order.timestamp
last_update_time | time | UTC | last change of the order | order.lastUpdateTimestamp
origin | str | | where the order came from | origin
"""),
    index="event_id",
)

POSITION_HISTORY = Table(
    "position_history",
    columns_of("""
event_id | str | | the event | uid
time | time | UTC | time of the event | update.timestamp, timestamp
symbol | str | | contract | update.tradeable
update_reason | str | | trade, fundingRealisation or settlement | update.updateReason
position_change | str | | open, close, increase, decrease, reverse or noChange | update.positionChange
trade_type | str | | userExecution, liquidation, assignment, … | update.tradeType
old_size | float | contracts | signed position before | update.oldPosition
new_size | float | contracts | signed position after | update.newPosition
old_entry_price | float | quote currency | entry price before | update.oldAverageEntryPrice
new_entry_price | float | quote currency | entry price after | update.newAverageEntryPrice
execution_id | str | | execution | update.executionUid
execution_price | float | quote currency | its price | update.executionPrice
execution_size | float | contracts | its size | update.executionSize
realized_pnl | float | fee_currency | gross realised P&L | update.realizedPnL
fee | float | fee_currency | fee, a cost when positive | update.fee
fee_currency | str | | currency of fee and P&L | update.feeCurrency
realized_funding | float | fee_currency | funding, negative when paid | update.realizedFunding
funding_time | time | UTC | time of the funding | update.fundingRealizationTime
settlement_price | float | quote currency | settlement price of a dated contract | update.settlementPrice
open_time | time | UTC | when the position was opened, the same on all its partial closes | update.fillTime
"""),
    index="event_id",
)

TRADES = Table(
    "trades",
    columns_of("""
trade_id | str | | the execution | execution.uid, uid
time | time | UTC | time of the trade | execution.timestamp, time
symbol | str | | contract | 
side | str | | side of the taker | taker.direction, side
price | float | quote currency | price | execution.price, price
size | float | contracts | size | execution.quantity, size
mark_price | float | quote currency | mark price at the time | execution.markPrice
value_usd | float | USD | value of the trade | execution.usdValue
type | str | | fill, liquidation, assignment, termination or block | type
"""),
    index="trade_id",
)

FUNDING_RATES = Table(
    "funding_rates",
    columns_of("""
time | time | UTC | start of the period | timestamp
funding_rate | float | currency per contract and hour | absolute rate; longs pay when positive | fundingRate
relative_funding_rate | float | fraction per hour | rate relative to the index price | relativeFundingRate
"""),
    index="time",
)

INSTRUMENT_STATUS = Table(
    "instrument_status",
    columns_of("""
symbol | str | | contract | tradeable
dislocated | bool | | price is dislocated | experiencingDislocation
dislocation_direction | str | | above or below its bounds | priceDislocationDirection
extreme_volatility | bool | | market is extremely volatile | experiencingExtremeVolatility
initial_margin_multiplier | float | | factor on initial margin in extreme volatility | extremeVolatilityInitialMarginMultiplier
"""),
    index="symbol",
)

FEE_SCHEDULES = Table(
    "fee_schedules",
    columns_of("""
fee_schedule_uid | str | | schedule | uid
name | str | | its name | name
volume_usd | float | USD | 30-day volume from which the tier applies | usdVolume
maker_fee | float | percent | fee of a maker | makerFee
taker_fee | float | percent | fee of a taker | takerFee
"""),
)

LEVERAGE_PREFERENCES = Table(
    "leverage_preferences",
    columns_of("""
symbol | str | | contract with isolated margin | symbol
max_leverage | float | | its fixed leverage | maxLeverage
"""),
    index="symbol",
)

PNL_PREFERENCES = Table(
    "pnl_preferences",
    columns_of("""
symbol | str | | contract | symbol
pnl_currency | str | | currency its profits are paid in | pnlCurrency
"""),
    index="symbol",
)

NOTIFICATIONS = Table(
    "notifications",
    columns_of("""
effective_time | time | UTC | when it takes effect | effectiveTime
type | str | | new_feature, bug_fix, settlement, general, maintenance or market | type
priority | str | | low, medium or high | priority
note | str | | text | note
expected_downtime_minutes | float | minutes | expected downtime | expectedDowntimeMinutes
"""),
)

UNWIND_QUEUE = Table(
    "unwind_queue",
    columns_of("""
symbol | str | | contract | symbol
percentile | float | percent | place in the queue for unwinding; 100 is first | percentile
"""),
    index="symbol",
)

ORDER_STATUS = Table(
    "order_status",
    columns_of("""
order_id | str | | order | order.orderId
cli_ord_id | str | | the client's id | order.cliOrdId
status | str | | ENTERED_BOOK, FULLY_EXECUTED, REJECTED, CANCELLED, TRIGGER_PLACED, … | status
update_reason | str | | why it last changed | updateReason
error | str | | why the exchange refused | error
type | str | | ORDER or TRIGGER_ORDER | order.type
symbol | str | | contract | order.symbol
side | str | | buy or sell | order.side
size | float | contracts | size | order.quantity
filled_size | float | contracts | filled so far | order.filled
limit_price | float | quote currency | limit price | order.limitPrice
reduce_only | bool | | may only reduce a position | order.reduceOnly
received_time | time | UTC | accepted by the exchange | order.timestamp
last_update_time | time | UTC | last change | order.lastUpdateTimestamp
"""),
    index="order_id",
)

TABLES = {
    table.name: table
    for table in (
        INSTRUMENTS,
        INSTRUMENT_STATUS,
        MARGIN_TIERS,
        TICKERS,
        INDICES,
        ORDER_BOOK,
        TRADES,
        CANDLES,
        FUNDING_RATES,
        FEE_SCHEDULES,
        ACCOUNTS,
        WALLETS,
        WALLET_CONTRACTS,
        POSITIONS,
        OPEN_ORDERS,
        ORDER_STATUS,
        FILLS,
        EXECUTIONS,
        ORDER_HISTORY,
        TRIGGER_HISTORY,
        POSITION_HISTORY,
        ACCOUNT_LOG,
        LEVERAGE_PREFERENCES,
        PNL_PREFERENCES,
        NOTIFICATIONS,
        UNWIND_QUEUE,
        *equity_tables.TABLES,
        *journal_tables.TABLES,
        *archive_tables.TABLES,
        *risk_tables.TABLES,
    )
}
"""All canonical tables by name."""


def with_change(log: pd.DataFrame) -> pd.DataFrame:
    """The account log with its computed column; changed in place."""
    new, old = log["new_balance"], log["old_balance"]
    if new.dtype == object:
        pairs = zip(new, old, strict=True)
        log["change"] = pd.Series([None if None in pair else pair[0] - pair[1] for pair in pairs], new.index, object)
    else:
        log["change"] = new - old
    return log


def describe(table: str | None = None) -> pd.DataFrame:
    """Explain a table's columns, or list the tables.

    Parameters
    ----------
    table
        Name such as ``"positions"``; None lists all tables.

    Returns
    -------
    DataFrame
        One row per column: dtype, unit, meaning, source. Without a name: one row per table.

    Raises
    ------
    ArgumentError
        If there is no such table.
    """
    if table is None:
        return pd.DataFrame(
            {
                "index": [t.index for t in TABLES.values()],
                "columns": [", ".join(c.name for c in t.columns if c.name != t.index) for t in TABLES.values()],
            },
            index=pd.Index(list(TABLES), name="table"),
        )
    if table not in TABLES:
        raise ArgumentError(f"there is no table {table!r}: the tables are {', '.join(TABLES)}")
    return TABLES[table].describe()
