"""What a reader must know about the quality of the figures, in sentences."""

from __future__ import annotations

import math

import pandas as pd

from .amounts import amount

_GAPS = {
    "booking": ("{count} whose figures do not give the change of the balance", "entry", "entries"),
    "position": ("{count} not starting at the position where the one before ended", "execution", "executions"),
    "cash leg": ("{count} without a cash leg, so that P&L and fees are not counted", "execution", "executions"),
    "position leg": ("{count} without a position leg", "execution", "executions"),
}


def estimate_notes(estimates: dict[str, str]) -> list[str]:
    """What is an estimate."""
    return [f"Estimate of {figure}: {how}." for figure, how in estimates.items()]


def entry_notes(repeated: int, unknown: pd.DataFrame, kfee_paid: int) -> list[str]:
    """Entries that are repeated, of unknown kinds, or without a leg that is not missing."""
    notes = [f"{repeated:,} repeated entries were counted once."] if repeated else []
    if len(unknown):
        kinds = ", ".join(sorted(repr(str(info)) for info in unknown["info"].unique()))
        trading = int((unknown["counted_as"] == "trading").sum())
        notes.append(
            f"{_count(len(unknown), 'entry', 'entries')} of kinds not known to this version ({kinds}): "
            f"{trading:,} that book P&L of a contract are counted as trading, "
            f"{len(unknown) - trading:,} are in the class other."
        )
    if kfee_paid:
        notes.append(
            f"{_count(kfee_paid, 'execution', 'executions')} with a position leg and no cash leg: nothing was realised "
            "and the fee was paid in KFEE."
        )
    return notes


def gap_notes(balances: pd.DataFrame, gaps: pd.DataFrame) -> list[str]:
    """What is not explained, and where something is missing."""
    notes = []
    for wallet, currency, rest, breaks in zip(
        *(balances[name] for name in ("account", "currency", "unexplained", "breaks")), strict=True
    ):
        if not math.isnan(rest) and amount(rest, currency) != amount(0.0, currency):
            notes.append(
                f"Wallet {wallet}: {amount(rest, currency)} {currency} of the change of the balance is not "
                "explained by the entries."
            )
        if breaks:
            notes.append(
                f"Wallet {wallet}, {currency}: {breaks:,} entries do not start where the entry before ended; "
                "entries are missing in between."
            )
    for gap, (text, one, many) in _GAPS.items():
        ids = gaps.loc[gaps["gap"] == gap, "id"]
        if len(ids):
            notes.append(f"{text.format(count=_count(len(ids), one, many))}; the first is {ids.iloc[0]}.")
    skipped = gaps[gaps["gap"] == "numbers"]
    if len(skipped):
        numbers = _count(int(skipped["missing"].sum()), "entry number is", "entry numbers are")
        notes.append(f"{numbers} not in the log, the first before {skipped['id'].iloc[0]}.")
    return notes


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
