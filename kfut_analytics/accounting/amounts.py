"""Sums of money: how many decimals matter, and how they are written."""

from __future__ import annotations

import math

MONEY = {"USD", "EUR", "GBP", "CAD", "AUD", "CHF", "USDC", "USDT", "USDG", "USDQ", "USDR", "PYUSD", "RLUSD", "DAI",
         "TUSD", "EURC", "EURQ", "EURR", "EURT", "FEE"}  # fmt: skip
"""Money of account, stablecoins and KFEE: two decimals matter. Everything else is a coin."""


def amount(value: float, currency: str, *, sign: bool = False) -> str:
    """A sum of money as text: two decimals for money of account and stablecoins, eight for coins.

    >>> amount(-1234.5, "USD"), amount(0.00012, "XBT"), amount(5.0, "USD", sign=True)
    ('-1,234.50', '0.00012000', '+5.00')
    """
    if math.isnan(value):
        return "n/a"
    decimals = 2 if currency.upper() in MONEY else 8
    rounded = round(float(value), decimals) + 0.0  # no negative zero
    return f"{rounded:{'+' if sign and rounded else ''},.{decimals}f}"


def rounding_step(currency: str) -> float:
    """By how much the exchange's rounding of its figures can make one entry's amounts disagree.

    The log books USD with four decimals and coins with ten or more; two terms of a sum may be rounded either way.
    """
    return 2e-4 if currency.upper() in MONEY else 2e-8
