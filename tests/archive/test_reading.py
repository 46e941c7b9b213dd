"""A client with an archive gives the same frames as one without, and asks for less."""

from __future__ import annotations

import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics.paper.server import PaperServer
from kfut_analytics.times import frozen

from .conftest import OPENED, Opener
from .frames import ACCOUNT, Call, same

NOW = pd.Timestamp(OPENED, unit="s", tz="UTC")
BEGIN = NOW - pd.Timedelta(days=91)

CALLS: dict[str, Call] = {
    **{f"{name} from the start": (lambda client, name=name: getattr(client, name)(BEGIN)) for name in ACCOUNT},
    **{f"{name} of a month": (lambda client, name=name: getattr(client, name)("2026-10-01", "2026-10-31T12:00"))
       for name in ACCOUNT},
    **{f"{name} exact": (lambda client, name=name: getattr(client, name)("-40d", exact=True)) for name in ACCOUNT},
    **{f"{name} of a contract": (lambda client, name=name: getattr(client, name)("-60d", symbol="PF_XBTUSD"))
       for name in ACCOUNT if name not in ("account_log", "fills")},
    "whole account log": lambda client: client.account_log(),
    "newest fills": lambda client: client.fills(),
    "executions of nothing": lambda client: client.executions("-2h", symbol="pf_ethusd"),
    "candles": lambda client: client.candles("PF_XBTUSD", "1h", start="-30d", tick_type="mark"),
    "exact candles": lambda client: client.candles("PF_XBTUSD", "1h", start="-3d", tick_type="mark", exact=True),
    "candles off the hour": lambda client: client.candles(
        "PF_XBTUSD", "1h", start=NOW - pd.Timedelta(days=10), end=NOW - pd.Timedelta(days=2), tick_type="mark"),
    "spot candles of several": lambda client: client.candles(
        ["PF_XBTUSD", "PF_ETHUSD"], "1h", start="-9d", tick_type="spot"),
    "candles that are not kept": lambda client: client.candles("PF_XBTUSD", "4h", start="-9d"),
    "newest candles": lambda client: client.candles("PF_XBTUSD", "1h", tick_type="mark"),
    "funding": lambda client: client.funding_rates("PF_XBTUSD", start="-50d"),
    "whole funding": lambda client: client.funding_rates(["PF_XBTUSD", "PI_XBTUSD"]),
}  # fmt: skip


@pytest.fixture(autouse=True)
def the_exchange_has_the_time():
    with frozen(NOW):
        yield


@pytest.fixture(params=["whole", "in two parts", "with a gap"])
def synced(request: pytest.FixtureRequest, demo: PaperServer, open_client: Opener) -> kfut.Client:
    """Clients whose archives came to be in different ways."""
    client = open_client(demo)
    if request.param == "whole":
        client.sync()
        return client
    request.getfixturevalue("small_pages")
    if request.param == "in two parts":
        client.sync(start="-20d")
    client.sync(start="-45d")
    if request.param == "with a gap":
        archive = client.archive
        archive._store.forget("account_log", {archive._store.manifest.of("account_log").files[1].name})
        archive._store.forget("executions", {archive._store.manifest.of("executions").files[2].name})
        assert set(archive.gaps()["series"]) == {"account_log", "executions"}
    return client


def test_every_frame_is_that_of_the_exchange(synced: kfut.Client, demo: PaperServer, open_client: Opener) -> None:
    plain = open_client(demo, archive=False)
    assert not plain._reading()
    assert synced._reading()
    for name, call in CALLS.items():
        found, expected = call(synced), call(plain)
        if name.startswith("fills"):
            # The exchange tells the P&L of its newest hundred fills only; the archive keeps it.
            known = expected["realized_pnl"].notna().to_numpy()
            pd.testing.assert_series_equal(found["realized_pnl"][known], expected["realized_pnl"][known])
            found, expected = (frame.drop(columns=["realized_pnl", "sequence_id"]) for frame in (found, expected))
        same(found, expected)


def test_only_what_is_missing_is_asked_for(demo: PaperServer, open_client: Opener, requests_sent: list[str]) -> None:
    open_client(demo).sync()
    client = open_client(demo)
    requests_sent.clear()
    client.account_log("2026-10-01", "2026-10-31")
    client.executions("2026-10-01", "2026-10-31")
    client.candles("PF_XBTUSD", "1h", start="-30d", end="-1d", tick_type="mark")
    client.funding_rates("PF_XBTUSD", start="-30d", end="-1d")
    assert requests_sent == ["check_key"]  # whose archive it is
    client.account_log()
    client.fills("-80d")
    assert requests_sent == ["check_key", "account_log", "fills"]
    client.use_archive = False
    client.account_log("2026-10-01", "2026-10-31")
    assert set(requests_sent[3:]) == {"account_log"}


def test_without_an_archive_nothing_more_is_asked(
    demo: PaperServer, open_client: Opener, requests_sent: list[str]
) -> None:
    open_client(demo).trigger_history()
    assert requests_sent == ["triggers"]


def test_the_client_says_that_it_reads_an_archive(demo: PaperServer, open_client: Opener) -> None:
    client = open_client(demo)
    assert "archive" not in repr(client)
    client.sync()
    assert f"archive until {NOW - pd.Timedelta('5min'):%Y-%m-%d %H:%M} UTC" in repr(client)
    client.use_archive = False
    assert "archive" not in repr(client)


def test_columns_of_choice(demo: PaperServer, open_client: Opener) -> None:
    archive = open_client(demo).sync() and kfut.Archive(next((kfut_home()).glob("accounts/*/archive")))
    log = archive.read("account_log", "-30d", columns=["fee", "asset"])
    whole = archive.read("account_log", "-30d")
    pd.testing.assert_frame_equal(log, whole[["fee", "asset"]])
    assert archive.arrow("account_log", columns=["fee"]).num_rows == len(archive.read("account_log"))
    with pytest.raises(kfut.errors.ArgumentError, match=r"'fees'.*has no such columns; it has id, time"):
        archive.read("account_log", columns=["fees"])
    with pytest.raises(kfut.errors.ArgumentError, match="kept by contract"):
        archive.read("candles")
    with pytest.raises(kfut.errors.ArgumentError, match="'trades' is not one of account_log"):
        archive.read("trades")


def kfut_home():
    from kfut_analytics.settings import data_folder

    return data_folder()
