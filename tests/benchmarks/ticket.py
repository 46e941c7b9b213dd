"""How long the ticket takes, in a real browser: ``python -m tests.benchmarks.ticket``.

Keystroke to updated preview, click on Send to bytes on the wire, quote to screen, and what an open ticket costs while
nobody touches it. Everything runs on this machine, so the exchange's own time is in it, and a network's is not.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.browser.lab import new_page, open_browser, run_notebook, running_lab
from tests.browser.test_ticket import cell, number, orders, review, state_order, until
from tests.exchanges import open_exchange

REPEATS = 15
IDLE_SECONDS = 30


def median(label: str, seconds: list[float]) -> None:
    print(f"{label:<58}{1000 * statistics.median(seconds):8.0f} ms   (largest {1000 * max(seconds):.0f})")


def main() -> None:
    exchange = open_exchange()
    arrived: dict[str, list[float]] = {}
    counted = watch(exchange, arrived)
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "KRAKEN_FUTURES_API_KEY": exchange.api_key,
            "KRAKEN_FUTURES_API_SECRET": exchange.api_secret,
            "KFUT_HOME": f"{folder}/home",
        }
        with running_lab(Path(folder), environ) as lab, open_browser() as browser:
            lab.write_notebook("ticket.ipynb", cell(exchange))
            with new_page(browser, width=1300, height=1500) as page:
                run_notebook(page, lab, "ticket.ipynb")
                ticket = page.locator(".kfut-ticket")
                ticket.locator(".kfut-level").first.wait_for()
                measure(page, ticket, exchange, arrived)
                idle(lab, counted)
    exchange.close()


def watch(exchange: Any, arrived: dict[str, list[float]]) -> dict[str, int]:
    """Note when each request arrives at the exchange."""
    counted: dict[str, int] = {}
    take = exchange.faults.take

    def noted(method: str, path: str) -> Any:
        operation = path.split("/", 4)[-1]
        counted[operation] = counted.get(operation, 0) + 1
        arrived.setdefault(operation, []).append(time.time())
        return take(method, path)

    exchange.faults.take = noted
    return counted


def measure(page: Any, ticket: Any, exchange: Any, arrived: dict[str, list[float]]) -> None:
    state_order(ticket, exchange, "limit")
    previews, sends, quotes = [], [], []
    for count in range(REPEATS):
        size = f"0.{101 + 2 * count}"
        begun = time.time()
        number(ticket, "Size").fill(size)
        ticket.get_by_label("Preview").get_by_text(f"Buy {size} PF_XBTUSD").wait_for()
        previews.append(time.time() - begun)
    for count in range(REPEATS):
        number(ticket, "Size").fill(f"0.0{11 + count}")
        ready = review(ticket)
        had = len(arrived.get("sendorder", []))
        begun = time.time()
        ready.evaluate("button => button.click()")
        until(lambda had=had: len(arrived.get("sendorder", [])) > had)
        sends.append(arrived["sendorder"][-1] - begun)
        until(lambda: bool(orders(exchange)))
        exchange.exchange.cancel_all(exchange.exchange.accounts["empty"])
    page.evaluate(
        """() => { window.seen = []; new MutationObserver(() => window.seen.push(Date.now() / 1000))
            .observe(document.querySelector(".kfut-strip"), {subtree: true, characterData: true, childList: true}); }"""
    )
    time.sleep(15)
    answered = arrived["orderbook"]
    for seen in page.evaluate("window.seen"):
        before = [moment for moment in answered if 0 <= seen - moment < 0.9]
        if before:
            quotes.append(seen - before[-1])
    median("keystroke to updated preview", previews)
    median("click on Send to the order at the exchange", sends)
    median("quote asked for at the exchange to the screen", quotes)


def idle(lab: Any, counted: dict[str, int]) -> None:
    """Requests, tokens and processor time of an open ticket with all panels that nobody touches."""
    from kfut_analytics.rest.endpoints import OPERATIONS

    kernel = Path(f"/proc/{(lab.folder / 'kernel.pid').read_text()}/stat")
    before, spent = dict(counted), ticks(kernel)
    time.sleep(IDLE_SECONDS)
    made = {name: count - before.get(name, 0) for name, count in counted.items() if count > before.get(name, 0)}
    costs = {op.path.split("/", 4)[-1]: op.base_cost for op in OPERATIONS.values()}
    tokens = sum(costs.get(name, 0) * count for name, count in made.items())
    scale = 60 / IDLE_SECONDS
    print(f"idle: {sum(made.values()) * scale:.0f} requests a minute, {tokens * scale / 6:.0f} tokens in 10 s, "
          f"{100 * (ticks(kernel) - spent) / IDLE_SECONDS:.1f} % of a processor; {made}")  # fmt: skip


def ticks(stat: Path) -> float:
    fields = stat.read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
