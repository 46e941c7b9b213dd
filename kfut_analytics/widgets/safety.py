"""What stops everything: the kill switch, and the dead man's switch with its countdown."""

from __future__ import annotations

import math
import threading
from html import escape

import ipywidgets

from ..client import Client
from ..guards.dead_man import DeadManSwitch
from ..guards.kill import KillReport
from . import render
from .confirm import Confirm
from .feed import Snapshot
from .panel import READ_ONLY, Panel, html, show
from .presence import Presence
from .sources import Topic
from .work import telling

_TIMEOUTS = (30, 60, 120, 300, 900)
_EVERYTHING: tuple[Topic, ...] = ("orders", "fills", "positions", "account", "margin", "journal")


class SafetyPanel(Panel):
    """Kill switch and dead man's switch. Shown by the notebook cell that ends with it.

    Each asks back before it does anything.

    Parameters
    ----------
    client
        Whose account it is. Without ``trading=True`` nothing can be done.
    presence
        That of the box which the panel is put into; without one it stands alone.
    """

    title = "Safety"
    topics = frozenset({"orders", "positions"})

    def __init__(self, client: Client, *, presence: Presence | None = None) -> None:
        super().__init__(client, presence=presence)
        off = "" if client.trading else READ_ONLY
        self._counts = {"orders": math.nan, "positions": math.nan}
        self._switch: DeadManSwitch | None = None
        self.kill = Confirm(
            "Kill switch", "Cancel all orders and refuse new ones", self._on_kill, self.refused, off=off
        )
        self.flatten = Confirm(
            "Kill and flatten",
            "Cancel all orders, close all positions at the market, and refuse new orders",
            self._on_flatten,
            self.refused,
            off=off,
        )
        self.unlock = Confirm("Unlock", "Let orders out again", self._on_unlock, self.refused, off=off)
        self.arm = Confirm(
            "Arm", "Let the exchange cancel all orders if this kernel falls silent", self._on_arm, self.refused, off=off
        )
        self.disarm = Confirm("Disarm", "End the dead man's switch", self._on_disarm, self.refused, off=off)
        for grave in (self.kill, self.flatten):
            grave.add_class("kfut-grave")
        self.timeout = ipywidgets.Dropdown(
            options=[(f"after {seconds} s of silence", seconds) for seconds in _TIMEOUTS],
            value=60,
            disabled=bool(off),
            tooltip="Silence after which the exchange cancels all orders",
            layout=ipywidgets.Layout(width="auto"),
        )
        self.timeout.observe(lambda _change: self._show_state(), names="value")
        self.lock_state = html()
        self.dead_man_state = html()
        notice = [html(render.message("note", "The switches are off", off))] if off else []
        killing = ipywidgets.HBox([html(_label("Kill switch")), self.lock_state, self.kill, self.flatten, self.unlock])
        dead_man = ipywidgets.HBox(
            [html(_label("Dead man's switch")), self.dead_man_state, self.timeout, self.arm, self.disarm]
        )
        for bar in (killing, dead_man):
            bar.add_class("kfut-bar-of-actions")
            bar.add_class("kfut-switch")
        self._show_state()
        self.begin([*notice, killing, dead_man])

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Show what is new."""
        self._counts[snapshot.topic] = len(snapshot.data)
        self._show_state()

    def _show_state(self) -> None:
        """Show what the switches are, and ask about what would really happen."""
        orders, positions = (self._counts[name] for name in ("orders", "positions"))
        there = f"{_count(orders, 'open order')}, {_count(positions, 'position')}"
        locked = self.client.locked
        self.kill.question = f"Cancel all orders and refuse new ones? ({_count(orders, 'open order')})"
        self.flatten.question = f"Cancel all orders, close all positions at the market and refuse new orders? ({there})"
        self.unlock.question = "Let new orders out again?"
        self.unlock.shown = locked
        show(
            self.lock_state,
            "<b>✗ Used: new orders are refused</b>" if locked else f"<span class='kfut-label'>{there}</span>",
        )
        state = "disarmed" if self._switch is None else self._switch.state
        self.timeout.layout.display = self.arm.layout.display = "none" if state == "armed" else None
        self.disarm.shown = state == "armed"
        self.arm.question = (
            f"Let the exchange cancel all orders of the account after {self.timeout.value} s without a sign of life "
            "from this kernel?"
        )
        self.disarm.question = "Disarm: let orders stay whatever happens to this kernel?"
        show(self.dead_man_state, _dead_man(self._switch))

    # ---- actions -----------------------------------------------------------------------------------------------

    def _on_kill(self) -> None:
        self._begin_kill("Kill switch: cancelling all orders", flatten=False)

    def _on_flatten(self) -> None:
        self._begin_kill("Kill switch: cancelling all orders, closing all positions", flatten=True)

    def _begin_kill(self, doing: str, *, flatten: bool) -> None:
        show(self.refusal, "")
        show(self.status, render.message("note", f"{doing}…"))
        # Not behind whatever this panel does else: it goes out now.
        kill = (doing, self.tell, self._kill, flatten)
        threading.Thread(target=telling, args=kill, name="kfut-kill", daemon=True).start()

    def _kill(self, flatten: bool) -> None:
        report = self.client.kill(flatten=flatten)
        show(self.status, _report(report))
        self._show_state()
        self.refresh(_EVERYTHING)

    def _on_unlock(self) -> None:
        self.client.unlock()
        show(self.status, render.message("good", "Unlocked", "Orders go out again."))
        self._show_state()

    def _on_arm(self) -> None:
        self.submit("Arming the dead man's switch", self._arm, self.timeout.value)

    def _arm(self, timeout: int) -> None:
        switch = self.client.dead_man_switch(timeout)
        if switch is not self._switch:
            self._switch = switch
            switch.on_change(self._show_state)
        switch.arm()
        show(self.status, "")
        self._show_state()

    def _on_disarm(self) -> None:
        self.submit("Disarming the dead man's switch", self._disarm)

    def _disarm(self) -> None:
        if self._switch is not None:
            self._switch.disarm()
        show(self.status, render.message("good", "Disarmed", "The exchange has confirmed that it will not fire."))
        self._show_state()


def _label(text: str) -> str:
    return f"<span class='kfut-switch-name'>{escape(text)}</span>"


def _count(number: float, what: str) -> str:
    return f"{what}s not known yet" if math.isnan(number) else f"{number:.0f} {what}{'' if number == 1 else 's'}"


def _dead_man(switch: DeadManSwitch | None) -> str:
    state = "disarmed" if switch is None else switch.state
    if switch is None or state == "disarmed":
        return "<span class='kfut-label'>not armed</span>"
    trouble = f"<div class='kfut-problem' role='alert'>✗ {escape(switch.trouble)}</div>" if switch.trouble else ""
    if state == "fired":
        return trouble or "<div class='kfut-problem' role='alert'>✗ It has fired: all orders were cancelled.</div>"
    seconds = max(0, math.floor(switch.remaining))
    # The style sheet counts down, so that it costs the kernel nothing.
    counter = f"<span class='kfut-remaining' style='--kfut-from:{seconds};--kfut-lifetime:{seconds}s'></span>"
    return (
        f"<div><b>✓ Armed</b>, fires in {counter} s unless renewed "
        f"<span class='kfut-label'>(renewed every {switch.timeout / 4:g} s)</span></div>{trouble}"
    )


def _report(report: KillReport) -> str:
    return render.message(
        "good" if report.calm else "bad",
        "Kill switch used" if report.calm else "Kill switch used, but not everything is done",
        "New orders are refused until you unlock.",
        render.lines(report.lines()),
    )
