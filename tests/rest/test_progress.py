"""Progress: quiet for programs, and a wait that nobody waits for any more is given up."""

from __future__ import annotations

import pytest

from kfut_analytics.rest.progress import Abandoned, Progress


def test_nothing_is_shown_to_a_program(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kfut_analytics.rest.progress.interactive", lambda: False)
    with Progress("account log") as bar:
        bar.add(500)
        bar.waiting("waiting 3.0 s for 3 tokens of the history pool")
    assert capfd.readouterr() == ("", "")


def test_a_person_sees_the_rows_and_why_it_waits(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kfut_analytics.rest.progress.interactive", lambda: True)
    monkeypatch.setattr("kfut_analytics.rest.progress._SHOWN_AFTER", 0.0)
    with Progress("account log") as bar:
        bar.add(1500)
        bar.waiting("waiting 3.0 s for 3 tokens of the history pool")
    shown = capfd.readouterr().err
    assert "account log" in shown
    assert "1.50k rows" in shown
    assert "waiting 3.0 s" in shown


def test_a_wait_is_given_up_once_nobody_waits() -> None:
    with Progress("account log") as bar:
        pass
    with pytest.raises(Abandoned):
        bar.waiting("waiting 3.0 s")
