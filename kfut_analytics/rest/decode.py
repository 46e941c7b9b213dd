"""The exchange's JSON to canonical frames. Known fields become columns; unknown ones are ignored.

A missing container (``openPositions``) is an error, never an empty account.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from .. import contracts, schema
from ..account import Account
from ..errors import DecodeError
from ..times import utc_now
from . import typed

Row = Mapping[str, Any]
Columns = dict[str, Sequence[Any]]


def container(body: Mapping[str, Any], name: str, kind: type) -> Any:
    """The part of an answer that must be there.

    Raises
    ------
    DecodeError
        If it is missing or not of its kind.
    """
    part = body.get(name)
    if not isinstance(part, kind):
        what = "is missing" if name not in body else f"is {type(part).__name__} instead of {kind.__name__}"
        raise DecodeError(
            f"the answer's {name!r} {what}; its fields are {', '.join(map(str, body)) or 'none'}. "
            "Nothing is concluded from it: ask again"
        )
    return part


def rows(body: Mapping[str, Any], name: str) -> list[Row]:
    """A list of JSON objects that must be there."""
    items: list[Any] = container(body, name, list)
    if not typed.are_typed(items) and not set(map(type, items)) <= {dict}:
        odd = next(item for item in items if not isinstance(item, dict))
        raise DecodeError(f"an entry of the answer's {name!r} is {odd!r} instead of an object")
    return items


def mapping(item: Row, name: str) -> Row:
    """An optional object inside another; empty where it is missing.

    Raises
    ------
    DecodeError
        If it is something else than an object.
    """
    part = item.get(name)
    if part is not None and not isinstance(part, dict):
        raise DecodeError(f"{name!r} is {part!r} instead of an object")
    return part or {}


def each(items: Sequence[Row], name: str) -> list[Row]:
    """The optional objects of a name inside others, one per item; empty where they are missing."""
    found: list[Any] = [item.get(name) for item in items]
    return found if set(map(type, found)) <= {dict} else [mapping(item, name) for item in items]


def columns(table: schema.Table, items: Sequence[Row], parts: Mapping[str, Sequence[Row]] = {}) -> Columns:
    """The columns of a table that come straight from a field, by name.

    Parameters
    ----------
    table
        Its sources say where each column is found; ``a.b`` is field b of the object a.
    items
        The rows.
    parts
        The objects that sources name, one per row, where they are not fields of the rows themselves.
    """
    sources = {column.name: column.source.split("|") for column in table.columns if column.source}
    wanted: dict[str, list[str]] = {}
    for source in itertools.chain.from_iterable(sources.values()):
        part, _, field = source.rpartition(".")
        wanted.setdefault(part, []).append(field)
    found: dict[str, Sequence[Any]] = {}
    for part, names in wanted.items():
        objects = parts.get(part) or (each(items, part) if part else items)
        found |= {f"{part}.{name}" if part else name: values for name, values in _fields(objects, names).items()}
    return {name: _first_known([found[source] for source in spellings]) for name, spellings in sources.items()}


def _fields(items: Sequence[Row], names: Sequence[str]) -> Columns:
    if typed.are_typed(items):
        values = typed.fields(items)
        return {name: values[name] for name in names}
    first = items[0] if items else _NOTHING
    if len(first) > 1 and set(map(len, items)) == {len(first)}:
        # Rows that have all fields of the first and no more are alike: they are turned into columns in one go.
        try:
            found = dict(zip(first, zip(*map(itemgetter(*first), items), strict=True), strict=True))
        except KeyError:
            pass
        else:
            missing = (None,) * len(items)
            return {name: found.get(name, missing) for name in names}
    return {name: [item.get(name) for item in items] for name in names}


def _first_known(spellings: Sequence[Sequence[Any]]) -> Sequence[Any]:
    values, *others = spellings
    for other in others:
        if None in values:
            values = [w if v is None else v for v, w in zip(values, other, strict=True)]
    return values


_NOTHING: Row = {}


def upper(values: Iterable[Any]) -> Sequence[Any]:
    """Symbols in upper case; whatever is not text stays as it is."""
    return respelled(list(values), str.upper)


def respelled(values: Sequence[Any], spelling: Callable[[str], str]) -> Sequence[Any]:
    """Texts in another spelling; whatever is not text stays as it is. Made for few distinct texts."""
    if set(map(type, values)) <= {str, type(None)}:
        spelled = {value: value if value is None else spelling(value) for value in set(values)}
        return [spelled[value] for value in values]
    return [spelling(value) if isinstance(value, str) else value for value in values]


def _levels(item: Row, name: str) -> list[Row]:
    levels = item.get(name) or []
    if not isinstance(levels, list) or not all(isinstance(level, dict) for level in levels):
        raise DecodeError(f"{name} of {item.get('symbol')!r} is {levels!r} instead of a list of margin levels")
    return levels


def instruments(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``instruments`` from the answer of ``/instruments``."""
    items = rows(body, "instruments")
    data = columns(schema.INSTRUMENTS, items)
    data["symbol"] = upper(data["symbol"])
    data["size_step"] = [_size_step(p) for p in data["contract_value_trade_precision"]]
    first = [_first_level(item) for item in items]
    data["initial_margin"] = [level.get("initialMargin") for level in first]
    data["maintenance_margin"] = [level.get("maintenanceMargin") for level in first]
    return schema.INSTRUMENTS.frame(data)


def _size_step(precision: Any) -> float | None:
    if precision is None:
        return None
    try:
        return float(contracts.size_step(int(precision)))
    except (ValueError, TypeError, OverflowError) as error:
        raise DecodeError(f"contractValueTradePrecision is {precision!r} instead of a whole number") from error


def _schedules(item: Row) -> dict[str, list[Row]]:
    """The margin levels of a contract by schedule: retail, professional, or platform/schedule."""
    found = {"professional": _levels(item, "marginLevels"), "retail": _levels(item, "retailMarginLevels")}
    for platform in mapping(item, "marginSchedules"):
        kinds = mapping(item["marginSchedules"], platform)
        found |= {f"{platform}/{kind}": _levels(kinds, kind) for kind in kinds}
    return {name: levels for name, levels in found.items() if levels}


def _first_level(item: Row) -> Row:
    """The lowest level of the schedule that applies where nothing else is said."""
    schedules = _schedules(item)
    if not schedules:
        return _NOTHING
    levels = schedules[contracts.preferred_schedule(schedules)]
    return min(levels, key=lambda level: _threshold(level, item))


def _threshold(level: Row, item: Row) -> float:
    value = level.get("contracts") if level.get("numNonContractUnits") is None else level.get("numNonContractUnits")
    return 0.0 if value is None else number(value, f"threshold of a margin level of {item.get('symbol')!r}")


def wire_symbols(body: Mapping[str, Any]) -> dict[str, str]:
    """The exchange's exact spelling of each symbol, by the upper-case one."""
    return {str(item.get("symbol")).upper(): str(item.get("symbol")) for item in rows(body, "instruments")}


def margin_tiers(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``margin_tiers``: every tier of every schedule, from the answer of ``/instruments``."""
    found: list[tuple[Any, str, Row]] = []
    for item in rows(body, "instruments"):
        symbol = item.get("symbol")
        found += [(symbol, name, level) for name, levels in _schedules(item).items() for level in levels]
    return _tiers(found)


def account_margin_tiers(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``margin_tiers`` of the account's own schedule, from the answer of ``/trading/instruments``.

    Its ``attrs["minimum_sizes"]`` are the smallest sizes by contract, which the exchange tells only there.
    """
    items = rows(body, "instruments")
    frame = _tiers([(i.get("symbol"), "account", level) for i in items for level in _levels(i, "marginLevels")])
    sizes = {text(item.get("symbol")).upper(): item.get("minimumTradeSize") for item in items}
    known = {name: number(size, "minimumTradeSize") for name, size in sizes.items() if size is not None}
    frame.attrs["minimum_sizes"] = known
    return frame


def _tiers(found: list[tuple[Any, str, Row]]) -> pd.DataFrame:
    data = columns(schema.MARGIN_TIERS, [level for _, _, level in found])
    data["symbol"] = upper(symbol for symbol, _, _ in found)
    data["schedule"] = [name for _, name, _ in found]
    data["unit"] = ["quote" if level.get("contracts") is None else "contracts" for _, _, level in found]
    return schema.MARGIN_TIERS.frame(data)


def tickers(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``tickers`` from the answer of ``/tickers``; index rows are left to `indices`."""
    data = columns(schema.TICKERS, [item for item in rows(body, "tickers") if "markPrice" in item])
    data["symbol"] = upper(data["symbol"])
    frame = schema.TICKERS.frame(data)
    # A ticker carries no contract type; the prefix tells inverse contracts apart as well.
    frame["relative_funding_rate"] = contracts.relative_funding_rate(
        frame["funding_rate"], frame["index_price"], inverse=contracts.are_inverse(frame.index)
    )
    return frame


def indices(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``indices``: the index rows of the answer of ``/tickers``."""
    return schema.INDICES.frame(
        columns(schema.INDICES, [item for item in rows(body, "tickers") if "markPrice" not in item])
    )


def order_book(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``order_book`` from the answer of ``/orderbook``, best level first per side."""
    book = container(body, "orderBook", dict)
    data: dict[str, list[Any]] = {"side": [], "price": [], "size": [], "cumulative_size": []}
    for side, name in (("bid", "bids"), ("ask", "asks")):
        levels = _book_side(container(book, name, list))
        levels.sort(key=lambda level: level[0], reverse=side == "bid")
        total = 0.0
        for price, size in levels:
            total += size
            for column, value in zip(data, (side, price, size, total), strict=True):
                data[column].append(value)
    return schema.ORDER_BOOK.frame(data)


def _book_side(levels: list[Any]) -> list[tuple[float, float]]:
    try:
        return [(float(price), float(size)) for price, size in levels]
    except (TypeError, ValueError) as error:
        raise DecodeError(f"the order book holds a level that is not [price, size]: {error}") from error


def accounts(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``accounts``: one row per wallet and currency, from the answer of ``/accounts``."""
    found: list[dict[str, Any]] = []
    for name, wallet in _wallets(body):
        base = {"account": name, "type": wallet.get("type")}
        for currency, holding in mapping(wallet, "currencies").items():
            if not isinstance(holding, dict):
                raise DecodeError(f"the holding of {currency} in {name} is {holding!r} instead of an object")
            found.append(base | {"currency": currency.upper(), "holding": holding})
        for currency, quantity in _currency_balances(wallet).items():
            own = currency == wallet.get("currency")
            available = mapping(wallet, "auxiliary").get("af") if own else None
            found.append(
                base | {"currency": currency.upper(), "holding": {"quantity": quantity, "available": available}}
            )
    holdings = [item["holding"] for item in found]
    return schema.ACCOUNTS.frame(
        {name: [item[name] for item in found] for name in ("account", "type", "currency")}
        | {
            "quantity": [h.get("quantity") for h in holdings],
            "value_usd": [h.get("value") for h in holdings],
            "collateral_usd": [h.get("collateral", h.get("collateralValue")) for h in holdings],
            "available": [h.get("available") for h in holdings],
        }
    )


def _wallets(body: Mapping[str, Any]) -> list[tuple[str, Row]]:
    found: dict[str, Any] = container(body, "accounts", dict)
    for name, wallet in found.items():
        if not isinstance(wallet, dict):
            raise DecodeError(f"the wallet {name!r} is {wallet!r} instead of an object")
    return list(found.items())


def _is_contract(name: str) -> bool:
    return "_" in name


def _currency_balances(wallet: Row) -> Row:
    return {name: value for name, value in mapping(wallet, "balances").items() if not _is_contract(name)}


def wallets(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``wallets``: the single-collateral wallets' figures, from the answer of ``/accounts``."""
    found = [(name, wallet) for name, wallet in _wallets(body) if "marginRequirements" in wallet]
    data: Columns = {
        "account": [name for name, _ in found],
        "currency": upper(wallet.get("currency") for _, wallet in found),
    }
    for _, wallet in found:
        for part in ("auxiliary", "marginRequirements", "triggerEstimates"):
            mapping(wallet, part)
    return schema.WALLETS.frame(columns(schema.WALLETS, [wallet for _, wallet in found]) | data)


def wallet_contracts(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``wallet_contracts``: contracts held in single-collateral wallets, from the answer of ``/accounts``."""
    found = [
        (name, symbol.upper(), size)
        for name, wallet in _wallets(body)
        for symbol, size in mapping(wallet, "balances").items()
        if _is_contract(symbol)
    ]
    names = [column.name for column in schema.WALLET_CONTRACTS.columns]
    return schema.WALLET_CONTRACTS.frame({name: [row[i] for row in found] for i, name in enumerate(names)})


_ACCOUNT_FIELDS = {
    "balance_value": "balanceValue",
    "portfolio_value": "portfolioValue",
    "collateral_value": "collateralValue",
    "unrealized_pnl": "pnl",
    "unrealized_funding": "unrealizedFunding",
    "total_unrealized": "totalUnrealized",
    "total_unrealized_as_margin": "totalUnrealizedAsMargin",
    "margin_equity": "marginEquity",
    "initial_margin": "initialMargin",
    "initial_margin_with_orders": "initialMarginWithOrders",
    "maintenance_margin": "maintenanceMargin",
    "available_margin": "availableMargin",
}


def account(body: Mapping[str, Any], env: str) -> Account:
    """The multi-collateral wallet's figures, from the answer of ``/accounts``.

    Raises
    ------
    DecodeError
        If the answer has no multi-collateral wallet.
    """
    wallets: dict[str, Any] = container(body, "accounts", dict)
    if "flex" not in wallets:
        raise DecodeError(
            f"this account has no multi-collateral wallet (flex); its wallets are {', '.join(wallets) or 'none'}: "
            "see client.accounts()"
        )
    flex = container(wallets, "flex", dict)
    figures = {}
    for name, field in _ACCOUNT_FIELDS.items():
        column = schema.Column(name, "float", "USD", "", field)
        figures[name] = float(schema.convert([flex.get(field)], column, "account").iloc[0])
    time = schema.convert([body.get("serverTime")], schema.Column("time", "time", "UTC", "", "serverTime"), "account")
    return Account(env=env, time=utc_now() if pd.isna(time.iloc[0]) else time.iloc[0], **figures)


def positions(body: Mapping[str, Any], mark_prices: pd.Series[float]) -> pd.DataFrame:
    """Frame ``positions`` from the answer of ``/openpositions`` and the tickers' mark prices by symbol."""
    items = rows(body, "openPositions")
    data = columns(schema.POSITIONS, items)
    data["symbol"] = upper(data["symbol"])
    data["margin_mode"] = ["cross" if v is None else "isolated" for v in data["max_fixed_leverage"]]
    data["pnl_currency"] = [
        currency or _default_pnl_currency(symbol)
        for currency, symbol in zip(data["pnl_currency"], data["symbol"], strict=True)
    ]
    frame = schema.POSITIONS.frame(data)
    frame["signed_size"] = frame["size"].where(frame["side"] != "short", -frame["size"])
    mark_prices = mark_prices[~mark_prices.index.duplicated(keep="last")]
    frame["mark_price"] = mark_prices.reindex(frame.index).astype("float64")
    inverse = contracts.are_inverse(frame.index)
    size, entry, mark = frame["signed_size"], frame["entry_price"], frame["mark_price"]
    frame["notional"] = contracts.notional(frame["size"], mark, inverse=inverse)
    computed = contracts.pnl(size, entry, mark, inverse=inverse)
    # Computed figures are in the contract's own currency; they cannot stand in for another P&L currency.
    own = [
        _same_currency(currency, _default_pnl_currency(symbol))
        for symbol, currency in zip(frame.index, frame["pnl_currency"], strict=True)
    ]
    frame["unrealized_pnl"] = frame["unrealized_pnl"].fillna(computed.where(np.array(own, dtype=bool)))
    return frame


def _same_currency(first: str, second: str) -> bool:
    """Whether two names mean the same currency: the exchange writes bitcoin as BTC and as XBT."""
    return first == second or {first, second} == {"BTC", "XBT"}


def _default_pnl_currency(symbol: Any) -> str:
    if contracts.is_inverse(str(symbol)):
        return str(symbol).split("_")[1].removesuffix("USD")
    return "USD"


def open_orders(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``open_orders`` from the answer of ``/openorders``."""
    data = columns(schema.OPEN_ORDERS, rows(body, "openOrders"))
    data["symbol"] = upper(data["symbol"])
    frame = schema.OPEN_ORDERS.frame(data)
    frame["size"] = frame["filled_size"].fillna(0.0) + frame["unfilled_size"]
    return frame


def simple(table: schema.Table, body: Mapping[str, Any], name: str) -> pd.DataFrame:
    """A frame whose columns all come straight from the rows of one container."""
    data = columns(table, rows(body, name))
    if "symbol" in data:
        data["symbol"] = upper(data["symbol"])
    return table.frame(data)


def fee_schedules(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``fee_schedules``: one row per schedule and tier, from the answer of ``/feeschedules``."""
    tiers = [
        {"uid": schedule.get("uid"), "name": schedule.get("name"), **tier}
        for schedule in rows(body, "feeSchedules")
        for tier in rows(schedule, "tiers")
    ]
    return schema.FEE_SCHEDULES.frame(columns(schema.FEE_SCHEDULES, tiers))


def order_status(body: Mapping[str, Any]) -> pd.DataFrame:
    """Frame ``order_status`` from the answer of ``/orders/status``."""
    items = rows(body, "orders")
    for item in items:
        mapping(item, "order")
    data = columns(schema.ORDER_STATUS, items)
    data["symbol"] = upper(data["symbol"])
    return schema.ORDER_STATUS.frame(data)


@dataclass(frozen=True)
class Bulk:
    """How a table that arrives in pages is read.

    Attributes
    ----------
    table
        The table.
    page
        Columns of one page of rows.
    finish
        Computed columns, once the frame is there.
    """

    table: schema.Table
    page: Callable[[Sequence[Row]], Columns]
    finish: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame

    def frame(self, pages: Iterable[Sequence[Row]], *, exact: bool = False) -> pd.DataFrame:
        """The frame of all pages at once."""
        gathered = Gathered(self, exact=exact)
        for page in pages:
            gathered.add(page)
        return gathered.frame()


_AT_ONCE = 500
"""Rows decoded together: enough to make the work per page small, few enough to stay in the processor's cache."""


class Gathered:
    """Columns of the pages that have arrived so far; a frame can be had at any moment."""

    def __init__(self, bulk: Bulk, *, exact: bool = False) -> None:
        self._bulk = bulk
        self._exact = exact
        self._parts: list[dict[str, schema.Array]] = []
        self.rows = 0

    def add(self, page: Sequence[Row]) -> None:
        """Read one more page; one that cannot be read changes nothing.

        Raises
        ------
        DecodeError
            If a value cannot be read.
        """
        table = self._bulk.table
        parts = [
            table.arrays(self._bulk.page(page[first : first + _AT_ONCE]), exact=self._exact)
            for first in range(0, len(page), _AT_ONCE)
        ]
        self._parts += parts
        self.rows += len(page)

    def frame(self) -> pd.DataFrame:
        """The frame of what has arrived."""
        table = self._bulk.table
        parts = self._parts or [table.arrays({})]
        # Column by column, the pages' arrays let go as they are joined: no second copy of the whole.
        joined = {column.name: np.concatenate([part.pop(column.name) for part in parts]) for column in table.columns}
        self._parts = [joined]
        return self._bulk.finish(table.frame_of(joined, exact=self._exact))


def _fills_page(page: Sequence[Row]) -> Columns:
    data = columns(schema.FILLS, page)
    return data | {"symbol": upper(data["symbol"])}


def _log_page(page: Sequence[Row]) -> Columns:
    data = columns(schema.ACCOUNT_LOG, page)
    return data | {name: upper(data[name]) for name in ("asset", "contract")}


FILLS = Bulk(schema.FILLS, _fills_page)
ACCOUNT_LOG = Bulk(schema.ACCOUNT_LOG, _log_page, schema.with_change)
CANDLES = Bulk(schema.CANDLES, lambda page: columns(schema.CANDLES, page))
FUNDING_RATES = Bulk(schema.FUNDING_RATES, lambda page: columns(schema.FUNDING_RATES, page))


def text(value: Any) -> str:
    """An optional text field: empty when it is null or missing."""
    return "" if value is None else str(value)


def number(value: Any, name: str) -> float:
    """A number field of an order's answer.

    Raises
    ------
    DecodeError
        If it is not a finite number.
    """
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise DecodeError(f"{name} is {value!r} instead of a number")
    return found
