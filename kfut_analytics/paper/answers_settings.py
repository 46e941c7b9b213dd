"""Answers about an account's preferences, and transfers between its wallets."""

from __future__ import annotations

from kfut_analytics.paper.call import Call, CodedError, Json, RefusedError
from kfut_analytics.paper.exchange import UnknownSymbolError
from kfut_analytics.paper.instruments import Contract
from kfut_analytics.paper.leverage import LeverageError, allowed_leverage, change_leverage
from kfut_analytics.paper.params import BadArgumentError, MissingArgumentError
from kfut_analytics.paper.preferences import (
    PNL_CURRENCIES,
    SELF_TRADE_STRATEGIES,
)
from kfut_analytics.paper.wallets import TransferError, move

_NOT_COVERED, _NO_CONTRACT, _NOT_MULTI_COLLATERAL = 41, 87, 88


def leverage(call: Call) -> Json:
    """GET /leveragepreferences: the contracts with isolated margin."""
    preferences = call.account.preferences.leverage
    return {"leveragePreferences": [{"symbol": name, "maxLeverage": value} for name, value in preferences.items()]}


def set_leverage(call: Call) -> Json:
    """PUT /leveragepreferences: with ``maxLeverage`` isolated margin, without it cross margin."""
    contract, wanted = _contract(call), call.params.number("maxLeverage")
    if wanted is not None and not 1 <= wanted <= allowed_leverage(call.exchange, call.account, contract):
        raise BadArgumentError("Argument invalid: maxLeverage")
    try:
        change_leverage(call.exchange, call.account, contract, None if wanted is None else float(wanted))
    except LeverageError:
        raise CodedError(500, _NOT_COVERED, "WOULD_CAUSE_LIQUIDATION") from None
    return {}


def pnl_currencies(call: Call) -> Json:
    """GET /pnlpreferences."""
    preferences = call.account.preferences.pnl_currency
    return {"preferences": [{"symbol": name, "pnlCurrency": currency} for name, currency in preferences.items()]}


def set_pnl_currency(call: Call) -> Json:
    """PUT /pnlpreferences."""
    contract = _contract(call)
    call.account.preferences.pnl_currency[contract.symbol] = call.params.choice("pnlPreference", PNL_CURRENCIES)
    return {}


def self_trade_strategy(call: Call) -> Json:
    """GET /self-trade-strategy."""
    return {"strategy": call.account.preferences.self_trade}


def set_self_trade_strategy(call: Call) -> Json:
    """PUT /self-trade-strategy."""
    call.account.preferences.self_trade = call.params.choice("strategy", SELF_TRADE_STRATEGIES)
    return self_trade_strategy(call)


def transfer(call: Call) -> Json:
    """POST /transfer, between the account's own wallets."""
    params = call.params
    source, target, unit = params.require("fromAccount"), params.require("toAccount"), params.require("unit")
    amount = params.number("amount")
    if amount is None:
        raise MissingArgumentError("amount")
    try:
        move(call.exchange, call.account, source.lower(), target.lower(), unit, amount)
    except TransferError as error:
        raise RefusedError(str(error)) from None
    return {}


def _contract(call: Call) -> Contract:
    """The multi-collateral contract that a preference is about."""
    try:
        contract = call.exchange.contract(call.params.require("symbol"))
    except UnknownSymbolError:
        raise CodedError(500, _NO_CONTRACT, "CONTRACT_DOES_NOT_EXIST") from None
    if contract.inverse:
        raise CodedError(500, _NOT_MULTI_COLLATERAL, "CONTRACT_NOT_MULTI_COLLATERAL")
    return contract
