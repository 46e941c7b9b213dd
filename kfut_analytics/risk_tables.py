"""The tables of `kfut_analytics.margin`, in the manner of `kfut_analytics.schema`; most of their columns are computed.

``currency`` as a unit is the currency that the row names: USD for the multi-collateral wallet, the coin for a
single-collateral one. A distance or move is a fraction of today's price, negative downwards.
"""

from __future__ import annotations

from .columns import Table, columns_of

MARGIN_USAGE = Table(
    "margin_usage",
    columns_of("""
account | str | | wallet: flex (multi-collateral) or a single-collateral one
currency | str | | its currency
equity | float | currency | what counts as margin, by the exchange
initial_margin | float | currency | required to open, by the exchange
initial_margin_with_orders | float | currency | the same with open orders, by the exchange; given for flex only
maintenance_margin | float | currency | required to keep, by the exchange
available_margin | float | currency | free for new positions, by the exchange
portfolio_value | float | currency | balances and unrealised P&L, without haircuts, by the exchange
position_value | float | currency | value of all positions at their mark prices, whatever their side
usage | float | fraction | initial margin over equity
usage_with_orders | float | fraction | initial margin with orders over equity; computed where the exchange gives none
maintenance_usage | float | fraction | maintenance margin over equity; the exchange liquidates at 1
effective_leverage | float | | position value over portfolio value, as the exchange defines it
equity_leverage | float | | position value over equity, after haircuts
computed_equity | float | currency | balances after haircuts, unrealised P&L and funding
computed_initial_margin | float | currency | by margin tiers, with netting
computed_initial_margin_with_orders | float | currency | by margin tiers, with netting and open orders
computed_maintenance_margin | float | currency | by margin tiers, with netting
computed_available_margin | float | currency | computed equity less computed initial margin with orders
equity_difference | float | currency | the exchange's figure less ours
initial_margin_difference | float | currency | the exchange's figure less ours
initial_margin_with_orders_difference | float | currency | the exchange's figure less ours
maintenance_margin_difference | float | currency | the exchange's figure less ours
available_margin_difference | float | currency | the exchange's figure less ours
"""),
)

MARGIN_POSITIONS = Table(
    "margin_positions",
    columns_of("""
symbol | str | | contract
wallet | str | | wallet that carries it
currency | str | | currency of its margin
side | str | | long or short
size | float | contracts | size, positive
mark_price | float | quote currency | mark price
notional | float | USD | value at the mark price
initial_margin | float | currency | by the margin tiers, for this position alone
initial_margin_with_orders | float | currency | the same with the contract's open orders: of all buys or all sells the dearer
maintenance_margin | float | currency | by the margin tiers, for this position alone
share_of_equity | float | fraction | initial margin over the wallet's equity
effective_leverage | float | | value over the wallet's portfolio value
margin_mode | str | | cross or isolated
max_fixed_leverage | float | | leverage of an isolated position
schedule | str | | margin schedule that was used: account is the exchange's own for this account
unrealized_pnl | float | pnl_currency | unrealised P&L without funding
unrealized_funding | float | pnl_currency | funding accrued and not yet paid
pnl_currency | str | | currency of the P&L
"""),
    index="symbol",
)

LIQUIDATION = Table(
    "liquidation",
    columns_of("""
symbol | str | | contract
pool | str | | what is liquidated together: a wallet's cross-margined positions, or an isolated one alone
side | str | | long or short
size | float | contracts | size, positive
mark_price | float | quote currency | mark price
liquidation_price | float | quote currency | estimate: where this market alone brings the pool's equity to its maintenance margin
distance | float | fraction | of the mark price, to the price before
bankruptcy_price | float | quote currency | estimate: where this market alone brings the pool's equity to nothing
bankruptcy_distance | float | fraction | of the mark price, to the price before
underlying | str | | underlying
underlying_liquidation_price | float | quote currency | estimate: the same when all contracts and collateral on the underlying move together; the nearer one
underlying_distance | float | fraction | of the mark price, to the price before
market_liquidation_price | float | quote currency | estimate: the same when everything moves by the same fraction; the nearer one
market_distance | float | fraction | of the mark price, to the price before
exchange_maintenance_trigger | float | quote currency | the exchange's own estimate for the wallet: maintenance margin reached
exchange_liquidation_trigger | float | quote currency | the exchange's own estimate for the wallet: liquidation starts
exchange_termination_trigger | float | quote currency | the exchange's own estimate for the wallet: termination starts
"""),
    index="symbol",
)

LIQUIDATION_BOUNDS = Table(
    "liquidation_bounds",
    columns_of("""
pool | str | | what is liquidated together: a wallet's cross-margined positions, or an isolated one alone
currency | str | | its currency
moves | str | | what moves, all of it by the same fraction: an underlying with its contracts and coins, or market for everything
equity | float | currency | the pool's equity now
maintenance_margin | float | currency | the pool's maintenance margin now
headroom | float | currency | equity less maintenance margin
index_price | float | USD | index price of the underlying now
lower_price | float | USD | estimate: index price below which the pool is liquidated
lower_move | float | fraction | of today's prices, to there
upper_price | float | USD | estimate: index price above which the pool is liquidated
upper_move | float | fraction | of today's prices, to there
"""),
)

STRESS = Table(
    "stress",
    columns_of("""
pnl | float | currency | change of the positions' P&L
collateral_change | float | currency | change of the value of collateral after haircuts, and of coins in other wallets
equity | float | currency | after the shock; the sum of today's, P&L and collateral change
initial_margin | float | currency | after the shock, without orders
maintenance_margin | float | currency | after the shock
usage | float | fraction | initial margin over equity; of several wallets the highest
maintenance_usage | float | fraction | maintenance margin over equity; of several pools the highest; from 1 on there is a liquidation
first_liquidated | str | | position that would be liquidated first on the way to the shock; missing where none would
liquidated_pool | str | | the pool it belongs to
liquidated_at | float | fraction | how far on the way to the shock that is
currency | str | | currency of the amounts
"""),
)

WHAT_IF = Table(
    "what_if",
    columns_of("""
account | str | | wallet
currency | str | | its currency
figure | str | | equity, initial_margin, initial_margin_with_orders, maintenance_margin, available_margin (currency); usage, maintenance_usage (fraction); equity_leverage
before | float | see figure | now, computed
after | float | see figure | after the orders, computed
change | float | see figure | after less before
"""),
)

WHAT_IF_ORDERS = Table(
    "what_if_orders",
    columns_of("""
order | str | | the order in words
symbol | str | | contract
filled_size | float | contracts | filled, negative when sold
average_price | float | quote currency | average price of what is filled
resting_size | float | contracts | left in the book or waiting for its trigger, negative for a sell
realized_pnl | float | currency | realised by what is filled
fee | float | currency | fee at the rates of the lowest volume tier
currency | str | | currency of both
"""),
)

WHAT_IF_POSITIONS = Table(
    "what_if_positions",
    columns_of("""
symbol | str | | contract
size_before | float | contracts | signed size
size_after | float | contracts | signed size
entry_price_before | float | quote currency | average entry price
entry_price_after | float | quote currency | average entry price
liquidation_price_before | float | quote currency | estimate: where this market alone would liquidate
liquidation_price_after | float | quote currency | estimate: where this market alone would liquidate
market_distance_before | float | fraction | estimate: move of everything that would liquidate
market_distance_after | float | fraction | estimate: move of everything that would liquidate
"""),
    index="symbol",
)

FUNDING_FORECAST = Table(
    "funding_forecast",
    columns_of("""
symbol | str | | contract
signed_size | float | contracts | position, negative when short
currency | str | | currency of the amounts
funding_rate | float | currency per contract and hour | absolute rate of this hour; longs pay when positive
predicted_rate | float | currency per contract and hour | absolute rate predicted for the next hour; this hour's where none is given
relative_rate | float | fraction per hour | this hour's rate relative to the index price
predicted_relative_rate | float | fraction per hour | the predicted one
accrued | float | currency | accrued so far and not yet paid; negative will be paid
this_hour | float | currency | expected until the end of this hour; negative is a cost
later | float | currency | expected after it, at the predicted rate; negative is a cost
expected | float | currency | both together, from now on; what is accrued already is not in it
expected_usd | float | USD | the same at the index price
yearly_rate | float | fraction per year | what the position earns (negative: costs) of its value in a year at the predicted rate
"""),
    index="symbol",
)

MARGIN_HISTORY = Table(
    "margin_history",
    columns_of("""
time | time | UTC | moment
account | str | | wallet
currency | str | | its currency
source | str | | snapshot: the exchange's own figures, kept then; rebuilt: from the account log and mark prices
equity | float | currency | what counts as margin
initial_margin | float | currency | required to open
initial_margin_with_orders | float | currency | the same with open orders; snapshots of flex only
maintenance_margin | float | currency | required to keep
available_margin | float | currency | free for new positions, orders counted; snapshots only
portfolio_value | float | currency | balances and unrealised P&L, without haircuts
position_value | float | currency | value of all positions at their mark prices
usage | float | fraction | initial margin over equity
maintenance_usage | float | fraction | maintenance margin over equity; the exchange liquidates at 1
effective_leverage | float | | position value over portfolio value
"""),
    index="time",
)

EXPOSURE = Table(
    "exposure",
    columns_of("""
group | str | | underlying, kind of contract, or currency
long | float | USD | value of long positions
short | float | USD | value of short positions, positive
gross | float | USD | both together
net | float | USD | long less short
share | float | fraction | of the gross value of all groups
collateral | float | USD | coins that move with the underlying, or money in the currency: balances and, in it, open P&L
net_with_collateral | float | USD | net value and collateral: what a move of the group's price by 100 % would be worth
leverage | float | | gross value over the value of the whole account
"""),
    index="group",
)

CONCENTRATION = Table(
    "concentration",
    columns_of("""
by | str | | underlying, kind or currency
groups | int | | groups with positions
herfindahl | float | fraction | sum of the squared shares of gross value: 1 is a single group
effective_groups | float | | one over it: as many groups of equal size would be as concentrated
largest | str | | group with the largest share
largest_share | float | fraction | its share of gross value
"""),
    index="by",
)

VALUE_AT_RISK = Table(
    "value_at_risk",
    columns_of("""
confidence | float | fraction | confidence level
volatility | float | USD | standard deviation of the portfolio's P&L over the horizon, with the correlations of the window
undiversified_volatility | float | USD | the same if all underlyings moved as one, each at its worst
parametric_var | float | USD | loss not exceeded at the confidence, normal distribution with no drift
historical_var | float | USD | loss not exceeded at the confidence in the window's own returns
expected_shortfall | float | USD | mean loss of the window's returns beyond historical_var
observations | int | | returns in the window
"""),
    index="confidence",
)

TABLES = (
    MARGIN_USAGE,
    MARGIN_POSITIONS,
    LIQUIDATION,
    LIQUIDATION_BOUNDS,
    STRESS,
    WHAT_IF,
    WHAT_IF_ORDERS,
    WHAT_IF_POSITIONS,
    FUNDING_FORECAST,
    MARGIN_HISTORY,
    EXPOSURE,
    CONCENTRATION,
    VALUE_AT_RISK,
)
"""All of them."""
