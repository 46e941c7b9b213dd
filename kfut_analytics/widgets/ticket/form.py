"""The fields in which an order is stated, and the order that they state."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import ipywidgets

from ...contracts import plain, round_to_step, to_decimal
from ...errors import OrderRefused
from ...orders import LIMIT_TYPES, ORDER_TYPES, STOP_PRICE_TYPES, TRIGGER_TYPES, Order
from ..sources import Quote
from .field import NumberField
from .market import price_text
from .search import ContractSearch
from .toggle import Toggle

SIZE_MODES = [("contracts", "contracts"), ("value", "notional"), ("% of margin", "share")]
_DISTANCES = [("percent", "percent"), ("quote currency", "quote")]
SHARES = ("25", "50", "75", "100")

_WIDE = {"description_width": "6.5em"}
_OF_FIELD = {"notional": "size", "margin_share": "size", "limit_offset_unit": "limit_offset", "time_to_live": "size",
             "trailing_unit": "trailing_deviation", "stop": "stop_loss", "cli_ord_id": "size"}  # fmt: skip
"""Fields of an order that another field of the form stands for."""


class Form:
    """The fields of a ticket.

    Parameters
    ----------
    symbol
        Contract to begin with.
    on_change
        Called with the name of a field whenever what it says has changed.

    Attributes
    ----------
    search
        The contract search; the others are the fields by the names of `Order`, and ``size_mode``, ``post_only``,
        ``take_profit`` and ``stop_loss``.
    """

    def __init__(self, symbol: str, on_change: Callable[[str], None]) -> None:
        self.quote: Quote | None = None
        self.search = ContractSearch(symbol)
        self.symbol = self.search.field
        self.side = Toggle("Side", [("buy", "Buy", "Buy contracts"), ("sell", "Sell", "Sell contracts")])
        # Post-only is a choice beside the limit order that it belongs to, not a type of its own.
        self.order_type = _choice("Type", [(name, kind) for kind, name in ORDER_TYPES.items() if kind != "post"])
        self.size = NumberField("Size", placeholder="contracts")
        self.size_mode = _choice("in", SIZE_MODES, "What the size is stated in")
        self.limit_price = NumberField("Limit price", placeholder="quote currency", steps=True)
        self.stop_price = NumberField("Stop price", placeholder="quote currency", steps=True)
        self.trigger_signal = _choice(
            "Trigger by", [("mark price", "mark"), ("index price", "index"), ("last price", "last")]
        )
        self.trailing_deviation = NumberField("Trails by", placeholder="distance")
        self.trailing_unit = _choice("in", _DISTANCES, "What the distance is stated in")
        self.limit_offset = NumberField("Limit offset", placeholder="none: then market")
        self.limit_offset_unit = _choice("in", _DISTANCES, "What the offset is stated in")
        self.reduce_only = _check("Reduce-only", "The order may only make a position smaller")
        self.post_only = _check("Post-only", "The order is refused where it would execute at once")
        self.take_profit = NumberField("Take-profit", placeholder="none", steps=True)
        self.stop_loss = NumberField("Stop-loss", placeholder="none", steps=True)
        self.size.chips = [[share, f"{share} %", f"{share} % of what the available margin allows"] for share in SHARES]
        self.limit_price.chips = _chips("", "")
        self.fields: dict[str, Any] = {
            name: field
            for name, field in vars(self).items()
            if isinstance(field, ipywidgets.DOMWidget) and name != "search"
        }
        for name, field in self.fields.items():
            field.observe(lambda _change, name=name: on_change(name), names="value")
        self.exits = _check("Attach take-profit and stop-loss", "Orders that close the position, placed as it fills")
        self.exits.observe(self._show_exits, names="value")
        for field in (self.take_profit, self.stop_loss):
            field.observe(self._attach, names="value")
        self.order_type.observe(self._show_needed, names="value")
        self.size_mode.observe(self._show_unit, names="value")
        self.size.on("chip", self._take_share)
        self.limit_price.on("chip", self._take_price)
        for field in (self.limit_price, self.stop_price, self.take_profit, self.stop_loss):
            field.on("step", partial(self.step, field))
        self._show_needed()
        self._show_exits()

    def rows(self) -> list[Any]:
        """The widgets in their order on the page."""
        return [
            self.search,
            self.side,
            self.order_type,
            _row(self.size, self.size_mode),
            self.limit_price,
            self.stop_price,
            self.trigger_signal,
            _row(self.trailing_deviation, self.trailing_unit),
            _row(self.limit_offset, self.limit_offset_unit),
            _row(self.reduce_only, self.post_only),
            _row(self.exits),
            self.take_profit,
            self.stop_loss,
        ]

    # ---- what the fields say -----------------------------------------------------------------------------------

    def needed(self) -> dict[str, bool]:
        """Which of the fields that some types lack this type has."""
        kind = self.order_type.value
        return {
            "limit_price": kind in LIMIT_TYPES | STOP_PRICE_TYPES,
            "stop_price": kind in STOP_PRICE_TYPES,
            "trigger_signal": kind in TRIGGER_TYPES,
            "trailing_deviation": kind == "trailing_stop",
            "trailing_unit": kind == "trailing_stop",
            "limit_offset": kind in TRIGGER_TYPES,
            "limit_offset_unit": kind in TRIGGER_TYPES,
            "post_only": kind == "lmt",
        }

    def order(self) -> Order:
        """The order as the fields state it; those that its type does not need are left out.

        Raises
        ------
        OrderRefused
            If a field makes no sense by itself.
        """
        kind, needed = self.order_type.value, self.needed()
        size = self.size.value.strip().replace(",", "")
        text = {name: (getattr(self, name).value.strip().replace(",", "") or None) if needed[name] else None
                for name in ("limit_price", "stop_price", "trailing_deviation", "limit_offset")}  # fmt: skip
        if kind in TRIGGER_TYPES and text["limit_price"] is not None and text["limit_offset"] is not None:
            message = "limit price and limit offset both say where the limit is: clear one of them"
            raise OrderRefused(message, field="limit_offset", value=text["limit_offset"], rule="not_allowed")
        sizes: dict[str, Any] = {"size": size}
        if self.size_mode.value == "notional":
            sizes = {"notional": size}
        elif self.size_mode.value == "share":
            sizes = {"margin_share": _share(size)}
        return Order(
            self.search.symbol,
            self.side.value,
            order_type="post" if kind == "lmt" and self.post_only.value else kind,
            reduce_only=self.reduce_only.value,
            trigger_signal=self.trigger_signal.value if needed["trigger_signal"] else None,
            trailing_unit=self.trailing_unit.value if text["trailing_deviation"] else None,
            limit_offset_unit=self.limit_offset_unit.value if text["limit_offset"] else None,
            **{name: value for name, value in text.items() if value is not None},
            **sizes,
        )

    def exit_prices(self) -> dict[str, str]:
        """Prices of the attached exits, by the names of `Client.bracket`; empty if there are none."""
        given = {"take_profit": self.take_profit.value, "stop": self.stop_loss.value}
        return {name: text.strip().replace(",", "") for name, text in given.items() if text.strip()}

    def is_blank(self) -> bool:
        """Whether nobody has begun to state an order."""
        return not self.size.value.strip()

    def complain(self, refused: OrderRefused | None) -> str:
        """Show a refusal beside its field and nothing beside the others; the field's label, empty if it has none."""
        name = "" if refused is None else _OF_FIELD.get(refused.field, refused.field)
        field = self.fields.get(name)
        for each in self.fields.values():
            if isinstance(each, NumberField) and each is not field:
                each.complain()
        self.search.complain(str(refused) if refused is not None and name == "symbol" else "")
        if refused is None or not isinstance(field, NumberField):
            return "Contract" if name == "symbol" else ""
        # The field's name in the program is no word for a person who reads this below the field itself.
        field.complain(str(refused).removeprefix(f"{refused.field}="), self._suggested(refused))
        return str(field.label)

    def _suggested(self, refused: OrderRefused) -> str | None:
        """The value that would be right, as the field would say it."""
        suggestion = refused.suggestion
        if not isinstance(suggestion, (Decimal, int, float)) or isinstance(suggestion, bool):
            return None
        if refused.field == "size" and self.size_mode.value != "contracts":
            return None
        if refused.field == "margin_share":
            return plain(100 * to_decimal(suggestion))
        return plain(to_decimal(suggestion))

    def clear_numbers(self) -> None:
        """Forget sizes and prices: they were another contract's."""
        for field in self.fields.values():
            if isinstance(field, NumberField):
                field.value = ""

    def fill(self, **values: Any) -> None:
        """Set fields by the names of `Order`; numbers may be numbers. Another symbol clears what is not given."""
        if "symbol" in values:
            self.symbol.value = values.pop("symbol")
        if values.get("order_type") == "post":
            values |= {"order_type": "lmt", "post_only": True}
        if "size" in values:
            self.size_mode.value = "contracts"
        for name, value in values.items():
            field = self.fields[name]
            if isinstance(field, NumberField):
                field.value = "" if value is None else value if isinstance(value, str) else plain(to_decimal(value))
            else:
                field.value = value

    # ---- what clicks in the fields do --------------------------------------------------------------------------

    def step(self, field: NumberField, count: object) -> None:
        """Move a price by so many ticks; an empty one begins at the market."""
        tick = self.tick
        if math.isnan(tick) or not isinstance(count, int):
            return
        try:
            now = to_decimal(field.value.strip().replace(",", ""))
        except (ArithmeticError, ValueError):
            start = math.nan if self.quote is None else float(self.quote.ticker["mark_price"])
            if math.isnan(start):
                return
            now = to_decimal(start)
        moved = round_to_step(now, to_decimal(tick), "nearest") + count * to_decimal(tick)
        if moved > 0:
            field.value = plain(moved)

    @property
    def tick(self) -> float:
        """The contract's price step; NaN as long as it is not known."""
        known = self.search.instruments
        return float(known["tick_size"].get(self.search.symbol, math.nan)) if len(known) else math.nan

    def _take_share(self, share: object) -> None:
        if share in SHARES:
            self.size_mode.value = "share"
            self.size.value = str(share)

    def _take_price(self, which: object) -> None:
        if self.quote is None or math.isnan(self.tick):
            return
        bid, ask = float(self.quote.ticker["bid"]), float(self.quote.ticker["ask"])
        price = {"bid": bid, "ask": ask, "mid": (bid + ask) / 2}.get(str(which), math.nan)
        if not math.isnan(price):
            self.limit_price.value = plain(round_to_step(to_decimal(price), to_decimal(self.tick), "nearest"))

    def take_level(self, price: str) -> None:
        """A price of the ladder becomes the limit price, or the stop price where the type has only that."""
        needed = self.needed()
        field = self.limit_price if self.order_type.value in LIMIT_TYPES else self.stop_price
        if needed["limit_price" if field is self.limit_price else "stop_price"]:
            field.value = price

    def _show_needed(self, _change: object = None) -> None:
        for name, shown in self.needed().items():
            getattr(self, name).layout.display = None if shown else "none"
        trigger = self.order_type.value in STOP_PRICE_TYPES
        self.limit_price.placeholder = "none: then market" if trigger else "quote currency"
        self._show_unit()

    def _show_exits(self, _change: object = None) -> None:
        """Exits count as long as they are shown."""
        for field in (self.take_profit, self.stop_loss):
            field.layout.display = None if self.exits.value else "none"
            if not self.exits.value:
                field.value = ""

    def _attach(self, change: Any) -> None:
        if change["new"]:
            self.exits.value = True

    def _show_unit(self, _change: object = None) -> None:
        units = {"contracts": "contracts", "notional": "quote currency", "share": "% of what margin allows"}
        self.size.placeholder = units[self.size_mode.value]

    def show_quote(self, quote: Quote) -> None:
        """Keep the quote that the buttons take prices from; its prices stand on them."""
        self.quote = quote
        bid, ask = (price_text(float(quote.ticker[name]), self.tick) for name in ("bid", "ask"))
        self.limit_price.chips = _chips(f", {bid}", f", {ask}")


def _chips(bid: str, ask: str) -> list[list[str]]:
    return [
        ["bid", "Bid", f"Best bid{bid}"],
        ["mid", "Mid", "Middle of bid and ask"],
        ["ask", "Ask", f"Best ask{ask}"],
    ]


def _share(text: str) -> Any:
    try:
        return to_decimal(text.rstrip("% ")) / 100
    except (ArithmeticError, ValueError):
        return text


def _choice(description: str, options: list[tuple[str, str]], tooltip: str = "") -> Any:
    style = {"description_width": "1.5em"} if description == "in" else _WIDE
    return ipywidgets.Dropdown(
        options=options, description=description, tooltip=tooltip or None, style=style, layout=_full()
    )


def _check(description: str, tooltip: str) -> Any:
    return ipywidgets.Checkbox(
        description=description, tooltip=tooltip, indent=False, layout=ipywidgets.Layout(width="auto")
    )


def _row(*widgets: Any) -> Any:
    row = ipywidgets.HBox(widgets)
    row.add_class("kfut-fields")
    return row


def _full() -> Any:
    # A Layout is a widget with state of its own: every widget gets one.
    return ipywidgets.Layout(width="100%", min_width="0")
