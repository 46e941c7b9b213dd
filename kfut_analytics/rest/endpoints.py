"""Every operation of the exchange's REST API, as one table (api-facts 3 and 5; the official specification of 2025-09).

Columns of the table: name, method, path, permission, effect, where the parameters travel, token pool and cost, and
the parameters (``*`` marks required ones). Parameters in the path are its ``{placeholders}`` and are always required.

permission
    ``public`` (unsigned), ``any`` key, ``read``, ``full`` or ``withdraw``: the least the key must have.
effect
    ``read``, or ``write`` where the call may change orders, positions, balances or settings; such a call is never
    sent twice.
placement
    ``query``, ``form`` or ``json`` body. Whatever text is sent is the text that is signed.
pool and cost
    ``D`` for the derivatives pool, ``H`` for the history pool, and the tokens a call takes; see `cost` for those
    that depend on the parameters. Costs the exchange does not publish are taken as 2.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Permission = Literal["public", "any", "read", "full", "withdraw"]
Placement = Literal["query", "form", "json"]
Pool = Literal["derivatives", "history", ""]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API; the fields are those of the table above."""

    name: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    permission: Permission
    changes_state: bool
    placement: Placement
    pool: Pool
    base_cost: int
    required: frozenset[str]
    optional: frozenset[str]

    @property
    def private(self) -> bool:
        """Whether it is signed."""
        return self.permission != "public"

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """Names of the path's placeholders."""
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.path) if name)


_BASES = {
    "trading": "/derivatives/api/v3",
    "trading4": "/derivatives/api/v4",
    "history": "/api/history/v3",
    "charts": "/api/charts/v1",
    "auth": "/api/auth/v1",
    "stats": "/api/stats/v1",
}
_POOLS: dict[str, Pool] = {"D": "derivatives", "H": "history", "-": ""}

_EVENTS = "since before sort continuation_token count"
_ORDER = "limitPrice stopPrice trailingStopMaxDeviation trailingStopDeviationUnit"

_TABLE = f"""
instruments | GET | trading/instruments | public | read | query | - | contractType expired
trading_instruments | GET | trading/trading/instruments | read | read | query | D2 |
instruments_status | GET | trading/instruments/status | public | read | query | - | contractType
instrument_status | GET | trading/instruments/{{symbol}}/status | public | read | query | - |
tickers | GET | trading/tickers | public | read | query | - | symbol contractType
ticker | GET | trading/tickers/{{symbol}} | public | read | query | - |
orderbook | GET | trading/orderbook | public | read | query | - | symbol*
history | GET | trading/history | public | read | query | - | symbol* lastTime
historical_funding_rates | GET | trading/historical-funding-rates | public | read | query | - | symbol*
historical_funding_rates_v4 | GET | trading4/historicalfundingrates | public | read | query | - | symbol*
feeschedules | GET | trading/feeschedules | public | read | query | - |
rfqs | GET | trading/rfqs | public | read | query | - |
rfq | GET | trading/rfqs/{{rfqUid}} | public | read | query | - |

accounts | GET | trading/accounts | read | read | query | D2 |
openpositions | GET | trading/openpositions | read | read | query | D2 |
openorders | GET | trading/openorders | read | read | query | D2 |
orders_status | POST | trading/orders/status | full | read | form | D1 | orderIds cliOrdIds
fills | GET | trading/fills | read | read | query | D2 | lastFillTime
feeschedules_volumes | GET | trading/feeschedules/volumes | read | read | query | D2 |
notifications | GET | trading/notifications | read | read | query | D2 |
unwindqueue | GET | trading/unwindqueue | read | read | query | D200 |
leveragepreferences | GET | trading/leveragepreferences | read | read | query | D2 |
set_leveragepreferences | PUT | trading/leveragepreferences | full | write | query | D10 | symbol* maxLeverage
pnlpreferences | GET | trading/pnlpreferences | read | read | query | D2 |
set_pnlpreferences | PUT | trading/pnlpreferences | full | write | query | D10 | symbol* pnlPreference*
self_trade_strategy | GET | trading/self-trade-strategy | read | read | query | D2 |
set_self_trade_strategy | PUT | trading/self-trade-strategy | full | write | query | D2 | strategy*
subaccounts | GET | trading/subaccounts | read | read | query | D2 |
trading_enabled | GET | trading/subaccount/{{subaccountUid}}/trading-enabled | full | read | query | D2 |
set_trading_enabled | PUT | trading/subaccount/{{subaccountUid}}/trading-enabled | full | write | query | D2 | tradingEnabled*
portfolio_margining_parameters | GET | trading/portfolio-margining/parameters | read | read | query | D2 |
portfolio_margining_simulate | POST | trading/portfolio-margining/simulate | read | read | query | D2 | json*

sendorder | POST | trading/sendorder | full | write | form | D10 | orderType* symbol* side* size* {_ORDER} cliOrdId triggerSignal reduceOnly limitPriceOffsetValue limitPriceOffsetUnit processBefore broker
editorder | POST | trading/editorder | full | write | form | D10 | orderId cliOrdId size {_ORDER} qtyMode processBefore
cancelorder | POST | trading/cancelorder | full | write | form | D10 | order_id cliOrdId processBefore
cancelallorders | POST | trading/cancelallorders | full | write | form | D25 | symbol
cancelallordersafter | POST | trading/cancelallordersafter | full | write | form | D25 | timeout
batchorder | POST | trading/batchorder | full | write | form | D9 | json* ProcessBefore

transfer | POST | trading/transfer | full | write | form | D10 | fromAccount* toAccount* unit* amount*
transfer_subaccount | POST | trading/transfer/subaccount | full | write | form | D10 | fromUser* toUser* fromAccount* toAccount* unit* amount*
withdrawal | POST | trading/withdrawal | withdraw | write | form | D100 | currency* amount* sourceWallet
assignmentprogram_current | GET | trading/assignmentprogram/current | read | read | query | D2 |
assignmentprogram_history | GET | trading/assignmentprogram/history | read | read | query | D2 |
assignmentprogram_add | POST | trading/assignmentprogram/add | read | write | form | D2 | contractType* contract maxSize maxPosition acceptLong* acceptShort* timeFrame* enabled*
assignmentprogram_delete | POST | trading/assignmentprogram/delete | read | write | form | D2 | id*
rfqs_open_offers | GET | trading/rfqs/open-offers | read | read | query | D2 |
rfq_place_offer | POST | trading/rfqs/{{rfqUid}}/place-offer | read | write | json | D2 | bid ask
rfq_replace_offer | PUT | trading/rfqs/{{rfqUid}}/replace-offer | read | write | json | D2 | bid ask
rfq_cancel_offer | DELETE | trading/rfqs/{{rfqUid}}/cancel-offer | read | write | query | D2 |
rfq_assignment_max_leverage | GET | trading/rfq-assignment/max-leverage | read | read | query | D2 |
set_rfq_assignment_max_leverage | PUT | trading/rfq-assignment/max-leverage | full | write | query | D10 | maxLeverage
delete_rfq_assignment_max_leverage | DELETE | trading/rfq-assignment/max-leverage | full | write | query | D10 |

market_executions | GET | history/market/{{tradeable}}/executions | public | read | query | - | {_EVENTS}
market_orders | GET | history/market/{{tradeable}}/orders | public | read | query | - | {_EVENTS}
market_price | GET | history/market/{{tradeable}}/price | public | read | query | - | {_EVENTS}
executions | GET | history/executions | read | read | query | H1 | {_EVENTS} tradeable
orders | GET | history/orders | read | read | query | H1 | {_EVENTS} tradeable opened closed
triggers | GET | history/triggers | read | read | query | H1 | {_EVENTS} tradeable opened closed
positions | GET | history/positions | read | read | query | H1 | {_EVENTS} tradeable opened closed increased decreased reversed no_change trades funding_realization settlement
account_log | GET | history/account-log | read | read | query | H3 | since before from to sort info count conversion_details
account_log_csv | GET | history/accountlogcsv | read | read | query | H6 | conversion_details

tick_types | GET | charts/ | public | read | query | - |
chart_symbols | GET | charts/{{tick_type}} | public | read | query | - |
chart_resolutions | GET | charts/{{tick_type}}/{{symbol}} | public | read | query | - |
candles | GET | charts/{{tick_type}}/{{symbol}}/{{resolution}} | public | read | query | - | from to count
analytics | GET | charts/analytics/{{symbol}}/{{analytics_type}} | public | read | query | - | since* interval* to
analytics_liquidity_pool | GET | charts/analytics/liquidity-pool | public | read | query | - | since* interval* to

check_key | GET | auth/api-keys/v3/check | any | read | query | D2 |
self_market_share | GET | stats/rebates/self-market-share | read | read | query | D2 |
"""


def _operation(line: str) -> Operation:
    name, method, place, permission, effect, placement, tokens, parameters = (p.strip() for p in line.split("|"))
    base, _, path = place.partition("/")
    names = parameters.split()
    return Operation(
        name=name,
        method=method,  # type: ignore[arg-type]
        path=f"{_BASES[base]}/{path}",
        permission=permission,  # type: ignore[arg-type]
        changes_state=effect == "write",
        placement=placement,  # type: ignore[arg-type]
        pool=_POOLS[tokens[0]],
        base_cost=int(tokens[1:] or 0),
        required=frozenset(n.removesuffix("*") for n in names if n.endswith("*")),
        optional=frozenset(n for n in names if not n.endswith("*")),
    )


OPERATIONS = {op.name: op for op in map(_operation, filter(None, _TABLE.splitlines()))}
"""All operations by name."""

_LOG_COSTS = ((25, 1), (50, 2), (1000, 3), (5000, 6), (100_000, 10))
_LOG_DEFAULT_COUNT = 500


def cost(operation: Operation, params: Mapping[str, Any]) -> int:
    """Tokens a call takes from its pool (api-facts 5.1 and 5.2).

    Fills cost more with a ``lastFillTime``, a batch one token per instruction, the account log by its ``count``.
    """
    match operation.name:
        case "fills" if params.get("lastFillTime") is not None:
            return 25
        case "batchorder":
            return operation.base_cost + str(params.get("json", "")).count('"order":')
        case "account_log":
            count = int(params.get("count") or _LOG_DEFAULT_COUNT)
            return next((tokens for most, tokens in _LOG_COSTS if count <= most), _LOG_COSTS[-1][1])
    return operation.base_cost


INSTRUMENTS = OPERATIONS["instruments"]
TICKERS = OPERATIONS["tickers"]
ORDER_BOOK = OPERATIONS["orderbook"]
CANDLES = OPERATIONS["candles"]
ACCOUNTS = OPERATIONS["accounts"]
OPEN_POSITIONS = OPERATIONS["openpositions"]
OPEN_ORDERS = OPERATIONS["openorders"]
FILLS = OPERATIONS["fills"]
ACCOUNT_LOG = OPERATIONS["account_log"]
SEND_ORDER = OPERATIONS["sendorder"]
CANCEL_ORDER = OPERATIONS["cancelorder"]
CANCEL_ALL = OPERATIONS["cancelallorders"]
