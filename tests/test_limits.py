"""The user's own limits: which one counts, where it comes from, and what is none."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import pytest

import kfut_analytics as kfut
from kfut_analytics.errors import ArgumentError, ConfigurationError, OrderRefused
from kfut_analytics.limits import LIMITS_FILE, NO_LIMITS, VARIABLES, Limits


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KFUT_HOME", str(tmp_path))
    return tmp_path


def test_where_nothing_is_said_only_prices_are_limited(home: Path) -> None:
    limits = Limits.from_environment()
    assert (limits.order_notional, limits.session_notional, limits.daily_notional) == (None, None, None)
    assert limits.price_deviation == 0.1
    assert set(limits.sources.values()) == {"default"}
    assert limits == Limits()


def test_the_program_counts_before_the_environment_and_that_before_the_file(home: Path) -> None:
    (home / LIMITS_FILE).write_text("order_notional = 1000\nsession_notional = 5000\ndaily_notional = 9000.5\n")
    environment = {
        "KFUT_MAX_ORDER_NOTIONAL": "2000",
        "KFUT_MAX_SESSION_NOTIONAL": "6_000.25",
        "KFUT_MAX_PRICE_DEVIATION": " ",
    }
    limits = Limits.from_environment(Limits(order_notional=3000), environment=environment)
    assert limits == Limits(3000, "6000.25", 9000.5)  # type: ignore[arg-type]
    assert limits.sources == {
        "order_notional": "argument",
        "session_notional": "variable KFUT_MAX_SESSION_NOTIONAL",
        "daily_notional": f"file {home / LIMITS_FILE}",
        "price_deviation": "default",
    }
    assert str(limits).startswith("order_notional 3,000 (argument); session_notional 6,000.25 (variable KFUT_MAX_SESS")


def test_what_the_program_says_of_one_limit_leaves_the_others(home: Path) -> None:
    (home / LIMITS_FILE).write_text("daily_notional = 9000\nprice_deviation = 0.02\n")
    limits = Limits.from_environment(Limits(order_notional=100))
    assert (limits.order_notional, limits.daily_notional, limits.price_deviation) == (100, 9000, 0.02)


def test_a_limit_is_lifted_by_name_only(home: Path) -> None:
    (home / LIMITS_FILE).write_text("daily_notional = 9000\nprice_deviation = inf\n")
    assert Limits.from_environment().price_deviation == math.inf
    assert Limits.from_environment(Limits(daily_notional=math.inf)).daily_notional is None
    assert Limits.from_environment(environment={"KFUT_MAX_DAILY_NOTIONAL": "inf"}).daily_notional is None
    assert NO_LIMITS.price_deviation == math.inf


@pytest.mark.parametrize("value", [0, -1, math.nan, "much", True, [1]])
@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_what_is_no_limit_is_refused(name: str, value: object) -> None:
    with pytest.raises(ArgumentError, match=f"{name}=.*give a positive number, or inf"):
        Limits(**{name: value})  # type: ignore[arg-type]


def test_the_place_of_a_bad_value_is_named(home: Path) -> None:
    with pytest.raises(ArgumentError, match="variable KFUT_MAX_ORDER_NOTIONAL"):
        Limits.from_environment(environment={"KFUT_MAX_ORDER_NOTIONAL": "lots"})
    (home / LIMITS_FILE).write_text("order_notional = -5")
    with pytest.raises(ArgumentError, match=r"file .*limits\.toml"):
        Limits.from_environment(environment={})


@pytest.mark.parametrize("text", ["order_notional = ", "order_notionl = 5", "\udcff"])
def test_a_file_that_cannot_be_read_is_an_error_not_a_lack_of_limits(home: Path, text: str) -> None:
    (home / LIMITS_FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match=r"limits\.toml"):
        Limits.from_environment()


def test_a_file_that_is_named_must_be_there(home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.toml cannot be read"):
        Limits.from_environment(file=home / "nothing.toml")


def test_a_client_keeps_to_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFUT_MAX_ORDER_NOTIONAL", "1000")
    with kfut.connect(account="empty", trading=True) as client:
        assert client.limits.order_notional == 1000
        with pytest.raises(OrderRefused, match="by variable KFUT_MAX_ORDER_NOTIONAL") as caught:
            client.preview(kfut.Order("PF_XBTUSD", "buy", 1))
        suggestion = caught.value.suggestion
        assert isinstance(suggestion, Decimal)
        assert client.preview(kfut.Order("PF_XBTUSD", "buy", suggestion)).notional <= 1000
    with pytest.raises(ArgumentError, match=r"give kfut\.Limits"):
        kfut.connect(limits=1000)  # type: ignore[arg-type]
