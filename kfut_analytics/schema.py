"""The canonical tables: every column's name, kind, unit, meaning and source, and the building of frames.

A table is a list of columns. Its frames always have exactly these columns in this order and with these dtypes, also
when they are empty. Kinds and their dtypes:

========  =======================  ==========================================================================
kind      dtype                    accepted values
========  =======================  ==========================================================================
str       ``str`` (missing NaN)    text
float     ``float64``              numbers and decimal text, ``0E-20`` and ``60505.`` among them
int       ``int64``                whole numbers, exact beyond 2^53; never missing
bool      ``boolean`` (missing NA)  true and false, also as text
time      ``datetime64[us, UTC]``  ISO 8601 text of any precision, or milliseconds since 1970
========  =======================  ==========================================================================

Units are in ``df.attrs["units"]``. ``source`` is the field of the exchange's reply that fills the column; empty means
that the column is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from .errors import ArgumentError, DecodeError

Kind = Literal["str", "float", "int", "bool", "time"]

_DTYPES = {"str": "str", "float": "float64", "int": "int64", "bool": "boolean", "time": "datetime64[us, UTC]"}
_BOOLS = {True: True, False: False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name, kind, unit, meaning
        As the user sees them.
    source
        Field of the exchange's reply; several spellings are separated by ``|``.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    source: str = ""


@dataclass(frozen=True)
class Table:
    """A canonical table.

    Attributes
    ----------
    name
        What ``kfut.describe(name)`` and messages call it.
    columns
        All columns, the index column among them.
    index
        Name of the index column, empty for a plain numbering.
    """

    name: str
    columns: tuple[Column, ...]
    index: str = ""

    def frame(self, data: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
        """Build the frame from one sequence per column; columns that are not given are missing throughout.

        Raises
        ------
        DecodeError
            If a value cannot be read as its column's kind; the message names table, column and value.
        """
        length = max((len(values) for values in data.values()), default=0)
        series = {
            column.name: convert(data.get(column.name, [None] * length), column, self.name) for column in self.columns
        }
        frame = pd.DataFrame(series)
        if self.index:
            frame = frame.set_index(self.index)
        frame.attrs["units"] = {column.name: column.unit for column in self.columns if column.unit}
        return frame

    def describe(self) -> pd.DataFrame:
        """The table's dictionary: one row per column."""
        return pd.DataFrame(
            {
                "dtype": [_DTYPES[column.kind] for column in self.columns],
                "unit": [column.unit for column in self.columns],
                "meaning": [column.meaning for column in self.columns],
                "source": [column.source or "computed" for column in self.columns],
            },
            index=pd.Index([column.name for column in self.columns], name="column"),
        )


def convert(values: Sequence[Any], column: Column, table: str) -> pd.Series[Any]:
    """One column's values as a Series of its dtype.

    Raises
    ------
    DecodeError
        If a value cannot be read; the message names table, column and value.
    """
    try:
        return _convert_all(values, column.kind)
    except (ValueError, TypeError, OverflowError, KeyError):
        for value in values:
            try:
                _convert_all([value], column.kind)
            except (ValueError, TypeError, OverflowError, KeyError) as error:
                raise DecodeError(
                    f"{table}.{column.name}: the value {value!r} of the field {column.source or column.name!r} "
                    f"cannot be read as {column.kind}"
                ) from error
        raise


def _convert_all(values: Sequence[Any], kind: Kind) -> pd.Series[Any]:
    match kind:
        case "float":
            return pd.Series(_floats(values))
        case "str":
            return pd.Series([v if v is None or isinstance(v, str) else _text(v) for v in values], dtype="str")
        case "int":
            return pd.Series(np.array([_whole(v) for v in values], dtype="int64"))
        case "bool":
            return pd.Series([None if v is None else _BOOLS[v] for v in values], dtype="boolean")
        case "time":
            return pd.Series(_times(values))


def _floats(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    kinds = set(map(type, values))
    if kinds - {float, int, str, type(None), np.float64}:
        raise TypeError(f"not numbers: {kinds}")
    if str in kinds:
        return np.array([np.nan if v is None or v == "" else float(v) for v in values], dtype="float64")
    return np.array(values, dtype="float64")


def _text(value: Any) -> str:
    if isinstance(value, (int, float)):
        return str(value)
    raise TypeError(f"not text: {type(value)}")


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()) or value is None:
        raise TypeError(f"not a whole number: {value!r}")
    return int(value)


def _times(values: Sequence[Any]) -> pd.Series[Any]:
    if not values:
        return pd.Series([], dtype="datetime64[us, UTC]")
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        stamps = pd.to_datetime(pd.Series(values, dtype="object"), format="ISO8601", utc=True)
    elif kinds <= {int, float, type(None)}:
        stamps = pd.to_datetime(pd.Series(values, dtype="Float64").astype("Int64"), unit="ms", utc=True)
    elif kinds <= {pd.Timestamp, type(None), type(pd.NaT)}:
        stamps = pd.Series(pd.to_datetime(list(values), utc=True))
    elif kinds <= {str, int, float, type(None)}:
        stamps = pd.concat([_times([value]) for value in values], ignore_index=True)
    else:
        raise TypeError(f"not times: {kinds}")
    return stamps.astype("datetime64[us, UTC]")


def _columns(text: str) -> tuple[Column, ...]:
    """Read columns from lines of ``name | kind | unit | meaning | source, other spelling``."""
    columns = []
    for line in text.strip().splitlines():
        name, kind, unit, meaning, source = (part.strip() for part in line.split("|"))
        columns.append(Column(name, kind, unit, meaning, source.replace(", ", "|")))  # type: ignore[arg-type]
    return tuple(columns)


INSTRUMENTS = Table(
    "instruments",
    _columns("""
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
    _columns("""
symbol | str | | contract | symbol
schedule | str | | professional, retail, or platform/schedule | 
threshold | float | see unit | lower bound of the tier | contracts, numNonContractUnits
unit | str | | contracts (1 USD each) or quote (quote currency notional) | 
initial_margin | float | fraction | initial margin inside the tier | initialMargin
maintenance_margin | float | fraction | maintenance margin inside the tier | maintenanceMargin
"""),
)

TICKERS = Table(
    "tickers",
    _columns("""
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
    _columns("""
symbol | str | | index, lower case: in_ real-time, rr_ reference rate | symbol
last | float | quote currency | index value | last
last_time | time | UTC | time of the value | lastTime
"""),
    index="symbol",
)

ORDER_BOOK = Table(
    "order_book",
    _columns("""
side | str | | bid or ask | 
price | float | quote currency | price level | 
size | float | contracts | size at the level | 
cumulative_size | float | contracts | size up to and including the level | 
"""),
)

ACCOUNTS = Table(
    "accounts",
    _columns("""
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
    _columns("""
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
    _columns("""
account | str | | single-collateral wallet | 
symbol | str | | contract held in it | balances
signed_size | float | contracts | position, negative when short | balances
"""),
)

POSITIONS = Table(
    "positions",
    _columns("""
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
    _columns("""
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
    _columns("""
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
    _columns("""
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
    _columns("""
time | time | UTC | start of the candle | time
open | float | quote currency | first price | open
high | float | quote currency | highest price | high
low | float | quote currency | lowest price | low
close | float | quote currency | last price | close
volume | float | contracts | traded; 0 and meaningless for mark and spot | volume
"""),
    index="time",
)

TABLES = {
    table.name: table
    for table in (
        INSTRUMENTS,
        MARGIN_TIERS,
        TICKERS,
        INDICES,
        ORDER_BOOK,
        ACCOUNTS,
        WALLETS,
        WALLET_CONTRACTS,
        POSITIONS,
        OPEN_ORDERS,
        FILLS,
        ACCOUNT_LOG,
        CANDLES,
    )
}
"""All canonical tables by name."""


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
