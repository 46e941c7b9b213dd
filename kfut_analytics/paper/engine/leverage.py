"""Isolated margin: which leverage a contract may have, and changing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfut_analytics.contracts import notional
from kfut_analytics.paper.engine import liquidation
from kfut_analytics.paper.engine.preferences import tier_leverage

if TYPE_CHECKING:
    from kfut_analytics.paper.engine.account import Account
    from kfut_analytics.paper.engine.exchange import Exchange
    from kfut_analytics.paper.market.instruments import Contract


class LeverageError(Exception):
    """The wallet does not cover the margin that a leverage would require."""


def allowed_leverage(exchange: Exchange, account: Account, contract: Contract) -> float:
    """Largest leverage for the position that the account holds now."""
    mark = exchange.prices.mark(contract)
    return tier_leverage(contract, float(notional(account.position_size(contract), mark, inverse=contract.inverse)))


def change_leverage(exchange: Exchange, account: Account, contract: Contract, leverage: float | None) -> None:
    """Isolate a contract at a leverage, or with ``None`` let it share the wallet's margin.

    Raises
    ------
    LeverageError
        If its margin would then not be covered; nothing has changed.
    """
    chosen, before = account.preferences.leverage, dict(account.preferences.leverage)
    available = exchange.flex(account).available
    chosen.pop(contract.symbol, None)
    if leverage is not None:
        chosen[contract.symbol] = leverage
    if exchange.flex(account).available < min(0.0, available) or liquidation.falls_short(exchange, account):
        chosen.clear()
        chosen.update(before)
        raise LeverageError
    account.revision += 1
