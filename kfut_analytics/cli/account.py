"""``kfut positions`` and ``kfut margin``: what an account holds, and how close it is to the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AccountOption, JsonOption, PathOption, ReadEnvOption, UrlOption, number, opened
from .output import write_frame, write_json

if TYPE_CHECKING:
    from ..client import Client

_POSITIONS = {
    "symbol": "",
    "side": "",
    "size": "",
    "entry_price": ",.8g",
    "mark_price": ",.8g",
    "notional": ",.2f",
    "unrealized_pnl": ",.6g",
    "unrealized_funding": ",.4g",
    "pnl_currency": "",
    "margin_mode": "",
}
_USAGE = {
    "account": "",
    "currency": "",
    "equity": ",.6g",
    "initial_margin": ",.6g",
    "maintenance_margin": ",.6g",
    "available_margin": ",.6g",
    "usage": ".1%",
    "effective_leverage": ".2f",
}
_LIQUIDATION = {
    "symbol": "",
    "side": "",
    "size": "",
    "mark_price": ",.8g",
    "liquidation_price": ",.6g",
    "distance": "+.1%",
    "market_distance": "+.1%",
}
_STRESS = {
    "market": "+.0%",
    "pnl": ",.0f",
    "collateral_change": ",.0f",
    "equity": ",.0f",
    "usage": ".1%",
    "first_liquidated": "",
    "liquidated_at": "+.1%",
}


def title(client: Client, as_of: Any = None) -> str:
    """Whose figures these are, and of when."""
    moment = "" if as_of is None else f", {str(as_of)[:19].replace('T', ' ')} UTC"
    return f"{client.env.upper()}, account {client.account_name!r}{moment}"


def heading(client: Client, as_of: Any) -> dict[str, Any]:
    """The same for machines."""
    return {"env": client.env, "account": client.account_name, "as_of": as_of}


def positions(
    env: ReadEnvOption = "paper",
    base_url: UrlOption = None,
    account: AccountOption = None,
    path: PathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the open positions."""
    with opened(env, base_url, account, path=path) as client:
        frame = client.positions()
        as_of = frame.attrs.get("as_of")
        if as_json:
            write_json(heading(client, as_of) | {"positions": frame})
            return
        typer.echo(title(client, as_of))
        write_frame(frame, _POSITIONS, nothing="no open positions")


def margin(
    env: ReadEnvOption = "paper",
    base_url: UrlOption = None,
    account: AccountOption = None,
    path: PathOption = None,
    shock: Annotated[
        list[float] | None,
        typer.Option(
            parser=number, metavar="NUMBER", help="Move of all markets for the stress, such as -0.2; may be repeated."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show margin usage, where positions would be liquidated, and what a move of all markets would do."""
    from .. import margin as of

    with opened(env, base_url, account, path=path) as client:
        found = of(client)
        usage, liquidation, stress = found.usage(), found.liquidation(), found.stress(shock or None)
        if as_json:
            tables = {"usage": usage, "liquidation": liquidation, "stress": stress}
            write_json(heading(client, found.as_of) | tables | {"notes": found.notes()})
            return
        typer.echo(title(client, found.as_of))
        typer.echo("\nUsage")
        write_frame(usage, _USAGE, nothing="no margin account")
        typer.echo("\nLiquidation (estimates: by the position's own market, and by all markets moving together)")
        write_frame(liquidation, _LIQUIDATION, nothing="no open positions")
        typer.echo(f"\nStress: all markets move ({', '.join(sorted(set(stress['currency'])))})")
        write_frame(stress, _STRESS)
        for note in found.notes():
            typer.echo(f"note: {note}", err=True)
