"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    Attributes
    ----------
    area
        What was looked at: ``keys``, ``network``, ``clock``, ``versions``, ``jupyterlab``, ``disk`` or
        ``paper exchange``.
    state
        ``ok``, ``note`` (good to know), or ``problem``.
    what
        What was found.
    remedy
        What to do about it; empty if nothing.
    """

    area: str
    state: str
    what: str
    remedy: str = ""

    @classmethod
    def ok(cls, area: str, what: str) -> Finding:
        """All is well."""
        return cls(area, "ok", what)

    @classmethod
    def note(cls, area: str, what: str, remedy: str = "") -> Finding:
        """Something that need not be wrong."""
        return cls(area, "note", what, remedy)

    @classmethod
    def problem(cls, area: str, what: str, remedy: str) -> Finding:
        """Something that is wrong."""
        return cls(area, "problem", what, remedy)
