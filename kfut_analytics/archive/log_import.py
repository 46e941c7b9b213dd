"""Taking in the exchange's CSV export of the account log: its entries get the numbers of those that are held."""

from __future__ import annotations

import os

import numpy as np

from ..accounting.log_csv import read_account_log_csv
from ..errors import ArgumentError
from . import layout
from .store import Store

_SERIES = layout.IMPORTED


def import_csv(store: Store, path: str | os.PathLike[str]) -> int:
    """Keep the entries of an export that are not held; the lock is held. Returns how many.

    The export has no entry numbers, but it is whole from its first entry to its last: those it has in common with the
    archive, by the id of their booking, tell the numbers of all the others.

    Raises
    ------
    ArgumentError
        If it is no export, has nothing in common with a log that is held, or does not fit to it.
    """
    frame = read_account_log_csv(path)
    if frame.empty:
        return 0
    held: dict[str | None, int] = {}
    for series in ("account_log", _SERIES):
        rows = store.table(series, None, ["id", "booking_uid"])
        held |= dict(zip(rows["booking_uid"].to_pylist(), rows["id"].to_pylist(), strict=True))
    held.pop(None, None)
    if held:
        common = frame["booking_uid"].isin(held).to_numpy()
        offsets = np.unique(np.array([held[uid] for uid in frame["booking_uid"][common]]) - frame.index[common])
        if len(offsets) != 1:
            problem = "has no entry in common with" if not len(offsets) else "is not in the order of"
            raise ArgumentError(
                f"{path} {problem} the account log that is held, so that its entries cannot be numbered: export it "
                "again, with older or newer entries"
            )
        frame.index = frame.index + int(offsets[0])
        if frame.index[0] < 1:
            raise ArgumentError(f"{path} has more entries before those that are held than there are numbers for")
        frame = frame[~frame["booking_uid"].isin(held)]
    elif store.manifest.of("account_log").spans or store.manifest.of(_SERIES).files:
        raise ArgumentError(f"{path}: the account log that is held has no ids of bookings to compare it with")
    return store.append(_SERIES, frame.rename_axis("id"), (0, 0))
