"""The Send button: one per review, and it knows how long a click was under way; and when a click comes too late."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ...orders import Preview
from ..sources import Quote

LATE = 3.0
"""Seconds that a click may be under way: from a busy kernel it comes later, and prices have moved on."""

UNSEEN = 10.0
"""Seconds after which prices that nobody has seen anew are too old to send an order on."""

MOVED = 0.005
"""How far the quote may move between the review and the click, as a fraction."""


class SendButton(anywidget.AnyWidget):
    """A button that tells how late each click arrives.

    Parameters
    ----------
    act
        Called with the seconds that the click was under way, on whatever thread it arrives.
    button_style
        ``primary`` or ``danger``.
    clock
        Seconds that only move forward; exchanged in tests.
    """

    _esm = Path(__file__).with_name("send.js")

    description = traitlets.Unicode("Send").tag(sync=True)
    tooltip = traitlets.Unicode("").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    button_style = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, act: Callable[[float], None], *, button_style: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._act = act
        self._clock = clock
        self._made = clock()
        super().__init__(button_style=button_style)
        self.on_msg(self._on_message)

    def click(self) -> None:
        """Click it, from Python."""
        self._act(0.0)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        shown = content.get("shown")
        if isinstance(shown, (int, float)) and shown >= 0:
            self._act(max(0.0, self._clock() - self._made - shown))
        else:  # a click that does not say since when it was possible may be of any age
            self._act(math.inf)


def too_late(seen: Preview, quote: Quote | None, quoted: float, under_way: float) -> str:
    """Why a click comes too late for what the person saw; empty if it does not.

    Parameters
    ----------
    seen
        The reviewed order.
    quote, quoted
        The newest quote on the page, and when it arrived on the monotonic clock.
    under_way
        Seconds that the click was under way.
    """
    if under_way > LATE:
        span = "for some time" if math.isinf(under_way) else f"for {under_way:.0f} s"
        return f"This click was under way {span}, because the kernel was busy. Review the order again."
    if quote is not None and quote.symbol != seen.order.symbol:
        quote = None
    age = seen.age if quote is None else min(seen.age, time.monotonic() - quoted)
    if age > UNSEEN:
        return f"There was no newer quote for {age:.0f} s: the connection may be lost. Review the order again."
    if quote is not None:
        then = (seen.bid + seen.ask) / 2
        now = (float(quote.ticker["bid"]) + float(quote.ticker["ask"])) / 2
        if abs(now / then - 1) > MOVED:
            return "The market has moved by more than half a percent since the review. Review the order again."
    return ""
