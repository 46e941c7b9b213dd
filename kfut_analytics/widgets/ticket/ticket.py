"""The order ticket: the fields, the market beside them, what the order would do, and the click that sends it.

What makes a click safe is in `session` and `send`, what is shown in `render`; `form`, `search`, `market`, `preview`,
`outcomes`, `arming` and `field` are the ticket's parts.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets

from ...client import Client
from ...errors import ArgumentError, OrderRefused
from ...orders import Order, Preview
from .. import render
from ..feed import Snapshot, Trouble, Update, feed_of
from ..panel import html, show
from ..root import Root
from ..session import REFUSALS, Permit
from ..sources import Quote
from ..work import Tell, Work, telling
from .arming import Arming
from .form import Form
from .market import MarketView
from .outcomes import Outcomes, Sent, SentBracket, SentOrder
from .preview import LivePreview
from .send import SendButton, too_late
from .style import TICKET_CSS

_log = logging.getLogger("kfut_analytics.widgets")

DEFAULT_SYMBOL = "PF_XBTUSD"

PAUSE = 0.12
"""Seconds after the last key until the preview is worked out."""

_LANES = {"preview": 1, "review": 1, "send": 8}
"""How much of a kind is done at a time. An order goes out when it is sent, whatever became of the one before."""

_USERS_LIMITS = {"order_notional", "session_notional", "daily_notional"}

_READ_ONLY = "This client is read-only. Open it with trading=True to send orders."
_NOT_ARMED = "The ticket is not armed for the live exchange. Arm it first, then review the order again."


class OrderTicket(Root):
    """A form that shows what an order would do, reviews it, and sends it, once.

    While one types, the preview beside the fields follows. *Review* takes the facts anew and permits that very order
    to be sent for some seconds. *Send* uses the permit up: a second click, one that comes too late, and one after a
    field or the market has changed are refused and say so. On the live exchange the ticket must be armed as well.
    Nothing waits for the network on the kernel's own thread, so other cells stay usable.

    Parameters
    ----------
    client
        Where orders go. Without ``trading=True`` the ticket reviews and does not send.
    symbol
        Contract to start with, ``PF_XBTUSD`` unless given.
    lifetime
        Seconds for which a review may be sent.
    panels
        Whether positions, orders, fills, the journal and the safety switches are shown below it.

    Attributes
    ----------
    form
        The fields: ``form.size``, ``form.limit_price``, …; those named like the fields of an `Order` are attributes
        of the ticket, too.
    market
        The quote and the ladder.
    arming
        Whether it may send to the live exchange.
    review_button, send_button
        The buttons. ``send_button`` is a new one after each review.
    live, review, refusal, status
        HTML widgets: the preview beside the fields, the last review, why the last click on Send was refused, and what
        became of the last order.

    Raises
    ------
    ArgumentError
        If ``client`` is not a client, or ``lifetime`` not a positive number of seconds.
    ConfigurationError
        If the kernel was started by Voilà.
    """

    def __init__(
        self, client: Client, symbol: str | None = None, *, lifetime: float = 15.0, panels: bool = True
    ) -> None:
        # First, because close() needs it, and runs even for a ticket that was refused below.
        self._work = Work("ticket", _LANES)
        if not isinstance(client, Client):
            raise ArgumentError(f"client={client!r} is not a client: open one with kfut.connect()")
        if not lifetime > 0:
            raise ArgumentError(f"lifetime={lifetime!r} is not a positive number of seconds, such as 15")
        super().__init__("order ticket")
        self._client = client
        self._lifetime = lifetime
        # Callbacks may run on any thread; this lock guards the attributes that follow.
        self._lock = threading.RLock()
        self._edition = self._sent = 0
        self._permit: Permit[Order] | None = None
        self._quotes = 0
        self._quoted = -math.inf
        self._own: Any = None

        self._symbol = (symbol or DEFAULT_SYMBOL).strip().upper()
        self.form = Form(self._symbol, self._on_change)
        self.market = MarketView(self.form.take_level)
        self.arming = Arming(client.env == "live")
        self.arming.on_change(self._on_arming)
        self._preview = LivePreview(client, self.form, self._work, self._lock, self._wants_preview)
        self.live, self.review, self.refusal = self._preview.widget, html(), html()
        self._outcomes = Outcomes()
        self.status = self._outcomes.widget
        self._panels = self._made_panels() if panels else []
        self._make_buttons()
        self.fill_with(self._arranged())
        self.add_class("kfut-ticket")
        if client.env == "live":
            self.add_class("kfut-is-live")
        self._work.begin("preview", "Reading the contracts", self._preview.tell, self._read_contracts)
        self._subscription = feed_of(client).subscribe(
            {"quote", "orders"}, self._on_update, symbol=self.form.search.symbol, presence=self.presence
        )

    def __getattr__(self, name: str) -> Any:
        # The fields are the ticket's own for whoever fills them in: ``ticket.size.value = "0.01"``.
        form = self.__dict__.get("form")
        if form is not None and name in form.fields:
            return form.fields[name]
        raise AttributeError(f"the ticket has no {name!r}")

    # ---- parts -------------------------------------------------------------------------------------------------

    def _make_buttons(self) -> None:
        self.review_button = ipywidgets.Button(
            description="Review",
            tooltip="Take the facts anew; nothing is sent",
            layout=ipywidgets.Layout(width="7em"),
        )
        self.review_button.on_click(self._on_review)
        for field in (self.form.size, self.form.limit_price, self.form.stop_price):
            field.on("enter", self._on_review)
        self._actions = ipywidgets.HBox(layout=ipywidgets.Layout(flex_flow="row wrap"))
        self._actions.add_class("kfut-actions")
        self._place_send_button(None)

    def _place_send_button(self, permit: Permit[Order] | None) -> None:
        """Put a new Send button in place.

        Each belongs to one review, so a click shows which review its maker saw: one that arrives late, after a newer
        review, cannot send the newer order. Former buttons stay open so that a late click is answered, not lost.
        """
        live = self._client.env == "live"
        button = SendButton(partial(self._on_send, permit), button_style="danger" if live else "primary")
        self.send_button = button
        if permit is None or not self._client.trading:
            self._turn_send_off()
        else:
            button.description = f"Send{' LIVE' if live else ''}: {render.brief(permit.order)}"
            button.tooltip = render.summary(permit.order)
        self._actions.children = (self.review_button, button)

    def _turn_send_off(self) -> None:
        """Make the Send button look off; what protects the order is the permit."""
        self.send_button.disabled = True
        self.send_button.description = "Send"
        self.send_button.tooltip = "Review the order first" if self._client.trading else _READ_ONLY

    def _made_panels(self) -> list[Any]:
        from ..blotter import Blotter
        from ..positions import PositionsPanel
        from ..safety import SafetyPanel

        positions = PositionsPanel(self._client, ticket=self, presence=self.presence)
        blotter = Blotter(self._client, presence=self.presence)
        return [positions, blotter, SafetyPanel(self._client, presence=self.presence)]

    def _arranged(self) -> list[Any]:
        client = self._client
        head = ipywidgets.HBox([html(render.badge(client.env, client.trading)), self.arming])
        head.add_class("kfut-ticket-head")
        form = ipywidgets.VBox([*self.form.rows(), self._actions])
        form.add_class("kfut-form")
        beside = ipywidgets.VBox([self.market, self.live, self.review, self.status, self.refusal])
        beside.add_class("kfut-shown")
        columns = ipywidgets.HBox([form, beside])
        columns.add_class("kfut-columns")
        notice = [] if client.trading else [html(render.message("note", "Send is off", _READ_ONLY))]
        style = ipywidgets.HTML(TICKET_CSS, layout=ipywidgets.Layout(display="none"))
        below = ipywidgets.VBox(self._panels)
        below.add_class("kfut-panels")
        return [style, head, *notice, columns, *([below] if self._panels else [])]

    # ---- the order ---------------------------------------------------------------------------------------------

    def order(self) -> Order:
        """The order as the fields state it.

        Raises
        ------
        OrderRefused
            If a field makes no sense by itself.
        """
        return self.form.order()

    def fill(self, **values: Any) -> None:
        """Fill in fields by the names of `Order`: ``ticket.fill(symbol="PF_ETHUSD", side="sell", size=1)``.

        Parameters
        ----------
        **values
            By field; those that are not named stay.
        """
        self.form.fill(**values)

    def wait(self, timeout: float = 30.0) -> None:
        """Wait until nothing is being read, previewed, reviewed or sent.

        Parameters
        ----------
        timeout
            Seconds at most.

        Raises
        ------
        TimeoutError
            If there is still work after ``timeout`` seconds.
        """
        self._work.wait(timeout)

    def close(self) -> None:
        """Take the ticket off the page; work that has begun is finished."""
        self._work.close()
        if hasattr(self, "_subscription"):
            self._subscription.close()
        for panel in self.__dict__.get("_panels", ()):
            panel.close()
        if "presence" in self.__dict__:  # a ticket that was refused has none, and is closed when it is forgotten
            super().close()

    def __repr__(self) -> str:
        return f"OrderTicket({self._client!r}): shown while its kernel runs"

    # ---- the market --------------------------------------------------------------------------------------------

    def _read_contracts(self) -> None:
        self.form.search.offer(self._client.instruments())
        self.form.search.show_facts()
        self.form.search.complain()

    def _on_update(self, update: Update) -> None:
        """Show what the feed brings; on the feed's thread."""
        try:
            if isinstance(update, Trouble):
                if update.topic == "quote":
                    self.market.trouble = f"no newer quote: {update.error}"
                    self._preview.mark_old(old=True)
                return
            if update.topic == "orders":
                self._own = update.data
            else:
                self._show_quote(update)
        except Exception as error:
            _log.debug("showing the market failed", exc_info=True)
            show(self.refusal, render.failure(error, "Showing the market"))

    def _show_quote(self, update: Snapshot) -> None:
        quote: Quote = update.data
        if quote.symbol != self.form.search.symbol:
            return
        own = self._own
        mine = quote.book.iloc[:0] if own is None else own[own["symbol"] == quote.symbol]
        if own is None:
            mine = mine.reindex(columns=["side", "limit_price", "stop_price", "unfilled_size"])
        self._quotes += 1
        self._quoted = time.monotonic()
        self._preview.mark_old(old=False)
        self.form.show_quote(quote)
        self.market.show(quote, self.form.tick, mine, str(self._quotes))
        self.form.search.show_facts(quote.ticker, update.time)
        if not self.form.is_blank() and self._permit is None and self._edition != self._sent:
            self._schedule(0.0)

    # ---- what the fields say -----------------------------------------------------------------------------------------

    def _on_change(self, field: str) -> None:
        with self._lock:
            self._edition += 1
            if self._permit is not None:
                self._end_review("changed")
                show(self.review, render.message("note", REFUSALS["changed"]))
        if field == "symbol":
            self._change_symbol()
        self._schedule(PAUSE)

    def _change_symbol(self) -> None:
        symbol = self.form.search.symbol
        if symbol == self._symbol:
            return  # the same in other words
        self._symbol = symbol
        self._preview.forget()
        self.form.clear_numbers()
        self.form.search.complain()
        self.market.clear()
        self.form.quote = None
        self.form.search.show_facts()
        if hasattr(self, "_subscription"):
            self._subscription.symbol = symbol

    def _schedule(self, pause: float) -> None:
        with self._lock:  # the newest wish is for the newest edition
            self._preview.schedule(pause, self._edition)

    def _wants_preview(self, edition: int) -> bool:
        return edition == self._edition and self._permit is None

    # ---- review and send ---------------------------------------------------------------------------------------

    def _on_review(self, _event: object) -> None:
        with self._lock:
            self._edition += 1
            edition = self._edition
            self._end_review("superseded")
            show(self.refusal, "")
            try:
                order = self.form.order()
            except OrderRefused as refused:
                show(self.review, render.refused("Not reviewed", refused, self.form.complain(refused)))
                return
            show(self.review, render.message("note", "Reviewing…"))
        tell = partial(show, self.review)
        self._work.begin("review", "The review", tell, self._review, order, self.form.exit_prices(), edition)

    def _review(self, stated: Order, exits: dict[str, str], edition: int) -> None:
        try:
            seen = self._client.preview(stated)
            if exits:
                self._client.checked_exits(seen, **exits)
        except OrderRefused as refused:
            show(self.review, render.refused("The review was refused", refused, self._complain(refused)))
            return
        with self._lock:
            if edition != self._edition:
                show(self.review, render.message("note", REFUSALS["changed"]))
                return
            self.form.complain(None)
            lifetime = self._lifetime if self._client.trading else None
            self._permit = Permit(seen.order, self._lifetime)
            self._reviewed = (stated, exits, seen)
            show(self.live, "")
            show(self.review, render.review(seen, lifetime, exits))
            self._place_send_button(self._permit)

    def _on_send(self, permit: Permit[Order] | None, under_way: float) -> None:
        # The permit is used here, where the click arrives: what waits on another thread may mint a permit whose review
        # the person has not seen.
        with self._lock:
            if not self._client.trading:
                show(self.refusal, render.message("note", "Not sent", _READ_ONLY))
                return
            if permit is None:
                show(self.refusal, render.message("note", "Not sent", "Review the order first."))
                return
            if not self.arming.armed:
                show(self.refusal, render.message("bad", "Not sent", _NOT_ARMED))
                return
            verdict = permit.use(permit.order if self._is_as_reviewed(permit) else None)
            reviewed = self._reviewed
            if permit is self._permit:
                self._end_review("changed")
            if verdict != "granted":
                show(self.refusal, render.message("note", "Click refused", REFUSALS[verdict]))
                return
            _, exits, seen = reviewed
            show(self.review, "")
            if past := too_late(seen, self.form.quote, self._quoted, under_way):
                show(self.refusal, render.message("note", "Click refused", past))
                return
            show(self.refusal, "")
            # What the fields say is no order to come until somebody changes it: what became of it has the place.
            self._sent = self._edition
            tell, settle = self._outcomes.begin(render.message("note", f"Sending: {render.summary(seen.order)}"))
        self._work.begin("send", "Sending", tell, self._send_order, tell, settle, seen, exits)

    def _is_as_reviewed(self, permit: Permit[Order]) -> bool:
        """Whether the fields still state the order that the permit is for."""
        if permit is not self._permit:
            return True  # then the permit itself has ended and says why
        stated, exits, _ = self._reviewed
        try:
            return self.form.order() == stated and self.form.exit_prices() == exits
        except OrderRefused:
            return False

    def _send_order(self, tell: Tell, settle: Callable[[], None], seen: Preview, exits: dict[str, str]) -> None:
        sent: Sent
        try:
            if exits:
                sent = SentBracket(self._client, self._client.bracket(seen, **exits))
            else:
                sent = SentOrder(self._client, seen.order, self._client.place(seen))
        except OrderRefused as refused:
            settle()
            self._complain(refused)
            tell(render.refused("Sending was refused", refused))
            return
        except BaseException:
            settle()
            raise
        tell(sent.page())
        feed_of(self._client).refresh("orders", "positions", "fills", "account", "journal")
        self._preview.forget()
        if sent.look():
            settle()
        else:
            follow = ("Following the order", tell, self._follow, sent, tell, settle)
            threading.Thread(target=telling, args=follow, name="kfut-follow", daemon=True).start()

    def _follow(self, sent: Sent, tell: Tell, settle: Callable[[], None]) -> None:
        """Show what becomes of an order until that is settled; others look for it and watch it."""
        while not sent.look() and not self._client.closed and threading.main_thread().is_alive():
            tell(sent.page())
            time.sleep(0.5)
        tell(sent.page())
        settle()

    def _on_arming(self) -> None:
        with self._lock:
            if not self.arming.armed and self._permit is not None:
                self._end_review("changed")
                show(self.review, render.message("note", _NOT_ARMED))
            if self.arming.armed:
                show(self.refusal, "")

    def _end_review(self, why: Any) -> None:
        if self._permit is not None:
            self._permit.void(why)
            self._permit = None
            self._turn_send_off()

    def _complain(self, refused: OrderRefused) -> str:
        """Show a refusal beside its field, and disarm where it says that a limit of the person's own is reached."""
        if refused.rule in _USERS_LIMITS:
            self.arming.disarm("a limit of yours would be exceeded")
        return self.form.complain(refused)
