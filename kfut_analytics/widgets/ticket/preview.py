"""What an order would do, shown beside the fields while somebody fills them in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ...client import Client
from ...errors import OrderRefused
from ...orders import Market, examine
from .. import render
from ..panel import html, show
from ..work import Work
from .form import Form

FACTS_KEPT = 4.0
"""Seconds for which the account's figures are good enough here; a review reads them anew."""


class LivePreview:
    """A preview that follows the fields.

    Parameters
    ----------
    client, form, work
        Of the ticket.
    lock
        Guards what ``wanted`` looks at.
    wanted
        Whether the preview of an edition of the fields is to be shown; not if they have changed since.

    Attributes
    ----------
    widget
        HTML widget with it.
    """

    def __init__(
        self, client: Client, form: Form, work: Work, lock: threading.RLock, wanted: Callable[[int], bool]
    ) -> None:
        self._client, self._form, self._work = client, form, work
        self._lock, self._wanted = lock, wanted
        self._facts: Market | None = None
        self.widget = html()
        self.tell = partial(show, self.widget)

    def schedule(self, pause: float, edition: int) -> None:
        """Work it out in a moment; of several wishes the newest counts."""
        work = partial(self._work.begin, "preview", "The preview", self.tell, self._show, edition)
        self._work.later(pause, work)

    def forget(self) -> None:
        """The account's figures are others now."""
        self._facts = None

    def mark_old(self, *, old: bool) -> None:
        """Show whether it is made of an old quote."""
        (self.widget.add_class if old else self.widget.remove_class)("kfut-past")

    def _show(self, edition: int, wish: int) -> None:
        if not self._work.is_newest(wish) or not self._wanted(edition):
            return  # a newer one is waiting, or something else was done since
        if self._form.is_blank():
            self._form.complain(None)
            self.tell("")
            return
        problem: OrderRefused | None = None
        try:
            order = self._form.order()
            seen = examine(order, self._market(order.symbol), self._client.limits, self._client.spent())
            if exits := self._form.exit_prices():
                self._client.checked_exits(seen, **exits)
        except OrderRefused as refused:
            problem = refused
        with self._lock:
            if self._wanted(edition):
                label = self._form.complain(problem)
                if problem is None:
                    self.tell(render.live(seen))
                else:
                    self.tell(render.refused("This order would not be sent", problem, label))

    def _market(self, symbol: str) -> Market:
        """What an order is judged by: the account's figures of some seconds ago, the feed's quote of now."""
        facts = self._facts
        if facts is None or facts.symbol != symbol or time.monotonic() - facts.read_at > FACTS_KEPT:
            facts = self._facts = self._client.facts(symbol)
        quote = self._form.quote
        if quote is None or quote.symbol != symbol:
            return facts
        return replace(facts, ticker=quote.ticker, book=quote.book)
