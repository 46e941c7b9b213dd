"""The user's own limits: what an order may be worth, alone and with all others, and how far its price may lie off."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from . import settings
from .contracts import to_decimal
from .errors import ArgumentError, ConfigurationError

LIMITS_FILE = "limits.toml"
"""Name of the file in the user's folder (`settings.data_folder`) that may hold limits."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Value in USD of what was sent already: in this session, and today (UTC)."""

    session: Decimal = Decimal(0)
    today: Decimal = Decimal(0)


NOTHING_SPENT = Spent()


@dataclass(frozen=True, slots=True)
class Limits:
    """The user's own limits, checked before an order is sent; ``math.inf`` is no limit.

    Parameters
    ----------
    order_notional
        Largest value of one order, USD; by default none.
    session_notional, daily_notional
        Largest value of all orders of a session, and of a day (UTC), USD; by default none. Orders that only reduce a
        position are always let through.
    price_deviation
        How far a price may lie from the market on the side where it costs, as a fraction; by default 0.1, which is
        10 %.

    Attributes
    ----------
    sources
        Where each value comes from, by name: ``default``, ``argument``, a variable or a file.

    Raises
    ------
    ArgumentError
        If a value is no limit.
    """

    order_notional: Decimal | float | None = None
    session_notional: Decimal | float | None = None
    daily_notional: Decimal | float | None = None
    price_deviation: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        said = {name: "default" if getattr(self, name) is None else "argument" for name in NAMES}
        sources = {**said, **self.sources}
        for name in NAMES:
            put(self, name, _checked(name, getattr(self, name), sources[name]))
        put(self, "sources", sources)
        if self.price_deviation is None:
            put(self, "price_deviation", PRICE_DEVIATION)

    @classmethod
    def from_environment(
        cls,
        given: Limits | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        file: str | os.PathLike[str] | None = None,
    ) -> Limits:
        """The limits that the program, the environment and the user's file say: the first of them that says one.

        Parameters
        ----------
        given
            What the program says.
        environment
            Variables such as ``KFUT_MAX_ORDER_NOTIONAL`` (`VARIABLES`); those of the process by default. An empty one
            is as good as none, ``inf`` lifts a limit.
        file
            A TOML file with the names of the limits as keys; by default ``limits.toml`` in the user's folder, if
            there is one.

        Raises
        ------
        ArgumentError
            If a value is no limit.
        ConfigurationError
            If the file cannot be read, or names something else.
        """
        environment = os.environ if environment is None else environment
        values, sources = _from_file(Path(file) if file is not None else None)
        for name, variable in VARIABLES.items():
            if text := environment.get(variable, "").strip():
                values[name], sources[name] = text, f"variable {variable}"
        for name in NAMES:
            if given is not None and given.sources[name] != "default":
                value = getattr(given, name)
                values[name], sources[name] = math.inf if value is None else value, given.sources[name]
        return cls(**values, sources=sources)

    def __str__(self) -> str:
        return "; ".join(f"{name} {_shown(getattr(self, name))} ({self.sources[name]})" for name in NAMES)


PRICE_DEVIATION = 0.1
NAMES = ("order_notional", "session_notional", "daily_notional", "price_deviation")
VARIABLES = {
    "order_notional": "KFUT_MAX_ORDER_NOTIONAL",
    "session_notional": "KFUT_MAX_SESSION_NOTIONAL",
    "daily_notional": "KFUT_MAX_DAILY_NOTIONAL",
    "price_deviation": "KFUT_MAX_PRICE_DEVIATION",
}
"""Variables of the environment by limit."""


def _from_file(given: Path | None) -> tuple[dict[str, Any], dict[str, str]]:
    path = given or settings.data_folder() / LIMITS_FILE
    if given is None and not path.exists():
        return {}, {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the limits in {path} cannot be read: {error}") from error
    if unknown := set(values) - set(NAMES):
        raise ConfigurationError(
            f"{path} names {', '.join(sorted(unknown))}: there is no such limit, use {', '.join(NAMES)}"
        )
    return values, dict.fromkeys(values, f"file {path}")


def _checked(name: str, value: Any, source: str) -> Decimal | float | None:
    """A value as a number, None for no limit; the price's deviation may be infinite."""
    if value is None:
        return None
    try:
        number = Decimal("NaN") if isinstance(value, bool) else to_decimal(value)
    except (ArithmeticError, ValueError, TypeError):
        number = Decimal("NaN")
    if number.is_nan() or number <= 0:
        place = "" if source == "argument" else f" ({source})"
        raise ArgumentError(f"{name}={value!r}{place} is not a limit: give a positive number, or inf for no limit")
    if name == "price_deviation":
        return float(number)
    return None if number.is_infinite() else number


def _shown(value: Decimal | float | None) -> str:
    return "none" if value is None or math.isinf(value) else f"{value:,.10g}"


NO_LIMITS = Limits(price_deviation=math.inf)
"""Nothing is limited."""
