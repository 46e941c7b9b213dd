"""An archive opened with no exchange at all: everything that is computed of an account works from it."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.archive import notice
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.times import frozen

from ..conftest import SAMPLE_KEY, SAMPLE_SECRET
from .conftest import OPENED, Opener
from .frames import ACCOUNT, same, unstamped

NOW = pd.Timestamp(OPENED, unit="s", tz="UTC")


@pytest.fixture
def both(demo: PaperServer, open_client: Opener, tmp_path: Path) -> tuple[kfut.Client, kfut.Client]:
    """A client of the exchange without archive, and one of the archive."""
    open_client(demo, path=tmp_path / "saved").sync()
    return open_client(demo, archive=False), kfut.connect("archive", path=tmp_path / "saved")


def test_history_is_the_same(both: tuple[kfut.Client, kfut.Client]) -> None:
    live, archived = both
    for name in ACCOUNT:
        expected, found = (getattr(client, name)(NOW - pd.Timedelta(days=50)) for client in both)
        if name == "fills":
            found, expected = (frame.drop(columns=["realized_pnl", "sequence_id"]) for frame in (found, expected))
        same(unstamped(found), unstamped(expected))
        assert found.attrs["env"] == "archive"
    same(unstamped(archived.account_log(exact=True)), unstamped(live.account_log(exact=True)))
    assert len(archived.fills()) == 100


def test_the_last_picture_says_of_when_it_is(both: tuple[kfut.Client, kfut.Client]) -> None:
    live, archived = both
    for name in ("positions", "open_orders", "accounts", "wallets", "instruments", "tickers", "margin_tiers",
                 "account_margin_tiers", "instrument_status", "leverage_preferences", "wallet_contracts"):  # fmt: skip
        expected, found = (getattr(client, name)() for client in both)
        same(unstamped(found), unstamped(expected))
        assert pd.Timestamp(found.attrs["as_of"]) == NOW.floor("ms")
    assert archived.account().figures().equals(live.account().figures())
    assert archived.account().time == live.account().time
    assert archived.account().env == "archive"


def test_accounting_and_risk_work_from_it(both: tuple[kfut.Client, kfut.Client], tmp_path: Path) -> None:
    with frozen(NOW):
        live, archived = ((kfut.pnl(client.account_log()), kfut.margin(client),
                           kfut.equity(client, start="-60d", resolution="1h")) for client in both)  # fmt: skip
    assert archived[0].by_contract().equals(live[0].by_contract())
    assert archived[0].reconcile().equals(live[0].reconcile())
    assert archived[1].usage().equals(live[1].usage())
    assert archived[1].stress([-0.2, 0.1]).equals(live[1].stress([-0.2, 0.1]))
    pd.testing.assert_frame_equal(unstamped(archived[2].frame), unstamped(live[2].frame))
    assert archived[2].summary().equals(live[2].summary())
    kfut.report(both[1], tmp_path / "report.html", start="-30d")
    assert "ARCHIVE" in (tmp_path / "report.html").read_text(encoding="utf-8").upper()
    kfut.plots.equity(archived[2])
    kfut.plots.price(
        both[1].candles("PF_XBTUSD", "1h", start=NOW - pd.Timedelta(days=9), tick_type="mark"),
        fills=both[1].fills(NOW - pd.Timedelta(days=9)), positions=both[1].positions(),
    )  # fmt: skip


def test_what_is_not_there_is_said(both: tuple[kfut.Client, kfut.Client]) -> None:
    archived = both[1]
    with pytest.raises(kfut.errors.NotArchived, match=r"no order book.*kfut.connect\('live'\)"):
        archived.order_book("PF_XBTUSD")
    with pytest.raises(
        kfut.errors.NotArchived, match=r"no trade candles of PF_XBTUSD of 5m: .*sync\(candles=\[\('PF_X"
    ):
        archived.candles("PF_XBTUSD", "5m", start="-1d")
    with pytest.raises(kfut.errors.NotArchived, match=r"no funding rates of PF_ADAUSD"):
        archived.funding_rates("PF_ADAUSD")
    with pytest.raises(kfut.errors.ReadOnlyError):
        archived.place(kfut.Order("PF_XBTUSD", "buy", 1, limit_price=1))
    with pytest.raises(kfut.errors.ConfigurationError, match="opened with no exchange"):
        archived.sync()
    with pytest.raises(kfut.errors.NotFoundError, match="no contract 'PF_XBTUSDT'; did you mean PF_XBTUSD"):
        archived.candles("PF_XBTUSDT", "1h", start="-1d")


def test_opening_it_wrongly(tmp_path: Path) -> None:
    with pytest.raises(kfut.errors.ConfigurationError, match="needs path="):
        kfut.connect("archive")
    with pytest.raises(kfut.errors.ConfigurationError, match="there is no archive in"):
        kfut.connect("archive", path=tmp_path)
    with pytest.raises(kfut.errors.ArgumentError, match="only read"):
        kfut.connect("archive", path=tmp_path, trading=True)


def test_times_that_are_not_held_are_told_once(
    demo: PaperServer, open_client: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_client(demo, path=tmp_path / "saved").sync(start=NOW - pd.Timedelta(days=10))
    client = kfut.connect("archive", path=tmp_path / "saved")
    with caplog.at_level(logging.WARNING):
        assert client.account_log(NOW - pd.Timedelta(days=20))["time"].min() > NOW - pd.Timedelta(days=11)
        client.account_log()
    (line,) = caplog.messages
    assert "does not hold the account log from 2026-11-02 08:20 to 2026-11-12 08:20 UTC" in line


def test_connecting_to_the_exchange_tells_it(replay, monkeypatch: pytest.MonkeyPatch, caplog) -> None:  # type: ignore[no-untyped-def]
    _, server = replay({})
    assert caplog.messages == []
    monkeypatch.setattr("kfut_analytics.settings.LIVE_URL", server.url)
    kfut.connect("live", base_url=server.url, api_key=SAMPLE_KEY, api_secret=SAMPLE_SECRET)
    assert len(caplog.messages) == 1
    assert "API ends on 1 March 2027" in caplog.messages[0]


def test_the_end_of_the_api_is_told_once_a_day(
    demo: PaperServer, open_client: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    with frozen(pd.Timestamp("2026-11-25T12:00Z")):
        notice.remind("paper")
        notice.remind("paper")
        assert caplog.messages == [
            "The exchange's API ends on 1 March 2027 (in 95 days); nothing of this account's history is saved yet: "
            "client.sync() saves all of it."
        ]
    caplog.clear()
    open_client(demo).sync()
    with frozen(pd.Timestamp("2026-11-26T12:00Z")):
        notice.remind("paper")
    (line,) = caplog.messages
    assert "in 94 days); history since 2026-11-22 08:15 UTC is not saved yet: client.sync() saves it." in line
    with frozen(pd.Timestamp("2027-03-02T12:00Z")):
        assert "was to end on 1 March 2027" in notice.notice("paper")
