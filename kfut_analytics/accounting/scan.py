"""Recurrences over millions of rows: an affine scan in blocks, average entry prices by it; sizes in whole steps."""

from __future__ import annotations

import numpy as np

from .labels import Bools, Floats, Ints, sums

_BLOCK = 256
_DIGITS = 10
_LARGEST = 2.0**62


def affine_scan(factor: Floats, added: Floats) -> Floats:
    """``x[k] = factor[k] × x[k − 1] + added[k]``, from 0.

    Blocks side by side are scanned together, one step of all of them at a time; the last values of the blocks are a
    scan of the same kind, 256 times shorter. A factor of 0 starts anew.
    """
    length = len(factor)
    blocks = -(-length // _BLOCK)
    factors, sums = (_in_blocks(values, blocks) for values in (factor, added))
    for step in range(1, _BLOCK):
        sums[step] += factors[step] * sums[step - 1]
        factors[step] *= factors[step - 1]
    if blocks > 1:
        ends = affine_scan(factors[-1], sums[-1])
        sums[:, 1:] += factors[:, 1:] * ends[:-1]
    return np.ascontiguousarray(sums.T).reshape(-1)[:length]


def _in_blocks(values: Floats, blocks: int) -> Floats:
    padded = np.zeros(blocks * _BLOCK)
    padded[: len(values)] = values
    return np.ascontiguousarray(padded.reshape(blocks, _BLOCK).T)


def unit_price(price: Floats, inverse: Bools) -> Floats:
    """The price in whose terms P&L is linear: itself, or minus its reciprocal for inverse contracts.

    ``size × (unit price of exit − unit price of entry)`` is the P&L of either kind, the average of unit prices is
    the average entry (arithmetic for linear, harmonic for inverse contracts), and the function undoes itself.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(inverse, -1.0 / price, price)


def average_entry(before: Floats, after: Floats, price: Floats, known: Floats, inverse: Bools) -> Floats:
    """Average entry price after each part of positions that follow one another.

    Increases average it, reductions leave it, and a position that opens from flat starts anew.

    Parameters
    ----------
    before, after
        Signed position; a part never passes zero.
    price
        Of the execution.
    known
        Entry price after the part where it is known from elsewhere, such as for a position that was there before the
        first part; missing where it is not.
    inverse
        Whether the contract is inverse.

    Returns
    -------
    ndarray
        Missing where the position is flat.
    """
    grows = np.abs(after) > np.abs(before)
    weight = np.divide(after - before, after, out=np.zeros(len(after)), where=grows)
    unit = np.where(grows, unit_price(price, inverse), 0.0)
    given = ~np.isnan(known)
    weight[given], unit[given] = 1.0, unit_price(known[given], inverse[given])
    entry = unit_price(affine_scan(1.0 - weight, weight * unit), inverse)
    entry[after == 0] = np.nan
    return entry


def steps_per_unit(sizes: Floats, owner: Ints, owners: int) -> Floats:
    """For each owner of sizes the smallest power of ten by which all its sizes become whole numbers.

    Exchanges trade in decimal steps; as whole numbers, sizes add up without rounding. Sizes finer than ten decimals,
    or so large that their sums would not fit, are taken as multiples of the finest step that does.
    """
    scale = np.ones(owners)
    volume = sums(owner, np.abs(sizes), owners) + 1.0
    for _ in range(_DIGITS):
        steps = sizes * scale[owner]
        off = np.abs(steps - np.rint(steps)) > np.maximum(1e-6, 4 * np.spacing(np.abs(steps)))
        rough = np.bincount(owner[off], minlength=owners) > 0
        if not rough.any():
            break
        scale[rough] *= 10
        sizes, owner = sizes[rough[owner]], owner[rough[owner]]
    while (volume * scale).sum() > _LARGEST:
        scale[np.argmax(volume * scale)] /= 10
    return scale
