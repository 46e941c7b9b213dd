"""The tables of the order journal, and of the brackets that it keeps."""

from __future__ import annotations

from .columns import Table, columns_of

JOURNAL = Table(
    "journal",
    columns_of("""
number | int | | number in the journal, from 1 |
cli_ord_id | str | | the client's id of the order |
order_id | str | | the exchange's id of the order, as far as it is known |
kind | str | | place, edit, cancel, cancel_all, bracket or dead_man |
status | str | | what became of it, as in its result; open while not known or in force, not_sent if it never went out |
symbol | str | | contract |
side | str | | buy or sell |
order_type | str | | lmt, mkt, stp, … |
size | float | contracts | size that was asked for |
limit_price | float | quote currency | limit price that was asked for |
stop_price | float | quote currency | trigger price that was asked for |
reduce_only | bool | | may only reduce a position |
notional | float | USD | value that counts towards the limits |
filled_size | float | contracts | filled when it became known |
average_price | float | quote currency | average price of that |
fee | float | currency of the contract | charged for that, where it was known |
reason | str | | the exchange's own word |
message | str | | a sentence for a person |
written | time | UTC | written to the journal, before it was sent |
deadline | time | UTC | the exchange does not take it after this, by its own clock |
closed | time | UTC | its fate became known |
steps | str | | everything that happened, with its time |
session | str | | client that sent it |
"""),
    index="number",
)

JOURNAL_STEPS = Table(
    "journal_steps",
    columns_of("""
number | int | | number of the intent in the journal |
kind | str | | place, edit, cancel, cancel_all, bracket or dead_man |
cli_ord_id | str | | the client's id of the order |
order_id | str | | the exchange's id of the order |
time | time | UTC | when it happened |
step | str | | written, answered, no answer, looked, closed, … |
detail | str | | more about it |
"""),
)

BRACKETS = Table(
    "brackets",
    columns_of("""
bracket_id | str | | the bracket's id; the client ids of its orders begin with it |
time | time | UTC | when the entry was sent |
symbol | str | | contract |
side | str | | buy or sell, of the entry |
size | float | contracts | size of the entry |
entry_price | float | quote currency | trigger or limit price of the entry; missing for a market order |
take_profit | float | quote currency | trigger or limit price of the take-profit |
stop | float | quote currency | trigger price of the stop; missing for one that trails |
state | str | | unknown, entering, protected, unprotected, done or cancelled |
filled_size | float | contracts | filled of the entry; missing while the state is unknown |
closed_size | float | contracts | closed by the exits; missing while the state is unknown |
watched | bool | | whether this kernel watches it |
trouble | str | | what a person must know; empty if nothing |
"""),
    index="bracket_id",
)

TABLES = (JOURNAL, JOURNAL_STEPS, BRACKETS)
