"""The order ticket: widgets around a client. What makes a click safe is in `session`, what is shown in `render`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import partial
from typing import Any

import ipywidgets

from ..client import Client
from ..errors import ArgumentError, OrderRefused
from ..orders import LIMIT_TYPES, ORDER_TYPES, TRIGGER_TYPES, Order
from ..times import utc_now
from . import render
from .session import REFUSALS, Permit
from .style import CSS
from .ticket_style import TICKET_CSS

_log = logging.getLogger("kfut_analytics.widgets")

DEFAULT_SYMBOL = "PF_XBTUSD"

_WIDE = {"description_width": "5.5em"}


class OrderTicket(ipywidgets.VBox):  # type: ignore[misc]
    """A form that reviews an order and then sends it, once. Shown by the notebook cell that ends with it.

    *Review* estimates what the order would do (`Client.preview`) and permits it to be sent for some seconds. *Send*
    uses that permit up: a second click, a click that comes too late, and a click after any field has changed are
    refused and say so. Requests run on a thread of the ticket's own, one after the other, so other cells stay usable.

    Parameters
    ----------
    client
        Where orders go. Without ``trading=True`` the ticket reviews and does not send.
    symbol
        Contract to start with, ``PF_XBTUSD`` unless given.
    lifetime
        Seconds for which a review may be sent.

    Attributes
    ----------
    symbol, side, order_type, size, limit_price, stop_price, trigger_signal, reduce_only
        The fields, as widgets.
    refresh_button, review_button, send_button
        The buttons. ``send_button`` is a new one after each review.
    quote, review, refusal, status
        HTML widgets: the quote, the last review, why the last click on Send was refused, and what became of the
        last order.
    problems
        Field name to the HTML widget that says what is wrong with it, empty if nothing is.

    Raises
    ------
    ArgumentError
        If ``lifetime`` is not a positive number of seconds.
    """

    def __init__(self, client: Client, symbol: str | None = None, *, lifetime: float = 15.0) -> None:
        # First, because close() needs it, and runs even for a ticket that was refused below.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kfut-ticket")
        if not lifetime > 0:
            raise ArgumentError(f"lifetime={lifetime!r} is not a positive number of seconds, such as 15")
        self._client = client
        self._lifetime = lifetime
        # Callbacks may run on any thread; this lock guards the attributes that follow.
        self._lock = threading.RLock()
        self._edition = 0
        self._permit: Permit[Order] | None = None
        self._pending: list[Future[None]] = []

        self._make_fields((symbol or DEFAULT_SYMBOL).strip().upper())
        self._make_buttons()
        self.quote = _html()
        self.review = _html()
        self.refusal = _html()
        self.status = _html()
        super().__init__(children=self._arranged())
        self.add_class("kfut")
        self.add_class("kfut-ticket")
        if client.env == "live":
            self.add_class("kfut-is-live")
        self._show_needed_fields()
        self._submit("Reading the contracts", self.quote, self._read_contracts)

    # ---- parts -------------------------------------------------------------------------------------------------

    def _make_fields(self, symbol: str) -> None:
        self.symbol = ipywidgets.Combobox(
            value=symbol,
            description="Contract",
            placeholder="type to search",
            # A contract is asked for when it is whole, not with every key.
            continuous_update=False,
            style=_WIDE,
            layout=_full(),
        )
        self.side = ipywidgets.ToggleButtons(
            options=[("Buy", "buy"), ("Sell", "sell")],
            description="Side",
            tooltips=["Buy contracts", "Sell contracts"],
            style={**_WIDE, "button_width": "6em"},
            layout=_full(),
        )
        self.order_type = ipywidgets.Dropdown(
            options=[(name, kind) for kind, name in ORDER_TYPES.items()],
            description="Type",
            style=_WIDE,
            layout=_full(),
        )
        # Numbers are text, so that what is typed is what is sent.
        self.size = _text("Size", "Size in contracts", placeholder="contracts")
        self.limit_price = _text("Limit price", "Limit price in the quote currency")
        self.stop_price = _text("Stop price", "Price that triggers the order", placeholder="quote currency")
        self.trigger_signal = ipywidgets.Dropdown(
            options=["mark", "index", "last"],
            description="Trigger by",
            tooltip="Price that is compared with the stop price",
            style=_WIDE,
            layout=_full(),
        )
        self.reduce_only = ipywidgets.Checkbox(
            description="Reduce-only",
            tooltip="The order may only make a position smaller",
            indent=False,
            layout=_full(),
        )
        fields = {
            "symbol": self.symbol,
            "side": self.side,
            "order_type": self.order_type,
            "size": self.size,
            "limit_price": self.limit_price,
            "stop_price": self.stop_price,
            "trigger_signal": self.trigger_signal,
            "reduce_only": self.reduce_only,
        }
        self.problems = {name: _html() for name in fields}
        self._rows = {}
        for name, field in fields.items():
            field.observe(partial(self._on_change, name), names="value")
            self._rows[name] = ipywidgets.VBox([field, self.problems[name]], layout=_full())
            self._rows[name].add_class("kfut-field")
        self.symbol.observe(self._on_refresh, names="value")
        self.order_type.observe(self._show_needed_fields, names="value")

    def _make_buttons(self) -> None:
        self.refresh_button = ipywidgets.Button(
            description="Refresh",
            icon="refresh",
            tooltip="Read the quote again",
            layout=_layout(width="auto", flex="0 0 auto", margin="2px 0 2px 16px"),
        )
        self.refresh_button.on_click(self._on_refresh)
        self.review_button = ipywidgets.Button(
            description="Review",
            tooltip="Estimate what the order would do; nothing is sent",
            layout=_layout(width="7em"),
        )
        self.review_button.on_click(self._on_review)
        self._actions = ipywidgets.HBox(layout=_layout(flex_flow="row wrap"))
        self._actions.add_class("kfut-actions")
        self._place_send_button(None)

    def _place_send_button(self, permit: Permit[Order] | None) -> None:
        """Put a new Send button in place.

        Each belongs to one review, so a click shows which review its maker saw: one that arrives late, after a newer
        review, cannot send the newer order. Former buttons stay open so that a late click is answered, not lost.
        """
        live = self._client.env == "live"
        button = ipywidgets.Button(button_style="danger" if live else "primary", layout=_layout(width="auto"))
        button.on_click(partial(self._on_send, permit))
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

    def _arranged(self) -> list[Any]:
        client = self._client
        quote = ipywidgets.HBox([self.quote, self.refresh_button], layout=_layout(align_items="center"))
        head = ipywidgets.HBox(
            [_html(render.badge(client.env, client.trading)), quote],
            layout=_layout(flex_flow="row wrap", align_items="center", justify_content="space-between"),
        )
        column = {"flex": "1 1 20em", "min_width": "0"}
        form = ipywidgets.VBox([*self._rows.values(), self._actions], layout=_layout(**column))
        form.add_class("kfut-form")
        shown = ipywidgets.VBox([self.review, self.status, self.refusal], layout=_layout(**column))
        shown.add_class("kfut-shown")
        columns = ipywidgets.HBox([form, shown], layout=_layout(flex_flow="row wrap"))
        columns.add_class("kfut-columns")
        notice = [] if client.trading else [_html(render.message("note", "Send is off", _READ_ONLY))]
        return [ipywidgets.HTML(CSS + TICKET_CSS, layout=_layout(display="none")), head, *notice, columns]

    def _show_needed_fields(self, _change: object = None) -> None:
        kind = self.order_type.value
        needed = {
            "limit_price": kind in LIMIT_TYPES | TRIGGER_TYPES,
            "stop_price": kind in TRIGGER_TYPES,
            "trigger_signal": kind in TRIGGER_TYPES,
        }
        for name, shown in needed.items():
            self._rows[name].layout.display = None if shown else "none"
        self.limit_price.placeholder = "optional; market without" if kind in TRIGGER_TYPES else "quote currency"

    # ---- the order ---------------------------------------------------------------------------------------------

    def order(self) -> Order:
        """The order as the fields state it; fields that its type does not need are left out.

        Raises
        ------
        OrderRefused
            If a field makes no sense by itself.
        """
        kind = self.order_type.value
        trigger = kind in TRIGGER_TYPES
        return Order(
            self.symbol.value,
            self.side.value,
            self.size.value.strip(),
            limit_price=(self.limit_price.value.strip() or None) if kind != "mkt" else None,
            order_type=kind,
            stop_price=(self.stop_price.value.strip() or None) if trigger else None,
            trigger_signal=self.trigger_signal.value if trigger else None,
            reduce_only=self.reduce_only.value,
        )

    def wait(self, timeout: float = 30.0) -> None:
        """Wait until nothing is being read, reviewed or sent.

        Raises
        ------
        TimeoutError
            If there is still work after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while pending := self._unfinished():
            if wait_for(pending, timeout=max(0.0, deadline - time.monotonic())).not_done:
                raise TimeoutError(f"the ticket is still at work after {timeout:g} s")

    def close(self) -> None:
        """Take the ticket off the page; work that has begun is finished."""
        self._worker.shutdown(wait=False)
        super().close()

    def __repr__(self) -> str:
        return f"OrderTicket({self._client!r}): shown while its kernel runs"

    # ---- what clicks and changes do ----------------------------------------------------------------------------

    def _on_change(self, field: str, _change: object) -> None:
        with self._lock:
            self._edition += 1
            _show(self.problems[field], "")
            if self._permit is not None:
                self._end_review("changed")
                _show(self.review, render.message("note", REFUSALS["changed"]))

    def _on_refresh(self, _event: object) -> None:
        _show(self.quote, render.reading())
        self._submit("Reading the quote", self.quote, self._read_quote)

    def _on_review(self, _button: object) -> None:
        with self._lock:
            self._edition += 1
            edition = self._edition
            self._end_review("superseded")
            for shown in (self.refusal, *self.problems.values()):
                _show(shown, "")
            try:
                order = self.order()
            except OrderRefused as refused:
                self._show_problem(refused, self.review, "Not reviewed")
                return
            _show(self.review, render.message("note", "Reviewing…"))
        self._submit("The review", self.review, self._preview, order, edition)

    def _on_send(self, permit: Permit[Order] | None, _button: object) -> None:
        # The permit is used here, where the click arrives, and not on the worker: work that waits there may mint a
        # permit whose review the person has not seen.
        with self._lock:
            if not self._client.trading:
                _show(self.refusal, render.message("note", "Not sent", _READ_ONLY))
                return
            if permit is None:
                _show(self.refusal, render.message("note", "Not sent", "Review the order first."))
                return
            try:
                order = self.order()
            except OrderRefused:
                order = None
            verdict = permit.use(order)
            if permit is self._permit:
                self._end_review("changed")
            if verdict != "granted":
                _show(self.refusal, render.message("note", "Click refused", REFUSALS[verdict]))
                return
            _show(self.review, "")
            _show(self.status, render.message("note", f"Sending: {render.summary(permit.order)}"))
        self._submit("Sending", self.status, self._place, permit.order)

    def _end_review(self, why: Any) -> None:
        if self._permit is not None:
            self._permit.void(why)
            self._permit = None
            self._turn_send_off()

    # ---- work on the ticket's own thread -----------------------------------------------------------------------

    def _submit(self, doing: str, shown: Any, work: Callable[..., None], *args: object) -> None:
        with self._lock:
            try:
                self._pending = [*self._unfinished(), self._worker.submit(self._run, doing, shown, work, *args)]
            except RuntimeError as error:
                _show(shown, render.failure(error, doing))

    def _unfinished(self) -> list[Future[None]]:
        with self._lock:
            return [work for work in self._pending if not work.done()]

    def _run(self, doing: str, shown: Any, work: Callable[..., None], *args: object) -> None:
        try:
            work(*args)
        except OrderRefused as refused:
            self._show_problem(refused, shown, f"{doing} was refused")
        except Exception as error:
            # An exception in a callback is seen by nobody: whatever it is, it belongs on the page.
            _log.debug("%s failed", doing, exc_info=True)
            _show(shown, render.failure(error, doing))

    def _read_contracts(self) -> None:
        instruments = self._client.instruments()
        open_now = instruments[~instruments["is_expired"].fillna(value=False).astype(bool)]
        self.symbol.options = tuple(sorted(str(symbol) for symbol in open_now.index))
        self._read_quote()

    def _read_quote(self) -> None:
        symbol = self.symbol.value.strip().upper()
        tickers = self._client.tickers()
        if symbol in tickers.index:
            _show(self.quote, render.quote(symbol, tickers.loc[symbol], utc_now()))
        else:
            _show(self.quote, render.problem(f"no quote: there is no contract {symbol!r}"))

    def _preview(self, order: Order, edition: int) -> None:
        preview = self._client.preview(order)
        with self._lock:
            if edition != self._edition:
                _show(self.review, render.message("note", REFUSALS["changed"]))
                return
            lifetime = self._lifetime if self._client.trading else None
            self._permit = Permit(order, self._lifetime)
            _show(self.review, render.review(preview, lifetime))
            self._place_send_button(self._permit)

    def _place(self, order: Order) -> None:
        result = self._client.place(order)
        _show(self.status, render.outcome(order, result, utc_now()))

    def _show_problem(self, refused: OrderRefused, shown: Any, title: str) -> None:
        beside = self.problems.get(refused.field)
        if beside is not None:
            _show(beside, render.problem(str(refused)))
        _show(shown, render.message("bad", title, str(refused) if beside is None else "Mend the marked field."))


_READ_ONLY = "This client is read-only. Open it with trading=True to send orders."


def _layout(**values: Any) -> Any:
    return ipywidgets.Layout(**values)


def _full() -> Any:
    # A Layout is a widget with state of its own: every widget gets one.
    return _layout(width="100%", min_width="0")


def _text(description: str, tooltip: str, placeholder: str = "") -> Any:
    return ipywidgets.Text(
        description=description, tooltip=tooltip, placeholder=placeholder, style=_WIDE, layout=_full()
    )


def _html(text: str = "") -> Any:
    widget = ipywidgets.HTML()
    _show(widget, text)
    return widget


def _show(widget: Any, text: str) -> None:
    """Set an HTML widget's text; an empty one takes no room."""
    widget.value = text
    widget.layout.display = None if text else "none"
