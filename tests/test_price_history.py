"""Prices to value an account by, from a server: what is fetched, and what stands in for what the exchange lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

import kfut_analytics as kfut
from kfut_analytics import schema, times
from kfut_analytics.accounting.ledger import Ledger
from kfut_analytics.accounting.prices import PriceLine
from kfut_analytics.errors import ArgumentError, VenueError
from kfut_analytics.price_history import Fetcher, PriceHistory, Span
from tests.accounts import LISTED, START, Account, Exact
from tests.replay import Answer, ReplayServer

Replay = Callable[..., tuple[kfut.Client, ReplayServer]]

HOUR = pd.Timedelta("1h")
BEGIN = pd.Timestamp(START).floor("h")
NOW = BEGIN + 10 * HOUR
SPAN = Span(BEGIN, NOW, NOW, "1h")
HELD = {"PF_XBTUSD": (BEGIN, NOW)}
BITCOIN = LISTED[0]
API = "/derivatives/api/v3"


@pytest.fixture(autouse=True)
def later() -> Iterator[None]:
    """The exchange's time is a fixed one, and the machine's is later."""
    with times.frozen(NOW + HOUR):
        yield


def candles(first: int, *opens: float) -> Answer:
    """An hour each, from one opening to the next."""
    rows = [
        {"time": int((BEGIN + (first + n) * HOUR).timestamp() * 1000), "open": str(a), "high": str(max(a, b)),
         "low": str(min(a, b)), "close": str(b), "volume": 0}
        for n, (a, b) in enumerate(pairwise(opens))
    ]  # fmt: skip
    return Answer(json.dumps({"candles": rows, "more_candles": False}).encode())


def instruments(*symbols: str) -> Answer:
    rows = [{"symbol": symbol, "type": "flexible_futures"} for symbol in symbols]
    return Answer(json.dumps({"result": "success", "instruments": rows}).encode())


def rates(*hours: tuple[int, float]) -> Answer:
    rows = [
        {"timestamp": f"{BEGIN + hour * HOUR:%Y-%m-%dT%H:%M:%SZ}", "fundingRate": rate, "relativeFundingRate": rate}
        for hour, rate in hours
    ]
    return Answer(json.dumps({"result": "success", "rates": rows}).encode())


def mark(symbol: str) -> str:
    return f"/api/charts/v1/mark/{symbol}/1h"


def spot(symbol: str) -> str:
    return f"/api/charts/v1/spot/{symbol}/1h"


FUNDING = f"{API}/historical-funding-rates"
WHOLE = {
    f"{API}/instruments": instruments("PF_XBTUSD", "PI_ETHUSD", "FF_SOLUSD_260626"),
    mark("PF_XBTUSD"): candles(0, *range(100, 111)),
    spot("PF_XBTUSD"): candles(0, *range(200, 211)),
    spot("PI_ETHUSD"): candles(0, *range(10, 21)),
    FUNDING: rates(*((hour, 0.5) for hour in range(-1, 11))),
}


def fetched(
    client: kfut.Client,
    held: dict[str, tuple[pd.Timestamp, pd.Timestamp]] = HELD,
    currencies: tuple[str, ...] = ("XBT",),
    *,
    log: pd.DataFrame | None = None,
    accounts: list[tuple[str, float, float]] | None = None,
    tickers: dict[str, tuple[float, float]] | None = None,
    given: Any = None,
) -> PriceHistory:
    names, quantities, values = zip(*(accounts or [("USD", 1.0, 1.0)]), strict=True)
    account_frame = schema.ACCOUNTS.frame({"currency": names, "quantity": quantities, "value_usd": values})
    quoted = tickers or {}
    ticker_frame = schema.TICKERS.frame(
        {
            "symbol": list(quoted),
            "mark_price": [price[0] for price in quoted.values()],
            "index_price": [price[1] for price in quoted.values()],
            "funding_rate": [0.25 for _ in quoted],
        }
    )
    ledger = Ledger(Account().frame() if log is None else log)
    return Fetcher(client, SPAN, ledger, account_frame, ticker_frame, given).fetch(held, currencies)


def at(line: PriceLine, *hours: float) -> list[float]:
    moments = [np.datetime64((BEGIN + hour * HOUR).tz_localize(None), "us") for hour in hours]
    return line.at(np.array(moments)).tolist()


def test_candles_and_the_price_now(replay: Replay) -> None:
    client, server = replay(WHOLE)
    found = fetched(client, currencies=("USD", "XBT", "ETH"), tickers={"PF_XBTUSD": (120.0, 220.0)})
    assert found.notes == []
    assert at(found.marks["PF_XBTUSD"], 0, 2.5, 9.5, 10) == pytest.approx([100, 102.5, 109.5, 120])
    assert at(found.usd["XBT"], 0, 10) == [200, 220]
    assert at(found.usd["ETH"], 0, 4.25, 10) == [10, 14.25, 20]
    assert set(found.usd) == {"XBT", "ETH"}
    assert at(found.marks["PF_XBTUSD"], -1) == [100]
    asked = next(urlsplit(seen.target) for seen in server.seen if seen.target.startswith(mark("PF_XBTUSD")))
    assert parse_qs(asked.query)["from"] == [str(int(BEGIN.timestamp()))]


def test_a_contract_is_asked_for_while_it_was_held(replay: Replay) -> None:
    client, server = replay(WHOLE)
    fetched(client, {"PF_XBTUSD": (BEGIN + 2.5 * HOUR, BEGIN + 4.2 * HOUR)})
    asked = next(urlsplit(seen.target) for seen in server.seen if seen.target.startswith(mark("PF_XBTUSD")))
    query = parse_qs(asked.query)
    assert query["from"] == [str(int((BEGIN + 2 * HOUR).timestamp()))]
    assert query["to"] == [str(int((BEGIN + 4.2 * HOUR).timestamp()))]


def test_without_candles_the_log_knows_prices(replay: Replay) -> None:
    made = Account()
    made.trade(BITCOIN, Exact(1), Exact(100))
    made.wait(4 * 3600)
    made.trade(BITCOIN, Exact(1), Exact(140))
    client, _ = replay({name: answer for name, answer in WHOLE.items() if name != mark("PF_XBTUSD")})
    found = fetched(client, log=made.frame())
    assert at(found.marks["PF_XBTUSD"], 0, 1, 4, 10) == [100, 110, 140, 140]
    assert found.notes == ["PF_XBTUSD: mark candles are missing; it is valued at the prices in the account log."]


def test_candles_that_end_early(replay: Replay) -> None:
    client, _ = replay(WHOLE | {mark("PF_XBTUSD"): candles(0, 100, 110), spot("PF_XBTUSD"): candles(0, 200, 210)})
    found = fetched(client)
    assert (at(found.marks["PF_XBTUSD"], 9), at(found.usd["XBT"], 9)) == ([110], [210])
    assert found.notes == [
        f"PF_XBTUSD: mark candles end at {BEGIN + HOUR:%Y-%m-%d %H:%M}; after that it is valued at the last of them.",
        f"XBT: candles end at {BEGIN + HOUR:%Y-%m-%d %H:%M}; after that it is valued at the last of them.",
    ]


def test_candles_that_begin_late(replay: Replay) -> None:
    made = Account()
    made.trade(BITCOIN, Exact(1), Exact(100))
    late = {mark("PF_XBTUSD"): candles(4, *range(180, 187)), spot("PF_XBTUSD"): candles(4, *range(280, 287))}
    client, _ = replay(WHOLE | late)
    found = fetched(client, log=made.frame())
    assert at(found.marks["PF_XBTUSD"], 0, 3, 4, 5) == [100, 100, 180, 181]
    assert at(found.usd["XBT"], 0, 5) == [280, 281]
    assert found.notes == [
        f"PF_XBTUSD: mark candles begin at {BEGIN + 4 * HOUR:%Y-%m-%d %H:%M}; before that it is valued at the prices "
        "in the account log.",
        f"XBT: candles begin at {BEGIN + 4 * HOUR:%Y-%m-%d %H:%M}; before that it is valued at the first of them.",
    ]


def test_a_coin_without_spot_candles_is_valued_at_mark_prices(replay: Replay) -> None:
    client, _ = replay({name: answer for name, answer in WHOLE.items() if name != spot("PF_XBTUSD")})
    found = fetched(client, {}, ("XBT", "ETH"), tickers={"PF_XBTUSD": (120.0, 220.0)})
    assert (at(found.usd["XBT"], 2.5, 10), at(found.usd["ETH"], 4)) == ([102.5, 220], [14])
    assert found.notes == ["XBT: spot candles are missing; it is valued at mark prices of PF_XBTUSD."]


def test_a_currency_without_candles(replay: Replay) -> None:
    client, _ = replay({f"{API}/instruments": instruments("PF_XBTUSD")})
    found = fetched(client, {}, ("EUR", "USDC", "XBT"), accounts=[("EUR", 200.0, 220.0), ("BTC", 2.0, 900.0)])
    assert (at(found.usd["EUR"], 0), at(found.usd["USDC"], 5), at(found.usd["XBT"], 5)) == ([1.1], [1.0], [450.0])
    assert found.notes == [
        "EUR: the exchange has no candles of it; it is valued at 1.1 USD, what the exchange values it at now, at all "
        "times.",
        "USDC: the exchange has no candles of it; it is valued at 1 USD at all times.",
        "XBT: the exchange has no candles of it; it is valued at 450 USD, what the exchange values it at now, at all "
        "times.",
    ]


@pytest.mark.parametrize(
    ("held", "currencies", "message"),
    [
        ({}, ("CHF",), r"no price of CHF: .* Give one in USD as prices=\{'CHF': …\}"),
        ({"PF_LOSTUSD": (BEGIN, NOW)}, (), r"no price of PF_LOSTUSD: .* Give one as prices=\{'PF_LOSTUSD': …\}"),
    ],
)
def test_what_has_no_price_is_refused(
    replay: Replay, held: dict[str, Any], currencies: tuple[str, ...], message: str
) -> None:
    client, _ = replay(WHOLE)
    with pytest.raises(ArgumentError, match=message):
        fetched(client, held, currencies)


def test_given_prices_are_not_asked_for(replay: Replay) -> None:
    client, server = replay({f"{API}/instruments": instruments("PF_XBTUSD"), FUNDING: rates((0, 0.5))})
    series = pd.Series([9.0, 7.0], index=[NOW.tz_localize(None), BEGIN.tz_localize(None)])  # in any order, UTC
    found = fetched(client, currencies=("XBT", "CHF"), given={"btc": series, "CHF": 1.25, "pf_xbtusd": 50})
    assert at(found.usd["XBT"], 0, 5, 10) == [7, 8, 9]
    assert (at(found.usd["CHF"], 3), at(found.marks["PF_XBTUSD"], 3)) == ([1.25], [50.0])
    assert not [seen for seen in server.seen if "charts" in seen.target]


def test_funding_with_the_rate_of_this_hour(replay: Replay) -> None:
    client, _ = replay(WHOLE)
    moments = [np.datetime64((BEGIN + hour * HOUR).tz_localize(None), "us") for hour in (0, 4)]
    paid = fetched(client).funding["PF_XBTUSD"].between(np.array(moments[:1]), np.array(moments[1:]))
    assert paid.tolist() == [2.0]
    client, _ = replay(WHOLE | {FUNDING: rates((-1, 0.5), (0, 0.5))})
    found = fetched(client, tickers={"PF_XBTUSD": (1.0, 1.0)})
    assert found.funding["PF_XBTUSD"].rate.tolist() == [0.5, 0.5, 0.25]


def test_funding_that_is_not_known(replay: Replay) -> None:
    late = "PF_XBTUSD: funding rates are not known from the beginning."
    client, _ = replay(WHOLE | {FUNDING: rates((3, 0.5))})
    assert fetched(client).notes == [late]
    client, _ = replay({name: answer for name, answer in WHOLE.items() if name != FUNDING})
    found = fetched(client)
    assert found.notes == [late]
    assert len(found.funding["PF_XBTUSD"].rate) == 0


def test_a_failing_exchange_is_no_missing_candle(replay: Replay) -> None:
    client, _ = replay(WHOLE | {mark("PF_XBTUSD"): Answer(b"{}", 500)})
    with pytest.raises(VenueError):
        fetched(client)
