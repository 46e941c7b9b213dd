"""Realised P&L: a hand-worked log, published figures, algebra over random logs, recorded rows."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfut_analytics import contracts, schema
from kfut_analytics.errors import ArgumentError
from kfut_analytics.pnl import amount, pnl


class Log:
    """Writes account log entries and keeps the balances, as the exchange does."""

    def __init__(self) -> None:
        self.rows: list[dict] = []
        self.balances: dict[tuple[str, str], float] = {}

    def entry(self, info, asset, change, *, time="2026-11-01T12:00:00Z", account="flex", **fields):
        old = self.balances.get((account, asset), 0.0)
        new = self.balances[account, asset] = old + change
        base = {"id": len(self.rows) + 1, "time": time, "info": info, "account": account, "asset": asset}
        self.rows.append(base | {"old_balance": old, "new_balance": new, "change": new - old} | fields)

    def trade(self, contract, size, *, currency="USD", pnl=0.0, fee=0.0, funding=0.0, liquidation_fee=None, **fields):
        common = {"info": "futures trade", "contract": contract, "execution_id": f"x{len(self.rows)}"} | fields
        self.entry(asset=contract, change=size, **common)
        change = pnl - fee + funding - (liquidation_fee or 0.0)
        money = {"realized_pnl": pnl, "fee": fee, "realized_funding": funding, "liquidation_fee": liquidation_fee}
        self.entry(asset=currency, change=change, **common, **money)

    def funding(self, contract, paid, *, currency="USD", **fields):
        self.entry("funding rate change", currency, paid, contract=contract, realized_funding=paid, fee=0.0, **fields)

    def frame(self) -> pd.DataFrame:
        names = {name for row in self.rows for name in row}
        return schema.ACCOUNT_LOG.frame({name: [row.get(name) for row in self.rows] for name in names})


@pytest.fixture
def worked() -> pd.DataFrame:
    """Ten thousand dollars come in; a bitcoin short, an inverse long, funding, interest, KFEE, something unknown.

    USD: 10000
         short 0.021 XBT, fee 0.50                          -0.50
         funding received on it                             +0.25
         cover 0.021: P&L 0.021 x (60504.4396551724 - 60997) = -10.3437..., fee 0.6405, funding -0.01
         next day: interest -1.00, an unknown kind +3.00
    XBT in fi_xbtusd: 0.5
         long 10000 contracts, fee 0.0001                   -0.0001
         close: P&L +0.02, fee 0.0001, funding -0.0005      +0.0194
    """
    log = Log()
    log.entry("cross-exchange transfer", "USD", 10_000.0)
    log.entry("transfer", "XBT", 0.5, account="fi_xbtusd")
    log.trade("PF_XBTUSD", -0.021, fee=0.50)
    log.funding("PF_XBTUSD", 0.25)
    log.trade("PF_XBTUSD", 0.021, pnl=-10.3438, fee=0.6405, funding=-0.01)
    log.trade("PI_XBTUSD", 10_000, currency="XBT", account="fi_xbtusd", fee=0.0001)
    log.trade("PI_XBTUSD", -10_000, currency="XBT", account="fi_xbtusd", pnl=0.02, fee=0.0001, funding=-0.0005)
    next_day = "2026-11-02T00:00:00Z"
    log.entry("interest payment", "USD", -1.0, time=next_day)
    log.entry("lunar dividend", "USD", 3.0, time=next_day)
    log.entry("kfee applied", "FEE", -50.0, time=next_day)
    log.entry("futures trade", "PF_ETHUSD", 1.0, contract="PF_ETHUSD", execution_id="kfee-paid", time=next_day)
    log.funding("PF_ETHUSD", -0.75, time=next_day)
    return log.frame()


def test_by_contract_of_the_worked_log(worked):
    frame = pnl(worked).by_contract()
    assert list(frame.columns[:6]) == ["contract", "currency", "realized_pnl", "fee", "realized_funding", "net"]
    assert list(zip(frame["contract"], frame["currency"], strict=True)) == [
        ("PF_ETHUSD", "USD"),
        ("PF_XBTUSD", "USD"),
        ("PI_XBTUSD", "XBT"),
    ]
    expected = [
        [0.0, 0.0, -0.75, -0.75],
        [-10.3438, 0.50 + 0.6405, 0.25 - 0.01, -10.3438 - 1.1405 + 0.24],
        [0.02, 0.0002, -0.0005, 0.0193],
    ]
    np.testing.assert_allclose(frame[["realized_pnl", "fee", "realized_funding", "net"]], expected, rtol=1e-12)
    assert list(frame["trades"]) == [0, 2, 2]
    assert frame.attrs["units"]["net"] == "currency"


def test_daily_of_the_worked_log(worked):
    frame = pnl(worked).daily()
    assert str(frame.index.dtype) == "datetime64[us, UTC]"
    first, second = pd.Timestamp("2026-11-01", tz="UTC"), pd.Timestamp("2026-11-02", tz="UTC")
    assert list(zip(frame.index, frame["currency"], strict=True)) == [(first, "USD"), (first, "XBT"), (second, "USD")]
    net = -10.3438 - 1.1405 + 0.24
    np.testing.assert_allclose(frame["net"], [net, 0.0193, -0.75])
    np.testing.assert_allclose(frame["cumulative"], [net, 0.0193, net - 0.75])


def test_by_anything(worked):
    result = pnl(worked)
    frame = result.by("side", "kind")
    found = {(row["side"], row["kind"], row["currency"]): row["net"] for row in frame.to_dict("records")}
    assert found["short", "funding", "USD"] == 0.25
    assert found["short", "trade", "USD"] == pytest.approx(-10.3438 - 1.1405 - 0.01)
    assert found["long", "trade", "XBT"] == pytest.approx(0.0193)
    assert found["long", "funding", "USD"] == -0.75  # of the position whose fee was paid in KFEE
    assert list(result.by()["currency"]) == ["USD", "XBT"]
    assert list(result.by("month", "account")["account"]) == ["fi_xbtusd", "flex"]
    for keys in (["contract"], ["account"], ["day"], ["month"], ["side"], ["kind"], ["contract", "day", "side"]):
        total = result.by(*keys).groupby("currency")["net"].sum()
        pd.testing.assert_series_equal(total, result.by().set_index("currency")["net"])
    with pytest.raises(ArgumentError, match="cannot be added up by 'wallet': use contract, account"):
        result.by("wallet")


def test_by_kind_shows_every_change_of_money(worked):
    frame = pnl(worked).by_kind().set_index(["kind", "info", "currency"])
    assert frame.loc[("other", "lunar dividend", "USD"), "change"] == 3
    assert frame.loc[("kfee", "kfee applied", "FEE"), "change"] == -50
    assert frame.loc[("trade", "futures trade", "XBT"), "entries"] == 2
    assert frame.loc[("trade", "futures trade", "XBT"), "net"] == pytest.approx(0.0193)
    bridge = pnl(worked).reconcile()
    assert frame["change"].sum() == pytest.approx((bridge["closing"] - bridge["opening"]).sum())


def test_days_begin_in_a_time_zone(worked):
    frame = pnl(worked).daily("America/New_York")
    assert str(frame.index.dtype) == "datetime64[us, America/New_York]"
    assert [str(day.date()) for day in frame.index] == ["2026-11-01", "2026-11-01"]  # midnight UTC is the day before


def test_cumulative_of_the_worked_log(worked):
    frame = pnl(worked).cumulative()
    usd = frame[frame["currency"] == "USD"]
    net = -10.3438 - 1.1405 + 0.24
    np.testing.assert_allclose(usd["net"], [-0.50, -0.25, net, net - 0.75])
    np.testing.assert_allclose(usd["fee"], [0.50, 0.50, 1.1405, 1.1405])


def test_summary_and_reconcile_of_the_worked_log(worked):
    result = pnl(worked)
    summary = result.summary()
    assert list(summary.index) == ["FEE", "USD", "XBT"]
    usd = summary.loc["USD"]
    assert usd["transfer"] == 10_000
    assert usd["interest"] == -1
    assert usd["other"] == 3
    assert usd["change"] == pytest.approx(10_000 - 1 + 3 - 10.3438 - 1.1405 + 0.24 - 0.75)
    assert summary.loc["FEE", "kfee"] == -50
    bridge = result.reconcile().set_index(["account", "currency"])
    assert list(bridge.index) == [("fi_xbtusd", "XBT"), ("flex", "FEE"), ("flex", "USD")]
    assert (bridge["unexplained"] == 0).all()
    assert (bridge["breaks"] == 0).all()
    assert bridge.loc[("fi_xbtusd", "XBT"), "closing"] == pytest.approx(0.5 + 0.0193)


def test_flows_and_unknown_kinds_are_shown(worked):
    result = pnl(worked)
    assert list(result.transfers()["amount"]) == [10_000, 0.5]
    assert list(result.cash_flows()["amount"]) == [10_000, 0.5]
    assert list(result.other()["info"]) == ["lunar dividend"]
    notes = " ".join(result.notes())
    assert "'lunar dividend'" in notes
    assert "1 execution with a position leg and no cash leg" in notes


def test_an_unlisted_kind_that_books_pnl_of_a_contract_is_trading():
    log = Log()
    log.entry("futures lunar settlement", "USD", 4.9, contract="PF_XBTUSD", realized_pnl=5.0, fee=0.1)
    result = pnl(log.frame())
    (row,) = result.by_contract().to_dict("records")
    assert (row["contract"], row["realized_pnl"], row["fee"]) == ("PF_XBTUSD", 5.0, 0.1)
    assert row["net"] == pytest.approx(4.9)
    assert list(result.other()["counted_as"]) == ["trading"]
    assert result.reconcile()["unexplained"].eq(0).all()
    assert result.reconcile()["other"].eq(0).all()


def test_exact_numbers_give_the_same_figures(worked):
    exact = worked.copy()
    for name in ("old_balance", "new_balance", "change", "realized_pnl", "fee", "realized_funding"):
        exact[name] = pd.Series([None if pd.isna(v) else Decimal(str(v)) for v in worked[name]], exact.index, object)
    pd.testing.assert_frame_equal(pnl(exact).by_contract(), pnl(worked).by_contract())
    pd.testing.assert_frame_equal(pnl(exact).daily(), pnl(worked).daily())


@pytest.mark.parametrize("log", [None, [], "log"])
def test_what_is_no_frame_is_refused(log):
    with pytest.raises(ArgumentError, match=r"instead of the frame of client\.account_log"):
        pnl(log)


def test_transfers_between_own_wallets_are_no_external_flow():
    log = Log()
    log.entry("transfer", "USD", 100.1, account="cash")
    log.entry("transfer", "USD", -70.3, account="cash", time="2026-11-02T10:00:00Z")
    log.entry("transfer", "USD", 70.3, account="flex", time="2026-11-02T10:00:00.020Z")
    flows = pnl(log.frame()).cash_flows()
    assert list(flows["amount"]) == [100.1]


def test_published_figures():
    """Cover of a short: entry, exit and size give the exchange's own P&L and fee, rounded to four decimals."""
    gross = contracts.pnl(-0.021, 60504.4396551724, 60997.0, inverse=False)
    fee = contracts.fee(0.021, 60997.0, 0.0005, inverse=False)
    assert round(gross, 4) == -10.3438
    assert round(fee, 4) == 0.6405
    log = Log()
    log.trade("PF_XBTUSD", 0.021, pnl=gross, fee=fee)
    row = pnl(log.frame()).by_contract().iloc[0]
    assert row["net"] == pytest.approx(-10.3438 - 0.6405, abs=1e-4)


@pytest.mark.parametrize("inside", [True, False])
def test_liquidation_fee_is_counted_once(inside):
    """Whether the exchange books it inside ``fee`` or apart, the net equals the change of the balance."""
    log = Log()
    if inside:
        log.trade("PF_XBTUSD", -1.0, info="futures liquidation", pnl=-500.0, fee=30.0)
        log.rows[-1]["liquidation_fee"] = 20.0
    else:
        log.trade("PF_XBTUSD", -1.0, info="futures liquidation", pnl=-500.0, fee=10.0, liquidation_fee=20.0)
    result = pnl(log.frame())
    row = result.by_contract().iloc[0]
    assert (row["fee"], row["liquidation_fee"], row["net"]) == (30.0, 20.0, -530.0)
    assert result.reconcile()["unexplained"].item() == 0


def test_repeated_entries_count_once(worked):
    twice = pd.concat([worked, worked.iloc[:4]])
    twice.attrs = worked.attrs
    pd.testing.assert_frame_equal(pnl(twice).by_contract(), pnl(worked).by_contract())
    assert any("repeated" in note for note in pnl(twice).notes())


def test_missing_entries_are_named(worked):
    cash_leg = worked[(worked["asset"] == "USD") & worked["realized_pnl"].lt(0)].index
    result = pnl(worked.drop(index=cash_leg))
    bridge = result.reconcile().set_index(["account", "currency"])
    assert bridge.loc[("flex", "USD"), "breaks"] == 1
    assert bridge.loc[("flex", "USD"), "unexplained"] == pytest.approx(-10.3438 - 0.6405 - 0.01)
    assert any("is not explained" in note for note in result.notes())


def test_entries_without_a_contract_are_kept():
    log = Log()
    log.entry("funding rate change", "USD", -1.0, realized_funding=-1.0)
    result = pnl(log.frame())
    for key in ("contract", "side"):
        assert result.by(key).to_dict("records")[0][key] == "(none)"
        assert result.by(key)["net"].item() == -1.0
    assert result.round_trips().empty


def test_a_position_leg_without_contract_is_no_money():
    log = Log()
    log.entry("settlement", "FI_XBTUSD_261225", -100.0)
    assert pnl(log.frame()).summary().empty


@pytest.mark.parametrize("table", ["summary", "by_contract", "by_kind", "daily", "cumulative", "reconcile", "gaps",
                                   "transfers", "cash_flows", "conversions", "other", "round_trips", "lots",
                                   "check_lots"])  # fmt: skip
def test_empty_log_gives_the_same_columns(worked, table):
    empty = getattr(pnl(schema.ACCOUNT_LOG.frame({})), table)()
    full = getattr(pnl(worked), table)()
    assert empty.empty
    assert list(empty.columns) == list(full.columns)
    assert list(empty.dtypes) == list(full.dtypes)
    assert empty.index.name == full.index.name


def test_empty_log_reads_as_a_sentence():
    result = pnl(schema.ACCOUNT_LOG.frame({}))
    assert repr(result) == "P&L: the account log has no entries"
    assert "no entries" in result._repr_html_()
    assert result.notes() == []


def test_reprs_name_period_and_net(worked):
    text = repr(pnl(worked))
    assert "2026-11-01 to 2026-11-02" in text
    assert "0.01930000" in text
    html = pnl(worked)._repr_html_()
    assert "Realised P&amp;L" in html
    assert "&#x27;lunar dividend&#x27;" in html


def test_missing_columns_are_named(worked):
    with pytest.raises(ArgumentError, match=r"lacks the columns info, fee: give the frame of client\.account_log"):
        pnl(worked.drop(columns=["info", "fee"]))
    with pytest.raises(ArgumentError, match="lacks the columns id"):
        pnl(worked.reset_index(drop=True))
    pd.testing.assert_frame_equal(pnl(worked.reset_index()).daily(), pnl(worked).daily())


def test_amount():
    assert amount(float("nan"), "USD") == "n/a"
    assert amount(-0.001, "USD") == "0.00"
    assert amount(0.0, "USD", sign=True) == "0.00"
    assert amount(0.1, "ETH") == "0.10000000"


money = st.integers(-(10**6), 10**6).map(lambda cents: cents / 100)
fees = st.integers(-100, 10**4).map(lambda cents: cents / 100)
days = st.integers(1, 28).map(lambda day: f"2026-10-{day:02d}T08:00:00Z")
events = st.one_of(
    st.tuples(st.just("trade"), st.sampled_from(["PF_XBTUSD", "PF_ETHUSD", "FF_XBTUSD_261225"]), money, fees, money,
              days),
    st.tuples(st.just("inverse"), st.sampled_from(["PI_XBTUSD", "PI_ETHUSD"]), money, fees, money, days),
    st.tuples(st.just("funding"), st.sampled_from(["PF_XBTUSD", "PF_SOLUSD"]), money, fees, money, days),
    st.tuples(st.sampled_from(["transfer", "conversion", "interest payment", "odd kind"]), st.just(""), money, fees,
              money, days),
)  # fmt: skip


def _random_log(drawn) -> pd.DataFrame:
    log = Log()
    for kind, contract, gross, fee, funding, day in sorted(drawn, key=lambda event: event[-1]):
        if kind == "trade":
            log.trade(contract, 1.0, pnl=gross, fee=fee, funding=funding, time=day)
        elif kind == "inverse":
            coin, wallet = contract[3:6], contract.lower().replace("pi_", "fi_")
            log.trade(contract, 1.0, currency=coin, account=wallet, pnl=gross, fee=fee, funding=funding, time=day)
        elif kind == "funding":
            log.funding(contract, funding, time=day)
        else:
            log.entry(kind, "USD", gross, time=day)
    return log.frame()


@settings(max_examples=25, deadline=None)
@given(st.lists(events, max_size=30), st.randoms(use_true_random=False))
def test_algebra(drawn, random):
    log = _random_log(drawn)
    result = pnl(log)
    contracts_net = result.by_contract().groupby("currency")["net"].sum()
    booked = log[(log["asset"] != log["contract"]) & log["info"].isin(["futures trade", "funding rate change"])]
    pd.testing.assert_series_equal(
        contracts_net, booked.groupby("asset")["change"].sum(), check_names=False, atol=1e-6, check_index_type=False
    )
    pd.testing.assert_series_equal(result.daily().groupby("currency")["net"].sum(), contracts_net, atol=1e-6)
    assert result.reconcile()["unexplained"].abs().sum() == 0
    order = list(range(len(log)))
    random.shuffle(order)
    shuffled = pnl(log.iloc[order])
    for table in ("summary", "by_contract", "daily", "cumulative", "reconcile"):
        pd.testing.assert_frame_equal(getattr(shuffled, table)(), getattr(result, table)())


def recorded(rows: list[dict]) -> pd.DataFrame:
    frame = {
        "id": [row["id"] for row in rows],
        "time": [row["date"] for row in rows],
        "info": [row["info"] for row in rows],
        "account": [row["margin_account"] for row in rows],
        "asset": [row["asset"].upper() for row in rows],
        "contract": [(row.get("contract") or "").upper() or None for row in rows],
        "change": [row["new_balance"] - row["old_balance"] for row in rows],
    }
    names = ("old_balance", "new_balance", "realized_pnl", "fee", "realized_funding")
    return schema.ACCOUNT_LOG.frame(frame | {name: [row[name] for row in rows] for name in names})


def test_a_recorded_funding_entry(recordings):
    result = pnl(recorded(json.loads((recordings / "ccxt_comments" / "account_log__1.json").read_text())["logs"]))
    assert result.by_contract().iloc[0].to_dict() == {
        "contract": "PF_DOGEUSD", "currency": "USD", "realized_pnl": 0.0, "fee": 0.0, "realized_funding": -0.0002,
        "net": -0.0002, "liquidation_fee": 0.0, "trades": 0,
    }  # fmt: skip
    assert (result.reconcile()["unexplained"] == 0).all()
    assert result.notes() == []
    (trip,) = result.round_trips().to_dict("records")
    assert (trip["contract"], trip["funding"], trip["ended"]) == ("PF_DOGEUSD", -0.0002, "open")


def test_a_recorded_transfer(recordings):
    result = pnl(recorded(json.loads((recordings / "python_kraken_sdk" / "account_log__1.json").read_text())["logs"]))
    assert result.transfers()["amount"].item() == 2.6868286287
    assert result.summary().loc["ETH", "transfer"] == 2.6868286287
    assert result.notes() == []


def test_recorded_entries_of_an_inverse_wallet(recordings):
    """Two hours of funding in a wallet of coins, as the exchange's documentation shows them."""
    rows = json.loads((recordings / "docs" / "ws_account_log_snapshot__1.json").read_text())["logs"]
    result = pnl(recorded(rows))
    (row,) = result.reconcile().to_dict("records")
    assert (row["account"], row["currency"]) == ("f-bch:usd", "BCH")
    assert row["realized_funding"] == pytest.approx(6.9602e-07 - 4.8247e-07, rel=1e-12)
    assert (row["opening"], row["closing"], row["unexplained"]) == (0.01215715298, 0.01215736653, 0)


def test_no_python_per_row(monkeypatch):
    """A long log calls `classify` once per kind, not once per entry."""
    calls = []
    monkeypatch.setattr("kfut_analytics.accounting.ledger.classify", lambda info: calls.append(info) or "trade")
    log = Log()
    for _ in range(200):
        log.trade("PF_XBTUSD", 1.0, fee=0.1)
    pnl(log.frame()).by_contract()
    assert len(calls) < 5
