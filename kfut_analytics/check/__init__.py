"""What may be wrong with keys, network, clock, versions and folders, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .. import settings
from .finding import Finding
from .keys import environment_keys, key_at_exchange
from .machine import disk, paper_exchange
from .network import exchange_reached
from .versions import jupyterlab, packages

__all__ = ["Finding", "look_at_everything"]


def look_at_everything(base_url: str = settings.LIVE_URL, *, offline: bool = False) -> Iterator[Finding]:
    """Look at everything, one thing after the other.

    Parameters
    ----------
    base_url
        Address of the exchange.
    offline
        Ask nothing of any network.

    Yields
    ------
    Finding
        What is well and what is not, as it is found.
    """
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("versions", packages),
        ("jupyterlab", jupyterlab),
        ("disk", disk),
        ("keys", environment_keys),
    ]
    if not offline:
        checks += [
            ("network", lambda: exchange_reached(base_url)),
            ("keys", lambda: key_at_exchange(base_url)),
        ]
    checks.append(("paper exchange", paper_exchange))
    for area, look in checks:
        try:
            yield from look()
        except Exception as error:  # a check that fails must not hide the others
            yield Finding.problem(area, f"the check itself failed: {type(error).__name__}: {error}", "report this")
