"""Answers about an account's preferences, transfers between its wallets, and its sub-accounts."""

from __future__ import annotations

from starlette.responses import Response

from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.exchange import UnknownSymbolError
from kfut_analytics.paper.engine.leverage import LeverageError, allowed_leverage, change_leverage
from kfut_analytics.paper.engine.preferences import (
    PNL_CURRENCIES,
    SELF_TRADE_STRATEGIES,
)
from kfut_analytics.paper.engine.wallets import TransferError, move
from kfut_analytics.paper.market.instruments import Contract
from kfut_analytics.paper.wire import shapes as wire
from kfut_analytics.paper.wire.call import Call, CodedError, Json, NotFoundError, RefusedError, json_response
from kfut_analytics.paper.wire.params import BadArgumentError, MissingArgumentError

_NO_CONTRACT, _NOT_MULTI_COLLATERAL, _NO_CURRENCY, _CURRENCY_NOT_ENABLED, _NOT_COVERED = 87, 88, 89, 90, 92


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
        raise CodedError(500, _NOT_COVERED, "INSUFFICIENT_MARGIN") from None
    return {}


def pnl_currencies(call: Call) -> Json:
    """GET /pnlpreferences."""
    preferences = call.account.preferences.pnl_currency
    return {"preferences": [{"symbol": name, "pnlCurrency": currency} for name, currency in preferences.items()]}


def set_pnl_currency(call: Call) -> Json:
    """PUT /pnlpreferences."""
    contract, currency = _contract(call), call.params.require("pnlPreference").upper()
    if currency not in PNL_CURRENCIES:
        known = currency in {contract.asset.base for contract in call.exchange.contracts.values()}
        code, word = (
            (_CURRENCY_NOT_ENABLED, "CURRENCY_NOT_ENABLED_FOR_MULTI_COLLATERAL")
            if known
            else (_NO_CURRENCY, "CURRENCY_DOES_NOT_EXIST")
        )
        raise CodedError(500, code, word)
    call.account.preferences.pnl_currency[contract.symbol] = currency
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
    return _move(call, call.account, call.account)


def transfer_subaccount(call: Call) -> Json:
    """POST /transfer/subaccount, between accounts of one family."""
    return _move(call, _relative(call, "fromUser"), _relative(call, "toUser"))


def _move(call: Call, giver: Account, receiver: Account) -> Json:
    params = call.params
    source, target, unit = params.require("fromAccount"), params.require("toAccount"), params.require("unit")
    amount = params.number("amount")
    if amount is None:
        raise MissingArgumentError("amount")
    try:
        move(call.exchange, giver, source.lower(), target.lower(), unit, amount, receiver=receiver)
    except TransferError as error:
        raise RefusedError(str(error)) from None
    return {}


def subaccounts(call: Call) -> Json:
    """GET /subaccounts."""
    master = call.account if call.account.parent is None else call.exchange.accounts[call.account.parent]
    children = [wire.subaccount(call.exchange, child) for child in _children(call)]
    return {"masterAccountUid": master.uid, "subaccounts": children}


def trading_enabled(call: Call) -> Response:
    """GET /subaccount/{uid}/trading-enabled, whose answer has no envelope."""
    return json_response({"tradingEnabled": _child(call).trading_enabled})


def set_trading_enabled(call: Call) -> Response:
    """PUT /subaccount/{uid}/trading-enabled."""
    child, enabled = _child(call), call.params.flag("tradingEnabled")
    if enabled is None:
        raise MissingArgumentError("tradingEnabled")
    child.trading_enabled = enabled
    return trading_enabled(call)


def _children(call: Call) -> list[Account]:
    return [account for account in call.exchange.accounts.values() if account.parent == call.account.name]


def _child(call: Call) -> Account:
    """The sub-account that the path names."""
    uid = call.request.path_params["uid"].lower()
    for child in _children(call):
        if child.uid == uid:
            return child
    raise NotFoundError


def _relative(call: Call, name: str) -> Account:
    """This account or one of its sub-accounts, by uid or by name."""
    wanted = call.params.require(name).lower()
    for account in (call.account, *_children(call)):
        if wanted in (account.uid, account.name.lower()):
            return account
    raise RefusedError("invalidAccount")


def _contract(call: Call) -> Contract:
    """The multi-collateral contract that a preference is about."""
    try:
        contract = call.exchange.contract(call.params.require("symbol"))
    except UnknownSymbolError:
        raise CodedError(500, _NO_CONTRACT, "CONTRACT_DOES_NOT_EXIST") from None
    if contract.inverse:
        raise CodedError(500, _NOT_MULTI_COLLATERAL, "CONTRACT_NOT_MULTI_COLLATERAL")
    return contract
