"""``kfut orders``: open orders, the journal of what was sent, and cancelling where that is asked for."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import ArgumentError
from .account import heading, title
from .options import AccountOption, EnvOption, JsonOption, PathOption, ReadEnvOption, UrlOption, opened
from .output import write_frame, write_json

app = typer.Typer(
    help="Open orders; the journal of orders; cancelling.", invoke_without_command=True, rich_markup_mode=None
)

_ORDERS = dict.fromkeys(
    (
        "order_id",
        "symbol",
        "side",
        "order_type",
        "limit_price",
        "stop_price",
        "size",
        "filled_size",
        "reduce_only",
        "status",
    ),
    "",
)
_JOURNAL = dict.fromkeys(
    (
        "written",
        "kind",
        "status",
        "symbol",
        "side",
        "order_type",
        "size",
        "limit_price",
        "filled_size",
        "average_price",
        "reason",
        "order_id",
    ),
    "",
)


@app.callback()
def orders(
    context: typer.Context,
    env: ReadEnvOption = "paper",
    base_url: UrlOption = None,
    account: AccountOption = None,
    path: PathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the open orders; or what a subcommand says, which has options of its own."""
    if context.invoked_subcommand is not None:
        return
    with opened(env, base_url, account, path=path) as client:
        frame = client.open_orders()
        as_of = frame.attrs.get("as_of")
        if as_json:
            write_json(heading(client, as_of) | {"orders": frame})
            return
        typer.echo(title(client, as_of))
        write_frame(frame, _ORDERS, nothing="no open orders")


@app.command()
def journal(
    env: EnvOption = "paper",
    base_url: UrlOption = None,
    account: AccountOption = None,
    start: Annotated[str | None, typer.Option(help="From when on: a date, or a span such as -7d.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the orders, edits and cancellations that were sent from this machine, and what came of them."""
    with opened(env, base_url, account) as client:
        frame = client.journal(start)
        if as_json:
            write_json(heading(client, client.exchange_time()) | {"journal": frame})
            return
        typer.echo(title(client))
        write_frame(frame, _JOURNAL, nothing="nothing was sent")


@app.command()
def cancel(
    order_id: Annotated[str, typer.Argument(help="Id of the order, as `kfut orders` shows it.")],
    trading: Annotated[bool, typer.Option("--trading", help="Needed: this changes the account.")] = False,
    env: EnvOption = "paper",
    base_url: UrlOption = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel one open order."""
    if not trading:
        raise ArgumentError(f"cancelling {order_id} changes the account: add --trading")
    with opened(env, base_url, account, trading=True) as client:
        status = client.cancel(order_id).status
        if as_json:
            write_json(heading(client, client.exchange_time()) | {"order_id": order_id, "status": status})
        else:
            typer.echo(f"{title(client)}: order {order_id}: {status}")
    if status != "cancelled":
        raise typer.Exit(1)
