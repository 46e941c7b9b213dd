"""What python-kraken-sdk, unmodified, makes of the paper exchange, against the engine's own state.

Where it is asked in an unusual way, it is because it does not manage on the real exchange either; each place says why.
"""

import csv
import io
from datetime import datetime, timedelta

import pytest

futures = pytest.importorskip("kraken.futures")

XBT = "PF_XBTUSD"


class Sdk:
    """Its four clients with the same keys."""

    def __init__(self, server, **options):
        access = {"key": server.api_key, "secret": server.api_secret, "url": server.base_url} | options
        self.market, self.user = futures.Market(**access), futures.User(**access)
        self.trade, self.funding = futures.Trade(**access), futures.Funding(**access)
        for client in (self.market, self.user, self.trade, self.funding):
            client.TIMEOUT = 60  # patience with busy machines


@pytest.fixture(scope="module")
def sdk(demo_server):
    return Sdk(demo_server)


@pytest.fixture(scope="module")
def exchange(demo_server):
    return demo_server.exchange


@pytest.fixture(scope="module")
def account(exchange):
    """The demo account."""
    return exchange.accounts["demo"]


def milliseconds(seconds):
    return round(seconds * 1000)


def seconds(text):
    """A time of the wire in seconds."""
    return datetime.fromisoformat(text).timestamp()


# Markets ---------------------------------------------------------------------------------------------------------


def test_markets(sdk, exchange):
    market = sdk.market
    rows = {row["symbol"]: row for row in market.get_instruments()["instruments"]}
    tickers = {row["symbol"]: row for row in market.get_tickers()["tickers"]}
    listed = {symbol: contract for symbol, contract in exchange.contracts.items() if not exchange.is_expired(contract)}
    assert listed.keys() == rows.keys() < exchange.contracts.keys()
    for symbol, contract in listed.items():
        row = rows[symbol]
        assert (row["tickSize"], row["contractValueTradePrecision"]) == (float(contract.tick), contract.precision)
        assert [tier["initialMargin"] for tier in row["marginLevels"]] == [t.initial_margin for t in contract.tiers]
        assert row["isExpired"] is False
        book = market.get_orderbook(symbol)["orderBook"]
        assert [tickers[symbol]["bid"], tickers[symbol]["bidSize"]] == book["bids"][0]
        assert [tickers[symbol]["ask"], tickers[symbol]["askSize"]] == book["asks"][0]
        assert tickers[symbol]["markPrice"] == pytest.approx(exchange.market.mark(contract, exchange.now))
    states = {row["tradeable"] for row in market.get_instruments_status()["instrumentStatus"]}
    assert states == listed.keys()
    assert market.get_instruments_status(XBT)["experiencingDislocation"] is False


def test_charts(sdk, exchange):
    market = sdk.market
    assert set(market.get_tick_types()) == {"spot", "mark", "trade"}
    start = int(exchange.now // 3600 - 20) * 3600
    for kind in ("spot", "mark", "trade"):
        assert XBT in market.get_tradeable_products(kind)
        assert set(market.get_resolutions(kind, XBT)) == {"1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d", "1w"}
        answer = market.get_ohlc(kind, XBT, "1h", from_=start, to=start + 9 * 3600)
        assert answer["more_candles"] is False
        table = exchange.market.candles(kind, exchange.contracts[XBT], 3600, start, exchange.now, start + 9 * 3600)
        assert [row["time"] for row in answer["candles"]] == [milliseconds(time) for time in table.time]
        assert [float(row["close"]) for row in answer["candles"]] == pytest.approx(table.close.tolist())


def test_public_trades_and_funding(sdk, exchange):
    newest = sdk.market.get_trade_history(XBT)["history"]
    older = sdk.market.get_trade_history(XBT, newest[-1]["time"])["history"]
    assert len(newest) == len(older) == 100
    times = [seconds(row["time"]) for row in newest + older]
    assert times == sorted(times, reverse=True)
    # It leaves out the parameters of the public history's lists: only their newest pages can be had with it.
    events = sdk.market.get_public_execution_events(XBT, before=1)
    assert events["continuationToken"]
    assert [e["event"]["Execution"]["execution"]["uid"] for e in events["elements"][:100]] == [
        row["uid"] for row in newest
    ]
    for fetch in (sdk.market.get_public_order_events, sdk.market.get_public_mark_price_events):
        stamps = [element["timestamp"] for element in fetch(XBT)["elements"]]
        assert stamps == sorted(stamps, reverse=True) != []


def test_funding_rates(sdk, exchange):
    rate = sdk.funding.get_historical_funding_rates(XBT)["rates"][-1]
    assert seconds(rate["timestamp"]) == exchange.now // 3600 * 3600
    absolute = exchange.market.funding(exchange.contracts[XBT], exchange.now)
    assert rate["fundingRate"] == pytest.approx(absolute)


def test_fee_schedules(sdk):
    with pytest.warns(DeprecationWarning, match="deprecated"):
        schedules = sdk.market.get_fee_schedules()["feeSchedules"]
    with pytest.warns(DeprecationWarning, match="deprecated"):
        volumes = sdk.market.get_fee_schedules_vol()["volumesByFeeSchedule"]
    assert volumes.keys() == {schedule["uid"] for schedule in schedules}
    assert sum(volumes.values()) > 0


# The account -----------------------------------------------------------------------------------------------------


def test_wallets(sdk, exchange, account):
    wallets = sdk.user.get_wallets()["accounts"]
    assert {wallet for wallet, _ in account.balances} <= wallets.keys()
    flex, state = wallets["flex"], exchange.flex(account)
    assert flex["currencies"]["USD"]["quantity"] == account.balances["flex", "usd"]
    assert flex["portfolioValue"] == pytest.approx(state.portfolio_value)
    assert flex["availableMargin"] == pytest.approx(state.available)
    assert flex["initialMargin"] == pytest.approx(state.required.initial)
    single = wallets["fi_xbtusd"]
    assert float(single["balances"]["xbt"]) == account.balances["fi_xbtusd", "xbt"]
    inverse = [p for p in account.positions.values() if p.contract.wallet == "fi_xbtusd"]
    assert {p.contract.symbol.lower(): p.size for p in inverse}.items() <= {
        name: float(amount) for name, amount in single["balances"].items()
    }.items()


def test_positions_and_orders(sdk, account):
    positions = {row["symbol"]: row for row in sdk.user.get_open_positions()["openPositions"]}
    assert {symbol: row["size"] * (1 if row["side"] == "long" else -1) for symbol, row in positions.items()} == {
        symbol: position.size for symbol, position in account.positions.items()
    }
    orders = {row["order_id"]: row for row in sdk.user.get_open_orders()["openOrders"]}
    assert {uid: (row["side"], row["unfilledSize"], row.get("stopPrice")) for uid, row in orders.items()} == {
        order.order_id: (order.side, order.remaining, order.stop_price) for order in account.orders.values()
    }
    queue = sdk.user.get_unwind_queue()["queue"]
    assert {row["symbol"] for row in queue} == positions.keys()
    assert {row["percentile"] for row in queue} <= {20, 40, 60, 80, 100}
    assert all(seconds(row["effectiveTime"]) for row in sdk.user.get_notifications()["notifications"])


def test_fills_page_by_page(sdk, account):
    found, before = {}, None
    while new := {row["fill_id"]: row for row in sdk.trade.get_fills(before)["fills"] if row["fill_id"] not in found}:
        found |= new
        # The bound is exclusive, and one order may have several fills in a millisecond: a page may end among them.
        oldest = datetime.fromisoformat(min(row["fillTime"] for row in new.values()))
        before = (oldest + timedelta(milliseconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {uid: (row["order_id"], row["side"], row["size"], row["price"]) for uid, row in found.items()}
    assert told == {fill.fill_id: (fill.order_id, fill.side, fill.size, fill.price) for fill in account.fills}
    bound = account.fills[len(account.fills) // 2]
    page = sdk.trade.get_fills(found[bound.fill_id]["fillTime"])["fills"]
    earlier = [fill for fill in reversed(account.fills) if milliseconds(fill.time) < milliseconds(bound.time)]
    assert [row["fill_id"] for row in page] == [fill.fill_id for fill in earlier[:100]]


def events(fetch, **window):
    """All pages of a list of the history."""
    found, token = [], None
    while True:
        page = fetch(continuation_token=token, **window)
        found += page["elements"]
        token = page.get("continuationToken")
        if token is None:
            return found


def test_history_page_by_page(sdk, account):
    executions = [e["event"]["Execution"]["execution"] for e in events(sdk.user.get_execution_events, sort="asc")]
    assert [execution["uid"] for execution in executions] == [fill.fill_id for fill in account.fills]
    assert [float(execution["orderData"]["fee"]) for execution in executions] == [fill.fee for fill in account.fills]
    symbol, since = account.fills[-1].symbol, account.fills[len(account.fills) // 2].time
    some = events(sdk.user.get_execution_events, tradeable=symbol, since=milliseconds(since))
    assert [e["event"]["Execution"]["execution"]["uid"] for e in some] == [
        fill.fill_id for fill in reversed(account.fills) if fill.symbol == symbol and fill.time >= since
    ]
    kinds = {
        "placed": "OrderPlaced",
        "updated": "OrderUpdated",
        "cancelled": "OrderCancelled",
        "rejected": "OrderRejected",
        "edit rejected": "OrderEditRejected",
    }
    told = [next(iter(e["event"])) for e in events(sdk.user.get_order_events, sort="asc")]
    assert told == [kinds[record.change] for record in account.journal if not record.order.is_trigger]
    triggers = events(sdk.user.get_trigger_events, sort="asc")
    assert len(triggers) == sum(record.order.is_trigger for record in account.journal) > 0


def test_account_log(sdk, account):
    found, first = [], 1
    while page := sdk.user.get_account_log(from_=first, sort="asc", count=1000)["logs"]:
        found += page
        first = page[-1]["id"] + 1
    assert [(row["booking_uid"], row["new_balance"], row["fee"]) for row in found] == [
        (row.booking_uid, row.new_balance, row.fee) for row in account.log
    ]
    ids = [row["id"] for row in sdk.user.get_account_log(from_=11, to="17")["logs"]]
    assert ids == list(range(17, 10, -1))
    trades = sdk.user.get_account_log(info="futures trade", count=7)["logs"]
    assert [row["id"] for row in trades] == [row.id for row in account.log if row.info == "futures trade"][:-8:-1]
    since, before = milliseconds(account.log[50].date), milliseconds(account.log[90].date)
    window = sdk.user.get_account_log(since=since, before=before, sort="asc")["logs"]
    assert [row["id"] for row in window] == [row.id for row in account.log if since <= milliseconds(row.date) < before]


def test_account_log_as_csv(sdk, account):
    answer = sdk.user.get_account_log_csv()
    text = b"".join(answer.iter_content(512)).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["uid"] for row in rows] == [row.booking_uid for row in reversed(account.log)]
    changes = sum(float(row["change"]) for row in rows if (row["account"], row["symbol"]) == ("flex", "usd"))
    assert changes == pytest.approx(account.balances["flex", "usd"])
