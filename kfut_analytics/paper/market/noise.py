"""Random numbers that belong to a place in time: the same for the same seed and place, whenever they are asked for."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from kfut_analytics.paper.market.protocol import Floats

T = TypeVar("T")
Waves = tuple[tuple[float, float], ...]
"""Periods in seconds and the standard deviation that each of them brings."""

# A straight line between two independent numbers varies less than they do.
_MEAN_VARIANCE = 2 / 3


def stable_hash(seed: int, text: str) -> int:
    """A number from a seed and a name, the same in every process."""
    return zlib.crc32(text.encode()) * 1_000_003 + seed


def uniform(key: int, counter: NDArray[np.int64]) -> Floats:
    """Random numbers in (0, 1), one per counter, the same for the same key and counter (splitmix64)."""
    z = counter.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key & 0xFFFFFFFFFFFFFFFF)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    result: Floats = ((z >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return result


def normal(key: int, counter: NDArray[np.int64]) -> Floats:
    """Standard normal numbers, one per counter (Box and Muller)."""
    radius = np.sqrt(-2 * np.log(uniform(key, 2 * counter)))
    result: Floats = radius * np.cos(2 * np.pi * uniform(key, 2 * counter + 1))
    return result


def wander(key: int, t: NDArray[Any], waves: Waves) -> Floats:
    """A path that wanders around 0: per wave straight lines between random numbers one period apart."""
    total = np.zeros(np.shape(t))
    for number, (period, deviation) in enumerate(waves):
        place = np.asarray(t) / period
        first = int(np.floor(place.min())) if place.size else 0
        last = int(np.floor(place.max())) if place.size else 0
        nodes = normal(key + 7919 * number, np.arange(first, last + 2, dtype=np.int64))
        below = np.floor(place).astype(np.int64) - first
        share = place - np.floor(place)
        total += deviation / np.sqrt(_MEAN_VARIANCE) * (nodes[below] * (1 - share) + nodes[below + 1] * share)
    return total


def stretch(nodes: Floats, factor: int) -> Floats:
    """Straight lines between nodes, ``factor`` steps each; ends with the last node."""
    share = np.arange(factor) / factor
    lines = nodes[:-1, None] + np.diff(nodes)[:, None] * share
    return np.append(lines.ravel(), nodes[-1])


class Cache(Generic[T]):
    """What was computed last, up to a number of items; used by several threads.

    Parameters
    ----------
    size
        How many items are kept; the one that was not asked for longest goes first.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._items: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The item of a key, made if it is not there."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key]
        # Made without the lock: two threads may make the same item, which is equal.
        item = make()
        with self._lock:
            self._items[key] = item
            if len(self._items) > self.size:
                self._items.popitem(last=False)
        return item
