"""What ccxt, unmodified, makes of the paper exchange: its unified answers against the engine's own state.

Where ccxt is asked in an unusual way, it is because it does not manage on the real exchange either; each place says
why.
"""

import csv
import io

import pytest

ccxt = pytest.importorskip("ccxt")

BTC, INVERSE = "BTC/USD:USD", "BTC/USD:BTC"
HOUR = 3_600_000


def open_ccxt(server, **options):
    """ccxt as anybody opens it, with the exchange's host replaced in its list of addresses."""
    live = "https://futures.kraken.com"
    addresses = {part: url.replace(live, server.base_url) for part, url in ccxt.krakenfutures().urls["api"].items()}
    keys = {"apiKey": server.api_key, "secret": server.api_secret}
    manners = {"enableRateLimit": False, "timeout": 60_000}  # no waiting, and patience with busy machines
    client = ccxt.krakenfutures({"urls": {"api": addresses}, **manners, **keys, **options})
    # Those that have expired are listed on demand; the demo account has traded some.
    client.load_markets(params={"expired": True})
    return client


@pytest.fixture(scope="module")
def client(demo_server):
    found = open_ccxt(demo_server)
    yield found
    found.session.close()


@pytest.fixture(scope="module")
def exchange(demo_server):
    return demo_server.exchange


@pytest.fixture(scope="module")
def account(exchange):
    return exchange.accounts["demo"]


def milliseconds(seconds):
    return round(seconds * 1000)


def code(currency):
    """ccxt's name for a currency of the account log."""
    return {"xbt": "BTC"}.get(currency, currency.upper())


def unified(client, symbol):
    """ccxt's name for a contract."""
    return client.markets_by_id[symbol][0]["symbol"]


def pages(fetch, count):
    """Every element of a history list, page by page."""
    token, found = {}, []
    while True:
        page = fetch({"count": count, **token})
        assert len(page["elements"]) == page["len"] <= count
        found += page["elements"]
        if "continuationToken" not in page:
            return found
        assert page["len"] == count
        token = {"continuation_token": page["continuationToken"]}


# Markets ---------------------------------------------------------------------------------------------------------


def test_markets(client, exchange):
    listed = {market["id"]: market for market in client.markets.values()}
    assert listed.keys() == exchange.contracts.keys()
    for symbol, contract in exchange.contracts.items():
        market, base = listed[symbol], contract.asset.base
        settled = base if contract.inverse else "USD"
        expiry = "" if contract.expiry is None else f"-{symbol.rsplit('_', 1)[1]}"
        assert market["symbol"] == f"{base}/USD:{settled}{expiry}"
        assert (market["swap"], market["future"]) == (contract.expiry is None, contract.expiry is not None)
        assert (market["linear"], market["inverse"]) == (not contract.inverse, contract.inverse)
        assert market["precision"]["price"] == float(contract.tick)
        assert market["precision"]["amount"] == float(contract.step)
        assert market["expiry"] == (None if contract.expiry is None else milliseconds(contract.expiry))
        assert market["created"] == milliseconds(contract.opening)
        assert (market["contractSize"], market["active"]) == (1, True)


def test_leverage_tiers(client, exchange):
    schedules = client.fetch_leverage_tiers(params={"expired": True})
    assert len(schedules) == len(exchange.contracts)
    for symbol, contract in exchange.contracts.items():
        tiers = schedules[unified(client, symbol)]
        thresholds = [float(tier.threshold) for tier in contract.tiers]
        assert [tier["minNotional"] for tier in tiers] == thresholds
        assert [tier["maxNotional"] for tier in tiers] == [*thresholds[1:], None]
        assert [tier["maintenanceMarginRate"] for tier in tiers] == [t.maintenance_margin for t in contract.tiers]
        assert [1 / tier["maxLeverage"] for tier in tiers] == pytest.approx([t.initial_margin for t in contract.tiers])
    assert client.fetch_market_leverage_tiers(BTC) == schedules[BTC]


def test_tickers_and_books(client, exchange):
    tickers = client.fetch_tickers()
    for symbol, contract in exchange.contracts.items():
        if exchange.is_expired(contract):
            continue
        name = unified(client, symbol)
        ticker, book = tickers[name], client.fetch_order_book(name)
        assert book["bids"] == sorted(book["bids"], reverse=True)
        assert book["asks"] == sorted(book["asks"])
        assert ticker["bid"] == book["bids"][0][0] < book["asks"][0][0] == ticker["ask"]
        assert (ticker["bidVolume"], ticker["askVolume"]) == (book["bids"][0][1], book["asks"][0][1])
        assert book["timestamp"] == milliseconds(exchange.now)
        assert ticker["markPrice"] == pytest.approx(exchange.market.mark(contract, exchange.now))
        assert ticker["indexPrice"] == pytest.approx(exchange.market.index(contract.asset, exchange.now))
        assert ticker["percentage"] == pytest.approx(100 * (ticker["last"] / ticker["open"] - 1))
        assert (ticker["quoteVolume" if contract.inverse else "baseVolume"] or 0) > 0
        assert client.fetch_ticker(name) == ticker


@pytest.mark.parametrize(("price", "kind"), [("trade", "trade"), ("mark", "mark"), ("index", "spot")])
def test_candles(price, kind, client, exchange):
    start = milliseconds(exchange.now) // HOUR * HOUR - 30 * HOUR
    found = client.fetch_ohlcv(BTC, "1h", since=start, limit=24, params={"price": price})
    contract = exchange.contracts["PF_XBTUSD"]
    end = start / 1000 + 23 * 3600
    table = exchange.market.candles(kind, contract, 3600, start / 1000, exchange.now, end)
    assert [row[0] for row in found] == [start + hour * HOUR for hour in range(24)]
    for place, column in enumerate((table.open, table.high, table.low, table.close), 1):
        assert [row[place] for row in found] == pytest.approx(column.tolist())
    volumes = table.volume.tolist() if kind == "trade" else [0.0] * 24
    assert [row[5] for row in found] == pytest.approx(volumes)
    newest = client.fetch_ohlcv(BTC, "1h", limit=3, params={"price": price})
    assert newest[-1][0] == milliseconds(exchange.now) // HOUR * HOUR


def test_candles_page_by_page(client, exchange):
    start = milliseconds(exchange.now) // HOUR * HOUR - 20 * 24 * HOUR
    found = client.fetch_ohlcv(BTC, "5m", since=start, params={"paginate": True})
    times = [row[0] for row in found]
    assert len(times) > 2000
    assert times == [start + place * 300_000 for place in range(len(times))]
    assert milliseconds(exchange.now) - times[-1] < 300_000


def trade_facts(trade):
    return trade["id"], trade["timestamp"], trade["side"], trade["price"], trade["amount"], trade["cost"]


def test_trades(client, exchange):
    newest = client.fetch_trades(BTC, limit=50)
    assert len(newest) == 50
    assert all(trade["amount"] * trade["price"] == pytest.approx(trade["cost"]) for trade in newest)
    # Both of the exchange's lists tell the same; one by execution, one by taker.
    assert [trade_facts(t) for t in newest] == [
        trade_facts(t) for t in client.fetch_trades(BTC, limit=50, params={"method": "publicGetHistory"})
    ]
    since = milliseconds(exchange.now) - 6 * HOUR
    first = client.fetch_trades(BTC, since=since, limit=20)
    following = client.fetch_trades(BTC, since=first[-1]["timestamp"] + 1, limit=20)
    times = [trade["timestamp"] for trade in first + following]
    assert (len(times), times) == (40, sorted(times))
    assert since <= times[0] < since + HOUR


def test_public_history_page_by_page(client, exchange):
    window = {"symbol": "PF_XBTUSD", "since": milliseconds(exchange.now) - HOUR // 6, "sort": "asc"}
    for fetch in (
        client.historyGetMarketSymbolExecutions,
        client.historyGetMarketSymbolOrders,
        client.historyGetMarketSymbolPrice,
    ):
        small, large = (pages(lambda more, fetch=fetch: fetch(window | more), count) for count in (37, 1000))
        assert small == large
        assert len(small) > 37
        assert all(window["since"] <= element["timestamp"] <= milliseconds(exchange.now) for element in small)


def test_funding_rates(client, exchange):
    # Not of all markets at once: among the tickers are the indices, and ccxt knows no market of their names.
    contract, now = exchange.contracts["PF_XBTUSD"], exchange.now
    rate = client.fetch_funding_rate(BTC)
    mark = exchange.market.mark(contract, now)
    # ccxt divides by the mark price, whatever the contract.
    assert rate["fundingRate"] == pytest.approx(exchange.market.funding(contract, now) / mark)
    assert rate["nextFundingRate"] == pytest.approx(exchange.market.predicted_funding(contract, now) / mark)
    assert rate["interval"] == "1h"
    assert client.fetch_funding_rates([BTC])[BTC] == rate
    history = client.fetch_funding_rate_history(BTC, since=milliseconds(now) - 48 * HOUR)
    assert [row["timestamp"] % HOUR for row in history] == [0] * 48
    assert [row["fundingRate"] for row in history] == pytest.approx(
        [exchange.market.relative_funding(contract, row["timestamp"] / 1000) for row in history]
    )
    with pytest.raises(ccxt.BadRequest):
        client.fetch_funding_rate_history(next(s for s, m in client.markets.items() if m["future"]))


def test_trading_fees_are_what_fills_were_charged(client, account):
    fees = client.fetch_trading_fees()
    assert fees.keys() == client.markets.keys()
    for fill in (fill for fill in account.fills if not fill.order.contract.inverse and fill.fee):
        charged = fees[unified(client, fill.symbol)][fill.liquidity]
        assert fill.fee == pytest.approx(charged * fill.size * fill.price, abs=1e-4)


# The account -----------------------------------------------------------------------------------------------------


def balances(account, wallet):
    """What the engine holds in a wallet, by ccxt's names."""
    return {code(name): amount for (place, name), amount in account.balances.items() if place == wallet and amount}


def held(balance):
    return {name: amount for name, amount in balance["total"].items() if amount}


def test_balances_of_every_wallet(client, exchange, account):
    flex = client.fetch_balance()
    assert held(flex) == balances(account, "flex") != {}
    available = {code(name): holding.available for name, holding in exchange.flex(account).holdings.items()}
    assert all(free == pytest.approx(available[name]) for name, free in flex["free"].items())
    assert flex["timestamp"] == milliseconds(exchange.now)
    for name in ("cash", "main", "funding"):
        assert held(client.fetch_balance({"type": name})) == balances(account, "cash")
    # Not by the market's symbol: ccxt then looks for fi_XBTUSD, and wallets are named in lower case.
    inverse, state = client.fetch_balance({"type": "fi_xbtusd"}), exchange.single(account, "fi_xbtusd")
    assert inverse["BTC"]["total"] == pytest.approx(state.portfolio_value)
    assert inverse["BTC"]["free"] == pytest.approx(state.available)
    assert inverse["total"].keys() == {"BTC"}  # positions among the balances are no currencies


def test_positions(client, exchange, account):
    found = {position["symbol"]: position for position in client.fetch_positions()}
    assert len(found) == len(account.positions) > 1
    for symbol, held in account.positions.items():
        position = found[unified(client, symbol)]
        assert position["side"] == ("long" if held.size > 0 else "short")
        assert position["contracts"] == abs(held.size)
        assert position["entryPrice"] == held.entry_price
        assert position["timestamp"] == milliseconds(held.fill_time)
        assert position["marginMode"] == "cross"
        if not held.contract.inverse:
            gain = exchange.market.mark(held.contract, exchange.now) - held.entry_price
            assert position["unrealizedPnl"] == pytest.approx(held.size * gain)
    name = next(iter(found))
    assert client.fetch_positions([name]) == [found[name]]


def test_open_orders(client, account):
    found = {order["id"]: order for order in client.fetch_open_orders()}
    assert found.keys() == account.orders.keys()
    assert any(order.is_trigger for order in account.orders.values())
    for order in account.orders.values():
        told = found[order.order_id]
        assert told["symbol"] == unified(client, order.contract.symbol)
        assert (told["side"], told["status"]) == (order.side, "open")
        assert (told["amount"], told["filled"], told["remaining"]) == (order.size, order.filled, order.remaining)
        assert (told["clientOrderId"], told["triggerPrice"]) == (order.cli_ord_id, order.stop_price)
        assert told["reduceOnly"] is order.reduce_only
        assert told["timestamp"] == milliseconds(order.received)
        assert told["lastUpdateTimestamp"] == milliseconds(order.updated)
        assert told["type"] == {"lmt": "limit", "post": "limit", "stp": "stop"}.get(order.order_type, order.order_type)
    received = [order["receivedTime"] for order in client.privateGetOpenorders()["openOrders"]]
    assert received == sorted(received, reverse=True)


def test_my_trades_page_by_page(client, account):
    by_id, more = {}, {}
    while new := {trade["id"]: trade for trade in client.fetch_my_trades(params=more) if trade["id"] not in by_id}:
        assert len(new) <= 100
        by_id |= new
        # The bound is exclusive, and one order may have several fills in a millisecond: a page may end among them.
        more = {"lastFillTime": client.iso8601(min(trade["timestamp"] for trade in new.values()) + 1)}
    assert len(by_id) == len(account.fills) > 100
    for fill in account.fills:
        trade, contract = by_id[fill.fill_id], fill.order.contract
        assert (trade["order"], trade["side"], trade["takerOrMaker"]) == (fill.order_id, fill.side, fill.liquidity)
        assert (trade["symbol"], trade["price"]) == (unified(client, fill.symbol), fill.price)
        assert trade["timestamp"] == milliseconds(fill.time)
        assert trade["fee"]["currency"] == (contract.asset.base if contract.inverse else "USD")
        # ccxt names no amount of inverse contracts, and its fee is the schedule's, not the one that was charged.
        assert trade["amount"] == (None if contract.inverse else fill.size)
        assert trade["cost"] == pytest.approx(fill.size / fill.price if contract.inverse else fill.size * fill.price)
        if fill.fee:
            assert trade["fee"]["cost"] == pytest.approx(fill.fee, abs=1e-9 if contract.inverse else 1e-4)


def test_ledger_page_by_page(client, account):
    found, first = [], 1
    while page := client.fetch_ledger(params={"from": first, "sort": "asc", "count": 1000}):
        found += page
        first = int(page[-1]["id"]) + 1
    rows = [row for row in account.log if row.asset != row.contract]
    assert [entry["id"] for entry in found] == [str(row.id) for row in rows]
    for entry, row in zip(found, rows, strict=True):
        change = row.new_balance - row.old_balance + (row.fee or 0.0)
        assert entry["amount"] * (1 if entry["direction"] == "in" else -1) == pytest.approx(change, abs=1e-9)
        assert (entry["before"], entry["after"]) == (row.old_balance, row.new_balance)
        assert entry["fee"]["cost"] == row.fee
        assert entry["account"] == row.margin_account
        assert entry["currency"] == code(row.asset)
        assert entry["referenceId"] == (row.execution or row.booking_uid)
        assert entry["timestamp"] == milliseconds(row.date)
    assert {entry["type"] for entry in found} == {"trade", "fee", "transfer"}


def test_a_window_of_the_ledger(client, account):
    rows = [row for row in account.log if row.asset != row.contract]
    since, until = rows[40], rows[60]
    found = client.fetch_ledger(since=milliseconds(since.date), params={"until": milliseconds(until.date)})
    assert [entry["id"] for entry in found] == [str(row.id) for row in rows if since.date <= row.date < until.date]
    ids = client.historyGetAccountLog({"from": since.id, "to": until.id, "sort": "asc"})["logs"]
    assert [row["id"] for row in ids] == list(range(since.id, until.id + 1))


def test_funding_history(client, account):
    rows = [row for row in account.log if row.info == "funding rate change"]
    since = milliseconds(rows[-400].date)
    found = client.fetch_funding_history(since=since)
    expected = [row for row in rows if milliseconds(row.date) >= since]
    assert len(found) >= 400
    assert [(entry["id"], entry["amount"], entry["timestamp"]) for entry in found] == [
        (str(row.id), row.realized_funding, milliseconds(row.date)) for row in expected
    ]
    assert [entry["symbol"] for entry in found] == [unified(client, row.contract.upper()) for row in expected]
    one = client.fetch_funding_history(BTC, since=since)
    assert one == [entry for entry in found if entry["symbol"] == BTC]


def test_the_account_log_as_csv(client, account):
    rows = list(csv.DictReader(io.StringIO(client.historyGetAccountlogcsv())))
    assert [row["uid"] for row in rows] == [row.booking_uid for row in reversed(account.log)]
    newest = {}
    for row in reversed(rows):
        newest[row["account"], row["symbol"]] = float(row["new balance"])
    for (wallet, currency), amount in account.balances.items():
        assert newest[wallet, currency] == pytest.approx(amount)


def test_positions_that_were_closed(client, account):
    legs = {row.execution: row for row in account.log if row.asset == row.contract}
    cash = {row.execution: row for row in account.log if row.execution and row.asset != row.contract}
    closing = {uid for uid, row in legs.items() if row.old_balance and not row.new_balance}
    found = client.fetch_positions_history(limit=1000)
    assert {position["id"] for position in found} == closing
    for position in found:
        leg = legs[position["id"]]
        assert position["symbol"] == unified(client, leg.contract.upper())
        assert position["side"] == ("long" if leg.old_balance > 0 else "short")
        assert position["contracts"] == abs(leg.old_balance)
        assert position["entryPrice"] == pytest.approx(leg.old_average_entry_price)
        assert position["lastPrice"] == leg.trade_price
        assert position["realizedPnl"] == pytest.approx(cash[position["id"]].realized_pnl)
        assert position["timestamp"] == milliseconds(leg.date)


def test_private_history_page_by_page(client, account):
    for fetch in (
        client.historyGetExecutions,
        client.historyGetOrders,
        client.historyGetTriggers,
        client.historyGetPositions,
    ):
        whole = fetch()["elements"]
        found = pages(fetch, 60)
        assert found[: len(whole)] == whole
        assert len({element["uid"] for element in found if "uid" in element}) in (0, len(found))
    executions = pages(client.historyGetExecutions, 60)
    told = [element["event"]["Execution"]["execution"] for element in executions]
    assert [execution["uid"] for execution in told] == [fill.fill_id for fill in reversed(account.fills)]
    assert [float(execution["orderData"]["fee"]) for execution in told] == pytest.approx(
        [fill.fee for fill in reversed(account.fills)]
    )


def test_orders_that_are_over(client, account):
    closed = client.fetch_closed_orders(limit=1000)
    filled = {}
    for fill in account.fills:
        filled[fill.order_id] = filled.get(fill.order_id, 0.0) + fill.size
    done = {order["id"]: order for order in closed if not order["remaining"]}
    assert done
    for order in done.values():
        assert order["filled"] == pytest.approx(filled[order["id"]])
        assert order["status"] == "closed"
    # What ccxt calls cancelled includes every order that was not filled at once; the reasons are the exchange's.
    cancelled = {record.order.order_id for record in account.journal if record.change == "cancelled"}
    told = {order["id"]: order for order in client.fetch_canceled_orders(limit=1000)}
    triggers = {o["id"]: o for o in client.fetch_canceled_orders(limit=1000, params={"trigger": True})}
    assert cancelled <= told.keys() | triggers.keys()
    assert all(order["status"] in ("canceled", "rejected") for order in (told | triggers).values())
    fired = client.fetch_closed_orders(limit=1000, params={"trigger": True})
    assert {order["id"] for order in fired} == {r.order.order_id for r in account.journal if r.change == "activated"}


def test_the_rest_of_the_account(client, account):
    assert {row["symbol"] for row in client.privateGetUnwindqueue()["queue"]} == account.positions.keys()
    notices = client.privateGetNotifications()["notifications"]
    assert all(client.parse8601(notice["effectiveTime"]) for notice in notices)
    assert client.privateGetSubaccounts()["masterAccountUid"] == account.uid
    states = {row["tradeable"]: row for row in client.publicGetInstrumentsStatus()["instrumentStatus"]}
    assert states["PF_XBTUSD"].items() <= client.publicGetInstrumentsSymbolStatus({"symbol": "PF_XBTUSD"}).items()
    volumes = client.privateGetFeeschedulesVolumes()["volumesByFeeSchedule"]
    assert volumes.keys() == {row["uid"] for row in client.publicGetFeeschedules()["feeSchedules"]}
