"""P&L from fills alone equals that of an independent library, nautilus_trader, fill by fill.

It needs other pandas than this package, so it runs in an environment of its own, whose interpreter is named by
``KFUT_NAUTILUS_PYTHON``. Its definitions agree but for one: it averages the entries of inverse contracts
arithmetically, while the exchange does so harmonically (a recorded row shows it). Inverse contracts are therefore
compared where nothing is averaged, and where everything is, as linear ones in the reciprocal of the price.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kfut_analytics as kfut

FILLS = 10_000
SCRIPT = Path(__file__).with_name("nautilus_position.py")


def by_nautilus(cases: list[dict]) -> list[np.ndarray]:
    python = os.environ.get("KFUT_NAUTILUS_PYTHON")
    if not python:
        pytest.skip("no environment with nautilus_trader is named (KFUT_NAUTILUS_PYTHON)")
    done = subprocess.run([python, SCRIPT], input=json.dumps(cases), capture_output=True, text=True, check=True)
    return [np.array(realized) for realized in json.loads(done.stdout)]


def by_us(symbol: str, fills: list[tuple[float, float]]) -> np.ndarray:
    sizes, prices = np.array(fills).T
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2026-11-01", periods=len(fills), freq="s", tz="UTC"),
            "symbol": symbol,
            "side": np.where(sizes > 0, "buy", "sell"),
            "size": np.abs(sizes),
            "price": prices,
        },
        index=pd.Index([f"fill-{number}" for number in range(len(fills))], name="fill_id"),
    )
    return kfut.pnl(frame).log["realized_pnl"].to_numpy()[1::2]


def random_fills(seed: int, *, unit: float, averaged: bool) -> list[tuple[float, float]]:
    """Sizes of either sign at a wandering price; without averaging a position is never increased."""
    chance = np.random.default_rng(seed)
    prices = np.round(60_000 * np.exp(np.cumsum(chance.normal(0, 1e-3, FILLS))) * 2) / 2
    fills, held = [], 0
    for price in prices:
        size = int(chance.integers(1, 200)) * int(chance.choice([-1, 1]))
        if chance.random() < 0.2 and held:
            size = -held  # flat again
        elif not averaged and held:
            size = -int(np.sign(held)) * abs(size)
        held += size
        fills.append((round(size * unit, 4), float(price)))
    return fills


def test_linear():
    fills = random_fills(1, unit=0.001, averaged=True)
    (expected,) = by_nautilus([{"inverse": False, "fills": fills}])
    found = by_us("PF_XBTUSD", fills)
    assert np.count_nonzero(expected) > FILLS / 4
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=3e-8)  # it rounds the sum to eight decimals


def test_inverse_without_averaging():
    fills = random_fills(2, unit=10.0, averaged=False)
    (expected,) = by_nautilus([{"inverse": True, "fills": fills}])
    found = by_us("PI_XBTUSD", fills)
    assert np.count_nonzero(expected) > FILLS / 4
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-8)


def test_inverse_as_linear_in_the_reciprocal_price():
    fills = random_fills(3, unit=1000.0, averaged=True)
    (expected,) = by_nautilus([{"inverse": False, "fills": [(-size, 1 / price) for size, price in fills]}])
    found = by_us("PI_XBTUSD", fills)
    assert np.count_nonzero(expected) > FILLS / 4
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=3e-8)
