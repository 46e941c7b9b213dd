"""Objects of the order path as HTML for the ticket. Pure; everything that is shown is escaped here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from html import escape
from types import MappingProxyType
from typing import Literal

import pandas as pd

from ..contracts import plain, pnl_currency, quote_currency, to_decimal
from ..errors import KfutError, OrderRefused
from ..guards.bracket import Bracket
from ..orders import ORDER_TYPES, Order, OrderResult, Preview

Tone = Literal["good", "note", "bad"]

# Shape and word carry the meaning; the colour only repeats it.
_MARKS: dict[Tone, str] = {"good": "✓", "note": "!", "bad": "✗"}

_OUTCOMES: dict[str, tuple[Tone, str]] = {
    "placed": ("good", "Placed"),
    "filled": ("good", "Filled"),
    "partially_filled": ("good", "Partially filled"),
    "rejected": ("bad", "Rejected"),
    "cancelled": ("note", "Cancelled"),
    "unknown": ("bad", "Fate unknown, it is being looked for"),
    "never_arrived": ("note", "Never arrived"),
}


def badge(env: str, trading: bool) -> str:
    """Which environment orders go to, and whether they can."""
    text = "LIVE · real money" if env == "live" else env.upper()
    mode = "" if trading else "<span class='kfut-mode'>read-only</span>"
    kind = "live" if env == "live" else "paper"
    return f"<span class='kfut-badge kfut-{kind}'>{escape(text)}</span>{mode}"


def brief(order: Order) -> str:
    """Side, size and contract: ``buy 0.01 PF_XBTUSD``."""
    return f"{order.side} {plain(order.contracts)} {order.symbol}"


def summary(order: Order) -> str:
    """An order in words, as one line of text: ``Buy 0.01 PF_XBTUSD, limit at 60000``."""
    kind = ORDER_TYPES[order.order_type]
    if order.stop_price is not None:
        kind += f" triggered at {plain(to_decimal(order.stop_price))}"
        kind += f" by the {order.trigger_signal} price" if order.trigger_signal else ""
        kind += ", then limit" if order.limit_price is not None else ", then market"
    if order.limit_price is not None:
        kind += f" at {plain(to_decimal(order.limit_price))}"
    if order.trailing_deviation is not None:
        unit = "%" if order.trailing_unit == "percent" else quote_currency(order.symbol)
        kind += f", {plain(to_decimal(order.trailing_deviation))} {unit} behind the {order.trigger_signal} price"
    if order.limit_offset is not None:
        unit = "%" if order.limit_offset_unit == "percent" else quote_currency(order.symbol)
        kind += f", its limit {to_decimal(order.limit_offset):+f} {unit} from the trigger price"
    words = brief(order)
    return f"{words[0].upper()}{words[1:]}, {kind}{', reduce-only' if order.reduce_only else ''}"


def live(preview: Preview) -> str:
    """What the order would do, beside the fields while they are filled in."""
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in preview.warnings)
    return (
        f"<section class='kfut-card' aria-label='Preview' aria-live='off'>"
        f"<div class='kfut-label'>Preview, facts of {preview.time:%H:%M:%S} UTC</div>"
        f"<div class='kfut-summary'>{escape(summary(preview.order))}</div>"
        f"{lines(preview.lines()[1:])}"
        + (f"<ul class='kfut-warnings' aria-label='Warnings'>{warnings}</ul>" if warnings else "")
        + "</section>"
    )


def review(preview: Preview, lifetime: float | None, exits: Mapping[str, str] = MappingProxyType({})) -> str:
    """A preview in words and figures.

    Parameters
    ----------
    preview
        What the order would do.
    lifetime
        Seconds for which it may be sent; None if it may not.
    exits
        Prices of the exits that are attached.
    """
    where = "LIVE order, real money" if preview.env == "live" else f"{preview.env.capitalize()} order"
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in preview.warnings)
    return (
        f"<section class='kfut-card' aria-label='Review'>"
        f"<div class='kfut-label'>{escape(where)}, reviewed at {preview.time:%H:%M:%S} UTC</div>"
        f"<div class='kfut-summary'>{escape(summary(preview.order))}{escape(_with_exits(exits))}</div>"
        f"{lines(preview.lines())}"
        + (f"<ul class='kfut-warnings' aria-label='Warnings'>{warnings}</ul>" if warnings else "")
        + ("" if lifetime is None else _countdown(lifetime))
        + "</section>"
    )


def _countdown(lifetime: float) -> str:
    """A bar that empties while the review may be sent. CSS moves it, so it costs the kernel nothing."""
    return (
        f"<div class='kfut-countdown' style='--kfut-lifetime:{lifetime:g}s'>"
        f"<div class='kfut-bar'></div>"
        f"<div class='kfut-open kfut-label'>May be sent within {lifetime:g} s</div>"
        f"<div class='kfut-expired kfut-label'>Expired: review again</div></div>"
    )


def outcome(order: Order, result: OrderResult, time: pd.Timestamp) -> str:
    """What became of an order, and when that was known."""
    tone, title = _OUTCOMES.get(result.status, ("note", result.status))
    rows = [("Order id", result.order_id)] if result.order_id else []
    if result.filled_size:
        price = "n/a" if math.isnan(result.average_price) else f"{result.average_price:,.10g}"
        rows += [("Filled", f"{_number(result.filled_size)} contracts"), ("Average price", price)]
    if not math.isnan(result.fee):
        rows += [("Fee", f"{result.fee:,.10g} {pnl_currency(order.symbol)}")]
    rows += [("Exchange's word", result.reason)] if result.reason not in ("", "placed") else []
    if result.status == "unknown" and result.until is not None:
        rows += [("Cannot arrive after", f"{result.until:%H:%M:%S} UTC")]
    rows += [("As of", f"{time:%H:%M:%S} UTC")]
    return message(tone, f"{title}: {summary(order)}", result.message, lines(rows))


def _with_exits(exits: Mapping[str, str]) -> str:
    words = [f"{name.replace('_', '-')} at {price}" for name, price in exits.items()]
    return f", with {' and '.join(words)}" if words else ""


_EXITS: dict[str, tuple[Tone, str]] = {
    "unknown": ("note", "This kernel has not looked at it yet."),
    "entering": ("note", "The entry has filled nothing yet; exits are placed as it fills."),
    "protected": ("good", "They stand for what the entry has filled, and may only reduce the position."),
    "unprotected": ("bad", "There is a position without its stop."),
    "done": ("good", "Nothing is left to do."),
    "cancelled": ("note", "Nothing had filled."),
}


def bracket(sent: Bracket, *, watched: bool) -> str:
    """How the exits of an entry stand, and whether this kernel watches them."""
    tone, words = _EXITS[sent.state]
    title = f"Exits: {sent.state}"
    if not sent.over and not watched:
        tone, title = "bad", "Exits: not watched by this kernel any more"
        words = f"When last seen: {sent.state}. client.watch_brackets() takes the bracket up again."
    size = f"{_number(sent.filled)} filled, {_number(sent.closed)} closed."
    return message(tone, title, f"{words} {size} {sent.trouble}".strip())


def failure(error: BaseException, doing: str) -> str:
    """An error as a message; errors that are not ours are shown with their type."""
    text = str(error) if isinstance(error, KfutError) else f"{type(error).__name__}: {error}"
    return message("bad", f"{doing} failed", text)


def refused(title: str, why: OrderRefused, beside: str = "") -> str:
    """That an order was refused, and why, unless that stands ``beside`` a field, which is named then."""
    return message("bad", title, f"The reason stands beside “{beside}”." if beside else str(why))


def message(tone: Tone, title: str, text: str = "", extra: str = "") -> str:
    """A message for the status line, announced by screen readers. ``extra`` is HTML."""
    role = "alert" if tone == "bad" else "status"
    live = "assertive" if tone == "bad" else "polite"
    return (
        f"<div class='kfut-card kfut-{tone}' role='{role}' aria-live='{live}'>"
        f"<div class='kfut-title'><span aria-hidden='true'>{_MARKS[tone]}</span> {escape(title)}</div>"
        f"{f'<div>{escape(text)}</div>' if text else ''}{extra}</div>"
    )


def problem(text: str) -> str:
    """What is wrong with a field, shown below it."""
    return f"<div class='kfut-problem' role='alert'>{_MARKS['bad']} {escape(text)}</div>"


def lines(rows: Iterable[tuple[str, str]]) -> str:
    """Labels and texts as a table."""
    cells = "".join(f"<tr><th scope='row'>{escape(label)}</th><td>{escape(text)}</td></tr>" for label, text in rows)
    return f"<table class='kfut-table'>{cells}</table>"


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:,.10g}"
