"""What is traded on the paper exchange: nine assets and contracts of every kind on them.

Kinds, ticks, steps and margin schedules follow the live listing of September 2026 (api-facts 3A and 6.7); the
start prices are the ones the market opens with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from kfut_analytics.contracts import MarginTier, size_step

MIN_DAYS_TO_EXPIRY = 20
FUNDING_RATE_COEFFICIENT = 8
MAX_RELATIVE_FUNDING_RATE = 0.005


@dataclass(frozen=True, slots=True)
class Asset:
    """An underlying and how its price behaves.

    Attributes
    ----------
    code
        The code inside symbols and wallet names (``XBT``).
    base
        The code in instrument and ticker pairs (``BTC``).
    price
        Index price in USD at the moment the exchange opens.
    volatility
        Standard deviation of yearly log returns.
    correlation
        Correlation with the common factor of all assets.
    turnover
        Typical USD traded per day in the perpetual; depth and volume scale with it.
    """

    code: str
    base: str
    price: float
    volatility: float
    correlation: float
    turnover: float
    category: str


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
    )
}


@dataclass(frozen=True, slots=True)
class Contract:
    """One instrument.

    Attributes
    ----------
    precision
        The exchange's ``contractValueTradePrecision``: decimals of a size.
    expiry
        Last trading time of a dated contract, ``None`` for a perpetual.
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

    @property
    def tag(self) -> str:
        """The ticker's ``tag``."""
        return "perpetual" if self.expiry is None else "quarter"


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
}
_LISTED = datetime(2022, 3, 22, 13, 15, 36, tzinfo=UTC).timestamp()
_INVERSE_LISTED = datetime(2018, 8, 31, tzinfo=UTC).timestamp()


def quarter_end(now: float) -> datetime:
    """Day on which the listed quarter expires: the last Friday of a quarter month, at least 20 days ahead."""
    today = datetime.fromtimestamp(now, tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    year, month = today.year, 3 * ((today.month - 1) // 3) + 3
    while True:
        following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        last_day = following - timedelta(days=1)
        friday = last_day - timedelta(days=(last_day.weekday() - 4) % 7)
        if friday - today >= timedelta(days=MIN_DAYS_TO_EXPIRY):
            return friday
        year, month = (year + 1, 3) if month == 12 else (year, month + 3)


def listing(now: float) -> dict[str, Contract]:
    """Every contract listed at a time, by symbol."""
    day = quarter_end(now)
    suffix = day.strftime("%y%m%d")
    # Seven months before expiry, so that a history of 90 days can trade it from its beginning.
    opened = (day - timedelta(days=217)).timestamp()
    contracts: list[Contract] = []

    def add(
        symbol: str,
        code: str,
        tick: str,
        precision: int,
        limit: float,
        impact: float,
        tiers: Sequence[MarginTier],
        opening: float,
        expiry: float | None = None,
    ) -> None:
        inverse = symbol.startswith(("PI_", "FI_"))
        contracts.append(
            Contract(
                symbol, ASSETS[code], inverse, Decimal(tick), precision, limit, impact, opening, expiry, tuple(tiers)
            )
        )

    for code, (tick, precision, limit, impact, tiers) in _PERPETUALS.items():
        add(f"PF_{code}USD", code, tick, precision, limit, impact, tiers, _LISTED)
    for code, tick, precision in (("XBT", "1", 4), ("ETH", "0.1", 3)):
        inverse_tick = "0.5" if code == "XBT" else "0.05"
        _, _, limit, impact, _ = _PERPETUALS[code]
        ends = (day.replace(hour=8).timestamp(), day.replace(hour=16).timestamp())
        add(f"FF_{code}USD_{suffix}", code, tick, precision, limit / 2, impact, _DATED, opened, ends[0])
        add(f"PI_{code}USD", code, inverse_tick, 0, 75e6, 1000.0, _INVERSE, _INVERSE_LISTED)
        add(f"FI_{code}USD_{suffix}", code, inverse_tick, 0, 40e6, 1000.0, _INVERSE, opened, ends[1])
    return {contract.symbol: contract for contract in contracts}
