"""Moving money between the wallets of an account, and between an account and its sub-accounts."""

from __future__ import annotations

from decimal import Decimal

from kfut_analytics.paper.engine.account import Account
from kfut_analytics.paper.engine.exchange import Exchange
from kfut_analytics.paper.engine.margin import COLLATERAL

CURRENCIES = {"cash": tuple(COLLATERAL), "flex": tuple(COLLATERAL)}
"""The currencies of the wallets that hold several, as the account log spells them."""

_SPELLINGS = {"btc": "xbt"}


class TransferError(Exception):
    """The transfer is refused; the message is the exchange's word."""


def move(
    exchange: Exchange,
    account: Account,
    source: str,
    target: str,
    unit: str,
    amount: Decimal,
    *,
    receiver: Account | None = None,
) -> None:
    """Move an amount from one wallet to another; two rows in the account log.

    Parameters
    ----------
    account, source
        Whose wallet it leaves, and which.
    receiver, target
        Whose wallet it reaches, the same account's unless given, and which.

    Raises
    ------
    TransferError
        With ``invalidAccount``, ``invalidUnit``, ``invalidAmount`` or ``insufficientFunds``; nothing has changed.
    """
    receiver = receiver or account
    leaves, reaches = _currencies(exchange, source), _currencies(exchange, target)
    if (source == target and receiver is account) or not (leaves and reaches):
        raise TransferError("invalidAccount")
    currency = _SPELLINGS.get(unit.lower(), unit.lower())
    if currency not in leaves or currency not in reaches:
        raise TransferError("invalidUnit")
    moved = float(amount)
    if moved <= 0:
        raise TransferError("invalidAmount")
    if moved > available(exchange, account, source, currency):
        raise TransferError("insufficientFunds")
    if receiver is account:
        account.move(exchange.now, source, target, currency, moved)
    else:
        account.transfer(exchange.now, source, currency, -moved, "subaccount transfer")
        receiver.transfer(exchange.now, target, currency, moved, "subaccount transfer")


def _currencies(exchange: Exchange, wallet: str) -> tuple[str, ...]:
    """The currencies that a wallet can hold, none if there is no such wallet."""
    if wallet in exchange.single_wallets:
        return (exchange.single_wallets[wallet],)
    return CURRENCIES.get(wallet, ())


def available(exchange: Exchange, account: Account, wallet: str, currency: str) -> float:
    """How much of a currency can leave a wallet: what is held there and is not needed as margin."""
    held = account.balances.get((wallet, currency), 0.0)
    if held <= 0:
        return 0.0
    if wallet == "flex":
        return min(held, exchange.flex(account).holdings[currency].available)
    return min(held, exchange.single(account, wallet).available) if wallet in exchange.single_wallets else held
