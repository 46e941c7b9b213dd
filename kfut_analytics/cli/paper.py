"""``kfut paper``: the paper exchange for other programs, and accounts that are kept."""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError, ConfigurationError
from .options import JsonOption, number, whole
from .output import write_json, write_table

if TYPE_CHECKING:
    from ..paper.keeping.named import Summary

app = typer.Typer(
    help="The paper exchange, for rehearsal with no key and no internet.", no_args_is_help=True, rich_markup_mode=None
)

_NameArgument = Annotated[str, typer.Argument(help="Letters, digits, - and _; upper and lower case are the same.")]
_BalanceOption = Annotated[
    list[str] | None,
    typer.Option(help="CURRENCY=AMOUNT in the multi-collateral wallet, or WALLET=AMOUNT (fi_xbtusd); may be repeated."),
]
_SeedOption = Annotated[int | None, typer.Option(parser=whole(0), metavar="NUMBER", help="Determines the market.")]
_MarketOption = Annotated[str | None, typer.Option(help="Where prices come from: simulated or live.")]
_MarketUrlOption = Annotated[str | None, typer.Option(help="Address of the exchange whose prices are followed.")]


@app.command()
def serve(
    account: Annotated[
        str, typer.Option(help="demo (90 days of history) or empty, gone when it ends; or a kept account.")
    ] = "demo",
    port: Annotated[
        int, typer.Option(parser=whole(0, 65535), metavar="NUMBER", help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    seed: _SeedOption = None,
    speed: Annotated[
        float,
        typer.Option(
            parser=number, metavar="NUMBER", help="Seconds that pass on the exchange in one of the machine's."
        ),
    ] = 1.0,
    enforce_limits: Annotated[
        bool, typer.Option("--enforce-limits", help="Let the documented rate limits hold.")
    ] = False,
    market: _MarketOption = None,
    market_url: _MarketUrlOption = None,
    faults: Annotated[
        Path | None,
        typer.Option(help="JSON file that says what shall go wrong; kfut_analytics.paper.faults.scenario explains."),
    ] = None,
) -> None:
    """Run a paper exchange for other programs until Ctrl-C, and print how to reach it."""
    from ..paper import start

    # Before the work begins: a program that is told to stop while it starts should stop, too.
    stop = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: stop.set())
    try:
        server = start(
            account=account,
            port=port,
            seed=seed,
            speed=speed,
            enforce_limits=enforce_limits,
            market=market,
            market_url=market_url,
        )
    except OSError as error:
        raise ConfigurationError(f"cannot serve on 127.0.0.1:{port}: {error.strerror or error}") from error
    with closing(server):
        if faults is not None:
            server.faults.load(_mapping(faults))
        typer.echo(_how_to_connect(server.base_url, server.api_key, server.api_secret))
        sys.stdout.flush()
        while not stop.wait(1.0):  # a wait without end cannot be interrupted on Windows
            pass


def _mapping(path: Path) -> dict[str, object]:
    """What a JSON file says."""
    try:
        mapping = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArgumentError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ArgumentError(f"{path} is not JSON: {error}") from error
    if not isinstance(mapping, dict):
        raise ArgumentError(f"{path} holds {type(mapping).__name__}: it should be one JSON object")
    return mapping


def _how_to_connect(base_url: str, key: str, secret: str) -> str:
    """What other programs need: variables of the environment, and lines for some of them."""
    from ..settings import LIVE_URL

    return f"""\
KRAKEN_FUTURES_BASE_URL={base_url}
KRAKEN_FUTURES_API_KEY={key}
KRAKEN_FUTURES_API_SECRET={secret}

# kfut_analytics
import kfut_analytics
client = kfut_analytics.connect("paper", base_url="{base_url}", api_key="{key}", api_secret="{secret}", trading=True)

# ccxt
import ccxt
exchange = ccxt.krakenfutures({{"apiKey": "{key}", "secret": "{secret}"}})
exchange.urls["api"] = {{n: u.replace("{LIVE_URL}", "{base_url}") for n, u in exchange.urls["api"].items()}}

# python-kraken-sdk
from kraken.futures import Trade
trade = Trade(key="{key}", secret="{secret}", url="{base_url}")"""


@app.command()
def init(
    name: _NameArgument,
    balance: _BalanceOption = None,
    seed: _SeedOption = None,
    market: _MarketOption = None,
    market_url: _MarketUrlOption = None,
) -> None:
    """Make a paper account that is kept in a file; it begins with 10,000 USD unless told otherwise."""
    from ..paper.keeping.named import Origin, create_account

    path = create_account(name, Origin(_amounts(balance), seed, market, market_url))
    typer.echo(f"Account {path.stem} is kept in {path}")


@app.command()
def reset(
    name: _NameArgument,
    balance: _BalanceOption = None,
    seed: _SeedOption = None,
    market: _MarketOption = None,
    market_url: _MarketUrlOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Begin a paper account anew; what is not given stays as it was. The old file is set aside."""
    from ..paper.keeping.named import Origin, known_path, reset_account

    origin = Origin(_amounts(balance), seed, market, market_url)
    known_path(name)
    if not yes:
        typer.confirm(f"Begin the account {name} anew?", abort=True)
    typer.echo(f"Account {name} begins anew; what it was is kept in {reset_account(name, origin)}")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Show the paper accounts that are kept in files."""
    from ..paper.keeping.named import accounts_folder, list_accounts

    accounts = list_accounts()
    if as_json:
        write_json({"folder": str(accounts_folder()), "accounts": [_record(account) for account in accounts]})
        return
    if not accounts:
        typer.echo(f"No accounts in {accounts_folder()}; kfut paper init NAME makes one")
        return
    write_table(("name", "time", "size", "open", "balances"), map(_row, accounts))


def _record(account: Summary) -> dict[str, Any]:
    """An account for machines."""
    return {
        "name": account.name,
        "time": None if account.trouble else datetime.fromtimestamp(account.now, UTC),
        "bytes": account.size,
        "open": account.is_open,
        "trouble": account.trouble or None,
        "balances": [
            {"wallet": wallet, "currency": currency.upper(), "amount": float(amount)}
            for (wallet, currency), amount in sorted(account.balances.items())
        ],
    }


def _row(account: Summary) -> tuple[str, ...]:
    """An account as a line of the list."""
    amounts = [
        f"{amount:,.10g} {currency.upper()}{'' if wallet == 'flex' else f' in {wallet}'}"
        for (wallet, currency), amount in sorted(account.balances.items())
        if amount
    ]
    moment = "" if account.trouble else datetime.fromtimestamp(account.now, UTC).strftime("%Y-%m-%d %H:%M:%S")
    size = f"{account.size / 1e6:.1f} MB"
    return account.name, moment, size, "yes" if account.is_open else "no", account.trouble or ", ".join(amounts)


def _amounts(options: list[str] | None) -> dict[str, Decimal] | None:
    """A balance from the command line."""
    if not options:
        return None
    amounts: dict[str, Decimal] = {}
    for option in options:
        name, _, amount = option.partition("=")
        if name in amounts:
            raise ArgumentError(f"--balance names {name} twice: give it once")
        try:
            amounts[name] = Decimal(amount)
        except InvalidOperation:
            raise ArgumentError(f"--balance {option} is not CURRENCY=AMOUNT, such as USD=10000") from None
    return amounts
