"""The user's own limits: what an order may be worth, alone and with all others, and how far its price may lie off."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
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


@dataclass(frozen=True, slots=True)
class Limits:
    """The user's own limits, checked before an order is sent; None is no limit.

    Parameters
    ----------
    order_notional
        Largest value of one order, USD.
    session_notional, daily_notional
        Largest value of all orders of a session, and of a day (UTC), USD. Orders that only reduce a position are
        always let through.
    price_deviation
        How far a price may lie from the market on the side where it costs, as a fraction (0.1 is 10 %).

    Attributes
    ----------
    sources
        Where each value comes from, by name.

    Raises
    ------
    ArgumentError
        If a value is no limit.
    """

    order_notional: Decimal | float | None = None
    session_notional: Decimal | float | None = None
    daily_notional: Decimal | float | None = None
    price_deviation: float | None = 0.1
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in NAMES:
            put(self, name, _checked(name, getattr(self, name), self.sources.get(name, "")))
        defaults = {f.name: f.default for f in fields(self)}
        known = {name: "default" if getattr(self, name) == defaults[name] else "argument" for name in NAMES}
        put(self, "sources", {**known, **self.sources})

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, file: str | os.PathLike[str] | None = None, **given: Any
    ) -> Limits:
        """The limits that the arguments, the environment and the user's file say, in this order.

        Parameters
        ----------
        environment
            Variables such as ``KFUT_MAX_ORDER_NOTIONAL`` (`VARIABLES`); those of the process by default. An empty
            one is as good as none, ``none`` lifts a limit.
        file
            A TOML file with the names of the limits as keys; by default ``limits.toml`` in the user's folder, if
            there is one.
        given
            Limits by name.

        Raises
        ------
        ArgumentError
            If there is no such limit, or a value is none.
        ConfigurationError
            If the file cannot be read.
        """
        environment = os.environ if environment is None else environment
        values, sources = _from_file(Path(file) if file is not None else None)
        for name, variable in VARIABLES.items():
            if text := environment.get(variable, "").strip():
                values[name], sources[name] = None if text.casefold() == "none" else text, f"variable {variable}"
        if unknown := set(given) - set(NAMES):
            raise ArgumentError(f"{', '.join(sorted(unknown))}: there is no such limit: use one of {', '.join(NAMES)}")
        values |= given
        sources |= dict.fromkeys(given, "argument")
        return cls(**values, sources=sources)

    def __str__(self) -> str:
        return "; ".join(f"{name} {_shown(getattr(self, name))} ({self.sources[name]})" for name in NAMES)


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
    if value is None:
        return None
    try:
        number = Decimal("NaN") if isinstance(value, bool) else to_decimal(value)
    except (ArithmeticError, ValueError, TypeError):
        number = Decimal("NaN")
    if not (number.is_finite() and number > 0):
        place = f" (from {source})" if source else ""
        raise ArgumentError(f"{name}={value!r}{place} is not a limit: give a positive number, or None for no limit")
    return float(number) if name == "price_deviation" else number


def _shown(value: Decimal | float | None) -> str:
    return "none" if value is None or math.isinf(value) else f"{value:,.10g}"


NO_LIMITS = Limits(price_deviation=None)
"""Nothing is limited."""
