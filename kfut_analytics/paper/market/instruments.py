"""What is traded on the paper exchange: assets and contracts of every kind on them.

Kinds, ticks, steps and margin schedules follow the live listing of September 2026 (api-facts 3A and 6.7).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from kfut_analytics.contracts import MarginTier, size_step
from kfut_analytics.paper.clock import DAY, HOUR

REMEMBERED_DAYS = 120
"""So long an expired contract is still listed."""


@dataclass(frozen=True, slots=True)
class Asset:
    """An underlying and, for one whose price is drawn, how that behaves.

    Attributes
    ----------
    code
        The code inside symbols and wallet names (``XBT``).
    base
        The code in instrument and ticker pairs (``BTC``).
    tradfi
        Whether it is none of the crypto currencies.
    price
        Index price in USD on 2026-11-22, and the level around which it moves over the years.
    volatility
        Standard deviation of a year's log returns.
    correlation
        Correlation with the common factor of all assets.
    turnover
        Typical USD traded per day in the perpetual; depth and volume scale with it.
    """

    code: str
    base: str
    price: float = 0.0
    volatility: float = 0.0
    correlation: float = 0.0
    turnover: float = 0.0
    category: str = ""
    tradfi: bool = False


ASSETS = {
    asset.code: asset
    for asset in (
        Asset("XBT", "BTC", 87959.91, 0.45, 0.92, 9e8, "Layer 1"),
        Asset("ETH", "ETH", 2920.50, 0.65, 0.88, 5e8, "Layer 1"),
        Asset("XRP", "XRP", 2.237, 0.75, 0.75, 1.2e8, "Payments"),
        Asset("SOL", "SOL", 138.09, 0.80, 0.80, 2e8, "Layer 1"),
        Asset("DOGE", "DOGE", 0.1509, 0.95, 0.78, 6e7, "Community"),
        Asset("ADA", "ADA", 0.4216, 0.85, 0.78, 4e7, "Layer 1"),
        Asset("LINK", "LINK", 12.95, 0.85, 0.76, 3e7, "DeFi"),
        Asset("BCH", "BCH", 533.30, 0.75, 0.70, 2e7, "Payments"),
        Asset("LTC", "LTC", 84.0, 0.70, 0.74, 2e7, "Payments"),
        Asset("AVAX", "AVAX", 14.2, 0.90, 0.78, 3e7, "Layer 1"),
        Asset("SUI", "SUI", 1.56, 1.00, 0.76, 5e7, "Layer 1"),
        Asset("DOT", "DOT", 2.31, 0.85, 0.77, 1.5e7, "Layer 1"),
        Asset("UNI", "UNI", 6.2, 0.95, 0.72, 1.2e7, "DeFi"),
        Asset("PEPE", "PEPE", 4.6e-6, 1.10, 0.70, 3e7, "Community"),
    )
}


def wallet_currency(wallet: str) -> str:
    """The currency of a single-collateral wallet: ``xbt`` for ``fi_xbtusd``."""
    return wallet.removeprefix("fi_").removesuffix("usd")


@dataclass(frozen=True, slots=True)
class Contract:
    """One instrument.

    Attributes
    ----------
    precision
        The exchange's ``contractValueTradePrecision``: decimals of a size.
    expiry
        Last trading time of a dated contract, ``None`` for a perpetual.
    funding_coefficient, max_funding_rate
        Divisor of the premium, and the largest relative rate of an hour (api-facts 6.4).
    """

    symbol: str
    asset: Asset
    inverse: bool
    tick: Decimal
    precision: int
    max_position: float
    impact_mid_size: float
    opening: float
    expiry: float | None
    tiers: tuple[MarginTier, ...]
    funding_coefficient: int = 8
    max_funding_rate: float = 0.005

    def __hash__(self) -> int:
        return hash(self.symbol)  # all fields would take long, and tables of prices are looked up by contract

    @property
    def step(self) -> Decimal:
        """Smallest size increment."""
        return size_step(self.precision)

    @property
    def wallet(self) -> str:
        """The margin account that holds its positions: inverse contracts of a pair share one."""
        return f"fi_{self.asset.code.lower()}usd" if self.inverse else "flex"

    @property
    def currency(self) -> str:
        """Currency of its P&L, fees and funding, as the account log spells it."""
        return self.asset.code.lower() if self.inverse else "usd"

    def tag(self, now: float) -> str:
        """The ticker's ``tag``; a contract of a quarter's last month is semiannual until its quarter comes near."""
        if self.expiry is None:
            return "perpetual"
        if datetime.fromtimestamp(self.expiry, tz=UTC).month % 3:
            return "month"
        return "quarter" if self.expiry - now <= 98 * DAY else "semiannual"


def _tiers(*levels: tuple[float, float]) -> tuple[MarginTier, ...]:
    """A schedule from (lower bound, initial rate); maintenance is half of initial throughout."""
    return tuple(MarginTier(threshold, initial, initial / 2) for threshold, initial in levels)


_MAJOR = _tiers((0, 0.01), (1e6, 0.02), (3e6, 0.04), (10e6, 0.10), (20e6, 0.20), (60e6, 0.50))
_MEME = _tiers((0, 0.02), (2e6, 0.04), (5e6, 0.10), (10e6, 0.20), (30e6, 0.50))
_MINOR = _tiers((0, 0.04), (250e3, 0.05), (500e3, 0.10), (1e6, 0.20), (2.5e6, 0.30), (5e6, 0.50))
_SMALL = _tiers((0, 0.05), (10e3, 0.10), (250e3, 0.20), (500e3, 0.30), (2e6, 0.50))
_DATED = _tiers((0, 0.02), (2e6, 0.04), (5e6, 0.10), (10e6, 0.20))
_INVERSE = _tiers((0, 0.02), (500e3, 0.04), (1e6, 0.06), (3e6, 0.10), (6e6, 0.15), (12e6, 0.25), (20e6, 0.40))

# code: tick, size precision, largest position, impact size, schedule
_PERPETUALS: dict[str, tuple[str, int, float, float, tuple[MarginTier, ...]]] = {
    "XBT": ("1", 4, 1200.0, 0.08, _MAJOR),
    "ETH": ("0.1", 3, 25_000.0, 2.5, _MAJOR),
    "XRP": ("0.00001", 0, 15_000_000.0, 3000.0, _MINOR),
    "SOL": ("0.01", 2, 250_000.0, 50.0, _MINOR),
    "DOGE": ("0.00001", 0, 200_000_000.0, 45_000.0, _MEME),
    "ADA": ("0.00001", 0, 50_000_000.0, 15_000.0, _SMALL),
    "LINK": ("0.001", 1, 1_000_000.0, 500.0, _SMALL),
    "BCH": ("0.01", 2, 20_000.0, 12.0, _SMALL),
    "LTC": ("0.01", 2, 100_000.0, 75.0, _SMALL),
    "AVAX": ("0.001", 1, 1_000_000.0, 450.0, _SMALL),
    "SUI": ("0.0001", 0, 10_000_000.0, 4000.0, _SMALL),
    "DOT": ("0.0001", 1, 3_000_000.0, 2500.0, _SMALL),
    "UNI": ("0.001", 1, 1_000_000.0, 1000.0, _SMALL),
    "PEPE": ("0.0000000001", -3, 2e12, 1e9, _SMALL),
}
# code: tick, largest position in a perpetual, in a dated contract
_INVERSES: dict[str, tuple[str, float, float]] = {
    "XBT": ("0.5", 75e6, 40e6),
    "ETH": ("0.05", 40e6, 20e6),
    "LTC": ("0.01", 5e6, 2.5e6),
    "XRP": ("0.0001", 10e6, 5e6),
}
_DATED_ASSETS = ("XBT", "ETH")
INVERSE_WALLETS = {f"fi_{code.lower()}usd": code.lower() for code in _INVERSES}
"""The margin account of each inverse pair, and its currency."""

_LISTED = datetime(2022, 3, 22, 13, 15, 36, tzinfo=UTC).timestamp()
_INVERSE_LISTED = datetime(2018, 8, 31, tzinfo=UTC).timestamp()
# A dated contract opens so many days before it expires; those of a quarter's last month are opened early.
_MONTH_DAYS, _QUARTER_DAYS = 63, 217
_LINEAR_EXPIRY_HOUR, _INVERSE_EXPIRY_HOUR = 8, 16


def listing(now: float) -> dict[str, Contract]:
    """Every contract listed at a time, by symbol; a pure function of time.

    Perpetuals, and per asset with dated contracts those of the next months and of three quarters. Contracts that
    have expired stay for 120 days.
    """
    return dict(_listing(math.floor(now / HOUR)))


@lru_cache(maxsize=64)
def _listing(hour: int) -> dict[str, Contract]:
    now = hour * HOUR
    contracts = list(_perpetuals())
    for day in _expiry_days(now):
        for code in _DATED_ASSETS:
            contracts += [_dated(code, day, inverse=False), _dated(code, day, inverse=True)]
    return {
        contract.symbol: contract
        for contract in contracts
        if contract.opening <= now and (contract.expiry is None or now < contract.expiry + REMEMBERED_DAYS * DAY)
    }


def _expiry_days(now: float) -> Iterator[datetime]:
    """The last Fridays of the months around a time, from the next ones on; the expired ones come last."""
    today = datetime.fromtimestamp(now, tz=UTC)
    months = [12 * today.year + today.month - 1 + distance for distance in range(-5, 9)]
    fridays = [last_friday(month // 12, month % 12 + 1) for month in months]
    ahead = [friday for friday in fridays if friday.timestamp() + DAY > now]
    yield from ahead + [friday for friday in fridays if friday not in ahead]


def last_friday(year: int, month: int) -> datetime:
    """The day on which a month's dated contracts expire."""
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    last_day = following - timedelta(days=1)
    return last_day - timedelta(days=(last_day.weekday() - 4) % 7)


@lru_cache(maxsize=1)
def _perpetuals() -> tuple[Contract, ...]:
    linear = [
        Contract(f"PF_{code}USD", ASSETS[code], False, Decimal(tick), precision, limit, impact, _LISTED, None, tiers)
        for code, (tick, precision, limit, impact, tiers) in _PERPETUALS.items()
    ]
    inverse = [
        Contract(f"PI_{code}USD", ASSETS[code], True, Decimal(tick), 0, limit, 1000.0, _INVERSE_LISTED, None, _INVERSE)
        for code, (tick, limit, _) in _INVERSES.items()
    ]
    return (*linear, *inverse)


@lru_cache(maxsize=1024)
def _dated(code: str, day: datetime, *, inverse: bool) -> Contract:
    expiry = day + timedelta(hours=_INVERSE_EXPIRY_HOUR if inverse else _LINEAR_EXPIRY_HOUR)
    opening = expiry - timedelta(days=_MONTH_DAYS if day.month % 3 else _QUARTER_DAYS)
    tick, precision, limit, impact, _ = _PERPETUALS[code]
    limit, tiers = limit / 2, _DATED
    if inverse:
        tick, _, limit = _INVERSES[code]
        precision, impact, tiers = 0, 1000.0, _INVERSE
    return Contract(
        symbol=f"{'FI' if inverse else 'FF'}_{code}USD_{day:%y%m%d}",
        asset=ASSETS[code],
        inverse=inverse,
        tick=Decimal(tick),
        precision=precision,
        max_position=limit,
        impact_mid_size=impact,
        opening=opening.timestamp(),
        expiry=expiry.timestamp(),
        tiers=tiers,
    )
