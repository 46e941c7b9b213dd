"""What is listed at a time."""

from datetime import UTC, datetime

import numpy as np
import pytest

from kfut_analytics.paper.clock import DAY, HOUR, iso
from kfut_analytics.paper.market.instruments import INVERSE_WALLETS, last_friday, listing

from .conftest import NOW


def at(day):
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def dated(day, prefix="FI_XBTUSD", *, expired=False):
    now = at(day)
    return {
        symbol.rpartition("_")[2]: contract.tag(now)
        for symbol, contract in listing(now).items()
        if symbol.startswith(prefix) and contract.expiry is not None and (contract.expiry <= now) == expired
    }


@pytest.mark.parametrize(
    ("month", "friday"),
    [((2026, 12), "2026-12-25"), ((2027, 3), "2027-03-26"), ((2024, 2), "2024-02-23"), ((2026, 7), "2026-07-31")],
)
def test_dated_contracts_end_on_last_fridays(month, friday):
    assert last_friday(*month).date().isoformat() == friday


def test_months_and_quarters_are_listed_before_they_expire():
    assert dated("2026-11-22") == {
        "261127": "month",
        "261225": "quarter",
        "270326": "semiannual",
        "270625": "semiannual",
    }
    assert dated("2026-11-28") == {
        "261225": "quarter",
        "270129": "month",
        "270326": "semiannual",
        "270625": "semiannual",
    }
    assert set(dated("2026-11-22", expired=True)) == {"260731", "260828", "260925", "261030"}
    assert dated("2026-11-22", "FF_ETHUSD") == dated("2026-11-22")
    assert dated("2026-11-22", "FI_LTCUSD") == {}


def test_a_contract_is_the_same_as_long_as_it_is_listed():
    seen = {}
    for now in np.arange(at("2025-12-01"), at("2027-01-15"), 6 * HOUR):
        for symbol, contract in listing(now).items():
            assert seen.setdefault(symbol, contract) is contract
            assert contract.opening <= now
            assert contract.expiry is None or now < contract.expiry + 120 * DAY
    assert listing(now) is not listing(now)


def test_every_day_has_a_month_and_three_quarters():
    for now in np.arange(at("2023-01-01"), at("2035-01-01"), DAY) + 12 * HOUR:
        tags = [c.tag(now) for s, c in listing(now).items() if s.startswith("FF_XBTUSD") and c.expiry > now]
        assert "month" in tags
        assert len(tags) - tags.count("month") in (2, 3)


def test_every_kind_with_its_wallet():
    contracts = listing(NOW)
    assert {symbol[:2] for symbol in contracts} == {"PF", "PI", "FF", "FI"}
    assert sum(symbol.startswith("PF_") for symbol in contracts) == 14
    assert {s for s in contracts if s.startswith("PI_")} == {f"PI_{code}USD" for code in ("XBT", "ETH", "LTC", "XRP")}
    for contract in contracts.values():
        assert contract.wallet == (f"fi_{contract.asset.code.lower()}usd" if contract.inverse else "flex")
        assert not contract.inverse or INVERSE_WALLETS[contract.wallet] == contract.currency
    assert iso(contracts["FF_XBTUSD_261225"].expiry) == "2026-12-25T08:00:00.000Z"
    assert iso(contracts["FI_XBTUSD_261225"].expiry) == "2026-12-25T16:00:00.000Z"
    assert iso(contracts["FF_XBTUSD_261225"].opening) == "2026-05-22T08:00:00.000Z"
    # A size that comes in thousands, a price in tenths of a billionth.
    assert (contracts["PF_PEPEUSD"].step, str(contracts["PF_PEPEUSD"].tick)) == (1000, "1E-10")
