"""The ticket in JupyterLab, clicked as a person clicks, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfut_analytics.paper.server import PaperServer
from tests.browser.lab import Lab, chromium, open_page, run_notebook, running_lab
from tests.exchanges import open_exchange

pytestmark = pytest.mark.browser


@pytest.fixture
def exchange() -> Iterator[PaperServer]:
    chromium()
    server = open_exchange()
    yield server
    server.close()


@pytest.fixture
def lab(exchange: PaperServer, tmp_path: Path) -> Iterator[Lab]:
    keys = {"KRAKEN_FUTURES_API_KEY": exchange.api_key, "KRAKEN_FUTURES_API_SECRET": exchange.api_secret}
    with running_lab(tmp_path, keys) as lab:
        lab.write_notebook(
            "ticket.ipynb",
            "import kfut_analytics as kfut\n\n"
            f'client = kfut.connect("paper", base_url="{exchange.base_url}", trading=True)\n'
            "kfut.OrderTicket(client, lifetime=60)",
        )
        yield lab


def test_an_order_is_reviewed_and_sent_once(exchange: PaperServer, lab: Lab) -> None:
    orders = exchange.exchange.accounts["empty"].orders
    with open_page() as page:
        run_notebook(page, lab, "ticket.ipynb")
        ticket = page.locator(".kfut-ticket")
        ticket.get_by_text("PAPER", exact=True).wait_for()
        ticket.locator(".kfut-quote").wait_for()
        send = ticket.get_by_role("button", name=re.compile("^Send"))
        assert send.is_disabled()

        # A size off the grid is refused beside its field.
        ticket.get_by_role("button", name="Sell").click()
        ticket.get_by_label("Size").fill("0.00001")
        ticket.get_by_label("Limit price").fill("99000")
        ticket.get_by_role("button", name="Review").click()
        ticket.get_by_text("is not a multiple of the size step").wait_for()
        assert send.is_disabled()

        # A change after the review takes the permission to send away.
        ticket.get_by_label("Size").fill("0.02")
        ticket.get_by_role("button", name="Review").click()
        ticket.get_by_text("Sell 0.02 PF_XBTUSD, limit at 99000").wait_for()
        assert send.inner_text() == "Send: sell 0.02 PF_XBTUSD"
        ticket.get_by_label("Size").fill("0.03")
        ticket.get_by_text("The order has changed since it was reviewed").wait_for()
        assert send.is_disabled()
        assert not orders

        # A double click sends once. Both clicks leave the page before the kernel can answer the first.
        ticket.get_by_role("button", name="Review").click()
        ready = ticket.get_by_role("button", name="Send: sell 0.03 PF_XBTUSD")
        ready.click(trial=True)  # waits until a person could click it
        ready.evaluate("button => { button.click(); button.click(); }")
        ticket.get_by_text("Placed: Sell 0.03 PF_XBTUSD, limit at 99000").wait_for()
        ticket.get_by_text("Click refused").wait_for()
        [order_id] = orders
        assert ticket.get_by_text(order_id).is_visible()
        [order] = orders.values()
        assert (order.side, order.size, order.limit_price) == ("sell", 0.03, 99000)

        # What is saved holds no secret.
        page.keyboard.press("Control+s")
        saved = lab.folder / "ticket.ipynb"
        deadline = time.monotonic() + 10
        while "widget-view" not in saved.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, "the notebook was not saved"
            time.sleep(0.1)
        text = saved.read_text(encoding="utf-8")
        assert exchange.api_key not in text
        assert exchange.api_secret not in text
    assert len(orders) == 1
