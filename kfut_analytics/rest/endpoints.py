"""The exchange's operations: method, path, and whether a call is private (api-facts 3).

GET parameters travel in the query string, POST parameters in a form body; whichever is sent is what is signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TRADING = "/derivatives/api/v3"
HISTORY = "/api/history/v3"
CHARTS = "/api/charts/v1"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    Attributes
    ----------
    name
        What messages call it.
    method, path
        As sent; the path may hold ``{placeholders}``.
    private
        Whether it is signed.
    changes_state
        Whether it may change orders, positions or settings; such a call is never sent twice.
    """

    name: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    private: bool = False
    changes_state: bool = False


INSTRUMENTS = Operation("instruments", "GET", f"{TRADING}/instruments")
TICKERS = Operation("tickers", "GET", f"{TRADING}/tickers")
ORDER_BOOK = Operation("orderbook", "GET", f"{TRADING}/orderbook")
CANDLES = Operation("candles", "GET", f"{CHARTS}/{{tick_type}}/{{symbol}}/{{resolution}}")

ACCOUNTS = Operation("accounts", "GET", f"{TRADING}/accounts", private=True)
OPEN_POSITIONS = Operation("openpositions", "GET", f"{TRADING}/openpositions", private=True)
OPEN_ORDERS = Operation("openorders", "GET", f"{TRADING}/openorders", private=True)
FILLS = Operation("fills", "GET", f"{TRADING}/fills", private=True)
ACCOUNT_LOG = Operation("account-log", "GET", f"{HISTORY}/account-log", private=True)

SEND_ORDER = Operation("sendorder", "POST", f"{TRADING}/sendorder", private=True, changes_state=True)
CANCEL_ORDER = Operation("cancelorder", "POST", f"{TRADING}/cancelorder", private=True, changes_state=True)
CANCEL_ALL = Operation("cancelallorders", "POST", f"{TRADING}/cancelallorders", private=True, changes_state=True)
