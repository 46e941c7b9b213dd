"""What the names of figures and columns in a report mean. A name means the same wherever it stands."""

from __future__ import annotations

DEFINITIONS = {
    # ---- wallets
    "Equity": "balances of all wallets, unrealised P&L and unrealised funding, in USD, coins at spot prices without "
    "haircuts; in the table of wallets, what counts as margin there, by the exchange.",
    "Portfolio value": "value of all balances of the multi-collateral wallet in USD and its unrealised P&L, by the "
    "exchange.",
    "Margin equity": "value of all balances of the multi-collateral wallet after their haircuts, and the unrealised "
    "P&L and funding as they count for margin, by the exchange.",
    "Available margin": "what the exchange leaves free for new positions in the multi-collateral wallet, open orders "
    "counted.",
    "Available": "free for new positions or withdrawals, by the exchange.",
    "Balance": "what the wallet holds of the currency.",
    "Value, USD": "value in USD: of balances by the exchange, of positions at the mark price.",
    "Collateral, USD": "value of a balance after its haircut, by the exchange.",
    # ---- margin
    "Initial margin": "what the exchange requires to open the positions held. Per wallet it is the exchange's figure; "
    "per position it is computed from the margin tiers at the mark price, each tier's rate on the value inside it.",
    "Maintenance margin": "what must be left of the equity; below it the exchange liquidates. Origin as of initial "
    "margin.",
    "Margin usage": "initial margin divided by equity of the wallet; at 100 % no new position can be opened.",
    "Maintenance usage": "maintenance margin divided by equity of the wallet; at 100 % the exchange liquidates. "
    "In the stress ladder, the highest of all wallets; \N{INFINITY} where no equity is left.",
    "Highest usage": "the highest margin usage of any moment in the period; moments are those of the chart.",
    "Mean usage": "mean margin usage of all moments in the period; moments are those of the chart.",
    "Leverage": "value of the positions divided by portfolio value of the wallet.",
    "Exchange less tiers": "the exchange's initial margin less the sum by tiers, where of the cross-margined positions "
    "on one underlying only the larger side counts.",
    # ---- positions and orders
    "Size": "in contracts, without sign.",
    "Entry": "average entry price, by the exchange.",
    "Mark": "mark price, by which the exchange values positions.",
    "Unrealised P&L": "what closing at the mark price would realise, without fees and funding.",
    "Unrealised P&L, flex": "open P&L of the multi-collateral wallet at mark prices, by the exchange.",
    "Unrealised funding": "funding accrued since the last settlement and not yet booked; negative will be paid.",
    "Share of equity": "initial margin of the position alone divided by equity of its wallet.",
    "Liquidation price": "estimate: mark price at which this market alone would bring the equity of what stands "
    "together with the position to its maintenance margin; none where no price of this market does.",
    "Distance": "from the mark price to the liquidation price, a part of the mark price.",
    "Market distance": "estimate: the move of the whole market, coins held as collateral included, at which the "
    "position would be liquidated; none where no move does.",
    "Bankruptcy price": "estimate: mark price at which nothing would be left of that equity.",
    "Nearest liquidation": "the smallest of all market distances.",
    "Filled": "contracts filled so far.",
    "Limit": "limit price of the order.",
    "Trigger": "price at which the order is triggered.",
    "From mark": "from the mark price to the limit or, of trigger orders, the trigger, a part of the mark price.",
    # ---- profit and loss
    "Realised P&L": "gross result of the closed parts of positions, by average entry price, as booked by the exchange.",
    "Fees": "trading and liquidation fees as booked; negative numbers were paid.",
    "Funding": "funding as booked; negative numbers were paid.",
    "Net": "realised P&L and funding less fees. Amounts of different currencies are never added up.",
    "Cumulative net": "running sum of net in the period.",
    "Trades": "executions that changed a balance.",
    "Amount, USD": "in USD, everything at what its currency was worth when it was booked. Revaluation is what the "
    "price of a currency did to balances of it; unexplained is zero when the account log is complete.",
    "P&L of the period": "equity at the end less equity at the start less external flows.",
    "External flows": "what came in from outside less what went out, USD.",
    "Equity at the start": "equity at the start of the period, USD.",
    "Equity at the end": "equity at the end of the period, USD.",
    "Unexplained": "change of equity that no entry and no price explains; zero when the account log is complete.",
    # ---- through time
    "Return": "time-weighted return: of the times between external flows, compounded.",
    "Maximum drawdown": "largest loss of time-weighted growth from its highest value so far.",
    "Depth": "growth at the trough less at the peak, of that at the peak.",
    "Days": "from the peak until it was reached again, or to the end of the period.",
    "P&L": "change of equity without external flows, USD: booked or not.",
    # ---- looking ahead
    "Shock": "by which all prices move at once, coins held as collateral included.",
    "P&L of positions": "change of the value of all positions, USD.",
    "Change of collateral": "change of the value of coins held, after haircuts, USD.",
    "Equity after": "margin equity of all wallets after the shock, USD.",
    "Usage after": "initial margin divided by equity after the shock, of several wallets the highest; \N{INFINITY} "
    "where no equity is left.",
    "Funding rate": "of this hour, as a part of the position's value; longs pay when positive.",
    "Expected, 24 h": "funding expected in the next 24 hours: this hour at its rate, the rest at the predicted one. "
    "Negative is a cost.",
    "Expected, USD": "the same in USD, at the index price.",
    "Funding, next 24 h": "sum of the funding expected of all positions in the next 24 hours, USD.",
    "Of value, per year": "what the position earns (negative: costs) of its value in a year at the predicted rate.",
    # ---- round trips
    "Largest size": "contracts held at most.",
    "Exit": "average price of what was closed.",
    "Hours": "from the first opening to the last closing.",
    "Round trips ended": "positions that were opened and closed within the period.",
    # ---- quality
    "Computed": "from the account log and candles.",
    "Exchange": "the exchange's own figure.",
    "Difference": "computed less the exchange's own. Prices move between one answer of the exchange and the next.",
    "Opening": "balance before the first entry of the period.",
    "Closing": "balance after the last entry of the period.",
    "Transfers": "deposits, withdrawals and transfers, between own wallets too.",
    "Other": "interest, conversions, KFEE, taxes, entries of unknown kinds, and rounding.",
    # ---- comparison
    "Change": "the later figure less the earlier one.",
    "n/a": "not available: there is no such figure, or there is too little to compute one; the reason is given where "
    "it is not obvious.",
}
