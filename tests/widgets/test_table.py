"""The table: which clicks count, how often, and for how long."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kfut_analytics.widgets.table import LIFETIME, PAUSE, Action, Cell, Click, Column, Row, Table


class Stage:
    """A table with one row that can be cancelled (which sends) and pointed at (which does not)."""

    def __init__(self) -> None:
        self.now = 100.0
        self.clicks: list[Click] = []
        self.refusals: list[str] = []
        self.table = Table(
            "Orders",
            [Column("size", "Size", "right")],
            actions=[Action("cancel", "Cancel", "Cancel it"), Action("point", "Point", "Look at it", sends=False)],
            empty="None.",
            on_click=self.clicks.append,
            on_refused=self.refusals.append,
            clock=lambda: self.now,
        )
        self.show()

    def show(self) -> None:
        self.table.show([Row("a", {"size": "1"}, label="one", actions=("cancel", "point"))])

    @property
    def row(self) -> dict[str, Any]:
        [row] = self.table.rows
        return row

    def click(self, action: str = "cancel", **content: Any) -> None:
        message = {"action": action, "key": "a", "permit": self.row["permit"], **content}
        self.table._handle_custom_msg(message, [])


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_click_counts_once(stage: Stage) -> None:
    stage.click()
    stage.click()
    assert stage.clicks == [Click("cancel", "a", {}, {})]
    assert ["already" in text for text in stage.refusals] == [True]


def test_of_clicks_from_many_threads_one_counts(stage: Stage) -> None:
    threads = [threading.Thread(target=stage.click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stage.clicks) == 1
    assert len(stage.refusals) == 7


def test_a_late_click_is_refused_although_newer_rows_are_shown(stage: Stage) -> None:
    permit = stage.row["permit"]
    stage.now += LIFETIME + 1
    stage.show()
    stage.click(permit=permit)
    assert stage.clicks == []
    assert "too late" in stage.refusals[0]
    stage.click()
    assert len(stage.clicks) == 1


def test_the_second_click_of_a_double_click_is_refused_even_after_the_answer(stage: Stage) -> None:
    stage.click()
    stage.table.begin("a", "Cancelling…")
    assert stage.row["busy"]
    assert stage.row["permit"] == ""
    stage.click()
    stage.table.end("a", "bad", "✗ refused")
    stage.show()
    stage.now += PAUSE / 2
    stage.show()
    stage.click()
    assert len(stage.clicks) == 1
    assert len(stage.refusals) == 2
    stage.now += PAUSE
    stage.show()
    stage.click()
    assert len(stage.clicks) == 2, "then somebody may try again"


def test_after_a_final_outcome_a_row_offers_nothing(stage: Stage) -> None:
    stage.click()
    stage.table.end("a", "good", "✓ cancelled", final=True)
    stage.now += 2 * PAUSE
    stage.show()
    assert stage.row["actions"] == []
    assert stage.row["permit"] == ""
    assert stage.row["note"] == {"tone": "good", "text": "✓ cancelled"}


def test_what_sends_nothing_needs_no_permit(stage: Stage) -> None:
    stage.table.off = "read-only"
    stage.click("point", permit="")
    stage.click("point", permit="")
    assert [click.action for click in stage.clicks] == ["point", "point"]


def test_where_nothing_can_be_sent_the_click_is_told_why(stage: Stage) -> None:
    stage.table.off = "This client is read-only."
    stage.click()
    assert stage.clicks == []
    assert stage.refusals == ["This client is read-only."]


@pytest.mark.parametrize("content", [{"permit": "1000"}, {"permit": None}, {"key": "b"}, {"action": "sell"}])
def test_a_made_up_click_does_nothing(stage: Stage, content: dict[str, Any]) -> None:
    stage.click(**content)
    assert stage.clicks == []


def test_what_is_shown_is_plain_data(stage: Stage) -> None:
    stage.table.show([Row("a", {"size": Cell("1", "half", "bad")}, values={"size": "1"})])
    assert stage.row["cells"] == {"size": {"text": "1", "sub": "half", "tone": "bad"}}
    assert stage.row["values"] == {"size": "1"}
