"""Presence: who looks, how long silence may last, and where no widget is shown at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest

from kfut_analytics.errors import ConfigurationError
from kfut_analytics.widgets import presence as presence_module
from kfut_analytics.widgets.presence import Presence, refuse_voila
from kfut_analytics.widgets.root import Root, saved_notice


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(presence_module.time, "monotonic", clock)
    return clock


@pytest.fixture
def presence(clock: Clock) -> Iterator[Presence]:
    presence = Presence("order ticket")
    yield presence
    presence.close()


def says(presence: Presence, **content: Any) -> None:
    presence._handle_custom_msg({"view": "one", **content}, [])


def test_a_widget_just_made_waits_for_its_page(presence: Presence, clock: Clock) -> None:
    assert presence.attention == "visible"
    clock.now += 19
    assert presence.attention == "visible"
    clock.now += 2
    assert presence.attention == "gone"
    says(presence, visible=True)
    assert presence.attention == "visible"


def test_the_page_says_whether_it_is_looked_at(presence: Presence) -> None:
    told = []
    presence.on_attention(lambda: told.append(presence.attention))
    says(presence, visible=True)
    says(presence, visible=False)
    assert presence.attention == "hidden"
    assert not presence.visible
    says(presence, visible=False)
    says(presence, visible=True)
    assert presence.visible
    says(presence, gone=True)
    assert presence.attention == "gone"
    assert told == ["hidden", "visible", "gone"]


def test_of_several_views_one_is_enough(presence: Presence) -> None:
    says(presence, visible=True)
    says(presence, view="two", visible=False)
    assert presence.attention == "visible"
    says(presence, gone=True)
    assert presence.attention == "hidden"


def test_a_page_that_falls_silent_is_gone(presence: Presence, clock: Clock) -> None:
    says(presence, visible=True)
    clock.now += 34
    assert presence.attention == "visible"
    clock.now += 2
    assert presence.attention == "gone"
    # A browser may wake a hidden page up once a minute only.
    says(presence, visible=False)
    clock.now += 199
    assert presence.attention == "hidden"
    clock.now += 2
    assert presence.attention == "gone"


def test_silence_means_nothing_while_a_cell_runs(
    presence: Presence, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(presence, visible=True)
    monkeypatch.setattr(presence_module._cells, "running", True)
    clock.now += 3600
    assert presence.attention == "visible"
    monkeypatch.setattr(presence_module._cells, "ended", clock.now)
    monkeypatch.setattr(presence_module._cells, "running", False)
    clock.now += 34
    assert presence.attention == "visible", "the page has time to speak again"
    clock.now += 2
    assert presence.attention == "gone"


def test_the_kernel_answers_and_gives_signs_of_life(presence: Presence, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(presence, "send", sent.append)
    says(presence, visible=True)
    assert sent == [{"alive": True}]
    says(presence, gone=True)
    assert len(sent) == 1


def test_a_closed_widget_is_gone(presence: Presence) -> None:
    says(presence, visible=True)
    presence.close()
    assert presence.attention == "gone"


@pytest.mark.parametrize(
    "variables",
    [{"VOILA_PREHEAT": "False"}, {"VOILA_BASE_URL": "/"}, {"SERVER_SOFTWARE": "voila/0.5.13"}],
    ids=lambda variables: next(iter(variables)),
)
def test_voila_is_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "jupyter_server/2.21")
    refuse_voila()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="every visitor"):
        Presence()


def test_nothing_that_shows_life_is_saved(presence: Presence) -> None:
    before = presence.get_state()
    says(presence, visible=True)
    presence.pulse()
    assert presence.get_state() == before


# ---- the box around it -------------------------------------------------------------------------------------------


def test_a_box_with_its_own_presence_hides_what_is_past() -> None:
    box = Root("order ticket")
    price = ipywidgets.HTML("81,234.5")
    box.fill_with([price])
    assert {"kfut", "kfut-root"} <= set(box._dom_classes)
    assert box.presence in box.children
    assert price in box.children
    box.close()
    assert box.presence.attention == "gone"


def test_a_box_inside_another_shares_its_presence() -> None:
    outer = Root("order ticket")
    inner = Root("positions", presence=outer.presence)
    inner.fill_with([])
    outer.fill_with([inner])
    assert inner.presence is outer.presence
    assert "kfut-root" not in inner._dom_classes
    inner.close()
    assert outer.presence.attention == "visible"
    outer.close()


def test_what_a_notebook_saves_of_it_is_words(capsys: pytest.CaptureFixture[str]) -> None:
    box = Root("order <ticket>")
    box.fill_with([ipywidgets.HTML("81,234.5")])
    saved = saved_notice("order <ticket>")
    assert "not connected" in saved
    assert "Order &lt;ticket&gt;" in saved
    assert "81,234.5" not in repr(box) + saved
    box._ipython_display_()
    assert "81,234.5" not in capsys.readouterr().out
    box.close()
