"""Contract arithmetic: notional, P&L, entry price, funding, fees, margin tiers and rounding.

Pure functions, no I/O. Sizes, prices and rates may be floats, Decimals, NumPy arrays or pandas Series unless a
docstring says otherwise; what comes back has the same kind. ``inverse`` may be one truth value, or an array or Series
of them for a column of mixed contracts (`are_inverse`). Two kinds of contract exist:

linear (``PF_``, ``FF_``)
    One contract is one unit of the base currency. P&L, fees and funding are in the quote currency (USD).
inverse (``PI_``, ``FI_``)
    One contract is worth one unit of the quote currency (1 USD). P&L, fees and funding are in the base currency.

Signed sizes are positive for a long position or a buy and negative for a short position or a sell.

Sources: Kraken support articles 360022835511 (contract values and P&L), 9618146737172 (funding) and
15579128794772 (margin schedules); api-facts 6.1 to 6.9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

INVERSE_TYPE = "futures_inverse"
"""The exchange's ``type`` of inverse contracts; every other tradeable type is linear."""

FLEX = "flex"
"""Name of the multi-collateral wallet."""

Rounding = Literal["nearest", "down", "up"]

Column = TypeVar("Column", "pd.Series[Any]", "np.ndarray[Any, Any]")
"""A column of numbers."""

_ROUNDING = {"nearest": ROUND_HALF_EVEN, "down": ROUND_FLOOR, "up": ROUND_CEILING}


def is_inverse(contract: str) -> bool:
    """Tell whether a contract is inverse, from its ``type`` or, where only that is known, its symbol.

    Parameters
    ----------
    contract
        The instrument's ``type`` (``futures_inverse``, ``flexible_futures``, …) or a symbol (``PI_XBTUSD``).
        Prefer the type: the exchange defines the kind by it. Ticker, fill and account-log rows carry a symbol only.
    """
    text = contract.lower()
    return text == INVERSE_TYPE or text.startswith(("pi_", "fi_"))


def pnl_currency(symbol: str) -> str:
    """Currency of a contract's P&L, fees and funding: the base of inverse and the quote of linear contracts.

    >>> pnl_currency("PF_XBTUSD"), pnl_currency("FI_XBTUSD_261225")
    ('USD', 'XBT')
    """
    pair = _pair_of(symbol)
    return pair[:-3] if is_inverse(symbol) else pair[-3:]


def quote_currency(symbol: str) -> str:
    """Currency that a contract's prices and values are in, from its symbol.

    >>> quote_currency("PF_XBTUSD"), quote_currency("FI_XBTUSD_261225")
    ('USD', 'USD')
    """
    return _pair_of(symbol)[-3:]


def underlying_of(symbol: str) -> str:
    """What a contract is on, from its symbol.

    >>> underlying_of("PF_XBTUSD"), underlying_of("FI_ETHUSD_261225")
    ('XBT', 'ETH')
    """
    return _pair_of(symbol).removesuffix("USD")


def wallet_of(symbol: str) -> str:
    """The wallet that carries a contract: a pair's own for inverse contracts, else the multi-collateral one.

    >>> wallet_of("PF_XBTUSD"), wallet_of("FI_ETHUSD_261225")
    ('flex', 'fi_ethusd')
    """
    return f"fi_{_pair_of(symbol).lower()}" if is_inverse(symbol) else FLEX


def _pair_of(symbol: str) -> str:
    return [*symbol.upper().split("_"), symbol.upper()][1]


def currency_code(name: str) -> str:
    """A currency as the account log spells it: upper case, and bitcoin, which is also written BTC, as XBT."""
    code = name.strip().upper()
    return "XBT" if code == "BTC" else code


def are_inverse(contracts: Iterable[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell for each of several contracts whether it is inverse; see `is_inverse`."""
    return np.array([is_inverse(str(contract)) for contract in contracts], dtype=bool)


def _choose(inverse: Any, for_inverse: Callable[[], Any], for_linear: Callable[[], Any]) -> Any:
    """One formula or the other; for a column of mixed contracts the fitting one in each row."""
    if isinstance(inverse, (bool, np.bool_)):
        return for_inverse() if inverse else for_linear()
    with np.errstate(divide="ignore", invalid="ignore"):  # rows that take the other formula
        first, second = for_inverse(), for_linear()
    if isinstance(first, np.ndarray):
        return np.where(inverse, first, second)
    return first.where(np.asarray(inverse), second)


def notional(size: Any, price: Any, *, inverse: Any) -> Any:
    """Value of a position or order in the quote currency (USD), with the sign of ``size``.

    Linear: ``size × price``. Inverse: ``size``, whatever the price.
    """
    return _choose(inverse, lambda: size * 1, lambda: size * price)


def pnl(size: Any, entry_price: Any, exit_price: Any, *, inverse: Any) -> Any:
    """Gross P&L of a signed ``size`` from ``entry_price`` to ``exit_price``.

    Linear: ``size × (exit − entry)`` in the quote currency. Inverse: ``size × (1/entry − 1/exit)`` in the base
    currency. With the mark price as exit it is the unrealised P&L.
    """
    return _choose(
        inverse,
        lambda: size / entry_price - size / exit_price,
        lambda: size * (exit_price - entry_price),
    )


def average_entry(size: Any, entry_price: Any, added: Any, price: Any, *, inverse: Any) -> Any:
    """Entry price after adding to a position: arithmetic mean for linear, harmonic for inverse contracts.

    Parameters
    ----------
    size, entry_price
        The position so far; both sizes with the same sign.
    added, price
        The fill that increases it.

    Notes
    -----
    The harmonic mean follows from the inverse P&L formula: it alone leaves the P&L of the sum equal to the sum of
    the P&Ls.
    """
    total = size + added
    return _choose(
        inverse,
        lambda: total / (size / entry_price + added / price),
        lambda: (size * entry_price + added * price) / total,
    )


@dataclass(frozen=True, slots=True)
class Fill:
    """What one execution does to a position: its new signed size and entry price, and the gross P&L it realises."""

    size: float
    entry_price: float
    realized_pnl: float


def apply_fill(size: float, entry_price: float, change: float, price: float, *, inverse: bool) -> Fill:
    """Apply a signed fill to a position by the average-entry method, scalars only.

    Increases average the entry price, reductions leave it, a reversal closes the old position and restarts at the
    fill price, and a closed position has entry price 0.

    Parameters
    ----------
    size, entry_price
        Signed position and its entry price before (0 and 0 when flat).
    change
        Signed size of the fill, positive for a buy.
    price
        Fill price.
    """
    new_size = size + change
    if abs(new_size) < 1e-12:
        new_size = 0.0
    if size == 0 or size * change > 0:
        entry = price if size == 0 else average_entry(size, entry_price, change, price, inverse=inverse)
        return Fill(new_size, entry, 0.0)
    closed = size if abs(change) >= abs(size) else -change
    realized = pnl(closed, entry_price, price, inverse=inverse)
    if new_size == 0:
        return Fill(0.0, 0.0, realized)
    return Fill(new_size, entry_price if new_size * size > 0 else price, realized)


def fee(size: Any, price: Any, rate: Any, *, inverse: Any) -> Any:
    """Fee of a fill, a cost when positive; ``rate`` is a fraction (0.0005 is 5 basis points).

    Linear: ``|size| × price × rate`` in the quote currency. Inverse: ``|size| / price × rate`` in the base currency.
    """
    return _choose(inverse, lambda: abs(size) / price * rate, lambda: abs(size) * price * rate)


def funding_payment(size: Any, funding_rate: Any, hours: Any = 1) -> Any:
    """Cash effect of funding on a signed position; negative was paid, positive received.

    Parameters
    ----------
    size
        Signed size in contracts.
    funding_rate
        The exchange's absolute rate: currency per contract and hour, in USD for linear contracts and in the base
        currency for inverse ones. Positive means that longs pay shorts.
    hours
        Time the position was held at that rate.
    """
    return -size * funding_rate * hours


def relative_funding_rate(funding_rate: Any, index_price: Any, *, inverse: Any) -> Any:
    """Funding rate as a fraction of the position's value per hour, from the absolute rate.

    The absolute rate is ``relative × index`` for linear and ``relative / index`` for inverse contracts.
    """
    return _choose(inverse, lambda: funding_rate * index_price, lambda: funding_rate / index_price)


def absolute_funding_rate(relative_rate: Any, index_price: Any, *, inverse: Any) -> Any:
    """Funding rate per contract and hour from the relative rate; the other direction of `relative_funding_rate`."""
    return _choose(inverse, lambda: relative_rate / index_price, lambda: relative_rate * index_price)


@dataclass(frozen=True, slots=True)
class MarginTier:
    """One step of a margin schedule.

    Attributes
    ----------
    threshold
        Lower bound of the step: contracts for inverse, quote-currency notional for linear contracts. Both are the
        position's value in USD.
    initial_margin, maintenance_margin
        Rates as fractions (0.02 is 2 %).
    """

    threshold: float
    initial_margin: float
    maintenance_margin: float


def preferred_schedule(names: Iterable[str]) -> str:
    """Which of a contract's margin schedules applies where nothing else is said: retail where given.

    Schedules are named ``retail`` and ``professional``, or ``platform/retail`` and ``platform/professional``.
    """
    given = sorted(set(names), key=lambda name: (name.count("/"), name))
    for wanted in ("retail", "professional"):
        for name in given:
            if name.rpartition("/")[2] == wanted:
                return name
    return given[0] if given else ""


@overload
def margin_requirement(
    notional_value: float, tiers: Sequence[MarginTier], *, maintenance: bool = ..., leverage: float | None = ...
) -> float: ...
@overload
def margin_requirement(
    notional_value: Column, tiers: Sequence[MarginTier], *, maintenance: bool = ..., leverage: float | None = ...
) -> Column: ...
def margin_requirement(
    notional_value: Any, tiers: Sequence[MarginTier], *, maintenance: bool = False, leverage: float | None = None
) -> Any:
    """Margin for positions of the given value, bracket by bracket, in the unit of ``notional_value``.

    Each step's rate applies to the part of the value inside that step only, as an income tax does.

    Parameters
    ----------
    notional_value
        Value of the position in the quote currency, or a column of them; its sign is ignored. For an inverse
        contract divide the result by the price to have it in the base currency.
    tiers
        The schedule, any order.
    maintenance
        Maintenance instead of initial margin.
    leverage
        The fixed leverage of an isolated position: no initial-margin rate is below ``1 / leverage``.

    Raises
    ------
    ValueError
        If ``tiers`` is empty.
    """
    if not tiers:
        raise ValueError("tiers is empty: a margin requirement needs at least one margin tier")
    value = abs(notional_value)
    steps = sorted(tiers, key=lambda tier: tier.threshold)
    total = value * 0.0
    for step, upper in zip(steps, [*(tier.threshold for tier in steps[1:]), math.inf], strict=True):
        rate = step.maintenance_margin if maintenance else step.initial_margin
        if leverage and not maintenance:
            rate = max(rate, 1 / leverage)
        total = total + _between(value - step.threshold, upper - step.threshold) * rate
    return total


def _between(value: Any, upper: float) -> Any:
    """A value, or a column of them, held between 0 and an upper bound; scalars without the detour over NumPy."""
    if isinstance(value, (float, int)):
        return min(max(value, 0.0), upper)
    return np.clip(value, 0.0, upper)


def size_step(precision: int) -> Decimal:
    """Smallest size increment for the exchange's ``contractValueTradePrecision``, which may be negative.

    >>> size_step(4), size_step(0), size_step(-3)
    (Decimal('0.0001'), Decimal('1'), Decimal('1000'))
    """
    return Decimal(1).scaleb(-precision) if precision >= 0 else Decimal(10) ** -precision


def to_decimal(value: Decimal | float | int | str) -> Decimal:
    """The decimal number a person meant: a float is read by its shortest text, so 0.1 is exactly one tenth."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


@overload
def round_to_step(value: Decimal | float | int | str, step: Decimal | float, rounding: Rounding = ...) -> Decimal: ...
@overload
def round_to_step(value: Column, step: Decimal | float, rounding: Rounding = ...) -> Column: ...
def round_to_step(value: Any, step: Decimal | float, rounding: Rounding = "nearest") -> Any:
    """Round a price to its tick or a size to its step, exactly.

    Parameters
    ----------
    value
        Price or size; an array or Series of them gives one of Decimals (dtype object).
    step
        Tick size or size step, positive.
    rounding
        ``nearest`` (ties to even), ``down`` (towards minus infinity) or ``up``.

    Returns
    -------
    Decimal
        An exact multiple of the step.
    """
    exact_step = to_decimal(step)
    if exact_step <= 0:
        raise ValueError(f"step is {step}: it must be positive")

    def one(number: Any) -> Decimal:
        return (to_decimal(number) / exact_step).to_integral_value(_ROUNDING[rounding]) * exact_step

    if isinstance(value, np.ndarray):
        return np.array([one(number) for number in value.tolist()], dtype="object")
    return value.map(one) if hasattr(value, "map") else one(value)


def plain(value: Decimal) -> str:
    """A decimal as the exchange takes it: no exponent, no trailing zeros.

    >>> plain(Decimal("0.00001000")), plain(Decimal("2E+4"))
    ('0.00001', '20000')
    """
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
